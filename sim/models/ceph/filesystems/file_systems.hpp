/// CephFS: file systems, their metadata servers (MDS), and the sessions of their clients.
///
///   a server falls silent -> mds_beacon_grace -> laggy; another server's beacons arrive and a standby is there -> the rank is taken over:
///   replay (the journal) -> resolve (several ranks) -> reconnect (until all clients are back, at most mds_reconnect_timeout) -> rejoin ->
///   clientreplay -> active. A standby that follows the rank (standby-replay) has read the journal already.
///
/// The map of the file systems is the monitors': what a server does next it asks for, and does when the quorum has committed it, at most one
/// commit a second. Without a quorum no rank changes hands; and a server that hears no answer to its beacons for the grace answers no client
/// until it does. A server that stops on request says so, and its rank fails at once; one that dies stays in the map as it was, laggy, until a
/// standby takes its place or a process of its name starts anew.
///
/// Metadata operations need the rank's server and the metadata pool. Clients are told of by their sessions: one that is silent for
/// session_autoclose, or does not come back in time after a failover, is evicted and blocklisted: its mounts answer with errors from then on.
/// Nothing ticks: beacons and renewals are a grid that is computed when somebody falls silent.
///
/// Records, subject "mds/NAME": MdsStarted, MdsStopped, MdsLaggy, MdsRemoved, MdsFailover, MdsActive, MdsDamaged, MdsDeferring; subject
/// "cephfs/NAME": FsUnavailable, FsAvailable, MdsClientEvicted.
///
/// Source:     Ceph: src/mon/MDSMonitor.cc (check_health, prepare_beacon, maybe_promote_standby, drop_mds), src/mds/FSMap.cc, MDSMap.cc,
///             MDSRank.cc (_dispatch defers while laggy), Beacon.cc, Server.cc (reconnect_tick, find_idle_sessions); reference platform 4.4.
/// Leaves out: capabilities (a client that waits for what a dead one holds), stale sessions' effects, reads from an open file while no metadata
///             server is there (a mount counts as hanging), resizing, cross-filesystem standbys, snapshots, quotas, damage repair, the
///             network between a metadata server and the OSDs, deferral of evictions on laggy OSDs.
/// Checked by: tests/models/ceph/file_systems_test.cpp, tests/chaos/cephfs_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/monitors/monitors.hpp"
#include "sim/models/ceph/osds/osd.hpp"
#include "sim/models/ceph/placement_groups/placement_groups.hpp"

namespace sim::ceph {

/// With Ceph's numbers: the order in which they are told.
enum class MdsState : std::int8_t { kStandbyReplay = -8, kStandby = -5, kReplay = 8, kResolve = 9, kReconnect = 10, kRejoin = 11, kClientReplay = 12, kActive = 13 };
const char* to_string(MdsState state);  // "up:standby-replay"

class FileSystems {
 public:
  using SessionId = std::uint64_t;

  FileSystems(const Context& context, Monitors& monitors, PlacementGroups& pgs);
  FileSystems(const FileSystems&) = delete;
  FileSystems& operator=(const FileSystems&) = delete;
  /// Every rank has its server, and standbys follow: the cluster has been running for a while.
  void start();

  // Metadata servers.
  std::optional<std::size_t> find_mds(std::string_view name) const;
  void kill(std::size_t mds, Kill how, std::string_view why);
  /// A process on this host; nothing happens when one runs.
  void start_daemon(std::size_t mds, host::HostId host);
  /// A process that has been running all the time runs here.
  void place(std::size_t mds, host::HostId host);
  void links_changed();
  void host_down(host::HostId host);
  void host_up(host::HostId host);

  // Clients.
  /// A mount of a client on `host`, whose directory belongs to `rank`. `name` is its identity.
  SessionId open_session(std::size_t fs, int rank, host::HostId host, std::string name);
  /// It was unmounted.
  void close_session(SessionId session);
  /// Its kernel is gone, without a word.
  void abandon_session(SessionId session);
  bool is_evicted(SessionId session) const;
  CauseId eviction_cause(SessionId session) const;

  // What is.
  struct Mds {
    std::string name;
    std::size_t fs = 0;
    // The process.
    host::HostId host;
    bool runs = true;
    std::uint32_t starts = 0;
    CauseId cause{};
    bool heard = true;         // its beacons arrive, and are answered
    SimTime silent_since{};
    bool defers = false;       // no answer for the grace: it answers nobody
    SimTime deferred_until{};  // when it last ceased to
    // Its entry in the map, which can be of a process that is gone.
    bool in_map = false;
    std::uint32_t entry = 0;   // `starts` of the process that the entry is of
    MdsState state = MdsState::kStandby;
    int rank = -1;
    bool is_laggy = false;
    SimTime state_since{};
    bool followed = false;     // took over from standby-replay
    bool work_done = false;    // of its state: it waits for something else
    Timer start_timer;
    Timer work;
    Timer check;
    Timer answer;
  };
  struct Rank {
    std::optional<std::size_t> mds;  // up; none: failed, or damaged
    bool is_damaged = false;
    std::uint64_t lost_writes = 0;   // of the metadata pool, when the rank was last active
    bool told_serves = true;
    CauseId cause{};                 // why it has no server
  };
  struct FileSystem {
    FileSystemConfig config;
    std::size_t metadata_pool = 0;  // index
    std::vector<std::size_t> data_pools;
    std::vector<Rank> ranks;
    bool available = true;  // as was told
    CauseId cause{};        // of the last change of that
    bool metadata_answer = true;  // every PG of the metadata pool
    SimTime metadata_blocked_since{};
  };
  std::size_t size() const { return file_systems_.size(); }
  const FileSystem& at(std::size_t fs) const { return file_systems_[fs]; }
  std::optional<std::size_t> find(std::string_view name) const;
  const std::vector<Mds>& mdss() const { return mdss_; }
  std::uint32_t epoch() const { return epoch_; }
  bool is_alive(std::size_t mds) const;
  /// Some rank is failed, damaged or on its way to active.
  bool is_degraded(std::size_t fs) const;
  bool metadata_answers(std::size_t fs) const;
  /// Requests to this rank are answered.
  bool rank_serves(std::size_t fs, int rank) const;
  /// ... of a client on this host.
  bool rank_serves(std::size_t fs, int rank, host::HostId client) const;
  bool serves(std::size_t fs) const;  ///< every rank
  std::size_t standbys() const;
  std::size_t sessions(std::size_t fs) const;
  /// A standby could take over this rank now.
  bool has_replacement(std::size_t fs, int rank) const { return replacement_for(fs, rank).has_value(); }

  /// Something that clients of this file system can feel changed; the current cause explains it.
  void on_change(std::function<void(std::size_t fs)> listener) { listeners_.push_back(std::move(listener)); }
  void on_evicted(std::function<void(SessionId)> listener) { eviction_listeners_.push_back(std::move(listener)); }
  /// PGs of a pool answer, or no longer do.
  void pool_changed(std::size_t pool);

 private:
  struct Change {
    enum class Kind : std::uint8_t { kBoot, kFail, kState, kPromote, kFollow, kDamaged } kind;
    std::size_t mds = 0;
    std::uint32_t entry = 0;
    MdsState state = MdsState::kStandby;
    int rank = -1;
    CauseId cause{};
  };
  struct Session {
    std::size_t fs = 0;
    int rank = 0;
    host::HostId host;
    std::string name;
    bool is_abandoned = false;
    bool is_silent = false;
    bool is_evicted = false;
    SimTime silent_since{};
    CauseId cause{};  // of its silence, or eviction
    Timer timer;
  };

  const MdsOptions& options() const { return context_.config.mds; }
  CauseId record(Mds& mds, std::string_view kind, std::string_view message);
  bool is_heard(const Mds& mds) const;
  bool is_running(const Mds& mds) const { return mds.runs && (!mds.host || context_.hosts.is_running(mds.host)); }
  /// Its entry in the map is of a process that runs.
  bool entry_lives(const Mds& mds) const { return mds.in_map && mds.entry == mds.starts && is_running(mds); }
  SimTime beacon_before(const Mds& mds, SimTime when) const;
  SimTime beacon_after(const Mds& mds, SimTime when) const;
  void update();
  void update_beacons(std::size_t mds);
  void watch_beacons(std::size_t mds);
  bool is_overdue(const Mds& mds) const;
  void check_beacons(std::size_t mds);
  void respawn(std::size_t mds);
  void request(Change change);
  bool is_requested(std::size_t mds, Change::Kind kind) const;
  bool can_apply(const Change& change) const;
  void arm_commit();
  void commit();
  void apply(const Change& change);
  void fail(std::size_t mds);
  void maintain();
  std::optional<std::size_t> replacement_for(std::size_t fs, int rank) const;
  void enter(std::size_t mds, MdsState state);
  void work_done(std::size_t mds);
  void go_on(std::size_t mds);
  void go_on_all();
  bool clients_are_back(std::size_t mds, bool give_up);
  std::uint64_t lost_metadata(std::size_t fs) const;
  void tell(std::size_t fs);
  bool reaches(const Session& session, const Mds& mds) const;
  void update_sessions();
  void update_session(SessionId id, Session& session);
  void evict_silent(SessionId id);
  void evict(SessionId id, std::string_view why);

  Context context_;
  Monitors& monitors_;
  PlacementGroups& pgs_;
  std::vector<FileSystem> file_systems_;
  std::vector<Mds> mdss_;
  std::map<SessionId, Session> sessions_;
  SessionId last_session_ = 0;
  std::vector<Change> pending_;
  Timer commit_;
  SimTime last_commit_ = SimTime::min();
  std::uint32_t epoch_ = 1;
  bool started_ = false;
  std::vector<std::function<void(std::size_t)>> listeners_;
  std::vector<std::function<void(SessionId)>> eviction_listeners_;
};

}  // namespace sim::ceph

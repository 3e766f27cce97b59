/// The monitors: elections, the quorum, leases and commits of maps.
///
/// Every monitor has its own view (probing, electing, leader or peon of an epoch), so that two sides of a cut network are two views, and
/// that there is never more than one quorum is a result and not an assumption. Nothing ticks: leases are a grid that is computed when a
/// link or a process changes.
///
///   leader: renews the leases every lease * factor; a member that does not answer makes it call an election lease * ack factor after that
///           renewal; a proposal that not every member accepts makes it call one after lease * accept factor.
///   peon:   no renewal for lease * ack factor: probes, and calls an election when it reaches a quorum, or a majority of monitors without one.
///   election: the lowest rank that may lead wins, at once when all of the monmap answer, otherwise after election_timeout if a majority of the
///           monmap does. Then it collects what was committed, and is active.
/// A commit needs every member of the quorum. A monitor that was away for more than max_join_drift commits copies the store first.
///
/// Records, subject "mon/NAME": MonStarted, MonStopped, MonSynchronizing, MonClockSkew; subject "ceph/monitors": MonElection, MonQuorum,
/// MonQuorumLost, MonmapChanged.
///
/// Source:     Ceph 18.2 src/mon/Paxos.cc (extend_lease, handle_lease, lease_ack_timeout, accept_timeout), Elector.cc, ElectionLogic.cc,
///             Monitor.cc (bootstrap, probe, handle_probe_reply); reference platform 1.1 to 1.6. A peon whose clock is ahead sees its lease
///             end early and serves no reads then; it acknowledges and resets its timer all the same, so skew alone calls no election
///             (Paxos::handle_lease; the reference derives elections, the source has none).
/// Leaves out: the connectivity strategy, stretch mode, disk use of the store, log and auth services, one-way links.
/// Checked by: tests/models/ceph/monitors_test.cpp, cluster_property_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/context.hpp"

namespace sim::ceph {

enum class MonState : std::uint8_t { kDown, kProbing, kSynchronizing, kElecting, kLeader, kPeon };
const char* to_string(MonState state);

class Monitors {
 public:
  explicit Monitors(const Context& context);
  Monitors(const Monitors&) = delete;
  Monitors& operator=(const Monitors&) = delete;

  /// All monitors that can run form a quorum at once: the cluster has been running for a while.
  void start();

  // What breaks and mends them.
  void kill(std::size_t mon, std::string_view why);
  void start_daemon(std::size_t mon);
  /// A new monitor joins the monmap; needs a quorum. Its process starts. The index, or nothing when there is no quorum or the name is taken.
  std::optional<std::size_t> add(std::string_view name, host::HostId host);
  /// Leaves the monmap, its process ends; needs a quorum. False without one.
  bool remove(std::size_t mon);
  /// Its clock is ahead of the others' by `skew` (behind: negative).
  void set_clock_skew(std::size_t mon, SimDuration skew);
  /// A host, its network or its processes changed.
  void links_changed();
  void host_down(host::HostId host);
  void host_up(host::HostId host);

  // What is.
  std::size_t size() const { return mons_.size(); }
  std::optional<std::size_t> find(std::string_view name) const;
  const std::string& name(std::size_t mon) const { return mons_[mon].name; }
  host::HostId host(std::size_t mon) const { return mons_[mon].host; }
  MonState state(std::size_t mon) const;
  bool in_monmap(std::size_t mon) const { return mons_[mon].in_monmap; }
  /// Members of the monmap in the order of their ranks.
  std::vector<std::size_t> monmap() const;
  std::uint32_t monmap_epoch() const { return monmap_epoch_; }
  std::size_t majority() const { return monmap().size() / 2 + 1; }
  /// A leader whose quorum is active: it serves, and commits as long as all its members answer.
  bool has_quorum() const { return leader_.has_value(); }
  std::optional<std::size_t> leader() const { return leader_; }
  std::vector<std::size_t> quorum() const;
  std::uint32_t election_epoch() const { return epoch_; }
  SimTime leader_since() const { return leader_since_; }
  SimTime quorum_changed_at() const { return quorum_changed_; }
  /// Every member of the quorum answers its leader.
  bool can_commit() const;
  /// How many leaders could commit now, by their own views. Never above 1.
  std::size_t committing_leaders() const;
  /// The monitor answers reads of maps: in the quorum with a valid lease.
  bool serves_reads(std::size_t mon) const;
  /// A daemon or client on `host` reaches a monitor that is in the quorum.
  bool reachable_from(host::HostId host) const;
  /// The leader's next background check.
  SimTime tick_at_or_after(SimTime when) const { return grid_at_or_after(leader_since_, options().tick_interval, when); }
  /// Skews above the allowed drift that the leader knows of, with its checks every timecheck interval: (monitor, skew).
  std::vector<std::pair<std::size_t, SimDuration>> known_skews() const;
  /// Why there is no quorum, or the last change of it.
  CauseId cause() const { return cause_; }
  CauseId cause_of(std::size_t mon) const { return mons_[mon].cause; }
  std::uint64_t version() const { return version_; }
  bool is_alive(std::size_t mon) const;

  // Commits of maps.
  /// Something wants to be committed. on_commit is called when the proposal that carries it is.
  void propose();
  std::function<void()> on_commit;
  /// An active quorum was formed (true) or is gone (false); the record that says so is the current cause.
  void on_quorum(std::function<void(bool)> listener) { quorum_listeners_.push_back(std::move(listener)); }

 private:
  struct Mon {
    std::string name;
    host::HostId host;
    bool in_monmap = true;
    bool runs = true;
    MonState state = MonState::kProbing;
    std::uint32_t epoch = 0;          // of the election that its view is from
    std::size_t leader = 0;           // of a peon; while it elects: who called
    std::vector<std::size_t> quorum;  // of a leader
    bool active = false;              // of a leader: has collected
    SimTime lease_anchor{};           // of a leader: a renewal
    SimTime lease_end{};              // of a peon that hears its leader no more
    std::uint64_t version = 0;        // last commit that it has
    std::uint32_t starts = 0;
    SimDuration skew{};
    SimTime skew_since{};
    CauseId cause{};
    Timer timer;  // probe, sync, election, collect, start
    Timer lease;  // peon: no renewal; leader: no acknowledgement
  };
  const MonOptions& options() const { return context_.config.mon; }
  bool connected(std::size_t a, std::size_t b) const;
  /// In the monmap, alive, reachable from `mon` and able to vote; `mon` itself included. In the order of ranks.
  std::vector<std::size_t> group_of(std::size_t mon) const;
  bool may_lead(std::size_t mon) const;
  bool heard_by_all(std::size_t leader) const;
  SimDuration renew_interval() const;
  SimTime last_renewal(std::size_t leader, SimTime when) const;
  void leave_view(std::size_t mon);
  void bootstrap(std::size_t mon);
  void probe(std::size_t mon);
  void probe_soon(std::size_t mon);
  void start_election(std::size_t mon);
  void finish_election(std::uint32_t epoch, std::vector<std::size_t> members);
  void collected(std::size_t leader, std::uint32_t epoch);
  void watch_links();
  void update_quorum(std::string_view why);
  void schedule_proposal();
  void try_commit();
  void commit();

  Context context_;
  std::vector<Mon> mons_;
  std::vector<std::size_t> ranks_;  // the monmap
  std::uint32_t epoch_ = 0;
  std::uint32_t elected_epoch_ = 0;  // of the last victory
  std::uint32_t told_epoch_ = 0;     // of the quorum that listeners know
  std::uint32_t monmap_epoch_ = 1;
  std::optional<std::size_t> leader_;  // active
  SimTime leader_since_{};
  SimTime quorum_changed_{};
  std::uint64_t version_ = 0;
  CauseId cause_{};
  bool lost_told_ = false;
  bool wanted_ = false;     // something waits to be proposed
  bool proposing_ = false;  // begun, not accepted by all
  SimTime last_commit_ = SimTime::min();
  std::uint32_t draws_ = 0;
  Timer proposal_;
  Timer accept_;
  std::vector<std::function<void(bool)>> quorum_listeners_;
};

}  // namespace sim::ceph

/// All placement groups: where the map puts them, peering, what they serve, and what is left of the data.
///
///   a new epoch -> PGs whose up or acting set changes begin a new interval -> peering: who could have taken writes (prior set), whose log counts,
///   who acts (pg_temp while new members are filled), up_thru -> active, or peered below min_size -> recovery or backfill -> clean.
///
/// A PG that waits for an OSD which the map calls up and which does not answer peers on until the map changes. Client writes need every member;
/// so they stop when a member dies, not when it is marked down.
///
/// Writes are counted by pool and PG at a steady rate, for as long as the PG takes them, and settled only when something changes.
///
/// Records: subject "pool/NAME": PoolIoBlocked, PoolIoRestored, PoolFull, PoolWritable; subject "pg/1.2f": PgInactive, PgDown, PgIncomplete,
/// PgUnfound, PgWritesLost, PgDataLost. Short stops for peering are told by pool only.
///
/// Source:     Ceph 18.2 src/osd/PeeringState.cc, osd_types.cc, OSDMap.cc; reference platform 2.4 to 2.6.
/// Leaves out: splitting and merging, snapshots, scrub, divergent logs, primary affinity, stretch mode; see docs/models/ceph.md.
/// Checked by: tests/models/ceph/peering_test.cpp, ceph_cluster_test.cpp, cluster_property_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/osds/osd_daemons.hpp"
#include "sim/models/ceph/placement_groups/choose_acting.hpp"
#include "sim/models/ceph/placement_groups/pg.hpp"

namespace sim::ceph {

struct PoolState {
  PoolConfig config;
  std::int64_t id = 0;
  std::size_t size = 3;
  std::size_t min_size = 2;
  std::size_t needed = 1;  // copies that rebuild the data
  std::uint32_t first_pg = 0;
  std::uint32_t pg_num = 0;
  bool full = false;
  double objects_per_pg = 0.0;
  double shard_bytes = 0.0;   // of one PG on one OSD
  double object_shard_bytes = 0.0;
  std::uint32_t inactive = 0;  // PGs that are not active
  std::uint32_t blocked = 0;   // PGs that take no writes
  bool told_blocked = false;
};

class Recovery;

class PlacementGroups {
 public:
  PlacementGroups(const Context& context, Monitors& monitors, OsdMonitor& osd_monitor, OsdDaemons& daemons, std::vector<Osd>& osds, crush::OsdMap& map);

  /// Adds the pool to the map; its rule is made by the caller. All PGs are active and clean, or as the map's up OSDs let them be.
  void add_pool(const PoolConfig& config, int rule);
  void set_recovery(Recovery& recovery) { recovery_ = &recovery; }
  void set_stored(std::size_t pool, std::int64_t bytes);

  // What changes them.
  void epoch_changed(const EpochChange& change);
  /// OSDs answer, or no longer do; or links between hosts changed (then: all).
  void answers_changed(const std::vector<int>& osds);
  void data_lost(int osd);
  void flags_changed();
  /// Recovery came to an end: of this PG all that was asked for is copied.
  void recovered(Pg& pg);
  /// `ceph pg PGID mark_unfound_lost revert`: gives up what no OSD holds. False when nothing is unfound.
  bool give_up_unfound(std::uint32_t pg);
  /// `ceph osd force-create-pg`: an empty PG in place of one whose data are gone. False when it is not incomplete.
  bool force_create(std::uint32_t pg);

  // What is.
  std::vector<PoolState>& pools() { return pools_; }
  const std::vector<PoolState>& pools() const { return pools_; }
  std::size_t size() const { return pgs_.size(); }
  Pg& pg(std::uint32_t index) { return pgs_[index]; }
  const Pg& pg(std::uint32_t index) const { return pgs_[index]; }
  const PoolState& pool_of(const Pg& pg) const { return pools_[pg.pool]; }
  const std::vector<std::uint32_t>& pgs_of(int osd) const { return by_osd_[static_cast<std::size_t>(osd)]; }
  std::vector<int> peers_of(int osd) const;
  /// How many PGs are in each state.
  const std::map<std::uint32_t, std::uint32_t>& states() const { return states_; }
  static bool is_active(const Pg& pg) { return (pg.state & kPgActive) != 0 && (pg.state & kPgStale) == 0; }
  /// A write to this PG is answered now; a read is.
  bool serves_writes(const Pg& pg) const;
  bool serves_reads(const Pg& pg) const;
  double missing_objects(const PoolState& pool, std::uint64_t versions) const;
  double degraded_objects(const Pg& pg) const;
  double misplaced_objects(const Pg& pg) const;
  double unfound_objects(const Pg& pg) const;
  /// Everybody who must answer a write: acting, and who is being filled.
  std::vector<int> writers(const Pg& pg) const;
  /// Counts the writes of a PG up to now.
  void settle(Pg& pg);
  /// The state is computed anew from what the PG does, and told.
  void refresh(Pg& pg);
  bool reaches(int from, int to) const;
  /// How far its log reaches back: as the primary that was active last has trimmed it.
  std::uint64_t log_entries(const Pg& pg) const;

  /// After each change of a PG's state; the cause is current.
  void on_state(std::function<void(const Pg&, std::uint32_t before)> listener) { state_listeners_.push_back(std::move(listener)); }
  /// After a PG began or ceased to serve writes.
  void on_io(std::function<void(const Pg&, bool serves)> listener) { io_listeners_.push_back(std::move(listener)); }
  /// The bytes of PGs on an OSD changed.
  std::function<void(int osd)> on_usage;

 private:
  std::uint64_t log_target(const Pg& pg) const;
  void map_pg(Pg& pg, bool raw_may_change, bool recheck);
  void new_interval(Pg& pg, const crush::PgMapping& mapping);
  void set_interested(Pg& pg);
  void begin_peering(Pg& pg, SimDuration delay);
  void get_info(Pg& pg);
  void wait_up_thru(Pg& pg);
  void activate(Pg& pg);
  void plan_recovery(Pg& pg);
  void mark_clean(Pg& pg);
  void set_phase(Pg& pg, PgPhase phase);
  std::vector<Shard> infos(const Pg& pg) const;
  ActingQuery query(const Pg& pg, const std::vector<Shard>& infos) const;
  Shard& ensure_shard(Pg& pg, int osd, int slot);
  void set_backfilled(Pg& pg, Shard& shard, double share);
  int slot_of(const Pg& pg, int osd, const std::vector<int>& set) const;
  void catch_up(Shard& shard, std::uint64_t head) const;
  void tell_io();
  std::uint32_t state_of(const Pg& pg) const;
  void charge(int osd, double bytes);

  friend class Recovery;
  Context context_;
  Monitors& monitors_;
  OsdMonitor& osd_monitor_;
  OsdDaemons& daemons_;
  std::vector<Osd>& osds_;
  crush::OsdMap& map_;
  Recovery* recovery_ = nullptr;
  std::vector<PoolState> pools_;
  std::vector<Pg> pgs_;
  std::vector<std::vector<std::uint32_t>> by_osd_;
  std::vector<double> pg_bytes_;  // by OSD
  std::vector<std::uint32_t> peering_on_;  // by primary
  std::vector<std::uint32_t> wait_up_thru_;
  std::map<std::uint32_t, std::uint32_t> states_;
  std::vector<std::uint32_t> io_changed_;
  TimerId io_timer_{};
  std::vector<std::function<void(const Pg&, std::uint32_t)>> state_listeners_;
  std::vector<std::function<void(const Pg&, bool)>> io_listeners_;
};

}  // namespace sim::ceph

/// Recovery and backfill: reservations, and the copying itself, which shares disks and networks.
///
/// A PG asks for a local slot at its primary, then for a remote slot at each target in the order of their ids; each OSD gives out
/// osd_max_backfills of either kind, the most urgent first. Then the bytes flow from the primary (or, where it lacks them, from another
/// member) to the targets, max-min fairly over the disks' shares for recovery and the hosts' cluster links. What was copied stays copied when it is cut off.
///
/// Source:     Ceph 18.2 src/osd/PeeringState.cc (WaitLocalRecoveryReserved ... Recovering, Backfilling), src/common/AsyncReserver.h,
///             doc/dev/osd_internals/backfill_reservation.rst, doc/rados/configuration/mclock-config-ref.rst; reference platform 2.7.
/// Leaves out: preemption of running backfills by more urgent ones, forced recovery, recovery of only a part when some objects are unfound.
/// Checked by: tests/models/ceph/recovery_test.cpp, cluster_property_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sim/core/resource.hpp"
#include "sim/models/ceph/osds/system_disks.hpp"
#include "sim/models/ceph/placement_groups/placement_groups.hpp"

namespace sim::network {
class Network;
}

namespace sim::ceph {

/// Slots of one kind at one OSD.
class Reserver {
 public:
  void request(std::uint32_t pg, int priority, std::uint64_t order) { queue_[{-priority, order}] = pg; }
  /// Gives the slot back, or leaves the queue.
  void cancel(std::uint32_t pg) {
    granted_.erase(pg);
    std::erase_if(queue_, [pg](const auto& entry) { return entry.second == pg; });
  }
  /// The next PG that gets a slot now; false when there is none.
  bool grant(int slots, std::uint32_t& pg) {
    if (queue_.empty() || granted_.size() >= static_cast<std::size_t>(slots)) return false;
    pg = queue_.begin()->second;
    queue_.erase(queue_.begin());
    granted_.insert(pg);
    return true;
  }
  std::size_t granted() const { return granted_.size(); }
  std::size_t waiting() const { return queue_.size(); }

 private:
  std::map<std::pair<int, std::uint64_t>, std::uint32_t> queue_;
  std::set<std::uint32_t> granted_;
};

class Recovery {
 public:
  Recovery(const Context& context, PlacementGroups& pgs, OsdMonitor& osd_monitor, OsdDaemons& daemons, std::vector<Osd>& osds, SystemDisks& system_disks);

  /// Copies cross these links from now on, together with whatever else does, instead of cluster links that nobody else uses. Before anything is copied.
  void share(network::Network& network);
  /// The PG has something to copy: objects that members miss (recovery), or whole members (backfill).
  void start(Pg& pg, bool backfill);
  /// A new interval, or it is over: gives everything back and keeps what was copied.
  void stop(Pg& pg);
  void flags_changed();
  /// Disks became slower, OSDs answer or do not, clients take more or less.
  void speeds_changed();
  /// Bytes of copying a second, now, of all PGs.
  double rate();
  /// Objects of copying a second, now, of all PGs.
  double object_rate();
  std::size_t running() const { return running_; }
  /// Share of the target's work that is done in the running copy; 0 when none runs.
  double progress(const Pg& pg, int osd);
  const Reserver& local(int osd) const { return local_[static_cast<std::size_t>(osd)]; }
  const Reserver& remote(int osd) const { return remote_[static_cast<std::size_t>(osd)]; }

 private:
  struct Copy {
    SharedBandwidth::FlowId flow;
    int target = 0;
    int slot = -1;
    double bytes = 0.0;
    double objects = 0.0;
    double space = 0.0;  // that it will take on the target
    bool done = false;
  };
  struct Job {
    bool backfill = false;
    int priority = 0;
    int local_osd = -1;
    std::vector<int> remotes;  // ascending
    std::size_t granted_remotes = 0;
    bool has_local = false;
    bool running = false;
    std::vector<Copy> copies;
    Timer retry;
    CauseId cause{};
  };
  bool is_allowed(const Pg& pg, bool backfill) const;
  int priority_of(const Pg& pg, bool backfill) const;
  void enqueue(Pg& pg, Job& job);
  void release(std::uint32_t pg, Job& job);
  void pump(int osd);
  void local_granted(std::uint32_t pg);
  void remote_granted(std::uint32_t pg);
  void ask_next_remote(Pg& pg, Job& job);
  void run(Pg& pg, Job& job);
  void copy_done(std::uint32_t pg, std::size_t copy);
  void keep_progress(Pg& pg, Job& job);
  void too_full(Pg& pg, Job& job);
  void retry_later(Pg& pg, Job& job);
  int source_for(const Pg& pg, int target) const;
  double disk_capacity(const Osd& osd) const;
  double client_bytes() const;
  void apply_speeds();
  void use_of_disks_changed();
  void look_at_system_disks();
  bool over(const Osd& osd, double ratio, double more) const;

  Context context_;
  PlacementGroups& pgs_;
  OsdMonitor& osd_monitor_;
  OsdDaemons& daemons_;
  std::vector<Osd>& osds_;
  SystemDisks& system_disks_;
  TimerId look_{};
  SharedBandwidth own_;
  SharedBandwidth* bandwidth_ = &own_;
  network::Network* network_ = nullptr;  // null: out_ and in_
  std::vector<SharedBandwidth::LinkId> disks_;
  std::vector<SharedBandwidth::LinkId> out_;  // by host location
  std::vector<SharedBandwidth::LinkId> in_;
  std::vector<Reserver> local_;
  std::vector<Reserver> remote_;
  std::map<std::uint32_t, Job> jobs_;
  std::vector<double> pending_bytes_;  // by OSD: being filled
  std::uint64_t order_ = 0;
  std::size_t running_ = 0;
};

}  // namespace sim::ceph

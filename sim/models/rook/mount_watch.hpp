/// Which mounts of a Ceph client hang: mounts by volume and node, what was told of each, and when it is to be told.
///
/// I/O that stalls for less than 5 s (a placement group peers) is told to nobody: it is latency to whoever waits, and no outage (proposed: clients wait at
/// least so long before they give up). Several changes of one instant are looked at once, behind the placement groups, which tell of it at its end.
///
/// Records, subject "CephCSI/...": VolumesHang, VolumesGoOn.
///
/// Checked by: tests/chaos/ceph_test.cpp, cephfs_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"

namespace sim::rook {

class MountWatch {
 public:
  struct Mount {
    Symbol volume;
    Symbol node;
    friend auto operator<=>(const Mount&, const Mount&) = default;
  };
  using Possible = std::function<bool(Symbol volume, Symbol node)>;
  /// `subject`: "CephCSI/rbd"; `noun`: "RBD volume".
  MountWatch(Engine& engine, EventLog& log, host::Hosts& hosts, k8s::Storage& storage, ceph::CephCluster& cluster, std::string subject, std::string noun, Possible is_possible);
  MountWatch(const MountWatch&) = delete;
  MountWatch& operator=(const MountWatch&) = delete;

  /// Hears of every change from now on. `looked` is called after each look.
  void start(std::function<void()> looked);
  /// Something else than placement groups changed that mounts can feel. `stops`: it stopped I/O, and the current cause explains it.
  void look(bool stops);

  void add(Symbol volume, Symbol node) { mounts_[Mount{volume, node}] = State{}; }
  void remove(Symbol volume, Symbol node) { mounts_.erase(Mount{volume, node}); }
  void forget_node(Symbol node) {
    std::erase_if(mounts_, [node](const auto& entry) { return entry.first.node == node; });
  }
  void forget_volume(Symbol volume) { causes_.erase(volume); }
  /// In the order of volumes, then nodes.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [mount, state] : mounts_) visit(mount.volume, mount.node);
  }
  /// Why it hangs or goes on, as was last told.
  CauseId cause_of(Symbol volume) const {
    const auto found = causes_.find(volume);
    return found == causes_.end() ? CauseId{} : found->second;
  }

 private:
  struct State {
    bool hangs = false;                // as was told
    std::optional<SimTime> stalled{};  // since when I/O does not come back
    CauseId cause{};                   // of the stall
  };
  void look_soon();
  void look_at_all();
  void tell(const std::set<Symbol>& volumes, CauseId cause);

  Engine& engine_;
  EventLog& log_;
  host::Hosts& hosts_;
  k8s::Storage& storage_;
  ceph::CephCluster& cluster_;
  std::string subject_;
  std::string noun_;
  Possible is_possible_;
  std::function<void()> looked_;
  std::map<Mount, State> mounts_;
  std::map<Symbol, CauseId> causes_;
  CauseId blocked_cause_{};  // why placement groups ceased to answer since the last look
  CauseId stopped_cause_{};  // why something nearer to the mounts did
  Timer look_;
  Timer stall_over_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::rook

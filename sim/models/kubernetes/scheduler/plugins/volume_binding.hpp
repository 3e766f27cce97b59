/// VolumeBinding: a pod goes where its volumes are, or can be made; its node decides where volumes of delayed classes come to be.
///
/// Source:     framework/plugins/volumebinding/{volume_binding,binder}.go (reference kubernetes 1.6). The words are those of v1.36 (before v1.34:
///             "node(s) had volume node affinity conflict").
/// Leaves out: the score (its gates are off); CSIDrivers and CSIStorageCapacities that change during a run; status.nominatedNodeName while the binding waits.
/// Checked by: tests/models/kubernetes/scheduler/volume_plugins_test.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class VolumeBinding {
 public:
  /// What has to be written before the pod can be bound.
  struct Reservation {
    struct Static {
      Ref<PersistentVolumeClaim> claim;
      Ref<PersistentVolume> volume;
    };
    std::vector<Static> statics;
    std::vector<Ref<PersistentVolumeClaim>> dynamics;  // to be made for the node
    Symbol node;
  };

  explicit VolumeBinding(Cache& cache) : cache_(cache) {}

  /// Why the pod cannot run anywhere; empty when it may.
  std::string pre_filter(const PodInfo& pod);
  StatusId filter(NodeIndex node) const;

  /// Assumes the volumes for the pod of the last pre_filter() on this node. False: all of them are bound already.
  bool reserve(PodSlot slot, NodeIndex node);
  const Reservation* find(PodSlot slot) const;
  void forget(PodSlot slot) { reservations_.erase(slot); }

  static constexpr ActionSet kEvents =
      Action::kClaimAdd | Action::kClaimUpdate | Action::kVolumeAdd | Action::kVolumeUpdate | Action::kClassAdd | Action::kClassUpdate | Action::kNodeAdd |
      Action::kNodeLabel | Action::kNodeTaint | Action::kCsiNodeAdd;
  static bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const Interner& names);

 private:
  /// What of the claims stands against a node.
  struct Verdict {
    bool is_conflict = false;  // a bound volume is not usable from there
    bool is_missing = false;   // a bound volume does not exist
    bool no_match = false;     // an unbound claim can get no volume there
    bool no_space = false;     // ... because its class has no room for it
    Reservation reservation;
  };
  Verdict match(NodeIndex node) const;
  bool has_space(const StorageClass& storage_class, std::int64_t bytes, const Labels& node) const;
  bool is_taken(Symbol volume) const;

  Cache& cache_;
  std::vector<const PersistentVolumeClaim*> bound_;
  std::vector<Ref<PersistentVolumeClaim>> delayed_;  // smallest first
  std::vector<Ref<PersistentVolume>> open_;  // what delayed claims may get
  std::map<PodSlot, Reservation> reservations_;
};

}  // namespace sim::k8s::scheduling

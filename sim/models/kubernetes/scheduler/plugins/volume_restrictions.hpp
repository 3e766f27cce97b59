/// VolumeRestrictions: a ReadWriteOncePod claim is used by one pod only, anywhere.
///
/// ReadWriteOnce is no matter of the scheduler: that is where the attach/detach controller's Multi-Attach error comes from.
///
/// Source:     framework/plugins/volumerestrictions/volume_restrictions.go (reference kubernetes 1.6).
/// Leaves out: inline GCE, EBS, iSCSI and RBD volumes (sources in the pod itself).
/// Checked by: tests/models/kubernetes/scheduler/volume_plugins_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class VolumeRestrictions {
 public:
  explicit VolumeRestrictions(Cache& cache) : cache_(cache) {}

  /// Looks the pod's claims up. Why the pod cannot run anywhere; empty when it may.
  std::string pre_filter(const PodInfo& pod);
  /// The same verdict for every node.
  StatusId filter() const { return conflicts_ > 0 ? StatusId{kStatusVolumeInUse} : kFits; }
  /// As if `other` came (+1) or went (-1), on whatever node. As upstream it counts claims by their name alone, whatever their namespace.
  void shift(const PodSpec& other, std::int64_t change);
  std::int64_t conflicts() const { return conflicts_; }
  void restore(std::int64_t conflicts) { conflicts_ = conflicts; }

  static constexpr ActionSet kEvents = Action::kPodDelete | Action::kNodeAdd | Action::kNodeTaint | Action::kClaimAdd;
  static bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event);

 private:
  Cache& cache_;
  std::vector<Symbol> exclusive_;  // the pod's ReadWriteOncePod claims; empty when no pod on a node uses one of them
  std::int64_t conflicts_ = 0;
};

}  // namespace sim::k8s::scheduling

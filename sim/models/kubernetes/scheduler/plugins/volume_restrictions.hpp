/// VolumeRestrictions: a ReadWriteOncePod claim is used by one pod only, anywhere.
///
/// ReadWriteOnce is no matter of the scheduler: that is where the attach/detach controller's Multi-Attach error comes from.
///
/// Source:     framework/plugins/volumerestrictions/volume_restrictions.go (reference kubernetes 1.6).
/// Leaves out: inline GCE, EBS, iSCSI and RBD volumes (sources in the pod itself).
/// Checked by: tests/models/kubernetes/scheduler/volume_plugins_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class VolumeRestrictions {
 public:
  explicit VolumeRestrictions(Cache& cache) : cache_(cache) {}

  /// Looks the pod's claims up. Why the pod cannot run anywhere; empty when it may.
  std::string pre_filter(const PodInfo& pod);
  /// The same verdict for every node. `off`: pods that a dry run took away.
  StatusId filter(const std::vector<PodSlot>& off) const;

  static constexpr ActionSet kEvents = Action::kPodDelete | Action::kNodeAdd | Action::kClaimChange;
  static bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const ApiServer& api);

 private:
  Cache& cache_;
  std::vector<PodSlot> conflicting_;  // pods on nodes that use one of the pod's ReadWriteOncePod claims
};

}  // namespace sim::k8s::scheduling

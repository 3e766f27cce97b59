#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"

#include <algorithm>

namespace sim::k8s::scheduling::taint_toleration {

namespace {
bool is_tolerated(const std::vector<Taint>& taints, const std::vector<Toleration>& tolerations) {
  return std::all_of(taints.begin(), taints.end(), [&](const Taint& taint) {
    if (taint.effect != TaintEffect::kNoSchedule && taint.effect != TaintEffect::kNoExecute) return true;
    return tolerates(tolerations, taint);
  });
}
}  // namespace

StatusId filter(const PodSpec& pod, const NodeView& node) {
  return is_tolerated(node.taints, pod.tolerations) ? kFits : StatusId{kStatusTaint};
}

std::int64_t intolerable_taints(const PodSpec& pod, const NodeView& node) {
  return std::count_if(node.taints.begin(), node.taints.end(), [&](const Taint& taint) {
    if (taint.effect != TaintEffect::kPreferNoSchedule) return false;
    return std::none_of(pod.tolerations.begin(), pod.tolerations.end(), [&](const Toleration& toleration) {
      const bool counts = toleration.effect == TaintEffect::kNone || toleration.effect == TaintEffect::kPreferNoSchedule;
      return counts && toleration.tolerates(taint);
    });
  });
}

bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) {
  if (event.action == Action::kPodToleration) return event.pod_after->ref == pod.ref;
  const bool before = event.node_before != nullptr && is_tolerated(event.node_before->taints, pod.spec->tolerations);
  return !before && is_tolerated(event.node_after->taints, pod.spec->tolerations);
}

}  // namespace sim::k8s::scheduling::taint_toleration

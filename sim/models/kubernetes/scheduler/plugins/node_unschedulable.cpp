#include "sim/models/kubernetes/scheduler/plugins/node_unschedulable.hpp"

namespace sim::k8s::scheduling::node_unschedulable {

namespace {
bool tolerates_cordon(const PodSpec& pod, const WellKnown& names) {
  return tolerates(pod.tolerations, Taint{names.unschedulable, Symbol{}, TaintEffect::kNoSchedule});
}
}  // namespace

StatusId filter(const PodSpec& pod, const NodeView& node, const WellKnown& names) {
  if (!node.unschedulable || tolerates_cordon(pod, names)) return kFits;
  return kStatusNodeUnschedulable;
}

bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const WellKnown& names) {
  if (event.action == Action::kPodToleration) return event.pod_after->ref == pod.ref && tolerates_cordon(*event.pod_after->spec, names);
  if (event.node_after->unschedulable) return false;
  return event.node_before == nullptr || event.node_before->unschedulable;
}

}  // namespace sim::k8s::scheduling::node_unschedulable

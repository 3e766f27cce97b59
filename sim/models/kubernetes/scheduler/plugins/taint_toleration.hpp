/// TaintToleration: NoSchedule and NoExecute taints keep pods away, PreferNoSchedule taints cost score.
///
/// Source: framework/plugins/tainttoleration/taint_toleration.go (reference kubernetes 1.6).
/// Leaves out: the comparison operators Lt and Gt of tolerations (alpha, off).
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling::taint_toleration {

StatusId filter(const PodSpec& pod, const NodeView& node);
/// PreferNoSchedule taints that the pod does not tolerate: the raw score, to be normalised in reverse.
std::int64_t intolerable_taints(const PodSpec& pod, const NodeView& node);

inline constexpr ActionSet kEvents = Action::kNodeAdd | Action::kNodeTaint | Action::kPodToleration;
bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event);

}  // namespace sim::k8s::scheduling::taint_toleration

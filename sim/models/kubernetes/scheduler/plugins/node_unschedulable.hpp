/// NodeUnschedulable: no pod goes to a cordoned node, unless it tolerates node.kubernetes.io/unschedulable:NoSchedule.
///
/// Source: framework/plugins/nodeunschedulable/node_unschedulable.go (reference kubernetes 1.6).
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling::node_unschedulable {

StatusId filter(const PodSpec& pod, const NodeView& node, const WellKnown& names);

inline constexpr ActionSet kEvents = Action::kNodeAdd | Action::kNodeTaint | Action::kPodToleration;
bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const WellKnown& names);

}  // namespace sim::k8s::scheduling::node_unschedulable

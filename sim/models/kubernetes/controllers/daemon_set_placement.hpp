/// On which nodes a DaemonSet's pods run, and what their specs say about it.
///
/// Source: pkg/controller/daemon/daemon_controller.go NodeShouldRunDaemonPod, pkg/controller/daemon/util/daemonset_util.go (reference 2.4).
/// Checked by: tests/models/kubernetes/controllers/daemon_set_test.cpp.
#pragma once

#include <memory>

#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/kubernetes/api/well_known.hpp"

namespace sim::k8s {

/// Adds what lets daemon pods stay where others must go: not-ready and unreachable (NoExecute), pressure, unschedulable (NoSchedule), and
/// network-unavailable for host network pods.
void add_daemon_tolerations(PodSpec& spec, const WellKnown& well_known);

struct DaemonPlacement {
  bool should_run = false;              ///< a pod is to be made there
  bool should_continue_running = false; ///< one that is there may stay
};
/// `spec` has its daemon tolerations.
DaemonPlacement place_daemon_pod(const Node& node, const PodSpec& spec, const WellKnown& well_known, const Interner& names);

/// The spec for one node: its required node affinity is this node's name, and nothing else.
std::shared_ptr<const PodSpec> spec_for_node(const PodSpec& spec, Symbol node, const WellKnown& well_known);

/// The node that a daemon pod is on, or is meant for.
Symbol target_node(const Pod& pod, const WellKnown& well_known);

}  // namespace sim::k8s

/// NodeName: spec.nodeName, when it is set, is the only node.
///
/// Source: framework/plugins/nodename/node_name.go (reference kubernetes 1.6). A pod with spec.nodeName counts as bound
///         and is not queued, so this filter acts in dry runs only.
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling::node_name {

inline StatusId filter(const PodSpec& pod, Symbol node) {
  return !pod.node_name || pod.node_name == node ? kFits : StatusId{kStatusNodeName};
}

// Registered for added nodes; the scheduler adds taint changes for every plugin that is. No hint: always worth it.
inline constexpr ActionSet kEvents = Action::kNodeAdd | Action::kNodeTaint;

}  // namespace sim::k8s::scheduling::node_name

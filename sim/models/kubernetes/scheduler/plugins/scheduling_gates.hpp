/// SchedulingGates: a pod waits outside the queues while it has gates.
///
/// Source: framework/plugins/schedulinggates/scheduling_gates.go.
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp, scheduler_test.cpp.
#pragma once

#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s::scheduling::scheduling_gates {

/// PreEnqueue.
inline bool is_gated(const PodSpec& spec) { return !spec.scheduling_gates.empty(); }

}  // namespace sim::k8s::scheduling::scheduling_gates

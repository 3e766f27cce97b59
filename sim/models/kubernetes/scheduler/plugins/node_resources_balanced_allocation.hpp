/// NodeResourcesBalancedAllocation: a pod should make the use of cpu and of memory more alike, not less.
///
/// Source: framework/plugins/noderesources/balanced_allocation.go, the formula of 1.35 and later (reference kubernetes 1.6).
/// Leaves out: resources other than cpu and memory (the default configuration has these two).
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling::node_resources_balanced_allocation {

/// PreScore's Skip: the pod requests neither.
inline bool is_skipped(const PodSpec& pod) { return pod.requests.cpu_milli == 0 && pod.requests.memory == 0; }
/// 25 to 100; 75 when the pod leaves the balance as it is.
std::int64_t score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load);


}  // namespace sim::k8s::scheduling::node_resources_balanced_allocation

/// NodeResourcesBalancedAllocation: a pod should make the use of cpu and of memory more alike, not less.
///
/// Source: framework/plugins/noderesources/balanced_allocation.go, the formula of 1.35 and later (reference kubernetes 1.6).
/// Leaves out: extended resources that DRA backs.
/// Checked by: tests/models/kubernetes/scheduler/{plugins,scheduling_profile}_test.cpp.
#pragma once

#include <vector>

#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling::node_resources_balanced_allocation {

/// PreScore's Skip: the pod requests none of `resources` (empty: cpu and memory).
bool is_skipped(const PodSpec& pod, const std::vector<Symbol>& resources, const Interner& names);
inline bool is_skipped(const PodSpec& pod) { return pod.requests.cpu_milli == 0 && pod.requests.memory == 0; }
/// 25 to 100; 75 when the pod leaves the balance as it is. Over cpu and memory.
std::int64_t score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load);
/// Over `resources`, of which an extended one counts only for pods that request it.
std::int64_t score(const PodSpec& pod, const std::vector<Symbol>& resources, const Resources& allocatable, const NodeLoad& load, const Interner& names);

}  // namespace sim::k8s::scheduling::node_resources_balanced_allocation

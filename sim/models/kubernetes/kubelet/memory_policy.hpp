/// Who goes when memory is short: the eviction manager's order, and the kernel's.
///
/// Source:     reference kubernetes 3.9 (eviction/helpers.go rankMemoryPressure), 3.10 (qos/policy.go GetContainerOOMScoreAdjust);
///             platform 9.1 (mm/oom_kill.c badness, mm/page_alloc.c min_free_kbytes).
/// Leaves out: equal shares of pod-level requests in oom_score_adj.
/// Checked by: tests/models/kubernetes/kubelet_memory_policy_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s::kubelet {

inline constexpr std::int32_t kSystemCriticalPriority = 2'000'000'000;
inline constexpr std::int32_t kSystemNodeCriticalPriority = 2'000'001'000;

/// Static, mirror, or priority of at least 2 * 10^9: never evicted by the kubelet, admitted under pressure.
bool is_critical(const PodSpec& spec, bool is_mirror);

struct EvictionCandidate {
  std::size_t index = 0;  // of the caller's list
  std::int32_t priority = 0;
  std::int64_t usage = 0;
  std::int64_t request = 0;
};
/// Usage over request first; then lower priority; then the larger excess. Equal ones keep their order.
void rank_for_memory_eviction(std::vector<EvictionCandidate>& candidates);

/// oom_score_adj of container `index` of `containers` (of init containers only sidecars run long enough to matter).
std::int32_t oom_score_adjust(const PodSpec& spec, const Container& container, std::int64_t node_memory);

/// The kernel's badness: thousandths of the total that it uses, plus the adjustment.
std::int64_t oom_badness(std::int64_t usage, std::int64_t total, std::int32_t adjust);

/// What the kernel keeps for itself (min_free_kbytes, no transparent huge pages): below it allocations stall.
std::int64_t kernel_reserve(std::int64_t total);

/// How the working set of a pod is divided among its regular containers: by their memory requests, equally when none has one.
std::vector<std::int64_t> memory_shares(const PodSpec& spec, std::int64_t pod_bytes);

}  // namespace sim::k8s::kubelet

#include "sim/models/kubernetes/kubelet/memory_policy.hpp"

#include <algorithm>
#include <cmath>

namespace sim::k8s::kubelet {

bool is_critical(const PodSpec& spec, bool is_mirror) { return is_mirror || spec.priority >= kSystemCriticalPriority; }

void rank_for_memory_eviction(std::vector<EvictionCandidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const EvictionCandidate& a, const EvictionCandidate& b) {
    const bool a_over = a.usage > a.request;
    const bool b_over = b.usage > b.request;
    if (a_over != b_over) return a_over;
    if (a.priority != b.priority) return a.priority < b.priority;
    return a.usage - a.request > b.usage - b.request;
  });
}

std::int32_t oom_score_adjust(const PodSpec& spec, const Container& container, std::int64_t node_memory) {
  constexpr std::int32_t kGuaranteed = -997;
  constexpr std::int32_t kBestEffort = 1000;
  if (spec.priority == kSystemNodeCriticalPriority || spec.qos == QosClass::kGuaranteed) return kGuaranteed;
  if (spec.qos == QosClass::kBestEffort || node_memory <= 0) return kBestEffort;
  const auto by_request = [&](std::int64_t request) {
    const std::int64_t adjust = 1000 - static_cast<std::int64_t>(static_cast<__int128_t>(request) * 1000 / node_memory);
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(adjust, 3, 999));
  };
  std::int32_t adjust = by_request(container.requests.memory);
  if (container.is_sidecar && !spec.containers.empty()) {
    // A sidecar outlives none of the containers that it serves.
    std::int64_t smallest = spec.containers.front().requests.memory;
    for (const Container& regular : spec.containers) smallest = std::min(smallest, regular.requests.memory);
    adjust = std::min(adjust, by_request(smallest));
  }
  return adjust;
}

std::int64_t oom_badness(std::int64_t usage, std::int64_t total, std::int32_t adjust) {
  if (total <= 0) return adjust;
  return static_cast<std::int64_t>(static_cast<__int128_t>(usage) * 1000 / total) + adjust;
}

std::int64_t kernel_reserve(std::int64_t total) {
  const double low_kib = static_cast<double>(total) / 1024.0;
  const auto kib = static_cast<std::int64_t>(std::sqrt(16.0 * low_kib));
  return std::clamp<std::int64_t>(kib, 128, 262144) * 1024;
}

std::vector<std::int64_t> memory_shares(const PodSpec& spec, std::int64_t pod_bytes) {
  std::vector<std::int64_t> shares(spec.containers.size(), 0);
  if (shares.empty()) return shares;
  std::int64_t total = 0;
  for (const Container& container : spec.containers) total += container.requests.memory;
  std::int64_t given = 0;
  for (std::size_t i = 1; i < shares.size(); ++i) {
    shares[i] = total > 0 ? static_cast<std::int64_t>(static_cast<__int128_t>(pod_bytes) * spec.containers[i].requests.memory / total)
                          : pod_bytes / static_cast<std::int64_t>(shares.size());
    given += shares[i];
  }
  shares[0] = pod_bytes - given;  // so that the shares add up whatever was rounded
  return shares;
}

}  // namespace sim::k8s::kubelet

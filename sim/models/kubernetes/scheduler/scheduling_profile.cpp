#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "sim/models/kubernetes/scheduler/plugins/node_resources_fit.hpp"

namespace sim::k8s::scheduling {

namespace {

struct Use {
  std::int64_t allocatable = 0;
  std::int64_t requested = 0;  // with the pod
};

/// Empty: the resource does not count for this pod on this node.
std::optional<Use> use_of(const std::string& resource, Symbol name, const PodSpec& pod, const Resources& allocatable, const NodeLoad& load) {
  Use use;
  if (resource == "cpu") {
    use = {allocatable.cpu_milli, load.nonzero_cpu_milli + pod.nonzero_cpu_milli};
  } else if (resource == "memory") {
    use = {allocatable.memory, load.nonzero_memory + pod.nonzero_memory};
  } else if (resource == "ephemeral-storage") {
    use = {allocatable.ephemeral_storage, load.requested.ephemeral_storage + pod.requests.ephemeral_storage};
  } else {
    if (pod.requests.of(name) == 0) return std::nullopt;
    use = {allocatable.of(name), load.requested.of(name) + pod.requests.of(name)};
  }
  if (use.allocatable == 0) return std::nullopt;
  return use;
}

std::int64_t on_shape(const std::vector<ScoringStrategy::Point>& shape, std::int64_t utilization) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (utilization > shape[i].utilization) continue;
    if (i == 0) return shape[0].score;
    const ScoringStrategy::Point& from = shape[i - 1];
    const ScoringStrategy::Point& to = shape[i];
    return from.score + (to.score - from.score) * (utilization - from.utilization) / (to.utilization - from.utilization);
  }
  return shape.back().score;
}

}  // namespace

std::int64_t ScoringStrategy::score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load, const Interner& names) const {
  if (is_default()) return NodeResourcesFit::score(pod, allocatable, load);
  std::int64_t sum = 0;
  std::int64_t weights = 0;
  const auto add = [&](const std::string& resource, Symbol name, std::int64_t weight) {
    const std::optional<Use> use = use_of(resource, name, pod, allocatable, load);
    if (!use) return;
    std::int64_t score = 0;
    switch (type) {
      case Type::kLeastAllocated:
        score = use->requested > use->allocatable ? 0 : (use->allocatable - use->requested) * kMaxNodeScore / use->allocatable;
        break;
      case Type::kMostAllocated: score = std::min(use->requested, use->allocatable) * kMaxNodeScore / use->allocatable; break;
      case Type::kRequestedToCapacityRatio:
        score = on_shape(shape, use->requested > use->allocatable ? 100 : use->requested * 100 / use->allocatable);
        if (score <= 0) return;  // such a resource does not enter the average
        break;
    }
    sum += weight * score;
    weights += weight;
  };
  if (resources.empty()) {
    add("cpu", Symbol{}, 1);
    add("memory", Symbol{}, 1);
  }
  for (const Weight& entry : resources) add(names.text(entry.resource), entry.resource, entry.weight);
  if (weights == 0) return 0;
  if (type != Type::kRequestedToCapacityRatio) return sum / weights;
  return static_cast<std::int64_t>(std::round(static_cast<double>(sum) / static_cast<double>(weights)));
}

}  // namespace sim::k8s::scheduling

#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"

#include <algorithm>
#include <cmath>

namespace sim::k8s::scheduling::node_resources_balanced_allocation {

namespace {

std::int64_t balance(std::int64_t cpu, std::int64_t memory, const Resources& allocatable) {
  double deviation = 0;
  if (allocatable.cpu_milli != 0 && allocatable.memory != 0) {
    const double cpu_share = std::min(1.0, static_cast<double>(cpu) / static_cast<double>(allocatable.cpu_milli));
    const double memory_share = std::min(1.0, static_cast<double>(memory) / static_cast<double>(allocatable.memory));
    deviation = std::abs((cpu_share - memory_share) / 2);
  }
  return static_cast<std::int64_t>((1 - deviation) * static_cast<double>(kMaxNodeScore));
}

}  // namespace

std::int64_t score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load) {
  const std::int64_t with = balance(load.requested.cpu_milli + pod.requests.cpu_milli, load.requested.memory + pod.requests.memory, allocatable);
  const std::int64_t without = balance(load.requested.cpu_milli, load.requested.memory, allocatable);
  return kMaxNodeScore / 2 + (kMaxNodeScore / 2 + with - without) / 2;
}

}  // namespace sim::k8s::scheduling::node_resources_balanced_allocation

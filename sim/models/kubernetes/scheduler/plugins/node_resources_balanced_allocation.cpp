#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace sim::k8s::scheduling::node_resources_balanced_allocation {

namespace {

std::int64_t amount_of(const Resources& resources, Symbol resource, const Interner& names) {
  const std::string& name = names.text(resource);
  if (name == "cpu") return resources.cpu_milli;
  if (name == "memory") return resources.memory;
  if (name == "ephemeral-storage") return resources.ephemeral_storage;
  return resources.of(resource);
}

bool is_extended(const std::string& name) { return name != "cpu" && name != "memory" && name != "ephemeral-storage"; }

double share(std::int64_t used, std::int64_t allocatable) { return std::min(1.0, static_cast<double>(used) / static_cast<double>(allocatable)); }

std::int64_t balance(double deviation) { return static_cast<std::int64_t>((1 - deviation) * static_cast<double>(kMaxNodeScore)); }

std::int64_t balance(std::int64_t cpu, std::int64_t memory, const Resources& allocatable) {
  if (allocatable.cpu_milli == 0 || allocatable.memory == 0) return balance(0);
  return balance(std::abs((share(cpu, allocatable.cpu_milli) - share(memory, allocatable.memory)) / 2));
}

/// The standard deviation, with the shortcut for two and in the order of sums of the original: both decide about the last bit.
std::int64_t balance(const std::vector<double>& shares) {
  if (shares.size() < 2) return balance(0);
  if (shares.size() == 2) return balance(std::abs((shares[0] - shares[1]) / 2));
  double total = 0;
  for (const double one : shares) total += one;
  const double mean = total / static_cast<double>(shares.size());
  double squares = 0;
  for (const double one : shares) squares += (one - mean) * (one - mean);
  return balance(std::sqrt(squares / static_cast<double>(shares.size())));
}

std::int64_t improvement(std::int64_t with, std::int64_t without) { return kMaxNodeScore / 2 + (kMaxNodeScore / 2 + with - without) / 2; }

}  // namespace

bool is_skipped(const PodSpec& pod, const std::vector<Symbol>& resources, const Interner& names) {
  if (resources.empty()) return is_skipped(pod);
  return std::all_of(resources.begin(), resources.end(), [&](Symbol resource) { return amount_of(pod.requests, resource, names) == 0; });
}

std::int64_t score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load) {
  const std::int64_t with = balance(load.requested.cpu_milli + pod.requests.cpu_milli, load.requested.memory + pod.requests.memory, allocatable);
  return improvement(with, balance(load.requested.cpu_milli, load.requested.memory, allocatable));
}

std::int64_t score(const PodSpec& pod, const std::vector<Symbol>& resources, const Resources& allocatable, const NodeLoad& load, const Interner& names) {
  if (resources.empty()) return score(pod, allocatable, load);
  std::vector<double> with;
  std::vector<double> without;
  for (const Symbol resource : resources) {
    const std::int64_t wanted = amount_of(pod.requests, resource, names);
    const std::int64_t capacity = amount_of(allocatable, resource, names);
    if (capacity == 0 || (wanted == 0 && is_extended(names.text(resource)))) continue;
    const std::int64_t used = amount_of(load.requested, resource, names);
    with.push_back(share(used + wanted, capacity));
    without.push_back(share(used, capacity));
  }
  return improvement(balance(with), balance(without));
}

}  // namespace sim::k8s::scheduling::node_resources_balanced_allocation

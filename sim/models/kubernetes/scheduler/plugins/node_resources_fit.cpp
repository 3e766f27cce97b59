#include "sim/models/kubernetes/scheduler/plugins/node_resources_fit.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"

namespace sim::k8s::scheduling {

namespace {

std::int64_t least_requested(std::int64_t requested, std::int64_t capacity) {
  return requested > capacity ? 0 : (capacity - requested) * kMaxNodeScore / capacity;
}

/// Whether the pod would fit if the node had no pods.
bool fits_empty(const PodSpec& pod, const Resources& allocatable) {
  const Resources& request = pod.requests;
  if (allocatable.pods < 1 || request.cpu_milli > allocatable.cpu_milli || request.memory > allocatable.memory ||
      request.ephemeral_storage > allocatable.ephemeral_storage) {
    return false;
  }
  for (const NamedAmount& entry : request.other) {
    if (entry.amount > allocatable.of(entry.name)) return false;
  }
  return true;
}

bool requested_part_grew(const PodSpec& pod, const Resources& before, const Resources& after) {
  const Resources& request = pod.requests;
  if (after.pods > before.pods) return true;
  if (request.cpu_milli > 0 && after.cpu_milli > before.cpu_milli) return true;
  if (request.memory > 0 && after.memory > before.memory) return true;
  if (request.ephemeral_storage > 0 && after.ephemeral_storage > before.ephemeral_storage) return true;
  for (const NamedAmount& entry : request.other) {
    if (entry.amount != 0 && after.of(entry.name) > before.of(entry.name)) return true;
  }
  return false;
}

}  // namespace

NodeResourcesFit::NodeResourcesFit(Interner& names)
    : pods_(names.intern("pods")),
      cpu_(names.intern("cpu")),
      memory_(names.intern("memory")),
      ephemeral_storage_(names.intern("ephemeral-storage")) {}

StatusId NodeResourcesFit::filter(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load, StatusTable& statuses,
                                  const Interner& names) {
  lacking_.clear();
  bool unresolvable = false;
  const auto lacks = [&](Symbol name, bool never_fits) {
    lacking_.push_back(name);
    unresolvable = unresolvable || never_fits;
  };
  if (load.pods + 1 > allocatable.pods) lacks(pods_, false);
  // Against what is left, which an overcommitted node has less than nothing of: a pod that asks for nothing still fits.
  const auto check = [&](Symbol name, std::int64_t request, std::int64_t capacity, std::int64_t used) {
    if (request > 0 && request > capacity - used) lacks(name, request > capacity);
  };
  const Resources& request = pod.requests;
  check(cpu_, request.cpu_milli, allocatable.cpu_milli, load.requested.cpu_milli);
  check(memory_, request.memory, allocatable.memory, load.requested.memory);
  check(ephemeral_storage_, request.ephemeral_storage, allocatable.ephemeral_storage, load.requested.ephemeral_storage);
  for (const NamedAmount& entry : request.other) {
    if (!is_ignored(entry.name, names)) check(entry.name, entry.amount, allocatable.of(entry.name), load.requested.of(entry.name));
  }
  if (lacking_.empty()) return kFits;
  return statuses.fit(unresolvable ? Code::kUnresolvable : Code::kUnschedulable, lacking_, names);
}

bool NodeResourcesFit::is_ignored(Symbol resource, const Interner& names) const {
  if (profile_ == nullptr || (profile_->ignored_resources.empty() && profile_->ignored_groups.empty())) return false;
  const std::string& name = names.text(resource);
  const std::size_t slash = name.find('/');
  // Only extended resources can be ignored: what Kubernetes itself names (hugepages-2Mi, kubernetes.io/...) cannot.
  if (slash == std::string::npos || name.find("kubernetes.io/") != std::string::npos) return false;
  const std::vector<Symbol>& resources = profile_->ignored_resources;
  const std::vector<std::string>& groups = profile_->ignored_groups;
  return std::find(resources.begin(), resources.end(), resource) != resources.end() ||
         std::find(groups.begin(), groups.end(), std::string_view(name).substr(0, slash)) != groups.end();
}

std::int64_t NodeResourcesFit::score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load) {
  std::int64_t sum = 0;
  std::int64_t weights = 0;
  if (allocatable.cpu_milli != 0) {
    sum += least_requested(load.nonzero_cpu_milli + pod.nonzero_cpu_milli, allocatable.cpu_milli);
    ++weights;
  }
  if (allocatable.memory != 0) {
    sum += least_requested(load.nonzero_memory + pod.nonzero_memory, allocatable.memory);
    ++weights;
  }
  return weights == 0 ? 0 : sum / weights;
}

bool NodeResourcesFit::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) {
  switch (event.action) {
    case Action::kPodDelete: return event.pod_before->placed;
    case Action::kNodeTaint: return true;  // registered by the scheduler itself, without a hint
    default: break;
  }
  if (!fits_empty(*pod.spec, event.node_after->allocatable)) return false;
  return event.node_before == nullptr || requested_part_grew(*pod.spec, event.node_before->allocatable, event.node_after->allocatable);
}

}  // namespace sim::k8s::scheduling

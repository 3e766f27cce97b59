#include <algorithm>

#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

namespace {

constexpr std::int64_t kDefaultCpuMilli = 100;
constexpr std::int64_t kDefaultMemory = 200ll * 1024 * 1024;

/// What one container counts for, with the scheduler's defaults for what it leaves out when `nonzero`.
Resources container_requests(const Container& container, bool nonzero) {
  Resources requests = container.requests;
  if (nonzero) {
    if (!container.has_cpu_request) requests.cpu_milli = kDefaultCpuMilli;
    if (!container.has_memory_request) requests.memory = kDefaultMemory;
  }
  return requests;
}

Resources pod_requests(const PodSpec& spec, bool nonzero) {
  Resources total;
  for (const Container& container : spec.containers) total.add(container_requests(container, nonzero));
  Resources sidecars;
  Resources init_need;
  for (const Container& container : spec.init_containers) {
    Resources need = container_requests(container, nonzero);
    if (container.is_sidecar) {
      sidecars.add(need);
      init_need.max_with(sidecars);
    } else {
      need.add(sidecars);
      init_need.max_with(need);
    }
  }
  total.add(sidecars);
  total.max_with(init_need);
  return total;
}

QosClass qos_class(const PodSpec& spec) {
  bool any = false;
  bool guaranteed = true;
  const auto look = [&](const Container& c) {
    // The QoS class counts positive amounts only.
    const bool requests = c.requests.cpu_milli > 0 || c.requests.memory > 0;
    const bool limits = c.limits.cpu_milli > 0 || c.limits.memory > 0;
    any = any || requests || limits;
    guaranteed = guaranteed && c.limits.cpu_milli > 0 && c.limits.memory > 0 && c.requests.cpu_milli == c.limits.cpu_milli &&
                 c.requests.memory == c.limits.memory;
  };
  for (const Container& container : spec.containers) look(container);
  for (const Container& container : spec.init_containers) look(container);
  if (!any) return QosClass::kBestEffort;
  return guaranteed ? QosClass::kGuaranteed : QosClass::kBurstable;
}

}  // namespace

void finish_pod_spec(PodSpec& spec) {
  spec.requests = pod_requests(spec, false);
  const Resources nonzero = pod_requests(spec, true);
  spec.nonzero_cpu_milli = nonzero.cpu_milli;
  spec.nonzero_memory = nonzero.memory;
  if (spec.pod_level_requests) {
    // Pod-level amounts replace the aggregate of the resources that they name. Fit's score ignores them.
    if (spec.pod_level_requests->cpu_milli != 0) spec.requests.cpu_milli = spec.pod_level_requests->cpu_milli;
    if (spec.pod_level_requests->memory != 0) spec.requests.memory = spec.pod_level_requests->memory;
    for (const NamedAmount& entry : spec.pod_level_requests->other) spec.requests.set(entry.name, entry.amount);
  }
  spec.requests.add(spec.overhead);
  spec.nonzero_cpu_milli += spec.overhead.cpu_milli;
  spec.nonzero_memory += spec.overhead.memory;
  spec.qos = qos_class(spec);
}

}  // namespace sim::k8s

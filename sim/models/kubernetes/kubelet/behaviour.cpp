#include "sim/models/kubernetes/kubelet/behaviour.hpp"

namespace sim::k8s {

ResolvedBehaviour resolve_behaviour(const std::vector<PodBehaviour>& behaviours, const Pod& pod, const Interner& names) {
  constexpr std::int64_t kMemoryWithoutRequest = 64ll << 20;
  ResolvedBehaviour resolved;
  resolved.memory_bytes = pod.spec->requests.memory > 0 ? pod.spec->requests.memory : kMemoryWithoutRequest;
  const OwnerReference* owner = pod.meta.controller();
  resolved.exits = pod.spec->restart_policy != RestartPolicy::kAlways || (owner != nullptr && owner->owner.kind == Kind::kJob);
  for (const PodBehaviour& behaviour : behaviours) {
    if (behaviour.ns && behaviour.ns != pod.meta.ns) continue;
    if (behaviour.selector && !behaviour.selector->matches(pod.meta.labels, names)) continue;
    if (behaviour.start_up) resolved.start_up = *behaviour.start_up;
    if (behaviour.start_up_sigma) resolved.start_up_sigma = *behaviour.start_up_sigma;
    if (behaviour.run_time) {
      resolved.run_time = *behaviour.run_time;
      resolved.exits = true;
    }
    if (behaviour.exit_code) resolved.exit_code = *behaviour.exit_code;
    if (behaviour.memory_bytes) resolved.memory_bytes = *behaviour.memory_bytes;
    if (behaviour.stop_time) resolved.stop_time = *behaviour.stop_time;
    if (behaviour.page_cache_bytes) resolved.page_cache_bytes = *behaviour.page_cache_bytes;
    if (behaviour.page_cache_active) resolved.page_cache_active = *behaviour.page_cache_active;
    if (behaviour.slab_bytes) resolved.slab_bytes = *behaviour.slab_bytes;
    if (behaviour.writes_bytes_per_second) resolved.writes_bytes_per_second = *behaviour.writes_bytes_per_second;
    if (behaviour.writes_at_most) resolved.writes_at_most = *behaviour.writes_at_most;
    if (behaviour.written_file_bytes) resolved.written_file_bytes = *behaviour.written_file_bytes;
    if (behaviour.logs_bytes_per_second) resolved.logs_bytes_per_second = *behaviour.logs_bytes_per_second;
    if (behaviour.processes) resolved.processes = *behaviour.processes;
    if (behaviour.processes_per_second) resolved.processes_per_second = *behaviour.processes_per_second;
    if (behaviour.cpu) resolved.cpu = behaviour.cpu;
    if (behaviour.disk_bytes_per_second) resolved.disk_bytes_per_second = *behaviour.disk_bytes_per_second;
    if (behaviour.disk_operations_per_second) resolved.disk_operations_per_second = *behaviour.disk_operations_per_second;
    if (behaviour.probe_work) resolved.probe_work = *behaviour.probe_work;
  }
  return resolved;
}

}  // namespace sim::k8s

/// THE list of fault kinds.
#include "chaos/faults/fault_files.hpp"

namespace chaos {

const FaultKinds& all_faults() {
  static const FaultKinds kinds = [] {
    FaultKinds list("fault");
    // Machines and what they stand in
    add_node_crash(list);
    add_node_power_off(list);
    add_node_reboot(list);
    add_node_reinstall(list);
    add_node_hang(list);
    add_network_partition(list);
    add_network_impair(list);
    add_element_down(list);
    add_kernel_memory(list);
    add_clock_skew(list);
    // Processes and disks
    add_process_kill(list);
    add_process_hang(list);
    add_leader_loss(list);
    add_certificate_expiry(list);
    add_disk_slow(list);
    add_disk_fill(list);
    add_etcd_quota(list);
    add_etcd_member(list);
    add_api_overload(list);
    // Ceph
    add_ceph_disk(list);
    add_ceph_flag(list);
    add_ceph_network(list);
    // Registries
    add_registry_fault(list);
    // Pods
    add_pod_kill(list);
    add_pod_delete(list);
    add_container_kill(list);
    add_pod_unready(list);
    add_memory_leak(list);
    // What people do
    add_cordon(list);
    add_drain(list);
    add_planned_maintenance(list);
    add_node_delete(list);
    add_object_delete(list);
    add_scale(list);
    add_rollout(list);
    add_workload_edit(list);
    add_node_taint(list);
    add_node_label(list);
    add_drop_caches(list);
    // Other tools' own resources
    add_chaos_mesh(list);
    return list;
  }();
  return kinds;
}

}  // namespace chaos

/// One line for each file of this folder: it adds its kind to the list.
#pragma once

#include "chaos/fault.hpp"

namespace chaos {

void add_api_overload(FaultKinds& kinds);
void add_ceph_disk(FaultKinds& kinds);
void add_ceph_flag(FaultKinds& kinds);
void add_ceph_network(FaultKinds& kinds);
void add_certificate_expiry(FaultKinds& kinds);
void add_chaos_mesh(FaultKinds& kinds);
void add_clock_skew(FaultKinds& kinds);
void add_container_kill(FaultKinds& kinds);
void add_cordon(FaultKinds& kinds);
void add_disk_fill(FaultKinds& kinds);
void add_disk_slow(FaultKinds& kinds);
void add_drain(FaultKinds& kinds);
void add_drop_caches(FaultKinds& kinds);
void add_element_down(FaultKinds& kinds);
void add_etcd_member(FaultKinds& kinds);
void add_etcd_quota(FaultKinds& kinds);
void add_kernel_memory(FaultKinds& kinds);
void add_leader_loss(FaultKinds& kinds);
void add_memory_leak(FaultKinds& kinds);
void add_network_impair(FaultKinds& kinds);
void add_network_partition(FaultKinds& kinds);
void add_node_crash(FaultKinds& kinds);
void add_node_delete(FaultKinds& kinds);
void add_node_hang(FaultKinds& kinds);
void add_node_label(FaultKinds& kinds);
void add_node_power_off(FaultKinds& kinds);
void add_node_reboot(FaultKinds& kinds);
void add_node_reinstall(FaultKinds& kinds);
void add_node_taint(FaultKinds& kinds);
void add_object_delete(FaultKinds& kinds);
void add_planned_maintenance(FaultKinds& kinds);
void add_pod_delete(FaultKinds& kinds);
void add_pod_kill(FaultKinds& kinds);
void add_pod_unready(FaultKinds& kinds);
void add_process_hang(FaultKinds& kinds);
void add_process_kill(FaultKinds& kinds);
void add_registry_fault(FaultKinds& kinds);
void add_rollout(FaultKinds& kinds);
void add_scale(FaultKinds& kinds);
void add_workload_edit(FaultKinds& kinds);

}  // namespace chaos

/// Names that the models compare with, interned once per world.
#pragma once

#include "sim/core/symbol.hpp"

namespace sim::k8s {

struct WellKnown {
  explicit WellKnown(Interner& names);
  // labels
  Symbol hostname, zone, region, zone_beta, region_beta, exclude_disruption, pod_template_hash, controller_revision_hash,
      statefulset_pod_name, pod_index, job_name, job_completion_index;
  // taint keys
  Symbol not_ready, unreachable, unschedulable, memory_pressure, disk_pressure, pid_pressure, network_unavailable, out_of_service;
  Symbol control_plane_taint;  // node-role.kubernetes.io/control-plane
  // reasons
  Symbol kubelet_ready, kubelet_not_ready, node_status_unknown, node_status_never_updated;
  Symbol deletion_by_taint_manager, preemption_by_scheduler, eviction_by_api, deletion_by_pod_gc, termination_by_kubelet;
  Symbol metadata_name;  // "metadata.name" in matchFields
  Symbol default_scheduler, ns_default, kube_system;
  // finalizers
  Symbol foreground_deletion, orphan, job_tracking;
  Symbol pvc_protection, pv_protection;
  Symbol no_provisioner;  // kubernetes.io/no-provisioner: the class of volumes that people make
};

}  // namespace sim::k8s

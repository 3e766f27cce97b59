#include "sim/models/kubernetes/api/well_known.hpp"

namespace sim::k8s {

WellKnown::WellKnown(Interner& n)
    : hostname(n.intern("kubernetes.io/hostname")),
      zone(n.intern("topology.kubernetes.io/zone")),
      region(n.intern("topology.kubernetes.io/region")),
      zone_beta(n.intern("failure-domain.beta.kubernetes.io/zone")),
      region_beta(n.intern("failure-domain.beta.kubernetes.io/region")),
      exclude_disruption(n.intern("node.kubernetes.io/exclude-disruption")),
      pod_template_hash(n.intern("pod-template-hash")),
      controller_revision_hash(n.intern("controller-revision-hash")),
      statefulset_pod_name(n.intern("statefulset.kubernetes.io/pod-name")),
      pod_index(n.intern("apps.kubernetes.io/pod-index")),
      job_name(n.intern("batch.kubernetes.io/job-name")),
      job_completion_index(n.intern("batch.kubernetes.io/job-completion-index")),
      not_ready(n.intern("node.kubernetes.io/not-ready")),
      unreachable(n.intern("node.kubernetes.io/unreachable")),
      unschedulable(n.intern("node.kubernetes.io/unschedulable")),
      memory_pressure(n.intern("node.kubernetes.io/memory-pressure")),
      disk_pressure(n.intern("node.kubernetes.io/disk-pressure")),
      pid_pressure(n.intern("node.kubernetes.io/pid-pressure")),
      network_unavailable(n.intern("node.kubernetes.io/network-unavailable")),
      out_of_service(n.intern("node.kubernetes.io/out-of-service")),
      control_plane_taint(n.intern("node-role.kubernetes.io/control-plane")),
      kubelet_ready(n.intern("KubeletReady")),
      kubelet_not_ready(n.intern("KubeletNotReady")),
      node_status_unknown(n.intern("NodeStatusUnknown")),
      node_status_never_updated(n.intern("NodeStatusNeverUpdated")),
      deletion_by_taint_manager(n.intern("DeletionByTaintManager")),
      preemption_by_scheduler(n.intern("PreemptionByScheduler")),
      eviction_by_api(n.intern("EvictionByEvictionAPI")),
      deletion_by_pod_gc(n.intern("DeletionByPodGC")),
      termination_by_kubelet(n.intern("TerminationByKubelet")),
      metadata_name(n.intern("metadata.name")),
      default_scheduler(n.intern("default-scheduler")),
      ns_default(n.intern("default")),
      kube_system(n.intern("kube-system")),
      foreground_deletion(n.intern("foregroundDeletion")),
      orphan(n.intern("orphan")),
      job_tracking(n.intern("batch.kubernetes.io/job-tracking")) {}

}  // namespace sim::k8s

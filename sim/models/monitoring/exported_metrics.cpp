// The names of all metrics that the exporters emit. tests/models/monitoring/pipeline_test.cpp holds it against what they do emit.
#include <algorithm>

#include "sim/models/monitoring/rules.hpp"

namespace sim::monitoring {

const std::vector<std::string>& exported_metrics() {
  static const std::vector<std::string> kMetrics = [] {
    std::vector<std::string> all = {
        "ceph_health_detail", "ceph_health_status", "ceph_mgr_status", "ceph_mon_metadata", "ceph_mon_quorum_status", "ceph_osd_in", "ceph_osd_metadata",
        "ceph_osd_up", "ceph_osd_weight", "ceph_pg_active", "ceph_pg_backfilling", "ceph_pg_clean", "ceph_pg_degraded", "ceph_pg_down", "ceph_pg_peering",
        "ceph_pg_recovering", "ceph_pg_stale", "ceph_pg_total", "ceph_pg_undersized", "ceph_pool_metadata", "etcd_server_has_leader", "etcd_server_is_leader",
        "kube_cronjob_spec_suspend", "kube_cronjob_status_last_schedule_time", "kube_daemonset_metadata_generation",
        "kube_daemonset_status_current_number_scheduled", "kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_available",
        "kube_daemonset_status_number_ready", "kube_daemonset_status_number_unavailable", "kube_daemonset_status_observed_generation",
        "kube_daemonset_status_updated_number_scheduled", "kube_deployment_metadata_generation", "kube_deployment_spec_paused", "kube_deployment_spec_replicas",
        "kube_deployment_status_condition", "kube_deployment_status_observed_generation", "kube_deployment_status_replicas",
        "kube_deployment_status_replicas_available", "kube_deployment_status_replicas_ready", "kube_deployment_status_replicas_unavailable",
        "kube_deployment_status_replicas_updated", "kube_job_complete", "kube_job_failed", "kube_job_owner", "kube_job_status_active",
        "kube_job_status_completion_time", "kube_job_status_failed", "kube_job_status_start_time", "kube_job_status_succeeded", "kube_namespace_status_phase",
        "kube_node_info", "kube_node_role", "kube_node_spec_taint", "kube_node_spec_unschedulable", "kube_node_status_allocatable", "kube_node_status_capacity",
        "kube_node_status_condition", "kube_persistentvolume_status_phase", "kube_persistentvolumeclaim_resource_requests_storage_bytes",
        "kube_persistentvolumeclaim_status_phase", "kube_pod_container_resource_limits", "kube_pod_container_resource_requests",
        "kube_pod_container_status_ready", "kube_pod_container_status_restarts_total", "kube_pod_container_status_running",
        "kube_pod_container_status_terminated", "kube_pod_container_status_waiting", "kube_pod_container_status_waiting_reason", "kube_pod_info",
        "kube_pod_owner", "kube_pod_status_phase", "kube_pod_status_ready", "kube_pod_status_reason", "kube_pod_status_scheduled",
        "kube_pod_status_unschedulable", "kube_poddisruptionbudget_status_current_healthy", "kube_poddisruptionbudget_status_desired_healthy",
        "kube_poddisruptionbudget_status_expected_pods", "kube_poddisruptionbudget_status_observed_generation",
        "kube_poddisruptionbudget_status_pod_disruptions_allowed", "kube_replicaset_owner", "kube_replicaset_spec_replicas", "kube_replicaset_status_ready_replicas",
        "kube_statefulset_metadata_generation", "kube_statefulset_replicas", "kube_statefulset_status_current_revision",
        "kube_statefulset_status_observed_generation", "kube_statefulset_status_replicas", "kube_statefulset_status_replicas_available",
        "kube_statefulset_status_replicas_current", "kube_statefulset_status_replicas_ready", "kube_statefulset_status_replicas_updated",
        "kube_statefulset_status_update_revision", "kubelet_certificate_manager_client_ttl_seconds", "kubelet_node_name",
        "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", "node_uname_info", "probe_success"};
    std::sort(all.begin(), all.end());
    return all;
  }();
  return kMetrics;
}

}  // namespace sim::monitoring

// The default rules of kube-prometheus, ceph-mixin and etcd's mixin whose metrics Squall exports, as a table of facts: name, condition, `for`, severity.
// Source: kube-prometheus manifests (2026-08), ceph monitoring/ceph-mixin/prometheus_alerts.yml, etcd contrib/mixin; reference platform 10.2, 6.6.
#include "sim/models/monitoring/rules.hpp"

namespace sim::monitoring {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Fact {
  const char* name;
  SimDuration hold;
  const char* severity;
  const char* expression;
};

const std::vector<Fact>& kubernetes() {
  static const std::vector<Fact> kFacts = {
      {"KubeNodeNotReady", minutes(15), "warning",
       "kube_node_status_condition{condition=\"Ready\",status=\"true\"} == 0 and on (node) kube_node_spec_unschedulable == 0"},
      {"KubeNodeUnreachable", minutes(15), "warning", "kube_node_spec_taint{key=\"node.kubernetes.io/unreachable\",effect=\"NoSchedule\"} == 1"},
      {"KubeNodePressure", minutes(10), "info", "kube_node_status_condition{condition=~\".+Pressure\",status=\"true\"} == 1"},
      {"KubeNodeReadinessFlapping", minutes(15), "warning", "sum by (node) (changes(kube_node_status_condition{condition=\"Ready\",status=\"true\"}[15m])) > 2"},
      {"KubePodCrashLooping", minutes(15), "warning", "max_over_time(kube_pod_container_status_waiting_reason{reason=\"CrashLoopBackOff\"}[5m]) >= 1"},
      {"KubePodNotReady", minutes(15), "warning",
       "sum by (namespace, pod) (kube_pod_status_phase{phase=~\"Pending|Unknown\"} or kube_pod_status_phase{phase=\"Running\"} == 1 and on (namespace, pod) "
       "kube_pod_status_ready{condition=\"true\"} == 0) > 0 unless on (namespace, pod) kube_pod_owner{owner_kind=\"Job\"}"},
      {"KubeDeploymentReplicasMismatch", minutes(15), "warning",
       "kube_deployment_spec_replicas > kube_deployment_status_replicas_available and changes(kube_deployment_status_replicas_updated[10m]) == 0"},
      {"KubeDeploymentRolloutStuck", minutes(15), "warning", "kube_deployment_status_condition{condition=\"Progressing\",status=\"false\"} != 0"},
      {"KubeStatefulSetReplicasMismatch", minutes(15), "warning",
       "kube_statefulset_status_replicas_ready != kube_statefulset_replicas and changes(kube_statefulset_status_replicas_updated[10m]) == 0"},
      {"KubeDaemonSetRolloutStuck", minutes(15), "warning",
       "(kube_daemonset_status_current_number_scheduled != kube_daemonset_status_desired_number_scheduled or "
       "kube_daemonset_status_updated_number_scheduled != kube_daemonset_status_desired_number_scheduled or kube_daemonset_status_number_available != "
       "kube_daemonset_status_desired_number_scheduled) and changes(kube_daemonset_status_updated_number_scheduled[5m]) == 0"},
      {"KubeContainerWaiting", hours(1), "warning", "kube_pod_container_status_waiting_reason{reason!=\"CrashLoopBackOff\"} > 0"},
      {"KubeJobNotCompleted", seconds(0), "warning",
       "time() - max by (namespace, job_name) (kube_job_status_start_time and kube_job_status_active > 0) > 43200"},
      {"KubeJobFailed", minutes(15), "warning", "kube_job_failed > 0"},
      {"KubePdbNotEnoughHealthyPods", minutes(15), "warning",
       "kube_poddisruptionbudget_status_desired_healthy - kube_poddisruptionbudget_status_current_healthy > 0"},
      {"KubePersistentVolumeErrors", minutes(5), "critical", "kube_persistentvolume_status_phase{phase=~\"Failed|Pending\"} > 0"},
      {"KubeAPIDown", minutes(15), "critical", "absent(up{job=\"apiserver\"} == 1)"},
      {"KubeSchedulerDown", minutes(15), "critical", "absent(up{job=\"kube-scheduler\"} == 1)"},
      {"KubeControllerManagerDown", minutes(15), "critical", "absent(up{job=\"kube-controller-manager\"} == 1)"},
      {"KubeletDown", minutes(15), "critical", "absent(up{job=\"kubelet\"} == 1)"},
      {"KubeletInstanceUnreachable", minutes(15), "warning", "up{job=\"kubelet\"} == 0"},
      {"KubeletClientCertificateExpiration", seconds(0), "warning", "kubelet_certificate_manager_client_ttl_seconds < 604800"},
      {"KubeletClientCertificateExpiration", seconds(0), "critical", "kubelet_certificate_manager_client_ttl_seconds < 86400"},
  };
  return kFacts;
}

const std::vector<Fact>& nodes() {
  static const std::vector<Fact> kFacts = {
      {"NodeMemoryHighUtilization", minutes(15), "warning", "100 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * 100 > 90"},
  };
  return kFacts;
}

const std::vector<Fact>& etcd() {
  static const std::vector<Fact> kFacts = {
      {"etcdMembersDown", minutes(20), "warning", "sum by (job) (up{job=~\".*etcd.*\"} == bool 0) > 0"},
      {"etcdInsufficientMembers", minutes(3), "critical",
       "sum without (instance, node) (up{job=~\".*etcd.*\"} == bool 1) < (count without (instance, node) (up{job=~\".*etcd.*\"}) + 1) / 2"},
      {"etcdNoLeader", minutes(1), "critical", "etcd_server_has_leader == 0"},
  };
  return kFacts;
}

const std::vector<Fact>& general() {
  static const std::vector<Fact> kFacts = {
      {"TargetDown", minutes(10), "warning", "100 * (count by (job, namespace, service) (up == 0) / count by (job, namespace, service) (up)) > 10"},
      {"Watchdog", seconds(0), "none", "vector(1)"},
  };
  return kFacts;
}

const std::vector<Fact>& ceph() {
  static const std::vector<Fact> kFacts = {
      {"CephHealthError", minutes(5), "critical", "ceph_health_status == 2"},
      {"CephHealthWarning", minutes(15), "warning", "ceph_health_status == 1"},
      {"CephMonDownQuorumAtRisk", seconds(30), "critical",
       "(ceph_health_detail{name=\"MON_DOWN\"} == 1) * on () (count(ceph_mon_quorum_status == 1) == bool (floor(count(ceph_mon_metadata) / 2) + 1)) == 1"},
      {"CephMonDown", seconds(30), "warning",
       "count(ceph_mon_quorum_status == 0) <= (count(ceph_mon_metadata) - floor(count(ceph_mon_metadata) / 2) + 1)"},
      {"CephMonClockSkew", minutes(1), "warning", "ceph_health_detail{name=\"MON_CLOCK_SKEW\"} == 1"},
      {"CephOSDDownHigh", seconds(0), "critical", "count(ceph_osd_up == 0) / count(ceph_osd_up) * 100 >= 10"},
      {"CephOSDHostDown", minutes(5), "warning", "ceph_health_detail{name=\"OSD_HOST_DOWN\"} == 1"},
      {"CephOSDDown", minutes(5), "warning", "ceph_health_detail{name=\"OSD_DOWN\"} == 1"},
      {"CephOSDNearFull", minutes(5), "warning", "ceph_health_detail{name=\"OSD_NEARFULL\"} == 1"},
      {"CephOSDFull", minutes(1), "critical", "ceph_health_detail{name=\"OSD_FULL\"} > 0"},
      {"CephOSDBackfillFull", minutes(1), "warning", "ceph_health_detail{name=\"OSD_BACKFILLFULL\"} > 0"},
      {"CephMgrPrometheusModuleInactive", minutes(1), "critical", "up{job=\"CEPH\"} == 0"},
      {"CephPGsInactive", minutes(5), "critical", "ceph_pool_metadata * on (pool_id, instance) group_left () (ceph_pg_total - ceph_pg_active) > 0"},
      {"CephPGsUnclean", minutes(15), "warning", "ceph_pool_metadata * on (pool_id, instance) group_left () (ceph_pg_total - ceph_pg_clean) > 0"},
      {"CephPGUnavilableBlockingIO", minutes(1), "critical",
       "((ceph_health_detail{name=\"PG_AVAILABILITY\"} == 1) - scalar(ceph_health_detail{name=\"OSD_DOWN\"})) == 1"},
      {"CephPGBackfillAtRisk", minutes(1), "critical", "ceph_health_detail{name=\"PG_BACKFILL_FULL\"} == 1"},
      {"CephPGRecoveryAtRisk", minutes(1), "critical", "ceph_health_detail{name=\"PG_RECOVERY_FULL\"} == 1"},
      {"CephPoolFull", minutes(1), "critical", "ceph_health_detail{name=\"POOL_FULL\"} > 0"},
      {"CephSlowOps", seconds(30), "warning", "ceph_health_detail{name=\"SLOW_OPS\"} > 0"},
      {"PrometheusJobMissing", seconds(30), "critical", "absent(up{job=\"CEPH\"})"},
  };
  return kFacts;
}

}  // namespace

const std::vector<std::string>& built_in_rule_names() {
  static const std::vector<std::string> kNames = {"ceph", "etcd", "general", "kubernetes", "nodes"};
  return kNames;
}

std::vector<RuleGroup> built_in_rules(const std::string& name, const std::string& ceph_job) {
  const std::vector<Fact>* facts = name == "kubernetes" ? &kubernetes()
                                   : name == "nodes"    ? &nodes()
                                   : name == "etcd"     ? &etcd()
                                   : name == "general"  ? &general()
                                   : name == "ceph"     ? &ceph()
                                                        : nullptr;
  if (facts == nullptr) return {};
  RuleGroup group;
  group.name = name;
  for (const Fact& fact : *facts) {
    Rule rule;
    rule.name = fact.name;
    rule.expression = fact.expression;
    if (const std::size_t job = rule.expression.find("\"CEPH\""); job != std::string::npos) rule.expression.replace(job, 6, "\"" + ceph_job + "\"");
    rule.hold = fact.hold;
    rule.labels = {{"severity", fact.severity}};
    rule.where = "built-in " + name;
    group.rules.push_back(std::move(rule));
  }
  return {std::move(group)};
}

}  // namespace sim::monitoring

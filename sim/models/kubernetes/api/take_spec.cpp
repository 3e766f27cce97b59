#include "sim/models/kubernetes/api/take_spec.hpp"

namespace sim::k8s {

namespace {

void take_template(PodTemplate& to, const PodTemplate& from) {
  if (to.hash != from.hash) to = from;
}

}  // namespace

void take_spec(Deployment& to, const Deployment& from) {
  to.replicas = from.replicas;
  take_template(to.pod_template, from.pod_template);
  to.recreate = from.recreate;
  to.max_surge = from.max_surge;
  to.max_unavailable = from.max_unavailable;
  to.min_ready_seconds = from.min_ready_seconds;
  to.progress_deadline_seconds = from.progress_deadline_seconds;
  to.revision_history_limit = from.revision_history_limit;
  to.paused = from.paused;
}

void take_spec(ReplicaSet& to, const ReplicaSet& from) {
  to.replicas = from.replicas;
  take_template(to.pod_template, from.pod_template);
  to.min_ready_seconds = from.min_ready_seconds;
}

void take_spec(StatefulSet& to, const StatefulSet& from) {
  to.replicas = from.replicas;
  to.start_ordinal = from.start_ordinal;
  take_template(to.pod_template, from.pod_template);
  to.on_delete = from.on_delete;
  to.partition = from.partition;
  to.min_ready_seconds = from.min_ready_seconds;
  to.deletes_claims_when_deleted = from.deletes_claims_when_deleted;
  to.deletes_claims_when_scaled = from.deletes_claims_when_scaled;
}

void take_spec(DaemonSet& to, const DaemonSet& from) {
  take_template(to.pod_template, from.pod_template);
  to.on_delete = from.on_delete;
  to.max_unavailable = from.max_unavailable;
  to.max_surge = from.max_surge;
  to.min_ready_seconds = from.min_ready_seconds;
}

void take_spec(CronJob& to, const CronJob& from) {
  to.schedule = from.schedule;
  to.time_zone = from.time_zone;
  to.starting_deadline_seconds = from.starting_deadline_seconds;
  to.concurrency = from.concurrency;
  to.suspend = from.suspend;
  to.successful_history = from.successful_history;
  to.failed_history = from.failed_history;
  to.job_template = from.job_template;
  to.job_labels = from.job_labels;
}

void take_spec(PodDisruptionBudget& to, const PodDisruptionBudget& from) {
  to.selector = from.selector;
  to.min_available = from.min_available;
  to.max_unavailable = from.max_unavailable;
  to.always_allow_unhealthy = from.always_allow_unhealthy;
}

}  // namespace sim::k8s

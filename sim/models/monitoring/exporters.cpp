#include "sim/models/monitoring/exporters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/models/ceph/views/views.hpp"
#include "sim/models/monitoring/rules.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/world.hpp"

namespace sim::monitoring {

using k8s::ConditionStatus;
using k8s::Kind;
using k8s::Ref;

namespace {

constexpr std::string_view kYes = "true";
constexpr std::string_view kNo = "false";
constexpr std::string_view kUnknown = "unknown";
/// Owners that are no objects.
constexpr std::uint32_t kKubeletOwner = 100, kMemberOwner = 101, kCephOwner = 102, kMemoryOwner = 103, kProbeOwner = 104;

double flag(bool set) { return set ? 1.0 : 0.0; }

std::string_view lower_status(ConditionStatus status) {
  return status == ConditionStatus::kTrue ? kYes : status == ConditionStatus::kFalse ? kNo : kUnknown;
}

}  // namespace

Exporters::Exporters(World& world, Store& store, ExporterConfig config)
    : world_(world), store_(store), config_(std::move(config)), ceph_soon_(world.engine), poll_(world.engine) {}

Exporters::~Exporters() {
  *alive_ = false;
  if (following_) world_.api.unwatch(*this);
}

const std::string& Exporters::text(Symbol symbol) const { return world_.names.text(symbol); }

double Exporters::unix_seconds(SimTime at) const { return static_cast<double>(store_.millis(at)) / 1000.0; }

// ---- Series ---------------------------------------------------------------------------------------------------------

void Exporters::begin(Owner owner, TargetId target) {
  owner_ = owner;
  target_ = target;
  emitted_.clear();
}

void Exporters::emit(std::string_view metric, std::initializer_list<KeyValue> labels, double value, double slope) {
  if (!store_.is_wanted(std::string(metric))) return;
  LabelTable& table = store_.labels();
  Interner& names = table.names();
  // Labels of the metric itself win over those of its target (honorLabels).
  const std::span<const promql::Label> own = table.of(store_.target(target_).labels);
  std::vector<promql::Label> all(own.begin(), own.end());
  all.emplace_back(table.name_label(), names.intern(metric));
  for (const KeyValue& label : labels) all.emplace_back(names.intern(label.name), names.intern(label.value));
  const SeriesId id = store_.series(table.intern(std::move(all)), target_);
  store_.set(id, value, slope);
  emitted_.push_back(id);
}

void Exporters::finish() {
  std::sort(emitted_.begin(), emitted_.end());
  std::vector<SeriesId>& before = series_[owner_];
  for (const SeriesId id : before) {
    if (!std::binary_search(emitted_.begin(), emitted_.end(), id)) store_.end(id);
  }
  before = emitted_;
}

void Exporters::forget(Owner owner) {
  const auto found = series_.find(owner);
  if (found == series_.end()) return;
  for (const SeriesId id : found->second) store_.end(id);
  series_.erase(found);
}

TargetId Exporters::target(const std::string& job, const std::string& instance, std::string_view ns, std::string_view service, host::HostId host, bool works,
                           std::string_view node) {
  const auto found = targets_.find({job, instance});
  if (found != targets_.end()) {
    store_.set_target(found->second, works, true, host);
    return found->second;
  }
  Target target;
  target.job = job;
  target.instance = instance;
  target.host = host;
  target.works = works;
  // Of the kubelet's several paths only this one is modelled.
  const std::string_view path = job == "kubelet" ? "/metrics" : "";
  target.labels = store_.labels().intern({{"job", job}, {"instance", instance}, {"namespace", ns}, {"service", service}, {"node", node}, {"metrics_path", path}});
  const TargetId id = store_.add_target(std::move(target));
  targets_[{job, instance}] = id;
  return id;
}

// ---- kube-state-metrics ---------------------------------------------------------------------------------------------

void Exporters::node(Ref<k8s::Node> ref) {
  const k8s::Node* node = world_.api.get(ref);
  if (node == nullptr) return;
  const std::string& name = text(node->meta.name);
  begin(owner_of(ref), state_metrics_);
  emit("kube_node_info", {{"node", name}}, 1.0);
  emit("kube_node_spec_unschedulable", {{"node", name}}, flag(node->unschedulable));
  const auto condition = [&](std::string_view which, ConditionStatus status) {
    for (const std::string_view one : {kYes, kNo, kUnknown}) {
      emit("kube_node_status_condition", {{"node", name}, {"condition", which}, {"status", one}}, flag(lower_status(status) == one));
    }
  };
  const auto pressure = [&](bool has) {
    // When the kubelet is silent the controller sets every condition to Unknown.
    if (node->ready == ConditionStatus::kUnknown && node->ready_reason == world_.api.well_known().node_status_unknown) return ConditionStatus::kUnknown;
    return has ? ConditionStatus::kTrue : ConditionStatus::kFalse;
  };
  condition("Ready", node->ready);
  condition("MemoryPressure", pressure(node->memory_pressure));
  condition("DiskPressure", pressure(node->disk_pressure));
  condition("PIDPressure", pressure(node->pid_pressure));
  for (const k8s::Taint& taint : node->taints) {
    const std::string_view effect = taint.effect == k8s::TaintEffect::kNoSchedule         ? "NoSchedule"
                                    : taint.effect == k8s::TaintEffect::kPreferNoSchedule ? "PreferNoSchedule"
                                                                                          : "NoExecute";
    emit("kube_node_spec_taint", {{"node", name}, {"key", text(taint.key)}, {"value", text(taint.value)}, {"effect", effect}}, 1.0);
  }
  for (const auto& label : node->meta.labels) {
    constexpr std::string_view kRole = "node-role.kubernetes.io/";
    const std::string& key = text(label.key);
    if (key.starts_with(kRole)) emit("kube_node_role", {{"node", name}, {"role", std::string_view(key).substr(kRole.size())}}, 1.0);
  }
  const auto resources = [&](std::string_view metric, const k8s::Resources& r) {
    emit(metric, {{"node", name}, {"resource", "cpu"}, {"unit", "core"}}, static_cast<double>(r.cpu_milli) / 1000.0);
    emit(metric, {{"node", name}, {"resource", "memory"}, {"unit", "byte"}}, static_cast<double>(r.memory));
    emit(metric, {{"node", name}, {"resource", "ephemeral_storage"}, {"unit", "byte"}}, static_cast<double>(r.ephemeral_storage));
    emit(metric, {{"node", name}, {"resource", "pods"}, {"unit", "integer"}}, static_cast<double>(r.pods));
  };
  resources("kube_node_status_capacity", node->capacity);
  resources("kube_node_status_allocatable", node->allocatable);
  finish();
}

void Exporters::pod(Ref<k8s::Pod> ref) {
  const k8s::Pod* pod = world_.api.get(ref);
  if (pod == nullptr) return;
  const std::string& ns = text(pod->meta.ns);
  const std::string& name = text(pod->meta.name);
  const std::string& node = text(pod->node_name);
  begin(owner_of(ref), state_metrics_);
  std::string owner_kind;
  std::string owner_name;
  if (const k8s::OwnerReference* owner = pod->meta.controller()) {
    owner_kind = k8s::to_string(owner->owner.kind);
    const auto name_of = [&]<class T>(const T*) {
      const T* object = world_.api.get(Ref<T>{owner->owner.slot, owner->owner.generation});
      return object == nullptr ? std::string() : text(object->meta.name);
    };
    switch (owner->owner.kind) {
      case Kind::kReplicaSet: owner_name = name_of(static_cast<const k8s::ReplicaSet*>(nullptr)); break;
      case Kind::kStatefulSet: owner_name = name_of(static_cast<const k8s::StatefulSet*>(nullptr)); break;
      case Kind::kDaemonSet: owner_name = name_of(static_cast<const k8s::DaemonSet*>(nullptr)); break;
      case Kind::kJob: owner_name = name_of(static_cast<const k8s::Job*>(nullptr)); break;
      default: break;
    }
    emit("kube_pod_owner", {{"namespace", ns}, {"pod", name}, {"owner_kind", owner_kind}, {"owner_name", owner_name}, {"owner_is_controller", kYes}}, 1.0);
  } else {
    emit("kube_pod_owner", {{"namespace", ns}, {"pod", name}}, 1.0);
  }
  emit("kube_pod_info", {{"namespace", ns}, {"pod", name}, {"node", node}, {"created_by_kind", owner_kind}, {"created_by_name", owner_name}}, 1.0);
  for (const std::string_view phase : {"Pending", "Running", "Succeeded", "Failed", "Unknown"}) {
    emit("kube_pod_status_phase", {{"namespace", ns}, {"pod", name}, {"phase", phase}}, flag(phase == k8s::to_string(pod->phase)));
  }
  const auto condition = [&](std::string_view metric, bool is) {
    for (const std::string_view one : {kYes, kNo, kUnknown}) {
      emit(metric, {{"namespace", ns}, {"pod", name}, {"condition", one}}, flag(one == (is ? kYes : kNo)));
    }
  };
  condition("kube_pod_status_ready", pod->ready);
  condition("kube_pod_status_scheduled", static_cast<bool>(pod->node_name));
  if (pod->unschedulable) emit("kube_pod_status_unschedulable", {{"namespace", ns}, {"pod", name}}, 1.0);
  for (const std::string_view reason : {"Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError"}) {
    emit("kube_pod_status_reason", {{"namespace", ns}, {"pod", name}, {"reason", reason}}, flag(text(pod->reason) == reason));
  }
  for (std::size_t i = 0; i < pod->containers.size() && i < pod->spec->containers.size(); ++i) {
    const k8s::ContainerStatus& status = pod->containers[i];
    const std::string& container = text(pod->spec->containers[i].name);
    const auto one = [&](std::string_view metric, double value) { emit(metric, {{"namespace", ns}, {"pod", name}, {"container", container}}, value); };
    one("kube_pod_container_status_ready", flag(status.ready));
    one("kube_pod_container_status_running", flag(status.state == k8s::ContainerState::kRunning));
    one("kube_pod_container_status_waiting", flag(status.state == k8s::ContainerState::kWaiting));
    one("kube_pod_container_status_terminated", flag(status.state == k8s::ContainerState::kTerminated));
    one("kube_pod_container_status_restarts_total", static_cast<double>(status.restart_count));
    if (status.state == k8s::ContainerState::kWaiting && status.reason) {
      emit("kube_pod_container_status_waiting_reason", {{"namespace", ns}, {"pod", name}, {"container", container}, {"reason", text(status.reason)}}, 1.0);
    }
  }
  for (const k8s::Container& container : pod->spec->containers) {
    const auto resources = [&](std::string_view metric, const k8s::Resources& r, bool cpu, bool memory) {
      const std::string& c = text(container.name);
      if (cpu) {
        emit(metric, {{"namespace", ns}, {"pod", name}, {"container", c}, {"node", node}, {"resource", "cpu"}, {"unit", "core"}},
             static_cast<double>(r.cpu_milli) / 1000.0);
      }
      if (memory) {
        emit(metric, {{"namespace", ns}, {"pod", name}, {"container", c}, {"node", node}, {"resource", "memory"}, {"unit", "byte"}},
             static_cast<double>(r.memory));
      }
    };
    resources("kube_pod_container_resource_requests", container.requests, container.has_cpu_request, container.has_memory_request);
    resources("kube_pod_container_resource_limits", container.limits, container.has_cpu_limit, container.has_memory_limit);
  }
  finish();
}

void Exporters::describe(const k8s::Deployment& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  const auto one = [&](std::string_view metric, double value) { emit(metric, {{"namespace", ns}, {"deployment", name}}, value); };
  one("kube_deployment_spec_replicas", static_cast<double>(o.replicas));
  one("kube_deployment_spec_paused", flag(o.paused));
  one("kube_deployment_status_replicas", static_cast<double>(o.status_replicas));
  one("kube_deployment_status_replicas_ready", static_cast<double>(o.ready_replicas));
  one("kube_deployment_status_replicas_available", static_cast<double>(o.available_replicas));
  one("kube_deployment_status_replicas_unavailable", static_cast<double>(std::max<std::int64_t>(0, o.replicas - o.available_replicas)));
  one("kube_deployment_status_replicas_updated", static_cast<double>(o.updated_replicas));
  one("kube_deployment_status_observed_generation", static_cast<double>(o.observed_generation));
  one("kube_deployment_metadata_generation", static_cast<double>(o.meta.generation));
  const auto condition = [&](std::string_view which, bool is) {
    for (const std::string_view status : {kYes, kNo, kUnknown}) {
      emit("kube_deployment_status_condition", {{"namespace", ns}, {"deployment", name}, {"condition", which}, {"status", status}},
           flag(status == (is ? kYes : kNo)));
    }
  };
  condition("Available", o.available);
  condition("Progressing", !o.progress_deadline_exceeded);
}

void Exporters::describe(const k8s::ReplicaSet& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  emit("kube_replicaset_spec_replicas", {{"namespace", ns}, {"replicaset", name}}, static_cast<double>(o.replicas));
  emit("kube_replicaset_status_ready_replicas", {{"namespace", ns}, {"replicaset", name}}, static_cast<double>(o.ready_replicas));
  if (const k8s::OwnerReference* owner = o.meta.controller(); owner != nullptr && owner->owner.kind == Kind::kDeployment) {
    const k8s::Deployment* deployment = world_.api.get(Ref<k8s::Deployment>{owner->owner.slot, owner->owner.generation});
    emit("kube_replicaset_owner",
         {{"namespace", ns}, {"replicaset", name}, {"owner_kind", "Deployment"},
          {"owner_name", deployment == nullptr ? std::string_view() : std::string_view(text(deployment->meta.name))}, {"owner_is_controller", kYes}},
         1.0);
  }
}

void Exporters::describe(const k8s::StatefulSet& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  const auto one = [&](std::string_view metric, double value) { emit(metric, {{"namespace", ns}, {"statefulset", name}}, value); };
  one("kube_statefulset_replicas", static_cast<double>(o.replicas));
  one("kube_statefulset_status_replicas", static_cast<double>(o.status_replicas));
  one("kube_statefulset_status_replicas_ready", static_cast<double>(o.ready_replicas));
  one("kube_statefulset_status_replicas_available", static_cast<double>(o.available_replicas));
  one("kube_statefulset_status_replicas_current", static_cast<double>(o.current_replicas));
  one("kube_statefulset_status_replicas_updated", static_cast<double>(o.updated_replicas));
  one("kube_statefulset_status_observed_generation", static_cast<double>(o.observed_generation));
  one("kube_statefulset_metadata_generation", static_cast<double>(o.meta.generation));
  const std::string current = fmt::format("{}-{:x}", name, o.current_revision);
  const std::string update = fmt::format("{}-{:x}", name, o.update_revision);
  emit("kube_statefulset_status_current_revision", {{"namespace", ns}, {"statefulset", name}, {"revision", current}}, 1.0);
  emit("kube_statefulset_status_update_revision", {{"namespace", ns}, {"statefulset", name}, {"revision", update}}, 1.0);
}

void Exporters::describe(const k8s::DaemonSet& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  const auto one = [&](std::string_view metric, double value) { emit(metric, {{"namespace", ns}, {"daemonset", name}}, value); };
  one("kube_daemonset_status_desired_number_scheduled", static_cast<double>(o.desired_scheduled));
  one("kube_daemonset_status_current_number_scheduled", static_cast<double>(o.current_scheduled));
  one("kube_daemonset_status_number_ready", static_cast<double>(o.ready_count));
  one("kube_daemonset_status_number_available", static_cast<double>(o.available_count));
  one("kube_daemonset_status_number_unavailable", static_cast<double>(std::max<std::int64_t>(0, o.desired_scheduled - o.available_count)));
  one("kube_daemonset_status_updated_number_scheduled", static_cast<double>(o.updated_scheduled));
  one("kube_daemonset_status_observed_generation", static_cast<double>(o.observed_generation));
  one("kube_daemonset_metadata_generation", static_cast<double>(o.meta.generation));
}

void Exporters::describe(const k8s::Job& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  const auto one = [&](std::string_view metric, double value) { emit(metric, {{"namespace", ns}, {"job_name", name}}, value); };
  one("kube_job_status_active", static_cast<double>(o.active));
  one("kube_job_status_succeeded", static_cast<double>(o.succeeded));
  one("kube_job_status_failed", static_cast<double>(o.failed));
  if (o.start_time) one("kube_job_status_start_time", unix_seconds(*o.start_time));
  if (o.completion_time) one("kube_job_status_completion_time", unix_seconds(*o.completion_time));
  const auto condition = [&](std::string_view metric, bool is) {
    if (!is) return;  // the condition is only there when the Job has it
    for (const std::string_view status : {kYes, kNo, kUnknown}) {
      emit(metric, {{"namespace", ns}, {"job_name", name}, {"condition", status}}, flag(status == kYes));
    }
  };
  condition("kube_job_complete", o.complete);
  condition("kube_job_failed", o.failed_condition);
  if (const k8s::OwnerReference* owner = o.meta.controller(); owner != nullptr && owner->owner.kind == Kind::kCronJob) {
    const k8s::CronJob* cron = world_.api.get(Ref<k8s::CronJob>{owner->owner.slot, owner->owner.generation});
    emit("kube_job_owner",
         {{"namespace", ns}, {"job_name", name}, {"owner_kind", "CronJob"}, {"owner_name", cron == nullptr ? std::string_view() : std::string_view(text(cron->meta.name))},
          {"owner_is_controller", kYes}},
         1.0);
  }
}

void Exporters::describe(const k8s::CronJob& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  emit("kube_cronjob_spec_suspend", {{"namespace", ns}, {"cronjob", name}}, flag(o.suspend));
  if (o.last_schedule_time) {
    emit("kube_cronjob_status_last_schedule_time", {{"namespace", ns}, {"cronjob", name}}, unix_seconds(*o.last_schedule_time));
  }
}

void Exporters::describe(const k8s::PodDisruptionBudget& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  const auto one = [&](std::string_view metric, std::int64_t value) {
    emit(metric, {{"namespace", ns}, {"poddisruptionbudget", name}}, static_cast<double>(value));
  };
  one("kube_poddisruptionbudget_status_current_healthy", o.current_healthy);
  one("kube_poddisruptionbudget_status_desired_healthy", o.desired_healthy);
  one("kube_poddisruptionbudget_status_expected_pods", o.expected_pods);
  one("kube_poddisruptionbudget_status_pod_disruptions_allowed", o.disruptions_allowed);
  one("kube_poddisruptionbudget_status_observed_generation", static_cast<std::int64_t>(o.observed_generation));
}

void Exporters::describe(const k8s::PersistentVolumeClaim& o) {
  const std::string& ns = text(o.meta.ns);
  const std::string& name = text(o.meta.name);
  for (const auto& [phase, is] : {std::pair{"Pending", k8s::ClaimPhase::kPending}, std::pair{"Bound", k8s::ClaimPhase::kBound},
                                  std::pair{"Lost", k8s::ClaimPhase::kLost}}) {
    emit("kube_persistentvolumeclaim_status_phase", {{"namespace", ns}, {"persistentvolumeclaim", name}, {"phase", phase}}, flag(o.phase == is));
  }
  emit("kube_persistentvolumeclaim_resource_requests_storage_bytes", {{"namespace", ns}, {"persistentvolumeclaim", name}}, static_cast<double>(o.spec.bytes));
}

void Exporters::describe(const k8s::PersistentVolume& o) {
  for (const auto& [phase, is] :
       {std::pair{"Pending", k8s::VolumePhase::kPending}, std::pair{"Available", k8s::VolumePhase::kAvailable}, std::pair{"Bound", k8s::VolumePhase::kBound},
        std::pair{"Released", k8s::VolumePhase::kReleased}, std::pair{"Failed", k8s::VolumePhase::kFailed}}) {
    emit("kube_persistentvolume_status_phase", {{"persistentvolume", text(o.meta.name)}, {"phase", phase}}, flag(o.phase == is));
  }
}

void Exporters::describe(const k8s::Namespace& o) {
  emit("kube_namespace_status_phase", {{"namespace", text(o.meta.name)}, {"phase", "Active"}}, flag(!o.meta.is_deleting()));
  emit("kube_namespace_status_phase", {{"namespace", text(o.meta.name)}, {"phase", "Terminating"}}, flag(o.meta.is_deleting()));
}

template <class T>
void Exporters::object(Ref<T> ref) {
  const T* object = world_.api.get(ref);
  if (object == nullptr) return;
  begin(owner_of(ref), state_metrics_);
  describe(*object);
  finish();
}

template <class T>
void Exporters::all_of() {
  for (const Ref<T> ref : world_.api.all<T>().refs()) object(ref);
}

template <class T>
void Exporters::changed(const k8s::WatchEvent& event) {
  if (!event.is<T>()) return;
  if (event.type == k8s::WatchEvent::Type::kDeleted) forget(owner_of(event.ref<T>()));
  else object(event.ref<T>());
}

void Exporters::on_event(const k8s::WatchEvent& event) {
  const bool deleted = event.type == k8s::WatchEvent::Type::kDeleted;
  if (event.is<k8s::Pod>()) {
    deleted ? forget(owner_of(event.ref<k8s::Pod>())) : pod(event.ref<k8s::Pod>());
    return;
  }
  if (event.is<k8s::Node>()) {
    if (deleted) {
      forget(owner_of(event.ref<k8s::Node>()));
      node_gone(text(event.last_state<k8s::Node>().meta.name));
    } else {
      node(event.ref<k8s::Node>());
      if (event.type == k8s::WatchEvent::Type::kAdded) kubelet(event.ref<k8s::Node>());
    }
    return;
  }
  if (event.is<k8s::Endpoints>()) {
    services();
    state_metrics_target();
    return;
  }
  changed<k8s::Deployment>(event);
  changed<k8s::ReplicaSet>(event);
  changed<k8s::StatefulSet>(event);
  changed<k8s::DaemonSet>(event);
  changed<k8s::Job>(event);
  changed<k8s::CronJob>(event);
  changed<k8s::PodDisruptionBudget>(event);
  changed<k8s::PersistentVolumeClaim>(event);
  changed<k8s::PersistentVolume>(event);
  changed<k8s::Namespace>(event);
}

// ---- Nodes ----------------------------------------------------------------------------------------------------------

void Exporters::kubelet(Ref<k8s::Node> ref) {
  const k8s::Node* object = world_.api.get(ref);
  if (object == nullptr) return;
  const std::string& name = text(object->meta.name);
  const host::HostId host = world_.kubelets.host_of(ref);
  if (!host) return;
  // Whoever scrapes a kubelet is authenticated by the API server, which the kubelet must be able to ask.
  const bool works = world_.kubelets.is_kubelet_running(ref) && !world_.kubelets.is_certificate_expired(ref);
  const TargetId kubelet = target("kubelet", name + ":10250", "kube-system", "kubelet", host, works, name);
  const Owner owner{kKubeletOwner, host.value};
  begin(owner, kubelet);
  emit("kubelet_node_name", {{"node", name}}, 1.0);
  if (const std::optional<SimTime> expiry = world_.kubelets.certificate_expiry(ref)) {
    // So many seconds, and one less each second.
    emit("kubelet_certificate_manager_client_ttl_seconds", {{"node", name}}, seconds(*expiry - world_.engine.now()), -0.001);
  }
  finish();
  const TargetId exporter = target("node-exporter", name, "monitoring", "node-exporter", host, true);
  begin(Owner{kMemoryOwner, host.value}, exporter);
  emit("node_uname_info", {{"nodename", name}}, 1.0);
  const auto total = static_cast<double>(world_.hosts.spec(host).memory_bytes);
  emit("node_memory_MemTotal_bytes", {}, total);
  emit("node_memory_MemAvailable_bytes", {}, total - static_cast<double>(world_.kubelets.memory_used(ref)));
  finish();
}

void Exporters::node_gone(const std::string& name) {
  for (const auto& key : {std::pair{std::string("kubelet"), name + ":10250"}, std::pair{std::string("node-exporter"), name}}) {
    const auto found = targets_.find(key);
    if (found != targets_.end()) store_.set_target(found->second, false, false, store_.target(found->second).host);
  }
}

void Exporters::memory() {
  for (const Ref<k8s::Node> ref : world_.api.all<k8s::Node>().refs()) kubelet(ref);
  poll_.set_after(config_.poll, [this] { memory(); });
}

// ---- Control plane --------------------------------------------------------------------------------------------------

void Exporters::control_plane() {
  const k8s::ControlPlane& plane = world_.control_plane;
  if (plane.is_external()) {
    target("apiserver", "kubernetes", "default", "kubernetes", host::HostId{}, true);
    return;
  }
  struct Job {
    k8s::Component component;
    const char* job;
    const char* ns;
    const char* service;
    int port;
  };
  for (const Job& job : {Job{k8s::Component::kApiServer, "apiserver", "default", "kubernetes", 6443},
                         Job{k8s::Component::kScheduler, "kube-scheduler", "kube-system", "kube-scheduler", 10259},
                         Job{k8s::Component::kControllerManager, "kube-controller-manager", "kube-system", "kube-controller-manager", 10257},
                         Job{k8s::Component::kEtcd, "kube-etcd", "kube-system", "kube-etcd", 2381}}) {
    for (std::size_t member = 0; member < plane.member_count(); ++member) {
      const host::HostId host = plane.member_host(member);
      const std::string instance = fmt::format("{}:{}", world_.hosts.spec(host).name, job.port);
      const TargetId id = target(job.job, instance, job.ns, job.service, host, plane.is_running(job.component, member));
      if (job.component != k8s::Component::kEtcd) continue;
      begin(Owner{kMemberOwner, member}, id);
      emit("etcd_server_has_leader", {}, flag(plane.has_quorum() && plane.leader(k8s::Component::kEtcd).has_value()));
      emit("etcd_server_is_leader", {}, flag(plane.leader(k8s::Component::kEtcd) == std::optional<std::size_t>(member)));
      finish();
    }
  }
}

// ---- Ceph -----------------------------------------------------------------------------------------------------------

void Exporters::ceph_changed() {
  if (ceph_soon_.is_pending()) return;
  ceph_soon_.set_after(SimDuration::zero(), [this] {
    ceph();
    // What only time makes of it: slow operations after 30 s, states that stick after 60 s, a manager that loads its modules.
    std::size_t i = 0;
    for (const int wait : {5, 15, 33, 62, 75, 125}) {
      ceph_later_[i].set_after(std::chrono::seconds(wait), [this] { ceph(); });
      ++i;
    }
  });
}

void Exporters::ceph() {
  if (!world_.rook) return;
  const ceph::CephCluster& cluster = world_.rook->cluster();
  const ceph::Managers& managers = cluster.managers();
  const std::optional<std::size_t> active = managers.active();
  host::HostId host{};
  if (active) {
    for (std::size_t i = 0; i < cluster.config().mgrs.size(); ++i) {
      if (cluster.config().mgrs[i].name == managers.name(*active)) host = world_.hosts.find(cluster.config().mgrs[i].host);
    }
  }
  const std::string& ns = world_.rook->config().name_space;
  const TargetId id = target(config_.ceph_job, "rook-ceph-mgr:9283", ns, "rook-ceph-mgr", host, managers.is_available());
  if (!managers.is_available()) return;  // nobody says anything
  begin(Owner{kCephOwner, 0}, id);
  const std::vector<ceph::HealthCheck> checks = ceph::health_checks(cluster);
  emit("ceph_health_status", {}, static_cast<double>(ceph::overall(checks)));
  std::map<std::string, std::string> severity;
  for (const ceph::HealthCheck& check : checks) {
    health_seen_.insert(check.code);
    severity[check.code] = ceph::to_string(check.severity);
  }
  // A check that was ever raised stays, with 0.
  for (const std::string& code : health_seen_) {
    const auto now = severity.find(code);
    for (const std::string_view level : {"HEALTH_WARN", "HEALTH_ERR"}) {
      const bool is = now != severity.end() && now->second == level;
      if (is || level == "HEALTH_WARN") emit("ceph_health_detail", {{"name", code}, {"severity", level}}, flag(is));
    }
  }
  const std::vector<std::size_t> quorum = cluster.monitors().quorum();
  for (const std::size_t mon : cluster.monitors().monmap()) {
    const std::string daemon = "mon." + cluster.monitors().name(mon);
    emit("ceph_mon_quorum_status", {{"ceph_daemon", daemon}}, flag(std::find(quorum.begin(), quorum.end(), mon) != quorum.end()));
    emit("ceph_mon_metadata", {{"ceph_daemon", daemon}, {"hostname", world_.hosts.spec(cluster.monitors().host(mon)).name}}, 1.0);
  }
  for (std::size_t i = 0; i < managers.size(); ++i) {
    emit("ceph_mgr_status", {{"ceph_daemon", "mgr." + managers.name(i)}}, flag(active == std::optional<std::size_t>(i)));
  }
  for (const ceph::Osd& osd : cluster.osds()) {
    emit("ceph_osd_up", {{"ceph_daemon", osd.name}}, flag(cluster.osd_monitor().is_up(osd.id)));
    emit("ceph_osd_in", {{"ceph_daemon", osd.name}}, flag(cluster.osd_monitor().is_in(osd.id)));
    emit("ceph_osd_weight", {{"ceph_daemon", osd.name}}, flag(cluster.osd_monitor().is_in(osd.id)));
    emit("ceph_osd_metadata", {{"ceph_daemon", osd.name}, {"hostname", world_.hosts.spec(osd.host).name}, {"device_class", osd.device_class}}, 1.0);
  }
  struct State {
    const char* metric;
    std::uint32_t bit;
  };
  static constexpr State kStates[] = {{"ceph_pg_active", ceph::kPgActive},         {"ceph_pg_clean", ceph::kPgClean},
                                      {"ceph_pg_degraded", ceph::kPgDegraded},     {"ceph_pg_undersized", ceph::kPgUndersized},
                                      {"ceph_pg_down", ceph::kPgDown},             {"ceph_pg_peering", ceph::kPgPeering},
                                      {"ceph_pg_stale", ceph::kPgStale},           {"ceph_pg_recovering", ceph::kPgRecovering},
                                      {"ceph_pg_backfilling", ceph::kPgBackfilling}};
  const std::size_t pools = cluster.config().pools.size();
  std::vector<std::array<double, std::size(kStates)>> counts(pools);
  std::vector<double> total(pools, 0.0);
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const ceph::Pg& pg = cluster.pgs().pg(i);
    total[pg.pool] += 1.0;
    const std::uint32_t state = cluster.told_state(pg);
    for (std::size_t s = 0; s < std::size(kStates); ++s) {
      if ((state & kStates[s].bit) != 0) counts[pg.pool][s] += 1.0;
    }
  }
  for (std::size_t p = 0; p < pools; ++p) {
    const std::string pool_id = fmt::format("{}", p + 1);
    emit("ceph_pool_metadata", {{"pool_id", pool_id}, {"name", cluster.config().pools[p].name}}, 1.0);
    emit("ceph_pg_total", {{"pool_id", pool_id}}, total[p]);
    for (std::size_t s = 0; s < std::size(kStates); ++s) emit(kStates[s].metric, {{"pool_id", pool_id}}, counts[p][s]);
  }
  finish();
}

// ---- Services -------------------------------------------------------------------------------------------------------

bool Exporters::answers(const std::string& service) const {
  const std::size_t slash = service.find('/');
  const Symbol ns = world_.names.find(service.substr(0, slash));
  const Symbol name = world_.names.find(service.substr(slash + 1));
  const k8s::Endpoints* endpoints = world_.api.get(world_.api.find<k8s::Endpoints>(ns, name));
  if (endpoints == nullptr) return false;
  return std::any_of(endpoints->addresses.begin(), endpoints->addresses.end(),
                     [&](const k8s::Endpoints::Address& address) { return address.ready && world_.kubelets.is_serving(address.pod); });
}

void Exporters::services() {
  if (!config_.probed.empty()) {
    const TargetId id = target("blackbox", "blackbox-exporter", "monitoring", "blackbox-exporter", host::HostId{}, true);
    for (std::size_t i = 0; i < config_.probed.size(); ++i) {
      begin(Owner{kProbeOwner, i}, id);
      emit("probe_success", {{"instance", config_.probed[i]}}, flag(answers(config_.probed[i])));
      finish();
    }
  }
  if (on_services) on_services();
}

void Exporters::state_metrics_target() {
  host::HostId host{};
  bool works = true;
  if (!config_.kube_state_metrics.empty()) {
    works = false;
    const std::string& service = config_.kube_state_metrics;
    const std::size_t slash = service.find('/');
    const k8s::Endpoints* endpoints = world_.api.get(
        world_.api.find<k8s::Endpoints>(world_.names.find(service.substr(0, slash)), world_.names.find(service.substr(slash + 1))));
    for (std::size_t i = 0; endpoints != nullptr && i < endpoints->addresses.size() && !works; ++i) {
      const k8s::Endpoints::Address& address = endpoints->addresses[i];
      if (!world_.kubelets.is_serving(address.pod)) continue;
      works = true;
      host = world_.kubelets.host_of(world_.api.all<k8s::Pod>().at(address.pod).node);
    }
  }
  const auto found = targets_.find({"kube-state-metrics", "kube-state-metrics:8443"});
  if (found != targets_.end()) return store_.set_target(found->second, works, true, host);
  // Its own labels are dropped, so that those of the metrics stand.
  state_metrics_ = target("kube-state-metrics", "kube-state-metrics:8443", "", "", host, works);
}

// ---- All ------------------------------------------------------------------------------------------------------------

void Exporters::expose() {
  state_metrics_target();
  control_plane();
  for (const Ref<k8s::Node> ref : world_.api.all<k8s::Node>().refs()) {
    node(ref);
    kubelet(ref);
  }
  for (const Ref<k8s::Pod> ref : world_.api.all<k8s::Pod>().refs()) pod(ref);
  all_of<k8s::Deployment>();
  all_of<k8s::ReplicaSet>();
  all_of<k8s::StatefulSet>();
  all_of<k8s::DaemonSet>();
  all_of<k8s::Job>();
  all_of<k8s::CronJob>();
  all_of<k8s::PodDisruptionBudget>();
  all_of<k8s::PersistentVolumeClaim>();
  all_of<k8s::PersistentVolume>();
  all_of<k8s::Namespace>();
  ceph();
  services();
}

void Exporters::follow() {
  following_ = true;
  world_.api.watch({Kind::kNode, Kind::kPod, Kind::kDeployment, Kind::kReplicaSet, Kind::kStatefulSet, Kind::kDaemonSet, Kind::kJob, Kind::kCronJob,
                    Kind::kEndpoints, Kind::kPodDisruptionBudget, Kind::kPersistentVolumeClaim, Kind::kPersistentVolume, Kind::kNamespace},
                   *this);
  const std::weak_ptr<bool> alive = alive_;
  world_.kubelets.on_serving([this, alive](Ref<k8s::Pod>, bool) {
    if (alive.expired()) return;
    services();
    state_metrics_target();
  });
  world_.kubelets.on_heartbeat([this, alive](Ref<k8s::Node> ref) {
    if (!alive.expired()) kubelet(ref);
  });
  world_.hosts.on_change([this, alive](const host::Hosts::Change& change) {
    if (alive.expired()) return;
    const Ref<k8s::Node> ref = world_.kubelets.node_of(change.host);
    if (ref) kubelet(ref);
    control_plane();
    if (world_.rook) ceph_changed();
  });
  world_.control_plane.on_reachability([this, alive] {
    if (!alive.expired()) control_plane();
  });
  if (store_.is_wanted("node_memory_MemAvailable_bytes")) poll_.set_after(config_.poll, [this] { memory(); });
  if (!world_.rook) return;
  for (int i = 0; i < 6; ++i) ceph_later_.emplace_back(world_.engine);
  ceph::CephCluster& cluster = world_.rook->cluster();
  cluster.on_quorum([this, alive](bool) {
    if (!alive.expired()) ceph_changed();
  });
  cluster.on_pg_state([this, alive](const ceph::Pg&, std::uint32_t) {
    if (!alive.expired()) ceph_changed();
  });
  cluster.on_epoch([this, alive] {
    if (!alive.expired()) ceph_changed();
  });
  // Managers tell nobody but the log.
  std::set<Symbol> kinds;
  for (const char* kind : {"MgrStarted", "MgrStopped", "MgrActive", "MgrAvailable", "MgrNoneActive"}) kinds.insert(world_.names.intern(kind));
  world_.log.on_record([this, alive, kinds](CauseId id, const EventLog::Record& record) {
    if (alive.expired() || !kinds.contains(record.kind)) return;
    const ScopedCause because(world_.engine, id);
    ceph_changed();
  });
}

std::string exposition(World& world, std::int64_t start_unix_seconds, ExporterConfig config) {
  LabelTable labels;
  Store store(world.engine, labels, start_unix_seconds);
  store.want({}, true);
  Exporters exporters(world, store, std::move(config));
  exporters.expose();
  std::vector<std::string> lines;
  for (const SeriesId id : store.all()) {
    const Store::Series& series = store.at(id);
    if (series.steps.empty() || !series.steps.back().present) continue;
    const Target& target = store.target(series.target);
    if (!target.works || (target.host && !world.hosts.is_running(target.host))) continue;
    lines.push_back(fmt::format("{} {}", labels.text(series.labels), series.steps.back().value));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace sim::monitoring

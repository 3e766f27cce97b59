#include "chaos/outages/replicas_observer.hpp"

#include <algorithm>

namespace chaos {

using sim::k8s::DaemonSet;
using sim::k8s::Deployment;
using sim::k8s::Kind;
using sim::k8s::Pod;
using sim::k8s::Ref;
using sim::k8s::ReplicaSet;
using sim::k8s::StatefulSet;
using sim::k8s::WatchEvent;

void ReplicasObserver::start() {
  for (const std::string_view kind : {"FailedCreate", "FailedScheduling", "Failed", "FailedMount", "FailedAttachVolume"}) refusals_.push_back(api_.names().intern(kind));
  log_.on_record([this](CauseId id, const sim::EventLog::Record& record) {
    if (std::find(refusals_.begin(), refusals_.end(), record.kind) != refusals_.end()) refused(id, record);
  });
  api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) { note(ref, &pod); });
}

std::uint32_t ReplicasObserver::workload(Kind kind, const sim::k8s::ObjectMeta& meta) {
  const auto [place, is_new] = index_.try_emplace(Key{kind, meta.ns, meta.name}, static_cast<std::uint32_t>(workloads_.size()));
  if (is_new) {
    ReplicasHistory& history = workloads_.emplace_back().history;
    history.kind = kind;
    history.ns = meta.ns;
    history.name = meta.name;
  }
  return place->second;
}

std::uint32_t ReplicasObserver::workload_of(const sim::k8s::ObjectMeta& owned) {
  const sim::k8s::OwnerReference* owner = owned.controller();
  if (owner == nullptr) return kNone;
  const auto of = [&](const auto* object) { return object == nullptr ? kNone : workload(object->kKind, object->meta); };
  const auto [kind, slot, generation] = owner->owner;
  switch (kind) {
    case Kind::kReplicaSet: {
      const ReplicaSet* set = api_.get(Ref<ReplicaSet>{slot, generation});
      return set == nullptr ? kNone : workload_of(set->meta);
    }
    case Kind::kDeployment: return of(api_.get(Ref<Deployment>{slot, generation}));
    case Kind::kStatefulSet: return of(api_.get(Ref<StatefulSet>{slot, generation}));
    case Kind::kDaemonSet: return of(api_.get(Ref<DaemonSet>{slot, generation}));
    default: return kNone;  // Jobs
  }
}

void ReplicasObserver::look_at(Workload& workload) {
  ReplicasHistory& history = workload.history;
  // What is there no more wants nothing.
  std::int64_t wanted = 0;
  switch (history.kind) {
    case Kind::kStatefulSet:
      if (const StatefulSet* set = api_.get(api_.find<StatefulSet>(history.ns, history.name))) wanted = set->replicas;
      break;
    case Kind::kDaemonSet:
      if (const DaemonSet* set = api_.get(api_.find<DaemonSet>(history.ns, history.name))) wanted = set->desired_scheduled;
      break;
    default:
      if (const Deployment* deployment = api_.get(api_.find<Deployment>(history.ns, history.name))) wanted = deployment->replicas;
      break;
  }
  history.enough.set(api_.engine().now(), workload.ready >= wanted ? 1.0 : 0.0, api_.engine().cause());
}

void ReplicasObserver::note(Ref<Pod> ref, const Pod* pod) {
  if (pods_.size() <= ref.slot) pods_.resize(ref.slot + 1);
  Known& known = pods_[ref.slot];
  if (known.generation != ref.generation) {
    if (pod == nullptr) return;
    known = Known{ref.generation, workload_of(pod->meta), false};
  }
  if (known.workload == kNone) return;
  Workload& workload = workloads_[known.workload];
  const bool ready = pod != nullptr && pod->ready && pod->is_active();
  workload.ready += (ready ? 1 : 0) - (known.ready ? 1 : 0);
  known.ready = ready;
  look_at(workload);
}

void ReplicasObserver::pod_changed(const WatchEvent& event) {
  note(event.ref<Pod>(), event.type == WatchEvent::Type::kDeleted ? nullptr : api_.get(event.ref<Pod>()));
}

/// The subject is "ReplicaSet/shop/web-6f48" or "Pod/shop/web-6f48-x7k2p": then it is its Deployment that lacks the pod.
void ReplicasObserver::refused(CauseId id, const sim::EventLog::Record& record) {
  const std::string_view subject = log_.subject(record);
  const std::size_t first = subject.find('/');
  const std::size_t second = first == std::string_view::npos ? first : subject.find('/', first + 1);
  if (second == std::string_view::npos) return;
  const std::string_view kind = subject.substr(0, first);
  const sim::Symbol ns = api_.names().find(subject.substr(first + 1, second - first - 1));
  const sim::Symbol name = api_.names().find(subject.substr(second + 1));
  std::uint32_t found = kNone;
  if (kind == "Pod") {
    if (const Pod* pod = api_.get(api_.find<Pod>(ns, name))) found = workload_of(pod->meta);
  } else if (kind == "ReplicaSet") {
    if (const ReplicaSet* set = api_.get(api_.find<ReplicaSet>(ns, name))) found = workload_of(set->meta);
  } else if (kind == "StatefulSet") {
    if (const StatefulSet* set = api_.get(api_.find<StatefulSet>(ns, name))) found = workload(Kind::kStatefulSet, set->meta);
  } else if (kind == "DaemonSet") {
    if (const DaemonSet* set = api_.get(api_.find<DaemonSet>(ns, name))) found = workload(Kind::kDaemonSet, set->meta);
  }
  if (found == kNone) return;
  workloads_[found].history.refusals.push_back({api_.engine().now(), id});
  if (kind != "Pod") look_at(workloads_[found]);  // there may be no pod yet that would tell of it
}

std::vector<const ReplicasHistory*> ReplicasObserver::histories() const {
  std::vector<const ReplicasHistory*> all;
  for (const Workload& workload : workloads_) {
    if (!workload.history.enough.empty()) all.push_back(&workload.history);
  }
  const sim::Interner& names = api_.names();
  std::sort(all.begin(), all.end(), [&](const ReplicasHistory* a, const ReplicasHistory* b) {
    if (a->kind != b->kind) return a->kind < b->kind;
    if (a->ns != b->ns) return names.text(a->ns) < names.text(b->ns);
    return names.text(a->name) < names.text(b->name);
  });
  return all;
}

}  // namespace chaos

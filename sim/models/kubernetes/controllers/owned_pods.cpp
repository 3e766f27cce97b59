#include "sim/models/kubernetes/controllers/owned_pods.hpp"

#include <algorithm>

namespace sim::k8s {

namespace {
bool is_adoptable(const Pod& pod) { return pod.meta.controller() == nullptr && pod.is_active(); }
}  // namespace

ObjectRef OwnedPods::owner_in(const Pod& pod) const {
  const OwnerReference* controller = pod.meta.controller();
  return controller != nullptr && controller->owner.kind == owner_kind_ ? controller->owner : ObjectRef{};
}

OwnedPods::Entry& OwnedPods::entry_of(Ref<Pod> pod) {
  if (pod.slot >= entries_.size()) entries_.resize(std::size_t{pod.slot} + 1);
  return entries_[pod.slot];
}

void OwnedPods::vacate(Group& group, CauseId cause) {
  // Nobody replaces more pods than there were; the newest reasons are the ones still to be answered.
  constexpr std::size_t kMost = 4096;
  if (!cause) return;
  if (group.vacancies.size() >= kMost) group.vacancies.erase(group.vacancies.begin());
  group.vacancies.push_back(cause);
}

void OwnedPods::drop(Ref<Pod>, Entry& entry) {
  const auto found = groups_.find(entry.owner);
  if (found != groups_.end()) {
    Group& group = found->second;
    --group.counts.total;
    group.counts.active -= entry.active ? 1 : 0;
    group.counts.ready -= entry.ready ? 1 : 0;
    if (entry.active) vacate(group, api_.engine().cause());
    ++group.dead;
  }
  entry.owner = ObjectRef{};
  entry.active = false;
  entry.ready = false;
}

OwnedPods::Concerned OwnedPods::refresh(Ref<Pod> ref) {
  const Pod* pod = api_.get(ref);
  if (pod == nullptr) return {};  // its DELETED event follows
  if (is_adoptable(*pod)) {
    orphans_[pod->meta.ns].insert(ref);
  } else if (const auto orphans = orphans_.find(pod->meta.ns); orphans != orphans_.end()) {
    orphans->second.erase(ref);
  }

  Entry& entry = entry_of(ref);
  const ObjectRef owner = owner_in(*pod);
  Concerned concerned{owner, {}};
  if (entry.owner && (entry.generation != ref.generation || entry.owner != owner)) {
    if (entry.generation == ref.generation) concerned.before = entry.owner;
    drop(ref, entry);
  }
  if (!owner) {
    entry.generation = ref.generation;
    return concerned;
  }
  Group& group = groups_[owner];
  const bool active = pod->is_active();
  const bool ready = active && pod->ready;
  if (!entry.owner) {
    if (group.dead > 16 && group.dead * 2 > group.pods.size()) {
      std::erase_if(group.pods, [&](Ref<Pod> other) {
        return entries_[other.slot].generation != other.generation || entries_[other.slot].owner != owner;
      });
      group.dead = 0;
    }
    // A pod that comes back to a former owner may still be in its list.
    if (entry.generation == ref.generation && std::erase(group.pods, ref) > 0) --group.dead;
    entry = Entry{ref.generation, owner, active, ready};
    group.pods.push_back(ref);
    ++group.counts.total;
    group.counts.active += active ? 1 : 0;
    group.counts.ready += ready ? 1 : 0;
    return concerned;
  }
  if (entry.active && !active) vacate(group, api_.engine().cause());
  group.counts.active += (active ? 1 : 0) - (entry.active ? 1 : 0);
  group.counts.ready += (ready ? 1 : 0) - (entry.ready ? 1 : 0);
  entry.active = active;
  entry.ready = ready;
  return concerned;
}

OwnedPods::Concerned OwnedPods::take(const WatchEvent& event) {
  const Ref<Pod> ref = event.ref<Pod>();
  if (event.type != WatchEvent::Type::kDeleted) return refresh(ref);
  const Pod& last = event.last_state<Pod>();
  if (const auto orphans = orphans_.find(last.meta.ns); orphans != orphans_.end()) {
    orphans->second.erase(ref);
    if (orphans->second.empty()) orphans_.erase(orphans);
  }
  Entry& entry = entry_of(ref);
  if (entry.generation == ref.generation && entry.owner) drop(ref, entry);
  return Concerned{owner_in(last), {}};
}

void OwnedPods::clear() {
  entries_.clear();
  groups_.clear();
  orphans_.clear();
}

void OwnedPods::rebuild() {
  clear();
  std::vector<Ref<Pod>> refs = api_.all<Pod>().refs();
  std::sort(refs.begin(), refs.end(), [&](Ref<Pod> a, Ref<Pod> b) { return api_.get(a)->meta.uid < api_.get(b)->meta.uid; });
  for (const Ref<Pod> ref : refs) {
    const Concerned concerned = refresh(ref);
    const Pod& pod = *api_.get(ref);
    // What went while nobody looked is to be replaced now, for the reason that the pod itself still tells.
    if (concerned.owner && !pod.is_active()) vacate(groups_[concerned.owner], pod.meta.cause);
  }
}

OwnedPods::Counts OwnedPods::counts(ObjectRef owner) const {
  const auto group = groups_.find(owner);
  return group == groups_.end() ? Counts{} : group->second.counts;
}

ObjectRef OwnedPods::owner_of(const WatchEvent& event) const {
  const Pod* pod = event.type == WatchEvent::Type::kDeleted ? &event.last_state<Pod>() : api_.get(event.ref<Pod>());
  return pod == nullptr ? ObjectRef{} : owner_in(*pod);
}

std::vector<CauseId> OwnedPods::take_vacancies(ObjectRef owner) {
  const auto group = groups_.find(owner);
  if (group == groups_.end()) return {};
  return std::exchange(group->second.vacancies, {});
}

const std::set<Ref<Pod>>& OwnedPods::orphans(Symbol ns) const {
  static const std::set<Ref<Pod>> kNone;
  const auto found = orphans_.find(ns);
  return found == orphans_.end() ? kNone : found->second;
}

bool OwnedPods::is_orphan(Ref<Pod> pod) const {
  const Pod* object = api_.get(pod);
  return object != nullptr && is_adoptable(*object);
}

}  // namespace sim::k8s

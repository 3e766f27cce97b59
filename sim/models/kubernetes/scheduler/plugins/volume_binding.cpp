#include "sim/models/kubernetes/scheduler/plugins/volume_binding.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "sim/models/kubernetes/scheduler/go_sort.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s::scheduling {

std::string VolumeBinding::pre_filter(const PodInfo& pod) {
  bound_.clear();
  delayed_.clear();
  const ApiServer& api = cache_.api();
  const Interner& names = api.names();
  bool waits = false;
  for (const PodVolume& volume : pod.spec->volumes) {
    const PersistentVolumeClaim* claim = find_claim(api, pod.ns, pod.name, volume);
    if (claim == nullptr) {
      if (volume.claim) return fmt::format("persistentvolumeclaim \"{}\" not found", names.text(volume.claim));
      return fmt::format("waiting for ephemeral volume controller to create the persistentvolumeclaim \"{}-{}\"", names.text(pod.name),
                         names.text(volume.name));
    }
    const std::string& name = names.text(claim->meta.name);
    if (claim->phase == ClaimPhase::kLost) {
      return fmt::format("persistentvolumeclaim \"{}\" bound to non-existent persistentvolume \"{}\"", name, names.text(claim->spec.volume_name));
    }
    if (claim->meta.is_deleting()) return fmt::format("persistentvolumeclaim \"{}\" is being deleted", name);
    if (!volume.claim) {
      const OwnerReference* owner = claim->meta.controller();
      if (owner == nullptr || owner->uid != pod.uid) {
        return fmt::format("PVC {}/{} was not created for pod {}/{} (pod is not owner)", names.text(pod.ns), name, names.text(pod.ns),
                           names.text(pod.name));
      }
    }
    if (claim->is_bound()) {
      bound_.push_back(claim);
    } else if (waits_for_consumer(api, *claim) && !claim->spec.volume_name) {
      delayed_.push_back(api.find<PersistentVolumeClaim>(claim->meta.ns, claim->meta.name));
    } else {
      waits = true;
    }
  }
  if (waits) return "pod has unbound immediate PersistentVolumeClaims";
  open_.clear();
  if (!delayed_.empty()) {
    api.all<PersistentVolume>().for_each([&](Ref<PersistentVolume> ref, const PersistentVolume& volume) {
      if (is_open(volume)) open_.push_back(ref);
    });
  }
  go_sort(delayed_, [&](Ref<PersistentVolumeClaim> a, Ref<PersistentVolumeClaim> b) { return api.get(a)->spec.bytes < api.get(b)->spec.bytes; });
  return {};
}

bool VolumeBinding::is_taken(Symbol volume) const {
  const ApiServer& api = cache_.api();
  for (const auto& [slot, reservation] : reservations_) {
    for (const Reservation::Static& one : reservation.statics) {
      const PersistentVolume* object = api.get(one.volume);
      if (object != nullptr && object->meta.name == volume) return true;
    }
  }
  return false;
}

bool VolumeBinding::has_space(const StorageClass& storage_class, std::int64_t bytes, const Labels& node) const {
  if (storage_class.capacities == nullptr) return true;
  return std::any_of(storage_class.capacities->begin(), storage_class.capacities->end(), [&](const StorageCapacity& capacity) {
    return capacity.bytes >= bytes && capacity.topology && capacity.topology->matches(node, cache_.api().names());
  });
}

VolumeBinding::Verdict VolumeBinding::match(NodeIndex index) const {
  const ApiServer& api = cache_.api();
  const Interner& names = api.names();
  const NodeInfo& node = cache_.node(index);
  Verdict verdict;
  for (const PersistentVolumeClaim* claim : bound_) {
    const PersistentVolume* volume = api.get(api.find<PersistentVolume>(Symbol{}, claim->spec.volume_name));
    verdict.is_missing = volume == nullptr;
    verdict.is_conflict = !verdict.is_missing && !is_usable_from(*volume, node.view.labels, node.name, names);
    if (verdict.is_missing || verdict.is_conflict) break;  // the first claim with a problem is the one that is told
  }
  Reservation& reservation = verdict.reservation;
  reservation.node = node.name;
  std::vector<Ref<PersistentVolumeClaim>> unmatched;
  for (const Ref<PersistentVolumeClaim> ref : delayed_) {
    Symbol selected = api.get(ref)->selected_node;
    for (const auto& [slot, other] : reservations_) {
      if (std::find(other.dynamics.begin(), other.dynamics.end(), ref) != other.dynamics.end()) selected = other.node;
    }
    if (selected && selected != node.name) {
      verdict.no_match = true;
      return verdict;
    }
    (selected ? reservation.dynamics : unmatched).push_back(ref);
  }
  for (const Ref<PersistentVolumeClaim> ref : unmatched) {
    VolumeSearch search;
    search.candidates = &open_;
    search.node_labels = &node.view.labels;
    search.node = node.name;
    search.is_taken = [&](Symbol name) {
      return is_taken(name) || std::any_of(reservation.statics.begin(), reservation.statics.end(),
                                           [&](const Reservation::Static& one) { return api.get(one.volume)->meta.name == name; });
    };
    if (const Ref<PersistentVolume> found = find_volume(api, *api.get(ref), search)) {
      reservation.statics.push_back({ref, found});
    } else {
      reservation.dynamics.push_back(ref);
    }
  }
  // Those that are to be made, the ones with a node first; the first that cannot be is the one that is told.
  for (const Ref<PersistentVolumeClaim> ref : reservation.dynamics) {
    const PersistentVolumeClaim& claim = *api.get(ref);
    const StorageClass* storage_class = class_of(api, claim);
    verdict.no_match = storage_class == nullptr || storage_class->provisioner == api.well_known().no_provisioner ||
                       !is_allowed_by(*storage_class, node.view.labels, names);
    verdict.no_space = !verdict.no_match && !has_space(*storage_class, claim.spec.bytes, node.view.labels);
    if (verdict.no_match || verdict.no_space) break;
  }
  return verdict;
}

StatusId VolumeBinding::filter(NodeIndex node) const {
  const Verdict verdict = match(node);
  if (verdict.is_conflict) {
    if (verdict.no_match) return kStatusVolumeNodeConflictNoMatch;
    return verdict.no_space ? kStatusVolumeNodeConflictNoSpace : kStatusVolumeNodeConflict;
  }
  if (verdict.no_match) return verdict.is_missing ? kStatusVolumeNoMatchMissing : kStatusVolumeNoMatch;
  if (verdict.no_space) return verdict.is_missing ? kStatusVolumeNoSpaceMissing : kStatusVolumeNoSpace;
  return verdict.is_missing ? StatusId{kStatusVolumeMissing} : kFits;
}

bool VolumeBinding::reserve(PodSlot slot, NodeIndex node) {
  if (delayed_.empty()) return false;
  Verdict verdict = match(node);
  if (verdict.no_match || verdict.no_space) return false;
  reservations_[slot] = std::move(verdict.reservation);
  return true;
}

const VolumeBinding::Reservation* VolumeBinding::find(PodSlot slot) const {
  const auto found = reservations_.find(slot);
  return found == reservations_.end() ? nullptr : &found->second;
}

bool VolumeBinding::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const Interner& names) {
  switch (event.action) {
    case Action::kClaimAdd:
    case Action::kClaimUpdate: return uses_claim(pod, event, names);
    case Action::kClassUpdate: return event.is_telling;
    default: return true;
  }
}

}  // namespace sim::k8s::scheduling

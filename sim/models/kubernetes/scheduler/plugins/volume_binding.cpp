#include "sim/models/kubernetes/scheduler/plugins/volume_binding.hpp"

#include <fmt/core.h>

#include <algorithm>

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
  std::sort(delayed_.begin(), delayed_.end(), [&](Ref<PersistentVolumeClaim> a, Ref<PersistentVolumeClaim> b) {
    const PersistentVolumeClaim& left = *api.get(a);
    const PersistentVolumeClaim& right = *api.get(b);
    return left.spec.bytes != right.spec.bytes ? left.spec.bytes < right.spec.bytes : left.meta.uid < right.meta.uid;
  });
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

std::optional<VolumeBinding::Reservation> VolumeBinding::match(NodeIndex index, bool& is_conflict, bool& is_missing) const {
  const ApiServer& api = cache_.api();
  const Interner& names = api.names();
  const NodeInfo& node = cache_.node(index);
  bool matches = true;
  for (const PersistentVolumeClaim* claim : bound_) {
    const PersistentVolume* volume = api.get(api.find<PersistentVolume>(Symbol{}, claim->spec.volume_name));
    is_missing = volume == nullptr;
    is_conflict = !is_missing && !is_usable_from(*volume, node.view.labels, node.name, names);
    if (is_missing || is_conflict) break;  // the first claim with a problem is the one that is told
  }
  Reservation reservation;
  reservation.node = node.name;
  for (const Ref<PersistentVolumeClaim> ref : delayed_) {
    const PersistentVolumeClaim& claim = *api.get(ref);
    Symbol selected = claim.selected_node;
    for (const auto& [slot, other] : reservations_) {
      if (std::find(other.dynamics.begin(), other.dynamics.end(), ref) != other.dynamics.end()) selected = other.node;
    }
    if (selected) {
      if (selected != node.name) matches = false;
      reservation.dynamics.push_back(ref);
      continue;
    }
    VolumeSearch search;
    search.candidates = &open_;
    search.node_labels = &node.view.labels;
    search.node = node.name;
    search.is_taken = [&](Symbol name) {
      return is_taken(name) || std::any_of(reservation.statics.begin(), reservation.statics.end(),
                                           [&](const Reservation::Static& one) { return api.get(one.volume)->meta.name == name; });
    };
    if (const Ref<PersistentVolume> found = find_volume(api, claim, search)) {
      reservation.statics.push_back({ref, found});
      continue;
    }
    const StorageClass* storage_class = class_of(api, claim);
    if (storage_class == nullptr || storage_class->provisioner == api.well_known().no_provisioner ||
        !is_allowed_by(*storage_class, node.view.labels, names)) {
      matches = false;
      continue;
    }
    reservation.dynamics.push_back(ref);
  }
  if (!matches) return std::nullopt;
  return reservation;
}

StatusId VolumeBinding::filter(NodeIndex node) const {
  bool is_conflict = false;
  bool is_missing = false;
  const bool matches = match(node, is_conflict, is_missing).has_value();
  if (is_conflict) return matches ? kStatusVolumeNodeConflict : kStatusVolumeNodeConflictNoMatch;
  if (!matches) return is_missing ? kStatusVolumeNoMatchMissing : kStatusVolumeNoMatch;
  return is_missing ? StatusId{kStatusVolumeMissing} : kFits;
}

bool VolumeBinding::reserve(PodSlot slot, NodeIndex node) {
  if (delayed_.empty()) return false;
  bool is_conflict = false;
  bool is_missing = false;
  std::optional<Reservation> reservation = match(node, is_conflict, is_missing);
  if (!reservation) return false;
  reservations_[slot] = std::move(*reservation);
  return true;
}

const VolumeBinding::Reservation* VolumeBinding::find(PodSlot slot) const {
  const auto found = reservations_.find(slot);
  return found == reservations_.end() ? nullptr : &found->second;
}

bool VolumeBinding::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) {
  if (event.action != Action::kClaimChange) return true;
  return pod.ns == event.claim_ns && std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(),
                                                 [&](const PodVolume& volume) { return !volume.claim || volume.claim == event.claim; });
}

}  // namespace sim::k8s::scheduling

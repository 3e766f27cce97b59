#include "sim/models/kubernetes/volumes/claims.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

#include <fmt/format.h>

namespace sim::k8s {

namespace {

bool matches_terms(const std::vector<NodeSelectorTerm>& terms, const Labels& labels, Symbol node, const Interner& names) {
  return std::any_of(terms.begin(), terms.end(), [&](const NodeSelectorTerm& term) {
    if (term.match_expressions.empty() && term.match_fields.empty()) return false;
    const auto matches_field = [&](const Requirement& field) {
      const bool listed = std::find(field.values.begin(), field.values.end(), node) != field.values.end();
      return field.op == SelectorOperator::kIn ? listed : field.op == SelectorOperator::kNotIn && !listed;
    };
    return std::all_of(term.match_expressions.begin(), term.match_expressions.end(),
                       [&](const Requirement& requirement) { return requirement.matches(labels, names); }) &&
           std::all_of(term.match_fields.begin(), term.match_fields.end(), matches_field);
  });
}

}  // namespace

Symbol claim_name(Interner& names, Symbol pod_name, const PodVolume& volume) {
  if (volume.claim) return volume.claim;
  return names.intern(fmt::format("{}-{}", names.text(pod_name), names.text(volume.name)));
}

const StorageClass* default_class(const ApiServer& api) {
  const StorageClass* best = nullptr;
  api.all<StorageClass>().for_each([&](Ref<StorageClass>, const StorageClass& candidate) {
    if (!candidate.is_default) return;
    const bool better = best == nullptr || candidate.meta.created > best->meta.created ||
                        (candidate.meta.created == best->meta.created && api.names().text(candidate.meta.name) < api.names().text(best->meta.name));
    if (better) best = &candidate;
  });
  return best;
}

PersistentVolumeClaim make_claim(ApiServer& api, Symbol ns, Symbol name, const ClaimTemplate& from) {
  PersistentVolumeClaim claim;
  claim.meta.ns = ns;
  claim.meta.name = name;
  claim.meta.labels = from.labels;
  claim.meta.annotations = from.annotations;
  claim.meta.finalizers.push_back(api.well_known().pvc_protection);
  claim.spec = from.spec;
  if (!claim.spec.storage_class) {
    if (const StorageClass* storage_class = default_class(api)) claim.spec.storage_class = storage_class->meta.name;
  }
  return claim;
}

const StorageClass* class_of(const ApiServer& api, const PersistentVolumeClaim& claim) {
  if (!claim.spec.storage_class || !*claim.spec.storage_class) return nullptr;
  return api.get(api.find<StorageClass>(Symbol{}, *claim.spec.storage_class));
}

bool waits_for_consumer(const ApiServer& api, const PersistentVolumeClaim& claim) {
  const StorageClass* storage_class = class_of(api, claim);
  return storage_class != nullptr && storage_class->wait_for_first_consumer;
}

bool is_usable_from(const PersistentVolume& volume, const Labels& labels, Symbol node, const Interner& names) {
  return !volume.has_node_affinity || matches_terms(volume.node_affinity, labels, node, names);
}

bool is_usable_from(const PersistentVolume& volume, const Node& node, const Interner& names) {
  return is_usable_from(volume, node.meta.labels, node.meta.name, names);
}

bool is_allowed_by(const StorageClass& storage_class, const Labels& labels, const Interner& names) {
  return storage_class.allowed_topologies.empty() || matches_terms(storage_class.allowed_topologies, labels, Symbol{}, names);
}

bool is_claimed_by(const PersistentVolume& volume, const PersistentVolumeClaim& claim) {
  return volume.claim_name == claim.meta.name && volume.claim_ns == claim.meta.ns &&
         (volume.claim_uid == 0 || volume.claim_uid == claim.meta.uid);
}

Ref<PersistentVolume> find_volume(const ApiServer& api, const PersistentVolumeClaim& claim, const VolumeSearch& search) {
  const Interner& names = api.names();
  const Symbol wanted_class = claim.spec.storage_class.value_or(Symbol{});
  Ref<PersistentVolume> reserved;
  Ref<PersistentVolume> best;
  const auto rank = [](const PersistentVolume& volume) { return std::tuple(volume.bytes, std::popcount(volume.access_modes.bits)); };
  const auto consider = [&](Ref<PersistentVolume> ref, const PersistentVolume& volume) {
    if (reserved) return;
    const bool fits = volume.bytes >= claim.spec.bytes && volume.block == claim.spec.block && volume.access_modes.has_all(claim.spec.access_modes);
    if (volume.claim_name) {
      if (!is_claimed_by(volume, claim)) return;
      // One that is reserved but does not fit is passed over: another one may be taken.
      if (fits && volume.storage_class == wanted_class &&
          (search.node_labels == nullptr || is_usable_from(volume, *search.node_labels, search.node, names))) {
        reserved = ref;
      }
      return;
    }
    if (search.only_reserved || !fits || volume.phase != VolumePhase::kAvailable || volume.meta.is_deleting()) return;
    if (volume.storage_class != wanted_class) return;
    if (claim.spec.selector && !claim.spec.selector->matches(volume.meta.labels, names)) return;
    if (search.is_taken && search.is_taken(volume.meta.name)) return;
    if (search.node_labels != nullptr && !is_usable_from(volume, *search.node_labels, search.node, names)) return;
    const PersistentVolume* before = api.get(best);
    if (before == nullptr || rank(volume) < rank(*before) ||
        (rank(volume) == rank(*before) && names.text(volume.meta.name) < names.text(before->meta.name))) {
      best = ref;
    }
  };
  if (search.candidates == nullptr) {
    api.all<PersistentVolume>().for_each(consider);
  } else {
    for (const Ref<PersistentVolume> ref : *search.candidates) {
      if (const PersistentVolume* volume = api.get(ref)) consider(ref, *volume);
    }
  }
  return reserved ? reserved : best;
}

const PersistentVolumeClaim* find_claim(const ApiServer& api, Symbol ns, Symbol pod_name, const PodVolume& volume) {
  Symbol name = volume.claim;
  if (!name) name = api.names().find(fmt::format("{}-{}", api.names().text(pod_name), api.names().text(volume.name)));
  return name ? api.get(api.find<PersistentVolumeClaim>(ns, name)) : nullptr;
}

const PersistentVolume* find_bound_volume(const ApiServer& api, Symbol ns, Symbol pod_name, const PodVolume& volume) {
  const PersistentVolumeClaim* claim = find_claim(api, ns, pod_name, volume);
  if (claim == nullptr || !claim->is_bound()) return nullptr;
  return api.get(api.find<PersistentVolume>(Symbol{}, claim->spec.volume_name));
}

}  // namespace sim::k8s

#include "sim/models/kubernetes/scheduler/plugins/volume_zone.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s::scheduling {

std::string VolumeZone::pre_filter(const PodInfo& pod) {
  wanted_.clear();
  const ApiServer& api = cache_.api();
  const WellKnown& known = api.well_known();
  for (const PodVolume& volume : pod.spec->volumes) {
    if (!volume.claim) continue;  // generic ephemeral volumes are not looked at
    const PersistentVolumeClaim* claim = find_claim(api, pod.ns, pod.name, volume);
    if (claim == nullptr) continue;
    if (!claim->spec.volume_name) {
      // VolumeBinding, which no profile leaves out, has refused the pod before; said all the same, as upstream says it.
      const std::optional<Symbol>& wanted = claim->spec.storage_class;
      if (!wanted || !*wanted) return "PersistentVolumeClaim had no pv name and storageClass name";
      const StorageClass* found = api.get(api.find<StorageClass>(Symbol{}, *wanted));
      if (found == nullptr) return fmt::format("storageclasses.storage.k8s.io \"{}\" not found", api.names().text(*wanted));
      if (!found->wait_for_first_consumer) return "PersistentVolume had no name";
      continue;
    }
    const PersistentVolume* bound = api.get(api.find<PersistentVolume>(Symbol{}, claim->spec.volume_name));
    if (bound == nullptr) return fmt::format("persistentvolume \"{}\" not found", api.names().text(claim->spec.volume_name));
    for (const Symbol key : {known.zone_beta, known.region_beta, known.zone, known.region}) {
      const std::optional<Symbol> value = bound->meta.labels.find(key);
      if (!value) continue;
      // "a__b": any of them. A value that was never interned is no node's.
      Topology topology{key, {}};
      std::string_view rest = api.names().text(*value);
      for (;;) {
        const std::size_t end = rest.find("__");
        if (const Symbol one = api.names().find(rest.substr(0, end))) topology.values.push_back(one);
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 2);
      }
      wanted_.push_back(std::move(topology));
    }
  }
  return {};
}

StatusId VolumeZone::filter(NodeIndex index) const {
  if (wanted_.empty()) return kFits;
  const Labels& labels = cache_.node(index).view.labels;
  const WellKnown& known = cache_.api().well_known();
  const auto present = {known.zone_beta, known.region_beta, known.zone, known.region};
  if (std::none_of(present.begin(), present.end(), [&](Symbol key) { return labels.has(key); })) return kFits;  // a cluster of one zone
  for (const Topology& topology : wanted_) {
    std::optional<Symbol> value = labels.find(topology.key);
    if (!value && topology.key == known.zone_beta) value = labels.find(known.zone);
    if (!value && topology.key == known.region_beta) value = labels.find(known.region);
    if (!value || std::find(topology.values.begin(), topology.values.end(), *value) == topology.values.end()) return kStatusVolumeZone;
  }
  return kFits;
}

bool VolumeZone::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) {
  switch (event.action) {
    case Action::kClaimAdd:
    case Action::kClaimUpdate:  // claims of generic ephemeral volumes are not looked at
      return pod.ns == event.claim_ns &&
             std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(), [&](const PodVolume& volume) { return volume.claim == event.claim; });
    case Action::kClassAdd:
    case Action::kVolumeUpdate: return event.is_telling;
    default: return true;
  }
}

Labels VolumeZone::topology_of(const Labels& labels, const WellKnown& known) {
  Labels result;
  for (const Symbol key : {known.zone_beta, known.region_beta, known.zone, known.region}) {
    if (const std::optional<Symbol> value = labels.find(key)) result.set(key, *value);
  }
  return result;
}

}  // namespace sim::k8s::scheduling

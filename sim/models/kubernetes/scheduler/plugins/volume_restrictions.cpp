#include "sim/models/kubernetes/scheduler/plugins/volume_restrictions.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s::scheduling {

std::string VolumeRestrictions::pre_filter(const PodInfo& pod) {
  conflicting_.clear();
  const ApiServer& api = cache_.api();
  std::vector<const PersistentVolumeClaim*> exclusive;
  for (const PodVolume& volume : pod.spec->volumes) {
    if (!volume.claim) continue;
    const PersistentVolumeClaim* claim = find_claim(api, pod.ns, pod.name, volume);
    if (claim == nullptr) return fmt::format("persistentvolumeclaim \"{}\" not found", api.names().text(volume.claim));
    if (claim->spec.access_modes.has(AccessModes::kReadWriteOncePod)) exclusive.push_back(claim);
  }
  if (exclusive.empty()) return {};
  for (const NodeIndex node : cache_.order()) {
    for (const PodSlot slot : cache_.node(node).pods) {
      const PodInfo& other = cache_.pod(slot);
      if (other.ns != pod.ns || other.ref == pod.ref) continue;
      const bool uses = std::any_of(other.spec->volumes.begin(), other.spec->volumes.end(), [&](const PodVolume& volume) {
        return volume.claim && std::find(exclusive.begin(), exclusive.end(), find_claim(api, other.ns, other.name, volume)) != exclusive.end();
      });
      if (uses) conflicting_.push_back(slot);
    }
  }
  return {};
}

StatusId VolumeRestrictions::filter(const std::vector<PodSlot>& off) const {
  for (const PodSlot slot : conflicting_) {
    if (std::find(off.begin(), off.end(), slot) == off.end()) return kStatusVolumeInUse;
  }
  return kFits;
}

bool VolumeRestrictions::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const ApiServer& api) {
  if (event.action == Action::kNodeAdd) return true;
  const auto uses = [&](Symbol ns, Symbol claim) {
    return pod.ns == ns && std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(), [&](const PodVolume& volume) { return volume.claim == claim; });
  };
  if (event.action == Action::kClaimChange) return uses(event.claim_ns, event.claim);
  const PodView& gone = *event.pod_before;
  return std::any_of(gone.spec->volumes.begin(), gone.spec->volumes.end(), [&](const PodVolume& volume) {
    if (!volume.claim || !uses(gone.ns, volume.claim)) return false;
    const PersistentVolumeClaim* claim = api.get(api.find<PersistentVolumeClaim>(gone.ns, volume.claim));
    return claim != nullptr && claim->spec.access_modes.has(AccessModes::kReadWriteOncePod);
  });
}

}  // namespace sim::k8s::scheduling

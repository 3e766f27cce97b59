#include "sim/models/kubernetes/scheduler/plugins/volume_restrictions.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s::scheduling {

std::string VolumeRestrictions::pre_filter(const PodInfo& pod) {
  exclusive_.clear();
  conflicts_ = 0;
  const ApiServer& api = cache_.api();
  for (const PodVolume& volume : pod.spec->volumes) {
    if (!volume.claim) continue;
    const PersistentVolumeClaim* claim = find_claim(api, pod.ns, pod.name, volume);
    if (claim == nullptr) return fmt::format("persistentvolumeclaim \"{}\" not found", api.names().text(volume.claim));
    const bool is_new = std::find(exclusive_.begin(), exclusive_.end(), volume.claim) == exclusive_.end();
    if (is_new && claim->spec.access_modes.has(AccessModes::kReadWriteOncePod)) exclusive_.push_back(volume.claim);
  }
  if (exclusive_.empty()) return {};
  std::vector<bool> is_used(exclusive_.size(), false);
  for (const NodeIndex node : cache_.order()) {
    for (const PodSlot slot : cache_.node(node).pods) {
      if (cache_.pod(slot).ns != pod.ns) continue;
      for (const PodVolume& volume : cache_.pod(slot).spec->volumes) {
        const auto place = std::find(exclusive_.begin(), exclusive_.end(), volume.claim);
        if (volume.claim && place != exclusive_.end()) is_used[static_cast<std::size_t>(place - exclusive_.begin())] = true;
      }
    }
  }
  conflicts_ = std::count(is_used.begin(), is_used.end(), true);
  if (conflicts_ == 0) exclusive_.clear();  // skipped for this pod, in dry runs too
  return {};
}

void VolumeRestrictions::shift(const PodSpec& other, std::int64_t change) {
  for (const PodVolume& volume : other.volumes) {
    if (volume.claim && std::find(exclusive_.begin(), exclusive_.end(), volume.claim) != exclusive_.end()) conflicts_ += change;
  }
}

bool VolumeRestrictions::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) {
  const auto uses = [&](Symbol ns, Symbol claim) {
    return pod.ns == ns && std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(), [&](const PodVolume& volume) { return volume.claim == claim; });
  };
  if (event.action == Action::kClaimAdd) return uses(event.claim_ns, event.claim);
  if (event.action != Action::kPodDelete) return true;
  // Whatever the claim's access modes: upstream does not look the claim up here.
  const PodView& gone = *event.pod_before;
  return std::any_of(gone.spec->volumes.begin(), gone.spec->volumes.end(),
                     [&](const PodVolume& volume) { return volume.claim && uses(gone.ns, volume.claim); });
}

}  // namespace sim::k8s::scheduling

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace sim::k8s::scheduling {

bool uses_claim(const PodInfo& pod, const ClusterEvent& event, const Interner& names) {
  return pod.ns == event.claim_ns && std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(), [&](const PodVolume& volume) {
    if (volume.claim) return volume.claim == event.claim;
    return fmt::format("{}-{}", names.text(pod.name), names.text(volume.name)) == names.text(event.claim);
  });
}

}  // namespace sim::k8s::scheduling

#include "sim/models/kubernetes/kubelet/pod_phase.hpp"

#include <algorithm>

namespace sim::k8s::kubelet {

bool should_restart(RestartPolicy policy, std::int32_t exit_code) {
  switch (policy) {
    case RestartPolicy::kAlways: return true;
    case RestartPolicy::kOnFailure: return exit_code != 0;
    case RestartPolicy::kNever: return false;
  }
  return false;
}

PodPhase pod_phase(RestartPolicy policy, const std::vector<ContainerFacts>& init_containers, const std::vector<ContainerFacts>& containers,
                   bool pod_ended) {
  const bool initialized = std::any_of(containers.begin(), containers.end(), [](const ContainerFacts& c) { return c.ran; });
  bool something_runs = false;
  bool init_pending = false;
  for (const ContainerFacts& c : init_containers) {
    if (c.is_sidecar) {
      something_runs = something_runs || c.running;
      init_pending = init_pending || (!initialized && !c.started);
      continue;
    }
    if (initialized) continue;  // never looked at again once a regular container ran
    if (c.ended && c.exit_code != 0 && (pod_ended || policy == RestartPolicy::kNever)) return PodPhase::kFailed;
    init_pending = init_pending || !c.ended || c.exit_code != 0;
  }
  if (pod_ended && !initialized) return PodPhase::kFailed;  // statuses of containers that never ran are made up with exit code 137
  bool waiting_first = false;
  bool some_ended = false;
  bool all_succeeded = true;
  bool will_restart = false;
  for (const ContainerFacts& c : containers) {
    something_runs = something_runs || c.running;
    if (c.running) continue;
    if (c.ended) {
      some_ended = true;
      all_succeeded = all_succeeded && c.exit_code == 0;
      will_restart = will_restart || should_restart(policy, c.exit_code);
    } else if (pod_ended) {
      all_succeeded = false;
    } else {
      waiting_first = waiting_first || !c.ran;
    }
  }
  const bool regular_runs = std::any_of(containers.begin(), containers.end(), [](const ContainerFacts& c) { return c.running; });
  if (!pod_ended && (init_pending || waiting_first)) return PodPhase::kPending;
  // Sidecars that outlive the last regular container do not keep a finished pod Running: they are being stopped.
  if (regular_runs || (something_runs && (!some_ended || will_restart))) return PodPhase::kRunning;
  if (some_ended) {
    if (pod_ended) return all_succeeded ? PodPhase::kSucceeded : PodPhase::kFailed;
    if (will_restart) return PodPhase::kRunning;
    return all_succeeded ? PodPhase::kSucceeded : PodPhase::kFailed;
  }
  return pod_ended ? PodPhase::kFailed : PodPhase::kPending;
}

}  // namespace sim::k8s::kubelet

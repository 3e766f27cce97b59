/// The phase of a pod from the states of its containers.
///
/// Source:     reference kubernetes 3.5: pkg/kubelet/kubelet_pods.go (getPhase), container/helpers.go (ShouldContainerBeRestarted).
/// Leaves out: per-container restart policies and rules (beta) except sidecars.
/// Checked by: tests/models/kubernetes/kubelet_phase_test.cpp.
#pragma once

#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s::kubelet {

/// Whether a container that ended with `exit_code` is started again (unless its pod is being deleted).
bool should_restart(RestartPolicy policy, std::int32_t exit_code);

/// What the phase depends on, of one container.
struct ContainerFacts {
  bool running = false;
  bool ended = false;  // an instance ended and none runs
  bool ran = false;    // an instance ran at some time
  bool started = false;
  std::int32_t exit_code = 0;
  bool is_sidecar = false;  // init containers only
};

/// `pod_ended`: nothing will be started any more (deleted, evicted).
PodPhase pod_phase(RestartPolicy policy, const std::vector<ContainerFacts>& init_containers, const std::vector<ContainerFacts>& containers,
                   bool pod_ended);

}  // namespace sim::k8s::kubelet

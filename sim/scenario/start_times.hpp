/// When the pods of a dump began to run: it decides which of several equal pods a preemption takes.
#pragma once

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/scenario/manifests.hpp"

namespace sim::scenario {

/// Gives the pods of a set that are stored in the API server the start times of their manifests, as spans before the latest of them. For questions
/// about the dump as it stands; in a run each kubelet starts its pods anew.
void keep_start_times(const ManifestSet& set, k8s::ApiServer& api);

}  // namespace sim::scenario

/// POST pods/eviction: deletes a pod unless a PodDisruptionBudget forbids it.
///
/// Source: pkg/registry/core/pod/storage/eviction.go (reference 2.10).
#pragma once

#include <string>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

struct EvictionResult {
  ApiStatus status = ApiStatus::kOk;
  std::string message;  // of a refusal, as the API words it
};
/// `reason` is what the log says ("drain of w3").
EvictionResult evict(ApiServer& api, Ref<Pod> pod, const DeleteOptions& options, std::string_view reason);

}  // namespace sim::k8s

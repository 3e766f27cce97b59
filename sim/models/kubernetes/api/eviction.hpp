/// POST pods/eviction: deletes a pod unless a PodDisruptionBudget forbids it.
///
/// Source: pkg/registry/core/pod/storage/eviction.go (reference 2.10).
/// Leaves out: write conflicts and their retries (a write here is atomic); dry run; 403 of an overfull disruptedPods list is a kServerError.
/// Checked by: tests/models/kubernetes/controllers/eviction_test.cpp.
#pragma once

#include <string>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

struct EvictionResult {
  ApiStatus status = ApiStatus::kOk;
  std::string message;  // of a refusal, as the API words it
  std::string detail;   // the status cause beside it: which budget, how many healthy pods it needs and has
  Ref<PodDisruptionBudget> budget{};  // the budget that refused
};
/// `reason` is what the log says ("drain of w3"). A success is recorded as EvictionByEvictionAPI; a refusal is not (a client may
/// repeat it every few seconds for days): who asks decides what to record.
EvictionResult evict(ApiServer& api, Ref<Pod> pod, const DeleteOptions& options, std::string_view reason);

/// The budgets that select this pod, in the order of their creation.
std::vector<Ref<PodDisruptionBudget>> budgets_of(const ApiServer& api, const Pod& pod);

}  // namespace sim::k8s

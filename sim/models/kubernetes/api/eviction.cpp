#include "sim/models/kubernetes/api/eviction.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::k8s {

namespace {

constexpr std::size_t kDisruptedPodsMax = 2000;  // MaxDisruptedPodSize
constexpr const char* kWouldViolate = "Cannot evict pod as it would violate the pod's disruption budget.";

bool ignores_budgets(const Pod& pod) { return pod.is_terminal() || pod.phase == PodPhase::kPending || pod.meta.is_deleting(); }

EvictionResult refusal(ApiStatus status, std::string message, std::string detail, Ref<PodDisruptionBudget> budget) {
  EvictionResult result;
  result.status = status;
  result.message = std::move(message);
  result.detail = std::move(detail);
  result.budget = budget;
  return result;
}

/// checkAndDecrement without the write: empty when the budget allows one more disruption.
std::optional<EvictionResult> check(const Interner& names, Ref<PodDisruptionBudget> ref, const PodDisruptionBudget& budget) {
  const std::string& name = names.text(budget.meta.name);
  if (budget.observed_generation < budget.meta.generation) {
    return refusal(ApiStatus::kTooManyRequests, kWouldViolate,
                   fmt::format("The disruption budget {} is still being processed by the server.", name), ref);
  }
  if (budget.disrupted_pods.size() > kDisruptedPodsMax) {
    return refusal(ApiStatus::kServerError, "DisruptedPods map too big - too many evictions not confirmed by PDB controller", {}, ref);
  }
  if (budget.disruptions_allowed > 0) return std::nullopt;
  std::string detail;
  if (!budget.sync_failed.empty()) {
    detail = fmt::format("The disruption budget {} does not allow evicting pods currently because it failed sync: {}", name, budget.sync_failed);
  } else if (budget.current_healthy <= budget.desired_healthy) {
    detail = fmt::format("The disruption budget {} needs {} healthy pods and has {} currently", name, budget.desired_healthy, budget.current_healthy);
  } else {
    detail = fmt::format("The disruption budget {} does not allow evicting pods currently", name);
  }
  return refusal(ApiStatus::kTooManyRequests, kWouldViolate, std::move(detail), ref);
}

EvictionResult add_condition_and_delete(ApiServer& api, Ref<Pod> ref, const DeleteOptions& options, std::string_view reason) {
  const CauseId record = api.record(ref, "EvictionByEvictionAPI", fmt::format("Eviction API: evicting ({})", reason));
  const ScopedCause because(api.engine(), record);
  api.update(ref, Change::kStatus, [&](Pod& pod) {
    pod.disruption_target = true;
    pod.disruption_reason = api.well_known().eviction_by_api;
  });
  EvictionResult result;
  result.status = api.remove(ref, options);
  return result;
}

}  // namespace

std::vector<Ref<PodDisruptionBudget>> budgets_of(const ApiServer& api, const Pod& pod) {
  std::vector<Ref<PodDisruptionBudget>> found;
  api.all<PodDisruptionBudget>().for_each([&](Ref<PodDisruptionBudget> ref, const PodDisruptionBudget& budget) {
    if (budget.meta.ns != pod.meta.ns || !budget.selector) return;
    if (budget.selector->matches(pod.meta.labels, api.names())) found.push_back(ref);
  });
  std::sort(found.begin(), found.end(), [&](Ref<PodDisruptionBudget> a, Ref<PodDisruptionBudget> b) {
    return api.get(a)->meta.uid < api.get(b)->meta.uid;
  });
  return found;
}

EvictionResult evict(ApiServer& api, Ref<Pod> ref, const DeleteOptions& options, std::string_view reason) {
  EvictionResult result;
  if (!api.writable()) {
    result.status = ApiStatus::kUnavailable;
    result.message = "the API server cannot serve writes";
    return result;
  }
  const Pod* pod = api.get(ref);
  if (pod == nullptr) {
    result.status = ApiStatus::kNotFound;
    result.message = "pod not found";
    return result;
  }
  if (options.uid && *options.uid != pod->meta.uid) {
    result.status = ApiStatus::kConflict;
    result.message = "the UID in the precondition does not match";
    return result;
  }

  if (ignores_budgets(*pod)) {
    // Deleted as it is, without the condition: it disrupts nothing any more.
    const bool again = pod->meta.is_deleting();
    const CauseId record =
        again ? api.engine().cause() : api.record(ref, "EvictionByEvictionAPI", fmt::format("Eviction API: evicting ({})", reason));
    const ScopedCause because(api.engine(), record);
    result.status = api.remove(ref, options);
    return result;
  }

  const std::vector<Ref<PodDisruptionBudget>> budgets = budgets_of(api, *pod);
  if (budgets.size() > 1) {
    return refusal(ApiStatus::kServerError,
                   "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.", {}, budgets.front());
  }
  if (budgets.empty()) return add_condition_and_delete(api, ref, options, reason);

  const PodDisruptionBudget& budget = *api.get(budgets.front());
  if (!pod->ready) {
    // An unhealthy pod does not count, so its eviction takes nothing from the budget.
    const bool enough_healthy = budget.current_healthy >= budget.desired_healthy && budget.desired_healthy > 0;
    if (budget.always_allow_unhealthy || enough_healthy) return add_condition_and_delete(api, ref, options, reason);
  }
  if (std::optional<EvictionResult> refused = check(api.names(), budgets.front(), budget)) return *std::move(refused);
  const std::uint64_t uid = pod->meta.uid;
  const SimTime now = api.engine().now();
  api.update(budgets.front(), Change::kStatus, [&](PodDisruptionBudget& b) {
    --b.disruptions_allowed;
    b.disrupted_pods.push_back(PodDisruptionBudget::Disrupted{uid, now});
  });
  return add_condition_and_delete(api, ref, options, reason);
}

}  // namespace sim::k8s

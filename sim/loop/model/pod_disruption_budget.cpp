#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/take_spec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using BudgetCodec = Codec<PodDisruptionBudget>;

void BudgetCodec::render(const PodDisruptionBudget& budget, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  if (spec.at("selector").is_null() && budget.selector) spec.set("selector", selector_json(*budget.selector, context.world.names));
  if (spec.at("minAvailable").is_null() && budget.min_available) spec.set("minAvailable", int_or_percent_json(*budget.min_available));
  if (spec.at("maxUnavailable").is_null() && budget.max_unavailable) spec.set("maxUnavailable", int_or_percent_json(*budget.max_unavailable));
  Json& status = document["status"];
  // An eviction takes from the budget, whoever computes it.
  status.set("disruptionsAllowed", budget.disruptions_allowed);
  if (!context.external_controllers) {
    set_count(status, "observedGeneration", static_cast<std::int64_t>(budget.observed_generation));
    status.set("currentHealthy", budget.current_healthy);
    status.set("desiredHealthy", budget.desired_healthy);
    status.set("expectedPods", budget.expected_pods);
    const bool allowed = budget.disruptions_allowed > 0;
    Json& condition = set_condition(status, "DisruptionAllowed", budget.sync_failed.empty() && allowed ? "True" : "False",
                                    !budget.sync_failed.empty() ? "SyncFailed" : allowed ? "SufficientPods" : "InsufficientPods", budget.sync_failed,
                                    context.time(context.world.engine.now()));
    // A metav1.Condition: its message is there also when it is empty (clients that check for it refuse the budget otherwise), and it says of which generation it speaks.
    condition.set_default("message", "");
    set_count(condition, "observedGeneration", static_cast<std::int64_t>(budget.observed_generation));
  }
  for (const std::string_view key : {"currentHealthy", "desiredHealthy", "expectedPods"}) status.set_default(key, 0);
  Json disrupted = Json::object();
  for (const PodDisruptionBudget::Disrupted& entry : budget.disrupted_pods) {
    const std::string uid = context.store.uid_text(entry.pod_uid);
    context.world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
      if (pod.meta.uid == entry.pod_uid) disrupted.set(context.text(pod.meta.name), context.time(entry.at));
    });
  }
  if (disrupted.is_empty()) {
    status.erase("disruptedPods");
  } else {
    status.set("disruptedPods", std::move(disrupted));
  }
}

Change BudgetCodec::apply_spec(PodDisruptionBudget& to, PodDisruptionBudget& from, const Json&, RenderContext&) {
  take_spec(to, from);
  return Change::kSpec;
}

Change BudgetCodec::apply_status(PodDisruptionBudget& to, const Json&, const Json& document, RenderContext& context) {
  const Json& status = document.at("status");
  to.observed_generation = static_cast<std::uint64_t>(status.at("observedGeneration").as_integer());
  to.current_healthy = status.at("currentHealthy").as_integer();
  to.desired_healthy = status.at("desiredHealthy").as_integer();
  to.expected_pods = status.at("expectedPods").as_integer();
  to.disruptions_allowed = status.at("disruptionsAllowed").as_integer();
  std::erase_if(to.disrupted_pods, [&](const PodDisruptionBudget::Disrupted& entry) {
    bool listed = false;
    context.world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
      if (pod.meta.uid == entry.pod_uid) listed = status.at("disruptedPods").find(context.text(pod.meta.name)) != nullptr;
    });
    return !listed;
  });
  return Change::kStatus;
}

void BudgetCodec::created(PodDisruptionBudget&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop

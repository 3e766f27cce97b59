#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void prepare(Json& budget, const Json* before) {
  if (before == nullptr) {
    budget.set("status", Json::object({{"disruptionsAllowed", 0}, {"currentHealthy", 0}, {"desiredHealthy", 0}, {"expectedPods", 0}}));
  } else {
    budget.set("status", before->at("status"));
  }
}

void validate(const Json& budget, const Json*, FieldErrors& errors) {
  const Json& spec = budget.at("spec");
  if (!spec.at("minAvailable").is_null() && !spec.at("maxUnavailable").is_null()) {
    errors.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
  }
}

std::string amount(const Json& value) { return value.is_null() ? "N/A" : value.is_string() ? value.text() : value.dump(); }

std::vector<Json> row(const Json& budget, Now now) {
  const Json& spec = budget.at("spec");
  return {budget.at({"metadata", "name"}), amount(spec.at("minAvailable")), amount(spec.at("maxUnavailable")), budget.at({"status", "disruptionsAllowed"}).as_integer(),
          age(budget.at({"metadata", "creationTimestamp"}), now)};
}

}  // namespace

KindRules pod_disruption_budget_rules() {
  return {"policy", "PodDisruptionBudget", nullptr, prepare, validate, {{"Name", "string", "name"}, {"Min Available"}, {"Max Unavailable"}, {"Allowed Disruptions", "integer"}, {"Age"}}, row};
}

}  // namespace sim::loop

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& set) {
  Json& spec = set["spec"];
  spec.set_default("revisionHistoryLimit", 10);
  Json& strategy = spec["updateStrategy"];
  strategy.set_default("type", "RollingUpdate");
  if (strategy.at("type").text() == "RollingUpdate") {
    strategy["rollingUpdate"].set_default("maxUnavailable", 1);
    strategy["rollingUpdate"].set_default("maxSurge", 0);
  }
  default_pod_template(spec);
}

void prepare(Json& set, const Json* before) {
  if (before == nullptr) {
    set.set("status", Json::object({{"currentNumberScheduled", 0}, {"numberMisscheduled", 0}, {"desiredNumberScheduled", 0}, {"numberReady", 0}}));
  } else {
    set.set("status", before->at("status"));
  }
}

void validate(const Json& set, const Json* before, FieldErrors& errors) {
  validate_workload_selector(set, before, errors);
  validate_pod_spec(set.at({"spec", "template", "spec"}), "spec.template.spec", errors);
}

std::vector<Json> row(const Json& set, Now now) {
  const Json& spec = set.at("spec");
  const Json& status = set.at("status");
  Json node_selector = Json::object({{"matchLabels", spec.at({"template", "spec", "nodeSelector"})}});
  std::vector<Json> cells = {set.at({"metadata", "name"}),
                             status.at("desiredNumberScheduled").as_integer(),
                             status.at("currentNumberScheduled").as_integer(),
                             status.at("numberReady").as_integer(),
                             status.at("updatedNumberScheduled").as_integer(),
                             status.at("numberAvailable").as_integer(),
                             selector_text(node_selector),
                             age(set.at({"metadata", "creationTimestamp"}), now)};
  for (Json& cell : containers_and_images(spec.at({"template", "spec"}))) cells.push_back(std::move(cell));
  cells.emplace_back(selector_text(spec.at("selector")));
  return cells;
}

}  // namespace

KindRules daemon_set_rules() {
  return {"apps", "DaemonSet", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Desired", "integer"}, {"Current", "integer"}, {"Ready", "integer"}, {"Up-to-date", "integer"}, {"Available", "integer"}, {"Node Selector"}, {"Age"},
           {"Containers", "string", "", 1}, {"Images", "string", "", 1}, {"Selector", "string", "", 1}},
          row};
}

}  // namespace sim::loop

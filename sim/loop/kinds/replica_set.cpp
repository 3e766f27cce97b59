#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& set) {
  Json& spec = set["spec"];
  spec.set_default("replicas", 1);
  default_pod_template(spec);
}

void prepare(Json& set, const Json* before) {
  if (before == nullptr) {
    set.set("status", Json::object({{"replicas", 0}}));
  } else {
    set.set("status", before->at("status"));
  }
}

void validate(const Json& set, const Json* before, FieldErrors& errors) {
  validate_non_negative(set, "replicas", errors);
  validate_non_negative(set, "minReadySeconds", errors);
  validate_workload_selector(set, before, errors);
  validate_pod_spec(set.at({"spec", "template", "spec"}), "spec.template.spec", errors);
}

std::vector<Json> row(const Json& set, Now now) {
  const Json& spec = set.at("spec");
  const Json& status = set.at("status");
  std::vector<Json> cells = {set.at({"metadata", "name"}), spec.at("replicas").as_integer(), status.at("replicas").as_integer(), status.at("readyReplicas").as_integer(),
                             age(set.at({"metadata", "creationTimestamp"}), now)};
  for (Json& cell : containers_and_images(spec.at({"template", "spec"}))) cells.push_back(std::move(cell));
  cells.emplace_back(selector_text(spec.at("selector")));
  return cells;
}

}  // namespace

KindRules replica_set_rules() {
  return {"apps", "ReplicaSet", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Desired", "integer"}, {"Current", "integer"}, {"Ready", "integer"}, {"Age"}, {"Containers", "string", "", 1}, {"Images", "string", "", 1}, {"Selector", "string", "", 1}},
          row};
}

}  // namespace sim::loop

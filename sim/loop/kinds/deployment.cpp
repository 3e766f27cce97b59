#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& deployment) {
  Json& spec = deployment["spec"];
  spec.set_default("replicas", 1);
  spec.set_default("revisionHistoryLimit", 10);
  spec.set_default("progressDeadlineSeconds", 600);
  Json& strategy = spec["strategy"];
  strategy.set_default("type", "RollingUpdate");
  if (strategy.at("type").text() == "RollingUpdate") {
    Json& rolling = strategy["rollingUpdate"];
    rolling.set_default("maxUnavailable", "25%");
    rolling.set_default("maxSurge", "25%");
  }
  default_pod_template(spec);
}

void prepare(Json& deployment, const Json* before) {
  if (before == nullptr) {
    deployment.set("status", Json::object());
  } else {
    deployment.set("status", before->at("status"));
  }
}

void validate(const Json& deployment, const Json* before, FieldErrors& errors) {
  validate_non_negative(deployment, "replicas", errors);
  validate_non_negative(deployment, "minReadySeconds", errors);
  validate_non_negative(deployment, "revisionHistoryLimit", errors);
  validate_workload_selector(deployment, before, errors);
  validate_pod_spec(deployment.at({"spec", "template", "spec"}), "spec.template.spec", errors);
  const Json& spec = deployment.at("spec");
  if (spec.at("progressDeadlineSeconds").as_integer() <= spec.at("minReadySeconds").as_integer()) {
    errors.invalid("spec.progressDeadlineSeconds", spec.at("progressDeadlineSeconds"), "must be greater than minReadySeconds");
  }
  const std::string& type = spec.at({"strategy", "type"}).text();
  if (type == "Recreate" && !spec.at({"strategy", "rollingUpdate"}).is_null()) {
    errors.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
  } else if (type != "Recreate" && type != "RollingUpdate") {
    errors.not_supported("spec.strategy.type", type, {"Recreate", "RollingUpdate"});
  }
}

std::vector<Json> row(const Json& deployment, Now now) {
  const Json& spec = deployment.at("spec");
  const Json& status = deployment.at("status");
  std::vector<Json> cells = {deployment.at({"metadata", "name"}), fmt::format("{}/{}", status.at("readyReplicas").as_integer(), spec.at("replicas").as_integer()),
                             status.at("updatedReplicas").as_integer(), status.at("availableReplicas").as_integer(), age(deployment.at({"metadata", "creationTimestamp"}), now)};
  for (Json& cell : containers_and_images(spec.at({"template", "spec"}))) cells.push_back(std::move(cell));
  cells.emplace_back(selector_text(spec.at("selector")));
  return cells;
}

}  // namespace

KindRules deployment_rules() {
  return {"apps", "Deployment", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Ready"}, {"Up-to-date"}, {"Available"}, {"Age"}, {"Containers", "string", "", 1}, {"Images", "string", "", 1}, {"Selector", "string", "", 1}},
          row};
}

}  // namespace sim::loop

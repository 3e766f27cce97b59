#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& set) {
  Json& spec = set["spec"];
  spec.set_default("replicas", 1);
  spec.set_default("podManagementPolicy", "OrderedReady");
  spec.set_default("revisionHistoryLimit", 10);
  Json& strategy = spec["updateStrategy"];
  strategy.set_default("type", "RollingUpdate");
  if (strategy.at("type").text() == "RollingUpdate") strategy["rollingUpdate"].set_default("partition", 0);
  Json& retention = spec["persistentVolumeClaimRetentionPolicy"];
  retention.set_default("whenDeleted", "Retain");
  retention.set_default("whenScaled", "Retain");
  default_pod_template(spec);
  if (Json* claims = spec.find("volumeClaimTemplates")) {
    for (Json& claim : claims->items()) {
      claim.set_default("apiVersion", "v1");
      claim.set_default("kind", "PersistentVolumeClaim");
      claim["spec"].set_default("volumeMode", "Filesystem");
      claim["status"].set_default("phase", "Pending");
    }
  }
}

void prepare(Json& set, const Json* before) {
  if (before == nullptr) {
    set.set("status", Json::object({{"replicas", 0}, {"availableReplicas", 0}}));
  } else {
    set.set("status", before->at("status"));
  }
}

void validate(const Json& set, const Json* before, FieldErrors& errors) {
  validate_non_negative(set, "replicas", errors);
  validate_workload_selector(set, nullptr, errors);
  validate_pod_spec(set.at({"spec", "template", "spec"}), "spec.template.spec", errors);
  if (before == nullptr) return;
  const auto fixed = [](const Json& document) {
    Json spec = document.at("spec");
    for (const std::string_view field : {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}) {
      spec.erase(field);
    }
    return spec;
  };
  if (!(fixed(set) == fixed(*before))) {
    errors.forbidden("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
                             "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
  }
}

std::vector<Json> row(const Json& set, Now now) {
  const Json& spec = set.at("spec");
  std::vector<Json> cells = {set.at({"metadata", "name"}), fmt::format("{}/{}", set.at({"status", "readyReplicas"}).as_integer(), spec.at("replicas").as_integer()),
                             age(set.at({"metadata", "creationTimestamp"}), now)};
  for (Json& cell : containers_and_images(spec.at({"template", "spec"}))) cells.push_back(std::move(cell));
  return cells;
}

}  // namespace

KindRules stateful_set_rules() {
  return {"apps", "StatefulSet", defaults, prepare, validate, {{"Name", "string", "name"}, {"Ready"}, {"Age"}, {"Containers", "string", "", 1}, {"Images", "string", "", 1}}, row};
}

}  // namespace sim::loop

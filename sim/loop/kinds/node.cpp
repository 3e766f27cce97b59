#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& node) {
  const Json& status = node.at("status");
  if (status.is_object() && status.find("allocatable") == nullptr && status.find("capacity") != nullptr) {
    const Json capacity = status.at("capacity");
    node["status"].set("allocatable", capacity);
  }
  node["spec"];
  if (node.at("spec").is_null()) node.set("spec", Json::object());
}

void prepare(Json& node, const Json* before) {
  if (before == nullptr) return;
  node.set("status", before->at("status"));
}

void validate(const Json& node, const Json* before, FieldErrors& errors) {
  if (before == nullptr) return;
  const Json& spec = node.at("spec");
  const Json& old = before->at("spec");
  // A podCIDR, once set, stays.
  if (!old.at("podCIDR").text().empty() && !(old.at("podCIDR") == spec.at("podCIDR"))) {
    errors.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
  }
  if (!old.at("providerID").text().empty() && !(old.at("providerID") == spec.at("providerID"))) {
    errors.forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid");
  }
  const Json::Array& taints = spec.at("taints").items();
  for (std::size_t i = 0; i < taints.size(); ++i) {
    const std::string at = fmt::format("spec.taints[{}]", i);
    if (taints[i].at("key").text().empty()) errors.required(at + ".key", "");
    const std::string& effect = taints[i].at("effect").text();
    if (effect != "NoSchedule" && effect != "PreferNoSchedule" && effect != "NoExecute") errors.not_supported(at + ".effect", effect, {"NoSchedule", "PreferNoSchedule", "NoExecute"});
    for (std::size_t j = 0; j < i; ++j) {
      if (taints[j].at("key") == taints[i].at("key") && taints[j].at("effect") == taints[i].at("effect")) {
        errors.invalid(at, taints[i], "taints must be unique by key and effect pair");
      }
    }
  }
}

std::vector<Json> row(const Json& node, Now now) {
  std::string status = "Unknown";
  for (const Json& condition : node.at({"status", "conditions"}).items()) {
    if (condition.at("type").text() == "Ready") status = condition.at("status").text() == "True" ? "Ready" : "NotReady";
  }
  if (node.at({"spec", "unschedulable"}).as_bool()) status += ",SchedulingDisabled";
  std::vector<std::string> roles;
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  for (const Member& label : node.at({"metadata", "labels"}).members()) {
    if (label.key.starts_with(kPrefix) && label.key.size() > kPrefix.size()) roles.push_back(label.key.substr(kPrefix.size()));
    if (label.key == "kubernetes.io/role" && !label.value.text().empty()) roles.push_back(label.value.text());
  }
  std::sort(roles.begin(), roles.end());
  const auto address = [&](std::string_view type) -> std::string {
    for (const Json& a : node.at({"status", "addresses"}).items()) {
      if (a.at("type").text() == type) return a.at("address").text();
    }
    return "<none>";
  };
  const Json& info = node.at({"status", "nodeInfo"});
  const auto known = [](const Json& value) { return value.text().empty() ? std::string("<unknown>") : value.text(); };
  return {node.at({"metadata", "name"}), status, roles.empty() ? "<none>" : join_text(roles), age(node.at({"metadata", "creationTimestamp"}), now),
          info.at("kubeletVersion").text(), address("InternalIP"), address("ExternalIP"), known(info.at("osImage")), known(info.at("kernelVersion")),
          known(info.at("containerRuntimeVersion"))};
}

}  // namespace

KindRules node_rules() {
  return {"", "Node", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Status"}, {"Roles"}, {"Age"}, {"Version"}, {"Internal-IP", "string", "", 1}, {"External-IP", "string", "", 1}, {"OS-Image", "string", "", 1},
           {"Kernel-Version", "string", "", 1}, {"Container-Runtime", "string", "", 1}},
          row};
}

}  // namespace sim::loop

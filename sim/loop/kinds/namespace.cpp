#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& ns) {
  if (!ns.at({"metadata", "name"}).text().empty()) {
    const Json name = ns.at({"metadata", "name"});
    ns["metadata"]["labels"].set("kubernetes.io/metadata.name", name);
  }
}

void prepare(Json& ns, const Json* before) {
  if (before != nullptr) {
    ns.set("spec", before->at("spec"));
    ns.set("status", before->at("status"));
    return;
  }
  Json finalizers = ns.at({"spec", "finalizers"});
  bool has = false;
  for (const Json& f : finalizers.items()) has = has || f.text() == "kubernetes";
  if (!has) finalizers.push_back("kubernetes");
  ns["spec"].set("finalizers", finalizers);
  ns.set("status", Json::object({{"phase", "Active"}}));
}

std::vector<Json> row(const Json& ns, Now now) {
  return {ns.at({"metadata", "name"}), ns.at({"status", "phase"}).text(), age(ns.at({"metadata", "creationTimestamp"}), now)};
}

}  // namespace

KindRules namespace_rules() { return {"", "Namespace", defaults, prepare, nullptr, {{"Name", "string", "name"}, {"Status"}, {"Age"}}, row}; }

}  // namespace sim::loop

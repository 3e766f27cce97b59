#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& service) {
  Json& spec = service["spec"];
  spec.set_default("sessionAffinity", "None");
  spec.set_default("type", "ClusterIP");
  const std::string type = spec.at("type").text();
  if (Json* ports = spec.find("ports")) {
    for (Json& port : ports->items()) {
      port.set_default("protocol", "TCP");
      if (port.at("targetPort").is_null() || port.at("targetPort") == Json(0) || port.at("targetPort") == Json("")) port.set("targetPort", port.at("port"));
    }
  }
  if (type != "ExternalName") spec.set_default("internalTrafficPolicy", "Cluster");
  if (type == "NodePort" || type == "LoadBalancer") spec.set_default("externalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer") spec.set_default("allocateLoadBalancerNodePorts", true);
}

void prepare(Json& service, const Json* before) {
  service["status"];  // a new member moves the others: before the reference
  Json& spec = service["spec"];
  if (before != nullptr) {
    service.set("status", before->at("status"));
    // What the server gave the service stays when the client does not repeat it.
    for (const std::string_view field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      const Json& old = before->at({"spec", field});
      if (!old.is_null() && spec.at(field).is_null()) spec.set(field, old);
    }
    return;
  }
  service.set("status", Json::object({{"loadBalancer", Json::object()}}));
  if (spec.at("type").text() == "ExternalName") return;
  spec.set_default("ipFamilies", Json::array({"IPv4"}));
  spec.set_default("ipFamilyPolicy", "SingleStack");
}

void validate(const Json& service, const Json* before, FieldErrors& errors) {
  const Json& spec = service.at("spec");
  const std::string& type = spec.at("type").text();
  if (type != "ClusterIP" && type != "NodePort" && type != "LoadBalancer" && type != "ExternalName") {
    errors.not_supported("spec.type", type, {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"});
  }
  if (spec.at("ports").is_empty() && type != "ExternalName" && spec.at("clusterIP").text() != "None") errors.required("spec.ports", "");
  const Json::Array& ports = spec.at("ports").items();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::int64_t port = ports[i].at("port").as_integer();
    if (port < 1 || port > 65535) errors.invalid(fmt::format("spec.ports[{}].port", i), ports[i].at("port"), "must be between 1 and 65535, inclusive");
    if (ports.size() > 1 && ports[i].at("name").text().empty()) errors.required(fmt::format("spec.ports[{}].name", i), "");
  }
  if (before != nullptr && type != "ExternalName" && !before->at({"spec", "clusterIP"}).text().empty() && !(before->at({"spec", "clusterIP"}) == spec.at("clusterIP"))) {
    errors.invalid("spec.clusterIPs[0]", spec.at("clusterIP"), "may not change once set");
  }
}

std::vector<Json> row(const Json& service, Now now) {
  const Json& spec = service.at("spec");
  const std::string& type = spec.at("type").text();
  std::vector<std::string> ports;
  for (const Json& port : spec.at("ports").items()) {
    const std::int64_t node_port = port.at("nodePort").as_integer();
    ports.push_back(node_port > 0 ? fmt::format("{}:{}/{}", port.at("port").as_integer(), node_port, port.at("protocol").text())
                                  : fmt::format("{}/{}", port.at("port").as_integer(), port.at("protocol").text()));
  }
  std::string external = type == "LoadBalancer" ? "<pending>" : "<none>";
  if (type == "ExternalName") external = spec.at("externalName").text();
  if (!spec.at("externalIPs").is_empty()) {
    std::vector<std::string> ips;
    for (const Json& ip : spec.at("externalIPs").items()) ips.push_back(ip.text());
    external = join_text(ips);
  }
  const std::string ip = spec.at("clusterIP").text();
  return {service.at({"metadata", "name"}), type, ip.empty() ? "<none>" : ip, external, ports.empty() ? "<none>" : join_text(ports),
          age(service.at({"metadata", "creationTimestamp"}), now), selector_text(Json::object({{"matchLabels", spec.at("selector")}}))};
}

}  // namespace

KindRules service_rules() {
  return {"", "Service", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Type"}, {"Cluster-IP"}, {"External-IP"}, {"Port(s)"}, {"Age"}, {"Selector", "string", "", 1}}, row};
}

}  // namespace sim::loop

#include "sim/scenario/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/models/traffic/traffic.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

void check_traffic(const ScenarioSpec& spec, Diagnostics& diagnostics) {
  if (spec.traffic == nullptr) return;
  if (spec.traffic->flows.empty()) diagnostics.warning(spec.place_of("kubeProxy"), "nobody asks anything of a Service: there is no section 'traffic', and kubeProxy has no effect");
  const std::map<std::string, std::vector<std::string>> pools = spec.nodes_of_pools();
  for (const FlowSpec& flow : spec.traffic->flows) {
    const ServiceName name = split_service(flow.service.text);
    if (const Manifest<k8s::Service>* service = find_service(spec.objects, *spec.names, name); service == nullptr) {
      std::vector<std::string> known;
      for (const Manifest<k8s::Service>& m : spec.objects.services) known.push_back(spec.names->text(m.object.meta.ns) + "/" + spec.names->text(m.object.meta.name));
      diagnostics.error(flow.service.where, fmt::format("there is no Service '{}'", name.full())).hint = did_you_mean(name.full(), known);
    } else if (service->object.selector.is_empty()) {
      diagnostics.error(flow.service.where, fmt::format("the Service '{}' has no selector: nobody says which pods answer", name.full()));
    }
    for (const Reference& pool : flow.from) {
      if (pools.contains(pool.text)) continue;
      std::vector<std::string> known;
      for (const auto& [there, nodes] : pools) known.push_back(there);
      diagnostics.error(pool.where, fmt::format("there is no pool '{}' with nodes", pool.text)).hint = did_you_mean(pool.text, known);
    }
  }
}

void build_traffic(const ScenarioSpec& spec, World& world) {
  if (spec.traffic == nullptr || spec.traffic->flows.empty()) return;
  const std::map<std::string, std::vector<std::string>> pools = spec.nodes_of_pools();
  std::vector<traffic::FlowConfig> flows;
  for (const FlowSpec& flow : spec.traffic->flows) {
    traffic::FlowConfig config;
    const ServiceName name = split_service(flow.service.text);
    config.name = flow.name;
    config.ns = world.names.intern(name.ns);
    config.service = world.names.intern(name.name);
    config.requests_per_second = flow.requests_per_second;
    config.later = flow.profile;
    std::stable_sort(config.later.begin(), config.later.end(), [](const traffic::RateChange& a, const traffic::RateChange& b) { return a.at < b.at; });
    config.service_time = flow.service_time;
    config.workers = flow.workers;
    config.timeout = flow.timeout;
    config.retries = flow.retries;
    config.acceptable = flow.acceptable;
    config.load_balancer = flow.load_balancer;
    if (!flow.from.empty()) {
      for (const Reference& pool : flow.from) {
        for (const std::string& node : pools.at(pool.text)) config.entries.push_back(world.api.find<k8s::Node>(Symbol{}, world.names.find(node)));
      }
    } else {
      // Every node but those of the control plane, unless there are no others.
      const Symbol role = world.names.find("node-role.kubernetes.io/control-plane");
      std::vector<k8s::Ref<k8s::Node>> all;
      world.api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node> ref, const k8s::Node& node) {
        all.push_back(ref);
        if (!role || !node.meta.labels.has(role)) config.entries.push_back(ref);
      });
      if (config.entries.empty()) config.entries = std::move(all);
    }
    flows.push_back(std::move(config));
  }
  world.traffic = std::make_unique<traffic::Traffic>(
      traffic::Traffic::Systems{world.engine, world.log, world.names, world.api, world.hosts, world.kubelets, world.control_plane}, spec.traffic->proxy, std::move(flows));
}

}  // namespace sim::scenario

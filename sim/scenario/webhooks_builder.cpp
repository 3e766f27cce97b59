#include "sim/scenario/webhooks_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "sim/models/webhooks/webhooks.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/shortest_circle.hpp"

namespace sim::scenario {

namespace {

using webhooks::Configuration;
using webhooks::Webhook;

/// Without a warm-up: what is up by then was up before.
constexpr SimDuration kStartUp = std::chrono::minutes(2);

struct Hook {
  const Webhook* webhook = nullptr;
  Place where;
  std::vector<Workload> behind;      // its own pods
  std::vector<std::size_t> needs;    // the webhooks that must admit all that is behind it
};

std::vector<Hook> hooks_of(const ScenarioSpec& spec) {
  std::vector<Hook> hooks;
  for (const Manifest<Configuration>& m : spec.objects.webhooks) {
    for (const Webhook& webhook : m.object.webhooks) hooks.push_back(Hook{&webhook, m.where, {}, {}});
  }
  return hooks;
}

k8s::Labels labels_of_namespace(const ScenarioSpec& spec, Symbol ns) {
  for (const Manifest<k8s::Namespace>& m : spec.objects.namespaces) {
    if (m.object.meta.name == ns) return m.object.meta.labels;
  }
  k8s::Labels labels;  // made by itself, see the world's builder
  const Symbol key = spec.names->find("kubernetes.io/metadata.name");
  if (key) labels.set(key, ns);
  return labels;
}

}  // namespace

void make_webhooks(const ScenarioSpec& spec, World& world) {
  webhooks::WebhooksConfig config;
  for (const Manifest<Configuration>& m : spec.objects.webhooks) config.configurations.push_back(m.object);
  if (config.configurations.empty()) return;
  config.aggregator_routing = spec.control_plane.aggregator_routing;
  config.in_force_from = SimTime{} + (spec.run.warm_up > SimDuration{} ? spec.run.warm_up : kStartUp);
  world.webhooks = std::make_unique<webhooks::Webhooks>(world.engine, world.random, world.hosts, world.api, world.control_plane, world.kubelets, std::move(config));
  world.api.set_reviewer(*world.webhooks);
}

void warn_of_webhooks(const ScenarioSpec& spec, Diagnostics& diagnostics) {
  const Interner& names = *spec.names;
  std::vector<Hook> hooks = hooks_of(spec);
  for (Hook& hook : hooks) {
    if (!hook.webhook->service) continue;
    const ServiceName name{names.text(hook.webhook->service_ns), names.text(hook.webhook->service)};
    const Manifest<k8s::Service>* service = find_service(spec.objects, names, name);
    if (service == nullptr) {
      diagnostics.warning(hook.where, fmt::format("webhook {}: there is no Service {}, so every call of it fails", hook.webhook->name, name.full()));
      continue;
    }
    if (service->object.has_selector) {
      for_each_workload_of(spec.objects, names, service->object, [&](const Workload& workload) { hook.behind.push_back(workload); });
    }
  }
  const auto must_admit = [&](const Webhook& webhook, const Workload& workload) {
    return webhook.service && webhook.fails_closed && workload.kind != "Pod" &&
           is_asked(webhook, k8s::Kind::kPod, labels_of_namespace(spec, workload.ns), *workload.labels, names);
  };
  for (Hook& hook : hooks) {
    if (hook.behind.empty()) continue;
    for (std::size_t other = 0; other < hooks.size(); ++other) {
      const bool all = std::all_of(hook.behind.begin(), hook.behind.end(), [&](const Workload& one) { return must_admit(*hooks[other].webhook, one); });
      if (all) hook.needs.push_back(other);
    }
  }
  std::set<std::vector<std::size_t>> told;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const std::vector<std::size_t> circle = shortest_circle(i, [&hooks](std::size_t at) -> const auto& { return hooks[at].needs; });
    std::vector<std::size_t> key = circle;
    std::sort(key.begin(), key.end());
    if (circle.empty() || !told.insert(std::move(key)).second) continue;
    std::string way;
    for (const std::size_t at : circle) {
      const Workload& pods = hooks[at].behind.front();
      way += fmt::format("webhook {} -> {} {}/{} -> ", hooks[at].webhook->name, pods.kind, names.text(pods.ns), names.text(pods.name));
    }
    Diagnostic& d = diagnostics.warning(hooks[i].where, fmt::format("circular dependency: {}webhook {}", way, hooks[i].webhook->name));
    d.hint = fmt::format("once none of these pods runs, none can be made: leave {} out with a namespaceSelector (kubernetes.io/metadata.name NotIn), or set failurePolicy: Ignore",
                         names.text(hooks[i].behind.front().ns));
  }
}

}  // namespace sim::scenario

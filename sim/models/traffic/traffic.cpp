#include "sim/models/traffic/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sim::traffic {

using host::HostId;
using k8s::Pod;
using k8s::Ref;

namespace {

/// From the API's answer to the rules of a kube-proxy that had none or old ones: its informers list, and one run follows.
constexpr SimDuration kCatchUp = std::chrono::seconds(1);

}  // namespace

Traffic::Traffic(const Systems& systems, const ProxyConfig& proxy, std::vector<FlowConfig> flows) : systems_(systems), rules_(systems.engine, systems.api, proxy) {
  for (FlowConfig& config : flows) {
    Flow flow;
    flow.rate = config.requests_per_second;
    flow.service = rules_.follow(config.ns, config.service);
    flow.config = std::move(config);
    flows_.push_back(std::move(flow));
  }
  for (const Flow& flow : flows_) {
    for (const Ref<k8s::Node> node : flow.config.entries) {
      const HostId host = systems.kubelets.host_of(node);
      if (!host) continue;
      Entry& entry = entries_[host];
      entry.node = node;
      entry.rules_timer = Timer(systems.engine);
      entry.health_timer = Timer(systems.engine);
      entry.reconnect_timer = Timer(systems.engine);
      if (flow.config.load_balancer) entry.checks = &*flow.config.load_balancer;
    }
  }
}

void Traffic::start() {
  rules_.on_change([this](std::size_t service) {
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      if (flows_[i].service == service) touch(i);
    }
  });
  rules_.start();
  const auto guarded = [this](auto&& act) {
    return [this, alive = std::weak_ptr<const void>(alive_), act](const auto&... given) {
      if (!alive.expired()) act(given...);
    };
  };
  systems_.kubelets.on_serving(guarded([this](Ref<Pod> pod, bool) {
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      const std::vector<Ref<Pod>>& pods = *rules_.rules(flows_[i].service);
      if (std::find(pods.begin(), pods.end(), pod) != pods.end() || !flows_[i].frozen.empty()) touch(i);
    }
  }));
  systems_.hosts.on_change(guarded([this](const host::Hosts::Change& change) {
    look_at_host(change.host, change.what == host::Hosts::Change::What::kDown || change.what == host::Hosts::Change::What::kBooting);
    look_at_ways();
    touch_all();
  }));
  systems_.hosts.on_slowdown(guarded([this](HostId) { touch_all(); }));
  systems_.kubelets.on_heartbeat(guarded([this](Ref<k8s::Node> node) { look_at_host(systems_.kubelets.host_of(node), false); }));
  systems_.control_plane.on_reachability(guarded([this] { look_at_ways(); }));
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    for (const RateChange& change : flows_[i].config.later) {
      systems_.engine.at(SimTime(change.at), guarded([this, i, rate = change.requests_per_second] {
        flows_[i].rate = rate;
        touch(i);
      }));
    }
  }
  touch_all();
}

/// As a load balancer outside sees the machine.
bool Traffic::is_alive(HostId host) const { return systems_.hosts.is_running(host) && systems_.hosts.has_network(host) && !systems_.hosts.is_stalled(host); }

void Traffic::look_at_host(HostId host, bool rebooted) {
  const auto found = entries_.find(host);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (rebooted) {
    entry.has_rules = false;
    entry.rules_timer.cancel();
  } else if (!entry.has_rules && systems_.hosts.is_running(host) && systems_.kubelets.heartbeat(entry.node).renewing) {
    // kube-proxy's pod runs again with the kubelet.
    entry.rules_timer.set_after(kCatchUp, [this, &entry] {
      entry.has_rules = true;
      touch_all();
    });
  }
  if (entry.checks == nullptr) return;
  const bool answers = is_alive(host) && entry.has_rules;
  if (answers == entry.in_service) {
    entry.health_timer.cancel();
    return;
  }
  const std::int64_t looks = answers ? entry.checks->healthy_threshold : entry.checks->unhealthy_threshold;
  entry.health_timer.set_after(entry.checks->interval * looks, [this, &entry, answers] {
    entry.in_service = answers;
    touch_all();
  });
}

void Traffic::look_at_ways() {
  for (auto& [host, entry] : entries_) {
    const bool is_cut = !systems_.control_plane.reachable_from(host);
    if (is_cut == entry.is_cut) {
      if (!is_cut) continue;
      entry.reconnect_timer.cancel();
      continue;
    }
    if (is_cut) {
      entry.is_cut = true;
      entry.reconnect_timer.cancel();
      for (Flow& flow : flows_) flow.frozen.try_emplace(host, rules_.rules(flow.service));
      continue;
    }
    entry.is_cut = false;
    entry.reconnect_timer.set_after(kCatchUp, [this, host = host] {
      for (Flow& flow : flows_) flow.frozen.erase(host);
      touch_all();
    });
  }
}

void Traffic::touch_all() {
  for (std::size_t i = 0; i < flows_.size(); ++i) touch(i);
}

void Traffic::touch(std::size_t flow) {
  // Once for all that happens at this instant; the first of it is the cause.
  if (flows_[flow].is_dirty) return;
  flows_[flow].is_dirty = true;
  systems_.engine.after(SimDuration::zero(), [this, flow, alive = std::weak_ptr<const void>(alive_)] {
    if (!alive.expired()) recompute(flow);
  });
}

/// What clients on this machine meet.
ClientGroup Traffic::group_of(const Flow& flow, HostId from, std::map<Ref<Pod>, std::size_t>& backends, std::vector<double>& slowdowns) {
  ClientGroup group;
  const auto frozen = flow.frozen.find(from);
  const std::vector<Ref<Pod>>& pods = frozen != flow.frozen.end() ? *frozen->second : *rules_.rules(flow.service);
  for (const Ref<Pod> ref : pods) {
    const Pod* pod = systems_.api.get(ref);
    const HostId on = pod == nullptr ? HostId{} : systems_.kubelets.host_of(pod->node);
    if (!on || !systems_.hosts.reachable(from, on)) {
      ++group.silent;
    } else if (systems_.kubelets.is_serving(ref) || (!systems_.hosts.has_network(on) && systems_.kubelets.is_really_running(ref))) {
      // Of a machine that is cut off nobody calls a pod serving; those who are cut off with it reach it.
      const auto [place, is_new] = backends.try_emplace(ref, slowdowns.size());
      if (is_new) slowdowns.push_back(systems_.hosts.slowdown(on));
      group.backends.push_back(place->second);
    } else {
      ++group.refusing;
    }
  }
  return group;
}

void Traffic::recompute(std::size_t index) {
  Flow& flow = flows_[index];
  flow.is_dirty = false;
  std::map<Ref<Pod>, std::size_t> backends;
  std::vector<double> slowdowns;
  std::vector<ClientGroup> groups;
  // Machines in one partition without anything between them see the same.
  std::map<std::pair<std::uint32_t, const void*>, std::size_t> alike;
  std::vector<double> counts;
  double all = 0.0;
  const auto add = [&](ClientGroup group) {
    const auto same = std::find(groups.begin(), groups.end(), group);
    if (same != groups.end()) {
      counts[static_cast<std::size_t>(same - groups.begin())] += 1.0;
      return static_cast<std::size_t>(same - groups.begin());
    }
    groups.push_back(std::move(group));
    counts.push_back(1.0);
    return groups.size() - 1;
  };
  ClientGroup no_way_in;
  no_way_in.unserved = true;
  for (const Ref<k8s::Node> node : flow.config.entries) {
    const HostId host = systems_.kubelets.host_of(node);
    const auto found = entries_.find(host);
    if (found == entries_.end()) continue;
    const Entry& entry = found->second;
    const bool runs = systems_.hosts.is_running(host) && !systems_.hosts.is_stalled(host);
    if (flow.config.load_balancer ? !entry.in_service : !runs) continue;  // it gets no requests, or makes none
    all += 1.0;
    if (!entry.has_rules || !runs || (flow.config.load_balancer && !is_alive(host))) {
      add(no_way_in);
      continue;
    }
    const auto frozen = flow.frozen.find(host);
    const void* rules = frozen != flow.frozen.end() ? frozen->second.get() : rules_.rules(flow.service).get();
    const bool is_plain = systems_.hosts.has_network(host) && !systems_.hosts.has_link_filter();
    if (is_plain) {
      const auto known = alike.find({systems_.hosts.partition(host), rules});
      if (known != alike.end()) {
        counts[known->second] += 1.0;
        continue;
      }
    }
    const std::size_t place = add(group_of(flow, host, backends, slowdowns));
    if (is_plain) alike[{systems_.hosts.partition(host), rules}] = place;
  }
  if (groups.empty()) {
    add(no_way_in);
    all = 1.0;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i].share = counts[i] / all;

  if (flow.stepped_rate == flow.rate && flow.groups == groups && flow.slowdowns == slowdowns) return;
  const Demand demand{.rate = flow.rate,
                      .service_time = sim::seconds(flow.config.service_time),
                      .workers = flow.config.workers,
                      .timeout = sim::seconds(flow.config.timeout),
                      .retries = flow.config.retries};
  Step step;
  step.at = systems_.engine.now();
  // A state that lasted for no time left nothing behind.
  const bool replaces = !flow.steps.empty() && flow.steps.back().at == step.at;
  const std::size_t lasting = flow.steps.size() - (replaces ? 1 : 0);
  // Before the Service first worked its users were not there: they flood nobody who starts.
  step.mix = RequestMix(demand, groups, slowdowns, lasting == 0 || !flow.has_served ? nullptr : &flow.steps[lasting - 1].mix);
  step.endpoints = rules_.rules(flow.service)->size();
  step.serving = slowdowns.size();
  step.cause = systems_.engine.cause();
  flow.groups = std::move(groups);
  flow.slowdowns = std::move(slowdowns);
  flow.stepped_rate = flow.rate;
  if (replaces) {
    step.cause = flow.steps.back().cause ? flow.steps.back().cause : step.cause;
    flow.steps.back() = std::move(step);
  } else {
    flow.steps.push_back(std::move(step));
  }
  tell(flow);
}

void Traffic::tell(Flow& flow) {
  const RequestMix& mix = flow.steps.back().mix;
  const bool fails = mix.success() < flow.config.acceptable;
  if (!fails) flow.has_served = true;
  if (!flow.has_served || fails == flow.is_failing) return;
  flow.is_failing = fails;
  const Symbol subject = systems_.names.intern("Traffic/" + flow.config.name);
  if (!fails) {
    systems_.log.record("RequestsServed", subject, fmt::format("{:.2f} % of requests are answered", 100.0 * mix.success()), systems_.engine.cause());
    return;
  }
  std::string why;
  const auto add = [&](Failure failure, std::string_view text) {
    if (mix.failed(failure) < 0.0005) return;
    why += fmt::format("{}{:.1f} % {}", why.empty() ? "" : ", ", 100.0 * mix.failed(failure), text);
  };
  add(Failure::kNoEndpoints, "are refused (no endpoints)");
  add(Failure::kRefused, "are refused (nobody listens)");
  add(Failure::kSilent, "get no answer (the endpoint, or the way in, is gone)");
  add(Failure::kOverload, "are given up (too much to do)");
  flow.steps.back().cause = systems_.log.record("RequestsFailing", subject, fmt::format("of {:.6g} requests/s {:.1f} % fail: {}", mix.rate(), 100.0 * (1.0 - mix.success()), why), systems_.engine.cause());
}

}  // namespace sim::traffic

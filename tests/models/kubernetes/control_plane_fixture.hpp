/// A control plane of n members on hosts cp-1 ... cp-n with a worker w1, without anything else.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "sim/models/kubernetes/control_plane/control_plane.hpp"

namespace sim::k8s {

inline ControlPlaneConfig any_endpoint() {
  ControlPlaneConfig config;
  config.local_endpoints = false;
  return config;
}
inline ControlPlaneConfig exact_starts() {
  ControlPlaneConfig config;
  config.start_sigma = 0.0;
  return config;
}

struct ControlPlaneFixture {
  explicit ControlPlaneFixture(std::size_t members, std::uint64_t seed = 1, ControlPlaneConfig config = {})
      : random(seed), plane(engine, log, random, hosts, api, config) {
    for (std::size_t i = 1; i <= members; ++i) {
      const host::HostId id = add_host("cp-" + std::to_string(i));
      plane.add_member(id);
    }
    worker = add_host("w1");
    plane.on_leadership([this](Component component, bool gained) {
      leadership.push_back({engine.now(), component, gained, engine.cause()});
    });
    plane.on_reachability([this] { ++reachability_calls; });
    plane.start();
  }
  host::HostId add_host(const std::string& name) {
    topology.add(topology::ElementKind::kHost, name);
    Node node;
    node.meta.name = names.intern(name);
    api.create(std::move(node));
    return hosts.add({.name = name, .boot = {std::chrono::minutes(2), 0.0}, .kubelet_start = {std::chrono::seconds(30), 0.0}});
  }
  host::HostId cp(std::size_t member) const { return plane.member_host(member); }
  void run(SimDuration span) { engine.run_until(engine.now() + span); }
  /// Runs until `holds()`, looking after every event; false when it does not within `limit`.
  template <class Holds>
  bool run_until(Holds&& holds, SimDuration limit) {
    const SimTime end = engine.now() + limit;
    while (!holds()) {
      if (engine.next_event_time() > end) return false;
      engine.step();
    }
    return true;
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> all;
    for (const EventLog::Record& record : log.records()) all.push_back(log.kind(record));
    return all;
  }
  std::size_t count(std::string_view kind) const {
    const std::vector<std::string> all = kinds();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), kind));
  }
  /// The newest record of a kind; CauseId{} when there is none.
  CauseId newest(std::string_view kind) const {
    for (std::size_t i = log.size(); i > 0; --i) {
      if (log.kind(log.records()[i - 1]) == kind) return CauseId{static_cast<std::uint32_t>(i)};
    }
    return CauseId{};
  }
  bool leads_back_to(CauseId from, CauseId root) const {
    const std::vector<CauseId> chain = log.chain(from);
    return std::find(chain.begin(), chain.end(), root) != chain.end();
  }
  const Pod* pod(const std::string& name) { return api.get(api.find<Pod>(api.well_known().kube_system, names.intern(name))); }

  struct Leadership {
    SimTime when;
    Component component;
    bool gained;
    CauseId cause;
  };

  Engine engine;
  Interner names;
  EventLog log{engine, names};
  Randomness random;
  topology::Topology topology{engine, log};
  host::Hosts hosts{engine, log, random, topology};
  ApiServer api{engine, log, names};
  ControlPlane plane;
  host::HostId worker;
  std::vector<Leadership> leadership;
  int reachability_calls = 0;
};

}  // namespace sim::k8s

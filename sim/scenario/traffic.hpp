/// The sections `traffic:` (what users ask of Services) and `kubeProxy:` of a scenario.
///
/// Checked by: tests/scenario/traffic_section_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/traffic/config.hpp"
#include "sim/scenario/reference.hpp"

namespace sim {
class World;
}

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

struct FlowSpec {
  std::string name;
  Place where;
  Reference service;
  double requests_per_second = 0.0;
  std::vector<traffic::RateChange> profile;
  SimDuration service_time{};
  std::int64_t workers = 1;
  SimDuration timeout{std::chrono::seconds(5)};
  std::int64_t retries = 0;
  double acceptable = 0.99;
  std::vector<Reference> from;  // pools
  std::optional<traffic::LoadBalancerConfig> load_balancer;
};

struct TrafficSpec {
  traffic::ProxyConfig proxy;
  std::vector<FlowSpec> flows;
};

/// Tells everything that is wrong with the sections.
void check_traffic(const ScenarioSpec& spec, Diagnostics& diagnostics);
/// After the world's nodes and objects. Nothing is made when nobody asks anything.
void build_traffic(const ScenarioSpec& spec, World& world);

}  // namespace sim::scenario

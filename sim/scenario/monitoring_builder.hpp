/// From the section `monitoring:` to what watches a world.
///
/// Checked by: tests/scenario/monitoring_section_test.cpp.
#pragma once

#include <memory>
#include <string>

#include "sim/scenario/reference.hpp"

namespace sim {
class World;
namespace monitoring {
class Monitoring;
class RuleSet;
}
}  // namespace sim

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

/// A path as it stands in a file, from that file's folder (scenario.cpp).
std::string beside(const Reference& reference, const std::string& scenario_file);
/// Reads the rules, and tells everything that is wrong with the section.
void check_monitoring(ScenarioSpec& spec, Diagnostics& diagnostics);
/// Reads one file of rules: PrometheusRule resources, Lists of them, or plain rule files.
void read_rule_file(const std::string& path, const Place& from, monitoring::RuleSet& to, Diagnostics& diagnostics);
std::unique_ptr<monitoring::Monitoring> make_monitoring(const ScenarioSpec& spec, World& world);

}  // namespace sim::scenario

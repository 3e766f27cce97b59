/// The section `plan:` of a scenario: which machines may be bought, at what price, and what the platform has to stand. `squall plan` searches the counts.
///
/// Machines are pools of the scenario whose `count` is to be found, and instance types of a file as Karpenter's kwok provider has it (a list of
/// {name, offerings: [{Price, Available, Requirements}], architecture, operatingSystems, resources}).
///
/// Source:     of the file: kubernetes-sigs/karpenter designs/kwok-provider.md.
/// Leaves out: what offerings require beyond zone and capacity type; spot nodes are not taken back.
/// Checked by: tests/scenario/capacity_plan_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/reference.hpp"

namespace sim::scenario {

struct ScenarioSpec;

/// A pool whose size is to be found.
struct PlanPoolSpec {
  std::string name;
  Place where;
  double price = 0.0;  // of one node
  std::int64_t least = 0;
  std::int64_t most = 100;
};
struct InstanceTypesSpec {
  Reference file;
  std::vector<std::string> names{"*-amd64-linux"};  // patterns with * and ?
  std::string capacity_type = "on-demand";
  std::vector<Reference> zones;  // empty: every zone in which it is offered
  std::int64_t most = 100;
};
/// What may be lost at once, each by itself.
struct PlanSurviveSpec {
  std::int64_t nodes = 0;
  std::int64_t racks = 0;
  std::int64_t zones = 0;
  bool during_drain = false;
};
struct PlanVariantSpec {
  std::string name;
  Place where;
  std::string description;
  std::vector<Reference> set;  // "path=value"
};

struct CapacityPlanSpec {
  enum class Nodes : std::uint8_t { kKeep, kDrop } existing = Nodes::kKeep;
  std::vector<PlanPoolSpec> pools;
  std::optional<InstanceTypesSpec> instance_types;
  std::vector<PlanVariantSpec> variants;
  std::string unit = "per hour";
  std::int64_t mix = 2;
  double headroom = 0.0;
  PlanSurviveSpec survive;
  std::optional<double> availability;
  std::vector<Reference> services;  // "namespace/name"; empty: all
  std::optional<SimDuration> longest_outage;
  std::optional<SimDuration> recovery;
  std::optional<double> expectations;
  std::optional<SimDuration> horizon;
  std::int64_t replications = 20;
  double confidence = 0.95;
  double tolerance = 0.01;

  /// Something that only a simulation tells has a bound.
  bool needs_runs() const { return availability || longest_outage || recovery || expectations; }
};

/// One way to buy an instance type.
struct InstanceType {
  std::string name;
  double price = 0.0;  // mean over its zones: its nodes are spread evenly over them
  std::vector<std::string> zones;
  std::string cpu;
  std::string memory;
  std::string ephemeral_storage;
  std::string pods;
  std::vector<std::pair<std::string, std::string>> other;  // extended resources
  std::string architecture;
  std::string os;
  std::string capacity_type;
};

/// The section as it stands in the scenario; absent when it has none. What is wrong with its fields has been told when the scenario was read.
std::optional<CapacityPlanSpec> capacity_plan(const ScenarioSpec& spec);
/// The instance types of the file that the section asks for; wrong ones are told.
std::vector<InstanceType> read_instance_types(const InstanceTypesSpec& wanted, const std::string& scenario_file, Diagnostics& diagnostics);
/// That what the section refers to exists. Called by the reader of scenarios.
void check_capacity_plan(const ScenarioSpec& spec, Diagnostics& diagnostics);

}  // namespace sim::scenario

/// `squall plan`: the cheapest designs that carry the workload, stand the losses and, simulated, meet the objectives; what they cost, how they fail first.
///
/// Search per variant (analysis/plan_search), with the scheduler as the test (analysis/plan_placement). What is found is raced: all designs meet the same seeds; after 4, 8, 16 ...
/// runs those that surely miss an objective drop out, and those that are dearer than one that surely meets all of them are not run further. "Surely": with the
/// confidence asked for, shared out over designs, objectives and looks.
///
/// When no design of the search meets the objectives, nodes are added to the cheapest, pool by pool in turn, until one does: that is a way to a
/// solution, and no proof that there is no cheaper one.
///
/// Cell compaction (Verma et al., Large-scale cluster management at Google with Borg, EuroSys 2015, section 5.1): nodes are taken away in random order until the workload, packed from
/// scratch, no longer fits; the result is the 90th percentile of 11 orders. The last count that fits is found by bisection of each order.
///
/// Leaves out: designs that change anything but counts (variants do); prices that depend on time.
/// Checked by: tests/analysis/capacity_plan_test.cpp, tests/cli/plan_command.py.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/plan_placement.hpp"
#include "chaos/verdict.hpp"
#include "sim/core/inference.hpp"
#include "sim/core/statistics.hpp"

namespace analysis {

/// What runs say of a design.
struct PlanRuns {
  std::uint64_t runs = 0;
  bool is_out = false;                   // dropped out of the race before its end
  sim::ConfidenceInterval availability;  // mean of the worst service
  bool is_constant = false;              // the same in all runs: the interval has no width, and says nothing
  std::string worst_service;
  sim::SimDuration longest{};            // outage of any run
  std::uint64_t outages = 0;
  sim::QuantileInterval recovery;        // 99th percentile of their lengths, seconds
  std::uint64_t held = 0;                // runs in which every expectation holds
  std::uint64_t pending_runs = 0;        // runs at whose end pods wait
  /// Which objectives are missed, and whether that and the rest is sure.
  std::vector<std::string> missed;
  bool is_sure = true;
  /// The worst outage: the most severe, then the longest.
  std::optional<chaos::Outage> worst;
  std::uint64_t worst_seed = 0;
};

struct PlanDesign {
  std::size_t variant = 0;
  std::string label;  // "cheapest", "only big", "stands one node more"
  Counts counts;      // of the searched pools
  double cost = 0.0;
  PlacementReport placement;
  std::optional<Misplaced> breaks;  // the smallest loss after which pods find no place
  std::optional<PlanRuns> runs;
  bool is_best_of_its_cost = false; // on the Pareto front of cost, availability and blast radius
  bool meets() const { return placement.is_good && (!runs || runs->missed.empty()); }
};

struct PlanVariant {
  std::string name;
  std::string description;
  std::shared_ptr<const PlanGround> ground;
  std::string homeless;       // a pod that fits no node of any kind
  double bound = 0.0;
  bool is_proven = false;
  bool is_found = false;
  std::size_t tests = 0;      // exact placements
  std::string closest;        // without a design: what the largest one lacks
};

struct CapacityPlan {
  std::vector<PlanVariant> variants;
  std::vector<PlanDesign> designs;   // by cost
  std::optional<std::size_t> chosen; // the cheapest that meets everything
  bool is_simulated = false;
  bool is_complete = true;           // false: stopped
  bool is_extended = false;          // nodes were added beyond what the search found
  double confidence_each = 0.0;      // of one interval
  std::vector<std::string> notes;
};

struct PlanInput {
  std::string name;
  std::string description;
  std::shared_ptr<const sim::scenario::ScenarioSpec> scenario;
  sim::scenario::CapacityPlanSpec plan;
  std::vector<sim::scenario::InstanceType> types;
};

struct PlanOptions {
  std::size_t jobs = 1;
  std::uint64_t first_seed = 1;
  std::size_t tests_max = 2000;
  bool runs = true;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(double share, const std::string& text)> progress;
};

CapacityPlan make_plan(const std::vector<PlanInput>& variants, const PlanOptions& options);

struct Compaction {
  std::size_t nodes = 0;                // that could be taken away
  std::vector<std::size_t> kept;        // by seed: the fewest that fit, in that order
  std::size_t quantile_90 = 0;          // of `kept`, by nearest rank
  std::uint64_t pods = 0;
  std::uint64_t pending_allowed = 0;
  std::uint64_t pending_with_all = 0;   // with all nodes
  std::vector<std::string> bottleneck;  // by seed: why one node fewer does not do
  std::vector<UseOfResource> use;       // with all nodes
  bool is_complete = true;
};
struct CompactionOptions {
  std::size_t orders = 11;
  double pending_share = 0.002;
  std::uint64_t first_seed = 1;
  std::size_t jobs = 1;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(double share, const std::string& text)> progress;
};
Compaction compact(const sim::scenario::ScenarioSpec& scenario, const CompactionOptions& options);

}  // namespace analysis

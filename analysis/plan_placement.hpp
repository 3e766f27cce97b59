/// Whether the scheduler finds a place for everything on given numbers of nodes, and again after losses.
///
/// Each question builds the scenario's world with these counts (not started), makes the pods that its workloads ask for, and lets the scheduler of
/// sim/models place them: all plugins, priorities, DaemonSets, reserved resources, pod slots. "Placed" means that no pod waits and none was preempted. The static pods of a
/// control-plane node count with the 650m of CPU that kubeadm's manifests ask for. A loss takes nodes away with their DaemonSet pods; the other pods of theirs come again, without
/// a node, and everybody else stays where they are.
///
/// Nodes that are alike (pool, rack, what runs on them) are tried once.
///
/// Leaves out: pods of CronJobs (they come and go), autoscaled replicas beyond those that the manifests say, where volumes are (a volume follows its pod), time:
/// what a loss costs until pods are back is for the simulation to say.
/// Checked by: tests/analysis/plan_placement_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/plan_bounds.hpp"
#include "analysis/plan_search.hpp"
#include "sim/scenario/capacity_plan.hpp"

namespace sim::scenario {
struct ScenarioSpec;
}

namespace analysis {

/// What a design stands on: the scenario with a pool for each instance type, its searched pools at zero nodes.
class PlanGround {
 public:
  PlanGround(const sim::scenario::ScenarioSpec& scenario, const sim::scenario::CapacityPlanSpec& plan, const std::vector<sim::scenario::InstanceType>& types);

  const sim::scenario::CapacityPlanSpec& plan() const { return plan_; }
  /// The searched pools, in the order of the counts: those of `plan.pools`, then instance types.
  struct Pool {
    std::string name;
    double price = 0.0;
    std::int64_t least = 0;
    std::int64_t most = 0;
  };
  const std::vector<Pool>& pools() const { return pools_; }
  /// The scenario with so many nodes in the searched pools. Immutable, and shares what does not change.
  std::shared_ptr<const sim::scenario::ScenarioSpec> with(const Counts& counts) const;
  /// The same as YAML that a scenario can be made of: overrides of its pools.
  std::string yaml(const Counts& counts) const;

 private:
  std::shared_ptr<const sim::scenario::ScenarioSpec> base_;
  sim::scenario::CapacityPlanSpec plan_;
  std::vector<Pool> pools_;
  std::vector<std::size_t> position_;  // of each in base_->pools
  std::vector<std::vector<std::string>> names_;  // of its nodes, up to `most`
  std::vector<sim::scenario::InstanceType> types_;
};

struct Loss {
  std::vector<std::string> what;   // "node big-1", "zone a"
  std::vector<std::string> nodes;
};
struct Misplaced {
  Loss loss;            // empty: with nothing lost
  std::string pod;      // "shop/web-5c8f-3"
  std::string message;  // the scheduler's
  std::uint64_t pods = 0;  // how many have no place
};

struct UseOfResource {
  std::string name;
  double requested = 0.0;
  double allocatable = 0.0;
  double share() const { return allocatable > 0.0 ? requested / allocatable : 0.0; }
};

struct PlacementReport {
  bool is_good = false;               // placed, with the headroom, and after every loss that has to be stood
  std::uint64_t pods = 0;             // of workloads; DaemonSets' and static ones are left out
  std::uint64_t nodes = 0;            // schedulable ones
  std::vector<UseOfResource> use;     // of schedulable nodes: cpu, memory, pods, then what else is asked for
  std::optional<Misplaced> first;     // what does not hold
  std::string short_of;               // headroom: the resource that has too little
  std::size_t losses = 0;             // that were tried
  double largest_node_share = 0.0;    // of the workloads' pods on one node
  std::string largest_node;
  double largest_place_share = 0.0;   // in one zone or rack, whichever has more
  std::string largest_place;
};

class PlanPlacement {
 public:
  explicit PlanPlacement(const PlanGround& ground);

  /// Shapes and classes for the bounds. The nodes of pools that are not searched are shapes without a price, behind the searched ones.
  /// The counts of a search are those of the searched pools, then those of such shapes.
  const PlanBounds& bounds() const { return bounds_; }
  LossBound loss_bound() const { return loss_; }
  /// A condition that costs little: after each loss that has to be stood the rest may carry everything, by the bounds.
  bool may_survive(const PlanBounds& bounds, const Counts& counts) const;

  /// Only whether it is good: ends at the first thing that is not.
  bool is_good(const Counts& counts) const { return look(counts, false).is_good; }
  PlacementReport report(const Counts& counts) const { return look(counts, true); }
  /// The smallest loss of nodes (up to `most` at once), racks or zones after which pods find no place.
  std::optional<Misplaced> first_loss_that_breaks(const Counts& counts, std::size_t most = 3, std::size_t tries = 400) const;

 private:
  PlacementReport look(const Counts& counts, bool in_full) const;
  PlanBounds make_bounds();
  const PlanGround& ground_;
  /// Of each searched pool the zones (racks) of its nodes, taken in turn; empty strings: none.
  std::vector<std::vector<std::string>> zones_;
  std::vector<std::vector<std::string>> racks_;
  LossBound loss_;
  PlanBounds bounds_;
};

/// All pods packed from scratch onto the nodes of the scenario but those in `without`: pods that are bound are not, here.
struct Repacking {
  std::uint64_t pods = 0;
  std::uint64_t pending = 0;
  std::string pod;      // the first that has no place
  std::string message;
  std::vector<UseOfResource> use;
};
Repacking repack(const sim::scenario::ScenarioSpec& scenario, const std::vector<std::string>& without);
/// Nodes that could be done without: all but those of the control plane, in the order of their creation.
std::vector<std::string> removable_nodes(const sim::scenario::ScenarioSpec& scenario);

}  // namespace analysis

/// A profile of the scheduler where it differs from the default one: weights of the scores, the arguments of plugins.
///
/// Source:     pkg/scheduler/apis/config/v1/{defaults,default_plugins}.go, noderesources/{least_allocated,most_allocated,requested_to_capacity_ratio}.go
///             (reference kubernetes 1.1, 1.6).
/// Leaves out: what scheduler_configuration.cpp refuses by name (plugins of one's own, another order of filters, extenders ...).
/// Checked by: tests/models/kubernetes/scheduler/scheduling_profile_test.cpp, tests/scenario/scheduler_configuration_test.cpp,
///             tests/differential/scheduler/run.py (half of its clusters have a configuration).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling {

/// NodeResourcesFit's score.
struct ScoringStrategy {
  enum class Type : std::uint8_t { kLeastAllocated, kMostAllocated, kRequestedToCapacityRatio };
  struct Weight {
    Symbol resource;
    std::int64_t weight = 1;
  };
  struct Point {
    std::int64_t utilization = 0;  // percent
    std::int64_t score = 0;        // 0 to 100
  };
  Type type = Type::kLeastAllocated;
  std::vector<Weight> resources;  // empty: cpu and memory, 1 each
  std::vector<Point> shape;       // by utilization; of RequestedToCapacityRatio

  bool is_default() const { return type == Type::kLeastAllocated && resources.empty(); }
  std::int64_t score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load, const Interner& names) const;
};

struct ScoreWeights {  // 0: the plugin does not score
  std::int64_t taint_toleration = 3;
  std::int64_t node_affinity = 2;
  std::int64_t node_resources_fit = 1;
  std::int64_t balanced_allocation = 1;
  std::int64_t pod_topology_spread = 2;
  std::int64_t inter_pod_affinity = 2;
  std::int64_t image_locality = 1;
};

struct SchedulingProfile {
  Symbol scheduler_name;  // empty: default-scheduler
  std::optional<int> percentage_of_nodes_to_score;
  PluginSet disabled = 0;  // plugins that take no part
  bool scores = true;  // false: without any score plugin the first node that fits is taken
  ScoreWeights weights;
  ScoringStrategy scoring;
  std::int64_t hard_pod_affinity_weight = 1;
  bool ignores_preferred_terms_of_existing_pods = false;
  std::int64_t preemption_candidates_percent = 10;
  std::int64_t preemption_candidates_min = 100;
  std::shared_ptr<const Affinity> added_affinity;  // NodeAffinity's: required and preferred terms beside those of every pod
  /// PodTopologySpread's for pods without constraints; their selectors follow from the pod's owners. None: the system's.
  std::optional<std::vector<TopologySpreadConstraint>> default_constraints;
  SimDuration bind_timeout{std::chrono::seconds(600)};  // VolumeBinding's bindTimeoutSeconds
  std::vector<Symbol> ignored_resources;         // extended ones that NodeResourcesFit does not filter by
  std::vector<std::string> ignored_groups;       // "example.com": all of that prefix
  std::vector<Symbol> balanced_resources;        // NodeResourcesBalancedAllocation's; empty: cpu and memory

  bool has(Plugin plugin) const { return !contains(disabled, plugin); }
};

}  // namespace sim::k8s::scheduling

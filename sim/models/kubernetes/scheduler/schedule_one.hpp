/// One scheduling cycle: which node a pod gets, or why none, and whom it would preempt.
///
/// Source: pkg/scheduler/schedule_one.go (schedulingCycle, findNodesThatFitPod, numFeasibleNodesToFind, prioritizeNodes,
///         selectHost), framework/runtime/framework.go; reference kubernetes 1.3 to 1.5.
/// Leaves out: extenders, Permit plugins, Reserve but for VolumeBinding's (see volume_binding()), pod groups, opportunistic batching (inert with the default profile).
///             The feasible nodes stand in the order of visits (in the order in which 16 workers finish, there).
/// Checked by: tests/models/kubernetes/scheduler/schedule_one_test.cpp.
///
/// Speed: what the node-local plugins say of a node depends on the node and on a few fields of the pod. Pods that are
/// equal in those fields form a class; each class remembers its verdict on every node with the node's generation, so
/// that a cycle computes anew only for nodes that changed. The result is the same as without.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/models/kubernetes/scheduler/cache.hpp"
#include "sim/models/kubernetes/scheduler/plugins/default_preemption.hpp"
#include "sim/models/kubernetes/scheduler/plugins/image_locality.hpp"
#include "sim/models/kubernetes/scheduler/plugins/inter_pod_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_fit.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_volume_limits.hpp"
#include "sim/models/kubernetes/scheduler/plugins/pod_topology_spread.hpp"
#include "sim/models/kubernetes/scheduler/plugins/volume_binding.hpp"
#include "sim/models/kubernetes/scheduler/plugins/volume_restrictions.hpp"
#include "sim/models/kubernetes/scheduler/plugins/volume_zone.hpp"
#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"

namespace sim::k8s::scheduling {

struct CycleTrace;  // cycle_trace.hpp

struct Decision {
  NodeIndex node = kNoNode;
  std::size_t nodes_examined = 0;
  std::size_t nodes_feasible = 0;
  std::int64_t score = 0;  // of the node; 0 when it was the only one, which is not scored
  // Without a node:
  std::string message;       // as in the FailedScheduling event
  PluginSet rejectors = 0;   // none: an error, the pod is retried after back-off
  Preemption preemption;
};

/// How many feasible nodes end the search. `percentage` 0: adaptive.
std::int64_t feasible_nodes_to_find(std::int64_t nodes, std::int64_t percentage);
/// The place of the winner. Ties are decided by the layout of Go's container/heap, hence not always the first.
std::size_t select_host(const std::vector<std::int64_t>& totals);
/// The same with memory that is kept from call to call.
std::size_t select_host(const std::vector<std::int64_t>& totals, std::vector<std::uint32_t>& winners);

class SchedulingCycle : private DryRun {
 public:
  SchedulingCycle(Cache& cache, Interner& names, const Randomness& random, int percentage_of_nodes_to_score);

  /// Decides; changes nothing but the place where the next search starts. `trace`: what each plugin says is written there too.
  Decision schedule(PodSlot slot, SimTime now, std::uint32_t attempt, CycleTrace* trace = nullptr);

  /// Who would have to go from the node so that the pod fits, without a cycle: DefaultPreemption's question of one node. kFits: those, or nobody.
  std::pair<StatusId, PreemptionCandidate> victims_on(PodSlot slot, NodeIndex node, SimTime now);

  /// From the next cycle on: a pod's schedulerName says which holds for it, of those that are unknown the first. Without them the default profile holds.
  void set_profiles(std::vector<SchedulingProfile> profiles);
  /// True for pods that are this scheduler's: their schedulerName is a profile's, or empty and default-scheduler is one.
  bool schedules(const PodSpec& spec) const;
  /// Makes the plugins those of the pod's profile.
  void use_profile_of(const PodSpec& spec) {
    if (profiles_.size() > 1) use_profile(find_profile(spec));
  }
  const SchedulingProfile& profile() const { return profiles_[in_use_]; }

  PodTopologySpread& spread() { return spread_; }
  InterPodAffinity& affinity() { return affinity_; }
  VolumeBinding& volume_binding() { return binding_; }
  Symbol any_address() const { return any_address_; }
  /// The verdicts of the last failed cycle, in the order of visits.
  const std::vector<std::pair<NodeIndex, StatusId>>& failed() const { return failed_; }
  const StatusTable& statuses() const { return statuses_; }
  /// Feasible nodes and total scores of the last cycle that scored.
  const std::vector<NodeIndex>& feasible() const { return feasible_; }
  const std::vector<std::int64_t>& totals() const { return totals_; }
  std::size_t next_start() const { return next_start_; }

 private:
  /// A node-local verdict, current while `generation` is the node's.
  struct Row {
    std::uint32_t generation = 0;
    StatusId status = kFits;
    std::uint8_t score = 0;   // NodeResourcesFit + NodeResourcesBalancedAllocation, weights 1
    std::uint8_t taints = 0;  // untolerated PreferNoSchedule taints; kManyTaints: count them
  };
  static constexpr std::uint8_t kManyTaints = 255;
  struct PodClass {
    Key key;
    std::vector<Row> rows;  // by NodeIndex
    std::uint64_t last_used = 0;
  };

  std::size_t find_profile(const PodSpec& spec) const;
  void use_profile(std::size_t index);
  bool has(Plugin plugin) const { return profiles_[in_use_].has(plugin); }
  Decision decide(PodSlot slot, SimTime now, std::uint32_t attempt);
  /// Makes the pod the one in hand. False: a PreFilter refused it. `only`: the nodes that NodeAffinity's leaves, if it names any.
  bool pre_filter(const PodInfo& pod, std::optional<std::vector<Symbol>>& only, Decision& decision);
  void fill(CycleTrace& trace, const Decision& decision);
  PodClass& class_of(const PodSpec& spec);
  void refresh(Row& row, const PodSpec& spec, NodeIndex node);
  StatusId filter_node(const PodSpec& spec, NodeIndex node);
  StatusId filter(const PodInfo& pod, NodeIndex node);  // all plugins, nominated pods included
  StatusId filter_plain(const PodInfo& pod, NodeIndex node);
  StatusId filter_volumes(NodeIndex node) const;
  bool pre_filter_volumes(const PodInfo& pod, Decision& decision);
  void find_feasible(const PodInfo& pod, const std::vector<NodeIndex>& nodes);
  void score(const PodInfo& pod);
  std::int64_t resource_score(const PodSpec& spec, NodeIndex node) const;
  void explain(bool by_name, Decision& decision);
  void run_preemption(const PodInfo& pod, SimTime now, std::uint32_t attempt, Decision& decision);

  StatusId filter_dry();  // the node of the dry run as it is now
  void shift(PodSlot slot, std::int64_t change);
  /// Pods that preempted their way to the node and are not less important than the pod.
  std::vector<PodSlot> nominated_beside(const PodInfo& pod, NodeIndex node) const;

  // DryRun
  void begin(NodeIndex node) override;
  void take_off(PodSlot victim) override;
  void put_back(PodSlot victim) override;
  StatusId filter() override;
  void end() override;

  Cache& cache_;
  Interner& names_;
  const Randomness& random_;
  int percentage_;  // of the profile in use: its own, or percentage_of_all_
  int percentage_of_all_;
  std::vector<SchedulingProfile> profiles_{1};
  std::size_t in_use_ = 0;
  bool weighs_as_default_ = true;  // the rows' sums of Fit and BalancedAllocation hold
  Symbol any_address_;
  StatusTable statuses_;
  NodeResourcesFit fit_;
  ImageLocality images_;
  PodTopologySpread spread_;
  InterPodAffinity affinity_;
  VolumeRestrictions restrictions_;
  NodeVolumeLimits limits_;
  VolumeBinding binding_;
  VolumeZone zones_;
  DefaultPreemption preemption_;
  std::size_t next_start_ = 0;

  std::vector<PodClass> classes_;
  std::unordered_map<Key, std::size_t, KeyHash> class_ids_;  // look-up only
  std::uint64_t cycle_ = 0;
  Key key_;

  // Of the pod in hand.
  PodClass* class_ = nullptr;
  const PodInfo* pod_ = nullptr;
  bool has_volumes_ = false;
  bool spreads_ = false;
  bool affine_ = false;
  std::optional<Plugin> refused_by_;  // the plugin whose PreFilter refused the pod
  std::string refusal_;
  std::optional<Plugin> nominated_rejector_;  // who refused the pod's nominated node
  std::vector<HostPort> wanted_ports_;
  std::vector<NodeIndex> feasible_;
  std::vector<std::int64_t> totals_;
  std::vector<std::int64_t> raw_;
  std::vector<std::uint32_t> winners_;
  std::vector<std::pair<NodeIndex, StatusId>> failed_;
  // Of the dry run.
  NodeIndex dry_node_ = kNoNode;
  NodeLoad dry_load_;
  std::vector<PodSlot> dry_off_;  // of the node, taken away
  std::vector<PodSlot> dry_on_;   // not of the node, put there
  std::int64_t dry_conflicts_ = 0;
};

}  // namespace sim::k8s::scheduling

/// PodTopologySpread: pods that match a selector are spread evenly over zones, hosts, or any other topology.
///
/// Source: framework/plugins/podtopologyspread/{plugin,common,filtering,scoring}.go, plugins/helper/spread.go
///         (reference kubernetes 1.6). System defaults: hostname with maxSkew 3 and zone with maxSkew 5, ScheduleAnyway,
///         over the selectors of the pod's Services and of its ReplicaSet or StatefulSet.
/// Leaves out: ReplicationControllers.
/// Checked by: tests/models/kubernetes/scheduler/pod_topology_spread_test.cpp.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class PodTopologySpread {
 public:
  explicit PodTopologySpread(Cache& cache);

  /// Constraints for pods without their own; null: the system's. They must outlive the next call.
  void set_defaults(const std::vector<TopologySpreadConstraint>* constraints) { defaults_ = constraints; }
  /// A Service, ReplicaSet or StatefulSet changed: the default selectors are derived anew.
  void forget_selectors() { selectors_are_stale_ = true; }

  /// False: no DoNotSchedule constraints, every node passes.
  bool pre_filter(const PodInfo& pod);
  StatusId filter(NodeIndex node) const;
  /// As if `other` were added to (+1) or taken off (-1) the node.
  void shift(const PodInfo& other, NodeIndex node, std::int64_t change);

  /// False: nothing to score.
  bool pre_score(const PodInfo& pod, const std::vector<NodeIndex>& feasible);
  /// One normalised score (0 to 100) per feasible node, in the order given to pre_score.
  const std::vector<std::int64_t>& scores(const std::vector<NodeIndex>& feasible);
  /// Before normalisation; for tests.
  const std::vector<std::int64_t>& raw_scores() const { return raw_; }

  static constexpr ActionSet kEvents = static_cast<ActionSet>((Action::kPodAdd | Action::kPodLabel | Action::kPodToleration) | Action::kPodDelete | Action::kNodeAdd |
                                                              Action::kNodeDelete | Action::kNodeLabel | Action::kNodeTaint);
  bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event);

 private:
  struct Constraint {
    std::int64_t max_skew = 1;
    std::int64_t min_domains = 1;
    Symbol key;
    ColumnId column = 0;
    const TopologyColumn* topology = nullptr;
    LabelSelector selector;
    bool selects_nothing = false;    // labelSelector absent
    CounterId counter = kNoCounter;  // none: no pod is counted
    DomainSums* sums = nullptr;      // matching pods, as far as they count
    bool matches_itself = false;
    bool honor_affinity = true;
    bool honor_taints = false;
  };
  enum class Hardness : std::uint8_t { kDoNotSchedule, kScheduleAnyway };
  void collect(const PodInfo& pod, Hardness hardness, std::vector<Constraint>& into);
  const LabelSelector& default_selector(const PodInfo& pod);
  bool is_included(const Constraint& constraint, NodeIndex node) const;
  bool has_all_keys(const std::vector<Constraint>& constraints, NodeIndex node) const;
  bool selects(const Constraint& constraint, const Labels& labels) const;
  /// What is counted: all that the sums of a constraint depend on, but the version of the nodes.
  enum class What : std::uint32_t { kHard = 16, kSoft, kOnNode };  // the first word of a key: other plugins' are below
  const Key& key_of(What what, const std::vector<Constraint>& constraints, const Constraint& constraint);
  /// Brings constraint.sums up to date; `domain_of` says where a pod on a node counts if the node counts.
  template <class Reset, class DomainOf>
  void sum_up(const Key& key, Constraint& constraint, Reset&& reset, DomainOf&& domain_of);

  Cache& cache_;
  const std::vector<TopologySpreadConstraint>* defaults_ = nullptr;
  bool selectors_are_stale_ = true;
  std::map<Symbol, std::vector<Ref<Service>>> services_;                // by namespace
  std::unordered_map<Key, LabelSelector, KeyHash> default_selectors_;  // look-up only
  Symbol hostname_, zone_;
  Key key_;

  // Of the pod in hand.
  const PodSpec* spec_ = nullptr;
  Symbol ns_;
  std::vector<Constraint> hard_;
  std::vector<Constraint> soft_;
  bool needs_all_keys_ = false;
  std::vector<std::uint8_t> ignored_;  // bytes: looked at several times for each of thousands of nodes
  std::vector<bool> is_seen_;  // by domain
  std::vector<double> weighted_;  // by domain
  std::int64_t least_ = 0;        // of raw_, without those that are ignored
  std::int64_t most_ = 0;
  std::vector<std::int64_t> raw_;
  std::vector<std::int64_t> scratch_;
  std::vector<double> sums_;
};

}  // namespace sim::k8s::scheduling

/// InterPodAffinity: pods that want to be, or refuse to be, in the same topology domain as other pods.
///
/// Source: framework/plugins/interpodaffinity/{plugin,filtering,scoring}.go (reference kubernetes 1.6).
/// Checked by: tests/models/kubernetes/scheduler/inter_pod_affinity_test.cpp.
#pragma once

#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class InterPodAffinity {
 public:
  explicit InterPodAffinity(Cache& cache) : cache_(cache) {}

  /// False: neither this pod nor one on a node has a required term that concerns the other; every node passes.
  bool pre_filter(const PodInfo& pod);
  StatusId filter(NodeIndex node) const;
  /// As if `other` were added to (+1) or taken off (-1) the node.
  void shift(const PodInfo& other, NodeIndex node, std::int64_t change);

  /// False: no term matched, nothing to score.
  bool pre_score(const PodInfo& pod);
  /// The sums of one feasible node each, as pre_score() found them.
  std::vector<std::int64_t> raw(const std::vector<NodeIndex>& feasible) const;
  /// One normalised score (0 to 100) per feasible node.
  const std::vector<std::int64_t>& scores(const std::vector<NodeIndex>& feasible);

  void set_arguments(std::int64_t hard_pod_affinity_weight, bool ignores_preferred_terms_of_existing_pods) {
    hard_weight_ = hard_pod_affinity_weight;
    ignores_preferred_ = ignores_preferred_terms_of_existing_pods;
  }
  static constexpr ActionSet kEvents =
      static_cast<ActionSet>((Action::kPodAdd | Action::kPodLabel | Action::kPodDelete) | Action::kNodeAdd | Action::kNodeLabel | Action::kNodeTaint);
  bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) const;

 private:
  /// Sums over one topology key. What is shifted in a dry run is shifted back before it ends.
  struct OfKey {
    const TopologyColumn* column = nullptr;
    DomainSums* sums = nullptr;
  };
  /// Sources of sums, gathered by topology key in the order in which the keys come.
  struct Gathered {
    ColumnId column = 0;
    std::vector<DomainSums::Source> sources;
  };
  enum class What : std::uint32_t { kExisting, kAffinity, kAnti, kScore };  // the first word of a key: below those of other plugins
  void gather(Symbol key, const NodeCounts* counts, std::int64_t weight);
  /// Brings the sums of what was gathered up to date.
  void sum_up(What what, std::vector<OfKey>& into);
  void shift(What what, std::vector<OfKey>& sums, Symbol key, NodeIndex node, std::int64_t change);
  static bool all_match(const std::vector<PodTerm>& terms, Symbol ns, const Labels& labels, const ApiServer& api);

  Cache& cache_;
  std::int64_t hard_weight_ = 1;
  bool ignores_preferred_ = false;
  std::vector<Gathered> gathered_;  // keeps its memory; the first gathered_count_ are current
  std::size_t gathered_count_ = 0;
  Key key_;
  // Of the pod in hand.
  Symbol ns_;
  IdentityId identity_ = 0;
  std::vector<PodTerm> affinity_terms_, anti_terms_;
  std::vector<Symbol> affinity_keys_, anti_keys_;
  std::vector<OfKey> existing_, affinity_, anti_, score_;
  std::vector<std::int64_t> scores_;
};

}  // namespace sim::k8s::scheduling

/// InterPodAffinity: pods that want to be, or refuse to be, in the same topology domain as other pods.
///
/// Source: framework/plugins/interpodaffinity/{plugin,filtering,scoring}.go (reference kubernetes 1.6).
/// Checked by: tests/models/kubernetes/scheduler/inter_pod_affinity_test.cpp.
#pragma once

#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

/// A sum per domain of one topology key.
struct DomainSums {
  ColumnId column = 0;
  std::vector<std::int64_t> by_domain;
  std::int64_t of(std::uint32_t domain) const { return domain < by_domain.size() ? by_domain[domain] : 0; }
};

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
  void add(std::vector<DomainSums>& sums, std::size_t& used, Symbol key, NodeIndex node, std::int64_t amount);
  DomainSums& sums_for(std::vector<DomainSums>& sums, std::size_t& used, Symbol key);
  static bool all_match(const std::vector<PodTerm>& terms, Symbol ns, const Labels& labels, const ApiServer& api);

  Cache& cache_;
  std::int64_t hard_weight_ = 1;
  bool ignores_preferred_ = false;
  // Of the pod in hand. The vectors keep their memory; `used` says how many entries are current.
  Symbol ns_;
  IdentityId identity_ = 0;
  std::vector<PodTerm> affinity_terms_;
  std::vector<ColumnId> affinity_columns_;
  std::vector<PodTerm> anti_terms_;
  std::vector<ColumnId> anti_columns_;
  std::vector<Symbol> affinity_keys_, anti_keys_;
  std::vector<DomainSums> existing_, affinity_, anti_, score_;
  std::size_t existing_used_ = 0, affinity_used_ = 0, anti_used_ = 0, score_used_ = 0;
  std::vector<std::int64_t> scores_;
};

}  // namespace sim::k8s::scheduling

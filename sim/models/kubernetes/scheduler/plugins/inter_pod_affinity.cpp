#include "sim/models/kubernetes/scheduler/plugins/inter_pod_affinity.hpp"

#include <algorithm>

namespace sim::k8s::scheduling {

namespace {

/// A term of the pod in hand. Upstream (v1.36) adds the selected namespaces to it, but leaves the namespace selector in place and asks it without
/// labels afterwards: one that an unlabelled namespace matches (DoesNotExist, NotIn) therefore selects every namespace.
/// Source: interpodaffinity/plugin.go (mergeAffinityTermNamespacesIfNotEmpty takes the term by value).
PodTerm incoming(const PodAffinityTerm& term, Symbol ns, const Labels& labels, const Interner& names) {
  PodTerm result = PodTerm::of(term, ns, labels);
  if (result.has_namespace_selector && result.namespace_selector.matches(Labels{}, names)) result.namespace_selector = LabelSelector{};
  return result;
}

}  // namespace

bool InterPodAffinity::all_match(const std::vector<PodTerm>& terms, Symbol ns, const Labels& labels, const ApiServer& api) {
  return !terms.empty() && std::all_of(terms.begin(), terms.end(), [&](const PodTerm& term) { return term.matches(ns, labels, api); });
}

DomainSums& InterPodAffinity::sums_for(std::vector<DomainSums>& sums, std::size_t& used, Symbol key) {
  const ColumnId column = cache_.column(key);
  for (std::size_t i = 0; i < used; ++i) {
    if (sums[i].column == column) return sums[i];
  }
  if (used == sums.size()) sums.emplace_back();
  DomainSums& entry = sums[used++];
  entry.column = column;
  entry.by_domain.assign(cache_.topology(column).domains(), 0);
  return entry;
}

void InterPodAffinity::add(std::vector<DomainSums>& sums, std::size_t& used, Symbol key, NodeIndex node, std::int64_t amount) {
  DomainSums& entry = sums_for(sums, used, key);
  const std::uint32_t domain = cache_.topology(entry.column).domain(node);
  if (domain != TopologyColumn::kNoDomain) entry.by_domain[domain] += amount;
}

bool InterPodAffinity::pre_filter(const PodInfo& pod) {
  PodIndex& index = cache_.index();
  ns_ = pod.ns;
  identity_ = pod.identity;
  existing_used_ = affinity_used_ = anti_used_ = 0;
  affinity_terms_.clear();
  affinity_keys_.clear();
  anti_terms_.clear();
  anti_keys_.clear();
  for (const TermId id : index.terms_matching(pod.identity)) {
    const HeldTerm& term = index.term(id);
    if (term.kind != TermKind::kRequiredAntiAffinity) continue;
    DomainSums& sums = sums_for(existing_, existing_used_, term.topology_key);
    const TopologyColumn& column = cache_.topology(sums.column);
    for (const auto& [node, holders] : term.holders) {
      const std::uint32_t domain = column.domain(node);
      if (domain != TopologyColumn::kNoDomain) sums.by_domain[domain] += holders;
    }
  }
  const Affinity* affinity = pod.spec->affinity.get();
  const Labels& labels = index.labels(pod.identity);
  if (affinity != nullptr) {
    for (const PodAffinityTerm& term : affinity->required_pod_affinity) {
      affinity_terms_.push_back(incoming(term, pod.ns, labels, cache_.api().names()));
      affinity_keys_.push_back(term.topology_key);
    }
    for (const PodAffinityTerm& term : affinity->required_pod_anti_affinity) {
      anti_terms_.push_back(incoming(term, pod.ns, labels, cache_.api().names()));
      anti_keys_.push_back(term.topology_key);
    }
  }
  if (!affinity_terms_.empty()) {
    // One existing pod must match all terms to count, and then counts for the key of each.
    const CounterId counter = index.counter(affinity_terms_, false);
    for (const Symbol key : affinity_keys_) {
      sums_for(affinity_, affinity_used_, key);
      for (const auto& [node, pods] : index.counts(counter)) add(affinity_, affinity_used_, key, node, pods);
    }
  }
  for (std::size_t i = 0; i < anti_terms_.size(); ++i) {
    const CounterId counter = index.counter({anti_terms_[i]}, false);
    sums_for(anti_, anti_used_, anti_keys_[i]);
    for (const auto& [node, pods] : index.counts(counter)) add(anti_, anti_used_, anti_keys_[i], node, pods);
  }
  const auto any = [](const DomainSums& sums) {
    return std::any_of(sums.by_domain.begin(), sums.by_domain.end(), [](std::int64_t count) { return count != 0; });
  };
  const bool concerned = std::any_of(existing_.begin(), existing_.begin() + static_cast<std::ptrdiff_t>(existing_used_), any);
  return concerned || !affinity_terms_.empty() || !anti_terms_.empty();
}

StatusId InterPodAffinity::filter(NodeIndex node) const {
  bool pods_exist = true;
  for (std::size_t i = 0; i < affinity_used_; ++i) {
    const std::uint32_t domain = cache_.topology(affinity_[i].column).domain(node);
    if (domain == TopologyColumn::kNoDomain) return kStatusPodAffinity;  // the node must have the key of every term
    if (affinity_[i].of(domain) <= 0) pods_exist = false;
  }
  if (!pods_exist) {
    // The first of a series that wants to be near its own kind: allowed when nobody matches anywhere, and it matches itself.
    bool nobody = true;
    for (std::size_t i = 0; i < affinity_used_; ++i) {
      nobody = nobody && std::all_of(affinity_[i].by_domain.begin(), affinity_[i].by_domain.end(), [](std::int64_t c) { return c == 0; });
    }
    if (!nobody || !all_match(affinity_terms_, ns_, cache_.index().labels(identity_), cache_.api())) return kStatusPodAffinity;
  }
  const auto hit = [&](const std::vector<DomainSums>& sums, std::size_t used) {
    for (std::size_t i = 0; i < used; ++i) {
      if (sums[i].of(cache_.topology(sums[i].column).domain(node)) > 0) return true;
    }
    return false;
  };
  if (hit(anti_, anti_used_)) return kStatusPodAntiAffinity;
  if (hit(existing_, existing_used_)) return kStatusExistingAntiAffinity;
  return kFits;
}

void InterPodAffinity::shift(const PodInfo& other, NodeIndex node, std::int64_t change) {
  const ApiServer& api = cache_.api();
  PodIndex& index = cache_.index();
  const Labels& labels = index.labels(other.identity);
  const Affinity* affinity = other.spec->affinity.get();
  if (affinity != nullptr) {
    for (const PodAffinityTerm& term : affinity->required_pod_anti_affinity) {
      if (PodTerm::of(term, other.ns, labels).matches(ns_, index.labels(identity_), api)) add(existing_, existing_used_, term.topology_key, node, change);
    }
  }
  if (all_match(affinity_terms_, other.ns, labels, api)) {
    for (const Symbol key : affinity_keys_) add(affinity_, affinity_used_, key, node, change);
  }
  for (std::size_t i = 0; i < anti_terms_.size(); ++i) {
    if (anti_terms_[i].matches(other.ns, labels, api)) add(anti_, anti_used_, anti_keys_[i], node, change);
  }
}

bool InterPodAffinity::pre_score(const PodInfo& pod) {
  PodIndex& index = cache_.index();
  score_used_ = 0;
  const Affinity* affinity = pod.spec->affinity.get();
  const bool prefers = affinity != nullptr && !(affinity->preferred_pod_affinity.empty() && affinity->preferred_pod_anti_affinity.empty());
  if (ignores_preferred_ && !prefers) return false;
  bool matched = false;
  const auto spread = [&](Symbol key, const NodeCounts& counts, std::int64_t weight) {
    if (counts.empty()) return;
    DomainSums& sums = sums_for(score_, score_used_, key);
    const TopologyColumn& column = cache_.topology(sums.column);
    for (const auto& [node, pods] : counts) {
      const std::uint32_t domain = column.domain(node);
      if (domain == TopologyColumn::kNoDomain) continue;
      sums.by_domain[domain] += weight * static_cast<std::int64_t>(pods);
      matched = true;
    }
  };
  for (const TermId id : index.terms_matching(pod.identity)) {
    const HeldTerm& term = index.term(id);
    switch (term.kind) {
      case TermKind::kRequiredAffinity:
        if (hard_weight_ != 0) spread(term.topology_key, term.holders, hard_weight_);
        break;
      case TermKind::kPreferredAffinity: spread(term.topology_key, term.holders, term.weight); break;
      case TermKind::kPreferredAntiAffinity: spread(term.topology_key, term.holders, -term.weight); break;
      case TermKind::kRequiredAntiAffinity: break;
    }
  }
  if (affinity != nullptr) {
    const auto prefer = [&](const std::vector<PodAffinityTerm>& terms, std::int64_t sign) {
      for (const PodAffinityTerm& term : terms) {
        spread(term.topology_key, index.counts(index.counter({incoming(term, pod.ns, index.labels(pod.identity), cache_.api().names())}, false)), sign * term.weight);
      }
    };
    prefer(affinity->preferred_pod_affinity, 1);
    prefer(affinity->preferred_pod_anti_affinity, -1);
  }
  return matched;
}

std::vector<std::int64_t> InterPodAffinity::raw(const std::vector<NodeIndex>& feasible) const {
  std::vector<std::int64_t> sums(feasible.size(), 0);
  for (std::size_t k = 0; k < score_used_; ++k) {
    const TopologyColumn& column = cache_.topology(score_[k].column);
    for (std::size_t i = 0; i < feasible.size(); ++i) sums[i] += score_[k].of(column.domain(feasible[i]));
  }
  return sums;
}

const std::vector<std::int64_t>& InterPodAffinity::scores(const std::vector<NodeIndex>& feasible) {
  scores_ = raw(feasible);
  if (feasible.empty()) return scores_;
  const auto [least, most] = std::minmax_element(scores_.begin(), scores_.end());
  const std::int64_t low = *least;
  const std::int64_t range = *most - low;
  for (std::int64_t& score : scores_) {
    score = range == 0 ? 0
                       : static_cast<std::int64_t>(static_cast<double>(kMaxNodeScore) *
                                                   (static_cast<double>(score - low) / static_cast<double>(range)));
  }
  return scores_;
}

bool InterPodAffinity::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) const {
  if (event.action == Action::kNodeTaint) return true;  // registered by the scheduler itself, without a hint
  const ApiServer& api = cache_.api();
  const Affinity* affinity = pod.spec->affinity.get();
  static const std::vector<PodAffinityTerm> kNone;
  const auto& wanted = affinity == nullptr ? kNone : affinity->required_pod_affinity;
  const auto& refused = affinity == nullptr ? kNone : affinity->required_pod_anti_affinity;
  if (event.action == Action::kNodeAdd || event.action == Action::kNodeLabel) {
    const auto value = [](const NodeView* node, Symbol key) { return node == nullptr ? std::optional<Symbol>{} : node->labels.find(key); };
    for (const PodAffinityTerm& term : wanted) {
      const auto before = value(event.node_before, term.topology_key);
      const auto after = value(event.node_after, term.topology_key);
      if (after && (!before || *before != *after)) return true;
    }
    for (const PodAffinityTerm& term : refused) {
      if (event.node_before == nullptr) return true;
      const auto before = value(event.node_before, term.topology_key);
      const auto after = value(event.node_after, term.topology_key);
      if (before && (!after || *before != *after)) return true;
    }
    return false;
  }
  const PodView* before = event.pod_before;
  const PodView* after = event.pod_after;
  if (before != nullptr && after != nullptr && after->ref == pod.ref) return true;
  if ((before != nullptr && !before->placed) || (after != nullptr && !after->placed)) return false;
  const Labels& own = cache_.index().labels(pod.identity);
  const auto all_of = [&](const std::vector<PodAffinityTerm>& terms, Symbol ns, const Labels& labels) {
    return !terms.empty() && std::all_of(terms.begin(), terms.end(), [&](const PodAffinityTerm& term) {
      return PodTerm::of(term, pod.ns, own).matches(ns, labels, api);
    });
  };
  if (before != nullptr && after != nullptr) {
    if (!all_of(wanted, before->ns, *before->labels) && all_of(wanted, after->ns, *after->labels)) return true;
    return all_of(refused, before->ns, *before->labels) && !all_of(refused, after->ns, *after->labels);
  }
  if (after != nullptr) return all_of(wanted, after->ns, *after->labels);
  if (all_of(refused, before->ns, *before->labels)) return true;
  if (!before->spec->affinity) return false;
  const std::vector<PodAffinityTerm>& theirs = before->spec->affinity->required_pod_anti_affinity;
  return !theirs.empty() && std::all_of(theirs.begin(), theirs.end(), [&](const PodAffinityTerm& term) {
    return PodTerm::of(term, before->ns, *before->labels).matches(pod.ns, own, api);
  });
}

}  // namespace sim::k8s::scheduling

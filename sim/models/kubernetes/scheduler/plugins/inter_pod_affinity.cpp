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

/// As the queueing hints ask it, which know of no namespace's labels: a namespace selector matches where it matches none of them.
bool matches_without_namespaces(const PodTerm& term, Symbol ns, const Labels& labels, const Interner& names) {
  if (term.matches_nothing) return false;
  const bool listed = std::binary_search(term.namespaces.begin(), term.namespaces.end(), ns);
  if (!listed && !(term.has_namespace_selector && term.namespace_selector.matches(Labels{}, names))) return false;
  return term.selector.matches(labels, names);
}

}  // namespace

bool InterPodAffinity::all_match(const std::vector<PodTerm>& terms, Symbol ns, const Labels& labels, const ApiServer& api) {
  return !terms.empty() && std::all_of(terms.begin(), terms.end(), [&](const PodTerm& term) { return term.matches(ns, labels, api); });
}

void InterPodAffinity::gather(Symbol key, const NodeCounts* counts, std::int64_t weight) {
  const ColumnId column = cache_.column(key);
  std::size_t place = 0;
  while (place < gathered_count_ && gathered_[place].column != column) ++place;
  if (place == gathered_count_) {
    if (place == gathered_.size()) gathered_.emplace_back();
    gathered_[place].column = column;
    gathered_[place].sources.clear();
    ++gathered_count_;
  }
  if (counts != nullptr) gathered_[place].sources.push_back({counts, weight});
}

void InterPodAffinity::sum_up(What what, std::vector<OfKey>& into) {
  for (std::size_t i = 0; i < gathered_count_; ++i) {
    const Gathered& gathered = gathered_[i];
    key_.clear();
    key_.push_back(static_cast<std::uint32_t>(what));
    key_.push_back(gathered.column);
    for (const DomainSums::Source& source : gathered.sources) {
      append(key_, static_cast<std::int64_t>(source.counts->id()));
      append(key_, source.weight);
    }
    const TopologyColumn& column = cache_.topology(gathered.column);
    DomainSums& sums = cache_.sums().find(key_);
    sums.follow(
        cache_.topology_version(), gathered.sources, [&](DomainSums& anew) { anew.begin(column.domains(), 0); },
        [&](NodeIndex node) { return column.domain(node); });
    into.push_back({&column, &sums});
  }
  gathered_count_ = 0;
}

bool InterPodAffinity::pre_filter(const PodInfo& pod) {
  PodIndex& index = cache_.index();
  const Interner& names = cache_.api().names();
  ns_ = pod.ns;
  identity_ = pod.identity;
  for (std::vector<OfKey>* sums : {&existing_, &affinity_, &anti_}) sums->clear();
  affinity_terms_.clear();
  affinity_keys_.clear();
  anti_terms_.clear();
  anti_keys_.clear();
  for (const TermId id : index.terms_matching(pod.identity)) {
    const HeldTerm& term = index.term(id);
    if (term.kind == TermKind::kRequiredAntiAffinity) gather(term.topology_key, &term.holders, 1);
  }
  sum_up(What::kExisting, existing_);
  const Affinity* affinity = pod.spec->affinity.get();
  if (affinity != nullptr) {
    const Labels& labels = index.labels(pod.identity);
    for (const PodAffinityTerm& term : affinity->required_pod_affinity) {
      affinity_terms_.push_back(incoming(term, pod.ns, labels, names));
      affinity_keys_.push_back(term.topology_key);
    }
    for (const PodAffinityTerm& term : affinity->required_pod_anti_affinity) {
      anti_terms_.push_back(incoming(term, pod.ns, labels, names));
      anti_keys_.push_back(term.topology_key);
    }
  }
  if (!affinity_terms_.empty()) {
    // One existing pod must match all terms to count, and then counts for the key of each.
    const NodeCounts& counts = index.counts(index.counter(affinity_terms_, false));
    for (const Symbol key : affinity_keys_) gather(key, &counts, 1);
    sum_up(What::kAffinity, affinity_);
  }
  for (std::size_t i = 0; i < anti_terms_.size(); ++i) gather(anti_keys_[i], &index.counts(index.counter({anti_terms_[i]}, false)), 1);
  sum_up(What::kAnti, anti_);
  const bool concerned = std::any_of(existing_.begin(), existing_.end(), [](const OfKey& one) { return !one.sums->all_zero(); });
  return concerned || !affinity_terms_.empty() || !anti_terms_.empty();
}

StatusId InterPodAffinity::filter(NodeIndex node) const {
  bool pods_exist = true;
  for (const OfKey& wanted : affinity_) {
    const std::uint32_t domain = wanted.column->domain(node);
    if (domain == kNoDomain) return kStatusPodAffinity;  // the node must have the key of every term
    if (wanted.sums->of(domain) <= 0) pods_exist = false;
  }
  if (!pods_exist) {
    // The first of a series that wants to be near its own kind: allowed when nobody matches anywhere, and it matches itself.
    const bool nobody = std::all_of(affinity_.begin(), affinity_.end(), [](const OfKey& wanted) { return wanted.sums->all_zero(); });
    if (!nobody || !all_match(affinity_terms_, ns_, cache_.index().labels(identity_), cache_.api())) return kStatusPodAffinity;
  }
  const auto is_hit = [&](const OfKey& refused) { return refused.sums->of(refused.column->domain(node)) > 0; };
  if (std::any_of(anti_.begin(), anti_.end(), is_hit)) return kStatusPodAntiAffinity;
  if (std::any_of(existing_.begin(), existing_.end(), is_hit)) return kStatusExistingAntiAffinity;
  return kFits;
}

void InterPodAffinity::shift(What what, std::vector<OfKey>& sums, Symbol key, NodeIndex node, std::int64_t change) {
  const TopologyColumn* column = &cache_.topology(cache_.column(key));
  auto place = std::find_if(sums.begin(), sums.end(), [&](const OfKey& one) { return one.column == column; });
  if (place == sums.end()) {  // a nominated pod brings the first term of its kind
    gather(key, nullptr, 0);
    sum_up(what, sums);
    place = sums.end() - 1;
  }
  const std::uint32_t domain = column->domain(node);
  if (domain != kNoDomain) place->sums->add(domain, change);
}

void InterPodAffinity::shift(const PodInfo& other, NodeIndex node, std::int64_t change) {
  const ApiServer& api = cache_.api();
  PodIndex& index = cache_.index();
  const Labels& labels = index.labels(other.identity);
  const Affinity* affinity = other.spec->affinity.get();
  if (affinity != nullptr) {
    for (const PodAffinityTerm& term : affinity->required_pod_anti_affinity) {
      if (PodTerm::of(term, other.ns, labels).matches(ns_, index.labels(identity_), api)) shift(What::kExisting, existing_, term.topology_key, node, change);
    }
  }
  if (all_match(affinity_terms_, other.ns, labels, api)) {
    for (const Symbol key : affinity_keys_) shift(What::kAffinity, affinity_, key, node, change);
  }
  for (std::size_t i = 0; i < anti_terms_.size(); ++i) {
    if (anti_terms_[i].matches(other.ns, labels, api)) shift(What::kAnti, anti_, anti_keys_[i], node, change);
  }
}

bool InterPodAffinity::pre_score(const PodInfo& pod) {
  PodIndex& index = cache_.index();
  score_.clear();
  const Affinity* affinity = pod.spec->affinity.get();
  const bool prefers = affinity != nullptr && !(affinity->preferred_pod_affinity.empty() && affinity->preferred_pod_anti_affinity.empty());
  if (ignores_preferred_ && !prefers) return false;
  for (const TermId id : index.terms_matching(pod.identity)) {
    const HeldTerm& term = index.term(id);
    switch (term.kind) {
      case TermKind::kRequiredAffinity:
        if (hard_weight_ != 0) gather(term.topology_key, &term.holders, hard_weight_);
        break;
      case TermKind::kPreferredAffinity: gather(term.topology_key, &term.holders, term.weight); break;
      case TermKind::kPreferredAntiAffinity: gather(term.topology_key, &term.holders, -term.weight); break;
      case TermKind::kRequiredAntiAffinity: break;
    }
  }
  if (affinity != nullptr) {
    const auto prefer = [&](const std::vector<PodAffinityTerm>& terms, std::int64_t sign) {
      for (const PodAffinityTerm& term : terms) {
        const PodTerm wanted = incoming(term, pod.ns, index.labels(pod.identity), cache_.api().names());
        gather(term.topology_key, &index.counts(index.counter({wanted}, false)), sign * term.weight);
      }
    };
    prefer(affinity->preferred_pod_affinity, 1);
    prefer(affinity->preferred_pod_anti_affinity, -1);
  }
  sum_up(What::kScore, score_);
  return std::any_of(score_.begin(), score_.end(), [](const OfKey& one) { return one.sums->pods() != 0; });
}

std::vector<std::int64_t> InterPodAffinity::raw(const std::vector<NodeIndex>& feasible) const {
  std::vector<std::int64_t> result(feasible.size(), 0);
  for (const OfKey& one : score_) {
    for (std::size_t i = 0; i < feasible.size(); ++i) result[i] += one.sums->of(one.column->domain(feasible[i]));
  }
  return result;
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
  const Interner& names = cache_.api().names();
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
      return matches_without_namespaces(PodTerm::of(term, pod.ns, own), ns, labels, names);
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
    return matches_without_namespaces(PodTerm::of(term, before->ns, *before->labels), pod.ns, own, names);
  });
}

}  // namespace sim::k8s::scheduling

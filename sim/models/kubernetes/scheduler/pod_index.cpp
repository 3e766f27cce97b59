#include "sim/models/kubernetes/scheduler/pod_index.hpp"

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/api/own_label.hpp"

namespace sim::k8s::scheduling {

namespace {

/// More than any real namespace set has; a bound for worlds that roll out for months.
constexpr std::size_t kCountersMax = 4096;

}  // namespace

std::size_t KeyHash::operator()(const Key& key) const noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15ull ^ key.size();
  for (const std::uint32_t word : key) {
    hash = (hash ^ word) * 0xff51afd7ed558ccdull;
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash);
}

void append(Key& key, std::int64_t value) {
  key.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
  key.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32));
}
void append(Key& key, Symbol symbol) { key.push_back(symbol.value); }
void append(Key& key, const Labels& labels) {
  key.push_back(static_cast<std::uint32_t>(labels.size()));
  for (const Labels::Pair& pair : labels) {
    key.push_back(pair.key.value);
    key.push_back(pair.value.value);
  }
}
void append(Key& key, const std::vector<Requirement>& requirements) {
  key.push_back(static_cast<std::uint32_t>(requirements.size()));
  for (const Requirement& requirement : requirements) {
    key.push_back(requirement.key.value);
    key.push_back(static_cast<std::uint32_t>(requirement.op));
    key.push_back(static_cast<std::uint32_t>(requirement.values.size()));
    for (const Symbol value : requirement.values) key.push_back(value.value);
  }
}
void append(Key& key, const LabelSelector& selector) { append(key, selector.requirements); }
void append(Key& key, const std::vector<Toleration>& tolerations) {
  key.push_back(static_cast<std::uint32_t>(tolerations.size()));
  for (const Toleration& toleration : tolerations) {
    append(key, toleration.key);
    append(key, toleration.value);
    key.push_back((toleration.exists ? 16u : 0u) | static_cast<std::uint32_t>(toleration.effect));
  }
}
void append_node_affinity(Key& key, const PodSpec& spec) {
  append(key, spec.node_selector);
  if (!spec.affinity || !spec.affinity->has_required_node_affinity) {
    key.push_back(0);
    return;
  }
  key.push_back(static_cast<std::uint32_t>(spec.affinity->required_node_terms.size() + 1));
  for (const NodeSelectorTerm& term : spec.affinity->required_node_terms) {
    append(key, term.match_expressions);
    append(key, term.match_fields);
  }
}

void NodeCounts::add(NodeIndex node, std::int32_t change) {
  if (id_ != 0) journal_[version_++ % kJournal] = {node, change};
  const auto place = std::lower_bound(counts_.begin(), counts_.end(), node, [](const auto& entry, NodeIndex n) { return entry.first < n; });
  if (place == counts_.end() || place->first != node) {
    SIM_CHECK(change > 0, "only what was counted is taken away");
    counts_.insert(place, {node, static_cast<std::uint32_t>(change)});
    return;
  }
  place->second += static_cast<std::uint32_t>(change);
  if (place->second == 0) counts_.erase(place);
}

std::uint32_t NodeCounts::of(NodeIndex node) const {
  const auto place = std::lower_bound(counts_.begin(), counts_.end(), node, [](const auto& entry, NodeIndex n) { return entry.first < n; });
  return place == counts_.end() || place->first != node ? 0 : place->second;
}

PodTerm PodTerm::of(const PodAffinityTerm& term, Symbol owner_namespace, const Labels& owner_labels) {
  PodTerm result;
  result.matches_nothing = !term.selector.has_value();
  if (term.selector) result.selector = with_own_labels(*term.selector, owner_labels);
  result.namespaces = term.namespaces;
  if (term.namespace_selector) {
    result.has_namespace_selector = true;
    result.namespace_selector = *term.namespace_selector;
  } else if (term.namespaces.empty()) {
    result.namespaces = {owner_namespace};
  }
  std::sort(result.namespaces.begin(), result.namespaces.end());
  return result;
}

bool PodTerm::matches(Symbol ns, const Labels& labels, const ApiServer& api) const {
  if (matches_nothing) return false;
  if (!std::binary_search(namespaces.begin(), namespaces.end(), ns)) {
    if (!has_namespace_selector) return false;
    if (!namespace_selector.is_empty()) {
      const Namespace* object = api.get(api.find<Namespace>(Symbol{}, ns));
      static const Labels kNone;
      if (!namespace_selector.matches(object != nullptr ? object->meta.labels : kNone, api.names())) return false;
    }
  }
  return selector.matches(labels, api.names());
}

void PodTerm::append_to(Key& key) const {
  key.push_back((matches_nothing ? 1u : 0u) | (has_namespace_selector ? 2u : 0u));
  append(key, selector);
  key.push_back(static_cast<std::uint32_t>(namespaces.size()));
  for (const Symbol ns : namespaces) append(key, ns);
  append(key, namespace_selector);
}

bool PodIndex::Counter::matches(const Identity& identity, const ApiServer& api) const {
  return std::all_of(terms.begin(), terms.end(), [&](const PodTerm& term) { return term.matches(identity.ns, identity.labels, api); });
}

IdentityId PodIndex::acquire(Symbol ns, const Labels& labels) {
  scratch_.clear();
  append(scratch_, ns);
  append(scratch_, labels);
  const auto found = identity_ids_.find(scratch_);
  if (found != identity_ids_.end()) {
    ++identities_[found->second].references;
    return found->second;
  }
  IdentityId id = static_cast<IdentityId>(identities_.size());
  if (free_identities_.empty()) {
    identities_.emplace_back();
  } else {
    id = free_identities_.back();
    free_identities_.pop_back();
  }
  Identity& identity = identities_[id];
  identity.ns = ns;
  identity.labels = labels;
  identity.references = 1;
  for (CounterId counter = 0; counter < counters_.size(); ++counter) {
    if (counters_[counter].matches(identity, api_)) identity.counters.push_back(counter);
  }
  for (TermId term = 0; term < terms_.size(); ++term) {
    if (terms_[term].lists != 0 && terms_[term].term.matches(ns, labels, api_)) identity.terms.push_back(term);
  }
  identity_ids_.emplace(scratch_, id);
  return id;
}

void PodIndex::release(IdentityId id) {
  Identity& identity = identities_[id];
  if (--identity.references != 0) return;
  SIM_CHECK(identity.all.empty(), "a pod on a node keeps its identity");
  scratch_.clear();
  append(scratch_, identity.ns);
  append(scratch_, identity.labels);
  identity_ids_.erase(scratch_);
  identity = Identity{};
  free_identities_.push_back(id);
}

TermId PodIndex::acquire_term(TermKind kind, const PodAffinityTerm& source, Symbol ns, const Labels& labels) {
  const PodTerm term = PodTerm::of(source, ns, labels);
  const bool weighs = kind == TermKind::kPreferredAffinity || kind == TermKind::kPreferredAntiAffinity;
  Key key;
  key.push_back(static_cast<std::uint32_t>(kind));
  append(key, weighs ? source.weight : 0);
  append(key, source.topology_key);
  term.append_to(key);
  const auto found = term_ids_.find(key);
  if (found != term_ids_.end()) return found->second;
  TermId id = static_cast<TermId>(terms_.size());
  if (free_terms_.empty()) {
    terms_.emplace_back();
  } else {
    id = free_terms_.back();
    free_terms_.pop_back();
  }
  HeldTerm& held = terms_[id];
  held.kind = kind;
  held.weight = weighs ? source.weight : 0;
  held.topology_key = source.topology_key;
  held.term = term;
  held.key = key;
  held.holders = NodeCounts(++last_counts_id_);
  for (Identity& identity : identities_) {
    if (identity.references != 0 && term.matches(identity.ns, identity.labels, api_)) identity.terms.push_back(id);
  }
  ++live_terms_;
  term_ids_.emplace(std::move(key), id);
  return id;
}

TermListId PodIndex::acquire_terms(Symbol ns, const Labels& labels, const Affinity* affinity) {
  if (affinity == nullptr) return 0;
  std::vector<TermId> terms;
  const auto collect = [&](TermKind kind, const std::vector<PodAffinityTerm>& from) {
    for (const PodAffinityTerm& term : from) terms.push_back(acquire_term(kind, term, ns, labels));
  };
  collect(TermKind::kRequiredAffinity, affinity->required_pod_affinity);
  collect(TermKind::kRequiredAntiAffinity, affinity->required_pod_anti_affinity);
  collect(TermKind::kPreferredAffinity, affinity->preferred_pod_affinity);
  collect(TermKind::kPreferredAntiAffinity, affinity->preferred_pod_anti_affinity);
  if (terms.empty()) return 0;
  const Key key(terms.begin(), terms.end());
  const auto found = list_ids_.find(key);
  if (found != list_ids_.end()) {
    ++lists_[found->second].references;
    return found->second;
  }
  TermListId id = static_cast<TermListId>(lists_.size());
  if (free_lists_.empty()) {
    lists_.emplace_back();
  } else {
    id = free_lists_.back();
    free_lists_.pop_back();
  }
  for (const TermId term : terms) ++terms_[term].lists;
  lists_[id] = TermList{std::move(terms), 1, key};
  list_ids_.emplace(key, id);
  return id;
}

void PodIndex::release_terms(TermListId id) {
  if (id == 0) return;
  TermList& list = lists_[id];
  if (--list.references != 0) return;
  for (const TermId term : list.terms) {
    HeldTerm& held = terms_[term];
    if (--held.lists != 0) continue;
    SIM_CHECK(held.holders.empty(), "a pod on a node keeps its terms");
    for (Identity& identity : identities_) std::erase(identity.terms, term);
    term_ids_.erase(held.key);
    held = HeldTerm{};
    free_terms_.push_back(term);
    --live_terms_;
  }
  list_ids_.erase(list.key);
  list = TermList{};
  free_lists_.push_back(id);
}

void PodIndex::pod_added(IdentityId id, TermListId terms, NodeIndex node, bool terminating) {
  Identity& identity = identities_[id];
  identity.all.add(node, 1);
  if (terminating) identity.terminating.add(node, 1);
  for (const CounterId counter : identity.counters) {
    if (!terminating || !counters_[counter].skip_terminating) counters_[counter].counts.add(node, 1);
  }
  for (const TermId term : lists_[terms].terms) terms_[term].holders.add(node, 1);
}

void PodIndex::pod_removed(IdentityId id, TermListId terms, NodeIndex node, bool terminating) {
  Identity& identity = identities_[id];
  identity.all.add(node, -1);
  if (terminating) identity.terminating.add(node, -1);
  for (const CounterId counter : identity.counters) {
    if (!terminating || !counters_[counter].skip_terminating) counters_[counter].counts.add(node, -1);
  }
  for (const TermId term : lists_[terms].terms) terms_[term].holders.add(node, -1);
}

void PodIndex::pod_terminates(IdentityId id, NodeIndex node) {
  Identity& identity = identities_[id];
  identity.terminating.add(node, 1);
  for (const CounterId counter : identity.counters) {
    if (counters_[counter].skip_terminating) counters_[counter].counts.add(node, -1);
  }
}

void PodIndex::add_identity_to(Counter& counter, const Identity& identity, std::int32_t sign) {
  for (const auto& [node, count] : identity.all) {
    std::uint32_t alive = count;
    if (counter.skip_terminating) alive -= identity.terminating.of(node);
    if (alive != 0) counter.counts.add(node, sign * static_cast<std::int32_t>(alive));
  }
}

void PodIndex::namespace_changed(Symbol ns) {
  const auto selects = [](const PodTerm& term) { return term.has_namespace_selector; };
  for (Identity& identity : identities_) {
    if (identity.references == 0 || identity.ns != ns) continue;
    for (CounterId id = 0; id < counters_.size(); ++id) {
      Counter& counter = counters_[id];
      if (std::none_of(counter.terms.begin(), counter.terms.end(), selects)) continue;
      const auto place = std::find(identity.counters.begin(), identity.counters.end(), id);
      const bool before = place != identity.counters.end();
      const bool after = counter.matches(identity, api_);
      if (before == after) continue;
      add_identity_to(counter, identity, after ? 1 : -1);
      if (after) {
        identity.counters.push_back(id);
      } else {
        identity.counters.erase(place);
      }
    }
    for (TermId id = 0; id < terms_.size(); ++id) {
      if (terms_[id].lists == 0 || !terms_[id].term.has_namespace_selector) continue;
      std::erase(identity.terms, id);
      if (terms_[id].term.matches(identity.ns, identity.labels, api_)) identity.terms.push_back(id);
    }
  }
}

CounterId PodIndex::counter(const std::vector<PodTerm>& terms, bool skip_terminating) {
  scratch_.clear();
  scratch_.push_back(skip_terminating ? 1 : 0);
  for (const PodTerm& term : terms) term.append_to(scratch_);
  const auto found = counter_ids_.find(scratch_);
  if (found != counter_ids_.end()) return found->second;
  const CounterId id = static_cast<CounterId>(counters_.size());
  counters_.push_back(Counter{terms, skip_terminating, NodeCounts(++last_counts_id_)});
  Counter& counter = counters_.back();
  for (Identity& identity : identities_) {
    if (identity.references == 0 || !counter.matches(identity, api_)) continue;
    identity.counters.push_back(id);
    add_identity_to(counter, identity, 1);
  }
  counter_ids_.emplace(scratch_, id);
  return id;
}

bool PodIndex::matches(CounterId id, IdentityId pod) const {
  const std::vector<CounterId>& counters = identities_[pod].counters;
  return std::find(counters.begin(), counters.end(), id) != counters.end();
}

void PodIndex::trim_counters() {
  if (counters_.size() <= kCountersMax) return;
  counters_.clear();
  counter_ids_.clear();
  for (Identity& identity : identities_) identity.counters.clear();
  ++counter_epoch_;
}

}  // namespace sim::k8s::scheduling

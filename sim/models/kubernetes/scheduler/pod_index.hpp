/// Which pods match which selector, and on which nodes they are: kept up to date with every pod that comes or goes, so
/// that PodTopologySpread and InterPodAffinity look at the nodes with matches rather than at every pod of the cluster.
///
/// Pods with equal namespace and labels share an *identity*; a selector is matched once per identity.
/// A *counter* answers "how many pods on each node match these terms". A *held term* is a pod (anti)affinity term of
/// pods that are on nodes, with the number of its holders per node.
///
/// Source: what is counted follows framework/plugins/{podtopologyspread,interpodaffinity} (reference kubernetes 1.6);
///         the bookkeeping is our own.
/// Checked by: tests/models/kubernetes/scheduler/pod_index_test.cpp (against counting from scratch).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/scheduler/framework.hpp"

namespace sim::k8s::scheduling {

/// Content as words, to find equal things. Symbols are equal exactly when their strings are.
using Key = std::vector<std::uint32_t>;
struct KeyHash {
  std::size_t operator()(const Key& key) const noexcept;
};
void append(Key& key, std::int64_t value);
void append(Key& key, Symbol symbol);
void append(Key& key, const Labels& labels);
void append(Key& key, const LabelSelector& selector);
void append(Key& key, const std::vector<Requirement>& requirements);
void append(Key& key, const std::vector<Toleration>& tolerations);
/// nodeSelector and required node affinity.
void append_node_affinity(Key& key, const PodSpec& spec);

/// Pods per node, sorted by node; no zero counts. With an id the last changes are remembered, so that sums can follow (domain_sums.hpp).
class NodeCounts {
 public:
  NodeCounts() = default;
  /// `id` is nobody else's, ever.
  explicit NodeCounts(std::uint64_t id) : id_(id), journal_(kJournal) {}
  void add(NodeIndex node, std::int32_t change);
  std::uint32_t of(NodeIndex node) const;
  auto begin() const { return counts_.begin(); }
  auto end() const { return counts_.end(); }
  bool empty() const { return counts_.empty(); }

  std::uint64_t id() const { return id_; }
  /// How many changes there were.
  std::uint64_t version() const { return version_; }
  /// Calls use(node, change) for each change since `version`; false, without calling, when some are forgotten.
  template <class Use>
  bool changes_since(std::uint64_t version, Use&& use) const {
    if (version_ - version > journal_.size()) return false;
    for (; version != version_; ++version) {
      const auto& [node, change] = journal_[version % kJournal];
      use(node, change);
    }
    return true;
  }

 private:
  static constexpr std::size_t kJournal = 64;
  std::vector<std::pair<NodeIndex, std::uint32_t>> counts_;
  std::uint64_t id_ = 0;
  std::uint64_t version_ = 0;
  std::vector<std::pair<NodeIndex, std::int32_t>> journal_;  // a ring; empty without an id
};

/// Pods of some namespaces that match a selector.
struct PodTerm {
  bool matches_nothing = false;    // the selector is absent
  LabelSelector selector;
  std::vector<Symbol> namespaces;  // sorted
  bool has_namespace_selector = false;
  LabelSelector namespace_selector;

  /// A term of a pod in `owner_namespace` with these labels: without namespaces and without a namespace selector it means that namespace.
  static PodTerm of(const PodAffinityTerm& term, Symbol owner_namespace, const Labels& owner_labels);
  bool matches(Symbol ns, const Labels& labels, const ApiServer& api) const;
  void append_to(Key& key) const;
};

using IdentityId = std::uint32_t;
using CounterId = std::uint32_t;
using TermId = std::uint32_t;
using TermListId = std::uint32_t;  // 0: no terms
inline constexpr CounterId kNoCounter = UINT32_MAX;

enum class TermKind : std::uint8_t { kRequiredAffinity, kRequiredAntiAffinity, kPreferredAffinity, kPreferredAntiAffinity };

struct HeldTerm {
  TermKind kind = TermKind::kRequiredAffinity;
  std::int64_t weight = 0;
  Symbol topology_key;
  PodTerm term;
  NodeCounts holders;
  std::uint32_t lists = 0;  // term lists that contain it; 0: the slot is free
  Key key;
};

class PodIndex {
 public:
  explicit PodIndex(const ApiServer& api) : api_(api) { lists_.emplace_back(); }

  IdentityId acquire(Symbol ns, const Labels& labels);
  void release(IdentityId id);
  const Labels& labels(IdentityId id) const { return identities_[id].labels; }
  Symbol ns(IdentityId id) const { return identities_[id].ns; }

  /// The terms that a pod brings to its node. Each acquired list is released once.
  TermListId acquire_terms(Symbol ns, const Labels& labels, const Affinity* affinity);
  void release_terms(TermListId id);
  const std::vector<TermId>& terms(TermListId id) const { return lists_[id].terms; }

  void pod_added(IdentityId id, TermListId terms, NodeIndex node, bool terminating);
  void pod_removed(IdentityId id, TermListId terms, NodeIndex node, bool terminating);
  /// A pod that is counted as alive began to terminate.
  void pod_terminates(IdentityId id, NodeIndex node);
  void namespace_changed(Symbol ns);

  /// Counts the pods that match all of `terms` (at least one); terminating ones too unless `skip_terminating`.
  /// The id is valid until forget_counters().
  CounterId counter(const std::vector<PodTerm>& terms, bool skip_terminating);
  const NodeCounts& counts(CounterId id) const { return counters_[id].counts; }
  bool matches(CounterId id, IdentityId pod) const;
  /// Drops all counters when there are very many (each pod that comes or goes pays for those that match it).
  void trim_counters();
  std::uint64_t counter_epoch() const { return counter_epoch_; }

  /// Terms held on nodes that match a pod of this identity, in the order in which they came to be.
  const std::vector<TermId>& terms_matching(IdentityId id) const { return identities_[id].terms; }
  const HeldTerm& term(TermId id) const { return terms_[id]; }
  bool has_terms() const { return live_terms_ != 0; }

 private:
  struct Identity {
    Symbol ns;
    Labels labels;
    std::uint32_t references = 0;
    NodeCounts all;
    NodeCounts terminating;
    std::vector<CounterId> counters;
    std::vector<TermId> terms;
  };
  struct Counter {
    std::vector<PodTerm> terms;
    bool skip_terminating = false;
    NodeCounts counts;
    bool matches(const Identity& identity, const ApiServer& api) const;
  };
  struct TermList {
    std::vector<TermId> terms;
    std::uint32_t references = 0;
    Key key;
  };
  TermId acquire_term(TermKind kind, const PodAffinityTerm& term, Symbol ns, const Labels& labels);
  void add_identity_to(Counter& counter, const Identity& identity, std::int32_t sign);

  const ApiServer& api_;
  std::vector<Identity> identities_;
  std::vector<IdentityId> free_identities_;
  std::unordered_map<Key, IdentityId, KeyHash> identity_ids_;  // look-up only
  std::deque<Counter> counters_;  // a new one moves none
  std::unordered_map<Key, CounterId, KeyHash> counter_ids_;  // look-up only
  std::uint64_t counter_epoch_ = 0;
  std::uint64_t last_counts_id_ = 0;
  std::vector<HeldTerm> terms_;
  std::vector<TermId> free_terms_;
  std::unordered_map<Key, TermId, KeyHash> term_ids_;  // look-up only
  std::vector<TermList> lists_;                        // [0] is the empty list
  std::vector<TermListId> free_lists_;
  std::unordered_map<Key, TermListId, KeyHash> list_ids_;  // look-up only
  std::uint32_t live_terms_ = 0;
  Key scratch_;
};

}  // namespace sim::k8s::scheduling

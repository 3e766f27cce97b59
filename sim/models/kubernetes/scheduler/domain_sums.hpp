/// Pods per domain of a topology, kept from one cycle to the next: a cycle pays for the pods that came and went since the last one that asked for the
/// same sums, not for the pods that are there.
///
/// Source: what is summed follows framework/plugins/{podtopologyspread,interpodaffinity}, which count anew in each cycle; the bookkeeping is our own.
/// Leaves out: sums beyond 32 bits (2 million pods of one domain in ten terms of weight 100).
/// Checked by: tests/models/kubernetes/scheduler/domain_sums_test.cpp (against counting anew over random histories).
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "sim/models/kubernetes/scheduler/pod_index.hpp"

namespace sim::k8s::scheduling {

/// The domain of a node that has none.
inline constexpr std::uint32_t kNoDomain = UINT32_MAX;

class DomainSums {
 public:
  /// A domain that none of the nodes that count has.
  static constexpr std::int32_t kAbsent = std::numeric_limits<std::int32_t>::min();
  /// Pods that add `weight` each.
  struct Source {
    const NodeCounts* counts = nullptr;
    std::int64_t weight = 1;
  };

  /// Follows the sources, which are always the same ones. When that is not possible any more, or `version` is another than the last time, it begins
  /// anew: `reset(sums)` calls begin() and says which nodes count. `domain_of(node)` is kNoDomain for nodes that add nothing.
  template <class Reset, class DomainOf>
  void follow(std::uint64_t version, std::span<const Source> sources, Reset&& reset, DomainOf&& domain_of) {
    bool follows = version_ == version && seen_.size() == sources.size();
    const auto take = [&](NodeIndex node, std::int64_t pods, std::int64_t weight) {
      const std::uint32_t domain = domain_of(node);
      if (domain == kNoDomain) return;
      pods_ += pods;
      add(domain, pods * weight);
    };
    for (std::size_t i = 0; i < sources.size() && follows; ++i) {
      follows = sources[i].counts->changes_since(seen_[i], [&](NodeIndex node, std::int32_t change) { take(node, change, sources[i].weight); });
      seen_[i] = sources[i].counts->version();
    }
    if (follows) return;
    version_ = version;
    reset(*this);
    seen_.clear();
    for (const Source& source : sources) {
      for (const auto& [node, pods] : *source.counts) take(node, pods, source.weight);
      seen_.push_back(source.counts->version());
    }
  }
  /// All sums are `value`; no node counts.
  void begin(std::size_t domains, std::int32_t value);
  /// The node counts, and so does its domain.
  void count(NodeIndex node, std::uint32_t domain);
  bool counts(NodeIndex node) const { return node < counted_.size() && counted_[node]; }

  std::int32_t at(std::uint32_t domain) const { return by_domain_[domain]; }
  /// kNoDomain has no pods, and neither has an absent domain.
  std::int64_t of(std::uint32_t domain) const { return domain < by_domain_.size() && by_domain_[domain] != kAbsent ? by_domain_[domain] : 0; }
  void add(std::uint32_t domain, std::int64_t amount);
  /// Pods of all domains, without their weights.
  std::int64_t pods() const { return pods_; }
  /// No domain has a sum other than 0.
  bool all_zero() const { return nonzero_ == 0; }
  std::size_t domains_present() const { return present_; }
  /// The smallest sum of a domain that is present; the largest 32-bit number when there is none.
  std::int32_t least();

 private:
  friend class KeptSums;
  std::vector<std::int32_t> by_domain_;
  std::vector<bool> counted_;        // by node
  std::vector<std::uint64_t> seen_;  // versions of the sources
  std::uint64_t version_ = 0;
  std::int64_t pods_ = 0;
  std::size_t nonzero_ = 0;
  std::size_t present_ = 0;
  std::int32_t least_ = 0;
  std::size_t at_least_ = 0;  // domains whose sum is least_; 0: to be found anew
  std::uint64_t last_used_ = 0;
  Key key_;
};

/// The sums that were asked for lately, found by what they are sums of.
class KeptSums {
 public:
  /// Sums that are asked for from now on stay until the next call.
  void begin_cycle(std::size_t nodes);
  DomainSums& find(const Key& key);
  std::size_t size() const { return all_.size(); }

 private:
  std::vector<std::unique_ptr<DomainSums>> all_;
  std::unordered_map<Key, DomainSums*, KeyHash> by_key_;  // look-up only
  std::size_t looked_at_ = 0;  // how many there were when their memory was last looked at
  std::uint64_t now_ = 1;
};

}  // namespace sim::k8s::scheduling

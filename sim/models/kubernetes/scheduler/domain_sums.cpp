#include "sim/models/kubernetes/scheduler/domain_sums.hpp"

#include <algorithm>

namespace sim::k8s::scheduling {

namespace {

/// 4 bytes a node each where a domain is a node: at most 160 bytes of each node, and few where domains are zones.
constexpr std::size_t kDomainsOfEachNode = 40;
constexpr std::size_t kSumsMax = 1024;

}  // namespace

void DomainSums::begin(std::size_t domains, std::int32_t value) {
  by_domain_.assign(domains, value);
  counted_.clear();
  pods_ = 0;
  nonzero_ = 0;
  present_ = value == kAbsent ? 0 : domains;
  at_least_ = 0;
}

void DomainSums::count(NodeIndex node, std::uint32_t domain) {
  if (counted_.size() <= node) counted_.resize(std::max<std::size_t>(node + 1, 2 * counted_.size()), false);
  counted_[node] = true;
  if (by_domain_[domain] != kAbsent) return;
  by_domain_[domain] = 0;
  ++present_;
  at_least_ = 0;
}

void DomainSums::add(std::uint32_t domain, std::int64_t amount) {
  std::int32_t& sum = by_domain_[domain];
  const std::int32_t before = sum;
  sum = static_cast<std::int32_t>(before + amount);
  if (before == 0 && sum != 0) ++nonzero_;
  if (before != 0 && sum == 0) --nonzero_;
  if (at_least_ == 0 || sum == before) return;
  if (sum < least_) {
    least_ = sum;
    at_least_ = 1;
  } else if (before == least_) {
    --at_least_;  // the last one gone: found anew when it is asked for
  } else if (sum == least_) {
    ++at_least_;
  }
}

std::int32_t DomainSums::least() {
  if (at_least_ != 0) return least_;
  least_ = std::numeric_limits<std::int32_t>::max();
  for (const std::int32_t sum : by_domain_) {
    if (sum == kAbsent || sum > least_) continue;
    if (sum < least_) at_least_ = 0;
    least_ = sum;
    ++at_least_;
  }
  return least_;
}

void KeptSums::begin_cycle(std::size_t nodes) {
  ++now_;
  if (all_.size() == looked_at_) return;
  std::size_t domains = 0;
  for (const auto& sums : all_) domains += sums->by_domain_.size();
  while (!all_.empty() && (all_.size() > kSumsMax || domains > kDomainsOfEachNode * nodes + kSumsMax)) {
    const auto oldest = std::min_element(all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a->last_used_ < b->last_used_; });
    domains -= (*oldest)->by_domain_.size();
    by_key_.erase((*oldest)->key_);
    *oldest = std::move(all_.back());
    all_.pop_back();
  }
  looked_at_ = all_.size();
}

DomainSums& KeptSums::find(const Key& key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    found->second->last_used_ = now_;
    return *found->second;
  }
  all_.push_back(std::make_unique<DomainSums>());
  DomainSums& sums = *all_.back();
  sums.key_ = key;
  sums.last_used_ = now_;
  by_key_.emplace(key, &sums);
  return sums;
}

}  // namespace sim::k8s::scheduling

#include "sim/models/kubernetes/controllers/deployment_arithmetic.hpp"

#include <algorithm>
#include <numeric>

namespace sim::k8s {

namespace {

/// a / b to the nearest integer, halves away from zero. b > 0.
std::int64_t rounded_quotient(std::int64_t a, std::int64_t b) { return a >= 0 ? (2 * a + b) / (2 * b) : -((-2 * a + b) / (2 * b)); }

/// What this set would gain (lose) if the change were shared by size alone.
std::int64_t share_of(const Deployment& deployment, const ScaledSet& set) {
  if (deployment.replicas == 0) return -set.replicas;
  const std::int64_t before = set.max_replicas > 0 ? set.max_replicas : deployment.status_replicas;
  if (before <= 0) return 0;
  return rounded_quotient(set.replicas * (deployment.replicas + max_surge_of(deployment)), before) - set.replicas;
}

}  // namespace

Fenceposts resolve_fenceposts(IntOrPercent max_surge, IntOrPercent max_unavailable, std::int64_t replicas) {
  Fenceposts result{max_surge.of(replicas, true), max_unavailable.of(replicas, false)};
  if (result.surge == 0 && result.unavailable == 0) result.unavailable = 1;
  return result;
}

std::int64_t max_surge_of(const Deployment& deployment) {
  return deployment.recreate ? 0 : resolve_fenceposts(deployment.max_surge, deployment.max_unavailable, deployment.replicas).surge;
}

std::int64_t max_unavailable_of(const Deployment& deployment) {
  if (deployment.recreate || deployment.replicas == 0) return 0;
  return std::min(deployment.replicas, resolve_fenceposts(deployment.max_surge, deployment.max_unavailable, deployment.replicas).unavailable);
}

std::int64_t next_new_replicas(const Deployment& deployment, std::int64_t new_replicas, std::int64_t total) {
  if (deployment.recreate) return deployment.replicas;
  const std::int64_t cap = deployment.replicas + max_surge_of(deployment);
  if (total >= cap) return new_replicas;
  return new_replicas + std::min(cap - total, deployment.replicas - new_replicas);
}

std::vector<std::int64_t> proportional_sizes(const Deployment& deployment, const std::vector<ScaledSet>& sets) {
  std::int64_t total = 0;
  for (const ScaledSet& set : sets) total += set.replicas;
  const std::int64_t allowed = deployment.replicas > 0 ? deployment.replicas + max_surge_of(deployment) : 0;
  const std::int64_t to_add = allowed - total;

  std::vector<std::int64_t> sizes;
  for (const ScaledSet& set : sets) sizes.push_back(set.replicas);
  if (to_add == 0) return sizes;

  // Largest first; among equals the newer ones gain first, and the older ones lose first.
  std::vector<std::size_t> order(sets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (sets[a].replicas != sets[b].replicas) return sets[a].replicas > sets[b].replicas;
    return to_add > 0 ? sets[a].age_rank > sets[b].age_rank : sets[a].age_rank < sets[b].age_rank;
  });

  std::int64_t added = 0;
  for (const std::size_t i : order) {
    if (to_add == added) break;
    const std::int64_t share = share_of(deployment, sets[i]);
    const std::int64_t left = to_add - added;
    const std::int64_t change = to_add > 0 ? std::min(share, left) : std::max(share, left);
    sizes[i] += change;
    added += change;
  }
  if (!order.empty()) {
    std::int64_t& first = sizes[order.front()];
    first = std::max<std::int64_t>(0, first + to_add - added);
  }
  return sizes;
}

}  // namespace sim::k8s

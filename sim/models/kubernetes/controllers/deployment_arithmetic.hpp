/// The arithmetic of a Deployment's rollout, without the API: how many pods more or fewer, and where.
///
/// Source: pkg/controller/deployment/util/deployment_util.go, rolling.go, sync.go (reference chapter 2.1).
/// Checked by: tests/models/kubernetes/controllers/deployment_arithmetic_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

struct Fenceposts {
  std::int64_t surge = 0;
  std::int64_t unavailable = 0;
};
/// Percentages of `replicas`: surge rounded up, unavailable down; never both 0.
Fenceposts resolve_fenceposts(IntOrPercent max_surge, IntOrPercent max_unavailable, std::int64_t replicas);

/// Pods beyond spec.replicas that a rollout may have: 0 for Recreate.
std::int64_t max_surge_of(const Deployment& deployment);
/// Pods below spec.replicas that a rollout may have: 0 for Recreate and for no replicas, else at most all.
std::int64_t max_unavailable_of(const Deployment& deployment);

/// Size of the new ReplicaSet, given its size now and the size of all ReplicaSets together.
std::int64_t next_new_replicas(const Deployment& deployment, std::int64_t new_replicas, std::int64_t total);

/// A ReplicaSet as far as scaling is concerned.
struct ScaledSet {
  std::int64_t replicas = 0;      // spec
  std::int64_t max_replicas = 0;  // annotation; <= 0: absent
  std::uint64_t age_rank = 0;     // serial number of creation
};
/// Sizes, in the order of `sets` (all have replicas > 0), when spec.replicas changes in the middle of a rollout.
std::vector<std::int64_t> proportional_sizes(const Deployment& deployment, const std::vector<ScaledSet>& sets);

}  // namespace sim::k8s

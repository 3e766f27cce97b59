#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/deployment_arithmetic.hpp"

namespace sim::k8s {
namespace {

struct FencepostCase {
  std::int64_t replicas;
  std::int64_t surge;
  std::int64_t unavailable;
};

// Surge is rounded up, unavailable down; both 0 makes unavailable 1.
TEST(DeploymentArithmetic, FencepostsOfTheDefaults) {
  for (const FencepostCase& c : std::vector<FencepostCase>{{1, 1, 0}, {2, 1, 0}, {3, 1, 0}, {4, 1, 1}, {5, 2, 1}, {7, 2, 1}, {10, 3, 2}, {100, 25, 25}}) {
    SCOPED_TRACE(c.replicas);
    const Fenceposts got = resolve_fenceposts({25, true}, {25, true}, c.replicas);
    EXPECT_EQ(got.surge, c.surge);
    EXPECT_EQ(got.unavailable, c.unavailable);
  }
  const Fenceposts neither = resolve_fenceposts({0, false}, {0, false}, 5);
  EXPECT_EQ(neither.surge, 0);
  EXPECT_EQ(neither.unavailable, 1);
}

TEST(DeploymentArithmetic, UnavailableIsAtMostAllAndNoneOfNone) {
  Deployment d;
  d.replicas = 3;
  d.max_unavailable = {10, false};
  EXPECT_EQ(max_unavailable_of(d), 3);
  d.replicas = 0;
  EXPECT_EQ(max_unavailable_of(d), 0);
  d.replicas = 3;
  d.recreate = true;
  EXPECT_EQ(max_unavailable_of(d), 0);
  EXPECT_EQ(max_surge_of(d), 0);
}

TEST(DeploymentArithmetic, NewReplicasFillTheSurge) {
  Deployment d;
  d.replicas = 10;
  EXPECT_EQ(next_new_replicas(d, 0, 10), 3);
  EXPECT_EQ(next_new_replicas(d, 3, 13), 3);
  EXPECT_EQ(next_new_replicas(d, 3, 11), 5);
  EXPECT_EQ(next_new_replicas(d, 9, 9), 10);
  d.recreate = true;
  EXPECT_EQ(next_new_replicas(d, 0, 99), 10);
}

struct ScaleCase {
  std::string_view name;
  std::int64_t from;         // spec.replicas before
  std::int64_t to;           // and now
  std::int64_t surge;        // absolute
  std::vector<std::int64_t> sizes;  // newest first
  std::vector<std::int64_t> want;
};

// Worked by hand from the rule: round(size * (replicas + surge) / (replicas before + surge)) - size each, the rest to the first.
TEST(DeploymentArithmetic, ProportionalSizes) {
  const std::vector<ScaleCase> cases = {
      {"up, equal halves", 10, 20, 0, {5, 5}, {10, 10}},
      {"up, the rest goes to the largest", 10, 12, 0, {7, 3}, {8, 4}},
      {"up, the newer one gains first among equals", 10, 11, 0, {5, 5}, {6, 5}},
      {"down, the older one loses first among equals", 10, 9, 0, {5, 5}, {5, 4}},
      {"with surge", 10, 20, 3, {5, 8}, {9, 14}},
      {"to none", 10, 0, 3, {5, 8}, {0, 0}},
  };
  for (const ScaleCase& c : cases) {
    SCOPED_TRACE(c.name);
    Deployment d;
    d.replicas = c.to;
    d.max_surge = {c.surge, false};
    d.max_unavailable = {1, false};
    std::vector<ScaledSet> sets;
    for (std::size_t i = 0; i < c.sizes.size(); ++i) {
      sets.push_back(ScaledSet{c.sizes[i], c.from + c.surge, static_cast<std::uint64_t>(c.sizes.size() - i)});
    }
    EXPECT_EQ(proportional_sizes(d, sets), c.want);
  }
}

}  // namespace
}  // namespace sim::k8s

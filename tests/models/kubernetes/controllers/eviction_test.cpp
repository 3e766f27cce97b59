// POST pods/eviction against budgets: the answers of pkg/registry/core/pod/storage/eviction.go.
#include "sim/models/kubernetes/api/eviction.hpp"

#include <gtest/gtest.h>

#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

struct EvictionCase {
  std::string_view name;
  // the pod
  bool ready = true;
  PodPhase phase = PodPhase::kRunning;
  // the budget's status
  std::int64_t healthy = 0;
  std::int64_t desired = 0;
  std::int64_t allowed = 0;
  bool observed = true;
  bool always_allow = false;
  // what comes of it
  ApiStatus want = ApiStatus::kOk;
  std::string_view detail = "";
  std::int64_t allowed_after = 0;
};

const EvictionCase kCases[] = {
    {.name = "allowed", .healthy = 3, .desired = 2, .allowed = 1, .allowed_after = 0},
    {.name = "none allowed", .healthy = 2, .desired = 2, .allowed = 0, .want = ApiStatus::kTooManyRequests,
     .detail = "The disruption budget web needs 2 healthy pods and has 2 currently"},
    {.name = "not observed yet", .healthy = 3, .desired = 2, .allowed = 1, .observed = false, .want = ApiStatus::kTooManyRequests,
     .detail = "The disruption budget web is still being processed by the server.", .allowed_after = 1},
    {.name = "unready pod, enough healthy ones: the budget is not used", .ready = false, .healthy = 2, .desired = 2, .allowed = 0},
    {.name = "unready pod, too few healthy ones", .ready = false, .healthy = 1, .desired = 2, .want = ApiStatus::kTooManyRequests,
     .detail = "The disruption budget web needs 2 healthy pods and has 1 currently"},
    {.name = "unready pod, too few healthy ones, AlwaysAllow", .ready = false, .healthy = 1, .desired = 2, .always_allow = true},
    {.name = "unready pod, desired 0: must pass the budget", .ready = false, .healthy = 0, .desired = 0, .want = ApiStatus::kTooManyRequests,
     .detail = "The disruption budget web needs 0 healthy pods and has 0 currently"},
    {.name = "pending pod: budgets are not asked", .ready = false, .phase = PodPhase::kPending, .healthy = 0, .desired = 2},
    {.name = "finished pod: budgets are not asked", .ready = false, .phase = PodPhase::kSucceeded, .healthy = 0, .desired = 2},
};

TEST(Eviction, Answers) {
  for (const EvictionCase& c : kCases) {
    SCOPED_TRACE(c.name);
    NodeTestWorld world;
    const Ref<Node> node = world.add_node("w1");
    PodOptions options;
    options.ready = c.ready;
    options.phase = c.phase;
    const Ref<Pod> pod = world.add_pod("web-0", node, options);
    PodDisruptionBudget budget;
    budget.meta.ns = world.api.well_known().ns_default;
    budget.meta.name = world.sym("web");
    budget.selector = world.select("web");
    budget.current_healthy = c.healthy;
    budget.desired_healthy = c.desired;
    budget.disruptions_allowed = c.allowed;
    budget.observed_generation = c.observed ? 1 : 0;
    budget.always_allow_unhealthy = c.always_allow;
    const Ref<PodDisruptionBudget> ref = world.api.create(std::move(budget));

    const EvictionResult result = evict(world.api, pod, {}, "test");
    EXPECT_EQ(result.status, c.want);
    EXPECT_EQ(result.detail, c.detail);
    EXPECT_EQ(world.api.get(ref)->disruptions_allowed, c.allowed_after);
    const Pod* after = world.api.get(pod);
    if (c.want == ApiStatus::kOk) {
      EXPECT_TRUE(after == nullptr || after->meta.is_deleting());
    } else {
      EXPECT_EQ(result.message, "Cannot evict pod as it would violate the pod's disruption budget.");
      EXPECT_EQ(result.budget, ref);
      ASSERT_NE(after, nullptr);
      EXPECT_FALSE(after->meta.is_deleting());
      EXPECT_FALSE(after->disruption_target);
    }
  }
}

TEST(Eviction, TwoBudgetsAreAnError) {
  NodeTestWorld world;
  const Ref<Pod> pod = world.add_pod("web-0", world.add_node("w1"));
  for (const char* name : {"a", "b"}) {
    PodDisruptionBudget budget;
    budget.meta.ns = world.api.well_known().ns_default;
    budget.meta.name = world.sym(name);
    budget.selector = LabelSelector{};  // all of the namespace
    budget.disruptions_allowed = 5;
    budget.observed_generation = 1;
    world.api.create(std::move(budget));
  }
  const EvictionResult result = evict(world.api, pod, {}, "test");
  EXPECT_EQ(result.status, ApiStatus::kServerError);
  EXPECT_EQ(result.message, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
}

TEST(Eviction, BudgetsOfOtherNamespacesAndWithoutSelectorDoNotCount) {
  NodeTestWorld world;
  const Ref<Pod> pod = world.add_pod("web-0", world.add_node("w1"));
  PodDisruptionBudget elsewhere;
  elsewhere.meta.ns = world.sym("other");
  elsewhere.meta.name = world.sym("a");
  elsewhere.selector = LabelSelector{};
  world.api.create(std::move(elsewhere));
  PodDisruptionBudget nothing;
  nothing.meta.ns = world.api.well_known().ns_default;
  nothing.meta.name = world.sym("b");
  world.api.create(std::move(nothing));
  EXPECT_EQ(evict(world.api, pod, {}, "test").status, ApiStatus::kOk);
  EXPECT_EQ(world.api.get(pod)->disruption_reason, world.api.well_known().eviction_by_api);
  EXPECT_EQ(world.records("EvictionByEvictionAPI").size(), 1u);
}

TEST(Eviction, NeedsAnApiThatWritesAndTheRightPod) {
  NodeTestWorld world;
  const Ref<Pod> pod = world.add_pod("web-0", world.add_node("w1"));
  world.api.set_availability(true, false);
  EXPECT_EQ(evict(world.api, pod, {}, "test").status, ApiStatus::kUnavailable);
  world.api.set_availability(true, true);
  DeleteOptions other;
  other.uid = 12345;
  EXPECT_EQ(evict(world.api, pod, other, "test").status, ApiStatus::kConflict);
  EXPECT_EQ(evict(world.api, Ref<Pod>{7, 7}, {}, "test").status, ApiStatus::kNotFound);
}

}  // namespace
}  // namespace sim::k8s

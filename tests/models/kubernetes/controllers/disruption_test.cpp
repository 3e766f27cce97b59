// Budgets: the controller's arithmetic, and the property that evictions never break one.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/api/eviction.hpp"
#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

class Disruption : public ::testing::Test {
 protected:
  void begin() {
    controller = make_disruption_controller(world.context());
    controller->start();
  }
  Ref<PodDisruptionBudget> add_budget(std::optional<IntOrPercent> min_available, std::optional<IntOrPercent> max_unavailable) {
    PodDisruptionBudget budget;
    budget.meta.ns = world.api.well_known().ns_default;
    budget.meta.name = world.sym("web");
    budget.selector = world.select("web");
    budget.min_available = min_available;
    budget.max_unavailable = max_unavailable;
    return world.api.create(std::move(budget));
  }
  void run_for(SimDuration span) { world.engine.run_until(world.engine.now() + span); }
  const PodDisruptionBudget& get(Ref<PodDisruptionBudget> ref) { return *world.api.get(ref); }

  NodeTestWorld world;
  std::unique_ptr<Controller> controller;
};

struct BudgetCase {
  std::string_view name;
  std::optional<IntOrPercent> min_available;
  std::optional<IntOrPercent> max_unavailable;
  std::int64_t replicas;  // of the controller
  int pods;
  int unready;
  std::int64_t expected, desired, allowed;
};
// Source: reference 2.10 and 11 ("7 expected"), from disruption.go getExpectedPodCount.
const BudgetCase kBudgets[] = {
    {"maxUnavailable 1", {}, IntOrPercent{1, false}, 3, 3, 0, 3, 2, 1},
    {"maxUnavailable 30% of 7 is 3", {}, IntOrPercent{30, true}, 7, 7, 0, 7, 4, 3},
    {"minAvailable 50% of 7 is 4", IntOrPercent{50, true}, {}, 7, 7, 0, 7, 4, 3},
    {"maxUnavailable more than all", {}, IntOrPercent{9, false}, 3, 3, 0, 3, 0, 3},
    {"scale counts, not pods", {}, IntOrPercent{1, false}, 5, 3, 0, 5, 4, 0},
    {"minAvailable as a number counts pods, not the scale", IntOrPercent{2, false}, {}, 5, 3, 0, 3, 2, 1},
    {"unready pods are not healthy", {}, IntOrPercent{2, false}, 5, 5, 1, 5, 3, 1},
    {"more unready than allowed", {}, IntOrPercent{1, false}, 5, 5, 2, 5, 4, 0},
    {"minAvailable equals replicas", IntOrPercent{3, false}, {}, 3, 3, 0, 3, 3, 0},
    {"no pods: nothing is allowed", IntOrPercent{0, false}, {}, 0, 0, 0, 0, 0, 0},
};

TEST_F(Disruption, Arithmetic) {
  for (const BudgetCase& c : kBudgets) {
    SCOPED_TRACE(c.name);
    NodeTestWorld one;
    const Ref<Node> node = one.add_node("w1");
    const Ref<ReplicaSet> set = one.add_replica_set("web", c.replicas);
    for (int i = 0; i < c.pods; ++i) {
      PodOptions options = one.of(set);
      options.ready = i >= c.unready;
      one.add_pod(fmt::format("web-{}", i), node, options);
    }
    PodDisruptionBudget budget;
    budget.meta.ns = one.api.well_known().ns_default;
    budget.meta.name = one.sym("web");
    budget.selector = one.select("web");
    budget.min_available = c.min_available;
    budget.max_unavailable = c.max_unavailable;
    const Ref<PodDisruptionBudget> ref = one.api.create(std::move(budget));
    const std::unique_ptr<Controller> loop = make_disruption_controller(one.context());
    loop->start();
    one.engine.run_until(at(1s));
    const PodDisruptionBudget& after = *one.api.get(ref);
    EXPECT_EQ(after.expected_pods, c.expected);
    EXPECT_EQ(after.desired_healthy, c.desired);
    EXPECT_EQ(after.disruptions_allowed, c.allowed);
    EXPECT_EQ(after.current_healthy, c.pods - c.unready);
    EXPECT_EQ(after.observed_generation, after.meta.generation);
  }
}

TEST_F(Disruption, DeploymentsScaleCountsForItsReplicaSets) {
  const Ref<Node> node = world.add_node("w1");
  Deployment deployment;
  deployment.meta.ns = world.api.well_known().ns_default;
  deployment.meta.name = world.sym("web");
  deployment.replicas = 4;
  const Ref<Deployment> owner = world.api.create(std::move(deployment));
  for (const char* name : {"web-old", "web-new"}) {
    const Ref<ReplicaSet> set = world.add_replica_set(name, 3);
    world.api.update(set, Change::kOwners, [&](ReplicaSet& s) {
      s.meta.owners.push_back(OwnerReference{ApiServer::untyped(owner), world.api.get(owner)->meta.uid, true});
    });
    world.add_pod(std::string(name) + "-0", node, world.of(set));
  }
  const Ref<PodDisruptionBudget> budget = add_budget({}, IntOrPercent{1, false});
  begin();
  run_for(1s);
  EXPECT_EQ(get(budget).expected_pods, 4);
}

TEST_F(Disruption, PodsThatCannotBeScaledFailTheSync) {
  const Ref<Node> node = world.add_node("w1");
  Job job;
  job.meta.ns = world.api.well_known().ns_default;
  job.meta.name = world.sym("batch");
  const Ref<Job> owner = world.api.create(std::move(job));
  PodOptions options;
  options.owner = ApiServer::untyped(owner);
  options.owner_uid = world.api.get(owner)->meta.uid;
  const Ref<Pod> pod = world.add_pod("batch-x", node, options);
  const Ref<PodDisruptionBudget> budget = add_budget({}, IntOrPercent{1, false});
  begin();
  run_for(1s);
  EXPECT_EQ(get(budget).disruptions_allowed, 0);
  EXPECT_EQ(get(budget).sync_failed, "jobs.batch does not implement the scale subresource");
  EXPECT_EQ(world.records("CalculateExpectedPodCountFailed").size(), 1u);
  EXPECT_EQ(evict(world.api, pod, {}, "test").status, ApiStatus::kTooManyRequests);
}

TEST_F(Disruption, EvictedPodIsNotHealthyAndItsEntryExpiresAfterTwoMinutes) {
  const Ref<Node> node = world.add_node("w1");
  const Ref<ReplicaSet> set = world.add_replica_set("web", 3);
  std::vector<Ref<Pod>> pods;
  for (int i = 0; i < 3; ++i) pods.push_back(world.add_pod(fmt::format("web-{}", i), node, world.of(set)));
  const Ref<PodDisruptionBudget> budget = add_budget({}, IntOrPercent{1, false});
  begin();
  run_for(1s);
  // The API server has granted an eviction and died before the DELETE.
  world.api.update(budget, Change::kStatus, [&](PodDisruptionBudget& b) {
    --b.disruptions_allowed;
    b.disrupted_pods.push_back({world.api.get(pods[0])->meta.uid, world.engine.now()});
  });
  world.api.update(pods[0], Change::kStatus, [&](Pod& p) {
    p.disruption_target = true;
    p.disruption_reason = world.api.well_known().eviction_by_api;
  });
  run_for(1s);
  EXPECT_EQ(get(budget).current_healthy, 2);
  EXPECT_EQ(get(budget).disruptions_allowed, 0);
  run_for(117s);
  EXPECT_EQ(get(budget).disruptions_allowed, 0);
  EXPECT_TRUE(world.api.get(pods[0])->disruption_target);
  run_for(3s);
  EXPECT_EQ(get(budget).disruptions_allowed, 1);
  EXPECT_TRUE(get(budget).disrupted_pods.empty());
  EXPECT_FALSE(world.api.get(pods[0])->disruption_target);
  EXPECT_EQ(world.records("NotDeleted").size(), 1u);
}

TEST_F(Disruption, LabelsAndSelectorsMayChange) {
  const Ref<Node> node = world.add_node("w1");
  const Ref<ReplicaSet> set = world.add_replica_set("web", 2);
  world.add_pod("web-0", node, world.of(set));
  const Ref<Pod> other = world.add_pod("other-0", node);
  world.api.update(other, Change::kLabels, [&](Pod& p) { p.meta.labels.set(world.sym("app"), world.sym("other")); });
  begin();
  run_for(1s);
  const Ref<PodDisruptionBudget> budget = add_budget(IntOrPercent{0, false}, {});
  run_for(1s);
  EXPECT_EQ(get(budget).expected_pods, 1);
  world.api.update(other, Change::kLabels, [&](Pod& p) { p.meta.labels.set(world.sym("app"), world.sym("web")); });
  run_for(1s);
  EXPECT_EQ(get(budget).expected_pods, 2);
  world.api.update(budget, Change::kSpec, [&](PodDisruptionBudget& b) { b.selector = world.select("nobody"); });
  run_for(1s);
  EXPECT_EQ(get(budget).expected_pods, 0);
}

// Over many seeds: pods become ready and unready, are evicted, deleted and replaced at random instants. An eviction that was granted never
// leaves fewer healthy pods than the budget wants, counted at the very instant of the grant.
TEST_F(Disruption, EvictionsNeverBreakABudget) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    NodeTestWorld one;
    RandomStream dice(seed, "test/disruption", "property");
    const Ref<Node> node = one.add_node("w1");
    const std::int64_t replicas = dice.uniform_int(1, 8);
    const Ref<ReplicaSet> set = one.add_replica_set("web", replicas);
    std::vector<Ref<Pod>> pods;
    int names = 0;
    const auto add = [&] {
      PodOptions options = one.of(set);
      options.ready = dice.chance(0.7);
      pods.push_back(one.add_pod(fmt::format("web-{}", names++), node, options));
    };
    for (std::int64_t i = 0; i < replicas; ++i) add();
    PodDisruptionBudget made;
    made.meta.ns = one.api.well_known().ns_default;
    made.meta.name = one.sym("web");
    made.selector = one.select("web");
    if (dice.chance(0.5)) {
      made.min_available = IntOrPercent{dice.uniform_int(0, 100), true};
    } else {
      made.max_unavailable = IntOrPercent{dice.uniform_int(0, 3), false};
    }
    const Ref<PodDisruptionBudget> budget = one.api.create(std::move(made));
    const std::unique_ptr<Controller> loop = make_disruption_controller(one.context());
    loop->start();
    const auto healthy = [&] {
      std::int64_t count = 0;
      for (const Ref<Pod> ref : pods) {
        const Pod* pod = one.api.get(ref);
        if (pod != nullptr && pod->ready && !pod->meta.is_deleting()) ++count;
      }
      return count;
    };
    int granted = 0;
    for (int step = 0; step < 400; ++step) {
      // Long enough for the controller to see the last change: it is asynchronous in the original as well.
      one.engine.run_until(one.engine.now() + dice.uniform(SimDuration(50ms), SimDuration(3s)));
      const Ref<Pod> ref = pods[static_cast<std::size_t>(dice.uniform_int(0, static_cast<std::int64_t>(pods.size()) - 1))];
      const Pod* pod = one.api.get(ref);
      switch (dice.uniform_int(0, 2)) {
        case 0: {
          const bool counted = pod != nullptr && pod->ready && !pod->meta.is_deleting();
          // Several at one instant, as a drain does.
          if (evict(one.api, ref, {}, "test").status == ApiStatus::kOk && counted) {
            ++granted;
            ASSERT_GE(healthy(), one.api.get(budget)->desired_healthy);
          }
          for (const Ref<Pod> another : pods) {
            const Pod* its = one.api.get(another);
            const bool counts = its != nullptr && its->ready && !its->meta.is_deleting();
            if (evict(one.api, another, {}, "test").status == ApiStatus::kOk && counts) {
              ++granted;
              ASSERT_GE(healthy(), one.api.get(budget)->desired_healthy);
            }
          }
          break;
        }
        case 1:
          if (pod != nullptr) one.api.update(ref, Change::kReady, [&](Pod& p) { p.ready = dice.chance(0.8); });
          break;
        default: {
          DeleteOptions now;
          now.grace_period_seconds = 0;
          if (pod != nullptr && pod->meta.is_deleting()) one.api.remove(ref, now);
          std::erase_if(pods, [&](Ref<Pod> p) { return one.api.get(p) == nullptr; });
          while (static_cast<std::int64_t>(pods.size()) < replicas) add();
          break;
        }
      }
    }
    // The property must have been tried.
    if (one.api.get(budget)->desired_healthy < replicas) {
      EXPECT_GT(granted, 0);
    }
  }
}

}  // namespace
}  // namespace sim::k8s

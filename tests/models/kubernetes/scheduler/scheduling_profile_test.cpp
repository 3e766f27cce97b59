// Arithmetic of noderesources/{least_allocated,most_allocated,requested_to_capacity_ratio}.go, worked out by hand.
#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"

#include <gtest/gtest.h>

#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_fit.hpp"
#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

using Type = ScoringStrategy::Type;

TEST(ScoringStrategy, Scores) {
  Cluster c;
  const Symbol cpu = c.name("cpu");
  const Symbol memory = c.name("memory");
  const Symbol gpu = c.name("example.com/gpu");
  Resources allocatable;
  allocatable.cpu_milli = 4000;
  allocatable.memory = 10000;
  allocatable.set(gpu, 4);
  NodeLoad load;
  load.requested.set(gpu, 1);
  const auto pod = [&](std::int64_t cpu_milli, std::int64_t bytes, std::int64_t gpus) {
    PodSpec spec = c.spec(cpu_milli, bytes);
    if (gpus != 0) spec.containers.front().requests.set(gpu, gpus);
    finish_pod_spec(spec);
    return spec;
  };
  const std::vector<ScoringStrategy::Weight> cpu_alone = {{cpu, 1}};
  const std::vector<ScoringStrategy::Weight> with_gpu = {{cpu, 1}, {memory, 1}, {gpu, 2}};
  const std::vector<ScoringStrategy::Point> rising = {{0, 0}, {100, 100}};
  const std::vector<ScoringStrategy::Point> falling = {{0, 100}, {50, 20}, {100, 0}};
  struct Case {
    std::string_view name;
    ScoringStrategy strategy;
    PodSpec spec;
    std::int64_t score;
  };
  const Case cases[] = {
      {"least: (25 + 50) / 2", {}, pod(3000, 5000, 0), 37},
      {"most: (75 + 50) / 2", {Type::kMostAllocated, {}, {}}, pod(3000, 5000, 0), 62},
      {"ratio rounds: (75 + 50) / 2", {Type::kRequestedToCapacityRatio, {}, rising}, pod(3000, 5000, 0), 63},
      {"a resource that the pod does not ask for is left out", {Type::kMostAllocated, with_gpu, {}}, pod(3000, 5000, 0), 62},
      {"gpu of weight 2: (75 + 50 + 2 x 50) / 4", {Type::kMostAllocated, with_gpu, {}}, pod(3000, 5000, 1), 56},
      {"least: (25 + 50 + 2 x 50) / 4", {Type::kLeastAllocated, with_gpu, {}}, pod(3000, 5000, 1), 43},
      {"more than there is: least 0", {Type::kLeastAllocated, cpu_alone, {}}, pod(5000, 1, 0), 0},
      {"more than there is: most 100", {Type::kMostAllocated, cpu_alone, {}}, pod(5000, 1, 0), 100},
      {"between two points: 100 + (20 - 100) x 25 / 50", {Type::kRequestedToCapacityRatio, cpu_alone, falling}, pod(1000, 1, 0), 60},
      {"behind the middle: 20 + (0 - 20) x 25 / 50", {Type::kRequestedToCapacityRatio, cpu_alone, falling}, pod(3000, 1, 0), 10},
      {"a score of 0 does not enter the average", {Type::kRequestedToCapacityRatio, {{cpu, 1}, {memory, 1}}, falling}, pod(5000, 5000, 0), 20},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(one.strategy.score(one.spec, allocatable, load, c.names), one.score);
  }
}

TEST(SchedulingProfile, WeightsDecide) {
  Cluster c;
  c.node("full", {.cpu = 4000});
  c.node("empty", {.cpu = 4000});
  c.pod("old", c.spec(2000, 4 * kGi), {}, "full");
  const Ref<Pod> pod = c.pod("p", c.spec(1000, 2 * kGi));
  const auto state = c.state();
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "empty");
  SchedulingProfile packing;
  packing.scoring.type = Type::kMostAllocated;
  state->cycle.set_profiles({packing});
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "full");
  packing.weights.node_resources_fit = 0;
  state->cycle.set_profiles({packing});
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "full") << "nothing else distinguishes them: the first of the list";
}

TEST(SchedulingProfile, BalancedAllocationOverOtherResources) {
  // balanced_allocation.go: three shares 1/4, 1/2, 3/4 deviate by 0.204..., so 79; before the pod all are 0, so 100.
  Cluster c;
  const std::vector<Symbol> resources = {c.name("cpu"), c.name("memory"), c.name("ephemeral-storage"), c.name("example.com/gpu")};
  Resources allocatable;
  allocatable.cpu_milli = 4000;
  allocatable.memory = 1000;
  allocatable.ephemeral_storage = 1000;
  allocatable.set(resources[3], 4);
  PodSpec spec = c.spec(1000, 500);
  spec.containers.front().requests.ephemeral_storage = 750;
  finish_pod_spec(spec);
  EXPECT_EQ(node_resources_balanced_allocation::score(spec, resources, allocatable, NodeLoad{}, c.names), 50 + (50 + 79 - 100) / 2) << "no gpu is asked for";
  spec.containers.front().requests.set(resources[3], 2);
  finish_pod_spec(spec);
  EXPECT_EQ(node_resources_balanced_allocation::score(spec, resources, allocatable, NodeLoad{}, c.names), 50 + (50 + 82 - 100) / 2) << "1/4, 1/2, 3/4, 1/2: 0.176...";
  EXPECT_EQ(node_resources_balanced_allocation::score(spec, {resources[0]}, allocatable, NodeLoad{}, c.names), 75) << "one share never deviates";
  EXPECT_FALSE(node_resources_balanced_allocation::is_skipped(spec, {resources[3]}, c.names));
  EXPECT_TRUE(node_resources_balanced_allocation::is_skipped(c.spec(100, 0), {resources[1]}, c.names));
}

TEST(SchedulingProfile, IgnoredResourcesAreNotFilteredBy) {
  Cluster c;
  const Symbol gpu = c.name("example.com/gpu");
  const Symbol pages = c.name("hugepages-2Mi");
  Resources allocatable;
  allocatable.cpu_milli = 1000;
  allocatable.memory = kGi;
  allocatable.pods = 10;
  PodSpec spec = c.spec(100, 100);
  spec.containers.front().requests.set(gpu, 1);
  finish_pod_spec(spec);
  StatusTable statuses;
  NodeResourcesFit fit(c.names);
  EXPECT_NE(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names), kFits);
  SchedulingProfile profile;
  fit.set_profile(&profile);
  profile.ignored_groups = {"example.org"};
  EXPECT_NE(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names), kFits);
  profile.ignored_groups = {"example.com"};
  EXPECT_EQ(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names), kFits);
  profile.ignored_groups.clear();
  profile.ignored_resources = {gpu, pages};
  EXPECT_EQ(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names), kFits);
  spec.containers.front().requests.set(pages, 2);
  finish_pod_spec(spec);
  EXPECT_NE(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names), kFits) << "huge pages are Kubernetes' own";
}

TEST(SchedulingProfile, APodChoosesByItsSchedulerName) {
  Cluster c;
  c.node("full", {.cpu = 4000});
  c.node("empty", {.cpu = 4000});
  c.pod("old", c.spec(2000, 4 * kGi), {}, "full");
  PodSpec spec = c.spec(1000, 2 * kGi);
  const Ref<Pod> first = c.pod("p", spec);
  spec.scheduler_name = c.name("packer");
  const Ref<Pod> second = c.pod("q", spec);
  spec.scheduler_name = c.name("somebody-else");
  const Ref<Pod> third = c.pod("r", spec);
  const auto state = c.state();
  SchedulingProfile packer;
  packer.scheduler_name = c.name("packer");
  packer.scoring.type = Type::kMostAllocated;
  state->cycle.set_profiles({SchedulingProfile{}, packer});
  for (int i = 0; i < 2; ++i) {  // the second time from what is remembered of kinds of pods
    EXPECT_EQ(c.node_of(*state, state->cycle.schedule(first.slot, SimTime{}, 1)), "empty");
    EXPECT_EQ(c.node_of(*state, state->cycle.schedule(second.slot, SimTime{}, 1)), "full");
  }
  EXPECT_TRUE(state->cycle.schedules(*state->cache.pod(second.slot).spec));
  EXPECT_FALSE(state->cycle.schedules(*state->cache.pod(third.slot).spec));
}

TEST(SchedulingProfile, WithoutScoresTheFirstThatFits) {
  Cluster c;
  for (const char* name : {"a", "b", "c"}) c.node(name);
  const Ref<Pod> pod = c.pod("p", c.spec(1000, kGi));
  const auto state = c.state();
  SchedulingProfile none;
  none.scores = false;
  state->cycle.set_profiles({none});
  const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
  EXPECT_EQ(c.node_of(*state, decision), "a");
  EXPECT_EQ(decision.nodes_feasible, 1u);
}

TEST(SchedulingProfile, WithoutAPlugin) {
  Cluster c;
  c.node("cordoned", {.unschedulable = true});
  const Ref<Pod> pod = c.pod("p", c.spec(1000, kGi));
  const auto state = c.state();
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "-");
  SchedulingProfile careless;
  careless.disabled = set_of(Plugin::kNodeUnschedulable);
  state->cycle.set_profiles({careless});
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "cordoned");
  careless.disabled = set_of(Plugin::kDefaultPreemption);
  state->cycle.set_profiles({careless});
  EXPECT_EQ(state->cycle.schedule(pod.slot, SimTime{}, 1).message, "0/1 nodes are available: 1 node(s) were unschedulable.") << "not a word of preemption";
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

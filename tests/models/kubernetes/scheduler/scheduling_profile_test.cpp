// Arithmetic of noderesources/{least_allocated,most_allocated,requested_to_capacity_ratio}.go, worked out by hand.
#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"

#include <gtest/gtest.h>

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
  state->cycle.set_profile(packing);
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "full");
  packing.weights.node_resources_fit = 0;
  state->cycle.set_profile(packing);
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "full") << "nothing else distinguishes them: the first of the list";
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

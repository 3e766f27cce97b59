// Values: reference kubernetes 1.7 and 11 (preemption choice; produced by the real v1.36.3 code).
#include "sim/models/kubernetes/scheduler/plugins/default_preemption.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

using namespace std::chrono_literals;

struct Preempting : Cluster {
  /// A pod of this priority on a node; it started `started` seconds after the beginning.
  Ref<Pod> victim(std::string_view pod_name, std::int32_t priority, std::string_view node_name, std::int64_t cpu, std::int64_t started = 0, Pairs pod_labels = {}) {
    PodSpec s = spec(cpu);
    s.priority = priority;
    const Ref<Pod> ref = pod(pod_name, s, pod_labels, node_name);
    api.update(ref, Change::kPhase, [&](Pod& object) { object.start_time = SimTime(std::chrono::seconds(started)); });
    return ref;
  }
  Ref<Pod> preemptor(std::int64_t cpu = 900, std::int32_t priority = 100) {
    PodSpec s = spec(cpu);
    s.priority = priority;
    return pod("preemptor", s);
  }
  /// "node: victim victim" or the message.
  std::string outcome(Ref<Pod> ref) {
    const auto s = state();
    const Decision decision = s->cycle.schedule(ref.slot, SimTime(1h), 1);
    if (decision.preemption.node == kNoNode) return decision.message;
    std::string text = names.text(s->cache.node(decision.preemption.node).name) + ":";
    for (const PodSlot slot : decision.preemption.victims) text += " " + names.text(s->cache.pod(slot).name);
    return text;
  }
};

TEST(DefaultPreemption, CandidatesWanted) {
  Cluster c;
  const auto state = c.state();
  const DefaultPreemption preemption(state->cache);
  EXPECT_EQ(preemption.candidates_wanted(50), 50);
  EXPECT_EQ(preemption.candidates_wanted(500), 100);
  EXPECT_EQ(preemption.candidates_wanted(5000), 500);
}

TEST(DefaultPreemption, TheLowestHighestVictim) {
  Preempting c;
  for (const auto& [node, priority] : {std::pair{"n1", 20}, std::pair{"n2", 10}, std::pair{"n3", 5}}) {
    c.node(node, {.cpu = 1000});
    c.victim(std::string("v-") + node, priority, node, 1000);
  }
  EXPECT_EQ(c.outcome(c.preemptor()), "n3: v-n3");
}

TEST(DefaultPreemption, TheSmallestSumOfPriorities) {
  Preempting c;
  for (const char* node : {"n1", "n2", "n3"}) c.node(node, {.cpu = 1000});
  c.victim("a", 10, "n1", 500);
  c.victim("b", 10, "n1", 500);
  c.victim("c", 10, "n2", 1000);
  c.victim("d", 10, "n3", 500);
  c.victim("e", 9, "n3", 500);
  EXPECT_EQ(c.outcome(c.preemptor()), "n2: c");
}

TEST(DefaultPreemption, TheLatestStart) {
  Preempting c;
  int started = 0;
  for (const char* node : {"n1", "n2", "n3"}) {
    c.node(node, {.cpu = 1000});
    c.victim(std::string("v-") + node, 10, node, 1000, started += 100);
  }
  EXPECT_EQ(c.outcome(c.preemptor()), "n3: v-n3");
}

TEST(DefaultPreemption, ALastTieGoesToTheFirstName) {
  Preempting c;
  for (const char* node : {"n2", "n3", "n1"}) {
    c.node(node, {.cpu = 1000});
    c.victim(std::string("v-") + node, 10, node, 1000, 5);
  }
  EXPECT_EQ(c.outcome(c.preemptor()), "n1: v-n1");
}

TEST(DefaultPreemption, SparesWhomItCan) {
  // 1,000m taken by 500 (prio 50), 300 (prio 20), 200 (prio 10); 450m are wanted: the two less important ones go.
  Preempting c;
  c.node("n1", {.cpu = 1000});
  c.victim("high", 50, "n1", 500);
  c.victim("middle", 20, "n1", 300);
  c.victim("low", 10, "n1", 200);
  EXPECT_EQ(c.outcome(c.preemptor(450)), "n1: middle low");
}

TEST(DefaultPreemption, BudgetsArePreferredNotObeyed) {
  Preempting c;
  for (const char* node : {"n1", "n2"}) c.node(node, {.cpu = 1000});
  c.victim("guarded", 1, "n1", 1000, 0, {{"app", "db"}});
  c.victim("free", 50, "n2", 1000, 0, {{"app", "web"}});
  PodDisruptionBudget budget;
  budget.meta.ns = c.name("default");
  budget.meta.name = c.name("db");
  budget.selector = c.selector({{"app", "db"}});
  budget.disruptions_allowed = 0;
  const Ref<PodDisruptionBudget> ref = c.api.create(std::move(budget));
  const Ref<Pod> preemptor = c.preemptor();
  EXPECT_EQ(c.outcome(preemptor), "n2: free") << "no budget is broken there, whatever the priorities";
  c.api.remove(c.api.find<Pod>(c.name("default"), c.name("free")), DeleteOptions{.grace_period_seconds = 0, .uid = std::nullopt});
  c.victim("same", 100, "n2", 1000);
  EXPECT_EQ(c.outcome(preemptor), "n1: guarded") << "a budget does not save the only victim";
  (void)ref;
}

TEST(DefaultPreemption, KeepsSoManyCandidatesOfEachKind) {
  // framework/preemption/preemption.go, DryRunPreemption: a list for those that break a budget and one for the others, each as long as
  // candidates are wanted; the search goes on until one of the latter is found.
  Preempting c;
  for (int i = 0; i < 6; ++i) {
    const std::string node = "n" + std::to_string(i);
    c.node(node, {.cpu = 1000});
    c.victim("v-" + node, 1, node, 1000, 0, {{"app", i == 0 ? "web" : "db"}});
  }
  PodDisruptionBudget budget;
  budget.meta.ns = c.name("default");
  budget.meta.name = c.name("db");
  budget.selector = c.selector({{"app", "db"}});
  budget.disruptions_allowed = 0;
  c.api.create(std::move(budget));
  const Ref<Pod> preemptor = c.preemptor();
  const auto state = c.state();
  SchedulingProfile profile;
  for (const std::int64_t wanted : {1, 2, 4}) {
    profile.preemption_candidates_percent = 0;
    profile.preemption_candidates_min = wanted;
    state->cycle.set_profiles({profile});
    std::int64_t harmful_most = 0;
    for (std::uint32_t attempt = 1; attempt <= 30; ++attempt) {  // each from an offset of its own
      SCOPED_TRACE(attempt);
      const Preemption preemption = state->cycle.schedule(preemptor.slot, SimTime(1h), attempt).preemption;
      ASSERT_FALSE(preemption.candidates.empty());
      const auto harmful = std::count_if(preemption.candidates.begin(), preemption.candidates.end(), [](const auto& one) { return one.budget_violations != 0; });
      EXPECT_EQ(static_cast<std::int64_t>(preemption.candidates.size()) - harmful, 1) << "the search does not end before the harmless one";
      EXPECT_LE(harmful, wanted);
      const std::size_t on_the_way = (6 - preemption.offset) % 6;  // nodes with a guarded pod that are visited before n0
      const auto reached = std::max<std::int64_t>(static_cast<std::int64_t>(on_the_way), std::min<std::int64_t>(wanted - 1, 5));
      EXPECT_EQ(harmful, std::min(wanted, reached));
      harmful_most = std::max<std::int64_t>(harmful_most, harmful);
      EXPECT_EQ(c.names.text(state->cache.node(preemption.node).name), "n0");
    }
    EXPECT_EQ(harmful_most, wanted) << "some offset fills the list";
  }
}

TEST(DefaultPreemption, WhenItDoesNotHelp) {
  Preempting c;
  c.node("n1", {.cpu = 1000});
  c.victim("equal", 100, "n1", 1000);
  c.victim("lower", 0, "n1", 0);
  EXPECT_EQ(c.outcome(c.preemptor()),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Insufficient cpu.")
      << "the lower one frees nothing";
}

TEST(DefaultPreemption, NobodyIsLower) {
  Preempting c;
  c.node("n1", {.cpu = 1000});
  c.victim("equal", 100, "n1", 1000);
  EXPECT_EQ(c.outcome(c.preemptor()),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.");
}

TEST(DefaultPreemption, LargerThanTheNode) {
  Preempting c;
  c.node("n1", {.cpu = 1000});
  c.victim("low", 0, "n1", 1000);
  EXPECT_EQ(c.outcome(c.preemptor(1001)),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
}

TEST(DefaultPreemption, PolicyNever) {
  Preempting c;
  c.node("n1", {.cpu = 1000});
  c.victim("low", 0, "n1", 1000);
  PodSpec spec = c.spec(900);
  spec.priority = 100;
  spec.preempts = false;
  EXPECT_EQ(c.outcome(c.pod("p", spec)), "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.");
}

TEST(DefaultPreemption, WaitsForVictimsThatItAlreadyHas) {
  Preempting c;
  c.node("n1", {.cpu = 1000});
  c.node("n2", {.cpu = 1000});
  const Ref<Pod> going = c.victim("going", 0, "n1", 1000);
  c.victim("other", 0, "n2", 1000);
  c.api.update(going, Change::kScheduling, [&](Pod& pod) {
    pod.disruption_target = true;
    pod.disruption_reason = c.api.well_known().preemption_by_scheduler;
    pod.meta.deletion_timestamp = SimTime(2h);
  });
  const Ref<Pod> preemptor = c.preemptor();
  const auto state = c.state();
  state->cache.nominate(preemptor.slot, state->cache.find(c.name("n1")));
  const Decision decision = state->cycle.schedule(preemptor.slot, SimTime(1h), 1);
  EXPECT_EQ(decision.preemption.node, kNoNode);
  EXPECT_EQ(decision.message,
            "0/2 nodes are available: 2 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.");
}

TEST(DefaultPreemption, AntiAffinityCanBePreempted) {
  Preempting c;
  c.node("n1");
  PodSpec grumpy = c.spec(100);
  auto affinity = std::make_shared<Affinity>();
  affinity->required_pod_anti_affinity = {c.term("kubernetes.io/hostname", {{"app", "web"}})};
  grumpy.affinity = affinity;
  c.pod("grumpy", grumpy, {{"app", "x"}}, "n1");
  c.pod("bystander", c.spec(100), {{"app", "y"}}, "n1");
  PodSpec web = c.spec(100);
  web.priority = 10;
  EXPECT_EQ(c.outcome(c.pod("web", web, {{"app", "web"}})), "n1: grumpy");
}

TEST(DefaultPreemption, SpreadConstraintsCanBePreempted) {
  Preempting c;
  c.node("n1");
  c.node("n2", {.unschedulable = true});
  c.pod("first", c.spec(100), {{"app", "web"}}, "n1");
  PodSpec web = c.spec(100);
  web.priority = 10;
  TopologySpreadConstraint constraint;
  constraint.topology_key = c.name("kubernetes.io/hostname");
  constraint.selector = c.selector({{"app", "web"}});
  web.topology_spread = {constraint};
  EXPECT_EQ(c.outcome(c.pod("web", web, {{"app", "web"}})), "n1: first");
}

TEST(DefaultPreemption, ADryRunLeavesNothingBehind) {
  Preempting c;
  for (int i = 0; i < 5; ++i) {
    const std::string node = "n" + std::to_string(i);
    c.node(node, {.cpu = 1000});
    c.victim("v" + std::to_string(i), 10 - i, node, 700);
    c.victim("w" + std::to_string(i), 20, node, 300);
  }
  const Ref<Pod> preemptor = c.preemptor(650);
  const auto state = c.state();
  const Decision first = state->cycle.schedule(preemptor.slot, SimTime(1h), 1);
  for (const NodeIndex node : state->cache.order()) {
    EXPECT_EQ(state->cache.node(node).load.requested.cpu_milli, 1000);
    EXPECT_EQ(state->cache.node(node).load.pods, 2);
  }
  const Decision second = state->cycle.schedule(preemptor.slot, SimTime(1h), 1);
  EXPECT_EQ(first.preemption.node, second.preemption.node);
  EXPECT_EQ(first.message, second.message);
}

TEST(NominatedPods, ReserveTheirNodeAgainstEqualsAndLower) {
  Preempting c;
  c.node("n1", {.cpu = 1000});
  const Ref<Pod> preemptor = c.preemptor(600, 100);
  PodSpec spec = c.spec(600);
  spec.priority = 50;
  const Ref<Pod> lower = c.pod("lower", spec);
  spec.priority = 200;
  const Ref<Pod> higher = c.pod("higher", spec);
  const auto state = c.state();
  state->cache.nominate(preemptor.slot, state->cache.find(c.name("n1")));
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(lower.slot, SimTime{}, 1)), "-");
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(higher.slot, SimTime{}, 1)), "n1");
  EXPECT_EQ(c.node_of(*state, state->cycle.schedule(preemptor.slot, SimTime{}, 1)), "n1");
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

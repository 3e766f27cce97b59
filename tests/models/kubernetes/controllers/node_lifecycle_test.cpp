#include "sim/models/kubernetes/controllers/node_lifecycle_controller.hpp"

#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

class NodeLifecycle : public ::testing::Test {
 protected:
  void begin(ControllerManagerConfig config = {}, NodeLifecycleTiming timing = {}) {
    controller = std::make_unique<NodeLifecycleController>(world.context(), world.heartbeats, config, timing);
    eviction = make_taint_eviction_controller(world.context());
    controller->start();
    eviction->start();
  }
  /// The node dies now; its last renewal was `age` ago.
  CauseId crash(Ref<Node> node, SimDuration age) {
    const CauseId cause = world.log.record("HostCrashed", fmt::format("Host/{}", world.names.text(world.api.get(node)->meta.name)), "");
    const ScopedCause because(world.engine, cause);
    world.heartbeats.stop(node, world.engine.now() - age);
    return cause;
  }
  void run_to(SimDuration t) { world.engine.run_until(at(t)); }
  const Node& node(Ref<Node> ref) { return *world.api.get(ref); }
  bool no_execute(Ref<Node> ref) { return node(ref).has_taint(world.api.well_known().unreachable, TaintEffect::kNoExecute); }
  std::vector<Ref<Node>> add_nodes(int count, std::string_view zone = "a", int pods_each = 0) {
    std::vector<Ref<Node>> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(world.add_node(fmt::format("{}{}", zone, i), zone));
      for (int p = 0; p < pods_each; ++p) world.add_pod(fmt::format("p-{}{}-{}", zone, i, p), all.back());
    }
    return all;
  }

  NodeTestWorld world;
  std::unique_ptr<NodeLifecycleController> controller;
  std::unique_ptr<Controller> eviction;
};

TEST(ZoneStates, AsComputeZoneState) {
  struct Case {
    std::string_view name;
    std::size_t ready, not_ready;
    ZoneState want;
  };
  const Case cases[] = {
      {"all well", 3, 0, ZoneState::kNormal},
      {"1 of 1", 0, 1, ZoneState::kFullDisruption},
      {"2 of 2", 0, 2, ZoneState::kFullDisruption},
      {"2 of 3: 2 is not more than 2", 1, 2, ZoneState::kNormal},
      {"3 of 4", 1, 3, ZoneState::kPartialDisruption},
      {"10 of 30", 20, 10, ZoneState::kNormal},
      {"20 of 30", 10, 20, ZoneState::kPartialDisruption},
      {"11 of 20 is exactly 0.55", 9, 11, ZoneState::kPartialDisruption},
      {"no nodes", 0, 0, ZoneState::kNormal},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(compute_zone_state(c.ready, c.not_ready, 0.55), c.want);
  }
}

TEST(LookGrid, CountsFromTheEndOfALongLook) {
  LookGrid grid(at(2s), 5s);
  EXPECT_EQ(grid.first_at_or_after(at(0s)), at(2s));
  EXPECT_EQ(grid.first_at_or_after(at(2s)), at(2s));
  EXPECT_EQ(grid.first_at_or_after(at(2s) + 1ns), at(7s));
  grid.look_lasted(at(12s), at(20s));
  EXPECT_EQ(grid.first_at_or_after(at(11s)), at(12s));
  EXPECT_EQ(grid.first_at_or_after(at(13s)), at(25s));
  EXPECT_EQ(grid.first_at_or_after(at(26s)), at(30s));
}

// Reference 7: D = 50 - r + m with r the age of the last renewal and m what is missing to the next look.
TEST_F(NodeLifecycle, CrashIsFoundAfter40To55Seconds) {
  struct Case {
    std::string_view name;
    SimDuration crash_at, age, unknown_at;
  };
  const Case cases[] = {
      {"renewed just before a look and just before the crash", 100s, 0s, 150s},
      {"renewed right after a look", 100s, 4900ms, 150s},  // renewal 95.1, seen at 100
      {"renewed 10 s ago", 100s, 10s, 140s},
      {"renewal just missed a look", 101s, 900ms, 155s},   // renewal 100.1, seen at 105
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    NodeTestWorld one;
    const Ref<Node> dead = one.add_node("w1");
    one.add_node("w2");
    NodeLifecycleController loop(one.context(), one.heartbeats, {});
    loop.start();
    one.engine.run_until(at(c.crash_at));
    one.heartbeats.stop(dead, one.engine.now() - c.age);
    one.engine.run_until(at(c.unknown_at) - 1ns);
    EXPECT_EQ(one.api.get(dead)->ready, ConditionStatus::kTrue);
    one.engine.run_until(at(c.unknown_at) + 20ms);
    EXPECT_EQ(one.api.get(dead)->ready, ConditionStatus::kUnknown);
    EXPECT_EQ(one.api.get(dead)->ready_reason, one.api.well_known().node_status_unknown);
  }
}

TEST_F(NodeLifecycle, NothingHappensWhileAllIsWell) {
  add_nodes(100);
  begin();
  run_to(1s);
  const std::uint64_t events = world.engine.stats().scheduled;
  run_to(std::chrono::hours(24 * 30));
  EXPECT_EQ(world.engine.stats().scheduled, events);
  EXPECT_EQ(world.log.size(), 0u);
}

TEST_F(NodeLifecycle, HeartbeatThatReturnsInTimeLeavesNoTrace) {
  const std::vector<Ref<Node>> nodes = add_nodes(3);
  begin();
  run_to(100s);
  crash(nodes[0], 1s);
  run_to(148s);
  world.heartbeats.resume(nodes[0]);
  run_to(400s);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kTrue);
  EXPECT_TRUE(world.records("NodeNotReady").empty());
}

// Reference 7.8: two of six nodes of a zone stop renewing at 0, their last renewals 4.7 and 5.1 s old; a look at -0.3 saw both.
// +49.7 Unknown and within 40 ms NoSchedule taints and pods; +49.8 and +59.8 NoExecute; tolerationSeconds 30: deleted 30 s later.
TEST_F(NodeLifecycle, MeasuredTraceOfTwoDeadNodes) {
  const std::vector<Ref<Node>> nodes = add_nodes(6);
  PodOptions short_toleration;
  short_toleration.tolerates_seconds = 30;
  PodOptions daemon;
  daemon.tolerates_forever = true;
  const Ref<Pod> web0 = world.add_pod("web-0", nodes[0], short_toleration);
  const Ref<Pod> web1 = world.add_pod("web-1", nodes[1], short_toleration);
  const Ref<Pod> agent = world.add_pod("agent-0", nodes[0], daemon);
  begin();  // looks at 0, 5, ..: the stop is at 100.3
  run_to(100300ms);
  crash(nodes[0], 4700ms);
  crash(nodes[1], 5100ms);
  run_to(149990ms);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kTrue);
  run_to(150050ms);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(node(nodes[static_cast<std::size_t>(i)]).ready, ConditionStatus::kUnknown);
    EXPECT_TRUE(node(nodes[static_cast<std::size_t>(i)]).has_taint(world.api.well_known().unreachable, TaintEffect::kNoSchedule));
  }
  EXPECT_FALSE(world.api.get(web0)->ready);
  EXPECT_FALSE(world.api.get(agent)->ready);
  EXPECT_FALSE(no_execute(nodes[0]) || no_execute(nodes[1]));
  run_to(150150ms);
  EXPECT_TRUE(no_execute(nodes[0]));
  EXPECT_FALSE(no_execute(nodes[1]));
  run_to(160s);
  EXPECT_FALSE(no_execute(nodes[1]));
  run_to(160350ms);
  EXPECT_TRUE(no_execute(nodes[1]));

  run_to(180s);
  EXPECT_FALSE(world.api.get(web0)->meta.is_deleting());
  run_to(180300ms);
  EXPECT_TRUE(world.api.get(web0)->meta.is_deleting());
  EXPECT_TRUE(world.api.get(web0)->disruption_target);
  EXPECT_EQ(world.api.get(web0)->disruption_reason, world.api.well_known().deletion_by_taint_manager);
  EXPECT_FALSE(world.api.get(web1)->meta.is_deleting());
  run_to(190500ms);
  EXPECT_TRUE(world.api.get(web1)->meta.is_deleting());
  run_to(2000s);
  EXPECT_FALSE(world.api.get(agent)->meta.is_deleting());

  EXPECT_EQ(world.chain(world.api.get(web0)->meta.cause), "TaintManagerEviction <- NodeTainted <- NodeNotReady <- HostCrashed");
}

// Reference 7.1: D + 300 s, with the default tolerations.
TEST_F(NodeLifecycle, CrashDeletesPodsAfterTheirTolerationSeconds) {
  const std::vector<Ref<Node>> nodes = add_nodes(3);
  const Ref<Pod> pod = world.add_pod("web-0", nodes[0]);
  begin();
  run_to(100s);
  crash(nodes[0], 3s);
  run_to(450s);
  EXPECT_FALSE(world.api.get(pod)->meta.is_deleting());
  run_to(450300ms);
  EXPECT_TRUE(world.api.get(pod)->meta.is_deleting());
}

TEST_F(NodeLifecycle, ReadyAgainClearsTaintsAndCancelsEvictions) {
  const std::vector<Ref<Node>> nodes = add_nodes(3);
  const Ref<Pod> pod = world.add_pod("web-0", nodes[0]);
  begin();
  run_to(100s);
  crash(nodes[0], 3s);
  run_to(200s);
  ASSERT_TRUE(no_execute(nodes[0]));
  world.heartbeats.resume(nodes[0]);
  run_to(202s);
  // The lease alone clears nothing (hazard 63).
  EXPECT_TRUE(no_execute(nodes[0]));
  world.api.update(nodes[0], Change::kConditions, [&](Node& n) {
    n.ready = ConditionStatus::kTrue;
    n.ready_reason = world.api.well_known().kubelet_ready;
  });
  run_to(202100ms);
  EXPECT_FALSE(node(nodes[0]).has_taint(world.api.well_known().unreachable, TaintEffect::kNoSchedule));
  EXPECT_TRUE(no_execute(nodes[0]));
  run_to(207s);  // the next look
  EXPECT_TRUE(node(nodes[0]).taints.empty());
  run_to(1000s);
  EXPECT_FALSE(world.api.get(pod)->meta.is_deleting());
  EXPECT_EQ(world.records("TaintManagerEviction").size(), 1u);  // the cancelling
}

TEST_F(NodeLifecycle, KubeletThatPostsNotReadyGetsTheOtherTaintAndItsPodsAreNotMarked) {
  const std::vector<Ref<Node>> nodes = add_nodes(3);
  const Ref<Pod> pod = world.add_pod("web-0", nodes[0]);
  begin();
  run_to(101s);
  world.api.update(nodes[0], Change::kConditions, [&](Node& n) {
    n.ready = ConditionStatus::kFalse;
    n.ready_reason = world.api.well_known().kubelet_not_ready;
  });
  run_to(101100ms);
  EXPECT_TRUE(node(nodes[0]).has_taint(world.api.well_known().not_ready, TaintEffect::kNoSchedule));
  EXPECT_FALSE(node(nodes[0]).has_taint(world.api.well_known().not_ready, TaintEffect::kNoExecute));
  run_to(105300ms);
  EXPECT_TRUE(node(nodes[0]).has_taint(world.api.well_known().not_ready, TaintEffect::kNoExecute));
  EXPECT_TRUE(world.api.get(pod)->ready);
  // It dies as well: the taints are swapped at once, not through the queue.
  crash(nodes[0], 1s);
  run_to(156s);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kUnknown);
  EXPECT_FALSE(node(nodes[0]).has_taint(world.api.well_known().not_ready, TaintEffect::kNoExecute));
  EXPECT_TRUE(no_execute(nodes[0]));
}

TEST_F(NodeLifecycle, NoScheduleTaintsFollowConditionsAndCordon) {
  const std::vector<Ref<Node>> nodes = add_nodes(2);
  world.api.update(nodes[0], Change::kTaints, [&](Node& n) {
    n.taints.push_back(Taint{world.sym("dedicated"), world.sym("gpu"), TaintEffect::kNoSchedule});
  });
  begin();
  run_to(1s);
  world.api.update(nodes[0], Change::kConditions, [](Node& n) { n.memory_pressure = true; });
  world.api.update(nodes[0], Change::kSpec, [](Node& n) { n.unschedulable = true; });
  run_to(2s);
  EXPECT_TRUE(node(nodes[0]).has_taint(world.api.well_known().memory_pressure, TaintEffect::kNoSchedule));
  EXPECT_TRUE(node(nodes[0]).has_taint(world.api.well_known().unschedulable, TaintEffect::kNoSchedule));
  world.api.update(nodes[0], Change::kConditions, [](Node& n) { n.memory_pressure = false; });
  world.api.update(nodes[0], Change::kSpec, [](Node& n) { n.unschedulable = false; });
  run_to(3s);
  ASSERT_EQ(node(nodes[0]).taints.size(), 1u);
  EXPECT_EQ(node(nodes[0]).taints[0].key, world.sym("dedicated"));
}

// ---- zones: the table of reference 11 -----------------------------------------------------------------------------

TEST_F(NodeLifecycle, TenOfThirtyDieOneTaintEveryTenSeconds) {
  const std::vector<Ref<Node>> nodes = add_nodes(30);
  begin();
  run_to(100s);
  for (std::size_t i = 0; i < 10; ++i) crash(nodes[i], 1s);
  run_to(1000s);
  const std::vector<double> tainted = world.times("NodeTainted");
  ASSERT_EQ(tainted.size(), 10u);
  for (std::size_t i = 0; i < tainted.size(); ++i) EXPECT_NEAR(tainted[i], 150.1 + 10.0 * static_cast<double>(i), 0.2) << i;
}

TEST_F(NodeLifecycle, TwentyOfThirtyDieAndNobodyIsEvictedWhenTheLookIsShort) {
  const std::vector<Ref<Node>> nodes = add_nodes(30);
  begin();
  run_to(100s);
  for (std::size_t i = 0; i < 20; ++i) crash(nodes[i], 1s);
  run_to(2000s);
  EXPECT_TRUE(world.times("NodeTainted").empty());
  ASSERT_EQ(world.times("ZoneStateChanged").size(), 1u);
}

// With 10 pods each the look lasts (220 - 30) / 20 s, and 1 + floor(look / 10 s) nodes are tainted before the zone is found Partial.
TEST_F(NodeLifecycle, LongLookLetsSomeTaintsThrough) {
  const std::vector<Ref<Node>> nodes = add_nodes(30, "a", 10);
  begin();
  run_to(100s);
  for (std::size_t i = 0; i < 20; ++i) crash(nodes[i], 1s);
  run_to(3000s);
  const double look = world.times("ZoneStateChanged").at(0) - 150.0;
  EXPECT_NEAR(look, 10.5, 1.5);
  EXPECT_EQ(world.times("NodeTainted").size(), 1u + static_cast<std::size_t>(look / 10.0));
}

// Reference 11, run with the real controller at these scaled times: 20 of 30 nodes with 10 pods, one write per 50 ms, one taint per 2 s:
// the look takes about 12 s and 7 nodes are tainted, then none.
TEST_F(NodeLifecycle, ScaledRunOfTheRealController) {
  const std::vector<Ref<Node>> nodes = add_nodes(30, "a", 10);
  ControllerManagerConfig config;
  config.node_eviction_rate = 0.5;
  world.client_burst = 1;
  begin(config);
  run_to(100s);
  for (std::size_t i = 0; i < 20; ++i) crash(nodes[i], 1s);
  run_to(3000s);
  EXPECT_NEAR(world.times("ZoneStateChanged").at(0) - 150.0, 12.0, 1.0);
  EXPECT_EQ(world.times("NodeTainted").size(), 7u);
}

TEST_F(NodeLifecycle, FortyOfSixtyDieAtTheSecondaryRate) {
  const std::vector<Ref<Node>> nodes = add_nodes(60, "a", 1);
  begin();
  run_to(100s);
  for (std::size_t i = 0; i < 40; ++i) crash(nodes[i], 1s);
  run_to(std::chrono::hours(2));
  const std::vector<double> tainted = world.times("NodeTainted");
  ASSERT_EQ(tainted.size(), 40u);
  EXPECT_NEAR(tainted[0], 150.5, 0.5);  // the client's 20 writes a second are busy with the other nodes
  for (std::size_t i = 2; i < tainted.size(); ++i) EXPECT_NEAR(tainted[i] - tainted[i - 1], 100.0, 0.2) << i;
  EXPECT_NEAR(tainted.back(), 150.0 + 3900.0, 110.0);
}

TEST_F(NodeLifecycle, TwoOfThreeDieAndBothAreEvicted) {
  const std::vector<Ref<Node>> nodes = add_nodes(3);
  begin();
  run_to(100s);
  crash(nodes[0], 1s);
  crash(nodes[1], 1s);
  run_to(1000s);
  ASSERT_EQ(world.times("NodeTainted").size(), 2u);
}

// Reference 7.8: zone of 4 with 3 dead: no taint. When one dead Node object is deleted (2 of 3 left dead: Normal), the first taint comes
// about 10 s after the next look, the second 10 s later.
TEST_F(NodeLifecycle, LeavingRateZeroCostsOneInterval) {
  const std::vector<Ref<Node>> nodes = add_nodes(4);
  begin();
  run_to(100s);
  for (std::size_t i = 0; i < 3; ++i) crash(nodes[i], 1s);
  run_to(1001s);
  EXPECT_TRUE(world.times("NodeTainted").empty());
  world.api.remove(nodes[0]);
  run_to(2000s);
  const std::vector<double> tainted = world.times("NodeTainted");
  ASSERT_EQ(tainted.size(), 2u);
  EXPECT_NEAR(tainted[0], 1015.3, 0.7);  // the next look is at 1 005 s and a bit: every look with writes lasts a moment
  EXPECT_NEAR(tainted[1] - tainted[0], 10.0, 0.2);
}

TEST_F(NodeLifecycle, AllZonesFullRemovesTaintsAndSuspendsEvictions) {
  const std::vector<Ref<Node>> nodes = add_nodes(4, "a", 1);
  begin();
  run_to(100s);
  crash(nodes[0], 1s);
  crash(nodes[1], 1s);
  run_to(200s);
  ASSERT_EQ(world.times("NodeTainted").size(), 2u);
  crash(nodes[2], 1s);
  crash(nodes[3], 1s);
  run_to(3000s);
  EXPECT_EQ(world.times("EvictionsSuspended").size(), 1u);
  EXPECT_EQ(world.times("NodeTainted").size(), 2u);
  for (const Ref<Node> ref : nodes) EXPECT_FALSE(no_execute(ref));
  world.api.all<Pod>().for_each([](Ref<Pod>, const Pod& pod) { EXPECT_FALSE(pod.meta.is_deleting()); });

  // One comes back: the others are dead all the same, 3 of 4: Partial, rate 0.
  world.heartbeats.resume(nodes[3]);
  world.api.update(nodes[3], Change::kConditions, [](Node& n) { n.ready = ConditionStatus::kTrue; });
  run_to(4000s);
  EXPECT_EQ(world.times("EvictionsResumed").size(), 1u);
  EXPECT_EQ(world.times("NodeTainted").size(), 2u);
  // Another one: 2 of 4: Normal. The first taint comes one interval later.
  world.heartbeats.resume(nodes[2]);
  world.api.update(nodes[2], Change::kConditions, [](Node& n) { n.ready = ConditionStatus::kTrue; });
  run_to(5000s);
  const std::vector<double> tainted = world.times("NodeTainted");
  ASSERT_EQ(tainted.size(), 4u);
  EXPECT_GT(tainted[2], 4010.0);
  EXPECT_LT(tainted[2], 4016.0);
}

// Taints set in the very look that finds the last node dead are overlooked by the removal: those nodes lose their pods.
TEST_F(NodeLifecycle, TaintsOfTheLookThatFindsAllDeadStay) {
  const std::vector<Ref<Node>> nodes = add_nodes(10, "a", 20);
  begin();
  run_to(100s);
  for (const Ref<Node> ref : nodes) crash(ref, 1s);
  run_to(300s);
  const auto tainted = std::count_if(nodes.begin(), nodes.end(), [&](Ref<Node> ref) { return no_execute(ref); });
  EXPECT_EQ(tainted, 1);  // 210 writes: (210 - 30) / 20 = 9 s
  EXPECT_EQ(world.times("EvictionsSuspended").size(), 1u);
}

TEST_F(NodeLifecycle, OneFullZoneOfSeveralIsEvictedAtTheNormalRate) {
  const std::vector<Ref<Node>> a = add_nodes(5, "a");
  add_nodes(5, "b");
  add_nodes(5, "c");
  begin();
  run_to(100s);
  for (const Ref<Node> ref : a) crash(ref, 1s);
  run_to(1000s);
  const std::vector<double> tainted = world.times("NodeTainted");
  ASSERT_EQ(tainted.size(), 5u);
  EXPECT_NEAR(tainted.back() - tainted.front(), 40.0, 0.5);
}

TEST_F(NodeLifecycle, ExcludedNodesDoNotCountForTheZone) {
  std::vector<Ref<Node>> nodes = add_nodes(4);
  for (std::size_t i = 0; i < 3; ++i) {
    world.api.update(nodes[i], Change::kLabels, [&](Node& n) { n.meta.labels.set(world.api.well_known().exclude_disruption, Symbol{}); });
  }
  begin();
  run_to(100s);
  for (std::size_t i = 0; i < 3; ++i) crash(nodes[i], 1s);
  run_to(1000s);
  EXPECT_EQ(world.times("NodeTainted").size(), 3u);
}

// Hazard 20: a new leader starts detection from zero, and keeps the taints that are there.
TEST_F(NodeLifecycle, NewLeaderStartsDetectionFromZero) {
  const std::vector<Ref<Node>> nodes = add_nodes(5);
  begin();
  run_to(100s);
  crash(nodes[0], 1s);
  run_to(130s);
  controller->stop();
  run_to(147s);
  controller->start();
  run_to(196900ms);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kTrue);
  run_to(197100ms);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kUnknown);
}

// The leader before died between the condition and the pods.
TEST_F(NodeLifecycle, NewLeaderMarksThePodsOfNodesThatAreNotReady) {
  const std::vector<Ref<Node>> nodes = add_nodes(3, "a", 2);
  world.heartbeats.stop(nodes[0], SimTime{});
  world.api.update(nodes[0], Change::kConditions, [&](Node& n) {
    n.ready = ConditionStatus::kUnknown;
    n.ready_reason = world.api.well_known().node_status_unknown;
  });
  begin();
  run_to(1s);
  world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) { EXPECT_EQ(pod.ready, pod.node != nodes[0]); });
  EXPECT_TRUE(no_execute(nodes[0]));
}

TEST_F(NodeLifecycle, NodeThatNeverPostedGetsItsStartUpGrace) {
  add_nodes(3);
  begin();
  run_to(100s);
  Node fresh;
  fresh.meta.name = world.sym("fresh");
  fresh.taints.push_back(Taint{world.api.well_known().not_ready, Symbol{}, TaintEffect::kNoSchedule});
  const Ref<Node> ref = world.api.create(std::move(fresh));
  world.heartbeats.stop(ref, SimTime{});
  run_to(159s);
  EXPECT_FALSE(node(ref).ready_reason);
  EXPECT_TRUE(node(ref).has_taint(world.api.well_known().not_ready, TaintEffect::kNoSchedule));
  run_to(166s);
  EXPECT_EQ(node(ref).ready_reason, world.api.well_known().node_status_never_updated);
  EXPECT_TRUE(node(ref).has_taint(world.api.well_known().unreachable, TaintEffect::kNoSchedule));
}

TEST_F(NodeLifecycle, WhileTheApiCannotBeWrittenNothingIsLost) {
  const std::vector<Ref<Node>> nodes = add_nodes(3, "a", 2);
  begin();
  run_to(100s);
  crash(nodes[0], 1s);
  run_to(140s);
  world.api.set_availability(true, false);
  run_to(172s);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kTrue);
  world.api.set_availability(true, true);
  run_to(176s);
  EXPECT_EQ(node(nodes[0]).ready, ConditionStatus::kUnknown);
  EXPECT_TRUE(no_execute(nodes[0]));
}

}  // namespace
}  // namespace sim::k8s

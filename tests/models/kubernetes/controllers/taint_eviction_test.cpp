// What the NoExecute taints of a node do to its pods.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

class TaintEviction : public ::testing::Test {
 protected:
  void SetUp() override {
    node = world.add_node("w1");
    controller = make_taint_eviction_controller(world.context());
    controller->start();
    world.engine.run_until(at(1s));
  }
  void taint(Symbol key) {
    world.api.update(node, Change::kTaints, [&](Node& n) { n.taints.push_back(Taint{key, Symbol{}, TaintEffect::kNoExecute}); });
  }
  void untaint(Symbol key) {
    world.api.update(node, Change::kTaints, [&](Node& n) { std::erase_if(n.taints, [&](const Taint& t) { return t.key == key; }); });
  }
  bool is_deleting(Ref<Pod> pod) { return world.api.get(pod) == nullptr || world.api.get(pod)->meta.is_deleting(); }
  Symbol unreachable() { return world.api.well_known().unreachable; }
  Symbol not_ready() { return world.api.well_known().not_ready; }
  Ref<Pod> pod(std::string_view name, std::optional<std::int64_t> tolerates, bool forever = false) {
    PodOptions options;
    options.tolerates_seconds = tolerates;
    options.tolerates_forever = forever;
    return world.add_pod(name, node, options);
  }
  void run_to(SimDuration t) { world.engine.run_until(at(t)); }

  NodeTestWorld world;
  Ref<Node> node;
  std::unique_ptr<Controller> controller;
};

TEST_F(TaintEviction, DeletesByToleration) {
  const Ref<Pod> none = pod("none", std::nullopt);
  const Ref<Pod> zero = pod("zero", 0);
  const Ref<Pod> half_minute = pod("half-minute", 30);
  const Ref<Pod> forever = pod("forever", std::nullopt, true);
  run_to(10s);
  taint(unreachable());
  run_to(10s + 4ms);
  EXPECT_FALSE(is_deleting(none));  // the watch has not brought it yet
  run_to(10200ms);
  EXPECT_TRUE(is_deleting(none));
  EXPECT_TRUE(is_deleting(zero));
  EXPECT_FALSE(is_deleting(half_minute));
  run_to(40s);
  EXPECT_FALSE(is_deleting(half_minute));
  run_to(40100ms);
  EXPECT_TRUE(is_deleting(half_minute));
  run_to(std::chrono::hours(24));
  EXPECT_FALSE(is_deleting(forever));
  EXPECT_EQ(world.api.get(none)->disruption_reason, world.api.well_known().deletion_by_taint_manager);
}

TEST_F(TaintEviction, ConditionComesBeforeTheDelete) {
  const Ref<Pod> none = pod("none", std::nullopt);
  run_to(10s);
  taint(unreachable());
  while (!world.api.get(none)->disruption_target) world.engine.step();
  EXPECT_FALSE(is_deleting(none));
  const SimTime patched = world.engine.now();
  while (!is_deleting(none)) world.engine.step();
  EXPECT_EQ(world.engine.now() - patched, 10ms);
}

TEST_F(TaintEviction, OneUntoleratedTaintAmongToleratedOnesIsEnough) {
  const Ref<Pod> web = pod("web", 300);
  run_to(10s);
  taint(unreachable());
  run_to(20s);
  taint(world.api.well_known().out_of_service);
  run_to(21s);
  EXPECT_TRUE(is_deleting(web));
}

TEST_F(TaintEviction, ADeadlineThatRunsIsNotPutOff) {
  const Ref<Pod> web = pod("web", 100);
  run_to(10s);
  taint(unreachable());
  run_to(60s);
  taint(not_ready());  // tolerated for 100 s as well
  run_to(109s);
  EXPECT_FALSE(is_deleting(web));
  run_to(111s);
  EXPECT_TRUE(is_deleting(web));
}

TEST_F(TaintEviction, RemovedTaintCancelsAndTheNextOneStartsAnew) {
  const Ref<Pod> web = pod("web", 100);
  run_to(10s);
  taint(unreachable());
  run_to(60s);
  untaint(unreachable());
  run_to(70s);
  EXPECT_EQ(world.records("TaintManagerEviction").size(), 1u);
  taint(unreachable());
  run_to(169s);
  EXPECT_FALSE(is_deleting(web));
  run_to(171s);
  EXPECT_TRUE(is_deleting(web));
}

TEST_F(TaintEviction, DeadlineOutlivesTheNodeObject) {
  const Ref<Pod> web = pod("web", 30);
  run_to(10s);
  taint(unreachable());
  run_to(20s);
  world.api.remove(node);
  run_to(39s);
  EXPECT_FALSE(is_deleting(web));
  run_to(41s);
  EXPECT_TRUE(is_deleting(web));
}

TEST_F(TaintEviction, PodBoundToATaintedNodeIsHandledWhenItComes) {
  run_to(10s);
  taint(unreachable());
  run_to(50s);
  const Ref<Pod> web = pod("web", 100);
  run_to(149s);
  EXPECT_FALSE(is_deleting(web));
  run_to(151s);
  EXPECT_TRUE(is_deleting(web));
}

TEST_F(TaintEviction, NewLeaderStartsTolerationsAnew) {
  const Ref<Pod> web = pod("web", 100);
  run_to(10s);
  taint(unreachable());
  run_to(60s);
  controller->stop();
  run_to(75s);
  controller->start();
  run_to(174s);
  EXPECT_FALSE(is_deleting(web));
  run_to(176s);
  EXPECT_TRUE(is_deleting(web));
}

TEST_F(TaintEviction, WaitsForAnApiThatCannotWrite) {
  const Ref<Pod> web = pod("web", 30);
  run_to(10s);
  taint(unreachable());
  run_to(30s);
  world.api.set_availability(true, false);
  run_to(60s);
  EXPECT_FALSE(is_deleting(web));
  world.api.set_availability(true, true);
  run_to(61s);
  EXPECT_TRUE(is_deleting(web));
}

// Three calls a pod (GET, PATCH, DELETE) at 20 a second with a burst of 30: 110 pods take (330 - 30) / 20 = 15 s.
TEST_F(TaintEviction, AFullNodeIsEvictedAtTheClientsPace) {
  std::vector<Ref<Pod>> pods;
  for (int i = 0; i < 110; ++i) pods.push_back(pod(fmt::format("web-{}", i), 30));
  run_to(10s);
  taint(unreachable());
  run_to(40s + 14500ms);
  EXPECT_TRUE(std::any_of(pods.begin(), pods.end(), [&](Ref<Pod> p) { return !is_deleting(p); }));
  run_to(40s + 15500ms);
  EXPECT_TRUE(std::all_of(pods.begin(), pods.end(), [&](Ref<Pod> p) { return is_deleting(p); }));
}

TEST_F(TaintEviction, EveryPodsRecordIsCausedByTheTaint) {
  pod("a", std::nullopt);
  pod("b", std::nullopt);
  run_to(10s);
  const CauseId fault = world.log.record("FaultInjected", "Fault/taint", "");
  {
    const ScopedCause because(world.engine, fault);
    taint(unreachable());
  }
  run_to(20s);
  std::size_t seen = 0;
  for (const EventLog::Record& record : world.log.records()) {
    if (world.log.kind(record) != "TaintManagerEviction") continue;
    EXPECT_EQ(record.cause, fault);
    ++seen;
  }
  EXPECT_EQ(seen, 2u);
}

}  // namespace
}  // namespace sim::k8s

// Pod garbage collection on its 20 s grid.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/controller_manager.hpp"
#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

class PodGc : public ::testing::Test {
 protected:
  void begin(ControllerManagerConfig config = {}) {
    controller = make_pod_gc_controller(world.context(), config);
    controller->start();
  }
  void run_to(SimDuration t) { world.engine.run_until(at(t)); }

  NodeTestWorld world;
  std::unique_ptr<Controller> controller;
};

// Reference 2.9: 40 to 60 s after the node's deletion. Passes at 0, 20, 40 ...: the first after the deletion starts the quarantine.
TEST_F(PodGc, PodsOfADeletedNodeGoAfterTheQuarantine) {
  struct Case {
    SimDuration deleted_at, collected_at;
  };
  for (const Case& c : {Case{100s + 1ms, 160s}, Case{119s, 160s}, Case{110s, 160s}}) {
    NodeTestWorld one;
    const Ref<Node> node = one.add_node("w5");
    const Ref<Pod> pod = one.add_pod("web-0", node);
    const std::unique_ptr<Controller> loop = make_pod_gc_controller(one.context(), ControllerManagerConfig{});
    loop->start();
    one.engine.run_until(at(c.deleted_at));
    const CauseId fault = one.log.record("FaultInjected", "Fault/node-delete", "");
    {
      const ScopedCause because(one.engine, fault);
      one.api.remove(node);
    }
    one.engine.run_until(at(c.collected_at) - 1ns);
    EXPECT_NE(one.api.get(pod), nullptr);
    EXPECT_EQ(one.api.get(pod)->phase, PodPhase::kRunning);
    one.engine.run_until(at(c.collected_at) + 100ms);
    EXPECT_EQ(one.api.get(pod), nullptr);
    EXPECT_EQ(one.chain(one.last_record("DeletionByPodGC")), "DeletionByPodGC <- FaultInjected");
  }
}

TEST_F(PodGc, FailsThePodBeforeItDeletesIt) {
  const Ref<Node> node = world.add_node("w5");
  const Ref<Pod> pod = world.add_pod("web-0", node);
  struct Seen : Watcher {
    std::vector<std::string> what;
    void on_event(const WatchEvent& event) override {
      what.push_back(event.type == WatchEvent::Type::kDeleted ? "deleted" : has(event.changes, Change::kPhase) ? "phase" : "other");
      if (event.type == WatchEvent::Type::kDeleted) failed = event.last_state<Pod>().phase == PodPhase::kFailed;
    }
    bool failed = false;
  } seen;
  begin();
  run_to(1s);
  world.api.watch({Kind::kPod}, seen);
  world.api.remove(node);
  run_to(200s);
  EXPECT_EQ(seen.what, (std::vector<std::string>{"phase", "deleted"}));
  EXPECT_TRUE(seen.failed);
  EXPECT_EQ(world.api.get(pod), nullptr);
}

TEST_F(PodGc, NodeThatComesBackInTimeKeepsItsPods) {
  const Ref<Node> node = world.add_node("w5");
  const Ref<Pod> pod = world.add_pod("web-0", node);
  begin();
  run_to(101s);
  world.api.remove(node);
  run_to(150s);
  world.add_node("w5");
  run_to(500s);
  EXPECT_NE(world.api.get(pod), nullptr);
}

TEST_F(PodGc, OutOfServiceTakesTerminatingPodsOnly) {
  const Ref<Node> node = world.add_node("w1");
  const Ref<Pod> going = world.add_pod("going", node);
  const Ref<Pod> staying = world.add_pod("staying", node);
  begin();
  run_to(101s);
  world.api.update(node, Change::kConditions, [](Node& n) { n.ready = ConditionStatus::kUnknown; });
  world.api.remove(going);
  run_to(200s);
  EXPECT_NE(world.api.get(going), nullptr);  // a dead node's terminating pods stay for ever
  world.api.update(node, Change::kTaints, [&](Node& n) {
    n.taints.push_back(Taint{world.api.well_known().out_of_service, world.sym("nodeshutdown"), TaintEffect::kNoExecute});
  });
  run_to(221s);
  EXPECT_EQ(world.api.get(going), nullptr);
  EXPECT_NE(world.api.get(staying), nullptr);
  world.api.remove(staying);
  run_to(241s);
  EXPECT_EQ(world.api.get(staying), nullptr);
}

TEST_F(PodGc, FinishedPodsBeyondTheThresholdGoEvictedFirstThenOldest) {
  const Ref<Node> node = world.add_node("w1");
  ControllerManagerConfig config;
  config.terminated_pod_gc_threshold = 2;
  begin(config);
  PodOptions done;
  done.phase = PodPhase::kSucceeded;
  const Ref<Pod> oldest = world.add_pod("oldest", node, done);
  run_to(1s);
  const Ref<Pod> middle = world.add_pod("middle", node, done);
  run_to(2s);
  run_to(30s);
  EXPECT_NE(world.api.get(oldest), nullptr);
  const Ref<Pod> evicted = world.add_pod("evicted", node, done);
  world.api.update(evicted, Change::kPhase, [&](Pod& p) {
    p.phase = PodPhase::kFailed;
    p.reason = world.sym("Evicted");
  });
  const Ref<Pod> newest = world.add_pod("newest", node, done);
  run_to(41s);
  EXPECT_EQ(world.api.get(evicted), nullptr);
  EXPECT_EQ(world.api.get(oldest), nullptr);
  EXPECT_NE(world.api.get(middle), nullptr);
  EXPECT_NE(world.api.get(newest), nullptr);
}

TEST_F(PodGc, NothingIsScheduledWhileThereIsNothingToDo) {
  const Ref<Node> node = world.add_node("w1");
  for (int i = 0; i < 100; ++i) world.add_pod(fmt::format("web-{}", i), node);
  begin();
  run_to(1s);
  const std::uint64_t events = world.engine.stats().scheduled;
  run_to(std::chrono::hours(24 * 30));
  EXPECT_EQ(world.engine.stats().scheduled, events);
}

}  // namespace
}  // namespace sim::k8s

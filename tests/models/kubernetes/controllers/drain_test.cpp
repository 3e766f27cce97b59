// kubectl drain: reference 7.5.
#include "sim/models/kubernetes/controllers/drain.hpp"

#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

/// Stands in for kubelets, ReplicaSet controller and scheduler: a deleted pod ends `stop_time` later; a pod of the ReplicaSet that begins to
/// terminate is replaced at once on the other node, and the replacement is ready `start_time` later.
class Replacer : public Watcher {
 public:
  Replacer(NodeTestWorld& world, Ref<Node> target, Ref<ReplicaSet> set) : world_(world), target_(target), set_(set) {
    world.api.watch({Kind::kPod}, *this);
  }
  void on_event(const WatchEvent& event) override {
    const Ref<Pod> ref = event.ref<Pod>();
    const Pod* pod = world_.api.get(ref);
    if (pod == nullptr || !pod->meta.is_deleting() || !has(event.changes, Change::kDeletion)) return;
    if (is_kubelet_alive) {
      world_.engine.after(stop_time, [this, ref] {
        DeleteOptions now;
        now.grace_period_seconds = 0;
        world_.api.remove(ref, now);
      });
    }
    if (pod->meta.controller() == nullptr) return;
    PodOptions options = world_.of(set_);
    options.ready = false;
    const Ref<Pod> made = world_.add_pod(fmt::format("new-{}", ++serial_), target_, options);
    if (!starts) return;
    world_.engine.after(start_time, [this, made] { world_.api.update(made, Change::kReady, [](Pod& p) { p.ready = true; }); });
  }
  SimDuration stop_time = 1s;
  SimDuration start_time = 8s;
  bool is_kubelet_alive = true;
  bool starts = true;

 private:
  NodeTestWorld& world_;
  Ref<Node> target_;
  Ref<ReplicaSet> set_;
  int serial_ = 0;
};

class DrainNode : public ::testing::Test {
 protected:
  void SetUp() override {
    w1 = world.add_node("w1");
    w2 = world.add_node("w2");
    set = world.add_replica_set("web", 4);
    replacer = std::make_unique<Replacer>(world, w2, set);
    disruption = make_disruption_controller(world.context());
  }
  void add_pods(int count) {
    for (int i = 0; i < count; ++i) pods.push_back(world.add_pod(fmt::format("web-{}", i), w1, world.of(set)));
  }
  Ref<PodDisruptionBudget> add_budget(std::int64_t max_unavailable) {
    PodDisruptionBudget budget;
    budget.meta.ns = world.api.well_known().ns_default;
    budget.meta.name = world.sym("web");
    budget.selector = world.select("web");
    budget.max_unavailable = IntOrPercent{max_unavailable, false};
    return world.api.create(std::move(budget));
  }
  /// Starts the drain at 10 s and runs to `end`.
  void drain(DrainOptions options, SimDuration end) {
    disruption->start();
    world.engine.run_until(at(10s));
    one = std::make_unique<Drain>(world.api, w1, options);
    const ScopedCause because(world.engine, world.log.record("FaultInjected", "Fault/maintenance", ""));
    one->start([this](const DrainResult& r) {
      result = r;
      ended_at = world.engine.now();
      ++ends;
    });
    world.engine.run_until(at(end));
  }
  std::size_t on_w1() {
    std::size_t count = 0;
    world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) { count += pod.node == w1 ? 1u : 0u; });
    return count;
  }

  NodeTestWorld world;
  Ref<Node> w1, w2;
  Ref<ReplicaSet> set;
  std::vector<Ref<Pod>> pods;
  std::unique_ptr<Replacer> replacer;
  std::unique_ptr<Controller> disruption;
  std::unique_ptr<Drain> one;
  DrainResult result;
  SimTime ended_at{};
  int ends = 0;
};

TEST_F(DrainNode, WithoutBudgetAllGoAtOnceAndThePollSeesIt) {
  add_pods(4);
  PodOptions daemon;
  daemon.owner = ObjectRef{Kind::kDaemonSet, 0, 1};
  const Ref<Pod> agent = world.add_pod("agent", w1, daemon);
  const Ref<Pod> mirror = world.add_pod("etcd-w1", w1);
  world.api.update(mirror, Change::kLabels, [&](Pod& p) { p.meta.annotations.set(world.sym("kubernetes.io/config.mirror"), world.sym("x")); });
  replacer->stop_time = 2500ms;
  drain({}, 100s);
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kDone);
  EXPECT_EQ(result.pods, 4u);
  EXPECT_EQ(ended_at, at(13s));  // gone at 12.5 s, seen by the poll of the next whole second
  EXPECT_TRUE(world.api.get(w1)->unschedulable);
  EXPECT_NE(world.api.get(agent), nullptr);
  EXPECT_NE(world.api.get(mirror), nullptr);
  EXPECT_EQ(on_w1(), 2u);
  EXPECT_EQ(world.chain(result.record), "DrainFinished <- DrainStarted <- FaultInjected");
}

// One at a time: each step waits until the replacement is ready (8 s) and then for the next retry (every 5 s): retries at 15, 20, 25 ...
TEST_F(DrainNode, BudgetLetsOneGoAtATime) {
  add_pods(4);
  const Ref<PodDisruptionBudget> budget = add_budget(1);
  drain({}, 200s);
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kDone);
  EXPECT_EQ(result.refusals, 3u + 3u + 2u + 2u + 1u + 1u);  // at 10, 15 | won at 20: 20, 25 | won at 30: 30, 35 | won at 40
  const std::vector<double> evicted = world.times("EvictionByEvictionAPI");
  ASSERT_EQ(evicted.size(), 4u);
  EXPECT_NEAR(evicted[0], 10.0, 0.01);
  EXPECT_NEAR(evicted[1], 20.0, 0.01);
  EXPECT_NEAR(evicted[2], 30.0, 0.01);
  EXPECT_NEAR(evicted[3], 40.0, 0.01);
  EXPECT_EQ(ended_at, at(42s));  // the last one ends 1 s and a watch after 40: the poll at 42
  EXPECT_EQ(world.api.get(budget)->current_healthy, 4);
}

TEST_F(DrainNode, StuckBudgetTimesOutAndSaysWhich) {
  add_pods(2);
  add_budget(1);
  const CauseId crash = world.log.record("HostCrashed", "Host/w2", "");
  // Two of the four are down elsewhere: nothing is left to disrupt.
  for (int i = 2; i < 4; ++i) {
    const Ref<Pod> down = world.add_pod(fmt::format("web-{}", i), w2, world.of(set));
    const ScopedCause because(world.engine, crash);
    world.api.update(down, Change::kReady, [&](Pod& p) {
      p.ready = false;
      p.meta.cause = crash;
    });
  }
  drain(DrainOptions{.timeout = 60s}, 200s);
  EXPECT_EQ(ended_at, at(70s));
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kTimedOut);
  ASSERT_EQ(result.left.size(), 2u);
  EXPECT_EQ(world.names.text(result.left[0].budget), "PodDisruptionBudget/default/web");
  EXPECT_EQ(result.left[0].why,
            "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 3 healthy pods and has 2 currently");
  EXPECT_EQ(world.records("EvictionBlocked").size(), 2u);  // once a pod, not once a try
  EXPECT_EQ(world.log.contributing(world.last_record("EvictionBlocked")), std::vector<CauseId>{crash});
  EXPECT_EQ(on_w1(), 2u);
  EXPECT_TRUE(world.api.get(w1)->unschedulable);
}

TEST_F(DrainNode, WithoutTimeoutItTriesForEver) {
  add_pods(2);
  add_budget(0);
  drain({}, std::chrono::hours(24));
  EXPECT_EQ(ends, 0);
  EXPECT_TRUE(one->is_running());
  EXPECT_EQ(one->left().size(), 2u);
  EXPECT_EQ(on_w1(), 2u);
}

TEST_F(DrainNode, DisableEvictionAsksNoBudget) {
  add_pods(2);
  add_budget(0);
  drain(DrainOptions{.disable_eviction = true}, 100s);
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kDone);
  EXPECT_EQ(on_w1(), 0u);
}

TEST_F(DrainNode, UnmanagedAndLocalDataNeedTheirFlags) {
  add_pods(1);
  const Ref<Pod> lone = world.add_pod("lone", w1, PodOptions{.app = "lone"});
  PodOptions scratch = world.of(set);
  scratch.has_local_storage = true;
  const Ref<Pod> with_data = world.add_pod("scratch", w1, scratch);
  drain({}, 100s);
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kRefused);
  ASSERT_EQ(result.left.size(), 2u);
  EXPECT_EQ(result.left[0].pod, lone);
  EXPECT_EQ(result.left[1].pod, with_data);
  EXPECT_EQ(on_w1(), 3u);  // nothing was touched ...
  EXPECT_TRUE(world.api.get(w1)->unschedulable);  // ... but it is cordoned

  one = std::make_unique<Drain>(world.api, w1, DrainOptions{.force = true, .delete_emptydir_data = true});
  one->start([this](const DrainResult& r) { result = r; });
  world.engine.run_until(at(200s));
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kDone);
  EXPECT_EQ(on_w1(), 0u);
}

TEST_F(DrainNode, DeadKubeletKeepsItWaiting) {
  add_pods(1);
  replacer->is_kubelet_alive = false;
  drain(DrainOptions{.timeout = 600s}, 1000s);
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kTimedOut);
  ASSERT_EQ(result.left.size(), 1u);
  EXPECT_EQ(result.left[0].why, "still terminating");
}

TEST_F(DrainNode, WaitsForAnApiThatWrites) {
  add_pods(1);
  world.api.set_availability(true, false);
  world.engine.after(31s, [this] { world.api.set_availability(true, true); });
  drain({}, 100s);
  EXPECT_EQ(result.outcome, DrainResult::Outcome::kDone);
  EXPECT_NEAR(world.times("EvictionByEvictionAPI").at(0), 35.0, 0.01);
}

TEST_F(DrainNode, ListenerMayDestroyIt) {
  add_pods(1);
  one = std::make_unique<Drain>(world.api, w1, DrainOptions{});
  one->start([this](const DrainResult&) { one.reset(); });
  world.engine.run_until(at(100s));
  EXPECT_EQ(one, nullptr);
}

TEST_F(DrainNode, UncordonClears) {
  EXPECT_EQ(cordon(world.api, w1, "test"), ApiStatus::kOk);
  EXPECT_TRUE(world.api.get(w1)->unschedulable);
  EXPECT_EQ(uncordon(world.api, w1, "test"), ApiStatus::kOk);
  EXPECT_FALSE(world.api.get(w1)->unschedulable);
  EXPECT_EQ(uncordon(world.api, w1, "test"), ApiStatus::kOk);
  EXPECT_EQ(world.records("NodeUncordoned").size(), 1u);
}

}  // namespace
}  // namespace sim::k8s

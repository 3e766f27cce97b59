// The scheduler in virtual time: what it binds, when it tries again, what it records and because of what.
#include "sim/models/kubernetes/scheduler/scheduler.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

using namespace std::chrono_literals;

struct World : Cluster {
  Scheduler scheduler{engine, log, random, api, SchedulerConfig{}};
  void run(SimDuration span) { engine.run_until(engine.now() + span); }
  std::string place(Ref<Pod> ref) {
    const Pod* object = api.get(ref);
    return object == nullptr ? "gone" : object->node_name ? names.text(object->node_name) : "pending";
  }
  std::vector<CauseId> records(std::string_view kind, std::string_view subject) {
    std::vector<CauseId> found;
    for (std::uint32_t i = 1; i <= log.size(); ++i) {
      const EventLog::Record& record = log.at(CauseId{i});
      if (log.kind(record) == kind && log.subject(record) == subject) found.push_back(CauseId{i});
    }
    return found;
  }
  std::string_view message(CauseId id) { return log.message(log.at(id)); }
};

TEST(Scheduler, BindsAPodAndRecordsIt) {
  World w;
  w.node("n1");
  w.scheduler.start();
  const Ref<Pod> pod = w.pod("p", w.spec(100));
  w.run(1s);
  EXPECT_EQ(w.place(pod), "n1");
  EXPECT_EQ(w.api.get(pod)->node, w.api.find<Node>(Symbol{}, w.name("n1")));
  EXPECT_TRUE(w.api.get(pod)->scheduled_at.has_value());
  // watch 5 ms + cycle 0.5 ms + binding 5 ms
  EXPECT_EQ(*w.api.get(pod)->scheduled_at, SimTime(10500us));
  ASSERT_EQ(w.records("Scheduled", "Pod/default/p").size(), 1u);
  EXPECT_EQ(w.message(w.records("Scheduled", "Pod/default/p").front()), "Successfully assigned default/p to n1");
  EXPECT_EQ(w.scheduler.pending_count(), 0u);
}

TEST(Scheduler, ItsOwnClientLimitsBindings) {
  // client-go's token bucket: 3 requests at once, then one each 100 ms.
  World w;
  w.node("n1");
  SchedulerConfig config;
  config.client_qps = 10;
  config.client_burst = 3;
  Scheduler slow(w.engine, w.log, w.random, w.api, config);
  slow.start();
  std::vector<Ref<Pod>> pods;
  for (int i = 0; i < 6; ++i) pods.push_back(w.pod("p" + std::to_string(i), w.spec(100)));
  w.run(10s);
  std::vector<SimDuration> at;
  for (const Ref<Pod> pod : pods) at.push_back(w.api.get(pod)->scheduled_at->time_since_epoch());
  // The bucket is charged at the first request: 5.5 ms, so the fourth goes out at 105.5 ms.
  const std::vector<SimDuration> expected = {10500us, 11000us, 11500us, 110500us, 210500us, 310500us};
  EXPECT_EQ(at, expected);
}

TEST(Scheduler, ShowsItsQueueAndItsCycles) {
  World w;
  w.node("n1", {.cpu = 1000});
  std::vector<std::string> seen;
  w.scheduler.observe([&](Ref<Pod> pod) { return w.names.text(w.api.get(pod)->meta.name) != "b"; },
                      [&](const ObservedCycle& cycle) { seen.push_back(w.names.text(cycle.name) + (cycle.decision.node == kNoNode ? " -" : " placed")); });
  w.scheduler.start();
  w.pod("a", w.spec(800));
  w.pod("b", w.spec(100));
  w.run(1s);
  w.pod("c", w.spec(800));
  w.run(1s);
  EXPECT_EQ(seen, (std::vector<std::string>{"a placed", "c -"}));
  const std::vector<QueueEntry> queue = w.scheduler.queue();
  ASSERT_EQ(queue.size(), 1u);
  EXPECT_STREQ(queue.front().place, "unschedulable");
  EXPECT_EQ(queue.front().attempts, 1u);
}

TEST(Scheduler, DoesNothingWhileStopped) {
  World w;
  w.node("n1");
  const Ref<Pod> pod = w.pod("p", w.spec(100));
  w.run(10s);
  EXPECT_EQ(w.place(pod), "pending");
  w.scheduler.start();
  w.run(1s);
  EXPECT_EQ(w.place(pod), "n1");
  w.scheduler.stop();
  const Ref<Pod> late = w.pod("late", w.spec(100));
  w.run(10s);
  EXPECT_EQ(w.place(late), "pending");
}

TEST(Scheduler, ACycleInFlightIsDroppedWhenTheLeaseIsLost) {
  World w;
  w.node("n1");
  w.scheduler.start();
  const Ref<Pod> pod = w.pod("p", w.spec(100));
  w.run(6ms);  // decided, not yet bound
  w.scheduler.stop();
  w.run(1s);
  EXPECT_EQ(w.place(pod), "pending");
}

TEST(Scheduler, ANewNodeIsTheCauseOfThePlacement) {
  World w;
  w.node("n1", {.cpu = 100});
  w.scheduler.start();
  const CauseId deployed = w.log.record("DeploymentScaled", "Deployment/default/web", "to 1");
  Ref<Pod> pod;
  {
    const ScopedCause because(w.engine, deployed);
    pod = w.pod("p", w.spec(500));
  }
  w.run(1s);
  EXPECT_EQ(w.place(pod), "pending");
  EXPECT_TRUE(w.api.get(pod)->unschedulable);
  const std::vector<CauseId> failed = w.records("FailedScheduling", "Pod/default/p");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(w.message(failed.front()), w.scheduler.last_failure(pod));
  EXPECT_EQ(w.log.chain(failed.front()), (std::vector<CauseId>{failed.front(), deployed}));
  EXPECT_EQ(w.api.get(pod)->meta.cause, failed.front());

  const CauseId booted = w.log.record("NodeBooted", "Node/n2", "");
  {
    const ScopedCause because(w.engine, booted);
    w.node("n2");
  }
  w.run(1s);
  EXPECT_EQ(w.place(pod), "n2");
  const std::vector<CauseId> scheduled = w.records("Scheduled", "Pod/default/p");
  ASSERT_EQ(scheduled.size(), 1u);
  EXPECT_EQ(w.log.at(scheduled.front()).cause, booted);
  EXPECT_EQ(w.log.contributing(scheduled.front()), std::vector<CauseId>{failed.front()});
  EXPECT_EQ(w.scheduler.last_failure(pod), "");
}

TEST(Scheduler, TaintsAreAmongTheCauses) {
  World w;
  const Ref<Node> node = w.node("n1");
  w.scheduler.start();
  w.run(1s);
  const CauseId crashed = w.log.record("NodeCrashed", "Node/n1", "power loss");
  {
    const ScopedCause because(w.engine, crashed);
    w.api.record(node, "NodeNotReady", "");
    w.api.update(node, Change::kTaints, [&](Node& object) { object.taints = {Taint{w.api.well_known().not_ready, Symbol{}, TaintEffect::kNoExecute}}; });
  }
  w.run(1s);
  const Ref<Pod> pod = w.pod("p", w.spec(100));
  w.run(1s);
  const std::vector<CauseId> failed = w.records("FailedScheduling", "Pod/default/p");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(w.log.contributing(failed.front()), std::vector<CauseId>{w.api.get(node)->meta.cause});
  EXPECT_EQ(w.log.chain(w.api.get(node)->meta.cause).back(), crashed);
  EXPECT_EQ(w.place(pod), "pending");
}

TEST(Scheduler, TheSameMessageIsRecordedOnce) {
  World w;
  w.node("n1", {.cpu = 100});
  w.scheduler.start();
  w.pod("p", w.spec(500));
  w.run(20min);
  EXPECT_EQ(w.records("FailedScheduling", "Pod/default/p").size(), 1u) << "though it was tried every five minutes";
}

TEST(Scheduler, RoomThatIsFreedIsUsed) {
  World w;
  w.node("n1", {.cpu = 1000});
  w.scheduler.start();
  const Ref<Pod> first = w.pod("first", w.spec(900));
  w.run(1s);
  const Ref<Pod> second = w.pod("second", w.spec(900));
  w.run(1min);
  EXPECT_EQ(w.place(second), "pending");
  // A pod that ends frees its room at that moment, though its object stays.
  w.api.update(first, Change::kPhase, [](Pod& pod) { pod.phase = PodPhase::kSucceeded; });
  w.run(100ms);
  EXPECT_EQ(w.place(second), "n1");
}

TEST(Scheduler, ATerminatingPodHoldsItsRoom) {
  World w;
  w.node("n1", {.cpu = 1000});
  w.scheduler.start();
  const Ref<Pod> first = w.pod("first", w.spec(900));
  w.run(1s);
  const Ref<Pod> second = w.pod("second", w.spec(900));
  w.run(1s);
  w.api.remove(first);
  w.run(20s);
  EXPECT_EQ(w.place(second), "pending");
  w.api.remove(first, DeleteOptions{.grace_period_seconds = 0, .uid = std::nullopt});
  w.run(100ms);
  EXPECT_EQ(w.place(second), "n1");
}

TEST(Scheduler, BindingFailsWhileTheApiTakesNoWritesAndIsTriedAgain) {
  World w;
  w.node("n1");
  w.scheduler.start();
  w.api.set_availability(true, false);
  const Ref<Pod> pod = w.pod("p", w.spec(100));
  w.run(30s);
  EXPECT_EQ(w.place(pod), "pending");
  EXPECT_NE(w.scheduler.last_failure(pod), "");
  w.api.set_availability(true, true);
  w.run(12s);
  EXPECT_EQ(w.place(pod), "n1") << "errors are retried at most 10 s later, at a whole second";
}

TEST(Scheduler, PreemptsAfterTheVictimsGrace) {
  World w;
  w.node("n1", {.cpu = 1000});
  w.scheduler.start();
  const Ref<Pod> batch = w.pod("batch", w.spec(900));
  w.run(1s);
  PodSpec spec = w.spec(600);
  spec.priority = 100;
  const Ref<Pod> important = w.pod("important", spec);
  w.run(1s);
  ASSERT_EQ(w.place(batch), "n1");
  EXPECT_TRUE(w.api.get(batch)->meta.is_deleting());
  EXPECT_TRUE(w.api.get(batch)->disruption_target);
  EXPECT_EQ(w.api.get(batch)->disruption_reason, w.api.well_known().preemption_by_scheduler);
  EXPECT_EQ(w.names.text(w.api.get(important)->nominated_node), "n1");
  EXPECT_EQ(w.place(important), "pending");
  const std::vector<CauseId> preempted = w.records("Preempted", "Pod/default/batch");
  ASSERT_EQ(preempted.size(), 1u);
  EXPECT_EQ(w.message(preempted.front()), "Preempted by pod default/important on node n1");
  EXPECT_EQ(w.log.at(preempted.front()).cause, w.records("FailedScheduling", "Pod/default/important").front());
  // Nobody of lower or equal priority takes the room meanwhile.
  const Ref<Pod> thief = w.pod("thief", w.spec(600));
  w.run(10s);
  EXPECT_EQ(w.place(thief), "pending");
  w.api.remove(batch, DeleteOptions{.grace_period_seconds = 0, .uid = std::nullopt});
  w.run(100ms);
  EXPECT_EQ(w.place(important), "n1");
  EXPECT_EQ(w.api.get(important)->nominated_node, Symbol{});
}

TEST(Scheduler, GatesAreLifted) {
  World w;
  w.node("n1");
  w.scheduler.start();
  PodSpec spec = w.spec(100);
  spec.scheduling_gates = {w.name("quota")};
  const Ref<Pod> pod = w.pod("p", spec);
  w.run(10min);
  EXPECT_EQ(w.place(pod), "pending");
  w.api.update(pod, Change::kSpec, [&](Pod& object) {
    PodSpec open = *object.spec;
    open.scheduling_gates.clear();
    object.spec = std::make_shared<const PodSpec>(std::move(open));
  });
  w.run(1s);
  EXPECT_EQ(w.place(pod), "n1");
}

TEST(Scheduler, OtherSchedulersPodsAreLeftAlone) {
  World w;
  w.node("n1");
  w.scheduler.start();
  PodSpec spec = w.spec(100);
  spec.scheduler_name = w.name("volcano");
  const Ref<Pod> pod = w.pod("p", spec);
  w.run(10s);
  EXPECT_EQ(w.place(pod), "pending");
  EXPECT_EQ(w.scheduler.pending_count(), 0u);
}

TEST(Scheduler, APodDeletedDuringItsBindingFreesItsRoom) {
  World w;
  w.node("n1", {.cpu = 1000});
  w.scheduler.start();
  const Ref<Pod> first = w.pod("first", w.spec(900));
  w.run(6ms);
  w.api.remove(first);
  const Ref<Pod> second = w.pod("second", w.spec(900));
  w.run(1s);
  EXPECT_EQ(w.place(first), "gone");
  EXPECT_EQ(w.place(second), "n1");
}

TEST(Scheduler, NodesComeAndGo) {
  World w;
  const Ref<Node> node = w.node("n1", {.cpu = 1000});
  w.scheduler.start();
  const Ref<Pod> pod = w.pod("p", w.spec(900));
  w.run(1s);
  w.api.remove(node);
  w.run(1s);
  w.node("n1", {.cpu = 1000});  // the same name: the pod still occupies it
  const Ref<Pod> second = w.pod("second", w.spec(900));
  w.run(1s);
  EXPECT_EQ(w.place(pod), "n1");
  EXPECT_EQ(w.place(second), "pending");
}

TEST(Scheduler, IdleClustersCostNothing) {
  World w;
  for (int i = 0; i < 200; ++i) w.node("n" + std::to_string(i));
  w.scheduler.start();
  for (int i = 0; i < 50; ++i) w.pod("p" + std::to_string(i), w.spec(100));
  w.run(1min);
  const std::uint64_t before = w.engine.stats().executed;
  w.run(30 * 24h);
  EXPECT_EQ(w.engine.stats().executed, before);
}

TEST(Scheduler, TheSameSeedDoesTheSame) {
  const auto hash = [] {
    World w;
    for (int i = 0; i < 20; ++i) w.node("n" + std::to_string(i), {.cpu = 1000, .zone = i % 2 == 0 ? "a" : "b"});
    w.scheduler.start();
    for (int i = 0; i < 100; ++i) {
      PodSpec spec = w.spec(100 + 50 * (i % 5));
      spec.priority = i % 4;
      w.pod("p" + std::to_string(i), spec, {{"app", i % 2 == 0 ? "x" : "y"}});
    }
    w.run(1h);
    return event_log_hash(w.engine, w.log);
  };
  EXPECT_EQ(hash(), hash());
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

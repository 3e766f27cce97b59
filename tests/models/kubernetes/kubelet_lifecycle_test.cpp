// A pod's life on a healthy node: start, probes, exits and restarts, crash loop, deadline, termination.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::KubeletWorld;

Probe probe_every(std::int64_t period) {
  Probe probe;
  probe.period_seconds = period;
  return probe;
}

class KubeletLifecycle : public ::testing::Test {
 protected:
  KubeletLifecycle() {
    w.images.default_bytes = 0;  // pulls take no time here
    node = w.add_node("w1");
  }
  Ref<Pod> create(std::string_view name) { return w.create_on(node, w.pod(name)); }
  template <class Change>
  Ref<Pod> create(std::string_view name, Change&& change) {
    return w.create_on(node, w.pod(name, change));
  }
  KubeletWorld w;
  Ref<Node> node;
};

TEST_F(KubeletLifecycle, StartTakesWatchSandboxAndContainer) {
  w.start();
  w.run_to(1s);
  std::vector<std::pair<SimDuration, bool>> serving;
  w.kubelets->on_serving([&](Ref<Pod>, bool serves) { serving.emplace_back(w.engine.now().time_since_epoch(), serves); });
  const Ref<Pod> pod = create("web");
  w.run_to(1005ms);  // watch latency
  EXPECT_EQ(w.at(pod).phase, PodPhase::kPending);
  EXPECT_EQ(w.at(pod).start_time, SimTime(1005ms));
  EXPECT_EQ(w.waiting_reason(pod), "ContainerCreating");
  w.run_to(1605ms - 1ns);
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
  w.run_to(1605ms);  // + 500 ms sandbox + 100 ms container
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.at(pod).ready);  // no readiness probe: ready as soon as it runs
  EXPECT_NE(w.at(pod).ip_serial, 0u);
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  EXPECT_FALSE(w.kubelets->is_serving(pod));  // which is not the same
  w.run_to(1min);
  ASSERT_EQ(serving.size(), 1u);
  EXPECT_EQ(serving[0].first, SimDuration(3605ms));  // + 2 s start-up
}

TEST_F(KubeletLifecycle, ReadinessFollowsTheProbe) {
  w.start();
  const Ref<Pod> pod = create("web", [](PodSpec& spec) { spec.containers[0].readiness_probe = probe_every(5); });
  // Runs at 605 ms, healthy at 2605 ms; probes at 605, 5605 ms.
  w.run_to(5605ms - 1ns);
  EXPECT_FALSE(w.at(pod).ready);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
  w.run_to(5605ms);
  EXPECT_TRUE(w.at(pod).ready);
  EXPECT_EQ(w.at(pod).ready_since, SimTime(5605ms));
}

TEST_F(KubeletLifecycle, UnreadyFaultIsSeenByTheProbeAndMends) {
  w.start();
  const Ref<Pod> pod = create("web", [](PodSpec& spec) { spec.containers[0].readiness_probe = probe_every(10); });
  w.run_to(1min);
  ASSERT_TRUE(w.at(pod).ready);
  w.kubelets->set_unready(pod, Says::kFault, true);
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  // Probes at 605 ms + k * 10 s: the third failure is at 80605 ms.
  w.run_to(80605ms - 1ns);
  EXPECT_TRUE(w.at(pod).ready);
  w.run_to(80605ms);
  EXPECT_FALSE(w.at(pod).ready);
  EXPECT_TRUE(w.last_record("Unhealthy"));
  w.run_to(95s);
  w.kubelets->set_unready(pod, Says::kFault, false);
  w.run_to(100605ms);
  EXPECT_TRUE(w.at(pod).ready);
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 0u);
}

// A fault and a volume that is too slow at the same time: who ends first takes only its own word back.
TEST_F(KubeletLifecycle, TwoReasonsToBeUnreadyOverlap) {
  w.start();
  const Ref<Pod> pod = create("web", [](PodSpec& spec) { spec.containers[0].readiness_probe = probe_every(10); });
  w.run_to(1min);
  w.kubelets->set_unready(pod, Says::kFault, true);
  w.kubelets->set_unready(pod, Says::kSlowVolumes, true);
  w.kubelets->set_unready(pod, Says::kFault, false);
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  w.run_to(2min);
  EXPECT_FALSE(w.at(pod).ready);
  w.kubelets->set_unready(pod, Says::kSlowVolumes, false);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
  w.run_to(3min);
  EXPECT_TRUE(w.at(pod).ready);
}

TEST_F(KubeletLifecycle, TwoThingsAreLackingAtOnce) {
  w.start();
  const Ref<Pod> pod = create("web", [](PodSpec&) {});
  w.run_to(1min);
  w.kubelets->set_lacking(pod, Says::kServices, true);
  w.kubelets->set_lacking(pod, Says::kObjectStore, true);
  w.kubelets->set_lacking(pod, Says::kServices, false);
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  w.kubelets->set_lacking(pod, Says::kObjectStore, false);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
}

TEST_F(KubeletLifecycle, SlowStarterIsKilledByLivenessForEver) {
  w.behaviours[0].start_up = 120s;
  w.start();
  const Ref<Pod> pod = create("slow", [](PodSpec& spec) { spec.containers[0].liveness_probe = probe_every(10); });
  w.run_to(10min);
  EXPECT_GE(w.at(pod).containers[0].restart_count, 3u);
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  EXPECT_TRUE(w.chain_has(w.last_record("BackOff"), "Unhealthy"));
}

TEST_F(KubeletLifecycle, InitContainersRunOneAfterTheOther) {
  w.start();
  const Ref<Pod> pod = create("web", [](PodSpec& spec) {
    spec.init_containers.push_back(spec.containers[0]);
    spec.init_containers.push_back(spec.containers[0]);
  });
  // 5 ms + 500 ms, then twice 100 ms + 1 s + up to 1 s until the exit is noticed, then 100 ms.
  w.run_to(2805ms - 1ns);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kPending);
  EXPECT_EQ(w.waiting_reason(pod), "PodInitializing");
  w.run_to(4805ms);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  ASSERT_EQ(w.at(pod).init_containers.size(), 2u);
  const ContainerStatus& first = w.at(pod).init_containers[0];
  EXPECT_EQ(first.finished_at - first.started_at, SimDuration(1s));
  EXPECT_GE(w.at(pod).init_containers[1].started_at, first.finished_at);
}

TEST_F(KubeletLifecycle, SidecarStartsFirstAndEndsWithTheJob) {
  w.start();
  const Ref<Pod> pod = create("job", [](PodSpec& spec) {
    spec.restart_policy = RestartPolicy::kNever;
    spec.init_containers.push_back(spec.containers[0]);
    spec.init_containers[0].is_sidecar = true;
  });
  w.run_to(10s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_LT(w.at(pod).init_containers[0].started_at, w.at(pod).containers[0].started_at);
  w.run_to(40s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kSucceeded);
  EXPECT_EQ(w.at(pod).init_containers[0].state, ContainerState::kTerminated);
}

TEST_F(KubeletLifecycle, ContainersOfJobsExit) {
  w.behaviours[0].run_time = 20s;
  w.start();
  const Ref<Pod> good = create("good", [](PodSpec& spec) { spec.restart_policy = RestartPolicy::kNever; });
  w.run_to(22s);
  EXPECT_EQ(w.at(good).phase, PodPhase::kSucceeded);
  EXPECT_EQ(w.at(good).containers[0].finished_at, SimTime(20605ms));
  EXPECT_EQ(w.text(w.at(good).containers[0].reason), "Completed");
  EXPECT_FALSE(w.kubelets->is_really_running(good));

  w.behaviours[0].exit_code = 3;
  const Ref<Pod> bad = create("bad", [](PodSpec& spec) { spec.restart_policy = RestartPolicy::kNever; });
  const Ref<Pod> again = create("again", [](PodSpec& spec) { spec.restart_policy = RestartPolicy::kOnFailure; });
  w.run_for(45s);
  EXPECT_EQ(w.at(bad).phase, PodPhase::kFailed);
  EXPECT_EQ(w.at(bad).containers[0].exit_code, 3);
  EXPECT_EQ(w.at(again).phase, PodPhase::kRunning);
  EXPECT_EQ(w.at(again).containers[0].restart_count, 1u);
}

TEST_F(KubeletLifecycle, CrashLoopFollowsTheBackOff) {
  w.behaviours[0].run_time = 5s;
  w.behaviours[0].exit_code = 1;
  w.start();
  const Ref<Pod> pod = create("crash");
  // Per restart: exit noticed within 1 s, then what is left of the back-off since the exit, up to half of its last piece (30 s) late, then
  // 100 ms to create the container.
  const std::int64_t waits_sec[] = {0, 10, 20, 40, 80, 160, 300, 300};
  SimTime started = SimTime(605ms);
  w.run_to(1s);
  for (std::uint32_t restart = 1; restart <= 8; ++restart) {
    SCOPED_TRACE(restart);
    const SimDuration wait = std::chrono::seconds(waits_sec[restart - 1]);
    const SimTime ended = started + 5s;
    while (w.at(pod).containers[0].restart_count < restart) ASSERT_TRUE(w.engine.step());
    const SimTime next = w.at(pod).containers[0].started_at;
    EXPECT_GE(next - ended, wait + 100ms);
    EXPECT_LE(next - ended, std::max<SimDuration>(1s, wait + std::min<SimDuration>(wait, 60s) / 2) + 100ms);
    if (restart > 1) {
      EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
    }
    started = next;
  }
  w.run_for(10s);
  EXPECT_EQ(w.waiting_reason(pod), "CrashLoopBackOff");
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_FALSE(w.at(pod).ready);
  EXPECT_EQ(w.count_records("BackOff"), 1u);
}

TEST_F(KubeletLifecycle, EndlessCrashLoopDoesNotFillTheLog) {
  w.behaviours[0].run_time = 5s;
  w.behaviours[0].exit_code = 1;
  w.start();
  const Ref<Pod> pod = create("crash");
  w.run_to(24h);
  EXPECT_GT(w.at(pod).containers[0].restart_count, 200u);
  EXPECT_EQ(w.count_records("ContainerDied"), 6u);  // the exits that wait 0, 10, 20, 40, 80 and 160 s
}

TEST_F(KubeletLifecycle, KilledContainerComesBackBecauseOfTheFault) {
  w.start();
  const Ref<Pod> pod = create("web");
  w.run_to(1min);
  {
    const ScopedCause because(w.engine, w.fault("container-kill"));
    w.kubelets->kill_container(pod);
  }
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  w.run_for(1s);
  w.run_for(100ms);
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.chain_has(w.at(pod).meta.cause, "FaultInjected"));
}

TEST_F(KubeletLifecycle, ActiveDeadline) {
  w.start();
  const Ref<Pod> pod = create("late", [](PodSpec& spec) { spec.active_deadline_seconds = 30; });
  w.run_to(29s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  w.run_to(32s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kFailed);
  EXPECT_EQ(w.text(w.at(pod).reason), "DeadlineExceeded");
}

TEST_F(KubeletLifecycle, RejectedPodFailsWithItsReason) {
  w.start();
  const auto three_cores = [](PodSpec& spec) { spec.containers[0].requests.cpu_milli = 3000; };
  const Ref<Pod> first = create("first", three_cores);
  const Ref<Pod> second = create("second", three_cores);
  w.run_to(5s);
  EXPECT_EQ(w.at(first).phase, PodPhase::kRunning);
  EXPECT_EQ(w.at(second).phase, PodPhase::kFailed);
  EXPECT_EQ(w.text(w.at(second).reason), "OutOfcpu");
  // Room again when the first is gone.
  w.api.remove(first);
  w.run_for(5s);
  const Ref<Pod> third = create("third", three_cores);
  w.run_for(5s);
  EXPECT_EQ(w.at(third).phase, PodPhase::kRunning);
}

TEST_F(KubeletLifecycle, DeletionStopsThenRemoves) {
  w.start();
  const Ref<Pod> pod = create("web");
  w.run_to(1min);
  w.api.remove(pod);
  // Watch 5 ms, SIGTERM to exit 1 s, clean-up 100 ms.
  w.run_to(61105ms - 1ns);
  ASSERT_FALSE(w.gone(pod));
  EXPECT_EQ(w.at(pod).phase, PodPhase::kFailed);
  EXPECT_EQ(w.at(pod).containers[0].exit_code, 143);
  w.run_to(61105ms);
  EXPECT_TRUE(w.gone(pod));
}

TEST_F(KubeletLifecycle, SlowStopIsKilledAtTheEndOfTheGracePeriod) {
  w.behaviours[0].stop_time = 5min;
  w.start();
  const Ref<Pod> pod = create("web");
  w.run_to(1min);
  w.api.remove(pod);
  w.run_to(90s);
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  w.run_to(90005ms);
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
  EXPECT_EQ(w.at(pod).containers[0].exit_code, 137);
  w.run_to(91s);
  EXPECT_TRUE(w.gone(pod));
}

TEST_F(KubeletLifecycle, ShorterGraceOfALaterDeleteCounts) {
  w.behaviours[0].stop_time = 5min;
  w.start();
  const Ref<Pod> pod = create("web");
  w.run_to(1min);
  w.api.remove(pod);
  w.run_to(65s);
  DeleteOptions soon;
  soon.grace_period_seconds = 8;  // from the first DELETE on, so 3 s more; the kubelet counts 8 s from when it hears of it
  w.api.remove(pod, soon);
  w.run_to(74s);
  EXPECT_TRUE(w.gone(pod));
}

TEST_F(KubeletLifecycle, ForceDeletedPodIsKilledAfterTwoSeconds) {
  w.behaviours[0].stop_time = 5min;
  w.start();
  const Ref<Pod> pod = create("web");
  w.run_to(1min);
  DeleteOptions force;
  force.grace_period_seconds = 0;
  w.api.remove(pod, force);
  EXPECT_TRUE(w.gone(pod));
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  w.run_to(62005ms);
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
}

TEST_F(KubeletLifecycle, PodDeletedBeforeItRanIsRemoved) {
  w.images.default_bytes = 100'000'000'000;
  w.start();
  const Ref<Pod> pod = create("web");
  w.run_to(10s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kPending);
  w.api.remove(pod);
  w.run_to(11s);
  EXPECT_TRUE(w.gone(pod));
}

TEST_F(KubeletLifecycle, FinalizerHoldsTheObjectNotTheProcess) {
  w.start();
  Pod made = w.pod("web");
  made.meta.finalizers.push_back(w.names.intern("example.com/hold"));
  const Ref<Pod> pod = w.create_on(node, std::move(made));
  w.run_to(1min);
  w.api.remove(pod);
  w.run_to(2min);
  ASSERT_FALSE(w.gone(pod));
  EXPECT_TRUE(w.at(pod).is_terminal());
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
  w.api.remove_finalizer(pod, w.names.intern("example.com/hold"));
  w.run_for(1s);
  EXPECT_TRUE(w.gone(pod));
}

TEST_F(KubeletLifecycle, PodsThatRanBeforeTheStartRunOn) {
  Pod made = w.pod("old");
  made.phase = PodPhase::kRunning;
  made.ready = true;
  const Ref<Pod> pod = w.create_on(node, std::move(made));
  w.start();
  w.run_to(1min);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
  EXPECT_TRUE(w.at(pod).ready);
  EXPECT_EQ(w.at(pod).containers.at(0).restart_count, 0u);
  EXPECT_EQ(w.at(node).images.size(), 1u);  // preloaded, and reported
}

TEST_F(KubeletLifecycle, BehaviourOfTheLastMatchWins) {
  PodBehaviour slow;
  slow.ns = w.names.intern("default");
  slow.stop_time = 20s;
  slow.memory_bytes = 123;
  PodBehaviour elsewhere;
  elsewhere.ns = w.names.intern("other");
  elsewhere.stop_time = 40s;
  w.behaviours.push_back(slow);
  w.behaviours.push_back(elsewhere);
  const Pod pod = w.pod("web");
  const ResolvedBehaviour resolved = resolve_behaviour(w.behaviours, pod, w.names);
  EXPECT_EQ(resolved.stop_time, SimDuration(20s));
  EXPECT_EQ(resolved.start_up_sigma, 0.0);
  EXPECT_EQ(resolved.memory_bytes, 123);
  EXPECT_FALSE(resolved.exits);
}

TEST_F(KubeletLifecycle, NothingHappensInSteadyState) {
  w.start();
  for (int i = 0; i < 20; ++i) create("web-" + std::to_string(i));
  w.run_to(5min);
  const std::uint64_t before = w.engine.stats().executed;
  w.run_to(30 * 24h);
  EXPECT_EQ(w.engine.stats().executed, before);
}

}  // namespace
}  // namespace sim::k8s

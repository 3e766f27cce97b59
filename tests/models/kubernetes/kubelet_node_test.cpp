// A node that dies, boots, is cut off, or loses its kubelet: what really runs, what the API is told, and when.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::KubeletWorld;

class KubeletNode : public ::testing::Test {
 protected:
  explicit KubeletNode(std::uint64_t seed = 1) : w(seed) {
    w.images.default_bytes = 0;
    node = w.add_node("w1");
    host = w.host_ids[0];
    w.start();
    pod = w.create_on(node, w.pod("web"));
    w.run_to(10min);
  }
  /// What the node lifecycle controller writes after 50 s without a renewal.
  void mark_unknown() {
    w.api.update(node, Change::kConditions, [&](Node& n) {
      n.ready = ConditionStatus::kUnknown;
      n.ready_reason = w.api.well_known().node_status_unknown;
    });
    w.api.update(pod, Change::kReady, [](Pod& p) { p.ready = false; });
  }
  bool renewing() const { return w.kubelets->heartbeat(node).renewing; }
  KubeletWorld w;
  Ref<Node> node;
  host::HostId host;
  Ref<Pod> pod;
};

TEST_F(KubeletNode, StartsReadyAndRenewsOnItsGrid) {
  EXPECT_EQ(w.at(node).ready, ConditionStatus::kTrue);
  EXPECT_EQ(w.text(w.at(node).ready_reason), "KubeletReady");
  const Heartbeat heartbeat = w.kubelets->heartbeat(node);
  EXPECT_TRUE(heartbeat.renewing);
  EXPECT_LE(heartbeat.last_renewal, w.engine.now());
  EXPECT_GT(heartbeat.last_renewal, w.engine.now() - 10s);
  w.run_for(10s);
  EXPECT_EQ(w.kubelets->heartbeat(node).last_renewal, heartbeat.last_renewal + 10s);
  EXPECT_EQ(w.kubelets->host_of(node), host);
  EXPECT_EQ(w.kubelets->node_of(host), node);
}

TEST_F(KubeletNode, CrashIsSilent) {
  std::vector<bool> heartbeats;
  w.kubelets->on_heartbeat([&](Ref<Node> ref) { heartbeats.push_back(w.kubelets->heartbeat(ref).renewing); });
  std::vector<bool> serving;
  w.kubelets->on_serving([&](Ref<Pod>, bool serves) { serving.push_back(serves); });
  const std::uint64_t version = w.api.resource_version();
  w.hosts.crash(host);
  EXPECT_EQ(heartbeats, std::vector<bool>{false});
  EXPECT_EQ(serving, std::vector<bool>{false});
  const SimTime renewed = w.kubelets->heartbeat(node).last_renewal;
  EXPECT_GT(renewed, w.engine.now() - 10s);
  w.run_for(1h);
  EXPECT_EQ(w.api.resource_version(), version);  // nobody told the API anything
  EXPECT_TRUE(w.at(pod).ready);
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
  EXPECT_EQ(w.kubelets->heartbeat(node).last_renewal, renewed);
}

TEST_F(KubeletNode, RebootStartsEverythingAnew) {
  const std::uint32_t ip_before = w.at(pod).ip_serial;
  {
    const ScopedCause because(w.engine, w.fault("node-reboot"));
    w.hosts.reboot(host);  // 60 s boot, 20 s until the kubelet runs
  }
  w.run_for(80s - 1ns);
  EXPECT_FALSE(renewing());
  EXPECT_TRUE(w.at(pod).ready);  // still the old news
  w.run_for(1ns);
  EXPECT_TRUE(renewing());
  EXPECT_FALSE(w.at(pod).ready);  // first status of the new kubelet
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  w.run_for(600ms);  // sandbox and container; the image is on the disk
  EXPECT_TRUE(w.at(pod).ready);
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
  EXPECT_NE(w.at(pod).ip_serial, ip_before);
  EXPECT_TRUE(w.chain_has(w.last_record("Rebooted"), "FaultInjected"));
  w.run_for(2s);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
}

TEST_F(KubeletNode, RebootByRestartPolicy) {
  const auto with = [](RestartPolicy policy) {
    return [policy](PodSpec& spec) { spec.restart_policy = policy; };
  };
  w.behaviours[0].run_time = 1h;
  const Ref<Pod> never = w.create_on(node, w.pod("never", with(RestartPolicy::kNever)));
  const Ref<Pod> on_failure = w.create_on(node, w.pod("on-failure", with(RestartPolicy::kOnFailure)));
  w.run_for(1min);
  w.hosts.reboot(host);
  w.run_for(2min);
  EXPECT_EQ(w.at(never).phase, PodPhase::kFailed);
  EXPECT_EQ(w.at(on_failure).phase, PodPhase::kRunning);
  EXPECT_EQ(w.at(on_failure).containers[0].restart_count, 1u);
}

TEST_F(KubeletNode, PodsDeletedWhileTheNodeWasDownVanishOnItsReturn) {
  w.hosts.power_off(host);
  w.run_for(1min);
  w.api.remove(pod);
  const Ref<Pod> bound_meanwhile = w.create_on(node, w.pod("new"));
  w.run_for(1h);
  ASSERT_FALSE(w.gone(pod));
  w.hosts.power_on(host);
  w.run_for(81s);
  EXPECT_TRUE(w.gone(pod));
  EXPECT_EQ(w.at(bound_meanwhile).phase, PodPhase::kRunning);
}

TEST_F(KubeletNode, NodeThatWasUnknownTurnsReadyAfterTheBoot) {
  w.hosts.reboot(host);
  w.run_for(50s);
  mark_unknown();
  w.run_for(40s);
  EXPECT_EQ(w.at(node).ready, ConditionStatus::kTrue);
  EXPECT_TRUE(w.at(pod).ready);
  EXPECT_TRUE(w.chain_has(w.last_record("NodeReady"), "HostUp"));
}

TEST_F(KubeletNode, HangStopsEverythingUntilTheReset) {
  w.hosts.hang(host, "test");
  EXPECT_FALSE(renewing());
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  w.run_for(9min);
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
  w.run_for(1min + 90s);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
}

TEST_F(KubeletNode, ShortCutLeavesNoTrace) {
  const std::uint64_t version = w.api.resource_version();
  w.hosts.set_partition(host, 1);
  EXPECT_FALSE(renewing());
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  EXPECT_FALSE(w.kubelets->is_serving(pod));
  w.run_for(20s);
  w.hosts.set_partition(host, 0);
  EXPECT_TRUE(w.kubelets->is_serving(pod));
  w.run_for(10s);
  EXPECT_TRUE(renewing());
  w.run_for(1h);
  EXPECT_EQ(w.api.resource_version(), version);
}

TEST_F(KubeletNode, LifeGoesOnDuringThePartition) {
  w.hosts.set_partition(host, 1);
  w.run_for(1min);
  mark_unknown();
  w.kubelets->kill_container(pod);
  w.run_for(1min);
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 0u);  // cannot be reported
  w.hosts.set_partition(host, 0);
  w.run_for(75s);
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
  EXPECT_EQ(w.at(node).ready, ConditionStatus::kTrue);
  EXPECT_TRUE(w.at(pod).ready);
}

TEST_F(KubeletNode, PodsDeletedDuringThePartitionRunOnUntilItHeals) {
  w.hosts.set_partition(host, 1);
  w.run_for(6min);
  w.api.remove(pod);
  w.run_for(10min);
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  ASSERT_FALSE(w.gone(pod));
  w.hosts.set_partition(host, 0);
  w.run_for(62s);  // re-list within 60 s, then the stop
  EXPECT_TRUE(w.gone(pod));
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
}

TEST_F(KubeletNode, JobThatEndsDuringThePartitionIsReportedLater) {
  w.behaviours[0].run_time = 30s;
  const Ref<Pod> job = w.create_on(node, w.pod("job", [](PodSpec& spec) { spec.restart_policy = RestartPolicy::kNever; }));
  w.run_for(10s);
  w.hosts.set_partition(host, 1);
  w.run_for(10min);
  EXPECT_EQ(w.at(job).phase, PodPhase::kRunning);
  EXPECT_FALSE(w.kubelets->is_really_running(job));
  w.hosts.set_partition(host, 0);
  w.run_for(75s);
  EXPECT_EQ(w.at(job).phase, PodPhase::kSucceeded);
}

TEST_F(KubeletNode, WritesWaitWhileTheApiIsReadOnly) {
  w.api.set_availability(true, false);
  EXPECT_FALSE(renewing());
  w.kubelets->kill_container(pod);
  w.run_for(1min);
  EXPECT_TRUE(w.kubelets->is_serving(pod));  // the API's trouble is not the pod's
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 0u);
  w.api.set_availability(true, true);
  w.run_for(10s);
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
  EXPECT_TRUE(renewing());
}

TEST_F(KubeletNode, KilledKubeletLeavesContainersAlone) {
  w.kubelets->kill_kubelet(node, 30s);
  EXPECT_FALSE(renewing());
  EXPECT_TRUE(w.kubelets->is_serving(pod));
  const Ref<Pod> waiting = w.create_on(node, w.pod("new"));
  w.run_for(10s);
  w.kubelets->kill_container(pod);  // nobody notices
  w.run_for(20s - 1ns);
  EXPECT_FALSE(w.kubelets->is_really_running(pod));
  EXPECT_FALSE(w.at(waiting).start_time.has_value());
  w.run_for(2s);
  EXPECT_TRUE(renewing());
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
  EXPECT_EQ(w.at(waiting).phase, PodPhase::kRunning);
}

TEST_F(KubeletNode, KubeletRestartKeepsReadyAndForgetsBackOffs) {
  const std::uint64_t version = w.api.resource_version();
  w.kubelets->restart_kubelet(node);
  w.run_for(1min);
  EXPECT_EQ(w.api.resource_version(), version);
  EXPECT_TRUE(renewing());

  w.behaviours[0].run_time = 5s;
  w.behaviours[0].exit_code = 1;
  const Ref<Pod> crash = w.create_on(node, w.pod("crash"));
  w.run_for(12min);  // waits of 300 s by now
  ASSERT_EQ(w.waiting_reason(crash), "CrashLoopBackOff");
  const std::uint32_t restarts = w.at(crash).containers[0].restart_count;
  w.kubelets->restart_kubelet(node);
  w.run_for(1s);
  EXPECT_EQ(w.at(crash).containers[0].restart_count, restarts + 1);
}

TEST_F(KubeletNode, KubeletThatStaysDeadComesBackWithTheMachine) {
  w.kubelets->kill_kubelet(node, SimDuration{});
  w.run_for(1h);
  EXPECT_FALSE(renewing());
  w.hosts.reboot(host);
  w.run_for(81s);
  EXPECT_TRUE(renewing());
}

TEST_F(KubeletNode, RunningPodIsRejectedAfterARestartWhenTheNodeChanged) {
  const Ref<Pod> picky = w.create_on(node, w.pod("picky", [](PodSpec& spec) { spec.containers[0].requests.cpu_milli = 1000; }));
  w.run_for(10s);
  ASSERT_EQ(w.at(picky).phase, PodPhase::kRunning);
  w.api.update(node, Change::kAllocatable, [](Node& n) { n.allocatable.cpu_milli = 500; });
  w.run_for(10s);
  EXPECT_EQ(w.at(picky).phase, PodPhase::kRunning);
  w.kubelets->restart_kubelet(node);
  w.run_for(10s);
  EXPECT_EQ(w.at(picky).phase, PodPhase::kFailed);
  EXPECT_EQ(w.text(w.at(picky).reason), "OutOfcpu");
}

TEST_F(KubeletNode, MirrorPodsAreCountedAndLeftAlone) {
  Pod made = w.pod("etcd-w1", [](PodSpec& spec) {
    spec.containers[0].requests.cpu_milli = 3500;
    spec.containers[0].requests.memory = 2 * test::kGiB;
  });
  made.meta.annotations.set(w.names.intern("kubernetes.io/config.mirror"), w.names.intern("x"));
  made.phase = PodPhase::kRunning;
  made.ready = true;
  const std::int64_t before = w.kubelets->memory_used(node);
  const Ref<Pod> mirror = w.create_on(node, std::move(made));
  w.run_for(1s);
  const std::uint64_t version = w.at(mirror).meta.resource_version;
  EXPECT_EQ(w.kubelets->memory_used(node) - before, 2 * test::kGiB);
  EXPECT_TRUE(w.kubelets->is_serving(mirror));
  const Ref<Pod> big = w.create_on(node, w.pod("big", [](PodSpec& spec) { spec.containers[0].requests.cpu_milli = 600; }));
  w.run_for(10s);
  EXPECT_EQ(w.text(w.at(big).reason), "OutOfcpu");
  w.hosts.reboot(host);
  w.run_for(5min);
  EXPECT_EQ(w.at(mirror).meta.resource_version, version);
  EXPECT_TRUE(w.kubelets->is_serving(mirror));
}

TEST(KubeletPartition, HealingTakesFifteenToSeventyFiveSeconds) {
  // Reference kubernetes 7.3: typically 15-40 s after the heal, worst about 75 s; never before the watch is back.
  SimDuration total{};
  SimDuration longest{};
  constexpr int kRuns = 200;
  for (int seed = 1; seed <= kRuns; ++seed) {
    KubeletWorld w(static_cast<std::uint64_t>(seed));
    w.images.default_bytes = 0;
    const Ref<Node> node = w.add_node("w1");
    w.start();
    w.run_to(1min);
    w.hosts.set_partition(w.host_ids[0], 1);
    w.run_for(2min);
    w.api.update(node, Change::kConditions, [&](Node& n) {
      n.ready = ConditionStatus::kUnknown;
      n.ready_reason = w.api.well_known().node_status_unknown;
    });
    w.hosts.set_partition(w.host_ids[0], 0);
    const SimTime healed = w.engine.now();
    while (w.at(node).ready != ConditionStatus::kTrue) ASSERT_TRUE(w.engine.step());
    total += w.engine.now() - healed;
    longest = std::max(longest, w.engine.now() - healed);
  }
  EXPECT_LE(longest, SimDuration(75s));
  EXPECT_GE(total / kRuns, SimDuration(20s));
  EXPECT_LE(total / kRuns, SimDuration(50s));
}

TEST(KubeletDeterminism, TwoRunsAgreeAndMoreNodesChangeNothing) {
  const auto run = [](int extra) {
    KubeletWorld w(7);
    w.behaviours[0].start_up_sigma = 0.5;
    const Ref<Node> node = w.add_node("w1");
    for (int i = 0; i < extra; ++i) w.add_node("x" + std::to_string(i));
    w.start();
    const Ref<Pod> pod = w.create_on(node, w.pod("web"));
    for (int i = 0; i < extra; ++i) w.create_on(w.nodes[static_cast<std::size_t>(i) + 1], w.pod("other-" + std::to_string(i)));
    w.run_to(1min);
    w.kubelets->kill_container(pod);
    w.run_to(10min);
    return std::pair(event_log_hash(w.engine, w.log), w.at(pod).containers[0].started_at);
  };
  EXPECT_EQ(run(0), run(0));
  EXPECT_EQ(run(0).second, run(5).second);
}

}  // namespace
}  // namespace sim::k8s

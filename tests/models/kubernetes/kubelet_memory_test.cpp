// Memory of a node over time: leak to eviction, to a container's limit, to the OOM killer, to a hung host.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::kGiB;
using test::kMiB;
using test::KubeletWorld;

class KubeletMemory : public ::testing::Test {
 protected:
  KubeletMemory() { w.images.default_bytes = 0; }
  void start(host::MemoryExhaustion exhaustion = host::MemoryExhaustion::kOomKill) {
    host::HostSpec spec = w.host_spec("w1");
    spec.memory_exhaustion = exhaustion;
    node = w.add_node(spec);
    host = w.host_ids[0];
    w.start();
  }
  Ref<Pod> create(std::string_view name, std::int64_t request, std::int64_t limit = 0) {
    return w.create_on(node, w.pod(name, [&](PodSpec& spec) {
      spec.containers[0].requests.memory = request;
      spec.containers[0].limits.memory = limit;
      spec.containers[0].has_memory_request = request > 0;
      spec.containers[0].has_memory_limit = limit > 0;
    }));
  }
  void leak(Ref<Pod> pod, std::int64_t bytes_per_second) {
    const ScopedCause because(w.engine, w.fault("memory-leak"));
    w.kubelets->leak_memory(pod, static_cast<double>(bytes_per_second));
  }
  KubeletWorld w;
  Ref<Node> node;
  host::HostId host;
};

TEST_F(KubeletMemory, WorkingSetIsTheRequestOnceStarted) {
  start();
  const Ref<Pod> pod = create("web", kGiB);
  create("small", 0);
  EXPECT_EQ(w.kubelets->memory_used(node), 0);
  w.run_to(10s);
  EXPECT_EQ(w.kubelets->memory_used(node), kGiB + 64 * kMiB);
  leak(pod, 10 * kMiB);
  w.run_for(100s);
  EXPECT_EQ(w.kubelets->memory_used(node), kGiB + 64 * kMiB + 1000 * kMiB);
  w.api.remove(pod);
  w.run_for(10s);
  EXPECT_EQ(w.kubelets->memory_used(node), 64 * kMiB);
}

TEST_F(KubeletMemory, FullNodeWithoutExcessIsLeftAlone) {
  start();
  create("a", 4 * kGiB);
  create("b", 4 * kGiB - 100 * kMiB);  // all that is allocatable
  w.run_to(1h);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
  EXPECT_EQ(w.count_records("MemoryExhausted"), 0u);
}

TEST_F(KubeletMemory, SlowLeakEndsInEviction) {
  start();
  const Ref<Pod> innocent = create("innocent", 2 * kGiB);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  leak(leaking, kMiB);
  // 8192 - 3072 - 100 MiB: the threshold is crossed after 5020 s; the next look of the eviction manager is within 10 s.
  w.run_to(10s + 5020s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
  w.run_for(10s + 1s);
  ASSERT_EQ(w.count_records("EvictionThresholdMet"), 1u);
  w.run_for(2s);
  EXPECT_EQ(w.at(leaking).phase, PodPhase::kFailed);
  EXPECT_EQ(w.text(w.at(leaking).reason), "Evicted");
  EXPECT_TRUE(w.at(leaking).disruption_target);
  EXPECT_EQ(w.text(w.at(leaking).disruption_reason), "TerminationByKubelet");
  EXPECT_EQ(w.at(innocent).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.chain_has(w.last_record("Evicted"), "MemoryLeak"));
  EXPECT_TRUE(w.chain_has(w.last_record("Evicted"), "FaultInjected"));
  w.run_for(10s);
  EXPECT_TRUE(w.at(node).memory_pressure);
  // BestEffort pods are turned away meanwhile.
  const Ref<Pod> turned_away = create("best-effort", 0);
  w.run_for(1s);
  EXPECT_EQ(w.text(w.at(turned_away).reason), "Evicted");
  w.run_for(4min);
  EXPECT_TRUE(w.at(node).memory_pressure);
  w.run_for(1min + 10s);
  EXPECT_FALSE(w.at(node).memory_pressure);
  EXPECT_TRUE(w.last_record("NodeHasSufficientMemory"));
}

TEST_F(KubeletMemory, EvictionGoesOnUntilThereIsEnough) {
  w.behaviours[0].stop_time = 2s;
  PodBehaviour hungry;
  hungry.selector = LabelSelector{{Requirement{w.names.intern("app"), SelectorOperator::kIn, {w.names.intern("hungry")}}}};
  hungry.memory_bytes = 3 * kGiB;
  w.behaviours.push_back(hungry);
  start();
  const auto eat = [&](std::string_view name, std::int32_t priority) {
    Pod pod = w.pod(name, [&](PodSpec& spec) {
      spec.containers[0].requests.memory = 100 * kMiB;
      spec.priority = priority;
    });
    pod.meta.labels.set(w.names.intern("app"), w.names.intern("hungry"));
    return w.create_on(node, std::move(pod));
  };
  const Ref<Pod> important = eat("important", 1000);
  const Ref<Pod> first = eat("first", 0);
  w.run_to(1min);
  EXPECT_EQ(w.at(first).phase, PodPhase::kRunning);
  const Ref<Pod> grows = create("grows", kGiB);
  w.run_for(10s);
  leak(grows, 10 * kMiB);  // 1 GiB - 100 MiB to go: 92.4 s
  w.run_for(2min);
  EXPECT_EQ(w.text(w.at(first).reason), "Evicted");  // over its request like the others, lowest priority, largest excess
  EXPECT_EQ(w.at(important).phase, PodPhase::kRunning);
  EXPECT_EQ(w.at(grows).phase, PodPhase::kRunning);
  EXPECT_EQ(w.count_records("Evicted"), 1u);
}

TEST_F(KubeletMemory, LeakAgainstItsOwnLimitIsKilledInItsCgroup) {
  start();
  const Ref<Pod> pod = create("limited", kGiB, 2 * kGiB);
  const Ref<Pod> other = create("other", kGiB);
  w.run_to(10s);
  leak(pod, 64 * kMiB);  // 1 GiB to go: 16 s
  w.run_for(15s);
  EXPECT_TRUE(w.kubelets->is_really_running(pod));
  w.run_for(2s);
  EXPECT_EQ(w.count_records("OOMKilled"), 1u);
  EXPECT_TRUE(w.chain_has(w.last_record("OOMKilled"), "FaultInjected"));
  w.run_for(1s);
  EXPECT_EQ(w.at(pod).containers[0].restart_count, 1u);
  w.run_for(10min);
  EXPECT_GE(w.count_records("OOMKilled"), 4u);  // it leaks again each time
  EXPECT_EQ(w.at(other).containers[0].restart_count, 0u);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
}

TEST_F(KubeletMemory, MoreThanTheLimitFromTheStart) {
  w.behaviours[0].memory_bytes = 3 * kGiB;
  start();
  const Ref<Pod> pod = create("limited", kGiB, 2 * kGiB);
  w.run_to(30s);
  EXPECT_EQ(w.waiting_reason(pod), "CrashLoopBackOff");
  EXPECT_EQ(w.at(pod).containers[0].exit_code, 137);
  EXPECT_GE(w.count_records("OOMKilled"), 2u);
}

TEST_F(KubeletMemory, FastLeakOutrunsTheEvictionManager) {
  start();
  const Ref<Pod> innocent = create("innocent", 4 * kGiB);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  leak(leaking, 2 * kGiB);  // the last 100 MiB in 50 ms: between two looks unless by chance
  const SimTime began = w.engine.now();
  while (!w.last_record("MemoryExhausted")) ASSERT_TRUE(w.engine.step());
  EXPECT_LT(w.engine.now() - began, SimDuration(1500ms));  // 3 GiB at 2 GiB/s, less the kernel's reserve
  EXPECT_FALSE(w.kubelets->heartbeat(node).renewing);
  EXPECT_FALSE(w.kubelets->is_serving(innocent));
  w.run_for(30s);  // the stall
  EXPECT_EQ(w.count_records("SystemOOM"), 1u);
  w.kubelets->leak_memory(leaking, -static_cast<double>(2 * kGiB));  // the fault ends
  EXPECT_TRUE(w.chain_has(w.last_record("SystemOOM"), "MemoryLeak"));
  EXPECT_TRUE(w.chain_has(w.last_record("SystemOOM"), "FaultInjected"));
  EXPECT_TRUE(w.kubelets->is_serving(innocent));
  w.run_for(10s);
  EXPECT_TRUE(w.kubelets->heartbeat(node).renewing);
  EXPECT_EQ(w.at(innocent).containers[0].restart_count, 0u);
  EXPECT_GE(w.at(leaking).containers[0].restart_count, 1u);
}

TEST_F(KubeletMemory, LeakHangsTheHostThatDoesNotKill) {
  start(host::MemoryExhaustion::kHang);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  leak(leaking, 4 * kGiB);
  w.run_for(3s);
  EXPECT_EQ(w.hosts.state(host), host::HostState::kHung);
  const CauseId hung = w.last_record("HostHung");
  ASSERT_TRUE(hung);
  EXPECT_TRUE(w.chain_has(hung, "MemoryExhausted"));
  EXPECT_TRUE(w.chain_has(hung, "FaultInjected"));
  EXPECT_NE(w.log.message(w.log.at(hung)).find("memory exhausted: pod default/leaking uses"), std::string_view::npos);
  EXPECT_FALSE(w.kubelets->is_serving(leaking));
  w.run_for(10min + 80s);  // reset, boot, kubelet
  EXPECT_TRUE(w.hosts.is_running(host));
  w.run_for(4s);
  EXPECT_EQ(w.hosts.state(host), host::HostState::kHung);  // the leak is in the image
}

TEST_F(KubeletMemory, LeakOfASelectorFollowsThePodToItsNextNode) {
  start();
  const Ref<Node> second = w.add_node("w2");
  w.kubelets->add_node(second, w.host_ids[1]);
  const LabelSelector selector{{Requirement{w.names.intern("app"), SelectorOperator::kIn, {w.names.intern("web")}}}};
  const auto labelled = [&](std::string_view name) {
    Pod pod = w.pod(name, [](PodSpec& spec) { spec.containers[0].requests.memory = kGiB; });
    pod.meta.labels.set(w.names.intern("app"), w.names.intern("web"));
    return pod;
  };
  const Ref<Pod> here = w.create_on(node, labelled("web-a"));
  const Ref<Pod> quiet = create("quiet", kGiB);
  w.run_to(10s);
  {
    const ScopedCause because(w.engine, w.fault("memory-leak"));
    w.kubelets->leak_memory(Symbol{}, selector, static_cast<double>(10 * kMiB));
  }
  w.run_for(10s);
  EXPECT_EQ(w.kubelets->memory_used(node), 2 * kGiB + 100 * kMiB);
  w.api.remove(here);
  w.run_for(10s);
  EXPECT_EQ(w.kubelets->memory_used(node), kGiB);
  EXPECT_TRUE(w.kubelets->is_serving(quiet));
  const Ref<Pod> there = w.create_on(second, labelled("web-b"));
  w.run_for(605ms + 100s);
  EXPECT_NEAR(static_cast<double>(w.kubelets->memory_used(second)), static_cast<double>(kGiB + 1000 * kMiB), 1.0);
  EXPECT_TRUE(w.chain_has(w.at(there).meta.cause, "FaultInjected"));
}

TEST_F(KubeletMemory, LeakOfAPodThatNoKubeletHasSeenIsKept) {
  start();
  const Ref<Pod> pod = create("web", kGiB);
  leak(pod, kMiB);
  w.run_to(605ms + 10s);
  EXPECT_EQ(w.kubelets->memory_used(node), kGiB + 10 * kMiB);
}

TEST_F(KubeletMemory, CriticalPodsAreNotEvicted) {
  start();
  const Ref<Pod> critical = w.create_on(node, w.pod("critical", [](PodSpec& spec) {
    spec.containers[0].requests.memory = kGiB;
    spec.priority = 2'000'000'000;
  }));
  w.run_to(10s);
  leak(critical, 100 * kMiB);
  w.run_for(72s + 11s);
  EXPECT_EQ(w.count_records("Evicted"), 0u);
  EXPECT_EQ(w.count_records("MemoryExhausted"), 1u);  // so the kernel decides
}

TEST_F(KubeletMemory, LeakTakesTheControlPlaneOfItsHostAlong) {
  node = w.add_node("cp-1");
  const Ref<Node> worker = w.add_node("w1");
  w.control_plane->add_member(w.host_ids[0]);
  w.start();
  const Ref<Pod> leaking = create("leaking", kGiB);
  const Ref<Pod> far_away = w.create_on(worker, w.pod("far-away"));
  w.run_to(1min);
  ASSERT_TRUE(w.api.writable());
  EXPECT_TRUE(w.kubelets->is_serving(w.api.find<Pod>(w.api.well_known().kube_system, w.names.intern("etcd-cp-1"))));
  leak(leaking, 2 * kGiB);
  const CauseId fault = w.last_record("FaultInjected");
  w.run_for(10s);
  EXPECT_FALSE(w.api.writable());
  EXPECT_FALSE(w.kubelets->heartbeat(worker).renewing);
  EXPECT_TRUE(w.kubelets->is_serving(far_away));
  const CauseId lost = w.last_record("EtcdQuorumLost");
  ASSERT_TRUE(lost);
  const std::vector<CauseId> chain = w.log.chain(lost);
  EXPECT_EQ(chain.back(), fault);
  EXPECT_TRUE(w.chain_has(lost, "MemoryExhausted"));
  w.kubelets->leak_memory(leaking, -static_cast<double>(2 * kGiB));
  w.run_for(5min);
  EXPECT_TRUE(w.api.writable());
  EXPECT_TRUE(w.kubelets->heartbeat(worker).renewing);
  EXPECT_EQ(w.at(leaking).containers[0].restart_count, 1u);
}

TEST_F(KubeletMemory, DeadKubeletEvictsNobody) {
  start();
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  leak(leaking, kMiB);
  w.kubelets->kill_kubelet(node, SimDuration{});
  w.run_for(3h);
  EXPECT_EQ(w.count_records("Evicted"), 0u);
  EXPECT_EQ(w.count_records("SystemOOM"), 1u);
  EXPECT_FALSE(w.kubelets->is_really_running(leaking));  // and nobody restarts it
}

TEST_F(KubeletMemory, WhateverLeaksEveryByteIsGivenBack) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    KubeletWorld world(seed);
    world.images.default_bytes = 0;
    const Ref<Node> n = world.add_node("w1");
    world.start();
    RandomStream draws(seed, "test", "memory");
    std::vector<Ref<Pod>> pods;
    for (int i = 0; i < 8; ++i) {
      pods.push_back(world.create_on(n, world.pod("p" + std::to_string(i), [&](PodSpec& spec) {
        spec.containers[0].requests.memory = draws.uniform_int(1, 900) * kMiB;
        spec.priority = static_cast<std::int32_t>(draws.uniform_int(0, 3));
      })));
    }
    world.run_to(10s);
    for (const Ref<Pod> pod : pods) {
      if (draws.chance(0.5)) world.kubelets->leak_memory(pod, static_cast<double>(draws.uniform_int(1, 200) * kMiB));
    }
    for (int step = 0; step < 600; ++step) {
      world.run_for(1s);
      ASSERT_LE(world.kubelets->memory_used(n), 8 * kGiB);
      ASSERT_GE(world.kubelets->memory_used(n), 0);
    }
    for (const Ref<Pod> pod : pods) {
      if (!world.gone(pod)) world.api.remove(pod);
    }
    world.run_for(2min);
    EXPECT_EQ(world.kubelets->memory_used(n), 0);
  }
}

}  // namespace
}  // namespace sim::k8s

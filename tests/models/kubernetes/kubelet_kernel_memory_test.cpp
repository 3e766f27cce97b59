// What containers leave in the kernel, and what that does to pods and to the host.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::kGiB;
using test::kMiB;
using test::KubeletWorld;

class KubeletKernelMemory : public ::testing::Test {
 protected:
  KubeletKernelMemory() {
    w.images.default_bytes = 0;
    w.behaviours[0].run_time = std::nullopt;
  }
  void start(std::string_view profile = host::KernelConfig{}.profile, host::MemoryExhaustion exhaustion = host::MemoryExhaustion::kOomKill) {
    host::HostSpec spec = w.host_spec("w1");
    spec.kernel = *host::find_kernel_profile(profile);
    spec.cpu_cores = 4;
    spec.memory_exhaustion = exhaustion;
    node = w.add_node(spec);
    host = w.host_ids[0];
    w.start();
  }
  Ref<Pod> create(std::string_view name, std::int64_t request, RestartPolicy policy = RestartPolicy::kAlways) {
    return w.create_on(node, w.pod(name, [&](PodSpec& spec) {
      spec.restart_policy = policy;
      spec.containers[0].requests.memory = request;
      spec.containers[0].has_memory_request = request > 0;
    }));
  }
  /// `count` pods that run for a second and are deleted, one after the other.
  void churn(int count) {
    for (int i = 0; i < count; ++i) {
      const Ref<Pod> pod = create("job-" + std::to_string(serial++), kMiB, RestartPolicy::kNever);
      w.run_for(2s);
      w.api.remove(pod);
      w.run_for(3s);
    }
  }
  KubeletWorld w;
  Ref<Node> node;
  host::HostId host;
  int serial = 0;
};

TEST_F(KubeletKernelMemory, EachPodLeavesItsCgroupsAndItsFiles) {
  start();
  churn(10);
  const host::Meminfo info = w.kubelets->meminfo(node);
  EXPECT_EQ(info.dying, 27) << "3 cgroups a pod, nine of ten pinned";
  EXPECT_EQ(info.cached, 100'000'000);
  EXPECT_EQ(info.sreclaimable, 10 * 512 * 1024);
  EXPECT_EQ(w.kubelets->memory_used(node), 0) << "the kubelet sees none of it";
}

TEST_F(KubeletKernelMemory, DroppingCachesFreesThem) {
  start();
  churn(10);
  w.kubelets->drop_caches(node, host::DropCaches::kPageCache);
  EXPECT_EQ(w.kubelets->meminfo(node).dying, 0);
  EXPECT_EQ(w.kubelets->meminfo(node).cached, 0);
  EXPECT_EQ(w.count_records("CachesDropped"), 1u);
}

TEST_F(KubeletKernelMemory, ActiveFilesCountAsUsed) {
  w.behaviours[0].page_cache_bytes = kGiB;
  w.behaviours[0].page_cache_active = 0.5;
  start();
  create("reader", kGiB);
  w.run_to(10s);
  EXPECT_EQ(w.kubelets->memory_used(node), kGiB + kGiB / 2);
}

TEST_F(KubeletKernelMemory, TheKmemBugEndsPodStarts) {
  start("rhel7-3.10");
  churn(100);
  EXPECT_EQ(w.kubelets->meminfo(node).dying, 300);
  w.kubelets->drop_caches(node, host::DropCaches::kBoth);
  EXPECT_EQ(w.kubelets->meminfo(node).dying, 300) << "nothing frees them";
}

TEST_F(KubeletKernelMemory, WithoutIdsNoPodStartsUntilThereAreSome) {
  w.behaviours[0].page_cache_bytes = 64 << 10;  // with 10 MB a pod the machine's memory would not hold the cache of so many
  w.behaviours[0].slab_bytes = 0;
  start("rhel7-3.10-nokmem");
  // 65,535 ids less the system's 50, 2.7 of them for ever a pod.
  churn(65'485 * 10 / 27 + 1);
  ASSERT_EQ(w.count_records("MemoryCgroupIdsRunOut"), 1u) << "told well before";
  const Ref<Pod> late = create("late", kMiB);
  w.run_for(20s);
  EXPECT_EQ(w.at(late).phase, PodPhase::kPending);
  ASSERT_GE(w.count_records("FailedCreatePodContainer"), 1u);
  const CauseId failed = w.last_record("FailedCreatePodContainer");
  EXPECT_NE(w.log.message(w.log.at(failed)).find("no space left on device"), std::string::npos);
  EXPECT_TRUE(w.chain_has(failed, "MemoryCgroupIdsRunOut"));
  const std::size_t before = w.log.size();
  w.run_for(10min);
  EXPECT_EQ(w.log.size(), before);
  w.kubelets->drop_caches(node, host::DropCaches::kPageCache);
  w.run_for(30s);
  EXPECT_EQ(w.at(late).phase, PodPhase::kRunning);
}

TEST_F(KubeletKernelMemory, TheKubeletDoesNotSeeTheKernelsShare) {
  start();
  create("web", 2 * kGiB);
  w.run_to(10s);
  {
    const ScopedCause because(w.engine, w.fault("kernel-memory"));
    w.kubelets->grow_kernel_memory(node, 8.0 * kMiB);
  }
  // 6 GiB less the least are left for 8 MiB/s: 766 s. 64 MiB before that the host begins to thrash.
  w.run_to(10s + 740s);
  EXPECT_EQ(w.kubelets->memory_used(node), 2 * kGiB);
  EXPECT_LT(w.kubelets->meminfo(node).available, 300 * kMiB);
  EXPECT_EQ(w.count_records("MemoryExhausted"), 0u);
  w.run_to(10s + 900s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u) << "no MemoryPressure to the end";
  ASSERT_GE(w.count_records("MemoryExhausted"), 1u);
  EXPECT_TRUE(w.chain_has(w.last_record("MemoryExhausted"), "FaultInjected"));
  EXPECT_GE(w.count_records("SystemOOM"), 1u);
}

TEST_F(KubeletKernelMemory, ABootGivesItBack) {
  start();
  w.kubelets->grow_kernel_memory(node, 1.0 * kMiB);
  w.run_to(1000s);
  EXPECT_NEAR(static_cast<double>(w.kubelets->meminfo(node).sunreclaim), 1000.0 * kMiB, 1.0 * kMiB);
  w.hosts.reboot(host);
  w.run_for(3min);
  EXPECT_EQ(w.kubelets->meminfo(node).sunreclaim, 0);
}

TEST_F(KubeletKernelMemory, SlowExhaustionThrashesFirst) {
  start();
  const Ref<Pod> pod = create("web", 2 * kGiB);
  w.run_to(10s);
  {
    const ScopedCause because(w.engine, w.fault("kernel-memory"));
    w.kubelets->grow_kernel_memory(node, 0.5 * kMiB);  // the last 64 MiB take two minutes
  }
  std::vector<std::pair<SimTime, bool>> turns;
  w.kubelets->on_serving([&](Ref<Pod>, bool serving) { turns.emplace_back(w.engine.now(), serving); });
  w.run_to(12'200s);
  ASSERT_EQ(w.count_records("MemoryThrashing"), 1u);
  EXPECT_TRUE(w.chain_has(w.last_record("MemoryThrashing"), "FaultInjected"));
  EXPECT_GE(turns.size(), 4u) << "it stalls and comes back";
  EXPECT_GT(w.kubelets->memory_pressure(node).total, 2s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
}

TEST_F(KubeletKernelMemory, ANodeThatChurnsCostsNoEventsBetweenItsPods) {
  start();
  churn(5);
  w.run_for(60s);
  const std::size_t before = w.engine.stats().executed;
  w.run_for(24h);
  EXPECT_LE(w.engine.stats().executed - before, 2u);
}

// ---- eviction thresholds

TEST_F(KubeletKernelMemory, SoftThresholdEvictsAfterItsGrace) {
  w.config.soft_eviction_memory = kGiB;
  w.config.soft_eviction_grace = 2min;
  w.config.eviction_max_pod_grace_seconds = 5;
  start();
  create("innocent", 2 * kGiB);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  {
    const ScopedCause because(w.engine, w.fault("leak"));
    w.kubelets->leak_memory(leaking, 1.0 * kMiB);
  }
  // 8 - 3 - 1 GiB: the soft threshold after 4096 s; seen within 10 s; the pod goes 2 minutes later.
  w.run_to(10s + 4096s + 11s);
  ASSERT_EQ(w.count_records("EvictionThresholdMet"), 1u);
  EXPECT_EQ(w.count_records("Evicted"), 0u);
  w.run_for(12s);
  EXPECT_TRUE(w.at(node).memory_pressure) << "the condition is there before the grace has passed";
  w.run_to(10s + 4096s + 119s);
  EXPECT_EQ(w.count_records("Evicted"), 0u);
  w.run_to(10s + 4096s + 145s);
  EXPECT_EQ(w.count_records("Evicted"), 1u);
}

TEST_F(KubeletKernelMemory, WithoutLongerShortageASoftThresholdEvictsNobody) {
  w.config.soft_eviction_memory = kGiB;
  w.config.soft_eviction_grace = 10min;
  start();
  create("innocent", 2 * kGiB);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  w.kubelets->leak_memory(leaking, 1.0 * kMiB);
  w.run_to(10s + 4096s + 60s);
  w.kubelets->leak_memory(leaking, -1.0 * kMiB);
  w.kubelets->kill_container(leaking);
  w.run_for(30min);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 1u);
  EXPECT_EQ(w.count_records("Evicted"), 0u);
  EXPECT_FALSE(w.at(node).memory_pressure);
}

TEST_F(KubeletKernelMemory, MinimumReclaimEvictsMore) {
  for (const std::int64_t reclaim : {std::int64_t{0}, kGiB}) {
    SCOPED_TRACE(reclaim);
    KubeletWorld one;
    one.images.default_bytes = 0;
    one.config.minimum_reclaim_memory = reclaim;
    const Ref<Node> there = one.add_node("w1");
    one.start();
    const auto make = [&](std::string_view name, std::int64_t request) {
      return one.create_on(there, one.pod(name, [&](PodSpec& spec) {
        spec.containers[0].requests.memory = request;
        spec.containers[0].has_memory_request = true;
      }));
    };
    for (int i = 0; i < 12; ++i) make("small-" + std::to_string(i), 512 * kMiB);
    const Ref<Pod> leaking = make("leaking", 256 * kMiB);
    one.run_to(10s);
    one.kubelets->leak_memory(leaking, 1.0 * kMiB);
    one.run_to(3h);
    // 8192 - 6144 - 256 MiB less the threshold: the leaking pod goes with its 1.9 GiB, which is enough in both cases.
    EXPECT_EQ(one.count_records("Evicted"), 1u);
  }
}

TEST_F(KubeletKernelMemory, PodsAreEvictedAtTheirPartOfTheMachine) {
  host::HostSpec spec = w.host_spec("w1");
  w.topology.add(topology::ElementKind::kHost, spec.name);
  host = w.hosts.add(spec);
  w.host_ids.push_back(host);
  Node object;
  object.meta.name = w.names.intern(spec.name);
  object.capacity.cpu_milli = object.allocatable.cpu_milli = 4000;
  object.capacity.memory = 8 * kGiB;
  object.allocatable.memory = 8 * kGiB - 4 * kGiB - 100 * kMiB;  // 4 GiB are reserved, of which the system uses half a GiB
  object.capacity.pods = object.allocatable.pods = 110;
  node = w.api.create(std::move(object));
  w.nodes.push_back(node);
  w.start();
  create("innocent", kGiB);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  w.kubelets->leak_memory(leaking, 1.0 * kMiB);
  // kubepods may have 4 GiB: 100 MiB below that after 2048 - 100 s, with 3.5 GiB of the machine free.
  w.run_to(10s + 1940s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
  w.run_to(10s + 1948s + 12s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 1u);
  EXPECT_GT(w.kubelets->meminfo(node).free, 3 * kGiB);
}

TEST_F(KubeletKernelMemory, AFastLeakMeetsTheLimitOfAllPods) {
  host::HostSpec spec = w.host_spec("w1");
  w.topology.add(topology::ElementKind::kHost, spec.name);
  host = w.hosts.add(spec);
  w.host_ids.push_back(host);
  Node object;
  object.meta.name = w.names.intern(spec.name);
  object.capacity.cpu_milli = object.allocatable.cpu_milli = 4000;
  object.capacity.memory = 8 * kGiB;
  object.allocatable.memory = 4 * kGiB - 100 * kMiB;
  object.capacity.pods = object.allocatable.pods = 110;
  node = w.api.create(std::move(object));
  w.nodes.push_back(node);
  w.start();
  create("innocent", kGiB);
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(10s);
  w.kubelets->leak_memory(leaking, 500.0 * kMiB);
  w.run_to(40s);
  EXPECT_GE(w.count_records("AllocatableExhausted"), 1u);
  EXPECT_EQ(w.count_records("MemoryExhausted"), 0u) << "the host is short of nothing";
  EXPECT_EQ(w.count_records("SystemOOM"), 0u);
}

// enforceNodeAllocatable: [none]: nothing stops them before the machine has nothing left.
TEST_F(KubeletKernelMemory, WithoutALimitOfAllPodsAFastLeakMeetsTheMachines) {
  w.config.limits_all_pods = false;
  host::HostSpec spec = w.host_spec("w1");
  w.topology.add(topology::ElementKind::kHost, spec.name);
  host = w.hosts.add(spec);
  w.host_ids.push_back(host);
  Node object;
  object.meta.name = w.names.intern(spec.name);
  object.capacity.cpu_milli = object.allocatable.cpu_milli = 4000;
  object.capacity.memory = 8 * kGiB;
  object.allocatable.memory = 4 * kGiB - 100 * kMiB;
  object.capacity.pods = object.allocatable.pods = 110;
  node = w.api.create(std::move(object));
  w.nodes.push_back(node);
  w.start();
  const Ref<Pod> leaking = create("leaking", kGiB);
  w.run_to(11s);  // one second after a look of the eviction manager at the latest, 7 GiB are gone before the next one
  w.kubelets->leak_memory(leaking, 6'000.0 * kMiB);
  w.run_to(13s);
  EXPECT_EQ(w.count_records("AllocatableExhausted"), 0u);
  EXPECT_GE(w.count_records("MemoryExhausted"), 1u);
}

}  // namespace
}  // namespace sim::k8s

// The kernel of a machine pool, what containers leave in it, thresholds of the kubelet: read, and refused with words that help.
#include <gtest/gtest.h>

#include <string>

#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace sim::scenario {
namespace {

struct Read {
  std::shared_ptr<const ScenarioSpec> spec;
  std::string text;
};

Read read(const std::string& more) {
  Diagnostics diagnostics;
  Read result;
  result.spec = read_scenario_text("sample.yaml", "apiVersion: squall.dev/v1alpha1\nkind: Scenario\ncontrolPlane: {external: true}\n" + more, {}, diagnostics);
  result.text = diagnostics.format();
  return result;
}

TEST(MemorySpec, AKernelIsAProfileAndItsChanges) {
  const Read r = read(R"(pools:
  plain: {}
  old: {kernel: {profile: rhel7-3.10, leakPerCgroup: 100Ki, minFree: 64Mi, pinnedShare: 50%, watermarkScaleFactor: 100}, diskBandwidth: 150MB/s}
behaviours:
- match: {namespace: cron}
  pageCache: 2Mi
  pageCacheActive: 25%
  slab: 4Ki
  cpu: 1500m
  disk: 10MB/s
kubelet: {softEvictionMemory: 1Gi, softEvictionGrace: 90s, evictionMaxPodGrace: 30, minimumReclaim: 200Mi, pressureTransition: 2m}
)");
  ASSERT_NE(r.spec, nullptr) << r.text;
  EXPECT_EQ(r.spec->pools[0].kernel.profile, "linux-6.x-cgroup-v2");
  const host::KernelConfig& old = r.spec->pools[1].kernel;
  EXPECT_TRUE(old.ids_stay);
  EXPECT_EQ(old.leaked_per_cgroup, 100 << 10);
  EXPECT_EQ(old.min_free_bytes, 64 << 20);
  EXPECT_DOUBLE_EQ(old.pinned_share, 0.5);
  EXPECT_EQ(old.watermark_scale_factor, 100);
  EXPECT_EQ(old.kmem_caches, 116) << "what is not said is the profile's";
  const k8s::PodBehaviour& behaviour = r.spec->behaviours.at(0);
  EXPECT_EQ(behaviour.page_cache_bytes, 2 << 20);
  EXPECT_DOUBLE_EQ(behaviour.page_cache_active.value_or(0.0), 0.25);
  EXPECT_EQ(behaviour.slab_bytes, 4 << 10);
  EXPECT_DOUBLE_EQ(behaviour.cpu.value_or(0.0), 1.5);
  EXPECT_DOUBLE_EQ(behaviour.disk_bytes_per_second.value_or(0.0), 10e6);
  EXPECT_EQ(r.spec->kubelet.soft_eviction_grace, std::chrono::seconds(90));
  EXPECT_EQ(r.spec->kubelet.minimum_reclaim_memory, 200 << 20);

  const auto world = build_world(*r.spec, 1);
  const host::HostSpec& host = world->hosts.spec(world->hosts.find("old-1"));
  EXPECT_EQ(host.kernel.profile, "rhel7-3.10");
  EXPECT_DOUBLE_EQ(host.disk_bytes_per_second, 150e6);
}

struct Wrong {
  std::string more;
  std::string place;
  std::string message;
};

TEST(MemorySpec, WhatCannotBeIsTold) {
  const Wrong cases[] = {
      {"pools: {w: {kernel: {profile: rhel7-3.1}}}\n", "sample.yaml:4:31", "did you mean 'rhel7-3.10'?"},
      {"pools: {w: {kernel: {profil: rhel7-3.10}}}\n", "sample.yaml:4:22", "did you mean 'profile'?"},
      {"pools: {w: {kernel: rhel7-3.10}}\n", "sample.yaml:4:21", "wrong type"},
      {"pools: {w: {kernel: {watermarkScaleFactor: 0}}}\n", "sample.yaml:4:44", "1 to 3000"},
      {"pools: {w: {kernel: {reclaimRate: 0MB/s}}}\n", "sample.yaml:4:35", "more than 0"},
      {"pools: {w: {swap: 8Gi}}\n", "sample.yaml:4:19", "swap is not modelled"},
      {"kubelet: {softEvictionMemory: 1Gi}\n", "sample.yaml:4:31", "softEvictionGrace"},
      {"kubelet: {softEvictionMemory: 50Mi, softEvictionGrace: 1m}\n", "sample.yaml:4:31", "not above hardEvictionMemory"},
  };
  for (const Wrong& c : cases) {
    SCOPED_TRACE(c.more);
    const Read r = read(c.more);
    EXPECT_EQ(r.spec, nullptr);
    EXPECT_NE(r.text.find(c.place), std::string::npos) << r.text;
    EXPECT_NE(r.text.find(c.message), std::string::npos) << r.text;
  }
}

}  // namespace
}  // namespace sim::scenario

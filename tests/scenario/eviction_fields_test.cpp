// evictionHard and its like as a KubeletConfiguration has them, log rotation, emptyDir limits, what pods write: read, and refused with a place.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "sim/models/kubernetes/kubelet/eviction_policy.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

using namespace std::chrono_literals;
using k8s::kubelet::Signal;
using k8s::kubelet::Threshold;

std::shared_ptr<const ScenarioSpec> read(const std::string& body, std::string* errors = nullptr) {
  Diagnostics diagnostics;
  auto spec = read_scenario_text("test.yaml", "apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {w: {count: 1}}\n" + body + "controlPlane: {external: true}\n", {},
                                diagnostics);
  if (errors != nullptr) *errors = diagnostics.format();
  else EXPECT_EQ(diagnostics.format(), "");
  return spec;
}

std::vector<std::string> shown(const ScenarioSpec& spec) {
  std::vector<std::string> all;
  for (const Threshold& one : spec.kubelet.disk.thresholds) {
    const std::int64_t level = k8s::kubelet::quantity(one.value, 1000);
    all.push_back(std::string(to_string(one.signal)) + (one.is_hard() ? " " : " soft ") + std::to_string(level));
  }
  return all;
}

TEST(EvictionFields, WithoutAWordTheKubeletsDefaults) {
  const auto spec = read("");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(shown(*spec), (std::vector<std::string>{"nodefs.available 100", "nodefs.inodesFree 50", "imagefs.available 150", "imagefs.inodesFree 50"}));
  EXPECT_EQ(spec->kubelet.hard_eviction_memory, 100ll << 20);
  EXPECT_EQ(spec->kubelet.disk.container_log_max_size, 10ll << 20);
}

TEST(EvictionFields, EvictionHardReplacesAllDefaults) {
  const auto spec = read("kubelet: {evictionHard: {nodefs.available: 20%}}\n");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(shown(*spec), (std::vector<std::string>{"nodefs.available 200"}));
  EXPECT_EQ(spec->kubelet.hard_eviction_memory, 0) << "memory.available is not named";
}

TEST(EvictionFields, UnlessTheyAreMerged) {
  const auto spec = read("kubelet: {evictionHard: {nodefs.available: 20%, memory.available: 500Mi, pid.available: \"100\"}, mergeDefaultEvictionSettings: true}\n");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(shown(*spec), (std::vector<std::string>{"nodefs.available 200", "nodefs.inodesFree 50", "imagefs.available 150", "imagefs.inodesFree 50", "pid.available 100"}));
  EXPECT_EQ(spec->kubelet.hard_eviction_memory, 500ll << 20);
}

TEST(EvictionFields, SoftOnesGraceAndReclaim) {
  const auto spec = read(
      "kubelet:\n"
      "  evictionSoft: {nodefs.available: 30%, memory.available: 1Gi}\n"
      "  evictionSoftGracePeriod: {nodefs.available: 2m, memory.available: 90s}\n"
      "  evictionMinimumReclaim: {nodefs.available: 5%, memory.available: 200Mi}\n");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(shown(*spec).size(), 5u);
  EXPECT_EQ(shown(*spec)[1], "nodefs.available soft 300");
  EXPECT_EQ(spec->kubelet.disk.thresholds[1].grace, 2min);
  ASSERT_TRUE(spec->kubelet.disk.thresholds[0].min_reclaim);
  EXPECT_EQ(k8s::kubelet::quantity(*spec->kubelet.disk.thresholds[0].min_reclaim, 1000), 50);
  EXPECT_EQ(spec->kubelet.soft_eviction_memory, 1ll << 30);
  EXPECT_EQ(spec->kubelet.soft_eviction_grace, 90s);
  EXPECT_EQ(spec->kubelet.minimum_reclaim_memory, 200ll << 20);
}

/// The example of the Kubernetes documentation.
TEST(EvictionFields, ReclaimOfNothing) {
  const auto spec = read("kubelet: {evictionMinimumReclaim: {memory.available: 0Mi, nodefs.available: 500Mi, imagefs.available: 2Gi}}\n");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(spec->kubelet.minimum_reclaim_memory, 0);
  ASSERT_TRUE(spec->kubelet.disk.thresholds[0].min_reclaim);
  EXPECT_EQ(spec->kubelet.disk.thresholds[0].min_reclaim->quantity, 500ll << 20);
}

struct RefusedCase {
  std::string_view name;
  std::string_view kubelet;
  std::string_view error;
};
constexpr RefusedCase kRefused[] = {
    {"a signal that is none", "evictionHard: {nodefs.avaliable: 10%}", "did you mean 'nodefs.available'?"},
    {"containerfs", "evictionHard: {containerfs.available: 10%}", "containerfs.available is not modelled"},
    {"allocatable memory", "evictionHard: {allocatableMemory.available: 1Gi}", "has the threshold of memory.available"},
    {"more than all", "evictionHard: {nodefs.available: 110%}", "must be <= 100%"},
    {"nothing", "evictionHard: {nodefs.available: 0Mi}", "must be positive"},
    {"a number", "evictionHard: {pid.available: 100}", "with quotes"},
    {"a map of maps", "evictionHard: {nodefs.available: {percent: 10}}", "nodefs.available"},
    {"no map at all", "evictionSoft: 10%", "evictionSoft"},
    {"no amount", "evictionHard: {imagefs.available: much}", "is neither a percentage such as 10% nor a quantity such as 1Gi"},
    {"memory in percent", "evictionHard: {memory.available: 5%}", "memory.available as a percentage is not modelled"},
    {"soft without grace", "evictionSoft: {nodefs.available: 15%}", "nodefs.available needs its evictionSoftGracePeriod"},
    {"grace without threshold", "evictionSoftGracePeriod: {nodefs.available: 1m}", "nodefs.available has no threshold in evictionSoft"},
    {"reclaim without threshold", "evictionMinimumReclaim: {pid.available: 10Ki}", "pid.available has no threshold"},
    {"said twice", "{evictionHard: {memory.available: 200Mi}, hardEvictionMemory: 100Mi}", "kubelet.hardEvictionMemory says the same"},
    {"merged with nothing", "mergeDefaultEvictionSettings: true", "says nothing without evictionHard"},
    {"one log file", "containerLogMaxFiles: 1", "from 2 to"},
    {"no map", "evictionHard: [nodefs.available]", "evictionHard"},
};

TEST(EvictionFields, WhatAKubeletRefuses) {
  for (const RefusedCase& c : kRefused) {
    SCOPED_TRACE(c.name);
    std::string errors;
    const std::string body = c.kubelet.front() == '{' ? std::string(c.kubelet) : "{" + std::string(c.kubelet) + "}";
    EXPECT_EQ(read("kubelet: " + body + "\n", &errors), nullptr);
    EXPECT_NE(errors.find(c.error), std::string::npos) << errors;
    EXPECT_NE(errors.find("test.yaml:4:"), std::string::npos) << errors;
  }
}

TEST(EvictionFields, WhatPodsWrite) {
  std::string told;
  const auto spec = read(
      "behaviours:\n- {match: {namespace: a}, writes: 10MB/s, writesUpTo: 5Gi, writtenFileSize: 4Ki, logs: 1Mi/s, processes: 200, processGrowth: 0.5}\n"
      "kubelet: {containerLogMaxSize: -1, podPidsLimit: 4096}\nimages: {diskUsed: 20Gi}\n",
      &told);
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(told.find("error"), std::string::npos) << told;  // that it concerns nobody here is a warning
  const k8s::PodBehaviour& one = spec->behaviours.front();
  EXPECT_EQ(one.writes_bytes_per_second, 10e6);
  EXPECT_EQ(one.writes_at_most, 5ll << 30);
  EXPECT_EQ(one.written_file_bytes, 4096);
  EXPECT_EQ(one.logs_bytes_per_second, 1048576.0);
  EXPECT_EQ(one.processes, 200);
  EXPECT_EQ(one.processes_per_second, 0.5);
  EXPECT_EQ(spec->kubelet.disk.container_log_max_size, -1);
  EXPECT_EQ(spec->kubelet.disk.pod_pids_limit, 4096);
}

TEST(EvictionFields, EmptyDirsOfPods) {
  const auto spec = read(
      "objects:\n- {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}], volumes: ["
      "{name: a, emptyDir: {sizeLimit: 1Gi}}, {name: b, emptyDir: {medium: Memory}}, {name: c}]}}\n");
  ASSERT_NE(spec, nullptr);
  const auto& volumes = spec->objects.pods.front().object.spec->empty_dirs;
  ASSERT_EQ(volumes.size(), 3u);
  EXPECT_EQ(volumes[0].size_limit, 1ll << 30);
  EXPECT_FALSE(volumes[0].in_memory);
  EXPECT_TRUE(volumes[1].in_memory);
  EXPECT_EQ(volumes[2].size_limit, 0);
  std::string errors;
  read("objects:\n- {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}], volumes: [{name: a, emptyDir: {sizeLimit: big}}]}}\n", &errors);
  EXPECT_NE(errors.find("a quantity such as 512Mi"), std::string::npos) << errors;
}

TEST(EvictionFields, WhatIsEnforcedAndWhatIsNot) {
  EXPECT_TRUE(read("")->kubelet.limits_all_pods);
  EXPECT_TRUE(read("kubelet: {enforceNodeAllocatable: [pods]}\n")->kubelet.limits_all_pods);
  EXPECT_FALSE(read("kubelet: {enforceNodeAllocatable: [none]}\n")->kubelet.limits_all_pods);
  EXPECT_FALSE(read("kubelet: {enforceNodeAllocatable: []}\n")->kubelet.limits_all_pods);
  EXPECT_NE(read("kubelet: {featureGates: {MemoryQoS: false}}\n"), nullptr);
  std::string errors;
  read("kubelet: {enforceNodeAllocatable: [pods, system-reserved, pod, none]}\n", &errors);
  for (const std::string_view part : {"test.yaml:4", "system-reserved is not modelled", "'pod' is nothing that a kubelet enforces", "did you mean 'pods'", "none stands alone"}) {
    EXPECT_NE(errors.find(part), std::string::npos) << part << "\n" << errors;
  }
  read("kubelet: {featureGates: {MemoryQoS: true, NodeSwap: true}}\n", &errors);
  EXPECT_NE(errors.find("MemoryQoS is not modelled"), std::string::npos) << errors;
  EXPECT_NE(errors.find("'NodeSwap' changes nothing here"), std::string::npos) << errors;
}

}  // namespace
}  // namespace sim::scenario

#include <numeric>

#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/memory_policy.hpp"

namespace sim::k8s::kubelet {
namespace {

constexpr std::int64_t kMiB = 1ll << 20;
constexpr std::int64_t kGiB = 1ll << 30;

std::vector<std::size_t> order(std::vector<EvictionCandidate> candidates) {
  rank_for_memory_eviction(candidates);
  std::vector<std::size_t> indexes;
  for (const EvictionCandidate& c : candidates) indexes.push_back(c.index);
  return indexes;
}

TEST(KubeletEvictionRank, WorkedExample) {
  // Reference kubernetes chapter 11: P1, P2, P4, P3.
  EXPECT_EQ(order({{1, 0, kGiB + kGiB / 2, kGiB},
                   {2, 0, 200 * kMiB, 0},
                   {3, -5, 900 * kMiB, kGiB},
                   {4, 1000, 3 * kGiB, kGiB / 2}}),
            (std::vector<std::size_t>{1, 2, 4, 3}));
}

TEST(KubeletEvictionRank, EqualOnesKeepTheirOrder) {
  EXPECT_EQ(order({{7, 0, 10, 0}, {3, 0, 10, 0}, {5, 0, 11, 0}}), (std::vector<std::size_t>{5, 7, 3}));
}

PodSpec burstable(std::int64_t request) {
  PodSpec spec;
  Container c;
  c.requests.memory = request;
  spec.containers.push_back(c);
  finish_pod_spec(spec);
  return spec;
}

TEST(KubeletOomScoreAdjust, WorkedExample) {
  struct Case {
    std::int64_t request;
    std::int32_t want;
  };
  // Reference kubernetes chapter 11, a node of 16 GiB.
  for (const Case& c : {Case{16 * kMiB, 999}, {kGiB, 938}, {4 * kGiB, 750}, {8 * kGiB, 500}, {16 * kGiB - 10 * kMiB, 3}}) {
    const PodSpec spec = burstable(c.request);
    EXPECT_EQ(oom_score_adjust(spec, spec.containers[0], 16 * kGiB), c.want) << c.request;
  }
}

TEST(KubeletOomScoreAdjust, ByClass) {
  const PodSpec best_effort = burstable(0);
  EXPECT_EQ(oom_score_adjust(best_effort, best_effort.containers[0], kGiB), 1000);
  PodSpec guaranteed = burstable(kGiB);
  guaranteed.containers[0].limits.memory = kGiB;
  guaranteed.containers[0].requests.cpu_milli = guaranteed.containers[0].limits.cpu_milli = 100;
  finish_pod_spec(guaranteed);
  EXPECT_EQ(oom_score_adjust(guaranteed, guaranteed.containers[0], 16 * kGiB), -997);
  PodSpec critical = burstable(0);
  critical.priority = kSystemNodeCriticalPriority;
  EXPECT_EQ(oom_score_adjust(critical, critical.containers[0], 16 * kGiB), -997);
  PodSpec with_sidecar = burstable(8 * kGiB);
  Container sidecar;
  sidecar.is_sidecar = true;
  with_sidecar.init_containers.push_back(sidecar);
  finish_pod_spec(with_sidecar);
  EXPECT_EQ(oom_score_adjust(with_sidecar, with_sidecar.init_containers[0], 16 * kGiB), 500);
}

TEST(KubeletOomBadness, ThousandthsPlusAdjustment) {
  EXPECT_EQ(oom_badness(4 * kGiB, 16 * kGiB, 938), 1188);
  EXPECT_EQ(oom_badness(12 * kGiB, 16 * kGiB, -997), -247);
}

TEST(KubeletKernelReserve, SquareRootOfMemory) {
  EXPECT_EQ(kernel_reserve(32 * kGiB), 23170 * 1024);   // sqrt(16 * 33554432 kB) = 23170 kB
  EXPECT_EQ(kernel_reserve(16ll << 40), 262144 * 1024);  // the cap
}

TEST(KubeletMemoryShares, FollowRequestsAndAddUp) {
  PodSpec spec = burstable(300);
  spec.containers.push_back(spec.containers[0]);
  spec.containers[1].requests.memory = 100;
  EXPECT_EQ(memory_shares(spec, 1001), (std::vector<std::int64_t>{751, 250}));
  spec.containers[0].requests.memory = spec.containers[1].requests.memory = 0;
  const std::vector<std::int64_t> equal = memory_shares(spec, 1001);
  EXPECT_EQ(std::accumulate(equal.begin(), equal.end(), std::int64_t{0}), 1001);
  EXPECT_EQ(equal[1], 500);
}

TEST(KubeletCritical, MirrorOrPriority) {
  PodSpec spec = burstable(0);
  EXPECT_FALSE(is_critical(spec, false));
  EXPECT_TRUE(is_critical(spec, true));
  spec.priority = kSystemCriticalPriority;
  EXPECT_TRUE(is_critical(spec, false));
}

}  // namespace
}  // namespace sim::k8s::kubelet

// Upstream's tables of the eviction manager's decisions (pkg/kubelet/eviction/helpers_test.go, eviction_manager_test.go of v1.36): thresholds, ranks, words.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/eviction_policy.hpp"

namespace sim::k8s::kubelet {
namespace {

constexpr std::int64_t kMi = 1ll << 20;
constexpr std::int64_t kGi = 1ll << 30;

struct ParseCase {
  std::string_view text;
  bool is_threshold;
  std::string_view error;  // part of it; empty: none
};
constexpr ParseCase kParseCases[] = {
    {"150Mi", true, ""},     {"10%", true, ""},          {"10.5%", true, ""},   {"0%", false, ""},       {"100%", false, ""},
    {"-15%", false, ">= 0"}, {"110%", false, "<= 100"},  {"-150Mi", false, "must be positive"},          {"0", false, "must be positive"},
    {"foo", false, "neither"}, {"%", false, "percentage"}, {"1 0%", false, "percentage"}, {"", false, "neither"},
};

TEST(EvictionPolicy, Thresholds) {
  for (const ParseCase& c : kParseCases) {
    SCOPED_TRACE(c.text);
    std::string error;
    EXPECT_EQ(parse_threshold_value(c.text, error).has_value(), c.is_threshold);
    if (c.error.empty()) EXPECT_EQ(error, "");
    else EXPECT_NE(error.find(c.error), std::string::npos) << error;
  }
}

/// A percentage is kept as a float upstream: a node with 51,175 MiB of disk reports 48,294,789,041 bytes allocatable, not 48,294,789,120.
TEST(EvictionPolicy, APercentageIsAFloat) {
  std::string error;
  const std::optional<ThresholdValue> value = parse_threshold_value("10%", error);
  ASSERT_TRUE(value);
  EXPECT_EQ(51'175 * kMi - quantity(*value, 51'175 * kMi), 48'294'789'041);
}

struct MetCase {
  std::string_view name;
  ThresholdValue value;
  std::optional<ThresholdValue> reclaim;
  std::int64_t available;
  std::int64_t capacity;
  bool enforce;
  bool met;
};
const MetCase kMetCases[] = {
    {"met", {kGi}, {{500 * kMi}}, 500 * kMi, 16 * kGi, false, true},
    {"not met", {kGi}, {{500 * kMi}}, 2 * kGi, 16 * kGi, false, false},
    {"met with min reclaim", {kGi}, {{500 * kMi}}, 1075 * kMi, 16 * kGi, true, true},
    {"not met with min reclaim", {kGi}, {{500 * kMi}}, 2 * kGi, 16 * kGi, true, false},
    {"exactly the threshold is enough", {kGi}, {}, kGi, 16 * kGi, false, false},
    {"percent met", {0, 0.3F}, {}, 100 * kGi, 1000 * kGi, false, true},
    {"percent not met", {0, 0.3F}, {}, 400 * kGi, 1000 * kGi, false, false},
    {"percent met with min reclaim", {0, 0.2F}, {{0, 0.05F}}, 225 * kMi, 1000 * kMi, true, true},
    {"percent not met with min reclaim", {0, 0.2F}, {{0, 0.05F}}, 300 * kMi, 1000 * kMi, true, false},
    {"never observed", {kGi}, {}, 0, 0, false, false},
};

TEST(EvictionPolicy, ThresholdsMet) {
  for (const MetCase& c : kMetCases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(is_met({Signal::kNodefsAvailable, c.value, {}, c.reclaim}, {c.available, c.capacity}, c.enforce), c.met);
  }
}

std::vector<std::size_t> order(const std::vector<DiskCandidate>& candidates) {
  std::vector<std::size_t> indexes;
  for (const DiskCandidate& one : candidates) indexes.push_back(one.index);
  return indexes;
}

/// TestOrderedByPriorityDisk: given backwards, usage and request in MiB.
TEST(EvictionPolicy, DiskRank) {
  std::vector<DiskCandidate> pods = {
      {8, 1, 200, 1024, 1024}, {7, 1, 800, 1024, 1024}, {6, 0, 200, 1024, 1024}, {5, 0, 800, 1024, 1024},
      {4, 1, 150, 100, 100},   {3, 1, 600, 100, 100},   {2, 0, 50, 0, 0},        {1, 0, 500, 0, 0},
  };
  rank_for_disk_eviction(pods);
  EXPECT_EQ(order(pods), (std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8}));
}

/// exceedDiskRequests with inodes compares with nothing, disk() subtracts the request of ephemeral-storage whatever is measured.
TEST(EvictionPolicy, InodeRankSubtractsBytes) {
  std::vector<DiskCandidate> pods = {{1, 0, 5000, 0, 4000}, {2, 0, 2000, 0, 0}, {3, 0, 0, 0, 0}};
  rank_for_disk_eviction(pods);
  EXPECT_EQ(order(pods), (std::vector<std::size_t>{2, 1, 3}));
}

/// TestOrderedByPriorityProcess.
TEST(EvictionPolicy, PidRank) {
  std::vector<DiskCandidate> pods = {{4, 1, 20}, {3, 1, 6000}, {2, 0, 20}, {1, 0, 6000}};
  rank_for_pid_eviction(pods);
  EXPECT_EQ(order(pods), (std::vector<std::size_t>{1, 2, 3, 4}));
}

TEST(EvictionPolicy, Messages) {
  const Threshold percent{Signal::kImagefsAvailable, {0, 0.15F}, {}, {}};
  const Threshold bytes{Signal::kNodefsAvailable, {kGi}, {}, {}};
  const ContainerUse uses[] = {{"main", 4 * kGi, 0}, {"sidecar", kMi, 2 * kMi}};
  EXPECT_EQ(eviction_message(Signal::kNodefsAvailable, bytes, {900 * kMi, 16 * kGi}, uses),
            "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi. Container main was using 4Gi, request is 0, "
            "has larger consumption of ephemeral-storage. ");
  EXPECT_EQ(eviction_message(Signal::kImagefsAvailable, percent, {900 * kMi, 16 * kGi}, {}),
            "The node was low on resource: ephemeral-storage. Threshold quantity: 2576980480, available: 900Mi. ");
  EXPECT_EQ(eviction_message(Signal::kNodefsInodesFree, {Signal::kNodefsInodesFree, {2'000'000}, {}, {}}, {1'500'000, 3'000'000}, uses),
            "The node was low on resource: inodes. Threshold quantity: 2M, available: 1500k. ");
  EXPECT_EQ(eviction_message(Signal::kPidAvailable, {Signal::kPidAvailable, {1200}, {}, {}}, {500, 4000}, uses),
            "The node was low on resource: pids. Threshold quantity: 1200, available: 500. ");
  EXPECT_EQ(empty_dir_message("cache", kGi), "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\". ");
  EXPECT_EQ(pod_limit_message(512 * kMi), "Pod ephemeral local storage usage exceeds the total limit of containers 512Mi. ");
  EXPECT_EQ(container_limit_message("main", 512 * kMi), "Container main exceeded its local ephemeral storage limit \"512Mi\". ");
}

TEST(EvictionPolicy, Names) {
  EXPECT_EQ(find_signal("imagefs.inodesFree"), Signal::kImagefsInodesFree);
  EXPECT_FALSE(find_signal("memory.available"));
  EXPECT_STREQ(resource_of(Signal::kImagefsAvailable), "ephemeral-storage");
  EXPECT_STREQ(resource_of(Signal::kImagefsInodesFree), "inodes");
  EXPECT_STREQ(resource_of(Signal::kPidAvailable), "pids");
  EXPECT_EQ(default_thresholds().size(), 4u);
}

}  // namespace
}  // namespace sim::k8s::kubelet

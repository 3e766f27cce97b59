#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/restart_backoff.hpp"

namespace sim::k8s::kubelet {
namespace {

using namespace std::chrono_literals;

struct BackoffCase {
  std::string_view name;
  SimDuration runs_for;
  std::vector<std::int64_t> waits_sec;
};
// Reference kubernetes 3.7 and chapter 11.
const BackoffCase kBackoffCases[] = {
    {"ends at once: doubles to the cap", 0s, {0, 10, 20, 40, 80, 160, 300, 300}},
    {"runs 5 s: the same", 5s, {0, 10, 20, 40, 80, 160, 300, 300}},
    {"runs 10 min: still in the series", 600s, {0, 10, 20}},
    {"runs 1 ns longer: starts over", 600s + 1ns, {0, 0, 0}},
};
TEST(KubeletRestartBackoff, Waits) {
  for (const BackoffCase& c : kBackoffCases) {
    SCOPED_TRACE(c.name);
    RestartBackoff backoff;
    SimTime now{};
    for (const std::int64_t want_sec : c.waits_sec) {
      const SimTime ended = now + c.runs_for;
      EXPECT_EQ(backoff.wait_after(ended) / 1s, want_sec);
      now = ended + backoff.wait_after(ended);
      backoff.restarted(ended, now);
    }
  }
}

TEST(KubeletRestartBackoff, StartsOfTheWorkedExample) {
  // A container that runs 5 s each time: starts at 0, 5, 20, 45, 90, 175, 340, 645, 950.
  RestartBackoff backoff;
  SimTime start{};
  std::vector<std::int64_t> starts{0};
  for (int i = 0; i < 8; ++i) {
    const SimTime ended = start + 5s;
    start = ended + backoff.wait_after(ended);
    backoff.restarted(ended, start);
    starts.push_back(start.time_since_epoch() / 1s);
  }
  EXPECT_EQ(starts, (std::vector<std::int64_t>{0, 5, 20, 45, 90, 175, 340, 645, 950}));
}

TEST(KubeletImageBackoff, DoublesAndForgets) {
  ImageBackoff backoff;
  SimTime now{};
  for (const std::int64_t want_sec : {10, 20, 40, 80, 160, 300, 300}) {
    EXPECT_EQ(backoff.failed(now) / 1s, want_sec);
    now += 100s;
  }
  now += 501s;  // 601 s after the last failure
  EXPECT_EQ(backoff.failed(now) / 1s, 10);
}

TEST(KubeletWorker, ComesLateByHalfOfTheLastPieceAtMost) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    RandomStream draws(seed, "test", "worker");
    for (const SimDuration wait : {SimDuration(10s), SimDuration(60s), SimDuration(300s)}) {
      const SimDuration delay = worker_delay(wait, draws);
      EXPECT_GE(delay, wait);
      EXPECT_LE(delay, wait + std::min<SimDuration>(wait, 60s) / 2);
    }
    EXPECT_EQ(worker_delay(0s, draws), SimDuration{});
    const SimDuration retry = image_retry_delay(300s, draws);
    EXPECT_GE(retry, 300s);
    EXPECT_LE(retry, 315s);  // "<= 300 + 15 s after it is repaired"
    EXPECT_GE(image_retry_delay(10s, draws), 10s);
  }
}

}  // namespace
}  // namespace sim::k8s::kubelet

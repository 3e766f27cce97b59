#include "chaos/harness.hpp"

#include <gtest/gtest.h>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

const char* const kFaults = R"(faults:
  crash: {kind: node-crash, at: 2m, duration: 3m, target: {pool: workers, count: 1, pick: random}}
  kill: {kind: process-kill, at: 9m, target: {leaderOf: kube-controller-manager}, component: kube-controller-manager}
expect:
  up: {kind: service, namespace: shop, service: web, availability: 10%}
)";

TEST(Harness, TheSameSeedGivesTheSameRun) {
  const RunOutcome first = run(small_scenario(kFaults), 7);
  const RunOutcome second = run(small_scenario(kFaults), 7);
  EXPECT_EQ(first.event_log_hash, second.event_log_hash);
  EXPECT_EQ(first.event_log_hash.size(), 16u);
  EXPECT_EQ(first.verdict.outages.size(), second.verdict.outages.size());
  EXPECT_NE(first.event_log_hash, run(small_scenario(kFaults), 8).event_log_hash);
}

TEST(Harness, LookingOnLeavesNoTrace) {
  const RunOutcome quiet = run(small_scenario(kFaults), 7);
  RunOptions options;
  std::vector<SimTime> heard;
  options.progress = [&](SimTime now) { heard.push_back(now); };
  options.progress_every = 7min;
  const RunOutcome watched = run(small_scenario(kFaults), 7, options);
  EXPECT_EQ(heard, (std::vector<SimTime>{at(7min), at(14min), at(20min)}));
  EXPECT_EQ(quiet.event_log_hash, watched.event_log_hash);
}

TEST(Harness, AQuietRunHasNoOutages) {
  const RunOutcome outcome = run(small_scenario("expect:\n  up: {kind: service, namespace: shop, service: web, availability: 100%, minServing: 3}\n"));
  EXPECT_TRUE(outcome.verdict.held) << log_text(outcome);
  for (const Outage& outage : outcome.verdict.outages) ADD_FAILURE() << to_string(outage.kind) << " " << outage.subject;
  ASSERT_EQ(outcome.verdict.services.size(), 2u);
  EXPECT_EQ(outcome.verdict.services[0].subject, "Service/shop/db");
  EXPECT_DOUBLE_EQ(outcome.verdict.services[1].availability, 1.0);
  EXPECT_DOUBLE_EQ(outcome.verdict.nodes.availability, 1.0);
  EXPECT_EQ(outcome.verdict.nodes_at_end, 7u);
  EXPECT_TRUE(outcome.verdict.complete);
  EXPECT_EQ(outcome.verdict.ended, at(20min));
  EXPECT_EQ(outcome.verdict.measured_from, at(1min));
}

TEST(Harness, AStoppedRunSaysSo) {
  std::atomic<bool> stop = true;
  RunOptions options;
  options.stop = &stop;
  const RunOutcome outcome = run(small_scenario(kFaults), 1, options);
  EXPECT_EQ(outcome.end, sim::RunEnd::kStopped);
  EXPECT_FALSE(outcome.verdict.complete);
  EXPECT_LT(outcome.verdict.ended, at(20min));
}

TEST(Harness, WithoutItsWorldTheVerdictIsStillWhole) {
  RunOptions options;
  options.keep_world = false;
  const RunOutcome outcome = run(small_scenario(kFaults), 7, options);
  EXPECT_EQ(outcome.world, nullptr);
  bool explained = false;
  for (const Outage& outage : outcome.verdict.outages) explained = explained || outage.why.fault == "crash";
  EXPECT_TRUE(explained);
}

TEST(Harness, OutagesAreBoundedAndTheWorstStay) {
  RunOptions options;
  options.outages_max = 1;
  options.lanes_max = 3;
  const RunOutcome outcome = run(small_scenario("faults:\n  all: {kind: element-down, at: 5m, elements: [zone-1]}\n"), 1, options);
  ASSERT_EQ(outcome.verdict.outages.size(), 1u);
  EXPECT_EQ(outcome.verdict.outages[0].severity, Severity::kAlert);
  EXPECT_GT(outcome.verdict.outages_left_out, 5u);
  EXPECT_EQ(outcome.verdict.lanes.size(), 3u);
  EXPECT_GT(outcome.verdict.lanes_left_out, 0u);
}

// Whatever is hit at whatever second: the run comes to its end, twice the same way.
TEST(Harness, AFaultAtEverySecondNeverCrashesOrHangs) {
  const char* const kinds[] = {
      "{kind: node-crash, at: @, duration: 20s, target: {pool: workers, count: 2}}",
      "{kind: element-down, at: @, duration: 10s, elements: [rack-a]}",
      "{kind: process-kill, at: @, duration: 30s, target: {nodes: [cp-1, cp-2]}, component: etcd}",
      "{kind: drain, at: @, duration: 45s, target: {pool: workers}}",
  };
  for (int second = 0; second < 60; ++second) {
    std::string fault = kinds[second % 4];
    fault.replace(fault.find('@'), 1, std::to_string(second) + "s");
    SCOPED_TRACE(fault);
    const RunOutcome outcome = run(small_scenario("faults:\n  f: " + fault + "\n", "{until: 4m}"), static_cast<std::uint64_t>(second) + 1);
    EXPECT_TRUE(outcome.verdict.complete);
    EXPECT_EQ(outcome.verdict.ended, at(4min));
    EXPECT_EQ(count(outcome, "FaultInjected"), 1u);
  }
}

}  // namespace
}  // namespace chaos

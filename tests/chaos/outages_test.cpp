// What always looks on: nodes, the control plane, lanes, and what a warm-up leaves out. Services and waiting pods have tests of their own.
#include "chaos/outages/outages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

const Lane* lane(const RunOutcome& outcome, std::string_view subject) {
  for (const Lane& one : outcome.verdict.lanes) {
    if (one.subject == subject) return &one;
  }
  return nullptr;
}
std::string states(const Lane* lane) {
  std::string text;
  for (std::size_t i = 0; lane != nullptr && i < lane->intervals.size(); ++i) text += (i == 0 ? "" : " | ") + lane->intervals[i].state;
  return text;
}

TEST(Outages, ACutOffNodeIsDownBeforeTheApiKnows) {
  const RunOutcome outcome = run(small_scenario("faults:\n  cut: {kind: network-partition, at: 2m, duration: 3m, target: {nodes: [w1]}}\n"));
  const Outage* down = find(outcome, OutageKind::kNodeDown, "Node/w1");
  ASSERT_NE(down, nullptr) << log_text(outcome);
  EXPECT_EQ(down->start, at(2min));
  EXPECT_EQ(down->end, at(5min));
  EXPECT_EQ(down->severity, Severity::kNotice);
  EXPECT_EQ(down->why.fault, "cut");
  const Outage* not_ready = find(outcome, OutageKind::kNodeNotReady, "Node/w1");
  ASSERT_NE(not_ready, nullptr);
  EXPECT_GT(not_ready->start, down->start + 39s);
  EXPECT_GT(not_ready->end, down->end);  // reference 7.3: the kubelet has to notice
  EXPECT_EQ(not_ready->why.fault, "cut");
  EXPECT_EQ(states(lane(outcome, "Node/w1")), "Ready | cut off (API says Ready) | cut off | NotReady (Unknown) | Ready");
  EXPECT_EQ(states(lane(outcome, "Node/w2")), "Ready");
}

TEST(Outages, EveryKindIsInTheReferenceOfOutputs) {
  std::ifstream file(std::string(SQUALL_SOURCE_DIR) + "/docs/outputs.md");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (int kind = 0; kind <= static_cast<int>(kLastOutageKind); ++kind) {
    const std::string name = std::string("`") + to_string(static_cast<OutageKind>(kind)) + "`";
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST(Outages, ACordonedNodeIsNotOut) {
  const RunOutcome outcome = run(small_scenario("faults:\n  c: {kind: cordon, at: 2m, duration: 3m, target: {nodes: [w1]}}\n"));
  EXPECT_TRUE(outcome.verdict.outages.empty());
  EXPECT_EQ(states(lane(outcome, "Node/w1")), "Ready | Ready,SchedulingDisabled | Ready");
}

TEST(Outages, ADeletedNodeIsNotMissed) {
  const RunOutcome outcome = run(small_scenario("faults:\n  d: {kind: node-delete, at: 2m, target: {nodes: [w1]}}\n"));
  EXPECT_EQ(find(outcome, OutageKind::kNodeNotReady, "Node/w1"), nullptr);
  const Lane* gone = lane(outcome, "Node/w1");
  ASSERT_NE(gone, nullptr);
  EXPECT_LE(gone->intervals.back().end, at(20min));
}

TEST(Outages, LostQuorumNamesEveryMemberThatIsGone) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  first: {kind: node-crash, at: 2m, duration: 10m, target: {nodes: [cp-1]}}
  second: {kind: node-crash, at: 4m, duration: 2m, target: {nodes: [cp-2]}}
)"));
  const Outage* quorum = find(outcome, OutageKind::kEtcdNoQuorum, "etcd");
  ASSERT_NE(quorum, nullptr) << log_text(outcome);
  EXPECT_EQ(quorum->start, at(4min));
  EXPECT_EQ(quorum->why.fault, "second");
  EXPECT_TRUE(std::any_of(quorum->why.contributing.begin(), quorum->why.contributing.end(),
                          [](const CauseStep& step) { return step.message.find("cp-1") != std::string::npos; }))
      << log_text(outcome);
  EXPECT_NE(find(outcome, OutageKind::kApiUnwritable, "kube-apiserver (write)"), nullptr);
  const auto etcd = std::find_if(outcome.verdict.components.begin(), outcome.verdict.components.end(),
                                 [](const AvailabilityStats& stats) { return stats.subject == "etcd"; });
  ASSERT_NE(etcd, outcome.verdict.components.end());
  EXPECT_EQ(etcd->outages, 1u);
  EXPECT_EQ(etcd->down, quorum->length());
  EXPECT_EQ(etcd->measured, 19min);
}

TEST(Outages, ATakeOverIsLeftToSelfHealing) {
  const RunOutcome outcome = run(small_scenario(
      "faults:\n  k: {kind: process-kill, at: 2m, duration: 5m, target: {leaderOf: kube-scheduler}, component: kube-scheduler}\n"));
  const Outage* gap = find(outcome, OutageKind::kNoScheduler, "kube-scheduler");
  ASSERT_NE(gap, nullptr) << log_text(outcome);
  EXPECT_EQ(gap->severity, Severity::kNone);
  EXPECT_LE(gap->length(), 24s);  // reference 1.9
  EXPECT_EQ(gap->why.fault, "k");
}

TEST(Outages, TheWarmUpCountsInNoFigure) {
  const std::string fault = "faults:\n  k: {kind: node-reboot, at: 1m, target: {nodes: [w1]}}\n";
  const RunOutcome with = run(small_scenario(fault, "{until: 1h, warmUp: 2m}"));
  const Outage* down = find(with, OutageKind::kNodeDown, "Node/w1");
  ASSERT_NE(down, nullptr);
  EXPECT_EQ(down->start, at(1min)) << "as it was, not as the window cuts it";
  const RunOutcome after = run(small_scenario(fault, "{until: 1h, warmUp: 50m}"));
  EXPECT_TRUE(after.verdict.outages.empty());
  EXPECT_DOUBLE_EQ(after.verdict.nodes.availability, 1.0);
  EXPECT_EQ(after.verdict.nodes.measured, 7 * 10min);
}

// Without an API server nobody marks a node NotReady; it is gone all the same.
TEST(Outages, NodesThatAreDownAreNotAvailableWhateverTheApiSays) {
  const RunOutcome outcome = run(small_scenario("faults:\n  all: {kind: node-power-off, at: 5m, target: {selector: {kubernetes.io/os: linux}}}\n", "{until: 21m, warmUp: 1m}"));
  EXPECT_NEAR(outcome.verdict.nodes.availability, 0.2, 1e-3);
}

Outage outage(OutageKind kind, Severity severity, SimDuration length) {
  Outage one;
  one.kind = kind;
  one.severity = severity;
  one.end = SimTime{} + length;
  return one;
}
// Ten thousand Services that flap must not hide the API server that took them down.
TEST(Outages, OfEachKindTheWorstIsKept) {
  std::vector<Outage> outages;
  for (int i = 0; i < 100; ++i) outages.push_back(outage(OutageKind::kServiceDown, Severity::kAlert, std::chrono::seconds(i + 1)));
  for (int i = 0; i < 6; ++i) outages.push_back(outage(OutageKind::kApiUnwritable, Severity::kNotice, std::chrono::minutes(i + 1)));
  outages.push_back(outage(OutageKind::kNodeDown, Severity::kNone, 1s));
  EXPECT_EQ(keep_worst(outages, 20), 87u);
  const auto count = [&](OutageKind kind) { return std::count_if(outages.begin(), outages.end(), [kind](const Outage& one) { return one.kind == kind; }); };
  // 10 of 20 places for three kinds: 3 each; what is left goes to what users saw.
  EXPECT_EQ(count(OutageKind::kApiUnwritable), 3);
  EXPECT_EQ(count(OutageKind::kNodeDown), 1);
  EXPECT_EQ(count(OutageKind::kServiceDown), 16);
  for (const Outage& one : outages) {
    if (one.kind == OutageKind::kServiceDown) {
      EXPECT_GE(one.length(), 85s);
    } else if (one.kind == OutageKind::kApiUnwritable) {
      EXPECT_GE(one.length(), 4min);
    }
  }
  EXPECT_EQ(keep_worst(outages, 20), 0u);
  EXPECT_EQ(keep_worst(outages, 1), 19u);
  EXPECT_EQ(outages.size(), 1u);
}

TEST(Outages, QuietNodesOfALargeClusterHaveNoLane) {
  std::string text = small_scenario("faults:\n  k: {kind: node-crash, at: 2m, target: {nodes: [w7]}}\n");
  text.replace(text.find("{count: 4,"), 10, "{count: 300,");
  const RunOutcome outcome = run(text);
  EXPECT_NE(lane(outcome, "Node/w7"), nullptr);
  EXPECT_EQ(lane(outcome, "Node/w8"), nullptr);
  EXPECT_EQ(outcome.verdict.lanes_left_out, 302u);
}

TEST(Outages, APodThatFindsNoPlaceTellsWhy) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  full: {kind: cordon, at: 2m, duration: 5m, target: {pool: workers}}
  kill: {kind: pod-delete, at: 3m, target: {namespace: shop, pods: [db-0]}}
)"));
  const Outage* pending = find(outcome, OutageKind::kPodPending, "Pod/shop/db-0");
  ASSERT_NE(pending, nullptr) << log_text(outcome);
  EXPECT_EQ(pending->why.fault, "kill");
  ASSERT_FALSE(pending->why.steps.empty());
  EXPECT_EQ(pending->why.steps.front().kind, "FailedScheduling");
  EXPECT_EQ(outcome.verdict.pods_pending_long, 1u);
  EXPECT_EQ(outcome.verdict.pods_pending_longest, pending->length());
}

}  // namespace
}  // namespace chaos

// Somebody who is told of a fault mends it: after a page, after a ticket, or before it comes.
#include <gtest/gtest.h>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

const std::string kWatched = R"(monitoring:
  rules: [kubernetes]
  prometheus: {p: {outside: true}}
  alertmanagers: {main: {outside: true}}
)";

// KubeDeploymentReplicasMismatch, 15 minutes: a ticket; who reads it mends what kubectl describe shows.
TEST(MendedAfter, WhoReadsTheTicketMendsIt) {
  const std::string fault = "faults:\n  k: {kind: node-crash, at: 5m, mendedAfterTicket: 1h, target: {nodes: [w1, w2, w3, w4]}}\n";
  const RunOutcome outcome = run(small_scenario(kWatched + fault, "{until: 3h, warmUp: 1m}"));
  ASSERT_EQ(outcome.verdict.faults.size(), 1u);
  const FaultRun& crash = outcome.verdict.faults[0];
  ASSERT_TRUE(crash.ended) << log_text(outcome);
  ASSERT_FALSE(outcome.verdict.notifications.empty());
  EXPECT_EQ(*crash.ended, outcome.verdict.notifications[0].at + 1h);
  EXPECT_TRUE(crash.outcome.starts_with("mended by who was told by Kube")) << crash.outcome;
  EXPECT_EQ(outcome.world->log.kind(outcome.world->log.at(outcome.world->log.at(sim::CauseId{static_cast<std::uint32_t>(records(outcome, "FaultEnded")[0] - outcome.world->log.records().data() + 1)}).cause)),
            "AlertNotified");
  // Nobody reads pages where there are none.
  const RunOutcome paged = run(small_scenario(kWatched + "faults:\n  k: {kind: node-crash, at: 5m, mendedAfterPage: 1h, target: {nodes: [w1]}}\n", "{until: 3h, warmUp: 1m}"));
  EXPECT_FALSE(paged.verdict.faults[0].ended);
  // The end that is planned comes first.
  const RunOutcome planned = run(small_scenario(kWatched + "faults:\n  k: {kind: node-crash, at: 5m, duration: 30m, mendedAfterTicket: 1h, target: {nodes: [w1, w2, w3, w4]}}\n", "{until: 3h, warmUp: 1m}"));
  EXPECT_EQ(*planned.verdict.faults[0].ended, SimTime(35min));
  EXPECT_EQ(planned.verdict.faults[0].outcome, "done");
}

TEST(MendedAfter, WhatIsForeseenIsAverted) {
  const auto with = [](const std::string& after) {
    return small_scenario(kWatched + "faults:\n  c: {kind: certificate-expiry, at: 8d, mendedAfterTicket: " + after + ", target: {selector: {kubernetes.io/os: linux}}}\n", "{until: 10d, warmUp: 1m}");
  };
  const RunOutcome in_time = run(with("2d"));  // 7 days before: on day 1
  ASSERT_EQ(in_time.verdict.faults.size(), 1u);
  EXPECT_TRUE(in_time.verdict.faults[0].outcome.starts_with("not injected: mended at 3d")) << in_time.verdict.faults[0].outcome;
  EXPECT_FALSE(in_time.verdict.faults[0].failed);
  EXPECT_EQ(count(in_time, "CertificateExpired"), 0u);
  EXPECT_EQ(count(in_time, "FaultAverted"), 1u);
  const RunOutcome late = run(with("8d"));  // on day 9: a day too late
  ASSERT_TRUE(late.verdict.faults[0].ended);
  EXPECT_GE(*late.verdict.faults[0].ended, SimTime(9 * 24h));
  EXPECT_LT(*late.verdict.faults[0].ended, SimTime(9 * 24h + 10min));
}

TEST(MendedAfter, NeedsSomebodyWhoIsToldAndSomethingThatLasts) {
  EXPECT_NE(problems_of(small_scenario("faults:\n  k: {kind: node-crash, at: 5m, mendedAfterPage: 1h, target: {nodes: [w1]}}\n")).find("the scenario has no section 'monitoring'"), std::string::npos);
  EXPECT_EQ(problems_of(small_scenario(kWatched + "faults:\n  k: {kind: node-crash, at: 5m, mendedAfterPage: 1h, target: {nodes: [w1]}}\n")), "");
}

}  // namespace
}  // namespace chaos

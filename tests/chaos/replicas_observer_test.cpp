// Workloads that have fewer available replicas than they want, for longer than self-healing takes.
#include <gtest/gtest.h>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr OutageKind kMissing = OutageKind::kReplicasMissing;

// Evicted 50 s + 300 s after the crash, and the replacement runs seconds later: nobody needs to know.
TEST(ReplicasMissing, WhatSelfHealingMendsIsNone) {
  const RunOutcome outcome = run(small_scenario("faults:\n  k: {kind: node-crash, at: 5m, target: {nodes: [w1]}}\n", "{until: 1h, warmUp: 1m}"));
  EXPECT_EQ(find(outcome, kMissing, "Deployment/shop/web"), nullptr);
}

TEST(ReplicasMissing, PodsWithoutAPlaceAre) {
  const RunOutcome outcome = run(small_scenario("faults:\n  k: {kind: node-crash, at: 5m, duration: 40m, target: {nodes: [w1, w2, w3, w4]}}\n", "{until: 1h, warmUp: 1m}"));
  const Outage* missing = find(outcome, kMissing, "Deployment/shop/web");
  ASSERT_NE(missing, nullptr) << log_text(outcome);
  EXPECT_EQ(missing->severity, Severity::kNotice);
  // As the API says: when the nodes are NotReady.
  EXPECT_GE(missing->start, SimTime(5min + 40s));
  EXPECT_LE(missing->start, SimTime(5min + 60s));
  EXPECT_GE(missing->end, SimTime(45min));
  EXPECT_FALSE(missing->open);
  EXPECT_EQ(missing->why.fault, "k");
  EXPECT_NE(find(outcome, kMissing, "StatefulSet/shop/db"), nullptr);
}

TEST(ReplicasMissing, OnesThatNeverStartAreMissingFromTheBeginning) {
  const RunOutcome outcome = run(small_scenario(R"(  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: huge, namespace: shop}
  spec:
    replicas: 1
    selector: {matchLabels: {app: huge}}
    template: {metadata: {labels: {app: huge}}, spec: {containers: [{name: huge, image: "huge:1", resources: {requests: {cpu: 100}}}]}}
)"));
  const Outage* missing = find(outcome, kMissing, "Deployment/shop/huge");
  ASSERT_NE(missing, nullptr);
  EXPECT_LT(missing->start, SimTime(1s));
  EXPECT_TRUE(missing->open);
}

}  // namespace
}  // namespace chaos

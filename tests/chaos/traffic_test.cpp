// Requests of users through the failures that operators know: reference kubernetes 5.1, 5.2, 7.1 in seconds and shares.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/models/traffic/traffic.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using sim::traffic::Failure;
using sim::traffic::Traffic;

std::string shop(const std::string& traffic, const std::string& faults, const std::string& more = "") {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: shop}
run: {until: 30m, warmUp: 5m}
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  workers: {count: 4, nodeName: "w{n}", cpu: 8, memory: 16Gi}
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 4
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
        containers:
        - {name: web, image: "web:1", resources: {requests: {cpu: 500m, memory: 256Mi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
traffic:
  shop: {service: shop/web, requestsPerSecond: 100, serviceTime: 20ms, workers: 8, timeout: 1s)" + traffic + "}\n" + (faults.empty() ? "" : "faults:\n" + faults) + more;
}

const Traffic::Step& step_at(const RunOutcome& outcome, SimTime at) {
  const std::vector<Traffic::Step>& steps = outcome.world->traffic->steps(0);
  std::size_t i = steps.size() - 1;
  while (i > 0 && steps[i].at > at) --i;
  return steps[i];
}

TEST(Traffic, AQuietClusterAnswersEverything) {
  const RunOutcome outcome = run(shop("", ""));
  ASSERT_NE(outcome.world, nullptr);
  ASSERT_EQ(outcome.verdict.requests.size(), 1u);
  const RequestStats& stats = outcome.verdict.requests[0];
  EXPECT_EQ(stats.subject, "Traffic/shop");
  EXPECT_NEAR(stats.requests, 100.0 * 25 * 60, 1.0);
  EXPECT_GT(stats.success, 0.999999);
  // Nobody waits: the service time alone.
  EXPECT_NEAR(stats.p50, 0.020 * std::log(2.0), 1e-3);
  EXPECT_EQ(find(outcome, OutageKind::kRequestsFailing, "Traffic/shop"), nullptr);
}

TEST(Traffic, ACrashedNodeCostsAQuarterOfTheRequestsUntilKubernetesNotices) {
  const RunOutcome outcome = run(shop("", "  dead: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n"));
  ASSERT_NE(outcome.world, nullptr);
  // The clients on that node are gone with it; of the others' requests one in four goes to the dead endpoint and gets no answer.
  const Traffic::Step& during = step_at(outcome, SimTime(10min + 20s));
  EXPECT_NEAR(during.mix.success(), 0.75, 1e-6);
  EXPECT_NEAR(during.mix.failed(Failure::kSilent), 0.25, 1e-6);
  // 7.1: NotReady after 40 to 55 s, then the endpoints go, and a run of kube-proxy follows.
  const Outage* outage = find(outcome, OutageKind::kRequestsFailing, "Traffic/shop");
  ASSERT_NE(outage, nullptr) << log_text(outcome);
  EXPECT_EQ(outage->start, SimTime(10min));
  EXPECT_GE(outage->length(), 40s);
  EXPECT_LE(outage->length(), 57s);
  EXPECT_EQ(outage->why.fault, "dead");
  EXPECT_GT(step_at(outcome, SimTime(20min)).mix.success(), 0.999999);
}

TEST(Traffic, ARetryHidesMostOfItAndTakesTheTimeout) {
  const RunOutcome outcome = run(shop(", retries: 1", "  dead: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n"));
  ASSERT_NE(outcome.world, nullptr);
  const Traffic::Step& during = step_at(outcome, SimTime(10min + 20s));
  EXPECT_NEAR(during.mix.success(), 1.0 - 1.0 / 16.0, 1e-6);
  EXPECT_GT(during.mix.quantile(0.9), 1.0);
  EXPECT_LT(during.mix.quantile(0.7), 0.1);
}

TEST(Traffic, AServiceScaledToNothingRefusesAtOnce) {
  const RunOutcome outcome = run(shop("", "  nothing: {kind: scale, at: 10m, duration: 5m, namespace: shop, object: web, replicas: 0}\n"));
  ASSERT_NE(outcome.world, nullptr);
  const Traffic::Step& during = step_at(outcome, SimTime(12min));
  EXPECT_EQ(during.mix.success(), 0.0);
  EXPECT_EQ(during.mix.failed(Failure::kNoEndpoints), 1.0);
  const Outage* outage = find(outcome, OutageKind::kRequestsFailing, "Traffic/shop");
  ASSERT_NE(outage, nullptr);
  EXPECT_EQ(outage->why.fault, "nothing");
  EXPECT_NEAR(sim::seconds(outage->length()), 300.0, 15.0);
}

TEST(Traffic, APartitionedNodeKeepsItsOldRules) {
  // w4 is cut off: its kube-proxy is frozen, its clients reach only the endpoint beside them. After the others' rules have dropped w4's endpoint they lose nothing.
  const RunOutcome outcome = run(shop("", "  cut: {kind: network-partition, at: 10m, duration: 15m, target: {nodes: [w4]}}\n"));
  ASSERT_NE(outcome.world, nullptr);
  const Traffic::Step& late = step_at(outcome, SimTime(13min));
  // A quarter of the clients is on w4: three of their four endpoints are away.
  EXPECT_NEAR(late.mix.success(), 0.75 + 0.25 * 0.25, 1e-6);
  EXPECT_NEAR(late.mix.failed(Failure::kSilent), 0.25 * 0.75, 1e-6);
  EXPECT_GT(step_at(outcome, SimTime(28min)).mix.success(), 0.999999);
}

TEST(Traffic, ALoadBalancerLosesANodeUntilItsChecksNotice) {
  const RunOutcome outcome = run(shop(", from: [control], loadBalancer: {interval: 5s, unhealthyThreshold: 2}", "  dead: {kind: node-power-off, at: 10m, duration: 5m, target: {nodes: [cp-3]}}\n"));
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_NEAR(step_at(outcome, SimTime(10min + 5s)).mix.success(), 2.0 / 3.0, 1e-6);
  EXPECT_GT(step_at(outcome, SimTime(10min + 11s)).mix.success(), 0.999999);
  const Outage* outage = find(outcome, OutageKind::kRequestsFailing, "Traffic/shop");
  ASSERT_NE(outage, nullptr);
  EXPECT_EQ(outage->length(), 10s);
}

TEST(Traffic, ARollingUpdateLosesNothingThatServes) {
  const RunOutcome outcome = run(shop("", "  new: {kind: rollout, at: 10m, namespace: shop}\n"));
  ASSERT_NE(outcome.world, nullptr);
  // SIGTERM and the endpoint's removal race: a pod that stops listening at once loses what still comes, for less than two seconds each.
  const Outage* outage = find(outcome, OutageKind::kRequestsFailing, "Traffic/shop");
  if (outage != nullptr) {
    EXPECT_LT(outage->length(), 3s);
  }
  EXPECT_GT(outcome.verdict.requests[0].success, 0.998);
}

TEST(Traffic, RetriesKeepAnOverloadUpAfterItsCause) {
  // Four pods do 400 requests a second; 320 come. With one node gone there are 300, and four retries turn that into a flood which three or four cannot end.
  std::string text = shop(", retries: 4", "  dead: {kind: node-crash, at: 10m, duration: 2m, target: {nodes: [w1]}}\n");
  const auto change = [&](const std::string& from, const std::string& to) { text.replace(text.find(from), from.size(), to); };
  change("requestsPerSecond: 100", "requestsPerSecond: 320");
  change("serviceTime: 20ms", "serviceTime: 80ms");
  const RunOutcome outcome = run(text);
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_GT(step_at(outcome, SimTime(9min)).mix.success(), 0.99);
  EXPECT_LT(step_at(outcome, SimTime(29min)).mix.success(), 0.9) << "the node is long back";
  change("retries: 4", "retries: 0");
  const RunOutcome without = run(text);
  ASSERT_NE(without.world, nullptr);
  EXPECT_GT(step_at(without, SimTime(29min)).mix.success(), 0.98);
}

TEST(Traffic, ExpectationsAreJudgedOverTheirWindow) {
  const std::string expect = R"(expect:
  most: {kind: requests, traffic: shop, answered: 99%}
  all: {kind: requests, traffic: shop, answered: 99.9%, from: 9m, to: 12m}
  never: {kind: requests, traffic: shop, neverBelow: 80%}
  soon: {kind: requests, traffic: shop, p99: 500ms, p50: 50ms}
  away: {kind: requests, traffic: shop, longestOutage: 30s}
)";
  const RunOutcome outcome = run(shop("", "  dead: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n", expect));
  ASSERT_EQ(outcome.verdict.expectations.size(), 5u);
  EXPECT_TRUE(outcome.verdict.expectations[0].held) << outcome.verdict.expectations[0].measures[0].measured;
  const ExpectationResult& all = outcome.verdict.expectations[1];
  EXPECT_FALSE(all.held);
  // 180 s may lose 0.18 s of requests; a quarter fails from 10:00 on: broken after 0.72 s.
  ASSERT_TRUE(all.measures[0].first_violation);
  EXPECT_NEAR(sim::seconds(*all.measures[0].first_violation - SimTime(10min)), 0.72, 0.01);
  EXPECT_EQ(all.measures[0].why.fault, "dead");
  EXPECT_FALSE(outcome.verdict.expectations[2].held);
  EXPECT_NEAR(outcome.verdict.expectations[2].measures[0].measured, 0.75, 1e-6);
  EXPECT_TRUE(outcome.verdict.expectations[3].held);
  EXPECT_FALSE(outcome.verdict.expectations[4].held);
}

TEST(Traffic, TheSameSeedGivesTheSame) {
  const std::string text = shop(", retries: 2", "  dead: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n");
  EXPECT_EQ(run(text).event_log_hash, run(text).event_log_hash);
}

}  // namespace
}  // namespace chaos

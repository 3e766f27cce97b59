// rollout: what kubectl rollout restart does, and when kubectl rollout status says that it is over.
#include <gtest/gtest.h>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

const FaultRun& only_fault(const RunOutcome& outcome) { return outcome.verdict.faults.at(0); }

/// When the pods of an app were made, those that are there at the end.
std::vector<SimTime> made(const RunOutcome& outcome, std::string_view prefix) {
  std::vector<SimTime> times;
  outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
    if (outcome.world->names.text(pod.meta.name).starts_with(prefix)) times.push_back(pod.meta.created);
  });
  return times;
}

TEST(Rollout, ReplacesEveryPodAndIsDoneWhenTheLastIsAvailable) {
  const RunOutcome outcome = run(small_scenario("faults:\n  f: {kind: rollout, at: 5m, namespace: shop, objects: [web]}\n"));
  ASSERT_NE(outcome.world, nullptr);
  const std::vector<SimTime> times = made(outcome, "web-");
  ASSERT_EQ(times.size(), 3u);
  for (const SimTime time : times) EXPECT_GE(time, SimTime(5min));
  ASSERT_TRUE(only_fault(outcome).ended);
  EXPECT_FALSE(only_fault(outcome).failed);
  // Three pods with a surge of one: at least two start one after the other, each half a second and more.
  EXPECT_GT(*only_fault(outcome).ended, SimTime(5min + 1s));
  EXPECT_LT(*only_fault(outcome).ended, SimTime(6min));
  for (const SimTime time : times) EXPECT_LT(time, *only_fault(outcome).ended);
  EXPECT_EQ(count(outcome, "RolloutRestarted", "Deployment/shop/web"), 1u);
  EXPECT_EQ(count(outcome, "ServiceHasNoEndpoints", "Service/shop/web"), 0u);
}

TEST(Rollout, OfAStatefulSetIsDoneWithItsNewRevision) {
  const RunOutcome outcome = run(small_scenario("faults:\n  f: {kind: rollout, at: 5m, workload: StatefulSet, namespace: shop, objects: [db]}\n"));
  ASSERT_NE(outcome.world, nullptr);
  const std::vector<SimTime> times = made(outcome, "db-");
  ASSERT_EQ(times.size(), 1u);
  EXPECT_GE(times[0], SimTime(5min));
  ASSERT_TRUE(only_fault(outcome).ended);
  EXPECT_FALSE(only_fault(outcome).failed);
}

TEST(Rollout, FailsWhenTheProgressDeadlineIsExceeded) {
  const RunOutcome outcome = run(small_scenario(
      "faults:\n  full: {kind: cordon, at: 4m, target: {pool: workers}}\n  f: {kind: rollout, at: 5m, namespace: shop, objects: [web]}\n", "{until: 30m, warmUp: 1m}"));
  ASSERT_NE(outcome.world, nullptr);
  const FaultRun& rollout = outcome.verdict.faults.at(1);
  ASSERT_TRUE(rollout.ended);
  EXPECT_TRUE(rollout.failed);
  EXPECT_NE(rollout.outcome.find("Deployment/shop/web exceeded its progress deadline"), std::string::npos) << rollout.outcome;
  EXPECT_NEAR(std::chrono::duration<double>(*rollout.ended - SimTime(5min)).count(), 600.0, 5.0);
}

TEST(Rollout, EveryMinuteAtRandomIsTheSameForTheSameSeed) {
  const std::string text = small_scenario("faults:\n  f: {kind: rollout, at: 2m, every: 1m, count: 1, pick: random, workload: Deployment}\n");
  const RunOutcome one = run(text);
  const RunOutcome other = run(text);
  ASSERT_NE(one.world, nullptr);
  EXPECT_EQ(one.world->log.hash(), other.world->log.hash());
  EXPECT_GE(one.verdict.faults.size(), 17u);
  EXPECT_EQ(count(one, "RolloutRestarted", ""), one.verdict.faults.size());
}

TEST(Rollout, APausedDeploymentCannotBeRestarted) {
  std::string text = small_scenario("faults:\n  f: {kind: rollout, at: 5m, namespace: shop, objects: [web]}\n");
  const std::string replicas = "    replicas: 3\n";
  text.insert(text.find(replicas), "    paused: true\n");
  const RunOutcome outcome = run(text);
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_TRUE(only_fault(outcome).failed);
  EXPECT_NE(only_fault(outcome).outcome.find("can't restart paused deployment"), std::string::npos) << only_fault(outcome).outcome;
}

TEST(Rollout, WhatIsNotThereIsToldBeforeTheRun) {
  const auto problem = [](const std::string& fault) { return problems_of(small_scenario("faults:\n  f: " + fault + "\n")); };
  EXPECT_NE(problem("{kind: rollout, at: 1m, namespace: shop, objects: [wep]}").find("did you mean 'web'"), std::string::npos);
  EXPECT_NE(problem("{kind: rollout, at: 1m, workload: DaemonSet}").find("no DaemonSet to roll out"), std::string::npos);
  EXPECT_NE(problem("{kind: rollout, at: 1m, selector: {app: nothing}}").find("no Deployment with labels app=nothing to roll out"), std::string::npos);
}

}  // namespace
}  // namespace chaos

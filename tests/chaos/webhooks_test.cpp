// Admission webhooks end to end: who is let in while what must admit it is down, in whose words, and why.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/webhooks/webhooks.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

/// The policy engine on w1 only, as long as w1 is there; `fields` go into its webhook.
std::string platform(const std::string& fields, const std::string& more, const std::string& run = "{until: 1h, warmUp: 5m}", const std::string& control_plane = "{}") {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: hooks}
run: )" + run + R"(
controlPlane: )" + control_plane + R"(
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  workers: {count: 3, nodeName: "w{n}", cpu: 8, memory: 16Gi}
objects: |
  apiVersion: v1
  kind: Namespace
  metadata: {name: policy}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: engine, namespace: policy}
  spec:
    replicas: 1
    selector: {matchLabels: {app: engine}}
    template:
      metadata: {labels: {app: engine}}
      spec:
        affinity:
          nodeAffinity:
            preferredDuringSchedulingIgnoredDuringExecution:
            - {weight: 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [w1]}]}}
        containers: [{name: engine, image: "engine:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: hook, namespace: policy}
  spec: {selector: {app: engine}, ports: [{port: 443}]}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 3
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web, tier: front}}
      spec:
        containers: [{name: web, image: "web:1", resources: {requests: {cpu: 500m, memory: 256Mi}}}]
  ---
  apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingWebhookConfiguration
  metadata: {name: policy}
  webhooks:
  - name: pods.policy.example
    clientConfig: {service: {namespace: policy, name: hook, path: /validate}}
    rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}]
    sideEffects: None
    admissionReviewVersions: [v1]
)" + fields + more;
}
const std::string kCrash = "faults:\n  crash: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n";
const std::string kLoseWeb = "faults:\n  crash: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n  lost: {kind: pod-delete, at: WHEN, target: {namespace: shop, selector: {app: web}, count: 1}}\n";

std::string lose_web_at(const std::string& when) {
  std::string text = kLoseWeb;
  return text.replace(text.find("WHEN"), 4, when);
}
std::string message(const RunOutcome& outcome, const sim::EventLog::Record* record) { return std::string(outcome.world->log.message(*record)); }
const sim::EventLog::Record* of_owner(const RunOutcome& outcome, std::string_view kind, std::string_view owner) {
  for (const sim::EventLog::Record* record : records(outcome, kind)) {
    if (outcome.world->log.subject(*record).find(owner) != std::string::npos) return record;
  }
  return nullptr;
}
std::int64_t available(const RunOutcome& outcome, std::string_view ns, std::string_view name) {
  const sim::World& world = *outcome.world;
  return world.api.get(world.api.find<sim::k8s::Deployment>(world.names.find(ns), world.names.find(name)))->available_replicas;
}
sim::CauseId id_of(const RunOutcome& outcome, const sim::EventLog::Record* record) {
  return sim::CauseId{static_cast<std::uint32_t>(record - outcome.world->log.records().data() + 1)};
}

TEST(Webhooks, OneThatMustAdmitItselfStaysDown) {
  RunOptions options;
  const RunOutcome outcome = run(platform("", kCrash), 1, options);
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_EQ(available(outcome, "policy", "engine"), 0);
  const sim::EventLog::Record* refused = of_owner(outcome, "FailedCreate", "ReplicaSet/policy/engine");
  ASSERT_NE(refused, nullptr) << log_text(outcome);
  EXPECT_EQ(message(outcome, refused),
            "Error creating: Internal error occurred: failed calling webhook \"pods.policy.example\": failed to call webhook: Post "
            "\"https://hook.policy.svc:443/validate?timeout=10s\": dial tcp hook.policy.svc:443: connect: connection refused");
  // Evicted 50 s + 300 s after the crash.
  EXPECT_GT(refused->time, sim::SimTime(10min + 340s));
  std::string chain;
  for (const sim::CauseId step : outcome.world->log.chain(id_of(outcome, refused))) chain += outcome.world->log.kind(outcome.world->log.at(step)) + " ";
  EXPECT_NE(chain.find("HostCrashed"), std::string::npos) << chain;
  EXPECT_NE(chain.find("FaultInjected"), std::string::npos) << chain;
  // A failure that repeats is recorded once.
  EXPECT_EQ(count(outcome, "FailedCreate", outcome.world->log.subject(*refused)), 1u);
}

TEST(Webhooks, OneThatLeavesItsNamespaceOutComesBackAndTheOthersAfterIt) {
  const RunOutcome outcome =
      run(platform("    namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [policy]}]}\n", kCrash));
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_EQ(available(outcome, "policy", "engine"), 1);
  EXPECT_EQ(available(outcome, "shop", "web"), 3) << log_text(outcome);
  EXPECT_EQ(of_owner(outcome, "FailedCreate", "ReplicaSet/policy/engine"), nullptr);
}

TEST(Webhooks, OneThatFailsOpenKeepsNobodyOut) {
  const RunOutcome outcome = run(platform("    failurePolicy: Ignore\n", kCrash));
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_EQ(count(outcome, "FailedCreate"), 0u);
  EXPECT_EQ(available(outcome, "policy", "engine"), 1);
  EXPECT_EQ(available(outcome, "shop", "web"), 3);
}

// For 50 s after the crash the API lists the dead pod: a call to it takes the whole timeout.
TEST(Webhooks, ASilentEndpointTakesTheWholeTimeout) {
  const RunOutcome closed = run(platform("    timeoutSeconds: 7\n", lose_web_at("10m5s"), "{until: 10m40s, warmUp: 5m}"));
  ASSERT_NE(closed.world, nullptr);
  const sim::EventLog::Record* refused = of_owner(closed, "FailedCreate", "ReplicaSet/shop/web");
  ASSERT_NE(refused, nullptr) << log_text(closed);
  EXPECT_NE(message(closed, refused).find("?timeout=7s\": context deadline exceeded"), std::string::npos) << message(closed, refused);
  EXPECT_GE(refused->time, sim::SimTime(10min + 12s));
  EXPECT_LT(refused->time, sim::SimTime(10min + 13s));

  const RunOutcome open = run(platform("    timeoutSeconds: 7\n    failurePolicy: Ignore\n", lose_web_at("10m5s"), "{until: 10m40s, warmUp: 5m}"));
  bool made = false;
  for (const sim::EventLog::Record* record : records(open, "SuccessfulCreate")) {
    if (record->time < sim::SimTime(10min)) continue;
    made = true;
    EXPECT_GE(record->time, sim::SimTime(10min + 12s));
    EXPECT_LT(record->time, sim::SimTime(10min + 13s));
  }
  EXPECT_TRUE(made) << log_text(open);
}

TEST(Webhooks, AggregatorRoutingSaysThatThereAreNoEndpoints) {
  const RunOutcome outcome = run(platform("", kCrash, "{until: 30m, warmUp: 5m}", "{aggregatorRouting: true}"));
  const sim::EventLog::Record* refused = of_owner(outcome, "FailedCreate", "ReplicaSet/policy/engine");
  ASSERT_NE(refused, nullptr);
  EXPECT_TRUE(message(outcome, refused).ends_with("no endpoints available for service \"hook\"")) << message(outcome, refused);
}

TEST(Webhooks, SelectorsOfObjectsLeaveOthersAlone) {
  const RunOutcome outcome = run(platform("    objectSelector: {matchLabels: {tier: front}}\n", kCrash));
  EXPECT_EQ(available(outcome, "policy", "engine"), 1);
  EXPECT_EQ(available(outcome, "shop", "web"), 3);
}

/// All that a rule can catch beside pods: a CronJob's Jobs.
TEST(Webhooks, JobsAreRefusedToo) {
  const std::string cron = R"(  - name: jobs.policy.example
    clientConfig: {service: {namespace: policy, name: hook}}
    rules: [{operations: ["*"], apiGroups: [batch], apiVersions: ["*"], resources: [jobs, cronjobs]}]
    sideEffects: None
    admissionReviewVersions: [v1]
  ---
  apiVersion: batch/v1
  kind: CronJob
  metadata: {name: report, namespace: shop}
  spec:
    schedule: "*/20 * * * *"
    jobTemplate:
      spec:
        template:
          spec:
            restartPolicy: Never
            containers: [{name: report, image: "report:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]
)";
  const RunOutcome outcome = run(platform(cron, kCrash));
  const sim::EventLog::Record* refused = of_owner(outcome, "FailedCreate", "CronJob/shop/report");
  ASSERT_NE(refused, nullptr) << log_text(outcome);
  EXPECT_TRUE(message(outcome, refused).starts_with("Error creating job: Internal error occurred: failed calling webhook \"jobs.policy.example\"")) << message(outcome, refused);
  EXPECT_GE(refused->time, sim::SimTime(20min));
}

// Installed into a cluster that runs: at the start nobody waits for it, not even one whose Service never gets an endpoint.
TEST(Webhooks, AServiceThatDoesNotExistRefusesFromTheEndOfTheWarmUpOn) {
  const std::string other = R"(  - name: lost.policy.example
    clientConfig: {service: {namespace: policy, name: gone}}
    rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}]
    sideEffects: None
    admissionReviewVersions: [v1]
)";
  const RunOutcome outcome = run(platform(other, "faults:\n  lost: {kind: pod-delete, at: 10m, target: {namespace: shop, selector: {app: web}, count: 1}}\n"));
  const sim::EventLog::Record* refused = of_owner(outcome, "FailedCreate", "ReplicaSet/shop/web");
  ASSERT_NE(refused, nullptr) << log_text(outcome);
  EXPECT_TRUE(message(outcome, refused).ends_with("Post \"https://gone.policy.svc:443/?timeout=10s\": service \"gone\" not found")) << message(outcome, refused);
  EXPECT_GE(refused->time, sim::SimTime(10min));
  EXPECT_EQ(available(outcome, "policy", "engine"), 1);
}

// Mutating webhooks are asked one after the other, validating ones together; a request has 60 s in all.
TEST(Webhooks, TimeoutsAddUpInTurn) {
  const auto hook = [](const std::string& name, const std::string& timeout) {
    return "  - name: " + name + ".policy.example\n    clientConfig: {service: {namespace: policy, name: hook}}\n" +
           "    rules: [{operations: [CREATE], apiGroups: [\"\"], apiVersions: [v1], resources: [pods]}]\n    failurePolicy: Ignore\n    sideEffects: None\n" +
           "    admissionReviewVersions: [v1]\n    timeoutSeconds: " + timeout + "\n";
  };
  const std::string mutating = "  ---\n  apiVersion: admissionregistration.k8s.io/v1\n  kind: MutatingWebhookConfiguration\n  metadata: {name: inject}\n  webhooks:\n";
  const std::string head = "    failurePolicy: Ignore\n    timeoutSeconds: 2\n" + hook("b", "4") + mutating + hook("c", "3") + hook("d", "5");
  const RunOutcome outcome = run(platform(head, lose_web_at("10m5s"), "{until: 10m40s, warmUp: 5m}"));
  bool made = false;
  for (const sim::EventLog::Record* record : records(outcome, "SuccessfulCreate")) {
    if (record->time < sim::SimTime(10min)) continue;
    made = true;
    EXPECT_GE(record->time, sim::SimTime(10min + 17s)) << "3 + 5 + max(2, 4)";
    EXPECT_LT(record->time, sim::SimTime(10min + 18s));
  }
  EXPECT_TRUE(made) << log_text(outcome);

  const RunOutcome late = run(platform("    failurePolicy: Ignore\n" + mutating + hook("c", "30") + hook("d", "30"), lose_web_at("10m1s"), "{until: 11m30s, warmUp: 5m}"));
  const sim::EventLog::Record* refused = of_owner(late, "FailedCreate", "ReplicaSet/shop/web");
  ASSERT_NE(refused, nullptr) << log_text(late);
  EXPECT_NE(message(late, refused).find("Timeout: request did not complete within requested timeout"), std::string::npos);
}

TEST(Webhooks, SameSeedSameRun) {
  const std::string text = platform("", lose_web_at("10m5s"));
  EXPECT_EQ(run(text, 7).event_log_hash, run(text, 7).event_log_hash);
}

}  // namespace
}  // namespace chaos

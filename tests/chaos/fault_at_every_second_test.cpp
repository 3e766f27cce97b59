// A fault of every kind at every second of a small scenario: no run ends in a crash or a hang, each comes to its end, and what must hold whatever
// breaks holds: no write without quorum is tested in the control plane's own tests; here the observers' arithmetic must stay sane.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chaos/harness.hpp"
#include "sim/scenario/scenario.hpp"

namespace {

constexpr std::string_view kCluster = R"(
apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {{name: every-second}}
run: {{until: 15m}}
topology:
  rack-a: {{kind: rack}}
  rack-b: {{kind: rack}}
pools:
  control-plane: {{count: 3, controlPlane: true, nodeName: "cp-{{n}}", cpu: 4, memory: 8Gi, machine: vm, racks: [rack-a, rack-b]}}
  worker: {{count: 3, nodeName: "w{{n}}", cpu: 4, memory: 8Gi, machine: vm, racks: [rack-a, rack-b]}}
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {{name: web, namespace: default}}
  spec:
    replicas: 3
    selector: {{matchLabels: {{app: web}}}}
    template:
      metadata: {{labels: {{app: web}}}}
      spec:
        containers: [{{name: web, image: "nginx:1.27", resources: {{requests: {{cpu: 100m, memory: 128Mi}}}}}}]
  ---
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {{name: db, namespace: default}}
  spec:
    serviceName: db
    replicas: 2
    selector: {{matchLabels: {{app: db}}}}
    template:
      metadata: {{labels: {{app: db}}}}
      spec:
        containers: [{{name: db, image: "postgres:16", resources: {{requests: {{cpu: 200m, memory: 512Mi}}}}}}]
  ---
  apiVersion: v1
  kind: Service
  metadata: {{name: web, namespace: default}}
  spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
  ---
  apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {{name: web, namespace: default}}
  spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: web}}}}}}
  ---
  apiVersion: batch/v1
  kind: CronJob
  metadata: {{name: tidy, namespace: default}}
  spec:
    schedule: "* * * * *"
    jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: tidy, image: "busybox:1.36"}}]}}}}}}}}
faults:
  broken: {{at: {at}s, {fault}}}
)";

const char* const kFaults[] = {
    "kind: node-crash, duration: 2m, target: {nodes: [w1]}",
    "kind: node-crash, target: {nodes: [cp-1, cp-2]}",
    "kind: node-reboot, target: {nodes: [cp-1]}",
    "kind: node-hang, duration: 3m, target: {nodes: [w2]}",
    "kind: network-partition, duration: 90s, target: {nodes: [w1, cp-2]}",
    "kind: element-down, duration: 4m, elements: [rack-a]",
    "kind: process-kill, component: kube-apiserver, target: {nodes: [cp-1]}",
    "kind: drain, drain: {timeout: 2m}, target: {nodes: [w1]}",
    "kind: planned-maintenance, target: {pool: worker}, action: reboot",
    "kind: memory-leak, rate: 100Mi/s, target: {selector: {app: web}}",
    "kind: pod-delete, target: {selector: {app: db}}",
    "kind: node-delete, target: {nodes: [w3]}",
};

class FaultAtEverySecond : public testing::TestWithParam<const char*> {};

TEST_P(FaultAtEverySecond, EndsInOrder) {
  constexpr int kSeconds = 180;
  for (int at = 0; at < kSeconds; ++at) {
    SCOPED_TRACE(fmt::format("at {} s: {}", at, GetParam()));
    sim::scenario::Diagnostics diagnostics;
    const auto spec = sim::scenario::read_scenario_text("every-second.yaml", fmt::format(kCluster, fmt::arg("at", at), fmt::arg("fault", GetParam())), {}, diagnostics);
    ASSERT_NE(spec, nullptr) << diagnostics.format();
    ASSERT_TRUE(chaos::check_scenario(*spec, diagnostics)) << diagnostics.format();
    const chaos::RunOutcome outcome = chaos::run_scenario(*spec, static_cast<std::uint64_t>(at));
    EXPECT_EQ(outcome.end, sim::RunEnd::kTimeLimit);
    ASSERT_EQ(outcome.verdict.faults.size(), 1u);
    for (const chaos::AvailabilityStats& service : outcome.verdict.services) {
      EXPECT_GE(service.availability, 0.0);
      EXPECT_LE(service.availability, 1.0);
      EXPECT_LE(service.down, service.measured);
    }
    for (const chaos::Outage& outage : outcome.verdict.outages) EXPECT_LE(outage.start, outage.end);
    // The whole story lasts 15 minutes: more events than this would be a loop that virtual time does not leave.
    EXPECT_LT(outcome.engine_stats.executed, 100'000u);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FaultAtEverySecond, testing::ValuesIn(kFaults));

}  // namespace

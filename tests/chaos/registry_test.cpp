// Registries end to end: what takes one away, who waits for it, how the outage is told, and what the expectation measures.
#include <gtest/gtest.h>

#include "sim/models/network/network.hpp"
#include "sim/models/registry/registries.hpp"
#include "sim/models/rook/rook.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

std::vector<std::string> kinds(const Why& why) {
  std::vector<std::string> result;
  for (const CauseStep& step : why.steps) result.push_back(step.kind);
  return result;
}
const Outage* longest(const RunOutcome& outcome, OutageKind kind, std::string_view subject) {
  const Outage* found = nullptr;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind == kind && outage.subject == subject && (found == nullptr || outage.length() > found->length())) found = &outage;
  }
  return found;
}
bool has(const std::vector<std::string>& all, std::string_view one) { return std::find(all.begin(), all.end(), one) != all.end(); }

/// A Job that starts at minute 5 of every hour, and asks the registry each time.
const std::string kLateJob = R"(  ---
  apiVersion: batch/v1
  kind: CronJob
  metadata: {name: late, namespace: shop}
  spec:
    schedule: "5 * * * *"
    jobTemplate:
      spec:
        template:
          spec:
            restartPolicy: Never
            containers: [{name: late, image: "reg.example/late:1", imagePullPolicy: Always, resources: {requests: {cpu: 100m, memory: 64Mi}}}]
)";

TEST(Registry, AnOutageIsToldAndPodsThatWaitNameIt) {
  const RunOutcome outcome = run(small_scenario(kLateJob + R"(registries: {reg.example: {}}
faults:
  gone: {kind: registry, at: 4m, duration: 6m, registry: reg.example}
expect:
  serves: {kind: registry, registry: reg.example, availability: 99%, longestOutage: 1m}
  pulls: {kind: registry, failedPulls: 0}
  some: {kind: registry, pulls: 1, longestPull: 1m}
)", "{until: 30m, warmUp: 1m}"));
  const Outage* down = find(outcome, OutageKind::kRegistryDown, "Registry/reg.example");
  ASSERT_NE(down, nullptr) << log_text(outcome);
  EXPECT_EQ(down->start, SimTime(4min));
  EXPECT_EQ(down->length(), 6min);
  EXPECT_EQ(down->severity, Severity::kNotice);
  EXPECT_EQ(down->why.fault, "gone");
  bool any = false;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind != OutageKind::kPodPending) continue;
    any = true;
    EXPECT_TRUE(has(kinds(outage.why), "Failed")) << log_text(outcome);
    EXPECT_TRUE(has(kinds(outage.why), "RegistryDown"));
    EXPECT_EQ(outage.why.fault, "gone");
  }
  EXPECT_TRUE(any);
  const auto& results = outcome.verdict.expectations;
  ASSERT_EQ(results.size(), 3u);
  EXPECT_FALSE(results[0].held);
  EXPECT_NEAR(results[0].measures.at(0).measured, 1.0 - 6.0 / 29.0, 1e-9);
  EXPECT_DOUBLE_EQ(results[0].measures.at(1).measured, 360.0);
  EXPECT_EQ(results[0].measures.at(1).why.fault, "gone");
  EXPECT_FALSE(results[1].held);
  EXPECT_GE(results[1].measures.at(0).measured, 2.0);
  EXPECT_EQ(results[1].measures.at(0).why.fault, "gone");
  EXPECT_TRUE(results[2].held) << results[2].not_judged;
}

// A site without a way to the outside, whose mirror has everything: every node asks it, not only the first one that pulls from a host.
TEST(Registry, TheDefaultMirrorServesEveryNode) {
  const RunOutcome outcome = run(small_scenario(R"(  ---
  apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent, namespace: shop}
  spec:
    selector: {matchLabels: {app: agent}}
    template:
      metadata: {labels: {app: agent}}
      spec: {containers: [{name: agent, image: "quay.io/agent:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]}
images: {preloaded: false}
registries:
  mirror.example: {}
  _default: {kind: unreachable, mirrors: [mirror.example]}
)", "{until: 10m}"));
  EXPECT_EQ(count(outcome, "Failed"), 0u) << log_text(outcome);
  std::size_t pulled = 0;
  for (const sim::EventLog::Record* record : records(outcome, "Pulled")) {
    if (outcome.world->log.message(*record).find("quay.io/agent:1") != std::string::npos) ++pulled;
  }
  EXPECT_EQ(pulled, 4u);
}

TEST(Registry, OneOnCephGoesWithItsVolume) {
  const std::string registry = R"(  ---
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: registry, namespace: shop}
  spec:
    replicas: 1
    serviceName: registry
    selector: {matchLabels: {app: registry}}
    template:
      metadata: {labels: {app: registry}}
      spec:
        nodeSelector: {squall.dev/pool: workers}
        containers:
          - {name: registry, image: "reg.example/registry:2", resources: {requests: {cpu: 100m, memory: 64Mi}}, volumeMounts: [{name: data, mountPath: /data}]}
    volumeClaimTemplates:
      - metadata: {name: data}
        spec: {accessModes: [ReadWriteOnce], storageClassName: block, resources: {requests: {storage: 20Gi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: registry, namespace: shop}
  spec: {selector: {app: registry}}
)";
  std::string scenario = ceph_scenario(R"(registries:
  reg.example: {kind: distribution, service: shop/registry, storage: {kind: pvc}}
faults:
  hosts: {kind: node-power-off, at: 61m, duration: 20m, target: {nodes: [st-1, st-2, st-3]}}
)", "{until: 2h, warmUp: 15m}");
  scenario.insert(scenario.find("behaviours:"), registry + kLateJob);
  const RunOutcome outcome = run(scenario);
  const Outage* down = longest(outcome, OutageKind::kRegistryDown, "Registry/reg.example");
  ASSERT_NE(down, nullptr) << log_text(outcome);
  EXPECT_GE(down->start, SimTime(61min));
  EXPECT_LE(down->start, SimTime(61min + 10s));  // a volume that does not answer for 5 s hangs
  EXPECT_GE(down->length(), 20min);
  EXPECT_EQ(down->why.fault, "hosts");
  EXPECT_TRUE(has(kinds(down->why), "VolumesHang") || has(kinds(down->why), "VolumeIoBlocked")) << log_text(outcome);
  // A request to a registry whose volume hangs is accepted and never answered: 5 minutes each.
  const Outage* waits = nullptr;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind == OutageKind::kPodPending && outage.subject.starts_with("Pod/shop/late") && outage.start > SimTime(61min)) waits = &outage;
  }
  ASSERT_NE(waits, nullptr) << log_text(outcome);
  EXPECT_TRUE(has(kinds(waits->why), "RegistryDown")) << log_text(outcome);
  EXPECT_EQ(waits->why.fault, "hosts");
}

TEST(Registry, ANodeInstalledAnewPullsEverythingAgain) {
  const RunOutcome outcome = run(small_scenario(R"(registries: {docker.io: {bandwidth: 100MB/s}}
faults:
  new: {kind: node-reinstall, at: 2m, target: {nodes: [w1, w2, w3, w4]}, installTime: 5m}
)", "{until: 60m, warmUp: 1m}"));
  // At the start images are there: preloaded or pulled. After the disks were emptied every pod needs its image again.
  EXPECT_GE(outcome.world->registries->counts().pulled, 2u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "FaultEnded", "Fault/new"), 1u);
  const Outage* down = find(outcome, OutageKind::kNodeDown, "Node/w1");
  ASSERT_NE(down, nullptr);
  EXPECT_GE(down->length(), 5min);
}

// A disk is gone, and ten minutes later its data are copied: over the links of the network that pulls cross, where the scenario says so.
TEST(Registry, RecoveryCrossesTheNetworkWhereItIsAskedTo) {
  for (const std::string network : {"", "network: {carriesCeph: true}\n"}) {
    const RunOutcome outcome = run(ceph_scenario(network + "registries: {}\nfaults:\n  disk: {kind: ceph-disk, at: 2m, osds: [0]}\n", "{until: 14m, warmUp: 1m}",
                                                 R"(  mons: {count: 3, pools: [storage]}
  osds: {data: {pools: [storage], perNode: 2, size: 1Ti, deviceClass: ssd}}
  pools: {rbd: {size: 3, pgNum: 32, stored: 2000Gi}}
)"));
    EXPECT_FALSE(outcome.world->rook->cluster().all_clean());
    EXPECT_EQ(outcome.world->network->bandwidth().flows() > 0, !network.empty());
  }
}

}  // namespace
}  // namespace chaos

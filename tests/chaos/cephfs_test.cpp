// CephFS as Kubernetes runs it: metadata servers as pods, volumes that many nodes mount, and what they feel when a server, a pool or a node is gone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/ceph/views/views.hpp"
#include "sim/models/rook/rook.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

/// `fs`: fields of the file system; `more`: faults and expectations. Metadata servers on mds-1 and mds-2, two web pods on two of three workers.
std::string fs_scenario(const std::string& more, const std::string& fs = {}, const std::string& run = "{until: 1h, warmUp: 5m}") {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: shared-storage}
run: )" + run + R"(
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  storage: {count: 5, nodeName: "st-{n}", cpu: 16, memory: 64Gi, boot: {median: 2m}}
  mds: {count: 2, nodeName: "mds-{n}", cpu: 8, memory: 16Gi, boot: {median: 2m}}
  workers: {count: 3, nodeName: "w{n}", cpu: 8, memory: 16Gi}
ceph:
  mons: {count: 3, pools: [storage]}
  osds: {data: {pools: [storage], perNode: 2, size: 1Ti, deviceClass: ssd}}
  pools:
    myfs-metadata: {size: 3, pgNum: 16, stored: 1Gi, writesPerSecond: 20}
    myfs-data0: {size: 3, pgNum: 32, stored: 50Gi, writesPerSecond: 50}
  filesystems:
    myfs: {pools: [mds])" + (fs.empty() ? "" : ", " + fs) + R"(}
objects: |
  apiVersion: storage.k8s.io/v1
  kind: StorageClass
  metadata: {name: shared}
  provisioner: rook-ceph.cephfs.csi.ceph.com
  parameters: {fsName: myfs, pool: myfs-data0}
  ---
  apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: files, namespace: shop}
  spec: {accessModes: [ReadWriteMany], storageClassName: shared, resources: {requests: {storage: 20Gi}}}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        nodeSelector: {squall.dev/pool: workers}
        affinity:
          podAntiAffinity:
            requiredDuringSchedulingIgnoredDuringExecution:
              - {labelSelector: {matchLabels: {app: web}}, topologyKey: kubernetes.io/hostname}
        containers:
          - name: web
            image: "web:1"
            resources: {requests: {cpu: 500m, memory: 256Mi}}
            readinessProbe: {httpGet: {port: 80}, periodSeconds: 10}
            volumeMounts: [{name: files, mountPath: /srv}]
        volumes: [{name: files, persistentVolumeClaim: {claimName: files}}]
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
)" + more;
}

const Outage* longest(const RunOutcome& outcome, OutageKind kind, std::string_view subject) {
  const Outage* found = nullptr;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind == kind && outage.subject == subject && (found == nullptr || outage.length() > found->length())) found = &outage;
  }
  return found;
}

/// The kinds of `want` stand in the chain in this order, others may stand between them.
void expect_chain(const Why& why, const std::vector<std::string>& want) {
  std::size_t matched = 0;
  std::string chain;
  for (const CauseStep& step : why.steps) {
    if (matched < want.size() && step.kind == want[matched]) ++matched;
    chain += step.kind + " < ";
  }
  EXPECT_EQ(matched, want.size()) << chain;
}

const sim::ceph::CephCluster& ceph_of(const RunOutcome& outcome) { return outcome.world->rook->cluster(); }

std::vector<std::string> pods_of(const RunOutcome& outcome, std::string_view ns, std::string_view prefix) {
  std::vector<std::string> found;
  const sim::Interner& names = outcome.world->names;
  outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
    if (names.text(pod.meta.ns) != ns || !names.text(pod.meta.name).starts_with(prefix)) return;
    found.push_back(names.text(pod.node_name) + (pod.phase == sim::k8s::PodPhase::kRunning ? "" : " not running") + (pod.meta.is_deleting() ? " terminating" : ""));
  });
  std::sort(found.begin(), found.end());
  return found;
}

TEST(CephFs, AQuietFileSystemServesPodsOnSeveralNodes) {
  const RunOutcome outcome = run(fs_scenario(""));
  EXPECT_TRUE(outcome.verdict.outages.empty()) << log_text(outcome);
  EXPECT_EQ(sim::ceph::mds_stat_text(ceph_of(outcome)), "myfs:1 {0=myfs-a=up:active} 1 up:standby-replay\n");
  EXPECT_EQ(sim::ceph::health_text(ceph_of(outcome), true), "HEALTH_OK\n");
  EXPECT_EQ(pods_of(outcome, "rook-ceph", "rook-ceph-mds-myfs-"), (std::vector<std::string>{"mds-1", "mds-2"}));
  EXPECT_EQ(pods_of(outcome, "shop", "web").size(), 2u);
  EXPECT_NE(sim::ceph::fs_status_text(ceph_of(outcome)).find("myfs - 2 clients\n"), std::string::npos);
  EXPECT_EQ(count(outcome, "SuccessfulAttachVolume"), 0u);  // nothing is attached
  EXPECT_EQ(count(outcome, "MdsStopped"), 0u);
  const sim::k8s::ApiServer& api = outcome.world->api;
  const auto budget = api.find<sim::k8s::PodDisruptionBudget>(outcome.world->names.find("rook-ceph"), outcome.world->names.find("rook-ceph-mds-myfs"));
  ASSERT_TRUE(budget);
  EXPECT_EQ(api.get(budget)->min_available->value, 1);
}

// 15 s of grace, the leader's tick, commits: with a standby that follows about 20 s.
TEST(CephFs, ALostMetadataServerStopsThePodsUntilItsStandbyIsActive) {
  const RunOutcome outcome = run(fs_scenario("faults:\n  crash: {kind: node-crash, at: 10m, duration: 20m, target: {leaderOf: ceph-mds}}\n"));
  const Outage* fs = longest(outcome, OutageKind::kCephFsUnavailable, "CephFS/myfs");
  ASSERT_NE(fs, nullptr) << log_text(outcome);
  EXPECT_EQ(fs->start, at(10min));
  EXPECT_GE(fs->length(), 14s);
  EXPECT_LE(fs->length(), 32s);
  expect_chain(fs->why, {"FsUnavailable", "MdsStopped", "HostCrashed", "FaultInjected"});
  EXPECT_EQ(fs->why.fault, "crash");
  const Outage* web = longest(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(web->start, at(10min + 5s));
  EXPECT_LE(web->end, fs->end + 1s);
  expect_chain(web->why, {"VolumesHang", "FsUnavailable", "MdsStopped", "HostCrashed", "FaultInjected"});
  EXPECT_EQ(sim::ceph::mds_stat_text(ceph_of(outcome)), "myfs:1 {0=myfs-b=up:active} 1 up:standby-replay\n");  // the other one is back, and follows
}

TEST(CephFs, WithoutAStandbyItLastsUntilThePodRunsSomewhereElse) {
  const RunOutcome outcome = run(fs_scenario("faults:\n  crash: {kind: node-crash, at: 10m, duration: 30m, target: {leaderOf: ceph-mds}}\n", "activeStandby: false"));
  const Outage* fs = longest(outcome, OutageKind::kCephFsUnavailable, "CephFS/myfs");
  ASSERT_NE(fs, nullptr) << log_text(outcome);
  // 40 s until the node is NotReady, 5 s of toleration, a new pod, its start, and the journal.
  EXPECT_GE(fs->length(), 50s);
  EXPECT_LE(fs->length(), 110s);
  EXPECT_EQ(ceph_of(outcome).file_systems().mdss().size(), 1u);
  EXPECT_EQ(count(outcome, "MdsFailover"), 1u);
  EXPECT_EQ(sim::ceph::mds_stat_text(ceph_of(outcome)), "myfs:1 {0=myfs-a=up:active}\n");
}

TEST(CephFs, AContainerThatIsKilledComesBackByItself) {
  const RunOutcome outcome = run(fs_scenario("faults:\n  kill: {kind: container-kill, at: 10m, target: {namespace: rook-ceph, selector: {mds: myfs-a}}}\n", "activeStandby: false"));
  const Outage* fs = longest(outcome, OutageKind::kCephFsUnavailable, "CephFS/myfs");
  ASSERT_NE(fs, nullptr) << log_text(outcome);
  EXPECT_GE(fs->length(), 5s);
  EXPECT_LE(fs->length(), 60s);
  EXPECT_EQ(count(outcome, "MdsLaggy"), 0u);  // quicker than the grace: its former self goes when it boots
}

TEST(CephFs, BothMetadataServersOnOneNodeAreLostTogether) {
  const std::string faults = "faults:\n  crash: {kind: node-crash, at: 10m, duration: 30m, target: {leaderOf: ceph-mds}}\n";
  // On the only node that is allowed, without anti-affinity.
  std::string text = fs_scenario(faults, "antiAffinity: false");
  text.replace(text.find("pools: [mds]"), 12, "nodes: [mds-1]");
  const RunOutcome outcome = run(text);
  EXPECT_EQ(count(outcome, "MdsStopped"), 2u) << log_text(outcome);
  const Outage* fs = longest(outcome, OutageKind::kCephFsUnavailable, "CephFS/myfs");
  ASSERT_NE(fs, nullptr);
  EXPECT_GE(fs->length(), 30min);
  EXPECT_FALSE(fs->open);
}

TEST(CephFs, WithAntiAffinityOneOfTwoWaitsForASecondNode) {
  std::string text = fs_scenario("");
  text.replace(text.find("pools: [mds]"), 12, "nodes: [mds-1]");
  const RunOutcome outcome = run(text);
  EXPECT_EQ(count(outcome, "DaemonStopped"), 1u) << log_text(outcome);
  EXPECT_EQ(sim::ceph::health_text(ceph_of(outcome), false), "HEALTH_WARN insufficient standby MDS daemons available\n");
}

TEST(CephFs, ADataPoolThatDoesNotAnswerIsEnoughToHang) {
  // Three of five hosts: some placement groups have one copy left, and min_size is 2.
  const RunOutcome outcome = run(fs_scenario("faults:\n  a: {kind: node-crash, at: 10m, duration: 10m, target: {nodes: [st-4, st-5]}}\n"));
  const Outage* web = longest(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(web, nullptr) << log_text(outcome);
  EXPECT_GE(web->length(), 9min);
  expect_chain(web->why, {"VolumesHang", "HostCrashed", "FaultInjected"});
  EXPECT_EQ(count(outcome, "MdsFailover"), 0u);
}

TEST(CephFs, ProvisioningNeedsTheManagerMountingDoesNot) {
  // No manager from the beginning: the claim waits for one.
  const RunOutcome outcome = run(fs_scenario("faults:\n  x: {kind: node-crash, at: 1ms, duration: 10m, target: {nodes: [st-1, st-2]}}\n", {}, "{until: 40m}"));
  const auto made = records(outcome, "ProvisioningSucceeded", "PersistentVolumeClaim/shop/files");
  ASSERT_EQ(made.size(), 1u) << log_text(outcome);
  EXPECT_GE(made[0]->time, at(12min));
}

TEST(CephFs, AClassThatNamesWhatIsNotThereIsToldSo) {
  for (const auto& [parameters, error] : std::vector<std::pair<std::string, std::string>>{{"{fsName: other}", "filesystem 'other' not found in the Ceph cluster"},
                                                                                         {"{pool: myfs-data0}", "missing required field fsName"},
                                                                                         {"{fsName: myfs, pool: rbd}", "pool 'rbd' is no data pool of filesystem 'myfs'"}}) {
    std::string text = fs_scenario("", {}, "{until: 10m}");
    const std::string before = "{fsName: myfs, pool: myfs-data0}";
    text.replace(text.find(before), before.size(), parameters);
    const RunOutcome outcome = run(text);
    const auto failed = records(outcome, "ProvisioningFailed", "PersistentVolumeClaim/shop/files");
    ASSERT_FALSE(failed.empty()) << log_text(outcome);
    EXPECT_NE(outcome.world->log.message(*failed[0]).find(error), std::string::npos) << outcome.world->log.message(*failed[0]);
  }
}

// 300 s of silence. Afterwards its mount answers with errors, and the pod there is unready until it is replaced.
TEST(CephFs, ANodeThatWasCutOffTooLongKeepsABrokenMount) {
  const std::string tolerant = R"(faults:
  cut: {kind: network-partition, at: 10m, duration: 400s, target: {nodes: [w1, w2, w3]}}
  replace: {kind: pod-delete, at: 30m, target: {namespace: shop, selector: {app: web}}}
)";
  std::string text = fs_scenario(tolerant);
  const std::string selector = "nodeSelector: {squall.dev/pool: workers}\n";
  text.insert(text.find(selector) + selector.size(), "        tolerations: [{operator: Exists, effect: NoExecute}]\n");
  const RunOutcome outcome = run(text);
  EXPECT_EQ(count(outcome, "MdsClientEvicted"), 2u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "VolumeIoFails"), 2u);
  const Outage* web = longest(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(web, nullptr);
  // From the cut, over the eviction and the return of the network, until the pods are new.
  EXPECT_EQ(web->start, at(10min));
  EXPECT_GE(web->end, at(30min));
  EXPECT_LE(web->end, at(32min));
  EXPECT_NE(sim::ceph::fs_status_text(ceph_of(outcome)).find("myfs - 2 clients\n"), std::string::npos);
  const auto fails = records(outcome, "VolumeIoFails");
  ASSERT_FALSE(fails.empty());
  EXPECT_GE(fails[0]->time, at(10min + 400s));
}

TEST(CephFs, ANodeThatIsCutOffForLessGoesOn) {
  std::string text = fs_scenario("faults:\n  cut: {kind: network-partition, at: 10m, duration: 200s, target: {nodes: [w1, w2, w3]}}\n");
  const RunOutcome outcome = run(text);
  EXPECT_EQ(count(outcome, "MdsClientEvicted"), 0u);
  const Outage* web = longest(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(web, nullptr);
  EXPECT_LE(web->end, at(10min + 230s));
}

TEST(CephFs, WithoutAQuorumMetadataWaitAfterTheGrace) {
  const RunOutcome outcome = run(fs_scenario("faults:\n  mons: {kind: node-crash, at: 10m, duration: 10m, target: {nodes: [st-1, st-2]}}\n"));
  EXPECT_GE(count(outcome, "MdsDeferring"), 1u) << log_text(outcome);
  const Outage* fs = longest(outcome, OutageKind::kCephFsUnavailable, "CephFS/myfs");
  ASSERT_NE(fs, nullptr);
  EXPECT_GE(fs->length(), 9min);
}

TEST(CephFs, ADrainOfItsNodeMovesTheMetadataServer) {
  const RunOutcome outcome = run(fs_scenario("faults:\n  drain: {kind: drain, at: 10m, duration: 20m, target: {leaderOf: ceph-mds}}\n", "antiAffinity: false"));
  const Outage* fs = longest(outcome, OutageKind::kCephFsUnavailable, "CephFS/myfs");
  ASSERT_NE(fs, nullptr) << log_text(outcome);
  EXPECT_LE(fs->length(), 15s);  // it says that it stops
  EXPECT_EQ(count(outcome, "MdsLaggy"), 0u);
}

// The successor of a pod that is deleted starts while the old one still terminates: one process after the other, and each is told.
TEST(CephFs, ADeletedPodEndsItsDaemonAndTheNextOneStartsIt) {
  for (const char* kind : {"pod-delete", "pod-kill"}) {
    const RunOutcome outcome = run(fs_scenario(fmt::format("faults:\n  del: {{kind: {}, at: 10m, target: {{namespace: rook-ceph, selector: {{ceph-osd-id: \"3\"}}}}}}\n", kind)));
    EXPECT_EQ(count(outcome, "OsdStopped"), 1u) << kind << log_text(outcome);
    EXPECT_EQ(count(outcome, "OsdStarted"), 1u) << kind;
    EXPECT_TRUE(ceph_of(outcome).all_clean());
  }
  const RunOutcome outcome = run(fs_scenario("faults:\n  del: {kind: pod-delete, at: 10m, target: {namespace: rook-ceph, selector: {mds: myfs-a}}}\n"));
  EXPECT_EQ(count(outcome, "MdsStopped"), 1u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "MdsLaggy"), 0u);
  EXPECT_EQ(sim::ceph::mds_stat_text(ceph_of(outcome)), "myfs:1 {0=myfs-b=up:active} 1 up:standby-replay\n");
}

TEST(CephFs, TheSameSeedIsTheSameRun) {
  const std::string text = fs_scenario("faults:\n  crash: {kind: node-crash, at: 10m, duration: 20m, target: {leaderOf: ceph-mds}}\n");
  EXPECT_EQ(run(text).world->log.hash(), run(text).world->log.hash());
}

TEST(CephFs, WrongFileSystemsAreTold) {
  const auto error_of = [](const std::string& from, const std::string& to) {
    std::string text = fs_scenario("");
    text.replace(text.find(from), from.size(), to);
    return problems_of(text);
  };
  EXPECT_NE(error_of("myfs: {pools: [mds]}", "myfs: {pools: [mdss]}").find("there is no pool of nodes 'mdss'"), std::string::npos);
  EXPECT_NE(error_of("myfs: {pools: [mds]}", "other: {}").find("file system 'other' needs the Ceph pool 'other-metadata', which does not exist"), std::string::npos);
  EXPECT_NE(error_of("myfs: {pools: [mds]}", "myfs: {dataPools: [myfs-data]}").find("did you mean 'myfs-data0'?"), std::string::npos);
  EXPECT_NE(error_of("myfs: {pools: [mds]}", "myfs: {activeCount: 0}").find("activeCount"), std::string::npos);
  EXPECT_NE(error_of("myfs: {pools: [mds]}", "myfs: {dataPools: [myfs-metadata]}").find("pool 'myfs-metadata' is named twice"), std::string::npos);
  EXPECT_NE(error_of("myfs: {pools: [mds]}", "myfs: {activeStandbys: true}").find("did you mean 'activeStandby'?"), std::string::npos);
}

}  // namespace
}  // namespace chaos

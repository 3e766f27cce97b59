// Each kind of fault, end to end: it does what its name says, and what follows from it has it at its root.
#include <gtest/gtest.h>

#include <algorithm>

#include "chaos/fault.hpp"
#include "chaos/outages/why.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

struct FaultCase {
  std::string_view name;
  std::string fault;           // the entry "f" under `faults`
  std::string_view record;     // that must be in the log ...
  std::string_view subject;    // ... about this (empty: anything), with the fault at its root
  std::size_t count = 1;       // at least so many
  bool ends = true;            // FaultEnded is in the log
  bool in_ceph = false;        // in the scenario with Ceph
};

void PrintTo(const FaultCase& c, std::ostream* out) { *out << c.name; }

std::string scenario_with(const std::string& fault) { return small_scenario("faults:\n  f: " + fault + "\n"); }

const FaultCase kFaultCases[] = {
    {"node-crash", "{kind: node-crash, at: 2m, duration: 5m, target: {nodes: [w1]}}", "HostCrashed", "host/w1"},
    {"node-power-off", "{kind: node-power-off, at: 2m, duration: 5m, target: {nodes: [w1]}}", "HostPoweredOff", "host/w1"},
    {"node-reboot", "{kind: node-reboot, at: 2m, target: {nodes: [w1]}}", "HostUp", "host/w1", 1, false},
    {"node-hang", "{kind: node-hang, at: 2m, duration: 5m, target: {nodes: [w1]}}", "HostHung", "host/w1"},
    {"network-partition", "{kind: network-partition, at: 2m, duration: 5m, target: {pool: workers, count: 2}}", "HostPartitioned", "", 2},
    {"element-down, a rack", "{kind: element-down, at: 2m, duration: 5m, elements: [rack-b]}", "HostCrashed", "", 3},
    {"element-down, only the network", "{kind: element-down, at: 2m, duration: 5m, elements: [rack-b], loses: network}", "HostNetworkLost", "", 3},
    {"process-kill of an etcd member", "{kind: process-kill, at: 2m, target: {leaderOf: etcd}, component: etcd}", "EtcdLeaderLost", "", 1, false},
    {"process-kill of two etcd members", "{kind: process-kill, at: 2m, duration: 5m, target: {nodes: [cp-1, cp-2]}, component: etcd}", "EtcdQuorumLost", ""},
    {"process-kill of a scheduler", "{kind: process-kill, at: 2m, target: {leaderOf: kube-scheduler}, component: kube-scheduler}", "LeaderLost", "", 1, false},
    {"process-kill of a kubelet", "{kind: process-kill, at: 2m, duration: 5m, target: {nodes: [w1]}, component: kubelet}", "KubeletDied", "Node/w1"},
    {"certificate-expiry", "{kind: certificate-expiry, at: 2m, duration: 5m, target: {pool: workers, count: 1}}", "NodeNotReady", "Node/w1"},
    {"certificate-expiry of a component", "{kind: certificate-expiry, at: 2m, duration: 5m, target: {leaderOf: kube-controller-manager}, certificate: kube-controller-manager}", "LeaderElectionLost", ""},
    {"process-hang", "{kind: process-hang, at: 2m, duration: 1m, target: {leaderOf: etcd}, component: etcd}", "EtcdLeaderLost", ""},
    {"leader-loss", "{kind: leader-loss, at: 2m, duration: 1m, component: kube-scheduler}", "LeaderElection", "Lease/kube-system/kube-scheduler"},
    {"etcd-member defragments", "{kind: etcd-member, at: 2m, duration: 100s, target: {nodes: [cp-1]}, action: defragment}", "Killing", "Pod/kube-system/kube-apiserver-cp-1"},
    {"etcd-member loses its data", "{kind: etcd-member, at: 2m, duration: 5m, target: {nodes: [cp-1]}, action: data-loss}", "EtcdMemberRejoined", "etcd"},
    {"etcd-member hands over", "{kind: etcd-member, at: 2m, target: {leaderOf: etcd}, action: move-leader}", "EtcdLeaderElected", "etcd", 1, false},
    {"clock-skew", "{kind: clock-skew, at: 2m, duration: 5m, target: {nodes: [w1]}, behind: 2000h, certificateAge: 1h}", "NodeNotReady", "Node/w1"},
    {"network-impair", "{kind: network-impair, at: 2m, duration: 5m, target: {nodes: [w1]}, cut: true}", "NodeNotReady", "Node/w1"},
    {"workload-edit", "{kind: workload-edit, at: 2m, duration: 5m, namespace: shop, object: web, image: \"web:2.0.typo\"}\nregistries: {docker.io: {}}", "SuccessfulCreate", ""},
    {"node-label", "{kind: node-label, at: 2m, duration: 5m, target: {nodes: [w1]}, label: squall.dev/pool}", "NodeRelabelled", "Node/w1", 2},
    {"disk-slow", "{kind: disk-slow, at: 2m, duration: 5m, target: {leaderOf: etcd}, factor: 100000}", "EtcdLeaderLost", ""},
    {"api-overload", "{kind: api-overload, at: 2m, duration: 5m, clients: 2000, user: alice, verb: list, objects: 50000, interval: 100ms}", "RequestsRefused", "PriorityLevel/global-default"},
    {"etcd-quota", "{kind: etcd-quota, at: 2m, duration: 5m}", "EtcdNoSpace", ""},
    {"pod-kill", "{kind: pod-kill, at: 2m, target: {namespace: shop, selector: {app: web}, count: 2}}", "SuccessfulCreate", "", 2, false},
    {"pod-delete", "{kind: pod-delete, at: 2m, target: {namespace: shop, pods: [db-0]}}", "SuccessfulCreate", "", 1, false},
    {"container-kill", "{kind: container-kill, at: 2m, target: {namespace: shop, selector: {app: db}}}", "ContainerDied", "Pod/shop/db-0", 1, false},
    {"pod-unready", "{kind: pod-unready, at: 2m, duration: 5m, target: {namespace: shop, selector: {app: db}}}", "ServiceHasNoEndpoints", "Service/shop/db"},
    {"memory-leak", "{kind: memory-leak, at: 2m, target: {namespace: shop, selector: {app: db}}, rate: 100Mi/s}", "OOMKilled", "", 1, false},
    // 16 GiB at 200 MiB/s: full in little more than a minute, whatever the kubelet thinks.
    {"kernel-memory", "{kind: kernel-memory, at: 2m, duration: 5m, target: {nodes: [w1]}, rate: 200Mi/s}", "MemoryExhausted", "Node/w1"},
    {"disk-fill", "{kind: disk-fill, at: 2m, duration: 10m, target: {nodes: [w1]}, amount: 190Gi}", "NodeHasDiskPressure", "Node/w1"},
    {"disk-fill kept", "{kind: disk-fill, at: 2m, duration: 2m, target: {nodes: [w1]}, amount: 160Gi, rate: 200Mi/s, upTo: 180Gi, atEnd: kept}", "NodeHasDiskPressure", "Node/w1"},
    {"drop-caches", "{kind: drop-caches, at: 2m, target: {pool: workers}}", "CachesDropped", "", 4, false},
    {"ceph-disk fails", "{kind: ceph-disk, at: 2m, duration: 10m, osds: [3]}", "OsdDown", "osd/3", 1, true, true},
    {"ceph-disk hangs", "{kind: ceph-disk, at: 2m, duration: 10m, osds: [3], action: hang}", "OsdDown", "osd/3", 1, true, true},
    {"ceph-disk slow", "{kind: ceph-disk, at: 2m, duration: 10m, osds: [3], action: slow, factor: 100}", "OsdDiskSlow", "osd/3", 1, true, true},
    {"ceph-disk fills", "{kind: ceph-disk, at: 2m, duration: 10m, osds: [3], action: fill}", "OsdDiskFilled", "osd/3", 1, true, true},
    {"ceph-flag", "{kind: ceph-flag, at: 2m, duration: 10m, flag: noout}", "OsdmapFlag", "ceph/osdmap", 2, true, true},
    {"ceph-network", "{kind: ceph-network, at: 2m, duration: 10m, target: {nodes: [st-5]}, network: cluster}", "OsdDown", "", 1, true, true},
    {"registry is down", "{kind: registry, at: 2m, duration: 5m, registry: docker.io}\nregistries: {docker.io: {}}", "RegistryDown", "Registry/docker.io"},
    {"registry is slow", "{kind: registry, at: 2m, duration: 5m, registry: docker.io, how: slow, bandwidth: 1kB/s}\nregistries: {docker.io: {}}", "FaultEnded", "Fault/f"},
    {"registry lacks an image", "{kind: registry, at: 2m, duration: 5m, registry: docker.io, how: image-missing, images: [\"web:1\"]}\nregistries: {docker.io: {}}", "FaultEnded", "Fault/f"},
    {"node-reinstall", "{kind: node-reinstall, at: 2m, target: {nodes: [w1]}, installTime: 3m}\nregistries: {docker.io: {}}", "HostUp", "host/w1"},
    {"chaos-mesh", "{kind: chaos-mesh, at: 2m, resource: {apiVersion: chaos-mesh.org/v1alpha1, kind: PodChaos, metadata: {name: x, namespace: shop}, spec: {action: pod-kill, mode: all, selector: {labelSelectors: {app: web}}}}}", "SuccessfulCreate", "", 3},
    {"cordon", "{kind: cordon, at: 2m, duration: 5m, target: {nodes: [w1]}}", "NodeUncordoned", "Node/w1"},
    {"drain", "{kind: drain, at: 2m, duration: 10m, target: {nodes: [w1]}}", "NodeUncordoned", "Node/w1"},
    {"planned-maintenance", "{kind: planned-maintenance, at: 2m, target: {nodes: [w1]}, action: power-off, offFor: 1m, pause: 1m}", "MaintenancePowerOff", "Node/w1"},
    {"node-delete", "{kind: node-delete, at: 2m, target: {nodes: [w1]}}", "NodeDeleted", "Node/w1", 1, false},
    {"object-delete of a Deployment", "{kind: object-delete, at: 2m, objectKind: Deployment, namespace: shop, object: web}", "ServiceHasNoEndpoints", "Service/shop/web", 1, false},
    {"object-delete of a namespace", "{kind: object-delete, at: 2m, objectKind: Namespace, object: shop}", "Deleted", "", 4, false},
    {"scale to nothing", "{kind: scale, at: 2m, duration: 5m, workload: Deployment, namespace: shop, object: web, replicas: 0}", "ServiceHasNoEndpoints", "Service/shop/web"},
    {"scale of a StatefulSet", "{kind: scale, at: 2m, duration: 5m, workload: StatefulSet, namespace: shop, object: db, replicas: 3}", "SuccessfulCreate", "", 2},
    {"rollout of a Deployment", "{kind: rollout, at: 2m, namespace: shop, objects: [web]}", "SuccessfulCreate", "", 1, true},
    {"rollout of a StatefulSet", "{kind: rollout, at: 2m, workload: StatefulSet, namespace: shop}", "SuccessfulCreate", "", 1, true},
    {"node-taint", "{kind: node-taint, at: 2m, duration: 5m, target: {pool: workers}, taint: \"maintenance=yes:NoExecute\"}", "FailedScheduling", "", 4},
};

class FaultKindsTest : public testing::TestWithParam<FaultCase> {};

TEST_P(FaultKindsTest, DoesWhatItsNameSays) {
  const FaultCase& c = GetParam();
  const RunOutcome outcome = run(c.in_ceph ? ceph_scenario("faults:\n  f: " + c.fault + "\n", "{until: 20m, warmUp: 1m}") : scenario_with(c.fault));
  ASSERT_NE(outcome.world, nullptr);
  const sim::EventLog& log = outcome.world->log;

  ASSERT_EQ(count(outcome, "FaultInjected", "Fault/f"), 1u) << log_text(outcome);
  const sim::EventLog::Record& injected = *records(outcome, "FaultInjected", "Fault/f").front();
  EXPECT_EQ(injected.time, at(2min));
  EXPECT_FALSE(injected.cause) << "a fault is a root";
  EXPECT_EQ(count(outcome, "FaultEnded", "Fault/f") > 0, c.ends);

  std::size_t caused = 0;
  for (std::uint32_t id = 1; id <= log.size(); ++id) {
    const sim::EventLog::Record& record = log.at(CauseId{id});
    if (log.kind(record) != c.record || (!c.subject.empty() && log.subject(record) != c.subject)) continue;
    if (fault_at_root(log, CauseId{id}) == "f") ++caused;
  }
  EXPECT_GE(caused, c.count) << c.record << " with the fault at its root\n" << log_text(outcome);
  ASSERT_EQ(outcome.verdict.faults.size(), 1u);
  EXPECT_FALSE(outcome.verdict.faults[0].failed) << outcome.verdict.faults[0].outcome;
}

std::string case_name(const testing::TestParamInfo<FaultCase>& tested) {
  std::string name(tested.param.name);
  std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, FaultKindsTest, testing::ValuesIn(kFaultCases), case_name);

TEST(Faults, EveryKindHasACase) {
  for (const std::string& kind : all_faults().kinds()) {
    EXPECT_TRUE(std::any_of(std::begin(kFaultCases), std::end(kFaultCases),
                            [&](const FaultCase& c) { return c.fault.find("kind: " + kind + ",") != std::string::npos; }))
        << kind;
  }
}

TEST(Faults, WhatPeopleUndoIsAsBefore) {
  const RunOutcome scaled = run(scenario_with("{kind: scale, at: 2m, duration: 5m, namespace: shop, object: web}"));
  const Outage* down = find(scaled, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(down, nullptr) << log_text(scaled);
  EXPECT_FALSE(down->open);
  EXPECT_EQ(down->why.fault, "f");
  EXPECT_GT(down->length(), 4min);
  EXPECT_LT(down->length(), 7min);
  // Two that put on the same taint: the last one takes it off.
  const RunOutcome tainted = run(small_scenario("faults:\n  a: {kind: node-taint, at: 2m, duration: 5m, target: {nodes: [w1]}, taint: \"x=y:NoSchedule\"}\n"
                                                "  b: {kind: node-taint, at: 3m, duration: 8m, target: {nodes: [w1, w2]}, taint: \"x=y:NoSchedule\"}\n"));
  EXPECT_EQ(count(tainted, "NodeTainted"), 2u);
  const auto taken_off = records(tainted, "NodeUntainted", "Node/w1");
  ASSERT_EQ(taken_off.size(), 1u) << log_text(tainted);
  EXPECT_EQ(taken_off.front()->time, at(11min));
}

TEST(Faults, ADeletedNamespaceIsEmptyAndStaysSo) {
  const RunOutcome outcome = run(scenario_with("{kind: object-delete, at: 2m, objectKind: Namespace, object: shop}"));
  std::size_t left = 0;
  outcome.world->api.all<sim::k8s::Pod>().for_each([&](auto, const sim::k8s::Pod& pod) { left += outcome.world->names.text(pod.meta.ns) == "shop" ? 1 : 0; });
  EXPECT_EQ(left, 0u) << log_text(outcome);
  EXPECT_EQ(outcome.world->api.all<sim::k8s::Deployment>().size(), 0u);
}

TEST(Faults, PeopleCannotBreakWhatIsNotThere) {
  for (const auto& [fault, problem] : std::vector<std::pair<std::string, std::string>>{
           {"{kind: scale, at: 2m, namespace: shop, object: wbe}", "did you mean 'web'"},
           {"{kind: scale, at: 2m, workload: StatefulSet, namespace: shop, object: web}", "StatefulSet"},
           {"{kind: object-delete, at: 2m, objectKind: Service, namespace: shop, object: nothing}", "Service"},
           {"{kind: object-delete, at: 2m, objectKind: Namespace, object: shpo}", "no namespace 'shpo'"},
           {"{kind: object-delete, at: 2m, objectKind: Namespace, object: kube-system}", "kube-system cannot be deleted"},
           {"{kind: object-delete, at: 2m, objectKind: Deployment, namespace: shop, object: web, cascade: sideways}", "cascade"},
           {"{kind: node-taint, at: 2m, target: {nodes: [w1]}, taint: nonsense}", "is no taint"}}) {
    EXPECT_NE(problems_of(scenario_with(fault)).find(problem), std::string::npos) << fault << "\n" << problems_of(scenario_with(fault));
  }
}

TEST(Faults, ANodeThatComesBackIsReadyAgain) {
  const RunOutcome outcome = run(scenario_with("{kind: node-crash, at: 2m, duration: 2m, target: {nodes: [w1]}}"));
  const Outage* down = find(outcome, OutageKind::kNodeDown, "Node/w1");
  ASSERT_NE(down, nullptr) << log_text(outcome);
  EXPECT_EQ(down->start, at(2min));
  EXPECT_GT(down->length(), 2min);
  EXPECT_EQ(down->why.fault, "f");
  const Outage* not_ready = find(outcome, OutageKind::kNodeNotReady, "Node/w1");
  ASSERT_NE(not_ready, nullptr);
  // Reference 7.1: 40 to 55 s until the controller notices.
  EXPECT_GE(not_ready->start, at(2min + 40s));
  EXPECT_LE(not_ready->start, at(2min + 56s));
  EXPECT_EQ(not_ready->why.fault, "f");
}

// The only replica of db is on a node that dies for good: its Service is down, and the chain leads to the fault.
TEST(Faults, TheOutageOfAServiceLeadsToTheFault) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  lose-workers: {kind: element-down, at: 5m, elements: [rack-a, rack-b]}
)"));
  const Outage* down = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(down, nullptr) << log_text(outcome);
  EXPECT_EQ(down->start, at(5min));
  EXPECT_TRUE(down->open);
  EXPECT_EQ(down->severity, Severity::kAlert);
  EXPECT_EQ(down->why.fault, "lose-workers");
  ASSERT_FALSE(down->why.steps.empty());
  EXPECT_EQ(down->why.steps.back().kind, "FaultInjected");
}

TEST(Faults, RepetitionsAreCountedAndNamed) {
  const RunOutcome outcome = run(scenario_with("{kind: pod-kill, at: 2m, every: 3m, times: 3, target: {namespace: shop, selector: {app: web}, count: 1, pick: random}}"));
  ASSERT_EQ(outcome.verdict.faults.size(), 3u);
  EXPECT_EQ(outcome.verdict.faults[1].name, "f#2");
  EXPECT_EQ(outcome.verdict.faults[2].injected, at(8min));
  EXPECT_EQ(count(outcome, "FaultInjected"), 3u);
  for (const sim::EventLog::Record* record : records(outcome, "FaultInjected")) EXPECT_FALSE(record->cause);
}

TEST(Faults, WithoutTimesTheyGoOnUntilTheEnd) {
  const RunOutcome outcome = run(scenario_with("{kind: container-kill, at: 1m, every: 5m, target: {namespace: shop, selector: {app: web}, count: 1}}"));
  EXPECT_EQ(outcome.verdict.faults.size(), 4u);  // 1, 6, 11, 16 of 20 minutes
}

TEST(Faults, ARandomChoiceDoesNotDependOnOtherFaults) {
  const std::string one = "  pick: {kind: node-reboot, at: 3m, target: {pool: workers, count: 2, pick: random}}\n";
  const std::string other = "  first: {kind: node-reboot, at: 2m, target: {pool: workers, count: 1, pick: random}}\n";
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const RunOutcome alone = run(small_scenario("faults:\n" + one), seed);
    const RunOutcome both = run(small_scenario("faults:\n" + other + one), seed);
    ASSERT_EQ(alone.verdict.faults.size(), 1u);
    ASSERT_EQ(both.verdict.faults.size(), 2u);
    EXPECT_EQ(alone.verdict.faults[0].target, both.verdict.faults[1].target) << seed;
  }
}

TEST(Faults, AnInjectionThatMatchesNothingIsToldAndFails) {
  const RunOutcome outcome = run(scenario_with("{kind: pod-kill, at: 2m, target: {namespace: shop, selector: {app: web}, node: cp-1}}"));
  ASSERT_EQ(outcome.verdict.faults.size(), 1u);
  EXPECT_TRUE(outcome.verdict.faults[0].failed);
  EXPECT_EQ(count(outcome, "FaultNotInjected", "Fault/f"), 1u);
  EXPECT_EQ(count(outcome, "FaultInjected"), 0u);
}

TEST(Faults, WhatAPersonDoesWaitsForTheApi) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  quorum: {kind: process-kill, at: 2m, duration: 3m, target: {pool: control, count: 2}, component: etcd}
  cordon: {kind: cordon, at: 3m, target: {nodes: [w1]}}
)"));
  ASSERT_EQ(count(outcome, "NodeCordoned", "Node/w1"), 1u) << log_text(outcome);
  EXPECT_GE(records(outcome, "NodeCordoned", "Node/w1")[0]->time, at(5min));
}

// Killed, not stopped: with a duration too nobody hands a lease or a leadership over.
TEST(Faults, AProcessThatIsKilledForAWhileHandsNothingOver) {
  const RunOutcome scheduler = run(scenario_with("{kind: process-kill, at: 2m, duration: 5m, target: {leaderOf: kube-scheduler}, component: kube-scheduler}"));
  const auto taken = records(scheduler, "LeaderElection");
  ASSERT_EQ(taken.size(), 1u) << log_text(scheduler);
  EXPECT_GE(taken.front()->time, at(2min + 13s)) << "the lease runs out first";
  const RunOutcome etcd = run(scenario_with("{kind: process-kill, at: 2m, duration: 5m, target: {leaderOf: etcd}, component: etcd}"));
  const auto elected = records(etcd, "EtcdLeaderElected");
  ASSERT_EQ(elected.size(), 1u) << log_text(etcd);
  EXPECT_GE(elected.front()->time, at(2min + 900ms)) << "the election timeout passes first";
}

TEST(Faults, OverlappingPartitionsEndOneByOne) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  long: {kind: network-partition, at: 2m, duration: 10m, target: {nodes: [w1]}}
  short: {kind: network-partition, at: 4m, duration: 2m, target: {nodes: [w1, w2]}}
)"));
  const Outage* down = find(outcome, OutageKind::kNodeDown, "Node/w1");
  ASSERT_NE(down, nullptr) << log_text(outcome);
  EXPECT_EQ(down->start, at(2min));
  EXPECT_EQ(down->end, at(12min));
  const Outage* other = find(outcome, OutageKind::kNodeDown, "Node/w2");
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->length(), 2min);
}

struct OverlapCase {
  std::string_view name;
  std::string fault;      // "f" from 2 to 12 minutes; "g", the same, from 4 to 6
  std::string_view record;  // what its end brings about ...
  std::string_view subject;
};
void PrintTo(const OverlapCase& c, std::ostream* out) { *out << c.name; }
const OverlapCase kOverlapCases[] = {
    {"node-crash", "kind: node-crash, target: {nodes: [w1]}", "HostBooting", "host/w1"},
    {"node-power-off", "kind: node-power-off, target: {nodes: [w1]}", "HostBooting", "host/w1"},
    {"scheduler", "kind: process-kill, target: {pool: control}, component: kube-scheduler", "LeaderElection", ""},
    {"kubelet", "kind: process-kill, target: {nodes: [w1]}, component: kubelet", "Starting", "Node/w1"},
    {"pod-unready", "kind: pod-unready, target: {namespace: shop, selector: {app: db}}", "ServiceHasEndpoints", "Service/shop/db"},
    {"cordon", "kind: cordon, target: {nodes: [w1]}", "NodeUncordoned", "Node/w1"},
    {"drain", "kind: drain, target: {nodes: [w1]}", "NodeUncordoned", "Node/w1"},
};
class OverlapTest : public testing::TestWithParam<OverlapCase> {};
TEST_P(OverlapTest, WhatTwoFaultsHoldIsReleasedByTheLastOne) {
  const OverlapCase& c = GetParam();
  const RunOutcome outcome = run(small_scenario("faults:\n  f: {at: 2m, duration: 10m, " + c.fault + "}\n  g: {at: 4m, duration: 2m, " + c.fault + "}\n"));
  std::vector<SimTime> ends;
  for (const sim::EventLog::Record* record : records(outcome, std::string(c.record), std::string(c.subject))) {
    if (record->time > at(2min)) ends.push_back(record->time);
  }
  ASSERT_FALSE(ends.empty()) << log_text(outcome);
  EXPECT_GE(ends.front(), at(12min)) << log_text(outcome);
}
INSTANTIATE_TEST_SUITE_P(All, OverlapTest, testing::ValuesIn(kOverlapCases), [](const testing::TestParamInfo<OverlapCase>& tested) {
  std::string name(tested.param.name);
  std::erase(name, '-');
  return name;
});

// Power comes back to a machine that crashed meanwhile: it stays off for its own time. A reboot switches nothing on.
TEST(Faults, NothingButItsOwnEndBringsACrashedMachineBack) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  power: {kind: element-down, at: 2m, duration: 3m, elements: [rack-a]}
  crash: {kind: node-crash, at: 3m, duration: 9m, target: {nodes: [w1]}}
  reboot: {kind: node-reboot, at: 7m, target: {nodes: [w1]}}
)"));
  const auto boots = records(outcome, "HostBooting", "host/w1");
  ASSERT_EQ(boots.size(), 1u) << log_text(outcome);
  EXPECT_EQ(boots.front()->time, at(12min));
}

// A budget that allows nothing blocks the drain: what then depends on the policy.
std::string maintenance(const std::string& policy) {
  return small_scenario("faults:\n  m: {kind: planned-maintenance, at: 2m, target: {pool: workers}, action: power-off, offFor: 10s, drain: {timeout: 30s}, onDrainTimeout: " +
                            policy + "}\n",
                        "{until: 3h, warmUp: 1m}");
}
const char* const kBudget = R"(  ---
  apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {name: db, namespace: shop}
  spec: {minAvailable: 1, selector: {matchLabels: {app: db}}}
)";
std::string with_budget(std::string text) {
  const std::string marker = "  spec: {selector: {app: db}, ports: [{port: 5432}]}\n";
  return text.insert(text.find(marker) + marker.size(), kBudget);
}

TEST(PlannedMaintenance, WalksThroughAllNodes) {
  const RunOutcome outcome = run(maintenance("stop"));
  ASSERT_EQ(outcome.verdict.faults.size(), 1u);
  EXPECT_EQ(outcome.verdict.faults[0].outcome, "done") << log_text(outcome);
  EXPECT_EQ(count(outcome, "MaintenanceFinished"), 4u);
  // One at a time: each begins after the one before has finished.
  const auto started = records(outcome, "MaintenanceStarted");
  const auto finished = records(outcome, "MaintenanceFinished");
  ASSERT_EQ(started.size(), 4u);
  for (std::size_t i = 1; i < started.size(); ++i) EXPECT_GE(started[i]->time, finished[i - 1]->time);
}

TEST(PlannedMaintenance, StopsWhereABudgetBlocks) {
  const RunOutcome outcome = run(with_budget(maintenance("stop")));
  ASSERT_EQ(outcome.verdict.faults.size(), 1u);
  EXPECT_TRUE(outcome.verdict.faults[0].failed) << outcome.verdict.faults[0].outcome;
  EXPECT_EQ(count(outcome, "MaintenanceStopped"), 1u) << log_text(outcome);
  EXPECT_NE(outcome.verdict.faults[0].outcome.find("disruption budget"), std::string::npos) << outcome.verdict.faults[0].outcome;
}

TEST(PlannedMaintenance, SkipsTheNodeThatABudgetBlocks) {
  const RunOutcome outcome = run(with_budget(maintenance("skip")));
  EXPECT_EQ(count(outcome, "MaintenanceSkipped"), 1u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "MaintenanceFinished"), 3u);
  EXPECT_FALSE(outcome.verdict.faults[0].failed);
}

// The drain times out while nothing can be written; the node that is skipped is uncordoned all the same, later.
TEST(PlannedMaintenance, UncordonsASkippedNodeWhenTheApiIsBack) {
  std::string text = with_budget(maintenance("skip"));
  text += "  q: {kind: process-kill, at: 2m5s, duration: 5m, target: {pool: control, count: 2}, component: etcd}\n";
  const RunOutcome outcome = run(text);
  const auto cordoned = records(outcome, "NodeCordoned");
  ASSERT_FALSE(cordoned.empty()) << log_text(outcome);
  for (const sim::EventLog::Record* record : cordoned) {
    EXPECT_GE(count(outcome, "NodeUncordoned", outcome.world->log.subject(*record)), 1u) << outcome.world->log.subject(*record);
  }
}

TEST(PlannedMaintenance, ForcesTheNodeThatABudgetBlocks) {
  const RunOutcome outcome = run(with_budget(maintenance("force")));
  EXPECT_GE(count(outcome, "MaintenanceForced"), 1u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "MaintenanceFinished"), 4u);
}

}  // namespace
}  // namespace chaos

// Faults of the control plane's processes, leaders, members and certificates, and of clocks, end to end.
#include <gtest/gtest.h>

#include "chaos/outages/why.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

RunOutcome run_fault(const std::string& fault, const std::string& more = {}) { return run(small_scenario("faults:\n  f: " + fault + "\n" + more, "{until: 30m, warmUp: 1m}")); }
std::string problem_of(const std::string& fault) { return problems_of(small_scenario("faults:\n  f: " + fault + "\n")); }

/// Every record of this kind leads back to the fault.
void expect_caused(const RunOutcome& outcome, std::string_view kind) {
  std::size_t found = 0;
  for (std::uint32_t id = 1; id <= outcome.world->log.size(); ++id) {
    if (outcome.world->log.kind(outcome.world->log.at(CauseId{id})) != kind) continue;
    ++found;
    EXPECT_EQ(fault_at_root(outcome.world->log, CauseId{id}), "f") << kind;
  }
  EXPECT_GT(found, 0u) << kind << "\n" << log_text(outcome);
}

TEST(ControlPlaneFaultKinds, NobodySchedulesWhileNobodyLeads) {
  // All candidates are refused for five minutes: a pod that is deleted then is made anew (the controller-manager leads), and waits for a scheduler.
  const RunOutcome outcome = run(small_scenario("faults:\n  f: {kind: leader-loss, at: 2m, duration: 5m, component: kube-scheduler, of: all}\n"
                                                "  g: {kind: pod-kill, at: 4m, target: {namespace: shop, selector: {app: db}}}\n"));
  expect_caused(outcome, "LeaderElectionLost");
  const auto bound = records(outcome, "Scheduled", "Pod/shop/db-0");
  ASSERT_GE(bound.size(), 2u) << log_text(outcome);
  EXPECT_GT(bound.back()->time, SimTime{} + 7min);
  EXPECT_LT(bound.back()->time, SimTime{} + 8min);
}

TEST(ControlPlaneFaultKinds, OverlappingHangsEndWithTheLast) {
  const RunOutcome outcome = run(small_scenario("faults:\n  a: {kind: process-hang, at: 2m, duration: 30s, target: {nodes: [cp-1]}, component: etcd}\n"
                                                "  b: {kind: process-hang, at: 130s, duration: 1m, target: {nodes: [cp-1]}, component: etcd}\n"));
  const auto resumed = records(outcome, "ProcessResumed");
  ASSERT_EQ(resumed.size(), 1u) << log_text(outcome);
  EXPECT_EQ(resumed.front()->time, SimTime{} + 190s);
}

TEST(ControlPlaneFaultKinds, WhatCannotBeIsToldBeforeTheRun) {
  EXPECT_NE(problem_of("{kind: process-hang, at: 1m, target: {nodes: [w1]}, component: etcd}").find("no etcd runs on node 'w1'"), std::string::npos);
  EXPECT_NE(problem_of("{kind: process-hang, at: 1m, target: {pool: workers}, component: etcd}").find("no etcd runs on the target's nodes"), std::string::npos);
  EXPECT_NE(problem_of("{kind: etcd-member, at: 1m, target: {nodes: [cp-1, cp-2]}, action: data-loss}").find("not modelled: the loss of the data of 2 of 3 members"), std::string::npos);
  EXPECT_NE(problem_of("{kind: etcd-member, at: 1m, target: {nodes: [cp-1]}, action: defragment}").find("how long does the defragmentation take"), std::string::npos);
  EXPECT_NE(problem_of("{kind: etcd-member, at: 1m, duration: 1m, target: {nodes: [cp-1]}, action: move-leader}").find("takes no time"), std::string::npos);
  EXPECT_NE(problem_of("{kind: clock-skew, at: 1m, target: {nodes: [w1]}}").find("one of: ahead, behind"), std::string::npos);
  EXPECT_NE(problem_of("{kind: clock-skew, at: 1m, target: {nodes: [w1]}, ahead: 1m, behind: 1m}").find("one of: ahead, behind"), std::string::npos);
  EXPECT_NE(problem_of("{kind: clock-skew, at: 1m, target: {nodes: [w1]}, ahead: 1m, certificateAge: 400d}").find("'certificateAge' must be shorter"), std::string::npos);
  EXPECT_NE(problem_of("{kind: certificate-expiry, at: 1m, target: {nodes: [w1]}, certificate: etcd-peer}").find("no etcd-peer runs on node 'w1'"), std::string::npos);
  EXPECT_NE(problem_of("{kind: leader-loss, at: 1m, component: etcd}").find("kube-scheduler"), std::string::npos);
  EXPECT_NE(problem_of("{kind: node-label, at: 1m, target: {nodes: [w1]}, label: squall.dev/pol}").find("squall.dev/pool"), std::string::npos);
  EXPECT_NE(problem_of("{kind: workload-edit, at: 1m, namespace: shop, object: web, image: \"web:typo\"}").find("no section 'registries'"), std::string::npos);
  EXPECT_NE(problem_of("{kind: workload-edit, at: 1m, namespace: shop, object: web, drop: anti-affinity}").find("has no anti-affinity"), std::string::npos);
  EXPECT_NE(problem_of("{kind: workload-edit, at: 1m, namespace: shop, object: wep, drop: anti-affinity}").find("web"), std::string::npos);
  EXPECT_NE(problem_of("{kind: workload-edit, at: 1m, namespace: shop, object: web}").find("one of: image, drop"), std::string::npos);
  EXPECT_NE(problem_of("{kind: network-impair, at: 1m, target: {nodes: [w1]}}").find("one or several of"), std::string::npos);
  EXPECT_NE(problem_of("{kind: network-impair, at: 1m, target: {nodes: [w1]}, rate: 0MB/s}").find("of nothing at all there is 'cut'"), std::string::npos);
  EXPECT_NE(problem_of("{kind: network-impair, at: 1m, target: {nodes: [w1]}, loss: 101}").find("loss"), std::string::npos);
  EXPECT_NE(problem_of("{kind: network-impair, at: 1m, target: {nodes: [w1]}, delay: 1s, jitter: 2s}").find("'jitter' is at most 'delay'"), std::string::npos);
  EXPECT_NE(problem_of("{kind: network-impair, at: 1m, target: {nodes: [w1]}, others: {nodes: [w9]}, cut: true}").find("w9"), std::string::npos);
}

// ---- clocks ----------------------------------------------------------------------------------------------------------------

const char* const kCron = R"(objects: |
  apiVersion: batch/v1
  kind: CronJob
  metadata: {name: report, namespace: shop}
  spec:
    schedule: "30 * * * *"
    jobTemplate:
      spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "report:1"}]}}}
)";

std::string cron_scenario(const std::string& faults) {
  return "apiVersion: squall.dev/v1alpha1\nkind: Scenario\nrun: {until: 50m, warmUp: 1m}\npools:\n  control: {count: 3, nodeName: \"cp-{n}\", controlPlane: true, cpu: 4, memory: 16Gi}\n"
         "  workers: {count: 2, nodeName: \"w{n}\", cpu: 8, memory: 16Gi}\n" +
         std::string(kCron) + "faults:\n" + faults;
}

TEST(ClockSkew, CronJobsGoByTheClockOfTheControllerManagerThatLeads) {
  const auto first = [](const RunOutcome& outcome) {
    const auto made = records(outcome, "SuccessfulCreate", "CronJob/shop/report");
    EXPECT_FALSE(made.empty()) << log_text(outcome);
    return made.empty() ? 0.0 : sim::seconds(made.front()->time);
  };
  const RunOutcome plain = run(cron_scenario("  f: {kind: clock-skew, at: 2m, target: {nodes: [w1]}, ahead: 10m}\n"));
  const double due = first(plain);
  EXPECT_NEAR(due, 1800.0, 2.0) << "a worker's clock starts nothing";
  EXPECT_NEAR(first(run(cron_scenario("  f: {kind: clock-skew, at: 2m, target: {leaderOf: kube-controller-manager}, ahead: 10m}\n"))), due - 600.0, 2.0);
  EXPECT_NEAR(first(run(cron_scenario("  f: {kind: clock-skew, at: 2m, target: {pool: control}, behind: 10m}\n"))), due + 600.0, 2.0);
}

TEST(ClockSkew, LeasesDoNotCareCertificatesDo) {
  // An hour off: Ready all the time.
  const RunOutcome off = run_fault("{kind: clock-skew, at: 2m, duration: 10m, target: {pool: workers}, ahead: 1h}");
  EXPECT_EQ(count(off, "NodeNotReady"), 0u) << log_text(off);
  EXPECT_EQ(count(off, "ClockSkewed"), 4u);
  EXPECT_EQ(count(off, "ClockSetRight"), 4u);
  // Past the end of the certificates.
  const RunOutcome expired = run_fault("{kind: clock-skew, at: 2m, duration: 10m, target: {nodes: [w1]}, ahead: 336d}");
  expect_caused(expired, "CertificateNotValid");
  expect_caused(expired, "NodeNotReady");
  EXPECT_EQ(count(expired, "CertificateValid"), 1u);
  EXPECT_EQ(count(run_fault("{kind: clock-skew, at: 2m, duration: 10m, target: {nodes: [w1]}, ahead: 334d}"), "NodeNotReady"), 0u);
  // Two faults on one clock add up, and each takes back its own.
  const RunOutcome two = run(small_scenario("faults:\n  f: {kind: clock-skew, at: 2m, duration: 9m, target: {nodes: [w1]}, ahead: 200d}\n"
                                            "  g: {kind: clock-skew, at: 3m, duration: 3m, target: {nodes: [w1]}, ahead: 200d}\n"));
  ASSERT_EQ(count(two, "CertificateNotValid"), 1u) << log_text(two);
  EXPECT_EQ(records(two, "CertificateNotValid").front()->time, SimTime{} + 3min);
  EXPECT_EQ(records(two, "CertificateValid").front()->time, SimTime{} + 6min);
  EXPECT_EQ(records(two, "ClockSetRight").front()->time, SimTime{} + 11min);
}

TEST(ClockSkew, EtcdAndMonitorsWarn) {
  const RunOutcome etcd = run_fault("{kind: clock-skew, at: 2m, duration: 5m, target: {nodes: [cp-1]}, ahead: 2s}");
  expect_caused(etcd, "EtcdClockDrift");
  EXPECT_EQ(count(etcd, "EtcdLeaderLost"), 0u);
  EXPECT_EQ(count(run_fault("{kind: clock-skew, at: 2m, duration: 5m, target: {nodes: [cp-1]}, ahead: 1s}"), "EtcdClockDrift"), 0u);
  const RunOutcome ceph = run(ceph_scenario("faults:\n  f: {kind: clock-skew, at: 6m, duration: 30m, target: {nodes: [st-2]}, ahead: 100ms}\n"));
  EXPECT_GT(count(ceph, "MonClockSkew"), 0u) << log_text(ceph);
}

// ---- workloads ----------------------------------------------------------------------------------------------------------------

TEST(WorkloadEdit, AWrongTagStopsTheRolloutAndIsRolledBack) {
  const RunOutcome outcome = run(small_scenario("faults:\n  f: {kind: workload-edit, at: 2m, duration: 8m, namespace: shop, object: web, image: \"web:2.0.typo\"}\nregistries: {docker.io: {}}\n"));
  EXPECT_EQ(count(outcome, "WorkloadEdited"), 2u);
  expect_caused(outcome, "Failed");  // Failed to pull image
  // maxUnavailable 25 % of 3 rounds down to 0: all three old pods stay.
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/shop/web"), nullptr);
  std::size_t ready = 0;
  outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
    const std::string& image = outcome.world->names.text(pod.spec->containers.at(0).image);
    EXPECT_EQ(image.find("typo"), std::string::npos);
    ready += pod.ready && image == "web:1" ? 1 : 0;
  });
  EXPECT_EQ(ready, 3u);
}

}  // namespace
}  // namespace chaos

// Ceph as Kubernetes runs it: pods and daemons, volumes and those who need them, monitors that are replaced, budgets that let nodes be drained.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/rook/rook.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

const Outage* longest(const RunOutcome& outcome, OutageKind kind, std::string_view subject) {
  const Outage* found = nullptr;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind == kind && outage.subject == subject && (found == nullptr || outage.length() > found->length())) found = &outage;
  }
  return found;
}
std::vector<std::string> kinds(const Why& why) {
  std::vector<std::string> result;
  for (const CauseStep& step : why.steps) result.push_back(step.kind);
  return result;
}

TEST(Ceph, AQuietClusterIsHealthyAndItsDaemonsArePods) {
  const RunOutcome outcome = run(ceph_scenario(""));
  EXPECT_TRUE(outcome.verdict.outages.empty()) << log_text(outcome);
  const sim::ceph::CephCluster& cluster = outcome.world->rook->cluster();
  EXPECT_TRUE(cluster.has_quorum());
  EXPECT_TRUE(cluster.all_clean());
  EXPECT_EQ(count(outcome, "DaemonStopped"), 0u);
  std::size_t pods = 0;
  outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
    if (outcome.world->names.text(pod.meta.ns) == "rook-ceph" && pod.phase == sim::k8s::PodPhase::kRunning) ++pods;
  });
  EXPECT_EQ(pods, 1u + 3u + 2u + 10u);  // operator, monitors, managers, OSDs
}

// Reference platform 2.1, 2.2: pings every 6 s with a grace of 20 s; out 600 s after that. A peer's next ping decides when the grace begins.
TEST(Ceph, ACrashedNodeIsDownAfterTheGraceAndOutTenMinutesLater) {
  const RunOutcome outcome = run(ceph_scenario("faults:\n  crash: {kind: node-crash, at: 10m, target: {nodes: [st-5]}}\n"));
  for (const char* osd : {"osd/8", "osd/9"}) {
    const auto down = records(outcome, "OsdDown", osd);
    ASSERT_EQ(down.size(), 1u) << log_text(outcome);
    EXPECT_GE(down[0]->time, at(10min + 20s));
    EXPECT_LE(down[0]->time, at(10min + 30s));
    const auto out = records(outcome, "OsdOut", osd);
    ASSERT_EQ(out.size(), 1u);
    EXPECT_GE(out[0]->time - down[0]->time, 600s);
    EXPECT_LE(out[0]->time - down[0]->time, 611s);
  }
  const Outage* blocked = find(outcome, OutageKind::kCephPoolBlocked, "CephPool/rbd");
  ASSERT_NE(blocked, nullptr);
  EXPECT_EQ(blocked->start, at(10min));
  EXPECT_GE(blocked->length(), 20s);
  EXPECT_LE(blocked->length(), 40s);
  EXPECT_EQ(blocked->why.fault, "crash");
}

TEST(Ceph, TwoOfThreeMonitorsLostIsTheEndOfEverybodyWhoNeedsTheVolume) {
  const RunOutcome outcome = run(ceph_scenario(R"(faults:
  first: {kind: node-power-off, at: 10m, target: {nodes: [st-1]}}
  second: {kind: node-crash, at: 12m, duration: 20m, target: {nodes: [st-2]}}
expect:
  quorum: {kind: ceph, longestOutage: 15s}
  volumes: {kind: ceph, pool: rbd, longestOutage: 5m}
  safe: {kind: ceph, lostWrites: 0}
)"));
  const Outage* web = longest(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(web, nullptr) << log_text(outcome);
  EXPECT_EQ(web->start, at(12min + 5s));  // a stall of 5 s is a hang
  EXPECT_EQ(web->why.fault, "second");
  const std::vector<std::string> chain = kinds(web->why);
  const std::vector<std::string> want{"DependencyDown", "VolumesHang", "MonQuorumLost", "MonStopped", "HostCrashed", "FaultInjected"};
  std::size_t matched = 0;
  for (const std::string& kind : chain) {
    if (matched < want.size() && kind == want[matched]) ++matched;
  }
  EXPECT_EQ(matched, want.size()) << testing::PrintToString(chain);
  EXPECT_TRUE(std::any_of(web->why.contributing.begin(), web->why.contributing.end(),
                          [](const CauseStep& step) { return step.kind == "MonStopped"; }));
  ASSERT_EQ(outcome.verdict.expectations.size(), 3u);
  EXPECT_FALSE(outcome.verdict.expectations[0].held);
  EXPECT_FALSE(outcome.verdict.expectations[1].held);
  EXPECT_TRUE(outcome.verdict.expectations[2].held);
  // The second node comes back after 20 minutes, and with it everything.
  EXPECT_FALSE(web->open);
  EXPECT_GT(web->length(), 20min);
  EXPECT_TRUE(outcome.world->rook->cluster().has_quorum());
}

// Reference platform 5.2: looked at every 45 s, replaced after 10 minutes.
TEST(Ceph, AMonitorThatStaysAwayIsReplacedOnAnotherNode) {
  const RunOutcome outcome = run(ceph_scenario("faults:\n  crash: {kind: node-crash, at: 10m, target: {nodes: [st-1]}}\n"));
  const auto failover = records(outcome, "MonFailover");
  ASSERT_EQ(failover.size(), 1u) << log_text(outcome);
  EXPECT_GE(failover[0]->time, at(20min));
  EXPECT_LE(failover[0]->time, at(20min + 100s));
  ASSERT_EQ(records(outcome, "MonFailoverDone").size(), 1u) << log_text(outcome);
  EXPECT_LE(records(outcome, "MonFailoverDone")[0]->time, at(24min));
  const sim::ceph::Monitors& mons = outcome.world->rook->cluster().monitors();
  EXPECT_EQ(mons.monmap().size(), 3u);
  EXPECT_EQ(mons.quorum().size(), 3u);
  EXPECT_TRUE(mons.find("d"));
}

TEST(Ceph, AMonitorWhoseNodeObjectIsGoneIsReplacedAtOnce) {
  const RunOutcome outcome = run(ceph_scenario("faults:\n  off: {kind: node-power-off, at: 10m, target: {nodes: [st-1]}}\n  gone: {kind: node-delete, at: 11m, target: {nodes: [st-1]}}\n"));
  const auto failover = records(outcome, "MonFailover");
  ASSERT_EQ(failover.size(), 1u) << log_text(outcome);
  EXPECT_LE(failover[0]->time, at(11min + 50s));
  EXPECT_EQ(records(outcome, "MonFailoverDone").size(), 1u);
}

TEST(Ceph, AReplacementThatDoesNotComeUpIsGivenUp) {
  // The new monitor's node goes before its pod has started; the one after it works. (Had it joined the monmap, 2 of 4 would be left, and no quorum.)
  const RunOutcome outcome = run(ceph_scenario(
      "faults:\n  first: {kind: node-crash, at: 10m, target: {nodes: [st-1]}}\n  next: {kind: node-crash, at: 21m300ms, target: {nodes: [st-4]}}\n", "{until: 90m, warmUp: 5m}"));
  ASSERT_EQ(records(outcome, "MonFailover").size(), 2u) << log_text(outcome);
  EXPECT_EQ(records(outcome, "MonFailoverFailed").size(), 1u);
  EXPECT_EQ(records(outcome, "MonFailoverDone").size(), 1u) << log_text(outcome);
  EXPECT_EQ(outcome.world->rook->cluster().monitors().quorum().size(), 3u);
}

TEST(Ceph, BudgetsReturnToNormal) {
  const RunOutcome outcome = run(ceph_scenario("faults:\n  crash: {kind: node-crash, at: 10m, duration: 90m, target: {nodes: [st-5]}}\n", "{until: 4h, warmUp: 5m}"));
  std::vector<std::string> budgets;
  outcome.world->api.all<sim::k8s::PodDisruptionBudget>().for_each([&](sim::k8s::Ref<sim::k8s::PodDisruptionBudget>, const sim::k8s::PodDisruptionBudget& budget) {
    budgets.push_back(outcome.world->names.text(budget.meta.name));
    ASSERT_TRUE(budget.selector);
    EXPECT_EQ(budget.selector->requirements.size(), 1u) << budgets.back();
    EXPECT_EQ(budget.max_unavailable->value, 1);
  });
  std::sort(budgets.begin(), budgets.end());
  EXPECT_EQ(budgets, (std::vector<std::string>{"rook-ceph-mon-pdb", "rook-ceph-osd"}));
}

TEST(Ceph, BudgetsLetOneNodeBeDrainedAfterTheOther) {
  const RunOutcome outcome = run(ceph_scenario(R"(faults:
  reboots: {kind: planned-maintenance, at: 10m, target: {pool: storage}, action: reboot, pause: 1m}
expect:
  volumes: {kind: ceph, pool: rbd, longestOutage: 30s}
  quorum: {kind: ceph, longestOutage: 30s}
  done: {kind: fault-completes, fault: reboots}
)", "{until: 4h, warmUp: 5m}"));
  for (const ExpectationResult& result : outcome.verdict.expectations) {
    EXPECT_TRUE(result.held) << result.name << (result.measures.empty() ? "" : format_figure(result.measures[0].unit, result.measures[0].measured));
  }
  EXPECT_GE(count(outcome, "DrainingFailureDomain"), 5u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "DrainingFailureDomain"), count(outcome, "DrainedFailureDomain"));
  EXPECT_TRUE(outcome.world->rook->cluster().all_clean());
}

TEST(Ceph, AFullDiskStopsThePool) {
  const RunOutcome outcome = run(ceph_scenario("faults:\n  fill: {kind: ceph-disk, at: 10m, duration: 10m, osds: [0], action: fill, used: 97%}\n"));
  const Outage* blocked = longest(outcome, OutageKind::kCephPoolBlocked, "CephPool/rbd");
  ASSERT_NE(blocked, nullptr) << log_text(outcome);
  EXPECT_GT(blocked->length(), 9min);
  EXPECT_FALSE(blocked->open);
  EXPECT_EQ(blocked->why.fault, "fill");
}

// An OSD that hangs on its disk ends itself after 150 s, and so does its container: the kubelet starts it again, as often as it takes.
TEST(Ceph, AnOsdThatEndedByItselfIsStartedAgainByItsKubelet) {
  const RunOutcome outcome = run(ceph_scenario("faults:\n  hang: {kind: ceph-disk, at: 10m, duration: 10m, osds: [0], action: hang}\n  fail: {kind: ceph-disk, at: 10m, duration: 10m, osds: [4], action: fail}\n",
                                               "{until: 2h, warmUp: 5m}"));
  const sim::ceph::CephCluster& cluster = outcome.world->rook->cluster();
  EXPECT_EQ(records(outcome, "OsdStopped", "osd/0").size(), 1u) << log_text(outcome);
  for (const int osd : {0, 4}) EXPECT_TRUE(cluster.osd_monitor().is_up(osd)) << osd << log_text(outcome);
  EXPECT_TRUE(cluster.all_clean());
  // The disk that gives errors: a crash loop until there is another.
  int restarts = 0;
  outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
    if (!outcome.world->names.text(pod.meta.name).starts_with("rook-ceph-osd-4-")) return;
    for (const sim::k8s::ContainerStatus& status : pod.containers) restarts += static_cast<int>(status.restart_count);
  });
  EXPECT_GE(restarts, 4) << log_text(outcome);
}

TEST(Ceph, WhatSeveralFaultsDoToOneThingEndsWithTheLast) {
  const RunOutcome outcome = run(ceph_scenario(R"(faults:
  fill-1: {kind: ceph-disk, at: 10m, duration: 10m, osds: [0], action: fill, used: 90%}
  fill-2: {kind: ceph-disk, at: 15m, duration: 10m, osds: [0], action: fill, used: 80%}
  slow-1: {kind: ceph-disk, at: 10m, duration: 10m, osds: [2], action: slow, factor: 3}
  slow-2: {kind: ceph-disk, at: 15m, duration: 10m, osds: [2], action: slow, factor: 4}
  flag-1: {kind: ceph-flag, at: 10m, duration: 10m, flag: noout}
  flag-2: {kind: ceph-flag, at: 15m, duration: 10m, flag: noout}
  cut-1: {kind: ceph-network, at: 10m, duration: 10m, target: {nodes: [st-5]}, network: cluster}
  cut-2: {kind: ceph-network, at: 15m, duration: 10m, target: {nodes: [st-5]}, network: cluster}
)", "{until: 1h, warmUp: 5m}"));
  const sim::ceph::CephCluster& cluster = outcome.world->rook->cluster();
  const auto times = [&](const char* kind, const char* subject) {
    std::vector<std::int64_t> minutes;
    for (const auto* record : records(outcome, kind, subject)) minutes.push_back(record->time.time_since_epoch() / 1min);
    return minutes;
  };
  EXPECT_EQ(times("OsdDiskFilled", "osd/0"), (std::vector<std::int64_t>{10, 15, 20, 25}));
  EXPECT_EQ(cluster.osd(0).other_used, 0);
  EXPECT_EQ(times("OsdDiskSlow", "osd/2"), (std::vector<std::int64_t>{10, 15, 20, 25}));
  EXPECT_EQ(cluster.osd(2).slow_factor, 1.0);
  EXPECT_EQ(times("OsdmapFlag", "ceph/osdmap"), (std::vector<std::int64_t>{10, 25}));
  EXPECT_EQ(times("CephNetworkRestored", "host/st-5"), (std::vector<std::int64_t>{25}));
}

TEST(Ceph, WhatCannotBeRightIsSaidWithItsPlace) {
  const auto problems = [](const std::string& ceph) { return problems_of(ceph_scenario("", "{until: 1h}", ceph)); };
  EXPECT_NE(problems("  mons: {count: 7, pools: [storage]}\n  osds: {d: {pools: [storage]}}\n").find("7 monitors need as many nodes"), std::string::npos);
  EXPECT_NE(problems("  mons: {pools: [storag]}\n  osds: {d: {pools: [storage]}}\n").find("did you mean 'storage'"), std::string::npos);
  EXPECT_NE(problems("  mons: {count: 3}\n  osds: {d: {pools: [storage]}}\n").find("on which nodes the monitors are"), std::string::npos);
  EXPECT_NE(problems("  mons: {pools: [storage]}\n  osds: {d: {nodes: [w9]}}\n").find("there is no node 'w9'"), std::string::npos);
  const std::string wrong_pool = "  mons: {pools: [storage]}\n  osds: {d: {pools: [storage]}}\n  pools: {p: {failureDomain: row}}\n";
  EXPECT_NE(problems(wrong_pool).find("'row' is no failure domain"), std::string::npos) << problems(wrong_pool);
  const std::string begin = "  mons: {pools: [storage]}\n  osds: {d: {pools: [storage], size: 1Ti";
  const auto with_disks = [&](const std::string& more) { return problems(begin + more + "}}\n"); };
  EXPECT_EQ(with_disks(""), "");
  EXPECT_NE(with_disks(", deviceClass: \"a~b\"").find("'a~b' is no device class"), std::string::npos);
  EXPECT_NE(with_disks(", otherUsed: 2Ti").find("more is used than the disk holds"), std::string::npos);
  const auto with_pool = [&](const std::string& pool) { return problems(begin + "}}\n  pools: {p: {" + pool + "}}\n"); };
  EXPECT_NE(with_pool("stored: 40Ti").find("pool 'p' holds 120 TiB in all its copies, and its disks have room for 5 TiB"), std::string::npos) << with_pool("stored: 40Ti");
  EXPECT_NE(with_pool("erasureCoded: {k: 1, m: 1}").find("expected an integer from 2 to 32"), std::string::npos) << with_pool("erasureCoded: {k: 1, m: 1}");
  const auto with_config = [&](const std::string& config) { return problems(begin + "}}\n  config: {" + config + "}\n"); };
  EXPECT_NE(with_config("mon_lease: 0s").find("expected at least 100ms"), std::string::npos) << with_config("mon_lease: 0s");
  EXPECT_NE(with_config("osd_heartbeat_grace: 1ns").find("expected at least 100ms"), std::string::npos);
  EXPECT_NE(with_config("mon_osd_full_ratio: 0.8").find("full ratios out of order"), std::string::npos);
  EXPECT_NE(problems("  mons: {count: 7, pools: [storage, storage]}\n  osds: {d: {pools: [storage]}}\n").find("7 monitors need as many nodes"), std::string::npos);
  EXPECT_NE(problems_of(ceph_scenario("faults:\n  f: {kind: ceph-disk, at: 1m, osds: [3, 3]}\n")).find("osd.3 is listed twice"), std::string::npos);
  EXPECT_NE(problems_of(ceph_scenario("expect:\n  e: {kind: ceph, pool: cold, availability: 99%}\n")).find("no pool 'cold'"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario("expect:\n  e: {kind: ceph, availability: 99%}\n")).find("no section 'ceph'"), std::string::npos);
  EXPECT_NE(problems_of(ceph_scenario("faults:\n  f: {kind: ceph-disk, at: 1m, osds: [99]}\n")).find("there is no osd.99"), std::string::npos);
}

TEST(Ceph, TheSameSeedGivesTheSameRun) {
  const std::string text = ceph_scenario("faults:\n  crash: {kind: node-crash, at: 10m, duration: 15m, target: {pool: storage, count: 2}}\n");
  EXPECT_EQ(run(text, 7).event_log_hash, run(text, 7).event_log_hash);
  EXPECT_NE(run(text, 7).event_log_hash, run(text, 8).event_log_hash);
}

}  // namespace
}  // namespace chaos

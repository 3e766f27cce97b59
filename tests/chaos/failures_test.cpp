// The section `failures:` in a world: each failure is a fault with its reason, its repair and its cause chain.
#include "chaos/failures/failures.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr const char* kMonth = "{until: 30d}";

std::string processes(const std::string& text) { return "failures:\n  processes:\n" + text; }

TEST(Failures, EachIsAFaultWithItsReason) {
  const RunOutcome outcome = run(small_scenario(processes("    crash: {class: node-crash, nodes: [w1], start: new, timeToFailure: {law: always, value: 2h}, repair: {law: always, value: 10m}}\n"), "{until: 5h}"));
  ASSERT_EQ(outcome.verdict.faults.size(), 2u) << log_text(outcome);
  const FaultRun& first = outcome.verdict.faults[0];
  EXPECT_EQ(first.name, "crash/w1");
  EXPECT_EQ(first.injected, SimTime(2h));
  EXPECT_EQ(first.ended, SimTime(2h + 10min));
  EXPECT_EQ(first.outcome, "repaired");
  // As good as new: two hours after the repair.
  EXPECT_EQ(outcome.verdict.faults[1].name, "crash/w1#2");
  EXPECT_EQ(outcome.verdict.faults[1].injected, SimTime(4h + 10min));

  const Outage* down = find(outcome, OutageKind::kNodeNotReady, "Node/w1");
  ASSERT_NE(down, nullptr);
  EXPECT_EQ(down->why.fault, "crash/w1");
  EXPECT_EQ(down->why.steps.back().kind, "FailureProcess");
  EXPECT_EQ(down->why.steps.back().subject, "Failure/crash");
  EXPECT_EQ(down->why.steps.back().message, "w1 fails at the age of 2 h: always 2 h");
  EXPECT_EQ(count(outcome, "FaultEnded", "Fault/crash/w1"), 1u);
}

TEST(Failures, AnotherProcessMovesNobodysLuck) {
  const std::string crashes = "    crash: {class: node-crash, timeToFailure: {law: weibull, shape: 0.7, mean: 10d}}\n";
  const auto of_crash = [](const RunOutcome& outcome) {
    std::map<std::string, SimTime> at;
    for (const FaultRun& fault : outcome.verdict.faults) {
      if (fault.name.starts_with("crash/")) at[fault.name] = fault.injected;
    }
    return at;
  };
  const auto alone = of_crash(run(small_scenario(processes(crashes), kMonth)));
  const auto with_others = of_crash(run(small_scenario(processes(crashes + "    hang: {class: node-hang, timeToFailure: {law: exponential, mean: 5d}}\n    rack: {class: rack-power, timeToFailure: {law: exponential, mean: 10d}}\n"), kMonth)));
  EXPECT_GT(alone.size(), 10u);
  EXPECT_EQ(alone, with_others);
}

TEST(Failures, ComeAsOftenAsForecast) {
  // 7 nodes, 2 a month each, 12 hours of repair: 7 x 30 / 15.5 = 13.5 in 30 days; 40 seeds.
  const std::string text = small_scenario(processes("    part: {class: node-hardware, timeToFailure: {law: gamma, shape: 2, mean: 15d}, repair: {law: uniform, low: 6h, high: 18h}}\n"), kMonth);
  sim::scenario::Diagnostics diagnostics;
  const auto spec = read(text, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  const std::vector<FailureForecast> forecast = failure_forecast(*spec);
  ASSERT_EQ(forecast.size(), 1u);
  EXPECT_EQ(forecast[0].components, 7u);
  EXPECT_NEAR(forecast[0].repair_hours, 12.0, 1e-9);
  EXPECT_NEAR(forecast[0].per_year, 7.0 * 365.0 / 15.5, 1e-6);
  double failures = 0.0;
  constexpr int kSeeds = 40;
  RunOptions options;
  options.keep_world = false;
  for (int seed = 1; seed <= kSeeds; ++seed) failures += static_cast<double>(run_scenario(*spec, static_cast<std::uint64_t>(seed), options).verdict.faults.size());
  const double wanted = forecast[0].per_year * kSeeds * 30.0 / 365.0;
  EXPECT_NEAR(failures, wanted, 4.0 * std::sqrt(wanted));
}

TEST(Failures, ACommonCauseIsOneRecord) {
  const RunOutcome outcome = run(small_scenario(
      processes("    crash: {class: node-crash, pool: workers, start: new, timeToFailure: {law: exponential, mean: 20d}, repair: {law: always, value: 1h}, commonCause: {share: 99%, group: rack, spread: 2m}}\n"), "{until: 60d}"), 2);
  ASSERT_GT(count(outcome, "CommonCause"), 0u) << log_text(outcome);
  // w1 and w3 stand in rack-a, w2 and w4 in rack-b: together, within two minutes, and because of one record.
  std::map<std::string, std::pair<SimTime, CauseId>> first;
  for (const FaultRun& fault : outcome.verdict.faults) first.try_emplace(fault.name, fault.injected, outcome.world->log.at(fault.cause).cause);
  ASSERT_TRUE(first.contains("crash/w1") && first.contains("crash/w3"));
  EXPECT_LE(std::chrono::abs(first["crash/w1"].first - first["crash/w3"].first), 2min);
  EXPECT_EQ(first["crash/w1"].second, first["crash/w3"].second);
  EXPECT_NE(first["crash/w1"].second, first["crash/w2"].second);
}

TEST(Failures, TheCrewSleeps) {
  // Thursday 2026-01-01 at 20:00 a part breaks: eight hours of work from Friday 08:00 on end at 16:00, 40 h after midnight.
  const std::string text = R"(failures:
  crews: {day: {people: 1, days: [mon, tue, wed, thu, fri], from: "08:00", to: "17:00"}}
  processes:
    part: {class: node-hardware, nodes: [w1, w2], start: new, timeToFailure: {law: always, value: 20h}, repair: {law: always, value: 8h}, crew: day}
)";
  const RunOutcome outcome = run(small_scenario(text, "{until: 130h}"));
  // The first one breaks again on Saturday, and waits.
  ASSERT_EQ(outcome.verdict.faults.size(), 3u);
  EXPECT_EQ(outcome.verdict.faults[0].ended, SimTime(40h));
  // The other one: an hour on Friday, seven on Monday.
  EXPECT_EQ(outcome.verdict.faults[1].ended, SimTime(96h + 15h));
  EXPECT_EQ(count(outcome, "RepairWaits"), 2u);
}

TEST(Failures, DisksOfCephAreReplaced) {
  const RunOutcome outcome = run(ceph_scenario(processes("    disks: {class: disk-ssd, start: new, timeToFailure: {law: exponential, mean: 10d}, repair: {law: always, value: 6h}, batch: {size: 2}}\n"), "{until: 10d}"));
  EXPECT_GT(outcome.verdict.faults.size(), 3u);
  for (const FaultRun& fault : outcome.verdict.faults) {
    EXPECT_TRUE(fault.target.starts_with("osd.")) << fault.target;
    EXPECT_EQ(fault.kind, "ceph-disk");
  }
}

TEST(Failures, AGivenFaultIsWhatItSays) {
  const RunOutcome outcome = run(small_scenario(
      processes("    kill: {class: given, fault: {kind: pod-kill, target: {namespace: shop, selector: {app: web}, count: 1}}, timeToFailure: {law: exponential, mean: 1d}, repair: {law: always, value: 0s}}\n"
                "    web: {class: pods, namespace: shop, selector: {app: web}, timeToFailure: {law: exponential, mean: 1d}}\n"), "{until: 10d}"));
  EXPECT_GT(count(outcome, "FailureProcess", "Failure/kill"), 3u);
  EXPECT_GT(count(outcome, "FailureProcess", "Failure/web"), 3u);
  for (const FaultRun& fault : outcome.verdict.faults) EXPECT_TRUE(fault.kind == "pod-kill" || fault.kind == "container-kill");
}

TEST(Failures, MaintenanceKeepsToItsCalendar) {
  // Second Tuesdays of January, February, March 2026: 13 January, 10 February, 10 March. February is blacked out.
  const std::string text = R"(failures:
  maintenance:
    kernel:
      schedule: "0 2 * * 2"
      weeks: [2]
      window: 30m
      blackouts: ["2026-02-09/2026-02-11"]
      pool: workers
      domains: [rack-a, rack-b]
      work: {action: none, offFor: 20m, onDrainTimeout: skip}
)";
  const RunOutcome outcome = run(small_scenario(text, "{until: 75d}"));
  // In a window of 30 minutes the two nodes of rack-a (20 minutes each) are begun; rack-b is begun in the next window.
  ASSERT_EQ(outcome.verdict.faults.size(), 2u) << log_text(outcome);
  EXPECT_EQ(outcome.verdict.faults[0].name, "kernel/rack-a");
  EXPECT_EQ(outcome.verdict.faults[0].injected, SimTime(12 * 24h + 2h));
  EXPECT_EQ(outcome.verdict.faults[0].target, "Node/w1, Node/w3");
  EXPECT_EQ(outcome.verdict.faults[0].outcome, "done");
  EXPECT_EQ(outcome.verdict.faults[1].name, "kernel/rack-b");
  EXPECT_EQ(outcome.verdict.faults[1].injected, SimTime(68 * 24h + 2h));
  EXPECT_EQ(count(outcome, "MaintenanceWindow"), 2u);
}

TEST(Failures, MaintenanceWaitsForRepairs) {
  const std::string text = R"(failures:
  processes:
    part: {class: node-hardware, nodes: [w4], start: new, timeToFailure: {law: always, value: 1h}, repair: {law: always, value: 90m}}
  maintenance:
    kernel: {schedule: "0 2 1 * *", window: 4h, nodes: [w1], waitsForRepairs: WAITS, rounds: 1, work: {action: none, offFor: 20m, onDrainTimeout: skip}}
)";
  const auto begun = [&](const std::string& waits) {
    std::string changed = text;
    changed.replace(changed.find("WAITS"), 5, waits);
    const RunOutcome outcome = run(small_scenario(changed, "{until: 5h}"));
    for (const FaultRun& fault : outcome.verdict.faults) {
      if (fault.name == "kernel/w1") return fault.injected;
    }
    return SimTime{};
  };
  EXPECT_EQ(begun("false"), SimTime(2h));
  EXPECT_EQ(begun("true"), SimTime(2h + 30min));
}

TEST(Failures, TracesArePlayedAsTheyStand) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "squall-failure-trace.csv";
  std::ofstream(file) << "failure_interval,failure_duration,failure_intensity\n600000,300000,0.5\n1200000,60000,0.01\n600000,120000,1\n";
  const RunOutcome outcome = run(small_scenario("failures:\n  traces:\n    outage: {file: " + file.string() + ", pool: workers}\n", "{until: 2h}"));
  // 10 min: 2 of 4 for 5 min. 35 min: 1 % of 4 is nobody, for 1 min. 46 min: all for 2 min.
  ASSERT_EQ(outcome.verdict.faults.size(), 2u) << log_text(outcome);
  EXPECT_EQ(outcome.verdict.faults[0].injected, SimTime(10min));
  EXPECT_EQ(outcome.verdict.faults[0].ended, SimTime(15min));
  EXPECT_EQ(std::count(outcome.verdict.faults[0].target.begin(), outcome.verdict.faults[0].target.end(), ','), 1);
  EXPECT_EQ(outcome.verdict.faults[1].injected, SimTime(46min));
  EXPECT_EQ(outcome.verdict.faults[1].ended, SimTime(48min));
  EXPECT_EQ(std::count(outcome.verdict.faults[1].target.begin(), outcome.verdict.faults[1].target.end(), ','), 3);
  EXPECT_EQ(count(outcome, "FailureTrace"), 2u);
  std::filesystem::remove(file);
}

struct ProblemCase {
  std::string name;
  std::string text;
  std::string wants;
};

TEST(Failures, WhatDoesNotFitTheWorldIsTold) {
  const ProblemCase cases[] = {
      {"no such node", processes("    a: {class: node-crash, nodes: [w11]}\n"), "there is no node 'w11'"},
      {"no such pool", processes("    a: {class: node-crash, pool: worker}\n"), "did you mean 'workers'?"},
      {"no such element", processes("    a: {class: node-crash, in: rack-c}\n"), "there is no topology element 'rack-c'"},
      {"nothing left", processes("    a: {class: node-crash, nodes: [w1], in: rack-b}\n"), "it matches no node"},
      {"no switch", processes("    a: {class: switch}\n"), "the topology has no switch"},
      {"a rack that is none", processes("    a: {class: rack-power, elements: [zone-1]}\n"), "there is no rack 'zone-1'"},
      {"no Ceph", processes("    a: {class: disk-hdd}\n"), "there is no Ceph"},
      {"no hypervisors", processes("    a: {class: hypervisor}\n"), "no machine that carries VMs"},
      {"workers have no etcd", processes("    a: {class: etcd, nodes: [w1]}\n"), "there is no control-plane node 'w1'"},
      {"no such pods", processes("    a: {class: pods, selector: {app: nothing}, timeToFailure: {law: exponential, mean: 1d}}\n"), "app=nothing"},
      {"fault with a time", processes("    a: {class: given, fault: {kind: node-crash, at: 1h, target: {nodes: [w1]}}, timeToFailure: {law: exponential, mean: 1d}, repair: {law: always, value: 1h}}\n"), "'at' does not belong"},
      {"fault with a wrong key", processes("    a: {class: given, fault: {kind: node-crash, targt: {nodes: [w1]}}, timeToFailure: {law: exponential, mean: 1d}, repair: {law: always, value: 1h}}\n"), "unknown key 'targt'"},
      {"wrong work", "failures: {maintenance: {m: {schedule: \"0 2 * * 2\", work: {acton: reboot}}}}\n", "unknown key 'acton'"},
      {"no such domain", "failures: {maintenance: {m: {schedule: \"0 2 * * 2\", domains: [rack-c]}}}\n", "there is no topology element 'rack-c'"},
      {"nodes outside of the domains", "failures: {maintenance: {m: {schedule: \"0 2 * * 2\", domains: [rack-a]}}}\n", "are in none of its domains"},
  };
  for (const ProblemCase& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string told = problems_of(small_scenario(c.text));
    EXPECT_NE(told.find(c.wants), std::string::npos) << told;
    EXPECT_NE(told.find("test.yaml:"), std::string::npos) << told;
  }
  EXPECT_EQ(problems_of(small_scenario(processes("    a: {class: node-crash}\n    b: {class: rack-power, commonCause: {share: 5%}}\n    c: {class: zone}\n    d: {class: etcd, bathtub: {}, age: 700d}\n"))), "");
}

}  // namespace
}  // namespace chaos

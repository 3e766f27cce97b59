// Each kind of expectation has a case that holds, and one that fails by that check alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "chaos/expectation.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

/// The control plane loses quorum for 3 minutes, the database's pod is unready for 2, a worker is off for 10, a pod finds no place for 5, and
/// a node is drained.
const char* const kStory = R"(services:
  storage: {service: shop/db, operations: {store: {}}}
apiServers:
  clients:
    agents: {clients: 2, user: bob, groups: ["system:masters"], verb: get, interval: 10s}
vms:
  tenants: {pools: [workers], perNode: 5, startAfter: 1m}
faults:
  quorum: {kind: process-kill, at: 30m, duration: 3m, target: {nodes: [cp-1, cp-2]}, component: etcd}
  unready: {kind: pod-unready, at: 10m, duration: 2m, target: {namespace: shop, pods: [db-0]}}
  crash: {kind: node-power-off, at: 40m, duration: 10m, target: {nodes: [w1]}}
  full: {kind: cordon, at: 15m, duration: 5m, target: {pool: workers}}
  kill: {kind: pod-kill, at: 16m, target: {namespace: shop, pods: [db-0]}}
  drain: {kind: drain, at: 22m, target: {nodes: [w4]}}
  slab: {kind: kernel-memory, at: 2m, duration: 1000s, target: {nodes: [cp-3]}, rate: 3Mi/s}
  flood: {kind: api-overload, at: 80m, duration: 2m, clients: 400, user: alice, verb: list, resource: pods, objects: 50000, interval: 1s, timeout: 20s}
  blocked: {kind: drain, at: 70m, duration: 1m, target: {nodes: [w2, w3]}}
)";

struct CheckCase {
  std::string_view name;
  std::string holds;
  std::string fails;
  std::string_view measure;         // that is broken
  std::optional<SimTime> violated;  // when first; empty: not checked
  std::string_view fault;           // to which the chain leads; empty: not checked
};

const CheckCase kCheckCases[] = {
    {"service availability", "{kind: service, namespace: shop, service: db, availability: 50%}",
     "{kind: service, namespace: shop, service: db, to: 14m, availability: 99.9%}", "availability", {}, "unready"},
    {"service longestOutage", "{kind: service, namespace: shop, service: db, from: 5m, to: 14m, longestOutage: 3m}",
     "{kind: service, namespace: shop, service: db, from: 5m, to: 14m, longestOutage: 1m}", "longestOutage", at(11min), "unready"},
    {"service minServing", "{kind: service, namespace: shop, service: db, from: 2m, to: 9m, minServing: 1}",
     "{kind: service, namespace: shop, service: db, from: 2m, to: 14m, minServing: 1}", "minServing", at(10min), "unready"},
    {"component availability", "{kind: component, component: etcd-quorum, availability: 90%}",
     "{kind: component, component: etcd-quorum, availability: 99%}", "availability", {}, "quorum"},
    {"component longestOutage", "{kind: component, component: api-write, longestOutage: 10m}",
     "{kind: component, component: api-write, longestOutage: 1m}", "longestOutage", {}, "quorum"},
    {"workload at all times", "{kind: workload-available, namespace: shop, workload: web, to: 60m, replicas: 1}",
     "{kind: workload-available, namespace: shop, type: StatefulSet, workload: db, replicas: 1}", "replicas", {}, ""},
    {"workload availability", "{kind: workload-available, namespace: shop, type: StatefulSet, workload: db, availability: 50%}",
     "{kind: workload-available, namespace: shop, type: StatefulSet, workload: db, availability: 99.9%}", "availability", {}, ""},
    {"workload longestOutage", "{kind: workload-available, namespace: shop, type: StatefulSet, workload: db, longestOutage: 40m}",
     "{kind: workload-available, namespace: shop, type: StatefulSet, workload: db, longestOutage: 30s}", "longestOutage", {}, ""},
    {"pods-pending longest", "{kind: pods-pending, namespace: shop, longest: 30m}",
     "{kind: pods-pending, namespace: shop, selector: {app: db}, longest: 1m}", "longest", at(17min), "kill"},
    {"pods-pending atMost", "{kind: pods-pending, selector: {app: db}, atMost: 1}",
     "{kind: pods-pending, selector: {app: db}, atMost: 0}", "atMost", at(16min), ""},
    {"nodes-not-ready atMost", "{kind: nodes-not-ready, atMost: 1}", "{kind: nodes-not-ready, nodes: [w1], atMost: 0}", "atMost", {}, "crash"},
    {"nodes-not-ready longest", "{kind: nodes-not-ready, nodes: [w2, w3], longest: 1m}", "{kind: nodes-not-ready, longest: 1m}", "longest", {}, "crash"},
    {"host-memory, available", "{kind: host-memory, nodes: [w2, w3], available: 14Gi}", "{kind: host-memory, nodes: [cp-3], available: 14Gi}", "available", {},
     "slab"},
    {"host-memory, as the kubelet sees it", "{kind: host-memory, kubeletAvailable: 14Gi}", "{kind: host-memory, kubeletAvailable: 15900Mi}", "kubeletAvailable",
     {}, ""},
    {"fault-completes", "{kind: fault-completes, fault: drain, within: 5m}", "{kind: fault-completes, fault: unready, within: 1m}", "within",
     at(11min), "unready"},
    {"fault-completes, of one that lasts", "{kind: fault-completes, fault: crash}", "{kind: fault-completes, fault: full, within: 4m}", "within",
     at(19min), "full"},
    {"event never", "{kind: event, event: EtcdQuorumLost, to: 20m, atMost: 0}", "{kind: event, event: EtcdQuorumLost, atMost: 0}", "atMost",
     at(30min), "quorum"},
    {"event happens", "{kind: event, event: NodeCordoned, subject: Node/w*, atLeast: 4}",
     "{kind: event, event: NodeCordoned, subject: Node/cp-1, atLeast: 1}", "atLeast", {}, ""},
    {"operation longestOutage", "{kind: operation, operation: store, from: 5m, to: 14m, longestOutage: 3m}",
     "{kind: operation, operation: store, from: 5m, to: 14m, longestOutage: 1m}", "longestOutage", at(11min), "unready"},
    {"platform-service availability", "{kind: platform-service, service: storage, to: 14m, availability: 50%}",
     "{kind: platform-service, service: storage, to: 14m, availability: 99.9%}", "availability", {}, "unready"},
    {"vms minRunning", "{kind: vms, vms: tenants, minRunning: 75%}", "{kind: vms, vms: tenants, minRunning: 80%}", "minRunning", at(40min), "crash"},
    {"vms availability", "{kind: vms, vms: tenants, availability: 50%}", "{kind: vms, vms: tenants, availability: 99.9%}", "availability", {}, "crash"},
    {"api-requests served", "{kind: api-requests, clients: agents, served: 100%}", "{kind: api-requests, clients: flood, served: 99%}", "served", {}, "flood"},
    {"api-requests longest", "{kind: api-requests, clients: agents, longest: 30s}", "{kind: api-requests, clients: flood, longest: 1s}", "longest", {}, "flood"},
    {"vms minReachable", "{kind: vms, vms: tenants, minReachable: 75%}", "{kind: vms, vms: tenants, minReachable: 80%}", "minReachable", at(40min), "crash"},
};

TEST(Checks, EachHoldsAndFailsByItselfAlone) {
  std::string expect = "expect:\n";
  for (std::size_t i = 0; i < std::size(kCheckCases); ++i) {
    expect += "  holds-" + std::to_string(i) + ": " + kCheckCases[i].holds + "\n";
    expect += "  fails-" + std::to_string(i) + ": " + kCheckCases[i].fails + "\n";
  }
  const RunOutcome outcome = run(small_scenario(kStory + expect, "{until: 90m, warmUp: 1m}"));
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_FALSE(outcome.verdict.held);
  ASSERT_EQ(outcome.verdict.expectations.size(), 2 * std::size(kCheckCases));
  for (std::size_t i = 0; i < std::size(kCheckCases); ++i) {
    const CheckCase& c = kCheckCases[i];
    SCOPED_TRACE(c.name);
    const ExpectationResult& holds = outcome.verdict.expectations[2 * i];
    EXPECT_TRUE(holds.held) << holds.not_judged << (holds.measures.empty() ? "" : format_figure(holds.measures[0].unit, holds.measures[0].measured));
    const ExpectationResult& fails = outcome.verdict.expectations[2 * i + 1];
    EXPECT_FALSE(fails.held);
    EXPECT_TRUE(fails.not_judged.empty()) << fails.not_judged;
    std::size_t broken = 0;
    for (const Measure& measure : fails.measures) {
      if (measure.held) continue;
      ++broken;
      EXPECT_EQ(measure.name, c.measure);
      EXPECT_GT(measure.excess, 0.0);
      ASSERT_TRUE(measure.first_violation.has_value());
      EXPECT_GE(*measure.first_violation, fails.from);
      EXPECT_LE(*measure.first_violation, fails.to);
      if (c.violated) {
        // Watches and probes are some milliseconds (a probe: seconds) late.
        EXPECT_GE(*measure.first_violation, *c.violated);
        EXPECT_LE(*measure.first_violation, *c.violated + 12s) << sim::format_duration(measure.first_violation->time_since_epoch());
      }
      if (!c.fault.empty()) {
        EXPECT_EQ(measure.why.fault, c.fault) << (measure.why.empty() ? "no why" : measure.why.steps.front().kind);
      }
    }
    EXPECT_EQ(broken, 1u);
  }
  if (HasFailure()) std::fputs(log_text(outcome).c_str(), stderr);
}

TEST(Checks, EveryKindHasACase) {
  for (const std::string& kind : all_checks().kinds()) {
    if (kind == "ceph" || kind == "detection" || kind == "registry" || kind == "requests") continue;  // ceph_test.cpp, detection_test.cpp, registry_test.cpp, traffic_test.cpp
    EXPECT_TRUE(std::any_of(std::begin(kCheckCases), std::end(kCheckCases),
                            [&](const CheckCase& c) { return c.holds.find("kind: " + kind + ",") != std::string::npos; }))
        << kind;
  }
}

TEST(Checks, AWindowThatTheRunDoesNotReachIsNotHeld) {
  RunOptions options;
  options.until = at(5min);
  const RunOutcome outcome = run(small_scenario("expect:\n  late: {kind: component, component: api-read, from: 10m, availability: 1%}\n"), 1, options);
  ASSERT_EQ(outcome.verdict.expectations.size(), 1u);
  EXPECT_FALSE(outcome.verdict.expectations[0].held);
  EXPECT_FALSE(outcome.verdict.expectations[0].not_judged.empty());
  EXPECT_FALSE(outcome.verdict.held);
}

TEST(Checks, AFaultThatNeverEndsDoesNotComplete) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  crash: {kind: node-crash, at: 2m, target: {nodes: [w1]}}
expect:
  over: {kind: fault-completes, fault: crash}
)"));
  ASSERT_EQ(outcome.verdict.expectations.size(), 1u);
  EXPECT_FALSE(outcome.verdict.expectations[0].held);
}

}  // namespace
}  // namespace chaos

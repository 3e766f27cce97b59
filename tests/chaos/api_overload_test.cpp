// Floods at the API servers, end to end: who is refused, who is protected, what breaks.
#include <gtest/gtest.h>

#include <string>

#include "chaos/outages/why.hpp"
#include "sim/models/kubernetes/api_load/api_load.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using sim::k8s::api_load::ApiLoad;

RunOutcome flood(const std::string& fields, const std::string& servers = "{}", const std::string& run_fields = "{until: 12m, warmUp: 1m}") {
  return run(small_scenario("apiServers: " + servers + "\nfaults:\n  f: {kind: api-overload, at: 2m, duration: 3m, " + fields + "}\n", run_fields));
}

ApiLoad::Report report(const RunOutcome& outcome, std::string_view name) {
  const std::optional<ApiLoad::Report> found = outcome.world->api_load->report(name);
  EXPECT_TRUE(found) << name;
  return found.value_or(ApiLoad::Report{});
}

std::size_t rooted(const RunOutcome& outcome, std::string_view kind) {
  std::size_t found = 0;
  for (std::uint32_t id = 1; id <= outcome.world->log.size(); ++id) {
    if (outcome.world->log.kind(outcome.world->log.at(CauseId{id})) == kind && fault_at_root(outcome.world->log, CauseId{id}) == "f") ++found;
  }
  return found;
}

TEST(ApiOverload, WhatTheServersCanServeTheyServe) {
  const RunOutcome outcome = flood("clients: 50, user: alice, verb: get, interval: 1s");
  const ApiLoad::Report f = report(outcome, "f");
  // 50 clients, one request a second each, for 180 s.
  EXPECT_NEAR(static_cast<double>(f.sent), 9000.0, 60.0);
  EXPECT_EQ(f.served, f.sent);
  EXPECT_EQ(f.level, "global-default");
  EXPECT_EQ(count(outcome, "RequestsRefused"), 0u) << log_text(outcome);
  EXPECT_FALSE(outcome.world->api_load->is_active()) << "nothing is simulated any more";
  EXPECT_TRUE(outcome.world->engine.now() > sim::SimTime{} + 11min);
}

// One core a server, 1 s of it a request, no two alike: what M/G/1-PS says of a closed loop is simple, all of a server's clients are always there.
TEST(ApiOverload, RequestsShareTheCoresOfAServer) {
  const RunOutcome outcome = flood("clients: 60, user: root, groups: [\"system:masters\"], verb: list, resource: pods, objects: 12500, interval: 1ms, timeout: 60s",
                                   "{cpuCores: 1, requestCpu: 1us}");
  const ApiLoad::Report f = report(outcome, "f");
  EXPECT_EQ(f.level, "exempt");
  EXPECT_EQ(f.refused, 0u);
  // 12500 * 4000 B at 50 MB/s is 1 s of a core: three servers finish three lists a second, whoever waits how long.
  EXPECT_NEAR(static_cast<double>(f.served), 3.0 * 180, 25.0 + 60.0);
  // Its clients are spread at random, 20 a server on average: each waits for as many seconds as its server has clients.
  EXPECT_NEAR(sim::seconds(f.served_in_total) / static_cast<double>(f.served), 20.0, 4.0);
}

TEST(ApiOverload, ALevelThatIsFullRefusesItsOwn) {
  // Lists of 10 MB, 0.2 s of a core and 8 seats each: a server answers 20 a second, and 1,333 clients ask it.
  const RunOutcome outcome = flood("clients: 4000, user: alice, verb: list, objects: 2500, interval: 1s, timeout: 60s",
                                   "{cpuCores: 4, clients: {other: {clients: 5, user: \"system:serviceaccount:shop:operator\", verb: get, interval: 2s}}}");
  const ApiLoad::Report f = report(outcome, "f");
  const ApiLoad::Report other = report(outcome, "other");
  EXPECT_GT(f.refused, f.served) << "most are refused with 429";
  EXPECT_EQ(other.level, "workload-low");
  EXPECT_EQ(other.refused, 0u) << "another level";
  EXPECT_GT(other.served, 0u);
  EXPECT_EQ(report(outcome, "kubelets (leases)").refused, 0u) << "node-high";
  EXPECT_EQ(count(outcome, "NodeNotReady"), 0u);
  EXPECT_GE(rooted(outcome, "RequestsRefused"), 1u);
}

TEST(ApiOverload, AFloodThatIsExemptTakesTheControlPlaneWithIt) {
  // 2,100 clients that nothing limits: each server has 700 requests at once on one core, 28 ms of it each, so everybody waits for 20 s. A kubelet's lease waits 10 s,
  // a leader's 5 s.
  const RunOutcome outcome = flood("clients: 2100, user: root, groups: [\"system:masters\"], verb: list, objects: 100, interval: 1ms, timeout: 60s", "{cpuCores: 1, requestCpu: 20ms}");
  EXPECT_GE(rooted(outcome, "LeaseRenewalFailed"), 7u) << log_text(outcome);
  EXPECT_GE(rooted(outcome, "LeaderElectionLost"), 1u);
  EXPECT_GE(rooted(outcome, "RequestsThrottled"), 1u);
  // After it all is well again.
  for (const sim::k8s::Ref<sim::k8s::Node> node : outcome.world->api.all<sim::k8s::Node>().refs()) {
    EXPECT_EQ(outcome.world->api.get(node)->ready, sim::k8s::ConditionStatus::kTrue);
  }
  EXPECT_TRUE(outcome.world->control_plane.leads(sim::k8s::Component::kScheduler));
  EXPECT_TRUE(outcome.world->control_plane.leads(sim::k8s::Component::kControllerManager));
  EXPECT_FALSE(outcome.world->api_load->is_active());
}

TEST(ApiOverload, ListsThatAreNotStreamedKillTheServers) {
  const std::string lists = "clients: 200, user: \"system:serviceaccount:telemetry:agent\", verb: list, objects: 120000, interval: 20s";
  const RunOutcome bad = flood(lists, "{streamsLists: false}");
  EXPECT_GE(rooted(bad, "OOMKilling"), 3u) << "one after the other\n" << log_text(bad);
  EXPECT_GE(rooted(bad, "ApiServerUnavailable"), 1u);
  EXPECT_GT(report(bad, "kubelets (lists after a reconnect)").sent, 0u);
  const RunOutcome good = flood(lists, "{streamsLists: true}");
  EXPECT_EQ(count(good, "OOMKilling"), 0u) << "Kubernetes 1.33 and later";
}

TEST(ApiOverload, TheSameSeedIsTheSameRun) {
  const std::string fields = "clients: 200, user: \"system:serviceaccount:telemetry:agent\", verb: list, objects: 120000, interval: 20s";
  EXPECT_EQ(log_text(flood(fields, "{streamsLists: false}")), log_text(flood(fields, "{streamsLists: false}")));
}

TEST(ApiOverload, AFloodWithoutEndGoesOn) {
  const RunOutcome outcome = run(small_scenario("faults:\n  f: {kind: api-overload, at: 2m, clients: 3, user: alice, verb: get, interval: 1s}\n", "{until: 10m, warmUp: 1m}"));
  EXPECT_TRUE(outcome.world->api_load->is_active());
  EXPECT_NEAR(static_cast<double>(report(outcome, "f").served), 3.0 * 480, 5.0);
}

}  // namespace
}  // namespace chaos

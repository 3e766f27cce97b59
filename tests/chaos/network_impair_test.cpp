// The network of machines: delay, loss and cuts of single links, and who feels them.
#include <gtest/gtest.h>

#include <cmath>

#include "chaos/outages/why.hpp"
#include "sim/models/network/host_network.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

std::string fault(const std::string& text) { return "faults:\n  f: " + text + "\n"; }
RunOutcome run_fault(const std::string& text, const std::string& until = "30m", std::uint64_t seed = 1) { return run(small_scenario(fault(text), "{until: " + until + ", warmUp: 1m}"), seed); }

TEST(Tcp, StallsByHand) {
  using namespace sim::network;
  EXPECT_EQ(stall_after(0), 0s);
  EXPECT_EQ(stall_after(1), 200ms);
  EXPECT_EQ(stall_after(3), 1400ms);
  EXPECT_NEAR(sim::seconds(stall_after(7)), 25.4, 1e-6);
  // 0.2 * (2^10 - 1) = 204.6 s, then 120 s each.
  EXPECT_NEAR(sim::seconds(stall_after(11)), 324.6, 1e-6);
  EXPECT_EQ(sendings_within(0s), 1);
  EXPECT_EQ(sendings_within(1s), 3);  // at 0, 0.2 and 0.6 s
  EXPECT_EQ(sendings_within(20s), 7);
  EXPECT_DOUBLE_EQ(stalls_longer_than({}, 1s), 0.0);
  EXPECT_NEAR(stalls_longer_than({.loss_there = 0.5, .loss_back = 0.0}, 1s), 0.125, 1e-12);
  EXPECT_NEAR(stalls_longer_than({.loss_there = 0.5, .loss_back = 0.5}, 1s), 0.421875, 1e-12);  // 0.75^3
  EXPECT_DOUBLE_EQ(stalls_longer_than({.delay = 2s}, 1s), 1.0);
}

TEST(NetworkImpair, ACutLinkIsFeltByItsTwoEndsAlone) {
  // w1 does not reach cp-1: the other two API servers are behind the same load balancer.
  const RunOutcome one = run_fault("{kind: network-impair, at: 2m, duration: 10m, target: {nodes: [w1]}, others: {nodes: [cp-1]}, cut: true}");
  EXPECT_EQ(count(one, "NodeNotReady"), 0u) << log_text(one);
  EXPECT_EQ(count(one, "EtcdLeaderLost"), 0u);
  // ... none of the three.
  const RunOutcome all = run_fault("{kind: network-impair, at: 2m, duration: 10m, target: {nodes: [w1]}, others: {pool: control}, cut: true, direction: from}");
  EXPECT_EQ(count(all, "NodeNotReady", "Node/w1"), 1u) << log_text(all);
  EXPECT_EQ(count(all, "NodeReady", "Node/w1"), 1u) << "and back";
  EXPECT_EQ(count(all, "EtcdLeaderLost"), 0u);
  // Members of etcd from each other: no quorum, though every worker reaches every API server.
  const RunOutcome members = run_fault("{kind: network-impair, at: 2m, duration: 3m, target: {nodes: [cp-1, cp-2]}, others: {pool: control}, cut: true}");
  ASSERT_EQ(count(members, "EtcdQuorumLost"), 1u) << log_text(members);
  EXPECT_EQ(count(members, "EtcdQuorumRegained"), 1u);
}

TEST(NetworkImpair, DelayRaisesCommitsAndMovesTheLeader) {
  const RunOutcome slow = run_fault("{kind: network-impair, at: 2m, duration: 10m, target: {pool: control}, delay: 200ms, direction: to}");
  EXPECT_EQ(count(slow, "EtcdLeaderLost"), 0u) << log_text(slow);
  // Each way of each machine: a round trip of 1.2 s between any two.
  const RunOutcome far = run_fault("{kind: network-impair, at: 2m, duration: 10m, target: {pool: control}, delay: 600ms, direction: to}");
  EXPECT_EQ(count(far, "EtcdLeaderLost"), 1u) << log_text(far);
  EXPECT_EQ(count(far, "ControlPlaneWritable"), 1u) << "after it";
}

TEST(NetworkImpair, LossMakesAKubeletMissItsLeasesNowAndThen) {
  std::size_t stalls = 0;
  std::size_t not_ready = 0;
  constexpr int kSeeds = 5;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const RunOutcome lossy = run_fault("{kind: network-impair, at: 2m, duration: 8h, target: {nodes: [w1]}, loss: 50, direction: to}", "9h", seed);
    stalls += count(lossy, "ConnectionStalled", "host/w1");
    not_ready += count(lossy, "NodeNotReady", "Node/w1");
    for (std::uint32_t id = 1; id <= lossy.world->log.size(); ++id) {
      if (lossy.world->log.kind(lossy.world->log.at(CauseId{id})) != "NodeNotReady") continue;
      EXPECT_EQ(fault_at_root(lossy.world->log, CauseId{id}), "f");
    }
    EXPECT_EQ(count(lossy, "NodeNotReady", "Node/w2"), 0u);
  }
  // 0.5^7 of the renewals begin a stall of 25.4 s or more: 28,800 s / (10 s * 128 + a stall of 25.4 to some 60 s) = 21.7 to 22 each.
  const double expected = kSeeds * 28800.0 / (10.0 * 128.0 + 36.0);
  EXPECT_NEAR(static_cast<double>(stalls), expected, 4.0 * std::sqrt(expected));
  EXPECT_GT(not_ready, 0u);
  EXPECT_LT(not_ready, stalls) << "most end before the node monitor's grace does";
  EXPECT_EQ(count(run_fault("{kind: network-impair, at: 2m, duration: 8h, target: {nodes: [w1]}, loss: 5}", "9h"), "NodeNotReady"), 0u);
  EXPECT_EQ(count(run_fault("{kind: network-impair, at: 2m, duration: 8h, target: {nodes: [w1]}, duplicate: 90}", "9h"), "ConnectionStalled"), 0u);
}

TEST(NetworkImpair, OsdsMissHeartbeatsAndComeBack) {
  const RunOutcome cut = run(ceph_scenario(fault("{kind: network-impair, at: 6m, duration: 10m, target: {nodes: [st-4]}, others: {pool: storage}, cut: true}")));
  EXPECT_GE(count(cut, "OsdDown"), 2u) << log_text(cut);
  const RunOutcome lossy = run(ceph_scenario(fault("{kind: network-impair, at: 6m, duration: 40m, target: {nodes: [st-4]}, loss: 80}"), "{until: 1h, warmUp: 5m}"));
  EXPECT_GE(count(lossy, "ConnectionStalled"), 1u);
  EXPECT_GE(count(lossy, "OsdDown"), 1u) << log_text(lossy);
  EXPECT_EQ(count(run(ceph_scenario(fault("{kind: network-impair, at: 6m, duration: 40m, target: {nodes: [st-4]}, loss: 1}"))), "OsdDown"), 0u);
}

TEST(NetworkImpair, PodsFeelTheNetworkOfTheirMachines) {
  const std::string needs = "behaviours:\n- {match: {namespace: shop, labels: {app: web}}, needs: [shop/db]}\n";
  const RunOutcome outcome = run(small_scenario(needs + fault("{kind: network-impair, at: 2m, duration: 5m, target: {pool: workers}, others: {pool: workers}, cut: true}")));
  // The database runs on one of four machines; of three web pods at least two are elsewhere.
  EXPECT_GE(count(outcome, "DependencyUnreachable"), 2u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "DependencyUnreachable"), count(outcome, "DependencyReachable"));
  EXPECT_EQ(count(outcome, "NodeNotReady"), 0u) << "the API servers are on other machines";
}

TEST(NetworkImpair, WhenItIsOverEverythingIsAsBefore) {
  for (const char* how : {"cut: true", "delay: 3s", "loss: 90", "rate: 1kB/s"}) {
    SCOPED_TRACE(how);
    const RunOutcome outcome = run(small_scenario(fault(std::string("{kind: network-impair, at: 2m, duration: 5m, target: {pool: control}, ") + how + "}") + "registries: {docker.io: {}}\n", "{until: 40m, warmUp: 1m}"));
    EXPECT_FALSE(outcome.world->host_network->any());
    EXPECT_TRUE(outcome.world->api.writable());
    EXPECT_TRUE(outcome.world->control_plane.leads(sim::k8s::Component::kScheduler));
    outcome.world->api.all<sim::k8s::Node>().for_each([&](sim::k8s::Ref<sim::k8s::Node>, const sim::k8s::Node& node) {
      EXPECT_EQ(node.ready, sim::k8s::ConditionStatus::kTrue) << outcome.world->names.text(node.meta.name);
    });
  }
}

TEST(NetworkImpair, WithNobodyOnTheOtherSideItIsNotInjected) {
  const RunOutcome outcome = run(small_scenario("faults:\n  gone: {kind: node-delete, at: 1m, target: {nodes: [w2]}}\n  f: {kind: network-impair, at: 2m, duration: 5m, target: {nodes: [w1]}, others: {nodes: [w2]}, cut: true}\n"));
  EXPECT_EQ(count(outcome, "FaultNotInjected", "Fault/f"), 1u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "HostNetworkImpaired"), 0u);
}

// Chaos Mesh on pods of the host's network.
std::string mesh(const std::string& spec) {
  return "faults:\n  f: {kind: chaos-mesh, at: 2m, allowHostNetwork: true, resource: {apiVersion: chaos-mesh.org/v1alpha1, kind: NetworkChaos, metadata: {name: x, namespace: kube-system}, spec: " + spec + "}}\n";
}

TEST(NetworkImpair, NetworkChaosOnMembersOfEtcd) {
  const std::string etcd = "mode: all, selector: {labelSelectors: {component: etcd}}";
  const RunOutcome far = run(small_scenario(mesh("{action: delay, delay: {latency: 600ms}, duration: 5m, " + etcd + "}")));
  EXPECT_EQ(count(far, "EtcdLeaderLost"), 1u) << log_text(far);
  const RunOutcome split = run(small_scenario(mesh("{action: partition, direction: both, duration: 5m, mode: one, selector: {labelSelectors: {component: etcd}}, target: {" + etcd + "}}")));
  EXPECT_EQ(count(split, "HostNetworkImpaired") > 0, true) << log_text(split);
  EXPECT_EQ(count(split, "EtcdQuorumLost"), 0u);
  EXPECT_EQ(count(split, "HostNetworkImpaired"), count(split, "HostNetworkRestored"));
  // A scheduler and an etcd of one machine are one network namespace: its packets are slowed down once.
  const RunOutcome both = run(small_scenario(mesh("{action: delay, delay: {latency: 400ms}, duration: 5m, mode: all, selector: {labelSelectors: {tier: control-plane}}}")));
  EXPECT_EQ(count(both, "HostNetworkImpaired"), 3u) << log_text(both);
  EXPECT_EQ(count(both, "EtcdLeaderLost"), 0u) << "0.8 s there and back, not 3.2";
  const RunOutcome mixed = run(small_scenario(mesh("{action: partition, direction: both, duration: 5m, " + etcd + ", target: {mode: all, selector: {namespaces: [shop], labelSelectors: {app: web}}}}")));
  const auto failed = records(mixed, "Failed");
  ASSERT_FALSE(failed.empty()) << log_text(mixed);
  EXPECT_NE(mixed.world->log.message(*failed.front()).find("not modelled: packets between pod"), std::string::npos) << mixed.world->log.message(*failed.front());
}

}  // namespace
}  // namespace chaos

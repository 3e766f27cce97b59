// Object stores: gateways as pods, what they need to start, and what happens when placement groups do not answer.
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

std::string store_scenario(const std::string& more, const std::string& store = "instances: 2", const std::string& run = "{until: 1h, warmUp: 5m}") {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: objects}
run: )" + run + R"(
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  storage: {count: 5, nodeName: "st-{n}", cpu: 16, memory: 64Gi, boot: {median: 2m}}
  gateways: {count: 3, nodeName: "gw-{n}", cpu: 8, memory: 16Gi}
ceph:
  mons: {count: 3, pools: [storage]}
  osds: {data: {pools: [storage], perNode: 2, size: 1Ti, deviceClass: ssd}}
  pools:
    s3.rgw.buckets.index: {size: 3, pgNum: 16, stored: 1Gi, writesPerSecond: 20}
    s3.rgw.buckets.data: {size: 3, pgNum: 32, stored: 50Gi, writesPerSecond: 50}
  objectStores:
    s3: {pools: [gateways], )" + store + R"(}
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: registry, namespace: shop}
  spec:
    replicas: 1
    selector: {matchLabels: {app: registry}}
    template:
      metadata: {labels: {app: registry}}
      spec:
        nodeSelector: {squall.dev/pool: gateways}
        containers:
          - {name: registry, image: "registry:2", resources: {requests: {cpu: 500m, memory: 256Mi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: registry, namespace: shop}
  spec: {selector: {app: registry}, ports: [{port: 5000}]}
behaviours:
- {match: {namespace: shop, labels: {app: registry}}, needs: [rook-ceph/rook-ceph-rgw-s3]}
)" + more;
}

// Two of five storage nodes: placement groups with two copies there take no I/O until both are out and the data are copied (or they are back).
constexpr const char* kTwoNodes = "faults:\n  two: {kind: node-crash, at: 10m, duration: 9m, target: {nodes: [st-4, st-5]}}\n";

const sim::rook::Rook& rook_of(const RunOutcome& outcome) { return *outcome.world->rook; }

TEST(ObjectStore, GatewaysServeAndOthersCanNeedThem) {
  const RunOutcome outcome = run(store_scenario(""));
  EXPECT_TRUE(outcome.verdict.outages.empty()) << log_text(outcome);
  EXPECT_EQ(count(outcome, "GatewayStarted"), 2u);
  EXPECT_EQ(rook_of(outcome).object_stores().answered(0), 1.0);
  EXPECT_NE(sim::ceph::status_text(rook_of(outcome).cluster()).find("    rgw: 2 daemons active (2 hosts, 1 zones)\n"), std::string::npos);
  const sim::k8s::ApiServer& api = outcome.world->api;
  const auto name = outcome.world->names.find("rook-ceph-rgw-s3");
  EXPECT_TRUE(api.find<sim::k8s::Service>(outcome.world->names.find("rook-ceph"), name));
  const auto budget = api.find<sim::k8s::PodDisruptionBudget>(outcome.world->names.find("rook-ceph"), name);
  ASSERT_TRUE(budget);
  EXPECT_EQ(api.get(budget)->min_available->value, 1);
}

// With 1024 places, share p of the requests hanging and r requests a second over two gateways: full after 1024 / (r / 2 * p).
TEST(ObjectStore, HangingRequestsFillAGatewayUntilItRefusesAll) {
  const RunOutcome outcome = run(store_scenario(kTwoNodes, "instances: 2, requestsPerSecond: 200"));
  const auto full = records(outcome, "GatewayFull");
  ASSERT_EQ(full.size(), 2u) << log_text(outcome);
  // At first every placement group with a copy on a dead OSD hangs (nearly all); from the markdown on those with two copies there.
  EXPECT_GT(full[0]->time, at(10min + 1024s / 100));
  EXPECT_LT(full[0]->time, at(12min));
  const Outage* registry = find(outcome, OutageKind::kServiceDown, "Service/shop/registry");
  ASSERT_NE(registry, nullptr);
  EXPECT_EQ(registry->start, full[1]->time);
  std::string chain;
  for (const CauseStep& step : registry->why.steps) chain += step.kind + " < ";
  EXPECT_NE(chain.find("DependencyDown < GatewayFull < PoolIoBlocked < "), std::string::npos) << chain;
  EXPECT_EQ(registry->why.fault, "two");
  // The readiness probe takes 503 for health.
  EXPECT_EQ(count(outcome, "Unhealthy"), 0u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "GatewayServes"), 2u);
  EXPECT_FALSE(registry->open);
  const Outage* store = find(outcome, OutageKind::kObjectStoreBlocked, "ObjectStore/s3");
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->start, at(10min));
}

TEST(ObjectStore, FewRequestsNeverFillIt) {
  const RunOutcome outcome = run(store_scenario(kTwoNodes, "instances: 2, requestsPerSecond: 1"));
  EXPECT_EQ(count(outcome, "GatewayFull"), 0u);
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/shop/registry"), nullptr);
  const Outage* store = find(outcome, OutageKind::kObjectStoreBlocked, "ObjectStore/s3");
  ASSERT_NE(store, nullptr);  // some requests hang all the same
  EXPECT_GE(store->length(), 8min);
}

TEST(ObjectStore, AGatewayThatIsLostLeavesTheOther) {
  const RunOutcome outcome = run(store_scenario("faults:\n  one: {kind: container-kill, at: 10m, target: {namespace: rook-ceph, selector: {rgw: s3}, count: 1}}\n"));
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/rook-ceph/rook-ceph-rgw-s3"), nullptr) << log_text(outcome);
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/shop/registry"), nullptr);
  EXPECT_EQ(count(outcome, "GatewayStarted"), 3u);
}

TEST(ObjectStore, AStartNeedsTheMonitorsAndThePools) {
  // The only gateway is killed while there is no quorum: the one that ran goes on, the new one waits.
  const RunOutcome outcome = run(store_scenario(R"(faults:
  mons: {kind: node-crash, at: 10m, duration: 10m, target: {nodes: [st-1, st-2]}}
  kill: {kind: container-kill, at: 12m, target: {namespace: rook-ceph, selector: {rgw: s3}}}
)", "instances: 1, requestsPerSecond: 0.1"));
  const auto started = records(outcome, "GatewayStarted");
  ASSERT_EQ(started.size(), 2u) << log_text(outcome);
  EXPECT_GE(started[1]->time, at(20min));
}

TEST(ObjectStore, ExpectationsLookAtIt) {
  const RunOutcome outcome = run(store_scenario(std::string(kTwoNodes) + "expect:\n  store: {kind: ceph, objectStore: s3, longestOutage: 1m}\n"));
  ASSERT_EQ(outcome.verdict.expectations.size(), 1u);
  EXPECT_FALSE(outcome.verdict.expectations[0].held);
  EXPECT_EQ(outcome.verdict.expectations[0].subject, "ObjectStore/s3");
}

TEST(ObjectStore, WrongOnesAreTold) {
  std::string text = store_scenario("expect:\n  a: {kind: ceph, objectStore: s4, longestOutage: 1m}\n  b: {kind: ceph, objectStore: s3, pool: s3.rgw.buckets.data, longestOutage: 1m}\n");
  EXPECT_NE(problems_of(text).find("looks at one thing"), std::string::npos) << problems_of(text);
  text = store_scenario("expect:\n  a: {kind: ceph, objectStore: s4, longestOutage: 1m}\n");
  EXPECT_NE(problems_of(text).find("Ceph has no object store 's4'; it has s3"), std::string::npos) << problems_of(text);
  text = store_scenario("", "dataPool: s3.rgw.buckets.dat");
  EXPECT_NE(problems_of(text).find("did you mean 's3.rgw.buckets.data'?"), std::string::npos) << problems_of(text);
}

}  // namespace
}  // namespace chaos

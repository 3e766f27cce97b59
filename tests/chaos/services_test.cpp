// Services of a platform: clusters that agree or do not, needs, caches, gates, operations, VMs.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/services/services.hpp"
#include "sim/models/services/virtual_machines.hpp"
#include "sim/scenario/world_builder.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

/// Six nodes, one pod of each StatefulSet on one of the first three; `services` and `more` go to the top level.
std::string platform(const std::string& services, const std::string& more, const std::string& run = "{until: 30m, warmUp: 5m}", const std::string& probes = {}) {
  std::string text = R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: platform}
run: )" + run + R"(
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  infra: {count: 3, nodeName: "n{n}", cpu: 16, memory: 64Gi, boot: {median: 2m, sigma: 0}, labels: {role: infra}}
  compute: {count: 2, nodeName: "c{n}", cpu: 16, memory: 64Gi, boot: {median: 2m, sigma: 0}}
objects: |
)";
  const auto set = [&](const std::string& kind, const std::string& name, int replicas, const std::string& extra) {
    text += "  apiVersion: apps/v1\n  kind: " + kind + "\n  metadata: {name: " + name + ", namespace: os}\n  spec:\n    replicas: " + std::to_string(replicas) + "\n" + extra +
            "    selector: {matchLabels: {app: " + name + "}}\n    template:\n      metadata: {labels: {app: " + name +
            "}}\n      spec:\n        nodeSelector: {role: infra}\n        terminationGracePeriodSeconds: 30\n        affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: "
            "kubernetes.io/hostname, labelSelector: {matchLabels: {app: " + name + "}}}]}}\n        containers: [{name: main, image: \"" + name +
            ":1\", readinessProbe: {httpGet: {port: 1}, periodSeconds: 5}" + probes + ", resources: {requests: {cpu: 100m, memory: 128Mi}}}]\n  ---\n  apiVersion: v1\n  kind: Service\n  metadata: {name: " +
            name + ", namespace: os}\n  spec: {selector: {app: " + name + "}, ports: [{port: 1}]}\n  ---\n";
  };
  set("StatefulSet", "db", 3, "    serviceName: db\n    podManagementPolicy: Parallel\n");
  set("StatefulSet", "mq", 3, "    serviceName: mq\n    podManagementPolicy: Parallel\n");
  set("Deployment", "proxy", 2, "");
  set("Deployment", "cache", 2, "");
  set("Deployment", "auth", 2, "");
  set("Deployment", "api", 2, "");
  return text.substr(0, text.size() - 6) + "services:\n" + services + more;
}

std::string all_services(const std::string& db = "suspectTimeout: 5s", const std::string& mq = "partitionHandling: pause_minority") {
  return "  db: {like: galera, service: os/db, quorum: {" + db + "}}\n  mq: {like: rabbitmq, service: os/mq, broker: {" + mq + R"(}}
  proxy: {like: maxscale, service: os/proxy, proxy: {backend: db}}
  cache: {like: memcached, service: os/cache}
  auth: {like: stateless-api, service: os/auth, waitsFor: [proxy], needs: [proxy], operations: {log-in: {}}}
  api:
    like: stateless-api
    service: os/api
    waitsFor: [auth, mq]
    needs: [proxy, auth]
    uses: [mq]
    caches: {auth: {in: cache, for: 5m}}
    operations: {list: {}, boot: {needs: [mq]}}
)";
}

const Outage* longest(const RunOutcome& outcome, OutageKind kind, std::string_view subject) {
  const Outage* found = nullptr;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind == kind && outage.subject == subject && (found == nullptr || outage.length() > found->length())) found = &outage;
  }
  return found;
}
bool tells(const Why& why, std::string_view kind) {
  return std::any_of(why.steps.begin(), why.steps.end(), [&](const CauseStep& step) { return step.kind == kind; });
}
const sim::services::Status& status(const RunOutcome& outcome, std::string_view name) {
  return outcome.world->services->status(outcome.world->services->find(name));
}

TEST(Services, APlatformComesUpInTheOrderOfItsGatesAndStaysUp) {
  const RunOutcome outcome = run(platform(all_services(), ""));
  for (std::size_t i = 0; i < outcome.world->services->size(); ++i) {
    EXPECT_TRUE(outcome.world->services->status(i).up) << outcome.world->services->config(i).name << "\n" << log_text(outcome);
    EXPECT_EQ(outcome.world->services->outstanding(i), "");
  }
  for (const Outage& outage : outcome.verdict.outages) ADD_FAILURE() << outage.subject << " " << to_string(outage.kind);
  const auto first = [&](const char* subject) {
    SimTime earliest = sim::kEndOfTime;
    for (const char* kind : {"PlatformServiceUp", "PlatformServiceDegraded"}) {
      for (const sim::EventLog::Record* record : records(outcome, kind, subject)) earliest = std::min(earliest, record->time);
    }
    return earliest;
  };
  EXPECT_LT(first("platform/proxy"), first("platform/auth"));
  EXPECT_LT(first("platform/auth"), first("platform/api"));
  EXPECT_GE(count(outcome, "WaitsForDependencies"), 2u);
}

// Reference platform 7.1: a crash stalls commits for suspect_timeout (5 s, looked at every 0.5 s), a clean stop does not.
TEST(Services, ACrashedMemberOfGaleraStallsCommitsUntilItIsEvicted) {
  const RunOutcome outcome = run(platform(all_services(), "faults:\n  crash: {kind: node-crash, at: 10m, target: {nodes: [n2]}}\n"));
  const auto evicted = records(outcome, "MemberEvicted", "platform/db");
  ASSERT_EQ(evicted.size(), 1u) << log_text(outcome);
  EXPECT_GE(evicted[0]->time, at(10min + 5s));
  EXPECT_LE(evicted[0]->time, at(10min + 5500ms));
  const Outage* db = longest(outcome, OutageKind::kPlatformServiceDown, "platform/db");
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(db->start, at(10min));
  EXPECT_LE(db->length(), 5500ms);
  EXPECT_EQ(db->severity, Severity::kNone);
  EXPECT_EQ(db->why.fault, "crash");
  EXPECT_EQ(count(outcome, "NoPrimaryComponent"), 0u);
  // What follows for who needs it, and no more than the proxy's next poll and its connect timeout later.
  const Outage* boot = longest(outcome, OutageKind::kOperationImpossible, "operation/boot");
  ASSERT_NE(boot, nullptr) << log_text(outcome);
  EXPECT_LE(boot->end, at(10min + 5500ms + 2s + 3s + 30s));
  EXPECT_EQ(boot->why.fault, "crash");
}

TEST(Services, MembersThatLeaveCleanlyTakeTheMajorityAlong) {
  // Drained one after the other, two of three: the last one is a primary component of one.
  const RunOutcome outcome = run(platform(all_services(), "faults:\n  a: {kind: drain, at: 10m, target: {nodes: [n1]}}\n  b: {kind: drain, at: 15m, target: {nodes: [n2]}}\n"));
  EXPECT_EQ(count(outcome, "NoPrimaryComponent"), 0u) << log_text(outcome);
  EXPECT_EQ(count(outcome, "MemberSuspected"), 0u);
  EXPECT_TRUE(status(outcome, "db").up);
}

TEST(Services, TwoCrashedMembersOfThreeLeaveNoPrimaryComponentUntilAllOfTheLastOneAreBack) {
  const RunOutcome outcome = run(platform(all_services(), "faults:\n  a: {kind: node-crash, at: 10m, duration: 5m, target: {nodes: [n1]}}\n  b: {kind: node-crash, at: 10m, duration: 10m, target: {nodes: [n2]}}\n",
                                          "{until: 40m, warmUp: 5m}"));
  ASSERT_EQ(count(outcome, "NoPrimaryComponent"), 1u) << log_text(outcome);
  const auto restored = records(outcome, "PrimaryComponentRestored", "platform/db");
  ASSERT_EQ(restored.size(), 1u) << log_text(outcome);
  EXPECT_GT(restored[0]->time, at(22min));  // the later one was switched on at 20 min and boots for 2
  EXPECT_TRUE(status(outcome, "db").up);
  EXPECT_TRUE(status(outcome, "api").up);
  const Outage* api = longest(outcome, OutageKind::kPlatformServiceDown, "platform/api");
  ASSERT_NE(api, nullptr);
  EXPECT_TRUE(tells(api->why, "MemberSuspected") || tells(api->why, "NoPrimaryComponent"));
  EXPECT_TRUE(tells(api->why, "HostCrashed"));
}

TEST(Services, WithoutAllOfTheLastComponentSomebodyMustBootstrap) {
  const std::string faults = "faults:\n  a: {kind: node-crash, at: 10m, target: {nodes: [n1]}}\n  b: {kind: node-crash, at: 10m, target: {nodes: [n2]}}\n";
  const RunOutcome nobody = run(platform(all_services(), faults));
  EXPECT_FALSE(status(nobody, "db").up);
  EXPECT_NE(nobody.world->services->outstanding(nobody.world->services->find("db")).find("by hand"), std::string::npos);
  const RunOutcome somebody = run(platform(all_services("suspectTimeout: 5s, bootstrapAfter: 10m"), faults));
  const auto by_hand = records(somebody, "BootstrappedByHand", "platform/db");
  ASSERT_EQ(by_hand.size(), 1u);
  EXPECT_GE(by_hand[0]->time, at(20min + 5s));
  EXPECT_TRUE(status(somebody, "db").up) << log_text(somebody);
}

TEST(Services, TheStartScriptNeedsEveryReplica) {
  const std::string all = "faults:\n  power: {kind: node-crash, at: 10m, duration: 3m, target: {nodes: [n1, n2, n3]}}\n";
  const RunOutcome whole = run(platform(all_services("startScript: true"), all));
  EXPECT_EQ(count(whole, "ClusterBootstrapped"), 1u) << log_text(whole);
  EXPECT_TRUE(status(whole, "api").up) << log_text(whole);
  const std::string one_stays_away = "faults:\n  power: {kind: node-crash, at: 10m, duration: 3m, target: {nodes: [n1, n2]}}\n  dead: {kind: node-crash, at: 10m, target: {nodes: [n3]}}\n";
  const RunOutcome part = run(platform(all_services("startScript: true"), one_stays_away));
  EXPECT_EQ(count(part, "ClusterBootstrapped"), 0u);
  EXPECT_FALSE(status(part, "db").up);
}

// Reference platform 7.1: what was missed fits into gcache, or everything is fetched: 5 GiB at 100 MiB/s, and 5 s to start: 56 s.
TEST(Services, AMemberThatWasAwayForLongFetchesEverything) {
  const std::string faults = "faults:\n  crash: {kind: node-crash, at: 10m, duration: 5m, target: {nodes: [n1]}}\n";
  const RunOutcome little = run(platform(all_services("writeRate: 100Ki/s"), faults));
  const RunOutcome much = run(platform(all_services("writeRate: 10Mi/s"), faults));
  const auto joining = [](const RunOutcome& outcome) { return records(outcome, "MemberJoining", "platform/db").front(); };
  const auto synced = [](const RunOutcome& outcome) { return records(outcome, "MemberSynced", "platform/db").front(); };
  ASSERT_EQ(count(little, "MemberJoining"), 1u) << log_text(little);
  ASSERT_EQ(count(much, "MemberJoining"), 1u);
  EXPECT_LT(synced(little)->time - joining(little)->time, 5s);
  EXPECT_EQ(synced(much)->time - joining(much)->time, 5s + 51200ms);
  EXPECT_NE(much.world->log.message(*joining(much)).find("SST"), std::string_view::npos);
}

TEST(Services, AWeightDecides) {
  const std::string faults = "faults:\n  a: {kind: network-partition, at: 10m, duration: 5m, target: {nodes: [NODE]}}\n";
  const RunOutcome probe = run(platform(all_services("weights: {db-0: \"3\"}"), ""));
  std::string heavy;
  for (const auto& member : probe.world->services->members(probe.world->services->find("db"))) {
    if (member.name == "db-0") heavy = probe.world->hosts.spec(member.host).name;
  }
  std::string cut = faults;
  cut.replace(cut.find("NODE"), 4, heavy);
  // The two that are left weigh 2 of 5: the one that is cut off is the primary component, where nobody sees it.
  const RunOutcome outcome = run(platform(all_services("weights: {db-0: \"3\"}"), cut));
  const Outage* db = longest(outcome, OutageKind::kPlatformServiceDown, "platform/db");
  ASSERT_NE(db, nullptr) << log_text(outcome);
  EXPECT_GE(db->length(), 5min);
  EXPECT_EQ(count(outcome, "NoPrimaryComponent"), 0u);
  const RunOutcome even = run(platform(all_services(), cut));
  const Outage* brief = longest(even, OutageKind::kPlatformServiceDown, "platform/db");
  ASSERT_NE(brief, nullptr);
  EXPECT_LE(brief->length(), 6s);
}

// Reference platform 7.3: a silent node is missed after 45 to 75 s.
TEST(Services, AMinorityOfRabbitMqPausesAndAutohealDropsWhatTheLoserTook) {
  const std::string faults = "faults:\n  a: {kind: network-partition, at: 10m, duration: 5m, target: {nodes: [n1]}}\n";
  const RunOutcome pause = run(platform(all_services(), faults));
  const auto paused = records(pause, "BrokerPaused", "platform/mq");
  ASSERT_EQ(paused.size(), 1u) << log_text(pause);
  EXPECT_GE(paused[0]->time, at(10min + 45s));
  EXPECT_LE(paused[0]->time, at(10min + 75s));
  EXPECT_EQ(count(pause, "BrokerResumed"), 1u);
  EXPECT_EQ(count(pause, "PartitionHealed"), 0u);
  const RunOutcome heal = run(platform(all_services("suspectTimeout: 5s", "partitionHandling: autoheal"), faults));
  EXPECT_EQ(count(heal, "BrokerPaused"), 0u);
  ASSERT_EQ(count(heal, "PartitionHealed"), 1u) << log_text(heal);
  EXPECT_TRUE(status(heal, "mq").up);
  EXPECT_EQ(status(heal, "mq").degraded, "");
  const RunOutcome ignore = run(platform(all_services("suspectTimeout: 5s", "partitionHandling: ignore"), faults));
  EXPECT_NE(ignore.world->services->outstanding(ignore.world->services->find("mq")), "");
  EXPECT_NE(status(ignore, "mq").degraded, "");
}

TEST(Services, AMajorityThatIsCutOffLeavesNobodyWithPauseMinority) {
  const std::string faults = "faults:\n  a: {kind: network-partition, at: 10m, duration: 5m, target: {nodes: [n1, n2]}}\n";
  const RunOutcome pause = run(platform(all_services(), faults));
  const Outage* down = longest(pause, OutageKind::kPlatformServiceDown, "platform/mq");
  ASSERT_NE(down, nullptr) << log_text(pause);
  EXPECT_GE(down->length(), 3min + 45s);
  const RunOutcome heal = run(platform(all_services("suspectTimeout: 5s", "partitionHandling: autoheal"), faults));
  // The loser restarts while the winners' nodes are not yet listed again.
  const Outage* brief = longest(heal, OutageKind::kPlatformServiceDown, "platform/mq");
  if (brief != nullptr) {
    EXPECT_LE(brief->length(), 15s) << log_text(heal);
  }
  EXPECT_EQ(count(heal, "PartitionHealed"), 1u);
}

// Two of three nodes of the broker on one side, all who use it on the other: that one wins (rabbit_autoheal counts connections before nodes).
TEST(Services, AutohealLetsTheSideWithTheClientsWin) {
  for (const bool clients_are_with_the_one : {false, true}) {
    std::string text = platform(all_services("suspectTimeout: 5s", "partitionHandling: autoheal"),
                                std::string("faults:\n  a: {kind: network-partition, at: 10m, duration: 5m, target: {nodes: [n1") + (clients_are_with_the_one ? ", c1, c2" : "") + "]}}\n");
    const std::string compute = "nodeName: \"c{n}\",";
    text.insert(text.find(compute) + compute.size(), " labels: {role: compute},");
    const std::string infra = "nodeSelector: {role: infra}";
    text.replace(text.rfind(infra), infra.size(), "nodeSelector: {role: compute}");  // of the API
    const RunOutcome outcome = run(text);
    ASSERT_EQ(count(outcome, "PartitionHealed"), 1u) << log_text(outcome);
    std::string healed;
    std::string alone;
    for (const sim::EventLog::Record& record : outcome.world->log.records()) {
      if (outcome.world->log.kind(record) == "PartitionHealed") healed = outcome.world->log.message(record);
    }
    outcome.world->api.all<sim::k8s::Pod>().for_each([&](auto, const sim::k8s::Pod& pod) {
      const std::string& name = outcome.world->names.text(pod.meta.name);
      if (name.starts_with("mq-") && outcome.world->names.text(pod.node_name) == "n1") alone = name;
    });
    ASSERT_NE(alone, "");
    EXPECT_EQ(healed.find("autoheal: " + alone + " wins") != std::string::npos, clients_are_with_the_one) << healed;
  }
}

TEST(Services, TokensAreGoodForAWhileWithoutWhoGaveThem) {
  const std::string faults = "faults:\n  gone: {kind: pod-unready, at: 10m, duration: DURATION, target: {namespace: os, selector: {app: auth}}}\n";
  const auto with = [&](const std::string& duration) {
    std::string text = faults;
    text.replace(text.find("DURATION"), 8, duration);
    return run(platform(all_services(), text));
  };
  const RunOutcome brief = with("4m");
  EXPECT_EQ(count(brief, "BridgedByCache"), 1u) << log_text(brief);
  EXPECT_EQ(longest(brief, OutageKind::kPlatformServiceDown, "platform/api"), nullptr);
  EXPECT_NE(longest(brief, OutageKind::kOperationImpossible, "operation/log-in"), nullptr);
  const RunOutcome longer = with("8m");
  const Outage* api = longest(longer, OutageKind::kPlatformServiceDown, "platform/api");
  ASSERT_NE(api, nullptr) << log_text(longer);
  EXPECT_EQ(api->start, at(15min));
  EXPECT_TRUE(tells(api->why, "CacheExpired"));
  EXPECT_EQ(api->why.fault, "gone");
}

/// What keeps the answers may need who asks for them: their common end is told once, not for ever.
TEST(Services, ACacheThatNeedsWhoUsesItEndsWithIt) {
  std::string services = all_services();
  const std::string cache = "service: os/cache";
  services.replace(services.find(cache), cache.size(), cache + ", needs: [api]");
  const RunOutcome outcome = run(platform(services, R"(faults:
  gone: {kind: pod-unready, at: 10m, duration: 8m, target: {namespace: os, selector: {app: auth}}}
  proxies: {kind: pod-unready, at: 16m, duration: 1m, target: {namespace: os, selector: {app: proxy}}}
)"));
  for (const char* subject : {"platform/api", "platform/cache"}) {
    const Outage* found = longest(outcome, OutageKind::kPlatformServiceDown, subject);
    ASSERT_NE(found, nullptr) << log_text(outcome);
    EXPECT_EQ(found->start, at(15min));
    EXPECT_EQ(found->why.fault, "gone");
  }
}

TEST(Services, WithoutItsQueueAnApiReadsOn) {
  const RunOutcome outcome = run(platform(all_services(), "faults:\n  gone: {kind: pod-unready, at: 10m, duration: 5m, target: {namespace: os, selector: {app: mq}}}\n"));
  EXPECT_EQ(longest(outcome, OutageKind::kPlatformServiceDown, "platform/api"), nullptr);
  EXPECT_NE(longest(outcome, OutageKind::kPlatformServiceDegraded, "platform/api"), nullptr) << log_text(outcome);
  EXPECT_NE(longest(outcome, OutageKind::kOperationImpossible, "operation/boot"), nullptr);
  EXPECT_EQ(longest(outcome, OutageKind::kOperationImpossible, "operation/list"), nullptr);
}

TEST(Services, ALivenessProbeThatAsksForMoreThanItsProcessTakesTheClusterApart) {
  const std::string probes = ", livenessProbe: {exec: {command: [check]}, periodSeconds: 10, failureThreshold: 3}";
  const std::string faults = "faults:\n  dns: {kind: pod-unready, at: 10m, duration: 5m, target: {namespace: os, selector: {app: cache}}}\n";
  std::string deep = all_services();
  deep.replace(deep.find("service: os/db"), 14, "service: os/db, probesNeed: [os/cache]");
  const RunOutcome restarts = run(platform(deep, faults, "{until: 30m, warmUp: 5m}", probes));
  EXPECT_GE(count(restarts, "NoPrimaryComponent"), 1u) << log_text(restarts);
  const Outage* db = longest(restarts, OutageKind::kPlatformServiceDown, "platform/db");
  ASSERT_NE(db, nullptr);
  EXPECT_TRUE(tells(db->why, "Unhealthy"));
  EXPECT_EQ(db->why.fault, "dns");
  const RunOutcome shallow = run(platform(all_services(), faults, "{until: 30m, warmUp: 5m}", probes));
  EXPECT_EQ(longest(shallow, OutageKind::kPlatformServiceDown, "platform/db"), nullptr);
}

TEST(VirtualMachines, RunOnWithoutTheControlPlaneAndDieWithTheirHost) {
  const std::string vms = "vms:\n  tenants: {pools: [compute], perNode: 10, operation: boot, startAfter: 5m}\n";
  const RunOutcome control_plane = run(platform(all_services(), vms + "faults:\n  all: {kind: node-crash, at: 10m, target: {nodes: [n1, n2, n3]}}\n"));
  EXPECT_EQ(control_plane.world->machines->count(0).running, 20);
  EXPECT_EQ(count(control_plane, "VmsDied"), 0u);
  const RunOutcome host = run(platform(all_services(), vms + "faults:\n  one: {kind: node-crash, at: 10m, duration: 1m, target: {nodes: [c1]}}\nexpect:\n  run: {kind: vms, vms: tenants, minRunning: 60%}\n"));
  ASSERT_EQ(host.verdict.expectations.size(), 1u);
  EXPECT_FALSE(host.verdict.expectations[0].held);
  EXPECT_DOUBLE_EQ(host.verdict.expectations[0].measures[0].measured, 0.5);
  const auto started = records(host, "VmsStarted");
  ASSERT_EQ(started.size(), 1u) << log_text(host);
  EXPECT_EQ(started[0]->time, at(10min + 1min + 2min + 5min));  // off, boot, a person
  EXPECT_EQ(host.world->machines->count(0).running, 20);
  // Somebody wants to start them, and it cannot be done before the queue is back.
  const RunOutcome both = run(platform(all_services(), vms + "faults:\n  one: {kind: node-crash, at: 10m, duration: 1m, target: {nodes: [c1]}}\n  mq: {kind: pod-unready, at: 10m, duration: 15m, target: {namespace: os, selector: {app: mq}}}\n"));
  ASSERT_EQ(records(both, "VmsStarted").size(), 1u);
  EXPECT_GE(records(both, "VmsStarted")[0]->time, at(25min));
}

TEST(VirtualMachines, LoseTheirAddressesHalfADayAfterTheirServer) {
  const std::string vms = "vms:\n  tenants: {pools: [compute], perNode: 100, dhcp: cache, lease: 24h}\n";
  const std::string faults = "faults:\n  dhcp: {kind: pod-unready, at: 1h, duration: 30h, target: {namespace: os, selector: {app: cache}}}\n";
  const RunOutcome before = run(platform(all_services(), vms + faults, "{until: 12h, warmUp: 5m}"));
  EXPECT_EQ(before.world->machines->count(0).reachable, 200);
  const RunOutcome half = run(platform(all_services(), vms + faults, "{until: 19h, warmUp: 5m}"));
  EXPECT_NEAR(static_cast<double>(half.world->machines->count(0).reachable), 100.0, 10.0);
  const RunOutcome gone = run(platform(all_services(), vms + faults, "{until: 26h, warmUp: 5m}"));
  EXPECT_EQ(gone.world->machines->count(0).reachable, 0);
  EXPECT_EQ(gone.world->machines->count(0).running, 200);
}

// Whatever goes wrong: who takes part in the primary component hears everybody else in it, or no commit goes through; so there are never two of them.
TEST(Services, NeverTwoPrimaryComponents) {
  std::size_t looks = 0;
  std::size_t without = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    sim::scenario::Diagnostics diagnostics;
    const auto spec = read(platform(all_services(), "", "{until: 2h, warmUp: 5m}"), diagnostics);
    ASSERT_NE(spec, nullptr) << diagnostics.format();
    const std::unique_ptr<sim::World> world = sim::scenario::build_world(*spec, seed);
    world->start();
    SimTime now = at(5min);
    world->engine.run_until(now);
    sim::RandomStream draws(seed, "test/primary", "platform");
    const std::size_t db = world->services->find("db");
    for (int step = 0; step < 120; ++step) {
      const sim::host::HostId host = world->hosts.find("n" + std::to_string(draws.uniform_int(1, 3)));
      switch (draws.uniform_int(0, 4)) {
        case 0: world->hosts.crash(host); break;
        case 1: world->hosts.set_partition(host, static_cast<std::uint32_t>(draws.uniform_int(0, 2))); break;
        case 2: world->hosts.set_partition(host, 0); break;
        default: world->hosts.power_on(host); break;
      }
      for (int second = 0; second < 20; ++second) {
        now += 1s;
        world->engine.run_until(now);
        std::vector<sim::host::HostId> in;
        for (const auto& member : world->services->members(db)) {
          if (member.state == "Synced" || member.state == "Donor") in.push_back(member.host);
        }
        const std::string state = world->services->state(db);
        if (state == "no primary component") ++without;
        if (state.find("commits wait") != std::string::npos) continue;
        for (const sim::host::HostId a : in) {
          for (const sim::host::HostId b : in) EXPECT_TRUE(world->hosts.reachable(a, b)) << state << " at " << sim::format_duration(now.time_since_epoch());
        }
        looks += in.size() > 1 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(looks, 1000u);   // it was looked at while there was something to see
  EXPECT_GT(without, 100u);
}

// Whatever goes wrong: once everything is repaired everything answers, or says what a person must do.
TEST(Services, PropertiesOverSeeds) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::string faults = "faults:\n";
    sim::RandomStream draws(seed, "test/faults", "platform");
    const char* kinds[] = {"node-crash", "network-partition", "node-reboot", "pod-kill"};
    for (int i = 0; i < 6; ++i) {
      const auto kind = static_cast<std::size_t>(draws.uniform_int(0, 3));
      const std::string node = "n" + std::to_string(draws.uniform_int(1, 3));
      const std::string when = std::to_string(draws.uniform_int(600, 2400)) + "s";
      const std::string target = kind == 3 ? "{namespace: os, selector: {app: db}, count: 1}" : "{nodes: [" + node + "]}";
      const std::string duration = kind < 2 ? ", duration: " + std::to_string(draws.uniform_int(5, 600)) + "s" : "";
      faults += "  f" + std::to_string(i) + ": {kind: " + kinds[kind] + ", at: " + when + duration + ", target: " + target + "}\n";
    }
    const RunOutcome outcome = run(platform(all_services("suspectTimeout: 5s", seed % 2 == 0 ? "partitionHandling: autoheal" : "partitionHandling: pause_minority"), faults, "{until: 2h, warmUp: 5m}"));
    const sim::services::Services& services = *outcome.world->services;
    bool somebody_must_act = false;
    for (std::size_t i = 0; i < services.size(); ++i) somebody_must_act = somebody_must_act || !services.outstanding(i).empty();
    if (somebody_must_act) continue;
    for (std::size_t i = 0; i < services.size(); ++i) {
      EXPECT_TRUE(services.status(i).up) << services.config(i).name << " " << services.state(i) << "\n" << faults << log_text(outcome);
      EXPECT_EQ(services.status(i).degraded, "") << services.config(i).name << "\n" << faults;
    }
  }
}

}  // namespace
}  // namespace chaos

#include <gtest/gtest.h>

#include <cmath>

#include "sim/models/kubernetes/controllers/replica_set_ranking.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

Ref<ReplicaSet> add_set(TestCluster& cluster, std::string_view name, std::int64_t replicas) {
  ReplicaSet rs;
  rs.meta.ns = cluster.ns();
  rs.meta.name = cluster.sym(name);
  rs.replicas = replicas;
  rs.selector = cluster.selector(name);
  rs.pod_template = cluster.pod_template(name, 1);
  return cluster.api.create(std::move(rs));
}

struct ReplicaSetTest : testing::Test {
  ReplicaSetTest() {
    cluster.add(make_replica_set_controller(cluster.context));
    cluster.start();
  }
  TestCluster cluster;
};

TEST_F(ReplicaSetTest, CreatesInSlowStartBatches) {
  add_set(cluster, "web", 10);
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;  // pods so far, at ms
  std::int64_t before = 0;
  while (cluster.engine.now() < SimTime{} + 100ms && cluster.engine.step()) {
    const auto now = static_cast<std::int64_t>(cluster.api.all<Pod>().size());
    if (now != before) {
      if (!steps.empty() && steps.back().second == cluster.engine.now().time_since_epoch() / 1ms) steps.pop_back();
      steps.emplace_back(now, cluster.engine.now().time_since_epoch() / 1ms);
    }
    before = now;
  }
  const std::vector<std::pair<std::int64_t, std::int64_t>> want = {{1, 5}, {3, 10}, {7, 15}, {10, 20}};
  EXPECT_EQ(steps, want);
}

TEST_F(ReplicaSetTest, StatusFollowsThePods) {
  const Ref<ReplicaSet> web = add_set(cluster, "web", 3);
  cluster.run_to(4s);
  EXPECT_EQ(cluster.api.get(web)->status_replicas, 3);
  EXPECT_EQ(cluster.api.get(web)->ready_replicas, 0);
  cluster.run_to(6s);
  EXPECT_EQ(cluster.api.get(web)->ready_replicas, 3);
  EXPECT_EQ(cluster.api.get(web)->available_replicas, 3);
  EXPECT_EQ(cluster.api.get(web)->observed_generation, cluster.api.get(web)->meta.generation);
}

TEST_F(ReplicaSetTest, NamesEndInFiveLettersOfTheAlphabetAndStayWhenAnotherWorkloadComes) {
  add_set(cluster, "web", 3);
  cluster.run_to(1s);
  std::vector<std::string> names;
  for (const Ref<Pod> ref : cluster.pods()) names.push_back(cluster.names.text(cluster.api.get(ref)->meta.name));
  for (const std::string& name : names) {
    ASSERT_EQ(name.size(), 9u);
    EXPECT_EQ(name.substr(0, 4), "web-");
    EXPECT_EQ(name.find_first_not_of("bcdfghjklmnpqrstvwxz2456789", 4), std::string::npos) << name;
  }
  TestCluster other;
  other.add(make_replica_set_controller(other.context));
  other.start();
  add_set(other, "first", 7);
  add_set(other, "web", 3);
  other.run_to(1s);
  for (const std::string& name : names) EXPECT_TRUE(other.pod(name)) << name;
}

TEST_F(ReplicaSetTest, ReplacesATerminatingPodAtOnceBecauseOfItsDeletion) {
  add_set(cluster, "web", 2);
  cluster.run_to(10s);
  const Ref<Pod> victim = cluster.pods().front();
  const CauseId fault = cluster.api.record(victim, "TaintManagerEviction", "for the test");
  {
    const ScopedCause because(cluster.engine, fault);
    cluster.api.remove(victim);
  }
  cluster.kubelet.stop_time = 1h;
  cluster.run_for(20ms);
  EXPECT_EQ(cluster.pods().size(), 3u);
  EXPECT_EQ(cluster.active_pods(), 2);
  const CauseId last{static_cast<std::uint32_t>(cluster.log.size())};
  const std::vector<std::string> chain = cluster.chain(last);
  ASSERT_GE(chain.size(), 2u);
  EXPECT_EQ(chain[0], "SuccessfulCreate");
  EXPECT_EQ(chain[1], "TaintManagerEviction");
}

TEST_F(ReplicaSetTest, EachReplacementHasItsOwnReason) {
  add_set(cluster, "web", 3);
  cluster.run_to(10s);
  const std::vector<Ref<Pod>> pods = cluster.pods();
  const CauseId first = cluster.api.record(pods[0], "OOMKilled", "one");
  {
    const ScopedCause because(cluster.engine, first);
    cluster.api.remove(pods[0]);
  }
  const CauseId second = cluster.api.record(pods[1], "Evicted", "two");
  {
    const ScopedCause because(cluster.engine, second);
    cluster.api.remove(pods[1]);
  }
  cluster.run_for(1s);
  std::vector<CauseId> causes;
  for (const EventLog::Record& record : cluster.log.records()) {
    if (cluster.log.kind(record) == "SuccessfulCreate" && record.time > SimTime{} + 9s) causes.push_back(record.cause);
  }
  EXPECT_EQ(causes, (std::vector<CauseId>{first, second}));
}

TEST_F(ReplicaSetTest, AFailedPodIsReplacedAndLingers) {
  const Ref<ReplicaSet> web = add_set(cluster, "web", 1);
  cluster.run_to(10s);
  cluster.kubelet.finish(cluster.pods().front(), 1);
  cluster.run_for(10s);
  EXPECT_EQ(cluster.pods().size(), 2u);
  EXPECT_EQ(cluster.api.get(web)->status_replicas, 1);
  EXPECT_EQ(cluster.api.get(web)->ready_replicas, 1);
}

TEST_F(ReplicaSetTest, ScaleDownTakesUnreadyPodsFirst) {
  const Ref<ReplicaSet> web = add_set(cluster, "web", 4);
  cluster.run_to(10s);
  const std::vector<Ref<Pod>> pods = cluster.pods();
  cluster.kubelet.set_ready(pods[1], false);
  cluster.kubelet.set_ready(pods[2], false);
  cluster.run_for(1s);
  cluster.api.update(web, Change::kSpec, [](ReplicaSet& r) { r.replicas = 2; });
  cluster.run_for(5s);
  EXPECT_EQ(cluster.pods(), (std::vector<Ref<Pod>>{pods[0], pods[3]}));
  EXPECT_EQ(cluster.records("SuccessfulDelete").size(), 2u);
}

TEST_F(ReplicaSetTest, MinReadySecondsDelaysAvailability) {
  const Ref<ReplicaSet> web = add_set(cluster, "web", 1);
  cluster.api.update(web, Change::kSpec, [](ReplicaSet& r) { r.min_ready_seconds = 30; });
  cluster.run_to(6s);
  EXPECT_EQ(cluster.api.get(web)->ready_replicas, 1);
  EXPECT_EQ(cluster.api.get(web)->available_replicas, 0);
  cluster.run_to(34s);
  EXPECT_EQ(cluster.api.get(web)->available_replicas, 0);
  cluster.run_to(36s);
  EXPECT_EQ(cluster.api.get(web)->available_replicas, 1);
}

TEST_F(ReplicaSetTest, ManyPodsTakeTheClientsTokens) {
  add_set(cluster, "web", 1000);
  // 30 tokens at once, then 20 a second: 970 / 20 = 48.5 s; status writes take some as well.
  cluster.run_to(40s);
  EXPECT_LT(cluster.pods().size(), 1000u);
  cluster.run_to(60s);
  EXPECT_EQ(cluster.pods().size(), 1000u);
}

TEST_F(ReplicaSetTest, WaitsForTheApiToBeWritable) {
  add_set(cluster, "web", 2);
  cluster.run_to(10s);
  cluster.api.set_availability(true, false);
  cluster.kubelet.stop_time = 1h;
  const Ref<Pod> victim = cluster.pods().front();
  const CauseId fault = cluster.api.record(victim, "TaintManagerEviction", "for the test");
  {
    const ScopedCause because(cluster.engine, fault);
    cluster.api.remove(victim);
  }
  cluster.run_for(60s);
  EXPECT_EQ(cluster.active_pods(), 1);
  cluster.api.set_availability(true, true);
  cluster.run_for(1s);
  EXPECT_EQ(cluster.active_pods(), 2);
  EXPECT_EQ(cluster.chain(CauseId{static_cast<std::uint32_t>(cluster.log.size())}),
            (std::vector<std::string>{"SuccessfulCreate", "TaintManagerEviction"}));
}

TEST_F(ReplicaSetTest, DoesNothingWithoutTheLeaseAndCatchesUpAfterwards) {
  const Ref<ReplicaSet> web = add_set(cluster, "web", 2);
  cluster.run_to(10s);
  cluster.stop();
  cluster.api.update(web, Change::kSpec, [](ReplicaSet& r) { r.replicas = 5; });
  cluster.run_for(60s);
  EXPECT_EQ(cluster.pods().size(), 2u);
  cluster.start();
  cluster.run_for(60s);
  EXPECT_EQ(cluster.pods().size(), 5u);
  EXPECT_EQ(cluster.api.get(web)->ready_replicas, 5);
}

TEST_F(ReplicaSetTest, AdoptsAnOrphanThatMatches) {
  Pod orphan;
  orphan.meta.ns = cluster.ns();
  orphan.meta.name = cluster.sym("lonely");
  const PodTemplate from = cluster.pod_template("web", 1);
  orphan.meta.labels = from.labels;
  orphan.spec = from.spec;
  const Ref<Pod> lonely = cluster.api.create(std::move(orphan));
  add_set(cluster, "web", 2);
  cluster.run_to(10s);
  EXPECT_EQ(cluster.pods().size(), 2u);
  EXPECT_NE(cluster.api.get(lonely)->meta.controller(), nullptr);
}

TEST_F(ReplicaSetTest, AnUnknownPriorityClassIsRefusedOnceInTheLogAndTriedAgain) {
  const Ref<ReplicaSet> web = add_set(cluster, "web", 1);
  cluster.api.update(web, Change::kSpec, [&](ReplicaSet& r) {
    auto spec = std::make_shared<PodSpec>(*r.pod_template.spec);
    spec->priority_class_name = cluster.sym("gold");
    r.pod_template.spec = spec;
  });
  cluster.run_to(10s);
  EXPECT_EQ(cluster.pods().size(), 0u);
  EXPECT_EQ(cluster.records("FailedCreate"),
            (std::vector<std::string>{"ReplicaSet/default/web Error creating: pods \"web-\" is forbidden: no PriorityClass with name gold was found"}));
  PriorityClass gold;
  gold.meta.name = cluster.sym("gold");
  gold.value = 7;
  cluster.api.create(std::move(gold));
  cluster.run_for(60s);
  ASSERT_EQ(cluster.pods().size(), 1u);
  EXPECT_EQ(cluster.api.get(cluster.pods().front())->spec->priority, 7);
}

// Source of the order: controller_utils.go ActivePodsWithRanks.Less. Each case differs from `base` in one thing more than the one before decides.
struct RankCase {
  std::string_view name;
  std::function<void(Pod&, RankedPod&)> first;   // what makes it die first
  std::function<void(Pod&, RankedPod&)> second;
};

TEST(ReplicaSetRanking, Order) {
  const SimTime now = SimTime{} + 10000s;
  const std::vector<RankCase> cases = {
      {"unassigned", [](Pod& p, RankedPod&) { p.node_name = Symbol{}; }, [](Pod&, RankedPod& r) { r.deletion_cost = -9; }},
      {"Pending", [](Pod& p, RankedPod&) { p.phase = PodPhase::kPending; }, [](Pod& p, RankedPod&) { p.ready = false; }},
      {"not ready", [](Pod& p, RankedPod&) { p.ready = false; }, [](Pod&, RankedPod& r) { r.deletion_cost = -9; }},
      {"lower deletion cost", [](Pod&, RankedPod& r) { r.deletion_cost = -1; }, [](Pod&, RankedPod& r) { r.rank = 5; }},
      {"more siblings on the node", [](Pod&, RankedPod& r) { r.rank = 2; }, [now](Pod& p, RankedPod&) { p.ready_since = now - 1s; }},
      {"ready for a shorter time", [now](Pod& p, RankedPod&) { p.ready_since = now - 100s; },
       [](Pod& p, RankedPod&) { p.containers.assign(1, ContainerStatus{}); p.containers[0].restart_count = 9; }},
      {"more restarts", [](Pod& p, RankedPod&) { p.containers.assign(1, ContainerStatus{}); p.containers[0].restart_count = 1; },
       [now](Pod& p, RankedPod&) { p.meta.created = now - 1s; }},
      {"younger", [now](Pod& p, RankedPod&) { p.meta.created = now - 100s; }, [](Pod&, RankedPod& r) { r.tie_break = 0; }},
      {"smaller UID", [](Pod&, RankedPod& r) { r.tie_break = 1; }, [](Pod&, RankedPod&) {}},
  };
  for (const RankCase& c : cases) {
    SCOPED_TRACE(c.name);
    Pod base;
    base.node_name = Symbol{1};
    base.phase = PodPhase::kRunning;
    base.ready = true;
    base.ready_since = now - 5000s;
    base.meta.created = now - 6000s;
    auto spec = std::make_shared<PodSpec>();
    base.spec = spec;
    Pod a = base;
    Pod b = base;
    RankedPod first{{}, &a, 0, 1, 2};
    RankedPod second{{}, &b, 0, 1, 2};
    c.first(a, first);
    c.second(b, second);
    EXPECT_TRUE(dies_before(first, second, now));
    EXPECT_FALSE(dies_before(second, first, now));
  }
}

TEST(ReplicaSetRanking, AgesInOneBucketOfLog2AreEqual) {
  const SimTime now = SimTime{} + 10000s;
  Pod older;
  older.node_name = Symbol{1};
  older.phase = PodPhase::kRunning;
  older.ready = true;
  older.spec = std::make_shared<PodSpec>();
  Pod younger = older;
  // 2^42 ns = 4398 s: both ages lie between 2^42 and 2^43.
  older.ready_since = now - 8000s;
  younger.ready_since = now - 4500s;
  const RankedPod a{{}, &older, 0, 0, 1};
  const RankedPod b{{}, &younger, 0, 0, 2};
  EXPECT_TRUE(dies_before(a, b, now));  // by the tie break alone
  younger.ready_since = now - 4300s;
  EXPECT_TRUE(dies_before(b, a, now));
}

}  // namespace
}  // namespace sim::k8s::test

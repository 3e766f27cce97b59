#include <gtest/gtest.h>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

struct DeploymentTest : testing::Test, Watcher {
  DeploymentTest() {
    cluster.add(make_deployment_controller(cluster.context));
    cluster.add(make_replica_set_controller(cluster.context));
    cluster.add(make_garbage_collector(cluster.context));
    cluster.start();
    cluster.api.watch({Kind::kReplicaSet}, *this);
  }
  ~DeploymentTest() override { cluster.api.unwatch(*this); }

  Ref<Deployment> deploy(std::int64_t replicas) {
    Deployment d;
    d.meta.ns = cluster.ns();
    d.meta.name = cluster.sym("web");
    d.replicas = replicas;
    d.selector = cluster.selector("web");
    d.pod_template = cluster.pod_template("web", 1);
    web = cluster.api.create(std::move(d));
    return web;
  }
  void roll_out(std::uint64_t hash) {
    const PodTemplate next = cluster.pod_template("web", hash);
    cluster.api.update(web, Change::kSpec, [&](Deployment& d) { d.pod_template = next; });
  }
  void scale(std::int64_t replicas) {
    cluster.api.update(web, Change::kSpec, [&](Deployment& d) { d.replicas = replicas; });
  }
  const Deployment& status() { return *cluster.api.get(web); }
  const ReplicaSet* set_of(std::uint64_t hash) const {
    const ReplicaSet* found = nullptr;
    cluster.api.all<ReplicaSet>().for_each([&](Ref<ReplicaSet>, const ReplicaSet& rs) {
      if (rs.pod_template.hash == hash) found = &rs;
    });
    return found;
  }
  std::int64_t size_of(std::uint64_t hash) const {
    const ReplicaSet* rs = set_of(hash);
    return rs == nullptr ? 0 : rs->replicas;
  }

  /// spec sizes old/new after every change, without repetitions.
  void on_event(const WatchEvent&) override {
    const std::string now = fmt::format("{}/{}", size_of(1), size_of(2));
    if (trace.empty() || trace.back() != now) trace.push_back(now);
  }

  TestCluster cluster;
  Ref<Deployment> web;
  std::vector<std::string> trace;
};

TEST_F(DeploymentTest, FirstRollout) {
  deploy(3);
  cluster.run_to(10s);
  ASSERT_EQ(cluster.api.all<ReplicaSet>().size(), 1u);
  const ReplicaSet& rs = *set_of(1);
  const std::string& name = cluster.names.text(rs.meta.name);
  EXPECT_EQ(name.substr(0, 4), "web-");
  EXPECT_EQ(rs.revision, 1);
  EXPECT_EQ(rs.pod_template.labels.find(cluster.api.well_known().pod_template_hash), cluster.names.find(name.substr(4)));
  EXPECT_EQ(status().available_replicas, 3);
  EXPECT_EQ(status().updated_replicas, 3);
  EXPECT_TRUE(status().available);
  EXPECT_EQ(cluster.names.text(status().progressing_reason), "NewReplicaSetAvailable");
  EXPECT_EQ(cluster.records("ScalingReplicaSet"),
            (std::vector<std::string>{"Deployment/default/web Scaled up replica set " + name + " from 0 to 3"}));
}

// Reference: the rollout of 4 replicas at 25 %/25 %, all pods Ready S after creation: 4/0 3/1 3/2 | 1/2 1/4 | 0/4, in about 2 S.
TEST_F(DeploymentTest, RollingUpdateOfFour) {
  deploy(4);
  cluster.run_to(100s);
  trace.clear();
  roll_out(2);
  cluster.run_to(104s);
  EXPECT_EQ(trace, (std::vector<std::string>{"3/1", "3/2"}));
  cluster.run_to(109s);
  EXPECT_EQ(size_of(1), 1);
  EXPECT_EQ(size_of(2), 4);
  cluster.run_to(111s);
  EXPECT_EQ(size_of(1), 0);
  EXPECT_EQ(size_of(2), 4);
  EXPECT_EQ(set_of(2)->revision, 2);
  cluster.run_to(120s);
  EXPECT_EQ(status().updated_replicas, 4);
  EXPECT_EQ(status().status_replicas, 4);
}

TEST_F(DeploymentTest, RollingUpdateOfOneStartsTheNewPodFirst) {
  deploy(1);
  cluster.run_to(100s);
  trace.clear();
  roll_out(2);
  cluster.run_to(120s);
  EXPECT_EQ(trace, (std::vector<std::string>{"1/1", "0/1"}));
}

TEST_F(DeploymentTest, RollingUpdateOfTenBeginsAsTheRealOneDoes) {
  deploy(10);
  cluster.run_to(100s);
  trace.clear();
  roll_out(2);
  cluster.run_to(104s);
  EXPECT_EQ(trace, (std::vector<std::string>{"8/3", "8/5"}));
  cluster.run_to(200s);
  EXPECT_EQ(trace.back(), "0/10");
}

// Property: for every size, availability never falls below replicas - maxUnavailable, and pods never exceed replicas + maxSurge.
TEST_F(DeploymentTest, RolloutsKeepWithinTheirBounds) {
  for (const std::int64_t replicas : {1, 2, 3, 4, 5, 7, 10, 23}) {
    SCOPED_TRACE(replicas);
    TestCluster c;
    c.add(make_deployment_controller(c.context));
    c.add(make_replica_set_controller(c.context));
    c.start();
    Deployment d;
    d.meta.ns = c.ns();
    d.meta.name = c.sym("web");
    d.replicas = replicas;
    d.selector = c.selector("web");
    d.pod_template = c.pod_template("web", 1);
    const Ref<Deployment> ref = c.api.create(std::move(d));
    c.run_to(200s);
    const PodTemplate next = c.pod_template("web", 2);
    c.api.update(ref, Change::kSpec, [&](Deployment& o) { o.pod_template = next; });
    const std::int64_t surge = (replicas + 3) / 4;
    const std::int64_t unavailable = replicas / 4;
    while (c.engine.now() < SimTime{} + 500s && c.engine.step()) {
      const std::int64_t ready = c.count_pods([](const Pod& p) { return p.is_active() && p.ready; });
      ASSERT_GE(ready, replicas - unavailable);
      ASSERT_LE(c.active_pods(), replicas + surge);
    }
    EXPECT_EQ(c.api.get(ref)->updated_replicas, replicas);
    EXPECT_EQ(c.api.get(ref)->available_replicas, replicas);
  }
}

TEST_F(DeploymentTest, ABrokenTemplateStopsTheRolloutAndMissesItsDeadline) {
  deploy(4);
  cluster.run_to(100s);
  const Symbol broken = cluster.sym("image:2");
  cluster.kubelet.becomes_ready = [broken](const Pod& pod) { return pod.spec->containers[0].image != broken; };
  roll_out(2);
  cluster.run_to(699s);
  EXPECT_EQ(size_of(1), 3);
  EXPECT_EQ(size_of(2), 2);
  EXPECT_FALSE(status().progress_deadline_exceeded);
  EXPECT_TRUE(status().available);
  cluster.run_to(703s);
  EXPECT_TRUE(status().progress_deadline_exceeded);
  ASSERT_EQ(cluster.records("ProgressDeadlineExceeded").size(), 1u);
  // The way back: the old template again. It gets the newest revision number, and the rollout is complete.
  roll_out(1);
  cluster.run_to(730s);
  EXPECT_EQ(size_of(1), 4);
  EXPECT_EQ(size_of(2), 0);
  EXPECT_EQ(set_of(1)->revision, 3);
  EXPECT_FALSE(status().progress_deadline_exceeded);
}

TEST_F(DeploymentTest, RecreateNeverRunsTwoVersions) {
  deploy(3);
  cluster.api.update(web, Change::kSpec, [](Deployment& d) { d.recreate = true; });
  cluster.run_to(100s);
  cluster.kubelet.stop_time = 20s;
  roll_out(2);
  cluster.run_to(115s);
  EXPECT_EQ(size_of(1), 0);
  EXPECT_EQ(set_of(2), nullptr);  // the old pods are still ending
  EXPECT_EQ(cluster.pods().size(), 3u);
  EXPECT_FALSE(status().available);
  cluster.run_to(122s);
  EXPECT_EQ(size_of(2), 3);
  cluster.run_to(140s);
  EXPECT_EQ(status().available_replicas, 3);
  EXPECT_EQ(cluster.records("MinimumReplicasUnavailable").size(), 1u);
}

TEST_F(DeploymentTest, ScalingInTheMiddleOfARolloutIsProportional) {
  deploy(10);
  cluster.run_to(100s);
  cluster.kubelet.becomes_ready = [](const Pod&) { return false; };
  roll_out(2);
  cluster.run_to(110s);
  ASSERT_EQ(size_of(1), 8);
  ASSERT_EQ(size_of(2), 5);
  scale(20);
  cluster.run_to(111s);
  // allowed = 20 + 5; shares round(8 * 25 / 13) = 15 and round(5 * 25 / 13) = 10
  EXPECT_EQ(size_of(1), 15);
  EXPECT_EQ(size_of(2), 10);
}

TEST_F(DeploymentTest, APausedDeploymentScalesButDoesNotRoll) {
  deploy(3);
  cluster.run_to(50s);
  cluster.api.update(web, Change::kSpec, [](Deployment& d) { d.paused = true; });
  roll_out(2);
  cluster.run_to(60s);
  EXPECT_EQ(set_of(2), nullptr);
  scale(5);
  cluster.run_to(70s);
  EXPECT_EQ(size_of(1), 5);
  EXPECT_EQ(status().available_replicas, 5);
  cluster.api.update(web, Change::kSpec, [](Deployment& d) { d.paused = false; });
  cluster.run_to(150s);
  EXPECT_EQ(size_of(2), 5);
  EXPECT_EQ(size_of(1), 0);
}

TEST_F(DeploymentTest, KeepsAsManyOldRevisionsAsAsked) {
  deploy(1);
  cluster.api.update(web, Change::kSpec, [](Deployment& d) { d.revision_history_limit = 2; });
  for (std::uint64_t hash = 2; hash <= 6; ++hash) {
    cluster.run_for(100s);
    roll_out(hash);
  }
  cluster.run_for(100s);
  std::vector<std::int64_t> revisions;
  cluster.api.all<ReplicaSet>().for_each([&](Ref<ReplicaSet>, const ReplicaSet& rs) { revisions.push_back(rs.revision); });
  std::sort(revisions.begin(), revisions.end());
  EXPECT_EQ(revisions, (std::vector<std::int64_t>{4, 5, 6}));
}

TEST_F(DeploymentTest, UnavailabilityIsToldWithItsReason) {
  deploy(1);
  cluster.run_to(100s);
  const Ref<Pod> pod = cluster.pods().front();
  const CauseId fault = cluster.api.record(pod, "Unhealthy", "for the test");
  {
    const ScopedCause because(cluster.engine, fault);
    cluster.kubelet.set_ready(pod, false);
  }
  cluster.run_for(1s);
  EXPECT_FALSE(status().available);
  EXPECT_EQ(cluster.chain(CauseId{static_cast<std::uint32_t>(cluster.log.size())}),
            (std::vector<std::string>{"MinimumReplicasUnavailable", "Unhealthy"}));
}

TEST_F(DeploymentTest, UnavailabilityNamesEachLostPod) {
  deploy(4);  // one may be unavailable
  cluster.run_to(100s);
  const std::vector<Ref<Pod>> pods = cluster.pods();
  const CauseId first = cluster.api.record(pods[0], "OOMKilled", "one");
  {
    const ScopedCause because(cluster.engine, first);
    cluster.kubelet.set_ready(pods[0], false);
  }
  cluster.run_for(1s);
  EXPECT_TRUE(status().available);
  const CauseId second = cluster.api.record(pods[1], "Unhealthy", "two");
  {
    const ScopedCause because(cluster.engine, second);
    cluster.kubelet.set_ready(pods[1], false);
  }
  cluster.run_for(1s);
  const CauseId last{static_cast<std::uint32_t>(cluster.log.size())};
  EXPECT_EQ(cluster.log.kind(cluster.log.at(last)), "MinimumReplicasUnavailable");
  EXPECT_EQ(cluster.log.at(last).cause, second);
  EXPECT_EQ(cluster.log.contributing(last), (std::vector<CauseId>{first}));
}

TEST_F(DeploymentTest, DeletingItTakesItsReplicaSetsAndPods) {
  deploy(3);
  cluster.run_to(100s);
  cluster.api.remove(web);
  cluster.run_for(10s);
  EXPECT_EQ(cluster.api.all<ReplicaSet>().size(), 0u);
  EXPECT_EQ(cluster.pods().size(), 0u);
}

TEST_F(DeploymentTest, NothingHappensInSteadyState) {
  deploy(5);
  cluster.run_to(1000s);  // the look at the progress deadline is over
  const std::uint64_t before = cluster.engine.stats().executed;
  cluster.run_for(std::chrono::hours(24 * 30));
  EXPECT_EQ(cluster.engine.stats().executed, before);
}

}  // namespace
}  // namespace sim::k8s::test

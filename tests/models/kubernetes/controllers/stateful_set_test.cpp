#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

struct StatefulSetTest : testing::Test {
  StatefulSetTest() {
    cluster.add(make_stateful_set_controller(cluster.context));
    cluster.start();
  }
  Ref<StatefulSet> add_set(std::int64_t replicas, bool parallel = false) {
    StatefulSet set;
    set.meta.ns = cluster.ns();
    set.meta.name = cluster.sym("db");
    set.replicas = replicas;
    set.parallel = parallel;
    set.selector = cluster.selector("db");
    set.pod_template = cluster.pod_template("db", 1);
    db = cluster.api.create(std::move(set));
    return db;
  }
  void roll_out(std::uint64_t hash) {
    const PodTemplate next = cluster.pod_template("db", hash);
    cluster.api.update(db, Change::kSpec, [&](StatefulSet& s) { s.pod_template = next; });
  }
  void scale(std::int64_t replicas) {
    cluster.api.update(db, Change::kSpec, [&](StatefulSet& s) { s.replicas = replicas; });
  }
  const StatefulSet& status() { return *cluster.api.get(db); }
  /// Image of each pod by ordinal: "1,1,2"; "-" where there is none, "!" where it is ending.
  std::string images(std::int64_t count) {
    std::string text;
    for (std::int64_t i = 0; i < count; ++i) {
      if (i > 0) text += ',';
      const Pod* pod = cluster.api.get(cluster.pod("db-" + std::to_string(i)));
      text += pod == nullptr ? "-" : pod->meta.is_deleting() ? "!" : cluster.names.text(pod->spec->containers[0].image).substr(6);
    }
    return text;
  }

  TestCluster cluster;
  Ref<StatefulSet> db;
};

TEST_F(StatefulSetTest, OrderedCreatesOneAfterTheOther) {
  add_set(3);
  cluster.run_to(4s);
  EXPECT_EQ(images(3), "1,-,-");
  cluster.run_to(9s);
  EXPECT_EQ(images(3), "1,1,-");
  cluster.run_to(20s);
  EXPECT_EQ(images(3), "1,1,1");
  EXPECT_EQ(status().ready_replicas, 3);
  EXPECT_EQ(status().current_replicas, 3);
  const Pod& pod = *cluster.api.get(cluster.pod("db-1"));
  EXPECT_EQ(pod.meta.labels.find(cluster.api.well_known().statefulset_pod_name), cluster.sym("db-1"));
  EXPECT_EQ(pod.meta.labels.find(cluster.api.well_known().pod_index), cluster.sym("1"));
  EXPECT_TRUE(pod.meta.labels.has(cluster.api.well_known().controller_revision_hash));
}

TEST_F(StatefulSetTest, ParallelCreatesAllTogether) {
  add_set(5, true);
  cluster.run_to(1s);
  EXPECT_EQ(images(5), "1,1,1,1,1");
}

TEST_F(StatefulSetTest, ClaimsAreNamedByTemplateSetAndOrdinal) {
  add_set(2);
  cluster.api.update(db, Change::kSpec, [&](StatefulSet& s) { s.claim_templates.push_back(ClaimTemplate{cluster.sym("data"), {}, {}, {}}); });
  cluster.run_to(20s);
  const std::vector<PodVolume>& volumes = cluster.api.get(cluster.pod("db-1"))->spec->volumes;
  ASSERT_EQ(volumes.size(), 1u);
  EXPECT_EQ(volumes[0].name, cluster.sym("data"));
  EXPECT_EQ(volumes[0].claim, cluster.sym("data-db-1"));
  EXPECT_EQ(cluster.api.all<PersistentVolumeClaim>().size(), 0u);  // nothing says where volumes come from
}

TEST_F(StatefulSetTest, ScaleDownGoesFromTheTopOneByOne) {
  add_set(4);
  cluster.run_to(60s);
  scale(1);
  cluster.run_for(500ms);
  EXPECT_EQ(images(4), "1,1,1,!");
  cluster.run_for(1s);
  EXPECT_EQ(images(4), "1,1,!,-");
  cluster.run_for(10s);
  EXPECT_EQ(images(4), "1,-,-,-");
}

TEST_F(StatefulSetTest, RollsFromTheTopAndWaitsForEachPod) {
  add_set(3);
  cluster.run_to(60s);
  roll_out(2);
  cluster.run_for(500ms);
  EXPECT_EQ(images(3), "1,1,!");
  cluster.run_for(5s);
  EXPECT_EQ(images(3), "1,1,2");  // not Ready yet
  cluster.run_for(1s);
  EXPECT_EQ(images(3), "1,!,2");
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "2,2,2");
  EXPECT_EQ(status().current_revision, 2u);
  EXPECT_EQ(status().updated_replicas, 3);
}

TEST_F(StatefulSetTest, PartitionHoldsTheLowerOrdinalsBack) {
  add_set(3);
  cluster.run_to(60s);
  cluster.api.update(db, Change::kSpec, [](StatefulSet& s) { s.partition = 2; });
  roll_out(2);
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "1,1,2");
  // A pod below the partition that is lost comes back as it was.
  cluster.api.remove(cluster.pod("db-0"));
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "1,1,2");
  EXPECT_EQ(status().current_revision, 1u);
}

TEST_F(StatefulSetTest, OnDeleteWaitsForAHand) {
  add_set(2);
  cluster.api.update(db, Change::kSpec, [](StatefulSet& s) { s.on_delete = true; });
  cluster.run_to(60s);
  roll_out(2);
  cluster.run_for(60s);
  EXPECT_EQ(images(2), "1,1");
  cluster.api.remove(cluster.pod("db-0"));
  cluster.run_for(60s);
  EXPECT_EQ(images(2), "2,1");
}

// Reference, checked there against the real controller: 3 replicas, template v1, then a bad one, then v3. OrderedReady needs a hand.
TEST_F(StatefulSetTest, ABrokenRevisionBlocksItsOwnFix) {
  const Symbol bad = cluster.sym("image:2");
  cluster.kubelet.becomes_ready = [bad](const Pod& pod) { return pod.spec->containers[0].image != bad; };
  add_set(3);
  cluster.run_to(60s);
  roll_out(2);
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "1,1,2");
  roll_out(3);
  cluster.run_for(std::chrono::hours(5));
  EXPECT_EQ(images(3), "1,1,2");
  cluster.api.remove(cluster.pod("db-2"));
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "3,3,3");
}

TEST_F(StatefulSetTest, ParallelReplacesABrokenRevisionByItself) {
  const Symbol bad = cluster.sym("image:2");
  cluster.kubelet.becomes_ready = [bad](const Pod& pod) { return pod.spec->containers[0].image != bad; };
  add_set(3, true);
  cluster.run_to(60s);
  roll_out(2);
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "1,1,2");
  roll_out(3);
  cluster.run_for(60s);
  EXPECT_EQ(images(3), "3,3,3");
}

// Reference 7.4: the slot of a pod that is Terminating on a dead node stays taken until the object is gone.
TEST_F(StatefulSetTest, NoReplacementWhileTheOldPodObjectExists) {
  for (const bool parallel : {false, true}) {
    SCOPED_TRACE(parallel);
    TestCluster c;
    c.add(make_stateful_set_controller(c.context));
    c.start();
    StatefulSet set;
    set.meta.ns = c.ns();
    set.meta.name = c.sym("db");
    set.replicas = 3;
    set.parallel = parallel;
    set.selector = c.selector("db");
    set.pod_template = c.pod_template("db", 1);
    c.api.create(std::move(set));
    c.kubelet.place = [&](const Pod& pod) { return c.sym("node-of-" + c.names.text(pod.meta.name)); };
    c.run_to(60s);
    c.kubelet.dead_nodes.push_back(c.sym("node-of-db-1"));
    const Ref<Pod> old = c.pod("db-1");
    const CauseId fault = c.api.record(old, "TaintManagerEviction", "for the test");
    {
      const ScopedCause because(c.engine, fault);
      c.api.remove(old);
    }
    c.run_for(std::chrono::hours(48));
    EXPECT_EQ(c.pod("db-1"), old);
    c.kubelet.dead_nodes.clear();
    DeleteOptions force;
    force.grace_period_seconds = 0;
    c.api.remove(old, force);
    c.run_for(60s);
    ASSERT_TRUE(c.pod("db-1"));
    EXPECT_NE(c.pod("db-1"), old);
    EXPECT_TRUE(c.api.get(c.pod("db-1"))->ready);
    const std::vector<std::string> chain = c.chain(c.api.get(c.pod("db-1"))->meta.cause);
    EXPECT_EQ(chain, (std::vector<std::string>{"SuccessfulCreate", "TaintManagerEviction"}));
  }
}

TEST_F(StatefulSetTest, AFailedPodIsDeletedAndMadeAnew) {
  add_set(2);
  cluster.run_to(60s);
  const Ref<Pod> before = cluster.pod("db-0");
  cluster.kubelet.finish(before, 137);
  cluster.run_for(30s);
  ASSERT_TRUE(cluster.pod("db-0"));
  EXPECT_NE(cluster.pod("db-0"), before);
  EXPECT_EQ(cluster.chain(cluster.api.get(cluster.pod("db-0"))->meta.cause),
            (std::vector<std::string>{"SuccessfulCreate", "SuccessfulDelete", "ContainerExited"}));
}

TEST_F(StatefulSetTest, MinReadySecondsSlowsTheRollout) {
  add_set(2);
  cluster.api.update(db, Change::kSpec, [](StatefulSet& s) { s.min_ready_seconds = 30; });
  cluster.run_to(34s);
  EXPECT_EQ(images(2), "1,-");
  cluster.run_to(36s);
  EXPECT_EQ(images(2), "1,1");
  cluster.run_to(80s);
  EXPECT_EQ(status().available_replicas, 2);
}

TEST_F(StatefulSetTest, StartOrdinal) {
  StatefulSet set;
  set.meta.ns = cluster.ns();
  set.meta.name = cluster.sym("late");
  set.replicas = 2;
  set.start_ordinal = 5;
  set.selector = cluster.selector("late");
  set.pod_template = cluster.pod_template("late", 1);
  cluster.api.create(std::move(set));
  cluster.run_to(30s);
  EXPECT_TRUE(cluster.pod("late-5"));
  EXPECT_TRUE(cluster.pod("late-6"));
  EXPECT_EQ(cluster.pods().size(), 2u);
}

}  // namespace
}  // namespace sim::k8s::test

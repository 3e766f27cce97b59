#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/daemon_set_placement.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

struct DaemonSetTest : testing::Test {
  DaemonSetTest() {
    cluster.add(make_daemon_set_controller(cluster.context));
    cluster.start();
    // As the scheduler would: only the node that the pod's affinity names.
    cluster.kubelet.place = [this](const Pod& pod) { return target_node(pod, cluster.api.well_known()); };
  }
  Ref<DaemonSet> add_set(const std::function<void(DaemonSet&)>& edit = [](DaemonSet&) {}) {
    DaemonSet set;
    set.meta.ns = cluster.ns();
    set.meta.name = cluster.sym("agent");
    set.selector = cluster.selector("agent");
    set.pod_template = cluster.pod_template("agent", 1);
    edit(set);
    agent = cluster.api.create(std::move(set));
    return agent;
  }
  void roll_out(std::uint64_t hash) {
    const PodTemplate next = cluster.pod_template("agent", hash);
    cluster.api.update(agent, Change::kSpec, [&](DaemonSet& s) { s.pod_template = next; });
  }
  void add_taint(Ref<Node> node, std::string_view key, TaintEffect effect) {
    cluster.api.update(node, Change::kTaints, [&](Node& n) { n.taints.push_back(Taint{cluster.sym(key), Symbol{}, effect}); });
  }
  const DaemonSet& status() { return *cluster.api.get(agent); }
  std::vector<std::string> nodes_with_pods() {
    std::vector<std::string> nodes;
    for (const Ref<Pod> ref : cluster.pods()) {
      const Pod& pod = *cluster.api.get(ref);
      if (!pod.meta.is_deleting()) nodes.push_back(cluster.names.text(pod.node_name));
    }
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }
  std::int64_t count_image(std::string_view image) {
    const Symbol wanted = cluster.sym(image);
    return cluster.count_pods([&](const Pod& pod) { return pod.is_active() && pod.spec->containers[0].image == wanted; });
  }

  TestCluster cluster;
  Ref<DaemonSet> agent;
};

TEST_F(DaemonSetTest, OnePodOnEachNodeAlsoOnThoseThatComeLater) {
  cluster.add_node("n1");
  cluster.add_node("n2");
  add_set();
  cluster.run_to(10s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n1", "n2"}));
  EXPECT_EQ(status().desired_scheduled, 2);
  EXPECT_EQ(status().ready_count, 2);
  cluster.add_node("n3");
  cluster.run_to(20s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n1", "n2", "n3"}));
  EXPECT_EQ(status().available_count, 3);
  EXPECT_EQ(status().updated_scheduled, 3);
}

TEST_F(DaemonSetTest, UntoleratedTaints) {
  const Ref<Node> n1 = cluster.add_node("n1");
  const Ref<Node> n2 = cluster.add_node("n2");
  add_taint(cluster.add_node("n3"), "special", TaintEffect::kNoSchedule);
  add_set();
  cluster.run_to(10s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n1", "n2"}));
  add_taint(n1, "special", TaintEffect::kNoSchedule);  // not to run, but to continue
  cluster.run_to(20s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n1", "n2"}));
  EXPECT_EQ(status().desired_scheduled, 1);
  add_taint(n2, "special", TaintEffect::kNoExecute);
  cluster.run_to(30s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n1"}));
}

TEST_F(DaemonSetTest, StaysOnNodesThatAreNotReadyOrUnreachable) {
  const Ref<Node> n1 = cluster.add_node("n1");
  add_set();
  cluster.run_to(10s);
  for (const std::string_view key : {"node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"}) {
    add_taint(n1, key, TaintEffect::kNoExecute);
  }
  for (const std::string_view key : {"node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure", "node.kubernetes.io/pid-pressure",
                                     "node.kubernetes.io/unschedulable"}) {
    add_taint(n1, key, TaintEffect::kNoSchedule);
  }
  cluster.run_to(20s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n1"}));
  EXPECT_EQ(status().desired_scheduled, 1);
  for (const Toleration& t : cluster.api.get(cluster.pods()[0])->spec->tolerations) EXPECT_FALSE(t.seconds) << "no eviction after a time";
}

TEST_F(DaemonSetTest, NodeSelector) {
  cluster.add_node("n1");
  const Ref<Node> n2 = cluster.add_node("n2");
  add_set([&](DaemonSet& set) {
    auto spec = std::make_shared<PodSpec>(*set.pod_template.spec);
    spec->node_selector.set(cluster.sym("disk"), cluster.sym("ssd"));
    set.pod_template.spec = spec;
  });
  cluster.run_to(5s);
  EXPECT_TRUE(nodes_with_pods().empty());
  cluster.api.update(n2, Change::kLabels, [&](Node& n) { n.meta.labels.set(cluster.sym("disk"), cluster.sym("ssd")); });
  cluster.run_to(15s);
  EXPECT_EQ(nodes_with_pods(), (std::vector<std::string>{"n2"}));
  cluster.api.update(n2, Change::kLabels, [&](Node& n) { n.meta.labels.erase(cluster.sym("disk")); });
  cluster.run_to(25s);
  EXPECT_TRUE(nodes_with_pods().empty());
}

TEST_F(DaemonSetTest, APodThatIsDeletedIsReplacedWhenItIsGoneForThatReason) {
  cluster.add_node("n1");
  add_set();
  cluster.run_to(10s);
  const Ref<Pod> victim = cluster.pods().front();
  const CauseId fault = cluster.api.record(victim, "TaintManagerEviction", "out of service");
  cluster.kubelet.stop_time = 20s;
  {
    const ScopedCause because(cluster.engine, fault);
    cluster.api.remove(victim);
  }
  cluster.run_for(19s);
  EXPECT_EQ(cluster.pods().size(), 1u);  // not before the old one is gone
  cluster.run_for(10s);
  ASSERT_EQ(cluster.pods().size(), 1u);
  EXPECT_EQ(cluster.chain(cluster.api.get(cluster.pods()[0])->meta.cause), (std::vector<std::string>{"SuccessfulCreate", "TaintManagerEviction"}));
}

TEST_F(DaemonSetTest, FailedPodsAreReplacedWithBackoff) {
  cluster.add_node("n1");
  cluster.kubelet.start_time = 0s;
  cluster.kubelet.runs_for = [](const Pod&) { return std::pair<SimDuration, int>{0s, 1}; };
  add_set();
  cluster.run_to(65s);
  std::vector<std::int64_t> at;
  for (const EventLog::Record& record : cluster.log.records()) {
    if (cluster.log.kind(record) == "FailedDaemonPod") at.push_back(std::chrono::round<std::chrono::seconds>(record.time.time_since_epoch()).count());
  }
  // Waits of 1, 2, 4, 8, 16, 32 s
  EXPECT_EQ(at, (std::vector<std::int64_t>{0, 1, 3, 7, 15, 31, 63}));
}

TEST_F(DaemonSetTest, RollingUpdateTakesOneNodeAtATime) {
  for (int i = 1; i <= 5; ++i) cluster.add_node("n" + std::to_string(i));
  add_set();
  cluster.run_to(10s);
  roll_out(2);
  std::int64_t fewest = 5;
  while (cluster.engine.now() < SimTime{} + 100s && cluster.engine.step()) {
    fewest = std::min(fewest, cluster.count_pods([](const Pod& pod) { return pod.is_active() && pod.ready; }));
  }
  EXPECT_EQ(fewest, 4);
  EXPECT_EQ(count_image("image:2"), 5);
  EXPECT_EQ(status().updated_scheduled, 5);
  EXPECT_EQ(status().available_count, 5);
}

TEST_F(DaemonSetTest, RollingUpdateByPercentageIsRoundedUp) {
  for (int i = 1; i <= 5; ++i) cluster.add_node("n" + std::to_string(i));
  add_set([](DaemonSet& set) { set.max_unavailable = {30, true}; });  // 1.5 -> 2
  cluster.run_to(10s);
  roll_out(2);
  std::int64_t fewest = 5;
  while (cluster.engine.now() < SimTime{} + 100s && cluster.engine.step()) {
    fewest = std::min(fewest, cluster.count_pods([](const Pod& pod) { return pod.is_active() && pod.ready; }));
  }
  EXPECT_EQ(fewest, 3);
  EXPECT_EQ(count_image("image:2"), 5);
}

TEST_F(DaemonSetTest, ABrokenUpdateStopsAtOneNodeAndItsFixReplacesThatPodAtOnce) {
  for (int i = 1; i <= 4; ++i) cluster.add_node("n" + std::to_string(i));
  const Symbol broken = cluster.sym("image:2");
  cluster.kubelet.becomes_ready = [broken](const Pod& pod) { return pod.spec->containers[0].image != broken; };
  add_set();
  cluster.run_to(10s);
  roll_out(2);
  cluster.run_to(500s);
  EXPECT_EQ(count_image("image:2"), 1);
  EXPECT_EQ(status().available_count, 3);
  roll_out(3);
  cluster.run_to(600s);
  EXPECT_EQ(count_image("image:3"), 4);
  EXPECT_EQ(status().available_count, 4);
}

TEST_F(DaemonSetTest, SurgeStartsTheNewPodFirst) {
  for (int i = 1; i <= 3; ++i) cluster.add_node("n" + std::to_string(i));
  add_set([](DaemonSet& set) {
    set.max_surge = {1, false};
    set.max_unavailable = {0, false};
  });
  cluster.run_to(10s);
  roll_out(2);
  std::int64_t fewest = 3;
  std::int64_t most = 0;
  while (cluster.engine.now() < SimTime{} + 100s && cluster.engine.step()) {
    fewest = std::min(fewest, cluster.count_pods([](const Pod& pod) { return pod.is_active() && pod.ready; }));
    most = std::max(most, cluster.active_pods());
  }
  EXPECT_EQ(fewest, 3);
  EXPECT_EQ(most, 4);
  EXPECT_EQ(count_image("image:2"), 3);
  EXPECT_EQ(cluster.pods().size(), 3u);
}

TEST_F(DaemonSetTest, OnDeleteUpdatesWhatSomebodyDeletes) {
  cluster.add_node("n1");
  cluster.add_node("n2");
  add_set([](DaemonSet& set) { set.on_delete = true; });
  cluster.run_to(10s);
  roll_out(2);
  cluster.run_to(60s);
  EXPECT_EQ(count_image("image:1"), 2);
  cluster.api.remove(cluster.pods()[0]);
  cluster.run_to(80s);
  EXPECT_EQ(count_image("image:2"), 1);
}

TEST_F(DaemonSetTest, ANodeThatIsGoneIsNoLongerDesired) {
  cluster.add_node("n1");
  const Ref<Node> n2 = cluster.add_node("n2");
  add_set();
  cluster.run_to(10s);
  cluster.api.remove(n2);
  cluster.run_to(20s);
  EXPECT_EQ(status().desired_scheduled, 1);
  EXPECT_EQ(cluster.pods().size(), 2u);  // the pod garbage collector's
}

TEST_F(DaemonSetTest, CatchesUpAfterAChangeOfLeader) {
  cluster.add_node("n1");
  add_set();
  cluster.run_to(10s);
  cluster.stop();
  cluster.add_node("n2");
  roll_out(2);
  cluster.run_to(60s);
  EXPECT_EQ(cluster.pods().size(), 1u);
  cluster.start();
  cluster.run_to(100s);
  EXPECT_EQ(count_image("image:2"), 2);
  EXPECT_EQ(status().available_count, 2);
}

TEST_F(DaemonSetTest, ManyNodesAreServedInTime) {
  for (int i = 0; i < 1000; ++i) cluster.add_node("n" + std::to_string(i));
  add_set();
  cluster.run_to(100s);
  EXPECT_EQ(cluster.pods().size(), 1000u);
  EXPECT_EQ(status().ready_count, 1000);
}

}  // namespace
}  // namespace sim::k8s::test

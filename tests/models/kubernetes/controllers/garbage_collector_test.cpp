#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

struct GarbageCollectorTest : testing::Test {
  GarbageCollectorTest() {
    cluster.add(make_garbage_collector(cluster.context));
    cluster.start();
  }
  template <class T>
  Ref<T> add(std::string_view name, std::vector<ObjectRef> owners = {}) {
    T object;
    object.meta.ns = cluster.ns();
    object.meta.name = cluster.sym(name);
    for (std::size_t i = 0; i < owners.size(); ++i) object.meta.owners.push_back(OwnerReference{owners[i], 1, i == 0});
    if constexpr (std::is_same_v<T, Pod>) object.spec = cluster.pod_template("x", 1).spec;
    return cluster.api.create(std::move(object));
  }
  template <class T>
  bool exists(Ref<T> ref) const { return cluster.api.get(ref) != nullptr; }
  static DeleteOptions how(DeleteOptions::Propagation propagation) {
    DeleteOptions options;
    options.propagation = propagation;
    return options;
  }
  TestCluster cluster;
};

TEST_F(GarbageCollectorTest, BackgroundDeletesTheWholeTreeBecauseOfTheRoot) {
  const Ref<Deployment> root = add<Deployment>("web");
  const Ref<ReplicaSet> middle = add<ReplicaSet>("web-1", {ApiServer::untyped(root)});
  const Ref<Pod> leaf = add<Pod>("web-1-a", {ApiServer::untyped(middle)});
  const Ref<Pod> other = add<Pod>("alone");
  cluster.run_to(10s);
  const CauseId fault = cluster.api.record(root, "Deleted", "by hand");
  {
    const ScopedCause because(cluster.engine, fault);
    cluster.api.remove(root);
  }
  cluster.run_for(10s);
  EXPECT_FALSE(exists(root));
  EXPECT_FALSE(exists(middle));
  EXPECT_FALSE(exists(leaf));
  EXPECT_TRUE(exists(other));
  EXPECT_EQ(cluster.chain(CauseId{static_cast<std::uint32_t>(cluster.log.size())}), (std::vector<std::string>{"GarbageCollected", "Deleted"}));
}

TEST_F(GarbageCollectorTest, ForegroundWaitsForDependents) {
  const Ref<ReplicaSet> root = add<ReplicaSet>("web");
  const Ref<Pod> leaf = add<Pod>("web-a", {ApiServer::untyped(root)});
  cluster.run_to(10s);
  cluster.kubelet.stop_time = 20s;
  cluster.api.remove(root, how(DeleteOptions::Propagation::kForeground));
  cluster.run_for(15s);
  EXPECT_TRUE(exists(root));
  ASSERT_TRUE(exists(leaf));
  EXPECT_TRUE(cluster.api.get(leaf)->meta.is_deleting());
  cluster.run_for(15s);
  EXPECT_FALSE(exists(leaf));
  EXPECT_FALSE(exists(root));
}

TEST_F(GarbageCollectorTest, ForegroundThroughTwoLevels) {
  const Ref<Deployment> root = add<Deployment>("web");
  const Ref<ReplicaSet> middle = add<ReplicaSet>("web-1", {ApiServer::untyped(root)});
  const Ref<Pod> leaf = add<Pod>("web-1-a", {ApiServer::untyped(middle)});
  cluster.run_to(10s);
  cluster.kubelet.stop_time = 20s;
  cluster.api.remove(root, how(DeleteOptions::Propagation::kForeground));
  cluster.run_for(15s);
  EXPECT_TRUE(exists(root));
  EXPECT_TRUE(exists(middle));
  cluster.run_for(15s);
  EXPECT_FALSE(exists(leaf));
  EXPECT_FALSE(exists(middle));
  EXPECT_FALSE(exists(root));
}

TEST_F(GarbageCollectorTest, OrphanLetsDependentsGo) {
  const Ref<ReplicaSet> root = add<ReplicaSet>("web");
  const Ref<Pod> leaf = add<Pod>("web-a", {ApiServer::untyped(root)});
  cluster.run_to(10s);
  cluster.api.remove(root, how(DeleteOptions::Propagation::kOrphan));
  cluster.run_for(10s);
  EXPECT_FALSE(exists(root));
  ASSERT_TRUE(exists(leaf));
  EXPECT_TRUE(cluster.api.get(leaf)->meta.owners.empty());
}

TEST_F(GarbageCollectorTest, OneOwnerLeftIsEnough) {
  const Ref<ReplicaSet> first = add<ReplicaSet>("first");
  const Ref<ReplicaSet> second = add<ReplicaSet>("second");
  const Ref<Pod> leaf = add<Pod>("both", {ApiServer::untyped(first), ApiServer::untyped(second)});
  cluster.run_to(10s);
  cluster.api.remove(first);
  cluster.run_for(10s);
  ASSERT_TRUE(exists(leaf));
  EXPECT_EQ(cluster.api.get(leaf)->meta.owners.size(), 1u);
  cluster.api.remove(second);
  cluster.run_for(10s);
  EXPECT_FALSE(exists(leaf));
}

TEST_F(GarbageCollectorTest, FindsWhatLostItsOwnerWhileNobodyLooked) {
  const Ref<ReplicaSet> root = add<ReplicaSet>("web");
  const Ref<Pod> leaf = add<Pod>("web-a", {ApiServer::untyped(root)});
  cluster.run_to(10s);
  cluster.stop();
  cluster.api.remove(root);
  cluster.run_for(10s);
  EXPECT_TRUE(exists(leaf));
  cluster.api.set_availability(true, false);
  cluster.start();
  cluster.run_for(10s);
  EXPECT_TRUE(exists(leaf));
  cluster.api.set_availability(true, true);
  cluster.run_for(10s);
  EXPECT_FALSE(exists(leaf));
}

TEST_F(GarbageCollectorTest, TwentyDeletionsASecond) {
  const Ref<ReplicaSet> root = add<ReplicaSet>("web");
  for (int i = 0; i < 215; ++i) add<Pod>("web-" + std::to_string(i), {ApiServer::untyped(root)});
  cluster.run_to(10s);
  cluster.kubelet.stop_time = 1h;
  cluster.api.remove(root);
  cluster.run_for(5s);
  // 30 tokens are 15 deletions at once, then 40 tokens a second
  const std::int64_t deleting = cluster.count_pods([](const Pod& pod) { return pod.meta.is_deleting(); });
  EXPECT_NEAR(static_cast<double>(deleting), 115, 3);
}

}  // namespace
}  // namespace sim::k8s::test

#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

TEST(PodFactory, AdmissionAddsTheDefaultTolerationsOnceForAllPodsOfATemplate) {
  TestCluster cluster;
  PodFactory factory(cluster.context);
  const PodTemplate from = cluster.pod_template("web", 1);
  std::string error;
  const std::shared_ptr<const PodSpec> first = factory.admit(from, error);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->tolerations.size(), 2u);
  EXPECT_EQ(first->tolerations[0].seconds, 300);
  EXPECT_TRUE(from.spec->tolerations.empty());
  EXPECT_EQ(factory.admit(from, error), first);
}

TEST(PodFactory, APriorityClassThatChangesIsSeen) {
  TestCluster cluster;
  PodFactory factory(cluster.context);
  const PodTemplate from = cluster.pod_template("web", 1);
  std::string error;
  EXPECT_EQ(factory.admit(from, error)->priority, 0);
  PriorityClass normal;
  normal.meta.name = cluster.sym("normal");
  normal.value = 5;
  normal.global_default = true;
  const Ref<PriorityClass> ref = cluster.api.create(std::move(normal));
  EXPECT_EQ(factory.admit(from, error)->priority, 5);
  cluster.api.remove(ref);
  EXPECT_EQ(factory.admit(from, error)->priority, 0);
}

TEST(PodFactory, TheBaseOfANameIsCut) {
  TestCluster cluster;
  PodFactory factory(cluster.context);
  ObjectMeta owner;
  owner.ns = cluster.ns();
  owner.name = cluster.sym(std::string(80, 'a'));
  const Symbol name = factory.random_name(ObjectRef{Kind::kReplicaSet, 1, 1}, owner, cluster.names.text(owner.name));
  EXPECT_EQ(cluster.names.text(name).size(), 58u + 5);
}

TEST(PodFactory, EncodedHashUsesTheLettersOfNames) {
  EXPECT_EQ(encoded_hash(0), encoded_hash(0));
  EXPECT_NE(encoded_hash(1), encoded_hash(2));
  // By hand: the digit d is the character 48 + d; letter (48 + d) % 27 of bcdfghjklmnpqrstvwxz2456789. 2^32 - 1 = 4294967295.
  EXPECT_EQ(encoded_hash(0), "4");
  EXPECT_EQ(encoded_hash(0xffffffff), "86f8fbc6f9");
}

}  // namespace
}  // namespace sim::k8s::test

// Rows of pkg/scheduler/backend/cache/node_tree_test.go and reference kubernetes 11 (node list order).
#include "sim/models/kubernetes/scheduler/node_tree.hpp"

#include <gtest/gtest.h>

#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

const ZoneKey kA{Symbol{}, Symbol{1}};
const ZoneKey kB{Symbol{}, Symbol{2}};
const ZoneKey kC{Symbol{}, Symbol{3}};
using Order = std::vector<NodeIndex>;

TEST(NodeTree, TakesOneOfEachZoneInTurn) {
  NodeTree tree;
  for (const NodeIndex node : {1u, 2u, 3u}) tree.add(node, kA);
  tree.add(11, kB);
  for (const NodeIndex node : {21u, 22u}) tree.add(node, kC);
  EXPECT_EQ(tree.list(), (Order{1, 11, 21, 2, 22, 3}));
}

TEST(NodeTree, AZoneThatReturnsComesLast) {
  NodeTree tree;
  tree.add(1, kA);
  tree.add(11, kB);
  tree.remove(1, kA);
  EXPECT_EQ(tree.list(), Order{11});
  tree.add(1, kA);
  EXPECT_EQ(tree.list(), (Order{11, 1}));
}

TEST(NodeTree, RemovalKeepsTheOrderOfTheZone) {
  NodeTree tree;
  for (const NodeIndex node : {1u, 2u, 3u}) tree.add(node, kA);
  tree.remove(2, kA);
  tree.add(2, kA);
  EXPECT_EQ(tree.list(), (Order{1, 3, 2}));
}

TEST(NodeTree, ZoneOfLabels) {
  Cluster c;
  const WellKnown& known = c.api.well_known();
  const Labels neither;
  EXPECT_EQ(zone_of(neither, known), ZoneKey{});
  const Labels both = c.labels({{"topology.kubernetes.io/zone", "new"}, {"failure-domain.beta.kubernetes.io/zone", "old"}, {"topology.kubernetes.io/region", "r"}});
  EXPECT_EQ(zone_of(both, known), (ZoneKey{c.name("r"), c.name("old")}));
}

TEST(Cache, TheListKeepsItsOrderWhenAZoneLabelChanges) {
  Cluster c;
  c.node("a1", {.zone = "a"});
  c.node("a2", {.zone = "a"});
  c.node("b1", {.zone = "b"});
  const auto state = c.state();
  const auto listed = [&] {
    std::string text;
    for (const NodeIndex node : state->cache.order()) text += c.names.text(state->cache.node(node).name) + " ";
    return text;
  };
  EXPECT_EQ(listed(), "a1 b1 a2 ");
  const Ref<Node> a1 = c.api.find<Node>(Symbol{}, c.name("a1"));
  c.api.update(a1, Change::kLabels, [&](Node& node) { node.meta.labels.set(c.api.well_known().zone, c.name("z")); });
  state->cache.update_node(state->cache.find(c.name("a1")), a1, *c.api.get(a1));
  EXPECT_EQ(listed(), "a1 b1 a2 ") << "until a node comes or goes";
  const Ref<Node> z2 = c.node("z2", {.zone = "z"});
  state->cache.add_node(z2, *c.api.get(z2));
  EXPECT_EQ(listed(), "a2 b1 a1 z2 ");
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

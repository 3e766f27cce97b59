/// The order in which the scheduler visits nodes: round robin over zones, in each zone oldest first.
///
/// Source: pkg/scheduler/backend/cache/node_tree.go, component-helpers/node/topology/helpers.go (GetZoneKey);
///         reference kubernetes 1.4.
/// Checked by: tests/models/kubernetes/scheduler/node_tree_test.cpp.
#pragma once

#include <utility>
#include <vector>

#include "sim/models/kubernetes/api/labels.hpp"
#include "sim/models/kubernetes/api/well_known.hpp"
#include "sim/models/kubernetes/scheduler/framework.hpp"

namespace sim::k8s::scheduling {

/// Region and zone of a node. Nodes without either share one zone.
using ZoneKey = std::pair<Symbol, Symbol>;
ZoneKey zone_of(const Labels& labels, const WellKnown& names);

class NodeTree {
 public:
  void add(NodeIndex node, ZoneKey zone);
  /// A zone that becomes empty is forgotten: when it returns, it comes last.
  void remove(NodeIndex node, ZoneKey zone);
  /// One node of each zone, then the next of each, until all are listed.
  std::vector<NodeIndex> list() const;

 private:
  struct Zone {
    ZoneKey key;
    std::vector<NodeIndex> nodes;
  };
  std::vector<Zone> zones_;  // in the order first seen
};

}  // namespace sim::k8s::scheduling

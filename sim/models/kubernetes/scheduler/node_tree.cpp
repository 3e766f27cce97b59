#include "sim/models/kubernetes/scheduler/node_tree.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace sim::k8s::scheduling {

ZoneKey zone_of(const Labels& labels, const WellKnown& names) {
  // The old label wins while it is there, even when empty.
  const auto either = [&](Symbol old_label, Symbol label) {
    const auto found = labels.find(old_label);
    return found ? *found : labels.find(label).value_or(Symbol{});
  };
  return {either(names.region_beta, names.region), either(names.zone_beta, names.zone)};
}

void NodeTree::add(NodeIndex node, ZoneKey zone) {
  for (Zone& known : zones_) {
    if (known.key == zone) {
      known.nodes.push_back(node);
      return;
    }
  }
  zones_.push_back(Zone{zone, {node}});
}

void NodeTree::remove(NodeIndex node, ZoneKey zone) {
  const auto place = std::find_if(zones_.begin(), zones_.end(), [&](const Zone& known) { return known.key == zone; });
  SIM_CHECK(place != zones_.end(), "a node is removed from the zone to which it was added");
  std::erase(place->nodes, node);
  if (place->nodes.empty()) zones_.erase(place);
}

std::vector<NodeIndex> NodeTree::list() const {
  std::vector<NodeIndex> nodes;
  for (std::size_t round = 0;; ++round) {
    const std::size_t before = nodes.size();
    for (const Zone& zone : zones_) {
      if (round < zone.nodes.size()) nodes.push_back(zone.nodes[round]);
    }
    if (nodes.size() == before) return nodes;
  }
}

}  // namespace sim::k8s::scheduling

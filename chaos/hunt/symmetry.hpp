/// Which nodes are equal: a fault to one of them does what the same fault does to the other, but for names.
///
/// Two nodes are equal at an instant when they are of one pool, stand in the same places of the topology, have the same labels (but the host's name),
/// taints and conditions, carry no member of the control plane and no daemon of Ceph, and carry pods of the same owners in the same phases, none of
/// which has an identity of its own (a StatefulSet's). They are equal in a search when they are so at each of its instants.
///
/// The random streams of a run are named by entity: equal nodes have equal chances, not equal luck. What differs then is the luck (the time that a boot
/// takes), and that is what running a finding under several seeds is for.
///
/// Checked by: tests/chaos/hunt_test.cpp.
#pragma once

#include <string>
#include <vector>

namespace sim {
class World;
}
namespace sim::scenario {
struct ScenarioSpec;
}

namespace chaos::hunt {

struct NodeSignature {
  std::string node;
  std::string signature;
};
/// Of every Node object, in their order. Equal texts: equal nodes at this instant.
std::vector<NodeSignature> node_signatures(sim::World& world, const sim::scenario::ScenarioSpec& scenario);

}  // namespace chaos::hunt

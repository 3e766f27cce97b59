/// From the section `ceph:` to a Ceph cluster on a world's nodes.
///
/// Checked by: tests/chaos/ceph_test.cpp.
#pragma once

#include <memory>

#include "sim/models/ceph/config.hpp"
#include "sim/scenario/ceph_spec.hpp"

namespace sim {
class World;
namespace rook {
class Rook;
}
}  // namespace sim

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

/// Tells everything that is wrong with the section. Machine names are there already.
void check_ceph(const ScenarioSpec& spec, Diagnostics& diagnostics);
/// Where the daemons of `spec.ceph` stand, with what every part of Ceph is told; racks come from the topology. Errors are told, and what is wrong left out.
ceph::ClusterConfig ceph_cluster(const ScenarioSpec& spec, Diagnostics& diagnostics);
/// Nodes in which monitors may stand.
std::vector<std::string> mon_nodes(const ScenarioSpec& spec);
/// Services that Rook makes, as "namespace/name".
std::vector<std::string> services_of(const CephSpec& ceph);
std::unique_ptr<rook::Rook> make_rook(const ScenarioSpec& spec, World& world);

}  // namespace sim::scenario

/// What clients write to OSDs on the network cards of their hosts, where Ceph's bytes share them with image pulls (network.carriesCeph): recovery and pulls get what it leaves.
///
/// Each byte that a client writes comes in at its primary, goes out from there once for each other copy (or chunk), and comes in at that. All of it is spread evenly over the OSDs that
/// are up, as on their disks, and has no more than its fair share of a card.
///
/// Source:     Ceph doc/architecture.rst (the primary writes the copies).
/// Leaves out: reads, the way between client and primary (its card and uplinks), what a client makes of a card that is too narrow.
/// Checked by: tests/models/ceph/recovery_test.cpp.
#pragma once

namespace sim {
class Engine;
namespace network {
class Network;
}
}  // namespace sim

namespace sim::ceph {

class CephCluster;

/// Follows the cluster from now on; all three outlive each other's use.
void carry_clients(CephCluster& cluster, network::Network& network, Engine& engine);

}  // namespace sim::ceph

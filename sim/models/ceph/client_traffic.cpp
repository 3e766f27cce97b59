#include "sim/models/ceph/client_traffic.hpp"

#include <map>

#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/network/network.hpp"

namespace sim::ceph {

namespace {

void update(const CephCluster& cluster, network::Network& network) {
  double comes = 0.0;
  double goes = 0.0;
  for (const PoolState& pool : cluster.pgs().pools()) {
    const double copies = pool.config.client_bytes_per_second * static_cast<double>(pool.size - 1) / static_cast<double>(pool.needed);
    comes += pool.config.client_bytes_per_second + copies;
    goes += copies;
  }
  std::map<host::HostId, double> up;  // OSDs of a host
  double all = 0.0;
  for (const Osd& osd : cluster.osds()) {
    const double one = cluster.osd_monitor().is_up(osd.id) ? 1.0 : 0.0;
    up[osd.host] += one;
    all += one;
  }
  for (const auto& [host, number] : up) {
    const double share = all > 0.0 ? number / all : 0.0;
    network.set_standing(host, network::Network::Way::kIn, comes * share);
    network.set_standing(host, network::Network::Way::kOut, goes * share);
  }
}

}  // namespace

void carry_clients(CephCluster& cluster, network::Network& network, Engine& engine) {
  CephCluster* ceph = &cluster;
  network::Network* links = &network;
  cluster.on_epoch([ceph, links] { update(*ceph, *links); });
  engine.after(SimDuration::zero(), [ceph, links] { update(*ceph, *links); });
}

}  // namespace sim::ceph

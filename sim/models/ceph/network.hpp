/// Who reaches whom: the hosts' network, and the public and the cluster network of Ceph, of which a host can lose one alone.
///
/// Monitors and clients speak over the public network; OSDs replicate over the cluster network and send heartbeats over both, and both must answer.
///
/// Source:     Ceph doc/rados/configuration/network-config-ref.rst; reference platform 2.1.
/// Leaves out: loss and delay of packets; one-way cuts.
/// Checked by: tests/models/ceph/osd_failure_test.cpp, monitors_test.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/models/host/hosts.hpp"

namespace sim::ceph {

enum class Plane : std::uint8_t { kPublic, kCluster };

class Network {
 public:
  explicit Network(const host::Hosts& hosts) : hosts_(hosts) {}

  void set_cut(host::HostId host, Plane plane, bool cut) {
    std::vector<bool>& cuts = plane == Plane::kPublic ? public_cut_ : cluster_cut_;
    if (cuts.size() <= host.value) cuts.resize(host.value + 1, false);
    cuts[host.value] = cut;
  }
  bool reaches(host::HostId a, host::HostId b, Plane plane) const {
    if (!hosts_.reachable(a, b)) return false;
    return a == b || (!is_cut(a, plane) && !is_cut(b, plane));
  }
  /// Heartbeats of OSDs: both networks.
  bool hears(host::HostId a, host::HostId b) const { return reaches(a, b, Plane::kPublic) && reaches(a, b, Plane::kCluster); }

 private:
  bool is_cut(host::HostId host, Plane plane) const {
    const std::vector<bool>& cuts = plane == Plane::kPublic ? public_cut_ : cluster_cut_;
    return host.value < cuts.size() && cuts[host.value];
  }
  const host::Hosts& hosts_;
  std::vector<bool> public_cut_;
  std::vector<bool> cluster_cut_;
};

}  // namespace sim::ceph

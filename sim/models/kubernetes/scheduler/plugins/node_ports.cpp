#include "sim/models/kubernetes/scheduler/plugins/node_ports.hpp"

#include <algorithm>

namespace sim::k8s::scheduling::node_ports {

bool conflict(const HostPort& a, const HostPort& b, Symbol any_address) {
  if (a.port != b.port || a.protocol != b.protocol) return false;
  const auto any = [&](Symbol ip) { return !ip || ip == any_address; };
  return any(a.ip) || any(b.ip) || a.ip == b.ip;
}

StatusId filter(std::span<const HostPort> wanted, const NodeLoad& load, Symbol any_address) {
  for (const HostPort& port : wanted) {
    for (const HostPort& used : load.ports) {
      if (conflict(port, used, any_address)) return kStatusNodePorts;
    }
  }
  return kFits;
}

bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, Symbol any_address) {
  if (event.action != Action::kPodDelete) return true;
  if (!event.pod_before->placed) return false;
  const std::vector<HostPort> freed = host_ports(*event.pod_before->spec);
  const std::vector<HostPort> wanted = host_ports(*pod.spec);
  return std::any_of(wanted.begin(), wanted.end(), [&](const HostPort& port) {
    return std::any_of(freed.begin(), freed.end(), [&](const HostPort& other) { return conflict(port, other, any_address); });
  });
}

}  // namespace sim::k8s::scheduling::node_ports

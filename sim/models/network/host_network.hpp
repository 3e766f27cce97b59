/// What somebody, or a broken cable, does to the network of machines: packets that are dropped, lost, delayed or slowed down on their way between hosts, one way or
/// both. Nothing here while nobody does anything.
///
/// Felt by:
/// - everybody who asks Hosts::reachable(): where packets do not get through at all, two machines do not reach each other (etcd's members, kubelets and API servers,
///   monitors and OSDs of Ceph, members of services, registries);
/// - etcd: round trips delay commits; a majority further away than the election timeout costs the leader its leadership; lost packets do so now and then
///   (ControlPlane::set_links);
/// - kubelets: a connection to the API servers on which packets are lost stalls now and then, for tens of seconds, and leases are missed meanwhile. Drawn as spells;
/// - the machines that listen to each other all the time (`talk`, Ceph's): the same for each pair, when a ping stalls for longer than OSDs wait;
/// - pods on these machines, when their packets cross to another one (PodNetwork::use_hosts): probes do not;
/// - transfers: a limit on all that a machine sends or receives is one of its network card (Network::limit_card).
///
/// Records, subject "host/NAME": HostNetworkImpaired, HostNetworkRestored, ConnectionStalled, ConnectionRestored.
///
/// Source:     tc-netem(8), tcp.hpp. client-go and golang.org/x/net/http2: a connection on which nothing comes for 30 s is asked, and closed 15 s later
///             (HTTP2_READ_IDLE_TIMEOUT_SECONDS, HTTP2_PING_TIMEOUT_SECONDS); a dial gives up after 30 s; kubelets renew every 10 s, and give one try 10 s
///             (nodeStatusUpdateFrequency). Ceph: OSDs ping every 0.5 to 5.9 s and wait for 20 s (reference platform 2.1).
/// Leaves out: VMs of a machine (target their own nodes); stalls shorter than 20 s for all but etcd (monitors' leases of 10 s, Galera's 5 s); lost packets in elections of
///             etcd; requests one by one (the API's latency); duplicates and packets out of order, which TCP puts right.
/// Checked by: tests/models/kubernetes/control_plane_faults_test.cpp (etcd), tests/chaos/network_impair_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/network/pod_network.hpp"

namespace sim::network {

class Network;

class HostNetwork {
 public:
  using HostId = host::HostId;
  using Id = std::uint64_t;

  HostNetwork(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::ControlPlane& control_plane, k8s::Kubelets& kubelets,
              Network* network);
  ~HostNetwork();
  HostNetwork(const HostNetwork&) = delete;
  HostNetwork& operator=(const HostNetwork&) = delete;

  /// Machines that hold connections to each other open and miss each other (Ceph's). Before the first rule.
  void talk(std::vector<HostId> hosts);
  /// Packets from any of `senders` to any of `receivers`. Empty: to (from) everything, the outside too. One of the two is not empty.
  Id impair(std::vector<HostId> senders, std::vector<HostId> receivers, const Impairment& impairment);
  /// Takes it back.
  void remove(Id id);

  bool any() const { return !rules_.empty(); }
  /// HostId{} is the outside. Stalls that are going on count as cuts.
  PathQuality path(HostId from, HostId to) const;
  /// After each change, with its cause as the current one.
  void on_change(std::function<void()> listener) { listeners_.push_back(std::move(listener)); }

 private:
  struct Rule {
    std::vector<HostId> senders, receivers;  // sorted
    Impairment impairment;
  };
  /// A connection on which packets are lost: it stalls now and then.
  struct Spells {
    double chance = 0.0;  // that a message begins a stall
    double lost = 0.0;    // share of sendings without an acknowledgement
    bool stalls = false;
    std::uint32_t drawn = 0;
    Timer timer;
  };
  using Pair = std::pair<HostId, HostId>;  // the smaller one first; {host, HostId{}}: a kubelet and the API servers
  Impairment one_way(HostId from, HostId to) const;
  bool is_cut(HostId a, HostId b) const;
  void changed(const Rule& rule, bool added);
  CauseId tell(HostId host, const Rule& rule, bool added);
  void limit_card(HostId host);
  void look_at_contact(HostId host);
  void look_at_pair(HostId a, HostId b);
  void set_spells(const Pair& pair, double chance, double lost);
  void begin_spell(const Pair& pair);
  void set_stalls(const Pair& pair, bool stalls);
  SimDuration length_of_stall(const Pair& pair, Spells& spells);
  std::string words(const Pair& pair) const;

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  k8s::ApiServer& api_;
  k8s::ControlPlane& control_plane_;
  k8s::Kubelets& kubelets_;
  Network* network_;
  std::map<Id, Rule> rules_;
  Id last_ = 0;
  std::vector<HostId> talkers_;
  std::map<Pair, Spells> spells_;
  std::vector<std::function<void()>> listeners_;
};

}  // namespace sim::network

/// Bandwidth between machines: network cards and uplinks as the links of one SharedBandwidth, so that whatever moves bytes (image pulls, Ceph's
/// recovery) feels the others.
///
/// A transfer crosses the sender's card (out), the uplinks of the places that only one of the two stands in (up on the one side, down on the other), and
/// the receiver's card (in). A VM's bytes cross its own card and that of its physical host. The outside world is behind one more link, the site's. All
/// links carry their speed in both directions at once. Whether two machines reach each other at all is the hosts' business (host::Hosts::reachable).
///
/// Source:     max-min fairness: sim/core/resource.hpp; reference platform 8.3 (what bounds a pull).
/// Leaves out: latency and loss (of pods: pod_network.hpp), TCP's slow start, several cards of a host and bonding, oversubscription inside a switch, traffic of clients but Ceph's (client_traffic.hpp).
/// Checked by: tests/models/network_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/resource.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/topology/topology.hpp"

namespace sim::network {

struct NetworkConfig {
  double internet_bytes_per_second = SharedBandwidth::kNoLimit;   // the site's way to the outside, each direction
  std::vector<std::pair<std::string, double>> uplinks;            // of elements of the topology (racks, zones), bytes a second
  bool carries_ceph = false;                                      // recovery and backfill of Ceph cross these links as well
};

class Network {
 public:
  using Links = std::vector<SharedBandwidth::LinkId>;

  Network(Engine& engine, const host::Hosts& hosts, const topology::Topology& topology, NetworkConfig config);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const NetworkConfig& config() const { return config_; }
  SharedBandwidth& bandwidth() { return bandwidth_; }

  /// Appends the links from one host to another; none when they are the same.
  void add_path(host::HostId from, host::HostId to, Links& links);
  /// Appends the links from the outside to a host.
  void add_path_from_outside(host::HostId to, Links& links);
  /// Appends a host's own cards, both ways: it passes on what it gets.
  void add_both_ways(host::HostId host, Links& links) {
    add_cards(host, true, links);
    add_cards(host, false, links);
  }
  /// A host sends (receives) no more than so many bytes a second; 0: as much as its card can.
  void limit_card(host::HostId host, double out_bytes_per_second, double in_bytes_per_second);
  /// Bytes that come in at a host's card, or go out, all the time: they have their fair share of it, and no more than so many a second. 0: none any more.
  enum class Way : std::uint8_t { kIn, kOut };
  void set_standing(host::HostId host, Way way, double bytes_per_second);
  /// What they get.
  double standing(host::HostId host, Way way);
  /// Takes out links that stand in it twice: bytes that cross a link twice are charged once (a proxy on the same host).
  static void make_unique(Links& links);

 private:
  struct Direction {
    SharedBandwidth::LinkId out, in;
  };
  const Direction& card(host::HostId host);
  /// Its cards: its own, and its physical host's.
  void add_cards(host::HostId host, bool outward, Links& links);
  std::vector<std::size_t> uplinks_of(host::HostId host) const;

  const host::Hosts& hosts_;
  const topology::Topology& topology_;
  NetworkConfig config_;
  SharedBandwidth bandwidth_;
  std::map<host::HostId, Direction> cards_;  // made when first used
  struct Standing {
    SharedBandwidth::FlowId flow;
    double wants = 0;
  };
  std::map<std::pair<host::HostId, Way>, Standing> standing_;
  std::vector<topology::ElementId> uplink_elements_;
  std::vector<Direction> uplinks_;
  Direction internet_;
};

}  // namespace sim::network

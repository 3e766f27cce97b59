// Which links bytes cross, and that they are shared.
#include <gtest/gtest.h>

#include "sim/models/network/network.hpp"

namespace sim::network {
namespace {

using namespace std::chrono_literals;

class NetworkTest : public ::testing::Test {
 protected:
  host::HostId add(std::string_view name, std::string_view rack, double bits_per_second, topology::ElementKind kind = topology::ElementKind::kHost) {
    const topology::ElementId element = topology.add(kind, name);
    if (!rack.empty()) topology.place(element, topology.find(rack));
    host::HostSpec spec;
    spec.name = std::string(name);
    spec.nic_bits_per_second = bits_per_second;
    spec.machine = kind == topology::ElementKind::kVm ? host::Machine::kVm : host::Machine::kBareMetal;
    return hosts.add(spec);
  }
  /// How long `bytes` take from one host to another, alone.
  double seconds_of(Network& network, host::HostId from, host::HostId to, double bytes) {
    Network::Links links;
    network.add_path(from, to, links);
    const SimTime begin = engine.now();
    SimTime done{};
    network.bandwidth().start(links, bytes, [&] { done = engine.now(); });
    engine.run_until(engine.now() + 1h);
    return seconds(done - begin);
  }
  Engine engine;
  Interner names;
  EventLog log{engine, names};
  Randomness random{1};
  topology::Topology topology{engine, log};
  host::Hosts hosts{engine, log, random, topology};
};

TEST_F(NetworkTest, TheSlowestLinkOfTheWayCounts) {
  topology.add(topology::ElementKind::kRack, "r1");
  topology.add(topology::ElementKind::kRack, "r2");
  const host::HostId a = add("a", "r1", 8e9), b = add("b", "r1", 16e9), c = add("c", "r2", 16e9);
  NetworkConfig config;
  config.uplinks = {{"r1", 50e6}};
  Network network(engine, hosts, topology, config);
  EXPECT_DOUBLE_EQ(seconds_of(network, a, b, 1e9), 1.0);   // its card of 1 GB/s; the uplink is not crossed
  EXPECT_DOUBLE_EQ(seconds_of(network, a, c, 1e9), 20.0);  // r1's uplink
  EXPECT_DOUBLE_EQ(seconds_of(network, c, b, 1e9), 20.0);  // ... in the other direction
}

TEST_F(NetworkTest, TwoReceiversShareTheSendersCard) {
  const host::HostId a = add("a", "", 8e9), b = add("b", "", 8e9), c = add("c", "", 8e9);
  Network network(engine, hosts, topology, {});
  std::vector<double> done;
  for (const host::HostId to : {b, c}) {
    Network::Links links;
    network.add_path(a, to, links);
    network.bandwidth().start(links, 1e9, [&] { done.push_back(seconds(engine.now().time_since_epoch())); });
  }
  // The other way round nobody is in the way: cards carry their speed in both directions at once.
  Network::Links back;
  network.add_path(b, a, back);
  network.bandwidth().start(back, 1e9, [&] { done.push_back(seconds(engine.now().time_since_epoch())); });
  engine.run_until(SimTime(1h));
  EXPECT_EQ(done, (std::vector<double>{1.0, 2.0, 2.0}));
}

TEST_F(NetworkTest, AVmSharesTheCardOfItsMachine) {
  const host::HostId below = add("metal", "", 8e9);
  const host::HostId far = add("far", "", 80e9);
  const host::HostId vm = add("vm", "metal", 80e9, topology::ElementKind::kVm);
  (void)below;
  Network network(engine, hosts, topology, {});
  EXPECT_DOUBLE_EQ(seconds_of(network, far, vm, 1e9), 1.0);
}

TEST_F(NetworkTest, TheOutsideIsBehindOneLinkAndNoLinkToOneself) {
  const host::HostId a = add("a", "", 8e9), b = add("b", "", 8e9);
  NetworkConfig config;
  config.internet_bytes_per_second = 100e6;
  Network network(engine, hosts, topology, config);
  Network::Links links;
  network.add_path(a, a, links);
  EXPECT_TRUE(links.empty());
  std::vector<double> done;
  for (const host::HostId to : {a, b}) {
    links.clear();
    network.add_path_from_outside(to, links);
    network.bandwidth().start(links, 100e6, [&] { done.push_back(seconds(engine.now().time_since_epoch())); });
  }
  engine.run_until(SimTime(1h));
  EXPECT_EQ(done, (std::vector<double>{2.0, 2.0}));
}

}  // namespace
}  // namespace sim::network

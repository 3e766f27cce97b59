#include "sim/models/host/hosts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sim::host {
namespace {

using namespace std::chrono_literals;
using topology::Aspect;
using topology::ElementId;
using topology::ElementKind;

struct Farm {
  explicit Farm(std::uint64_t seed = 1) : random(seed) {
    rack = topology.add(ElementKind::kRack, "rack-a");
    tor = topology.add(ElementKind::kSwitch, "switch-a");
    topology.place(tor, rack);
    for (const char* name : {"p1", "p2"}) {
      const ElementId element = topology.add(ElementKind::kHost, name);
      topology.place(element, rack);
      topology.depend(element, tor, Aspect::kNetwork, 1);
    }
    topology.place(topology.add(ElementKind::kVm, "v1"), topology.find("p1"));
    p1 = hosts.add({.name = "p1"});
    p2 = hosts.add({.name = "p2"});
    v1 = hosts.add({.name = "v1", .machine = Machine::kVm});
    hosts.on_change([this](const Hosts::Change& change) {
      constexpr const char* kWhat[] = {"down", "hung", "booting", "up", "network"};
      heard.push_back(hosts.spec(change.host).name + " " + kWhat[static_cast<int>(change.what)]);
      causes.push_back(engine.cause());
    });
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> kinds;
    for (const EventLog::Record& record : log.records()) kinds.push_back(log.kind(record) + " " + log.subject(record));
    return kinds;
  }
  void run(SimDuration span) { engine.run_until(engine.now() + span); }

  Engine engine;
  Interner interner;
  EventLog log{engine, interner};
  Randomness random;
  topology::Topology topology{engine, log};
  Hosts hosts{engine, log, random, topology};
  ElementId rack, tor;
  HostId p1, p2, v1;
  std::vector<std::string> heard;
  std::vector<CauseId> causes;
};
using Names = std::vector<std::string>;

TEST(Hosts, StartUpAndReachEachOther) {
  Farm farm;
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kUp);
  EXPECT_TRUE(farm.hosts.reachable(farm.p1, farm.v1));
  EXPECT_TRUE(farm.hosts.has_network(farm.v1));
  EXPECT_EQ(farm.engine.next_event_time(), kEndOfTime) << "a healthy host costs no events";
}

TEST(Hosts, CrashStaysOffUntilPoweredOn) {
  Farm farm;
  farm.hosts.crash(farm.p2);
  EXPECT_EQ(farm.hosts.state(farm.p2), HostState::kOff);
  EXPECT_FALSE(farm.hosts.reachable(farm.p1, farm.p2));
  farm.run(48h);
  EXPECT_EQ(farm.hosts.state(farm.p2), HostState::kOff);
  farm.hosts.power_on(farm.p2);
  EXPECT_EQ(farm.hosts.state(farm.p2), HostState::kBooting);
  farm.run(2h);
  EXPECT_EQ(farm.hosts.state(farm.p2), HostState::kUp);
  EXPECT_EQ(farm.heard, (Names{"p2 down", "p2 booting", "p2 up"}));
}

TEST(Hosts, CrashDuringBootEndsTheBoot) {
  Farm farm;
  farm.hosts.reboot(farm.p2);
  farm.run(1s);
  farm.hosts.crash(farm.p2);
  farm.run(2h);
  EXPECT_EQ(farm.hosts.state(farm.p2), HostState::kOff);
}

TEST(Hosts, PowerLossIsACrashAndTheReturnOfPowerBoots) {
  Farm farm;
  farm.topology.fail(farm.rack, Aspect::kPower);
  for (const HostId id : {farm.p1, farm.p2, farm.v1}) EXPECT_EQ(farm.hosts.state(id), HostState::kOff);
  farm.hosts.power_on(farm.p1);
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kOff) << "no power, no boot";
  farm.hosts.power_off(farm.p2);
  farm.run(1h);
  farm.topology.restore(farm.rack, Aspect::kPower);
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kBooting);
  EXPECT_EQ(farm.hosts.state(farm.v1), HostState::kOff) << "a VM waits for its host";
  farm.run(2h);
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kUp);
  EXPECT_EQ(farm.hosts.state(farm.v1), HostState::kUp);
  EXPECT_EQ(farm.hosts.state(farm.p2), HostState::kOff) << "switched off by a person: stays off";
}

TEST(Hosts, VmDiesWithItsHostAndBootsAfterIt) {
  Farm farm;
  farm.hosts.crash(farm.p1);
  EXPECT_EQ(farm.heard, (Names{"p1 down", "v1 down"}));
  EXPECT_EQ(farm.log.chain(farm.hosts.last_cause(farm.v1)), (std::vector<CauseId>{farm.hosts.last_cause(farm.v1), farm.hosts.last_cause(farm.p1)}));
  farm.heard.clear();
  farm.hosts.power_on(farm.p1);
  farm.run(3h);
  EXPECT_EQ(farm.heard, (Names{"p1 booting", "p1 up", "v1 booting", "v1 up"}));
}

TEST(Hosts, HangIsResetAfterItsTime) {
  Farm farm;
  farm.hosts.hang(farm.p1, "memory exhausted");
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kHung);
  EXPECT_EQ(farm.hosts.state(farm.v1), HostState::kHung);
  EXPECT_TRUE(farm.hosts.has_network(farm.p1)) << "it still has a link";
  EXPECT_FALSE(farm.hosts.reachable(farm.p2, farm.p1)) << "but nothing answers";
  farm.run(10min - 1ns);
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kHung);
  farm.run(1ns);
  EXPECT_EQ(farm.hosts.state(farm.p1), HostState::kBooting);
  farm.run(3h);
  EXPECT_EQ(farm.hosts.state(farm.v1), HostState::kUp);
  EXPECT_EQ(farm.heard, (Names{"p1 hung", "v1 hung", "p1 down", "v1 down", "p1 booting", "p1 up", "v1 booting", "v1 up"}));
}

TEST(Hosts, HangWithoutWatchdogWaitsForAReset) {
  Farm farm;
  const ElementId element = farm.topology.add(ElementKind::kHost, "p3");
  farm.topology.place(element, farm.rack);
  const HostId p3 = farm.hosts.add({.name = "p3", .hang_reset_after = 0s});
  farm.hosts.hang(p3, "kernel livelock");
  farm.run(100h);
  EXPECT_EQ(farm.hosts.state(p3), HostState::kHung);
  farm.hosts.reset(p3);
  EXPECT_EQ(farm.hosts.state(p3), HostState::kBooting);
}

TEST(Hosts, AnEarlyResetTakesTheWatchdogOff) {
  Farm farm;
  farm.hosts.hang(farm.p2, "x");
  farm.hosts.reset(farm.p2);
  farm.run(5h);
  EXPECT_EQ(std::count(farm.heard.begin(), farm.heard.end(), "p2 down"), 1);
}

TEST(Hosts, NetworkFollowsTheSwitch) {
  Farm farm;
  farm.topology.fail(farm.tor, Aspect::kNetwork);
  EXPECT_FALSE(farm.hosts.has_network(farm.p1));
  EXPECT_FALSE(farm.hosts.has_network(farm.v1));
  EXPECT_TRUE(farm.hosts.is_running(farm.p1));
  EXPECT_FALSE(farm.hosts.reachable(farm.p1, farm.p2));
  EXPECT_TRUE(farm.hosts.reachable(farm.p1, farm.p1));
  farm.topology.restore(farm.tor, Aspect::kNetwork);
  EXPECT_TRUE(farm.hosts.reachable(farm.p1, farm.p2));
  EXPECT_EQ(farm.heard, (Names{"p1 network", "v1 network", "p2 network", "p1 network", "v1 network", "p2 network"}));
}

TEST(Hosts, Partitions) {
  Farm farm;
  farm.hosts.set_partition(farm.p1, 2);
  EXPECT_FALSE(farm.hosts.reachable(farm.p1, farm.p2));
  EXPECT_TRUE(farm.hosts.reachable(farm.p1, farm.v1)) << "its VMs go with it";
  EXPECT_FALSE(farm.hosts.has_network(farm.v1)) << "the outside is in partition 0";
  farm.hosts.set_partition(farm.p2, 2);
  EXPECT_TRUE(farm.hosts.reachable(farm.p1, farm.p2));
  farm.hosts.set_partition(farm.p1, 0);
  EXPECT_TRUE(farm.hosts.has_network(farm.v1));
}

TEST(Hosts, EveryChangeIsExplained) {
  Farm farm;
  const CauseId fault = farm.log.record("Fault", "fault/x", "rack-a loses power");
  {
    const ScopedCause because(farm.engine, fault);
    farm.topology.fail(farm.rack, Aspect::kPower);
  }
  ASSERT_EQ(farm.heard, (Names{"p1 down", "v1 down", "p2 down"}));
  for (const CauseId cause : farm.causes) EXPECT_EQ(farm.log.chain(cause).back(), fault);
  EXPECT_EQ(farm.kinds(), (Names{"Fault fault/x", "PowerLost rack/rack-a", "PowerLost switch/switch-a", "NetworkLost switch/switch-a", "HostCrashed host/p1",
                                 "HostCrashed host/v1", "HostCrashed host/p2"}));
}

TEST(Hosts, AListenersOwnChangesComeAfterTheOneItHeardOf) {
  Farm farm;
  farm.hosts.on_change([&farm](const Hosts::Change& change) {
    if (change.host == farm.p1 && change.what == Hosts::Change::What::kHung) farm.hosts.crash(farm.p2);
  });
  std::vector<std::string> last;
  farm.hosts.on_change([&](const Hosts::Change& change) { last.push_back(farm.hosts.spec(change.host).name); });
  farm.hosts.hang(farm.p1, "x");
  EXPECT_EQ(last, (Names{"p1", "p2", "v1"}));
}

// Medians and tails of the laws: 8 min with sigma 0.35 has p5 = 4.5 min and p95 = 14.2 min (reference platform 11.2).
TEST(Hosts, BootTimesFollowTheirLaws) {
  struct Case {
    const char* name;
    double p5, median, p95;  // seconds
  };
  constexpr double kZ = 1.6449;
  const Case cases[] = {{"p2", 480 * std::exp(-kZ * 0.35), 480, 480 * std::exp(kZ * 0.35)},
                        {"v1", 40 * std::exp(-kZ * 0.4), 40, 40 * std::exp(kZ * 0.4)}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<double> boots;
    std::vector<double> kubelets;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
      Farm farm(seed);
      const HostId id = farm.hosts.find(c.name);
      farm.hosts.reboot(id);
      boots.push_back(seconds(farm.engine.next_event_time()));
      kubelets.push_back(seconds(farm.hosts.kubelet_start_time(id)));
    }
    std::sort(boots.begin(), boots.end());
    std::sort(kubelets.begin(), kubelets.end());
    EXPECT_NEAR(boots[20], c.p5, 0.15 * c.p5);
    EXPECT_NEAR(boots[200], c.median, 0.1 * c.median);
    EXPECT_NEAR(boots[380], c.p95, 0.15 * c.p95);
    EXPECT_NEAR(kubelets[200], 45, 5);
  }
}

TEST(Hosts, ABootTimeDependsOnHostAndBootNumberOnly) {
  Farm one;
  Farm two;
  two.hosts.reboot(two.p1);  // moves nothing of p2
  one.hosts.reboot(one.p2);
  const SimTime first = one.engine.next_event_time();
  one.run(2h);
  two.hosts.crash(two.p1);
  two.hosts.reboot(two.p2);
  EXPECT_EQ(two.engine.next_event_time(), first);
  EXPECT_EQ(one.hosts.kubelet_start_time(one.p2), two.hosts.kubelet_start_time(two.p2));
  one.hosts.reboot(one.p2);
  EXPECT_NE(one.engine.next_event_time() - one.engine.now(), first - SimTime{}) << "the next boot draws anew";
}

TEST(Hosts, AnExactBootTimeIsKept) {
  Farm farm;
  farm.topology.add(ElementKind::kHost, "p4");
  const HostId p4 = farm.hosts.add({.name = "p4", .boot = {90s, 0.0}, .kubelet_start = {7s, 0.0}});
  farm.hosts.reboot(p4);
  EXPECT_EQ(farm.engine.next_event_time() - farm.engine.now(), 90s);
  EXPECT_EQ(farm.hosts.kubelet_start_time(p4), 7s);
}

}  // namespace
}  // namespace sim::host

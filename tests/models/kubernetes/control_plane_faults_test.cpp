// Processes that hang, leases that are refused, members of etcd that defragment or lose their data, certificates, links between members.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/models/kubernetes/control_plane_fixture.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;

/// How long nobody led, from the loss to the next gain.
SimDuration without_leader(const ControlPlaneFixture& world, Component component, SimTime since) {
  for (const auto& one : world.leadership) {
    if (one.component == component && one.gained && one.when > since) return one.when - since;
  }
  return SimDuration::max();
}

TEST(ControlPlaneFaults, AHungLeaderIsFollowedALeaseLaterAndExitsWhenItRunsAgain) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ControlPlaneFixture world(3, seed);
    const std::size_t leader = *world.plane.leader(Component::kControllerManager);
    world.run(1min);
    const SimTime hung_at = world.engine.now();
    ASSERT_TRUE(world.plane.hang(Component::kControllerManager, leader));
    EXPECT_FALSE(world.plane.hang(Component::kControllerManager, leader)) << "it hangs already";
    EXPECT_FALSE(world.plane.leads(Component::kControllerManager));
    world.run(59s);
    // The last renewal was up to 2 s before; 15 s after a candidate saw it (up to 4.4 s later), at its next try.
    const SimDuration gap = without_leader(world, Component::kControllerManager, hung_at);
    EXPECT_GE(gap, 13s);
    EXPECT_LE(gap, 24s);
    EXPECT_NE(world.plane.leader(Component::kControllerManager), leader);
    EXPECT_EQ(world.count("LeaderElectionLost"), 0u) << "it cannot exit while it hangs";
    world.plane.resume(Component::kControllerManager, leader);
    EXPECT_EQ(world.count("LeaderElectionLost"), 1u);
    world.run(1min);
    EXPECT_EQ(world.plane.running_count(Component::kControllerManager), 3u);
    EXPECT_NE(world.plane.leader(Component::kControllerManager), leader) << "a candidate now";
  }
}

TEST(ControlPlaneFaults, ALeaderThatHangsForLessThanItsDeadlineStays) {
  ControlPlaneFixture world(3);
  const std::size_t leader = *world.plane.leader(Component::kScheduler);
  world.run(1min);
  world.plane.hang(Component::kScheduler, leader);
  world.run(5s);
  world.plane.resume(Component::kScheduler, leader);
  EXPECT_TRUE(world.plane.leads(Component::kScheduler));
  world.run(2min);
  EXPECT_EQ(world.plane.leader(Component::kScheduler), leader);
  EXPECT_EQ(world.count("LeaderLost"), 0u);
}

TEST(ControlPlaneFaults, AHungProcessIsKilledForItsLivenessProbe) {
  for (const Component component : {Component::kEtcd, Component::kApiServer, Component::kScheduler, Component::kControllerManager}) {
    SCOPED_TRACE(to_string(component));
    ControlPlaneFixture world(3);
    const std::size_t member = component == Component::kApiServer ? 0 : *world.plane.leader(component);
    world.plane.hang(component, member);
    world.run(149s);
    EXPECT_TRUE(world.plane.is_hung(component, member));
    world.run(12s);
    EXPECT_FALSE(world.plane.is_hung(component, member));
    world.run(1min);
    EXPECT_TRUE(world.plane.is_running(component, member));
    EXPECT_EQ(world.plane.restarts(component, member), 1u);
    world.plane.resume(component, member);  // too late: nothing
    EXPECT_EQ(world.count("ProcessResumed"), 0u);
  }
}

TEST(ControlPlaneFaults, TwoHungMembersOfThreeAreNoQuorum) {
  ControlPlaneFixture world(3);
  world.plane.hang(Component::kEtcd, 0);
  EXPECT_TRUE(world.plane.has_quorum());
  world.plane.hang(Component::kEtcd, 1);
  EXPECT_FALSE(world.plane.has_quorum());
  EXPECT_FALSE(world.api.writable());
  world.plane.resume(Component::kEtcd, 1);
  world.run(3s);
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneFaults, AHostThatCrashesTakesItsHungProcessWithIt) {
  ControlPlaneFixture world(3);
  world.plane.hang(Component::kEtcd, 0);
  world.hosts.crash(world.cp(0));
  EXPECT_FALSE(world.plane.is_hung(Component::kEtcd, 0));
  world.hosts.power_on(world.cp(0));
  world.run(5min);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 3u);
}

// Client-go: a leader that cannot renew works on for 10 s, exits, and another one takes over 15 s after the record changed last.
TEST(ControlPlaneFaults, ARefusedLeaseCostsTheLeaderItsPlace) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ControlPlaneFixture world(3, seed);
    const std::size_t leader = *world.plane.leader(Component::kScheduler);
    world.run(1min);
    const SimTime refused = world.engine.now();
    world.plane.set_lease_refused(Component::kScheduler, leader, true);
    EXPECT_TRUE(world.plane.leads(Component::kScheduler)) << "its work goes on";
    world.run(7s);
    EXPECT_TRUE(world.plane.leads(Component::kScheduler));
    world.run(4s);
    EXPECT_EQ(world.count("LeaderElectionLost"), 1u);
    world.run(1min);
    const SimDuration gap = without_leader(world, Component::kScheduler, refused);
    EXPECT_GE(gap, 13s);
    EXPECT_LE(gap, 24s);
    EXPECT_NE(world.plane.leader(Component::kScheduler), leader);
    world.plane.set_lease_refused(Component::kScheduler, leader, false);
    world.run(1min);
    EXPECT_NE(world.plane.leader(Component::kScheduler), leader);
  }
  ControlPlaneFixture all(3);
  for (std::size_t i = 0; i < 3; ++i) all.plane.set_lease_refused(Component::kScheduler, i, true);
  all.run(10min);
  EXPECT_FALSE(all.plane.leader(Component::kScheduler).has_value());
  all.plane.set_lease_refused(Component::kScheduler, 2, false);
  all.run(1min);
  EXPECT_EQ(all.plane.leader(Component::kScheduler), 2u);
}

TEST(ControlPlaneFaults, EtcdsLeadershipIsMoved) {
  ControlPlaneFixture world(3);
  const std::size_t was = *world.plane.leader(Component::kEtcd);
  const std::size_t to = (was + 1) % 3;
  EXPECT_FALSE(world.plane.move_etcd_leader(was)) << "it leads already";
  ASSERT_TRUE(world.plane.move_etcd_leader(to));
  EXPECT_FALSE(world.api.writable());
  world.run(19ms);
  EXPECT_FALSE(world.api.writable());
  world.run(82ms);
  EXPECT_TRUE(world.api.writable());
  EXPECT_EQ(world.plane.leader(Component::kEtcd), to);
  ASSERT_TRUE(world.plane.move_etcd_leader(std::nullopt));
  world.run(1s);
  EXPECT_NE(world.plane.leader(Component::kEtcd), to);
}

TEST(ControlPlaneFaults, ADefragmentationStopsTheClientsOfOneMember) {
  ControlPlaneFixture world(3);
  const std::size_t leader = *world.plane.leader(Component::kEtcd);
  world.plane.set_defragmenting(leader, true);
  EXPECT_EQ(world.plane.leader(Component::kEtcd), leader) << "raft goes on";
  EXPECT_TRUE(world.api.writable()) << "by the others";
  world.run(60s);
  EXPECT_EQ(world.count("Killing"), 0u);
  world.run(25s);
  EXPECT_EQ(world.count("Killing"), 1u) << "its API server, after 72 to 82 s";
  world.plane.set_defragmenting(leader, false);
  world.run(2min);
  EXPECT_EQ(world.plane.running_count(Component::kApiServer), 3u);
  EXPECT_EQ(world.plane.restarts(Component::kEtcd, leader), 0u);
  // All at once: nobody can write, though there is a leader.
  for (std::size_t i = 0; i < 3; ++i) world.plane.set_defragmenting(i, true);
  EXPECT_FALSE(world.api.writable());
  EXPECT_TRUE(world.plane.leader(Component::kEtcd).has_value());
  world.run(161s);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(world.plane.is_defragmenting(i)) << "killed for its own liveness probe";
  world.run(10min);
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneFaults, AMemberWithoutItsDataCannotStartUntilItIsAddedAnew) {
  ControlPlaneFixture world(3);
  world.plane.lose_etcd_data(0);
  world.run(1h);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 2u);
  EXPECT_TRUE(world.api.writable());
  world.hosts.reboot(world.cp(0));
  world.run(10min);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 2u) << "a reboot brings no data back";
  world.plane.kill(Component::kEtcd, 1);
  EXPECT_FALSE(world.plane.has_quorum());
  world.run(1min);
  world.plane.rejoin_etcd(0);
  world.run(1min);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 3u);
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneFaults, AnExpiredClientCertificateIsSeenWithEveryRequest) {
  ControlPlaneFixture world(3);
  for (std::size_t i = 0; i < 3; ++i) world.plane.set_certificate_expired(Certificate::kControllerManagerClient, i, true);
  EXPECT_FALSE(world.plane.leads(Component::kControllerManager)) << "401";
  world.run(11s);
  EXPECT_EQ(world.count("LeaderElectionLost"), 1u);
  world.run(10min);
  EXPECT_FALSE(world.plane.leader(Component::kControllerManager).has_value());
  EXPECT_TRUE(world.plane.leads(Component::kScheduler));
  for (std::size_t i = 0; i < 3; ++i) world.plane.set_certificate_expired(Certificate::kControllerManagerClient, i, false);
  world.run(1min);
  EXPECT_TRUE(world.plane.leads(Component::kControllerManager));
}

TEST(ControlPlaneFaults, AnExpiredPeerCertificateIsSeenWithTheNextConnection) {
  ControlPlaneFixture world(3);
  for (std::size_t i = 0; i < 3; ++i) world.plane.set_certificate_expired(Certificate::kEtcdPeer, i, true);
  world.run(1h);
  EXPECT_TRUE(world.api.writable()) << "connections that are open go on";
  world.plane.kill(Component::kEtcd, 0);
  world.run(1min);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 3u);
  EXPECT_TRUE(world.api.writable()) << "two of three are still connected";
  world.plane.kill(Component::kEtcd, 1);
  world.run(1min);
  EXPECT_FALSE(world.api.writable()) << "three that run, and nobody is connected to anybody";
  EXPECT_FALSE(world.plane.has_quorum());
  for (std::size_t i = 0; i < 2; ++i) world.plane.set_certificate_expired(Certificate::kEtcdPeer, i, false);
  world.run(10min);
  EXPECT_TRUE(world.api.writable()) << "two with new ones";
}

TEST(ControlPlaneFaults, AnApiServerThatIsRestartedWithAnExpiredCertificateServesNobody) {
  for (const Certificate certificate : {Certificate::kApiServerServing, Certificate::kApiServerEtcdClient}) {
    SCOPED_TRACE(to_string(certificate));
    ControlPlaneFixture world(1);
    world.plane.set_certificate_expired(certificate, 0, true);
    world.run(1h);
    EXPECT_TRUE(world.plane.writable_from(world.worker));
    world.plane.kill(Component::kApiServer, 0);
    world.run(1h);
    EXPECT_FALSE(world.plane.writable_from(world.worker));
    EXPECT_FALSE(world.api.writable());
    world.plane.set_certificate_expired(certificate, 0, false);
    world.run(10min);
    EXPECT_TRUE(world.plane.writable_from(world.worker));
  }
}

// ---- links ------------------------------------------------------------------------------------------------------------------

/// Every way of one member has this.
struct Impaired : ControlPlaneFixture {
  Impaired(std::size_t members, std::size_t which, network::RoundTrip trip, std::uint64_t seed = 1) : ControlPlaneFixture(members, seed) {
    const host::HostId host = cp(which);
    plane.set_links([host, trip](host::HostId a, host::HostId b) { return a == host || b == host ? trip : network::RoundTrip{}; });
    plane.links_changed();
  }
};

TEST(ControlPlaneFaults, ALeaderFurtherAwayThanTheElectionTimeoutLosesItsPlace) {
  const std::size_t leader = *ControlPlaneFixture(3).plane.leader(Component::kEtcd);
  Impaired near(3, leader, {.delay = 900ms});
  near.run(1min);
  EXPECT_EQ(near.plane.leader(Component::kEtcd), leader);
  EXPECT_GT(near.plane.commit_latency(), 900ms) << "a majority is that far away";
  Impaired far(3, leader, {.delay = 1100ms});
  far.run(3s);
  ASSERT_TRUE(far.plane.leader(Component::kEtcd).has_value());
  EXPECT_NE(far.plane.leader(Component::kEtcd), leader);
  EXPECT_EQ(far.count("EtcdLeaderLost"), 1u);
  EXPECT_LT(far.plane.commit_latency(), 100ms) << "the other two are a majority";
  Impaired follower(3, (leader + 1) % 3, {.delay = 5s});
  follower.run(1min);
  EXPECT_EQ(follower.count("EtcdLeaderLost"), 0u);
}

TEST(ControlPlaneFaults, LostPacketsCostTheLeaderItsPlaceNowAndThen) {
  const std::size_t leader = *ControlPlaneFixture(3).plane.leader(Component::kEtcd);
  const auto losses = [&](double share) {
    std::size_t sum = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      ControlPlaneFixture world(3, seed);
      world.plane.set_links([share](host::HostId, host::HostId) { return network::RoundTrip{.loss_there = share, .loss_back = 0.0}; });
      world.plane.links_changed();
      world.run(1h);
      sum += world.count("EtcdLeaderLost");
    }
    return sum;
  };
  EXPECT_EQ(losses(0.0), 0u);
  // By hand, of three members: a way is silent for a second with 1 - (1 - p^3)^10, the leader when both are: 10 h have 36,000 seconds.
  const auto expected = [](double p) {
    const double silent = 1.0 - std::pow(1.0 - p * p * p, 10.0);
    return 36000.0 * silent * silent;
  };
  for (const double share : {0.10, 0.20}) {
    SCOPED_TRACE(share);
    const double mean = expected(share);
    EXPECT_NEAR(static_cast<double>(losses(share)), mean, 4.0 * std::sqrt(mean) + 0.02 * mean);
  }
  // A follower's packets alone: the other follower answers.
  Impaired one(3, (leader + 1) % 3, {.loss_there = 0.5, .loss_back = 0.5});
  one.run(1h);
  EXPECT_EQ(one.count("EtcdLeaderLost"), 0u);
}

TEST(ControlPlaneFaults, ALinkThatIsCutLeavesTheLeaderOutOfTheMiddleAlone) {
  // a - b - c, with a and c cut off from each other: only b is connected to a majority with all.
  ControlPlaneFixture world(3);
  const host::HostId a = world.cp(0);
  const host::HostId c = world.cp(2);
  world.hosts.set_link_filter([a, c](host::HostId one, host::HostId other) { return (one == a && other == c) || (one == c && other == a); });
  world.hosts.links_changed(a, true);
  world.run(5s);
  EXPECT_TRUE(world.plane.has_quorum());
  EXPECT_TRUE(world.api.writable());
  // a and b alone, then nobody.
  const host::HostId b = world.cp(1);
  world.hosts.set_link_filter([b](host::HostId one, host::HostId other) { return one == b || other == b; });
  world.hosts.links_changed(b, true);
  world.run(5s);
  EXPECT_TRUE(world.api.writable());
  EXPECT_NE(world.plane.leader(Component::kEtcd), 1u);
  world.hosts.set_link_filter([](host::HostId, host::HostId) { return true; });
  world.hosts.links_changed(a, true);
  EXPECT_FALSE(world.plane.has_quorum());
  world.hosts.set_link_filter({});
  world.hosts.links_changed(a, false);
  world.run(5s);
  EXPECT_TRUE(world.api.writable());
}

}  // namespace
}  // namespace sim::k8s

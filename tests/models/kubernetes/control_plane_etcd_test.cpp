#include <gtest/gtest.h>

#include "tests/models/kubernetes/control_plane_fixture.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;

TEST(ControlPlaneEtcd, AHealthyPlaneCostsNoEvents) {
  ControlPlaneFixture world(3);
  EXPECT_EQ(world.engine.next_event_time(), kEndOfTime);
  EXPECT_EQ(world.log.size(), 0u);
  EXPECT_TRUE(world.api.writable());
  for (const Component component : {Component::kEtcd, Component::kScheduler, Component::kControllerManager}) {
    EXPECT_TRUE(world.plane.leader(component).has_value()) << to_string(component);
    EXPECT_EQ(world.plane.running_count(component), 3u);
  }
  EXPECT_TRUE(world.plane.leads(Component::kScheduler));
  EXPECT_TRUE(world.plane.reachable_from(world.worker));
}

// Platform 6.2: quorum floor(n/2)+1; an even number tolerates no more than the odd one below it.
struct LossCase {
  std::size_t members, lost;
  bool writable;
};
const LossCase kLosses[] = {{1, 0, true}, {1, 1, false}, {2, 0, true},  {2, 1, false}, {3, 1, true}, {3, 2, false}, {3, 3, false}, {4, 1, true},
                            {4, 2, false}, {5, 2, true}, {5, 3, false}, {6, 3, false}, {7, 3, true}, {7, 4, false}, {7, 7, false}};

TEST(ControlPlaneEtcd, TableOfLosses) {
  for (const LossCase& c : kLosses) {
    SCOPED_TRACE(testing::Message() << c.lost << " of " << c.members);
    ControlPlaneFixture world(c.members);
    for (std::size_t i = 0; i < c.lost; ++i) world.hosts.crash(world.cp(i));
    EXPECT_EQ(world.plane.has_quorum(), c.writable);
    world.run(3s);
    EXPECT_EQ(world.api.writable(), c.writable);
    EXPECT_EQ(world.plane.leader(Component::kEtcd).has_value(), c.writable);
    EXPECT_EQ(world.api.readable(), c.lost < c.members);
    EXPECT_EQ(world.plane.writable_from(world.worker), c.writable);
    EXPECT_EQ(world.plane.reachable_from(world.worker), c.lost < c.members);
  }
}

TEST(ControlPlaneEtcd, QuorumLossNamesEveryMissingMember) {
  ControlPlaneFixture world(5);
  const CauseId maintenance = world.log.record("Fault", "fault/maintenance", "");
  const CauseId failure = world.log.record("Fault", "fault/failure", "");
  {
    const ScopedCause because(world.engine, maintenance);
    world.hosts.power_off(world.cp(0));
    world.hosts.power_off(world.cp(1));
  }
  world.run(1h);
  EXPECT_EQ(world.count("EtcdQuorumLost"), 0u);
  {
    const ScopedCause because(world.engine, failure);
    world.hosts.crash(world.cp(2));
  }
  const CauseId lost = world.newest("EtcdQuorumLost");
  ASSERT_TRUE(lost);
  EXPECT_EQ(world.log.message(world.log.at(lost)), "etcd has 2 of 5 members, quorum is 3");
  EXPECT_TRUE(world.leads_back_to(lost, failure));
  std::vector<CauseId> roots;
  for (const CauseId cause : world.log.contributing(lost)) roots.push_back(world.log.chain(cause).back());
  EXPECT_EQ(roots, (std::vector<CauseId>{maintenance, maintenance}));
  EXPECT_TRUE(world.leads_back_to(world.newest("ControlPlaneUnwritable"), lost));
  EXPECT_EQ(world.log.message(world.log.at(world.newest("ControlPlaneUnwritable"))), "no write goes through: etcd has no quorum");

  world.hosts.power_on(world.cp(0));
  world.run(10min);
  EXPECT_EQ(world.log.message(world.log.at(world.newest("EtcdQuorumRegained"))), "etcd has 3 of 5 members again, quorum is 3");
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneEtcd, FollowerLossHasNoEffect) {
  ControlPlaneFixture world(3);
  const std::size_t leader = *world.plane.leader(Component::kEtcd);
  world.plane.kill(Component::kEtcd, (leader + 1) % 3);
  EXPECT_TRUE(world.api.writable());
  EXPECT_EQ(world.plane.leader(Component::kEtcd), leader);
  world.run(1min);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 3u);
  EXPECT_EQ(world.count("EtcdLeaderLost"), 0u);
}

// Platform 6.3: the earliest of n-1 timers in [1, 2) s: mean 1 + 1/n, less the age of the last heartbeat (mean 50 ms), plus 20 ms of votes.
TEST(ControlPlaneEtcd, ElectionTimes) {
  for (const std::size_t members : {3u, 5u}) {
    double sum = 0;
    constexpr int kRuns = 400;
    for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
      ControlPlaneFixture world(members, seed);
      const std::size_t leader = *world.plane.leader(Component::kEtcd);
      world.hosts.crash(world.cp(leader));
      EXPECT_FALSE(world.api.writable());
      ASSERT_TRUE(world.run_until([&] { return world.plane.leader(Component::kEtcd).has_value(); }, 5s));
      const double took = seconds(world.engine.now());
      EXPECT_GE(took, 0.92);
      EXPECT_LT(took, 2.02);
      EXPECT_NE(world.plane.leader(Component::kEtcd), leader);
      EXPECT_TRUE(world.leads_back_to(world.newest("EtcdLeaderElected"), world.newest("EtcdLeaderLost")));
      EXPECT_TRUE(world.api.writable());
      sum += took;
    }
    EXPECT_NEAR(sum / kRuns, 1 + 1.0 / static_cast<double>(members) - 0.03, 0.03);
  }
}

TEST(ControlPlaneEtcd, ACandidateThatDiesDuringTheElectionIsNotElected) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    ControlPlaneFixture world(5, seed);
    const std::size_t leader = *world.plane.leader(Component::kEtcd);
    world.hosts.crash(world.cp(leader));
    world.run(500ms);
    world.hosts.crash(world.cp((leader + 1) % 5));
    world.run(10s);
    EXPECT_TRUE(world.plane.leader(Component::kEtcd).has_value());
    EXPECT_EQ(world.count("EtcdLeaderElected"), 1u);
    EXPECT_EQ(world.count("EtcdLeaderLost"), 1u);
  }
}

TEST(ControlPlaneEtcd, ACleanStopHandsTheLeadershipOver) {
  ControlPlaneFixture world(3);
  world.plane.stop(Component::kEtcd, *world.plane.leader(Component::kEtcd));
  world.run(100ms);
  EXPECT_TRUE(world.plane.leader(Component::kEtcd).has_value());
  EXPECT_TRUE(world.api.writable());
  world.run(1h);
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 2u) << "stopped: not restarted";
}

TEST(ControlPlaneEtcd, OnlyTheMajoritySideOfAPartitionServes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ControlPlaneFixture world(5, seed);
    for (const std::size_t i : {0u, 1u, 2u}) world.hosts.set_partition(world.cp(i), 1);
    world.run(5s);
    ASSERT_TRUE(world.plane.leader(Component::kEtcd).has_value());
    EXPECT_LT(*world.plane.leader(Component::kEtcd), 3u);
    EXPECT_TRUE(world.api.writable());
    EXPECT_FALSE(world.plane.writable_from(world.worker)) << "the worker stayed with the minority";
    EXPECT_FALSE(world.plane.reachable_from(world.worker));
    EXPECT_TRUE(world.plane.writable_from(world.cp(0)));
    world.hosts.set_partition(world.worker, 1);
    EXPECT_TRUE(world.plane.writable_from(world.worker));
  }
}

TEST(ControlPlaneEtcd, ThreeWaysApartNobodyServes) {
  ControlPlaneFixture world(5);
  world.hosts.set_partition(world.cp(0), 1);
  world.hosts.set_partition(world.cp(1), 1);
  world.hosts.set_partition(world.cp(2), 2);
  world.run(5s);
  EXPECT_FALSE(world.plane.has_quorum());
  EXPECT_EQ(world.log.message(world.log.at(world.newest("EtcdQuorumLost"))), "etcd has 2 of 5 members that reach each other, quorum is 3");
  EXPECT_TRUE(world.plane.reachable_from(world.worker)) << "API servers still answer from their cache";
  for (const std::size_t i : {0u, 1u, 2u}) world.hosts.set_partition(world.cp(i), 0);
  world.run(5s);
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneEtcd, AHungMemberCountsAsGone) {
  ControlPlaneFixture world(3);
  world.hosts.hang(world.cp(0), "x");
  EXPECT_TRUE(world.plane.has_quorum());
  world.hosts.hang(world.cp(1), "x");
  EXPECT_FALSE(world.plane.has_quorum());
  world.run(20min);  // reset after 10 min, boot 2 min
  EXPECT_TRUE(world.api.writable());
  EXPECT_EQ(world.plane.running_count(Component::kEtcd), 3u);
}

TEST(ControlPlaneEtcd, AStalledHostCountsAsGoneUntilItGoesOn) {
  ControlPlaneFixture world(1);
  world.plane.set_stalled(world.cp(0), true);
  EXPECT_FALSE(world.api.readable());
  world.plane.set_stalled(world.cp(0), false);
  world.run(3s);
  EXPECT_TRUE(world.api.writable());
}

// Platform 6.4: an fsync stall of the leader over the election timeout costs its leadership; of a majority, the commits.
TEST(ControlPlaneEtcd, DiskStalls) {
  ControlPlaneFixture world(3);
  const std::size_t leader = *world.plane.leader(Component::kEtcd);
  const std::size_t follower = (leader + 1) % 3;
  world.plane.set_disk_slow(leader, 3000);  // 0.3 ms * 3000 = 0.9 s: slow, still leader
  EXPECT_EQ(world.plane.leader(Component::kEtcd), leader);
  world.plane.set_disk_slow(follower, 4000);  // a follower only lags
  EXPECT_TRUE(world.api.writable());
  world.plane.set_disk_slow(leader, 4000);  // 1.2 s
  EXPECT_FALSE(world.plane.leader(Component::kEtcd).has_value());
  EXPECT_EQ(world.count("EtcdLeaderLost"), 1u);
  world.run(3s);
  EXPECT_EQ(world.plane.leader(Component::kEtcd), (leader + 2) % 3) << "the only one with a disk that keeps up";
  EXPECT_TRUE(world.api.writable());
  for (const std::size_t i : {leader, follower}) world.plane.set_disk_slow(i, 30000);  // 9 s, over the request timeout of 7 s
  EXPECT_FALSE(world.api.writable());
  EXPECT_EQ(world.count("EtcdWritesTimeOut"), 1u);
  world.plane.set_disk_slow(follower, 1);
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneEtcd, CommitLatencyIsAMajorityOfDisksPlusTheWay) {
  ControlPlaneFixture world(3);
  const auto median = [&world] {
    std::vector<SimDuration> drawn;
    for (int i = 0; i < 2001; ++i) drawn.push_back(world.plane.commit_latency());
    std::nth_element(drawn.begin(), drawn.begin() + 1000, drawn.end());
    return seconds(drawn[1000]) * 1e3;
  };
  const double healthy = median();
  EXPECT_GT(healthy, 0.4);
  EXPECT_LT(healthy, 1.1);
  const std::size_t leader = *world.plane.leader(Component::kEtcd);
  world.plane.set_disk_slow((leader + 1) % 3, 100);
  EXPECT_LT(median(), 2.0) << "one slow follower is outvoted";
  world.plane.set_disk_slow((leader + 2) % 3, 100);
  EXPECT_GT(median(), 10.0) << "two are not";
  world.hosts.crash(world.cp(leader));
  EXPECT_EQ(world.plane.commit_latency(), 7s);
}

TEST(ControlPlaneEtcd, NoSpaceRefusesWritesUntilTheAlarmIsCleared) {
  ControlPlaneFixture world(3);
  world.plane.set_etcd_size(2ll << 30);
  EXPECT_TRUE(world.api.writable()) << "the quota itself is allowed";
  world.plane.set_etcd_size((2ll << 30) + 1);
  EXPECT_FALSE(world.api.writable());
  EXPECT_TRUE(world.api.readable());
  world.plane.set_etcd_size(1ll << 30);
  world.run(1h);
  EXPECT_FALSE(world.api.writable()) << "the alarm stays until somebody disarms it";
  EXPECT_EQ(world.plane.restarts(Component::kApiServer, 0), 0u) << "etcd answers reads: the API servers are healthy";
  EXPECT_FALSE(world.plane.leader(Component::kScheduler).has_value()) << "no lease can be renewed";
  world.plane.clear_alarm();
  EXPECT_TRUE(world.api.writable());
  world.run(1min);
  EXPECT_TRUE(world.plane.leads(Component::kScheduler));
}

// 7.6: without etcd for 72 to 82 s the kubelets restart the API servers.
TEST(ControlPlaneEtcd, LivenessRestartsApiServersWithoutEtcd) {
  ControlPlaneFixture world(3);
  world.hosts.crash(world.cp(0));
  world.hosts.crash(world.cp(1));
  const CauseId lost = world.newest("EtcdQuorumLost");
  world.run(71s);
  EXPECT_TRUE(world.plane.is_running(Component::kApiServer, 2));
  world.run(12s);
  EXPECT_FALSE(world.plane.is_running(Component::kApiServer, 2)) << "restarted, and waiting for etcd";
  EXPECT_FALSE(world.api.readable());
  EXPECT_TRUE(world.leads_back_to(world.newest("Killing"), lost));
  EXPECT_TRUE(world.leads_back_to(world.newest("ApiServerUnavailable"), lost));
  // Each start-up is given up after 250 s, then the back-off grows: 10 s, 20 s.
  world.run(20min);
  EXPECT_GE(world.plane.restarts(Component::kApiServer, 2), 4u);
  world.hosts.power_on(world.cp(0));
  ASSERT_TRUE(world.run_until([&] { return world.plane.has_quorum(); }, 5min));
  ASSERT_TRUE(world.run_until([&] { return world.api.writable(); }, 1min)) << "cp-1's API server is fresh";
}

TEST(ControlPlaneEtcd, AShortEtcdOutageRestartsNothing) {
  ControlPlaneFixture world(3);
  world.plane.stop(Component::kEtcd, 0);
  world.plane.stop(Component::kEtcd, 1);
  EXPECT_FALSE(world.api.writable());
  world.run(60s);
  world.plane.start_component(Component::kEtcd, 0);
  world.run(10min);
  EXPECT_EQ(world.plane.restarts(Component::kApiServer, 0), 0u);
  EXPECT_EQ(world.plane.restarts(Component::kApiServer, 2), 0u);
  // Its own etcd member never came back: kubeadm's API server knows no other.
  EXPECT_GT(world.plane.restarts(Component::kApiServer, 1), 0u);
  EXPECT_FALSE(world.plane.is_running(Component::kApiServer, 1));
}

TEST(ControlPlaneEtcd, AnyEndpointWhenNotLocal) {
  ControlPlaneFixture world(3, 1, any_endpoint());
  world.plane.stop(Component::kEtcd, 1);
  world.run(10min);
  EXPECT_TRUE(world.plane.is_running(Component::kApiServer, 1));
  EXPECT_EQ(world.plane.restarts(Component::kApiServer, 1), 0u);
}

TEST(ControlPlaneEtcd, ExternalPlaneIsAlwaysThere) {
  ControlPlaneFixture world(0);
  EXPECT_TRUE(world.plane.is_external());
  EXPECT_TRUE(world.plane.has_quorum());
  EXPECT_TRUE(world.plane.leads(Component::kControllerManager));
  EXPECT_TRUE(world.plane.writable_from(world.worker));
  world.hosts.set_partition(world.worker, 1);
  EXPECT_FALSE(world.plane.reachable_from(world.worker));
}

}  // namespace
}  // namespace sim::k8s

#include <gtest/gtest.h>

#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

std::string quorum_text(const Monitors& monitors) {
  std::string text;
  for (const std::size_t mon : monitors.quorum()) text += monitors.name(mon);
  return text;
}

TEST(Monitors, LeaderDiesAnotherLeadsWithinSeventeenSeconds) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Lab lab({.seed = seed});
    lab.start();
    EXPECT_EQ(quorum_text(lab.cluster->monitors()), "abc");
    lab.run(100s + std::chrono::milliseconds(137 * seed));
    lab.hosts.crash(lab.ids[0]);
    EXPECT_FALSE(lab.cluster->monitors().can_commit());
    const auto took = lab.until([&] { return lab.cluster->monitors().can_commit(); }, 60s);
    ASSERT_TRUE(took);
    // 7 to 10 s to the end of the wait for a lease, 5 s of election, collecting.
    EXPECT_GE(*took, 12s);
    EXPECT_LE(*took, 17s);
    EXPECT_EQ(quorum_text(lab.cluster->monitors()), "bc");
  }
}

TEST(Monitors, PeonDies) {
  Lab lab;
  lab.start();
  lab.run(100s);
  lab.cluster->kill_mon("c");
  EXPECT_TRUE(lab.cluster->has_quorum());  // nobody has noticed
  EXPECT_FALSE(lab.cluster->monitors().can_commit());
  const auto took = lab.until([&] { return lab.cluster->monitors().can_commit(); }, 60s);
  ASSERT_TRUE(took);
  EXPECT_GE(*took, 15s);  // acknowledgement 10 to 13 s, election 5 s
  EXPECT_LE(*took, 19s);
}

TEST(Monitors, AProposalFindsADeadPeonSooner) {
  Lab lab;
  lab.start();
  lab.run(100s);
  lab.cluster->kill_mon("c");
  lab.cluster->set_flag("noout", true);
  const auto took = lab.until([&] { return lab.cluster->osd_monitor().has_flag("noout"); }, 60s);
  ASSERT_TRUE(took);
  EXPECT_GE(*took, 15s);        // accept timeout 10 s, election 5 s
  EXPECT_LE(*took, 17s);
}

TEST(Monitors, RestartStallsForLessThanASecond) {
  Lab lab;
  lab.config.mon.start = {};  // it probes at once
  lab.start();
  lab.run(100s);
  lab.cluster->kill_mon("b");
  lab.cluster->start_mon("b");
  const auto took = lab.until([&] { return lab.cluster->monitors().can_commit(); }, 60s);
  ASSERT_TRUE(took);
  EXPECT_LE(*took, 2s);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "abc");
}

TEST(Monitors, TwoOfThreeLost) {
  Lab lab;
  lab.config.daemons_start_with_host = true;
  lab.start();
  std::vector<bool> told;
  lab.cluster->on_quorum([&](bool has) { told.push_back(has); });
  lab.run(100s);
  lab.hosts.crash(lab.ids[1]);
  lab.run(5s);
  lab.hosts.crash(lab.ids[2]);
  lab.run(10min);
  EXPECT_FALSE(lab.cluster->has_quorum());
  EXPECT_FALSE(lab.cluster->monitors_reachable_from(lab.ids[3]));
  EXPECT_EQ(lab.cluster->monitors().state(0), MonState::kProbing);
  EXPECT_FALSE(lab.cluster->monitors().serves_reads(0));
  EXPECT_EQ(told, std::vector<bool>{false});
  EXPECT_FALSE(lab.cluster->add_mon("d", "h3"));     // cannot be mended from inside
  EXPECT_FALSE(lab.cluster->remove_mon("c"));
  lab.hosts.power_on(lab.ids[2]);
  const auto back = lab.until([&] { return lab.cluster->has_quorum(); }, 1h);
  ASSERT_TRUE(back);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "ac");
  EXPECT_EQ(lab.chain_of("MonQuorumLost"), "MonQuorumLost < MonStopped < HostCrashed");
}

TEST(Monitors, PartitionNeverMakesTwoQuorums) {
  Lab lab({.hosts = 5, .mons = 5});
  lab.start();
  lab.run(100s);
  // The leader is on the smaller side.
  lab.hosts.set_partition(lab.ids[0], 1);
  lab.hosts.set_partition(lab.ids[1], 1);
  std::size_t most = 0;
  for (int i = 0; i < 600; ++i) {
    lab.run(100ms);
    most = std::max(most, lab.cluster->monitors().committing_leaders());
  }
  EXPECT_EQ(most, 1u);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "cde");
  EXPECT_EQ(lab.cluster->monitors().state(0), MonState::kProbing);
  EXPECT_FALSE(lab.cluster->monitors_reachable_from(lab.ids[0]));
  lab.hosts.set_partition(lab.ids[0], 0);
  lab.hosts.set_partition(lab.ids[1], 0);
  lab.run(1min);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "abcde");
  EXPECT_EQ(lab.cluster->monitors().name(*lab.cluster->monitors().leader()), "a");
}

TEST(Monitors, EvenSplitHasNoQuorumAtAll) {
  Lab lab({.hosts = 4, .mons = 4});
  lab.start();
  lab.run(100s);
  lab.hosts.set_partition(lab.ids[0], 1);
  lab.hosts.set_partition(lab.ids[1], 1);
  lab.run(1min);
  EXPECT_FALSE(lab.cluster->has_quorum());
  EXPECT_EQ(lab.cluster->monitors().committing_leaders(), 0u);
}

TEST(Monitors, ShortCutIsForgotten) {
  Lab lab;
  lab.start();
  lab.run(100s);
  const std::uint32_t epoch = lab.cluster->monitors().election_epoch();
  lab.hosts.set_partition(lab.ids[2], 1);
  lab.run(6s);
  lab.hosts.set_partition(lab.ids[2], 0);
  lab.run(1min);
  EXPECT_EQ(lab.cluster->monitors().election_epoch(), epoch);
  EXPECT_TRUE(lab.cluster->monitors().can_commit());
}

TEST(Monitors, Membership) {
  Lab lab({.hosts = 6});
  lab.start();
  lab.run(100s);
  EXPECT_TRUE(lab.cluster->add_mon("d", "h3"));
  EXPECT_FALSE(lab.cluster->add_mon("d", "h4"));  // no quorum at this instant: an election is on
  lab.run(1min);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "abcd");
  EXPECT_EQ(lab.cluster->monitors().majority(), 3u);
  EXPECT_FALSE(lab.cluster->add_mon("d", "h4"));
  EXPECT_TRUE(lab.cluster->remove_mon("a"));  // the leader
  lab.run(1min);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "bcd");
  // A dead member stays in the count until it is removed: 3 of 4 would be needed, and so with one dead and one replaced.
  lab.cluster->kill_mon("d");
  lab.run(1min);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "bc");
  EXPECT_TRUE(lab.cluster->remove_mon("d"));
  lab.run(1min);
  EXPECT_EQ(lab.cluster->monitors().majority(), 2u);
  EXPECT_TRUE(lab.cluster->has_quorum());
}

TEST(Monitors, FarBehindItCopiesTheStoreFirst) {
  Lab lab;
  lab.start();
  lab.run(100s);
  lab.cluster->kill_mon("c");
  lab.run(1min);
  for (int i = 0; i < 12; ++i) {
    lab.cluster->set_flag("noout", i % 2 == 0);
    lab.run(3s);
  }
  lab.cluster->start_mon("c");
  lab.run(2min);
  EXPECT_EQ(lab.records("MonSynchronizing"), 1u);
  EXPECT_EQ(quorum_text(lab.cluster->monitors()), "abc");
}

TEST(Monitors, DisallowedNeverLeads) {
  Lab lab;
  lab.config.disallowed_leaders = {"a"};
  lab.start();
  EXPECT_EQ(lab.cluster->monitors().name(*lab.cluster->monitors().leader()), "b");
  lab.run(100s);
  lab.cluster->kill_mon("b");
  lab.run(1min);
  EXPECT_EQ(lab.cluster->monitors().name(*lab.cluster->monitors().leader()), "c");
}

TEST(Monitors, ClockAheadServesNoReadsAndCallsNoElection) {
  Lab lab;
  lab.start();
  lab.run(100s);
  const std::uint32_t epoch = lab.cluster->monitors().election_epoch();
  lab.cluster->set_clock_skew("c", 6s);
  EXPECT_FALSE(lab.cluster->monitors().serves_reads(2));
  EXPECT_TRUE(lab.cluster->monitors().serves_reads(1));
  lab.run(301s);
  EXPECT_EQ(lab.cluster->monitors().known_skews().size(), 1u);
  EXPECT_EQ(lab.cluster->monitors().election_epoch(), epoch);
  lab.cluster->set_clock_skew("c", 1s);
  EXPECT_TRUE(lab.cluster->monitors().serves_reads(2));
}

TEST(Monitors, CutOffPeonServesReadsUntilItsLeaseEnds) {
  Lab lab;
  lab.start();
  lab.run(100s);
  lab.hosts.set_partition(lab.ids[2], 1);
  EXPECT_TRUE(lab.cluster->monitors().serves_reads(2));
  const auto took = lab.until([&] { return !lab.cluster->monitors().serves_reads(2); }, 20s);
  ASSERT_TRUE(took);
  EXPECT_FALSE(lab.cluster->monitors().serves_reads(2));
}

TEST(Managers, StandbyTakesOver) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Lab lab({.seed = seed});
    lab.config.mon.mgr_modules = {10s, 0.0};
    lab.start();
    lab.run(1000s);
    EXPECT_EQ(lab.cluster->managers().active(), 0u);
    lab.cluster->kill_mgr("x");
    EXPECT_FALSE(lab.cluster->managers().is_available());
    const auto dropped = lab.until([&] { return lab.cluster->managers().active() == 1u; }, 2min);
    ASSERT_TRUE(dropped);
    EXPECT_GE(*dropped, 28s);  // last beacon up to 2 s ago, grace 30 s, tick 5 s
    EXPECT_LE(*dropped, 35s);
    EXPECT_FALSE(lab.cluster->managers().is_available());
    const auto served = lab.until([&] { return lab.cluster->managers().is_available(); }, 2min);
    ASSERT_TRUE(served);
    EXPECT_EQ(*served, 10s);
  }
}

TEST(Managers, WithoutOneStatisticsStandStill) {
  Lab lab({.hosts = 5, .mgrs = 1});
  lab.start();
  lab.run(100s);
  lab.cluster->kill_mgr("x");
  lab.hosts.crash(lab.ids[4]);
  lab.run(5min);
  const Pg& hit = lab.cluster->pgs().pg(lab.cluster->pgs().pgs_of(8).front());
  EXPECT_NE(pg_state_name(hit.state), "active+clean");
  EXPECT_EQ(pg_state_name(lab.cluster->told_state(hit)), "active+clean");
  EXPECT_FALSE(lab.cluster->managers().active());
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));  // clients do not need it
  lab.cluster->start_mgr("x");
  lab.run(2min);
  EXPECT_EQ(lab.cluster->told_state(hit), hit.state);
}

}  // namespace
}  // namespace sim::ceph

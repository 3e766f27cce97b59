#include <gtest/gtest.h>

#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

TEST(OsdFailure, RefusedConnectionIsNoticedAtOnce) {
  Lab lab;
  lab.start();
  lab.run(1min);
  lab.cluster->kill_osd(3, Kill::kCrash, "killed");
  const auto down = lab.until([&] { return !lab.is_up(3); }, 60s);
  ASSERT_TRUE(down);
  EXPECT_LE(*down, 2100ms);
  EXPECT_TRUE(lab.cluster->osd(3).known_dead);
}

TEST(OsdFailure, RefusedConnectionWithoutTheOptionTakesTheGrace) {
  Lab lab;
  lab.config.osd.fast_fail_on_connection_refused = false;
  lab.start();
  lab.run(1min);
  lab.cluster->kill_osd(3, Kill::kCrash, "killed");
  const auto down = lab.until([&] { return !lab.is_up(3); }, 60s);
  ASSERT_TRUE(down);
  EXPECT_GE(*down, 20s);
}

TEST(OsdFailure, CleanStopIsToldToTheMonitors) {
  Lab lab;
  lab.start();
  lab.run(1min);
  lab.cluster->kill_osd(3, Kill::kStop, "its pod is deleted");
  const auto down = lab.until([&] { return !lab.is_up(3); }, 60s);
  ASSERT_TRUE(down);
  EXPECT_LE(*down, 1100ms);
}

TEST(OsdFailure, SilenceIsNoticedAfterTheGrace) {
  Lab lab;
  lab.start();
  lab.run(1min);
  lab.cluster->kill_osd(3, Kill::kSilent, "its pod is gone");
  const auto down = lab.until([&] { return !lab.is_up(3); }, 60s);
  ASSERT_TRUE(down);
  EXPECT_GE(*down, 20s);
  EXPECT_LE(*down, 33s);
}

TEST(OsdFailure, OneReportingHostIsNotEnough) {
  Lab lab({.hosts = 2, .osds_per_host = 3, .mons = 0});
  lab.topology.add(topology::ElementKind::kHost, "m");
  lab.hosts.add({.name = "m"});
  lab.config.hosts.push_back({.host = "m"});
  lab.config.mons = {{"a", "m"}};
  lab.config.pools[0].size = 2;
  lab.start();
  lab.run(1h);
  lab.hosts.crash(lab.ids[1]);
  const auto down = lab.until([&] { return !lab.is_up(5); }, 1h);
  ASSERT_TRUE(down);
  EXPECT_GE(*down, 600s);  // its last beacon was up to 300 s old
  EXPECT_LE(*down, 907s);
}

TEST(OsdFailure, NodownKeepsItUpInTheMap) {
  Lab lab;
  lab.start();
  lab.cluster->set_flag("nodown", true);
  lab.run(1min);
  lab.cluster->kill_osd(3, Kill::kCrash, "killed");
  lab.run(30min);
  EXPECT_TRUE(lab.is_up(3));
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  lab.cluster->set_flag("nodown", false);
  EXPECT_TRUE(lab.until([&] { return !lab.is_up(3); }, 60s));
}

TEST(OsdFailure, NoupKeepsItDown) {
  Lab lab;
  lab.start();
  lab.cluster->set_flag("noup", true);
  lab.run(1min);
  lab.cluster->kill_osd(3, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->start_osd(3);
  lab.run(5min);
  EXPECT_FALSE(lab.is_up(3));
  EXPECT_EQ(lab.cluster->osd(3).process, OsdProcess::kBooting);
  lab.cluster->set_flag("noup", false);
  EXPECT_TRUE(lab.until([&] { return lab.is_up(3); }, 10s));
}

TEST(OsdFailure, WronglyMarkedDownComesBackAndIsRememberedAsLaggy) {
  Lab lab;
  lab.start();
  lab.run(1min);
  lab.cluster->mark_down(3);
  EXPECT_TRUE(lab.until([&] { return !lab.is_up(3); }, 5s));
  EXPECT_TRUE(lab.until([&] { return lab.is_up(3); }, 5s));
  const Laggy& laggy = lab.cluster->osd(3).laggy;
  EXPECT_DOUBLE_EQ(laggy.probability, 0.3);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 5min)) << lab.all_states();
  // A new process is trusted more.
  lab.cluster->kill_osd(3, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->start_osd(3);
  EXPECT_TRUE(lab.until([&] { return lab.is_up(3); }, 5min));
  EXPECT_DOUBLE_EQ(laggy.probability, 0.21);
}

TEST(Laggy, GraceGrowsAndFades) {
  const OsdOptions options;
  Laggy laggy;
  EXPECT_EQ(laggy.grace_s(options, 0s), 0.0);
  laggy.was_alive(options, 100s);
  EXPECT_DOUBLE_EQ(laggy.interval_s, 30.0);
  EXPECT_DOUBLE_EQ(laggy.grace_s(options, 0s), 9.0);
  EXPECT_NEAR(laggy.grace_s(options, 1h), 4.5, 1e-12);
  laggy.was_alive(options, 1000s);  // at most 300 s
  EXPECT_DOUBLE_EQ(laggy.interval_s, 0.3 * 300 + 0.7 * 30.0);
  EXPECT_DOUBLE_EQ(laggy.probability, 0.3 + 0.7 * 0.3);
}

TEST(OsdFailure, ALaggyOsdIsGivenMoreTime) {
  // Marked down alive again and again, it is waited for longer than 20 s.
  Lab lab;
  lab.config.osd.max_markdown_count = 100;
  lab.start();
  for (int i = 0; i < 8; ++i) {
    lab.run(1min);
    lab.cluster->set_flag("noup", true);
    lab.run(2s);
    lab.cluster->mark_down(3);
    lab.run(100s);
    lab.cluster->set_flag("noup", false);
    lab.run(5s);
  }
  ASSERT_TRUE(lab.is_up(3));
  const double more = lab.cluster->osd(3).laggy.grace_s(lab.config.osd, 20s);
  ASSERT_GT(more, 40.0);
  lab.cluster->kill_osd(3, Kill::kSilent, "gone");
  const auto down = lab.until([&] { return !lab.is_up(3); }, 5min);
  ASSERT_TRUE(down);
  EXPECT_GE(*down, 60s);
  EXPECT_LE(*down, 33s + from_seconds(more));
}

TEST(OsdFailure, MarkedDownTooOftenItShutsDown) {
  Lab lab;
  lab.start();
  lab.run(1min);
  for (int i = 0; i < 6; ++i) {
    lab.cluster->mark_down(3);
    lab.run(20s);
  }
  EXPECT_FALSE(lab.is_up(3));
  EXPECT_EQ(lab.cluster->osd(3).process, OsdProcess::kStopped);
  EXPECT_EQ(lab.records("OsdFlapping"), 1u);
  lab.run(30min);
  EXPECT_FALSE(lab.is_up(3));
}

TEST(OsdFailure, LostClusterNetworkKeepsTheHostDown) {
  Lab lab({.hosts = 5, .osds_per_host = 2});
  lab.start();
  lab.run(1min);
  lab.cluster->cut_network("h4", Plane::kCluster, true);
  ASSERT_TRUE(lab.until([&] { return !lab.is_up(8) && !lab.is_up(9); }, 60s));
  // It reaches the monitors and wants to come back, but hears too few of its peers.
  lab.run(5min);
  EXPECT_FALSE(lab.is_up(8));
  EXPECT_EQ(lab.cluster->osd(8).process, OsdProcess::kBooting);
  for (int osd = 0; osd < 8; ++osd) EXPECT_TRUE(lab.is_up(osd)) << osd;  // its own reports are of one host only
  lab.cluster->cut_network("h4", Plane::kCluster, false);
  EXPECT_TRUE(lab.until([&] { return lab.is_up(8) && lab.is_up(9) && lab.cluster->all_clean(); }, 10min)) << lab.all_states();
}

TEST(OsdFailure, StuckDisk) {
  Lab lab;
  lab.start();
  lab.run(1min);
  const SimTime stuck = lab.engine.now();
  lab.cluster->stick_disk(3);
  lab.run(0s);
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  ASSERT_TRUE(lab.until([&] { return !lab.is_up(3); }, 2min));
  EXPECT_GE(lab.engine.now() - stuck, 35s);  // pings are answered for 15 s, then the grace
  EXPECT_LE(lab.engine.now() - stuck, 48s);
  EXPECT_EQ(lab.cluster->osd(3).process, OsdProcess::kRunning);
  ASSERT_TRUE(lab.until([&] { return lab.cluster->osd(3).process == OsdProcess::kStopped; }, 5min));
  EXPECT_EQ(lab.engine.now() - stuck, 150s);
}

TEST(OsdFailure, FailedDiskIsReplacedAndFilled) {
  Lab lab({.hosts = 5, .osds_per_host = 2});
  lab.start();
  lab.run(1min);
  lab.cluster->fail_disk(3);
  ASSERT_TRUE(lab.until([&] { return !lab.is_up(3); }, 3s));
  lab.cluster->start_osd(3);
  lab.run(1h);
  EXPECT_FALSE(lab.is_up(3));
  EXPECT_FALSE(lab.is_in(3));
  EXPECT_TRUE(lab.cluster->all_clean()) << lab.all_states();
  EXPECT_EQ(lab.cluster->osd(3).pg_used, 0);
  lab.cluster->replace_disk(3);
  lab.cluster->start_osd(3);
  ASSERT_TRUE(lab.until([&] { return lab.is_up(3) && lab.is_in(3); }, 5min));
  ASSERT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 5h)) << lab.all_states();
  EXPECT_GT(lab.cluster->osd(3).pg_used, 0);
  EXPECT_EQ(lab.records("PgWritesLost"), 0u);
}

TEST(OsdFailure, InRatioStopsMarkingOut) {
  Lab lab({.hosts = 10, .osds_per_host = 1});
  lab.start();
  lab.run(1min);
  for (int host = 4; host < 9; ++host) lab.hosts.crash(lab.ids[static_cast<std::size_t>(host)]);
  lab.run(2h);
  // 10 in, 0.75 of them may be undercut by the last one that is let go: 7 stay.
  EXPECT_EQ(lab.cluster->osd_monitor().in_count(), 7u);
  EXPECT_EQ(lab.cluster->osd_monitor().up_count(), 5u);
}

TEST(OsdFailure, OutByHandStaysOutAutoOutComesBackIn) {
  Lab lab({.hosts = 6, .osds_per_host = 2});
  lab.start();
  lab.run(1min);
  lab.cluster->mark_out(3);
  lab.run(10s);
  lab.cluster->kill_osd(3, Kill::kCrash, "killed");
  lab.cluster->kill_osd(5, Kill::kCrash, "killed");
  lab.run(15min);
  EXPECT_FALSE(lab.is_in(5));
  lab.cluster->start_osd(3);
  lab.cluster->start_osd(5);
  lab.run(5min);
  EXPECT_TRUE(lab.is_up(3) && lab.is_up(5));
  EXPECT_FALSE(lab.is_in(3));
  EXPECT_TRUE(lab.is_in(5));
}

TEST(OsdFailure, NobodyIsMarkedDownBelowTheUpRatio) {
  Lab lab({.hosts = 10, .osds_per_host = 1});
  lab.start();
  lab.run(1min);
  for (int host = 3; host < 10; ++host) lab.hosts.crash(lab.ids[static_cast<std::size_t>(host)]);
  lab.run(5min);
  // 3 of 10 still answer; the ratio is looked at before each one, so the seventh goes too.
  EXPECT_EQ(lab.cluster->osd_monitor().up_count(), 3u);
}

}  // namespace
}  // namespace sim::ceph

#include <gtest/gtest.h>

#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

TEST(CephCluster, HealthyClusterCostsNothing) {
  Lab lab;
  lab.start();
  lab.run(1s);
  const std::uint64_t at_start = lab.engine.stats().executed;
  EXPECT_LE(at_start, 2u);  // pools serve; shares of the disks
  lab.run(30 * 24h);
  EXPECT_TRUE(lab.cluster->all_clean()) << lab.all_states();
  EXPECT_EQ(lab.engine.stats().executed, at_start);
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));
}

TEST(CephCluster, NodeCrashAgainstDocumentedDefaults) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Lab lab({.hosts = 6, .osds_per_host = 2, .seed = seed});
    lab.start();
    lab.run(1h);
    const SimTime crash = lab.engine.now();
    lab.hosts.crash(lab.ids[4]);  // neither monitor nor manager
    lab.run(0s);
    EXPECT_FALSE(lab.cluster->pool_available("rbd"));  // writes need every member
    EXPECT_EQ(lab.count("active+clean"), 32u);         // and nobody has noticed
    const auto down = lab.until([&] { return !lab.is_up(8); }, 60s);
    ASSERT_TRUE(down);
    // Ping age 0 to 6 s, grace 20 s, turn of the report 0 to 5 s, proposal 0.05 to 1 s.
    EXPECT_GE(*down, 20s);
    EXPECT_LE(*down, 33s);
    const auto served = lab.until([&] { return lab.cluster->pool_available("rbd"); }, 60s);
    ASSERT_TRUE(served) << lab.all_states();
    EXPECT_LE(lab.engine.now() - crash, 45s);
    EXPECT_EQ(lab.count_with(kPgActive), 32u);
    EXPECT_GT(lab.count("active+undersized+degraded"), 0u) << lab.all_states();
    const auto out = lab.until([&] { return !lab.is_in(8); }, 700s);
    ASSERT_TRUE(out);
    EXPECT_GE(lab.engine.now() - (crash + *down), 600s);
    EXPECT_LE(lab.engine.now() - (crash + *down), 606s + 1s);  // a tick is 5 s, the proposal 1 s
    EXPECT_EQ(lab.chain_of("OsdOut"), "OsdOut < OsdDown < OsdStopped < HostCrashed");
    const auto clean = lab.until([&] { return lab.cluster->all_clean(); }, 24h);
    EXPECT_TRUE(clean) << lab.all_states();
    EXPECT_EQ(lab.chain_of("PoolIoBlocked").substr(0, 13), "PoolIoBlocked");
  }
}

TEST(CephCluster, ChainFromInactivePgsBackToTheCrash) {
  Lab lab({.hosts = 3, .osds_per_host = 2});
  lab.config.mons = {{"a", "h0"}, {"b", "h1"}, {"c", "h2"}};
  lab.start();
  lab.run(1min);
  lab.hosts.crash(lab.ids[0]);
  lab.run(2min);
  EXPECT_EQ(lab.count("active+undersized+degraded"), 32u) << lab.all_states();
  lab.hosts.crash(lab.ids[1]);
  lab.run(10min);
  // One of three monitors: nothing can be marked down, so the PGs stay as they were and answer nothing.
  EXPECT_FALSE(lab.cluster->has_quorum());
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  EXPECT_EQ(lab.chain_of("MonQuorumLost"), "MonQuorumLost < MonStopped < HostCrashed");
  EXPECT_EQ(lab.chain_of("PoolIoBlocked"), "PoolIoBlocked < OsdStopped < HostCrashed");
  lab.hosts.power_on(lab.ids[0]);
  lab.hosts.power_on(lab.ids[1]);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 2h)) << lab.all_states();
  EXPECT_TRUE(lab.cluster->has_quorum());
}

TEST(CephCluster, TwoOfThreeCopiesGoneStopsIo) {
  Lab lab({.hosts = 3, .osds_per_host = 2, .mons = 0});
  // Monitors elsewhere: only the OSDs are hit.
  for (int i = 0; i < 3; ++i) {
    const std::string name = fmt::format("m{}", i);
    lab.topology.add(topology::ElementKind::kHost, name);
    lab.hosts.add({.name = name});
    lab.config.hosts.push_back({.host = name});
    lab.config.mons.push_back({std::string(1, static_cast<char>('a' + i)), name});
  }
  lab.start();
  lab.run(1min);
  lab.hosts.crash(lab.ids[0]);
  lab.run(1min);
  lab.hosts.crash(lab.ids[1]);
  lab.run(20min);
  // Reports of one host alone do not mark anybody down; the missing beacons do, after 900 s.
  EXPECT_EQ(lab.count("undersized+degraded+peered"), 32u) << lab.all_states();
  EXPECT_FALSE(lab.cluster->pg_active("rbd", 0));
  EXPECT_EQ(lab.chain_of("PgInactive"), "PgInactive < OsdDown < OsdStopped < HostCrashed");
  lab.hosts.power_on(lab.ids[1]);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->pool_available("rbd"); }, 1h)) << lab.all_states();
}

TEST(CephCluster, NooutKeepsDataInPlaceOverAReboot) {
  Lab lab({.hosts = 6, .osds_per_host = 2});
  lab.start();
  lab.run(1min);
  ASSERT_TRUE(lab.cluster->set_flag("noout", true));
  EXPECT_FALSE(lab.cluster->set_flag("nosuchflag", true));
  lab.run(5s);
  lab.hosts.crash(lab.ids[5]);
  lab.run(1h);
  EXPECT_FALSE(lab.is_up(10));
  EXPECT_TRUE(lab.is_in(10));
  EXPECT_EQ(lab.cluster->recovery().running(), 0u);
  lab.hosts.power_on(lab.ids[5]);
  EXPECT_TRUE(lab.until([&] { return lab.is_up(10) && lab.is_up(11) && lab.cluster->all_clean(); }, 2h)) << lab.all_states();
  EXPECT_EQ(lab.records("OsdOut"), 0u);
  // An hour of writes went to the log and came back from it.
  lab.cluster->set_flag("noout", false);
  lab.hosts.crash(lab.ids[5]);
  const auto out = lab.until([&] { return !lab.is_in(10); }, 15min);
  EXPECT_TRUE(out);
}

TEST(CephCluster, NooutTakenBackLateOutFollowsAtOnce) {
  Lab lab({.hosts = 6, .osds_per_host = 2});
  lab.start();
  lab.cluster->set_flag("noout", true);
  lab.run(1min);
  lab.hosts.crash(lab.ids[5]);
  lab.run(30min);
  lab.cluster->set_flag("noout", false);
  const auto out = lab.until([&] { return !lab.is_in(10) && !lab.is_in(11); }, 1min);
  ASSERT_TRUE(out);
  EXPECT_LE(*out, 8s);  // two proposals and a tick
}

TEST(CephCluster, WholeRackIsNotMarkedOut) {
  Lab lab({.hosts = 8, .osds_per_host = 2, .racks = 4});
  lab.config.pools[0].failure_domain = "rack";
  lab.start();
  lab.run(1min);
  lab.topology.fail(lab.topology.find("rack3"), topology::Aspect::kPower);
  lab.run(3h);
  EXPECT_FALSE(lab.is_up(6));
  EXPECT_TRUE(lab.is_in(6));
  EXPECT_EQ(lab.count_with(kPgActive), 32u) << lab.all_states();
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));
  lab.topology.restore(lab.topology.find("rack3"), topology::Aspect::kPower);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 2h)) << lab.all_states();
}

TEST(CephCluster, RackLossStopsAPoolThatSpreadsOverHostsOnly) {
  std::uint32_t host_blocked = 0;
  std::uint32_t rack_blocked = 0;
  for (const char* domain : {"host", "rack"}) {
    Lab lab({.hosts = 9, .osds_per_host = 2, .racks = 3});
    lab.config.pools[0].failure_domain = domain;
    lab.config.pools[0].pg_num = 128;
    lab.config.mons = {{"a", "h0"}, {"b", "h1"}, {"c", "h2"}};
    lab.start();
    lab.run(1min);
    lab.topology.fail(lab.topology.find("rack2"), topology::Aspect::kPower);
    lab.run(5min);
    EXPECT_TRUE(lab.cluster->has_quorum());
    (std::string_view(domain) == "host" ? host_blocked : rack_blocked) = lab.cluster->pgs().pools()[0].blocked;
  }
  EXPECT_EQ(rack_blocked, 0u);
  EXPECT_GT(host_blocked, 10u);  // two or three copies in one rack: 3 hosts of 9
  EXPECT_LT(host_blocked, 60u);
}

TEST(CephCluster, FullOsdStopsWritesOfItsPools) {
  Lab lab;
  lab.config.osds[2].device_class = "ssd";
  PoolConfig ssd = lab.config.pools[0];
  ssd.name = "fast";
  ssd.size = 1;
  ssd.device_class = "ssd";
  lab.config.pools.push_back(ssd);
  lab.start();
  lab.run(1min);
  const auto capacity = static_cast<double>(lab.cluster->osd(0).capacity);
  lab.cluster->fill_disk(0, static_cast<std::int64_t>(0.86 * capacity));
  lab.run(5s);
  EXPECT_EQ(lab.cluster->osd(0).fullness, Fullness::kNearfull);
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));
  lab.cluster->fill_disk(0, static_cast<std::int64_t>(0.951 * capacity));
  lab.run(5s);
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));  // any class: every PG of it, not only those of osd.0
  EXPECT_EQ(lab.cluster->pgs().pools()[0].blocked, 32u);
  EXPECT_TRUE(lab.cluster->pg_active("rbd", 0));  // active, and takes no writes
  EXPECT_FALSE(lab.cluster->pgs().pools()[1].full);
  EXPECT_EQ(lab.chain_of("PoolFull"), "PoolFull < OsdFull < OsdDiskFilled");
  lab.cluster->fill_disk(0, 0);
  lab.run(5s);
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));
}

TEST(CephCluster, VolumesHangWithTheirPgs) {
  Lab lab({.hosts = 6, .osds_per_host = 2});
  lab.config.pools[0].pg_num = 128;
  lab.start();
  const Volume big{.pool = "rbd", .image_id = "abc123", .bytes = 20ll << 30};
  const Volume small{.pool = "rbd", .image_id = "def456", .bytes = 4ll << 20};
  EXPECT_EQ(lab.cluster->pgs_of(big).size(), 128u);  // 5120 objects
  EXPECT_EQ(lab.cluster->pgs_of(small).size(), 1u);
  EXPECT_TRUE(lab.cluster->volume_serves(big));
  std::uint32_t stopped = 0;
  lab.cluster->on_io([&](const Pg&, bool serves) { stopped += serves ? 0 : 1; });
  lab.hosts.crash(lab.ids[5]);
  lab.run(1s);
  EXPECT_FALSE(lab.cluster->volume_serves(big));
  EXPECT_EQ(stopped, lab.cluster->pgs().pools()[0].blocked);
  EXPECT_GT(stopped, 30u);  // half of the PGs have a copy there
  EXPECT_LT(stopped, 100u);
  lab.run(1min);
  EXPECT_TRUE(lab.cluster->volume_serves(big));
  EXPECT_TRUE(lab.cluster->volume_serves(big, lab.ids[0]));
  lab.hosts.set_partition(lab.ids[3], 7);
  EXPECT_FALSE(lab.cluster->volume_serves(big, lab.ids[3]));
}

TEST(CephCluster, SameSeedSameLog) {
  std::string hashes[2];
  for (std::string& hash : hashes) {
    Lab lab({.hosts = 5, .osds_per_host = 3, .seed = 7});
    lab.start();
    lab.run(1min);
    lab.hosts.reboot(lab.ids[2]);
    lab.run(10min);
    lab.cluster->fail_disk(1);
    lab.run(1h);
    hash = event_log_hash(lab.engine, lab.log);
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST(CephCluster, ProblemsOfAConfiguration) {
  Lab lab;
  lab.config.mons[0].host = "nowhere";
  lab.config.pools[0].failure_domain = "row";
  lab.config.pools[0].device_class = "nvme";
  lab.config.pools[0].min_size = 4;
  lab.config.osd.down_out_subtree_limit = "room";
  const std::vector<std::string> found = CephCluster::problems(lab.config, lab.hosts);
  EXPECT_EQ(found, (std::vector<std::string>{"mon.a is on host 'nowhere', which is not in the list of hosts", "pool 'rbd': min_size 4 is not within 1 and 3",
                                             "pool 'rbd': failure domain 'row' is not osd, host or rack", "pool 'rbd': no OSD has the device class 'nvme'",
                                             "mon_osd_down_out_subtree_limit 'room' is not host, rack, root or empty"}));
}

}  // namespace
}  // namespace sim::ceph

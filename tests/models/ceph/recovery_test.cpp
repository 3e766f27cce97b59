#include <gtest/gtest.h>

#include "sim/models/ceph/client_traffic.hpp"
#include "sim/models/network/network.hpp"
#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

TEST(Reserver, MostUrgentFirstThenInOrder) {
  Reserver slots;
  slots.request(1, 100, 1);
  slots.request(2, 180, 2);
  slots.request(3, 180, 3);
  std::uint32_t pg = 0;
  ASSERT_TRUE(slots.grant(1, pg));
  EXPECT_EQ(pg, 2u);
  EXPECT_FALSE(slots.grant(1, pg));
  slots.cancel(2);
  ASSERT_TRUE(slots.grant(1, pg));
  EXPECT_EQ(pg, 3u);
  slots.cancel(1);  // leaves the queue
  slots.cancel(3);
  EXPECT_FALSE(slots.grant(1, pg));
}

TEST(Recovery, ShortOutageComesFromTheLogLongOneByBackfill) {
  for (const bool is_long : {false, true}) {
    Lab lab({.hosts = 6, .osds_per_host = 1});
    lab.config.osd.down_out_interval = 0s;  // never out
    lab.start();
    lab.run(1min);
    lab.cluster->kill_osd(5, Kill::kCrash, "killed");
    lab.run(is_long ? 2 * 3600s : 120s);  // 3.1 writes a second and PG: 375, or 22,500, of at most 10,000 entries
    bool backfilled = false;
    bool recovered = false;
    lab.cluster->on_pg_state([&](const Pg& pg, std::uint32_t) {
      backfilled = backfilled || (pg.state & kPgBackfilling) != 0;
      recovered = recovered || (pg.state & kPgRecovering) != 0;
    });
    lab.cluster->start_osd(5);
    ASSERT_TRUE(lab.until([&] { return lab.is_up(5) && lab.cluster->all_clean(); }, 10h)) << lab.all_states();
    EXPECT_EQ(backfilled, is_long);
    EXPECT_EQ(recovered, !is_long);
  }
}

TEST(Recovery, BackfillTakesBytesOverBandwidth) {
  // One OSD's data, one target at a time: every PG of it moves at the speed of a disk's share.
  Lab lab({.hosts = 4, .osds_per_host = 1});
  lab.config.pools[0].size = 2;
  lab.config.pools[0].pg_num = 1;
  lab.config.pools[0].stored_bytes = 150ll << 30;
  lab.config.pools[0].writes_per_second = 0.0;
  lab.config.osd.peering = {};
  lab.start();
  lab.run(1min);
  const int gone = lab.cluster->pgs().pg(0).acting[1];
  lab.cluster->kill_osd(gone, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->mark_out(gone);
  ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 1min)) << lab.all_states();
  EXPECT_EQ(lab.count("active+undersized+degraded+remapped+backfilling"), 1u) << lab.all_states();
  const auto took = lab.until([&] { return lab.count_with(kPgBackfilling) == 0; }, 2h);
  ASSERT_TRUE(took);
  EXPECT_NEAR(seconds(*took), 1024.0, 1.0);  // 150 GiB at 150 MiB/s: idle disks, no clients
}

// Cards of 100 MiB/s. Clients write 30 MiB/s, two copies: on three OSDs 20 MiB/s come in at each and 10 go out. Recovery has the rest of the target's card: 150 GiB at 80 MiB/s.
TEST(Recovery, LeavesClientsTheirPartOfTheCards) {
  for (const double clients : {0.0, 30.0}) {
    constexpr double kMiB = 1024.0 * 1024;
    Lab lab({.hosts = 0, .osds_per_host = 0, .mons = 0, .mgrs = 0});
    for (int h = 0; h < 4; ++h) {
      const std::string name = fmt::format("h{}", h);
      lab.topology.add(topology::ElementKind::kHost, name);
      lab.ids.push_back(lab.hosts.add({.name = name, .nic_bits_per_second = 800 * kMiB}));
      lab.config.hosts.push_back({.host = name});
      lab.config.osds.push_back({.host = name, .bandwidth = 1e9});
      if (h < 3) lab.config.mons.push_back({std::string(1, static_cast<char>('a' + h)), name});
    }
    lab.config.mgrs.push_back({"x", "h0"});
    lab.config.pools[0].size = 2;
    lab.config.pools[0].pg_num = 1;
    lab.config.pools[0].stored_bytes = 150ll << 30;
    lab.config.pools[0].writes_per_second = 0.0;
    lab.config.pools[0].client_bytes_per_second = clients * kMiB;
    lab.config.osd.peering = {};
    lab.start();
    network::Network network(lab.engine, lab.hosts, lab.topology, {});
    lab.cluster->recovery().share(network);
    carry_clients(*lab.cluster, network, lab.engine);
    lab.run(1min);
    EXPECT_NEAR(network.standing(lab.ids[0], network::Network::Way::kIn), 2 * clients / 4 * kMiB, 1.0);
    EXPECT_NEAR(network.standing(lab.ids[0], network::Network::Way::kOut), clients / 4 * kMiB, 1.0);
    const int gone = lab.cluster->pgs().pg(0).acting[1];
    lab.cluster->kill_osd(gone, Kill::kCrash, "killed");
    lab.run(5s);
    lab.cluster->mark_out(gone);
    ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 1min)) << lab.all_states();
    EXPECT_EQ(network.standing(lab.ids[static_cast<std::size_t>(gone)], network::Network::Way::kIn), 0.0) << "it is down";
    const auto took = lab.until([&] { return lab.count_with(kPgBackfilling) == 0; }, 2h);
    ASSERT_TRUE(took);
    EXPECT_NEAR(seconds(*took), 150.0 * 1024 / (100.0 - 2 * clients / 3), 2.0);
  }
}

TEST(Recovery, SharesTheNetworkWithWhateverElseCrossesIt) {
  Lab lab({.hosts = 4, .osds_per_host = 1});
  lab.config.pools[0].size = 2;
  lab.config.pools[0].pg_num = 1;
  lab.config.pools[0].stored_bytes = 150ll << 30;
  lab.config.pools[0].writes_per_second = 0.0;
  lab.config.osd.peering = {};
  lab.start();
  network::Network network(lab.engine, lab.hosts, lab.topology, {});
  lab.cluster->recovery().share(network);
  lab.run(1min);
  // 99 transfers into each host that never end: 10 Gbit/s in 100 equal parts.
  for (const host::HostId host : lab.ids) {
    network::Network::Links links;
    network.add_path_from_outside(host, links);
    for (int i = 0; i < 99; ++i) network.bandwidth().start(links, 1e15, [] {});
  }
  const int gone = lab.cluster->pgs().pg(0).acting[1];
  lab.cluster->kill_osd(gone, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->mark_out(gone);
  ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 1min)) << lab.all_states();
  const auto took = lab.until([&] { return lab.count_with(kPgBackfilling) == 0; }, 10h);
  ASSERT_TRUE(took);
  EXPECT_NEAR(seconds(*took), static_cast<double>(150ll << 30) / 12.5e6, 2.0);  // 1024 s when it has the network to itself
}

TEST(Recovery, ClientsTakeTheirShare) {
  Lab lab({.hosts = 4, .osds_per_host = 1});
  lab.config.pools[0].size = 2;
  lab.config.pools[0].pg_num = 1;
  lab.config.pools[0].stored_bytes = 150ll << 30;
  lab.config.pools[0].client_bytes_per_second = 1e9;  // more than the disks have
  lab.config.osd.peering = {};
  lab.start();
  lab.run(1min);
  const int gone = lab.cluster->pgs().pg(0).acting[1];
  lab.cluster->kill_osd(gone, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->mark_out(gone);
  ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 1min));
  const auto took = lab.until([&] { return lab.count_with(kPgBackfilling) == 0; }, 2h);
  ASSERT_TRUE(took);
  EXPECT_NEAR(seconds(*took), 2048.0, 1.0);  // the balanced profile keeps half for recovery
}

TEST(Recovery, FailureDuringABackfillKeepsWhatWasCopied) {
  Lab lab({.hosts = 4, .osds_per_host = 1});
  lab.config.pools[0].size = 2;
  lab.config.pools[0].pg_num = 1;
  lab.config.pools[0].stored_bytes = 150ll << 30;
  lab.config.pools[0].writes_per_second = 0.0;
  lab.start();
  lab.run(1min);
  const int gone = lab.cluster->pgs().pg(0).acting[1];
  lab.cluster->kill_osd(gone, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->mark_out(gone);
  ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 1min));
  const int target = lab.cluster->pgs().pg(0).backfill.at(0);
  lab.run(500s);
  lab.cluster->kill_osd(target, Kill::kCrash, "killed");
  lab.run(10s);
  lab.cluster->start_osd(target);
  ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 2min)) << lab.all_states();
  const auto took = lab.until([&] { return lab.cluster->all_clean(); }, 2h);
  ASSERT_TRUE(took);
  EXPECT_NEAR(seconds(*took), 1024.0 - 500.0, 15.0);
}

TEST(Recovery, TargetTooFull) {
  Lab lab({.hosts = 3, .osds_per_host = 1});
  lab.config.pools[0].size = 2;
  lab.start();
  lab.run(1min);
  lab.cluster->fill_disk(2, static_cast<std::int64_t>(0.9 * static_cast<double>(lab.cluster->osd(2).capacity)));
  lab.cluster->kill_osd(1, Kill::kCrash, "killed");
  lab.run(5s);
  lab.cluster->mark_out(1);
  lab.run(2min);
  EXPECT_GT(lab.count("active+undersized+degraded+remapped+backfill_wait+backfill_toofull"), 0u) << lab.all_states();
  lab.cluster->fill_disk(2, 0);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 2h)) << lab.all_states();
}

TEST(Recovery, FlagsHoldIt) {
  Lab lab({.hosts = 6, .osds_per_host = 1});
  lab.start();
  lab.run(1min);
  lab.cluster->set_flag("norebalance", true);
  lab.run(5s);
  lab.cluster->mark_out(5);  // it is up: its PGs move, and none is degraded
  lab.run(5min);
  EXPECT_GT(lab.count("active+remapped+backfill_wait"), 0u) << lab.all_states();
  EXPECT_EQ(lab.count_with(kPgBackfilling), 0u);
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));
  lab.cluster->set_flag("norebalance", false);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 5h)) << lab.all_states();
  EXPECT_EQ(lab.cluster->osd(5).pg_used, 0);
}

}  // namespace
}  // namespace sim::ceph

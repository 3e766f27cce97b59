#include "sim/models/ceph/views/views.hpp"

#include <gtest/gtest.h>

#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

std::string codes(const CephCluster& cluster) {
  std::string text;
  for (const HealthCheck& check : health_checks(cluster)) text += (text.empty() ? "" : " ") + check.code;
  return text;
}

TEST(CephViews, Healthy) {
  Lab lab;
  lab.start();
  lab.run(10min);
  EXPECT_EQ(health_text(*lab.cluster, true), "HEALTH_OK\n");
  EXPECT_EQ(status_text(*lab.cluster),
            "  cluster:\n"
            "    id:     00000000-0000-0000-0000-000000000000\n"
            "    health: HEALTH_OK\n"
            " \n"
            "  services:\n"
            "    mon: 3 daemons, quorum a,b,c (age 10m)\n"
            "    mgr: x(active, since 10m), standbys: y\n"
            "    osd: 8 osds: 8 up (since 10m), 8 in (since 10m)\n"
            " \n"
            "  data:\n"
            "    pools:   1 pools, 32 pgs\n"
            "    objects: 25.60k objects, 100 GiB\n"
            "    usage:   300 GiB used, 29 TiB / 29 TiB avail\n"
            "    pgs:     32 active+clean\n"
            " \n");
  EXPECT_EQ(mgr_stat_json(*lab.cluster), "{\"available\":true,\"active_name\":\"x\",\"num_standby\":1}");
  EXPECT_EQ(mon_stat_text(*lab.cluster), "e1: 3 mons at {a,b,c}, election epoch 2, leader 0 a, quorum 0,1,2 a,b,c\n");
  EXPECT_EQ(pg_stat_text(*lab.cluster), "32 pgs: 32 active+clean; 100 GiB data, 300 GiB used, 29 TiB / 29 TiB avail\n");
  const std::string tree = osd_tree_text(*lab.cluster);
  EXPECT_EQ(tree.substr(0, tree.find("-3")),
            "ID  CLASS  WEIGHT    TYPE NAME      STATUS  REWEIGHT  PRI-AFF\n"
            "-1         29.10376  root default                            \n"
            "-2          7.27594      host h0                             \n"
            " 0    hdd   3.63797          osd.0      up   1.00000  1.00000\n"
            " 1    hdd   3.63797          osd.1      up   1.00000  1.00000\n") << tree;
  EXPECT_EQ(osd_stat_text(*lab.cluster), "8 osds: 8 up (since 10m), 8 in (since 10m); epoch: e1\n");
  EXPECT_EQ(mon_stat_json(*lab.cluster), "{\"epoch\":1,\"num_mons\":3,\"leader\":\"a\",\"quorum\":[{\"rank\":0,\"name\":\"a\"},{\"rank\":1,\"name\":\"b\"},{\"rank\":2,\"name\":\"c\"}]}");
}

TEST(CephViews, HostDown) {
  Lab lab({.hosts = 5, .racks = 5});
  lab.start();
  lab.run(10min);
  lab.hosts.crash(lab.ids[4]);
  lab.run(50s);
  EXPECT_EQ(codes(*lab.cluster), "OSD_DOWN OSD_HOST_DOWN OSD_RACK_DOWN PG_DEGRADED") << health_text(*lab.cluster, true);
  const std::string text = health_text(*lab.cluster, true);
  EXPECT_NE(text.find("[WRN] OSD_DOWN: 2 osds down\n    osd.8 (root=default,rack=rack4,host=h4) is down\n    osd.9 (root=default,rack=rack4,host=h4) is down\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[WRN] OSD_HOST_DOWN: 1 host (2 osds) down\n    host h4 (root=default,rack=rack4) (2 osds) is down\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Degraded data redundancy: "), std::string::npos);
  EXPECT_EQ(text.find("stuck undersized"), std::string::npos);
  lab.run(1min);
  // A PG counts for both words, and is told once: as what it is stuck in.
  const std::string later = health_text(*lab.cluster, true);
  const std::size_t told = later.find("is stuck undersized for ");
  ASSERT_NE(told, std::string::npos) << later;
  EXPECT_EQ(later.find(" is active+undersized+degraded, acting"), std::string::npos) << later;
  const std::string pgs = fmt::format("{} pgs degraded, {} pgs undersized\n", lab.count("active+undersized+degraded"), lab.count("active+undersized+degraded"));
  EXPECT_NE(later.find(pgs), std::string::npos) << later;
  EXPECT_NE(health_json(*lab.cluster, false).find(fmt::format("\"count\":{}}},\"muted\":false}}}}", 2 * lab.count("active+undersized+degraded"))), std::string::npos)
      << health_json(*lab.cluster, false);
  EXPECT_NE(status_text(*lab.cluster).find("objects degraded ("), std::string::npos) << status_text(*lab.cluster);
  EXPECT_NE(osd_tree_text(*lab.cluster).find("osd.8    down   1.00000  1.00000\n"), std::string::npos) << osd_tree_text(*lab.cluster);
}

TEST(CephViews, MonitorManagerAndFlags) {
  Lab lab({.mgrs = 1});
  lab.start();
  lab.run(10min);
  lab.cluster->kill_mon("c");
  lab.cluster->kill_mgr("x");
  lab.cluster->set_flag("noout", true);
  lab.cluster->set_flag("pause", true);
  lab.run(61s);
  EXPECT_EQ(codes(*lab.cluster), "MGR_DOWN MON_DOWN OSDMAP_FLAGS SLOW_OPS") << health_text(*lab.cluster, true);
  EXPECT_EQ(overall(health_checks(*lab.cluster)), HealthSeverity::kWarn);
  const std::string text = health_text(*lab.cluster, true);
  EXPECT_NE(text.find("[WRN] MON_DOWN: 1/3 mons down, quorum a,b\n    mon.c (rank 2) is down (out of quorum)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[WRN] OSDMAP_FLAGS: pauserd,pausewr,noout flag(s) set\n"), std::string::npos) << text;
  EXPECT_NE(status_text(*lab.cluster).find(" in (since 11m)\n         flags pauserd,pausewr,noout\n \n  data:\n"), std::string::npos) << status_text(*lab.cluster);
  EXPECT_NE(status_text(*lab.cluster).find("quorum a,b (age "), std::string::npos);
  EXPECT_NE(status_text(*lab.cluster).find(", out of quorum: c\n"), std::string::npos);
  lab.run(2min);
  EXPECT_EQ(overall(health_checks(*lab.cluster)), HealthSeverity::kErr);  // no active mgr for a minute
}

TEST(CephViews, InactivePgsAreAWarningOnly) {
  Lab lab({.hosts = 6, .osds_per_host = 1});
  lab.config.mons = {{"a", "h0"}, {"b", "h1"}, {"c", "h2"}};
  lab.start();
  lab.run(10min);
  lab.hosts.crash(lab.ids[4]);
  lab.hosts.crash(lab.ids[5]);
  lab.run(3min);
  const std::string text = health_text(*lab.cluster, true);
  EXPECT_NE(text.find("[WRN] PG_AVAILABILITY: Reduced data availability: "), std::string::npos) << text;
  EXPECT_NE(text.find("is stuck inactive for 2m, current state undersized+degraded+peered, last acting ["), std::string::npos) << text;
  EXPECT_NE(text.find("SLOW_OPS"), std::string::npos) << text;
  EXPECT_EQ(overall(health_checks(*lab.cluster)), HealthSeverity::kWarn);
  const std::string json = health_json(*lab.cluster, true);
  EXPECT_EQ(json.substr(0, 46), "{\"status\":\"HEALTH_WARN\",\"checks\":{\"OSD_DOWN\":{") << json;
}

TEST(CephViews, FullIsAnError) {
  Lab lab;
  lab.start();
  lab.cluster->fill_disk(0, static_cast<std::int64_t>(0.96 * static_cast<double>(lab.cluster->osd(0).capacity)));
  lab.cluster->fill_disk(1, static_cast<std::int64_t>(0.86 * static_cast<double>(lab.cluster->osd(1).capacity)));
  lab.run(10s);
  EXPECT_EQ(codes(*lab.cluster), "OSD_FULL OSD_NEARFULL POOL_FULL");  // of a pool the fullest OSD alone counts
  const std::string text = health_text(*lab.cluster, true);
  EXPECT_NE(text.find("[ERR] OSD_FULL: 1 full osd(s)\n    osd.0 is full\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[WRN] OSD_NEARFULL: 1 nearfull osd(s)\n    osd.1 is near full\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[WRN] POOL_FULL: 1 pool(s) full\n    pool 'rbd' is full (no space)\n"), std::string::npos) << text;
  lab.cluster->fill_disk(0, 0);
  lab.run(10s);
  EXPECT_NE(health_text(*lab.cluster, true).find("[WRN] POOL_NEARFULL: 1 pool(s) nearfull\n    pool 'rbd' is nearfull\n"), std::string::npos);
}

// As a cluster of Ceph 16.2.15 printed its columns and lines.
TEST(CephViews, Tables) {
  Lab lab({.hosts = 3, .osds_per_host = 1, .racks = 3});
  lab.config.pools[0].pg_num = 2;
  lab.config.pools[0].stored_bytes = 1ll << 30;
  for (OsdConfig& osd : lab.config.osds) osd.capacity_bytes = 8ll << 30;
  lab.start();
  lab.cluster->fill_disk(0, 1ll << 30);
  lab.run(30min);
  EXPECT_EQ(osd_df_text(*lab.cluster),
            "ID  CLASS  WEIGHT   REWEIGHT  SIZE    RAW USE  DATA   OMAP  META  AVAIL   %USE   VAR   PGS  STATUS\n"
            " 0    hdd  0.00781   1.00000   8 GiB    2 GiB  1 GiB   0 B   0 B   6 GiB  25.00  1.50    2      up\n"
            " 1    hdd  0.00781   1.00000   8 GiB    1 GiB  1 GiB   0 B   0 B   7 GiB  12.50  0.75    2      up\n"
            " 2    hdd  0.00781   1.00000   8 GiB    1 GiB  1 GiB   0 B   0 B   7 GiB  12.50  0.75    2      up\n"
            "                       TOTAL  24 GiB    4 GiB  3 GiB   0 B   0 B  20 GiB  16.67                   \n"
            "MIN/MAX VAR: 0.75/1.50  STDDEV: 5.89\n");
  const std::string tree = osd_df_tree_text(*lab.cluster);
  EXPECT_NE(tree.find("\n-1         0.02344         -  24 GiB    4 GiB  3 GiB   0 B   0 B  20 GiB  16.67  1.00    -          root default     \n"), std::string::npos) << tree;
  EXPECT_NE(tree.find(" 0    hdd  0.00781   1.00000   8 GiB    2 GiB  1 GiB   0 B   0 B   6 GiB  25.00  1.50    2      up              osd.0\n"), std::string::npos) << tree;
  // 8 GiB x 0.95 - 2 GiB are left on the fullest of three equal disks, for a third of three copies.
  EXPECT_EQ(df_text(*lab.cluster),
            "--- RAW STORAGE ---\n"
            "CLASS  SIZE    AVAIL   USED   RAW USED  %RAW USED\n"
            "hdd    24 GiB  20 GiB  4 GiB     4 GiB      16.67\n"
            "TOTAL  24 GiB  20 GiB  4 GiB     4 GiB      16.67\n"
            " \n"
            "--- POOLS ---\n"
            "POOL  ID  PGS  STORED  OBJECTS  USED   %USED  MAX AVAIL\n"
            "rbd    1    2   1 GiB      256  3 GiB  15.15    5.6 GiB\n");
  // 100 writes a second on two PGs for half an hour; the log keeps 10,000 of them.
  EXPECT_NE(pg_dump_json(*lab.cluster).find("\"version\":\"1'90000\""), std::string::npos) << pg_dump_json(*lab.cluster);
  EXPECT_NE(pg_dump_json(*lab.cluster).find("\"log_size\":10000,"), std::string::npos);
  const std::string brief = pg_dump_brief_text(*lab.cluster);
  EXPECT_EQ(brief.substr(0, brief.find("1.0")), "PG_STAT  STATE         UP       UP_PRIMARY  ACTING   ACTING_PRIMARY\n");
  EXPECT_EQ(pg_dump_json(*lab.cluster).find("{\"pg_ready\":true,\"pg_map\":{\"version\":"), 0u) << pg_dump_json(*lab.cluster);
  EXPECT_NE(pg_dump_text(*lab.cluster).find("stamp 2026-01-01T00:30:00.000000+0000\n"), std::string::npos) << pg_dump_text(*lab.cluster);
  EXPECT_NE(pg_dump_text(*lab.cluster).find("\nPG_STAT  OBJECTS  MISSING_ON_PRIMARY  DEGRADED  MISPLACED  UNFOUND  BYTES      OMAP_BYTES*  OMAP_KEYS*  LOG "), std::string::npos)
      << pg_dump_text(*lab.cluster);
  EXPECT_NE(osd_dump_json(*lab.cluster).find("\"pool_name\":\"rbd\""), std::string::npos);
  // Out and up: no space, and its PGs stay where they are, for CRUSH has no third place.
  lab.cluster->mark_out(2);
  lab.run(1min);
  EXPECT_NE(osd_df_text(*lab.cluster).find(" 2    hdd  0.00781         0     0 B      0 B    0 B   0 B   0 B     0 B      0     0    2      up\n"), std::string::npos)
      << osd_df_text(*lab.cluster);
  EXPECT_NE(status_text(*lab.cluster).find("    pgs:     256/768 objects misplaced (33.333%)\n             2 active+clean+remapped\n"), std::string::npos) << status_text(*lab.cluster);
}

TEST(CephViews, Numbers) {
  // Two digits behind the point at most, seven characters in all; none for an exact multiple.
  EXPECT_EQ(si_bytes(0), "0 B");
  EXPECT_EQ(si_bytes(1023), "1023 B");
  EXPECT_EQ(si_bytes(8.0 * (1 << 30)), "8 GiB");
  EXPECT_EQ(si_bytes(7733677304.0), "7.2 GiB");
  EXPECT_EQ(si_bytes(8589934592.0 - 936 * 1024), "8.0 GiB");
  EXPECT_EQ(si_bytes(856257288.0), "817 MiB");
  EXPECT_EQ(si_count(999), "999");
  EXPECT_EQ(si_count(5608), "5.61k");
  EXPECT_EQ(si_count(97205), "97.20k");  // the nearest double is below 97.205
  EXPECT_EQ(si_count(2000), "2k");
  EXPECT_EQ(since_text(1500ms), "1.5s");
  EXPECT_EQ(since_text(119s), "119s");
  EXPECT_EQ(since_text(2min), "2m");
  EXPECT_EQ(since_text(119min), "119m");
  EXPECT_EQ(since_text(47h), "47h");
  EXPECT_EQ(since_text(24h * 13), "13d");
}

TEST(CephViews, WithoutAQuorum) {
  Lab lab;
  lab.start();
  lab.cluster->kill_mon("a");
  lab.cluster->kill_mon("b");
  lab.run(1min);
  EXPECT_NE(status_text(*lab.cluster).find("    mon: 3 daemons, no quorum\n"), std::string::npos);
  EXPECT_NE(quorum_status_json(*lab.cluster).find("\"quorum\":[],\"quorum_names\":[],\"quorum_leader_name\":\"\""), std::string::npos) << quorum_status_json(*lab.cluster);
}

TEST(CephViews, PoolsThatCannotBeAsTheyAre) {
  Lab lab({.hosts = 2, .osds_per_host = 1});
  lab.config.pools[0].pg_num = 1024;
  lab.config.pools[0].size = 1;
  PoolConfig wide;
  wide.name = "wide";
  wide.erasure = true;
  wide.k = 3;
  wide.m = 2;
  lab.config.pools.push_back(wide);
  lab.start();
  lab.run(2min);
  EXPECT_EQ(codes(*lab.cluster), "PG_AVAILABILITY POOL_NO_REDUNDANCY TOO_FEW_OSDS TOO_MANY_PGS") << health_text(*lab.cluster, true);
  const std::string text = health_text(*lab.cluster, true);
  EXPECT_NE(text.find("[WRN] POOL_NO_REDUNDANCY: 1 pool(s) have no replicas configured\n    pool 'rbd' has no replicas configured\n"), std::string::npos) << text;
  // Two places for 3 + 2 chunks: no data could be read.
  EXPECT_NE(text.find("Reduced data availability: 32 pgs inactive, 32 pgs incomplete\n"), std::string::npos) << text;
  EXPECT_NE(text.find("(reducing pool wide min_size from 4 may help; search ceph.com/docs for 'incomplete')"), std::string::npos) << text;
}

TEST(CephViews, AManagerThatDiedDoesNotStart) {
  Lab lab;
  lab.start();
  lab.run(10min);
  lab.cluster->kill_mgr("x");
  lab.run(10s);
  EXPECT_NE(status_text(*lab.cluster).find("    mgr: x(active, since 10m), standbys: y\n"), std::string::npos) << status_text(*lab.cluster);
  lab.run(30s);
  EXPECT_NE(status_text(*lab.cluster).find("    mgr: y(active"), std::string::npos) << status_text(*lab.cluster);
}

TEST(CephViews, JsonIsBalanced) {
  Lab lab;
  lab.start();
  lab.run(1min);
  lab.hosts.crash(lab.ids[3]);
  lab.run(11min);
  for (const std::string& json : {status_json(*lab.cluster), df_json(*lab.cluster), osd_df_tree_json(*lab.cluster), osd_stat_json(*lab.cluster), osd_dump_json(*lab.cluster),
                                  pg_dump_brief_json(*lab.cluster), mon_stat_json(*lab.cluster), mgr_stat_json(*lab.cluster), health_json(*lab.cluster, true), osd_tree_json(*lab.cluster), osd_df_json(*lab.cluster), pg_stat_json(*lab.cluster), pg_dump_json(*lab.cluster),
                                  quorum_status_json(*lab.cluster)}) {
    int depth = 0;
    for (const char c : json) depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    EXPECT_EQ(depth, 0) << json;
    EXPECT_EQ(json.find(",,"), std::string::npos) << json;
    EXPECT_EQ(json.find("{,"), std::string::npos) << json;
    EXPECT_EQ(json.find(":,"), std::string::npos) << json;
  }
}

}  // namespace
}  // namespace sim::ceph

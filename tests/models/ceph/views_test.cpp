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
  EXPECT_EQ(mon_stat_text(*lab.cluster), "e1: 3 mons at {a,b,c}, election epoch 2, leader 0 a, quorum 0,1,2 a,b,c\n");
  EXPECT_EQ(pg_stat_text(*lab.cluster), "32 pgs: 32 active+clean; 100 GiB data, 300 GiB used, 29 TiB / 29 TiB avail\n");
  const std::string tree = osd_tree_text(*lab.cluster);
  EXPECT_NE(tree.find("-1           29.10376 root default\n"), std::string::npos) << tree;
  EXPECT_NE(tree.find("    host h0\n0    hdd "), std::string::npos) << tree;
  EXPECT_NE(tree.find("osd.7                  up        1.00000"), std::string::npos) << tree;
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
  EXPECT_NE(health_text(*lab.cluster, true).find("is stuck undersized for"), std::string::npos);
  EXPECT_NE(status_text(*lab.cluster).find("objects degraded ("), std::string::npos) << status_text(*lab.cluster);
  EXPECT_NE(osd_tree_text(*lab.cluster).find("osd.8              down      1.00000"), std::string::npos) << osd_tree_text(*lab.cluster);
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
  EXPECT_NE(text.find("[WRN] OSDMAP_FLAGS: noout,pauserd,pausewr flag(s) set\n"), std::string::npos) << text;
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
  EXPECT_EQ(codes(*lab.cluster), "OSD_FULL OSD_NEARFULL POOL_FULL");
  const std::string text = health_text(*lab.cluster, true);
  EXPECT_NE(text.find("[ERR] OSD_FULL: 1 full osd(s)\n    osd.0 is full\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[ERR] POOL_FULL: 1 pool(s) full\n    pool 'rbd' is full (no space)\n"), std::string::npos) << text;
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

TEST(CephViews, JsonIsBalanced) {
  Lab lab;
  lab.start();
  lab.run(1min);
  lab.hosts.crash(lab.ids[3]);
  lab.run(11min);
  for (const std::string& json : {status_json(*lab.cluster), health_json(*lab.cluster, true), osd_tree_json(*lab.cluster), osd_df_json(*lab.cluster), pg_stat_json(*lab.cluster), pg_dump_json(*lab.cluster),
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

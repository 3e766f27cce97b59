/// A Ceph cluster of this instant, in the words of `ceph`.
///
/// Where the real command would hang (no quorum), it still answers: it is the simulator that is asked. Statistics of PGs are those that the
/// active manager knows, as with Ceph.
///
/// Source:     Ceph 18.2 src/mon/Monitor.cc (get_cluster_status), PGMap.cc (print_summary, get_health_checks), OSDMap.cc (check_health, print_tree),
///             HealthMonitor.cc, MgrMonitor.cc; reference platform 1.7, 2.5.
///             MDSMap.cc and FSMap.cc (print_summary, print_daemon_summary, get_health_checks), MDSRank's health metrics, pybind/mgr/status
///             (fs status, whose activity and cache columns stay empty).
/// Leaves out: client I/O rates, progress events, object counts of scrubs, addresses and versions of metadata servers.
/// Checked by: tests/models/ceph/views_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "sim/models/ceph/ceph_cluster.hpp"

namespace sim::ceph {

enum class HealthSeverity : std::uint8_t { kOk, kWarn, kErr };
const char* to_string(HealthSeverity severity);  // "HEALTH_WARN"

struct HealthCheck {
  std::string code;  // "OSD_DOWN"
  HealthSeverity severity = HealthSeverity::kWarn;
  std::string summary;
  std::vector<std::string> detail;
};
/// In the order of their codes, as Ceph prints them.
std::vector<HealthCheck> health_checks(const CephCluster& cluster);
HealthSeverity overall(const std::vector<HealthCheck>& checks);

std::string health_text(const CephCluster& cluster, bool detail);  ///< ceph health, ceph health detail
std::string health_json(const CephCluster& cluster, bool detail);
std::string status_text(const CephCluster& cluster);               ///< ceph -s
std::string status_json(const CephCluster& cluster);
std::string osd_tree_text(const CephCluster& cluster);             ///< ceph osd tree
std::string osd_tree_json(const CephCluster& cluster);
std::string osd_df_text(const CephCluster& cluster);               ///< ceph osd df
std::string osd_df_json(const CephCluster& cluster);
std::string pg_stat_text(const CephCluster& cluster);              ///< ceph pg stat
std::string pg_stat_json(const CephCluster& cluster);
std::string pg_dump_text(const CephCluster& cluster);              ///< ceph pg dump pgs_brief
std::string pg_dump_json(const CephCluster& cluster);
std::string mon_stat_text(const CephCluster& cluster);             ///< ceph mon stat
std::string quorum_status_json(const CephCluster& cluster);        ///< ceph quorum_status
std::string mds_stat_text(const CephCluster& cluster);             ///< ceph mds stat
std::string mds_stat_json(const CephCluster& cluster);
std::string fs_status_text(const CephCluster& cluster);            ///< ceph fs status
std::string fs_status_json(const CephCluster& cluster);

// Shared by them.
class JsonWriter;
std::string mds_summary(const CephCluster& cluster);  ///< "1/1 daemons up, 1 hot standby"
std::string fs_summary(const CephCluster& cluster);   ///< "1/1 healthy"
void put_fsmap_status(const CephCluster& cluster, JsonWriter& json);
void mds_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks);
std::string si_bytes(double bytes);       ///< "1.5 TiB"
std::string si_count(double count);       ///< "1.02k"
std::string since_text(SimDuration age);  ///< "3m", "2h", "5d"
/// State and number of PGs, most frequent first, as the manager tells them.
std::vector<std::pair<std::string, std::uint32_t>> pgs_by_state(const CephCluster& cluster);

struct DataTotals {
  double objects = 0, copies = 0, degraded = 0, misplaced = 0, unfound = 0;
  double stored = 0, used = 0, capacity = 0;
  std::uint32_t pgs = 0, inactive = 0, unknown = 0;
};
DataTotals data_totals(const CephCluster& cluster);

}  // namespace sim::ceph

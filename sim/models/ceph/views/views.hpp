/// A Ceph cluster of this instant, in the words of `ceph`.
///
/// Where the real command would hang (no quorum), it still answers: it is the simulator that is asked. Statistics of PGs are those that the
/// active manager knows, as with Ceph.
///
/// Source:     Ceph 16.2.15: words, columns and JSON fields as a cluster of 3 monitors, 2 managers and 8 OSDs printed them while hosts, monitors and
///             managers were stopped, disks filled and flags set; src/mon/Monitor.cc (get_cluster_status), PGMap.cc (print_summary,
///             get_health_checks), OSDMap.cc (check_health), HealthMonitor.cc, MgrMonitor.cc. A hole in an acting set is NONE, as from Ceph 17 on. File systems, by source alone:
///             MDSMap.cc and FSMap.cc (print_summary, print_daemon_summary, get_health_checks), MDSRank's health metrics, pybind/mgr/status (fs status, whose
///             activity and cache columns stay empty).
/// Leaves out: client I/O rates, progress events, addresses of daemons, versions of metadata servers, OMAP and META of disks, scrubs and reports of PGs, services that are not
///             modelled. A PG that idles is told to be stuck in peering after a minute only (in Ceph: a minute after its last report).
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
  std::int64_t count = 0;  // 0: as many as there are lines of detail, and one at least
};
/// In the order of their codes, as Ceph prints them.
std::vector<HealthCheck> health_checks(const CephCluster& cluster);
HealthSeverity overall(const std::vector<HealthCheck>& checks);

std::string health_text(const CephCluster& cluster, bool detail);  ///< ceph health, ceph health detail
std::string health_json(const CephCluster& cluster, bool detail);
std::string status_text(const CephCluster& cluster);               ///< ceph -s
std::string status_json(const CephCluster& cluster);
std::string df_text(const CephCluster& cluster);                   ///< ceph df
std::string df_json(const CephCluster& cluster);
std::string osd_tree_text(const CephCluster& cluster);             ///< ceph osd tree
std::string osd_tree_json(const CephCluster& cluster);
std::string osd_df_text(const CephCluster& cluster);               ///< ceph osd df
std::string osd_df_json(const CephCluster& cluster);
std::string osd_df_tree_text(const CephCluster& cluster);          ///< ceph osd df tree
std::string osd_df_tree_json(const CephCluster& cluster);
std::string osd_stat_text(const CephCluster& cluster);             ///< ceph osd stat
std::string osd_stat_json(const CephCluster& cluster);
std::string osd_dump_json(const CephCluster& cluster);             ///< ceph osd dump -f json
std::string osd_perf_text(const CephCluster& cluster);             ///< ceph osd perf
std::string osd_perf_json(const CephCluster& cluster);
std::string pg_stat_text(const CephCluster& cluster);              ///< ceph pg stat
std::string pg_stat_json(const CephCluster& cluster);
std::string pg_dump_text(const CephCluster& cluster);              ///< ceph pg dump
std::string pg_dump_json(const CephCluster& cluster);
std::string pg_dump_brief_text(const CephCluster& cluster);        ///< ceph pg dump pgs_brief
std::string pg_dump_brief_json(const CephCluster& cluster);
std::string mon_stat_text(const CephCluster& cluster);             ///< ceph mon stat
std::string mon_stat_json(const CephCluster& cluster);
std::string quorum_status_json(const CephCluster& cluster);        ///< ceph quorum_status
std::string mds_stat_text(const CephCluster& cluster);             ///< ceph mds stat
std::string mds_stat_json(const CephCluster& cluster);
std::string fs_status_text(const CephCluster& cluster);            ///< ceph fs status
std::string fs_status_json(const CephCluster& cluster);
std::string mgr_stat_json(const CephCluster& cluster);             ///< ceph mgr stat

// Shared by them.
class JsonWriter;
std::string mds_summary(const CephCluster& cluster);  ///< "1/1 daemons up, 1 hot standby"
std::string fs_summary(const CephCluster& cluster);   ///< "1/1 healthy"
void put_fsmap_status(const CephCluster& cluster, JsonWriter& json);
void mds_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks);
std::string si_bytes(double bytes);       ///< "1.5 TiB"; "2 TiB" when it is that exactly
std::string si_count(double count);       ///< "1.02k"
std::string since_text(SimDuration age);  ///< "3m", "2h", "5d"
std::int64_t unix_seconds(const CephCluster& cluster, SimTime when);
std::string stamp_text(const CephCluster& cluster, SimTime when);  ///< "2026-01-01T00:30:00.000000+0000"
std::string osd_set_text(const std::vector<int>& osds);            ///< "[1,NONE,5]"
std::string weight_text(std::uint32_t fixed);                      ///< 16.16: "1.00000"; "0"
std::size_t remapped_pgs(const CephCluster& cluster);
void put_health_json(const CephCluster& cluster, bool detail, JsonWriter& json);
void osd_counts_json(const CephCluster& cluster, JsonWriter& json);
/// State and number of PGs, most frequent first, as the manager tells them.
std::vector<std::pair<std::string, std::uint32_t>> pgs_by_state(const CephCluster& cluster);

struct DataTotals {
  double objects = 0, copies = 0, degraded = 0, misplaced = 0, unfound = 0;
  double stored = 0, used = 0, capacity = 0;
  std::uint32_t pgs = 0, inactive = 0, unknown = 0;
};
DataTotals data_totals(const CephCluster& cluster);
/// "12/300 objects degraded (4.000%)", and the same of misplaced and unfound ones.
std::vector<std::string> recovery_lines(const DataTotals& totals);
void recovery_json(const CephCluster& cluster, const DataTotals& totals, JsonWriter& json);
/// "12 MiB/s, 3 objects/s"; empty when nothing is copied.
std::string recovery_rate_text(const CephCluster& cluster);

}  // namespace sim::ceph

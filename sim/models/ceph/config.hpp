/// What a Ceph cluster is made of, and every option of Ceph that the model uses, with Ceph's names and defaults.
///
/// Source:     Ceph 18.2 src/common/options/{global,mon,osd,mds}.yaml.in; reference platform 1.1, 2.1 to 2.7. What Ceph has no option for (how long a
///             daemon takes to start, what a commit costs) is a proposed value of the reference and marked so here.
/// Leaves out: stretch mode, the connectivity election strategy, cache tiers, compression, per-pool quotas.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/time.hpp"

namespace sim::ceph {

/// A span that differs from time to time: lognormal around `median`; sigma 0: always the median.
struct Spread {
  SimDuration median{};
  double sigma = 0.0;
};

struct MonOptions {
  SimDuration lease{std::chrono::seconds(5)};                  // mon_lease
  double lease_renew_interval_factor = 0.6;                    // mon_lease_renew_interval_factor
  double lease_ack_timeout_factor = 2.0;                       // mon_lease_ack_timeout_factor
  double accept_timeout_factor = 2.0;                          // mon_accept_timeout_factor
  SimDuration election_timeout{std::chrono::seconds(5)};       // mon_election_timeout
  SimDuration probe_timeout{std::chrono::seconds(2)};          // mon_probe_timeout
  SimDuration tick_interval{std::chrono::seconds(5)};          // mon_tick_interval
  SimDuration propose_interval{std::chrono::seconds(1)};       // paxos_propose_interval
  SimDuration min_wait{std::chrono::milliseconds(50)};         // paxos_min_wait
  std::uint64_t max_join_drift = 10;                           // paxos_max_join_drift
  SimDuration clock_drift_allowed{std::chrono::milliseconds(50)};  // mon_clock_drift_allowed
  SimDuration timecheck_interval{std::chrono::seconds(300)};       // mon_timecheck_interval
  SimDuration timecheck_skew_interval{std::chrono::seconds(30)};   // mon_timecheck_skew_interval
  SimDuration mgr_beacon_grace{std::chrono::seconds(30)};      // mon_mgr_beacon_grace
  SimDuration mgr_tick_period{std::chrono::seconds(2)};        // mgr_tick_period
  SimDuration mgr_inactive_grace{std::chrono::seconds(60)};    // mon_mgr_inactive_grace
  SimDuration pg_stuck_threshold{std::chrono::seconds(60)};    // mon_pg_stuck_threshold
  // Proposed values:
  SimDuration election_round_trip{std::chrono::milliseconds(50)};  // all members answer: victory after this
  Spread recover{std::chrono::milliseconds(300), 0.5};             // collect phase after a victory, small store
  SimDuration commit{std::chrono::milliseconds(20)};               // begin, accept and commit of one proposal
  Spread start{std::chrono::seconds(3), 0.4};                      // a monitor's process from start to its first probe
  Spread sync{std::chrono::seconds(10), 0.5};                      // full copy of the store
  Spread mgr_start{std::chrono::seconds(3), 0.4};                  // a manager's process from start to its first beacon
  Spread mgr_modules{std::chrono::seconds(10), 0.4};               // a manager that was made active loads its modules
};

enum class MclockProfile : std::uint8_t { kBalanced, kHighClientOps, kHighRecoveryOps };
enum class OpQueue : std::uint8_t { kMclock, kWpq };

struct OsdOptions {
  SimDuration heartbeat_grace{std::chrono::seconds(20)};             // osd_heartbeat_grace
  SimDuration heartbeat_interval{std::chrono::seconds(6)};           // osd_heartbeat_interval
  int heartbeat_min_peers = 10;                                      // osd_heartbeat_min_peers
  double heartbeat_min_healthy_ratio = 0.33;                         // osd_heartbeat_min_healthy_ratio
  SimDuration mon_report_interval{std::chrono::seconds(5)};          // osd_mon_report_interval
  SimDuration beacon_report_interval{std::chrono::seconds(300)};     // osd_beacon_report_interval
  SimDuration report_timeout{std::chrono::seconds(900)};             // mon_osd_report_timeout
  int min_down_reporters = 2;                                        // mon_osd_min_down_reporters
  std::string reporter_subtree_level = "host";                       // mon_osd_reporter_subtree_level: osd, host or rack
  double min_up_ratio = 0.3;                                         // mon_osd_min_up_ratio
  double min_in_ratio = 0.75;                                        // mon_osd_min_in_ratio
  SimDuration down_out_interval{std::chrono::seconds(600)};          // mon_osd_down_out_interval; 0: never
  std::string down_out_subtree_limit = "rack";                       // mon_osd_down_out_subtree_limit: host, rack, root or empty
  bool adjust_heartbeat_grace = true;                                // mon_osd_adjust_heartbeat_grace
  bool adjust_down_out_interval = true;                              // mon_osd_adjust_down_out_interval
  SimDuration laggy_halflife{std::chrono::hours(1)};                 // mon_osd_laggy_halflife
  double laggy_weight = 0.3;                                         // mon_osd_laggy_weight
  SimDuration laggy_max_interval{std::chrono::seconds(300)};         // mon_osd_laggy_max_interval
  bool fast_fail_on_connection_refused = true;                       // osd_fast_fail_on_connection_refused
  bool fast_shutdown_notify_mon = true;                              // osd_fast_shutdown_notify_mon
  int max_markdown_count = 5;                                        // osd_max_markdown_count
  SimDuration max_markdown_period{std::chrono::seconds(600)};        // osd_max_markdown_period
  bool auto_mark_auto_out_in = true;                                 // mon_osd_auto_mark_auto_out_in
  SimDuration op_complaint_time{std::chrono::seconds(30)};           // osd_op_complaint_time
  SimDuration op_thread_timeout{std::chrono::seconds(15)};           // osd_op_thread_timeout: a stuck disk, then no pings are answered
  SimDuration op_thread_suicide_timeout{std::chrono::seconds(150)};  // osd_op_thread_suicide_timeout
  double nearfull_ratio = 0.85;                                      // mon_osd_nearfull_ratio
  double backfillfull_ratio = 0.90;                                  // mon_osd_backfillfull_ratio
  double full_ratio = 0.95;                                          // mon_osd_full_ratio
  double failsafe_full_ratio = 0.97;                                 // osd_failsafe_full_ratio
  double read_lease_ratio = 0.8;                                     // osd_pool_default_read_lease_ratio
  int max_backfills = 1;                                             // osd_max_backfills
  SimDuration backfill_retry_interval{std::chrono::seconds(30)};     // osd_backfill_retry_interval
  std::uint64_t min_pg_log_entries = 250;                            // osd_min_pg_log_entries
  std::uint64_t max_pg_log_entries = 10'000;                         // osd_max_pg_log_entries
  std::uint64_t target_pg_log_entries_per_osd = 300'000;             // osd_target_pg_log_entries_per_osd
  std::uint64_t force_auth_primary_missing_objects = 100;            // osd_force_auth_primary_missing_objects
  std::uint64_t async_recovery_min_cost = 100;                       // osd_async_recovery_min_cost
  bool allow_recovery_below_min_size = true;                         // osd_allow_recovery_below_min_size
  OpQueue op_queue = OpQueue::kMclock;                               // osd_op_queue
  MclockProfile mclock_profile = MclockProfile::kBalanced;           // osd_mclock_profile
  SimDuration recovery_sleep_hdd{std::chrono::milliseconds(100)};    // osd_recovery_sleep_hdd; wpq only
  SimDuration recovery_sleep_ssd{};                                  // osd_recovery_sleep_ssd; wpq only
  double bandwidth_hdd = 150.0 * 1024 * 1024;   // osd_mclock_max_sequential_bandwidth_hdd, bytes a second
  double bandwidth_ssd = 1200.0 * 1024 * 1024;  // osd_mclock_max_sequential_bandwidth_ssd
  // Proposed values:
  Spread start{std::chrono::seconds(10), 0.5};             // process start and mount of the store, until it asks to be marked up
  SimDuration refused_report_min{std::chrono::milliseconds(100)};  // peers notice a refused connection after
  SimDuration refused_report_max{std::chrono::seconds(1)};
  Spread peering{std::chrono::milliseconds(700), 0.6};     // map reaches the members, infos and logs are asked for
  SimDuration peering_per_pg{std::chrono::milliseconds(5)};  // more for each other PG that peers on the same primary
  SimDuration activate{std::chrono::milliseconds(100)};
  SimDuration client_latency_hdd{std::chrono::milliseconds(10)};  // one operation on an idle disk
  SimDuration client_latency_ssd{std::chrono::milliseconds(1)};
};

struct MdsOptions {
  SimDuration beacon_interval{std::chrono::seconds(4)};          // mds_beacon_interval
  SimDuration beacon_grace{std::chrono::seconds(15)};            // mds_beacon_grace
  SimDuration beacon_mon_down_grace{std::chrono::seconds(60)};   // mds_beacon_mon_down_grace
  SimDuration tick_interval{std::chrono::seconds(5)};            // mds_tick_interval
  SimDuration reconnect_timeout{std::chrono::seconds(45)};       // mds_reconnect_timeout
  SimDuration session_timeout{std::chrono::seconds(60)};         // `ceph fs set NAME session_timeout`; clients renew three times as often
  SimDuration session_autoclose{std::chrono::seconds(300)};      // `ceph fs set NAME session_autoclose`
  SimDuration op_complaint_time{std::chrono::seconds(30)};       // mds_op_complaint_time
  // Proposed values:
  Spread start{std::chrono::seconds(3), 0.4};              // a metadata server's process from start to its first beacon
  Spread replay{std::chrono::seconds(5), 0.7};             // reads the journal of the rank that it takes over
  Spread replay_followed{std::chrono::milliseconds(300), 0.4};  // the rest of a journal that it has been following
  SimDuration resolve{std::chrono::milliseconds(500)};     // with more than one rank: who had what
  SimDuration reconnect{std::chrono::milliseconds(500)};   // a client that hears of the new server tells it what it has open
  Spread rejoin{std::chrono::milliseconds(800), 0.5};      // opens the inodes that clients hold
  SimDuration client_replay{std::chrono::milliseconds(200)};  // requests that clients had not seen made safe
};

struct FileSystemConfig {
  std::string name;
  std::string metadata_pool;
  std::vector<std::string> data_pools;  // the first is the default
  int active_count = 1;                 // max_mds
  bool standby_replay = true;           // allow_standby_replay
  int standby_count_wanted = 0;
};

/// A metadata server. `host` can be empty: it runs from the beginning, and where it does is told later (FileSystems::place).
struct MdsConfig {
  std::string name;  // "myfs-a"
  std::string file_system;
  std::string host;
};

struct DaemonConfig {
  std::string name;  // "a" is mon.a or mgr.a
  std::string host;
};

struct OsdConfig {
  std::string host;
  std::string device_class = "hdd";
  std::int64_t capacity_bytes = 4'000'000'000'000;
  double crush_weight = 0.0;  // 0: capacity in TiB
  double bandwidth = 0.0;     // bytes a second; 0: that of the class
  std::int64_t other_used_bytes = 0;  // on the disk beside PGs
  bool on_system_disk = false;  // no disk of its own: the first one of its host, as fast as that is
};

struct PoolConfig {
  std::string name;
  bool erasure = false;
  int size = 3;      // replicated; an erasure pool has k + m
  int min_size = 0;  // 0: Ceph's default (size - size / 2; k + 1, or k when m is 1)
  int k = 0;
  int m = 0;
  std::uint32_t pg_num = 32;
  std::string failure_domain = "host";  // osd, host or rack
  std::string device_class;             // empty: any
  std::int64_t stored_bytes = 0;        // of users, before replication
  std::int64_t object_bytes = 4 << 20;
  double writes_per_second = 0.0;        // of all clients; each changes one object
  double client_bytes_per_second = 0.0;  // bandwidth that clients take from the disks
};

struct HostConfig {
  std::string host;
  std::string rack{};  // empty: the host stands directly in the root
  double public_bytes_per_second = 1.25e9;
  double cluster_bytes_per_second = 1.25e9;
};

struct ClusterConfig {
  std::string fsid = "00000000-0000-0000-0000-000000000000";
  std::int64_t start_unix_seconds = 1'767'225'600;  // wall-clock time of virtual time 0, for views: 2026-01-01T00:00:00Z
  std::vector<HostConfig> hosts;  // every host that carries a daemon
  std::vector<DaemonConfig> mons;  // in the order of their ranks
  std::vector<DaemonConfig> mgrs;
  std::vector<OsdConfig> osds;  // osd.0, osd.1, ...
  std::vector<PoolConfig> pools;  // ids from 1
  std::vector<FileSystemConfig> file_systems;
  std::vector<MdsConfig> mdss;
  std::vector<std::string> disallowed_leaders;  // mons that never lead (election strategy "disallow")
  /// Daemons start by themselves when their host is up again, this long after. Without it somebody calls start_*().
  bool daemons_start_with_host = true;
  Spread daemon_start_after_boot{std::chrono::seconds(30), 0.4};
  MonOptions mon;
  OsdOptions osd;
  MdsOptions mds;
};

}  // namespace sim::ceph

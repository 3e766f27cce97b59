/// A Ceph cluster on hosts: monitors, managers, OSDs, pools and their placement groups, as one thing to break and to ask.
///
/// It knows nothing of Kubernetes and of scenario files. Hosts and the network drive it by themselves; daemons and disks are driven by the calls below.
///
///   "PoolIoBlocked"  <-  "OsdDown"  <-  "OsdStopped"  <-  "HostCrashed"
///
/// Source:     reference platform 1, 2, 4, 5, 12; each part names its own.
/// Leaves out: docs/models/ceph.md.
/// Checked by: tests/models/ceph/*.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/context.hpp"
#include "sim/models/ceph/crush/osd_map.hpp"
#include "sim/models/ceph/filesystems/file_systems.hpp"
#include "sim/models/ceph/monitors/managers.hpp"
#include "sim/models/ceph/monitors/monitors.hpp"
#include "sim/models/ceph/osds/down_out.hpp"
#include "sim/models/ceph/osds/failure_detection.hpp"
#include "sim/models/ceph/osds/fullness.hpp"
#include "sim/models/ceph/osds/osd_daemons.hpp"
#include "sim/models/ceph/placement_groups/placement_groups.hpp"
#include "sim/models/ceph/placement_groups/recovery.hpp"

namespace sim::ceph {

/// An RBD image: a name, of which its objects' names are made, and how many objects of 4 MiB it has.
struct Volume {
  std::string pool;
  std::string image_id;  // objects are rbd_data.IMAGE_ID.0000000000000000, ...
  std::int64_t bytes = 0;
};

/// How long a write to a pool takes: that of its slowest placement group, and the mean.
struct WriteLatency {
  SimDuration worst{};
  SimDuration mean{};
  std::uint32_t slowest_pg = 0;  // index
};

/// Gateways (RGW) that have told the manager of themselves; each store is a zone of its own.
struct GatewayCount {
  std::size_t daemons = 0;
  std::size_t hosts = 0;
  std::size_t zones = 0;
};

class CephCluster {
 public:
  /// What is wrong with a configuration, one sentence each; empty when nothing is.
  static std::vector<std::string> problems(const ClusterConfig& config, const host::Hosts& hosts);

  /// The configuration must be free of problems(). Everything that can run runs at start().
  CephCluster(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ClusterConfig config);
  ~CephCluster();
  CephCluster(const CephCluster&) = delete;
  CephCluster& operator=(const CephCluster&) = delete;
  void start();

  // What breaks it and mends it. Each writes its record under the current cause.
  void kill_mon(std::string_view name);
  void start_mon(std::string_view name);
  bool add_mon(std::string_view name, std::string_view host);
  bool remove_mon(std::string_view name);
  void set_clock_skew(std::string_view mon, SimDuration skew);
  void kill_mgr(std::string_view name);
  void start_mgr(std::string_view name);
  void kill_mds(std::string_view name, Kill how, std::string_view why);
  void start_mds(std::string_view name, std::string_view host);
  void kill_osd(int osd, Kill how, std::string_view why);
  void start_osd(int osd);
  void stick_disk(int osd) { daemons_->stick_disk(osd); }
  void free_disk(int osd) { daemons_->free_disk(osd); }
  void fail_disk(int osd);
  void replace_disk(int osd) { daemons_->replace_disk(osd); }
  void slow_disk(int osd, double factor) { daemons_->slow_disk(osd, factor); }
  /// Bytes on the disk beside the PGs.
  void fill_disk(int osd, std::int64_t other_bytes);
  void set_pool_bytes(std::string_view pool, std::int64_t bytes);
  /// Takes one of Ceph's networks from a host, or gives it back.
  void cut_network(std::string_view host, Plane plane, bool cut);

  // What an operator does; needs a quorum, and is done when the next epoch is committed.
  /// False when the flag is unknown (see OsdMonitor::is_known_flag; "pause" sets both of its flags).
  bool set_flag(std::string_view flag, bool on);
  void set_noout(int osd, bool on);
  void mark_out(int osd);
  void mark_in(int osd);
  void mark_down(int osd);
  void mark_lost(int osd);
  void reweight(int osd, double weight);

  // What users of it see.
  bool has_quorum() const { return monitors_->has_quorum(); }
  /// Mounts, maps, provisioning: a monitor that is in the quorum answers a client on this host.
  bool monitors_reachable_from(host::HostId host) const { return monitors_->reachable_from(host); }
  bool pool_available(std::string_view pool) const;  ///< every PG takes writes
  bool pg_active(std::string_view pool, std::uint32_t seed) const;
  bool pg_serves(std::string_view pool, std::uint32_t seed) const;  ///< writes are answered now
  /// A write of a client on this host is answered: the PG serves, and its primary is reachable.
  bool serves_client(const Pg& pg, host::HostId client) const;
  /// The PGs that the objects of a volume fall into, ascending.
  std::vector<std::uint32_t> pgs_of(const Volume& volume) const;
  /// A volume hangs as soon as one of its PGs does.
  bool volume_serves(const Volume& volume) const;
  /// The same seen from a host: its PGs' primaries are reachable too.
  bool volume_serves(const Volume& volume, host::HostId client) const;
  bool all_clean() const;

  /// One operation on the disk of an OSD, without a queue.
  SimDuration operation_time(int osd) const;
  /// A write is answered when the slowest OSD of the acting set has it on its disk; a read when the primary's disk has found it. Of a PG that answers.
  SimDuration write_latency(const Pg& pg) const;
  SimDuration read_latency(const Pg& pg) const;
  WriteLatency write_latency(std::size_t pool) const;
  bool has_slow_disk() const { return has_slow_disk_; }
  /// The latency of some placement groups may have changed; told once an instant, at its end; the current cause explains it.
  void on_latency(std::function<void()> listener) { latency_listeners_.push_back(std::move(listener)); }

  /// An active quorum was formed, or is gone.
  void on_quorum(std::function<void(bool)> listener) { monitors_->on_quorum(std::move(listener)); }
  /// After each change of a PG's state.
  void on_pg_state(std::function<void(const Pg&, std::uint32_t before)> listener) { pgs_->on_state(std::move(listener)); }
  /// After a PG began or ceased to answer writes; the record "PoolIoBlocked" or "PoolIoRestored", or what else stopped it, is the current cause.
  void on_io(std::function<void(const Pg&, bool serves)> listener) { pgs_->on_io(std::move(listener)); }
  /// A manager became available, or no longer is.
  void on_manager(std::function<void(bool)> listener) { manager_listeners_.push_back(std::move(listener)); }
  /// After an OSD's process ended by itself; nobody told it to. The record of it is the current cause, or that of its disk.
  void on_osd_exit(std::function<void(int osd)> listener) { daemons_->on_exit = std::move(listener); }
  /// After each epoch of the OSD map.
  void on_epoch(std::function<void()> listener) { epoch_listeners_.push_back(std::move(listener)); }

  void set_gateways(GatewayCount count) { gateways_ = count; }
  const GatewayCount& gateways() const { return gateways_; }

  // Its parts, for views and tests.
  SimTime now() const { return engine_.now(); }
  const ClusterConfig& config() const { return config_; }
  Monitors& monitors() { return *monitors_; }
  const Monitors& monitors() const { return *monitors_; }
  Managers& managers() { return *managers_; }
  const Managers& managers() const { return *managers_; }
  FileSystems& file_systems() { return *file_systems_; }
  const FileSystems& file_systems() const { return *file_systems_; }
  const OsdMonitor& osd_monitor() const { return *osd_monitor_; }
  OsdDaemons& daemons() { return *daemons_; }
  const OsdDaemons& daemons() const { return *daemons_; }
  PlacementGroups& pgs() { return *pgs_; }
  const PlacementGroups& pgs() const { return *pgs_; }
  Recovery& recovery() { return *recovery_; }
  Recovery& recovery() const { return *recovery_; }
  const crush::OsdMap& map() const { return map_; }
  const std::vector<Osd>& osds() const { return osds_; }
  const Osd& osd(int id) const { return osds_[static_cast<std::size_t>(id)]; }
  const host::Hosts& hosts() const { return hosts_; }
  /// Whom an OSD sends heartbeats to, ascending.
  std::vector<int> heartbeat_peers(int osd) const { return detection_->heartbeat_peers(osd); }
  /// The PG states that the active manager knows: while none is available, those of the moment at which the last one went.
  /// Nothing: a new one has not heard of any yet, and calls them unknown.
  std::uint32_t told_state(const Pg& pg) const;

 private:
  void build_crush();
  int rule_for(const PoolConfig& pool);
  void host_changed(const host::Hosts::Change& change);
  void links_changed();
  void epoch_changed(const EpochChange& change);
  void latency_changed();
  void disks_changed();
  std::optional<std::size_t> pool_index(std::string_view name) const;

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  ClusterConfig config_;
  Network network_;
  crush::OsdMap map_;
  std::vector<Osd> osds_;
  std::unique_ptr<Monitors> monitors_;
  std::unique_ptr<Managers> managers_;
  std::unique_ptr<OsdMonitor> osd_monitor_;
  std::unique_ptr<OsdDaemons> daemons_;
  std::unique_ptr<PlacementGroups> pgs_;
  std::unique_ptr<SystemDisks> system_disks_;
  std::unique_ptr<Recovery> recovery_;
  std::unique_ptr<FailureDetection> detection_;
  std::unique_ptr<DownOut> down_out_;
  std::unique_ptr<FullnessWatch> fullness_;
  std::unique_ptr<FileSystems> file_systems_;
  std::vector<std::function<void()>> epoch_listeners_;
  std::vector<std::function<void(bool)>> manager_listeners_;
  std::vector<std::function<void()>> latency_listeners_;
  Timer latency_;
  bool has_slow_disk_ = false;
  std::vector<std::uint32_t> frozen_states_;  // while no manager is available
  GatewayCount gateways_;
  bool started_ = false;
  bool gathering_ = false;        // changes of one host: answered once
  std::vector<int> gathered_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // hosts outlive the cluster and keep its listener
};

}  // namespace sim::ceph

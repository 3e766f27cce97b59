#include "sim/scenario/ceph_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/core/check.hpp"
#include "sim/models/ceph/views/views.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

namespace {

class CephPlan {
 public:
  CephPlan(const ScenarioSpec& spec, Diagnostics& diagnostics) : spec_(spec), ceph_(*spec.ceph), diagnostics_(diagnostics) {
    for (const PoolSpec& pool : spec.pools) {
      if (!pool.node) continue;
      for (std::size_t i = 0; i < pool.machine_names.size(); ++i) {
        rack_of_[pool.machine_names[i]] = pool.racks.empty() ? std::string() : rack_around(pool.racks[i % pool.racks.size()].text);
        nic_of_[pool.machine_names[i]] = pool.nic_bits_per_second;
      }
    }
    const Interner& names = *spec.names;
    const Symbol rack = names.find(kRackLabel);
    for (const Manifest<k8s::Node>& node : spec.objects.nodes) {
      const std::optional<Symbol> value = rack ? node.object.meta.labels.find(rack) : std::nullopt;
      rack_of_[names.text(node.object.meta.name)] = value ? names.text(*value) : std::string();
      nic_of_[names.text(node.object.meta.name)] = spec.node_defaults.nic_bits_per_second;
    }
  }

  ceph::ClusterConfig cluster() {
    ceph::ClusterConfig config;
    config.daemons_start_with_host = false;  // kubelets start them
    config.start_unix_seconds = spec_.run.start_unix_seconds;
    const std::vector<std::string> mon_nodes = nodes_of(ceph_.mons);
    place("monitors", ceph_.mons.count, mon_nodes, ceph_.mons.allow_multiple_per_node, config.mons);
    const std::vector<std::string> mgr_nodes = ceph_.mgrs ? nodes_of(*ceph_.mgrs) : mon_nodes;
    const std::int64_t managers = ceph_.mgrs ? ceph_.mgrs->count : std::min<std::int64_t>(2, std::max<std::int64_t>(1, std::ssize(mgr_nodes)));
    place("managers", managers, mgr_nodes, true, config.mgrs);
    for (const CephOsdSpec& group : ceph_.osds) osds(group, config);
    for (const CephPoolSpec& pool : ceph_.pools) config.pools.push_back(pool_of(pool));
    file_systems(config);
    options(config);
    for (const std::string& host : used_) {
      const double bytes_per_second = nic_of_[host] / 8.0;
      config.hosts.push_back(ceph::HostConfig{host, rack_of_[host], bytes_per_second, bytes_per_second});
    }
    return config;
  }

  std::vector<std::string> nodes_of(const CephNodes& where) {
    std::vector<std::string> result;
    for (const Reference& pool : where.pools) {
      const auto found = std::find_if(spec_.pools.begin(), spec_.pools.end(), [&](const PoolSpec& p) { return p.name == pool.text; });
      if (found == spec_.pools.end() || !found->node) {
        std::vector<std::string> known;
        for (const PoolSpec& p : spec_.pools) {
          if (p.node) known.push_back(p.name);
        }
        diagnostics_.error(pool.where, fmt::format("there is no pool of nodes '{}'", pool.text)).hint = did_you_mean(pool.text, known);
        continue;
      }
      for (const std::string& name : found->machine_names) {
        if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
      }
    }
    for (const Reference& node : where.nodes) {
      if (!rack_of_.contains(node.text)) {
        std::vector<std::string> known;
        for (const auto& [name, rack] : rack_of_) known.push_back(name);
        diagnostics_.error(node.where, fmt::format("there is no node '{}'", node.text)).hint = did_you_mean(node.text, known);
        continue;
      }
      if (std::find(result.begin(), result.end(), node.text) == result.end()) result.push_back(node.text);
    }
    return result;
  }

 private:
  std::string rack_around(const std::string& element) const {
    std::string name = element;
    for (std::size_t steps = 0; steps <= spec_.topology.size(); ++steps) {
      const auto found = std::find_if(spec_.topology.begin(), spec_.topology.end(), [&](const ElementSpec& e) { return e.name == name; });
      if (found == spec_.topology.end()) return {};
      if (found->kind == topology::ElementKind::kRack) return name;
      name = found->in.text;
    }
    return {};
  }

  void place(std::string_view what, std::int64_t count, const std::vector<std::string>& nodes, bool several_per_node, std::vector<ceph::DaemonConfig>& to) {
    if (nodes.empty()) return;  // told by the fields' rules, or by nodes_of()
    if (!several_per_node && count > std::ssize(nodes)) {
      Diagnostic& d = diagnostics_.error(spec_.place_of("ceph"), fmt::format("{} {} need as many nodes, and only {} are given", count, what, nodes.size()));
      d.hint = "allowMultiplePerNode: true puts several on one node, which is how two are lost at once";
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string& host = nodes[static_cast<std::size_t>(i) % nodes.size()];
      to.push_back(ceph::DaemonConfig{std::string(1, static_cast<char>('a' + i)), host});
      use(host);
    }
  }

  void osds(const CephOsdSpec& group, ceph::ClusterConfig& config) {
    for (const std::string& host : nodes_of(group)) {
      use(host);
      for (std::int64_t disk = 0; disk < group.per_node; ++disk) {
        ceph::OsdConfig osd;
        osd.host = host;
        osd.device_class = group.device_class;
        osd.capacity_bytes = group.size;
        osd.bandwidth = group.bandwidth;
        osd.other_used_bytes = group.other_used;
        osd.on_system_disk = group.on_system_disk;
        config.osds.push_back(std::move(osd));
      }
    }
  }

  /// Metadata servers are numbered by letters, like monitors; where they run is the scheduler's.
  void file_systems(ceph::ClusterConfig& config) {
    for (const CephFilesystemSpec& fs : ceph_.filesystems) {
      nodes_of(fs);
      known_pool(fs.metadata_pool, fs.metadata_pool_name(), fs.where, "file system", fs.name);
      for (const std::string& pool : fs.data_pool_names()) {
        const auto named = std::find_if(fs.data_pools.begin(), fs.data_pools.end(), [&](const Reference& one) { return one.text == pool; });
        known_pool(named == fs.data_pools.end() ? Reference{} : *named, pool, fs.where, "file system", fs.name);
      }
      ceph::FileSystemConfig one;
      one.name = fs.name;
      one.metadata_pool = fs.metadata_pool_name();
      one.data_pools = fs.data_pool_names();
      one.active_count = static_cast<int>(fs.active_count);
      one.standby_replay = fs.active_standby;
      one.standby_count_wanted = fs.active_standby ? one.active_count : 0;
      config.file_systems.push_back(std::move(one));
      const std::int64_t servers = fs.active_count * (fs.active_standby ? 2 : 1);
      for (std::int64_t i = 0; i < servers; ++i) config.mdss.push_back({rook::mds_name(fs.name, static_cast<std::size_t>(i)), fs.name, ""});
    }
    for (const CephObjectStoreSpec& store : ceph_.object_stores) {
      nodes_of(store);
      known_pool(store.metadata_pool, store.metadata_pool_name(), store.where, "object store", store.name);
      known_pool(store.data_pool, store.data_pool_name(), store.where, "object store", store.name);
    }
  }

  void known_pool(const Reference& named, const std::string& pool, Place where, std::string_view what, const std::string& owner) {
    std::vector<std::string> known;
    for (const CephPoolSpec& one : ceph_.pools) {
      if (one.name == pool) return;
      known.push_back(one.name);
    }
    Diagnostic& d = diagnostics_.error(named.text.empty() ? where : named.where, fmt::format("{} '{}' needs the Ceph pool '{}', which does not exist", what, owner, pool));
    d.expected = "one of ceph.pools";
    d.hint = did_you_mean(pool, known);
  }

  static ceph::PoolConfig pool_of(const CephPoolSpec& pool) {
    ceph::PoolConfig config;
    config.name = pool.name;
    config.size = static_cast<int>(pool.size);
    config.min_size = static_cast<int>(pool.min_size);
    if (pool.erasure) {
      config.erasure = true;
      config.k = static_cast<int>(pool.erasure->k);
      config.m = static_cast<int>(pool.erasure->m);
    }
    config.pg_num = static_cast<std::uint32_t>(pool.pg_num);
    config.failure_domain = pool.failure_domain;
    config.device_class = pool.device_class;
    config.stored_bytes = pool.stored;
    config.writes_per_second = pool.writes_per_second;
    config.client_bytes_per_second = pool.client_bandwidth;
    return config;
  }

  void options(ceph::ClusterConfig& to) const {
    const CephOptions& from = ceph_.config;
    to.mon.lease = from.mon_lease;
    to.mon.election_timeout = from.mon_election_timeout;
    to.mon.mgr_beacon_grace = from.mon_mgr_beacon_grace;
    to.osd.heartbeat_grace = from.osd_heartbeat_grace;
    to.osd.heartbeat_interval = from.osd_heartbeat_interval;
    to.osd.min_down_reporters = from.mon_osd_min_down_reporters;
    to.osd.reporter_subtree_level = from.mon_osd_reporter_subtree_level;
    to.osd.down_out_interval = from.mon_osd_down_out_interval;
    to.osd.down_out_subtree_limit = from.mon_osd_down_out_subtree_limit;
    to.osd.min_in_ratio = from.mon_osd_min_in_ratio;
    to.osd.min_up_ratio = from.mon_osd_min_up_ratio;
    to.osd.max_markdown_count = from.osd_max_markdown_count;
    to.osd.max_markdown_period = from.osd_max_markdown_period;
    to.osd.max_backfills = from.osd_max_backfills;
    to.osd.mclock_profile = from.osd_mclock_profile;
    to.osd.op_queue = from.osd_op_queue;
    to.osd.nearfull_ratio = from.mon_osd_nearfull_ratio;
    to.osd.backfillfull_ratio = from.mon_osd_backfillfull_ratio;
    to.osd.full_ratio = from.mon_osd_full_ratio;
    to.mds.beacon_grace = from.mds_beacon_grace;
    to.mds.beacon_mon_down_grace = from.mds_beacon_mon_down_grace;
    to.mds.reconnect_timeout = from.mds_reconnect_timeout;
  }

  void use(const std::string& host) {
    if (is_used_.insert(host).second) used_.push_back(host);
  }

  const ScenarioSpec& spec_;
  const CephSpec& ceph_;
  Diagnostics& diagnostics_;
  std::map<std::string, std::string> rack_of_;  // every node of the scenario
  std::map<std::string, double> nic_of_;
  std::vector<std::string> used_;
  std::set<std::string> is_used_;
};

/// Where the pool stands that a problem names, or the whole section.
Place place_of_problem(const ScenarioSpec& spec, std::string_view problem) {
  for (const CephPoolSpec& pool : spec.ceph->pools) {
    if (problem.starts_with(fmt::format("pool '{}':", pool.name))) return pool.where;
  }
  return spec.place_of("ceph");
}

/// What pools hold must fit on the disks that they may use.
void check_space(const ScenarioSpec& spec, const ceph::ClusterConfig& config, Diagnostics& diagnostics) {
  double wanted = 0.0;
  double capacity = 0.0;
  for (const ceph::OsdConfig& osd : config.osds) {
    wanted += static_cast<double>(osd.other_used_bytes);
    capacity += static_cast<double>(osd.capacity_bytes);
  }
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    const ceph::PoolConfig& pool = config.pools[i];
    const double copies = pool.erasure ? static_cast<double>(pool.k + pool.m) / pool.k : pool.size;
    const double raw = copies * static_cast<double>(pool.stored_bytes);
    wanted += raw;
    double own = 0.0;
    for (const ceph::OsdConfig& osd : config.osds) {
      if (pool.device_class.empty() || osd.device_class == pool.device_class) own += static_cast<double>(osd.capacity_bytes - osd.other_used_bytes);
    }
    if (raw > own) {
      diagnostics.error(spec.ceph->pools[i].where, fmt::format("pool '{}' holds {} in all its copies, and its disks have room for {}", pool.name, ceph::si_bytes(raw),
                                                               ceph::si_bytes(own)));
      return;
    }
  }
  if (wanted > capacity) {
    diagnostics.error(spec.place_of("ceph"), fmt::format("the pools hold {} in all copies, and all disks together have room for {}", ceph::si_bytes(wanted),
                                                         ceph::si_bytes(capacity)));
  }
}

}  // namespace

ceph::ClusterConfig ceph_cluster(const ScenarioSpec& spec, Diagnostics& diagnostics) { return CephPlan(spec, diagnostics).cluster(); }

void check_ceph(const ScenarioSpec& spec, Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.error_count();
  const ceph::ClusterConfig config = ceph_cluster(spec, diagnostics);
  if (diagnostics.error_count() != before) return;
  // What Ceph itself would refuse: asked with hosts of these names, in a world of nothing else.
  Engine engine;
  Interner names;
  EventLog log(engine, names);
  const Randomness random(1);
  topology::Topology topology(engine, log);
  host::Hosts hosts(engine, log, random, topology);
  for (const ceph::HostConfig& host : config.hosts) {
    topology.add(topology::ElementKind::kHost, host.host);
    host::HostSpec machine;
    machine.name = host.host;
    hosts.add(std::move(machine));
  }
  for (const std::string& problem : ceph::CephCluster::problems(config, hosts)) diagnostics.error(place_of_problem(spec, problem), problem);
  check_space(spec, config, diagnostics);
}

std::vector<std::string> mon_nodes(const ScenarioSpec& spec) {
  Diagnostics told;
  return CephPlan(spec, told).nodes_of(spec.ceph->mons);
}

namespace {

rook::RookConfig rook_config(const ScenarioSpec& spec) {
  rook::RookConfig config = spec.ceph->rook;
  Diagnostics told;
  CephPlan plan(spec, told);
  for (const CephFilesystemSpec& fs : spec.ceph->filesystems) {
    config.file_systems.push_back({fs.name, static_cast<int>(fs.active_count), fs.active_standby, fs.anti_affinity, plan.nodes_of(fs)});
  }
  for (const CephObjectStoreSpec& store : spec.ceph->object_stores) {
    config.object_stores.push_back({store.name, store.metadata_pool_name(), store.data_pool_name(), static_cast<int>(store.instances), plan.nodes_of(store),
                                    store.requests_per_second, spec.ceph->config.rgw_max_concurrent_requests});
  }
  for (const CephIoTimeoutSpec& one : spec.ceph->io_timeouts) {
    rook::IoTimeout timeout{one.name_space, {}, one.within};
    for (const auto& [key, value] : one.labels) timeout.labels.emplace_back(key, value);
    config.io_timeouts.push_back(std::move(timeout));
  }
  return config;
}

}  // namespace

std::vector<std::string> services_of(const CephSpec& ceph) {
  std::vector<std::string> services;
  for (const CephObjectStoreSpec& store : ceph.object_stores) services.push_back(fmt::format("{}/{}-{}", ceph.rook.name_space, rook::app_of(rook::DaemonType::kRgw), store.name));
  return services;
}

std::unique_ptr<rook::Rook> make_rook(const ScenarioSpec& spec, World& world) {
  Diagnostics diagnostics;
  ceph::ClusterConfig config = ceph_cluster(spec, diagnostics);
  SIM_CHECK(!diagnostics.has_errors(), "the reader has placed every daemon of Ceph");
  // A daemon's own start is part of Ceph's model.
  k8s::PodBehaviour at_once;
  at_once.ns = world.names.intern(spec.ceph->rook.name_space);
  at_once.start_up = SimDuration::zero();
  at_once.start_up_sigma = 0.0;
  world.behaviours.insert(world.behaviours.begin(), at_once);
  return std::make_unique<rook::Rook>(world.engine, world.log, world.random, world.hosts, world.api, world.kubelets, world.storage, rook_config(spec),
                                      std::move(config), mon_nodes(spec), spec.ceph->mons.allow_multiple_per_node);
}

}  // namespace sim::scenario

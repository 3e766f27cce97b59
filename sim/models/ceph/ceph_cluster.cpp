#include "sim/models/ceph/ceph_cluster.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"

namespace sim::ceph {

namespace {

constexpr double kTebibyte = 1024.0 * 1024.0 * 1024.0 * 1024.0;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) { return std::find(words.begin(), words.end(), text) != words.end(); }

}  // namespace

std::vector<std::string> CephCluster::problems(const ClusterConfig& config, const host::Hosts& hosts) {
  std::vector<std::string> found;
  std::set<std::string, std::less<>> places;
  for (const HostConfig& host : config.hosts) {
    if (!hosts.find(host.host)) found.push_back(fmt::format("host '{}' does not exist", host.host));
    if (!places.insert(host.host).second) found.push_back(fmt::format("host '{}' is listed twice", host.host));
    if (host.cluster_bytes_per_second <= 0.0 || host.public_bytes_per_second <= 0.0) found.push_back(fmt::format("host '{}': a network needs a rate above 0", host.host));
  }
  const auto check_host = [&](std::string_view what, const std::string& host) {
    if (!places.contains(host)) found.push_back(fmt::format("{} is on host '{}', which is not in the list of hosts", what, host));
  };
  const auto check_daemons = [&](std::string_view kind, const std::vector<DaemonConfig>& daemons) {
    std::set<std::string> names;
    for (const DaemonConfig& daemon : daemons) {
      check_host(fmt::format("{}.{}", kind, daemon.name), daemon.host);
      if (!names.insert(daemon.name).second) found.push_back(fmt::format("{}.{} is listed twice", kind, daemon.name));
    }
  };
  if (config.mons.empty()) found.emplace_back("a cluster needs a monitor");
  if (config.osds.empty()) found.emplace_back("a cluster needs an OSD");
  check_daemons("mon", config.mons);
  check_daemons("mgr", config.mgrs);
  std::set<std::string, std::less<>> classes;
  std::set<std::string, std::less<>> racks;
  for (std::size_t i = 0; i < config.osds.size(); ++i) {
    check_host(fmt::format("osd.{}", i), config.osds[i].host);
    if (config.osds[i].capacity_bytes <= 0) found.push_back(fmt::format("osd.{} needs a capacity above 0", i));
    classes.insert(config.osds[i].device_class);
  }
  for (const HostConfig& host : config.hosts) racks.insert(host.rack);
  std::set<std::string> pools;
  for (const PoolConfig& pool : config.pools) {
    const std::string what = fmt::format("pool '{}'", pool.name);
    if (!pools.insert(pool.name).second) found.push_back(what + " is listed twice");
    if (pool.pg_num == 0 || pool.pg_num > 65'536) found.push_back(what + ": pg_num is 1 to 65536");
    if (pool.erasure ? pool.k < 1 || pool.m < 1 : pool.size < 1) found.push_back(what + (pool.erasure ? ": k and m are 1 or more" : ": size is 1 or more"));
    const int size = pool.erasure ? pool.k + pool.m : pool.size;
    if (pool.min_size < 0 || pool.min_size > size || (pool.erasure && pool.min_size > 0 && pool.min_size < pool.k)) {
      found.push_back(fmt::format("{}: min_size {} is not within {} and {}", what, pool.min_size, pool.erasure ? pool.k : 1, size));
    }
    if (!is_one_of(pool.failure_domain, {"osd", "host", "rack"})) found.push_back(fmt::format("{}: failure domain '{}' is not osd, host or rack", what, pool.failure_domain));
    if (pool.failure_domain == "rack" && racks.contains("")) found.push_back(what + ": failure domain rack needs a rack for every host");
    if (!pool.device_class.empty() && !classes.contains(pool.device_class)) found.push_back(fmt::format("{}: no OSD has the device class '{}'", what, pool.device_class));
    if (pool.stored_bytes < 0 || pool.object_bytes <= 0 || pool.writes_per_second < 0.0) found.push_back(what + ": sizes and rates are not negative");
  }
  std::map<std::string, int> mdss_of;
  std::set<std::string> mds_names;
  for (const MdsConfig& mds : config.mdss) {
    const std::string what = fmt::format("mds.{}", mds.name);
    if (!mds_names.insert(mds.name).second) found.push_back(what + " is listed twice");
    if (!mds.host.empty() && !hosts.find(mds.host)) found.push_back(fmt::format("{} is on host '{}', which does not exist", what, mds.host));
    ++mdss_of[mds.file_system];
  }
  std::map<std::string, std::string> taken;  // pool -> file system
  for (const FileSystemConfig& fs : config.file_systems) {
    const std::string what = fmt::format("file system '{}'", fs.name);
    const auto have = mdss_of.find(fs.name);
    if (have == mdss_of.end() || have->second < fs.active_count) found.push_back(fmt::format("{} wants {} active metadata servers and has {}", what, fs.active_count, have == mdss_of.end() ? 0 : have->second));
    if (have != mdss_of.end()) mdss_of.erase(have);
    if (fs.active_count < 1) found.push_back(what + " needs an active metadata server");
    if (fs.data_pools.empty()) found.push_back(what + " needs a data pool");
    std::vector<std::string> its_pools = fs.data_pools;
    its_pools.insert(its_pools.begin(), fs.metadata_pool);
    for (const std::string& name : its_pools) {
      const auto pool = std::find_if(config.pools.begin(), config.pools.end(), [&](const PoolConfig& one) { return one.name == name; });
      if (pool == config.pools.end()) {
        found.push_back(fmt::format("{}: there is no pool '{}'", what, name));
      } else if (pool->erasure && name == fs.metadata_pool) {
        found.push_back(fmt::format("{}: the metadata pool '{}' is erasure-coded, which Ceph refuses", what, name));
      }
      const auto [place, is_new] = taken.emplace(name, fs.name);
      if (!is_new) found.push_back(fmt::format("{}: pool '{}' is {}", what, name, place->second == fs.name ? "named twice" : fmt::format("used by file system '{}'", place->second)));
    }
  }
  for (const auto& [fs, count] : mdss_of) found.push_back(fmt::format("{} metadata servers are for file system '{}', which does not exist", count, fs));
  for (const std::string& name : config.disallowed_leaders) {
    if (std::none_of(config.mons.begin(), config.mons.end(), [&](const DaemonConfig& mon) { return mon.name == name; })) {
      found.push_back(fmt::format("mon '{}', which may not lead, does not exist", name));
    }
  }
  if (!is_one_of(config.osd.down_out_subtree_limit, {"", "host", "rack", "root"})) {
    found.push_back(fmt::format("mon_osd_down_out_subtree_limit '{}' is not host, rack, root or empty", config.osd.down_out_subtree_limit));
  }
  if (!is_one_of(config.osd.reporter_subtree_level, {"osd", "host", "rack"})) {
    found.push_back(fmt::format("mon_osd_reporter_subtree_level '{}' is not osd, host or rack", config.osd.reporter_subtree_level));
  }
  return found;
}

CephCluster::CephCluster(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ClusterConfig config)
    : engine_(engine), log_(log), random_(random), hosts_(hosts), config_(std::move(config)), network_(hosts), latency_(engine) {
  const std::vector<std::string> wrong = problems(config_, hosts);
  SIM_CHECK(wrong.empty(), "the configuration was checked before");
  const Context context{engine_, log_, random_, hosts_, network_, config_};
  for (const OsdConfig& one : config_.osds) {
    Osd osd;
    osd.id = static_cast<int>(osds_.size());
    osd.name = fmt::format("osd.{}", osd.id);
    osd.host = hosts_.find(one.host);
    osd.location = static_cast<std::size_t>(std::find_if(config_.hosts.begin(), config_.hosts.end(), [&](const HostConfig& host) { return host.host == one.host; }) - config_.hosts.begin());
    osd.device_class = one.device_class;
    osd.is_rotational = one.device_class == "hdd";
    osd.capacity = one.capacity_bytes;
    osd.other_used = one.other_used_bytes;
    osd.is_on_system_disk = one.on_system_disk;
    osd.bandwidth = one.on_system_disk ? hosts_.spec(osd.host).disk_bytes_per_second : one.bandwidth > 0.0 ? one.bandwidth : osd.is_rotational ? config_.osd.bandwidth_hdd : config_.osd.bandwidth_ssd;
    osd.timer = Timer(engine_);
    osds_.push_back(std::move(osd));
  }
  monitors_ = std::make_unique<Monitors>(context);
  managers_ = std::make_unique<Managers>(context, *monitors_);
  osd_monitor_ = std::make_unique<OsdMonitor>(context, *monitors_, osds_, map_);
  daemons_ = std::make_unique<OsdDaemons>(context, *osd_monitor_, osds_);
  pgs_ = std::make_unique<PlacementGroups>(context, *monitors_, *osd_monitor_, *daemons_, osds_, map_);
  system_disks_ = std::make_unique<SystemDisks>(hosts_, osds_);
  recovery_ = std::make_unique<Recovery>(context, *pgs_, *osd_monitor_, *daemons_, osds_, *system_disks_);
  detection_ = std::make_unique<FailureDetection>(context, *monitors_, *osd_monitor_, *daemons_, osds_);
  down_out_ = std::make_unique<DownOut>(context, *monitors_, *osd_monitor_, osds_);
  fullness_ = std::make_unique<FullnessWatch>(context, *osd_monitor_, *pgs_, osds_);
  file_systems_ = std::make_unique<FileSystems>(context, *monitors_, *pgs_);
  pgs_->set_recovery(*recovery_);

  osd_monitor_->is_heard = [this](int id) { return daemons_->is_process_alive(id) && monitors_->reachable_from(osd(id).host); };
  osd_monitor_->is_healthy = [this](int id) { return detection_->is_healthy(id); };
  osd_monitor_->on_epoch = [this](const EpochChange& change) { epoch_changed(change); };
  detection_->pg_peers = [this](int id) { return pgs_->peers_of(id); };
  daemons_->on_change = [this](int id) {
    gathered_.push_back(id);
    if (!gathering_) links_changed();
  };
  daemons_->on_data_lost = [this](int id) { pgs_->data_lost(id); };
  daemons_->on_speed = [this](int) {
    recovery_->speeds_changed();
    disks_changed();
  };
  system_disks_->on_latency = [this] { disks_changed(); };
  // Who acts decides whose disk is waited for.
  pgs_->on_state([this](const Pg&, std::uint32_t) {
    if (has_slow_disk_) latency_changed();
  });
  pgs_->on_usage = [this](int id) {
    if (started_) fullness_->usage_changed(id);
  };
  monitors_->on_quorum([this](bool has) {
    if (has) osd_monitor_->retry();
    managers_->links_changed();
    detection_->update();
    down_out_->update();
    file_systems_->links_changed();
  });
  if (!config_.file_systems.empty()) {
    pgs_->on_io([this](const Pg& pg, bool) { file_systems_->pool_changed(pg.pool); });
  }
  managers_->on_available = [this](bool available) {
    frozen_states_.clear();
    for (std::uint32_t i = 0; !available && i < pgs_->size(); ++i) frozen_states_.push_back(pgs_->pg(i).state);
    for (std::size_t i = 0; i < manager_listeners_.size(); ++i) manager_listeners_[i](available);
  };
  build_crush();
}

CephCluster::~CephCluster() = default;

void CephCluster::build_crush() {
  crush::CrushMap map = crush::CrushMap::with_default_types();
  const auto type = [&map](std::string_view name) { return *map.type_id(name); };
  const std::int32_t root = map.add_bucket("default", type("root"));
  for (std::size_t i = 0; i < config_.hosts.size(); ++i) {
    const HostConfig& host = config_.hosts[i];
    if (std::none_of(osds_.begin(), osds_.end(), [i](const Osd& osd) { return osd.location == i; })) continue;
    std::int32_t above = root;
    if (!host.rack.empty()) {
      const std::optional<std::int32_t> rack = map.item_id(host.rack);
      above = rack ? *rack : map.add_bucket(host.rack, type("rack"));
      if (!rack) map.insert_item(above, 0, root);
    }
    const std::int32_t bucket = map.add_bucket(host.host, type("host"));
    map.insert_item(bucket, 0, above);
    for (const Osd& osd : osds_) {
      if (osd.location != i) continue;
      const double configured = config_.osds[static_cast<std::size_t>(osd.id)].crush_weight;
      const double weight = configured > 0.0 ? configured : static_cast<double>(osd.capacity) / kTebibyte;
      map.insert_device(osd.id, crush::weight_from_float(static_cast<float>(weight)), bucket, osd.device_class);
    }
  }
  std::string error;
  SIM_CHECK(map.rebuild_shadows(&error), "a tree of straw2 buckets has shadows");
  for (const PoolConfig& pool : config_.pools) {
    const std::string name = fmt::format("{}_{}{}{}", pool.erasure ? "erasure" : "replicated", pool.failure_domain, pool.device_class.empty() ? "" : "_", pool.device_class);
    if (map.rule_id(name)) continue;
    const std::optional<int> rule = pool.erasure ? map.add_erasure_rule(name, "default", pool.failure_domain, pool.device_class, &error)
                                                 : map.add_replicated_rule(name, "default", pool.failure_domain, pool.device_class, &error);
    SIM_CHECK(rule.has_value(), "root, failure domain and class of a rule exist");
  }
  map_.set_crush(std::move(map));
  map_.fsid = config_.fsid;
  map_.set_max_osd(static_cast<std::int32_t>(osds_.size()));
}

int CephCluster::rule_for(const PoolConfig& pool) {
  return *map_.crush().rule_id(fmt::format("{}_{}{}{}", pool.erasure ? "erasure" : "replicated", pool.failure_domain, pool.device_class.empty() ? "" : "_", pool.device_class));
}

void CephCluster::start() {
  SIM_CHECK(!started_, "a cluster starts once");
  for (Osd& osd : osds_) {
    const bool runs = hosts_.is_running(osd.host);
    map_.set_exists(osd.id, true);
    map_.set_up(osd.id, runs);
    map_.set_in(osd.id);
    osd.process = runs ? OsdProcess::kRunning : OsdProcess::kStopped;
    osd.answers_pings = runs;
    osd.fresh_process = false;
    osd.up_from = runs ? map_.epoch : 0;
    osd.map_changed = osd.out_clock = osd.down_stamp = engine_.now();
  }
  recovery_->speeds_changed();
  monitors_->start();
  managers_->start();
  for (const PoolConfig& pool : config_.pools) pgs_->add_pool(pool, rule_for(pool));
  started_ = true;
  file_systems_->start();
  recovery_->speeds_changed();
  for (const Osd& osd : osds_) fullness_->usage_changed(osd.id);
  detection_->update();
  down_out_->update();
  const std::weak_ptr<bool> alive = alive_;
  hosts_.on_change([this, alive](const host::Hosts::Change& change) {
    if (!alive.expired()) host_changed(change);
  });
}

void CephCluster::host_changed(const host::Hosts::Change& change) {
  using What = host::Hosts::Change::What;
  const host::HostId host = change.host;
  // Clients and metadata servers are on any host.
  if (change.what == What::kDown) file_systems_->host_down(host);
  if (std::none_of(config_.hosts.begin(), config_.hosts.end(), [&](const HostConfig& one) { return hosts_.find(one.host) == host; })) {
    file_systems_->links_changed();
    return;
  }
  gathering_ = true;
  if (change.what == What::kDown) {
    daemons_->host_down(host);
    monitors_->host_down(host);
    managers_->host_down(host);
  } else if (change.what == What::kUp && config_.daemons_start_with_host) {
    const SimDuration wait = random_.stream("ceph/daemons-after-boot", fmt::format("{}#{}", hosts_.spec(host).name, hosts_.boots(host)))
                                 .lognormal(config_.daemon_start_after_boot.median, config_.daemon_start_after_boot.sigma);
    const std::weak_ptr<bool> alive = alive_;
    engine_.after(wait, [this, alive, host] {
      if (alive.expired()) return;
      monitors_->host_up(host);
      managers_->host_up(host);
      file_systems_->host_up(host);
      daemons_->host_up(host);
    });
  }
  for (const Osd& osd : osds_) {
    if (osd.host == host) gathered_.push_back(osd.id);
  }
  gathering_ = false;
  links_changed();
}

void CephCluster::links_changed() {
  std::vector<int> osds = std::exchange(gathered_, {});
  std::sort(osds.begin(), osds.end());
  osds.erase(std::unique(osds.begin(), osds.end()), osds.end());
  monitors_->links_changed();
  managers_->links_changed();
  osd_monitor_->retry();
  if (!osds.empty()) pgs_->answers_changed(osds);
  recovery_->speeds_changed();
  detection_->update();
  file_systems_->links_changed();
}

void CephCluster::epoch_changed(const EpochChange& change) {
  pgs_->epoch_changed(change);
  if (!change.osds.empty()) daemons_->map_changed(change.osds);
  if (change.fullness || !change.osds.empty() || !change.went_out.empty() || change.weights) fullness_->map_changed();
  if (!change.osds.empty() || change.flags) detection_->update();
  if (!change.osds.empty() || !change.went_out.empty() || change.weights || change.flags) down_out_->update();
  if (!change.osds.empty()) recovery_->speeds_changed();
  if (change.flags) osd_monitor_->retry();
  for (std::size_t i = 0; i < epoch_listeners_.size(); ++i) epoch_listeners_[i]();
}

void CephCluster::disks_changed() {
  has_slow_disk_ = std::any_of(osds_.begin(), osds_.end(), [](const Osd& osd) { return osd.latency_factor() > 1.0; });
  latency_changed();
}

void CephCluster::latency_changed() {
  if (latency_listeners_.empty() || latency_.is_pending()) return;
  latency_.set_after(SimDuration::zero(), [this] {
    for (std::size_t i = 0; i < latency_listeners_.size(); ++i) latency_listeners_[i]();
  });
}

SimDuration CephCluster::operation_time(int id) const {
  const Osd& one = osd(id);
  return from_seconds(seconds(one.is_rotational ? config_.osd.client_latency_hdd : config_.osd.client_latency_ssd) * one.latency_factor());
}

SimDuration CephCluster::write_latency(const Pg& pg) const {
  SimDuration slowest{};
  for (const int id : pg.acting) {
    if (id != kNoOsd) slowest = std::max(slowest, operation_time(id));
  }
  return slowest;
}

SimDuration CephCluster::read_latency(const Pg& pg) const { return pg.primary < 0 ? SimDuration{} : operation_time(pg.primary); }

WriteLatency CephCluster::write_latency(std::size_t index) const {
  const PoolState& pool = pgs_->pools()[index];
  WriteLatency result;
  SimDuration sum{};
  for (std::uint32_t i = 0; i < pool.pg_num; ++i) {
    const SimDuration one = write_latency(pgs_->pg(pool.first_pg + i));
    sum += one;
    if (one <= result.worst) continue;
    result.worst = one;
    result.slowest_pg = pool.first_pg + i;
  }
  result.mean = sum / static_cast<std::int64_t>(std::max(1u, pool.pg_num));
  return result;
}

void CephCluster::kill_mon(std::string_view name) {
  if (const auto mon = monitors_->find(name)) {
    monitors_->kill(*mon, "its process ended");
    links_changed();
  }
}
void CephCluster::start_mon(std::string_view name) {
  if (const auto mon = monitors_->find(name)) monitors_->start_daemon(*mon);
}
bool CephCluster::add_mon(std::string_view name, std::string_view host) {
  const host::HostId where = hosts_.find(host);
  return where && monitors_->add(name, where).has_value();
}
bool CephCluster::remove_mon(std::string_view name) {
  const auto mon = monitors_->find(name);
  return mon && monitors_->remove(*mon);
}
void CephCluster::set_clock_skew(std::string_view mon, SimDuration skew) {
  if (const auto found = monitors_->find(mon)) monitors_->set_clock_skew(*found, skew);
}

void CephCluster::kill_mgr(std::string_view name) {
  for (std::size_t i = 0; i < managers_->size(); ++i) {
    if (managers_->name(i) == name) managers_->kill(i, "its process ended");
  }
}
void CephCluster::start_mgr(std::string_view name) {
  for (std::size_t i = 0; i < managers_->size(); ++i) {
    if (managers_->name(i) == name) managers_->start_daemon(i);
  }
}

void CephCluster::kill_mds(std::string_view name, Kill how, std::string_view why) {
  if (const auto mds = file_systems_->find_mds(name)) file_systems_->kill(*mds, how, why);
}
void CephCluster::start_mds(std::string_view name, std::string_view host) {
  const host::HostId where = hosts_.find(host);
  if (const auto mds = file_systems_->find_mds(name); mds && where) file_systems_->start_daemon(*mds, where);
}

void CephCluster::kill_osd(int osd, Kill how, std::string_view why) { daemons_->kill(osd, how, why); }
void CephCluster::start_osd(int osd) { daemons_->start_daemon(osd); }
void CephCluster::fail_disk(int osd) { daemons_->fail_disk(osd); }

void CephCluster::fill_disk(int osd, std::int64_t other_bytes) {
  Osd& self = osds_[static_cast<std::size_t>(osd)];
  self.other_used = other_bytes;
  self.cause = log_.record("OsdDiskFilled", fmt::format("osd/{}", osd), fmt::format("the disk of {} is {:.1f}% full", self.name, 100.0 * self.used_ratio()));
  const ScopedCause because(engine_, self.cause);
  fullness_->usage_changed(osd);
}

void CephCluster::set_pool_bytes(std::string_view pool, std::int64_t bytes) {
  if (const auto index = pool_index(pool)) pgs_->set_stored(*index, bytes);
}

void CephCluster::cut_network(std::string_view host, Plane plane, bool cut) {
  const host::HostId where = hosts_.find(host);
  if (!where) return;
  network_.set_cut(where, plane, cut);
  const ScopedCause because(engine_, log_.record(cut ? "CephNetworkCut" : "CephNetworkRestored", fmt::format("host/{}", host),
                                                 fmt::format("{} {} the {} network of Ceph", host, cut ? "lost" : "has again", plane == Plane::kPublic ? "public" : "cluster")));
  for (const Osd& osd : osds_) {
    if (osd.host == where) gathered_.push_back(osd.id);
  }
  links_changed();
}

bool CephCluster::set_flag(std::string_view flag, bool on) {
  if (flag == "pause") return set_flag("pauserd", on) && set_flag("pausewr", on);
  if (!OsdMonitor::is_known_flag(flag)) return false;
  osd_monitor_->request({.kind = MapRequest::Kind::kFlag, .on = on, .text = std::string(flag)});
  return true;
}
void CephCluster::set_noout(int osd, bool on) { osd_monitor_->request({.kind = MapRequest::Kind::kNoout, .osd = osd, .on = on}); }
void CephCluster::mark_out(int osd) { osd_monitor_->request({.kind = MapRequest::Kind::kOut, .osd = osd}); }
void CephCluster::mark_in(int osd) { osd_monitor_->request({.kind = MapRequest::Kind::kIn, .osd = osd}); }
void CephCluster::mark_down(int id) {
  osd_monitor_->request({.kind = MapRequest::Kind::kDown, .osd = id, .epoch = osd(id).up_from, .text = "command"});
}
void CephCluster::mark_lost(int osd) { osd_monitor_->request({.kind = MapRequest::Kind::kLost, .osd = osd}); }
void CephCluster::reweight(int osd, double weight) {
  const auto fixed = static_cast<std::uint32_t>(std::clamp(weight, 0.0, 1.0) * 65536.0);
  osd_monitor_->request({.kind = MapRequest::Kind::kReweight, .osd = osd, .weight = fixed});
}

std::optional<std::size_t> CephCluster::pool_index(std::string_view name) const {
  for (std::size_t i = 0; i < pgs_->pools().size(); ++i) {
    if (pgs_->pools()[i].config.name == name) return i;
  }
  return std::nullopt;
}

bool CephCluster::pool_available(std::string_view pool) const {
  const auto index = pool_index(pool);
  return index && pgs_->pools()[*index].blocked == 0;
}
bool CephCluster::pg_active(std::string_view pool, std::uint32_t seed) const {
  const auto index = pool_index(pool);
  if (!index || seed >= pgs_->pools()[*index].pg_num) return false;
  return PlacementGroups::is_active(pgs_->pg(pgs_->pools()[*index].first_pg + seed));
}
bool CephCluster::pg_serves(std::string_view pool, std::uint32_t seed) const {
  const auto index = pool_index(pool);
  if (!index || seed >= pgs_->pools()[*index].pg_num) return false;
  return pgs_->pg(pgs_->pools()[*index].first_pg + seed).takes_writes;
}

std::vector<std::uint32_t> CephCluster::pgs_of(const Volume& volume) const {
  std::vector<std::uint32_t> seeds;
  const crush::Pool* pool = map_.pool(volume.pool);
  if (pool == nullptr) return seeds;
  constexpr std::int64_t kObjectBytes = 4 << 20;
  const std::int64_t objects = std::max<std::int64_t>(1, (volume.bytes + kObjectBytes - 1) / kObjectBytes);
  std::vector<bool> hit(pool->pg_num, false);
  std::size_t left = pool->pg_num;
  for (std::int64_t i = 0; i < objects && left > 0; ++i) {
    const crush::PgId raw = crush::OsdMap::object_to_raw_pg(*pool, fmt::format("rbd_data.{}.{:016x}", volume.image_id, i));
    const crush::PgId pg = crush::OsdMap::raw_to_pg(*pool, raw);
    if (!hit[pg.seed]) --left;
    hit[pg.seed] = true;
  }
  for (std::uint32_t seed = 0; seed < pool->pg_num; ++seed) {
    if (hit[seed]) seeds.push_back(seed);
  }
  return seeds;
}

bool CephCluster::serves_client(const Pg& pg, host::HostId client) const {
  return pgs_->serves_writes(pg) && pg.primary >= 0 && network_.reaches(client, osd(pg.primary).host, Plane::kPublic);
}

bool CephCluster::volume_serves(const Volume& volume) const {
  const std::vector<std::uint32_t> seeds = pgs_of(volume);
  return !seeds.empty() && std::all_of(seeds.begin(), seeds.end(), [&](std::uint32_t seed) { return pg_serves(volume.pool, seed); });
}

bool CephCluster::volume_serves(const Volume& volume, host::HostId client) const {
  const auto index = pool_index(volume.pool);
  if (!index || !volume_serves(volume)) return false;
  for (const std::uint32_t seed : pgs_of(volume)) {
    const Pg& pg = pgs_->pg(pgs_->pools()[*index].first_pg + seed);
    if (pg.primary < 0 || !network_.reaches(client, osd(pg.primary).host, Plane::kPublic)) return false;
  }
  return true;
}

bool CephCluster::all_clean() const {
  const auto& states = pgs_->states();
  return states.size() <= 1 && (states.empty() || states.begin()->first == (kPgActive | kPgClean));
}

std::uint32_t CephCluster::told_state(const Pg& pg) const {
  if (managers_->is_available()) return pg.state;
  if (managers_->active() && managers_->active_since() > SimTime{} && engine_.now() < managers_->available_since()) return kPgUnknown;
  return pg.index < frozen_states_.size() ? frozen_states_[pg.index] : pg.state;
}

}  // namespace sim::ceph

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "analysis/survival.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"

namespace analysis {

namespace {

using sim::ceph::CephCluster;
using sim::ceph::ClusterConfig;

/// The cluster on machines of its own, in a world of nothing else.
struct Bench {
  Bench(const ClusterConfig& config, std::uint64_t seed) : random(seed) {
    for (const sim::ceph::HostConfig& host : config.hosts) {
      topology.add(sim::topology::ElementKind::kHost, host.host);
      sim::host::HostSpec machine;
      machine.name = host.host;
      ids.push_back(hosts.add(std::move(machine)));
    }
    cluster = std::make_unique<CephCluster>(engine, log, random, hosts, config);
    cluster->start();
  }

  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::Randomness random;
  sim::topology::Topology topology{engine, log};
  sim::host::Hosts hosts{engine, log, random, topology};
  std::vector<sim::host::HostId> ids;
  std::unique_ptr<CephCluster> cluster;
};

constexpr sim::SimDuration kSettle = std::chrono::minutes(1);  // elections of the start are over
constexpr std::uint64_t kStopLookEvery = 1024;

std::vector<std::uint32_t> blocked_of(const CephCluster& cluster) {
  std::vector<std::uint32_t> blocked;
  for (const sim::ceph::PoolState& pool : cluster.pgs().pools()) blocked.push_back(pool.blocked);
  return blocked;
}

}  // namespace

struct Placement::Impl {
  explicit Impl(const ClusterConfig& config) : bench(config, 1) {}
  Bench bench;
};

Placement::Placement(const ClusterConfig& config) : impl_(std::make_unique<Impl>(config)), by_osd_(config.osds.size()) {
  const sim::ceph::PlacementGroups& pgs = impl_->bench.cluster->pgs();
  for (const sim::ceph::PoolState& pool : pgs.pools()) {
    pools_.push_back({pool.pg_num, pool.size, pool.min_size, pool.needed, pool.shard_bytes, pool.first_pg});
  }
  for (std::uint32_t i = 0; i < pgs.size(); ++i) {
    const sim::ceph::Pg& pg = pgs.pg(i);
    pool_of_.push_back(pg.pool);
    members_.push_back(pg.raw);
    for (const int osd : pg.raw) {
      if (osd != sim::ceph::kNoOsd) by_osd_[static_cast<std::size_t>(osd)].push_back(i);
    }
  }
}

Placement::~Placement() = default;

std::vector<int> Placement::members_with(std::size_t index, const std::vector<std::uint32_t>& weights) const {
  const sim::ceph::crush::OsdMap& map = impl_->bench.cluster->map();
  const sim::ceph::Pg& pg = impl_->bench.cluster->pgs().pg(static_cast<std::uint32_t>(index));
  const sim::ceph::crush::Pool& pool = *map.pool(pg.id.pool);
  std::vector<std::int32_t> found;
  map.mapper().do_rule(pool.crush_rule, sim::ceph::crush::OsdMap::placement_seed(pool, pg.id.seed), static_cast<int>(pool.size), weights, pool.id, found);
  return {found.begin(), found.end()};
}

SimulatedLoss simulate_loss(const ClusterConfig& config, const Damage& damage, std::uint64_t seed, sim::SimDuration horizon, const std::atomic<bool>* stop,
                            sim::SimDuration look) {
  Bench bench(config, seed);
  CephCluster& cluster = *bench.cluster;
  bench.engine.run_until(sim::SimTime(kSettle));
  const sim::SimTime from = bench.engine.now();
  for (const std::size_t host : damage.hosts) bench.hosts.crash(bench.ids[host]);
  for (const int disk : damage.disks) cluster.fail_disk(disk);
  for (const std::size_t mon : damage.mons) cluster.kill_mon(config.mons[mon].name);
  bench.engine.run_until(from);

  SimulatedLoss result;
  result.paused = blocked_of(cluster);
  const std::size_t pools = result.paused.size();
  result.lost.assign(pools, 0);
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const sim::ceph::Pg& pg = cluster.pgs().pg(i);
    const auto whole = std::count_if(pg.shards.begin(), pg.shards.end(), [](const sim::ceph::Shard& shard) { return shard.is_complete(); });
    if (static_cast<std::size_t>(whole) < cluster.pgs().pool_of(pg).needed) ++result.lost[pg.pool];
  }
  result.back.assign(pools, kNeverBack);
  std::size_t waiting = 0;
  for (std::size_t i = 0; i < pools; ++i) {
    if (result.paused[i] == 0) result.back[i] = sim::SimDuration::zero();
    else ++waiting;
  }
  const auto look_for_returns = [&] {
    for (std::size_t i = 0; i < pools; ++i) {
      if (result.back[i] != kNeverBack || cluster.pgs().pools()[i].blocked != 0) continue;
      result.back[i] = bench.engine.now() - from;
      --waiting;
    }
  };
  bool looked = false;
  const auto take_a_look = [&] {
    looked = true;
    result.stopped = blocked_of(cluster);
    result.quorum = cluster.has_quorum();
  };
  for (std::uint64_t steps = 0; waiting > 0 || !looked; ++steps) {
    if (steps % kStopLookEvery == 0 && stop != nullptr && stop->load()) {
      result.complete = false;
      break;
    }
    const sim::SimTime next = bench.engine.next_event_time();
    if (!looked && next > from + look) {
      bench.engine.run_until(from + look);
      take_a_look();
      continue;
    }
    if (next > from + horizon || !bench.engine.step()) break;
    look_for_returns();
  }
  if (!looked) take_a_look();
  return result;
}

// "1 1 back paused stopped lost  back ...": quorum, complete, then four numbers a pool.
std::string loss_line(const SimulatedLoss& loss) {
  std::string line = fmt::format("{} {}", loss.quorum ? 1 : 0, loss.complete ? 1 : 0);
  for (std::size_t p = 0; p < loss.back.size(); ++p) line += fmt::format(" {} {} {} {}", loss.back[p].count(), loss.paused[p], loss.stopped[p], loss.lost[p]);
  return line;
}

bool read_loss_line(const std::string& line, std::size_t pools, SimulatedLoss& loss) {
  std::istringstream in(line);
  int quorum = 0;
  int complete = 0;
  if (!(in >> quorum >> complete)) return false;
  loss = {};
  loss.quorum = quorum == 1;
  loss.complete = complete == 1;
  for (std::size_t p = 0; p < pools; ++p) {
    std::int64_t back = 0;
    std::uint32_t paused = 0;
    std::uint32_t stopped = 0;
    std::uint32_t lost = 0;
    if (!(in >> back >> paused >> stopped >> lost)) return false;
    loss.back.emplace_back(back);
    loss.paused.push_back(paused);
    loss.stopped.push_back(stopped);
    loss.lost.push_back(lost);
  }
  std::string rest;
  return !(in >> rest);
}

}  // namespace analysis

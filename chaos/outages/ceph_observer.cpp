#include "chaos/outages/ceph_observer.hpp"

#include "sim/models/rook/rook.hpp"

namespace chaos {

using sim::ceph::CephCluster;
using sim::ceph::Pg;

CephObserver::CephObserver(sim::World& world) : world_(world) {}
CephObserver::~CephObserver() = default;

bool CephObserver::present() const { return world_.rook != nullptr; }

void CephObserver::start() {
  if (!present()) return;
  CephCluster& cluster = world_.rook->cluster();
  for (const sim::ceph::PoolConfig& pool : cluster.config().pools) pools_.push_back(CephPoolHistory{pool.name, {}, {}});
  blocked_.resize(pools_.size(), 0);
  for (std::size_t fs = 0; fs < cluster.file_systems().size(); ++fs) file_systems_.push_back({cluster.file_systems().at(fs).config.name, {}});
  cluster.file_systems().on_change([this, alive = std::weak_ptr<bool>(alive_)](std::size_t fs) {
    if (!alive.expired()) look_at_file_system(fs);
  });
  cluster.on_latency([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) look_at_latency();
  });
  sim::rook::ObjectStores& stores = world_.rook->object_stores();
  for (std::size_t store = 0; store < stores.size(); ++store) object_stores_.push_back({stores.name(store), {}});
  stores.on_change([this, alive = std::weak_ptr<bool>(alive_)](std::size_t store) {
    if (!alive.expired()) look_at_object_store(store);
  });
  cluster.on_quorum([this, alive = std::weak_ptr<bool>(alive_)](bool has) {
    if (!alive.expired()) quorum_.set(world_.engine.now(), has ? 1.0 : 0.0, world_.engine.cause());
  });
  cluster.on_io([this, alive = std::weak_ptr<bool>(alive_)](const Pg& pg, bool serves) {
    if (alive.expired()) return;
    blocked_[pg.pool] += serves ? -1 : 1;
    const double all = static_cast<double>(world_.rook->cluster().pgs().pools()[pg.pool].pg_num);
    pools_[pg.pool].serves.set(world_.engine.now(), 1.0 - static_cast<double>(blocked_[pg.pool]) / all, world_.engine.cause());
  });
}

void CephObserver::look() {
  if (!present()) return;
  const CephCluster& cluster = world_.rook->cluster();
  if (quorum_.empty()) quorum_.set(world_.engine.now(), cluster.has_quorum() ? 1.0 : 0.0, world_.engine.cause());
  for (std::size_t fs = 0; fs < file_systems_.size(); ++fs) {
    if (file_systems_[fs].serves.empty()) look_at_file_system(fs);
  }
  look_at_latency();
  blocked_.assign(pools_.size(), 0);
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    if (!cluster.pgs().serves_writes(pg)) ++blocked_[pg.pool];
  }
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const double all = static_cast<double>(cluster.pgs().pools()[i].pg_num);
    if (pools_[i].serves.empty()) pools_[i].serves.set(world_.engine.now(), 1.0 - static_cast<double>(blocked_[i]) / all, world_.engine.cause());
  }
}

const CephPoolHistory* CephObserver::pool(std::string_view name) const {
  for (const CephPoolHistory& pool : pools_) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

void CephObserver::look_at_file_system(std::size_t fs) {
  const sim::ceph::FileSystems& all = world_.rook->cluster().file_systems();
  const std::size_t ranks = all.at(fs).ranks.size();
  std::size_t serving = 0;
  for (std::size_t rank = 0; rank < ranks; ++rank) serving += all.rank_serves(fs, static_cast<int>(rank)) ? 1u : 0u;
  file_systems_[fs].serves.set(world_.engine.now(), static_cast<double>(serving) / static_cast<double>(ranks), world_.engine.cause());
}

void CephObserver::look_at_latency() {
  const CephCluster& cluster = world_.rook->cluster();
  for (std::size_t i = 0; i < pools_.size(); ++i) pools_[i].latency.set(world_.engine.now(), sim::seconds(cluster.write_latency(i).worst), world_.engine.cause());
}

/// It counts from when it first serves.
void CephObserver::look_at_object_store(std::size_t store) {
  const double share = world_.rook->object_stores().answered(store);
  if (share <= 0.0 && object_stores_[store].serves.empty()) return;
  object_stores_[store].serves.set(world_.engine.now(), share, world_.engine.cause());
}

const CephServiceHistory* CephObserver::object_store(std::string_view name) const {
  for (const CephServiceHistory& store : object_stores_) {
    if (store.name == name) return &store;
  }
  return nullptr;
}

const CephServiceHistory* CephObserver::file_system(std::string_view name) const {
  for (const CephServiceHistory& fs : file_systems_) {
    if (fs.name == name) return &fs;
  }
  return nullptr;
}

std::uint64_t CephObserver::lost_writes() const {
  std::uint64_t lost = 0;
  if (!present()) return lost;
  const CephCluster& cluster = world_.rook->cluster();
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) lost += cluster.pgs().pg(i).lost_writes;
  return lost;
}

}  // namespace chaos

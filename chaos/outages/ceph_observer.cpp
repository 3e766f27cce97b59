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
  for (const sim::ceph::PoolConfig& pool : cluster.config().pools) pools_.push_back(CephPoolHistory{pool.name, {}});
  blocked_.resize(pools_.size(), 0);
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

std::uint64_t CephObserver::lost_writes() const {
  std::uint64_t lost = 0;
  if (!present()) return lost;
  const CephCluster& cluster = world_.rook->cluster();
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) lost += cluster.pgs().pg(i).lost_writes;
  return lost;
}

}  // namespace chaos

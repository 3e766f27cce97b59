#include "sim/models/rook/object_stores.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "sim/core/check.hpp"
#include "sim/models/rook/daemon_pods.hpp"

namespace sim::rook {

using k8s::Ref;

namespace {

using namespace std::chrono_literals;

// A gateway's process from start to its first word with Ceph (proposed).
constexpr SimDuration kStart = 5s;
constexpr double kStartSigma = 0.4;

}  // namespace

ObjectStores::ObjectStores(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets,
                           ceph::CephCluster& cluster, const RookConfig& config)
    : engine_(engine), log_(log), random_(random), hosts_(hosts), api_(api), kubelets_(kubelets), cluster_(cluster), name_space_(config.name_space), look_(engine) {
  for (const ObjectStoreConfig& one : config.object_stores) {
    Store store;
    store.config = one;
    stores_.push_back(std::move(store));
  }
}

void ObjectStores::start() {
  if (stores_.empty()) return;
  for (Store& store : stores_) {
    const std::vector<ceph::PoolState>& pools = cluster_.pgs().pools();
    const auto index = [&](const std::string& name) {
      const auto found = std::find_if(pools.begin(), pools.end(), [&](const ceph::PoolState& pool) { return pool.config.name == name; });
      SIM_CHECK(found != pools.end(), "the reader has looked up the pools of object stores");
      return static_cast<std::size_t>(found - pools.begin());
    };
    store.metadata_pool = index(store.config.metadata_pool);
    store.data_pool = index(store.config.data_pool);
  }
  const auto soon = [this, alive = std::weak_ptr<bool>(alive_)](auto&&...) {
    if (!alive.expired()) look_soon();
  };
  cluster_.on_quorum(soon);
  cluster_.on_io([this, alive = std::weak_ptr<bool>(alive_)](const ceph::Pg&, bool serves) {
    if (alive.expired()) return;
    if (!serves) blocked_cause_ = engine_.cause();
    look_soon();
  });
  hosts_.on_change(soon);
  kubelets_.on_serving([this, alive = std::weak_ptr<bool>(alive_)](Ref<k8s::Pod> pod, bool serving) {
    if (!alive.expired()) pod_changed(pod, serving);
  });
}

double ObjectStores::answered(std::size_t index) const {
  double sum = 0.0;
  std::size_t count = 0;
  for (const auto& [pod, gateway] : stores_[index].gateways) {
    if (!gateway.has_started || !kubelets_.is_really_running(pod)) continue;
    ++count;
    const bool is_there = hosts_.is_running(gateway.host) && hosts_.has_network(gateway.host);
    if (!gateway.is_full && is_there) sum += 1.0 - gateway.hangs;
  }
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

std::size_t ObjectStores::gateways(std::size_t store) const {
  return static_cast<std::size_t>(std::count_if(stores_[store].gateways.begin(), stores_[store].gateways.end(), [](const auto& entry) { return entry.second.has_started; }));
}

void ObjectStores::pod_changed(Ref<k8s::Pod> ref, bool serving) {
  for (std::size_t i = 0; i < stores_.size(); ++i) {
    Store& store = stores_[i];
    const auto known = store.gateways.find(ref);
    if (known != store.gateways.end()) {
      // It ceased to serve because we said so, or because it is gone.
      if (!serving && !kubelets_.is_really_running(ref)) {
        store.gateways.erase(known);
        count_gateways();
      }
      look_soon();
      return;
    }
    const k8s::Pod* pod = serving ? api_.get(ref) : nullptr;
    if (pod == nullptr || api_.names().text(pod->meta.ns) != name_space_) continue;
    const auto owner = pod->meta.labels.find(api_.names().intern("rook_object_store"));
    const auto app = pod->meta.labels.find(api_.names().intern("app"));
    if (!owner || !app || api_.names().text(*owner) != store.config.name || api_.names().text(*app) != app_of(DaemonType::kRgw)) continue;
    Gateway gateway;
    gateway.name = api_.names().text(pod->meta.name);
    gateway.host = hosts_.find(api_.names().text(pod->node_name));
    gateway.start = Timer(engine_);
    gateway.full = Timer(engine_);
    const SimDuration time = random_.stream("rook/rgw-start", fmt::format("{}@{}", gateway.name, engine_.now().time_since_epoch().count())).lognormal(kStart, kStartSigma);
    gateway.start.set_after(time, [this, i, ref] {
      const auto found = stores_[i].gateways.find(ref);
      if (found == stores_[i].gateways.end()) return;
      found->second.is_starting = false;
      look_soon();
    });
    store.gateways.emplace(ref, std::move(gateway));
    kubelets_.set_unready(ref, k8s::Says::kObjectStore, true);
    return;
  }
}

void ObjectStores::look_soon() {
  if (look_.is_pending()) return;
  // Behind the placement groups, which tell of this instant at its end.
  look_.set_after(SimDuration::zero(), [this] { look_.set_after(SimDuration::zero(), [this] { look(); }); });
}

void ObjectStores::look() {
  const ScopedCause because(engine_, std::exchange(blocked_cause_, CauseId{}));
  for (std::size_t i = 0; i < stores_.size(); ++i) look_at(i);
}

double ObjectStores::hanging(std::size_t index, host::HostId host) const {
  const ceph::PoolState& pool = cluster_.pgs().pools()[index];
  std::uint32_t hang = 0;
  for (std::uint32_t i = 0; i < pool.pg_num; ++i) hang += cluster_.serves_client(cluster_.pgs().pg(pool.first_pg + i), host) ? 0u : 1u;
  return static_cast<double>(hang) / static_cast<double>(pool.pg_num);
}

double ObjectStores::hanging(const Store& store, const Gateway& gateway) const {
  return 1.0 - (1.0 - hanging(store.metadata_pool, gateway.host)) * (1.0 - hanging(store.data_pool, gateway.host));
}

void ObjectStores::look_at(std::size_t index) {
  Store& store = stores_[index];
  const SimTime now = engine_.now();
  std::vector<Ref<k8s::Pod>> started;
  for (auto& [ref, gateway] : store.gateways) {
    if (gateway.has_started || gateway.is_starting || !cluster_.monitors_reachable_from(gateway.host) || hanging(store, gateway) > 0.0) continue;
    gateway.has_started = true;
    gateway.counted_at = now;
    started.push_back(ref);
  }
  for (const Ref<k8s::Pod> ref : started) {
    const ScopedCause because(engine_, log_.record("GatewayStarted", fmt::format("rgw/{}", store.gateways.at(ref).name), fmt::format("{} serves {}", store.gateways.at(ref).name, store.config.name)));
    kubelets_.set_unready(ref, k8s::Says::kObjectStore, false);
  }
  if (!started.empty()) count_gateways();

  const std::size_t sharing = std::max<std::size_t>(1, gateways(index));
  const double each = store.config.requests_per_second / static_cast<double>(sharing);
  const double places = static_cast<double>(store.config.max_concurrent_requests);
  std::vector<Ref<k8s::Pod>> serve_again;
  for (auto& [ref, gateway] : store.gateways) {
    if (!gateway.has_started) continue;
    gateway.waiting = std::min(places, gateway.waiting + gateway.rate * seconds(now - gateway.counted_at));
    gateway.counted_at = now;
    const double hung = std::exchange(gateway.hangs, hanging(store, gateway));
    if (hung == 0.0) gateway.cause = engine_.cause();
    gateway.rate = each * gateway.hangs;
    if (gateway.hangs == 0.0) {
      gateway.waiting = 0.0;
      gateway.full.cancel();
      if (std::exchange(gateway.is_full, false)) serve_again.push_back(ref);
      continue;
    }
    if (gateway.is_full) continue;
    const SimDuration left = from_seconds(std::max(0.0, places - gateway.waiting) / gateway.rate);
    gateway.full.set_after(left, [this, index, pod = ref] { fill(index, pod); });
  }
  for (const Ref<k8s::Pod> ref : serve_again) {
    const ScopedCause because(engine_, log_.record("GatewayServes", fmt::format("rgw/{}", store.gateways.at(ref).name), "requests that hung are answered: it takes others again"));
    kubelets_.set_lacking(ref, k8s::Says::kObjectStore, false);
  }
  tell(index);
}

void ObjectStores::fill(std::size_t index, Ref<k8s::Pod> ref) {
  const auto found = stores_[index].gateways.find(ref);
  if (found == stores_[index].gateways.end() || found->second.is_full) return;
  Gateway& gateway = found->second;
  gateway.is_full = true;
  const ScopedCause of_hanging(engine_, gateway.cause);
  const ScopedCause because(engine_, log_.record("GatewayFull", fmt::format("rgw/{}", gateway.name),
                                                 fmt::format("requests that hang take all {} places of {}: it refuses every other (503)", stores_[index].config.max_concurrent_requests, gateway.name)));
  kubelets_.set_lacking(ref, k8s::Says::kObjectStore, true);
  tell(index);
}

void ObjectStores::tell(std::size_t index) {
  const double share = answered(index);
  if (share == stores_[index].told) return;
  stores_[index].told = share;
  for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i](index);
}

void ObjectStores::count_gateways() {
  std::size_t daemons = 0;
  std::size_t zones = 0;
  std::set<host::HostId> hosts;
  for (const Store& store : stores_) {
    std::size_t here = 0;
    for (const auto& [pod, gateway] : store.gateways) {
      if (!gateway.has_started) continue;
      ++here;
      hosts.insert(gateway.host);
    }
    daemons += here;
    zones += here > 0 ? 1u : 0u;
  }
  cluster_.set_gateways({daemons, hosts.size(), zones});
}

}  // namespace sim::rook

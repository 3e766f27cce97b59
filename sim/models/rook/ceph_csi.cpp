#include "sim/models/rook/ceph_csi.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::rook {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kProvision = 2s;
constexpr SimDuration kRemove = 2s;
constexpr SimDuration kAttach = 500ms;
constexpr SimDuration kMount = 2s;
constexpr SimDuration kUnmount = 500ms;

// What a call needs.
constexpr std::uint32_t kMonitors = 1;
constexpr std::uint32_t kIo = 2;

}  // namespace

CephCsi::CephCsi(Engine& engine, EventLog& log, k8s::ApiServer& api, host::Hosts& hosts, k8s::Storage& storage, ceph::CephCluster& cluster)
    : api_(api),
      hosts_(hosts),
      storage_(storage),
      cluster_(cluster),
      mounts_(engine, log, hosts, storage, cluster, "CephCSI/rbd", "RBD volume", [this](Symbol volume, Symbol node) { return is_io_possible(volume, node); }),
      calls_(engine, [this](const Calls::Call& call) { return is_possible(call); }) {
  storage_.serve(api_.names().intern("rook-ceph.rbd.csi.ceph.com"), *this);
  storage_.serve(api_.names().intern("rbd.csi.ceph.com"), *this);
}

void CephCsi::start() {
  mounts_.start([this] { calls_.wake(); });
}

/// The image of a volume: of the pool that its class names, as large as the volume.
CephCsi::Image& CephCsi::image_of(Symbol volume) {
  const auto [place, is_new] = images_.try_emplace(volume);
  if (!is_new) return place->second;
  Image& image = place->second;
  image.volume.image_id = api_.names().text(volume);
  const auto ref = api_.find<k8s::PersistentVolume>(Symbol{}, volume);
  const k8s::PersistentVolume* object = ref ? api_.get(ref) : nullptr;
  if (object != nullptr) {
    image.volume.bytes = object->bytes;
    const auto class_ref = object->storage_class ? api_.find<k8s::StorageClass>(Symbol{}, object->storage_class) : k8s::Ref<k8s::StorageClass>{};
    const k8s::StorageClass* storage_class = class_ref ? api_.get(class_ref) : nullptr;
    const Symbol key = api_.names().find("pool");
    if (storage_class != nullptr && key) {
      if (const std::optional<Symbol> pool = storage_class->parameters.find(key)) image.volume.pool = api_.names().text(*pool);
    }
  }
  // A volume that came without its class is in the first pool.
  if (image.volume.pool.empty() && !cluster_.config().pools.empty()) image.volume.pool = cluster_.config().pools.front().name;
  find_pgs(image);
  return image;
}

void CephCsi::find_pgs(Image& image) const {
  image.pgs.clear();
  for (const ceph::PoolState& pool : cluster_.pgs().pools()) {
    if (pool.config.name != image.volume.pool) continue;
    for (const std::uint32_t seed : cluster_.pgs_of(image.volume)) image.pgs.push_back(pool.first_pg + seed);
  }
}

bool CephCsi::is_io_possible(Symbol volume, Symbol node) const {
  const auto found = images_.find(volume);
  if (found == images_.end()) return true;
  const host::HostId host = hosts_.find(api_.names().text(node));
  return std::all_of(found->second.pgs.begin(), found->second.pgs.end(), [&](std::uint32_t index) {
    const ceph::Pg& pg = cluster_.pgs().pg(index);
    return host ? cluster_.serves_client(pg, host) : cluster_.pgs().serves_writes(pg);
  });
}

CauseId CephCsi::io_cause(Symbol volume, Symbol node) const {
  const auto found = images_.find(volume);
  if (found == images_.end() || is_io_possible(volume, node)) return CauseId{};
  return mounts_.cause_of(volume);
}

bool CephCsi::is_possible(const Calls::Call& call) const {
  if ((call.needs & kMonitors) != 0) {
    const host::HostId host = call.node ? hosts_.find(api_.names().text(call.node)) : host::HostId{};
    if (host ? !cluster_.monitors_reachable_from(host) : !cluster_.has_quorum()) return false;
  }
  return (call.needs & kIo) == 0 || is_io_possible(call.volume, call.node);
}

void CephCsi::provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) {
  const Symbol key = api_.names().find("pool");
  const std::optional<Symbol> named = key ? request.parameters.find(key) : std::nullopt;
  const std::string pool = named ? api_.names().text(*named) : std::string();
  const auto& pools = cluster_.config().pools;
  const bool exists = std::any_of(pools.begin(), pools.end(), [&](const ceph::PoolConfig& one) { return one.name == pool; });
  Calls::Call call;
  call.volume = request.volume;
  call.needs = kMonitors;
  call.takes = kProvision;
  if (!exists) {
    call.answer = [pool, done = std::move(done)] { done(Provisioned{fmt::format("pool '{}' not found in the Ceph cluster", pool), false, 0, {}}); };
  } else {
    Image& image = images_[request.volume];
    image.volume = ceph::Volume{pool, api_.names().text(request.volume), request.bytes};
    find_pgs(image);
    call.needs |= kIo;
    call.answer = [done = std::move(done)] { done(Provisioned{}); };
  }
  calls_.begin(std::move(call));
}

void CephCsi::remove(Symbol volume, Done done) {
  image_of(volume);
  calls_.begin({volume, Symbol{}, kMonitors | kIo, kRemove, [this, volume, done = std::move(done)] {
               images_.erase(volume);
               mounts_.forget_volume(volume);
               done({});
             }, TimerId{}});
}

// The driver has nothing to do when a volume is attached: the call only makes the VolumeAttachment.
void CephCsi::attach(Symbol volume, Symbol, Done done) {
  calls_.begin({volume, Symbol{}, 0, kAttach, [done = std::move(done)] { done({}); }, TimerId{}});
}
void CephCsi::detach(Symbol volume, Symbol, Done done) {
  calls_.begin({volume, Symbol{}, 0, kAttach, [done = std::move(done)] { done({}); }, TimerId{}});
}

void CephCsi::mount(Symbol volume, Symbol node, Done done) {
  image_of(volume);
  calls_.begin({volume, node, kMonitors | kIo, kMount, [this, volume, node, done = std::move(done)] {
               mounts_.add(volume, node);
               done({});
             }, TimerId{}});
}

void CephCsi::unmount(Symbol volume, Symbol node, Done done) {
  // The filesystem is flushed first: that hangs as all I/O does.
  calls_.begin({volume, node, kIo, kUnmount, [this, volume, node, done = std::move(done)] {
               mounts_.remove(volume, node);
               done({});
             }, TimerId{}});
}

void CephCsi::adopt_mount(Symbol volume, Symbol node) {
  image_of(volume);
  mounts_.add(volume, node);
}

void CephCsi::forget_node(Symbol node) {
  mounts_.forget_node(node);
  calls_.forget_node(node);
}

}  // namespace sim::rook

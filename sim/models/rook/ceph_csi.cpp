#include "sim/models/rook/ceph_csi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sim::rook {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kProvision = 2s;
constexpr SimDuration kRemove = 2s;
constexpr SimDuration kAttach = 500ms;
constexpr SimDuration kMount = 2s;
constexpr SimDuration kUnmount = 500ms;
// From here on a stall is a hang.
constexpr SimDuration kStall = 5s;

}  // namespace

CephCsi::CephCsi(Engine& engine, EventLog& log, k8s::ApiServer& api, host::Hosts& hosts, k8s::Storage& storage, ceph::CephCluster& cluster)
    : engine_(engine), log_(log), api_(api), hosts_(hosts), storage_(storage), cluster_(cluster), look_(engine), stall_over_(engine) {
  storage_.serve(api_.names().intern("rook-ceph.rbd.csi.ceph.com"), *this);
  storage_.serve(api_.names().intern("rbd.csi.ceph.com"), *this);
}

void CephCsi::start() {
  const auto look = [this, alive = std::weak_ptr<bool>(alive_)](auto&&...) {
    if (alive.expired() || look_.is_pending()) return;
    // Behind the placement groups, which tell of this instant at its end.
    look_.set_after(SimDuration::zero(), [this] { look_.set_after(SimDuration::zero(), [this] { look_at_all(); }); });
  };
  cluster_.on_quorum(look);
  cluster_.on_io([this, look, alive = std::weak_ptr<bool>(alive_)](const ceph::Pg&, bool serves) {
    if (alive.expired()) return;
    if (!serves) blocked_cause_ = engine_.cause();
    look();
  });
  hosts_.on_change(look);
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
  return found->second.cause;
}

bool CephCsi::is_possible(const Call& call) const {
  if (call.needs_monitors) {
    const host::HostId host = call.node ? hosts_.find(api_.names().text(call.node)) : host::HostId{};
    if (host ? !cluster_.monitors_reachable_from(host) : !cluster_.has_quorum()) return false;
  }
  return !call.needs_io || is_io_possible(call.volume, call.node);
}

void CephCsi::begin(Call call) {
  calls_.emplace(++serial_, std::move(call));
  wake();
}

void CephCsi::wake() {
  for (auto& [id, call] : calls_) {
    if (engine_.is_pending(call.timer) || !is_possible(call)) continue;
    call.timer = engine_.after(call.takes, [this, id = id] {
      const auto found = calls_.find(id);
      found->second.timer = TimerId{};
      if (!is_possible(found->second)) return;  // lost on the way; it goes on when that is back
      const std::function<void()> answer = std::move(found->second.answer);
      calls_.erase(found);
      answer();
    });
  }
}

void CephCsi::look_at_all() {
  const CauseId blocked = std::exchange(blocked_cause_, CauseId{});
  std::set<Symbol> hang;
  std::set<Symbol> go_on;
  CauseId stalled_by{};
  SimTime next = kEndOfTime;
  for (auto& [mount, state] : mounts_) {
    if (is_io_possible(mount.volume, mount.node)) {
      state.stalled.reset();
      if (std::exchange(state.hangs, false)) go_on.insert(mount.volume);
      continue;
    }
    if (state.hangs) continue;
    if (!state.stalled) {
      state.stalled = engine_.now();
      state.cause = blocked ? blocked : engine_.cause();
    }
    if (engine_.now() - *state.stalled < kStall) {
      next = std::min(next, *state.stalled + kStall);
      continue;
    }
    state.hangs = true;
    hang.insert(mount.volume);
    stalled_by = state.cause;
  }
  if (next != kEndOfTime) stall_over_.set_after(next - engine_.now(), [this] { look_at_all(); });
  const auto tell = [this](const std::set<Symbol>& volumes, CauseId cause) {
    ScopedCause because(engine_, cause);
    for (const Symbol volume : volumes) {
      images_.at(volume).cause = cause;
      storage_.io_changed(volume);
    }
  };
  if (!hang.empty()) {
    // Without a quorum no OSD is marked down and no PG peers: that is why it does not mend itself.
    const CauseId of_quorum = cluster_.monitors().cause();
    const bool quorum_lost = !cluster_.has_quorum() && of_quorum && log_.kind(log_.at(of_quorum)) == "MonQuorumLost";
    const CauseId cause = log_.record("VolumesHang", log_.names().intern("CephCSI/rbd"),
                                      fmt::format("I/O of {} RBD volume{} hangs", hang.size(), hang.size() == 1 ? "" : "s"),
                                      quorum_lost ? of_quorum : stalled_by);
    if (quorum_lost) log_.also_caused_by(cause, stalled_by);
    tell(hang, cause);
  }
  if (!go_on.empty()) {
    tell(go_on, log_.record("VolumesGoOn", log_.names().intern("CephCSI/rbd"), fmt::format("I/O of {} RBD volume{} goes on", go_on.size(), go_on.size() == 1 ? "" : "s"), engine_.cause()));
  }
  wake();
}

void CephCsi::provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) {
  const Symbol key = api_.names().find("pool");
  const std::optional<Symbol> named = key ? request.parameters.find(key) : std::nullopt;
  const std::string pool = named ? api_.names().text(*named) : std::string();
  const auto& pools = cluster_.config().pools;
  const bool exists = std::any_of(pools.begin(), pools.end(), [&](const ceph::PoolConfig& one) { return one.name == pool; });
  Call call;
  call.volume = request.volume;
  call.needs_monitors = true;
  call.takes = kProvision;
  if (!exists) {
    call.answer = [pool, done = std::move(done)] { done(Provisioned{fmt::format("pool '{}' not found in the Ceph cluster", pool), false, 0, {}}); };
  } else {
    Image& image = images_[request.volume];
    image.volume = ceph::Volume{pool, api_.names().text(request.volume), request.bytes};
    find_pgs(image);
    call.needs_io = true;
    call.answer = [done = std::move(done)] { done(Provisioned{}); };
  }
  begin(std::move(call));
}

void CephCsi::remove(Symbol volume, Done done) {
  image_of(volume);
  begin(Call{volume, Symbol{}, true, true, kRemove, [this, volume, done = std::move(done)] {
               images_.erase(volume);
               done({});
             }, TimerId{}});
}

// The driver has nothing to do when a volume is attached: the call only makes the VolumeAttachment.
void CephCsi::attach(Symbol volume, Symbol, Done done) {
  begin(Call{volume, Symbol{}, false, false, kAttach, [done = std::move(done)] { done({}); }, TimerId{}});
}
void CephCsi::detach(Symbol volume, Symbol, Done done) {
  begin(Call{volume, Symbol{}, false, false, kAttach, [done = std::move(done)] { done({}); }, TimerId{}});
}

void CephCsi::mount(Symbol volume, Symbol node, Done done) {
  image_of(volume);
  begin(Call{volume, node, true, true, kMount, [this, volume, node, done = std::move(done)] {
               mounts_[Mount{volume, node}] = MountState{};
               done({});
             }, TimerId{}});
}

void CephCsi::unmount(Symbol volume, Symbol node, Done done) {
  // The filesystem is flushed first: that hangs as all I/O does.
  begin(Call{volume, node, false, true, kUnmount, [this, volume, node, done = std::move(done)] {
               mounts_.erase(Mount{volume, node});
               done({});
             }, TimerId{}});
}

void CephCsi::adopt_mount(Symbol volume, Symbol node) {
  image_of(volume);
  mounts_[Mount{volume, node}] = MountState{};
}

void CephCsi::forget_node(Symbol node) {
  std::erase_if(mounts_, [node](const auto& entry) { return entry.first.node == node; });
  for (auto call = calls_.begin(); call != calls_.end();) {
    if (call->second.node != node) {
      ++call;
      continue;
    }
    engine_.cancel(call->second.timer);
    call = calls_.erase(call);
  }
}

}  // namespace sim::rook

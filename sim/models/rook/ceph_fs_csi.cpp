#include "sim/models/rook/ceph_fs_csi.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/hash.hpp"
#include "sim/models/rook/volume_users.hpp"

namespace sim::rook {

using k8s::Ref;

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kProvision = 1s;
constexpr SimDuration kRemove = 1s;
constexpr SimDuration kMount = 500ms;
constexpr SimDuration kUnmount = 100ms;

// What a call needs.
constexpr std::uint32_t kManager = 1;
constexpr std::uint32_t kServers = 2;  // a monitor, and metadata servers that answer this node
constexpr std::uint32_t kIo = 4;

}  // namespace

CephFsCsi::CephFsCsi(Engine& engine, EventLog& log, k8s::ApiServer& api, host::Hosts& hosts, k8s::Kubelets& kubelets, k8s::Storage& storage, ceph::CephCluster& cluster)
    : engine_(engine),
      log_(log),
      api_(api),
      hosts_(hosts),
      kubelets_(kubelets),
      storage_(storage),
      cluster_(cluster),
      mounts_(engine, log, hosts, storage, cluster, "CephCSI/cephfs", "CephFS volume", [this](Symbol volume, Symbol node) { return is_io_possible(volume, node); }),
      calls_(engine, [this](const Calls::Call& call) { return is_possible(call); }) {
  if (cluster_.file_systems().size() == 0) return;
  storage_.serve(api_.names().intern("rook-ceph.cephfs.csi.ceph.com"), *this);
  storage_.serve(api_.names().intern("cephfs.csi.ceph.com"), *this);
}

void CephFsCsi::start() {
  if (cluster_.file_systems().size() == 0) return;
  mounts_.start([this] {
    look_at_evicted();
    calls_.wake();
  });
  cluster_.file_systems().on_change([this, alive = std::weak_ptr<bool>(alive_)](std::size_t fs) {
    if (!alive.expired()) mounts_.look(!cluster_.file_systems().serves(fs));
  });
  cluster_.file_systems().on_evicted([this, alive = std::weak_ptr<bool>(alive_)](ceph::FileSystems::SessionId) {
    if (!alive.expired()) mounts_.look(false);
  });
  // The manager makes subvolumes.
  cluster_.on_manager([this, alive = std::weak_ptr<bool>(alive_)](bool) {
    if (!alive.expired()) calls_.wake();
  });
  kubelets_.on_serving([this, alive = std::weak_ptr<bool>(alive_)](Ref<k8s::Pod> ref, bool serving) {
    if (alive.expired() || !serving || !some_fail_) return;
    const k8s::Pod* pod = api_.get(ref);
    if (pod == nullptr) return;
    for (const auto& [mount, client] : clients_) {
      if (!client.fails || mount.second != pod->node_name || !volume_name_in(api_, *pod, mount.first)) continue;
      const ScopedCause because(engine_, cluster_.file_systems().eviction_cause(client.session));
      kubelets_.set_unready(ref, k8s::Says::kFileSystem, true);
      return;
    }
  });
}

CephFsCsi::SubVolume CephFsCsi::make(Symbol volume, std::size_t fs, std::size_t pool, std::int64_t bytes) const {
  SubVolume result;
  const std::string& name = api_.names().text(volume);
  result.fs = fs;
  result.rank = static_cast<int>(fnv1a(name) % cluster_.file_systems().at(fs).ranks.size());
  // Files are objects of 4 MiB, named by inode and number; whose inodes they are nobody knows, so the volume counts as one file.
  constexpr std::int64_t kObjectBytes = 4 << 20;
  const ceph::PoolState& state = cluster_.pgs().pools()[pool];
  const ceph::crush::Pool* in_map = cluster_.map().pool(state.config.name);
  std::vector<bool> hit(state.pg_num, false);
  std::size_t left = state.pg_num;
  const std::int64_t objects = std::max<std::int64_t>(1, (bytes + kObjectBytes - 1) / kObjectBytes);
  const std::uint64_t inode = 0x10000000000ull + fnv1a(name) % 0x100000000ull;
  for (std::int64_t i = 0; in_map != nullptr && i < objects && left > 0; ++i) {
    const ceph::crush::PgId raw = ceph::crush::OsdMap::object_to_raw_pg(*in_map, fmt::format("{:x}.{:08x}", inode, i));
    const std::uint32_t seed = ceph::crush::OsdMap::raw_to_pg(*in_map, raw).seed;
    if (!hit[seed]) --left;
    hit[seed] = true;
  }
  for (std::uint32_t seed = 0; seed < state.pg_num; ++seed) {
    if (hit[seed]) result.pgs.push_back(state.first_pg + seed);
  }
  return result;
}

/// A volume that came without its class is in the first file system and its first pool.
CephFsCsi::SubVolume& CephFsCsi::sub_volume_of(Symbol volume) {
  const auto found = sub_volumes_.find(volume);
  if (found != sub_volumes_.end()) return found->second;
  const ceph::FileSystems& all = cluster_.file_systems();
  std::size_t fs = 0;
  std::size_t pool = all.at(0).data_pools.front();
  std::int64_t bytes = 0;
  const auto ref = api_.find<k8s::PersistentVolume>(Symbol{}, volume);
  const k8s::PersistentVolume* object = ref ? api_.get(ref) : nullptr;
  if (object != nullptr) {
    bytes = object->bytes;
    const auto class_ref = object->storage_class ? api_.find<k8s::StorageClass>(Symbol{}, object->storage_class) : Ref<k8s::StorageClass>{};
    const k8s::StorageClass* storage_class = class_ref ? api_.get(class_ref) : nullptr;
    const auto parameter = [&](std::string_view name) -> std::string {
      const Symbol key = api_.names().find(name);
      const std::optional<Symbol> value = storage_class != nullptr && key ? storage_class->parameters.find(key) : std::nullopt;
      return value ? api_.names().text(*value) : std::string();
    };
    if (const std::optional<std::size_t> named = all.find(parameter("fsName"))) {
      fs = *named;
      pool = all.at(fs).data_pools.front();
    }
    for (const std::size_t one : all.at(fs).data_pools) {
      if (cluster_.pgs().pools()[one].config.name == parameter("pool")) pool = one;
    }
  }
  return sub_volumes_.emplace(volume, make(volume, fs, pool, bytes)).first->second;
}

bool CephFsCsi::is_evicted(Symbol volume, Symbol node) const {
  const auto client = clients_.find({volume, node});
  return client != clients_.end() && cluster_.file_systems().is_evicted(client->second.session);
}

bool CephFsCsi::is_io_possible(Symbol volume, Symbol node) const {
  const auto found = sub_volumes_.find(volume);
  if (found == sub_volumes_.end()) return true;
  const host::HostId host = host_of(node);
  if (!host) return true;
  // Errors come back, as soon as the kernel hears that it was shut out.
  if (is_evicted(volume, node)) return cluster_.monitors_reachable_from(host);
  if (!cluster_.file_systems().rank_serves(found->second.fs, found->second.rank, host)) return false;
  return std::all_of(found->second.pgs.begin(), found->second.pgs.end(), [&](std::uint32_t index) { return cluster_.serves_client(cluster_.pgs().pg(index), host); });
}

CauseId CephFsCsi::io_cause(Symbol volume, Symbol node) const { return is_io_possible(volume, node) ? CauseId{} : mounts_.cause_of(volume); }

bool CephFsCsi::is_possible(const Calls::Call& call) const {
  const auto found = sub_volumes_.find(call.volume);
  if (found == sub_volumes_.end()) return true;
  const ceph::FileSystems& all = cluster_.file_systems();
  const std::size_t fs = found->second.fs;
  if ((call.needs & kManager) != 0 && (!cluster_.has_quorum() || !cluster_.managers().is_available() || !all.rank_serves(fs, 0))) return false;
  if ((call.needs & kServers) != 0) {
    const host::HostId host = host_of(call.node);
    if (host && (!cluster_.monitors_reachable_from(host) || !all.rank_serves(fs, 0, host) || !all.rank_serves(fs, found->second.rank, host))) return false;
  }
  return (call.needs & kIo) == 0 || is_io_possible(call.volume, call.node);
}

void CephFsCsi::provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) {
  const auto parameter = [&](std::string_view name) -> std::string {
    const Symbol key = api_.names().find(name);
    const std::optional<Symbol> value = key ? request.parameters.find(key) : std::nullopt;
    return value ? api_.names().text(*value) : std::string();
  };
  const ceph::FileSystems& all = cluster_.file_systems();
  const std::string name = parameter("fsName");
  const std::string pool = parameter("pool");
  const std::optional<std::size_t> fs = all.find(name);
  std::string error;
  std::optional<std::size_t> data_pool;
  if (name.empty()) {
    error = "missing required field fsName";
  } else if (!fs) {
    error = fmt::format("filesystem '{}' not found in the Ceph cluster", name);
  } else {
    for (const std::size_t one : all.at(*fs).data_pools) {
      if (!data_pool && (pool.empty() || cluster_.pgs().pools()[one].config.name == pool)) data_pool = one;
    }
    if (!data_pool) error = fmt::format("pool '{}' is no data pool of filesystem '{}'", pool, name);
  }
  if (!error.empty()) {
    calls_.begin({request.volume, Symbol{}, 0, kProvision, [error, done = std::move(done)] { done(Provisioned{error, false, 0, {}}); }, TimerId{}});
    return;
  }
  sub_volumes_[request.volume] = make(request.volume, *fs, *data_pool, request.bytes);
  calls_.begin({request.volume, Symbol{}, kManager, kProvision, [done = std::move(done)] { done(Provisioned{}); }, TimerId{}});
}

void CephFsCsi::remove(Symbol volume, Done done) {
  sub_volume_of(volume);
  calls_.begin({volume, Symbol{}, kManager, kRemove, [this, volume, done = std::move(done)] {
                  sub_volumes_.erase(volume);
                  mounts_.forget_volume(volume);
                  done({});
                }, TimerId{}});
}

// Never called: there is nothing to attach.
void CephFsCsi::attach(Symbol volume, Symbol, Done done) { calls_.begin({volume, Symbol{}, 0, SimDuration::zero(), [done = std::move(done)] { done({}); }, TimerId{}}); }
void CephFsCsi::detach(Symbol volume, Symbol, Done done) { calls_.begin({volume, Symbol{}, 0, SimDuration::zero(), [done = std::move(done)] { done({}); }, TimerId{}}); }

void CephFsCsi::mounted(Symbol volume, Symbol node) {
  const SubVolume& sub_volume = sub_volume_of(volume);
  const host::HostId host = host_of(node);
  mounts_.add(volume, node);
  if (!host) return;
  Client client;
  client.session = cluster_.file_systems().open_session(sub_volume.fs, sub_volume.rank, host, fmt::format("{}:{}", api_.names().text(node), api_.names().text(volume)));
  clients_[{volume, node}] = client;
}

void CephFsCsi::mount(Symbol volume, Symbol node, Done done) {
  sub_volume_of(volume);
  calls_.begin({volume, node, kServers, kMount, [this, volume, node, done = std::move(done)] {
                  mounted(volume, node);
                  done({});
                }, TimerId{}});
}

void CephFsCsi::unmount(Symbol volume, Symbol node, Done done) {
  // What is dirty is flushed first: that hangs as all I/O does.
  calls_.begin({volume, node, kIo, kUnmount, [this, volume, node, done = std::move(done)] {
                  const auto client = clients_.find({volume, node});
                  if (client != clients_.end()) {
                    cluster_.file_systems().close_session(client->second.session);
                    clients_.erase(client);
                  }
                  mounts_.remove(volume, node);
                  done({});
                }, TimerId{}});
}

void CephFsCsi::adopt_mount(Symbol volume, Symbol node) { mounted(volume, node); }

void CephFsCsi::forget_node(Symbol node) {
  mounts_.forget_node(node);
  calls_.forget_node(node);
  for (auto client = clients_.begin(); client != clients_.end();) {
    if (client->first.second != node) {
      ++client;
      continue;
    }
    // The metadata server learns of it by its silence.
    cluster_.file_systems().abandon_session(client->second.session);
    client = clients_.erase(client);
  }
}

// ---- evicted clients

void CephFsCsi::fail_pods(Symbol volume, Symbol node) {
  std::vector<Ref<k8s::Pod>> pods;
  api_.all<k8s::Pod>().for_each([&](Ref<k8s::Pod> ref, const k8s::Pod& pod) {
    if (pod.node_name == node && volume_name_in(api_, pod, volume)) pods.push_back(ref);
  });
  for (const Ref<k8s::Pod> pod : pods) kubelets_.set_unready(pod, k8s::Says::kFileSystem, true);
}

void CephFsCsi::look_at_evicted() {
  some_fail_ = false;
  for (auto& [mount, client] : clients_) {
    const auto& [volume, node] = mount;
    if (!is_evicted(volume, node) || !is_io_possible(volume, node)) {
      some_fail_ = some_fail_ || client.fails;
      continue;
    }
    some_fail_ = true;
    if (std::exchange(client.fails, true)) continue;
    const ScopedCause of_eviction(engine_, cluster_.file_systems().eviction_cause(client.session));
    const CauseId id = log_.record("VolumeIoFails", "CephCSI/cephfs", fmt::format("I/O of volume {} on {} fails: its client was evicted; it is mounted anew when no pod there uses it any more",
                                                                                  api_.names().text(volume), api_.names().text(node)));
    const ScopedCause because(engine_, id);
    fail_pods(volume, node);
  }
}

}  // namespace sim::rook

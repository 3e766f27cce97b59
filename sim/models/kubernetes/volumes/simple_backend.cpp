#include "sim/models/kubernetes/volumes/simple_backend.hpp"

#include <array>
#include <string_view>

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

/// Shared filesystems: nothing to attach, a directory to make, a mount over the network.
constexpr SimpleBackendParams kShared{false, std::nullopt, 1s, 1s, 0s, 0s, 500ms, 100ms};
/// A directory or a disk of the node itself.
constexpr SimpleBackendParams kLocal{false, std::nullopt, 0s, 0s, 0s, 0s, 100ms, 100ms};

/// A cloud's disk: attach and detach are calls that take seconds (assumed), and a machine takes so many.
constexpr SimpleBackendParams cloud_disk(std::int64_t volumes_per_node) { return {true, volumes_per_node, 3s, 3s, 5s, 5s, 2s, 500ms}; }

// What a call can need.
constexpr std::uint32_t kIo = 1;

struct Known {
  std::string_view name;
  SimpleBackendParams params;
};
constexpr std::array<Known, 17> kKnown = {{
    {"kubernetes.io/no-provisioner", kLocal},
    {"kubernetes.io/local-volume", kLocal},
    {"kubernetes.io/host-path", kLocal},
    {"rancher.io/local-path", kLocal},
    {"kubernetes.io/nfs", kShared},
    {"nfs.csi.k8s.io", kShared},
    {"kubernetes.io/cephfs", kShared},
    {"efs.csi.aws.com", kShared},
    {"file.csi.azure.com", kShared},
    {"filestore.csi.storage.gke.io", kShared},
    {"smb.csi.k8s.io", kShared},
    {"kubernetes.io/aws-ebs", cloud_disk(25)},
    {"ebs.csi.aws.com", cloud_disk(25)},         // 28 attachments of a Nitro instance, less root disk and network interfaces
    {"pd.csi.storage.gke.io", cloud_disk(127)},  // 128 with the boot disk
    {"disk.csi.azure.com", cloud_disk(16)},      // two for each of 8 virtual CPUs
    {"cinder.csi.openstack.org", cloud_disk(256)},
    {"csi.vsphere.vmware.com", cloud_disk(59)},  // 60 with the system disk
}};

}  // namespace

SimpleBackendParams simple_backend_params(std::string_view provisioner) {
  for (const Known& known : kKnown) {
    if (known.name == provisioner) return known.params;
  }
  // Operators prefix their drivers with a namespace: rook-ceph.cephfs.csi.ceph.com.
  if (provisioner.ends_with("cephfs.csi.ceph.com")) return kShared;
  return {};
}

bool SimpleBackend::hangs(const PendingCalls::Call& call) const { return all_blocked_ || (call.needs == kIo && blocked_.contains(call.volume)); }

void SimpleBackend::tell(const std::set<Symbol>& volumes) {
  for (const Symbol volume : volumes) io_changed_(volume);
}

void SimpleBackend::block(Symbol volume) {
  if (!blocked_.emplace(volume, engine_.cause()).second || all_blocked_) return;
  tell({volume});
}

void SimpleBackend::unblock(Symbol volume) {
  if (blocked_.erase(volume) == 0 || all_blocked_) return;
  calls_.wake();
  tell({volume});
}

void SimpleBackend::block_all() {
  if (all_blocked_) return;
  all_blocked_ = true;
  all_cause_ = engine_.cause();
  std::set<Symbol> affected;
  for (const auto& [volume, node] : mounted_) {
    if (!blocked_.contains(volume)) affected.insert(volume);
  }
  tell(affected);
}

void SimpleBackend::unblock_all() {
  if (!all_blocked_) return;
  all_blocked_ = false;
  all_cause_ = CauseId{};
  calls_.wake();
  std::set<Symbol> affected;
  for (const auto& [volume, node] : mounted_) {
    if (!blocked_.contains(volume)) affected.insert(volume);
  }
  tell(affected);
}

void SimpleBackend::provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) {
  calls_.begin({request.volume, Symbol{}, 0, params_.provision, [done = std::move(done)] { done(Provisioned{}); }, TimerId{}});
}

void SimpleBackend::remove(Symbol volume, Done done) {
  calls_.begin({volume, Symbol{}, kIo, params_.remove, [this, volume, done = std::move(done)] {
               blocked_.erase(volume);
               done({});
             }, TimerId{}});
}

void SimpleBackend::attach(Symbol volume, Symbol, Done done) {
  calls_.begin({volume, Symbol{}, 0, params_.attach, [done = std::move(done)] { done({}); }, TimerId{}});
}

void SimpleBackend::detach(Symbol volume, Symbol, Done done) {
  calls_.begin({volume, Symbol{}, 0, params_.detach, [done = std::move(done)] { done({}); }, TimerId{}});
}

void SimpleBackend::mount(Symbol volume, Symbol node, Done done) {
  calls_.begin({volume, node, kIo, params_.mount, [this, volume, node, done = std::move(done)] {
               mounted_.emplace(volume, node);
               done({});
             }, TimerId{}});
}

void SimpleBackend::unmount(Symbol volume, Symbol node, Done done) {
  calls_.begin({volume, node, kIo, params_.unmount, [this, volume, node, done = std::move(done)] {
               mounted_.erase({volume, node});
               done({});
             }, TimerId{}});
}

void SimpleBackend::forget_node(Symbol node) {
  std::erase_if(mounted_, [node](const auto& entry) { return entry.second == node; });
  calls_.forget_node(node);
}

bool SimpleBackend::is_io_possible(Symbol volume, Symbol) const { return !all_blocked_ && !blocked_.contains(volume); }

CauseId SimpleBackend::io_cause(Symbol volume, Symbol) const {
  const auto found = blocked_.find(volume);
  return found != blocked_.end() ? found->second : all_cause_;
}

}  // namespace sim::k8s

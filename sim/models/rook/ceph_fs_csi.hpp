/// The Ceph CSI driver for CephFS as Kubernetes sees it: subvolumes of a file system, mounted by the kernels of as many nodes as want them.
///
/// Nothing is attached. Creating and deleting a subvolume is done by the manager's volumes module: it needs the monitors, an available manager and the
/// metadata server of rank 0. A mount needs a monitor and a metadata server that the node reaches. I/O needs the metadata server of the subvolume's
/// rank, and the placement groups of the data pool that its objects fall into; otherwise it hangs, and unmounting does too. A mount whose client was evicted
/// (silent for five minutes, or not back after a failover) answers with errors for good: its pods are unready until they are gone from the node, and the
/// next one mounts anew.
///
/// Source:     ceph-csi internal/cephfs (controllerserver.go, core/volume.go), deploy/cephfs/kubernetes/csidriver.yaml (attachRequired false),
///             docs/ceph-mount-corruption.md; Rook deploy/examples/csi/cephfs/storageclass.yaml (fsName, pool), filesystem.yaml (pinning distributed: a
///             subvolume belongs to one rank); reference platform 4.3, 4.4. Times as of other shared file systems (proposed).
/// Leaves out: ceph-fuse, snapshots and clones, quotas (a full subvolume), encryption, the driver's own pods, reads and writes of open files that go on
///             while no metadata server is there (a mount counts as hanging), liveness probes that would see errors.
/// Checked by: tests/chaos/cephfs_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/volumes/pending_calls.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"
#include "sim/models/kubernetes/volumes/storage_backend.hpp"
#include "sim/models/rook/mount_watch.hpp"

namespace sim::rook {

class CephFsCsi final : public k8s::StorageBackend {
 public:
  /// Serves its provisioners only when the cluster has a file system.
  CephFsCsi(Engine& engine, EventLog& log, k8s::ApiServer& api, host::Hosts& hosts, k8s::Kubelets& kubelets, k8s::Storage& storage, ceph::CephCluster& cluster);
  /// After the cluster has started.
  void start();

  void provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) override;
  void remove(Symbol volume, Done done) override;
  bool needs_attach() const override { return false; }
  void attach(Symbol volume, Symbol node, Done done) override;
  void detach(Symbol volume, Symbol node, Done done) override;
  void mount(Symbol volume, Symbol node, Done done) override;
  void unmount(Symbol volume, Symbol node, Done done) override;
  void adopt_mount(Symbol volume, Symbol node) override;
  void forget_node(Symbol node) override;
  bool is_io_possible(Symbol volume, Symbol node) const override;
  CauseId io_cause(Symbol volume, Symbol node) const override;

  const MountWatch& mounts() const { return mounts_; }
  /// The placement groups of its data, indices in the cluster; empty when it is not known.
  std::vector<std::uint32_t> pgs_of(Symbol volume) const {
    const auto found = sub_volumes_.find(volume);
    return found == sub_volumes_.end() ? std::vector<std::uint32_t>{} : found->second.pgs;
  }

 private:
  struct SubVolume {
    std::size_t fs = 0;
    int rank = 0;
    std::vector<std::uint32_t> pgs;  // of its data, indices in the cluster
  };
  struct Client {
    ceph::FileSystems::SessionId session = 0;
    bool fails = false;  // as was told
  };
  using Calls = k8s::PendingCalls;
  using Mount = std::pair<Symbol, Symbol>;  // volume, node

  SubVolume& sub_volume_of(Symbol volume);
  SubVolume make(Symbol volume, std::size_t fs, std::size_t pool, std::int64_t bytes) const;
  bool is_possible(const Calls::Call& call) const;
  host::HostId host_of(Symbol node) const { return hosts_.find(api_.names().text(node)); }
  void mounted(Symbol volume, Symbol node);
  bool is_evicted(Symbol volume, Symbol node) const;
  /// Mounts whose clients were evicted: from when their kernels hear of it.
  void look_at_evicted();
  void fail_pods(Symbol volume, Symbol node);

  Engine& engine_;
  EventLog& log_;
  k8s::ApiServer& api_;
  host::Hosts& hosts_;
  k8s::Kubelets& kubelets_;
  k8s::Storage& storage_;
  ceph::CephCluster& cluster_;
  std::map<Symbol, SubVolume> sub_volumes_;
  std::map<Mount, Client> clients_;
  MountWatch mounts_;
  Calls calls_;
  bool some_fail_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::rook

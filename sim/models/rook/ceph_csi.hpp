/// The Ceph CSI driver for RBD as Kubernetes sees it: images in a pool, mapped by kernels on nodes.
///
/// Creating, deleting and mapping an image needs the monitors' quorum and the pool's PGs; reading and writing needs the PGs that its objects fall into,
/// and the way to their primaries. Nothing fails: what cannot be done hangs until it can.
/// From when on it is a hang: mount_watch.hpp.
///
/// Source:     ceph-csi internal/rbd, deploy/rbd/kubernetes/csidriver.yaml (attachRequired true, ControllerPublish does nothing); reference platform 4.1
///             to 4.3 (D state, times proposed there: provisioning 2 s, attach 0.5 s, map and mount 2 s, unmap 0.5 s).
/// Leaves out: exclusive-lock, watchers and blocklists (a node that is cut off but alive keeps its mapping, and a second one is not refused by Ceph),
///             encryption, snapshots, rbd-nbd, the driver's own pods. Images are thin: they take no space in the pool beside what `stored` says.
/// Checked by: tests/chaos/ceph_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/volumes/pending_calls.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"
#include "sim/models/kubernetes/volumes/storage_backend.hpp"
#include "sim/models/rook/mount_watch.hpp"

namespace sim::rook {

class CephCsi final : public k8s::StorageBackend {
 public:
  CephCsi(Engine& engine, EventLog& log, k8s::ApiServer& api, host::Hosts& hosts, k8s::Storage& storage, ceph::CephCluster& cluster);
  /// After the cluster has started.
  void start();

  void provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) override;
  void remove(Symbol volume, Done done) override;
  bool needs_attach() const override { return true; }
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
    const auto found = images_.find(volume);
    return found == images_.end() ? std::vector<std::uint32_t>{} : found->second.pgs;
  }

 private:
  struct Image {
    ceph::Volume volume;
    std::vector<std::uint32_t> pgs;  // indices in the cluster
  };
  using Calls = k8s::PendingCalls;
  Image& image_of(Symbol volume);
  void find_pgs(Image& image) const;
  bool is_possible(const Calls::Call& call) const;

  k8s::ApiServer& api_;
  host::Hosts& hosts_;
  k8s::Storage& storage_;
  ceph::CephCluster& cluster_;
  std::map<Symbol, Image> images_;
  MountWatch mounts_;
  Calls calls_;
};

}  // namespace sim::rook

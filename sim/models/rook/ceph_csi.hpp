/// The Ceph CSI driver for RBD as Kubernetes sees it: images in a pool, mapped by kernels on nodes.
///
/// Creating, deleting and mapping an image needs the monitors' quorum and the pool's PGs; reading and writing needs the PGs that its objects fall into,
/// and the way to their primaries. Nothing fails: what cannot be done hangs until it can.
/// I/O that stalls for less than 5 s (a placement group peers) is told to nobody: it is latency to whoever waits, and no outage (proposed: clients wait at
/// least so long before they give up).
///
/// Source:     ceph-csi internal/rbd, deploy/rbd/kubernetes/csidriver.yaml (attachRequired true, ControllerPublish does nothing); reference platform 4.1
///             to 4.3 (D state, times proposed there: provisioning 2 s, attach 0.5 s, map and mount 2 s, unmap 0.5 s).
/// Leaves out: exclusive-lock, watchers and blocklists (a node that is cut off but alive keeps its mapping, and a second one is not refused by Ceph),
///             encryption, snapshots, rbd-nbd, the driver's own pods. Images are thin: they take no space in the pool beside what `stored` says.
/// Checked by: tests/chaos/ceph_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "sim/core/engine.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"
#include "sim/models/kubernetes/volumes/storage_backend.hpp"

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

 private:
  struct Image {
    ceph::Volume volume;
    std::vector<std::uint32_t> pgs;  // indices in the cluster
    CauseId cause{};                 // of the last change of its I/O
  };
  struct Mount {
    Symbol volume;
    Symbol node;
    friend auto operator<=>(const Mount&, const Mount&) = default;
  };
  /// A call of the driver. It takes its time once everything that it needs is there, and begins anew when that is lost.
  struct Call {
    Symbol volume;
    Symbol node;  // empty: from the provisioner's pod, wherever that is
    bool needs_monitors = false;
    bool needs_io = false;
    SimDuration takes{};
    std::function<void()> answer;
    TimerId timer{};
  };
  Image& image_of(Symbol volume);
  void find_pgs(Image& image) const;
  bool is_possible(const Call& call) const;
  void begin(Call call);
  void wake();
  void look_at_all();

  Engine& engine_;
  EventLog& log_;
  k8s::ApiServer& api_;
  host::Hosts& hosts_;
  k8s::Storage& storage_;
  ceph::CephCluster& cluster_;
  std::map<Symbol, Image> images_;
  struct MountState {
    bool hangs = false;               // as was told
    std::optional<SimTime> stalled{};  // since when I/O does not come back
    CauseId cause{};                  // of the stall
  };
  std::map<Mount, MountState> mounts_;
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t serial_ = 0;
  CauseId blocked_cause_{};  // why PGs ceased to answer since the last look
  Timer look_;  // several changes of one instant are looked at once
  Timer stall_over_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::rook

/// What a storage system does for volumes, as Kubernetes' CSI sidecars and kubelets call it: the narrow interface that Ceph, NFS or a
/// cloud's disks implement.
///
/// Every call answers through `done`, once, at the system's own time: never from inside the call. A call that hangs answers when the system
/// recovers, or never. Volumes are known by the name of their PersistentVolume, nodes by theirs.
///
/// Source:     container-storage-interface spec.md (CreateVolume, ControllerPublishVolume, NodeStageVolume); reference platform 4.
/// Leaves out: snapshots, expansion, topology keys of a driver's own (a backend answers with node affinity).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

class StorageBackend {
 public:
  /// The error; empty when it went well.
  using Done = std::function<void(const std::string& error)>;

  struct ProvisionRequest {
    Symbol volume;  // the name that it is to have
    Symbol claim_ns;
    Symbol claim_name;
    std::int64_t bytes = 0;
    AccessModes access_modes;
    bool block = false;
    Labels parameters;  // of the StorageClass
    Symbol node;        // the first consumer's, with WaitForFirstConsumer
  };
  struct Provisioned {
    std::string error;      // empty: it went well
    bool reschedule = false;  // with an error: not on this node, perhaps on another
    std::int64_t bytes = 0;   // 0: as asked for
    std::vector<NodeSelectorTerm> node_affinity;  // none: usable from everywhere
  };

  virtual ~StorageBackend() = default;

  /// CreateVolume.
  virtual void provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) = 0;
  /// DeleteVolume.
  virtual void remove(Symbol volume, Done done) = 0;
  /// CSIDriver.spec.attachRequired: whether there are VolumeAttachments.
  virtual bool needs_attach() const = 0;
  /// How many volumes a node can have attached; none: without limit.
  virtual std::optional<std::int64_t> volumes_per_node() const { return std::nullopt; }
  /// ControllerPublishVolume and ControllerUnpublishVolume. Only called when needs_attach().
  virtual void attach(Symbol volume, Symbol node, Done done) = 0;
  virtual void detach(Symbol volume, Symbol node, Done done) = 0;
  /// NodeStageVolume with the first NodePublishVolume; the last NodeUnpublishVolume with NodeUnstageVolume.
  virtual void mount(Symbol volume, Symbol node, Done done) = 0;
  virtual void unmount(Symbol volume, Symbol node, Done done) = 0;
  /// The node has the volume mounted since before the beginning.
  virtual void adopt_mount(Symbol volume, Symbol node) = 0;
  /// The node died: its mounts are gone, and calls that are on their way for it will not be waited for.
  virtual void forget_node(Symbol node) = 0;
  /// Whether reads and writes of a mounted volume come back. When that changes, the backend calls Storage::io_changed(); the current cause
  /// then explains it.
  virtual bool is_io_possible(Symbol volume, Symbol node) const = 0;
  /// Why it is not; CauseId{} when it is, or nobody knows.
  virtual CauseId io_cause(Symbol volume, Symbol node) const = 0;
};

}  // namespace sim::k8s

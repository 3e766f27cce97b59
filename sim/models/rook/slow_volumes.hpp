/// Pods that feel slow disks: a volume's writes wait for the slowest disk of each placement group's acting set.
///
/// A journal's writes go one after another to all of the volume's placement groups in turn, and whoever asks the process waits behind them: so the slowest
/// placement group counts (proposed). A pod whose readiness probe allows less (timeoutSeconds of a container that mounts the volume), or whose bound is declared
/// (ceph.ioTimeouts), answers nobody and is unready until the volume is fast enough again. Nothing is looked at while no disk is slow.
///
/// Records, subject "CephCSI/volumes": VolumesSlow, VolumesFastAgain.
///
/// Source:     reference platform 2.1, 11.2 (slow disks: latency times 5 to 50); Ceph: a write commits when every member of the acting set has committed.
/// Leaves out: queues (an operation takes what the disk takes), caches of pages that are read, liveness probes, pods without a probe and without a declared bound,
///             a fault pod-unready on the same pod (whichever ends last decides).
/// Checked by: tests/chaos/slow_disk_test.cpp.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/rook/ceph_csi.hpp"
#include "sim/models/rook/ceph_fs_csi.hpp"
#include "sim/models/rook/rook_config.hpp"

namespace sim::rook {

class SlowVolumes {
 public:
  SlowVolumes(Engine& engine, EventLog& log, k8s::ApiServer& api, k8s::Kubelets& kubelets, ceph::CephCluster& cluster, const CephCsi& block, const CephFsCsi& files,
              const RookConfig& config);
  SlowVolumes(const SlowVolumes&) = delete;
  SlowVolumes& operator=(const SlowVolumes&) = delete;
  void start();

  /// How long a write to the volume takes at its slowest placement group; zero when nobody knows it.
  SimDuration write_latency(Symbol volume) const;

 private:
  struct Timeout {
    Symbol ns;
    k8s::LabelSelector selector;
    SimDuration within{};
  };
  void look();
  /// What the pod can bear of this volume; nothing: everything.
  std::optional<SimDuration> bound_of(const k8s::Pod& pod, Symbol volume) const;
  std::vector<std::uint32_t> pgs_of(Symbol volume) const;

  Engine& engine_;
  EventLog& log_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  ceph::CephCluster& cluster_;
  const CephCsi& block_;
  const CephFsCsi& files_;
  std::vector<Timeout> timeouts_;
  std::set<k8s::Ref<k8s::Pod>> waiting_;  // pods that answer nobody for it
  Timer look_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::rook

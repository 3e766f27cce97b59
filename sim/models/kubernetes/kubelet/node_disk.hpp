/// What is on a node's disks and who put it there, and what its eviction manager knows of that.
///
/// A node has one file system (nodefs) for everything, or a second one for images and writable layers (imagefs). On them: the system's own files, images
/// (models/registry), files that no pod owns, and of each pod the logs, writable layers and emptyDirs. A file of small size takes an inode as a large one does.
///
/// - A container that starts again leaves the layer and log of the instance before it, as one dead container. Those of a pod that ended stay until the Pod
///   object is deleted or the eviction manager needs room; its emptyDirs go when it ends.
/// - The eviction manager looks every 10 s at the node's own phase. Of these looks only those are made that can change something: everything grows in straight
///   lines (growth.hpp), so the next crossing is computed.
/// - What is short first is reclaimed from dead containers and unused images; then one pod goes, and the next look follows when it is gone. Pods over
///   their own limits go before that, all at once. Memory goes before disks.
/// - A disk without a byte left stops all who write on it (no space left on device), etcd with them; nothing can be started there. The same without a
///   process left.
///
/// Records, subject "Node/NAME": EvictionThresholdMet, NodeHasDiskPressure, NodeHasNoDiskPressure, NodeHasInsufficientPID, NodeHasSufficientPID,
/// DiskFull, DiskHasRoom, ProcessesExhausted, ProcessesLeft, DeadContainersRemoved (Squall's own words: DiskFull to DeadContainersRemoved); Evicted and
/// FailedCreatePodSandBox on pods.
///
/// Source:     kubelet v1.36 pkg/kubelet/eviction/eviction_manager.go (synchronize, localStorageEviction), helpers.go (buildSignalToRankFunc,
///             buildSignalToNodeReclaimFuncs), kuberuntime/kuberuntime_gc.go, logs/container_log_manager.go; reference kubernetes 3.9, 3.15.
/// Leaves out: see docs/models/disk.md.
/// Checked by: tests/models/kubernetes/kubelet_disk_test.cpp, tests/models/registry/disk_pressure_test.cpp.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/kubernetes/kubelet/eviction_policy.hpp"
#include "sim/models/kubernetes/kubelet/growth.hpp"

namespace sim::k8s::kubelet {

/// ext4's default: one inode for each 16 KiB of the file system.
inline constexpr std::int64_t kBytesPerInode = 16384;
/// Of the files that images are made of (assumed).
inline constexpr std::int64_t kImageFileBytes = 48 << 10;
/// Processes and threads of the system, its daemons and the kernel (assumed).
inline constexpr std::int64_t kSystemProcesses = 500;

/// The files and processes of a pod. Its first container is who writes and forks.
struct PodDisk {
  Growth layer;  // its writable layer
  Growth log;
  double dead_layer = 0;  // of the instance before it
  double dead_log = 0;
  Growth empty_dir;
  std::size_t empty_dir_index = SIZE_MAX;  // which of the pod's emptyDirs; SIZE_MAX: none that is on the disk
  Growth processes;
  double inodes_per_byte = 0;
  CauseId cause{};  // why its container runs

  double layers(SimTime now) const { return layer.at(now) + dead_layer; }
  double logs(SimTime now) const { return log.at(now) + dead_log; }
  void lose_files() {
    for (Growth* one : {&layer, &log, &empty_dir}) one->clear();
    dead_layer = dead_log = 0;
  }
};

struct NodeDisk {
  enum Condition : std::size_t { kDisk, kPid };
  enum Full : std::size_t { kNodefs, kImagefs, kProcesses };

  struct Fill {
    std::uint64_t number = 0;
    Growth growth;
    CauseId cause{};
  };
  std::vector<Fill> fills;  // files that no pod owns
  std::uint64_t last_fill = 0;
  /// Of a pod that ended and is still to be seen in the API.
  struct Dead {
    Ref<Pod> pod;
    double layers = 0;
    double logs = 0;
    double inodes = 0;
  };
  std::vector<Dead> dead;

  // The eviction manager, as of its last look
  struct State {
    bool is_met = false;
    bool drives = false;  // ... for longer than its grace
    SimTime first_met{};
  };
  std::vector<State> thresholds;  // as DiskConfig::thresholds
  struct Pressure {
    bool is_true = false;
    bool is_met = false;
    SimTime last_met{};
    CauseId cause{};
  };
  std::array<Pressure, 2> pressure;
  bool found_no_victim = false;
  SimTime next_image = kEndOfTime;  // then there is an image that may be removed
  bool told_collector = false;  // the garbage collection of images knows that the disk has filled
  SimTime next_pass{};          // a look that does not wait for its turn
  TimerId look{};
  // The machine
  std::array<bool, 3> is_full{};
  std::array<CauseId, 3> full_cause{};
  TimerId crossing{};  // of a line that somebody feels at once: full, or the high threshold of image garbage collection
  std::uint32_t draws = 0;
};

}  // namespace sim::k8s::kubelet

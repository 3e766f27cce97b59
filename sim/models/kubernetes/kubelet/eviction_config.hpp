/// What a KubeletConfiguration says about disks and processes: thresholds of the eviction manager, rotation of logs; and what is to be seen of them.
///
/// Source:     kubelet v1.36 pkg/kubelet/eviction/{defaults_linux,types}.go, eviction/api/types.go; apis/config/v1beta1/defaults.go (containerLogMaxSize,
///             containerLogMaxFiles, podPidsLimit).
/// Leaves out: see eviction_policy.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"

namespace sim::k8s::kubelet {

/// What the eviction manager looks at beside memory, in the order in which shortages are mended. (The kubelet's own order is that of a Go map: none.)
enum class Signal : std::uint8_t { kNodefsAvailable, kNodefsInodesFree, kImagefsAvailable, kImagefsInodesFree, kPidAvailable };
inline constexpr std::size_t kSignalCount = 5;

/// "10%" or "1Gi".
struct ThresholdValue {
  std::int64_t quantity = 0;
  float percentage = -1.0F;  // 0 to 1; negative: `quantity` counts
  friend bool operator==(const ThresholdValue&, const ThresholdValue&) = default;
};

struct Threshold {
  Signal signal = Signal::kNodefsAvailable;
  ThresholdValue value;
  SimDuration grace{};  // zero: hard
  std::optional<ThresholdValue> min_reclaim{};
  bool is_hard() const { return grace == SimDuration{}; }
};

/// Without any: nodefs.available<10%, nodefs.inodesFree<5%, imagefs.available<15%, imagefs.inodesFree<5%; none for pid.available.
std::vector<Threshold> default_thresholds();

struct DiskConfig {
  std::vector<Threshold> thresholds = default_thresholds();
  std::int64_t container_log_max_size = 10ll << 20;  // containerLogMaxSize; negative: no rotation
  std::int64_t container_log_max_files = 5;          // containerLogMaxFiles
  std::int64_t pod_pids_limit = -1;                  // podPidsLimit; negative: none
  std::int64_t used = 0;  // on the first disk of every node: the system's own files
};

/// df of a node.
struct DiskStats {
  std::int64_t nodefs_capacity = 0;
  std::int64_t nodefs_available = 0;
  std::int64_t nodefs_inodes = 0;
  std::int64_t nodefs_inodes_free = 0;
  bool has_imagefs = false;  // of its own; otherwise it is the nodefs
  std::int64_t imagefs_capacity = 0;
  std::int64_t imagefs_available = 0;
  std::int64_t imagefs_inodes = 0;
  std::int64_t imagefs_inodes_free = 0;
  std::int64_t images = 0;      // bytes
  std::int64_t pods = 0;        // bytes: logs, layers and emptyDirs of pods that are there
  std::int64_t dead = 0;        // bytes: logs and layers of containers that ended
  std::int64_t other = 0;       // bytes that no pod owns
  std::int64_t processes = 0;
  std::int64_t pid_max = 0;
  bool disk_pressure = false;  // as the eviction manager sees it
  bool pid_pressure = false;
};

struct PodDiskStats {
  std::int64_t logs = 0;
  std::int64_t layers = 0;
  std::int64_t empty_dirs = 0;
  std::int64_t inodes = 0;
  std::int64_t processes = 0;
};

}  // namespace sim::k8s::kubelet

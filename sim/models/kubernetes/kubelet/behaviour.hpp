/// What the containers of a pod do, which no manifest says: how long they take to start, how much memory they use, when they end.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

/// Applies to the pods that match all of what is set; of several that match, the last one of the list wins, field by field.
struct PodBehaviour {
  // whom
  Symbol ns;                       // empty: every namespace
  std::optional<LabelSelector> selector;
  // what; absent: the default
  std::optional<SimDuration> start_up;       // container start until its readiness probe can succeed (default 2s)
  std::optional<double> start_up_sigma;      // lognormal spread (default 0.3; 0 = exact)
  std::optional<SimDuration> run_time;       // containers of Jobs: until they exit (default 30s)
  std::optional<std::int32_t> exit_code;     // with which they do (default 0)
  std::optional<std::int64_t> memory_bytes;  // working set of the pod once started (default: its request, or 64 MiB)
  std::optional<SimDuration> stop_time;      // from SIGTERM to exit (default 1s)
  std::optional<std::int64_t> page_cache_bytes;  // of the files that the pod reads and writes (default 10 MB)
  std::optional<double> page_cache_active;       // share of them that is used more than once (default 0)
  std::optional<std::int64_t> slab_bytes;        // dentries and inodes of the paths that it looks up (default 512 KiB)
  std::optional<double> cpu;                     // cores that the pod would like to use while it runs (default: what it requests)
  std::optional<double> writes_bytes_per_second;  // by which its files grow: its emptyDir, or without one its writable layer (default 0)
  std::optional<std::int64_t> writes_at_most;     // until there are so many (default: for ever)
  std::optional<std::int64_t> written_file_bytes; // of one of these files, on average: inodes (default 1 MiB)
  std::optional<double> logs_bytes_per_second;    // to stdout and stderr (default 0)
  std::optional<std::int64_t> processes;          // processes and threads (default 10)
  std::optional<double> processes_per_second;     // by which they grow (default 0)
  std::optional<double> disk_bytes_per_second;   // that it reads and writes on its node's own disk while it runs (default 0)
  std::optional<double> disk_operations_per_second;  // requests a second beside their bytes (default 0)
  std::optional<SimDuration> probe_work;  // CPU time that it takes to answer a probe (default 5ms)
};

struct ResolvedBehaviour {
  SimDuration start_up{std::chrono::seconds(2)};
  double start_up_sigma = 0.3;
  SimDuration run_time{std::chrono::seconds(30)};
  std::int32_t exit_code = 0;
  bool exits = false;  // the containers end by themselves after run_time: pods of Jobs, restartPolicy not Always, or run_time was given
  std::int64_t memory_bytes = 0;
  SimDuration stop_time{std::chrono::seconds(1)};
  // Reference platform 9.4: what a pod of a CronJob typically leaves.
  std::int64_t page_cache_bytes = 10'000'000;
  double page_cache_active = 0.0;
  std::int64_t slab_bytes = 512ll << 10;
  double writes_bytes_per_second = 0.0;
  std::int64_t writes_at_most = 0;  // 0: no end
  std::int64_t written_file_bytes = 1ll << 20;
  double logs_bytes_per_second = 0.0;
  std::int64_t processes = 10;
  double processes_per_second = 0.0;
  std::optional<double> cpu;
  double disk_bytes_per_second = 0.0;
  double disk_operations_per_second = 0.0;
  SimDuration probe_work{std::chrono::milliseconds(5)};  // assumed
};

ResolvedBehaviour resolve_behaviour(const std::vector<PodBehaviour>& behaviours, const Pod& pod, const Interner& names);

/// Size of an image, for pulls and the scheduler's ImageLocality.
struct ImageInfo {
  Symbol image;  // normalised
  std::int64_t bytes = 300ll << 20;
};
struct ImageConfig {
  std::int64_t default_bytes = 300ll << 20;
  std::vector<ImageInfo> images;
  double registry_bytes_per_second = 100e6;  // per node, compressed, unpack included
  /// Host of the registry's pods inside the cluster, by Service "namespace/name"; empty: outside, always up.
  Symbol registry_service;
  bool preloaded = true;  // nodes start with the images of the pods that run on them at the start
};

}  // namespace sim::k8s

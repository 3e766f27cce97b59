/// The settings of all kubelets, and of the container runtimes below them, that concern images.
///
/// Source: reference kubernetes 3.1, 3.6, 3.13 (KubeletConfiguration v1beta1); containerd docs/cri/config.md.
#pragma once

#include <chrono>
#include <cstdint>

#include "sim/core/time.hpp"

namespace sim::k8s {

struct ImagePolicy {
  bool serialize_image_pulls = true;
  std::int64_t max_parallel_image_pulls = 0;  // with serialize_image_pulls false; 0: no limit
  double registry_pull_qps = 5.0;             // 0: no limit
  std::int64_t registry_burst = 10;
  std::int64_t image_gc_high_percent = 85;
  std::int64_t image_gc_low_percent = 80;
  SimDuration image_minimum_gc_age{std::chrono::minutes(2)};
  SimDuration image_maximum_gc_age{};  // imageMaximumGCAge; zero: images do not grow too old
  // Of the runtime.
  std::int64_t max_concurrent_downloads = 3;  // layers of one image
  SimDuration image_pull_progress_timeout{std::chrono::minutes(5)};
  bool discard_unpacked_layers = false;
};

}  // namespace sim::k8s

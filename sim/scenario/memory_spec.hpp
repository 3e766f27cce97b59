/// How a scenario says which kernel runs on a machine: a profile, and what is different from it.
///
/// Checked by: tests/scenario/memory_spec_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/models/host/kernel.hpp"

namespace sim::scenario {

struct KernelSpec {
  std::string_view profile = host::KernelConfig{}.profile;
  std::optional<std::int64_t> min_free;
  std::optional<std::int64_t> watermark_scale_factor;
  std::optional<double> pinned_share;
  std::optional<std::int64_t> dying_slab;
  std::optional<std::int64_t> leaked_per_cgroup;
  std::optional<std::int64_t> kmem_caches;
  std::optional<std::int64_t> pid_max;
  std::optional<double> dirty_background_ratio;
  std::optional<double> dirty_ratio;
  std::optional<double> file_reclaim_rate;
  std::optional<double> slab_reclaim_rate;
  std::optional<std::int64_t> running_files;

  /// The profile with its changes.
  host::KernelConfig resolve() const;
};

}  // namespace sim::scenario

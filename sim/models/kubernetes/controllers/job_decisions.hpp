/// What the Job controller decides without the API: back-off after failures, indexes to run next.
///
/// Source: pkg/controller/job/backoff_utils.go, indexed_job_utils.go (reference chapter 2.5).
/// Checked by: tests/models/kubernetes/controllers/job_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

/// Failures since the last success. Kept in the controller's memory only: a new leader begins at none.
struct JobBackoff {
  std::int64_t failures = 0;
  SimTime last_failure{};

  /// Pods must be told in the order in which they finished.
  void note(bool succeeded, SimTime finished);
  /// 10 s * 2^(failures - 1), at most 10 min, counted from the last failure; zero when it is over.
  SimDuration remaining(SimTime now) const;
};

/// When the pod's last container (sidecars too) ended; else since when it is not Ready; else, for a pod that is being deleted, when the deletion began; else
/// when it was created. Not after `now`.
SimTime finish_time(const Pod& pod, SimTime now);

/// "<job>-<index>", the job's part cut so that the generated name is at most 63 characters long.
std::string name_with_index(std::string_view job, std::int64_t index);

/// The lowest `count` indexes below `completions` that are neither completed nor active. Both lists are sorted.
std::vector<std::int64_t> pending_indexes(std::int64_t completions, const std::vector<std::int64_t>& completed,
                                          const std::vector<std::int64_t>& active, std::int64_t count);

/// How many pods the Job wants to be active at this moment.
std::int64_t wanted_active(const JobSpec& spec, std::int64_t succeeded, std::int64_t active);

}  // namespace sim::k8s

#include "sim/models/kubernetes/controllers/job_decisions.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace sim::k8s {

namespace {
using namespace std::chrono_literals;
constexpr SimDuration kBackoffBase = 10s;
constexpr SimDuration kBackoffCap = 10min;
}  // namespace

void JobBackoff::note(bool succeeded, SimTime finished) {
  if (succeeded) {
    failures = 0;
    return;
  }
  ++failures;
  last_failure = finished;
}

SimDuration JobBackoff::remaining(SimTime now) const {
  if (failures == 0) return SimDuration{};
  // 10 s * 2^6 is beyond the cap already; a larger shift would only overflow.
  const SimDuration wait = failures > 6 ? kBackoffCap : std::min<SimDuration>(kBackoffBase * (std::int64_t{1} << (failures - 1)), kBackoffCap);
  return std::max<SimDuration>(SimDuration{}, last_failure + wait - now);
}

SimTime finish_time(const Pod& pod, SimTime now) {
  SimTime last{};
  bool known = pod.is_terminal() && !pod.containers.empty();
  const auto take = [&](const ContainerStatus& status) {
    known = known && status.state == ContainerState::kTerminated;
    last = std::max(last, status.finished_at);
  };
  for (const ContainerStatus& status : pod.containers) take(status);
  for (std::size_t i = 0; i < pod.init_containers.size() && i < pod.spec->init_containers.size(); ++i) {
    if (pod.spec->init_containers[i].is_sidecar) take(pod.init_containers[i]);
  }
  if (known) return std::min(last, now);
  if (pod.start_time && !pod.ready && pod.ready_since != SimTime{}) return std::min(now, pod.ready_since);
  if (pod.meta.is_deleting()) return std::min(now, *pod.meta.deletion_timestamp - std::chrono::seconds(pod.meta.deletion_grace_seconds));
  return std::min(now, pod.meta.created);
}

std::string name_with_index(std::string_view job, std::int64_t index) {
  constexpr std::size_t kGeneratedBase = 57;  // 63 less "-" and five letters
  const std::string suffix = fmt::format("-{}", index);
  return fmt::format("{}{}", job.substr(0, kGeneratedBase - suffix.size()), suffix);
}

std::vector<std::int64_t> pending_indexes(std::int64_t completions, const std::vector<std::int64_t>& completed,
                                          const std::vector<std::int64_t>& active, std::int64_t count) {
  std::vector<std::int64_t> pending;
  for (std::int64_t index = 0; index < completions && static_cast<std::int64_t>(pending.size()) < count; ++index) {
    if (!std::binary_search(completed.begin(), completed.end(), index) && !std::binary_search(active.begin(), active.end(), index)) {
      pending.push_back(index);
    }
  }
  return pending;
}

std::int64_t wanted_active(const JobSpec& spec, std::int64_t succeeded, std::int64_t active) {
  const std::int64_t parallelism = spec.parallelism.value_or(1);
  // API defaulting: with neither given, both are 1; with parallelism alone it is a work queue.
  const bool work_queue = !spec.completions && spec.parallelism;
  if (work_queue) return succeeded > 0 ? std::min(active, parallelism) : parallelism;
  return std::clamp<std::int64_t>(spec.completions.value_or(1) - succeeded, 0, parallelism);
}

}  // namespace sim::k8s

#include "sim/models/kubernetes/kubelet/restart_backoff.hpp"

#include <algorithm>

namespace sim::k8s::kubelet {

namespace {

SimDuration stretched(SimDuration span, RandomStream& random) { return span + random.uniform(SimDuration{}, span / 2); }

}  // namespace

SimDuration RestartBackoff::wait_after(SimTime ended) const { return expired(ended) ? SimDuration{} : wait_; }

void RestartBackoff::restarted(SimTime ended, SimTime now) {
  wait_ = expired(ended) ? kBackOffFirst : std::min(2 * wait_, kBackOffMax);
  restarted_at_ = now;
}

SimDuration ImageBackoff::failed(SimTime now) {
  const bool first = wait_ == SimDuration{} || now - failed_at_ > kBackOffReset;
  wait_ = first ? kBackOffFirst : std::min(2 * wait_, kBackOffMax);
  failed_at_ = now;
  return wait_;
}

SimDuration worker_delay(SimDuration remaining, RandomStream& random) {
  constexpr SimDuration kLongestPiece = std::chrono::seconds(60);
  SimDuration total{};
  while (total < remaining) total += stretched(std::min(remaining - total, kLongestPiece), random);
  return total;
}

SimDuration image_retry_delay(SimDuration backoff, RandomStream& random) {
  constexpr SimDuration kAfterAnError = std::chrono::seconds(10);
  SimDuration total{};
  do {
    total += stretched(kAfterAnError, random);
  } while (total < backoff);
  return total;
}

}  // namespace sim::k8s::kubelet

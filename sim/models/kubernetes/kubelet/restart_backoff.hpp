/// How long the kubelet waits before it tries again: containers that ended (CrashLoopBackOff) and images that could not
/// be pulled (ImagePullBackOff).
///
/// Source:     reference kubernetes 3.6, 3.7: client-go util/flowcontrol/backoff.go (Next, hasExpired), kubelet
///             pod_workers.go (completeWork).
/// Leaves out: the lower cap of KEP-4603; the reset when the image or the resources of a container change (specs of
///             simulated pods do not).
/// Checked by: tests/models/kubernetes/kubelet_backoff_test.cpp.
#pragma once

#include "sim/core/random.hpp"
#include "sim/core/time.hpp"

namespace sim::k8s::kubelet {

inline constexpr SimDuration kBackOffFirst{std::chrono::seconds(10)};
inline constexpr SimDuration kBackOffMax{std::chrono::seconds(300)};
inline constexpr SimDuration kBackOffReset{std::chrono::seconds(600)};

/// One container's restarts: the first is free, then 10 s, doubling up to 300 s, each counted from the exit. An exit more than
/// 600 s after the last restart starts the series over.
class RestartBackoff {
 public:
  /// The wait, counted from `ended`, before the next restart is allowed.
  SimDuration wait_after(SimTime ended) const;
  /// Records a restart of the instance that ended at `ended`; `now` is not before it.
  void restarted(SimTime ended, SimTime now);

 private:
  bool expired(SimTime ended) const { return wait_ == SimDuration{} || ended - restarted_at_ > kBackOffReset; }
  SimDuration wait_{};  // zero: no entry
  SimTime restarted_at_{};
};

/// One image of one pod: 10 s after the first failure, doubling up to 300 s, forgotten 600 s after the last one.
class ImageBackoff {
 public:
  /// Records a failure and returns how long the image is not asked for.
  SimDuration failed(SimTime now);

 private:
  SimDuration wait_{};
  SimTime failed_at_{};
};

/// When a pod's worker that has to wait `remaining` really looks again: it comes back after min(remaining, 60 s) * (1 + U[0, 0.5])
/// until nothing remains, so up to half of the last piece late.
SimDuration worker_delay(SimDuration remaining, RandomStream& random);

/// When a pod's worker whose image may be tried again after `backoff` really tries: it comes every 10 s * (1 + U[0, 0.5]).
SimDuration image_retry_delay(SimDuration backoff, RandomStream& random);

}  // namespace sim::k8s::kubelet

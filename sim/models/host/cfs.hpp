/// CPU limits as the kernel enforces them: quota and period of the CFS bandwidth controller, and the counters of cpu.stat.
///
/// A container with a limit may run quota microseconds in each period of 100 ms. What would run w cores at once has used them up after quota / w, and stands still for the rest
/// of the period, in all of its threads: the period is throttled. So it gets its limit on average, in bursts with pauses of 100 ms - quota / w between them.
///
/// Source:     kubelet pkg/kubelet/cm/helpers_linux.go (MilliCPUToQuota, QuotaPeriod 100 ms, MinQuotaPeriod 1 ms); kernel Documentation/scheduler/sched-bwc.rst,
///             Documentation/admin-guide/cgroup-v2.rst (cpu.stat: nr_periods, nr_throttled, throttled_usec).
/// Leaves out: slices of 5 ms that CPUs keep for themselves, cpu.max.burst, demand that comes in bursts (one that stays below its quota on average is not throttled here).
/// Checked by: tests/models/cfs_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sim/core/time.hpp"

namespace sim::host {

inline constexpr SimDuration kCfsPeriod{std::chrono::milliseconds(100)};
inline constexpr SimDuration kCfsQuotaLeast{std::chrono::milliseconds(1)};

/// What the kubelet writes to cpu.max (cpu.cfs_quota_us); zero: no limit.
inline SimDuration cfs_quota(std::int64_t limit_milli) {
  if (limit_milli <= 0) return SimDuration::zero();
  return std::max(kCfsQuotaLeast, kCfsPeriod / 1000 * limit_milli);
}

/// How long it stands still in each period; zero: it is not throttled. `cores`: what it would run at once.
inline SimDuration cfs_pause(SimDuration quota, double cores) {
  if (quota <= SimDuration::zero() || cores <= 0.0) return SimDuration::zero();
  const double runs = seconds(quota) / cores;
  return runs >= seconds(kCfsPeriod) ? SimDuration::zero() : kCfsPeriod - from_seconds(runs);
}

/// cpu.stat of one container, counted when somebody looks.
class CfsCounters {
 public:
  struct Counts {
    std::int64_t periods = 0;
    std::int64_t throttled = 0;
    SimDuration throttled_time{};  // of each CPU that it stood still on
  };
  /// From now on: quota (zero: none), and the cores that it runs at once.
  void set(SimTime now, SimDuration quota, double cores) {
    counts_ = at(now);
    since_ = now;
    quota_ = quota;
    cores_ = cores;
  }
  /// The bandwidth timer runs while the cgroup does.
  Counts at(SimTime now) const {
    Counts counts = counts_;
    if (quota_ <= SimDuration::zero() || cores_ <= 0.0) return counts;
    const std::int64_t periods = (now - since_) / kCfsPeriod;
    counts.periods += periods;
    const SimDuration pause = cfs_pause(quota_, cores_);
    if (pause > SimDuration::zero()) {
      counts.throttled += periods;
      counts.throttled_time += periods * pause * static_cast<std::int64_t>(std::ceil(cores_));
    }
    return counts;
  }
  SimDuration pause() const { return cfs_pause(quota_, cores_); }

 private:
  Counts counts_;
  SimTime since_{};
  SimDuration quota_{};
  double cores_ = 0;
};

}  // namespace sim::host

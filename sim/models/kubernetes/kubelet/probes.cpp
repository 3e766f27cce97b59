#include "sim/models/kubernetes/kubelet/probes.hpp"

#include <algorithm>

namespace sim::k8s::kubelet {

namespace {

/// The first tick not before `from` that is not skipped.
SimTime tick_from(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime from) {
  const SimDuration period = std::chrono::seconds(std::max<std::int64_t>(1, probe.period_seconds));
  const SimTime earliest = std::max(from, container_started + std::chrono::seconds(probe.initial_delay_seconds));
  if (earliest <= first_tick) return first_tick;
  const std::int64_t ticks = (earliest - first_tick + period - SimDuration(1)) / period;
  return first_tick + ticks * period;
}

SimTime after_threshold(const Probe& probe, SimTime tick, std::int64_t threshold) {
  const SimDuration period = std::chrono::seconds(std::max<std::int64_t>(1, probe.period_seconds));
  return tick + (std::max<std::int64_t>(1, threshold) - 1) * period;
}

}  // namespace

SimTime probe_succeeds_at(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime healthy_from) {
  return after_threshold(probe, tick_from(probe, container_started, first_tick, healthy_from), probe.success_threshold);
}

SimTime probe_fails_at(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime unhealthy_from) {
  return after_threshold(probe, tick_from(probe, container_started, first_tick, unhealthy_from), probe.failure_threshold);
}

SimTime probe_times_out_at(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime hangs_from) {
  const SimDuration period = std::chrono::seconds(std::max<std::int64_t>(1, probe.period_seconds));
  const SimDuration timeout = std::chrono::seconds(std::max<std::int64_t>(1, probe.timeout_seconds));
  // The next call begins with the next tick, or when the one before has timed out.
  return tick_from(probe, container_started, first_tick, hangs_from) +
         (std::max<std::int64_t>(1, probe.failure_threshold) - 1) * std::max(period, timeout) + timeout;
}

ProbeResult next_probe_result(const Container& container, bool started, SimTime container_started, SimTime first_tick, SimTime healthy_from) {
  using What = ProbeResult::What;
  if (!started && container.startup_probe) {
    const Probe& probe = *container.startup_probe;
    const SimTime passes = probe_succeeds_at(probe, container_started, first_tick, healthy_from);
    const SimTime gives_up = probe_fails_at(probe, container_started, first_tick, first_tick);
    if (gives_up < healthy_from) return {What::kKill, gives_up};
    return {What::kStarted, passes};
  }
  if (container.liveness_probe) {
    const SimTime gives_up = probe_fails_at(*container.liveness_probe, container_started, first_tick, first_tick);
    if (gives_up < healthy_from) return {What::kKill, gives_up};
  }
  if (container.readiness_probe) return {What::kReady, probe_succeeds_at(*container.readiness_probe, container_started, first_tick, healthy_from)};
  return {};
}

}  // namespace sim::k8s::kubelet

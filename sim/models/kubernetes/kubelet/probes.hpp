/// When a container's probes change their mind. What a probe would find is the container's simulated health; so instead of
/// one event per probe the next instant is computed at which a result can change.
///
/// A probe runs at `first_tick`, then every period; the ticks before initialDelaySeconds (whole seconds since the container started)
/// are skipped. `threshold` equal results in a row change the result.
///
/// Source:     reference kubernetes 3.8: pkg/kubelet/prober/worker.go.
/// Leaves out: results in error of the probe itself; the time-out of a probe during start-up (a container that is not healthy
///             refuses at once); the random start of workers in the first period after the kubelet's own start.
/// Checked by: tests/models/kubernetes/kubelet_probes_test.cpp.
#pragma once

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s::kubelet {

/// When a probe that finds the container healthy from `healthy_from` on has succeeded successThreshold times.
SimTime probe_succeeds_at(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime healthy_from);

/// When a probe that finds the container unhealthy from `unhealthy_from` on has failed failureThreshold times.
SimTime probe_fails_at(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime unhealthy_from);

/// When a probe whose calls hang from `hangs_from` on, each until its time-out, has failed failureThreshold times.
SimTime probe_times_out_at(const Probe& probe, SimTime container_started, SimTime first_tick, SimTime hangs_from);

/// What the kubelet's probes find next in a container that started and is healthy from `healthy_from` on.
struct ProbeResult {
  enum class What : std::uint8_t {
    kNothing,  ///< no probe has anything more to find
    kStarted,  ///< the startup probe succeeded
    kReady,    ///< the readiness probe succeeded
    kKill,     ///< startup or liveness probe failed: the container is killed
  } what = What::kNothing;
  SimTime at = kEndOfTime;
};
/// Before `started` (startup probe not passed yet): kStarted or kKill. After it, since `first_tick`: kKill when the liveness probe gives
/// up before the container is healthy, else kReady.
ProbeResult next_probe_result(const Container& container, bool started, SimTime container_started, SimTime first_tick, SimTime healthy_from);

}  // namespace sim::k8s::kubelet

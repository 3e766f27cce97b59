// The processes of the control plane: how they die, and how their kubelets bring them back.
#include <fmt/format.h>

#include "sim/models/kubernetes/control_plane/control_plane.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kRelistPeriod = 1s;  // the kubelet notices an exit at its next look (reference kubernetes 3.2)
// kube-apiserver: 8 failed liveness probes 10 s apart, each waiting 2 s for etcd (4.15, 7.6).
constexpr SimDuration kLivenessMin = 72s;
constexpr SimDuration kLivenessMax = 82s;
// Its startup probe: 10 s, then 24 failures 10 s apart (4.15).
constexpr SimDuration kStartupLimit = 250s;
// It exits when nothing listens at its etcd's address for this long (dial timeout, 4.16).
constexpr SimDuration kDialTimeout = 20s;

}  // namespace

void ControlPlane::on_host_change(const host::Hosts::Change& change) {
  using What = host::Hosts::Change::What;
  const std::optional<std::size_t> index = member_of(change.host);
  if (!index || !started_) return;
  Member& member = members_[*index];
  switch (change.what) {
    case What::kDown:
      for (Process& process : member.processes) {
        if (process.state == ProcessState::kRunning) process.ended = engine_.now();
        process.state = ProcessState::kDead;
        process.hung = process.lost_lease = false;
        process.timer.cancel();
        process.probe.cancel();
        process.backoff = {};  // the kubelet's memory
        process.cause = hosts_.last_cause(change.host);
      }
      member.boot.cancel();
      member.booted = false;
      member.kubelet_running = true;
      member.stalled = false;
      member.defragmenting = false;
      break;
    case What::kHung:
      for (Process& process : member.processes) {
        process.timer.cancel();
        process.probe.cancel();
      }
      break;
    case What::kUp: {
      const std::size_t i = *index;
      member.boot.set_after(hosts_.kubelet_start_time(change.host), [this, i] { kubelet_is_up(i); });
      break;
    }
    case What::kBooting:
    case What::kNetwork: break;
  }
  evaluate();
}

void ControlPlane::kubelet_is_up(std::size_t member) {
  Member& m = members_[member];
  m.booted = true;
  if (!m.kubelet_running) return;
  for (std::size_t c = 0; c < kComponentCount; ++c) {
    if (!m.processes[c].stopped) begin(static_cast<Component>(c), member);
  }
  mark_status(member);
  evaluate();
}

void ControlPlane::set_kubelet_running(host::HostId host, bool running) {
  const std::optional<std::size_t> index = member_of(host);
  if (!index || members_[*index].kubelet_running == running) return;
  Member& member = members_[*index];
  member.kubelet_running = running;
  for (std::size_t c = 0; c < kComponentCount; ++c) {
    Process& process = member.processes[c];
    if (running) {
      process.backoff = {};  // forgotten with the old kubelet
      schedule_restart(static_cast<Component>(c), *index);
      if (process.hung) watch_hung(static_cast<Component>(c), *index);
    } else {
      // A container that has started goes on by itself; nobody starts or probes one.
      if (process.state == ProcessState::kDead) process.timer.cancel();
      process.probe.cancel();
    }
  }
  if (running) mark_status(*index);
  evaluate();
}

void ControlPlane::kill(Component component, std::size_t member) {
  if (is_external() || process(component, member).state == ProcessState::kDead) return;
  die(component, member, "ContainerDied", fmt::format("{} on {} was killed", to_string(component), host_name(member)));
}

void ControlPlane::end_process(Component component, std::size_t member, std::string_view kind, std::string_view message) {
  if (is_external() || process(component, member).state == ProcessState::kDead) return;
  die(component, member, kind, message);
}

void ControlPlane::set_lease_throttled(Component component, std::size_t member, bool throttled) {
  Process& leader = process(component, member);
  if (leader.lease_throttled == throttled) return;
  leader.lease_throttled = throttled;
  evaluate();
}

void ControlPlane::set_disk_full(host::HostId host, bool full) {
  const std::optional<std::size_t> index = member_of(host);
  if (is_external() || !index || members_[*index].disk_full == full) return;
  members_[*index].disk_full = full;
  Process& etcd = process(Component::kEtcd, *index);
  if (full) {
    if (etcd.state == ProcessState::kDead) {
      etcd.timer.cancel();
      return;
    }
    die(Component::kEtcd, *index, "ContainerDied",
        fmt::format("etcd on {} exits: failed to save Raft hard state and entries: write: no space left on device", host_name(*index)));
    return;
  }
  try_again_since(*index);
}

/// Its tries while it could not start are not simulated one by one; the next one is where their back-off would have put it.
void ControlPlane::try_again_since(std::size_t member) {
  Process& etcd = process(Component::kEtcd, member);
  schedule_restart(Component::kEtcd, member);
  if (!etcd.timer.is_pending()) return;
  SimDuration wait = kubelet::kBackOffFirst;
  SimTime next = etcd.ended;
  while (next < engine_.now()) {
    next += wait;
    wait = std::min<SimDuration>(2 * wait, kubelet::kBackOffMax);
  }
  etcd.timer.set_at(next, [this, member] { begin(Component::kEtcd, member); });
}

void ControlPlane::stop(Component component, std::size_t member) {
  if (is_external()) return;
  Process& p = process(component, member);
  if (p.stopped) return;
  p.stopped = true;
  if (p.state == ProcessState::kDead) {
    p.timer.cancel();
    return;
  }
  if (component == Component::kEtcd && etcd_leader_ == member) hands_over_ = true;
  // kube-controller-manager keeps its lease at a clean end (ControllerManagerReleaseLeaderElectionLockOnExit is off).
  if (component == Component::kScheduler && lease(component).leader() == member) lease(component).release();
  die(component, member, "Killing", fmt::format("{} on {} was stopped", to_string(component), host_name(member)));
  hands_over_ = false;
}

void ControlPlane::start_component(Component component, std::size_t member) {
  if (is_external() || !process(component, member).stopped) return;
  process(component, member).stopped = false;
  process(component, member).backoff = {};
  schedule_restart(component, member);
}

void ControlPlane::die(Component component, std::size_t member, std::string_view kind, std::string_view message) {
  Process& p = process(component, member);
  p.state = ProcessState::kDead;
  p.hung = p.lost_lease = false;
  if (component == Component::kEtcd) members_[member].defragmenting = false;
  p.ended = engine_.now();
  p.timer.cancel();
  p.probe.cancel();
  p.cause = log_.record(kind, pod_subject(component, member), message);
  p.status_pending = true;
  const ScopedCause because(engine_, p.cause);
  schedule_restart(component, member);
  evaluate();
}

void ControlPlane::schedule_restart(Component component, std::size_t member) {
  Process& p = process(component, member);
  const Member& m = members_[member];
  if (p.state != ProcessState::kDead || p.stopped || !m.kubelet_running || !m.booted || !hosts_.is_running(m.host)) return;
  const SimDuration noticed = random_.stream("control-plane/relist", draw_key(component, member)).uniform(SimDuration{}, kRelistPeriod);
  // It would exit again and again, each time as soon as it writes.
  if (cannot_start(component, member)) return;
  const SimTime allowed = p.ended + p.backoff.wait_after(p.ended);
  p.timer.set_at(std::max(allowed, engine_.now() + noticed), [this, component, member] { begin(component, member); });
}

SimDuration ControlPlane::start_time(Component component, std::size_t member) const {
  const SimDuration median = component == Component::kApiServer ? config_.api_server_start : config_.component_start;
  if (config_.start_sigma == 0.0) return median;
  return random_.stream("control-plane/start", draw_key(component, member)).lognormal(median, config_.start_sigma);
}

void ControlPlane::begin(Component component, std::size_t member) {
  Process& p = process(component, member);
  if (p.state != ProcessState::kDead || !hosts_.is_running(members_[member].host)) return;
  if (cannot_start(component, member)) return;
  p.state = ProcessState::kStarting;
  p.backoff.restarted(p.ended, engine_.now());
  ++p.restarts;
  p.started = engine_.now();
  p.initialised = false;
  p.reached_etcd = false;
  p.timer.set_after(start_time(component, member), [this, component, member] { finish_start(component, member); });
  if (component == Component::kApiServer) {
    p.probe.set_after(kDialTimeout, [this, member] { startup_probe_failed(member); });
    check_api_server(member);
  }
}

void ControlPlane::finish_start(Component component, std::size_t member) {
  Process& p = process(component, member);
  if (!hosts_.is_running(members_[member].host)) return;
  p.initialised = true;
  if (component != Component::kApiServer) {
    p.state = ProcessState::kRunning;
    p.cause = log_.record("Started", pod_subject(component, member), fmt::format("{} on {} runs", to_string(component), host_name(member)));
    p.status_pending = true;
    const ScopedCause because(engine_, p.cause);
    evaluate();
    return;
  }
  evaluate();
}

void ControlPlane::startup_probe_failed(std::size_t member) {
  Process& p = process(Component::kApiServer, member);
  if (p.state != ProcessState::kStarting) return;
  const SimTime limit = p.started + kStartupLimit;
  if (p.reached_etcd && engine_.now() < limit) {
    if (!members_[member].kubelet_running) return;  // nobody probes
    p.probe.set_at(limit, [this, member] { startup_probe_failed(member); });
    return;
  }
  const std::string message = p.reached_etcd ? fmt::format("kube-apiserver on {} failed its startup probe: etcd does not serve", host_name(member))
                                             : fmt::format("kube-apiserver on {} exits: it reaches no etcd", host_name(member));
  const ScopedCause because(engine_, has_quorum_ && etcd_leader_ ? why_gone(Component::kEtcd, member) : etcd_cause_);
  die(Component::kApiServer, member, p.reached_etcd ? "Killing" : "ContainerDied", message);
}

void ControlPlane::check_api_server(std::size_t member) {
  Process& p = process(Component::kApiServer, member);
  const Member& m = members_[member];
  if (p.state == ProcessState::kDead || p.hung || !host_works(member)) return;
  if (p.state == ProcessState::kStarting) {
    p.reached_etcd = p.reached_etcd || m.etcd_answers || (m.etcd_connected && (!config_.local_endpoints || is_running(Component::kEtcd, member)));
    if (!p.initialised || !m.etcd_answers) return;
    p.state = ProcessState::kRunning;
    p.probe.cancel();
    p.cause = log_.record("Started", pod_subject(Component::kApiServer, member), fmt::format("kube-apiserver on {} serves", host_name(member)));
    p.status_pending = true;
    return;
  }
  if (m.etcd_answers) {
    p.probe.cancel();
  } else if (!p.probe.is_pending() && m.kubelet_running) {
    const SimDuration patience = random_.stream("control-plane/liveness", draw_key(Component::kApiServer, member)).uniform(kLivenessMin, kLivenessMax);
    const ScopedCause because(engine_, has_quorum_ && etcd_leader_ ? CauseId{} : etcd_cause_);
    p.probe.set_after(patience, [this, member] {
      die(Component::kApiServer, member, "Killing",
          fmt::format("kube-apiserver on {} failed its liveness probe: etcd does not answer", host_name(member)));
    });
  }
}

}  // namespace sim::k8s

/// Memory of nodes: working sets, limits, the eviction manager, the kernel's OOM killer, a host that hangs.
///
/// Everything between two changes is linear (leaks), so the next instant at which a line is crossed is computed and gets one timer.
///
/// Source: reference kubernetes 3.9, 3.10; platform 9.1, 9.4 (regime d).

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::grid_at;
using kubelet::human_bytes;
using kubelet::kEvictionPeriod;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::Stage;
using kubelet::Step;

// ---- what is used

void Kubelets::Impl::charge(PodRun& run, ContainerRun& c) {
  if (is_init(run, c) || c.memory != 0) return;  // sidecars and init containers are part of the pod's figure
  const auto index = static_cast<std::size_t>(&c - run.containers.data());
  settle_kernel(*run.node);
  c.memory = kubelet::memory_shares(*run.spec, run.behaviour.memory_bytes)[index];
  run.node->charged += c.memory;
  run.node->found_no_victim = false;
  if (index == 0) start_leak(run);
  const Container& spec = run.spec->containers[index];
  if (!run.is_mirror && spec.limits.memory > 0 && c.memory > spec.limits.memory && c.exit_at > engine.now()) {
    // It asks for more than its limit as soon as it runs.
    c.exit_at = engine.now();
    c.exit_code_next = 137;
    c.exit_reason_next = reasons.oom_killed;
  }
  set_wants(run, c);
  memory_changed(*run.node);
}

void Kubelets::Impl::uncharge(PodRun& run, ContainerRun& c) {
  if (is_init(run, c)) return;
  clear_wants(run, c);
  c.stress = {};  // whatever ran in it is gone with it
  const bool leaked_here = &c == run.containers.data() && run.is_leaking;
  if (c.memory == 0 && !leaked_here) return;
  for (const auto& listener : memory_listeners) listener(run.node->ref);  // as it was before
  run.node->charged -= std::exchange(c.memory, 0);
  if (leaked_here) stop_leak(run);
  memory_changed(*run.node);
}

bool Kubelets::Impl::set_stress(PodRun& run, ContainerRun& c, const Stress& stress) {
  if (c.step != Step::kRunning || is_init(run, c)) return false;
  const std::int64_t more = stress.memory_bytes - c.stress.memory_bytes;
  const bool was_demanding = c.stress.cpu_cores > 0.0 || c.stress.disk_bytes_per_second > 0.0;
  const bool is_demanding = stress.cpu_cores > 0.0 || stress.disk_bytes_per_second > 0.0;
  c.stress = stress;
  NodeRun& node = *run.node;
  if (is_demanding || was_demanding) {
    if (is_demanding && !std::exchange(c.is_demanding, true)) ++node.demanding;
    if (!is_demanding && !run.behaviour.cpu && c.wants_disk <= 0.0 && std::exchange(c.is_demanding, false)) --node.demanding;
    share_machine(node);
  }
  if (more == 0) return true;
  settle_kernel(node);
  for (const auto& listener : memory_listeners) listener(node.ref);  // as it was before
  c.memory += more;
  node.charged += more;
  node.found_no_victim = false;
  const auto index = static_cast<std::size_t>(&c - run.containers.data());
  const std::int64_t limit = run.spec->containers[index].limits.memory;
  const bool is_over_limit = !run.is_mirror && limit > 0 && c.memory + (index == 0 ? leaked(run) : 0) > limit;
  if (more > 0 && is_over_limit && !c.is_dying) {
    // memory.oom.group: the kernel kills the whole container, not the process that is the largest.
    die(run, c, 137, reasons.oom_killed);
    return true;
  }
  memory_changed(node);
  return true;
}

void Kubelets::Impl::start_leak(PodRun& run) {
  if (run.is_leaking || run.leak_rate <= 0.0) return;
  run.is_leaking = true;
  run.leak_since = engine.now();
  run.leaked_before = 0;
  run.node->leaking.push_back(&run);
  if (run.leak_cause && is_old_news(run.containers.front())) return;
  const CauseId started = engine.cause();
  const ScopedCause because(engine, run.leak_root);
  run.leak_cause = record(run, "MemoryLeak", fmt::format("leaks {}/s on {}", human_bytes(static_cast<std::int64_t>(run.leak_rate)),
                                                         api.names().text(run.node->name)));
  log.also_caused_by(run.leak_cause, started);
}

void Kubelets::Impl::stop_leak(PodRun& run) {
  run.is_leaking = false;
  run.leaked_before = 0;
  std::erase(run.node->leaking, &run);
}

void Kubelets::Impl::add_leak(PodRun& run, double bytes_per_second) {
  const std::int64_t before = leaked(run);
  run.leak_rate += bytes_per_second;
  if (engine.cause()) run.leak_root = engine.cause();
  if (run.is_leaking) {
    run.leaked_before = before;
    run.leak_since = engine.now();
  } else if (!run.containers.empty() && run.containers.front().step == Step::kRunning) {
    start_leak(run);
  }
  memory_changed(*run.node);
}

std::int64_t Kubelets::Impl::leaked(const PodRun& run) const {
  if (!run.is_leaking) return 0;
  // A host that stalls lets nobody allocate.
  const SimTime now = run.node->is_stalled ? run.node->stalled_since : engine.now();
  return std::max<std::int64_t>(0, run.leaked_before + static_cast<std::int64_t>(run.leak_rate * seconds(now - run.leak_since)));
}

std::int64_t Kubelets::Impl::usage(const PodRun& run) const {
  std::int64_t total = leaked(run);
  for (const ContainerRun& c : run.containers) total += c.memory;
  return total;
}

std::int64_t Kubelets::Impl::used(const NodeRun& node) const {
  if (!hosts.is_running(node.host)) return 0;
  std::int64_t total = node.system_memory + node.charged;
  for (const PodRun* run : node.leaking) total += leaked(*run);
  return total;
}

double Kubelets::Impl::leak_rate(const NodeRun& node) const {
  double rate = 0.0;
  for (const PodRun* run : node.leaking) rate += run->leak_rate;
  return rate;
}

namespace {

/// The first instant at which `missing` more bytes are used; now when they already are.
SimTime reaches(SimTime now, std::int64_t missing, double rate) {
  if (missing <= 0) return now;
  if (rate <= 0.0) return kEndOfTime;
  const double wait = static_cast<double>(missing) / rate;
  constexpr double kNever = 200.0 * 365 * 86400;
  if (wait > kNever) return kEndOfTime;
  return now + std::max(SimDuration(1), from_seconds(wait) + SimDuration(1));
}

}  // namespace

/// The kubelet's view: what its eviction manager adds up.
SimTime Kubelets::Impl::reaches_level(const NodeRun& node, std::int64_t level) const {
  return reaches(engine.now(), level - working_set(node), leak_rate(node));
}

/// The kernel's view: everything that no reclaim gives back.
SimTime Kubelets::Impl::commits(const NodeRun& node, std::int64_t level) const {
  return reaches(engine.now(), level - committed(node), leak_rate(node) + node.kernel->unreclaimable_rate());
}

/// From here on the kernel has nothing left to give.
std::int64_t Kubelets::Impl::exhausted_at(const NodeRun& node) const { return node.memory - node.kernel->marks().min; }

/// Why memory is short: the leaks on the node, the largest first.
std::vector<CauseId> Kubelets::Impl::leak_causes(const NodeRun& node) const {
  std::vector<PodRun*> leaking = node.leaking;
  std::stable_sort(leaking.begin(), leaking.end(), [this](const PodRun* a, const PodRun* b) { return leaked(*a) > leaked(*b); });
  std::vector<CauseId> causes;
  for (const PodRun* run : leaking) {
    if (run->leak_cause) causes.push_back(run->leak_cause);
  }
  return causes;
}

// ---- when to look

void Kubelets::Impl::memory_changed(NodeRun& node) {
  engine.cancel(std::exchange(node.memory_timer, TimerId{}));
  if (!node.is_started || node.is_stalled || !hosts.is_running(node.host)) return;
  for (const auto& listener : memory_listeners) listener(node.ref);
  const SimTime now = engine.now();
  NodeRun* place = &node;

  if (node.write_back != nullptr && node.write_back->wanted() > 0.0) {
    // The thresholds of dirty pages are shares of what processes and kernel leave.
    share_machine(node);
    if (node.disk != nullptr) arm_disk(node);
  }
  settle_kernel(node);
  update_thrashing(node);
  SimTime next = commits(node, exhausted_at(node));
  if (!node.is_thrashing) next = std::min(next, commits(node, exhausted_at(node) - node.kernel->kernel().running_files + 1));
  for (const PodRun* run : node.leaking) {
    const Container& spec = run->spec->containers.front();
    if (run->is_mirror || run->containers.front().is_dying || spec.limits.memory <= 0 || run->leak_rate <= 0.0) continue;
    const std::int64_t missing = spec.limits.memory + 1 - run->containers.front().memory - leaked(*run);
    const double wait = std::max(0.0, static_cast<double>(missing) / run->leak_rate);
    next = std::min(next, now + from_seconds(std::min(wait, 1e9)) + SimDuration(1));
  }

  // The kubepods cgroup has a limit of its own: its pods are killed there without the host being short of anything.
  if (used(node) < pods_full_at(node)) node.pods_have_no_victim = false;
  if (!node.pods_have_no_victim) next = std::min(next, reaches(now, pods_full_at(node) - used(node), leak_rate(node)));

  if (node.kubelet_running) {
    const bool below = available(node) < threshold(node);
    if (!below) {
      node.soft_since = kEndOfTime;
      node.hard_met = false;
    }
    if (node.pressure && !below && std::exchange(node.below_threshold, false)) {
      // The condition outlives the shortage.
      engine.cancel(node.pressure_timer);
      node.pressure_timer = engine.after(config.pressure_transition, [this, place] {
        place->pressure = false;
        place->pressure_cause = engine.cause();
        schedule_status(*place);
      });
    }
    if (!below) node.found_no_victim = false;
    if (node.evicting == nullptr && !node.found_no_victim) {
      const SimTime crossing = eviction_due(node);
      if (crossing != kEndOfTime) {
        const SimTime look = crossing <= node.next_pass ? node.next_pass : grid_at(crossing, node.monitor_phase, kEvictionPeriod);
        next = std::min(next, std::max(look, now));
      }
    }
  }
  if (next != kEndOfTime) node.memory_timer = engine.at(next, [this, place] { on_memory_timer(*place); });
}

void Kubelets::Impl::on_memory_timer(NodeRun& node) {
  node.memory_timer = TimerId{};
  if (kill_over_limit(node)) return;  // which calls memory_changed()
  if (committed(node) >= exhausted_at(node)) {
    exhausted(node);
    return;
  }
  if (used(node) >= pods_full_at(node) && !node.pods_have_no_victim) {
    pods_exhausted(node);
    return;
  }
  const bool below = available(node) < threshold(node);
  const SimTime turn = engine.now() == node.next_pass ? engine.now() : grid_at(engine.now(), node.monitor_phase, kEvictionPeriod);
  if (below && node.kubelet_running && node.evicting == nullptr && turn == engine.now()) eviction_pass(node);
  memory_changed(node);
}

bool Kubelets::Impl::kill_over_limit(NodeRun& node) {
  for (PodRun* run : node.leaking) {
    const Container& spec = run->spec->containers.front();
    ContainerRun& c = run->containers.front();
    if (run->is_mirror || c.is_dying || spec.limits.memory <= 0 || c.memory + leaked(*run) <= spec.limits.memory) continue;
    const ScopedCause because(engine, run->leak_cause);
    die(*run, c, 137, reasons.oom_killed);
    if (c.is_dying) memory_changed(node);  // it keeps what it has
    return true;
  }
  return false;
}

// ---- the eviction manager

/// The smaller of memory.available and allocatableMemory.available (the kubepods limit less what pods use).
std::int64_t Kubelets::Impl::available(const NodeRun& node) const {
  return std::max<std::int64_t>(0, std::min(node.memory, pods_limit(node) + node.system_memory) - working_set(node));
}

std::int64_t Kubelets::Impl::pods_limit(const NodeRun& node) const { return std::min(node.memory, node.pods_limit); }

/// At so much used, pods have all that the kubepods cgroup may have. Never before the host is exhausted unless something is reserved that the system
/// does not use.
std::int64_t Kubelets::Impl::pods_full_at(const NodeRun& node) const {
  const std::int64_t full = pods_limit(node) + node.system_memory;
  return full < exhausted_at(node) ? full : std::numeric_limits<std::int64_t>::max();
}

/// Below it the eviction manager sees a shortage: the highest threshold, and what must be reclaimed beyond it once it was met.
std::int64_t Kubelets::Impl::threshold(const NodeRun& node) const {
  return std::max(config.hard_eviction_memory, config.soft_eviction_memory) + (node.below_threshold ? config.minimum_reclaim_memory : 0);
}

std::int64_t Kubelets::Impl::hard_threshold(const NodeRun& node) const {
  return config.hard_eviction_memory + (node.hard_met ? config.minimum_reclaim_memory : 0);
}

/// When the next look of the eviction manager may change something; now when it may already.
SimTime Kubelets::Impl::eviction_due(const NodeRun& node) const {
  const auto falls_below = [&](std::int64_t level) {
    return reaches(engine.now(), available(node) - level + 1, leak_rate(node));
  };
  if (!node.below_threshold) return falls_below(threshold(node));
  SimTime due = falls_below(hard_threshold(node));
  if (node.soft_since != kEndOfTime) due = std::min(due, std::max(engine.now(), node.soft_since + config.soft_eviction_grace));
  return due;
}

void Kubelets::Impl::eviction_pass(NodeRun& node) {
  const std::int64_t left = available(node);
  node.below_threshold = true;
  node.next_pass = SimTime{};
  engine.cancel(std::exchange(node.pressure_timer, TimerId{}));
  node.hard_met = left < hard_threshold(node);
  if (config.soft_eviction_memory > 0 && node.soft_since == kEndOfTime) node.soft_since = engine.now();
  const std::int64_t met = node.hard_met ? config.hard_eviction_memory : config.soft_eviction_memory;
  if (!std::exchange(node.pressure, true)) {
    const std::vector<CauseId> causes = leak_causes(node);
    const CauseId before = engine.cause();
    const ScopedCause because(engine, causes.empty() ? CauseId{} : causes.front());
    node.pressure_cause = log.record("EvictionThresholdMet", node.subject,
                                     fmt::format("Attempting to reclaim memory: {} available, threshold {}", human_bytes(left), human_bytes(met)));
    for (const CauseId cause : causes) log.also_caused_by(node.pressure_cause, cause);
    if (causes.empty()) log.also_caused_by(node.pressure_cause, before);
    schedule_status(node);
  }
  const bool soft_due = node.soft_since != kEndOfTime && engine.now() >= node.soft_since + config.soft_eviction_grace;
  if (!node.hard_met && !soft_due) return;
  std::vector<kubelet::EvictionCandidate> candidates;
  for (std::size_t i = 0; i < node.pods.size(); ++i) {
    const PodRun& run = *node.pods[i];
    if (run.stage == Stage::kTerminating || run.stage == Stage::kFinished) continue;
    candidates.push_back({i, run.spec->priority, usage(run), run.spec->requests.memory});
  }
  kubelet::rank_for_memory_eviction(candidates);
  for (const kubelet::EvictionCandidate& candidate : candidates) {
    PodRun& run = *node.pods[candidate.index];
    if (kubelet::is_critical(*run.spec, run.is_mirror)) continue;
    const ScopedCause because(engine, node.pressure_cause);
    const CauseId id = record(run, "Evicted",
                              fmt::format("The node was low on resource: memory. Threshold quantity: {}, available: {}. Pod uses {}, request is {}.",
                                          human_bytes(met), human_bytes(left), human_bytes(candidate.usage), human_bytes(candidate.request)));
    const ScopedCause because_evicted(engine, id);
    node.evicting = &run;
    constexpr std::int64_t kHardGrace = 1;
    const std::int64_t grace = node.hard_met ? kHardGrace : std::min(config.eviction_max_pod_grace_seconds, run.spec->termination_grace_seconds);
    end_with(run, PodPhase::kFailed, reasons.evicted, true, grace);
    return;
  }
  node.found_no_victim = true;  // nothing but critical pods: looked at again when something changes
}

/// The evicted pod is gone from the machine: the next pass follows at once.
void Kubelets::Impl::pod_cleaned_up(NodeRun& node) {
  node.evicting = nullptr;
  node.next_pass = engine.now();
  memory_changed(node);
  if (node.disk != nullptr) {
    node.disk->next_pass = engine.now();
    disk_changed(node);
  }
}

// ---- the kernel

void Kubelets::Impl::exhausted(NodeRun& node) {
  std::vector<CauseId> causes = leak_causes(node);
  const std::int64_t of_kernel = node.kernel->unreclaimable(engine.now());
  const PodRun* largest = nullptr;
  for (const auto& run : node.pods) {
    // The pod that took what it never asked for says more than the one that is merely big.
    const auto excess = [this](const PodRun& r) { return usage(r) - r.spec->requests.memory; };
    if (usage(*run) > 0 && (largest == nullptr || excess(*run) > excess(*largest))) largest = run.get();
  }
  std::string why = largest == nullptr ? std::string("memory exhausted")
                                       : fmt::format("memory exhausted: pod {} uses {} of {}", pod_name(*largest), human_bytes(usage(*largest)),
                                                     human_bytes(node.memory));
  constexpr std::int64_t kWorthTelling = 20;  // a twentieth of memory
  if (of_kernel >= node.memory / kWorthTelling) {
    const bool is_main = largest == nullptr || of_kernel > usage(*largest);
    why = is_main ? fmt::format("memory exhausted: {}", kernel_story(node)) : fmt::format("{}; {}", why, kernel_story(node));
    if (node.kernel_cause) causes.insert(is_main ? causes.begin() : causes.end(), node.kernel_cause);
  }
  const CauseId before = engine.cause();
  const host::HostSpec& spec = hosts.spec(node.host);
  const bool hangs = spec.memory_exhaustion == host::MemoryExhaustion::kHang;
  const ScopedCause because(engine, causes.empty() ? CauseId{} : causes.front());
  const CauseId id = log.record("MemoryExhausted", node.subject,
                                fmt::format("{}; {}", why, hangs ? "the host livelocks in reclaim" : "the host stalls in reclaim"));
  for (const CauseId cause : causes) log.also_caused_by(id, cause);
  log.also_caused_by(id, before);
  const ScopedCause because_exhausted(engine, id);
  node.exhaustion_cause = id;
  if (hangs) {
    hosts.hang(node.host, why);
    return;
  }
  if (spec.oom_stall <= SimDuration{}) {
    oom_kill(node);
    return;
  }
  begin_stall(node, spec.oom_stall, true);
}

/// Nothing on the host makes progress for so long.
void Kubelets::Impl::begin_stall(NodeRun& node, SimDuration span, bool kills) {
  node.stall_kills = node.stall_kills || kills;
  if (node.is_stalled) return;
  for (TimerId* timer : {&node.memory_timer, &node.thrash_timer}) engine.cancel(std::exchange(*timer, TimerId{}));
  node.stalled_since = engine.now();
  node.is_stalled = true;
  node.stalled_until = engine.now() + span;
  node.psi.set(engine.now(), 1.0);
  NodeRun* place = &node;
  node.stall = engine.at(node.stalled_until, [this, place] { end_stall(*place); });
  node.images->freeze(true);
  control_plane.set_stalled(node.host, true);
  hosts.set_stalled(node.host, true);
  update_contact(node);
  for (const auto& run : node.pods) update_serving(*run);
}

void Kubelets::Impl::end_stall(NodeRun& node) {
  node.stall = TimerId{};
  for (PodRun* run : node.leaking) {
    run->leaked_before = leaked(*run);
    run->leak_since = engine.now();
  }
  node.is_stalled = false;
  node.psi.set(engine.now(), 0.0);
  node.lost_at = engine.now();  // its connections are still there: no reflector has given up
  node.images->freeze(false);
  for (const auto& run : node.pods) {
    for (ContainerRun& c : run->init_containers) {
      if (c.step == Step::kRunning) arm(*run, c);
    }
    for (ContainerRun& c : run->containers) {
      if (c.step == Step::kRunning) arm(*run, c);
    }
  }
  hosts.set_stalled(node.host, false);
  control_plane.set_stalled(node.host, false);
  for (const auto& run : node.pods) update_serving(*run);
  update_contact(node);
  if (node.disk != nullptr) disk_changed(node);
  if (std::exchange(node.stall_kills, false)) {
    oom_kill(node);
  } else {
    memory_changed(node);
  }
}

/// The process with the highest badness, of all that run in pods. `total`: what the badness is thousandths of.
Kubelets::Impl::Victim Kubelets::Impl::worst_process(NodeRun& node, std::int64_t total) {
  Victim worst;
  for (const auto& run : node.pods) {
    for (std::size_t i = 0; i < run->containers.size(); ++i) {
      ContainerRun& c = run->containers[i];
      if (c.step != Step::kRunning || c.is_dying) continue;
      const std::int64_t bytes = c.memory + (i == 0 ? leaked(*run) : 0);
      const std::int64_t badness =
          kubelet::oom_badness(bytes, total, kubelet::oom_score_adjust(*run->spec, run->spec->containers[i], node.memory));
      if (bytes <= 0 || (worst.pod != nullptr && badness <= worst.badness)) continue;
      worst = {run.get(), &c, i, bytes, badness};
    }
  }
  return worst;
}

void Kubelets::Impl::kill_process(const Victim& victim) {
  const bool is_mirror = victim.pod->is_mirror;
  die(*victim.pod, *victim.container, 137, reasons.oom_killed);  // which may forget the pod
  if (is_mirror) restart_mirror(*victim.pod, *victim.container);
}

void Kubelets::Impl::oom_kill(NodeRun& node) {
  const ScopedCause because(engine, node.exhaustion_cause);
  while (committed(node) >= exhausted_at(node)) {
    const Victim victim = worst_process(node, node.memory);
    if (victim.pod == nullptr) {
      hosts.hang(node.host, fmt::format("memory exhausted{}, and no process is left to kill",
                                        node.kernel_cause ? ": " + kernel_story(node) : std::string()));
      return;
    }
    const CauseId id = log.record("SystemOOM", node.subject,
                                  fmt::format("System OOM encountered, victim process: {} of pod {} with {} (badness {})",
                                              api.names().text(victim.pod->spec->containers[victim.index].name), pod_name(*victim.pod),
                                              human_bytes(victim.bytes), victim.badness));
    const ScopedCause because_killed(engine, id);
    kill_process(victim);
  }
  memory_changed(node);
}

/// The kubepods cgroup is at its limit: its own OOM killer acts, at once, and the host has memory enough.
void Kubelets::Impl::pods_exhausted(NodeRun& node) {
  const std::vector<CauseId> causes = leak_causes(node);
  const CauseId before = engine.cause();
  while (used(node) >= pods_full_at(node)) {
    const Victim victim = worst_process(node, pods_limit(node));
    if (victim.pod == nullptr) {
      node.pods_have_no_victim = true;  // looked at again when something changes
      break;
    }
    const ScopedCause because(engine, causes.empty() ? CauseId{} : causes.front());
    const CauseId id = log.record("AllocatableExhausted", node.subject,
                                  fmt::format("pods use all of the {} that the kubepods cgroup may: the kernel kills {} of pod {} with {}",
                                              human_bytes(pods_limit(node)), api.names().text(victim.pod->spec->containers[victim.index].name),
                                              pod_name(*victim.pod), human_bytes(victim.bytes)));
    for (const CauseId cause : causes) log.also_caused_by(id, cause);
    if (causes.empty()) log.also_caused_by(id, before);
    const ScopedCause because_killed(engine, id);
    kill_process(victim);
  }
  memory_changed(node);
}

/// The process of a static pod is the control plane's: it dies there too, and its memory comes back when it has started again.
void Kubelets::Impl::restart_mirror(PodRun& run, ContainerRun& c) {
  constexpr SimDuration kRestartTime = std::chrono::seconds(10);
  c.step = Step::kCreating;
  set_timer(run, c, engine.now() + kRestartTime);
  const std::string& name = api.names().text(run.name);
  for (std::size_t member = 0; member < control_plane.member_count(); ++member) {
    if (control_plane.member_host(member) != run.node->host) continue;
    for (std::size_t i = 0; i < kComponentCount; ++i) {
      const auto component = static_cast<Component>(i);
      if (name == fmt::format("{}-{}", to_string(component), api.names().text(run.node->name))) control_plane.kill(component, member);
    }
  }
}

}  // namespace sim::k8s

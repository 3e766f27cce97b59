/// What pods make of the kernel's memory: cgroups that come and go, page cache and slab that they leave, pods that cannot start for want of cgroups,
/// direct reclaim, and a host that reads its own programs from disk again and again because nothing else is left to reclaim.
///
/// Source: reference platform 9.1, 9.2, 9.4; kubernetes 3.5, 3.2 (retries of a pod's worker).

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/math.hpp"
#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::human_bytes;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::Stage;
using kubelet::Step;

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kRetryMax = 15s;  // a worker after an error: 10 s * (1 + U[0, 0.5])
constexpr SimDuration kShortestStall = 1s;  // below it nobody misses a deadline
// Between two stalls of a host that thrashes, and the longest of them (assumed: seconds to a minute, as reclaim finds pages again).
constexpr double kBetweenStalls = 10.0;
constexpr double kLongestStall = 60.0;
// Latency of what still runs: 1 + 5 * share of stalled time (reference platform 9.4).
constexpr double kLatencyOfStalls = 5.0;
// From which share of memory on the kernel's own is told, and when again.
constexpr double kShareTold = 0.1;
// Ids: told when so many of 65,535 are taken.
constexpr std::int64_t kIdsTold = host::kCgroupIdsMax / 5;

/// The pod's, the sandbox's, and one for each container.
std::int64_t cgroups_of(const PodSpec& spec) { return 2 + static_cast<std::int64_t>(spec.containers.size() + spec.init_containers.size()); }

}  // namespace

// ---- cgroups

bool Kubelets::Impl::make_cgroups(PodRun& run) {
  if (run.cgroups > 0) return true;
  NodeRun& node = *run.node;
  const std::int64_t count = cgroups_of(*run.spec);
  if (node.kernel->refuses_cgroups(engine.now(), count)) {
    cgroups_failed(run, "cannot allocate memory", node.kernel_cause);
    run.waits_for_cgroups = true;
    return false;
  }
  if (!node.kernel->make_cgroups(count)) {
    note_kernel_memory(node);
    cgroups_failed(run, "no space left on device", node.ids_cause);
    run.waits_for_cgroups = true;
    return false;
  }
  run.cgroups = count;
  run.told_of_cgroups = false;
  const auto share = std::find_if(node.made_by.begin(), node.made_by.end(), [&](const NodeRun::Share& one) { return one.ns == run.ns; });
  if (share == node.made_by.end()) {
    node.made_by.push_back({run.ns, count});
  } else {
    share->cgroups += count;
  }
  return true;
}

void Kubelets::Impl::cgroups_failed(PodRun& run, std::string_view error, CauseId cause) {
  if (std::exchange(run.told_of_cgroups, true)) return;
  const CauseId before = engine.cause();
  const ScopedCause because(engine, cause ? cause : before);
  const CauseId id = record(run, "FailedCreatePodContainer",
                            fmt::format("unable to ensure pod container exists on {}: mkdir /sys/fs/cgroup/{}kubepods/pod...: {}",
                                        api.names().text(run.node->name), run.node->kernel->kernel().cgroup_version == 1 ? "memory/" : "", error));
  if (cause) log.also_caused_by(id, before);
}

/// It ran here before anybody looked: whatever it needed it has.
void Kubelets::Impl::adopt_cgroups(PodRun& run) {
  run.cgroups = cgroups_of(*run.spec);
  run.node->kernel->make_cgroups(run.cgroups);
  run.has_read_files = true;
  run.node->kernel->add_files(run.behaviour.page_cache_bytes, run.behaviour.page_cache_active);
  run.node->kernel->add_objects(run.behaviour.slab_bytes);
}

void Kubelets::Impl::remove_cgroups(PodRun& run) {
  if (run.cgroups == 0) return;
  NodeRun& node = *run.node;
  node.kernel->remove_cgroups(std::exchange(run.cgroups, 0), run.behaviour.page_cache_bytes > 0, run.behaviour.slab_bytes > 0);
  run.has_read_files = false;
  note_kernel_memory(node);
  if (node.kernel->kernel().kmem_never_freed) memory_changed(node);
  wake_for_cgroups(node);
}

/// A container that starts again gets a new cgroup for its old one.
void Kubelets::Impl::restart_cgroup(PodRun& run) {
  if (run.cgroups == 0) return;
  run.node->kernel->remove_cgroups(1, run.behaviour.page_cache_bytes > 0, run.behaviour.slab_bytes > 0);
  run.node->kernel->make_cgroups(1);
}

/// Pods that found no cgroups left try again at their workers' next turn, not every ten seconds until there are some.
void Kubelets::Impl::wake_for_cgroups(NodeRun& node) {
  std::int64_t left = node.kernel->cgroups_left();
  for (const auto& run : node.pods) {
    if (!run->waits_for_cgroups || run->stage != Stage::kSandbox) continue;
    left -= cgroups_of(*run->spec);
    if (left < 0 || node.kernel->refuses_cgroups(engine.now(), cgroups_of(*run->spec))) return;
    run->waits_for_cgroups = false;
    RandomStream draws = stream("kubelet/cgroup-wake", *run, run->cgroup_failures++);
    set_timer(*run, engine.now() + draws.uniform(SimDuration{}, kRetryMax));
  }
}

// ---- page cache and slab

void Kubelets::Impl::read_files(PodRun& run) {
  if (std::exchange(run.has_read_files, true)) return;
  NodeRun& node = *run.node;
  // Reading is slower than reclaim: the page cache makes room for itself, and nobody waits.
  node.kernel->add_files(run.behaviour.page_cache_bytes, run.behaviour.page_cache_active);
  node.kernel->add_objects(run.behaviour.slab_bytes);
  node.kernel->settle(engine.now(), used(node));
  if (run.behaviour.page_cache_active > 0.0) memory_changed(node);
}

void Kubelets::Impl::settle_kernel(NodeRun& node) {
  if (node.is_stalled) return;
  const double dying_before = node.kernel->kernel().ids_stay ? node.kernel->dying() : 0.0;
  const SimDuration stall = node.kernel->settle(engine.now(), used(node));
  if (dying_before > 0.0 && node.kernel->dying() < dying_before) wake_for_cgroups(node);
  if (stall < kShortestStall) return;
  const CauseId id = log.record("DirectReclaim", node.subject,
                                fmt::format("processes of {} reclaim memory themselves, which takes {}", api.names().text(node.name), humanize(stall)));
  const ScopedCause because(engine, id);
  // In an event of its own: whoever allocates is in the middle of something.
  NodeRun* place = &node;
  engine.after(SimDuration{}, [this, place, stall] {
    if (hosts.is_running(place->host)) begin_stall(*place, stall, false);
  });
}

void Kubelets::Impl::lose_kernel_memory(NodeRun& node) {
  node.kernel->reset();
  if (node.write_back != nullptr) node.write_back->reset();
  engine.cancel(std::exchange(node.write_back_timer, TimerId{}));
  node.writers_cause = CauseId{};
  node.psi.set(engine.now(), 0.0);
  node.stall_kills = node.is_thrashing = node.told_of_ids = false;
  node.kernel_told = 0.0;
  node.kernel_cause = node.ids_cause = node.thrash_cause = CauseId{};
  node.made_by.clear();
  node.cpu_slowdown = node.memory_slowdown = 1.0;
  for (const auto& run : node.pods) {
    run->cgroups = 0;
    run->has_read_files = run->waits_for_cgroups = run->told_of_cgroups = false;
  }
}

std::int64_t Kubelets::Impl::committed(const NodeRun& node) const { return used(node) + node.kernel->unreclaimable(engine.now()); }

/// "the kernel holds 3.1 GiB that no process owns (12,345 dying memory cgroups, 9 of 10 made by namespace cron)"
std::string Kubelets::Impl::kernel_story(const NodeRun& node) const {
  std::string text = fmt::format("the kernel holds {} that no process owns", human_bytes(node.kernel->unreclaimable(engine.now())));
  const auto dying = static_cast<std::int64_t>(node.kernel->dying());
  constexpr std::int64_t kFew = 1000;
  if (dying < kFew) return text;
  std::int64_t all = 0;
  const NodeRun::Share* most = nullptr;
  for (const NodeRun::Share& share : node.made_by) {
    all += share.cgroups;
    if (most == nullptr || share.cgroups > most->cgroups) most = &share;
  }
  text += fmt::format(" ({} dying memory cgroups", dying);
  if (most != nullptr) text += fmt::format(", {} % of all made by namespace {}", 100 * most->cgroups / all, api.names().text(most->ns));
  return text + ")";
}

/// Told when it is a tenth of memory, and whenever it has doubled; and once when the ids run short.
void Kubelets::Impl::note_kernel_memory(NodeRun& node) {
  const double share = static_cast<double>(node.kernel->unreclaimable(engine.now())) / static_cast<double>(node.memory);
  if (share >= kShareTold && share >= 2.0 * node.kernel_told) {
    node.kernel_told = share;
    // The pod that ended last stands for all of them: its chain leads to the CronJob that made them. Later records have the earlier ones, or the fault that
    // is at work, as their cause.
    const ScopedCause because(engine, node.kernel_cause);
    node.kernel_cause = log.record("KernelMemoryGrows", node.subject,
                                   fmt::format("{}: {}; the kubelet does not count it", kernel_story(node),
                                               fmt::format("{:.0f} % of memory", 100.0 * share)));
  }
  if (!node.told_of_ids && node.kernel->cgroups_left() <= kIdsTold) {
    node.told_of_ids = true;
    const ScopedCause because(engine, CauseId{});
    node.ids_cause = log.record("MemoryCgroupIdsRunOut", node.subject,
                                fmt::format("{} of {} memory cgroup ids are taken, {:.0f} by dying cgroups", host::kCgroupIdsMax - node.kernel->cgroups_left(),
                                            host::kCgroupIdsMax, node.kernel->dying()));
  }
}

void Kubelets::Impl::grow_kernel_memory(NodeRun& node, double bytes_per_second) {
  if (!hosts.is_running(node.host)) return;
  node.kernel->grow_slab(engine.now(), bytes_per_second);
  node.kernel_cause = engine.cause();
  memory_changed(node);
}

void Kubelets::Impl::drop_caches(NodeRun& node, host::DropCaches what) {
  if (!hosts.is_running(node.host) || node.is_stalled) return;
  for (const auto& listener : memory_listeners) listener(node.ref);
  if (node.write_back != nullptr) share_machine(node);  // the books have what was written up to now
  const std::int64_t before = node.kernel->reclaimable();
  const double dying = node.kernel->dying();
  node.kernel->drop_caches(what);
  log.record("CachesDropped", node.subject,
             fmt::format("{} freed; dying memory cgroups: {:.0f}, were {:.0f}", human_bytes(before - node.kernel->reclaimable()), node.kernel->dying(), dying));
  wake_for_cgroups(node);
  memory_changed(node);
}

// ---- when nothing is left to reclaim but what runs

/// 0: all files that run are in memory; 1: none is.
double Kubelets::Impl::thrash_depth(const NodeRun& node) const {
  const std::int64_t running = node.kernel->kernel().running_files;
  const std::int64_t gone = committed(node) - (exhausted_at(node) - running);
  if (running <= 0 || gone <= 0) return 0.0;
  return std::min(1.0, static_cast<double>(gone) / static_cast<double>(running));
}

void Kubelets::Impl::update_thrashing(NodeRun& node) {
  const bool thrashes = thrash_depth(node) > 0.0;
  if (thrashes && node.is_thrashing && !engine.is_pending(node.thrash_timer)) thrash(node);  // after a stall
  if (thrashes == node.is_thrashing) return;
  node.is_thrashing = thrashes;
  if (thrashes) {
    thrash(node);
    return;
  }
  engine.cancel(std::exchange(node.thrash_timer, TimerId{}));
  node.memory_slowdown = 1.0;
  update_slowdown(node);
  if (const CauseId was = std::exchange(node.thrash_cause, CauseId{})) {
    log.record("MemoryThrashingEnded", node.subject, fmt::format("{} has memory for its programs again", api.names().text(node.name)));
  }
}

/// Draws when the next stall begins and how long it takes: the deeper, the longer.
void Kubelets::Impl::thrash(NodeRun& node) {
  NodeRun* place = &node;
  RandomStream draws(random.seed(), "host/thrash", api.names().text(node.name), node.thrash_serial++);
  const SimDuration wait = draws.exponential(from_seconds(kBetweenStalls));
  const double part = draws.uniform();
  node.thrash_timer = engine.after(wait, [this, place, part] {
    NodeRun& here = *place;
    here.thrash_timer = TimerId{};
    const double depth = thrash_depth(here);
    if (depth <= 0.0) {
      memory_changed(here);
      return;
    }
    const double mean = depth < 1.0 ? kBetweenStalls * depth / (1.0 - depth) : kLongestStall;
    const double length = std::min(kLongestStall, -mean * math::log(std::max(1e-12, 1.0 - part)));
    if (!here.thrash_cause) {
      std::vector<CauseId> causes = leak_causes(here);
      if (here.kernel_cause) causes.insert(causes.begin(), here.kernel_cause);
      const ScopedCause because(engine, causes.empty() ? engine.cause() : causes.front());
      here.thrash_cause = log.record("MemoryThrashing", here.subject,
                                     fmt::format("nothing is left to reclaim but programs that run: {} of {} that processes and the kernel do not hold; {}",
                                                 human_bytes(here.memory - committed(here)), human_bytes(here.memory), kernel_story(here)));
      for (const CauseId cause : causes) log.also_caused_by(here.thrash_cause, cause);
    }
    const ScopedCause because(engine, here.thrash_cause);
    here.memory_slowdown = 1.0 + kLatencyOfStalls * depth;
    update_slowdown(here);
    if (from_seconds(length) >= kShortestStall) {
      begin_stall(here, from_seconds(length), false);
    } else {
      thrash(here);
    }
  });
}

}  // namespace sim::k8s

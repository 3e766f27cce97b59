/// What the pods of a node get of its CPU and of its own disk, when they would like more than there is: how much longer everything takes.
///
/// CPU: a container gets no more than its limit (CFS quota). Of what the machine has, each gets a share by its weight (shares from its request), and what
/// one does not need goes to the others (CFS).
///
/// Disk: one law for all, max-min fair by weight. Who reads and writes directly (behaviours[].disk) is one stream with one request in flight, weight 1. Files that grow go
/// through dirty pages (host/write_back.hpp) and are one stream of write-back: with the schedulers none and mq-deadline, which serve requests as they come, it
/// weighs what it keeps in flight: 4 requests where the block layer throttles write-back (blk-wbt: a quarter of a depth of 16), 128 where it does not
/// (nr_requests). With bfq it weighs 1. Who writes more than that takes waits in the end.
///
/// An fsync waits the longer the busier the disk is with direct streams, 1/(1 - utilisation), 50 times at most; and, with none and mq-deadline, while write-back runs, behind
/// its requests in flight of 512 KiB each; with bfq behind one of them.
///
/// A container that gets the share s of what it would like starts and works 1/s times as long. What the control plane's processes do not get slows their
/// host down (Hosts::slowdown), so that etcd's writes take longer.
///
/// Source: kernel Documentation/scheduler/sched-design-CFS.rst, sched-bwc.rst, block/blk-wbt.c (RWB_DEF_DEPTH 16, wb_background a quarter of it), block/blk-core.c of
///         3.10 (BLKDEV_MAX_RQ 128), blk-settings.c (BLK_DEF_MAX_SECTORS); reference kubernetes 3.10 (shares and quota); platform 6.4 (neighbours' I/O
///         multiplies an fsync by 5 to 50). Leaves out: see docs/models/contention.md.
/// Checked by: tests/models/kubernetes/kubelet_contention_test.cpp.

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::Step;

namespace {

using namespace std::chrono_literals;

constexpr double kSharesLeast = 2.0;  // of a container that requests no CPU
constexpr double kFsyncFactorMax = 50.0;
constexpr double kSlowest = 1e-3;  // what gets nothing at all still moves, or its end would never be computed again
constexpr SimDuration kTellAgain = 1h;
// Requests of write-back in flight, and their size (max_sectors_kb).
constexpr double kThrottledDepth = 4.0;
constexpr double kFullDepth = 128.0;
constexpr double kRequestBytes = 512.0 * 1024.0;

/// The cgroups above the pods: those of Guaranteed pods stand in kubepods itself, the others in one of two below it.
enum class Group : std::uint8_t { kKubepods, kBurstable, kBestEffort };

struct Claim {
  PodRun* run = nullptr;
  ContainerRun* container = nullptr;  // null: of something beside the pods
  Group group = Group::kKubepods;
  std::optional<host::DiskStreams::Id> stream;
  double wants = 0;   // cores; no more than its limit
  double weight = 0;
  double gets = 0;
  double wants_disk = 0;
  double disk_weight = 1;
  double disk_gets = 0;
};

/// Max-min fair by weight: who wants less than its part gets it, the others share the rest.
template <class T, class Want, class Weight, class Give>
void divide(std::vector<T>& claims, double capacity, Want want, Weight weight, Give give) {
  std::vector<T*> open;
  for (T& claim : claims) {
    if (want(claim) > 0.0) open.push_back(&claim);
  }
  double left = capacity;
  while (!open.empty()) {
    double weights = 0.0;
    for (const T* claim : open) weights += weight(*claim);
    std::vector<T*> short_of;
    double given = 0.0;
    for (T* claim : open) {
      if (want(*claim) * weights <= left * weight(*claim)) {
        give(*claim, want(*claim));
        given += want(*claim);
      } else {
        short_of.push_back(claim);
      }
    }
    if (short_of.size() == open.size()) {
      for (T* claim : open) give(*claim, left * weight(*claim) / weights);
      return;
    }
    left = std::max(0.0, left - given);
    open = std::move(short_of);
  }
}

/// First among the Guaranteed pods and the two cgroups of the others, then inside each. `burstable_weight`: of all Burstable pods of the node, also of those that want nothing.
void divide_cpu(std::vector<Claim>& claims, double cores, double burstable_weight) {
  struct Share {
    double wants = 0;
    double weight = 0;
    double gets = 0;
    std::vector<Claim> claims;
    std::vector<std::size_t> indices;
  };
  std::vector<Share> shares(2);
  Share& burstable = shares[0];
  Share& best_effort = shares[1];
  burstable.weight = std::max(kSharesLeast, burstable_weight);
  best_effort.weight = kSharesLeast;
  std::vector<Share> guaranteed;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    Share alone;
    Share& share = claims[i].group == Group::kBurstable ? burstable : claims[i].group == Group::kBestEffort ? best_effort : alone;
    share.wants += claims[i].wants;
    share.claims.push_back(claims[i]);
    share.indices.push_back(i);
    if (&share != &alone) continue;
    alone.weight = claims[i].weight;
    guaranteed.push_back(std::move(alone));
  }
  shares.insert(shares.end(), guaranteed.begin(), guaranteed.end());
  divide(
      shares, cores, [](const Share& one) { return one.wants; }, [](const Share& one) { return one.weight; }, [](Share& one, double gets) { one.gets = gets; });
  for (Share& share : shares) {
    if (share.gets >= share.wants) {
      for (const std::size_t index : share.indices) claims[index].gets = claims[index].wants;
      continue;
    }
    divide(
        share.claims, share.gets, [](const Claim& c) { return c.wants; }, [](const Claim& c) { return c.weight; }, [](Claim& c, double gets) { c.gets = gets; });
    for (std::size_t i = 0; i < share.claims.size(); ++i) claims[share.indices[i]].gets = share.claims[i].gets;
  }
}

/// Of what a container gets, the part of its own processes beside those that load it: fair among threads, and what the others do not need is theirs.
double own_part(double gets, double wants, double others, double other_threads) {
  if (others <= 0.0) return gets;
  const double threads = std::max(1.0, std::ceil(wants));
  return std::min(wants, std::max(gets - others, gets * threads / (threads + other_threads)));
}

}  // namespace

/// What the container would like to have from now on: what its pod's behaviour says, by requests among its containers; without that, what it requests.
void Kubelets::Impl::set_wants(PodRun& run, ContainerRun& c) {
  const auto index = static_cast<std::size_t>(&c - run.containers.data());
  const Container& spec = run.spec->containers[index];
  const auto requested = static_cast<double>(spec.requests.cpu_milli) / 1000.0;
  double all = 0.0;
  for (const Container& one : run.spec->containers) all += static_cast<double>(one.requests.cpu_milli) / 1000.0;
  const double part = all > 0.0 ? requested / all : 1.0 / static_cast<double>(run.spec->containers.size());
  c.wants_cpu = run.behaviour.cpu ? *run.behaviour.cpu * part : requested;
  const host::HostSpec& machine = hosts.spec(run.node->host);
  c.wants_disk = (run.behaviour.disk_bytes_per_second + host::DiskStreams::as_bytes(run.behaviour.disk_operations_per_second, machine.disk_bytes_per_second,
                                                                                    machine.disk_operations_per_second)) /
                 static_cast<double>(run.spec->containers.size());
  throttle(run, c, c.wants_cpu + c.stress.cpu_cores);
  const bool is_demanding = run.behaviour.cpu.has_value() || c.wants_disk > 0.0;
  if (is_demanding && !std::exchange(c.is_demanding, true)) ++run.node->demanding;
  if (run.node->demanding > 0) share_machine(*run.node);
}

void Kubelets::Impl::clear_wants(PodRun& run, ContainerRun& c) {
  if (c.wants_cpu == 0.0 && c.wants_disk == 0.0 && !c.is_demanding) return;
  c.wants_cpu = c.wants_disk = 0.0;
  c.stress = {};
  throttle(run, c, 0.0);
  NodeRun& node = *run.node;
  const bool matters = node.demanding > 0;
  if (std::exchange(c.is_demanding, false)) --node.demanding;
  if (matters) share_machine(node);
}

void Kubelets::Impl::share_machine(NodeRun& node) {
  if (!hosts.is_running(node.host)) return;
  const host::HostSpec& spec = hosts.spec(node.host);
  std::vector<Claim> claims;
  double cpu = 0.0;
  double disk = 0.0;  // what works on it with one request in flight
  double queues = 0.0;  // what keeps more of them there
  double burstable_weight = 0.0;
  bool pods_use_disk = false;
  for (const auto& run : node.pods) {
    const Group group = run->spec->qos == QosClass::kGuaranteed ? Group::kKubepods : run->spec->qos == QosClass::kBurstable ? Group::kBurstable : Group::kBestEffort;
    if (group == Group::kBurstable && run->stage != kubelet::Stage::kTerminating && run->stage != kubelet::Stage::kFinished) {
      for (const Container& container : run->spec->containers) burstable_weight += static_cast<double>(container.requests.cpu_milli) * 1.024;
    }
    for (std::size_t i = 0; i < run->containers.size(); ++i) {
      ContainerRun& c = run->containers[i];
      const double wants_cpu = c.wants_cpu + c.stress.cpu_cores;
      const double wants_disk = c.wants_disk + c.stress.disk_bytes_per_second;
      if (c.step != Step::kRunning || (wants_cpu <= 0.0 && wants_disk <= 0.0)) continue;
      const Container& container = run->spec->containers[i];
      Claim claim;
      claim.run = run.get();
      claim.container = &c;
      claim.group = group;
      claim.wants = wants_cpu;
      claim.wants_disk = wants_disk;
      throttle(*run, c, wants_cpu);
      if (container.limits.cpu_milli > 0) claim.wants = std::min(claim.wants, seconds(host::cfs_quota(container.limits.cpu_milli)) / seconds(host::kCfsPeriod));
      claim.weight = std::max(kSharesLeast, static_cast<double>(container.requests.cpu_milli) * 1.024);
      cpu += claim.wants;
      disk += wants_disk;
      pods_use_disk |= wants_disk > 0.0;
      claims.push_back(claim);
    }
  }
  divide_cpu(claims, spec.cpu_cores, burstable_weight);
  const double depth = spec.kernel.has_writeback_throttling ? kThrottledDepth : kFullDepth;
  const bool by_weight = spec.disk_scheduler == host::DiskScheduler::kBfq;
  for (const host::DiskStreams::Id id : hosts.disks().active(node.host)) {
    const host::DiskStreams::Stream& stream = hosts.disks().stream(id);
    Claim claim;
    claim.stream = id;
    claim.wants_disk = stream.wants + host::DiskStreams::as_bytes(stream.operations, spec.disk_bytes_per_second, spec.disk_operations_per_second);
    claim.disk_weight = by_weight ? 1.0 : stream.weight;
    (stream.queued > 0.0 ? queues : disk) += claim.wants_disk;
    claims.push_back(claim);
  }
  const double wanted_writes = wants_to_write(node);
  const bool writes = wanted_writes > 0.0 || node.write_back != nullptr;
  if (writes && node.write_back == nullptr) node.write_back = std::make_unique<host::WriteBack>(spec.kernel);
  if (writes) {
    // Pages that wait for the disk are written as fast as it takes them, others as fast as they come.
    Claim claim;
    const bool backlog = node.write_back->dirty(engine.now()) > node.write_back->background();
    claim.wants_disk = backlog ? spec.disk_bytes_per_second : std::min(wanted_writes, spec.disk_bytes_per_second);
    claim.disk_weight = by_weight ? 1.0 : depth;
    claims.push_back(claim);
  }
  divide(
      claims, spec.disk_bytes_per_second, [](const Claim& c) { return c.wants_disk; }, [](const Claim& c) { return c.disk_weight; },
      [](Claim& c, double gets) { c.disk_gets = gets; });

  const bool cpu_short = cpu > spec.cpu_cores;
  const bool disk_short = disk + queues > spec.disk_bytes_per_second;
  if ((cpu_short || disk_short) && (!node.contention_cause || engine.now() - node.contended_told >= kTellAgain)) {
    node.contended_told = engine.now();
    node.contention_cause =
        log.record(cpu_short ? "CpuContended" : "DiskContended", node.subject,
                   cpu_short ? fmt::format("containers would use {:.1f} of {:.1f} cores", cpu, spec.cpu_cores)
                             : fmt::format("{} would read and write {}/s, the disk does {}/s", hosts.disks().users(node.host, pods_use_disk ? "containers" : ""),
                                           kubelet::human_bytes(static_cast<std::int64_t>(disk + queues)),
                                           kubelet::human_bytes(static_cast<std::int64_t>(spec.disk_bytes_per_second))));
  }
  const ScopedCause because(engine, cpu_short || disk_short ? node.contention_cause : engine.cause());
  const double utilisation = std::min(1.0, disk / spec.disk_bytes_per_second);
  double fsync = utilisation >= 1.0 - 1.0 / kFsyncFactorMax ? kFsyncFactorMax : 1.0 / (1.0 - utilisation);
  if (writes) {
    // What direct streams leave, if it writes all the time.
    const double takes = std::max(claims.back().disk_gets, spec.disk_bytes_per_second - disk - queues);
    claims.pop_back();
    write_back(node, wanted_writes, takes);
    const double busy = std::min(1.0, node.write_back->outflow(engine.now()) / takes);
    const double wait = busy * (by_weight ? 1.0 : depth) * kRequestBytes / spec.disk_bytes_per_second;
    fsync += wait / std::max(1e-6, seconds(spec.disk_fsync_median));
  }
  const double median = std::max(1e-6, seconds(spec.disk_fsync_median));
  for (const Claim& claim : claims) {
    if (!claim.stream) continue;
    const host::DiskStreams::Stream& stream = hosts.disks().stream(*claim.stream);
    if (stream.queued <= 0.0) continue;
    // What gets less than it wants always has its queue full.
    const double there = claim.disk_gets < claim.wants_disk ? 1.0 : claim.wants_disk / spec.disk_bytes_per_second;
    fsync += there * (by_weight ? std::min(kRequestBytes, stream.queued) : stream.queued) / spec.disk_bytes_per_second / median;
  }
  {
    const ScopedCause because_writes(engine, node.writers_cause ? node.writers_cause : engine.cause());
    hosts.set_fsync_factor(node.host, fsync);
  }
  std::vector<std::pair<host::DiskStreams::Id, host::DiskStreams::Share>> told;
  std::vector<PodRun*> slow;
  double slowest = 1.0;  // of the control plane's own
  double served = 0.0;
  for (const Claim& claim : claims) served += claim.disk_gets;
  for (const Claim& claim : claims) {
    if (claim.stream) {
      const double part = claim.wants_disk > 0.0 ? claim.disk_gets / claim.wants_disk : 1.0;
      host::DiskStreams::Share share;
      share.gets = hosts.disks().stream(*claim.stream).wants * part;
      share.utilisation = std::min(1.0, (served - claim.disk_gets) / spec.disk_bytes_per_second);
      told.emplace_back(*claim.stream, share);
      continue;
    }
    ContainerRun& c = *claim.container;
    double speed = 1.0;
    if (c.wants_cpu > 0.0) speed = std::min(speed, own_part(claim.gets, c.wants_cpu, c.stress.cpu_cores, c.stress.cpu_workers) / c.wants_cpu);
    if (c.wants_disk > 0.0) speed = std::min(speed, claim.disk_gets / (c.wants_disk + c.stress.disk_bytes_per_second));
    speed = std::clamp(speed, kSlowest, 1.0);
    if (claim.run->is_mirror) {
      // What its own limit takes is its own matter; what the machine has not slows all of the control plane there down.
      const double limited = c.wants_cpu > 0.0 ? std::min(1.0, claim.wants / (c.wants_cpu + c.stress.cpu_cores)) : 1.0;
      slowest = std::min(slowest, speed / limited);
      control_plane.set_limited(claim.run->ref, limited);
    }
    set_speed(*claim.run, c, speed);
    slow.push_back(claim.run);
  }
  node.cpu_slowdown = 1.0 / slowest;
  update_slowdown(node);
  for (PodRun* run : slow) update_slow_probes(*run);
  for (const auto& [stream, share] : told) hosts.disks().give(stream, share);
}

// ---- files that grow

/// What would be written into memory a second if nobody had to wait.
double Kubelets::Impl::wants_to_write(const NodeRun& node) const {
  double sum = node.pull_writes;
  if (node.disk == nullptr) return sum;
  const SimTime now = engine.now();
  for (const kubelet::NodeDisk::Fill& fill : node.disk->fills) sum += fill.growth.own_rate(now);
  for (const auto& run : node.pods) {
    if (run->disk == nullptr || run->containers.empty() || run->containers.front().step != Step::kRunning) continue;
    sum += run->disk->layer.own_rate(now) + run->disk->empty_dir.own_rate(now);
    // A log that is rotated grows no more, but is written as before.
    if (!node.disk->is_full[kubelet::NodeDisk::kNodefs]) sum += run->behaviour.logs_bytes_per_second;
  }
  return sum;
}

/// Somebody writes more or less than before.
void Kubelets::Impl::writing_changed(NodeRun& node) {
  const double wanted = wants_to_write(node);
  if (node.write_back == nullptr ? wanted == 0.0 : wanted == node.write_back->wanted()) return;
  share_machine(node);
}

void Kubelets::Impl::write_back(NodeRun& node, double wanted, double disk) {
  const SimTime now = engine.now();
  host::WriteBack& pages = *node.write_back;
  pages.set(now, wanted, disk, static_cast<double>(std::max<std::int64_t>(0, node.memory - committed(node))));
  const double inflow = pages.inflow(now);
  node.kernel->set_writing(now, inflow, pages.dirty(now), disk);
  node.writer_speed = wanted > 0.0 ? std::max(kSlowest, inflow / wanted) : 1.0;
  if (node.pull_writes > 0.0 && node.images != nullptr) node.images->set_writer_speed(node.writer_speed);
  if (node.disk != nullptr) {
    for (kubelet::NodeDisk::Fill& fill : node.disk->fills) fill.growth.set_speed(now, node.writer_speed);
  }
  for (const auto& run : node.pods) {
    if (run->disk == nullptr) continue;
    for (kubelet::Growth* one : {&run->disk->layer, &run->disk->empty_dir, &run->disk->log}) one->set_speed(now, node.writer_speed);
  }
  const bool waits = pages.throttles(now);
  if (waits && !node.writers_cause) {
    const std::vector<DiskUser> users = node.disk == nullptr ? std::vector<DiskUser>{} : disk_users(node, kubelet::Signal::kNodefsAvailable);
    const auto by_whom = std::find_if(users.begin(), users.end(), [](const DiskUser& one) { return bool{one.cause}; });
    const CauseId before = engine.cause();
    const ScopedCause because(engine, by_whom == users.end() ? before : by_whom->cause);
    node.writers_cause = log.record("WritersThrottled", node.subject,
                                    fmt::format("{} of dirty pages wait for a disk that takes {}/s of {}/s: who writes waits",
                                                kubelet::human_bytes(static_cast<std::int64_t>(pages.dirty(now))),
                                                kubelet::human_bytes(static_cast<std::int64_t>(disk)), kubelet::human_bytes(static_cast<std::int64_t>(wanted))));
  } else if (!waits && wanted <= disk) {
    node.writers_cause = CauseId{};
  }
  engine.cancel(std::exchange(node.write_back_timer, TimerId{}));
  const SimTime next = pages.next_change(now);
  if (next == kEndOfTime) return;
  NodeRun* place = &node;
  node.write_back_timer = engine.at(next, [this, place] {
    place->write_back_timer = TimerId{};
    share_machine(*place);
    if (place->disk != nullptr) arm_disk(*place);
  });
}

void Kubelets::Impl::set_speed(PodRun& run, ContainerRun& c, double speed) {
  const double before = std::exchange(c.speed, speed);
  if (before == speed || run.is_mirror || c.is_hung) return;
  const auto later = [&](SimTime& when) {
    if (when == kEndOfTime || when <= engine.now()) return;
    when = engine.now() + from_seconds(seconds(when - engine.now()) * before / speed);
  };
  if (!c.is_killed) later(c.exit_at);
  if (!c.is_healthy) {
    later(c.healthy_at);
    look_ahead(run, c);
  }
  arm(run, c);
}

/// The CFS quota of its cgroup against what all of its threads would run at once (0: it stands).
void Kubelets::Impl::throttle(PodRun& run, ContainerRun& c, double cores) {
  const auto index = static_cast<std::size_t>(&c - run.containers.data());
  if (index >= run.spec->containers.size()) return;
  const std::int64_t limit = run.spec->containers[index].limits.cpu_milli;
  if (limit <= 0) return;
  const SimDuration before = c.throttle.pause();
  c.throttle.set(engine.now(), host::cfs_quota(limit), cores);
  const SimDuration pause = c.throttle.pause();
  if (pause == SimDuration::zero()) {
    c.throttle_cause = CauseId{};
  } else if (before == SimDuration::zero() && !c.throttle_cause && !is_old_news(c)) {
    c.throttle_cause = record(run, "CpuThrottled",
                              fmt::format("container {} would use {:.3g} cores and may use {:.3g}: it stands still for {} of every 100 ms",
                                          api.names().text(run.spec->containers[index].name), cores, static_cast<double>(limit) / 1000.0, humanize(pause)));
  }
}

/// Which probes of the pod wait longer for their answer than they may: the work of an answer, at the speed of the container, and the longest pause of its quota.
void Kubelets::Impl::update_slow_probes(PodRun& run) {
  if (run.is_mirror) return;
  Interference slow;
  CauseId cause{};
  for (std::size_t i = 0; i < run.containers.size(); ++i) {
    const ContainerRun& c = run.containers[i];
    if (c.step != Step::kRunning || c.speed >= 1.0) continue;
    const double answer = seconds(run.behaviour.probe_work) / c.speed + seconds(c.throttle.pause());
    const auto is_late = [&](const std::optional<Probe>& probe) { return probe && answer > static_cast<double>(std::max<std::int64_t>(1, probe->timeout_seconds)); };
    const Container& spec = run.spec->containers[i];
    slow.startup_fails |= is_late(spec.startup_probe);
    slow.readiness_fails |= is_late(spec.readiness_probe);
    slow.liveness_fails |= is_late(spec.liveness_probe);
    if (c.throttle_cause) cause = c.throttle_cause;
  }
  if (slow == run.slow) return;
  const bool startup = slow.startup_fails != run.slow.startup_fails;
  run.slow = slow;
  const ScopedCause because(engine, cause ? cause : run.node->contention_cause ? run.node->contention_cause : engine.cause());
  update_probes(run);
  if (startup) look_ahead_at_startup(run);
}

/// Memory and CPU slow the same processes down.
void Kubelets::Impl::update_slowdown(NodeRun& node) {
  hosts.set_slowdown(node.host, std::max(1.0, node.cpu_slowdown * node.memory_slowdown));
}

}  // namespace sim::k8s

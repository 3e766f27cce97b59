/// What the pods of a node get of its CPU and of its own disk, when they would like more than there is: how much longer everything takes.
///
/// CPU: a container gets no more than its limit (CFS quota). Of what the machine has, each gets a share by its weight (shares from its request), and what
/// one does not need goes to the others (CFS). Disk: equal shares of the bandwidth; an fsync waits the longer the busier the disk is, 1/(1 - utilisation),
/// 50 times at most.
///
/// A container that gets the share s of what it would like starts and works 1/s times as long. What the control plane's processes do not get slows their
/// host down (Hosts::slowdown), so that etcd's writes take longer.
///
/// Source: kernel Documentation/scheduler/sched-design-CFS.rst, sched-bwc.rst; reference kubernetes 3.10 (shares and quota); platform 6.4 (neighbours' I/O
///         multiplies an fsync by 5 to 50). Leaves out: see docs/models/contention.md.
/// Checked by: tests/models/kubernetes/kubelet_contention_test.cpp.

#include <algorithm>
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

struct Claim {
  PodRun* run = nullptr;
  ContainerRun* container = nullptr;
  double wants = 0;   // cores; no more than its limit
  double weight = 0;
  double gets = 0;
  double disk_gets = 0;
};

/// Max-min fair by weight: who wants less than its part gets it, the others share the rest.
template <class Want, class Weight, class Give>
void divide(std::vector<Claim>& claims, double capacity, Want want, Weight weight, Give give) {
  std::vector<Claim*> open;
  for (Claim& claim : claims) {
    if (want(claim) > 0.0) open.push_back(&claim);
  }
  double left = capacity;
  while (!open.empty()) {
    double weights = 0.0;
    for (const Claim* claim : open) weights += weight(*claim);
    std::vector<Claim*> short_of;
    double given = 0.0;
    for (Claim* claim : open) {
      if (want(*claim) * weights <= left * weight(*claim)) {
        give(*claim, want(*claim));
        given += want(*claim);
      } else {
        short_of.push_back(claim);
      }
    }
    if (short_of.size() == open.size()) {
      for (Claim* claim : open) give(*claim, left * weight(*claim) / weights);
      return;
    }
    left = std::max(0.0, left - given);
    open = std::move(short_of);
  }
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
  c.wants_disk = run.behaviour.disk_bytes_per_second / static_cast<double>(run.spec->containers.size());
  const bool is_demanding = run.behaviour.cpu.has_value() || c.wants_disk > 0.0;
  if (is_demanding && !std::exchange(c.is_demanding, true)) ++run.node->demanding;
  if (run.node->demanding > 0) share_machine(*run.node);
}

void Kubelets::Impl::clear_wants(PodRun& run, ContainerRun& c) {
  if (c.wants_cpu == 0.0 && c.wants_disk == 0.0 && !c.is_demanding) return;
  c.wants_cpu = c.wants_disk = 0.0;
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
  double disk = 0.0;
  for (const auto& run : node.pods) {
    for (std::size_t i = 0; i < run->containers.size(); ++i) {
      ContainerRun& c = run->containers[i];
      if (c.step != Step::kRunning || (c.wants_cpu <= 0.0 && c.wants_disk <= 0.0)) continue;
      const Container& container = run->spec->containers[i];
      Claim claim;
      claim.run = run.get();
      claim.container = &c;
      claim.wants = c.wants_cpu;
      if (container.limits.cpu_milli > 0) claim.wants = std::min(claim.wants, static_cast<double>(container.limits.cpu_milli) / 1000.0);
      claim.weight = std::max(kSharesLeast, static_cast<double>(container.requests.cpu_milli) * 1.024);
      cpu += claim.wants;
      disk += c.wants_disk;
      claims.push_back(claim);
    }
  }
  divide(
      claims, spec.cpu_cores, [](const Claim& c) { return c.wants; }, [](const Claim& c) { return c.weight; },
      [](Claim& c, double gets) { c.gets = gets; });
  divide(
      claims, spec.disk_bytes_per_second, [](const Claim& c) { return c.container->wants_disk; }, [](const Claim&) { return 1.0; },
      [](Claim& c, double gets) { c.disk_gets = gets; });

  const bool cpu_short = cpu > spec.cpu_cores;
  const bool disk_short = disk > spec.disk_bytes_per_second;
  if ((cpu_short || disk_short) && (!node.contention_cause || engine.now() - node.contended_told >= kTellAgain)) {
    node.contended_told = engine.now();
    node.contention_cause =
        log.record(cpu_short ? "CpuContended" : "DiskContended", node.subject,
                   cpu_short ? fmt::format("containers would use {:.1f} of {:.1f} cores", cpu, spec.cpu_cores)
                             : fmt::format("containers would read and write {}/s, the disk does {}/s", kubelet::human_bytes(static_cast<std::int64_t>(disk)),
                                           kubelet::human_bytes(static_cast<std::int64_t>(spec.disk_bytes_per_second))));
  }
  const ScopedCause because(engine, cpu_short || disk_short ? node.contention_cause : engine.cause());
  const double utilisation = std::min(1.0, disk / spec.disk_bytes_per_second);
  hosts.set_fsync_factor(node.host, utilisation >= 1.0 - 1.0 / kFsyncFactorMax ? kFsyncFactorMax : 1.0 / (1.0 - utilisation));
  double slowest = 1.0;  // of the control plane's own
  for (const Claim& claim : claims) {
    ContainerRun& c = *claim.container;
    double speed = 1.0;
    if (c.wants_cpu > 0.0) speed = std::min(speed, claim.gets / c.wants_cpu);
    if (c.wants_disk > 0.0) speed = std::min(speed, claim.disk_gets / c.wants_disk);
    speed = std::clamp(speed, kSlowest, 1.0);
    if (claim.run->is_mirror) slowest = std::min(slowest, speed);
    set_speed(*claim.run, c, speed);
  }
  node.cpu_slowdown = 1.0 / slowest;
  update_slowdown(node);
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

/// Memory and CPU slow the same processes down.
void Kubelets::Impl::update_slowdown(NodeRun& node) {
  hosts.set_slowdown(node.host, std::max(1.0, node.cpu_slowdown * node.memory_slowdown));
}

}  // namespace sim::k8s

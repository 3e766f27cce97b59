/// Disks and processes of nodes: what is on them, the eviction manager's DiskPressure and PIDPressure, and a disk that is full.
///
/// Source: see node_disk.hpp.

#include "sim/models/kubernetes/kubelet/node_disk.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::DiskCandidate;
using kubelet::grid_at;
using kubelet::Growth;
using kubelet::human_bytes;
using kubelet::kEvictionPeriod;
using kubelet::NodeDisk;
using kubelet::NodeRun;
using kubelet::Observation;
using kubelet::PodDisk;
using kubelet::PodRun;
using kubelet::Signal;
using kubelet::Stage;
using kubelet::Step;
using kubelet::Threshold;
using kubelet::Weighed;

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kWorkerRetry = 15s;  // a pod's worker after an error: 10 s * (1 + U[0, 0.5])
constexpr std::int64_t kImmediateGrace = 1;  // immediateEvictionGracePeriodSeconds
/// Who holds less of a disk than a twentieth is no cause of its shortage.
constexpr std::int64_t kWorthTelling = 20;

NodeDisk::Condition condition_of(Signal signal) { return kubelet::is_pid(signal) ? NodeDisk::kPid : NodeDisk::kDisk; }

bool is_active(const PodRun& run) { return run.stage != Stage::kTerminating && run.stage != Stage::kFinished; }

bool first_container_runs(const PodRun& run) { return !run.containers.empty() && run.containers.front().step == Step::kRunning; }

bool anything_of_it_runs(const PodRun& run) {
  return std::any_of(run.containers.begin(), run.containers.end(), [](const ContainerRun& c) { return c.step == Step::kRunning; });
}

/// Parts of what there is on a node's disks.
struct Parts {
  double system = 0;
  double fills = 0;
  double images = 0;
  double layers = 0;       // of pods that are there
  double logs = 0;
  double empty_dirs = 0;
  double dead_layers = 0;  // of pods that ended
  double dead_logs = 0;
  double pod_inodes = 0;   // of layers and emptyDirs, dead ones included
};

Parts parts_of(const NodeRun& node, const kubelet::DiskConfig& config, SimTime now) {
  Parts parts;
  parts.system = static_cast<double>(config.used);
  parts.images = static_cast<double>(node.images->bytes_used());
  if (node.disk == nullptr) return parts;
  for (const NodeDisk::Fill& fill : node.disk->fills) parts.fills += fill.growth.at(now);
  for (const NodeDisk::Dead& dead : node.disk->dead) {
    parts.dead_layers += dead.layers;
    parts.dead_logs += dead.logs;
    parts.pod_inodes += dead.inodes;
  }
  for (const auto& run : node.pods) {
    if (run->disk == nullptr) continue;
    const double layers = run->disk->layers(now);
    const double empty_dir = run->disk->empty_dir.at(now);
    parts.layers += layers;
    parts.logs += run->disk->logs(now);
    parts.empty_dirs += empty_dir;
    parts.pod_inodes += (layers + empty_dir) * run->disk->inodes_per_byte;
  }
  return parts;
}

}  // namespace

NodeDisk& Kubelets::Impl::disk_of(NodeRun& node) {
  if (node.disk == nullptr) {
    node.disk = std::make_unique<NodeDisk>();
    node.disk->thresholds.resize(config.disk.thresholds.size());
  }
  return *node.disk;
}

// ---- who writes what

/// Somebody looks at how many processes there are, or there are unusually many.
bool Kubelets::Impl::counts_processes(const PodRun& run) const {
  return run.behaviour.processes != ResolvedBehaviour{}.processes ||
         std::any_of(config.disk.thresholds.begin(), config.disk.thresholds.end(), [](const Threshold& one) { return kubelet::is_pid(one.signal); });
}

void Kubelets::Impl::files_started(PodRun& run, ContainerRun& c) {
  NodeRun& node = *run.node;
  const ResolvedBehaviour& behaviour = run.behaviour;
  const bool grows = behaviour.writes_bytes_per_second > 0.0 || behaviour.logs_bytes_per_second > 0.0 || behaviour.processes_per_second > 0.0;
  const bool is_first = &c == run.containers.data();
  if (!grows || !is_first) {
    if (!counts_processes(run)) return;
    disk_of(node);
    disk_changed(node);
    return;
  }
  disk_of(node);
  if (run.disk == nullptr) {
    run.disk = std::make_unique<PodDisk>();
    for (std::size_t i = 0; i < run.spec->empty_dirs.size() && run.disk->empty_dir_index == SIZE_MAX; ++i) {
      if (!run.spec->empty_dirs[i].in_memory) run.disk->empty_dir_index = i;
    }
  }
  PodDisk& disk = *run.disk;
  const SimTime now = engine.now();
  disk.cause = engine.cause();
  disk.inodes_per_byte = 1.0 / static_cast<double>(std::max<std::int64_t>(1, behaviour.written_file_bytes));
  // The instance before this one stays as a dead container; the one before that is removed.
  disk.dead_layer = disk.layer.at(now);
  disk.dead_log = disk.log.at(now);
  disk.layer.clear();
  disk.log.clear();
  Growth& files = disk.empty_dir_index == SIZE_MAX ? disk.layer : disk.empty_dir;
  files.start(now, behaviour.writes_bytes_per_second, behaviour.writes_at_most);
  disk.log.start_log(now, behaviour.logs_bytes_per_second, config.disk.container_log_max_size, config.disk.container_log_max_files);
  disk.processes.clear();
  disk.processes.set(static_cast<double>(behaviour.processes));
  const std::int64_t most = config.disk.pod_pids_limit;
  if (most < 0 || most > behaviour.processes) disk.processes.start(now, behaviour.processes_per_second, std::max<std::int64_t>(0, most));
  disk_changed(node);
}

void Kubelets::Impl::files_stopped(PodRun& run, ContainerRun& c) {
  NodeRun& node = *run.node;
  if (node.disk == nullptr || is_init(run, c) || (run.disk == nullptr && !counts_processes(run))) return;
  if (run.disk != nullptr && &c == run.containers.data()) {
    for (Growth* one : {&run.disk->layer, &run.disk->log, &run.disk->empty_dir}) one->stop(engine.now());
    run.disk->processes.clear();
  }
  if (hosts.is_running(node.host)) disk_changed(node);
}

/// Its volumes are torn down; layers and logs stay.
void Kubelets::Impl::files_of_pod_ended(PodRun& run) {
  if (run.disk == nullptr) return;
  run.disk->empty_dir.clear();
  disk_changed(*run.node);
}

void Kubelets::Impl::files_of_pod_dropped(PodRun& run) {
  if (run.disk == nullptr) return;
  NodeRun& node = *run.node;
  const SimTime now = engine.now();
  if (api.get(run.ref) != nullptr) {
    const double layers = run.disk->layers(now);
    node.disk->dead.push_back({run.ref, layers, run.disk->logs(now), layers * run.disk->inodes_per_byte});
  }
  run.disk.reset();
  disk_changed(node);
}

void Kubelets::Impl::files_of_pod_deleted(NodeRun& node, Ref<Pod> ref) {
  const auto is_it = [ref](const NodeDisk::Dead& dead) { return dead.pod == ref; };
  if (std::none_of(node.disk->dead.begin(), node.disk->dead.end(), is_it)) return;
  disk_changed(node);
}

// ---- what there is

std::int64_t Kubelets::Impl::beside_images(const NodeRun& node) const {
  const Parts parts = parts_of(node, config.disk, engine.now());
  const double layers = parts.layers + parts.dead_layers;
  if (hosts.spec(node.host).image_disk_bytes > 0) return static_cast<std::int64_t>(layers);
  return static_cast<std::int64_t>(parts.system + parts.fills + layers + parts.logs + parts.dead_logs + parts.empty_dirs);
}

Observation Kubelets::Impl::observe(const NodeRun& node, Signal signal) const {
  const host::HostSpec& spec = hosts.spec(node.host);
  if (kubelet::is_pid(signal)) {
    double processes = static_cast<double>(kubelet::kSystemProcesses);
    for (const auto& run : node.pods) {
      if (!anything_of_it_runs(*run)) continue;
      const bool grows = run->disk != nullptr && first_container_runs(*run);
      double of_pod = grows ? run->disk->processes.at(engine.now()) : static_cast<double>(run->behaviour.processes);
      if (config.disk.pod_pids_limit >= 0) of_pod = std::min(of_pod, static_cast<double>(config.disk.pod_pids_limit));
      processes += of_pod;
    }
    return {spec.kernel.pid_max - static_cast<std::int64_t>(processes), spec.kernel.pid_max, processes};
  }
  const Parts parts = parts_of(node, config.disk, engine.now());
  const bool has_imagefs = spec.image_disk_bytes > 0;
  const bool of_images = kubelet::is_imagefs(signal);
  const bool on_both = !has_imagefs;  // one file system: both signals are of the same
  const std::int64_t capacity = of_images && has_imagefs ? spec.image_disk_bytes : spec.disk_bytes;
  double bytes = 0;
  double files = 0;
  if (of_images || on_both) {
    bytes += parts.images + parts.layers + parts.dead_layers;
    files += parts.images / static_cast<double>(kubelet::kImageFileBytes);
  }
  if (!of_images || on_both) {
    bytes += parts.system + parts.fills + parts.logs + parts.dead_logs + parts.empty_dirs;
    files += parts.system / static_cast<double>(kubelet::kImageFileBytes);
  }
  // Files of pods are where their bytes are; with two file systems the emptyDir's are told apart below.
  if (on_both) {
    files += parts.pod_inodes;
  } else if (node.disk != nullptr) {
    for (const auto& run : node.pods) {
      if (run->disk == nullptr) continue;
      const double of_it = of_images ? run->disk->layers(engine.now()) : run->disk->empty_dir.at(engine.now());
      files += of_it * run->disk->inodes_per_byte;
    }
    if (of_images) {
      for (const NodeDisk::Dead& dead : node.disk->dead) files += dead.inodes;
    }
  }
  if (kubelet::is_inodes(signal)) {
    const std::int64_t inodes = capacity / kubelet::kBytesPerInode;
    return {std::max<std::int64_t>(0, inodes - static_cast<std::int64_t>(files)), inodes, files};
  }
  return {std::max<std::int64_t>(0, capacity - static_cast<std::int64_t>(bytes)), capacity, bytes};
}

/// The first instant at which less than `below` is left.
SimTime Kubelets::Impl::met_at(const NodeRun& node, Signal signal, std::int64_t below) const {
  const SimTime now = engine.now();
  const Observation observed = observe(node, signal);
  if (observed.capacity <= 0) return kEndOfTime;
  if (observed.available < below) return now;
  std::vector<Weighed> growing;
  double sum = 0.0;
  const auto add = [&](const Growth& growth, double weight) {
    if (!growth.grows(now)) return;
    growing.push_back({&growth, weight});
    sum += weight * growth.at(now);
  };
  const bool has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  const bool of_images = kubelet::is_imagefs(signal) || !has_imagefs;
  const bool of_node = !kubelet::is_imagefs(signal) || !has_imagefs;
  const bool inodes = kubelet::is_inodes(signal);
  for (const auto& run : node.pods) {
    if (run->disk == nullptr) continue;
    const PodDisk& disk = *run->disk;
    if (kubelet::is_pid(signal)) {
      add(disk.processes, 1.0);
      continue;
    }
    const double weight = inodes ? disk.inodes_per_byte : 1.0;
    if (of_images) add(disk.layer, weight);
    if (of_node) add(disk.empty_dir, weight);
    if (of_node && !inodes) add(disk.log, 1.0);
  }
  if (of_node && !inodes && !kubelet::is_pid(signal)) {
    for (const NodeDisk::Fill& fill : node.disk->fills) add(fill.growth, 1.0);
  }
  if (growing.empty()) return kEndOfTime;
  // Whole ones are compared: one more than there may be, and a little for the rounding.
  constexpr double kSurely = 1.001;
  return kubelet::sum_exceeds(growing, now, sum + static_cast<double>(observed.capacity - below) + kSurely - observed.used);
}

kubelet::DiskStats Kubelets::Impl::disk_stats(const NodeRun& node) const {
  kubelet::DiskStats stats;
  const Parts parts = parts_of(node, config.disk, engine.now());
  const auto bytes = [](double amount) { return static_cast<std::int64_t>(amount); };
  const Observation nodefs = observe(node, Signal::kNodefsAvailable);
  const Observation node_inodes = observe(node, Signal::kNodefsInodesFree);
  const Observation imagefs = observe(node, Signal::kImagefsAvailable);
  const Observation image_inodes = observe(node, Signal::kImagefsInodesFree);
  const Observation pids = observe(node, Signal::kPidAvailable);
  stats.nodefs_capacity = nodefs.capacity;
  stats.nodefs_available = nodefs.available;
  stats.nodefs_inodes = node_inodes.capacity;
  stats.nodefs_inodes_free = node_inodes.available;
  stats.has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  stats.imagefs_capacity = imagefs.capacity;
  stats.imagefs_available = imagefs.available;
  stats.imagefs_inodes = image_inodes.capacity;
  stats.imagefs_inodes_free = image_inodes.available;
  stats.images = bytes(parts.images);
  stats.pods = bytes(parts.layers + parts.logs + parts.empty_dirs);
  stats.dead = bytes(parts.dead_layers + parts.dead_logs);
  stats.other = bytes(parts.system + parts.fills);
  stats.pid_max = pids.capacity;
  stats.processes = pids.capacity - pids.available;
  if (node.disk != nullptr) {
    stats.disk_pressure = node.disk->pressure[NodeDisk::kDisk].is_true;
    stats.pid_pressure = node.disk->pressure[NodeDisk::kPid].is_true;
  }
  return stats;
}

kubelet::PodDiskStats Kubelets::Impl::disk_stats(const PodRun& run) const {
  kubelet::PodDiskStats stats;
  stats.processes = anything_of_it_runs(run) ? run.behaviour.processes : 0;
  if (run.disk == nullptr) return stats;
  const SimTime now = engine.now();
  const double layers = run.disk->layers(now);
  stats.layers = static_cast<std::int64_t>(layers);
  stats.logs = static_cast<std::int64_t>(run.disk->logs(now));
  stats.empty_dirs = run.disk->empty_dir.amount(now);
  stats.inodes = static_cast<std::int64_t>((layers + run.disk->empty_dir.at(now)) * run.disk->inodes_per_byte);
  if (first_container_runs(run)) stats.processes = run.disk->processes.amount(now);
  return stats;
}

// ---- why there is so little left

/// Who holds what of it, the largest first.
std::vector<Kubelets::Impl::DiskUser> Kubelets::Impl::disk_users(const NodeRun& node, Signal signal) const {
  std::vector<DiskUser> users;
  const SimTime now = engine.now();
  const Parts parts = parts_of(node, config.disk, now);
  const bool has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  const bool of_images = kubelet::is_imagefs(signal) || !has_imagefs;
  const bool of_node = !kubelet::is_imagefs(signal) || !has_imagefs;
  const bool pids = kubelet::is_pid(signal);
  const auto add = [&](std::string what, double amount, CauseId cause) {
    if (amount >= 1.0) users.push_back({std::move(what), static_cast<std::int64_t>(amount), cause});
  };
  if (!pids && of_images) add("images", parts.images, CauseId{});
  if (!pids && of_node) {
    add("the system", parts.system, CauseId{});
    for (const NodeDisk::Fill& fill : node.disk->fills) add("files that no pod owns", fill.growth.at(now), fill.cause);
  }
  if (!pids) add("containers that ended", (of_images ? parts.dead_layers : 0.0) + (of_node ? parts.dead_logs : 0.0), CauseId{});
  for (const auto& run : node.pods) {
    if (run->disk == nullptr) continue;
    const PodDisk& disk = *run->disk;
    const double amount = pids ? disk.processes.at(now)
                               : (of_images ? disk.layers(now) : 0.0) + (of_node ? disk.logs(now) + disk.empty_dir.at(now) : 0.0);
    add(fmt::format("pod {}", pod_name(*run)), amount, disk.cause);
  }
  std::stable_sort(users.begin(), users.end(), [](const DiskUser& a, const DiskUser& b) { return a.amount > b.amount; });
  return users;
}

/// `message` and who holds the most; caused by those of them that somebody set in motion, or by what happened last.
CauseId Kubelets::Impl::record_shortage(NodeRun& node, std::string_view kind, Signal signal, std::string message) {
  const std::vector<DiskUser> users = disk_users(node, signal);
  const std::int64_t capacity = observe(node, signal).capacity;
  const bool counts_bytes = !kubelet::is_pid(signal);
  const std::int64_t all = kubelet::is_inodes(signal) ? capacity * kubelet::kBytesPerInode : capacity;
  std::vector<CauseId> causes;
  std::string held;
  constexpr std::size_t kNamed = 3;
  for (std::size_t i = 0; i < std::min(users.size(), kNamed); ++i) {
    const DiskUser& user = users[i];
    if (user.amount < all / kWorthTelling && i > 0) break;
    held += fmt::format("{}{} {}", held.empty() ? "; " : ", ", user.what, counts_bytes ? human_bytes(user.amount) : fmt::format("{}", user.amount));
    if (user.cause) causes.push_back(user.cause);
  }
  const CauseId before = engine.cause();
  // Where images are the most, what came last (a pull) says more than a pod that wrote a little.
  const bool last_came_first = causes.empty() || (!users.empty() && users.front().what == "images" && before);
  const ScopedCause because(engine, last_came_first ? before : causes.front());
  const CauseId id = log.record(kind, node.subject, message + held);
  for (const CauseId cause : causes) log.also_caused_by(id, cause);
  return id;
}

// ---- a disk without a byte left

void Kubelets::Impl::update_full(NodeRun& node) {
  NodeDisk& disk = *node.disk;
  const bool has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  const auto lacks = [&](Signal signal) {
    const Observation observed = observe(node, signal);
    return observed.capacity > 0 && observed.available < 1;
  };
  constexpr std::array<Signal, 3> kSignals = {Signal::kNodefsAvailable, Signal::kImagefsAvailable, Signal::kPidAvailable};
  const auto inodes_of = [](std::size_t i) { return i == NodeDisk::kNodefs ? Signal::kNodefsInodesFree : Signal::kImagefsInodesFree; };
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (i == NodeDisk::kImagefs && !has_imagefs) {
      disk.is_full[i] = disk.is_full[NodeDisk::kNodefs];
      continue;
    }
    const bool no_inodes = i != NodeDisk::kProcesses && lacks(inodes_of(i));
    const bool full = lacks(kSignals[i]) || no_inodes;
    if (full == disk.is_full[i]) continue;
    disk.is_full[i] = full;
    const std::string& name = api.names().text(node.name);
    const bool pids = i == NodeDisk::kProcesses;
    if (full) {
      disk.full_cause[i] = record_shortage(
          node, pids ? "ProcessesExhausted" : "DiskFull", no_inodes ? inodes_of(i) : kSignals[i],
          pids ? fmt::format("{} runs {} processes and threads, which is all that it can: fork: Resource temporarily unavailable", name,
                             hosts.spec(node.host).kernel.pid_max)
               : fmt::format("{} has no {} left on its {}: no space left on device", name, no_inodes ? "inodes" : "bytes",
                             i == NodeDisk::kImagefs ? "image file system" : "file system"));
    } else {
      disk.full_cause[i] = log.record(pids ? "ProcessesLeft" : "DiskHasRoom", node.subject,
                                      pids ? fmt::format("{} can start processes again", name) : fmt::format("{} has room on its disk again", name));
    }
    const ScopedCause because(engine, disk.full_cause[i]);
    if (i == NodeDisk::kNodefs) control_plane.set_disk_full(node.host, full);
    if (full) continue;
    for (const auto& run : node.pods) {
      if (!std::exchange(run->waits_for_room, false) || run->stage != Stage::kSandbox) continue;
      RandomStream draws(random.seed(), "kubelet/room", fmt::format("{}/{}", name, pod_name(*run)), disk.draws++);
      set_timer(*run, engine.now() + draws.uniform(SimDuration{}, kWorkerRetry));
    }
  }
  const SimTime now = engine.now();
  const bool machine_runs = hosts.is_running(node.host);
  const auto hold = [&](Growth& growth, bool is_held) {
    if (is_held) growth.pause(now);
    else growth.resume(now);
  };
  for (NodeDisk::Fill& fill : disk.fills) hold(fill.growth, !machine_runs || disk.is_full[NodeDisk::kNodefs]);
  for (const auto& run : node.pods) {
    if (run->disk == nullptr) continue;
    hold(run->disk->layer, disk.is_full[NodeDisk::kImagefs]);
    hold(run->disk->log, disk.is_full[NodeDisk::kNodefs]);
    hold(run->disk->empty_dir, disk.is_full[NodeDisk::kNodefs]);
    hold(run->disk->processes, disk.is_full[NodeDisk::kProcesses]);
  }
}

/// Directories, layers and processes of a sandbox need room.
bool Kubelets::Impl::has_room_to_start(PodRun& run) {
  const NodeDisk* disk = run.node->disk.get();
  if (disk == nullptr) return true;
  const bool no_bytes = disk->is_full[NodeDisk::kNodefs] || disk->is_full[NodeDisk::kImagefs];
  if (!no_bytes && !disk->is_full[NodeDisk::kProcesses]) return true;
  if (std::exchange(run.waits_for_room, true)) return false;
  const std::size_t which = disk->is_full[NodeDisk::kNodefs] ? NodeDisk::kNodefs : no_bytes ? NodeDisk::kImagefs : NodeDisk::kProcesses;
  const CauseId before = engine.cause();
  const ScopedCause because(engine, disk->full_cause[which]);
  const CauseId id = record(run, "FailedCreatePodSandBox",
                            fmt::format("Failed to create pod sandbox on {}: {}", api.names().text(run.node->name),
                                        no_bytes ? "no space left on device" : "fork/exec: resource temporarily unavailable"));
  log.also_caused_by(id, before);
  return false;
}

// ---- when to look

void Kubelets::Impl::disk_kubelet_stopped(NodeRun& node) {
  if (node.disk == nullptr) return;
  NodeDisk& disk = *node.disk;
  engine.cancel(std::exchange(disk.look, TimerId{}));
  engine.cancel(std::exchange(disk.crossing, TimerId{}));
  // What the eviction manager knew is gone with its process.
  for (NodeDisk::State& state : disk.thresholds) state = {};
  for (NodeDisk::Pressure& one : disk.pressure) one = {};
  disk.found_no_victim = false;
  disk.next_pass = SimTime{};
  if (hosts.is_running(node.host)) {
    disk_changed(node);  // the machine goes on
    return;
  }
  for (NodeDisk::Fill& fill : disk.fills) fill.growth.pause(engine.now());
  disk.is_full[NodeDisk::kProcesses] = false;
}

void Kubelets::Impl::disk_changed(NodeRun& node) {
  if (node.disk == nullptr || !node.is_started || !hosts.is_running(node.host)) return;
  NodeDisk& disk = *node.disk;
  if (node.is_watching && can_act(node)) std::erase_if(disk.dead, [this](const NodeDisk::Dead& dead) { return api.get(dead.pod) == nullptr; });
  update_full(node);
  writing_changed(node);
  disk.found_no_victim = false;
  arm_disk(node);
}

void Kubelets::Impl::arm_disk(NodeRun& node) {
  NodeDisk& disk = *node.disk;
  engine.cancel(std::exchange(disk.look, TimerId{}));
  engine.cancel(std::exchange(disk.crossing, TimerId{}));
  const SimTime now = engine.now();
  NodeRun* place = &node;

  // What the machine feels at once.
  SimTime crossing = kEndOfTime;
  const bool has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  const auto fills_up = [&](Signal signal, std::size_t full) {
    if (!disk.is_full[full]) crossing = std::min(crossing, met_at(node, signal, 1));
  };
  fills_up(Signal::kNodefsAvailable, NodeDisk::kNodefs);
  fills_up(Signal::kNodefsInodesFree, NodeDisk::kNodefs);
  if (has_imagefs) {
    fills_up(Signal::kImagefsAvailable, NodeDisk::kImagefs);
    fills_up(Signal::kImagefsInodesFree, NodeDisk::kImagefs);
  }
  fills_up(Signal::kPidAvailable, NodeDisk::kProcesses);
  const Observation images = observe(node, Signal::kImagefsAvailable);
  // Used share, cut to a whole percent, at least the high threshold: available * 100 / capacity <= 100 - high.
  const std::int64_t collected_below = (images.capacity * (101 - config.image_gc_high_percent) + 99) / 100;
  if (images.available < collected_below) {
    if (!std::exchange(disk.told_collector, true)) node.images->filesystem_filled();
  } else {
    disk.told_collector = false;
    crossing = std::min(crossing, met_at(node, Signal::kImagefsAvailable, collected_below));
  }
  if (node.write_back != nullptr) {
    // Who has written all that he wants leaves the disk to the others.
    for (const NodeDisk::Fill& fill : disk.fills) crossing = std::min(crossing, fill.growth.next_bend(now));
    for (const auto& run : node.pods) {
      if (run->disk != nullptr) crossing = std::min({crossing, run->disk->layer.next_bend(now), run->disk->empty_dir.next_bend(now)});
    }
  }
  if (crossing != kEndOfTime) disk.crossing = engine.at(crossing, [this, place] { disk_changed(*place); });

  if (!node.kubelet_running || node.is_stalled) return;
  const auto turn = [&](SimTime from) { return from <= disk.next_pass ? disk.next_pass : grid_at(from, node.monitor_phase, kEvictionPeriod); };
  SimTime next = kEndOfTime;
  bool drives = false;
  for (std::size_t i = 0; i < config.disk.thresholds.size(); ++i) {
    const Threshold& threshold = config.disk.thresholds[i];
    const NodeDisk::State& state = disk.thresholds[i];
    const Observation observed = observe(node, threshold.signal);
    const bool is_met = kubelet::is_met(threshold, observed, state.drives);
    if (is_met != state.is_met) {
      next = std::min(next, turn(now));
    } else if (!is_met) {
      const SimTime when = met_at(node, threshold.signal, kubelet::level(threshold, observed.capacity, false));
      if (when != kEndOfTime) next = std::min(next, turn(when));
    } else if (!state.drives) {
      next = std::min(next, turn(std::max(now, state.first_met + threshold.grace)));
    } else {
      drives = true;
    }
  }
  if (drives && node.evicting == nullptr && !disk.found_no_victim) next = std::min(next, now <= disk.next_pass ? disk.next_pass : turn(now + SimDuration(1)));
  if (drives && node.evicting == nullptr && disk.found_no_victim && disk.next_image != kEndOfTime) next = std::min(next, turn(std::max(now, disk.next_image)));
  for (const NodeDisk::Pressure& one : disk.pressure) {
    if (one.is_true && !one.is_met) next = std::min(next, turn(std::max(now, one.last_met + config.pressure_transition)));
  }
  if (node.evicting == nullptr) {
    for (const auto& run : node.pods) {
      if (run->disk == nullptr) continue;
      const SimTime due = local_limit_due(*run);
      if (due != kEndOfTime) next = std::min(next, turn(due));
    }
  }
  if (next != kEndOfTime) disk.look = engine.at(next, [this, place] { disk_look(*place); });
}

// ---- a look of the eviction manager

bool Kubelets::Impl::memory_goes_first(const NodeRun& node) const {
  if (node.found_no_victim) return false;
  const std::int64_t left = available(node);
  if (left < hard_threshold(node)) return true;
  return left < threshold(node) && node.soft_since != kEndOfTime && engine.now() >= node.soft_since + config.soft_eviction_grace;
}

void Kubelets::Impl::disk_look(NodeRun& node) {
  NodeDisk& disk = *node.disk;
  disk.look = TimerId{};
  if (!can_act(node) || !hosts.is_running(node.host)) return;
  disk.next_pass = SimTime{};
  const SimTime now = engine.now();
  const std::vector<Threshold>& thresholds = config.disk.thresholds;

  // What is short, and for how long.
  for (NodeDisk::Pressure& one : disk.pressure) one.is_met = false;
  std::array<std::size_t, 2> newly = {SIZE_MAX, SIZE_MAX};
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    NodeDisk::State& state = disk.thresholds[i];
    NodeDisk::Pressure& pressure = disk.pressure[condition_of(thresholds[i].signal)];
    if (!kubelet::is_met(thresholds[i], observe(node, thresholds[i].signal), state.drives)) {
      // Of the looks before this one that were not made because nothing would have changed, the last one still saw it.
      if (state.is_met) pressure.last_met = std::max(pressure.last_met, now - kEvictionPeriod);
      state = {};
      continue;
    }
    if (!std::exchange(state.is_met, true)) {
      state.first_met = now;
      std::size_t& first = newly[condition_of(thresholds[i].signal)];
      if (first == SIZE_MAX) first = i;
    }
    state.drives = now - state.first_met >= thresholds[i].grace;
    pressure.is_met = true;
    pressure.last_met = now;
  }
  for (std::size_t which = 0; which < disk.pressure.size(); ++which) {
    NodeDisk::Pressure& pressure = disk.pressure[which];
    const bool is_true = pressure.is_met || (pressure.is_true && now - pressure.last_met < config.pressure_transition);
    if (is_true == pressure.is_true) continue;
    pressure.is_true = is_true;
    if (is_true) {
      const Threshold& threshold = thresholds[newly[which]];
      const Observation observed = observe(node, threshold.signal);
      const std::int64_t below = kubelet::quantity(threshold.value, observed.capacity);
      const bool bytes = !kubelet::is_pid(threshold.signal) && !kubelet::is_inodes(threshold.signal);
      const auto show = [&](std::int64_t amount) { return bytes ? human_bytes(amount) : fmt::format("{}", amount); };
      pressure.cause = record_shortage(node, "EvictionThresholdMet", threshold.signal,
                                       fmt::format("Attempting to reclaim {}: {} {} of {}, threshold {}", kubelet::resource_of(threshold.signal),
                                                   kubelet::to_string(threshold.signal), show(observed.available), show(observed.capacity), show(below)));
    } else {
      pressure.cause = engine.cause();
    }
    schedule_status(node);
  }

  if (node.evicting == nullptr) {
    std::vector<std::string> messages;
    const std::vector<PodRun*> over = over_local_limits(node, &messages);
    for (std::size_t i = 0; i < over.size(); ++i) {
      PodRun& run = *over[i];
      const ScopedCause because(engine, run.disk->cause);
      const CauseId id = record(run, "Evicted", messages[i]);
      const ScopedCause because_evicted(engine, id);
      node.evicting = &run;
      end_with(run, PodPhase::kFailed, reasons.evicted, false, kImmediateGrace);
    }
    if (over.empty() && !memory_goes_first(node)) {
      for (std::size_t i = 0; i < thresholds.size(); ++i) {
        if (!disk.thresholds[i].drives) continue;
        reclaim_disk(node, i);
        break;
      }
    }
  }
  arm_disk(node);
}

/// From what nobody uses, or from one pod.
void Kubelets::Impl::reclaim_disk(NodeRun& node, std::size_t index) {
  NodeDisk& disk = *node.disk;
  const SimTime now = engine.now();
  const Threshold& threshold = config.disk.thresholds[index];
  const Signal signal = threshold.signal;
  const bool has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  const ScopedCause because(engine, disk.pressure[condition_of(signal)].cause);
  const Observation before = observe(node, signal);
  const bool mends = !kubelet::is_pid(signal) && (kubelet::is_imagefs(signal) || !has_imagefs);
  if (mends) {
    double freed = 0;
    for (const NodeDisk::Dead& dead : disk.dead) freed += dead.layers + dead.logs;
    disk.dead.clear();
    for (const auto& run : node.pods) {
      if (run->disk == nullptr) continue;
      freed += run->disk->dead_layer + run->disk->dead_log;
      run->disk->dead_layer = run->disk->dead_log = 0;
    }
    if (freed >= 1.0) {
      log.record("DeadContainersRemoved", node.subject,
                 fmt::format("disk pressure: containers that ended were removed, {}", human_bytes(static_cast<std::int64_t>(freed))));
    }
    node.images->remove_unused();
    update_full(node);
    // Every threshold, also one that nobody spoke of, must have what it is to have beyond itself.
    const bool is_enough = std::none_of(config.disk.thresholds.begin(), config.disk.thresholds.end(),
                                        [&](const Threshold& one) { return kubelet::is_met(one, observe(node, one.signal), true); });
    if (is_enough && !memory_goes_first(node)) return;
  }
  std::vector<DiskCandidate> candidates;
  for (std::size_t i = 0; i < node.pods.size(); ++i) {
    const PodRun& run = *node.pods[i];
    if (!is_active(run)) continue;
    const kubelet::PodDiskStats stats = disk_stats(run);
    DiskCandidate one{i, run.spec->priority};
    const std::int64_t layers = kubelet::is_inodes(signal) ? 0 : stats.layers;
    const std::int64_t volumes = kubelet::is_inodes(signal) ? 0 : stats.logs + stats.empty_dirs;
    if (kubelet::is_pid(signal)) {
      one.usage = stats.processes;
    } else if (kubelet::is_inodes(signal)) {
      one.usage = stats.inodes;
      if (has_imagefs && run.disk != nullptr) {
        const double of_it = kubelet::is_imagefs(signal) ? run.disk->layers(now) : run.disk->empty_dir.at(now);
        one.usage = static_cast<std::int64_t>(of_it * run.disk->inodes_per_byte);
      }
    } else {
      one.usage = (kubelet::is_imagefs(signal) || !has_imagefs ? layers : 0) + (!kubelet::is_imagefs(signal) || !has_imagefs ? volumes : 0);
      one.request = run.spec->requests.ephemeral_storage;
    }
    one.storage_request = run.spec->requests.ephemeral_storage;
    candidates.push_back(one);
  }
  if (kubelet::is_pid(signal)) kubelet::rank_for_pid_eviction(candidates);
  else kubelet::rank_for_disk_eviction(candidates);
  for (const DiskCandidate& candidate : candidates) {
    PodRun& run = *node.pods[candidate.index];
    if (kubelet::is_critical(*run.spec, run.is_mirror)) continue;
    const kubelet::PodDiskStats stats = disk_stats(run);
    std::vector<kubelet::ContainerUse> containers;
    for (std::size_t i = 0; i < run.spec->containers.size(); ++i) {
      const Container& spec = run.spec->containers[i];
      containers.push_back({api.names().text(spec.name), i == 0 ? stats.layers + stats.logs : 0, spec.requests.ephemeral_storage});
    }
    const CauseId id = record(run, "Evicted", kubelet::eviction_message(signal, threshold, before, containers));
    if (run.disk != nullptr) log.also_caused_by(id, run.disk->cause);
    const ScopedCause because_evicted(engine, id);
    node.evicting = &run;
    const std::int64_t grace =
        threshold.is_hard() ? kImmediateGrace : std::min(config.eviction_max_pod_grace_seconds, run.spec->termination_grace_seconds);
    end_with(run, PodPhase::kFailed, reasons.evicted, true, grace);
    return;
  }
  disk.found_no_victim = true;  // nothing but critical pods: looked at again when something changes, or an image is old enough
  if (mends) disk.next_image = node.images->next_unused();
}

// ---- limits of pods

/// Pods that hold more than they may, and in which words they are told.
std::vector<PodRun*> Kubelets::Impl::over_local_limits(NodeRun& node, std::vector<std::string>* messages) const {
  std::vector<PodRun*> over;
  const bool has_imagefs = hosts.spec(node.host).image_disk_bytes > 0;
  for (const auto& run : node.pods) {
    if (run->disk == nullptr || !is_active(*run) || kubelet::is_critical(*run->spec, run->is_mirror)) continue;
    const kubelet::PodDiskStats stats = disk_stats(*run);
    std::string message;
    if (run->disk->empty_dir_index != SIZE_MAX) {
      const EmptyDir& volume = run->spec->empty_dirs[run->disk->empty_dir_index];
      if (volume.size_limit > 0 && stats.empty_dirs > volume.size_limit) {
        message = kubelet::empty_dir_message(api.names().text(volume.name), volume.size_limit);
      }
    }
    std::int64_t pod_limit = 0;
    for (const Container& container : run->spec->containers) pod_limit += container.limits.ephemeral_storage;
    if (message.empty() && pod_limit > 0 && stats.logs + stats.layers + stats.empty_dirs > pod_limit) message = kubelet::pod_limit_message(pod_limit);
    const Container& first = run->spec->containers.front();
    if (message.empty() && first.limits.ephemeral_storage > 0 && stats.logs + (has_imagefs ? 0 : stats.layers) > first.limits.ephemeral_storage) {
      message = kubelet::container_limit_message(api.names().text(first.name), first.limits.ephemeral_storage);
    }
    if (message.empty()) continue;
    over.push_back(run.get());
    messages->push_back(std::move(message));
  }
  return over;
}

/// When it holds more than it may; now when it does already.
SimTime Kubelets::Impl::local_limit_due(const PodRun& run) const {
  if (!is_active(run) || kubelet::is_critical(*run.spec, run.is_mirror)) return kEndOfTime;
  const SimTime now = engine.now();
  const PodDisk& disk = *run.disk;
  SimTime due = kEndOfTime;
  const auto exceeds = [&](std::vector<Weighed> all, double fixed, std::int64_t limit) {
    // Whole bytes are compared, of each kind of files.
    constexpr double kSurely = 3.001;
    if (limit > 0) due = std::min(due, kubelet::sum_exceeds(all, now, static_cast<double>(limit) + kSurely - fixed));
  };
  if (disk.empty_dir_index != SIZE_MAX) exceeds({{&disk.empty_dir}}, 0.0, run.spec->empty_dirs[disk.empty_dir_index].size_limit);
  std::int64_t pod_limit = 0;
  for (const Container& container : run.spec->containers) pod_limit += container.limits.ephemeral_storage;
  const double dead = disk.dead_layer + disk.dead_log;
  exceeds({{&disk.empty_dir}, {&disk.layer}, {&disk.log}}, dead, pod_limit);
  const std::int64_t limit = run.spec->containers.front().limits.ephemeral_storage;
  if (hosts.spec(run.node->host).image_disk_bytes > 0) exceeds({{&disk.log}}, disk.dead_log, limit);
  else exceeds({{&disk.layer}, {&disk.log}}, dead, limit);
  return due;
}

}  // namespace sim::k8s

/// Contact with the API: heartbeat, watches lost and opened again, Node status, start and stop of the kubelet itself.
///
/// Source: reference kubernetes 3.1, 3.3, 3.12, 7.2, 7.3.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::grid_at;
using kubelet::grid_before;
using kubelet::kEvictionPeriod;
using kubelet::kStatusPeriod;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::RegistryState;
using kubelet::Stage;

void Kubelets::Impl::start_node(NodeRun& node) {
  RandomStream phases = random.stream("kubelet/phases", api.names().text(node.name));
  node.lease_phase = phases.uniform(SimDuration{}, config.lease_renew - SimDuration(1));
  node.status_phase = phases.uniform(SimDuration{}, kStatusPeriod - SimDuration(1));
  node.monitor_phase = phases.uniform(SimDuration{}, kEvictionPeriod - SimDuration(1));
  node.is_started = true;
  if (!hosts.is_running(node.host)) return;  // its kubelet starts when the machine is up
  // This kubelet has been at work for long: no start-up, and its renewals are at their own phase.
  node.kubelet_running = true;
  node.has_been_up = true;
  node.is_fresh = false;
  node.reaches = control_plane.reachable_from(node.host);
  node.writes = control_plane.writable_from(node.host);
  node.is_watching = node.reaches;
  node.is_renewing = node.writes;
  node.last_renewal = engine.now();
  node.lost_at = engine.now();
  if (!node.is_watching) return;
  announce_limits(node);
  post_status(node);
  std::vector<Ref<Pod>> bound = node.bound;
  std::sort(bound.begin(), bound.end(), [this](Ref<Pod> a, Ref<Pod> b) { return api.all<Pod>().at(a).meta.uid < api.all<Pod>().at(b).meta.uid; });
  for (const Ref<Pod> ref : bound) {
    const Pod& pod = api.all<Pod>().at(ref);
    if (pod.phase == PodPhase::kRunning && !pod.meta.is_deleting()) {
      adopt(node, ref, pod);
    } else {
      see(node, ref);
    }
  }
}

void Kubelets::Impl::start_kubelet(NodeRun& node, bool booted) {
  engine.cancel(std::exchange(node.kubelet_start, TimerId{}));
  node.kubelet_running = true;
  node.is_fresh = true;
  node.was_booted = booted;
  node.lost_at = engine.now();
  if (std::exchange(node.kubelet_was_killed, false)) control_plane.set_kubelet_running(node.host, true);
  CauseId id{};
  if (std::exchange(node.has_been_up, true) && booted) {
    id = log.record("Rebooted", node.subject, fmt::format("the kubelet of {} runs again after a boot", api.names().text(node.name)));
  } else {
    id = log.record("Starting", node.subject, "Starting kubelet.");
  }
  const ScopedCause because(engine, id);
  // Containers that run go on under the eye of the eviction manager, also before the API is reached.
  memory_changed(node);
  if (node.disk != nullptr) disk_changed(node);
  update_contact(node);
}

void Kubelets::Impl::stop_kubelet(NodeRun& node) {
  for (TimerId* timer : {&node.relist, &node.status, &node.kubelet_start}) engine.cancel(std::exchange(*timer, TimerId{}));
  node.kubelet_running = false;
  node.kubelet_was_killed = true;
  node.evicting = nullptr;
  disk_kubelet_stopped(node);
  control_plane.set_kubelet_running(node.host, false);
  node.images->interrupt();
  for (const auto& run : node.pods) pause(*run);
  update_contact(node);
  memory_changed(node);
}

void Kubelets::Impl::update_contact_of_all() {
  if (!is_started) return;
  for (NodeRun& node : nodes) update_contact(node);
}

void Kubelets::Impl::update_contact(NodeRun& node) {
  const bool up = node.is_started && can_act(node) && hosts.is_running(node.host);
  const bool reaches = up && !node.certificate_expired && node.no_contact == 0 && control_plane.reachable_from(node.host);
  const bool writes = reaches && !node.is_throttled && api.writable();
  NodeRun* place = &node;
  if (reaches != node.reaches) {
    node.reaches = reaches;
    if (!reaches) {
      node.is_watching = false;
      node.lost_at = engine.now();
      engine.cancel(std::exchange(node.relist, TimerId{}));
    } else {
      // A reflector tries again after 0.8 s, doubling to 30 s, times (1 + U[0, 1)): after a cut of length L the next try is about
      // uniform in [0, min(L, 60 s)] away. A kubelet that starts within reach (L = 0) lists at once.
      constexpr SimDuration kLongestRetry = std::chrono::seconds(60);
      RandomStream draws(random.seed(), "kubelet/watch-retry", api.names().text(node.name), node.cuts++);
      const SimDuration wait = draws.uniform(SimDuration{}, std::min(engine.now() - node.lost_at, kLongestRetry));
      engine.cancel(node.relist);
      node.relist = engine.after(wait, [this, place] { list_again(*place); });
    }
  } else if (reaches && node.is_fresh && !engine.is_pending(node.relist)) {
    node.relist = engine.after(SimDuration{}, [this, place] { list_again(*place); });
  }
  if (writes == node.writes) return;
  node.writes = writes;
  engine.cancel(std::exchange(node.renewal, TimerId{}));
  if (!writes) {
    engine.cancel(std::exchange(node.status, TimerId{}));
    if (std::exchange(node.is_renewing, false)) {
      node.last_renewal = std::max(node.last_renewal, grid_before(engine.now(), node.lease_phase, config.lease_renew));
      notify_heartbeat(node);
    }
    return;
  }
  // A kubelet that starts renews at once, and keeps that phase; one that was cut off renews at its next turn.
  if (node.is_fresh) node.lease_phase = engine.now().time_since_epoch() % config.lease_renew;
  const SimTime next = grid_at(engine.now(), node.lease_phase, config.lease_renew);
  node.renewal = engine.at(next, [this, place] {
    place->last_renewal = engine.now();
    place->is_renewing = true;
    notify_heartbeat(*place);
  });
  schedule_status(node);
}

void Kubelets::Impl::notify_heartbeat(NodeRun& node) {
  for (const auto& listener : heartbeat_listeners) listener(node.ref);
}

void Kubelets::Impl::list_again(NodeRun& node) {
  node.is_watching = true;
  const bool fresh = std::exchange(node.is_fresh, false);
  if (fresh) {
    std::vector<PodRun*> runs;
    for (const auto& run : node.pods) runs.push_back(run.get());
    std::stable_sort(runs.begin(), runs.end(), [](const PodRun* a, const PodRun* b) { return a->uid < b->uid; });
    for (PodRun* run : runs) resume(*run, node.was_booted);
  }
  look_at_bound(node);
  advance_volumes(node);
  if (fresh) post_status(node);  // fast status update at the start
  // What this side knows better than the API is written at the status manager's next turn.
  schedule_status(node);
}

void Kubelets::Impl::schedule_status(NodeRun& node) {
  if (!node.writes || !can_act(node) || engine.is_pending(node.status)) return;
  NodeRun* place = &node;
  const SimTime next = grid_at(engine.now(), node.status_phase, kStatusPeriod);
  node.status = engine.at(next, [this, place] {
    reconcile(*place);
    post_status(*place);
  });
}

void Kubelets::Impl::reconcile(NodeRun& node) {
  if (!can_act(node)) return;
  // Until its first list a kubelet does not know what to do with what it finds on the machine.
  if (node.is_fresh) return;
  std::vector<PodRun*> runs;
  for (const auto& run : node.pods) runs.push_back(run.get());
  for (PodRun* run : runs) {
    if (run->stage == Stage::kFinished) {
      if (!engine.is_pending(run->timer)) conclude(*run);
    } else {
      publish(*run);
    }
  }
  look_at_bound(node);
}

/// What a list of the node's pods shows.
void Kubelets::Impl::look_at_bound(NodeRun& node) {
  if (!node.is_watching || !can_act(node)) return;
  std::vector<Ref<Pod>> gone;
  for (const auto& run : node.pods) {
    if (api.get(run->ref) == nullptr) gone.push_back(run->ref);
  }
  for (const Ref<Pod> ref : gone) see(node, ref);
  std::vector<Ref<Pod>> bound = node.bound;
  std::erase_if(bound, [this](Ref<Pod> ref) { return api.get(ref) == nullptr; });
  std::sort(bound.begin(), bound.end(), [this](Ref<Pod> a, Ref<Pod> b) { return api.all<Pod>().at(a).meta.uid < api.all<Pod>().at(b).meta.uid; });
  for (const Ref<Pod> ref : bound) {
    if (api.get(ref) != nullptr) see(node, ref);
  }
}

void Kubelets::Impl::post_status(NodeRun& node) {
  if (!node.writes || !node.is_watching || !can_act(node)) return;
  const Node* object = api.get(node.ref);
  if (object == nullptr) return;
  Change changes = Change::kNone;
  const bool becomes_ready = object->ready != ConditionStatus::kTrue;
  const kubelet::NodeDisk* disk = node.disk.get();
  const bool disk_pressure = disk != nullptr && disk->pressure[NodeDisk::kDisk].is_true;
  const bool pid_pressure = disk != nullptr && disk->pressure[NodeDisk::kPid].is_true;
  if (becomes_ready || object->memory_pressure != node.pressure || object->disk_pressure != disk_pressure || object->pid_pressure != pid_pressure) {
    changes = changes | Change::kConditions;
  }
  std::vector<NodeImage> images;
  if (std::exchange(node.images_changed, false)) {
    constexpr std::size_t kImagesMax = 50;
    for (const Symbol image : node.images->images()) images.push_back({image, node.image_hooks.bytes(image)});
    std::sort(images.begin(), images.end(), [this](const NodeImage& a, const NodeImage& b) {
      return a.bytes != b.bytes ? a.bytes > b.bytes : api.names().text(a.image) < api.names().text(b.image);
    });
    if (images.size() > kImagesMax) images.resize(kImagesMax);
    changes = changes | Change::kImages;
  }
  const std::vector<Symbol> in_use = volumes_in_use(node);
  if (in_use != object->volumes_in_use) changes = changes | Change::kVolumes;
  if (changes == Change::kNone) {
    volumes_reported(node);
    return;
  }
  CauseId id = engine.cause();
  const bool is_first = object->ready == ConditionStatus::kUnknown && object->ready_reason != api.well_known().node_status_unknown;
  if (becomes_ready && !is_first) {
    id = api.record(node.ref, "NodeReady", fmt::format("Node {} status is now: NodeReady", api.names().text(node.name)));
  }
  const ScopedCause because(engine, id);
  if (object->memory_pressure != node.pressure) {
    const ScopedCause pressure(engine, node.pressure_cause);
    api.record(node.ref, node.pressure ? "NodeHasInsufficientMemory" : "NodeHasSufficientMemory",
               fmt::format("Node {} status is now: {}", api.names().text(node.name),
                           node.pressure ? "NodeHasInsufficientMemory" : "NodeHasSufficientMemory"));
  }
  // Both in one write, each with its own story.
  CauseId written = engine.cause();
  const auto tell = [&](bool was, bool is, CauseId cause, std::string_view kind) {
    if (was == is) return;
    const ScopedCause pressure(engine, cause ? cause : id);
    written = api.record(node.ref, kind, fmt::format("Node {} status is now: {}", api.names().text(node.name), kind));
  };
  if (disk != nullptr) {
    tell(object->disk_pressure, disk_pressure, disk->pressure[NodeDisk::kDisk].cause, disk_pressure ? "NodeHasDiskPressure" : "NodeHasNoDiskPressure");
    tell(object->pid_pressure, pid_pressure, disk->pressure[NodeDisk::kPid].cause, pid_pressure ? "NodeHasInsufficientPID" : "NodeHasSufficientPID");
  }
  const ScopedCause because_written(engine, written);
  api.update(node.ref, changes, [&](Node& n) {
    if (becomes_ready) {
      n.ready = ConditionStatus::kTrue;
      n.ready_reason = api.well_known().kubelet_ready;
      n.ready_since = engine.now();
    }
    n.memory_pressure = node.pressure;
    n.disk_pressure = disk_pressure;
    n.pid_pressure = pid_pressure;
    if (has(changes, Change::kImages)) n.images = images;
    if (has(changes, Change::kVolumes)) n.volumes_in_use = in_use;
  });
  volumes_reported(node);
}

RegistryState Kubelets::Impl::registry_state(const NodeRun& node) const {
  if (!hosts.has_network(node.host)) return RegistryState::kSilent;
  if (!image_config.registry_service) return RegistryState::kUp;
  const std::string& service = api.names().text(image_config.registry_service);
  const std::size_t slash = service.find('/');
  const std::string_view text = service;
  const Symbol ns = slash == std::string::npos ? api.well_known().ns_default : api.names().find(text.substr(0, slash));
  const Symbol name = slash == std::string::npos ? image_config.registry_service : api.names().find(text.substr(slash + 1));
  const Endpoints* endpoints = api.get(api.find<Endpoints>(ns, name));
  if (endpoints == nullptr || endpoints->ready_count() == 0) return RegistryState::kRefused;
  for (const Endpoints::Address& address : endpoints->addresses) {
    const PodRun* run = find_pod(address.pod);
    if (!address.ready || run == nullptr || !serves(*run)) continue;
    if (run->node == &node || hosts.reachable(run->node->host, node.host)) return RegistryState::kUp;
  }
  return RegistryState::kSilent;
}

CauseId Kubelets::Impl::registry_cause(const NodeRun& node) const {
  if (!hosts.has_network(node.host)) return hosts.last_cause(node.host);
  const std::string& service = api.names().text(image_config.registry_service);
  const std::size_t slash = service.find('/');
  if (slash == std::string::npos) return {};
  const std::string_view text = service;
  const Endpoints* endpoints =
      api.get(api.find<Endpoints>(api.names().find(text.substr(0, slash)), api.names().find(text.substr(slash + 1))));
  if (endpoints == nullptr) return {};
  for (const Endpoints::Address& address : endpoints->addresses) {
    // Still listed, but its machine or its container is gone: that is why nobody answers.
    const PodRun* run = address.ready ? find_pod(address.pod) : nullptr;
    if (run == nullptr) continue;
    if (!hosts.reachable(run->node->host, node.host)) return hosts.last_cause(run->node->host);
    const Pod* pod = api.get(address.pod);
    if (pod != nullptr && pod->meta.cause) return pod->meta.cause;
  }
  return endpoints->meta.cause;
}

}  // namespace sim::k8s

/// The volume manager: a pod's volumes are attached and mounted before its containers start, and unmounted after they ended. What happens to
/// containers whose volume does not answer.
///
/// A volume is one mount a node, shared by the pods that use it there; a pod's own bind mount takes no time. A volume that the attach/detach
/// controller must attach is first listed in volumesInUse, at the node's next status turn; then the kubelet looks whether volumesAttached has it,
/// with a back-off; then it mounts.
///
/// A process that reads or writes a volume that does not answer is in uninterruptible sleep: it serves nothing, its probes time out, and
/// SIGKILL ends it only when the call returns.
///
/// Source: reference kubernetes 3.14, 3.5; platform 4.1. pkg/kubelet/volumemanager/{volume_manager,reconciler/*}.go, operation_generator.go.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::Finding;
using kubelet::NodeRun;
using kubelet::NodeVolume;
using kubelet::PodRun;
using kubelet::RunVolume;
using kubelet::Stage;
using kubelet::Step;

namespace {

constexpr SimDuration kLoopPeriod = std::chrono::milliseconds(100);    // reconcilerLoopSleepPeriod
constexpr SimDuration kPollPeriod = std::chrono::milliseconds(300);    // podAttachAndMountRetryInterval
constexpr SimDuration kMountTimeout = std::chrono::seconds(123);       // podAttachAndMountTimeout
constexpr SimDuration kBackOffFirst = std::chrono::milliseconds(500);  // goroutinemap/exponentialbackoff
constexpr SimDuration kBackOffMax = std::chrono::seconds(122);
constexpr SimDuration kStopTimeout = std::chrono::minutes(2);          // of StopContainer, beyond the grace period

bool mounts(const Container& container, Symbol volume) {
  return std::find(container.volume_mounts.begin(), container.volume_mounts.end(), volume) != container.volume_mounts.end();
}

/// The first try not before `when` of an operation that fails from `first` on: 0, 0.5, 1.5, 3.5 ... s after it.
SimTime next_try(SimTime first, SimTime when) {
  SimTime at = first;
  SimDuration wait = kBackOffFirst;
  while (at < when) {
    at += wait;
    wait = std::min(wait * 2, kBackOffMax);
  }
  return at;
}

}  // namespace

// ---- a pod starts

/// False: there is nothing to wait for.
bool Kubelets::Impl::begin_volumes(PodRun& run) {
  if (storage == nullptr || !api.has_storage() || run.spec->volumes.empty()) return false;
  run.volumes.clear();
  run.mount_error.clear();
  for (const PodVolume& volume : run.spec->volumes) {
    // Only what a container mounts is waited for.
    const auto uses = [&](const Container& container) { return mounts(container, volume.name); };
    if (std::none_of(run.spec->containers.begin(), run.spec->containers.end(), uses) &&
        std::none_of(run.spec->init_containers.begin(), run.spec->init_containers.end(), uses)) {
      continue;
    }
    RunVolume entry;
    entry.name = volume.name;
    const PersistentVolumeClaim* claim = find_claim(api, run.ns, run.name, volume);
    const PersistentVolume* bound = find_bound_volume(api, run.ns, run.name, volume);
    if (bound != nullptr) {
      entry.volume = bound->meta.name;
    } else if (run.mount_error.empty()) {
      const std::string& name = api.names().text(claim_name(api.names(), run.name, volume));
      run.mount_error = claim == nullptr
                            ? fmt::format("error processing PVC {}/{}: failed to fetch PVC from API server: persistentvolumeclaims \"{}\" not found",
                                          api.names().text(run.ns), name, name)
                            : fmt::format("error processing PVC {}/{}: PVC is not bound", api.names().text(run.ns), name);
    }
    run.volumes.push_back(entry);
  }
  if (run.volumes.empty()) return false;
  if (!run.mount_error.empty()) waiting_for_claims.push_back(run.ref);
  run.stage = Stage::kVolumes;
  run.volumes_since = engine.now();
  set_timer(run, engine.now() + kMountTimeout);
  for (const RunVolume& entry : run.volumes) {
    if (entry.volume) want(*run.node, entry.volume, run.ref);
  }
  check_volumes(run);
  return true;
}

NodeVolume* Kubelets::Impl::find_volume_on(NodeRun& node, Symbol volume) {
  for (const auto& entry : node.volumes) {
    if (entry->volume == volume) return entry.get();
  }
  return nullptr;
}

NodeVolume& Kubelets::Impl::add_volume(NodeRun& node, Symbol volume) {
  if (NodeVolume* known = find_volume_on(node, volume)) return *known;
  node.volumes.push_back(std::make_unique<NodeVolume>());
  NodeVolume& entry = *node.volumes.back();
  entry.volume = volume;
  entry.serial = ++volume_serial;
  const PersistentVolume* object = api.get(api.find<PersistentVolume>(Symbol{}, volume));
  entry.backend = &storage->backend(object == nullptr ? Symbol{} : object->driver);
  entry.is_attachable = entry.backend->needs_attach();
  nodes_of_volume[volume].push_back(&node);
  return entry;
}

void Kubelets::Impl::want(NodeRun& node, Symbol volume, Ref<Pod> pod) {
  NodeVolume& entry = add_volume(node, volume);
  if (std::find(entry.users.begin(), entry.users.end(), pod) == entry.users.end()) entry.users.push_back(pod);
  advance(node, entry);
}

/// Takes the next step towards a mount, if it is time.
void Kubelets::Impl::advance(NodeRun& node, NodeVolume& entry) {
  if (entry.state != NodeVolume::State::kWaiting || entry.users.empty() || !can_act(node)) return;
  if (engine.is_pending(entry.timer)) return;
  SimTime at = engine.now() + kLoopPeriod;
  if (entry.is_attachable) {
    if (!entry.reported) {
      schedule_status(node);
      return;
    }
    const Node* object = api.get(node.ref);
    if (object == nullptr || !node.reaches) return;  // looked at again when the API answers
    const std::vector<Symbol>& attached = object->volumes_attached;
    if (std::find(attached.begin(), attached.end(), entry.volume) == attached.end()) return;  // looked at again when the Node changes
    at = std::max(engine.now(), next_try(entry.verify_from, engine.now()));
  }
  at = std::max(at, entry.retry_at);
  NodeRun* place = &node;
  const std::uint64_t serial = entry.serial;
  entry.timer = engine.at(at, [this, place, serial] {
    for (const auto& one : place->volumes) {
      if (one->serial != serial) continue;
      one->timer = TimerId{};
      mount(*place, *one);
      return;
    }
  });
}

void Kubelets::Impl::mount(NodeRun& node, NodeVolume& entry) {
  if (entry.users.empty() || !can_act(node)) return;
  entry.state = NodeVolume::State::kMounting;
  for (const Ref<Pod> user : entry.users) {
    PodRun* run = find_pod(user);
    if (run != nullptr && run->stage == Stage::kVolumes && !engine.is_pending(run->timer)) set_timer(*run, engine.now() + kMountTimeout);
  }
  NodeRun* place = &node;
  const std::uint64_t serial = entry.serial;
  entry.backend->mount(entry.volume, node.name, [this, place, serial](const std::string& error) {
    for (const auto& one : place->volumes) {
      if (one->serial != serial) continue;
      mounted(*place, *one, error);
      return;
    }
  });
}

void Kubelets::Impl::mounted(NodeRun& node, NodeVolume& entry, const std::string& error) {
  const std::vector<Ref<Pod>> users = entry.users;
  if (!error.empty()) {
    entry.state = NodeVolume::State::kWaiting;
    entry.retry_at = engine.now() + std::min(kBackOffFirst * (std::int64_t{1} << std::min<std::uint32_t>(entry.failures, 8)), kBackOffMax);
    ++entry.failures;
    if (std::exchange(entry.error, error) != error) {
      for (const Ref<Pod> user : users) {
        const PodRun* run = find_pod(user);
        if (run == nullptr) continue;
        record(*run, "FailedMount", fmt::format("MountVolume.MountDevice failed for volume \"{}\" : {}", api.names().text(entry.volume), error));
      }
    }
    if (users.empty()) {
      forget_volume(node, entry);
    } else {
      advance(node, entry);
    }
    return;
  }
  entry.failures = 0;
  entry.error.clear();
  entry.state = NodeVolume::State::kMounted;
  entry.is_io_possible = entry.backend->is_io_possible(entry.volume, node.name);
  if (users.empty()) {
    unmount(node, entry);
    return;
  }
  for (const Ref<Pod> user : users) {
    if (PodRun* run = find_pod(user)) check_volumes(*run);
  }
}

/// Goes on with a pod whose volumes are all there, at the next look of the one who waits.
void Kubelets::Impl::check_volumes(PodRun& run) {
  if (run.stage != Stage::kVolumes || !can_act(*run.node)) return;
  for (const RunVolume& entry : run.volumes) {
    const NodeVolume* volume = entry.volume ? find_volume_on(*run.node, entry.volume) : nullptr;
    if (volume == nullptr || volume->state != NodeVolume::State::kMounted) return;
  }
  const SimDuration since = engine.now() - run.volumes_since;
  const SimTime seen = run.volumes_since + (since + kPollPeriod - SimDuration(1)) / kPollPeriod * kPollPeriod;
  run.told_mount.clear();
  run.stage = Stage::kSandbox;
  set_timer(run, seen + slowed(*run.node, kubelet::kSandboxTime));
  update_io(run);
}

/// WaitForAttachAndMount gave up; the pod's worker begins again after its back-off. Told when there is something new to tell.
void Kubelets::Impl::mount_timed_out(PodRun& run) {
  std::vector<std::string> unmounted;
  std::vector<std::string> unattached;
  std::vector<std::string> unprocessed;
  CauseId stuck{};
  for (const RunVolume& entry : run.volumes) {
    const std::string& name = api.names().text(entry.name);
    const NodeVolume* volume = entry.volume ? find_volume_on(*run.node, entry.volume) : nullptr;
    if (volume == nullptr) {
      unmounted.push_back(name);
      unprocessed.push_back(name);
      continue;
    }
    if (volume->state == NodeVolume::State::kMounted) continue;
    unmounted.push_back(name);
    if (volume->is_attachable && volume->state == NodeVolume::State::kWaiting) unattached.push_back(name);
    if (volume->state != NodeVolume::State::kWaiting) stuck = volume->backend->io_cause(volume->volume, run.node->name);
  }
  std::sort(unmounted.begin(), unmounted.end());
  std::sort(unattached.begin(), unattached.end());
  std::sort(unprocessed.begin(), unprocessed.end());
  const std::string message =
      fmt::format("Unable to attach or mount volumes: unmounted volumes=[{}], unattached volumes=[{}], failed to process volumes=[{}]: {}",
                  fmt::join(unmounted, " "), fmt::join(unattached, " "), fmt::join(unprocessed, " "),
                  run.mount_error.empty() ? std::string("context deadline exceeded") : run.mount_error);
  RandomStream draws = stream("kubelet/mount-retry", run, run.mount_tries++);
  const SimDuration worker = draws.uniform(SimDuration(std::chrono::seconds(10)), SimDuration(std::chrono::seconds(15)));
  if (std::exchange(run.told_mount, message) == message) return;  // set again when one of its volumes moves
  const Pod* pod = api.get(run.ref);
  const CauseId before = pod != nullptr && pod->meta.cause ? pod->meta.cause : engine.cause();
  const ScopedCause because(engine, stuck ? stuck : before);
  const CauseId id = record(run, "FailedMount", message);
  log.also_caused_by(id, before);
  run.volumes_since = engine.now() + worker;
  set_timer(run, engine.now() + worker + kMountTimeout);
}

/// Claims changed: pods that wait for one look again.
void Kubelets::Impl::on_claim_event(const WatchEvent& event) {
  const PersistentVolumeClaim* claim = event.type == WatchEvent::Type::kDeleted ? nullptr : api.get(event.ref<PersistentVolumeClaim>());
  if (claim == nullptr || !claim->is_bound() || waiting_for_claims.empty()) return;
  const std::vector<Ref<Pod>> waiting = std::exchange(waiting_for_claims, {});
  for (const Ref<Pod> ref : waiting) {
    PodRun* run = find_pod(ref);
    if (run == nullptr || run->stage != Stage::kVolumes || run->mount_error.empty()) continue;
    if (run->ns == claim->meta.ns && can_act(*run->node)) begin_volumes(*run);
    else waiting_for_claims.push_back(ref);
  }
}

/// What the node's status says now: called after each post.
void Kubelets::Impl::volumes_reported(NodeRun& node) {
  for (const auto& entry : node.volumes) {
    if (!entry->is_attachable || entry->reported) continue;
    entry->reported = true;
    entry->verify_from = engine.now() + kLoopPeriod;
    advance(node, *entry);
  }
}

std::vector<Symbol> Kubelets::Impl::volumes_in_use(const NodeRun& node) const {
  std::vector<Symbol> all;
  for (const auto& entry : node.volumes) {
    if (entry->is_attachable) all.push_back(entry->volume);
  }
  std::sort(all.begin(), all.end());
  return all;
}

void Kubelets::Impl::advance_volumes(NodeRun& node) {
  std::vector<std::uint64_t> serials;
  for (const auto& entry : node.volumes) serials.push_back(entry->serial);
  for (const std::uint64_t serial : serials) {
    for (const auto& entry : node.volumes) {
      if (entry->serial != serial) continue;
      if (entry->state == NodeVolume::State::kMounted && entry->users.empty()) unmount(node, *entry);
      else advance(node, *entry);
      break;
    }
  }
}

/// A pod that ran when the simulation began: its volumes are there.
void Kubelets::Impl::adopt_volumes(PodRun& run) {
  if (storage == nullptr || !api.has_storage()) return;
  for (const PodVolume& volume : run.spec->volumes) {
    const PersistentVolume* bound = find_bound_volume(api, run.ns, run.name, volume);
    if (bound == nullptr) continue;
    NodeVolume& entry = add_volume(*run.node, bound->meta.name);
    entry.users.push_back(run.ref);
    run.volumes.push_back(RunVolume{volume.name, bound->meta.name});
    if (entry.state == NodeVolume::State::kMounted) continue;
    entry.state = NodeVolume::State::kMounted;
    entry.backend->adopt_mount(entry.volume, run.node->name);
    schedule_status(*run.node);
  }
}

/// CSINode: how many volumes of each driver the node takes.
void Kubelets::Impl::announce_limits(NodeRun& node) {
  if (storage == nullptr || !api.has_storage()) return;
  const Node* object = api.get(node.ref);
  if (object == nullptr) return;
  std::vector<Symbol> drivers;
  const auto note = [&](Symbol driver) {
    if (driver && std::find(drivers.begin(), drivers.end(), driver) == drivers.end()) drivers.push_back(driver);
  };
  api.all<StorageClass>().for_each([&](Ref<StorageClass>, const StorageClass& one) { note(one.provisioner); });
  api.all<PersistentVolume>().for_each([&](Ref<PersistentVolume>, const PersistentVolume& one) { note(one.driver); });
  std::vector<Node::VolumeLimit> limits = object->volume_limits;  // those of a CSINode that was given stay
  for (const Symbol driver : drivers) {
    if (std::any_of(limits.begin(), limits.end(), [&](const Node::VolumeLimit& limit) { return limit.driver == driver; })) continue;
    if (const std::optional<std::int64_t> count = storage->backend(driver).volumes_per_node()) limits.push_back({driver, *count});
  }
  if (limits == object->volume_limits) return;
  api.update(node.ref, Change::kVolumes, [&](Node& n) { n.volume_limits = limits; });
}

// ---- a pod ends

/// Lets go of the pod's volumes. The run waits (is_unmounting) for those that it was the last to use.
void Kubelets::Impl::release_volumes(PodRun& run) {
  if (run.volumes.empty()) return;
  NodeRun& node = *run.node;
  for (const RunVolume& held : std::exchange(run.volumes, {})) {
    NodeVolume* entry = find_volume_on(node, held.volume);
    if (entry == nullptr || std::erase(entry->users, run.ref) == 0 || !entry->users.empty()) continue;
    switch (entry->state) {
      case NodeVolume::State::kWaiting: forget_volume(node, *entry); break;
      case NodeVolume::State::kMounting: break;  // never mounted for this pod: unmounted when the call returns
      case NodeVolume::State::kMounted:
      case NodeVolume::State::kUnmounting:
        entry->leaving.push_back(run.ref);
        run.is_unmounting = true;
        if (!entry->backend->is_io_possible(entry->volume, node.name)) {
          const CauseId before = engine.cause();
          const ScopedCause because(engine, entry->backend->io_cause(entry->volume, node.name));
          const CauseId id = record(run, "UnmountHangs", fmt::format("volume \"{}\" cannot be unmounted from {}: its I/O does not return",
                                                                     api.names().text(entry->volume), api.names().text(node.name)));
          log.also_caused_by(id, before);
        }
        unmount(node, *entry);
        break;
    }
  }
}

void Kubelets::Impl::unmount(NodeRun& node, NodeVolume& entry) {
  if (entry.state != NodeVolume::State::kMounted || !can_act(node)) return;
  entry.state = NodeVolume::State::kUnmounting;
  NodeRun* place = &node;
  const std::uint64_t serial = entry.serial;
  entry.backend->unmount(entry.volume, node.name, [this, place, serial](const std::string& error) {
    for (const auto& one : place->volumes) {
      if (one->serial != serial) continue;
      unmounted(*place, *one, error);
      return;
    }
  });
}

void Kubelets::Impl::unmounted(NodeRun& node, NodeVolume& entry, const std::string& error) {
  NodeRun* place = &node;
  const std::uint64_t serial = entry.serial;
  if (!error.empty()) {
    entry.state = NodeVolume::State::kMounted;
    const SimDuration wait = std::min(kBackOffFirst * (std::int64_t{1} << std::min<std::uint32_t>(entry.failures, 8)), kBackOffMax);
    ++entry.failures;
    if (std::exchange(entry.error, error) != error) {
      log.record("FailedUnmount", node.subject, fmt::format("UnmountVolume failed for volume \"{}\" : {}", api.names().text(entry.volume), error));
    }
    entry.timer = engine.after(wait, [this, place, serial] {
      for (const auto& one : place->volumes) {
        if (one->serial == serial && one->users.empty()) {
          one->timer = TimerId{};
          unmount(*place, *one);
          return;
        }
      }
    });
    return;
  }
  const std::vector<Ref<Pod>> leaving = std::exchange(entry.leaving, {});
  if (entry.users.empty()) {
    forget_volume(node, entry);
  } else {
    entry.state = NodeVolume::State::kWaiting;  // wanted again meanwhile
    entry.verify_from = engine.now();
    advance(node, entry);
  }
  for (const Ref<Pod> ref : leaving) {
    PodRun* run = find_pod(ref);
    if (run == nullptr) continue;
    const bool still = std::any_of(node.volumes.begin(), node.volumes.end(), [&](const auto& other) {
      return std::find(other->leaving.begin(), other->leaving.end(), ref) != other->leaving.end();
    });
    if (still) continue;
    run->is_unmounting = false;
    if (run->stage == Stage::kFinished && can_act(node)) after_unmount(*run);
  }
}

/// Not held any more: out of volumesInUse with the next status.
void Kubelets::Impl::forget_volume(NodeRun& node, NodeVolume& entry) {
  engine.cancel(entry.timer);
  const auto of_volume = nodes_of_volume.find(entry.volume);
  if (of_volume != nodes_of_volume.end()) {
    std::erase(of_volume->second, &node);
    if (of_volume->second.empty()) nodes_of_volume.erase(of_volume);
  }
  const bool tells = entry.is_attachable;
  const NodeVolume* gone = &entry;
  std::erase_if(node.volumes, [gone](const auto& one) { return one.get() == gone; });
  if (tells) schedule_status(node);
}

/// The machine died, and with it every mount.
void Kubelets::Impl::lose_volumes(NodeRun& node) {
  if (node.volumes.empty()) return;
  std::vector<StorageBackend*> told;  // each system once
  while (!node.volumes.empty()) {
    StorageBackend* backend = node.volumes.back()->backend;
    forget_volume(node, *node.volumes.back());
    if (std::find(told.begin(), told.end(), backend) != told.end()) continue;
    told.push_back(backend);
    backend->forget_node(node.name);
  }
  for (const auto& run : node.pods) {
    run->volumes.clear();
    run->is_unmounting = false;
    run->is_io_blocked = false;
    for (ContainerRun& c : run->init_containers) c.is_hung = c.is_dying = false;
    for (ContainerRun& c : run->containers) c.is_hung = c.is_dying = false;
  }
}

// ---- I/O that does not return

void Kubelets::Impl::on_io(Symbol volume) {
  const auto found = nodes_of_volume.find(volume);
  if (found == nodes_of_volume.end()) return;
  const std::vector<NodeRun*> concerned = found->second;
  for (NodeRun* node : concerned) {
    NodeVolume* entry = find_volume_on(*node, volume);
    if (entry == nullptr || entry->state == NodeVolume::State::kWaiting || entry->state == NodeVolume::State::kMounting) continue;
    const bool possible = entry->backend->is_io_possible(volume, node->name);
    if (std::exchange(entry->is_io_possible, possible) == possible) continue;
    const std::vector<Ref<Pod>> users = entry->users;
    for (const Ref<Pod> user : users) {
      if (PodRun* run = find_pod(user)) update_io(*run);
    }
  }
}

bool Kubelets::Impl::is_blocked(const PodRun& run, const Container& spec) const {
  for (const RunVolume& held : run.volumes) {
    if (!held.volume || !mounts(spec, held.name)) continue;
    for (const auto& entry : run.node->volumes) {
      if (entry->volume == held.volume && !entry->is_io_possible) return true;
    }
  }
  return false;
}

void Kubelets::Impl::update_io(PodRun& run) {
  if (!hosts.is_running(run.node->host)) return;
  const NodeVolume* stuck = nullptr;
  for (const RunVolume& held : run.volumes) {
    const NodeVolume* entry = held.volume ? find_volume_on(*run.node, held.volume) : nullptr;
    if (entry != nullptr && entry->state != NodeVolume::State::kWaiting && !entry->is_io_possible && stuck == nullptr) stuck = entry;
  }
  const bool blocked = stuck != nullptr;
  CauseId id = engine.cause();
  if (blocked && !run.is_io_blocked) {
    const ScopedCause because(engine, stuck->backend->io_cause(stuck->volume, run.node->name));
    id = record(run, "VolumeIoBlocked",
                fmt::format("I/O of volume {} blocked: processes that use it hang", api.names().text(stuck->volume)));
  } else if (!blocked && run.is_io_blocked) {
    id = record(run, "VolumeIoResumed", "I/O of its volumes goes on");
  }
  run.is_io_blocked = blocked;
  const ScopedCause because(engine, id);
  std::vector<ContainerRun*> dying;
  const auto look = [&](ContainerRun& c) {
    const bool hangs = c.step == Step::kRunning && is_blocked(run, spec_of(run, c));
    if (hangs == c.is_hung) return;
    if (hangs) hang(run, c);
    else if (c.is_dying) dying.push_back(&c);
    else wake(run, c);
  };
  for (ContainerRun& c : run.init_containers) look(c);
  for (ContainerRun& c : run.containers) look(c);
  update_serving(run);
  const Ref<Pod> ref = run.ref;
  for (ContainerRun* c : dying) {
    if (find_pod(ref) != &run) return;  // the last one ended it
    c->is_hung = c->is_dying = false;
    die(run, *c, c->exit_code_next, c->exit_reason_next);
  }
}

void Kubelets::Impl::hang(PodRun& run, ContainerRun& c) {
  c.is_hung = true;
  c.hung_since = engine.now();
  if (c.is_killed && run.stage == Stage::kTerminating) {
    // It does not get to obey SIGTERM.
    c.exit_at = run.killed_at;
    c.exit_code_next = 137;
  }
  if (run.stage != Stage::kTerminating && !c.is_killed) look_ahead(run, c);
  arm(run, c);
}

/// The calls returned: what the container was about goes on, that much later.
void Kubelets::Impl::wake(PodRun& run, ContainerRun& c) {
  c.is_hung = false;
  const SimDuration lost = engine.now() - c.hung_since;
  if (!c.is_healthy && c.healthy_at != kEndOfTime) c.healthy_at += lost;
  if (!c.is_killed && c.exit_at != kEndOfTime) c.exit_at += lost;
  if (c.is_killed) {
    // It sees SIGTERM now; SIGKILL comes when it would have.
    const SimTime obeys = engine.now() + run.behaviour.stop_time;
    if (obeys < c.exit_at) {
      c.exit_at = obeys;
      c.exit_code_next = 143;
    }
    arm(run, c);
    return;
  }
  const Container& spec = spec_of(run, c);
  c.finding = Finding::kNothing;
  c.probe_at = kEndOfTime;
  if (!c.status.started || !c.is_healthy) {
    look_ahead(run, c);
  } else if (run.readiness_fails || run.liveness_fails) {
    look_ahead_failing(run, c);
  } else if (!c.status.ready && spec.readiness_probe) {
    c.finding = Finding::kReady;
    if (!run.is_unready) c.probe_at = kubelet::probe_succeeds_at(*spec.readiness_probe, c.status.started_at, c.first_tick, engine.now());
  }
  arm(run, c);
}

/// What the probes of a container that hangs find next: each waits for its time-out.
void Kubelets::Impl::look_ahead_hung(PodRun& run, ContainerRun& c) {
  const Container& spec = spec_of(run, c);
  c.finding = Finding::kNothing;
  c.probe_at = kEndOfTime;
  const auto consider = [&](const std::optional<Probe>& probe, Finding finding) {
    if (!probe) return;
    const SimTime at = kubelet::probe_times_out_at(*probe, c.status.started_at, c.first_tick, c.hung_since);
    if (at >= c.probe_at) return;
    c.probe_at = std::max(at, engine.now());
    c.finding = finding;
  };
  if (!c.status.started) {
    consider(spec.startup_probe, Finding::kKill);
    return;
  }
  if (c.status.ready) consider(spec.readiness_probe, Finding::kUnready);
  consider(spec.liveness_probe, Finding::kKill);
}

/// SIGKILL was sent to a process that cannot take it. The runtime's call times out later; the kubelet tries again and again.
void Kubelets::Impl::cannot_die(PodRun& run, ContainerRun& c, std::int32_t exit_code, Symbol reason) {
  c.exit_code_next = exit_code;
  c.exit_reason_next = reason;
  if (!std::exchange(c.is_dying, true)) {
    c.is_killed = true;
    c.exit_at = engine.now() + kStopTimeout;
    arm(run, c);
    return;
  }
  c.exit_at = kEndOfTime;
  CauseId stuck{};
  for (const auto& entry : run.node->volumes) {
    if (!entry->is_io_possible && std::find(entry->users.begin(), entry->users.end(), run.ref) != entry->users.end()) {
      stuck = entry->backend->io_cause(entry->volume, run.node->name);
    }
  }
  const CauseId before = engine.cause();
  const ScopedCause because(engine, stuck);
  const CauseId id = record(run, "FailedKillPod",
                            fmt::format("error killing pod: failed to \"KillContainer\" for \"{}\" with KillContainerError: \"rpc error: code = "
                                        "DeadlineExceeded desc = context deadline exceeded\"",
                                        api.names().text(spec_of(run, c).name)));
  log.also_caused_by(id, before);
  arm(run, c);
}

}  // namespace sim::k8s

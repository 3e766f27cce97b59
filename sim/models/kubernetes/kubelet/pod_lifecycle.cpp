/// A pod on its node: admitted, images, sandbox, init containers, containers, probes, restarts, status.
///
/// Source: reference kubernetes 3.4 - 3.8, 3.12.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::Finding;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::Stage;
using kubelet::Step;

namespace {

bool same(const ContainerStatus& a, const ContainerStatus& b) {
  return a.state == b.state && a.ready == b.ready && a.started == b.started && a.restart_count == b.restart_count && a.exit_code == b.exit_code &&
         a.reason == b.reason && a.started_at == b.started_at && a.finished_at == b.finished_at;
}

bool same(const std::vector<ContainerRun>& runs, const std::vector<ContainerStatus>& statuses) {
  if (runs.size() != statuses.size()) return false;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!same(runs[i].status, statuses[i])) return false;
  }
  return true;
}

bool is_over(const PodRun& run) { return run.stage == Stage::kTerminating || run.stage == Stage::kFinished; }

}  // namespace

const Container& Kubelets::Impl::spec_of(const PodRun& run, const ContainerRun& c) const {
  if (is_init(run, c)) return run.spec->init_containers[static_cast<std::size_t>(&c - run.init_containers.data())];
  return run.spec->containers[static_cast<std::size_t>(&c - run.containers.data())];
}

bool Kubelets::Impl::is_init(const PodRun& run, const ContainerRun& c) const {
  for (const ContainerRun& init : run.init_containers) {
    if (&init == &c) return true;
  }
  return false;
}

// ---- from the watch to the machine

void Kubelets::Impl::see(NodeRun& node, Ref<Pod> ref) {
  const Pod* pod = api.get(ref);
  PodRun* run = find_pod(ref);
  if (pod == nullptr) {
    if (run != nullptr) terminate(*run, 1);  // deleted by force
    return;
  }
  if (run == nullptr) {
    if (pod->meta.annotations.has(reasons.mirror_annotation)) {
      adopt(node, ref, *pod);
      return;
    }
    if (pod->meta.is_deleting()) {
      remove_unstarted(node, ref);
      return;
    }
    if (pod->is_terminal()) return;
    kubelet::Rejection rejection;
    if (!admit_pod(node, *pod->spec, nullptr, rejection)) {
      if (!node.writes) return;  // seen again when the API can be written
      const CauseId id = api.record(ref, rejection.reason, rejection.message);
      const ScopedCause because(engine, id);
      const Symbol reason = api.names().intern(rejection.reason);
      api.update(ref, Change::kPhase | Change::kReady, [&](Pod& p) {
        p.phase = PodPhase::kFailed;
        p.reason = reason;
        p.start_time = engine.now();
        p.ready = false;
      });
      return;
    }
    PodRun& added = add_pod(node, ref, *pod);
    publish(added);
    sync(added);
    return;
  }
  if (run->is_mirror) {
    update_serving(*run);
    return;
  }
  if (pod->meta.is_deleting()) {
    terminate(*run, pod->meta.deletion_grace_seconds);
  } else if (pod->is_terminal()) {
    if (!is_over(*run)) terminate(*run, run->spec->termination_grace_seconds);  // somebody else ended it
  } else if (!is_over(*run) && pod->meta.resource_version != run->written_version &&
             (pod->ready != ready_of(*run) || pod->phase != phase_of(*run) || !same(run->containers, pod->containers))) {
    // Somebody else wrote the status (the node lifecycle controller: Ready=False), or our write waits: the status manager's next turn mends it.
    run->is_dirty = true;
    schedule_status(node);
  }
}

PodRun& Kubelets::Impl::add_pod(NodeRun& node, Ref<Pod> ref, const Pod& pod) {
  node.pods.push_back(std::make_unique<PodRun>());
  PodRun& run = *node.pods.back();
  run.ref = ref;
  run.node = &node;
  run.spec = pod.spec;
  run.ns = pod.meta.ns;
  run.name = pod.meta.name;
  run.uid = pod.meta.uid;
  run.behaviour = resolve_behaviour(behaviours, pod, api.names());
  run.containers.resize(pod.spec->containers.size());
  run.init_containers.resize(pod.spec->init_containers.size());
  const Symbol waiting = pod.spec->init_containers.empty() ? reasons.container_creating : reasons.pod_initializing;
  for (ContainerRun& c : run.containers) c.status.reason = waiting;
  for (ContainerRun& c : run.init_containers) c.status.reason = waiting;
  run.start_time = engine.now();
  pods.emplace(key(ref), &run);
  for (const LeakRule& rule : leak_rules) {
    if ((rule.ns && rule.ns != run.ns) || !rule.selector.matches(pod.meta.labels, api.names())) continue;
    run.leak_rate += rule.bytes_per_second;
    run.leak_root = rule.cause;
  }
  for (const PendingLeak& leak : pending_leaks) {
    if (leak.pod != ref) continue;
    run.leak_rate += leak.bytes_per_second;
    run.leak_root = leak.cause;
  }
  std::erase_if(pending_leaks, [ref](const PendingLeak& leak) { return leak.pod == ref; });
  if (pod.spec->active_deadline_seconds) {
    PodRun* place = &run;
    run.deadline = engine.after(std::chrono::seconds(*pod.spec->active_deadline_seconds), [this, place] { on_deadline(*place); });
  }
  return run;
}

void Kubelets::Impl::adopt(NodeRun& node, Ref<Pod> ref, const Pod& pod) {
  PodRun& run = add_pod(node, ref, pod);
  run.is_mirror = pod.meta.annotations.has(reasons.mirror_annotation);
  run.stage = Stage::kMain;
  run.start_time = pod.start_time.value_or(engine.now());
  run.ip_serial = pod.ip_serial != 0 ? pod.ip_serial : ++ip_serial;
  const auto take = [&](std::vector<ContainerRun>& list, const std::vector<ContainerStatus>& statuses, bool init) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      ContainerRun& c = list[i];
      if (i < statuses.size()) c.status = statuses[i];
      const bool plain_init = init && !pod.spec->init_containers[i].is_sidecar;
      c.has_run = true;
      if (plain_init || (c.status.state == ContainerState::kTerminated && !run.is_mirror)) {
        c.status.state = ContainerState::kTerminated;
        if (!c.status.reason) c.status.reason = reasons.completed;
        c.step = Step::kDone;
        continue;
      }
      c.status.state = ContainerState::kRunning;
      c.status.ready = c.status.started = true;
      c.status.reason = Symbol{};
      c.step = Step::kRunning;
      c.is_healthy = true;
      if (run.behaviour.exits && !init && !run.is_mirror) {
        c.exit_at = engine.now() + run.behaviour.run_time;
        c.exit_code_next = run.behaviour.exit_code;
        c.exit_reason_next = c.exit_code_next == 0 ? reasons.completed : reasons.error;
      }
      charge(run, c);
      if (!init && !run.is_mirror) files_started(run, c);
      arm(run, c);
    }
  };
  adopt_cgroups(run);
  take(run.init_containers, pod.init_containers, true);
  take(run.containers, pod.containers, false);
  adopt_volumes(run);
  update_serving(run);
  publish(run);
}

bool Kubelets::Impl::admit_pod(const NodeRun& node, const PodSpec& spec, const PodRun* self, kubelet::Rejection& rejection) const {
  const Node* object = api.get(node.ref);
  if (object == nullptr) return true;  // the kubelet keeps its last copy of the Node; nothing new arrives for one that is gone
  std::vector<const PodSpec*> admitted;
  for (const auto& run : node.pods) {
    if (run.get() == self || run->stage == Stage::kFinished) continue;
    if (self != nullptr && run->uid > self->uid && !run->is_mirror) continue;  // after a restart pods are admitted one by one in creation order
    admitted.push_back(run->spec.get());
  }
  const bool disk_pressure = node.disk != nullptr && node.disk->pressure[NodeDisk::kDisk].is_true;
  const bool pid_pressure = node.disk != nullptr && node.disk->pressure[NodeDisk::kPid].is_true;
  const kubelet::AdmissionRequest request{*object, node.pressure, admitted, spec, disk_pressure, pid_pressure};
  std::optional<kubelet::Rejection> refused = kubelet::admit(request, api.well_known(), api.names());
  if (!refused) return true;
  rejection = std::move(*refused);
  return false;
}

/// The kubelet is gone: what only it would do next does not happen.
void Kubelets::Impl::pause(PodRun& run) {
  if (run.is_mirror) return;
  engine.cancel(std::exchange(run.timer, TimerId{}));
  engine.cancel(std::exchange(run.deadline, TimerId{}));
  if (run.stage == Stage::kSandbox || run.stage == Stage::kVolumes) run.stage = Stage::kAdmitted;
  const auto stop = [&](ContainerRun& c) {
    switch (c.step) {
      case Step::kPulling:
      case Step::kPullBackOff:
      case Step::kCreating:
      case Step::kBackOff: c.step = Step::kNew; [[fallthrough]];
      case Step::kNew:
      case Step::kExited:
      case Step::kLost:
      case Step::kDone: engine.cancel(std::exchange(c.timer, TimerId{})); break;
      case Step::kRunning: arm(run, c); break;
    }
  };
  for (ContainerRun& c : run.init_containers) stop(c);
  for (ContainerRun& c : run.containers) stop(c);
}

/// A kubelet that started finds this pod on its machine.
void Kubelets::Impl::resume(PodRun& run, bool booted) {
  if (run.is_mirror) {
    for (ContainerRun& c : run.containers) {
      if (c.step == Step::kRunning) continue;
      c.step = Step::kRunning;
      charge(run, c);
    }
    update_serving(run);
    return;
  }
  const Pod* pod = api.get(run.ref);
  const auto forget_back_offs = [](ContainerRun& c) {
    c.backoff = {};
    c.image_backoff = {};
    c.pull_failures = 0;
    c.told_of_pull = false;
  };
  for (ContainerRun& c : run.init_containers) forget_back_offs(c);
  for (ContainerRun& c : run.containers) forget_back_offs(c);
  const bool ends = pod == nullptr || pod->meta.is_deleting() || pod->is_terminal() || is_over(run);
  if (booted) {
    const auto find_dead = [&](ContainerRun& c, bool again) {
      if (c.step == Step::kLost || c.step == Step::kExited) {
        if (c.step == Step::kLost) {
          // The runtime lost sight of it: containerd reports 255 for a task that it cannot find any more.
          c.status.exit_code = 255;
          c.status.reason = reasons.error;
          c.status.finished_at = run.node->died_at;
        }
        c.status.state = ContainerState::kTerminated;
        c.status.ready = c.status.started = false;
        c.step = again || kubelet::should_restart(run.spec->restart_policy, c.status.exit_code) ? Step::kNew : Step::kDone;
      } else if (c.step != Step::kDone || again) {
        c.step = Step::kNew;
      }
      c.is_healthy = false;
      c.finding = Finding::kNothing;
      c.healthy_at = c.exit_at = c.probe_at = kEndOfTime;
    };
    const bool something_starts = run.spec->restart_policy != RestartPolicy::kNever;
    for (ContainerRun& c : run.init_containers) find_dead(c, something_starts);
    for (ContainerRun& c : run.containers) find_dead(c, false);
    if (!is_over(run)) run.stage = Stage::kAdmitted;
  }
  if (ends) {
    if (run.stage == Stage::kFinished) {
      conclude(run);
    } else if (run.stage == Stage::kTerminating && !anything_runs(run)) {
      finish(run);
    } else if (!is_over(run)) {
      terminate(run, pod != nullptr && pod->meta.is_deleting() ? pod->meta.deletion_grace_seconds : 1);
    }
    return;
  }
  kubelet::Rejection rejection;
  if (!admit_pod(*run.node, *run.spec, &run, rejection)) {
    const CauseId id = record(run, rejection.reason, rejection.message);
    const ScopedCause because(engine, id);
    end_with(run, PodPhase::kFailed, api.names().intern(rejection.reason), false, run.spec->termination_grace_seconds);
    return;
  }
  if (run.spec->active_deadline_seconds) {
    PodRun* place = &run;
    run.deadline = engine.at(run.start_time + std::chrono::seconds(*run.spec->active_deadline_seconds), [this, place] { on_deadline(*place); });
  }
  const auto look = [&](ContainerRun& c) {
    if (c.step == Step::kExited) {
      notice_exit(run, c);
    } else if (c.step == Step::kRunning) {
      // New probe workers start at once; what was Ready stays so until a probe says otherwise (1.35).
      if (c.finding == Finding::kStarted || c.finding == Finding::kReady || c.finding == Finding::kKill) {
        c.first_tick = engine.now();
        look_ahead(run, c);
      }
      arm(run, c);
    }
  };
  for (ContainerRun& c : run.init_containers) {
    if (run.stage == Stage::kFinished) break;
    look(c);
  }
  for (ContainerRun& c : run.containers) {
    if (run.stage == Stage::kFinished) break;
    look(c);
  }
  if (booted) check_completed(run);
  if (is_over(run)) return;
  publish(run);
  sync(run);
}

// ---- the worker

void Kubelets::Impl::sync(PodRun& run) {
  if (run.is_mirror || is_over(run) || !can_act(*run.node)) return;
  if (run.stage == Stage::kAdmitted) {
    if (begin_volumes(run)) return;
    run.stage = Stage::kSandbox;
    set_timer(run, engine.now() + slowed(*run.node, kubelet::kSandboxTime));
    return;
  }
  if (run.stage == Stage::kVolumes || run.stage == Stage::kSandbox) return;
  if (run.stage == Stage::kInit) {
    for (std::size_t i = 0; i < run.init_containers.size(); ++i) {
      ContainerRun& c = run.init_containers[i];
      const bool is_sidecar = run.spec->init_containers[i].is_sidecar;
      if (c.step == Step::kNew) begin(run, c);
      if (is_sidecar ? c.step == Step::kRunning && c.status.started : c.step == Step::kDone && c.status.exit_code == 0) continue;
      return;
    }
    if (may_start && !may_start(run.ref)) return;
    run.stage = Stage::kMain;
  }
  for (std::size_t i = 0; i < run.init_containers.size(); ++i) {
    ContainerRun& c = run.init_containers[i];
    if (run.spec->init_containers[i].is_sidecar && c.step == Step::kNew) begin(run, c);
  }
  for (ContainerRun& c : run.containers) {
    if (c.step == Step::kNew) begin(run, c);
    // One after the other; but a container that cannot start does not hold up the next ones.
    if (c.step == Step::kPulling || c.step == Step::kCreating) return;
  }
}

void Kubelets::Impl::set_timer(PodRun& run, SimTime when) {
  engine.cancel(run.timer);
  PodRun* place = &run;
  run.timer = engine.at(when, [this, place] { on_pod_timer(*place); });
}

void Kubelets::Impl::set_timer(PodRun& run, ContainerRun& c, SimTime when) {
  engine.cancel(c.timer);
  PodRun* place = &run;
  ContainerRun* container = &c;
  c.timer = engine.at(when, [this, place, container] { on_container_timer(*place, *container); });
}

void Kubelets::Impl::on_pod_timer(PodRun& run) {
  run.timer = TimerId{};
  if (run.node->is_stalled) {
    set_timer(run, run.node->stalled_until);
    return;
  }
  if (run.stage == Stage::kFinished) {
    conclude(run);
    return;
  }
  if (run.stage == Stage::kVolumes) {
    mount_timed_out(run);
    return;
  }
  if (run.stage != Stage::kSandbox || !has_room_to_start(run) || !make_cgroups(run)) return;
  run.ip_serial = ++ip_serial;
  run.stage = Stage::kInit;
  sync(run);
}

void Kubelets::Impl::on_deadline(PodRun& run) {
  run.deadline = TimerId{};
  if (is_over(run)) return;
  if (run.node->is_stalled) {
    PodRun* place = &run;
    run.deadline = engine.at(run.node->stalled_until, [this, place] { on_deadline(*place); });
    return;
  }
  const CauseId id = record(run, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
  const ScopedCause because(engine, id);
  end_with(run, PodPhase::kFailed, reasons.deadline_exceeded, false, run.spec->termination_grace_seconds);
}

void Kubelets::Impl::on_container_timer(PodRun& run, ContainerRun& c) {
  c.timer = TimerId{};
  if (run.node->is_stalled) {
    set_timer(run, c, run.node->stalled_until);
    return;
  }
  if (run.is_mirror) {  // restarted by the kubelet without the API's help
    c.step = Step::kRunning;
    charge(run, c);
    update_serving(run);
    return;
  }
  switch (c.step) {
    case Step::kCreating: started(run, c); return;
    case Step::kPullBackOff:
    case Step::kBackOff:
      c.step = Step::kNew;
      sync(run);
      return;
    case Step::kExited: notice_exit(run, c); return;
    case Step::kRunning: break;
    case Step::kNew:
    case Step::kPulling:
    case Step::kLost:
    case Step::kDone: return;
  }
  if (!c.is_healthy && !c.is_hung && engine.now() >= c.healthy_at) {
    c.is_healthy = true;
    update_serving(run);
  }
  if (engine.now() >= c.exit_at) {
    const ScopedCause because(engine, c.exit_cause);
    die(run, c, c.exit_code_next, c.exit_reason_next);
    return;
  }
  if (can_act(*run.node) && engine.now() >= c.probe_at) found(run, c);
  if (c.step == Step::kRunning) arm(run, c);
}

void Kubelets::Impl::arm(PodRun& run, ContainerRun& c) {
  engine.cancel(std::exchange(c.timer, TimerId{}));
  if (c.step != Step::kRunning) return;
  SimTime next = c.is_hung && !c.is_killed ? kEndOfTime : c.exit_at;
  if (!c.is_healthy && !c.is_hung) next = std::min(next, c.healthy_at);
  if (can_act(*run.node)) next = std::min(next, c.probe_at);
  if (next != kEndOfTime) set_timer(run, c, next);
}

// ---- images and start

void Kubelets::Impl::begin(PodRun& run, ContainerRun& c) {
  const Container& spec = spec_of(run, c);
  NodeRun& node = *run.node;
  if (node.images->was_running(spec.image)) {
    create(run, c);
    return;
  }
  const bool present = node.images->has(spec.image);
  if (present && spec.pull_policy != PullPolicy::kAlways) {
    create(run, c);
    return;
  }
  if (spec.pull_policy == PullPolicy::kNever) {
    // Looked at again when an image arrives on the node (on_pulled), not every ten seconds.
    c.step = Step::kPullBackOff;
    c.status.state = ContainerState::kWaiting;
    c.status.reason = reasons.err_image_never_pull;
    if (!std::exchange(c.told_of_pull, true)) {
      record(run, "ErrImageNeverPull",
             fmt::format("Container image \"{}\" is not present with pull policy of Never", api.names().text(spec.image)));
    }
    publish(run);
    return;
  }
  c.missed_image = !present;
  c.step = Step::kPulling;
  CauseId id = engine.cause();
  // Tries after a failure are the same story.
  if (image_service != nullptr && !present && !c.told_of_pull) id = record(run, "Pulling", fmt::format("Pulling image \"{}\"", api.names().text(spec.image)));
  const ScopedCause because(engine, id);
  node.images->pull(spec.image, key(run.ref));
}

void Kubelets::Impl::on_pulled(NodeRun& node, PodRun& run, Symbol image, const kubelet::PullResult& result) {
  if (!can_act(node) || is_over(run)) return;
  const auto handle = [&](ContainerRun& c) {
    if (c.step != Step::kPulling || spec_of(run, c).image != image) return;
    if (result.pulled) {
      c.pull_failures = 0;
      c.image_backoff = {};
      if (std::exchange(c.missed_image, false) || c.told_of_pull) {
        const std::string& name = api.names().text(image);
        record(run, "Pulled", result.message.empty() ? fmt::format("Successfully pulled image \"{}\" on {}", name, api.names().text(node.name))
                                                     : fmt::format("Successfully pulled image \"{}\" {}", name, result.message));
      }
      c.told_of_pull = false;
      c.pull_error.clear();
      create(run, c);
      return;
    }
    const SimDuration backoff = c.image_backoff.failed(engine.now());
    RandomStream draws = stream("kubelet/image-retry", run, (std::uint32_t{c.pull_failures} << 8) + draw_serial(run, c) % 128);
    c.step = Step::kPullBackOff;
    c.status.state = ContainerState::kWaiting;
    // The API sees ErrImagePull for an instant, then ImagePullBackOff until the next try.
    c.status.reason = c.pull_failures == 0 ? reasons.err_image_pull : reasons.image_pull_back_off;
    CauseId id = tell_of_failed_pull(node, run, c, result);
    const ScopedCause because(engine, id);
    ++c.pull_failures;
    set_timer(run, c, engine.now() + kubelet::image_retry_delay(backoff, draws));
    publish(run);
    if (c.pull_failures == 1) {
      c.status.reason = reasons.image_pull_back_off;
      publish(run);
    }
    sync(run);
  };
  for (ContainerRun& c : run.init_containers) handle(c);
  for (ContainerRun& c : run.containers) handle(c);
}

/// Once an outage, and again when the error is another one.
CauseId Kubelets::Impl::tell_of_failed_pull(NodeRun& node, PodRun& run, ContainerRun& c, const kubelet::PullResult& result) {
  const CauseId before = engine.cause();
  if (std::exchange(c.told_of_pull, true) && result.message == c.pull_error) return before;
  c.pull_error = result.message;
  const std::string& image = api.names().text(spec_of(run, c).image);
  CauseId id{};
  if (image_service != nullptr) {
    const ScopedCause because(engine, result.cause);
    id = record(run, "Failed", fmt::format("Failed to pull image \"{}\": {}", image, result.message));
    log.also_caused_by(id, before);
    if (c.pull_failures > 0) return id;
    const ScopedCause failed(engine, id);
    return record(run, "BackOff", fmt::format("Back-off pulling image \"{}\"", image));
  }
  const ScopedCause because(engine, registry_cause(node));
  const std::string_view why = registry_state(node) == kubelet::RegistryState::kRefused ? "connection refused" : "i/o timeout";
  id = record(run, "Failed",
              fmt::format("Failed to pull image \"{}\" on {}: {}: {}", image, api.names().text(node.name),
                          image_config.registry_service ? fmt::format("registry {}", api.names().text(image_config.registry_service)) : "registry", why));
  log.also_caused_by(id, before);
  return id;
}

bool Kubelets::Impl::uses_image(const NodeRun& node, Symbol image) const {
  const auto is_made_of = [&](const PodRun& run, const ContainerRun& c) {
    return c.step != Step::kNew && c.step != Step::kPulling && c.step != Step::kPullBackOff && spec_of(run, c).image == image;
  };
  for (const auto& run : node.pods) {
    for (const ContainerRun& c : run->init_containers) {
      if (is_made_of(*run, c)) return true;
    }
    for (const ContainerRun& c : run->containers) {
      if (is_made_of(*run, c)) return true;
    }
  }
  return false;
}

void Kubelets::Impl::on_image_arrived(NodeRun& node, Symbol image) {
  node.images_changed = true;
  schedule_status(node);
  if (!can_act(node)) return;
  for (const auto& other : node.pods) {
    const auto wake = [&](ContainerRun& c) {
      if (c.step == Step::kPullBackOff && spec_of(*other, c).image == image && spec_of(*other, c).pull_policy == PullPolicy::kNever) {
        c.step = Step::kNew;
        sync(*other);
      }
    };
    for (ContainerRun& c : other->init_containers) wake(c);
    for (ContainerRun& c : other->containers) wake(c);
  }
}

void Kubelets::Impl::create(PodRun& run, ContainerRun& c) {
  c.step = Step::kCreating;
  run.node->images->touch(spec_of(run, c).image);
  set_timer(run, c, engine.now() + slowed(*run.node, kubelet::kContainerCreateTime));
}

void Kubelets::Impl::started(PodRun& run, ContainerRun& c) {
  const Container& spec = spec_of(run, c);
  const bool init = is_init(run, c);
  const bool plain_init = init && !spec.is_sidecar;
  if (std::exchange(c.has_run, true)) {
    ++c.status.restart_count;
    restart_cgroup(run);
  }
  c.step = Step::kRunning;
  c.told_of_pull = false;
  c.is_healthy = c.is_killed = c.is_hung = c.is_dying = false;
  c.speed = 1.0;
  c.throttle = {};
  c.exit_at = c.healthy_at = c.probe_at = kEndOfTime;
  c.finding = Finding::kNothing;
  c.status.state = ContainerState::kRunning;
  c.status.reason = Symbol{};
  c.status.started_at = engine.now();
  c.status.exit_code = 0;
  c.status.finished_at = SimTime{};
  c.first_tick = engine.now();
  c.exit_cause = engine.cause();
  if (plain_init) {
    c.exit_at = engine.now() + kubelet::kInitRunTime;
    c.exit_code_next = 0;
    c.exit_reason_next = reasons.completed;
    c.status.started = true;
  } else {
    RandomStream draws = stream("kubelet/start-up", run, draw_serial(run, c));
    const ResolvedBehaviour& behaviour = run.behaviour;
    const SimDuration start_up =
        behaviour.start_up_sigma > 0.0 ? draws.lognormal(behaviour.start_up, behaviour.start_up_sigma) : behaviour.start_up;
    c.healthy_at = run.is_paused ? kEndOfTime : engine.now() + start_up;
    c.status.started = !spec.startup_probe;
    c.status.ready = !spec.startup_probe && !spec.readiness_probe && !run.is_unready;
    if (behaviour.exits && !init && !run.is_paused) {
      c.exit_at = engine.now() + behaviour.run_time;
      c.exit_code_next = behaviour.exit_code;
      c.exit_reason_next = behaviour.exit_code == 0 ? reasons.completed : reasons.error;
    }
    look_ahead(run, c);
  }
  charge(run, c);
  if (!init) {
    read_files(run);
    files_started(run, c);
  }
  if (run.is_io_blocked && is_blocked(run, spec)) hang(run, c);
  arm(run, c);
  if (!plain_init) update_process(run);
  publish(run);
  sync(run);
}

// ---- probes

void Kubelets::Impl::look_ahead(PodRun& run, ContainerRun& c) {
  if (c.is_hung) {
    look_ahead_hung(run, c);
    return;
  }
  using What = kubelet::ProbeResult::What;
  // A readiness fault hides the container's health from its readiness probe only.
  const kubelet::ProbeResult next = kubelet::next_probe_result(spec_of(run, c), c.status.started, c.status.started_at, c.first_tick,
                                                               (run.interference.startup_fails || run.slow.startup_fails) && !c.status.started ? kEndOfTime
                                                               : c.is_healthy                                      ? std::min(c.healthy_at, engine.now())
                                                                                                                   : c.healthy_at);
  c.probe_at = next.at;
  switch (next.what) {
    case What::kNothing: c.finding = Finding::kNothing; break;
    case What::kStarted: c.finding = Finding::kStarted; break;
    case What::kKill: c.finding = Finding::kKill; break;
    case What::kReady:
      c.finding = Finding::kReady;
      if (run.is_unready || run.readiness_fails) c.probe_at = kEndOfTime;
      break;
  }
  const std::optional<Probe>& liveness = spec_of(run, c).liveness_probe;
  if (!run.liveness_fails || !c.status.started || !liveness) return;
  const SimTime gives_up = kubelet::probe_fails_at(*liveness, c.status.started_at, c.first_tick, std::max(run.not_live_since, c.first_tick));
  if (gives_up >= c.probe_at) return;
  c.probe_at = std::max(gives_up, engine.now());
  c.finding = Finding::kKill;
}

/// What the probes of a container find next that runs well, while they look at something that does not (or did not).
void Kubelets::Impl::look_ahead_failing(PodRun& run, ContainerRun& c) {
  if (!c.status.started || !c.is_healthy) {
    look_ahead(run, c);
    return;
  }
  const Container& spec = spec_of(run, c);
  c.finding = Finding::kNothing;
  c.probe_at = kEndOfTime;
  const auto consider = [&](SimTime when, Finding finding) {
    if (when >= c.probe_at) return;
    c.probe_at = std::max(when, engine.now());
    c.finding = finding;
  };
  const bool unready = run.is_unready || run.readiness_fails;
  if (spec.readiness_probe && unready && c.status.ready) {
    consider(kubelet::probe_fails_at(*spec.readiness_probe, c.status.started_at, c.first_tick, run.unready_since), Finding::kUnready);
  } else if (spec.readiness_probe && !unready && !c.status.ready) {
    consider(kubelet::probe_succeeds_at(*spec.readiness_probe, c.status.started_at, c.first_tick, engine.now()), Finding::kReady);
  }
  if (spec.liveness_probe && run.liveness_fails) {
    consider(kubelet::probe_fails_at(*spec.liveness_probe, c.status.started_at, c.first_tick, run.not_live_since), Finding::kKill);
  }
}

void Kubelets::Impl::set_probes_fail(PodRun& run, bool readiness, bool liveness) {
  if (run.readiness_fails == readiness && run.liveness_fails == liveness) return;
  if (readiness && !run.readiness_fails && !run.is_unready) run.unready_since = engine.now();
  if (liveness && !run.liveness_fails) run.not_live_since = engine.now();
  run.readiness_fails = readiness;
  run.liveness_fails = liveness;
  if (is_over(run)) return;
  for (ContainerRun& c : run.containers) {
    if (c.step != Step::kRunning || c.is_hung || c.is_killed) continue;
    look_ahead_failing(run, c);
    arm(run, c);
  }
}

/// Its startup probes fail from now on, or no longer.
void Kubelets::Impl::look_ahead_at_startup(PodRun& run) {
  if (is_over(run)) return;
  for (ContainerRun& c : run.containers) {
    if (c.step != Step::kRunning || c.is_hung || c.is_killed || c.status.started) continue;
    look_ahead(run, c);
    arm(run, c);
  }
}

void Kubelets::Impl::set_interference(PodRun& run, const Interference& interference) {
  if (run.interference == interference) return;
  const bool startup = run.interference.startup_fails != interference.startup_fails;
  run.interference = interference;
  update_probes(run);
  if (startup) look_ahead_at_startup(run);
  update_serving(run);
}

bool Kubelets::Impl::set_image_paused(PodRun& run, bool paused) {
  if (run.is_mirror || run.spec->restart_policy != RestartPolicy::kAlways) return false;
  if (run.is_paused == paused) return true;
  run.is_paused = paused;
  if (run.stage != Stage::kMain) return true;
  for (ContainerRun& c : run.containers) {
    // Another definition has a back-off of its own.
    c.backoff = kubelet::RestartBackoff{};
    if (c.step == Step::kBackOff) set_timer(run, c, engine.now());
    if (c.step != Step::kRunning || c.is_killed) continue;
    const CauseId id = record(run, "Killing", fmt::format("Container {} definition changed, will be restarted", api.names().text(spec_of(run, c).name)));
    const ScopedCause because(engine, id);
    kill_later(run, c);
  }
  return true;
}

void Kubelets::Impl::found(PodRun& run, ContainerRun& c) {
  const Finding finding = std::exchange(c.finding, Finding::kNothing);
  c.probe_at = kEndOfTime;
  const std::string& name = api.names().text(spec_of(run, c).name);
  switch (finding) {
    case Finding::kNothing: return;
    case Finding::kStarted:
      c.status.started = true;
      c.status.ready = !spec_of(run, c).readiness_probe && !run.is_unready;
      c.first_tick = engine.now();
      look_ahead(run, c);
      publish(run);
      sync(run);  // a sidecar lets the next container start
      return;
    case Finding::kReady:
      c.status.ready = true;
      if (run.readiness_fails || run.liveness_fails) look_ahead_failing(run, c);
      publish(run);
      return;
    case Finding::kUnready: {
      const CauseId id = record(run, "Unhealthy", fmt::format("Readiness probe of container {} failed", name));
      const ScopedCause because(engine, id);
      c.status.ready = false;
      c.finding = Finding::kReady;
      if (c.is_hung) look_ahead_hung(run, c);
      else if (run.readiness_fails || run.liveness_fails) look_ahead_failing(run, c);
      publish(run);
      return;
    }
    case Finding::kKill: {
      const bool startup = !c.status.started;
      CauseId id = engine.cause();
      if (!is_old_news(c)) {
        id = record(run, "Unhealthy", fmt::format("Container {} failed {} probe, will be restarted", name, startup ? "startup" : "liveness"));
      }
      const ScopedCause because(engine, id);
      kill_later(run, c);
      return;
    }
  }
}

void Kubelets::Impl::set_unready(PodRun& run, bool unready) {
  if (run.is_unready == unready) return;
  if (unready && !run.readiness_fails) run.unready_since = engine.now();
  run.is_unready = unready;
  for (ContainerRun& c : run.containers) {
    if (c.step != Step::kRunning) continue;
    const Container& spec = spec_of(run, c);
    if (!spec.readiness_probe) {
      // Nobody asks such a container; the fault then acts like a readiness gate that turned False.
      c.status.ready = !unready && c.status.started;
      continue;
    }
    if (c.is_hung) continue;  // its probes fail anyway; looked at again when it goes on
    if (run.readiness_fails || run.liveness_fails) {
      look_ahead_failing(run, c);
      arm(run, c);
      continue;
    }
    if (unready) {
      if (c.status.ready) {
        c.finding = Finding::kUnready;
        c.probe_at = kubelet::probe_fails_at(*spec.readiness_probe, c.status.started_at, c.first_tick, engine.now());
      } else if (c.finding == Finding::kReady) {
        c.probe_at = kEndOfTime;
      }
    } else if (c.status.ready) {
      c.finding = Finding::kNothing;  // mended before the probe gave up
      c.probe_at = kEndOfTime;
    } else if (c.finding == Finding::kReady) {
      const SimTime healthy_from = c.is_healthy ? engine.now() : std::max(engine.now(), c.healthy_at);
      c.probe_at = kubelet::probe_succeeds_at(*spec.readiness_probe, c.status.started_at, c.first_tick, healthy_from);
    }
    arm(run, c);
  }
  update_serving(run);
  if (can_act(*run.node)) publish(run);
}

// ---- ends and restarts

void Kubelets::Impl::kill_later(PodRun& run, ContainerRun& c) {
  const SimDuration grace = std::max<SimDuration>(std::chrono::seconds(run.spec->termination_grace_seconds), kubelet::kShortestStop);
  // A process that hangs does not get to obey SIGTERM.
  const SimTime stops = engine.now() + (c.is_hung ? grace : std::min(run.behaviour.stop_time, grace));
  if (!c.is_dying && (stops < c.exit_at || c.is_hung)) {
    c.is_killed = true;
    c.exit_at = stops;
    c.exit_cause = engine.cause();
    c.exit_code_next = !c.is_hung && run.behaviour.stop_time <= grace ? 143 : 137;
    c.exit_reason_next = reasons.error;
  }
  c.finding = Finding::kNothing;
  c.probe_at = kEndOfTime;
  arm(run, c);
}

/// A crash loop that has reached its longest wait: every five minutes the same, which nobody wants to read again.
bool Kubelets::Impl::is_old_news(const ContainerRun& c) const { return c.backoff.wait_after(engine.now()) == kubelet::kBackOffMax; }

void Kubelets::Impl::die(PodRun& run, ContainerRun& c, std::int32_t exit_code, Symbol reason) {
  if (c.is_hung) {
    cannot_die(run, c, exit_code, reason);
    return;
  }
  uncharge(run, c);
  files_stopped(run, c);
  engine.cancel(std::exchange(c.timer, TimerId{}));
  c.step = Step::kExited;
  c.is_healthy = false;
  c.finding = Finding::kNothing;
  c.healthy_at = c.exit_at = c.probe_at = kEndOfTime;
  c.status.state = ContainerState::kTerminated;
  c.status.ready = c.status.started = false;
  c.status.exit_code = exit_code;
  c.status.reason = reason;
  c.status.finished_at = engine.now();
  CauseId id = engine.cause();
  if (exit_code != 0 && run.stage != Stage::kTerminating && !is_old_news(c)) {
    const std::string& name = api.names().text(spec_of(run, c).name);
    id = reason == reasons.oom_killed
             ? record(run, "OOMKilled", fmt::format("Container {} was killed for its use of memory (exit code {})", name, exit_code))
             : record(run, "ContainerDied", fmt::format("Container {} exited with code {}", name, exit_code));
  }
  const ScopedCause because(engine, id);
  update_serving(run);
  if (run.is_mirror) return;
  if (run.stage == Stage::kTerminating) {
    c.step = Step::kDone;
    if (!anything_runs(run)) finish(run);
    return;
  }
  if (!can_act(*run.node)) return;  // found when the kubelet is back
  RandomStream draws = stream("kubelet/relist", run, draw_serial(run, c));
  set_timer(run, c, engine.now() + draws.uniform(SimDuration{}, kubelet::kRelistPeriod));
}

void Kubelets::Impl::notice_exit(PodRun& run, ContainerRun& c) {
  const bool sidecar = spec_of(run, c).is_sidecar && is_init(run, c);
  if (!sidecar && !kubelet::should_restart(run.spec->restart_policy, c.status.exit_code)) {
    c.step = Step::kDone;
  } else if (is_init(run, c) && !sidecar && c.status.exit_code == 0) {
    c.step = Step::kDone;
  } else {
    const SimTime ended = c.status.finished_at;
    const SimTime allowed = ended + c.backoff.wait_after(ended);
    SimTime restart = engine.now();
    CauseId id = engine.cause();
    if (allowed > engine.now()) {
      RandomStream draws = stream("kubelet/worker", run, draw_serial(run, c));
      restart += kubelet::worker_delay(allowed - engine.now(), draws);
      // Once a series, not once a restart.
      if (c.backoff.wait_after(ended) == kubelet::kBackOffFirst) {
        id = record(run, "BackOff", fmt::format("Back-off restarting failed container {} in pod {}", api.names().text(spec_of(run, c).name),
                                                pod_name(run)));
      }
      c.status.state = ContainerState::kWaiting;
      c.status.reason = reasons.crash_loop;
    }
    const ScopedCause because(engine, id);
    c.backoff.restarted(ended, restart);
    c.step = Step::kBackOff;
    set_timer(run, c, restart);
    publish(run);
    return;
  }
  check_completed(run);
  if (is_over(run)) return;
  publish(run);
  sync(run);
}

/// Ends the pod when nothing in it will run any more.
void Kubelets::Impl::check_completed(PodRun& run) {
  if (is_over(run)) return;
  const PodPhase phase = phase_of(run);
  if (phase == PodPhase::kFailed || phase == PodPhase::kSucceeded) end_with(run, phase, run.reason, false, run.spec->termination_grace_seconds);
}

// ---- status

PodPhase Kubelets::Impl::phase_of(const PodRun& run) const {
  if (run.forced_phase) return *run.forced_phase;
  const auto facts = [](const std::vector<ContainerRun>& list, const std::vector<Container>& specs) {
    std::vector<kubelet::ContainerFacts> all;
    all.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const ContainerRun& c = list[i];
      const bool running = c.step == Step::kRunning;
      all.push_back({running, !running && c.has_run, c.has_run, c.status.started, c.status.exit_code, specs[i].is_sidecar});
    }
    return all;
  };
  const std::vector<kubelet::ContainerFacts> containers = facts(run.containers, run.spec->containers);
  if (run.init_containers.empty()) return kubelet::pod_phase(run.spec->restart_policy, {}, containers, run.stage == Stage::kFinished);
  return kubelet::pod_phase(run.spec->restart_policy, facts(run.init_containers, run.spec->init_containers), containers,
                            run.stage == Stage::kFinished);
}

bool Kubelets::Impl::ready_of(const PodRun& run) const {
  if (run.stage != Stage::kMain && run.stage != Stage::kTerminating) return false;
  return std::all_of(run.containers.begin(), run.containers.end(),
                     [](const ContainerRun& c) { return c.step == Step::kRunning && c.status.ready; });
}

bool Kubelets::Impl::serves(const PodRun& run) const {
  const NodeRun& node = *run.node;
  if (node.is_stalled || !hosts.is_running(node.host) || !hosts.has_network(node.host)) return false;
  if (run.is_mirror) {
    const Pod* pod = api.get(run.ref);
    return pod != nullptr && pod->ready;
  }
  if (run.is_unready || run.lacking_by != 0 || run.interference.is_unreachable || (run.stage != Stage::kMain && run.stage != Stage::kTerminating)) return false;
  return std::all_of(run.containers.begin(), run.containers.end(),
                     [](const ContainerRun& c) { return c.step == Step::kRunning && c.is_healthy && !c.is_hung; });
}

PodProcess Kubelets::Impl::process_of(const PodRun& run) const {
  PodProcess process;
  process.host = run.node->host;
  if (!hosts.is_running(run.node->host)) return process;
  const bool is_under_way = run.is_mirror || run.stage == Stage::kMain || run.stage == Stage::kTerminating;
  const auto runs = [](const ContainerRun& c) { return c.step == Step::kRunning; };
  if (!is_under_way || !std::all_of(run.containers.begin(), run.containers.end(), runs)) {
    constexpr std::int32_t kObeyedSigterm = 143;
    process.ended_cleanly = std::all_of(run.containers.begin(), run.containers.end(), [&](const ContainerRun& c) {
      return runs(c) || (c.has_run && c.step != Step::kLost && (c.status.exit_code == 0 || c.status.exit_code == kObeyedSigterm));
    });
    return process;
  }
  const auto hangs = [](const ContainerRun& c) { return c.is_hung; };
  const auto is_healthy = [&](const ContainerRun& c) { return run.is_mirror || c.is_healthy; };
  if (run.node->is_stalled) process.state = ProcessState::kFrozen;
  else if (!std::all_of(run.containers.begin(), run.containers.end(), is_healthy)) process.state = ProcessState::kStarting;
  else if (std::any_of(run.containers.begin(), run.containers.end(), hangs)) process.state = ProcessState::kHung;
  else process.state = ProcessState::kUp;
  return process;
}

void Kubelets::Impl::update_process(PodRun& run) {
  const ProcessState state = process_of(run).state;
  if (std::exchange(run.process, state) == state) return;
  const Ref<Pod> ref = run.ref;
  for (const auto& listener : process_listeners) listener(ref);
}

void Kubelets::Impl::update_serving(PodRun& run) {
  update_process(run);
  const bool serving = serves(run);
  if (serving == run.is_serving) return;
  run.is_serving = serving;
  const Ref<Pod> ref = run.ref;
  for (const auto& listener : serving_listeners) listener(ref, serving);
}

void Kubelets::Impl::publish(PodRun& run) {
  if (run.is_mirror) return;
  if (!run.node->writes || !can_act(*run.node)) {
    run.is_dirty = true;
    return;
  }
  run.is_dirty = false;
  const Pod* pod = api.get(run.ref);
  if (pod == nullptr || pod->is_terminal()) return;  // a terminal phase never reverts
  const PodPhase phase = run.stage == Stage::kTerminating ? pod->phase : phase_of(run);
  const bool ready = phase == PodPhase::kRunning && ready_of(run);
  Change changes = Change::kNone;
  if (pod->phase != phase || pod->reason != run.reason) changes = changes | Change::kPhase;
  if (pod->ready != ready || pod->ip_serial != run.ip_serial) changes = changes | Change::kReady;
  if (!pod->start_time || !same(run.containers, pod->containers) || !same(run.init_containers, pod->init_containers) ||
      pod->disruption_target != (pod->disruption_target || run.is_disrupted)) {
    changes = changes | Change::kContainers;
  }
  if (changes == Change::kNone) return;
  const auto copy = [](const std::vector<ContainerRun>& list, std::vector<ContainerStatus>& to) {
    to.resize(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) to[i] = list[i].status;
  };
  api.update(run.ref, changes, [&](Pod& p) {
    if (p.ready != ready) p.ready_since = engine.now();
    p.phase = phase;
    p.ready = ready;
    p.reason = run.reason;
    p.ip_serial = run.ip_serial;
    p.start_time = run.start_time;
    if (run.is_disrupted) {
      p.disruption_target = true;
      p.disruption_reason = api.well_known().termination_by_kubelet;
    }
    copy(run.containers, p.containers);
    copy(run.init_containers, p.init_containers);
  });
  run.written_version = pod->meta.resource_version;
}

}  // namespace sim::k8s

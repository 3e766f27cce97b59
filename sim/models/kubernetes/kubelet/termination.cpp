/// How pods end: deleted, evicted, over their deadline, rejected after a restart, completed.
///
/// Source: reference kubernetes 3.11, 4.6.

#include <algorithm>
#include <utility>

#include "sim/models/kubernetes/kubelet/kubelets_impl.hpp"

namespace sim::k8s {

using kubelet::ContainerRun;
using kubelet::Finding;
using kubelet::NodeRun;
using kubelet::PodRun;
using kubelet::Stage;
using kubelet::Step;

bool Kubelets::Impl::anything_runs(const PodRun& run) const {
  const auto runs = [](const ContainerRun& c) { return c.step == Step::kRunning; };
  return std::any_of(run.containers.begin(), run.containers.end(), runs) ||
         std::any_of(run.init_containers.begin(), run.init_containers.end(), runs);
}

void Kubelets::Impl::terminate(PodRun& run, std::int64_t grace_seconds) {
  if (run.is_mirror) {
    drop(run);  // its process is the control plane's business
    return;
  }
  if (run.stage == Stage::kFinished) {
    if (!engine.is_pending(run.timer)) conclude(run);
    return;
  }
  const SimDuration grace = std::max<SimDuration>(std::chrono::seconds(grace_seconds), kubelet::kShortestStop);
  const SimTime killed_at = engine.now() + grace;
  const bool first = run.stage != Stage::kTerminating;
  if (!first && killed_at >= run.killed_at) return;  // the period can only shrink
  run.killed_at = killed_at;
  if (first) {
    run.stage = Stage::kTerminating;
    engine.cancel(std::exchange(run.timer, TimerId{}));
    engine.cancel(std::exchange(run.deadline, TimerId{}));
    run.node->images->forget(key(run.ref));
  }
  const SimTime stops = engine.now() + run.behaviour.stop_time;
  const auto stop = [&](ContainerRun& c) {
    if (c.step != Step::kRunning) {
      engine.cancel(std::exchange(c.timer, TimerId{}));
      c.step = Step::kDone;
      return;
    }
    c.finding = Finding::kNothing;
    c.probe_at = kEndOfTime;
    // SIGTERM was sent the first time; a process that hangs does not get to obey it.
    const SimTime end = first && !c.is_hung ? std::min(stops, killed_at) : killed_at;
    if (!c.is_dying && (end < c.exit_at || c.is_hung)) {
      c.is_killed = true;
      c.exit_at = end;
      c.exit_cause = engine.cause();
      c.exit_code_next = first && !c.is_hung && stops <= killed_at ? 143 : 137;
      c.exit_reason_next = reasons.error;
    }
    arm(run, c);
  };
  for (ContainerRun& c : run.init_containers) stop(c);
  for (ContainerRun& c : run.containers) stop(c);
  if (!anything_runs(run)) finish(run);
}

void Kubelets::Impl::end_with(PodRun& run, PodPhase phase, Symbol reason, bool disrupted, std::int64_t grace_seconds) {
  run.forced_phase = phase;
  run.reason = reason;
  run.is_disrupted = disrupted;
  terminate(run, grace_seconds);
}

void Kubelets::Impl::finish(PodRun& run) {
  run.stage = Stage::kFinished;
  const auto close = [&](ContainerRun& c) {
    c.status.ready = c.status.started = false;
    if (c.status.state == ContainerState::kTerminated) return;
    c.status.state = ContainerState::kTerminated;
    if (!c.has_run) {
      c.status.exit_code = 137;
      c.status.reason = reasons.status_unknown;
    } else if (c.status.reason == reasons.crash_loop) {
      c.status.reason = reasons.error;  // the instance that ended; its exit code is still there
    }
  };
  for (ContainerRun& c : run.init_containers) close(c);
  for (ContainerRun& c : run.containers) close(c);
  update_serving(run);
  remove_cgroups(run);
  files_of_pod_ended(run);
  NodeRun& node = *run.node;
  if (node.evicting == &run) pod_cleaned_up(node);
  publish(run);
  release_volumes(run);
  if (!run.is_unmounting) after_unmount(run);
}

/// Nothing runs and nothing is mounted any more.
void Kubelets::Impl::after_unmount(PodRun& run) {
  NodeRun& node = *run.node;
  const Pod* pod = api.get(run.ref);
  if (pod != nullptr && pod->meta.is_deleting()) {
    if (can_act(node)) set_timer(run, engine.now() + kubelet::kCleanUpTime);
    return;
  }
  conclude(run);
}

/// Reports the end, and forgets the pod when the report went through.
void Kubelets::Impl::conclude(PodRun& run) {
  if (run.is_unmounting) return;
  const Pod* pod = api.get(run.ref);
  if (pod == nullptr) {
    drop(run);
    return;
  }
  publish(run);
  if (run.is_dirty) return;
  if (pod->meta.is_deleting()) {
    DeleteOptions now;
    now.grace_period_seconds = 0;
    now.uid = run.uid;
    api.remove(run.ref, now);
  }
  drop(run);
}

void Kubelets::Impl::remove_unstarted(NodeRun& node, Ref<Pod> ref) {
  if (!node.writes) return;  // seen again when the API can be written
  const Pod* pod = api.get(ref);
  if (pod == nullptr) return;
  DeleteOptions now;
  now.grace_period_seconds = 0;
  now.uid = pod->meta.uid;
  if (!pod->is_terminal()) {
    api.update(ref, Change::kPhase, [](Pod& p) { p.phase = PodPhase::kFailed; });
  }
  api.remove(ref, now);
}

void Kubelets::Impl::drop(PodRun& run) {
  const auto close = [&](ContainerRun& c) {
    engine.cancel(std::exchange(c.timer, TimerId{}));
    uncharge(run, c);
    if (c.has_run) run.node->images->touch(spec_of(run, c).image);
    c.step = Step::kDone;
  };
  for (ContainerRun& c : run.init_containers) close(c);
  for (ContainerRun& c : run.containers) close(c);
  engine.cancel(std::exchange(run.timer, TimerId{}));
  engine.cancel(std::exchange(run.deadline, TimerId{}));
  run.stage = Stage::kFinished;
  remove_cgroups(run);
  files_of_pod_dropped(run);
  release_volumes(run);
  update_process(run);
  if (run.is_serving) {
    run.is_serving = false;
    for (const auto& listener : serving_listeners) listener(run.ref, false);
  }
  pods.erase(key(run.ref));
  std::vector<std::unique_ptr<PodRun>>& held = run.node->pods;
  const auto place = std::find_if(held.begin(), held.end(), [&](const std::unique_ptr<PodRun>& one) { return one.get() == &run; });
  if (place == held.end()) return;
  // The story that led here may still look at the pod: it goes when that event is over.
  if (dropped.empty()) {
    engine.after(SimDuration{}, [this] { dropped.clear(); });
  }
  dropped.push_back(std::move(*place));
  held.erase(place);
}

}  // namespace sim::k8s

// The mirror pods of the control plane's static pods, and their statuses.
#include <fmt/format.h>

#include "sim/models/kubernetes/control_plane/control_plane.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

// kubeadm's manifests (cmd/kubeadm/app/phases/controlplane/manifests.go, phases/etcd/local.go).
struct Manifest {
  const char* image;
  std::int64_t cpu_milli;
  std::int64_t memory;
};
constexpr Manifest kManifests[kComponentCount] = {
    {"registry.k8s.io/etcd:3.6.8-0", 100, 100ll << 20},
    {"registry.k8s.io/kube-apiserver:v1.36.3", 250, 0},
    {"registry.k8s.io/kube-scheduler:v1.36.3", 100, 0},
    {"registry.k8s.io/kube-controller-manager:v1.36.3", 200, 0},
};
constexpr std::int32_t kSystemNodeCritical = 2'000'001'000;
// Only after this long without a heartbeat has the node lifecycle controller touched the pods' conditions.
constexpr SimDuration kNoticedAfter = 40s;
// Until a kubelet that was cut off sees its pods again and corrects them (reference kubernetes 7.3).
constexpr SimDuration kCorrectsMin = 5s;
constexpr SimDuration kCorrectsMax = 40s;

}  // namespace

std::string ControlPlane::pod_name(Component component, std::size_t member) const {
  return fmt::format("{}-{}", to_string(component), host_name(member));
}

Symbol ControlPlane::pod_subject(Component component, std::size_t member) {
  return api_.subject(Kind::kPod, api_.well_known().kube_system, api_.names().intern(pod_name(component, member)));
}

void ControlPlane::create_mirror_pod(Component component, std::size_t member) {
  Interner& names = api_.names();
  const Symbol node_name = names.intern(host_name(member));
  const Ref<Node> node = api_.find<Node>(Symbol{}, node_name);
  // Without its Node object nobody could see where the pod is.
  if (!node) return;
  const Manifest& manifest = kManifests[static_cast<std::size_t>(component)];
  Process& p = process(component, member);

  auto spec = std::make_shared<PodSpec>();
  Container container;
  container.name = names.intern(to_string(component));
  container.image = names.intern(manifest.image);
  container.requests.cpu_milli = manifest.cpu_milli;
  container.requests.memory = manifest.memory;
  container.limits.cpu_milli = config_.cpu_limits.of(component);
  container.has_cpu_request = true;
  container.has_memory_request = manifest.memory > 0;
  spec->containers.push_back(container);
  spec->node_name = node_name;
  spec->priority = kSystemNodeCritical;
  spec->has_priority = true;
  spec->priority_class_name = names.intern("system-node-critical");
  spec->host_network = true;
  spec->scheduler_name = api_.well_known().default_scheduler;
  Toleration everything;
  everything.exists = true;
  everything.effect = TaintEffect::kNoExecute;
  spec->tolerations.push_back(everything);
  finish_pod_spec(*spec);

  Pod pod;
  pod.meta.ns = api_.well_known().kube_system;
  pod.meta.name = names.intern(pod_name(component, member));
  pod.meta.labels.set(names.intern("component"), container.name);
  pod.meta.labels.set(names.intern("tier"), names.intern("control-plane"));
  pod.meta.annotations.set(names.intern("kubernetes.io/config.source"), names.intern("file"));
  pod.meta.annotations.set(names.intern("kubernetes.io/config.mirror"), names.intern(pod_name(component, member)));
  pod.meta.owners.push_back({ApiServer::untyped(node), api_.get(node)->meta.uid, true});
  pod.meta.cause = p.cause;
  pod.spec = std::move(spec);
  pod.node = node;
  pod.node_name = node_name;
  pod.phase = PodPhase::kRunning;
  pod.start_time = engine_.now();
  pod.scheduled_at = engine_.now();
  pod.ip_serial = 1;
  pod.containers.resize(1);
  const bool runs = p.state == ProcessState::kRunning;
  pod.ready = runs;
  if (runs) pod.ready_since = engine_.now();
  pod.containers[0].state = runs ? ContainerState::kRunning : ContainerState::kWaiting;
  pod.containers[0].ready = pod.containers[0].started = runs;
  pod.containers[0].restart_count = p.restarts;
  p.pod = api_.create(std::move(pod));
}

void ControlPlane::mark_status(std::size_t member) {
  for (Process& process : members_[member].processes) process.status_pending = true;
}

void ControlPlane::write_statuses() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    const bool reports = host_works(i) && member.booted && member.kubelet_running && writable_from(member.host);
    if (reports != member.reports) {
      member.reports = reports;
      if (!reports) {
        member.silent_since = engine_.now();
        member.report.cancel();
      } else if (engine_.now() - member.silent_since >= kNoticedAfter) {
        const SimDuration later =
            random_.stream("control-plane/status", fmt::format("{}@{}", host_name(i), engine_.now().time_since_epoch().count())).uniform(kCorrectsMin, kCorrectsMax);
        member.report.set_after(later, [this, i] {
          mark_status(i);
          write_statuses();
        });
      }
    }
    if (!reports) continue;
    for (std::size_t c = 0; c < kComponentCount; ++c) {
      if (member.processes[c].status_pending) write_status(static_cast<Component>(c), i);
    }
  }
}

void ControlPlane::write_status(Component component, std::size_t member) {
  Process& p = process(component, member);
  p.status_pending = false;
  const Pod* pod = api_.get(p.pod);
  if (p.stopped && p.state == ProcessState::kDead) {
    // No manifest, no mirror.
    DeleteOptions at_once;
    at_once.grace_period_seconds = 0;
    if (pod != nullptr) api_.remove(p.pod, at_once);
    return;
  }
  if (pod == nullptr) {
    // The kubelet makes a deleted mirror anew.
    const Ref<Pod> other = api_.find<Pod>(api_.well_known().kube_system, api_.names().intern(pod_name(component, member)));
    if (!other) create_mirror_pod(component, member);
    return;
  }
  ContainerStatus now = pod->containers[0];
  const bool runs = p.state == ProcessState::kRunning;
  const bool waits = p.state == ProcessState::kDead && p.backoff.wait_after(p.ended) > SimDuration{};
  now.state = p.state != ProcessState::kDead ? ContainerState::kRunning : waits ? ContainerState::kWaiting : ContainerState::kTerminated;
  now.ready = now.started = runs;
  now.restart_count = p.restarts;
  if (p.state == ProcessState::kDead) {
    now.exit_code = 137;
    now.reason = api_.names().intern(waits ? "CrashLoopBackOff" : "Error");
    now.finished_at = p.ended;
  } else {
    now.exit_code = 0;
    now.reason = Symbol{};
    now.started_at = p.started;
  }
  const bool ready_changes = pod->ready != runs;
  const ContainerStatus& was = pod->containers[0];
  const bool container_changes = was.state != now.state || was.ready != now.ready || was.restart_count != now.restart_count;
  if (!ready_changes && !container_changes) return;
  api_.update(p.pod, (ready_changes ? Change::kReady : Change::kNone) | (container_changes ? Change::kContainers : Change::kNone), [&](Pod& changed) {
    changed.containers[0] = now;
    if (ready_changes) {
      changed.ready = runs;
      changed.ready_since = engine_.now();
    }
    if (p.cause) changed.meta.cause = p.cause;
  });
}

}  // namespace sim::k8s

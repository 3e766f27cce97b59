#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using PodCodec = Codec<Pod>;

namespace {

Json ended_state(const ContainerStatus& c, const RenderContext& context, const std::string& reason) {
  Json ended = Json::object({{"exitCode", std::int64_t{c.exit_code}}, {"startedAt", context.time(c.started_at)}, {"finishedAt", context.time(c.finished_at)}});
  ended.set("reason", reason.empty() ? (c.exit_code == 0 ? "Completed" : "Error") : reason);
  return ended;
}

Json container_status(const Container& container, const ContainerStatus& c, const Pod& pod, std::size_t index, const RenderContext& context) {
  const std::string& image = context.text(container.image);
  Json result = Json::object({{"name", context.text(container.name)}, {"image", image}, {"imageID", ""}, {"ready", c.ready}, {"started", c.started}, {"restartCount", std::int64_t{c.restart_count}}});
  if (c.state != ContainerState::kWaiting || c.restart_count > 0) {
    result.set("imageID", "docker.io/" + image);
    result.set("containerID", fmt::format("containerd://{:016x}{:08x}{:08x}", pod.meta.uid * 0x9e3779b97f4a7c15ull, index, c.restart_count));
  }
  const std::string& reason = context.text(c.reason);
  Json state = Json::object();
  switch (c.state) {
    case ContainerState::kWaiting: {
      Json waiting = Json::object({{"reason", reason.empty() ? "ContainerCreating" : reason}});
      state.set("waiting", std::move(waiting));
      break;
    }
    case ContainerState::kRunning: state.set("running", Json::object({{"startedAt", context.time(c.started_at)}})); break;
    case ContainerState::kTerminated: state.set("terminated", ended_state(c, context, reason)); break;
  }
  result.set("state", std::move(state));
  Json last = Json::object();
  const bool ran_before = c.finished_at != SimTime{} && c.state != ContainerState::kTerminated;
  if (ran_before && (c.restart_count > 0 || c.state == ContainerState::kWaiting)) last.set("terminated", ended_state(c, context, {}));
  result.set("lastState", std::move(last));
  return result;
}

}  // namespace

void PodCodec::render(const Pod& pod, Json& document, RenderContext& context) {
  if (document.at("spec").at("containers").is_null()) document.set("spec", context.pod_spec(pod.spec));
  Json& spec = document["spec"];
  if (pod.node_name) spec.set("nodeName", context.text(pod.node_name));
  if (const OwnerReference* owner = pod.meta.controller(); owner != nullptr && owner->owner.kind == Kind::kJob) {
    // What the Job's template was given when it was stored, and the name that a pod of an index has in its network.
    Json& labels = document["metadata"]["labels"];
    const std::string uid = context.store.uid_text(owner->uid);
    labels.set("batch.kubernetes.io/controller-uid", uid);
    labels.set("controller-uid", uid);
    const Job* job = context.world.api.get(Ref<Job>{owner->owner.slot, owner->owner.generation});
    if (const std::optional<Symbol> index = pod.meta.labels.find(context.world.api.well_known().job_completion_index); index && job != nullptr) {
      document["spec"].set_default("hostname", fmt::format("{}-{}", context.text(job->meta.name), context.text(*index)));
    }
  }
  if (pod.spec->has_priority) spec.set("priority", std::int64_t{pod.spec->priority});
  spec.set_default("serviceAccountName", "default");
  spec.set_default("serviceAccount", "default");
  spec.set_default("enableServiceLinks", true);
  spec.set_default("preemptionPolicy", pod.spec->preempts ? "PreemptLowerPriority" : "Never");
  Json& status = document["status"];
  const std::string now = context.time(context.world.engine.now());
  status.set("phase", to_string(pod.phase));
  const std::string qos = to_string(pod.spec->qos);
  status.set("qosClass", qos);
  if (pod.reason) status.set("reason", context.text(pod.reason));
  if (pod.nominated_node) {
    status.set("nominatedNodeName", context.text(pod.nominated_node));
  } else {
    status.erase("nominatedNodeName");
  }
  if (pod.node_name) {
    set_condition(status, "PodScheduled", "True", "", "", now);
  } else if (pod.unschedulable && find_condition(document, "PodScheduled") == nullptr) {
    const std::string why = context.world.scheduler.last_failure(context.world.api.find<Pod>(pod.meta.ns, pod.meta.name));
    set_condition(status, "PodScheduled", "False", "Unschedulable", why, now);
  }
  if (pod.disruption_target && find_condition(document, "DisruptionTarget") == nullptr) {
    set_condition(status, "DisruptionTarget", "True", context.text(pod.disruption_reason), "", now);
  }
  if (pod.start_time) {
    status.set("startTime", context.time(*pod.start_time));
    const Node* node = context.world.api.get(pod.node);
    if (node != nullptr) {
      status.set("hostIP", node_address(node->meta.uid));
      status.set("hostIPs", Json::array({Json::object({{"ip", node_address(node->meta.uid)}})}));
    }
    const bool inits_done = std::all_of(pod.init_containers.begin(), pod.init_containers.end(), [](const ContainerStatus& c) {
      return c.state == ContainerState::kTerminated ? c.exit_code == 0 : c.started;
    });
    const bool complete = pod.phase == PodPhase::kSucceeded;
    set_condition(status, "Initialized", inits_done || pod.phase == PodPhase::kRunning || complete ? "True" : "False", complete ? "PodCompleted" : inits_done ? "" : "ContainersNotInitialized", "", now);
    const std::string_view why = pod.ready ? "" : complete ? "PodCompleted" : pod.phase == PodPhase::kFailed ? "PodFailed" : "ContainersNotReady";
    std::string unready;
    for (std::size_t i = 0; i < pod.containers.size() && i < pod.spec->containers.size(); ++i) {
      if (!pod.containers[i].ready) unready += (unready.empty() ? "" : " ") + context.text(pod.spec->containers[i].name);
    }
    const std::string message = pod.ready || complete || unready.empty() ? std::string() : fmt::format("containers with unready status: [{}]", unready);
    set_condition(status, "ContainersReady", pod.ready ? "True" : "False", why, message, now);
    set_condition(status, "Ready", pod.ready ? "True" : "False", why, message, now);
  } else if (const Json* ready = find_condition(document, "Ready"); ready != nullptr && !pod.ready && ready->at("status").text() == "True") {
    set_condition(status, "Ready", "False", "NodeNotReady", "", now);
  }
  if (pod.ip_serial != 0) {
    const Node* node = context.world.api.get(pod.node);
    const std::string ip = pod.spec->host_network && node != nullptr ? node_address(node->meta.uid) : pod_address(pod.ip_serial);
    status.set("podIP", ip);
    status.set("podIPs", Json::array({Json::object({{"ip", ip}})}));
  }
  const auto statuses = [&](std::string_view key, const std::vector<Container>& containers, const std::vector<ContainerStatus>& list) {
    if (list.empty()) return;
    Json all = Json::array();
    for (std::size_t i = 0; i < list.size() && i < containers.size(); ++i) all.push_back(container_status(containers[i], list[i], pod, i, context));
    status.set(key, std::move(all));
  };
  statuses("initContainerStatuses", pod.spec->init_containers, pod.init_containers);
  statuses("containerStatuses", pod.spec->containers, pod.containers);
}

Change PodCodec::apply_spec(Pod& to, Pod& from, const Json&, RenderContext&) {
  // Scheduling gates may go, tolerations come, images change; the node stays what binding made it.
  auto spec = std::make_shared<PodSpec>(*from.spec);
  spec->priority = to.spec->priority;
  spec->has_priority = to.spec->has_priority;
  spec->preempts = to.spec->preempts;
  spec->node_name = to.spec->node_name;
  spec->source = nullptr;
  finish_pod_spec(*spec);
  to.spec = std::move(spec);
  return Change::kSpec;
}

Change PodCodec::apply_status(Pod& to, const Json& before, const Json& document, RenderContext& context) {
  Change changes = Change::kNone;
  const auto changed = [&](std::string_view type) {
    const Json* old = find_condition(before, type);
    const Json* now = find_condition(document, type);
    return now != nullptr && (old == nullptr || !(old->at("status") == now->at("status")) || !(old->at("reason") == now->at("reason")));
  };
  if (changed("Ready")) {
    const bool ready = find_condition(document, "Ready")->at("status").text() == "True";
    if (ready != to.ready) {
      to.ready = ready;
      to.ready_since = context.world.engine.now();
      changes = changes | Change::kReady;
    }
  }
  if (changed("DisruptionTarget")) {
    const Json& condition = *find_condition(document, "DisruptionTarget");
    to.disruption_target = condition.at("status").text() == "True";
    to.disruption_reason = context.world.names.intern(condition.at("reason").text());
    changes = changes | Change::kContainers;
  }
  if (changed("PodScheduled") && !to.node_name) {
    to.unschedulable = find_condition(document, "PodScheduled")->at("status").text() == "False";
    changes = changes | Change::kScheduling;
  }
  const std::string& nominated = document.at({"status", "nominatedNodeName"}).text();
  if (nominated != context.text(to.nominated_node)) {
    to.nominated_node = context.world.names.intern(nominated);
    changes = changes | Change::kScheduling;
  }
  const std::string& phase = document.at({"status", "phase"}).text();
  if (phase != to_string(to.phase) && !phase.empty()) {
    to.phase = phase == "Running" ? PodPhase::kRunning : phase == "Succeeded" ? PodPhase::kSucceeded : phase == "Failed" ? PodPhase::kFailed : PodPhase::kPending;
    changes = changes | Change::kPhase;
  }
  const std::string& reason = document.at({"status", "reason"}).text();
  if (reason != context.text(to.reason)) to.reason = context.world.names.intern(reason);
  return changes;
}

void PodCodec::created(Pod& pod, Json& document, RenderContext& context, std::string& refused) {
  auto spec = std::make_shared<PodSpec>(*pod.spec);
  if (const std::optional<std::string> why = admit_pod(*spec, priority_classes(context.world.api), context.world.names, context.world.api.well_known())) {
    refused = *why;
    return;
  }
  finish_pod_spec(*spec);
  spec->source = nullptr;
  Json& json = document["spec"];
  json.set("priority", std::int64_t{spec->priority});
  if (spec->priority_class_name) json.set("priorityClassName", context.text(spec->priority_class_name));
  if (!spec->preempts) json.set("preemptionPolicy", "Never");
  pod.spec = std::move(spec);
  // Whatever a client says of its state, a pod begins as Pending.
  pod.phase = PodPhase::kPending;
  pod.ready = false;
  pod.containers.clear();
  pod.init_containers.clear();
  if (pod.node_name) {
    pod.node = context.world.api.find<Node>(Symbol{}, pod.node_name);
    pod.scheduled_at = context.world.engine.now();
  }
}

}  // namespace sim::loop

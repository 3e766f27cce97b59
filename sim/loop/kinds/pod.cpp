#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/loop/kinds/rules.hpp"
#include "sim/loop/store/store.hpp"
#include "sim/models/kubernetes/api/resources.hpp"

namespace sim::loop {

namespace {

std::string amount_text(const Json& value) { return value.is_string() ? value.text() : value.dump(); }

/// Source: pkg/apis/core/v1/helper/qos/qos.go.
std::string qos_class(const Json& spec) {
  bool any = false;
  bool guaranteed = true;
  for (const std::string_view list : {"initContainers", "containers"}) {
    for (const Json& container : spec.at(list).items()) {
      for (const std::string_view resource : {"cpu", "memory"}) {
        const Json& request = container.at({"resources", "requests", resource});
        const Json& limit = container.at({"resources", "limits", resource});
        const std::int64_t wanted = k8s::parse_quantity_milli(amount_text(request)).value_or(0);
        const std::int64_t most = k8s::parse_quantity_milli(amount_text(limit)).value_or(0);
        any = any || wanted > 0 || most > 0;
        if (most == 0 || wanted != most) guaranteed = false;
      }
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void defaults(Json& pod) {
  Json& spec = pod["spec"];
  default_pod_spec(spec);
  spec.set_default("enableServiceLinks", true);
}

void add_toleration(Json& spec, std::string_view key) {
  for (const Json& toleration : spec.at("tolerations").items()) {
    const std::string& effect = toleration.at("effect").text();
    const std::string& own = toleration.at("key").text();
    if ((own == key || own.empty()) && (effect == "NoExecute" || effect.empty())) return;
  }
  spec["tolerations"].push_back(Json::object({{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}}));
}

void prepare(Json& pod, const Json* before) {
  if (before != nullptr) {
    pod.set("status", before->at("status"));
    return;
  }
  Json status = Json::object({{"phase", "Pending"}});
  pod["status"];  // a new member moves the others: before the reference
  Json& spec = pod["spec"];
  if (!spec.at("schedulingGates").is_empty()) {
    Json condition = Json::object({{"type", "PodScheduled"}, {"status", "False"}, {"reason", "SchedulingGated"}, {"message", "Scheduling is blocked due to non-empty scheduling gates"}});
    status["conditions"].push_back(std::move(condition));
  }
  status.set("qosClass", qos_class(spec));
  pod.set("status", std::move(status));
  add_toleration(spec, "node.kubernetes.io/not-ready");
  add_toleration(spec, "node.kubernetes.io/unreachable");
  spec.set_default("preemptionPolicy", "PreemptLowerPriority");
  spec.set_default("serviceAccountName", "default");
  spec.set_default("serviceAccount", spec.at("serviceAccountName"));
}

void validate(const Json& pod, const Json* before, FieldErrors& errors) {
  if (before == nullptr) {
    validate_pod_spec(pod.at("spec"), "spec", errors);
    return;
  }
  // What may change: images, activeDeadlineSeconds, more tolerations, fewer gates, the grace period of a pod.
  Json allowed = before->at("spec");
  const Json& spec = pod.at("spec");
  for (const std::string_view list : {"initContainers", "containers"}) {
    Json* containers = allowed.find(list);
    if (containers == nullptr) continue;
    const Json::Array& fresh = spec.at(list).items();
    for (std::size_t i = 0; i < containers->size() && i < fresh.size(); ++i) {
      if (const Json* image = fresh[i].find("image")) containers->items()[i].set("image", *image);
    }
  }
  for (const std::string_view field : {"activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds"}) {
    if (const Json* value = spec.find(field)) {
      allowed.set(field, *value);
    } else {
      allowed.erase(field);
    }
  }
  // Before it is scheduled a gated pod may be narrowed.
  if (!before->at({"spec", "schedulingGates"}).is_empty()) {
    for (const std::string_view field : {"nodeSelector", "affinity"}) {
      if (const Json* value = spec.find(field)) allowed.set(field, *value);
    }
  }
  if (!(allowed == spec)) {
    errors.forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
                             "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
  }
}

bool is_sidecar(const Json& container) { return container.at("restartPolicy").text() == "Always"; }

const Json* status_of(const Json& pod, std::string_view list, const std::string& name) {
  for (const Json& status : pod.at({"status", list}).items()) {
    if (status.at("name").text() == name) return &status;
  }
  return nullptr;
}

bool has_ready_condition(const Json& pod) {
  for (const Json& condition : pod.at({"status", "conditions"}).items()) {
    if (condition.at("type").text() == "Ready") return condition.at("status").text() == "True";
  }
  return false;
}

std::string ended(const Json& terminated, std::string_view prefix) {
  if (!terminated.at("reason").text().empty()) return fmt::format("{}{}", prefix, terminated.at("reason").text());
  if (terminated.at("signal").as_integer() != 0) return fmt::format("{}Signal:{}", prefix, terminated.at("signal").as_integer());
  return fmt::format("{}ExitCode:{}", prefix, terminated.at("exitCode").as_integer());
}

std::vector<Json> row(const Json& pod, Now now) {
  const Json& spec = pod.at("spec");
  const Json& status = pod.at("status");
  std::size_t total = spec.at("containers").size();
  std::size_t ready = 0;
  std::int64_t restarts = 0;
  std::int64_t sidecar_restarts = 0;
  std::optional<std::int64_t> last_restart;
  std::string reason = status.at("phase").text();
  if (!status.at("reason").text().empty()) reason = status.at("reason").text();
  for (const Json& condition : status.at("conditions").items()) {
    if (condition.at("type").text() == "PodScheduled" && condition.at("reason").text() == "SchedulingGated") reason = "SchedulingGated";
  }
  const auto note_restart = [&](const Json& container) {
    const std::optional<std::int64_t> when = parse_rfc3339(container.at({"lastState", "terminated", "finishedAt"}).text());
    if (when && (!last_restart || *when > *last_restart)) last_restart = when;
  };
  bool initializing = false;
  const Json::Array& inits = spec.at("initContainers").items();
  for (const Json& container : inits) total += is_sidecar(container) ? 1 : 0;
  for (std::size_t i = 0; i < inits.size(); ++i) {
    const Json* container = status_of(pod, "initContainerStatuses", inits[i].at("name").text());
    if (container == nullptr) continue;
    restarts += container->at("restartCount").as_integer();
    note_restart(*container);
    if (is_sidecar(inits[i])) sidecar_restarts += container->at("restartCount").as_integer();
    const Json& terminated = container->at({"state", "terminated"});
    const std::string& waiting = container->at({"state", "waiting", "reason"}).text();
    if (!terminated.is_null() && terminated.at("exitCode").as_integer() == 0) continue;
    if (is_sidecar(inits[i]) && container->at("started").as_bool()) {
      ready += container->at("ready").as_bool() ? 1 : 0;
      continue;
    }
    if (initializing) continue;
    if (!terminated.is_null()) {
      reason = ended(terminated, "Init:");
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      reason = "Init:" + waiting;
    } else {
      reason = fmt::format("Init:{}/{}", i, inits.size());
    }
    initializing = true;
  }
  if (!initializing) {
    restarts = sidecar_restarts;
    bool has_running = false;
    const Json::Array& containers = spec.at("containers").items();
    for (std::size_t i = containers.size(); i-- > 0;) {
      const Json* container = status_of(pod, "containerStatuses", containers[i].at("name").text());
      if (container == nullptr) continue;
      restarts += container->at("restartCount").as_integer();
      note_restart(*container);
      const std::string& waiting = container->at({"state", "waiting", "reason"}).text();
      const Json& terminated = container->at({"state", "terminated"});
      if (!waiting.empty()) {
        reason = waiting;
      } else if (!terminated.is_null()) {
        reason = ended(terminated, "");
      } else if (container->at("ready").as_bool() && !container->at({"state", "running"}).is_null()) {
        has_running = true;
        ++ready;
      }
    }
    if (reason == "Completed" && has_running) reason = has_ready_condition(pod) ? "Running" : "NotReady";
  }
  if (!pod.at({"metadata", "deletionTimestamp"}).is_null()) {
    const std::string& phase = status.at("phase").text();
    if (status.at("reason").text() == "NodeLost") {
      reason = "Unknown";
    } else if (phase != "Failed" && phase != "Succeeded") {
      reason = "Terminating";
    }
  }
  std::string restart_text = fmt::format("{}", restarts);
  if (restarts != 0 && last_restart) restart_text = fmt::format("{} ({} ago)", restarts, age(rfc3339(*last_restart), now));
  const auto or_none = [](const std::string& text) { return text.empty() ? std::string("<none>") : text; };
  std::string gates = "<none>";
  if (const std::size_t count = spec.at("readinessGates").size(); count > 0) gates = fmt::format("0/{}", count);
  return {pod.at({"metadata", "name"}),
          fmt::format("{}/{}", ready, total),
          reason,
          restart_text,
          age(pod.at({"metadata", "creationTimestamp"}), now),
          or_none(status.at("podIP").text()),
          or_none(spec.at("nodeName").text()),
          or_none(status.at("nominatedNodeName").text()),
          gates};
}

}  // namespace

KindRules pod_rules() {
  return {"", "Pod", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Ready"}, {"Status"}, {"Restarts"}, {"Age"}, {"IP", "string", "", 1}, {"Node", "string", "", 1}, {"Nominated Node", "string", "", 1}, {"Readiness Gates", "string", "", 1}},
          row};
}

}  // namespace sim::loop

#include <fmt/format.h>

#include "sim/loop/model/codec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using NodeCodec = Codec<k8s::Node>;

void NodeCodec::render(const k8s::Node& node, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  if (spec.is_null()) spec = Json::object();
  if (node.unschedulable) {
    spec.set("unschedulable", true);
  } else {
    spec.erase("unschedulable");
  }
  // A taint's timeAdded is the document's own.
  Json taints = Json::array();
  for (const Taint& taint : node.taints) {
    Json json = Json::object({{"key", context.text(taint.key)}});
    if (taint.value) json.set("value", context.text(taint.value));
    json.set("effect", to_string(taint.effect));
    for (const Json& old : spec.at("taints").items()) {
      if (old.at("key") == json.at("key") && old.at("effect") == json.at("effect") && old.find("timeAdded") != nullptr) json.set("timeAdded", old.at("timeAdded"));
    }
    if (taint.effect == TaintEffect::kNoExecute && json.find("timeAdded") == nullptr) json.set("timeAdded", context.time(context.world.engine.now()));
    taints.push_back(std::move(json));
  }
  if (taints.is_empty()) {
    spec.erase("taints");
  } else {
    spec.set("taints", std::move(taints));
  }
  Json& status = document["status"];
  const Interner& names = context.world.names;
  status.set("capacity", resources_json(node.capacity, names));
  status.set("allocatable", resources_json(node.allocatable, names));
  status.set("addresses", Json::array({Json::object({{"type", "InternalIP"}, {"address", node_address(node.meta.uid)}}),
                                       Json::object({{"type", "Hostname"}, {"address", context.text(node.meta.name)}})}));
  const std::string& name = context.text(node.meta.name);
  status.set_default("nodeInfo", Json::object({{"machineID", ""}, {"systemUUID", ""}, {"bootID", ""}, {"kernelVersion", "6.12.0"}, {"osImage", "Squall simulated machine"},
                                               {"containerRuntimeVersion", "containerd://2.1.0"}, {"kubeletVersion", "v1.36.3"}, {"kubeProxyVersion", ""}, {"operatingSystem", "linux"},
                                               {"architecture", "amd64"}}));
  status.set_default("daemonEndpoints", Json::object({{"kubeletEndpoint", Json::object({{"Port", 10250}})}}));
  const std::string now = context.time(context.world.engine.now());
  const bool never_posted = node.ready == ConditionStatus::kUnknown && !node.ready_reason;
  if (!never_posted) {
    const bool unknown = node.ready == ConditionStatus::kUnknown;
    const auto pressure = [&](std::string_view type, bool is, std::string_view no_reason, std::string_view no_message, std::string_view yes_reason, std::string_view yes_message) {
      if (unknown) {
        set_condition(status, type, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", now);
      } else {
        set_condition(status, type, is ? "True" : "False", is ? yes_reason : no_reason, is ? yes_message : no_message, now);
      }
    };
    pressure("MemoryPressure", node.memory_pressure, "KubeletHasSufficientMemory", "kubelet has sufficient memory available", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available");
    pressure("DiskPressure", node.disk_pressure, "KubeletHasNoDiskPressure", "kubelet has no disk pressure", "KubeletHasDiskPressure", "kubelet has disk pressure");
    pressure("PIDPressure", node.pid_pressure, "KubeletHasSufficientPID", "kubelet has sufficient PID available", "KubeletHasInsufficientPID", "kubelet has insufficient PID available");
    const std::string reason = context.text(node.ready_reason);
    set_condition(status, "Ready", to_string(node.ready), reason,
                  unknown ? "Kubelet stopped posting node status." : node.ready == ConditionStatus::kTrue ? "kubelet is posting ready status" : "", now);
    for (Json& condition : status["conditions"].items()) {
      if (!unknown || condition.find("lastHeartbeatTime") == nullptr) condition.set("lastHeartbeatTime", now);
    }
  }
  if (!node.images.empty()) {
    Json images = Json::array();
    for (const NodeImage& image : node.images) images.push_back(Json::object({{"names", Json::array({context.text(image.image)})}, {"sizeBytes", image.bytes}}));
    status.set("images", std::move(images));
  }
  const auto volumes = [&](std::string_view key, const std::vector<Symbol>& list, bool attached) {
    if (list.empty()) {
      status.erase(key);
      return;
    }
    Json all = Json::array();
    for (const Symbol volume : list) {
      const std::string id = fmt::format("kubernetes.io/csi/{}", context.text(volume));
      all.push_back(attached ? Json::object({{"name", id}, {"devicePath", ""}}) : Json(id));
    }
    status.set(key, std::move(all));
  };
  if (!context.external_controllers) {
    volumes("volumesInUse", node.volumes_in_use, false);
    volumes("volumesAttached", node.volumes_attached, true);
  }
  Json& labels = document["metadata"]["labels"];
  labels.set_default("kubernetes.io/hostname", name);
}

Change NodeCodec::apply_spec(k8s::Node& to, k8s::Node& from, const Json&, RenderContext&) {
  Change changes = Change::kNone;
  if (to.unschedulable != from.unschedulable || !(to.taints == from.taints)) changes = Change::kTaints;
  to.unschedulable = from.unschedulable;
  to.taints = from.taints;
  return changes;
}

Change NodeCodec::apply_status(k8s::Node& to, const Json& before, const Json& document, RenderContext& context) {
  Change changes = Change::kStatus;
  const Json* old = find_condition(before, "Ready");
  const Json* now = find_condition(document, "Ready");
  if (now != nullptr && (old == nullptr || !(*old == *now))) {
    const std::string& value = now->at("status").text();
    const ConditionStatus ready = value == "True" ? ConditionStatus::kTrue : value == "False" ? ConditionStatus::kFalse : ConditionStatus::kUnknown;
    if (ready != to.ready) {
      to.ready_since = context.world.engine.now();
      changes = changes | Change::kConditions;
    }
    to.ready = ready;
    to.ready_reason = context.world.names.intern(now->at("reason").text());
  }
  const auto amounts = [&](std::string_view key, Resources& value) {
    const Json& wanted = document.at({"status", key});
    if (wanted == before.at({"status", key})) return;
    Resources fresh;
    for (const Member& member : wanted.members()) {
      const std::string amount = member.value.is_string() ? member.value.text() : member.value.dump();
      if (member.key == "cpu") {
        fresh.cpu_milli = parse_quantity_milli(amount).value_or(0);
      } else if (member.key == "memory") {
        fresh.memory = parse_quantity(amount).value_or(0);
      } else if (member.key == "ephemeral-storage") {
        fresh.ephemeral_storage = parse_quantity(amount).value_or(0);
      } else if (member.key == "pods") {
        fresh.pods = parse_quantity(amount).value_or(0);
      } else {
        fresh.set(context.world.names.intern(member.key), parse_quantity(amount).value_or(0));
      }
    }
    value = fresh;
    changes = changes | Change::kAllocatable;
  };
  amounts("capacity", to.capacity);
  amounts("allocatable", to.allocatable);
  return changes;
}

void NodeCodec::created(k8s::Node& node, Json&, RenderContext&, std::string&) {
  if (node.capacity.pods == 0) node.capacity.pods = node.allocatable.pods;
}

}  // namespace sim::loop

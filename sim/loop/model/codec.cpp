#include "sim/loop/model/codec.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/json/yaml.hpp"
#include "sim/loop/kinds/rules.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/source_document.hpp"

namespace sim::loop {

using namespace sim::k8s;

const std::string& RenderContext::text(Symbol symbol) const { return world.names.text(symbol); }

std::optional<SimTime> RenderContext::sim_time(const Json& timestamp) const {
  const std::optional<std::int64_t> unix_time = parse_rfc3339(timestamp.text());
  if (!unix_time) return std::nullopt;
  return SimTime(SimDuration(*unix_time - epoch_nanoseconds));
}

Json labels_json(const Labels& labels, const Interner& names) {
  Json result = Json::object();
  for (const Labels::Pair& pair : labels) result.set(names.text(pair.key), names.text(pair.value));
  return result;
}

Json selector_json(const LabelSelector& selector, const Interner& names) {
  Json result = Json::object();
  for (const Requirement& requirement : selector.requirements) {
    if (requirement.op == SelectorOperator::kIn && requirement.values.size() == 1) {
      result["matchLabels"].set(names.text(requirement.key), names.text(requirement.values[0]));
      continue;
    }
    Json expression = Json::object({{"key", names.text(requirement.key)}});
    switch (requirement.op) {
      case SelectorOperator::kIn: expression.set("operator", "In"); break;
      case SelectorOperator::kNotIn: expression.set("operator", "NotIn"); break;
      case SelectorOperator::kExists: expression.set("operator", "Exists"); break;
      case SelectorOperator::kDoesNotExist: expression.set("operator", "DoesNotExist"); break;
      case SelectorOperator::kGt: expression.set("operator", "Gt"); break;
      case SelectorOperator::kLt: expression.set("operator", "Lt"); break;
    }
    for (const Symbol value : requirement.values) expression["values"].push_back(names.text(value));
    result["matchExpressions"].push_back(std::move(expression));
  }
  return result;
}

Json int_or_percent_json(const IntOrPercent& value) { return value.percent ? Json(fmt::format("{}%", value.value)) : Json(value.value); }

Json resources_json(const Resources& amounts, const Interner& names) {
  Json result = Json::object();
  if (amounts.cpu_milli > 0) result.set("cpu", format_cpu(amounts.cpu_milli));
  if (amounts.memory > 0) result.set("memory", format_bytes(amounts.memory));
  if (amounts.ephemeral_storage > 0) result.set("ephemeral-storage", format_bytes(amounts.ephemeral_storage));
  if (amounts.pods > 0) result.set("pods", fmt::format("{}", amounts.pods));
  for (const NamedAmount& other : amounts.other) result.set(names.text(other.name), fmt::format("{}", other.amount));
  return result;
}

Json source_json(const std::shared_ptr<const SourceDocument>& source) {
  if (source == nullptr || source->file == nullptr) return Json();
  std::string error;
  return parse_yaml(source->text(), error).value_or(Json());
}

std::string node_address(std::uint64_t uid) { return fmt::format("192.168.{}.{}", uid / 250 % 250, uid % 250 + 1); }
std::string pod_address(std::uint32_t serial) { return fmt::format("10.{}.{}.{}", 128 + serial / 62'500 % 120, serial / 250 % 250, serial % 250 + 1); }

Json& set_condition(Json& status, std::string_view type, std::string_view value, std::string_view reason, std::string_view message, const std::string& now) {
  Json& conditions = status["conditions"];
  for (Json& condition : conditions.items()) {
    if (condition.at("type").text() != type) continue;
    if (condition.at("status").text() != value) condition.set("lastTransitionTime", now);
    condition.set("status", value);
    if (reason.empty()) {
      condition.erase("reason");
    } else {
      condition.set("reason", reason);
    }
    if (message.empty()) {
      condition.erase("message");
    } else {
      condition.set("message", message);
    }
    return condition;
  }
  Json condition = Json::object({{"type", type}, {"status", value}, {"lastTransitionTime", now}});
  if (!reason.empty()) condition.set("reason", reason);
  if (!message.empty()) condition.set("message", message);
  conditions.push_back(std::move(condition));
  return conditions.items().back();
}

const Json* find_condition(const Json& document, std::string_view type) {
  for (const Json& condition : document.at({"status", "conditions"}).items()) {
    if (condition.at("type").text() == type) return &condition;
  }
  return nullptr;
}

void set_count(Json& to, std::string_view key, std::int64_t value) {
  if (value == 0) {
    to.erase(key);
  } else {
    to.set(key, value);
  }
}

namespace {

Json container_json(const Container& c, const Interner& names) {
  Json result = Json::object({{"name", names.text(c.name)}, {"image", names.text(c.image)}});
  result.set("imagePullPolicy", c.pull_policy == PullPolicy::kAlways ? "Always" : c.pull_policy == PullPolicy::kNever ? "Never" : "IfNotPresent");
  Json requests = resources_json(c.requests, names);
  Json limits = resources_json(c.limits, names);
  if (!requests.is_empty()) result["resources"].set("requests", std::move(requests));
  if (!limits.is_empty()) result["resources"].set("limits", std::move(limits));
  for (const ContainerPort& port : c.ports) {
    Json p = Json::object({{"containerPort", std::int64_t{port.container_port}}, {"protocol", port.protocol == Protocol::kTcp ? "TCP" : port.protocol == Protocol::kUdp ? "UDP" : "SCTP"}});
    if (port.name) p.set("name", names.text(port.name));
    if (port.host_port != 0) p.set("hostPort", std::int64_t{port.host_port});
    result["ports"].push_back(std::move(p));
  }
  if (c.is_sidecar) result.set("restartPolicy", "Always");
  return result;
}

Json toleration_json(const Toleration& t, const Interner& names) {
  Json result = Json::object();
  if (t.key) result.set("key", names.text(t.key));
  if (t.exists) result.set("operator", "Exists");
  if (t.value) result.set("value", names.text(t.value));
  if (t.effect != TaintEffect::kNone) result.set("effect", to_string(t.effect));
  if (t.seconds) result.set("tolerationSeconds", *t.seconds);
  return result;
}

}  // namespace

Json RenderContext::pod_spec(const std::shared_ptr<const PodSpec>& spec) {
  const auto known = specs.find(spec.get());
  if (known != specs.end()) return known->second.second;
  const Interner& names = world.names;
  Json result = source_json(spec->source);
  if (!result.is_object()) {
    // A pod that no manifest describes (a mirror pod, one of an operator that is modelled).
    result = Json::object();
    for (const Container& c : spec->init_containers) result["initContainers"].push_back(container_json(c, names));
    for (const Container& c : spec->containers) result["containers"].push_back(container_json(c, names));
    if (!spec->node_selector.empty()) result.set("nodeSelector", labels_json(spec->node_selector, names));
    result.set("restartPolicy", spec->restart_policy == RestartPolicy::kAlways ? "Always" : spec->restart_policy == RestartPolicy::kNever ? "Never" : "OnFailure");
    result.set("terminationGracePeriodSeconds", spec->termination_grace_seconds);
    if (spec->host_network) result.set("hostNetwork", true);
    if (spec->priority_class_name) result.set("priorityClassName", text(spec->priority_class_name));
    for (const PodVolume& volume : spec->volumes) {
      if (volume.claim) {
        result["volumes"].push_back(Json::object({{"name", text(volume.name)}, {"persistentVolumeClaim", Json::object({{"claimName", text(volume.claim)}})}}));
      }
    }
  }
  // What admission added.
  result.erase("tolerations");
  for (const Toleration& t : spec->tolerations) result["tolerations"].push_back(toleration_json(t, names));
  if (spec->has_priority) result.set("priority", std::int64_t{spec->priority});
  default_pod_spec(result);
  // A run with ever new specs must not keep them all.
  constexpr std::size_t kSpecsMax = 4096;
  if (specs.size() >= kSpecsMax) specs.clear();
  specs.emplace(spec.get(), std::pair{spec, result});
  return result;
}

Json RenderContext::pod_template(const PodTemplate& from) {
  Json result = Json::object({{"metadata", Json::object({{"labels", labels_json(from.labels, world.names)}})}});
  if (!from.annotations.empty()) result["metadata"].set("annotations", labels_json(from.annotations, world.names));
  result.set("spec", pod_spec(from.spec));
  return result;
}

}  // namespace sim::loop

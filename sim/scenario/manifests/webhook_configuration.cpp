#include <algorithm>
#include <set>

#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kConfigurationFields[] = {"apiVersion", "kind", "metadata", "webhooks"};
constexpr Names kWebhookFields[] = {"name", "clientConfig", "rules", "failurePolicy", "matchPolicy", "namespaceSelector", "objectSelector", "sideEffects",
                                    "timeoutSeconds", "admissionReviewVersions", "matchConditions", "reinvocationPolicy"};
constexpr Names kClientFields[] = {"url", "service", "caBundle"};
constexpr Names kServiceFields[] = {"namespace", "name", "path", "port"};
constexpr Names kRuleFields[] = {"operations", "apiGroups", "apiVersions", "resources", "scope"};
constexpr std::string_view kOperations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT", "*"};

constexpr std::int64_t kTimeoutMax = 30;
constexpr std::int64_t kPortMax = 65535;

bool has(const std::vector<std::string>& list, std::string_view what) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& one) { return one == what || one == "*"; });
}

}  // namespace

/// What of new objects the rules catch. What else they catch is told, and not simulated.
webhooks::Resources ObjectReader::webhook_rules(Yaml node) {
  webhooks::Resources caught;
  const std::vector<Yaml> rules = maps(node, "rules");
  for (const Yaml rule : rules) {
    expect_fields(rule, kind_name + ".webhooks.rules", kRuleFields);
    const auto words = [&](std::string_view key) {
      std::vector<std::string> list;
      for (const Symbol one : strings(rule, key)) list.push_back(names.text(one));
      if (list.empty() && rule.find(key).is_null()) impossible(rule, fmt::format("a rule needs '{}'", key));
      return list;
    };
    const std::vector<std::string> operations = words("operations");
    const std::vector<std::string> groups = words("apiGroups");
    const std::vector<std::string> versions = words("apiVersions");
    const std::vector<std::string> resources = words("resources");
    const Yaml given = rule.find("operations");
    for (std::size_t i = 0; i < operations.size() && i < given.size(); ++i) {
      if (std::find(std::begin(kOperations), std::end(kOperations), operations[i]) != std::end(kOperations)) continue;
      Diagnostic& d = impossible(given.item(i), "unknown word for operations");
      d.expected = "one of: CREATE, UPDATE, DELETE, CONNECT, *";
      d.found = given.item(i).describe();
      d.hint = did_you_mean(operations[i], std::vector<std::string>(std::begin(kOperations), std::end(kOperations)));
    }
    const auto scope = word<int>(rule, "scope", {{"*", 0}, {"Cluster", 1}, {"Namespaced", 2}});
    for (const std::string& operation : operations) {
      if (operation != "CREATE" && operation != "*") not_simulated(rule.find("operations"), fmt::format("{}.webhooks.rules.operations {}", kind_name, operation));
    }
    if (!has(operations, "CREATE") || scope == 1) continue;
    const auto catches = [&](std::string_view group, std::string_view resource) {
      return has(groups, group) && has(versions, "v1") && std::any_of(resources.begin(), resources.end(), [&](const std::string& one) {
               return one == resource || one == "*" || one == "*/*";
             });
    };
    caught.pods = caught.pods || catches("", "pods");
    caught.replica_sets = caught.replica_sets || catches("apps", "replicasets");
    caught.jobs = caught.jobs || catches("batch", "jobs");
    for (const std::string& resource : resources) {
      if (resource == "pods" || resource == "replicasets" || resource == "jobs") continue;
      not_simulated(rule.find("resources"), fmt::format("{}.webhooks.rules.resources {}{}", kind_name, resource,
                                                        resource == "*" || resource == "*/*" ? " beyond new pods, replicasets and jobs" : ""));
    }
  }
  return caught;
}

webhooks::Webhook ObjectReader::webhook(Yaml node) {
  webhooks::Webhook hook;
  expect_fields(node, kind_name + ".webhooks", kWebhookFields);
  hook.name = text(node, "name");
  if (node.find("name").is_null()) {
    impossible(node, "a webhook needs 'name'");
  } else if (!hook.name.empty() && std::count(hook.name.begin(), hook.name.end(), '.') < 2) {
    impossible(node.find("name"), fmt::format("'{}' is no valid name of a webhook", hook.name)).expected = "a domain with at least three segments, such as pods.policy.example";
  }
  const Yaml client = map(node, "clientConfig");
  if (!client && node.find("clientConfig").is_null()) impossible(node, "a webhook needs 'clientConfig'");
  expect_fields(client, kind_name + ".webhooks.clientConfig", kClientFields);
  const Yaml service = map(client, "service");
  if (client && service.is_null() == client.find("url").is_null()) impossible(client, "clientConfig needs one of 'service' and 'url'");
  expect_fields(service, kind_name + ".webhooks.clientConfig.service", kServiceFields);
  if (service) {
    hook.service_ns = symbol(service, "namespace");
    hook.service = symbol(service, "name");
    for (const std::string_view key : {"namespace", "name"}) {
      if (service.find(key).is_null()) impossible(service, fmt::format("clientConfig.service needs '{}'", key));
    }
    hook.path = text(service, "path");
    if (!hook.path.empty() && hook.path.front() != '/') impossible(service.find("path"), "a path begins with '/'");
    hook.port = integer_or(service, "port", hook.port, 1, kPortMax);
  }
  hook.resources = webhook_rules(node);
  hook.fails_closed = word<bool>(node, "failurePolicy", {{"Fail", true}, {"Ignore", false}});
  hook.timeout_seconds = integer_or(node, "timeoutSeconds", hook.timeout_seconds, 1, kTimeoutMax);
  hook.namespaces = optional_selector(node, "namespaceSelector");
  hook.objects = optional_selector(node, "objectSelector");
  word<int>(node, "matchPolicy", {{"Equivalent", 0}, {"Exact", 1}});
  word<int>(node, "sideEffects", {{"None", 0}, {"NoneOnDryRun", 1}});
  if (node.find("sideEffects").is_null()) impossible(node, "a webhook needs 'sideEffects'").expected = "None or NoneOnDryRun";
  if (strings(node, "admissionReviewVersions").empty() && node.find("admissionReviewVersions").is_null()) {
    impossible(node, "a webhook needs 'admissionReviewVersions'").expected = "[v1]";
  }
  not_simulated(node.find("matchConditions"), kind_name + ".webhooks.matchConditions (taken as true)");
  if (text(node, "reinvocationPolicy") == "IfNeeded") not_simulated(node.find("reinvocationPolicy"), kind_name + ".webhooks.reinvocationPolicy IfNeeded");
  return hook;
}

void ObjectReader::webhook_configuration(Yaml object, bool mutates) {
  Manifest<webhooks::Configuration> m = begin<webhooks::Configuration>(object, false);
  m.object.mutates = mutates;
  expect_fields(object, kind_name, kConfigurationFields);
  std::set<std::string> known;
  for (const Yaml node : maps(object, "webhooks")) {
    m.object.webhooks.push_back(webhook(node));
    const std::string& name = m.object.webhooks.back().name;
    if (!name.empty() && !known.insert(name).second) impossible(node.find("name"), fmt::format("there are two webhooks with the name '{}'", name));
  }
  for (const Manifest<webhooks::Configuration>& other : set->webhooks) {
    if (other.object.mutates != mutates || other.object.meta.name != m.object.meta.name || !m.object.meta.name) continue;
    Diagnostic& d = diagnostics.error(m.where, fmt::format("there are two {}s with the name '{}'", kind_name, names.text(m.object.meta.name)));
    d.hint = "the first is at " + other.where.to_string();
    break;
  }
  set->webhooks.push_back(std::move(m));
}

}  // namespace sim::scenario::manifests

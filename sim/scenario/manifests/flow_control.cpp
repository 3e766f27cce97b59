/// FlowSchema and PriorityLevelConfiguration. Source: pkg/apis/flowcontrol/{validation,v1/defaults.go}; pkg/registry/flowcontrol/ensurer/strategy.go.
#include <algorithm>

#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

using flow_control::FlowSchema;
using flow_control::PolicyRule;
using flow_control::PriorityLevel;

constexpr Names kObjectFields[] = {"apiVersion", "kind", "metadata", "spec", "status"};
constexpr Names kSchemaFields[] = {"priorityLevelConfiguration", "matchingPrecedence", "distinguisherMethod", "rules"};
constexpr Names kRulesFields[] = {"subjects", "resourceRules", "nonResourceRules"};
constexpr Names kSubjectFields[] = {"kind", "user", "group", "serviceAccount"};
constexpr Names kResourceRuleFields[] = {"verbs", "apiGroups", "resources", "clusterScope", "namespaces"};
constexpr Names kNonResourceRuleFields[] = {"verbs", "nonResourceURLs"};
constexpr Names kLevelFields[] = {"type", "limited", "exempt"};
constexpr Names kLimitedFields[] = {"nominalConcurrencyShares", "limitResponse", "lendablePercent", "borrowingLimitPercent"};
constexpr Names kExemptFields[] = {"nominalConcurrencyShares", "lendablePercent"};
constexpr Names kResponseFields[] = {"type", "queuing"};
constexpr Names kQueuingFields[] = {"queues", "handSize", "queueLengthLimit"};
constexpr std::string_view kVerbs[] = {"get", "list", "create", "update", "delete", "deletecollection", "patch", "watch", "proxy"};
constexpr std::string_view kAutoUpdate = "apf.kubernetes.io/autoupdate-spec";

constexpr std::int64_t kPrecedenceMax = 10000;
constexpr std::int64_t kQueuesMax = 10'000'000;

}  // namespace

std::vector<std::string> ObjectReader::rule_words(Yaml rule, std::string_view key, std::string_view of) {
  std::vector<std::string> list;
  for (const Symbol one : strings(rule, key)) list.push_back(names.text(one));
  const Yaml given = rule.find(key);
  if (list.empty() && (given.is_null() || given.is_sequence())) impossible(rule, fmt::format("a {} needs '{}'", of, key));
  if (list.size() > 1 && std::find(list.begin(), list.end(), "*") != list.end()) {
    impossible(given, fmt::format("'*' in {} stands for all: nothing may stand beside it", key));
  } else if (key == "verbs") {
    for (std::size_t i = 0; i < list.size() && i < given.size(); ++i) {
      if (list[i] == "*" || std::find(std::begin(kVerbs), std::end(kVerbs), list[i]) != std::end(kVerbs)) continue;
      Diagnostic& d = impossible(given.item(i), "unknown verb");
      d.expected = fmt::format("one of: {}, *", fmt::join(kVerbs, ", "));
      d.found = given.item(i).describe();
      d.hint = did_you_mean(list[i], std::vector<std::string>(std::begin(kVerbs), std::end(kVerbs)));
    }
  }
  return list;
}

PolicyRule ObjectReader::policy_rule(Yaml node) {
  PolicyRule rule;
  expect_fields(node, "FlowSchema.spec.rules", kRulesFields);
  if (node.find("subjects").is_null() || (node.find("subjects").is_sequence() && node.find("subjects").size() == 0)) impossible(node, "a rule needs 'subjects'");
  for (const Yaml given : maps(node, "subjects")) {
    expect_fields(given, "FlowSchema.spec.rules.subjects", kSubjectFields);
    using K = flow_control::Subject::Kind;
    if (given.find("kind").is_null()) impossible(given, "a subject needs 'kind'").expected = "one of: User, Group, ServiceAccount";
    flow_control::Subject subject;
    subject.kind = word<K>(given, "kind", {{"User", K::kUser}, {"Group", K::kGroup}, {"ServiceAccount", K::kServiceAccount}});
    const std::string_view key = subject.kind == K::kUser ? "user" : subject.kind == K::kGroup ? "group" : "serviceAccount";
    for (const std::string_view other : {"user", "group", "serviceAccount"}) {
      if (other != key && given.find(other)) impossible(given.find_key(other), fmt::format("a subject of kind {} has no '{}'", text(given, "kind"), other));
    }
    const Yaml who = map(given, key);
    if (!who) {
      if (given.find(key).is_null()) impossible(given, fmt::format("a subject of kind {} needs '{}'", text(given, "kind"), key));
      continue;
    }
    subject.name = text(who, "name");
    if (subject.name.empty()) impossible(who, fmt::format("'{}' needs 'name'", key));
    if (subject.kind == K::kServiceAccount) {
      subject.ns = text(who, "namespace");
      if (subject.ns.empty()) impossible(who, "a service account needs 'namespace'");
    }
    rule.subjects.push_back(std::move(subject));
  }
  for (const Yaml given : maps(node, "resourceRules")) {
    expect_fields(given, "FlowSchema.spec.rules.resourceRules", kResourceRuleFields);
    flow_control::ResourceRule resource;
    resource.verbs = rule_words(given, "verbs", "resource rule");
    resource.api_groups = rule_words(given, "apiGroups", "resource rule");
    resource.resources = rule_words(given, "resources", "resource rule");
    resource.cluster_scope = boolean(given, "clusterScope", false);
    if (!resource.cluster_scope || (!given.find("namespaces").is_null() && given.find("namespaces").size() > 0)) {
      resource.namespaces = rule_words(given, "namespaces", "resource rule without clusterScope");
    }
    rule.resource_rules.push_back(std::move(resource));
  }
  for (const Yaml given : maps(node, "nonResourceRules")) {
    expect_fields(given, "FlowSchema.spec.rules.nonResourceRules", kNonResourceRuleFields);
    rule.non_resource_rules.push_back({rule_words(given, "verbs", "non-resource rule"), rule_words(given, "nonResourceURLs", "non-resource rule")});
  }
  if (rule.resource_rules.empty() && rule.non_resource_rules.empty()) impossible(node, "a rule needs at least one of 'resourceRules' and 'nonResourceRules'");
  return rule;
}

/// An API server writes its own objects over again, unless their annotation says not to.
bool ObjectReader::keeps_own_spec(Yaml object, std::string_view name) {
  const flow_control::Configuration& built_in = flow_control::default_configuration();
  const bool is_built_in = kind_name == "FlowSchema" ? built_in.find_schema(name) != nullptr : built_in.find_level(name) != nullptr;
  if (!is_built_in) return true;
  const std::string_view given = object.find("metadata").find("annotations").find(kAutoUpdate).text();
  return given == "false" || given == "False" || given == "FALSE" || given == "f" || given == "F" || given == "0";
}

void ObjectReader::flow_schema(Yaml object) {
  Manifest<FlowSchemaObject> m = begin<FlowSchemaObject>(object, false);
  expect_fields(object, kind_name, kObjectFields);
  FlowSchema& schema = m.object.schema;
  schema.name = names.text(m.object.meta.name);
  if (!keeps_own_spec(object, schema.name)) {
    not_simulated(object.find("spec"), fmt::format("FlowSchema {} (the API server restores its own spec, unless the annotation {} is \"false\")", schema.name, kAutoUpdate));
    return;
  }
  const Yaml spec = spec_of(object);
  if (!spec) return;
  expect_fields(spec, "FlowSchema.spec", kSchemaFields);
  const Yaml level = map(spec, "priorityLevelConfiguration");
  schema.level = text(level, "name");
  if (schema.level.empty()) impossible(spec, "a FlowSchema needs 'priorityLevelConfiguration.name'");
  schema.precedence = static_cast<int>(integer_or(spec, "matchingPrecedence", 1000, 0, kPrecedenceMax));
  if (schema.precedence == 0) schema.precedence = 1000;  // the API's default of an absent or zero value
  if (schema.precedence == 1 && schema.name != "exempt") impossible(spec.find("matchingPrecedence"), "only the schema named 'exempt' may have matchingPrecedence 1");
  using D = FlowSchema::Distinguisher;
  const Yaml method = map(spec, "distinguisherMethod");
  if (method) {
    if (method.find("type").is_null()) impossible(method, "'distinguisherMethod' needs 'type'").expected = "one of: ByUser, ByNamespace";
    schema.distinguisher = word<D>(method, "type", {{"ByUser", D::kByUser}, {"ByNamespace", D::kByNamespace}});
  }
  for (const Yaml rule : maps(spec, "rules")) schema.rules.push_back(policy_rule(rule));
  if (flow_control::is_mandatory(schema.name)) {
    impossible(spec, fmt::format("the spec of the FlowSchema '{}' cannot be changed", schema.name));
    return;
  }
  for (const Manifest<FlowSchemaObject>& other : set->flow_schemas) {
    if (other.object.schema.name != schema.name) continue;
    diagnostics.error(m.where, fmt::format("there are two FlowSchemas with the name '{}'", schema.name)).hint = "the first is at " + other.where.to_string();
  }
  set->flow_schemas.push_back(std::move(m));
}

void ObjectReader::priority_level(Yaml object) {
  Manifest<PriorityLevelObject> m = begin<PriorityLevelObject>(object, false);
  expect_fields(object, kind_name, kObjectFields);
  PriorityLevel& level = m.object.level;
  level.name = names.text(m.object.meta.name);
  if (!keeps_own_spec(object, level.name)) {
    not_simulated(object.find("spec"), fmt::format("PriorityLevelConfiguration {} (the API server restores its own spec, unless the annotation {} is \"false\")", level.name,
                                                   kAutoUpdate));
    return;
  }
  const Yaml spec = spec_of(object);
  if (!spec) return;
  expect_fields(spec, "PriorityLevelConfiguration.spec", kLevelFields);
  if (spec.find("type").is_null()) impossible(spec, "a PriorityLevelConfiguration needs 'type'").expected = "one of: Limited, Exempt";
  level.is_exempt = word<bool>(spec, "type", {{"Limited", false}, {"Exempt", true}});
  if (level.is_exempt != (level.name == "exempt")) impossible(spec.find("type"), "the level named 'exempt' is of type Exempt, and no other is");
  const Yaml limited = map(spec, "limited");
  const Yaml exempt = map(spec, "exempt");
  if (level.is_exempt) {
    if (limited) impossible(spec.find_key("limited"), "a level of type Exempt has no 'limited'");
    expect_fields(exempt, "PriorityLevelConfiguration.spec.exempt", kExemptFields);
    level.queuing.queues = -1;
    level.shares = static_cast<int>(integer_or(exempt, "nominalConcurrencyShares", 0));
    level.lendable_percent = static_cast<int>(integer_or(exempt, "lendablePercent", 0, 0, 100));
  } else {
    if (exempt) impossible(spec.find_key("exempt"), "a level of type Limited has no 'exempt'");
    if (!limited && spec.find("limited").is_null()) impossible(spec, "a level of type Limited needs 'limited'");
    expect_fields(limited, "PriorityLevelConfiguration.spec.limited", kLimitedFields);
    level.shares = static_cast<int>(integer_or(limited, "nominalConcurrencyShares", 30));
    level.lendable_percent = static_cast<int>(integer_or(limited, "lendablePercent", 0, 0, 100));
    if (const auto percent = integer(limited, "borrowingLimitPercent")) level.borrowing_limit_percent = static_cast<int>(*percent);
    const Yaml response = map(limited, "limitResponse");
    if (limited && (!response || response.find("type").is_null())) {
      impossible(limited, "'limited' needs 'limitResponse.type'").expected = "one of: Queue, Reject";
    }
    expect_fields(response, "PriorityLevelConfiguration.spec.limited.limitResponse", kResponseFields);
    const bool queues = word<bool>(response, "type", {{"Queue", true}, {"Reject", false}});
    const Yaml queuing = map(response, "queuing");
    if (!queues && queuing) impossible(response.find_key("queuing"), "a limitResponse of type Reject has no 'queuing'");
    if (queues && response && !queuing && response.find("queuing").is_null()) impossible(response, "a limitResponse of type Queue needs 'queuing'");
    if (queues && queuing) {
      expect_fields(queuing, "PriorityLevelConfiguration.spec.limited.limitResponse.queuing", kQueuingFields);
      // A zero is what is absent, to the API.
      const auto positive = [&](std::string_view key, int absent, std::int64_t high) {
        const auto given = static_cast<int>(integer_or(queuing, key, absent, 0, high));
        return given == 0 ? absent : given;
      };
      level.queuing.queues = positive("queues", 64, kQueuesMax);
      level.queuing.hand_size = positive("handSize", 8, kMaxInt32);
      level.queuing.queue_length_limit = positive("queueLengthLimit", 50, kMaxInt32);
      if (!flow_control::Dealer::is_valid(level.queuing.queues, level.queuing.hand_size)) {
        impossible(queuing, fmt::format("hands of {} cannot be dealt from {} queues", level.queuing.hand_size, level.queuing.queues)).expected =
            "a handSize of at most queues, and log2(queues) * handSize of at most 60";
        level.queuing = {.queues = 64, .queue_length_limit = 50, .hand_size = 6};
      }
    }
  }
  if (level.name == "catch-all") impossible(spec, "the spec of the PriorityLevelConfiguration 'catch-all' cannot be changed");
  for (const Manifest<PriorityLevelObject>& other : set->priority_levels) {
    if (other.object.level.name != level.name) continue;
    diagnostics.error(m.where, fmt::format("there are two PriorityLevelConfigurations with the name '{}'", level.name)).hint = "the first is at " + other.where.to_string();
  }
  set->priority_levels.push_back(std::move(m));
}

}  // namespace sim::scenario::manifests

namespace sim::scenario {

k8s::flow_control::Configuration flow_control_of(const ManifestSet& set) {
  k8s::flow_control::Configuration configuration = k8s::flow_control::default_configuration();
  for (const Manifest<PriorityLevelObject>& m : set.priority_levels) {
    std::erase_if(configuration.levels, [&](const auto& level) { return level.name == m.object.level.name; });
    configuration.levels.push_back(m.object.level);
  }
  for (const Manifest<FlowSchemaObject>& m : set.flow_schemas) {
    std::erase_if(configuration.schemas, [&](const auto& schema) { return schema.name == m.object.schema.name; });
    configuration.schemas.push_back(m.object.schema);
  }
  return configuration;
}

}  // namespace sim::scenario

#include "sim/models/kubernetes/flow_control/configuration.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sim::k8s::flow_control {

namespace {

constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";

/// A list that holds nothing but the wildcard matches everything; beside others it is a word like any.
bool contains(const std::vector<std::string>& list, std::string_view text) {
  if (list.size() == 1 && list.front() == "*") return true;
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool matches(const Subject& subject, const RequestInfo& request) {
  switch (subject.kind) {
    case Subject::Kind::kUser: return subject.name == "*" || subject.name == request.user;
    case Subject::Kind::kGroup: return subject.name == "*" || std::find(request.groups.begin(), request.groups.end(), subject.name) != request.groups.end();
    case Subject::Kind::kServiceAccount: {
      if (subject.name != "*") return request.user == service_account_user(subject.ns, subject.name);
      std::string_view user = request.user;
      if (!user.starts_with(kServiceAccountPrefix)) return false;
      user.remove_prefix(kServiceAccountPrefix.size());
      if (!user.starts_with(subject.ns)) return false;
      user.remove_prefix(subject.ns.size());
      return user.starts_with(':');
    }
  }
  return false;
}

bool matches(const ResourceRule& rule, const RequestInfo& request) {
  if (!contains(rule.verbs, request.verb)) return false;
  if (!contains(rule.resources, request.subresource.empty() ? request.resource : request.resource + "/" + request.subresource)) return false;
  if (!contains(rule.api_groups, request.api_group)) return false;
  return request.ns.empty() ? rule.cluster_scope : contains(rule.namespaces, request.ns);
}

bool matches(const NonResourceRule& rule, const RequestInfo& request) {
  if (!contains(rule.verbs, request.verb)) return false;
  return std::any_of(rule.urls.begin(), rule.urls.end(), [&](const std::string& url) {
    if (url == "*" || url == request.path) return true;
    std::string prefix = url;
    if (prefix.ends_with('*')) prefix.pop_back();
    if (!prefix.ends_with('/')) prefix += '/';
    return request.path.starts_with(prefix);
  });
}

PolicyRule everything(std::vector<Subject> subjects) {
  return {std::move(subjects), {{{"*"}, {"*"}, {"*"}, true, {"*"}}}, {{{"*"}, {"*"}}}};
}
std::vector<Subject> groups(std::initializer_list<std::string_view> names) {
  std::vector<Subject> subjects;
  for (const std::string_view name : names) subjects.push_back({Subject::Kind::kGroup, std::string(name), ""});
  return subjects;
}
Subject user(std::string_view name) { return {Subject::Kind::kUser, std::string(name), ""}; }

Configuration make_default() {
  const auto queued = [](std::string_view name, int shares, int lendable, int queues, int hand) {
    PriorityLevel level;
    level.name = name;
    level.shares = shares;
    level.lendable_percent = lendable;
    level.queuing = {.queues = queues, .queue_length_limit = 50, .hand_size = hand};
    return level;
  };
  Configuration c;
  PriorityLevel exempt;
  exempt.name = "exempt";
  exempt.is_exempt = true;
  exempt.shares = 0;
  exempt.queuing.queues = -1;
  PriorityLevel catch_all;
  catch_all.name = "catch-all";
  catch_all.shares = 5;
  c.levels = {catch_all,
              exempt,
              queued("system", 30, 33, 64, 6),
              queued("node-high", 40, 25, 64, 6),
              queued("leader-election", 10, 0, 16, 4),
              queued("workload-high", 40, 50, 128, 6),
              queued("workload-low", 100, 90, 128, 6),
              queued("global-default", 20, 50, 128, 6)};

  using D = FlowSchema::Distinguisher;
  const Subject kube_system{Subject::Kind::kServiceAccount, "*", "kube-system"};
  const std::vector<Subject> nodes = groups({"system:nodes"});
  const std::vector<Subject> all = groups({"system:unauthenticated", "system:authenticated"});
  const Subject manager = user("system:kube-controller-manager");
  const Subject scheduler = user("system:kube-scheduler");
  const auto schema = [&](std::string_view name, std::string_view level, int precedence, D distinguisher, PolicyRule rule) {
    c.schemas.push_back({std::string(name), std::string(level), precedence, distinguisher, {std::move(rule)}});
  };
  schema("exempt", "exempt", 1, D::kNone, everything(groups({"system:masters"})));
  schema("catch-all", "catch-all", 10000, D::kByUser, everything(all));
  schema("system-nodes", "system", 500, D::kByUser, everything(nodes));
  schema("system-node-high", "node-high", 400, D::kByUser,
         {nodes, {{{"*"}, {""}, {"nodes", "nodes/status"}, true, {"*"}}, {{"*"}, {"coordination.k8s.io"}, {"leases"}, false, {"*"}}}, {}});
  schema("probes", "exempt", 2, D::kNone, {all, {}, {{{"get"}, {"/healthz", "/readyz", "/livez"}}}});
  schema("system-leader-election", "leader-election", 100, D::kByUser,
         {{manager, scheduler, kube_system}, {{{"get", "create", "update"}, {"coordination.k8s.io"}, {"leases"}, false, {"*"}}}, {}});
  schema("kube-controller-manager", "workload-high", 800, D::kByNamespace, everything({manager}));
  schema("kube-scheduler", "workload-high", 800, D::kByNamespace, everything({scheduler}));
  schema("kube-system-service-accounts", "workload-high", 900, D::kByNamespace, everything({kube_system}));
  schema("service-accounts", "workload-low", 9000, D::kByUser, everything(groups({"system:serviceaccounts"})));
  schema("global-default", "global-default", 9900, D::kByUser, everything(all));
  return c;
}

}  // namespace

bool FlowSchema::matches(const RequestInfo& request) const {
  return std::any_of(rules.begin(), rules.end(), [&](const PolicyRule& rule) {
    const auto concerns = [&](const auto& r) { return flow_control::matches(r, request); };
    if (std::none_of(rule.subjects.begin(), rule.subjects.end(), concerns)) return false;
    return request.is_resource ? std::any_of(rule.resource_rules.begin(), rule.resource_rules.end(), concerns)
                               : std::any_of(rule.non_resource_rules.begin(), rule.non_resource_rules.end(), concerns);
  });
}

const PriorityLevel* Configuration::find_level(std::string_view name) const {
  const auto found = std::find_if(levels.begin(), levels.end(), [&](const PriorityLevel& level) { return level.name == name; });
  return found == levels.end() ? nullptr : &*found;
}
const FlowSchema* Configuration::find_schema(std::string_view name) const {
  const auto found = std::find_if(schemas.begin(), schemas.end(), [&](const FlowSchema& schema) { return schema.name == name; });
  return found == schemas.end() ? nullptr : &*found;
}

const Configuration& default_configuration() {
  static const Configuration configuration = make_default();
  return configuration;
}

bool is_mandatory(std::string_view name) { return name == "exempt" || name == "catch-all"; }

std::string service_account_user(std::string_view ns, std::string_view name) { return fmt::format("{}{}:{}", kServiceAccountPrefix, ns, name); }
std::vector<std::string> service_account_groups(std::string_view ns) {
  return {"system:serviceaccounts", fmt::format("system:serviceaccounts:{}", ns), "system:authenticated"};
}

}  // namespace sim::k8s::flow_control

/// FlowSchemas and PriorityLevelConfigurations: which request belongs to which flow and level. With the ones that every API server has.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/rule.go, pkg/apis/flowcontrol/bootstrap/default.go; pkg/apis/flowcontrol/v1/defaults.go.
/// Leaves out: changes of these objects during a run.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf (which schema and level each request gets).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/flow_control/queue_set.hpp"

namespace sim::k8s::flow_control {

/// What the API server knows of a request.
struct RequestInfo {
  std::string user{};
  std::vector<std::string> groups{};
  std::string verb{};  ///< get, list, watch, create, update, patch, delete, deletecollection
  bool is_resource = true;
  std::string api_group{};
  std::string resource{};
  std::string subresource{};
  std::string ns{};    ///< empty: of the whole cluster
  std::string name{};  ///< of one object
  std::string path{};  ///< of what is no resource: /healthz
};

struct Subject {
  enum class Kind : std::uint8_t { kUser, kGroup, kServiceAccount } kind = Kind::kUser;
  std::string name;  ///< "*": all
  std::string ns;    ///< of a service account
};
struct ResourceRule {
  std::vector<std::string> verbs, api_groups, resources;
  bool cluster_scope = false;
  std::vector<std::string> namespaces;
};
struct NonResourceRule {
  std::vector<std::string> verbs, urls;
};
struct PolicyRule {
  std::vector<Subject> subjects;
  std::vector<ResourceRule> resource_rules;
  std::vector<NonResourceRule> non_resource_rules;
};
struct FlowSchema {
  std::string name;
  std::string level;
  int precedence = 1000;  ///< the lowest that matches counts; then the name
  enum class Distinguisher : std::uint8_t { kNone, kByUser, kByNamespace } distinguisher = Distinguisher::kNone;
  std::vector<PolicyRule> rules;
  bool matches(const RequestInfo& request) const;
};

struct PriorityLevel {
  std::string name;
  bool is_exempt = false;
  int shares = 30;
  int lendable_percent = 0;
  std::optional<int> borrowing_limit_percent;  ///< none: up to the whole server
  QueuingConfig queuing;
};

struct Configuration {
  std::vector<PriorityLevel> levels;
  std::vector<FlowSchema> schemas;
  const PriorityLevel* find_level(std::string_view name) const;
  const FlowSchema* find_schema(std::string_view name) const;
};
/// The mandatory and the suggested objects of v1.36.
const Configuration& default_configuration();
bool is_mandatory(std::string_view name);  ///< exempt, catch-all

/// "system:serviceaccount:NS:NAME", and the groups that it is in: system:serviceaccounts, system:serviceaccounts:NS, system:authenticated.
std::string service_account_user(std::string_view ns, std::string_view name);
std::vector<std::string> service_account_groups(std::string_view ns);

}  // namespace sim::k8s::flow_control

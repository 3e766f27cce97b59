/// What the API server itself knows of a kind: defaults, what a client may not set, what is refused, and the columns of `kubectl get`.
///
/// One file a kind. A kind without rules is stored as it comes and printed as Name and Age.
///
/// Source:     pkg/apis/<group>/v1/defaults.go, pkg/apis/<group>/validation, pkg/registry/<group>/<kind>/strategy.go, pkg/printers/internalversion/printers.go
///             of v1.36; reference kubernetes 4.6, 4.13, 4.14.
/// Leaves out: the validation of fields that nothing here acts on: they are stored as they come.
/// Checked by: tests/loop/api_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/rest/status.hpp"

namespace sim::loop {

struct Column {
  std::string_view name;
  std::string_view type = "string";
  std::string_view format = "";
  int priority = 0;  // 1: with -o wide only
};

struct Now {
  std::int64_t unix_nanoseconds = 0;
};

struct KindRules {
  std::string_view group;
  std::string_view kind;
  void (*defaults)(Json& document) = nullptr;
  /// What the server sets or takes away on create (`before` is null) and on update.
  void (*prepare)(Json& document, const Json* before) = nullptr;
  void (*validate)(const Json& document, const Json* before, FieldErrors& errors) = nullptr;
  std::vector<Column> columns{};
  std::vector<Json> (*row)(const Json& document, Now now) = nullptr;
};

/// Null for a kind without.
const KindRules* rules_of(std::string_view group, std::string_view kind);

// The parts that kinds share.
/// "5m12s" since then; "<unknown>" when there is no time.
std::string age(const Json& timestamp, Now now);
std::string duration_between(const Json& from, const Json& to, Now now);
void default_pod_spec(Json& spec);
void default_pod_template(Json& workload_spec);
void validate_pod_spec(const Json& spec, const std::string& path, FieldErrors& errors);
/// `spec.selector` is there, not empty, selects the template's labels and did not change.
void validate_workload_selector(const Json& document, const Json* before, FieldErrors& errors);
/// podFailurePolicy, successPolicy, the limits per index, podReplacementPolicy and managedBy of a Job's spec.
void validate_job_policies(const Json& spec, FieldErrors& errors);
void validate_non_negative(const Json& document, std::string_view field, FieldErrors& errors);
/// "a,b" of names and images of a template's containers.
std::vector<Json> containers_and_images(const Json& pod_spec);
/// "app=web,tier in (a,b)"; "<none>" when it is empty.
std::string selector_text(const Json& selector);
std::string join_text(const std::vector<std::string>& parts);

// One each: its file is named after it.
KindRules pod_rules();
KindRules node_rules();
KindRules deployment_rules();
KindRules replica_set_rules();
KindRules stateful_set_rules();
KindRules daemon_set_rules();
KindRules job_rules();
KindRules cron_job_rules();
KindRules service_rules();
KindRules pod_disruption_budget_rules();
KindRules namespace_rules();
KindRules event_rules();
KindRules persistent_volume_rules();
KindRules persistent_volume_claim_rules();
/// Kinds of which only the columns are known.
std::vector<KindRules> printed_rules();

}  // namespace sim::loop

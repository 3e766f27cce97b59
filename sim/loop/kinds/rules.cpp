#include "sim/loop/kinds/rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "sim/loop/store/selectors.hpp"
#include "sim/loop/store/store.hpp"
#include "sim/models/kubernetes/views/table.hpp"

namespace sim::loop {

const KindRules* rules_of(std::string_view group, std::string_view kind) {
  // THE list of kinds with rules.
  static const std::map<std::pair<std::string, std::string>, KindRules> kRules = [] {
    std::map<std::pair<std::string, std::string>, KindRules> all;
    std::vector<KindRules> list = {pod_rules(), node_rules(), deployment_rules(), replica_set_rules(), stateful_set_rules(), daemon_set_rules(), job_rules(),
                                   cron_job_rules(), service_rules(), pod_disruption_budget_rules(), namespace_rules(), event_rules(), persistent_volume_rules(),
                                   persistent_volume_claim_rules()};
    for (KindRules& rules : printed_rules()) list.push_back(std::move(rules));
    for (KindRules& rules : list) all.emplace(std::pair{std::string(rules.group), std::string(rules.kind)}, std::move(rules));
    return all;
  }();
  const auto found = kRules.find(std::pair{std::string(group), std::string(kind)});
  return found == kRules.end() ? nullptr : &found->second;
}

std::string age(const Json& timestamp, Now now) { return duration_between(timestamp, Json(), now); }

std::string duration_between(const Json& from, const Json& to, Now now) {
  const std::optional<std::int64_t> begin = parse_rfc3339(from.text());
  if (!begin) return "<unknown>";
  const std::int64_t end = parse_rfc3339(to.text()).value_or(now.unix_nanoseconds);
  const std::int64_t span = end - *begin;
  if (span < 0) return "<invalid>";
  return k8s::views::human_duration(SimDuration(span));
}

std::string join_text(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ",")); }

std::vector<Json> containers_and_images(const Json& pod_spec) {
  std::vector<std::string> names;
  std::vector<std::string> images;
  for (const Json& container : pod_spec.at("containers").items()) {
    names.push_back(container.at("name").text());
    images.push_back(container.at("image").text());
  }
  return {join_text(names), join_text(images)};
}

std::string selector_text(const Json& selector) {
  std::vector<std::string> parts;
  std::map<std::string, std::string> labels;
  for (const Member& m : selector.at("matchLabels").members()) labels[m.key] = m.value.text();
  for (const auto& [key, value] : labels) parts.push_back(fmt::format("{}={}", key, value));
  for (const Json& e : selector.at("matchExpressions").items()) {
    const std::string& op = e.at("operator").text();
    std::vector<std::string> values;
    for (const Json& v : e.at("values").items()) values.push_back(v.text());
    if (op == "Exists") parts.push_back(e.at("key").text());
    if (op == "DoesNotExist") parts.push_back("!" + e.at("key").text());
    if (op == "In") parts.push_back(fmt::format("{} in ({})", e.at("key").text(), fmt::join(values, ",")));
    if (op == "NotIn") parts.push_back(fmt::format("{} notin ({})", e.at("key").text(), fmt::join(values, ",")));
  }
  return parts.empty() ? "<none>" : join_text(parts);
}

void validate_workload_selector(const Json& document, const Json* before, FieldErrors& errors) {
  const Json& selector = document.at({"spec", "selector"});
  const Json& labels = document.at({"spec", "template", "metadata", "labels"});
  if (selector.is_null()) {
    errors.required("spec.selector", "");
  } else if (selector.at("matchLabels").is_empty() && selector.at("matchExpressions").is_empty()) {
    errors.invalid("spec.selector", selector, "empty selector is invalid for deployment");
  }
  if (selector.is_null() || !selector_matches(selector, labels)) {
    errors.invalid("spec.template.metadata.labels", labels.is_null() ? Json::object() : labels, "`selector` does not match template `labels`");
  }
  if (before != nullptr && !(before->at({"spec", "selector"}) == selector)) errors.immutable("spec.selector", selector);
  const std::string& restart = document.at({"spec", "template", "spec", "restartPolicy"}).text();
  if (!restart.empty() && restart != "Always") errors.not_supported("spec.template.spec.restartPolicy", restart, {"Always"});
}

void validate_non_negative(const Json& document, std::string_view field, FieldErrors& errors) {
  const Json& value = document.at({"spec", field});
  if (value.is_number() && value.as_integer() < 0) errors.invalid(fmt::format("spec.{}", field), value, "must be greater than or equal to 0");
}

}  // namespace sim::loop

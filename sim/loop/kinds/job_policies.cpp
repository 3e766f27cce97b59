// Source: pkg/apis/batch/validation/validation.go of v1.36: validateJobSpec, validatePodFailurePolicy, validateSuccessPolicy, validatePodReplacementPolicy.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/loop/kinds/rules.hpp"
#include "sim/models/kubernetes/controllers/job_policies.hpp"

namespace sim::loop {

namespace {

constexpr std::size_t kRulesMax = 20;
constexpr std::size_t kExitCodesMax = 255;
constexpr std::size_t kConditionsMax = 20;
constexpr std::int64_t kIndexedParallelismMax = 100'000;
constexpr std::int64_t kFailedIndexesMax = 100'000;
constexpr std::int64_t kManyCompletions = 100'000;
constexpr std::int64_t kMaxWithManyCompletions = 10'000;

void validate_word(const Json& given, const std::string& field, const std::vector<std::string>& words, FieldErrors& errors) {
  if (std::find(words.begin(), words.end(), given.text()) == words.end()) errors.not_supported(field, given, words);
}

void validate_limits(const Json& spec, FieldErrors& errors) {
  const Json& per_index = spec.at("backoffLimitPerIndex");
  const Json& most_failed = spec.at("maxFailedIndexes");
  if (!most_failed.is_null() && per_index.is_null()) errors.required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified");
  if (spec.at("completionMode").text() != "Indexed") {
    if (!per_index.is_null()) errors.invalid("spec.backoffLimitPerIndex", per_index, "requires indexed completion mode");
    if (!most_failed.is_null()) errors.invalid("spec.maxFailedIndexes", most_failed, "requires indexed completion mode");
    return;
  }
  const std::int64_t parallelism = spec.at("parallelism").as_integer(0);
  const std::int64_t completions = spec.at("completions").as_integer(0);
  if (parallelism > kIndexedParallelismMax) {
    errors.invalid("spec.parallelism", parallelism, fmt::format("must be less than or equal to {} when completion mode is Indexed", kIndexedParallelismMax));
  }
  if (!most_failed.is_null() && most_failed.as_integer() > completions) errors.invalid("spec.maxFailedIndexes", most_failed, "must be less than or equal to completions");
  if (!most_failed.is_null() && most_failed.as_integer() > kFailedIndexesMax) {
    errors.invalid("spec.maxFailedIndexes", most_failed, fmt::format("must be less than or equal to {}", kFailedIndexesMax));
  }
  if (completions <= kManyCompletions || per_index.is_null()) return;
  if (most_failed.is_null()) errors.required("spec.maxFailedIndexes", fmt::format("must be specified when completions is above {}", kManyCompletions));
  for (const std::string_view field : {"parallelism", "maxFailedIndexes"}) {
    if (spec.at(field).as_integer(0) <= kMaxWithManyCompletions) continue;
    errors.invalid(fmt::format("spec.{}", field), spec.at(field),
                   fmt::format("must be less than or equal to {} when completions are above {} and used with backoff limit per index", kMaxWithManyCompletions, kManyCompletions));
  }
}

void validate_exit_codes(const Json& rule, const std::string& path, const std::set<std::string>& containers, FieldErrors& errors) {
  const Json& op = rule.at("operator");
  if (op.text().empty()) {
    errors.required(path + ".operator", "valid values: [\"In\" \"NotIn\"]");
  } else {
    validate_word(op, path + ".operator", {"In", "NotIn"}, errors);
  }
  const Json& container = rule.at("containerName");
  if (!container.is_null() && !containers.contains(container.text())) {
    errors.invalid(path + ".containerName", container, "must be one of the container or initContainer names in the pod template");
  }
  const Json& values = rule.at("values");
  if (values.size() == 0) errors.invalid(path + ".values", Json::array(), "at least one value is required");
  if (values.size() > kExitCodesMax) errors.too_many(path + ".values", values.size(), kExitCodesMax);
  std::set<std::int64_t> seen;
  bool is_ordered = true;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Json& value = values.items()[i];
    const std::string at = fmt::format("{}.values[{}]", path, i);
    if (op.text() == "In" && value.as_integer() == 0) errors.invalid(at, value, "must not be 0 for the In operator");
    if (!seen.insert(value.as_integer()).second) errors.duplicate(at, value);
    is_ordered = is_ordered && (i == 0 || before <= value.as_integer());
    before = value.as_integer();
  }
  if (!is_ordered) errors.invalid(path + ".values", values, "must be ordered");
}

void validate_failure_policy(const Json& spec, FieldErrors& errors) {
  const std::string path = "spec.podFailurePolicy.rules";
  const Json& rules = spec.at({"podFailurePolicy", "rules"});
  if (rules.size() > kRulesMax) errors.too_many(path, rules.size(), kRulesMax);
  std::set<std::string> containers;
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const Json& container : spec.at({"template", "spec", list}).items()) containers.insert(container.at("name").text());
  }
  const std::vector<std::string> statuses = {"False", "True", "Unknown"};
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Json& rule = rules.items()[i];
    const std::string at = fmt::format("{}[{}]", path, i);
    const Json& action = rule.at("action");
    if (action.text().empty()) {
      errors.required(at + ".action", "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
    } else if (action.text() == "FailIndex") {
      if (spec.at("backoffLimitPerIndex").is_null()) errors.invalid(at + ".action", action, "requires the backoffLimitPerIndex to be set");
    } else {
      validate_word(action, at + ".action", {"Count", "FailIndex", "FailJob", "Ignore"}, errors);
    }
    const bool has_codes = !rule.at("onExitCodes").is_null();
    const Json& conditions = rule.at("onPodConditions");
    if (has_codes) validate_exit_codes(rule.at("onExitCodes"), at + ".onExitCodes", containers, errors);
    if (conditions.size() > kConditionsMax) errors.too_many(at + ".onPodConditions", conditions.size(), kConditionsMax);
    for (std::size_t c = 0; c < conditions.size(); ++c) {
      const Json& status = conditions.items()[c].at("status");
      const std::string field = fmt::format("{}.onPodConditions[{}].status", at, c);
      if (status.text().empty()) {
        errors.required(field, "valid values: [\"False\" \"True\" \"Unknown\"]");
      } else {
        validate_word(status, field, statuses, errors);
      }
    }
    if (has_codes && conditions.size() > 0) errors.invalid_without_value(at, "specifying both OnExitCodes and OnPodConditions is not supported");
    if (!has_codes && conditions.size() == 0) errors.invalid_without_value(at, "specifying one of OnExitCodes and OnPodConditions is required");
  }
}

void validate_success_policy(const Json& spec, FieldErrors& errors) {
  if (spec.at("completionMode").text() != "Indexed") {
    errors.invalid("spec.successPolicy", spec.at("successPolicy"), "requires indexed completion mode");
    return;
  }
  const std::string path = "spec.successPolicy.rules";
  const Json& rules = spec.at({"successPolicy", "rules"});
  const std::int64_t completions = spec.at("completions").as_integer(0);
  if (rules.size() == 0) errors.required(path, "at least one rules must be specified when the successPolicy is specified");
  if (rules.size() > kRulesMax) errors.too_many(path, rules.size(), kRulesMax);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Json& rule = rules.items()[i];
    const std::string at = fmt::format("{}[{}]", path, i);
    const Json& count = rule.at("succeededCount");
    const Json& indexes = rule.at("succeededIndexes");
    if (count.is_null() && indexes.is_null()) errors.required(at, "at least one of succeededCount or succeededIndexes must be specified");
    std::int64_t total = 0;
    if (!indexes.is_null()) {
      const std::optional<std::string> why = k8s::check_indexes(indexes.text(), completions);
      if (why) errors.invalid(at + ".succeededIndexes", indexes, fmt::format("error parsing succeededIndexes: {}", *why));
      if (!why) total = static_cast<std::int64_t>(k8s::indexes_of(indexes.text(), completions).size());
    }
    if (count.is_null()) continue;
    if (count.as_integer() < 0) errors.invalid(at + ".succeededCount", count, "must be greater than or equal to 0");
    if (count.as_integer() > completions) {
      errors.invalid(at + ".succeededCount", count, fmt::format("must be less than or equal to {} (the number of specified completions)", completions));
    }
    if (!indexes.is_null() && count.as_integer() > total) {
      errors.invalid(at + ".succeededCount", count, fmt::format("must be less than or equal to {} (the number of indexes in the specified succeededIndexes field)", total));
    }
  }
}

}  // namespace

void validate_job_policies(const Json& spec, FieldErrors& errors) {
  validate_limits(spec, errors);
  if (!spec.at("podFailurePolicy").is_null()) validate_failure_policy(spec, errors);
  if (!spec.at("successPolicy").is_null()) validate_success_policy(spec, errors);
  const Json& replacement = spec.at("podReplacementPolicy");
  if (!replacement.is_null()) {
    validate_word(replacement, "spec.podReplacementPolicy", spec.at("podFailurePolicy").is_null() ? std::vector<std::string>{"Failed", "TerminatingOrFailed"} : std::vector<std::string>{"Failed"}, errors);
  }
  const std::string& manager = spec.at("managedBy").text();
  const std::size_t slash = manager.find('/');
  if (!spec.at("managedBy").is_null() && (slash == std::string::npos || slash == 0 || slash + 1 == manager.size())) {
    errors.invalid("spec.managedBy", manager, "must be a domain-prefixed path (such as \"acme.io/foo\")");
  }
}

}  // namespace sim::loop

/// What a Job says of failed pods, of early success and of its indexes: podFailurePolicy, successPolicy, backoffLimitPerIndex, maxFailedIndexes.
///
/// Source: k8s.io/api batch/v1 types.go (v1.36).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/symbol.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

enum class PodFailureAction : std::uint8_t { kFailJob, kFailIndex, kIgnore, kCount };
const char* to_string(PodFailureAction action);  // "FailJob"

struct PodFailureRule {
  struct ExitCodes {
    Symbol container;  // empty: of any container
    bool is_in = true;  // operator In, else NotIn
    std::vector<std::int64_t> values;
  };
  struct Condition {
    Symbol type;
    ConditionStatus status = ConditionStatus::kTrue;
  };
  PodFailureAction action = PodFailureAction::kCount;
  std::optional<ExitCodes> on_exit_codes;  // else on_conditions
  std::vector<Condition> on_conditions;    // OR
};

struct SuccessRule {
  std::optional<std::vector<std::int64_t>> indexes;  // sorted, below completions
  std::optional<std::int64_t> count;
};

struct JobPolicies {
  std::optional<std::vector<PodFailureRule>> failure_rules;
  std::vector<SuccessRule> success_rules;
  std::optional<std::int64_t> backoff_limit_per_index;
  std::optional<std::int64_t> max_failed_indexes;
};

}  // namespace sim::k8s

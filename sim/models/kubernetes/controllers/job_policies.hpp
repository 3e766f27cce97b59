/// What a Job's policies make of failed pods and of succeeded indexes.
///
/// Source: pkg/controller/job/{pod_failure_policy,success_policy,indexed_job_utils}.go (v1.36).
/// Leaves out: pod conditions that nothing here sets (they match nothing).
/// Checked by: tests/models/kubernetes/controllers/job_policies_test.cpp (the cases of pod_failure_policy_test.go, success_policy_test.go and
///             indexed_job_utils_test.go).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/api/job_policies.hpp"

namespace sim::k8s {

/// What the first rule that matches says of a failed pod.
struct PodFailureVerdict {
  std::optional<std::string> fails_job;    // with this message
  bool counts = true;                      // towards the back-off limits
  std::optional<PodFailureAction> action;  // absent: no rule matches, so it counts
};
PodFailureVerdict judge_failed_pod(const JobPolicies* policies, const Pod& pod, const Interner& names);

/// The status of a condition of a pod, as far as pods have conditions here. Absent: the pod has no such condition.
std::optional<ConditionStatus> condition_of(const Pod& pod, std::string_view type);

/// "Matched rules at index 0"; absent: no rule is met. `succeeded` is sorted.
std::optional<std::string> met_success_rule(const std::vector<SuccessRule>& rules, const std::vector<std::int64_t>& succeeded);

/// "1,3-5,7" and back. A range of two is written "3,4". What cannot be read, or is not below `completions`, is left out.
std::string indexes_text(const std::vector<std::int64_t>& sorted);
std::vector<std::int64_t> indexes_of(std::string_view text, std::int64_t completions);
/// What the API server says of a text that is no such list, in its words; absent: it is one.
std::optional<std::string> check_indexes(std::string_view text, std::int64_t completions);

/// Both sorted, without duplicates; so is the result.
std::vector<std::int64_t> merged_indexes(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b);

}  // namespace sim::k8s

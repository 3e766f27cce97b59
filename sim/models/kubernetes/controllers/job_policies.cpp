#include "sim/models/kubernetes/controllers/job_policies.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

namespace sim::k8s {

namespace {

struct Terminated {
  Symbol container;
  std::int64_t exit_code = 0;
};

/// The first container of the list that ended as the rule says.
std::optional<Terminated> first_match(const std::vector<ContainerStatus>& statuses, const std::vector<Container>& containers,
                                      const PodFailureRule::ExitCodes& rule) {
  for (std::size_t i = 0; i < statuses.size() && i < containers.size(); ++i) {
    const ContainerStatus& status = statuses[i];
    if (status.state != ContainerState::kTerminated || status.exit_code == 0) continue;
    if (rule.container && rule.container != containers[i].name) continue;
    const bool listed = std::find(rule.values.begin(), rule.values.end(), std::int64_t{status.exit_code}) != rule.values.end();
    if (listed == rule.is_in) return Terminated{containers[i].name, status.exit_code};
  }
  return std::nullopt;
}

bool parse_index(std::string_view digits, std::int64_t& value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size() && value >= 0;
}

}  // namespace

const char* to_string(PodFailureAction action) {
  switch (action) {
    case PodFailureAction::kFailJob: return "FailJob";
    case PodFailureAction::kFailIndex: return "FailIndex";
    case PodFailureAction::kIgnore: return "Ignore";
    case PodFailureAction::kCount: return "Count";
  }
  return "";
}

std::optional<ConditionStatus> condition_of(const Pod& pod, std::string_view type) {
  const auto of = [](bool holds) { return holds ? ConditionStatus::kTrue : ConditionStatus::kFalse; };
  if (type == "DisruptionTarget") return pod.disruption_target ? std::optional(ConditionStatus::kTrue) : std::nullopt;
  if (type == "PodScheduled") {
    if (pod.node_name) return ConditionStatus::kTrue;
    return pod.unschedulable ? std::optional(ConditionStatus::kFalse) : std::nullopt;
  }
  // The kubelet writes the others with its first status.
  if (!pod.start_time) return std::nullopt;
  if (type == "Ready" || type == "ContainersReady") return of(pod.ready);
  if (type == "Initialized") {
    const bool done = std::all_of(pod.init_containers.begin(), pod.init_containers.end(), [](const ContainerStatus& status) {
      return (status.state == ContainerState::kTerminated && status.exit_code == 0) || status.started;
    });
    return of(done || pod.phase == PodPhase::kRunning || pod.phase == PodPhase::kSucceeded);
  }
  return std::nullopt;
}

PodFailureVerdict judge_failed_pod(const JobPolicies* policies, const Pod& pod, const Interner& names) {
  PodFailureVerdict verdict;
  if (policies == nullptr || !policies->failure_rules) return verdict;
  const std::vector<PodFailureRule>& rules = *policies->failure_rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const PodFailureRule& rule = rules[i];
    std::string why;  // needed by FailJob only
    if (rule.on_exit_codes) {
      std::optional<Terminated> ended = first_match(pod.containers, pod.spec->containers, *rule.on_exit_codes);
      if (!ended) ended = first_match(pod.init_containers, pod.spec->init_containers, *rule.on_exit_codes);
      if (!ended) continue;
      why = fmt::format("Container {} for pod {}/{} failed with exit code {} matching FailJob rule at index {}", names.text(ended->container),
                        names.text(pod.meta.ns), names.text(pod.meta.name), ended->exit_code, i);
    } else {
      const auto matched = std::find_if(rule.on_conditions.begin(), rule.on_conditions.end(), [&](const PodFailureRule::Condition& wanted) {
        return condition_of(pod, names.text(wanted.type)) == wanted.status;
      });
      if (matched == rule.on_conditions.end()) continue;
      why = fmt::format("Pod {}/{} has condition {} matching FailJob rule at index {}", names.text(pod.meta.ns), names.text(pod.meta.name),
                        names.text(matched->type), i);
    }
    verdict.action = rule.action;
    verdict.counts = rule.action != PodFailureAction::kIgnore;
    if (rule.action == PodFailureAction::kFailJob) verdict.fails_job = std::move(why);
    return verdict;
  }
  return verdict;
}

std::optional<std::string> met_success_rule(const std::vector<SuccessRule>& rules, const std::vector<std::int64_t>& succeeded) {
  if (succeeded.empty()) return std::nullopt;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const SuccessRule& rule = rules[i];
    bool met = false;
    if (rule.indexes) {
      if (rule.indexes->empty()) continue;
      std::vector<std::int64_t> both;
      std::set_intersection(rule.indexes->begin(), rule.indexes->end(), succeeded.begin(), succeeded.end(), std::back_inserter(both));
      met = both.size() == rule.indexes->size() || (rule.count && static_cast<std::int64_t>(both.size()) >= *rule.count);
    } else {
      met = rule.count && static_cast<std::int64_t>(succeeded.size()) >= *rule.count;
    }
    if (met) return fmt::format("Matched rules at index {}", i);
  }
  return std::nullopt;
}

std::string indexes_text(const std::vector<std::int64_t>& sorted) {
  std::string text;
  for (std::size_t first = 0; first < sorted.size();) {
    std::size_t last = first;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += fmt::format("{}", sorted[first]);
    if (last > first) text += fmt::format("{}{}", last == first + 1 ? ',' : '-', sorted[last]);
    first = last + 1;
  }
  return text;
}

std::vector<std::int64_t> indexes_of(std::string_view text, std::int64_t completions) {
  std::vector<std::int64_t> result;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::size_t dash = part.find('-');
    std::int64_t first = 0;
    if (!parse_index(part.substr(0, dash), first)) continue;
    if (first >= completions) break;
    std::int64_t last = first;
    if (dash != std::string_view::npos && !parse_index(part.substr(dash + 1), last)) continue;
    for (std::int64_t index = first; index <= std::min(last, completions - 1); ++index) {
      if (result.empty() || index > result.back()) result.push_back(index);
    }
  }
  return result;
}

std::optional<std::string> check_indexes(std::string_view text, std::int64_t completions) {
  if (text.empty()) return std::nullopt;
  std::optional<std::int64_t> before;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (std::count(part.begin(), part.end(), '-') > 1) {
      return fmt::format("the fragment \"{}\" violates the requirement that an index interval can have at most two parts separated by '-'", part);
    }
    const std::size_t dash = part.find('-');
    std::int64_t limits[2] = {0, 0};
    for (int i = 0; i < (dash == std::string_view::npos ? 1 : 2); ++i) {
      const std::string_view digits = i == 0 ? part.substr(0, dash) : part.substr(dash + 1);
      if (!parse_index(digits, limits[i])) return fmt::format("cannot convert string to integer for index: \"{}\"", digits);
      if (limits[i] >= completions) return fmt::format("too large index: \"{}\"", digits);
    }
    if (dash == std::string_view::npos) {
      limits[1] = limits[0];
    } else if (limits[0] >= limits[1]) {
      return fmt::format("non-increasing order, previous: {}, current: {}", limits[0], limits[1]);
    }
    if (before && *before >= limits[0]) return fmt::format("non-increasing order, previous: {}, current: {}", *before, limits[0]);
    before = limits[1];
    if (comma == std::string_view::npos) return std::nullopt;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::int64_t> merged_indexes(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::vector<std::int64_t> result;
  result.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

}  // namespace sim::k8s

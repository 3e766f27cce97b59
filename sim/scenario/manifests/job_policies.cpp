#include "sim/models/kubernetes/api/job_policies.hpp"

#include <algorithm>

#include "sim/models/kubernetes/controllers/job_policies.hpp"
#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kFailurePolicyFields[] = {"rules"};
constexpr Names kFailureRuleFields[] = {"action", "onExitCodes", "onPodConditions"};
constexpr Names kExitCodesFields[] = {"containerName", "operator", "values"};
constexpr Names kConditionFields[] = {"type", "status"};
constexpr Names kSuccessRuleFields[] = {"succeededIndexes", "succeededCount"};
constexpr std::string_view kSimulatedConditions[] = {"DisruptionTarget", "PodScheduled", "Ready", "ContainersReady", "Initialized"};
// pkg/apis/batch/validation/validation.go
constexpr std::size_t kRulesMax = 20;
constexpr std::size_t kExitCodesMax = 255;
constexpr std::size_t kConditionsMax = 20;
constexpr std::size_t kManagedByMax = 63;
constexpr std::int64_t kManyCompletions = 100'000;
constexpr std::int64_t kFailedIndexesMax = 100'000;
constexpr std::int64_t kMaxWithManyCompletions = 10'000;

struct PolicyReader {
  ObjectReader& in;
  const JobSpec& job;
  bool has_limit_per_index;

  /// One word of a table, which must be there.
  template <class E>
  E needed(Yaml map, std::string_view key, std::initializer_list<std::pair<std::string_view, E>> words, std::string_view where) {
    if (map.find(key).is_null()) in.impossible(map, fmt::format("{} needs '{}'", where, key));
    return in.word<E>(map, key, words);
  }

  bool has_container(Symbol name) const {
    const PodSpec& pods = *job.pod_template.spec;
    for (const std::vector<Container>* list : {&pods.containers, &pods.init_containers}) {
      for (const Container& c : *list) {
        if (c.name == name) return true;
      }
    }
    return false;
  }

  PodFailureRule::ExitCodes exit_codes(Yaml node) {
    PodFailureRule::ExitCodes codes;
    in.expect_fields(node, "podFailurePolicy.rules.onExitCodes", kExitCodesFields);
    codes.container = node.find("containerName").is_null() ? Symbol{} : in.symbol(node, "containerName");
    if (codes.container && job.pod_template.spec && !has_container(codes.container)) {
      in.impossible(node.find("containerName"), fmt::format("the pod template has no container '{}'", in.names.text(codes.container)));
    }
    codes.is_in = needed<bool>(node, "operator", {{"In", true}, {"NotIn", false}}, "onExitCodes");
    const Yaml values = node.find("values");
    if (values.is_null() || !values.is_sequence() || values.size() == 0) {
      in.impossible(values.is_null() ? node : values, "onExitCodes needs 'values', at least one exit code");
      return codes;
    }
    if (values.size() > kExitCodesMax) in.impossible(values, fmt::format("at most {} exit codes", kExitCodesMax));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Yaml item = values.item(i);
      const std::optional<std::int64_t> value = item.as_integer();
      if (!value || *value < -kMaxInt32 || *value > kMaxInt32) {
        in.wrong(item, "an exit code");
        continue;
      }
      if (codes.is_in && *value == 0) in.impossible(item, "must not be 0 for the In operator");
      if (std::find(codes.values.begin(), codes.values.end(), *value) != codes.values.end()) {
        in.impossible(item, fmt::format("{} is there twice", *value));
      } else if (!codes.values.empty() && codes.values.back() > *value) {
        in.impossible(item, "the exit codes must be in increasing order");
      }
      codes.values.push_back(*value);
    }
    return codes;
  }

  std::vector<PodFailureRule::Condition> conditions(Yaml rule) {
    std::vector<PodFailureRule::Condition> list;
    for (const Yaml node : in.maps(rule, "onPodConditions")) {
      in.expect_fields(node, "podFailurePolicy.rules.onPodConditions", kConditionFields);
      PodFailureRule::Condition condition;
      if (node.find("type").is_null()) in.impossible(node, "a condition needs 'type'");
      condition.type = in.symbol(node, "type");
      using S = ConditionStatus;
      condition.status = in.word<S>(node, "status", {{"True", S::kTrue}, {"False", S::kFalse}, {"Unknown", S::kUnknown}});
      if (std::find(std::begin(kSimulatedConditions), std::end(kSimulatedConditions), in.names.text(condition.type)) == std::end(kSimulatedConditions)) {
        in.not_simulated(node.find("type"), fmt::format("podFailurePolicy: the pod condition {} (nothing sets it, so it matches no pod)", in.names.text(condition.type)));
      }
      list.push_back(condition);
    }
    if (list.size() > kConditionsMax) in.impossible(rule.find("onPodConditions"), fmt::format("at most {} conditions", kConditionsMax));
    return list;
  }

  std::vector<PodFailureRule> failure_rules(Yaml policy) {
    std::vector<PodFailureRule> rules;
    in.expect_fields(policy, "Job.spec.podFailurePolicy", kFailurePolicyFields);
    for (const Yaml node : in.maps(policy, "rules")) {
      in.expect_fields(node, "Job.spec.podFailurePolicy.rules", kFailureRuleFields);
      PodFailureRule rule;
      using A = PodFailureAction;
      rule.action = needed<A>(node, "action", {{"Count", A::kCount}, {"FailIndex", A::kFailIndex}, {"FailJob", A::kFailJob}, {"Ignore", A::kIgnore}}, "a rule");
      if (rule.action == A::kFailIndex && !has_limit_per_index) in.impossible(node.find("action"), "FailIndex requires the backoffLimitPerIndex to be set");
      if (const Yaml codes = in.map(node, "onExitCodes"); codes) rule.on_exit_codes = exit_codes(codes);
      rule.on_conditions = conditions(node);
      if (rule.on_exit_codes && !rule.on_conditions.empty()) in.impossible(node, "specifying both onExitCodes and onPodConditions is not supported");
      if (!rule.on_exit_codes && rule.on_conditions.empty()) in.impossible(node, "specifying one of onExitCodes and onPodConditions is required");
      rules.push_back(std::move(rule));
    }
    if (rules.size() > kRulesMax) in.impossible(policy.find("rules"), fmt::format("at most {} rules", kRulesMax));
    return rules;
  }

  std::vector<SuccessRule> success_rules(Yaml policy) {
    std::vector<SuccessRule> rules;
    in.expect_fields(policy, "Job.spec.successPolicy", kFailurePolicyFields);
    const std::int64_t completions = job.completions.value_or(0);
    for (const Yaml node : in.maps(policy, "rules")) {
      in.expect_fields(node, "Job.spec.successPolicy.rules", kSuccessRuleFields);
      SuccessRule rule;
      rule.count = in.integer(node, "succeededCount", 0, completions);
      if (const Yaml indexes = node.find("succeededIndexes"); !indexes.is_null()) {
        const std::string_view text = in.text(node, "succeededIndexes");
        if (const std::optional<std::string> why = check_indexes(text, completions)) in.impossible(indexes, fmt::format("error parsing succeededIndexes: {}", *why));
        rule.indexes = indexes_of(text, completions);
        if (rule.count && *rule.count > static_cast<std::int64_t>(rule.indexes->size())) {
          in.impossible(node.find("succeededCount"), fmt::format("must be less than or equal to {} (the number of indexes in the specified succeededIndexes field)", rule.indexes->size()));
        }
      } else if (!rule.count) {
        in.impossible(node, "at least one of succeededCount or succeededIndexes must be specified");
      }
      rules.push_back(std::move(rule));
    }
    if (rules.empty()) in.impossible(policy, "at least one rules must be specified when the successPolicy is specified");
    if (rules.size() > kRulesMax) in.impossible(policy.find("rules"), fmt::format("at most {} rules", kRulesMax));
    return rules;
  }
};

}  // namespace

void ObjectReader::job_policies(Yaml spec, JobSpec& job) {
  JobPolicies policies;
  policies.backoff_limit_per_index = integer(spec, "backoffLimitPerIndex");
  policies.max_failed_indexes = integer(spec, "maxFailedIndexes");
  const Yaml most_failed = spec.find("maxFailedIndexes");
  if (!job.indexed) {
    for (const std::string_view field : {"backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"}) {
      if (!spec.find(field).is_null()) impossible(spec.find(field), fmt::format("{} requires indexed completion mode", field)).hint = "completionMode: Indexed";
    }
  } else if (policies.max_failed_indexes) {
    if (!policies.backoff_limit_per_index) impossible(most_failed, "maxFailedIndexes needs backoffLimitPerIndex");
    if (job.completions && *policies.max_failed_indexes > *job.completions) impossible(most_failed, "must be less than or equal to completions");
    if (*policies.max_failed_indexes > kFailedIndexesMax) impossible(most_failed, fmt::format("must be less than or equal to {}", kFailedIndexesMax));
  }
  if (job.indexed && policies.backoff_limit_per_index && job.completions.value_or(0) > kManyCompletions) {
    if (!policies.max_failed_indexes) impossible(spec.find("completions"), fmt::format("maxFailedIndexes must be specified when completions is above {}", kManyCompletions));
    for (const std::string_view field : {"parallelism", "maxFailedIndexes"}) {
      if (integer_or(spec, field, 0) <= kMaxWithManyCompletions) continue;
      impossible(spec.find(field), fmt::format("must be less than or equal to {} when completions are above {} and used with backoff limit per index",
                                               kMaxWithManyCompletions, kManyCompletions));
    }
  }

  PolicyReader reader{*this, job, policies.backoff_limit_per_index.has_value()};
  if (const Yaml failure = map(spec, "podFailurePolicy"); failure) {
    policies.failure_rules = reader.failure_rules(failure);
    if (job.pod_template.spec && job.pod_template.spec->restart_policy == RestartPolicy::kOnFailure) {
      impossible(failure, "a podFailurePolicy needs pods that are not restarted in place").expected = "restartPolicy: Never";
    }
  }
  if (const Yaml success = map(spec, "successPolicy"); success && job.indexed) policies.success_rules = reader.success_rules(success);
  job.replaces_only_failed = policies.failure_rules.has_value();
  if (!spec.find("podReplacementPolicy").is_null()) {
    job.replaces_only_failed = word<bool>(spec, "podReplacementPolicy", {{"TerminatingOrFailed", false}, {"Failed", true}});
    if (policies.failure_rules && !job.replaces_only_failed) impossible(spec.find("podReplacementPolicy"), "with a podFailurePolicy only Failed is supported");
  }
  job.managed_by = spec.find("managedBy").is_null() ? Symbol{} : symbol(spec, "managedBy");
  if (job.managed_by) {
    const std::string& name = names.text(job.managed_by);
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == name.size()) {
      impossible(spec.find("managedBy"), fmt::format("'{}' is no name of a controller", name)).expected = "a domain-prefixed path, such as \"acme.io/foo\"";
    } else if (name.size() > kManagedByMax) {
      impossible(spec.find("managedBy"), fmt::format("may not be more than {} bytes", kManagedByMax));
    }
  }
  if (policies.failure_rules || !policies.success_rules.empty() || policies.backoff_limit_per_index || policies.max_failed_indexes) {
    job.policies = std::make_shared<const JobPolicies>(std::move(policies));
  }
}

}  // namespace sim::scenario::manifests

// The cases are those of upstream's pod_failure_policy_test.go, success_policy_test.go, indexed_job_utils_test.go and backoff_utils_test.go (v1.36), as
// inputs and outcomes. Left out: cases of feature gates that are off, and of actions or operators that the API refuses before they get here.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/job_decisions.hpp"
#include "sim/models/kubernetes/controllers/job_policies.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using Indexes = std::vector<std::int64_t>;
using A = PodFailureAction;

struct Ended {
  std::string container;
  std::optional<int> exit_code;  // absent: it has not ended
};
struct Rule {
  A action;
  std::optional<bool> is_in;  // of exit codes; absent: of a condition
  Indexes codes;
  std::string condition = "DisruptionTarget";
  ConditionStatus status = ConditionStatus::kTrue;
  std::string container{};
};
struct FailureCase {
  std::string name;
  std::vector<Rule> rules;
  std::vector<Ended> containers;
  std::vector<Ended> init_containers;
  bool disrupted = false;
  std::string message;  // of FailJob
  bool counts = true;
  std::optional<A> action;
};

TEST(JobPolicies, FailedPods) {
  const std::vector<FailureCase> cases = {
      {"no rules", {}, {{"main", 2}}, {}, false, "", true, std::nullopt},
      {"ignored by exit code", {{A::kIgnore, true, {1, 2, 3}}}, {{"main", 2}}, {}, false, "", false, A::kIgnore},
      {"negative exit codes", {{A::kIgnore, true, {-1073741676, -1073741510}}}, {{"main", -1073741510}}, {}, false, "", false, A::kIgnore},
      {"FailJob by exit code", {{A::kFailJob, true, {1, 2, 3}}}, {{"main-container", 2}}, {}, false,
       "Container main-container for pod default/mypod failed with exit code 2 matching FailJob rule at index 0", true, A::kFailJob},
      {"containers that succeeded match nothing", {{A::kFailJob, false, {111}}}, {{"main-container", 111}, {"support", 0}}, {{"init", 0}}, false, "", true, std::nullopt},
      {"FailIndex by exit code", {{A::kFailIndex, true, {1, 2, 3}}}, {{"main", 2}}, {}, false, "", true, A::kFailIndex},
      {"NotIn and 0", {{A::kFailJob, false, {0}}}, {{"main-container", 1}, {"support", 0}}, {}, false,
       "Container main-container for pod default/mypod failed with exit code 1 matching FailJob rule at index 0", true, A::kFailJob},
      {"the second rule", {{A::kCount, true, {1, 2, 3}}, {A::kFailJob, true, {4, 5, 6}}}, {{"main-container", 6}}, {}, false,
       "Container main-container for pod default/mypod failed with exit code 6 matching FailJob rule at index 1", true, A::kFailJob},
      {"counted by exit code, one still runs", {{A::kCount, true, {1, 2, 3}}}, {{"foo", std::nullopt}, {"bar", 2}}, {}, false, "", true, A::kCount},
      {"FailIndex by condition", {{A::kFailIndex, std::nullopt, {}}}, {}, {}, true, "", true, A::kFailIndex},
      {"ignored by condition", {{A::kIgnore, std::nullopt, {}}}, {}, {}, true, "", false, A::kIgnore},
      {"the pattern wants False, it is True", {{A::kIgnore, std::nullopt, {}, "DisruptionTarget", ConditionStatus::kFalse}}, {}, {}, true, "", true, std::nullopt},
      {"the pattern wants True, it is not there", {{A::kIgnore, std::nullopt, {}}}, {}, {}, false, "", true, std::nullopt},
      {"FailJob by condition", {{A::kFailJob, std::nullopt, {}}}, {}, {}, true, "Pod default/mypod has condition DisruptionTarget matching FailJob rule at index 0", true, A::kFailJob},
      {"counted by condition", {{A::kCount, std::nullopt, {}}}, {}, {}, true, "", true, A::kCount},
      {"no rule matches",
       {{A::kCount, false, {8}, "", {}, "other"}, {A::kIgnore, true, {1, 2, 3}}, {A::kFailJob, false, {5, 6, 7, 32}}, {A::kCount, std::nullopt, {}, "ResourceLimitExceeded"}, {A::kIgnore, std::nullopt, {}}},
       {{"main", 32}}, {}, false, "", true, std::nullopt},
      {"of one container only", {{A::kIgnore, true, {2}, "", {}, "sidecar"}, {A::kFailIndex, true, {2}, "", {}, "main"}}, {{"main", 2}, {"sidecar", 3}}, {}, false, "", true, A::kFailIndex},
      {"init containers come after the others", {{A::kFailJob, true, {3, 4}}}, {{"main-container", 4}}, {{"init", 3}}, false,
       "Container main-container for pod default/mypod failed with exit code 4 matching FailJob rule at index 0", true, A::kFailJob},
      {"an init container", {{A::kIgnore, true, {3}}}, {{"main", std::nullopt}}, {{"init", 3}}, false, "", false, A::kIgnore},
  };
  for (const FailureCase& c : cases) {
    SCOPED_TRACE(c.name);
    Interner names;
    JobPolicies policies;
    if (!c.rules.empty()) policies.failure_rules.emplace();
    for (const Rule& rule : c.rules) {
      PodFailureRule made;
      made.action = rule.action;
      if (rule.is_in) {
        made.on_exit_codes = PodFailureRule::ExitCodes{rule.container.empty() ? Symbol{} : names.intern(rule.container), *rule.is_in, rule.codes};
      } else {
        made.on_conditions.push_back({names.intern(rule.condition), rule.status});
      }
      policies.failure_rules->push_back(std::move(made));
    }
    auto spec = std::make_shared<PodSpec>();
    Pod pod;
    pod.meta.ns = names.intern("default");
    pod.meta.name = names.intern("mypod");
    pod.phase = PodPhase::kFailed;
    pod.disruption_target = c.disrupted;
    const auto fill = [&](const std::vector<Ended>& from, std::vector<Container>& containers, std::vector<ContainerStatus>& statuses) {
      for (const Ended& e : from) {
        containers.emplace_back().name = names.intern(e.container);
        ContainerStatus& status = statuses.emplace_back();
        status.state = e.exit_code ? ContainerState::kTerminated : ContainerState::kRunning;
        status.exit_code = e.exit_code.value_or(0);
      }
    };
    fill(c.containers, spec->containers, pod.containers);
    fill(c.init_containers, spec->init_containers, pod.init_containers);
    pod.spec = spec;
    const PodFailureVerdict verdict = judge_failed_pod(&policies, pod, names);
    EXPECT_EQ(verdict.fails_job.value_or(""), c.message);
    EXPECT_EQ(verdict.counts, c.counts);
    EXPECT_EQ(verdict.action, c.action);
  }
}

TEST(JobPolicies, SuccessRules) {
  struct Given {
    std::optional<std::string> indexes;
    std::optional<std::int64_t> count;
  };
  struct Case {
    std::string name;
    std::vector<Given> rules;
    std::string succeeded;
    std::string met;
  };
  const std::string first = "Matched rules at index 0";
  for (const Case& c : std::vector<Case>{
           {"no rules", {}, "0", ""},
           {"indexes that cannot be read", {{"invalid-form", {}}}, "0", ""},
           {"indexes", {{"0-2", {}}}, "0-2,4-7", first},
           {"not these indexes", {{"3", {}}}, "0-2", ""},
           {"a count", {{std::nullopt, 2}}, "0-2", first},
           {"not this count", {{std::nullopt, 4}}, "0-2", ""},
           {"the second of two", {{"9", {}}, {"4,6", {}}}, "0-2,4-7", "Matched rules at index 1"},
           {"both of two", {{"0,1", {}}, {"5", {}}}, "0-2,4-7", first},
           {"a count of indexes", {{"3-6", 2}}, "0-2,4-7", first},
           {"not that many of the indexes", {{"3-6", 2}}, "0-2,6-7", ""},
           {"nothing succeeded", {{std::nullopt, 4}}, "", ""},
           {"a proper subset", {{"2-4,6-8", {}}}, "1-9", first},
           {"the same", {{"2-4,6-9", {}}}, "2-4,6-9", first},
           {"a subset", {{"2-4,8-12", {}}}, "2-5,7-15", first},
           {"no indexes", {{"", {}}}, "1-3", ""},
           {"no indexes, nothing succeeded", {{"", {}}}, "", ""},
           {"none of them", {{"10-12,14-16", {}}}, "1-3,5-7", ""},
           {"overlap at the first", {{"1-3,5-7", {}}}, "2-4,6-8", ""},
           {"overlap at the first, enough of them", {{"1-3,5-7", 4}}, "2-4,6-8", first},
           {"overlap at the last", {{"2-4,6-9", {}}}, "1-3,5-7", ""},
           {"overlap at the last, enough of them", {{"2-4,6-9", 4}}, "1-3,5-7", first},
           {"more than all", {{"0-4,6-9", {}}}, "1-3,7-8", ""},
           {"more than all, enough of them", {{"0-4,6-9", 5}}, "1-3,7-8", first},
           {"overlap of several", {{"0-6,8-9", {}}}, "1-3,5-9", ""},
           {"overlap of several, enough of them", {{"0-6,8-9", 7}}, "1-3,5-9", first},
       }) {
    SCOPED_TRACE(c.name);
    std::vector<SuccessRule> rules;
    for (const Given& given : c.rules) {
      SuccessRule rule;
      if (given.indexes) rule.indexes = indexes_of(*given.indexes, 20);
      rule.count = given.count;
      rules.push_back(std::move(rule));
    }
    EXPECT_EQ(met_success_rule(rules, indexes_of(c.succeeded, 20)).value_or(""), c.met);
  }
}

TEST(JobPolicies, IndexesAsText) {
  EXPECT_EQ(indexes_text({}), "");
  EXPECT_EQ(indexes_text({1}), "1");
  EXPECT_EQ(indexes_text({3, 4}), "3,4");
  EXPECT_EQ(indexes_text({1, 3, 4, 5, 7}), "1,3-5,7");
  EXPECT_EQ(indexes_text({0, 1, 2}), "0-2");
  EXPECT_EQ(indexes_of("1,3-5,7", 10), (Indexes{1, 3, 4, 5, 7}));
  EXPECT_EQ(indexes_of("0-5,10", 8), (Indexes{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(indexes_of("0-5,8-12", 10), (Indexes{0, 1, 2, 3, 4, 5, 8, 9}));
  EXPECT_EQ(indexes_of("0,1-foo,bar", 4), (Indexes{0}));
  EXPECT_EQ(merged_indexes({3, 4, 6}, {2, 4, 7, 8}), (Indexes{2, 3, 4, 6, 7, 8}));
  EXPECT_EQ(check_indexes("0,2-5", 6), std::nullopt);
  EXPECT_EQ(check_indexes("", 6), std::nullopt);
  EXPECT_EQ(check_indexes("0,2-6", 6).value_or(""), "too large index: \"6\"");
  EXPECT_EQ(check_indexes("invalid", 6).value_or(""), "cannot convert string to integer for index: \"invalid\"");
  EXPECT_EQ(check_indexes("1-2-3", 6).value_or(""), "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'");
  EXPECT_EQ(check_indexes("3,1", 6).value_or(""), "non-increasing order, previous: 3, current: 1");
  EXPECT_EQ(check_indexes("5-3", 6).value_or(""), "non-increasing order, previous: 5, current: 3");
  EXPECT_EQ(check_indexes("0,", 6).value_or(""), "cannot convert string to integer for index: \"\"");
}

TEST(JobPolicies, PendingIndexes) {
  EXPECT_EQ(pending_indexes(3, {}, {}, 5), (Indexes{0, 1, 2}));
  EXPECT_EQ(pending_indexes(5, {}, {}, 2), (Indexes{0, 1}));
  EXPECT_EQ(pending_indexes(10, {}, {0, 1}, 3), (Indexes{2, 3, 4}));
  EXPECT_EQ(pending_indexes(6, {4, 5}, {6}, 6), (Indexes{0, 1, 2, 3}));
  EXPECT_EQ(pending_indexes(20, {2, 3, 4, 9}, {3, 5, 8}, 5), (Indexes{0, 1, 6, 7, 10}));
  EXPECT_EQ(pending_indexes(20, merged_indexes({1, 5, 9}, {2, 6, 7}), {3, 9}, 5), (Indexes{0, 4, 8, 10, 11}));
}

TEST(JobPolicies, FinishTime) {
  const SimTime at = SimTime{} + 1000s;
  const SimTime now = SimTime{} + 2000s;
  Pod pod;
  auto spec = std::make_shared<PodSpec>();
  spec->containers.resize(2);
  pod.spec = spec;
  pod.meta.created = SimTime{} + 10s;
  const auto ended = [](SimTime when) {
    ContainerStatus status;
    status.state = ContainerState::kTerminated;
    status.finished_at = when;
    return status;
  };
  EXPECT_EQ(finish_time(pod, now), SimTime{} + 10s) << "nothing is known: when it was created";
  pod.phase = PodPhase::kFailed;
  pod.containers = {ended(at - 1s), ended(at)};
  EXPECT_EQ(finish_time(pod, now), at);
  pod.containers[1].state = ContainerState::kRunning;
  pod.meta.deletion_timestamp = at;
  EXPECT_EQ(finish_time(pod, now), at);
  pod.meta.deletion_grace_seconds = 30;
  EXPECT_EQ(finish_time(pod, now), at - 30s);
  pod.start_time = SimTime{} + 20s;
  pod.ready_since = at - 100s;
  EXPECT_EQ(finish_time(pod, now), at - 100s) << "since when it is not Ready comes before the deletion";
  pod.ready = true;
  EXPECT_EQ(finish_time(pod, now), at - 30s);
  // A sidecar ends after the others.
  spec->init_containers.resize(1);
  spec->init_containers[0].is_sidecar = true;
  pod.containers = {ended(at - 1s), ended(at)};
  pod.init_containers = {ended(at + 2s)};
  EXPECT_EQ(finish_time(pod, now), at + 2s);
}

TEST(JobPolicies, NamesOfIndexedPodsFit) {
  EXPECT_EQ(name_with_index("work", 3), "work-3");
  const std::string name = name_with_index(std::string(63, 'x'), 12);
  EXPECT_EQ(name, std::string(54, 'x') + "-12");
}

}  // namespace
}  // namespace sim::k8s

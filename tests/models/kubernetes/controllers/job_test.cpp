#include <gtest/gtest.h>

#include <map>

#include "sim/models/kubernetes/api/job_policies.hpp"
#include "sim/models/kubernetes/controllers/job_decisions.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

struct JobTest : testing::Test {
  JobTest() {
    cluster.add(make_job_controller(cluster.context));
    cluster.add(make_ttl_after_finished_controller(cluster.context));
    cluster.add(make_garbage_collector(cluster.context));
    cluster.start();
    cluster.kubelet.start_time = 0s;
    cluster.kubelet.runs_for = [](const Pod&) { return std::pair<SimDuration, int>{20s, 0}; };
  }
  Ref<Job> add_job(const std::function<void(JobSpec&)>& edit = [](JobSpec&) {}) {
    Job job;
    job.meta.ns = cluster.ns();
    job.meta.name = cluster.sym("work");
    job.spec.pod_template = cluster.pod_template("work", 1);
    auto spec = std::make_shared<PodSpec>(*job.spec.pod_template.spec);
    spec->restart_policy = RestartPolicy::kNever;
    job.spec.pod_template.spec = spec;
    edit(job.spec);
    work = cluster.api.create(std::move(job));
    return work;
  }
  const Job& status() { return *cluster.api.get(work); }
  std::vector<std::int64_t> creation_seconds() const {
    std::vector<std::int64_t> at;
    for (const EventLog::Record& record : cluster.log.records()) {
      if (cluster.log.kind(record) == "SuccessfulCreate") at.push_back(std::chrono::round<std::chrono::seconds>(record.time.time_since_epoch()).count());
    }
    return at;
  }
  std::int64_t index_of(const Pod& pod) {
    return std::stoll(cluster.names.text(*pod.meta.labels.find(cluster.api.well_known().job_completion_index)));
  }

  TestCluster cluster;
  Ref<Job> work;
};

TEST_F(JobTest, RunsOnePodToItsEnd) {
  add_job();
  cluster.run_to(10s);
  EXPECT_EQ(status().active, 1);
  ASSERT_EQ(cluster.pods().size(), 1u);
  EXPECT_EQ(cluster.api.get(cluster.pods()[0])->meta.labels.find(cluster.api.well_known().job_name), cluster.sym("work"));
  cluster.run_to(30s);
  EXPECT_TRUE(status().complete);
  EXPECT_EQ(status().succeeded, 1);
  EXPECT_EQ(status().active, 0);
  ASSERT_TRUE(status().completion_time);
  EXPECT_EQ(cluster.records("Completed"), (std::vector<std::string>{"Job/default/work Job completed"}));
  EXPECT_TRUE(cluster.api.get(cluster.pods()[0])->meta.finalizers.empty());
}

TEST_F(JobTest, ParallelismAndCompletions) {
  add_job([](JobSpec& s) {
    s.parallelism = 2;
    s.completions = 5;
  });
  std::int64_t most = 0;
  while (cluster.engine.now() < SimTime{} + 200s && cluster.engine.step()) most = std::max(most, cluster.active_pods());
  EXPECT_EQ(most, 2);
  EXPECT_TRUE(status().complete);
  EXPECT_EQ(status().succeeded, 5);
  EXPECT_EQ(cluster.pods().size(), 5u);
}

// Reference: parallelism 1, every pod fails at once: pods start at 0, 10, 30, 70, 150, 310, 630 s; the 7th failure is one too many.
TEST_F(JobTest, BacksOffBetweenFailuresUntilTheLimit) {
  cluster.kubelet.runs_for = [](const Pod&) { return std::pair<SimDuration, int>{0s, 1}; };
  add_job();
  cluster.run_to(629s);
  EXPECT_FALSE(status().failure_target);
  cluster.run_to(2000s);
  EXPECT_EQ(creation_seconds(), (std::vector<std::int64_t>{0, 10, 30, 70, 150, 310, 630}));
  EXPECT_TRUE(status().failed_condition);
  EXPECT_EQ(status().failed, 7);
  EXPECT_EQ(cluster.names.text(status().failed_reason), "BackoffLimitExceeded");
  ASSERT_TRUE(status().finished_at);
  EXPECT_GE(*status().finished_at, SimTime{} + 631s);
  EXPECT_LE(*status().finished_at, SimTime{} + 633s);
  // The failure is told with its reason: the last pod's exit.
  const std::vector<std::string> chain = cluster.chain(status().meta.cause);
  ASSERT_GE(chain.size(), 2u);
  EXPECT_EQ(chain[0], "BackoffLimitExceeded");
  EXPECT_EQ(chain[1], "ContainerExited");
}

TEST_F(JobTest, ANewLeaderForgetsTheBackOffButCountsNothingTwice) {
  cluster.kubelet.runs_for = [](const Pod&) { return std::pair<SimDuration, int>{0s, 1}; };
  add_job();
  cluster.run_to(200s);  // next attempt would be at 310 s
  EXPECT_EQ(status().failed, 5);
  cluster.stop();
  cluster.run_to(210s);
  cluster.start();
  cluster.run_to(211s);
  EXPECT_EQ(creation_seconds().back(), 210);
  cluster.run_to(214s);
  EXPECT_EQ(status().failed, 6);
}

TEST_F(JobTest, APodEvictedFromItsNodeCountsAsFailedAndIsReplacedForThatReason) {
  add_job();
  cluster.kubelet.stop_time = 1h;
  cluster.run_to(10s);
  const Ref<Pod> first = cluster.pods().front();
  const CauseId fault = cluster.api.record(first, "TaintManagerEviction", "for the test");
  {
    const ScopedCause because(cluster.engine, fault);
    cluster.api.remove(first);
  }
  cluster.run_to(21s);
  EXPECT_EQ(status().failed, 1);
  ASSERT_EQ(cluster.pods().size(), 2u);
  EXPECT_EQ(cluster.chain(cluster.api.get(cluster.pods()[1])->meta.cause),
            (std::vector<std::string>{"SuccessfulCreate", "TaintManagerEviction"}));
}

TEST_F(JobTest, ActiveDeadlineEndsIt) {
  cluster.kubelet.runs_for = nullptr;
  add_job([](JobSpec& s) { s.active_deadline_seconds = 60; });
  cluster.run_to(59s);
  EXPECT_EQ(status().active, 1);
  cluster.run_to(65s);
  EXPECT_TRUE(status().failed_condition);
  EXPECT_EQ(cluster.names.text(status().failed_reason), "DeadlineExceeded");
  EXPECT_EQ(cluster.pods().size(), 0u);
}

TEST_F(JobTest, FailsOnlyWhenItsPodsHaveEnded) {
  cluster.kubelet.runs_for = nullptr;
  cluster.kubelet.stop_time = 100s;
  add_job([](JobSpec& s) { s.active_deadline_seconds = 60; });
  cluster.run_to(70s);
  EXPECT_TRUE(status().failure_target);
  EXPECT_FALSE(status().failed_condition);
  cluster.run_to(165s);
  EXPECT_TRUE(status().failed_condition);
}

TEST_F(JobTest, IndexedRunsEachIndexOnceAndRepeatsTheFailed) {
  bool failed_once = false;
  cluster.kubelet.runs_for = [&](const Pod& pod) {
    if (index_of(pod) == 1 && !failed_once) {
      failed_once = true;
      return std::pair<SimDuration, int>{5s, 1};
    }
    return std::pair<SimDuration, int>{20s, 0};
  };
  add_job([](JobSpec& s) {
    s.indexed = true;
    s.completions = 4;
    s.parallelism = 2;
  });
  cluster.run_to(1s);
  std::vector<std::int64_t> indexes;
  for (const Ref<Pod> ref : cluster.pods()) indexes.push_back(index_of(*cluster.api.get(ref)));
  EXPECT_EQ(indexes, (std::vector<std::int64_t>{0, 1}));
  cluster.run_to(300s);
  EXPECT_TRUE(status().complete);
  EXPECT_EQ(status().completed_indexes, (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(status().failed, 1);
}

TEST_F(JobTest, SuspendDeletesThePodsWithoutCountingThem) {
  add_job();
  cluster.run_to(10s);
  cluster.api.update(work, Change::kSpec, [](Job& j) { j.spec.suspend = true; });
  cluster.run_to(20s);
  EXPECT_TRUE(status().suspended);
  EXPECT_EQ(status().failed, 0);
  EXPECT_EQ(cluster.pods().size(), 0u);
  cluster.api.update(work, Change::kSpec, [](Job& j) { j.spec.suspend = false; });
  cluster.run_to(60s);
  EXPECT_TRUE(status().complete);
  EXPECT_EQ(*status().start_time, SimTime{} + 20s + 5ms);
}

TEST_F(JobTest, AWorkQueueIsDoneWhenOnePodSucceededAndAllEnded) {
  cluster.kubelet.runs_for = [&](const Pod& pod) { return std::pair<SimDuration, int>{cluster.api.get(cluster.pods()[0]) == &pod ? 10s : 30s, 0}; };
  add_job([](JobSpec& s) {
    s.parallelism = 3;
    s.completions.reset();
  });
  cluster.run_to(20s);
  EXPECT_EQ(status().succeeded, 1);
  EXPECT_EQ(cluster.pods().size(), 3u);  // no new one
  EXPECT_FALSE(status().complete);
  cluster.run_to(40s);
  EXPECT_TRUE(status().complete);
}

TEST_F(JobTest, RestartsCountWithRestartPolicyOnFailure) {
  cluster.kubelet.runs_for = nullptr;
  add_job([](JobSpec& s) {
    auto spec = std::make_shared<PodSpec>(*s.pod_template.spec);
    spec->restart_policy = RestartPolicy::kOnFailure;
    s.pod_template.spec = spec;
    s.backoff_limit = 2;
  });
  cluster.run_to(5s);
  const Ref<Pod> pod = cluster.pods().front();
  const auto restart = [&](std::uint32_t count) {
    cluster.api.update(pod, Change::kContainers, [&](Pod& p) {
      p.containers.assign(1, ContainerStatus{});
      p.containers[0].restart_count = count;
    });
  };
  restart(1);
  cluster.run_for(5s);
  EXPECT_FALSE(status().failure_target);
  restart(2);
  cluster.run_for(5s);
  EXPECT_TRUE(status().failed_condition);
}

TEST_F(JobTest, TtlRemovesTheJobAndItsPods) {
  add_job([](JobSpec& s) { s.ttl_seconds_after_finished = 100; });
  cluster.run_to(115s);
  EXPECT_NE(cluster.api.get(work), nullptr);
  EXPECT_EQ(cluster.pods().size(), 1u);
  cluster.run_to(125s);
  EXPECT_EQ(cluster.api.get(work), nullptr);
  EXPECT_EQ(cluster.pods().size(), 0u);
}

TEST_F(JobTest, DeletingItRemovesItsPodsInSpiteOfTheirFinalizers) {
  add_job();
  cluster.run_to(10s);
  cluster.api.remove(work);
  cluster.run_to(20s);
  EXPECT_EQ(cluster.pods().size(), 0u);
}

// ---- policies ----

/// A job of four indexes at a time, with policies.
void make_indexed(JobSpec& s, JobPolicies policies, std::int64_t completions = 4) {
  s.indexed = true;
  s.completions = completions;
  s.parallelism = completions;
  s.policies = std::make_shared<const JobPolicies>(std::move(policies));
}

TEST_F(JobTest, AnIgnoredFailureIsReplacedAndNotCounted) {
  cluster.kubelet.runs_for = nullptr;
  add_job([&](JobSpec& s) {
    JobPolicies policies;
    policies.failure_rules.emplace();
    policies.failure_rules->push_back({PodFailureAction::kIgnore, std::nullopt, {{cluster.sym("DisruptionTarget"), ConditionStatus::kTrue}}});
    s.policies = std::make_shared<const JobPolicies>(std::move(policies));
    s.backoff_limit = 0;
  });
  cluster.run_to(5s);
  const Ref<Pod> first = cluster.pods().front();
  cluster.api.update(first, Change::kContainers, [](Pod& p) { p.disruption_target = true; });
  cluster.kubelet.finish(first, 143);
  cluster.run_to(30s);
  EXPECT_EQ(status().failed, 0);
  EXPECT_FALSE(status().failure_target);
  EXPECT_EQ(status().active, 1);
  EXPECT_TRUE(cluster.api.get(first)->meta.finalizers.empty());
}

TEST_F(JobTest, FailJobEndsTheJobAndSaysWhichPodWasIt) {
  cluster.kubelet.runs_for = [&](const Pod& pod) { return std::pair<SimDuration, int>{5s, pod.meta.uid == cluster.api.get(cluster.pods()[0])->meta.uid ? 42 : 0}; };
  add_job([](JobSpec& s) {
    JobPolicies policies;
    policies.failure_rules.emplace();
    policies.failure_rules->push_back({PodFailureAction::kFailJob, PodFailureRule::ExitCodes{Symbol{}, true, {42}}, {}});
    s.policies = std::make_shared<const JobPolicies>(std::move(policies));
    s.parallelism = 2;
    s.completions = 5;
  });
  cluster.run_to(1s);
  const std::string failed = cluster.names.text(cluster.api.get(cluster.pods()[0])->meta.name);
  cluster.run_to(60s);
  EXPECT_TRUE(status().failed_condition);
  EXPECT_EQ(cluster.names.text(status().failed_reason), "PodFailurePolicy");
  EXPECT_EQ(status().condition_message, "Container main for pod default/" + failed + " failed with exit code 42 matching FailJob rule at index 0");
  EXPECT_EQ(cluster.chain(status().meta.cause), (std::vector<std::string>{"PodFailurePolicy", "ContainerExited", "SuccessfulCreate"}));
}

TEST_F(JobTest, WithReplacementPolicyFailedAPodIsReplacedOnlyWhenItHasEnded) {
  cluster.kubelet.runs_for = nullptr;
  cluster.kubelet.stop_time = 20s;
  add_job([](JobSpec& s) { s.replaces_only_failed = true; });
  cluster.run_to(10s);
  cluster.api.remove(cluster.pods().front());
  cluster.run_to(25s);
  EXPECT_EQ(cluster.pods().size(), 1u) << "the old one still terminates";
  EXPECT_EQ(status().terminating, 1);
  EXPECT_EQ(status().failed, 0);
}

TEST_F(JobTest, EachIndexHasItsOwnLimit) {
  // Index 1 fails always, index 2 once.
  std::map<std::int64_t, int> runs;
  cluster.kubelet.runs_for = [&](const Pod& pod) {
    const std::int64_t index = index_of(pod);
    const int run = runs[index]++;
    const bool fails = index == 1 || (index == 2 && run == 0);
    return std::pair<SimDuration, int>{2s, fails ? 1 : 0};
  };
  add_job([](JobSpec& s) {
    JobPolicies policies;
    policies.backoff_limit_per_index = 2;
    make_indexed(s, policies);
    s.backoff_limit = kWithoutLimit;
  });
  cluster.run_to(8s);
  std::map<std::int64_t, std::string> counts;
  const Symbol annotation = cluster.sym("batch.kubernetes.io/job-index-failure-count");
  cluster.run_to(200s);
  for (const Ref<Pod> ref : cluster.pods()) {
    const Pod& pod = *cluster.api.get(ref);
    counts[index_of(pod)] += cluster.names.text(*pod.meta.annotations.find(annotation));
    EXPECT_EQ(pod.meta.annotations.find(cluster.api.well_known().job_completion_index), pod.meta.labels.find(cluster.api.well_known().job_completion_index));
  }
  EXPECT_EQ(counts, (std::map<std::int64_t, std::string>{{0, "0"}, {1, "012"}, {2, "01"}, {3, "0"}}));
  EXPECT_TRUE(status().failed_condition);
  EXPECT_EQ(cluster.names.text(status().failed_reason), "FailedIndexes");
  EXPECT_EQ(status().condition_message, "Job has failed indexes");
  EXPECT_EQ(status().completed_indexes, (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_EQ(status().failed_indexes, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(status().failed, 4);
  cluster.api.all<Pod>().for_each([](Ref<Pod>, const Pod& pod) { EXPECT_TRUE(pod.meta.finalizers.empty()); });
  // 10 s, then 20 s, after the end of the one before: the back-off of the index alone.
  EXPECT_EQ(creation_seconds(), (std::vector<std::int64_t>{0, 0, 0, 0, 12, 12, 34}));
}

TEST_F(JobTest, FailIndexGivesAnIndexUpAtOnceAndMaxFailedIndexesTheJob) {
  cluster.kubelet.runs_for = [&](const Pod& pod) { return index_of(pod) < 2 ? std::pair<SimDuration, int>{2s, 3} : std::pair<SimDuration, int>{500s, 0}; };
  add_job([](JobSpec& s) {
    JobPolicies policies;
    policies.backoff_limit_per_index = 5;
    policies.max_failed_indexes = 1;
    policies.failure_rules.emplace();
    policies.failure_rules->push_back({PodFailureAction::kFailIndex, PodFailureRule::ExitCodes{Symbol{}, true, {3}}, {}});
    make_indexed(s, policies);
    s.backoff_limit = kWithoutLimit;
  });
  cluster.run_to(100s);
  EXPECT_TRUE(status().failed_condition);
  EXPECT_EQ(cluster.names.text(status().failed_reason), "MaxFailedIndexesExceeded");
  EXPECT_EQ(status().failed_indexes, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(status().failed, 4) << "what still ran when it failed counts as failed";
  EXPECT_EQ(cluster.active_pods(), 0);
  ASSERT_FALSE(cluster.records("MaxFailedIndexesExceeded").empty());
}

TEST_F(JobTest, ASuccessPolicyEndsTheJobBeforeItsCompletions) {
  cluster.kubelet.runs_for = [&](const Pod& pod) { return std::pair<SimDuration, int>{index_of(pod) == 0 ? 10s : 500s, 0}; };
  add_job([](JobSpec& s) {
    JobPolicies policies;
    policies.success_rules.push_back(SuccessRule{std::vector<std::int64_t>{0}, std::nullopt});
    make_indexed(s, policies);
  });
  cluster.run_to(30s);
  EXPECT_TRUE(status().complete);
  EXPECT_EQ(cluster.names.text(status().success_reason), "SuccessPolicy");
  EXPECT_EQ(status().condition_message, "Matched rules at index 0");
  EXPECT_EQ(status().succeeded, 1);
  EXPECT_EQ(status().failed, 0) << "what was stopped counts as nothing";
  EXPECT_EQ(cluster.active_pods(), 0);
  EXPECT_EQ(cluster.records("SuccessCriteriaMet"), (std::vector<std::string>{"Job/default/work Matched rules at index 0"}));
}

TEST_F(JobTest, AJobOfAnotherControllerIsLeftAlone) {
  add_job([&](JobSpec& s) { s.managed_by = cluster.sym("example.com/queue"); });
  cluster.run_to(60s);
  EXPECT_EQ(cluster.pods().size(), 0u);
  EXPECT_FALSE(status().start_time);
}

TEST_F(JobTest, WhileSuspendedItHasNoStartTime) {
  add_job();
  cluster.run_to(10s);
  EXPECT_TRUE(status().start_time);
  cluster.api.update(work, Change::kSpec, [](Job& j) { j.spec.suspend = true; });
  cluster.run_to(20s);
  EXPECT_FALSE(status().start_time);
}

TEST_F(JobTest, CompletionsOfAnIndexedJobCanShrink) {
  cluster.kubelet.runs_for = [&](const Pod& pod) { return std::pair<SimDuration, int>{index_of(pod) < 2 ? 10s : 500s, 0}; };
  add_job([](JobSpec& s) {
    s.indexed = true;
    s.completions = 4;
    s.parallelism = 4;
  });
  cluster.run_to(20s);
  EXPECT_EQ(status().completed_indexes, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(status().ready, 2);
  cluster.api.update(work, Change::kSpec, [](Job& j) { j.spec.completions = j.spec.parallelism = 2; });
  cluster.run_to(30s);
  EXPECT_TRUE(status().complete);
  EXPECT_EQ(cluster.active_pods(), 0);
}

TEST(JobDecisions, BackoffDoublesToItsCap) {
  JobBackoff backoff;
  EXPECT_EQ(backoff.remaining(SimTime{}), SimDuration{});
  for (const SimDuration want : std::vector<SimDuration>{10s, 20s, 40s, 80s, 160s, 320s, 600s, 600s}) {
    backoff.note(false, SimTime{} + 100s);
    EXPECT_EQ(backoff.remaining(SimTime{} + 100s), want);
    EXPECT_EQ(backoff.remaining(SimTime{} + 105s), want - 5s);
  }
  backoff.note(true, SimTime{} + 200s);
  EXPECT_EQ(backoff.remaining(SimTime{} + 200s), SimDuration{});
}

TEST(JobDecisions, PendingIndexesAreTheLowestFreeOnes) {
  EXPECT_EQ(pending_indexes(6, {0, 3}, {1}, 2), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(pending_indexes(3, {0, 1, 2}, {}, 2), (std::vector<std::int64_t>{}));
}

TEST(JobDecisions, WantedActive) {
  struct Case {
    std::string_view name;
    std::optional<std::int64_t> parallelism, completions;
    std::int64_t succeeded, active, want;
  };
  for (const Case& c : std::vector<Case>{{"neither given", {}, {}, 0, 0, 1},
                                         {"enough", 5, 3, 3, 0, 0},
                                         {"fewer left than parallelism", 5, 3, 1, 0, 2},
                                         {"parallelism limits", 2, 9, 1, 0, 2},
                                         {"paused by parallelism 0", 0, 9, 1, 2, 0},
                                         {"work queue", 4, {}, 0, 0, 4},
                                         {"work queue after a success", 4, {}, 1, 2, 2}}) {
    SCOPED_TRACE(c.name);
    JobSpec spec;
    spec.parallelism = c.parallelism;
    spec.completions = c.completions;
    EXPECT_EQ(wanted_active(spec, c.succeeded, c.active), c.want);
  }
}

}  // namespace
}  // namespace sim::k8s::test

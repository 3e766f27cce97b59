#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

struct CronJobTest : testing::Test {
  CronJobTest() {
    cluster.add(make_cron_job_controller(cluster.context, kDefaultStartUnixSeconds));
    cluster.add(make_job_controller(cluster.context));
    cluster.add(make_garbage_collector(cluster.context));
    cluster.start();
    cluster.kubelet.start_time = 1s;
    cluster.kubelet.runs_for = [this](const Pod&) { return std::pair<SimDuration, int>{run_time, exit_code}; };
  }
  Ref<CronJob> add_cron(std::string schedule, const std::function<void(CronJob&)>& edit = [](CronJob&) {}) {
    CronJob cron;
    cron.meta.ns = cluster.ns();
    cron.meta.name = cluster.sym("tick");
    cron.schedule = std::move(schedule);
    cron.job_template.pod_template = cluster.pod_template("tick", 1);
    cron.job_template.backoff_limit = 0;
    auto spec = std::make_shared<PodSpec>(*cron.job_template.pod_template.spec);
    spec->restart_policy = RestartPolicy::kNever;
    cron.job_template.pod_template.spec = spec;
    edit(cron);
    tick = cluster.api.create(std::move(cron));
    return tick;
  }
  std::vector<std::int64_t> starts_ms() const {
    std::vector<std::int64_t> at;
    for (const EventLog::Record& record : cluster.log.records()) {
      if (cluster.log.kind(record) == "SuccessfulCreate" && cluster.log.subject(record).starts_with("CronJob/")) {
        at.push_back(record.time.time_since_epoch() / 1ms);
      }
    }
    return at;
  }

  TestCluster cluster;
  Ref<CronJob> tick;
  SimDuration run_time = 10s;
  int exit_code = 0;
};

TEST_F(CronJobTest, StartsAJobEachMinuteAndATenth) {
  add_cron("* * * * *");
  cluster.run_to(200s);
  EXPECT_EQ(starts_ms(), (std::vector<std::int64_t>{60'100, 120'100, 180'100}));
  // <name>-<unix minutes>: 1767225600 / 60 + 1
  EXPECT_TRUE(cluster.api.find<Job>(cluster.ns(), cluster.sym("tick-29453761")));
  EXPECT_EQ(cluster.api.get(tick)->last_schedule_time, SimTime{} + 180s);
}

TEST_F(CronJobTest, KeepsThreeSuccessfulJobsAndOneFailed) {
  add_cron("* * * * *");
  cluster.run_to(std::chrono::minutes(10) + 30s);
  EXPECT_EQ(cluster.api.all<Job>().size(), 3u);
  EXPECT_EQ(cluster.pods().size(), 3u);
  exit_code = 1;
  cluster.run_to(std::chrono::minutes(20) + 30s);
  std::int64_t failed = 0;
  cluster.api.all<Job>().for_each([&](Ref<Job>, const Job& job) { failed += job.failed_condition ? 1 : 0; });
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(cluster.api.all<Job>().size(), 4u);
}

TEST_F(CronJobTest, AllowRunsJobsSideBySide) {
  run_time = 150s;
  add_cron("* * * * *");
  cluster.run_to(200s);
  EXPECT_EQ(cluster.active_pods(), 3);
}

// Hazard: a run that Forbid skipped is started as soon as the active Job ends, because it is still the latest one.
TEST_F(CronJobTest, ForbidSkipsAndMakesUpForTheLatestRun) {
  run_time = 90s;
  add_cron("* * * * *", [](CronJob& c) { c.concurrency = CronJob::Concurrency::kForbid; });
  cluster.run_to(170s);
  // 60.1 s + 1 s start + 90 s run + 1 s until the Job controller counts: about 152 s
  const std::vector<std::int64_t> starts = starts_ms();
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[0], 60'100);
  EXPECT_GT(starts[1], 151'000);
  EXPECT_LT(starts[1], 154'000);
  EXPECT_EQ(cluster.records("JobAlreadyActive").size(), 1u);
  EXPECT_EQ(cluster.api.get(tick)->last_schedule_time, SimTime{} + 120s);
}

TEST_F(CronJobTest, ReplaceDeletesTheActiveJob) {
  run_time = 1h;
  add_cron("* * * * *", [](CronJob& c) { c.concurrency = CronJob::Concurrency::kReplace; });
  cluster.run_to(200s);
  EXPECT_EQ(cluster.api.all<Job>().size(), 1u);
  EXPECT_EQ(cluster.active_pods(), 1);
  EXPECT_EQ(cluster.records("SuccessfulDelete").size(), 2u);
}

TEST_F(CronJobTest, AfterAnAbsenceOnlyTheLatestRunIsMadeUpFor) {
  add_cron("*/5 * * * *");
  cluster.run_to(6min);
  cluster.stop();
  cluster.run_to(31min);
  cluster.start();
  cluster.run_to(32min);
  EXPECT_EQ(starts_ms(), (std::vector<std::int64_t>{300'100, 31 * 60'000}));
  EXPECT_EQ(cluster.api.get(tick)->last_schedule_time, SimTime{} + 30min);
}

TEST_F(CronJobTest, AStartingDeadlineForgetsOldRuns) {
  add_cron("*/5 * * * *", [](CronJob& c) { c.starting_deadline_seconds = 30; });
  cluster.run_to(6min);
  cluster.stop();
  cluster.run_to(31min);
  cluster.start();
  cluster.run_to(34min);
  EXPECT_EQ(starts_ms(), (std::vector<std::int64_t>{300'100}));
  cluster.run_to(36min);
  EXPECT_EQ(starts_ms().size(), 2u);
}

// Measured on a real cluster (reference 7.8): */1, resumed with lastScheduleTime 3 h ago: one Job, one TooManyMissedTimes, then each minute.
TEST_F(CronJobTest, ManyMissedRunsWarnAndStartTheLatest) {
  add_cron("*/1 * * * *");
  cluster.run_to(90s);
  cluster.api.update(tick, Change::kSpec, [](CronJob& c) { c.suspend = true; });
  cluster.run_to(3h);
  EXPECT_EQ(starts_ms().size(), 1u);
  cluster.api.update(tick, Change::kSpec, [](CronJob& c) { c.suspend = false; });
  cluster.run_to(3h + 1s);
  EXPECT_EQ(starts_ms().size(), 2u);
  EXPECT_EQ(cluster.records("TooManyMissedTimes").size(), 1u);
  cluster.run_to(3h + 61s);
  EXPECT_EQ(starts_ms().size(), 3u);
  EXPECT_EQ(cluster.records("TooManyMissedTimes").size(), 1u);
}

TEST_F(CronJobTest, ATimeZoneDecidesWhenADayBegins) {
  // 2026-01-01T00:00Z is 01:00 in Berlin, 19:00 of the day before in New York.
  add_cron("0 3 * * *", [](CronJob& c) { c.time_zone = "Europe/Berlin"; });
  cluster.run_to(3h);
  EXPECT_EQ(starts_ms(), (std::vector<std::int64_t>{2 * 3'600'000 + 100}));
  const Ref<Job> job = cluster.api.all<Job>().refs().front();
  const std::optional<Symbol> stamp = cluster.api.get(job)->meta.annotations.find(cluster.sym("batch.kubernetes.io/cronjob-scheduled-timestamp"));
  ASSERT_TRUE(stamp);
  EXPECT_EQ(cluster.names.text(*stamp), "2026-01-01T03:00:00+01:00");
}

TEST_F(CronJobTest, AJobThatSomebodyDeletedIsMissed) {
  run_time = 1h;
  add_cron("* * * * *", [](CronJob& c) { c.concurrency = CronJob::Concurrency::kForbid; });
  cluster.run_to(70s);
  cluster.api.remove(cluster.api.all<Job>().refs().front());
  cluster.run_to(80s);
  EXPECT_EQ(cluster.records("MissingJob"), (std::vector<std::string>{"CronJob/default/tick Active job went missing: tick-29453761"}));
  cluster.run_to(130s);
  EXPECT_EQ(starts_ms().size(), 2u);
}

TEST_F(CronJobTest, TellsWhenAJobSucceededLast) {
  add_cron("* * * * *");
  cluster.run_to(100s);
  ASSERT_TRUE(cluster.api.get(tick)->last_successful_time);
  EXPECT_GT(*cluster.api.get(tick)->last_successful_time, SimTime{} + 70s);
}

TEST_F(CronJobTest, AnImpossibleDayIsTold) {
  add_cron("59 23 31 2 *");
  cluster.run_to(1h);
  EXPECT_EQ(cluster.records("InvalidSchedule"),
            (std::vector<std::string>{"CronJob/default/tick invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second"}));
}

TEST_F(CronJobTest, DeletingItTakesItsJobsAndPods) {
  run_time = 1h;
  add_cron("* * * * *");
  cluster.run_to(130s);
  cluster.api.remove(tick);
  cluster.run_to(200s);
  EXPECT_EQ(cluster.api.all<Job>().size(), 0u);
  EXPECT_EQ(cluster.pods().size(), 0u);
  EXPECT_EQ(starts_ms().size(), 2u);
}

}  // namespace
}  // namespace sim::k8s::test

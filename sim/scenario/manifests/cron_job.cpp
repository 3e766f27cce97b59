#include "sim/scenario/manifests/object_reader.hpp"

#include "sim/models/kubernetes/controllers/cron_schedule.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kCronJobFields[] = {"schedule", "timeZone", "startingDeadlineSeconds", "concurrencyPolicy", "suspend", "jobTemplate",
                                    "successfulJobsHistoryLimit", "failedJobsHistoryLimit"};

}  // namespace

void ObjectReader::cron_job(Yaml object) {
  Manifest<CronJob> m = begin<CronJob>(object, true);
  CronJob& c = m.object;
  if (const Yaml spec = spec_of(object); spec) {
    c.schedule = text(spec, "schedule");
    expect_fields(spec, "CronJob.spec", kCronJobFields);
    if (spec.find("schedule").is_null()) impossible(spec, "CronJob needs 'spec.schedule'");
    if (spec.find("schedule").is_string()) {
      if (const std::optional<std::string> why = check_cron_schedule(c.schedule)) {
        impossible(spec.find("schedule"), fmt::format("'{}' is no cron schedule", c.schedule)).hint = *why;
      }
    }
    c.time_zone = text(spec, "timeZone");
    if (spec.find("timeZone").is_string()) {
      if (const std::optional<std::string> why = check_cron_time_zone(c.time_zone)) impossible(spec.find("timeZone"), *why);
    }
    c.starting_deadline_seconds = integer(spec, "startingDeadlineSeconds", 0, INT64_MAX / 2'000'000'000);
    using C = CronJob::Concurrency;
    c.concurrency = word<C>(spec, "concurrencyPolicy", {{"Allow", C::kAllow}, {"Forbid", C::kForbid}, {"Replace", C::kReplace}});
    c.suspend = boolean(spec, "suspend", false);
    c.successful_history = integer_or(spec, "successfulJobsHistoryLimit", 3);
    c.failed_history = integer_or(spec, "failedJobsHistoryLimit", 1);
    const Yaml job_template = map(spec, "jobTemplate");
    if (!job_template && spec.find("jobTemplate").is_null()) impossible(spec, "CronJob needs 'spec.jobTemplate'");
    c.job_labels = labels(map(job_template, "metadata"), "labels");
    if (job_template) {
      if (const Yaml job = map(job_template, "spec"); job) {
        c.job_template = job_spec(job);
      } else if (job_template.find("spec").is_null()) {
        impossible(job_template, "'jobTemplate' needs 'spec'");
      }
    }
  }
  put(set->cron_jobs, std::move(m));
}

}  // namespace sim::scenario::manifests

#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"
#include "sim/models/kubernetes/controllers/cron_schedule.hpp"

namespace sim::loop {

namespace {

void defaults(Json& job) {
  Json& spec = job["spec"];
  spec.set_default("concurrencyPolicy", "Allow");
  spec.set_default("suspend", false);
  spec.set_default("successfulJobsHistoryLimit", 3);
  spec.set_default("failedJobsHistoryLimit", 1);
  if (Json* made = spec.find("jobTemplate")) default_pod_template((*made)["spec"]);
}

void prepare(Json& job, const Json* before) { job.set("status", before == nullptr ? Json::object() : before->at("status")); }

void validate(const Json& job, const Json*, FieldErrors& errors) {
  const Json& spec = job.at("spec");
  if (spec.at("schedule").text().empty()) {
    errors.required("spec.schedule", "");
  } else if (const std::optional<std::string> why = k8s::check_cron_schedule(spec.at("schedule").text())) {
    errors.invalid("spec.schedule", spec.at("schedule"), *why);
  }
  if (!spec.at("timeZone").is_null()) {
    if (const std::optional<std::string> why = k8s::check_cron_time_zone(spec.at("timeZone").text())) errors.invalid("spec.timeZone", spec.at("timeZone"), *why);
  }
  const std::string& policy = spec.at("concurrencyPolicy").text();
  if (policy != "Allow" && policy != "Forbid" && policy != "Replace") errors.not_supported("spec.concurrencyPolicy", policy, {"Allow", "Forbid", "Replace"});
  validate_pod_spec(spec.at({"jobTemplate", "spec", "template", "spec"}), "spec.jobTemplate.spec.template.spec", errors);
}

std::vector<Json> row(const Json& job, Now now) {
  const Json& spec = job.at("spec");
  const Json& status = job.at("status");
  const Json& pods = spec.at({"jobTemplate", "spec", "template", "spec"});
  std::vector<Json> cells = {job.at({"metadata", "name"}),
                             spec.at("schedule").text(),
                             spec.at("timeZone").text().empty() ? "<none>" : spec.at("timeZone").text(),
                             spec.at("suspend").as_bool() ? "True" : "False",
                             static_cast<std::int64_t>(status.at("active").size()),
                             status.at("lastScheduleTime").is_null() ? "<none>" : age(status.at("lastScheduleTime"), now),
                             age(job.at({"metadata", "creationTimestamp"}), now)};
  for (Json& cell : containers_and_images(pods)) cells.push_back(std::move(cell));
  cells.emplace_back(selector_text(spec.at({"jobTemplate", "spec", "selector"})));
  return cells;
}

}  // namespace

KindRules cron_job_rules() {
  return {"batch", "CronJob", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Schedule"}, {"Timezone"}, {"Suspend", "boolean"}, {"Active", "integer"}, {"Last Schedule"}, {"Age"}, {"Containers", "string", "", 1},
           {"Images", "string", "", 1}, {"Selector", "string", "", 1}},
          row};
}

}  // namespace sim::loop

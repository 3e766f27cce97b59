#include <fmt/format.h>

#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/controllers/job_policies.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using JobCodec = Codec<Job>;

namespace {

constexpr std::string_view kControllerUid = "batch.kubernetes.io/controller-uid";
constexpr std::string_view kJobName = "batch.kubernetes.io/job-name";

}  // namespace

void JobCodec::render(const Job& job, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  if (job.spec.parallelism) spec.set("parallelism", *job.spec.parallelism);
  if (job.spec.completions) spec.set("completions", *job.spec.completions);
  spec.set_default("backoffLimit", job.spec.backoff_limit);
  spec.set_default("completionMode", job.spec.indexed ? "Indexed" : "NonIndexed");
  spec.set("suspend", job.spec.suspend);
  if (spec.at("template").is_null()) spec.set("template", context.pod_template(job.spec.pod_template));
  if (spec.at("selector").is_null()) {
    const std::string uid = context.store.uid_text(job.meta.uid);
    Json& labels = spec["template"]["metadata"]["labels"];
    const std::string& name = context.text(job.meta.name);
    labels.set(kControllerUid, uid);
    labels.set(kJobName, name);
    labels.set("controller-uid", uid);
    labels.set("job-name", name);
    spec.set("selector", Json::object({{"matchLabels", Json::object({{kControllerUid, uid}})}}));
  }
  Json& status = document["status"];
  if (status.is_null()) status = Json::object();
  if (context.external_controllers) return;
  if (job.start_time) status.set("startTime", context.time(*job.start_time));
  if (job.completion_time) status.set("completionTime", context.time(*job.completion_time));
  set_count(status, "active", job.active);
  set_count(status, "succeeded", job.succeeded);
  set_count(status, "failed", job.failed);
  status.set("ready", job.ready);
  status.set("terminating", job.terminating);
  status.set("uncountedTerminatedPods", Json::object());
  if (!job.start_time) status.erase("startTime");
  if (job.spec.indexed && !job.completed_indexes.empty()) status.set("completedIndexes", indexes_text(job.completed_indexes));
  if (job.spec.indexed && job.spec.policies && job.spec.policies->backoff_limit_per_index) status.set("failedIndexes", indexes_text(job.failed_indexes));
  const std::string now = context.time(context.world.engine.now());
  const std::string& success = context.text(job.success_reason);
  const std::string& failure = context.text(job.failed_reason);
  const std::string& message = job.condition_message;
  if (job.suspended) {
    set_condition(status, "Suspended", "True", "JobSuspended", "Job suspended", now);
  } else if (find_condition(document, "Suspended") != nullptr) {
    set_condition(status, "Suspended", "False", "JobResumed", "Job resumed", now);
  }
  if (job.success_criteria_met) set_condition(status, "SuccessCriteriaMet", "True", success, message, now);
  if (job.complete) set_condition(status, "Complete", "True", success, message, now);
  if (job.failure_target) set_condition(status, "FailureTarget", "True", failure, message, now);
  if (job.failed_condition) set_condition(status, "Failed", "True", failure, message, now);
}

Change JobCodec::apply_spec(Job& to, Job& from, const Json&, RenderContext&) {
  to.spec.parallelism = from.spec.parallelism;
  to.spec.completions = from.spec.completions;
  to.spec.backoff_limit = from.spec.backoff_limit;
  // The rest of the policies is immutable.
  to.spec.policies = from.spec.policies;
  to.spec.active_deadline_seconds = from.spec.active_deadline_seconds;
  to.spec.ttl_seconds_after_finished = from.spec.ttl_seconds_after_finished;
  to.spec.suspend = from.spec.suspend;
  return Change::kSpec;
}

Change JobCodec::apply_status(Job& to, const Json&, const Json& document, RenderContext& context) {
  const Json& status = document.at("status");
  to.start_time = context.sim_time(status.at("startTime"));
  to.completion_time = context.sim_time(status.at("completionTime"));
  to.active = status.at("active").as_integer();
  to.succeeded = status.at("succeeded").as_integer();
  to.failed = status.at("failed").as_integer();
  to.ready = status.at("ready").as_integer();
  to.terminating = status.at("terminating").as_integer();
  to.completed_indexes = indexes_of(status.at("completedIndexes").text(), to.spec.completions.value_or(0));
  to.failed_indexes = indexes_of(status.at("failedIndexes").text(), to.spec.completions.value_or(0));
  const auto is_true = [&](std::string_view type) {
    const Json* condition = find_condition(document, type);
    return condition != nullptr && condition->at("status").text() == "True";
  };
  to.success_criteria_met = is_true("SuccessCriteriaMet");
  to.failure_target = is_true("FailureTarget");
  to.suspended = is_true("Suspended");
  to.complete = is_true("Complete");
  to.failed_condition = is_true("Failed");
  if (to.is_finished() && !to.finished_at) to.finished_at = context.world.engine.now();
  for (const std::string_view type : {"FailureTarget", "Failed"}) {
    if (const Json* condition = find_condition(document, type)) {
      to.failed_reason = context.world.names.intern(condition->at("reason").text());
      to.condition_message = condition->at("message").text();
    }
  }
  for (const std::string_view type : {"SuccessCriteriaMet", "Complete"}) {
    if (const Json* condition = find_condition(document, type)) {
      to.success_reason = context.world.names.intern(condition->at("reason").text());
      to.condition_message = condition->at("message").text();
    }
  }
  return Change::kStatus;
}

void JobCodec::created(Job&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop

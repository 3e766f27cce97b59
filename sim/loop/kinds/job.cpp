#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

void defaults(Json& job) {
  Json& spec = job["spec"];
  const bool neither = spec.at("completions").is_null() && spec.at("parallelism").is_null();
  if (neither) spec.set("completions", 1);
  spec.set_default("parallelism", 1);
  if (spec.at("backoffLimit").is_null()) spec.set("backoffLimit", spec.at("backoffLimitPerIndex").is_null() ? Json(6) : Json(2147483647));
  spec.set_default("completionMode", "NonIndexed");
  spec.set_default("suspend", false);
  spec.set_default("manualSelector", false);
  spec.set_default("podReplacementPolicy", spec.at("podFailurePolicy").is_null() ? "TerminatingOrFailed" : "Failed");
  default_pod_template(spec);
}

void prepare(Json& job, const Json* before) {
  if (before != nullptr) {
    job.set("status", before->at("status"));
    return;
  }
  job.set("status", Json::object());
}

void validate(const Json& job, const Json* before, FieldErrors& errors) {
  const Json& spec = job.at("spec");
  for (const std::string_view field : {"parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"}) {
    validate_non_negative(job, field, errors);
  }
  if (spec.at("completionMode").text() == "Indexed" && spec.at("completions").is_null()) errors.required("spec.completions", "when completion mode is Indexed");
  validate_job_policies(spec, errors);
  validate_pod_spec(spec.at({"template", "spec"}), "spec.template.spec", errors);
  const std::string& restart = spec.at({"template", "spec", "restartPolicy"}).text();
  if (restart == "Always") {
    errors.required("spec.template.spec.restartPolicy", "valid values: \"OnFailure\", \"Never\"");
  } else if (!spec.at("podFailurePolicy").is_null() && restart != "Never") {
    errors.invalid("spec.template.spec.restartPolicy", restart, "only \"Never\" is supported when podFailurePolicy is specified");
  }
  if (before == nullptr) return;
  const Json& old = before->at("spec");
  if (!(old.at("selector") == spec.at("selector"))) errors.immutable("spec.selector", spec.at("selector"));
  if (!(old.at("completionMode") == spec.at("completionMode"))) errors.immutable("spec.completionMode", spec.at("completionMode"));
  if (!(old.at("completions") == spec.at("completions"))) {
    if (spec.at("completionMode").text() != "Indexed") {
      errors.immutable("spec.completions", spec.at("completions"));
    } else if (!spec.at("completions").is_null() && !(spec.at("completions") == spec.at("parallelism"))) {
      errors.invalid("spec.completions", spec.at("completions"), "can only be modified in tandem with spec.parallelism");
    }
  }
  for (const std::string_view field : {"podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"}) {
    if (!(old.at(field) == spec.at(field))) errors.immutable(fmt::format("spec.{}", field), spec.at(field));
  }
  const bool may_change_template = old.at("suspend").as_bool() && before->at({"status", "startTime"}).is_null();
  if (!may_change_template && !(old.at("template") == spec.at("template"))) errors.immutable("spec.template", spec.at("template"));
}

std::string condition(const Json& job) {
  for (const Json& c : job.at({"status", "conditions"}).items()) {
    const std::string& type = c.at("type").text();
    if (c.at("status").text() == "True" && (type == "Complete" || type == "Failed" || type == "Suspended" || type == "FailureTarget" || type == "SuccessCriteriaMet")) {
      return type;
    }
  }
  return job.at({"metadata", "deletionTimestamp"}).is_null() ? "Running" : "Terminating";
}

std::vector<Json> row(const Json& job, Now now) {
  const Json& spec = job.at("spec");
  const Json& status = job.at("status");
  std::string completions;
  if (!spec.at("completions").is_null()) {
    completions = fmt::format("{}/{}", status.at("succeeded").as_integer(), spec.at("completions").as_integer());
  } else {
    const std::int64_t parallelism = spec.at("parallelism").as_integer(0);
    completions = parallelism > 1 ? fmt::format("{}/1 of {}", status.at("succeeded").as_integer(), parallelism) : fmt::format("{}/1", status.at("succeeded").as_integer());
  }
  std::string text = condition(job);
  std::vector<Json> cells = {job.at({"metadata", "name"}), text, completions,
                             status.at("startTime").is_null() ? "" : duration_between(status.at("startTime"), status.at("completionTime"), now),
                             age(job.at({"metadata", "creationTimestamp"}), now)};
  for (Json& cell : containers_and_images(spec.at({"template", "spec"}))) cells.push_back(std::move(cell));
  cells.emplace_back(selector_text(spec.at("selector")));
  return cells;
}

}  // namespace

KindRules job_rules() {
  return {"batch", "Job", defaults, prepare, validate,
          {{"Name", "string", "name"}, {"Status"}, {"Completions"}, {"Duration"}, {"Age"}, {"Containers", "string", "", 1}, {"Images", "string", "", 1}, {"Selector", "string", "", 1}},
          row};
}

}  // namespace sim::loop

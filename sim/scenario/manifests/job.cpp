#include "sim/scenario/manifests/object_reader.hpp"

#include <algorithm>
#include <charconv>

namespace sim::scenario::manifests {

namespace {

constexpr Names kJobFields[] = {"parallelism", "completions", "activeDeadlineSeconds", "podFailurePolicy", "successPolicy", "backoffLimit", "backoffLimitPerIndex",
                                "maxFailedIndexes", "selector", "manualSelector", "template", "ttlSecondsAfterFinished", "completionMode", "suspend",
                                "podReplacementPolicy", "managedBy"};

constexpr std::int64_t kIndexedParallelismMax = 100'000;

}  // namespace

JobSpec ObjectReader::job_spec(Yaml spec) {
  JobSpec j;
  expect_fields(spec, "Job.spec", kJobFields);
  j.parallelism = integer(spec, "parallelism");
  j.completions = integer(spec, "completions");
  if (!j.parallelism && !j.completions) j.completions = 1;
  if (!j.parallelism) j.parallelism = 1;
  const bool per_index = !spec.find("backoffLimitPerIndex").is_null();
  j.backoff_limit = integer_or(spec, "backoffLimit", per_index ? kMaxInt32 : 6);
  j.active_deadline_seconds = integer(spec, "activeDeadlineSeconds");
  j.ttl_seconds_after_finished = integer(spec, "ttlSecondsAfterFinished");
  j.indexed = word<bool>(spec, "completionMode", {{"NonIndexed", false}, {"Indexed", true}});
  if (j.indexed && j.parallelism > kIndexedParallelismMax) {
    impossible(spec.find("parallelism"), fmt::format("must be less than or equal to {} when completion mode is Indexed", kIndexedParallelismMax));
  }
  if (j.indexed && !j.completions) impossible(spec, "an Indexed job needs 'completions'");
  j.suspend = boolean(spec, "suspend", false);
  j.pod_template = pod_template(spec);
  if (j.pod_template.spec && !j.pod_template.spec->containers.empty() && j.pod_template.spec->restart_policy == RestartPolicy::kAlways) {
    const Yaml pods = map(map(spec, "template"), "spec");
    impossible(pods.find("restartPolicy") ? pods.find("restartPolicy") : pods, "the pods of a Job need a restartPolicy").expected = "OnFailure or Never";
  }
  job_policies(spec, j);
  return j;
}

/// status.completedIndexes and failedIndexes: "1,3-5,7".
std::vector<std::int64_t> ObjectReader::indexes(Yaml status, std::string_view key) {
  constexpr std::int64_t kIndexesMax = 1'000'000;
  std::vector<std::int64_t> result;
  const Yaml node = status.find(key);
  std::string_view left = text(status, key);
  const auto number = [&](std::string_view digits) {
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size() && value >= 0 && value < kIndexesMax ? value : -1;
  };
  while (!left.empty()) {
    const std::string_view part = left.substr(0, left.find(','));
    left.remove_prefix(std::min(left.size(), part.size() + 1));
    const std::size_t dash = part.find('-');
    const std::int64_t first = number(part.substr(0, dash));
    const std::int64_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (first < 0 || last < first || (!result.empty() && first <= result.back())) {
      wrong(node, "indexes in their order, such as 1,3-5,7");
      return {};
    }
    for (std::int64_t i = first; i <= last; ++i) result.push_back(i);
  }
  return result;
}

void ObjectReader::job(Yaml object) {
  Manifest<Job> m = begin<Job>(object, true);
  if (const Yaml spec = spec_of(object); spec) {
    m.object.spec = job_spec(spec);
    if (const Yaml selector = map(spec, "selector"); selector) m.object.selector = selector_of(selector);
  }
  const Yaml status = map(object, "status");
  m.object.succeeded = integer_or(status, "succeeded", 0);
  m.object.failed = integer_or(status, "failed", 0);
  m.object.completed_indexes = indexes(status, "completedIndexes");
  m.object.failed_indexes = indexes(status, "failedIndexes");
  for (const Yaml condition : maps(status, "conditions")) {
    if (text(condition, "status") != "True") continue;
    if (text(condition, "type") == "Complete") m.object.complete = true;
    if (text(condition, "type") == "Failed") {
      m.object.failed_condition = true;
      m.object.failed_reason = symbol(condition, "reason");
    }
  }
  put(set->jobs, std::move(m));
}

}  // namespace sim::scenario::manifests

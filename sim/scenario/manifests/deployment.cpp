#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kDeploymentFields[] = {"replicas", "selector", "template", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused", "progressDeadlineSeconds"};

}  // namespace

void ObjectReader::deployment(Yaml object) {
  Manifest<Deployment> m = begin<Deployment>(object, true);
  Deployment& d = m.object;
  if (const Yaml spec = spec_of(object); spec) {
    d.replicas = integer_or(spec, "replicas", 1);
    expect_fields(spec, "Deployment.spec", kDeploymentFields);
    d.pod_template = pod_template(spec);
    d.selector = workload_selector(spec, d.pod_template);
    only_restart_always(spec, d.pod_template);
    const Yaml strategy = map(spec, "strategy");
    d.recreate = word<bool>(strategy, "type", {{"RollingUpdate", false}, {"Recreate", true}});
    const Yaml rolling = map(strategy, "rollingUpdate");
    if (d.recreate && rolling) impossible(rolling, "rollingUpdate is not allowed with strategy Recreate");
    d.max_surge = int_or_percent(rolling, "maxSurge").value_or(IntOrPercent{25, true});
    d.max_unavailable = int_or_percent(rolling, "maxUnavailable").value_or(IntOrPercent{25, true});
    if (rolling && d.max_surge.value == 0 && d.max_unavailable.value == 0) {
      impossible(rolling, "maxUnavailable may not be 0 when maxSurge is 0: nothing could ever be updated");
    }
    d.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
    d.progress_deadline_seconds = integer_or(spec, "progressDeadlineSeconds", 600);
    if (d.progress_deadline_seconds <= d.min_ready_seconds) {
      impossible(spec.find("progressDeadlineSeconds") ? spec.find("progressDeadlineSeconds") : spec, "progressDeadlineSeconds must be larger than minReadySeconds");
    }
    d.revision_history_limit = integer_or(spec, "revisionHistoryLimit", 10);
    d.paused = boolean(spec, "paused", false);
  }
  put(set->deployments, std::move(m));
}

}  // namespace sim::scenario::manifests

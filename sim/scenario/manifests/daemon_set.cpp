#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kDaemonSetFields[] = {"selector", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"};

}  // namespace

void ObjectReader::daemon_set(Yaml object) {
  Manifest<DaemonSet> m = begin<DaemonSet>(object, true);
  DaemonSet& d = m.object;
  if (const Yaml spec = spec_of(object); spec) {
    expect_fields(spec, "DaemonSet.spec", kDaemonSetFields);
    d.pod_template = pod_template(spec);
    d.selector = workload_selector(spec, d.pod_template);
    only_restart_always(spec, d.pod_template);
    const Yaml strategy = map(spec, "updateStrategy");
    d.on_delete = word<bool>(strategy, "type", {{"RollingUpdate", false}, {"OnDelete", true}});
    const Yaml rolling = map(strategy, "rollingUpdate");
    d.max_unavailable = int_or_percent(rolling, "maxUnavailable").value_or(IntOrPercent{1, false});
    d.max_surge = int_or_percent(rolling, "maxSurge").value_or(IntOrPercent{0, false});
    if (rolling && d.max_surge.value == 0 && d.max_unavailable.value == 0) {
      impossible(rolling, "maxUnavailable may not be 0 when maxSurge is 0: nothing could ever be updated");
    }
    if (rolling && d.max_surge.value != 0 && d.max_unavailable.value != 0) {
      if (rolling.find("maxUnavailable").is_null()) {
        d.max_unavailable = IntOrPercent{1, false};  // the API's default stands beside maxSurge and is refused by it
      }
      impossible(rolling, "a DaemonSet takes maxSurge or maxUnavailable, the other one must be 0");
    }
    d.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
  }
  put(set->daemon_sets, std::move(m));
}

}  // namespace sim::scenario::manifests

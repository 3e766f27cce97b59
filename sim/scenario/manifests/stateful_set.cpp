#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kStatefulSetFields[] = {"replicas", "selector", "template", "volumeClaimTemplates", "serviceName", "podManagementPolicy", "updateStrategy",
                                        "revisionHistoryLimit", "minReadySeconds", "persistentVolumeClaimRetentionPolicy", "ordinals"};

}  // namespace

void ObjectReader::stateful_set(Yaml object) {
  Manifest<StatefulSet> m = begin<StatefulSet>(object, true);
  StatefulSet& s = m.object;
  if (const Yaml spec = spec_of(object); spec) {
    s.replicas = integer_or(spec, "replicas", 1);
    expect_fields(spec, "StatefulSet.spec", kStatefulSetFields);
    s.start_ordinal = integer_or(map(spec, "ordinals"), "start", 0);
    s.pod_template = pod_template(spec);
    s.selector = workload_selector(spec, s.pod_template);
    only_restart_always(spec, s.pod_template);
    s.service_name = symbol(spec, "serviceName");
    s.parallel = word<bool>(spec, "podManagementPolicy", {{"OrderedReady", false}, {"Parallel", true}});
    const Yaml strategy = map(spec, "updateStrategy");
    s.on_delete = word<bool>(strategy, "type", {{"RollingUpdate", false}, {"OnDelete", true}});
    const Yaml rolling = map(strategy, "rollingUpdate");
    s.partition = integer_or(rolling, "partition", 0);
    not_simulated(rolling.find("maxUnavailable"), "StatefulSet.spec.updateStrategy.rollingUpdate.maxUnavailable");
    s.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
    for (const Yaml claim : maps(spec, "volumeClaimTemplates")) {
      if (symbol(map(claim, "metadata"), "name")) s.claim_templates.push_back(claim_template(claim));
      not_simulated(claim, std::string(kUnsimulatedTemplates));
    }
    const Yaml retention = map(spec, "persistentVolumeClaimRetentionPolicy");
    s.deletes_claims_when_deleted = word<bool>(retention, "whenDeleted", {{"Retain", false}, {"Delete", true}});
    s.deletes_claims_when_scaled = word<bool>(retention, "whenScaled", {{"Retain", false}, {"Delete", true}});
  }
  if (const Symbol update = symbol(map(object, "status"), "updateRevision")) {
    revisions[{Kind::kStatefulSet, s.meta.ns, s.meta.name}] = Revision{INT64_MAX, update};
  }
  put(set->stateful_sets, std::move(m));
}

}  // namespace sim::scenario::manifests

#include "sim/scenario/manifests/object_reader.hpp"
#include "sim/scenario/manifests/revision_hash.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kReplicaSetFields[] = {"replicas", "minReadySeconds", "selector", "template"};

}  // namespace

void ObjectReader::replica_set(Yaml object) {
  Manifest<ReplicaSet> m = begin<ReplicaSet>(object, true);
  ReplicaSet& r = m.object;
  if (const Yaml spec = spec_of(object); spec) {
    r.replicas = integer_or(spec, "replicas", 1);
    expect_fields(spec, "ReplicaSet.spec", kReplicaSetFields);
    r.pod_template = pod_template(spec);
    // Its Deployment knows it by the template without the label that it adds.
    if (const Yaml pods = map(spec, "template"); pods) r.pod_template.hash = revision_hash(pods);
    r.selector = workload_selector(spec, r.pod_template);
    only_restart_always(spec, r.pod_template);
    r.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
    const Yaml revision = map(map(object, "metadata"), "annotations").find("deployment.kubernetes.io/revision");
    for (const char c : revision.text().substr(0, 18)) r.revision = c >= '0' && c <= '9' ? r.revision * 10 + (c - '0') : r.revision;
  }
  put(set->replica_sets, std::move(m));
}

}  // namespace sim::scenario::manifests

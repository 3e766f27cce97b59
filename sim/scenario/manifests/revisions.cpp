#include <algorithm>

#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/scenario/manifests/object_reader.hpp"
#include "sim/scenario/manifests/revision_hash.hpp"

namespace sim::scenario {

/// Of a pod template as a revision: what a ReplicaSet adds to the template of its Deployment, and what the API server writes into it, do not count.
std::uint64_t revision_hash(Node pod_template) {
  const Node labels = pod_template.find("metadata").find("labels");
  const Node hash = labels.find("pod-template-hash");
  const std::uint64_t whole = content_hash(pod_template);
  if (!hash) return whole;
  TreeEditor editor;
  Diagnostics none;
  const auto without = load_text("patch", R"({"metadata": {"labels": {"pod-template-hash": null}}})", none);
  return content_hash(editor.merge_patch(pod_template, without->root()));
}

namespace manifests {

/// A revision of a StatefulSet or DaemonSet: which label the pods of its newest template have.
void ObjectReader::controller_revision(Yaml object) {
  const Yaml metadata = map(object, "metadata");
  const std::int64_t revision = integer_or(object, "revision", 0, 0, INT64_MAX);
  const Symbol label = symbol(map(metadata, "labels"), "controller-revision-hash");
  const Symbol ns = metadata.find("namespace").is_null() ? well_known.ns_default : symbol(metadata, "namespace");
  for (const Yaml owner : maps(metadata, "ownerReferences")) {
    const Kind kind = text(owner, "kind") == "StatefulSet" ? Kind::kStatefulSet : Kind::kDaemonSet;
    Revision& newest = revisions[{kind, ns, symbol(owner, "name")}];
    if (label && revision >= newest.number) newest = Revision{revision, label};
  }
  other(object, "apps/v1");
}

/// Pods say by a label of which revision of their owner they are. Its value is a hash that another API server made: those of the newest revision get the
/// value that the controllers here give it, or they would all be taken for outdated, and be replaced.
void ObjectReader::settle_revisions() {
  struct Pods {
    std::vector<Manifest<Pod>*> pods;
    std::map<Symbol, std::size_t> values;
  };
  std::map<RevisionOwner, Pods> owned;
  const Symbol key = well_known.controller_revision_hash;
  for (Manifest<Pod>& m : own.pods) {
    const std::optional<Symbol> value = m.object.meta.labels.find(key);
    if (!value) continue;
    for (const OwnerName& owner : m.owners) {
      if (!owner.controller || (owner.kind != Kind::kStatefulSet && owner.kind != Kind::kDaemonSet)) continue;
      Pods& pods = owned[{owner.kind, m.object.meta.ns, owner.name}];
      pods.pods.push_back(&m);
      ++pods.values[*value];
    }
  }
  const auto settle = [&](Kind kind, const ObjectMeta& meta, Symbol wanted) {
    const auto found = owned.find({kind, meta.ns, meta.name});
    if (found == owned.end()) return;
    const auto revision = revisions.find({kind, meta.ns, meta.name});
    Symbol current;
    if (revision != revisions.end()) {
      // A StatefulSet's label is the name of its revision; the name of a DaemonSet's revision ends with the label.
      current = revision->second.label;
      for (const auto& [value, count] : found->second.values) {
        if (names.text(current).ends_with(names.text(value)) || names.text(value).ends_with("-" + names.text(current))) current = value;
      }
    } else {
      // Without the revisions: what most of the pods are.
      const auto most = std::max_element(found->second.values.begin(), found->second.values.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
      current = most->first;
    }
    for (Manifest<Pod>* m : found->second.pods) {
      if (m->object.meta.labels.find(key) == current) m->object.meta.labels.set(key, wanted);
    }
  };
  for (const Manifest<StatefulSet>& m : own.stateful_sets) {
    settle(Kind::kStatefulSet, m.object.meta, intern(fmt::format("{}-{}", names.text(m.object.meta.name), encoded_hash(m.object.pod_template.hash))));
  }
  for (const Manifest<DaemonSet>& m : own.daemon_sets) settle(Kind::kDaemonSet, m.object.meta, intern(encoded_hash(m.object.pod_template.hash)));
}

}  // namespace manifests

}  // namespace sim::scenario

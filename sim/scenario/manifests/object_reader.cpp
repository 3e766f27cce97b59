#include "sim/scenario/manifests/object_reader.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "sim/models/kubernetes/api/admission.hpp"

namespace sim::scenario::manifests {

namespace {

struct KindEntry {
  std::string_view group;
  std::string_view version;
  std::string_view name;
  Kind kind;
  void (ObjectReader::*read)(Yaml object);
};
using R = ObjectReader;
constexpr std::array<KindEntry, 25> kKinds = {{{"", "v1", "Node", Kind::kNode, &R::node},
                                               {"", "v1", "Pod", Kind::kPod, &R::pod},
                                               {"", "v1", "Service", Kind::kService, &R::service},
                                               {"", "v1", "Namespace", Kind::kNamespace, &R::name_space},
                                               {"apps", "v1", "Deployment", Kind::kDeployment, &R::deployment},
                                               {"apps", "v1", "ReplicaSet", Kind::kReplicaSet, &R::replica_set},
                                               {"apps", "v1", "StatefulSet", Kind::kStatefulSet, &R::stateful_set},
                                               {"apps", "v1", "DaemonSet", Kind::kDaemonSet, &R::daemon_set},
                                               {"batch", "v1", "Job", Kind::kJob, &R::job},
                                               {"batch", "v1", "CronJob", Kind::kCronJob, &R::cron_job},
                                               {"policy", "v1", "PodDisruptionBudget", Kind::kPodDisruptionBudget, &R::budget},
                                               {"scheduling.k8s.io", "v1", "PriorityClass", Kind::kPriorityClass, &R::priority_class},
                                               {"node.k8s.io", "v1", "RuntimeClass", Kind::kOther, &R::runtime_class},
                                               {"storage.k8s.io", "v1", "StorageClass", Kind::kStorageClass, &R::storage_class},
                                               {"", "v1", "PersistentVolume", Kind::kPersistentVolume, &R::persistent_volume},
                                               {"", "v1", "PersistentVolumeClaim", Kind::kPersistentVolumeClaim, &R::claim},
                                               {"storage.k8s.io", "v1", "VolumeAttachment", Kind::kVolumeAttachment, &R::attachment},
                                               {"storage.k8s.io", "v1", "CSINode", Kind::kOther, &R::csi_node},
                                               {"apps", "v1", "ControllerRevision", Kind::kOther, &R::controller_revision},
                                               {"storage.k8s.io", "v1", "CSIDriver", Kind::kOther, &R::csi_driver},
                                               {"storage.k8s.io", "v1", "CSIStorageCapacity", Kind::kOther, &R::storage_capacity},
                                               {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", Kind::kOther, &R::validating_webhooks},
                                               {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", Kind::kOther, &R::mutating_webhooks},
                                               {"flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", Kind::kOther, &R::flow_schema},
                                               {"flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", Kind::kOther, &R::priority_level}}};

const KindEntry* find_kind(std::string_view group, std::string_view name) {
  for (const KindEntry& entry : kKinds) {
    if (entry.name == name && (entry.group == group || (group == "extensions" && entry.group == "apps"))) return &entry;
  }
  return nullptr;
}

}  // namespace

void ObjectReader::metadata(Yaml object, Kind kind, bool namespaced, ObjectMeta& meta, std::vector<OwnerName>& owners) {
  const Yaml given = map(object, "metadata");
  if (!given) {
    if (object.find("metadata").is_null()) impossible(object, fmt::format("{} needs 'metadata'", kind_name));
    return;
  }
  const std::string_view name = text(given, "name");
  if (given.find("name").is_null()) {
    Diagnostic& d = impossible(given, fmt::format("{} needs 'metadata.name'", kind_name));
    if (given.find("generateName")) d.hint = "generateName is not supported: give each object a name";
  } else if (!name.empty() && kind != Kind::kOther && !is_object_name(name)) {
    impossible(given.find("name"), fmt::format("'{}' is no valid name", name)).expected = "lower case letters, digits, '-' and '.', with a letter or digit at both ends";
  }
  meta.name = intern(name);
  const std::string_view ns = text(given, "namespace");
  if (kind == Kind::kOther) {
    meta.ns = intern(ns);
  } else if (namespaced) {
    meta.ns = ns.empty() ? well_known.ns_default : intern(ns);
  }
  meta.labels = labels(given, "labels");
  meta.annotations = labels(given, "annotations", false);
  meta.finalizers = strings(given, "finalizers");
  not_simulated(given.find("deletionTimestamp"), "metadata.deletionTimestamp (the object is taken as not being deleted)");
  for (const Yaml entry : maps(given, "ownerReferences")) {
    OwnerName owner;
    const std::string_view version = text(entry, "apiVersion");
    const std::string_view group = version.find('/') == std::string_view::npos ? std::string_view{} : version.substr(0, version.find('/'));
    const KindEntry* known = find_kind(group, text(entry, "kind"));
    owner.kind = known == nullptr ? Kind::kOther : known->kind;
    owner.name = symbol(entry, "name");
    owner.controller = boolean(entry, "controller", false);
    owners.push_back(owner);
  }
  meta.source = source_of(object);
}

Yaml ObjectReader::spec_of(Yaml object) {
  const Yaml spec = map(object, "spec");
  if (!spec && object.find("spec").is_null()) impossible(object, fmt::format("{} needs 'spec'", kind_name));
  return spec;
}

void ObjectReader::only_restart_always(Yaml spec, const PodTemplate& pods) {
  if (pods.spec->restart_policy == RestartPolicy::kAlways) return;
  impossible(map(map(spec, "template"), "spec").find("restartPolicy"), fmt::format("the pods of a {} are restarted always", kind_name)).expected = "Always";
}

void ObjectReader::name_space(Yaml object) {
  Manifest<Namespace> m = begin<Namespace>(object, false);
  // The API server sets it on every namespace.
  if (m.object.meta.name) m.object.meta.labels.set(intern("kubernetes.io/metadata.name"), m.object.meta.name);
  put(set->namespaces, std::move(m));
}

void ObjectReader::other(Yaml object, std::string_view api_version) {
  Manifest<OtherObject> m = begin<OtherObject>(object, true);
  m.object.api_version = intern(api_version);
  m.object.kind_name = intern(kind_name);
  m.object.meta.name = intern(fmt::format("{}/{}", kind_name, names.text(m.object.meta.name)));
  put(set->others, std::move(m));
}

void ObjectReader::decode(Yaml object, std::string_view list_version, std::string_view list_kind) {
  if (object.is_null()) return;
  if (!object.is_map()) {
    wrong(object, "a Kubernetes object");
    return;
  }
  std::string_view version = text(object, "apiVersion");
  std::string_view kind = text(object, "kind");
  if (version.empty() && object.find("apiVersion").is_null()) version = list_version;
  if (kind.empty() && object.find("kind").is_null()) kind = list_kind;
  if (kind.empty() || version.empty()) {
    const std::string_view key = kind.empty() ? "kind" : "apiVersion";
    if (object.find(key).is_null()) impossible(object, fmt::format("an object needs '{}'", key));
    return;
  }
  kind_name = kind;
  if (kind.size() > 4 && kind.ends_with("List") ? object.find("items") && object.find("items").is_sequence() : kind == "List") {
    const Yaml items = object.find("items");
    if (items.is_null()) return;
    if (!items.is_sequence()) {
      wrong(items, "a list of objects");
      return;
    }
    const std::string item_kind(kind.substr(0, kind.size() - 4));
    for (std::size_t i = 0; i < items.size(); ++i) decode(items.item(i), item_kind.empty() ? std::string_view{} : version, item_kind);
    return;
  }
  const std::size_t slash = version.find('/');
  const std::string_view group = slash == std::string_view::npos ? std::string_view{} : version.substr(0, slash);
  const std::string_view in_group = slash == std::string_view::npos ? version : version.substr(slash + 1);
  const KindEntry* known = find_kind(group, kind);
  if (known == nullptr) {
    other(object, version);
    return;
  }
  if (in_group != known->version || group != known->group) {
    Diagnostic& d = impossible(object.find("apiVersion"), fmt::format("{} is not served as '{}'", kind, version));
    d.expected = known->group.empty() ? std::string(known->version) : fmt::format("{}/{}", known->group, known->version);
    return;
  }
  (this->*known->read)(object);
}

bool ObjectReader::decode_as(Yaml object, std::string_view group, std::string_view kind) {
  const KindEntry* known = find_kind(group, kind);
  if (known == nullptr) return false;
  kind_name = kind;
  (this->*known->read)(object);
  return true;
}

template <class T>
void ObjectReader::refuse_duplicates(const std::vector<Manifest<T>>& list) {
  std::unordered_map<std::uint64_t, std::uint32_t> seen;  // look-up only
  for (std::uint32_t i = 0; i < list.size(); ++i) {
    const ObjectMeta& meta = list[i].object.meta;
    if (!meta.name) continue;
    const auto [first, fresh] = seen.emplace(std::uint64_t{meta.ns.value} << 32 | meta.name.value, i);
    if (fresh) continue;
    const std::string name = meta.ns ? names.text(meta.ns) + "/" + names.text(meta.name) : names.text(meta.name);
    Diagnostic& d = diagnostics.error(list[i].where, fmt::format("there are two {}s with the name '{}'", to_string(T::kKind), name));
    d.hint = "the first is at " + list[first->second].where.to_string();
  }
}

ManifestSet ObjectReader::finish() {
  refuse_duplicates(own.nodes);
  refuse_duplicates(own.pods);
  refuse_duplicates(own.deployments);
  refuse_duplicates(own.replica_sets);
  refuse_duplicates(own.stateful_sets);
  refuse_duplicates(own.daemon_sets);
  refuse_duplicates(own.jobs);
  refuse_duplicates(own.cron_jobs);
  refuse_duplicates(own.services);
  refuse_duplicates(own.budgets);
  refuse_duplicates(own.priority_classes);
  refuse_duplicates(own.namespaces);
  refuse_duplicates(own.storage_classes);
  refuse_duplicates(own.volumes);
  refuse_duplicates(own.claims);
  refuse_duplicates(own.attachments);
  refuse_duplicates(own.quotas);
  refuse_duplicates(own.limit_ranges);
  refuse_duplicates(own.autoscalers);
  if (!own.storage_classes.empty() || !own.volumes.empty()) {
    for (const std::string_view field : {kUnsimulatedClaim, kUnsimulatedEphemeral, kUnsimulatedTemplates, kUnsimulatedObject}) {
      unmodelled.erase(std::string(field));
    }
  }

  for (Manifest<k8s::Node>& m : own.nodes) {
    const auto found = csi_limits.find(m.object.meta.name);
    if (found != csi_limits.end()) m.object.volume_limits = found->second;
  }
  settle_capacities();
  settle_start_times();
  settle_revisions();
  settle_runtime_classes();

  std::vector<const PriorityClass*> classes;
  for (const Manifest<PriorityClass>& m : own.priority_classes) classes.push_back(&m.object);
  for (Manifest<Pod>& m : own.pods) {
    auto spec = std::const_pointer_cast<PodSpec>(m.object.spec);  // made here, shared with nobody yet
    if (const std::optional<std::string> refused = admit_pod(*spec, classes, names, well_known)) {
      diagnostics.error(m.where, fmt::format("Pod '{}' is refused: {}", names.text(m.object.meta.name), *refused));
    }
  }
  const auto check_class = [&](const Place& where, std::string_view kind, Symbol name, const PodTemplate& pods) {
    if (pods.spec && !resolve_priority(*pods.spec, classes, names)) {
      diagnostics.error(where, fmt::format("the pods of {} '{}' would be refused: no PriorityClass with name {} was found", kind, names.text(name),
                                           names.text(pods.spec->priority_class_name)));
    }
  };
  for (const auto& m : own.deployments) check_class(m.where, "Deployment", m.object.meta.name, m.object.pod_template);
  for (const auto& m : own.replica_sets) check_class(m.where, "ReplicaSet", m.object.meta.name, m.object.pod_template);
  for (const auto& m : own.stateful_sets) check_class(m.where, "StatefulSet", m.object.meta.name, m.object.pod_template);
  for (const auto& m : own.daemon_sets) check_class(m.where, "DaemonSet", m.object.meta.name, m.object.pod_template);
  for (const auto& m : own.jobs) check_class(m.where, "Job", m.object.meta.name, m.object.spec.pod_template);
  for (const auto& m : own.cron_jobs) check_class(m.where, "CronJob", m.object.meta.name, m.object.job_template.pod_template);

  tell_what_is_kept();
  return std::move(own);
}

void ObjectReader::tell_what_is_kept() {
  std::map<std::string, std::size_t> kept;
  for (const Manifest<OtherObject>& m : own.others) ++kept[names.text(m.object.kind_name)];
  kept.erase("RuntimeClass");  // what it does to pods is
  if (!kept.empty()) {
    std::vector<std::string> parts;
    for (const auto& [kind, count] : kept) parts.push_back(fmt::format("{} ({})", kind, count));
    diagnostics.warning_in("", fmt::format("kept, not simulated: {}", fmt::join(parts, ", ")));
  }
  for (const auto& [field, entry] : unmodelled) {
    diagnostics.warning(entry.first, entry.count == 1 ? fmt::format("not simulated: {}", field)
                                                      : fmt::format("not simulated: {} ({} times; this is the first)", field, entry.count));
  }
  for (const auto& [field, entry] : unknown) {
    Diagnostic& d = diagnostics.warning(entry.first, entry.count == 1 ? fmt::format("Kubernetes has no field {}", field)
                                                                      : fmt::format("Kubernetes has no field {} ({} times; this is the first)", field, entry.count));
    d.hint = entry.hint;
  }
}

}  // namespace sim::scenario::manifests

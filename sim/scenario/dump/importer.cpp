#include "sim/scenario/dump/importer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "sim/scenario/dump/dump_items.hpp"
#include "sim/scenario/dump/recordings.hpp"
#include "sim/scenario/dump/usage_table.hpp"
#include "sim/scenario/manifests/object_reader.hpp"
#include "sim/scenario/names.hpp"

namespace sim::scenario::dump {

namespace {

using k8s::Kind;

constexpr std::string_view kMeta = "apiVersion,kind,metadata(name,namespace,labels*,annotations*,ownerReferences(apiVersion,kind,name,controller),finalizers*)";
constexpr std::string_view kContainer =
    "name,image,imagePullPolicy,resources*,ports*,readinessProbe*,livenessProbe*,startupProbe*,restartPolicy,volumeMounts(name),volumeDevices(name)";
// What every pod of a template says of itself; nodeName and priority are what becomes of one.
constexpr std::string_view kPodSpec =
    "restartPolicy,terminationGracePeriodSeconds,activeDeadlineSeconds,nodeSelector*,affinity*,tolerations*,topologySpreadConstraints*,priorityClassName,"
    "preemptionPolicy,hostNetwork,schedulerName,schedulingGates*,overhead*,resources*,volumes(name,persistentVolumeClaim*,ephemeral*,emptyDir*)";
constexpr std::string_view kContainerStatus = "name,ready,started,restartCount,state(running(),waiting(reason),terminated(exitCode,reason))";

std::string pod_spec_selection(bool of_template) {
  return fmt::format("containers({0}),initContainers({0}),{1}{2}", kContainer, kPodSpec, of_template ? "" : ",nodeName,priority");
}

/// Kinds that the scenario takes, and what of them.
struct TakenKind {
  std::string_view group;
  std::string_view version;
  std::string_view kind;
  Selection selection;
  bool has_template = false;  // its document is kept: owners of pods are made up from it
};

const std::vector<TakenKind>& taken_kinds() {
  static const std::vector<TakenKind> kinds = [] {
    const auto with = [](std::string_view rest) { return Selection::parse(fmt::format("{},{}", kMeta, rest)); };
    std::vector<TakenKind> list;
    list.push_back({"", "v1", "Namespace", Selection::parse(kMeta)});
    list.push_back({"scheduling.k8s.io", "v1", "PriorityClass", with("value,globalDefault,preemptionPolicy,description")});
    list.push_back({"", "v1", "Node",
                    Selection::parse("apiVersion,kind,metadata(name,labels*),spec(unschedulable,taints(key,value,effect)),"
                                     "status(capacity*,allocatable*,conditions(type,status,reason),images(names*,sizeBytes))")});
    list.push_back({"storage.k8s.io", "v1", "StorageClass",
                    with("provisioner,parameters*,reclaimPolicy,volumeBindingMode,allowedTopologies*,allowVolumeExpansion,mountOptions*")});
    list.push_back({"storage.k8s.io", "v1", "CSINode", with("spec*")});
    list.push_back({"storage.k8s.io", "v1", "CSIDriver", with("spec*")});
    list.push_back({"storage.k8s.io", "v1", "CSIStorageCapacity", with("storageClassName,capacity,maximumVolumeSize,nodeTopology*")});
    list.push_back({"", "v1", "PersistentVolume", with("spec*,status(phase)")});
    list.push_back({"", "v1", "PersistentVolumeClaim", with("spec*,status(phase)")});
    list.push_back({"storage.k8s.io", "v1", "VolumeAttachment", with("spec*,status(attached)")});
    list.push_back({"apps", "v1", "Deployment", with("spec*"), true});
    list.push_back({"apps", "v1", "ReplicaSet", with("spec*")});
    list.push_back({"apps", "v1", "StatefulSet", with("spec*,status(updateRevision)")});
    list.push_back({"apps", "v1", "DaemonSet", with("spec*")});
    list.push_back({"apps", "v1", "ControllerRevision", with("revision")});
    list.push_back({"batch", "v1", "CronJob", with("spec*")});
    list.push_back({"batch", "v1", "Job", with("spec*,status(succeeded,failed,completedIndexes,failedIndexes,conditions(type,status,reason))")});
    list.push_back({"", "v1", "Service", with("spec*")});
    list.push_back({"policy", "v1", "PodDisruptionBudget", with("spec*")});
    list.push_back({"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", with("webhooks*")});
    list.push_back({"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", with("webhooks*")});
    list.push_back({"flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", with("spec*")});
    list.push_back({"flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", with("spec*")});
    list.push_back({"", "v1", "Pod",
                    with(fmt::format("spec({}),status(phase,reason,startTime,conditions(type,status),containerStatuses({}),initContainerStatuses({}))",
                                     pod_spec_selection(false), kContainerStatus, kContainerStatus))});
    return list;
  }();
  return kinds;
}

/// The simulated API server, its controllers and kubelets make these themselves.
constexpr std::array<std::string_view, 8> kDerived = {"Event", "Endpoints", "EndpointSlice", "Lease", "ComponentStatus", "PodMetrics", "NodeMetrics", "LeaseCandidate"};
/// Whatever stands in these, no figure of a run depends on it.
constexpr std::array<std::string_view, 11> kWithoutEffect = {"ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
                                                             "CustomResourceDefinition", "APIService", "IngressClass", "PodTemplate"};
/// Bookkeeping of the API server that the dump comes from.
constexpr std::array<std::string_view, 8> kBookkeeping = {"managedFields", "uid", "resourceVersion", "generation", "selfLink", "creationTimestamp", "generateName", "blockOwnerDeletion"};

template <class Words>
bool is_one_of(std::string_view word, const Words& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string full_name(std::string_view ns, std::string_view name) { return ns.empty() ? std::string(name) : fmt::format("{}/{}", ns, name); }

}  // namespace

struct Importer::Impl {
  Impl(ImportOptions given, Diagnostics& collector) : options(std::move(given)), diagnostics(collector), reader(names, found) {}

  // One object that goes into the scenario.
  struct Taken {
    std::size_t kind = 0;  // of taken_kinds()
    std::string text;
    std::string node;  // of a pod that is bound
    bool is_dropped = false;
  };
  /// The pods of one controlling owner.
  struct Group {
    std::string kind;
    std::string ns;
    std::string name;
    std::shared_ptr<const Document> document;  // of its first pod
    Node pod;
    std::map<std::string, std::string> labels;  // that all of them have
    std::string newest;                         // creation
    std::set<std::string> nodes;
    std::uint64_t active = 0;
    std::int64_t ordinal = -1;  // the lowest
    std::string revision;       // controller-revision-hash, when all have the same
  };
  struct Kept {
    std::shared_ptr<const Document> document;
    Node object;
  };

  // ---- reading ----

  void object(const Item& item) { object(item.object, item); }

  void object(Node root, const Item& item) {
    if (root.is_null()) return;
    if (!root.is_map()) {
      Report::note(report.objects_left_out, "value", fmt::format("no Kubernetes object, but {}", root.describe()), place(root, item));
      return;
    }
    std::string kind(root.find("kind").text());
    std::string version(root.find("apiVersion").text());
    if (kind.empty()) kind = item.list.kind;
    if (version.empty()) version = item.list.api_version;
    if (kind.empty() && (root.find("fsid") || root.find("stray") || root.find("pool_name") || (root.find("section") && root.find("level")))) {
      Report::note(report.objects_left_out, "output of ceph", "Ceph is told by the section ceph of the scenario (docs/scenario.md), which is not made from it", place(root, item));
      return;
    }
    if (kind.empty() || version.empty()) {
      Report::note(report.objects_left_out, "object", fmt::format("it has no '{}'", kind.empty() ? "kind" : "apiVersion"), place(root, item));
      return;
    }
    if (kind.ends_with("List") && root.find("items").is_sequence()) {
      Item inner = item;
      inner.list = kind == "List" ? ListOf{} : ListOf{version, kind.substr(0, kind.size() - 4)};
      for (std::size_t i = 0; i < root.find("items").size(); ++i) object(root.find("items").item(i), inner);
      return;
    }
    if (kind.ends_with("List") && kind.size() > 4 && root.find("items").is_null()) return;  // an empty one
    ++objects_read;
    if (kind == "ResourcePatch" && version.starts_with("action.kwok.x-k8s.io/")) {
      resource_patch(root, item);
      return;
    }
    note_time(root, kind);
    one(root, kind, version, item);
  }

  void one(Node root, const std::string& kind, std::string version, const Item& item) {
    const std::size_t slash = version.find('/');
    const std::string group = slash == std::string::npos ? "" : version.substr(0, slash);
    const std::vector<TakenKind>& kinds = taken_kinds();
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const TakenKind& k) {
      return k.kind == kind && (k.group == group || (group == "extensions" && k.group == "apps"));
    });
    const std::string_view ns = root.find("metadata").find("namespace").text();
    const std::string_view name = root.find("metadata").find("name").text();
    if (known == kinds.end()) {
      not_simulated(kind, group, full_name(ns, name));
      return;
    }
    // Served by older clusters; the fields that are read here did not change.
    const std::string served = known->group.empty() ? std::string(known->version) : fmt::format("{}/{}", known->group, known->version);
    if (version != served) {
      Report::note(report.changed, kind, fmt::format("{} is read as {}", version, served), full_name(ns, name));
      version = served;
    }
    const std::string identity = fmt::format("{}/{}", kind, full_name(ns.empty() && kind == "Pod" ? "default" : ns, name));
    if (!seen.insert(identity).second) {
      Report::note(report.objects_left_out, kind, "it is in the dump twice; the first one counts", full_name(ns, name));
      return;
    }
    if (!is_readable(root, kind, known->group, item, full_name(ns, name))) {
      seen.erase(identity);
      return;
    }
    Taken made;
    made.kind = static_cast<std::size_t>(known - kinds.begin());
    if (kind == "Pod") pod(root, item, made);
    const bool starts_down = kind == "Node" && node();
    if (kind == "PriorityClass") classes.insert(std::string(name));
    if (known->has_template) workloads.emplace(identity, Kept{item.document, root});
    Selection everything = Selection::everything();
    made.text = fmt::format("apiVersion: {}\nkind: {}\n", served, kind);
    write_object(made.text, root, options.keep_all ? everything : known->selection, kind);
    if (starts_down) {
      constexpr std::string_view kDown = "    squall.dev/starts-down: 'true'\n";
      const std::size_t annotations = made.text.find("\n  annotations:\n");
      if (annotations != std::string::npos) {
        made.text.insert(annotations + std::string_view("\n  annotations:\n").size(), kDown);
      } else {
        made.text.insert(made.text.find("\nmetadata:\n") + std::string_view("\nmetadata:\n").size(), fmt::format("  annotations:\n{}", kDown));
      }
    }
    taken.push_back(std::move(made));
    ++report.taken[kind];
  }

  /// All but apiVersion and kind, which are there already, and what belongs to the old API server.
  void write_object(std::string& to, Node root, const Selection& selection, const std::string& kind) {
    FieldCounts left_out;
    std::string body;
    write_yaml_map(body, root, selection, 0, kind, left_out);
    for (std::size_t at = 0; at < body.size();) {
      std::size_t stop = body.find('\n', at);
      stop = stop == std::string::npos ? body.size() : stop + 1;
      const std::string_view line = std::string_view(body).substr(at, stop - at);
      if (!line.starts_with("apiVersion:") && !line.starts_with("kind:")) to += line;
      at = stop;
    }
    for (const auto& [path, count] : left_out) {
      const std::string_view last = std::string_view(path).substr(path.rfind('.') + 1);
      if (is_one_of(last, kBookkeeping) || path.find(".status") != std::string::npos) continue;
      report.fields_without_effect[path] += count;
    }
  }

  void not_simulated(const std::string& kind, const std::string& group, const std::string& name) {
    if (is_one_of(kind, kDerived)) {
      ++report.derived[kind];
    } else if (is_one_of(kind, kWithoutEffect) && (group.empty() || group.ends_with(".k8s.io"))) {
      ++report.without_effect[kind];
    } else {
      std::string what = group.empty() ? kind : fmt::format("{}.{}", kind, group);
      std::string why = "not simulated";
      if (kind == "HorizontalPodAutoscaler") why = "not simulated: nobody scales what it scales (see the fault kind scale)";
      Report::note(report.objects_left_out, what, why, name);
    }
  }

  /// Whether the reader of manifests takes it. What it says of fields that are not simulated is taken down.
  bool is_readable(Node root, const std::string& kind, std::string_view group, const Item& item, const std::string& name) {
    found = Diagnostics{};
    reader.own = ManifestSet{};
    reader.unmodelled.clear();
    reader.unknown.clear();
    reader.decode_as(root, group, kind);
    want_classes();
    if (found.has_errors()) {
      const Diagnostic first = found.sorted().front();
      std::string why = first.message;
      if (!first.expected.empty()) why += fmt::format(" (expected: {})", first.expected);
      Report::note(report.objects_left_out, kind, why, first.line == 0 ? name : fmt::format("{}, {}:{}:{}", name, first.file, first.line + item.lines_before, first.column));
      return false;
    }
    if (kind == "Node" && (reader.own.nodes.back().object.capacity.cpu_milli <= 0 || reader.own.nodes.back().object.capacity.memory <= 0)) {
      Report::note(report.objects_left_out, kind, "it says no cpu or no memory in status.capacity and status.allocatable", name);
      return false;
    }
    for (const auto& [field, entry] : reader.unmodelled) {
      if (field == manifests::kUnsimulatedClaim || field == manifests::kUnsimulatedEphemeral || field == manifests::kUnsimulatedTemplates || field == manifests::kUnsimulatedObject) {
        of_volumes[field] += entry.count;
        continue;
      }
      const std::string_view why = field.find("deletionTimestamp") != std::string::npos ? "it starts as if it was not being deleted" : "";
      std::vector<Report::Note>& list = why.empty() ? report.fields_not_simulated : report.changed;
      for (std::size_t i = 0; i < entry.count; ++i) Report::note(list, why.empty() ? std::string_view(field) : std::string_view(kind), why, name);
    }
    for (const auto& [field, entry] : reader.unknown) {
      for (std::size_t i = 0; i < entry.count; ++i) Report::note(report.fields_not_simulated, field, "Kubernetes has no such field in the version that is simulated", name);
    }
    return true;
  }

  /// Templates whose PriorityClass is missing would make the scenario invalid.
  void want_classes() {
    const auto look = [&](const auto& list) {
      for (const auto& m : list) want_class(m.object.pod_template);
    };
    look(reader.own.deployments);
    look(reader.own.replica_sets);
    look(reader.own.stateful_sets);
    look(reader.own.daemon_sets);
    for (const auto& m : reader.own.jobs) want_class(m.object.spec.pod_template);
    for (const auto& m : reader.own.cron_jobs) want_class(m.object.job_template.pod_template);
    for (const auto& m : reader.own.pods) {
      if (m.object.spec->priority_class_name && !m.object.spec->has_priority) wanted_classes.insert(names.text(m.object.spec->priority_class_name));
    }
  }
  void want_class(const k8s::PodTemplate& pods) {
    if (pods.spec && pods.spec->priority_class_name) wanted_classes.insert(names.text(pods.spec->priority_class_name));
  }

  /// True when it does not start healthy.
  bool node() {
    const k8s::Node& n = reader.own.nodes.back().object;
    const std::string& name = names.text(n.meta.name);
    nodes.insert(name);
    if (n.meta.labels.has(names.intern(kControlPlaneLabel)) || n.meta.labels.has(names.intern("node-role.kubernetes.io/master"))) has_control_plane = true;
    for (const k8s::NodeImage& image : n.images) {
      const std::string& text = names.text(image.image);
      if (image.bytes > 0 && text.find('@') == std::string::npos) image_bytes.emplace(text, image.bytes);
    }
    if (n.ready == k8s::ConditionStatus::kTrue || !n.ready_reason) return false;
    down.insert(name);
    if (n.ready == k8s::ConditionStatus::kFalse) {
      Report::note(report.changed, "Node", fmt::format("its kubelet said that it is not ready ({}); it is taken as down", names.text(n.ready_reason)), name);
    }
    return true;
  }

  void pod(Node root, const Item& item, Taken& made) {
    const Manifest<k8s::Pod>& manifest = reader.own.pods.back();
    const k8s::Pod& p = manifest.object;
    const std::string name = full_name(names.text(p.meta.ns), names.text(p.meta.name));
    made.node = names.text(p.node_name);
    std::map<std::string, std::string>& labels = labels_of_pods[name];
    const Node given = root.find("metadata").find("labels");
    for (std::size_t i = 0; i < given.size(); ++i) labels.emplace(given.key(i).text(), given.value(i).text());
    const std::string_view phase = root.find("status").find("phase").text();
    ++report.pods_by_phase[phase.empty() ? "Pending" : std::string(phase)];
    if (p.phase == k8s::PodPhase::kRunning && !p.ready) unready.emplace_back(name, made.node);
    if (p.spec->priority_class_name && p.spec->has_priority) priorities.emplace(names.text(p.spec->priority_class_name), p.spec->priority);
    owned(root, item, p);
  }

  void owned(Node root, const Item& item, const k8s::Pod& p) {
    const Node metadata = root.find("metadata");
    const Node references = metadata.find("ownerReferences");
    for (std::size_t i = 0; i < references.size(); ++i) {
      const Node reference = references.item(i);
      if (reference.find("controller").text() != "true") continue;
      const std::string kind(reference.find("kind").text());
      const std::string ns = names.text(p.meta.ns);
      const std::string owner(reference.find("name").text());
      Group& group = groups[fmt::format("{}/{}", kind, full_name(ns, owner))];
      std::map<std::string, std::string> own_labels;
      const Node labels = metadata.find("labels");
      for (std::size_t l = 0; l < labels.size(); ++l) own_labels.emplace(labels.key(l).text(), labels.value(l).text());
      if (!group.document) {
        group.kind = kind;
        group.ns = ns;
        group.name = owner;
        group.document = item.document;
        group.pod = root;
        group.labels = own_labels;
      } else {
        std::erase_if(group.labels, [&](const auto& label) {
          const auto other = own_labels.find(label.first);
          return other == own_labels.end() || other->second != label.second;
        });
      }
      group.newest = std::max(group.newest, std::string(metadata.find("creationTimestamp").text()));
      if (p.node_name) group.nodes.insert(names.text(p.node_name));
      if (!p.is_terminal()) ++group.active;
      const std::string& pod_name = names.text(p.meta.name);
      std::int64_t ordinal = -1;
      const std::string digits = pod_name.substr(pod_name.rfind('-') + 1);
      if (!digits.empty() && digits.size() < 9 && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) ordinal = std::stoll(digits);
      if (ordinal >= 0 && (group.ordinal < 0 || ordinal < group.ordinal)) group.ordinal = ordinal;
      return;
    }
  }

  /// The newest instant that the dump knows is when the run begins.
  void note_time(Node root, const std::string& kind) {
    const auto look = [&](Node text) {
      // "2026-01-31T07:08:09Z", or with a fraction.
      if (text.text().size() < 20 || text.text().size() > 40) return;
      const std::string instant = std::string(text.text().substr(0, 19)) + "Z";
      if (instant > newest && parse_instant(instant)) newest = instant;
    };
    look(root.find("metadata").find("creationTimestamp"));
    if (kind == "Lease") look(root.find("spec").find("renewTime"));
    if (kind != "Node") return;
    const Node conditions = root.find("status").find("conditions");
    for (std::size_t i = 0; conditions.is_sequence() && i < conditions.size(); ++i) look(conditions.item(i).find("lastHeartbeatTime"));
  }

  static std::string place(Node at, const Item& item) {
    return at.file() == nullptr ? std::string() : fmt::format("{}:{}:{}", at.file()->name(), at.line() + item.lines_before, at.column());
  }

  // ---- what the dump does not hold ----

  void add(std::string_view kind, const std::string& name, std::string text, std::string_view why) {
    Taken made;
    for (std::size_t i = 0; i < taken_kinds().size(); ++i) {
      if (taken_kinds()[i].kind == kind) made.kind = i;
    }
    // What is made from broken input is no better.
    found = Diagnostics{};
    reader.own = ManifestSet{};
    const auto document = load_text(std::string(kind), text, found);
    if (!found.has_errors()) reader.decode_as(document->root(), taken_kinds()[made.kind].group, kind);
    if (found.has_errors()) {
      Report::note(report.changed, kind, fmt::format("the dump does not hold it, and it cannot be made up: {}", found.sorted().front().message), name);
      return;
    }
    made.text = std::move(text);
    taken.push_back(std::move(made));
    seen.insert(fmt::format("{}/{}", kind, name));
    Report::note(report.made, kind, why, name);
  }

  static std::string label_lines(const std::map<std::string, std::string>& labels, std::size_t indent) {
    std::string text;
    for (const auto& [key, value] : labels) text += fmt::format("{:{}}{}: {}\n", "", indent, yaml_scalar(key, true), yaml_scalar(value, true));
    return text;
  }

  static std::string metadata_text(const Group& group, std::string_view rest = {}) {
    return fmt::format("metadata:\n  name: {}\n  namespace: {}\n{}", yaml_scalar(group.name, true), yaml_scalar(group.ns, true), rest);
  }

  void missing_owners() {
    std::map<std::string, std::vector<Group*>> of_deployments;
    std::vector<Group*> others;
    for (auto& [identity, group] : groups) {
      if (seen.contains(identity) || group.active == 0) continue;
      if (group.kind == "ReplicaSet") {
        const auto hash = group.labels.find("pod-template-hash");
        if (hash != group.labels.end() && group.name.ends_with("-" + hash->second)) {
          const std::string deployment = fmt::format("Deployment/{}", full_name(group.ns, group.name.substr(0, group.name.size() - hash->second.size() - 1)));
          if (workloads.contains(deployment)) {
            of_deployments[deployment].push_back(&group);
            continue;
          }
        }
      }
      others.push_back(&group);
    }
    for (auto& [deployment, sets] : of_deployments) replica_sets(workloads.at(deployment).object, sets);
    for (Group* group : others) {
      if (group->kind == "ReplicaSet" || group->kind == "StatefulSet" || group->kind == "DaemonSet") {
        from_pods(*group);
      } else if (group->kind == "Node") {
        continue;  // static pods
      } else {
        Report::note(report.changed, "Pod", fmt::format("of a {} that {}; nobody makes it anew when it is gone", group->kind, group->kind == "Job" ? "the dump does not hold" : "is not simulated"),
                     full_name(group->ns, group->name));
      }
    }
  }

  /// The ReplicaSets of a Deployment: the newest one has its template.
  void replica_sets(Node deployment, std::vector<Group*>& sets) {
    std::stable_sort(sets.begin(), sets.end(), [](const Group* a, const Group* b) { return a->newest > b->newest; });
    const Node conditions = deployment.find("status").find("conditions");
    for (std::size_t c = 0; conditions.is_sequence() && c < conditions.size(); ++c) {
      const std::string_view message = conditions.item(c).find("message").text();
      if (conditions.item(c).find("type").text() != "Progressing") continue;
      std::stable_sort(sets.begin(), sets.end(), [&](const Group* a, const Group* b) {
        const auto named = [&](const Group* g) { return message.find("\"" + g->name + "\"") != std::string_view::npos; };
        return named(a) && !named(b);
      });
    }
    for (std::size_t i = 0; i < sets.size(); ++i) {
      Group& group = *sets[i];
      if (i > 0) {
        from_pods(group);
        continue;
      }
      const std::string hash = group.labels.at("pod-template-hash");
      TreeEditor editor;
      Diagnostics none;
      std::string error;
      const auto value = load_text("hash", fmt::format("'{}'", hash), none);
      const Node spec = deployment.find("spec");
      const Node labelled = editor.set_path(spec.find("template"), "metadata.labels.pod-template-hash", value->root(), error);
      const Node selector = editor.set_path(spec.find("selector"), "matchLabels.pod-template-hash", value->root(), error);
      if (!labelled || !selector) continue;
      std::int64_t replicas = static_cast<std::int64_t>(group.active);
      if (sets.size() == 1) replicas = spec.find("replicas").as_integer().value_or(replicas);
      std::string extra;
      if (const Node revision = deployment.find("metadata").find("annotations").find("deployment.kubernetes.io/revision"); revision) {
        extra = fmt::format("  annotations:\n    deployment.kubernetes.io/revision: {}\n", yaml_scalar(revision.text(), true));
      }
      extra += fmt::format("  ownerReferences:\n  - apiVersion: apps/v1\n    kind: Deployment\n    name: {}\n    controller: true\n", yaml_scalar(deployment.find("metadata").find("name").text(), true));
      std::string text = "apiVersion: apps/v1\nkind: ReplicaSet\n" + metadata_text(group, extra) + fmt::format("spec:\n  replicas: {}\n  selector:", replicas);
      FieldCounts ignored;
      write_yaml(text, selector, Selection::everything(), 4, "ReplicaSet.spec.selector", ignored);
      text += "  template:";
      write_yaml(text, labelled, Selection::everything(), 4, "ReplicaSet.spec.template", ignored);
      add("ReplicaSet", full_name(group.ns, group.name), std::move(text), "from its Deployment");
    }
  }

  /// An owner from one of its pods: what they all have in common is its template.
  void from_pods(Group& group) {
    const bool is_daemon = group.kind == "DaemonSet";
    const bool is_stateful = group.kind == "StatefulSet";
    std::map<std::string, std::string> labels = group.labels;
    for (const char* own : {"controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"}) labels.erase(own);
    if (labels.empty()) {
      Report::note(report.changed, "Pod", fmt::format("of a {} that the dump does not hold and that no label tells from others; nobody makes it anew when it is gone", group.kind),
                   full_name(group.ns, group.name));
      return;
    }
    std::string text = fmt::format("apiVersion: apps/v1\nkind: {}\n", group.kind) + metadata_text(group) + "spec:\n";
    if (!is_daemon) text += fmt::format("  replicas: {}\n", group.active);
    if (is_stateful) {
      text += fmt::format("  serviceName: {}\n", yaml_scalar(group.name, true));
      if (group.ordinal > 0) text += fmt::format("  ordinals:\n    start: {}\n", group.ordinal);
    }
    text += "  selector:\n    matchLabels:\n" + label_lines(labels, 6) + "  template:\n    metadata:\n      labels:\n" + label_lines(labels, 8) + "    spec:\n";
    const Selection selection = Selection::parse(pod_spec_selection(true));
    FieldCounts ignored;
    std::string spec;
    Node from = group.pod.find("spec");
    TreeEditor editor;
    Diagnostics none;
    if (is_daemon) {
      // What its controller gave each pod: its node, and tolerations of everything that may be wrong with one.
      const auto without = load_text("patch", R"({"affinity": null, "tolerations": null})", none);
      const Node tolerations = from.find("tolerations");
      from = editor.merge_patch(from, without->root());
      write_yaml_map(spec, from, selection, 6, "", ignored);
      std::string kept;
      for (std::size_t i = 0; i < tolerations.size(); ++i) {
        if (tolerations.item(i).find("key").text().starts_with("node.kubernetes.io/")) continue;
        std::string one;
        write_yaml_map(one, tolerations.item(i), Selection::everything(), 8, "", ignored);
        if (!one.empty()) kept += "      - " + one.substr(8);
      }
      if (!kept.empty()) spec += "      tolerations:\n" + kept;
      // Its own node affinity is not in its pods: it stays on the nodes where it is.
      if (group.nodes.size() < nodes.size()) {
        spec += "      affinity:\n        nodeAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n            nodeSelectorTerms:\n            - matchExpressions:\n"
                "              - key: kubernetes.io/hostname\n                operator: In\n                values:\n";
        for (const std::string& node : group.nodes) spec += fmt::format("                - {}\n", yaml_scalar(node, true));
      }
    } else {
      write_yaml_map(spec, from, selection, 6, "", ignored);
    }
    text += spec;
    add(group.kind, full_name(group.ns, group.name), std::move(text), "from its pods");
  }

  void missing_classes() {
    for (const auto& [name, value] : priorities) {
      if (classes.contains(name) || name.starts_with("system-")) continue;
      add("PriorityClass", name, fmt::format("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: {}\nvalue: {}\n", yaml_scalar(name, true), value),
          "from the priority of its pods");
      classes.insert(name);
    }
    for (const std::string& name : wanted_classes) {
      if (classes.contains(name) || name.starts_with("system-")) continue;
      add("PriorityClass", name, fmt::format("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: {}\nvalue: 0\n", yaml_scalar(name, true)),
          "no pod tells its value: taken as 0");
    }
  }

  /// Those on a node that is down stay as they are; the others' kubelets find nothing wrong with them.
  void unready_pods() {
    for (const auto& [name, node] : unready) {
      if (!down.contains(node)) Report::note(report.changed, "Pod", "it runs and was not ready; it starts ready", name);
    }
  }

  // ---- recordings ----

  struct Seen {
    std::int64_t replicas = -1;
    std::uint64_t content = 0;  // without replicas
    bool is_there = true;
  };

  /// What stands there at the first instant is the beginning; what is scaled or deleted later becomes a fault at its time.
  void trace(const Trace& recorded) {
    if (!recorded.document) return;
    ++objects_read;
    TreeEditor editor;
    Diagnostics none;
    std::string error;
    const auto zero = load_text("replicas", "0", none);
    const auto nothing = load_text("replicas", R"({"spec": {"replicas": null}})", none);
    editor.keep(zero);
    editor.keep(nothing);
    editor.keep(recorded.document);
    std::map<std::string, Seen> known;
    std::optional<SimDuration> begin;
    for (const TraceEvent& event : recorded.events) {
      if (!begin) begin = event.at;
      const std::string kind(event.object.find("kind").text());
      const Node metadata = event.object.find("metadata");
      const std::string ns = metadata.find("namespace").text().empty() ? "default" : std::string(metadata.find("namespace").text());
      const std::string object_name(metadata.find("name").text());
      const std::string identity = fmt::format("{}/{}/{}", kind, ns, object_name);
      const bool is_scalable = kind == "Deployment" || kind == "StatefulSet" || kind == "ReplicaSet";
      const std::int64_t replicas = is_scalable ? event.object.find("spec").find("replicas").as_integer().value_or(1) : -1;
      const auto scaled = [&](std::int64_t to) {
        trace_fault(event.at, fmt::format("kind: scale\n    workload: {}\n    namespace: {}\n    object: {}\n    replicas: {}", kind, yaml_scalar(ns, true), yaml_scalar(object_name, true), to));
      };
      const auto found_at = known.find(identity);
      if (event.is_deletion) {
        if (found_at == known.end() || !found_at->second.is_there) continue;
        static constexpr std::array<std::string_view, 7> kDeletable = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Service"};
        found_at->second.is_there = false;
        if (!is_one_of(kind, kDeletable)) {
          Report::note(report.changed, kind, "it was deleted later in the recording; here it stays", full_name(ns, object_name));
          continue;
        }
        trace_fault(event.at, fmt::format("kind: object-delete\n    objectKind: {}\n    namespace: {}\n    object: {}", kind, yaml_scalar(ns, true), yaml_scalar(object_name, true)));
        continue;
      }
      const std::uint64_t content = content_hash(editor.merge_patch(event.object, nothing->root()));
      if (found_at != known.end()) {
        Seen& before = found_at->second;
        if (!before.is_there) {
          Report::note(report.changed, kind, "it was deleted and made anew in the recording; here it is deleted", full_name(ns, object_name));
        } else if (before.replicas != replicas) {
          scaled(replicas);
        } else if (before.content != content) {
          Report::note(report.changed, kind, "it was changed later in the recording; here it stays as it was first", full_name(ns, object_name));
        }
        before.replicas = replicas;
        before.content = content;
        continue;
      }
      known.emplace(identity, Seen{replicas, content, true});
      Item item;
      item.document = recorded.document;
      item.object = event.object;
      if (event.at > *begin) {
        if (is_scalable) {
          // Its pods come at its time.
          item.object = editor.set_path(event.object, "spec.replicas", zero->root(), error);
          scaled(replicas);
        } else {
          Report::note(report.changed, kind, "it came later in the recording; here it is there from the beginning", full_name(ns, object_name));
        }
      }
      object(item);
    }
    for (std::size_t i = 0; i < recorded.lifecycles; ++i) Report::note(report.objects_left_out, "lifecycle of a pod", "how long containers run is told by behaviours (runTime)", "");
    trace_length = std::max(trace_length, recorded.length);
    kept_documents.push_back(editor.finish(recorded.document->root()));
  }
  void trace_fault(SimDuration at, const std::string& what) { faults += fmt::format("  recorded-{}:\n    at: {}s\n    {}\n", ++fault_count, at / std::chrono::seconds(1), what); }

  void openb(const std::string& name, std::string_view text) {
    const std::string yaml = openb_to_yaml(name, text, diagnostics);
    for_each_item(name, yaml, diagnostics, [this](const Item& item) { object(item); });
    if (text.find("gpu_milli") != std::string_view::npos) {
      Report::note(report.changed, "list of pods", "a share of a GPU counts as a whole one; all pods come at the beginning and stay", name);
    }
  }

  /// One line of a kwokctl recording: what happened to an object after the snapshot.
  void resource_patch(Node root, const Item& item) {
    const std::string method(root.find("method").text());
    const std::string name = full_name(root.find("target").find("namespace").text(), root.find("target").find("name").text());
    const std::string what(root.find("resource").find("resource").text());
    const Node made = root.find("template");
    if (method == "create" && made.is_map()) {
      Report::note(report.changed, what, "it came later in the recording; here it is there from the beginning", name);
      Item inner = item;
      object(made, inner);
      return;
    }
    Report::note(report.objects_left_out, fmt::format("{} of {}", method.empty() ? "patch" : method, what), "what a recording changes later is not replayed", name);
  }

  // ---- measured use ----

  void table(const std::string& name, std::string_view text) {
    const Table read = read_table(name, text, diagnostics);
    ++objects_read;
    if (!read.is_of_pods) {
      Report::note(report.objects_left_out, "table", fmt::format("its columns are not those of kubectl top pods: {}", read.columns.substr(0, 80)), name);
      return;
    }
    usage.insert(usage.end(), read.pods.begin(), read.pods.end());
  }

  /// Pods use what they were measured to use: one entry of `behaviours` for those that have the same labels, with their mean.
  std::string behaviours() {
    struct Measured {
      std::int64_t cpu_milli = 0;
      std::int64_t memory = 0;
      std::int64_t count = 0;
    };
    std::map<std::string, std::vector<std::string>> spaces;  // of a pod's name
    for (const auto& [pod, labels] : labels_of_pods) spaces[pod.substr(pod.find('/') + 1)].push_back(pod.substr(0, pod.find('/')));
    std::map<std::pair<std::string, std::map<std::string, std::string>>, Measured> by_labels;
    for (const PodUsage& one : usage) {
      const auto space = spaces.find(one.name);
      std::string ns = one.ns;
      if (ns.empty() && space != spaces.end()) {
        ns = space->second.front();
        if (std::find(space->second.begin(), space->second.end(), "default") != space->second.end()) ns = "default";
      }
      const auto labels = labels_of_pods.find(ns + "/" + one.name);
      if (labels == labels_of_pods.end()) {
        Report::note(report.objects_left_out, "measured use", "the pod is not in the dump", full_name(ns, one.name));
        continue;
      }
      std::map<std::string, std::string> match = labels->second;
      for (const char* own : {"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "job-name",
                              "batch.kubernetes.io/job-name", "controller-uid", "batch.kubernetes.io/controller-uid"}) {
        match.erase(own);
      }
      if (match.empty()) {
        Report::note(report.objects_left_out, "measured use", "no label tells the pod from others", full_name(ns, one.name));
        continue;
      }
      Measured& sum = by_labels[{ns, match}];
      sum.cpu_milli += one.cpu_milli;
      sum.memory += one.memory;
      ++sum.count;
    }
    if (by_labels.empty()) return {};
    std::string text = "behaviours:  # what kubectl top measured: the mean over the pods of a workload\n";
    for (const auto& [key, sum] : by_labels) {
      text += fmt::format("- match:\n    namespace: {}\n    labels:\n", yaml_scalar(key.first, true)) + label_lines(key.second, 6);
      text += fmt::format("  cpu: {}m\n  memory: {}Ki\n", sum.cpu_milli / sum.count, std::max<std::int64_t>(1, sum.memory / sum.count / 1024));
    }
    return text;
  }

  void pods_without_nodes() {
    for (Taken& one : taken) {
      if (one.node.empty() || nodes.contains(one.node)) continue;
      one.is_dropped = true;
      --report.taken["Pod"];
      Report::note(report.objects_left_out, "Pod", "its node is not in the dump", one.node);
    }
    if (report.taken["Pod"] == 0) report.taken.erase("Pod");
  }

  // ---- the scenario ----

  std::string head() {
    const std::string measured = usage.empty() ? std::string() : behaviours();
    std::string text = "# A cluster as it was, by squall import from:";
    for (const std::string& source : report.sources) text += " " + source.substr(source.rfind('/') + 1);
    text += "\n#\n# Its first second is the cluster's state. Add what goes wrong under `faults`, and what must hold under `expect`.\n";
    const std::string told = report_comment(report);
    if (!told.empty()) text += "#\n" + told;
    text += fmt::format("apiVersion: squall.dev/v1alpha1\nkind: Scenario\nmetadata:\n  name: {}\nrun:\n  until: {}\n", yaml_scalar(options.name, true),
                        trace_length > SimDuration::zero() ? fmt::format("{}s", (trace_length + std::chrono::minutes(10)) / std::chrono::seconds(1)) : "1h");
    if (!newest.empty()) text += fmt::format("  start: '{}'\n", newest);
    if (!has_control_plane && options.pools.find("controlPlane") == std::string::npos) text += "controlPlane:\n  external: true\n";
    if (!options.pools.empty()) text += "pools:\n" + options.pools;
    if (!image_bytes.empty()) {
      text += "images:\n  sizes:\n";
      for (const auto& [image, bytes] : image_bytes) text += fmt::format("    {}: {}Ki\n", yaml_scalar(image, true), (bytes + 1023) / 1024);
    }
    if (!faults.empty()) text += "faults:\n" + faults;
    return text + measured;
  }

  std::vector<OutputFile> finish() {
    if (objects_read == 0 && !diagnostics.has_errors()) {
      diagnostics.error_in(report.sources.empty() ? "" : report.sources.front(), "holds no Kubernetes object").hint = "kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,services -A -o yaml";
    } else if (nodes.empty() && options.pools.empty() && !diagnostics.has_errors()) {
      diagnostics.error_in(report.sources.front(), report.sources.size() == 1 ? "holds no v1 Node" : "neither this file nor the others hold a v1 Node").hint =
          "add a dump of the nodes (kubectl get nodes -o yaml), or say which machines there are: --pool worker=5,cpu=8,memory=32Gi";
    }
    if (diagnostics.has_errors()) return {};
    pods_without_nodes();
    missing_owners();
    missing_classes();
    unready_pods();
    std::vector<OutputFile> files;
    std::size_t bytes = 0;
    for (const Taken& one : taken) bytes += one.text.size() + 4;
    std::string scenario = head();
    const auto each = [&](const auto& act) {
      for (std::size_t kind = 0; kind < taken_kinds().size(); ++kind) {
        for (const Taken& one : taken) {
          if (one.kind == kind && !one.is_dropped) act(one.text);
        }
      }
    };
    if (bytes <= options.inline_bytes) {
      std::string objects;
      each([&](const std::string& text) {
        if (!objects.empty()) objects += "  ---\n";
        for (std::size_t at = 0; at < text.size();) {
          const std::size_t stop = text.find('\n', at) + 1;
          objects += "  ";
          objects.append(text, at, stop - at);
          at = stop;
        }
      });
      if (!objects.empty()) scenario += "objects: |\n" + objects;
    } else {
      // A file holds no more than what a reader takes.
      constexpr std::size_t kFileBytes = 48u << 20;
      std::string part;
      const auto close = [&] {
        if (part.empty()) return;
        files.push_back(OutputFile{fmt::format("{}.objects-{}.yaml", options.name, files.size() + 1), std::move(part)});
        part.clear();
      };
      each([&](const std::string& text) {
        if (part.size() + text.size() + 4 > kFileBytes) close();
        if (!part.empty()) part += "---\n";
        part += text;
      });
      close();
      scenario += "manifests:\n";
      for (const OutputFile& file : files) scenario += fmt::format("- {}\n", yaml_scalar(file.name, true));
    }
    files.push_back(OutputFile{options.name + ".yaml", std::move(scenario)});
    return files;
  }

  ImportOptions options;
  Diagnostics& diagnostics;
  Interner names;
  Diagnostics found;  // of the object that is being read
  manifests::ObjectReader reader;
  Report report;
  std::vector<Taken> taken;
  std::set<std::string> seen;  // "Pod/shop/web-0"
  std::map<std::string, Kept> workloads;
  std::map<std::string, Group> groups;
  std::map<std::string, std::int32_t> priorities;  // of the pods of each class
  std::set<std::string> classes;
  std::set<std::string> wanted_classes;
  std::set<std::string> nodes;
  std::string faults;  // what a recording does later
  std::uint64_t fault_count = 0;
  SimDuration trace_length{};
  std::vector<std::shared_ptr<const Document>> kept_documents;
  std::set<std::string> down;
  std::vector<std::pair<std::string, std::string>> unready;  // pod, node
  std::vector<PodUsage> usage;
  std::map<std::string, std::map<std::string, std::string>> labels_of_pods;
  std::map<std::string, std::int64_t> image_bytes;  // by tag
  std::map<std::string, std::uint64_t> of_volumes;
  bool has_control_plane = false;
  std::string newest;
  std::uint64_t objects_read = 0;
};

Importer::Importer(ImportOptions options, Diagnostics& diagnostics) : impl_(std::make_unique<Impl>(std::move(options), diagnostics)) {}
Importer::~Importer() = default;

void Importer::read(const std::string& name, std::string_view text) {
  impl_->report.sources.push_back(name);
  if (is_table(text)) {
    impl_->table(name, text);
    return;
  }
  if (is_simkube_trace(text)) {
    impl_->trace(read_simkube_trace(name, text, impl_->diagnostics));
    return;
  }
  if (is_openb_list(text)) {
    impl_->openb(name, text);
    return;
  }
  for_each_item(name, text, impl_->diagnostics, [this](const Item& item) { impl_->object(item); },
                [this, &name] { Report::note(impl_->report.changed, "list", "it was cut off by a limit: objects are missing", name); });
}

void Importer::read_page(const std::string& source, const std::string& path, std::string_view text) {
  std::vector<std::string>& sources = impl_->report.sources;
  if (sources.empty() || sources.back() != source) sources.push_back(source);
  for_each_item(path, text, impl_->diagnostics, [this](const Item& item) { impl_->object(item); });
}

void Importer::not_had(const std::string& list) { Report::note(impl_->report.objects_left_out, "list", "the API server did not give it", list); }

std::vector<OutputFile> Importer::finish() { return impl_->finish(); }
const Report& Importer::report() const { return impl_->report; }

}  // namespace sim::scenario::dump

#include "chaos/mesh/resource.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chaos/mesh/cluster.hpp"
#include "sim/scenario/names.hpp"

namespace chaos::mesh {

using sim::scenario::Diagnostic;
using sim::scenario::Diagnostics;

namespace {

constexpr std::string_view kMeshGroup = "chaos-mesh.org/";
constexpr std::string_view kLitmusGroup = "litmuschaos.io/";

void describe_meta(Fields<Meta>& fields) {
  fields.add("name", &Meta::name, "Its name.").add("namespace", &Meta::ns, "Its namespace, and without `namespaces` that of what it selects.");
  fields.add("annotations", &Meta::annotations, "`experiment.chaos-mesh.org/pause: \"true\"`: it selects, and does nothing. Others say nothing.");
  constexpr std::string_view kServer = "no effect: the API server sets it";
  without_effect(fields, "labels", TypeInfo::Kind::kStringMap, "no effect: nothing selects by them");
  refused(fields, "generateName", TypeInfo::Kind::kString, "a resource has a name of its own");
  for (const char* name : {"uid", "resourceVersion", "creationTimestamp", "selfLink"}) without_effect(fields, name, TypeInfo::Kind::kString, kServer);
  without_effect(fields, "generation", TypeInfo::Kind::kInteger, kServer);
  for (const char* name : {"managedFields", "ownerReferences", "finalizers"}) without_effect(fields, name, TypeInfo::Kind::kList, kServer);
}

const Fields<Meta>& meta_fields() {
  static const Fields<Meta> fields = [] {
    Fields<Meta> list;
    describe_meta(list);
    return list;
  }();
  return fields;
}

void read_resource(Node root, std::vector<std::shared_ptr<const Resource>>& to, Reader& reader) {
  Diagnostics& diagnostics = reader.diagnostics;
  if (!root.is_map()) {
    Diagnostic& d = diagnostics.error(root, "not a resource");
    d.expected = "a map with apiVersion, kind, metadata and spec";
    d.found = root.describe();
    return;
  }
  const Node version = root.find("apiVersion");
  const Node kind = root.find("kind");
  if (kind.text() == "List" && version.text() == "v1") {
    const Node items = root.find("items");
    for (std::size_t i = 0; i < root.size(); ++i) {
      const std::string_view key = root.key(i).text();
      if (key != "apiVersion" && key != "kind" && key != "metadata" && key != "items") sim::scenario::detail::unknown_key(root.key(i), "List", {"apiVersion", "kind", "metadata", "items"}, reader);
    }
    if (!items.is_sequence() || items.size() == 0) diagnostics.error(items.is_null() ? root : items, "a List needs 'items', and this one has none");
    for (std::size_t i = 0; items.is_sequence() && i < items.size(); ++i) read_resource(items.item(i), to, reader);
    return;
  }
  if (!version.text().starts_with(kMeshGroup) && !version.text().starts_with(kLitmusGroup)) {
    Diagnostic& d = diagnostics.error(version.is_null() ? root : version, "neither of Chaos Mesh nor of LitmusChaos");
    d.expected = "apiVersion: chaos-mesh.org/v1alpha1 or litmuschaos.io/v1alpha1";
    d.found = version.is_null() ? "no apiVersion" : version.describe();
    if (!version.is_null()) d.hint = sim::scenario::did_you_mean(version.text(), std::vector<std::string>{"chaos-mesh.org/v1alpha1", "litmuschaos.io/v1alpha1"});
    return;
  }
  if (!version.text().ends_with("/v1alpha1")) {
    diagnostics.error(version, fmt::format("'{}' is no version that there is", version.text())).expected = "chaos-mesh.org/v1alpha1 or litmuschaos.io/v1alpha1";
    return;
  }
  std::vector<std::string> names;
  for (const Kind& one : all_kinds()) {
    if (one.group == version.text()) names.push_back(one.name);
  }
  const Kind* found = find_kind(kind.text());
  if (found == nullptr || found->group != version.text()) {
    Diagnostic& d = diagnostics.error(kind.is_null() ? root : kind, kind.is_null() ? std::string("a resource needs the key 'kind'") : fmt::format("'{}' is no kind of {}", kind.text(), version.text()));
    d.expected = fmt::format("one of: {}", fmt::join(names, ", "));
    d.hint = sim::scenario::did_you_mean(kind.text(), names);
    return;
  }
  const std::size_t before = diagnostics.error_count();
  for (std::size_t i = 0; i < root.size(); ++i) {
    const std::string_view key = root.key(i).text();
    if (key == "apiVersion" || key == "kind" || key == "metadata" || key == "spec" || key == "status") continue;
    sim::scenario::detail::unknown_key(root.key(i), found->name, {"apiVersion", "kind", "metadata", "spec", "status"}, reader);
  }
  auto resource = std::make_shared<Resource>();
  resource->kind = found->name;
  resource->where = kind.place();
  const Node metadata = root.find("metadata");
  if (metadata.is_null()) sim::scenario::detail::missing_key(root, "metadata", found->name, reader);
  else if (meta_fields().read(metadata, resource->meta, "metadata", reader) && resource->meta.name.empty()) sim::scenario::detail::missing_key(metadata, "name", "metadata", reader);
  if (!resource->meta.name.empty() && !sim::scenario::is_plain_name(resource->meta.name)) {
    diagnostics.error(metadata.find("name"), fmt::format("'{}' is no name of a resource", resource->meta.name)).expected = "letters, digits, '-' and '.'";
  }
  const Node spec = root.find("spec");
  if (!found->is_modelled) {
    std::string lower = found->name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    diagnostics.error(kind, fmt::format("{}{}: {}", kNotModelled, lower, found->doc.substr(kNotModelled.size()))).hint = "docs/chaos-mesh.md lists what is modelled, field by field";
  }
  if (spec.is_null()) {
    sim::scenario::detail::missing_key(root, "spec", found->name, reader);
  } else {
    resource->spec = found->read(spec, reader);
    // Nothing is left out without a word, whatever a kind's reader forgot to say.
    if (resource->spec == nullptr && diagnostics.error_count() == before) diagnostics.error(spec, fmt::format("this is no spec of a {}", found->name));
  }
  if (diagnostics.error_count() == before && resource->spec != nullptr) to.push_back(std::move(resource));
}

}  // namespace

void read_resources(Node root, std::vector<std::shared_ptr<const Resource>>& to, Reader& reader) { read_resource(root, to, reader); }

std::vector<std::shared_ptr<const Resource>> read_file(const std::string& path, std::shared_ptr<const sim::scenario::Document>& document, Diagnostics& diagnostics) {
  std::vector<std::shared_ptr<const Resource>> resources;
  document = sim::scenario::load_file(path, diagnostics);
  if (document == nullptr) return resources;
  Reader reader{diagnostics};
  if (document->roots().empty() && !diagnostics.has_errors()) diagnostics.error_in(path, "the file is empty").expected = "resources of Chaos Mesh or LitmusChaos";
  for (const Node root : document->roots()) read_resource(root, resources, reader);
  return resources;
}

bool is_chaos_file(const sim::scenario::Document& document) {
  return std::any_of(document.roots().begin(), document.roots().end(), [](Node root) {
    // A list as kubectl get -o yaml prints it is what its first item is.
    const Node items = root.find("items");
    if (root.find("kind").text() == "List" && items.is_sequence() && items.size() > 0) root = items.item(0);
    const std::string_view version = root.find("apiVersion").text();
    return version.find("chaos") != std::string_view::npos || (find_kind(root.find("kind").text()) != nullptr && !version.starts_with("squall"));
  });
}

const Kind* find_kind(std::string_view name) {
  const auto found = std::find_if(all_kinds().begin(), all_kinds().end(), [&](const Kind& kind) { return kind.name == name; });
  return found == all_kinds().end() ? nullptr : &*found;
}

sim::World& Effect::world() const { return cluster_.world(); }

std::string pod_id(sim::World& world, sim::k8s::Ref<sim::k8s::Pod> pod) {
  const sim::k8s::Pod* object = world.api.get(pod);
  return object == nullptr ? std::string() : world.names.text(object->meta.ns) + "/" + world.names.text(object->meta.name);
}

std::vector<Target> pod_targets(const PodSelection& selection, Cluster& cluster, const std::string& ns, std::string_view key, sim::RandomStream& random, std::string& why) {
  std::vector<Target> targets;
  for (const sim::k8s::Ref<sim::k8s::Pod> pod : select_pods(selection, ns, cluster.world(), random, why)) {
    targets.push_back(Target{pod_id(cluster.world(), pod), std::string(key), pod, {}, {}});
  }
  return targets;
}

std::vector<Target> container_targets(const ContainerSelection& selection, Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) {
  sim::World& world = cluster.world();
  std::vector<Target> targets;
  for (const sim::k8s::Ref<sim::k8s::Pod> pod : select_pods(selection, ns, world, random, why)) {
    const std::vector<sim::k8s::Container>& containers = world.api.get(pod)->spec->containers;
    for (const sim::k8s::Container& container : containers) {
      const std::string& name = world.names.text(container.name);
      const bool wanted = selection.containers.empty() ? &container == &containers.front() : std::find(selection.containers.begin(), selection.containers.end(), name) != selection.containers.end();
      if (wanted) targets.push_back(Target{pod_id(world, pod) + "/" + name, ".", pod, container.name, {}});
    }
  }
  if (targets.empty() && why.empty()) why = "no target has been selected";
  return targets;
}

void check_selection(const PodSelection& selection, CheckContext& context) {
  check_pods(selection, context.ns, context.world, [&](std::string message) { context.problem(selection.place, std::move(message)); });
}

std::string not_running(sim::World& world, const Target& target) {
  const sim::k8s::Pod* pod = world.api.get(target.pod);
  if (pod == nullptr) return fmt::format("Pod \"{}\" not found", target.id);
  if (pod->phase != sim::k8s::PodPhase::kRunning) return fmt::format("pod not running: {} is {}", target.id, sim::k8s::to_string(pod->phase));
  const sim::host::HostId host = world.kubelets.host_of(pod->node);
  // The chaos daemon of the node does the work.
  if (!host || !world.hosts.is_running(host) || !world.hosts.has_network(host)) return fmt::format("failed to connect to the chaos daemon on node {}", world.names.text(pod->node_name));
  return {};
}

}  // namespace chaos::mesh

/// chaos-mesh: resources of Chaos Mesh or LitmusChaos are created, as `kubectl apply -f` does, and deleted after the duration.
///
/// Source: chaos/mesh (each kind its own). docs/chaos-mesh.md says field by field what is modelled.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "chaos/faults/fault_files.hpp"
#include "chaos/mesh/cluster.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;
using sim::scenario::Node;
using sim::scenario::Reader;

struct ChaosMesh : FaultSpec {
  std::shared_ptr<const sim::scenario::Document> document;  // that the resources refer to
  std::vector<std::shared_ptr<const mesh::Resource>> resources;
  bool is_given = false;
  bool allows_host_network = false;
  std::map<std::string, std::string> instances;

  Lasting lasting() const override { return Lasting::kWork; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override;
};

bool read_file_field(Node node, ChaosMesh& to, Reader& reader) {
  std::string name;
  if (!sim::scenario::detail::read_string(node, name, reader)) return false;
  to.is_given = true;
  // What --set says is no file: its paths are taken from where the command runs.
  std::filesystem::path path(name);
  if (node.file() != nullptr && !node.file()->name().starts_with("--") && !path.is_absolute()) path = std::filesystem::path(node.file()->name()).parent_path() / path;
  sim::scenario::Diagnostics found;
  std::vector<std::shared_ptr<const mesh::Resource>> resources = mesh::read_file(path.lexically_normal().string(), to.document, found);
  if (to.document == nullptr) {
    const std::string why = found.sorted().empty() ? std::string("cannot be read") : found.sorted().front().message;
    reader.diagnostics.error(node, fmt::format("the file '{}' {}", path.lexically_normal().string(), why)).hint = "the path is taken from the folder of the scenario";
    return false;
  }
  const bool good = !found.has_errors();
  reader.diagnostics.append(std::move(found));
  to.resources.insert(to.resources.end(), resources.begin(), resources.end());
  return good;
}

void describe(Fields<ChaosMesh>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "After so long the resources are deleted; without it, they stay, and do what they say.");
  fields.custom("file", sim::scenario::TypeInfo{.kind = sim::scenario::TypeInfo::Kind::kString}, "A file with resources of Chaos Mesh or LitmusChaos as it is; the path is taken from the folder of the scenario.", read_file_field)
      .custom("resource", sim::scenario::TypeInfo{.kind = sim::scenario::TypeInfo::Kind::kRaw}, "The resource itself, instead of a file.",
              [](Node node, ChaosMesh& to, Reader& reader) {
                const std::size_t before = reader.diagnostics.error_count();
                to.is_given = true;
                mesh::read_resources(node, to.resources, reader);
                return reader.diagnostics.error_count() == before;
              })
      .add("allowHostNetwork", &ChaosMesh::allows_host_network, "The installation allows NetworkChaos on pods of the host's network (controllerManager.allowHostNetworkTesting).")
      .add("instances", &ChaosMesh::instances, "Of AWSChaos, GCPChaos and AzureChaos: nodes by the names that the cloud has for their machines.");
  fields.rule([](const ChaosMesh& fault, Node node, Reader& reader) {
    if (!fault.is_given) reader.diagnostics.error(node, "a fault of kind chaos-mesh needs 'file' or 'resource'");
  });
}

void ChaosMesh::check(FaultEnvironment& environment, Problems& problems) const {
  for (const std::shared_ptr<const mesh::Resource>& resource : resources) {
    mesh::CheckContext context{environment.world(), resource->meta.ns, instances,
                               [&](const sim::scenario::Place& place, std::string message) { problems.error_at(place, fmt::format("{} '{}': {}", resource->kind, resource->meta.name, message)); }};
    resource->spec->check(context);
  }
}

class ChaosMeshInjection : public Injection {
 public:
  ChaosMeshInjection(InjectionContext context, const ChaosMesh& spec) : context_(std::move(context)), spec_(spec) {}

  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    for (const std::shared_ptr<const mesh::Resource>& resource : spec_.resources) subjects.push_back(fmt::format("{}/{}/{}", resource->kind, resource->meta.ns, resource->meta.name));
    return subjects;
  }
  void inject() override {
    mesh::Cluster& cluster = context_.environment.chaos_mesh();
    mesh::Options options = cluster.options();
    options.allows_host_network = options.allows_host_network || spec_.allows_host_network;
    options.instances.insert(spec_.instances.begin(), spec_.instances.end());
    options.start_unix_seconds = context_.environment.start_unix_seconds;
    cluster.set_options(std::move(options));
    const std::size_t cut = context_.name.rfind('#');
    for (const std::shared_ptr<const mesh::Resource>& resource : spec_.resources) {
      mesh::Meta meta = resource->meta;
      // A name is taken once: the second injection of a repeated fault has a resource of its own.
      if (cut != std::string::npos) meta.name += "-" + context_.name.substr(cut + 1);
      objects_.push_back(&cluster.create(resource->spec, meta));
    }
    for (mesh::Object* object : objects_) object->changed = [this] { look(); };
    look();
  }
  void end() override {
    for (mesh::Object* object : objects_) object->remove();
  }

 private:
  void look() {
    if (!std::all_of(objects_.begin(), objects_.end(), [](const mesh::Object* object) { return object->is_finished(); })) return;
    std::string failure;
    for (const mesh::Object* object : objects_) {
      if (!object->failure().empty()) failure = object->subject() + ": " + object->failure();
    }
    if (finished) finished(!failure.empty(), failure.empty() ? "done" : failure);
  }
  InjectionContext context_;
  const ChaosMesh& spec_;
  std::vector<mesh::Object*> objects_;
};

std::unique_ptr<Injection> ChaosMesh::make(InjectionContext context) const { return std::make_unique<ChaosMeshInjection>(std::move(context), *this); }

}  // namespace

mesh::Cluster& FaultEnvironment::chaos_mesh() {
  if (chaos_mesh_ == nullptr) chaos_mesh_ = std::make_shared<mesh::Cluster>(*this);
  return *chaos_mesh_;
}

void add_chaos_mesh(FaultKinds& kinds) {
  kinds.add<ChaosMesh>("chaos-mesh", "Resources of Chaos Mesh or LitmusChaos are created, as they are in a file, and deleted after the duration.");
}

}  // namespace chaos

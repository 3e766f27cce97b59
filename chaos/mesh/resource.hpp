/// Resources of Chaos Mesh as a file has them: read once, shared by all runs.
///
/// A kind is one file in chaos/mesh/kinds and one line in chaos/mesh/all_kinds.cpp. It derives from ChaosSpec, has `describe(Fields<Kind>&)`, and makes an Effect,
/// which carries it out on targets in one world. What it cannot do is refused by name when the file is read (values.hpp: refused), or when the world is known.
///
/// Source:     chaos-mesh api/v1alpha1, commit 608b61e7 (2026-08).
/// Leaves out: docs/chaos-mesh.md says field by field what is refused.
/// Checked by: tests/chaos/mesh_reader_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chaos/fault.hpp"
#include "chaos/mesh/selector.hpp"
#include "chaos/mesh/values.hpp"

namespace chaos::mesh {

class Cluster;

struct Meta {
  std::string name;
  std::string ns = "default";
  std::map<std::string, std::string> annotations;

  bool is_paused() const {
    const auto found = annotations.find("experiment.chaos-mesh.org/pause");
    return found != annotations.end() && found->second == "true";
  }
};

/// What a resource is told to be wrong with, once the world is known.
struct CheckContext {
  sim::World& world;
  std::string ns;  // of the resource
  const std::map<std::string, std::string>& instances;  // nodes by the names that a cloud has for them
  std::function<void(const sim::scenario::Place&, std::string)> problem;
};

/// One thing that a resource selected.
struct Target {
  std::string id;   // "shop/web-0", "shop/web-0/nginx"
  std::string key;  // "." or ".Target"
  sim::k8s::Ref<sim::k8s::Pod> pod;
  sim::Symbol container;
  sim::k8s::Ref<sim::k8s::Node> node;
};

/// Carries a resource out in one world.
class Effect {
 public:
  explicit Effect(Cluster& cluster) : cluster_(cluster) {}
  virtual ~Effect() = default;
  Effect(const Effect&) = delete;
  Effect& operator=(const Effect&) = delete;
  /// Does it to one of `all`; the record Applied is not written yet. Not empty: it could not, in the words of the controller.
  virtual std::string apply(const Target& target, const std::vector<Target>& all) = 0;
  /// Takes it back; the target may be gone.
  virtual void recover(const Target& target) = 0;

 protected:
  sim::World& world() const;
  Cluster& cluster_;
};

/// The `spec` of a resource of whatever kind.
class Spec {
 public:
  virtual ~Spec() = default;
  std::string kind;             // "PodChaos"
  sim::scenario::Place where;   // of the spec
  virtual void check(CheckContext& context) const = 0;

 protected:
  Spec() = default;
  Spec(const Spec&) = default;
  Spec& operator=(const Spec&) = default;
};

/// Kinds that select something and do something to it for a while.
class ChaosSpec : public Spec {
 public:
  std::optional<GoDuration> duration;
  /// Done once, and never taken back.
  virtual bool is_one_shot() const { return false; }
  /// What is selected now; empty with the reason in `why`.
  virtual std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const = 0;
  virtual std::unique_ptr<Effect> make(Cluster& cluster) const = 0;
};

/// One resource of a file.
struct Resource {
  std::string kind;
  Meta meta;
  sim::scenario::Place where;
  std::shared_ptr<const Spec> spec;
};

/// A kind, and how its spec is read and described.
struct Kind {
  std::string name;      // "PodChaos"
  std::string key;       // "podChaos": in Schedule and Workflow; empty: it cannot stand there
  std::string doc;
  std::string group = "chaos-mesh.org/v1alpha1";
  bool is_modelled = true;  // false: the whole kind is refused
  std::function<std::vector<sim::scenario::FieldInfo>()> fields;
  std::function<std::shared_ptr<Spec>(Node, Reader&)> read;
};

const std::vector<Kind>& all_kinds();
const Kind* find_kind(std::string_view name);

template <std::derived_from<Spec> T>
Kind make_kind(std::string_view name, std::string_view key, std::string_view doc) {
  Kind kind;
  kind.name = name;
  kind.key = key;
  kind.doc = doc;
  kind.fields = [] { return sim::scenario::fields_of<T>().infos(); };
  kind.read = [name = std::string(name)](Node node, Reader& reader) -> std::shared_ptr<Spec> {
    auto spec = std::make_shared<T>();
    spec->kind = name;
    spec->where = node.place();
    if (!sim::scenario::fields_of<T>().read(node, *spec, name, reader)) return nullptr;
    return spec;
  };
  return kind;
}
/// A kind that is known, checked for misspelt fields, and refused whole.
template <std::derived_from<Spec> T>
Kind make_refused_kind(std::string_view name, std::string_view key, std::string_view why) {
  Kind kind = make_kind<T>(name, key, not_modelled(why));
  kind.is_modelled = false;
  return kind;
}

/// The fields that every kind of chaos has; each describe() calls it last.
template <class T>
void describe_common(Fields<T>& fields, std::string_view duration_doc = "How long; without it, until the resource is deleted.") {
  fields.add("duration", &ChaosSpec::duration, duration_doc);
  refused(fields, "remoteCluster", TypeInfo::Kind::kString, "one cluster is simulated");
  refused(fields, "scheduler", TypeInfo::Kind::kObject, "of Chaos Mesh 1; a resource of kind Schedule does it since");
  fields.rule([](const T& spec, Node node, Reader& reader) {
    if (spec.duration && spec.duration->value < SimDuration::zero()) reader.diagnostics.error(node.find("duration"), "a duration is not negative");
  });
}

/// Reads one document: a resource, or a List of them. What is wrong is told and left out.
void read_resources(Node root, std::vector<std::shared_ptr<const Resource>>& to, Reader& reader);
/// Reads all documents of a file. Keeps what they refer to alive in `document`.
std::vector<std::shared_ptr<const Resource>> read_file(const std::string& path, std::shared_ptr<const sim::scenario::Document>& document, sim::scenario::Diagnostics& diagnostics);
/// True when some document of it says that it is Chaos Mesh's or LitmusChaos'.
bool is_chaos_file(const sim::scenario::Document& document);

// ---- for kinds that select pods or containers

std::string pod_id(sim::World& world, sim::k8s::Ref<sim::k8s::Pod> pod);
std::vector<Target> pod_targets(const PodSelection& selection, Cluster& cluster, const std::string& ns, std::string_view key, sim::RandomStream& random, std::string& why);
std::vector<Target> container_targets(const ContainerSelection& selection, Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why);
void check_selection(const PodSelection& selection, CheckContext& context);
/// Empty: the pod is there and runs on a machine that runs. Else what the controller says.
std::string not_running(sim::World& world, const Target& target);

}  // namespace chaos::mesh

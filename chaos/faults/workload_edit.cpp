/// workload-edit: somebody changes the pod template of a workload for the worse: an image or tag that does not exist, or a rule left out that kept its pods apart. The
/// change is rolled out as any other, and rolled back at the end.
///
/// Source:     kubectl set image, kubectl edit; the controllers do the rest.
/// Leaves out: NetworkPolicies (nothing here drops packets by them); other fields of a template; two of these faults on one workload at the same time; Jobs and CronJobs.
/// Checked by: tests/chaos/control_plane_faults_test.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/faults/fault_files.hpp"
#include "sim/core/hash.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/registry/image_catalogue.hpp"
#include "sim/models/registry/registries.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

namespace k8s = sim::k8s;

enum class Workload : std::uint8_t { kDeployment, kStatefulSet, kDaemonSet };
enum class Rule : std::uint8_t { kAntiAffinity, kTopologySpread, kNodeSelector, kTolerations, kReadinessProbe };

const std::vector<std::pair<std::string, Rule>> kRules = {{"anti-affinity", Rule::kAntiAffinity},
                                                           {"topology-spread", Rule::kTopologySpread},
                                                           {"node-selector", Rule::kNodeSelector},
                                                           {"tolerations", Rule::kTolerations},
                                                           {"readiness-probe", Rule::kReadinessProbe}};

struct WorkloadEdit : FaultSpec {
  Workload workload = Workload::kDeployment;
  std::string ns = "default";
  std::string object;
  std::string image;
  std::string container;
  std::optional<Rule> drop;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override;
};

/// Calls `act` with the table that holds the kind.
template <class Act>
auto with_kind(Workload kind, sim::World& world, Act&& act) {
  switch (kind) {
    case Workload::kStatefulSet: return act(world.api.all<k8s::StatefulSet>());
    case Workload::kDaemonSet: return act(world.api.all<k8s::DaemonSet>());
    case Workload::kDeployment: break;
  }
  return act(world.api.all<k8s::Deployment>());
}

bool has_rule(const k8s::PodSpec& spec, Rule rule) {
  switch (rule) {
    case Rule::kAntiAffinity: return spec.affinity != nullptr && (!spec.affinity->required_pod_anti_affinity.empty() || !spec.affinity->preferred_pod_anti_affinity.empty());
    case Rule::kTopologySpread: return !spec.topology_spread.empty();
    case Rule::kNodeSelector: return !spec.node_selector.empty() || (spec.affinity != nullptr && spec.affinity->has_required_node_affinity);
    case Rule::kTolerations: return !spec.tolerations.empty();
    case Rule::kReadinessProbe: return std::any_of(spec.containers.begin(), spec.containers.end(), [](const k8s::Container& one) { return one.readiness_probe.has_value(); });
  }
  return false;
}

void drop_rule(k8s::PodSpec& spec, Rule rule) {
  const auto change_affinity = [&](auto&& change) {
    if (spec.affinity == nullptr) return;
    auto affinity = std::make_shared<k8s::Affinity>(*spec.affinity);
    change(*affinity);
    spec.affinity = std::move(affinity);
  };
  switch (rule) {
    case Rule::kAntiAffinity:
      change_affinity([](k8s::Affinity& affinity) {
        affinity.required_pod_anti_affinity.clear();
        affinity.preferred_pod_anti_affinity.clear();
      });
      return;
    case Rule::kTopologySpread: spec.topology_spread.clear(); return;
    case Rule::kNodeSelector:
      spec.node_selector = {};
      change_affinity([](k8s::Affinity& affinity) {
        affinity.has_required_node_affinity = false;
        affinity.required_node_terms.clear();
      });
      return;
    case Rule::kTolerations: spec.tolerations.clear(); return;
    case Rule::kReadinessProbe:
      for (k8s::Container& one : spec.containers) one.readiness_probe.reset();
      return;
  }
}

std::string rule_name(Rule rule) {
  return std::find_if(kRules.begin(), kRules.end(), [&](const auto& one) { return one.second == rule; })->first;
}

void WorkloadEdit::check(FaultEnvironment& environment, Problems& problems) const {
  sim::World& world = environment.world();
  with_kind(workload, world, [&]<class T>(const k8s::Table<T>& table) {
    const k8s::Ref<T> ref = table.find(world.names.find(ns), world.names.find(object));
    if (!ref) {
      std::vector<std::string> there;
      table.for_each([&](k8s::Ref<T>, const T& one) {
        if (world.names.text(one.meta.ns) == ns) there.push_back(world.names.text(one.meta.name));
      });
      problems.unknown(fmt::format("{} in namespace '{}'", k8s::to_string(T::kKind), ns), object, there);
      return;
    }
    const k8s::PodSpec& spec = *table.at(ref).pod_template.spec;
    if (drop && !has_rule(spec, *drop)) problems.error(fmt::format("{}/{} has no {} that could be left out", ns, object, rule_name(*drop)));
    if (container.empty()) return;
    std::vector<std::string> containers;
    for (const k8s::Container& one : spec.containers) containers.push_back(world.names.text(one.name));
    if (std::find(containers.begin(), containers.end(), container) == containers.end()) problems.unknown(fmt::format("container of {}/{}", ns, object), container, containers);
  });
  if (image.empty()) return;
  if (world.registries == nullptr) {
    problems.error("without registries every image can be pulled, a wrong one too: this scenario has no section 'registries'");
    return;
  }
  const std::string host = sim::registry::parse_image(image).host;
  if (world.registries->find(host) < world.registries->size()) return;
  std::vector<std::string> known;
  for (std::size_t i = 0; i < world.registries->size(); ++i) known.push_back(world.registries->host(i));
  problems.unknown("registry (of the image)", host, known);
}

void describe(Fields<WorkloadEdit>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until somebody rolls it back; without it, never.");
  fields.choice("workload", &WorkloadEdit::workload,
                std::vector<std::pair<std::string, Workload>>{
                    {"Deployment", Workload::kDeployment}, {"StatefulSet", Workload::kStatefulSet}, {"DaemonSet", Workload::kDaemonSet}},
                "What is changed.")
      .add("namespace", &WorkloadEdit::ns, "Its namespace.")
      .add("object", &WorkloadEdit::object, "Its name.").required()
      .add("image", &WorkloadEdit::image, "An image, or a tag of one, that its registry does not have: a typing error.")
      .add("container", &WorkloadEdit::container, "Of image: whose; without it, the first container's.")
      .choice("drop", &WorkloadEdit::drop, kRules, "A rule that is left out.");
  fields.rule([](const WorkloadEdit& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (fault.image.empty() == !fault.drop.has_value()) reader.diagnostics.error(node, "what is changed?").expected = "one of: image, drop";
    if (!fault.container.empty() && fault.image.empty()) reader.diagnostics.error(node.find("container"), "'container' is for 'image'");
  });
}

class WorkloadEditInjection : public Injection {
 public:
  WorkloadEditInjection(InjectionContext context, const WorkloadEdit& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override {
    return with_kind(spec_.workload, world(), [&]<class T>(const k8s::Table<T>& table) -> std::vector<std::string> {
      if (!table.find(world().names.find(spec_.ns), world().names.find(spec_.object))) return {};
      return {fmt::format("{}/{}/{}", k8s::to_string(T::kKind), spec_.ns, spec_.object)};
    });
  }
  void inject() override {
    if (!spec_.image.empty()) set_missing(true);
    context_.environment.when_writable(alive_, [this] {
      if (!over_) edit();
    });
  }
  void end() override {
    over_ = true;
    if (!spec_.image.empty()) set_missing(false);
    if (!before_) return;
    context_.environment.when_writable(alive_, [this] { roll_back(); });
  }

 private:
  sim::World& world() const { return context_.environment.world(); }
  void set_missing(bool on) {
    sim::registry::Registries& registries = *world().registries;
    registries.set_missing(registries.find(sim::registry::parse_image(spec_.image).host), k8s::normalised_image(spec_.image), on);
  }
  std::string what() const { return spec_.image.empty() ? rule_name(*spec_.drop) + " left out" : "image " + spec_.image; }
  void edit() {
    with_kind(spec_.workload, world(), [&]<class T>(const k8s::Table<T>& table) {
      const k8s::Ref<T> ref = table.find(world().names.find(spec_.ns), world().names.find(spec_.object));
      if (!ref) return;
      before_ = table.at(ref).pod_template;
      k8s::PodTemplate changed = *before_;
      auto spec = std::make_shared<k8s::PodSpec>(*changed.spec);
      if (spec_.drop) {
        drop_rule(*spec, *spec_.drop);
      } else {
        for (k8s::Container& one : spec->containers) {
          if (!spec_.container.empty() && world().names.text(one.name) != spec_.container) continue;
          one.image = world().names.intern(k8s::normalised_image(spec_.image));
          break;
        }
      }
      k8s::finish_pod_spec(*spec);
      changed.spec = std::move(spec);
      changed.hash = after_ = sim::fnv1a(what(), before_->hash);
      const sim::ScopedCause because(world().engine, world().api.record(ref, "WorkloadEdited", fmt::format("{}: by fault {}", what(), context_.name)));
      world().api.update(ref, k8s::Change::kSpec, [&](T& one) { one.pod_template = changed; });
    });
  }
  void roll_back() {
    with_kind(spec_.workload, world(), [&]<class T>(const k8s::Table<T>& table) {
      const k8s::Ref<T> ref = table.find(world().names.find(spec_.ns), world().names.find(spec_.object));
      // Somebody may have changed it again meanwhile.
      if (!ref || table.at(ref).pod_template.hash != after_) return;
      const sim::ScopedCause because(world().engine, world().api.record(ref, "WorkloadEdited", fmt::format("rolled back: end of fault {}", context_.name)));
      world().api.update(ref, k8s::Change::kSpec, [&](T& one) { one.pod_template = *before_; });
    });
  }

  InjectionContext context_;
  const WorkloadEdit& spec_;
  std::optional<k8s::PodTemplate> before_;
  std::uint64_t after_ = 0;
  bool over_ = false;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

std::unique_ptr<Injection> WorkloadEdit::make(InjectionContext context) const { return std::make_unique<WorkloadEditInjection>(std::move(context), *this); }

}  // namespace

void add_workload_edit(FaultKinds& kinds) {
  kinds.add<WorkloadEdit>("workload-edit", "Somebody changes a workload for the worse: an image that does not exist, or a rule left out that kept its pods apart.");
}

}  // namespace chaos

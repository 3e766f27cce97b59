/// node-label: somebody changes or removes a label of nodes by hand (kubectl label), and puts it back when the duration is over.
///
/// What selects nodes by it sees that: pods that wait find no place, DaemonSets lose or gain pods, topologies change for pods to come. Pods that run stay
/// (IgnoredDuringExecution). The machine stands where it stood: racks and power feeds of the scenario's topology are not labels.
///
/// Leaves out: kubernetes.io/hostname, which a kubelet would write back; two of these faults on the same label of the same node at the same time.
/// Checked by: tests/chaos/faults_test.cpp.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/kubernetes/api/well_known.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

namespace k8s = sim::k8s;

struct NodeLabel : FaultSpec {
  NodeTarget target;
  std::string label;
  std::optional<std::string> value;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (problems.any() || value || !target.leader_of.empty()) return;
    // To remove what nobody has is a mistake of the scenario.
    sim::World& world = environment.world();
    sim::RandomStream unused;
    std::vector<std::string> known;
    for (const k8s::Ref<k8s::Node> node : target.resolve(environment, unused)) {
      const k8s::Labels& labels = world.api.all<k8s::Node>().at(node).meta.labels;
      if (labels.find(world.names.find(label))) return;
      for (const auto& one : labels) known.push_back(world.names.text(one.key));
    }
    problems.unknown("label of the target's nodes", label, known);
  }
};

void describe(Fields<NodeLabel>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until somebody puts it back; without it, never.");
  fields.add("target", &NodeLabel::target, "Which nodes.").required()
      .add("label", &NodeLabel::label, "The label's key.").required()
      .add("value", &NodeLabel::value, "Its new value; without it, the label is removed.");
  fields.rule([](const NodeLabel& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (fault.label.empty()) reader.diagnostics.error(node.find("label"), "which label? the key is empty");
    if (fault.label == "kubernetes.io/hostname") reader.diagnostics.error(node.find("label"), "not modelled: a changed kubernetes.io/hostname, which the kubelet writes back");
  });
}

class NodeLabelInjection : public NodeInjection {
 public:
  NodeLabelInjection(InjectionContext context, const NodeLabel& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override {
    context_.environment.when_writable(alive_, [this] {
      if (over_) return;
      const sim::Symbol key = world().names.intern(spec_.label);
      for (const k8s::Ref<k8s::Node> ref : nodes_) {
        const k8s::Node* node = world().api.get(ref);
        if (node == nullptr) continue;
        const std::optional<sim::Symbol> was = node->meta.labels.find(key);
        if (was == ours()) continue;
        before_.emplace_back(ref, was);
        set(ref, key, ours(), "by fault " + context_.name);
      }
    });
  }
  void end() override {
    over_ = true;
    context_.environment.when_writable(alive_, [this] {
      const sim::Symbol key = world().names.intern(spec_.label);
      for (const auto& [ref, was] : before_) {
        const k8s::Node* node = world().api.get(ref);
        // Somebody may have changed it again meanwhile.
        if (node != nullptr && node->meta.labels.find(key) == ours()) set(ref, key, was, "end of fault " + context_.name);
      }
    });
  }

 private:
  std::optional<sim::Symbol> ours() const { return spec_.value ? std::optional(world().names.intern(*spec_.value)) : std::nullopt; }
  void set(k8s::Ref<k8s::Node> ref, sim::Symbol key, std::optional<sim::Symbol> value, const std::string& why) {
    const std::string text = value ? fmt::format("{}={}", spec_.label, world().names.text(*value)) : fmt::format("{} removed", spec_.label);
    const sim::ScopedCause because(world().engine, world().api.record(ref, "NodeRelabelled", fmt::format("{}: {}", text, why)));
    world().api.update(ref, k8s::Change::kLabels, [&](k8s::Node& node) {
      if (value) {
        node.meta.labels.set(key, *value);
      } else {
        node.meta.labels.erase(key);
      }
    });
  }
  const NodeLabel& spec_;
  std::vector<std::pair<k8s::Ref<k8s::Node>, std::optional<sim::Symbol>>> before_;
  bool over_ = false;
};

std::unique_ptr<Injection> NodeLabel::make(InjectionContext context) const { return std::make_unique<NodeLabelInjection>(std::move(context), *this); }

}  // namespace

void add_node_label(FaultKinds& kinds) { kinds.add<NodeLabel>("node-label", "Somebody changes or removes a label of nodes."); }

}  // namespace chaos

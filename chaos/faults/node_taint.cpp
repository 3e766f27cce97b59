/// node-taint: kubectl taint nodes: a taint that keeps pods away (or, NoExecute, drives them out), taken off after the duration.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/scenario/names.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

namespace k8s = sim::k8s;

struct NodeTaint : FaultSpec {
  NodeTarget target;
  std::string taint;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (!sim::scenario::parse_taint(taint)) problems.error(fmt::format("'{}' is no taint; expected key=value:NoSchedule, PreferNoSchedule or NoExecute", taint));
  }
};

void describe(Fields<NodeTaint>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until it is taken off; without it, for ever.");
  fields.add("target", &NodeTaint::target, "Which nodes.").required()
      .add("taint", &NodeTaint::taint, "The taint, as kubectl writes it: key=value:NoExecute.").required();
}

class NodeTaintInjection : public NodeInjection {
 public:
  NodeTaintInjection(InjectionContext context, const NodeTaint& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {
    const auto text = sim::scenario::parse_taint(spec.taint);
    taint_ = k8s::Taint{world().names.intern(text->key), world().names.intern(text->value), text->effect};
  }
  void inject() override {
    for (const k8s::Ref<k8s::Node> ref : nodes_) {
      const k8s::Node* node = world().api.get(ref);
      if (node == nullptr) continue;
      // One that it had before all faults stays.
      if (!node->has_taint(taint_.key, taint_.effect) || context_.environment.is_held(FaultEnvironment::Held::kTaint, thing(ref))) ours_.push_back(ref);
    }
    for (const k8s::Ref<k8s::Node> ref : ours_) context_.environment.hold(FaultEnvironment::Held::kTaint, thing(ref));
    context_.environment.when_writable(alive_, [this] {
      if (over_) return;
      for (const k8s::Ref<k8s::Node> ref : ours_) {
        const k8s::Node* node = world().api.get(ref);
        if (node == nullptr || node->has_taint(taint_.key, taint_.effect)) continue;
        const sim::ScopedCause because(world().engine, world().api.record(ref, "NodeTainted", fmt::format("{} by fault {}", spec_.taint, context_.name)));
        world().api.update(ref, k8s::Change::kTaints, [&](k8s::Node& n) { n.taints.push_back(taint_); });
      }
    });
  }
  void end() override {
    over_ = true;
    std::erase_if(ours_, [&](k8s::Ref<k8s::Node> ref) { return !context_.environment.release(FaultEnvironment::Held::kTaint, thing(ref)); });
    context_.environment.when_writable(alive_, [this] {
      for (const k8s::Ref<k8s::Node> ref : ours_) {
        const k8s::Node* node = world().api.get(ref);
        if (node == nullptr || !node->has_taint(taint_.key, taint_.effect)) continue;
        const sim::ScopedCause because(world().engine, world().api.record(ref, "NodeUntainted", fmt::format("{}: end of fault {}", spec_.taint, context_.name)));
        world().api.update(ref, k8s::Change::kTaints, [&](k8s::Node& n) {
          std::erase_if(n.taints, [&](const k8s::Taint& one) { return one.key == taint_.key && one.effect == taint_.effect; });
        });
      }
    });
  }

 private:
  FaultEnvironment::HeldThing thing(k8s::Ref<k8s::Node> node) const {
    return {std::uint64_t{node.generation} << 32 | node.slot, std::uint64_t{taint_.key.value} << 8 | static_cast<std::uint64_t>(taint_.effect)};
  }

  const NodeTaint& spec_;
  k8s::Taint taint_;
  std::vector<k8s::Ref<k8s::Node>> ours_;
  bool over_ = false;
};

std::unique_ptr<Injection> NodeTaint::make(InjectionContext context) const { return std::make_unique<NodeTaintInjection>(std::move(context), *this); }

}  // namespace

void add_node_taint(FaultKinds& kinds) {
  kinds.add<NodeTaint>("node-taint", "Somebody taints nodes: pods stay away or, with NoExecute, are driven out.");
}

}  // namespace chaos

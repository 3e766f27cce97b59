/// cordon: kubectl cordon; uncordon after the duration.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/kubernetes/controllers/drain.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct Cordon : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<Cordon>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever.");
  fields.add("target", &Cordon::target, "Which nodes.").required();
}

class CordonInjection : public NodeInjection {
 public:
  CordonInjection(InjectionContext context, const Cordon& spec) : NodeInjection(std::move(context), spec.target) {}
  void inject() override {
    for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) context_.environment.hold(FaultEnvironment::Held::kCordon, {node.slot, node.generation});
    context_.environment.when_writable(alive_, [this] {
      if (over_) return;
      for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) sim::k8s::cordon(world().api, node, "fault " + context_.name);
    });
  }
  void end() override {
    over_ = true;
    for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
      if (!context_.environment.release(FaultEnvironment::Held::kCordon, {node.slot, node.generation})) continue;
      context_.environment.when_writable(alive_, [this, node] { sim::k8s::uncordon(world().api, node, "end of fault " + context_.name); });
    }
  }

 private:
  bool over_ = false;
};

std::unique_ptr<Injection> Cordon::make(InjectionContext context) const {
  return std::make_unique<CordonInjection>(std::move(context), *this);
}

}  // namespace

void add_cordon(FaultKinds& kinds) {
  kinds.add<Cordon>("cordon", "Nodes are marked unschedulable, and schedulable again after the duration.");
}

}  // namespace chaos

/// node-delete: kubectl delete node. The machine and its containers run on; what becomes of the pods is the pod garbage collector's business.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodeDelete : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<NodeDelete>& fields) {
  describe_schedule(fields);
  fields.add("target", &NodeDelete::target, "Which nodes.").required();
}

class NodeDeleteInjection : public NodeInjection {
 public:
  NodeDeleteInjection(InjectionContext context, const NodeDelete& spec) : NodeInjection(std::move(context), spec.target) {}
  void inject() override {
    context_.environment.when_writable(alive_, [this] {
      for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
        if (world().api.get(node) == nullptr) continue;
        sim::ScopedCause because(world().engine, world().api.record(node, "NodeDeleted", "deleted by fault " + context_.name));
        world().api.remove(node);
      }
    });
  }
};

std::unique_ptr<Injection> NodeDelete::make(InjectionContext context) const {
  return std::make_unique<NodeDeleteInjection>(std::move(context), *this);
}

}  // namespace

void add_node_delete(FaultKinds& kinds) {
  kinds.add<NodeDelete>("node-delete", "The Node objects are deleted; their machines run on.");
}

}  // namespace chaos

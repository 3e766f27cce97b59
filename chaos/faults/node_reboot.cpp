/// node-reboot: down now, up when it has booted. No drain before it: that is planned-maintenance.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodeReboot : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<NodeReboot>& fields) {
  describe_schedule(fields);
  fields.add("target", &NodeReboot::target, "Which nodes.").required();
}

class NodeRebootInjection : public NodeInjection {
 public:
  NodeRebootInjection(InjectionContext context, const NodeReboot& spec) : NodeInjection(std::move(context), spec.target) {}
  void inject() override {
    for (sim::host::HostId host : hosts_) {
      // What is off does not reboot: what switched it off says when it is on again.
      if (world().hosts.state(host) != sim::host::HostState::kOff) world().hosts.reboot(host);
    }
  }
};

std::unique_ptr<Injection> NodeReboot::make(InjectionContext context) const {
  return std::make_unique<NodeRebootInjection>(std::move(context), *this);
}

}  // namespace

void add_node_reboot(FaultKinds& kinds) {
  kinds.add<NodeReboot>("node-reboot", "The machine reboots now, without a drain.");
}

}  // namespace chaos

/// node-power-off: somebody pulls the plug, or the BMC does, and puts it back after the duration.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodePowerOff : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<NodePowerOff>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long it is off before it is switched on; without it, for ever.");
  fields.add("target", &NodePowerOff::target, "Which nodes.").required();
}

class NodePowerOffInjection : public NodeInjection {
 public:
  NodePowerOffInjection(InjectionContext context, const NodePowerOff& spec) : NodeInjection(std::move(context), spec.target) {}
  void inject() override {
    for (sim::host::HostId host : hosts_) {
      context_.environment.hold(FaultEnvironment::Held::kHostOff, {host.value, 0});
      world().hosts.power_off(host);
    }
  }
  void end() override {
    for (sim::host::HostId host : hosts_) {
      const bool is_free = context_.environment.release(FaultEnvironment::Held::kHostOff, {host.value, 0});
      if (is_free && world().hosts.state(host) == sim::host::HostState::kOff) world().hosts.power_on(host);
    }
  }
};

std::unique_ptr<Injection> NodePowerOff::make(InjectionContext context) const {
  return std::make_unique<NodePowerOffInjection>(std::move(context), *this);
}

}  // namespace

void add_node_power_off(FaultKinds& kinds) {
  kinds.add<NodePowerOff>("node-power-off", "The machine is switched off without a shutdown, and on again after the duration.");
}

}  // namespace chaos

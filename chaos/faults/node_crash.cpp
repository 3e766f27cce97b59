/// node-crash: the machine dies at once (a kernel panic, a broken mainboard), and stays off for the duration.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodeCrash : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<NodeCrash>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long it is off before it boots; without it, for ever.");
  fields.add("target", &NodeCrash::target, "Which nodes.").required();
}

class NodeCrashInjection : public NodeInjection {
 public:
  NodeCrashInjection(InjectionContext context, const NodeCrash& spec) : NodeInjection(std::move(context), spec.target) {}
  void inject() override {
    for (sim::host::HostId host : hosts_) {
      context_.environment.hold(FaultEnvironment::Held::kHostOff, {host.value, 0});
      world().hosts.crash(host);
    }
  }
  void end() override {
    for (sim::host::HostId host : hosts_) {
      // Somebody may have switched it on, or crashed it again and off, in between: only what is off is booted.
      const bool is_free = context_.environment.release(FaultEnvironment::Held::kHostOff, {host.value, 0});
      if (is_free && world().hosts.state(host) == sim::host::HostState::kOff) world().hosts.power_on(host);
    }
  }
};

std::unique_ptr<Injection> NodeCrash::make(InjectionContext context) const {
  return std::make_unique<NodeCrashInjection>(std::move(context), *this);
}

}  // namespace

void add_node_crash(FaultKinds& kinds) {
  kinds.add<NodeCrash>("node-crash", "The machine dies at once: no goodbye, nothing reaches the API. It is off for the duration, then boots.");
}

}  // namespace chaos

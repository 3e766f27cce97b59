/// node-hang: the kernel livelocks; power and link are there, nothing runs. Ends by the duration, or by the machine's own watchdog
/// (hangResetAfter of its pool), whichever is first.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodeHang : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<NodeHang>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long until somebody resets it; without it, until its watchdog does.");
  fields.add("target", &NodeHang::target, "Which nodes.").required();
}

class NodeHangInjection : public NodeInjection {
 public:
  NodeHangInjection(InjectionContext context, const NodeHang& spec) : NodeInjection(std::move(context), spec.target) {}
  void inject() override {
    for (sim::host::HostId host : hosts_) world().hosts.hang(host, "fault " + context_.name);
  }
  void end() override {
    for (sim::host::HostId host : hosts_) {
      if (world().hosts.state(host) == sim::host::HostState::kHung) world().hosts.reset(host);
    }
  }
};

std::unique_ptr<Injection> NodeHang::make(InjectionContext context) const {
  return std::make_unique<NodeHangInjection>(std::move(context), *this);
}

}  // namespace

void add_node_hang(FaultKinds& kinds) {
  kinds.add<NodeHang>("node-hang", "The machine has power and link, but nothing on it runs. It is reset after the duration, or by its watchdog (hangResetAfter of its pool).");
}

}  // namespace chaos

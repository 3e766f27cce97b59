/// kernel-memory: the kernel of some nodes takes more and more memory for itself (a leak in a driver, slab that nothing gives back). No process owns it:
/// the kubelet does not count it, and nothing but a reboot gives it back.
///
/// Source: reference platform 9.2 (the monitoring blind spot), 9.4.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct KernelMemory : FaultSpec {
  NodeTarget target;
  double rate = 0.0;  // bytes per second

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (rate <= 0.0) problems.error("'rate' must be more than 0");
  }
};

void describe(Fields<KernelMemory>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long it grows; what it has grown to stays until the machine boots. Without it, for ever.");
  fields.add("target", &KernelMemory::target, "Which nodes.").required()
      .bytes_per_second("rate", &KernelMemory::rate, "How much more the kernel takes, for example 1Mi/s.").required();
}

class KernelMemoryInjection : public NodeInjection {
 public:
  KernelMemoryInjection(InjectionContext context, const KernelMemory& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override {
    for (const sim::k8s::Ref<sim::k8s::Node> node : nodes_) boots_.push_back(grow(node, spec_.rate));
  }
  void end() override {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      // A machine that booted meanwhile has a kernel without it.
      const sim::host::HostId host = world().kubelets.host_of(nodes_[i]);
      if (host && world().hosts.boots(host) == boots_[i]) world().kubelets.grow_kernel_memory(nodes_[i], -spec_.rate);
    }
  }

 private:
  std::uint32_t grow(sim::k8s::Ref<sim::k8s::Node> node, double rate) {
    world().kubelets.grow_kernel_memory(node, rate);
    const sim::host::HostId host = world().kubelets.host_of(node);
    return host ? world().hosts.boots(host) : 0;
  }
  const KernelMemory& spec_;
  std::vector<std::uint32_t> boots_;  // of each node's host, at the injection
};

std::unique_ptr<Injection> KernelMemory::make(InjectionContext context) const {
  return std::make_unique<KernelMemoryInjection>(std::move(context), *this);
}

}  // namespace

void add_kernel_memory(FaultKinds& kinds) {
  kinds.add<KernelMemory>("kernel-memory", "The kernel takes more and more memory that no process owns and only a reboot gives back.");
}

}  // namespace chaos

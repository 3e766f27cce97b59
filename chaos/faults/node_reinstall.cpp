/// node-reinstall: the machine goes off, is installed anew with an empty disk, and boots. What a new machine goes through as well: its images are all
/// still to be pulled.
///
/// Source: reference platform 8.4 (a node that was installed anew cannot start what needs the registry). Leaves out: the Node object stays, as when a
/// machine is replaced under its old name; local volumes keep their data.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/kubernetes/kubelet/node_images.hpp"
#include "sim/models/registry/registries.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodeReinstall : FaultSpec {
  NodeTarget target;
  SimDuration install_time{std::chrono::minutes(15)};

  Lasting lasting() const override { return Lasting::kWork; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (environment.world().registries == nullptr) {
      problems.error("without the section 'registries' nodes have no disk that could be empty: an empty one, 'registries: {}', is enough");
    }
  }
};

void describe(Fields<NodeReinstall>& fields) {
  describe_schedule(fields);
  fields.add("target", &NodeReinstall::target, "Which nodes.").required()
      .add("installTime", &NodeReinstall::install_time, "From power off to the first boot of what was installed.");
}

class NodeReinstallInjection : public NodeInjection {
 public:
  NodeReinstallInjection(InjectionContext context, const NodeReinstall& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override {
    sim::host::Hosts& hosts = world().hosts;
    for (sim::host::HostId host : hosts_) {
      if (hosts.state(host) != sim::host::HostState::kOff) hosts.power_off(host);
    }
    for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
      world().kubelets.wipe_disk(node);
    }
    timer_ = sim::Timer(world().engine);
    timer_.set_after(spec_.install_time, [this] {
      for (sim::host::HostId host : hosts_) world().hosts.power_on(host);
      finished(false, "installed, and booting");
    });
  }

 private:
  const NodeReinstall& spec_;
  sim::Timer timer_;
};

std::unique_ptr<Injection> NodeReinstall::make(InjectionContext context) const {
  return std::make_unique<NodeReinstallInjection>(std::move(context), *this);
}

}  // namespace

void add_node_reinstall(FaultKinds& kinds) {
  kinds.add<NodeReinstall>("node-reinstall", "The machine is installed anew: off for a while, and back with an empty disk.");
}

}  // namespace chaos

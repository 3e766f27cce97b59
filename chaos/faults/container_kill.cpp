/// container-kill: the containers of the pods exit with 137; the kubelet restarts them by restartPolicy, with back-off.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::k8s::Pod;
using sim::k8s::Ref;

struct ContainerKill : FaultSpec {
  PodTarget target;

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<ContainerKill>& fields) {
  describe_schedule(fields);
  fields.add("target", &ContainerKill::target, "Which pods.").required();
}

class ContainerKillInjection : public PodInjection {
 public:
  ContainerKillInjection(InjectionContext context, const ContainerKill& spec) : PodInjection(std::move(context), spec.target) {}
  void inject() override {
    for (Ref<Pod> pod : pods_) {
      if (world().api.get(pod) != nullptr) world().kubelets.kill_container(pod);
    }
  }
};

std::unique_ptr<Injection> ContainerKill::make(InjectionContext context) const {
  return std::make_unique<ContainerKillInjection>(std::move(context), *this);
}

}  // namespace

void add_container_kill(FaultKinds& kinds) {
  kinds.add<ContainerKill>("container-kill", "The containers of pods are killed (exit code 137); the kubelet restarts them with its back-off.");
}

}  // namespace chaos

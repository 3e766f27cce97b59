/// pod-kill: the Pod objects are deleted with grace period 0, as `kubectl delete --grace-period=0 --force` and Chaos Mesh's pod-kill do.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::k8s::Pod;
using sim::k8s::Ref;

struct PodKill : FaultSpec {
  PodTarget target;

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<PodKill>& fields) {
  describe_schedule(fields);
  fields.add("target", &PodKill::target, "Which pods.").required();
}

class PodKillInjection : public PodInjection {
 public:
  PodKillInjection(InjectionContext context, const PodKill& spec) : PodInjection(std::move(context), spec.target) {}
  void inject() override {
    context_.environment.when_writable(alive_, [this] {
      sim::k8s::DeleteOptions options;
      options.grace_period_seconds = 0;
      for (Ref<Pod> pod : pods_) {
        if (world().api.get(pod) == nullptr) continue;
        sim::ScopedCause because(world().engine, world().api.record(pod, "Killing", "deleted without grace period by fault " + context_.name));
        world().api.remove(pod, options);
      }
    });
  }
};

std::unique_ptr<Injection> PodKill::make(InjectionContext context) const {
  return std::make_unique<PodKillInjection>(std::move(context), *this);
}

}  // namespace

void add_pod_kill(FaultKinds& kinds) {
  kinds.add<PodKill>("pod-kill", "Pods are deleted at once, without a grace period.");
}

}  // namespace chaos

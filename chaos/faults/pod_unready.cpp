/// pod-unready: the readiness of pods fails although their containers run (a lost database connection, a full queue).
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::k8s::Pod;
using sim::k8s::Ref;

constexpr bool kUnready = true;

struct PodUnready : FaultSpec {
  PodTarget target;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<PodUnready>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, until the pod ends.");
  fields.add("target", &PodUnready::target, "Which pods.").required();
}

class PodUnreadyInjection : public PodInjection {
 public:
  PodUnreadyInjection(InjectionContext context, const PodUnready& spec) : PodInjection(std::move(context), spec.target) {}
  void inject() override {
    for (Ref<Pod> pod : pods_) {
      context_.environment.hold(FaultEnvironment::Held::kUnready, {pod.slot, pod.generation});
      world().kubelets.set_unready(pod, sim::k8s::Says::kFault, kUnready);
    }
  }
  void end() override {
    for (Ref<Pod> pod : pods_) {
      const bool is_free = context_.environment.release(FaultEnvironment::Held::kUnready, {pod.slot, pod.generation});
      if (is_free && world().api.get(pod) != nullptr) world().kubelets.set_unready(pod, sim::k8s::Says::kFault, !kUnready);
    }
  }
};

std::unique_ptr<Injection> PodUnready::make(InjectionContext context) const {
  return std::make_unique<PodUnreadyInjection>(std::move(context), *this);
}

}  // namespace

void add_pod_unready(FaultKinds& kinds) {
  kinds.add<PodUnready>("pod-unready", "Pods run, but their readiness fails: they leave the endpoints of their Services.");
}

}  // namespace chaos

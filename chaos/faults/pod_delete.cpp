/// pod-delete: kubectl delete pod, with the grace period of each pod or one given.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::k8s::Pod;
using sim::k8s::Ref;

struct PodDelete : FaultSpec {
  PodTarget target;
  std::optional<std::int64_t> grace_period;  // seconds

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
  }
};

void describe(Fields<PodDelete>& fields) {
  describe_schedule(fields);
  fields.add("target", &PodDelete::target, "Which pods.").required()
      .add("gracePeriodSeconds", &PodDelete::grace_period, 0, 1'000'000, "Instead of each pod's own.");
}

class PodDeleteInjection : public PodInjection {
 public:
  PodDeleteInjection(InjectionContext context, const PodDelete& spec) : PodInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override {
    context_.environment.when_writable(alive_, [this] {
      sim::k8s::DeleteOptions options;
      options.grace_period_seconds = spec_.grace_period;
      for (Ref<Pod> pod : pods_) {
        if (world().api.get(pod) == nullptr) continue;
        sim::ScopedCause because(world().engine, world().api.record(pod, "Killing", "deleted by fault " + context_.name));
        world().api.remove(pod, options);
      }
    });
  }

 private:
  const PodDelete& spec_;
};

std::unique_ptr<Injection> PodDelete::make(InjectionContext context) const {
  return std::make_unique<PodDeleteInjection>(std::move(context), *this);
}

}  // namespace

void add_pod_delete(FaultKinds& kinds) {
  kinds.add<PodDelete>("pod-delete", "Pods are deleted as kubectl delete does, with their grace period.");
}

}  // namespace chaos

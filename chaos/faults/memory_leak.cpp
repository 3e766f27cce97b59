/// memory-leak: containers take more and more memory. By selector the leak is in the image: pods that come later leak as well, wherever they
/// run. By name it is in those pods only.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::k8s::Pod;
using sim::k8s::Ref;

struct MemoryLeak : FaultSpec {
  PodTarget target;
  double rate = 0.0;  // bytes per second

  /// By selector alone: everything that matches, now and later.
  bool in_image() const { return !target.selector.empty() && target.pods.empty() && target.node.empty() && !target.count; }
  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (rate <= 0.0) problems.error("'rate' must be more than 0");
  }
};

void describe(Fields<MemoryLeak>& fields) {
  describe_schedule(fields);
  fields.add("target", &MemoryLeak::target, "Which pods. With a selector alone, also those that match later: the leak is in the image.").required()
      .bytes_per_second("rate", &MemoryLeak::rate, "How much more each pod takes, for example 50Mi/s.").required();
}

class MemoryLeakInjection : public PodInjection {
 public:
  MemoryLeakInjection(InjectionContext context, const MemoryLeak& spec) : PodInjection(std::move(context), spec.target), spec_(spec) {}
  std::vector<std::string> targets() const override {
    if (spec_.in_image()) return {fmt::format("pods {} in {}", describe_selector(spec_.target.selector), spec_.target.ns)};
    return PodInjection::targets();
  }
  void inject() override {
    if (spec_.in_image()) {
      const sim::k8s::LabelSelector selector = to_selector(spec_.target.selector, world().names);
      world().kubelets.leak_memory(world().names.intern(spec_.target.ns), selector, spec_.rate);
      return;
    }
    for (Ref<Pod> pod : pods_) world().kubelets.leak_memory(pod, spec_.rate);
  }

 private:
  const MemoryLeak& spec_;
};

std::unique_ptr<Injection> MemoryLeak::make(InjectionContext context) const {
  return std::make_unique<MemoryLeakInjection>(std::move(context), *this);
}

}  // namespace

void add_memory_leak(FaultKinds& kinds) {
  kinds.add<MemoryLeak>("memory-leak", "Containers take more and more memory, until the kernel, the kubelet or the machine gives up.");
}

}  // namespace chaos

/// process-hang: a process of the control plane makes no step any more, while its machine and everything else on it run on (a deadlock, SIGSTOP, swapping).
///
/// Nobody gets an answer from it. A leading scheduler or controller-manager renews its lease no more: another one takes over a lease duration later, and it exits
/// when it runs again. Its kubelet kills it when the liveness probe has failed eight times, 150 to 160 s later; with a duration it goes on by itself then, when it is
/// still there.
///
/// Leaves out: a hung kubelet (to everybody else it is one that is dead for a while: process-kill with a duration).
/// Checked by: tests/chaos/control_plane_faults_test.cpp, tests/models/kubernetes/control_plane_faults_test.cpp.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/faults/member_injection.hpp"

namespace chaos {
namespace {

using sim::k8s::Component;
using sim::scenario::Fields;

struct ProcessHang : FaultSpec {
  NodeTarget target;
  Component component = Component::kEtcd;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { check_members(target, to_string(component), environment, problems); }
};

void describe(Fields<ProcessHang>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, until its kubelet kills it for its liveness probe.");
  fields.add("target", &ProcessHang::target, "On which nodes.").required()
      .choice("component", &ProcessHang::component,
              std::vector<std::pair<std::string, Component>>{{"etcd", Component::kEtcd},
                                                             {"kube-apiserver", Component::kApiServer},
                                                             {"kube-scheduler", Component::kScheduler},
                                                             {"kube-controller-manager", Component::kControllerManager}},
              "Which process.").required();
}

class ProcessHangInjection : public MemberInjection {
 public:
  ProcessHangInjection(InjectionContext context, const ProcessHang& spec) : MemberInjection(std::move(context), spec.target, to_string(spec.component)), spec_(spec) {}
  void inject() override {
    for (const std::size_t member : members_) {
      context_.environment.hold(FaultEnvironment::Held::kHung, thing(member));
      world().control_plane.hang(spec_.component, member);
    }
  }
  void end() override {
    for (const std::size_t member : members_) {
      if (context_.environment.release(FaultEnvironment::Held::kHung, thing(member))) world().control_plane.resume(spec_.component, member);
    }
  }

 private:
  FaultEnvironment::HeldThing thing(std::size_t member) const { return {static_cast<std::uint64_t>(spec_.component), member}; }
  const ProcessHang& spec_;
};

std::unique_ptr<Injection> ProcessHang::make(InjectionContext context) const { return std::make_unique<ProcessHangInjection>(std::move(context), *this); }

}  // namespace

void add_process_hang(FaultKinds& kinds) { kinds.add<ProcessHang>("process-hang", "A process of the control plane hangs: it runs, and answers nobody."); }

}  // namespace chaos

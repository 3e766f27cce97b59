/// leader-loss: the leading kube-scheduler or kube-controller-manager cannot write its lease any more, although everything else that it asks of the API goes through
/// (a permission that somebody took away, a webhook on leases, a full object).
///
/// It goes on with its work for the renew deadline (10 s), then exits and is restarted as a candidate. Another one takes over a lease duration (15 s) after it saw the
/// last renewal, at its next try. `of: all` refuses every member: then nobody leads until it is over.
///
/// Source: client-go tools/leaderelection; reference kubernetes 4.10.
/// Checked by: tests/chaos/control_plane_faults_test.cpp.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::k8s::Component;
using sim::scenario::Fields;

struct LeaderLoss : FaultSpec {
  Component component = Component::kControllerManager;
  bool all = false;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    const sim::k8s::ControlPlane& plane = environment.world().control_plane;
    if (plane.is_external() || plane.member_count() == 0) problems.error(fmt::format("there is no {} here: this scenario has no control-plane nodes", to_string(component)));
  }
};

void describe(Fields<LeaderLoss>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long its writes are refused; without it, for ever.");
  fields
      .choice("component", &LeaderLoss::component,
              std::vector<std::pair<std::string, Component>>{{"kube-scheduler", Component::kScheduler}, {"kube-controller-manager", Component::kControllerManager}},
              "Whose lease. Of etcd there is etcd-member with action move-leader.")
      .required()
      .choice("of", &LeaderLoss::all, std::vector<std::pair<std::string, bool>>{{"leader", false}, {"all", true}},
              "leader: of the one that leads when it is injected. all: of every member.");
}

class LeaderLossInjection : public Injection {
 public:
  LeaderLossInjection(InjectionContext context, const LeaderLoss& spec) : context_(std::move(context)), spec_(spec) {
    if (spec.all) {
      for (std::size_t i = 0; i < plane().member_count(); ++i) members_.push_back(i);
    } else if (const std::optional<std::size_t> leader = plane().leader(spec.component)) {
      members_.push_back(*leader);
    }
  }
  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    for (const std::size_t member : members_) subjects.push_back(fmt::format("{}/{}", to_string(spec_.component), context_.environment.world().hosts.spec(plane().member_host(member)).name));
    return subjects;
  }
  void inject() override {
    for (const std::size_t member : members_) {
      context_.environment.hold(FaultEnvironment::Held::kLease, thing(member));
      plane().set_lease_refused(spec_.component, member, true);
    }
  }
  void end() override {
    for (const std::size_t member : members_) {
      if (context_.environment.release(FaultEnvironment::Held::kLease, thing(member))) plane().set_lease_refused(spec_.component, member, false);
    }
  }

 private:
  sim::k8s::ControlPlane& plane() const { return context_.environment.world().control_plane; }
  FaultEnvironment::HeldThing thing(std::size_t member) const { return {static_cast<std::uint64_t>(spec_.component), member}; }
  InjectionContext context_;
  const LeaderLoss& spec_;
  std::vector<std::size_t> members_;
};

std::unique_ptr<Injection> LeaderLoss::make(InjectionContext context) const { return std::make_unique<LeaderLossInjection>(std::move(context), *this); }

}  // namespace

void add_leader_loss(FaultKinds& kinds) {
  kinds.add<LeaderLoss>("leader-loss", "The leading scheduler or controller-manager cannot renew its lease: it exits, and another one takes over.");
}

}  // namespace chaos

/// clock-skew: the clocks of machines are wrong (no NTP, a dead battery, a VM that was paused), until somebody sets them right.
///
/// What goes by them:
/// - CronJobs start by the clock of the kube-controller-manager that leads: when it leads on such a machine, they are early or late.
/// - Ceph's monitors warn above 0.05 s (MON_CLOCK_SKEW), seen at the leader's next check; one that is ahead by more than a lease serves no reads.
/// - etcd warns above 1 s of difference between members, and goes on: raft counts ticks.
/// - TLS: a kubelet whose clock is past the end of the API servers' certificates, or before their beginning, takes them for invalid and loses contact.
///   `certificateAge` and `certificateLife` say when that is.
/// - Leases do not care: the node lifecycle controller and the candidates of an election compare spans of their own clock with changes that they see
///   (reference kubernetes 4.10, 7.1). A node stays Ready however wrong its clock is.
///
/// Source:     etcd server/etcdserver/api/rafthttp/probing_status.go (1 s); Ceph mon_clock_drift_allowed; Go crypto/x509 (Verify with the verifier's clock); pkg/controller/
///             cronjob, pkg/controller/nodelifecycle.
/// Leaves out: drift (it jumps, and jumps back); tokens (an API server takes a token of a pod for a year more than it says, --service-account-extend-token-expiration, and
///             nothing in this world asks with one); keys of cephx, which a clock an hour off outlives; webhooks' and registries' certificates; times in logs and of
///             objects that were created there; activeDeadlineSeconds of pods.
/// Checked by: tests/chaos/control_plane_faults_test.cpp.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct ClockSkew : FaultSpec {
  NodeTarget target;
  std::optional<SimDuration> ahead;
  std::optional<SimDuration> behind;
  SimDuration certificate_age = std::chrono::hours(24 * 30);
  SimDuration certificate_life = std::chrono::hours(24 * 365);

  SimDuration offset() const { return ahead ? *ahead : -*behind; }
  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { target.check(environment, problems); }
};

void describe(Fields<ClockSkew>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until the clocks are set right; without it, never.");
  fields.add("target", &ClockSkew::target, "Whose clocks.").required()
      .add("ahead", &ClockSkew::ahead, "By how much they are ahead of the others.")
      .add("behind", &ClockSkew::behind, "... or behind.")
      .add("certificateAge", &ClockSkew::certificate_age, "How long ago the API servers' certificates were issued.")
      .add("certificateLife", &ClockSkew::certificate_life, "How long they are valid in all; kubeadm's for a year.");
  fields.rule([](const ClockSkew& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (fault.ahead.has_value() == fault.behind.has_value()) {
      reader.diagnostics.error(node, "by how much are the clocks wrong?").expected = "one of: ahead, behind";
      return;
    }
    if (fault.offset() == SimDuration::zero()) reader.diagnostics.error(node.find(fault.ahead ? "ahead" : "behind"), "a clock that is wrong by 0s is right");
    if (fault.certificate_age >= fault.certificate_life) reader.diagnostics.error(node.find("certificateAge"), "the certificates would have expired already: 'certificateAge' must be shorter than 'certificateLife'");
  });
}

class ClockSkewInjection : public NodeInjection {
 public:
  ClockSkewInjection(InjectionContext context, const ClockSkew& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override { set(spec_.offset()); }
  void end() override { set(-spec_.offset()); }

 private:
  void set(SimDuration by) {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      context_.environment.skew_machine(hosts_[i], by, {spec_.certificate_age, spec_.certificate_life});
    }
  }
  const ClockSkew& spec_;
};

std::unique_ptr<Injection> ClockSkew::make(InjectionContext context) const { return std::make_unique<ClockSkewInjection>(std::move(context), *this); }

}  // namespace

void add_clock_skew(FaultKinds& kinds) { kinds.add<ClockSkew>("clock-skew", "The clocks of machines are wrong."); }

}  // namespace chaos

/// certificate-expiry: certificates expire at one moment; nobody renewed them, and rotation was off.
///
/// - kubelet: the API servers answer 401 to the kubelets of the target: the nodes go silent, although everything on them runs on. Their remaining life is known (and
///   exported) from the start of the run.
/// - kube-scheduler, kube-controller-manager: 401 with every request: a leader exits after 10 s, and cannot get its lease back.
/// - kube-apiserver (serving), apiserver-etcd-client, etcd-peer: looked at in the handshake only. Connections that are open go on; what is restarted afterwards, or
///   loses its connection, finds nobody: an API server no client, or no etcd; a member of etcd no other.
///
/// Source:     apiserver authentication/request/x509 (verifies with each request); Go crypto/tls; kubeadm's list of certificates.
/// Leaves out: front-proxy, sa (a key, which does not expire), etcd's own serving certificate as seen by others than its API server; clients that connect anew to an API
///             server that has been running since before (they would fail).
/// Checked by: tests/chaos/faults_test.cpp, tests/chaos/control_plane_faults_test.cpp, tests/chaos/detection_test.cpp.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/faults/member_injection.hpp"

namespace chaos {
namespace {

using sim::k8s::Certificate;
using sim::scenario::Fields;

struct CertificateExpiry : FaultSpec {
  NodeTarget target;
  std::optional<Certificate> certificate;  // empty: the kubelets'

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    if (certificate) {
      check_members(target, to_string(*certificate), environment, problems);
    } else {
      target.check(environment, problems);
    }
  }
  void foresee(InjectionContext context) const override;
  bool is_foreseeable() const override { return !certificate; }
  void avert(InjectionContext context) const override;
};

void describe(Fields<CertificateExpiry>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until they are renewed by hand; without it, they never are.");
  fields.add("target", &CertificateExpiry::target, "Whose certificates.").required()
      .choice("certificate", &CertificateExpiry::certificate,
              std::vector<std::pair<std::string, std::optional<Certificate>>>{{"kubelet", std::nullopt},
                                                                              {"kube-scheduler", Certificate::kSchedulerClient},
                                                                              {"kube-controller-manager", Certificate::kControllerManagerClient},
                                                                              {"kube-apiserver", Certificate::kApiServerServing},
                                                                              {"apiserver-etcd-client", Certificate::kApiServerEtcdClient},
                                                                              {"etcd-peer", Certificate::kEtcdPeer}},
              "Which one of the node: the kubelet's client certificate, or one of the control plane's, by the name of its file.");
}

class KubeletCertificateInjection : public NodeInjection {
 public:
  KubeletCertificateInjection(InjectionContext context, const CertificateExpiry& spec) : NodeInjection(std::move(context), spec.target) {}
  void foresee(std::optional<SimTime> when) {
    for (const sim::k8s::Ref<sim::k8s::Node> node : nodes_) world().kubelets.set_certificate_expiry(node, when);
  }
  void inject() override {
    for (const sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
      context_.environment.hold(FaultEnvironment::Held::kCertificate, {node.slot, node.generation});
      world().kubelets.set_certificate_expired(node, true);
    }
  }
  void end() override {
    for (const sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
      if (!context_.environment.release(FaultEnvironment::Held::kCertificate, {node.slot, node.generation})) continue;
      world().kubelets.set_certificate_expiry(node, std::nullopt);
      world().kubelets.set_certificate_expired(node, false);
    }
  }
};

class MemberCertificateInjection : public MemberInjection {
 public:
  MemberCertificateInjection(InjectionContext context, const CertificateExpiry& spec) : MemberInjection(std::move(context), spec.target, to_string(*spec.certificate)), spec_(spec) {}
  void inject() override {
    for (const std::size_t member : members_) {
      context_.environment.hold(FaultEnvironment::Held::kMemberCertificate, thing(member));
      world().control_plane.set_certificate_expired(*spec_.certificate, member, true);
    }
  }
  void end() override {
    for (const std::size_t member : members_) {
      if (context_.environment.release(FaultEnvironment::Held::kMemberCertificate, thing(member))) world().control_plane.set_certificate_expired(*spec_.certificate, member, false);
    }
  }

 private:
  FaultEnvironment::HeldThing thing(std::size_t member) const { return {static_cast<std::uint64_t>(*spec_.certificate), member}; }
  const CertificateExpiry& spec_;
};

std::unique_ptr<Injection> CertificateExpiry::make(InjectionContext context) const {
  if (certificate) return std::make_unique<MemberCertificateInjection>(std::move(context), *this);
  return std::make_unique<KubeletCertificateInjection>(std::move(context), *this);
}

void CertificateExpiry::foresee(InjectionContext context) const {
  if (!certificate) KubeletCertificateInjection(std::move(context), *this).foresee(SimTime{} + at);
}

void CertificateExpiry::avert(InjectionContext context) const { KubeletCertificateInjection(std::move(context), *this).foresee(std::nullopt); }

}  // namespace

void add_certificate_expiry(FaultKinds& kinds) {
  kinds.add<CertificateExpiry>("certificate-expiry", "Certificates expire: those of kubelets, whose nodes fall silent, or of a component of the control plane.");
}

}  // namespace chaos

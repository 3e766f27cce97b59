/// certificate-expiry: the client certificates of kubelets expire at one moment; nobody renewed them, and rotation was off. The API servers answer 401:
/// the nodes go silent, although everything on them runs on. Their remaining life is known (and exported) from the start of the run.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct CertificateExpiry : FaultSpec {
  NodeTarget target;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { target.check(environment, problems); }
  void foresee(InjectionContext context) const override;
  bool is_foreseeable() const override { return true; }
  void avert(InjectionContext context) const override;
};

void describe(Fields<CertificateExpiry>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until they are renewed by hand; without it, they never are.");
  fields.add("target", &CertificateExpiry::target, "Whose certificates.").required();
}

class CertificateExpiryInjection : public NodeInjection {
 public:
  CertificateExpiryInjection(InjectionContext context, const CertificateExpiry& spec) : NodeInjection(std::move(context), spec.target) {}
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

std::unique_ptr<Injection> CertificateExpiry::make(InjectionContext context) const {
  return std::make_unique<CertificateExpiryInjection>(std::move(context), *this);
}

void CertificateExpiry::foresee(InjectionContext context) const { CertificateExpiryInjection(std::move(context), *this).foresee(SimTime{} + at); }

void CertificateExpiry::avert(InjectionContext context) const { CertificateExpiryInjection(std::move(context), *this).foresee(std::nullopt); }

}  // namespace

void add_certificate_expiry(FaultKinds& kinds) {
  kinds.add<CertificateExpiry>("certificate-expiry", "The client certificates of kubelets expire: the API servers refuse them, and their nodes fall silent.");
}

}  // namespace chaos

/// ceph-network: nodes lose one of Ceph's two networks: the public one (clients, monitors, heartbeats) or the cluster one (replication, heartbeats).
///
/// Source: reference platform 2.1.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/rook/rook.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct CephNetwork : FaultSpec {
  NodeTarget target;
  sim::ceph::Plane plane = sim::ceph::Plane::kCluster;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    if (environment.world().rook == nullptr) problems.error("there is no Ceph in this scenario: it has no section 'ceph'");
    target.check(environment, problems);
  }
};

void describe(Fields<CephNetwork>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever.");
  fields.add("target", &CephNetwork::target, "Nodes that lose it.").required()
      .choice("network", &CephNetwork::plane, {{"public", sim::ceph::Plane::kPublic}, {"cluster", sim::ceph::Plane::kCluster}}, "Which one.");
}

class CephNetworkInjection : public NodeInjection {
 public:
  CephNetworkInjection(InjectionContext context, const CephNetwork& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override { cut(true); }
  void end() override { cut(false); }

 private:
  void cut(bool on) {
    for (const sim::host::HostId host : hosts_) {
      const FaultEnvironment::HeldThing thing{host.value, static_cast<std::uint64_t>(spec_.plane)};
      if (on) {
        context_.environment.hold(FaultEnvironment::Held::kCephNetwork, thing);
      } else if (!context_.environment.release(FaultEnvironment::Held::kCephNetwork, thing)) {
        continue;  // another fault keeps it cut
      }
      world().rook->cluster().cut_network(world().hosts.spec(host).name, spec_.plane, on);
    }
  }
  const CephNetwork& spec_;
};

std::unique_ptr<Injection> CephNetwork::make(InjectionContext context) const { return std::make_unique<CephNetworkInjection>(std::move(context), *this); }

}  // namespace

void add_ceph_network(FaultKinds& kinds) { kinds.add<CephNetwork>("ceph-network", "Nodes lose Ceph's public or cluster network."); }

}  // namespace chaos

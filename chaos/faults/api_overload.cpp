/// api-overload: clients flood the API servers: a controller that lists all pods in a loop, an agent on every node.
///
/// What comes of it is decided by priority and fairness, the servers' CPU and memory (sim/models/kubernetes/api_load).
#include <algorithm>
#include <utility>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/kubernetes/api_load/api_load.hpp"
#include "sim/scenario/api_load_fields.hpp"

namespace chaos {
namespace {

using sim::k8s::api_load::ClientGroup;
using sim::scenario::Fields;

struct ApiOverload : FaultSpec, ClientGroup {
  ApiOverload() {
    clients = 100;
    user = "system:serviceaccount:default:agent";
    interval = SimDuration(std::chrono::seconds(1));
  }
  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    if (environment.world().control_plane.is_external()) {
      problems.error("the API servers of a managed control plane are not modelled: api-overload needs control-plane nodes");
    }
  }
};

void describe(Fields<ApiOverload>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long they ask; without it, for ever.");
  sim::k8s::api_load::describe_clients(fields);
}

class ApiOverloadInjection : public Injection {
 public:
  ApiOverloadInjection(InjectionContext context, const ApiOverload& spec) : context_(std::move(context)), clients_(spec) { clients_.name = context_.name; }
  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    const sim::World& world = context_.environment.world();
    for (std::size_t i = 0; i < world.control_plane.member_count(); ++i) {
      subjects.push_back("Pod/kube-system/kube-apiserver-" + world.hosts.spec(world.control_plane.member_host(i)).name);
    }
    return subjects;
  }
  void inject() override { group_ = context_.environment.world().load_of_api_servers().add(clients_); }
  void end() override { context_.environment.world().load_of_api_servers().remove(group_); }

 private:
  InjectionContext context_;
  ClientGroup clients_;
  std::size_t group_ = 0;
};

std::unique_ptr<Injection> ApiOverload::make(InjectionContext context) const { return std::make_unique<ApiOverloadInjection>(std::move(context), *this); }

}  // namespace

void add_api_overload(FaultKinds& kinds) {
  kinds.add<ApiOverload>("api-overload", "Clients flood the API servers with requests: an agent that lists all pods in a loop.");
}

}  // namespace chaos

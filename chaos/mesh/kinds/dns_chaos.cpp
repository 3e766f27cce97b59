/// DNSChaos: names do not resolve, or to addresses that nobody has.
///
/// Source:     api/v1alpha1/dnschaos_type.go; the chaos DNS server answers the selected pods with an error or a random address (action). Services of the cluster are
///             asked for as NAME.NAMESPACE.svc.cluster.local.
/// Leaves out: connections that are open already (a pod that needs a name looks it up for each call); probes' own names; names outside of the cluster.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/mesh/pod_rule_effect.hpp"
#include "sim/models/services/services.hpp"

namespace chaos::mesh {
namespace {

enum class Action : std::uint8_t { kError, kRandom };

struct DnsChaos final : ChaosSpec, ContainerSelection {
  Action action = Action::kError;
  std::vector<std::string> patterns;

  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override { return container_targets(*this, cluster, ns, random, why); }
  void check(CheckContext& context) const override {
    check_selection(*this, context);
    if (context.world.services == nullptr) {
      context.problem(where, fmt::format("{}dnschaos where nothing needs a Service: say with behaviours[].needs or services.*.needs who looks up what", kNotModelled));
      return;
    }
    // What is looked up here are Services of the cluster.
    std::vector<std::string> names;
    context.world.api.all<sim::k8s::Service>().for_each([&](sim::k8s::Ref<sim::k8s::Service>, const sim::k8s::Service& service) {
      names.push_back(fmt::format("{}.{}.svc.cluster.local", context.world.names.text(service.meta.name), context.world.names.text(service.meta.ns)));
    });
    const bool any = patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                       return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return sim::network::fits_name(pattern, name); });
                     });
    if (!any) context.problem(where, fmt::format("{}dnschaos of names outside of the cluster: no Service is called like {}", kNotModelled, fmt::join(patterns, ", ")));
  }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

void describe(Fields<DnsChaos>& fields) {
  fields.title("Names do not resolve.")
      .choice("action", &DnsChaos::action, std::vector<std::pair<std::string, Action>>{{"error", Action::kError}, {"random", Action::kRandom}},
              "error: no address. random: one that nobody answers at: to a caller the same.")
      .required()
      .custom("patterns", TypeInfo{.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(TypeInfo{.kind = TypeInfo::Kind::kString})},
              "Names that are meant, with ? and, at the end, *; default: all. Services are asked for as NAME.NAMESPACE.svc.cluster.local.", [](Node node, DnsChaos& to, Reader& reader) {
                if (!sim::scenario::Codec<std::vector<std::string>>::read(node, to.patterns, reader, "patterns")) return false;
                bool good = true;
                for (std::size_t i = 0; i < to.patterns.size(); ++i) {
                  const std::size_t star = to.patterns[i].find('*');
                  if (star == std::string::npos || star + 1 == to.patterns[i].size()) continue;
                  reader.diagnostics.error(node.item(i), fmt::format("in '{}' the wildcard * is not at the end", to.patterns[i]));
                  good = false;
                }
                return good;
              });
  describe_containers(fields);
  describe_common(fields);
}

class DnsEffect final : public PodRuleEffect {
 public:
  DnsEffect(Cluster& cluster, const DnsChaos& spec) : PodRuleEffect(cluster), spec_(spec) {}

 private:
  sim::network::PodNetwork::Id begin(const Target& target) override {
    sim::World& w = world();
    const sim::ScopedCause because(w.engine, w.api.record(target.pod, "NamesFail", spec_.patterns.empty() ? std::string("no name resolves in it") : fmt::format("no name like {} resolves in it", fmt::join(spec_.patterns, ", "))));
    return w.network_of_pods().break_names({target.pod}, spec_.patterns);
  }

  const DnsChaos& spec_;
};

std::unique_ptr<Effect> DnsChaos::make(Cluster& cluster) const { return std::make_unique<DnsEffect>(cluster, *this); }

}  // namespace

Kind dns_chaos() { return make_kind<DnsChaos>("DNSChaos", "dnsChaos", "Names of Services do not resolve in pods that need them."); }

}  // namespace chaos::mesh

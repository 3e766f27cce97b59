/// network-impair: packets of machines are lost, late, corrupt, duplicate, limited, or do not get through, to everybody or to some others, one way or both.
///
/// Who feels it, and what is left out: sim/models/network/host_network.hpp. Of a switch with a broken port: target.in names the switch, and loss the share.
///
/// Source:     netem(8), as Chaos Mesh's NetworkChaos uses it; a corrupt packet is one lost (TCP's checksum), a duplicate one is thrown away.
/// Checked by: tests/chaos/network_impair_test.cpp.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/network/host_network.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

enum class Direction : std::uint8_t { kTo, kFrom, kBoth };

struct NetworkImpair : FaultSpec {
  NodeTarget target;
  std::optional<NodeTarget> others;
  Direction direction = Direction::kBoth;
  std::optional<SimDuration> delay;
  SimDuration jitter{};
  std::optional<double> loss, corrupt, duplicate;
  double correlation = 0.0;
  std::optional<double> rate;
  bool cut = false;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (others) others->check(environment, problems);
  }
  sim::network::Impairment impairment() const {
    sim::network::Impairment result;
    result.drops = cut;
    double arrives = 1.0;
    constexpr double kPercent = 100.0;
    for (const std::optional<double>& percent : {loss, corrupt}) {
      if (percent) arrives *= 1.0 - sim::network::netem_share(*percent / kPercent, correlation / kPercent);
    }
    result.loss = 1.0 - arrives;
    result.delay = delay.value_or(SimDuration{});
    result.jitter = jitter;
    result.bytes_per_second = rate.value_or(0.0);
    return result;
  }
};

void describe(Fields<NetworkImpair>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever.");
  fields.add("target", &NetworkImpair::target, "Whose packets.").required()
      .add("others", &NetworkImpair::others, "Only those to or from these nodes; without it, to or from everybody.")
      .choice("direction", &NetworkImpair::direction, std::vector<std::pair<std::string, Direction>>{{"both", Direction::kBoth}, {"to", Direction::kTo}, {"from", Direction::kFrom}},
              "to: what the target sends. from: what it gets. both: each way.")
      .add("delay", &NetworkImpair::delay, "How much later a packet arrives, each way that is meant.")
      .add("jitter", &NetworkImpair::jitter, "Of delay: more or less by so much, uniform.")
      .add("loss", &NetworkImpair::loss, 0.0, 100.0, "Percent of the packets that do not arrive.")
      .add("corrupt", &NetworkImpair::corrupt, 0.0, 100.0, "Percent of the packets that arrive with an error in them: TCP throws them away, so they are lost.")
      .add("duplicate", &NetworkImpair::duplicate, 0.0, 100.0, "Percent of the packets that arrive twice: TCP throws the second one away, so nothing comes of it.")
      .add("correlation", &NetworkImpair::correlation, 0.0, 100.0, "Percent, of loss and corrupt: netem then loses fewer (above one half, more) than it is told.")
      .bytes_per_second("rate", &NetworkImpair::rate, "No more than this. Felt by image pulls (with a section 'registries') and by state transfers of services.")
      .add("cut", &NetworkImpair::cut, "Nothing gets through at all.");
  fields.rule([](const NetworkImpair& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (!fault.delay && !fault.loss && !fault.corrupt && !fault.duplicate && !fault.rate && !fault.cut) {
      reader.diagnostics.error(node, "nothing is done to the packets").expected = "one or several of: delay, loss, corrupt, duplicate, rate, cut";
    }
    if (fault.jitter > SimDuration::zero() && (!fault.delay || fault.jitter > *fault.delay)) reader.diagnostics.error(node.find("jitter"), "'jitter' is at most 'delay'");
    if (fault.rate && *fault.rate <= 0.0) reader.diagnostics.error(node.find("rate"), "a rate is more than 0; of nothing at all there is 'cut'");
    if (fault.rate && fault.others) reader.diagnostics.error(node.find("rate"), "not modelled: a limit on what is sent to some; without 'others' it is on all");
  });
}

class NetworkImpairInjection : public NodeInjection {
 public:
  NetworkImpairInjection(InjectionContext context, const NetworkImpair& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {
    if (!spec.others) return;
    for (const sim::k8s::Ref<sim::k8s::Node> node : spec.others->resolve(context_.environment, context_.random)) {
      if (const sim::host::HostId host = world().kubelets.host_of(node)) others_.push_back(host);
    }
  }
  std::vector<std::string> targets() const override {
    if (hosts_.empty() || (spec_.others && others_.empty())) return {};
    return NodeInjection::targets();
  }
  void inject() override {
    sim::network::HostNetwork& network = world().network_of_hosts();
    if (spec_.direction != Direction::kFrom) rules_.push_back(network.impair(hosts_, others_, spec_.impairment()));
    if (spec_.direction != Direction::kTo) rules_.push_back(network.impair(others_, hosts_, spec_.impairment()));
  }
  void end() override {
    for (const sim::network::HostNetwork::Id rule : rules_) world().network_of_hosts().remove(rule);
  }

 private:
  const NetworkImpair& spec_;
  std::vector<sim::host::HostId> others_;
  std::vector<sim::network::HostNetwork::Id> rules_;
};

std::unique_ptr<Injection> NetworkImpair::make(InjectionContext context) const { return std::make_unique<NetworkImpairInjection>(std::move(context), *this); }

}  // namespace

void add_network_impair(FaultKinds& kinds) { kinds.add<NetworkImpair>("network-impair", "Packets of machines are lost, late, limited, or do not get through, to everybody or to some others."); }

}  // namespace chaos

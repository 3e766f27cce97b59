/// element-down: an element of the topology breaks (a rack, a power feed, a switch, a zone, a host), and with it what has no other.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::topology::Aspect;
using sim::topology::ElementId;
using sim::topology::ElementKind;

enum class Loses : std::uint8_t { kByKind, kPower, kNetwork, kBoth };

struct ElementDown : FaultSpec {
  std::vector<std::string> elements;
  Loses loses = Loses::kByKind;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    const sim::topology::Topology& topology = environment.world().topology;
    std::vector<std::string> names;
    for (ElementId id : topology.all()) names.push_back(topology.name(id));
    if (elements.empty()) problems.error("'elements' is empty");
    for (const std::string& element : elements) {
      if (!topology.find(element)) problems.unknown("topology element", element, names);
    }
  }
};

void describe(Fields<ElementDown>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever. Machines that get their power back boot by themselves.");
  fields.add("elements", &ElementDown::elements, "Elements of the topology by name: racks, power feeds, switches, zones, regions, hosts.").required()
      .choice("loses", &ElementDown::loses,
              std::vector<std::pair<std::string, Loses>>{
                  {"default", Loses::kByKind}, {"power", Loses::kPower}, {"network", Loses::kNetwork}, {"both", Loses::kBoth}},
              "What they lose, and with them everything that has no other source of it. default: a switch the network, everything else its power.");
}

class ElementDownInjection : public Injection {
 public:
  ElementDownInjection(InjectionContext context, const ElementDown& spec) : context_(std::move(context)), spec_(spec) {
    for (const std::string& name : spec.elements) {
      if (const ElementId id = topology().find(name)) elements_.push_back(id);
    }
  }
  std::vector<std::string> targets() const override {
    std::vector<std::string> names;
    for (ElementId id : elements_) names.push_back(topology().name(id));
    return names;
  }
  void inject() override {
    for_each([this](ElementId id, Aspect aspect) { topology().fail(id, aspect); });
  }
  void end() override {
    for_each([this](ElementId id, Aspect aspect) { topology().restore(id, aspect); });
  }

 private:
  sim::topology::Topology& topology() const { return context_.environment.world().topology; }
  template <class Do>
  void for_each(Do&& act) {
    for (ElementId id : elements_) {
      const bool is_switch = topology().kind(id) == ElementKind::kSwitch;
      const bool power = spec_.loses == Loses::kPower || spec_.loses == Loses::kBoth || (spec_.loses == Loses::kByKind && !is_switch);
      const bool network = spec_.loses == Loses::kNetwork || spec_.loses == Loses::kBoth || (spec_.loses == Loses::kByKind && is_switch);
      if (power) act(id, Aspect::kPower);
      if (network) act(id, Aspect::kNetwork);
    }
  }
  InjectionContext context_;
  const ElementDown& spec_;
  std::vector<ElementId> elements_;
};

std::unique_ptr<Injection> ElementDown::make(InjectionContext context) const {
  return std::make_unique<ElementDownInjection>(std::move(context), *this);
}

}  // namespace

void add_element_down(FaultKinds& kinds) {
  kinds.add<ElementDown>("element-down", "A rack, power feed, switch, zone or host breaks, and with it everything that has no other.");
}

}  // namespace chaos

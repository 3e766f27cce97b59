/// component: how available a function of the control plane is.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct ComponentExpectation : Expectation {
  Function function = Function::kWrite;
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview&, Problems&) const override {}
};

void describe(Fields<ComponentExpectation>& fields) {
  describe_window(fields);
  std::vector<std::pair<std::string, Function>> words;
  for (Function function : {Function::kRead, Function::kWrite, Function::kQuorum, Function::kScheduling, Function::kReconciling}) {
    words.emplace_back(to_string(function), function);
  }
  fields
      .choice("component", &ComponentExpectation::function, words,
              "api-read: some API server answers. api-write: writes go through. etcd-quorum: etcd has a leader's majority. scheduler, "
              "controller-manager: one holds the lease and can write.")
      .required()
      .fraction("availability", &ComponentExpectation::availability, "Works for at least this share of the time.")
      .add("longestOutage", &ComponentExpectation::longest_outage, "Never fails for longer than this.")
      .rule([](const ComponentExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.availability && !e.longest_outage) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability or longestOutage", e.name));
        }
      });
}

class ComponentCheck : public Check {
 public:
  explicit ComponentCheck(const ComponentExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = to_string(spec_.function);
    const Signal& signal = run.observers.control_plane().of(spec_.function);
    if (spec_.availability) result.measures.push_back(measure_availability(signal, *spec_.availability, result.from, result.to));
    if (spec_.longest_outage) {
      result.measures.push_back(measure_longest("longestOutage", signal, 1.0, *spec_.longest_outage, result.from, result.to));
    }
  }

 private:
  const ComponentExpectation& spec_;
};

std::unique_ptr<Check> ComponentExpectation::make(sim::World&, SimTime) const { return std::make_unique<ComponentCheck>(*this); }

}  // namespace

void add_component(ExpectationKinds& kinds) {
  kinds.add<ComponentExpectation>("component", "How available a function of the control plane is.");
}

}  // namespace chaos

/// registry: how available a registry is for pulls, how many pulls fail, and how long the longest takes.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"
#include "sim/models/registry/registries.hpp"

namespace chaos {
namespace {

using sim::registry::PullEnd;
using sim::scenario::Fields;

struct RegistryExpectation : Expectation {
  std::string registry;  // empty: all pulls
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;
  std::optional<std::int64_t> failed_pulls;
  std::optional<std::int64_t> pulls;
  std::optional<SimDuration> longest_pull;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    const sim::registry::Registries* registries = preview.world.registries.get();
    if (registries == nullptr) {
      problems.error("there are no registries in this scenario: it has no section 'registries'");
      return;
    }
    if (registry.empty()) return;
    std::vector<std::string> known;
    for (std::size_t i = 0; i < registries->size(); ++i) {
      if (registries->is_observed(i)) known.push_back(registries->host(i));
    }
    if (std::find(known.begin(), known.end(), registry) == known.end()) problems.unknown("registry", registry, known);
  }
};

void describe(Fields<RegistryExpectation>& fields) {
  describe_window(fields);
  fields.add("registry", &RegistryExpectation::registry, "The registry, by host. Without it: the pulls of all nodes, whoever served them.")
      .fraction("availability", &RegistryExpectation::availability, "Images can be pulled from it for at least this share of the time.")
      .add("longestOutage", &RegistryExpectation::longest_outage, "No image can be pulled from it for no longer than this.")
      .add("failedPulls", &RegistryExpectation::failed_pulls, 0, 1'000'000'000, "At most so many pulls fail (each try counts).")
      .add("pulls", &RegistryExpectation::pulls, 1, 1'000'000'000, "At least so many pulls go well.")
      .add("longestPull", &RegistryExpectation::longest_pull, "No pull that goes well takes longer than this, waiting for its turn included.")
      .rule([](const RegistryExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.availability && !e.longest_outage && !e.failed_pulls && !e.pulls && !e.longest_pull) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability, longestOutage, failedPulls, pulls or longestPull", e.name));
        }
        if (e.registry.empty() && (e.availability || e.longest_outage)) {
          reader.diagnostics.error(node, fmt::format("expectation '{}': availability and longestOutage are of one registry: give 'registry'", e.name));
        }
      });
}

class RegistryCheck : public Check {
 public:
  explicit RegistryCheck(const RegistryExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    const sim::registry::Registries& registries = *run.world.registries;
    result.subject = spec_.registry.empty() ? "image pulls" : "Registry/" + spec_.registry;
    if (spec_.availability || spec_.longest_outage) {
      const RegistryHistory& history = *run.observers.registries().find(spec_.registry);
      Signal signal = history.serves;
      if (signal.empty()) signal.set(SimTime{}, 0.0, run.observers.registries().cause(history));
      if (spec_.availability) result.measures.push_back(measure_availability(signal, *spec_.availability, result.from, result.to));
      if (spec_.longest_outage) result.measures.push_back(measure_longest("longestOutage", signal, 1.0, *spec_.longest_outage, result.from, result.to));
    }
    double failed = 0.0, pulled = 0.0;
    SimDuration longest{};
    Measure failures = of("failedPulls", Unit::kCount, Comparison::kAtMost, static_cast<double>(spec_.failed_pulls.value_or(0)));
    Measure duration = of("longestPull", Unit::kSeconds, Comparison::kAtMost, sim::seconds(spec_.longest_pull.value_or(SimDuration{})));
    const std::size_t wanted = spec_.registry.empty() ? SIZE_MAX : registries.find(spec_.registry);
    for (const PullEnd& pull : registries.pulls()) {
      if (pull.at < result.from || pull.at > result.to || (wanted != SIZE_MAX && pull.source != wanted)) continue;
      if (!pull.pulled) {
        failed += 1.0;
        if (failed > failures.bound && !failures.first_violation) {
          failures.first_violation = pull.at;
          failures.cause = pull.cause;
        }
        continue;
      }
      pulled += 1.0;
      if (pull.took > longest) {
        longest = pull.took;
        duration.cause = pull.cause;
      }
      if (spec_.longest_pull && pull.took > *spec_.longest_pull && !duration.first_violation) duration.first_violation = pull.at;
    }
    if (spec_.failed_pulls) add(result, std::move(failures), failed);
    if (spec_.pulls) {
      Measure measure = of("pulls", Unit::kCount, Comparison::kAtLeast, static_cast<double>(*spec_.pulls));
      if (pulled < measure.bound) measure.first_violation = result.to;
      add(result, std::move(measure), pulled);
    }
    if (spec_.longest_pull) add(result, std::move(duration), sim::seconds(longest));
  }

 private:
  static Measure of(std::string name, Unit unit, Comparison comparison, double bound) {
    Measure measure;
    measure.name = std::move(name);
    measure.unit = unit;
    measure.comparison = comparison;
    measure.bound = bound;
    return measure;
  }
  static void add(ExpectationResult& result, Measure measure, double measured) {
    measure.measured = measured;
    const double beyond = measure.comparison == Comparison::kAtMost ? measured - measure.bound : measure.bound - measured;
    measure.held = beyond <= 0.0;
    measure.excess = std::max(0.0, beyond);
    result.measures.push_back(std::move(measure));
  }
  const RegistryExpectation& spec_;
};

std::unique_ptr<Check> RegistryExpectation::make(sim::World&, SimTime) const { return std::make_unique<RegistryCheck>(*this); }

}  // namespace

void add_registry(ExpectationKinds& kinds) {
  kinds.add<RegistryExpectation>("registry", "How available an image registry is, how many pulls fail, and how long they take.");
}

}  // namespace chaos

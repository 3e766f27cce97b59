/// requests: how many of the users' requests to a Service are answered, and how soon.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"
#include "sim/models/traffic/traffic.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;
using sim::traffic::Traffic;

struct RequestsExpectation : Expectation {
  std::string traffic;
  std::optional<double> answered;
  std::optional<double> never_below;
  std::optional<SimDuration> p50;
  std::optional<SimDuration> p90;
  std::optional<SimDuration> p99;
  std::optional<SimDuration> longest_outage;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    if (preview.world.traffic == nullptr) {
      problems.error("nobody asks anything of a Service in this scenario: it has no section 'traffic'");
      return;
    }
    std::vector<std::string> known;
    for (std::size_t i = 0; i < preview.world.traffic->size(); ++i) known.push_back(preview.world.traffic->config(i).name);
    if (std::find(known.begin(), known.end(), traffic) == known.end()) problems.unknown("flow in 'traffic'", traffic, known);
  }
};

void describe(Fields<RequestsExpectation>& fields) {
  describe_window(fields);
  fields.add("traffic", &RequestsExpectation::traffic, "Name of the flow in the section `traffic`.").required()
      .fraction("answered", &RequestsExpectation::answered, "At least this share of the requests of the window is answered.")
      .fraction("neverBelow", &RequestsExpectation::never_below, "At no time is a smaller share answered than this.")
      .add("p50", &RequestsExpectation::p50, "Half of the answers take no longer than this, failed attempts before included.")
      .add("p90", &RequestsExpectation::p90, "Nine of ten answers take no longer.")
      .add("p99", &RequestsExpectation::p99, "99 of 100 answers take no longer.")
      .add("longestOutage", &RequestsExpectation::longest_outage, "Fewer than the flow's `acceptable` are answered for no longer than this.")
      .rule([](const RequestsExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (e.answered || e.never_below || e.p50 || e.p90 || e.p99 || e.longest_outage) return;
        reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give answered, neverBelow, p50, p90, p99 or longestOutage", e.name));
      });
}

class RequestsCheck : public Check {
 public:
  explicit RequestsCheck(const RequestsExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    const Traffic& traffic = *run.world.traffic;
    std::size_t flow = 0;
    while (traffic.config(flow).name != spec_.traffic) ++flow;
    const TrafficSteps& steps = traffic.steps(flow);
    result.subject = "Traffic/" + spec_.traffic;
    const Signal acceptable = acceptable_of(steps, traffic.config(flow).acceptable);
    // What starts is not out: without a window of its own it counts from when it first worked.
    if (!spec_.from) result.from = std::max(result.from, acceptable.begin());
    if (result.from >= result.to) {
      result.not_judged = "its window is over before the requests were first answered";
      return;
    }
    const RequestTotals totals = totals_of(steps, result.from, result.to);
    if (spec_.answered) {
      Measure measure = of("answered", Unit::kRatio, Comparison::kAtLeast, *spec_.answered, totals.success());
      // Broken for certain when more has failed than the whole window may lose; the worst time is why.
      const double allowed = (1.0 - *spec_.answered) * totals.requests;
      double lost = 0.0;
      for_each_step(steps, result.from, result.to, [&](const Traffic::Step& step, SimTime begin, SimTime end) {
        const double rate = step.mix.rate() * (1.0 - step.mix.success());
        const double now = rate * sim::seconds(end - begin);
        if (!measure.held && !measure.first_violation && lost + now > allowed) measure.first_violation = begin + sim::from_seconds((allowed - lost) / rate);
        lost += now;
      });
      measure.cause = totals.lowest_cause;
      result.measures.push_back(std::move(measure));
    }
    if (spec_.never_below) {
      Signal success;
      for (const Traffic::Step& step : steps) success.set(step.at, step.mix.success(), step.cause);
      result.measures.push_back(measure_lowest("neverBelow", success, *spec_.never_below, result.from, result.to));
      result.measures.back().unit = Unit::kRatio;
    }
    const auto quantile = [&](const char* name, const std::optional<SimDuration>& bound, double q) {
      if (!bound) return;
      Measure measure = of(name, Unit::kSeconds, Comparison::kAtMost, sim::seconds(*bound), quantile_of(steps, result.from, result.to, q));
      if (!measure.held) {
        // The time in which most answers came later than the bound.
        double most = 0.0;
        for_each_step(steps, result.from, result.to, [&](const Traffic::Step& step, SimTime begin, SimTime end) {
          const double late = step.mix.rate() * sim::seconds(end - begin) * (step.mix.success() - step.mix.answered_within(measure.bound));
          if (late <= most) return;
          most = late;
          measure.first_violation = begin;
          measure.cause = step.cause;
        });
      }
      result.measures.push_back(std::move(measure));
    };
    quantile("p50", spec_.p50, 0.50);
    quantile("p90", spec_.p90, 0.90);
    quantile("p99", spec_.p99, 0.99);
    if (spec_.longest_outage) result.measures.push_back(measure_longest("longestOutage", acceptable, 1.0, *spec_.longest_outage, result.from, result.to));
  }

 private:
  static Measure of(std::string name, Unit unit, Comparison comparison, double bound, double measured) {
    Measure measure;
    measure.name = std::move(name);
    measure.unit = unit;
    measure.comparison = comparison;
    measure.bound = bound;
    measure.measured = measured;
    const double beyond = comparison == Comparison::kAtMost ? measured - bound : bound - measured;
    measure.held = beyond <= 0.0;
    measure.excess = std::max(0.0, beyond);
    return measure;
  }
  const RequestsExpectation& spec_;
};

std::unique_ptr<Check> RequestsExpectation::make(sim::World&, SimTime) const { return std::make_unique<RequestsCheck>(*this); }

}  // namespace

void add_requests(ExpectationKinds& kinds) {
  kinds.add<RequestsExpectation>("requests", "How many of the users' requests to a Service are answered, and how soon.");
}

}  // namespace chaos

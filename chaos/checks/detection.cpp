/// detection: somebody is told of the outages in time, by an alert, a probe or a dead man's switch.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

const std::vector<std::string>& outage_kinds() {
  static const std::vector<std::string> kKinds = [] {
    std::vector<std::string> kinds;
    for (int kind = 0; kind <= static_cast<int>(kLastOutageKind); ++kind) kinds.emplace_back(to_string(static_cast<OutageKind>(kind)));
    return kinds;
  }();
  return kKinds;
}

struct DetectionExpectation : Expectation {
  std::vector<std::string> kinds;
  std::string subject;
  std::optional<SimDuration> within;
  Severity told = Severity::kAlert;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    if (!preview.world.monitoring) problems.error("nobody looks at this cluster: the scenario has no section 'monitoring'");
    for (const std::string& one : kinds) {
      if (std::find(outage_kinds().begin(), outage_kinds().end(), one) == outage_kinds().end()) problems.unknown("kind of outage", one, outage_kinds());
    }
  }
  bool is_meant(const Outage& outage) const {
    if (!subject.empty() && outage.subject != subject) return false;
    if (kinds.empty()) return !subject.empty() || outage.severity == Severity::kAlert;
    return std::find(kinds.begin(), kinds.end(), to_string(outage.kind)) != kinds.end();
  }
};

void describe(Fields<DetectionExpectation>& fields) {
  describe_window(fields);
  fields.add("kinds", &DetectionExpectation::kinds, "Kinds of outages (docs/outputs.md).")
      .default_text("those that users see")
      .add("subject", &DetectionExpectation::subject, "Only outages of this: Service/shop/web, CephPool/rbd, Node/w1.")
      .default_text("any")
      .add("within", &DetectionExpectation::within, "So long after its beginning somebody was told of each. An outage that is over sooner needs no message.")
      .required()
      .choice("told", &DetectionExpectation::told, {{"alert", Severity::kAlert}, {"notice", Severity::kNotice}},
              "alert: a person, at once. notice: a message in a queue is enough.");
}

class DetectionCheck : public Check {
 public:
  explicit DetectionCheck(const DetectionExpectation& spec) : spec_(spec) {}
  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = spec_.subject.empty() ? "outages" : spec_.subject;
    if (run.verdict == nullptr || !run.verdict->monitored) {
      result.not_judged = "nobody looked";
      return;
    }
    Measure measure;
    measure.name = "within";
    measure.unit = Unit::kSeconds;
    measure.comparison = Comparison::kAtMost;
    measure.bound = sim::seconds(*spec_.within);
    for (const Outage& outage : run.verdict->outages) {
      if (!spec_.is_meant(outage) || outage.start < result.from || outage.start >= result.to) continue;
      const Detection found = outage.detection.value_or(Detection{});
      const std::optional<SimDuration> after = spec_.told == Severity::kAlert ? found.alerted_after : found.noticed_after;
      // Untold for as long as it lasted.
      const double seconds = sim::seconds(after.value_or(outage.length()));
      measure.measured = std::max(measure.measured, seconds);
      if (seconds <= measure.bound) continue;
      const SimTime violated = outage.start + *spec_.within;
      if (measure.first_violation && *measure.first_violation <= violated) continue;
      measure.first_violation = violated;
      measure.cause = outage.cause;
    }
    measure.held = measure.measured <= measure.bound;
    measure.excess = measure.held ? 0.0 : measure.measured - measure.bound;
    result.measures.push_back(measure);
  }

 private:
  const DetectionExpectation& spec_;
};

std::unique_ptr<Check> DetectionExpectation::make(sim::World&, SimTime) const { return std::make_unique<DetectionCheck>(*this); }

}  // namespace

void add_detection(ExpectationKinds& kinds) {
  kinds.add<DetectionExpectation>("detection", "Somebody is told of each outage in time.");
}

}  // namespace chaos

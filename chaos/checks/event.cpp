/// event: records of a kind are in the log, or are not, or so many.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"
#include "chaos/checks/event_kinds.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct EventExpectation : Expectation {
  std::string event;
  std::string subject;
  std::string message;
  std::optional<std::int64_t> at_least;
  std::optional<std::int64_t> at_most;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  // Any kind may come: which ones a run can write is not known before it. But 'atMost: 0' of a misspelt one would hold for ever.
  void check(const Preview&, Problems& problems) const override {
    if (std::find(std::begin(kEventKinds), std::end(kEventKinds), event) != std::end(kEventKinds)) return;
    const std::vector<std::string> known(std::begin(kEventKinds), std::end(kEventKinds));
    const std::string meant = sim::scenario::nearest(event, known);
    if (!meant.empty()) problems.warning(fmt::format("no record has the kind '{}'", event), fmt::format("did you mean '{}'?", meant));
  }
};

void describe(Fields<EventExpectation>& fields) {
  describe_window(fields);
  fields.add("event", &EventExpectation::event, "Kind of the records: a reason such as NodeNotReady, Evicted, EtcdQuorumLost.").required()
      .add("subject", &EventExpectation::subject, "Only those about this subject, such as Node/w1 or Pod/shop/web-0; a * at the end stands for anything.")
      .add("message", &EventExpectation::message, "Only those whose message has this in it.")
      .add("atLeast", &EventExpectation::at_least, 1, 1'000'000'000, "At least so many.")
      .add("atMost", &EventExpectation::at_most, 0, 1'000'000'000, "No more than so many; 0: it never happens.")
      .rule([](const EventExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.at_least && !e.at_most) reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give atLeast or atMost", e.name));
      });
}

class EventCheck : public Check {
 public:
  explicit EventCheck(const EventExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = spec_.subject.empty() ? spec_.event : fmt::format("{} of {}", spec_.event, spec_.subject);
    const sim::EventLog& log = run.world.log;
    const sim::Symbol kind = run.world.names.find(spec_.event);
    double found = 0.0;
    std::optional<SimTime> too_many_at;
    CauseId first_too_many{};
    const std::vector<sim::EventLog::Record>& records = log.records();
    for (std::size_t i = 0; kind && i < records.size(); ++i) {
      const sim::EventLog::Record& record = records[i];
      if (record.kind != kind || record.time < result.from || record.time > result.to || !matches(log, record)) continue;
      found += 1.0;
      if (spec_.at_most && !too_many_at && found > static_cast<double>(*spec_.at_most)) {
        too_many_at = record.time;
        first_too_many = CauseId{static_cast<std::uint32_t>(i + 1)};
      }
    }
    if (spec_.at_least) {
      Measure measure = of("atLeast", Comparison::kAtLeast, static_cast<double>(*spec_.at_least), found);
      if (!measure.held) measure.first_violation = result.to;
      result.measures.push_back(std::move(measure));
    }
    if (spec_.at_most) {
      Measure measure = of("atMost", Comparison::kAtMost, static_cast<double>(*spec_.at_most), found);
      measure.first_violation = too_many_at;
      measure.cause = first_too_many;
      result.measures.push_back(std::move(measure));
    }
  }

 private:
  static Measure of(std::string name, Comparison comparison, double bound, double measured) {
    Measure measure;
    measure.name = std::move(name);
    measure.unit = Unit::kCount;
    measure.comparison = comparison;
    measure.bound = bound;
    measure.measured = measured;
    measure.held = comparison == Comparison::kAtLeast ? measured >= bound : measured <= bound;
    if (!measure.held) measure.excess = comparison == Comparison::kAtLeast ? bound - measured : measured - bound;
    return measure;
  }
  bool matches(const sim::EventLog& log, const sim::EventLog::Record& record) const {
    if (!spec_.subject.empty()) {
      const std::string& subject = log.subject(record);
      const bool any_end = spec_.subject.ends_with('*');
      if (any_end ? !subject.starts_with(std::string_view(spec_.subject).substr(0, spec_.subject.size() - 1)) : subject != spec_.subject) {
        return false;
      }
    }
    return spec_.message.empty() || log.message(record).find(spec_.message) != std::string_view::npos;
  }
  const EventExpectation& spec_;
};

std::unique_ptr<Check> EventExpectation::make(sim::World&, SimTime) const { return std::make_unique<EventCheck>(*this); }

}  // namespace

void add_event(ExpectationKinds& kinds) {
  kinds.add<EventExpectation>("event", "Records of a kind are in the log, or are not.");
}

}  // namespace chaos

#include "chaos/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chaos/outages/why.hpp"

namespace chaos {

ExpectationResult judge(const Expectation& expectation, Check& check, const Judgement& run) {
  ExpectationResult result;
  result.name = expectation.name;
  result.kind = expectation.kind;
  result.from = expectation.from ? SimTime{} + *expectation.from : run.warm_up_end;
  result.to = std::min(expectation.to ? SimTime{} + *expectation.to : run.ended, run.ended);
  if (result.from >= result.to) {
    result.held = false;
    result.not_judged = fmt::format("the run ended at {}, before its window began", sim::format_duration(run.ended.time_since_epoch()));
    result.to = result.from;
    return result;
  }
  check.judge(run, result);
  if (!result.not_judged.empty()) {
    result.held = false;
    return result;
  }
  for (Measure& measure : result.measures) {
    result.held = result.held && measure.held;
    if (!measure.held) measure.why = explain(run.world.log, measure.cause, measure.also, run.why_steps_max);
  }
  return result;
}

Measure measure_availability(const Signal& signal, double bound, SimTime from, SimTime to) {
  Measure measure;
  measure.name = "availability";
  measure.unit = Unit::kRatio;
  measure.comparison = Comparison::kAtLeast;
  measure.bound = bound;
  measure.measured = time_average(signal, from, to).value_or(0.0);
  // Sums of seconds carry rounding errors: 1e-12 of a year is 30 microseconds.
  measure.held = measure.measured >= bound - 1e-12;
  if (measure.held) return measure;
  measure.excess = bound - measure.measured;
  const double allowed = (1.0 - bound) * sim::seconds(existing(signal, from, to));
  double lost = 0.0;
  const Span* worst = nullptr;
  const std::vector<Span> spans = spans_below(signal, 1.0, from, to);
  for (const Span& span : spans) {
    if (!measure.first_violation && lost + span.lost > allowed) {
      // Within the span: exact when the loss is steady in it, a little early or late otherwise.
      const double share = span.lost > 0.0 ? (allowed - lost) / span.lost : 0.0;
      measure.first_violation = span.start + sim::from_seconds(sim::seconds(span.length()) * std::clamp(share, 0.0, 1.0));
    }
    lost += span.lost;
    if (worst == nullptr || span.lost > worst->lost) worst = &span;
  }
  if (worst != nullptr) measure.cause = worst->lowest_cause ? worst->lowest_cause : worst->cause;
  if (!measure.first_violation) measure.first_violation = from;
  return measure;
}

Measure measure_longest(std::string name, const Signal& signal, double full, SimDuration bound, SimTime from, SimTime to) {
  Measure measure;
  measure.name = std::move(name);
  measure.unit = Unit::kSeconds;
  measure.comparison = Comparison::kAtMost;
  measure.bound = sim::seconds(bound);
  SimDuration longest{};
  for (const Span& span : spans_below(signal, full, from, to)) {
    if (span.length() > bound && !measure.first_violation) measure.first_violation = span.start + bound;
    if (span.length() > longest) {
      longest = span.length();
      measure.cause = span.lowest_cause ? span.lowest_cause : span.cause;
    }
  }
  measure.measured = sim::seconds(longest);
  measure.held = longest <= bound;
  if (!measure.held) measure.excess = sim::seconds(longest - bound);
  return measure;
}

namespace {

Measure measure_extreme(std::string name, Comparison comparison, double bound, std::optional<Extreme> extreme, std::optional<SimTime> first) {
  Measure measure;
  measure.name = std::move(name);
  measure.unit = Unit::kCount;
  measure.comparison = comparison;
  measure.bound = bound;
  if (!extreme) return measure;
  measure.measured = extreme->value;
  measure.cause = extreme->cause;
  measure.held = comparison == Comparison::kAtLeast ? extreme->value >= bound : extreme->value <= bound;
  if (!measure.held) {
    measure.excess = comparison == Comparison::kAtLeast ? bound - extreme->value : extreme->value - bound;
    measure.first_violation = first;
  }
  return measure;
}

}  // namespace

Measure measure_lowest(std::string name, const Signal& signal, double bound, SimTime from, SimTime to) {
  const std::vector<Span> below = spans_below(signal, bound, from, to);
  Measure measure = measure_extreme(std::move(name), Comparison::kAtLeast, bound, minimum(signal, from, to),
                                    below.empty() ? std::nullopt : std::optional(below.front().start));
  // A signal that does not exist in the window has nothing to show: that is no more than 0.
  if (existing(signal, from, to) == SimDuration::zero() && bound > 0.0) {
    measure.held = false;
    measure.excess = bound;
    measure.first_violation = from;
  }
  return measure;
}

Measure measure_highest(std::string name, const Signal& signal, double bound, SimTime from, SimTime to) {
  std::optional<SimTime> first;
  if (!signal.empty()) {
    const std::vector<Span> above = [&] {
      Signal inverse;
      for (const Signal::Step& step : signal.steps()) inverse.set(step.at, step.value > bound ? 0.0 : 1.0, step.cause);
      return spans_below(inverse, 1.0, from, to);
    }();
    if (!above.empty()) first = above.front().start;
  }
  return measure_extreme(std::move(name), Comparison::kAtMost, bound, maximum(signal, from, to), first);
}

}  // namespace chaos

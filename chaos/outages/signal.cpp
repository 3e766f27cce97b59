#include "chaos/outages/signal.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace chaos {
namespace {

/// Calls visit(step, begin, end) for each step that lasts longer than an instant within [from, to).
template <class Visit>
void for_each_part(const Signal& signal, SimTime from, SimTime to, Visit&& visit) {
  const std::vector<Signal::Step>& steps = signal.steps();
  // The last step at or before `from` is the first that matters.
  auto first = std::upper_bound(steps.begin(), steps.end(), from, [](SimTime t, const Signal::Step& step) { return t < step.at; });
  if (first != steps.begin()) --first;
  for (auto step = first; step != steps.end() && step->at < to; ++step) {
    const SimTime begin = std::max(step->at, from);
    const SimTime end = std::min(step + 1 == steps.end() ? to : (step + 1)->at, to);
    if (begin < end) visit(*step, begin, end);
  }
}

}  // namespace

void Signal::set(SimTime at, double value, CauseId cause) {
  SIM_CHECK(steps_.empty() || steps_.back().at <= at, "virtual time does not run backwards");
  if (!steps_.empty() && steps_.back().at == at) {
    if (steps_.back().value == value) {
      // Told twice of one change (its root, then what was recorded of it): the later record is the nearer one.
      steps_.back().cause = std::max(steps_.back().cause, cause);
      return;
    }
    steps_.back().value = value;
    steps_.back().cause = cause;
    if (steps_.size() > 1 && steps_[steps_.size() - 2].value == value) steps_.pop_back();
    return;
  }
  if (!steps_.empty() && steps_.back().value == value) return;
  steps_.push_back(Step{at, value, cause});
}

std::vector<Span> spans_below(const Signal& signal, double full, SimTime from, SimTime to) {
  std::vector<Span> spans;
  for_each_part(signal, from, to, [&](const Signal::Step& step, SimTime begin, SimTime end) {
    if (step.value >= full) return;
    if (spans.empty() || spans.back().end != begin) {
      spans.push_back(Span{begin, begin, step.cause, step.value, step.cause, 0.0});
    }
    Span& span = spans.back();
    span.end = end;
    span.lost += (full - step.value) * sim::seconds(end - begin);
    if (step.value < span.lowest) {
      span.lowest = step.value;
      span.lowest_cause = step.cause;
    }
  });
  return spans;
}

std::optional<double> time_average(const Signal& signal, SimTime from, SimTime to) {
  double sum = 0.0;
  SimDuration length{};
  for_each_part(signal, from, to, [&](const Signal::Step& step, SimTime begin, SimTime end) {
    sum += step.value * sim::seconds(end - begin);
    length += end - begin;
  });
  if (length == SimDuration::zero()) return std::nullopt;
  return sum / sim::seconds(length);
}

SimDuration existing(const Signal& signal, SimTime from, SimTime to) {
  if (signal.empty()) return SimDuration::zero();
  const SimTime begin = std::max(from, signal.begin());
  return begin < to ? to - begin : SimDuration::zero();
}

namespace {
template <class Better>
std::optional<Extreme> extreme(const Signal& signal, SimTime from, SimTime to, Better&& better) {
  std::optional<Extreme> best;
  for_each_part(signal, from, to, [&](const Signal::Step& step, SimTime begin, SimTime) {
    if (!best || better(step.value, best->value)) best = Extreme{step.value, begin, step.cause};
  });
  return best;
}
}  // namespace

std::optional<Extreme> minimum(const Signal& signal, SimTime from, SimTime to) {
  return extreme(signal, from, to, [](double a, double b) { return a < b; });
}
std::optional<Extreme> maximum(const Signal& signal, SimTime from, SimTime to) {
  return extreme(signal, from, to, [](double a, double b) { return a > b; });
}

Signal at_least(const Signal& signal, double threshold) {
  Signal result;
  for (const Signal::Step& step : signal.steps()) result.set(step.at, step.value >= threshold ? 1.0 : 0.0, step.cause);
  return result;
}

}  // namespace chaos

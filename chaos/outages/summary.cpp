#include "chaos/outages/summary.hpp"

#include <algorithm>

namespace chaos {

Outage outage_of(OutageKind kind, Severity severity, const std::string& subject, const Span& span, const SummaryOptions& options) {
  Outage outage;
  outage.kind = kind;
  outage.severity = severity;
  outage.subject = subject;
  outage.start = span.start;
  outage.end = span.end;
  outage.open = span.end == options.end;
  outage.cause = span.cause;
  return outage;
}

void unclip(Outage& outage, const Signal& signal, SimTime window_begin, double full) {
  if (outage.start != window_begin) return;
  for (const Span& span : spans_below(signal, full, SimTime{}, window_begin)) {
    if (span.end == window_begin) outage.start = span.start;
  }
}

void tell_outages(const Signal& signal, OutageKind kind, Severity severity, const std::string& subject, SimTime from, const SummaryOptions& options, Verdict& verdict) {
  for (const Span& span : spans_below(signal, 1.0, from, options.end)) {
    verdict.outages.push_back(outage_of(kind, span.length() <= kTakeOver ? Severity::kNone : severity, subject, span, options));
    unclip(verdict.outages.back(), signal, from, 1.0);
  }
}

AvailabilityStats signal_stats(const Signal& signal, const std::string& subject, SimTime from, SimTime end) {
  AvailabilityStats stats;
  stats.subject = subject;
  stats.measured = existing(signal, from, end);
  if (stats.measured == SimDuration::zero()) return stats;
  for (const Span& span : spans_below(signal, 1.0, from, end)) {
    ++stats.outages;
    stats.down += span.length();
    stats.longest = std::max(stats.longest, span.length());
  }
  stats.availability = 1.0 - sim::seconds(stats.down) / sim::seconds(stats.measured);
  stats.never_up = stats.down == stats.measured;
  return stats;
}

Lane lane_of(const std::string& group, const std::string& subject, const Signal& signal, SimTime end,
             const std::function<std::pair<std::string, Severity>(double, SimDuration)>& state) {
  Lane lane;
  lane.group = group;
  lane.subject = subject;
  const std::vector<Signal::Step>& steps = signal.steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const SimTime until = i + 1 < steps.size() ? steps[i + 1].at : end;
    if (until <= steps[i].at) continue;
    const auto [word, severity] = state(steps[i].value, until - steps[i].at);
    lane.intervals.push_back(Lane::Interval{steps[i].at, until, word, severity, steps[i].cause});
  }
  return lane;
}

}  // namespace chaos

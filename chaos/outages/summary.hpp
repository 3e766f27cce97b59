/// What the outages of all systems have in common: from a signal to its outages, its figures and its lane.
///
/// Each system has its own file beside its observer: NAME_observer.hpp sees, NAME_outages.cpp tells.
/// Checked by: tests/chaos/outages_test.cpp.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "chaos/outages/signal.hpp"
#include "chaos/verdict.hpp"

namespace chaos {

struct SummaryOptions {
  SimTime warm_up_end{};
  SimTime end{};
  std::size_t outages_max = 2000;
  std::size_t lanes_max = 2000;
  std::size_t why_steps_max = 40;
  /// Only the availability of this subject, a component or a Service: no outages, no lanes, no counts. Who asks after each event pays for nothing else.
  const std::string* only = nullptr;
  bool wants(const std::string& subject) const { return only == nullptr || *only == subject; }
};

/// Below this, self-healing has it: a take-over of the leader's lease, a restart of a static pod (reference 1.9, 4.10: 13 to 24 s).
inline constexpr SimDuration kTakeOver = std::chrono::seconds(30);

Outage outage_of(OutageKind kind, Severity severity, const std::string& subject, const Span& span, const SummaryOptions& options);
/// The start of a span as it was, not as the window cuts it.
void unclip(Outage& outage, const Signal& signal, SimTime window_begin, double full);
/// Each time that the signal is below 1: an outage. One that is over as soon as somebody has taken over, or an election, is nobody's business.
void tell_outages(const Signal& signal, OutageKind kind, Severity severity, const std::string& subject, SimTime from, const SummaryOptions& options, Verdict& verdict);
AvailabilityStats signal_stats(const Signal& signal, const std::string& subject, SimTime from, SimTime end);
/// `state`: what a value of the signal is in words, and how bad when it lasts so long.
Lane lane_of(const std::string& group, const std::string& subject, const Signal& signal, SimTime end,
             const std::function<std::pair<std::string, Severity>(double, SimDuration)>& state);

}  // namespace chaos

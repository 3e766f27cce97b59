#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

namespace chaos {

void summarize_platform(const PlatformObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  const auto add = [&](const PlatformHistory& history, const std::string& subject, OutageKind down, OutageKind degraded, Severity severity) {
    if (!options.wants(subject)) return;
    const SimTime from = PlatformObserver::counts_from(history, options.warm_up_end);
    AvailabilityStats stats = signal_stats(history.up, subject, from, options.end);
    for (const Span& span : spans_below(history.fully, 1.0, from, options.end)) stats.degraded += span.length();
    verdict.components.push_back(std::move(stats));
    if (options.only != nullptr) return;
    tell_outages(history.up, down, severity, subject, from, options, verdict);
    tell_outages(history.fully, degraded, Severity::kNotice, subject, from, options, verdict);
    // Both in one lane. Their steps are in order, and both begin at the start.
    Signal state;
    const std::vector<Signal::Step>& up = history.up.steps();
    const std::vector<Signal::Step>& fully = history.fully.steps();
    for (std::size_t i = 0, k = 0; i < up.size() || k < fully.size();) {
      const bool up_is_next = k == fully.size() || (i < up.size() && up[i].at <= fully[k].at);
      const Signal::Step& step = up_is_next ? up[i++] : fully[k++];
      const bool is_up = i > 0 && up[i - 1].value > 0.0;
      const bool is_whole = k == 0 || fully[k - 1].value > 0.0;
      const bool is_starting = !history.first_up || step.at < *history.first_up;
      state.set(step.at, is_up ? (is_whole ? 2.0 : 1.0) : is_starting ? 3.0 : 0.0, step.cause);
    }
    verdict.lanes.push_back(lane_of("platform", subject, state, options.end, [severity](double value, SimDuration) {
      if (value == 0.0) return std::pair(std::string("down"), severity);
      if (value == 1.0) return std::pair(std::string("degraded"), Severity::kNotice);
      return std::pair(std::string(value == 3.0 ? "starting" : "ok"), Severity::kNone);
    }));
  };
  for (const PlatformHistory& one : observer.operations()) {
    add(one, "operation/" + one.name, OutageKind::kOperationImpossible, OutageKind::kOperationDegraded, Severity::kAlert);
  }
  for (const PlatformHistory& one : observer.services()) {
    // Whether users see it is said by what they do: the operations.
    add(one, "platform/" + one.name, OutageKind::kPlatformServiceDown, OutageKind::kPlatformServiceDegraded, Severity::kNotice);
  }
  for (const VmHistory& one : observer.vms()) {
    const std::string subject = "vms/" + one.name;
    if (!options.wants(subject)) continue;
    AvailabilityStats stats = signal_stats(one.running, subject, options.warm_up_end, options.end);
    stats.availability = time_average(one.running, options.warm_up_end, options.end).value_or(1.0);
    verdict.components.push_back(std::move(stats));
    if (options.only != nullptr) continue;
    for (const auto& [signal, kind] : {std::pair(&one.running, OutageKind::kVmsStopped), std::pair(&one.reachable, OutageKind::kVmsUnreachable)}) {
      for (const Span& span : spans_below(*signal, 1.0, options.warm_up_end, options.end)) {
        if (kind == OutageKind::kVmsUnreachable && !spans_below(one.running, 1.0, span.start, span.end).empty()) continue;  // those that do not run are told above
        verdict.outages.push_back(outage_of(kind, span.length() <= kTakeOver ? Severity::kNone : Severity::kAlert, subject, span, options));
        unclip(verdict.outages.back(), *signal, options.warm_up_end, 1.0);
      }
    }
    verdict.lanes.push_back(lane_of("platform", subject, one.reachable, options.end, [](double value, SimDuration) {
      return std::pair(value >= 1.0 ? std::string("all reachable") : fmt::format("{:.0f} % reachable", 100.0 * value), value >= 1.0 ? Severity::kNone : Severity::kAlert);
    }));
  }
}

}  // namespace chaos

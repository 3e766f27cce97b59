#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace chaos {

namespace {

SimTime end_of(const ServiceHistory& service, SimTime end) { return service.deleted ? std::min(service.deleted_at, end) : end; }

}  // namespace

std::optional<SimTime> counts_from(const ServiceHistory& service, SimTime warm_up_end) {
  if (!service.has_selector) return std::nullopt;
  if (!service.first_served) {
    if (!service.had_address) return std::nullopt;
    return std::max(warm_up_end, service.created);
  }
  if (warm_up_end > SimTime{} && service.created < warm_up_end) return warm_up_end;
  return std::max(warm_up_end, *service.first_served);
}

std::vector<Outage> service_outages(const ServiceHistory& service, const std::string& subject, const SummaryOptions& options) {
  std::vector<Outage> outages;
  const std::optional<SimTime> from = counts_from(service, options.warm_up_end);
  const SimTime end = end_of(service, options.end);
  if (!from || *from >= end) return outages;
  const Signal share = service.share();
  LossWalk losses_of_down(service);
  for (const Span& span : spans_below(at_least(share, 1e-9), 1.0, *from, end)) {
    Outage outage = outage_of(OutageKind::kServiceDown, Severity::kAlert, subject, span, options);
    outage.contributing = losses_of_down.until(span.start);
    outages.push_back(std::move(outage));
  }
  // Parts in which it serves, but not fully: down parts divide them.
  Signal degraded;
  for (const Signal::Step& step : share.steps()) {
    degraded.set(step.at, step.value > 0.0 && step.value < 1.0 ? 0.0 : 1.0, step.cause);
  }
  LossWalk losses_of_degraded(service);
  for (const Span& span : spans_below(degraded, 1.0, *from, end)) {
    Outage outage = outage_of(OutageKind::kServiceDegraded, Severity::kAlert, subject, span, options);
    outage.contributing = losses_of_degraded.until(span.start);
    outages.push_back(std::move(outage));
  }
  return outages;
}

AvailabilityStats service_stats(const ServiceHistory& service, const std::string& subject, const SummaryOptions& options) {
  AvailabilityStats stats;
  stats.subject = subject;
  stats.never_up = !service.first_served;
  const std::optional<SimTime> from = counts_from(service, options.warm_up_end);
  const SimTime end = end_of(service, options.end);
  if (!from || *from >= end) {
    stats.availability = service.first_served ? 1.0 : 0.0;
    return stats;
  }
  const Signal share = service.share();
  stats = signal_stats(at_least(share, 1e-9), subject, *from, end);
  stats.never_up = !service.first_served;
  stats.availability = time_average(share, *from, end).value_or(0.0);
  SimDuration below_full{};
  for (const Span& span : spans_below(share, 1.0, *from, end)) below_full += span.length();
  stats.degraded = below_full - stats.down;
  if (const std::optional<Extreme> lowest = minimum(service.serving(), *from, end)) {
    stats.serving_min = static_cast<std::int64_t>(lowest->value);
  }
  return stats;
}

Lane service_lane(const ServiceHistory& service, const std::string& subject, SimTime end) {
  Lane lane;
  lane.group = "service";
  lane.subject = subject;
  const SimTime last = end_of(service, end);
  for (std::size_t i = 0; i < service.steps.size(); ++i) {
    const ServiceHistory::Step& step = service.steps[i];
    const SimTime until = i + 1 < service.steps.size() ? service.steps[i + 1].at : last;
    if (until <= step.at) continue;
    Lane::Interval interval;
    interval.start = step.at;
    interval.end = until;
    interval.cause = step.cause;
    if (step.serving == 0) {
      const bool starting = !service.first_served || step.at < *service.first_served;
      interval.state = starting ? "starting" : "down";
      interval.severity = starting ? Severity::kNone : Severity::kAlert;
    } else if (step.serving < step.listed) {
      interval.state = fmt::format("degraded {}/{}", step.serving, step.listed);
      interval.severity = Severity::kAlert;
    } else {
      interval.state = fmt::format("serving {}", step.serving);
    }
    if (!lane.intervals.empty() && lane.intervals.back().state == interval.state && lane.intervals.back().end == interval.start) {
      lane.intervals.back().end = interval.end;
    } else {
      lane.intervals.push_back(std::move(interval));
    }
  }
  return lane;
}

void summarize_services(const ServiceObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict) {
  for (const ServiceHistory* service : observer.histories()) {
    const std::string subject = fmt::format("Service/{}/{}", names.text(service->ns), names.text(service->name));
    if (!service->has_selector || !options.wants(subject)) continue;
    if (options.only != nullptr) {
      verdict.services.push_back(service_stats(*service, subject, options));
      continue;
    }
    for (Outage& outage : service_outages(*service, subject, options)) verdict.outages.push_back(std::move(outage));
    verdict.services.push_back(service_stats(*service, subject, options));
    Lane lane = service_lane(*service, subject, options.end);
    if (!lane.intervals.empty()) verdict.lanes.push_back(std::move(lane));
  }
}

}  // namespace chaos

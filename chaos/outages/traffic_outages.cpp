#include <fmt/format.h>

#include <algorithm>

#include "chaos/outages/outages.hpp"

namespace chaos {

RequestTotals totals_of(const TrafficSteps& steps, SimTime from, SimTime to) {
  RequestTotals totals;
  for_each_step(steps, from, to, [&](const sim::traffic::Traffic::Step& step, SimTime begin, SimTime end) {
    const double requests = step.mix.rate() * sim::seconds(end - begin);
    if (requests <= 0.0) return;
    totals.requests += requests;
    totals.answered += requests * step.mix.success();
    for (std::size_t i = 0; i < totals.failed.size(); ++i) totals.failed[i] += requests * step.mix.failed(static_cast<sim::traffic::Failure>(i));
    if (step.mix.success() >= totals.lowest) return;
    totals.lowest = step.mix.success();
    totals.lowest_cause = step.cause;
  });
  return totals;
}

double quantile_of(const TrafficSteps& steps, SimTime from, SimTime to, double q) {
  struct Weighed {
    const sim::traffic::RequestMix* mix;
    double requests;
  };
  std::vector<Weighed> all;
  double answered = 0.0;
  double high = 0.0;
  for_each_step(steps, from, to, [&](const sim::traffic::Traffic::Step& step, SimTime begin, SimTime end) {
    const double requests = step.mix.rate() * sim::seconds(end - begin);
    if (requests * step.mix.success() <= 0.0) return;
    all.push_back({&step.mix, requests});
    answered += requests * step.mix.success();
    high = std::max(high, step.mix.longest());
  });
  if (answered <= 0.0) return 0.0;
  double low = 0.0;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2.0;
    double within = 0.0;
    for (const Weighed& one : all) within += one.requests * one.mix->answered_within(middle);
    (within < q * answered ? low : high) = middle;
  }
  return high;
}

Signal acceptable_of(const TrafficSteps& steps, double acceptable) {
  Signal signal;
  for (const sim::traffic::Traffic::Step& step : steps) {
    const bool good = step.mix.success() >= acceptable;
    if (signal.empty() && !good) continue;  // what starts is not out
    signal.set(step.at, good ? 1.0 : 0.0, step.cause);
  }
  // One that never worked is.
  if (signal.empty()) signal.set(SimTime{}, 0.0, steps.empty() ? CauseId{} : steps.front().cause);
  return signal;
}

void summarize_traffic(const sim::World& world, const SummaryOptions& options, Verdict& verdict) {
  if (world.traffic == nullptr) return;
  for (std::size_t i = 0; i < world.traffic->size(); ++i) {
    const sim::traffic::FlowConfig& config = world.traffic->config(i);
    const TrafficSteps& steps = world.traffic->steps(i);
    const std::string subject = "Traffic/" + config.name;
    if (!options.wants(subject)) continue;
    const Signal signal = acceptable_of(steps, config.acceptable);
    verdict.components.push_back(signal_stats(signal, subject, options.warm_up_end, options.end));
    if (options.only != nullptr) continue;
    tell_outages(signal, OutageKind::kRequestsFailing, Severity::kAlert, subject, options.warm_up_end, options, verdict);
    verdict.lanes.push_back(lane_of("requests", subject, signal, options.end, [](double value, SimDuration) {
      return std::pair(std::string(value > 0.0 ? "ok" : "failing"), value > 0.0 ? Severity::kNone : Severity::kAlert);
    }));
    const SimTime from = std::max(options.warm_up_end, signal.begin());
    const RequestTotals totals = totals_of(steps, from, options.end);
    RequestStats stats;
    stats.subject = subject;
    stats.requests = totals.requests;
    stats.success = totals.success();
    stats.lowest = totals.lowest;
    for (std::size_t f = 0; f < totals.failed.size(); ++f) stats.failed[f] = totals.requests > 0.0 ? totals.failed[f] / totals.requests : 0.0;
    stats.p50 = quantile_of(steps, from, options.end, 0.5);
    stats.p99 = quantile_of(steps, from, options.end, 0.99);
    verdict.requests.push_back(std::move(stats));
  }
}

}  // namespace chaos

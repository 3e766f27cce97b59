#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace chaos {

std::vector<Outage> node_outages(const NodeHistory& node, const std::string& subject, const SummaryOptions& options) {
  std::vector<Outage> outages;
  const auto collect = [&](const Signal& signal, OutageKind kind) {
    for (const Span& span : spans_below(signal, 1.0, options.warm_up_end, options.end)) {
      outages.push_back(outage_of(kind, Severity::kNotice, subject, span, options));
      unclip(outages.back(), signal, options.warm_up_end, 1.0);
    }
  };
  collect(node.ready(), OutageKind::kNodeNotReady);
  collect(node.running(), OutageKind::kNodeDown);
  return outages;
}

Lane node_lane(const NodeHistory& node, const std::string& subject, SimTime end) {
  Lane lane;
  lane.group = "node";
  lane.subject = subject;
  for (std::size_t i = 0; i < node.steps.size(); ++i) {
    const NodeHistory::Step& step = node.steps[i];
    const SimTime until = i + 1 < node.steps.size() ? node.steps[i + 1].at : end;
    if (until <= step.at || !step.state.exists) continue;
    const bool fine = step.state.is_ready() && step.state.machine == MachineState::kUp;
    const bool starting = !node.first_ready || step.at < *node.first_ready;
    Lane::Interval interval{step.at, until, step.state.text(), fine || starting ? Severity::kNone : Severity::kNotice, step.cause};
    if (!lane.intervals.empty() && lane.intervals.back().state == interval.state && lane.intervals.back().end == interval.start) {
      lane.intervals.back().end = interval.end;
    } else {
      lane.intervals.push_back(std::move(interval));
    }
  }
  return lane;
}

void summarize_nodes(const NodeObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict) {
  std::vector<const NodeHistory*> nodes;
  for (const NodeHistory& node : observer.histories()) nodes.push_back(&node);
  std::sort(nodes.begin(), nodes.end(), [&](const NodeHistory* a, const NodeHistory* b) { return names.text(a->name) < names.text(b->name); });
  // In a large cluster a lane without any change tells nothing.
  constexpr std::size_t kSmall = 200;
  const bool quiet_too = nodes.size() <= kSmall;
  AvailabilityStats& all = verdict.nodes;
  all.subject = "nodes";
  for (const NodeHistory* node : nodes) {
    const std::string subject = "Node/" + names.text(node->name);
    const AvailabilityStats one = signal_stats(node->available(), subject, options.warm_up_end, options.end);
    all.measured += one.measured;
    all.outages += one.outages;
    all.down += one.down;
    all.longest = std::max(all.longest, one.longest);
    if (node->steps.size() > 1 || !node->first_ready) {
      for (Outage& outage : node_outages(*node, subject, options)) verdict.outages.push_back(std::move(outage));
    }
    if (!quiet_too && node->steps.size() <= 2) {  // unknown at first, then Ready
      ++verdict.lanes_left_out;
      continue;
    }
    Lane lane = node_lane(*node, subject, options.end);
    if (!lane.intervals.empty()) verdict.lanes.push_back(std::move(lane));
  }
  if (all.measured > SimDuration::zero()) all.availability = 1.0 - sim::seconds(all.down) / sim::seconds(all.measured);
}

}  // namespace chaos

#include "chaos/outages/outages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "chaos/outages/why.hpp"

namespace chaos {

using sim::k8s::ConditionStatus;

Observers::Observers(sim::World& world, SimDuration pending_threshold)
    : world_(world),
      services_(world.api, [&world](sim::k8s::Ref<sim::k8s::Pod> pod) { return world.kubelets.is_serving(pod); }),
      nodes_(world.api, world.hosts, [&world](sim::k8s::Ref<sim::k8s::Node> node) { return world.kubelets.host_of(node); }),
      control_plane_(world.engine, world.api, world.control_plane),
      pending_(world.api, PodFilter{}, pending_threshold),
      ceph_(world),
      registries_(world),
      platform_(world) {}

void Observers::start() {
  services_.start();
  nodes_.start();
  control_plane_.start();
  pending_.start();
  ceph_.start();
  registries_.start();
  platform_.start();
  world_.kubelets.on_serving([this](sim::k8s::Ref<sim::k8s::Pod> pod, bool serving) { services_.serving_changed(pod, serving); });
  world_.hosts.on_change([this](const sim::host::Hosts::Change& change) { nodes_.host_changed(change.host); });
}

// ---- Services -----------------------------------------------------------------------------------------------------

std::optional<SimTime> counts_from(const ServiceHistory& service, SimTime warm_up_end) {
  if (!service.has_selector) return std::nullopt;
  if (!service.first_served) {
    if (!service.had_address) return std::nullopt;
    return std::max(warm_up_end, service.created);
  }
  if (warm_up_end > SimTime{} && service.created < warm_up_end) return warm_up_end;
  return std::max(warm_up_end, *service.first_served);
}

namespace {

SimTime end_of(const ServiceHistory& service, SimTime end) { return service.deleted ? std::min(service.deleted_at, end) : end; }

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

/// Below this, self-healing has it: a take-over of the leader's lease, a restart of a static pod (reference 1.9, 4.10: 13 to 24 s).
constexpr SimDuration kTakeOver = std::chrono::seconds(30);

/// The start of a span as it was, not as the window cuts it.
void unclip(Outage& outage, const Signal& signal, SimTime window_begin, double full) {
  if (outage.start != window_begin) return;
  for (const Span& span : spans_below(signal, full, SimTime{}, window_begin)) {
    if (span.end == window_begin) outage.start = span.start;
  }
}

}  // namespace

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

// ---- Nodes --------------------------------------------------------------------------------------------------------

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

// ---- All ----------------------------------------------------------------------------------------------------------

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

namespace {

struct FunctionOutage {
  Function function;
  OutageKind kind;
  const char* subject;
  const char* lost;
};
constexpr FunctionOutage kFunctionOutages[] = {
    {Function::kRead, OutageKind::kApiUnreadable, "kube-apiserver (read)", "unreadable"},
    {Function::kWrite, OutageKind::kApiUnwritable, "kube-apiserver (write)", "unwritable"},
    {Function::kQuorum, OutageKind::kEtcdNoQuorum, "etcd", "no quorum"},
    {Function::kScheduling, OutageKind::kNoScheduler, "kube-scheduler", "nobody schedules"},
    {Function::kReconciling, OutageKind::kNoControllerManager, "kube-controller-manager", "nobody reconciles"},
};

/// Each time that the signal is below 1: an outage. One that is over as soon as somebody has taken over, or an election, is nobody's business.
void tell_outages(const Signal& signal, OutageKind kind, Severity severity, const std::string& subject, SimTime from, const SummaryOptions& options, Verdict& verdict) {
  for (const Span& span : spans_below(signal, 1.0, from, options.end)) {
    verdict.outages.push_back(outage_of(kind, span.length() <= kTakeOver ? Severity::kNone : severity, subject, span, options));
    unclip(verdict.outages.back(), signal, from, 1.0);
  }
}

/// `state`: what a value of the signal is in words, and how bad when it lasts so long.
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

void summarize_control_plane(const ControlPlaneObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  for (const FunctionOutage& f : kFunctionOutages) {
    const Signal& signal = observer.of(f.function);
    tell_outages(signal, f.kind, Severity::kNotice, f.subject, options.warm_up_end, options, verdict);
    verdict.components.push_back(signal_stats(signal, f.subject, options.warm_up_end, options.end));
    verdict.lanes.push_back(lane_of("control-plane", f.subject, signal, options.end, [&f](double value, SimDuration) {
      return value > 0.0 ? std::pair(std::string("ok"), Severity::kNone) : std::pair(std::string(f.lost), Severity::kNotice);
    }));
  }
}

void summarize_ceph(const CephObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  if (!observer.present()) return;
  const auto add = [&](const Signal& signal, OutageKind kind, Severity severity, const std::string& subject, std::string_view lost) {
    tell_outages(signal, kind, severity, subject, options.warm_up_end, options, verdict);
    verdict.components.push_back(signal_stats(signal, subject, options.warm_up_end, options.end));
    verdict.lanes.push_back(lane_of("storage", subject, signal, options.end, [&](double value, SimDuration length) {
      const bool works = value >= 1.0;
      const std::string state = works ? "ok" : value > 0.0 ? fmt::format("{} of {:.0f} %", lost, 100.0 * (1.0 - value)) : std::string(lost);
      return std::pair(state, works || length <= kTakeOver ? Severity::kNone : severity);
    }));
  };
  add(observer.quorum(), OutageKind::kMonNoQuorum, Severity::kAlert, "Ceph/quorum", "no quorum");
  for (const CephPoolHistory& pool : observer.pools()) add(pool.serves, OutageKind::kCephPoolBlocked, Severity::kAlert, "CephPool/" + pool.name, "I/O blocked");
  for (const CephServiceHistory& fs : observer.file_systems()) add(fs.serves, OutageKind::kCephFsUnavailable, Severity::kAlert, "CephFS/" + fs.name, "metadata requests hang");
  for (const CephServiceHistory& store : observer.object_stores()) {
    if (!store.serves.empty()) add(store.serves, OutageKind::kObjectStoreBlocked, Severity::kAlert, "ObjectStore/" + store.name, "requests hang");
  }
}

void summarize_registries(const RegistryObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  for (const RegistryHistory& registry : observer.histories()) {
    const std::string subject = "Registry/" + registry.host;
    // What starts is not out; one that never came up is.
    Signal signal = registry.serves;
    if (signal.empty()) signal.set(SimTime{}, 0.0, observer.cause(registry));
    // Nobody who runs notices; who must start does.
    tell_outages(signal, OutageKind::kRegistryDown, Severity::kNotice, subject, options.warm_up_end, options, verdict);
    verdict.components.push_back(signal_stats(signal, subject, options.warm_up_end, options.end));
    verdict.lanes.push_back(lane_of("registry", subject, signal, options.end, [](double value, SimDuration length) {
      const bool works = value > 0.0;
      return std::pair(std::string(works ? "ok" : "no pulls"), works || length <= kTakeOver ? Severity::kNone : Severity::kNotice);
    }));
  }
}

void summarize_platform(const PlatformObserver& observer, const SummaryOptions& options, Verdict& verdict) {
  const auto add = [&](const PlatformHistory& history, const std::string& subject, OutageKind down, OutageKind degraded, Severity severity) {
    const SimTime from = PlatformObserver::counts_from(history, options.warm_up_end);
    tell_outages(history.up, down, severity, subject, from, options, verdict);
    tell_outages(history.fully, degraded, Severity::kNotice, subject, from, options, verdict);
    AvailabilityStats stats = signal_stats(history.up, subject, from, options.end);
    for (const Span& span : spans_below(history.fully, 1.0, from, options.end)) stats.degraded += span.length();
    verdict.components.push_back(std::move(stats));
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
    for (const auto& [signal, kind] : {std::pair(&one.running, OutageKind::kVmsStopped), std::pair(&one.reachable, OutageKind::kVmsUnreachable)}) {
      for (const Span& span : spans_below(*signal, 1.0, options.warm_up_end, options.end)) {
        if (kind == OutageKind::kVmsUnreachable && !spans_below(one.running, 1.0, span.start, span.end).empty()) continue;  // those that do not run are told above
        verdict.outages.push_back(outage_of(kind, span.length() <= kTakeOver ? Severity::kNone : Severity::kAlert, subject, span, options));
        unclip(verdict.outages.back(), *signal, options.warm_up_end, 1.0);
      }
    }
    AvailabilityStats stats = signal_stats(one.running, subject, options.warm_up_end, options.end);
    stats.availability = time_average(one.running, options.warm_up_end, options.end).value_or(1.0);
    verdict.components.push_back(std::move(stats));
    verdict.lanes.push_back(lane_of("platform", subject, one.reachable, options.end, [](double value, SimDuration) {
      return std::pair(value >= 1.0 ? std::string("all reachable") : fmt::format("{:.0f} % reachable", 100.0 * value), value >= 1.0 ? Severity::kNone : Severity::kAlert);
    }));
  }
}

void summarize_services(const ServiceObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict) {
  for (const ServiceHistory* service : observer.histories()) {
    const std::string subject = fmt::format("Service/{}/{}", names.text(service->ns), names.text(service->name));
    if (!service->has_selector) continue;
    for (Outage& outage : service_outages(*service, subject, options)) verdict.outages.push_back(std::move(outage));
    verdict.services.push_back(service_stats(*service, subject, options));
    Lane lane = service_lane(*service, subject, options.end);
    if (!lane.intervals.empty()) verdict.lanes.push_back(std::move(lane));
  }
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
    const AvailabilityStats one = signal_stats(node->ready(), subject, options.warm_up_end, options.end);
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

void summarize_pending(const PendingObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict) {
  verdict.pods_pending_long = observer.left_out();
  for (const PendingSpan& span : observer.spans(options.end)) {
    if (span.end <= options.warm_up_end) continue;
    ++verdict.pods_pending_long;
    verdict.pods_pending_longest = std::max(verdict.pods_pending_longest, span.end - span.start);
    Outage outage;
    outage.kind = OutageKind::kPodPending;
    outage.severity = Severity::kNotice;
    outage.subject = fmt::format("Pod/{}/{}", names.text(span.ns), names.text(span.name));
    outage.start = span.start;
    outage.end = span.end;
    outage.open = span.open;
    outage.cause = span.cause;
    if (span.created_by && span.created_by != span.cause) outage.contributing.push_back(span.created_by);
    verdict.outages.push_back(std::move(outage));
  }
}

}  // namespace

void summarize(const Observers& observers, const SummaryOptions& options, Verdict& verdict) {
  sim::World& world = observers.world();
  summarize_control_plane(observers.control_plane(), options, verdict);
  summarize_ceph(observers.ceph(), options, verdict);
  summarize_registries(observers.registries(), options, verdict);
  summarize_platform(observers.platform(), options, verdict);
  summarize_services(observers.services(), world.names, options, verdict);
  summarize_nodes(observers.nodes(), world.names, options, verdict);
  summarize_pending(observers.pending(), world.names, options, verdict);

  const auto in_order = [](const Outage& a, const Outage& b) {
    if (a.start != b.start) return a.start < b.start;
    if (a.kind != b.kind) return a.kind < b.kind;
    return a.subject < b.subject;
  };
  if (verdict.outages.size() > options.outages_max) {
    // What users saw stays longest, then what lasted.
    std::stable_sort(verdict.outages.begin(), verdict.outages.end(), [&](const Outage& a, const Outage& b) {
      if (a.severity != b.severity) return a.severity > b.severity;
      if (a.length() != b.length()) return a.length() > b.length();
      return in_order(a, b);
    });
    verdict.outages_left_out = verdict.outages.size() - options.outages_max;
    verdict.outages.resize(options.outages_max);
  }
  std::stable_sort(verdict.outages.begin(), verdict.outages.end(), in_order);
  for (Outage& outage : verdict.outages) outage.why = explain(world.log, outage.cause, outage.contributing, options.why_steps_max);

  if (verdict.lanes.size() > options.lanes_max) {
    verdict.lanes_left_out += verdict.lanes.size() - options.lanes_max;
    verdict.lanes.resize(options.lanes_max);
  }
  // By symbol first: there may be millions of records, and there are few kinds.
  std::map<sim::Symbol, std::uint64_t> counts;
  for (const sim::EventLog::Record& record : world.log.records()) ++counts[record.kind];
  for (const auto& [kind, count] : counts) verdict.record_counts.emplace_back(world.names.text(kind), count);
  std::sort(verdict.record_counts.begin(), verdict.record_counts.end());
  verdict.pods_at_end = world.api.all<sim::k8s::Pod>().size();
  verdict.nodes_at_end = world.api.all<sim::k8s::Node>().size();
}

}  // namespace chaos

#include "chaos/outages/detection.hpp"
#include "chaos/outages/outages.hpp"

#include <algorithm>
#include <map>

#include "chaos/outages/why.hpp"

namespace chaos {

Observers::Observers(sim::World& world, SimDuration pending_threshold)
    : world_(world),
      services_(world.api, [&world](sim::k8s::Ref<sim::k8s::Pod> pod) { return world.kubelets.is_serving(pod); }),
      nodes_(world.api, world.hosts, [&world](sim::k8s::Ref<sim::k8s::Node> node) { return world.kubelets.host_of(node); }),
      control_plane_(world.engine, world.api, world.control_plane),
      pending_(world.api, PodFilter{}, pending_threshold),
      ceph_(world),
      registries_(world),
      platform_(world),
      replicas_(world.api, world.log) {}

void Observers::start() {
  services_.start();
  nodes_.start();
  control_plane_.start();
  pending_.start();
  ceph_.start();
  registries_.start();
  platform_.start();
  replicas_.start();
  pending_.on_pod([this](const sim::k8s::WatchEvent& event) { replicas_.pod_changed(event); });
  world_.kubelets.on_serving([this](sim::k8s::Ref<sim::k8s::Pod> pod, bool serving) { services_.serving_changed(pod, serving); });
  world_.hosts.on_change([this](const sim::host::Hosts::Change& change) { nodes_.host_changed(change.host); });
}

namespace {

bool in_order(const Outage& a, const Outage& b) {
  if (a.start != b.start) return a.start < b.start;
  if (a.kind != b.kind) return a.kind < b.kind;
  return a.subject < b.subject;
}

}  // namespace

std::size_t keep_worst(std::vector<Outage>& outages, std::size_t most) {
  if (outages.size() <= most) return 0;
  // What users saw first, then what lasted.
  std::stable_sort(outages.begin(), outages.end(), [](const Outage& a, const Outage& b) {
    if (a.severity != b.severity) return a.severity > b.severity;
    if (a.length() != b.length()) return a.length() > b.length();
    return in_order(a, b);
  });
  // Half of the room is shared out among the kinds: ten thousand Services that flap must not hide the API server that took them down.
  std::map<OutageKind, std::size_t> of_kind;
  for (const Outage& outage : outages) ++of_kind[outage.kind];
  const std::size_t share = most / (2 * of_kind.size());
  of_kind.clear();
  std::vector<bool> kept(outages.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < outages.size(); ++i) {
    if (++of_kind[outages[i].kind] > share) continue;
    kept[i] = true;
    ++count;
  }
  for (std::size_t i = 0; i < outages.size() && count < most; ++i) {
    if (kept[i]) continue;
    kept[i] = true;
    ++count;
  }
  const std::size_t left_out = outages.size() - count;
  std::size_t next = 0;
  std::erase_if(outages, [&](const Outage&) { return !kept[next++]; });
  return left_out;
}

void summarize(const Observers& observers, const SummaryOptions& options, Verdict& verdict) {
  sim::World& world = observers.world();
  summarize_control_plane(observers.control_plane(), options, verdict);
  summarize_ceph(observers.ceph(), options, verdict);
  summarize_registries(observers.registries(), options, verdict);
  summarize_platform(observers.platform(), options, verdict);
  summarize_traffic(world, options, verdict);
  summarize_services(observers.services(), world.names, options, verdict);
  if (options.only != nullptr) return;
  summarize_nodes(observers.nodes(), world.names, options, verdict);
  summarize_pending(observers.pending(), world.names, options, verdict);
  summarize_replicas(observers.replicas(), world.names, options, verdict);

  summarize_detection(world, options.why_steps_max, verdict);  // of all of them, before some are left out

  verdict.outages_left_out = keep_worst(verdict.outages, options.outages_max);
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

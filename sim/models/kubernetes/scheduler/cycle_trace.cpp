#include "sim/models/kubernetes/scheduler/cycle_trace.hpp"

#include <algorithm>

#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_name.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_ports.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_unschedulable.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"

namespace sim::k8s::scheduling {

void SchedulingCycle::fill(CycleTrace& trace, const Decision& decision) {
  trace = CycleTrace{};
  trace.refused_by = refused_by_;
  trace.refusal = refusal_;
  if (refused_by_ || cache_.node_count() == 0) return;
  const PodInfo& pod = *pod_;
  const PodSpec& spec = *pod.spec;
  const Affinity* added = profile().added_affinity.get();
  dry_off_.clear();
  dry_on_.clear();
  for (const NodeIndex index : cache_.order()) {
    const NodeInfo& node = cache_.node(index);
    NodeTrace entry;
    entry.node = index;
    const auto note = [&](StatusId status) {
      if (status != kFits) entry.rejections.push_back(status);
    };
    if (has(Plugin::kNodeUnschedulable)) note(node_unschedulable::filter(spec, node.view, cache_.api().well_known()));
    if (has(Plugin::kNodeName)) note(node_name::filter(spec, node.name));
    if (has(Plugin::kTaintToleration)) note(taint_toleration::filter(spec, node.view));
    if (has(Plugin::kNodeAffinity)) note(node_affinity::filter(spec, added, node.view.labels, node.name, names_));
    if (has(Plugin::kNodePorts)) note(node_ports::filter(wanted_ports_, node.load, any_address_));
    if (has(Plugin::kNodeResourcesFit)) note(fit_.filter(spec, node.view.allocatable, node.load, statuses_, names_));
    if (has_volumes_) {
      if (has(Plugin::kVolumeRestrictions)) note(restrictions_.filter());
      if (has(Plugin::kNodeVolumeLimits)) note(limits_.filter(index, dry_off_, dry_on_));
      if (has(Plugin::kVolumeBinding)) note(binding_.filter(index));
      if (has(Plugin::kVolumeZone)) note(zones_.filter(index));
    }
    if (spreads_) note(spread_.filter(index));
    if (affine_) note(affinity_.filter(index));
    entry.verdict = filter(pod, index);
    trace.nodes.push_back(std::move(entry));
  }
  if (decision.node == kNoNode) return;
  if (totals_.empty()) {
    trace.best = {decision.node};
    return;
  }
  trace.scored = feasible_;
  trace.totals = totals_;
  const std::int64_t most = *std::max_element(totals_.begin(), totals_.end());
  for (std::size_t i = 0; i < feasible_.size(); ++i) {
    if (totals_[i] == most) trace.best.push_back(feasible_[i]);
  }
  // Each plugin anew, so that what is shown is what the plugin says, not what the sum was made of.
  const ScoreWeights& weights = profile().weights;
  const auto add = [&](Plugin plugin, std::int64_t weight, auto&& raw_of, auto&& normalise) {
    if (weight == 0) return;
    PluginScore score;
    score.plugin = plugin;
    score.weight = weight;
    score.raw.reserve(feasible_.size());
    for (const NodeIndex index : feasible_) score.raw.push_back(raw_of(index));
    score.normalised = normalise(score.raw);
    trace.scores.push_back(std::move(score));
  };
  const auto as_it_is = [](const std::vector<std::int64_t>& raw) { return raw; };
  add(Plugin::kTaintToleration, weights.taint_toleration,
      [&](NodeIndex index) { return taint_toleration::intolerable_taints(spec, cache_.node(index).view); },
      [](const std::vector<std::int64_t>& raw) { return normalised(raw, true); });
  if (node_affinity::has_preferred(spec, added)) {
    add(Plugin::kNodeAffinity, weights.node_affinity,
        [&](NodeIndex index) { return node_affinity::preference(spec, added, cache_.node(index).view.labels, cache_.node(index).name, names_); },
        [](const std::vector<std::int64_t>& raw) { return normalised(raw, false); });
  }
  add(Plugin::kNodeResourcesFit, weights.node_resources_fit,
      [&](NodeIndex index) { return profile().scoring.score(spec, cache_.node(index).view.allocatable, cache_.node(index).load, names_); }, as_it_is);
  const std::vector<Symbol>& balanced = profile().balanced_resources;
  if (!node_resources_balanced_allocation::is_skipped(spec, balanced, names_)) {
    add(Plugin::kNodeResourcesBalancedAllocation, weights.balanced_allocation,
        [&](NodeIndex index) {
          return node_resources_balanced_allocation::score(spec, balanced, cache_.node(index).view.allocatable, cache_.node(index).load, names_);
        },
        as_it_is);
  }
  if (weights.pod_topology_spread != 0 && spread_.pre_score(pod, feasible_)) {
    PluginScore score{Plugin::kPodTopologySpread, weights.pod_topology_spread, spread_.raw_scores(), {}};
    score.normalised = spread_.scores(feasible_);
    trace.scores.push_back(std::move(score));
  }
  if (weights.inter_pod_affinity != 0 && affinity_.pre_score(pod)) {
    PluginScore score{Plugin::kInterPodAffinity, weights.inter_pod_affinity, affinity_.raw(feasible_), {}};
    score.normalised = affinity_.scores(feasible_);
    trace.scores.push_back(std::move(score));
  }
  if (images_.prepare(spec, cache_)) {
    add(Plugin::kImageLocality, weights.image_locality, [&](NodeIndex index) { return images_.score(index); }, as_it_is);
  }
}

}  // namespace sim::k8s::scheduling

#include "sim/models/kubernetes/scheduler/schedule_one.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_name.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_ports.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_unschedulable.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"

namespace sim::k8s::scheduling {

namespace {

constexpr std::int64_t kFeasibleNodesMin = 100;   // minFeasibleNodesToFind
constexpr std::int64_t kFeasiblePercentMin = 5;   // minFeasibleNodesPercentageToFind
/// 8 bytes a node and class: 40 classes are 320 bytes of a node, and hold all sizes of pods that are in use at a time.
constexpr std::size_t kClassesMax = 40;

/// Everything of a pod that a node-local plugin looks at.
void append_class(Key& key, const PodSpec& spec) {
  append(key, spec.requests.cpu_milli);
  append(key, spec.requests.memory);
  append(key, spec.requests.ephemeral_storage);
  append(key, spec.nonzero_cpu_milli);
  append(key, spec.nonzero_memory);
  key.push_back(static_cast<std::uint32_t>(spec.requests.other.size()));
  for (const NamedAmount& entry : spec.requests.other) {
    append(key, entry.name);
    append(key, entry.amount);
  }
  append(key, spec.node_name);
  append_node_affinity(key, spec);
  append(key, spec.tolerations);
  const auto ports = [&](const Container& container) {
    for (const ContainerPort& port : container.ports) {
      if (port.host_port <= 0) continue;
      append(key, port.host_ip);
      key.push_back(static_cast<std::uint32_t>(port.host_port));
      key.push_back(static_cast<std::uint32_t>(port.protocol));
    }
  };
  for (const Container& container : spec.init_containers) {
    if (container.is_sidecar) ports(container);
  }
  for (const Container& container : spec.containers) ports(container);
}

}  // namespace

std::int64_t feasible_nodes_to_find(std::int64_t nodes, std::int64_t percentage) {
  if (nodes < kFeasibleNodesMin) return nodes;
  if (percentage == 0) percentage = std::max(50 - nodes / 125, kFeasiblePercentMin);
  return std::min(nodes, std::max(nodes * percentage / 100, kFeasibleNodesMin));
}

std::size_t select_host(const std::vector<std::int64_t>& totals, std::vector<std::uint32_t>& winners) {
  // Only the root of the heap matters. Building it moves the winner of each subtree up: a parent yields to a strictly
  // better child only, and the right child is preferred only when strictly better than the left. What sinks changes
  // nothing above it, so the winners alone need be known, from the leaves up.
  const std::size_t count = totals.size();
  winners.resize(count);
  for (std::size_t place = count; place-- > 0;) {
    auto winner = static_cast<std::uint32_t>(place);
    const std::size_t left = 2 * place + 1;
    if (left < count) {
      std::uint32_t child = winners[left];
      if (left + 1 < count && totals[winners[left + 1]] > totals[child]) child = winners[left + 1];
      if (totals[child] > totals[winner]) winner = child;
    }
    winners[place] = winner;
  }
  return winners.front();
}

std::size_t select_host(const std::vector<std::int64_t>& totals) {
  std::vector<std::uint32_t> winners;
  return select_host(totals, winners);
}

SchedulingCycle::SchedulingCycle(Cache& cache, Interner& names, const Randomness& random, int percentage_of_nodes_to_score)
    : cache_(cache),
      names_(names),
      random_(random),
      percentage_(percentage_of_nodes_to_score),
      percentage_of_all_(percentage_of_nodes_to_score),
      any_address_(names.intern("0.0.0.0")),
      fit_(names),
      spread_(cache),
      affinity_(cache),
      restrictions_(cache),
      limits_(cache),
      binding_(cache),
      zones_(cache),
      preemption_(cache) {
  classes_.reserve(kClassesMax);
}

SchedulingCycle::PodClass& SchedulingCycle::class_of(const PodSpec& spec) {
  key_.clear();
  key_.push_back(static_cast<std::uint32_t>(in_use_));  // what a node-local plugin says depends on the profile too
  append_class(key_, spec);
  ++cycle_;
  std::size_t place = classes_.size();
  const auto found = class_ids_.find(key_);
  if (found != class_ids_.end()) {
    place = found->second;
  } else {
    if (place < kClassesMax) {
      classes_.emplace_back();
    } else {
      const auto oldest = std::min_element(classes_.begin(), classes_.end(),
                                           [](const PodClass& a, const PodClass& b) { return a.last_used < b.last_used; });
      place = static_cast<std::size_t>(oldest - classes_.begin());
      class_ids_.erase(oldest->key);
      std::fill(oldest->rows.begin(), oldest->rows.end(), Row{});
    }
    classes_[place].key = key_;
    class_ids_.emplace(key_, place);
  }
  PodClass& result = classes_[place];
  result.last_used = cycle_;
  if (result.rows.size() < cache_.index_end()) result.rows.resize(cache_.index_end());
  return result;
}

StatusId SchedulingCycle::filter_node(const PodSpec& spec, NodeIndex index) {
  const NodeInfo& node = cache_.node(index);
  const SchedulingProfile& with = profile();
  StatusId status = kFits;
  if (with.has(Plugin::kNodeUnschedulable)) status = node_unschedulable::filter(spec, node.view, cache_.api().well_known());
  if (status == kFits && with.has(Plugin::kNodeName)) status = node_name::filter(spec, node.name);
  if (status == kFits && with.has(Plugin::kTaintToleration)) status = taint_toleration::filter(spec, node.view);
  if (status == kFits && with.has(Plugin::kNodeAffinity)) status = node_affinity::filter(spec, with.added_affinity.get(), node.view.labels, node.name, names_);
  if (status == kFits && with.has(Plugin::kNodePorts)) status = node_ports::filter(wanted_ports_, node.load, any_address_);
  if (status == kFits && with.has(Plugin::kNodeResourcesFit)) status = fit_.filter(spec, node.view.allocatable, node.load, statuses_, names_);
  return status;
}

void SchedulingCycle::refresh(Row& row, const PodSpec& spec, NodeIndex index) {
  row.generation = cache_.generation(index);
  row.status = filter_node(spec, index);
  if (row.status != kFits) return;
  const NodeInfo& node = cache_.node(index);
  std::int64_t score = NodeResourcesFit::score(spec, node.view.allocatable, node.load);
  if (!node_resources_balanced_allocation::is_skipped(spec)) {
    score += node_resources_balanced_allocation::score(spec, node.view.allocatable, node.load);
  }
  row.score = static_cast<std::uint8_t>(score);
  row.taints = static_cast<std::uint8_t>(std::min<std::int64_t>(taint_toleration::intolerable_taints(spec, node.view), kManyTaints));
}

StatusId SchedulingCycle::filter_plain(const PodInfo& pod, NodeIndex node) {
  Row& row = class_->rows[node];
  if (row.generation != cache_.generation(node)) refresh(row, *pod.spec, node);
  StatusId status = row.status;
  if (status == kFits && has_volumes_) status = filter_volumes(node);
  if (status == kFits && spreads_) status = spread_.filter(node);
  if (status == kFits && affine_) status = affinity_.filter(node);
  return status;
}

StatusId SchedulingCycle::filter_volumes(NodeIndex node) const {
  const SchedulingProfile& with = profile();
  StatusId status = kFits;
  if (with.has(Plugin::kVolumeRestrictions)) status = restrictions_.filter();
  if (status == kFits && with.has(Plugin::kNodeVolumeLimits)) status = limits_.filter(node, dry_off_, dry_on_);
  if (status == kFits && with.has(Plugin::kVolumeBinding)) status = binding_.filter(node);
  if (status == kFits && with.has(Plugin::kVolumeZone)) status = zones_.filter(node);
  return status;
}

bool SchedulingCycle::pre_filter_volumes(const PodInfo& pod, Decision& decision) {
  const auto refuse = [&](Plugin plugin, const std::string& why) {
    if (why.empty()) return false;
    refused_by_ = plugin;
    refusal_ = why;
    decision.rejectors = set_of(plugin);
    decision.message = fmt::format("0/{} nodes are available: {}.", cache_.node_count(), why);
    return true;
  };
  if (has(Plugin::kVolumeRestrictions) && refuse(Plugin::kVolumeRestrictions, restrictions_.pre_filter(pod))) return false;
  limits_.pre_filter(pod);
  if (has(Plugin::kVolumeBinding) && refuse(Plugin::kVolumeBinding, binding_.pre_filter(pod))) return false;
  return !has(Plugin::kVolumeZone) || !refuse(Plugin::kVolumeZone, zones_.pre_filter(pod));
}

StatusId SchedulingCycle::filter(const PodInfo& pod, NodeIndex index) {
  // The pod must fit beside those that preempted their way here, and also without them.
  if (cache_.nominated_count() != 0 && !cache_.node(index).nominated.empty()) {
    const std::vector<PodSlot> beside = nominated_beside(pod, index);
    if (!beside.empty()) {
      begin(index);
      for (const PodSlot slot : beside) put_back(slot);
      const StatusId status = filter_dry();
      for (const PodSlot slot : beside) take_off(slot);
      end();
      if (status != kFits) return status;
    }
  }
  return filter_plain(pod, index);
}

void SchedulingCycle::find_feasible(const PodInfo& pod, const std::vector<NodeIndex>& nodes) {
  const std::size_t count = nodes.size();
  if (count == 0) return;
  const auto wanted = profile().scores ? static_cast<std::size_t>(feasible_nodes_to_find(static_cast<std::int64_t>(count), percentage_)) : std::size_t{1};
  const std::size_t start = next_start_ % count;
  const bool local_only = !has_volumes_ && !spreads_ && !affine_ && cache_.nominated_count() == 0;
  const std::vector<std::uint32_t>& generations = cache_.generations();
  // As one worker does it (--parallelism 1): only the first node beyond those that are wanted ends the search, and nodes that fail until then count.
  const auto examine = [&](NodeIndex node) {
    StatusId status = kFits;
    if (local_only) {
      Row& row = class_->rows[node];
      if (row.generation != generations[node]) refresh(row, *pod.spec, node);
      status = row.status;
    } else {
      status = filter(pod, node);
    }
    if (status != kFits) {
      failed_.emplace_back(node, status);
    } else if (feasible_.size() == wanted) {
      return false;
    } else {
      feasible_.push_back(node);
    }
    return true;
  };
  for (std::size_t i = start; i < count; ++i) {
    if (!examine(nodes[i])) return;
  }
  for (std::size_t i = 0; i < start; ++i) {
    if (!examine(nodes[i])) return;
  }
}

void SchedulingCycle::set_profiles(std::vector<SchedulingProfile> profiles) {
  profiles_ = std::move(profiles);
  if (profiles_.empty()) profiles_.emplace_back();
  classes_.clear();  // verdicts of other profiles
  class_ids_.clear();
  use_profile(0);
}

bool SchedulingCycle::schedules(const PodSpec& spec) const {
  const Symbol default_name = cache_.api().well_known().default_scheduler;
  const Symbol wanted = spec.scheduler_name ? spec.scheduler_name : default_name;
  return std::any_of(profiles_.begin(), profiles_.end(),
                     [&](const SchedulingProfile& one) { return (one.scheduler_name ? one.scheduler_name : default_name) == wanted; });
}

std::size_t SchedulingCycle::find_profile(const PodSpec& spec) const {
  const Symbol default_name = cache_.api().well_known().default_scheduler;
  const Symbol wanted = spec.scheduler_name ? spec.scheduler_name : default_name;
  for (std::size_t i = 0; i < profiles_.size(); ++i) {
    if ((profiles_[i].scheduler_name ? profiles_[i].scheduler_name : default_name) == wanted) return i;
  }
  return 0;
}

void SchedulingCycle::use_profile(std::size_t index) {
  in_use_ = index;
  const SchedulingProfile& with = profile();
  percentage_ = with.percentage_of_nodes_to_score.value_or(percentage_of_all_);
  weighs_as_default_ = with.scoring.is_default() && with.balanced_resources.empty() && with.weights.node_resources_fit == 1 && with.weights.balanced_allocation == 1;
  fit_.set_profile(&with);
  spread_.set_defaults(with.default_constraints ? &*with.default_constraints : nullptr);
  affinity_.set_arguments(with.hard_pod_affinity_weight, with.ignores_preferred_terms_of_existing_pods);
  preemption_.set_candidates(with.preemption_candidates_percent, with.preemption_candidates_min);
}

std::int64_t SchedulingCycle::resource_score(const PodSpec& spec, NodeIndex index) const {
  const NodeInfo& node = cache_.node(index);
  std::int64_t score = 0;
  if (profile().weights.node_resources_fit != 0) {
    score += profile().weights.node_resources_fit * profile().scoring.score(spec, node.view.allocatable, node.load, names_);
  }
  const std::vector<Symbol>& balanced = profile().balanced_resources;
  if (profile().weights.balanced_allocation != 0 && !node_resources_balanced_allocation::is_skipped(spec, balanced, names_)) {
    score += profile().weights.balanced_allocation * node_resources_balanced_allocation::score(spec, balanced, node.view.allocatable, node.load, names_);
  }
  return score;
}

void SchedulingCycle::score(const PodInfo& pod) {
  const PodSpec& spec = *pod.spec;
  const ScoreWeights& weights = profile().weights;
  const std::size_t count = feasible_.size();
  totals_.resize(count);
  std::int64_t most_taints = 0;
  raw_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Row& row = class_->rows[feasible_[i]];
    totals_[i] = weighs_as_default_ ? row.score : resource_score(spec, feasible_[i]);
    raw_[i] = row.taints == kManyTaints ? taint_toleration::intolerable_taints(spec, cache_.node(feasible_[i]).view) : row.taints;
    most_taints = std::max(most_taints, raw_[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t normalised = most_taints == 0 ? kMaxNodeScore : kMaxNodeScore - kMaxNodeScore * raw_[i] / most_taints;
    totals_[i] += weights.taint_toleration * normalised;
  }
  const Affinity* added = profile().added_affinity.get();
  if (weights.node_affinity != 0 && node_affinity::has_preferred(spec, added)) {
    std::int64_t most = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const NodeInfo& node = cache_.node(feasible_[i]);
      raw_[i] = node_affinity::preference(spec, added, node.view.labels, node.name, names_);
      most = std::max(most, raw_[i]);
    }
    if (most != 0) {
      for (std::size_t i = 0; i < count; ++i) totals_[i] += weights.node_affinity * (kMaxNodeScore * raw_[i] / most);
    }
  }
  const auto add = [&](const std::vector<std::int64_t>& scores, std::int64_t weight) {
    for (std::size_t i = 0; i < count; ++i) totals_[i] += weight * scores[i];
  };
  if (weights.pod_topology_spread != 0 && spread_.pre_score(pod, feasible_)) add(spread_.scores(feasible_), weights.pod_topology_spread);
  if (weights.inter_pod_affinity != 0 && affinity_.pre_score(pod)) add(affinity_.scores(feasible_), weights.inter_pod_affinity);
  if (weights.image_locality != 0 && images_.prepare(spec, cache_)) {
    for (std::size_t i = 0; i < count; ++i) totals_[i] += weights.image_locality * images_.score(feasible_[i]);
  }
}

Decision SchedulingCycle::schedule(PodSlot slot, SimTime now, std::uint32_t attempt, CycleTrace* trace) {
  Decision decision = decide(slot, now, attempt);
  if (trace != nullptr) fill(*trace, decision);
  return decision;
}

bool SchedulingCycle::pre_filter(const PodInfo& pod, std::optional<std::vector<Symbol>>& only, Decision& decision) {
  cache_.index().trim_counters();
  cache_.sums().begin_cycle(cache_.index_end());
  pod_ = &pod;
  use_profile_of(*pod.spec);
  wanted_ports_ = host_ports(*pod.spec);
  has_volumes_ = !pod.spec->volumes.empty() && cache_.api().has_storage();
  spreads_ = affine_ = false;
  if (has(Plugin::kNodeAffinity)) only = node_affinity::node_names(*pod.spec, cache_.api().well_known(), names_);
  if (only && only->empty()) {
    refused_by_ = Plugin::kNodeAffinity;
    refusal_ = statuses_.at(kStatusNodeAffinityConflict).reasons.front();
    decision.rejectors = set_of(Plugin::kNodeAffinity);
    decision.message = fmt::format("0/{} nodes are available: {}.", cache_.node_count(), refusal_);
    return false;
  }
  dry_off_.clear();
  dry_on_.clear();
  if (has_volumes_ && !pre_filter_volumes(pod, decision)) return false;
  spreads_ = has(Plugin::kPodTopologySpread) && spread_.pre_filter(pod);
  affine_ = has(Plugin::kInterPodAffinity) && affinity_.pre_filter(pod);
  class_ = &class_of(*pod.spec);
  return true;
}

std::pair<StatusId, PreemptionCandidate> SchedulingCycle::victims_on(PodSlot slot, NodeIndex node, SimTime now) {
  Decision decision;
  std::optional<std::vector<Symbol>> only;
  std::pair<StatusId, PreemptionCandidate> answer{kStatusPreemptionNotHelpful, {}};
  if (!pre_filter(cache_.pod(slot), only, decision)) return answer;
  answer.second.node = node;
  answer.second.name = cache_.node(node).name;
  begin(node);
  answer.first = preemption_.select_victims(cache_.pod(slot), node, *this, now, answer.second);
  end();
  return answer;
}

Decision SchedulingCycle::decide(PodSlot slot, SimTime now, std::uint32_t attempt) {
  Decision decision;
  refused_by_.reset();
  nominated_rejector_.reset();
  failed_.clear();
  feasible_.clear();
  totals_.clear();
  if (cache_.node_count() == 0) {
    decision.message = "no nodes available to schedule pods";
    return decision;
  }
  const PodInfo& pod = cache_.pod(slot);
  std::optional<std::vector<Symbol>> only;
  if (!pre_filter(pod, only, decision)) {
    run_preemption(pod, now, attempt, decision);
    return decision;
  }

  if (pod.nominated != kNoNode) {
    const NodeIndex nominated = pod.nominated;
    const StatusId status = filter(pod, nominated);
    if (status == kFits) {
      decision.node = nominated;
      feasible_.push_back(nominated);
      decision.nodes_examined = decision.nodes_feasible = 1;
      return decision;
    }
    failed_.emplace_back(nominated, status);
    nominated_rejector_ = statuses_.at(status).plugin;
  }
  const std::size_t before = failed_.size();
  const std::vector<NodeIndex>& order = cache_.order();
  std::vector<NodeIndex> named;
  if (only) {
    for (const Symbol name : *only) {
      const NodeIndex node = cache_.find(name);
      if (node != kNoNode) named.push_back(node);
    }
  }
  find_feasible(pod, only ? named : order);
  if (before != 0) {
    // The nominated node's verdict is kept once: the later one replaces it.
    const NodeIndex nominated = failed_.front().first;
    const bool again = std::any_of(failed_.begin() + 1, failed_.end(), [&](const auto& entry) { return entry.first == nominated; });
    if (again) failed_.erase(failed_.begin());
  }
  decision.nodes_examined = feasible_.size() + failed_.size();
  decision.nodes_feasible = feasible_.size();
  next_start_ = (next_start_ + decision.nodes_examined) % order.size();

  if (feasible_.empty()) {
    explain(only.has_value(), decision);
    run_preemption(pod, now, attempt, decision);
    return decision;
  }
  if (feasible_.size() == 1) {
    decision.node = feasible_.front();
    return decision;
  }
  // Asked also where only the score of NodeAffinity is off.
  if (profile().weights.node_affinity != 0 || has(Plugin::kNodeAffinity)) {
    const std::string why = node_affinity::unreadable_preference(*pod.spec, names_);
    if (!why.empty()) {
      decision = Decision{};
      decision.message = fmt::format("running PreScore plugin \"NodeAffinity\": {}", why);
      return decision;
    }
  }
  score(pod);
  const std::size_t winner = select_host(totals_, winners_);
  decision.node = feasible_[winner];
  decision.score = totals_[winner];
  return decision;
}

void SchedulingCycle::explain(bool by_name, Decision& decision) {
  std::map<std::string_view, std::size_t> reasons;
  if (by_name) decision.rejectors |= set_of(Plugin::kNodeAffinity);
  for (const auto& [node, id] : failed_) {
    const Status& status = statuses_.at(id);
    decision.rejectors |= set_of(status.plugin);
    for (const std::string& reason : status.reasons) ++reasons[reason];
  }
  const std::size_t nodes = cache_.node_count();
  std::string left_out;
  if (by_name && failed_.size() < nodes) {
    // Those that NodeAffinity's PreFilter left out are told after the nominated node was tried: who refused that one is named too.
    std::set<std::string_view> plugins = {to_string(Plugin::kNodeAffinity)};
    if (nominated_rejector_) plugins.insert(to_string(*nominated_rejector_));
    left_out = fmt::format("node(s) didn't satisfy plugin(s) [{}]", fmt::join(plugins, " "));
    reasons[left_out] += nodes - failed_.size();
  }
  decision.message = fmt::format("0/{} nodes are available: {}.", nodes, reasons_text(reasons));
}

void SchedulingCycle::run_preemption(const PodInfo& pod, SimTime now, std::uint32_t attempt, Decision& decision) {
  if (!has(Plugin::kDefaultPreemption)) return;
  const std::string entity = fmt::format("{}/{}/{}", names_.text(pod.ns), names_.text(pod.name), attempt);
  decision.preemption = preemption_.run(pod, failed_, statuses_, *this, random_.stream("scheduler/preemption-offset", entity), now);
  if (!decision.preemption.message.empty()) decision.message += fmt::format(" preemption: {}", decision.preemption.message);
}

void SchedulingCycle::begin(NodeIndex node) {
  dry_node_ = node;
  dry_load_ = cache_.node(node).load;
  dry_off_.clear();
  dry_on_.clear();
  dry_conflicts_ = restrictions_.conflicts();
}

void SchedulingCycle::shift(PodSlot slot, std::int64_t change) {
  const PodInfo& pod = cache_.pod(slot);
  if (spreads_) spread_.shift(pod, dry_node_, change);
  if (affine_) affinity_.shift(pod, dry_node_, change);
  if (has_volumes_) restrictions_.shift(*pod.spec, change);
}

void SchedulingCycle::take_off(PodSlot victim) {
  cache_.load_for_dry_run(dry_node_).remove(*cache_.pod(victim).spec);
  shift(victim, -1);
  if (std::erase(dry_on_, victim) == 0) dry_off_.push_back(victim);
}

void SchedulingCycle::put_back(PodSlot victim) {
  cache_.load_for_dry_run(dry_node_).add(*cache_.pod(victim).spec);
  shift(victim, 1);
  if (std::erase(dry_off_, victim) == 0) dry_on_.push_back(victim);
}

StatusId SchedulingCycle::filter_dry() {
  StatusId status = filter_node(*pod_->spec, dry_node_);
  if (status == kFits && has_volumes_) status = filter_volumes(dry_node_);
  if (status == kFits && spreads_) status = spread_.filter(dry_node_);
  if (status == kFits && affine_) status = affinity_.filter(dry_node_);
  return status;
}

std::vector<PodSlot> SchedulingCycle::nominated_beside(const PodInfo& pod, NodeIndex node) const {
  std::vector<PodSlot> slots;
  for (const PodSlot slot : cache_.node(node).nominated) {
    if (slot != pod.ref.slot && cache_.pod(slot).priority() >= pod.priority()) slots.push_back(slot);
  }
  return slots;
}

StatusId SchedulingCycle::filter() {
  const std::vector<PodSlot> beside = nominated_beside(*pod_, dry_node_);
  if (!beside.empty()) {
    for (const PodSlot slot : beside) put_back(slot);
    const StatusId status = filter_dry();
    for (const PodSlot slot : beside) take_off(slot);
    if (status != kFits) return status;
  }
  return filter_dry();
}

void SchedulingCycle::end() {
  for (const PodSlot slot : dry_off_) {
    if (spreads_) spread_.shift(cache_.pod(slot), dry_node_, 1);
    if (affine_) affinity_.shift(cache_.pod(slot), dry_node_, 1);
  }
  restrictions_.restore(dry_conflicts_);
  cache_.load_for_dry_run(dry_node_) = dry_load_;
  dry_off_.clear();
  dry_on_.clear();
  dry_node_ = kNoNode;
}

}  // namespace sim::k8s::scheduling

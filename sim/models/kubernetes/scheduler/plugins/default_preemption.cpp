#include "sim/models/kubernetes/scheduler/plugins/default_preemption.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "sim/models/kubernetes/scheduler/go_sort.hpp"

namespace sim::k8s::scheduling {

std::int64_t DefaultPreemption::candidates_wanted(std::int64_t nodes) const {
  return std::min(nodes, std::max(nodes * candidates_percent_ / 100, candidates_min_));
}

std::optional<SimTime> DefaultPreemption::start_of(PodSlot slot) const {
  const Pod* pod = cache_.api().get(cache_.pod(slot).ref);
  return pod == nullptr ? std::nullopt : pod->start_time;
}

bool DefaultPreemption::is_more_important(PodSlot a, PodSlot b, SimTime now) const {
  const PodInfo& left = cache_.pod(a);
  const PodInfo& right = cache_.pod(b);
  if (left.priority() != right.priority()) return left.priority() > right.priority();
  const std::optional<SimTime> left_start = start_of(a);
  const std::optional<SimTime> right_start = start_of(b);
  // The clock is read for each of them anew, a little later for the second: so neither pod comes first, or both do (see go_sort.hpp).
  if (!left_start && !right_start) return true;
  return left_start.value_or(now) < right_start.value_or(now);
}

void DefaultPreemption::split_by_budget(const std::vector<PodSlot>& pods, std::vector<PodSlot>& violating, std::vector<PodSlot>& others) const {
  const ApiServer& api = cache_.api();
  std::vector<std::pair<const PodDisruptionBudget*, std::int64_t>> budgets;
  api.all<PodDisruptionBudget>().for_each([&](Ref<PodDisruptionBudget>, const PodDisruptionBudget& budget) {
    // Here an empty selector selects nothing, other than for evictions.
    if (budget.selector && !budget.selector->is_empty()) budgets.emplace_back(&budget, budget.disruptions_allowed);
  });
  for (const PodSlot slot : pods) {
    const PodInfo& pod = cache_.pod(slot);
    const Labels& labels = cache_.index().labels(pod.identity);
    bool breaks = false;
    for (auto& [budget, allowed] : budgets) {
      if (labels.empty() || budget->meta.ns != pod.ns || !budget->selector->matches(labels, api.names())) continue;
      const bool processed = std::any_of(budget->disrupted_pods.begin(), budget->disrupted_pods.end(),
                                         [&](const PodDisruptionBudget::Disrupted& entry) { return entry.pod_uid == pod.uid; });
      if (processed) continue;
      if (--allowed < 0) breaks = true;
    }
    (breaks ? violating : others).push_back(slot);
  }
}

StatusId DefaultPreemption::select_victims(const PodInfo& pod, NodeIndex node, DryRun& dry_run, SimTime now, PreemptionCandidate& into) const {
  std::vector<PodSlot> potential;
  for (const PodSlot slot : cache_.node(node).pods) {
    if (cache_.pod(slot).priority() < pod.priority()) potential.push_back(slot);
  }
  if (potential.empty()) return kStatusNoVictims;
  for (const PodSlot slot : potential) dry_run.take_off(slot);
  const StatusId without_them = dry_run.filter();
  if (without_them != kFits) return without_them;
  const auto more_important = [&](PodSlot a, PodSlot b) { return is_more_important(a, b, now); };
  go_sort(potential, more_important);
  std::vector<PodSlot> violating;
  std::vector<PodSlot> others;
  split_by_budget(potential, violating, others);
  const auto is_spared = [&](PodSlot slot) {
    dry_run.put_back(slot);
    if (dry_run.filter() == kFits) return true;
    dry_run.take_off(slot);
    into.victims.push_back(slot);
    return false;
  };
  for (const PodSlot slot : violating) {
    if (!is_spared(slot)) ++into.budget_violations;
  }
  for (const PodSlot slot : others) is_spared(slot);
  if (!violating.empty() && !others.empty()) go_sort(into.victims, more_important);
  return kFits;
}

const PreemptionCandidate& DefaultPreemption::pick(const std::vector<PreemptionCandidate>& candidates, SimTime now) const {
  const auto earliest_start = [&](const PreemptionCandidate& candidate) {
    const std::int32_t highest = cache_.pod(candidate.victims.front()).priority();
    SimTime earliest = start_of(candidate.victims.front()).value_or(now);
    for (const PodSlot slot : candidate.victims) {
      if (cache_.pod(slot).priority() == highest) earliest = std::min(earliest, start_of(slot).value_or(now));
    }
    return earliest;
  };
  const auto priority_sum = [&](const PreemptionCandidate& candidate) {
    std::int64_t sum = 0;  // each shifted to at least 0, so that fewer victims of negative priority are better
    for (const PodSlot slot : candidate.victims) sum += std::int64_t{cache_.pod(slot).priority()} + std::numeric_limits<std::int32_t>::max() + 1;
    return sum;
  };
  const auto is_better = [&](const PreemptionCandidate& a, const PreemptionCandidate& b) {
    if (a.budget_violations != b.budget_violations) return a.budget_violations < b.budget_violations;
    const std::int32_t a_highest = cache_.pod(a.victims.front()).priority();
    const std::int32_t b_highest = cache_.pod(b.victims.front()).priority();
    if (a_highest != b_highest) return a_highest < b_highest;
    const std::int64_t a_sum = priority_sum(a);
    const std::int64_t b_sum = priority_sum(b);
    if (a_sum != b_sum) return a_sum < b_sum;
    if (a.victims.size() != b.victims.size()) return a.victims.size() < b.victims.size();
    const SimTime a_start = earliest_start(a);
    const SimTime b_start = earliest_start(b);
    if (a_start != b_start) return a_start > b_start;
    return cache_.api().names().text(a.name) < cache_.api().names().text(b.name);
  };
  return *std::min_element(candidates.begin(), candidates.end(), is_better);
}

Preemption DefaultPreemption::run(const PodInfo& pod, const std::vector<std::pair<NodeIndex, StatusId>>& failed, const StatusTable& statuses,
                                  DryRun& dry_run, RandomStream random, SimTime now) const {
  Preemption result;
  if (!pod.spec->preempts) {
    result.message = "not eligible due to preemptionPolicy=Never.";
    return result;
  }
  if (pod.nominated != kNoNode) {
    const bool hopeless = std::any_of(failed.begin(), failed.end(), [&](const auto& entry) {
      return entry.first == pod.nominated && statuses.code(entry.second) == Code::kUnresolvable;
    });
    if (!hopeless) {
      for (const PodSlot slot : cache_.node(pod.nominated).pods) {
        const Pod* other = cache_.api().get(cache_.pod(slot).ref);
        if (other != nullptr && cache_.pod(slot).priority() < pod.priority() && other->meta.is_deleting() && other->disruption_target &&
            other->disruption_reason == cache_.api().well_known().preemption_by_scheduler) {
          result.message = "not eligible due to a terminating pod on the nominated node.";
          return result;
        }
      }
    }
  }
  std::vector<NodeIndex> potential;
  for (const auto& [node, status] : failed) {
    if (statuses.code(status) == Code::kUnschedulable) potential.push_back(node);
  }
  std::map<std::string_view, std::size_t> reasons;
  std::size_t explained = 0;
  std::vector<PreemptionCandidate> candidates;
  const std::optional<std::int32_t> lowest = cache_.lowest_priority();
  if (!lowest || *lowest >= pod.priority()) {
    // Nobody anywhere is of lower priority: every node would answer the same.
    explained = potential.size();
    if (explained != 0) reasons[statuses.at(kStatusNoVictims).reasons.front()] = explained;
  } else if (!potential.empty()) {
    const std::size_t count = potential.size();
    const auto offset = static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(count) - 1));
    result.offset = offset;
    const auto wanted = static_cast<std::size_t>(candidates_wanted(static_cast<std::int64_t>(count)));
    // Of those that break a budget, and of those that break none, so many are kept each; only one of the latter lets the search end.
    std::size_t harmless = 0;
    std::size_t harmful = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const NodeIndex node = potential[(offset + i) % count];
      PreemptionCandidate candidate;
      candidate.node = node;
      candidate.name = cache_.node(node).name;
      dry_run.begin(node);
      const StatusId status = select_victims(pod, node, dry_run, now, candidate);
      dry_run.end();
      if (status != kFits || candidate.victims.empty()) {
        ++explained;
        for (const std::string& reason : statuses.at(status == kFits ? StatusId{kStatusNoVictims} : status).reasons) ++reasons[reason];
        continue;
      }
      std::size_t& kept = candidate.budget_violations == 0 ? harmless : harmful;
      if (kept < wanted) {
        ++kept;
        candidates.push_back(std::move(candidate));
      }
      if (harmless != 0 && harmless + harmful >= wanted) break;
    }
  }
  if (candidates.empty()) {
    const std::size_t nodes = cache_.node_count();
    if (nodes > explained) reasons[statuses.at(kStatusPreemptionNotHelpful).reasons.front()] += nodes - explained;
    result.message = fmt::format("0/{} nodes are available: {}.", nodes, reasons_text(reasons));
    result.clears_nomination = true;
    return result;
  }
  const PreemptionCandidate& best = pick(candidates, now);
  result.node = best.node;
  result.victims = best.victims;
  result.candidates = std::move(candidates);
  return result;
}

}  // namespace sim::k8s::scheduling

#include "sim/models/kubernetes/scheduler/plugins/pod_topology_spread.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/core/math.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"

namespace sim::k8s::scheduling {

namespace {

// Not -1: with an empty selector no pod is counted, but each that a dry run takes off counts -1, as in the original.
constexpr std::int64_t kAbsent = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kHostnameSkew = 3;
constexpr std::int64_t kZoneSkew = 5;
constexpr std::size_t kSelectorsMax = 4096;  // forgotten beyond that, and derived anew

}  // namespace

PodTopologySpread::PodTopologySpread(Cache& cache)
    : cache_(cache), hostname_(cache.api().well_known().hostname), zone_(cache.api().well_known().zone) {}

bool PodTopologySpread::selects(const Constraint& constraint, const Labels& labels) const {
  return !constraint.selects_nothing && constraint.selector.matches(labels, cache_.api().names());
}

const LabelSelector& PodTopologySpread::default_selector(const PodInfo& pod) {
  const ApiServer& api = cache_.api();
  if (selectors_are_stale_ || default_selectors_.size() > kSelectorsMax) {
    selectors_are_stale_ = false;
    default_selectors_.clear();
    services_.clear();
    api.all<Service>().for_each([&](Ref<Service> ref, const Service& service) {
      if (service.has_selector) services_[service.meta.ns].push_back(ref);
    });
  }
  const Labels& labels = cache_.index().labels(pod.identity);
  const Pod* object = api.get(pod.ref);
  const OwnerReference* owner = object == nullptr ? nullptr : object->meta.controller();
  Key key;
  append(key, pod.ns);
  append(key, labels);
  if (owner != nullptr) {
    key.push_back(static_cast<std::uint32_t>(owner->owner.kind));
    key.push_back(owner->owner.slot);
    key.push_back(owner->owner.generation);
  }
  const auto found = default_selectors_.find(key);
  if (found != default_selectors_.end()) return found->second;

  LabelSelector selector;
  const auto services = services_.find(pod.ns);
  if (services != services_.end()) {
    Labels merged;  // all of them match the pod, so they do not contradict each other
    for (const Ref<Service> ref : services->second) {
      const Service* service = api.get(ref);
      if (service == nullptr || !service->selector.matches(labels, api.names())) continue;
      for (const Requirement& requirement : service->selector.requirements) {
        if (!requirement.values.empty()) merged.set(requirement.key, requirement.values.front());
      }
    }
    for (const Labels::Pair& pair : merged) {
      selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
    }
  }
  const auto add = [&](const LabelSelector& more) {
    selector.requirements.insert(selector.requirements.end(), more.requirements.begin(), more.requirements.end());
  };
  if (owner != nullptr && owner->owner.kind == Kind::kReplicaSet) {
    const ReplicaSet* set = api.get(Ref<ReplicaSet>{owner->owner.slot, owner->owner.generation});
    if (set != nullptr) add(set->selector);
  } else if (owner != nullptr && owner->owner.kind == Kind::kStatefulSet) {
    const StatefulSet* set = api.get(Ref<StatefulSet>{owner->owner.slot, owner->owner.generation});
    if (set != nullptr) add(set->selector);
  }
  return default_selectors_.emplace(std::move(key), std::move(selector)).first->second;
}

void PodTopologySpread::collect(const PodInfo& pod, Hardness hardness, std::vector<Constraint>& into) {
  into.clear();
  spec_ = pod.spec.get();
  ns_ = pod.ns;
  const Labels& labels = cache_.index().labels(pod.identity);
  const auto finish = [&](Constraint constraint) {
    constraint.column = cache_.column(constraint.key);
    constraint.matches_itself = selects(constraint, labels);
    // An empty selector matches the pod itself, but counts nobody.
    if (!constraint.selects_nothing && !constraint.selector.is_empty()) {
      PodTerm term;
      term.selector = constraint.selector;
      term.namespaces = {pod.ns};
      constraint.counter = cache_.index().counter({term}, true);
    }
    into.push_back(std::move(constraint));
  };
  const bool of_its_own = !pod.spec->topology_spread.empty();
  if (!of_its_own && defaults_ == nullptr) {
    if (hardness == Hardness::kDoNotSchedule) return;
    const LabelSelector& selector = default_selector(pod);
    if (selector.is_empty()) return;
    for (const auto& [key, skew] : {std::pair{hostname_, kHostnameSkew}, std::pair{zone_, kZoneSkew}}) {
      Constraint constraint;
      constraint.max_skew = skew;
      constraint.key = key;
      constraint.selector = selector;
      finish(std::move(constraint));
    }
    return;
  }
  for (const TopologySpreadConstraint& wanted : of_its_own ? pod.spec->topology_spread : *defaults_) {
    if (wanted.do_not_schedule != (hardness == Hardness::kDoNotSchedule)) continue;
    Constraint constraint;
    constraint.max_skew = wanted.max_skew;
    constraint.min_domains = wanted.min_domains;
    constraint.key = wanted.topology_key;
    if (of_its_own) {
      constraint.selects_nothing = !wanted.selector.has_value();
      if (wanted.selector) constraint.selector = *wanted.selector;
    } else {
      constraint.selector = default_selector(pod);
      if (constraint.selector.is_empty()) return;
    }
    if (of_its_own && !constraint.selects_nothing) {
      for (const Symbol key : wanted.match_label_keys) {
        const std::optional<Symbol> value = labels.find(key);
        if (value) constraint.selector.requirements.push_back(Requirement{key, SelectorOperator::kIn, {*value}});
      }
    }
    constraint.honor_affinity = wanted.honor_node_affinity;
    constraint.honor_taints = wanted.honor_node_taints;
    finish(std::move(constraint));
  }
}

bool PodTopologySpread::is_included(const Constraint& constraint, NodeIndex node) const {
  const NodeInfo& info = cache_.node(node);
  if (constraint.honor_affinity && node_affinity::has_required(*spec_) &&
      !node_affinity::matches_required(*spec_, info.view.labels, info.name, cache_.api().names())) {
    return false;
  }
  return !constraint.honor_taints || info.view.taints.empty() || taint_toleration::filter(*spec_, info.view) == kFits;
}

bool PodTopologySpread::has_all_keys(const std::vector<Constraint>& constraints, NodeIndex node) const {
  return std::all_of(constraints.begin(), constraints.end(), [&](const Constraint& constraint) {
    return cache_.topology(constraint.column).domain(node) != TopologyColumn::kNoDomain;
  });
}

bool PodTopologySpread::pre_filter(const PodInfo& pod) {
  collect(pod, Hardness::kDoNotSchedule, hard_);
  if (hard_.empty()) return false;
  counts_.resize(hard_.size());
  minimum_.assign(hard_.size(), 0);
  for (std::size_t i = 0; i < hard_.size(); ++i) counts_[i].assign(cache_.topology(hard_[i].column).domains(), kAbsent);
  for (const NodeIndex node : cache_.order()) {
    if (!has_all_keys(hard_, node)) continue;
    for (std::size_t i = 0; i < hard_.size(); ++i) {
      std::int64_t& count = counts_[i][cache_.topology(hard_[i].column).domain(node)];
      if (count == kAbsent && is_included(hard_[i], node)) count = 0;
    }
  }
  for (std::size_t i = 0; i < hard_.size(); ++i) {
    if (hard_[i].counter == kNoCounter) continue;
    for (const auto& [node, pods] : cache_.index().counts(hard_[i].counter)) {
      if (has_all_keys(hard_, node) && is_included(hard_[i], node)) counts_[i][cache_.topology(hard_[i].column).domain(node)] += pods;
    }
  }
  for (std::size_t i = 0; i < hard_.size(); ++i) find_minimum(i);
  return true;
}

void PodTopologySpread::find_minimum(std::size_t constraint) {
  std::int64_t domains = 0;
  std::int64_t least = std::numeric_limits<std::int32_t>::max();
  for (const std::int64_t count : counts_[constraint]) {
    if (count == kAbsent) continue;
    ++domains;
    least = std::min(least, count);
  }
  minimum_[constraint] = domains < hard_[constraint].min_domains ? 0 : least;
}

StatusId PodTopologySpread::filter(NodeIndex node) const {
  for (std::size_t i = 0; i < hard_.size(); ++i) {
    const std::uint32_t domain = cache_.topology(hard_[i].column).domain(node);
    if (domain == TopologyColumn::kNoDomain) return kStatusSpreadMissingLabel;
    const std::int64_t count = counts_[i][domain] == kAbsent ? 0 : counts_[i][domain];
    if (count + (hard_[i].matches_itself ? 1 : 0) - minimum_[i] > hard_[i].max_skew) return kStatusSpread;
  }
  return kFits;
}

void PodTopologySpread::shift(const PodInfo& other, NodeIndex node, std::int64_t change) {
  if (hard_.empty() || other.ns != ns_ || !has_all_keys(hard_, node)) return;
  const Labels& labels = cache_.index().labels(other.identity);
  for (std::size_t i = 0; i < hard_.size(); ++i) {
    if (!selects(hard_[i], labels) || !is_included(hard_[i], node)) continue;
    counts_[i][cache_.topology(hard_[i].column).domain(node)] += change;
    find_minimum(i);
  }
}

bool PodTopologySpread::pre_score(const PodInfo& pod, const std::vector<NodeIndex>& feasible) {
  collect(pod, Hardness::kScheduleAnyway, soft_);
  if (soft_.empty()) return false;
  // With the system's defaults a node without a zone still spreads over hosts.
  needs_all_keys_ = !pod.spec->topology_spread.empty() || defaults_ != nullptr;
  ignored_.assign(feasible.size(), false);
  sums_.assign(feasible.size(), 0);
  std::size_t ignored = 0;
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    if (needs_all_keys_ && !has_all_keys(soft_, feasible[i])) {
      ignored_[i] = true;
      ++ignored;
    }
  }
  for (const Constraint& constraint : soft_) {
    const TopologyColumn& column = cache_.topology(constraint.column);
    const double skew = static_cast<double>(constraint.max_skew - 1);
    const auto counts = [&](auto&& use) {
      if (constraint.counter == kNoCounter) return;
      for (const auto& [node, pods] : cache_.index().counts(constraint.counter)) use(node, pods);
    };
    if (constraint.key == hostname_) {
      // Matching pods on that node alone, whatever the inclusion policies say.
      const double weight = math::log(static_cast<double>(feasible.size() - ignored + 2));
      scratch_.assign(cache_.index_end(), 0);
      counts([&](NodeIndex node, std::uint32_t pods) { scratch_[node] = pods; });
      for (std::size_t i = 0; i < feasible.size(); ++i) {
        if (ignored_[i] || column.domain(feasible[i]) == TopologyColumn::kNoDomain) continue;
        sums_[i] += static_cast<double>(scratch_[feasible[i]]) * weight + skew;
      }
      continue;
    }
    // The last place stands for nodes without the label, which count as one value, "".
    const std::size_t unlabelled = column.domains();
    const auto empty_value = column.domain_of_value.find(0);
    const auto place_of = [&](NodeIndex node) -> std::size_t {
      const std::uint32_t domain = column.domain(node);
      if (domain != TopologyColumn::kNoDomain) return domain;
      return empty_value == column.domain_of_value.end() ? unlabelled : empty_value->second;
    };
    scratch_.assign(unlabelled + 1, kAbsent);
    std::size_t values = 0;
    for (std::size_t i = 0; i < feasible.size(); ++i) {
      if (ignored_[i]) continue;
      std::int64_t& count = scratch_[place_of(feasible[i])];
      if (count == kAbsent) {
        count = 0;
        ++values;
      }
    }
    const double weight = math::log(static_cast<double>(values + 2));
    counts([&](NodeIndex node, std::uint32_t pods) {
      if (needs_all_keys_ && !has_all_keys(soft_, node)) return;
      std::int64_t& count = scratch_[place_of(node)];
      if (count != kAbsent && is_included(constraint, node)) count += pods;
    });
    for (std::size_t i = 0; i < feasible.size(); ++i) {
      if (ignored_[i] || column.domain(feasible[i]) == TopologyColumn::kNoDomain) continue;
      sums_[i] += static_cast<double>(scratch_[column.domain(feasible[i])]) * weight + skew;
    }
  }
  raw_.resize(feasible.size());
  for (std::size_t i = 0; i < feasible.size(); ++i) raw_[i] = static_cast<std::int64_t>(std::round(sums_[i]));
  return true;
}

const std::vector<std::int64_t>& PodTopologySpread::scores(const std::vector<NodeIndex>& feasible) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t most = 0;
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    if (ignored_[i]) continue;
    least = std::min(least, raw_[i]);
    most = std::max(most, raw_[i]);
  }
  scratch_.resize(feasible.size());
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    if (ignored_[i]) {
      scratch_[i] = 0;
    } else {
      scratch_[i] = most == 0 ? kMaxNodeScore : kMaxNodeScore * (most + least - raw_[i]) / most;
    }
  }
  return scratch_;
}

bool PodTopologySpread::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event) {
  collect(pod, Hardness::kDoNotSchedule, hard_);
  const auto with_keys = [&](const NodeView* node) {
    return node != nullptr && std::all_of(hard_.begin(), hard_.end(), [&](const Constraint& c) { return node->labels.has(c.key); });
  };
  switch (event.action) {
    case Action::kNodeAdd: return with_keys(event.node_after);
    case Action::kNodeDelete: return with_keys(event.node_before);
    case Action::kNodeLabel:
    case Action::kNodeTaint:
    case Action::kNodeAllocatable: {
      const bool before = with_keys(event.node_before);
      const bool after = with_keys(event.node_after);
      if (before != after) return true;
      if (!after) return false;
      if (event.node_before->taints != event.node_after->taints) return true;
      return std::any_of(hard_.begin(), hard_.end(), [&](const Constraint& c) {
        return event.node_before->labels.find(c.key) != event.node_after->labels.find(c.key);
      });
    }
    case Action::kPodToleration:
      return event.pod_after->ref == pod.ref && std::any_of(hard_.begin(), hard_.end(), [](const Constraint& c) { return c.honor_taints; });
    case Action::kPodAdd:
    case Action::kPodDelete:
    case Action::kPodLabel: break;
    case Action::kClaimChange:
    case Action::kVolumeChange:
    case Action::kClassChange:
    case Action::kVolumeLimit:
    case Action::kAttachmentDelete: return false;  // volumes decide nothing here
  }
  const auto involved = [&](const PodView* view) {
    return view == nullptr || view->ref == pod.ref || (view->placed && view->ns == pod.ns);
  };
  if (!involved(event.pod_before) || !involved(event.pod_after)) return false;
  return std::any_of(hard_.begin(), hard_.end(), [&](const Constraint& constraint) {
    if (event.action == Action::kPodLabel) return selects(constraint, *event.pod_before->labels) != selects(constraint, *event.pod_after->labels);
    return selects(constraint, *(event.pod_after != nullptr ? event.pod_after : event.pod_before)->labels);
  });
}

}  // namespace sim::k8s::scheduling

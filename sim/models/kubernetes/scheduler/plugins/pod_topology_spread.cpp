#include "sim/models/kubernetes/scheduler/plugins/pod_topology_spread.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "sim/core/math.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"

namespace sim::k8s::scheduling {

namespace {

/// math.Round of what is not negative.
std::int64_t rounded(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return whole + (value - static_cast<double>(whole) >= 0.5 ? 1 : 0);
}

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
    constraint.topology = &cache_.topology(constraint.column);
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
    return constraint.topology->domain(node) != TopologyColumn::kNoDomain;
  });
}

const Key& PodTopologySpread::key_of(What what, const std::vector<Constraint>& constraints, const Constraint& constraint) {
  key_.clear();
  key_.push_back(static_cast<std::uint32_t>(what));
  key_.push_back(constraint.column);
  append(key_, constraint.counter == kNoCounter ? std::int64_t{-1} : static_cast<std::int64_t>(cache_.index().counts(constraint.counter).id()));
  if (what == What::kOnNode) return key_;
  key_.push_back((constraint.honor_affinity ? 1u : 0u) | (constraint.honor_taints ? 2u : 0u) | (needs_all_keys_ ? 4u : 0u));
  for (const Constraint& other : constraints) key_.push_back(other.column);
  if (constraint.honor_affinity) append_node_affinity(key_, *spec_);
  if (constraint.honor_taints) append(key_, spec_->tolerations);
  return key_;
}

template <class Reset, class DomainOf>
void PodTopologySpread::sum_up(const Key& key, Constraint& constraint, Reset&& reset, DomainOf&& domain_of) {
  constraint.sums = &cache_.sums().find(key);
  std::array<DomainSums::Source, 1> source{};
  if (constraint.counter != kNoCounter) source.front().counts = &cache_.index().counts(constraint.counter);
  constraint.sums->follow(cache_.topology_version(), std::span(source).first(constraint.counter == kNoCounter ? 0 : 1), reset, domain_of);
}

bool PodTopologySpread::pre_filter(const PodInfo& pod) {
  collect(pod, Hardness::kDoNotSchedule, hard_);
  needs_all_keys_ = true;
  for (Constraint& constraint : hard_) {
    const TopologyColumn& column = *constraint.topology;
    const auto reset = [&](DomainSums& sums) {
      sums.begin(column.domains(), DomainSums::kAbsent);
      for (const NodeIndex node : cache_.order()) {
        if (has_all_keys(hard_, node) && is_included(constraint, node)) sums.count(node, column.domain(node));
      }
    };
    sum_up(key_of(What::kHard, hard_, constraint), constraint, reset,
           [&](NodeIndex node) { return constraint.sums->counts(node) ? column.domain(node) : kNoDomain; });
  }
  return !hard_.empty();
}

StatusId PodTopologySpread::filter(NodeIndex node) const {
  for (const Constraint& constraint : hard_) {
    const std::uint32_t domain = constraint.topology->domain(node);
    if (domain == kNoDomain) return kStatusSpreadMissingLabel;
    const std::int64_t least = static_cast<std::int64_t>(constraint.sums->domains_present()) < constraint.min_domains ? 0 : constraint.sums->least();
    if (constraint.sums->of(domain) + (constraint.matches_itself ? 1 : 0) - least > constraint.max_skew) return kStatusSpread;
  }
  return kFits;
}

void PodTopologySpread::shift(const PodInfo& other, NodeIndex node, std::int64_t change) {
  if (other.ns != ns_) return;
  const Labels& labels = cache_.index().labels(other.identity);
  for (const Constraint& constraint : hard_) {
    // With an empty selector no pod is counted, but each that a dry run takes off counts -1, as in the original.
    if (constraint.sums->counts(node) && selects(constraint, labels)) constraint.sums->add(constraint.topology->domain(node), change);
  }
}

bool PodTopologySpread::pre_score(const PodInfo& pod, const std::vector<NodeIndex>& feasible) {
  collect(pod, Hardness::kScheduleAnyway, soft_);
  if (soft_.empty()) return false;
  // With the system's defaults a node without a zone still spreads over hosts.
  needs_all_keys_ = !pod.spec->topology_spread.empty() || defaults_ != nullptr;
  ignored_.assign(feasible.size(), 0);
  sums_.assign(feasible.size(), 0);
  std::size_t ignored = 0;
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    if (needs_all_keys_ && !has_all_keys(soft_, feasible[i])) {
      ignored_[i] = 1;
      ++ignored;
    }
  }
  for (Constraint& constraint : soft_) {
    const TopologyColumn& column = *constraint.topology;
    const double skew = static_cast<double>(constraint.max_skew - 1);
    if (constraint.key == hostname_) {
      // Matching pods on that node alone, whatever the inclusion policies say.
      const double weight = math::log(static_cast<double>(feasible.size() - ignored + 2));
      sum_up(key_of(What::kOnNode, soft_, constraint), constraint, [&](DomainSums& sums) { sums.begin(cache_.index_end(), 0); },
             [](NodeIndex node) { return std::uint32_t{node}; });
      for (std::size_t i = 0; i < feasible.size(); ++i) {
        if (ignored_[i] != 0 || column.domain(feasible[i]) == kNoDomain) continue;
        sums_[i] += static_cast<double>(constraint.sums->at(feasible[i])) * weight + skew;
      }
      continue;
    }
    // The last place stands for nodes without the label, which count as one value, "".
    const auto unlabelled = static_cast<std::uint32_t>(column.domains());
    const auto empty_value = column.domain_of_value.find(0);
    const auto place_of = [&](NodeIndex node) {
      const std::uint32_t domain = column.domain(node);
      if (domain != kNoDomain) return domain;
      return empty_value == column.domain_of_value.end() ? unlabelled : empty_value->second;
    };
    const auto reset = [&](DomainSums& sums) {
      sums.begin(std::size_t{unlabelled} + 1, 0);
      for (const NodeIndex node : cache_.order()) {
        if ((!needs_all_keys_ || has_all_keys(soft_, node)) && is_included(constraint, node)) sums.count(node, place_of(node));
      }
    };
    sum_up(key_of(What::kSoft, soft_, constraint), constraint, reset, [&](NodeIndex node) { return constraint.sums->counts(node) ? place_of(node) : kNoDomain; });
    // Of all domains only those of feasible nodes have a weight. All are seen after a few nodes, as a rule.
    is_seen_.assign(std::size_t{unlabelled} + 1, false);
    std::size_t values = 0;
    for (std::size_t i = 0; i < feasible.size() && values <= unlabelled; ++i) {
      if (ignored_[i] != 0) continue;
      const std::uint32_t place = place_of(feasible[i]);
      if (!is_seen_[place]) ++values;
      is_seen_[place] = true;
    }
    const double weight = math::log(static_cast<double>(values + 2));
    weighted_.resize(unlabelled);
    for (std::uint32_t domain = 0; domain < unlabelled; ++domain) weighted_[domain] = static_cast<double>(constraint.sums->at(domain)) * weight + skew;
    for (std::size_t i = 0; i < feasible.size(); ++i) {
      const std::uint32_t domain = column.domain(feasible[i]);
      if (ignored_[i] != 0 || domain == kNoDomain) continue;
      sums_[i] += weighted_[domain];
    }
  }
  raw_.resize(feasible.size());
  least_ = std::numeric_limits<std::int64_t>::max();
  most_ = 0;
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    raw_[i] = rounded(sums_[i]);
    if (ignored_[i] != 0) continue;
    least_ = std::min(least_, raw_[i]);
    most_ = std::max(most_, raw_[i]);
  }
  return true;
}

const std::vector<std::int64_t>& PodTopologySpread::scores(const std::vector<NodeIndex>& feasible) {
  scratch_.resize(feasible.size());
  // Few sums among thousands of nodes: each is divided once, as a rule.
  struct Divided {
    std::int64_t sum = -1;
    std::int64_t score = 0;
  };
  std::array<Divided, 64> known{};
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    if (ignored_[i] != 0) {
      scratch_[i] = 0;
      continue;
    }
    Divided& one = known[static_cast<std::size_t>(raw_[i]) % known.size()];
    if (raw_[i] != one.sum) one = {raw_[i], most_ == 0 ? kMaxNodeScore : kMaxNodeScore * (most_ + least_ - raw_[i]) / most_};
    scratch_[i] = one.score;
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
    case Action::kClaimAdd:
    case Action::kClaimUpdate:
    case Action::kVolumeAdd:
    case Action::kVolumeUpdate:
    case Action::kClassAdd:
    case Action::kClassUpdate:
    case Action::kCsiNodeAdd:
    case Action::kCsiNodeUpdate:
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

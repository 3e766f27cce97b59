/// NodeAffinity: nodeSelector, required and preferred node affinity.
///
/// Source: framework/plugins/nodeaffinity/node_affinity.go, component-helpers/scheduling/corev1/nodeaffinity
///         (reference kubernetes 1.6).
///         `added` is the plugin's own addedAffinity: null by default.
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling::node_affinity {

/// nodeSelector and required affinity. A term with neither expressions nor fields matches nothing.
bool matches_required(const PodSpec& pod, const Labels& labels, Symbol node, const Interner& names);
/// False: every node matches.
bool has_required(const PodSpec& pod);
bool has_preferred(const PodSpec& pod, const Affinity* added);
/// PreScore: why the preferred terms cannot be read; empty when they can. The API server takes any value there ("-5" and "many" for Gt too), and the whole
/// cycle of such a pod ends with an error as soon as two nodes fit.
std::string unreadable_preference(const PodSpec& pod, const Interner& names);

StatusId filter(const PodSpec& pod, const Affinity* added, const Labels& labels, Symbol node, const Interner& names);
/// PreFilter: the only nodes that can match, by name, when every required term names some (sorted by text); an empty
/// list when the terms contradict each other.
std::optional<std::vector<Symbol>> node_names(const PodSpec& pod, const WellKnown& well_known, const Interner& names);
/// Weights of the preferred terms that match: the raw score, to be normalised to the largest.
std::int64_t preference(const PodSpec& pod, const Affinity* added, const Labels& labels, Symbol node, const Interner& names);

inline constexpr ActionSet kEvents = Action::kNodeAdd | Action::kNodeLabel | Action::kNodeTaint;
bool is_worth_retrying(const PodInfo& pod, const Affinity* added, const ClusterEvent& event, const Interner& names);

}  // namespace sim::k8s::scheduling::node_affinity

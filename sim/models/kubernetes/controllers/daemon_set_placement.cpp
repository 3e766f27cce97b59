#include "sim/models/kubernetes/controllers/daemon_set_placement.hpp"

#include <algorithm>

namespace sim::k8s {

namespace {

bool matches_term(const NodeSelectorTerm& term, const Node& node, const WellKnown& well_known, const Interner& names) {
  if (term.match_expressions.empty() && term.match_fields.empty()) return false;
  Labels fields;
  fields.set(well_known.metadata_name, node.meta.name);
  const auto matches = [&](const std::vector<Requirement>& requirements, const Labels& labels) {
    return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& r) { return r.matches(labels, names); });
  };
  return matches(term.match_expressions, node.meta.labels) && matches(term.match_fields, fields);
}

bool matches_affinity(const Node& node, const PodSpec& spec, const WellKnown& well_known, const Interner& names) {
  for (const Labels::Pair& wanted : spec.node_selector) {
    if (node.meta.labels.find(wanted.key) != wanted.value) return false;
  }
  if (!spec.affinity || !spec.affinity->has_required_node_affinity) return true;
  const std::vector<NodeSelectorTerm>& terms = spec.affinity->required_node_terms;
  return std::any_of(terms.begin(), terms.end(), [&](const NodeSelectorTerm& term) { return matches_term(term, node, well_known, names); });
}

}  // namespace

void add_daemon_tolerations(PodSpec& spec, const WellKnown& wk) {
  const auto add = [&](Symbol key, TaintEffect effect) {
    const Toleration toleration{key, true, Symbol{}, effect, std::nullopt};
    for (Toleration& given : spec.tolerations) {
      if (given.key == key && given.effect == effect && given.exists) {
        given = toleration;  // no tolerationSeconds: a daemon pod is never evicted for these
        return;
      }
    }
    spec.tolerations.push_back(toleration);
  };
  add(wk.not_ready, TaintEffect::kNoExecute);
  add(wk.unreachable, TaintEffect::kNoExecute);
  add(wk.disk_pressure, TaintEffect::kNoSchedule);
  add(wk.memory_pressure, TaintEffect::kNoSchedule);
  add(wk.pid_pressure, TaintEffect::kNoSchedule);
  add(wk.unschedulable, TaintEffect::kNoSchedule);
  if (spec.host_network) add(wk.network_unavailable, TaintEffect::kNoSchedule);
}

DaemonPlacement place_daemon_pod(const Node& node, const PodSpec& spec, const WellKnown& well_known, const Interner& names) {
  if (spec.node_name && spec.node_name != node.meta.name) return {};
  if (!matches_affinity(node, spec, well_known, names)) return {};
  DaemonPlacement placement{true, true};
  for (const Taint& taint : node.taints) {
    if (taint.effect != TaintEffect::kNoSchedule && taint.effect != TaintEffect::kNoExecute) continue;
    if (tolerates(spec.tolerations, taint)) continue;
    placement.should_run = false;
    if (taint.effect == TaintEffect::kNoExecute) placement.should_continue_running = false;
  }
  return placement;
}

std::shared_ptr<const PodSpec> spec_for_node(const PodSpec& spec, Symbol node, const WellKnown& well_known) {
  auto own = std::make_shared<PodSpec>(spec);
  auto affinity = spec.affinity ? std::make_shared<Affinity>(*spec.affinity) : std::make_shared<Affinity>();
  NodeSelectorTerm term;
  term.match_fields.push_back(Requirement{well_known.metadata_name, SelectorOperator::kIn, {node}});
  affinity->has_required_node_affinity = true;
  affinity->required_node_terms.assign(1, std::move(term));
  own->affinity = std::move(affinity);
  return own;
}

Symbol target_node(const Pod& pod, const WellKnown& well_known) {
  if (pod.node_name) return pod.node_name;
  if (!pod.spec->affinity || !pod.spec->affinity->has_required_node_affinity) return Symbol{};
  for (const NodeSelectorTerm& term : pod.spec->affinity->required_node_terms) {
    for (const Requirement& field : term.match_fields) {
      if (field.key == well_known.metadata_name && field.op == SelectorOperator::kIn && field.values.size() == 1) return field.values[0];
    }
  }
  return Symbol{};
}

}  // namespace sim::k8s

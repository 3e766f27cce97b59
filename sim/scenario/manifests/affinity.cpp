#include <algorithm>
#include <utility>

#include "sim/models/kubernetes/api/own_label.hpp"
#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

NodeSelectorTerm ObjectReader::node_term(Yaml node, Values values) {
  return NodeSelectorTerm{expressions(node, "matchExpressions", true, values), expressions(node, "matchFields", true)};
}

std::vector<PodAffinityTerm> ObjectReader::affinity_terms(Yaml parent, std::string_view key, bool weighted) {
  std::vector<PodAffinityTerm> result;
  for (const Yaml entry : maps(parent, key)) {
    const Yaml node = weighted ? map(entry, "podAffinityTerm") : entry;
    PodAffinityTerm term;
    if (weighted) {
      term.weight = integer_or(entry, "weight", 1, 1, 100);
      if (!node) impossible(entry, "a preferred term needs 'podAffinityTerm'");
    }
    term.selector = optional_selector(node, "labelSelector");
    term.topology_key = symbol(node, "topologyKey");
    if (node && !term.topology_key) impossible(node, "an affinity term needs 'topologyKey'");
    term.namespaces = strings(node, "namespaces");
    term.namespace_selector = optional_selector(node, "namespaceSelector");
    for (const auto& [keys, op] : {std::pair{"matchLabelKeys", SelectorOperator::kIn}, std::pair{"mismatchLabelKeys", SelectorOperator::kNotIn}}) {
      for (const Symbol key_of_own : strings(node, keys)) {
        if (!term.selector) {
          impossible(node.find(keys), fmt::format("{} needs 'labelSelector'", keys));
          break;
        }
        const auto same_key = [&](const Requirement& requirement) { return requirement.key == key_of_own; };
        const auto taken = std::find_if(term.selector->requirements.begin(), term.selector->requirements.end(), same_key);
        if (taken == term.selector->requirements.end()) {
          term.selector->requirements.push_back(own_label(key_of_own, op));
        } else if (is_own_label(*taken)) {
          impossible(node.find(keys), fmt::format("the key '{}' is named twice by matchLabelKeys and mismatchLabelKeys", names.text(key_of_own)));
        }
        // Otherwise the API server of a dump has merged the key already.
      }
    }
    result.push_back(std::move(term));
  }
  return result;
}

void ObjectReader::node_affinity(Yaml nodes, Affinity& into, bool of_pod) {
  if (const Yaml required = map(nodes, "requiredDuringSchedulingIgnoredDuringExecution"); required) {
    into.has_required_node_affinity = true;
    for (const Yaml term : maps(required, "nodeSelectorTerms")) into.required_node_terms.push_back(node_term(term, of_pod ? Values::kLabels : Values::kReadable));
    if (into.required_node_terms.empty()) impossible(required, "required node affinity needs at least one of 'nodeSelectorTerms'");
  }
  for (const Yaml term : maps(nodes, "preferredDuringSchedulingIgnoredDuringExecution")) {
    PreferredNodeTerm preferred;
    preferred.weight = integer_or(term, "weight", 1, 1, 100);
    preferred.term = node_term(map(term, "preference"), of_pod ? Values::kAny : Values::kReadable);
    into.preferred_node_terms.push_back(std::move(preferred));
  }
}

std::shared_ptr<const Affinity> ObjectReader::affinity(Yaml parent) {
  const Yaml node = map(parent, "affinity");
  if (!node) return nullptr;
  auto result = std::make_shared<Affinity>();
  node_affinity(map(node, "nodeAffinity"), *result);
  const Yaml near = map(node, "podAffinity");
  result->required_pod_affinity = affinity_terms(near, "requiredDuringSchedulingIgnoredDuringExecution", false);
  result->preferred_pod_affinity = affinity_terms(near, "preferredDuringSchedulingIgnoredDuringExecution", true);
  const Yaml apart = map(node, "podAntiAffinity");
  result->required_pod_anti_affinity = affinity_terms(apart, "requiredDuringSchedulingIgnoredDuringExecution", false);
  result->preferred_pod_anti_affinity = affinity_terms(apart, "preferredDuringSchedulingIgnoredDuringExecution", true);
  return result;
}

TaintEffect ObjectReader::effect(Yaml node, bool needed) {
  if (needed && node.find("effect").is_null()) impossible(node, "a taint needs 'effect'");
  return word<TaintEffect>(node, "effect", {{"", TaintEffect::kNone}, {"NoSchedule", TaintEffect::kNoSchedule},
                                            {"PreferNoSchedule", TaintEffect::kPreferNoSchedule}, {"NoExecute", TaintEffect::kNoExecute}});
}

std::vector<Toleration> ObjectReader::tolerations(Yaml parent) {
  std::vector<Toleration> result;
  for (const Yaml node : maps(parent, "tolerations")) {
    Toleration t;
    t.key = symbol(node, "key");
    t.exists = word<bool>(node, "operator", {{"Equal", false}, {"Exists", true}});
    t.value = symbol(node, "value");
    t.effect = effect(node, false);
    t.seconds = integer(node, "tolerationSeconds", INT64_MIN, INT64_MAX);
    if (t.exists && t.value) impossible(node.find("value"), "a toleration with operator Exists takes no value");
    if (!t.key && !t.exists) impossible(node, "a toleration without 'key' needs operator Exists");
    if (t.seconds && t.effect != TaintEffect::kNoExecute) impossible(node.find("tolerationSeconds"), "tolerationSeconds needs effect NoExecute");
    result.push_back(t);
  }
  return result;
}

}  // namespace sim::scenario::manifests

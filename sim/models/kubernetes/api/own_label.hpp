/// A requirement on the value that a pod's own label has: matchLabelKeys and mismatchLabelKeys of pod (anti)affinity.
///
/// The API server merges them into the selector when it stores a pod; templates keep them, since their pods get labels of their own
/// (pod-template-hash). Until then the requirement is In or NotIn without values, which no manifest can say.
///
/// Source:     pkg/registry/core/pod/strategy.go (applyMatchLabelKeysAndMismatchLabelKeys).
/// Leaves out: a label that changes between a pod's creation and its binding counts with its later value.
/// Checked by: tests/models/kubernetes/scheduler/inter_pod_affinity_test.cpp.
#pragma once

#include "sim/models/kubernetes/api/labels.hpp"

namespace sim::k8s {

inline Requirement own_label(Symbol key, SelectorOperator op) { return Requirement{key, op, {}}; }

inline bool is_own_label(const Requirement& requirement) {
  return requirement.values.empty() && (requirement.op == SelectorOperator::kIn || requirement.op == SelectorOperator::kNotIn);
}

/// The selector for a pod with these labels. A key that the pod does not have is left out.
inline LabelSelector with_own_labels(const LabelSelector& selector, const Labels& labels) {
  LabelSelector result;
  result.requirements.reserve(selector.requirements.size());
  for (const Requirement& requirement : selector.requirements) {
    if (!is_own_label(requirement)) {
      result.requirements.push_back(requirement);
    } else if (const std::optional<Symbol> value = labels.find(requirement.key)) {
      result.requirements.push_back(Requirement{requirement.key, requirement.op, {*value}});
    }
  }
  return result;
}

}  // namespace sim::k8s

#include <algorithm>

#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

/// What admission takes over from a RuntimeClass into the pods that name it. Its handler is no matter of the simulation.
void ObjectReader::runtime_class(Yaml object) {
  other(object, "node.k8s.io/v1");  // kept whole for clients
  RuntimeClassFacts& facts = runtime_classes[symbol(map(object, "metadata"), "name")];
  const Yaml overhead = map(object, "overhead");
  facts.has_overhead = static_cast<bool>(overhead);
  facts.overhead = resources(map(overhead, "podFixed"));
  const Yaml scheduling = map(object, "scheduling");
  facts.node_selector = labels(scheduling, "nodeSelector");
  facts.tolerations = tolerations(scheduling);
}

/// Source: plugin/pkg/admission/runtimeclass. Leaves out: that the pod is refused when its class is in none of the files (that is told as a warning).
void ObjectReader::settle_runtime_classes() {
  for (const WithRuntimeClass& pods : with_runtime_class) {
    const auto found = runtime_classes.find(pods.name);
    if (found == runtime_classes.end()) {
      Unmodelled& told = unmodelled["runtimeClassName whose RuntimeClass is in none of the files"];
      if (told.count++ == 0) told.first = pods.where;
      continue;
    }
    const RuntimeClassFacts& facts = found->second;
    PodSpec& spec = *pods.spec;
    if (facts.has_overhead && spec.overhead != Resources{} && spec.overhead != facts.overhead) {
      diagnostics.error(pods.where, "the pod's overhead differs from that of its RuntimeClass");
    }
    if (facts.has_overhead) spec.overhead = facts.overhead;
    for (const Labels::Pair& pair : facts.node_selector) {
      const std::optional<Symbol> own_value = spec.node_selector.find(pair.key);
      if (own_value && *own_value != pair.value) {
        diagnostics.error(pods.where, fmt::format("the pod's nodeSelector and that of its RuntimeClass want different values of '{}'", names.text(pair.key)));
      }
      spec.node_selector.set(pair.key, pair.value);
    }
    for (const Toleration& toleration : facts.tolerations) {
      if (std::find(spec.tolerations.begin(), spec.tolerations.end(), toleration) == spec.tolerations.end()) spec.tolerations.push_back(toleration);
    }
    finish_pod_spec(spec);
  }
}

}  // namespace sim::scenario::manifests

#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

void ObjectReader::priority_class(Yaml object) {
  Manifest<PriorityClass> m = begin<PriorityClass>(object, false);
  if (object.find("value").is_null()) impossible(object, "PriorityClass needs 'value'");
  const std::string& name = names.text(m.object.meta.name);
  const bool built_in = name == "system-cluster-critical" || name == "system-node-critical";
  m.object.value = static_cast<std::int32_t>(integer_or(object, "value", 0, INT32_MIN, built_in ? INT32_MAX : 1'000'000'000));
  if (name.starts_with("system-") && !built_in) impossible(map(object, "metadata").find("name"), "names with 'system-' are reserved");
  m.object.global_default = boolean(object, "globalDefault", false);
  m.object.preempts = word<bool>(object, "preemptionPolicy", {{"PreemptLowerPriority", true}, {"Never", false}});
  put(set->priority_classes, std::move(m));
}

}  // namespace sim::scenario::manifests

#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

void ObjectReader::node(Yaml object) {
  Manifest<k8s::Node> m = begin<k8s::Node>(object, false);
  k8s::Node& n = m.object;
  const Yaml spec = map(object, "spec");
  n.unschedulable = boolean(spec, "unschedulable", false);
  for (const Yaml entry : maps(spec, "taints")) {
    Taint taint;
    taint.key = symbol(entry, "key");
    if (!taint.key) impossible(entry, "a taint needs 'key'");
    taint.value = symbol(entry, "value");
    taint.effect = effect(entry, true);
    n.taints.push_back(taint);
  }
  const Yaml status = map(object, "status");
  n.capacity = resources(map(status, "capacity"));
  const Yaml allocatable = map(status, "allocatable");
  n.allocatable = allocatable ? resources(allocatable) : n.capacity;
  if (allocatable && !map(status, "capacity")) n.capacity = n.allocatable;
  for (const Yaml condition : maps(status, "conditions")) {
    const std::string_view type = text(condition, "type");
    const ConditionStatus value = word<ConditionStatus>(
        condition, "status", {{"Unknown", ConditionStatus::kUnknown}, {"True", ConditionStatus::kTrue}, {"False", ConditionStatus::kFalse}});
    if (type == "Ready") {
      n.ready = value;
      n.ready_reason = symbol(condition, "reason");
    } else if (type == "MemoryPressure") {
      n.memory_pressure = value == ConditionStatus::kTrue;
    } else if (type == "DiskPressure") {
      n.disk_pressure = value == ConditionStatus::kTrue;
    } else if (type == "PIDPressure") {
      n.pid_pressure = value == ConditionStatus::kTrue;
    }
  }
  for (const Yaml entry : maps(status, "images")) {
    // An image is listed by digest and by tag; pods name either. The scheduler compares with these names as they are, and asks for "nginx:latest" where a
    // pod says "nginx": a name without a tag, which no container runtime reports, attracts no pod.
    const std::vector<Symbol> known = strings(entry, "names");
    NodeImage image;
    image.bytes = integer_or(entry, "sizeBytes", 0, 0, INT64_MAX);
    for (const Symbol name : known) {
      image.image = name;
      n.images.push_back(image);
    }
  }
  put(set->nodes, std::move(m));
}

}  // namespace sim::scenario::manifests

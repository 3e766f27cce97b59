#include "sim/scenario/manifests/object_reader.hpp"

#include <string_view>

namespace sim::scenario::manifests {

namespace {

constexpr Names kClassFields[] = {"apiVersion", "kind", "metadata", "provisioner", "parameters", "reclaimPolicy", "mountOptions", "allowVolumeExpansion",
                                  "volumeBindingMode", "allowedTopologies"};

}  // namespace

void ObjectReader::storage_class(Yaml object) {
  Manifest<StorageClass> m = begin<StorageClass>(object, false);
  StorageClass& c = m.object;
  expect_fields(object, "StorageClass", kClassFields);
  c.provisioner = symbol(object, "provisioner");
  if (object.find("provisioner").is_null()) impossible(object, "StorageClass needs 'provisioner'");
  c.parameters = labels(object, "parameters", false);
  c.reclaim_policy = word<ReclaimPolicy>(object, "reclaimPolicy", {{"Delete", ReclaimPolicy::kDelete}, {"Retain", ReclaimPolicy::kRetain}});
  c.wait_for_first_consumer = word<bool>(object, "volumeBindingMode", {{"Immediate", false}, {"WaitForFirstConsumer", true}});
  for (const Yaml term : maps(object, "allowedTopologies")) {
    NodeSelectorTerm topology;
    for (const Yaml entry : maps(term, "matchLabelExpressions")) {
      topology.match_expressions.push_back(Requirement{symbol(entry, "key"), SelectorOperator::kIn, strings(entry, "values")});
    }
    c.allowed_topologies.push_back(std::move(topology));
  }
  const Yaml annotations = map(map(object, "metadata"), "annotations");
  for (const std::string_view key : {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"}) {
    c.is_default = c.is_default || annotations.find(key).text() == "true";
  }
  put(set->storage_classes, std::move(m));
}

}  // namespace sim::scenario::manifests

#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

/// Of a CSINode only the limits count: they become its Node's when all files are read (see finish()).
void ObjectReader::csi_node(Yaml object) {
  ObjectMeta meta;
  std::vector<OwnerName> owners;
  metadata(object, Kind::kOther, false, meta, owners);
  std::vector<k8s::Node::VolumeLimit>& limits = csi_limits[meta.name];
  for (const Yaml driver : maps(map(object, "spec"), "drivers")) {
    const Symbol name = symbol(driver, "name");
    if (!name) {
      impossible(driver, "a driver of a CSINode needs 'name'");
      continue;
    }
    // A driver that is there without a count takes any number, whatever is usual for it.
    limits.push_back({name, integer_or(map(driver, "allocatable"), "count", INT64_MAX, 0, INT64_MAX)});
  }
}

}  // namespace sim::scenario::manifests

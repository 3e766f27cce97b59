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

/// Of a CSIDriver only whether it tracks capacity.
void ObjectReader::csi_driver(Yaml object) {
  ObjectMeta meta;
  std::vector<OwnerName> owners;
  metadata(object, Kind::kOther, false, meta, owners);
  if (boolean(map(object, "spec"), "storageCapacity", false)) capacity_drivers.insert(meta.name);
}

void ObjectReader::storage_capacity(Yaml object) {
  ObjectMeta meta;
  std::vector<OwnerName> owners;
  metadata(object, Kind::kOther, true, meta, owners);
  const Symbol storage_class = symbol(object, "storageClassName");
  if (!storage_class) impossible(object, "CSIStorageCapacity needs 'storageClassName'");
  StorageCapacity capacity;
  capacity.topology = optional_selector(object, "nodeTopology");
  for (const std::string_view key : {"maximumVolumeSize", "capacity"}) {
    const Yaml amount = object.find(key);
    if (amount.is_null()) continue;
    const std::optional<std::int64_t> bytes = amount.is_scalar() ? parse_quantity(amount.text()) : std::nullopt;
    if (!bytes || *bytes < 0) wrong(amount, "a quantity such as 10Gi");
    capacity.bytes = bytes.value_or(-1);
    break;
  }
  capacities[storage_class].push_back(std::move(capacity));
}

void ObjectReader::settle_capacities() {
  for (Manifest<StorageClass>& m : set->storage_classes) {
    if (!capacity_drivers.contains(m.object.provisioner)) continue;
    m.object.capacities = std::make_shared<const std::vector<StorageCapacity>>(capacities[m.object.meta.name]);
  }
}

}  // namespace sim::scenario::manifests

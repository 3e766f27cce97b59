#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kClaimFields[] = {"accessModes", "selector", "resources", "volumeName", "storageClassName", "volumeMode", "dataSource", "dataSourceRef",
                                  "volumeAttributesClassName"};

}  // namespace

AccessModes ObjectReader::access_modes(Yaml spec) {
  AccessModes modes;
  const Yaml list = spec.find("accessModes");
  for (const Symbol mode : strings(spec, "accessModes")) {
    const std::string& word = names.text(mode);
    if (word == "ReadWriteOnce") modes.bits |= AccessModes::kReadWriteOnce;
    else if (word == "ReadOnlyMany") modes.bits |= AccessModes::kReadOnlyMany;
    else if (word == "ReadWriteMany") modes.bits |= AccessModes::kReadWriteMany;
    else if (word == "ReadWriteOncePod") modes.bits |= AccessModes::kReadWriteOncePod;
    else impossible(list, fmt::format("unknown access mode '{}'", word)).expected = "ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod";
  }
  return modes;
}

std::int64_t ObjectReader::storage_bytes(Yaml amounts, Yaml otherwise) {
  const Yaml value = amounts.find("storage");
  if (value.is_null()) {
    impossible(amounts ? amounts : otherwise, "the amount of 'storage' is missing");
    return 0;
  }
  const std::optional<std::int64_t> bytes = value.is_scalar() ? parse_quantity(value.text()) : std::nullopt;
  if (!bytes) wrong(value, "a quantity such as 10Gi");
  else if (*bytes <= 0) impossible(value, "the amount of storage must be greater than zero");
  return bytes.value_or(0);
}

ClaimSpec ObjectReader::claim_spec(Yaml spec) {
  ClaimSpec claim;
  expect_fields(spec, "PersistentVolumeClaim.spec", kClaimFields);
  claim.access_modes = access_modes(spec);
  if (claim.access_modes.bits == 0) impossible(spec.find("accessModes") ? spec.find("accessModes") : spec, "a claim needs at least one of 'accessModes'");
  if (claim.access_modes.has(AccessModes::kReadWriteOncePod) && claim.access_modes.bits != AccessModes::kReadWriteOncePod) {
    impossible(spec.find("accessModes"), "ReadWriteOncePod may not stand beside other access modes");
  }
  claim.bytes = storage_bytes(map(map(spec, "resources"), "requests"), spec);
  if (!spec.find("storageClassName").is_null()) claim.storage_class = symbol(spec, "storageClassName");
  claim.volume_name = symbol(spec, "volumeName");
  claim.selector = optional_selector(spec, "selector");
  claim.block = word<bool>(spec, "volumeMode", {{"Filesystem", false}, {"Block", true}});
  not_simulated(spec.find("dataSource"), "PersistentVolumeClaim.spec.dataSource (the volume begins empty)");
  not_simulated(spec.find("dataSourceRef"), "PersistentVolumeClaim.spec.dataSourceRef (the volume begins empty)");
  not_simulated(spec.find("volumeAttributesClassName"), "PersistentVolumeClaim.spec.volumeAttributesClassName");
  return claim;
}

ClaimTemplate ObjectReader::claim_template(Yaml node) {
  ClaimTemplate result;
  const Yaml metadata = map(node, "metadata");
  result.name = symbol(metadata, "name");
  result.labels = labels(metadata, "labels");
  result.annotations = labels(metadata, "annotations", false);
  const Yaml spec = map(node, "spec");
  if (!spec && node.find("spec").is_null()) impossible(node, "a template of a claim needs 'spec'");
  if (spec) result.spec = claim_spec(spec);
  return result;
}

void ObjectReader::claim(Yaml object) {
  Manifest<PersistentVolumeClaim> m = begin<PersistentVolumeClaim>(object, true);
  if (const Yaml spec = spec_of(object); spec) m.object.spec = claim_spec(spec);
  const Yaml annotations = map(map(object, "metadata"), "annotations");
  // A claim of a dump that is bound stays so, when its volume is there too (see store()). As upstream it asks for the annotation, not for its value.
  m.object.bind_completed = annotations.find("pv.kubernetes.io/bind-completed") && m.object.spec.volume_name;
  if (map(object, "status").find("phase").text() == "Lost") m.object.phase = ClaimPhase::kLost;
  not_simulated(object.find("spec"), std::string(kUnsimulatedObject));
  put(set->claims, std::move(m));
}

}  // namespace sim::scenario::manifests

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

std::string short_modes(const Json& modes) {
  std::vector<std::string> parts;
  for (const Json& mode : modes.items()) {
    const std::string& text = mode.text();
    parts.push_back(text == "ReadWriteOnce" ? "RWO" : text == "ReadOnlyMany" ? "ROX" : text == "ReadWriteMany" ? "RWX" : text == "ReadWriteOncePod" ? "RWOP" : text);
  }
  return join_text(parts);
}

void volume_defaults(Json& volume) {
  volume["spec"].set_default("persistentVolumeReclaimPolicy", "Retain");
  volume["spec"].set_default("volumeMode", "Filesystem");
}
void volume_prepare(Json& volume, const Json* before) { volume.set("status", before == nullptr ? Json::object({{"phase", "Pending"}}) : before->at("status")); }

std::vector<Json> volume_row(const Json& volume, Now now) {
  const Json& spec = volume.at("spec");
  const Json& claim = spec.at("claimRef");
  const bool deleting = !volume.at({"metadata", "deletionTimestamp"}).is_null();
  return {volume.at({"metadata", "name"}), spec.at({"capacity", "storage"}).text(), short_modes(spec.at("accessModes")), spec.at("persistentVolumeReclaimPolicy").text(),
          deleting ? "Terminating" : volume.at({"status", "phase"}).text(), claim.is_null() ? "" : claim.at("namespace").text() + "/" + claim.at("name").text(),
          spec.at("storageClassName").text(), spec.at("volumeAttributesClassName").is_null() ? "<unset>" : spec.at("volumeAttributesClassName").text(),
          volume.at({"status", "reason"}).text(), age(volume.at({"metadata", "creationTimestamp"}), now), spec.at("volumeMode").text()};
}

void claim_defaults(Json& claim) { claim["spec"].set_default("volumeMode", "Filesystem"); }
void claim_prepare(Json& claim, const Json* before) { claim.set("status", before == nullptr ? Json::object({{"phase", "Pending"}}) : before->at("status")); }
void claim_validate(const Json& claim, const Json* before, FieldErrors& errors) {
  const Json& spec = claim.at("spec");
  if (before == nullptr) {
    if (spec.at("accessModes").is_empty()) errors.required("spec.accessModes", "at least 1 access mode is required");
    if (spec.at({"resources", "requests", "storage"}).is_null()) errors.required("spec.resources[storage]", "");
    return;
  }
  const auto fixed = [](const Json& document) {
    Json copy = document.at("spec");
    copy.erase("resources");
    copy.erase("volumeAttributesClassName");
    if (document.at({"spec", "volumeName"}).text().empty()) copy.erase("volumeName");
    return copy;
  };
  Json now = fixed(claim);
  const Json old = fixed(*before);
  if (old.find("volumeName") == nullptr) now.erase("volumeName");
  if (!(now == old)) errors.forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
}

std::vector<Json> claim_row(const Json& claim, Now now) {
  const Json& spec = claim.at("spec");
  const bool deleting = !claim.at({"metadata", "deletionTimestamp"}).is_null();
  const bool bound = !spec.at("volumeName").text().empty();
  return {claim.at({"metadata", "name"}), deleting ? "Terminating" : claim.at({"status", "phase"}).text(), spec.at("volumeName").text(),
          bound ? claim.at({"status", "capacity", "storage"}).text() : "", bound ? short_modes(claim.at({"status", "accessModes"})) : "", spec.at("storageClassName").text(),
          spec.at("volumeAttributesClassName").is_null() ? "<unset>" : spec.at("volumeAttributesClassName").text(), age(claim.at({"metadata", "creationTimestamp"}), now),
          spec.at("volumeMode").text()};
}

}  // namespace

KindRules persistent_volume_rules() {
  return {"", "PersistentVolume", volume_defaults, volume_prepare, nullptr,
          {{"Name", "string", "name"}, {"Capacity"}, {"Access Modes"}, {"Reclaim Policy"}, {"Status"}, {"Claim"}, {"StorageClass"}, {"VolumeAttributesClass"}, {"Reason"}, {"Age"},
           {"VolumeMode", "string", "", 1}},
          volume_row};
}

KindRules persistent_volume_claim_rules() {
  return {"", "PersistentVolumeClaim", claim_defaults, claim_prepare, claim_validate,
          {{"Name", "string", "name"}, {"Status"}, {"Volume"}, {"Capacity"}, {"Access Modes"}, {"StorageClass"}, {"VolumeAttributesClass"}, {"Age"}, {"VolumeMode", "string", "", 1}},
          claim_row};
}

}  // namespace sim::loop

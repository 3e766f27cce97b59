/// Kinds that the model mostly reads: priority classes, namespaces, storage.
#include <fmt/format.h>

#include "sim/loop/model/codec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;

void Codec<PriorityClass>::render(const PriorityClass& object, Json& document, RenderContext&) {
  document.set("value", std::int64_t{object.value});
  if (object.global_default) document.set("globalDefault", true);
  document.set_default("preemptionPolicy", object.preempts ? "PreemptLowerPriority" : "Never");
}
Change Codec<PriorityClass>::apply_spec(PriorityClass& to, PriorityClass& from, const Json&, RenderContext&) {
  to.global_default = from.global_default;
  return Change::kSpec;
}
Change Codec<PriorityClass>::apply_status(PriorityClass&, const Json&, const Json&, RenderContext&) { return Change::kNone; }
void Codec<PriorityClass>::created(PriorityClass&, Json&, RenderContext&, std::string&) {}

void Codec<Namespace>::render(const Namespace&, Json& document, RenderContext&) {
  if (document.at({"spec", "finalizers"}).is_null()) document["spec"].set("finalizers", Json::array({"kubernetes"}));
  document["status"].set_default("phase", "Active");
}
Change Codec<Namespace>::apply_spec(Namespace& to, Namespace&, const Json& document, RenderContext& context) {
  if (!to.meta.is_deleting() && !document.at({"metadata", "deletionTimestamp"}).is_null()) {
    to.meta.deletion_timestamp = context.world.engine.now();
    return Change::kDeletion;
  }
  return Change::kNone;
}
Change Codec<Namespace>::apply_status(Namespace&, const Json&, const Json&, RenderContext&) { return Change::kNone; }
void Codec<Namespace>::created(Namespace&, Json&, RenderContext&, std::string&) {}

void Codec<StorageClass>::render(const StorageClass& object, Json& document, RenderContext& context) {
  document.set("provisioner", context.text(object.provisioner));
  document.set_default("reclaimPolicy", object.reclaim_policy == ReclaimPolicy::kDelete ? "Delete" : "Retain");
  document.set_default("volumeBindingMode", object.wait_for_first_consumer ? "WaitForFirstConsumer" : "Immediate");
  if (!object.parameters.empty() && document.at("parameters").is_null()) document.set("parameters", labels_json(object.parameters, context.world.names));
  if (object.is_default) document["metadata"]["annotations"].set("storageclass.kubernetes.io/is-default-class", "true");
}
Change Codec<StorageClass>::apply_spec(StorageClass& to, StorageClass& from, const Json&, RenderContext&) {
  to.is_default = from.is_default;
  return Change::kSpec;
}
Change Codec<StorageClass>::apply_status(StorageClass&, const Json&, const Json&, RenderContext&) { return Change::kNone; }
void Codec<StorageClass>::created(StorageClass&, Json&, RenderContext&, std::string&) {}

namespace {

Json modes_json(AccessModes modes) {
  Json result = Json::array();
  if (modes.has(AccessModes::kReadWriteOnce)) result.push_back("ReadWriteOnce");
  if (modes.has(AccessModes::kReadOnlyMany)) result.push_back("ReadOnlyMany");
  if (modes.has(AccessModes::kReadWriteMany)) result.push_back("ReadWriteMany");
  if (modes.has(AccessModes::kReadWriteOncePod)) result.push_back("ReadWriteOncePod");
  return result;
}

}  // namespace

void Codec<PersistentVolume>::render(const PersistentVolume& volume, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  spec["capacity"].set_default("storage", format_bytes(volume.bytes));
  if (spec.at("accessModes").is_null()) spec.set("accessModes", modes_json(volume.access_modes));
  spec.set("persistentVolumeReclaimPolicy", volume.reclaim_policy == ReclaimPolicy::kDelete ? "Delete" : "Retain");
  if (volume.storage_class) spec.set("storageClassName", context.text(volume.storage_class));
  spec.set_default("volumeMode", volume.block ? "Block" : "Filesystem");
  if (volume.driver && volume.is_dynamic && spec.at("csi").is_null()) {
    spec.set("csi", Json::object({{"driver", context.text(volume.driver)}, {"volumeHandle", context.text(volume.meta.name)}}));
    document["metadata"]["annotations"].set("pv.kubernetes.io/provisioned-by", context.text(volume.driver));
  }
  if (volume.claim_name) {
    Json claim = Json::object({{"kind", "PersistentVolumeClaim"}, {"apiVersion", "v1"}, {"namespace", context.text(volume.claim_ns)}, {"name", context.text(volume.claim_name)}});
    if (volume.claim_uid != 0) claim.set("uid", context.store.uid_text(volume.claim_uid));
    spec.set("claimRef", std::move(claim));
  } else {
    spec.erase("claimRef");
  }
  document["status"].set("phase", to_string(volume.phase));
}
Change Codec<PersistentVolume>::apply_spec(PersistentVolume& to, PersistentVolume& from, const Json& document, RenderContext& context) {
  to.reclaim_policy = from.reclaim_policy;
  to.claim_ns = from.claim_ns;
  to.claim_name = from.claim_name;
  to.claim_uid = context.store.serial_of(document.at({"spec", "claimRef", "uid"}).text()).value_or(0);
  return Change::kBinding;
}
Change Codec<PersistentVolume>::apply_status(PersistentVolume& to, const Json&, const Json& document, RenderContext&) {
  const std::string& phase = document.at({"status", "phase"}).text();
  for (const VolumePhase p : {VolumePhase::kPending, VolumePhase::kAvailable, VolumePhase::kBound, VolumePhase::kReleased, VolumePhase::kFailed}) {
    if (phase == to_string(p)) to.phase = p;
  }
  return Change::kStatus;
}
void Codec<PersistentVolume>::created(PersistentVolume& volume, Json&, RenderContext&, std::string&) { volume.phase = VolumePhase::kPending; }

void Codec<PersistentVolumeClaim>::render(const PersistentVolumeClaim& claim, Json& document, RenderContext& context) {
  document["status"];  // a new member moves the others: before the reference
  Json& spec = document["spec"];
  if (spec.at("accessModes").is_null()) spec.set("accessModes", modes_json(claim.spec.access_modes));
  spec["resources"]["requests"].set_default("storage", format_bytes(claim.spec.bytes));
  spec.set_default("volumeMode", claim.spec.block ? "Block" : "Filesystem");
  if (claim.spec.storage_class) spec.set("storageClassName", context.text(*claim.spec.storage_class));
  if (claim.spec.volume_name) spec.set("volumeName", context.text(claim.spec.volume_name));
  Json& status = document["status"];
  if (context.external_controllers) {
    status.set_default("phase", "Pending");
  } else {
    status.set("phase", to_string(claim.phase));
    if (claim.is_bound()) {
      status.set("accessModes", spec.at("accessModes"));
      status["capacity"].set("storage", spec.at({"resources", "requests", "storage"}));
    }
  }
  Json& metadata = document["metadata"];
  if (claim.bind_completed) metadata["annotations"].set("pv.kubernetes.io/bind-completed", "yes");
  if (claim.selected_node) metadata["annotations"].set("volume.kubernetes.io/selected-node", context.text(claim.selected_node));
  if (claim.provisioner) metadata["annotations"].set("volume.kubernetes.io/storage-provisioner", context.text(claim.provisioner));
}
Change Codec<PersistentVolumeClaim>::apply_spec(PersistentVolumeClaim& to, PersistentVolumeClaim& from, const Json& document, RenderContext& context) {
  to.spec.volume_name = from.spec.volume_name;
  to.spec.storage_class = from.spec.storage_class;
  to.spec.bytes = from.spec.bytes;
  const Json& annotations = document.at({"metadata", "annotations"});
  to.bind_completed = annotations.find("pv.kubernetes.io/bind-completed") != nullptr;
  to.selected_node = context.world.names.intern(annotations.at("volume.kubernetes.io/selected-node").text());
  to.provisioner = context.world.names.intern(annotations.at("volume.kubernetes.io/storage-provisioner").text());
  return Change::kBinding | Change::kSpec;
}
Change Codec<PersistentVolumeClaim>::apply_status(PersistentVolumeClaim& to, const Json&, const Json& document, RenderContext&) {
  const std::string& phase = document.at({"status", "phase"}).text();
  for (const ClaimPhase p : {ClaimPhase::kPending, ClaimPhase::kBound, ClaimPhase::kLost}) {
    if (phase == to_string(p)) to.phase = p;
  }
  return Change::kStatus;
}
void Codec<PersistentVolumeClaim>::created(PersistentVolumeClaim& claim, Json& document, RenderContext& context, std::string&) {
  claim.phase = ClaimPhase::kPending;
  claim.meta.finalizers.push_back(context.world.api.well_known().pvc_protection);
  document["metadata"]["finalizers"].push_back("kubernetes.io/pvc-protection");
}

void Codec<VolumeAttachment>::render(const VolumeAttachment& object, Json& document, RenderContext& context) {
  document.set("spec", Json::object({{"attacher", context.text(object.attacher)}, {"nodeName", context.text(object.node)}, {"source", Json::object({{"persistentVolumeName", context.text(object.volume)}})}}));
  Json& status = document["status"];
  status.set("attached", object.attached);
  if (object.error.empty()) {
    status.erase("attachError");
  } else {
    status["attachError"].set("message", object.error);
  }
}
Change Codec<VolumeAttachment>::apply_spec(VolumeAttachment&, VolumeAttachment&, const Json&, RenderContext&) { return Change::kNone; }
Change Codec<VolumeAttachment>::apply_status(VolumeAttachment& to, const Json&, const Json& document, RenderContext&) {
  to.attached = document.at({"status", "attached"}).as_bool();
  return Change::kVolumes;
}
void Codec<VolumeAttachment>::created(VolumeAttachment&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop

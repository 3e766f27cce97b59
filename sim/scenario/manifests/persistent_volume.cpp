#include "sim/scenario/manifests/object_reader.hpp"

#include <utility>

namespace sim::scenario::manifests {

namespace {

constexpr Names kVolumeFields[] = {"capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions", "volumeMode",
                                   "nodeAffinity", "volumeAttributesClassName", "csi", "local", "hostPath", "nfs", "rbd", "cephfs", "iscsi", "fc",
                                   "awsElasticBlockStore", "gcePersistentDisk", "azureDisk", "azureFile", "cinder", "vsphereVolume", "flexVolume", "flocker",
                                   "glusterfs", "photonPersistentDisk", "portworxVolume", "quobyte", "scaleIO", "storageos"};

}  // namespace

Symbol ObjectReader::volume_driver(Yaml spec) {
  if (const Yaml csi = map(spec, "csi"); csi) return symbol(csi, "driver");
  // Those that moved to CSI drivers go by the drivers' names, as csi-translation-lib has it.
  constexpr std::pair<std::string_view, std::string_view> kPlugins[] = {
      {"local", "kubernetes.io/local-volume"},           {"hostPath", "kubernetes.io/host-path"},  {"nfs", "kubernetes.io/nfs"},
      {"rbd", "kubernetes.io/rbd"},                      {"cephfs", "kubernetes.io/cephfs"},       {"iscsi", "kubernetes.io/iscsi"},
      {"fc", "kubernetes.io/fc"},                        {"awsElasticBlockStore", "ebs.csi.aws.com"}, {"gcePersistentDisk", "pd.csi.storage.gke.io"},
      {"azureDisk", "disk.csi.azure.com"},               {"azureFile", "file.csi.azure.com"},      {"cinder", "cinder.csi.openstack.org"},
      {"vsphereVolume", "csi.vsphere.vmware.com"}};
  for (const auto& [key, driver] : kPlugins) {
    if (!spec.find(key).is_null()) return intern(driver);
  }
  impossible(spec, "PersistentVolume: the source of this volume is missing, or is none that is simulated").expected =
      "one of csi, local, hostPath, nfs, rbd, cephfs, iscsi, fc, awsElasticBlockStore, gcePersistentDisk, azureDisk, azureFile, cinder, vsphereVolume";
  return Symbol{};
}

void ObjectReader::persistent_volume(Yaml object) {
  Manifest<PersistentVolume> m = begin<PersistentVolume>(object, false);
  PersistentVolume& v = m.object;
  if (const Yaml spec = spec_of(object); spec) {
    expect_fields(spec, "PersistentVolume.spec", kVolumeFields);
    v.bytes = storage_bytes(map(spec, "capacity"), spec);
    v.access_modes = access_modes(spec);
    if (v.access_modes.bits == 0) impossible(spec, "PersistentVolume needs at least one of 'accessModes'");
    v.reclaim_policy = word<ReclaimPolicy>(spec, "persistentVolumeReclaimPolicy", {{"Retain", ReclaimPolicy::kRetain}, {"Delete", ReclaimPolicy::kDelete}});
    v.storage_class = symbol(spec, "storageClassName");
    v.block = word<bool>(spec, "volumeMode", {{"Filesystem", false}, {"Block", true}});
    v.driver = volume_driver(spec);
    if (const Yaml required = map(map(spec, "nodeAffinity"), "required"); required) {
      v.has_node_affinity = true;
      for (const Yaml term : maps(required, "nodeSelectorTerms")) v.node_affinity.push_back(node_term(term));
    }
    if (!spec.find("local").is_null() && !v.has_node_affinity) impossible(spec, "a local volume needs node affinity");
    v.is_dynamic = !map(map(object, "metadata"), "annotations").find("pv.kubernetes.io/provisioned-by").is_null();
    const Yaml claim = map(spec, "claimRef");
    v.claim_ns = symbol(claim, "namespace");
    v.claim_name = symbol(claim, "name");
    if (claim && (!v.claim_ns || !v.claim_name)) impossible(claim, "claimRef needs 'namespace' and 'name'");
  }
  put(set->volumes, std::move(m));
}

}  // namespace sim::scenario::manifests

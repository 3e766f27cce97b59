/// Decisions about claims and volumes that take no time: the claim of a pod's volume, which volume a claim gets, which nodes can use it.
///
/// Source:     pkg/controller/volume/persistentvolume/index.go (findBestMatchForClaim), component-helpers/storage/volume/{helpers,pv_helpers}.go
///             (FindMatchingVolume, CheckNodeAffinity), component-helpers/storage/ephemeral; plugin/pkg/admission/storage/storageclass/setdefault;
///             reference kubernetes 2.15, 4.12.
/// Leaves out: volumes that wait for their expansion; VolumeAttributesClass.
/// Checked by: tests/models/kubernetes/volumes/claims_test.cpp.
#pragma once

#include <functional>
#include <string_view>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

/// The name of the claim behind a pod's volume.
Symbol claim_name(Interner& names, Symbol pod_name, const PodVolume& volume);

/// A claim as POST persistentvolumeclaims stores it: with the default class where none is named, and the protecting finalizer.
PersistentVolumeClaim make_claim(ApiServer& api, Symbol ns, Symbol name, const ClaimTemplate& from);
/// The newest default class (ties by name); null without one.
const StorageClass* default_class(const ApiServer& api);
/// The class of a claim; null when it names none or one that does not exist.
const StorageClass* class_of(const ApiServer& api, const PersistentVolumeClaim& claim);
/// Bound only once a pod that uses it has a node (volumeBindingMode WaitForFirstConsumer).
bool waits_for_consumer(const ApiServer& api, const PersistentVolumeClaim& claim);

/// Whether the volume's node affinity lets this node use it.
bool is_usable_from(const PersistentVolume& volume, const Node& node, const Interner& names);
/// The same, for a node of which only labels and name are at hand.
bool is_usable_from(const PersistentVolume& volume, const Labels& labels, Symbol node, const Interner& names);
/// Whether a node is of a class's allowedTopologies.
bool is_allowed_by(const StorageClass& storage_class, const Labels& labels, const Interner& names);

/// Which volumes matter to a search.
struct VolumeSearch {
  const Labels* node_labels = nullptr;  // of the node that must be able to use it; null: any
  Symbol node;
  const std::vector<Ref<PersistentVolume>>* candidates = nullptr;  // null: every volume; those that are gone are passed over
  bool only_reserved = false;           // only a volume that is reserved for this claim (delayed binding)
  std::function<bool(Symbol volume)> is_taken;  // beside what the API says
};
/// The volume that a claim gets: one that is reserved for it, else the smallest free one that is large enough and fits (ties: by fewest access
/// modes, then by name). Ref{}: none.
Ref<PersistentVolume> find_volume(const ApiServer& api, const PersistentVolumeClaim& claim, const VolumeSearch& search);
/// Not bound: one that a claim may still get.
inline bool is_open(const PersistentVolume& volume) { return volume.phase == VolumePhase::kPending || volume.phase == VolumePhase::kAvailable; }
/// The volume is reserved for, or bound to, this claim.
bool is_claimed_by(const PersistentVolume& volume, const PersistentVolumeClaim& claim);

/// The claim of a pod's volume; null when there is none.
const PersistentVolumeClaim* find_claim(const ApiServer& api, Symbol ns, Symbol pod_name, const PodVolume& volume);
/// The bound volume behind a pod's volume; null when its claim is missing or not bound.
const PersistentVolume* find_bound_volume(const ApiServer& api, Symbol ns, Symbol pod_name, const PodVolume& volume);

}  // namespace sim::k8s

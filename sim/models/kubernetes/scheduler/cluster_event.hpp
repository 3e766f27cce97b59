/// A change in the cluster that may make a pod schedulable, narrow enough for the plugins' queueing hints.
///
/// Source: pkg/scheduler/framework/events.go, types.go (ClusterEvent, ActionType); reference kubernetes 1.2.
#pragma once

#include <cstdint>

#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling {

/// What happened. Exactly one per event; an object's update that changes two things is two events.
enum class Action : std::uint32_t {
  kNodeAdd = 1u << 0,
  kNodeDelete = 1u << 1,
  kNodeAllocatable = 1u << 2,
  kNodeLabel = 1u << 3,
  kNodeTaint = 1u << 4,  // also: unschedulable true -> false
  kPodAdd = 1u << 5,     // a pod was bound
  kPodDelete = 1u << 6,  // a pod on a node (or nominated to one) is gone
  kPodLabel = 1u << 7,
  kPodToleration = 1u << 8,  // of the pending pod itself
  kClaimAdd = 1u << 9,       // a PersistentVolumeClaim
  kClaimUpdate = 1u << 10,
  kVolumeAdd = 1u << 11,  // a PersistentVolume
  kVolumeUpdate = 1u << 12,
  kClassAdd = 1u << 13,  // a StorageClass
  kClassUpdate = 1u << 14,
  kCsiNodeAdd = 1u << 15,
  kCsiNodeUpdate = 1u << 16,
  kAttachmentDelete = 1u << 17,
};
using ActionSet = std::uint32_t;
constexpr ActionSet operator|(Action a, Action b) { return static_cast<ActionSet>(static_cast<unsigned>(a) | static_cast<unsigned>(b)); }
constexpr ActionSet operator|(ActionSet a, Action b) { return static_cast<ActionSet>(a | static_cast<unsigned>(b)); }
constexpr bool has(ActionSet set, Action action) { return (set & static_cast<unsigned>(action)) != 0; }

/// A pod as it was or is, in an event.
struct PodView {
  Ref<Pod> ref;
  Symbol ns;
  const Labels* labels = nullptr;
  const PodSpec* spec = nullptr;
  bool placed = false;  // on a node, or nominated to one
};

struct ClusterEvent {
  Action action = Action::kNodeAdd;
  // Node events: before is null for an added node, after for a deleted one.
  const NodeView* node_before = nullptr;
  const NodeView* node_after = nullptr;
  Symbol node_name;
  // Pod events likewise.
  const PodView* pod_before = nullptr;
  const PodView* pod_after = nullptr;
  // Events of claims.
  Symbol claim_ns{};
  Symbol claim{};
  /// What of a storage object's event a hint asks about. kVolumeUpdate: the labels of its zones changed; kClassAdd: it waits for the first consumer;
  /// kClassUpdate: its allowedTopologies changed; kCsiNodeUpdate: a driver may attach more volumes than before.
  bool is_telling = false;
};

/// Whether the event's claim is one of the pod's, by its name; of generic ephemeral volumes too.
bool uses_claim(const PodInfo& pod, const ClusterEvent& event, const Interner& names);

}  // namespace sim::k8s::scheduling

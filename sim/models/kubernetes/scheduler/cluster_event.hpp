/// A change in the cluster that may make a pod schedulable, narrow enough for the plugins' queueing hints.
///
/// Source: pkg/scheduler/framework/events.go, types.go (ClusterEvent, ActionType); reference kubernetes 1.2.
#pragma once

#include <cstdint>

#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling {

/// What happened. Exactly one per event; an object's update that changes two things is two events.
enum class Action : std::uint16_t {
  kNodeAdd = 1u << 0,
  kNodeDelete = 1u << 1,
  kNodeAllocatable = 1u << 2,
  kNodeLabel = 1u << 3,
  kNodeTaint = 1u << 4,  // also: unschedulable true -> false
  kPodAdd = 1u << 5,     // a pod was bound
  kPodDelete = 1u << 6,  // a pod on a node (or nominated to one) is gone
  kPodLabel = 1u << 7,
  kPodToleration = 1u << 8,  // of the pending pod itself
  kClaimChange = 1u << 9,    // a PersistentVolumeClaim came or changed
  kVolumeChange = 1u << 10,  // a PersistentVolume
  kClassChange = 1u << 11,   // a StorageClass
  kVolumeLimit = 1u << 12,   // CSINode
  kAttachmentDelete = 1u << 13,
};
using ActionSet = std::uint16_t;
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
};

}  // namespace sim::k8s::scheduling

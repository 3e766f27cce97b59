/// Words that the scheduler's plugins share: what a filter says of a node, who said it, and the text that people read.
///
/// Source: staging/src/k8s.io/kube-scheduler/framework/interface.go (Code, Status), pkg/scheduler/framework/types.go;
///         reference kubernetes 1.6.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/core/symbol.hpp"

namespace sim::k8s::scheduling {

/// The plugins that are modelled, in the order in which they run.
enum class Plugin : std::uint8_t {
  kSchedulingGates,
  kNodeUnschedulable,
  kNodeName,
  kTaintToleration,
  kNodeAffinity,
  kNodePorts,
  kNodeResourcesFit,
  kVolumeRestrictions,
  kNodeVolumeLimits,
  kVolumeBinding,
  kVolumeZone,
  kPodTopologySpread,
  kInterPodAffinity,
  kDefaultPreemption,
  kNodeResourcesBalancedAllocation,
  kImageLocality,
};
const char* to_string(Plugin plugin);

/// A set of plugins, one bit each: the rejectors of a pod.
using PluginSet = std::uint32_t;
constexpr PluginSet set_of(Plugin plugin) { return 1u << static_cast<unsigned>(plugin); }
constexpr bool contains(PluginSet set, Plugin plugin) { return (set & set_of(plugin)) != 0; }

enum class Code : std::uint8_t {
  kSuccess,
  kUnschedulable,  // removing other pods may help
  kUnresolvable,   // UnschedulableAndUnresolvable: preemption does not help
};

/// What a filter found. `reasons` are what the FailedScheduling event counts.
struct Status {
  Code code = Code::kSuccess;
  Plugin plugin = Plugin::kSchedulingGates;
  std::vector<std::string> reasons;
};

/// A status as a small number, so that a verdict on a node is two bytes. 0 is success.
using StatusId = std::uint16_t;
inline constexpr StatusId kFits = 0;

/// Statuses without parameters, by their fixed ids (see StatusTable).
enum FixedStatus : StatusId {
  kStatusNodeUnschedulable = 1,
  kStatusNodeName,
  kStatusTaint,
  kStatusNodeAffinity,
  kStatusNodeAffinityConflict,
  kStatusNodePorts,
  kStatusSpread,
  kStatusSpreadMissingLabel,
  kStatusPodAffinity,
  kStatusPodAntiAffinity,
  kStatusExistingAntiAffinity,
  kStatusNoVictims,
  kStatusPreemptionNotHelpful,
  kStatusVolumeInUse,
  kStatusVolumeLimit,
  kStatusVolumeNodeConflict,
  kStatusVolumeNoMatch,
  kStatusVolumeMissing,
  kStatusVolumeNodeConflictNoMatch,  // both reasons
  kStatusVolumeNoMatchMissing,
  kStatusVolumeNoSpace,
  kStatusVolumeNodeConflictNoSpace,
  kStatusVolumeNoSpaceMissing,
  kStatusVolumeZone,
  kStatusNodeAffinityEnforced,
  kFixedStatusEnd,
};

class StatusTable {
 public:
  StatusTable();
  const Status& at(StatusId id) const { return statuses_[id]; }
  Code code(StatusId id) const { return statuses_[id].code; }
  /// NodeResourcesFit's status: `lacking` names the resources in the order of the checks ("pods" is "Too many pods").
  /// Allocates only when the combination is new.
  StatusId fit(Code code, const std::vector<Symbol>& lacking, const Interner& names);

 private:
  std::vector<Status> statuses_;
  std::vector<std::vector<Symbol>> fit_symbols_;  // of statuses_[kFixedStatusEnd + i]
};

/// Numbers of nodes per reason, as FitError.Error() words them: "2 Insufficient cpu, 3 node(s) were unschedulable",
/// sorted as text, number included (so "10 x" stands before "2 x", as in Kubernetes).
std::string reasons_text(const std::map<std::string_view, std::size_t>& nodes_by_reason);

inline constexpr std::int64_t kMaxNodeScore = 100;
/// helper.DefaultNormalizeScore: the largest becomes 100 (reverse: 0); all 0 stay 0 (reverse: become 100).
std::vector<std::int64_t> normalised(const std::vector<std::int64_t>& raw, bool reverse);

/// The place of a node in the scheduler's cache: stable while the node lives, reused afterwards.
using NodeIndex = std::uint32_t;
inline constexpr NodeIndex kNoNode = UINT32_MAX;

}  // namespace sim::k8s::scheduling

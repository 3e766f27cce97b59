#include "sim/models/kubernetes/scheduler/framework.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace sim::k8s::scheduling {

const char* to_string(Plugin plugin) {
  switch (plugin) {
    case Plugin::kSchedulingGates: return "SchedulingGates";
    case Plugin::kNodeUnschedulable: return "NodeUnschedulable";
    case Plugin::kNodeName: return "NodeName";
    case Plugin::kTaintToleration: return "TaintToleration";
    case Plugin::kNodeAffinity: return "NodeAffinity";
    case Plugin::kNodePorts: return "NodePorts";
    case Plugin::kNodeResourcesFit: return "NodeResourcesFit";
    case Plugin::kVolumeRestrictions: return "VolumeRestrictions";
    case Plugin::kNodeVolumeLimits: return "NodeVolumeLimits";
    case Plugin::kVolumeBinding: return "VolumeBinding";
    case Plugin::kVolumeZone: return "VolumeZone";
    case Plugin::kPodTopologySpread: return "PodTopologySpread";
    case Plugin::kInterPodAffinity: return "InterPodAffinity";
    case Plugin::kDefaultPreemption: return "DefaultPreemption";
    case Plugin::kNodeResourcesBalancedAllocation: return "NodeResourcesBalancedAllocation";
    case Plugin::kImageLocality: return "ImageLocality";
  }
  return "";
}

StatusTable::StatusTable() {
  statuses_.resize(kFixedStatusEnd);
  const auto set = [this](FixedStatus id, Code code, Plugin plugin, const char* reason) {
    statuses_[id] = Status{code, plugin, {reason}};
  };
  set(kStatusNodeUnschedulable, Code::kUnresolvable, Plugin::kNodeUnschedulable, "node(s) were unschedulable");
  set(kStatusNodeName, Code::kUnresolvable, Plugin::kNodeName, "node(s) didn't match the requested node name");
  set(kStatusTaint, Code::kUnresolvable, Plugin::kTaintToleration, "node(s) had untolerated taint(s)");
  set(kStatusNodeAffinity, Code::kUnresolvable, Plugin::kNodeAffinity, "node(s) didn't match Pod's node affinity/selector");
  set(kStatusNodeAffinityEnforced, Code::kUnresolvable, Plugin::kNodeAffinity, "node(s) didn't match scheduler-enforced node affinity");
  set(kStatusNodeAffinityConflict, Code::kUnresolvable, Plugin::kNodeAffinity, "pod affinity terms conflict");
  set(kStatusNodePorts, Code::kUnschedulable, Plugin::kNodePorts, "node(s) didn't have free ports for the requested pod ports");
  set(kStatusSpread, Code::kUnschedulable, Plugin::kPodTopologySpread, "node(s) didn't match pod topology spread constraints");
  set(kStatusSpreadMissingLabel, Code::kUnresolvable, Plugin::kPodTopologySpread,
      "node(s) didn't match pod topology spread constraints (missing required label)");
  set(kStatusPodAffinity, Code::kUnresolvable, Plugin::kInterPodAffinity, "node(s) didn't match pod affinity rules");
  set(kStatusPodAntiAffinity, Code::kUnschedulable, Plugin::kInterPodAffinity, "node(s) didn't match pod anti-affinity rules");
  set(kStatusExistingAntiAffinity, Code::kUnschedulable, Plugin::kInterPodAffinity,
      "node(s) didn't satisfy existing pods anti-affinity rules");
  set(kStatusNoVictims, Code::kUnresolvable, Plugin::kDefaultPreemption, "No preemption victims found for incoming pod");
  set(kStatusPreemptionNotHelpful, Code::kUnresolvable, Plugin::kDefaultPreemption, "Preemption is not helpful for scheduling");
  set(kStatusVolumeInUse, Code::kUnschedulable, Plugin::kVolumeRestrictions,
      "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod");
  set(kStatusVolumeLimit, Code::kUnschedulable, Plugin::kNodeVolumeLimits, "node(s) exceed max volume count");
  set(kStatusVolumeNodeConflict, Code::kUnresolvable, Plugin::kVolumeBinding, "node(s) didn't match PersistentVolume's node affinity");
  set(kStatusVolumeNoMatch, Code::kUnresolvable, Plugin::kVolumeBinding, "node(s) didn't find available persistent volumes to bind");
  set(kStatusVolumeMissing, Code::kUnresolvable, Plugin::kVolumeBinding,
      "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
  const auto both = [this](FixedStatus id, FixedStatus first, FixedStatus second) {
    statuses_[id] = statuses_[first];
    statuses_[id].reasons.push_back(statuses_[second].reasons.front());
  };
  both(kStatusVolumeNodeConflictNoMatch, kStatusVolumeNodeConflict, kStatusVolumeNoMatch);
  both(kStatusVolumeNoMatchMissing, kStatusVolumeNoMatch, kStatusVolumeMissing);
  set(kStatusVolumeNoSpace, Code::kUnresolvable, Plugin::kVolumeBinding, "node(s) did not have enough free storage");
  both(kStatusVolumeNodeConflictNoSpace, kStatusVolumeNodeConflict, kStatusVolumeNoSpace);
  both(kStatusVolumeNoSpaceMissing, kStatusVolumeNoSpace, kStatusVolumeMissing);
  set(kStatusVolumeZone, Code::kUnresolvable, Plugin::kVolumeZone, "node(s) had no available volume zone");
}

StatusId StatusTable::fit(Code code, const std::vector<Symbol>& lacking, const Interner& names) {
  // A handful of combinations in practice; searched without allocating, since every full node asks again.
  for (StatusId id = kFixedStatusEnd; id < statuses_.size(); ++id) {
    if (statuses_[id].code == code && fit_symbols_[id - kFixedStatusEnd] == lacking) return id;
  }
  Status status{code, Plugin::kNodeResourcesFit, {}};
  for (const Symbol name : lacking) {
    const std::string& text = names.text(name);
    status.reasons.push_back(text == "pods" ? "Too many pods" : fmt::format("Insufficient {}", text));
  }
  statuses_.push_back(std::move(status));
  fit_symbols_.push_back(lacking);
  return static_cast<StatusId>(statuses_.size() - 1);
}

std::vector<std::int64_t> normalised(const std::vector<std::int64_t>& raw, bool reverse) {
  const std::int64_t most = raw.empty() ? 0 : *std::max_element(raw.begin(), raw.end());
  std::vector<std::int64_t> result;
  result.reserve(raw.size());
  for (const std::int64_t score : raw) {
    const std::int64_t share = most == 0 ? 0 : kMaxNodeScore * score / most;
    result.push_back(reverse ? kMaxNodeScore - share : share);
  }
  return result;
}

std::string reasons_text(const std::map<std::string_view, std::size_t>& nodes_by_reason) {
  std::vector<std::string> parts;
  parts.reserve(nodes_by_reason.size());
  for (const auto& [reason, count] : nodes_by_reason) parts.push_back(fmt::format("{} {}", count, reason));
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text;
}

}  // namespace sim::k8s::scheduling

/// NodeVolumeLimits: how many volumes of a driver a node can have attached.
///
/// Source:     framework/plugins/nodevolumelimits/csi.go (reference kubernetes 1.6): unique volumes of the node's pods together with the
///             VolumeAttachments to it, plus the pod's new ones, against CSINode's count.
/// Leaves out: drivers that share a limit; inline CSI volumes.
/// Checked by: tests/models/kubernetes/scheduler/volume_plugins_test.cpp.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class NodeVolumeLimits {
 public:
  explicit NodeVolumeLimits(Cache& cache) : cache_(cache) {}

  void pre_filter(const PodInfo& pod);
  /// `off`: pods of the node that a dry run took away; `on`: pods that it put there.
  StatusId filter(NodeIndex node, const std::vector<PodSlot>& off, const std::vector<PodSlot>& on) const;

  static constexpr ActionSet kEvents = Action::kCsiNodeAdd | Action::kCsiNodeUpdate | Action::kPodDelete | Action::kClaimAdd | Action::kAttachmentDelete | Action::kNodeAdd;
  static bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const Interner& names);
  /// CSINode: a driver is new, or may attach more than before.
  static bool grew(const std::vector<Node::VolumeLimit>& before, const std::vector<Node::VolumeLimit>& after);

 private:
  /// A volume as it counts: its driver, and its name or that of the claim that will have it.
  using Unique = std::pair<Symbol, std::pair<Symbol, Symbol>>;
  void collect(Symbol ns, Symbol pod_name, const PodSpec& spec, std::set<Unique>& into) const;

  Cache& cache_;
  std::set<Unique> wanted_;
  std::map<Symbol, std::vector<Unique>> attached_;  // by node
};

}  // namespace sim::k8s::scheduling

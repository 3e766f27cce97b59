/// VolumeZone: a volume that is labelled with zones or a region is used from nodes there.
///
/// Source:     framework/plugins/volumezone/volume_zone.go (reference kubernetes 1.6).
/// Leaves out: delayed claims, which have no volume yet.
/// Checked by: tests/models/kubernetes/scheduler/volume_plugins_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class VolumeZone {
 public:
  explicit VolumeZone(Cache& cache) : cache_(cache) {}

  /// Why the pod cannot run anywhere; empty when it may.
  std::string pre_filter(const PodInfo& pod);
  StatusId filter(NodeIndex node) const;

  static constexpr ActionSet kEvents = Action::kClassAdd | Action::kNodeAdd | Action::kNodeLabel | Action::kNodeTaint | Action::kClaimAdd |
                                       Action::kClaimUpdate | Action::kVolumeAdd | Action::kVolumeUpdate;
  static bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event);
  /// Of a volume's labels those that name zones and regions.
  static Labels topology_of(const Labels& labels, const WellKnown& known);

 private:
  struct Topology {
    Symbol key;
    std::vector<Symbol> values;
  };
  Cache& cache_;
  std::vector<Topology> wanted_;
};

}  // namespace sim::k8s::scheduling

/// What happens to claims, volumes, classes, CSINodes and attachments, as the scheduler's queue hears of it.
///
/// Hints compare an object with what it was. Events carry only what it is, so what hints look at is remembered here: of most objects nothing.
///
/// Source:     pkg/scheduler/eventhandlers.go (addAllEventHandlers), the EventsToRegister of the volume plugins.
/// Leaves out: CSIDrivers and CSIStorageCapacities, which do not change during a run. A CSINode is its node's limits: with the first it is there.
/// Checked by: tests/models/kubernetes/scheduler/volume_plugins_test.cpp, tests/differential/scheduler/upstream_tables.py (the hints).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

class StorageEvents {
 public:
  explicit StorageEvents(const ApiServer& api);

  /// Nothing: no plugin listens to that.
  std::optional<ClusterEvent> of(const WatchEvent& event);

 private:
  using Topologies = std::vector<std::vector<Requirement>>;  // of each term of allowedTopologies its expressions: it has nothing else
  static Topologies topologies_of(const StorageClass& one);
  std::optional<ClusterEvent> of_claim(const WatchEvent& event) const;
  std::optional<ClusterEvent> of_volume(const WatchEvent& event);
  std::optional<ClusterEvent> of_class(const WatchEvent& event);
  std::optional<ClusterEvent> of_node(const WatchEvent& event);

  const ApiServer& api_;
  std::map<Symbol, Labels> zones_;  // of volumes that name any
  std::map<Symbol, Topologies> topologies_;  // of classes that have any
  std::map<Symbol, std::vector<Node::VolumeLimit>> limits_;  // of nodes
};

}  // namespace sim::k8s::scheduling

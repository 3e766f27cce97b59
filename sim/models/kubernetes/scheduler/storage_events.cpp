#include "sim/models/kubernetes/scheduler/storage_events.hpp"

#include <utility>

#include "sim/models/kubernetes/scheduler/plugins/node_volume_limits.hpp"
#include "sim/models/kubernetes/scheduler/plugins/volume_zone.hpp"

namespace sim::k8s::scheduling {

namespace {

using Type = WatchEvent::Type;

/// Takes over what is there now; the answer is whether it was otherwise.
template <class Value>
bool replace(std::map<Symbol, Value>& known, Symbol name, Value value, bool is_nothing) {
  const auto place = known.find(name);
  const bool is_other = place == known.end() ? !is_nothing : place->second != value;
  if (is_nothing) known.erase(name);
  else known.insert_or_assign(name, std::move(value));
  return is_other;
}

}  // namespace

StorageEvents::StorageEvents(const ApiServer& api) : api_(api) {
  api.all<PersistentVolume>().for_each([&](Ref<PersistentVolume>, const PersistentVolume& volume) {
    Labels zones = VolumeZone::topology_of(volume.meta.labels, api.well_known());
    if (!zones.empty()) zones_.emplace(volume.meta.name, std::move(zones));
  });
  api.all<StorageClass>().for_each([&](Ref<StorageClass>, const StorageClass& one) {
    if (!one.allowed_topologies.empty()) topologies_.emplace(one.meta.name, topologies_of(one));
  });
  api.all<Node>().for_each([&](Ref<Node>, const Node& node) {
    if (!node.volume_limits.empty()) limits_.emplace(node.meta.name, node.volume_limits);
  });
}

StorageEvents::Topologies StorageEvents::topologies_of(const StorageClass& one) {
  Topologies result;
  for (const NodeSelectorTerm& term : one.allowed_topologies) result.push_back(term.match_expressions);
  return result;
}

std::optional<ClusterEvent> StorageEvents::of(const WatchEvent& event) {
  switch (event.object.kind) {
    case Kind::kPersistentVolumeClaim: return of_claim(event);
    case Kind::kPersistentVolume: return of_volume(event);
    case Kind::kStorageClass: return of_class(event);
    case Kind::kNode: return of_node(event);
    case Kind::kVolumeAttachment: {
      if (event.type != Type::kDeleted) return std::nullopt;
      ClusterEvent what;
      what.action = Action::kAttachmentDelete;
      return what;
    }
    default: return std::nullopt;
  }
}

std::optional<ClusterEvent> StorageEvents::of_claim(const WatchEvent& event) const {
  const PersistentVolumeClaim* claim = event.type == Type::kDeleted ? nullptr : api_.get(event.ref<PersistentVolumeClaim>());
  if (claim == nullptr) return std::nullopt;
  ClusterEvent what;
  what.action = event.type == Type::kAdded ? Action::kClaimAdd : Action::kClaimUpdate;
  what.claim_ns = claim->meta.ns;
  what.claim = claim->meta.name;
  return what;
}

std::optional<ClusterEvent> StorageEvents::of_volume(const WatchEvent& event) {
  if (event.type == Type::kDeleted) {
    zones_.erase(event.last_state<PersistentVolume>().meta.name);
    return std::nullopt;
  }
  const PersistentVolume* volume = api_.get(event.ref<PersistentVolume>());
  if (volume == nullptr) return std::nullopt;
  ClusterEvent what;
  what.action = event.type == Type::kAdded ? Action::kVolumeAdd : Action::kVolumeUpdate;
  Labels zones = VolumeZone::topology_of(volume->meta.labels, api_.well_known());
  const bool none = zones.empty();
  what.is_telling = replace(zones_, volume->meta.name, std::move(zones), none);
  return what;
}

std::optional<ClusterEvent> StorageEvents::of_class(const WatchEvent& event) {
  if (event.type == Type::kDeleted) {
    topologies_.erase(event.last_state<StorageClass>().meta.name);
    return std::nullopt;
  }
  const StorageClass* one = api_.get(event.ref<StorageClass>());
  if (one == nullptr) return std::nullopt;
  ClusterEvent what;
  const bool is_new = event.type == Type::kAdded;
  what.action = is_new ? Action::kClassAdd : Action::kClassUpdate;
  const bool is_other = replace(topologies_, one->meta.name, topologies_of(*one), one->allowed_topologies.empty());
  what.is_telling = is_new ? one->wait_for_first_consumer : is_other;
  return what;
}

std::optional<ClusterEvent> StorageEvents::of_node(const WatchEvent& event) {
  if (event.type == Type::kDeleted) {
    limits_.erase(event.last_state<Node>().meta.name);
    return std::nullopt;
  }
  const Node* node = api_.get(event.ref<Node>());
  if (node == nullptr) return std::nullopt;
  const auto known = limits_.find(node->meta.name);
  const std::vector<Node::VolumeLimit> before = known == limits_.end() ? std::vector<Node::VolumeLimit>{} : known->second;
  if (!replace(limits_, node->meta.name, node->volume_limits, node->volume_limits.empty())) return std::nullopt;
  ClusterEvent what;
  what.action = before.empty() ? Action::kCsiNodeAdd : Action::kCsiNodeUpdate;
  what.is_telling = NodeVolumeLimits::grew(before, node->volume_limits);
  return what;
}

}  // namespace sim::k8s::scheduling

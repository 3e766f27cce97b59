#include "sim/models/kubernetes/scheduler/plugins/node_volume_limits.hpp"

#include <algorithm>

#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s::scheduling {

void NodeVolumeLimits::collect(Symbol ns, Symbol pod_name, const PodSpec& spec, std::set<Unique>& into) const {
  const ApiServer& api = cache_.api();
  for (const PodVolume& volume : spec.volumes) {
    const PersistentVolumeClaim* claim = find_claim(api, ns, pod_name, volume);
    if (claim == nullptr) continue;
    const PersistentVolume* bound = claim->spec.volume_name ? api.get(api.find<PersistentVolume>(Symbol{}, claim->spec.volume_name)) : nullptr;
    if (bound != nullptr) {
      into.insert({bound->driver, {Symbol{}, bound->meta.name}});
    } else if (const StorageClass* storage_class = class_of(api, *claim)) {
      into.insert({storage_class->provisioner, {claim->meta.ns, claim->meta.name}});  // will be a volume of its own
    }
  }
}

void NodeVolumeLimits::pre_filter(const PodInfo& pod) {
  wanted_.clear();
  attached_.clear();
  collect(pod.ns, pod.name, *pod.spec, wanted_);
  if (wanted_.empty()) return;
  cache_.api().all<VolumeAttachment>().for_each([&](Ref<VolumeAttachment>, const VolumeAttachment& attachment) {
    attached_[attachment.node].push_back({attachment.attacher, {Symbol{}, attachment.volume}});
  });
}

StatusId NodeVolumeLimits::filter(NodeIndex index, const std::vector<PodSlot>& off, const std::vector<PodSlot>& on) const {
  if (wanted_.empty()) return kFits;
  const NodeInfo& node = cache_.node(index);
  const Node* object = cache_.api().get(node.ref);
  if (object == nullptr || object->volume_limits.empty()) return kFits;
  std::set<Unique> used;
  const auto look = [&](PodSlot slot) {
    const PodInfo& other = cache_.pod(slot);
    if (!other.spec->volumes.empty()) collect(other.ns, other.name, *other.spec, used);
  };
  for (const PodSlot slot : node.pods) {
    if (std::find(off.begin(), off.end(), slot) == off.end()) look(slot);
  }
  for (const PodSlot slot : on) look(slot);
  // A volume that is attached but used by no pod of the node counts, and counts again when the pod brings it: as upstream has it.
  std::set<Unique> taken = used;
  const auto attached = attached_.find(node.name);
  if (attached != attached_.end()) taken.insert(attached->second.begin(), attached->second.end());
  for (const Node::VolumeLimit& limit : object->volume_limits) {
    const auto is_of = [&](const Unique& volume) { return volume.first == limit.driver; };
    const auto added = std::count_if(wanted_.begin(), wanted_.end(), [&](const Unique& volume) { return is_of(volume) && !used.contains(volume); });
    if (added > 0 && std::count_if(taken.begin(), taken.end(), is_of) + added > limit.count) return kStatusVolumeLimit;
  }
  return kFits;
}

bool NodeVolumeLimits::is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, const Interner& names) {
  switch (event.action) {
    case Action::kPodDelete: return event.pod_before->placed && !event.pod_before->spec->volumes.empty();
    case Action::kClaimAdd: return uses_claim(pod, event, names);
    case Action::kCsiNodeUpdate: return event.is_telling;
    case Action::kAttachmentDelete:  // claims of generic ephemeral volumes are not looked at
      return std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(), [](const PodVolume& volume) { return bool{volume.claim}; });
    default: return true;  // the kubelet makes a CSINode for each new node
  }
}

bool NodeVolumeLimits::grew(const std::vector<Node::VolumeLimit>& before, const std::vector<Node::VolumeLimit>& after) {
  return std::any_of(after.begin(), after.end(), [&](const Node::VolumeLimit& limit) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const Node::VolumeLimit& other) { return other.driver == limit.driver; });
    return limit.count > (known == before.end() ? 0 : known->count);
  });
}

}  // namespace sim::k8s::scheduling

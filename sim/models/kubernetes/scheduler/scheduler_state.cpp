#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"

#include <array>

#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_name.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_ports.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_unschedulable.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"
#include "sim/models/kubernetes/scheduler/plugins/volume_zone.hpp"

namespace sim::k8s::scheduling {

namespace {

struct Registration {
  Plugin plugin;
  ActionSet events;
  bool (*is_worth_retrying)(SchedulerState& state, const PodInfo& pod, const ClusterEvent& event);
};

/// A new plugin with a queueing hint is one line here.
const std::array<Registration, 12> kRegistrations = {{
    {Plugin::kNodeUnschedulable, node_unschedulable::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) {
       return node_unschedulable::is_worth_retrying(pod, event, state.cache.api().well_known());
     }},
    {Plugin::kNodeName, node_name::kEvents, [](SchedulerState&, const PodInfo&, const ClusterEvent&) { return true; }},
    {Plugin::kTaintToleration, taint_toleration::kEvents,
     [](SchedulerState&, const PodInfo& pod, const ClusterEvent& event) { return taint_toleration::is_worth_retrying(pod, event); }},
    {Plugin::kNodeAffinity, node_affinity::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) {
       return node_affinity::is_worth_retrying(pod, state.cycle.profile().added_affinity.get(), event, state.cache.api().names());
     }},
    {Plugin::kNodePorts, node_ports::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) {
       return node_ports::is_worth_retrying(pod, event, state.cycle.any_address());
     }},
    {Plugin::kNodeResourcesFit, NodeResourcesFit::kEvents,
     [](SchedulerState&, const PodInfo& pod, const ClusterEvent& event) { return NodeResourcesFit::is_worth_retrying(pod, event); }},
    {Plugin::kVolumeRestrictions, VolumeRestrictions::kEvents,
     [](SchedulerState&, const PodInfo& pod, const ClusterEvent& event) { return VolumeRestrictions::is_worth_retrying(pod, event); }},
    {Plugin::kNodeVolumeLimits, NodeVolumeLimits::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) {
       return NodeVolumeLimits::is_worth_retrying(pod, event, state.cache.api().names());
     }},
    {Plugin::kVolumeBinding, VolumeBinding::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) {
       return VolumeBinding::is_worth_retrying(pod, event, state.cache.api().names());
     }},
    {Plugin::kVolumeZone, VolumeZone::kEvents,
     [](SchedulerState&, const PodInfo& pod, const ClusterEvent& event) { return VolumeZone::is_worth_retrying(pod, event); }},
    {Plugin::kPodTopologySpread, PodTopologySpread::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) { return state.cycle.spread().is_worth_retrying(pod, event); }},
    {Plugin::kInterPodAffinity, InterPodAffinity::kEvents,
     [](SchedulerState& state, const PodInfo& pod, const ClusterEvent& event) { return state.cycle.affinity().is_worth_retrying(pod, event); }},
}};

PluginSet interested_in(Action action) {
  PluginSet plugins = 0;
  for (const Registration& registration : kRegistrations) {
    if (has(registration.events, action)) plugins |= set_of(registration.plugin);
  }
  return plugins;
}

}  // namespace

bool SchedulerState::is_worth_retrying(const PodInfo& pod, PluginSet rejectors, const ClusterEvent& event) {
  cycle.use_profile_of(*pod.spec);
  for (const Registration& registration : kRegistrations) {
    if (contains(rejectors, registration.plugin) && has(registration.events, event.action) && registration.is_worth_retrying(*this, pod, event)) {
      return true;
    }
  }
  return false;
}

void SchedulerState::fire(const ClusterEvent& event, SimTime now, CauseId cause, std::optional<std::int32_t> highest_priority) {
  queue.move(interested_in(event.action), now, cause, [&](const QueuedPod& queued) {
    const PodInfo& pod = cache.pod(queued.ref.slot);
    if (highest_priority && pod.priority() > *highest_priority) return false;
    return is_worth_retrying(pod, queued.rejectors, event);
  });
}

void SchedulerState::fire_pod(Action action, PodSlot slot, SimTime now, CauseId cause, std::optional<std::int32_t> highest_priority) {
  if (!queue.concerns(interested_in(action))) return;
  const PodInfo& pod = cache.pod(slot);
  const PodView view{pod.ref, pod.ns, &cache.index().labels(pod.identity), pod.spec.get(), pod.is_on_node() || pod.nominated != kNoNode};
  ClusterEvent event;
  event.action = action;
  (action == Action::kPodDelete ? event.pod_before : event.pod_after) = &view;
  fire(event, now, cause, highest_priority);
}

void SchedulerState::node_changed(Ref<Node> ref, const Node& object, SimTime now, CauseId cause) {
  const NodeIndex known = cache.find(object.meta.name);
  ClusterEvent event;
  event.node_name = object.meta.name;
  if (known == kNoNode) {
    const NodeIndex index = cache.add_node(ref, object);
    event.action = Action::kNodeAdd;
    event.node_after = &cache.node(index).view;
    fire(event, now, cause);
    return;
  }
  const std::optional<NodeView> before = cache.update_node(known, ref, object);
  if (!before) return;
  const NodeView& after = cache.node(known).view;
  event.node_before = &*before;
  event.node_after = &after;
  const auto tell = [&](Action action) {
    event.action = action;
    fire(event, now, cause);
  };
  if (before->unschedulable && !after.unschedulable) tell(Action::kNodeTaint);
  if (before->allocatable != after.allocatable) tell(Action::kNodeAllocatable);
  if (before->labels != after.labels) tell(Action::kNodeLabel);
  if (before->taints != after.taints) tell(Action::kNodeTaint);
}

void SchedulerState::node_gone(NodeIndex index, SimTime now, CauseId cause) {
  ClusterEvent event;
  event.action = Action::kNodeDelete;
  event.node_name = cache.node(index).name;
  event.node_before = &cache.node(index).view;
  fire(event, now, cause);
  cache.remove_node(index);
}

}  // namespace sim::k8s::scheduling

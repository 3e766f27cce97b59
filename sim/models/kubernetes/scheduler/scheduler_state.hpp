/// Cache, queue and scheduling cycle together: what the scheduler in a world and a scheduling of manifests share.
///
/// Source: pkg/scheduler/eventhandlers.go, scheduler.go (buildQueueingHintMap); reference kubernetes 1.2.
#pragma once

#include "sim/models/kubernetes/scheduler/cache.hpp"
#include "sim/models/kubernetes/scheduler/queue.hpp"
#include "sim/models/kubernetes/scheduler/schedule_one.hpp"
#include "sim/models/kubernetes/scheduler/storage_events.hpp"

namespace sim::k8s::scheduling {

struct SchedulerState {
  SchedulerState(ApiServer& api, const Randomness& random, const QueueConfig& queue_config, int percentage_of_nodes_to_score)
      : cache(api), queue(queue_config), cycle(cache, api.names(), random, percentage_of_nodes_to_score), storage(api) {}

  Cache cache;
  SchedulingQueue queue;
  SchedulingCycle cycle;
  StorageEvents storage;

  /// Tells the unschedulable pods of a change; those whose rejectors find it worth another try are queued, because of
  /// `cause`. Only pods of at most `highest_priority` are told, when given.
  void fire(const ClusterEvent& event, SimTime now, CauseId cause, std::optional<std::int32_t> highest_priority = std::nullopt);
  /// The event of a pod that came to, or left, a node (or a nomination).
  void fire_pod(Action action, PodSlot slot, SimTime now, CauseId cause, std::optional<std::int32_t> highest_priority = std::nullopt);
  /// Takes over a node's change and fires the narrow events that it consists of.
  void node_changed(Ref<Node> ref, const Node& object, SimTime now, CauseId cause);
  void node_gone(NodeIndex index, SimTime now, CauseId cause);
  /// The queueing hints of the plugins that refused the pod.
  bool is_worth_retrying(const PodInfo& pod, PluginSet rejectors, const ClusterEvent& event);
};

}  // namespace sim::k8s::scheduling

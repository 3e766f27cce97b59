/// Pods that wait for a node: the active queue, the back-off queues and the unschedulable pods.
///
/// Source: pkg/scheduler/backend/queue/{scheduling_queue,active_queue,backoff_queue,unschedulable_pods}.go
///         (reference kubernetes 1.2), with queueing hints and popping from the back-off queue on.
/// Leaves out: events that arrive while a pod is in its scheduling cycle (a cycle takes no virtual time here), plugins
///             that answer Pending, pod groups.
/// Checked by: tests/models/kubernetes/scheduler/queue_test.cpp.
///
/// It holds no engine: times are arguments, and next_flush() says when flush() has something to do. The real queue
/// looks every second and every 30 s; here nothing is looked at while nothing waits.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/models/kubernetes/scheduler/cache.hpp"
#include "sim/models/kubernetes/scheduler/cluster_event.hpp"
#include "sim/models/kubernetes/scheduler/plugins/priority_sort.hpp"

namespace sim::k8s::scheduling {

struct QueueConfig {
  SimDuration initial_backoff{std::chrono::seconds(1)};
  SimDuration max_backoff{std::chrono::seconds(10)};
  SimDuration unschedulable_max{std::chrono::minutes(5)};  // --pod-max-in-unschedulable-pods-duration
};

struct QueuedPod {
  enum class Place : std::uint8_t { kInFlight, kActive, kBackoff, kErrorBackoff, kUnschedulable, kGated };
  Ref<Pod> ref;
  QueueOrder order;
  SimTime backoff_until{};  // whole seconds
  PluginSet rejectors = 0;
  std::uint32_t unschedulable_count = 0;
  std::uint32_t error_count = 0;  // in a row
  std::uint32_t attempts = 0;
  std::uint32_t ticket = 0;  // of its entry in the active heap
  Place place = Place::kInFlight;
  bool preempting = false;  // DefaultPreemption's gate: the calls that evict its victims are under way
  CauseId cause{};          // what put it into the queue
};

/// How long a pod stays away after its `count`th failure: doubled each time, up to the longest.
SimDuration backoff_after(const QueueConfig& config, std::uint32_t count);

class SchedulingQueue {
 public:
  explicit SchedulingQueue(QueueConfig config) : config_(config) {}

  /// A new pending pod. Gated pods wait outside until add() is called again without gates.
  void add(Ref<Pod> ref, std::int32_t priority, bool gated, SimTime now, CauseId cause);
  /// The pod whose turn it is; it is in flight until failed(), or done(). With nothing active, the head of the back-off
  /// queue does not wait to the end. Null when nothing can be tried.
  const QueuedPod* pop(SimTime now);
  bool can_pop() const { return active_count_ != 0 || !backoff_.empty(); }

  /// The pod in flight was rejected by these plugins, or (none) met an error.
  void failed(PodSlot slot, PluginSet rejectors, SimTime now, CauseId cause);
  /// It has a node, or is gone.
  void remove(PodSlot slot);
  /// Moves every unschedulable pod that one of `interested` rejected and for which worth_it(pod) says so.
  template <class WorthIt>
  void move(PluginSet interested, SimTime now, CauseId cause, WorthIt&& worth_it) {
    if (!concerns(interested)) return;
    moved_.clear();
    for (const auto& [timestamp, sequence, slot] : unschedulable_) {
      const QueuedPod& pod = pods_.find(slot)->second;
      if ((pod.rejectors & interested) != 0 && !pod.preempting && worth_it(pod)) moved_.push_back(slot);
    }
    for (const PodSlot slot : moved_) requeue(pods_.find(slot)->second, now, cause);
  }
  bool concerns(PluginSet interested) const;
  /// Puts a waiting pod into the active queue at once.
  void activate(PodSlot slot, SimTime now, CauseId cause);
  void set_preempting(PodSlot slot, bool preempting);

  /// When flush() is next needed; kEndOfTime while nothing waits. `started` is when the queue's 30 s ticks began.
  SimTime next_flush(SimTime started, SimTime now) const;
  /// Releases pods whose back-off is over, and retries those that were unschedulable for more than 5 minutes.
  void flush(SimTime now);

  const QueuedPod* find(PodSlot slot) const;
  /// All of them, in no order.
  template <class Use>
  void for_each(Use&& use) const {
    for (const auto& [slot, pod] : pods_) use(pod);
  }
  std::size_t size() const { return pods_.size(); }
  std::size_t active_count() const { return active_count_; }
  std::size_t unschedulable_count() const { return unschedulable_.size(); }
  void clear();

 private:
  struct ActiveEntry {
    QueueOrder order;
    PodSlot slot = 0;
    std::uint32_t ticket = 0;
  };
  struct BackoffKey {
    SimTime until{};
    QueueOrder order;
    PodSlot slot = 0;
    bool operator<(const BackoffKey& other) const {
      return until != other.until ? until < other.until : comes_before(order, other.order);
    }
  };
  using UnschedulableKey = std::tuple<SimTime, std::uint64_t, PodSlot>;

  void take_out(QueuedPod& pod);
  void make_active(QueuedPod& pod);
  void make_backoff(QueuedPod& pod);
  void make_unschedulable(QueuedPod& pod);
  void requeue(QueuedPod& pod, SimTime now, CauseId cause);

  QueueConfig config_;
  std::unordered_map<PodSlot, QueuedPod> pods_;  // look-up only
  std::vector<ActiveEntry> active_;              // a heap; entries of pods that left are skipped
  std::size_t active_count_ = 0;
  std::set<BackoffKey> backoff_;
  std::set<BackoffKey> error_backoff_;
  std::set<UnschedulableKey> unschedulable_;
  std::vector<std::size_t> rejected_by_ = std::vector<std::size_t>(32);  // unschedulable pods per plugin
  std::vector<PodSlot> moved_;
  std::uint64_t sequence_ = 0;
  std::uint32_t ticket_ = 0;
};

}  // namespace sim::k8s::scheduling

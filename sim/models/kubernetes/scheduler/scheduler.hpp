/// kube-scheduler: queue, cache of nodes, the default plugins, binding, preemption.
///
/// Source: reference kubernetes chapter 1 (v1.36.3). Leaves out: see docs/models/scheduler.md.
/// Checked by: tests/models/kubernetes/scheduler/*_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s::scheduling {
struct SchedulingProfile;
}

namespace sim::k8s {

struct SchedulerConfig {
  int percentage_of_nodes_to_score = 0;  // 0: adaptive
  SimDuration pod_initial_backoff{std::chrono::seconds(1)};
  SimDuration pod_max_backoff{std::chrono::seconds(10)};
  SimDuration scheduling_latency{std::chrono::microseconds(500)};  // one scheduling cycle
  SimDuration binding_latency{std::chrono::milliseconds(5)};       // POST pods/binding until it is stored
  /// kube-scheduler's own limit of requests to the API server (clientConnection: qps, burst); 0: none.
  std::int64_t client_qps = 0;  // the real default is 50
  std::int64_t client_burst = 100;
  /// Of a KubeSchedulerConfiguration: a pod's schedulerName says which is its own. Null: the default profile.
  std::shared_ptr<const std::vector<scheduling::SchedulingProfile>> profiles;
};

struct ObservedCycle;  // schedule_all.hpp
using CycleObserver = std::function<void(const ObservedCycle&)>;

/// A pod that waits in the queue.
struct QueueEntry {
  Ref<Pod> pod;
  const char* place = "";  // active, backoff, errorBackoff, unschedulable, gated, inFlight
  SimTime backoff_until{};
  std::uint32_t attempts = 0;
};

class Scheduler : public Watcher {
 public:
  /// `way`: the leading scheduler's to the API; none: nothing cuts it off.
  Scheduler(Engine& engine, EventLog& log, const Randomness& random, ApiServer& api, SchedulerConfig config, ApiClient* way = nullptr);
  ~Scheduler() override;

  /// The lease was gained: cache and queue are rebuilt from lists (back-off memory is lost).
  void start();
  /// The lease was lost: nothing is scheduled, cycles in flight are dropped.
  void stop();
  bool is_running() const;

  /// Why a pod is Pending, in the words of the FailedScheduling event; empty when it never failed.
  std::string last_failure(Ref<Pod> pod) const;
  std::size_t pending_count() const;
  /// Shows every cycle of the pods for which `wanted` says so, with all that the plugins say; that costs several times the scheduling. Changes nothing.
  void observe(std::function<bool(Ref<Pod>)> wanted, CycleObserver observer);
  /// The queue, by namespace and name.
  std::vector<QueueEntry> queue() const;

  void on_event(const WatchEvent& event) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::k8s

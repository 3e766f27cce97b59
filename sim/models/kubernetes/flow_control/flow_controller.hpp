/// API Priority and Fairness of one API server: flows, levels, their seats, and how levels lend each other seats every 10 s.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/apf_controller.go, pkg/server/filters/priority-and-fairness.go.
/// Leaves out: changes of the configuration during a run (quiescing levels); the Dangling condition of FlowSchemas.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf (the real controller, request by request).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/models/kubernetes/flow_control/configuration.hpp"
#include "sim/models/kubernetes/flow_control/queue_set.hpp"
#include "sim/models/kubernetes/flow_control/retry_after.hpp"
#include "sim/models/kubernetes/flow_control/seat_demand.hpp"

namespace sim::k8s::flow_control {

/// What the requests of one client for one resource have in common.
struct Flow {
  std::uint32_t schema = 0;  ///< index into schemas()
  std::uint32_t level = 0;   ///< index into levels()
  std::uint64_t hash = 0;
  std::string distinguisher;
};

class FlowController {
 public:
  static constexpr SimDuration kAdjustEvery = std::chrono::seconds(10);

  /// `concurrency_limit`: --max-requests-inflight plus --max-mutating-requests-inflight. Levels are divided at once; call adjust() every 10 s.
  FlowController(const Configuration& configuration, int concurrency_limit, SimTime now);
  FlowController(const FlowController&) = delete;
  FlowController& operator=(const FlowController&) = delete;

  Flow classify(const RequestInfo& request) const;

  using Started = QueueSet::Started;
  Started start(SimTime now, const Flow& flow, const WorkEstimate& work, std::uint64_t tag);
  SimDuration finish(SimTime now, std::uint32_t level, QueueSet::RequestId id) { return levels_[level]->queues.finish(now, id); }
  void release(SimTime now, std::uint32_t level, QueueSet::RequestId id) { levels_[level]->queues.release(now, id); }
  void cancel(SimTime now, std::uint32_t level, QueueSet::RequestId id) { levels_[level]->queues.cancel(now, id); }
  /// The Retry-After of a refusal: call it for each, at once.
  std::int64_t refuse(std::uint32_t level, std::int64_t second) { return levels_[level]->retry_after.refuse(second); }
  std::function<void(std::uint64_t tag, QueueSet::RequestId id)> on_dispatch;

  /// Seats are lent anew, by the demand since the last time.
  void adjust(SimTime now);

  struct Level {
    PriorityLevel spec;
    int nominal_seats = 0;
    int min_seats = 0;
    int max_seats = 0;
    std::int64_t max_request_seats = 0;  ///< 0: none said (no queues)
    int current_seats = 0;
    double target = 0;  ///< of the last adjustment
    SeatDemand demand;
    SeatDemandIntegrator integrator;
    QueueSet queues;
    RetryAfter retry_after;
    Level(const PriorityLevel& of, int seats, SimTime now) : spec(of), integrator(now), queues(of.queuing, seats, now) {}
  };
  std::size_t level_count() const { return levels_.size(); }
  const Level& level(std::size_t index) const { return *levels_[index]; }
  const std::vector<FlowSchema>& schemas() const { return schemas_; }
  bool is_empty() const;

 private:
  std::vector<std::unique_ptr<Level>> levels_;  // in the order of their names
  std::vector<FlowSchema> schemas_;             // in the order in which they are asked
  std::vector<std::uint32_t> level_of_;         // of each schema
  int nominal_sum_ = 0;
};

}  // namespace sim::k8s::flow_control

/// The queues of one priority level: seats, shuffle sharding, fair queuing in virtual time. Which request runs when, and which is refused.
///
/// A request goes to the queue of its flow's hand with the least work in it, and is refused when that queue is full and no seat is free. While seats are
/// free, the queue whose head would finish first in virtual time goes next; if that head does not fit, everybody waits for it. R(t), the progress of a
/// queue in seat-seconds, grows by min(seats asked for, limit) / queues that are active.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/fairqueuing/queueset/{queueset,types,fifo_list}.go.
/// Leaves out: logging; reading of a context (whoever waits too long is taken out by cancel()).
/// Checked by: tests/models/kubernetes/flow_control_test.cpp; tests/differential/apf (the real one, request by request).
///
/// Holds no engine: every call says what time it is, never earlier than the one before, and whoever calls finish() calls release() later if told so.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/flow_control/seat_seconds.hpp"
#include "sim/models/kubernetes/flow_control/shuffle_sharding.hpp"

namespace sim::k8s::flow_control {

/// What a request occupies: `initial_seats` while it runs, `final_seats` for `additional_latency` after that (its watchers are told).
struct WorkEstimate {
  std::int64_t initial_seats = 1;
  std::int64_t final_seats = 0;
  SimDuration additional_latency{};
  /// It holds the larger of both all the time.
  std::int64_t max_seats() const { return initial_seats >= final_seats ? initial_seats : final_seats; }
  friend bool operator==(const WorkEstimate&, const WorkEstimate&) = default;
};

struct QueuingConfig {
  int queues = 0;  ///< 0: none, a request that finds no seat is refused; -1: exempt, nothing is limited
  int queue_length_limit = 50;
  int hand_size = 1;
};

class QueueSet {
 public:
  using RequestId = std::uint32_t;
  static constexpr RequestId kNone = UINT32_MAX;

  QueueSet(QueuingConfig config, int concurrency_limit, SimTime now);

  enum class Outcome : std::uint8_t { kExecuting, kQueued, kQueueFull, kConcurrencyLimit };
  struct Started {
    Outcome outcome = Outcome::kExecuting;
    RequestId id = kNone;  ///< none when it was refused
  };
  /// A request arrives. Others' seats may be given out by it too: on_dispatch hears of each that begins, of this one before start() returns.
  /// `tag` is the caller's.
  Started start(SimTime now, const WorkEstimate& work, std::uint64_t hash, std::uint64_t tag);
  /// It ended after it began. Returns how long it keeps its seats: after that call release(), or, when zero, never.
  SimDuration finish(SimTime now, RequestId id);
  void release(SimTime now, RequestId id);
  /// Takes a queued request out (it waited too long, or its client is gone). Frees no seat.
  void cancel(SimTime now, RequestId id);
  /// Called with the tag of each request that begins.
  std::function<void(std::uint64_t tag, RequestId id)> on_dispatch;
  /// Called with the seats in use and asked for whenever they change.
  std::function<void(SimTime now, std::int64_t seats)> on_seat_demand;

  void set_concurrency_limit(SimTime now, int limit);
  int concurrency_limit() const { return concurrency_limit_; }
  const QueuingConfig& config() const { return config_; }

  bool is_idle() const { return requests_waiting_ == 0 && requests_executing_ == 0; }
  /// Nothing runs, waits, or keeps seats for its watchers.
  bool is_empty() const { return is_idle() && seats_in_use_ == 0; }
  std::int64_t requests_waiting() const { return requests_waiting_; }
  std::int64_t requests_executing() const { return requests_executing_; }
  std::int64_t seats_in_use() const { return seats_in_use_; }
  std::int64_t seats_waiting() const { return seats_waiting_; }
  std::uint64_t dispatched() const { return dispatched_; }
  std::uint64_t rejected() const { return rejected_; }
  std::uint64_t cancelled() const { return cancelled_; }
  int active_queues() const;  ///< with a request that waits
  struct QueueState {
    std::int64_t waiting = 0;
    std::int64_t executing = 0;
    std::int64_t seats_in_use = 0;
    SeatSeconds next_dispatch;
    std::int64_t initial_seats_sum = 0;
    std::int64_t max_seats_sum = 0;
    SeatSeconds work_sum;
  };
  QueueState queue(int index) const;
  int queue_count() const { return static_cast<int>(queues_.size()); }
  SeatSeconds current_r() const { return current_r_; }

 private:
  struct Request {
    WorkEstimate work;
    SeatSeconds total_work;
    SeatSeconds final_work;
    SeatSeconds arrival_r;
    SimTime started{};
    std::uint64_t tag = 0;
    int queue = -1;
    RequestId previous = kNone;  // in its queue; `next` also links the free ones
    RequestId next = kNone;
    enum class State : std::uint8_t { kFree, kQueued, kExecuting, kLingering } state = State::kFree;
  };
  struct Queue {
    RequestId head = kNone;
    RequestId tail = kNone;
    SeatSeconds next_dispatch;
    std::int64_t waiting = 0;
    std::int64_t executing = 0;
    std::int64_t seats_in_use = 0;
    std::int64_t initial_seats_sum = 0;
    std::int64_t max_seats_sum = 0;
    SeatSeconds work_sum;
    bool is_active() const { return waiting > 0 || executing > 0; }
  };

  void sync_time(SimTime now);
  RequestId allocate();
  void free(RequestId id);
  void tell_demand();
  int choose_queue(std::uint64_t hash);
  void enqueue(RequestId id, int queue);
  void unlink(RequestId id);
  void dispatch_as_much_as_possible();
  bool dispatch_one();
  bool can_accommodate(std::int64_t seats) const;
  void begin(RequestId id);
  void bound_next_dispatch(Queue& queue);
  void count_activity(const Queue& queue, bool was_active);

  QueuingConfig config_;
  Dealer dealer_;
  int concurrency_limit_ = 0;
  SimTime now_{};
  SeatSeconds current_r_;
  std::vector<Queue> queues_;
  std::vector<Request> requests_;
  RequestId free_ = kNone;
  int robin_ = 0;
  std::uint64_t enqueues_ = 0;
  std::int64_t requests_waiting_ = 0;
  std::int64_t requests_executing_ = 0;
  std::int64_t seats_in_use_ = 0;
  std::int64_t seats_waiting_ = 0;
  // Over the queues, so that R(t) needs no walk: queues that are active, seats held or asked for in them.
  std::int64_t queues_active_ = 0;
  std::int64_t seats_requested_ = 0;
  std::uint64_t dispatched_ = 0;
  std::uint64_t rejected_ = 0;
  std::uint64_t cancelled_ = 0;
};

}  // namespace sim::k8s::flow_control

#include "sim/models/kubernetes/flow_control/queue_set.hpp"

#include <algorithm>
#include <array>

#include "sim/core/check.hpp"

namespace sim::k8s::flow_control {

namespace {
constexpr SimDuration kEstimatedService = std::chrono::milliseconds(3);
// R begins a new epoch long before it would overflow.
constexpr SeatSeconds kDecrement{UINT64_MAX / 2};
constexpr SeatSeconds kHigh{UINT64_MAX / 2 + UINT64_MAX / 4};
}  // namespace

QueueSet::QueueSet(QueuingConfig config, int concurrency_limit, SimTime now) : config_(config), concurrency_limit_(concurrency_limit), now_(now) {
  if (config_.queues <= 0) return;
  dealer_ = Dealer(config_.queues, config_.hand_size);
  queues_.resize(static_cast<std::size_t>(config_.queues));
}

void QueueSet::sync_time(SimTime now) {
  SIM_CHECK(now >= now_, "calls come in the order of time");
  const SimDuration passed = now - now_;
  now_ = now;
  if (queues_active_ == 0) return;
  const double ratio =
      std::min(static_cast<double>(seats_requested_), static_cast<double>(concurrency_limit_)) / static_cast<double>(queues_active_);
  current_r_ += SeatSeconds::of(ratio, passed);
  if (current_r_ < kHigh) return;
  current_r_ -= kDecrement;
  for (Queue& queue : queues_) {
    if (!queue.is_active()) {
      queue.next_dispatch = {};
      continue;
    }
    queue.next_dispatch -= kDecrement;
    for (RequestId id = queue.head; id != kNone; id = requests_[id].next) requests_[id].arrival_r -= kDecrement;
  }
}

QueueSet::RequestId QueueSet::allocate() {
  if (free_ == kNone) {
    requests_.emplace_back();
    return static_cast<RequestId>(requests_.size() - 1);
  }
  const RequestId id = free_;
  free_ = requests_[id].next;
  requests_[id] = Request{};
  return id;
}

void QueueSet::free(RequestId id) {
  requests_[id].state = Request::State::kFree;
  requests_[id].next = free_;
  free_ = id;
}

void QueueSet::tell_demand() {
  if (on_seat_demand) on_seat_demand(now_, seats_in_use_ + seats_waiting_);
}

void QueueSet::count_activity(const Queue& queue, bool was_active) {
  if (queue.is_active() == was_active) return;
  queues_active_ += was_active ? -1 : 1;
}

QueueSet::Started QueueSet::start(SimTime now, const WorkEstimate& work, std::uint64_t hash, std::uint64_t tag) {
  sync_time(now);
  if (config_.queues < 1 && !can_accommodate(work.max_seats())) {
    ++rejected_;
    return {Outcome::kConcurrencyLimit, kNone};
  }
  const RequestId id = allocate();
  Request& request = requests_[id];
  request.work = work;
  request.final_work = SeatSeconds::of(static_cast<double>(work.final_seats), work.additional_latency);
  request.total_work = SeatSeconds::of(static_cast<double>(work.initial_seats), kEstimatedService) + request.final_work;
  request.arrival_r = current_r_;
  request.tag = tag;
  if (config_.queues < 1) {
    begin(id);
    tell_demand();
    if (on_dispatch) on_dispatch(tag, id);
    return {Outcome::kExecuting, id};
  }

  const int chosen = choose_queue(hash);
  Queue& queue = queues_[static_cast<std::size_t>(chosen)];
  if (seats_in_use_ >= concurrency_limit_ && queue.waiting >= config_.queue_length_limit) {
    bound_next_dispatch(queue);
    free(id);
    ++rejected_;
    return {Outcome::kQueueFull, kNone};
  }
  enqueue(id, chosen);
  bound_next_dispatch(queue);
  dispatch_as_much_as_possible();
  // A listener may have started more requests, so look it up anew.
  const bool runs = requests_[id].state != Request::State::kQueued;
  return {runs ? Outcome::kExecuting : Outcome::kQueued, id};
}

int QueueSet::choose_queue(std::uint64_t hash) {
  std::array<int, 15> hand;
  const int size = dealer_.deal_into(hash, hand);
  const auto offset = static_cast<int>(enqueues_++ % static_cast<std::uint64_t>(size));
  int best = -1;
  SeatSeconds least = kMaxSeatSeconds;
  for (int i = 0; i < size; ++i) {
    const int index = hand[static_cast<std::size_t>((offset + i) % size)];
    const SeatSeconds work = queues_[static_cast<std::size_t>(index)].work_sum;
    if (work >= least) continue;
    least = work;
    best = index;
  }
  return best;
}

void QueueSet::enqueue(RequestId id, int index) {
  Queue& queue = queues_[static_cast<std::size_t>(index)];
  Request& request = requests_[id];
  const bool was_active = queue.is_active();
  if (!was_active) queue.next_dispatch = current_r_;
  request.queue = index;
  request.state = Request::State::kQueued;
  request.previous = queue.tail;
  request.next = kNone;
  (queue.tail == kNone ? queue.head : requests_[queue.tail].next) = id;
  queue.tail = id;
  ++queue.waiting;
  queue.initial_seats_sum += request.work.initial_seats;
  queue.max_seats_sum += request.work.max_seats();
  queue.work_sum += request.total_work;
  seats_requested_ += request.work.max_seats();
  count_activity(queue, was_active);
  ++requests_waiting_;
  seats_waiting_ += request.work.max_seats();
  tell_demand();
}

/// Out of its queue. The caller says whether the queue stays active.
void QueueSet::unlink(RequestId id) {
  Request& request = requests_[id];
  Queue& queue = queues_[static_cast<std::size_t>(request.queue)];
  (request.previous == kNone ? queue.head : requests_[request.previous].next) = request.next;
  (request.next == kNone ? queue.tail : requests_[request.next].previous) = request.previous;
  request.previous = request.next = kNone;
  --queue.waiting;
  queue.initial_seats_sum -= request.work.initial_seats;
  queue.max_seats_sum -= request.work.max_seats();
  queue.work_sum -= request.total_work;
  seats_requested_ -= request.work.max_seats();
  --requests_waiting_;
}

void QueueSet::dispatch_as_much_as_possible() {
  while (requests_waiting_ != 0 && seats_in_use_ < concurrency_limit_ && dispatch_one()) {
  }
}

bool QueueSet::can_accommodate(std::int64_t seats) const {
  if (config_.queues < 0) return true;
  // A request that is wider than everything runs alone.
  if (seats > concurrency_limit_) return requests_executing_ == 0;
  return seats_in_use_ + seats <= concurrency_limit_;
}

bool QueueSet::dispatch_one() {
  const int count = static_cast<int>(queues_.size());
  SeatSeconds first_finish = kMaxSeatSeconds;
  int best = -1;
  // From behind the queue of the last dispatch, so that ties go round.
  for (int step = 0; step < count; ++step) {
    robin_ = robin_ + 1 == count ? 0 : robin_ + 1;
    const Queue& queue = queues_[static_cast<std::size_t>(robin_)];
    if (queue.head == kNone) continue;
    const SeatSeconds finish = queue.next_dispatch + requests_[queue.head].total_work;
    if (finish >= first_finish) continue;
    first_finish = finish;
    best = robin_;
  }
  SIM_CHECK(best >= 0, "a request waits in some queue");
  Queue& queue = queues_[static_cast<std::size_t>(best)];
  const RequestId id = queue.head;
  if (!can_accommodate(requests_[id].work.max_seats())) return false;
  unlink(id);
  Request& request = requests_[id];
  if (request.work.final_seats > concurrency_limit_) {
    // The limit has sunk since it was estimated: narrower, for longer. What it asked for while it waited is taken back as it is now, as there.
    request.work.additional_latency = request.final_work.duration_per_seat(static_cast<double>(concurrency_limit_));
    request.work.final_seats = concurrency_limit_;
  }
  robin_ = best;
  seats_waiting_ -= request.work.max_seats();
  begin(id);
  ++queue.executing;
  queue.seats_in_use += request.work.max_seats();
  seats_requested_ += request.work.max_seats();
  tell_demand();
  queue.next_dispatch += request.total_work;
  bound_next_dispatch(queue);
  if (on_dispatch) on_dispatch(request.tag, id);
  return true;
}

void QueueSet::begin(RequestId id) {
  Request& request = requests_[id];
  request.state = Request::State::kExecuting;
  request.started = now_;
  ++requests_executing_;
  ++dispatched_;
  seats_in_use_ += request.work.max_seats();
}

SimDuration QueueSet::finish(SimTime now, RequestId id) {
  sync_time(now);
  Request& request = requests_[id];
  SIM_CHECK(request.state == Request::State::kExecuting, "it began and has not ended");
  --requests_executing_;
  if (request.queue >= 0) {
    Queue& queue = queues_[static_cast<std::size_t>(request.queue)];
    const bool was_active = queue.is_active();
    --queue.executing;
    count_activity(queue, was_active);
    queue.next_dispatch -= SeatSeconds::of(static_cast<double>(request.work.initial_seats), kEstimatedService - (now - request.started));
    bound_next_dispatch(queue);
  }
  const SimDuration lingers = request.work.additional_latency;
  request.state = Request::State::kLingering;
  if (lingers > SimDuration{}) {
    dispatch_as_much_as_possible();
    return lingers;
  }
  release(now, id);
  return SimDuration{};
}

void QueueSet::release(SimTime now, RequestId id) {
  sync_time(now);
  const Request& request = requests_[id];
  SIM_CHECK(request.state == Request::State::kLingering, "it has ended");
  const std::int64_t seats = request.work.max_seats();
  seats_in_use_ -= seats;
  tell_demand();
  if (request.queue >= 0) {
    queues_[static_cast<std::size_t>(request.queue)].seats_in_use -= seats;
    seats_requested_ -= seats;
  }
  free(id);
  dispatch_as_much_as_possible();
}

void QueueSet::cancel(SimTime now, RequestId id) {
  sync_time(now);
  SIM_CHECK(requests_[id].state == Request::State::kQueued, "only what waits can be taken out");
  Queue& queue = queues_[static_cast<std::size_t>(requests_[id].queue)];
  unlink(id);
  count_activity(queue, true);
  seats_waiting_ -= requests_[id].work.max_seats();
  ++rejected_;
  ++cancelled_;
  tell_demand();
  bound_next_dispatch(queue);
  free(id);
}

void QueueSet::bound_next_dispatch(Queue& queue) {
  if (queue.head == kNone) return;
  queue.next_dispatch = std::max(queue.next_dispatch, requests_[queue.head].arrival_r);
}

void QueueSet::set_concurrency_limit(SimTime now, int limit) {
  sync_time(now);
  concurrency_limit_ = limit;
  dispatch_as_much_as_possible();
}

int QueueSet::active_queues() const {
  return static_cast<int>(std::count_if(queues_.begin(), queues_.end(), [](const Queue& queue) { return queue.waiting > 0; }));
}

QueueSet::QueueState QueueSet::queue(int index) const {
  const Queue& queue = queues_[static_cast<std::size_t>(index)];
  return {queue.waiting, queue.executing, queue.seats_in_use, queue.next_dispatch, queue.initial_seats_sum, queue.max_seats_sum, queue.work_sum};
}

}  // namespace sim::k8s::flow_control

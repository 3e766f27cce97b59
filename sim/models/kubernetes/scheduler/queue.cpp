#include "sim/models/kubernetes/scheduler/queue.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace sim::k8s::scheduling {

namespace {

constexpr SimDuration kWindow = std::chrono::seconds(1);        // backoffQOrderingWindowDuration
constexpr SimDuration kFlushEvery = std::chrono::seconds(30);   // of unschedulable pods

SimTime to_window(SimTime time) { return SimTime(time.time_since_epoch() / kWindow * kWindow); }

}  // namespace

SimDuration backoff_after(const QueueConfig& config, std::uint32_t count) {
  if (count == 0) return SimDuration{0};
  SimDuration wait = config.initial_backoff;
  for (std::uint32_t i = 1; i < count; ++i) {
    if (wait > config.max_backoff - wait) return config.max_backoff;
    wait += wait;
  }
  return std::min(wait, config.max_backoff);
}

void SchedulingQueue::take_out(QueuedPod& pod) {
  switch (pod.place) {
    case QueuedPod::Place::kActive:
      pod.ticket = 0;  // its entry in the heap is void
      --active_count_;
      break;
    case QueuedPod::Place::kBackoff: backoff_.erase(BackoffKey{pod.backoff_until, pod.order, pod.ref.slot}); break;
    case QueuedPod::Place::kErrorBackoff: error_backoff_.erase(BackoffKey{pod.backoff_until, pod.order, pod.ref.slot}); break;
    case QueuedPod::Place::kUnschedulable:
      unschedulable_.erase(UnschedulableKey{pod.order.timestamp, pod.order.sequence, pod.ref.slot});
      for (std::size_t i = 0; i < rejected_by_.size(); ++i) rejected_by_[i] -= (pod.rejectors >> i) & 1;
      break;
    case QueuedPod::Place::kGated:
    case QueuedPod::Place::kInFlight: break;
  }
  pod.place = QueuedPod::Place::kInFlight;
}

void SchedulingQueue::make_active(QueuedPod& pod) {
  const auto later = [](const ActiveEntry& a, const ActiveEntry& b) { return comes_before(b.order, a.order); };
  pod.place = QueuedPod::Place::kActive;
  if (++ticket_ == 0) ++ticket_;
  pod.ticket = ticket_;
  active_.push_back(ActiveEntry{pod.order, pod.ref.slot, pod.ticket});
  std::push_heap(active_.begin(), active_.end(), later);
  ++active_count_;
}

void SchedulingQueue::make_backoff(QueuedPod& pod) {
  const bool error = pod.error_count > 0;
  pod.place = error ? QueuedPod::Place::kErrorBackoff : QueuedPod::Place::kBackoff;
  (error ? error_backoff_ : backoff_).insert(BackoffKey{pod.backoff_until, pod.order, pod.ref.slot});
}

void SchedulingQueue::make_unschedulable(QueuedPod& pod) {
  pod.place = QueuedPod::Place::kUnschedulable;
  unschedulable_.insert(UnschedulableKey{pod.order.timestamp, pod.order.sequence, pod.ref.slot});
  for (std::size_t i = 0; i < rejected_by_.size(); ++i) rejected_by_[i] += (pod.rejectors >> i) & 1;
}

void SchedulingQueue::add(Ref<Pod> ref, std::int32_t priority, bool gated, SimTime now, CauseId cause) {
  QueuedPod& pod = pods_[ref.slot];
  if (pod.ref != ref) {
    if (pod.ref) take_out(pod);
    pod = QueuedPod{};
    pod.ref = ref;
    pod.order = QueueOrder{priority, now, ++sequence_};
  } else {
    if (pod.place != QueuedPod::Place::kGated || gated) return;  // known
    take_out(pod);
  }
  pod.cause = cause;
  if (gated) {
    pod.place = QueuedPod::Place::kGated;
    pod.rejectors = set_of(Plugin::kSchedulingGates);
  } else {
    make_active(pod);
  }
}

const QueuedPod* SchedulingQueue::pop(SimTime) {
  const auto later = [](const ActiveEntry& a, const ActiveEntry& b) { return comes_before(b.order, a.order); };
  while (!active_.empty()) {
    std::pop_heap(active_.begin(), active_.end(), later);
    const ActiveEntry entry = active_.back();
    active_.pop_back();
    const auto found = pods_.find(entry.slot);
    if (found == pods_.end() || found->second.ticket != entry.ticket) continue;
    take_out(found->second);
    ++found->second.attempts;
    return &found->second;
  }
  if (backoff_.empty()) return nullptr;
  QueuedPod& pod = pods_.find(backoff_.begin()->slot)->second;
  take_out(pod);
  ++pod.attempts;
  return &pod;
}

void SchedulingQueue::failed(PodSlot slot, PluginSet rejectors, SimTime now, CauseId cause) {
  QueuedPod& pod = pods_.find(slot)->second;
  SIM_CHECK(pod.place == QueuedPod::Place::kInFlight, "only a pod in flight fails");
  pod.order.timestamp = now;
  pod.rejectors = rejectors;
  if (rejectors == 0) {
    ++pod.error_count;
  } else {
    ++pod.unschedulable_count;
    pod.error_count = 0;
  }
  pod.backoff_until = to_window(now + backoff_after(config_, pod.error_count > 0 ? pod.error_count : pod.unschedulable_count));
  pod.cause = cause;
  if (rejectors == 0) {
    requeue(pod, now, cause);
  } else {
    make_unschedulable(pod);
  }
}

void SchedulingQueue::requeue(QueuedPod& pod, SimTime now, CauseId cause) {
  take_out(pod);
  pod.cause = cause;
  const bool backs_off = !(pod.backoff_until < to_window(now));
  if (backs_off) {
    make_backoff(pod);
  } else {
    make_active(pod);
  }
}

void SchedulingQueue::remove(PodSlot slot) {
  const auto found = pods_.find(slot);
  if (found == pods_.end()) return;
  take_out(found->second);
  pods_.erase(found);
}

bool SchedulingQueue::concerns(PluginSet interested) const {
  for (std::size_t i = 0; i < rejected_by_.size(); ++i) {
    if (((interested >> i) & 1) != 0 && rejected_by_[i] != 0) return true;
  }
  return false;
}

void SchedulingQueue::activate(PodSlot slot, SimTime, CauseId cause) {
  const auto found = pods_.find(slot);
  if (found == pods_.end()) return;
  QueuedPod& pod = found->second;
  if (pod.place == QueuedPod::Place::kActive || pod.place == QueuedPod::Place::kInFlight || pod.place == QueuedPod::Place::kGated) return;
  take_out(pod);
  pod.cause = cause;
  make_active(pod);
}

void SchedulingQueue::set_preempting(PodSlot slot, bool preempting) {
  const auto found = pods_.find(slot);
  if (found != pods_.end()) found->second.preempting = preempting;
}

SimTime SchedulingQueue::next_flush(SimTime started, SimTime now) const {
  SimTime next = kEndOfTime;
  // A pod is released at the first whole second that is later than its back-off's end, itself a whole second.
  if (!backoff_.empty()) next = std::min(next, backoff_.begin()->until + kWindow);
  if (!error_backoff_.empty()) next = std::min(next, error_backoff_.begin()->until + kWindow);
  if (!unschedulable_.empty()) {
    const SimDuration due = std::max(std::get<0>(*unschedulable_.begin()) + config_.unschedulable_max, now) - started;
    next = std::min(next, started + (due / kFlushEvery + 1) * kFlushEvery);  // the first tick later than `due`
  }
  return next;
}

void SchedulingQueue::flush(SimTime now) {
  for (std::set<BackoffKey>* queue : {&backoff_, &error_backoff_}) {
    while (!queue->empty() && queue->begin()->until < to_window(now)) {
      QueuedPod& pod = pods_.find(queue->begin()->slot)->second;
      take_out(pod);
      make_active(pod);
    }
  }
  moved_.clear();
  for (const auto& [timestamp, sequence, slot] : unschedulable_) {
    if (now - timestamp <= config_.unschedulable_max) break;
    if (!pods_.find(slot)->second.preempting) moved_.push_back(slot);
  }
  for (const PodSlot slot : moved_) {
    QueuedPod& pod = pods_.find(slot)->second;
    requeue(pod, now, pod.cause);
  }
}

const QueuedPod* SchedulingQueue::find(PodSlot slot) const {
  const auto found = pods_.find(slot);
  return found == pods_.end() ? nullptr : &found->second;
}

void SchedulingQueue::clear() {
  pods_.clear();
  active_.clear();
  active_count_ = 0;
  backoff_.clear();
  error_backoff_.clear();
  unschedulable_.clear();
  std::fill(rejected_by_.begin(), rejected_by_.end(), 0);
}

}  // namespace sim::k8s::scheduling

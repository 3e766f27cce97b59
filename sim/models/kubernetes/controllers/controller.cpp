#include "sim/models/kubernetes/controllers/controller.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

// A token that lacks a rounding error counts as there: else a wait that rounds to 0 ns would never end.
constexpr double kWholeToken = 1.0 - 1e-6;

constexpr SimDuration kBackoffBase = 5ms;
constexpr SimDuration kBackoffCap = 1000s;

}  // namespace

void ClientBudget::refill() {
  const SimTime now = engine_.now();
  tokens_ = std::min(burst_, tokens_ + seconds(now - refilled_) * qps_);
  refilled_ = now;
}

SimDuration ClientBudget::wait() const {
  const double tokens = std::min(burst_, tokens_ + seconds(engine_.now() - refilled_) * qps_);
  if (tokens >= kWholeToken) return SimDuration{};
  return SimDuration(static_cast<std::int64_t>(std::ceil((1.0 - tokens) / qps_ * 1e9)));
}

SimDuration ClientBudget::take() {
  refill();
  const SimDuration waits = wait();
  tokens_ -= 1;
  return waits;
}

WorkQueue::WorkQueue(Engine& engine, ClientBudget& budget, Sync sync) : engine_(engine), budget_(budget), sync_(std::move(sync)) {}

void WorkQueue::add(ObjectRef key) {
  const auto [entry, is_new] = queued_.try_emplace(key, engine_.cause());
  if (!is_new) {
    if (engine_.cause()) entry->second = engine_.cause();
    return;
  }
  queue_.push_back(Item{key, engine_.cause()});
  if (!engine_.is_pending(pump_timer_)) pump_timer_ = engine_.after(budget_.wait(), [this] { pump(); });
}

void WorkQueue::add_after(ObjectRef key, SimDuration delay) {
  if (delay <= SimDuration{}) {
    add(key);
    return;
  }
  const SimTime when = engine_.now() + delay;
  const auto pending = delayed_until_.find(key);
  if (pending != delayed_until_.end()) {
    if (pending->second <= when) return;
    engine_.cancel(delayed_[key]);
  }
  delayed_until_[key] = when;
  delayed_[key] = engine_.at(when, [this, key] {
    delayed_.erase(key);
    delayed_until_.erase(key);
    add(key);
  });
}

void WorkQueue::add_rate_limited(ObjectRef key) {
  const std::uint32_t failures = failures_[key]++;
  // 5 ms * 2^18 is beyond the cap already; a larger shift would only overflow.
  const SimDuration delay = failures >= 18 ? kBackoffCap : std::min<SimDuration>(kBackoffBase * (std::int64_t{1} << failures), kBackoffCap);
  add_after(key, delay);
}

void WorkQueue::forget(ObjectRef key) { failures_.erase(key); }

void WorkQueue::clear() {
  for (const auto& [key, timer] : delayed_) engine_.cancel(timer);
  delayed_.clear();
  delayed_until_.clear();
  failures_.clear();
  queue_.clear();
  head_ = 0;
  queued_.clear();
  engine_.cancel(pump_timer_);
  pump_timer_ = TimerId{};
}

void WorkQueue::pump() {
  if (head_ == queue_.size()) return;
  // Earlier syncs or other queues of the same client may have used the token up since the event was set.
  const SimDuration waits = budget_.wait();
  if (waits > SimDuration{}) {
    pump_timer_ = engine_.after(waits, [this] { pump(); });
    return;
  }
  const ObjectRef key = queue_[head_++].key;
  if (head_ == queue_.size()) {
    queue_.clear();
    head_ = 0;
  } else if (head_ >= 1024 && head_ * 2 >= queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  const auto entry = queued_.find(key);
  const CauseId cause = entry->second;
  queued_.erase(entry);
  engine_.set_cause(cause);  // none is right too: an old cause of this event says nothing about the key
  sync_(key);
  if (head_ < queue_.size() && !engine_.is_pending(pump_timer_)) {
    pump_timer_ = engine_.after(budget_.wait(), [this] { pump(); });
  }
}

}  // namespace sim::k8s

#include "sim/core/engine.hpp"

namespace sim {

namespace {
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}
}  // namespace

bool Engine::step() {
  if (queue_.empty()) return false;
  const EventQueue::Due due = queue_.pop();
  now_ = due.time;
  cause_ = due.cause;
  order_hash_ = mix(mix(order_hash_, static_cast<std::uint64_t>(due.time.time_since_epoch().count())), due.sequence);
  queue_.run(due);
  cause_ = CauseId{};
  return true;
}

RunEnd Engine::run_until(SimTime end, const std::atomic<bool>* stop) {
  constexpr std::uint32_t kStopCheckEvery = 256;
  std::uint32_t since_check = 0;
  stop_requested_ = false;
  for (;;) {
    if (stop != nullptr && ++since_check >= kStopCheckEvery) {
      since_check = 0;
      if (stop->load(std::memory_order_relaxed)) return RunEnd::kStopped;
    }
    const SimTime next = queue_.next_time();
    if (next > end || queue_.empty()) {
      const bool drained = queue_.empty();
      if (end != kEndOfTime && end > now_) now_ = end;
      return drained ? RunEnd::kNoEvents : RunEnd::kTimeLimit;
    }
    step();
    if (stop_requested_) return RunEnd::kRequested;
  }
}

EngineStats Engine::stats() const noexcept {
  return EngineStats{queue_.pushed(), queue_.pushed() - queue_.cancelled() - queue_.size(), queue_.cancelled(), queue_.peak()};
}

}  // namespace sim

#include "sim/core/engine.hpp"

namespace sim {

namespace {
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}
}  // namespace

inline void Engine::execute(EventQueue::Due& due) {
  now_ = due.time;
  cause_ = due.cause;
  last_executed_ = {due.time, due.sequence, due.cause};
  order_hash_ = mix(mix(order_hash_, static_cast<std::uint64_t>(due.time.time_since_epoch().count())), due.sequence);
  due.run();
  cause_ = CauseId{};
}

bool Engine::step() {
  EventQueue::Due due;
  if (!queue_.take(kEndOfTime, due)) return false;
  execute(due);
  return true;
}

RunEnd Engine::run_until(SimTime end, const std::atomic<bool>* stop) {
  constexpr std::uint32_t kStopCheckEvery = 256;
  std::uint32_t since_check = 0;
  stop_requested_ = false;
  EventQueue::Due due;
  for (;;) {
    if (stop != nullptr && ++since_check >= kStopCheckEvery) {
      since_check = 0;
      if (stop->load(std::memory_order_relaxed)) return RunEnd::kStopped;
    }
    if (!queue_.take(end, due)) break;
    execute(due);
    if (stop_requested_) return RunEnd::kRequested;
  }
  if (end != kEndOfTime && end > now_) now_ = end;
  return queue_.empty() ? RunEnd::kNoEvents : RunEnd::kTimeLimit;
}

EngineStats Engine::stats() const noexcept {
  return EngineStats{queue_.pushed(), queue_.pushed() - queue_.cancelled() - queue_.size(), queue_.cancelled(), queue_.peak()};
}

}  // namespace sim

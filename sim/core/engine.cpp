#include "sim/core/engine.hpp"

namespace sim {

namespace {
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}
}  // namespace

inline bool Engine::run_next(SimTime limit) {
  return queue_.run_next(limit, [this](SimTime time, std::uint64_t sequence, CauseId cause) {
    now_ = time;
    cause_ = cause;
    last_sequence_ = sequence;
    last_cause_ = cause;
    order_hash_ = mix(mix(order_hash_, static_cast<std::uint64_t>(time.time_since_epoch().count())), sequence);
  });
}

void Engine::enter(SimTime when, std::uint64_t sequence) noexcept {
  now_ = when;
  cause_ = CauseId{};
  last_sequence_ = sequence;
  last_cause_ = CauseId{};
  order_hash_ = mix(mix(order_hash_, static_cast<std::uint64_t>(when.time_since_epoch().count())), sequence);
}

bool Engine::step() {
  if (!run_next(kEndOfTime)) return false;
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
    if (!run_next(end)) break;
    cause_ = CauseId{};
    if (stop_requested_) return RunEnd::kRequested;
  }
  if (end != kEndOfTime && end > now_) now_ = end;
  return queue_.empty() ? RunEnd::kNoEvents : RunEnd::kTimeLimit;
}

EngineStats Engine::stats() noexcept {
  return EngineStats{queue_.pushed(), queue_.pushed() - queue_.cancelled() - queue_.size(), queue_.cancelled(), queue_.peak()};
}

}  // namespace sim

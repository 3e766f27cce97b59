#include <algorithm>

#include "sim/loop/session/session_impl.hpp"

namespace sim::loop {

RunEnd Session::Impl::run_quiescent(SimTime until, const RunHooks& hooks) {
  Engine& engine = world.engine;
  Clock::time_point quiet_since = Clock::now();
  constexpr std::chrono::nanoseconds kLongestWait = std::chrono::milliseconds(100);  // so that the hooks are asked
  for (;;) {
    if (const std::optional<RunEnd> end = asked_to_end(hooks)) return *end;
    upkeep();
    if (engine.now() >= until) return RunEnd::kTimeLimit;
    if (server.in_flight() > 0) quiet_since = Clock::now();
    std::chrono::nanoseconds wait{0};
    if (Clock::now() - quiet_since >= options.settle) {
      const std::uint64_t sent = frames_sent;
      const RunEnd end = engine.run_until(std::min(until, next_time()), hooks.stop);
      if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
      upkeep();
      // What that made the clients do comes first; when they were told nothing the next event may follow at once.
      if (frames_sent != sent) quiet_since = Clock::now();
    } else {
      wait = std::min<std::chrono::nanoseconds>(kLongestWait, options.settle / 4);
    }
    std::vector<Server::Incoming> requests = server.take(wait);
    if (requests.empty()) continue;
    handle(std::move(requests));
    quiet_since = Clock::now();
  }
}

}  // namespace sim::loop

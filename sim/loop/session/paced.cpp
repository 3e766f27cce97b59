#include <algorithm>

#include "sim/loop/session/session_impl.hpp"

namespace sim::loop {

RunEnd Session::Impl::run_paced(SimTime until, const RunHooks& hooks) {
  Engine& engine = world.engine;
  const Clock::time_point began = Clock::now();
  const SimTime from = engine.now();
  const auto paced_time = [&] {
    const double elapsed = std::chrono::duration<double>(Clock::now() - began).count() * options.speed;
    return std::min(until, from + SimDuration(static_cast<std::int64_t>(elapsed * 1e9)));
  };
  const auto wall_until = [&](SimTime when) {
    const double seconds = static_cast<double>((when - from).count()) / 1e9 / options.speed;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, 1e6))) - Clock::now());
  };
  constexpr std::chrono::nanoseconds kLongestWait = std::chrono::milliseconds(100);  // so that the hooks are asked
  for (;;) {
    if (const std::optional<RunEnd> end = asked_to_end(hooks)) return *end;
    const SimTime target = paced_time();
    if (engine.now() < target) {
      const RunEnd end = engine.run_until(target, hooks.stop);
      if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
    }
    statistics.behind_seconds_max = std::max(statistics.behind_seconds_max, static_cast<double>((paced_time() - engine.now()).count()) / 1e9);
    upkeep();
    if (engine.now() >= until) return RunEnd::kTimeLimit;
    std::vector<Server::Incoming> requests = server.take(std::clamp(wall_until(std::min(until, next_time())), std::chrono::nanoseconds(0), kLongestWait));
    if (requests.empty()) continue;
    // They came now, not when we fell asleep.
    const SimTime arrived = paced_time();
    if (engine.now() < arrived) engine.run_until(arrived, hooks.stop);
    handle(std::move(requests));
  }
}

}  // namespace sim::loop

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/loop/session/session_impl.hpp"
#include "sim/loop/virtual_time/supervisor.hpp"

namespace sim::loop {

namespace {

/// A controller that spins until a time has come would wait for ever: when that much was computed at one moment the clock follows the wall until
/// everybody rests. Time on the CPU, not the wall's: a busy machine or a slow disk is no spinning.
constexpr std::chrono::nanoseconds kRunAway = std::chrono::seconds(10);
constexpr std::chrono::milliseconds kLongestWait{100};  // so that the hooks are asked
/// Without an idle CPU to be told by, the threads are looked at again and again.
constexpr std::chrono::microseconds kBetweenLooks{200};
/// At one moment of virtual time. Nobody works that much without a pause: two writers that answer each other do.
constexpr std::uint64_t kRequestsAtOnce = 2'000'000;

}  // namespace

RunEnd Session::Impl::run_virtual(SimTime until, const RunHooks& hooks) {
  Engine& engine = world.engine;
  Supervisor& supervisor = *hooks.supervisor;
  Clock::time_point looked = Clock::now();
  Clock::time_point pushed = looked;
  std::uint64_t ran_at_rest = 0;  // 0: not asked for yet, as nobody was restless for long
  bool pushes = false;
  std::uint64_t requests_before = 0;
  std::uint64_t rounds = 0;
  /// The simulation comes first, then those whose waits are over.
  const auto move_to = [&](SimTime when) {
    ++statistics.steps;
    if (when > engine.now()) requests_before = statistics.requests;
    const RunEnd end = engine.run_until(when, hooks.stop);
    if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
    upkeep();
    server.poll();
    supervisor.advance(clock_at(engine.now()));
    return end;
  };
  for (;;) {
    constexpr std::uint64_t kRoundsBetweenHooks = 64;
    if (++rounds % kRoundsBetweenHooks == 0) {
      if (const std::optional<RunEnd> end = asked_to_end(hooks)) return *end;
    }
    // Where an idle CPU tells when they rest, the next thing after a stop is the next wait: nobody has to be asked before it.
    bool busy = supervisor.serve() && !supervisor.is_reproducible();
    busy = server.poll() || busy;
    if (std::vector<Server::Incoming> requests = server.take(std::chrono::nanoseconds(0)); !requests.empty()) {
      handle(std::move(requests));
      server.poll();
      busy = true;
    }
    if (!supervisor.failure().empty()) {
      failure = supervisor.failure();
      return RunEnd::kStopped;
    }
    if (statistics.requests - requests_before > kRequestsAtOnce) {
      failure = fmt::format("more than {} requests at one moment, {}: a hot loop; {}", kRequestsAtOnce, humanize(engine.now().time_since_epoch()), supervisor.describe());
      return RunEnd::kStopped;
    }
    if (busy) continue;
    if (supervisor.has_threads() && !supervisor.is_quiescent()) {
      if (Clock::now() - looked > kRunAway || pushes) {
        looked = Clock::now();
        const std::uint64_t ran = supervisor.ran();
        if (ran_at_rest == 0) ran_at_rest = ran;
        if (ran > ran_at_rest + static_cast<std::uint64_t>(kRunAway.count())) {
          if (engine.now() >= until) return RunEnd::kTimeLimit;
          const Clock::time_point before = std::exchange(pushed, looked);
          if (!std::exchange(pushes, true)) continue;
          ++statistics.pushed_steps;
          const RunEnd end = move_to(std::min(until, engine.now() + std::chrono::duration_cast<SimDuration>(looked - before)));
          if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
        }
      }
      supervisor.before_wait();
      server.wait(supervisor.is_reproducible() ? std::chrono::nanoseconds(kLongestWait) : std::chrono::nanoseconds(kBetweenLooks), supervisor.descriptors());
      continue;
    }
    looked = Clock::now();
    ran_at_rest = 0;
    pushes = false;
    upkeep();
    if (engine.now() >= until) return RunEnd::kTimeLimit;
    SimTime next = std::min(until, next_time());
    if (const std::optional<std::int64_t> deadline = supervisor.next_deadline(next >= until)) {
      next = std::min(next, std::max(engine.now(), SimTime(SimDuration(*deadline - clock_at(SimTime{}).monotonic))));
    }
    const RunEnd end = move_to(next);
    if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
  }
}

}  // namespace sim::loop

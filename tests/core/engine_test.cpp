/// The order of events, cancelling, and the end of a run: what every model relies on.
#include "sim/core/engine.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sim::CauseId;
using sim::Engine;
using sim::RunEnd;
using sim::ScopedCause;
using sim::SimDuration;
using sim::SimTime;
using sim::Timer;
using sim::TimerId;

constexpr SimTime at(SimDuration span) { return SimTime(span); }

TEST(Engine, RunsByTimeAndTiesInOrderOfScheduling) {
  Engine engine;
  std::string order;
  engine.after(2s, [&] { order += 'c'; });
  engine.after(1s, [&] { order += 'a'; });
  engine.after(2s, [&] { order += 'd'; });
  engine.after(1s, [&] { order += 'b'; });
  EXPECT_EQ(engine.run_until(sim::kEndOfTime), RunEnd::kNoEvents);
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(engine.now(), at(2s));
}

TEST(Engine, ZeroDelayRunsAfterWhatWasAlreadyDueNow) {
  Engine engine;
  std::string order;
  engine.after(1s, [&] {
    order += 'a';
    engine.after(0s, [&] { order += 'c'; });
    engine.after(-5s, [&] { order += 'd'; });  // a negative delay counts as zero
    engine.at(at(0s), [&] { order += 'e'; });  // and so does an instant that is over
  });
  engine.after(1s, [&] { order += 'b'; });
  engine.run_until(at(1s));
  EXPECT_EQ(order, "abcde");
  EXPECT_EQ(engine.now(), at(1s));
}

TEST(Engine, DelayPastTheEndOfTimeIsTheEndOfTime) {
  Engine engine;
  engine.run_until(at(10s));
  bool ran = false;
  const TimerId never = engine.after(SimDuration::max(), [&] { ran = true; });
  EXPECT_TRUE(engine.is_pending(never));
  EXPECT_EQ(engine.next_event_time(), sim::kEndOfTime);
  EXPECT_EQ(engine.run_until(at(std::chrono::hours(24 * 365 * 200))), RunEnd::kTimeLimit);
  EXPECT_FALSE(ran);
}

TEST(Engine, CancelTakesAnEventOff) {
  Engine engine;
  int ran = 0;
  const TimerId timer = engine.after(1s, [&] { ++ran; });
  EXPECT_TRUE(engine.is_pending(timer));
  engine.cancel(timer);
  EXPECT_FALSE(engine.is_pending(timer));
  engine.cancel(timer);
  engine.cancel(TimerId{});
  EXPECT_EQ(engine.stats().cancelled, 1u);
  EXPECT_EQ(engine.next_event_time(), sim::kEndOfTime);
  EXPECT_EQ(engine.run_until(at(5s)), RunEnd::kNoEvents);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(engine.stats().cancelled, 1u);
  EXPECT_EQ(engine.stats().executed, 0u);
}

TEST(Engine, CancelInsideItsOwnActionChangesNothing) {
  Engine engine;
  TimerId timer;
  bool pending = true;
  timer = engine.after(1s, [&] {
    pending = engine.is_pending(timer);
    engine.cancel(timer);
  });
  engine.run_until(at(2s));
  EXPECT_FALSE(pending);
  EXPECT_EQ(engine.stats().executed, 1u);
  EXPECT_EQ(engine.stats().cancelled, 0u);
}

TEST(Engine, CancelOfAnEventDueAtTheSameInstant) {
  Engine engine;
  bool ran = false;
  TimerId second;
  engine.after(1s, [&] { engine.cancel(second); });
  second = engine.after(1s, [&] { ran = true; });
  engine.run_until(at(2s));
  EXPECT_FALSE(ran);
}

TEST(Engine, AStaleHandleDoesNotTouchTheEventThatTookItsPlace) {
  Engine engine;
  std::vector<TimerId> stale;
  for (int i = 0; i < 1000; ++i) {
    const TimerId timer = engine.after(1s, [] {});
    engine.cancel(timer);
    stale.push_back(timer);
  }
  int ran = 0;
  std::vector<TimerId> fresh;
  for (int i = 0; i < 1000; ++i) fresh.push_back(engine.after(2s, [&] { ++ran; }));
  for (const TimerId timer : stale) engine.cancel(timer);
  EXPECT_EQ(engine.stats().cancelled, 1000u);
  for (const TimerId timer : fresh) EXPECT_TRUE(engine.is_pending(timer));
  engine.run_until(at(3s));
  EXPECT_EQ(ran, 1000);
  for (const TimerId timer : fresh) EXPECT_FALSE(engine.is_pending(timer));
}

TEST(Engine, RunUntilIncludesItsEndAndMovesTheClockThere) {
  Engine engine;
  int ran = 0;
  engine.after(1s, [&] { ++ran; });
  engine.after(2s, [&] { ++ran; });
  engine.after(2s + 1ns, [&] { ++ran; });
  EXPECT_EQ(engine.run_until(at(2s)), RunEnd::kTimeLimit);
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(engine.now(), at(2s));
  // Between two runs an event may be set before the one that run_until() has already looked at.
  std::string order;
  engine.after(0s, [&] { order += 'a'; });
  EXPECT_EQ(engine.run_until(at(10s)), RunEnd::kNoEvents);
  EXPECT_EQ(order, "a");
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(engine.now(), at(10s));
}

TEST(Engine, RunUntilAnInstantThatIsOverDoesNotTurnTheClockBack) {
  Engine engine;
  engine.run_until(at(10s));
  engine.run_until(at(5s));
  EXPECT_EQ(engine.now(), at(10s));
}

TEST(Engine, EarlierEventsMaySetAfterALookAhead) {
  Engine engine;
  std::vector<int> order;
  for (int i = 0; i < 200; ++i) engine.at(at(1000s + i * 1s), [&order, i] { order.push_back(i); });
  engine.run_until(at(1s));  // looks at the event of 1000 s
  for (int i = 199; i >= 0; --i) engine.at(at(2s + i * 1s), [&order, i] { order.push_back(-1000 + i); });
  engine.run_until(sim::kEndOfTime);
  ASSERT_EQ(order.size(), 400u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], -1000 + i);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(order[static_cast<std::size_t>(200 + i)], i);
}

TEST(Engine, StopRequestedByAModelAndByAFlag) {
  Engine engine;
  int ran = 0;
  engine.after(1s, [&] {
    ++ran;
    engine.stop();
  });
  engine.after(2s, [&] { ++ran; });
  EXPECT_EQ(engine.run_until(at(5s)), RunEnd::kRequested);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(engine.now(), at(1s));

  struct Ticker {
    Engine& engine;
    void tick() {
      engine.after(1s, [this] { tick(); });
    }
  } ticker{engine};
  ticker.tick();
  const std::atomic<bool> stop = true;
  EXPECT_EQ(engine.run_until(sim::kEndOfTime, &stop), RunEnd::kStopped);
  EXPECT_LT(engine.stats().executed, 2000u);
}

TEST(Engine, TimerIsCancelledByItsOwnerAndBySettingItAnew) {
  Engine engine;
  std::string order;
  {
    Timer gone(engine);
    gone.set_after(1s, [&] { order += 'x'; });
    EXPECT_TRUE(gone.is_pending());
  }
  Timer kept(engine);
  kept.set_after(1s, [&] { order += 'y'; });
  kept.set_after(3s, [&] { order += 'a'; });
  Timer moved(std::move(kept));
  engine.run_until(at(10s));
  EXPECT_EQ(order, "a");
  EXPECT_FALSE(moved.is_pending());
}

TEST(Engine, ActionsThatOwnMemoryAreFreedWhenRunCancelledOrLeftOver) {
  const auto token = std::make_shared<int>(0);
  {
    Engine engine;
    engine.after(1s, [token] { ++*token; });
    const TimerId timer = engine.after(1s, [token] { ++*token; });
    engine.after(9s, [token] { ++*token; });
    EXPECT_EQ(token.use_count(), 4);
    engine.cancel(timer);
    EXPECT_EQ(token.use_count(), 3);
    engine.run_until(at(5s));
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(*token, 1);
}

TEST(Engine, AnActionMayOwnATimerOfTheSameEngine) {
  // What is destroyed with an action may cancel others: when cancelled, and when the engine ends.
  auto engine = std::make_unique<Engine>();
  const auto set = [&engine] {
    auto inner = std::make_shared<Timer>(*engine);
    inner->set_after(5s, [] {});
    return engine->after(6s, [inner] {});
  };
  const TimerId first = set();
  set();
  engine->cancel(first);
  EXPECT_EQ(engine->stats().cancelled, 2u);
  engine.reset();
}

TEST(Engine, CausesAreInheritedByWhatAnEventSchedules) {
  Engine engine;
  std::vector<std::uint32_t> seen;
  {
    const ScopedCause because(engine, CauseId{7});
    engine.after(1s, [&] {
      seen.push_back(engine.cause().value);
      {
        const ScopedCause deeper(engine, CauseId{8});
        engine.after(1s, [&] { seen.push_back(engine.cause().value); });
        const ScopedCause none(engine, CauseId{});  // no cause: keeps what is current
        seen.push_back(engine.cause().value);
      }
      engine.after(2s, [&] { seen.push_back(engine.cause().value); });
    });
  }
  engine.after(1s, [&] { seen.push_back(engine.cause().value); });
  engine.run_until(at(10s));
  EXPECT_EQ(seen, (std::vector<std::uint32_t>{7, 8, 0, 8, 7}));
  EXPECT_EQ(engine.cause(), CauseId{});
}

TEST(Engine, OrderHashTellsRunsApart) {
  const auto run = [](SimDuration second) {
    Engine engine;
    engine.after(1s, [] {});
    engine.after(second, [] {});
    engine.run_until(at(10s));
    return engine.order_hash();
  };
  EXPECT_EQ(run(2s), run(2s));
  EXPECT_NE(run(2s), run(3s));
}

TEST(Engine, StatsAddUp) {
  Engine engine;
  std::vector<TimerId> timers;
  for (int i = 0; i < 10; ++i) timers.push_back(engine.after(1s * i, [] {}));
  engine.cancel(timers[9]);
  engine.run_until(at(4s));
  const sim::EngineStats stats = engine.stats();
  EXPECT_EQ(stats.scheduled, 10u);
  EXPECT_EQ(stats.cancelled, 1u);
  EXPECT_EQ(stats.executed, 5u);
  EXPECT_EQ(stats.peak_pending, 9u);
}

}  // namespace

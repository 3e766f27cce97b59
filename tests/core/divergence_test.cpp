#include "sim/core/divergence.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "sim/core/random.hpp"

namespace {

using namespace std::chrono_literals;
using sim::SimDuration;
using sim::SimTime;

/// Ten actors that wake at random times, and one that may be off by a nanosecond at one of its steps.
struct World {
  explicit World(int odd_step, std::uint64_t seed = 1) : odd_step_(odd_step) {
    for (int i = 0; i < 10; ++i) {
      streams_.emplace_back(seed, "test/actor", std::to_string(i));
      next(i);
    }
  }
  void next(int actor) {
    SimDuration wait(streams_[static_cast<std::size_t>(actor)].uniform_int(1, 1'000'000'000));
    if (actor == 3 && steps_++ == odd_step_) {
      wait += 1ns;
      const sim::ScopedCause because(engine, log.record("OddStep", "Actor/3", "a bug"));
      engine.after(wait, [this, actor] { next(actor); });
      return;
    }
    engine.after(wait, [this, actor] { next(actor); });
  }
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};

 private:
  std::vector<sim::RandomStream> streams_;
  int odd_step_;
  int steps_ = 0;
};

TEST(Divergence, EqualRunsHaveNone) {
  World a(-1);
  World b(-1);
  EXPECT_FALSE(sim::first_difference(a.engine, b.engine, SimTime(100s)));
  EXPECT_EQ(a.engine.order_hash(), b.engine.order_hash());
  EXPECT_GT(a.engine.stats().executed, 1000u);
}

TEST(Divergence, FindsAndTellsTheFirstDifferingEvent) {
  World a(-1);
  World b(50);
  const std::optional<sim::Divergence> found = sim::first_difference(a.engine, b.engine, SimTime(1000s));
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->a && found->b);
  EXPECT_EQ(found->b->time - found->a->time, 1ns);
  EXPECT_EQ(found->events + 1, a.engine.stats().executed);
  const std::string text = sim::describe(*found, a.log, b.log);
  EXPECT_NE(text.find("without a cause"), std::string::npos) << text;
  EXPECT_NE(text.find("because of OddStep Actor/3 (a bug)"), std::string::npos) << text;
}

TEST(Divergence, OneRunEndsEarlier) {
  sim::Engine a;
  sim::Engine b;
  a.after(1s, [] {});
  b.after(1s, [] {});
  b.after(2s, [] {});
  const std::optional<sim::Divergence> found = sim::first_difference(a, b);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->events, 1u);
  EXPECT_FALSE(found->a);
  EXPECT_EQ(found->b->time, SimTime(2s));
}

TEST(OrderTrail, NamesTheStretchInWhichRunsPart) {
  World a(-1);
  World b(500);
  World c(-1);
  sim::OrderTrail trail_a(16);
  sim::OrderTrail trail_b(16);
  sim::OrderTrail trail_c(16);
  EXPECT_EQ(trail_a.run_until(a.engine, SimTime(1000s)), sim::RunEnd::kTimeLimit);
  trail_b.run_until(b.engine, SimTime(1000s));
  c.engine.run_until(SimTime(3s));  // trails agree however the run was cut
  trail_c.run_until(c.engine, SimTime(1000s));
  EXPECT_EQ(a.engine.now(), SimTime(1000s));
  EXPECT_GT(trail_a.every(), 0u);
  EXPECT_FALSE(sim::first_difference(trail_a, trail_c));
  const std::optional<sim::TrailDifference> found = sim::first_difference(trail_a, trail_b);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->different_events - found->equal_events, 16u);
  // The event itself lies in that stretch.
  World again_a(-1);
  World again_b(500);
  const std::optional<sim::Divergence> event = sim::first_difference(again_a.engine, again_b.engine, SimTime(1000s));
  ASSERT_TRUE(event);
  EXPECT_GE(event->events, found->equal_events);
  EXPECT_LT(event->events, found->different_events);
}

TEST(OrderTrail, StaysSmall) {
  World a(-1);
  sim::OrderTrail trail(1);
  trail.run_until(a.engine, SimTime(2000s));
  EXPECT_GT(a.engine.stats().executed, 30'000u);
  EXPECT_LT(trail.points().size(), 4096u);
  EXPECT_GT(trail.every(), 4u);
  // A trail with a longer stride than the other still agrees with it.
  World b(-1);
  sim::OrderTrail coarse(64);
  coarse.run_until(b.engine, SimTime(2000s));
  EXPECT_FALSE(sim::first_difference(trail, coarse));
}

}  // namespace

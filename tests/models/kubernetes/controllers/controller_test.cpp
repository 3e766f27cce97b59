#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/controller.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;

ObjectRef key(std::uint32_t slot) { return ObjectRef{Kind::kPod, slot, 1}; }

TEST(ClientBudget, BurstThenRate) {
  Engine engine;
  ClientBudget budget(engine, 20, 30);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(budget.take(), SimDuration{}) << i;
  EXPECT_EQ(budget.take(), SimDuration(50ms));
  EXPECT_EQ(budget.take(), SimDuration(100ms));
  EXPECT_EQ(budget.wait(), SimDuration(150ms));
  engine.run_until(SimTime{} + 10s);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(budget.take(), SimDuration{}) << i;
  EXPECT_GT(budget.take(), SimDuration{});
}

struct WorkQueueTest : testing::Test {
  WorkQueueTest() : budget(engine), queue(engine, budget, [this](ObjectRef k) { synced.emplace_back(k.slot, engine.now().time_since_epoch() / 1ms); }) {}
  Engine engine;
  ClientBudget budget;
  std::vector<std::pair<std::uint32_t, std::int64_t>> synced;
  WorkQueue queue;
  using Seen = std::vector<std::pair<std::uint32_t, std::int64_t>>;
};

TEST_F(WorkQueueTest, EachKeyOnceInTheOrderOfArrival) {
  queue.add(key(2));
  queue.add(key(1));
  queue.add(key(2));
  engine.run_until(SimTime{} + 1s);
  EXPECT_EQ(synced, (Seen{{2, 0}, {1, 0}}));
}

TEST_F(WorkQueueTest, TheEarlierDelayWins) {
  queue.add_after(key(1), 10s);
  queue.add_after(key(1), 3s);
  queue.add_after(key(1), 20s);
  engine.run_until(SimTime{} + 60s);
  EXPECT_EQ(synced, (Seen{{1, 3000}}));
}

TEST_F(WorkQueueTest, BackoffDoublesUntilForgotten) {
  for (int i = 0; i < 4; ++i) {
    queue.add_rate_limited(key(1));
    engine.run_until(engine.now() + 1s);
  }
  EXPECT_EQ(synced, (Seen{{1, 5}, {1, 1010}, {1, 2020}, {1, 3040}}));
  queue.forget(key(1));
  queue.add_rate_limited(key(1));
  engine.run_until(engine.now() + 1s);
  EXPECT_EQ(synced.back(), (std::pair<std::uint32_t, std::int64_t>{1, 4005}));
  for (int i = 0; i < 40; ++i) queue.add_rate_limited(key(2));  // no overflow; at most 1000 s
  engine.run_until(engine.now() + 2000s);
}

TEST_F(WorkQueueTest, WaitsForTheClientsTokens) {
  for (int i = 0; i < 31; ++i) budget.take();
  queue.add(key(1));
  engine.run_until(SimTime{} + 1s);
  EXPECT_EQ(synced, (Seen{{1, 100}}));
}

TEST_F(WorkQueueTest, ClearStopsEverything) {
  queue.add(key(1));
  queue.add_after(key(2), 1s);
  queue.add_rate_limited(key(3));
  queue.clear();
  engine.run_until(SimTime{} + 60s);
  EXPECT_TRUE(synced.empty());
  queue.add(key(4));
  engine.run_until(SimTime{} + 61s);
  EXPECT_EQ(synced.size(), 1u);
}

TEST(WorkQueue, ASyncRunsUnderTheCauseOfTheLatestAdd) {
  Engine engine;
  ClientBudget budget(engine);
  std::vector<std::uint32_t> causes;
  WorkQueue queue(engine, budget, [&](ObjectRef) { causes.push_back(engine.cause().value); });
  const auto add = [&](std::uint32_t slot, std::uint32_t cause) {
    engine.set_cause(CauseId{cause});
    queue.add(key(slot));
  };
  add(1, 7);
  add(2, 8);
  add(1, 9);
  add(1, 0);  // tells nothing: the cause before stays
  add(3, 0);
  engine.run_until(SimTime{} + 1s);
  EXPECT_EQ(causes, (std::vector<std::uint32_t>{9, 8, 0}));
}

TEST(WorkQueue, AKeyAddedDuringItsSyncIsSyncedAgain) {
  Engine engine;
  ClientBudget budget(engine);
  int count = 0;
  WorkQueue* self = nullptr;
  WorkQueue queue(engine, budget, [&](ObjectRef k) {
    if (++count < 3) self->add(k);
  });
  self = &queue;
  queue.add(key(1));
  engine.run_until(SimTime{} + 1s);
  EXPECT_EQ(count, 3);
}

TEST(WorkQueue, ManyKeys) {
  Engine engine;
  ClientBudget budget(engine);
  std::uint32_t next = 0;
  WorkQueue queue(engine, budget, [&](ObjectRef k) { EXPECT_EQ(k.slot, next++); });
  for (std::uint32_t i = 0; i < 10'000; ++i) queue.add(key(i));
  engine.run_until(SimTime{} + 1s);
  EXPECT_EQ(next, 10'000u);
}

}  // namespace
}  // namespace sim::k8s

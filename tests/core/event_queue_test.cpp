/// The queue against a reference heap, event by event, on delays that queues trip over.
#include "sim/core/event_queue.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <vector>

#include "sim/core/random.hpp"

namespace {

using sim::EventQueue;
using sim::RandomStream;
using sim::SimDuration;
using sim::SimTime;
using sim::TimerId;

struct Mix {
  const char* name;
  std::int64_t (*delay)(RandomStream&);
};

const Mix kMixes[] = {
    {"exponential", [](RandomStream& random) { return static_cast<std::int64_t>(random.exponential(1e9)); }},
    {"ties: 0 to 9 ns", [](RandomStream& random) { return random.uniform_int(0, 9); }},
    {"half at once, half far", [](RandomStream& random) { return random.chance(0.5) ? 0 : std::int64_t{1'000'000'000'000}; }},
    {"99 % a microsecond, 1 % an hour", [](RandomStream& random) { return random.chance(0.01) ? std::int64_t{3'600'000'000'000} : 1'000; }},
    {"whole seconds", [](RandomStream& random) { return 1'000'000'000 * random.uniform_int(1, 100); }},
    {"fourteen decades", [](RandomStream& random) { return static_cast<std::int64_t>(std::pow(10.0, 14 * random.uniform())); }},
    {"one instant", [](RandomStream&) { return std::int64_t{1'000'000'000}; }},
    {"now and then the end of time",
     [](RandomStream& random) { return random.chance(0.1) ? INT64_MAX : random.uniform_int(0, 1'000'000); }},
};

/// Both queues side by side: the same calls, and the same answers.
class Pair {
 public:
  explicit Pair(std::uint64_t seed, const Mix& mix) : random_(seed, "test/queue", mix.name), mix_(mix) {}

  void push() {
    std::int64_t time = 0;
    if (__builtin_add_overflow(now_, mix_.delay(random_), &time)) time = INT64_MAX;
    const std::uint64_t id = ++last_;
    const TimerId timer = queue_.push(SimTime(SimDuration(time)), sim::CauseId{static_cast<std::uint32_t>(id)}, [this, id] { ran_ = id; });
    reference_.emplace(time, id);
    handles_.push_back({timer, time, id});
  }

  void pop() {
    EventQueue::Due due;
    ASSERT_EQ(queue_.take(sim::kEndOfTime, due), !reference_.empty());
    if (reference_.empty()) return;
    const auto [time, id] = *reference_.begin();
    reference_.erase(reference_.begin());
    ASSERT_EQ(due.time.time_since_epoch().count(), time);
    ASSERT_EQ(due.cause.value, static_cast<std::uint32_t>(id));
    due.run();
    ASSERT_EQ(ran_, id);
    now_ = time;
  }

  void peek() {
    const std::int64_t want = reference_.empty() ? INT64_MAX : reference_.begin()->first;
    ASSERT_EQ(queue_.next_time().time_since_epoch().count(), want);
    // What is later than the limit stays.
    EventQueue::Due due;
    if (want > 0) {
      ASSERT_FALSE(queue_.take(SimTime(SimDuration(want - 1)), due));
    }
  }

  void cancel() {
    if (handles_.empty()) return;
    const auto chosen = static_cast<std::size_t>(random_.uniform_int(0, static_cast<std::int64_t>(handles_.size()) - 1));
    const Handle handle = handles_[chosen];
    handles_[chosen] = handles_.back();
    handles_.pop_back();
    const bool pending = reference_.erase({handle.time, handle.id}) != 0;
    ASSERT_EQ(queue_.is_pending(handle.timer), pending);
    if (random_.chance(0.5)) {
      queue_.withdraw(handle.timer);
      ASSERT_FALSE(queue_.is_pending(handle.timer));
      if (random_.chance(0.5)) queue_.withdraw(handle.timer);
      return;
    }
    ASSERT_EQ(queue_.cancel(handle.timer), pending);
    ASSERT_FALSE(queue_.cancel(handle.timer));
    // Looked at when something is cancelled and when a bucket is taken; what is taken in between may tip it by a bucket.
    if (pending) {
      ASSERT_LE(queue_.dead(), queue_.size() + 64);
    }
  }

  void drain() {
    while (!reference_.empty()) {
      ASSERT_EQ(queue_.size(), reference_.size());
      pop();
      if (testing::Test::HasFatalFailure()) return;
    }
    ASSERT_TRUE(queue_.empty());
    ASSERT_EQ(queue_.next_time(), sim::kEndOfTime);
  }

  RandomStream& random() { return random_; }
  std::size_t size() const { return reference_.size(); }
  const EventQueue& queue() const { return queue_; }
  std::int64_t now() const { return now_; }

 private:
  struct Handle {
    TimerId timer;
    std::int64_t time;
    std::uint64_t id;
  };
  EventQueue queue_;
  std::set<std::pair<std::int64_t, std::uint64_t>> reference_;
  std::vector<Handle> handles_;
  RandomStream random_;
  const Mix& mix_;
  std::int64_t now_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t ran_ = 0;
};

TEST(EventQueue, HoldsTheOrderOnEveryMixAndSize) {
  for (const Mix& mix : kMixes) {
    for (const std::size_t n : {1, 5, 31, 33, 100, 500, 3'000, 20'000, 100'000}) {
      SCOPED_TRACE(testing::Message() << mix.name << ", " << n << " pending");
      Pair pair(n, mix);
      for (std::size_t i = 0; i < n; ++i) pair.push();
      for (std::size_t i = 0; i < std::min<std::size_t>(20'000, 4 * n + 1000); ++i) {
        pair.pop();
        if (HasFatalFailure()) return;
        pair.push();
      }
      pair.drain();
      if (HasFatalFailure()) return;
    }
  }
}

// With this many pending, a withdrawal is put off.
TEST(EventQueue, HoldsTheOrderWhenMostOfManyAreCancelled) {
  for (const Mix& mix : kMixes) {
    SCOPED_TRACE(mix.name);
    Pair pair(7, mix);
    for (std::size_t i = 0; i < 100'000; ++i) pair.push();
    for (std::size_t i = 0; i < 60'000; ++i) {
      if (pair.random().chance(0.1)) {
        pair.pop();
      } else {
        pair.cancel();
      }
      pair.push();
      if (HasFatalFailure()) return;
    }
    pair.drain();
    if (HasFatalFailure()) return;
  }
}

TEST(EventQueue, HoldsTheOrderUnderCancelsPeeksAndChangingLoad) {
  for (const Mix& mix : kMixes) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(testing::Message() << mix.name << ", seed " << seed);
      Pair pair(seed, mix);
      for (int phase = 0; phase < 12; ++phase) {
        // Each phase grows, shrinks or holds, and cancels rarely or nearly always.
        const double pushes = std::vector{0.3, 0.5, 0.8}[static_cast<std::size_t>(pair.random().uniform_int(0, 2))];
        const double cancels = std::vector{0.0, 0.1, 0.45}[static_cast<std::size_t>(pair.random().uniform_int(0, 2))];
        const std::int64_t steps = std::int64_t{1} << pair.random().uniform_int(4, 14);
        for (std::int64_t i = 0; i < steps; ++i) {
          if (pair.random().chance(cancels)) {
            pair.cancel();
          } else if (pair.random().chance(pushes)) {
            pair.push();
          } else if (pair.random().chance(0.05)) {
            pair.peek();
          } else {
            pair.pop();
          }
          if (HasFatalFailure()) return;
        }
      }
      pair.drain();
      if (HasFatalFailure()) return;
    }
  }
}

TEST(EventQueue, HundredThousandAtOneInstantWhileMoreComeAndGo) {
  EventQueue queue;
  std::vector<int> order;
  std::vector<TimerId> timers;
  const SimTime instant(SimDuration(5'000'000'000));
  for (int i = 0; i < 100'000; ++i) timers.push_back(queue.push(instant, {}, [&order, i] { order.push_back(i); }));
  for (std::size_t i = 0; i < timers.size(); i += 3) EXPECT_TRUE(queue.cancel(timers[i]));
  EventQueue::Due due;
  int next = 100'000;
  while (queue.take(sim::kEndOfTime, due)) {
    EXPECT_EQ(due.time, instant);
    due.run();
    // Of what is scheduled for the running instant, behind all that is there, and of what is about to run, some is cancelled.
    if (next < 150'000) {
      timers.push_back(queue.push(instant, {}, [&order, i = next] { order.push_back(i); }));
      ++next;
    }
    if (order.size() == 30'000) {
      for (std::size_t i = 60'001; i < 90'000; i += 3) EXPECT_TRUE(queue.cancel(timers[i]));
    }
  }
  ASSERT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 100'000u - 33'334u - 10'000u + 50'000u);
}

TEST(EventQueue, ManyEarlierEventsAfterALookFarAhead) {
  // The look ahead opens a bucket of a far future; what is then scheduled before it must not cost O(n) each.
  EventQueue queue;
  RandomStream random(1, "test", "look ahead");
  std::vector<std::int64_t> ran;
  const auto push = [&](std::int64_t time) { queue.push(SimTime(SimDuration(time)), {}, [&ran, time] { ran.push_back(time); }); };
  for (int i = 0; i < 1000; ++i) push(3'600'000'000'000 + i);
  EXPECT_EQ(queue.next_time().time_since_epoch().count(), 3'600'000'000'000);
  for (int i = 0; i < 200'000; ++i) push(random.uniform_int(1, 3'600'000'000'000));
  EventQueue::Due due;
  while (queue.take(sim::kEndOfTime, due)) due.run();
  EXPECT_EQ(ran.size(), 201'000u);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

TEST(EventQueue, DeadSlotsAreNeverMoreThanLiveOnes) {
  EventQueue queue;
  RandomStream random(1, "test", "dead");
  std::vector<TimerId> timers(10'000);
  const auto set = [&](TimerId& timer) {
    timer = queue.push(SimTime(SimDuration(random.uniform_int(1, 1'000'000'000))), {}, [] {});
  };
  for (TimerId& timer : timers) set(timer);
  for (int i = 0; i < 300'000; ++i) {
    TimerId& timer = timers[static_cast<std::size_t>(random.uniform_int(0, 9'999))];
    ASSERT_TRUE(queue.cancel(timer));
    set(timer);
    ASSERT_LE(queue.dead(), queue.size() + 64);
  }
  EXPECT_EQ(queue.size(), timers.size());
  for (const TimerId& timer : timers) EXPECT_TRUE(queue.cancel(timer));
  EXPECT_TRUE(queue.empty());
  EventQueue::Due due;
  EXPECT_FALSE(queue.take(sim::kEndOfTime, due));
}

TEST(EventQueue, AFewEventsAfterManyCostNoPassOverAllSlots) {
  // 400,000 slots were used once; then 10 to 100 events come and go. Rebuilds may happen, passes over 400,000 slots not:
  // that would be 4e9 steps here and run for minutes.
  EventQueue queue;
  EventQueue::Due due;
  for (int i = 0; i < 400'000; ++i) queue.push(SimTime(SimDuration(i)), {}, [] {});
  while (queue.take(sim::kEndOfTime, due)) {
  }
  std::int64_t time = 1'000'000;
  for (int round = 0; round < 10'000; ++round) {
    for (int i = 0; i < 100; ++i) queue.push(SimTime(SimDuration(time + i * 1000)), {}, [] {});
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(queue.take(sim::kEndOfTime, due));
      ASSERT_EQ(due.time.time_since_epoch().count(), time + i * 1000);
    }
    time += 1'000'000;
  }
}

TEST(EventQueue, LargeAndOwningActions) {
  const auto token = std::make_shared<int>(0);
  EventQueue queue;
  struct Large {
    std::shared_ptr<int> token;
    std::array<std::uint64_t, 20> more{};
    void operator()() const { *token += static_cast<int>(more[19]); }
  };
  Large large{token, {}};
  large.more[19] = 5;
  for (int i = 0; i < 1000; ++i) queue.push(SimTime(SimDuration(i)), {}, large);
  EventQueue::Due due;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(queue.take(sim::kEndOfTime, due));
    due.run();
  }
  EXPECT_EQ(*token, 2500);
  EXPECT_EQ(token.use_count(), 502);
}

}  // namespace

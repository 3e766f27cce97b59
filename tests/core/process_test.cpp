#include "sim/core/process.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sim::Delay;
using sim::Engine;
using sim::Process;
using sim::SimDuration;
using sim::SimTime;
using sim::Wake;

struct Marker {
  explicit Marker(int& count) : count_(count) {}
  ~Marker() { ++count_; }
  Marker(const Marker&) = delete;
  Marker& operator=(const Marker&) = delete;
  int& count_;
};

Process story(Engine& engine, std::string& told, int& ended) {
  const Marker marker(ended);
  told += 'a';
  co_await Delay(engine, 1s);
  told += 'b';
  co_await Delay(engine, 0s);
  told += 'c';
}

TEST(Process, RunsToItsFirstWaitAtOnceAndFinishes) {
  Engine engine;
  std::string told;
  int ended = 0;
  const Process process = story(engine, told, ended);
  EXPECT_EQ(told, "a");
  EXPECT_TRUE(process.is_running());
  engine.run_until(SimTime(2s));
  EXPECT_EQ(told, "abc");
  EXPECT_FALSE(process.is_running());
  EXPECT_EQ(ended, 1);
}

TEST(Process, EndCancelsItsTimerAndRunsItsDestructors) {
  Engine engine;
  std::string told;
  int ended = 0;
  Process process = story(engine, told, ended);
  EXPECT_NE(engine.next_event_time(), sim::kEndOfTime);
  process.end();
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(process.is_running());
  EXPECT_EQ(engine.next_event_time(), sim::kEndOfTime);
  EXPECT_EQ(engine.run_until(SimTime(5s)), sim::RunEnd::kNoEvents);
  EXPECT_EQ(told, "a");
}

TEST(Process, OwnershipMoves) {
  Engine engine;
  std::string told;
  int ended = 0;
  Process process;
  EXPECT_FALSE(process.is_running());
  process = story(engine, told, ended);
  Process other(std::move(process));
  engine.run_until(SimTime(1s));
  EXPECT_FALSE(other.is_running());
  other = story(engine, told, ended);
  EXPECT_EQ(told, "abca");
  EXPECT_EQ(ended, 1);
  other = Process();
  EXPECT_EQ(ended, 2);
}

Process at_once(int& ended) {
  const Marker marker(ended);
  co_return;
}

TEST(Process, AStoryWithoutAWaitIsOverAtOnce) {
  int ended = 0;
  const Process process = at_once(ended);
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(process.is_running());
  std::vector<Process> many;
  for (int i = 0; i < 100; ++i) many.push_back(at_once(ended));
  for (const Process& one : many) EXPECT_FALSE(one.is_running());
  EXPECT_EQ(ended, 101);
}

TEST(Process, MovesOfAVectorKeepTheOwner) {
  Engine engine;
  std::string told;
  int ended = 0;
  std::vector<Process> many;
  for (int i = 0; i < 100; ++i) many.push_back(story(engine, told, ended));
  many.erase(many.begin(), many.begin() + 50);
  EXPECT_EQ(ended, 50);
  engine.run_until(SimTime(10s));
  EXPECT_EQ(ended, 100);
  for (const Process& one : many) EXPECT_FALSE(one.is_running());
}

TEST(Process, DetachedItRunsOnItsOwn) {
  Engine engine;
  std::string told;
  int ended = 0;
  story(engine, told, ended).detach();
  EXPECT_EQ(ended, 0);
  engine.run_until(SimTime(10s));
  EXPECT_EQ(told, "abc");
  EXPECT_EQ(ended, 1);
}

Process sleeper(Engine& engine, std::vector<std::pair<Wake, SimTime>>& woken) {
  for (;;) {
    const Wake wake = co_await Delay(engine, 10s);
    woken.emplace_back(wake, engine.now());
  }
}

TEST(Process, InterruptWakesItFromItsDelay) {
  Engine engine;
  std::vector<std::pair<Wake, SimTime>> woken;
  Process process = sleeper(engine, woken);
  engine.after(3s, [&] {
    EXPECT_TRUE(process.interrupt());
    EXPECT_FALSE(process.interrupt());  // it is on its way
  });
  engine.run_until(SimTime(14s));
  const std::vector<std::pair<Wake, SimTime>> want = {{Wake::kInterrupted, SimTime(3s)}, {Wake::kElapsed, SimTime(13s)}};
  EXPECT_EQ(woken, want);
  EXPECT_EQ(engine.stats().cancelled, 1u);
  process.end();
  EXPECT_FALSE(process.interrupt());
}

TEST(Process, EndedBetweenInterruptAndWaking) {
  Engine engine;
  std::vector<std::pair<Wake, SimTime>> woken;
  Process process = sleeper(engine, woken);
  EXPECT_TRUE(process.interrupt());
  process.end();
  engine.run_until(SimTime(100s));
  EXPECT_TRUE(woken.empty());
}

TEST(Process, WakesUnderTheCauseThatWasCurrentWhenItBeganToWait) {
  Engine engine;
  std::vector<std::pair<Wake, SimTime>> woken;
  std::vector<std::uint32_t> causes;
  struct Body {
    static Process run(Engine& its_engine, std::vector<std::uint32_t>& its_causes) {
      co_await Delay(its_engine, 1s);
      its_causes.push_back(its_engine.cause().value);
      co_await Delay(its_engine, 5s);
      its_causes.push_back(its_engine.cause().value);
    }
  };
  Process process;
  {
    const sim::ScopedCause because(engine, sim::CauseId{3});
    process = Body::run(engine, causes);
  }
  engine.after(2s, [&] {
    const sim::ScopedCause because(engine, sim::CauseId{9});
    process.interrupt();
  });
  engine.run_until(SimTime(10s));
  EXPECT_EQ(causes, (std::vector<std::uint32_t>{3, 9}));
}

TEST(Process, FramesMayEndOnAnotherThread) {
  struct World {
    Engine engine;
    std::string told;
    int ended = 0;
    std::vector<Process> processes;
  };
  std::vector<std::unique_ptr<World>> worlds;
  for (int i = 0; i < 4; ++i) {
    worlds.push_back(std::make_unique<World>());
    World& world = *worlds.back();
    for (int j = 0; j < 100; ++j) world.processes.push_back(story(world.engine, world.told, world.ended));
  }
  std::vector<std::thread> threads;
  for (auto& world : worlds) {
    threads.emplace_back([&world] {
      world->engine.run_until(SimTime(1s));
      for (int j = 0; j < 100; ++j) world->processes.push_back(story(world->engine, world->told, world->ended));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& world : worlds) {
    world->processes.clear();
    EXPECT_EQ(world->ended, 200);
  }
}

}  // namespace

#include "sim/core/process.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace std::chrono_literals;
using sim::Delay;
using sim::Engine;
using sim::Process;
using sim::SimDuration;
using sim::SimTime;

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
  other = story(engine, told, ended);
  EXPECT_EQ(told, "abca");
  EXPECT_EQ(ended, 1);
}

}  // namespace

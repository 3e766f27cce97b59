#include "sim/core/signal.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sim::Engine;
using sim::Process;
using sim::Signal;
using sim::SimTime;
using sim::Wake;

Process wait_once(Signal& signal, std::string& told, char name) {
  co_await signal.wait();
  told += name;
}

TEST(Signal, WakesAllInTheOrderOfWaiting) {
  Engine engine;
  Signal signal(engine);
  std::string told;
  std::vector<Process> processes;
  for (const char name : {'a', 'b', 'c', 'd'}) processes.push_back(wait_once(signal, told, name));
  EXPECT_EQ(signal.waiting(), 4u);
  processes[1].end();
  engine.after(1s, [&] {
    signal.notify_all();
    EXPECT_EQ(told, "");  // each goes on in an event of its own
  });
  engine.run_until(SimTime(2s));
  EXPECT_EQ(told, "acd");
  EXPECT_EQ(signal.waiting(), 0u);
}

TEST(Signal, NotifyOneWakesTheLongestWaiting) {
  Engine engine;
  Signal signal(engine);
  std::string told;
  EXPECT_FALSE(signal.notify_one());
  std::vector<Process> processes;
  for (const char name : {'a', 'b'}) processes.push_back(wait_once(signal, told, name));
  EXPECT_TRUE(signal.notify_one());
  engine.run_until(SimTime(1s));
  EXPECT_EQ(told, "a");
}

TEST(Signal, EndedAfterTheNotificationItDoesNotRun) {
  Engine engine;
  Signal signal(engine);
  std::string told;
  Process process = wait_once(signal, told, 'a');
  signal.notify_all();
  process.end();
  engine.run_until(SimTime(1s));
  EXPECT_EQ(told, "");
}

Process wait_three(Signal& signal, std::vector<Wake>& woken) {
  for (int i = 0; i < 3; ++i) {
    const Wake wake = co_await signal.wait_for(10s);
    woken.push_back(wake);
  }
}

TEST(Signal, TimeoutNotificationAndInterrupt) {
  Engine engine;
  Signal signal(engine);
  std::vector<Wake> woken;
  Process process = wait_three(signal, woken);
  engine.after(15s, [&] { signal.notify_all(); });
  engine.after(20s, [&] {
    EXPECT_TRUE(process.interrupt());
    signal.notify_all();  // comes too late: it is on its way already
  });
  engine.run_until(SimTime(100s));
  EXPECT_EQ(woken, (std::vector<Wake>{Wake::kTimeout, Wake::kElapsed, Wake::kInterrupted}));
  EXPECT_EQ(signal.waiting(), 0u);
}

TEST(Signal, ASignalThatGoesAwayLeavesItsWaitersAlone) {
  Engine engine;
  auto signal = std::make_unique<Signal>(engine);
  std::string told;
  std::vector<Wake> woken;
  Process forever = wait_once(*signal, told, 'a');
  signal.reset();
  engine.run_until(SimTime(100s));
  EXPECT_TRUE(forever.is_running());
  EXPECT_TRUE(forever.interrupt());
  engine.run_until(SimTime(200s));
  EXPECT_EQ(told, "a");
}

TEST(Signal, WokenUnderTheCauseOfTheNotification) {
  Engine engine;
  Signal signal(engine);
  std::uint32_t cause = 0;
  struct Body {
    static Process run(Engine& its_engine, Signal& its_signal, std::uint32_t& its_cause) {
      co_await its_signal.wait();
      its_cause = its_engine.cause().value;
    }
  };
  const Process process = Body::run(engine, signal, cause);
  engine.after(1s, [&] {
    const sim::ScopedCause because(engine, sim::CauseId{5});
    signal.notify_all();
  });
  engine.run_until(SimTime(2s));
  EXPECT_EQ(cause, 5u);
}

}  // namespace

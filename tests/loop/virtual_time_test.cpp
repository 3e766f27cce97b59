// The supervisor alone, over programs that every Debian has: what they see of time, and in which order they wake.
#include "sim/loop/virtual_time/supervisor.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sim::loop {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStart = 1'790'000'000;  // 2026-09-21T14:13:20Z

struct Outcome {
  std::string error;
  std::string printed;
  int code = -1;
  std::int64_t nanoseconds = 0;  // of virtual time
  std::vector<std::string> warnings;
  bool reproducible = false;
  bool gave_up = false;
};

/// Runs a shell script in virtual time until nothing is left of it.
Outcome run(const std::string& script, SupervisorOptions options = {}) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("squall-virtual-{}", ::getpid());
  std::filesystem::create_directories(folder);
  const std::filesystem::path file = folder / "printed";
  options.start = {kStart * kSecond, 1000 * kSecond};
  Outcome outcome;
  {
    Supervisor supervisor(options);
    outcome.reproducible = supervisor.is_reproducible();
    outcome.error = supervisor.start({"/bin/bash", "-c", "exec >" + file.string() + " 2>&1\n" + script}, {"TZ=UTC", "LC_ALL=C"});
    VirtualClock now = options.start;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (supervisor.has_threads()) {
      if (supervisor.serve()) continue;
      if (std::chrono::steady_clock::now() > patience) {
        outcome.gave_up = true;
        break;
      }
      if (!supervisor.is_quiescent()) {
        supervisor.before_wait();
        std::vector<pollfd> descriptors;
        for (const int descriptor : supervisor.descriptors()) descriptors.push_back({descriptor, POLLIN, 0});
        ::poll(descriptors.data(), descriptors.size(), supervisor.is_reproducible() ? 1000 : 1);
        continue;
      }
      const std::optional<std::int64_t> next = supervisor.next_deadline(true);
      if (!next) {
        ADD_FAILURE() << "nobody can run and nobody waits: " << supervisor.describe();
        break;
      }
      const std::int64_t span = std::max<std::int64_t>(0, *next - now.monotonic);
      now.monotonic += span;
      now.realtime += span;
      supervisor.advance(now);
    }
    outcome.code = supervisor.exit_code();
    outcome.nanoseconds = now.monotonic - options.start.monotonic;
    outcome.warnings = supervisor.take_warnings();
    if (outcome.error.empty()) outcome.error = supervisor.failure();
  }
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  outcome.printed = text.str();
  std::filesystem::remove_all(folder);
  return outcome;
}

/// Left out, with its reason, where processes may not be traced; with CI=true that is a failure.
class VirtualTime : public ::testing::Test {
 protected:
  void SetUp() override {
    Supervisor supervisor({1, {kStart * kSecond, kSecond}, true, true});
    const std::string error = supervisor.start({"/bin/true"}, {});
    if (error.empty()) return;
    const char* const ci = std::getenv("CI");
    if (ci != nullptr && std::string(ci) == "true") FAIL() << error;
    GTEST_SKIP() << "left out: " << error;
  }
};

bool has_python() { return std::system("python3 -c pass >/dev/null 2>&1") == 0; }

TEST_F(VirtualTime, ADayOfSleepTakesAnInstant) {
  const Outcome outcome = run("sleep 86400; date +%s");
  ASSERT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.printed, fmt::format("{}\n", kStart + 86400));
  EXPECT_EQ(outcome.nanoseconds, 86400 * kSecond);
  EXPECT_EQ(outcome.code, 0);
}

TEST_F(VirtualTime, SleepersWakeInOrderOfTheirDeadlines) {
  const Outcome outcome = run("for i in 5 3 1 4 2; do (sleep $((i * 3600)); echo $i) & done; wait; date +%T");
  ASSERT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.printed, "1\n2\n3\n4\n5\n19:13:20\n");
}

TEST_F(VirtualTime, ProcessesThatTalkToEachOtherShareTheClock) {
  const Outcome outcome = run("(sleep 10; date +%s; sleep 20; date +%s) | while read -r t; do echo $((t - 1790000000)) $(( $(date +%s) - 1790000000 )); done");
  ASSERT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.printed, "10 10\n30 30\n");
}

TEST_F(VirtualTime, ExitCodesAndSignals) {
  EXPECT_EQ(run("exit 7").code, 7);
  EXPECT_EQ(run("kill -TERM $$; sleep 5").code, 128 + 15);
  EXPECT_EQ(run("sleep 1000 & p=$!; (sleep 5; kill -TERM $p) & wait $p; echo $?").printed, "143\n");
  Supervisor supervisor({1, {kStart * kSecond, kSecond}, true, true});
  EXPECT_NE(supervisor.start({"/no/such/program"}, {}).find("No such file or directory"), std::string::npos);
}

TEST_F(VirtualTime, EveryWaitOfPython) {
  if (!has_python()) GTEST_SKIP() << "left out: there is no python3";
  const Outcome outcome = run(R"(cat > /tmp/squall-waits-$$.py <<'E'
import queue, select, signal, socket, threading, time
def took(what, f):
    a, b = time.monotonic(), time.time()
    f()
    print(what, round(time.monotonic() - a, 3), round(time.time() - b, 3))
s, t = socket.socketpair()
took("sleep", lambda: time.sleep(100))
took("short", lambda: time.sleep(0.002))
took("select", lambda: select.select([s], [], [], 50))
p = select.poll(); p.register(s, select.POLLIN)
took("poll", lambda: p.poll(7000))
e = select.epoll(); e.register(s, select.EPOLLIN)
took("epoll", lambda: e.poll(8))
took("event", lambda: threading.Event().wait(30))
def late():
    time.sleep(12); t.send(b"x")
threading.Thread(target=late).start()
took("readable first", lambda: select.select([s], [], [], 1000))
q = queue.Queue()
threading.Timer(60, lambda: q.put(1)).start()
took("queue", lambda: q.get(timeout=3600))
def nothing():
    try: q.get(timeout=3600)
    except queue.Empty: pass
took("empty queue", nothing)
took("lock", lambda: (lambda l: (l.acquire(), l.acquire(timeout=5)))(threading.Lock()))
E
python3 /tmp/squall-waits-$$.py; rm /tmp/squall-waits-$$.py)");
  ASSERT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.printed,
            "sleep 100.0 100.0\nshort 0.002 0.002\nselect 50.0 50.0\npoll 7.0 7.0\nepoll 8.0 8.0\nevent 30.0 30.0\nreadable first 12.0 12.0\nqueue 60.0 60.0\n"
            "empty queue 3600.0 3600.0\nlock 5.0 5.0\n");
  EXPECT_TRUE(outcome.warnings.empty());
}

TEST_F(VirtualTime, RandomNumbersAreTheRuns) {
  if (!has_python()) GTEST_SKIP() << "left out: there is no python3";
  const std::string script = "for i in 1 2; do python3 -c 'import os; print(os.urandom(8).hex(), hash(\"a\"))'; done";
  SupervisorOptions other;
  other.seed = 2;
  const Outcome first = run(script);
  EXPECT_EQ(first.printed, run(script).printed);
  EXPECT_NE(first.printed, run(script, other).printed);
  const std::size_t line = first.printed.find('\n');
  EXPECT_NE(first.printed.substr(0, line), first.printed.substr(line + 1, line)) << "two processes drew the same numbers";
}

TEST_F(VirtualTime, WhatIsNotVirtualIsNamed) {
  if (!has_python()) GTEST_SKIP() << "left out: there is no python3";
  const Outcome outcome = run("python3 -c 'import signal; signal.setitimer(signal.ITIMER_REAL, 1)'");
  ASSERT_EQ(outcome.warnings.size(), 1u);
  EXPECT_NE(outcome.warnings[0].find("setitimer"), std::string::npos) << outcome.warnings[0];
  EXPECT_NE(outcome.printed.find("Function not implemented"), std::string::npos) << outcome.printed;
}

TEST_F(VirtualTime, WithoutTheOneCpuTheTimesAreTheSame) {
  SupervisorOptions options;
  options.one_cpu = false;
  const Outcome outcome = run("for i in 3 1 2; do (sleep $((i * 3600)); echo $i) & done; wait; date +%T", options);
  ASSERT_EQ(outcome.error, "");
  EXPECT_FALSE(outcome.reproducible);
  EXPECT_EQ(outcome.printed, "1\n2\n3\n17:13:20\n");
}

TEST_F(VirtualTime, WhatIsLeftIsEndedWithTheSupervisor) {
  SupervisorOptions options;
  options.start = {kStart * kSecond, kSecond};
  {
    Supervisor supervisor(options);
    ASSERT_EQ(supervisor.start({"/bin/sleep", "1000"}, {}), "");
    for (int i = 0; i < 1000 && !supervisor.next_deadline(true); ++i) {
      supervisor.serve();
      ::usleep(1000);
    }
    EXPECT_TRUE(supervisor.has_threads());
    EXPECT_TRUE(supervisor.is_running());
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace sim::loop

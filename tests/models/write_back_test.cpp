// Dirty pages: how many there are, when writers wait, how fast the disk gets them. By hand: 100 GB that could be dirty, thresholds of 10 and 20 %.
#include <gtest/gtest.h>

#include "sim/models/host/write_back.hpp"

namespace sim::host {
namespace {

using namespace std::chrono_literals;

constexpr double kGB = 1e9;
constexpr double kMB = 1e6;
SimTime at(SimDuration since) { return SimTime(since); }

TEST(WriteBack, WhatIsWrittenSlowlyIsWrittenLate) {
  WriteBack pages{KernelConfig{}};
  pages.set(at(0s), 100 * kMB, 500 * kMB, 100 * kGB);
  EXPECT_NEAR(pages.dirty(at(10s)), 1 * kGB, 1);
  EXPECT_EQ(pages.outflow(at(10s)), 0) << "nothing is old yet";
  EXPECT_NEAR(pages.dirty(at(60s)), 3 * kGB, 1) << "30 s of it";
  EXPECT_EQ(pages.outflow(at(60s)), 100 * kMB);
  EXPECT_FALSE(pages.throttles(at(1h)));
  // The writer stops: all of it is on the disk half a minute later.
  pages.set(at(100s), 0, 500 * kMB, 100 * kGB);
  EXPECT_NEAR(pages.dirty(at(115s)), 1.5 * kGB, 1);
  EXPECT_NEAR(pages.dirty(at(131s)), 0, 1);
  EXPECT_EQ(pages.outflow(at(140s)), 0);
  EXPECT_EQ(pages.next_change(at(140s)), kEndOfTime);
}

TEST(WriteBack, ADiskThatIsFastEnoughKeepsItAtTheBackgroundThreshold) {
  WriteBack pages{KernelConfig{}};
  pages.set(at(0s), 400 * kMB, 500 * kMB, 100 * kGB);
  EXPECT_NEAR(pages.dirty(at(25s)), 10 * kGB, 2);
  EXPECT_NEAR(pages.dirty(at(1h)), 10 * kGB, 2);
  EXPECT_EQ(pages.outflow(at(1h)), 400 * kMB);
  EXPECT_FALSE(pages.throttles(at(1h)));
}

/// 1 GB/s to a disk of 500 MB/s: 10 GB after 10 s, 15 GB after 10 s more, and from then on 500 MB/s.
TEST(WriteBack, WritersWaitForASlowDisk) {
  WriteBack pages{KernelConfig{}};
  pages.set(at(0s), kGB, 500 * kMB, 100 * kGB);
  EXPECT_NEAR(pages.dirty(at(10s)), 10 * kGB, 2);
  EXPECT_NEAR(seconds(pages.next_change(at(0s))), 10.0, 1e-6);
  EXPECT_EQ(pages.outflow(at(11s)), 500 * kMB);
  EXPECT_EQ(pages.inflow(at(11s)), kGB);
  EXPECT_FALSE(pages.throttles(at(19s)));
  EXPECT_NEAR(seconds(pages.next_change(at(11s))), 20.0, 1e-6);
  EXPECT_TRUE(pages.throttles(at(21s)));
  EXPECT_EQ(pages.inflow(at(21s)), 500 * kMB);
  EXPECT_NEAR(pages.dirty(at(1h)), 15 * kGB, 2);
  // It goes on slower: the flushers bring it down to the background threshold.
  pages.set(at(1h), 100 * kMB, 500 * kMB, 100 * kGB);
  EXPECT_NEAR(pages.dirty(at(1h + 5s)), 13 * kGB, 2);
  EXPECT_NEAR(pages.dirty(at(2h)), 3 * kGB, 2) << "and then what is old goes";
}

TEST(WriteBack, MemoryThatIsTakenAwayMakesThemWait) {
  WriteBack pages{KernelConfig{}};
  pages.set(at(0s), 100 * kMB, 500 * kMB, 100 * kGB);
  EXPECT_FALSE(pages.throttles(at(1min)));
  pages.set(at(1min), 400 * kMB, 500 * kMB, 10 * kGB);  // 3 GB are dirty, and 1.5 GB is where writers wait
  EXPECT_TRUE(pages.throttles(at(61s)));
  EXPECT_EQ(pages.outflow(at(61s)), 500 * kMB);
  EXPECT_NEAR(pages.dirty(at(5min)), 1 * kGB, 2);
  EXPECT_FALSE(pages.throttles(at(5min)));
}

/// Whatever happens, what came in and has not gone out is what is dirty.
TEST(WriteBack, TheBooksBalance) {
  WriteBack pages{KernelConfig{}};
  double in = 0;
  double out = 0;
  SimTime now{};
  const double demands[] = {0, 50e6, 2e9, 300e6, 900e6, 10e6, 600e6, 0};
  for (int turn = 0; turn < 40; ++turn) {
    pages.set(now, demands[turn % 8], turn % 3 == 0 ? 200e6 : 500e6, turn % 5 == 0 ? 8e9 : 64e9);
    for (int step = 0; step < 5000; ++step) {
      in += pages.inflow(now) * 0.01;
      out += pages.outflow(now) * 0.01;
      now += 10ms;
    }
    EXPECT_NEAR(pages.dirty(now), in - out, 0.002 * in + 1e8) << turn;
    EXPECT_GE(pages.dirty(now), 0.0);
  }
}

}  // namespace
}  // namespace sim::host

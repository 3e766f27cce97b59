// What grows in straight lines with bends: amounts, rotation of logs, and when a sum crosses a level.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/core/random.hpp"
#include "sim/models/kubernetes/kubelet/growth.hpp"

namespace sim::k8s::kubelet {
namespace {

using namespace std::chrono_literals;

constexpr double kMiB = 1024.0 * 1024.0;
SimTime at(SimDuration since) { return SimTime(since); }

TEST(Growth, GrowsUpToItsEnd) {
  Growth files;
  files.start(at(10s), 100.0, 1000);
  EXPECT_DOUBLE_EQ(files.at(at(10s)), 0.0);
  EXPECT_DOUBLE_EQ(files.at(at(15s)), 500.0);
  EXPECT_DOUBLE_EQ(files.at(at(1h)), 1000.0);
  EXPECT_DOUBLE_EQ(files.rate(at(15s)), 100.0);
  EXPECT_DOUBLE_EQ(files.rate(at(1h)), 0.0);
  files.pause(at(12s));
  EXPECT_DOUBLE_EQ(files.at(at(1h)), 200.0);
  EXPECT_EQ(files.next_bend(at(1h)), kEndOfTime);
  files.resume(at(1h));
  EXPECT_DOUBLE_EQ(files.at(at(1h + 3s)), 500.0);
  files.stop(at(1h + 4s));
  EXPECT_DOUBLE_EQ(files.at(at(2h)), 600.0);
  files.resume(at(2h));
  EXPECT_DOUBLE_EQ(files.at(at(3h)), 600.0) << "what has stopped does not go on";
}

/// The lines through a log's peaks against the kubelet's rule, file by file: every 10 s a file of at least the size is rotated, the newest rotated one is as
/// it was, older ones are compressed, and so many are kept.
TEST(Growth, LogsAreRotated) {
  struct Case {
    std::string_view name;
    double rate;
    std::int64_t max_size;
    std::int64_t max_files;
  };
  for (const Case& c : {Case{"slow", 0.1 * kMiB, 10 << 20, 5}, Case{"fast", 5 * kMiB, 10 << 20, 5}, Case{"very fast", 100 * kMiB, 10 << 20, 5},
                        Case{"two files", kMiB, 10 << 20, 2}}) {
    SCOPED_TRACE(c.name);
    Growth log;
    log.start_log(at(0s), c.rate, c.max_size, c.max_files);
    double current = 0;
    double newest = 0;
    std::vector<double> compressed;
    double file = 0;
    double last_excess = 0;
    for (int look = 1; look <= 2000; ++look) {
      current += c.rate * 10.0;
      const double real = current + newest + [&] {
        double sum = 0;
        for (const double one : compressed) sum += one;
        return sum;
      }();
      const double drawn = log.at(at(look * 10s));
      EXPECT_GE(drawn, real - 1.0) << look;
      file = std::max(file, current);
      last_excess = drawn - real;
      EXPECT_LE(last_excess, file * 1.2 + 1.0) << look;
      if (current < static_cast<double>(c.max_size)) continue;
      // The order of rotateLog: old ones go, the rest is compressed, the current one becomes the newest.
      if (newest > 0) compressed.push_back(newest * kCompressed);
      while (static_cast<std::int64_t>(compressed.size()) > c.max_files - 2) compressed.erase(compressed.begin());
      newest = current;
      current = 0;
    }
    EXPECT_EQ(log.next_bend(at(20'000s)), kEndOfTime) << "it grows no more";
  }
}

TEST(Growth, WithoutRotationALogGrowsForEver) {
  Growth log;
  log.start_log(at(0s), kMiB, -1, 5);
  EXPECT_DOUBLE_EQ(log.at(at(10h)), 36'000 * kMiB);
}

/// Random sums against a search by bisection.
TEST(Growth, SumsCrossWhereTheyDo) {
  RandomStream draws(7, "growth-test", "sums");
  for (int turn = 0; turn < 200; ++turn) {
    std::vector<Growth> things(1 + static_cast<std::size_t>(draws.uniform() * 6));
    std::vector<Weighed> all;
    for (Growth& one : things) {
      const double rate = draws.uniform() * 1000.0;
      if (draws.uniform() < 0.5) one.start(at(0s), rate, draws.uniform() < 0.5 ? static_cast<std::int64_t>(draws.uniform() * 1e6) : 0);
      else one.start_log(at(0s), rate, static_cast<std::int64_t>(1 + draws.uniform() * 1e5), 5);
      all.push_back({&one, draws.uniform() < 0.3 ? 0.001 : 1.0});
    }
    const auto sum = [&](SimTime when) {
      double total = 0;
      for (const Weighed& one : all) total += one.weight * one.growth->at(when);
      return total;
    };
    const double level = draws.uniform() * 2e6;
    const SimTime crosses = sum_exceeds(all, at(1s), level);
    if (crosses == kEndOfTime) {
      EXPECT_LE(sum(at(20 * 365 * 24h)), level * (1 + 1e-9) + 1e-3) << turn;
      continue;
    }
    EXPECT_GE(sum(crosses), level * (1 - 1e-9) - 1e-3) << turn;
    if (crosses > at(1s)) {
      EXPECT_LE(sum(crosses - 1ms), level * (1 + 1e-9) + 1e-3 + 10.0) << turn;
    }
  }
}

}  // namespace
}  // namespace sim::k8s::kubelet

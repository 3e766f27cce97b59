#include "analysis/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace analysis {
namespace {

TEST(ForEachTask, EveryTaskRunsOnceOnAnyNumberOfThreads) {
  for (const std::size_t jobs : {0, 1, 2, 7, 64}) {
    std::vector<std::atomic<int>> runs(33);
    for_each_task(runs.size(), jobs, [&](std::size_t i) { ++runs[i]; });
    for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1) << jobs << " threads";
  }
}

TEST(ForEachTask, NoneBeginsOnceItIsStopped) {
  std::atomic<bool> stop{false};
  int runs = 0;
  for_each_task(100, 1, [&](std::size_t i) {
    ++runs;
    if (i == 4) stop = true;
  }, &stop);
  EXPECT_EQ(runs, 5);
}

TEST(ForEachTask, NothingToDoIsDone) {
  for_each_task(0, 4, [](std::size_t) { FAIL(); });
}

}  // namespace
}  // namespace analysis

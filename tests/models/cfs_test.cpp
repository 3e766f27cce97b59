// CPU limits: quota and pauses by hand, counters.
#include <gtest/gtest.h>

#include "sim/models/host/cfs.hpp"

namespace sim::host {
namespace {

using namespace std::chrono_literals;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

// pkg/kubelet/cm/helpers_linux_test.go (TestMilliCPUToQuota): millicores, quota at a period of 100 ms.
TEST(Cfs, QuotasAreTheKubelets) {
  EXPECT_EQ(cfs_quota(0), SimDuration::zero());
  EXPECT_EQ(cfs_quota(5), 1ms) << "at least 1 ms";
  EXPECT_EQ(cfs_quota(9), 1ms);
  EXPECT_EQ(cfs_quota(10), 1ms);
  EXPECT_EQ(cfs_quota(200), 20ms);
  EXPECT_EQ(cfs_quota(500), 50ms);
  EXPECT_EQ(cfs_quota(1000), 100ms);
  EXPECT_EQ(cfs_quota(1500), 150ms);
}

struct PauseCase {
  std::string_view name;
  std::int64_t limit;
  double cores;
  SimDuration pause;
};
const PauseCase kPauses[] = {
    {"less than the limit", 500, 0.4, 0ms},
    {"just the limit", 500, 0.5, 0ms},
    {"one thread, half a core", 500, 1, 50ms},
    {"two threads use 50 ms up in 25", 500, 2, 75ms},
    {"four threads, two cores", 2000, 4, 50ms},
    {"no limit", 0, 64, 0ms},
    {"a tenth of a core, eight threads", 100, 8, 98'750us},
};

TEST(Cfs, PausesByHand) {
  for (const PauseCase& c : kPauses) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(cfs_pause(cfs_quota(c.limit), c.cores), c.pause);
  }
}

TEST(Cfs, CountersGoOnAcrossChanges) {
  CfsCounters counters;
  counters.set(at(10s), cfs_quota(500), 2);
  EXPECT_EQ(counters.at(at(10s)).periods, 0);
  EXPECT_EQ(counters.at(at(12s)).periods, 20);
  EXPECT_EQ(counters.at(at(12s)).throttled, 20);
  EXPECT_EQ(counters.at(at(12s)).throttled_time, 20 * 75ms * 2) << "on both CPUs";
  counters.set(at(12s), cfs_quota(500), 0.3);
  EXPECT_EQ(counters.at(at(22s)).periods, 120);
  EXPECT_EQ(counters.at(at(22s)).throttled, 20) << "it has enough";
  counters.set(at(22s), cfs_quota(500), 0);
  EXPECT_EQ(counters.at(at(60s)).periods, 120) << "nothing runs: the timer stands";
}

}  // namespace
}  // namespace sim::host

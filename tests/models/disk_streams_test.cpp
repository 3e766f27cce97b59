// Who else works on a host's disk: what is asked for, who hears what.
#include <gtest/gtest.h>

#include <vector>

#include "sim/models/host/disk_streams.hpp"
#include "sim/models/host/hosts.hpp"

namespace sim::host {
namespace {

TEST(DiskStreams, ChangesAreToldOnceAndSharesTooAndOnlyTheActiveOnesCount) {
  DiskStreams disks;
  std::vector<std::uint32_t> changed;
  disks.on_change([&](HostId host) { changed.push_back(host.value); });
  std::vector<double> told;
  const DiskStreams::Id first = disks.add(HostId{3}, "osd.0", [&](const DiskStreams::Share& share) { told.push_back(share.gets); });
  const DiskStreams::Id second = disks.add(HostId{3}, "osd.1", nullptr);
  EXPECT_TRUE(disks.active(HostId{3}).empty());
  EXPECT_TRUE(disks.active(HostId{99}).empty());
  disks.set(second, {.wants = 5, .operations = 0, .weight = 2, .queued = 0});
  disks.set(first, {.wants = 0, .operations = 7, .weight = 1, .queued = 0});
  disks.set(first, {.wants = 0, .operations = 7, .weight = 1, .queued = 0});
  EXPECT_EQ(changed, (std::vector<std::uint32_t>{3, 3})) << "the same again is no change";
  EXPECT_EQ(disks.active(HostId{3}), (std::vector<DiskStreams::Id>{first, second})) << "in the order in which they were added";
  EXPECT_EQ(disks.users(HostId{3}, "containers"), "containers, osd.0, osd.1");
  EXPECT_EQ(disks.users(HostId{3}, ""), "osd.0, osd.1");
  disks.give(first, {.gets = 1, .utilisation = 0.5});
  disks.give(first, {.gets = 1, .utilisation = 0.5});
  disks.give(first, {.gets = 2, .utilisation = 0.5});
  EXPECT_EQ(told, (std::vector<double>{1, 2}));
}

TEST(DiskStreams, AnOperationTakesItsPartOfTheDisk) {
  // 100 operations a second are all that a disk with 100 IOPS does, whatever its bandwidth.
  EXPECT_DOUBLE_EQ(DiskStreams::as_bytes(100, 150e6, 100), 150e6);
  EXPECT_DOUBLE_EQ(DiskStreams::as_bytes(10, 150e6, 100), 15e6);
  EXPECT_EQ(DiskStreams::as_bytes(1000, 150e6, 0), 0.0) << "without a limit of operations bytes alone count";
}

}  // namespace
}  // namespace sim::host

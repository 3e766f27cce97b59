// OSDs on the first disk of their hosts: what recovery and clients get of it, and what an fsync beside them waits for.
#include <gtest/gtest.h>

#include <map>

#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

/// Divides each disk between an OSD and one other stream of so many bytes a second, in equal parts, as a node's kubelet model does.
struct Divider {
  Divider(host::Hosts& hosts_in, double disk_in, double others_in) : hosts(hosts_in), disk(disk_in), others(others_in) {
    hosts.disks().on_change([this](host::HostId host) { divide(host); });
  }
  void divide(host::HostId host) {
    double all = others;
    for (const host::DiskStreams::Id id : hosts.disks().active(host)) all += hosts.disks().stream(id).wants;
    for (const host::DiskStreams::Id id : hosts.disks().active(host)) {
      const double wants = hosts.disks().stream(id).wants;
      hosts.disks().give(id, {.gets = all <= disk ? wants : std::max(disk / 2, disk - others) * wants / (all - others), .utilisation = std::min(1.0, others / disk)});
      most[host.value] = std::max(most[host.value], hosts.disks().stream(id).queued);
    }
  }
  host::Hosts& hosts;
  double disk;
  double others;
  std::map<std::uint32_t, double> most;
};

struct SharedCase {
  std::string_view name;
  bool on_system_disk;
  double others;
  double takes_sec;  // 150 GiB
};
// The hosts' disks do 150 MiB/s.
constexpr double kDisk = 150.0 * 1024 * 1024;
const SharedCase kCases[] = {
    {"disks of their own", false, kDisk, 1024.0},
    {"on the system's disk, which nobody else uses", true, 0.0, 1024.0},
    {"beside a stream that leaves two thirds", true, kDisk / 3, 1536.0},
    {"beside one that would take all: half", true, kDisk, 2048.0},
};

TEST(SystemDisks, BackfillTakesTheDiskThatIsLeft) {
  for (const SharedCase& c : kCases) {
    SCOPED_TRACE(c.name);
    Lab lab({.hosts = 0, .osds_per_host = 0, .mons = 0, .mgrs = 0});
    for (int h = 0; h < 4; ++h) {
      const std::string name = fmt::format("h{}", h);
      lab.topology.add(topology::ElementKind::kHost, name);
      lab.ids.push_back(lab.hosts.add({.name = name, .disk_bytes_per_second = kDisk}));
      lab.config.hosts.push_back({.host = name});
      lab.config.osds.push_back({.host = name, .on_system_disk = c.on_system_disk});
      if (h < 3) lab.config.mons.push_back({std::string(1, static_cast<char>('a' + h)), name});
    }
    lab.config.mgrs.push_back({"x", "h0"});
    lab.config.pools[0].size = 2;
    lab.config.pools[0].pg_num = 1;
    lab.config.pools[0].stored_bytes = 150ll << 30;
    lab.config.pools[0].writes_per_second = 0.0;
    lab.config.osd.peering = {};
    Divider divider(lab.hosts, kDisk, c.others);
    lab.start();
    lab.run(1min);
    const int gone = lab.cluster->pgs().pg(0).acting[1];
    lab.cluster->kill_osd(gone, Kill::kCrash, "killed");
    lab.run(5s);
    lab.cluster->mark_out(gone);
    ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgBackfilling) == 1; }, 1min)) << lab.all_states();
    const auto took = lab.until([&] { return lab.count_with(kPgBackfilling) == 0; }, 3h);
    ASSERT_TRUE(took);
    EXPECT_NEAR(seconds(*took), c.takes_sec, 2.0);
    lab.run(1s);
    for (const host::HostId host : lab.ids) {
      EXPECT_EQ(divider.most[host.value] > 0.0, c.on_system_disk && divider.most.contains(host.value) && divider.most[host.value] > 0.0);
      EXPECT_TRUE(lab.hosts.disks().active(host).empty()) << "it is over";
    }
    // Source and target keep three objects of 4 MiB in flight.
    double queued = 0;
    for (const auto& [host, bytes] : divider.most) queued = std::max(queued, bytes);
    EXPECT_EQ(queued, c.on_system_disk ? 3.0 * (4 << 20) : 0.0);
  }
}

TEST(SystemDisks, ClientsWaitForOthersAndAreSeenByThem) {
  Lab lab({.hosts = 0, .osds_per_host = 0, .mons = 0, .mgrs = 0});
  for (int h = 0; h < 3; ++h) {
    const std::string name = fmt::format("h{}", h);
    lab.topology.add(topology::ElementKind::kHost, name);
    lab.ids.push_back(lab.hosts.add({.name = name, .disk_bytes_per_second = kDisk}));
    lab.config.hosts.push_back({.host = name});
    lab.config.osds.push_back({.host = name, .on_system_disk = true});
    lab.config.mons.push_back({std::string(1, static_cast<char>('a' + h)), name});
  }
  lab.config.mgrs.push_back({"x", "h0"});
  lab.config.pools[0].writes_per_second = 300.0;
  lab.config.pools[0].client_bytes_per_second = 30e6;
  Divider divider(lab.hosts, kDisk, 0.75 * kDisk);
  lab.start();
  lab.run(1min);
  for (const host::HostId host : lab.ids) {
    const std::vector<host::DiskStreams::Id> active = lab.hosts.disks().active(host);
    ASSERT_EQ(active.size(), 1u) << "nothing is copied";
    // Three copies on three disks: each has all of them.
    EXPECT_NEAR(lab.hosts.disks().stream(active[0]).wants, 30e6, 1.0);
    EXPECT_NEAR(lab.hosts.disks().stream(active[0]).operations, 300.0, 1e-9);
  }
  // Others keep the disk busy for three quarters of the time: four times as long.
  EXPECT_EQ(lab.cluster->operation_time(0), 4 * lab.config.osd.client_latency_hdd);
  EXPECT_TRUE(lab.cluster->has_slow_disk());
  lab.cluster->kill_osd(2, Kill::kCrash, "killed");
  lab.run(1min);
  EXPECT_TRUE(lab.hosts.disks().active(lab.ids[2]).empty()) << "an OSD that does not run wants nothing";
  EXPECT_NEAR(lab.hosts.disks().stream(lab.hosts.disks().active(lab.ids[0])[0]).operations, 450.0, 1e-9) << "spread over those that are up";
}

}  // namespace
}  // namespace sim::ceph

/// Faults and people at once, over many shapes of clusters: hosts, daemons, disks and networks fail while OSDs are marked out and in, reweighted and
/// marked down, flags are set, clocks run wrong and disks fill up. Left alone it comes to rest; mended, every PG is clean, and nothing is lost.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

constexpr int kFaults = 24;  // a storm

struct StormShape {
  std::string_view name;
  LabShape lab;
  int size = 3;  // replicated; 0: erasure coded
  int k = 0;
  int m = 0;
  const char* failure_domain = "host";
};

constexpr StormShape kShapes[] = {
    {"three hosts, three copies", {.hosts = 3, .osds_per_host = 1}},
    {"three hosts of four disks in racks", {.hosts = 3, .osds_per_host = 4, .racks = 3}},
    {"four monitors", {.hosts = 4, .osds_per_host = 1, .mons = 4}},
    {"five monitors, racks", {.hosts = 5, .osds_per_host = 2, .mons = 5, .racks = 5}},
    {"two racks, two copies", {.hosts = 4, .osds_per_host = 2, .racks = 2}, 2, 0, 0, "rack"},
    {"two monitors, two copies", {.hosts = 4, .osds_per_host = 2, .mons = 2}, 2},
    {"4 + 2 on six hosts", {.hosts = 6, .osds_per_host = 1}, 0, 4, 2},
    {"2 + 1 on four hosts", {.hosts = 4, .osds_per_host = 2}, 0, 2, 1},
    {"2 + 2 on five hosts", {.hosts = 5, .osds_per_host = 1}, 0, 2, 2},
    {"four copies, seven racks", {.hosts = 7, .osds_per_host = 2, .mons = 7, .racks = 7}, 4},
    {"one monitor, domain of disks", {.hosts = 3, .osds_per_host = 2, .mons = 1}, 3, 0, 0, "osd"},
    {"three racks of two hosts", {.hosts = 6, .osds_per_host = 2, .racks = 3}, 3, 0, 0, "rack"},
};
constexpr std::array<const char*, 8> kFlags = {"noout", "nodown", "noup", "noin", "norebalance", "norecover", "nobackfill", "pause"};

class OperatorStorm {
 public:
  OperatorStorm(const StormShape& shape, std::uint64_t seed) : shape_(shape), lab_(seeded(shape.lab, seed)), stream_(seed, "test/operator-storm", std::string(shape.name)) {
    PoolConfig& pool = lab_.config.pools[0];
    pool.pg_num = 24;
    pool.stored_bytes = 20ll << 30;
    // So slow that logs reach back over a storm: what only OSDs hold whose place is filled anew is lost in Ceph too.
    pool.writes_per_second = 5.0;
    pool.failure_domain = shape.failure_domain;
    pool.size = shape.size;
    pool.erasure = shape.size == 0;
    pool.k = shape.k;
    pool.m = shape.m;
    lab_.config.osd.max_markdown_count = 1000;
    lab_.start();
  }

  void run() {
    for (int i = 0; i < kFaults; ++i) {
      lab_.run(from_seconds(stream_.exponential(90.0)));
      fault();
      lab_.run(0s);
      check();
    }
    lab_.run(6h);
    const std::uint32_t epoch = lab_.cluster->map().epoch;
    lab_.run(1h);
    EXPECT_LE(lab_.cluster->map().epoch - epoch, 20u) << "it does not come to rest: " << lab_.all_states();
    mend();
    const auto is_whole = [this] { return lab_.cluster->all_clean() && lab_.cluster->osd_monitor().up_count() == lab_.cluster->osds().size(); };
    EXPECT_TRUE(lab_.until(is_whole, 24h)) << lab_.all_states() << lab_.cluster->osd_monitor().up_count() << " up";
    EXPECT_EQ(lab_.records("PgWritesLost") + lab_.records("PgDataLost"), 0u);
    check();
  }

 private:
  static LabShape seeded(LabShape shape, std::uint64_t seed) {
    shape.seed = seed;
    return shape;
  }
  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(stream_.uniform_int(0, static_cast<std::int64_t>(count) - 1)); }
  std::string any_mon() { return std::string(1, static_cast<char>('a' + pick(static_cast<std::size_t>(shape_.lab.mons)))); }
  const char* any_mgr() { return stream_.chance(0.5) ? "x" : "y"; }

  void fault() {
    CephCluster& ceph = *lab_.cluster;
    const int osd = static_cast<int>(pick(ceph.osds().size()));
    const host::HostId host = lab_.ids[pick(lab_.ids.size())];
    switch (stream_.uniform_int(0, 22)) {
      case 0: lab_.hosts.crash(host); break;
      case 1: lab_.hosts.power_on(host); break;
      case 2: lab_.hosts.reboot(host); break;
      case 3: lab_.hosts.hang(host, "test"); break;
      case 4: lab_.hosts.set_partition(host, static_cast<std::uint32_t>(stream_.uniform_int(0, 2))); break;
      case 5: ceph.kill_osd(osd, Kill::kCrash, "test"); break;
      case 6: ceph.kill_osd(osd, Kill::kSilent, "test"); break;
      case 7: ceph.start_osd(osd); break;
      case 8: ceph.kill_mon(any_mon()); break;
      case 9: ceph.start_mon(any_mon()); break;
      case 10: ceph.cut_network(lab_.hosts.spec(host).name, stream_.chance(0.5) ? Plane::kPublic : Plane::kCluster, stream_.chance(0.6)); break;
      case 11: ceph.stick_disk(osd); break;
      case 12: ceph.free_disk(osd); break;
      case 13: ceph.mark_out(osd); break;
      case 14: ceph.mark_in(osd); break;
      case 15: ceph.reweight(osd, stream_.uniform()); break;
      case 16: ceph.mark_down(osd); break;
      case 17: ceph.set_flag(kFlags[pick(kFlags.size())], stream_.chance(0.4)); break;
      case 18: ceph.kill_mgr(any_mgr()); break;
      case 19: ceph.start_mgr(any_mgr()); break;
      case 20: ceph.fill_disk(osd, static_cast<std::int64_t>(stream_.uniform() * 0.97 * static_cast<double>(ceph.osd(osd).capacity))); break;
      case 21: ceph.set_clock_skew(any_mon(), stream_.chance(0.5) ? SimDuration(3s) : SimDuration::zero()); break;
      case 22: ceph.slow_disk(osd, 1.0 + 20.0 * stream_.uniform()); break;
    }
  }

  void mend() {
    CephCluster& ceph = *lab_.cluster;
    for (const host::HostId id : lab_.ids) {
      lab_.hosts.set_partition(id, 0);
      lab_.hosts.reset(id);
      lab_.hosts.power_on(id);
      ceph.cut_network(lab_.hosts.spec(id).name, Plane::kPublic, false);
      ceph.cut_network(lab_.hosts.spec(id).name, Plane::kCluster, false);
    }
    lab_.run(40min);
    for (int mon = 0; mon < shape_.lab.mons; ++mon) {
      const std::string name(1, static_cast<char>('a' + mon));
      ceph.start_mon(name);
      ceph.set_clock_skew(name, SimDuration::zero());
    }
    for (const char* mgr : {"x", "y"}) ceph.start_mgr(mgr);
    lab_.run(2min);
    for (const char* flag : kFlags) ceph.set_flag(flag, false);
    for (const Osd& osd : ceph.osds()) {
      ceph.free_disk(osd.id);
      ceph.start_osd(osd.id);
      ceph.fill_disk(osd.id, 0);
      ceph.slow_disk(osd.id, 1.0);
      ceph.reweight(osd.id, 1.0);
      ceph.mark_in(osd.id);
    }
    lab_.run(5min);
    for (const Osd& osd : ceph.osds()) {
      ceph.start_osd(osd.id);
      ceph.reweight(osd.id, 1.0);
      ceph.mark_in(osd.id);
    }
  }

  void check() {
    const PlacementGroups& pgs = lab_.cluster->pgs();
    EXPECT_LE(lab_.cluster->monitors().committing_leaders(), 1u);
    for (std::uint32_t i = 0; i < pgs.size(); ++i) {
      const Pg& pg = pgs.pg(i);
      const PoolState& pool = pgs.pool_of(pg);
      const double copies = pool.objects_per_pg * static_cast<double>(pool.size);
      if (PlacementGroups::is_active(pg)) {
        EXPECT_GE(pg.acting_count(), pool.min_size);
      }
      if (pg.takes_writes) {
        for (const int osd : pg.acting) EXPECT_TRUE(osd == kNoOsd || lab_.cluster->daemons().is_responsive(osd));
      }
      EXPECT_LE(pg.head, pg.acked + pg.lost_writes);
      EXPECT_LE(pgs.degraded_objects(pg), copies + 1.0);
      EXPECT_LE(pgs.misplaced_objects(pg), copies + 1.0);
    }
  }

  const StormShape& shape_;
  Lab lab_;
  RandomStream stream_;
};

TEST(CephOperatorStorm, ComesToRestAndComesClean) {
  constexpr std::uint64_t kSeeds = 30;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const StormShape& shape : kShapes) {
      SCOPED_TRACE(fmt::format("{}, seed {}", shape.name, seed));
      OperatorStorm(shape, seed).run();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace sim::ceph

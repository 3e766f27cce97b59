// The kernel's side of a host's memory: measured runs of a real kernel replayed, watermarks and reclaim by hand, ids, leaks, pressure.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sim/models/host/memory.hpp"

namespace sim::host {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1ll << 20;
constexpr std::int64_t kGiB = 1ll << 30;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

// ---- measured runs

using Row = std::map<std::string, double>;

std::vector<Row> read_csv(const std::string& name) {
  std::ifstream file(std::string(SQUALL_SOURCE_DIR) + "/tests/data/memcg/" + name);
  std::vector<Row> rows;
  std::vector<std::string> columns;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string cell;
    Row row;
    for (std::size_t i = 0; std::getline(cells, cell, ','); ++i) {
      if (columns.size() <= i && rows.empty() && !std::isdigit(static_cast<unsigned char>(cell.front()))) {
        columns.push_back(cell);
      } else {
        row[columns.at(i)] = std::stod(cell);
      }
    }
    if (!row.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

/// One word for one thing: the two tools named their columns differently.
double figure(const Row& row, std::string_view first, std::string_view second) {
  const auto found = row.find(std::string(first));
  return found != row.end() ? found->second : row.at(std::string(second));
}

struct MeasuredRun {
  std::string_view file;
  std::int64_t file_bytes;
  bool has_anonymous;  // AnonPages was measured too; without it what other processes held is taken for constant
  enum class End { kDropped, kDeleted, kNone } end;
  // Where the replay begins: per-CPU memory that had been taken before and lay idle served the first hundreds of jobs of the newer runs.
  std::size_t first_row;
  std::string_view profile = "linux-6.x-cgroup-v1";
  double cpus = 2;
  // Percpu of /proc/meminfo counts whole units of the per-CPU allocator, a power of two of them here, populated or not: 8 for 6 CPUs. The memory is that of 6.
  double percpu_units = 2;
};

void PrintTo(const MeasuredRun& run, std::ostream* out) { *out << run.file; }

/// A file of n pages: an inode and a dentry (1.9 KiB), and with ext4 a buffer head (104 bytes) and a slot of the page tree for each page.
std::int64_t objects_of_file(std::int64_t bytes) { return 1'950 + bytes / 4096 * 118; }

class MeasuredChurn : public ::testing::TestWithParam<MeasuredRun> {};

TEST_P(MeasuredChurn, IsReproducedWithinFivePercent) {
  const MeasuredRun& run = GetParam();
  const std::vector<Row> rows = read_csv(std::string(run.file));
  ASSERT_GT(rows.size(), 20u);
  const Row& first = rows.at(run.first_row);
  KernelConfig kernel = *find_kernel_profile(run.profile);
  kernel.pinned_share = 1.0;  // every job of the measurement leaves a page
  const auto kib = [](double amount) { return static_cast<std::int64_t>(amount) * kKiB; };
  const auto get = [&](const Row& row, std::string_view short_name, std::string_view long_name) {
    return static_cast<double>(kib(figure(row, short_name, long_name)));
  };
  const std::int64_t total = run.has_anonymous ? kib(first.at("MemTotal_kb")) : 24 * kGiB;
  HostMemory memory(kernel, total, run.cpus);
  const double populated = run.cpus / run.percpu_units;
  HostMemory::State state;
  const double cached = get(first, "cached_kb", "Cached_kb");
  const double slab = get(first, "slab_kb", "Slab_kb");
  const double unreclaimable = get(first, "sunreclaim_kb", "SUnreclaim_kb");
  state.inactive_file = cached;
  state.slab = slab - unreclaimable;
  state.unreclaimable = unreclaimable;
  state.percpu = populated * get(first, "percpu_kb", "Percpu_kb");
  state.cgroups = first.at("memcgs");
  memory.set(state);
  const std::int64_t others =
      total - static_cast<std::int64_t>(get(first, "mem_free_kb", "MemFree_kb") + cached + slab + state.percpu);
  // Other processes work on the machine as well. Their page cache is no matter of the model: what changes Cached by more (by a tenth
  // and 4 MiB) than the jobs between two rows have written is theirs, and is given to the model as it is.
  double foreign_files = 0;
  double worst = 0;
  std::size_t compared = 0;
  std::int64_t jobs = static_cast<std::int64_t>(first.at("jobs"));
  for (std::size_t i = run.first_row + 1; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const auto until = static_cast<std::int64_t>(row.at("jobs"));
    const bool is_end = i + 1 == rows.size() && run.end != MeasuredRun::End::kNone;
    const double written = static_cast<double>((until - jobs) * run.file_bytes);
    const double change = get(row, "cached_kb", "Cached_kb") - get(rows[i - 1], "cached_kb", "Cached_kb");
    for (; jobs < until; ++jobs) {
      ASSERT_TRUE(memory.make_cgroups(1));
      memory.add_files(run.file_bytes, 0.0);
      memory.add_objects(objects_of_file(run.file_bytes));
      memory.remove_cgroups(1, true, false);
    }
    if (!is_end) {
      const double theirs = change - written;
      if (std::abs(theirs) > 0.1 * written + 4.0 * static_cast<double>(kMiB)) foreign_files += theirs;
    } else if (run.end == MeasuredRun::End::kDropped) {
      memory.drop_caches(DropCaches::kPageCache);
    } else {
      const std::int64_t done = jobs - static_cast<std::int64_t>(first.at("jobs"));
      memory.remove_files(done * run.file_bytes, done);
    }
    // The jobs' own files are gone: what is cached at the end is others'.
    if (is_end) foreign_files = get(row, "cached_kb", "Cached_kb") - static_cast<double>(memory.meminfo(SimTime{}, 0).cached);
    const std::int64_t anonymous =
        others + (run.has_anonymous ? kib(row.at("AnonPages_kb")) - kib(first.at("AnonPages_kb")) : 0);
    // The foreign files are in nobody's cgroup: beside the model's books, in those of the machine.
    const Meminfo info = memory.meminfo(SimTime{}, anonymous);
    const auto compare = [&](std::string_view what, double modelled, double measured, double scale) {
      const double difference = std::abs(modelled - measured) / scale;
      worst = std::max(worst, difference);
      ++compared;
      EXPECT_LE(difference, 0.05) << what << " after " << until << " jobs: " << modelled << ", measured " << measured;
    };
    const double free = get(row, "mem_free_kb", "MemFree_kb");
    const double available = get(row, "mem_available_kb", "MemAvailable_kb");
    if (!is_end) {
      compare("memory cgroups", static_cast<double>(info.cgroups), row.at("memcgs"), row.at("memcgs"));
      for (const auto& [what, modelled, measured] :
           {std::tuple{"Cached", static_cast<double>(info.cached) + foreign_files, get(row, "cached_kb", "Cached_kb")},
            std::tuple{"Slab", static_cast<double>(info.slab), get(row, "slab_kb", "Slab_kb")},
            std::tuple{"SUnreclaim", static_cast<double>(info.sunreclaim), get(row, "sunreclaim_kb", "SUnreclaim_kb")},
            std::tuple{"Percpu", static_cast<double>(info.percpu), populated * get(row, "percpu_kb", "Percpu_kb")},
            std::tuple{"MemFree", static_cast<double>(info.free) - foreign_files, free},
            std::tuple{"MemAvailable", static_cast<double>(info.available), available}}) {
        compare(what, modelled, measured, measured);
      }
    } else {
      // What the freed cgroups held is back but for half-empty slab pages; what is free says whether it is right.
      compare("MemFree at the end", static_cast<double>(info.free) - foreign_files, free, free);
      compare("MemAvailable at the end", static_cast<double>(info.available), available, available);
      EXPECT_LT(info.cgroups, jobs / 10);
      EXPECT_LT(row.at("memcgs"), static_cast<double>(jobs) / 10);
    }
  }
  EXPECT_GT(compared, 100u);
  RecordProperty("worst", std::to_string(worst));
  std::printf("%s: worst difference %.2f %% of %zu figures\n", std::string(run.file).c_str(), 100 * worst, compared);
}

INSTANTIATE_TEST_SUITE_P(Kernel618, MeasuredChurn,
                         ::testing::Values(MeasuredRun{"churn-4KiB-page-cache.csv", 4 * kKiB, false, MeasuredRun::End::kNone, 0},
                                           MeasuredRun{"churn-64KiB-page-cache.csv", 64 * kKiB, false, MeasuredRun::End::kNone, 0},
                                           MeasuredRun{"fresh-64KiB.csv", 64 * kKiB, true, MeasuredRun::End::kDeleted, 1},
                                           MeasuredRun{"fresh-16KiB-drop-caches.csv", 16 * kKiB, true, MeasuredRun::End::kDropped, 1}));

// cgroup v2, in virtual machines of their own (tools/calibrate/kernel_vm.py): nobody else's memory is in these.
INSTANTIATE_TEST_SUITE_P(CgroupV2, MeasuredChurn,
                         ::testing::Values(MeasuredRun{"vm-6.12-v2-16KiB.csv", 16 * kKiB, true, MeasuredRun::End::kDeleted, 0, "linux-6.12-cgroup-v2"},
                                           MeasuredRun{"vm-6.1-v2-64KiB-drop-caches.csv", 64 * kKiB, true, MeasuredRun::End::kDropped, 0, "linux-6.1-cgroup-v2"},
                                           MeasuredRun{"vm-6.1-v2-6-cpus-4KiB-drop-caches.csv", 4 * kKiB, true, MeasuredRun::End::kDropped, 0, "linux-6.1-cgroup-v2", 6, 8}));

// ---- watermarks and reclaim

TEST(HostMemoryWatermarks, AreTheKernels) {
  const KernelConfig kernel;
  // 8 GiB: min = sqrt(16 * 8388608) = 11585 KiB, a quarter of it is less than a thousandth of memory (8388 KiB).
  const Watermarks small = watermarks(kernel, 8 * kGiB);
  EXPECT_EQ(small.min, 11'585 * kKiB);
  EXPECT_EQ(small.low - small.min, 8 * kGiB / 1000);
  EXPECT_EQ(small.high - small.low, 8 * kGiB / 1000);
  // The measured zone of reference 9.1: 5,374,976 pages, min 12,276: low and high a quarter of min above each other, for that was less than ... 5374.
  KernelConfig measured;
  measured.min_free_bytes = 12'276 * 4 * kKiB;
  const Watermarks zone = watermarks(measured, 3'068ll * 1000 * 4 * kKiB);
  EXPECT_EQ(zone.low / 4 / kKiB, 15'345) << "3068 steps above min";
  EXPECT_EQ(zone.high / 4 / kKiB, 18'413 + (zone.high % (4 * kKiB) == 0 ? 1 : 0));
  EXPECT_EQ(watermarks(kernel, 16 * kMiB).min, 512 * kKiB);
  EXPECT_EQ(watermarks(kernel, 16'384 * kGiB).min, 262'144 * kKiB) << "no more than 256 MiB";
}

class HostMemoryTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kTotal = 8 * kGiB;
  HostMemory make(std::string_view profile = "linux-6.x-cgroup-v2", double cpus = 4) { return HostMemory(*find_kernel_profile(profile), kTotal, cpus); }
};

TEST_F(HostMemoryTest, EveryByteIsSomewhere) {
  HostMemory memory = make();
  memory.add_files(kGiB, 0.25);
  memory.add_objects(100 * kMiB);
  memory.make_cgroups(300);
  memory.remove_cgroups(300, true, true);
  for (const std::int64_t anonymous : {kGiB, 4 * kGiB, 7 * kGiB, 7 * kGiB + 900 * kMiB}) {
    memory.settle(at(1s), anonymous);
    const Meminfo info = memory.meminfo(at(1s), anonymous);
    EXPECT_NEAR(static_cast<double>(info.free + anonymous + info.cached + info.slab + info.percpu), static_cast<double>(kTotal), 16.0);
    EXPECT_GE(info.free, std::min(memory.marks().low, kTotal - anonymous) - 16);
  }
}

TEST_F(HostMemoryTest, NothingIsReclaimedAboveTheLowWatermark) {
  HostMemory memory = make();
  memory.add_files(2 * kGiB, 0.0);
  memory.settle(at(1s), kTotal - 2 * kGiB - memory.marks().low);
  EXPECT_EQ(memory.meminfo(at(1s), 0).cached, 2 * kGiB);
  memory.settle(at(2s), kTotal - 2 * kGiB - memory.marks().low + kMiB);
  const Meminfo info = memory.meminfo(at(2s), kTotal - 2 * kGiB - memory.marks().low + kMiB);
  EXPECT_NEAR(static_cast<double>(info.free), static_cast<double>(memory.marks().high), 16.0) << "kswapd goes on to the high one";
}

TEST_F(HostMemoryTest, ReclaimTakesTheDyingWithTheirPages) {
  HostMemory memory = make();
  memory.make_cgroups(10'000);
  memory.add_files(4 * kGiB, 0.0);
  memory.remove_cgroups(10'000, true, false);
  EXPECT_NEAR(memory.dying(), 9'000, 0.5) << "nine of ten are pinned";
  const std::int64_t held = memory.reclaimable();
  // Half of what it could give back has to go: half of the dying go with it.
  memory.settle(at(1s), kTotal - held + held / 2 - memory.marks().high);
  EXPECT_NEAR(memory.dying(), 4'500, 1.0);
}

TEST_F(HostMemoryTest, ManySmallStepsAreOneLargeOne) {
  HostMemory one = make();
  HostMemory many = make();
  for (HostMemory* memory : {&one, &many}) {
    memory->make_cgroups(5'000);
    memory->add_files(3 * kGiB, 0.0);
    memory->add_objects(kGiB);
    memory->remove_cgroups(5'000, true, false);
  }
  const std::int64_t begin = 4 * kGiB;
  constexpr std::int64_t step = kMiB;
  for (std::int64_t i = 0; i <= 3000; ++i) many.settle(at(i * 1s), begin + i * step);
  one.settle(at(3000s), begin + 3000 * step);
  // They stand at different places between low and high; brought to the same one they agree.
  const std::int64_t last = begin + 3000 * step + 2 * one.marks().high;
  one.settle(at(3001s), last);
  many.settle(at(3001s), last);
  EXPECT_NEAR(one.dying(), many.dying(), 0.02 * one.dying());
}

TEST_F(HostMemoryTest, ActiveFilesGoLast) {
  HostMemory memory = make();
  memory.add_files(kGiB, 0.5);
  memory.settle(at(1s), kTotal - kGiB + 200 * kMiB);
  EXPECT_EQ(memory.active_file(), 512 * kMiB);
  memory.settle(at(2s), kTotal - 200 * kMiB);
  EXPECT_LT(memory.active_file(), 512 * kMiB);
}

TEST_F(HostMemoryTest, SurgesStallAndSteadyGrowthDoesNot) {
  HostMemory memory = make();
  memory.add_files(6 * kGiB, 0.0);
  std::int64_t anonymous = kGiB;
  memory.settle(at(0s), anonymous);
  // 100 MiB/s against 2 GB/s.
  for (std::int64_t i = 1; i <= 30; ++i) EXPECT_EQ(memory.settle(at(i * 1s), anonymous += 100 * kMiB), SimDuration{});
  // 2 GiB at once, with next to nothing free: 2.15e9 bytes at 2 GB/s.
  const SimDuration stall = memory.settle(at(30s), anonymous + 2 * kGiB);
  EXPECT_NEAR(seconds(stall), 1.08, 0.05);
}

TEST_F(HostMemoryTest, DentriesAreReclaimedSlowly) {
  HostMemory memory = make();
  memory.add_objects(6 * kGiB);
  memory.settle(at(0s), kGiB);
  EXPECT_GT(seconds(memory.settle(at(0s), 3 * kGiB)), 5.0) << "1 GiB at 200 MB/s";
}

// ---- kernels

TEST_F(HostMemoryTest, OldIdsRunOutAndComeBackWithThePages) {
  HostMemory memory = make("rhel7-3.10-nokmem");
  std::int64_t pods = 0;
  while (memory.make_cgroups(3)) {
    memory.add_files(64 * kKiB, 0.0);
    memory.remove_cgroups(3, true, false);
    ++pods;
    ASSERT_LT(pods, 100'000);
  }
  // (65,535 - 50) / (3 * 0.9)
  EXPECT_NEAR(static_cast<double>(pods), 65'485.0 / 2.7, 3.0);
  memory.drop_caches(DropCaches::kPageCache);
  EXPECT_TRUE(memory.make_cgroups(3));
  EXPECT_EQ(memory.dying(), 0.0);
}

TEST_F(HostMemoryTest, NewIdsDoNotRunOut) {
  HostMemory memory = make("linux-6.x-cgroup-v1");
  for (int i = 0; i < 70'000; ++i) {
    ASSERT_TRUE(memory.make_cgroups(3));
    memory.add_files(4 * kKiB, 0.0);
    memory.remove_cgroups(3, true, false);
  }
  EXPECT_GT(memory.dying(), 180'000.0);
}

/// On 16 GiB and 4 CPUs each accounted cgroup leaves 164 KiB of caches, 12.35 KiB of its own and 2.05 KiB a CPU: 185 KiB. The arrays of the 116 caches grow at
/// 3,071 cgroups (pieces of 64 KiB, 3.3 % of memory is slab), 6,143 (128 KiB, 6.6 %) and 12,287 (256 KiB, 13.2 %). 65,536 pieces of 64 pages times
/// (1 - 0.132)^64 are 7.5 without a page of slab in them: too few for 116.
TEST_F(HostMemoryTest, TheKmemBugEndsInRefusalsAndNothingButABootHelps) {
  HostMemory memory = make("rhel7-3.10");
  const auto churn = [&](std::int64_t until) {
    while (static_cast<std::int64_t>(memory.dying()) < until) {
      if (memory.refuses_cgroups(SimTime{}, 1)) return false;
      memory.make_cgroups(1);
      memory.remove_cgroups(1, true, true);
    }
    return true;
  };
  EXPECT_TRUE(churn(12'000));
  const std::int64_t held = memory.unreclaimable(SimTime{});
  EXPECT_NEAR(static_cast<double>(held), 12'000.0 * (164 * 1024 + 12'646 + 4 * 2'098), 100.0);
  EXPECT_FALSE(churn(20'000));
  EXPECT_NEAR(memory.dying(), 12'286.0, 2.0);
  memory.drop_caches(DropCaches::kBoth);
  EXPECT_GT(memory.unreclaimable(SimTime{}), held) << "slab caches are no page cache";
  EXPECT_TRUE(memory.refuses_cgroups(SimTime{}, 1));
  memory.reset();
  EXPECT_EQ(memory.unreclaimable(SimTime{}), 0);
  EXPECT_FALSE(memory.refuses_cgroups(SimTime{}, 1));
}

/// More memory holds more pieces; a smaller leak leaves them whole. Without the bug the question does not arise.
TEST_F(HostMemoryTest, KmemRefusalsDependOnHowMuchOfMemoryIsSlab) {
  const auto refused_at = [](std::int64_t total, std::int64_t leak, std::string_view profile) {
    KernelConfig kernel = *find_kernel_profile(profile);
    if (leak >= 0) kernel.leaked_per_cgroup = leak;
    HostMemory memory(kernel, total, 4);
    std::int64_t made = 0;
    while (made < 65'000 && !memory.refuses_cgroups(SimTime{}, 1) && memory.make_cgroups(1)) {
      memory.remove_cgroups(1, true, true);
      ++made;
    }
    return made;
  };
  EXPECT_NEAR(static_cast<double>(refused_at(4 * kGiB, -1, "rhel7-3.10")), 6'143.0, 2.0);
  EXPECT_NEAR(static_cast<double>(refused_at(64 * kGiB, -1, "rhel7-3.10")), 24'575.0, 2.0);
  EXPECT_NEAR(static_cast<double>(refused_at(16 * kGiB, 1 << 20, "rhel7-3.10")), 6'143.0, 2.0);
  EXPECT_GE(refused_at(256 * kGiB, 0, "rhel7-3.10"), 49'000) << "cgroups of 20 KiB on a large machine: the ids end first, or nearly";
  EXPECT_GE(refused_at(16 * kGiB, -1, "rhel7-3.10-nokmem"), 65'000);
}

TEST_F(HostMemoryTest, WithoutPagesNothingIsPinned) {
  HostMemory memory = make();
  memory.make_cgroups(100);
  memory.remove_cgroups(100, false, true);
  EXPECT_EQ(memory.dying(), 0.0) << "slab objects are reparented";
  HostMemory old = make("linux-4.19-cgroup-v1");
  old.make_cgroups(100);
  old.remove_cgroups(100, false, true);
  EXPECT_NEAR(old.dying(), 90.0, 1e-9);
  old.drop_caches(DropCaches::kPageCache);
  EXPECT_NEAR(old.dying(), 90.0, 1e-9) << "its dentries keep it";
  old.drop_caches(DropCaches::kSlab);
  EXPECT_EQ(old.dying(), 0.0);
}

TEST_F(HostMemoryTest, KernelMemoryGrowsLinearly) {
  HostMemory memory = make();
  memory.grow_slab(at(10s), 5.0 * kMiB);
  EXPECT_EQ(memory.unreclaimable(at(10s)), 0);
  EXPECT_EQ(memory.unreclaimable(at(110s)), 500 * kMiB);
  memory.grow_slab(at(110s), -5.0 * kMiB);
  EXPECT_EQ(memory.unreclaimable(at(1000s)), 500 * kMiB);
  EXPECT_EQ(memory.unreclaimable_rate(), 0.0);
}

// ---- pressure

TEST(PsiTest, AveragesForgetAtTheirOwnPace) {
  Psi psi;
  psi.set(at(100s), 1.0);
  EXPECT_NEAR(psi.at(at(110s)).avg10, 1.0 - std::exp(-1.0), 1e-12);
  EXPECT_NEAR(psi.at(at(110s)).avg300, 1.0 - std::exp(-1.0 / 30), 1e-12);
  psi.set(at(110s), 0.0);
  EXPECT_NEAR(psi.at(at(120s)).avg10, (1.0 - std::exp(-1.0)) * std::exp(-1.0), 1e-12);
  EXPECT_EQ(psi.at(at(500s)).total, 10s);
}

}  // namespace
}  // namespace sim::host

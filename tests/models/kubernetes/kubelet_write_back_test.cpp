// Files that grow on a node: dirty pages, writers that wait for the disk, what etcd's fsyncs and reclaim feel of it.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::kGiB;
using test::kMiB;
using test::KubeletWorld;

class KubeletWriteBack : public ::testing::Test {
 protected:
  KubeletWriteBack() {
    w.images.default_bytes = 0;
    w.config.disk.thresholds.clear();
  }
  void start(std::string_view profile = "linux-6.x-cgroup-v2", host::DiskScheduler scheduler = host::DiskScheduler::kNone) {
    host::HostSpec spec = w.host_spec("w1");
    spec.memory_bytes = 10 * kGiB;
    spec.disk_bytes = 4000 * kGiB;
    spec.disk_bytes_per_second = 100.0 * kMiB;
    spec.disk_fsync_median = 1ms;
    spec.disk_scheduler = scheduler;
    spec.kernel = *host::find_kernel_profile(profile);
    node = w.add_node(spec);
    host = w.host_ids[0];
    w.start();
  }
  void writer(double bytes_per_second, std::int64_t at_most = 0) {
    PodBehaviour one;
    one.ns = w.names.intern("writers");
    one.writes_bytes_per_second = bytes_per_second;
    one.writes_at_most = at_most;
    w.behaviours.push_back(one);
  }
  Ref<Pod> create() {
    Pod pod = w.pod("writer");
    pod.meta.ns = w.names.intern("writers");
    return w.create_on(node, std::move(pod));
  }
  std::int64_t written(Ref<Pod> pod) {
    kubelet::PodDiskStats stats;
    EXPECT_TRUE(w.kubelets->disk_of(pod, stats));
    return stats.layers;
  }
  KubeletWorld w;
  Ref<Node> node;
  host::HostId host;
};

/// 300 MiB/s to a disk of 100 MiB/s. Dirty pages: 1 GiB (10 % of what is left) after 3.4 s, 1.5 GiB 2.5 s later; from then on 100 MiB/s.
TEST_F(KubeletWriteBack, WritersWaitForTheDisk) {
  writer(300.0 * kMiB);
  start();
  const Ref<Pod> pod = create();
  w.run_to(5s);
  EXPECT_EQ(w.count_records("WritersThrottled"), 0u);
  EXPECT_NEAR(static_cast<double>(written(pod)), 300.0 * 4.395 * kMiB, 5.0 * kMiB);
  w.run_to(10s);
  EXPECT_EQ(w.count_records("WritersThrottled"), 1u);
  EXPECT_NEAR(static_cast<double>(w.kubelets->meminfo(node).dirty), 1.49 * kGiB, 0.02 * kGiB);
  const std::int64_t before = written(pod);
  w.run_for(100s);
  EXPECT_NEAR(static_cast<double>(written(pod) - before), 10'000.0 * kMiB, 5.0 * kMiB);
  // What was written is page cache: free memory is gone, and nothing is short.
  EXPECT_GT(w.kubelets->meminfo(node).cached, 8 * kGiB);
  EXPECT_GT(w.kubelets->meminfo(node).available, 4 * kGiB);
  EXPECT_EQ(w.count_records("DirectReclaim"), 0u);
  EXPECT_EQ(w.kubelets->memory_used(node), 64 * kMiB) << "inactive page cache is no working set";
}

/// 4 requests of 512 KiB before it, at 100 MiB/s: 20 ms more than its 1 ms. An old kernel keeps 128 of them in flight: 640 ms. bfq lets it wait for one.
TEST_F(KubeletWriteBack, AnFsyncWaitsBehindWriteBack) {
  writer(300.0 * kMiB);
  start();
  create();
  w.run_to(1min);
  EXPECT_NEAR(w.hosts.fsync_factor(host), 21.0, 0.01);
}
TEST_F(KubeletWriteBack, AnOldKernelLetsItWaitLonger) {
  writer(300.0 * kMiB);
  start("rhel7-3.10-nokmem");
  create();
  w.run_to(1min);
  EXPECT_NEAR(w.hosts.fsync_factor(host), 641.0, 0.1);
}
TEST_F(KubeletWriteBack, BfqLetsItWaitForOne) {
  writer(300.0 * kMiB);
  start("linux-6.x-cgroup-v2", host::DiskScheduler::kBfq);
  create();
  w.run_to(1min);
  EXPECT_NEAR(w.hosts.fsync_factor(host), 6.0, 0.01);
}
TEST_F(KubeletWriteBack, ALittleWriteBackIsALittleInTheWay) {
  writer(10.0 * kMiB, kGiB);
  start();
  create();
  w.run_to(60s);
  EXPECT_NEAR(w.hosts.fsync_factor(host), 3.0, 0.01) << "a tenth of the time";
  w.run_to(5min);
  EXPECT_NEAR(w.hosts.fsync_factor(host), 1.0, 1e-9) << "it has written its 1 GiB";
  EXPECT_EQ(w.kubelets->meminfo(node).dirty, 0);
  const std::uint64_t events = w.engine.stats().executed;
  w.run_for(30 * 24h);
  EXPECT_LE(w.engine.stats().executed, events + 2);
}

/// Beside a stream of its own the write-back with four requests in flight gets four fifths: 80 of 100 MiB/s; with bfq a half.
TEST_F(KubeletWriteBack, SharesOfTheDiskAreByRequestsInFlight) {
  writer(300.0 * kMiB);
  PodBehaviour reader;
  reader.ns = w.names.intern("readers");
  reader.disk_bytes_per_second = 100.0 * kMiB;
  w.behaviours.push_back(reader);
  start();
  const Ref<Pod> pod = create();
  Pod other = w.pod("reader");
  other.meta.ns = w.names.intern("readers");
  w.create_on(node, std::move(other));
  w.run_to(1min);
  const std::int64_t before = written(pod);
  w.run_for(100s);
  EXPECT_NEAR(static_cast<double>(written(pod) - before), 8'000.0 * kMiB, 5.0 * kMiB);
}

/// A pod that starts with 6 GiB finds memory full of page cache, of which 1.5 GiB are dirty: those go at the speed of the disk.
TEST_F(KubeletWriteBack, ReclaimWaitsForDirtyPages) {
  writer(300.0 * kMiB);
  start();
  create();
  w.run_to(2min);
  Pod large = w.pod("large", [](PodSpec& spec) { spec.containers[0].requests.memory = 6 * kGiB; });
  w.create_on(node, std::move(large));
  w.run_for(3s);
  ASSERT_EQ(w.count_records("DirectReclaim"), 1u);
  // 6 GiB of 9.9 GiB page cache: 3 s at 2 GB/s and 9 s for 0.9 GiB of dirty pages.
  EXPECT_GT(w.kubelets->memory_pressure(node).total, 2s);
  w.run_for(20s);
  EXPECT_GT(w.kubelets->memory_pressure(node).total, 10s);
  EXPECT_LT(w.kubelets->memory_pressure(node).total, 14s);
}

TEST_F(KubeletWriteBack, DropCachesLeavesWhatIsDirty) {
  writer(300.0 * kMiB);
  start();
  create();
  w.run_to(2min);
  w.kubelets->drop_caches(node, host::DropCaches::kPageCache);
  EXPECT_NEAR(static_cast<double>(w.kubelets->meminfo(node).cached), 1.49 * kGiB, 0.02 * kGiB);
}

TEST_F(KubeletWriteBack, ABootForgetsWhatWasNotWritten) {
  writer(300.0 * kMiB);
  start();
  create();
  w.run_to(1min);
  w.hosts.reboot(host);
  w.run_for(61s);
  EXPECT_EQ(w.kubelets->meminfo(node).dirty, 0);
  EXPECT_EQ(w.hosts.fsync_factor(host), 1.0);
  w.run_for(2min);
  EXPECT_EQ(w.count_records("WritersThrottled"), 2u);
}

}  // namespace
}  // namespace sim::k8s

// Disks and processes of a node over time: pressure, what is reclaimed, who goes, limits of pods, a disk that is full.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using kubelet::Signal;
using kubelet::Threshold;
using test::kGiB;
using test::kMiB;
using test::KubeletWorld;

class KubeletDisk : public ::testing::Test {
 protected:
  KubeletDisk() { w.images.default_bytes = 0; }
  void start(std::int64_t disk = 100 * kGiB, std::int64_t image_disk = 0) {
    host::HostSpec spec = w.host_spec("w1");
    spec.disk_bytes = disk;
    spec.image_disk_bytes = image_disk;
    spec.kernel.pid_max = 4000;
    node = w.add_node(spec);
    w.start();
  }
  /// A behaviour of pods with this label.
  PodBehaviour& behave(std::string_view app) {
    PodBehaviour one;
    one.selector = LabelSelector{{Requirement{w.names.intern("app"), SelectorOperator::kIn, {w.names.intern(app)}}}};
    w.behaviours.push_back(one);
    return w.behaviours.back();
  }
  template <class Change>
  Ref<Pod> create(std::string_view name, Change&& change) {
    Pod pod = w.pod(name, change);
    pod.meta.labels.set(w.names.intern("app"), w.names.intern(name));
    return w.create_on(node, std::move(pod));
  }
  Ref<Pod> create(std::string_view name) {
    return create(name, [](PodSpec&) {});
  }
  std::string message(std::string_view kind) {
    const CauseId id = w.last_record(kind);
    return id ? std::string(w.log.message(w.log.at(id))) : std::string();
  }
  kubelet::DiskStats df() { return w.kubelets->disk(node); }
  kubelet::PodDiskStats du(Ref<Pod> pod) {
    kubelet::PodDiskStats stats;
    EXPECT_TRUE(w.kubelets->disk_of(pod, stats));
    return stats;
  }
  bool evicted(Ref<Pod> pod) { return !w.gone(pod) && w.at(pod).phase == PodPhase::kFailed && w.text(w.at(pod).reason) == "Evicted"; }
  KubeletWorld w;
  Ref<Node> node;
};

TEST_F(KubeletDisk, FilesGoWhereThePodHasThem) {
  behave("layer").writes_bytes_per_second = static_cast<double>(kMiB);
  behave("volume").writes_bytes_per_second = static_cast<double>(kMiB);
  behave("log").logs_bytes_per_second = 0.5 * static_cast<double>(kMiB);
  start();
  const Ref<Pod> layer = create("layer");
  const Ref<Pod> volume = create("volume", [&](PodSpec& spec) {
    spec.empty_dirs.push_back({w.names.intern("memory"), 0, true});
    spec.empty_dirs.push_back({w.names.intern("data")});
  });
  const Ref<Pod> log = create("log");
  w.run_to(100s);
  EXPECT_NEAR(static_cast<double>(du(layer).layers), 99.4 * kMiB, 0.1 * kMiB);  // since 605 ms
  EXPECT_EQ(du(layer).empty_dirs, 0);
  EXPECT_NEAR(static_cast<double>(du(volume).empty_dirs), 99.4 * kMiB, 0.1 * kMiB);
  EXPECT_EQ(du(volume).layers, 0);
  // 10 MiB files: two of them, then a tenth of each that is rotated: 20 MiB after 40 s, and 59.4 s more at 0.05 MiB/s.
  EXPECT_NEAR(static_cast<double>(du(log).logs), 22.97 * kMiB, 0.1 * kMiB);
  EXPECT_NEAR(static_cast<double>(df().pods), static_cast<double>(du(layer).layers + du(volume).empty_dirs + du(log).logs), 2.0);
  EXPECT_EQ(df().nodefs_available, df().nodefs_capacity - df().pods);
  w.run_to(1h);
  EXPECT_EQ(du(log).logs, 23 * kMiB) << "two files, and three compressed ones of 1 MiB";
}

TEST_F(KubeletDisk, WhoWritesTheMostGoes) {
  behave("greedy").writes_bytes_per_second = 100.0 * kMiB;
  behave("modest").writes_bytes_per_second = static_cast<double>(kMiB);
  start();
  const Ref<Pod> greedy = create("greedy");
  const Ref<Pod> modest = create("modest");
  const Ref<Pod> quiet = create("quiet");
  // imagefs.available<15% is the same file system: 85 GiB at 101 MiB/s are 861.8 s.
  w.run_to(860s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
  w.run_to(880s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 1u);
  EXPECT_TRUE(message("EvictionThresholdMet").starts_with("Attempting to reclaim ephemeral-storage: imagefs.available 14.6 GiB of 100.0 GiB, threshold 15.0 GiB; "
                                                          "pod default/greedy 84.5 GiB"))
      << message("EvictionThresholdMet");
  EXPECT_TRUE(evicted(greedy));
  EXPECT_FALSE(evicted(modest));
  EXPECT_FALSE(evicted(quiet));
  EXPECT_TRUE(w.at(greedy).disruption_target);
  EXPECT_TRUE(message("Evicted").starts_with("The node was low on resource: ephemeral-storage. Threshold quantity: 16106128000, available: 1568")) << message("Evicted");
  EXPECT_NE(message("Evicted").find("Container main was using 907"), std::string::npos) << message("Evicted");
  EXPECT_TRUE(w.chain_has(w.last_record("Evicted"), "EvictionThresholdMet"));
  w.run_for(15s);
  EXPECT_TRUE(w.at(node).disk_pressure);
  EXPECT_TRUE(w.last_record("NodeHasDiskPressure"));
  EXPECT_FALSE(w.at(node).memory_pressure);
  // Every pod is turned away, whatever its class; a critical one is not.
  const Ref<Pod> refused = create("late", [](PodSpec& spec) { spec.containers[0].requests.cpu_milli = 100; });
  const Ref<Pod> critical = create("critical", [](PodSpec& spec) { spec.priority = 2'000'000'000; });
  w.run_for(5s);
  EXPECT_TRUE(evicted(refused));
  EXPECT_EQ(message("Evicted"), "The node had condition: [DiskPressure]. ");
  EXPECT_EQ(w.at(critical).phase, PodPhase::kRunning);
  // Its layer is a dead container until then; the reclaim of the next look removed it. The condition stays for five minutes.
  EXPECT_EQ(df().dead, 0);
  EXPECT_EQ(w.count_records("DeadContainersRemoved"), 1u);
  w.run_for(4min + 20s);
  EXPECT_TRUE(w.at(node).disk_pressure);
  w.run_for(45s);
  EXPECT_FALSE(w.at(node).disk_pressure);
  EXPECT_TRUE(w.last_record("NodeHasNoDiskPressure"));
  EXPECT_FALSE(evicted(modest)) << "one was enough";
}

/// TestDiskPressureNodeFs: the soft threshold means pressure at once, an eviction after its grace, with the pods' own grace up to evictionMaxPodGracePeriod.
TEST_F(KubeletDisk, SoftThresholds) {
  w.config.disk.thresholds = {{Signal::kNodefsAvailable, {10 * kGiB}, {}, {}}, {Signal::kNodefsAvailable, {20 * kGiB}, 2min, {}}};
  w.config.eviction_max_pod_grace_seconds = 5;
  w.behaviours[0].stop_time = 1h;
  behave("writer").writes_bytes_per_second = 10.0 * kMiB;
  start();
  const Ref<Pod> writer = create("writer");
  const Ref<Pod> other = create("other");
  w.run_to(5s);
  const std::uint64_t number = w.kubelets->fill_disk(node, 80 * kGiB - 512 * kMiB, 0.0, 0);
  w.run_for(40s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u) << "512 MiB at 10 MiB/s are 51.2 s";
  w.run_for(25s);
  ASSERT_EQ(w.count_records("EvictionThresholdMet"), 1u);
  w.run_for(90s);
  EXPECT_TRUE(w.at(node).disk_pressure) << "before its grace is over";
  EXPECT_EQ(w.count_records("Evicted"), 0u);
  w.run_for(40s);
  EXPECT_TRUE(evicted(writer));
  const auto time_of = [&](std::string_view kind) { return w.log.at(w.last_record(kind)).time; };
  EXPECT_EQ(time_of("Evicted") - time_of("EvictionThresholdMet"), 2min);
  EXPECT_EQ(w.at(writer).containers[0].finished_at - time_of("Evicted"), 5s) << "evictionMaxPodGracePeriod";
  EXPECT_FALSE(evicted(other)) << "without the writer's files it is enough";
  w.kubelets->clear_disk(node, number);
  w.run_for(6min);
  EXPECT_FALSE(w.at(node).disk_pressure);
  // The hard one asks nobody: one second, two in effect.
  w.kubelets->fill_disk(node, 95 * kGiB, 0.0, 0);
  w.run_for(14s);
  EXPECT_TRUE(evicted(other));
  EXPECT_EQ(w.at(other).containers[0].finished_at - time_of("Evicted"), 2s);
}

TEST_F(KubeletDisk, MinimumReclaimGoesOnUntilThereIsMore) {
  w.config.disk.thresholds = {{Signal::kNodefsAvailable, {10 * kGiB}, {}, kubelet::ThresholdValue{8 * kGiB}}};
  behave("a").writes_bytes_per_second = 100.0 * kMiB;
  w.behaviours.back().writes_at_most = 7 * kGiB;
  behave("b").writes_bytes_per_second = 100.0 * kMiB;
  w.behaviours.back().writes_at_most = 6 * kGiB;
  behave("c").writes_bytes_per_second = 100.0 * kMiB;
  w.behaviours.back().writes_at_most = 5 * kGiB;
  start();
  const Ref<Pod> a = create("a");
  const Ref<Pod> b = create("b");
  const Ref<Pod> c = create("c");
  w.run_to(2min);
  EXPECT_EQ(df().nodefs_available, 82 * kGiB);
  w.kubelets->fill_disk(node, 73 * kGiB, 0.0, 0);  // 9 GiB left; 18 are wanted: a and b go
  w.run_for(40s);
  EXPECT_TRUE(evicted(a));
  EXPECT_TRUE(evicted(b));
  EXPECT_FALSE(evicted(c));
  EXPECT_EQ(df().nodefs_available, 22 * kGiB);
}

TEST_F(KubeletDisk, OwnLimits) {
  behave("volume").writes_bytes_per_second = 10.0 * kMiB;
  behave("layer").writes_bytes_per_second = 10.0 * kMiB;
  behave("small").writes_bytes_per_second = 10.0 * kMiB;
  w.behaviours.back().writes_at_most = 100 * kMiB;
  start();
  const Ref<Pod> volume = create("volume", [&](PodSpec& spec) { spec.empty_dirs.push_back({w.names.intern("cache"), kGiB}); });
  const Ref<Pod> layer = create("layer", [&](PodSpec& spec) { spec.containers[0].limits.ephemeral_storage = 2 * kGiB; });
  const Ref<Pod> small = create("small", [&](PodSpec& spec) { spec.containers[0].limits.ephemeral_storage = 100 * kMiB; });
  w.run_to(102s);
  EXPECT_FALSE(evicted(volume));
  w.run_to(116s);  // 1024 MiB after 103 s, and a look within ten
  EXPECT_TRUE(evicted(volume));
  EXPECT_EQ(message("Evicted"), "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\". ");
  EXPECT_FALSE(w.at(volume).disruption_target) << "a pod over its own limit is no victim of a disruption";
  EXPECT_FALSE(evicted(layer));
  w.run_to(219s);
  EXPECT_TRUE(evicted(layer));
  EXPECT_EQ(message("Evicted"), "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ");
  w.run_to(1h);
  EXPECT_FALSE(evicted(small)) << "exactly the limit";
  EXPECT_FALSE(w.at(node).disk_pressure);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
}

TEST_F(KubeletDisk, FilesThatNoPodOwnsStarveTheNode) {
  behave("writer").writes_bytes_per_second = static_cast<double>(kMiB);
  start();
  const Ref<Pod> writer = create("writer");
  const Ref<Pod> critical = create("critical", [](PodSpec& spec) { spec.priority = 2'000'000'000; });
  w.run_to(10s);
  {
    const ScopedCause because(w.engine, w.fault("disk-fill"));
    w.kubelets->fill_disk(node, 0, 100.0 * kMiB, 0);
  }
  w.run_to(2000s);
  EXPECT_TRUE(evicted(writer)) << "although it is not to blame";
  EXPECT_TRUE(w.chain_has(w.last_record("EvictionThresholdMet"), "FaultInjected"));
  EXPECT_EQ(df().nodefs_available, 0);
  EXPECT_EQ(w.count_records("DiskFull"), 1u);
  EXPECT_TRUE(w.chain_has(w.last_record("DiskFull"), "FaultInjected"));
  // Nothing can be started, not even what is let in.
  const Ref<Pod> late = create("late", [](PodSpec& spec) { spec.priority = 2'000'000'000; });
  w.run_for(1min);
  EXPECT_EQ(w.at(late).phase, PodPhase::kPending);
  EXPECT_NE(message("FailedCreatePodSandBox").find("no space left on device"), std::string::npos);
  EXPECT_TRUE(w.chain_has(w.last_record("FailedCreatePodSandBox"), "FaultInjected"));
  w.kubelets->clear_disk(node, 1);
  w.run_for(20s);
  EXPECT_EQ(w.at(late).phase, PodPhase::kRunning);
  EXPECT_EQ(w.count_records("DiskHasRoom"), 1u);
  EXPECT_EQ(w.at(critical).phase, PodPhase::kRunning);
}

TEST_F(KubeletDisk, EtcdDiesOfAFullDiskAndComesBack) {
  host::HostSpec spec = w.host_spec("cp1");
  spec.disk_bytes = 100 * kGiB;
  const Ref<Node> control = w.add_node(spec);
  w.control_plane->add_member(w.host_ids.back());
  w.start();
  w.run_to(10s);
  const std::uint64_t number = w.kubelets->fill_disk(control, 100 * kGiB, 0.0, 0);
  w.run_for(1s);
  EXPECT_FALSE(w.control_plane->is_running(Component::kEtcd, 0));
  EXPECT_FALSE(w.control_plane->has_quorum());
  EXPECT_NE(message("ContainerDied").find("no space left on device"), std::string::npos);
  EXPECT_TRUE(w.chain_has(w.last_record("EtcdQuorumLost"), "DiskFull"));
  w.run_for(10min);
  EXPECT_FALSE(w.control_plane->is_running(Component::kEtcd, 0));
  w.kubelets->clear_disk(control, number);
  w.run_for(5min + 10s);
  EXPECT_TRUE(w.control_plane->is_running(Component::kEtcd, 0));
  EXPECT_TRUE(w.control_plane->has_quorum());
}

TEST_F(KubeletDisk, SmallFilesUseUpInodes) {
  behave("mail").writes_bytes_per_second = 10.0 * kMiB;
  w.behaviours.back().written_file_bytes = 4096;
  start();  // 6,553,600 inodes; 2,560 files a second: 95 % after 2,432 s, when 23.75 GiB of 100 are written
  const Ref<Pod> mail = create("mail");
  w.run_to(2400s);
  EXPECT_FALSE(w.at(node).disk_pressure);
  w.run_to(2460s);
  EXPECT_TRUE(w.at(node).disk_pressure);
  EXPECT_TRUE(evicted(mail));
  EXPECT_TRUE(message("Evicted").starts_with("The node was low on resource: inodes. Threshold quantity: 320Ki, available: 31")) << message("Evicted");
}

TEST_F(KubeletDisk, ASecondDiskForImages) {
  w.config.disk.used = 20 * kGiB;
  behave("layer").writes_bytes_per_second = 10.0 * kMiB;
  behave("volume").writes_bytes_per_second = 10.0 * kMiB;
  start(100 * kGiB, 50 * kGiB);
  const Ref<Pod> layer = create("layer");
  const Ref<Pod> volume = create("volume", [&](PodSpec& spec) { spec.empty_dirs.push_back({w.names.intern("data")}); });
  w.run_to(1000s);
  EXPECT_TRUE(df().has_imagefs);
  EXPECT_EQ(df().imagefs_capacity - df().imagefs_available, du(layer).layers);
  EXPECT_EQ(df().nodefs_capacity - df().nodefs_available, 20 * kGiB + du(volume).empty_dirs);
  // imagefs.available<15% after 42.5 GiB, 4,352 s: the layer goes, not the volume, which is on the other disk.
  w.run_to(4380s);
  EXPECT_TRUE(evicted(layer));
  EXPECT_FALSE(evicted(volume));
  EXPECT_EQ(df().imagefs_available, df().imagefs_capacity);
  // nodefs.available<10%: 70 GiB of the volume, 7,168 s.
  w.run_to(7190s);
  EXPECT_TRUE(evicted(volume));
}

TEST_F(KubeletDisk, ARestartLeavesOneDeadContainer) {
  behave("crashes").writes_bytes_per_second = 10.0 * kMiB;
  start();
  const Ref<Pod> crashes = create("crashes");
  w.run_to(100s);
  const std::int64_t before = du(crashes).layers;
  w.kubelets->kill_container(crashes);
  w.run_for(2s);
  EXPECT_NEAR(static_cast<double>(du(crashes).layers), static_cast<double>(before) + 10.0 * kMiB, 12.0 * kMiB) << "the old layer is still there";
  w.run_for(100s);
  const std::int64_t both = du(crashes).layers;
  EXPECT_GT(both, before + 900 * kMiB);
  w.kubelets->kill_container(crashes);
  w.run_for(20s);
  EXPECT_LT(du(crashes).layers, both - before + 210 * kMiB) << "of the dead ones the last is kept";
}

TEST_F(KubeletDisk, WhatAPodLeavesGoesWithItsObject) {
  behave("job").writes_bytes_per_second = 10.0 * kMiB;
  w.behaviours.back().run_time = 100s;
  start();
  const Ref<Pod> job = create("job", [](PodSpec& spec) { spec.restart_policy = RestartPolicy::kNever; });
  w.run_to(5min);
  EXPECT_EQ(w.at(job).phase, PodPhase::kSucceeded);
  EXPECT_NEAR(static_cast<double>(df().dead), 1000.0 * kMiB, 1.0);
  w.api.remove(job);
  w.run_for(10s);
  EXPECT_EQ(df().dead, 0);
}

TEST_F(KubeletDisk, RebootKeepsFilesAndForgetsPressure) {
  behave("writer").writes_bytes_per_second = static_cast<double>(kMiB);
  start();
  const Ref<Pod> writer = create("writer", [](PodSpec& spec) { spec.priority = 2'000'000'000; });
  w.run_to(10s);
  w.kubelets->fill_disk(node, 50 * kGiB, 100.0 * kMiB, 0);
  w.run_for(100s);
  const std::int64_t used = df().nodefs_capacity - df().nodefs_available;
  w.hosts.reboot(w.host_ids[0]);
  w.run_for(60s);
  EXPECT_LT(df().nodefs_capacity - df().nodefs_available, used + kMiB) << "nobody writes on a machine that is down";
  w.run_for(60s);
  EXPECT_GT(df().nodefs_capacity - df().nodefs_available, used + kGiB);
  EXPECT_EQ(w.at(writer).phase, PodPhase::kRunning);
}

TEST_F(KubeletDisk, NobodyFillsTheDiskOfAMachineThatIsDown) {
  start();
  w.run_to(10s);
  w.hosts.reboot(w.host_ids[0]);
  w.run_for(1s);
  w.kubelets->fill_disk(node, 0, 1000.0 * kMiB, 0);
  w.run_for(70s);
  EXPECT_EQ(df().nodefs_available, df().nodefs_capacity);
  w.run_for(20s);
  EXPECT_LT(df().nodefs_available, df().nodefs_capacity - 5 * kGiB);
}

TEST_F(KubeletDisk, AKubeletThatIsGoneEvictsNobody) {
  behave("writer").writes_bytes_per_second = 100.0 * kMiB;
  start();
  const Ref<Pod> writer = create("writer");
  w.run_to(10s);
  w.kubelets->kill_kubelet(node, SimDuration{});
  w.run_to(1000s);
  EXPECT_EQ(w.count_records("EvictionThresholdMet"), 0u);
  EXPECT_GT(du(writer).layers, 90 * kGiB);
  w.kubelets->restart_kubelet(node);
  w.run_for(15s);
  EXPECT_TRUE(evicted(writer));
}

/// TestPIDPressure.
TEST_F(KubeletDisk, ProcessesRunOut) {
  w.config.disk.thresholds.push_back({Signal::kPidAvailable, {1200}, {}, {}});
  behave("forks").processes_per_second = 10.0;
  behave("many").processes = 500;
  start();
  const Ref<Pod> many = create("many");
  const Ref<Pod> forks = create("forks", [](PodSpec& spec) { spec.priority = 10; });
  w.run_to(100s);
  EXPECT_NEAR(static_cast<double>(df().processes), 500 + 500 + 10 + 994, 10.0);
  // 4,000 - 1,200 - 1,010 are 1,790 more: 179 s. The lower priority goes first, whoever forks.
  w.run_to(195s);
  EXPECT_TRUE(evicted(many));
  EXPECT_FALSE(evicted(forks));
  EXPECT_TRUE(w.at(node).pid_pressure);
  EXPECT_FALSE(w.at(node).disk_pressure);
  EXPECT_TRUE(w.last_record("NodeHasInsufficientPID"));
  EXPECT_TRUE(message("Evicted").starts_with("The node was low on resource: pids. Threshold quantity: 1200, available: 1"));
  w.run_to(260s);
  EXPECT_TRUE(evicted(forks));
  EXPECT_EQ(df().processes, 500);
  w.run_for(5min + 15s);
  EXPECT_FALSE(w.at(node).pid_pressure);
  EXPECT_TRUE(w.last_record("NodeHasSufficientPID"));
}

TEST_F(KubeletDisk, WithoutAThresholdProcessesEndInAForkThatFails) {
  behave("forks").processes_per_second = 10.0;
  start();
  create("forks");
  w.run_to(1000s);
  EXPECT_EQ(df().processes, 4000);
  EXPECT_EQ(w.count_records("ProcessesExhausted"), 1u);
  const Ref<Pod> late = create("late");
  w.run_for(1min);
  EXPECT_EQ(w.at(late).phase, PodPhase::kPending);
  EXPECT_NE(message("FailedCreatePodSandBox").find("resource temporarily unavailable"), std::string::npos);
  EXPECT_FALSE(w.at(node).pid_pressure);
}

TEST_F(KubeletDisk, PodPidsLimitKeepsAForkBombInItsPod) {
  w.config.disk.pod_pids_limit = 100;
  behave("forks").processes_per_second = 10.0;
  start();
  const Ref<Pod> forks = create("forks");
  w.run_to(1000s);
  EXPECT_EQ(du(forks).processes, 100);
  EXPECT_EQ(w.count_records("ProcessesExhausted"), 0u);
}

TEST_F(KubeletDisk, SteadyStateCostsNothing) {
  behave("log").logs_bytes_per_second = static_cast<double>(kMiB);
  start();
  create("log");
  w.run_to(1min);
  const std::uint64_t events = w.engine.stats().executed;
  w.run_for(30 * 24h);
  EXPECT_LE(w.engine.stats().executed, events + 2) << "a log that is rotated never fills the disk, and that is known";
}

/// Memory is mended before disks (byEvictionPriority).
TEST_F(KubeletDisk, MemoryGoesFirst) {
  behave("writer").writes_bytes_per_second = 10.0 * kMiB;
  start();
  const Ref<Pod> writer = create("writer");
  const Ref<Pod> leaking = create("leaking");
  w.run_to(10s);
  w.kubelets->leak_memory(leaking, 5.0 * kMiB);
  w.run_for(1593s);  // 8 GiB less 100 MiB and two pods of 64 MiB: in 1592.8 s
  w.kubelets->fill_disk(node, 75 * kGiB, 0.0, 0);
  w.run_for(11s);
  EXPECT_EQ(w.text(w.at(leaking).reason), "Evicted");
  w.run_for(20s);
  EXPECT_TRUE(evicted(writer));
}

}  // namespace
}  // namespace sim::k8s

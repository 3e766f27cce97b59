// A node's disk that an OSD and image pulls share with its pods and etcd; CPU limits, their counters, and what probes make of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::KubeletWorld;

struct Machine {
  Machine() { w.images.default_bytes = 0; }
  void start(double iops = 0, host::DiskScheduler scheduler = host::DiskScheduler::kNone, double cores = 4) {
    host::HostSpec spec = w.host_spec("w1");
    spec.cpu_cores = cores;
    spec.disk_bytes_per_second = 100e6;
    spec.disk_operations_per_second = iops;
    spec.disk_scheduler = scheduler;
    spec.disk_fsync_median = 1ms;
    node = w.add_node(spec);
    w.start();
    host = w.hosts.find("w1");
  }
  PodBehaviour& behaviour(std::string_view app) {
    PodBehaviour one;
    one.selector.emplace();
    one.selector->requirements.push_back(Requirement{w.names.intern("app"), SelectorOperator::kIn, {w.names.intern(app)}});
    w.behaviours.push_back(one);
    return w.behaviours.back();
  }
  Ref<Pod> create(std::string_view app, std::string_view name, const std::function<void(PodSpec&)>& change = [](PodSpec&) {}) {
    Pod pod = w.pod(name, [&](PodSpec& spec) {
      spec.containers[0].requests.cpu_milli = 100;
      spec.containers[0].has_cpu_request = true;
      change(spec);
    });
    pod.meta.labels.set(w.names.intern("app"), w.names.intern(app));
    return w.create_on(node, std::move(pod));
  }
  KubeletWorld w;
  Ref<Node> node;
  host::HostId host;
};

struct FsyncCase {
  std::string_view name;
  double iops;
  host::DiskScheduler scheduler;
  host::DiskStreams::Stream stream;
  double factor;  // of an fsync of 1 ms
  double gets;
};
// A disk of 100 MB/s. Requests in flight of 12 MiB take 126 ms.
const FsyncCase kFsyncs[] = {
    {"clients that leave half of it", 0, host::DiskScheduler::kNone, {.wants = 50e6, .operations = 0, .weight = 1, .queued = 0}, 2.0, 50e6},
    {"operations, half of what it does", 200, host::DiskScheduler::kNone, {.wants = 0, .operations = 100, .weight = 1, .queued = 0}, 2.0, 0},
    {"operations and bytes", 200, host::DiskScheduler::kNone, {.wants = 25e6, .operations = 100, .weight = 1, .queued = 0}, 4.0, 25e6},
    {"operations without a limit of them", 0, host::DiskScheduler::kNone, {.wants = 0, .operations = 1e6, .weight = 1, .queued = 0}, 1.0, 0},
    {"recovery that takes all", 0, host::DiskScheduler::kNone, {.wants = 200e6, .operations = 0, .weight = 24, .queued = 12'582'912}, 1.0 + 125.82912, 100e6},
    {"recovery that takes a quarter", 0, host::DiskScheduler::kNone, {.wants = 25e6, .operations = 0, .weight = 24, .queued = 12'582'912}, 1.0 + 125.82912 / 4, 25e6},
    {"bfq: behind one request of 512 KiB", 0, host::DiskScheduler::kBfq, {.wants = 200e6, .operations = 0, .weight = 24, .queued = 12'582'912}, 1.0 + 5.24288, 100e6},
};

TEST(SharedDisk, FsyncsWaitForWhatOthersHaveInIt) {
  for (const FsyncCase& c : kFsyncs) {
    SCOPED_TRACE(c.name);
    Machine m;
    m.start(c.iops, c.scheduler);
    double gets = -1;
    const host::DiskStreams::Id id = m.w.hosts.disks().add(m.host, "osd.0", [&](const host::DiskStreams::Share& share) { gets = share.gets; });
    m.w.hosts.disks().set(id, c.stream);
    EXPECT_NEAR(m.w.hosts.fsync_factor(m.host), c.factor, 1e-6);
    EXPECT_NEAR(std::max(0.0, gets), c.gets, 1.0);
    m.w.hosts.disks().set(id, {});
    EXPECT_EQ(m.w.hosts.fsync_factor(m.host), 1.0) << "as long as it lasts";
  }
}

// Recovery keeps 24 requests there, a pod one: 4 MB/s of 100 for the pod, whose 100 s of work take 25 times as long as alone. With bfq each has half.
TEST(SharedDisk, APodBesideRecoveryGetsWhatItHasInFlight) {
  for (const host::DiskScheduler scheduler : {host::DiskScheduler::kNone, host::DiskScheduler::kBfq}) {
    Machine m;
    PodBehaviour& reads = m.behaviour("reads");
    reads.disk_bytes_per_second = 100e6;
    reads.run_time = 10s;
    m.start(0, scheduler);
    const host::DiskStreams::Id id = m.w.hosts.disks().add(m.host, "osd.0 (recovery)", nullptr);
    m.w.hosts.disks().set(id, {.wants = 500e6, .operations = 0, .weight = 24, .queued = 12'582'912});
    const Ref<Pod> pod = m.create("reads", "p", [](PodSpec& spec) { spec.restart_policy = RestartPolicy::kNever; });
    m.w.run_for(600s);
    const ContainerStatus& status = m.w.at(pod).containers.at(0);
    ASSERT_EQ(status.state, ContainerState::kTerminated);
    EXPECT_NEAR(seconds(status.finished_at - status.started_at), scheduler == host::DiskScheduler::kBfq ? 20.0 : 250.0, 0.1);
    EXPECT_EQ(m.w.count_records("DiskContended"), 1u);
  }
}

TEST(SharedDisk, OperationsOfAPodTakeTheirPart) {
  // 50 operations a second on a disk that does 100 leave half of its bandwidth.
  Machine m;
  PodBehaviour& small = m.behaviour("small");
  small.disk_operations_per_second = 50.0;
  m.start(100);
  m.create("small", "p");
  m.w.run_for(60s);
  EXPECT_NEAR(m.w.hosts.fsync_factor(m.host), 2.0, 1e-9);
}

// ---- CPU limits

TEST(CpuLimits, AreCountedAsThrottledPeriods) {
  Machine m;
  m.behaviour("web").cpu = 2.0;
  m.start();
  const Ref<Pod> pod = m.create("web", "p", [](PodSpec& spec) { spec.containers[0].limits.cpu_milli = 500; });
  m.w.run_for(10s);
  const host::CfsCounters::Counts before = m.w.kubelets->throttling(pod, 0);
  m.w.run_for(100s);
  const host::CfsCounters::Counts after = m.w.kubelets->throttling(pod, 0);
  EXPECT_NEAR(static_cast<double>(after.periods - before.periods), 1000.0, 1.0);
  EXPECT_EQ(after.periods, after.throttled);
  EXPECT_NEAR(seconds(after.throttled_time - before.throttled_time), 1000 * 0.075 * 2, 0.2);
  ASSERT_EQ(m.w.count_records("CpuThrottled"), 1u);
  EXPECT_EQ(m.w.kubelets->throttling(pod, 7).periods, 0) << "there is no such container";
}

struct ProbeCase {
  std::string_view name;
  std::int64_t limit;
  double cores;
  SimDuration work;
  std::int64_t timeout;
  bool restarts;
};
// An answer takes work / share, and the longest pause of the quota.
const ProbeCase kProbes[] = {
    {"not limited", 0, 2, 50ms, 1, false},
    {"50 ms at a twentieth, 97.5 ms of pause: 1.0975 s", 100, 2, 50ms, 1, true},
    {"the same with two seconds of patience", 100, 2, 50ms, 2, false},
    {"5 ms at a twentieth: 197.5 ms", 100, 2, 5ms, 1, false},
    {"40 ms at a twentieth: 0.8975 s", 100, 2, 40ms, 1, false},
    {"60 ms at a quarter: 0.315 s", 500, 2, 60ms, 1, false},
};

TEST(CpuLimits, AnswersThatComeTooLateRestartTheContainer) {
  for (const ProbeCase& c : kProbes) {
    SCOPED_TRACE(c.name);
    Machine m;
    PodBehaviour& web = m.behaviour("web");
    web.cpu = c.cores;
    web.probe_work = c.work;
    web.start_up = 1s;
    web.start_up_sigma = 0.0;
    m.start();
    const Ref<Pod> pod = m.create("web", "p", [&](PodSpec& spec) {
      spec.containers[0].limits.cpu_milli = c.limit;
      Probe probe;
      probe.period_seconds = 10;
      probe.timeout_seconds = c.timeout;
      probe.failure_threshold = 3;
      probe.initial_delay_seconds = 60;
      spec.containers[0].liveness_probe = probe;
    });
    m.w.run_for(300s);
    EXPECT_EQ(m.w.at(pod).containers.at(0).restart_count > 0, c.restarts);
  }
}

// A Guaranteed pod stands beside the cgroup of all Burstable ones: their requests together weigh against it, also those of pods that want nothing.
TEST(CpuShares, GoThroughTheCgroupsOfTheQosClasses) {
  Machine m;
  for (const std::string_view app : {"guaranteed", "burstable", "effort"}) {
    PodBehaviour& one = m.behaviour(app);
    one.cpu = 4.0;
    one.run_time = 1h;
  }
  m.behaviour("idle").cpu = 0.0;
  m.start(0, host::DiskScheduler::kNone, 2);
  const auto with = [](std::int64_t request, bool guaranteed) {
    return [request, guaranteed](PodSpec& spec) {
      spec.containers[0].requests.cpu_milli = request;
      spec.containers[0].has_cpu_request = request > 0;
      if (!guaranteed) return;
      spec.containers[0].requests.memory = spec.containers[0].limits.memory = 100 << 20;
      spec.containers[0].has_memory_request = true;
      spec.containers[0].limits.cpu_milli = request;
    };
  };
  const Ref<Pod> guaranteed = m.create("guaranteed", "g", with(2000, true));
  const Ref<Pod> burstable = m.create("burstable", "b", with(250, false));
  m.create("idle", "i", with(750, false));
  const Ref<Pod> effort = m.create("effort", "e", with(0, false));
  m.w.run_for(60s);
  // 2,048 : 1,024 : 2 of 2 cores. Inside its cgroup the one Burstable pod that works has all of that.
  EXPECT_EQ(m.w.at(guaranteed).spec->qos, QosClass::kGuaranteed);
  EXPECT_NEAR(m.w.kubelets->cpu_used(guaranteed), 2.0 * 2048 / 3074, 1e-3);
  EXPECT_NEAR(m.w.kubelets->cpu_used(burstable), 2.0 * 1024 / 3074, 1e-3);
  EXPECT_NEAR(m.w.kubelets->cpu_used(effort), 2.0 * 2 / 3074, 4e-3);
}

}  // namespace
}  // namespace sim::k8s

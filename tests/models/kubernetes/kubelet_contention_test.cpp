// CPU and disk of a node that several pods would like to have.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::KubeletWorld;

struct Machine {
  Machine() { w.images.default_bytes = 0; }
  void start(double cores = 4) {
    host::HostSpec spec = w.host_spec("w1");
    spec.cpu_cores = cores;
    spec.disk_bytes_per_second = 100e6;
    node = w.add_node(spec);
    w.start();
  }
  PodBehaviour& behaviour(std::string_view app) {
    PodBehaviour one;
    one.selector.emplace();
    one.selector->requirements.push_back(Requirement{w.names.intern("app"), SelectorOperator::kIn, {w.names.intern(app)}});
    w.behaviours.push_back(one);
    return w.behaviours.back();
  }
  Ref<Pod> create(std::string_view app, std::string_view name, std::int64_t request_milli, std::int64_t limit_milli = 0) {
    Pod pod = w.pod(name, [&](PodSpec& spec) {
      spec.restart_policy = RestartPolicy::kNever;
      spec.containers[0].requests.cpu_milli = request_milli;
      spec.containers[0].has_cpu_request = request_milli > 0;
      spec.containers[0].limits.cpu_milli = limit_milli;
    });
    pod.meta.labels.set(w.names.intern("app"), w.names.intern(app));
    return w.create_on(node, std::move(pod));
  }
  /// How long its container ran.
  double ran(Ref<Pod> pod) {
    const ContainerStatus& status = w.at(pod).containers.at(0);
    EXPECT_EQ(status.state, ContainerState::kTerminated);
    return seconds(status.finished_at - status.started_at);
  }
  KubeletWorld w;
  Ref<Node> node;
};

struct ShareCase {
  std::string_view name;
  double cores;
  struct OfPod {
    double wants;
    std::int64_t request, limit;
    double runs;  // for what is 100 s of work at full speed
  } a, b;
};

// b begins with a and both have 100 s of work. Where one ends first, the other gets all that it wants from then on.
const ShareCase kShareCases[] = {
    {"enough for both", 4, {2, 1000, 0, 100}, {2, 1000, 0, 100}},
    {"a limit throttles although cores are idle", 4, {2, 500, 500, 400}, {1, 1000, 0, 100}},
    {"equal weights, twice too much", 2, {2, 500, 0, 200}, {2, 500, 0, 200}},
    // Weights 3 : 1 of 4 cores: a gets 3 of 4 and is done after 133.3 s; b has done a quarter of 133.3 s by then, the rest at full speed.
    {"by weight, and what is left goes on", 4, {4, 3000, 0, 133.333}, {4, 1000, 0, 200}},
    // Who wants little gets it; the other has the rest: 3 of 4 cores, so it has 25 s to do when a is done, now at full speed: 125 s.
    {"small wishes are met", 4, {1, 1000, 0, 100}, {4, 1000, 0, 125}},
};

TEST(KubeletContention, CpuIsSharedByWeightAndBoundedByLimits) {
  for (const ShareCase& c : kShareCases) {
    SCOPED_TRACE(c.name);
    Machine one;
    one.behaviour("a").cpu = c.a.wants;
    one.w.behaviours.back().run_time = 100s;
    one.behaviour("b").cpu = c.b.wants;
    one.w.behaviours.back().run_time = 100s;
    one.start(c.cores);
    const Ref<Pod> a = one.create("a", "a", c.a.request, c.a.limit);
    const Ref<Pod> b = one.create("b", "b", c.b.request, c.b.limit);
    one.w.run_to(10min);
    EXPECT_NEAR(one.ran(a), c.a.runs, 0.01);
    EXPECT_NEAR(one.ran(b), c.b.runs, 0.01);
  }
}

TEST(KubeletContention, WithoutWishesNothingIsShort) {
  Machine m;
  m.start(1);
  m.w.behaviours[0].run_time = 100s;
  const Ref<Pod> a = m.create("a", "a", 1000);
  const Ref<Pod> b = m.create("b", "b", 1000);
  m.w.run_to(5min);
  EXPECT_NEAR(m.ran(a), 100.0, 1e-6);
  EXPECT_NEAR(m.ran(b), 100.0, 1e-6);
  EXPECT_EQ(m.w.count_records("CpuContended"), 0u);
}

TEST(KubeletContention, BusyDisksMakeFsyncsSlow) {
  Machine m;
  m.behaviour("writer").disk_bytes_per_second = 50e6;
  m.start();
  const host::HostId host = m.w.host_ids[0];
  const Ref<Pod> one = m.create("writer", "one", 100);
  m.w.run_to(10s);
  EXPECT_NEAR(m.w.hosts.fsync_factor(host), 2.0, 1e-9) << "half busy";
  m.create("writer", "two", 100);
  m.w.run_to(20s);
  EXPECT_EQ(m.w.hosts.fsync_factor(host), 50.0);
  m.create("writer", "three", 100);
  m.w.run_to(25s);
  EXPECT_EQ(m.w.count_records("DiskContended"), 1u);
  m.w.run_to(2min);
  EXPECT_EQ(m.w.hosts.fsync_factor(host), 1.0) << "they are done";
  EXPECT_GT(m.ran(one), 30.0) << "a third of the disk is less than it wanted";
}

}  // namespace
}  // namespace sim::k8s

#include <gtest/gtest.h>

#include "tests/models/kubernetes/control_plane_fixture.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;

constexpr Component kAll[] = {Component::kEtcd, Component::kApiServer, Component::kScheduler, Component::kControllerManager};

TEST(ControlPlaneProcesses, ComeBackAfterHostKubeletAndContainerStart) {
  ControlPlaneFixture world(3);
  const CauseId fault = world.log.record("Fault", "fault/x", "");
  {
    const ScopedCause because(world.engine, fault);
    world.hosts.reboot(world.cp(1));
  }
  for (const Component component : kAll) EXPECT_FALSE(world.plane.is_running(component, 1));
  world.run(2min + 30s);  // boot and kubelet start are exact in the fixture
  for (const Component component : kAll) EXPECT_FALSE(world.plane.is_running(component, 1));
  world.run(30s);
  for (const Component component : kAll) {
    EXPECT_TRUE(world.plane.is_running(component, 1)) << to_string(component);
    EXPECT_EQ(world.plane.restarts(component, 1), 1u);
  }
  EXPECT_TRUE(world.leads_back_to(world.newest("Started"), fault));
}

// Reference 3.7: at once, then 10, 20, 40 ... s counted from the exit.
TEST(ControlPlaneProcesses, KillsInARowBackOff) {
  ControlPlaneFixture world(3, 1, exact_starts());
  const double waits[] = {0, 10, 20, 40, 80, 160, 300, 300};
  for (const double wait : waits) {
    world.plane.kill(Component::kScheduler, 0);
    const SimTime died = world.engine.now();
    ASSERT_TRUE(world.run_until([&] { return world.plane.is_running(Component::kScheduler, 0); }, 10min));
    const double down = seconds(world.engine.now() - died);
    EXPECT_GE(down, wait + 2.0);
    EXPECT_LE(down, std::max(wait, 1.0) + 2.0);  // noticed within 1 s, started in 2 s
  }
  world.run(11min);  // a run of more than 10 min starts the series over
  world.plane.kill(Component::kScheduler, 0);
  world.run(3s);
  EXPECT_TRUE(world.plane.is_running(Component::kScheduler, 0));
}

TEST(ControlPlaneProcesses, ARebootForgetsTheBackOff) {
  ControlPlaneFixture world(3, 1, exact_starts());
  for (int i = 0; i < 5; ++i) {
    world.plane.kill(Component::kScheduler, 0);
    ASSERT_TRUE(world.run_until([&] { return world.plane.is_running(Component::kScheduler, 0); }, 10min));
  }
  world.hosts.reboot(world.cp(0));
  ASSERT_TRUE(world.run_until([&] { return world.plane.is_running(Component::kScheduler, 0); }, 10min));
  world.plane.kill(Component::kScheduler, 0);
  world.run(13s);  // the start after the boot was the free one: 10 s, not 160 s
  EXPECT_TRUE(world.plane.is_running(Component::kScheduler, 0));
}

TEST(ControlPlaneProcesses, WithoutKubeletNothingIsRestarted) {
  ControlPlaneFixture world(3);
  world.plane.set_kubelet_running(world.cp(0), false);
  EXPECT_TRUE(world.plane.is_running(Component::kApiServer, 0)) << "containers run on";
  world.plane.kill(Component::kApiServer, 0);
  world.run(1h);
  EXPECT_FALSE(world.plane.is_running(Component::kApiServer, 0));
  world.plane.set_kubelet_running(world.cp(0), true);
  world.run(30s);
  EXPECT_TRUE(world.plane.is_running(Component::kApiServer, 0));
}

TEST(ControlPlaneProcesses, AKubeletThatDiesDuringTheBackOffStartsNothing) {
  ControlPlaneFixture world(3);
  for (int i = 0; i < 2; ++i) {
    world.plane.kill(Component::kEtcd, 0);
    world.run(5s);
  }
  EXPECT_FALSE(world.plane.is_running(Component::kEtcd, 0));
  world.plane.set_kubelet_running(world.cp(0), false);
  world.run(1h);
  EXPECT_FALSE(world.plane.is_running(Component::kEtcd, 0));
  // A reboot brings the kubelet back, and with it everything.
  world.hosts.reboot(world.cp(0));
  world.run(4min);
  EXPECT_TRUE(world.plane.is_running(Component::kEtcd, 0));
}

TEST(ControlPlaneProcesses, AllApiServersDead) {
  ControlPlaneFixture world(3);
  for (std::size_t i = 0; i < 3; ++i) world.plane.stop(Component::kApiServer, i);
  EXPECT_FALSE(world.api.readable());
  EXPECT_FALSE(world.api.writable());
  EXPECT_TRUE(world.plane.has_quorum());
  EXPECT_FALSE(world.plane.reachable_from(world.worker));
  EXPECT_EQ(world.log.message(world.log.at(world.newest("ControlPlaneUnwritable"))), "no write goes through: no API server runs");
  world.plane.start_component(Component::kApiServer, 1);
  world.run(30s);
  EXPECT_TRUE(world.api.writable());
}

TEST(ControlPlaneProcesses, MirrorPodsAreThere) {
  ControlPlaneFixture world(3);
  struct Case {
    const char* name;
    std::int64_t cpu, memory;
  };
  for (const Case& c : {Case{"etcd-cp-2", 100, 100ll << 20}, Case{"kube-apiserver-cp-2", 250, 0}, Case{"kube-scheduler-cp-2", 100, 0},
                        Case{"kube-controller-manager-cp-2", 200, 0}}) {
    SCOPED_TRACE(c.name);
    const Pod* pod = world.pod(c.name);
    ASSERT_NE(pod, nullptr);
    EXPECT_EQ(pod->spec->requests.cpu_milli, c.cpu);
    EXPECT_EQ(pod->spec->requests.memory, c.memory);
    EXPECT_EQ(pod->spec->priority, 2000001000);
    EXPECT_TRUE(pod->spec->host_network);
    EXPECT_EQ(pod->phase, PodPhase::kRunning);
    EXPECT_TRUE(pod->ready);
    EXPECT_EQ(pod->node, world.api.find<Node>(Symbol{}, world.names.intern("cp-2")));
    EXPECT_TRUE(pod->meta.annotations.has(world.names.intern("kubernetes.io/config.mirror")));
    EXPECT_TRUE(tolerates(pod->spec->tolerations, Taint{world.api.well_known().unreachable, Symbol{}, TaintEffect::kNoExecute}));
  }
}

TEST(ControlPlaneProcesses, MirrorStatusFollowsTheProcessWhileItCanBeWritten) {
  ControlPlaneFixture world(3);
  world.plane.kill(Component::kScheduler, 0);
  EXPECT_FALSE(world.pod("kube-scheduler-cp-1")->ready);
  EXPECT_EQ(world.pod("kube-scheduler-cp-1")->containers[0].exit_code, 137);
  world.run(10s);
  EXPECT_TRUE(world.pod("kube-scheduler-cp-1")->ready);
  EXPECT_EQ(world.pod("kube-scheduler-cp-1")->containers[0].restart_count, 1u);

  // A dead host tells nothing.
  world.hosts.crash(world.cp(0));
  world.run(30s);
  EXPECT_TRUE(world.pod("etcd-cp-1")->ready);
  // The node lifecycle controller marks the pods; the kubelet that comes back corrects it.
  world.api.update(world.api.find<Pod>(world.api.well_known().kube_system, world.names.intern("etcd-cp-1")), Change::kReady,
                   [](Pod& pod) { pod.ready = false; });
  world.hosts.power_on(world.cp(0));
  world.run(5min);
  EXPECT_TRUE(world.pod("etcd-cp-1")->ready);
  EXPECT_EQ(world.pod("etcd-cp-1")->containers[0].restart_count, 1u);

  // So does one that was cut off, although its processes ran on.
  world.hosts.set_partition(world.cp(1), 1);
  world.run(2min);
  world.api.update(world.api.find<Pod>(world.api.well_known().kube_system, world.names.intern("etcd-cp-2")), Change::kReady,
                   [](Pod& pod) { pod.ready = false; });
  world.hosts.set_partition(world.cp(1), 0);
  world.run(1min);
  EXPECT_TRUE(world.pod("etcd-cp-2")->ready);
}

TEST(ControlPlaneProcesses, NoStatusIsWrittenWithoutTheApi) {
  ControlPlaneFixture world(1);
  world.plane.kill(Component::kEtcd, 0);
  const std::uint64_t version = world.api.resource_version();
  EXPECT_TRUE(world.pod("etcd-cp-1")->ready);
  world.run(1500ms);
  EXPECT_EQ(world.api.resource_version(), version);
  world.run(1min);
  EXPECT_EQ(world.pod("etcd-cp-1")->containers[0].restart_count, 1u) << "told when it can be told";
}

TEST(ControlPlaneProcesses, AStoppedComponentHasNoMirror) {
  ControlPlaneFixture world(3);
  world.plane.stop(Component::kScheduler, 2);
  EXPECT_EQ(world.pod("kube-scheduler-cp-3"), nullptr);
  world.plane.start_component(Component::kScheduler, 2);
  world.run(20s);
  ASSERT_NE(world.pod("kube-scheduler-cp-3"), nullptr);
  EXPECT_TRUE(world.pod("kube-scheduler-cp-3")->ready);
}

}  // namespace
}  // namespace sim::k8s

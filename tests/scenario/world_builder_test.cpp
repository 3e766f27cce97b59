#include "sim/scenario/world_builder.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "sim/scenario/names.hpp"

namespace sim::scenario {
namespace {

const char* const kPlatform = R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
topology:
  r1: {kind: region}
  zone-a: {kind: zone, in: r1}
  feed-1: {kind: power-feed}
  feed-2: {kind: power-feed}
  rack-a: {kind: rack, in: zone-a, power: [feed-1, feed-2]}
  rack-b: {kind: rack, in: zone-a, power: [feed-1]}
pools:
  metal: {count: 2, node: false, cpu: 64, memory: 256Gi, racks: [rack-a, rack-b]}
  control: {count: 3, controlPlane: true, machine: vm, hosts: metal, cpu: 4, memory: 16Gi}
  workers:
    count: 4
    nodeName: "w{n}"
    cpu: 16
    memory: 64Gi
    disk: 500Gi
    pods: 200
    reserved: {cpu: 500m, memory: 2Gi, ephemeralStorage: 10Gi}
    labels: {disk: ssd}
    taints: ["gpu=yes:NoSchedule"]
    resources: {nvidia.com/gpu: "8"}
    racks: [rack-a, rack-b]
images: {sizes: {nginx: 70Mi, "unused:1": 1Gi}, registryService: infra/harbor}
behaviours: [{match: {labels: {app: web}}, memory: 300Mi}]
objects: |
  apiVersion: v1
  kind: Node
  metadata: {name: extra, labels: {topology.kubernetes.io/zone: zone-q, node-role.kubernetes.io/control-plane: ""}}
  spec: {taints: [{key: node.kubernetes.io/unreachable, effect: NoExecute}, {key: kept, effect: NoSchedule}]}
  status: {capacity: {cpu: 8, memory: 32Gi}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: harbor, namespace: infra}
  spec: {selector: {app: harbor}}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    replicas: 4
    selector: {matchLabels: {app: web}}
    template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}
  ---
  apiVersion: v1
  kind: Pod
  metadata: {name: bound}
  spec: {nodeName: w2, containers: [{name: c, image: nginx}]}
)";

std::shared_ptr<const ScenarioSpec> platform(const std::string& text = kPlatform) {
  Diagnostics diagnostics;
  auto spec = read_scenario_text("platform.yaml", text, {}, diagnostics);
  EXPECT_NE(spec, nullptr) << diagnostics.format();
  return spec;
}

const k8s::Node& node(const World& world, std::string_view name) {
  return world.api.all<k8s::Node>().at(world.api.find<k8s::Node>(Symbol{}, world.names.find(name)));
}
std::string label(const World& world, const k8s::Node& node, std::string_view key) {
  const std::optional<Symbol> value = node.meta.labels.find(world.names.find(key));
  return value ? world.names.text(*value) : "absent";
}

TEST(WorldBuilder, NodesHaveTheirShapeLabelsAndTaints) {
  const auto world = build_world(*platform(), 1);
  EXPECT_EQ(world->api.all<k8s::Node>().size(), 8u);
  const k8s::Node& w1 = node(*world, "w1");
  EXPECT_EQ(w1.capacity.cpu_milli, 16000);
  EXPECT_EQ(w1.allocatable.cpu_milli, 15500);
  EXPECT_EQ(w1.allocatable.memory, (62ll << 30) - (100ll << 20)) << "64Gi - 2Gi reserved - 100Mi eviction threshold";
  EXPECT_EQ(w1.allocatable.ephemeral_storage, (440ll << 30) - 800) << "500Gi - 10Gi reserved - 10 % eviction threshold, which is a float: 0.10000000149";
  EXPECT_EQ(w1.allocatable.pods, 200);
  EXPECT_EQ(w1.allocatable.of(world->names.find("nvidia.com/gpu")), 8);
  EXPECT_EQ(label(*world, w1, "kubernetes.io/hostname"), "w1");
  EXPECT_EQ(label(*world, w1, "disk"), "ssd");
  EXPECT_EQ(label(*world, w1, kPoolLabel), "workers");
  EXPECT_EQ(label(*world, w1, kRackLabel), "rack-a");
  EXPECT_EQ(label(*world, node(*world, "w2"), kRackLabel), "rack-b");
  EXPECT_EQ(label(*world, w1, "topology.kubernetes.io/zone"), "zone-a");
  EXPECT_EQ(label(*world, w1, "topology.kubernetes.io/region"), "r1");
  EXPECT_TRUE(w1.has_taint(world->names.find("gpu"), k8s::TaintEffect::kNoSchedule));
  const k8s::Node& cp = node(*world, "control-1");
  EXPECT_TRUE(cp.has_taint(world->api.well_known().control_plane_taint, k8s::TaintEffect::kNoSchedule));
  EXPECT_EQ(label(*world, cp, kControlPlaneLabel), "");
  EXPECT_EQ(label(*world, cp, kRackLabel), "rack-a") << "where the machine below stands";
}

TEST(WorldBuilder, ControlPlaneTaintGivesWayToTheUsersTaints) {
  const auto world = build_world(
      *platform("apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {c: {controlPlane: true, taints: []}, d: {controlPlane: true}}\n"), 1);
  EXPECT_TRUE(node(*world, "c-1").taints.empty());
  EXPECT_EQ(node(*world, "d-1").taints.size(), 1u);
}

TEST(WorldBuilder, MachinesStandWhereTheScenarioPutsThem) {
  const auto world = build_world(*platform(), 1);
  topology::Topology& t = world->topology;
  EXPECT_EQ(t.name(t.enclosing(t.find("control-2"), topology::ElementKind::kRack)), "rack-b");
  EXPECT_EQ(world->hosts.size(), 10u);
  t.fail(t.find("feed-1"), topology::Aspect::kPower);
  EXPECT_TRUE(t.has(t.find("w1"), topology::Aspect::kPower)) << "rack-a has a second feed";
  EXPECT_FALSE(t.has(t.find("w2"), topology::Aspect::kPower));
  EXPECT_FALSE(t.has(t.find("control-2"), topology::Aspect::kPower)) << "its machine stands in rack-b";
}

TEST(WorldBuilder, NodesOfManifestsGetMachinesAndStartHealthy) {
  const auto world = build_world(*platform(), 1);
  const k8s::Node& extra = node(*world, "extra");
  EXPECT_EQ(extra.allocatable.pods, 110);
  ASSERT_EQ(extra.taints.size(), 1u);
  EXPECT_EQ(world->names.text(extra.taints[0].key), "kept");
  EXPECT_EQ(label(*world, extra, "kubernetes.io/hostname"), "extra");
  const host::HostId host = world->hosts.find("extra");
  ASSERT_TRUE(host);
  EXPECT_EQ(world->hosts.spec(host).memory_bytes, 32ll << 30);
  EXPECT_EQ(world->topology.name(world->topology.enclosing(world->hosts.element(host), topology::ElementKind::kZone)), "zone-q");
  EXPECT_EQ(world->control_plane.member_count(), 4u) << "three of the pool, and the node with the label";
}

TEST(WorldBuilder, ObjectsAreStored) {
  const auto world = build_world(*platform(), 1);
  const auto find = [&](const char* name) { return world->names.find(name); };
  EXPECT_TRUE(world->api.find<k8s::Deployment>(find("default"), find("web")));
  for (const char* ns : {"default", "kube-system", "kube-public", "kube-node-lease", "infra"}) {
    EXPECT_TRUE(world->api.find<k8s::Namespace>(Symbol{}, find(ns))) << ns;
  }
  EXPECT_TRUE(world->api.find<k8s::PriorityClass>(Symbol{}, find("system-node-critical")));
  const k8s::Pod& pod = world->api.all<k8s::Pod>().at(world->api.find<k8s::Pod>(find("default"), find("bound")));
  EXPECT_EQ(pod.node, world->api.find<k8s::Node>(Symbol{}, find("w2")));
  ASSERT_EQ(world->behaviours.size(), 1u);
  ASSERT_EQ(world->images.images.size(), 1u);
  EXPECT_EQ(world->names.text(world->images.images[0].image), "nginx:latest");
  EXPECT_EQ(world->names.text(world->images.registry_service), "infra/harbor");
}

TEST(WorldBuilder, WorldsShareTheImmutablePartsAndNothingElse) {
  const auto spec = platform();
  const auto one = build_world(*spec, 1);
  const auto two = build_world(*spec, 2);
  const auto web = [](const World& world) -> const k8s::Deployment& {
    return world.api.all<k8s::Deployment>().at(world.api.find<k8s::Deployment>(world.names.find("default"), world.names.find("web")));
  };
  EXPECT_EQ(web(*one).pod_template.spec, web(*two).pod_template.spec);
  EXPECT_EQ(web(*one).meta.source, web(*two).meta.source);
  EXPECT_EQ(one->names.size(), two->names.size());
  const auto ref = one->api.find<k8s::Deployment>(one->names.find("default"), one->names.find("web"));
  one->api.update(ref, k8s::Change::kSpec, [](k8s::Deployment& d) { d.replicas = 9; });
  EXPECT_EQ(web(*two).replicas, 4);
}

TEST(WorldBuilder, ARunIsAFunctionOfScenarioAndSeedOnEveryThread) {
  const auto spec = platform();
  const auto run = [&](std::uint64_t seed) {
    const auto world = build_world(*spec, seed);
    world->start();
    world->engine.run_until(SimTime{} + std::chrono::minutes(5));
    return event_log_hash(world->engine, world->log);
  };
  const std::string first = run(1);
  std::vector<std::string> hashes(4);
  std::vector<std::thread> threads;
  for (std::string& hash : hashes) threads.emplace_back([&hash, &run] { hash = run(1); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& hash : hashes) EXPECT_EQ(hash, first);
  EXPECT_NE(run(2), first);
}

TEST(WorldBuilder, TheDeploymentRuns) {
  const auto world = build_world(
      *platform("apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {c: {controlPlane: true, count: 3}, w: {count: 2}}\nobjects: |\n"
                "  apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: web}\n  spec:\n    replicas: 4\n    selector: {matchLabels: {app: web}}\n"
                "    template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}\n"),
      1);
  world->start();
  world->engine.run_until(SimTime{} + std::chrono::minutes(5));
  const auto ref = world->api.find<k8s::Deployment>(world->names.find("default"), world->names.find("web"));
  EXPECT_EQ(world->api.get(ref)->ready_replicas, 4);
}

}  // namespace
}  // namespace sim::scenario

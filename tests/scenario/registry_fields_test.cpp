// The sections `registries:` and `network:`: what is wrong with them, and where.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/network/network.hpp"
#include "sim/models/registry/registries.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace sim::scenario {
namespace {

std::string with(const std::string& more) {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
topology: {rack-a: {kind: rack}, tor-a: {kind: switch}}
pools:
  control: {count: 1, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 8Gi}
  workers: {count: 2, nodeName: "w{n}", cpu: 4, memory: 8Gi, racks: [rack-a]}
objects:
- {apiVersion: v1, kind: Service, metadata: {name: core, namespace: harbor}, spec: {selector: {app: core}}}
- {apiVersion: v1, kind: Service, metadata: {name: registry, namespace: harbor}, spec: {selector: {app: registry}}}
- {apiVersion: v1, kind: Service, metadata: {name: db, namespace: harbor}, spec: {selector: {app: db}}}
- {apiVersion: v1, kind: Service, metadata: {name: redis, namespace: harbor}, spec: {selector: {app: redis}}}
- {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: "harbor.example/web:1"}]}}
)" + more;
}
const std::string kHarbor = "core: harbor/core, registry: harbor/registry, postgresql: harbor/db, redis: harbor/redis";

struct WrongCase {
  std::string_view name;
  std::string more;
  std::string_view message;
  std::string_view hint;  // or part of what was expected
};
const WrongCase kWrong[] = {
    {"unknown Service", "registries: {harbor.example: {kind: harbor, core: harbor/cor, registry: harbor/registry, postgresql: harbor/db, redis: harbor/redis}}",
     "there is no Service 'harbor/cor'", "did you mean 'harbor/core'?"},
    {"a part is missing", "registries: {harbor.example: {kind: harbor, core: harbor/core, registry: harbor/registry, redis: harbor/redis}}",
     "a Harbor needs 'postgresql'", "a Service: namespace/name"},
    {"a part of an external one", "registries: {docker.io: {core: harbor/core}}", "'core' is for kind: harbor", ""},
    {"misspelt kind", "registries: {docker.io: {kind: habor}}", "unknown word", "did you mean 'harbor'?"},
    {"unknown mirror", "registries: {docker.io: {mirrors: [harbor.exampel]}, harbor.example: {}}", "there is no registry 'harbor.exampel'", "did you mean 'harbor.example'?"},
    {"a mirror without a name", "registries: {docker.io: {mirrors: ['']}}", "a mirror without a name", "the host of a registry"},
    {"a mirror of itself", "registries: {docker.io: {mirrors: [docker.io]}}", "'docker.io' is no mirror of itself: it is asked anyway, last", ""},
    {"caches in a circle", "registries: {a.example: {upstream: b.example}, b.example: {upstream: a.example}}", "registry 'a.example' is a cache of itself, by way of its upstream", ""},
    {"a cache without upstream", "registries: {a.example: {cached: [x]}}", "'cached' is for a cache: it needs 'upstream'", ""},
    {"a volume that nobody mounts", "registries: {harbor.example: {kind: harbor, " + kHarbor + ", storage: {kind: pvc}}}",
     "registry 'harbor.example': storage is of kind pvc, but nothing behind Service 'harbor/registry' mounts a claim", "kind: filesystem is the disk of the pods' nodes"},
    {"redirect of a file system", "registries: {harbor.example: {kind: harbor, " + kHarbor + ", storage: {kind: filesystem, redirect: true}}}", "'redirect' is for kind: s3", ""},
    {"keys that need the section", "images: {peerToPeer: pieces}", "images.peerToPeer says nothing without the section 'registries'", "'registries: {}' is enough"},
    {"kubelet's keys that need the section", "kubelet: {registryPullQPS: 1}", "kubelet.registryPullQPS says nothing without the section 'registries'", ""},
    {"keys that go without the section", "registries: {}\nimages: {registryBandwidth: 1MB/s}", "images.registryBandwidth says nothing beside the section 'registries'",
     "what a registry sends is its 'bandwidth'"},
    {"thresholds", "registries: {}\nkubelet: {imageGCLowThresholdPercent: 90}",
     "imageGCLowThresholdPercent must be lower than imageGCHighThresholdPercent: the kubelet does not start otherwise", ""},
    {"parallel pulls that are serialized", "registries: {}\nkubelet: {maxParallelImagePulls: 3}", "needs serializeImagePulls: false: the kubelet does not start otherwise", ""},
    {"a network that nobody uses", "network: {internet: 1Gbit/s}",
     "nothing crosses this network: image pulls do with the section 'registries', and Ceph's recovery with 'ceph' and carriesCeph: true", ""},
    {"an uplink of nothing", "registries: {}\nnetwork: {uplinks: {rack-b: 1Gbit/s}}", "there is no rack, zone or region 'rack-b' in 'topology'", "did you mean 'rack-a'?"},
    {"an uplink of a switch", "registries: {}\nnetwork: {uplinks: {tor-a: 1Gbit/s}}", "there is no rack, zone or region 'tor-a' in 'topology'", ""},
    {"no Ceph to carry", "registries: {}\nnetwork: {carriesCeph: true}", "carriesCeph: there is no Ceph in this scenario", ""},
    {"a layer without size", "registries: {}\nimages: {layers: {\"web:1\": [{digest: a}]}}", "a layer of 'web:1' needs the key 'size'", ""},
};

TEST(RegistryFields, WhatIsWrongIsToldWhereItStands) {
  for (const WrongCase& c : kWrong) {
    SCOPED_TRACE(c.name);
    Diagnostics diagnostics;
    EXPECT_EQ(read_scenario_text("test.yaml", with(c.more), {}, diagnostics), nullptr);
    const std::vector<Diagnostic> all = diagnostics.sorted();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Diagnostic& d) { return d.message == c.message; });
    ASSERT_NE(found, all.end()) << diagnostics.format();
    EXPECT_GE(found->line, 13u);
    EXPECT_GE(found->column, 1u);
    EXPECT_NE((found->hint + found->expected).find(c.hint), std::string::npos) << diagnostics.format();
  }
}

TEST(RegistryFields, BecomeTheWorldsRegistries) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", with(R"(registries:
  docker.io: {mirrors: [cache.example, harbor.example], rateLimit: {pulls: 7, per: 1h}}
  cache.example: {upstream: docker.io}
  harbor.example: {kind: harbor, )" + kHarbor + R"(, storage: {kind: s3, bandwidth: 1GB/s}}
images:
  sizes: {"harbor.example/web:1": 12Mi}
network: {uplinks: {rack-a: 8Gbit/s}, internet: 800Mbit/s}
)"), {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  const std::unique_ptr<World> world = build_world(*spec, 1);
  ASSERT_NE(world->registries, nullptr);
  EXPECT_EQ(world->registries->size(), 3u);
  EXPECT_EQ(world->registries->bytes(world->names.find("harbor.example/web:1")), 12 << 20);
  EXPECT_DOUBLE_EQ(world->network->config().internet_bytes_per_second, 100e6);
  EXPECT_DOUBLE_EQ(world->network->config().uplinks.at(0).second, 1e9);
  const registry::Image& image = registry::Image{Symbol{}, registry::parse_image("nginx:1"), {}, 0};
  EXPECT_EQ(world->registries->sources(image), (std::vector<std::size_t>{1, 2, 0}));
}

TEST(RegistryFields, WithoutTheSectionsThereAreNone) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", with(""), {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  EXPECT_EQ(build_world(*spec, 1)->registries, nullptr);
  EXPECT_EQ(build_world(*spec, 1)->network, nullptr);
}

}  // namespace
}  // namespace sim::scenario

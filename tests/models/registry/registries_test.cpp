// A Harbor in the cluster: which of its parts a pull needs, how it fails without each, and over whose network cards the bytes come.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/models/registry/registry_world.hpp"

namespace sim::registry {
namespace {

using namespace std::chrono_literals;
using k8s::Change;
using k8s::Endpoints;
using k8s::Node;
using k8s::Pod;
using k8s::PodPhase;
using k8s::Ref;
using test::RegistryWorld;

/// Each part is a pod on a node of its own, behind a Service whose endpoints the tests write.
class Harbor : public ::testing::Test {
 protected:
  void build(bool redirects = false) {
    RegistryConfig& harbor = w.add_registry("harbor.example", RegistryKind::kHarbor);
    harbor.redirects = redirects;
    harbor.bytes_per_second = SharedBandwidth::kNoLimit;
    for (const auto& [part, name] : kParts) harbor.parts.push_back({part, w.names.intern("harbor"), w.names.intern(name)});
    node = w.add_node("w1");
    for (const auto& [part, name] : kParts) {
      host::HostSpec spec = w.host_spec(fmt::format("n-{}", name));
      spec.nic_bits_per_second = part == Part::kRegistry ? 0.8e9 : 80e9;  // 100 MB/s
      Pod pod = w.pod(name);
      pod.phase = PodPhase::kRunning;
      pod.ready = true;
      nodes.push_back(w.add_node(spec));
      pods.push_back(w.create_on(nodes.back(), std::move(pod)));
    }
    w.set_layers("harbor.example/app:1", {{"", 100'000'000, 1}});
    w.registries_config.unpack_bytes_per_second = 1e12;
    w.start_all();
    for (std::size_t i = 0; i < pods.size(); ++i) {
      Endpoints made;
      made.meta.ns = w.names.intern("harbor");
      made.meta.name = w.names.intern(kParts[i].second);
      made.addresses.push_back({pods[i], true, false});
      endpoints.push_back(w.api.create(std::move(made)));
    }
    w.run_to(1s);
  }
  void list(std::size_t part, bool ready) {
    w.api.update(endpoints[part], Change::kStatus, [&](Endpoints& e) { e.addresses[0].ready = ready; });
  }
  std::string failure() const { return w.message(w.last_record("Failed")); }
  static constexpr std::pair<Part, const char*> kParts[] = {
      {Part::kCore, "core"}, {Part::kDatabase, "database"}, {Part::kRedis, "redis"}, {Part::kRegistry, "registry"}, {Part::kStorage, "store"}};
  enum : std::size_t { kCore, kDatabase, kRedis, kRegistry, kStore };
  RegistryWorld w;
  Ref<Node> node;
  std::vector<Ref<Node>> nodes;
  std::vector<Ref<Pod>> pods;
  std::vector<Ref<Endpoints>> endpoints;
};

TEST_F(Harbor, ServesOverTheCardsOfRegistryAndCore) {
  build();
  EXPECT_TRUE(w.registries->serves(0));
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "harbor.example/app:1"));
  w.run_to(1min);
  // 505 ms, 100 ms for the manifest, 100 MB over the registry's card of 100 MB/s, 100 ms.
  EXPECT_NEAR(seconds(w.at(pod).containers[0].started_at.time_since_epoch()), 1.0 + 0.505 + 0.1 + 1.0 + 0.1, 1e-6);
}

TEST_F(Harbor, RedirectedBlobsDoNotPassTheRegistry) {
  build(true);
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "harbor.example/app:1"));
  w.run_to(1min);
  // From the store's 80 Gbit/s to the node's 10 Gbit/s: 100 MB in 80 ms.
  EXPECT_NEAR(seconds(w.at(pod).containers[0].started_at.time_since_epoch()), 1.0 + 0.505 + 0.1 + 0.08 + 0.1, 1e-6);
}

struct PartCase {
  std::size_t part;
  std::string_view told, error;
};
const PartCase kPartCases[] = {
    {0, "no image can be pulled from harbor.example: its core (Service harbor/core) has no endpoint that serves", "connect: connection refused"},
    {1, "no image can be pulled from harbor.example: its database (Service harbor/database) has no endpoint that serves", "500 Internal Server Error"},
    {3, "no image can be pulled from harbor.example: its registry (Service harbor/registry) has no endpoint that serves", "502 Bad Gateway"},
    {4, "no image can be pulled from harbor.example: its storage (Service harbor/store) has no endpoint that serves", "500 Internal Server Error"},
};

TEST_F(Harbor, FailsWithoutCoreDatabaseRegistryOrStorage) {
  build();
  SimDuration now = 1s;
  for (const PartCase& c : kPartCases) {
    SCOPED_TRACE(c.told);
    const CauseId fault = w.fault("a part is gone");
    {
      const ScopedCause because(w.engine, fault);
      list(c.part, false);
    }
    const Ref<Pod> pod = w.create_on(node, w.pod_of(fmt::format("web-{}", c.part), fmt::format("harbor.example/app-{}:1", c.part)));
    w.run_to(now += 5s);
    EXPECT_FALSE(w.registries->serves(0));
    EXPECT_EQ(w.message(w.last_record("RegistryDown", "Registry/harbor.example")), c.told);
    EXPECT_NE(failure().find(c.error), std::string::npos) << failure();
    EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "RegistryDown"));
    EXPECT_EQ(w.log.chain(w.last_record("Failed")).back(), fault);
    list(c.part, true);
    w.run_to(now += 30s);
    EXPECT_TRUE(w.registries->serves(0));
    EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  }
}

TEST_F(Harbor, ARunningCoreGoesOnWithoutRedisAndAStartingOneWaits) {
  build();
  list(kRedis, false);
  w.run_to(2s);
  EXPECT_TRUE(w.registries->serves(0));
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "harbor.example/app:1"));
  w.run_to(10s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  w.kubelets->kill_container(pods[kCore]);
  w.run_to(60s);
  EXPECT_FALSE(w.registries->serves(0));
  EXPECT_EQ(w.message(w.last_record("RegistryDown")), "no image can be pulled from harbor.example: its core (Service harbor/core) has no endpoint that serves");
  const Ref<Pod> other = w.create_on(node, w.pod_of("other", "harbor.example/other:1"));
  w.run_to(70s);
  EXPECT_EQ(w.waiting_reason(other), "ImagePullBackOff");
  list(kRedis, true);
  w.run_to(120s);
  EXPECT_TRUE(w.registries->serves(0));
  EXPECT_EQ(w.at(other).phase, PodPhase::kRunning);
}

TEST_F(Harbor, AMachineThatDiesUnseenIsSilentOneThatLosesItsProcessRefuses) {
  build();
  {
    const ScopedCause because(w.engine, w.fault("power"));
    w.hosts.power_off(w.host_ids[1]);  // core's, still listed
  }
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "harbor.example/app:1"));
  w.run_to(20s);
  EXPECT_EQ(w.waiting_reason(pod), "ContainerCreating");
  w.run_to(40s);
  EXPECT_EQ(w.waiting_reason(pod), "ImagePullBackOff");
  EXPECT_NE(failure().find("i/o timeout"), std::string::npos);
  EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "HostPoweredOff"));
}

TEST_F(Harbor, AConnectionThatBreaksIsOpenedAgainAtAnotherEndpoint) {
  build();
  // A second registry pod, on core's node.
  Pod second = w.pod("registry-2");
  second.phase = PodPhase::kRunning;
  second.ready = true;
  const Ref<Pod> other = w.create_on(nodes[kCore], std::move(second));
  w.run_to(10s);
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "harbor.example/app:1"));
  w.run_to(11s);  // in the middle: 10.605 to 11.605
  w.api.update(endpoints[kRegistry], Change::kStatus, [&](Endpoints& e) { e.addresses[0].pod = other; });
  w.run_to(11100ms);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kPending);
  w.kubelets->kill_container(pods[kRegistry]);
  w.run_to(30s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_EQ(w.count_records("Failed"), 0u);
  // What had come was not fetched again, and the rest came from a faster card: another manifest, and no second more.
  EXPECT_EQ(w.registries->counts().bytes, 100'000'000u);
  EXPECT_LT(w.at(pod).containers[0].started_at, SimTime(11500ms));
}

}  // namespace
}  // namespace sim::registry

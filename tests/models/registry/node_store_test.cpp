// A node's pulls from registries outside of the cluster: how long they take, what they share, how they fail, and what garbage collection removes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/models/registry/registry_world.hpp"

namespace sim::registry {
namespace {

using namespace std::chrono_literals;
using k8s::Node;
using k8s::Pod;
using k8s::PodPhase;
using k8s::PullPolicy;
using k8s::Ref;
using test::RegistryWorld;

constexpr std::int64_t kMB = 1'000'000;

// From the binding to the container: watch 5 ms, sandbox 500 ms; create 100 ms.
constexpr SimDuration kBeforePull = 505ms;
constexpr SimDuration kAfterPull = 100ms;

SimDuration running_at(RegistryWorld& w, Ref<Pod> pod) { return w.at(pod).containers.at(0).started_at.time_since_epoch(); }

TEST(NodeStore, DownloadAndUnpackOverlap) {
  RegistryWorld w;
  w.add_registry("reg.example");
  // 100 MB/s down, 150 MB/s unpacked: layer a comes in [0.1, 1.1], is unpacked in [1.1, 3.1]; b comes in [1.1, 1.6], is unpacked in [3.1, 3.4].
  w.set_layers("reg.example/app:1", {{"a", 100 * kMB, 300 * kMB}, {"b", 50 * kMB, 45 * kMB}});
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "reg.example/app:1"));
  w.run_to(1min);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_EQ(running_at(w, pod), kBeforePull + 3400ms + kAfterPull);
  EXPECT_EQ(w.message(w.last_record("Pulling")), "Pulling image \"reg.example/app:1\"");
  EXPECT_EQ(w.message(w.last_record("Pulled")),
            "Successfully pulled image \"reg.example/app:1\" in 3.4s (3.4s including waiting). Image size: 150000000 bytes.");
  EXPECT_EQ(w.registries->counts(0).pulled, 1u);
  EXPECT_EQ(w.registries->counts(0).bytes, 150'000'000u);
}

// A pull of 4 GB that would come with 1 GB/s and be unpacked with as much, on a disk of 200 MB/s: a tenth of the memory that could be dirty takes it at full speed, half-way to
// a fifth writers wait, and from there on what is left comes as fast as the disk takes it. A second disk for images has nothing to do with the first one.
TEST(NodeStore, APullIsWrittenThroughDirtyPagesToADiskThatOthersNeed) {
  for (const bool image_disk : {false, true}) {
    SCOPED_TRACE(image_disk);
    RegistryWorld w;
    w.config.disk.thresholds.clear();
    w.add_registry("reg.example").bytes_per_second = 1e9;
    w.registries_config.unpack_bytes_per_second = 1e9;
    w.set_layers("reg.example/big:1", {{"a", 4000 * kMB, 4000 * kMB}});
    host::HostSpec spec = w.host_spec("w1");
    spec.disk_bytes_per_second = 200e6;
    spec.disk_fsync_median = 1ms;
    spec.image_disk_bytes = image_disk ? 50ll << 30 : 0;
    const Ref<Node> node = w.add_node(spec);
    w.start_all();
    const Ref<Pod> pod = w.create_on(node, w.pod_of("big", "reg.example/big:1"));
    w.run_to(10s);
    const host::HostId host = w.hosts.find("w1");
    if (image_disk) {
      EXPECT_EQ(w.hosts.fsync_factor(host), 1.0);
      EXPECT_NEAR(seconds(running_at(w, pod)), seconds(kBeforePull + 100ms + 8s + kAfterPull), 1e-3);
      continue;
    }
    // Four requests of 512 KiB in flight: 10.5 ms on this disk.
    EXPECT_NEAR(w.hosts.fsync_factor(host), 1.0 + 4 * 524'288.0 / 200e6 / 1e-3, 0.2);
    ASSERT_EQ(w.count_records("WritersThrottled"), 1u);
    w.run_to(5min);
    // 8 GB are written; 15 % of memory stays dirty for now (1.3 GB), the rest went to the disk meanwhile: 6.7 GB / 200 MB/s.
    EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
    EXPECT_NEAR(seconds(running_at(w, pod)), 34.2, 1.5);
    w.run_to(10min);
    EXPECT_EQ(w.hosts.fsync_factor(host), 1.0) << "it is over";
  }
}

TEST(NodeStore, LayersThatAreThereAreNotFetchedAgain) {
  RegistryWorld w;
  w.add_registry("reg.example");
  w.registries_config.unpack_bytes_per_second = 1e12;
  w.set_layers("reg.example/a:1", {{"base", 200 * kMB, 1}, {"a", 100 * kMB, 1}});
  w.set_layers("reg.example/b:1", {{"base", 200 * kMB, 1}, {"b", 50 * kMB, 1}});
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  const Ref<Pod> a = w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  w.run_to(10s);
  const Ref<Pod> b = w.create_on(node, w.pod_of("b", "reg.example/b:1"));
  w.run_to(20s);
  EXPECT_NEAR(seconds(running_at(w, a)), seconds(kBeforePull + 100ms + 3s + kAfterPull), 1e-6);
  EXPECT_NEAR(seconds(running_at(w, b)), seconds(10s + kBeforePull + 100ms + 500ms + kAfterPull), 1e-6);
  // Content and snapshots: each layer once.
  const auto disk = w.store(node).filesystem();
  EXPECT_EQ(disk.capacity - disk.available, 350 * kMB + 3);
}

TEST(NodeStore, ParallelPullsOfOneLayerFetchItOnce) {
  RegistryWorld w;
  w.config.serialize_image_pulls = false;
  w.registries_config.unpack_bytes_per_second = 1e12;
  w.add_registry("reg.example");
  w.set_layers("reg.example/a:1", {{"base", 200 * kMB, 1}, {"a", 100 * kMB, 1}});
  w.set_layers("reg.example/b:1", {{"base", 200 * kMB, 1}, {"b", 100 * kMB, 1}});
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  const Ref<Pod> a = w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  const Ref<Pod> b = w.create_on(node, w.pod_of("b", "reg.example/b:1"));
  w.run_to(20s);
  // 300 MB of a and 100 MB of b share 100 MB/s: b's own is there after 2 s, a's after 4 s, and b waited for the base.
  EXPECT_NEAR(seconds(running_at(w, a)), seconds(kBeforePull + 100ms + 4s + kAfterPull), 1e-6);
  EXPECT_NEAR(seconds(running_at(w, b)), seconds(kBeforePull + 100ms + 4s + kAfterPull), 1e-6);
  EXPECT_EQ(w.registries->counts().bytes, 400'000'000u);
}

TEST(NodeStore, OneAfterTheOtherOrSoManyAtOnce) {
  for (const std::int64_t at_once : {1, 2}) {
    SCOPED_TRACE(at_once);
    RegistryWorld w;
    w.config.serialize_image_pulls = at_once == 1;
    w.config.max_parallel_image_pulls = at_once == 1 ? 0 : at_once;
    w.registries_config.unpack_bytes_per_second = 1e12;
    w.add_registry("reg.example");
    const Ref<Node> node = w.add_node("w1");
    for (const auto* image : {"reg.example/a:1", "reg.example/b:1", "reg.example/c:1"}) w.set_layers(image, {{"", 100 * kMB, 1}});
    w.start_all();
    w.create_on(node, w.pod_of("a", "reg.example/a:1"));
    w.create_on(node, w.pod_of("b", "reg.example/b:1"));
    w.create_on(node, w.pod_of("c", "reg.example/c:1"));
    w.run_to(kBeforePull + 1500ms);
    EXPECT_EQ(w.store(node).images().size(), at_once == 1 ? 1u : 0u);  // alone 1.1 s each; two together 2.1 s
    w.run_to(kBeforePull + 2150ms);
    EXPECT_EQ(w.store(node).images().size(), at_once == 1 ? 1u : 2u);
    w.run_to(kBeforePull + 3310ms);
    EXPECT_EQ(w.store(node).images().size(), 3u);
  }
}

TEST(NodeStore, TokensOfRegistryPullQps) {
  RegistryWorld w;
  w.config.serialize_image_pulls = false;
  w.add_registry("reg.example");
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  for (int i = 0; i < 12; ++i) w.create_on(node, w.pod_of(fmt::format("p{}", i), fmt::format("reg.example/p{}:1", i)));
  w.run_to(1s);
  EXPECT_EQ(w.count_records("Failed"), 2u);  // a burst of 10
  EXPECT_EQ(w.message(w.last_record("Failed")), "Failed to pull image \"reg.example/p11:1\": pull QPS exceeded");
  EXPECT_EQ(w.message(w.last_record("BackOff")), "Back-off pulling image \"reg.example/p11:1\"");
  w.run_to(5min);
  EXPECT_EQ(w.store(node).images().size(), 12u);  // by then there were tokens
}

TEST(NodeStore, AlwaysAsksForTheManifestNeverDoesNotPull) {
  RegistryWorld w;
  w.add_registry("reg.example");
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  const Ref<Pod> first = w.create_on(node, w.pod_of("first", "reg.example/app:1"));
  const Ref<Pod> never = w.create_on(node, w.pod_of("never", "reg.example/never:1", PullPolicy::kNever));
  w.run_to(30s);
  ASSERT_EQ(w.at(first).phase, PodPhase::kRunning);
  EXPECT_EQ(w.waiting_reason(never), "ErrImageNeverPull");
  w.registries->set_fault(0, Registries::Fault::kRefused, true);
  const Ref<Pod> present = w.create_on(node, w.pod_of("present", "reg.example/app:1"));
  const Ref<Pod> always = w.create_on(node, w.pod_of("always", "reg.example/app:1", PullPolicy::kAlways));
  w.run_to(40s);
  EXPECT_EQ(w.at(present).phase, PodPhase::kRunning);
  EXPECT_EQ(w.waiting_reason(always), "ImagePullBackOff");
  w.registries->set_fault(0, Registries::Fault::kRefused, false);
  w.run_to(2min);
  EXPECT_EQ(w.at(always).phase, PodPhase::kRunning);
  EXPECT_EQ(w.registries->counts().bytes, 100'000'000u);  // the layers came once
}

TEST(NodeStore, WhatStartsWithTheWorldRunsSinceBefore) {
  RegistryWorld w;
  w.registries_config.running_until = SimTime(1min);
  w.add_registry("reg.example");
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  w.registries->set_fault(0, Registries::Fault::kRefused, true);
  const Ref<Pod> before = w.create_on(node, w.pod_of("before", "reg.example/before:1", PullPolicy::kAlways));
  w.run_to(59s);
  EXPECT_EQ(w.at(before).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.has(node, "reg.example/before:1"));
  EXPECT_EQ(w.registries->pulls().size(), 0u);
  w.run_to(61s);
  const Ref<Pod> after = w.create_on(node, w.pod_of("after", "reg.example/after:1"));
  w.run_to(70s);
  EXPECT_EQ(w.waiting_reason(after), "ImagePullBackOff");
}

struct ErrorCase {
  std::string_view name;
  Registries::Fault fault;
  SimDuration after;  // from the request to the failure
  std::string_view error;
};
const ErrorCase kErrors[] = {
    {"refused", Registries::Fault::kRefused, 1ms,
     "failed to pull and unpack image \"reg.example/app:1\": failed to resolve reference \"reg.example/app:1\": failed to do request: Head "
     "\"https://reg.example/v2/app/manifests/1\": dial tcp reg.example:443: connect: connection refused"},
    {"silent", Registries::Fault::kDown, 30s,
     "failed to pull and unpack image \"reg.example/app:1\": failed to resolve reference \"reg.example/app:1\": failed to do request: Head "
     "\"https://reg.example/v2/app/manifests/1\": dial tcp reg.example:443: i/o timeout"},
    {"denied", Registries::Fault::kDenied, 100ms,
     "failed to pull and unpack image \"reg.example/app:1\": failed to resolve reference \"reg.example/app:1\": pull access denied, repository does not "
     "exist or may require authorization: authorization failed: no basic auth credentials"},
    {"too many", Registries::Fault::kTooMany, 100ms,
     "failed to pull and unpack image \"reg.example/app:1\": failed to resolve reference \"reg.example/app:1\": unexpected status from GET request to "
     "https://reg.example/v2/app/manifests/1: 429 Too Many Requests"},
};

TEST(NodeStore, FailsInTheWordsOfTheRuntime) {
  for (const ErrorCase& c : kErrors) {
    SCOPED_TRACE(c.name);
    RegistryWorld w;
    w.add_registry("reg.example");
    const Ref<Node> node = w.add_node("w1");
    w.start_all();
    const CauseId fault = w.fault("somebody broke it");
    {
      const ScopedCause because(w.engine, fault);
      w.registries->set_fault(0, c.fault, true);
    }
    const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "reg.example/app:1"));
    w.run_to(kBeforePull + c.after - 1ms);
    EXPECT_EQ(w.waiting_reason(pod), "ContainerCreating");
    w.run_to(kBeforePull + c.after + 1ms);
    EXPECT_EQ(w.waiting_reason(pod), "ImagePullBackOff");
    EXPECT_EQ(w.message(w.last_record("Failed")), fmt::format("Failed to pull image \"reg.example/app:1\": {}", c.error));
    EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "FaultInjected"));
    EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "RegistryDown"));
    EXPECT_FALSE(w.registries->serves(0));
    w.run_to(20min);
    EXPECT_EQ(w.count_records("Failed"), 1u);  // one outage, one record
    w.registries->set_fault(0, c.fault, false);
    w.run_for(330s);
    EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
    EXPECT_TRUE(w.registries->serves(0));
  }
}

TEST(NodeStore, MissingImageIsNotFoundAndFoundWhenItIsThere) {
  RegistryWorld w;
  w.add_registry("reg.example");
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  w.registries->set_missing(0, "reg.example/app:*", true);
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "reg.example/app:1"));
  const Ref<Pod> other = w.create_on(node, w.pod_of("other", "reg.example/other:1"));
  w.run_to(30s);
  EXPECT_EQ(w.at(other).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.registries->serves(0));
  EXPECT_EQ(w.message(w.last_record("Failed")),
            "Failed to pull image \"reg.example/app:1\": failed to pull and unpack image \"reg.example/app:1\": failed to resolve reference "
            "\"reg.example/app:1\": reg.example/app:1: not found");
  w.registries->set_missing(0, "reg.example/app:*", false);
  w.run_for(60s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
}

TEST(NodeStore, MirrorsAreAskedInOrderAndTheMostTellingErrorIsTold) {
  RegistryWorld w;
  w.add_registry("docker.io").mirrors = {"first.example", "second.example"};
  w.add_registry("first.example");
  w.add_registry("second.example").images = std::vector<std::string>{"nginx:1.26"};
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  w.create_on(node, w.pod_of("a", "nginx:1.25"));
  w.run_to(30s);
  EXPECT_EQ(w.registries->counts(1).pulled, 1u);
  w.registries->set_fault(1, Registries::Fault::kRefused, true);
  w.create_on(node, w.pod_of("b", "nginx:1.26"));
  w.run_to(60s);
  EXPECT_EQ(w.registries->counts(2).pulled, 1u);
  w.create_on(node, w.pod_of("c", "nginx:1.27"));  // the second one does not have it
  w.run_to(90s);
  EXPECT_EQ(w.registries->counts(0).pulled, 1u);
  w.registries->set_fault(0, Registries::Fault::kRefused, true);
  w.create_on(node, w.pod_of("d", "nginx:1.28"));
  w.run_to(120s);
  // 404 tells more than a connection that is refused (resolver.go).
  EXPECT_EQ(w.message(w.last_record("Failed")),
            "Failed to pull image \"nginx:1.28\": failed to pull and unpack image \"nginx:1.28\": failed to resolve reference \"nginx:1.28\": nginx:1.28: not found");
  w.registries->set_fault(2, Registries::Fault::kRefused, true);
  w.create_on(node, w.pod_of("e", "nginx:1.29"));
  w.run_to(150s);
  // Of equals the first: the mirror is asked with the namespace that it stands for.
  EXPECT_NE(w.message(w.last_record("Failed", "Pod/default/e")).find("Head \"https://first.example/v2/library/nginx/manifests/1.29?ns=docker.io\""), std::string::npos);
}

TEST(NodeStore, DefaultStandsForEveryHostWithoutAnEntry) {
  RegistryWorld w;
  RegistryConfig& rest = w.add_registry("_default", RegistryKind::kUnreachable);
  rest.mirrors = {"harbor.example"};
  w.add_registry("harbor.example").images = std::vector<std::string>{"quay.io/*"};
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  const Ref<Pod> held = w.create_on(node, w.pod_of("held", "quay.io/a:1"));
  const Ref<Pod> not_held = w.create_on(node, w.pod_of("not-held", "ghcr.io/b:1"));
  w.run_to(60s);
  EXPECT_EQ(w.at(held).phase, PodPhase::kRunning);
  EXPECT_EQ(w.waiting_reason(not_held), "ImagePullBackOff");  // 404, then 30 s of silence
  EXPECT_NE(w.message(w.last_record("Failed")).find("ghcr.io/b:1: not found"), std::string::npos);
}

TEST(NodeStore, ShortSilenceCostsTimeLongSilenceCostsThePull) {
  for (const SimDuration silence : {SimDuration(4min), SimDuration(5min + 5s)}) {
    RegistryWorld w;
    w.registries_config.unpack_bytes_per_second = 1e12;
    w.add_registry("reg.example");
    w.set_layers("reg.example/app:1", {{"a", 1000 * kMB, 1}});
    const Ref<Node> node = w.add_node("w1");
    w.start_all();
    const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "reg.example/app:1"));
    w.run_to(kBeforePull + 100ms + 4s);
    {
      const ScopedCause because(w.engine, w.fault("the registry is gone"));
      w.registries->set_fault(0, Registries::Fault::kDown, true);
    }
    w.run_for(silence);
    w.registries->set_fault(0, Registries::Fault::kDown, false);
    if (silence < 5min) {
      EXPECT_EQ(w.count_records("Failed"), 0u);
      w.run_for(7s);
      EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
      EXPECT_NEAR(seconds(running_at(w, pod)), seconds(kBeforePull + 100ms + 10s + silence + kAfterPull), 1e-6);
    } else {
      EXPECT_EQ(w.count_records("Failed"), 1u);
      EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "FaultInjected"));
      EXPECT_NE(w.message(w.last_record("Failed")).find("context canceled"), std::string::npos);
      w.run_for(60s);
      EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
      // What had come was kept.
      EXPECT_EQ(w.registries->counts().bytes, 600'000'000u);
    }
  }
}

TEST(NodeStore, RateLimitCountsContentNotManifests) {
  RegistryWorld w;
  w.add_registry("reg.example").rate_limit = RateLimit{2, 1h};
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  w.create_on(node, w.pod_of("a2", "reg.example/a:1", PullPolicy::kAlways));
  w.create_on(node, w.pod_of("b", "reg.example/b:1"));
  w.run_to(1min);
  w.create_on(node, w.pod_of("a3", "reg.example/a:1", PullPolicy::kAlways));
  const Ref<Pod> third = w.create_on(node, w.pod_of("c", "reg.example/c:1"));
  w.run_to(2min);
  EXPECT_EQ(w.count_records("Failed"), 1u);
  EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "RateLimited"));
  EXPECT_NE(w.message(w.last_record("Failed")).find("429 Too Many Requests"), std::string::npos);
  w.run_to(1h + 6min);
  EXPECT_EQ(w.at(third).phase, PodPhase::kRunning);
}

TEST(NodeStore, PullThroughCacheFetchesOnce) {
  RegistryWorld w;
  w.add_registry("docker.io").mirrors = {"cache.example"};
  w.registries_config.registries.back().bytes_per_second = 10e6;
  w.add_registry("cache.example").upstream = "docker.io";
  const Ref<Node> one = w.add_node("w1"), two = w.add_node("w2");
  w.registries_config.unpack_bytes_per_second = 1e12;
  w.start_all();
  const Ref<Pod> first = w.create_on(one, w.pod_of("first", "nginx:1"));
  w.run_to(30s);
  EXPECT_NEAR(seconds(running_at(w, first)), seconds(kBeforePull + 200ms + 10s + kAfterPull), 1e-3);  // both latencies, 10 MB/s from upstream
  w.registries->set_fault(0, Registries::Fault::kDown, true);
  const Ref<Pod> second = w.create_on(two, w.pod_of("second", "nginx:1"));
  const Ref<Pod> other = w.create_on(two, w.pod_of("other", "nginx:2"));
  w.run_to(60s);
  EXPECT_NEAR(seconds(running_at(w, second)), seconds(30s + kBeforePull + 100ms + 1s + kAfterPull), 1e-3);
  w.run_to(3min);
  EXPECT_EQ(w.waiting_reason(other), "ImagePullBackOff");
}

TEST(NodeStore, PeersServeWhatTheyHaveAlsoWithoutTheRegistry) {
  RegistryWorld w;
  w.registries_config.peers = PeerMode::kImages;
  w.add_registry("reg.example");
  const Ref<Node> one = w.add_node("w1"), two = w.add_node("w2");
  w.start_all();
  w.create_on(one, w.pod_of("first", "reg.example/app:1"));
  w.run_to(30s);
  w.registries->set_fault(0, Registries::Fault::kDown, true);
  const Ref<Pod> second = w.create_on(two, w.pod_of("second", "reg.example/app:1"));
  const Ref<Pod> other = w.create_on(two, w.pod_of("other", "reg.example/other:1"));
  w.run_to(60s);
  EXPECT_EQ(w.at(second).phase, PodPhase::kRunning);
  w.run_to(2min);
  EXPECT_EQ(w.waiting_reason(other), "ImagePullBackOff");
  EXPECT_EQ(w.registries->counts(0).pulled, 1u);
  EXPECT_EQ(w.registries->counts().pulled, 2u);
}

TEST(NodeStore, PiecesComeFromOneAnotherWhileTheyArePulled) {
  RegistryWorld w;
  w.registries_config.peers = PeerMode::kPieces;
  w.registries_config.unpack_bytes_per_second = 1e12;
  w.add_registry("reg.example").bytes_per_second = 10e6;
  std::vector<Ref<Node>> nodes;
  for (int i = 0; i < 20; ++i) nodes.push_back(w.add_node(fmt::format("w{}", i)));
  w.start_all();
  std::vector<Ref<Pod>> pods;
  pods.push_back(w.create_on(nodes[0], w.pod_of("p0", "reg.example/app:1")));
  w.run_to(1s);
  for (std::size_t i = 1; i < nodes.size(); ++i) pods.push_back(w.create_on(nodes[i], w.pod_of(fmt::format("p{}", i), "reg.example/app:1")));
  w.run_to(1min);
  // One image at 10 MB/s for all of them: 10 s and not 200 s.
  for (const Ref<Pod> pod : pods) EXPECT_NEAR(seconds(running_at(w, pod)), seconds(kBeforePull + 100ms + 10s + kAfterPull), 0.1);
  EXPECT_EQ(w.registries->counts(0).pulled, 1u);
}

TEST(NodeStore, GarbageCollectionRemovesWhatWasUsedLongestAgo) {
  RegistryWorld w;
  w.config.disk.thresholds.clear();  // the eviction manager looks away
  w.add_registry("reg.example");
  host::HostSpec spec = w.host_spec("w1");
  spec.disk_bytes = 2000 * kMB;
  const Ref<Node> node = w.add_node(spec);
  for (const auto* image : {"reg.example/a:1", "reg.example/b:1", "reg.example/c:1", "reg.example/d:1"}) w.set_layers(image, {{"", 100 * kMB, 350 * kMB}});
  w.start_all();
  std::vector<Ref<Pod>> pods;
  for (const std::string name : {"a", "b", "c"}) pods.push_back(w.create_on(node, w.pod_of(name, "reg.example/" + name + ":1")));
  w.run_to(1min);
  k8s::DeleteOptions in_one_second;
  in_one_second.grace_period_seconds = 1;
  // b's container goes before a's; c stays. 3 x 450 MB = 67.5 %: nothing is removed.
  w.api.remove(pods[1], in_one_second);
  w.run_to(2min);
  w.api.remove(pods[0], in_one_second);
  w.run_to(20min);
  EXPECT_EQ(w.store(node).images().size(), 3u);
  // A fourth: 1800 of 2000 MB, 90 %. To 80 %: 200 MB by what the kubelet counts (100 MB an image), so b and then a go.
  w.create_on(node, w.pod_of("d", "reg.example/d:1"));
  w.run_to(21min);
  EXPECT_TRUE(w.has(node, "reg.example/d:1"));
  w.run_to(26min);
  EXPECT_FALSE(w.has(node, "reg.example/a:1"));
  EXPECT_FALSE(w.has(node, "reg.example/b:1"));
  EXPECT_TRUE(w.has(node, "reg.example/c:1"));
  EXPECT_TRUE(w.has(node, "reg.example/d:1"));
  EXPECT_EQ(w.message(w.last_record("ImagesRemoved")), "image garbage collection removed 2 images, 0.8 GiB: the disk was 90 % full");
  w.run_to(30min);
  ASSERT_EQ(w.at(node).images.size(), 2u);  // and the Node object says so
}

// The cases of the kubelet's pkg/kubelet/images/image_gc_manager_test.go, by their figures: a disk of 1000, high threshold 90 %, low 80 %.
struct CollectionCase {
  std::string_view name;
  std::int64_t used;  // by the system
  struct One {
    std::string_view image;
    std::int64_t size;
    SimDuration there_at;
    bool is_in_use;
  };
  std::vector<One> images;
  std::vector<std::string_view> left;
  bool fails;
  SimDuration minimum_age{};
};

const CollectionCase kCollections[] = {
    {"below the low threshold", 350, {{"a", 50, 0s, false}}, {"a"}, false},
    {"95 %, and most of it is freed", 500, {{"a", 450, 0s, false}}, {}, false},
    {"95 %, and not enough is freed", 900, {{"a", 50, 0s, false}}, {}, true},
    {"images in use are ignored", 500, {{"a", 200, 0s, false}, {"b", 250, 0s, true}}, {"b"}, false},
    {"all are in use", 500, {{"a", 450, 0s, true}}, {"a"}, true},
    {"not old enough at the first turn, at the second one it is", 500, {{"a", 450, 0s, false}}, {}, true, 6min},
    {"used at the same time: the one that came first", 500, {{"a", 150, 0s, false}, {"b", 290, 0s, false}}, {"b"}, false},
    {"never used: by when they came", 500, {{"b", 150, 60s, false}, {"a", 290, 0s, false}}, {"b"}, false},
};

TEST(NodeStore, CollectsAsTheKubeletsOwnTestsSay) {
  for (const CollectionCase& c : kCollections) {
    SCOPED_TRACE(c.name);
    RegistryWorld w;
    w.config.disk.thresholds.clear();  // the eviction manager looks away
    w.config.image_gc_high_percent = 90;
    w.config.image_gc_low_percent = 80;
    w.config.image_minimum_gc_age = c.minimum_age;
    w.config.disk.used = c.used * kMB;
    w.add_registry("reg.example");
    host::HostSpec spec = w.host_spec("w1");
    spec.disk_bytes = 1000 * kMB;
    const Ref<Node> node = w.add_node(spec);
    const auto name_of = [](const CollectionCase::One& one) { return fmt::format("reg.example/{}:1", one.image); };
    for (const CollectionCase::One& one : c.images) w.set_layers(name_of(one), {{"", one.size * kMB - 1, 1}});
    w.start_all();
    for (const CollectionCase::One& one : c.images) {
      w.engine.at(SimTime{} + 1s + one.there_at, [&w, &name_of, &one, node] {
        if (one.is_in_use) w.create_on(node, w.pod_of(one.image, name_of(one)));
        else w.store(node).add(w.names.intern(name_of(one)));
      });
    }
    w.run_to(11min);
    std::vector<std::string_view> left;
    for (const CollectionCase::One& one : c.images) {
      if (w.has(node, name_of(one))) left.push_back(one.image);
    }
    EXPECT_EQ(left, c.left) << w.message(w.last_record("FreeDiskSpaceFailed")) << w.message(w.last_record("ImagesRemoved"));
    EXPECT_EQ(w.count_records("FreeDiskSpaceFailed") > 0, c.fails) << w.message(w.last_record("FreeDiskSpaceFailed"));
  }
}

TEST(NodeStore, AFullDiskFailsThePullAndGarbageCollectionSaysThatItCannotHelp) {
  RegistryWorld w;
  w.config.disk.thresholds.clear();  // the eviction manager looks away
  w.add_registry("reg.example");
  host::HostSpec spec = w.host_spec("w1");
  spec.disk_bytes = 1000 * kMB;
  const Ref<Node> node = w.add_node(spec);
  w.set_layers("reg.example/a:1", {{"", 200 * kMB, 680 * kMB}});
  w.set_layers("reg.example/b:1", {{"", 50 * kMB, 150 * kMB}});
  w.start_all();
  w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  const Ref<Pod> b = w.create_on(node, w.pod_of("b", "reg.example/b:1"));
  w.run_to(10min);
  EXPECT_EQ(w.waiting_reason(b), "ImagePullBackOff");
  EXPECT_NE(w.message(w.last_record("Failed")).find("no space left on device"), std::string::npos);
  EXPECT_EQ(w.message(w.last_record("FreeDiskSpaceFailed")),
            "Insufficient free disk space on the node's image filesystem (88% of 953.7 MiB used). Failed to free sufficient space by deleting unused images "
            "(freed 0 bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.");
  EXPECT_EQ(w.store(node).filesystem().available, 120 * kMB);  // nothing of b stayed behind
  EXPECT_EQ(w.store(node).remove_unused(), 0);
}

TEST(NodeStore, WhatRunsEndsAndAMachineInstalledAnewBeginsEmpty) {
  RegistryWorld w;
  w.add_registry("reg.example");
  const Ref<Node> node = w.add_node("w1");
  w.start_all();
  const Ref<Pod> pod = w.create_on(node, w.pod_of("web", "reg.example/app:1"));
  w.run_to(1s);
  w.hosts.crash(w.host_ids[0]);  // in the middle of the pull
  w.run_to(2min);
  EXPECT_FALSE(w.has(node, "reg.example/app:1"));
  w.hosts.power_on(w.host_ids[0]);
  w.run_to(10min);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  w.store(node).wipe();
  EXPECT_TRUE(w.store(node).images().empty());
  EXPECT_EQ(w.store(node).filesystem().available, w.store(node).filesystem().capacity);
}

}  // namespace
}  // namespace sim::registry

// Images and what pods write on one disk: garbage collection, DiskPressure, what the eviction manager removes before it evicts, images that grow too old.
#include <gtest/gtest.h>

#include "tests/models/registry/registry_world.hpp"

namespace sim::registry {
namespace {

using namespace std::chrono_literals;
using k8s::Node;
using k8s::Pod;
using k8s::PodPhase;
using k8s::Ref;
using test::RegistryWorld;

constexpr std::int64_t kMB = 1'000'000;

class DiskOfImages : public ::testing::Test {
 protected:
  DiskOfImages() { w.add_registry("reg.example"); }
  void start(std::int64_t disk) {
    host::HostSpec spec = w.host_spec("w1");
    spec.disk_bytes = disk;
    node = w.add_node(spec);
    w.start_all();
  }
  /// On the disk: `bytes` as content, twice as many unpacked.
  void image(std::string_view name, std::int64_t bytes) { w.set_layers(name, {{"", bytes, 2 * bytes}}); }
  bool evicted(Ref<Pod> pod) { return !w.gone(pod) && w.at(pod).phase == PodPhase::kFailed && w.text(w.at(pod).reason) == "Evicted"; }
  RegistryWorld w;
  Ref<Node> node;
};

TEST_F(DiskOfImages, UnusedImagesGoBeforePods) {
  image("reg.example/old:1", 100 * kMB);
  image("reg.example/a:1", 100 * kMB);
  image("reg.example/b:1", 100 * kMB);
  start(1000 * kMB);
  const Ref<Pod> old = w.create_on(node, w.pod_of("old", "reg.example/old:1"));
  const Ref<Pod> a = w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  w.run_to(3min);
  w.api.remove(old);
  w.run_for(10s);
  EXPECT_FALSE(w.at(node).disk_pressure) << "60 % used";
  const Ref<Pod> b = w.create_on(node, w.pod_of("b", "reg.example/b:1"));
  w.run_for(40s);
  EXPECT_TRUE(w.at(node).disk_pressure) << "90 % used: less than 15 % of the images' file system";
  EXPECT_FALSE(w.has(node, "reg.example/old:1"));
  EXPECT_TRUE(w.chain_has(w.last_record("ImagesRemoved"), "EvictionThresholdMet"));
  EXPECT_TRUE(w.chain_has(w.last_record("EvictionThresholdMet"), "Pulling")) << "a pull is why";
  EXPECT_NE(w.message(w.last_record("EvictionThresholdMet")).find("images 858.3 MiB"), std::string::npos) << w.message(w.last_record("EvictionThresholdMet"));
  EXPECT_FALSE(evicted(a));
  EXPECT_FALSE(evicted(b));
  w.run_for(6min);
  EXPECT_FALSE(w.at(node).disk_pressure);
}

TEST_F(DiskOfImages, NothingUnusedCostsAPod) {
  image("reg.example/a:1", 150 * kMB);
  image("reg.example/b:1", 150 * kMB);
  start(1000 * kMB);
  const Ref<Pod> a = w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  Pod second = w.pod_of("b", "reg.example/b:1");
  auto spec = std::make_shared<k8s::PodSpec>(*second.spec);
  spec->priority = 10;
  second.spec = std::move(spec);
  w.run_to(3min);
  const Ref<Pod> b = w.create_on(node, std::move(second));
  w.run_to(4min);
  EXPECT_TRUE(evicted(a)) << "neither wrote anything: the lower priority";
  EXPECT_FALSE(evicted(b));
  EXPECT_TRUE(w.chain_has(w.last_record("Evicted"), "EvictionThresholdMet"));
  // Its image is more than two minutes old and nobody uses it: the look after the eviction removes it, and that is enough.
  EXPECT_FALSE(w.has(node, "reg.example/a:1"));
  EXPECT_TRUE(w.has(node, "reg.example/b:1"));
}

/// Collection is due at 85 % however that came about.
TEST_F(DiskOfImages, WhatPodsWriteMakesImagesGo) {
  image("reg.example/old:1", 100 * kMB);
  image("reg.example/a:1", 10 * kMB);
  w.config.disk.thresholds.clear();
  w.config.image_minimum_gc_age = 1min;
  k8s::PodBehaviour writer;
  writer.writes_bytes_per_second = 1e6;
  writer.writes_at_most = 530 * kMB;
  w.behaviours.push_back(writer);
  start(1000 * kMB);
  const Ref<Pod> old = w.create_on(node, w.pod_of("old", "reg.example/old:1"));
  w.run_to(10s);
  w.api.remove(old);
  w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  // 330 of images; 85 % (with the percentage cut) after 520 s.
  w.run_to(520s);
  EXPECT_TRUE(w.has(node, "reg.example/old:1"));
  w.run_to(520s + 5min + 10s);
  EXPECT_FALSE(w.has(node, "reg.example/old:1"));
}

/// imageMaximumGCAge
TEST_F(DiskOfImages, OldImagesGoWithoutNeed) {
  image("reg.example/old:1", 10 * kMB);
  image("reg.example/a:1", 10 * kMB);
  w.config.image_maximum_gc_age = 1h;
  start(100'000 * kMB);
  const Ref<Pod> old = w.create_on(node, w.pod_of("old", "reg.example/old:1"));
  w.create_on(node, w.pod_of("a", "reg.example/a:1"));
  w.run_to(30min);
  w.api.remove(old);
  w.run_to(90min);
  EXPECT_TRUE(w.has(node, "reg.example/old:1"));
  w.run_to(96min);
  EXPECT_FALSE(w.has(node, "reg.example/old:1"));
  EXPECT_TRUE(w.has(node, "reg.example/a:1"));
  EXPECT_NE(w.message(w.last_record("ImagesRemoved")).find("nobody has used them for 1h"), std::string::npos);
}

}  // namespace
}  // namespace sim::registry

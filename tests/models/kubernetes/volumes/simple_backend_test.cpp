// The storage system of fixed latencies: what is assumed of whom, and calls that hang.
#include "sim/models/kubernetes/volumes/simple_backend.hpp"

#include <gtest/gtest.h>

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;

TEST(SimpleBackend, WhatIsAssumed) {
  struct Case {
    std::string_view provisioner;
    bool attaches;
    std::optional<std::int64_t> limit;
  };
  const Case cases[] = {
      {"rbd.csi.ceph.com", true, std::nullopt},   {"rook-ceph.cephfs.csi.ceph.com", false, std::nullopt},
      {"nfs.csi.k8s.io", false, std::nullopt},    {"kubernetes.io/no-provisioner", false, std::nullopt},
      {"ebs.csi.aws.com", true, 25},              {"pd.csi.storage.gke.io", true, 127},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.provisioner);
    const SimpleBackendParams params = simple_backend_params(c.provisioner);
    EXPECT_EQ(params.attaches, c.attaches);
    EXPECT_EQ(params.volumes_per_node, c.limit);
  }
}

struct Calls {
  Calls() : backend(engine, SimpleBackendParams{}, [this](Symbol volume) { told.push_back(volume); }) {}
  StorageBackend::Done note(std::string what) {
    return [this, what](const std::string&) { done.push_back(what + "@" + std::to_string(engine.now().time_since_epoch() / 100ms)); };
  }
  Engine engine;
  SimpleBackend backend;
  std::vector<Symbol> told;
  std::vector<std::string> done;
};

TEST(SimpleBackend, CallsTakeTheirTime) {
  Calls c;
  c.backend.attach(Symbol{1}, Symbol{9}, c.note("attach"));
  c.backend.mount(Symbol{1}, Symbol{9}, c.note("mount"));
  EXPECT_TRUE(c.done.empty());  // never from inside the call
  c.engine.run_until(SimTime(10s));
  EXPECT_EQ(c.done, (std::vector<std::string>{"attach@10", "mount@20"}));
}

TEST(SimpleBackend, ABlockedVolumeHangsUntilItIsFree) {
  Calls c;
  c.backend.mount(Symbol{1}, Symbol{9}, c.note("begun"));
  c.engine.run_until(SimTime(1s));
  c.backend.block(Symbol{1});
  EXPECT_FALSE(c.backend.is_io_possible(Symbol{1}, Symbol{9}));
  EXPECT_TRUE(c.backend.is_io_possible(Symbol{2}, Symbol{9}));
  c.backend.mount(Symbol{1}, Symbol{8}, c.note("hung"));
  c.backend.mount(Symbol{2}, Symbol{9}, c.note("other"));
  c.backend.attach(Symbol{1}, Symbol{8}, c.note("attach"));  // no I/O of the volume's
  c.engine.run_until(SimTime(100s));
  EXPECT_EQ(c.done, (std::vector<std::string>{"attach@20", "other@30"}));
  c.backend.unblock(Symbol{1});
  c.engine.run_until(SimTime(200s));
  EXPECT_EQ(c.done, (std::vector<std::string>{"attach@20", "other@30", "begun@1020", "hung@1020"}));
  EXPECT_EQ(c.told, (std::vector<Symbol>{Symbol{1}, Symbol{1}}));
}

TEST(SimpleBackend, ADeadNodeHearsNothing) {
  Calls c;
  c.backend.mount(Symbol{1}, Symbol{9}, c.note("dead"));
  c.backend.mount(Symbol{1}, Symbol{8}, c.note("alive"));
  c.backend.forget_node(Symbol{9});
  c.engine.run_until(SimTime(100s));
  EXPECT_EQ(c.done, std::vector<std::string>{"alive@20"});
}

TEST(SimpleBackend, AllBlockedTellsOfMountedVolumesOnly) {
  Calls c;
  c.backend.mount(Symbol{1}, Symbol{9}, c.note("mount"));
  c.engine.run_until(SimTime(10s));
  c.backend.block_all();
  c.backend.attach(Symbol{2}, Symbol{9}, c.note("attach"));
  c.engine.run_until(SimTime(20s));
  EXPECT_EQ(c.told, std::vector<Symbol>{Symbol{1}});
  EXPECT_EQ(c.done, std::vector<std::string>{"mount@20"});
  c.backend.unblock_all();
  c.engine.run_until(SimTime(30s));
  EXPECT_EQ(c.done.back(), "attach@210");
}

}  // namespace
}  // namespace sim::k8s

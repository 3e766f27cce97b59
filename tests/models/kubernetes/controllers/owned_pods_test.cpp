#include <gtest/gtest.h>

#include <map>

#include "sim/models/kubernetes/controllers/owned_pods.hpp"
#include "tests/models/kubernetes/fake_kubelet.hpp"

namespace sim::k8s::test {
namespace {

using namespace std::chrono_literals;

/// Feeds an index from a watch, as a controller does.
struct Indexer : Watcher {
  explicit Indexer(ApiServer& server) : api(server), pods(server, Kind::kReplicaSet) { api.watch({Kind::kPod}, *this); }
  ~Indexer() override { api.unwatch(*this); }
  void on_event(const WatchEvent& event) override { pods.take(event); }
  ApiServer& api;
  OwnedPods pods;
};

// Property: after any sequence of changes the counts are those of a full scan, for every owner.
TEST(OwnedPods, AgreesWithAFullScanAfterRandomChanges) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestCluster cluster(seed);
    cluster.kubelet.stop_time = 3ms;
    Indexer indexer(cluster.api);
    RandomStream draw = cluster.random.stream("test", "changes");
    const PodTemplate from = cluster.pod_template("x", 1);
    std::vector<ObjectRef> owners;
    for (std::uint32_t i = 0; i < 3; ++i) owners.push_back(ObjectRef{Kind::kReplicaSet, i, 1});
    owners.push_back(ObjectRef{Kind::kJob, 0, 1});  // not of this index
    for (int step = 0; step < 400; ++step) {
      const std::vector<Ref<Pod>> pods = cluster.pods();
      const std::int64_t what = draw.uniform_int(0, 6);
      if (what <= 1 || pods.empty()) {
        Pod pod;
        pod.meta.ns = cluster.ns();
        pod.meta.name = cluster.sym("p" + std::to_string(step));
        pod.spec = from.spec;
        const ObjectRef owner = owners[static_cast<std::size_t>(draw.uniform_int(0, 3))];
        if (draw.chance(0.8)) pod.meta.owners.push_back(OwnerReference{owner, 1, true});
        const Ref<Pod> made = cluster.api.create(std::move(pod));
        if (draw.chance(0.5)) indexer.pods.refresh(made);  // own writes are noted at once
      } else {
        const Ref<Pod> pod = pods[static_cast<std::size_t>(draw.uniform_int(0, static_cast<std::int64_t>(pods.size()) - 1))];
        if (what == 2) cluster.kubelet.set_ready(pod, draw.chance(0.5));
        if (what == 3) cluster.kubelet.finish(pod, 1);
        if (what == 4) cluster.api.remove(pod);
        if (what == 5) cluster.api.update(pod, Change::kOwners, [&](Pod& p) { p.meta.owners.clear(); });
        if (what == 6) {
          cluster.api.update(pod, Change::kOwners, [&](Pod& p) {
            p.meta.owners.assign(1, OwnerReference{owners[static_cast<std::size_t>(draw.uniform_int(0, 3))], 1, true});
          });
        }
      }
      if (draw.chance(0.3)) cluster.run_for(20ms);
    }
    cluster.run_for(60s);

    std::map<ObjectRef, OwnedPods::Counts> want;
    std::map<ObjectRef, std::size_t> listed;
    cluster.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
      const OwnerReference* owner = pod.meta.controller();
      if (owner == nullptr) return;
      OwnedPods::Counts& counts = want[owner->owner];
      ++counts.total;
      counts.active += pod.is_active() ? 1 : 0;
      counts.ready += pod.is_active() && pod.ready ? 1 : 0;
    });
    for (std::size_t i = 0; i < 3; ++i) {
      const OwnedPods::Counts got = indexer.pods.counts(owners[i]);
      EXPECT_EQ(got.total, want[owners[i]].total);
      EXPECT_EQ(got.active, want[owners[i]].active);
      EXPECT_EQ(got.ready, want[owners[i]].ready);
      std::int64_t visited = 0;
      indexer.pods.for_each(owners[i], [&](Ref<Pod>, const Pod&) { ++visited; });
      EXPECT_EQ(visited, want[owners[i]].total);
    }
    EXPECT_EQ(indexer.pods.counts(owners[3]).total, 0);
    std::int64_t orphans = 0;
    cluster.api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      const bool orphan = pod.meta.controller() == nullptr && pod.is_active();
      orphans += orphan ? 1 : 0;
      EXPECT_EQ(indexer.pods.orphans(cluster.ns()).contains(ref), orphan);
    });
    EXPECT_EQ(static_cast<std::int64_t>(indexer.pods.orphans(cluster.ns()).size()), orphans);

    OwnedPods fresh(cluster.api, Kind::kReplicaSet);
    fresh.rebuild();
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(fresh.counts(owners[i]).active, want[owners[i]].active);
  }
}

}  // namespace
}  // namespace sim::k8s::test

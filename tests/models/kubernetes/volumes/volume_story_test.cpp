// From a claim to a running pod, and what happens when nodes or the storage fail: whole worlds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/models/kubernetes/volumes/volume_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::VolumeWorld;

constexpr const char* kRbd = "rbd.csi.ceph.com";

class VolumeStory : public ::testing::Test {
 protected:
  void TearDown() override {
    if (HasFailure()) std::puts(w.dump().c_str());
  }
  SimpleBackend& rbd() { return *w.world.storage.simple(w.sym(kRbd)); }
  Symbol volume_of(std::string_view claim) { return w.find_claim(claim)->spec.volume_name; }
  bool is_running(std::string_view pod) {
    const Pod* found = w.find_pod(pod);
    return found != nullptr && found->phase == PodPhase::kRunning && found->ready;
  }
  /// A StatefulSet of one pod with a claim of a class that binds at once, running since before 60 s.
  void start_database(int probes_period = 0) {
    w.world.api.create(w.storage_class("block", kRbd));
    StatefulSet set = w.stateful_set("db", 1, w.claim("data", "block"));
    if (probes_period > 0) {
      auto spec = std::make_shared<PodSpec>(*set.pod_template.spec);
      Probe probe;
      probe.period_seconds = probes_period;
      spec->containers[0].readiness_probe = probe;
      spec->containers[0].liveness_probe = probe;
      set.pod_template.spec = spec;
    }
    w.world.api.create(std::move(set));
    w.world.start();
    w.run_to(60s);
    ASSERT_TRUE(is_running("db-0"));
    home = w.find_pod("db-0")->node;
    for (std::size_t i = 0; i < w.nodes.size(); ++i) {
      if (w.nodes[i] == home) home_host = w.hosts[i];
    }
  }
  VolumeWorld w;
  Ref<Node> home;
  host::HostId home_host;
};

TEST_F(VolumeStory, AClaimBecomesAVolumeThatIsAttachedAndMountedBeforeTheContainersStart) {
  start_database();
  const PersistentVolumeClaim* claim = w.find_claim("data-db-0");
  ASSERT_NE(claim, nullptr);
  EXPECT_EQ(claim->phase, ClaimPhase::kBound);
  const PersistentVolume* volume = w.find_volume(w.text(claim->spec.volume_name));
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->phase, VolumePhase::kBound);
  EXPECT_EQ(volume->claim_uid, claim->meta.uid);
  EXPECT_EQ(volume->reclaim_policy, ReclaimPolicy::kDelete);
  const Node& node = *w.world.api.get(home);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{w.text(volume->meta.name) + " " + w.text(node.meta.name) + " attached"});
  EXPECT_EQ(node.volumes_attached, std::vector<Symbol>{volume->meta.name});
  EXPECT_EQ(node.volumes_in_use, std::vector<Symbol>{volume->meta.name});
  // Provisioning takes 2 s, attach 1 s; the node's status turn comes within 10 s; mount 2 s, sandbox and container 600 ms.
  const CauseId made = w.first_record("ProvisioningSucceeded");
  const CauseId attached = w.first_record("SuccessfulAttachVolume", "Pod/default/db-0");
  const CauseId scheduled = w.first_record("Scheduled", "Pod/default/db-0");
  ASSERT_TRUE(made && attached && scheduled);
  EXPECT_GT(w.when(scheduled), w.when(made));
  EXPECT_GE(w.when(attached), w.when(scheduled) + 1s);
  EXPECT_LE(w.when(attached), w.when(scheduled) + 1200ms);
  const SimDuration started = w.find_pod("db-0")->containers[0].started_at.time_since_epoch();
  EXPECT_GE(started, w.when(attached) + 2600ms);
  EXPECT_LE(started, w.when(scheduled) + 10s + 500ms + 2s + 300ms + 600ms + 200ms);
}

TEST_F(VolumeStory, ADelayedClaimIsBoundWhereItsPodGoes) {
  w.world.api.create(w.storage_class("late", kRbd, true));
  w.create_claim(w.claim("data", "late"));
  w.world.start();
  w.run_to(30s);
  EXPECT_EQ(w.find_claim("data")->phase, ClaimPhase::kPending);
  EXPECT_EQ(w.world.api.all<PersistentVolume>().size(), 0u);
  w.world.api.create(w.pod("web", "data"));
  w.run_to(90s);
  EXPECT_EQ(w.find_claim("data")->phase, ClaimPhase::kBound);
  EXPECT_EQ(w.find_claim("data")->selected_node, w.find_pod("web")->node_name);
  EXPECT_TRUE(is_running("web"));
  // 2 s to make the volume, seen by a look every second.
  EXPECT_GE(w.when(w.first_record("Scheduled", "Pod/default/web")), 32s);
  EXPECT_LE(w.when(w.first_record("Scheduled", "Pod/default/web")), 33100ms);
}

TEST_F(VolumeStory, APodThatIsDeletedLetsGoOfItsVolume) {
  start_database();
  w.world.api.update(w.world.api.find<StatefulSet>(w.sym("default"), w.sym("db")), Change::kSpec, [](StatefulSet& s) { s.replicas = 0; });
  w.run_to(90s);
  EXPECT_EQ(w.find_pod("db-0"), nullptr);
  EXPECT_TRUE(w.attachments().empty());
  EXPECT_TRUE(w.world.api.get(home)->volumes_in_use.empty());
  EXPECT_NE(w.find_claim("data-db-0"), nullptr);  // retained
}

TEST_F(VolumeStory, ADeletedClaimWaitsForItsPodAndThenItsVolumeGoes) {
  w.world.api.create(w.storage_class("block", kRbd));
  const Ref<PersistentVolumeClaim> claim = w.create_claim(w.claim("data", "block"));
  w.world.api.create(w.pod("web", "data"));
  w.world.start();
  w.run_to(60s);
  ASSERT_TRUE(is_running("web"));
  w.world.api.remove(claim);
  w.run_to(80s);
  ASSERT_NE(w.find_claim("data"), nullptr);  // pvc-protection
  EXPECT_TRUE(w.find_claim("data")->meta.is_deleting());
  w.world.api.remove(w.pod_ref("web"));
  w.run_to(120s);
  EXPECT_EQ(w.find_claim("data"), nullptr);
  EXPECT_EQ(w.world.api.all<PersistentVolume>().size(), 0u);
}

TEST_F(VolumeStory, ADeadNodeKeepsItsVolumeForSixMinutesAfterItsPodIsForcedAway) {
  start_database();
  {
    const ScopedCause because(w.world.engine, w.fault("power"));
    w.world.hosts.crash(home_host);
  }
  w.run_to(500s);
  ASSERT_NE(w.find_pod("db-0"), nullptr);
  EXPECT_TRUE(w.find_pod("db-0")->meta.is_deleting());  // and stays so: nobody confirms its end
  EXPECT_EQ(w.attachments().size(), 1u);
  DeleteOptions force;
  force.grace_period_seconds = 0;
  w.world.api.remove(w.pod_ref("db-0"), force);
  w.run_to(510s);
  const CauseId refused = w.first_record("FailedAttachVolume", "Pod/default/db-0");
  ASSERT_TRUE(refused);
  EXPECT_EQ(w.message(refused), "Multi-Attach error for volume \"" + w.text(volume_of("data-db-0")) +
                                    "\" Volume is already exclusively attached to one node and can't be attached to another");
  EXPECT_TRUE(w.leads_back_to(refused, "FaultInjected"));
  EXPECT_EQ(w.count("FailedAttachVolume"), 1u);
  w.run_to(500s + 6min);
  EXPECT_EQ(w.count("ForceDetach"), 0u);
  w.run_to(500s + 6min + 300ms);
  EXPECT_EQ(w.count("ForceDetach"), 1u);  // measured with the real controller: 360.2 s
  EXPECT_TRUE(w.leads_back_to(w.first_record("ForceDetach"), "FaultInjected"));
  w.run_to(1100s);
  EXPECT_TRUE(is_running("db-0"));
  EXPECT_NE(w.find_pod("db-0")->node, home);
}

TEST_F(VolumeStory, TheOutOfServiceTaintFreesTheVolumeAtOnce) {
  start_database();
  w.world.hosts.crash(home_host);
  w.run_to(150s);
  w.world.api.update(home, Change::kTaints, [&](Node& n) {
    n.taints.push_back(Taint{w.world.api.well_known().out_of_service, w.sym("nodeshutdown"), TaintEffect::kNoExecute});
  });
  w.run_to(200s);
  EXPECT_TRUE(w.first_record("ForceDetach"));
  EXPECT_TRUE(is_running("db-0"));
  EXPECT_NE(w.find_pod("db-0")->node, home);
}

TEST_F(VolumeStory, IoThatDoesNotReturnHangsThePodUntilItDoes) {
  start_database(10);
  const Ref<Pod> pod = w.pod_ref("db-0");
  ASSERT_TRUE(w.world.kubelets.is_serving(pod));
  w.run_to(100s);
  const Symbol volume = volume_of("data-db-0");
  {
    const ScopedCause because(w.world.engine, w.fault("osd down"));
    rbd().block(volume);
  }
  EXPECT_FALSE(w.world.kubelets.is_serving(pod));  // at once
  EXPECT_TRUE(w.find_pod("db-0")->ready);           // the probe has yet to find out
  const CauseId blocked = w.first_record("VolumeIoBlocked", "Pod/default/db-0");
  ASSERT_TRUE(blocked);
  EXPECT_EQ(w.message(blocked), "I/O of volume " + w.text(volume) + " blocked: processes that use it hang");
  EXPECT_TRUE(w.leads_back_to(blocked, "FaultInjected"));
  // Three calls of 1 s, one every 10 s: not ready 21 to 31 s later, and the liveness probe wants to restart it.
  w.run_to(121s - 1ns);
  EXPECT_TRUE(w.find_pod("db-0")->ready);
  w.run_to(131s);
  EXPECT_FALSE(w.find_pod("db-0")->ready);
  // SIGTERM, 30 s, SIGKILL: it does not die, and two minutes later the runtime says so.
  w.run_to(400s);
  EXPECT_EQ(w.find_pod("db-0")->containers[0].state, ContainerState::kRunning);
  EXPECT_EQ(w.find_pod("db-0")->containers[0].restart_count, 0u);
  EXPECT_TRUE(w.world.kubelets.is_really_running(pod));
  EXPECT_EQ(w.count("FailedKillPod"), 1u);
  EXPECT_TRUE(w.leads_back_to(w.first_record("FailedKillPod"), "FaultInjected"));
  // Deleted: it stays Terminating, its volume stays attached.
  w.world.api.remove(pod);
  w.run_to(600s);
  ASSERT_NE(w.world.api.get(pod), nullptr);
  EXPECT_TRUE(w.find_pod("db-0")->meta.is_deleting());
  EXPECT_EQ(w.attachments().size(), 1u);
  // The storage recovers: the process dies, the volume is unmounted, the pod goes, its successor comes.
  rbd().unblock(volume);
  w.run_to(601s);
  EXPECT_EQ(w.world.api.get(pod), nullptr);
  w.run_to(660s);
  EXPECT_TRUE(is_running("db-0"));
}

TEST_F(VolumeStory, AShortStallOnlyDelays) {
  start_database(10);
  const Ref<Pod> pod = w.pod_ref("db-0");
  w.run_to(100s);
  rbd().block(volume_of("data-db-0"));
  w.run_to(115s);
  rbd().unblock(volume_of("data-db-0"));
  EXPECT_TRUE(w.world.kubelets.is_serving(pod));
  w.run_to(300s);
  EXPECT_TRUE(w.find_pod("db-0")->ready);
  EXPECT_EQ(w.find_pod("db-0")->containers[0].restart_count, 0u);
  EXPECT_EQ(w.count("Unhealthy"), 0u);
}

TEST_F(VolumeStory, ReadinessComesBackWithTheIo) {
  w.world.api.create(w.storage_class("block", kRbd));
  w.create_claim(w.claim("data", "block"));
  w.world.api.create(w.pod("web", "data", [](PodSpec& spec) { spec.containers[0].readiness_probe = Probe{}; }));
  w.world.start();
  w.run_to(100s);
  ASSERT_TRUE(is_running("web"));
  rbd().block(volume_of("data"));
  w.run_to(200s);
  EXPECT_FALSE(w.find_pod("web")->ready);
  EXPECT_EQ(w.find_pod("web")->containers[0].state, ContainerState::kRunning);  // no liveness probe: nobody kills it
  rbd().unblock(volume_of("data"));
  w.run_to(211s);
  EXPECT_TRUE(w.find_pod("web")->ready);
  EXPECT_EQ(w.find_pod("web")->containers[0].restart_count, 0u);
}

TEST_F(VolumeStory, AContainerWithoutTheVolumeGoesOn) {
  w.world.api.create(w.storage_class("block", kRbd));
  w.create_claim(w.claim("data", "block"));
  w.world.api.create(w.pod("web", "data", [&](PodSpec& spec) {
    Container side;
    side.name = w.sym("side");
    side.image = w.sym("side:1");
    side.liveness_probe = Probe{};
    spec.containers.push_back(side);
  }));
  w.world.start();
  w.run_to(100s);
  ASSERT_TRUE(is_running("web"));
  rbd().block(volume_of("data"));
  w.run_to(300s);
  EXPECT_EQ(w.count("Unhealthy"), 0u);
}

TEST_F(VolumeStory, AMountThatHangsIsToldAndGoesOnLater) {
  start_database();
  const Symbol volume = volume_of("data-db-0");
  w.world.api.remove(w.pod_ref("db-0"));
  w.run_to(62s);
  {
    const ScopedCause because(w.world.engine, w.fault("no quorum"));
    rbd().block(volume);
  }
  w.run_to(400s);
  ASSERT_NE(w.find_pod("db-0"), nullptr);
  EXPECT_EQ(w.find_pod("db-0")->phase, PodPhase::kPending);
  const CauseId told = w.first_record("FailedMount", "Pod/default/db-0");
  ASSERT_TRUE(told);
  EXPECT_EQ(w.message(told),
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: context deadline exceeded");
  EXPECT_TRUE(w.leads_back_to(told, "FaultInjected"));
  EXPECT_EQ(w.when(told), w.find_pod("db-0")->start_time->time_since_epoch() + 123s);
  EXPECT_EQ(w.count("FailedMount"), 1u);  // again and again the same
  rbd().unblock(volume);
  w.run_to(410s);
  EXPECT_TRUE(is_running("db-0"));
}

TEST_F(VolumeStory, AfterABootTheVolumeIsMountedAgain) {
  start_database();
  w.world.hosts.crash(home_host);
  w.run_to(70s);
  w.world.hosts.power_on(home_host);
  w.run_to(250s);
  EXPECT_TRUE(is_running("db-0"));
  EXPECT_EQ(w.find_pod("db-0")->node, home);
  EXPECT_EQ(w.find_pod("db-0")->containers[0].restart_count, 1u);
  EXPECT_EQ(w.count("ForceDetach"), 0u);
}

TEST_F(VolumeStory, SharedVolumesNeedNoAttachAndServeManyNodes) {
  w.world.api.create(w.storage_class("shared", "nfs.csi.k8s.io"));
  w.create_claim(w.claim("data", "shared", AccessModes::kReadWriteMany));
  for (int i = 1; i <= 2; ++i) {
    Pod pod = w.pod("web-" + std::to_string(i), "data");
    pod.node = w.nodes[static_cast<std::size_t>(i)];
    pod.node_name = w.world.api.get(pod.node)->meta.name;
    w.world.api.create(std::move(pod));
  }
  w.world.start();
  w.run_to(60s);
  EXPECT_TRUE(is_running("web-1"));
  EXPECT_TRUE(is_running("web-2"));
  EXPECT_TRUE(w.attachments().empty());
  EXPECT_TRUE(w.world.api.get(w.nodes[1])->volumes_in_use.empty());
}

TEST_F(VolumeStory, EphemeralVolumesComeAndGoWithTheirPod) {
  w.world.api.create(w.storage_class("block", kRbd));
  w.world.api.create(w.pod("web", "", [&](PodSpec& spec) {
    spec.volumes.push_back(PodVolume{w.sym("data"), Symbol{}, std::make_shared<const ClaimTemplate>(w.claim("", "block"))});
  }));
  w.world.start();
  w.run_to(60s);
  ASSERT_NE(w.find_claim("web-data"), nullptr);
  EXPECT_TRUE(is_running("web"));
  w.world.api.remove(w.pod_ref("web"));
  w.run_to(120s);
  EXPECT_EQ(w.find_claim("web-data"), nullptr);
  EXPECT_EQ(w.world.api.all<PersistentVolume>().size(), 0u);
}

TEST_F(VolumeStory, ScalingDownWithWhenScaledDeleteTakesTheClaimsAlong) {
  w.world.api.create(w.storage_class("block", kRbd));
  StatefulSet set = w.stateful_set("db", 2, w.claim("data", "block"));
  set.deletes_claims_when_scaled = true;
  const Ref<StatefulSet> ref = w.world.api.create(std::move(set));
  w.world.start();
  w.run_to(100s);
  ASSERT_TRUE(is_running("db-1"));
  w.world.api.update(ref, Change::kSpec, [](StatefulSet& s) { s.replicas = 1; });
  w.run_to(160s);
  EXPECT_EQ(w.find_claim("data-db-1"), nullptr);
  EXPECT_NE(w.find_claim("data-db-0"), nullptr);
}

TEST_F(VolumeStory, WithoutStorageClaimsAreTakenAsGiven) {
  w.world.api.create(w.stateful_set("db", 1, w.claim("data", "block")));
  w.world.start();
  w.run_to(30s);
  EXPECT_TRUE(is_running("db-0"));
  EXPECT_EQ(w.world.api.all<PersistentVolumeClaim>().size(), 0u);
}

// Whatever happens to nodes, storage and pods: when all is well again, every pod runs with its volume where it is, and nothing else is attached.
TEST(VolumeProperty, AfterTheStormAllIsWell) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    VolumeWorld w(4, seed);
    w.world.api.create(w.storage_class("block", kRbd, seed % 2 == 0));
    StatefulSet set = w.stateful_set("db", 3, w.claim("data", "block"));
    set.parallel = seed % 3 == 0;
    auto spec = std::make_shared<PodSpec>(*set.pod_template.spec);
    spec->containers[0].readiness_probe = Probe{};
    if (seed % 4 < 2) spec->containers[0].liveness_probe = Probe{};
    set.pod_template.spec = spec;
    w.world.api.create(std::move(set));
    w.world.start();
    SimpleBackend& storage = *w.world.storage.simple(w.sym(kRbd));
    RandomStream draws = Randomness(seed).stream("test/storm", "");
    SimDuration now = 60s;
    for (int step = 0; step < 40; ++step) {
      now += draws.uniform(SimDuration(1s), SimDuration(90s));
      w.run_to(now);
      const auto node = static_cast<std::size_t>(draws.uniform_int(1, 4));
      const std::string pod = "db-" + std::to_string(draws.uniform_int(0, 2));
      const PersistentVolumeClaim* claim = w.find_claim("data-" + pod);
      const Symbol volume = claim == nullptr ? Symbol{} : claim->spec.volume_name;
      switch (draws.uniform_int(0, 9)) {
        case 0: w.world.hosts.crash(w.hosts[node]); break;
        case 1: w.world.hosts.power_on(w.hosts[node]); break;
        case 2: w.world.hosts.reboot(w.hosts[node]); break;
        case 3: if (volume) storage.block(volume); break;
        case 4: if (volume) storage.unblock(volume); break;
        case 5: storage.block_all(); break;
        case 6: storage.unblock_all(); break;
        case 7: w.world.api.remove(w.pod_ref(pod)); break;
        case 8: {
          DeleteOptions force;
          force.grace_period_seconds = 0;
          w.world.api.remove(w.pod_ref(pod), force);
          break;
        }
        case 9: w.world.kubelets.kill_kubelet(w.nodes[node], 30s); break;
      }
    }
    storage.unblock_all();
    for (int i = 0; i < 3; ++i) {
      const PersistentVolumeClaim* claim = w.find_claim("data-db-" + std::to_string(i));
      if (claim != nullptr && claim->spec.volume_name) storage.unblock(claim->spec.volume_name);
    }
    for (std::size_t node = 1; node < w.hosts.size(); ++node) w.world.hosts.power_on(w.hosts[node]);
    w.run_to(now + 1h);
    std::vector<std::string> want;
    std::map<Symbol, std::vector<Symbol>> on_node;
    bool all = true;
    for (int i = 0; i < 3; ++i) {
      const std::string name = "db-" + std::to_string(i);
      const Pod* pod = w.find_pod(name);
      all = all && pod != nullptr && pod->ready && w.world.kubelets.is_serving(w.pod_ref(name));
      if (!all) break;
      const Symbol volume = w.find_claim("data-" + name)->spec.volume_name;
      want.push_back(w.text(volume) + " " + w.text(pod->node_name) + " attached");
      on_node[pod->node_name].push_back(volume);
    }
    EXPECT_TRUE(all);
    std::vector<std::string> have = w.attachments();
    std::sort(have.begin(), have.end());
    std::sort(want.begin(), want.end());
    EXPECT_EQ(have, want);
    for (const Ref<Node> ref : w.nodes) {
      const Node& node = *w.world.api.get(ref);
      std::vector<Symbol> in_use = node.volumes_in_use;
      std::vector<Symbol> attached = node.volumes_attached;
      std::vector<Symbol>& expected = on_node[node.meta.name];
      for (std::vector<Symbol>* list : {&in_use, &attached, &expected}) std::sort(list->begin(), list->end());
      EXPECT_EQ(in_use, expected);
      EXPECT_EQ(attached, expected);
    }
    if (::testing::Test::HasFailure()) {
      std::puts(w.dump().c_str());
      return;
    }
  }
}

TEST_F(VolumeStory, SameSeedSameStory) {
  const auto run = [] {
    VolumeWorld other(3, 5);
    other.world.api.create(other.storage_class("block", kRbd, true));
    other.world.api.create(other.stateful_set("db", 3, other.claim("data", "block")));
    other.world.start();
    other.run_to(100s);
    other.world.hosts.crash(other.hosts[2]);
    other.world.storage.simple(other.sym(kRbd))->block_all();
    other.run_to(300s);
    other.world.storage.simple(other.sym(kRbd))->unblock_all();
    other.run_to(900s);
    return event_log_hash(other.world.engine, other.world.log);
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace sim::k8s

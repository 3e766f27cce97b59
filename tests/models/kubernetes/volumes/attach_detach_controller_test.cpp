// The attach/detach controller by itself: nobody mounts, tests say what the kubelet would report.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/controllers/volume_controllers.hpp"
#include "tests/models/kubernetes/volumes/volume_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::VolumeWorld;

class AttachDetach : public ::testing::Test {
 protected:
  AttachDetach() : w(3), context{w.world.engine, w.world.log, w.world.random, w.world.api} {
    w.world.api.create(w.storage_class("block", "rbd.csi.ceph.com"));
    for (const Ref<Node> node : w.nodes) {
      w.world.api.update(node, Change::kConditions, [](Node& n) { n.ready = ConditionStatus::kTrue; });
    }
    claim(AccessModes::kReadWriteOnce);
    w.world.csi_sidecars.start();
    controller = make_attach_detach_controller(context, w.world.storage);
    controller->start();
  }
  /// A claim and its volume, bound.
  void claim(std::uint8_t modes) {
    ClaimTemplate from = w.claim("data", "block", modes);
    from.spec.volume_name = w.sym("pv");
    PersistentVolumeClaim made = make_claim(w.world.api, w.sym("default"), w.sym("data"), from);
    made.bind_completed = true;
    made.phase = ClaimPhase::kBound;
    w.world.api.create(std::move(made));
    PersistentVolume volume = w.volume("pv", "block", 10);
    volume.access_modes.bits = modes;
    volume.phase = VolumePhase::kBound;
    w.world.api.create(std::move(volume));
  }
  Ref<Pod> pod_on(std::string_view name, int node) {
    Pod pod = w.pod(name, "data");
    pod.node = w.nodes[static_cast<std::size_t>(node)];
    pod.node_name = w.world.api.get(pod.node)->meta.name;
    pod.phase = PodPhase::kRunning;
    pod.containers.resize(1);
    pod.containers[0].state = ContainerState::kRunning;
    return w.world.api.create(std::move(pod));
  }
  void report_in_use(int node, bool in_use) {
    w.world.api.update(w.nodes[static_cast<std::size_t>(node)], Change::kVolumes, [&](Node& n) {
      n.volumes_in_use.clear();
      if (in_use) n.volumes_in_use.push_back(w.sym("pv"));
    });
  }
  void set_ready(int node, bool ready) {
    w.world.api.update(w.nodes[static_cast<std::size_t>(node)], Change::kConditions,
                       [&](Node& n) { n.ready = ready ? ConditionStatus::kTrue : ConditionStatus::kUnknown; });
  }
  void force_delete(Ref<Pod> pod) {
    DeleteOptions now;
    now.grace_period_seconds = 0;
    w.world.api.remove(pod, now);
  }
  void TearDown() override {
    if (HasFailure()) std::puts(w.dump().c_str());
  }
  VolumeWorld w;
  ControllerContext context;
  std::unique_ptr<Controller> controller;
};

TEST_F(AttachDetach, AttachTakesALoopAndTheDriversTime) {
  w.run_to(50ms);
  pod_on("a", 1);
  w.run_to(100ms);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{"pv w1 waits"});
  w.run_to(1105ms);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{"pv w1 attached"});
  EXPECT_TRUE(w.world.api.get(w.nodes[1])->volumes_attached.empty());
  w.run_to(1110ms);
  EXPECT_EQ(w.world.api.get(w.nodes[1])->volumes_attached, std::vector<Symbol>{w.sym("pv")});
}

TEST_F(AttachDetach, TheKubeletsWordIsWaitedForAsLongAsItsNodeIsWell) {
  const Ref<Pod> pod = pod_on("a", 1);
  w.run_to(10s);
  report_in_use(1, true);
  force_delete(pod);
  w.run_to(1h);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{"pv w1 attached"});
  report_in_use(1, false);
  w.run_to(1h + 1200ms);
  EXPECT_TRUE(w.attachments().empty());
  EXPECT_TRUE(w.world.api.get(w.nodes[1])->volumes_attached.empty());
  EXPECT_EQ(w.count("ForceDetach"), 0u);
}

TEST_F(AttachDetach, SixMinutesFromTheRequestWhenTheNodeIsNotWell) {
  const Ref<Pod> pod = pod_on("a", 1);
  w.run_to(10s);
  report_in_use(1, true);
  set_ready(1, false);
  w.run_to(1000s);
  EXPECT_EQ(w.attachments().size(), 1u);  // its pod is still there
  force_delete(pod);
  pod_on("b", 2);
  w.run_to(1000s + 6min);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{"pv w1 attached"});
  w.run_to(1000s + 6min + 200ms);
  EXPECT_EQ(w.count("ForceDetach"), 1u);
  w.run_to(1000s + 6min + 2500ms);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{"pv w2 attached"});
}

TEST_F(AttachDetach, ANodeThatIsDeletedCountsAsNotWellAndStillMounted) {
  const Ref<Pod> pod = pod_on("a", 1);
  w.run_to(10s);
  report_in_use(1, true);
  w.run_to(11s);
  w.world.api.remove(w.nodes[1]);
  w.run_to(100s);
  force_delete(pod);
  w.run_to(100s + 6min);
  EXPECT_EQ(w.attachments().size(), 1u);
  w.run_to(100s + 6min + 1500ms);
  EXPECT_TRUE(w.attachments().empty());
}

TEST_F(AttachDetach, OutOfServiceNeedsNoWait) {
  const Ref<Pod> pod = pod_on("a", 1);
  w.run_to(10s);
  report_in_use(1, true);
  set_ready(1, false);
  w.run_to(100s);
  force_delete(pod);
  w.run_to(110s);
  EXPECT_EQ(w.attachments().size(), 1u);
  w.world.api.update(w.nodes[1], Change::kTaints, [&](Node& n) {
    n.taints.push_back(Taint{w.world.api.well_known().out_of_service, Symbol{}, TaintEffect::kNoExecute});
  });
  w.run_to(111500ms);
  EXPECT_TRUE(w.attachments().empty());
}

TEST_F(AttachDetach, AnotherLeaderWaitsSixMinutesAnew) {
  const Ref<Pod> pod = pod_on("a", 1);
  w.run_to(10s);
  report_in_use(1, true);
  set_ready(1, false);
  force_delete(pod);
  w.run_to(300s);
  controller->stop();
  controller->start();
  w.run_to(300s + 6min);
  EXPECT_EQ(w.attachments().size(), 1u);
  w.run_to(300s + 6min + 2s);
  EXPECT_TRUE(w.attachments().empty());
}

TEST_F(AttachDetach, ConflictsInTheOriginalsWords) {
  pod_on("a", 1);
  w.run_to(10s);
  pod_on("b", 2);
  w.run_to(1h);
  EXPECT_EQ(w.message(w.first_record("FailedAttachVolume", "Pod/default/b")), "Multi-Attach error for volume \"pv\" Volume is already used by pod(s) a");
  EXPECT_EQ(w.count("FailedAttachVolume"), 1u);
  EXPECT_EQ(w.attachments(), std::vector<std::string>{"pv w1 attached"});
}

TEST_F(AttachDetach, ManyNodesWhereTheModesAllowIt) {
  w.world.api.update(w.world.api.find<PersistentVolume>(Symbol{}, w.sym("pv")), Change::kSpec,
                     [](PersistentVolume& v) { v.access_modes.bits = AccessModes::kReadWriteMany; });
  pod_on("a", 1);
  pod_on("b", 2);
  w.run_to(10s);
  EXPECT_EQ(w.attachments().size(), 2u);
}

TEST_F(AttachDetach, APodThatEndedWantsNothing) {
  struct Case {
    const char* name;
    bool deleting;
    PodPhase phase;
    ContainerState container;
    std::size_t attachments;
  };
  const Case cases[] = {
      {"running", false, PodPhase::kRunning, ContainerState::kRunning, 1},
      {"finished", false, PodPhase::kSucceeded, ContainerState::kTerminated, 0},
      {"failed, container said to run", false, PodPhase::kFailed, ContainerState::kRunning, 0},
      {"terminating, still running", true, PodPhase::kRunning, ContainerState::kRunning, 1},
      {"terminating, nothing runs", true, PodPhase::kRunning, ContainerState::kTerminated, 0},
  };
  SimDuration start = 0s;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Ref<Pod> pod = pod_on("p", 1);
    w.run_to(start += 10s);
    w.world.api.update(pod, Change::kPhase | Change::kContainers, [&](Pod& p) {
      p.phase = c.phase;
      p.containers[0].state = c.container;
    });
    if (c.deleting) {
      DeleteOptions slowly;
      slowly.grace_period_seconds = 3600;
      w.world.api.remove(pod, slowly);
    }
    w.run_to(start += 10s);
    EXPECT_EQ(w.attachments().size(), c.attachments);
    force_delete(pod);
    w.run_to(start += 10s);
    EXPECT_TRUE(w.attachments().empty());
  }
}

}  // namespace
}  // namespace sim::k8s

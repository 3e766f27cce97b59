// What becomes of claims and volumes without pods: binding, provisioning, reclaim, protection.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/volumes/volume_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::VolumeWorld;

class PvController : public ::testing::Test {
 protected:
  PvController() : w(1) {}
  void TearDown() override {
    if (HasFailure()) std::puts(w.dump().c_str());
  }
  VolumeWorld w;
};

TEST_F(PvController, AMatchingVolumeIsTakenAndNothingIsMade) {
  w.world.api.create(w.storage_class("manual", "kubernetes.io/no-provisioner"));
  w.world.api.create(w.volume("small", "manual", 5));
  w.world.api.create(w.volume("right", "manual", 20));
  w.create_claim(w.claim("data", "manual"));
  w.world.start();
  w.run_to(10s);
  EXPECT_EQ(w.find_claim("data")->phase, ClaimPhase::kBound);
  EXPECT_EQ(w.text(w.find_claim("data")->spec.volume_name), "right");
  EXPECT_EQ(w.find_volume("right")->phase, VolumePhase::kBound);
  EXPECT_EQ(w.find_volume("small")->phase, VolumePhase::kAvailable);
}

TEST_F(PvController, WhyAClaimWaits) {
  struct Case {
    std::string_view storage_class;
    const char* kind;
    const char* message;
  };
  const Case cases[] = {
      {"absent", "ProvisioningFailed", "storageclass.storage.k8s.io \"absent\" not found"},
      {"", "FailedBinding", "no persistent volumes available for this claim and no storage class is set"},
      {"manual", "FailedBinding", "no persistent volumes available for this claim and no storage class is set"},
      {"late", "WaitForFirstConsumer", "waiting for first consumer to be created before binding"},
      {"block", "ExternalProvisioning",
       "Waiting for a volume to be created either by the external provisioner 'rbd.csi.ceph.com' or manually by the system administrator. If volume "
       "creation is delayed, please verify that the provisioner is running and correctly registered."},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.storage_class);
    VolumeWorld v(1);
    v.world.api.create(v.storage_class("manual", "kubernetes.io/no-provisioner"));
    v.world.api.create(v.storage_class("late", "rbd.csi.ceph.com", true));
    v.world.api.create(v.storage_class("block", "rbd.csi.ceph.com"));
    v.world.storage.simple(v.sym("rbd.csi.ceph.com"))->block_all();
    v.create_claim(v.claim("data", c.storage_class));
    v.world.start();
    v.run_to(600s);
    EXPECT_EQ(v.find_claim("data")->phase, ClaimPhase::kPending);
    EXPECT_EQ(v.message(v.first_record(c.kind, "PersistentVolumeClaim/default/data")), c.message);
    EXPECT_EQ(v.count(c.kind), 1u);
  }
}

TEST_F(PvController, AClassThatComesLaterIsUsed) {
  w.world.api.create(w.storage_class("manual", "kubernetes.io/no-provisioner"));
  w.create_claim(w.claim("data", "block"));
  w.world.start();
  w.run_to(100s);
  EXPECT_EQ(w.find_claim("data")->phase, ClaimPhase::kPending);
  w.world.api.create(w.storage_class("block", "rbd.csi.ceph.com"));
  w.run_to(103s);
  EXPECT_EQ(w.find_claim("data")->phase, ClaimPhase::kBound);
}

TEST_F(PvController, ReclaimPolicies) {
  StorageClass keeps = w.storage_class("keeps", "rbd.csi.ceph.com");
  keeps.reclaim_policy = ReclaimPolicy::kRetain;
  w.world.api.create(std::move(keeps));
  w.world.api.create(w.storage_class("deletes", "rbd.csi.ceph.com"));
  const auto kept = w.create_claim(w.claim("kept", "keeps"));
  const auto gone = w.create_claim(w.claim("gone", "deletes"));
  w.world.start();
  w.run_to(10s);
  const std::string kept_volume = w.text(w.find_claim("kept")->spec.volume_name);
  const std::string gone_volume = w.text(w.find_claim("gone")->spec.volume_name);
  w.world.api.remove(kept);
  w.world.api.remove(gone);
  w.run_to(20s);
  ASSERT_NE(w.find_volume(kept_volume), nullptr);
  EXPECT_EQ(w.find_volume(kept_volume)->phase, VolumePhase::kReleased);
  EXPECT_EQ(w.find_volume(gone_volume), nullptr);
}

TEST_F(PvController, AVolumeThatIsDeletedUnderItsClaimWaits) {
  w.world.api.create(w.storage_class("block", "rbd.csi.ceph.com"));
  w.create_claim(w.claim("data", "block"));
  w.world.start();
  w.run_to(10s);
  const std::string name = w.text(w.find_claim("data")->spec.volume_name);
  w.world.api.remove(w.world.api.find<PersistentVolume>(Symbol{}, w.sym(name)));
  w.run_to(20s);
  ASSERT_NE(w.find_volume(name), nullptr);  // pv-protection
  // Forced: the claim is lost.
  w.world.api.remove_finalizer(w.world.api.find<PersistentVolume>(Symbol{}, w.sym(name)), w.world.api.well_known().pv_protection);
  w.run_to(30s);
  EXPECT_EQ(w.find_volume(name), nullptr);
  EXPECT_EQ(w.find_claim("data")->phase, ClaimPhase::kLost);
  EXPECT_EQ(w.message(w.first_record("ClaimLost")), "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
}

TEST_F(PvController, NothingHappensInASteadyState) {
  w.world.api.create(w.storage_class("block", "rbd.csi.ceph.com"));
  w.world.api.create(w.stateful_set("db", 1, w.claim("data", "block")));
  w.world.start();
  w.run_to(200s);
  const std::size_t records = w.world.log.size();
  const std::uint64_t events = w.world.engine.stats().executed;
  w.run_to(200s + 10h);
  EXPECT_EQ(w.world.log.size(), records);
  EXPECT_LT(w.world.engine.stats().executed - events, 10u);
}

}  // namespace
}  // namespace sim::k8s

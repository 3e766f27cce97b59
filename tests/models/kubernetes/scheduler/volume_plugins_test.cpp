// The scheduler's volume plugins: who is refused where, in which words, and what makes a refused pod worth another try.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"
#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling {
namespace {

using test::Cluster;
using test::kGi;

class VolumePlugins : public ::testing::Test {
 protected:
  VolumePlugins() {
    add_class("block", "rbd.csi.ceph.com", false);
    add_class("late", "rbd.csi.ceph.com", true);
    add_class("local", "kubernetes.io/no-provisioner", true);
  }
  void add_class(std::string_view name, std::string_view provisioner, bool waits) {
    StorageClass made;
    made.meta.name = c.name(name);
    made.provisioner = c.name(provisioner);
    made.wait_for_first_consumer = waits;
    c.api.create(std::move(made));
  }
  Ref<PersistentVolumeClaim> claim(std::string_view name, std::string_view storage_class, std::string_view bound_to = "",
                                   std::uint8_t modes = AccessModes::kReadWriteOnce, std::int64_t gigabytes = 10) {
    ClaimTemplate from;
    from.spec.access_modes.bits = modes;
    from.spec.bytes = gigabytes * kGi;
    from.spec.storage_class = c.name(storage_class);
    PersistentVolumeClaim made = make_claim(c.api, c.name("default"), c.name(name), from);
    if (!bound_to.empty()) {
      made.spec.volume_name = c.name(bound_to);
      made.bind_completed = true;
      made.phase = ClaimPhase::kBound;
    }
    return c.api.create(std::move(made));
  }
  Ref<PersistentVolume> volume(std::string_view name, std::string_view storage_class, std::string_view node = "", std::int64_t gigabytes = 10) {
    PersistentVolume made;
    made.meta.name = c.name(name);
    made.storage_class = c.name(storage_class);
    made.driver = c.name("rbd.csi.ceph.com");
    made.bytes = gigabytes * kGi;
    made.access_modes.bits = AccessModes::kReadWriteOnce;
    made.phase = VolumePhase::kAvailable;
    if (!node.empty()) {
      made.has_node_affinity = true;
      made.node_affinity.push_back({{c.requirement("kubernetes.io/hostname", SelectorOperator::kIn, {node})}, {}});
    }
    return c.api.create(std::move(made));
  }
  PodSpec with(std::initializer_list<std::string_view> claims) {
    PodSpec spec = c.spec();
    for (const std::string_view name : claims) spec.volumes.push_back(PodVolume{c.name(name), c.name(name), nullptr});
    return spec;
  }
  /// The node, or why none.
  std::string verdict(PodSpec spec) {
    const Ref<Pod> pod = c.pod("p" + std::to_string(++pods), std::move(spec));
    const auto state = c.state();
    const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
    rejectors = decision.rejectors;
    const std::string text = decision.node == kNoNode ? decision.message.substr(0, decision.message.find(" preemption:")) : c.node_of(*state, decision);
    DeleteOptions now;
    now.grace_period_seconds = 0;
    c.api.remove(pod, now);
    return text;
  }
  Cluster c;
  PluginSet rejectors = 0;
  int pods = 0;
};

TEST_F(VolumePlugins, PreFilterRefusesTheWholePod) {
  c.node("n1");
  c.node("n2");
  claim("waits", "block");
  claim("gone", "block", "pv-gone");
  c.api.update(c.api.find<PersistentVolumeClaim>(c.name("default"), c.name("gone")), Change::kPhase,
               [](PersistentVolumeClaim& p) { p.phase = ClaimPhase::kLost; });
  c.api.remove(claim("deleted", "block"));
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"absent", "0/2 nodes are available: persistentvolumeclaim \"absent\" not found."},
      {"waits", "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."},
      {"gone", "0/2 nodes are available: persistentvolumeclaim \"gone\" bound to non-existent persistentvolume \"pv-gone\"."},
      {"deleted", "0/2 nodes are available: persistentvolumeclaim \"deleted\" is being deleted."},
  };
  for (const auto& [name, want] : cases) {
    SCOPED_TRACE(name);
    EXPECT_EQ(verdict(with({name})), want);
    EXPECT_EQ(rejectors, set_of(name == "absent" ? Plugin::kVolumeRestrictions : Plugin::kVolumeBinding));
  }
  PodSpec ephemeral = c.spec();
  ephemeral.volumes.push_back(PodVolume{c.name("scratch"), Symbol{}, std::make_shared<const ClaimTemplate>()});
  const std::string text = verdict(ephemeral);
  EXPECT_NE(text.find("waiting for ephemeral volume controller to create the persistentvolumeclaim \"p5-scratch\""), std::string::npos) << text;
}

TEST_F(VolumePlugins, ABoundVolumeHoldsItsPod) {
  c.node("n1");
  c.node("n2");
  volume("pv", "local", "n2");
  claim("data", "local", "pv");
  EXPECT_EQ(verdict(with({"data"})), "n2");
  volume("pv3", "local", "n3");
  claim("far", "local", "pv3");
  EXPECT_EQ(verdict(with({"far"})), "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.");
  claim("lost", "local", "pv-gone");
  // VolumeZone's PreFilter looks for the volume first.
  EXPECT_EQ(verdict(with({"lost"})), "0/2 nodes are available: persistentvolume \"pv-gone\" not found.");
}

TEST_F(VolumePlugins, ZonesOfClaimsWithoutAVolume) {
  // volumezone/volume_zone.go, getPVbyPod. In a cycle VolumeBinding speaks first.
  c.node("n1");
  claim("none", "");
  claim("unknown", "absent");
  claim("immediate", "block");
  claim("delayed", "late");
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"none", "PersistentVolumeClaim had no pv name and storageClass name"},
      {"unknown", "storageclasses.storage.k8s.io \"absent\" not found"},
      {"immediate", "PersistentVolume had no name"},
      {"delayed", ""},
  };
  for (const auto& [name, why] : cases) {
    SCOPED_TRACE(name);
    const Ref<Pod> pod = c.pod("p-" + std::string(name), with({name}));
    const auto state = c.state();
    VolumeZone zones(state->cache);
    EXPECT_EQ(zones.pre_filter(state->cache.pod(pod.slot)), why);
  }
}

TEST_F(VolumePlugins, ADelayedClaimGoesWhereAVolumeIs) {
  c.node("n1");
  c.node("n2");
  claim("data", "local");
  EXPECT_EQ(verdict(with({"data"})), "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.");
  volume("pv", "local", "n2", 20);
  EXPECT_EQ(verdict(with({"data"})), "n2");
  claim("large", "local", "", AccessModes::kReadWriteOnce, 30);
  EXPECT_EQ(verdict(with({"data", "large"})), "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.");
  volume("pv2", "local", "n2", 40);
  EXPECT_EQ(verdict(with({"large", "data"})), "n2");  // the small one does not take the large volume
}

TEST_F(VolumePlugins, AReservedVolumeIsNobodyElses) {
  c.node("n1");
  volume("pv", "local", "n1");
  claim("a", "local");
  claim("b", "local");
  const Ref<Pod> first = c.pod("first", with({"a"}));
  const Ref<Pod> second = c.pod("second", with({"b"}));
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(first.slot, SimTime{}, 1);
  ASSERT_NE(decision.node, kNoNode);
  EXPECT_TRUE(state->cycle.volume_binding().reserve(first.slot, decision.node));
  EXPECT_EQ(state->cycle.schedule(second.slot, SimTime{}, 1).node, kNoNode);
  state->cycle.volume_binding().forget(first.slot);
  EXPECT_NE(state->cycle.schedule(second.slot, SimTime{}, 1).node, kNoNode);
}

TEST_F(VolumePlugins, AClaimThatHasANodeKeepsIt) {
  c.node("n1");
  c.node("n2");
  const auto data = claim("data", "late");
  c.api.update(data, Change::kSpec, [&](PersistentVolumeClaim& p) { p.selected_node = c.name("n2"); });
  EXPECT_EQ(verdict(with({"data"})), "n2");
}

TEST_F(VolumePlugins, AllowedTopologies) {
  c.node("n1", {.zone = "a"});
  c.node("n2", {.zone = "b"});
  StorageClass made;
  made.meta.name = c.name("zonal");
  made.provisioner = c.name("x");
  made.wait_for_first_consumer = true;
  made.allowed_topologies.push_back({{c.requirement("topology.kubernetes.io/zone", SelectorOperator::kIn, {"b"})}, {}});
  c.api.create(std::move(made));
  claim("data", "zonal");
  EXPECT_EQ(verdict(with({"data"})), "n2");
}

TEST_F(VolumePlugins, StorageCapacityOfNodes) {
  // binder.go, hasEnoughCapacity: any of the class's capacities that reaches the node and is large enough.
  c.node("n1", {.zone = "a"});
  c.node("n2", {.zone = "b"});
  const auto add = [&](std::string_view name, std::optional<std::vector<StorageCapacity>> capacities) {
    StorageClass made;
    made.meta.name = c.name(name);
    made.provisioner = c.name("csi.example.com");
    made.wait_for_first_consumer = true;
    if (capacities) made.capacities = std::make_shared<const std::vector<StorageCapacity>>(std::move(*capacities));
    c.api.create(std::move(made));
    claim(name, name);  // 10 GiB
  };
  const LabelSelector zone_b = c.selector({{"topology.kubernetes.io/zone", "b"}});
  add("untracked", std::nullopt);
  add("none", std::vector<StorageCapacity>{});
  add("small", std::vector<StorageCapacity>{{LabelSelector{}, 10 * kGi - 1}});
  add("unknown", std::vector<StorageCapacity>{{LabelSelector{}, -1}});
  add("unreachable", std::vector<StorageCapacity>{{std::nullopt, 100 * kGi}});
  add("exact", std::vector<StorageCapacity>{{zone_b, 10 * kGi}});
  add("either", std::vector<StorageCapacity>{{zone_b, kGi}, {LabelSelector{}, 20 * kGi}});
  const std::string no_space = "0/2 nodes are available: 2 node(s) did not have enough free storage.";
  EXPECT_EQ(verdict(with({"untracked"})), "n1");
  EXPECT_EQ(verdict(with({"none"})), no_space);
  EXPECT_EQ(rejectors, set_of(Plugin::kVolumeBinding));
  EXPECT_EQ(verdict(with({"small"})), no_space);
  EXPECT_EQ(verdict(with({"unknown"})), no_space);
  EXPECT_EQ(verdict(with({"unreachable"})), no_space);
  EXPECT_EQ(verdict(with({"exact"})), "n2");
  EXPECT_EQ(verdict(with({"either"})), "n1");
}

TEST_F(VolumePlugins, ReadWriteOncePodIsForOnePodAnywhere) {
  c.node("n1");
  c.node("n2");
  volume("pv", "block");
  claim("data", "block", "pv", AccessModes::kReadWriteOncePod);
  EXPECT_NE(verdict(with({"data"})).find("n"), std::string::npos);
  c.pod("holder", with({"data"}), {}, "n1");
  EXPECT_EQ(verdict(with({"data"})),
            "0/2 nodes are available: 2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.");
  EXPECT_EQ(rejectors & set_of(Plugin::kVolumeRestrictions), set_of(Plugin::kVolumeRestrictions));
}

TEST_F(VolumePlugins, ReadWriteOnceIsNoMatterOfTheScheduler) {
  c.node("n1");
  volume("pv", "block");
  claim("data", "block", "pv");
  c.pod("holder", with({"data"}), {}, "n1");
  EXPECT_EQ(verdict(with({"data"})), "n1");
}

TEST_F(VolumePlugins, APodOfMorePriorityTakesAReadWriteOncePodClaim) {
  c.node("n1");
  volume("pv", "block");
  claim("data", "block", "pv", AccessModes::kReadWriteOncePod);
  c.pod("holder", with({"data"}), {}, "n1");
  PodSpec important = with({"data"});
  important.priority = 10;
  const Ref<Pod> pod = c.pod("important", important);
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
  ASSERT_EQ(decision.preemption.victims.size(), 1u);
}

TEST_F(VolumePlugins, LimitsCountVolumesOnceAndAttachmentsToo) {
  const Ref<Node> node = c.node("n1");
  const Symbol driver = c.name("rbd.csi.ceph.com");
  c.api.update(node, Change::kVolumes, [&](Node& n) { n.volume_limits.push_back({driver, 2}); });
  for (const char* name : {"a", "b", "c"}) {
    volume(std::string("pv-") + name, "block");
    claim(name, "block", std::string("pv-") + name);
  }
  c.pod("one", with({"a"}), {}, "n1");
  EXPECT_EQ(verdict(with({"a"})), "n1");       // the same volume
  EXPECT_EQ(verdict(with({"b"})), "n1");       // the second
  const std::string full = "0/1 nodes are available: 1 node(s) exceed max volume count.";
  EXPECT_EQ(verdict(with({"b", "c"})), full);
  claim("new", "late");
  EXPECT_EQ(verdict(with({"new", "b"})), full);  // one that is still to be made
  VolumeAttachment attachment;
  attachment.meta.name = c.name("csi-1");
  attachment.attacher = driver;
  attachment.volume = c.name("pv-c");
  attachment.node = c.name("n1");
  c.api.create(std::move(attachment));
  EXPECT_EQ(verdict(with({"b"})), full);  // not detached yet
  // Upstream counts a volume that is attached, but used by no pod of the node, again when a pod brings it.
  EXPECT_EQ(verdict(with({"c"})), full);
}

TEST_F(VolumePlugins, ZonesOfVolumes) {
  c.node("n1", {.zone = "a"});
  c.node("n2", {.zone = "b"});
  const auto pv = volume("pv", "block");
  claim("data", "block", "pv");
  c.api.update(pv, Change::kLabels, [&](PersistentVolume& v) { v.meta.labels.set(c.name("topology.kubernetes.io/zone"), c.name("b__c")); });
  EXPECT_EQ(verdict(with({"data"})), "n2");
  c.api.update(pv, Change::kLabels, [&](PersistentVolume& v) { v.meta.labels.set(c.name("topology.kubernetes.io/zone"), c.name("z")); });
  EXPECT_EQ(verdict(with({"data"})), "0/2 nodes are available: 2 node(s) had no available volume zone.");
  c.node("n3");  // says nothing of zones
  EXPECT_EQ(verdict(with({"data"})), "n3");
}

struct HintCase {
  std::string_view name;
  Plugin refused_by;
  ClusterEvent event;
  bool is_worth_it;
};

TEST_F(VolumePlugins, WhatIsWorthAnotherTry) {
  c.node("n1");
  claim("data", "block");
  PodSpec spec = with({"data"});
  spec.volumes.push_back(PodVolume{c.name("scratch"), Symbol{}, std::make_shared<ClaimTemplate>()});
  const Ref<Pod> pod = c.pod("p", spec);
  const auto state = c.state();
  const auto of_claim = [&](Action action, std::string_view name, std::string_view ns = "default") {
    ClusterEvent event;
    event.action = action;
    event.claim_ns = c.name(ns);
    event.claim = c.name(name);
    return event;
  };
  const auto plain = [](Action action, bool is_telling = false) {
    ClusterEvent event;
    event.action = action;
    event.is_telling = is_telling;
    return event;
  };
  const PodSpec gone_spec = with({"data"});
  const Labels no_labels;
  const PodView gone{Ref<Pod>{99, 1}, c.name("default"), &no_labels, &gone_spec, true};
  ClusterEvent pod_gone = plain(Action::kPodDelete);
  pod_gone.pod_before = &gone;
  const HintCase cases[] = {
      {"binding: its claim", Plugin::kVolumeBinding, of_claim(Action::kClaimUpdate, "data"), true},
      {"binding: the claim of its ephemeral volume", Plugin::kVolumeBinding, of_claim(Action::kClaimAdd, "p-scratch"), true},
      {"binding: another claim", Plugin::kVolumeBinding, of_claim(Action::kClaimUpdate, "other"), false},
      {"binding: a claim of that name elsewhere", Plugin::kVolumeBinding, of_claim(Action::kClaimUpdate, "data", "else"), false},
      {"binding: a class comes", Plugin::kVolumeBinding, plain(Action::kClassAdd), true},
      {"binding: a class gets other topologies", Plugin::kVolumeBinding, plain(Action::kClassUpdate, true), true},
      {"binding: a class changes otherwise", Plugin::kVolumeBinding, plain(Action::kClassUpdate), false},
      {"binding: more volumes may be attached", Plugin::kVolumeBinding, plain(Action::kCsiNodeUpdate, true), false},
      {"binding: a taint goes", Plugin::kVolumeBinding, plain(Action::kNodeTaint), true},
      {"zone: its claim", Plugin::kVolumeZone, of_claim(Action::kClaimUpdate, "data"), true},
      {"zone: ephemeral volumes are not looked at", Plugin::kVolumeZone, of_claim(Action::kClaimAdd, "p-scratch"), false},
      {"zone: a class that waits", Plugin::kVolumeZone, plain(Action::kClassAdd, true), true},
      {"zone: a class that binds at once", Plugin::kVolumeZone, plain(Action::kClassAdd), false},
      {"zone: a volume gets another zone", Plugin::kVolumeZone, plain(Action::kVolumeUpdate, true), true},
      {"zone: a volume changes otherwise", Plugin::kVolumeZone, plain(Action::kVolumeUpdate), false},
      {"zone: a taint goes", Plugin::kVolumeZone, plain(Action::kNodeTaint), true},
      {"limits: a driver may attach more", Plugin::kNodeVolumeLimits, plain(Action::kCsiNodeUpdate, true), true},
      {"limits: fewer", Plugin::kNodeVolumeLimits, plain(Action::kCsiNodeUpdate), false},
      {"limits: a volume is detached", Plugin::kNodeVolumeLimits, plain(Action::kAttachmentDelete), true},
      {"limits: a claim that changes says nothing", Plugin::kNodeVolumeLimits, of_claim(Action::kClaimUpdate, "data"), false},
      {"limits: no node event is registered", Plugin::kNodeVolumeLimits, plain(Action::kNodeTaint), false},
      {"restrictions: its claim comes", Plugin::kVolumeRestrictions, of_claim(Action::kClaimAdd, "data"), true},
      {"restrictions: its claim changes", Plugin::kVolumeRestrictions, of_claim(Action::kClaimUpdate, "data"), false},
      {"restrictions: who uses the claim goes, whatever its access modes", Plugin::kVolumeRestrictions, pod_gone, true},
      {"restrictions: a taint goes", Plugin::kVolumeRestrictions, plain(Action::kNodeTaint), true},
  };
  for (const HintCase& one : cases) {
    SCOPED_TRACE(one.name);
    state->queue.add(pod, 0, false, SimTime{}, CauseId{});
    state->queue.pop(SimTime{});
    state->queue.failed(pod.slot, set_of(one.refused_by), SimTime{}, CauseId{});
    state->fire(one.event, SimTime{}, CauseId{});
    EXPECT_EQ(state->queue.unschedulable_count(), one.is_worth_it ? 0u : 1u);
    state->queue.remove(pod.slot);
  }
}

TEST_F(VolumePlugins, EventsOfStorageSayWhatChanged) {
  const Ref<Node> node = c.node("n1");
  const auto pv = volume("pv", "block");
  StorageEvents events(c.api);
  const auto updated = [&](ObjectRef object) {
    WatchEvent event;
    event.type = WatchEvent::Type::kModified;
    event.object = object;
    return events.of(event);
  };
  const ObjectRef volume_ref{Kind::kPersistentVolume, pv.slot, pv.generation};
  const ObjectRef node_ref{Kind::kNode, node.slot, node.generation};
  EXPECT_EQ(updated(volume_ref)->action, Action::kVolumeUpdate);
  EXPECT_FALSE(updated(volume_ref)->is_telling);
  c.api.update(pv, Change::kLabels, [&](PersistentVolume& v) { v.meta.labels.set(c.name("tier"), c.name("gold")); });
  EXPECT_FALSE(updated(volume_ref)->is_telling);
  c.api.update(pv, Change::kLabels, [&](PersistentVolume& v) { v.meta.labels.set(c.name("topology.kubernetes.io/zone"), c.name("b")); });
  EXPECT_TRUE(updated(volume_ref)->is_telling);
  EXPECT_FALSE(updated(volume_ref)->is_telling);

  EXPECT_FALSE(updated(node_ref)) << "its limits are what they were";
  const auto limit = [&](std::int64_t count) {
    c.api.update(node, Change::kVolumes, [&](Node& n) { n.volume_limits = {{c.name("rbd.csi.ceph.com"), count}}; });
  };
  limit(4);
  EXPECT_EQ(updated(node_ref)->action, Action::kCsiNodeAdd);
  limit(3);
  EXPECT_EQ(updated(node_ref)->action, Action::kCsiNodeUpdate);
  limit(5);
  EXPECT_TRUE(updated(node_ref)->is_telling);
  limit(2);
  EXPECT_FALSE(updated(node_ref)->is_telling);
}

TEST_F(VolumePlugins, ScheduleAllBindsAsItGoes) {
  c.node("n1");
  c.node("n2");
  volume("pv", "local", "n2");
  claim("a", "local");
  claim("b", "local");
  claim("now", "block");
  c.pod("first", with({"a"}));
  c.pod("second", with({"b"}));
  c.pod("third", with({"now"}));
  const ScheduleResult result = schedule_all(c.api, SchedulerConfig{}, c.random);
  EXPECT_EQ(c.names.text(result.pods.at(0).node), "n2");
  EXPECT_FALSE(result.pods.at(1).node);
  EXPECT_NE(result.pods.at(1).message.find("2 node(s) didn't find available persistent volumes to bind"), std::string::npos);
  EXPECT_TRUE(result.pods.at(2).node);
}

}  // namespace
}  // namespace sim::k8s::scheduling

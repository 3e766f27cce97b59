// Images: pulls in turn, in parallel, and without a registry.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/image_puller.hpp"
#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using kubelet::ImagePuller;
using kubelet::RegistryState;
using test::KubeletWorld;

class KubeletImagePuller : public ::testing::Test {
 protected:
  KubeletImagePuller() {
    hooks.registry = [this] { return registry; };
    hooks.bytes = [this](Symbol image) { return image == small ? 50'000'000 : 100'000'000; };
    hooks.arrived = [this](Symbol image) { arrived.push_back(image); };
    hooks.done = [this](ImagePuller::Waiter waiter, Symbol, const kubelet::PullResult& result) { done.push_back({waiter, result.pulled, engine.now().time_since_epoch()}); };
  }
  struct Done {
    ImagePuller::Waiter waiter;
    bool pulled;
    SimDuration at;
    bool operator==(const Done&) const = default;
  };
  Engine engine;
  Interner names;
  Symbol big = names.intern("big:1"), other = names.intern("other:1"), small = names.intern("small:1");
  RegistryState registry = RegistryState::kUp;
  ImagePuller::Hooks hooks;
  std::vector<Done> done;
  std::vector<Symbol> arrived;
};

TEST_F(KubeletImagePuller, OneAfterTheOther) {
  ImagePuller puller(engine, hooks, 100e6, true);
  puller.pull(big, 1);
  puller.pull(other, 2);
  puller.pull(big, 3);  // joins the first
  engine.run_until(SimTime(10s));
  EXPECT_EQ(done, (std::vector<Done>{{1, true, 1s}, {3, true, 1s}, {2, true, 2s}}));
  EXPECT_TRUE(puller.has(big));
}

TEST_F(KubeletImagePuller, ParallelPullsShareTheBandwidth) {
  ImagePuller puller(engine, hooks, 100e6, false);
  puller.pull(big, 1);
  puller.pull(small, 2);
  // Half the rate each: the small one is there after 1 s; then the big one has 50 MB left at the full rate.
  engine.run_until(SimTime(10s));
  EXPECT_EQ(done, (std::vector<Done>{{2, true, 1s}, {1, true, 1500ms}}));
}

TEST_F(KubeletImagePuller, RefusedAtOnceSilentAfterTheDialTimeout) {
  ImagePuller puller(engine, hooks, 100e6, true);
  registry = RegistryState::kRefused;
  puller.pull(big, 1);
  engine.run_until(SimTime(1s));
  registry = RegistryState::kSilent;
  puller.pull(big, 2);
  puller.pull(other, 3);  // waits behind the silent one
  engine.run_until(SimTime(2s));
  registry = RegistryState::kUp;
  engine.run_until(SimTime(60s));
  EXPECT_EQ(done, (std::vector<Done>{{1, false, 0s}, {2, false, 31s}, {3, true, 32s}}));
}

TEST_F(KubeletImagePuller, RegistryThatDiesDuringThePullFailsIt) {
  ImagePuller puller(engine, hooks, 100e6, true);
  puller.pull(big, 1);
  engine.run_until(SimTime(500ms));
  registry = RegistryState::kRefused;
  engine.run_until(SimTime(10s));
  EXPECT_EQ(done, (std::vector<Done>{{1, false, 1s}}));
  EXPECT_FALSE(puller.has(big));
}

TEST_F(KubeletImagePuller, FrozenTimeIsAddedOn) {
  ImagePuller puller(engine, hooks, 100e6, true);
  puller.pull(big, 1);
  engine.run_until(SimTime(250ms));
  puller.freeze(true);
  engine.run_until(SimTime(10250ms));
  puller.freeze(false);
  engine.run_until(SimTime(20s));
  EXPECT_EQ(done, (std::vector<Done>{{1, true, 11s}}));
}

TEST_F(KubeletImagePuller, PullOfAPodThatIsGoneEndsAllTheSame) {
  ImagePuller puller(engine, hooks, 100e6, true);
  puller.pull(big, 1);
  puller.pull(other, 2);
  engine.run_until(SimTime(500ms));
  puller.forget(1);
  puller.forget(2);
  engine.run_until(SimTime(10s));
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(arrived, std::vector<Symbol>{big});  // the one that had begun
}

TEST_F(KubeletImagePuller, InterruptedPullIsForgotten) {
  ImagePuller puller(engine, hooks, 100e6, true);
  puller.pull(big, 1);
  engine.run_until(SimTime(500ms));
  puller.interrupt();
  engine.run_until(SimTime(5s));
  EXPECT_TRUE(done.empty());
  puller.pull(big, 2);
  engine.run_until(SimTime(10s));
  EXPECT_EQ(done, (std::vector<Done>{{2, true, 6s}}));
}

class KubeletRegistry : public ::testing::Test {
 protected:
  /// Node "reg" runs the registry's pod, which Service "tools/registry" lists.
  KubeletRegistry() {
    w.images.registry_service = w.names.intern("tools/registry");
    w.images.default_bytes = 100'000'000;
    registry_node = w.add_node("reg");
    node = w.add_node("w1");
    Pod pod = w.pod("registry-0");
    pod.phase = PodPhase::kRunning;
    pod.ready = true;
    registry_pod = w.create_on(registry_node, std::move(pod));
    Endpoints made;
    made.meta.ns = w.names.intern("tools");
    made.meta.name = w.names.intern("registry");
    made.addresses.push_back({registry_pod, true, false});
    endpoints = w.api.create(std::move(made));
    w.start();
    w.run_to(1s);
  }
  void list_ready(bool ready) {
    w.api.update(endpoints, Change::kStatus, [&](Endpoints& e) { e.addresses[0].ready = ready; });
  }
  KubeletWorld w;
  Ref<Node> registry_node, node;
  Ref<Pod> registry_pod;
  Ref<Endpoints> endpoints;
};

TEST_F(KubeletRegistry, PullsWhileItServes) {
  const Ref<Pod> pod = w.create_on(node, w.pod("web"));
  w.run_to(3s);  // 5 ms + 500 ms + 1 s + 100 ms
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.last_record("Pulled", "Pod/default/web"));
}

TEST_F(KubeletRegistry, NoEndpointMeansBackOffUntilItIsBack) {
  CauseId why{};
  {
    const ScopedCause because(w.engine, w.fault("the registry is gone"));
    list_ready(false);
    why = w.api.record(endpoints, "ServiceHasNoEndpoints", "registry has no endpoints");
  }
  const Ref<Pod> pod = w.create_on(node, w.pod("web"));
  w.run_to(2s);
  EXPECT_EQ(w.at(pod).phase, PodPhase::kPending);
  EXPECT_EQ(w.waiting_reason(pod), "ImagePullBackOff");
  const CauseId failed = w.last_record("Failed");
  ASSERT_TRUE(failed);
  EXPECT_EQ(w.log.at(failed).cause, why);
  EXPECT_TRUE(w.chain_has(w.at(pod).meta.cause, "FaultInjected"));
  w.run_to(1h);
  EXPECT_EQ(w.count_records("Failed"), 1u);  // one outage, one record
  list_ready(true);
  w.run_for(315s + 2s);  // at most 300 + 15 s, and the pull itself
  EXPECT_EQ(w.at(pod).phase, PodPhase::kRunning);
  EXPECT_TRUE(w.chain_has(w.last_record("Pulled", "Pod/default/web"), "Failed"));
}

TEST_F(KubeletRegistry, DeadButListedRegistryIsSilent) {
  w.hosts.power_off(w.host_ids[0]);
  const Ref<Pod> pod = w.create_on(node, w.pod("web"));
  w.run_to(20s);
  EXPECT_EQ(w.waiting_reason(pod), "ContainerCreating");  // the dial time-out of 30 s runs
  w.run_to(40s);
  EXPECT_EQ(w.waiting_reason(pod), "ImagePullBackOff");
  EXPECT_TRUE(w.chain_has(w.last_record("Failed"), "HostPoweredOff"));
}

TEST_F(KubeletRegistry, PresentImageNeedsNoRegistryUnlessPolicyAlways) {
  list_ready(false);
  // The image is on the registry's own node, from its own pod.
  const Ref<Pod> present = w.create_on(registry_node, w.pod("present"));
  const Ref<Pod> always =
      w.create_on(registry_node, w.pod("always", [](PodSpec& spec) { spec.containers[0].pull_policy = PullPolicy::kAlways; }));
  const Ref<Pod> never = w.create_on(node, w.pod("never", [](PodSpec& spec) { spec.containers[0].pull_policy = PullPolicy::kNever; }));
  w.run_to(10s);
  EXPECT_EQ(w.at(present).phase, PodPhase::kRunning);
  EXPECT_EQ(w.waiting_reason(always), "ImagePullBackOff");
  EXPECT_EQ(w.waiting_reason(never), "ErrImageNeverPull");
  list_ready(true);
  w.create_on(node, w.pod("other"));  // brings the image to the node
  w.run_for(60s);
  EXPECT_EQ(w.at(always).phase, PodPhase::kRunning);
  EXPECT_EQ(w.at(never).phase, PodPhase::kRunning);
}

}  // namespace
}  // namespace sim::k8s

#include <string_view>

#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/pod_phase.hpp"

namespace sim::k8s::kubelet {
namespace {

constexpr ContainerFacts kFresh{};
constexpr ContainerFacts kRunning{true, false, true, true, 0, false};
constexpr ContainerFacts kSucceeded{false, true, true, false, 0, false};
constexpr ContainerFacts kFailed{false, true, true, false, 1, false};
constexpr ContainerFacts kSidecarUp{true, false, true, true, 0, true};
constexpr ContainerFacts kSidecarStarting{true, false, true, false, 0, true};

struct PhaseCase {
  std::string_view name;
  RestartPolicy policy;
  std::vector<ContainerFacts> init;
  std::vector<ContainerFacts> containers;
  bool ended;
  PodPhase want;
};
const PhaseCase kCases[] = {
    {"nothing ran", RestartPolicy::kAlways, {}, {kFresh}, false, PodPhase::kPending},
    {"one of two runs", RestartPolicy::kAlways, {}, {kRunning, kFresh}, false, PodPhase::kPending},
    {"both run", RestartPolicy::kAlways, {}, {kRunning, kRunning}, false, PodPhase::kRunning},
    {"crash loop is Running", RestartPolicy::kAlways, {}, {kFailed}, false, PodPhase::kRunning},
    {"exit 0 under Always is Running", RestartPolicy::kAlways, {}, {kSucceeded}, false, PodPhase::kRunning},
    {"OnFailure, failed: restarts", RestartPolicy::kOnFailure, {}, {kFailed}, false, PodPhase::kRunning},
    {"OnFailure, done", RestartPolicy::kOnFailure, {}, {kSucceeded}, false, PodPhase::kSucceeded},
    {"Never, failed", RestartPolicy::kNever, {}, {kFailed}, false, PodPhase::kFailed},
    {"Never, one failed, one still runs", RestartPolicy::kNever, {}, {kFailed, kRunning}, false, PodPhase::kRunning},
    {"Never, one failed, one done", RestartPolicy::kNever, {}, {kFailed, kSucceeded}, false, PodPhase::kFailed},
    {"init runs", RestartPolicy::kAlways, {kRunning}, {kFresh}, false, PodPhase::kPending},
    {"init failed for good", RestartPolicy::kNever, {kFailed}, {kFresh}, false, PodPhase::kFailed},
    {"init failed, will restart", RestartPolicy::kAlways, {kFailed}, {kFresh}, false, PodPhase::kPending},
    {"sidecar starting", RestartPolicy::kAlways, {kSidecarStarting}, {kFresh}, false, PodPhase::kPending},
    {"sidecar up, main done", RestartPolicy::kNever, {kSidecarUp}, {kSucceeded}, false, PodPhase::kSucceeded},
    {"deleted, all 0", RestartPolicy::kAlways, {}, {kSucceeded}, true, PodPhase::kSucceeded},
    {"deleted, 143", RestartPolicy::kAlways, {}, {kFailed}, true, PodPhase::kFailed},
    {"deleted before it ran", RestartPolicy::kAlways, {}, {kFresh}, true, PodPhase::kFailed},
};
TEST(KubeletPodPhase, Rules) {
  for (const PhaseCase& c : kCases) {
    SCOPED_TRACE(c.name);
    EXPECT_STREQ(to_string(pod_phase(c.policy, c.init, c.containers, c.ended)), to_string(c.want));
  }
}

TEST(KubeletPodPhase, RestartPolicies) {
  EXPECT_TRUE(should_restart(RestartPolicy::kAlways, 0));
  EXPECT_FALSE(should_restart(RestartPolicy::kOnFailure, 0));
  EXPECT_TRUE(should_restart(RestartPolicy::kOnFailure, 137));
  EXPECT_FALSE(should_restart(RestartPolicy::kNever, 1));
}

}  // namespace
}  // namespace sim::k8s::kubelet

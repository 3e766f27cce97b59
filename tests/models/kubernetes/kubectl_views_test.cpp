// What `kubectl get` prints: the table's layout, ages, and the words of a pod's status.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/views/get.hpp"

namespace sim::k8s::views {
namespace {

using namespace std::chrono_literals;

TEST(KubectlViews, AgesAsHumanDuration) {
  // Cases of apimachinery's duration_test.go.
  const std::pair<SimDuration, const char*> cases[] = {
      {0s, "0s"},      {1s, "1s"},        {70s, "70s"},          {119s, "119s"},         {190s, "3m10s"},   {600s, "10m"},
      {70min, "70m"},  {179min, "179m"},  {2h + 59min, "179m"},  {3h + 10min, "3h10m"},  {8h, "8h"},        {47h, "47h"},
      {49h, "2d1h"},   {24h * 7, "7d"},   {24h * 9, "9d"},       {24h * 365, "365d"},    {24h * 365 * 2, "2y"}, {24h * 365 * 3 + 24h * 10, "3y10d"},
  };
  for (const auto& [age, want] : cases) EXPECT_EQ(human_duration(age), want);
}

TEST(KubectlViews, ColumnsStandThreeSpacesApart) {
  TextTable table{{"NAME", "AGE"}, {{"a", "1s"}, {"longer", "2m"}}};
  EXPECT_EQ(table.text(), "NAME     AGE\na        1s\nlonger   2m\n");
  EXPECT_EQ(TextTable{}.text(), "");
}

Pod pod_of(std::size_t containers) {
  auto spec = std::make_shared<PodSpec>();
  spec->containers.resize(containers);
  Pod pod;
  pod.spec = spec;
  pod.containers.resize(containers);
  return pod;
}

ContainerStatus state_of(ContainerState state, bool ready, std::int32_t exit_code = 0, Symbol reason = {}) {
  ContainerStatus status;
  status.state = state;
  status.ready = ready;
  status.exit_code = exit_code;
  status.reason = reason;
  return status;
}

TEST(KubectlViews, StatusOfAPod) {
  Interner names;
  Pod pod = pod_of(2);
  EXPECT_EQ(pod_status(pod, names), "Pending");
  pod.containers[0].reason = names.intern("ContainerCreating");
  EXPECT_EQ(pod_status(pod, names), "ContainerCreating");
  pod.phase = PodPhase::kRunning;
  for (ContainerStatus& container : pod.containers) container = state_of(ContainerState::kRunning, true);
  EXPECT_EQ(pod_status(pod, names), "Running");
  pod.containers[1] = state_of(ContainerState::kWaiting, false, 0, names.intern("CrashLoopBackOff"));
  EXPECT_EQ(pod_status(pod, names), "CrashLoopBackOff");
  pod.containers[1] = state_of(ContainerState::kTerminated, false, 3);
  EXPECT_EQ(pod_status(pod, names), "ExitCode:3");
  pod.meta.deletion_timestamp = SimTime{};
  EXPECT_EQ(pod_status(pod, names), "Terminating");
  pod.phase = PodPhase::kFailed;
  pod.reason = names.intern("Evicted");
  pod.containers.clear();
  EXPECT_EQ(pod_status(pod, names), "Evicted");
}

TEST(KubectlViews, AnInitContainerThatIsNotDoneComesFirst) {
  Interner names;
  Pod pod = pod_of(1);
  auto spec = std::make_shared<PodSpec>(*pod.spec);
  spec->init_containers.resize(2);
  pod.spec = spec;
  pod.init_containers.resize(2);
  EXPECT_EQ(pod_status(pod, names), "Init:0/2");
  pod.init_containers[0].state = ContainerState::kTerminated;
  pod.init_containers[1] = state_of(ContainerState::kTerminated, false, 1, names.intern("Error"));
  EXPECT_EQ(pod_status(pod, names), "Init:Error");
}

TEST(KubectlViews, WordsOfKubectl) {
  EXPECT_EQ(resource_of("po"), "pods");
  EXPECT_EQ(resource_of("deployments.apps"), "deployments");
  EXPECT_EQ(resource_of("pdb"), "poddisruptionbudgets");
  EXPECT_FALSE(resource_of("widgets"));
}

}  // namespace
}  // namespace sim::k8s::views

#include <string_view>

#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/probes.hpp"

namespace sim::k8s::kubelet {
namespace {

using namespace std::chrono_literals;
using What = ProbeResult::What;

Probe probe(std::int64_t delay, std::int64_t period, std::int64_t success, std::int64_t failure) {
  Probe p;
  p.initial_delay_seconds = delay;
  p.period_seconds = period;
  p.success_threshold = success;
  p.failure_threshold = failure;
  return p;
}

struct ReadinessCase {
  std::string_view name;
  Probe probe;
  SimDuration healthy;
  SimDuration ready;
};
const ReadinessCase kReadiness[] = {
    {"healthy at once: the probe at the start", probe(0, 10, 1, 3), 0s, 0s},
    {"healthy after 2 s: the next probe", probe(0, 10, 1, 3), 2s, 10s},
    {"healthy exactly at a probe", probe(0, 10, 1, 3), 20s, 20s},
    {"one nanosecond later: the next", probe(0, 10, 1, 3), 20s + 1ns, 30s},
    {"initial delay skips probes", probe(15, 10, 1, 3), 2s, 20s},
    {"two successes are needed", probe(0, 5, 2, 3), 3s, 10s},
};
TEST(KubeletProbes, ReadyWhenTheProbeSeesIt) {
  for (const ReadinessCase& c : kReadiness) {
    SCOPED_TRACE(c.name);
    const SimTime start{100s};
    EXPECT_EQ(probe_succeeds_at(c.probe, start, start, start + c.healthy) - start, c.ready);
  }
}

TEST(KubeletProbes, FailureNeedsTheThreshold) {
  const SimTime start{0s};
  // Healthy until 61 s: failures at 70, 80 and 90 s.
  EXPECT_EQ(probe_fails_at(probe(0, 10, 1, 3), start, start, SimTime(61s)), SimTime(90s));
  EXPECT_EQ(probe_fails_at(probe(0, 10, 1, 1), start, start, SimTime(61s)), SimTime(70s));
}

TEST(KubeletProbes, SlowStartIsKilledByLiveness) {
  Container c;
  c.liveness_probe = probe(5, 10, 1, 3);
  c.readiness_probe = probe(0, 10, 1, 3);
  const SimTime start{0s};
  // Probes that count at 10, 20, 30 s.
  const ProbeResult slow = next_probe_result(c, true, start, start, SimTime(40s));
  EXPECT_EQ(slow.what, What::kKill);
  EXPECT_EQ(slow.at, SimTime(30s));
  const ProbeResult just = next_probe_result(c, true, start, start, SimTime(30s));
  EXPECT_EQ(just.what, What::kReady);
  EXPECT_EQ(just.at, SimTime(30s));
}

TEST(KubeletProbes, StartupProbeHoldsTheOthersBack) {
  Container c;
  c.startup_probe = probe(0, 10, 1, 30);
  c.liveness_probe = probe(0, 10, 1, 3);
  c.readiness_probe = probe(0, 10, 1, 3);
  const SimTime start{0s};
  const ProbeResult startup = next_probe_result(c, false, start, start, SimTime(65s));
  EXPECT_EQ(startup.what, What::kStarted);
  EXPECT_EQ(startup.at, SimTime(70s));
  const ProbeResult after = next_probe_result(c, true, start, startup.at, SimTime(65s));
  EXPECT_EQ(after.what, What::kReady);
  EXPECT_EQ(after.at, SimTime(70s));
  const ProbeResult never = next_probe_result(c, false, start, start, SimTime(400s));
  EXPECT_EQ(never.what, What::kKill);
  EXPECT_EQ(never.at, SimTime(290s));
}

TEST(KubeletProbes, WithoutProbesThereIsNothingToFind) {
  EXPECT_EQ(next_probe_result(Container{}, true, SimTime{}, SimTime{}, SimTime(5s)).what, What::kNothing);
}

}  // namespace
}  // namespace sim::k8s::kubelet

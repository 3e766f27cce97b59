// Every kind of element of the topology can break, as a whole, and as one of two.
#include <gtest/gtest.h>

#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace testing_support;

std::string scenario(const std::string& elements, const std::string& more = {}) {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: elements}
run: {until: 40m, warmUp: 1m}
topology:
  region-1: {kind: region}
  zone-1: {kind: zone, in: region-1}
  feed-a: {kind: power-feed}
  feed-b: {kind: power-feed}
  switch-a: {kind: switch}
  switch-b: {kind: switch}
  rack-a: {kind: rack, in: zone-1, power: [feed-a], network: [switch-a]}
  rack-b: {kind: rack, in: zone-1, power: [feed-a, feed-b], network: [switch-a, switch-b]}
pools:
  control: {count: 1, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  a: {count: 2, nodeName: "a{n}", cpu: 8, memory: 16Gi, racks: [rack-a], boot: {median: 2m}}
  b: {count: 2, nodeName: "b{n}", cpu: 8, memory: 16Gi, racks: [rack-b], boot: {median: 2m}}
faults:
  f: {kind: element-down, at: 2m, duration: 10m, elements: )" + elements + more + "}\n";
}

struct ElementCase {
  std::string_view name;
  std::string elements;
  std::string more;
  std::size_t crashed;       // machines that lose their power
  std::size_t disconnected;  // ... their network alone
};
void PrintTo(const ElementCase& c, std::ostream* out) { *out << c.name; }

const ElementCase kCases[] = {
    {"a region", "[region-1]", "", 4, 0},
    {"a zone", "[zone-1]", "", 4, 0},
    {"a rack", "[rack-a]", "", 2, 0},
    {"a rack, its network alone", "[rack-a]", ", loses: network", 0, 2},
    {"a power feed that one rack has another one beside", "[feed-a]", "", 2, 0},
    {"both power feeds", "[feed-a, feed-b]", "", 4, 0},
    {"a switch that one rack has another one beside", "[switch-a]", "", 0, 2},
    {"both switches", "[switch-a, switch-b]", "", 0, 4},
    {"a host", "[a1]", "", 1, 0},
    {"a host's network", "[a1]", ", loses: network", 0, 1},
};

class ElementDownTest : public testing::TestWithParam<ElementCase> {};
TEST_P(ElementDownTest, TakesWhatHasNoOther) {
  const ElementCase& c = GetParam();
  const RunOutcome outcome = run(scenario(c.elements, c.more));
  ASSERT_NE(outcome.world, nullptr);
  EXPECT_EQ(count(outcome, "HostCrashed") + count(outcome, "HostPoweredOff"), c.crashed) << log_text(outcome);
  EXPECT_EQ(count(outcome, "HostNetworkLost"), c.disconnected) << log_text(outcome);
  EXPECT_EQ(count(outcome, "NodeNotReady", "Node/cp-1"), 0u);
  for (const char* node : {"a1", "a2", "b1", "b2"}) {
    const auto ref = outcome.world->api.find<sim::k8s::Node>(sim::Symbol{}, outcome.world->names.find(node));
    EXPECT_EQ(outcome.world->api.get(ref)->ready, sim::k8s::ConditionStatus::kTrue) << node << " is back";
  }
}
INSTANTIATE_TEST_SUITE_P(All, ElementDownTest, testing::ValuesIn(kCases), [](const testing::TestParamInfo<ElementCase>& tested) {
  std::string name(tested.param.name);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

/// Two maintenances at once: each keeps to its own budget of one machine, and nobody sees that there are two.
TEST(TwoAtOnce, MaintenancesOfTwoPoolsOverlap) {
  const RunOutcome outcome = run(small_scenario("faults:\n  one: {kind: planned-maintenance, at: 2m, target: {nodes: [w1]}, action: power-off, offFor: 30m}\n"
                                                "  two: {kind: planned-maintenance, at: 5m, target: {nodes: [w2]}, action: power-off, offFor: 30m}\n",
                                                "{until: 3h, warmUp: 1m}"));
  const auto off = records(outcome, "MaintenancePowerOff");
  const auto finished = records(outcome, "MaintenanceFinished");
  ASSERT_EQ(off.size(), 2u) << log_text(outcome);
  ASSERT_EQ(finished.size(), 2u);
  EXPECT_LT(off[1]->time, finished[0]->time) << "both are off at the same time";
}

}  // namespace
}  // namespace chaos

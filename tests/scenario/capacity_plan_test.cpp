#include "sim/scenario/capacity_plan.hpp"

#include <gtest/gtest.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <memory>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

namespace fs = std::filesystem;

std::string base(const std::string& plan) {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
topology: {rack-a: {kind: rack}}
pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  big: {count: 1, cpu: 16, memory: 64Gi}
  bare: {count: 1, node: false, cpu: 16, memory: 64Gi}
plan:
)" + plan;
}

struct Read {
  std::shared_ptr<const ScenarioSpec> spec;
  std::string told;
};
Read read(const std::string& plan, const std::string& name = "plan.yaml") {
  Diagnostics diagnostics;
  Read result;
  result.spec = read_scenario_text(name, base(plan), {}, diagnostics);
  result.told = diagnostics.format();
  return result;
}

TEST(CapacityPlanSection, IsRead) {
  const Read good = read(R"(
  pools: {big: {price: 1.5, min: 2, max: 9}}
  existingNodes: drop
  survive: {nodes: 1, racks: 1, duringDrain: true}
  headroom: 10%
  availability: 99.95%
  longestOutage: 5m
  recovery: 2m
  expectations: 0.9
  variants: {shared: {set: ["pools.cp.taints=[]"]}}
)");
  ASSERT_NE(good.spec, nullptr) << good.told;
  const auto plan = capacity_plan(*good.spec);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->pools.size(), 1u);
  EXPECT_EQ(plan->pools[0].name, "big");
  EXPECT_DOUBLE_EQ(plan->pools[0].price, 1.5);
  EXPECT_EQ(plan->pools[0].least, 2);
  EXPECT_EQ(plan->pools[0].most, 9);
  EXPECT_EQ(plan->existing, CapacityPlanSpec::Nodes::kDrop);
  EXPECT_EQ(plan->survive.nodes, 1);
  EXPECT_TRUE(plan->survive.during_drain);
  EXPECT_DOUBLE_EQ(plan->headroom, 0.1);
  EXPECT_DOUBLE_EQ(*plan->availability, 0.9995);
  EXPECT_TRUE(plan->needs_runs());
  EXPECT_EQ(plan->variants[0].set[0].text, "pools.cp.taints=[]");
  EXPECT_FALSE(capacity_plan(*read_scenario_text("x.yaml", "apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {cp: {count: 1, controlPlane: true}}\n", {}, *std::make_unique<Diagnostics>())));
}

TEST(CapacityPlanSection, TellsWhatIsWrongWithItsPlace) {
  struct Case {
    const char* name;
    const char* plan;
    const char* told;
  };
  const Case cases[] = {
      {"no such pool", "  pools: {bigg: {price: 1}}\n", "there is no pool 'bigg'"},
      {"the nearest name", "  pools: {bigg: {price: 1}}\n", "did you mean 'big'?"},
      {"where", "  pools: {bigg: {price: 1}}\n", "plan.yaml:9:11: error"},
      {"no nodes", "  pools: {bare: {price: 1}}\n", "are no nodes"},
      {"no price", "  pools: {big: {max: 3}}\n", "price"},
      {"price 0", "  pools: {big: {price: 0}}\n", "above 0"},
      {"bounds crossed", "  pools: {big: {price: 1, min: 5, max: 4}}\n", "'min' 5 is above 'max' 4"},
      {"nothing to buy", "  mix: 2\n", "nothing to choose from"},
      {"no zones", "  pools: {big: {price: 1}}\n  survive: {zones: 1}\n", "has no zones"},
      {"unknown key", "  pools: {big: {price: 1}}\n  avalability: 99%\n", "did you mean 'availability'?"},
      {"a whole headroom", "  pools: {big: {price: 1}}\n  headroom: 100%\n", "leaves no room"},
      {"more than mix", "  mix: 1\n  pools: {big: {price: 1, min: 1}, cp: {price: 1, min: 1}}\n", "'mix' allows 1"},
      {"no override", "  pools: {big: {price: 1}}\n  variants: {x: {set: [nonsense]}}\n", "is no override"},
      {"no service", "  pools: {big: {price: 1}}\n  services: [shop/web]\n", "web"},
      {"no file", "  instanceTypes: {file: nowhere.json}\n", "nowhere.json"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Read result = read(c.plan);
    EXPECT_EQ(result.spec, nullptr);
    EXPECT_NE(result.told.find(c.told), std::string::npos) << result.told;
  }
}

class InstanceTypes : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fs::path("squall-types-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  Read read_types(const std::string& json, const std::string& more = "") {
    std::ofstream(folder_ / "types.json") << json;
    return read("  instanceTypes: {file: types.json" + more + "}\n", (folder_ / "plan.yaml").string());
  }
  fs::path folder_;
};

// Facts of Karpenter's file: prices and zones of two of its types.
constexpr const char* kTypes = R"([
 {"name": "c-1x-amd64-linux", "architecture": "amd64", "operatingSystems": ["linux"],
  "resources": {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "20Gi", "pods": "16"},
  "offerings": [
   {"Price": 0.019, "Available": true, "Requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}, {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["test-zone-a"]}]},
   {"Price": 0.027, "Available": true, "Requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}, {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["test-zone-a"]}]},
   {"Price": 0.031, "Available": true, "Requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}, {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["test-zone-b"]}]},
   {"Price": 0.001, "Available": false, "Requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}, {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["test-zone-c"]}]}]},
 {"name": "m-4x-arm64-linux", "architecture": "arm64", "operatingSystems": ["linux"], "resources": {"cpu": "4", "memory": "32Gi", "pods": "64"},
  "offerings": [{"Price": 0.134, "Available": true, "Requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}, {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["test-zone-a"]}]}]}
])";

TEST_F(InstanceTypes, AreTakenFromKarpentersFile) {
  const auto types_of = [&](const std::string& more) {
    const Read result = read_types(kTypes, more);
    EXPECT_NE(result.spec, nullptr) << result.told;
    Diagnostics diagnostics;
    return read_instance_types(*capacity_plan(*result.spec)->instance_types, result.spec->file, diagnostics);
  };
  const std::vector<InstanceType> types = types_of("");
  ASSERT_EQ(types.size(), 1u);  // names: *-amd64-linux
  EXPECT_EQ(types[0].name, "c-1x-amd64-linux");
  EXPECT_NEAR(types[0].price, (0.027 + 0.031) / 2, 1e-12);
  EXPECT_EQ(types[0].zones, (std::vector<std::string>{"test-zone-a", "test-zone-b"}));
  EXPECT_EQ(types[0].memory, "2Gi");
  EXPECT_EQ(types[0].architecture, "amd64");
  EXPECT_EQ(types_of(", names: [\"*\"]").size(), 2u);
  EXPECT_EQ(types_of(", names: [\"?-4x*\"]").front().name, "m-4x-arm64-linux");
  EXPECT_NEAR(types_of(", capacityType: spot").front().price, 0.019, 1e-12);
  EXPECT_NEAR(types_of(", zones: [test-zone-b]").front().price, 0.031, 1e-12);
}

TEST_F(InstanceTypes, AreToldWhenWrong) {
  EXPECT_NE(read_types(kTypes, ", names: [z-*]").told.find("no instance type matches z-*"), std::string::npos);
  EXPECT_NE(read_types(kTypes, ", zones: [test-zone-x]").told.find("nothing is offered in the zone 'test-zone-x'"), std::string::npos);
  EXPECT_NE(read_types("{}").told.find("no list of instance types"), std::string::npos);
  EXPECT_NE(read_types("").told.find("no list of instance types"), std::string::npos);
  const std::string bad = read_types(R"([{"name": "a-amd64-linux", "offerings": [{"Price": "x"}], "resources": {"cpu": "one", "pods": "3"}}])").told;
  EXPECT_NE(bad.find("'one' is no amount of cpu"), std::string::npos) << bad;
  EXPECT_NE(bad.find("has no memory"), std::string::npos) << bad;
  EXPECT_NE(read_types(R"([{"name": "A_amd64-linux", "resources": {"cpu": "1", "memory": "1Gi"}, "offerings": []}])", ", names: [\"*\"]").told.find("cannot be the name of nodes"), std::string::npos);
  EXPECT_NE(read_types("[3]").told.find("no instance type"), std::string::npos);
}

}  // namespace
}  // namespace sim::scenario

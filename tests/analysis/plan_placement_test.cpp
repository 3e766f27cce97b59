#include "analysis/plan_placement.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "analysis/capacity_plan.hpp"
#include "analysis/capacity_plan_output.hpp"
#include "analysis/plan_search.hpp"
#include "chaos/harness.hpp"
#include "sim/core/random.hpp"
#include "sim/scenario/scenario.hpp"

namespace analysis {
namespace {

namespace scenario = sim::scenario;

std::shared_ptr<const scenario::ScenarioSpec> read(const std::string& yaml) {
  scenario::Diagnostics diagnostics;
  auto spec = scenario::read_scenario_text("plan.yaml", yaml, {}, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
  return spec;
}

constexpr const char* kHead = R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
run: {until: 30m}
topology:
  zone-a: {kind: zone}
  zone-b: {kind: zone}
  zone-c: {kind: zone}
)";

std::string deployment(const std::string& name, std::int64_t replicas, const std::string& cpu, const std::string& memory, const std::string& pod_spec = "") {
  return fmt::format(R"(- apiVersion: apps/v1
  kind: Deployment
  metadata: {{name: {0}, namespace: shop}}
  spec:
    replicas: {1}
    selector: {{matchLabels: {{app: {0}}}}}
    template:
      metadata: {{labels: {{app: {0}}}}}
      spec:
        {4}
        containers: [{{name: main, image: "x:1", resources: {{requests: {{cpu: "{2}", memory: "{3}"}}}}}}]
)",
                     name, replicas, cpu, memory, pod_spec.empty() ? "restartPolicy: Always" : pod_spec);
}

std::string alone(const std::string& name) {
  return "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {app: " + name + "}}, topologyKey: kubernetes.io/hostname}]}}";
}

TEST(PlanPlacement, CountsWhatDaemonSetsAndTheSystemTake) {
  // 4 cores, 200m reserved, 300m for the DaemonSet: 3.5 are left, so three pods of one core a node. 7 pods need three nodes.
  const auto spec = read(std::string(kHead) + R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  node: {count: 1, cpu: 4, memory: 16Gi, reserved: {cpu: 200m}}
plan: {pools: {node: {price: 2, max: 6}}}
objects:
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent, namespace: shop}
  spec:
    selector: {matchLabels: {app: agent}}
    template:
      metadata: {labels: {app: agent}}
      spec: {containers: [{name: main, image: "a:1", resources: {requests: {cpu: 300m}}}]}
)" + deployment("web", 7, "1", "1Gi"));
  const auto plan = scenario::capacity_plan(*spec);
  ASSERT_TRUE(plan);
  const PlanGround ground(*spec, *plan, {});
  const PlanPlacement placement(ground);
  EXPECT_FALSE(placement.is_good({2}));
  EXPECT_TRUE(placement.is_good({3}));
  EXPECT_FALSE(placement.bounds().may_carry({2, 1}));
  EXPECT_TRUE(placement.bounds().may_carry({3, 1}));
  const PlacementReport report = placement.report({3});
  EXPECT_EQ(report.pods, 7u);
  EXPECT_EQ(report.nodes, 4u);
  ASSERT_FALSE(report.use.empty());
  EXPECT_NEAR(report.use[0].requested, 7 + 3 * 0.3, 1e-9);
  EXPECT_NEAR(report.use[0].allocatable, 3 * 3.8, 1e-9);
  const PlacementReport short_one = placement.report({2});
  ASSERT_TRUE(short_one.first);
  EXPECT_EQ(short_one.first->pods, 1u);
  EXPECT_NE(short_one.first->message.find("Insufficient cpu"), std::string::npos) << short_one.first->message;
}

TEST(PlanPlacement, StandsLossesAndSaysWhichItDoesNot) {
  // 8 pods of one core on nodes of 4 cores: two carry them, three after the loss of one, four when another one is drained.
  const std::string pools = R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  node: {count: 1, cpu: 4, memory: 16Gi, racks: [zone-a, zone-b, zone-c]}
)";
  const auto good = [&](const std::string& survive, std::int64_t nodes) {
    const auto spec = read(std::string(kHead) + pools + "plan: {survive: " + survive + ", pools: {node: {price: 2, max: 9}}}\nobjects:\n" + deployment("web", 8, "1", "1Gi"));
    const PlanGround ground(*spec, *scenario::capacity_plan(*spec), {});
    const PlanPlacement placement(ground);
    const bool is_good = placement.is_good({nodes});
    EXPECT_TRUE(!is_good || placement.may_survive(placement.bounds(), {nodes, 1}));
    return is_good;
  };
  EXPECT_FALSE(good("{}", 1));
  EXPECT_TRUE(good("{}", 2));
  EXPECT_FALSE(good("{nodes: 1}", 2));
  EXPECT_TRUE(good("{nodes: 1}", 3));
  EXPECT_FALSE(good("{nodes: 1, duringDrain: true}", 3));
  EXPECT_TRUE(good("{nodes: 1, duringDrain: true}", 4));
  EXPECT_FALSE(good("{nodes: 2}", 3));
  EXPECT_TRUE(good("{nodes: 2}", 4));
  // 4 nodes in three zones: zone-a has two, and without them two are left. With 2 zones lost: 6 nodes leave two.
  EXPECT_TRUE(good("{zones: 1}", 4));
  EXPECT_FALSE(good("{zones: 2}", 5));
  EXPECT_TRUE(good("{zones: 2}", 6));

  const auto spec = read(std::string(kHead) + pools + "plan: {survive: {nodes: 1}, pools: {node: {price: 2, max: 9}}}\nobjects:\n" + deployment("web", 8, "1", "1Gi"));
  const PlanGround ground(*spec, *scenario::capacity_plan(*spec), {});
  const PlanPlacement placement(ground);
  const PlacementReport report = placement.report({2});
  ASSERT_TRUE(report.first);
  EXPECT_EQ(report.first->loss.nodes.size(), 1u);
  EXPECT_EQ(report.first->pods, 4u);
  EXPECT_NEAR(report.largest_node_share, 0.5, 1e-9);
  const auto broken = placement.first_loss_that_breaks({3});
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->loss.nodes.size(), 2u);
  EXPECT_NEAR(placement.loss_bound().factor, 1.0, 1e-12);
}

TEST(PlanPlacement, KeepsHeadroomOfTheWhole) {
  const auto spec = read(std::string(kHead) + R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  node: {count: 1, cpu: 4, memory: 16Gi}
plan: {headroom: 25%, pools: {node: {price: 2, max: 9}}}
objects:
)" + deployment("web", 8, "1", "1Gi"));
  const PlanGround ground(*spec, *scenario::capacity_plan(*spec), {});
  const PlanPlacement placement(ground);
  EXPECT_FALSE(placement.is_good({2}));
  EXPECT_EQ(placement.report({2}).short_of, "cpu");
  EXPECT_FALSE(placement.bounds().may_carry({2, 1}));
  EXPECT_TRUE(placement.is_good({3}));
}

/// A scenario with everything that moves the answer: affinity, taints, zones, DaemonSets, losses, headroom, nodes that are there.
std::string random_scenario(std::uint64_t seed) {
  sim::RandomStream random(seed, "test/plan", "scenario");
  const auto shapes = random.uniform_int(1, 3);
  std::string pools = fmt::format("pools:\n  cp: {{count: 1, controlPlane: true, cpu: 4, memory: 16Gi{}}}\n", random.chance(0.3) ? ", taints: []" : "");
  std::string planned;
  for (std::int64_t s = 0; s < shapes; ++s) {
    const bool has_zones = random.chance(0.6);
    const bool is_tainted = random.chance(0.25);
    pools += fmt::format("  s{}: {{count: 1, cpu: {}, memory: {}Gi, pods: {}{}{}}}\n", s, random.uniform_int(3, 12), random.uniform_int(6, 30), random.uniform_int(4, 20), has_zones ? ", racks: [zone-a, zone-b, zone-c]" : "",
                         is_tainted ? ", taints: [\"special=yes:NoSchedule\"]" : "");
    planned += fmt::format("    s{}: {{price: {}, max: {}, min: {}}}\n", s, random.uniform_int(2, 20), random.uniform_int(3, 5), random.chance(0.15) ? 1 : 0);
  }
  if (random.chance(0.3)) pools += "  there: {count: 1, cpu: 4, memory: 8Gi}\n";
  const std::string survive = random.chance(0.4) ? "{nodes: 1}" : random.chance(0.3) ? "{zones: 1}" : random.chance(0.2) ? "{nodes: 1, duringDrain: true}" : "{}";
  std::string text = std::string(kHead) + pools + fmt::format("plan:\n  mix: {}\n  tolerance: 2%\n  headroom: {}%\n  survive: {}\n  pools:\n{}objects:\n", shapes, random.chance(0.3) ? 15 : 0, survive, planned);
  const auto workloads = random.uniform_int(1, 3);
  for (std::int64_t w = 0; w < workloads; ++w) {
    const std::string name = fmt::format("w{}", w);
    std::string spec;
    if (random.chance(0.25)) spec = alone(name);
    else if (random.chance(0.3)) spec = "tolerations: [{key: special, operator: Exists}]";
    else if (random.chance(0.25)) spec = "topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: " + name + "}}}]";
    text += deployment(name, random.uniform_int(1, 5), fmt::format("{}m", random.uniform_int(3, 30) * 100), fmt::format("{}Mi", random.uniform_int(2, 60) * 100), spec);
  }
  if (random.chance(0.4)) {
    text += R"(- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent, namespace: shop}
  spec:
    selector: {matchLabels: {app: agent}}
    template:
      metadata: {labels: {app: agent}}
      spec: {containers: [{name: main, image: "a:1", resources: {requests: {cpu: 250m, memory: 200Mi}}}]}
)";
  }
  return text;
}

TEST(CapacityPlan, IsWithinItsToleranceOfEnumerationAndNeverInfeasible) {
  int feasible = 0;
  int infeasible = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const auto spec = read(random_scenario(seed));
    ASSERT_NE(spec, nullptr);
    const auto plan = scenario::capacity_plan(*spec);
    ASSERT_TRUE(plan);
    const PlanGround ground(*spec, *plan, {});
    const PlanPlacement placement(ground);
    // Every count of every pool, by the scheduler.
    std::optional<double> best;
    Counts counts(ground.pools().size(), 0);
    const std::function<void(std::size_t)> go = [&](std::size_t s) {
      if (s == counts.size()) {
        if (!placement.is_good(counts)) return;
        double cost = 0.0;
        for (std::size_t i = 0; i < counts.size(); ++i) cost += ground.pools()[i].price * static_cast<double>(counts[i]);
        if (!best || cost < *best) best = cost;
        // No condition of the bounds may rule out what the scheduler places.
        Counts with_there = counts;
        for (std::size_t i = counts.size(); i < placement.bounds().shapes().size(); ++i) with_there.push_back(placement.bounds().shapes()[i].most);
        EXPECT_TRUE(placement.bounds().may_carry(with_there));
        EXPECT_TRUE(placement.may_survive(placement.bounds(), with_there));
        return;
      }
      for (counts[s] = ground.pools()[s].least; counts[s] <= ground.pools()[s].most; ++counts[s]) go(s + 1);
    };
    go(0);
    PlanOptions options;
    options.runs = false;
    options.tests_max = 100'000;
    const CapacityPlan result = make_plan({{"", "", spec, *plan, {}}}, options);
    EXPECT_TRUE(result.variants[0].is_proven);
    ASSERT_EQ(result.chosen.has_value(), best.has_value());
    if (!best) {
      ++infeasible;
      continue;
    }
    ++feasible;
    const PlanDesign& design = result.designs[*result.chosen];
    EXPECT_TRUE(placement.is_good(design.counts));
    EXPECT_LE(design.cost, *best * 1.02 + 1e-9);
    EXPECT_GE(design.cost, *best - 1e-9);
    EXPECT_LE(result.variants[0].bound, *best * (1 + 1e-9));
  }
  EXPECT_GT(feasible, 20);
  EXPECT_GT(infeasible, 3);
}

constexpr const char* kFailing = R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  node: {count: 1, cpu: 4, memory: 16Gi}
failures: {processes: {crash: {class: node-crash, timeToFailure: {law: exponential, mean: 12h}, repair: {law: always, value: 20m}}}}
plan: {pools: {node: {price: 2, max: 9}}, horizon: 2d, replications: 8, availability: AVAILABILITY, longestOutage: LONGEST}
objects:
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
)";

std::string failing(const std::string& availability, const std::string& longest) {
  std::string text = kFailing;
  text.replace(text.find("AVAILABILITY"), 12, availability);
  text.replace(text.find("LONGEST"), 7, longest);
  return std::string(kHead) + text + deployment("web", 2, "1", "1Gi");
}

TEST(CapacityPlan, RunsDecideAndTheAnswerIsTheSameOnAnyNumberOfThreads) {
  const auto spec = read(failing("99.9%", "10m"));
  const auto plan = scenario::capacity_plan(*spec);
  ASSERT_TRUE(plan);
  std::string first;
  for (const std::size_t jobs : {std::size_t{1}, std::size_t{4}}) {
    PlanOptions options;
    options.jobs = jobs;
    const CapacityPlan result = make_plan({{"", "", spec, *plan, {}}}, options);
    const std::string json = plan_json({"x", "x.yaml", "", *plan, 0.95, &result});
    if (first.empty()) first = json;
    EXPECT_EQ(json, first);
    // One node carries both pods, and its crashes take the service with it.
    ASSERT_FALSE(result.designs.empty());
    ASSERT_TRUE(result.designs[0].runs);
    EXPECT_EQ(result.designs[0].counts, (Counts{1}));
    EXPECT_FALSE(result.designs[0].runs->missed.empty());
    EXPECT_GT(result.designs[0].runs->outages, 0u);
    ASSERT_TRUE(result.designs[0].runs->worst);
    EXPECT_FALSE(result.designs[0].runs->worst->why.empty());
    EXPECT_TRUE(!result.chosen || result.designs[*result.chosen].counts[0] > 1);
  }
}

TEST(CapacityPlan, SaysThatNobodyMeetsWhatCannotBeMet) {
  const auto spec = read(failing("100%", "0s"));
  const auto plan = scenario::capacity_plan(*spec);
  PlanOptions options;
  options.jobs = 2;
  const CapacityPlan result = make_plan({{"", "", spec, *plan, {}}}, options);
  EXPECT_TRUE(result.is_extended);
  for (const PlanDesign& design : result.designs) {
    ASSERT_TRUE(design.runs);
    // A longer outage was seen: that is sure.
    EXPECT_TRUE(design.runs->longest == sim::SimDuration::zero() || design.runs->is_sure);
  }
}

TEST(CapacityPlan, TellsWhatFitsNowhere) {
  const auto spec = read(std::string(kHead) + R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  node: {count: 1, cpu: 4, memory: 16Gi}
plan: {pools: {node: {price: 2, max: 9}}}
objects:
)" + deployment("huge", 1, "5", "1Gi"));
  const CapacityPlan result = make_plan({{"", "", spec, *scenario::capacity_plan(*spec), {}}}, {});
  EXPECT_FALSE(result.chosen);
  EXPECT_NE(result.variants[0].homeless.find("shop/huge"), std::string::npos);
}

TEST(Compaction, TakesNodesAwayUntilItNoLongerFits) {
  // 8 pods of one core on 5 nodes of 4 cores: two would do, in whatever order they go.
  const auto spec = read(std::string(kHead) + R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  node: {count: 5, cpu: 4, memory: 16Gi}
objects:
)" + deployment("web", 8, "1", "1Gi"));
  const Compaction result = compact(*spec, {});
  EXPECT_EQ(result.nodes, 5u);
  EXPECT_EQ(result.pods, 8u);
  ASSERT_EQ(result.kept.size(), 11u);
  for (const std::size_t kept : result.kept) EXPECT_EQ(kept, 2u);
  EXPECT_EQ(result.quantile_90, 2u);
  EXPECT_NE(result.bottleneck[0].find("Insufficient cpu"), std::string::npos);
}

/// What an imported cluster looks like: nodes of manifests, and pods that say on which they are.
std::string imported(const std::string& plan) {
  std::string text = std::string(kHead) + plan + "objects:\n";
  const auto node = [](const std::string& name, const std::string& labels, int cpu) {
    return fmt::format("- {{apiVersion: v1, kind: Node, metadata: {{name: {0}, labels: {{{1}}}}}, status: {{capacity: {{cpu: \"{2}\", memory: 64Gi, pods: \"110\"}}, allocatable: {{cpu: \"{2}\", memory: 64Gi, pods: \"110\"}}}}}}\n", name, labels, cpu);
  };
  text += "- {apiVersion: v1, kind: Node, metadata: {name: cp, labels: {node-role.kubernetes.io/control-plane: \"\"}}, spec: {taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}, "
          "status: {capacity: {cpu: \"4\", memory: 16Gi, pods: \"110\"}, allocatable: {cpu: \"4\", memory: 16Gi, pods: \"110\"}}}\n";
  for (int n = 1; n <= 4; ++n) text += node(fmt::format("old-{}", n), "", 16);
  for (int n = 1; n <= 4; ++n) {
    text += fmt::format("- {{apiVersion: v1, kind: Pod, metadata: {{name: p{0}, namespace: shop}}, spec: {{nodeName: old-{0}, containers: [{{name: m, image: x, resources: {{requests: {{cpu: \"6\"}}}}}}]}}, status: {{phase: Running}}}}\n", n);
  }
  return text;
}

TEST(Compaction, PacksPodsThatAreBoundFromScratch) {
  // Four pods of 6 cores, each on a node of 16 of its own: two nodes would do.
  const Compaction result = compact(*read(imported("")), {});
  EXPECT_EQ(result.nodes, 4u);
  EXPECT_EQ(result.quantile_90, 2u);
}

TEST(CapacityPlan, KeepsOrDropsTheNodesThatThereAre) {
  for (const bool drops : {false, true}) {
    const auto spec = read(imported(fmt::format("pools: {{new: {{count: 0, cpu: 8, memory: 32Gi}}}}\nplan: {{existingNodes: {}, pools: {{new: {{price: 1, max: 9}}}}}}\n", drops ? "drop" : "keep")));
    ASSERT_NE(spec, nullptr);
    const CapacityPlan result = make_plan({{"", "", spec, *scenario::capacity_plan(*spec), {}}}, {});
    ASSERT_TRUE(result.chosen);
    // A node of 8 cores takes one of them.
    EXPECT_EQ(result.designs[*result.chosen].counts[0], drops ? 4 : 0);
    EXPECT_EQ(result.designs[*result.chosen].placement.nodes, 5u);
  }
}

TEST(PlanPlacement, PodsThatAreBoundLookForAPlaceAfterALoss) {
  // Three nodes of 16 cores take two pods of 6 each: any one may go. Of two that may go the two left have room for four pods.
  const auto spec = read(imported("pools: {new: {count: 0, cpu: 8, memory: 32Gi}}\nplan: {survive: {nodes: 3}, pools: {new: {price: 1, max: 9}}}\n"));
  const PlanGround ground(*spec, *scenario::capacity_plan(*spec), {});
  const PlanPlacement placement(ground);
  const PlacementReport report = placement.report({0});
  ASSERT_TRUE(report.first);
  EXPECT_EQ(report.first->loss.nodes.size(), 3u);
  EXPECT_EQ(report.first->pods, 2u);
  EXPECT_NE(report.first->message.find("Insufficient cpu"), std::string::npos) << report.first->message;
}

TEST(Compaction, DependsOnTheOrderWhereNodesDiffer) {
  // One node of 8 cores and four of 2: with the large one kept few are needed, without it all.
  const auto spec = read(std::string(kHead) + R"(pools:
  cp: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}
  large: {count: 1, cpu: 8, memory: 16Gi}
  small: {count: 4, cpu: 2, memory: 16Gi}
objects:
)" + deployment("web", 8, "1", "1Gi"));
  CompactionOptions options;
  options.jobs = 3;
  const Compaction result = compact(*spec, options);
  ASSERT_EQ(result.kept.size(), 11u);
  for (const std::size_t kept : result.kept) {
    EXPECT_GE(kept, 1u);
    EXPECT_LE(kept, 4u);
  }
  EXPECT_NE(*std::min_element(result.kept.begin(), result.kept.end()), *std::max_element(result.kept.begin(), result.kept.end()));
  // The same on one thread.
  options.jobs = 1;
  EXPECT_EQ(compact(*spec, options).kept, result.kept);
}

}  // namespace
}  // namespace analysis

#include "sim/scenario/scheduler_configuration.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sim::scenario {
namespace {

using k8s::scheduling::ScoringStrategy;

struct Read {
  Interner names;
  Diagnostics diagnostics;
  SchedulerConfiguration configuration;

  explicit Read(const std::string& body) {
    const auto document = load_text("config.yaml", "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" + body, diagnostics);
    configuration = read_scheduler_configuration(*document, names, diagnostics);
  }
};

TEST(SchedulerConfiguration, TakesEffect) {
  Read read(R"(percentageOfNodesToScore: 30
podInitialBackoffSeconds: 2
podMaxBackoffSeconds: 20
leaderElection: {leaderElect: true}
profiles:
- schedulerName: packer
  plugins:
    score:
      disabled: [{name: ImageLocality}, {name: NodeResourcesBalancedAllocation}]
      enabled: [{name: NodeResourcesFit, weight: 5}, {name: TaintToleration}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: RequestedToCapacityRatio
        resources: [{name: cpu, weight: 3}, {name: example.com/gpu}]
        requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}
  - name: InterPodAffinity
    args: {hardPodAffinityWeight: 7, ignorePreferredTermsOfExistingPods: true}
  - name: DefaultPreemption
    args: {minCandidateNodesPercentage: 20, minCandidateNodesAbsolute: 5}
)");
  ASSERT_TRUE(read.diagnostics.empty()) << read.diagnostics.format();
  const auto& [queue, profile] = read.configuration;
  EXPECT_EQ(queue.percentage_of_nodes_to_score, 30);
  EXPECT_EQ(queue.pod_initial_backoff, std::chrono::seconds(2));
  EXPECT_EQ(queue.pod_max_backoff, std::chrono::seconds(20));
  EXPECT_EQ(read.names.text(profile.scheduler_name), "packer");
  EXPECT_EQ(profile.weights.image_locality, 0);
  EXPECT_EQ(profile.weights.balanced_allocation, 0);
  EXPECT_EQ(profile.weights.node_resources_fit, 5);
  EXPECT_EQ(profile.weights.taint_toleration, 1) << "a plugin that is enabled without a weight has 1";
  EXPECT_EQ(profile.weights.node_affinity, 2);
  EXPECT_EQ(profile.scoring.type, ScoringStrategy::Type::kRequestedToCapacityRatio);
  ASSERT_EQ(profile.scoring.resources.size(), 2u);
  EXPECT_EQ(profile.scoring.resources[0].weight, 3);
  EXPECT_EQ(profile.scoring.resources[1].weight, 1);
  ASSERT_EQ(profile.scoring.shape.size(), 2u);
  EXPECT_EQ(profile.scoring.shape[1].score, 100);
  EXPECT_EQ(profile.hard_pod_affinity_weight, 7);
  EXPECT_TRUE(profile.ignores_preferred_terms_of_existing_pods);
  EXPECT_EQ(profile.preemption_candidates_percent, 20);
  EXPECT_EQ(profile.preemption_candidates_min, 5);
}

TEST(SchedulerConfiguration, RefusesByName) {
  struct Case {
    std::string_view name;
    std::string body;
    std::string_view message;
  };
  const Case cases[] = {
      {"two profiles", "profiles: [{schedulerName: a}, {schedulerName: b}]", "a second profile is not modelled"},
      {"extenders", "extenders: [{urlPrefix: http://x}]", "extenders is not modelled"},
      {"a set of filters", "profiles: [{plugins: {filter: {disabled: [{name: NodePorts}]}}}]", "plugins.filter (score is) is not modelled"},
      {"added affinity", "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {}}}]}]", "pluginConfig of 'NodeAffinity' is not modelled"},
      {"default constraints", "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1}], defaultingType: List}}]}]",
       "PodTopologySpreadArgs.defaultConstraints is not modelled"},
      {"a misspelt key", "percentageOfNodesToScor: 30", "unknown key 'percentageOfNodesToScor'"},
      {"a score plugin that does not exist", "profiles: [{plugins: {score: {enabled: [{name: ImageLocalty}]}}}]", "the score plugin 'ImageLocalty' is not modelled"},
      {"a strategy that does not exist",
       "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Fullest}}}]}]", "unknown scoring strategy 'Fullest'"},
      {"a shape that falls back",
       "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: "
       "[{utilization: 50, score: 1}, {utilization: 10, score: 2}]}}}}]}]",
       "the points of a shape must rise in utilization"},
      {"a percentage", "percentageOfNodesToScore: 101", "wrong type of value"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Read read(one.body + "\n");
    EXPECT_TRUE(read.diagnostics.has_errors());
    EXPECT_NE(read.diagnostics.format().find(one.message), std::string::npos) << read.diagnostics.format();
  }
}

TEST(SchedulerConfiguration, OtherVersionsAndKindsAreRefused) {
  Interner names;
  Diagnostics diagnostics;
  const auto document = load_text("config.yaml", "apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n", diagnostics);
  read_scheduler_configuration(*document, names, diagnostics);
  EXPECT_NE(diagnostics.format().find("is not served"), std::string::npos) << diagnostics.format();
}

}  // namespace
}  // namespace sim::scenario

#include "sim/scenario/scheduler_configuration.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

using k8s::scheduling::ScoringStrategy;

struct Read {
  Interner names;
  Diagnostics diagnostics;
  k8s::SchedulerConfig configuration;

  explicit Read(const std::string& body, SchedulerPurpose purpose = SchedulerPurpose::kDecisions) {
    const auto document = load_text("config.yaml", "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" + body, diagnostics);
    configuration = read_scheduler_configuration(document->root(), names, purpose, {}, diagnostics);
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
  const k8s::SchedulerConfig& queue = read.configuration;
  ASSERT_EQ(queue.profiles->size(), 1u);
  const k8s::scheduling::SchedulingProfile& profile = queue.profiles->front();
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
      {"extenders", "extenders: [{urlPrefix: http://x}]", "extenders is not modelled"},
      {"a filter whose PreFilter decides too", "profiles: [{plugins: {filter: {disabled: [{name: NodeAffinity}]}}}]", "a profile without NodeAffinity at plugins.filter is not modelled"},
      {"the score of volumes", "profiles: [{pluginConfig: [{name: VolumeBinding, args: {shape: [{utilization: 0, score: 0}]}}]}]", "VolumeBinding's score (shape) is not modelled"},
      {"another order", "profiles: [{plugins: {multiPoint: {disabled: [{name: NodePorts}], enabled: [{name: NodePorts}]}}}]", "NodePorts in another place of the order is not modelled"},
      {"a plugin of one's own", "profiles: [{plugins: {multiPoint: {enabled: [{name: Coscheduling}]}}}]", "the plugin 'Coscheduling' is not modelled"},
      {"no volume binding", "profiles: [{plugins: {multiPoint: {disabled: [{name: VolumeBinding}]}}}]", "a profile without VolumeBinding is not modelled"},
      {"two profiles of one name", "profiles: [{schedulerName: a}, {schedulerName: a}]", "there is a profile of this schedulerName already"},
      {"a nameless profile among several", "profiles: [{schedulerName: a}, {}]", "a profile among several needs 'schedulerName'"},
      {"added affinity without terms", "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}}]}]",
       "required node affinity needs at least one of 'nodeSelectorTerms'"},
      {"added affinity that compares with a word",
       "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: rank, operator: Gt, values: [high]}]}}]}}}]}]",
       "'high' is no number"},
      {"added affinity for what is no label",
       "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: rank, operator: In, values: ['a b']}]}}]}}}]}]",
       "'a b' is no valid label value"},
      {"no default constraints", "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [], defaultingType: List}}]}]", "a profile without default spread constraints is not modelled"},
      {"default constraints of the system's type", "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway}]}}]}]",
       "defaultConstraints need defaultingType: List"},
      {"a default constraint with a selector",
       "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, labelSelector: {}}], defaultingType: List}}]}]",
       "takes no labelSelector"},
      {"a group with a slash", "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {ignoredResourceGroups: [a/b]}}]}]", "holds no '/'"},
      {"a ratio of another strategy",
       "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated, requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}]}}}}]}]",
       "requestedToCapacityRatio needs type: RequestedToCapacityRatio"},
      {"arguments of a plugin that is not modelled", "profiles: [{pluginConfig: [{name: DynamicResources, args: {}}]}]", "pluginConfig of 'DynamicResources' is not modelled"},
      {"plugins that are a list", "profiles: [{plugins: [a]}]", "wrong type of value"},
      {"an affinity that is a number", "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: 3}}]}]", "wrong type of value"},
      {"a client that is a number", "clientConnection: 5", "wrong type of value"},
      {"a misspelt key of leader election", "leaderElection: {leaderElct: true}", "unknown key 'leaderElct' in leaderElection"},
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

TEST(SchedulerConfiguration, ProfilesAndArgumentsOfPlugins) {
  Read read(R"(profiles:
- schedulerName: default-scheduler
  percentageOfNodesToScore: 70
  plugins:
    multiPoint: {disabled: [{name: ImageLocality}, {name: NodePorts}, {name: DynamicResources}], enabled: [{name: NodeAffinity, weight: 7}, {name: TaintToleration, weight: 9}]}
    score: {enabled: [{name: TaintToleration, weight: 4}]}
    filter: {disabled: [{name: NodeName}]}
    postFilter: {disabled: [{name: DefaultPreemption}]}
- schedulerName: second
  pluginConfig:
  - name: NodeAffinity
    args:
      addedAffinity:
        requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [batch]}]}]}
        preferredDuringSchedulingIgnoredDuringExecution: [{weight: 3, preference: {matchExpressions: [{key: disk, operator: Exists}]}}]
  - name: PodTopologySpread
    args: {defaultingType: List, defaultConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]}
  - name: NodeResourcesFit
    args: {ignoredResources: [example.com/gpu], ignoredResourceGroups: [vendor.org]}
  - name: NodeResourcesBalancedAllocation
    args: {resources: [{name: cpu}, {name: ephemeral-storage, weight: 1}]}
  - name: VolumeBinding
    args: {bindTimeoutSeconds: 60}
)");
  using k8s::scheduling::Plugin;
  ASSERT_TRUE(read.diagnostics.empty()) << read.diagnostics.format();
  ASSERT_EQ(read.configuration.profiles->size(), 2u);
  const auto& first = read.configuration.profiles->at(0);
  const auto& second = read.configuration.profiles->at(1);
  EXPECT_EQ(first.percentage_of_nodes_to_score, 70);
  EXPECT_EQ(first.weights.image_locality, 0);
  EXPECT_EQ(first.weights.node_affinity, 7);
  EXPECT_EQ(first.weights.taint_toleration, 4) << "the weight at score goes before that of multiPoint";
  for (const Plugin plugin : {Plugin::kNodePorts, Plugin::kNodeName, Plugin::kDefaultPreemption, Plugin::kImageLocality}) EXPECT_FALSE(first.has(plugin));
  for (const Plugin plugin : {Plugin::kNodeAffinity, Plugin::kTaintToleration}) EXPECT_TRUE(first.has(plugin));
  ASSERT_NE(second.added_affinity, nullptr);
  EXPECT_EQ(second.added_affinity->required_node_terms.size(), 1u);
  EXPECT_EQ(second.added_affinity->preferred_node_terms.at(0).weight, 3);
  ASSERT_TRUE(second.default_constraints.has_value());
  EXPECT_EQ(second.default_constraints->at(0).max_skew, 2);
  EXPECT_EQ(second.ignored_resources.size(), 1u);
  EXPECT_EQ(second.ignored_groups.at(0), "vendor.org");
  EXPECT_EQ(second.balanced_resources.size(), 2u);
  EXPECT_EQ(second.bind_timeout, std::chrono::seconds(60));
}

// Upstream: TestCodecsDecodePluginConfig, TestValidateFitArgs.
TEST(SchedulerConfiguration, ArgumentsOfAnotherPluginAndNamesThatAreNoneAreRefused) {
  const struct {
    std::string_view args;
    std::string_view error;
  } cases[] = {
      {"NodeResourcesFit, args: {kind: InterPodAffinityArgs}", "these are no arguments of NodeResourcesFit"},
      {"InterPodAffinity, args: {apiVersion: kubescheduler.config.k8s.io/v1beta3, kind: InterPodAffinityArgs}", "this version of arguments is not served"},
      {"NodeResourcesFit, args: {ignoredResources: [example.com/a/b]}", "'example.com/a/b' is no valid name of a resource"},
      {"NodeResourcesFit, args: {ignoredResourceGroups: ['-']}", "'-' is no valid name of a resource"},
      {"NodeResourcesFit, args: {scoringStrategy: {resources: [{name: cpu}]}}", "a scoringStrategy needs 'type'"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.args);
    const Read read("profiles: [{pluginConfig: [{name: " + std::string(one.args) + "}]}]\n");
    EXPECT_NE(read.diagnostics.format().find(one.error), std::string::npos) << read.diagnostics.format();
    EXPECT_NE(read.diagnostics.format().find("config.yaml:3:"), std::string::npos) << "the place";
  }
}

// Upstream: TestValidateKubeSchedulerConfigurationV1.
TEST(SchedulerConfiguration, TheProcessIsCheckedToo) {
  const struct {
    std::string_view line;
    std::string_view error;
  } cases[] = {
      {"parallelism: 0", "an integer from 1"},
      {"enableProfiling: maybe", "true or false"},
      {"delayCacheUntilActive: 3", "true or false"},
      {"leaderElection: {leaseDuration: 5s}", "leaseDuration must be greater than renewDeadline"},
      {"leaderElection: {renewDeadline: 15s}", "leaseDuration must be greater than renewDeadline"},
      {"leaderElection: {retryPeriod: 2}", "a duration such as 15s"},
      {"leaderElection: {leaseDuration: 1d}", "a duration such as 15s"},
      {"leaderElection: {resourceLock: configmaps}", "resourceLock must be \"leases\""},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.line);
    const Read read(std::string(one.line) + "\n");
    EXPECT_NE(read.diagnostics.format().find(one.error), std::string::npos) << read.diagnostics.format();
  }
  EXPECT_TRUE(Read("leaderElection: {leaderElect: false, leaseDuration: 5s, resourceLock: \"\"}\nparallelism: 1\n").diagnostics.empty());
}

// Everything off, and some on again: as the default profile without the rest.
TEST(SchedulerConfiguration, AllOffAndSomeOnAgain) {
  const std::string needed = "{name: PrioritySort}, {name: SchedulingGates}, {name: DefaultBinder}, ";
  const std::string head = "profiles: [{plugins: {multiPoint: {disabled: [{name: '*'}], enabled: [" + needed;
  const Read read(head + "{name: TaintToleration, weight: 5}, {name: NodeResourcesFit}, {name: VolumeRestrictions}, {name: VolumeBinding}, {name: PodTopologySpread}]}}}]\n");
  ASSERT_TRUE(read.diagnostics.empty()) << read.diagnostics.format();
  const k8s::scheduling::SchedulingProfile& profile = read.configuration.profiles->front();
  EXPECT_TRUE(profile.has(k8s::scheduling::Plugin::kTaintToleration));
  EXPECT_FALSE(profile.has(k8s::scheduling::Plugin::kNodeAffinity));
  EXPECT_FALSE(profile.has(k8s::scheduling::Plugin::kDefaultPreemption));
  EXPECT_EQ(profile.weights.taint_toleration, 5);
  EXPECT_EQ(profile.weights.node_resources_fit, 1);
  EXPECT_EQ(profile.weights.pod_topology_spread, 1) << "without the default's weight of 2";
  EXPECT_EQ(profile.weights.inter_pod_affinity, 0);
  EXPECT_EQ(profile.weights.image_locality, 0);
  const Read without(head + "{name: NodeResourcesFit}]}}}]\n");
  EXPECT_NE(without.diagnostics.format().find("a profile without PodTopologySpread is not modelled"), std::string::npos);
  const Read turned(head + "{name: NodeResourcesFit}, {name: TaintToleration}, {name: VolumeRestrictions}, {name: VolumeBinding}, {name: PodTopologySpread}]}}}]\n");
  EXPECT_NE(turned.diagnostics.format().find("TaintToleration in another place of the order is not modelled"), std::string::npos);
  const Read same("profiles: [{plugins: {queueSort: {enabled: [{name: PrioritySort}]}, bind: {enabled: [{name: DefaultBinder}]}}}]\n");
  EXPECT_TRUE(same.diagnostics.empty()) << same.diagnostics.format();
}

TEST(SchedulerConfiguration, WhatARunTakesFromElsewhereIsRefusedThere) {
  const std::string body = "leaderElection: {leaderElect: true, leaseDuration: 30s}\nclientConnection: {qps: 10}\n";
  EXPECT_FALSE(Read(body).diagnostics.has_errors());
  const Read run(body, SchedulerPurpose::kRun);
  EXPECT_NE(run.diagnostics.format().find("controlPlane.leaseDuration of the scenario says it"), std::string::npos) << run.diagnostics.format();
  EXPECT_EQ(run.configuration.client_qps, 10);
  EXPECT_EQ(run.configuration.client_burst, 100) << "as the base has it";
}

TEST(SchedulerConfiguration, OtherVersionsAndKindsAreRefused) {
  Interner names;
  Diagnostics diagnostics;
  const auto document = load_text("config.yaml", "apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n", diagnostics);
  read_scheduler_configuration(document->root(), names, SchedulerPurpose::kDecisions, {}, diagnostics);
  EXPECT_NE(diagnostics.format().find("is not served"), std::string::npos) << diagnostics.format();
}

TEST(SchedulerSection, TakesAConfigurationInPlace) {
  const std::string head = "apiVersion: squall.dev/v1alpha1\nkind: Scenario\ncontrolPlane: {external: true}\npools: {n: {count: 1}}\n";
  const std::string config = "config: {apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, percentageOfNodesToScore: 40, "
                             "profiles: [{schedulerName: default-scheduler}, {schedulerName: packer}]}";
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("s.yaml", head + "scheduler: {schedulingLatency: 1ms, " + config + "}\n", {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  EXPECT_EQ(spec->scheduler.percentage_of_nodes_to_score, 40);
  EXPECT_EQ(spec->scheduler.scheduling_latency, std::chrono::milliseconds(1)) << "what stands beside it stays";
  EXPECT_EQ(spec->scheduler.client_qps, 50) << "a configuration has kube-scheduler's defaults";
  ASSERT_NE(spec->scheduler.profiles, nullptr);
  EXPECT_EQ(spec->scheduler.profiles->size(), 2u);
  Diagnostics twice;
  EXPECT_EQ(read_scenario_text("s.yaml", head + "scheduler: {percentageOfNodesToScore: 30, " + config + "}\n", {}, twice), nullptr);
  EXPECT_NE(twice.format().find("'percentageOfNodesToScore' stands here and, as percentageOfNodesToScore, in the configuration"), std::string::npos) << twice.format();
  Diagnostics absent;
  EXPECT_EQ(read_scenario_text("s.yaml", head + "scheduler: {config: nowhere.yaml}\n", {}, absent), nullptr);
  Diagnostics number;
  EXPECT_EQ(read_scenario_text("s.yaml", head + "scheduler: {config: [1]}\n", {}, number), nullptr);
  EXPECT_NE(number.format().find("the path of a KubeSchedulerConfiguration, or a map that is one"), std::string::npos) << number.format();
}

}  // namespace
}  // namespace sim::scenario

// FlowSchemas and PriorityLevelConfigurations as manifests, and the section apiServers: what is read, and what is wrong with them.
#include <gtest/gtest.h>

#include <string>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

std::string with(const std::string& objects, const std::string& more = "") {
  return "apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {control: {count: 1, controlPlane: true}}\n" + more + "objects:\n" + objects;
}
std::string level(const std::string& spec, const std::string& name = "own", const std::string& metadata = "") {
  return "- {apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: PriorityLevelConfiguration, metadata: {name: " + name + metadata + "}, spec: {" + spec + "}}\n";
}
std::string schema(const std::string& spec, const std::string& name = "own") {
  return "- {apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: FlowSchema, metadata: {name: " + name + "}, spec: {" + spec + "}}\n";
}
std::string told(const std::string& text) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", text, {}, diagnostics);
  return diagnostics.format();
}

constexpr const char* kLimited = "type: Limited, limited: {nominalConcurrencyShares: 5, limitResponse: {type: Queue, queuing: {queues: 8, handSize: 4}}}";
const std::string kRule = "rules: [{subjects: [{kind: User, user: {name: alice}}], resourceRules: [{verbs: [list], apiGroups: [''], resources: [pods], namespaces: ['*']}]}]";

TEST(FlowControlManifests, AreReadAsTheyAre) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", with(level(kLimited) + schema("matchingPrecedence: 7, priorityLevelConfiguration: {name: own}, distinguisherMethod: {type: ByUser}, " + kRule)),
                                       {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  EXPECT_EQ(diagnostics.format(), "");
  const k8s::flow_control::Configuration all = flow_control_of(spec->objects);
  const k8s::flow_control::PriorityLevel* own = all.find_level("own");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->shares, 5);
  EXPECT_EQ(own->lendable_percent, 0);
  EXPECT_FALSE(own->borrowing_limit_percent);
  EXPECT_EQ(own->queuing.queues, 8);
  EXPECT_EQ(own->queuing.queue_length_limit, 50) << "the API's default";
  EXPECT_EQ(all.find_schema("own")->precedence, 7);
  EXPECT_EQ(all.levels.size(), 9u) << "beside the eight of every API server";
}

TEST(FlowControlManifests, BuiltInObjectsAreRestored) {
  const std::string low = "type: Limited, limited: {nominalConcurrencyShares: 1, limitResponse: {type: Reject}}";
  EXPECT_NE(told(with(level(low, "workload-low"))).find("the API server restores its own spec"), std::string::npos);
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", with(level(low, "workload-low", ", annotations: {apf.kubernetes.io/autoupdate-spec: \"false\"}")), {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  EXPECT_EQ(flow_control_of(spec->objects).find_level("workload-low")->shares, 1);
}

struct Case {
  std::string_view name;
  std::string text;
  std::string_view message;
};

TEST(FlowControlManifests, WhatIsWrongIsSaid) {
  const std::string own = "priorityLevelConfiguration: {name: own}, ";
  const Case cases[] = {
      {"no type", with(level("limited: {}")), "a PriorityLevelConfiguration needs 'type'"},
      {"another type", with(level("type: Limitd, limited: {limitResponse: {type: Reject}}")), "did you mean 'Limited'?"},
      {"exempt", with(level("type: Exempt")), "the level named 'exempt' is of type Exempt, and no other is"},
      {"no limited", with(level("type: Limited")), "a level of type Limited needs 'limited'"},
      {"percent", with(level("type: Limited, limited: {lendablePercent: 101, limitResponse: {type: Reject}}")), "an integer from 0 to 100"},
      {"no response", with(level("type: Limited, limited: {}")), "'limited' needs 'limitResponse.type'"},
      {"reject with queues", with(level("type: Limited, limited: {limitResponse: {type: Reject, queuing: {queues: 3}}}")), "a limitResponse of type Reject has no 'queuing'"},
      {"queue without queues", with(level("type: Limited, limited: {limitResponse: {type: Queue}}")), "a limitResponse of type Queue needs 'queuing'"},
      {"hand", with(level("type: Limited, limited: {limitResponse: {type: Queue, queuing: {queues: 4, handSize: 6}}}")), "hands of 6 cannot be dealt from 4 queues"},
      {"entropy", with(level("type: Limited, limited: {limitResponse: {type: Queue, queuing: {queues: 1024, handSize: 7}}}")), "hands of 7 cannot be dealt from 1024 queues"},
      {"catch-all", with(level(kLimited, "catch-all", ", annotations: {apf.kubernetes.io/autoupdate-spec: \"false\"}")), "'catch-all' cannot be changed"},
      {"twice", with(level(kLimited) + level(kLimited)), "there are two PriorityLevelConfigurations with the name 'own'"},
      {"no level", with(schema(kRule)), "a FlowSchema needs 'priorityLevelConfiguration.name'"},
      {"precedence", with(schema("matchingPrecedence: 1, " + own + kRule)), "only the schema named 'exempt' may have matchingPrecedence 1"},
      {"too high", with(schema("matchingPrecedence: 10001, " + own + kRule)), "10000"},
      {"method", with(schema("distinguisherMethod: {type: ByUsr}, " + own + kRule)), "did you mean 'ByUser'?"},
      {"no subjects", with(schema(own + "rules: [{resourceRules: [{verbs: [list], apiGroups: [''], resources: [pods], clusterScope: true}]}]")), "a rule needs 'subjects'"},
      {"subject", with(schema(own + "rules: [{subjects: [{kind: User, group: {name: a}}], nonResourceRules: [{verbs: [get], nonResourceURLs: [/metrics]}]}]")),
       "a subject of kind User has no 'group'"},
      {"no rules in the rule", with(schema(own + "rules: [{subjects: [{kind: User, user: {name: a}}]}]")), "at least one of 'resourceRules' and 'nonResourceRules'"},
      {"verb", with(schema(own + "rules: [{subjects: [{kind: User, user: {name: a}}], resourceRules: [{verbs: [lst], apiGroups: [''], resources: [pods], clusterScope: true}]}]")),
       "did you mean 'list'?"},
      {"wildcard", with(schema(own + "rules: [{subjects: [{kind: User, user: {name: a}}], resourceRules: [{verbs: ['*', get], apiGroups: [''], resources: [pods], clusterScope: true}]}]")),
       "nothing may stand beside it"},
      {"namespaces", with(schema(own + "rules: [{subjects: [{kind: User, user: {name: a}}], resourceRules: [{verbs: [get], apiGroups: [''], resources: [pods]}]}]")),
       "a resource rule without clusterScope needs 'namespaces'"},
      {"misspelt", with(level("type: Limited, limited: {nominalConcurrencyShare: 5, limitResponse: {type: Reject}}")), "nominalConcurrencyShare"},
      {"no user", with("", "apiServers: {clients: {a: {verb: get}}}\n"), "'user' is needed"},
      {"a verb that is not modelled", with("", "apiServers: {clients: {a: {user: x, verb: watch}}}\n"), "unknown verb 'watch'"},
      {"a key", with("", "apiServers: {clients: {a: {user: x, intervall: 3s}}}\n"), "did you mean 'interval'?"},
      {"an interval", with("", "apiServers: {clients: {a: {user: x, interval: 0s}}}\n"), "must be at least 1ms"},
      {"memory", with("", "apiServers: {memory: 512Mi}\n"), "memory must be more than baseMemory"},
      {"a large object", with("", "apiServers: {objectSize: 1Gi}\n"), "more than etcd takes"},
      {"no seats", with("", "apiServers: {maxRequestsInflight: 0, maxMutatingRequestsInflight: 0}\n"), "must not both be 0"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string text = told(c.text);
    EXPECT_NE(text.find(c.message), std::string::npos) << text;
    EXPECT_NE(text.find("test.yaml:"), std::string::npos) << "its place";
  }
}

}  // namespace
}  // namespace sim::scenario

#include "sim/cli/schedule_command.hpp"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "sim/cli/schedule_explain.hpp"
#include "sim/scenario/manifests.hpp"

namespace cli {
namespace {

constexpr const char* kManifests = R"(apiVersion: v1
kind: Node
metadata: {name: n1, labels: {kubernetes.io/hostname: n1}}
status: {allocatable: {cpu: "2", memory: 4Gi, pods: "10"}, capacity: {cpu: "2", memory: 4Gi, pods: "10"}}
---
apiVersion: v1
kind: Pod
metadata: {name: bound, namespace: web}
spec: {nodeName: n1, containers: [{name: c, image: app, resources: {requests: {cpu: 500m, memory: 1Gi}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: fits, namespace: web}
spec: {containers: [{name: c, image: app, resources: {requests: {cpu: 500m, memory: 1Gi}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: large, namespace: web}
spec: {containers: [{name: c, image: app, resources: {requests: {cpu: "3"}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: app, resources: {requests: {cpu: 100m}}}]}
)";

struct Scheduled {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::k8s::ApiServer api{engine, log, names};
  sim::k8s::ScheduleResult result;
  Scheduled() {
    sim::scenario::Diagnostics diagnostics;
    sim::scenario::ManifestReader reader(names, diagnostics);
    const auto document = sim::scenario::load_text("manifests.yaml", kManifests, diagnostics);
    reader.decode(*document);
    sim::scenario::store(reader.finish(), api);
    EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
    sim::k8s::expand_workloads(api);
    result = sim::k8s::schedule_all(api, sim::k8s::SchedulerConfig{}, sim::Randomness(1));
  }
};

TEST(ScheduleCommand, ExplainSaysWhatEachPluginSays) {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::k8s::ApiServer api{engine, log, names};
  sim::scenario::Diagnostics diagnostics;
  sim::scenario::ManifestReader reader(names, diagnostics);
  const auto document = sim::scenario::load_text("manifests.yaml", std::string(kManifests) + R"(---
apiVersion: v1
kind: Node
metadata: {name: n2, labels: {kubernetes.io/hostname: n2}}
spec: {unschedulable: true}
status: {allocatable: {cpu: "2", memory: 4Gi, pods: "10"}}
---
apiVersion: v1
kind: Node
metadata: {name: n3, labels: {kubernetes.io/hostname: n3}}
spec: {taints: [{key: old, effect: PreferNoSchedule}]}
status: {allocatable: {cpu: "2", memory: 4Gi, pods: "10"}}
)", diagnostics);
  reader.decode(*document);
  sim::scenario::store(reader.finish(), api);
  ScheduleExplanation explanation(names);
  sim::k8s::schedule_all(api, sim::k8s::SchedulerConfig{}, sim::Randomness(1), [&](const sim::k8s::ObservedCycle& cycle) { explanation.add(cycle); });
  rapidjson::Document json;
  json.Parse(explanation.json().c_str());
  ASSERT_FALSE(json.HasParseError());
  ASSERT_GE(json.Size(), 2u);
  const auto& fits = json[0];
  EXPECT_STREQ(fits["pod"].GetString(), "web/fits");
  const auto& cordoned = fits["nodes"]["n2"];
  EXPECT_STREQ(cordoned["verdict"]["plugin"].GetString(), "NodeUnschedulable");
  EXPECT_STREQ(cordoned["filters"]["NodeUnschedulable"]["reasons"][0].GetString(), "node(s) were unschedulable");
  // 1500m and 3 GiB left of 2 and 4 GiB, of which the pod takes 500m and 1 GiB: 50 % of each; the empty node: 75 %.
  EXPECT_EQ(fits["nodes"]["n1"]["scores"]["NodeResourcesFit"]["raw"].GetInt(), 50);
  EXPECT_EQ(fits["nodes"]["n3"]["scores"]["NodeResourcesFit"]["raw"].GetInt(), 75);
  EXPECT_EQ(fits["nodes"]["n3"]["scores"]["TaintToleration"]["raw"].GetInt(), 1);
  EXPECT_EQ(fits["nodes"]["n3"]["scores"]["TaintToleration"]["normalised"].GetInt(), 0);
  EXPECT_EQ(fits["nodes"]["n1"]["scores"]["TaintToleration"]["normalised"].GetInt(), 100);
  EXPECT_EQ(fits["nodes"]["n1"]["total"].GetInt(), 300 + 50 + 75) << "3 x TaintToleration + Fit + BalancedAllocation";
  EXPECT_STREQ(fits["node"].GetString(), "n1");
  EXPECT_NE(explanation.text().find("n1 425 = TaintToleration 3x100 (raw 0)"), std::string::npos) << explanation.text();
}

TEST(ScheduleCommand, Json) {
  const Scheduled scheduled;
  rapidjson::Document json;
  json.Parse(schedule_json(scheduled.api, scheduled.result).c_str());
  ASSERT_FALSE(json.HasParseError());
  ASSERT_EQ(json.MemberCount(), 5u);
  EXPECT_EQ(json["nodes"].GetUint64(), 1u);
  EXPECT_EQ(json["pods"].GetUint64(), 5u);
  EXPECT_EQ(json["scheduled"].GetUint64(), 4u);
  EXPECT_EQ(json["placements"].MemberCount(), 4u);
  EXPECT_STREQ(json["placements"]["web/bound"].GetString(), "n1");
  EXPECT_STREQ(json["placements"]["web/fits"].GetString(), "n1");
  ASSERT_EQ(json["pending"].Size(), 1u);
  EXPECT_STREQ(json["pending"][0]["pod"].GetString(), "web/large");
  EXPECT_STREQ(json["pending"][0]["message"].GetString(),
               "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
}

TEST(ScheduleCommand, Text) {
  const Scheduled scheduled;
  const std::string text = schedule_text(scheduled.api, scheduled.result);
  EXPECT_NE(text.find("1 node, 5 pods: 4 scheduled (1 of them bound before), 1 pending"), std::string::npos) << text;
  EXPECT_NE(text.find("cpu (cores)"), std::string::npos) << text;
  EXPECT_NE(text.find("60.0 %"), std::string::npos) << text;  // 500m + 500m + 2 x 100m of 2 cores
  EXPECT_NE(text.find("web/large"), std::string::npos) << text;
}

}  // namespace
}  // namespace cli

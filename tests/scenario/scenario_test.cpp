#include "sim/scenario/scenario.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace sim::scenario {
namespace {

namespace fs = std::filesystem;

/// A scenario that uses every section and most keys.
const std::string kSample = R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata:
  name: sample
  description: Everything at once.
  labels: {tier: test}
run:
  until: 2h
  seed: 7
  warmUp: 5m
  start: "2026-03-01T06:00:00Z"
topology:
  region-1: {kind: region}
  zone-a:
    kind: zone
    in: region-1
  feed-1: {kind: power-feed}
  feed-2: {kind: power-feed}
  tor-a: {kind: switch}
  rack-a:
    kind: rack
    in: zone-a
    power: [feed-1, feed-2]
    network: [tor-a]
  rack-b: {kind: rack, in: zone-a}
pools:
  metal:
    count: 2
    node: false
    cpu: 64
    memory: 256Gi
    racks: [rack-a, rack-b]
  control:
    count: 3
    nodeName: "cp-{n}"
    controlPlane: true
    machine: vm
    hosts: metal
    cpu: 4
    memory: 16Gi
  workers:
    count: 4
    nodeName: "w{n:3}"
    machine: bare-metal
    cpu: 16
    memory: 64Gi
    disk: 500Gi
    nic: 25Gbit/s
    pods: 250
    resources: {nvidia.com/gpu: "8"}
    reserved: {cpu: 500m, memory: 2Gi, ephemeralStorage: 10Gi}
    labels: {disk: ssd}
    taints: ["gpu=yes:NoSchedule"]
    racks: [rack-a, rack-b]
    boot: {median: 8m, sigma: 0.35}
    kubeletStart: {median: 45s, sigma: 0.5}
    fsync: 400us
    memoryExhaustion: hang
    oomStall: 20s
    hangResetAfter: 15m
    unschedulable: false
nodeDefaults: {machine: vm, nic: 1Gbit/s}
controlPlane:
  external: false
  etcd: {quota: 4Gi, electionTimeout: 2s, heartbeatInterval: 200ms, roundTrip: 1ms}
  leaseDuration: 15s
  renewDeadline: 10s
  retryPeriod: 2s
  localEndpoints: true
scheduler: {percentageOfNodesToScore: 50, podInitialBackoff: 1s, podMaxBackoff: 10s}
controllers:
  nodeMonitorPeriod: 5s
  nodeMonitorGracePeriod: 50s
  nodeEvictionRate: 0.1
  unhealthyZoneThreshold: 55%
  terminatedPodGCThreshold: 12500
kubelet: {hardEvictionMemory: 200Mi, leaseRenew: 10s, serializeImagePulls: true}
images:
  default: 100Mi
  sizes: {"nginx:1.27": 70Mi}
  registryBandwidth: 50MB/s
  preloaded: true
behaviours:
  - match: {namespace: default, labels: {app: web}}
    startUp: 3s
    startUpSigma: 0.1
    memory: 300Mi
    stopTime: 2s
  - match: {namespace: kube-system}
    runTime: 1m
    exitCode: 1
objects:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 4
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: "nginx:1.27"}
faults:
  crash: {kind: node-crash, at: 10m}
expect:
  up: {kind: service}
)";

struct Read {
  std::shared_ptr<const ScenarioSpec> spec;
  std::vector<std::string> problems;
  std::string text;
};

Read read(const std::string& text, const std::vector<Override>& overrides = {}) {
  Diagnostics diagnostics;
  Read result;
  result.spec = read_scenario_text("sample.yaml", text, overrides, diagnostics);
  for (const Diagnostic& d : diagnostics.sorted()) {
    result.problems.push_back(fmt::format("{}:{} {}{}", d.line, d.column, d.severity == Severity::kWarning ? "warning: " : "", d.message));
  }
  result.text = diagnostics.format();
  return result;
}

/// A scenario with what it needs, and more.
std::string with(const std::string& more) {
  return "apiVersion: squall.dev/v1alpha1\nkind: Scenario\ncontrolPlane: {external: true}\n" + more;
}

TEST(Scenario, ReadsEverySection) {
  const Read r = read(kSample);
  ASSERT_NE(r.spec, nullptr) << r.text;
  EXPECT_TRUE(r.problems.empty()) << r.text;
  const ScenarioSpec& s = *r.spec;
  EXPECT_EQ(s.metadata.name, "sample");
  EXPECT_EQ(s.run.until, std::chrono::hours(2));
  EXPECT_EQ(s.run.seed, 7u);
  EXPECT_EQ(s.run.warm_up, std::chrono::minutes(5));
  EXPECT_EQ(s.run.start_unix_seconds, 1772344800);
  ASSERT_EQ(s.topology.size(), 7u);
  EXPECT_EQ(s.topology[5].name, "rack-a");
  EXPECT_EQ(s.topology[5].power.size(), 2u);
  ASSERT_EQ(s.pools.size(), 3u);
  EXPECT_EQ(s.pools[1].machine_names, (std::vector<std::string>{"cp-1", "cp-2", "cp-3"}));
  EXPECT_EQ(s.pools[2].machine_names[3], "w004");
  EXPECT_EQ(s.pools[2].memory, 64ll << 30);
  EXPECT_EQ(s.pools[2].boot.median, std::chrono::minutes(8));
  EXPECT_EQ(s.pools[2].memory_exhaustion, host::MemoryExhaustion::kHang);
  EXPECT_EQ(s.control_plane.etcd.quota_bytes, 4ll << 30);
  EXPECT_EQ(s.controllers.terminated_pod_gc_threshold, 12500);
  EXPECT_EQ(s.kubelet.hard_eviction_memory, 200ll << 20);
  EXPECT_EQ(s.images.sizes.at("nginx:1.27"), 70ll << 20);
  ASSERT_EQ(s.behaviours.size(), 2u);
  EXPECT_EQ(s.behaviours[0].memory_bytes, 300ll << 20);
  EXPECT_EQ(s.objects.deployments.size(), 1u);
  EXPECT_TRUE(s.faults.find("crash").is_map());
  EXPECT_EQ(s.nodes_of_pools().size(), 2u);
  EXPECT_EQ(s.place_of("faults").line, s.faults.place().line - 1);
}

TEST(Scenario, ADefaultNameIsThatOfTheFile) {
  const Read r = read(with(""));
  ASSERT_NE(r.spec, nullptr) << r.text;
  EXPECT_EQ(r.spec->metadata.name, "sample");
}

// Every key of the sample misspelt, one at a time, and every scalar replaced by a value of another type: each is an error in its own line. Free
// text (labels, names) and what other layers read is left out.
struct Spot {
  std::uint32_t line;
  std::uint32_t column;
  std::size_t begin;
  std::size_t size;
  std::string path;
  bool is_key;
  bool is_text;
};

void collect(Node node, const std::string& path, std::vector<Spot>& spots) {
  const auto text_of = [](const std::string& p) {
    return p.find("metadata.name") != std::string::npos || p.find("description") != std::string::npos || p.ends_with("nodeName") || p.ends_with(".in") || p.find("labels.") != std::string::npos ||
           p.find("namespace") != std::string::npos || p.find("power[") != std::string::npos || p.find("network[") != std::string::npos || p.find("racks[") != std::string::npos ||
           p.ends_with("hosts") || p.find("taints[") != std::string::npos || p.find("resources.") != std::string::npos;
  };
  if (node.is_map()) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string key(node.key(i).text());
      const std::string below = path.empty() ? key : path + "." + key;
      if (below == "objects" || below == "faults" || below == "expect") continue;
      const bool free_key = path == "pools" || path == "topology" || path.ends_with("labels") || path.ends_with("resources") || path.ends_with("sizes");
      if (!free_key) spots.push_back(Spot{node.key(i).line(), node.key(i).column(), node.key(i).data()->begin, key.size(), below, true, false});
      collect(node.value(i), below, spots);
    }
  } else if (node.is_sequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) collect(node.item(i), fmt::format("{}[{}]", path, i), spots);
  } else if (node.is_scalar() && node.is_plain()) {
    spots.push_back(Spot{node.line(), node.column(), node.data()->begin, node.text().size(), path, false, text_of(path)});
  }
}

TEST(Scenario, EveryMisspeltKeyAndEveryWrongTypeIsToldInItsLine) {
  Diagnostics diagnostics;
  const auto document = load_text("sample.yaml", kSample, diagnostics);
  std::vector<Spot> spots;
  collect(document->root(), "", spots);
  EXPECT_GT(spots.size(), 150u);
  for (const Spot& spot : spots) {
    SCOPED_TRACE(fmt::format("{} at {}:{}", spot.path, spot.line, spot.column));
    std::string text = kSample;
    if (spot.is_key) {
      text.replace(spot.begin, spot.size, "x" + kSample.substr(spot.begin, spot.size));
    } else {
      // A list is right for no scalar; free text takes every string, but no list.
      text.replace(spot.begin, spot.size, "[[]]");
    }
    const Read r = read(text);
    EXPECT_EQ(r.spec, nullptr);
    bool in_line = false;
    for (const std::string& problem : r.problems) in_line = in_line || problem.starts_with(fmt::format("{}:{} ", spot.line, spot.column));
    EXPECT_TRUE(in_line) << r.text;
    if (spot.is_key) {
      EXPECT_NE(r.text.find("did you mean '"), std::string::npos) << r.text;
    }
    if (!spot.is_key && !spot.is_text) {
      text = kSample;
      text.replace(spot.begin, spot.size, "\"no such thing\"");
      const Read wrong = read(text);
      EXPECT_EQ(wrong.spec, nullptr) << text.substr(spot.begin - 20, 60);
      bool told = false;
      for (const std::string& problem : wrong.problems) told = told || problem.starts_with(fmt::format("{}:{} ", spot.line, spot.column));
      EXPECT_TRUE(told) << wrong.text;
    }
  }
}

TEST(Scenario, EveryTruncationIsReadOrRefused) {
  const std::string small = with("pools:\n  w: {count: 2, memory: \"8Gi\", labels: {a: b}}\nrun: {until: 5m}\nfaults: {}\n");
  for (std::size_t cut = 0; cut <= small.size(); ++cut) {
    const Read r = read(small.substr(0, cut));
    EXPECT_TRUE(r.spec != nullptr || !r.problems.empty()) << cut;
  }
}

TEST(Scenario, WhatCannotBeIsTold) {
  struct Case {
    std::string text;
    std::string error;
    std::string also;
  };
  const std::string head = "apiVersion: squall.dev/v1alpha1\nkind: Scenario\n";
  const Case cases[] = {
      {"", "0:0 the file is empty", ""},
      {"[a]\n", "1:1 not a scenario", ""},
      {with("---\nkind: Pod\n"), "5:1 a scenario file holds one document", "objects"},
      {"apiVersion: squall.dev/v2\nkind: Scenario\ncontrolPlane: {external: true}\n", "1:13 unknown apiVersion", "squall.dev/v1alpha1"},
      {"kind: Scenario\ncontrolPlane: {external: true}\n", "1:1 scenario needs the key 'apiVersion'", ""},
      {head, "1:1 there is no control plane", "controlPlane.external: true"},
      {with("pools: {c: {controlPlane: true}}\n"), "3:1 controlPlane.external excludes pools with controlPlane: true", ""},
      {with("run: {until: 1h, warmUp: 1h}\n"), "4:26 warmUp is not shorter than the run", ""},
      {with("run: {start: 2026-02-30T00:00:00Z}\n"), "4:14 '2026-02-30T00:00:00Z' is no time", "2026-01-01T00:00:00Z"},
      {with("run: {start: tomorrow}\n"), "4:14 'tomorrow' is no time", ""},
      {with("topology: {a: {kind: rack, in: b}}\n"), "4:32 element 'a' refers to the element 'b', which is not in 'topology'", ""},
      {with("topology: {rack-a: {kind: rack}, rack-b: {kind: rack, in: rack-q}}\n"), "4:59 element 'rack-b' refers to the element 'rack-q', which is not in 'topology'",
       "did you mean 'rack-a'?"},
      {with("topology: {a: {kind: rack, in: b}, b: {kind: zone, in: a}}\n"), "4:12 element 'a' needs itself, by way of others", ""},
      {with("topology: {leaf: {kind: rack, in: a}, a: {kind: rack, in: b}, b: {kind: zone, in: a}}\n"), "4:39 element 'a' needs itself, by way of others", ""},
      {with("pools: {a: {count: 600000}, b: {count: 600000}}\n"), "4:29 more than 1000000 machines in all", ""},
      {with("topology: {a: {kind: switch}, b: {kind: rack, power: [a]}}\n"), "4:55 a switch gives no power", ""},
      {with("topology: {a: {in: b}, b: {kind: rack}}\n"), "4:15 element 'a' needs the key 'kind'", ""},
      {with("pools: {w: {racks: [nowhere]}}\n"), "4:21 pool 'w' refers to the element 'nowhere', which is not in 'topology'", ""},
      {with("pools: {w: {count: 2, nodeName: x}}\n"), "4:9 nodeName of pool 'w' gives all 2 machines the same name", "{n}"},
      {with("pools: {w: {nodeName: 'W{n}'}}\n"), "4:9 'W1' is no valid name of a node (pool 'w')", ""},
      {with("pools: {w: {nodeName: 'w{i}'}}\n"), "4:9 'w{i}' in nodeName of pool 'w' is no pattern", "{n:3}"},
      {with("pools: {a: {nodeName: 'n{n}'}, b: {nodeName: 'n{n}'}}\n"), "4:32 the name 'n1' of a machine of pool 'b' is taken by a machine of pool 'a'", ""},
      {with("pools: {a: {machine: vm, hosts: metl}, metal: {node: false}}\n"), "4:33 pool 'a': there is no pool 'metl'", "did you mean 'metal'?"},
      {with("pools: {a: {hosts: metal}, metal: {node: false}}\n"), "4:20 pool 'a': 'hosts' is for machine: vm", ""},
      {with("pools: {a: {machine: vm, hosts: a}}\n"), "4:33 pool 'a': machines that carry VMs stand on no other machines", ""},
      {with("pools: {a: {taints: ['x=y']}}\n"), "4:22 'x=y' is no taint", "key=value:NoSchedule"},
      {with("pools: {a: {memory: 50Mi}}\n"), "4:9 pool 'a' has no allocatable memory: reserved memory and the eviction threshold take all of it", ""},
      {with("pools: {a: {cpu: 1e400}}\n"), "4:18 value out of range", "an amount of CPU from 0 to 1000000 cores"},
      {with("pools: {a: {cpu: 1, reserved: {cpu: 1}}}\n"), "4:9 pool 'a' reserves all of its cpu", ""},
      {with("pools: {a: {labels: {'a b': c}}}\n"), "4:9 pool 'a': 'a b' is no valid label key", ""},
      {with("pools: {a: {resources: {gpu: '1'}}}\n"), "4:9 pool 'a': 'gpu' is no name of an extended resource", ""},
      {with("images: {registryService: infra/harbor}\n"), "4:27 there is no Service 'infra/harbor'", ""},
      {with("manifests: [nothing.yaml]\n"), "4:13 there is no file 'nothing.yaml'", ""},
      {with("manifests: ['none*.yaml']\n"), "4:13 no file matches 'none*.yaml'", ""},
      {with("metadata: {description: \"a\\u001b[31m\"}\n"), "4:25 a string must not hold control characters", ""},
      {with("pools: {\"a\\u009b\": {}}\n"), "4:9 a string must not hold control characters", ""},
      {with("objects: 3\n"), "4:10 wrong type of value", "a list of Kubernetes objects"},
      {with("objects: [{kind: Pod}]\n"), "4:11 an object needs 'apiVersion'", ""},
      {with("extends: nobody.yaml\n"), "4:10 the file 'nobody.yaml' cannot be opened: No such file or directory", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Read r = read(c.text);
    EXPECT_EQ(r.spec, nullptr);
    EXPECT_EQ(r.problems, std::vector<std::string>{c.error}) << r.text;
    EXPECT_NE(r.text.find(c.also), std::string::npos) << r.text;
  }
}

/// What the model does not refuse and a kubelet would is not silent.
TEST(Scenario, AControlPlaneWithoutTheCpuThatItsPodsAskForIsTold) {
  const std::string head = "apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {c: {controlPlane: true, cpu: ";
  const Read small = read(head + "1, reserved: {cpu: 500m}}}\n");
  EXPECT_NE(small.spec, nullptr) << small.text;
  EXPECT_NE(small.text.find("warning: pool 'c' has 500m of CPU for pods, and the control plane's own ask for 650m"), std::string::npos) << small.text;
  EXPECT_EQ(read(head + "650m}}\n").text, "");
}

TEST(Scenario, AVeryLongChainOfElementsIsNoTrouble) {
  std::string text = with("topology:\n  e0: {kind: rack}\n");
  for (int i = 1; i < 20'000; ++i) text += fmt::format("  e{}: {{kind: rack, in: e{}}}\n", i, i - 1);
  const Read r = read(text);
  EXPECT_NE(r.spec, nullptr) << r.text.substr(0, 500);
}

TEST(Scenario, ABehaviourThatConcernsNobodyIsTold) {
  const std::string pod = "objects:\n- {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, image: a}]}}\n";
  const auto told = [&](const std::string& match) { return read(with(pod + "behaviours:\n- match: {" + match + "}\n  memory: 1Gi\n")); };
  for (const std::string match : {"namespace: shop", "labels: {app: web}", "namespace: kube-system, labels: {component: etcd}", "namespace: shop, labels: {job-name: x}"}) {
    EXPECT_TRUE(told(match).problems.empty()) << told(match).text;
  }
  for (const std::string match : {"namespace: shop, labels: {app: wbe}", "labels: {ap: web}", "namespace: shopp"}) {
    EXPECT_EQ(told(match).problems, std::vector<std::string>{"7:3 warning: this behaviour concerns nobody: no pod and no pod template matches"}) << told(match).text;
  }
  EXPECT_NE(told("namespace: shopp").text.find("did you mean 'shop'?"), std::string::npos);
}

TEST(Scenario, ABlockOfDocumentsKeepsItsPlaces) {
  const Read r = read(with("objects: |\n  apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n  ---\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n  spec:\n    containers: 5\nrun: {until: 1h}\n"));
  EXPECT_EQ(r.problems, std::vector<std::string>{"13:17 wrong type of value"}) << r.text;
  const Read good = read(with("objects: |\n  # first\n  apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n  ---\n  apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\nrun: {until: 1h}\n"));
  ASSERT_NE(good.spec, nullptr) << good.text;
  EXPECT_EQ(good.spec->objects.namespaces.size(), 2u);
  const Read quoted = read(with("objects: \"{apiVersion: v1, kind: Namespace, metadata: {name: a}}\"\n"));
  ASSERT_NE(quoted.spec, nullptr) << quoted.text;
  EXPECT_EQ(quoted.spec->objects.namespaces.size(), 1u);
}

TEST(Scenario, OverridesAreReadLikeTheFile) {
  const auto set = [](const char* text) { return parse_override(text).value(); };
  const Read r = read(kSample, {set("pools.workers.count=9"), set("run.until=3d"), set("topology.rack-c={kind: rack}"), set("pools.workers.taints=")});
  ASSERT_NE(r.spec, nullptr) << r.text;
  EXPECT_EQ(r.spec->pools[2].count, 9);
  EXPECT_EQ(r.spec->run.until, std::chrono::hours(72));
  EXPECT_EQ(r.spec->topology.size(), 8u);
  EXPECT_FALSE(r.spec->pools[2].taints.has_value());

  const Read wrong = read(kSample, {set("pools.workers.count=many"), set("pools.workers.cuont=1"), set("pools.wrokers.count=1"), set("pools.gpu.count=1"), set("run.until.x=1"), set("run=[")});
  EXPECT_EQ(wrong.spec, nullptr);
  EXPECT_NE(wrong.text.find("--set pools.workers.count:1:1: error: wrong type of value"), std::string::npos) << wrong.text;
  EXPECT_NE(wrong.text.find("unknown key 'cuont' in pool 'workers'"), std::string::npos) << wrong.text;
  // A misspelt pool must not become a new one: the run would look as if nothing had been asked.
  EXPECT_NE(wrong.text.find("--set pools.wrokers.count: error: there is no pool 'wrokers'"), std::string::npos) << wrong.text;
  EXPECT_NE(wrong.text.find("did you mean 'workers'?"), std::string::npos) << wrong.text;
  EXPECT_NE(wrong.text.find("to add it, set it as a whole: --set 'pools.gpu={...}'"), std::string::npos) << wrong.text;
  EXPECT_NE(wrong.text.find("--set run.until.x: error: '2h' has no keys"), std::string::npos) << wrong.text;
  EXPECT_NE(wrong.text.find("--set run: error: '[' is no YAML value"), std::string::npos) << wrong.text;
  std::string deep = "a";
  for (int i = 0; i < 60'000; ++i) deep += ".a";
  const Read too_deep = read(kSample, {Override{deep, "1"}});
  EXPECT_NE(too_deep.text.find("...' is no path such as pools.workers.count"), std::string::npos) << too_deep.text;
  EXPECT_FALSE(parse_override("novalue"));
  EXPECT_FALSE(parse_override("=x"));
  EXPECT_EQ(parse_override("a=b=c")->value, "b=c");
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / fmt::format("squall-{}-{}", testing::UnitTest::GetInstance()->current_test_info()->name(), ::getpid());
    fs::create_directories(folder_ / "sub");
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  fs::path folder_;
};

TEST_F(Files, ExtendsMergesAndKeepsThePlaces) {
  put("base.yaml", with("manifests: [objects.yaml]\nrun: {until: 1h, seed: 3}\npools:\n  a: {count: 2}\n  b: {count: 3, cpu: 2}\n"));
  put("objects.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n");
  const std::string path = put("sub/child.yaml", "extends: ../base.yaml\nrun: {until: 2h}\npools:\n  a: null\n  b: {count: 5}\n  c: {memory: 64}\n");
  Diagnostics diagnostics;
  EXPECT_EQ(read_scenario(path, {}, diagnostics), nullptr);
  ASSERT_EQ(diagnostics.error_count(), 1u) << diagnostics.format();
  EXPECT_EQ(diagnostics.sorted()[0].file, path);
  EXPECT_EQ(diagnostics.sorted()[0].line, 6u);

  put("sub/child.yaml", "extends: ../base.yaml\nrun: {until: 2h}\npools:\n  a: null\n  b: {count: 5}\n  c: {memory: 64Gi}\n");
  Diagnostics none;
  const auto spec = read_scenario(path, {}, none);
  ASSERT_NE(spec, nullptr) << none.format();
  EXPECT_EQ(spec->run.until, std::chrono::hours(2));
  EXPECT_EQ(spec->run.seed, 3u);
  ASSERT_EQ(spec->pools.size(), 2u);
  EXPECT_EQ(spec->pools[0].name, "b");
  EXPECT_EQ(spec->pools[0].count, 5);
  EXPECT_EQ(spec->pools[0].cpu_milli, 2000);
  EXPECT_EQ(spec->metadata.name, "child");
  EXPECT_EQ(spec->objects.namespaces.size(), 1u) << "paths are taken from the folder of the file in which they stand";
}

TEST_F(Files, ExtendsInACircleIsRefused) {
  put("a.yaml", "extends: b.yaml\n");
  const std::string path = put("b.yaml", "extends: a.yaml\n");
  Diagnostics diagnostics;
  EXPECT_EQ(read_scenario(path, {}, diagnostics), nullptr);
  EXPECT_NE(diagnostics.format().find("extends itself"), std::string::npos) << diagnostics.format();
}

TEST_F(Files, ManifestsFromFoldersAndPatterns) {
  put("sub/b.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n");
  put("sub/a.json", "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"a\"}}");
  put("sub/c.txt", "no manifest");
  for (const char* paths : {"[sub]", "['sub/*.yaml', sub/a.json]", "['sub/[ab].*']"}) {
    SCOPED_TRACE(paths);
    const std::string path = put("s.yaml", with(fmt::format("manifests: {}\n", paths)));
    Diagnostics diagnostics;
    const auto spec = read_scenario(path, {}, diagnostics);
    ASSERT_NE(spec, nullptr) << diagnostics.format();
    EXPECT_EQ(spec->objects.namespaces.size(), 2u);
  }
  Diagnostics diagnostics;
  EXPECT_EQ(read_scenario((folder_ / "absent.yaml").string(), {}, diagnostics), nullptr);
  EXPECT_EQ(diagnostics.error_count(), 1u);
}

}  // namespace
}  // namespace sim::scenario

// The hunter: forked runs are the runs from the start, what is equal is tried once, planted weaknesses are found and shrunk to their minimum.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "chaos/hunt/finding_file.hpp"
#include "chaos/hunt/hunter.hpp"
#include "chaos/hunt/symmetry.hpp"
#include "chaos/live_run.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos::hunt {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::shared_ptr<const sim::scenario::ScenarioSpec> read(const std::string& text) {
  sim::scenario::Diagnostics diagnostics;
  auto spec = sim::scenario::read_scenario_text("hunted.yaml", text, {}, diagnostics);
  if (spec != nullptr) check_scenario(*spec, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
  return spec;
}

Plan plan_of(const sim::scenario::ScenarioSpec& spec) {
  sim::scenario::Diagnostics ignored;
  return read_plan(spec, ignored);
}

struct Found {
  std::shared_ptr<const sim::scenario::ScenarioSpec> spec;
  std::unique_ptr<Hunter> hunter;
  HuntResult result;
  /// "drain w1 + drain w2" of each finding.
  std::vector<std::string> faults() const {
    std::vector<std::string> all;
    for (const Finding& finding : result.findings) {
      std::string text;
      for (const PlannedFault& fault : finding.shrunk ? finding.minimal : finding.found) text += (text.empty() ? "" : " + ") + hunter->actions()[fault.action].text();
      all.push_back(std::move(text));
    }
    return all;
  }
};

Found hunt_in(const std::string& text, HuntOptions options) {
  Found found;
  found.spec = read(text);
  found.hunter = std::make_unique<Hunter>(*found.spec, std::move(options));
  found.result = found.hunter->hunt();
  return found;
}

// ---- Forks --------------------------------------------------------------------------------------------------------

TEST(HuntFork, IsTheRunFromTheStart) {
  const auto spec = read(testing_support::small_scenario(R"(faults:
  own: {kind: node-reboot, at: 4m, target: {nodes: [w4]}}
expect:
  web: {kind: service, namespace: shop, service: web, availability: 99.9%}
)"));
  const Plan plan = plan_of(*spec);
  const std::unique_ptr<sim::World> world = LiveRun::build(*spec, 1);
  std::vector<Action> actions = list_actions(*world, *spec, {});
  ASSERT_GT(actions.size(), 50u);

  // One of each kind, at several times; pairs of them, at once and one after the other.
  std::vector<Trial> trials;
  std::string before;
  std::vector<std::uint32_t> of_kind;
  for (std::uint32_t i = 0; i < actions.size(); ++i) {
    if (actions[i].kind != before) of_kind.push_back(i);
    before = actions[i].kind;
  }
  ASSERT_GT(of_kind.size(), 15u);
  for (const std::uint32_t i : of_kind) {
    for (const SimDuration at : {SimDuration(seconds(90)), SimDuration(minutes(4)), SimDuration(std::chrono::milliseconds(240'001))}) trials.push_back({{i, at, actions[i].length}});
  }
  for (std::size_t i = 0; i + 1 < of_kind.size(); ++i) {
    trials.push_back({{of_kind[i], minutes(5), actions[of_kind[i]].length}, {of_kind[i + 1], minutes(5), actions[of_kind[i + 1]].length}});
    trials.push_back({{of_kind[i], minutes(2), SimDuration(seconds(50))}, {of_kind[i + 1], minutes(7), actions[of_kind[i + 1]].length}});
    if (!actions[of_kind[i]].length) trials.back()[0].length.reset();
  }
  std::vector<TrialRequest> forked;
  std::vector<TrialRequest> fresh;
  for (const Trial& trial : trials) {
    forked.push_back({trial, 7, false, false});
    fresh.push_back({trial, 7, true, false});
  }
  RunnerOptions options;
  options.jobs = 3;
  TrialRunner runner(*spec, plan, actions, options);
  const std::vector<TrialResult> a = runner.run(forked, {});
  const std::vector<TrialResult> b = runner.run(fresh, {});
  EXPECT_GT(runner.forked(), trials.size() * 8 / 10);
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    SCOPED_TRACE(fault_text(actions[trials[i][0].action], trials[i][0]));
    ASSERT_TRUE(a[i].ran && b[i].ran);
    EXPECT_EQ(a[i].crash + b[i].crash, "");
    EXPECT_EQ(a[i].hash, b[i].hash);
    EXPECT_EQ(a[i].events, b[i].events);
    EXPECT_EQ(a[i].strain, b[i].strain);
    hashes.insert(a[i].hash);
  }
  EXPECT_GT(hashes.size(), trials.size() * 8 / 10) << "the faults do something, and not the same";
}

TEST(HuntFork, IsTheRunThatAScenarioFileGives) {
  const std::string own = "faults:\n  own: {kind: node-reboot, at: 4m, target: {nodes: [w4]}}\n";
  const auto spec = read(testing_support::small_scenario(own));
  const Plan plan = plan_of(*spec);
  const std::vector<Action> actions = {{"node-crash", "w1", "target: {nodes: [w1]}", minutes(3), "duration", "w1", false}};
  TrialRunner runner(*spec, plan, actions, {});
  const std::vector<TrialResult> results = runner.run({{{{0, minutes(6), minutes(3)}}, 5, false, false}}, {});
  const auto written = read(testing_support::small_scenario(own + "  node-crash-w1: {kind: node-crash, at: 6m, duration: 3m, target: {nodes: [w1]}}\n"));
  EXPECT_EQ(results[0].hash, run_scenario(*written, 5).event_log_hash);
}

TEST(HuntFork, AnEventAtTheVeryInstantOfTheFaultKeepsItsPlace) {
  // Two faults of the scenario are due when the hunted one is: its place is after theirs.
  const std::string own = "faults:\n  a: {kind: node-reboot, at: 6m, target: {nodes: [w4]}}\n  b: {kind: node-crash, at: 6m, target: {nodes: [w3]}}\n";
  const auto spec = read(testing_support::small_scenario(own));
  const Plan plan = plan_of(*spec);
  const std::vector<Action> actions = {{"node-crash", "w1", "target: {nodes: [w1]}", minutes(3), "duration", "w1", false}};
  TrialRunner runner(*spec, plan, actions, {});
  const std::vector<TrialResult> results = runner.run({{{{0, minutes(6), minutes(3)}}, 5, false, false}}, {});
  const auto written = read(testing_support::small_scenario(own + "  node-crash-w1: {kind: node-crash, at: 6m, duration: 3m, target: {nodes: [w1]}}\n"));
  EXPECT_EQ(results[0].hash, run_scenario(*written, 5).event_log_hash);
}

TEST(HuntFork, AChildThatDiesIsAResult) {
  // A job a minute for ten years: more than a second's work.
  const auto spec = read(testing_support::small_scenario("", "{until: 3650d}") + R"(  ---
  apiVersion: batch/v1
  kind: CronJob
  metadata: {name: tidy, namespace: shop}
  spec:
    schedule: "* * * * *"
    jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: tidy, image: "busybox:1.36"}]}}}}
)");
  const Plan plan = plan_of(*spec);
  const std::vector<Action> actions = {{"node-crash", "w1", "target: {nodes: [w1]}", minutes(3), "duration", "w1", false}};
  RunnerOptions options;
  options.seconds_max = 1;
  TrialRunner runner(*spec, plan, actions, options);
  // The second one: who dies leaves the others alone.
  const std::vector<TrialResult> results = runner.run({{{{0, minutes(6), minutes(3)}}, 5, true, false}, {{{0, minutes(7), minutes(3)}}, 5, true, false}}, {});
  for (const TrialResult& result : results) {
    EXPECT_TRUE(result.ran);
    EXPECT_EQ(result.crash, "no end within 1 s of processor time");
  }
#if !defined(__SANITIZE_ADDRESS__)  // whose own memory fits into no bound
  RunnerOptions narrow;
  narrow.memory_bytes = 4 << 20;
  TrialRunner small(*spec, plan, actions, narrow);
  EXPECT_EQ(small.run({{{{0, minutes(6), minutes(3)}}, 5, true, false}}, {}).front().crash, "out of memory");
#endif
}

TEST(HuntFork, StopsWhenAsked) {
  const auto spec = read(testing_support::small_scenario(""));
  const Plan plan = plan_of(*spec);
  const std::vector<Action> actions = {{"node-crash", "w1", "target: {nodes: [w1]}", minutes(3), "duration", "w1", false}};
  TrialRunner runner(*spec, plan, actions, {});
  std::vector<TrialRequest> requests;
  for (int i = 0; i < 20; ++i) requests.push_back({{{0, minutes(2) + seconds(i), minutes(3)}}, 5, false, false});
  std::size_t arrived = 0;
  const std::vector<TrialResult> results = runner.run(requests, [&] { return arrived >= 3; }, [&](std::size_t, const TrialResult&) { ++arrived; });
  const auto ran = std::count_if(results.begin(), results.end(), [](const TrialResult& result) { return result.ran; });
  EXPECT_EQ(ran, 3);
}

// ---- The space ----------------------------------------------------------------------------------------------------

TEST(HuntSpace, EqualNodesAreEqual) {
  const auto spec = read(testing_support::small_scenario(""));
  LiveRun run(*spec, plan_of(*spec), 1);
  run.advance(SimTime(minutes(2)));
  std::map<std::string, std::string> signature;
  for (const NodeSignature& one : node_signatures(run.world(), *spec)) signature[one.node] = one.signature;
  ASSERT_EQ(signature.size(), 7u);
  // Control-plane nodes are like no other; workers in another rack, or with other pods, differ.
  EXPECT_NE(signature["cp-1"], signature["cp-3"]);
  EXPECT_NE(signature["w1"], signature["w2"]);
  // Three pods of web and one of db on four workers of two racks: what is equal has equal pods.
  const auto pods_of = [&](const std::string& node) { return signature[node].substr(signature[node].find("; pods")); };
  for (const auto& [a, b] : {std::pair{"w1", "w3"}, std::pair{"w2", "w4"}}) {
    EXPECT_EQ(signature[a] == signature[b], pods_of(a) == pods_of(b)) << signature[a] << "\n" << signature[b];
  }
}

TEST(HuntSpace, MomentsLieBesideRecords) {
  const auto spec = read(testing_support::small_scenario("faults:\n  own: {kind: node-reboot, at: 4m, target: {nodes: [w4]}}\n"));
  RunOptions options;
  const RunOutcome outcome = run_scenario(*spec, 1, options);
  const Instants instants = interesting_instants(outcome.world->log, minutes(1), minutes(20), 1000);
  ASSERT_FALSE(instants.chosen.empty());
  EXPECT_EQ(instants.chosen.front().what, "nothing happens");
  EXPECT_GT(instants.classes, 4u);
  EXPECT_EQ(instants.left_out, 0u);
  bool before = false;
  for (const Instant& instant : instants.chosen) {
    EXPECT_GE(instant.at, minutes(1));
    EXPECT_LT(instant.at, minutes(20));
    EXPECT_EQ(instant.at % std::chrono::milliseconds(1), SimDuration::zero()) << "exact in a scenario file";
    before = before || (instant.what == "right before FaultInjected Fault/own" && instant.at == minutes(4) - kBeside);
  }
  EXPECT_TRUE(before);
  EXPECT_EQ(interesting_instants(outcome.world->log, minutes(1), minutes(20), 5).chosen.size(), 5u);
  EXPECT_EQ(interesting_instants(outcome.world->log, minutes(1), minutes(20), 5).left_out, instants.chosen.size() - 5);
}

TEST(HuntSpace, KindsAndElementsLimitIt) {
  const auto spec = read(testing_support::small_scenario(""));
  const std::unique_ptr<sim::World> world = LiveRun::build(*spec, 1);
  const auto texts = [&](ActionChoice choice) {
    std::vector<std::string> all;
    for (const Action& action : list_actions(*world, *spec, choice)) all.push_back(action.text());
    return all;
  };
  EXPECT_EQ(texts({{"node-crash"}, {"w1", "cp-?"}}), (std::vector<std::string>{"node-crash cp-1", "node-crash cp-2", "node-crash cp-3", "node-crash w1"}));
  EXPECT_EQ(texts({{"element-down"}, {}}), (std::vector<std::string>{"element-down zone-1", "element-down rack-a", "element-down rack-b"}));
  EXPECT_EQ(texts({{"pod-unready"}, {"shop/*"}}), (std::vector<std::string>{"pod-unready shop/web", "pod-unready shop/db"}));
  EXPECT_TRUE(texts({{"ceph-disk", "registry"}, {}}).empty());
}

/// Pods that need the label disk=ssd, which w1 and w2 have, and are kept apart.
std::string picky_scenario(const std::string& more) {
  std::string text = testing_support::small_scenario("");
  const std::string workers = "workers: {count: 4, nodeName: \"w{n}\", cpu: 8, memory: 16Gi, racks: [rack-a, rack-b]}";
  const std::size_t at = text.find(workers);
  EXPECT_NE(at, std::string::npos);
  text.insert(at, "ssd: {count: 2, nodeName: \"s{n}\", cpu: 8, memory: 16Gi, racks: [rack-a, rack-b], labels: {disk: ssd}}\n  ");
  return text + R"(  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: picky, namespace: shop}
  spec:
    replicas: 2
    selector: {matchLabels: {app: picky}}
    template:
      metadata: {labels: {app: picky}}
      spec:
        nodeSelector: {disk: ssd}
        affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {app: picky}}, topologyKey: kubernetes.io/hostname}]}}
        containers:
          - {name: picky, image: "ghcr.io/shop/picky:1", resources: {requests: {cpu: 500m, memory: 256Mi}}, readinessProbe: {httpGet: {path: /, port: 80}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: picky, namespace: shop}
  spec: {selector: {app: picky}, ports: [{port: 80}]}
)" + more;
}

TEST(HuntSpace, MistakesOfPeopleAreListed) {
  const auto spec = read(picky_scenario(""));
  const std::unique_ptr<sim::World> world = LiveRun::build(*spec, 1);
  const auto elements = [&](const char* kind) {
    std::vector<std::string> all;
    for (const Action& action : list_actions(*world, *spec, {{kind}, {}})) all.push_back(action.element);
    return all;
  };
  EXPECT_EQ(elements("node-label"), (std::vector<std::string>{"disk off s1", "disk off s2", "disk off all nodes"}));
  EXPECT_EQ(elements("scale"), (std::vector<std::string>{"shop/web to 0", "shop/web to 30", "shop/picky to 0", "shop/picky to 20", "shop/db to 0", "shop/db to 10"}));
  EXPECT_EQ(elements("api-overload"), (std::vector<std::string>{"agents", "events"}));
  EXPECT_EQ(elements("cordon").size(), 9u + 3u) << "nodes and pools";
  // What the world would refuse is no fault of the scenario: rules that a workload does not have, tags where no registry is modelled.
  HuntOptions options;
  options.choice.kinds = {"workload-edit"};
  Hunter hunter(*spec, options);
  hunter.survey();
  std::vector<std::string> edits;
  for (const Action& action : hunter.actions()) edits.push_back(action.element);
  EXPECT_EQ(edits, (std::vector<std::string>{"shop/picky without anti-affinity", "shop/picky without node-selector", "shop/picky without readiness-probe"}));
}

TEST(HuntFork, OfMistakesOfPeopleIsTheRunFromTheStart) {
  const auto spec = read(picky_scenario(""));
  const Plan plan = plan_of(*spec);
  const std::unique_ptr<sim::World> world = LiveRun::build(*spec, 1);
  const std::vector<Action> actions = list_actions(*world, *spec, {{"scale", "node-label", "api-overload", "cordon", "node-taint", "disk-fill"}, {"shop/picky*", "disk*", "s1", "agents", "events"}});
  ASSERT_EQ(actions.size(), 2u + 3u + 2u + 1u + 1u + 1u);
  std::vector<TrialRequest> requests;
  for (const bool from_start : {false, true}) {
    for (std::uint32_t i = 0; i < actions.size(); ++i) requests.push_back({{{i, minutes(6), minutes(5)}}, 3, from_start, false});
  }
  TrialRunner runner(*spec, plan, actions, {});
  const std::vector<TrialResult> results = runner.run(requests, {});
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    SCOPED_TRACE(actions[i].text());
    EXPECT_EQ(results[i].crash, "");
    EXPECT_TRUE(results[i].not_injected.empty());
    EXPECT_EQ(results[i].hash, results[i + actions.size()].hash);
    hashes.insert(results[i].hash);
  }
  EXPECT_EQ(hashes.size(), actions.size()) << "each does something of its own";
}

TEST(HuntSpace, EveryKindIsSearchedOrNamed) {
  std::vector<std::string> all = known_kinds();
  for (const std::string& kind : kinds_left_out()) all.push_back(kind);
  std::vector<std::string> kinds = all_faults().kinds();
  std::sort(all.begin(), all.end());
  std::sort(kinds.begin(), kinds.end());
  EXPECT_EQ(all, kinds);
}

// ---- Planted weaknesses -------------------------------------------------------------------------------------------

std::string web_on(int workers, const std::string& affinity, const std::string& more, const std::string& racks = "[rack-1, rack-2, rack-3]", const std::string& more_pools = {}) {
  return fmt::format(R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {{name: planted}}
run: {{until: 1h, warmUp: 5m}}
topology:
  rack-1: {{kind: rack}}
  rack-2: {{kind: rack}}
  rack-3: {{kind: rack}}
pools:
  control: {{count: 3, nodeName: "cp-{{n}}", controlPlane: true, cpu: 4, memory: 16Gi, racks: {}}}
  workers: {{count: {}, nodeName: "w{{n}}", cpu: 8, memory: 16Gi, racks: [rack-1, rack-2, rack-3]}}
{}behaviours:
- match: {{namespace: shop}}
  startUp: 20s
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {{name: web, namespace: shop}}
  spec:
    replicas: 2
    selector: {{matchLabels: {{app: web}}}}
    template:
      metadata: {{labels: {{app: web}}}}
      spec:
        affinity: {}
        containers:
          # Without a readiness probe a pod counts for its budget before it serves, and two drains in a row take the service down all the same.
          - {{name: web, image: "web:1", resources: {{requests: {{cpu: 500m, memory: 256Mi}}}}, readinessProbe: {{httpGet: {{path: /, port: 80}}, periodSeconds: 1}}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {{name: web, namespace: shop}}
  spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
{})",
                     racks, workers, more_pools, affinity, more);
}

const char* const kApart =
    R"({podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}})";
const char* const kBudget = R"(  ---
  apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {name: web, namespace: shop}
  spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
)";
const char* const kServes = "expect:\n  web-serves: {kind: service, namespace: shop, service: web, longestOutage: 5s}\n";

HuntOptions options_for(std::size_t faults, std::vector<std::string> kinds, std::vector<std::string> elements = {}) {
  HuntOptions options;
  options.faults = faults;
  options.choice = {std::move(kinds), std::move(elements)};
  options.runner.jobs = 2;
  options.verify_seeds = 5;
  return options;
}

TEST(HuntPlanted, TwoDrainsWithoutABudget) {
  HuntOptions options = options_for(2, {"drain", "node-reboot", "pod-unready"}, {"w*"});
  options.tries_max = 400;
  const Found found = hunt_in(web_on(4, kApart, kServes), options);
  ASSERT_FALSE(found.result.findings.empty());
  // Both nodes that web stands on are drained, and nothing else is in it.
  const Finding& first = found.result.findings.front();
  ASSERT_TRUE(first.shrunk);
  ASSERT_EQ(first.minimal.size(), 2u) << found.faults().front();
  EXPECT_EQ(first.seeds_failed, first.seeds_tried);
  ASSERT_FALSE(first.whys.empty());
  EXPECT_FALSE(first.whys.front().fault.empty()) << "its chain of causes leads back to a fault";
  bool drains = false;
  for (const std::string& faults : found.faults()) drains = drains || (faults.starts_with("drain w") && faults.find(" + drain w") != std::string::npos);
  EXPECT_TRUE(drains) << fmt::format("{}", fmt::join(found.faults(), "; "));
}

TEST(HuntPlanted, TwoDrainsAreHarmlessWithABudget) {
  HuntOptions options = options_for(2, {"drain"}, {"w*"});
  options.tries_max = 400;
  const Found found = hunt_in(web_on(4, kApart, std::string(kBudget) + kServes), options);
  EXPECT_TRUE(found.result.findings.empty()) << fmt::format("{}", fmt::join(found.faults(), "; "));
  EXPECT_TRUE(found.result.exhausted);
}

TEST(HuntPlanted, AnAntiAffinityThatIsOnlyPreferred) {
  // A preference for one node, and against the others, weighs more than the wish to be apart: both replicas are together.
  const std::string spares = "  spares: {count: 3, nodeName: \"s{n}\", cpu: 8, memory: 16Gi, taints: [\"spare=yes:PreferNoSchedule\"]}\n";
  const std::string anywhere = "[rack-1, rack-2, rack-3]";
  const std::string wish = "nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [w1]}]}}]}";
  const std::string together =
      "{" + wish + ", podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}}]}}";
  const std::string apart = "{" + wish + ", podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}";
  HuntOptions options = options_for(1, {"node-crash"});
  const Found found = hunt_in(web_on(1, together, kServes, anywhere, spares), [&] {
    HuntOptions one = options;
    one.tries_max = 100;
    return one;
  }());
  ASSERT_EQ(found.faults(), std::vector<std::string>{"node-crash w1"});
  const Finding& finding = found.result.findings.front();
  ASSERT_TRUE(finding.shrunk);
  // 30 minutes at first; a boot alone takes longer than the 5 s that are allowed.
  EXPECT_EQ(*finding.minimal[0].length, SimDuration(seconds(1)));
  EXPECT_GT(finding.minimal[0].at, minutes(50)) << "as late as the run lets it";
  options.tries_max = 100;
  EXPECT_TRUE(hunt_in(web_on(1, apart, kServes, anywhere, spares), options).result.findings.empty());
}

TEST(HuntPlanted, ALabelThatNobodyPutsBack) {
  // Pods that run stay where a label was taken off; whoever is deleted then finds no node.
  HuntOptions options;
  options.choice = {{"node-label", "pod-delete"}, {"disk off all nodes", "shop/picky"}};
  options.tries_max = 60;
  options.findings_max = 1;
  options.verify_seeds = 2;
  const Found found = hunt_in(picky_scenario("expect:\n  picky: {kind: service, namespace: shop, service: picky, longestOutage: 3m}\n"), options);
  ASSERT_FALSE(found.result.findings.empty());
  std::set<std::string> kinds;
  for (const PlannedFault& fault : found.result.findings.front().minimal) kinds.insert(found.hunter->actions()[fault.action].text());
  EXPECT_EQ(kinds, (std::set<std::string>{"node-label disk off all nodes", "pod-delete shop/picky"}));
}

TEST(HuntPlanted, AQuorumInOneRack) {
  const std::string expect = "expect:\n  api-takes-writes: {kind: component, component: api-write, longestOutage: 2m}\n";
  HuntOptions options = options_for(1, {"element-down", "node-crash", "process-kill"}, {"rack-*", "cp-*", "etcd/*"});
  options.tries_max = 200;
  const Found found = hunt_in(web_on(3, "{}", expect, "[rack-2]"), options);
  ASSERT_EQ(found.faults(), std::vector<std::string>{"element-down rack-2"});
  EXPECT_LT(*found.result.findings.front().minimal[0].length, minutes(3)) << "the 2 minutes that the expectation allows, less what a boot takes";
  EXPECT_TRUE(hunt_in(web_on(3, "{}", expect), options).result.findings.empty());
}

// ---- Determinism and files ----------------------------------------------------------------------------------------

TEST(Hunt, TheNumberOfJobsDoesNotMatter) {
  const auto outcome = [](std::size_t jobs, std::uint64_t tries) {
    HuntOptions options = options_for(2, {"node-crash", "drain", "pod-delete", "process-kill"});
    options.exhaustive_max = 50;  // so that it goes on at random
    options.tries_max = tries;
    options.runner.jobs = jobs;
    options.findings_max = 3;
    const Found found = hunt_in(web_on(4, kApart, kServes), options);
    std::string text = fmt::format("{} tries, {} states, {} events\n", found.result.tries, found.result.states, found.result.events);
    for (const Finding& finding : found.result.findings) text += fmt::format("{} {} {} {} {}\n", finding.hash, finding.at_try, finding.hits, finding.signature, finding.seeds_failed);
    return text;
  };
  const std::string one = outcome(1, 150);
  EXPECT_EQ(one, outcome(4, 150));
  EXPECT_NE(one, outcome(2, 40));
}

TEST(Hunt, WhatIsBrokenAlreadyIsNotSearchedFor) {
  HuntOptions options = options_for(1, {"node-reboot"}, {"w1"});
  options.tries_max = 20;
  const Found found = hunt_in(web_on(4, kApart, "expect:\n  impossible: {kind: service, namespace: shop, service: web, minServing: 7}\n"), options);
  EXPECT_TRUE(found.result.nothing_to_break);
  EXPECT_TRUE(found.result.findings.empty());
  EXPECT_EQ(found.hunter->survey().broken_already, std::vector<std::size_t>{0});
}

TEST(Hunt, AFindingAsAFileIsTheSameRun) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "hunt-finding";
  std::filesystem::create_directories(folder);
  for (const char* own : {"faults:\n  own: {kind: node-reboot, at: 20m, target: {nodes: [w4]}}\n", "faults:\n- {name: own, kind: node-reboot, at: 20m, target: {nodes: [w4]}}\n"}) {
    const std::string text = web_on(4, kApart, std::string(own) + kServes);
    std::ofstream(folder / "base.yaml") << text;
    HuntOptions options = options_for(2, {"drain"}, {"w*"});
    options.tries_max = 300;
    const Found found = hunt_in(text, options);
    ASSERT_FALSE(found.result.findings.empty());
    FindingContext context;
    context.extends = "base.yaml";
    context.scenario = "planted";
    context.command = "squall hunt base.yaml";
    const std::string yaml = finding_yaml(found.result.findings.front(), *found.hunter, *found.spec, context);
    sim::scenario::Diagnostics diagnostics;
    const auto again = sim::scenario::read_scenario_text((folder / "finding.yaml").string(), yaml, {}, diagnostics);
    ASSERT_NE(again, nullptr) << diagnostics.format() << yaml;
    ASSERT_TRUE(check_scenario(*again, diagnostics)) << diagnostics.format() << yaml;
    const RunOutcome outcome = run_scenario(*again, again->run.seed);
    EXPECT_FALSE(outcome.verdict.held);
    EXPECT_EQ(outcome.event_log_hash, found.result.findings.front().hash) << yaml;
    EXPECT_EQ(again->metadata.labels.at("eventLogHash"), outcome.event_log_hash);
    EXPECT_NE(yaml.find("# web-serves: longestOutage"), std::string::npos) << yaml;
    EXPECT_NE(yaml.find("FaultInjected"), std::string::npos) << "the chain of causes stands in the comments:\n" << yaml;
  }
}

TEST(Hunt, WithoutItsOwnFaults) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "hunt-without";
  std::filesystem::create_directories(folder);
  const std::string text = web_on(4, kApart, R"(faults:
  own: {kind: drain, at: 20m, target: {nodes: [w4]}}
expect:
  own-is-done: {kind: fault-completes, fault: own}
  web-serves: {kind: service, namespace: shop, service: web, longestOutage: 5s}
)");
  std::ofstream(folder / "base.yaml") << text;
  std::vector<std::string> out;
  const std::string without = text_without_faults(*read(text), "base.yaml", out);
  EXPECT_EQ(out, std::vector<std::string>{"own-is-done"});
  sim::scenario::Diagnostics diagnostics;
  const auto spec = sim::scenario::read_scenario_text((folder / "without.yaml").string(), without, {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format() << without;
  const Plan plan = plan_of(*spec);
  EXPECT_TRUE(plan.faults.empty());
  ASSERT_EQ(plan.expectations.size(), 1u);
  EXPECT_EQ(plan.expectations[0]->name, "web-serves");
}

}  // namespace
}  // namespace chaos::hunt

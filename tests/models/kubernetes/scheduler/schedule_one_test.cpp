// Values: reference kubernetes 1.3 to 1.5 and 11 (produced by the real v1.36.3 code where marked so there).
#include "sim/models/kubernetes/scheduler/schedule_one.hpp"

#include <gtest/gtest.h>

#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

TEST(FeasibleNodesToFind, AdaptsToTheNumberOfNodes) {
  const std::pair<std::int64_t, std::int64_t> cases[] = {{50, 50},     {99, 99},     {100, 100},   {150, 100},   {250, 120},   {500, 230},  {1000, 420},
                                                         {2000, 680},  {3000, 780},  {4000, 720},  {5000, 500},  {6000, 300},  {15000, 750}};
  for (const auto& [nodes, wanted] : cases) EXPECT_EQ(feasible_nodes_to_find(nodes, 0), wanted) << nodes;
  EXPECT_EQ(feasible_nodes_to_find(1000, 30), 300);
  EXPECT_EQ(feasible_nodes_to_find(1000, 5), 100) << "at least 100";
}

TEST(SelectHost, TiesFollowTheHeap) {
  using Totals = std::vector<std::int64_t>;
  const std::pair<Totals, std::size_t> cases[] = {{{7, 7, 7}, 0}, {{5, 7, 7}, 1}, {{1, 5, 7, 7}, 3}, {{7, 9, 9, 9}, 1}, {{7, 8, 9, 9}, 3}, {{4}, 0}, {{1, 2}, 1}};
  for (const auto& [totals, winner] : cases) EXPECT_EQ(select_host(totals), winner);
}

/// Go's container/heap, step by step: what select_host() shortens.
std::size_t heap_root(const std::vector<std::int64_t>& totals) {
  std::vector<std::size_t> heap(totals.size());
  for (std::size_t i = 0; i < heap.size(); ++i) heap[i] = i;
  for (std::size_t start = heap.size() / 2; start-- > 0;) {
    for (std::size_t parent = start;;) {
      std::size_t child = 2 * parent + 1;
      if (child >= heap.size()) break;
      if (child + 1 < heap.size() && totals[heap[child + 1]] > totals[heap[child]]) ++child;
      if (totals[heap[child]] <= totals[heap[parent]]) break;
      std::swap(heap[parent], heap[child]);
      parent = child;
    }
  }
  return heap.front();
}

TEST(SelectHost, AgreesWithTheWholeHeap) {
  RandomStream random(11, "test", "select-host");
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int64_t> totals(static_cast<std::size_t>(random.uniform_int(1, 60)));
    for (std::int64_t& total : totals) total = random.uniform_int(0, 4);
    ASSERT_EQ(select_host(totals), heap_root(totals));
  }
}

TEST(SchedulingCycle, EqualNodesAreTakenInTurn) {
  // 250 equal nodes: 120 are examined a cycle, and the first of them wins.
  Cluster c;
  for (int i = 0; i < 250; ++i) c.node("n" + std::to_string(i));
  std::vector<Ref<Pod>> pods;
  for (int i = 0; i < 6; ++i) pods.push_back(c.pod("p" + std::to_string(i), c.spec(1, 1)));
  const auto state = c.state();
  std::vector<std::string> chosen;
  for (const Ref<Pod> pod : pods) {
    const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
    EXPECT_EQ(decision.nodes_examined, 120u);
    chosen.push_back(c.node_of(*state, decision));
    // Not assumed: the nodes stay equal.
  }
  EXPECT_EQ(chosen, (std::vector<std::string>{"n0", "n120", "n240", "n110", "n230", "n100"}));
}

TEST(SchedulingCycle, TheFirstNodeTooManyEndsTheSearch) {
  // 100 of 150 nodes are wanted; the cordoned ones between the 100th that fits and the next are examined too, as by a single worker.
  Cluster c;
  for (int i = 0; i < 150; ++i) c.node("n" + std::to_string(i), {.unschedulable = i >= 100 && i < 107});
  const Ref<Pod> pod = c.pod("p", c.spec(1, 1));
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
  EXPECT_EQ(decision.nodes_feasible, 100u);
  EXPECT_EQ(decision.nodes_examined, 107u);
  EXPECT_EQ(state->cycle.next_start(), 107u);
}

TEST(SchedulingCycle, TheStartStaysWhenAllNodesWereExamined) {
  Cluster c;
  for (int i = 0; i < 5; ++i) c.node("n" + std::to_string(i));
  const Ref<Pod> pod = c.pod("p", c.spec(1, 1));
  const auto state = c.state();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(c.node_of(*state, state->cycle.schedule(pod.slot, SimTime{}, 1)), "n0");
  EXPECT_EQ(state->cycle.next_start(), 0u);
}

TEST(SchedulingCycle, TotalsOfTheWorkedExample) {
  // Fit + Balanced: A 137, B 121, C 112; TaintToleration adds 300 to each.
  Cluster c;
  c.node("A", {.cpu = 4000, .memory = 8 * kGi});
  c.node("B", {.cpu = 2000, .memory = 8 * kGi});
  c.node("C", {.cpu = 8000, .memory = 16 * kGi});
  c.pod("a", c.spec(1000, 2 * kGi), {}, "A");
  c.pod("b", c.spec(500, 4 * kGi), {}, "B");
  c.pod("c", c.spec(7000, 4 * kGi), {}, "C");
  const Ref<Pod> pod = c.pod("p", c.spec(500, kGi));
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
  EXPECT_EQ(c.node_of(*state, decision), "A");
  EXPECT_EQ(state->cycle.totals(), (std::vector<std::int64_t>{437, 421, 412}));
}

TEST(SchedulingCycle, PreferNoScheduleTaintsAreNormalisedInReverse) {
  Cluster c;
  const auto soft = [&](std::string_view key) { return Taint{c.name(key), Symbol{}, TaintEffect::kPreferNoSchedule}; };
  c.node("n0");
  c.node("n1", {.taints = {soft("a")}});
  c.node("n2", {.taints = {soft("a"), soft("b")}});
  const Ref<Pod> pod = c.pod("p", c.spec());
  const auto state = c.state();
  state->cycle.schedule(pod.slot, SimTime{}, 1);
  const std::vector<std::int64_t>& totals = state->cycle.totals();
  ASSERT_EQ(totals.size(), 3u);
  EXPECT_EQ(totals[0] - totals[1], 150);
  EXPECT_EQ(totals[1] - totals[2], 150);
}

TEST(SchedulingCycle, PreferredNodeAffinityIsNormalisedToTheLargest) {
  Cluster c;
  const Ref<Node> n0 = c.node("n0");
  const Ref<Node> n1 = c.node("n1");
  c.node("n2");
  c.api.update(n0, Change::kLabels, [&](Node& node) { node.meta.labels.set(c.name("big"), c.name("1")); });
  for (const Ref<Node> node : {n0, n1}) c.api.update(node, Change::kLabels, [&](Node& object) { object.meta.labels.set(c.name("ssd"), c.name("1")); });
  auto affinity = std::make_shared<Affinity>();
  affinity->preferred_node_terms = {PreferredNodeTerm{30, NodeSelectorTerm{{c.requirement("big", SelectorOperator::kExists, {})}, {}}},
                                    PreferredNodeTerm{7, NodeSelectorTerm{{c.requirement("ssd", SelectorOperator::kExists, {})}, {}}}};
  PodSpec spec = c.spec();
  spec.affinity = affinity;
  const Ref<Pod> pod = c.pod("p", spec);
  const auto state = c.state();
  state->cycle.schedule(pod.slot, SimTime{}, 1);
  const std::vector<std::int64_t>& totals = state->cycle.totals();
  ASSERT_EQ(totals.size(), 3u);
  EXPECT_EQ(totals[0] - totals[2], 200);  // 37/37
  EXPECT_EQ(totals[1] - totals[2], 36);   // 18 = 100 * 7 / 37
}

TEST(SchedulingCycle, PreferencesThatCannotBeReadEndTheCycle) {
  // Messages of v1.36.3.
  Cluster c;
  c.node("n0");
  const Ref<Node> n1 = c.node("n1");
  struct Case {
    SelectorOperator op;
    std::string_view value;
    std::string message;
  };
  const std::string not_a_label =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
      "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
  const std::string where = "running PreScore plugin \"NodeAffinity\": [1].matchExpressions[0].values[0]";
  const std::string number = ": for 'Gt', 'Lt' operators, the value must be an integer";
  const Case cases[] = {{SelectorOperator::kGt, "5", ""},
                        {SelectorOperator::kLt, "many", where + ": Invalid value: \"many\"" + number},
                        {SelectorOperator::kGt, "", where + ": Invalid value: \"\"" + number},
                        {SelectorOperator::kGt, "99999999999999999999", where + ": Invalid value: \"99999999999999999999\"" + number},
                        {SelectorOperator::kGt, "-5", where + "[rank]: Invalid value: \"-5\": " + not_a_label},
                        {SelectorOperator::kIn, "many", ""},
                        {SelectorOperator::kIn, "a b", where + "[rank]: Invalid value: \"a b\": " + not_a_label}};
  std::vector<Ref<Pod>> pods;
  for (const Case& one : cases) {
    auto affinity = std::make_shared<Affinity>();
    affinity->preferred_node_terms = {PreferredNodeTerm{30, NodeSelectorTerm{}},
                                      PreferredNodeTerm{7, NodeSelectorTerm{{c.requirement("rank", one.op, {one.value})}, {}}}};
    PodSpec spec = c.spec();
    spec.affinity = affinity;
    pods.push_back(c.pod("p" + std::to_string(pods.size()), spec));
  }
  const auto state = c.state();
  for (std::size_t i = 0; i < pods.size(); ++i) {
    SCOPED_TRACE(cases[i].value);
    const Decision decision = state->cycle.schedule(pods[i].slot, SimTime{}, 1);
    EXPECT_EQ(decision.message, cases[i].message);
    EXPECT_EQ(decision.node == kNoNode, !cases[i].message.empty());
    EXPECT_EQ(decision.rejectors, PluginSet{0}) << "an error, which goes through the back-off of errors";
  }
  c.api.update(n1, Change::kTaints, [&](Node& node) { node.unschedulable = true; });
  const auto one_node = c.state();
  EXPECT_NE(one_node->cycle.schedule(pods[1].slot, SimTime{}, 1).node, kNoNode) << "a node that is the only one is not scored";
}

TEST(SchedulingCycle, TheMessageCountsReasonsAndSaysWhetherPreemptionHelps) {
  Cluster c;
  const std::vector<Taint> taints = {Taint{c.api.well_known().control_plane_taint, Symbol{}, TaintEffect::kNoSchedule}};
  for (int i = 0; i < 3; ++i) c.node("cp" + std::to_string(i), {.taints = taints});
  for (int i = 0; i < 2; ++i) {
    c.node("w" + std::to_string(i), {.cpu = 1000});
    c.pod("load" + std::to_string(i), c.spec(900), {}, "w" + std::to_string(i));
  }
  const Ref<Pod> pod = c.pod("p", c.spec(500));
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
  EXPECT_EQ(decision.node, kNoNode);
  EXPECT_EQ(decision.message,
            "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint(s). preemption: 0/5 nodes are available: "
            "2 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.");
  EXPECT_EQ(decision.rejectors, set_of(Plugin::kNodeResourcesFit) | set_of(Plugin::kTaintToleration));
}

TEST(SchedulingCycle, ReasonsAreSortedAsText) {
  Cluster c;
  for (int i = 0; i < 10; ++i) c.node("small" + std::to_string(i), {.cpu = 100});
  for (int i = 0; i < 2; ++i) c.node("cordoned" + std::to_string(i), {.unschedulable = true});
  const Ref<Pod> pod = c.pod("p", c.spec(500));
  const auto state = c.state();
  EXPECT_EQ(state->cycle.schedule(pod.slot, SimTime{}, 1).message,
            "0/12 nodes are available: 10 Insufficient cpu, 2 node(s) were unschedulable. preemption: 0/12 nodes are available: "
            "12 Preemption is not helpful for scheduling.");
}

TEST(SchedulingCycle, NoNodesAtAll) {
  Cluster c;
  const Ref<Pod> pod = c.pod("p", c.spec());
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(pod.slot, SimTime{}, 1);
  EXPECT_EQ(decision.message, "no nodes available to schedule pods");
  EXPECT_EQ(decision.rejectors, 0u);
}

TEST(SchedulingCycle, NodeNamesInAffinityNarrowTheSearch) {
  Cluster c;
  for (int i = 0; i < 4; ++i) c.node("n" + std::to_string(i));
  const auto pinned = [&](std::string_view pod_name, std::initializer_list<std::string_view> names, std::int64_t cpu) {
    auto affinity = std::make_shared<Affinity>();
    affinity->has_required_node_affinity = true;
    affinity->required_node_terms = {NodeSelectorTerm{{}, {c.requirement("metadata.name", SelectorOperator::kIn, names)}}};
    PodSpec spec = c.spec(cpu);
    spec.affinity = affinity;
    return c.pod(pod_name, spec);
  };
  const Ref<Pod> fits = pinned("fits", {"n2"}, 100);
  const Ref<Pod> large = pinned("large", {"n2"}, 100'000);
  const Ref<Pod> none = pinned("none", {"gone"}, 100);
  const auto state = c.state();
  const Decision decision = state->cycle.schedule(fits.slot, SimTime{}, 1);
  EXPECT_EQ(c.node_of(*state, decision), "n2");
  EXPECT_EQ(decision.nodes_examined, 1u);
  EXPECT_EQ(state->cycle.schedule(large.slot, SimTime{}, 1).message,
            "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/4 nodes are "
            "available: 4 Preemption is not helpful for scheduling.");
  EXPECT_EQ(state->cycle.schedule(none.slot, SimTime{}, 1).rejectors, set_of(Plugin::kNodeAffinity));
}

TEST(SchedulingCycle, ClassesGiveTheSameVerdictsAsFreshCycles) {
  // Random pods and loads on 40 nodes: a state that remembers verdicts agrees, pod by pod, with one built anew.
  Cluster c;
  RandomStream random(3, "test", "classes");
  for (int i = 0; i < 40; ++i) {
    c.node("n" + std::to_string(i), {.cpu = 1000 * random.uniform_int(2, 8), .memory = kGi * random.uniform_int(2, 16), .zone = i % 2 == 0 ? "a" : "b"});
  }
  const auto remembering = c.state();
  for (int i = 0; i < 300; ++i) {
    PodSpec spec = c.spec(100 * random.uniform_int(0, 6), 256 * kMi * random.uniform_int(0, 4));
    if (random.chance(0.3)) spec.node_selector = c.labels({{"topology.kubernetes.io/zone", "a"}});
    const Ref<Pod> pod = c.pod("p" + std::to_string(i), spec);
    remembering->cache.put_pending(pod, *c.api.get(pod));
    const auto fresh = c.state();
    const Decision expected = fresh->cycle.schedule(pod.slot, SimTime{}, 1);
    const Decision decision = remembering->cycle.schedule(pod.slot, SimTime{}, 1);
    ASSERT_EQ(c.node_of(*remembering, decision), c.node_of(*fresh, expected)) << i;
    ASSERT_EQ(decision.score, expected.score) << i;
    ASSERT_EQ(decision.message, expected.message) << i;
    if (decision.node == kNoNode) continue;
    remembering->cache.assume(pod.slot, decision.node);
    c.api.update(pod, Change::kBinding, [&](Pod& object) { object.node_name = remembering->cache.node(decision.node).name; });
  }
}

TEST(SchedulingCycle, WhoRefusedTheNominatedNodeIsNamedWithNodeAffinity) {
  // schedule_one.go, findNodesThatFitPod: the plugins of the PreFilter result are told after the nominated node was tried, which adds its rejector.
  Cluster c;
  for (const char* node : {"n0", "n1", "n2", "n3"}) c.node(node, {.cpu = 1000});
  c.pod("old", c.spec(1000), {}, "n1");
  c.pod("older", c.spec(1000), {}, "n2");
  PodSpec spec = c.spec(500);
  spec.preempts = false;
  auto affinity = std::make_shared<Affinity>();
  affinity->has_required_node_affinity = true;
  affinity->required_node_terms.push_back({{}, {c.requirement("metadata.name", SelectorOperator::kIn, {"n1", "n2"})}});
  spec.affinity = affinity;
  const Ref<Pod> pod = c.pod("p", spec);
  const auto state = c.state();
  const std::string why = " preemption: not eligible due to preemptionPolicy=Never.";
  EXPECT_EQ(state->cycle.schedule(pod.slot, SimTime{}, 1).message,
            "0/4 nodes are available: 2 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]." + why);
  state->cache.nominate(pod.slot, state->cache.find(c.name("n1")));
  EXPECT_EQ(state->cycle.schedule(pod.slot, SimTime{}, 2).message,
            "0/4 nodes are available: 2 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity NodeResourcesFit]." + why);
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

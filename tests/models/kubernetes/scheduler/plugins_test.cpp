// Plugins that look at one node at a time. Values: reference kubernetes 1.6 and 11 (worked examples; produced by the real
// v1.36.3 code where marked so there), and rows of the upstream plugins' own table tests.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/scheduler/plugins/image_locality.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_name.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_ports.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_fit.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_unschedulable.hpp"
#include "sim/models/kubernetes/scheduler/plugins/scheduling_gates.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"
#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

TEST(SchedulingGates, HoldAPodWhileThereAreAny) {
  Cluster c;
  PodSpec spec = c.spec();
  EXPECT_FALSE(scheduling_gates::is_gated(spec));
  spec.scheduling_gates = {c.name("example.com/quota")};
  EXPECT_TRUE(scheduling_gates::is_gated(spec));
}

TEST(NodeUnschedulable, Filter) {
  Cluster c;
  const WellKnown& known = c.api.well_known();
  PodSpec plain = c.spec();
  PodSpec tolerant = c.spec();
  tolerant.tolerations = {Toleration{known.unschedulable, true, Symbol{}, TaintEffect::kNoSchedule, std::nullopt}};
  PodSpec wrong_effect = c.spec();
  wrong_effect.tolerations = {Toleration{known.unschedulable, true, Symbol{}, TaintEffect::kNoExecute, std::nullopt}};
  NodeView open;
  NodeView cordoned;
  cordoned.unschedulable = true;
  EXPECT_EQ(node_unschedulable::filter(plain, open, known), kFits);
  EXPECT_EQ(node_unschedulable::filter(plain, cordoned, known), kStatusNodeUnschedulable);
  EXPECT_EQ(node_unschedulable::filter(tolerant, cordoned, known), kFits);
  EXPECT_EQ(node_unschedulable::filter(wrong_effect, cordoned, known), kStatusNodeUnschedulable);
}

TEST(NodeName, Filter) {
  Cluster c;
  PodSpec any = c.spec();
  PodSpec one = c.spec();
  one.node_name = c.name("n1");
  EXPECT_EQ(node_name::filter(any, c.name("n2")), kFits);
  EXPECT_EQ(node_name::filter(one, c.name("n1")), kFits);
  EXPECT_EQ(node_name::filter(one, c.name("n2")), kStatusNodeName);
}

struct TaintCase {
  std::string_view name;
  Taint taint;
  std::vector<Toleration> tolerations;
  bool fits;
  std::int64_t intolerable;
};

TEST(TaintToleration, FilterAndRawScore) {
  Cluster c;
  const Symbol key = c.name("dedicated");
  const Symbol value = c.name("infra");
  const Symbol other = c.name("gpu");
  const auto exists = [](Symbol k, TaintEffect effect) { return Toleration{k, true, Symbol{}, effect, std::nullopt}; };
  const auto equal = [](Symbol k, Symbol v, TaintEffect effect) { return Toleration{k, false, v, effect, std::nullopt}; };
  using enum TaintEffect;
  const TaintCase cases[] = {
      {"NoSchedule, nothing tolerated", {key, value, kNoSchedule}, {}, false, 0},
      {"NoExecute, nothing tolerated", {key, value, kNoExecute}, {}, false, 0},
      {"PreferNoSchedule only costs score", {key, value, kPreferNoSchedule}, {}, true, 1},
      {"same key and value", {key, value, kNoSchedule}, {equal(key, value, kNoSchedule)}, true, 0},
      {"another value", {key, value, kNoSchedule}, {equal(key, other, kNoSchedule)}, false, 0},
      {"Exists takes any value", {key, value, kNoSchedule}, {exists(key, kNoSchedule)}, true, 0},
      {"no effect means all effects", {key, value, kNoExecute}, {exists(key, kNone)}, true, 0},
      {"another effect", {key, value, kNoSchedule}, {exists(key, kNoExecute)}, false, 0},
      {"empty key with Exists tolerates all", {key, value, kNoSchedule}, {exists(Symbol{}, kNone)}, true, 0},
      {"empty key with Equal compares values only", {key, value, kNoSchedule}, {equal(Symbol{}, value, kNone)}, true, 0},
      {"a NoSchedule toleration does not help the score", {key, value, kPreferNoSchedule}, {exists(key, kNoSchedule)}, true, 1},
      {"a toleration of all effects does", {key, value, kPreferNoSchedule}, {exists(key, kNone)}, true, 0},
  };
  for (const TaintCase& t : cases) {
    SCOPED_TRACE(t.name);
    NodeView node;
    node.taints = {t.taint};
    PodSpec spec = c.spec();
    spec.tolerations = t.tolerations;
    EXPECT_EQ(taint_toleration::filter(spec, node), t.fits ? StatusId{kFits} : StatusId{kStatusTaint});
    EXPECT_EQ(taint_toleration::intolerable_taints(spec, node), t.intolerable);
  }
}

TEST(NodeAffinity, RequiredTerms) {
  Cluster c;
  const Labels labels = c.labels({{"zone", "a"}, {"cores", "16"}, {"disk", "ssd"}});
  const Symbol node = c.name("n1");
  using Op = SelectorOperator;
  struct Case {
    std::string_view name;
    std::vector<NodeSelectorTerm> terms;
    bool matches;
  };
  const auto expression = [](Requirement r) { return NodeSelectorTerm{{std::move(r)}, {}}; };
  const auto field = [](Requirement r) { return NodeSelectorTerm{{}, {std::move(r)}}; };
  const Case cases[] = {
      {"no terms match nothing", {}, false},
      {"an empty term matches nothing", {NodeSelectorTerm{}}, false},
      {"In", {expression(c.requirement("zone", Op::kIn, {"a", "b"}))}, true},
      {"NotIn, key absent", {expression(c.requirement("rack", Op::kNotIn, {"r1"}))}, true},
      {"NotIn, value listed", {expression(c.requirement("zone", Op::kNotIn, {"a"}))}, false},
      {"Exists", {expression(c.requirement("disk", Op::kExists, {}))}, true},
      {"DoesNotExist", {expression(c.requirement("disk", Op::kDoesNotExist, {}))}, false},
      {"Gt compares numbers, not text", {expression(c.requirement("cores", Op::kGt, {"9"}))}, true},
      {"Lt", {expression(c.requirement("cores", Op::kLt, {"16"}))}, false},
      {"Gt of a word", {expression(c.requirement("zone", Op::kGt, {"1"}))}, false},
      {"terms are alternatives", {expression(c.requirement("zone", Op::kIn, {"z"})), expression(c.requirement("disk", Op::kIn, {"ssd"}))}, true},
      {"expressions of a term all hold", {NodeSelectorTerm{{c.requirement("zone", Op::kIn, {"a"}), c.requirement("disk", Op::kIn, {"hdd"})}, {}}}, false},
      {"the node's name", {field(c.requirement("metadata.name", Op::kIn, {"n1"}))}, true},
      {"another node's name", {field(c.requirement("metadata.name", Op::kIn, {"n2"}))}, false},
      {"not the node's name", {field(c.requirement("metadata.name", Op::kNotIn, {"n1"}))}, false},
  };
  for (const Case& t : cases) {
    SCOPED_TRACE(t.name);
    auto affinity = std::make_shared<Affinity>();
    affinity->has_required_node_affinity = true;
    affinity->required_node_terms = t.terms;
    PodSpec spec = c.spec();
    spec.affinity = affinity;
    EXPECT_EQ(node_affinity::filter(spec, nullptr, labels, node, c.names), t.matches ? StatusId{kFits} : StatusId{kStatusNodeAffinity});
  }
  PodSpec spec = c.spec();
  spec.node_selector = c.labels({{"zone", "a"}, {"disk", "ssd"}});
  EXPECT_EQ(node_affinity::filter(spec, nullptr, labels, node, c.names), kFits);
  spec.node_selector = c.labels({{"zone", "a"}, {"disk", "hdd"}});
  EXPECT_EQ(node_affinity::filter(spec, nullptr, labels, node, c.names), kStatusNodeAffinity);
}

TEST(NodeAffinity, AddedAffinityStandsBesideThePods) {
  Cluster c;
  const Symbol node = c.name("n1");
  const auto term = [&](std::string_view key, std::string_view value) { return NodeSelectorTerm{{c.requirement(key, SelectorOperator::kIn, {value})}, {}}; };
  Affinity added;
  added.has_required_node_affinity = true;
  added.required_node_terms = {term("pool", "batch")};
  added.preferred_node_terms = {PreferredNodeTerm{.weight = 5, .term = term("disk", "ssd")}};
  auto own = std::make_shared<Affinity>();
  own->has_required_node_affinity = true;
  own->required_node_terms = {term("zone", "a")};
  own->preferred_node_terms = {PreferredNodeTerm{.weight = 2, .term = term("zone", "a")}};
  PodSpec spec = c.spec();
  const Labels both = c.labels({{"pool", "batch"}, {"zone", "a"}, {"disk", "ssd"}});
  const Labels only_added = c.labels({{"pool", "batch"}});
  const Labels only_own = c.labels({{"zone", "a"}});
  EXPECT_EQ(node_affinity::filter(spec, &added, only_added, node, c.names), kFits);
  EXPECT_EQ(node_affinity::filter(spec, &added, only_own, node, c.names), kStatusNodeAffinityEnforced);
  EXPECT_TRUE(node_affinity::has_preferred(spec, &added));
  EXPECT_EQ(node_affinity::preference(spec, &added, both, node, c.names), 5);
  spec.affinity = own;
  EXPECT_EQ(node_affinity::filter(spec, &added, both, node, c.names), kFits);
  EXPECT_EQ(node_affinity::filter(spec, &added, only_added, node, c.names), kStatusNodeAffinity);
  EXPECT_EQ(node_affinity::filter(spec, &added, only_own, node, c.names), kStatusNodeAffinityEnforced) << "the scheduler's own is asked first";
  EXPECT_EQ(node_affinity::preference(spec, &added, both, node, c.names), 7);
}

TEST(NodeAffinity, NodeNamesOfPreFilter) {
  Cluster c;
  const auto names_of = [&](std::vector<NodeSelectorTerm> terms) {
    auto affinity = std::make_shared<Affinity>();
    affinity->has_required_node_affinity = true;
    affinity->required_node_terms = std::move(terms);
    PodSpec spec = c.spec();
    spec.affinity = affinity;
    return node_affinity::node_names(spec, c.api.well_known(), c.names);
  };
  const Requirement n1_n2 = c.requirement("metadata.name", SelectorOperator::kIn, {"n2", "n1"});
  const Requirement n2_n3 = c.requirement("metadata.name", SelectorOperator::kIn, {"n2", "n3"});
  const Requirement zone = c.requirement("zone", SelectorOperator::kIn, {"a"});
  using Names = std::vector<Symbol>;
  EXPECT_EQ(names_of({NodeSelectorTerm{{}, {n1_n2, n2_n3}}}), Names{c.name("n2")});
  EXPECT_EQ(names_of({NodeSelectorTerm{{}, {n1_n2}}, NodeSelectorTerm{{}, {n2_n3}}}), (Names{c.name("n1"), c.name("n2"), c.name("n3")}));
  EXPECT_EQ(names_of({NodeSelectorTerm{{}, {n1_n2}}, NodeSelectorTerm{{zone}, {}}}), std::nullopt);
  const Requirement n3 = c.requirement("metadata.name", SelectorOperator::kIn, {"n3"});
  EXPECT_EQ(names_of({NodeSelectorTerm{{}, {n1_n2, n3}}}), Names{});
}

TEST(NodePorts, Conflicts) {
  Cluster c;
  const Symbol any = c.name("0.0.0.0");
  const Symbol local = c.name("127.0.0.1");
  const Symbol other = c.name("10.0.0.1");
  struct Case {
    std::string_view name;
    HostPort a, b;
    bool conflict;
  };
  const Case cases[] = {
      {"same port", {Symbol{}, 80, Protocol::kTcp}, {Symbol{}, 80, Protocol::kTcp}, true},
      {"another port", {Symbol{}, 80, Protocol::kTcp}, {Symbol{}, 81, Protocol::kTcp}, false},
      {"another protocol", {Symbol{}, 80, Protocol::kTcp}, {Symbol{}, 80, Protocol::kUdp}, false},
      {"0.0.0.0 meets every address", {any, 80, Protocol::kTcp}, {local, 80, Protocol::kTcp}, true},
      {"no address is 0.0.0.0", {local, 80, Protocol::kTcp}, {Symbol{}, 80, Protocol::kTcp}, true},
      {"two addresses", {local, 80, Protocol::kTcp}, {other, 80, Protocol::kTcp}, false},
  };
  for (const Case& t : cases) {
    SCOPED_TRACE(t.name);
    NodeLoad load;
    load.ports = {t.b};
    const std::vector<HostPort> wanted = {t.a};
    EXPECT_EQ(node_ports::filter(wanted, load, any), t.conflict ? StatusId{kStatusNodePorts} : StatusId{kFits});
  }
}

TEST(NodePorts, CountsSidecarsButNotPlainInitContainers) {
  Cluster c;
  PodSpec spec = c.spec();
  Container init;
  init.ports = {ContainerPort{Symbol{}, 80, 80, Symbol{}, Protocol::kTcp}};
  Container sidecar = init;
  sidecar.is_sidecar = true;
  sidecar.ports.front().host_port = 81;
  spec.init_containers = {init, sidecar};
  const std::vector<HostPort> ports = host_ports(spec);
  ASSERT_EQ(ports.size(), 1u);
  EXPECT_EQ(ports.front().port, 81);
}

struct FitCase {
  std::string_view name;
  std::int64_t cpu, memory;
  std::int64_t used_cpu, used_memory, used_pods;
  Code code;
  std::string_view reasons;
};

TEST(NodePorts, AnUpdateTakesAPortAgainThatAnotherPodFreed) {
  // Two pods that were bound by hand share a host port; the node keeps it once, so the first that goes frees it, until the other one is updated.
  Cluster c;
  c.node("n1");
  PodSpec spec = c.spec();
  ContainerPort port;
  port.host_port = 80;
  spec.containers.front().ports.push_back(port);
  const Ref<Pod> first = c.pod("a", spec, {}, "n1");
  const Ref<Pod> second = c.pod("b", spec, {}, "n1");
  const auto state = c.state();
  const NodeIndex n1 = state->cache.find(c.name("n1"));
  EXPECT_EQ(state->cache.node(n1).load.ports.size(), 1u);
  state->cache.remove_pod(first.slot);
  EXPECT_TRUE(state->cache.node(n1).load.ports.empty());
  state->cache.assign(second, *c.api.get(second), c.name("n1"));
  EXPECT_EQ(state->cache.node(n1).load.ports.size(), 1u);
  EXPECT_EQ(state->cache.node(n1).load.pods, 1);
}

TEST(NodeResourcesFit, Filter) {
  // One node: 1,000m, 1,000 bytes, 10 pods.
  const FitCase cases[] = {
      {"fits exactly", 400, 400, 600, 600, 1, Code::kSuccess, ""},
      {"cpu short", 401, 400, 600, 600, 1, Code::kUnschedulable, "Insufficient cpu"},
      {"memory short", 400, 401, 600, 600, 1, Code::kUnschedulable, "Insufficient memory"},
      {"both short: both are told", 401, 401, 600, 600, 1, Code::kUnschedulable, "Insufficient cpu,Insufficient memory"},
      {"too many pods", 0, 0, 0, 0, 10, Code::kUnschedulable, "Too many pods"},
      {"more than the node has", 1001, 0, 0, 0, 0, Code::kUnresolvable, "Insufficient cpu"},
      {"one never fits, one is short", 1001, 500, 0, 600, 0, Code::kUnresolvable, "Insufficient cpu,Insufficient memory"},
      {"an overcommitted node takes a pod that asks for nothing", 0, 0, 2000, 2000, 1, Code::kSuccess, ""},
  };
  for (const FitCase& t : cases) {
    SCOPED_TRACE(t.name);
    Cluster c;
    NodeResourcesFit fit(c.names);
    StatusTable statuses;
    Resources allocatable;
    allocatable.cpu_milli = 1000;
    allocatable.memory = 1000;
    allocatable.pods = 10;
    NodeLoad load;
    load.requested.cpu_milli = t.used_cpu;
    load.requested.memory = t.used_memory;
    load.pods = t.used_pods;
    PodSpec spec = c.spec(t.cpu, t.memory);
    finish_pod_spec(spec);
    const Status& status = statuses.at(fit.filter(spec, allocatable, load, statuses, c.names));
    EXPECT_EQ(status.code, t.code);
    std::string reasons;
    for (const std::string& reason : status.reasons) reasons += (reasons.empty() ? "" : ",") + reason;
    EXPECT_EQ(reasons, t.reasons);
  }
}

TEST(NodeResourcesFit, ExtendedResources) {
  Cluster c;
  NodeResourcesFit fit(c.names);
  StatusTable statuses;
  Resources allocatable;
  allocatable.pods = 10;
  allocatable.set(c.name("nvidia.com/gpu"), 4);
  NodeLoad load;
  load.requested.set(c.name("nvidia.com/gpu"), 3);
  const auto status_for = [&](std::string_view resource, std::int64_t amount) {
    PodSpec spec = c.spec();
    spec.containers.front().requests.set(c.name(resource), amount);
    finish_pod_spec(spec);
    return statuses.at(fit.filter(spec, allocatable, load, statuses, c.names));
  };
  EXPECT_EQ(status_for("nvidia.com/gpu", 1).code, Code::kSuccess);
  EXPECT_EQ(status_for("nvidia.com/gpu", 2).code, Code::kUnschedulable);
  EXPECT_EQ(status_for("nvidia.com/gpu", 2).reasons.front(), "Insufficient nvidia.com/gpu");
  EXPECT_EQ(status_for("nvidia.com/gpu", 5).code, Code::kUnresolvable);
  EXPECT_EQ(status_for("example.com/fpga", 1).code, Code::kUnresolvable);
}

TEST(NodeResourcesFit, InitContainersAndSidecars) {
  // 300m; init list: sidecar 200m, then init 700m: max(300 + 200, 200, 700 + 200) = 900m.
  Cluster c;
  NodeResourcesFit fit(c.names);
  StatusTable statuses;
  PodSpec spec = c.spec(300);
  Container sidecar;
  sidecar.is_sidecar = true;
  sidecar.requests.cpu_milli = 200;
  sidecar.has_cpu_request = true;
  Container init;
  init.requests.cpu_milli = 700;
  init.has_cpu_request = true;
  spec.init_containers = {sidecar, init};
  finish_pod_spec(spec);
  Resources allocatable;
  allocatable.memory = 8 * kGi;
  allocatable.pods = 10;
  allocatable.cpu_milli = 899;
  EXPECT_EQ(statuses.at(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names)).code, Code::kUnresolvable);
  allocatable.cpu_milli = 900;
  EXPECT_EQ(fit.filter(spec, allocatable, NodeLoad{}, statuses, c.names), kFits);
}

struct ScoreCase {
  std::string_view name;
  std::int64_t cpu, memory, used_cpu, used_memory;
  std::int64_t least_allocated, balanced;
};

TEST(NodeResources, LeastAllocatedAndBalancedScores) {
  // Pod of 500m and 1 GiB.
  const ScoreCase cases[] = {
      {"A", 4000, 8 * kGi, 1000, 2 * kGi, 62, 75},
      {"B", 2000, 8 * kGi, 500, 4 * kGi, 43, 78},
      {"C", 8000, 16 * kGi, 7000, 4 * kGi, 37, 75},
      {"no cpu at all: memory alone counts", 0, 8 * kGi, 0, 2 * kGi, 62, 75},
      {"asks for more than is left", 1000, 8 * kGi, 800, 2 * kGi, 31, 73},
  };
  for (const ScoreCase& t : cases) {
    SCOPED_TRACE(t.name);
    Cluster c;
    PodSpec spec = c.spec(500, kGi);
    finish_pod_spec(spec);
    Resources allocatable;
    allocatable.cpu_milli = t.cpu;
    allocatable.memory = t.memory;
    NodeLoad load;
    load.requested.cpu_milli = load.nonzero_cpu_milli = t.used_cpu;
    load.requested.memory = load.nonzero_memory = t.used_memory;
    EXPECT_EQ(NodeResourcesFit::score(spec, allocatable, load), t.least_allocated);
    EXPECT_EQ(node_resources_balanced_allocation::score(spec, allocatable, load), t.balanced);
  }
}

TEST(NodeResources, PodWithoutRequestsCountsDefaultsInFitOnly) {
  Cluster c;
  PodSpec spec = c.spec();
  finish_pod_spec(spec);
  EXPECT_TRUE(node_resources_balanced_allocation::is_skipped(spec));
  Resources small;
  small.cpu_milli = 1000;
  small.memory = 2 * kGi;
  Resources large;
  large.cpu_milli = 2000;
  large.memory = 4 * kGi;
  EXPECT_EQ(NodeResourcesFit::score(spec, small, NodeLoad{}), 90);
  EXPECT_EQ(NodeResourcesFit::score(spec, large, NodeLoad{}), 95);
}

TEST(NodeLoad, AddAndRemoveAreInverse) {
  Cluster c;
  PodSpec spec = c.spec(250);
  spec.containers.front().ports = {ContainerPort{Symbol{}, 80, 8080, Symbol{}, Protocol::kTcp}};
  spec.containers.front().requests.set(c.name("example.com/fpga"), 1);
  finish_pod_spec(spec);
  NodeLoad load;
  load.add(spec);
  load.add(spec);
  load.remove(spec);
  EXPECT_EQ(load.requested.cpu_milli, 250);
  EXPECT_EQ(load.requested.of(c.name("example.com/fpga")), 1);
  EXPECT_EQ(load.nonzero_cpu_milli, 250);
  EXPECT_EQ(load.nonzero_memory, 200 * kMi);
  EXPECT_EQ(load.pods, 1);
  // The ports are a set, as in HostPortInfo: two with the same one, and it is free when one of them goes.
  EXPECT_EQ(load.ports.size(), 0u);
  load.add(spec);
  EXPECT_EQ(load.ports.size(), 1u);
  load.remove(spec);
  load.remove(spec);
  EXPECT_EQ(load.ports.size(), 0u);
  EXPECT_EQ(load.pods, 0);
}

struct ImageCase {
  std::string_view name;
  std::int64_t mebibytes;
  int on_nodes, nodes;
  std::int64_t score;
};

TEST(ImageLocality, Scores) {
  const ImageCase cases[] = {
      {"300 MiB on 2 of 4", 300, 2, 4, 12},
      {"300 MiB on all 4", 300, 4, 4, 28},
      {"1500 MiB on all", 1500, 4, 4, 100},
      {"40 MiB on 1 of 1000", 40, 1, 1000, 0},
  };
  for (const ImageCase& t : cases) {
    SCOPED_TRACE(t.name);
    Cluster c;
    for (int i = 0; i < t.nodes; ++i) {
      const Ref<Node> ref = c.node("n" + std::to_string(i));
      if (i >= t.on_nodes) continue;
      c.api.update(ref, Change::kImages, [&](Node& node) { node.images = {NodeImage{c.name("app:1"), t.mebibytes * kMi}}; });
    }
    const auto state = c.state();
    ImageLocality images;
    PodSpec spec = c.spec();
    ASSERT_TRUE(images.prepare(spec, state->cache));
    EXPECT_EQ(images.score(state->cache.find(c.name("n0"))), t.score);
    if (t.on_nodes < t.nodes) {
      EXPECT_EQ(images.score(state->cache.find(c.name("n" + std::to_string(t.nodes - 1)))), 0);
    }
    spec.containers.front().image = c.name("other:1");
    EXPECT_FALSE(images.prepare(spec, state->cache));
  }
}

TEST(ImageLocality, ForgetsImagesThatLeft) {
  Cluster c;
  const Ref<Node> ref = c.node("n0");
  c.api.update(ref, Change::kImages, [&](Node& node) { node.images = {NodeImage{c.name("app:1"), 500 * kMi}}; });
  const auto state = c.state();
  ImageLocality images;
  ASSERT_TRUE(images.prepare(c.spec(), state->cache));
  c.api.update(ref, Change::kImages, [&](Node& node) { node.images.clear(); });
  state->cache.update_node(state->cache.find(c.name("n0")), ref, *c.api.get(ref));
  EXPECT_FALSE(images.prepare(c.spec(), state->cache));
}

TEST(QueueingHints, NodeLocalPlugins) {
  Cluster c;
  const WellKnown& known = c.api.well_known();
  PodSpec spec = c.spec(500, kGi);
  spec.node_selector = c.labels({{"disk", "ssd"}});
  spec.containers.front().ports = {ContainerPort{Symbol{}, 80, 80, Symbol{}, Protocol::kTcp}};
  const Ref<Pod> ref = c.pod("p", spec);
  const auto state = c.state();
  const PodInfo& pod = state->cache.pod(ref.slot);
  NodeView small;
  small.allocatable.cpu_milli = 400;
  small.allocatable.memory = 2 * kGi;
  small.allocatable.pods = 10;
  NodeView large = small;
  large.allocatable.cpu_milli = 4000;
  ClusterEvent added{Action::kNodeAdd, nullptr, &small, c.name("n"), nullptr, nullptr};
  EXPECT_FALSE(NodeResourcesFit::is_worth_retrying(pod, added));
  added.node_after = &large;
  EXPECT_TRUE(NodeResourcesFit::is_worth_retrying(pod, added));
  EXPECT_FALSE(node_affinity::is_worth_retrying(pod, nullptr, added, c.names));
  NodeView ssd = large;
  ssd.labels = c.labels({{"disk", "ssd"}});
  added.node_after = &ssd;
  EXPECT_TRUE(node_affinity::is_worth_retrying(pod, nullptr, added, c.names));
  ClusterEvent grown{Action::kNodeAllocatable, &small, &large, c.name("n"), nullptr, nullptr};
  EXPECT_TRUE(NodeResourcesFit::is_worth_retrying(pod, grown));
  NodeView more_storage = large;
  more_storage.allocatable.ephemeral_storage = kGi;
  ClusterEvent elsewhere{Action::kNodeAllocatable, &large, &more_storage, c.name("n"), nullptr, nullptr};
  EXPECT_FALSE(NodeResourcesFit::is_worth_retrying(pod, elsewhere));
  NodeView tainted = large;
  tainted.taints = {Taint{known.not_ready, Symbol{}, TaintEffect::kNoExecute}};
  ClusterEvent untainted{Action::kNodeTaint, &tainted, &large, c.name("n"), nullptr, nullptr};
  EXPECT_TRUE(taint_toleration::is_worth_retrying(pod, untainted));
  ClusterEvent now_tainted{Action::kNodeTaint, &large, &tainted, c.name("n"), nullptr, nullptr};
  EXPECT_FALSE(taint_toleration::is_worth_retrying(pod, now_tainted));
  NodeView cordoned = large;
  cordoned.unschedulable = true;
  ClusterEvent uncordoned{Action::kNodeTaint, &cordoned, &large, c.name("n"), nullptr, nullptr};
  EXPECT_TRUE(node_unschedulable::is_worth_retrying(pod, uncordoned, known));
  ClusterEvent still_cordoned{Action::kNodeTaint, &cordoned, &cordoned, c.name("n"), nullptr, nullptr};
  EXPECT_FALSE(node_unschedulable::is_worth_retrying(pod, still_cordoned, known));

  PodSpec same_port = c.spec();
  same_port.containers.front().ports = spec.containers.front().ports;
  PodSpec no_port = c.spec();
  PodView gone{Ref<Pod>{99, 1}, pod.ns, nullptr, &same_port, true};
  ClusterEvent deleted{Action::kPodDelete, nullptr, nullptr, Symbol{}, &gone, nullptr};
  EXPECT_TRUE(node_ports::is_worth_retrying(pod, deleted, c.name("0.0.0.0")));
  EXPECT_TRUE(NodeResourcesFit::is_worth_retrying(pod, deleted));
  gone.placed = false;
  EXPECT_FALSE(node_ports::is_worth_retrying(pod, deleted, c.name("0.0.0.0")));
  EXPECT_FALSE(NodeResourcesFit::is_worth_retrying(pod, deleted));
  gone.placed = true;
  gone.spec = &no_port;
  EXPECT_FALSE(node_ports::is_worth_retrying(pod, deleted, c.name("0.0.0.0")));
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

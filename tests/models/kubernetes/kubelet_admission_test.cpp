#include <functional>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/models/kubernetes/kubelet/admission.hpp"

namespace sim::k8s::kubelet {
namespace {

constexpr std::int64_t kGiB = 1ll << 30;

class KubeletAdmission : public ::testing::Test {
 protected:
  KubeletAdmission() : well_known(names) {
    node.meta.name = names.intern("w1");
    node.meta.labels.set(names.intern("disk"), names.intern("ssd"));
    node.allocatable.cpu_milli = 4000;
    node.allocatable.memory = 8 * kGiB;
    node.allocatable.pods = 3;
    node.allocatable.set(names.intern("example.com/gpu"), 1);
  }
  PodSpec spec(std::int64_t cpu, std::int64_t memory) {
    PodSpec made;
    Container c;
    c.requests.cpu_milli = cpu;
    c.requests.memory = memory;
    made.containers.push_back(c);
    finish_pod_spec(made);
    return made;
  }
  std::string reason(const PodSpec& pod, bool pressure = false) {
    const std::optional<Rejection> rejection = admit({node, pressure, admitted, pod}, well_known, names);
    last_message = rejection ? rejection->message : "";
    return rejection ? rejection->reason : "";
  }
  Interner names;
  WellKnown well_known;
  Node node;
  std::vector<const PodSpec*> admitted;
  std::string last_message;
};

TEST_F(KubeletAdmission, Resources) {
  const PodSpec other = spec(3800, 7 * kGiB);
  admitted.push_back(&other);
  EXPECT_EQ(reason(spec(200, kGiB)), "");
  EXPECT_EQ(reason(spec(500, 0)), "OutOfcpu");
  EXPECT_EQ(last_message, "Pod was rejected: Node didn't have enough resource: cpu, requested: 500, used: 3800, capacity: 4000");
  EXPECT_EQ(reason(spec(0, kGiB + 1)), "OutOfmemory");
  EXPECT_EQ(reason(spec(500, 2 * kGiB)), "OutOfcpu");  // the first reason is told
  admitted = {&other, &other, &other};
  EXPECT_EQ(reason(spec(0, 0)), "OutOfpods");
}

TEST_F(KubeletAdmission, ExtendedResources) {
  PodSpec gpu = spec(0, 0);
  gpu.containers[0].requests.set(names.intern("example.com/gpu"), 2);
  finish_pod_spec(gpu);
  EXPECT_EQ(reason(gpu), "OutOfexample.com/gpu");
  PodSpec unknown = spec(0, 0);
  unknown.containers[0].requests.set(names.intern("example.com/fpga"), 2);
  finish_pod_spec(unknown);
  EXPECT_EQ(reason(unknown), "");  // unknown ones are dropped
}

TEST_F(KubeletAdmission, NodeAffinity) {
  PodSpec pod = spec(0, 0);
  pod.node_selector.set(names.intern("disk"), names.intern("hdd"));
  EXPECT_EQ(reason(pod), "NodeAffinity");
  pod.node_selector.set(names.intern("disk"), names.intern("ssd"));
  EXPECT_EQ(reason(pod), "");

  const auto with_field = [&](std::string_view name) {
    auto affinity = std::make_shared<Affinity>();
    affinity->has_required_node_affinity = true;
    NodeSelectorTerm term;
    term.match_fields.push_back({well_known.metadata_name, SelectorOperator::kIn, {names.intern(name)}});
    affinity->required_node_terms.push_back(term);
    PodSpec made = spec(0, 0);
    made.affinity = affinity;
    return made;
  };
  EXPECT_EQ(reason(with_field("w1")), "");
  EXPECT_EQ(reason(with_field("w2")), "NodeAffinity");
  PodSpec nothing = spec(0, 0);
  auto empty_term = std::make_shared<Affinity>();
  empty_term->has_required_node_affinity = true;
  empty_term->required_node_terms.emplace_back();
  nothing.affinity = empty_term;
  EXPECT_EQ(reason(nothing), "NodeAffinity");  // an empty term matches nothing
}

TEST_F(KubeletAdmission, Ports) {
  PodSpec a = spec(0, 0);
  ContainerPort port;
  port.host_port = 80;
  a.containers[0].ports.push_back(port);
  admitted.push_back(&a);
  EXPECT_EQ(reason(a), "NodePorts");
  PodSpec udp = a;
  udp.containers[0].ports[0].protocol = Protocol::kUdp;
  EXPECT_EQ(reason(udp), "");
  PodSpec one_address = a;
  one_address.containers[0].ports[0].host_ip = names.intern("10.0.0.1");
  EXPECT_EQ(reason(one_address), "NodePorts");  // 0.0.0.0 is every address
}

TEST_F(KubeletAdmission, OnlyNoExecuteTaints) {
  node.taints.push_back({names.intern("maintenance"), Symbol{}, TaintEffect::kNoSchedule});
  EXPECT_EQ(reason(spec(0, 0)), "");
  node.taints.push_back({well_known.unreachable, Symbol{}, TaintEffect::kNoExecute});
  EXPECT_EQ(reason(spec(0, 0)), "TaintToleration");
  PodSpec tolerant = spec(0, 0);
  Toleration toleration;
  toleration.key = well_known.unreachable;
  toleration.exists = true;
  toleration.effect = TaintEffect::kNoExecute;
  toleration.seconds = 300;
  tolerant.tolerations.push_back(toleration);
  EXPECT_EQ(reason(tolerant), "");
}

TEST_F(KubeletAdmission, MemoryPressureTurnsBestEffortAway) {
  EXPECT_EQ(reason(spec(0, 0), true), "Evicted");
  EXPECT_EQ(reason(spec(100, 0), true), "");
  PodSpec critical = spec(0, 0);
  critical.priority = 2'000'000'000;
  EXPECT_EQ(reason(critical, true), "");
  PodSpec tolerant = spec(0, 0);
  Toleration toleration;
  toleration.key = well_known.memory_pressure;
  toleration.exists = true;
  tolerant.tolerations.push_back(toleration);
  EXPECT_EQ(reason(tolerant, true), "");
}

/// TestAdmitUnderNodeConditions
TEST_F(KubeletAdmission, AnyOtherPressureTurnsAllAway) {
  PodSpec tolerant = spec(0, 0);
  Toleration toleration;
  toleration.exists = true;  // of everything
  tolerant.tolerations.push_back(toleration);
  PodSpec critical = spec(0, 0);
  critical.priority = 2'000'000'000;
  struct Case {
    bool memory, disk, pid;
    std::string_view message;
  };
  for (const Case& c : {Case{false, true, false, "[DiskPressure]"}, Case{false, false, true, "[PIDPressure]"}, Case{true, true, false, "[MemoryPressure DiskPressure]"},
                        Case{true, true, true, "[MemoryPressure DiskPressure PIDPressure]"}}) {
    SCOPED_TRACE(c.message);
    for (const PodSpec& pod : {spec(100, kGiB), tolerant}) {
      const std::optional<Rejection> rejection = admit({node, c.memory, admitted, pod, c.disk, c.pid}, well_known, names);
      ASSERT_TRUE(rejection);
      EXPECT_EQ(rejection->reason, "Evicted");
      EXPECT_EQ(rejection->message, fmt::format("The node had condition: {}. ", c.message));
    }
    EXPECT_FALSE(admit({node, c.memory, admitted, critical, c.disk, c.pid}, well_known, names));
  }
}

}  // namespace
}  // namespace sim::k8s::kubelet

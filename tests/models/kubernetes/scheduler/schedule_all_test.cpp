#include "sim/models/kubernetes/scheduler/schedule_all.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

struct Manifests : Cluster {
  PodTemplate pod_template(PodSpec s, Pairs pod_labels) {
    finish_pod_spec(s);
    PodTemplate result;
    result.labels = labels(pod_labels);
    result.spec = std::make_shared<const PodSpec>(std::move(s));
    result.hash = 0x12345;
    return result;
  }
  template <class T>
  Ref<T> workload(std::string_view object_name, PodTemplate from, std::int64_t replicas) {
    T object;
    object.meta.ns = name("default");
    object.meta.name = name(object_name);
    object.selector.requirements.clear();
    for (const Labels::Pair& pair : from.labels) object.selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
    object.pod_template = std::move(from);
    object.replicas = replicas;
    return api.create(std::move(object));
  }
  ScheduleResult run() { return schedule_all(api, SchedulerConfig{}, random); }
  std::map<std::string, std::string> fates(const ScheduleResult& result) {
    std::map<std::string, std::string> text;
    for (const PodFate& fate : result.pods) text[names.text(fate.name)] = fate.node ? names.text(fate.node) : fate.message;
    return text;
  }
};

TEST(ScheduleAll, PlacesWhatFitsAndExplainsTheRest) {
  Manifests c;
  c.node("n1", {.cpu = 1000});
  c.pod("bound", c.spec(300), {}, "n1");
  const Ref<Pod> first = c.pod("first", c.spec(600));
  c.pod("second", c.spec(600));
  const ScheduleResult result = c.run();
  EXPECT_EQ(result.nodes, 1u);
  EXPECT_EQ(result.scheduled, 2u);
  const auto fates = c.fates(result);
  EXPECT_EQ(fates.at("bound"), "n1");
  EXPECT_EQ(fates.at("first"), "n1");
  EXPECT_EQ(fates.at("second"),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.");
  EXPECT_EQ(c.api.get(first)->node_name, c.name("n1"));
}

// status.nominatedNodeName, as a dump after a preemption has it.
TEST(ScheduleAll, ANodeThatWasPromisedIsTriedFirst) {
  Manifests c;
  c.node("n1", {.cpu = 1000});
  c.node("n2", {.cpu = 1000});
  c.pod("bound", c.spec(100), {}, "n2");  // so n1 is the better one
  c.pod("other", c.spec(600));
  const Ref<Pod> promised = c.pod("promised", c.spec(600));
  const Ref<Pod> too_late = c.pod("too-late", c.spec(600));
  c.api.update(promised, Change::kScheduling, [&](Pod& pod) { pod.nominated_node = c.name("n1"); });
  c.api.update(too_late, Change::kScheduling, [&](Pod& pod) { pod.nominated_node = c.name("gone"); });
  const auto fates = c.fates(c.run());
  EXPECT_EQ(fates.at("promised"), "n1");
  EXPECT_EQ(fates.at("other"), "n2");  // n1 is kept for a pod that is no less important
  EXPECT_NE(fates.at("too-late").find("0/2 nodes are available: 2 Insufficient cpu."), std::string::npos);
}

TEST(ScheduleAll, HighPriorityGoesFirst) {
  Manifests c;
  c.node("n1", {.cpu = 1000});
  c.pod("early", c.spec(600));
  PodSpec spec = c.spec(600);
  spec.priority = 10;
  c.pod("important", spec);
  const auto fates = c.fates(c.run());
  EXPECT_EQ(fates.at("important"), "n1");
  EXPECT_NE(fates.at("early"), "n1");
}

TEST(ScheduleAll, APodThatWaitsForAnotherIsTriedAgain) {
  Manifests c;
  c.node("n1");
  PodSpec spec = c.spec(100);
  auto affinity = std::make_shared<Affinity>();
  affinity->required_pod_affinity = {c.term("kubernetes.io/hostname", {{"app", "db"}})};
  spec.affinity = affinity;
  c.pod("web", spec, {{"app", "web"}});
  c.pod("db", c.spec(100), {{"app", "db"}});
  const auto fates = c.fates(c.run());
  EXPECT_EQ(fates.at("db"), "n1");
  EXPECT_EQ(fates.at("web"), "n1");
}

TEST(ScheduleAll, VictimsOfAPreemptionAreNamed) {
  Manifests c;
  c.node("n1", {.cpu = 1000});
  c.pod("batch", c.spec(900), {}, "n1");
  PodSpec spec = c.spec(600);
  spec.priority = 10;
  c.pod("important", spec);
  const ScheduleResult result = c.run();
  const auto fates = c.fates(result);
  EXPECT_EQ(fates.at("important"), "n1");
  EXPECT_EQ(fates.at("batch"), "Preempted by pod default/important on node n1");
  EXPECT_EQ(result.scheduled, 1u);
}

TEST(ScheduleAll, GatesAndForeignSchedulersKeepPodsPending) {
  Manifests c;
  c.node("n1");
  PodSpec gated = c.spec();
  gated.scheduling_gates = {c.name("wait")};
  c.pod("gated", gated);
  PodSpec foreign = c.spec();
  foreign.scheduler_name = c.name("volcano");
  c.pod("foreign", foreign);
  const auto fates = c.fates(c.run());
  EXPECT_EQ(fates.at("gated"), "Scheduling is blocked due to non-empty scheduling gates");
  EXPECT_EQ(fates.at("foreign"), "waits for the scheduler \"volcano\"");
}

TEST(ScheduleAll, NoNodes) {
  Manifests c;
  c.pod("p", c.spec());
  EXPECT_EQ(c.fates(c.run()).at("p"), "no nodes available to schedule pods");
}

TEST(ExpandWorkloads, MakesWhatIsMissing) {
  Manifests c;
  c.node("n1");
  c.node("n2");
  c.node("tainted", {.taints = {Taint{c.name("k"), c.name("v"), TaintEffect::kNoSchedule}}});
  c.node("cordoned", {.unschedulable = true});
  c.workload<Deployment>("web", c.pod_template(c.spec(100), {{"app", "web"}}), 3);
  c.workload<StatefulSet>("db", c.pod_template(c.spec(100), {{"app", "db"}}), 2);
  c.pod("db-0", c.spec(100), {{"app", "db"}}, "n1");
  DaemonSet agent;
  agent.meta.ns = c.name("default");
  agent.meta.name = c.name("agent");
  agent.selector = c.selector({{"app", "agent"}});
  agent.pod_template = c.pod_template(c.spec(10), {{"app", "agent"}});
  c.api.create(std::move(agent));
  Job job;
  job.meta.ns = c.name("default");
  job.meta.name = c.name("job");
  job.selector = c.selector({{"job", "job"}});
  job.spec.parallelism = 4;
  job.spec.completions = 2;
  job.spec.pod_template = c.pod_template(c.spec(10), {{"job", "job"}});
  c.api.create(std::move(job));
  // 3 web, 1 db, 3 agents (not on the tainted node), 2 of the job.
  EXPECT_EQ(expand_workloads(c.api).made, 9u);
  EXPECT_EQ(expand_workloads(c.api).made, 0u) << "nothing is missing any more";
  const auto fates = c.fates(c.run());
  EXPECT_EQ(fates.size(), 10u);
  EXPECT_EQ(fates.at("agent-n1"), "n1");
  EXPECT_EQ(fates.at("agent-cordoned"), "cordoned");
  EXPECT_FALSE(fates.contains("agent-tainted"));
  EXPECT_NE(fates.at("web-0000012345-0"), fates.at("web-0000012345-1")) << "spread over the hosts by default";
}

TEST(ExpandWorkloads, AdmissionGivesPriorityAndMayRefuse) {
  Manifests c;
  c.node("n1");
  PriorityClass high;
  high.meta.name = c.name("high");
  high.value = 1000;
  c.api.create(std::move(high));
  PodSpec spec = c.spec(100);
  spec.priority_class_name = c.name("high");
  c.workload<Deployment>("web", c.pod_template(spec, {{"app", "web"}}), 1);
  spec.priority_class_name = c.name("missing");
  c.workload<Deployment>("db", c.pod_template(spec, {{"app", "db"}}), 3);
  const Expansion expansion = expand_workloads(c.api);
  EXPECT_EQ(expansion.made, 1u);
  ASSERT_EQ(expansion.refused.size(), 1u);
  EXPECT_EQ(expansion.refused.front().substr(0, 30), "ReplicaSet/default/db-00000123") << expansion.refused.front();
  c.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
    EXPECT_EQ(pod.spec->priority, 1000);
    EXPECT_EQ(pod.spec->tolerations.size(), 2u) << "not-ready and unreachable for 300 s";
  });
}

TEST(ScheduleAll, NoNodeIsOvercommittedAndEveryPodHasOneFate) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Manifests c;
    RandomStream random(seed, "test", "schedule-all");
    for (int i = 0; i < 12; ++i) c.node("n" + std::to_string(i), {.cpu = 1000 * random.uniform_int(1, 4), .pods = 8});
    for (int i = 0; i < 120; ++i) {
      PodSpec spec = c.spec(100 * random.uniform_int(0, 9), 128 * kMi * random.uniform_int(0, 9));
      spec.priority = static_cast<std::int32_t>(random.uniform_int(0, 3));
      if (random.chance(0.2)) {
        auto affinity = std::make_shared<Affinity>();
        affinity->required_pod_anti_affinity = {c.term("kubernetes.io/hostname", {{"app", "solo"}})};
        spec.affinity = affinity;
        c.pod("p" + std::to_string(i), spec, {{"app", "solo"}});
      } else {
        c.pod("p" + std::to_string(i), spec);
      }
    }
    const ScheduleResult result = c.run();
    EXPECT_EQ(result.pods.size(), 120u);
    std::map<std::string, std::pair<std::int64_t, int>> used;
    std::map<std::string, int> solos;
    for (const PodFate& fate : result.pods) {
      ASSERT_EQ(static_cast<bool>(fate.node), fate.message.empty());
      if (!fate.node) continue;
      const Pod* pod = c.api.get(fate.pod);
      ASSERT_NE(pod, nullptr);
      auto& [cpu, count] = used[c.names.text(fate.node)];
      cpu += pod->spec->requests.cpu_milli;
      ++count;
      if (pod->spec->affinity) ++solos[c.names.text(fate.node)];
    }
    c.api.all<Node>().for_each([&](Ref<Node>, const Node& node) {
      const auto& [cpu, count] = used[c.names.text(node.meta.name)];
      EXPECT_LE(cpu, node.allocatable.cpu_milli);
      EXPECT_LE(count, node.allocatable.pods);
      EXPECT_LE(solos[c.names.text(node.meta.name)], 1);
    });
  }
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

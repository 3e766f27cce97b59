#include "sim/scenario/manifests.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/scenario/source_document.hpp"

namespace sim::scenario {
namespace {

using k8s::TaintEffect;

struct Decoded {
  Interner names;
  Diagnostics diagnostics;
  ManifestSet set;

  explicit Decoded(std::string text, std::string file = "m.yaml") {
    ManifestReader reader(names, diagnostics);
    reader.decode(*load_text(std::move(file), std::move(text), diagnostics));
    set = reader.finish();
  }
  std::string name(Symbol symbol) const { return names.text(symbol); }
  std::vector<std::string> problems() const {
    std::vector<std::string> result;
    for (const Diagnostic& d : diagnostics.sorted()) {
      result.push_back(fmt::format("{}:{} {}{}", d.line, d.column, d.severity == Severity::kWarning ? "warning: " : "", d.message));
    }
    return result;
  }
};

std::string pod(const std::string& spec) { return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" + spec; }
std::string deployment(const std::string& more) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: b}}\n"
         "  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n" +
         more;
}

TEST(Manifests, PodAfterDefaultingAndAdmission) {
  const Decoded d(pod("  containers:\n  - name: c\n    image: reg:5000/nginx\n    resources: {limits: {cpu: 1500m, memory: 1Gi, nvidia.com/gpu: 2}, requests: {cpu: 500m}}\n"
                      "    ports: [{containerPort: 80}]\n  hostNetwork: true\n"));
  ASSERT_EQ(d.set.pods.size(), 1u) << d.diagnostics.format();
  EXPECT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  const k8s::Pod& p = d.set.pods[0].object;
  EXPECT_EQ(d.name(p.meta.ns), "default");
  const k8s::PodSpec& s = *p.spec;
  ASSERT_EQ(s.containers.size(), 1u);
  const k8s::Container& c = s.containers[0];
  EXPECT_EQ(d.name(c.image), "reg:5000/nginx:latest");
  EXPECT_EQ(c.pull_policy, k8s::PullPolicy::kAlways);
  EXPECT_EQ(c.requests.cpu_milli, 500);
  EXPECT_EQ(c.requests.memory, 1ll << 30) << "requests := limits";
  EXPECT_TRUE(c.has_memory_request);
  EXPECT_EQ(c.requests.of(d.names.find("nvidia.com/gpu")), 2);
  EXPECT_EQ(c.ports[0].host_port, 80) << "hostNetwork";
  EXPECT_EQ(d.name(s.scheduler_name), "default-scheduler");
  EXPECT_EQ(s.termination_grace_seconds, 30);
  EXPECT_EQ(s.priority, 0);
  EXPECT_TRUE(s.has_priority);
  EXPECT_EQ(s.requests.cpu_milli, 500);
  EXPECT_EQ(s.qos, k8s::QosClass::kBurstable);
  ASSERT_EQ(s.tolerations.size(), 2u);
  EXPECT_EQ(d.name(s.tolerations[0].key), "node.kubernetes.io/not-ready");
  EXPECT_EQ(d.name(s.tolerations[1].key), "node.kubernetes.io/unreachable");
  EXPECT_EQ(s.tolerations[0].effect, TaintEffect::kNoExecute);
  EXPECT_EQ(s.tolerations[0].seconds, 300);
}

TEST(Manifests, PodLevelRequestsThatOnlyTheLimitsName) {
  // What v1.36.3's defaulting makes of them, then the scheduler's sum.
  struct Case {
    const char* pod;
    const char* container;
    std::int64_t cpu_milli, mebibytes;
  };
  for (const Case& c : {Case{"limits: {cpu: 2, memory: 1Gi}", "{}", 2000, 1024}, Case{"limits: {cpu: 2}", "{requests: {cpu: 500m}}", 500, 0},
                        Case{"limits: {cpu: 2}", "{requests: {cpu: 0}}", 0, 0}, Case{"limits: {cpu: 2, memory: 2Gi}", "{limits: {cpu: 1}}", 1000, 2048},
                        Case{"requests: {cpu: 1}, limits: {cpu: 3, memory: 1Gi}", "{}", 1000, 1024},
                        Case{"requests: {cpu: 1}, limits: {memory: 1Gi}", "{requests: {memory: 512Mi}}", 1000, 512},
                        Case{"requests: {}, limits: {cpu: 1}", "{}", 1000, 0}, Case{"requests: {}", "{requests: {cpu: 1}}", 1000, 0}}) {
    SCOPED_TRACE(fmt::format("{} over {}", c.pod, c.container));
    const Decoded d(pod(fmt::format("  resources: {{{}}}\n  containers: [{{name: c, image: i, resources: {}}}]\n", c.pod, c.container)));
    ASSERT_EQ(d.set.pods.size(), 1u) << d.diagnostics.format();
    const k8s::PodSpec& spec = *d.set.pods[0].object.spec;
    EXPECT_EQ(spec.requests.cpu_milli, c.cpu_milli);
    EXPECT_EQ(spec.requests.memory, c.mebibytes << 20);
  }
  const Decoded huge(pod("  resources: {limits: {cpu: 1, hugepages-2Mi: 8Mi}}\n  containers: [{name: c, image: i, resources: {limits: {hugepages-2Mi: 4Mi}}}]\n"));
  EXPECT_EQ(huge.set.pods.at(0).object.spec->requests.of(huge.names.find("hugepages-2Mi")), 8ll << 20) << "what containers ask for does not stand in for hugepages";
}

TEST(Manifests, ImagesAndPullPolicies) {
  struct Case {
    const char* image;
    const char* normal;
    k8s::PullPolicy policy;
  };
  using P = k8s::PullPolicy;
  for (const Case& c : {Case{"nginx", "nginx:latest", P::kAlways}, Case{"nginx:1.27", "nginx:1.27", P::kIfNotPresent},
                        Case{"nginx:latest", "nginx:latest", P::kAlways}, Case{"a.b:5000/x/y", "a.b:5000/x/y:latest", P::kAlways},
                        Case{"a.b:5000/x/y:z", "a.b:5000/x/y:z", P::kIfNotPresent}, Case{"x@sha256:ab", "x@sha256:ab", P::kIfNotPresent},
                        Case{"x:1@sha256:ab", "x:1@sha256:ab", P::kIfNotPresent}}) {
    SCOPED_TRACE(c.image);
    EXPECT_EQ(k8s::normalised_image(c.image), c.normal);
    EXPECT_EQ(k8s::default_pull_policy(c.image), c.policy);
  }
}

TEST(Manifests, DefaultTolerationsComeUnlessTolerated) {
  struct Case {
    const char* tolerations;
    std::size_t count;
  };
  for (const Case& c : {Case{"[]", 2}, Case{"[{operator: Exists}]", 1}, Case{"[{operator: Exists, effect: NoSchedule}]", 3},
                        Case{"[{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute}]", 2},
                        Case{"[{key: node.kubernetes.io/not-ready, operator: Exists}, {key: node.kubernetes.io/unreachable, operator: Exists}]", 2}}) {
    SCOPED_TRACE(c.tolerations);
    const Decoded d(pod(fmt::format("  tolerations: {}\n  containers: [{{name: c, image: i}}]\n", c.tolerations)));
    EXPECT_EQ(d.set.pods.at(0).object.spec->tolerations.size(), c.count);
  }
}

TEST(Manifests, PriorityComesFromItsClass) {
  const std::string classes =
      "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 1000\npreemptionPolicy: Never\n"
      "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: usual}\nvalue: 10\nglobalDefault: true\n"
      "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: lesser}\nvalue: 5\nglobalDefault: true\n";
  struct Case {
    const char* field;
    std::int32_t value;
    bool preempts;
  };
  for (const Case& c : {Case{"priorityClassName: high", 1000, false}, Case{"hostPID: false", 5, true}, Case{"priorityClassName: system-node-critical", 2000001000, true},
                        Case{"priorityClassName: system-cluster-critical", 2000000000, true}, Case{"priority: 77", 77, true}}) {
    SCOPED_TRACE(c.field);
    const Decoded d(pod(fmt::format("  {}\n  containers: [{{name: c, image: i}}]\n", c.field)) + classes);
    EXPECT_FALSE(d.diagnostics.has_errors()) << d.diagnostics.format();
    EXPECT_EQ(d.set.pods.at(0).object.spec->priority, c.value);
    EXPECT_EQ(d.set.pods.at(0).object.spec->preempts, c.preempts);
  }
  const Decoded unknown(pod("  priorityClassName: hihg\n  containers: [{name: c, image: i}]\n") + classes);
  EXPECT_EQ(unknown.problems(), (std::vector<std::string>{"1:1 Pod 'p' is refused: no PriorityClass with name hihg was found"}));
}

TEST(Manifests, WorkloadDefaults) {
  const Decoded d(deployment("") +
                  "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s, namespace: db}\nspec:\n  serviceName: s\n  replicas: 3\n  podManagementPolicy: Parallel\n"
                  "  updateStrategy: {rollingUpdate: {partition: 2}}\n  selector: {matchExpressions: [{key: a, operator: In, values: [b, c]}]}\n"
                  "  template: {metadata: {labels: {a: c}}, spec: {containers: [{name: c, image: i}]}}\n"
                  "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: e}\nspec:\n  selector: {matchLabels: {a: b}}\n"
                  "  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n"
                  "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}\n"
                  "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: k}\nspec:\n  schedule: '*/5 * * * *'\n  concurrencyPolicy: Forbid\n"
                  "  jobTemplate: {spec: {completions: 5, parallelism: 2, template: {spec: {restartPolicy: OnFailure, containers: [{name: c, image: i}]}}}}\n"
                  "---\napiVersion: v1\nkind: Service\nmetadata: {name: v}\nspec: {selector: {a: b}, clusterIP: None}\n"
                  "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 50%, selector: {}}\n");
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  const k8s::Deployment& dep = d.set.deployments.at(0).object;
  EXPECT_EQ(dep.replicas, 1);
  EXPECT_TRUE(dep.max_surge.percent);
  EXPECT_EQ(dep.max_surge.value, 25);
  EXPECT_EQ(dep.progress_deadline_seconds, 600);
  EXPECT_EQ(dep.revision_history_limit, 10);
  EXPECT_FALSE(dep.recreate);
  EXPECT_NE(dep.pod_template.hash, 0u);
  EXPECT_TRUE(dep.pod_template.spec->tolerations.empty()) << "admission is for pods, not for templates";
  const k8s::StatefulSet& sts = d.set.stateful_sets.at(0).object;
  EXPECT_TRUE(sts.parallel);
  EXPECT_EQ(sts.partition, 2);
  EXPECT_EQ(sts.replicas, 3);
  EXPECT_EQ(d.name(sts.meta.ns), "db");
  EXPECT_EQ(d.set.daemon_sets.at(0).object.max_unavailable.value, 1);
  const k8s::JobSpec& job = d.set.jobs.at(0).object.spec;
  EXPECT_EQ(job.completions, 1);
  EXPECT_EQ(job.parallelism, 1);
  EXPECT_EQ(job.backoff_limit, 6);
  const k8s::CronJob& cron = d.set.cron_jobs.at(0).object;
  EXPECT_EQ(cron.schedule, "*/5 * * * *");
  EXPECT_EQ(cron.concurrency, k8s::CronJob::Concurrency::kForbid);
  EXPECT_EQ(cron.job_template.completions, 5);
  EXPECT_TRUE(d.set.services.at(0).object.has_selector);
  EXPECT_TRUE(d.set.services.at(0).object.headless);
  EXPECT_EQ(d.set.budgets.at(0).object.min_available->value, 50);
  EXPECT_TRUE(d.set.budgets.at(0).object.selector->is_empty());
}

TEST(Manifests, NodeOfADump) {
  const Decoded d(
      "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {zone: a}}\nspec:\n  unschedulable: true\n  taints: [{key: k, value: v, effect: NoExecute}]\n"
      "status:\n  capacity: {cpu: '64', memory: 262144Mi, pods: '110', ephemeral-storage: 1Ti, nvidia.com/gpu: '8'}\n"
      "  allocatable: {cpu: 63500m, memory: 260000Mi, pods: '110'}\n"
      "  conditions:\n  - {type: MemoryPressure, status: 'True'}\n  - {type: Ready, status: 'True', reason: KubeletReady}\n"
      "  images: [{names: ['nginx@sha256:ab', 'nginx:1.27', redis], sizeBytes: 70000000}]\n");
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  const k8s::Node& n = d.set.nodes.at(0).object;
  EXPECT_TRUE(n.unschedulable);
  EXPECT_EQ(n.taints.at(0).effect, TaintEffect::kNoExecute);
  EXPECT_EQ(n.capacity.cpu_milli, 64000);
  EXPECT_EQ(n.capacity.of(d.names.find("nvidia.com/gpu")), 8);
  EXPECT_EQ(n.allocatable.cpu_milli, 63500);
  EXPECT_EQ(n.ready, k8s::ConditionStatus::kTrue);
  EXPECT_TRUE(n.memory_pressure);
  // Pods name an image by tag or by digest.
  ASSERT_EQ(n.images.size(), 3u);
  EXPECT_EQ(d.name(n.images[0].image), "nginx@sha256:ab");
  EXPECT_EQ(d.name(n.images[1].image), "nginx:1.27");
  EXPECT_EQ(d.name(n.images[2].image), "redis") << "ImageLocality compares with what stands there";
}

// What a dump says of preemptions and evictions that are under way.
// Admission: plugin/pkg/admission/runtimeclass.
TEST(Manifests, ARuntimeClassAddsItsOverheadAndScheduling) {
  const std::string runtime =
      "---\napiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: kata}\nhandler: kata\noverhead: {podFixed: {cpu: 250m, memory: 160Mi}}\n"
      "scheduling: {nodeSelector: {vm: \"yes\"}, tolerations: [{key: vm, operator: Exists}]}\n";
  const Decoded d(pod("  runtimeClassName: kata\n  nodeSelector: {disk: ssd}\n  containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]\n") + runtime);
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  const k8s::PodSpec& spec = *d.set.pods[0].object.spec;
  EXPECT_EQ(spec.requests.cpu_milli, 1250);
  EXPECT_EQ(spec.requests.memory, 160 << 20);
  EXPECT_EQ(spec.node_selector.size(), 2u);
  EXPECT_TRUE(k8s::tolerates(spec.tolerations, k8s::Taint{d.names.find("vm"), Symbol{}, TaintEffect::kNoSchedule}));
  EXPECT_EQ(d.set.others.size(), 1u) << "clients see the class";

  const Decoded twice(pod("  runtimeClassName: kata\n  overhead: {cpu: 1}\n  nodeSelector: {vm: \"no\"}\n  containers: [{name: c, image: i}]\n") + runtime);
  EXPECT_EQ(twice.problems(), (std::vector<std::string>{"5:21 the pod's overhead differs from that of its RuntimeClass",
                                                        "5:21 the pod's nodeSelector and that of its RuntimeClass want different values of 'vm'"}));
}

TEST(Manifests, PromisedNodesAndGrantedEvictionsOfADump) {
  const Decoded d(pod("  containers: [{name: c, image: i}]\nstatus: {phase: Pending, nominatedNodeName: n7}\n") +
                  "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 1, selector: {matchLabels: {a: b}}}\n"
                  "status: {disruptionsAllowed: 2, disruptedPods: {p: \"2026-01-31T07:08:09Z\", gone: \"2026-01-31T07:08:09Z\"}}\n");
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  EXPECT_EQ(d.name(d.set.pods[0].object.nominated_node), "n7");
  Engine engine;
  Interner names = Interner(&d.names);
  EventLog log(engine, names);
  k8s::ApiServer api(engine, log, names);
  store(d.set, api);
  const k8s::PodDisruptionBudget& budget = *api.get(api.find<k8s::PodDisruptionBudget>(names.find("default"), names.find("b")));
  EXPECT_EQ(budget.disruptions_allowed, 2);
  ASSERT_EQ(budget.disrupted_pods.size(), 1u) << "one of the two pods is not there";
  EXPECT_EQ(budget.disrupted_pods[0].pod_uid, api.get(api.find<k8s::Pod>(names.find("default"), names.find("p")))->meta.uid);
}

TEST(Manifests, AffinityAndSpread) {
  const Decoded d(
      pod("  affinity:\n    nodeAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n"
          "        - matchExpressions: [{key: cores, operator: Gt, values: ['4']}]\n          matchFields: [{key: metadata.name, operator: In, values: [n1]}]\n"
          "      preferredDuringSchedulingIgnoredDuringExecution: [{weight: 7, preference: {matchExpressions: [{key: a, operator: Exists}]}}]\n"
          "    podAntiAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}}]\n"
          "      preferredDuringSchedulingIgnoredDuringExecution: [{weight: 3, podAffinityTerm: {topologyKey: zone, namespaceSelector: {}}}]\n"
          "  topologySpreadConstraints: [{maxSkew: 2, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {a: b}}}]\n"
          "  containers: [{name: c, image: i}]\n"));
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  const k8s::PodSpec& s = *d.set.pods.at(0).object.spec;
  ASSERT_NE(s.affinity, nullptr);
  EXPECT_TRUE(s.affinity->has_required_node_affinity);
  EXPECT_EQ(s.affinity->required_node_terms.at(0).match_expressions.at(0).op, k8s::SelectorOperator::kGt);
  EXPECT_EQ(s.affinity->required_node_terms.at(0).match_fields.size(), 1u);
  EXPECT_EQ(s.affinity->preferred_node_terms.at(0).weight, 7);
  EXPECT_EQ(d.name(s.affinity->required_pod_anti_affinity.at(0).topology_key), "kubernetes.io/hostname");
  EXPECT_EQ(s.affinity->preferred_pod_anti_affinity.at(0).weight, 3);
  EXPECT_FALSE(s.affinity->preferred_pod_anti_affinity.at(0).selector.has_value());
  EXPECT_TRUE(s.affinity->preferred_pod_anti_affinity.at(0).namespace_selector->is_empty());
  EXPECT_FALSE(s.topology_spread.at(0).do_not_schedule);
  EXPECT_EQ(s.topology_spread.at(0).max_skew, 2);
}

TEST(Manifests, WrongInputIsToldWithItsPlace) {
  struct Case {
    std::string text;
    std::string error;
  };
  const std::string good_pod = "  containers: [{name: c, image: i}]\n";
  const Case cases[] = {
      {"apiVersion: v1\nmetadata: {name: x}\n", "1:1 an object needs 'kind'"},
      {"kind: Pod\nmetadata: {name: x}\n", "1:1 an object needs 'apiVersion'"},
      {"- a\n", "1:1 wrong type of value"},
      {"apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: i}]}\n", "1:1 Pod needs 'metadata'"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\nspec: {containers: [{name: c, image: i}]}\n", "3:11 Pod needs 'metadata.name'"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: Web_1}\nspec: {containers: [{name: c, image: i}]}\n", "3:18 'Web_1' is no valid name"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: 1}}\nspec: {containers: [{name: c, image: i}]}\n", "3:33 wrong type of value"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: 'b c'}}\nspec: {containers: [{name: c, image: i}]}\n", "3:33 'b c' is no valid label value"},
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "1:1 Pod needs 'spec'"},
      {"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\n", "1:13 Deployment is not served as 'extensions/v1beta1'"},
      {pod("  nodeName: n\n"), "5:3 a pod needs at least one container"},
      {pod("  containers: {name: c}\n"), "5:15 wrong type of value"},
      {pod("  containers: [{image: i}]\n"), "5:16 a container needs 'name'"},
      {pod("  containers: [{name: c, image: i}, {name: c, image: i}]\n"), "5:15 there are two containers with the name 'c'"},
      {pod("  containers: [{name: c, image: i, resources: {requests: {memory: lots}}}]\n"), "5:67 wrong type of value"},
      {pod("  containers: [{name: c, image: i, resources: {requests: {cpu: -1}}}]\n"), "5:64 the amount of cpu is negative"},
      {pod("  containers: [{name: c, image: i, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]\n"), "5:64 the request for cpu is larger than the limit"},
      {pod("  containers: [{name: c, image: i, imagePullPolicy: Sometimes}]\n"), "5:53 unknown word for imagePullPolicy"},
      {pod("  containers: [{name: c, image: i, ports: [{containerPort: 70000}]}]\n"), "5:60 value out of range"},
      {pod(good_pod + "  restartPolicy: never\n"), "6:18 unknown word for restartPolicy"},
      {pod(good_pod + "  terminationGracePeriodSeconds: '30'\n"), "6:34 wrong type of value"},
      {pod(good_pod + "  tolerations: [{key: a, operator: Exists, value: b}]\n"), "6:51 a toleration with operator Exists takes no value"},
      {pod(good_pod + "  nodeSelector: [a]\n"), "6:17 wrong type of value"},
      {pod(good_pod + "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}\n"), "6:77 required node affinity needs at least one of 'nodeSelectorTerms'"},
      {deployment("  replicas: three\n"), "7:13 wrong type of value"},
      {deployment("  replicas: -1\n"), "7:13 value out of range"},
      {deployment("  strategy: {type: Recrate}\n"), "7:20 unknown word for type"},
      {deployment("  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}\n"), "7:29 maxUnavailable may not be 0 when maxSurge is 0: nothing could ever be updated"},
      {deployment("  strategy: {rollingUpdate: {maxSurge: many}}\n"), "7:40 wrong type of value"},
      {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: x}}\n"
       "  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n",
       "5:13 the selector does not match the labels of the template"},
      {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n",
       "5:3 Deployment needs 'spec.selector'"},
      {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: [{name: c, image: i}]}}}\n", "4:25 the pods of a Job need a restartPolicy"},
      {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: j}\nspec: {schedule: '* * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}\n",
       "4:18 '* * *' is no cron schedule"},
      {"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 1, maxUnavailable: 1}\n", "4:7 minAvailable and maxUnavailable exclude each other"},
      {"apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: x}\nvalue: 2000000000\n", "4:8 value out of range"},
      {"apiVersion: v1\nkind: Node\nmetadata: {name: x}\nspec: {taints: [{key: a, effect: NoSchedul}]}\n", "4:34 unknown word for effect"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Decoded d(c.text);
    ASSERT_FALSE(d.problems().empty());
    EXPECT_EQ(d.problems(), std::vector<std::string>{c.error});
  }
}

TEST(Manifests, WhatIsNotSimulatedIsNamedOnce) {
  Decoded d(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n"
      "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: v}\n---\n" +
      pod("  runtimeClassName: gvisor\n  containers: [{name: c, image: i, unknownField: [1, 2]}]\n  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}, {name: t, emptyDir: {}}]\n"));
  EXPECT_FALSE(d.diagnostics.has_errors()) << d.diagnostics.format();
  EXPECT_EQ(d.problems(), (std::vector<std::string>{"0:0 warning: kept, not simulated: ConfigMap (2), Job (1)", "17:21 warning: not simulated: runtimeClassName whose RuntimeClass is in none of the files",
                                                    "18:36 warning: Kubernetes has no field Pod.spec.containers.unknownField",
                                                    "19:46 warning: not simulated: volumes.persistentVolumeClaim (taken as bound and attached)"}));
  ASSERT_EQ(d.set.others.size(), 3u);
  const k8s::PodSpec& s = *d.set.pods.at(0).object.spec;
  EXPECT_EQ(d.name(s.volumes.at(0).claim), "data");
  EXPECT_TRUE(s.has_local_storage);
  // No field of the user's is lost.
  EXPECT_NE(d.set.pods[0].object.meta.source->text().find("unknownField: [1, 2]"), std::string::npos);
}

TEST(Manifests, Storage) {
  Decoded d(
      "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: fast, annotations: {storageclass.kubernetes.io/is-default-class: \"true\"}}\n"
      "provisioner: rbd.csi.ceph.com\nparameters: {pool: p}\nvolumeBindingMode: WaitForFirstConsumer\nreclaimPolicy: Retain\n"
      "allowedTopologies: [{matchLabelExpressions: [{key: zone, values: [a, b]}]}]\n---\n"
      "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv}\nspec:\n  capacity: {storage: 10Gi}\n  accessModes: [ReadWriteOnce]\n"
      "  storageClassName: manual\n  local: {path: /mnt}\n  claimRef: {namespace: default, name: data}\n"
      "  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n1]}]}]}}\n---\n"
      "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec:\n  accessModes: [ReadWriteMany, ReadOnlyMany]\n"
      "  resources: {requests: {storage: 1500Mi}}\n  storageClassName: \"\"\n  volumeMode: Block\n---\n"
      "apiVersion: storage.k8s.io/v1\nkind: VolumeAttachment\nmetadata: {name: va}\nspec: {attacher: rbd.csi.ceph.com, nodeName: n1, source: {persistentVolumeName: pv}}\n"
      "status: {attached: true}\n---\n" +
      pod("  containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /d}], volumeDevices: [{name: e, devicePath: /dev/x}]}]\n"
          "  volumes:\n  - {name: v, persistentVolumeClaim: {claimName: data}}\n  - name: e\n    ephemeral: {volumeClaimTemplate: {spec: {accessModes: "
          "[ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}\n"));
  EXPECT_EQ(d.problems(), std::vector<std::string>{});
  const k8s::StorageClass& c = d.set.storage_classes.at(0).object;
  EXPECT_EQ(d.name(c.provisioner), "rbd.csi.ceph.com");
  EXPECT_TRUE(c.wait_for_first_consumer);
  EXPECT_TRUE(c.is_default);
  EXPECT_EQ(c.reclaim_policy, k8s::ReclaimPolicy::kRetain);
  EXPECT_EQ(c.parameters.size(), 1u);
  EXPECT_EQ(c.allowed_topologies.at(0).match_expressions.at(0).values.size(), 2u);
  const k8s::PersistentVolume& v = d.set.volumes.at(0).object;
  EXPECT_EQ(v.bytes, 10ll << 30);
  EXPECT_EQ(d.name(v.driver), "kubernetes.io/local-volume");
  EXPECT_EQ(d.name(v.claim_name), "data");
  EXPECT_TRUE(v.has_node_affinity);
  EXPECT_EQ(v.reclaim_policy, k8s::ReclaimPolicy::kRetain);
  const k8s::PersistentVolumeClaim& p = d.set.claims.at(0).object;
  EXPECT_EQ(p.spec.access_modes.bits, k8s::AccessModes::kReadWriteMany | k8s::AccessModes::kReadOnlyMany);
  EXPECT_EQ(p.spec.bytes, 1500ll << 20);
  EXPECT_EQ(p.spec.storage_class, Symbol{});
  EXPECT_TRUE(p.spec.block);
  EXPECT_FALSE(p.bind_completed);
  EXPECT_TRUE(d.set.attachments.at(0).object.attached);
  const k8s::PodSpec& s = *d.set.pods.at(0).object.spec;
  ASSERT_EQ(s.volumes.size(), 2u);
  EXPECT_EQ(s.volumes[1].ephemeral->spec.bytes, 1ll << 30);
  EXPECT_FALSE(s.volumes[1].ephemeral->spec.storage_class.has_value());
  EXPECT_EQ(s.containers[0].volume_mounts.size(), 2u);
}

TEST(Manifests, VolumesThatTheSchedulerWouldLookAtAreNamed) {
  Decoded d(pod("  containers: [{name: c, image: i}]\n  volumes: [{name: m, image: {reference: \"model:1\"}}, {name: d, gcePersistentDisk: {pdName: x}}, {name: e, configMap: {name: k}}]\n"));
  EXPECT_NE(d.diagnostics.format().find("not simulated: volumes.image"), std::string::npos) << d.diagnostics.format();
  EXPECT_NE(d.diagnostics.format().find("not simulated: volumes.gcePersistentDisk"), std::string::npos) << d.diagnostics.format();
  EXPECT_EQ(d.diagnostics.warning_count(), 2u) << d.diagnostics.format();
}

TEST(Manifests, BoundClaimsOfADump) {
  struct Case {
    std::string_view name, metadata, spec, status;
    bool bind_completed;
    k8s::ClaimPhase phase;
  };
  const std::string_view bound = ", annotations: {pv.kubernetes.io/bind-completed: \"yes\"}";
  const Case cases[] = {
      {"bound", bound, ", volumeName: pv", "{phase: Bound}", true, k8s::ClaimPhase::kBound},
      {"the annotation counts, whatever its value", ", annotations: {pv.kubernetes.io/bind-completed: \"true\"}", ", volumeName: pv", "{}", true, k8s::ClaimPhase::kBound},
      {"no annotation", "", ", volumeName: pv", "{phase: Bound}", false, k8s::ClaimPhase::kPending},
      {"no volume", bound, "", "{}", false, k8s::ClaimPhase::kPending},
      {"its volume is gone", bound, ", volumeName: pv", "{phase: Lost}", true, k8s::ClaimPhase::kLost},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Decoded d(fmt::format("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: x{}}}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}{}}}\nstatus: {}\n",
                          c.metadata, c.spec, c.status));
    EXPECT_FALSE(d.diagnostics.has_errors()) << d.diagnostics.format();
    ASSERT_EQ(d.set.claims.size(), 1u);
    EXPECT_EQ(d.set.claims[0].object.bind_completed, c.bind_completed);
    Engine engine;
    EventLog log(engine, d.names);
    k8s::ApiServer api(engine, log, d.names);
    store(d.set, api);
    const k8s::PersistentVolumeClaim* stored = api.get(api.find<k8s::PersistentVolumeClaim>(d.names.intern("default"), d.names.intern("x")));
    ASSERT_NE(stored, nullptr);
    EXPECT_EQ(stored->phase, c.phase);
  }
}

TEST(Manifests, ImpossibleStorageIsRefused) {
  const std::string head = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: x}\nspec: ";
  const std::pair<std::string, std::string> cases[] = {
      {"{accessModes: [ReadWriteTwice], resources: {requests: {storage: 1Gi}}}", "unknown access mode 'ReadWriteTwice'"},
      {"{accessModes: [ReadWriteOnce]}", "the amount of 'storage' is missing"},
      {"{accessModes: [ReadWriteOnce], resources: {requests: {storage: 0}}}", "the amount of storage must be greater than zero"},
      {"{resources: {requests: {storage: 1Gi}}}", "a claim needs at least one of 'accessModes'"},
      {"{accessModes: [ReadWriteOncePod, ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", "ReadWriteOncePod may not stand beside other access modes"},
  };
  for (const auto& [spec, want] : cases) {
    SCOPED_TRACE(spec);
    const Decoded d(head + spec + "\n");
    EXPECT_TRUE(d.diagnostics.has_errors());
    EXPECT_NE(d.diagnostics.format().find(want), std::string::npos) << d.diagnostics.format();
  }
}

TEST(Manifests, MisspeltFieldsAreNamedWithTheRightWord) {
  const Decoded d(deployment("  replcias: 3\n"));
  EXPECT_EQ(d.problems(), std::vector<std::string>{"7:3 warning: Kubernetes has no field Deployment.spec.replcias"});
  EXPECT_EQ(d.diagnostics.sorted().at(0).hint, "did you mean 'replicas'?");
}

TEST(Manifests, ListsAndJson) {
  const std::string items =
      R"("items": [{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}, {"metadata": {"name": "b"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "c", "restartCount": 3, "ready": true, "state": {"running": {}}}]}}])";
  const Decoded d("{\"apiVersion\": \"v1\", \"kind\": \"PodList\", " + items + "}", "pods.json");
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  ASSERT_EQ(d.set.pods.size(), 2u);
  const k8s::Pod& p = d.set.pods[1].object;
  EXPECT_EQ(d.name(p.node_name), "n");
  EXPECT_EQ(p.phase, k8s::PodPhase::kRunning);
  EXPECT_TRUE(p.ready);
  EXPECT_EQ(p.containers.at(0).restart_count, 3u);
  EXPECT_EQ(d.set.pods[0].object.meta.source->text().find("{\"metadata\": {\"name\": \"a\"}"), d.set.pods[0].object.meta.source->range.column - 1);

  const Decoded list("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: x}\n- apiVersion: v1\n  kind: List\n  items: []\n");
  EXPECT_EQ(list.set.namespaces.size(), 1u);
  EXPECT_TRUE(list.diagnostics.empty()) << list.diagnostics.format();
}

TEST(Manifests, NamesThatAreTakenTwice) {
  const Decoded d(pod("  containers: [{name: c, image: i}]\n") + "---\n" + pod("  containers: [{name: c, image: i}]\n"));
  EXPECT_EQ(d.problems(), std::vector<std::string>{"7:1 there are two Pods with the name 'default/p'"});
}

TEST(Manifests, TemplateHashGoesByContent) {
  const auto hash = [](const std::string& tmpl) {
    Decoded d("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: b}}\n  template: " + tmpl + "\n");
    EXPECT_FALSE(d.diagnostics.has_errors()) << d.diagnostics.format();
    return d.set.deployments.at(0).object.pod_template.hash;
  };
  const std::uint64_t base = hash("{metadata: {labels: {a: b, c: d}}, spec: {containers: [{name: c, image: i}]}}");
  EXPECT_EQ(base, hash("{spec: {containers: [{image: i, name: c}]}, metadata: {labels: {c: d, a: b}}}"));
  EXPECT_EQ(base, hash("{spec: {nodeName: null, containers: [{image: i, name: 'c'}]}, metadata: {labels: {c: d, a: b}}}"));
  EXPECT_NE(base, hash("{metadata: {labels: {a: b, c: d}}, spec: {containers: [{name: c, image: j}]}}"));
  EXPECT_NE(base, hash("{metadata: {labels: {a: b, c: d}}, spec: {containers: [{name: c, image: i, env: []}]}}"));
}

TEST(Manifests, StoreBindsPodsAndResolvesOwners) {
  Decoded d(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: w-1, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: w, controller: true}]}\n"
      "spec: {nodeName: n1, containers: [{name: c, image: i}]}\n---\n"
      "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: w, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: d, controller: true}]}\n"
      "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}\n---\n"
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"
      "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}\n---\n"
      "apiVersion: v1\nkind: Pod\nmetadata: {name: static, annotations: {kubernetes.io/config.mirror: x}}\nspec: {nodeName: n1, containers: [{name: c, image: i}]}\n---\n"
      "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {capacity: {cpu: 4, memory: 8Gi}}\n");
  ASSERT_TRUE(d.diagnostics.empty()) << d.diagnostics.format();
  Engine engine;
  Interner names(&d.names);
  EventLog log(engine, names);
  k8s::ApiServer api(engine, log, names);
  StoreOptions options;
  options.without_mirror_pods_of = {names.find("n1")};
  EXPECT_EQ(store(d.set, api, options), std::vector<std::string>{});
  const auto ns = names.find("default");
  const k8s::Pod* pod = api.get(api.find<k8s::Pod>(ns, names.find("w-1")));
  ASSERT_NE(pod, nullptr);
  EXPECT_EQ(pod->node, api.find<k8s::Node>(Symbol{}, names.find("n1")));
  ASSERT_NE(pod->meta.controller(), nullptr);
  EXPECT_EQ(pod->meta.controller()->owner, k8s::ApiServer::untyped(api.find<k8s::ReplicaSet>(ns, names.find("w"))));
  EXPECT_EQ(api.all<k8s::Pod>().size(), 1u);
  EXPECT_EQ(api.get(api.find<k8s::ReplicaSet>(ns, names.find("w")))->meta.owners.size(), 1u);
  // What exists already is left alone, and named.
  EXPECT_EQ(store(d.set, api, options).size(), 4u);
}

TEST(Manifests, NodeSelectorRequirementsAreCheckedAsTheApiServerDoes) {
  const auto with = [](const std::string& term) {
    return pod("  containers: [{name: c, image: i}]\n  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" + term + "]}}}\n");
  };
  const std::pair<std::string, std::string> cases[] = {
      {"{matchExpressions: [{key: rank, operator: Gt, values: [\"-5\"]}]}", "'-5' is no valid label value"},
      {"{matchExpressions: [{key: 'a b', operator: Exists}]}", "'a b' is no valid label key"},
      {"{matchFields: [{key: spec.unschedulable, operator: In, values: [a]}]}", "'spec.unschedulable' is no field that can be selected by"},
      {"{matchFields: [{key: metadata.name, operator: Exists}]}", "matchFields takes the operators In and NotIn"},
      {"{matchFields: [{key: metadata.name, operator: In, values: [a, b]}]}", "an expression of matchFields takes one value"},
  };
  for (const auto& [term, message] : cases) {
    const Decoded decoded(with(term));
    EXPECT_NE(decoded.diagnostics.format().find(message), std::string::npos) << term << "\n" << decoded.diagnostics.format();
  }
  EXPECT_TRUE(Decoded(with("{matchFields: [{key: metadata.name, operator: In, values: [a]}], matchExpressions: [{key: rank, operator: Lt, values: [\"5\"]}]}")).diagnostics.empty());
  // Of preferred terms it looks at keys and operators, not at values.
  const auto preferred = [](const std::string& expression) {
    return Decoded(pod("  containers: [{name: c, image: i}]\n  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: "
                       "[{weight: 1, preference: {matchExpressions: [" + expression + "]}}]}}\n")).diagnostics.format();
  };
  EXPECT_EQ(preferred("{key: rank, operator: Gt, values: [\"-5\"]}"), "");
  EXPECT_EQ(preferred("{key: rank, operator: In, values: [a b]}"), "");
  EXPECT_NE(preferred("{key: rank, operator: Gt, values: [a, b]}").find("Gt and Lt take one value"), std::string::npos);
}

TEST(Manifests, StorageCapacityBelongsToTheClassesOfItsDriver) {
  const Decoded decoded(R"(apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: csi.example.com}
spec: {storageCapacity: true}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: csi.example.com
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: other}
provisioner: untracked.example.com
---
apiVersion: storage.k8s.io/v1
kind: CSIStorageCapacity
metadata: {name: a, namespace: default}
storageClassName: fast
nodeTopology: {matchLabels: {rack: r1}}
capacity: 100Gi
maximumVolumeSize: 20Gi
---
apiVersion: storage.k8s.io/v1
kind: CSIStorageCapacity
metadata: {name: b, namespace: default}
storageClassName: fast
)");
  ASSERT_FALSE(decoded.diagnostics.has_errors()) << decoded.diagnostics.format();
  ASSERT_NE(decoded.set.storage_classes.at(0).object.capacities, nullptr);
  const std::vector<k8s::StorageCapacity>& capacities = *decoded.set.storage_classes.at(0).object.capacities;
  ASSERT_EQ(capacities.size(), 2u);
  EXPECT_EQ(capacities[0].bytes, 20ll << 30) << "maximumVolumeSize goes before capacity";
  EXPECT_TRUE(capacities[0].topology.has_value());
  EXPECT_EQ(capacities[1].bytes, -1);
  EXPECT_FALSE(capacities[1].topology.has_value());
  EXPECT_EQ(decoded.set.storage_classes.at(1).object.capacities, nullptr);
}

}  // namespace
}  // namespace sim::scenario

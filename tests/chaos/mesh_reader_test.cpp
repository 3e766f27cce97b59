// Resources of Chaos Mesh and LitmusChaos as files have them: what is accepted, what is wrong, what is refused by name, and never a crash.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "chaos/mesh/reference.hpp"
#include "chaos/mesh/resource.hpp"
#include "sim/core/random.hpp"

namespace chaos::mesh {
namespace {

struct ReadResult {
  std::size_t resources = 0;
  std::string problems;
};
ReadResult read(const std::string& text) {
  sim::scenario::Diagnostics diagnostics;
  const auto document = sim::scenario::load_text("chaos.yaml", text, diagnostics);
  ReadResult result;
  if (document != nullptr) {
    Reader reader{diagnostics};
    std::vector<std::shared_ptr<const Resource>> resources;
    for (const Node root : document->roots()) read_resources(root, resources, reader);
    result.resources = resources.size();
  }
  result.problems = diagnostics.format();
  return result;
}
std::string resource(const std::string& kind, const std::string& spec) {
  return "apiVersion: chaos-mesh.org/v1alpha1\nkind: " + kind + "\nmetadata: {name: x, namespace: shop}\nspec:\n" + spec;
}
std::string embedded(const std::string& spec) { return resource("Workflow", spec); }

/// A ChaosEngine of LitmusChaos with one experiment; `env` is flow style: "A: '1', B: x".
std::string engine(const std::string& experiment, const std::vector<std::pair<std::string, std::string>>& env, const std::string& app = "{appns: shop, applabel: app=web, appkind: deployment}") {
  std::string text = "apiVersion: litmuschaos.io/v1alpha1\nkind: ChaosEngine\nmetadata: {name: x, namespace: shop}\nspec:\n  engineState: active\n  chaosServiceAccount: litmus\n  jobCleanUpPolicy: delete\n  appinfo: " + app +
                     "\n  experiments:\n  - name: " + experiment + "\n    spec:\n      components:\n        env:\n";
  for (const auto& [name, value] : env) text += "        - {name: " + name + ", value: '" + value + "'}\n";
  return text;
}

const std::string kSelector = "  mode: one\n  selector: {labelSelectors: {app: web}}\n";

struct Case {
  std::string_view name;
  std::string text;
  std::string error;  // that the problems must contain; empty: it is accepted without a word
};

const Case kCases[] = {
    // ---- accepted
    {"pod-kill", resource("PodChaos", "  action: pod-kill\n  gracePeriod: 5\n" + kSelector), ""},
    {"pod-failure", resource("PodChaos", "  action: pod-failure\n  duration: 1m30s\n" + kSelector), ""},
    {"container-kill", resource("PodChaos", "  action: container-kill\n  containerNames: [web]\n" + kSelector), ""},
    {"netem with everything", resource("NetworkChaos", "  action: netem\n  delay: {latency: 90ms, jitter: 10ms, correlation: '25', reorder: {reorder: '5', correlation: '50', gap: 0}}\n  loss: {loss: '12.5'}\n  rate: {rate: 10mbit}\n" + kSelector), ""},
    {"partition without a target, from both sides", resource("NetworkChaos", "  action: partition\n  direction: both\n" + kSelector), ""},
    {"partition with a target", resource("NetworkChaos", "  action: partition\n  direction: from\n  target: {mode: all, selector: {namespaces: [db], labelSelectors: {app: db}}}\n" + kSelector), ""},
    {"bandwidth", resource("NetworkChaos", "  action: bandwidth\n  bandwidth: {rate: 1mbps, limit: 20971520, buffer: 10000}\n" + kSelector), ""},
    {"stress", resource("StressChaos", "  stressors: {memory: {workers: 4, size: 256MB}, cpu: {workers: 2, load: 50}}\n" + kSelector), ""},
    {"stress, a share of memory", resource("StressChaos", "  stressors: {memory: {workers: 1, size: 50%}}\n" + kSelector), ""},
    {"io latency", resource("IOChaos", "  action: latency\n  volumePath: /var/lib/etcd\n  delay: 100ms\n  percent: 50\n  methods: [fsync]\n" + kSelector), ""},
    {"io fault", resource("IOChaos", "  action: fault\n  volumePath: /var/lib/etcd\n  errno: 5\n" + kSelector), ""},
    {"time", resource("TimeChaos", "  timeOffset: -1h30m\n  clockIds: [CLOCK_REALTIME]\n" + kSelector), ""},
    {"dns", resource("DNSChaos", "  action: random\n  patterns: [web.*, 'd?.shop.svc.cluster.local']\n" + kSelector), ""},
    {"http", resource("HTTPChaos", "  target: Response\n  port: 80\n  replace: {code: 503}\n  path: '*'\n" + kSelector), ""},
    {"aws", resource("AWSChaos", "  action: ec2-stop\n  awsRegion: eu-west-1\n  ec2Instance: i-0123\n  secretName: key\n  duration: 5m\n"), ""},
    {"gcp", resource("GCPChaos", "  action: node-reset\n  project: p\n  zone: z\n  instance: w1\n"), ""},
    {"azure", resource("AzureChaos", "  action: vm-restart\n  subscriptionID: s\n  resourceGroupName: g\n  vmName: w1\n"), ""},
    {"schedule", resource("Schedule", "  schedule: '@every 10m'\n  type: PodChaos\n  historyLimit: 5\n  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 60\n  podChaos:\n    action: pod-kill\n    mode: one\n    selector: {labelSelectors: {app: web}}\n"), ""},
    {"status check", resource("StatusCheck", "  mode: Continuous\n  type: HTTP\n  intervalSeconds: 5\n  http: {url: 'http://web.shop.svc:80/healthz', method: GET, criteria: {statusCode: 200-299}}\n"), ""},
    {"every mode", resource("PodChaos", "  action: pod-kill\n  mode: random-max-percent\n  value: '50'\n  selector: {namespaces: [a, b], expressionSelectors: [{key: app, operator: In, values: [web]}], annotationSelectors: {a: b}, fieldSelectors: {metadata.name: x}, podPhaseSelectors: [Running, '!Failed'], nodeSelectors: {disk: ssd}, nodes: [w1]}\n"), ""},
    {"as kubectl gets it", "apiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {name: x, namespace: shop, uid: a, resourceVersion: '1', generation: 2, creationTimestamp: '2026-01-01T00:00:00Z', labels: {a: b}, finalizers: [chaos-mesh/records]}\nspec:\n  action: pod-kill\n" + kSelector + "status: {conditions: []}\n", ""},
    {"a list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: chaos-mesh.org/v1alpha1\n  kind: PodChaos\n  metadata: {name: x}\n  spec: {action: pod-kill, mode: all, selector: {labelSelectors: {app: web}}}\n", ""},
    {"workflow",
     embedded("  entry: all\n  templates:\n  - {name: all, templateType: Serial, deadline: 10m, children: [one, wait, check]}\n  - {name: one, templateType: PodChaos, deadline: 20s, podChaos: {action: pod-kill, mode: one, selector: {labelSelectors: {app: web}}}}\n"
              "  - {name: wait, templateType: Suspend, deadline: 10s}\n  - name: check\n    templateType: StatusCheck\n    abortWithStatusCheck: true\n    statusCheck: {type: HTTP, http: {url: 'http://web.shop', criteria: {statusCode: '200'}}}\n"),
     ""},
    {"litmus pod-delete", engine("pod-delete", {{"TOTAL_CHAOS_DURATION", "30"}, {"CHAOS_INTERVAL", "10"}, {"FORCE", "false"}, {"PODS_AFFECTED_PERC", "50"}, {"LIB", "litmus"}}), ""},
    {"litmus node-drain", engine("node-drain", {{"TOTAL_CHAOS_DURATION", "60"}, {"TARGET_NODE", "w1"}}), ""},
    {"litmus pod-network-latency", engine("pod-network-latency", {{"NETWORK_LATENCY", "2000"}, {"NETWORK_INTERFACE", "eth0"}, {"CONTAINER_RUNTIME", "containerd"}, {"DESTINATION_IPS", ""}}), ""},
    // ---- wrong
    {"a list of nothing", "apiVersion: v1\nkind: List\nitem9s: []\n", "did you mean 'items'?"},
    {"litmus: no such experiment", engine("pod-delet", {}), "did you mean 'pod-delete'?"},
    {"litmus: no such variable", engine("pod-delete", {{"TOTAL_CHAOS_DURATON", "30"}}), "did you mean 'TOTAL_CHAOS_DURATION'?"},
    {"litmus: a variable of another experiment", engine("pod-delete", {{"NETWORK_LATENCY", "30"}}), "'NETWORK_LATENCY' is no variable of pod-delete"},
    {"litmus: no number", engine("pod-delete", {{"TOTAL_CHAOS_DURATION", "30s"}}), "'30s' is no value of TOTAL_CHAOS_DURATION"},
    {"litmus: no percentage", engine("pod-delete", {{"PODS_AFFECTED_PERC", "150"}}), "'150' is no value of PODS_AFFECTED_PERC"},
    {"litmus: no node", engine("node-drain", {}), "needs TARGET_NODE or NODE_LABEL"},
    {"litmus: no taint", engine("node-taint", {{"TARGET_NODE", "w1"}, {"TAINTS", "a=b"}}), "needs TAINTS"},
    {"litmus: nobody", engine("pod-delete", {}, "{appns: shop}"), "needs appinfo.applabel or TARGET_PODS"},
    {"litmus: no labels", engine("pod-delete", {}, "{appns: shop, applabel: 'app in (web)'}"), "are no labels"},
    {"litmus: refused experiments", engine("disk-fill", {{"FILL_PERCENTAGE", "80"}}), "not modelled: litmus experiment disk-fill"},
    {"litmus: refused variables", engine("pod-network-loss", {{"DESTINATION_HOSTS", "db"}}), "not modelled: 'DESTINATION_HOSTS'"},
    {"no such kind", resource("PodChoas", kSelector), "chaos.yaml:2:7: error: 'PodChoas' is no kind of chaos-mesh.org/v1alpha1"},
    {"no such kind: what was meant", resource("PodChoas", kSelector), "did you mean 'PodChaos'?"},
    {"no such version", "apiVersion: chaos-mesh.org/v1\nkind: PodChaos\n", "'chaos-mesh.org/v1' is no version that there is"},
    {"another tool", "apiVersion: apps/v1\nkind: Deployment\n", "neither of Chaos Mesh nor of LitmusChaos"},
    {"no name", "apiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {}\nspec:\n  action: pod-kill\n" + kSelector, "needs the key 'name'"},
    {"a misspelt action", resource("PodChaos", "  action: pod-kil\n" + kSelector), "did you mean 'pod-kill'?"},
    {"a misspelt key", resource("PodChaos", "  action: pod-kill\n  gracePeriods: 3\n" + kSelector), "did you mean 'gracePeriod'?"},
    {"a key at the top", "apiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {name: x}\nspc: {}\nspec:\n  action: pod-kill\n" + kSelector, "unknown key 'spc'"},
    {"no mode", resource("PodChaos", "  action: pod-kill\n  selector: {labelSelectors: {app: web}}\n"), "needs the key 'mode'"},
    {"a misspelt mode", resource("PodChaos", "  action: pod-kill\n  mode: fixed-percnt\n  value: '5'\n  selector: {}\n"), "did you mean 'fixed-percent'?"},
    {"fixed without a value", resource("PodChaos", "  action: pod-kill\n  mode: fixed\n  selector: {}\n"), "mode fixed needs 'value'"},
    {"a value that is no string", resource("PodChaos", "  action: pod-kill\n  mode: fixed\n  value: 2\n  selector: {}\n"), "with quotes: \"2\""},
    {"more than all", resource("PodChaos", "  action: pod-kill\n  mode: fixed-percent\n  value: '120'\n  selector: {}\n"), "how many percent"},
    {"container-kill of nobody", resource("PodChaos", "  action: container-kill\n" + kSelector), "the name of container is required on container-kill action"},
    {"a duration without a unit", resource("PodChaos", "  action: pod-failure\n  duration: '30'\n" + kSelector), "did you mean \"30s\"?"},
    {"an empty duration", resource("PodChaos", "  action: pod-failure\n  duration: ''\n" + kSelector), "leave it out"},
    {"a scheduler of version 1", resource("PodChaos", "  action: pod-kill\n  scheduler: {cron: '@every 2m'}\n" + kSelector), "not modelled: 'scheduler'"},
    {"a duration of days", resource("PodChaos", "  action: pod-failure\n  duration: 1d\n" + kSelector), "Go has no days"},
    {"a negative duration", resource("PodChaos", "  action: pod-failure\n  duration: -5s\n" + kSelector), "a duration is not negative"},
    {"delay without a delay", resource("NetworkChaos", "  action: delay\n" + kSelector), "action delay needs 'delay'"},
    {"loss in percent", resource("NetworkChaos", "  action: loss\n  loss: {loss: 25%}\n" + kSelector), "without the sign: \"25\""},
    {"loss as a number", resource("NetworkChaos", "  action: loss\n  loss: {loss: 25}\n" + kSelector), "with quotes: \"25\""},
    {"more loss than packets", resource("NetworkChaos", "  action: loss\n  loss: {loss: '125'}\n" + kSelector), "125 is no percentage"},
    {"from nobody", resource("NetworkChaos", "  action: delay\n  direction: from\n  delay: {latency: 1s}\n" + kSelector), "cannot be used when targets is empty"},
    {"a rate without a unit", resource("NetworkChaos", "  action: bandwidth\n  bandwidth: {rate: '100', limit: 1, buffer: 1}\n" + kSelector), "'100' is no rate"},
    {"bandwidth without its limits", resource("NetworkChaos", "  action: bandwidth\n  bandwidth: {rate: 1mbps}\n" + kSelector), "needs the key 'limit'"},
    {"nothing to stress with", resource("StressChaos", kSelector), "missing stressors"},
    {"no workers", resource("StressChaos", "  stressors: {cpu: {workers: 0}}\n" + kSelector), "workers should always be positive"},
    {"a size that is none", resource("StressChaos", "  stressors: {memory: {workers: 1, size: 10 apples}}\n" + kSelector), "'10 apples' is no size"},
    {"no errno", resource("IOChaos", "  action: fault\n  volumePath: /data\n" + kSelector), "errno 0 is not supported"},
    {"no such call", resource("IOChaos", "  action: latency\n  delay: 1s\n  volumePath: /data\n  methods: [fsynk]\n" + kSelector), "did you mean 'fsync'?"},
    {"no such clock", resource("TimeChaos", "  timeOffset: 1h\n  clockIds: [CLOCK_REALTIMES]\n" + kSelector), "did you mean 'CLOCK_REALTIME'?"},
    {"a star in the middle", resource("DNSChaos", "  action: error\n  patterns: ['chaos-*.org']\n" + kSelector), "the wildcard * is not at the end"},
    {"http without an action", resource("HTTPChaos", "  target: Request\n  port: 80\n" + kSelector), "HTTPChaos needs an action"},
    {"http without a port", resource("HTTPChaos", "  target: Request\n  abort: true\n" + kSelector), "needs the key 'port'"},
    {"no schedule", resource("Schedule", "  schedule: every day\n  type: PodChaos\n  podChaos: {action: pod-kill, mode: one, selector: {}}\n"), "parse schedule field error"},
    {"a type without its spec", resource("Schedule", "  schedule: '@every 5s'\n  type: PodChaos\n"), "type PodChaos needs 'podChaos'"},
    {"a type with another spec", resource("Schedule", "  schedule: '@every 5s'\n  type: PodChaos\n  timeChaos: {timeOffset: 1h, mode: one, selector: {}}\n"), "type PodChaos has no 'timeChaos'"},
    {"an entry that is not there", embedded("  entry: al\n  templates:\n  - {name: all, templateType: Suspend, deadline: 1s}\n"), "did you mean 'all'?"},
    {"a child that is not there", embedded("  entry: all\n  templates:\n  - {name: all, templateType: Serial, children: [on]}\n  - {name: one, templateType: Suspend, deadline: 1s}\n"), "can not find a template with name on"},
    {"a circle", embedded("  entry: all\n  templates:\n  - {name: all, templateType: Serial, children: [all]}\n"), "comes to itself"},
    {"two of a name", embedded("  entry: all\n  templates:\n  - {name: all, templateType: Suspend, deadline: 1s}\n  - {name: all, templateType: Suspend, deadline: 1s}\n"), "template name must be unique"},
    {"a pause without an end", embedded("  entry: all\n  templates:\n  - {name: all, templateType: Suspend}\n"), "needs 'deadline'"},
    {"a duration in a workflow", embedded("  entry: a\n  templates:\n  - {name: a, templateType: PodChaos, podChaos: {action: pod-failure, duration: 5s, mode: one, selector: {}}}\n"), "use Template#Deadline instead"},
    {"a status code", resource("StatusCheck", "  type: HTTP\n  http: {url: 'http://web', criteria: {statusCode: ok}}\n"), "incorrect status code format"},
    {"a field selector", resource("PodChaos", "  action: pod-kill\n  mode: one\n  selector: {fieldSelectors: {spec.nodename: w1}}\n"), "did you mean 'spec.nodeName'?"},
    {"a phase", resource("PodChaos", "  action: pod-kill\n  mode: one\n  selector: {podPhaseSelectors: [Runing]}\n"), "did you mean 'Running'?"},
    {"an operator", resource("PodChaos", "  action: pod-kill\n  mode: one\n  selector: {expressionSelectors: [{key: a, operator: in, values: [b]}]}\n"), "did you mean 'In'?"},
    {"selectors beside pods do not count", resource("PodChaos", "  action: pod-kill\n  mode: one\n  selector: {pods: {shop: [db-0]}, labelSelectors: {app: web}}\n"), "'labelSelectors' does not count"},
    // ---- known, and refused by name
    {"a remote cluster", resource("PodChaos", "  action: pod-kill\n  remoteCluster: far\n" + kSelector), "chaos.yaml:6:18: error: not modelled: 'remoteCluster'"},
    {"external targets", resource("NetworkChaos", "  action: partition\n  externalTargets: [8.8.8.8]\n" + kSelector), "not modelled: 'externalTargets'"},
    {"a device", resource("NetworkChaos", "  action: partition\n  device: eth1\n" + kSelector), "not modelled: 'device'"},
    {"stress-ng's language", resource("StressChaos", "  stressngStressors: --vm 2\n  stressors: {cpu: {workers: 1}}\n" + kSelector), "not modelled: 'stressngStressors'"},
    {"an option of stress-ng", resource("StressChaos", "  stressors: {cpu: {workers: 1, options: ['--cpu 2', '--matrix 1']}}\n" + kSelector), "not modelled: stress-ng's option '--matrix 1'"},
    {"attributes of files", resource("IOChaos", "  action: attrOverride\n  volumePath: /data\n  attr: {perm: 72}\n" + kSelector), "not modelled: 'attr'"},
    {"mistakes in files", resource("IOChaos", "  action: mistake\n  volumePath: /data\n" + kSelector), "not modelled: iochaos mistake"},
    {"the monotonic clock", resource("TimeChaos", "  timeOffset: 1h\n  clockIds: [CLOCK_MONOTONIC]\n" + kSelector), "not modelled: the clock CLOCK_MONOTONIC"},
    {"some requests", resource("HTTPChaos", "  target: Request\n  port: 80\n  abort: true\n  path: /api/*\n" + kSelector), "not modelled: 'path'"},
    {"a method", resource("HTTPChaos", "  target: Request\n  port: 80\n  abort: true\n  method: GET\n" + kSelector), "not modelled: 'method'"},
    {"a changed request", resource("HTTPChaos", "  target: Request\n  port: 80\n  patch: {headers: [[a, b]]}\n" + kSelector), "not modelled: 'patch'"},
    {"block", resource("BlockChaos", "  action: delay\n  volumeName: v\n  delay: {latency: 1s}\n" + kSelector), "chaos.yaml:2:7: error: not modelled: blockchaos: block devices"},
    {"kernel", resource("KernelChaos", "  failKernRequest: {failtype: 0}\n" + kSelector), "not modelled: kernelchaos"},
    {"jvm", resource("JVMChaos", "  action: latency\n  class: A\n  method: b\n  latency: 3000\n" + kSelector), "not modelled: jvmchaos: what goes on inside of a process"},
    {"jvm, and a misspelt key is told all the same", resource("JVMChaos", "  action: latency\n  clas: A\n" + kSelector), "did you mean 'class'?"},
    {"machines with chaosd", resource("PhysicalMachineChaos", "  action: stress-cpu\n  address: ['1.2.3.4:31767']\n  stress-cpu: {load: 10}\n  mode: all\n"), "not modelled: physicalmachinechaos"},
    {"another cluster", resource("RemoteCluster", "  namespace: chaos-mesh\n  kubeConfig: {secretRef: {name: a, namespace: b, key: c}}\n"), "not modelled: remotecluster: one cluster"},
    {"a volume of a cloud", resource("AWSChaos", "  action: detach-volume\n  awsRegion: r\n  ec2Instance: i\n"), "not modelled: detach-volume"},
    {"seconds in a schedule", resource("Schedule", "  schedule: '*/5 * * * * *'\n  type: PodChaos\n  podChaos: {action: pod-kill, mode: one, selector: {}}\n"), "not modelled: a schedule with seconds"},
    {"jvm in a schedule", resource("Schedule", "  schedule: '@every 5s'\n  type: JVMChaos\n  jvmChaos: {action: gc, mode: one, selector: {}}\n"), "not modelled: jvmchaos"},
    {"a task", embedded("  entry: a\n  templates:\n  - {name: a, templateType: Task, task: {container: {name: c, image: busybox}}}\n"), "not modelled: 'task'"},
    {"a check outside", resource("StatusCheck", "  type: HTTP\n  http: {url: 'http://123.123.123.123', criteria: {statusCode: '200'}}\n"), "not modelled: statuscheck of http://123.123.123.123"},
    {"the address of a pod", resource("PodChaos", "  action: pod-kill\n  mode: one\n  selector: {fieldSelectors: {status.podIP: 10.0.0.1}}\n"), "not modelled: the field selector 'status.podIP'"},
};

class MeshReaderTest : public testing::TestWithParam<Case> {};
TEST_P(MeshReaderTest, SaysWhatItIs) {
  const Case& c = GetParam();
  const ReadResult result = read(c.text);
  if (c.error.empty()) {
    EXPECT_EQ(result.problems, "") << c.text;
    EXPECT_EQ(result.resources, 1u);
  } else {
    EXPECT_NE(result.problems.find(c.error), std::string::npos) << result.problems << c.text;
  }
}
std::string case_name(const testing::TestParamInfo<Case>& tested) {
  std::string name(tested.param.name);
  std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, MeshReaderTest, testing::ValuesIn(kCases), case_name);

TEST(MeshReader, EveryKindHasACase) {
  for (const Kind& kind : all_kinds()) {
    if (kind.name == "PhysicalMachine") continue;  // read by the same file as PhysicalMachineChaos
    EXPECT_TRUE(std::any_of(std::begin(kCases), std::end(kCases), [&](const Case& c) { return c.text.find("kind: " + kind.name + "\n") != std::string::npos; })) << kind.name;
  }
}

TEST(MeshReader, EveryErrorIsTold) {
  const ReadResult result = read(resource("NetworkChaos", "  action: dely\n  mode: oen\n  selector: {labelSelector: {app: web}}\n  remoteCluster: far\n  duration: 5\n"));
  for (const char* part : {"did you mean 'delay'?", "did you mean 'one'?", "did you mean 'labelSelectors'?", "not modelled: 'remoteCluster'", "with quotes: \"5\""}) {
    EXPECT_NE(result.problems.find(part), std::string::npos) << part << "\n" << result.problems;
  }
}

/// Steps that double at each level would be a million million nodes, a chain of thousands a deep stack.
TEST(MeshReader, ATimeThatIsNoneIsToldAndNotLeftOut) {
  const ReadResult result = read(resource("StressChaos", "  {mode: one, selector: {labelSelectors: {app: web}}, stressors: {cpu: {workers: 1, options: ['--timeout soon']}}}\n"));
  EXPECT_EQ(result.resources, 0u);
  EXPECT_NE(result.problems.find("'--timeout soon' is no time to stop after"), std::string::npos) << result.problems;
}

TEST(MeshReader, WorkflowsThatExplodeAreRefused) {
  std::string doubling = "  entry: t0\n  templates:\n";
  std::string chain = doubling;
  for (int i = 0; i < 40; ++i) doubling += "  - {name: t" + std::to_string(i) + ", templateType: Parallel, children: [t" + std::to_string(i + 1) + ", t" + std::to_string(i + 1) + "]}\n";
  for (int i = 0; i < 30'000; ++i) chain += "  - {name: t" + std::to_string(i) + ", templateType: Serial, children: [t" + std::to_string(i + 1) + "]}\n";
  doubling += "  - {name: t40, templateType: Suspend, deadline: 1s}\n";
  chain += "  - {name: t30000, templateType: Suspend, deadline: 1s}\n";
  EXPECT_NE(read(embedded(doubling)).problems.find("more than 2000 nodes come of 't0'"), std::string::npos);
  EXPECT_NE(read(embedded(chain)).problems.find("more than 2000 nodes come of 't0'"), std::string::npos);
}

struct DurationCase {
  std::string_view text;
  std::optional<std::int64_t> nanoseconds;
};
TEST(MeshReader, DurationsAreGos) {
  const DurationCase cases[] = {{"0", 0}, {"5s", 5'000'000'000}, {"1h30m", 5'400'000'000'000}, {"1.5s", 1'500'000'000}, {"-10m100ns", -600'000'000'100}, {"+1us", 1'000}, {"1µs", 1'000}, {".5s", 500'000'000},
                                {"", std::nullopt}, {"5", std::nullopt}, {"s", std::nullopt}, {"1d", std::nullopt}, {"1 s", std::nullopt}, {"1s ", std::nullopt}, {"1h-5m", std::nullopt}, {"9999999999h", std::nullopt}};
  for (const DurationCase& c : cases) {
    const std::optional<SimDuration> value = parse_go_duration(c.text);
    EXPECT_EQ(value.has_value(), c.nanoseconds.has_value()) << c.text;
    if (value && c.nanoseconds) {
      EXPECT_EQ(value->count(), *c.nanoseconds) << c.text;
    }
  }
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

/// The unusual files of tests/data/chaos_mesh, by name.
std::map<std::string, std::string> corpus() {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(SQUALL_SOURCE_DIR) / "tests/data/chaos_mesh/corpus")) files[entry.path().filename().string()] = content_of(entry.path());
  return files;
}

/// Mutations of good files and of unusual ones, and pieces of one in another: whatever comes out, it is told, and nothing breaks.
TEST(MeshReader, SurvivesAnything) {
  sim::RandomStream random(11, "test", "mesh-fuzz");
  constexpr std::string_view kBytes = "{}[]:,'\"-*?&!%\n \tax09.$~|>#@";
  const auto below = [&random](std::size_t size) { return static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(size) - 1)); };
  std::vector<std::string> seeds;
  for (const Case& c : kCases) seeds.emplace_back(c.text);
  for (const auto& [name, text] : corpus()) seeds.push_back(text);
  // Lines of all of them: a key where nobody expects it, a value of another kind.
  std::vector<std::string> lines;
  for (const std::string& text : seeds) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line + "\n");
  }
  std::size_t good = 0;
  std::size_t wrong = 0;
  for (const std::string& seed : seeds) {
    for (int round = 0; round < 40; ++round) {
      std::string text = seed;
      const std::int64_t changes = round % 2 == 0 ? 1 : random.uniform_int(2, 6);
      for (std::int64_t i = 0; i < changes && !text.empty(); ++i) {
        const std::size_t at = below(text.size());
        const char byte = kBytes[below(kBytes.size())];
        switch (random.uniform_int(0, 4)) {
          case 0: text[at] = byte; break;
          case 1: text.insert(at, 1, byte); break;
          case 2: text.erase(at, static_cast<std::size_t>(random.uniform_int(1, 20))); break;
          case 3: text.insert(at, text.substr(at / 2, static_cast<std::size_t>(random.uniform_int(1, 60)))); break;
          default: text.insert(text.rfind('\n', at) == std::string::npos ? 0 : text.rfind('\n', at) + 1, lines[below(lines.size())]); break;
        }
      }
      const ReadResult result = read(text);
      ++(result.problems.empty() ? good : wrong);
      if (result.resources == 0 && text.find_first_not_of(" \n") != std::string::npos) {
        EXPECT_NE(result.problems, "") << text;
      }
    }
  }
  EXPECT_GT(good, 20u) << "some changes do no harm";
  EXPECT_GT(wrong, 20 * seeds.size()) << "most of them do";
}

/// Files as people write them, each with what is said of it: tests/data/chaos_mesh/expected.txt, a line "FILE ok N" or "FILE what the first error contains".
TEST(MeshReader, ReadsUnusualFiles) {
  const std::filesystem::path folder = std::filesystem::path(SQUALL_SOURCE_DIR) / "tests/data/chaos_mesh";
  std::ifstream list(folder / "expected.txt");
  std::map<std::string, std::string> expected;
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && line[0] != '#') expected[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "corpus")) {
    ++files;
    const std::string name = entry.path().filename().string();
    sim::scenario::Diagnostics diagnostics;
    std::shared_ptr<const sim::scenario::Document> document;
    const auto resources = read_file(entry.path().string(), document, diagnostics);
    ASSERT_TRUE(expected.contains(name)) << name;
    if (expected[name].starts_with("ok ")) {
      EXPECT_EQ(diagnostics.format(), "") << name;
      EXPECT_EQ(std::to_string(resources.size()), expected[name].substr(3)) << name;
      EXPECT_TRUE(is_chaos_file(*document)) << name;
    } else {
      EXPECT_NE(diagnostics.format().find(expected[name]), std::string::npos) << name << "\n" << diagnostics.format();
    }
  }
  EXPECT_EQ(files, expected.size());
}

/// Every field of every CustomResourceDefinition is in the table, or below one that is refused as a whole.
TEST(MeshReader, KnowsEveryFieldOfEveryKind) {
  std::ifstream list(std::filesystem::path(SQUALL_SOURCE_DIR) / "tests/data/chaos_mesh/crd_fields.txt");
  const std::string text = reference();
  std::string kind, section;
  std::size_t fields = 0;
  for (std::string line; std::getline(list, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] != ' ') {
      kind = line;
      const std::size_t begin = text.find("\n## " + kind + "\n");
      ASSERT_NE(begin, std::string::npos) << kind;
      section = text.substr(begin, text.find("\n## ", begin + 1) - begin);
      continue;
    }
    ++fields;
    const std::string path = line.substr(2);
    bool is_known = section.find("\n| `" + path + "` | ") != std::string::npos;
    for (std::size_t dot = path.rfind('.'); !is_known && dot != std::string::npos; dot = dot == 0 ? std::string::npos : path.rfind('.', dot - 1)) {
      std::string above = path.substr(0, dot);
      if (above.ends_with("[]")) above.resize(above.size() - 2);
      is_known = section.find("\n| `" + above + "` | **refused** |") != std::string::npos;
    }
    EXPECT_TRUE(is_known) << kind << " " << path;
  }
  EXPECT_GT(fields, 600u);
}

/// Chaos Mesh's own examples: accepted, or refused for the reason that is known.
TEST(MeshReader, ReadsTheExamplesOfTheProject) {
  const char* given = std::getenv("SQUALL_SHARED_DATA");
  const std::filesystem::path folder = (given != nullptr ? std::filesystem::path(given) : std::filesystem::path(SQUALL_SOURCE_DIR) / "../shared/data") / "chaos-mesh-examples";
  if (!std::filesystem::exists(folder)) {
    const char* ci = std::getenv("CI");
    ASSERT_FALSE(ci != nullptr && std::string(ci) == "true") << "the examples are not beside the repository";
    GTEST_SKIP() << "left out: Chaos Mesh's examples are not beside the repository";
  }
  const std::map<std::string, std::string> refused = {
      {"custom-task.yaml", "not modelled: 'task'"},
      {"io-attr-example.yaml", "not modelled: 'attr'"},
      {"network-delay-with-external-target-example.yaml", "not modelled: 'externalTargets'"},
      {"network-partition-with-external-targets-example.yaml", "not modelled: 'externalTargets'"},
      {"remote-cluster.yaml", "not modelled: remotecluster"},
      {"status-check.yaml", "not modelled: statuscheck of http://123.123.123.123"},
      {"statuscheck-example.yaml", "not modelled: statuscheck of http://123.123.123.123"},
  };
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    sim::scenario::Diagnostics diagnostics;
    std::shared_ptr<const sim::scenario::Document> document;
    const auto resources = read_file(entry.path().string(), document, diagnostics);
    const auto reason = refused.find(entry.path().filename().string());
    if (reason == refused.end()) {
      EXPECT_EQ(diagnostics.format(), "") << entry.path();
      EXPECT_EQ(resources.size(), 1u) << entry.path();
    } else {
      EXPECT_NE(diagnostics.format().find(reason->second), std::string::npos) << entry.path() << diagnostics.format();
    }
  }
  EXPECT_EQ(files, 28u);
}

TEST(MeshReader, TheTableInDocsIsCurrent) {
  std::ifstream file(std::filesystem::path(SQUALL_SOURCE_DIR) / "docs/chaos-mesh.md");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, reference()) << "squall schema --format chaos-mesh > docs/chaos-mesh.md";
}

}  // namespace
}  // namespace chaos::mesh

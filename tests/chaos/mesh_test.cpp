// What Chaos Mesh's resources do to a simulated world, and how they tell it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "chaos/mesh/cluster.hpp"
#include "chaos/outages/why.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

/// `spec` is flow style: "{action: pod-kill, ...}".
std::string fault(const std::string& kind, const std::string& spec, const std::string& more = {}, const std::string& annotations = "{}") {
  return "faults:\n  f: {kind: chaos-mesh, at: 2m" + more + ", resource: {apiVersion: chaos-mesh.org/v1alpha1, kind: " + kind + ", metadata: {name: x, namespace: shop, annotations: " + annotations + "}, spec: " + spec + "}}\n";
}
const std::string kWeb = "mode: one, selector: {labelSelectors: {app: web}}";
const std::string kAllWeb = "mode: all, selector: {labelSelectors: {app: web}}";
const std::string kDb = "mode: one, selector: {labelSelectors: {app: db}}";

const mesh::ObjectView* view(const std::vector<mesh::ObjectView>& views, std::string_view kind) {
  const auto found = std::find_if(views.begin(), views.end(), [&](const mesh::ObjectView& one) { return one.kind == kind; });
  return found == views.end() ? nullptr : &*found;
}
/// The first record of a kind about it, with the fault at its root.
const sim::EventLog::Record* caused(const RunOutcome& outcome, std::string_view kind, std::string_view subject = {}) {
  const sim::EventLog& log = outcome.world->log;
  for (std::uint32_t id = 1; id <= log.size(); ++id) {
    const sim::EventLog::Record& record = log.at(sim::CauseId{id});
    if (log.kind(record) == kind && (subject.empty() || log.subject(record) == subject) && fault_at_root(log, sim::CauseId{id}) == "f") return &record;
  }
  return nullptr;
}
RunOptions until(SimDuration time) {
  RunOptions options;
  options.until = at(time);
  return options;
}

TEST(ChaosMesh, PodKillIsDoneOnce) {
  const RunOutcome outcome = run(small_scenario(fault("PodChaos", "{action: pod-kill, " + kWeb + "}")));
  EXPECT_EQ(count(outcome, "Killing"), 1u) << log_text(outcome);
  EXPECT_NE(caused(outcome, "SuccessfulCreate"), nullptr);
  EXPECT_EQ(count(outcome, "Applied", "PodChaos/shop/x"), 1u);
  const auto views = chaos_objects(outcome);
  ASSERT_EQ(views.size(), 1u);
  EXPECT_TRUE(views[0].is_selected);
  EXPECT_TRUE(views[0].all_injected) << "it stays injected: it is done once";
  EXPECT_FALSE(views[0].all_recovered);
  ASSERT_EQ(outcome.verdict.faults.size(), 1u);
  EXPECT_EQ(outcome.verdict.faults[0].ended, at(2min));
  EXPECT_FALSE(outcome.verdict.faults[0].failed);
}

TEST(ChaosMesh, ModesTakeSoManyOfThem) {
  const std::pair<const char*, std::size_t> cases[] = {{"mode: one", 1}, {"mode: all", 3}, {"mode: fixed, value: '2'", 2}, {"mode: fixed, value: '9'", 3}, {"mode: fixed-percent, value: '34'", 2}, {"mode: fixed-percent, value: '1'", 1}};
  for (const auto& [mode, expected] : cases) {
    const RunOutcome outcome = run(small_scenario(fault("PodChaos", std::string("{action: pod-kill, selector: {labelSelectors: {app: web}}, ") + mode + "}")));
    EXPECT_EQ(count(outcome, "Killing"), expected) << mode;
  }
  // Which ones is drawn: the same by the same seed.
  const std::string one = small_scenario(fault("PodChaos", "{action: pod-kill, " + kWeb + "}"));
  EXPECT_EQ(run(one, 3).event_log_hash, run(one, 3).event_log_hash);
}

TEST(ChaosMesh, PodFailureServesNobodyUntilItsTimeIsUp) {
  const std::string text = small_scenario(fault("PodChaos", "{action: pod-failure, duration: 3m, " + kDb + "}"));
  const RunOutcome during = run(text, 1, until(4min));
  const auto views = chaos_objects(during);
  ASSERT_NE(view(views, "PodChaos"), nullptr);
  EXPECT_TRUE(views[0].all_injected);
  const RunOutcome outcome = run(text);
  const Outage* outage = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(outage, nullptr) << log_text(outcome);
  EXPECT_GE(outage->start, at(2min));
  EXPECT_GT(outage->length(), 3min);
  EXPECT_LT(outage->length(), 3min + 30s);
  EXPECT_EQ(outage->why.fault, "f");
  EXPECT_EQ(count(outcome, "TimeUp", "PodChaos/shop/x"), 1u);
  EXPECT_TRUE(chaos_objects(outcome)[0].all_recovered);
}

TEST(ChaosMesh, ContainerKillHitsTheContainerOfThatName) {
  const RunOutcome outcome = run(small_scenario(fault("PodChaos", "{action: container-kill, containerNames: [db], " + kDb + "}")));
  EXPECT_NE(caused(outcome, "ContainerDied", "Pod/shop/db-0"), nullptr) << log_text(outcome);
  const RunOutcome none = run(small_scenario(fault("PodChaos", "{action: container-kill, containerNames: [other], " + kDb + "}")));
  EXPECT_EQ(count(none, "ContainerDied"), 0u);
  EXPECT_TRUE(none.verdict.faults[0].failed) << "no container of that name: " << none.verdict.faults[0].outcome;
}

TEST(ChaosMesh, APartitionedPodServesNobody) {
  const RunOutcome outcome = run(small_scenario(fault("NetworkChaos", "{action: partition, direction: both, duration: 4m, " + kDb + "}")));
  const Outage* outage = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(outage, nullptr) << log_text(outcome);
  EXPECT_EQ(outage->start, at(2min));
  EXPECT_EQ(outage->length(), 4min);
  EXPECT_NE(caused(outcome, "NetworkCut", "Pod/shop/db-0"), nullptr);
  EXPECT_EQ(count(outcome, "NetworkRestored", "Pod/shop/db-0"), 1u);
}

TEST(ChaosMesh, NoPacketsLostIsNoOutage) {
  const RunOutcome outcome = run(small_scenario(fault("NetworkChaos", "{action: delay, delay: {latency: 90ms}, duration: 4m, " + kDb + "}")));
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/shop/db"), nullptr);
  EXPECT_NE(caused(outcome, "NetworkImpaired", "Pod/shop/db-0"), nullptr);
}

/// Probes whose answer comes later than they wait.
const std::string kProbed = R"(objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: api, namespace: shop}
  spec:
    replicas: 1
    selector: {matchLabels: {app: api}}
    template:
      metadata: {labels: {app: api}}
      spec:
        containers:
          - name: api
            image: "api:1"
            ports: [{name: http, containerPort: 8080}]
            resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 512Mi}}
            readinessProbe: {HANDLER, periodSeconds: 5, timeoutSeconds: 1, failureThreshold: 2}
            livenessProbe: {HANDLER, periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: api, namespace: shop}
  spec: {selector: {app: api}, ports: [{port: 80, targetPort: http}]}
)";
std::string probed(const std::string& handler, const std::string& faults) {
  std::string objects = kProbed;
  for (std::size_t at_ = objects.find("HANDLER"); at_ != std::string::npos; at_ = objects.find("HANDLER")) objects.replace(at_, 7, handler);
  return "apiVersion: squall.dev/v1alpha1\nkind: Scenario\nrun: {until: 20m, warmUp: 1m}\npools:\n  control: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}\n  workers: {count: 2, cpu: 4, memory: 8Gi}\n" + objects + faults;
}
const std::string kHttp = "httpGet: {path: /, port: http}";
const std::string kExec = "exec: {command: [\"true\"]}";
const std::string kApi = "mode: all, selector: {labelSelectors: {app: api}}";

TEST(ChaosMesh, ALateAnswerFailsProbesThatCrossTheNetwork) {
  const std::string delay = fault("NetworkChaos", "{action: delay, delay: {latency: 700ms}, duration: 5m, " + kApi + "}");
  const RunOutcome http = run(probed(kHttp, delay));
  const sim::EventLog::Record* unhealthy = caused(http, "Unhealthy");
  ASSERT_NE(unhealthy, nullptr) << log_text(http);
  EXPECT_GE(unhealthy->time, at(2min));
  EXPECT_LE(unhealthy->time, at(2min) + 16s);
  EXPECT_NE(caused(http, "ContainerDied"), nullptr) << "the liveness probe fails too";
  EXPECT_EQ(run(probed(kExec, delay)).verdict.outages.size(), 0u) << "a command in the container crosses no network";
  // The answer has a second for two round trips.
  EXPECT_EQ(count(run(probed(kHttp, fault("NetworkChaos", "{action: delay, delay: {latency: 400ms}, duration: 5m, " + kApi + "}"))), "Unhealthy"), 0u);
}

TEST(ChaosMesh, LossFailsProbesNowAndThen) {
  const std::string text = probed(kHttp, fault("NetworkChaos", "{action: loss, loss: {loss: '40'}, duration: 15m, " + kApi + "}"));
  std::size_t unhealthy = 0;
  std::size_t seeds_with_ready = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const RunOutcome outcome = run(text, seed);
    unhealthy += count(outcome, "Unhealthy");
    seeds_with_ready += find(outcome, OutageKind::kServiceDown, "Service/shop/api") == nullptr || find(outcome, OutageKind::kServiceDown, "Service/shop/api")->length() < 14min ? 1 : 0;
  }
  EXPECT_GT(unhealthy, 5u);
  EXPECT_GT(seeds_with_ready, 0u) << "not all of the time";
  EXPECT_EQ(run(text, 2).event_log_hash, run(text, 2).event_log_hash);
}

TEST(ChaosMesh, HttpErrorsFailCallersAndHttpProbesOfThatPort) {
  const RunOutcome outcome = run(probed(kHttp, fault("HTTPChaos", "{target: Response, port: 8080, replace: {code: 503}, duration: 5m, " + kApi + "}")));
  ASSERT_NE(find(outcome, OutageKind::kServiceDown, "Service/shop/api"), nullptr) << log_text(outcome);
  EXPECT_NE(caused(outcome, "Unhealthy"), nullptr);
  EXPECT_EQ(count(run(probed("tcpSocket: {port: http}", fault("HTTPChaos", "{target: Request, abort: true, port: 8080, duration: 5m, " + kApi + "}"))), "Unhealthy"), 0u) << "the port is open";
}

TEST(ChaosMesh, MemoryAboveTheLimitKillsTheContainer) {
  const RunOutcome outcome = run(probed(kExec, fault("StressChaos", "{stressors: {memory: {workers: 2, size: 1GB}}, duration: 5m, " + kApi + "}")));
  ASSERT_NE(caused(outcome, "OOMKilled"), nullptr) << log_text(outcome);
  EXPECT_EQ(count(outcome, "OOMKilled"), 1u) << "what stressed it went with it";
  EXPECT_EQ(count(run(probed(kExec, fault("StressChaos", "{stressors: {memory: {workers: 2, size: 256MB}}, duration: 5m, " + kApi + "}"))), "OOMKilled"), 0u);
  // 10 % of the machine's 16 GiB is more than the container's 512 MiB; without a size nothing is taken.
  EXPECT_EQ(count(run(probed(kExec, fault("StressChaos", "{stressors: {memory: {workers: 1, size: 10%}}, duration: 5m, " + kApi + "}"))), "OOMKilled"), 1u);
  EXPECT_EQ(count(run(probed(kExec, fault("StressChaos", "{stressors: {memory: {workers: 1}}, duration: 5m, " + kApi + "}"))), "OOMKilled"), 0u);
}

TEST(ChaosMesh, StressOnTheCpuIsFeltByTheNeighbours) {
  const RunOutcome outcome = run(probed(kExec, fault("StressChaos", "{stressors: {cpu: {workers: 8, load: 100}}, duration: 5m, " + kApi + "}")));
  EXPECT_NE(caused(outcome, "CpuContended"), nullptr) << log_text(outcome);
  EXPECT_EQ(count(run(probed(kExec, fault("StressChaos", "{stressors: {cpu: {workers: 1, load: 50}}, duration: 5m, " + kApi + "}"))), "CpuContended"), 0u);
  EXPECT_NE(caused(run(probed(kExec, fault("StressChaos", "{stressors: {cpu: {workers: 1, options: ['--cpu 2', '--hdd 1']}}, duration: 5m, " + kApi + "}"))), "Stressed"), nullptr);
}

TEST(ChaosMesh, ASelectionThatFindsNothingIsTold) {
  // The labels are there, and no pod runs on that node.
  const RunOutcome outcome = run(small_scenario(fault("PodChaos", "{action: pod-kill, mode: all, selector: {labelSelectors: {app: web}, podPhaseSelectors: [Failed]}}")));
  ASSERT_EQ(count(outcome, "Failed", "PodChaos/shop/x"), 1u) << log_text(outcome);
  EXPECT_EQ(outcome.world->log.message(*records(outcome, "Failed", "PodChaos/shop/x").front()), "Failed to select targets: no pod is selected");
  EXPECT_FALSE(chaos_objects(outcome)[0].is_selected);
  EXPECT_TRUE(outcome.verdict.faults[0].failed);
}

TEST(ChaosMesh, APausedResourceSelectsAndDoesNothing) {
  const RunOutcome outcome = run(small_scenario(fault("PodChaos", "{action: pod-kill, " + kWeb + "}", "", "{experiment.chaos-mesh.org/pause: 'true'}")));
  EXPECT_EQ(count(outcome, "Killing"), 0u);
  const auto views = chaos_objects(outcome);
  ASSERT_EQ(views.size(), 1u);
  EXPECT_TRUE(views[0].is_paused);
  EXPECT_TRUE(views[0].is_selected);
}

TEST(ChaosMesh, AHostNetworkPodIsRefusedUnlessItIsAllowed) {
  const std::string spec = "{action: partition, direction: both, mode: one, duration: 3m, selector: {namespaces: [kube-system], labelSelectors: {component: etcd}}}";
  const RunOutcome refused = run(small_scenario(fault("NetworkChaos", spec)));
  const auto failed = records(refused, "Failed", "NetworkChaos/shop/x");
  ASSERT_FALSE(failed.empty()) << log_text(refused);
  EXPECT_NE(refused.world->log.message(*failed.front()).find("It's dangerous to inject network chaos on a pod"), std::string::npos);
  EXPECT_EQ(count(refused, "HostPartitioned"), 0u);
  const RunOutcome allowed = run(small_scenario(fault("NetworkChaos", spec, ", allowHostNetwork: true")));
  EXPECT_NE(caused(allowed, "HostPartitioned"), nullptr) << log_text(allowed);
}

TEST(ChaosMesh, FilesOfEtcd) {
  const std::string etcd = "mode: all, selector: {namespaces: [kube-system], labelSelectors: {component: etcd}}";
  const RunOutcome slow = run(small_scenario(fault("IOChaos", "{action: latency, delay: 2s, volumePath: /var/lib/etcd, duration: 3m, " + etcd + "}")));
  EXPECT_NE(caused(slow, "EtcdLeaderLost"), nullptr) << log_text(slow);
  const RunOutcome fails = run(small_scenario(fault("IOChaos", "{action: fault, errno: 5, volumePath: /var/lib/etcd, duration: 3m, " + etcd + "}")));
  EXPECT_NE(caused(fails, "EtcdQuorumLost"), nullptr) << log_text(fails);
  // A path that is not the log's, and a call that no commit makes.
  EXPECT_EQ(count(run(small_scenario(fault("IOChaos", "{action: latency, delay: 2s, volumePath: /var/lib/etcd, path: /var/lib/etcd/member/snap/*, duration: 3m, " + etcd + "}"))), "EtcdLeaderLost"), 0u);
  EXPECT_EQ(count(run(small_scenario(fault("IOChaos", "{action: latency, delay: 2s, volumePath: /var/lib/etcd, methods: [read], duration: 3m, " + etcd + "}"))), "EtcdLeaderLost"), 0u);
  EXPECT_NE(problems_of(small_scenario(fault("IOChaos", "{action: latency, delay: 2s, volumePath: /data, " + kDb + "}"))).find("not modelled: iochaos of pods other than etcd's"), std::string::npos);
}

TEST(ChaosMesh, AWrongClockStartsCronJobsEarly) {
  const std::string cron = R"(
objects: |
  apiVersion: batch/v1
  kind: CronJob
  metadata: {name: report, namespace: shop}
  spec:
    schedule: "30 * * * *"
    jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "c:1"}]}}}}
)";
  const std::string base = "apiVersion: squall.dev/v1alpha1\nkind: Scenario\nrun: {until: 40m}\npools:\n  control: {count: 1, controlPlane: true, cpu: 4, memory: 16Gi}\n  workers: {count: 1, cpu: 4, memory: 8Gi}" + cron;
  const auto created = [](const RunOutcome& outcome) { return records(outcome, "SuccessfulCreate", "CronJob/shop/report"); };
  const RunOutcome right = run(base);
  ASSERT_EQ(created(right).size(), 1u) << log_text(right);
  EXPECT_NEAR(sim::seconds(created(right)[0]->time), 1800.0, 2.0);
  const RunOutcome early = run(base + fault("TimeChaos", "{timeOffset: 10m, mode: all, selector: {namespaces: [kube-system], labelSelectors: {component: kube-controller-manager}}}"));
  ASSERT_EQ(created(early).size(), 1u) << log_text(early);
  EXPECT_NEAR(sim::seconds(created(early)[0]->time), 1200.0, 2.0);
  const RunOutcome late = run(base + fault("TimeChaos", "{timeOffset: -5m, duration: 36m, mode: all, selector: {namespaces: [kube-system], labelSelectors: {component: kube-controller-manager}}}"));
  ASSERT_EQ(created(late).size(), 1u) << log_text(late);
  EXPECT_NEAR(sim::seconds(created(late)[0]->time), 2100.0, 2.0);
  EXPECT_NE(problems_of(small_scenario(fault("TimeChaos", "{timeOffset: 1h, " + kWeb + "}"))).find("not modelled: timechaos of processes other than kube-controller-manager"), std::string::npos);
}

TEST(ChaosMesh, NamesThatDoNotResolveStopWhoNeedsThem) {
  const std::string needs = "behaviours:\n- {match: {namespace: shop, labels: {app: web}}, needs: [shop/db]}\n";
  const RunOutcome outcome = run(small_scenario(needs + fault("DNSChaos", "{action: error, patterns: ['db.shop.*'], duration: 4m, " + kAllWeb + "}")));
  const Outage* outage = find(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(outage, nullptr) << log_text(outcome);
  EXPECT_EQ(outage->length(), 4min);
  EXPECT_NE(caused(outcome, "DependencyUnreachable"), nullptr);
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/shop/db"), nullptr);
  EXPECT_NE(problems_of(small_scenario(needs + fault("DNSChaos", "{action: error, patterns: [google.com], " + kAllWeb + "}"))).find("not modelled: dnschaos of names outside of the cluster"), std::string::npos);
}

TEST(ChaosMesh, APartitionBetweenTwoHitsWhoNeedsTheOther) {
  const std::string needs = "behaviours:\n- {match: {namespace: shop, labels: {app: web}}, needs: [shop/db]}\n";
  const RunOutcome outcome = run(small_scenario(needs + fault("NetworkChaos", "{action: partition, direction: to, duration: 4m, target: {mode: all, selector: {labelSelectors: {app: db}}}, " + kAllWeb + "}")));
  const Outage* outage = find(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(outage, nullptr) << log_text(outcome);
  EXPECT_EQ(outage->length(), 4min);
  EXPECT_EQ(find(outcome, OutageKind::kServiceDown, "Service/shop/db"), nullptr) << "others reach it";
}

/// Thousands of pods cut off from thousands of others are one rule, not millions.
TEST(ChaosMesh, ManyPodsAreOneRule) {
  const std::string text = "apiVersion: squall.dev/v1alpha1\nkind: Scenario\nrun: {until: 20m}\npools:\n  control: {count: 1, controlPlane: true, cpu: 8, memory: 32Gi}\n  workers: {count: 20, cpu: 64, memory: 256Gi, pods: 110}\nobjects: |\n"
                           "  apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: web, namespace: shop}\n  spec:\n    replicas: 2000\n    selector: {matchLabels: {app: web}}\n    template:\n      metadata: {labels: {app: web}}\n"
                           "      spec: {containers: [{name: c, image: \"web:1\", readinessProbe: {tcpSocket: {port: 80}}, resources: {requests: {cpu: 100m, memory: 64Mi}}}]}\n" +
                           fault("NetworkChaos", "{action: delay, delay: {latency: 5ms}, direction: both, mode: all, duration: 5m, selector: {labelSelectors: {app: web}}, target: {mode: all, selector: {labelSelectors: {app: web}}}}", ", every: 8m, times: 2");
  const RunOutcome outcome = run(text);
  EXPECT_EQ(count(outcome, "NetworkRestored"), 4000u);
}

TEST(ChaosMesh, AMachineOfACloudIsOffForTheDuration) {
  const RunOutcome outcome = run(small_scenario(fault("AWSChaos", "{action: ec2-stop, awsRegion: r, ec2Instance: i-1, duration: 3m}", ", instances: {i-1: w2}")));
  ASSERT_NE(caused(outcome, "HostPoweredOff", "host/w2"), nullptr) << log_text(outcome);
  ASSERT_NE(caused(outcome, "HostBooting", "host/w2"), nullptr);
  EXPECT_EQ(caused(outcome, "HostBooting", "host/w2")->time, at(5min));
  EXPECT_NE(problems_of(small_scenario(fault("GCPChaos", "{action: node-stop, project: p, zone: z, instance: w22}"))).find("there is no node 'w22'"), std::string::npos);
}

TEST(ChaosMesh, AScheduleMakesExperimentsAtItsTimes) {
  const std::string text = small_scenario(fault("Schedule", "{schedule: '@every 3m', type: PodChaos, historyLimit: 2, podChaos: {action: pod-kill, " + kWeb + "}}", ", duration: 10m"));
  const RunOutcome outcome = run(text);
  EXPECT_EQ(count(outcome, "Spawned", "Schedule/shop/x"), 3u) << log_text(outcome);
  EXPECT_EQ(records(outcome, "Spawned", "Schedule/shop/x")[0]->time, at(5min));
  EXPECT_EQ(count(outcome, "Killing"), 3u);
  EXPECT_TRUE(chaos_objects(outcome).empty()) << "deleted after the duration, with what it made";
  const RunOutcome kept = run(text, 1, until(11min + 30s));
  EXPECT_EQ(chaos_objects(kept).size(), 3u) << "the Schedule and two of its experiments";
  // What lasts longer than the schedule's period is not begun twice.
  const RunOutcome forbid = run(small_scenario(fault("Schedule", "{schedule: '@every 1m', type: PodChaos, historyLimit: 5, podChaos: {action: pod-failure, duration: 150s, " + kDb + "}}", ", duration: 6m")));
  EXPECT_GE(count(forbid, "Forbid", "Schedule/shop/x"), 2u) << log_text(forbid);
  // Without a history nothing is kept, and what has no end is ended at once.
  const RunOutcome none = run(small_scenario(fault("Schedule", "{schedule: '@every 3m', type: NetworkChaos, networkChaos: {action: partition, " + kDb + "}}", ", duration: 4m")));
  EXPECT_EQ(count(none, "NetworkRestored"), 1u) << log_text(none);
}

TEST(ChaosMesh, AWorkflowDoesOneAfterTheOther) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  f:
    kind: chaos-mesh
    at: 2m
    resource:
      apiVersion: chaos-mesh.org/v1alpha1
      kind: Workflow
      metadata: {name: x, namespace: shop}
      spec:
        entry: all
        templates:
        - {name: all, templateType: Serial, deadline: 10m, children: [cut, wait, both]}
        - {name: cut, templateType: NetworkChaos, deadline: 1m, networkChaos: {action: partition, mode: all, selector: {labelSelectors: {app: db}}}}
        - {name: wait, templateType: Suspend, deadline: 30s}
        - {name: both, templateType: Parallel, children: [kill, check]}
        - {name: kill, templateType: Schedule, deadline: 1m, schedule: {schedule: '@every 25s', type: PodChaos, podChaos: {action: pod-kill, mode: one, selector: {labelSelectors: {app: web}}}}}
        - name: check
          templateType: StatusCheck
          statusCheck: {type: HTTP, successThreshold: 2, http: {url: 'http://web.shop.svc', criteria: {statusCode: '200'}}}
)"));
  const auto cut = records(outcome, "NetworkCut");
  ASSERT_EQ(cut.size(), 1u) << log_text(outcome);
  EXPECT_EQ(cut[0]->time, at(2min));
  EXPECT_EQ(records(outcome, "NetworkRestored")[0]->time, at(3min)) << "the deadline of the step";
  const auto killed = records(outcome, "Killing");
  ASSERT_EQ(killed.size(), 2u);
  EXPECT_EQ(killed[0]->time, at(3min + 55s)) << "after the pause, one period later";
  EXPECT_EQ(count(outcome, "StatusCheckCompleted"), 1u);
  ASSERT_EQ(count(outcome, "WorkflowAccomplished"), 1u);
  EXPECT_EQ(records(outcome, "WorkflowAccomplished")[0]->time, at(4min + 30s));
  EXPECT_EQ(view(chaos_objects(outcome), "Workflow")->phase, "Accomplished");
}

TEST(ChaosMesh, AFailedCheckAbortsAWorkflow) {
  const RunOutcome outcome = run(small_scenario(R"(faults:
  f:
    kind: chaos-mesh
    at: 2m
    resource:
      apiVersion: chaos-mesh.org/v1alpha1
      kind: Workflow
      metadata: {name: x, namespace: shop}
      spec:
        entry: both
        templates:
        - {name: both, templateType: Parallel, deadline: 10m, children: [cut, check]}
        - {name: cut, templateType: NetworkChaos, deadline: 8m, networkChaos: {action: partition, mode: all, selector: {labelSelectors: {app: db}}}}
        - name: check
          templateType: StatusCheck
          abortWithStatusCheck: true
          statusCheck: {mode: Continuous, type: HTTP, intervalSeconds: 10, failureThreshold: 3, http: {url: 'http://db.shop.svc', criteria: {statusCode: '200'}}}
)"));
  ASSERT_EQ(count(outcome, "WorkflowAborted"), 1u) << log_text(outcome);
  // The first look is at the instant of the cut, and before it.
  EXPECT_EQ(records(outcome, "WorkflowAborted")[0]->time, at(2min + 30s));
  EXPECT_EQ(records(outcome, "NetworkRestored")[0]->time, at(2min + 30s)) << "what ran ends with it";
  EXPECT_TRUE(outcome.verdict.faults[0].failed);
}

/// `env` is flow style: "{name: A, value: '1'}".
std::string litmus(const std::string& experiment, const std::string& env, const std::string& more = {}) {
  return "faults:\n  f: {kind: chaos-mesh, at: 2m" + more + ", resource: {apiVersion: litmuschaos.io/v1alpha1, kind: ChaosEngine, metadata: {name: e, namespace: shop}, spec: {engineState: active, appinfo: {appns: shop, applabel: app=web, appkind: deployment}, experiments: [{name: " +
         experiment + ", spec: {components: {env: [" + env + "]}}}]}}}\n";
}

TEST(Litmus, PodDeleteChoosesAnewEachInterval) {
  const RunOutcome outcome = run(small_scenario(litmus("pod-delete", "{name: TOTAL_CHAOS_DURATION, value: '60'}, {name: CHAOS_INTERVAL, value: '20'}, {name: PODS_AFFECTED_PERC, value: '70'}, {name: RAMP_TIME, value: '10'}")));
  const auto killed = records(outcome, "Killing");
  ASSERT_EQ(killed.size(), 6u) << log_text(outcome);
  EXPECT_EQ(killed[0]->time, at(2min + 10s));
  EXPECT_EQ(killed[2]->time, at(2min + 30s));
  EXPECT_EQ(count(outcome, "ChaosEngineCompleted"), 1u);
  EXPECT_FALSE(outcome.verdict.faults[0].failed);
}

TEST(Litmus, PodsLoseTheirNetworkForTheDuration) {
  const RunOutcome outcome = run(small_scenario(litmus("pod-network-loss", "{name: TOTAL_CHAOS_DURATION, value: '120'}, {name: PODS_AFFECTED_PERC, value: '100'}")));
  const Outage* outage = find(outcome, OutageKind::kServiceDown, "Service/shop/web");
  ASSERT_NE(outage, nullptr) << log_text(outcome);
  EXPECT_EQ(outage->length(), 2min);
  EXPECT_EQ(outage->why.fault, "f");
}

TEST(Litmus, NodesAreDrainedTaintedRestartedAndLoseTheirKubelet) {
  const std::string w1 = "{name: TARGET_NODE, value: w1}, {name: TOTAL_CHAOS_DURATION, value: '120'}";
  const RunOutcome drained = run(small_scenario(litmus("node-drain", w1)));
  ASSERT_EQ(count(drained, "NodeUncordoned", "Node/w1"), 1u) << log_text(drained);
  EXPECT_EQ(records(drained, "NodeUncordoned", "Node/w1")[0]->time, at(4min));
  const RunOutcome tainted = run(small_scenario(litmus("node-taint", w1 + ", {name: TAINTS, value: 'maintenance=now:NoExecute'}")));
  EXPECT_EQ(count(tainted, "NodeTainted", "Node/w1"), 1u) << log_text(tainted);
  EXPECT_EQ(count(tainted, "NodeUntainted", "Node/w1"), 1u);
  EXPECT_NE(caused(run(small_scenario(litmus("node-restart", w1))), "HostUp", "host/w1"), nullptr);
  const RunOutcome off = run(small_scenario(litmus("node-poweroff", w1)));
  EXPECT_NE(caused(off, "HostPoweredOff", "host/w1"), nullptr);
  EXPECT_EQ(count(off, "HostBooting", "host/w1"), 0u) << "nobody switches it on";
  EXPECT_NE(caused(run(small_scenario(litmus("kubelet-service-kill", w1))), "NodeNotReady", "Node/w1"), nullptr);
  EXPECT_NE(problems_of(small_scenario(litmus("node-drain", "{name: TARGET_NODE, value: w11}"))).find("there is no node 'w11'"), std::string::npos);
}

TEST(Litmus, StressAndContainers) {
  EXPECT_NE(caused(run(small_scenario(litmus("pod-cpu-hog", "{name: CPU_CORES, value: '16'}"))), "CpuContended"), nullptr);
  EXPECT_NE(caused(run(small_scenario(litmus("pod-memory-hog", "{name: MEMORY_CONSUMPTION, value: '20000'}"))), "MemoryExhausted"), nullptr);
  EXPECT_GE(count(run(small_scenario(litmus("container-kill", "{name: TARGET_CONTAINER, value: web}"))), "ContainerDied"), 2u);
}

// litmus-go: a helper keeps to its pods, kills one container of each at every interval, and serial helpers follow each other.
TEST(Litmus, ContainerKillKeepsToItsPods) {
  const auto deaths = [](const RunOutcome& outcome) {
    std::map<std::string, std::vector<SimTime>> times;
    for (const sim::EventLog::Record* record : records(outcome, "ContainerDied")) times[outcome.world->log.subject(*record)].push_back(record->time);
    return times;
  };
  const auto one = deaths(run(small_scenario(litmus("container-kill", "{name: PODS_AFFECTED_PERC, value: '34'}, {name: TOTAL_CHAOS_DURATION, value: '60'}, {name: CHAOS_INTERVAL, value: '20'}"))));
  ASSERT_EQ(one.size(), 1u) << "one pod of three, the same one each time";
  EXPECT_GE(one.begin()->second.size(), 2u);
  const auto serial = deaths(run(small_scenario(litmus("container-kill", "{name: PODS_AFFECTED_PERC, value: '100'}, {name: SEQUENCE, value: serial}, {name: TOTAL_CHAOS_DURATION, value: '40'}, {name: CHAOS_INTERVAL, value: '20'}"))));
  ASSERT_EQ(serial.size(), 3u);
  std::vector<SimTime> first;
  for (const auto& [pod, times] : serial) first.push_back(times.front());
  std::sort(first.begin(), first.end());
  EXPECT_EQ(first[1] - first[0], 40s);
  EXPECT_EQ(first[2] - first[1], 40s);
}

// As the ChaosHub's fault.yaml of each has it.
TEST(Litmus, DurationsWithoutAWord) {
  struct Standard {
    const char* experiment;
    const char* variables;
    sim::SimDuration duration;
  };
  for (const auto& [experiment, variables, standard] : {Standard{"pod-network-loss", "{name: PODS_AFFECTED_PERC, value: '100'}", 60s}, Standard{"node-drain", "{name: TARGET_NODE, value: w1}", 60s},
                                                        Standard{"node-memory-hog", "{name: TARGET_NODE, value: w1}, {name: MEMORY_CONSUMPTION_PERCENTAGE, value: '10'}", 120s}}) {
    const RunOutcome outcome = run(small_scenario(litmus(experiment, variables)));
    const auto began = records(outcome, "ChaosInject");
    const auto ended = records(outcome, "Summary");
    ASSERT_EQ(began.size() + ended.size(), 2u) << log_text(outcome);
    const auto lasted = ended[0]->time - began[0]->time;
    EXPECT_TRUE(lasted >= standard && lasted < standard + 30s) << experiment << " " << std::chrono::duration<double>(lasted).count();
  }
}

TEST(Litmus, AHelperPodLoadsItsNode) {
  const RunOutcome cpu = run(small_scenario(litmus("node-cpu-hog", "{name: TARGET_NODE, value: w1}, {name: TOTAL_CHAOS_DURATION, value: '300'}")));
  const sim::EventLog::Record* contended = caused(cpu, "CpuContended", "Node/w1");
  ASSERT_NE(contended, nullptr) << log_text(cpu);
  EXPECT_LT(contended->time, at(3min));
  const RunOutcome memory = run(small_scenario(litmus("node-memory-hog", "{name: TARGET_NODE, value: w1}, {name: MEMORY_CONSUMPTION_PERCENTAGE, value: '99'}, {name: TOTAL_CHAOS_DURATION, value: '300'}")));
  EXPECT_TRUE(caused(memory, "NodeHasMemoryPressure") != nullptr || caused(memory, "MemoryExhausted", "Node/w1") != nullptr || caused(memory, "Evicted") != nullptr) << log_text(memory);
}

TEST(ChaosMesh, DeletingAResourceTakesItBack) {
  const RunOutcome outcome = run(small_scenario(fault("NetworkChaos", "{action: partition, " + kDb + "}", ", duration: 90s")));
  ASSERT_EQ(count(outcome, "NetworkRestored"), 1u) << log_text(outcome);
  EXPECT_EQ(records(outcome, "NetworkRestored")[0]->time, at(3min + 30s));
  EXPECT_EQ(count(outcome, "Deleted", "NetworkChaos/shop/x"), 1u);
  EXPECT_TRUE(chaos_objects(outcome).empty());
}

TEST(ChaosMesh, WhatCannotBeRightIsToldBeforeTheRun) {
  EXPECT_NE(problems_of(small_scenario(fault("PodChaos", "{action: pod-kill, mode: one, selector: {labelSelectors: {app: wbe}}}"))).find("no pod or pod template in shop has the labels app=wbe"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario(fault("PodChaos", "{action: pod-kill, mode: one, selector: {pods: {shop: [bd-0]}}}"))).find("db-0"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario(fault("PodChaos", "{action: pod-kill, mode: one, selector: {nodes: [w9]}}"))).find("there is no node 'w9'"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario(fault("StatusCheck", "{type: HTTP, http: {url: 'http://wbe.shop', criteria: {statusCode: '200'}}}"))).find("there is no Service 'wbe.shop'"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario("faults:\n  f: {kind: chaos-mesh, at: 1m}\n")).find("needs 'file' or 'resource'"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario("faults:\n  f: {kind: chaos-mesh, at: 1m, file: nowhere.yaml}\n")).find("nowhere.yaml"), std::string::npos);
}

}  // namespace
}  // namespace chaos

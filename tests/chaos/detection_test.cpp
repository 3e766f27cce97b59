// Who noticed what, when: whole runs with monitoring, against times worked out by hand.
#include "chaos/outages/detection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim/models/monitoring/monitoring.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

const std::string kOutside = R"(monitoring:
  rules: [general, kubernetes, ceph]
  prometheus: {p: {outside: true}}
  alertmanagers: {main: {outside: true}}
)";

struct DetectCase {
  const char* name;
  std::vector<Message> messages;
  Severity told;
  std::optional<SimDuration> noticed;
  std::optional<SimDuration> alerted;
};
Message message(SimDuration when, Severity tells, std::uint32_t root, std::optional<SimDuration> over = std::nullopt, std::string object = {}) {
  return Message{at(when), over ? std::optional(at(*over)) : std::nullopt, tells, "a", "alert", CauseId{root}, std::move(object)};
}
TEST(Detection, WhichMessagesTellOfAnOutage) {
  const DetectCase cases[] = {
      {"nobody", {}, Severity::kNone, {}, {}},
      {"a page about the same story", {message(12min, Severity::kAlert, 7)}, Severity::kAlert, 2min, 2min},
      {"a page about another story", {message(12min, Severity::kAlert, 8)}, Severity::kNone, {}, {}},
      {"a page about the same thing", {message(12min, Severity::kAlert, 0, {}, "Node/w1")}, Severity::kAlert, 2min, 2min},
      {"a ticket, then a page", {message(15min, Severity::kAlert, 7), message(11min, Severity::kNotice, 7)}, Severity::kAlert, 1min, 5min},
      {"a ticket alone", {message(11min, Severity::kNotice, 7)}, Severity::kNotice, 1min, {}},
      {"too late", {message(21min, Severity::kAlert, 7)}, Severity::kNone, {}, {}},
      {"known before", {message(5min, Severity::kAlert, 7)}, Severity::kAlert, 0min, 0min},
      {"taken back before", {message(5min, Severity::kAlert, 7, 8min)}, Severity::kNone, {}, {}},
      {"taken back meanwhile", {message(12min, Severity::kAlert, 7, 13min)}, Severity::kAlert, 2min, 2min},
      {"a cause of none is no story", {message(12min, Severity::kAlert, 0)}, Severity::kNone, {}, {}},
  };
  Outage outage;
  outage.subject = "Node/w1";
  outage.start = at(10min);
  outage.end = at(20min);
  for (const DetectCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Detection found = detect(outage, {CauseId{7}}, c.messages);
    EXPECT_EQ(found.told, c.told);
    EXPECT_EQ(found.noticed_after, c.noticed);
    EXPECT_EQ(found.alerted_after, c.alerted);
  }
}

TEST(Detection, ACrashedNodeIsATicketAfterTheQuarterOfAnHourOfItsRule) {
  const RunOutcome outcome = run(small_scenario(kOutside + "faults:\n  f: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n", "{until: 40m, warmUp: 1m}"));
  const Outage* outage = find(outcome, OutageKind::kNodeNotReady, "Node/w1");
  ASSERT_NE(outage, nullptr);
  ASSERT_TRUE(outage->detection);
  EXPECT_EQ(outage->detection->told, Severity::kNotice);
  // From what the API says: scrape and evaluation up to 30 s each, `for` 15 min, group_wait 30 s, delivery 10 s. TargetDown of node-exporter (10 min) tells
  // of the same crash from its first failed scrape on, 40 to 50 s before the API knows.
  ASSERT_TRUE(outage->detection->noticed_after);
  EXPECT_GE(*outage->detection->noticed_after, 10min - 50s + 40s);
  EXPECT_LE(*outage->detection->noticed_after, 16min + 40s);
  const auto& notes = outcome.world->monitoring->notifications();
  const auto node = std::find_if(notes.begin(), notes.end(), [](const auto& note) { return note.by == "KubeNodeNotReady"; });
  ASSERT_NE(node, notes.end());
  EXPECT_GE(node->at - outage->start, 15min + 40s);
  // A group that has been told already hears of it at its next turn, up to 5 minutes later.
  EXPECT_LE(node->at - outage->start, 21min + 40s);
  EXPECT_EQ(node->object, "Node/w1");
  ASSERT_FALSE(outcome.verdict.notifications.empty());
  for (const ToldNote& note : outcome.verdict.notifications) {
    if (note.by == "KubeNodeNotReady") {
      EXPECT_EQ(note.why.fault, "f");
    }
  }
}

TEST(Detection, AProbeFromOutsideNeedsItsFailuresOnly) {
  const RunOutcome outcome = run(small_scenario(R"(monitoring:
  rules: [general]
  probes: {db: {service: shop/db, interval: 20s, failures: 2, timeout: 5s}}
faults:
  f: {kind: container-kill, at: 10m, every: 1s, times: 300, target: {namespace: shop, pods: [db-0]}}
expect:
  soon: {kind: detection, kinds: [service-down], within: 1m}
  sooner: {kind: detection, kinds: [service-down], within: 10s}
)"));
  bool paged = false;
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind != OutageKind::kServiceDown || outage.length() < 1min) continue;
    ASSERT_TRUE(outage.detection && outage.detection->alerted_after) << outage.subject;
    EXPECT_EQ(outage.detection->alerted_source, "probe");
    // The first failing probe up to 20 s after, the second 20 s later, 5 s of time-out, 10 s of delivery.
    EXPECT_GE(*outage.detection->alerted_after, 35s);
    EXPECT_LE(*outage.detection->alerted_after, 55s);
    paged = true;
  }
  EXPECT_TRUE(paged) << log_text(outcome);
  EXPECT_TRUE(outcome.verdict.expectations[0].held);
  EXPECT_FALSE(outcome.verdict.expectations[1].held);
  EXPECT_EQ(outcome.verdict.expectations[1].measures[0].name, "within");
  EXPECT_EQ(outcome.verdict.expectations[1].measures[0].why.fault, "f");
}

/// Prometheus inside, on the same storage as the database.
std::string inside(const std::string& more) {
  std::string text = ceph_scenario(R"(monitoring:
  rules: [general, kubernetes, ceph]
  prometheus: {p: {statefulSet: watch/prometheus}}
  alertmanagers: {main: {statefulSet: watch/alertmanager}}
  deadMansSwitches: {beat: {interval: 1m, window: 5m}}
)" + more, "{until: 2h, warmUp: 5m}");
  const std::string objects = R"(  ---
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: prometheus, namespace: watch}
  spec:
    replicas: 2
    serviceName: prometheus
    selector: {matchLabels: {app: prometheus}}
    template:
      metadata: {labels: {app: prometheus}}
      spec:
        nodeSelector: {squall.dev/pool: workers}
        containers:
          - {name: prometheus, image: "prometheus:3", resources: {requests: {cpu: 500m, memory: 1Gi}}, volumeMounts: [{name: db, mountPath: /db}]}
    volumeClaimTemplates:
      - metadata: {name: db}
        spec: {accessModes: [ReadWriteOnce], storageClassName: block, resources: {requests: {storage: 20Gi}}}
  ---
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: alertmanager, namespace: watch}
  spec:
    replicas: 1
    serviceName: alertmanager
    selector: {matchLabels: {app: alertmanager}}
    template:
      metadata: {labels: {app: alertmanager}}
      spec:
        nodeSelector: {squall.dev/pool: workers}
        containers:
          - {name: alertmanager, image: "alertmanager:0", resources: {requests: {cpu: 100m, memory: 200Mi}}}
)";
  text.insert(text.find("behaviours:\n"), objects);
  return text;
}

TEST(Detection, MonitoringOnTheStorageThatFailsIsSilentButForItsDeadMansSwitch) {
  const RunOutcome outcome = run(inside("faults:\n  f: {kind: node-power-off, at: 40m, duration: 40m, target: {nodes: [st-1, st-2, st-3]}}\n"));
  EXPECT_GE(count(outcome, "PrometheusBlocked"), 2u) << log_text(outcome);
  const Outage* outage = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(outage, nullptr);
  ASSERT_TRUE(outage->detection && outage->detection->alerted_after);
  EXPECT_EQ(outage->detection->alerted_source, "dead-mans-switch");
  // The Watchdog is resolved 4 minutes after its last sending (at most 90 s before); its last message is up to a minute older than that; window 5 min, 10 s.
  EXPECT_GE(*outage->detection->alerted_after, 4min - 90s - 1min + 5min);
  EXPECT_LE(*outage->detection->alerted_after, 4min + 30s + 5min + 10s + 5s);
  // Nothing but silence told of it.
  for (const ToldNote& note : outcome.verdict.notifications) {
    if (note.at >= at(40min) && note.at < at(80min)) {
      EXPECT_EQ(note.source, "dead-mans-switch") << note.subject;
    }
  }
}

TEST(Detection, AnExpectationWithoutMonitoringIsRefused) {
  EXPECT_NE(problems_of(small_scenario("expect:\n  e: {kind: detection, within: 5m}\n")).find("nobody looks at this cluster"), std::string::npos);
  EXPECT_NE(problems_of(small_scenario(kOutside + "expect:\n  e: {kind: detection, kinds: [servce-down], within: 5m}\n")).find("service-down"), std::string::npos);
}

TEST(Detection, WhatIsExportedIsWhatIsListed) {
  const RunOutcome outcome = run(ceph_scenario("", "{until: 10m, warmUp: 1m}"));
  const std::string text = sim::monitoring::exposition(*outcome.world, 1'767'225'600);
  const std::vector<std::string>& listed = sim::monitoring::exported_metrics();
  std::set<std::string> seen;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find_first_of("{ ", begin);
    seen.insert(text.substr(begin, end - begin));
    begin = text.find('\n', begin) + 1;
  }
  for (const std::string& name : seen) EXPECT_TRUE(std::binary_search(listed.begin(), listed.end(), name)) << name << " is not in the list";
  for (const char* name : {"kube_pod_status_ready", "kube_node_status_condition", "ceph_osd_up", "ceph_pg_active", "etcd_server_has_leader", "kube_deployment_status_replicas_available",
                           "kube_statefulset_status_replicas_ready", "ceph_mon_quorum_status", "kubelet_node_name", "node_memory_MemAvailable_bytes"}) {
    EXPECT_TRUE(seen.contains(name)) << name;
  }
  EXPECT_NE(text.find("ceph_health_status{instance=\"rook-ceph-mgr:9283\", job=\"ceph\", namespace=\"rook-ceph\", service=\"rook-ceph-mgr\"} 0\n"), std::string::npos);
  EXPECT_NE(text.find("kube_statefulset_status_replicas_ready{instance=\"kube-state-metrics:8443\", job=\"kube-state-metrics\", namespace=\"shop\", statefulset=\"db\"} 1\n"),
            std::string::npos);
}

TEST(Detection, FiguresCountOutagesThatTheListLeavesOut) {
  const std::string text = small_scenario(kOutside + "faults:\n  f: {kind: element-down, at: 10m, elements: [zone-1]}\n", "{until: 40m, warmUp: 1m}");
  RunOptions few;
  few.outages_max = 1;
  const RunOutcome all = run(text);
  const RunOutcome one = run(text, 1, few);
  ASSERT_GT(one.verdict.outages_left_out, 0u);
  ASSERT_GT(all.verdict.detection.outages, 1u);
  EXPECT_EQ(one.verdict.detection.outages, all.verdict.detection.outages);
  EXPECT_EQ(one.verdict.detection.untold, all.verdict.detection.untold);
  EXPECT_EQ(one.verdict.detection.unseen, all.verdict.detection.unseen);
  EXPECT_EQ(one.verdict.detection.longest_to_alert, all.verdict.detection.longest_to_alert);
}

TEST(Detection, TheSameSeedTellsTheSame) {
  const std::string text = small_scenario(kOutside + "faults:\n  f: {kind: node-crash, at: 10m, target: {nodes: [w1]}}\n", "{until: 40m, warmUp: 1m}");
  const RunOutcome a = run(text, 3);
  const RunOutcome b = run(text, 3);
  EXPECT_EQ(a.event_log_hash, b.event_log_hash);
  EXPECT_EQ(a.verdict.notifications.size(), b.verdict.notifications.size());
}

TEST(Detection, LookingChangesNothingInTheWorld) {
  // Who is watched does as he would do unwatched: the records that monitoring adds aside, both logs are the same.
  const std::string fault = "faults:\n  f: {kind: node-crash, at: 10m, duration: 5m, target: {nodes: [w1]}}\n";
  const RunOutcome watched = run(small_scenario(kOutside + fault, "{until: 40m, warmUp: 1m}"));
  const RunOutcome alone = run(small_scenario(fault, "{until: 40m, warmUp: 1m}"));
  const auto lines = [](const RunOutcome& outcome) {
    std::vector<std::string> all;
    const sim::EventLog& log = outcome.world->log;
    for (const sim::EventLog::Record& record : log.records()) {
      const std::string& kind = log.kind(record);
      if (kind.starts_with("Alert") || kind.starts_with("Prometheus")) continue;
      all.push_back(sim::format_duration(record.time.time_since_epoch()) + " " + kind + " " + log.subject(record) + " " + std::string(log.message(record)));
    }
    return all;
  };
  EXPECT_EQ(lines(watched), lines(alone));
}

TEST(Certificates, ThatExpireMakeNodesSilentAndRenewedOnesBringThemBack) {
  const RunOutcome outcome = run(small_scenario(R"(monitoring:
  rules: [kubernetes]
  prometheus: {p: {outside: true}}
  alertmanagers: {main: {outside: true}}
faults:
  f: {kind: certificate-expiry, at: 9d, duration: 1h, target: {nodes: [w1]}}
)", "{until: 10d, warmUp: 1m}"));
  const Outage* outage = find(outcome, OutageKind::kNodeNotReady, "Node/w1");
  ASSERT_NE(outage, nullptr);
  EXPECT_GE(outage->start, at(9 * 24h + 30s));
  EXPECT_LE(outage->start, at(9 * 24h + 60s));
  EXPECT_LE(outage->end, at(9 * 24h + 1h + 2min));
  // Its containers run on: nothing of the machine is wrong.
  EXPECT_EQ(find(outcome, OutageKind::kNodeDown, "Node/w1"), nullptr);
  ASSERT_TRUE(outage->detection && outage->detection->alerted_after && outage->detection->noticed_after);
  EXPECT_EQ(*outage->detection->alerted_after, 0s);
  EXPECT_EQ(outage->detection->alerted_by, "KubeletClientCertificateExpiration");
  // A week and a day before, to within a scrape, an evaluation, group_wait (or the next turn of the group) and delivery.
  std::vector<SimTime> told;
  for (const ToldNote& note : outcome.verdict.notifications) {
    if (note.by == "KubeletClientCertificateExpiration") told.push_back(note.at);
  }
  ASSERT_EQ(told.size(), 2u);
  EXPECT_GE(told[0], at(2 * 24h + 40s));
  EXPECT_LE(told[0], at(2 * 24h + 100s));
  EXPECT_GE(told[1], at(8 * 24h + 40s));
  EXPECT_LE(told[1], at(8 * 24h + 100s));
}

}  // namespace
}  // namespace chaos

/// Runs a scenario from a text, for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "chaos/harness.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace chaos::testing_support {

/// Three control-plane nodes and four workers in two racks; a Deployment of three with a Service; `more` is added at the top level.
inline std::string small_scenario(const std::string& more, const std::string& run = "{until: 20m, warmUp: 1m}") {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: small}
run: )" + run +
         R"(
topology:
  - {name: zone-1, kind: zone}
  - {name: rack-a, kind: rack, in: zone-1}
  - {name: rack-b, kind: rack, in: zone-1}
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi, racks: [rack-a, rack-b]}
  workers: {count: 4, nodeName: "w{n}", cpu: 8, memory: 16Gi, racks: [rack-a, rack-b]}
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 3
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
          - {name: web, image: "web:1", resources: {requests: {cpu: 500m, memory: 256Mi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
  ---
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db, namespace: shop}
  spec:
    replicas: 1
    serviceName: db
    selector: {matchLabels: {app: db}}
    template:
      metadata: {labels: {app: db}}
      spec:
        containers:
          - {name: db, image: "db:1", resources: {requests: {cpu: 500m, memory: 256Mi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: db, namespace: shop}
  spec: {selector: {app: db}, ports: [{port: 5432}]}
)" + more;
}

/// Three control-plane nodes, five storage nodes with a monitor on the first three and two disks in each, two workers; a database on an RBD volume.
/// `more` is added at the top level.
inline std::string ceph_scenario(const std::string& more, const std::string& run = "{until: 1h, warmUp: 5m}", const std::string& ceph = {}) {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: storage}
run: )" + run +
         R"(
pools:
  control: {count: 3, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 16Gi}
  storage: {count: 5, nodeName: "st-{n}", cpu: 16, memory: 64Gi, boot: {median: 2m}}
  workers: {count: 2, nodeName: "w{n}", cpu: 8, memory: 16Gi}
ceph:
)" + (ceph.empty() ? std::string(R"(  mons: {count: 3, pools: [storage]}
  osds: {data: {pools: [storage], perNode: 2, size: 1Ti, deviceClass: ssd}}
  pools: {rbd: {size: 3, pgNum: 32, stored: 100Gi, writesPerSecond: 50}}
)") : ceph) +
         R"(objects: |
  apiVersion: storage.k8s.io/v1
  kind: StorageClass
  metadata: {name: block}
  provisioner: rook-ceph.rbd.csi.ceph.com
  parameters: {pool: rbd}
  ---
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db, namespace: shop}
  spec:
    replicas: 1
    serviceName: db
    selector: {matchLabels: {app: db}}
    template:
      metadata: {labels: {app: db}}
      spec:
        nodeSelector: {squall.dev/pool: workers}
        containers:
          - name: db
            image: "db:1"
            resources: {requests: {cpu: 500m, memory: 256Mi}}
            volumeMounts: [{name: data, mountPath: /var/lib/db}]
    volumeClaimTemplates:
      - metadata: {name: data}
        spec: {accessModes: [ReadWriteOnce], storageClassName: block, resources: {requests: {storage: 20Gi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: db, namespace: shop}
  spec: {selector: {app: db}, ports: [{port: 5432}]}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        nodeSelector: {squall.dev/pool: workers}
        containers:
          - {name: web, image: "web:1", resources: {requests: {cpu: 500m, memory: 256Mi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
behaviours:
- {match: {namespace: shop, labels: {app: web}}, needs: [shop/db]}
)" + more;
}

inline std::shared_ptr<const sim::scenario::ScenarioSpec> read(const std::string& text, sim::scenario::Diagnostics& diagnostics) {
  return sim::scenario::read_scenario_text("test.yaml", text, {}, diagnostics);
}

/// What validation says of it; empty when nothing is wrong.
inline std::string problems_of(const std::string& text) {
  sim::scenario::Diagnostics diagnostics;
  const auto spec = read(text, diagnostics);
  if (spec) check_scenario(*spec, diagnostics);
  return diagnostics.format();
}

inline RunOutcome run(const std::string& text, std::uint64_t seed = 1, const RunOptions& options = {}) {
  sim::scenario::Diagnostics diagnostics;
  const auto spec = read(text, diagnostics);
  if (spec) check_scenario(*spec, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format() << text;
  if (!spec || diagnostics.has_errors()) return RunOutcome{};
  return run_scenario(*spec, seed, options);
}

/// The first outage of this kind and subject; null: there is none.
inline const Outage* find(const RunOutcome& outcome, OutageKind kind, std::string_view subject) {
  for (const Outage& outage : outcome.verdict.outages) {
    if (outage.kind == kind && outage.subject == subject) return &outage;
  }
  return nullptr;
}

/// Records of a kind (and subject, unless empty), as "12.5s Node/w1 message".
inline std::vector<const sim::EventLog::Record*> records(const RunOutcome& outcome, std::string_view kind, std::string_view subject = {}) {
  std::vector<const sim::EventLog::Record*> found;
  if (outcome.world == nullptr) return found;
  const sim::EventLog& log = outcome.world->log;
  for (const sim::EventLog::Record& record : log.records()) {
    if (log.kind(record) == kind && (subject.empty() || log.subject(record) == subject)) found.push_back(&record);
  }
  return found;
}
inline std::size_t count(const RunOutcome& outcome, std::string_view kind, std::string_view subject = {}) {
  return records(outcome, kind, subject).size();
}

/// The whole log, for messages of failed tests.
inline std::string log_text(const RunOutcome& outcome) {
  std::string text;
  if (outcome.world == nullptr) return text;
  const sim::EventLog& log = outcome.world->log;
  std::uint32_t id = 0;
  for (const sim::EventLog::Record& record : log.records()) {
    text += "[" + std::to_string(++id) + " <- " + std::to_string(record.cause.value) + "] " +
            sim::format_duration(record.time.time_since_epoch()) + " " + log.kind(record) + " " + log.subject(record) + " " +
            std::string(log.message(record)) + "\n";
  }
  return text;
}

}  // namespace chaos::testing_support

// The sections `services:` and `vms:`: templates, and what is told of wrong input.
#include <gtest/gtest.h>

#include "sim/models/services/templates.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

std::string scenario(const std::string& more) {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
pools:
  control: {count: 1, controlPlane: true}
  workers: {count: 3}
objects: |
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db, namespace: os}
  spec:
    replicas: 3
    serviceName: db
    selector: {matchLabels: {app: db}}
    template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "db:1"}]}}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: api, namespace: os}
  spec:
    replicas: 2
    selector: {matchLabels: {app: api}}
    template: {metadata: {labels: {app: api}}, spec: {containers: [{name: api, image: "api:1"}]}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: db, namespace: os}
  spec: {selector: {app: db}, ports: [{port: 1}]}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: api, namespace: os}
  spec: {selector: {app: api}, ports: [{port: 1}]}
)" + more;
}

std::shared_ptr<const ScenarioSpec> read(const std::string& text, Diagnostics& diagnostics) { return read_scenario_text("test.yaml", text, {}, diagnostics); }
std::string problems(const std::string& more) {
  Diagnostics diagnostics;
  read(scenario(more), diagnostics);
  return diagnostics.format();
}

TEST(ServicesSection, ATemplateIsTheBeginningAndWhatIsSaidGoesBeforeIt) {
  Diagnostics diagnostics;
  const auto spec = read(scenario("services:\n  db: {like: openstack-helm-mariadb, service: os/db, quorum: {suspectTimeout: 7s}}\n"), diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  const ServiceSpec& db = spec->platform.services.front();
  EXPECT_EQ(db.mode, services::Mode::kQuorum);
  EXPECT_EQ(db.quorum->suspect_timeout, std::chrono::seconds(7));
  EXPECT_TRUE(db.quorum->start_script);
  EXPECT_EQ(db.start_up, std::chrono::seconds(45));
}

TEST(ServicesSection, EveryTemplateCanBeRead) {
  for (const services::Template& one : services::templates()) {
    const bool is_proxy = one.name == "maxscale";
    const bool is_datapath = one.name == "l3-ha" || one.name == "dhcp";
    std::string text = "services:\n  it: {like: " + std::string(one.name) + (is_datapath ? ", match: {namespace: os, labels: {app: db}}" : ", service: os/db");
    if (is_proxy) text += ", proxy: {backend: other}";
    text += "}\n";
    if (is_proxy) text += "  other: {like: galera, service: os/db}\n";
    EXPECT_EQ(problems(text), "") << one.name;
  }
}

struct WrongCase {
  std::string_view name;
  std::string section;
  std::vector<std::string> told;
};
const WrongCase kWrong[] = {
    {"unknown template", "services:\n  db: {like: galeraa, service: os/db}\n", {"test.yaml:34:14: error:", "there is no template 'galeraa'", "did you mean 'galera'"}},
    {"unknown Service", "services:\n  db: {like: galera, service: os/dbb}\n", {"there is no Service 'os/dbb'", "os/db"}},
    {"no pods said", "services:\n  db: {like: galera}\n", {"nobody says which pods service 'db' is", "service: namespace/name"}},
    {"both said", "services:\n  db: {service: os/db, match: {namespace: os}}\n", {"has both 'service' and 'match'"}},
    {"nothing matches", "services:\n  db: {match: {namespace: os, labels: {app: nothing}}}\n", {"no pod and no pod template matches"}},
    {"unknown need", "services:\n  api: {service: os/api, needs: [dbb]}\n  db: {service: os/db}\n", {"service 'api' names 'dbb', and there is nothing of that name", "did you mean 'db'"}},
    {"Ceph without Ceph", "services:\n  api: {service: os/api, needs: [\"ceph-pool:rbd\"]}\n", {"there is no Ceph in this scenario"}},
    {"a section of another mode", "services:\n  api: {service: os/api, quorum: {suspectTimeout: 1s}}\n", {"is of mode stateless, and 'quorum' is of mode quorum"}},
    {"members without names", "services:\n  api: {like: galera, service: os/api}\n", {"members of mode quorum keep their names", "Deployment/os/api"}},
    {"a proxy of nothing", "services:\n  api: {mode: proxy, service: os/api}\n", {"is a proxy of nothing"}},
    {"a proxy of what has no members to choose", "services:\n  api: {mode: proxy, service: os/api, proxy: {backend: db}}\n  db: {service: os/db}\n", {"of mode quorum, and 'db' is of mode stateless"}},
    {"a circle of needs", "services:\n  api: {service: os/api, needs: [db]}\n  db: {service: os/db, needs: [api]}\n", {"services need each other: api -> db -> api: neither would ever answer"}},
    {"a circle of gates", "services:\n  api: {service: os/api, waitsFor: [db]}\n  db: {service: os/db, waitsFor: [api]}\n", {"wait at their start for each other", "neither would ever start"}},
    {"a circle by way of a Service", "services:\n  api: {service: os/api, needs: [os/db]}\n  db: {service: os/db, needs: [api]}\n", {"services need each other: api -> db -> api: neither would ever answer"}},
    {"a service that needs its own Service", "services:\n  api: {service: os/api, needs: [os/api]}\n", {"services need each other: api -> api"}},
    {"a circle by way of a proxy", "services:\n  db: {like: galera, service: os/db, needs: [front]}\n  front: {like: maxscale, service: os/api, proxy: {backend: db}}\n", {"services need each other: db -> front -> db"}},
    {"a cache in itself", "services:\n  api: {service: os/api, needs: [db], caches: {db: {in: api}}}\n  db: {service: os/db}\n", {"test.yaml:34:57: error:", "service 'api' keeps answers of 'db' in 'api' itself"}},
    {"a cache in what is away", "services:\n  api: {service: os/api, needs: [db], caches: {db: {in: db}}}\n  db: {service: os/db}\n", {"keeps answers of 'db' in 'db' itself, which is away when they are wanted"}},
    {"a cache of what is not needed", "services:\n  api: {service: os/api, caches: {db: {in: db}}}\n  db: {service: os/db}\n", {"keeps answers of 'db', which it does not need"}},
    {"an operation twice", "services:\n  api: {service: os/api, operations: {go: {}}}\n  db: {service: os/db, operations: {go: {}}}\n", {"operation 'go' is offered by 'api' already"}},
    {"a wrong weight", "services:\n  db: {like: galera, service: os/db, quorum: {weights: {db-0: \"300\"}}}\n", {"'300' is no weight of db-0", "0 to 255"}},
    {"unknown key", "services:\n  db: {like: galera, service: os/db, quorum: {suspectTimeot: 1s}}\n", {"unknown key 'suspectTimeot'", "did you mean 'suspectTimeout'"}},
    {"VMs of no pool", "vms:\n  v: {pools: [worker]}\n", {"there is no pool of nodes 'worker'", "did you mean 'workers'"}},
    {"VMs that move without their disk", "vms:\n  v: {pools: [workers], evacuateAfter: 5m}\n", {"VMs whose disks are on their host cannot be started elsewhere"}},
    {"VMs that nobody can start", "services:\n  api: {service: os/api, operations: {boot: {}}}\nvms:\n  v: {pools: [workers], operation: boott}\n", {"no service offers the operation 'boott'", "did you mean 'boot'"}},
    {"a file that is not there", "serviceFiles: [nowhere.yaml]\n", {"nowhere.yaml"}},
};

TEST(ServicesSection, SaysWhatIsWrongAndWhere) {
  for (const WrongCase& c : kWrong) {
    SCOPED_TRACE(c.name);
    const std::string told = problems(c.section);
    EXPECT_NE(told.find("error"), std::string::npos) << told;
    for (const std::string& part : c.told) EXPECT_NE(told.find(part), std::string::npos) << part << "\n" << told;
  }
}

TEST(ServicesSection, TellsOfProbesThatNobodyMakes) {
  EXPECT_NE(problems("services:\n  api: {service: os/api, needs: [os/db], readiness: needs}\n").find("'readiness' has no effect, none of its pods has a readinessProbe"), std::string::npos);
  EXPECT_NE(problems("services:\n  api: {service: os/api, needs: [os/db], liveness: needs}\n").find("'liveness' has no effect, none of its pods has a livenessProbe"), std::string::npos);
  EXPECT_EQ(problems("services:\n  api: {service: os/api, needs: [os/db]}\n").find("has no effect"), std::string::npos);
}

TEST(ServicesSection, TellsOfMembersThatThereAreNot) {
  EXPECT_NE(problems("services:\n  db: {service: os/db, minMembers: 4}\n").find("test.yaml:34:3: warning: service 'db' answers with 4 members, and its workloads have 3"), std::string::npos)
      << problems("services:\n  db: {service: os/db, minMembers: 4}\n");
  EXPECT_EQ(problems("services:\n  db: {service: os/db, minMembers: 3}\n"), "");
}

}  // namespace
}  // namespace sim::scenario

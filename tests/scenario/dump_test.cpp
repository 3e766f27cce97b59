#include "sim/scenario/dump/importer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "sim/models/kubernetes/views/get.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/dump/dump_items.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace sim::scenario {
namespace {

using namespace std::chrono_literals;

std::string file_text(const std::string& name) {
  std::ifstream file(std::string(SQUALL_SOURCE_DIR "/tests/data/import/") + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Imported {
  std::string scenario;
  dump::Report report;
  Diagnostics diagnostics;
};

std::unique_ptr<Imported> import(const std::vector<std::pair<std::string, std::string>>& texts, const std::string& pools = {}, bool keep_all = false) {
  auto result = std::make_unique<Imported>();
  dump::ImportOptions options;
  options.name = "imported";
  options.pools = pools;
  options.keep_all = keep_all;
  options.inline_bytes = static_cast<std::size_t>(-1);
  dump::Importer importer(options, result->diagnostics);
  for (const auto& [name, text] : texts) importer.read(name, text);
  const std::vector<dump::OutputFile> files = importer.finish();
  if (!files.empty()) result->scenario = files.back().content;
  result->report = importer.report();
  return result;
}

/// The imported cluster after so long.
std::unique_ptr<World> world_after(const std::string& scenario, SimDuration time) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("imported.yaml", scenario, {}, diagnostics);
  EXPECT_NE(spec, nullptr) << diagnostics.format() << scenario;
  if (spec == nullptr) return nullptr;
  auto world = build_world(*spec, 1);
  world->start();
  world->engine.run_until(SimTime(time));
  return world;
}

/// "shop/web-0 worker-1 Running" of every pod, sorted.
std::set<std::string> pods_of(const World& world) {
  std::set<std::string> lines;
  world.api.all<k8s::Pod>().for_each([&](k8s::Ref<k8s::Pod>, const k8s::Pod& pod) {
    const std::string node = pod.node_name ? world.names.text(pod.node_name) : "<none>";
    lines.insert(world.names.text(pod.meta.ns) + "/" + world.names.text(pod.meta.name) + " " + node + " " + k8s::views::pod_status(pod, world.names));
  });
  return lines;
}

std::uint64_t noted(const std::vector<dump::Report::Note>& notes, std::string_view what, std::string_view why = {}) {
  std::uint64_t count = 0;
  for (const dump::Report::Note& note : notes) {
    if (note.what == what && note.why.find(why) != std::string::npos) count += note.count;
  }
  return count;
}

// What kubectl get nodes,pods,... -A -o yaml prints of a small cluster, with all that a real one says beside.
const std::set<std::string> kShop = {
    "kube-system/kube-proxy-7hk2p worker-1 Running", "kube-system/kube-proxy-x9dzl worker-2 Running", "shop/batch-28000000-abcde worker-2 Completed",
    "shop/db-0 worker-1 Running",                     "shop/db-1 worker-2 Running",                     "shop/web-6d4cf56db6-7xk2m worker-1 Running",
    "shop/web-6d4cf56db6-tooxl <none> Pending",       "shop/web-6d4cf56db6-vq8lp worker-2 Running"};

TEST(Import, FirstSecondIsTheCluster) {
  const auto imported = import({{"shop.yaml", file_text("shop.yaml")}});
  ASSERT_FALSE(imported->diagnostics.has_errors()) << imported->diagnostics.format();
  for (const SimDuration time : {SimDuration(0s), SimDuration(1s), SimDuration(60s)}) {
    SCOPED_TRACE(time / 1s);
    const auto world = world_after(imported->scenario, time);
    ASSERT_NE(world, nullptr);
    EXPECT_EQ(pods_of(*world), kShop);
  }
  EXPECT_TRUE(imported->report.made.empty());
}

TEST(Import, OfJsonToo) {
  const auto from_yaml = import({{"shop.yaml", file_text("shop.yaml")}});
  const auto from_json = import({{"shop.json", file_text("shop.json")}});
  ASSERT_FALSE(from_json->diagnostics.has_errors()) << from_json->diagnostics.format();
  const auto body = [](const std::string& text) { return text.substr(text.find("apiVersion: squall.dev")); };
  EXPECT_EQ(body(from_json->scenario), body(from_yaml->scenario));
}

TEST(Import, KeepsAllThatIsAskedFor) {
  const auto imported = import({{"shop.yaml", file_text("shop.yaml")}}, {}, true);
  EXPECT_NE(imported->scenario.find("terminationMessagePath"), std::string::npos);
  EXPECT_EQ(imported->scenario.find("managedFields"), std::string::npos);
  const auto world = world_after(imported->scenario, 60s);
  ASSERT_NE(world, nullptr);
  EXPECT_EQ(pods_of(*world), kShop);
}

TEST(Import, NodesAreTheDumps) {
  const auto imported = import({{"shop.yaml", file_text("shop.yaml")}});
  const auto world = world_after(imported->scenario, 1s);
  ASSERT_NE(world, nullptr);
  const auto node = [&](const char* name) { return world->api.get(world->api.find<k8s::Node>(Symbol{}, world->names.find(name))); };
  ASSERT_NE(node("worker-1"), nullptr);
  EXPECT_EQ(node("worker-1")->allocatable.cpu_milli, 3920);
  EXPECT_EQ(node("worker-1")->capacity.memory, 16393244ll << 10);
  EXPECT_FALSE(node("worker-1")->unschedulable);
  EXPECT_TRUE(node("worker-2")->unschedulable);
  EXPECT_EQ(node("worker-2")->taints.size(), 2u);  // dedicated, unschedulable
  EXPECT_EQ(world->names.text(*node("worker-2")->meta.labels.find(world->names.find("topology.kubernetes.io/zone"))), "zone-b");
  // Its own, of which the pods here need one, and those of the other pods.
  EXPECT_EQ(node("worker-1")->images.size(), 4u);
  const auto bytes = [&](const char* image) {
    for (const k8s::NodeImage& one : node("worker-1")->images) {
      if (one.image == world->names.find(image)) return one.bytes;
    }
    return std::int64_t{0};
  };
  EXPECT_EQ(bytes("registry.example/web:1.4.2"), 73400320);
}

// Only nodes, pods and deployments, as many people dump them: what stands between is made up, and nothing is doubled.
TEST(Import, OwnersThatTheDumpDoesNotHold) {
  std::string text = file_text("shop.yaml");
  const auto without = [&](const std::string& kind) {
    for (std::size_t at; (at = text.find("\n  kind: " + kind + "\n")) != std::string::npos;) {
      const std::size_t begin = text.rfind("\n- ", at);
      const std::size_t end = text.find("\n- ", at);
      text.erase(begin, (end == std::string::npos ? text.find("\nkind: List") : end) - begin);
    }
  };
  for (const char* kind : {"ReplicaSet", "StatefulSet", "DaemonSet", "ControllerRevision", "Job", "CronJob", "PriorityClass"}) without(kind);
  const auto imported = import({{"shop.yaml", text}});
  ASSERT_FALSE(imported->diagnostics.has_errors()) << imported->diagnostics.format();
  EXPECT_EQ(noted(imported->report.made, "ReplicaSet", "Deployment"), 1u);
  EXPECT_EQ(noted(imported->report.made, "StatefulSet", "pods"), 1u);
  EXPECT_EQ(noted(imported->report.made, "DaemonSet", "pods"), 1u);
  EXPECT_EQ(noted(imported->report.made, "PriorityClass", "priority"), 1u);
  for (const SimDuration time : {SimDuration(1s), SimDuration(60s)}) {
    const auto world = world_after(imported->scenario, time);
    ASSERT_NE(world, nullptr);
    EXPECT_EQ(pods_of(*world), kShop);
  }
  // ... and a pod that goes is made anew by the one that was made up.
  const auto world = world_after(imported->scenario, 1s);
  world->api.remove(world->api.find<k8s::Pod>(world->names.find("shop"), world->names.find("db-0")));
  world->engine.run_until(SimTime(60s));
  EXPECT_TRUE(world->api.find<k8s::Pod>(world->names.find("shop"), world->names.find("db-0")));
}

TEST(Import, WhatIsLeftOutIsTold) {
  const auto imported = import({{"shop.yaml", file_text("shop.yaml")}});
  const dump::Report& report = imported->report;
  EXPECT_EQ(noted(report.objects_left_out, "NetworkPolicy.networking.k8s.io"), 1u);
  EXPECT_EQ(noted(report.objects_left_out, "Certificate.cert-manager.io"), 1u);
  EXPECT_EQ(report.derived.at("Event"), 1u);
  EXPECT_EQ(report.without_effect.at("ConfigMap"), 1u);
  EXPECT_EQ(noted(report.fields_not_simulated, "containers.lifecycle.preStop"), 6u);  // of three pods, their Deployment and two ReplicaSets
  EXPECT_GT(report.fields_without_effect.at("Pod.spec.containers.env"), 0u);
  EXPECT_GT(report.fields_without_effect.at("Pod.spec.volumes (projected)"), 0u);
  EXPECT_EQ(report.fields_without_effect.count("Pod.metadata.managedFields"), 0u);
  EXPECT_FALSE(report.is_complete());
  EXPECT_NE(dump::report_text(report).find("1 NetworkPolicy.networking.k8s.io: not simulated (shop/deny-all)"), std::string::npos) << dump::report_text(report);
  EXPECT_EQ(imported->scenario.find("managedFields"), std::string::npos);
  EXPECT_EQ(imported->scenario.find("last-applied-configuration"), std::string::npos);
  EXPECT_NE(imported->scenario.find("start: '2026-03-01T10:00:00Z'"), std::string::npos);
}

TEST(Import, NeedsNodesOrAPool) {
  const std::string chart = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: web}}\n"
                            "  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'nginx:1'}]}\n---\n# Source: shop/templates/svc.yaml\n"
                            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}}\n---\n";
  const auto refused = import({{"stdin", chart}});
  ASSERT_TRUE(refused->diagnostics.has_errors());
  EXPECT_NE(refused->diagnostics.format().find("--pool"), std::string::npos);
  const auto imported = import({{"stdin", chart}}, "  worker:\n    count: 2\n    cpu: 4\n");
  const auto world = world_after(imported->scenario, 60s);
  ASSERT_NE(world, nullptr);
  EXPECT_EQ(pods_of(*world).size(), 3u);
}

// A node that was not there when the dump was made is not there when the run begins, and everything is as its controllers left it.
TEST(Import, ANodeThatIsDownStartsDown) {
  std::string text = file_text("shop.yaml");
  const std::size_t worker = text.find("name: worker-2\n");
  const auto change = [&](std::size_t from, const std::string& what, const std::string& to) {
    const std::size_t at = text.find(what, from);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), to);
  };
  change(worker, "reason: KubeletReady\n      status: 'True'", "reason: NodeStatusUnknown\n      status: Unknown");
  change(worker, "    taints:\n", "    taints:\n    - effect: NoExecute\n      key: node.kubernetes.io/unreachable\n");
  const auto imported = import({{"shop.yaml", text}});
  ASSERT_FALSE(imported->diagnostics.has_errors()) << imported->diagnostics.format();
  const auto world = world_after(imported->scenario, 1s);
  ASSERT_NE(world, nullptr);
  const auto ready = [&](const char* name) { return world->api.get(world->api.find<k8s::Node>(Symbol{}, world->names.find(name)))->ready; };
  EXPECT_EQ(ready("worker-1"), k8s::ConditionStatus::kTrue);
  EXPECT_EQ(ready("worker-2"), k8s::ConditionStatus::kUnknown);
  EXPECT_EQ(pods_of(*world), kShop);
  // Its pods tolerate that for five minutes; then they are to go.
  world->engine.run_until(SimTime(10min));
  EXPECT_TRUE(pods_of(*world).contains("shop/db-1 worker-2 Terminating"));
  EXPECT_EQ(ready("worker-2"), k8s::ConditionStatus::kUnknown);
}

// kubeadm's label for control planes up to Kubernetes 1.19.
TEST(Import, ControlPlanesOfOldClusters) {
  const auto imported = import({{"old.yaml", "apiVersion: v1\nkind: NodeList\nitems:\n- metadata: {name: m, labels: {node-role.kubernetes.io/master: ''}}\n  status: {capacity: {cpu: '4', memory: 8Gi}}\n"
                                             "- metadata: {name: w}\n  status: {capacity: {cpu: '4', memory: 8Gi}}\n"}});
  ASSERT_FALSE(imported->diagnostics.has_errors()) << imported->diagnostics.format();
  EXPECT_EQ(imported->scenario.find("external"), std::string::npos);
  const auto world = world_after(imported->scenario, 1s);
  ASSERT_NE(world, nullptr);
  EXPECT_EQ(world->control_plane.member_count(), 1u);
  EXPECT_TRUE(pods_of(*world).contains("kube-system/etcd-m m Running"));
}

TEST(Import, MeasuredUse) {
  const auto imported = import({{"shop.yaml", file_text("shop.yaml")},
                                {"top.txt", "NAMESPACE   NAME                   CPU(cores)   MEMORY(bytes)\nshop        web-6d4cf56db6-7xk2m   100m         100Mi\nshop        web-6d4cf56db6-vq8lp   300m         300Mi\n"
                                            "shop        gone-1                 1m           1Mi\n"},
                                {"top.csv", "NAME,CPU(cores),MEMORY(bytes),\ndb-0,20m,700Mi,\n"}});
  ASSERT_FALSE(imported->diagnostics.has_errors()) << imported->diagnostics.format();
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("imported.yaml", imported->scenario, {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  ASSERT_EQ(spec->behaviours.size(), 2u);
  EXPECT_EQ(spec->behaviours[0].memory_bytes, 700ll << 20);  // db comes before web
  EXPECT_EQ(spec->behaviours[1].memory_bytes, 200ll << 20);
  EXPECT_EQ(spec->behaviours[1].cpu, 0.2);
  EXPECT_EQ(noted(imported->report.objects_left_out, "measured use", "not in the dump"), 1u);
  const auto other = import({{"shop.yaml", file_text("shop.yaml")}, {"hpa.csv", "NAME,REFERENCE,TARGETS\nweb,Deployment/web,10%\n"}});
  EXPECT_EQ(noted(other->report.objects_left_out, "table"), 1u);
  const auto wrong = import({{"shop.yaml", file_text("shop.yaml")}, {"top.txt", "NAME CPU(cores) MEMORY(bytes)\nweb-1 fast 1Mi\n"}});
  EXPECT_NE(wrong->diagnostics.format().find("top.txt:2:1"), std::string::npos) << wrong->diagnostics.format();
}

// One object that the reader refuses must not cost the others.
TEST(Import, ABrokenObjectIsLeftOutAlone) {
  std::string text = file_text("shop.yaml");
  const std::string from = "image: registry.example/web:1.4.2\n      imagePullPolicy: Always";
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, from.size(), "image: registry.example/web:1.4.2\n      imagePullPolicy: Sometimes");
  const auto imported = import({{"shop.yaml", text}});
  ASSERT_FALSE(imported->diagnostics.has_errors());
  EXPECT_EQ(imported->report.objects_left_out.size(), 3u) << dump::report_text(imported->report);
  EXPECT_NE(dump::report_text(imported->report).find("shop.yaml:"), std::string::npos);
  EXPECT_NE(world_after(imported->scenario, 1s), nullptr);
}

// What a dump of somebody's may hold as well: none of it costs the rest, and all of it is told.
TEST(Import, OddObjects) {
  const auto imported = import({{"odd.json", R"({"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"capacity": {"cpu": "4", "memory": "8Gi"}}},
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}, "status": {}},
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n3", "labels": [1]}, "status": {"capacity": {"cpu": "-4", "memory": "8Gi"}}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "x", "deletionTimestamp": "2026-01-01T00:00:00Z",
      "ownerReferences": [{"apiVersion": "strimzi.io/v1", "kind": "StrimziPodSet", "name": "k", "uid": "1", "controller": true}]},
      "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "x"}]}, "status": {"phase": "Running"}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}, "spec": {"nodeName": "n2", "containers": [{"name": "c", "image": "x"}]}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}, "spec": {"containers": [{"name": "c", "image": "x"}], "priorityClassName": "gold", "priority": 77}},
    {"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "cj"}, "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec":
      {"restartPolicy": "Never", "priorityClassName": "silver", "containers": [{"name": "c", "image": "x"}]}}}}}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"a": "yes", "b": "012", "c": "1e3", "d": "null", "e": "0x1f", "f": ""}}},
    {"fsid": "5f0", "health": {}}, {"kind": "Pod"}, 42, null, [], {"apiVersion": "v1", "kind": "Pod", "metadata": "x", "spec": 1, "status": 2}]})"}});
  ASSERT_FALSE(imported->diagnostics.has_errors()) << imported->diagnostics.format();
  const dump::Report& report = imported->report;
  EXPECT_EQ(report.taken.at("Node"), 1u);
  EXPECT_EQ(report.taken.at("Pod"), 2u);
  EXPECT_EQ(noted(report.objects_left_out, "Node"), 2u);
  EXPECT_EQ(noted(report.objects_left_out, "Pod"), 2u);  // b and the one that is none
  EXPECT_EQ(noted(report.objects_left_out, "output of ceph"), 1u);
  EXPECT_EQ(noted(report.changed, "Pod", "StrimziPodSet"), 1u);
  EXPECT_EQ(noted(report.changed, "Pod", "being deleted"), 1u);
  EXPECT_EQ(noted(report.changed, "CronJob", "batch/v1beta1"), 1u);
  EXPECT_EQ(noted(report.made, "PriorityClass"), 2u);
  const auto world = world_after(imported->scenario, 1s);
  ASSERT_NE(world, nullptr);
  EXPECT_EQ(pods_of(*world).size(), 2u);
  const k8s::Service* service = world->api.get(world->api.find<k8s::Service>(world->names.find("default"), world->names.find("s")));
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->selector.requirements.size(), 6u);
}

TEST(Import, AsManyReasonsAsObjects) {
  std::vector<dump::Report::Note> notes;
  for (int i = 0; i < 5000; ++i) dump::Report::note(notes, "Pod", std::to_string(i), "first");
  EXPECT_EQ(notes.size(), 1001u);
  EXPECT_EQ(notes.back().count, 4000u);
  dump::Report report;
  report.objects_left_out = notes;
  EXPECT_NE(dump::report_text(report).find("and 961 more"), std::string::npos);
}

struct ShapeCase {
  std::string_view name;
  std::string text;
  std::size_t objects;
};

TEST(DumpItems, Shapes) {
  const std::string node = R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"a{]\"["}})";
  const ShapeCase cases[] = {
      {"one object", node, 1},
      {"a List", R"({"kind":"List","apiVersion":"v1","items":[)" + node + "," + node + "]}", 2},
      {"a List that says so at the end", R"({"items": [)" + node + R"(], "metadata": {"resourceVersion": ""}, "kind":"List","apiVersion":"v1"})", 1},
      {"an empty List", R"({"kind":"List","apiVersion":"v1","items":[]})", 0},
      {"a plain list", "[" + node + ", " + node + "]", 2},
      {"JSON lines", node + "\n" + node + "\n", 2},
      {"two Lists", R"({"kind":"List","items":[)" + node + R"(]}{"kind":"List","items":[)" + node + "]}", 2},
      {"a custom resource with items of its own", R"({"apiVersion":"x/v1","kind":"Basket","items":[{"a":1},{"a":2}]})", 1},
      {"a YAML List", "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Node\n  metadata:\n    name: a\n- apiVersion: v1\n  kind: Node\nkind: List\nmetadata:\n  resourceVersion: \"\"\n", 2},
      {"indented", "apiVersion: v1\nkind: List\nitems:\n  - kind: Node\n    apiVersion: v1\n  - kind: Node\n    apiVersion: v1\n", 2},
      {"documents", "---\nkind: Node\n---\nkind: Node\n---\n", 2},
      {"a List among documents", "kind: Node\n---\nkind: List\nitems:\n- kind: Node\n- kind: Node\n", 3},
      {"aliases over items", "kind: List\nitems:\n- &a\n  kind: Node\n- *a\n", 1},
      {"flow style", "{kind: List, items: [{kind: Node}, {kind: Node}]}", 1},
      {"cluster-info dump", node + "\n==== START logs for container a of pod b/c ====\n{ not json\n==== END logs for container a of pod b/c ====\n" + node + "\n", 2},
      {"nothing", " \n\n", 0},
  };
  for (const ShapeCase& c : cases) {
    SCOPED_TRACE(c.name);
    Diagnostics diagnostics;
    std::size_t objects = 0;
    dump::for_each_item("dump", c.text, diagnostics, [&](const dump::Item&) { ++objects; });
    EXPECT_EQ(objects, c.objects);
    EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
  }
}

TEST(DumpItems, PlacesAreThoseOfTheFile) {
  Diagnostics diagnostics;
  dump::for_each_item("dump.yaml", "items:\n- kind: Node\n- kind: [\nkind: List\n", diagnostics, [](const dump::Item&) {});
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_GE(diagnostics.sorted().front().line, 3u);
  Diagnostics of_json;
  dump::for_each_item("dump.json", "{\"items\": [{\"a\": 1}, {\"a\": 1, \"a\": 2}]}", of_json, [](const dump::Item&) {});
  ASSERT_TRUE(of_json.has_errors());
  EXPECT_EQ(of_json.sorted().front().line, 1u);
  EXPECT_GT(of_json.sorted().front().column, 22u);
}

// A dump that is cut off, or has a byte changed, ends in a scenario or in diagnostics, never in anything else.
TEST(Import, BrokenDumps) {
  for (const char* name : {"shop.yaml", "shop.json"}) {
    const std::string whole = file_text(name);
    for (std::size_t i = 1; i <= 60; ++i) {
      const std::size_t at = whole.size() * i / 61;
      const auto cut = import({{name, whole.substr(0, at)}});
      EXPECT_NE(cut->diagnostics.has_errors(), !cut->scenario.empty());
      std::string changed = whole;
      changed[at] = "{}[]:\"'\n\t&*-#"[i % 13];
      const auto other = import({{name, changed}});
      if (other->diagnostics.has_errors()) continue;
      Diagnostics diagnostics;
      EXPECT_NE(read_scenario_text("imported.yaml", other->scenario, {}, diagnostics), nullptr) << name << " " << at << "\n" << diagnostics.format();
    }
  }
}

}  // namespace
}  // namespace sim::scenario

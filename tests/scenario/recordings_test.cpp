#include "sim/scenario/dump/recordings.hpp"

#include <gtest/gtest.h>

#include "sim/scenario/dump/importer.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario::dump {
namespace {

using namespace std::string_literals;

struct PackCase {
  std::string_view name;
  std::string bytes;
  std::string json;  // empty: broken
};

TEST(MessagePack, Values) {
  const PackCase cases[] = {
      {"small numbers", "\x07"s, "7"},
      {"negative", "\xff"s, "-1"},
      {"16 bits", "\xcd\x01\x00"s, "256"},
      {"64 bits", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"s, "18446744073709551615"},
      {"signed", "\xd1\xff\x00"s, "-256"},
      {"a double", "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"s, "1.5"},
      {"nothing, false, true", "\x93\xc0\xc2\xc3"s, "[null,false,true]"},
      {"a string", "\xa3\x61\"\n"s, R"("a\"\u000a")"},
      {"a long string", "\xd9\x02hi"s, R"("hi")"},
      {"a map", "\x82\xa1\x61\x01\xa1\x62\x90"s, R"({"a":1,"b":[]})"},
      {"a key that is a list", "\x81\x92\xa1\x61\x01\x02"s, R"({"[\"a\",1]":2})"},
      {"cut off", "\x82\xa1\x61\x01"s, ""},
      {"a length that nobody has", "\xdd\xff\xff\xff\xff"s, ""},
      {"an extension", "\xd4\x01\x02"s, ""},
      {"something behind it", "\x01\x02"s, ""},
      {"not a number", "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"s, ""},
      {"nested for ever", std::string(500, '\x91'), ""},
      {"nothing at all", "", ""},
  };
  for (const PackCase& c : cases) {
    SCOPED_TRACE(c.name);
    std::string problem;
    EXPECT_EQ(messagepack_to_json(c.bytes, problem), c.json);
    EXPECT_EQ(problem.empty(), !c.json.empty());
  }
}

/// Packs what the tests need.
std::string text(const std::string& value) { return "\xda"s + static_cast<char>(value.size() >> 8) + static_cast<char>(value.size() & 0xff) + value; }
std::string map(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out = "\xde"s + '\0' + static_cast<char>(entries.size());
  for (const auto& [key, value] : entries) out += text(key) + value;
  return out;
}
std::string list(const std::vector<std::string>& items) {
  std::string out = "\xdc"s + '\0' + static_cast<char>(items.size());
  for (const std::string& item : items) out += item;
  return out;
}
std::string deployment(const std::string& name, int replicas) {
  const std::string labels = map({{"app", text(name)}});
  return map({{"apiVersion", text("apps/v1")}, {"kind", text("Deployment")}, {"metadata", map({{"name", text(name)}, {"namespace", text("dsb")}})},
              {"spec", map({{"replicas", std::string(1, static_cast<char>(replicas))}, {"selector", map({{"matchLabels", labels}})},
                            {"template", map({{"metadata", map({{"labels", labels}})}, {"spec", map({{"containers", list({map({{"name", text("c")}, {"image", text("x")}})})}})}})}})}});
}
std::string event(char ts, const std::vector<std::string>& applied, const std::vector<std::string>& deleted) {
  return map({{"ts", std::string(1, ts)}, {"applied_objs", list(applied)}, {"deleted_objs", list(deleted)}});
}

TEST(SimKubeTrace, BecomesObjectsAndFaults) {
  const std::string trace = map({{"version", "\x02"s}, {"config", map({})},
                                 {"events", list({event(10, {deployment("a", 2), deployment("b", 1)}, {}), event(40, {deployment("a", 5)}, {}), event(50, {deployment("late", 3)}, {}),
                                                  event(70, {}, {deployment("b", 1)})})},
                                 {"index", map({})}, {"pod_lifecycles", map({})}});
  ASSERT_TRUE(is_simkube_trace(trace));
  Diagnostics diagnostics;
  ImportOptions options;
  options.name = "trace";
  options.pools = "  worker:\n    count: 3\n";
  Importer importer(options, diagnostics);
  importer.read("a.sktrace", trace);
  const std::vector<OutputFile> files = importer.finish();
  ASSERT_EQ(files.size(), 1u) << diagnostics.format();
  Diagnostics reading;
  const auto spec = read_scenario_text("trace.yaml", files[0].content, {}, reading);
  ASSERT_NE(spec, nullptr) << reading.format() << files[0].content;
  ASSERT_EQ(spec->objects.deployments.size(), 3u);
  EXPECT_EQ(spec->objects.deployments[0].object.replicas, 2);
  EXPECT_EQ(spec->objects.deployments[2].object.replicas, 0);  // it comes later
  EXPECT_EQ(spec->faults.size(), 3u);
  EXPECT_EQ(spec->faults.find("recorded-1").find("replicas").text(), "5");
  EXPECT_EQ(spec->faults.find("recorded-1").find("at").text(), "30s");
  EXPECT_EQ(spec->faults.find("recorded-2").find("object").text(), "late");
  EXPECT_EQ(spec->faults.find("recorded-3").find("kind").text(), "object-delete");
  EXPECT_EQ(spec->run.until, std::chrono::seconds(660));
}

// Every prefix of a trace, and every byte of it changed, ends in objects or in an error.
TEST(SimKubeTrace, Broken) {
  const std::string whole = map({{"version", "\x02"s}, {"events", list({event(10, {deployment("a", 2)}, {}), event(40, {deployment("a", 5)}, {})})}});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const std::string& bytes : {whole.substr(0, i), [&] {
           std::string changed = whole;
           changed[i] = static_cast<char>(changed[i] ^ 0x91);
           return changed;
         }()}) {
      Diagnostics diagnostics;
      ImportOptions options;
      options.name = "trace";
      options.pools = "  worker:\n    count: 3\n";
      Importer importer(options, diagnostics);
      importer.read("a.sktrace", bytes);
      const bool is_empty = importer.finish().empty();
      EXPECT_EQ(is_empty, diagnostics.has_errors()) << i;
    }
  }
}

TEST(Openb, Lists) {
  Diagnostics diagnostics;
  ImportOptions options;
  options.name = "openb";
  Importer importer(options, diagnostics);
  importer.read("nodes.csv", "sn,cpu_milli,memory_mib,gpu,model\nnode-0,64000,262144,2,P100\nnode-1,96000,393216,0,\n");
  importer.read("pods.csv", "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos\npod-0,12000,16384,1,460,T4|P100,LS\npod-1,500,64,0,0,,BE\n");
  const std::vector<OutputFile> files = importer.finish();
  ASSERT_EQ(files.size(), 1u) << diagnostics.format();
  Diagnostics reading;
  const auto spec = read_scenario_text("openb.yaml", files[0].content, {}, reading);
  ASSERT_NE(spec, nullptr) << reading.format();
  ASSERT_EQ(spec->objects.pods.size(), 2u);
  EXPECT_EQ(spec->objects.pods[0].object.spec->requests.of(spec->names->find("nvidia.com/gpu")), 1);
  EXPECT_EQ(spec->objects.nodes[0].object.allocatable.of(spec->names->find("nvidia.com/gpu")), 2);
  ASSERT_EQ(spec->objects.pods[0].object.spec->affinity->required_node_terms.size(), 1u);
  EXPECT_EQ(spec->objects.pods[0].object.spec->affinity->required_node_terms[0].match_expressions[0].values.size(), 2u);
  EXPECT_EQ(importer.report().changed.size(), 1u);
  Diagnostics wrong;
  openb_to_yaml("pods.csv", "name,cpu_milli,memory_mib,num_gpu\np,1,2,3\nq,x,2,3\nr,1,2\n", wrong);
  EXPECT_EQ(wrong.error_count(), 2u);
  EXPECT_NE(wrong.format().find("pods.csv:3:1"), std::string::npos);
}

// kwokctl snapshot record: the objects, then what happened to them.
TEST(Kwok, Recording) {
  Diagnostics diagnostics;
  ImportOptions options;
  options.name = "kwok";
  Importer importer(options, diagnostics);
  importer.read("record.yaml", R"(apiVersion: v1
kind: Node
metadata: {name: n}
status: {capacity: {cpu: "4", memory: 8Gi, pods: "10"}}
---
apiVersion: action.kwok.x-k8s.io/v1alpha1
kind: ResourcePatch
resource: {group: "", version: v1, resource: pods}
target: {namespace: default, name: p}
durationNanosecond: 1000000000
method: create
template: {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: x}]}}
---
apiVersion: action.kwok.x-k8s.io/v1alpha1
kind: ResourcePatch
resource: {group: "", version: v1, resource: pods}
target: {namespace: default, name: p}
durationNanosecond: 2000000000
method: delete
)");
  ASSERT_EQ(importer.finish().size(), 1u) << diagnostics.format();
  EXPECT_EQ(importer.report().taken.at("Pod"), 1u);
  ASSERT_EQ(importer.report().changed.size(), 1u);
  ASSERT_EQ(importer.report().objects_left_out.size(), 1u);
  EXPECT_EQ(importer.report().objects_left_out[0].what, "delete of pods");
}

}  // namespace
}  // namespace sim::scenario::dump

#include "sim/scenario/schema.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

TEST(Schema, IsJsonAndKnowsEveryKey) {
  const std::string text = json_schema();
  Diagnostics diagnostics;
  const auto document = load_text("schema.json", text, diagnostics);
  ASSERT_TRUE(diagnostics.empty()) << diagnostics.format();
  const Node properties = document->root().find("properties");
  for (const char* key : {"apiVersion", "kind", "metadata", "extends", "run", "topology", "pools", "nodeDefaults", "controlPlane", "scheduler", "controllers",
                          "kubelet", "images", "behaviours", "manifests", "objects", "faults", "expect"}) {
    EXPECT_TRUE(properties.find(key)) << key;
  }
  const Node pool = properties.find("pools").find("anyOf").item(0).find("additionalProperties").find("properties");
  EXPECT_EQ(pool.find("machine").find("enum").item(1).text(), "vm");
  EXPECT_EQ(pool.find("reserved").find("properties").find("memory").find("anyOf").item(0).find("type").text(), "string");
  EXPECT_EQ(properties.find("controlPlane").find("properties").find("etcd").find("additionalProperties").as_bool(), false);
  // null takes a key away.
  EXPECT_EQ(pool.find("labels").find("type").item(1).text(), "null");
  EXPECT_TRUE(pool.find("machine").find("enum").item(2).is_null());
  EXPECT_EQ(pool.find("memory").find("anyOf").item(2).find("type").text(), "null");
  EXPECT_EQ(document->root().find("$schema").text(), "https://json-schema.org/draft/2020-12/schema");
}

TEST(Schema, TakesTheSectionsOfOtherLayers) {
  FieldInfo at;
  at.name = "at";
  at.doc = "When, with a \"quote\".";
  at.type = Codec<SimDuration>::type();
  const std::string text = json_schema({SectionSchema{"faults", {VariantInfo{"node-crash", "A node dies.", {at}}}}});
  Diagnostics diagnostics;
  const auto document = load_text("schema.json", text, diagnostics);
  ASSERT_TRUE(diagnostics.empty()) << diagnostics.format();
  const Node entry = document->root().find("properties").find("faults").find("anyOf").item(0).find("additionalProperties");
  EXPECT_EQ(entry.find("properties").find("kind").find("enum").item(0).text(), "node-crash");
  EXPECT_TRUE(entry.find("allOf").item(0).find("then").find("properties").find("at"));
}

TEST(Schema, TheReferenceIsUpToDate) {
  std::ifstream file(std::string(SQUALL_SOURCE_DIR) + "/docs/scenario.md");
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(committed, scenario_reference()) << "docs/scenario.md is made from the fields: write scenario_reference() into it";
}

TEST(Schema, TheExampleOfTheReferenceIsAScenario) {
  const std::string text = scenario_reference();
  const std::size_t begin = text.find("```yaml\n") + 8;
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("example.yaml", text.substr(begin, text.find("```", begin) - begin), {}, diagnostics);
  EXPECT_NE(spec, nullptr) << diagnostics.format();
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.format();
}

}  // namespace
}  // namespace sim::scenario

// osd dump and osd tree, as Ceph prints them, read and written again; errors with their places.
#include "sim/scenario/ceph_dumps.hpp"

#include <gtest/gtest.h>

#include "sim/models/ceph/crush/json.hpp"

namespace sim::scenario {
namespace {

using namespace ceph::crush;

OsdMap cluster() {
  CrushMap crush = CrushMap::with_default_types();
  const std::int32_t root = crush.add_bucket("default", 11);
  for (int osd = 0; osd < 4; ++osd) {
    const std::int32_t host = crush.add_bucket("host" + std::to_string(osd), 1);
    crush.insert_item(host, 0, root);
    crush.insert_device(osd, weight_from_float(1.819F), host, "hdd");
  }
  OsdMap map;
  map.set_crush(std::move(crush));
  for (int osd = 0; osd < 4; ++osd) {
    map.set_up(osd, osd != 2);
    map.set_weight(osd, osd == 1 ? 0xd999 : kWeightOne);
  }
  map.set_primary_affinity(3, 0x8000);
  Pool pool;
  pool.id = 7;
  pool.name = "a \"pool\"";
  pool.pg_num = 48;
  pool.pgp_num = 32;
  pool.applications = {"rbd"};
  map.pools[7] = pool;
  map.flags = {"noout", "norebalance"};
  map.pg_upmap_items[{7, 0x1f}] = {{0, 3}};
  map.pg_temp[{7, 2}] = {1, 0};
  map.primary_temp[{7, 2}] = 0;
  map.pg_upmap[{7, 3}] = {3, 1, 0};
  return map;
}

TEST(CephDumps, WrittenAndReadAgain) {
  const OsdMap map = cluster();
  for (const JsonStyle style : {JsonStyle::kCompact, JsonStyle::kPretty}) {
    Diagnostics diagnostics;
    const auto document = load_text("dump.json", osd_map_json(map, style), diagnostics);
    ASSERT_NE(document, nullptr);
    std::optional<OsdMap> read = read_osd_dump(document->root(), diagnostics);
    ASSERT_TRUE(read.has_value()) << diagnostics.format();
    read->set_crush(map.crush());
    EXPECT_EQ(osd_map_json(*read, style), osd_map_json(map, style));
    EXPECT_EQ(osd_tree_json(*read, style), osd_tree_json(map, style));
  }
}

TEST(CephDumps, TreeWrittenAndReadAgain) {
  const OsdMap map = cluster();
  Diagnostics diagnostics;
  const auto document = load_text("tree.json", osd_tree_json(map, JsonStyle::kCompact), diagnostics);
  const std::optional<OsdMap> read = read_osd_tree(document->root(), diagnostics);
  ASSERT_TRUE(read.has_value()) << diagnostics.format();
  EXPECT_EQ(osd_tree_json(*read, JsonStyle::kCompact), osd_tree_json(map, JsonStyle::kCompact));
  EXPECT_EQ(read->crush().bucket(-1)->weight, map.crush().bucket(-1)->weight);
}

TEST(CephDumps, ErrorsHaveTheirPlaces) {
  struct Bad {
    std::string from;
    std::string to;
    std::string message;
  };
  const Bad cases[] = {{"\"up\":1", "\"up\":2", "wrong 'up'"},
                       {"\"pg_num\":48", "\"pg_num\":0", "wrong 'pg_num'"},
                       {"\"read_tier\":-1", "\"read_tier\":3", "cache tiers are not supported"},
                       {"\"object_hash\":2", "\"object_hash\":1", "only the object hash 2"},
                       {"\"flags\":\"noout", "\"flags\":\"nooout", "unknown flag 'nooout'"},
                       {"\"pgid\":\"7.1f\"", "\"pgid\":\"7.xx\"", "wrong 'pgid'"},
                       {"\"max_osd\":4", "\"max_osd\":3", "osd.3 is not below max_osd 3"}};
  const std::string good = osd_map_json(cluster(), JsonStyle::kCompact);
  for (const Bad& bad : cases) {
    SCOPED_TRACE(bad.to);
    std::string text = good;
    ASSERT_NE(text.find(bad.from), std::string::npos);
    text.replace(text.find(bad.from), bad.from.size(), bad.to);
    Diagnostics diagnostics;
    const auto document = load_text("dump.json", text, diagnostics);
    EXPECT_FALSE(read_osd_dump(document->root(), diagnostics).has_value());
    ASSERT_GE(diagnostics.error_count(), 1U);
    EXPECT_NE(diagnostics.sorted()[0].message.find(bad.message), std::string::npos) << diagnostics.sorted()[0].message;
    EXPECT_EQ(diagnostics.sorted()[0].line, 1U);
    EXPECT_GT(diagnostics.sorted()[0].column, 1U);
  }
}

}  // namespace
}  // namespace sim::scenario

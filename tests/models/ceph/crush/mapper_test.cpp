// The forms of straw2 against each other, batches against single inputs, maps that are built against maps that are read, and the OSD map.
#include "golden.hpp"

#include "sim/models/ceph/crush/ln.hpp"
#include "sim/models/ceph/crush/mapper.hpp"
#include "sim/models/ceph/crush/osd_map.hpp"
#include "sim/models/ceph/crush/straw2.hpp"

namespace sim::ceph::crush {
namespace {

std::uint32_t next(std::uint32_t& state) {
  state = state * 1664525 + 1013904223;
  return state >> 4;
}

TEST(Straw2, WideFormsChooseAsDivisionDoes) {
  std::uint32_t state = 7;
  const std::uint32_t scales[] = {1, 3, 0x10000, 0x74000, 0x6400000, 0xffff0000};
  int different_items = 0;
  for (int bucket = 0; bucket < 3000; ++bucket) {
    const std::uint32_t size = 1 + next(state) % (bucket % 50 == 0 ? 600 : 40);
    const bool equal = next(state) % 2 == 0;
    const std::uint32_t scale = scales[next(state) % std::size(scales)];
    std::vector<std::int32_t> ids(size + kStraw2Lanes);
    std::vector<std::uint32_t> weights(size + kStraw2Lanes);
    std::vector<float> inverse(size + kStraw2Lanes, std::numeric_limits<float>::infinity());
    for (std::uint32_t i = 0; i < size; ++i) {
      ids[i] = static_cast<std::int32_t>(next(state)) - 100000;
      weights[i] = equal ? scale : next(state) % 4 == 0 ? 0 : 1 + next(state) % scale;
      if (weights[i] != 0) inverse[i] = 1.0F / static_cast<float>(weights[i]);
    }
    const Straw2View view{ids.data(), weights.data(), inverse.data(), size, equal ? scale : 0};
    for (int input = 0; input < 20; ++input) {
      const std::uint32_t x = next(state);
      const std::uint32_t r = next(state) % 60;
      const std::uint32_t want = straw2_choose(SimdLevel::kScalar)(view, x, r);
      different_items += want != 0 ? 1 : 0;
      for (const SimdLevel level : {SimdLevel::kAvx2, SimdLevel::kAvx512}) {
        if (level > best_simd_level()) continue;
        ASSERT_EQ(straw2_choose(level)(view, x, r), want) << size << " items, level " << static_cast<int>(level);
      }
    }
  }
  EXPECT_GT(different_items, 10'000);
}

TEST(Mapper, BatchesAndLevelsAgree) {
  for (const std::string& name : golden::cases()) {
    const CrushMap map = golden::map_of(golden::read(golden::part() / (name + ".map.txt")));
    const Mapper wide(map);
    const Mapper scalar(map, SimdLevel::kScalar);
    std::vector<std::uint32_t> weights(static_cast<std::size_t>(map.max_devices()), kWeightOne);
    for (std::size_t i = 0; i < weights.size(); i += 5) weights[i] = i % 2 == 0 ? 0x8000 : 0;
    std::vector<std::uint32_t> xs;
    for (std::uint32_t x = 0; x < 203; ++x) xs.push_back(x * 77777);
    for (int rule = 0; rule < map.max_rules(); ++rule) {
      for (const int replicas : {1, 3, 7, 40}) {
        std::vector<std::vector<std::int32_t>> batch;
        wide.do_rules(rule, xs, replicas, weights, wide.find_choose_args(0), batch);
        for (std::size_t i = 0; i < xs.size(); ++i) {
          std::vector<std::int32_t> one;
          scalar.do_rule(rule, xs[i], replicas, weights, 0, one);
          ASSERT_EQ(batch[i], one) << name << " rule " << rule << " x " << xs[i];
        }
      }
    }
  }
}

TEST(CrushMap, BuiltEqualsRead) {
  CrushMap built = CrushMap::with_default_types();
  const std::int32_t root = built.add_bucket("default", 11);
  for (int host = 0; host < 4; ++host) {
    const std::int32_t id = built.add_bucket("host" + std::to_string(host), 1);
    built.insert_item(id, 0, root);
    for (int disk = 0; disk < 3; ++disk) built.insert_device(host * 3 + disk, weight_from_float(1.819F), id, disk == 0 ? "ssd" : "hdd");
  }
  EXPECT_EQ(built.bucket(root)->weight, 12 * weight_from_float(1.819F));
  ASSERT_TRUE(built.rebuild_shadows());
  std::string error;
  EXPECT_EQ(built.add_replicated_rule("replicated", "default", "host", {}, &error), 0);
  EXPECT_EQ(built.add_replicated_rule("fast", "default", "host", "ssd", &error), 1);
  EXPECT_EQ(built.add_erasure_rule("ec", "default", "osd", "hdd", &error), 2);
  EXPECT_FALSE(built.add_replicated_rule("none", "defalt", "host", {}, &error).has_value());
  EXPECT_EQ(error, "root item defalt does not exist");
  EXPECT_FALSE(built.add_replicated_rule("fast", "default", "host", {}, &error).has_value());
  EXPECT_EQ(error, "rule fast exists");
  const std::string text = write_text_map(built);
  EXPECT_EQ(write_text_map(golden::map_of(text)), text);
  EXPECT_EQ(built.ancestor(5, 11), root);
  built.set_item_weight(0, 0);
  EXPECT_EQ(built.bucket(root)->weight, 11 * weight_from_float(1.819F));
  built.remove_item(11);
  EXPECT_EQ(built.max_devices(), 11);
}

OsdMap small_cluster(PoolType type) {
  CrushMap crush = CrushMap::with_default_types();
  const std::int32_t root = crush.add_bucket("default", 11);
  for (int osd = 0; osd < 6; ++osd) {
    const std::int32_t host = crush.add_bucket("host" + std::to_string(osd), 1);
    crush.insert_item(host, 0, root);
    crush.insert_device(osd, kWeightOne, host);
  }
  if (type == PoolType::kErasure) {
    crush.add_erasure_rule("rule", "default", "host");
  } else {
    crush.add_replicated_rule("rule", "default", "host");
  }
  OsdMap map;
  map.set_crush(std::move(crush));
  for (int osd = 0; osd < 6; ++osd) {
    map.set_up(osd, true);
    map.set_in(osd);
  }
  Pool pool;
  pool.id = 1;
  pool.type = type;
  map.pools[1] = pool;
  return map;
}

TEST(OsdMap, DownOsdsShiftOrLeaveHoles) {
  OsdMap map = small_cluster(PoolType::kReplicated);
  const PgMapping before = map.pg_to_up_acting(1, 5);
  ASSERT_EQ(before.up.size(), 3U);
  map.set_up(before.up[0], false);
  const PgMapping after = map.pg_to_up_acting(1, 5);
  EXPECT_EQ(after.up, (std::vector<std::int32_t>{before.up[1], before.up[2]}));
  EXPECT_EQ(after.up_primary, before.up[1]);

  OsdMap erasure = small_cluster(PoolType::kErasure);
  const PgMapping whole = erasure.pg_to_up_acting(1, 5);
  erasure.set_up(whole.up[0], false);
  EXPECT_EQ(erasure.pg_to_up_acting(1, 5).up, (std::vector<std::int32_t>{kItemNone, whole.up[1], whole.up[2]}));
  EXPECT_EQ(erasure.pg_to_up_acting(1, 5).up_primary, whole.up[1]);
}

TEST(OsdMap, ExceptionsOfPgs) {
  OsdMap map = small_cluster(PoolType::kReplicated);
  const PgId pg{1, 7};
  const std::vector<std::int32_t> up = map.pg_to_up_acting(1, 7).up;
  std::vector<std::int32_t> others;
  for (std::int32_t osd = 0; osd < 6; ++osd) {
    if (std::find(up.begin(), up.end(), osd) == up.end()) others.push_back(osd);
  }
  map.pg_upmap_items[pg] = {{up[1], others[0]}};
  EXPECT_EQ(map.pg_to_up_acting(1, 7).up, (std::vector<std::int32_t>{up[0], others[0], up[2]}));
  map.set_out(others[0]);  // an out target is not taken
  EXPECT_EQ(map.pg_to_up_acting(1, 7).up, up);
  map.pg_upmap_items.clear();
  map.pg_upmap[pg] = {others[1], up[0], up[1]};
  EXPECT_EQ(map.pg_to_up_acting(1, 7).up, (std::vector<std::int32_t>{others[1], up[0], up[1]}));
  map.pg_upmap.clear();
  map.pg_temp[pg] = {up[2], up[1]};
  const PgMapping mapping = map.pg_to_up_acting(1, 7);
  EXPECT_EQ(mapping.up, up);
  EXPECT_EQ(mapping.acting, (std::vector<std::int32_t>{up[2], up[1]}));
  EXPECT_EQ(mapping.acting_primary, up[2]);
  map.primary_temp[pg] = up[1];
  EXPECT_EQ(map.pg_to_up_acting(1, 7).acting_primary, up[1]);
  map.pg_temp.clear();
  map.primary_temp.clear();
  map.set_primary_affinity(up[0], 0);
  const PgMapping reluctant = map.pg_to_up_acting(1, 7);
  EXPECT_EQ(reluctant.up_primary, up[1]);
  EXPECT_EQ(reluctant.up, (std::vector<std::int32_t>{up[1], up[0], up[2]}));
}

TEST(OsdMap, NamesOfPgsAndFolding) {
  EXPECT_EQ((PgId{3, 0x2f}).to_string(), "3.2f");
  EXPECT_EQ(parse_pg_id("3.2f"), (PgId{3, 0x2f}));
  EXPECT_FALSE(parse_pg_id("3.2g").has_value());
  EXPECT_FALSE(parse_pg_id("32").has_value());
  EXPECT_EQ(stable_mask(1), 0U);
  EXPECT_EQ(stable_mask(96), 127U);
  EXPECT_EQ(stable_mod(0x7f, 96, stable_mask(96)), 0x3fU);
  EXPECT_EQ(stable_mod(0x5f, 96, stable_mask(96)), 0x5fU);
}

}  // namespace
}  // namespace sim::ceph::crush

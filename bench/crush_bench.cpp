// Placements per second: one rule on the map of 500 OSDs that the golden tests use, and all PGs of a cluster of 1,000 OSDs.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "sim/models/ceph/crush/osd_map.hpp"
#include "sim/models/ceph/crush/text_map.hpp"

namespace {

using namespace sim::ceph::crush;

CrushMap read_case(const std::string& name) {
  std::ifstream in(std::string(SQUALL_SOURCE_DIR) + "/tests/data/crush/" + name + ".map.txt");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::vector<TextProblem> problems;
  std::optional<CrushMap> map = read_text_map(text, problems);
  if (!map) std::abort();
  return std::move(*map);
}

/// racks x 10 hosts x 10 OSDs; with two sizes of disk when `uneven`.
CrushMap made_map(int racks, bool uneven) {
  CrushMap map = CrushMap::with_default_types();
  const std::int32_t root = map.add_bucket("default", 11);
  std::int32_t osd = 0;
  for (int rack = 0; rack < racks; ++rack) {
    const std::int32_t rack_id = map.add_bucket(fmt::format("rack{}", rack), 3);
    map.insert_item(rack_id, 0, root);
    for (int host = 0; host < 10; ++host) {
      const std::int32_t host_id = map.add_bucket(fmt::format("host{}-{}", rack, host), 1);
      map.insert_item(host_id, 0, rack_id);
      for (int disk = 0; disk < 10; ++disk, ++osd) map.insert_device(osd, uneven && disk % 3 == 0 ? 0x74000 : 0x3a000, host_id);
    }
  }
  map.add_replicated_rule("replicated", "default", "host");
  return map;
}

OsdMap cluster(CrushMap crush) {
  OsdMap map;
  const std::int32_t osds = crush.max_devices();
  map.set_crush(std::move(crush));
  for (std::int32_t osd = 0; osd < osds; ++osd) {
    map.set_up(osd, true);
    map.set_in(osd);
  }
  Pool pool;
  pool.id = 1;
  pool.name = "rbd";
  pool.pg_num = pool.pgp_num = 65536;
  map.pools[1] = pool;
  return map;
}

void BM_Case08(benchmark::State& state) {
  const SimdLevel level = static_cast<SimdLevel>(state.range(0));
  if (level > best_simd_level()) return state.SkipWithError("this processor has no such instructions");
  const CrushMap map = read_case("08-500osd-5rack");
  const Mapper mapper(map, level);
  const std::vector<std::uint32_t> weights(static_cast<std::size_t>(map.max_devices()), kWeightOne);
  std::vector<std::int32_t> out;
  std::uint32_t x = 0;
  for (auto _ : state) {
    mapper.do_rule_with(static_cast<int>(state.range(1)), x++, 3, weights, -1, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Case08)->ArgNames({"simd", "rule"})->ArgsProduct({{0, 1, 2}, {0, 1, 2}});

/// The same, many inputs at a time.
void BM_Case08Batch(benchmark::State& state) {
  const CrushMap map = read_case("08-500osd-5rack");
  const Mapper mapper(map);
  const std::vector<std::uint32_t> weights(static_cast<std::size_t>(map.max_devices()), kWeightOne);
  std::vector<std::vector<std::int32_t>> out;
  std::vector<std::uint32_t> xs(256);
  std::uint32_t x = 0;
  for (auto _ : state) {
    for (std::uint32_t& input : xs) input = x++;
    mapper.do_rules(static_cast<int>(state.range(0)), xs, 3, weights, -1, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(BM_Case08Batch)->ArgName("rule")->DenseRange(0, 2);

void BM_FullRemap1000Osds65536Pgs(benchmark::State& state) {
  const OsdMap map = cluster(made_map(10, state.range(0) != 0));
  PgMapping mapping;
  for (auto _ : state) {
    for (std::uint32_t seed = 0; seed < 65536; ++seed) map.pg_to_up_acting(PgId{1, seed}, mapping);
    benchmark::DoNotOptimize(mapping.up.data());
  }
  state.SetItemsProcessed(state.iterations() * 65536);
}
BENCHMARK(BM_FullRemap1000Osds65536Pgs)->ArgName("uneven")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void BM_ReadTextMap(benchmark::State& state) {
  const std::string text = write_text_map(made_map(10, true));
  for (auto _ : state) {
    std::vector<TextProblem> problems;
    benchmark::DoNotOptimize(read_text_map(text, problems));
  }
}
BENCHMARK(BM_ReadTextMap)->Unit(benchmark::kMillisecond);

}  // namespace

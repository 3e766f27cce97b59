// Every line of the golden data, from the text of a map to the last mapping.
#include "golden.hpp"

#include <cmath>
#include <cstdio>
#include <set>

#include "sim/models/ceph/crush/json.hpp"
#include "sim/models/ceph/crush/tool_output.hpp"

namespace sim::ceph::crush {
namespace {

std::map<std::int32_t, std::uint32_t> weights_of(const std::filesystem::path& file) {
  std::map<std::int32_t, std::uint32_t> weights;
  std::istringstream in(golden::read(file));
  int osd = 0;
  float weight = 0;
  while (in >> osd >> weight) weights[osd] = weight_from_float(weight);
  return weights;
}

/// "# weights=file rule=2 numrep=3": the value of a key.
std::string value_of(const std::string& header, const std::string& key) {
  const std::size_t at = header.find(" " + key + "=");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size() + 2;
  return header.substr(begin, header.find(' ', begin) - begin);
}

/// Runs each block of a file (a header, then lines of crushtool) and compares. The number of lines compared.
std::size_t check_blocks(const std::filesystem::path& folder, const std::string& name, const std::string& suffix, bool mappings) {
  const CrushMap map = golden::map_of(golden::read(folder / (name + ".map.txt")));
  const std::vector<std::string> lines = golden::lines(golden::read(folder / (name + suffix)));
  std::size_t compared = 0;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::string& header = lines[begin];
    EXPECT_EQ(header.substr(0, 2), "# ") << name << suffix << ":" << begin + 1;
    std::size_t end = begin + 1;
    while (end < lines.size() && lines[end][0] != '#') ++end;
    MapTest test;
    test.rule = std::stoi(value_of(header, "rule"));
    test.min_rep = test.max_rep = std::stoi(value_of(header, "numrep"));
    test.min_x = 0;
    test.max_x = mappings ? static_cast<int>(end - begin - 2) : 1023;
    // As an option it stands with a dash in front: "# pool-id=5 ...".
    if (header.starts_with("# pool-id=")) test.pool_id = std::stoi(header.substr(10));
    if (value_of(header, "weights") == "file") test.weights = weights_of(folder / (name + ".weights.txt"));
    test.show_mappings = mappings;
    test.show_utilization = test.show_statistics = test.show_bad_mappings = !mappings;
    std::string text;
    test_map(map, test, [&text](std::string_view piece) {
      text += piece;
      return true;
    });
    golden::expect_equal_lines({lines.begin() + static_cast<std::ptrdiff_t>(begin) + 1, lines.begin() + static_cast<std::ptrdiff_t>(end)}, golden::lines(text),
                               name + suffix + " " + header);
    compared += end - begin - 1;
    begin = end;
  }
  return compared;
}

TEST(CrushGolden, TextSurvivesReadingAndWriting) {
  for (const std::string& name : golden::cases()) {
    const std::string text = golden::read(golden::part() / (name + ".map.txt"));
    golden::expect_equal_lines(golden::lines(text), golden::lines(write_text_map(golden::map_of(text))), name);
    EXPECT_EQ(write_text_map(golden::map_of(text)), text) << name;
  }
}

TEST(CrushGolden, Dumps) {
  for (const std::string& name : golden::cases()) {
    const CrushMap map = golden::map_of(golden::read(golden::part() / (name + ".map.txt")));
    EXPECT_EQ(crush_map_json(map, JsonStyle::kCompact), golden::read(golden::part() / (name + ".dump.json"))) << name;
  }
}

TEST(CrushGolden, Mappings) {
  std::size_t compared = 0;
  for (const std::string& name : golden::cases()) {
    compared += check_blocks(golden::part(), name, ".mappings.txt", true);
    compared += check_blocks(golden::part(), name, ".pool5.txt", true);
  }
  EXPECT_GT(compared, 28'000U);
}

TEST(CrushGolden, Statistics) {
  for (const std::string& name : golden::cases()) EXPECT_GT(check_blocks(golden::part(), name, ".stats.txt", false), 0U);
}

TEST(CrushGolden, CompleteSet) {
  const std::filesystem::path folder = golden::whole();
  if (folder.empty()) GTEST_SKIP() << "left out: the complete golden data is not beside the repository";
  std::size_t compared = 0;
  for (const std::string& name : golden::cases()) {
    compared += check_blocks(folder, name, ".mappings.txt", true);
    compared += check_blocks(folder, name, ".pool5.txt", true);
  }
  EXPECT_GT(compared, 200'000U);
  std::printf("compared %zu lines\n", compared);
}

/// "size 3 min_size 2 ...": the number after a word.
std::uint32_t number_after(const std::string& text, const std::string& word) {
  return static_cast<std::uint32_t>(std::stoul(text.substr(text.find(" " + word + " ") + word.size() + 2)));
}

OsdMap osd_map_of(const CrushMap& crush, const std::string& pool_line) {
  OsdMap map;
  map.set_crush(crush);
  for (std::int32_t id = 0; id < crush.max_devices(); ++id) {
    map.set_up(id, true);
    map.set_in(id);
  }
  Pool pool;
  pool.id = 1;
  pool.name = "rbd";
  pool.size = number_after(pool_line, "size");
  pool.pg_num = number_after(pool_line, "pg_num");
  pool.pgp_num = number_after(pool_line, "pgp_num");
  map.pools[1] = pool;
  return map;
}

void check_pgs(const OsdMap& map, const std::vector<std::string>& want, const std::string& what) {
  std::string text;
  dump_pgs(map, 1, [&text](std::string_view piece) {
    text += piece;
    return true;
  });
  golden::expect_equal_lines(want, golden::lines(text), what);
}

/// A file of dumps: the pool's line, then headers that may mark an OSD out, each with its dump.
void check_osd_maps(const std::filesystem::path& folder, const std::string& name) {
  const CrushMap crush = golden::map_of(golden::read(folder / (name + ".map.txt")));
  const std::vector<std::string> lines = golden::lines(golden::read(folder / (name + ".osdmap.txt")));
  int dumps = 0;
  for (std::size_t begin = 1; begin < lines.size();) {
    std::size_t end = begin + 1;
    while (end < lines.size() && !lines[end].starts_with("# ")) ++end;
    OsdMap map = osd_map_of(crush, lines[0]);
    if (lines[begin].find("--mark-out") != std::string::npos) map.set_out(static_cast<std::int32_t>(number_after(lines[begin], "--mark-out")));
    check_pgs(map, {lines.begin() + static_cast<std::ptrdiff_t>(begin) + 1, lines.begin() + static_cast<std::ptrdiff_t>(end)}, name + " " + lines[begin]);
    ++dumps;
    begin = end;
  }
  EXPECT_EQ(dumps, 2) << name;
}

TEST(OsdMapGolden, PgDumps) {
  for (const char* name : {"02-12osd-4host", "04-64osd-4rack", "05-30osd-class"}) check_osd_maps(golden::part(), name);
  const std::filesystem::path folder = golden::whole();
  if (folder.empty()) GTEST_SKIP() << "left out: the dump of 500 OSDs is not beside the repository";
  check_osd_maps(folder, "08-500osd-5rack");
}

TEST(OsdMapGolden, Objects) {
  const std::string pool_line = golden::lines(golden::read(golden::part() / "02-12osd-4host.osdmap.txt"))[0];
  const OsdMap map = osd_map_of(golden::map_of(golden::read(golden::part() / "02-12osd-4host.map.txt")), pool_line);
  int compared = 0;
  for (const std::string& line : golden::lines(golden::read(golden::part() / "02-12osd-4host.objects.txt"))) {
    if (line.starts_with("#")) continue;
    const std::size_t osds = line.rfind('\t');
    const std::size_t pg = line.rfind('\t', osds - 1);
    const std::string name = line.substr(0, pg);
    EXPECT_EQ(object_line(map, *map.pool(1), name), " object '" + name + "' -> " + line.substr(pg + 1, osds - pg - 1) + " -> " + line.substr(osds + 1) + "\n");
    ++compared;
  }
  EXPECT_GE(compared, 80);
}

TEST(OsdMapGolden, Upmaps) {
  const std::string name = "04-64osd-4rack";
  const std::string pool_line = golden::lines(golden::read(golden::part() / (name + ".osdmap.txt")))[0];
  OsdMap map = osd_map_of(golden::map_of(golden::read(golden::part() / (name + ".map.txt"))), pool_line);
  for (const std::string& line : golden::lines(golden::read(golden::part() / (name + ".upmap-commands.txt")))) {
    std::istringstream in(line);
    std::string word;
    in >> word >> word;
    ASSERT_EQ(word, "osd");
    in >> word;
    ASSERT_EQ(word, "pg-upmap-items");
    in >> word;
    auto& items = map.pg_upmap_items[parse_pg_id(word).value()];
    std::int32_t from = 0;
    std::int32_t to = 0;
    while (in >> from >> to) items.emplace_back(from, to);
  }
  EXPECT_GT(map.pg_upmap_items.size(), 50U);
  std::vector<std::string> want = golden::lines(golden::read(golden::part() / (name + ".upmap-after.txt")));
  want.erase(want.begin());
  check_pgs(map, want, "upmap");
}

}  // namespace
}  // namespace sim::ceph::crush

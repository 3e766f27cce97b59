/// What crushtool and osdmaptool print, line for line.
///
/// Source:     Ceph v16.2.15 src/crush/CrushTester.cc (crushtool --test), src/tools/osdmaptool.cc (--test-map-pgs-dump-all, --test-map-object).
/// Leaves out: --simulate, --show-utilization-all, --show-choose-tries, --output-csv, --batches.
/// Checked by: tests/models/ceph/crush/golden_test.cpp; tests/crush/differential.py against the tools.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sim/models/ceph/crush/osd_map.hpp"

namespace sim::ceph::crush {

/// Receives text piece by piece; false stops.
using TextSink = std::function<bool(std::string_view)>;

/// Names as the options of crushtool --test; negative: not given.
struct MapTest {
  int min_x = -1;  // both or neither, else 0 to 1023
  int max_x = -1;
  int rule = -1;  // all
  int min_rep = -1;  // both or neither, else the rule's min_size to max_size
  int max_rep = -1;
  std::int64_t pool_id = -1;
  std::map<std::int32_t, std::uint32_t> weights;  // by device, 0 to 0x10000; the rest of the tree's devices 0x10000
  bool show_mappings = false;
  bool show_statistics = false;
  bool show_utilization = false;
  bool show_bad_mappings = false;
};

void test_map(const CrushMap& map, const MapTest& test, const TextSink& sink);

/// `osdmaptool --test-map-pgs-dump-all`, of one pool or of all.
void dump_pgs(const OsdMap& map, std::optional<std::int64_t> pool, const TextSink& sink);
/// `osdmaptool --test-map-object NAME`: " object 'NAME' -> 1.c -> [6,5,9]".
std::string object_line(const OsdMap& map, const Pool& pool, std::string_view name, std::string_view key = {}, std::string_view name_space = {});

}  // namespace sim::ceph::crush

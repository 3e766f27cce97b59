/// CRUSH maps, OSD maps and OSD trees as JSON, in the shape and with the digits of Ceph.
///
/// What this model does not know (addresses of daemons, snapshots, quotas, ...) has the value that Ceph gives to what was never set.
///
/// Source:     Ceph v16.2.15 CrushWrapper::dump (crushtool --dump), OSDMap::dump (ceph osd dump -f json), OSDTreeFormattingDumper and CrushTreeDumper.h
///             (ceph osd tree -f json), common/Formatter.cc.
/// Leaves out: dates ("0.000000"), features of clients; reading (sim/scenario/ceph_dumps.hpp).
/// Checked by: tests/models/ceph/crush/golden_test.cpp (dumps of crushtool, byte for byte); tests/crush/differential.py against crushtool and osdmaptool.
#pragma once

#include <cstdint>
#include <string>

#include "sim/models/ceph/crush/osd_map.hpp"

namespace sim::ceph::crush {

/// kCompact: "-f json", one line. kPretty: "-f json-pretty", 4 blanks a level.
enum class JsonStyle : std::uint8_t { kCompact, kPretty };

std::string crush_map_json(const CrushMap& map, JsonStyle style);
std::string osd_map_json(const OsdMap& map, JsonStyle style);
std::string osd_tree_json(const OsdMap& map, JsonStyle style);

}  // namespace sim::ceph::crush

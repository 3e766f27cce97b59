/// What a live Ceph cluster says of itself as JSON: `ceph osd dump -f json` and `ceph osd tree -f json`.
///
/// Errors are told with their places in the file. Fields that do not decide where data lies (addresses, quotas, snapshots, dates, ...) are left alone.
/// Refused by name, because placement would differ: pg_upmap_primaries (Ceph 18), cache tiers, object hashes other than rjenkins.
///
/// Source:     Ceph v16.2.15 OSDMap::dump, pg_pool_t::dump, CrushTreeDumper.h.
/// Leaves out: the order of items in buckets, ids of shadow trees and rules, which `ceph osd tree` does not tell: read `crushtool -d` for those.
/// Checked by: tests/scenario/ceph_dumps_test.cpp.
#pragma once

#include <optional>

#include "sim/models/ceph/crush/osd_map.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario {

/// Pools, OSDs, upmaps, temporary mappings, flags; the CRUSH map is to be set by the caller. Nothing when there are errors.
std::optional<ceph::crush::OsdMap> read_osd_dump(Node root, Diagnostics& diagnostics);

/// The tree as a CRUSH map with jewel tunables and no rules, and the states of its OSDs. Where items of a bucket tie exactly in a draw, another one
/// may win than in the cluster.
std::optional<ceph::crush::OsdMap> read_osd_tree(Node root, Diagnostics& diagnostics);

}  // namespace sim::scenario

/// Whose log counts, and who serves the PG: the decision at the end of peering, a plain function.
///
/// Source:     Ceph 18.2 src/osd/PeeringState.cc (find_best_info, calc_replicated_acting, calc_ec_acting, choose_async_recovery_replicated,
///             choose_acting); reference platform 2.5 (4), 2.7.
/// Leaves out: divergent entries (a write counts when every member has it, so no log holds more than was told and less than all).
/// Checked by: tests/models/ceph/peering_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/models/ceph/placement_groups/pg.hpp"

namespace sim::ceph {

struct ActingQuery {
  const std::vector<Shard>& infos;  // of every OSD that is up and answers; by OSD id
  const std::vector<int>& up;
  const std::vector<int>& acting;
  int up_primary = -1;
  int primary = -1;
  bool erasure = false;
  std::size_t size = 3;
  std::size_t min_size = 2;
  std::size_t needed = 1;             // copies that rebuild the data
  std::uint64_t log_entries = 0;      // that a log holds
  /// An up primary that misses more than this is passed over for the copy whose log counts (osd_force_auth_primary_missing_objects).
  std::uint64_t force_auth_missing = UINT64_MAX;
  std::uint64_t async_min_cost = 0;   // entries behind from which a copy recovers outside of acting; 0: never
};

struct ActingChoice {
  const Shard* authority = nullptr;
  std::vector<int> acting;
  std::vector<int> backfill;
  std::vector<int> async;
};

/// Nothing: no copy can be the authority, or too few could serve (incomplete).
std::optional<ActingChoice> choose_acting(const ActingQuery& query);
/// The copy whose log counts; null when none can.
const Shard* find_best_info(const ActingQuery& query);

}  // namespace sim::ceph

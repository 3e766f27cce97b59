#include <array>
#include <utility>

#include "sim/models/ceph/placement_groups/pg.hpp"

namespace sim::ceph {

std::string pg_state_name(std::uint32_t state) {
  static constexpr std::array<std::pair<std::uint32_t, const char*>, 22> kNames = {{{kPgStale, "stale"},
                                                                                    {kPgCreating, "creating"},
                                                                                    {kPgActive, "active"},
                                                                                    {kPgActivating, "activating"},
                                                                                    {kPgClean, "clean"},
                                                                                    {kPgRecoveryWait, "recovery_wait"},
                                                                                    {kPgRecoveryToofull, "recovery_toofull"},
                                                                                    {kPgRecovering, "recovering"},
                                                                                    {kPgDown, "down"},
                                                                                    {kPgRecoveryUnfound, "recovery_unfound"},
                                                                                    {kPgBackfillUnfound, "backfill_unfound"},
                                                                                    {kPgUndersized, "undersized"},
                                                                                    {kPgDegraded, "degraded"},
                                                                                    {kPgRemapped, "remapped"},
                                                                                    {kPgPeering, "peering"},
                                                                                    {kPgBackfillWait, "backfill_wait"},
                                                                                    {kPgBackfilling, "backfilling"},
                                                                                    {kPgBackfillToofull, "backfill_toofull"},
                                                                                    {kPgIncomplete, "incomplete"},
                                                                                    {kPgPeered, "peered"},
                                                                                    {kPgWait, "wait"},
                                                                                    {kPgUnknown, "unknown"}}};
  std::string name;
  for (const auto& [bit, text] : kNames) {
    if ((state & bit) == 0) continue;
    if (!name.empty()) name += '+';
    name += text;
  }
  return name.empty() ? "unknown" : name;
}

}  // namespace sim::ceph

/// One placement group: where it is, what each copy holds, what it is doing.
///
/// Writes are counted, not stored: a version is one write of one object. What a copy holds is every version up to last_update but those of
/// its gap (known from the log, not copied yet), and, while it is backfilled, only a share of the objects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/ceph/crush/osd_map.hpp"

namespace sim::ceph {

inline constexpr int kNoOsd = crush::kItemNone;

/// Bits of a state, in the order in which Ceph joins their names.
enum PgState : std::uint32_t {
  kPgStale = 1u << 0,
  kPgCreating = 1u << 1,
  kPgActive = 1u << 2,
  kPgActivating = 1u << 3,
  kPgClean = 1u << 4,
  kPgRecoveryWait = 1u << 5,
  kPgRecoveryToofull = 1u << 6,
  kPgRecovering = 1u << 7,
  kPgDown = 1u << 8,
  kPgRecoveryUnfound = 1u << 9,
  kPgBackfillUnfound = 1u << 10,
  kPgUndersized = 1u << 11,
  kPgDegraded = 1u << 12,
  kPgRemapped = 1u << 13,
  kPgPeering = 1u << 14,
  kPgBackfillWait = 1u << 15,
  kPgBackfilling = 1u << 16,
  kPgBackfillToofull = 1u << 17,
  kPgIncomplete = 1u << 18,
  kPgPeered = 1u << 19,
  kPgWait = 1u << 20,
  kPgUnknown = 1u << 21,
};
/// "active+undersized+degraded".
std::string pg_state_name(std::uint32_t state);

/// Versions in (low, high].
struct Gap {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// What one OSD holds of a PG.
struct Shard {
  int osd = 0;
  int slot = -1;  // of an erasure-coded PG
  std::uint64_t last_update = 0;
  std::vector<Gap> gaps;  // known from the log, not here yet; ascending, apart from each other
  double backfilled = 1.0;  // share of the objects that is here; 1: complete
  std::uint32_t last_epoch_started = 0;

  bool is_complete() const { return backfilled >= 1.0; }
  bool has_gap() const { return !gaps.empty(); }
  std::uint64_t missing() const {
    std::uint64_t versions = 0;
    for (const Gap& gap : gaps) versions += gap.high - gap.low;
    return versions;
  }
  /// It is here: known, and in no gap. (low, high] lies on one side of each end of a gap, and of last_update.
  bool holds(std::uint64_t low, std::uint64_t high) const {
    if (high > last_update) return false;
    return std::none_of(gaps.begin(), gaps.end(), [&](const Gap& gap) { return gap.low <= low && high <= gap.high; });
  }
};

/// A time with one acting set.
struct PastInterval {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::vector<int> acting;
  bool maybe_rw = false;  // could have taken writes
};

enum class PgPhase : std::uint8_t {
  kPeering,     ///< asks for infos and logs
  kWaitActing,  ///< asked for another acting set
  kWaitUpThru,  ///< asked the monitors to note that it goes active
  kActivating,
  kActive,
  kPeered,      ///< too few copies to take writes
  kDown,
  kIncomplete,
  kNoPrimary,   ///< nobody is there to say anything
};

enum class RecoveryPhase : std::uint8_t { kNone, kWaitLocal, kWaitRemote, kRunning, kTooFull, kUnfound, kHeld };

struct Pg {
  std::uint32_t index = 0;
  std::size_t pool = 0;  // index of the pool
  crush::PgId id;
  std::vector<int> raw;
  std::vector<int> up;
  std::vector<int> acting;
  int up_primary = -1;
  int primary = -1;  // of acting
  std::vector<Shard> shards;  // by OSD id, then slot
  std::vector<PastInterval> past;
  std::vector<int> interested;  // OSDs whose changes concern it, ascending
  std::uint32_t interval_since = 0;
  std::uint32_t last_epoch_started = 0;
  std::uint32_t last_epoch_clean = 0;
  std::uint64_t head = 0;   // last version that the acting set knows
  std::uint64_t acked = 0;  // last version that a client was told to be safe
  std::uint64_t lost_writes = 0;
  std::uint64_t log_length = 0;  // entries that its log keeps; 0: not active yet
  PgPhase phase = PgPhase::kPeering;
  std::uint32_t state = 0;
  std::vector<int> blocked_by;
  std::vector<int> backfill;  // OSDs of up that are filled while others act
  std::vector<int> async;     // OSDs of up that recover outside of acting
  std::uint32_t peerings = 0;
  TimerId timer{};
  SimTime readable_from{};  // wait: until the read leases of the interval before are over
  // Writes.
  bool takes_writes = false;
  SimTime writing_since{};
  double write_rest = 0.0;  // of a write
  // When states began, for the health checks.
  SimTime active_changed{};
  SimTime peering_since{};
  SimTime full_size_changed{};
  SimTime stale_since{};
  SimTime changed{};
  CauseId cause{};
  // Recovery.
  RecoveryPhase recovery = RecoveryPhase::kNone;
  bool recovery_is_backfill = false;
  std::uint32_t recovery_round = 0;

  Shard* shard(int osd, int slot) {
    for (Shard& one : shards) {
      if (one.osd == osd && one.slot == slot) return &one;
    }
    return nullptr;
  }
  const Shard* shard(int osd, int slot) const { return const_cast<Pg*>(this)->shard(osd, slot); }
  std::size_t acting_count() const {
    return static_cast<std::size_t>(std::count_if(acting.begin(), acting.end(), [](int osd) { return osd != kNoOsd; }));
  }
};

}  // namespace sim::ceph

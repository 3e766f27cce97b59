#include "sim/models/ceph/placement_groups/placement_groups.hpp"

#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/ceph/placement_groups/prior_set.hpp"
#include "sim/models/ceph/placement_groups/recovery.hpp"

namespace sim::ceph {

PlacementGroups::PlacementGroups(const Context& context, Monitors& monitors, OsdMonitor& osd_monitor, OsdDaemons& daemons, std::vector<Osd>& osds,
                                 crush::OsdMap& map)
    : context_(context), monitors_(monitors), osd_monitor_(osd_monitor), daemons_(daemons), osds_(osds), map_(map), by_osd_(osds.size()),
      pg_bytes_(osds.size(), 0.0), peering_on_(osds.size(), 0) {
  osd_monitor_.pg_id = [this](std::uint32_t pg) { return pgs_[pg].id; };
  osd_monitor_.interval_of = [this](std::uint32_t pg) { return pgs_[pg].interval_since; };
}

void PlacementGroups::charge(int osd, double bytes) {
  const auto index = static_cast<std::size_t>(osd);
  pg_bytes_[index] += bytes;
  osds_[index].pg_used = std::max<std::int64_t>(0, std::llround(pg_bytes_[index]));
  if (on_usage) on_usage(osd);
}

void PlacementGroups::add_pool(const PoolConfig& config, int rule) {
  PoolState pool;
  pool.config = config;
  pool.id = static_cast<std::int64_t>(pools_.size()) + 1;
  pool.size = static_cast<std::size_t>(config.erasure ? config.k + config.m : config.size);
  const int size = static_cast<int>(pool.size);
  const int min_size = config.min_size > 0 ? config.min_size : config.erasure ? config.k + std::min(1, config.m - 1) : size - size / 2;
  pool.min_size = static_cast<std::size_t>(min_size);
  pool.needed = static_cast<std::size_t>(config.erasure ? config.k : 1);
  pool.first_pg = static_cast<std::uint32_t>(pgs_.size());
  pool.pg_num = config.pg_num;
  crush::Pool entry;
  entry.id = pool.id;
  entry.name = config.name;
  entry.type = config.erasure ? crush::PoolType::kErasure : crush::PoolType::kReplicated;
  entry.size = static_cast<std::uint32_t>(pool.size);
  entry.min_size = static_cast<std::uint32_t>(pool.min_size);
  entry.crush_rule = rule;
  entry.pg_num = entry.pgp_num = config.pg_num;
  map_.pools[pool.id] = entry;
  pools_.push_back(pool);
  const std::size_t number = pools_.size() - 1;
  set_stored(number, config.stored_bytes);

  for (std::uint32_t seed = 0; seed < config.pg_num; ++seed) {
    Pg pg;
    pg.index = static_cast<std::uint32_t>(pgs_.size());
    pg.pool = number;
    pg.id = {pool.id, seed};
    pgs_.push_back(std::move(pg));
    Pg& made = pgs_.back();
    int raw_primary = -1;
    map_.pg_to_raw(made.id, made.raw, raw_primary);
    crush::PgMapping mapping;
    map_.pg_to_up_acting(made.id, mapping);
    made.up = mapping.up;
    made.acting = mapping.acting;
    made.up_primary = mapping.up_primary;
    made.primary = mapping.acting_primary;
    made.interval_since = made.last_epoch_started = made.last_epoch_clean = map_.epoch;
    for (std::size_t i = 0; i < made.acting.size(); ++i) {
      if (made.acting[i] == kNoOsd) continue;
      Shard& shard = ensure_shard(made, made.acting[i], config.erasure ? static_cast<int>(i) : -1);
      shard.last_epoch_started = map_.epoch;
      set_backfilled(made, shard, 1.0);
    }
    for (const int osd : made.acting) {
      if (osd != kNoOsd) osds_[static_cast<std::size_t>(osd)].up_thru = std::max(osds_[static_cast<std::size_t>(osd)].up_thru, map_.epoch);
    }
    made.active_changed = made.full_size_changed = made.changed = context_.engine.now();
    const std::size_t members = made.acting_count();
    made.phase = made.primary < 0                          ? PgPhase::kNoPrimary
                 : members >= pools_[number].min_size      ? PgPhase::kActive
                 : members >= pools_[number].needed        ? PgPhase::kPeered
                                                           : PgPhase::kIncomplete;
    if (made.primary < 0) made.state = kPgPeered | kPgStale;
    set_interested(made);
    ++states_[made.state];
    if ((made.state & kPgActive) == 0) ++pools_[number].inactive;
    ++pools_[number].blocked;
    refresh(made);
    io_changed_.clear();  // nothing to tell of a pool that begins
  }
}

void PlacementGroups::set_stored(std::size_t number, std::int64_t bytes) {
  PoolState& pool = pools_[number];
  std::vector<std::pair<int, double>> held;
  for (std::uint32_t i = 0; i < pool.pg_num && pool.first_pg + i < pgs_.size(); ++i) {
    for (const Shard& shard : pgs_[pool.first_pg + i].shards) held.emplace_back(shard.osd, shard.backfilled);
  }
  const double before = pool.shard_bytes;
  pool.config.stored_bytes = bytes;
  const double per_pg = static_cast<double>(bytes) / std::max(1u, pool.pg_num);
  pool.objects_per_pg = std::ceil(per_pg / static_cast<double>(std::max<std::int64_t>(1, pool.config.object_bytes)));
  pool.shard_bytes = per_pg / static_cast<double>(pool.needed);
  pool.object_shard_bytes = static_cast<double>(pool.config.object_bytes) / static_cast<double>(pool.needed);
  for (const auto& [osd, share] : held) charge(osd, share * (pool.shard_bytes - before));
}

Shard& PlacementGroups::ensure_shard(Pg& pg, int osd, int slot) {
  if (Shard* found = pg.shard(osd, slot)) return *found;
  Shard shard;
  shard.osd = osd;
  shard.slot = slot;
  shard.backfilled = 0.0;
  const auto place = std::upper_bound(pg.shards.begin(), pg.shards.end(), shard, [](const Shard& a, const Shard& b) { return a.osd != b.osd ? a.osd < b.osd : a.slot < b.slot; });
  return *pg.shards.insert(place, shard);
}

void PlacementGroups::set_backfilled(Pg& pg, Shard& shard, double share) {
  const double before = shard.backfilled;
  shard.backfilled = share;
  if (share != before) charge(shard.osd, (share - before) * pools_[pg.pool].shard_bytes);
}

int PlacementGroups::slot_of(const Pg& pg, int osd, const std::vector<int>& set) const {
  if (!pools_[pg.pool].config.erasure) return -1;
  const auto found = std::find(set.begin(), set.end(), osd);
  return found == set.end() ? -1 : static_cast<int>(found - set.begin());
}

std::vector<int> PlacementGroups::peers_of(int osd) const {
  std::vector<int> peers;
  for (const std::uint32_t index : pgs_of(osd)) {
    const Pg& pg = pgs_[index];
    if (std::find(pg.acting.begin(), pg.acting.end(), osd) == pg.acting.end() && std::find(pg.up.begin(), pg.up.end(), osd) == pg.up.end()) continue;
    for (const std::vector<int>* set : {&pg.up, &pg.acting}) {
      for (const int other : *set) {
        if (other != kNoOsd && other != osd) peers.push_back(other);
      }
    }
  }
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

bool PlacementGroups::reaches(int from, int to) const {
  if (!daemons_.is_responsive(from) || !daemons_.is_responsive(to)) return false;
  return from == to || context_.network.reaches(osds_[static_cast<std::size_t>(from)].host, osds_[static_cast<std::size_t>(to)].host, Plane::kCluster);
}

std::uint64_t PlacementGroups::log_entries(const Pg& pg) const { return pg.log_length > 0 ? pg.log_length : log_target(pg); }

std::uint64_t PlacementGroups::log_target(const Pg& pg) const {
  // The target of the OSD is shared by its PGs, between a floor and a ceiling.
  const OsdOptions& options = context_.config.osd;
  const std::size_t on_primary = pg.primary >= 0 ? std::max<std::size_t>(1, pgs_of(pg.primary).size()) : 1;
  return std::clamp<std::uint64_t>(options.target_pg_log_entries_per_osd / on_primary, options.min_pg_log_entries, options.max_pg_log_entries);
}

// ---- what a PG holds

double PlacementGroups::missing_objects(const PoolState& pool, std::uint64_t versions) const {
  if (versions == 0) return 0.0;
  const double objects = std::max(1.0, pool.objects_per_pg);
  // Distinct objects among so many writes, each of any object.
  const double distinct = objects * -std::expm1(static_cast<double>(versions) * std::log1p(-1.0 / (objects + 1e-9)));
  return objects <= 1.0 ? 1.0 : std::max(1.0, std::floor(distinct));
}

double PlacementGroups::degraded_objects(const Pg& pg) const {
  if (pg.primary < 0 || (pg.state & (kPgActive | kPgPeered | kPgActivating)) == 0) return 0.0;
  const PoolState& pool = pools_[pg.pool];
  double good = 0.0;
  for (std::size_t i = 0; i < pg.acting.size(); ++i) {
    if (pg.acting[i] == kNoOsd) continue;
    const Shard* shard = pg.shard(pg.acting[i], pool.config.erasure ? static_cast<int>(i) : -1);
    if (shard == nullptr) continue;
    good += pool.objects_per_pg - std::min(pool.objects_per_pg, missing_objects(pool, shard->missing()));
  }
  if (pg.acting_count() < pool.size) {
    for (const std::vector<int>* set : {&pg.backfill, &pg.async}) {
      for (const int osd : *set) {
        const Shard* shard = pg.shard(osd, slot_of(pg, osd, pg.up));
        if (shard == nullptr) continue;
        const double progress = recovery_->progress(pg, osd);
        if (shard->is_complete()) {
          good += pool.objects_per_pg - std::min(pool.objects_per_pg, missing_objects(pool, shard->missing())) * (1.0 - progress);
        } else {
          good += pool.objects_per_pg * (shard->backfilled + (1.0 - shard->backfilled) * progress);
        }
      }
    }
  }
  return std::max(0.0, static_cast<double>(pool.size) * pool.objects_per_pg - good);
}

double PlacementGroups::misplaced_objects(const Pg& pg) const {
  if (pg.primary < 0 || (pg.state & (kPgActive | kPgPeered)) == 0) return 0.0;
  const PoolState& pool = pools_[pg.pool];
  double misplaced = 0.0;
  auto spare = static_cast<double>(pg.acting_count() + pg.backfill.size()) - static_cast<double>(pool.size);
  for (const int osd : pg.backfill) {
    if (spare <= 0.0) break;
    spare -= 1.0;
    const Shard* shard = pg.shard(osd, slot_of(pg, osd, pg.up));
    const double here = shard == nullptr ? 0.0 : shard->backfilled + (1.0 - shard->backfilled) * recovery_->progress(pg, osd);
    misplaced += pool.objects_per_pg * (1.0 - here);
  }
  // Copies that serve and have no place in up, beyond those that are being replaced.
  double strays = 0.0;
  for (std::size_t i = 0; i < pg.acting.size(); ++i) {
    const int osd = pg.acting[i];
    const bool at_home = pool.config.erasure ? i < pg.up.size() && pg.up[i] == osd : std::find(pg.up.begin(), pg.up.end(), osd) != pg.up.end();
    if (osd != kNoOsd && !at_home) strays += 1.0;
  }
  const double replaced = static_cast<double>(pg.backfill.size() + pg.async.size());
  misplaced += pool.objects_per_pg * std::max(0.0, strays - replaced);
  return misplaced;
}

double PlacementGroups::unfound_objects(const Pg& pg) const {
  const PoolState& pool = pools_[pg.pool];
  // Cut all versions at every end of a gap and of a log: within a piece a copy holds all or nothing.
  std::set<std::uint64_t> cuts;
  for (const Shard& shard : pg.shards) {
    cuts.insert(shard.last_update);
    for (const Gap& gap : shard.gaps) {
      cuts.insert(gap.low);
      cuts.insert(gap.high);
    }
  }
  const std::vector<int> members = writers(pg);
  std::uint64_t unfound = 0;
  std::uint64_t low = 0;
  for (const std::uint64_t high : cuts) {
    const auto misses = [&](int osd) {
      return std::any_of(pg.shards.begin(), pg.shards.end(), [&](const Shard& shard) { return shard.osd == osd && shard.is_complete() && high <= pg.head && !shard.holds(low, high); });
    };
    if (high > low && std::any_of(members.begin(), members.end(), misses)) {
      std::set<int> holders;  // positions of an erasure-coded PG, OSDs otherwise
      for (const Shard& shard : pg.shards) {
        if (osd_monitor_.is_up(shard.osd) && shard.is_complete() && shard.holds(low, high)) holders.insert(pool.config.erasure ? shard.slot : shard.osd);
      }
      if (holders.size() < pool.needed) unfound += high - low;
    }
    low = high;
  }
  return missing_objects(pool, unfound);
}

std::vector<int> PlacementGroups::writers(const Pg& pg) const {
  std::vector<int> members;
  for (const int osd : pg.acting) {
    if (osd != kNoOsd) members.push_back(osd);
  }
  members.insert(members.end(), pg.backfill.begin(), pg.backfill.end());
  members.insert(members.end(), pg.async.begin(), pg.async.end());
  return members;
}

bool PlacementGroups::serves_writes(const Pg& pg) const {
  if (!serves_reads(pg) || pools_[pg.pool].full || osd_monitor_.has_flag("pausewr")) return false;
  for (const int osd : writers(pg)) {
    if (!reaches(pg.primary, osd)) return false;
    if (osds_[static_cast<std::size_t>(osd)].used_ratio() >= context_.config.osd.failsafe_full_ratio) return false;
  }
  return true;
}

bool PlacementGroups::serves_reads(const Pg& pg) const {
  if (pg.phase != PgPhase::kActive || pg.readable_from > context_.engine.now() || !daemons_.is_responsive(pg.primary)) return false;
  if (osd_monitor_.has_flag("pauserd")) return false;
  if (!pools_[pg.pool].config.erasure) return true;
  std::size_t there = 0;
  for (const int osd : pg.acting) {
    if (osd != kNoOsd && reaches(pg.primary, osd)) ++there;
  }
  return there >= pools_[pg.pool].needed;
}

void PlacementGroups::settle(Pg& pg) {
  const SimTime now = context_.engine.now();
  if (!pg.takes_writes) return;
  const PoolState& pool = pools_[pg.pool];
  pg.write_rest += pool.config.writes_per_second / static_cast<double>(pool.pg_num) * seconds(now - pg.writing_since);
  pg.writing_since = now;
  const auto writes = static_cast<std::uint64_t>(pg.write_rest);
  if (writes == 0) return;
  pg.write_rest -= static_cast<double>(writes);
  pg.head += writes;
  pg.acked = std::max(pg.acked, pg.head);
  for (const int osd : writers(pg)) {
    for (Shard& shard : pg.shards) {
      if (shard.osd == osd && shard.last_update + writes == pg.head) shard.last_update = pg.head;
    }
  }
}

// ---- the map

void PlacementGroups::set_interested(Pg& pg) {
  std::set<int> wanted;
  for (const std::vector<int>* set : {&pg.raw, &pg.up, &pg.acting}) wanted.insert(set->begin(), set->end());
  for (const PastInterval& interval : pg.past) wanted.insert(interval.acting.begin(), interval.acting.end());
  for (const Shard& shard : pg.shards) wanted.insert(shard.osd);
  wanted.erase(kNoOsd);
  std::vector<int> now(wanted.begin(), wanted.end());
  if (now == pg.interested) return;
  for (const int osd : pg.interested) {
    if (!wanted.contains(osd)) std::erase(by_osd_[static_cast<std::size_t>(osd)], pg.index);
  }
  for (const int osd : now) {
    if (!std::binary_search(pg.interested.begin(), pg.interested.end(), osd)) by_osd_[static_cast<std::size_t>(osd)].push_back(pg.index);
  }
  pg.interested = std::move(now);
}

void PlacementGroups::epoch_changed(const EpochChange& change) {
  std::vector<std::uint32_t> affected = change.pgs;
  const bool raw = change.weights || !change.went_out.empty();
  if (change.weights) {
    affected.resize(pgs_.size());
    for (std::uint32_t i = 0; i < affected.size(); ++i) affected[i] = i;
  } else {
    for (const std::vector<int>* set : {&change.osds, &change.went_out}) {
      for (const int osd : *set) affected.insert(affected.end(), pgs_of(osd).begin(), pgs_of(osd).end());
    }
    std::sort(affected.begin(), affected.end());
    affected.erase(std::unique(affected.begin(), affected.end()), affected.end());
  }
  // Whose consequence a PG's new interval is: the last of the changed OSDs that concerns it.
  for (const std::uint32_t index : affected) {
    Pg& pg = pgs_[index];
    CauseId why = context_.engine.cause();
    bool concerned = false;
    for (const std::vector<int>* set : {&change.osds, &change.went_out}) {
      for (const int osd : *set) {
        if (!std::binary_search(pg.interested.begin(), pg.interested.end(), osd)) continue;
        why = osds_[static_cast<std::size_t>(osd)].map_cause;
        concerned = true;
      }
    }
    if (!concerned && !change.pgs.empty() && pg.cause) why = pg.cause;
    const ScopedCause because(context_.engine, why);
    map_pg(pg, raw, !change.osds.empty());
  }
  if (!change.up_thru.empty()) {
    std::vector<std::uint32_t> waiting = std::move(wait_up_thru_);
    wait_up_thru_.clear();
    for (const std::uint32_t index : waiting) {
      Pg& pg = pgs_[index];
      if (pg.phase != PgPhase::kWaitUpThru) continue;
      const ScopedCause because(context_.engine, pg.cause);
      wait_up_thru(pg);
    }
  }
  if (change.flags) flags_changed();
}

void PlacementGroups::map_pg(Pg& pg, bool raw_may_change, bool recheck) {
  if (raw_may_change) {
    int raw_primary = -1;
    const std::vector<int> before = pg.raw;
    map_.pg_to_raw(pg.id, pg.raw, raw_primary);
    if (pg.raw == before && !recheck && pg.acting == pg.up && !map_.pg_temp.contains(pg.id)) {
      // Same OSDs, none of which went up or down, and no exception that came or went.
      return;
    }
  }
  crush::PgMapping mapping;
  map_.pg_to_up_acting(pg.id, mapping);
  if (mapping.up != pg.up || mapping.acting != pg.acting || mapping.up_primary != pg.up_primary || mapping.acting_primary != pg.primary) {
    new_interval(pg, mapping);
    return;
  }
  if (raw_may_change) set_interested(pg);
  if (pg.phase == PgPhase::kWaitActing) {
    // It was granted, but a member that went down meanwhile makes it what it was: choose again.
    begin_peering(pg, SimDuration::zero());
    return;
  }
  if (!recheck) return;
  switch (pg.phase) {
    case PgPhase::kPeering:
      if (context_.engine.is_pending(pg.timer)) break;
      [[fallthrough]];
    case PgPhase::kDown:
    case PgPhase::kIncomplete: begin_peering(pg, SimDuration::zero()); break;
    case PgPhase::kActive:
    case PgPhase::kPeered:
      if (pg.recovery == RecoveryPhase::kUnfound) {
        plan_recovery(pg);
        refresh(pg);
      }
      break;
    default: break;
  }
}

void PlacementGroups::new_interval(Pg& pg, const crush::PgMapping& mapping) {
  settle(pg);
  recovery_->stop(pg);
  const PoolState& pool = pools_[pg.pool];
  PastInterval past;
  past.first = pg.interval_since;
  past.last = map_.epoch - 1;
  past.acting = pg.acting;
  past.maybe_rw = pg.primary >= 0 && pg.acting_count() >= pool.min_size &&
                  (osds_[static_cast<std::size_t>(pg.primary)].up_thru >= pg.interval_since || (pg.last_epoch_clean >= past.first && pg.last_epoch_clean <= past.last));
  if (past.last >= past.first && pg.primary >= 0) pg.past.push_back(std::move(past));
  if (pg.acting != mapping.acting || pg.up != mapping.up) pg.cause = context_.engine.cause() ? context_.engine.cause() : pg.cause;
  pg.up = mapping.up;
  pg.acting = mapping.acting;
  pg.up_primary = mapping.up_primary;
  pg.primary = mapping.acting_primary;
  pg.interval_since = map_.epoch;
  pg.blocked_by.clear();
  pg.backfill.clear();
  pg.async.clear();
  pg.readable_from = SimTime{};
  set_interested(pg);
  if (pg.primary < 0) {
    context_.engine.cancel(std::exchange(pg.timer, TimerId{}));
    set_phase(pg, PgPhase::kNoPrimary);
    return;
  }
  const OsdOptions& options = context_.config.osd;
  const SimDuration time = context_.draw(options.peering, "ceph/peering", fmt::format("{}#{}", pg.id.to_string(), ++pg.peerings)) +
                           options.peering_per_pg * peering_on_[static_cast<std::size_t>(pg.primary)];
  begin_peering(pg, time);
}

// ---- peering

void PlacementGroups::set_phase(Pg& pg, PgPhase phase) {
  pg.phase = phase;
  refresh(pg);
}

void PlacementGroups::begin_peering(Pg& pg, SimDuration delay) {
  context_.engine.cancel(pg.timer);
  const int primary = pg.primary;
  ++peering_on_[static_cast<std::size_t>(primary)];
  const std::uint32_t index = pg.index;
  const std::uint32_t since = pg.interval_since;
  // A counter, not a reference: the PG can be elsewhere by then.
  context_.engine.after(delay, [this, primary] { --peering_on_[static_cast<std::size_t>(primary)]; });
  pg.timer = context_.engine.after(delay, [this, index, since] {
    Pg& self = pgs_[index];
    self.timer = TimerId{};
    if (self.interval_since == since) get_info(self);
  });
  set_phase(pg, PgPhase::kPeering);
}

std::vector<Shard> PlacementGroups::infos(const Pg& pg) const {
  std::vector<Shard> found;
  for (const Shard& shard : pg.shards) {
    if (osd_monitor_.is_up(shard.osd) && reaches(pg.primary, shard.osd)) found.push_back(shard);
  }
  return found;
}

ActingQuery PlacementGroups::query(const Pg& pg, const std::vector<Shard>& found) const {
  const PoolState& pool = pools_[pg.pool];
  return {.infos = found,
          .up = pg.up,
          .acting = pg.acting,
          .up_primary = pg.up_primary,
          .primary = pg.primary,
          .erasure = pool.config.erasure,
          .size = pool.size,
          .min_size = pool.min_size,
          .needed = pool.needed,
          .log_entries = log_entries(pg),
          .force_auth_missing = context_.config.osd.force_auth_primary_missing_objects,
          .async_min_cost = context_.config.osd.async_recovery_min_cost};
}

void PlacementGroups::get_info(Pg& pg) {
  const PoolState& pool = pools_[pg.pool];
  const PriorSet prior = prior_set(
      pg, pool.needed, [this](int osd) { return osd_monitor_.is_up(osd); }, [this](int osd) { return osds_[static_cast<std::size_t>(osd)].lost_at; });
  pg.blocked_by = prior.blocked_by;
  if (prior.pg_down) {
    std::string who;
    for (const int osd : prior.blocked_by) who += fmt::format("{}osd.{}", who.empty() ? "" : ", ", osd);
    const CauseId cause = context_.log.record("PgDown", fmt::format("pg/{}", pg.id.to_string()),
                                              fmt::format("pg {} is down: {} may hold writes that nobody else has", pg.id.to_string(), who));
    for (const int osd : prior.blocked_by) context_.log.also_caused_by(cause, osds_[static_cast<std::size_t>(osd)].map_cause);
    const ScopedCause because(context_.engine, cause);
    set_phase(pg, PgPhase::kDown);
    return;
  }
  for (const int osd : prior.probe) {
    if (osd_monitor_.is_up(osd) && !reaches(pg.primary, osd)) pg.blocked_by.push_back(osd);
  }
  if (!pg.blocked_by.empty()) {
    // It waits for an answer that does not come; the next change of the map, or of whom it waits for, goes on.
    set_phase(pg, PgPhase::kPeering);
    return;
  }
  const std::vector<Shard> found = infos(pg);
  const std::optional<ActingChoice> choice = choose_acting(query(pg, found));
  if (!choice) {
    // Is what is missing anywhere, be it on an OSD that is down?
    std::size_t left = 0;
    std::uint64_t best = 0;
    for (const Shard& shard : pg.shards) {
      const bool lost = osds_[static_cast<std::size_t>(shard.osd)].lost_at > 0;
      if (shard.is_complete() && !lost) ++left;
      if (shard.is_complete() && !lost) best = std::max(best, shard.last_update);
    }
    const bool gone = left < pool.needed;
    const CauseId cause = context_.log.record(
        gone ? "PgDataLost" : "PgIncomplete", fmt::format("pg/{}", pg.id.to_string()),
        gone ? fmt::format("pg {} is incomplete: no copy of its {:.0f} objects is left", pg.id.to_string(), pool.objects_per_pg)
             : fmt::format("pg {} is incomplete: too few copies with its newest writes are up", pg.id.to_string()));
    const ScopedCause because(context_.engine, cause);
    set_phase(pg, PgPhase::kIncomplete);
    return;
  }
  if (choice->acting != pg.acting) {
    MapRequest request{.kind = MapRequest::Kind::kPgTemp, .osd = pg.primary, .pg = pg.index, .epoch = pg.interval_since};
    if (choice->acting != pg.up) request.osds = choice->acting;
    if (request.osds.empty() && !map_.pg_temp.contains(pg.id)) {
      // acting is up already, but for OSDs that went down: it will do.
    } else {
      osd_monitor_.request(std::move(request));
      set_phase(pg, PgPhase::kWaitActing);
      return;
    }
  }
  pg.backfill = choice->backfill;
  pg.async = choice->async;
  wait_up_thru(pg);
}

void PlacementGroups::wait_up_thru(Pg& pg) {
  const Osd& primary = osds_[static_cast<std::size_t>(pg.primary)];
  if (primary.up_thru < pg.interval_since) {
    wait_up_thru_.push_back(pg.index);
    set_phase(pg, PgPhase::kWaitUpThru);
    osd_monitor_.request({.kind = MapRequest::Kind::kUpThru, .osd = pg.primary, .epoch = pg.interval_since});
    return;
  }
  const std::uint32_t index = pg.index;
  const std::uint32_t since = pg.interval_since;
  context_.engine.cancel(pg.timer);
  pg.timer = context_.engine.after(context_.config.osd.activate, [this, index, since] {
    Pg& self = pgs_[index];
    self.timer = TimerId{};
    if (self.interval_since == since) activate(self);
  });
  set_phase(pg, PgPhase::kActivating);
}

void PlacementGroups::catch_up(Shard& shard, std::uint64_t head) const {
  if (shard.last_update > head) {  // rolled back
    shard.last_update = head;
    for (Gap& gap : shard.gaps) gap = {std::min(gap.low, head), std::min(gap.high, head)};
    std::erase_if(shard.gaps, [](const Gap& gap) { return gap.low == gap.high; });
  }
  if (shard.last_update < head) {
    if (shard.has_gap() && shard.gaps.back().high == shard.last_update) {
      shard.gaps.back().high = head;
    } else {
      shard.gaps.push_back({shard.last_update, head});
    }
    shard.last_update = head;
  }
}

void PlacementGroups::activate(Pg& pg) {
  for (const int osd : writers(pg)) {
    if (!reaches(pg.primary, osd)) return;  // it says nothing; the map will change, or it answers again
  }
  const std::vector<Shard> found = infos(pg);
  const Shard* authority = find_best_info(query(pg, found));
  if (authority == nullptr) {
    begin_peering(pg, SimDuration::zero());
    return;
  }
  const PoolState& pool = pools_[pg.pool];
  const std::uint64_t head = authority->last_update;
  const std::uint64_t reach = log_entries(pg);
  pg.log_length = log_target(pg);  // from now on the new primary trims
  pg.head = head;
  if (pg.acked > head) {
    const std::uint64_t lost = pg.acked - head;
    pg.lost_writes += lost;
    pg.acked = head;
    const CauseId cause = context_.log.record("PgWritesLost", fmt::format("pg/{}", pg.id.to_string()),
                                              fmt::format("pg {} lost {} writes that clients were told to be safe", pg.id.to_string(), lost));
    if (pg.cause) context_.log.also_caused_by(cause, pg.cause);
  }
  const bool writeable = pg.acting_count() >= pool.min_size;
  for (std::size_t i = 0; i < pg.acting.size(); ++i) {
    if (pg.acting[i] == kNoOsd) continue;
    Shard& shard = ensure_shard(pg, pg.acting[i], pool.config.erasure ? static_cast<int>(i) : -1);
    catch_up(shard, head);
    if (writeable) shard.last_epoch_started = map_.epoch;
  }
  for (const int osd : pg.backfill) {
    Shard& shard = ensure_shard(pg, osd, slot_of(pg, osd, pg.up));
    if (shard.is_complete() || shard.last_update + reach < head) set_backfilled(pg, shard, 0.0);
    shard.last_update = head;
    shard.gaps.clear();
    if (writeable) shard.last_epoch_started = map_.epoch;
  }
  for (const int osd : pg.async) {
    Shard& shard = ensure_shard(pg, osd, slot_of(pg, osd, pg.up));
    catch_up(shard, head);
    if (writeable) shard.last_epoch_started = map_.epoch;
  }
  if (writeable) {
    // Reads wait for the leases of members that may not know yet that they are out: not of those known to be dead, nor of those that answer.
    const SimDuration lease = from_seconds(context_.config.osd.read_lease_ratio * seconds(context_.config.osd.heartbeat_grace));
    if (!pg.past.empty()) {
      for (const int osd : pg.past.back().acting) {
        if (osd == kNoOsd || osd_monitor_.is_up(osd)) continue;
        const Osd& gone = osds_[static_cast<std::size_t>(osd)];
        if (gone.known_dead || reaches(pg.primary, osd)) continue;
        const SimTime last = gone.answers_pings ? gone.down_stamp : std::min(gone.silent_since, gone.down_stamp);
        pg.readable_from = std::max(pg.readable_from, last + lease);
      }
    }
    pg.last_epoch_started = map_.epoch;
    if (pg.readable_from > context_.engine.now()) {
      const std::uint32_t index = pg.index;
      const std::uint32_t since = pg.interval_since;
      context_.engine.at(pg.readable_from, [this, index, since] {
        if (pgs_[index].interval_since == since) refresh(pgs_[index]);
      });
    }
  }
  pg.phase = writeable ? PgPhase::kActive : PgPhase::kPeered;
  set_interested(pg);
  if (!writeable && (pg.state & kPgPeered) == 0) {
    const CauseId cause = context_.log.record("PgInactive", fmt::format("pg/{}", pg.id.to_string()),
                                              fmt::format("pg {} takes no I/O: {} of {} copies, min_size is {}", pg.id.to_string(), pg.acting_count(), pool.size, pool.min_size));
    const ScopedCause because(context_.engine, cause);
    plan_recovery(pg);
    refresh(pg);
    return;
  }
  plan_recovery(pg);
  refresh(pg);
}

void PlacementGroups::plan_recovery(Pg& pg) {
  const PoolState& pool = pools_[pg.pool];
  bool gaps = false;
  for (const int osd : writers(pg)) {
    const bool has_copy = std::any_of(pg.shards.begin(), pg.shards.end(), [osd](const Shard& shard) { return shard.osd == osd; });
    if (!has_copy) {
      // Its disk failed just now: the map will say so, and all begins anew.
      recovery_->stop(pg);
      return;
    }
    for (const Shard& shard : pg.shards) gaps = gaps || (shard.osd == osd && shard.has_gap());
  }
  if (gaps) {
    const double unfound = unfound_objects(pg);
    if (unfound > 0.0) {
      recovery_->stop(pg);
      if (pg.recovery != RecoveryPhase::kUnfound) {
        context_.log.record("PgUnfound", fmt::format("pg/{}", pg.id.to_string()), fmt::format("pg {}: no OSD that is up holds the newest version of {:.0f} objects", pg.id.to_string(), unfound));
      }
      pg.recovery = RecoveryPhase::kUnfound;
      return;
    }
    recovery_->start(pg, false);
    return;
  }
  const bool filling = std::any_of(pg.backfill.begin(), pg.backfill.end(), [&](int osd) {
    const Shard* shard = pg.shard(osd, slot_of(pg, osd, pg.up));
    return shard == nullptr || !shard->is_complete();
  });
  if (filling) {
    recovery_->start(pg, true);
    return;
  }
  recovery_->stop(pg);
  if (pg.acting != pg.up) {
    // All of up is complete: the exception is over. But where CRUSH finds fewer members than the pool has copies, and a former one that is up holds
    // the data still, the PG goes on with that one, for as long as the map is so.
    const std::vector<Shard> found = infos(pg);
    const std::optional<ActingChoice> choice = choose_acting(query(pg, found));
    if (!choice || choice->acting != pg.acting) {
      MapRequest request{.kind = MapRequest::Kind::kPgTemp, .osd = pg.primary, .pg = pg.index, .epoch = pg.interval_since};
      if (choice && choice->acting != pg.up) request.osds = choice->acting;
      osd_monitor_.request(std::move(request));
      return;
    }
  }
  if (pg.acting_count() == pool.size && pg.phase == PgPhase::kActive) mark_clean(pg);
}

void PlacementGroups::recovered(Pg& pg) {
  plan_recovery(pg);
  refresh(pg);
}

void PlacementGroups::mark_clean(Pg& pg) {
  pg.last_epoch_clean = map_.epoch;
  pg.past.clear();
  // Members of older intervals throw their copies away; one that is down does so when it comes back, which it does with old data only.
  for (std::size_t i = 0; i < pg.shards.size();) {
    Shard& shard = pg.shards[i];
    // An OSD can act at several positions of an erasure-coded PG.
    const bool acts = shard.slot < 0 ? std::find(pg.acting.begin(), pg.acting.end(), shard.osd) != pg.acting.end()
                                     : pg.acting[static_cast<std::size_t>(shard.slot)] == shard.osd;
    if (acts) {
      ++i;
      continue;
    }
    set_backfilled(pg, shard, 0.0);
    pg.shards.erase(pg.shards.begin() + static_cast<std::ptrdiff_t>(i));
  }
  set_interested(pg);
}

// ---- states

std::uint32_t PlacementGroups::state_of(const Pg& pg) const {
  const PoolState& pool = pools_[pg.pool];
  std::uint32_t state = 0;
  const bool remapped = pg.acting != pg.up;
  switch (pg.phase) {
    case PgPhase::kPeering:
    case PgPhase::kWaitActing:
    case PgPhase::kWaitUpThru: return kPgPeering | (remapped ? kPgRemapped : 0u);
    case PgPhase::kDown: return kPgDown | (remapped ? kPgRemapped : 0u);
    case PgPhase::kIncomplete: return kPgIncomplete | (remapped ? kPgRemapped : 0u);
    case PgPhase::kNoPrimary: return (pg.state == 0 ? kPgPeered : pg.state) | kPgStale;
    case PgPhase::kActivating: state = kPgActivating; break;
    case PgPhase::kActive: state = kPgActive | (pg.readable_from > context_.engine.now() ? kPgWait : 0u); break;
    case PgPhase::kPeered: state = kPgPeered; break;
  }
  if (remapped) state |= kPgRemapped;
  if (pg.acting_count() < pool.size) state |= kPgUndersized;
  bool gap = false;
  for (const int osd : writers(pg)) {
    for (const Shard& shard : pg.shards) gap = gap || (shard.osd == osd && shard.has_gap());
  }
  if (pool.objects_per_pg > 0.0 && (gap || pg.acting_count() < pool.size)) state |= kPgDegraded;
  const bool backfill = pg.recovery_is_backfill;
  switch (pg.recovery) {
    case RecoveryPhase::kNone: break;
    case RecoveryPhase::kHeld:
    case RecoveryPhase::kWaitLocal:
    case RecoveryPhase::kWaitRemote: state |= backfill ? kPgBackfillWait : kPgRecoveryWait; break;
    case RecoveryPhase::kRunning: state |= backfill ? kPgBackfilling : kPgRecovering; break;
    case RecoveryPhase::kTooFull: state |= backfill ? kPgBackfillWait | kPgBackfillToofull : kPgRecoveryWait | kPgRecoveryToofull; break;
    case RecoveryPhase::kUnfound: state |= kPgRecoveryUnfound; break;
  }
  bool whole = true;
  for (std::size_t i = 0; i < pg.acting.size(); ++i) {
    const Shard* shard = pg.acting[i] == kNoOsd ? nullptr : pg.shard(pg.acting[i], pool.config.erasure ? static_cast<int>(i) : -1);
    whole = whole && shard != nullptr && shard->is_complete() && !shard->has_gap();
  }
  if (pg.phase == PgPhase::kActive && whole && pg.acting_count() == pool.size && pg.past.empty()) state |= kPgClean;
  return state;
}

void PlacementGroups::refresh(Pg& pg) {
  PoolState& pool = pools_[pg.pool];
  const SimTime now = context_.engine.now();
  const std::uint32_t before = pg.state;
  const std::uint32_t after = state_of(pg);
  const bool was_active = is_active(pg);
  if (after != before) {
    pg.state = after;
    pg.changed = now;
    const auto counted = states_.find(before);
    if (--counted->second == 0) states_.erase(counted);
    ++states_[after];
    if (((before ^ after) & kPgActive) != 0) pg.active_changed = now;
    if (((before ^ after) & kPgPeering) != 0) pg.peering_since = now;
    if (((before ^ after) & kPgUndersized) != 0) pg.full_size_changed = now;
    if (((before ^ after) & kPgStale) != 0) pg.stale_since = now;
    const bool active_now = is_active(pg);
    if (was_active && !active_now) ++pool.inactive;
    if (!was_active && active_now) --pool.inactive;
  }
  const bool serves = serves_writes(pg);
  if (serves != pg.takes_writes) {
    settle(pg);
    pg.takes_writes = serves;
    pg.writing_since = now;
    serves ? --pool.blocked : ++pool.blocked;
    io_changed_.push_back(pg.index);
    if (!context_.engine.is_pending(io_timer_)) io_timer_ = context_.engine.after(SimDuration::zero(), [this] { tell_io(); });
  }
  if (after != before) {
    for (std::size_t i = 0; i < state_listeners_.size(); ++i) state_listeners_[i](pg, before);
  }
}

void PlacementGroups::tell_io() {
  std::vector<std::uint32_t> changed = std::move(io_changed_);
  io_changed_.clear();
  std::vector<CauseId> causes(pools_.size(), context_.engine.cause());
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    PoolState& pool = pools_[i];
    const bool blocked = pool.blocked > 0;
    if (blocked == pool.told_blocked) continue;
    pool.told_blocked = blocked;
    causes[i] = blocked ? context_.log.record("PoolIoBlocked", fmt::format("pool/{}", pool.config.name),
                                              fmt::format("{} of {} PGs of pool {} answer no writes", pool.blocked, pool.pg_num, pool.config.name))
                        : context_.log.record("PoolIoRestored", fmt::format("pool/{}", pool.config.name), fmt::format("all PGs of pool {} answer writes again", pool.config.name));
  }
  for (const std::uint32_t index : changed) {
    const Pg& pg = pgs_[index];
    const ScopedCause because(context_.engine, causes[pg.pool]);
    for (std::size_t i = 0; i < io_listeners_.size(); ++i) io_listeners_[i](pg, pg.takes_writes);
  }
}

void PlacementGroups::answers_changed(const std::vector<int>& osds) {
  std::vector<std::uint32_t> affected;
  if (osds.empty()) {
    affected.resize(pgs_.size());
    for (std::uint32_t i = 0; i < affected.size(); ++i) affected[i] = i;
  } else {
    for (const int osd : osds) affected.insert(affected.end(), pgs_of(osd).begin(), pgs_of(osd).end());
    std::sort(affected.begin(), affected.end());
    affected.erase(std::unique(affected.begin(), affected.end()), affected.end());
  }
  for (const std::uint32_t index : affected) {
    Pg& pg = pgs_[index];
    // A daemon that stopped just now explains more than what stopped it.
    CauseId why = context_.engine.cause();
    for (const int osd : osds) {
      const CauseId cause = osds_[static_cast<std::size_t>(osd)].cause;
      const bool concerned = std::binary_search(pg.interested.begin(), pg.interested.end(), osd);
      if (concerned && cause && context_.log.at(cause).time == context_.engine.now()) why = cause;
    }
    const ScopedCause because(context_.engine, why);
    if (context_.engine.is_pending(pg.timer)) {
      refresh(pg);
      continue;
    }
    if ((pg.phase == PgPhase::kPeering && !pg.blocked_by.empty()) || pg.phase == PgPhase::kIncomplete) {
      begin_peering(pg, SimDuration::zero());
    } else if (pg.phase == PgPhase::kActivating) {
      wait_up_thru(pg);
    } else {
      refresh(pg);
    }
  }
}

void PlacementGroups::data_lost(int osd) {
  const std::vector<std::uint32_t> affected = pgs_of(osd);
  for (const std::uint32_t index : affected) {
    Pg& pg = pgs_[index];
    settle(pg);
    bool held = false;
    for (std::size_t i = 0; i < pg.shards.size();) {
      if (pg.shards[i].osd != osd) {
        ++i;
        continue;
      }
      held = true;
      set_backfilled(pg, pg.shards[i], 0.0);
      pg.shards.erase(pg.shards.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (!held) continue;
    const bool left = std::any_of(pg.shards.begin(), pg.shards.end(), [](const Shard& shard) { return shard.is_complete(); });
    if (!left) {
      context_.log.record("PgDataLost", fmt::format("pg/{}", pg.id.to_string()),
                          fmt::format("the last copy of pg {} is gone, with {:.0f} objects", pg.id.to_string(), pools_[pg.pool].objects_per_pg));
    }
    refresh(pg);
  }
}

void PlacementGroups::flags_changed() {
  recovery_->flags_changed();
  for (Pg& pg : pgs_) {
    if (serves_writes(pg) != pg.takes_writes) refresh(pg);
  }
}

bool PlacementGroups::give_up_unfound(std::uint32_t index) {
  Pg& pg = pgs_[index];
  if (pg.recovery != RecoveryPhase::kUnfound) return false;
  settle(pg);
  // The older version of each object is taken for the newest: every gap that nobody can fill is closed.
  std::uint64_t lost = 0;
  for (Shard& shard : pg.shards) lost = std::max(lost, shard.missing());
  for (Shard& shard : pg.shards) shard.gaps.clear();
  pg.lost_writes += lost;
  context_.log.record("PgWritesLost", fmt::format("pg/{}", pg.id.to_string()), fmt::format("pg {}: {} writes were given up by hand", pg.id.to_string(), lost));
  pg.recovery = RecoveryPhase::kNone;
  plan_recovery(pg);
  refresh(pg);
  return true;
}

bool PlacementGroups::force_create(std::uint32_t index) {
  Pg& pg = pgs_[index];
  if (pg.phase != PgPhase::kIncomplete || pg.primary < 0) return false;
  const PoolState& pool = pools_[pg.pool];
  pg.lost_writes += pg.acked;
  pg.acked = pg.head = 0;
  for (Shard& shard : pg.shards) set_backfilled(pg, shard, 0.0);
  pg.shards.clear();
  pg.past.clear();
  context_.log.record("PgForceCreated", fmt::format("pg/{}", pg.id.to_string()), fmt::format("pg {} was created anew, empty", pg.id.to_string()));
  for (std::size_t i = 0; i < pg.up.size(); ++i) {
    if (pg.up[i] == kNoOsd) continue;
    Shard& shard = ensure_shard(pg, pg.up[i], pool.config.erasure ? static_cast<int>(i) : -1);
    shard.last_epoch_started = map_.epoch;
    set_backfilled(pg, shard, 1.0);
  }
  begin_peering(pg, SimDuration::zero());
  return true;
}

}  // namespace sim::ceph

#include "sim/models/ceph/placement_groups/choose_acting.hpp"

#include <algorithm>

namespace sim::ceph {

namespace {

bool contains(const std::vector<int>& set, int osd) { return std::find(set.begin(), set.end(), osd) != set.end(); }

const Shard* find(const ActingQuery& query, int osd, int slot) {
  for (const Shard& info : query.infos) {
    if (info.osd == osd && info.slot == slot) return &info;
  }
  return nullptr;
}

/// Its log reaches back far enough to be brought up to date by the authority's.
bool log_reaches(const ActingQuery& query, const Shard& info, const Shard& authority) {
  return info.last_update + query.log_entries >= authority.last_update;
}

bool usable(const ActingQuery& query, const Shard* info, const Shard& authority) {
  return info != nullptr && info->is_complete() && log_reaches(query, *info, authority);
}

void choose_replicated(const ActingQuery& query, ActingChoice& choice) {
  const Shard& authority = *choice.authority;
  int primary = authority.osd;
  const Shard* up_primary = query.up_primary >= 0 ? find(query, query.up_primary, -1) : nullptr;
  if (usable(query, up_primary, authority)) {
    const std::uint64_t behind = authority.last_update > up_primary->last_update ? authority.last_update - up_primary->last_update
                                                                               : up_primary->last_update - authority.last_update;
    if (up_primary->missing() + behind <= query.force_auth_missing) primary = query.up_primary;
  }
  choice.acting.push_back(primary);
  for (const int osd : query.up) {
    if (osd == kNoOsd || osd == primary) continue;
    if (usable(query, find(query, osd, -1), authority)) {
      choice.acting.push_back(osd);
    } else {
      choice.backfill.push_back(osd);
    }
  }
  // Former members make up the number while the new ones are filled; those of acting first.
  const auto add = [&](int osd) {
    if (osd == kNoOsd || choice.acting.size() >= query.size || contains(choice.acting, osd) || contains(query.up, osd)) return;
    if (usable(query, find(query, osd, -1), authority)) choice.acting.push_back(osd);
  };
  for (const int osd : query.acting) add(osd);
  std::vector<const Shard*> strays;
  for (const Shard& info : query.infos) strays.push_back(&info);
  std::stable_sort(strays.begin(), strays.end(), [](const Shard* a, const Shard* b) { return a->last_update > b->last_update; });
  for (const Shard* info : strays) add(info->osd);

  if (query.async_min_cost == 0) return;
  std::vector<int> behind;
  for (std::size_t i = 1; i < choice.acting.size(); ++i) {
    const Shard* info = find(query, choice.acting[i], -1);
    // Only who will come back by the map, and who is far behind (its missing objects count as well).
    if (contains(query.up, choice.acting[i]) && authority.last_update - info->last_update + info->missing() > query.async_min_cost) {
      behind.push_back(choice.acting[i]);
    }
  }
  for (const int osd : behind) {
    if (choice.acting.size() <= query.min_size) break;
    std::erase(choice.acting, osd);
    choice.async.push_back(osd);
  }
}

bool choose_erasure(const ActingQuery& query, ActingChoice& choice) {
  const Shard& authority = *choice.authority;
  std::size_t count = 0;
  for (std::size_t i = 0; i < query.size; ++i) {
    const int slot = static_cast<int>(i);
    const int up = i < query.up.size() ? query.up[i] : kNoOsd;
    const int acting = i < query.acting.size() ? query.acting[i] : kNoOsd;
    int chosen = kNoOsd;
    if (up != kNoOsd && usable(query, find(query, up, slot), authority)) {
      chosen = up;
    } else {
      if (up != kNoOsd) choice.backfill.push_back(up);
      if (acting != kNoOsd && usable(query, find(query, acting, slot), authority)) {
        chosen = acting;
      } else {
        for (const Shard& info : query.infos) {
          if (info.slot == slot && usable(query, &info, authority)) {
            chosen = info.osd;
            break;
          }
        }
      }
    }
    choice.acting.push_back(chosen);
    if (chosen != kNoOsd) ++count;
  }
  return count >= query.needed;
}

}  // namespace

const Shard* find_best_info(const ActingQuery& query) {
  std::uint32_t started = 0;
  for (const Shard& info : query.infos) started = std::max(started, info.last_epoch_started);
  // Nothing older than what was common when it was last started may count.
  std::uint64_t acceptable = UINT64_MAX;
  for (const Shard& info : query.infos) {
    if (info.last_epoch_started == started) acceptable = std::min(acceptable, info.last_update);
  }
  const Shard* best = nullptr;
  for (const Shard& info : query.infos) {
    if (info.last_update < acceptable || info.last_epoch_started < started || !info.is_complete()) continue;
    if (best == nullptr) {
      best = &info;
      continue;
    }
    if (info.last_update != best->last_update) {
      // Erasure: what not all have can be rolled back; replicated: what one has can be copied.
      const bool better = query.erasure ? info.last_update < best->last_update : info.last_update > best->last_update;
      if (better) best = &info;
      continue;
    }
    if (info.osd == query.primary && best->osd != query.primary) best = &info;
  }
  return best;
}

std::optional<ActingChoice> choose_acting(const ActingQuery& query) {
  ActingChoice choice;
  choice.authority = find_best_info(query);
  if (choice.authority == nullptr) return std::nullopt;
  if (query.erasure) {
    if (!choose_erasure(query, choice)) return std::nullopt;
  } else {
    choose_replicated(query, choice);
  }
  return choice;
}

}  // namespace sim::ceph

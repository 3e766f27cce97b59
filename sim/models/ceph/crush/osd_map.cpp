#include "sim/models/ceph/crush/osd_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/models/ceph/crush/hash.hpp"

namespace sim::ceph::crush {

namespace {

std::int32_t first_of(const std::vector<std::int32_t>& osds) {
  const auto found = std::find_if(osds.begin(), osds.end(), [](std::int32_t osd) { return osd != kItemNone; });
  return found == osds.end() ? -1 : *found;
}

}  // namespace

std::string PgId::to_string() const { return fmt::format("{}.{:x}", pool, seed); }

namespace {

struct Flag {
  std::string_view name;
  int bit;
};
constexpr Flag kPoolFlags[] = {{"hashpspool", 0},  {"full", 1},         {"ec_overwrites", 2},   {"incomplete_clones", 3}, {"nodelete", 4},     {"nopgchange", 5},
                               {"nosizechange", 6}, {"write_fadvise_dontneed", 7}, {"noscrub", 8}, {"nodeep-scrub", 9},   {"full_quota", 10},  {"nearfull", 11},
                               {"backfillfull", 12}, {"selfmanaged_snaps", 13}, {"pool_snaps", 14}, {"creating", 15},      {"eio", 16}};
constexpr Flag kMapFlags[] = {{"nearfull", 0},     {"full", 1},          {"pauserd", 2},         {"pausewr", 3},           {"pauserec", 4},
                              {"noup", 5},         {"nodown", 6},        {"noout", 7},           {"noin", 8},              {"nobackfill", 9},
                              {"norecover", 10},   {"noscrub", 11},      {"nodeep-scrub", 12},   {"notieragent", 13},      {"norebalance", 14},
                              {"sortbitwise", 15}, {"require_jewel_osds", 16}, {"require_kraken_osds", 17}, {"require_luminous_osds", 18}, {"recovery_deletes", 19},
                              {"purged_snapdirs", 20}, {"nosnaptrim", 21}, {"pglog_hardlimit", 22}};

}  // namespace

std::string pool_flag_names(std::uint64_t flags) {
  std::string text;
  for (const Flag& flag : kPoolFlags) {
    if ((flags >> flag.bit & 1) == 0) continue;
    if (!text.empty()) text += ',';
    text += flag.name;
  }
  return text;
}

std::optional<std::uint64_t> osd_map_flag_bit(std::string_view name) {
  for (const Flag& flag : kMapFlags) {
    if (flag.name == name) return std::uint64_t{1} << flag.bit;
  }
  return std::nullopt;
}

std::uint64_t osd_map_flag_bits(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string& name : names) bits |= osd_map_flag_bit(name).value_or(0);
  return bits;
}

std::optional<PgId> parse_pg_id(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  PgId pg;
  const char* end = text.data() + text.size();
  const auto pool = std::from_chars(text.data(), text.data() + dot, pg.pool);
  const auto seed = std::from_chars(text.data() + dot + 1, end, pg.seed, 16);
  if (pool.ec != std::errc{} || pool.ptr != text.data() + dot || seed.ec != std::errc{} || seed.ptr != end) return std::nullopt;
  return pg;
}

void OsdMap::set_crush(CrushMap crush) {
  crush_ = std::move(crush);
  mapper_.emplace(crush_);
}

void OsdMap::set_max_osd(std::int32_t count) {
  osds_.resize(static_cast<std::size_t>(count));
  weights_.resize(static_cast<std::size_t>(count));
}

void OsdMap::set_exists(std::int32_t id, bool exists) {
  if (id >= max_osd()) set_max_osd(id + 1);
  OsdState& state = osds_[static_cast<std::size_t>(id)];
  state.exists = exists;
  if (exists) return;
  state = OsdState{};
  weights_[static_cast<std::size_t>(id)] = 0;
}

void OsdMap::set_up(std::int32_t id, bool up) {
  set_exists(id, true);
  osds_[static_cast<std::size_t>(id)].up = up;
}

void OsdMap::set_weight(std::int32_t id, std::uint32_t weight) {
  set_exists(id, true);
  osds_[static_cast<std::size_t>(id)].weight = weight;
  weights_[static_cast<std::size_t>(id)] = weight;
}

void OsdMap::set_primary_affinity(std::int32_t id, std::uint32_t affinity) {
  if (id >= max_osd()) set_max_osd(id + 1);
  osds_[static_cast<std::size_t>(id)].primary_affinity = affinity;
  any_affinity_ = any_affinity_ || affinity != kPrimaryAffinityOne;
}

const Pool* OsdMap::pool(std::int64_t id) const {
  const auto found = pools.find(id);
  return found == pools.end() ? nullptr : &found->second;
}

const Pool* OsdMap::pool(std::string_view name) const {
  const auto found = std::find_if(pools.begin(), pools.end(), [name](const auto& entry) { return entry.second.name == name; });
  return found == pools.end() ? nullptr : &found->second;
}

std::uint32_t OsdMap::placement_seed(const Pool& pool, std::uint32_t seed) {
  const std::uint32_t folded = stable_mod(seed, pool.pgp_num, stable_mask(pool.pgp_num));
  const std::uint32_t number = static_cast<std::uint32_t>(pool.id);
  return (pool.flags & kPoolHashpspool) != 0 ? hash2(folded, number) : folded + number;
}

PgId OsdMap::object_to_raw_pg(const Pool& pool, std::string_view name, std::string_view key, std::string_view name_space) {
  const std::string_view hashed = key.empty() ? name : key;
  if (name_space.empty()) return {pool.id, string_hash(hashed)};
  constexpr char kSeparator = '\037';
  std::string text(name_space);
  text += kSeparator;
  text += hashed;
  return {pool.id, string_hash(text)};
}

PgId OsdMap::raw_to_pg(const Pool& pool, PgId raw) { return {raw.pool, stable_mod(raw.seed, pool.pg_num, stable_mask(pool.pg_num))}; }

void OsdMap::raw_osds(const Pool& pool, PgId pg, std::vector<std::int32_t>& osds) const {
  osds.clear();
  const Rule* rule = crush_.rule(pool.crush_rule);
  const bool fits = rule != nullptr && (!rules_have_masks || (rule->type == pool.type && rule->min_size <= pool.size && pool.size <= rule->max_size));
  if (fits) mapper_->do_rule(pool.crush_rule, placement_seed(pool, pg.seed), static_cast<int>(pool.size), weights_, pool.id, osds);
  if (pool.can_shift_osds()) {
    std::erase_if(osds, [this](std::int32_t osd) { return !exists(osd); });
  } else {
    std::replace_if(osds.begin(), osds.end(), [this](std::int32_t osd) { return !exists(osd); }, kItemNone);
  }
}

void OsdMap::apply_upmap(const Pool& pool, PgId raw, std::vector<std::int32_t>& osds) const {
  const PgId pg = raw_to_pg(pool, raw);
  const auto is_known_and_out = [this](std::int32_t osd) { return osd >= 0 && osd < max_osd() && weights_[static_cast<std::size_t>(osd)] == 0; };
  if (const auto whole = pg_upmap.find(pg); whole != pg_upmap.end()) {
    // Ceph gives up the item-wise entries of the PG too then.
    if (std::any_of(whole->second.begin(), whole->second.end(), is_known_and_out)) return;
    osds = whole->second;
  }
  const auto items = pg_upmap_items.find(pg);
  if (items == pg_upmap_items.end()) return;
  for (const auto& [from, to] : items->second) {
    if (is_known_and_out(to) || std::find(osds.begin(), osds.end(), to) != osds.end()) continue;
    const auto place = std::find(osds.begin(), osds.end(), from);
    if (place != osds.end()) *place = to;
  }
}

void OsdMap::keep_up(const Pool& pool, std::vector<std::int32_t>& osds) const {
  if (pool.can_shift_osds()) {
    std::erase_if(osds, [this](std::int32_t osd) { return !is_up(osd); });
  } else {
    std::replace_if(osds.begin(), osds.end(), [this](std::int32_t osd) { return !is_up(osd); }, kItemNone);
  }
}

void OsdMap::apply_primary_affinity(const Pool& pool, std::uint32_t seed, std::vector<std::int32_t>& osds, std::int32_t& primary) const {
  if (!any_affinity_) return;
  const auto is_reluctant = [this](std::int32_t id) { return id != kItemNone && osd(id).primary_affinity != kPrimaryAffinityOne; };
  if (std::none_of(osds.begin(), osds.end(), is_reluctant)) return;
  std::ptrdiff_t position = -1;
  for (std::size_t i = 0; i < osds.size(); ++i) {
    if (osds[i] == kItemNone) continue;
    const std::uint32_t affinity = osd(osds[i]).primary_affinity;
    const bool refuses = affinity < kPrimaryAffinityOne && (hash2(seed, static_cast<std::uint32_t>(osds[i])) >> 16) >= affinity;
    if (!refuses || position < 0) position = static_cast<std::ptrdiff_t>(i);
    if (!refuses) break;
  }
  if (position < 0) return;
  primary = osds[static_cast<std::size_t>(position)];
  if (pool.can_shift_osds()) std::rotate(osds.begin(), osds.begin() + position, osds.begin() + position + 1);
}

bool OsdMap::pg_to_raw(PgId pg, std::vector<std::int32_t>& raw, std::int32_t& primary) const {
  raw.clear();
  primary = -1;
  const Pool* of = pool(pg.pool);
  if (of == nullptr) return false;
  raw_osds(*of, pg, raw);
  primary = first_of(raw);
  return true;
}

bool OsdMap::pg_to_up_acting(PgId pg, PgMapping& out) const {
  out.up.clear();
  out.acting.clear();
  out.up_primary = -1;
  out.acting_primary = -1;
  const Pool* of = pool(pg.pool);
  if (of == nullptr || pg.seed >= of->pg_num) return false;
  raw_osds(*of, pg, out.up);
  apply_upmap(*of, pg, out.up);
  keep_up(*of, out.up);
  out.up_primary = first_of(out.up);
  apply_primary_affinity(*of, placement_seed(*of, pg.seed), out.up, out.up_primary);

  if (const auto temporary = pg_temp.find(pg); temporary != pg_temp.end()) {
    out.acting = temporary->second;
    keep_up(*of, out.acting);
    out.acting_primary = first_of(out.acting);
  }
  if (const auto temporary = primary_temp.find(pg); temporary != primary_temp.end()) out.acting_primary = temporary->second;
  if (out.acting.empty()) {
    out.acting = out.up;
    if (out.acting_primary == -1) out.acting_primary = out.up_primary;
  }
  return true;
}

PgMapping OsdMap::pg_to_up_acting(std::int64_t pool_id, std::uint32_t seed) const {
  PgMapping mapping;
  pg_to_up_acting(PgId{pool_id, seed}, mapping);
  return mapping;
}

}  // namespace sim::ceph::crush

/// Objects to placement groups to OSDs, as in Ceph's OSDMap: pools, states and weights of OSDs, upmaps, temporary mappings, primary affinity.
///
/// raw (what CRUSH says) -> upmap -> up (OSDs that are up) -> acting (pg_temp, if there is one).
///
/// Source:     Ceph v16.2.15 src/osd/OSDMap.cc, osd_types.cc, src/common/ceph_hash.cc, src/include/rados.h; reference platform 2.4, 3.8.
/// Leaves out: pg_upmap_primaries (Ceph 18), tiers and overlays, snapshots, stretch mode's buckets; addresses of daemons.
/// Checked by: tests/models/ceph/crush/mapper_test.cpp, golden_test.cpp (osdmaptool's dumps); tests/crush/differential.py against osdmaptool.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/models/ceph/crush/crush_map.hpp"
#include "sim/models/ceph/crush/mapper.hpp"

namespace sim::ceph::crush {

inline constexpr std::uint32_t kPrimaryAffinityOne = 0x10000;

struct PgId {
  std::int64_t pool = 0;
  std::uint32_t seed = 0;
  /// "1.2f": the seed in hexadecimal.
  std::string to_string() const;
  friend auto operator<=>(const PgId&, const PgId&) = default;
};
std::optional<PgId> parse_pg_id(std::string_view text);

/// Flags of a pool, numbers as in Ceph.
inline constexpr std::uint64_t kPoolHashpspool = 1;

struct Pool {
  std::int64_t id = 0;
  std::string name;
  PoolType type = PoolType::kReplicated;
  std::uint32_t size = 3;
  std::uint32_t min_size = 2;
  int crush_rule = 0;
  std::uint32_t pg_num = 32;
  std::uint32_t pgp_num = 32;
  std::uint64_t flags = kPoolHashpspool;
  std::string pg_autoscale_mode = "on";
  std::string erasure_code_profile;
  std::uint32_t stripe_width = 0;
  std::vector<std::string> applications;
  /// Replicated pools close the gap that a missing OSD leaves.
  bool can_shift_osds() const { return type == PoolType::kReplicated; }
};

/// "hashpspool,nodelete": the names of the bits.
std::string pool_flag_names(std::uint64_t flags);
/// Nothing when the name is unknown.
std::optional<std::uint64_t> osd_map_flag_bit(std::string_view name);
std::uint64_t osd_map_flag_bits(const std::vector<std::string>& names);

/// x folded into b places so that growing b moves as little as possible: m is the next power of two of b, minus 1.
constexpr std::uint32_t stable_mod(std::uint32_t x, std::uint32_t b, std::uint32_t m) { return (x & m) < b ? x & m : x & (m >> 1); }
/// The mask for stable_mod.
constexpr std::uint32_t stable_mask(std::uint32_t b) {
  std::uint32_t mask = 0;
  for (std::uint32_t rest = b - 1; b != 0 && rest != 0; rest >>= 1) mask = mask << 1 | 1;
  return mask;
}

struct PgMapping {
  std::vector<std::int32_t> up;
  std::int32_t up_primary = -1;
  std::vector<std::int32_t> acting;
  std::int32_t acting_primary = -1;
};

struct OsdState {
  bool exists = false;
  bool up = false;
  std::uint32_t weight = 0;  // reweight: 0 is out, 0x10000 in
  std::uint32_t primary_affinity = kPrimaryAffinityOne;
  bool in() const { return weight != 0; }
};

class OsdMap {
 public:
  OsdMap() = default;

  std::uint32_t epoch = 1;
  std::string fsid = "00000000-0000-0000-0000-000000000000";
  /// noout, norebalance, ...: in the order of Ceph's bits (osd_map_flag_bits).
  std::vector<std::string> flags;
  float full_ratio = 0.95F;
  float backfillfull_ratio = 0.9F;
  float nearfull_ratio = 0.85F;
  std::string require_osd_release = "pacific";
  /// Until Ceph 16 a pool's rule places nothing when its type is not the pool's, or the size is not within its min_size and max_size.
  bool rules_have_masks = true;

  /// Replaces the map and compiles it.
  void set_crush(CrushMap crush);
  const CrushMap& crush() const { return crush_; }
  const Mapper& mapper() const { return *mapper_; }

  // OSDs.
  std::int32_t max_osd() const { return static_cast<std::int32_t>(osds_.size()); }
  /// Grows or shrinks; new ones do not exist yet.
  void set_max_osd(std::int32_t count);
  const OsdState& osd(std::int32_t id) const { return osds_[static_cast<std::size_t>(id)]; }
  bool exists(std::int32_t id) const { return id >= 0 && id < max_osd() && osd(id).exists; }
  bool is_up(std::int32_t id) const { return exists(id) && osd(id).up; }
  bool is_in(std::int32_t id) const { return exists(id) && osd(id).in(); }
  /// Each makes room for the OSD. `set_up` and `set_in` make it exist.
  void set_exists(std::int32_t id, bool exists);
  void set_up(std::int32_t id, bool up);
  void set_weight(std::int32_t id, std::uint32_t weight);
  void set_in(std::int32_t id) { set_weight(id, kWeightOne); }
  void set_out(std::int32_t id) { set_weight(id, 0); }
  void set_primary_affinity(std::int32_t id, std::uint32_t affinity);
  /// By id; what do_rule wants.
  const std::vector<std::uint32_t>& weights() const { return weights_; }

  // Pools and exceptions.
  std::map<std::int64_t, Pool> pools;
  std::map<PgId, std::vector<std::int32_t>> pg_upmap;
  std::map<PgId, std::vector<std::pair<std::int32_t, std::int32_t>>> pg_upmap_items;
  std::map<PgId, std::vector<std::int32_t>> pg_temp;
  std::map<PgId, std::int32_t> primary_temp;

  const Pool* pool(std::int64_t id) const;
  const Pool* pool(std::string_view name) const;

  /// The placement seed: what is given to CRUSH as x.
  static std::uint32_t placement_seed(const Pool& pool, std::uint32_t seed);
  /// An object's raw PG (its seed is the full hash); the key, if any, is hashed instead of the name.
  static PgId object_to_raw_pg(const Pool& pool, std::string_view name, std::string_view key = {}, std::string_view name_space = {});
  /// The PG that a raw one falls into.
  static PgId raw_to_pg(const Pool& pool, PgId raw);

  /// CRUSH's answer without OSDs that do not exist, and its first OSD (-1: none). False when there is no such pool.
  bool pg_to_raw(PgId pg, std::vector<std::int32_t>& raw, std::int32_t& primary) const;
  /// False, and all empty, when there is no such pool or the seed is beyond its pg_num.
  bool pg_to_up_acting(PgId pg, PgMapping& out) const;
  PgMapping pg_to_up_acting(std::int64_t pool, std::uint32_t seed) const;

 private:
  void raw_osds(const Pool& pool, PgId pg, std::vector<std::int32_t>& osds) const;
  void apply_upmap(const Pool& pool, PgId raw, std::vector<std::int32_t>& osds) const;
  void keep_up(const Pool& pool, std::vector<std::int32_t>& osds) const;
  void apply_primary_affinity(const Pool& pool, std::uint32_t seed, std::vector<std::int32_t>& osds, std::int32_t& primary) const;

  CrushMap crush_;
  std::optional<Mapper> mapper_;
  std::vector<OsdState> osds_;
  std::vector<std::uint32_t> weights_;
  bool any_affinity_ = false;
};

}  // namespace sim::ceph::crush

#include "sim/models/ceph/crush/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace sim::ceph::crush {

namespace {

/// Writes as Ceph's JSONFormatter does.
class JsonWriter {
 public:
  explicit JsonWriter(JsonStyle style) : pretty_(style == JsonStyle::kPretty) {}

  void object(std::string_view name = {}) { open(name, '{'); }
  void array(std::string_view name = {}) { open(name, '['); }
  void close() {
    const Level level = levels_.back();
    levels_.pop_back();
    if (level.any) new_line();
    text_ += level.array ? ']' : '}';
  }
  void integer(std::string_view name, std::int64_t value) {
    begin(name);
    fmt::format_to(std::back_inserter(text_), "{}", value);
  }
  void real(std::string_view name, double value) {
    begin(name);
    fmt::format_to(std::back_inserter(text_), "{:.17g}", value);
  }
  void boolean(std::string_view name, bool value) {
    begin(name);
    text_ += value ? "true" : "false";
  }
  void string(std::string_view name, std::string_view value) {
    begin(name);
    quoted(value);
  }
  std::string take() {
    text_ += '\n';
    return std::move(text_);
  }

 private:
  struct Level {
    bool array = false;
    bool any = false;
  };

  void new_line() {
    if (!pretty_) return;
    text_ += '\n';
    text_.append(4 * levels_.size(), ' ');
  }
  void begin(std::string_view name) {
    if (levels_.empty()) return;
    if (levels_.back().any) text_ += ',';
    levels_.back().any = true;
    new_line();
    if (levels_.back().array) return;
    quoted(name);
    text_ += pretty_ ? ": " : ":";
  }
  void open(std::string_view name, char bracket) {
    begin(name);
    text_ += bracket;
    levels_.push_back({bracket == '[', false});
  }
  void quoted(std::string_view value) {
    text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (c == '\n') {
        text_ += "\\n";
      } else if (c == '\t') {
        text_ += "\\t";
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        fmt::format_to(std::back_inserter(text_), "\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  bool pretty_;
  std::string text_;
  std::vector<Level> levels_;
};

/// Single precision first, as Ceph divides.
double as_float(std::uint32_t weight) { return static_cast<double>(static_cast<float>(weight) / static_cast<float>(kWeightOne)); }

bool any_step(const CrushMap& map, std::initializer_list<RuleOp> ops) {
  for (int id = 0; id < map.max_rules(); ++id) {
    const Rule* rule = map.rule(id);
    if (rule == nullptr) continue;
    for (const RuleStep& step : rule->steps) {
      if (std::find(ops.begin(), ops.end(), step.op) != ops.end()) return true;
    }
  }
  return false;
}

/// straw_calc_version does not count.
bool is_profile(Tunables tunables, TunablesProfile profile) {
  const Tunables wanted = Tunables::of(profile);
  tunables.straw_calc_version = wanted.straw_calc_version;
  return tunables == wanted;
}

void dump_rule(JsonWriter& json, const CrushMap& map, int id) {
  const Rule& rule = *map.rule(id);
  json.object();
  json.integer("rule_id", id);
  if (!rule.name.empty()) json.string("rule_name", rule.name);
  json.integer("ruleset", id);
  json.integer("type", static_cast<int>(rule.type));
  json.integer("min_size", rule.min_size);
  json.integer("max_size", rule.max_size);
  json.array("steps");
  for (const RuleStep& step : rule.steps) {
    json.object();
    const auto choose = [&](const char* name) {
      json.string("op", name);
      json.integer("num", step.arg1);
      json.string("type", map.type_name(static_cast<std::uint16_t>(step.arg2)));
    };
    const auto set = [&](const char* name) {
      json.string("op", name);
      json.integer("num", step.arg1);
    };
    switch (step.op) {
      case RuleOp::kNoop: json.string("op", "noop"); break;
      case RuleOp::kTake:
        json.string("op", "take");
        json.integer("item", step.arg1);
        json.string("item_name", map.item_name(step.arg1));
        break;
      case RuleOp::kEmit: json.string("op", "emit"); break;
      case RuleOp::kChooseFirstn: choose("choose_firstn"); break;
      case RuleOp::kChooseIndep: choose("choose_indep"); break;
      case RuleOp::kChooseleafFirstn: choose("chooseleaf_firstn"); break;
      case RuleOp::kChooseleafIndep: choose("chooseleaf_indep"); break;
      case RuleOp::kSetChooseTries: set("set_choose_tries"); break;
      case RuleOp::kSetChooseleafTries: set("set_chooseleaf_tries"); break;
      default:
        json.integer("opcode", static_cast<std::int64_t>(step.op));
        json.integer("arg1", step.arg1);
        json.integer("arg2", step.arg2);
    }
    json.close();
  }
  json.close();
  json.close();
}

void dump_tunables(JsonWriter& json, const CrushMap& map) {
  const Tunables& now = map.tunables;
  json.integer("choose_local_tries", now.choose_local_tries);
  json.integer("choose_local_fallback_tries", now.choose_local_fallback_tries);
  json.integer("choose_total_tries", now.choose_total_tries);
  json.integer("chooseleaf_descend_once", now.chooseleaf_descend_once);
  json.integer("chooseleaf_vary_r", now.chooseleaf_vary_r);
  json.integer("chooseleaf_stable", now.chooseleaf_stable);
  json.integer("straw_calc_version", now.straw_calc_version);
  json.integer("allowed_bucket_algs", now.allowed_bucket_algs);
  const char* profile = is_profile(now, TunablesProfile::kJewel)     ? "jewel"
                        : is_profile(now, TunablesProfile::kHammer)  ? "hammer"
                        : is_profile(now, TunablesProfile::kFirefly) ? "firefly"
                        : is_profile(now, TunablesProfile::kBobtail) ? "bobtail"
                        : is_profile(now, TunablesProfile::kLegacy)  ? "argonaut"
                                                                     : "unknown";
  json.string("profile", profile);
  json.integer("optimal_tunables", is_profile(now, TunablesProfile::kJewel));
  json.integer("legacy_tunables", is_profile(now, TunablesProfile::kLegacy));
  const Tunables legacy = Tunables::of(TunablesProfile::kLegacy);
  const bool tries = now.choose_local_tries != legacy.choose_local_tries || now.choose_local_fallback_tries != legacy.choose_local_fallback_tries ||
                     now.choose_total_tries != legacy.choose_total_tries;
  const bool v2_rules =
      any_step(map, {RuleOp::kChooseIndep, RuleOp::kChooseleafIndep, RuleOp::kSetChooseTries, RuleOp::kSetChooseleafTries});
  const bool v3_rules = any_step(map, {RuleOp::kSetChooseleafVaryR});
  const bool v5_rules = any_step(map, {RuleOp::kSetChooseleafStable});
  bool straw2 = false;
  for (std::int32_t id = -1; id >= -map.max_buckets(); --id) {
    straw2 = straw2 || (map.bucket(id) != nullptr && map.bucket(id)->alg == BucketAlg::kStraw2);
  }
  const char* version = v5_rules || now.chooseleaf_stable != 0          ? "jewel"
                        : straw2                                        ? "hammer"
                        : now.chooseleaf_vary_r != 0                    ? "firefly"
                        : now.chooseleaf_descend_once != 0 || tries     ? "bobtail"
                                                                        : "argonaut";
  json.string("minimum_required_version", version);
  json.integer("require_feature_tunables", tries);
  json.integer("require_feature_tunables2", now.chooseleaf_descend_once != 0);
  json.integer("has_v2_rules", v2_rules);
  json.integer("require_feature_tunables3", now.chooseleaf_vary_r != 0);
  json.integer("has_v3_rules", v3_rules);
  json.integer("has_v4_buckets", straw2);
  json.integer("require_feature_tunables5", now.chooseleaf_stable != 0);
  json.integer("has_v5_rules", v5_rules);
}

void dump_choose_args(JsonWriter& json, const CrushMap& map) {
  json.object("choose_args");
  for (const auto& [key, args] : map.choose_args) {
    json.array(fmt::format("{}", key));
    for (const auto& [bucket, arg] : args) {
      if (arg.weight_set.empty() && arg.ids.empty()) continue;
      json.object();
      json.integer("bucket_id", bucket);
      if (!arg.weight_set.empty()) {
        json.array("weight_set");
        for (const auto& weights : arg.weight_set) {
          json.array();
          for (const std::uint32_t weight : weights) json.real({}, as_float(weight));
          json.close();
        }
        json.close();
      }
      if (!arg.ids.empty()) {
        json.array("ids");
        for (const std::int32_t id : arg.ids) json.integer({}, id);
        json.close();
      }
      json.close();
    }
    json.close();
  }
  json.close();
}

}  // namespace

std::string crush_map_json(const CrushMap& map, JsonStyle style) {
  JsonWriter json(style);
  json.object();
  json.array("devices");
  for (std::int32_t id = 0; id < map.max_devices(); ++id) {
    json.object();
    json.integer("id", id);
    json.string("name", map.item_name(id).empty() ? fmt::format("device{}", id) : map.item_name(id));
    if (!map.device_class(id).empty()) json.string("class", map.device_class(id));
    json.close();
  }
  json.close();
  json.array("types");
  if (!map.types().empty() && !map.types().contains(0)) {
    json.object();
    json.integer("type_id", 0);
    json.string("name", "device");
    json.close();
  }
  for (const auto& [id, name] : map.types()) {
    json.object();
    json.integer("type_id", id);
    json.string("name", name);
    json.close();
  }
  json.close();
  json.array("buckets");
  for (std::int32_t id = -1; id >= -map.max_buckets(); --id) {
    const Bucket* bucket = map.bucket(id);
    if (bucket == nullptr) continue;
    json.object();
    json.integer("id", id);
    if (!map.item_name(id).empty()) json.string("name", map.item_name(id));
    json.integer("type_id", bucket->type);
    if (!map.type_name(bucket->type).empty()) json.string("type_name", map.type_name(bucket->type));
    json.integer("weight", static_cast<std::int32_t>(bucket->weight));
    json.string("alg", to_string(bucket->alg));
    json.string("hash", bucket->hash == 0 ? "rjenkins1" : "unknown");
    json.array("items");
    for (std::size_t i = 0; i < bucket->items.size(); ++i) {
      json.object();
      json.integer("id", bucket->items[i]);
      json.integer("weight", static_cast<std::int32_t>(bucket->weights[i]));
      json.integer("pos", static_cast<std::int64_t>(i));
      json.close();
    }
    json.close();
    json.close();
  }
  json.close();
  json.array("rules");
  for (int id = 0; id < map.max_rules(); ++id) {
    if (map.rule(id) != nullptr) dump_rule(json, map, id);
  }
  json.close();
  json.object("tunables");
  dump_tunables(json, map);
  json.close();
  dump_choose_args(json, map);
  json.close();
  std::string text = json.take();
  if (style == JsonStyle::kPretty) text += '\n';  // crushtool ends the line once more
  return text;
}

namespace {

constexpr std::string_view kNoUuid = "00000000-0000-0000-0000-000000000000";
constexpr std::string_view kNoDate = "0.000000";
constexpr std::string_view kNoAddress = "(unrecognized address family 0)/0";

void dump_pool(JsonWriter& json, const Pool& pool) {
  json.object();
  json.integer("pool", pool.id);
  json.string("pool_name", pool.name);
  json.string("create_time", kNoDate);
  json.integer("flags", static_cast<std::int64_t>(pool.flags));
  json.string("flags_names", pool_flag_names(pool.flags));
  json.integer("type", static_cast<int>(pool.type));
  json.integer("size", pool.size);
  json.integer("min_size", pool.min_size);
  json.integer("crush_rule", pool.crush_rule);
  for (const char* name : {"peering_crush_bucket_count", "peering_crush_bucket_target", "peering_crush_bucket_barrier"}) json.integer(name, 0);
  json.integer("peering_crush_bucket_mandatory_member", kItemNone);
  json.integer("object_hash", 2);
  json.string("pg_autoscale_mode", pool.pg_autoscale_mode);
  json.integer("pg_num", pool.pg_num);
  json.integer("pg_placement_num", pool.pgp_num);
  json.integer("pg_placement_num_target", pool.pgp_num);
  json.integer("pg_num_target", pool.pg_num);
  json.integer("pg_num_pending", pool.pg_num);
  json.object("last_pg_merge_meta");
  json.string("source_pgid", "0.0");
  for (const char* name : {"ready_epoch", "last_epoch_started", "last_epoch_clean"}) json.integer(name, 0);
  json.string("source_version", "0'0");
  json.string("target_version", "0'0");
  json.close();
  for (const char* name : {"last_change", "last_force_op_resend", "last_force_op_resend_prenautilus", "last_force_op_resend_preluminous"}) {
    json.string(name, "0");
  }
  json.integer("auid", 0);
  json.string("snap_mode", "selfmanaged");
  json.integer("snap_seq", 0);
  json.integer("snap_epoch", 0);
  json.array("pool_snaps");
  json.close();
  json.string("removed_snaps", "[]");
  json.integer("quota_max_bytes", 0);
  json.integer("quota_max_objects", 0);
  json.array("tiers");
  json.close();
  for (const char* name : {"tier_of", "read_tier", "write_tier"}) json.integer(name, -1);
  json.string("cache_mode", "none");
  for (const char* name : {"target_max_bytes", "target_max_objects", "cache_target_dirty_ratio_micro", "cache_target_dirty_high_ratio_micro",
                           "cache_target_full_ratio_micro", "cache_min_flush_age", "cache_min_evict_age"}) {
    json.integer(name, 0);
  }
  json.string("erasure_code_profile", pool.erasure_code_profile);
  json.object("hit_set_params");
  json.string("type", "none");
  json.close();
  json.integer("hit_set_period", 0);
  json.integer("hit_set_count", 0);
  json.boolean("use_gmt_hitset", true);
  for (const char* name : {"min_read_recency_for_promote", "min_write_recency_for_promote", "hit_set_grade_decay_rate", "hit_set_search_last_n"}) {
    json.integer(name, 0);
  }
  json.array("grade_table");
  json.close();
  json.integer("stripe_width", pool.stripe_width);
  json.integer("expected_num_objects", 0);
  json.boolean("fast_read", false);
  json.object("options");
  json.close();
  json.object("application_metadata");
  for (const std::string& application : pool.applications) {
    json.object(application);
    json.close();
  }
  json.close();
  json.close();
}

void dump_osd(JsonWriter& json, const OsdMap& map, std::int32_t id) {
  const OsdState& osd = map.osd(id);
  json.object();
  json.integer("osd", id);
  json.string("uuid", kNoUuid);
  json.integer("up", osd.up);
  json.integer("in", osd.in());
  json.real("weight", as_float(osd.weight));
  json.real("primary_affinity", as_float(osd.primary_affinity));
  for (const char* name : {"last_clean_begin", "last_clean_end", "up_from", "up_thru", "down_at", "lost_at"}) json.integer(name, 0);
  for (const char* name : {"public_addrs", "cluster_addrs", "heartbeat_back_addrs", "heartbeat_front_addrs"}) {
    json.object(name);
    json.array("addrvec");
    json.close();
    json.close();
  }
  for (const char* name : {"public_addr", "cluster_addr", "heartbeat_back_addr", "heartbeat_front_addr"}) json.string(name, kNoAddress);
  json.array("state");
  json.string({}, "exists");
  if (osd.up) json.string({}, "up");
  json.close();
  json.close();
}

void dump_exceptions(JsonWriter& json, const OsdMap& map) {
  json.array("pg_upmap");
  for (const auto& [pg, osds] : map.pg_upmap) {
    json.object();
    json.string("pgid", pg.to_string());
    json.array("osds");
    for (const std::int32_t osd : osds) json.integer({}, osd);
    json.close();
    json.close();
  }
  json.close();
  json.array("pg_upmap_items");
  for (const auto& [pg, items] : map.pg_upmap_items) {
    json.object();
    json.string("pgid", pg.to_string());
    json.array("mappings");
    for (const auto& [from, to] : items) {
      json.object();
      json.integer("from", from);
      json.integer("to", to);
      json.close();
    }
    json.close();
    json.close();
  }
  json.close();
  json.array("pg_temp");
  for (const auto& [pg, osds] : map.pg_temp) {
    json.object();
    json.string("pgid", pg.to_string());
    json.array("osds");
    for (const std::int32_t osd : osds) json.integer({}, osd);
    json.close();
    json.close();
  }
  json.close();
  // In 16 these stand in the array without an object around them, which is no JSON; later releases have one.
  json.array("primary_temp");
  for (const auto& [pg, osd] : map.primary_temp) {
    json.object();
    json.string("pgid", pg.to_string());
    json.integer("osd", osd);
    json.close();
  }
  json.close();
}

}  // namespace

std::string osd_map_json(const OsdMap& map, JsonStyle style) {
  JsonWriter json(style);
  json.object();
  json.integer("epoch", map.epoch);
  json.string("fsid", map.fsid);
  for (const char* name : {"created", "modified", "last_up_change", "last_in_change"}) json.string(name, kNoDate);
  json.string("flags", fmt::format("{}", fmt::join(map.flags, ",")));
  json.integer("flags_num", static_cast<std::int64_t>(osd_map_flag_bits(map.flags)));
  json.array("flags_set");
  std::vector<std::string> sorted = map.flags;
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& flag : sorted) json.string({}, flag);
  json.close();
  json.integer("crush_version", 1);
  json.real("full_ratio", static_cast<double>(map.full_ratio));
  json.real("backfillfull_ratio", static_cast<double>(map.backfillfull_ratio));
  json.real("nearfull_ratio", static_cast<double>(map.nearfull_ratio));
  json.string("cluster_snapshot", "");
  json.integer("pool_max", map.pools.empty() ? 0 : map.pools.rbegin()->first);
  json.integer("max_osd", map.max_osd());
  json.string("require_min_compat_client", "unknown");
  json.string("min_compat_client", map.pg_upmap.empty() && map.pg_upmap_items.empty() && map.crush().choose_args.empty() ? "jewel" : "luminous");
  json.string("require_osd_release", map.require_osd_release);
  json.array("pools");
  for (const auto& [id, pool] : map.pools) dump_pool(json, pool);
  json.close();
  json.array("osds");
  for (std::int32_t id = 0; id < map.max_osd(); ++id) {
    if (map.exists(id)) dump_osd(json, map, id);
  }
  json.close();
  json.array("osd_xinfo");
  for (std::int32_t id = 0; id < map.max_osd(); ++id) {
    if (!map.exists(id)) continue;
    json.object();
    json.integer("osd", id);
    json.string("down_stamp", kNoDate);
    for (const char* name : {"laggy_probability", "laggy_interval", "features", "old_weight"}) json.integer(name, 0);
    json.string("last_purged_snaps_scrub", kNoDate);
    json.integer("dead_epoch", 0);
    json.close();
  }
  json.close();
  dump_exceptions(json, map);
  for (const char* name : {"blocklist", "range_blocklist", "erasure_code_profiles"}) {
    json.object(name);
    json.close();
  }
  for (const char* name : {"removed_snaps_queue", "new_removed_snaps", "new_purged_snaps"}) {
    json.array(name);
    json.close();
  }
  for (const char* name : {"crush_node_flags", "device_class_flags"}) {
    json.object(name);
    json.close();
  }
  json.object("stretch_mode");
  json.boolean("stretch_mode_enabled", false);
  for (const char* name : {"stretch_bucket_count", "degraded_stretch_mode", "recovering_stretch_mode", "stretch_mode_bucket"}) json.integer(name, 0);
  json.close();
  json.close();
  return json.take();
}

namespace {

class TreeWriter {
 public:
  TreeWriter(const OsdMap& map, JsonStyle style) : map_(map), crush_(map.crush()), json_(style) {}

  std::string write() {
    json_.object();
    json_.array("nodes");
    for (const std::int32_t root : crush_.nonshadow_roots()) node(root, 0, 0, 0);
    json_.close();
    json_.array("stray");
    for (std::int32_t id = 0; id < map_.max_osd(); ++id) {
      if (map_.exists(id) && !seen_.contains(id)) node(id, 0, 0, 0);
    }
    json_.close();
    json_.close();
    return json_.take();
  }

 private:
  void node(std::int32_t id, std::int32_t parent, std::int64_t depth, std::uint32_t weight) {
    seen_.insert(id);
    // By class and name; ids of OSDs as numbers.
    std::map<std::string, std::pair<std::int32_t, std::uint32_t>> children;
    const Bucket* bucket = crush_.bucket(id);
    for (std::size_t i = 0; bucket != nullptr && i < bucket->items.size(); ++i) {
      const std::int32_t item = bucket->items[i];
      std::string key = item >= 0 ? fmt::format("{}_osd.{:08}", crush_.device_class(item), item) : "_" + crush_.item_name(item);
      children.emplace(std::move(key), std::pair(item, bucket->weights[i]));  // of an item that is there twice, the first
    }
    json_.object();
    json_.integer("id", id);
    if (id >= 0 && !crush_.device_class(id).empty()) json_.string("device_class", crush_.device_class(id));
    if (bucket != nullptr) {
      json_.string("name", crush_.item_name(id));
      json_.string("type", crush_.type_name(bucket->type));
      json_.integer("type_id", bucket->type);
    } else {
      json_.string("name", fmt::format("osd.{}", id));
      json_.string("type", crush_.type_name(0));
      json_.integer("type_id", 0);
      json_.real("crush_weight", as_float(weight));
      json_.integer("depth", depth);
    }
    if (parent < 0) pool_weights(id, parent);
    if (bucket != nullptr) {
      json_.array("children");
      for (auto child = children.rbegin(); child != children.rend(); ++child) json_.integer({}, child->second.first);
      json_.close();
    } else {
      osd_fields(id);
    }
    json_.close();
    for (const auto& [key, child] : children) node(child.first, id, depth + 1, child.second);
  }

  void pool_weights(std::int32_t id, std::int32_t parent) {
    json_.object("pool_weights");
    for (const auto& [key, args] : crush_.choose_args) {
      const auto found = args.find(parent);
      if (found == args.end() || found->second.weight_set.empty()) continue;
      const std::vector<std::int32_t>& items = crush_.bucket(parent)->items;
      const std::size_t position = static_cast<std::size_t>(std::find(items.begin(), items.end(), id) - items.begin());
      const Pool* pool = map_.pool(key);
      json_.array(key == kDefaultChooseArgs ? "(compat)" : pool != nullptr ? pool->name : fmt::format("{}", key));
      for (const auto& weights : found->second.weight_set) json_.real({}, as_float(weights[position]));
      json_.close();
    }
    json_.close();
  }

  void osd_fields(std::int32_t id) {
    const bool known = id < map_.max_osd();
    json_.integer("exists", map_.exists(id));
    json_.string("status", map_.is_up(id) ? "up" : "down");
    json_.real("reweight", known ? as_float(map_.osd(id).weight) : 0);
    json_.real("primary_affinity", known ? as_float(map_.osd(id).primary_affinity) : 1);
  }

  const OsdMap& map_;
  const CrushMap& crush_;
  JsonWriter json_;
  std::set<std::int32_t> seen_;
};

}  // namespace

std::string osd_tree_json(const OsdMap& map, JsonStyle style) { return TreeWriter(map, style).write(); }

}  // namespace sim::ceph::crush

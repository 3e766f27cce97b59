#include "sim/scenario/ceph_dumps.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim::scenario {

namespace {

using namespace ceph::crush;

/// Reads fields of one kind of file and keeps whether all went well.
class DumpReader {
 public:
  explicit DumpReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}
  bool good() const { return good_; }

  void error(const Node& at, std::string message, std::string expected = {}) {
    Diagnostic& told = diagnostics_.error(at, std::move(message));
    told.found = at.describe();
    told.expected = std::move(expected);
    good_ = false;
  }

  /// Absent, with an error when it is `required`.
  Node field(const Node& in, std::string_view name, bool required) {
    const Node found = in.find(name);
    if (!found && required) {
      diagnostics_.error(in, fmt::format("'{}' is missing", name));
      good_ = false;
    }
    return found;
  }

  std::int64_t integer(const Node& in, std::string_view name, std::int64_t low, std::int64_t high, std::optional<std::int64_t> otherwise = std::nullopt) {
    const Node found = field(in, name, !otherwise);
    if (!found) return otherwise.value_or(low);
    const std::optional<std::int64_t> value = found.as_integer();
    if (value && *value >= low && *value <= high) return *value;
    error(found, fmt::format("wrong '{}'", name), fmt::format("an integer from {} to {}", low, high));
    return low;
  }

  double real(const Node& in, std::string_view name, double low, double high, std::optional<double> otherwise = std::nullopt) {
    const Node found = field(in, name, !otherwise);
    if (!found) return otherwise.value_or(low);
    const std::optional<double> value = found.as_number();
    if (value && *value >= low && *value <= high) return *value;
    error(found, fmt::format("wrong '{}'", name), fmt::format("a number from {} to {}", low, high));
    return low;
  }

  std::string text(const Node& in, std::string_view name, bool required) {
    const Node found = field(in, name, required);
    if (!found) return {};
    if (found.is_scalar()) return std::string(found.text());
    error(found, fmt::format("wrong '{}'", name), "a text");
    return {};
  }

  /// Calls `each` for every item of a list.
  template <class Each>
  void list(const Node& in, std::string_view name, bool required, Each each) {
    const Node found = field(in, name, required);
    if (!found || found.is_null()) return;
    if (!found.is_sequence()) return error(found, fmt::format("wrong '{}'", name), "a list");
    for (std::size_t i = 0; i < found.size(); ++i) each(found.item(i));
  }

  /// 16.16 fixed point from the decimal number that Ceph prints of it.
  std::uint32_t fixed(const Node& in, std::string_view name, double high, std::optional<double> otherwise = std::nullopt) {
    return static_cast<std::uint32_t>(std::llround(real(in, name, 0, high, otherwise) * kWeightOne));
  }

  std::optional<PgId> pg(const Node& in) {
    const Node found = field(in, "pgid", true);
    if (!found) return std::nullopt;
    const std::optional<PgId> id = parse_pg_id(found.text());
    if (!id) error(found, "wrong 'pgid'", "a placement group such as 1.2f");
    return id;
  }

  std::int32_t osd(const Node& node, std::int64_t low = 0) {
    const std::optional<std::int64_t> value = node.as_integer();
    if (value && *value >= low && *value <= kItemNone) return static_cast<std::int32_t>(*value);
    error(node, "wrong OSD", "the number of an OSD");
    return 0;
  }

 private:
  Diagnostics& diagnostics_;
  bool good_ = true;
};

constexpr std::int64_t kOsdMax = 1 << 24;

void read_pool(DumpReader& reader, const Node& node, OsdMap& map) {
  Pool pool;
  pool.id = reader.integer(node, "pool", 0, INT32_MAX);
  pool.name = reader.text(node, "pool_name", true);
  const std::int64_t type = reader.integer(node, "type", 1, 3);
  if (type == 2) reader.error(node.find("type"), "pool type 2 (raid4) is not supported", "1 (replicated) or 3 (erasure)");
  pool.type = type == 3 ? PoolType::kErasure : PoolType::kReplicated;
  pool.size = static_cast<std::uint32_t>(reader.integer(node, "size", 1, 255));
  pool.min_size = static_cast<std::uint32_t>(reader.integer(node, "min_size", 0, 255));
  pool.crush_rule = static_cast<int>(reader.integer(node, "crush_rule", 0, kRuleIdMax));
  pool.pg_num = static_cast<std::uint32_t>(reader.integer(node, "pg_num", 1, INT32_MAX));
  pool.pgp_num = static_cast<std::uint32_t>(reader.integer(node, "pg_placement_num", 1, INT32_MAX));
  pool.flags = static_cast<std::uint64_t>(reader.integer(node, "flags", 0, INT64_MAX));
  if (reader.integer(node, "object_hash", 0, 255, 2) != 2) {
    reader.error(node.find("object_hash"), fmt::format("pool '{}': only the object hash 2 (rjenkins) is supported", pool.name));
  }
  for (const char* tier : {"tier_of", "read_tier", "write_tier"}) {
    if (reader.integer(node, tier, -1, INT32_MAX, -1) != -1) {
      reader.error(node.find(tier), fmt::format("pool '{}': cache tiers are not supported", pool.name));
    }
  }
  if (node.find("pg_autoscale_mode")) pool.pg_autoscale_mode = reader.text(node, "pg_autoscale_mode", true);
  pool.erasure_code_profile = reader.text(node, "erasure_code_profile", false);
  pool.stripe_width = static_cast<std::uint32_t>(reader.integer(node, "stripe_width", 0, UINT32_MAX, 0));
  const Node applications = node.find("application_metadata");
  for (std::size_t i = 0; i < applications.size() && applications.is_map(); ++i) pool.applications.emplace_back(applications.key(i).text());
  if (!map.pools.emplace(pool.id, pool).second) reader.error(node.find("pool"), fmt::format("pool {} is there twice", pool.id));
}

void read_exceptions(DumpReader& reader, const Node& root, OsdMap& map) {
  const auto osds_of = [&reader](const Node& node) {
    std::vector<std::int32_t> osds;
    reader.list(node, "osds", true, [&](const Node& osd) { osds.push_back(reader.osd(osd, INT32_MIN)); });
    return osds;
  };
  reader.list(root, "pg_upmap", false, [&](const Node& node) {
    if (const std::optional<PgId> pg = reader.pg(node)) map.pg_upmap[*pg] = osds_of(node);
  });
  reader.list(root, "pg_upmap_items", false, [&](const Node& node) {
    const std::optional<PgId> pg = reader.pg(node);
    if (!pg) return;
    auto& items = map.pg_upmap_items[*pg];
    reader.list(node, "mappings", true, [&](const Node& item) {
      const std::int64_t from = reader.integer(item, "from", INT32_MIN, kItemNone);
      const std::int64_t to = reader.integer(item, "to", INT32_MIN, kItemNone);
      items.emplace_back(static_cast<std::int32_t>(from), static_cast<std::int32_t>(to));
    });
  });
  reader.list(root, "pg_temp", false, [&](const Node& node) {
    if (const std::optional<PgId> pg = reader.pg(node)) map.pg_temp[*pg] = osds_of(node);
  });
  reader.list(root, "primary_temp", false, [&](const Node& node) {
    const std::optional<PgId> pg = reader.pg(node);
    const std::int64_t osd = reader.integer(node, "osd", -1, kItemNone);
    if (pg) map.primary_temp[*pg] = static_cast<std::int32_t>(osd);
  });
  reader.list(root, "pg_upmap_primaries", false,
              [&](const Node& node) { reader.error(node, "pg_upmap_primaries (Ceph 18, the read balancer) is not supported"); });
}

}  // namespace

std::optional<OsdMap> read_osd_dump(Node root, Diagnostics& diagnostics) {
  DumpReader reader(diagnostics);
  if (!root.is_map()) {
    reader.error(root, "this is no osd dump", "the output of `ceph osd dump -f json`");
    return std::nullopt;
  }
  OsdMap map;
  map.epoch = static_cast<std::uint32_t>(reader.integer(root, "epoch", 0, UINT32_MAX, 1));
  if (root.find("fsid")) map.fsid = reader.text(root, "fsid", true);
  if (root.find("require_osd_release")) map.require_osd_release = reader.text(root, "require_osd_release", true);
  // Letters of the alphabet: quincy is 17.
  map.rules_have_masks = map.require_osd_release == "unknown" || map.require_osd_release < "quincy";
  map.full_ratio = static_cast<float>(reader.real(root, "full_ratio", 0, 1, 0.95));
  map.backfillfull_ratio = static_cast<float>(reader.real(root, "backfillfull_ratio", 0, 1, 0.9));
  map.nearfull_ratio = static_cast<float>(reader.real(root, "nearfull_ratio", 0, 1, 0.85));
  const std::string flags = reader.text(root, "flags", false);
  for (std::size_t begin = 0; begin < flags.size();) {
    const std::size_t end = std::min(flags.find(',', begin), flags.size());
    map.flags.push_back(flags.substr(begin, end - begin));
    if (!osd_map_flag_bit(map.flags.back())) reader.error(root.find("flags"), fmt::format("unknown flag '{}'", map.flags.back()));
    begin = end + 1;
  }
  map.set_max_osd(static_cast<std::int32_t>(reader.integer(root, "max_osd", 0, kOsdMax)));
  reader.list(root, "osds", true, [&](const Node& node) {
    const std::int32_t id = static_cast<std::int32_t>(reader.integer(node, "osd", 0, kOsdMax - 1));
    if (map.exists(id)) return reader.error(node.find("osd"), fmt::format("osd.{} is there twice", id));
    if (id >= map.max_osd()) return reader.error(node.find("osd"), fmt::format("osd.{} is not below max_osd {}", id, map.max_osd()));
    map.set_up(id, reader.integer(node, "up", 0, 1) == 1);
    map.set_weight(id, reader.fixed(node, "weight", 1));
    map.set_primary_affinity(id, reader.fixed(node, "primary_affinity", 1, 1.0));
  });
  reader.list(root, "pools", true, [&](const Node& node) { read_pool(reader, node, map); });
  read_exceptions(reader, root, map);
  if (!reader.good()) return std::nullopt;
  return map;
}

std::optional<OsdMap> read_osd_tree(Node root, Diagnostics& diagnostics) {
  DumpReader reader(diagnostics);
  if (!root.is_map()) {
    reader.error(root, "this is no osd tree", "the output of `ceph osd tree -f json`");
    return std::nullopt;
  }
  CrushMap crush;
  OsdMap map;
  struct TreeNode {
    Node at;
    std::string name;
    std::uint16_t type = 0;
    std::uint32_t weight = 0;
    std::vector<std::int32_t> children;
  };
  std::map<std::int32_t, TreeNode> nodes;
  const auto read_node = [&](const Node& node) {
    const std::int32_t id = static_cast<std::int32_t>(reader.integer(node, "id", -1048576, kOsdMax - 1));
    if (nodes.contains(id)) return;  // in several buckets: printed once for each
    TreeNode& here = nodes[id];
    here.at = node;
    here.name = reader.text(node, "name", true);
    here.type = static_cast<std::uint16_t>(reader.integer(node, "type_id", 0, UINT16_MAX));
    crush.set_type(here.type, reader.text(node, "type", true));
    if (id < 0) {
      reader.list(node, "children", true, [&](const Node& child) {
        const std::optional<std::int64_t> value = child.as_integer();
        if (!value || *value < -1048576 || *value >= kOsdMax) return reader.error(child, "wrong child", "the id of an item");
        here.children.insert(here.children.begin(), static_cast<std::int32_t>(*value));  // the tree has them backwards
      });
      return;
    }
    here.weight = reader.fixed(node, "crush_weight", static_cast<double>(kDeviceWeightMax) / kWeightOne, 0.0);
    const std::string device_class = reader.text(node, "device_class", false);
    crush.set_item_name(id, here.name);
    if (!device_class.empty()) crush.set_device_class(id, device_class);
    if (reader.integer(node, "exists", 0, 1, 1) == 0) return;
    map.set_up(id, reader.text(node, "status", true) == "up");
    map.set_weight(id, reader.fixed(node, "reweight", 1, 1.0));
    map.set_primary_affinity(id, reader.fixed(node, "primary_affinity", 1, 1.0));
  };
  reader.list(root, "nodes", true, read_node);
  reader.list(root, "stray", false, read_node);
  // Children before their parents, whose weights are sums.
  std::set<std::int32_t> open;
  const auto build = [&](const auto& self, std::int32_t id) -> bool {
    if (id >= 0 || crush.bucket(id) != nullptr) return true;
    const auto found = nodes.find(id);
    if (found == nodes.end()) return false;
    if (!open.insert(id).second) {
      reader.error(found->second.at, fmt::format("bucket {} contains itself", id));
      return true;
    }
    Bucket bucket;
    bucket.id = id;
    bucket.type = found->second.type;
    for (const std::int32_t child : found->second.children) {
      const auto below = nodes.find(child);
      if (below == nodes.end() || !self(self, child)) {
        reader.error(found->second.at, fmt::format("item {} of bucket '{}' is not among the nodes", child, found->second.name));
        continue;
      }
      const Bucket* made = crush.bucket(child);
      bucket.items.push_back(child);
      bucket.weights.push_back(made != nullptr ? made->weight : below->second.weight);
    }
    if (reader.good()) crush.put_bucket(std::move(bucket), found->second.name);
    return true;
  };
  for (const auto& [id, node] : nodes) build(build, id);
  if (!reader.good()) return std::nullopt;
  crush.rebuild_shadows();
  map.set_crush(std::move(crush));
  return map;
}

}  // namespace sim::scenario

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "sim/models/ceph/views/crush_walk.hpp"
#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/text_table.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

std::int64_t pgs_on(const CephCluster& cluster, int osd) {
  std::int64_t count = 0;
  for (const std::uint32_t index : cluster.pgs().pgs_of(osd)) {
    const Pg& pg = cluster.pgs().pg(index);
    const bool here = std::find(pg.acting.begin(), pg.acting.end(), osd) != pg.acting.end() || std::find(pg.up.begin(), pg.up.end(), osd) != pg.up.end();
    if (here) ++count;
  }
  return count;
}

/// What stands behind one line: an OSD, or all OSDs below a bucket. OSDs that are out have no space.
struct Space {
  double size = 0.0;
  double used = 0.0;
  double data = 0.0;
  double ratio() const { return size > 0.0 ? 100.0 * used / size : 0.0; }
  double left() const { return std::max(0.0, size - used); }
  void add(const Space& other) {
    size += other.size;
    used += other.used;
    data += other.data;
  }
};

Space space_of(const CephCluster& cluster, int id) {
  if (!cluster.osd_monitor().is_in(id)) return {};
  const Osd& osd = cluster.osd(id);
  return {static_cast<double>(osd.capacity), static_cast<double>(osd.used()), static_cast<double>(osd.pg_used)};
}

Space below(const CephCluster& cluster, std::int32_t item) {
  Space sum;
  for (const std::int32_t device : cluster.map().crush().devices_below(item)) sum.add(space_of(cluster, device));
  return sum;
}

struct Spread {
  Space total;
  double least = 0.0;
  double most = 0.0;
  double deviation = 0.0;
  double var(const Space& of) const { return total.ratio() > 0.0 ? of.ratio() / total.ratio() : 0.0; }
};

Spread spread_of(const CephCluster& cluster) {
  Spread spread;
  for (const Osd& osd : cluster.osds()) spread.total.add(space_of(cluster, osd.id));
  double squares = 0.0;
  double weights = 0.0;
  bool any = false;
  for (const Osd& osd : cluster.osds()) {
    const Space space = space_of(cluster, osd.id);
    if (space.size <= 0.0) continue;
    const double var = spread.var(space);
    spread.least = any ? std::min(spread.least, var) : var;
    spread.most = any ? std::max(spread.most, var) : var;
    any = true;
    const double reweight = static_cast<double>(cluster.map().osd(osd.id).weight) / crush::kWeightOne;
    squares += reweight * (space.ratio() - spread.total.ratio()) * (space.ratio() - spread.total.ratio());
    weights += reweight;
  }
  spread.deviation = weights > 0.0 ? std::sqrt(squares / weights) : 0.0;
  return spread;
}

std::string number(double value) { return value == 0.0 ? "0" : fmt::format("{:.2f}", value); }

std::vector<std::string> cells(const Space& space) {
  return {si_bytes(space.size), si_bytes(space.used), si_bytes(space.data), si_bytes(0), si_bytes(0), si_bytes(space.left()), number(space.ratio())};
}

std::string text_of(const CephCluster& cluster, bool tree) {
  using Align = TextTable::Align;
  const crush::CrushMap& map = cluster.map().crush();
  const Spread spread = spread_of(cluster);
  TextTable table;
  for (const char* heading : {"ID", "CLASS", "WEIGHT", "REWEIGHT", "SIZE", "RAW USE", "DATA", "OMAP", "META", "AVAIL", "%USE", "VAR", "PGS", "STATUS"}) {
    table.column(heading, Align::kRight);
  }
  if (tree) table.column("TYPE NAME", Align::kLeft);
  const auto line = [&](std::vector<std::string> begin, const Space& space, std::vector<std::string> end) {
    const std::vector<std::string> middle = cells(space);
    begin.insert(begin.end(), middle.begin(), middle.end());
    begin.insert(begin.end(), end.begin(), end.end());
    table.row(std::move(begin));
  };
  const auto visit = [&](std::int32_t id, int depth, std::uint32_t weight) {
    const std::string indent(static_cast<std::size_t>(4 * depth), ' ');
    if (id < 0) {
      if (!tree) return;
      const Space space = below(cluster, id);
      line({fmt::format("{}", id), "", weight_text(weight), "-"}, space,
           {number(spread.var(space)), "-", "", fmt::format("{}{} {}", indent, map.type_name(map.bucket(id)->type), map.item_name(id))});
      return;
    }
    const Space space = space_of(cluster, id);
    line({fmt::format("{}", id), map.device_class(id), weight_text(weight), weight_text(cluster.map().osd(id).weight)}, space,
         {number(spread.var(space)), fmt::format("{}", pgs_on(cluster, id)), cluster.osd_monitor().is_up(id) ? "up" : "down", indent + map.item_name(id)});
  };
  for (const std::int32_t root : map.nonshadow_roots()) walk_crush(map, root, 0, map.bucket(root)->weight, visit);
  line({"", "", "", "TOTAL"}, spread.total, {});
  return table.text() + fmt::format("MIN/MAX VAR: {}/{}  STDDEV: {}\n", number(spread.least), number(spread.most), number(spread.deviation));
}

void space_json(JsonWriter& json, std::string_view prefix, const Space& space) {
  const auto kb = [&](const char* name, double bytes) { json.key(fmt::format("{}{}", prefix, name)).number(static_cast<std::int64_t>(bytes / 1024.0)); };
  kb("kb", space.size);
  kb("kb_used", space.used);
  kb("kb_used_data", space.data);
  kb("kb_used_omap", 0.0);
  kb("kb_used_meta", 0.0);
  kb("kb_avail", space.left());
}

std::string json_of(const CephCluster& cluster, bool tree) {
  const crush::CrushMap& map = cluster.map().crush();
  const Spread spread = spread_of(cluster);
  JsonWriter json;
  json.open('{').key("nodes").open('[');
  const auto visit = [&](std::int32_t id, int depth, std::uint32_t weight) {
    if (id < 0 && !tree) return;
    json.open('{').key("id").number(id);
    if (id >= 0) json.key("device_class").string(map.device_class(id));
    const int type = id < 0 ? map.bucket(id)->type : 0;
    json.key("name").string(map.item_name(id)).key("type").string(map.type_name(static_cast<std::uint16_t>(type))).key("type_id").number(type);
    if (id >= 0) json.key("crush_weight").real(static_cast<double>(weight) / crush::kWeightOne).key("depth").number(depth);
    if (depth > 0) json.key("pool_weights").open('{').close('}');
    json.key("reweight");
    if (id < 0) {
      json.number(-1);
    } else {
      json.real(static_cast<double>(cluster.map().osd(id).weight) / crush::kWeightOne);
    }
    const Space space = id < 0 ? below(cluster, id) : space_of(cluster, id);
    space_json(json, "", space);
    json.key("utilization").real(space.ratio()).key("var").real(spread.var(space)).key("pgs").number(id < 0 ? 0 : pgs_on(cluster, id));
    if (id < 0) {
      std::vector<std::int32_t> children;
      walk_crush(map, id, 0, 0, [&](std::int32_t child, int level, std::uint32_t) {
        if (level == 1) children.push_back(child);
      });
      json.key("children").open('[');
      for (auto child = children.rbegin(); child != children.rend(); ++child) json.number(*child);
      json.close(']');
    } else {
      json.key("status").string(cluster.osd_monitor().is_up(id) ? "up" : "down");
    }
    json.close('}');
  };
  for (const std::int32_t root : map.nonshadow_roots()) walk_crush(map, root, 0, map.bucket(root)->weight, visit);
  json.close(']').key("stray").open('[').close(']').key("summary").open('{');
  space_json(json, "total_", spread.total);
  json.key("average_utilization").real(spread.total.ratio()).key("min_var").real(spread.least).key("max_var").real(spread.most).key("dev").real(spread.deviation);
  json.close('}').close('}');
  return json.text();
}

}  // namespace

std::string osd_df_text(const CephCluster& cluster) { return text_of(cluster, false); }
std::string osd_df_json(const CephCluster& cluster) { return json_of(cluster, false); }
std::string osd_df_tree_text(const CephCluster& cluster) { return text_of(cluster, true); }
std::string osd_df_tree_json(const CephCluster& cluster) { return json_of(cluster, true); }

}  // namespace sim::ceph

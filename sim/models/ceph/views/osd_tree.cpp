#include <fmt/format.h>

#include "sim/models/ceph/crush/json.hpp"
#include "sim/models/ceph/views/crush_walk.hpp"
#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/text_table.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

std::string osd_tree_text(const CephCluster& cluster) {
  using Align = TextTable::Align;
  const crush::CrushMap& map = cluster.map().crush();
  TextTable table;
  for (const char* heading : {"ID", "CLASS", "WEIGHT"}) table.column(heading, Align::kRight);
  table.column("TYPE NAME", Align::kLeft);
  for (const char* heading : {"STATUS", "REWEIGHT", "PRI-AFF"}) table.column(heading, Align::kRight);
  for (const std::int32_t root : map.nonshadow_roots()) {
    walk_crush(map, root, 0, map.bucket(root)->weight, [&](std::int32_t id, int depth, std::uint32_t weight) {
      const std::string indent(static_cast<std::size_t>(4 * depth), ' ');
      if (id < 0) {
        table.row({fmt::format("{}", id), "", weight_text(weight), fmt::format("{}{} {}", indent, map.type_name(map.bucket(id)->type), map.item_name(id))});
        return;
      }
      const crush::OsdState& osd = cluster.map().osd(id);
      table.row({fmt::format("{}", id), map.device_class(id), weight_text(weight), indent + map.item_name(id), osd.up ? "up" : "down", weight_text(osd.weight),
                 weight_text(osd.primary_affinity)});
    });
  }
  return table.text();
}

std::string osd_tree_json(const CephCluster& cluster) { return crush::osd_tree_json(cluster.map(), crush::JsonStyle::kCompact); }

std::string osd_stat_text(const CephCluster& cluster) {
  const OsdMonitor& osds = cluster.osd_monitor();
  std::string text = fmt::format("{} osds: {} up (since {}), {} in (since {}); epoch: e{}", cluster.osds().size(), osds.up_count(),
                                 since_text(cluster.now() - osds.last_up_change()), osds.in_count(), since_text(cluster.now() - osds.last_in_change()), cluster.map().epoch);
  if (const std::size_t remapped = remapped_pgs(cluster)) text += fmt::format("; {} remapped pgs", remapped);
  const std::vector<std::string>& flags = cluster.map().flags;
  if (!flags.empty()) text += fmt::format("\nflags {}", fmt::join(flags, ","));
  return text + "\n";
}

void osd_counts_json(const CephCluster& cluster, JsonWriter& json) {
  const OsdMonitor& osds = cluster.osd_monitor();
  json.key("epoch").number(cluster.map().epoch).key("num_osds").number(static_cast<std::int64_t>(cluster.osds().size()));
  json.key("num_up_osds").number(static_cast<std::int64_t>(osds.up_count())).key("osd_up_since").number(unix_seconds(cluster, osds.last_up_change()));
  json.key("num_in_osds").number(static_cast<std::int64_t>(osds.in_count())).key("osd_in_since").number(unix_seconds(cluster, osds.last_in_change()));
  json.key("num_remapped_pgs").number(static_cast<std::int64_t>(remapped_pgs(cluster)));
}

std::string osd_stat_json(const CephCluster& cluster) {
  JsonWriter json;
  json.open('{');
  osd_counts_json(cluster, json);
  json.close('}');
  return json.text();
}

std::string osd_dump_json(const CephCluster& cluster) {
  return crush::osd_map_json(cluster.map(), crush::JsonStyle::kCompact);
}

}  // namespace sim::ceph

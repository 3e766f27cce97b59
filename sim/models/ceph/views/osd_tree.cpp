#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

double weight_of(std::uint32_t fixed) { return static_cast<double>(fixed) / crush::kWeightOne; }

/// Calls visit(id, depth, weight) for an item and all below it.
template <class Visit>
void walk(const crush::CrushMap& map, std::int32_t item, int depth, std::uint32_t weight, Visit&& visit) {
  visit(item, depth, weight);
  const crush::Bucket* bucket = item < 0 ? map.bucket(item) : nullptr;
  if (bucket == nullptr) return;
  for (std::size_t i = 0; i < bucket->items.size(); ++i) walk(map, bucket->items[i], depth + 1, bucket->weights[i], visit);
}

}  // namespace

std::string osd_tree_text(const CephCluster& cluster) {
  const crush::CrushMap& map = cluster.map().crush();
  std::string text = fmt::format("{:<4} {:<6} {:>9} {:<30} {:<7} {:>9} {:>7}\n", "ID", "CLASS", "WEIGHT", "TYPE NAME", "STATUS", "REWEIGHT", "PRI-AFF");
  for (const std::int32_t root : map.nonshadow_roots()) {
    walk(map, root, 0, map.bucket(root)->weight, [&](std::int32_t id, int depth, std::uint32_t weight) {
      const std::string indent(static_cast<std::size_t>(4 * depth), ' ');
      if (id < 0) {
        text += fmt::format("{:<4} {:<6} {:>9.5f} {}\n", id, "", weight_of(weight), fmt::format("{}{} {}", indent, map.type_name(map.bucket(id)->type), map.item_name(id)));
        return;
      }
      const crush::OsdState& osd = cluster.map().osd(id);
      text += fmt::format("{:<4} {:<6} {:>9.5f} {:<30} {:<7} {:>9.5f} {:>7.5f}\n", id, map.device_class(id), weight_of(weight), indent + map.item_name(id), osd.up ? "up" : "down",
                          weight_of(osd.weight), weight_of(osd.primary_affinity));
    });
  }
  return text;
}

std::string osd_tree_json(const CephCluster& cluster) {
  const crush::CrushMap& map = cluster.map().crush();
  JsonWriter json;
  json.open('{').key("nodes").open('[');
  for (const std::int32_t root : map.nonshadow_roots()) {
    walk(map, root, 0, map.bucket(root)->weight, [&](std::int32_t id, int depth, std::uint32_t weight) {
      json.open('{').key("id").number(id);
      if (id >= 0) json.key("device_class").string(map.device_class(id));
      json.key("name").string(map.item_name(id));
      json.key("type").string(id < 0 ? map.type_name(map.bucket(id)->type) : map.type_name(0)).key("type_id").number(id < 0 ? map.bucket(id)->type : 0);
      if (id < 0) {
        json.key("children").open('[');
        const crush::Bucket& bucket = *map.bucket(id);
        for (std::size_t i = bucket.items.size(); i > 0; --i) json.number(bucket.items[i - 1]);
        json.close(']');
      } else {
        const crush::OsdState& osd = cluster.map().osd(id);
        json.key("crush_weight").real(weight_of(weight)).key("depth").number(depth).key("exists").number(1).key("status").string(osd.up ? "up" : "down");
        json.key("reweight").real(weight_of(osd.weight)).key("primary_affinity").real(weight_of(osd.primary_affinity));
      }
      json.close('}');
    });
  }
  json.close(']').key("stray").open('[').close(']').close('}');
  return json.text();
}

}  // namespace sim::ceph

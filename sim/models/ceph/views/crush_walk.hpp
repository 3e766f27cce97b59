/// Every item of the CRUSH tree in the order in which Ceph prints it: children by name, devices by class and number.
///
/// Source:     Ceph 16.2 src/crush/CrushTreeDumper.h.
/// Checked by: tests/models/ceph/views_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "sim/models/ceph/crush/crush_map.hpp"

namespace sim::ceph {

/// Calls visit(id, depth, weight) for an item and all below it.
template <class Visit>
void walk_crush(const crush::CrushMap& map, std::int32_t item, int depth, std::uint32_t weight, Visit&& visit) {
  visit(item, depth, weight);
  const crush::Bucket* bucket = item < 0 ? map.bucket(item) : nullptr;
  if (bucket == nullptr) return;
  std::map<std::string, std::pair<std::int32_t, std::uint32_t>> children;
  for (std::size_t i = 0; i < bucket->items.size(); ++i) {
    const std::int32_t child = bucket->items[i];
    children.emplace(child >= 0 ? fmt::format("{}_osd.{:08}", map.device_class(child), child) : "_" + map.item_name(child), std::pair(child, bucket->weights[i]));
  }
  for (const auto& [name, child] : children) walk_crush(map, child.first, depth + 1, child.second, visit);
}

}  // namespace sim::ceph

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/text_table.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

using Align = TextTable::Align;

struct Space {
  double size = 0.0;
  double used = 0.0;
  double left() const { return std::max(0.0, size - used); }
  double ratio() const { return size > 0.0 ? used / size : 0.0; }
  void add(const Osd& osd) {
    size += static_cast<double>(osd.capacity);
    used += static_cast<double>(osd.used());
  }
};

struct PoolSpace {
  double stored = 0.0;
  double objects = 0.0;
  double used = 0.0;
  double avail = 0.0;  // that clients may write before an OSD of its rule is full
  double raw_rate = 1.0;
  double ratio() const { return used + avail * raw_rate > 0.0 ? used / (used + avail * raw_rate) : 0.0; }
};

PoolSpace space_of(const CephCluster& cluster, const PoolState& pool) {
  PoolSpace space;
  space.objects = pool.objects_per_pg * pool.pg_num;
  space.stored = pool.shard_bytes * static_cast<double>(pool.needed) * pool.pg_num;
  space.raw_rate = static_cast<double>(pool.size) / static_cast<double>(pool.needed);
  for (std::uint32_t i = 0; i < pool.pg_num; ++i) {
    for (const Shard& shard : cluster.pgs().pg(pool.first_pg + i).shards) space.used += shard.backfilled * pool.shard_bytes;
  }
  // Every OSD that the rule can choose is filled by its share of the weight; the first one that would be full ends it.
  const crush::CrushMap& map = cluster.map().crush();
  std::map<int, double> weights;
  double all = 0.0;
  for (std::int32_t id = -1; id >= -map.max_buckets(); --id) {
    const crush::Bucket* bucket = map.is_shadow(id) ? nullptr : map.bucket(id);
    for (std::size_t i = 0; bucket != nullptr && i < bucket->items.size(); ++i) {
      const std::int32_t osd = bucket->items[i];
      if (osd < 0 || (!pool.config.device_class.empty() && map.device_class(osd) != pool.config.device_class)) continue;
      weights[osd] = static_cast<double>(bucket->weights[i]);
      all += weights[osd];
    }
  }
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [id, weight] : weights) {
    if (!cluster.osd_monitor().is_in(id) || weight <= 0.0) continue;
    const Osd& osd = cluster.osd(id);
    const double size = static_cast<double>(osd.capacity);
    const double usable = std::max(0.0, size * cluster.config().osd.full_ratio - static_cast<double>(osd.used()));
    least = std::min(least, usable * all / weight);
  }
  space.avail = std::isinf(least) ? 0.0 : least / space.raw_rate;
  return space;
}

std::map<std::string, Space> by_class(const CephCluster& cluster, Space& total) {
  std::map<std::string, Space> spaces;
  for (const Osd& osd : cluster.osds()) {
    if (!cluster.osd_monitor().is_in(osd.id)) continue;
    spaces[osd.device_class].add(osd);
    total.add(osd);
  }
  return spaces;
}

std::string percent(double ratio) { return ratio == 0.0 ? "0" : fmt::format("{:.2f}", 100.0 * ratio); }

}  // namespace

std::string df_text(const CephCluster& cluster) {
  TextTable raw;
  raw.column("CLASS", Align::kLeft);
  for (const char* heading : {"SIZE", "AVAIL", "USED", "RAW USED", "%RAW USED"}) raw.column(heading, Align::kRight);
  Space total;
  const auto row = [&raw](const std::string& name, const Space& space) {
    raw.row({name, si_bytes(space.size), si_bytes(space.left()), si_bytes(space.used), si_bytes(space.used), percent(space.ratio())});
  };
  for (const auto& [name, space] : by_class(cluster, total)) row(name, space);
  row("TOTAL", total);
  TextTable pools;
  pools.column("POOL", Align::kLeft);
  for (const char* heading : {"ID", "PGS", "STORED", "OBJECTS", "USED", "%USED", "MAX AVAIL"}) pools.column(heading, Align::kRight);
  for (const PoolState& pool : cluster.pgs().pools()) {
    const PoolSpace space = space_of(cluster, pool);
    pools.row({pool.config.name, fmt::format("{}", pool.id), fmt::format("{}", pool.pg_num), si_bytes(space.stored), si_count(space.objects), si_bytes(space.used),
               percent(space.ratio()), si_bytes(space.avail)});
  }
  return "--- RAW STORAGE ---\n" + raw.text() + " \n--- POOLS ---\n" + pools.text();
}

std::string df_json(const CephCluster& cluster) {
  JsonWriter json;
  Space total;
  const std::map<std::string, Space> classes = by_class(cluster, total);
  const auto put = [&json](const Space& space) {
    json.key("total_bytes").number(std::llround(space.size)).key("total_avail_bytes").number(std::llround(space.left()));
    json.key("total_used_bytes").number(std::llround(space.used)).key("total_used_raw_bytes").number(std::llround(space.used)).key("total_used_raw_ratio").real(space.ratio());
  };
  json.open('{').key("stats").open('{');
  put(total);
  json.key("num_osds").number(static_cast<std::int64_t>(cluster.osds().size())).close('}').key("stats_by_class").open('{');
  for (const auto& [name, space] : classes) {
    json.key(name).open('{');
    put(space);
    json.close('}');
  }
  json.close('}').key("pools").open('[');
  for (const PoolState& pool : cluster.pgs().pools()) {
    const PoolSpace space = space_of(cluster, pool);
    json.open('{').key("name").string(pool.config.name).key("id").number(pool.id).key("stats").open('{').key("stored").number(std::llround(space.stored));
    json.key("objects").number(std::llround(space.objects)).key("kb_used").number(std::llround(space.used / 1024.0)).key("bytes_used").number(std::llround(space.used));
    json.key("percent_used").real(space.ratio()).key("max_avail").number(std::llround(space.avail)).close('}').close('}');
  }
  json.close(']').close('}');
  return json.text();
}

}  // namespace sim::ceph

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

std::string set_text(const std::vector<int>& osds) {
  std::string text = "[";
  for (const int osd : osds) text += fmt::format("{}{}", text.size() > 1 ? "," : "", osd == kNoOsd ? std::string("NONE") : fmt::format("{}", osd));
  return text + "]";
}

void set_json(JsonWriter& json, std::string_view name, const std::vector<int>& osds) {
  json.key(name).open('[');
  for (const int osd : osds) json.number(osd);
  json.close(']');
}

}  // namespace

std::string pg_stat_text(const CephCluster& cluster) {
  const DataTotals totals = data_totals(cluster);
  std::string states;
  for (const auto& [name, count] : pgs_by_state(cluster)) states += fmt::format("{}{} {}", states.empty() ? "" : ", ", count, name);
  std::string text = fmt::format("{} pgs: {}; {} data, {} used, {} / {} avail", totals.pgs, states, si_bytes(totals.stored), si_bytes(totals.used),
                                 si_bytes(std::max(0.0, totals.capacity - totals.used)), si_bytes(totals.capacity));
  if (totals.degraded > 0.0) text += fmt::format("; {:.0f}/{:.0f} objects degraded ({:.3f}%)", totals.degraded, totals.copies, 100.0 * totals.degraded / totals.copies);
  if (totals.misplaced > 0.0) text += fmt::format("; {:.0f}/{:.0f} objects misplaced ({:.3f}%)", totals.misplaced, totals.copies, 100.0 * totals.misplaced / totals.copies);
  return text + "\n";
}

std::string pg_stat_json(const CephCluster& cluster) {
  const DataTotals totals = data_totals(cluster);
  JsonWriter json;
  json.open('{').key("pg_ready").boolean(totals.unknown == 0).key("pg_summary").open('{').key("num_pg_by_state").open('[');
  for (const auto& [name, count] : pgs_by_state(cluster)) json.open('{').key("name").string(name).key("num").number(count).close('}');
  json.close(']').key("num_pgs").number(totals.pgs).key("num_bytes").number(std::llround(totals.stored)).key("total_bytes").number(std::llround(totals.capacity));
  json.key("total_avail_bytes").number(std::llround(std::max(0.0, totals.capacity - totals.used))).key("total_used_bytes").number(std::llround(totals.used)).close('}').close('}');
  return json.text();
}

std::string pg_dump_text(const CephCluster& cluster) {
  std::string text = "PG_STAT  STATE  UP  UP_PRIMARY  ACTING  ACTING_PRIMARY\n";
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    text += fmt::format("{}  {}  {}  {}  {}  {}\n", pg.id.to_string(), pg_state_name(cluster.told_state(pg)), set_text(pg.up), pg.up_primary, set_text(pg.acting), pg.primary);
  }
  return text;
}

std::string pg_dump_json(const CephCluster& cluster) {
  JsonWriter json;
  json.open('{').key("pg_ready").boolean(true).key("pg_stats").open('[');
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    const PoolState& pool = cluster.pgs().pool_of(pg);
    json.open('{').key("pgid").string(pg.id.to_string()).key("state").string(pg_state_name(cluster.told_state(pg)));
    set_json(json, "up", pg.up);
    json.key("up_primary").number(pg.up_primary);
    set_json(json, "acting", pg.acting);
    json.key("acting_primary").number(pg.primary);
    set_json(json, "blocked_by", pg.blocked_by);
    json.key("same_interval_since").number(pg.interval_since).key("last_epoch_clean").number(pg.last_epoch_clean).key("num_objects").number(std::llround(pool.objects_per_pg));
    json.key("num_objects_degraded").number(std::llround(cluster.pgs().degraded_objects(pg))).key("num_objects_misplaced").number(std::llround(cluster.pgs().misplaced_objects(pg)));
    json.key("num_objects_unfound").number(std::llround((pg.state & kPgRecoveryUnfound) != 0 ? cluster.pgs().unfound_objects(pg) : 0.0)).close('}');
  }
  json.close(']').close('}');
  return json.text();
}

}  // namespace sim::ceph

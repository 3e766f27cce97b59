#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/text_table.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

using Align = TextTable::Align;

void set_json(JsonWriter& json, std::string_view name, const std::vector<int>& osds) {
  json.key(name).open('[');
  for (const int osd : osds) json.number(osd);
  json.close(']');
}

/// What one PG, a pool or all of them hold, in objects.
struct Objects {
  double objects = 0.0;
  double copies = 0.0;
  double missing_on_primary = 0.0;
  double degraded = 0.0;
  double misplaced = 0.0;
  double unfound = 0.0;
  double bytes = 0.0;
  std::uint64_t log = 0;
  void add(const Objects& other) {
    objects += other.objects;
    copies += other.copies;
    missing_on_primary += other.missing_on_primary;
    degraded += other.degraded;
    misplaced += other.misplaced;
    unfound += other.unfound;
    bytes += other.bytes;
    log += other.log;
  }
};

/// Its last version now: writes are counted when something changes only.
std::uint64_t head_of(const CephCluster& cluster, const Pg& pg) {
  if (!pg.takes_writes) return pg.head;
  const PoolState& pool = cluster.pgs().pool_of(pg);
  const double more = pg.write_rest + pool.config.writes_per_second / static_cast<double>(pool.pg_num) * seconds(cluster.now() - pg.writing_since);
  return pg.head + static_cast<std::uint64_t>(more);
}

Objects objects_of(const CephCluster& cluster, const Pg& pg) {
  const PlacementGroups& pgs = cluster.pgs();
  const PoolState& pool = pgs.pool_of(pg);
  Objects found;
  found.objects = pool.objects_per_pg;
  found.copies = pool.objects_per_pg * static_cast<double>(pool.size);
  found.degraded = pgs.degraded_objects(pg);
  found.misplaced = pgs.misplaced_objects(pg);
  if ((pg.state & kPgRecoveryUnfound) != 0) found.unfound = pgs.unfound_objects(pg);
  found.bytes = pool.shard_bytes * static_cast<double>(pool.needed);
  found.log = std::min(head_of(cluster, pg), pgs.log_entries(pg));
  for (const Shard& shard : pg.shards) {
    if (shard.osd == pg.primary) found.missing_on_primary += std::min(pool.objects_per_pg, pgs.missing_objects(pool, shard.missing()));
  }
  return found;
}

/// The last write: an epoch and a number. Writes go on in the epoch of now; others ended in the interval that was active last.
std::string version_text(const CephCluster& cluster, const Pg& pg) {
  const std::uint64_t head = head_of(cluster, pg);
  return head == 0 ? "0'0" : fmt::format("{}'{}", pg.takes_writes ? cluster.map().epoch : pg.last_epoch_started, head);
}

constexpr std::array<const char*, 9> kObjectColumns = {"OBJECTS", "MISSING_ON_PRIMARY", "DEGRADED", "MISPLACED", "UNFOUND", "BYTES", "OMAP_BYTES*", "OMAP_KEYS*", "LOG"};

std::vector<std::string> object_cells(const Objects& of) {
  const auto whole = [](double value) { return fmt::format("{:.0f}", value); };
  return {whole(of.objects), whole(of.missing_on_primary), whole(of.degraded), whole(of.misplaced), whole(of.unfound), whole(of.bytes), "0", "0", fmt::format("{}", of.log),
          fmt::format("{}", of.log)};
}

/// Text as `ceph pg dump pgs`. Scrubs and reports are not modelled.
std::string pgs_table(const CephCluster& cluster) {
  TextTable table;
  table.column("PG_STAT", Align::kLeft);
  for (const char* heading : kObjectColumns) table.column(heading, Align::kRight);
  for (const char* heading : {"DISK_LOG", "STATE", "STATE_STAMP", "VERSION", "REPORTED", "UP", "UP_PRIMARY", "ACTING", "ACTING_PRIMARY", "LAST_SCRUB", "SCRUB_STAMP",
                              "LAST_DEEP_SCRUB", "DEEP_SCRUB_STAMP", "SNAPTRIMQ_LEN"}) {
    table.column(heading, Align::kRight);
  }
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    std::vector<std::string> row{pg.id.to_string()};
    const std::vector<std::string> objects = object_cells(objects_of(cluster, pg));
    row.insert(row.end(), objects.begin(), objects.end());
    row.insert(row.end(), {pg_state_name(cluster.told_state(pg)), stamp_text(cluster, pg.changed), version_text(cluster, pg), "-", osd_set_text(pg.up), fmt::format("{}", pg.up_primary),
                           osd_set_text(pg.acting), fmt::format("{}", pg.primary), "-", "-", "-", "-", "0"});
    table.row(std::move(row));
  }
  return table.text();
}

std::string pools_table(const CephCluster& cluster) {
  TextTable table;
  table.column("POOLID", Align::kLeft);
  for (const char* heading : kObjectColumns) table.column(heading, Align::kRight);
  table.column("DISK_LOG", Align::kRight);
  Objects sum;
  for (const PoolState& pool : cluster.pgs().pools()) {
    Objects all;
    for (std::uint32_t i = 0; i < pool.pg_num; ++i) all.add(objects_of(cluster, cluster.pgs().pg(pool.first_pg + i)));
    std::vector<std::string> row{fmt::format("{}", pool.id)};
    const std::vector<std::string> objects = object_cells(all);
    row.insert(row.end(), objects.begin(), objects.end());
    table.row(std::move(row));
    sum.add(all);
  }
  std::vector<std::string> row{"sum"};
  const std::vector<std::string> objects = object_cells(sum);
  row.insert(row.end(), objects.begin(), objects.end());
  table.row(std::move(row));
  return table.text();
}

std::string osds_table(const CephCluster& cluster) {
  TextTable table;
  table.column("OSD_STAT", Align::kLeft);
  for (const char* heading : {"USED", "AVAIL", "USED_RAW", "TOTAL", "HB_PEERS", "PG_SUM", "PRIMARY_PG_SUM"}) table.column(heading, Align::kRight);
  double all_used = 0.0;
  double all_size = 0.0;
  for (const Osd& osd : cluster.osds()) {
    const bool in = cluster.osd_monitor().is_in(osd.id);
    const double size = in ? static_cast<double>(osd.capacity) : 0.0;
    const double used = in ? static_cast<double>(osd.used()) : 0.0;
    std::size_t held = 0;
    std::size_t primary = 0;
    for (const std::uint32_t index : cluster.pgs().pgs_of(osd.id)) {
      const Pg& pg = cluster.pgs().pg(index);
      held += std::find(pg.acting.begin(), pg.acting.end(), osd.id) != pg.acting.end() ? 1u : 0u;
      primary += pg.primary == osd.id ? 1u : 0u;
    }
    table.row({fmt::format("{}", osd.id), si_bytes(used), si_bytes(std::max(0.0, size - used)), si_bytes(used), si_bytes(size),
               osd_set_text(cluster.osd_monitor().is_up(osd.id) ? cluster.heartbeat_peers(osd.id) : std::vector<int>{}), fmt::format("{}", held), fmt::format("{}", primary)});
    all_used += used;
    all_size += size;
  }
  table.row({"sum", si_bytes(all_used), si_bytes(std::max(0.0, all_size - all_used)), si_bytes(all_used), si_bytes(all_size)});
  return table.text();
}

void objects_json(JsonWriter& json, const Objects& of) {
  json.key("stat_sum").open('{').key("num_bytes").number(std::llround(of.bytes)).key("num_objects").number(std::llround(of.objects));
  json.key("num_object_copies").number(std::llround(of.copies)).key("num_objects_missing_on_primary").number(std::llround(of.missing_on_primary));
  json.key("num_objects_degraded").number(std::llround(of.degraded)).key("num_objects_misplaced").number(std::llround(of.misplaced));
  json.key("num_objects_unfound").number(std::llround(of.unfound)).close('}');
  json.key("log_size").number(static_cast<std::int64_t>(of.log)).key("ondisk_log_size").number(static_cast<std::int64_t>(of.log));
}

void brief_json(JsonWriter& json, const CephCluster& cluster, const Pg& pg) {
  json.key("pgid").string(pg.id.to_string()).key("state").string(pg_state_name(cluster.told_state(pg)));
  set_json(json, "up", pg.up);
  set_json(json, "acting", pg.acting);
  json.key("up_primary").number(pg.up_primary).key("acting_primary").number(pg.primary);
}

void pgs_json(JsonWriter& json, const CephCluster& cluster) {
  json.key("pg_stats").open('[');
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    json.open('{');
    brief_json(json, cluster, pg);
    json.key("version").string(version_text(cluster, pg)).key("last_change").string(stamp_text(cluster, pg.changed)).key("mapping_epoch").number(pg.interval_since);
    json.key("last_epoch_clean").number(pg.last_epoch_clean);
    objects_json(json, objects_of(cluster, pg));
    set_json(json, "blocked_by", pg.blocked_by);
    json.close('}');
  }
  json.close(']');
}

}  // namespace

std::string pg_stat_text(const CephCluster& cluster) {
  const DataTotals totals = data_totals(cluster);
  std::string states;
  for (const auto& [name, count] : pgs_by_state(cluster)) states += fmt::format("{}{} {}", states.empty() ? "" : ", ", count, name);
  std::string text = fmt::format("{} pgs: {}; {} data, {} used, {} / {} avail", totals.pgs, states, si_bytes(totals.stored), si_bytes(totals.used),
                                 si_bytes(std::max(0.0, totals.capacity - totals.used)), si_bytes(totals.capacity));
  for (const std::string& line : recovery_lines(totals)) text += "; " + line;
  if (const std::string rate = recovery_rate_text(cluster); !rate.empty()) text += fmt::format("; {} recovering", rate);
  return text + "\n";
}

std::string pg_stat_json(const CephCluster& cluster) {
  const DataTotals totals = data_totals(cluster);
  JsonWriter json;
  json.open('{').key("pg_ready").boolean(totals.unknown == 0).key("pg_summary").open('{').key("num_pg_by_state").open('[');
  for (const auto& [name, count] : pgs_by_state(cluster)) json.open('{').key("name").string(name).key("num").number(count).close('}');
  json.close(']').key("num_pgs").number(totals.pgs).key("num_bytes").number(std::llround(totals.stored)).key("total_bytes").number(std::llround(totals.capacity));
  json.key("total_avail_bytes").number(std::llround(std::max(0.0, totals.capacity - totals.used))).key("total_used_bytes").number(std::llround(totals.used));
  json.key("total_used_raw_bytes").number(std::llround(totals.used));
  recovery_json(cluster, totals, json);
  json.close('}').close('}');
  return json.text();
}

std::string pg_dump_text(const CephCluster& cluster) {
  std::string text = fmt::format("version {}\nstamp {}\nlast_osdmap_epoch 0\nlast_pg_scan 0\n", cluster.map().epoch, stamp_text(cluster, cluster.now()));
  text += pgs_table(cluster) + "\n" + pools_table(cluster) + "\n" + osds_table(cluster);
  return text + "\n* NOTE: Omap statistics, reports and scrubs are not modelled: 0 or -\n";
}

std::string pg_dump_json(const CephCluster& cluster) {
  JsonWriter json;
  json.open('{').key("pg_ready").boolean(data_totals(cluster).unknown == 0).key("pg_map").open('{').key("version").number(cluster.map().epoch);
  json.key("stamp").string(stamp_text(cluster, cluster.now()));
  Objects sum;
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) sum.add(objects_of(cluster, cluster.pgs().pg(i)));
  json.key("pg_stats_sum").open('{');
  objects_json(json, sum);
  json.close('}');
  pgs_json(json, cluster);
  json.key("pool_stats").open('[');
  for (const PoolState& pool : cluster.pgs().pools()) {
    Objects all;
    for (std::uint32_t i = 0; i < pool.pg_num; ++i) all.add(objects_of(cluster, cluster.pgs().pg(pool.first_pg + i)));
    json.open('{').key("poolid").number(pool.id).key("num_pg").number(pool.pg_num);
    objects_json(json, all);
    json.close('}');
  }
  json.close(']').key("osd_stats").open('[');
  for (const Osd& osd : cluster.osds()) {
    const bool in = cluster.osd_monitor().is_in(osd.id);
    json.open('{').key("osd").number(osd.id).key("up_from").number(osd.up_from).key("kb").number(in ? osd.capacity / 1024 : 0).key("kb_used").number(in ? osd.used() / 1024 : 0);
    json.key("kb_avail").number(in ? std::max<std::int64_t>(0, osd.capacity - osd.used()) / 1024 : 0);
    set_json(json, "hb_peers", cluster.osd_monitor().is_up(osd.id) ? cluster.heartbeat_peers(osd.id) : std::vector<int>{});
    json.close('}');
  }
  json.close(']').close('}').close('}');
  return json.text();
}

std::string pg_dump_brief_text(const CephCluster& cluster) {
  TextTable table;
  table.column("PG_STAT", Align::kLeft);
  for (const char* heading : {"STATE", "UP", "UP_PRIMARY", "ACTING", "ACTING_PRIMARY"}) table.column(heading, Align::kRight);
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    table.row({pg.id.to_string(), pg_state_name(cluster.told_state(pg)), osd_set_text(pg.up), fmt::format("{}", pg.up_primary), osd_set_text(pg.acting), fmt::format("{}", pg.primary)});
  }
  return table.text();
}

std::string pg_dump_brief_json(const CephCluster& cluster) {
  JsonWriter json;
  json.open('{').key("pg_ready").boolean(data_totals(cluster).unknown == 0).key("pg_stats").open('[');
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    json.open('{');
    brief_json(json, cluster, cluster.pgs().pg(i));
    json.close('}');
  }
  json.close(']').close('}');
  return json.text();
}

}  // namespace sim::ceph

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

constexpr std::size_t kDetailMax = 50;   // mon_health_max_detail: Ceph stops when it has more than so many lines of PGs
constexpr std::size_t kPgPerOsdMax = 250;  // mon_max_pg_per_osd
constexpr std::size_t kDefaultSize = 3;    // osd_pool_default_size

std::string plural(std::size_t count, std::string_view one, std::string_view many) { return fmt::format("{} {}", count, count == 1 ? one : many); }

void mon_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const Monitors& monitors = cluster.monitors();
  const std::vector<std::size_t> all = monitors.monmap();
  const std::vector<std::size_t> quorum = monitors.quorum();
  if (!monitors.has_quorum()) {
    // No monitor could say so; this is the simulator's word.
    checks.push_back({"MON_QUORUM_LOST", HealthSeverity::kErr, fmt::format("no quorum: {} of {} monitors are needed", monitors.majority(), all.size()), {}});
    return;
  }
  if (quorum.size() < all.size()) {
    std::string names;
    for (const std::size_t mon : quorum) names += (names.empty() ? "" : ",") + monitors.name(mon);
    HealthCheck check{"MON_DOWN", HealthSeverity::kWarn, fmt::format("{}/{} mons down, quorum {}", all.size() - quorum.size(), all.size(), names), {}};
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      if (std::find(quorum.begin(), quorum.end(), all[rank]) == quorum.end()) {
        check.detail.push_back(fmt::format("mon.{} (rank {}) is down (out of quorum)", monitors.name(all[rank]), rank));
      }
    }
    checks.push_back(std::move(check));
  }
  const auto skews = monitors.known_skews();
  if (!skews.empty()) {
    HealthCheck check{"MON_CLOCK_SKEW", HealthSeverity::kWarn, "clock skew detected on ", {}};
    for (const auto& [mon, skew] : skews) {
      check.summary += fmt::format("{}mon.{}", check.detail.empty() ? "" : ", ", monitors.name(mon));
      check.detail.push_back(fmt::format("mon.{} clock skew {:g}s > max {:g}s", monitors.name(mon), std::abs(seconds(skew)), seconds(cluster.config().mon.clock_drift_allowed)));
    }
    checks.push_back(std::move(check));
  }
}

void mgr_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const Managers& managers = cluster.managers();
  if (managers.active() || managers.size() == 0) return;
  const bool long_ago = cluster.now() - managers.inactive_since() > cluster.config().mon.mgr_inactive_grace;
  checks.push_back({"MGR_DOWN", long_ago ? HealthSeverity::kErr : HealthSeverity::kWarn, "no active mgr", {}});
}

/// OSDs that are down and in, and the hosts, racks and roots that are down as a whole.
void down_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const OsdMonitor& map = cluster.osd_monitor();
  const std::vector<HostConfig>& places = cluster.config().hosts;
  struct Subtree {
    std::string where;  // what it stands in, for the detail
    std::size_t osds = 0;
    std::size_t up = 0;
    std::size_t down_and_in = 0;
  };
  HealthCheck down{"OSD_DOWN", HealthSeverity::kWarn, "", {}};
  std::map<std::string, Subtree> hosts, racks, roots;
  for (const Osd& osd : cluster.osds()) {
    const HostConfig& place = places[osd.location];
    const std::string rack = place.rack.empty() ? "" : ",rack=" + place.rack;
    hosts[place.host].where = " (root=default" + rack + ")";
    if (!place.rack.empty()) racks[place.rack].where = " (root=default)";
    const bool is_down_and_in = !map.is_up(osd.id) && map.is_in(osd.id);
    const auto count = [&](Subtree& subtree) {
      ++subtree.osds;
      subtree.up += map.is_up(osd.id) ? 1u : 0u;
      subtree.down_and_in += is_down_and_in ? 1u : 0u;
    };
    count(hosts[place.host]);
    if (!place.rack.empty()) count(racks[place.rack]);
    count(roots["default"]);
    if (is_down_and_in) down.detail.push_back(fmt::format("{} (root=default{},host={}) is down", osd.name, rack, place.host));
  }
  if (down.detail.empty()) return;
  down.summary = fmt::format("{} osds down", down.detail.size());
  checks.push_back(std::move(down));
  // OSDs that are out are no reason to tell of a subtree, and do not keep it from being down.
  const auto whole = [&](const char* code, const char* type, const std::map<std::string, Subtree>& subtrees) {
    HealthCheck check{code, HealthSeverity::kWarn, "", {}};
    std::size_t osds = 0;
    for (const auto& [name, subtree] : subtrees) {
      if (subtree.up > 0 || subtree.down_and_in == 0) continue;
      osds += subtree.osds;
      check.detail.push_back(fmt::format("{} {}{} ({} osds) is down", type, name, subtree.where, subtree.osds));
    }
    if (check.detail.empty()) return;
    check.summary = fmt::format("{} ({} osds) down", plural(check.detail.size(), type, fmt::format("{}s", type)), osds);
    checks.push_back(std::move(check));
  };
  whole("OSD_HOST_DOWN", "host", hosts);
  whole("OSD_RACK_DOWN", "rack", racks);
  whole("OSD_ROOT_DOWN", "root", roots);
}

void full_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const OsdMonitor& map = cluster.osd_monitor();
  struct Level {
    Fullness level;
    const char* osd_code;
    const char* pool_code;
    const char* summary;
    const char* of_osd;
    const char* of_pool;
    HealthSeverity severity;
  };
  // A full OSD is an error, a full pool a warning.
  for (const Level& level : {Level{Fullness::kNearfull, "OSD_NEARFULL", "POOL_NEARFULL", "nearfull", "near full", "nearfull", HealthSeverity::kWarn},
                             Level{Fullness::kBackfillfull, "OSD_BACKFILLFULL", "POOL_BACKFILLFULL", "backfillfull", "backfill full", "backfillfull", HealthSeverity::kWarn},
                             Level{Fullness::kFull, "OSD_FULL", "POOL_FULL", "full", "full", "full (no space)", HealthSeverity::kErr}}) {
    HealthCheck osds{level.osd_code, level.severity, "", {}};
    HealthCheck pools{level.pool_code, HealthSeverity::kWarn, "", {}};
    const auto counts = [&](const Osd& osd) { return map.is_up(osd.id) && map.is_in(osd.id); };
    for (const Osd& osd : cluster.osds()) {
      if (osd.fullness == level.level && counts(osd)) osds.detail.push_back(fmt::format("{} is {}", osd.name, level.of_osd));
    }
    for (const PoolState& pool : cluster.pgs().pools()) {
      // A pool is as full as the fullest OSD that its rule can choose.
      Fullness worst = Fullness::kNone;
      for (const Osd& osd : cluster.osds()) {
        if (counts(osd) && (pool.config.device_class.empty() || pool.config.device_class == osd.device_class)) worst = std::max(worst, osd.fullness);
      }
      if (worst == level.level) pools.detail.push_back(fmt::format("pool '{}' is {}", pool.config.name, level.of_pool));
    }
    if (!osds.detail.empty()) {
      osds.summary = fmt::format("{} {} osd(s)", osds.detail.size(), level.summary);
      checks.push_back(std::move(osds));
    }
    if (!pools.detail.empty()) {
      pools.summary = fmt::format("{} pool(s) {}", pools.detail.size(), level.summary);
      checks.push_back(std::move(pools));
    }
  }
}

void flag_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  if (!cluster.map().flags.empty()) {
    const std::string flags = fmt::format("{}", fmt::join(cluster.map().flags, ","));
    // Ceph gives the length of the text for the number.
    checks.push_back({"OSDMAP_FLAGS", HealthSeverity::kWarn, fmt::format("{} flag(s) set", flags), {}, static_cast<std::int64_t>(flags.size())});
  }
  HealthCheck flags{"OSD_FLAGS", HealthSeverity::kWarn, "", {}};
  for (const Osd& osd : cluster.osds()) {
    if (osd.noout) flags.detail.push_back(fmt::format("{} has flags noout", osd.name));
  }
  if (!flags.detail.empty()) {
    flags.summary = fmt::format("{} OSDs or CRUSH {{nodes, device-classes}} have {{NOUP,NODOWN,NOIN,NOOUT}} flags set", flags.detail.size());
    checks.push_back(std::move(flags));
  }
}

void number_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const std::size_t in = cluster.osd_monitor().in_count();
  std::size_t copies = 0;
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) copies += cluster.pgs().pg(i).up.size();
  if (in > 0 && copies / in > kPgPerOsdMax) {
    checks.push_back({"TOO_MANY_PGS", HealthSeverity::kWarn, fmt::format("too many PGs per OSD ({} > max {})", copies / in, kPgPerOsdMax), {}, static_cast<std::int64_t>(copies / in - kPgPerOsdMax)});
  }
  HealthCheck single{"POOL_NO_REDUNDANCY", HealthSeverity::kWarn, "", {}};
  for (const PoolState& pool : cluster.pgs().pools()) {
    if (pool.size == 1) single.detail.push_back(fmt::format("pool '{}' has no replicas configured", pool.config.name));
  }
  if (!single.detail.empty()) {
    single.summary = fmt::format("{} pool(s) have no replicas configured", single.detail.size());
    checks.push_back(std::move(single));
  }
  if (const std::size_t osds = cluster.osds().size(); osds < kDefaultSize) {
    checks.push_back({"TOO_FEW_OSDS", HealthSeverity::kWarn, fmt::format("OSD count {} < osd_pool_default_size {}", osds, kDefaultSize), {}, static_cast<std::int64_t>(kDefaultSize - osds)});
  }
}

/// PGs of one health check, by what is wrong with them. Words come in the order of the states' bits in Ceph; of a PG the last one is told.
struct PgList {
  std::map<int, std::pair<std::string, std::size_t>> words;
  std::map<crush::PgId, std::string> messages;
  void add(int bit, const char* word, const crush::PgId& pg, std::string message) {
    auto& [text, count] = words[bit];
    text = word;
    ++count;
    if (messages.contains(pg) || messages.size() <= kDetailMax) messages[pg] = std::move(message);
  }
  void put(std::vector<HealthCheck>& checks, const char* code, HealthSeverity severity, const std::string& begin) const {
    if (words.empty()) return;
    HealthCheck check{code, severity, begin, {}};
    for (const auto& [bit, word] : words) {
      check.summary += fmt::format("{}{} {}", check.count == 0 ? "" : ", ", plural(word.second, "pg", "pgs"), word.first);
      check.count += static_cast<std::int64_t>(word.second);
    }
    for (const auto& [pg, message] : messages) check.detail.push_back(message);
    checks.push_back(std::move(check));
  }
};

void pg_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const PlacementGroups& pgs = cluster.pgs();
  const SimDuration stuck = cluster.config().mon.pg_stuck_threshold;
  const SimTime now = cluster.now();
  PgList availability, degraded, backfill_full, recovery_full, damaged;
  for (std::uint32_t i = 0; i < pgs.size(); ++i) {
    const Pg& pg = pgs.pg(i);
    const std::uint32_t state = cluster.told_state(pg);
    if ((state & kPgUnknown) != 0) continue;
    const std::string name = pg_state_name(state);
    const std::string id = pg.id.to_string();
    const double unfound = (state & kPgRecoveryUnfound) != 0 ? pgs.unfound_objects(pg) : 0.0;
    std::string help;
    if ((state & kPgIncomplete) != 0 && pgs.pool_of(pg).min_size > 1) {
      help = fmt::format(" (reducing pool {} min_size from {} may help; search ceph.com/docs for 'incomplete')", pgs.pool_of(pg).config.name, pgs.pool_of(pg).min_size);
    }
    const auto at_once = [&](PgList& list, std::uint32_t which, int bit, const char* word) {
      if ((state & which) == 0) return;
      const std::string missing = unfound > 0.0 ? fmt::format(", {:.0f} unfound", unfound) : std::string();
      list.add(bit, word, pg.id, fmt::format("pg {} is {}, acting {}{}{}", id, name, osd_set_text(pg.acting), missing, help));
    };
    const auto when_stuck = [&](PgList& list, bool is_so, SimTime since, int bit, const char* word) {
      if (!is_so || now - since <= stuck) return;
      list.add(bit, word, pg.id, fmt::format("pg {} is stuck {} for {}, current state {}, last acting {}{}", id, word, since_text(now - since), name, osd_set_text(pg.acting), help));
    };
    when_stuck(availability, (state & kPgActive) == 0, pg.active_changed, 1, "inactive");
    at_once(availability, kPgDown, 4, "down");
    at_once(damaged, kPgRecoveryUnfound, 5, "recovery_unfound");
    at_once(degraded, kPgDegraded, 10, "degraded");
    when_stuck(availability, (state & kPgPeering) != 0, pg.peering_since, 12, "peering");
    at_once(availability, kPgIncomplete, 16, "incomplete");
    when_stuck(availability, (state & kPgStale) != 0, pg.stale_since, 17, "stale");
    at_once(backfill_full, kPgBackfillToofull, 21, "backfill_toofull");
    when_stuck(degraded, (state & kPgUndersized) != 0, pg.full_size_changed, 23, "undersized");
    at_once(recovery_full, kPgRecoveryToofull, 39, "recovery_toofull");
  }
  const DataTotals totals = data_totals(cluster);
  availability.put(checks, "PG_AVAILABILITY", HealthSeverity::kWarn, "Reduced data availability: ");
  backfill_full.put(checks, "PG_BACKFILL_FULL", HealthSeverity::kWarn, "Low space hindering backfill (add storage if this doesn't resolve itself): ");
  damaged.put(checks, "PG_DAMAGED", HealthSeverity::kErr, "Possible data damage: ");
  recovery_full.put(checks, "PG_RECOVERY_FULL", HealthSeverity::kErr, "Full OSDs blocking recovery: ");
  std::string begin = "Degraded data redundancy: ";
  if (totals.degraded > 0.0) begin += fmt::format("{:.0f}/{:.0f} objects degraded ({:.3f}%), ", totals.degraded, totals.copies, 100.0 * totals.degraded / std::max(1.0, totals.copies));
  degraded.put(checks, "PG_DEGRADED", HealthSeverity::kWarn, begin);
  if (totals.unfound > 0.0) {
    HealthCheck check{"OBJECT_UNFOUND", HealthSeverity::kWarn, fmt::format("{:.0f}/{:.0f} objects unfound ({:.3f}%)", totals.unfound, totals.objects, 100.0 * totals.unfound / std::max(1.0, totals.objects)), {}};
    check.count = std::llround(totals.unfound);
    for (std::uint32_t i = 0; i < pgs.size(); ++i) {
      if ((cluster.told_state(pgs.pg(i)) & kPgRecoveryUnfound) == 0) continue;
      check.detail.push_back(fmt::format("pg {} has {:.0f} unfound objects", pgs.pg(i).id.to_string(), pgs.unfound_objects(pgs.pg(i))));
    }
    checks.push_back(std::move(check));
  }
}

void slow_ops(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  // Operations wait at the primary of a PG that answers no writes while clients write; or at a disk whose one operation takes that long.
  const SimDuration complaint = cluster.config().osd.op_complaint_time;
  std::map<int, std::size_t> slow;
  SimDuration oldest{};
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const Pg& pg = cluster.pgs().pg(i);
    if (pg.takes_writes || pg.primary < 0 || cluster.pgs().pool_of(pg).config.writes_per_second <= 0.0 || cluster.pgs().pool_of(pg).full) continue;
    const SimDuration age = cluster.now() - pg.writing_since;
    if (age <= complaint || !cluster.daemons().is_process_alive(pg.primary)) continue;
    ++slow[pg.primary];
    oldest = std::max(oldest, age);
  }
  for (const Osd& osd : cluster.osds()) {
    const SimDuration base = osd.is_rotational ? cluster.config().osd.client_latency_hdd : cluster.config().osd.client_latency_ssd;
    const SimDuration one = from_seconds(seconds(base) * osd.latency_factor());
    if (one <= complaint || !cluster.daemons().is_responsive(osd.id)) continue;
    ++slow[osd.id];
    oldest = std::max(oldest, one);
  }
  if (slow.empty()) return;
  std::size_t count = 0;
  std::string names;
  for (const auto& [osd, ops] : slow) {
    count += ops;
    names += fmt::format("{}osd.{}", names.empty() ? "" : ",", osd);
  }
  checks.push_back({"SLOW_OPS", HealthSeverity::kWarn,
                    fmt::format("{} slow ops, oldest one blocked for {} sec, {} {} slow ops.", count, oldest / std::chrono::seconds(1),
                                slow.size() == 1 ? names : fmt::format("daemons [{}]", names), slow.size() == 1 ? "has" : "have"),
                    {}});
}

}  // namespace

const char* to_string(HealthSeverity severity) {
  switch (severity) {
    case HealthSeverity::kOk: return "HEALTH_OK";
    case HealthSeverity::kWarn: return "HEALTH_WARN";
    case HealthSeverity::kErr: return "HEALTH_ERR";
  }
  return "";
}

std::vector<HealthCheck> health_checks(const CephCluster& cluster) {
  std::vector<HealthCheck> checks;
  mon_checks(cluster, checks);
  mgr_checks(cluster, checks);
  mds_checks(cluster, checks);
  down_checks(cluster, checks);
  full_checks(cluster, checks);
  flag_checks(cluster, checks);
  number_checks(cluster, checks);
  pg_checks(cluster, checks);
  slow_ops(cluster, checks);
  std::sort(checks.begin(), checks.end(), [](const HealthCheck& a, const HealthCheck& b) { return a.code < b.code; });
  return checks;
}

HealthSeverity overall(const std::vector<HealthCheck>& checks) {
  HealthSeverity worst = HealthSeverity::kOk;
  for (const HealthCheck& check : checks) worst = std::max(worst, check.severity);
  return worst;
}

std::string health_text(const CephCluster& cluster, bool detail) {
  const std::vector<HealthCheck> checks = health_checks(cluster);
  std::string text = to_string(overall(checks));
  for (std::size_t i = 0; i < checks.size(); ++i) text += (i == 0 ? " " : "; ") + checks[i].summary;
  text += "\n";
  if (!detail) return text;
  for (const HealthCheck& check : checks) {
    text += fmt::format("[{}] {}: {}\n", check.severity == HealthSeverity::kErr ? "ERR" : "WRN", check.code, check.summary);
    for (const std::string& line : check.detail) text += fmt::format("    {}\n", line);
  }
  return text;
}

void put_health_json(const CephCluster& cluster, bool detail, JsonWriter& json) {
  const std::vector<HealthCheck> checks = health_checks(cluster);
  json.open('{').key("status").string(to_string(overall(checks))).key("checks").open('{');
  for (const HealthCheck& check : checks) {
    const std::int64_t count = check.count > 0 ? check.count : static_cast<std::int64_t>(std::max<std::size_t>(1, check.detail.size()));
    json.key(check.code).open('{').key("severity").string(to_string(check.severity)).key("summary").open('{');
    json.key("message").string(check.summary).key("count").number(count).close('}');
    if (detail) {
      json.key("detail").open('[');
      for (const std::string& line : check.detail) json.open('{').key("message").string(line).close('}');
      json.close(']');
    }
    json.key("muted").boolean(false).close('}');
  }
  json.close('}').key("mutes").open('[').close(']').close('}');
}

std::string health_json(const CephCluster& cluster, bool detail) {
  JsonWriter json;
  put_health_json(cluster, detail, json);
  return json.text();
}

}  // namespace sim::ceph

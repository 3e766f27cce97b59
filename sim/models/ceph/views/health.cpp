#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

constexpr std::size_t kDetailMax = 50;  // mon_health_detail_max... of PG lists: the rest is counted

std::string osd_list(const std::vector<int>& osds) {
  std::string text = "[";
  for (const int osd : osds) text += fmt::format("{}{}", text.size() > 1 ? "," : "", osd == kNoOsd ? std::string("NONE") : fmt::format("{}", osd));
  return text + "]";
}

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

void osd_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const OsdMonitor& map = cluster.osd_monitor();
  const std::vector<HostConfig>& places = cluster.config().hosts;
  // Down and in; out ones are expected to be down.
  HealthCheck down{"OSD_DOWN", HealthSeverity::kWarn, "", {}};
  std::map<std::string, std::vector<int>> by_host;
  std::map<std::string, std::map<std::string, std::size_t>> racks;  // rack -> host -> OSDs
  std::map<std::string, std::size_t> host_size, rack_size, rack_down;
  for (const Osd& osd : cluster.osds()) {
    const HostConfig& place = places[osd.location];
    ++host_size[place.host];
    ++rack_size[place.rack];
    if (map.is_up(osd.id) || !map.is_in(osd.id)) continue;
    by_host[place.host].push_back(osd.id);
    ++rack_down[place.rack];
    down.detail.push_back(fmt::format("{} (root=default{},host={}) is down", osd.name, place.rack.empty() ? "" : ",rack=" + place.rack, place.host));
  }
  if (!down.detail.empty()) {
    down.summary = fmt::format("{} osds down", down.detail.size());
    checks.push_back(std::move(down));
  }
  HealthCheck hosts{"OSD_HOST_DOWN", HealthSeverity::kWarn, "", {}};
  std::size_t in_hosts = 0;
  for (const auto& [host, osds] : by_host) {
    if (osds.size() != host_size[host]) continue;
    in_hosts += osds.size();
    const auto place = std::find_if(places.begin(), places.end(), [&name = host](const HostConfig& one) { return one.host == name; });
    hosts.detail.push_back(fmt::format("host {} (root=default{}) ({} osds) is down", host, place->rack.empty() ? "" : ",rack=" + place->rack, osds.size()));
  }
  if (!hosts.detail.empty()) {
    hosts.summary = fmt::format("{} ({} osds) down", plural(hosts.detail.size(), "host", "hosts"), in_hosts);
    checks.push_back(std::move(hosts));
  }
  HealthCheck whole_racks{"OSD_RACK_DOWN", HealthSeverity::kWarn, "", {}};
  std::size_t in_racks = 0;
  for (const auto& [rack, count] : rack_down) {
    if (rack.empty() || count != rack_size[rack]) continue;
    in_racks += count;
    whole_racks.detail.push_back(fmt::format("rack {} (root=default) ({} osds) is down", rack, count));
  }
  if (!whole_racks.detail.empty()) {
    whole_racks.summary = fmt::format("{} ({} osds) down", plural(whole_racks.detail.size(), "rack", "racks"), in_racks);
    checks.push_back(std::move(whole_racks));
  }
  if (!cluster.map().flags.empty()) {
    std::string flags;
    for (const std::string& flag : cluster.map().flags) flags += (flags.empty() ? "" : ",") + flag;
    checks.push_back({"OSDMAP_FLAGS", HealthSeverity::kWarn, fmt::format("{} flag(s) set", flags), {}});
  }
  HealthCheck flags{"OSD_FLAGS", HealthSeverity::kWarn, "", {}};
  for (const Osd& osd : cluster.osds()) {
    if (osd.noout) flags.detail.push_back(fmt::format("{} has flags noout", osd.name));
  }
  if (!flags.detail.empty()) {
    flags.summary = fmt::format("{} OSDs or CRUSH {{nodes, device-classes}} have {{NOUP,NODOWN,NOIN,NOOUT}} flags set", flags.detail.size());
    checks.push_back(std::move(flags));
  }
  struct Level {
    Fullness level;
    const char* code;
    const char* word;
    HealthSeverity severity;
  };
  for (const Level& level : {Level{Fullness::kNearfull, "OSD_NEARFULL", "nearfull", HealthSeverity::kWarn}, Level{Fullness::kBackfillfull, "OSD_BACKFILLFULL", "backfillfull", HealthSeverity::kWarn},
                             Level{Fullness::kFull, "OSD_FULL", "full", HealthSeverity::kErr}}) {
    HealthCheck check{level.code, level.severity, "", {}};
    for (const Osd& osd : cluster.osds()) {
      if (osd.fullness == level.level && map.is_up(osd.id) && map.is_in(osd.id)) check.detail.push_back(fmt::format("{} is {}", osd.name, level.word));
    }
    if (check.detail.empty()) continue;
    check.summary = fmt::format("{} {} osd(s)", check.detail.size(), level.word);
    checks.push_back(std::move(check));
  }
  HealthCheck pools{"POOL_FULL", HealthSeverity::kErr, "", {}};
  for (const PoolState& pool : cluster.pgs().pools()) {
    if (pool.full) pools.detail.push_back(fmt::format("pool '{}' is full (no space)", pool.config.name));
  }
  if (!pools.detail.empty()) {
    pools.summary = fmt::format("{} pool(s) full", pools.detail.size());
    checks.push_back(std::move(pools));
  }
}

struct PgList {
  std::map<std::string, std::vector<std::string>> by_word;  // detail lines
  std::size_t total = 0;
  void add(const std::string& word, std::string line) {
    by_word[word].push_back(std::move(line));
    ++total;
  }
  std::string words() const {
    std::string text;
    for (const auto& [word, lines] : by_word) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", plural(lines.size(), "pg", "pgs"), word);
    return text;
  }
  void put(std::vector<std::string>& detail) const {
    std::size_t told = 0;
    for (const auto& [word, lines] : by_word) {
      for (const std::string& line : lines) {
        if (told++ < kDetailMax) detail.push_back(line);
      }
    }
    if (told > kDetailMax) detail.push_back(fmt::format("{} more pgs are not listed", told - kDetailMax));
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
    const std::string name = pg_state_name(state);
    const std::string where = fmt::format("acting {}", osd_list(pg.acting));
    const std::string id = pg.id.to_string();
    std::string blocked;
    for (const int osd : pg.blocked_by) blocked += fmt::format("{}{}", blocked.empty() ? "" : ",", osd);
    if (!blocked.empty()) blocked = fmt::format(", blocked by [{}]", blocked);
    // One line and one word a PG and check: the state that says most.
    for (const auto& [bit, word] : std::initializer_list<std::pair<std::uint32_t, const char*>>{{kPgDown, "down"}, {kPgIncomplete, "incomplete"}, {kPgPeering, "peering"}}) {
      if ((state & bit) != 0) availability.add(word, fmt::format("pg {} is {}, {}{}", id, name, where, blocked));
    }
    if ((state & kPgActive) == 0 && now - pg.active_changed > stuck) {
      availability.add("inactive", fmt::format("pg {} is stuck inactive for {}, current state {}, last {}", id, since_text(now - pg.active_changed), name, where));
    }
    if ((state & kPgStale) != 0 && now - pg.stale_since > stuck) {
      availability.add("stale", fmt::format("pg {} is stuck stale for {}, current state {}, last {}", id, since_text(now - pg.stale_since), name, where));
    }
    if ((state & kPgDegraded) != 0) degraded.add("degraded", fmt::format("pg {} is {}, {}", id, name, where));
    if ((state & kPgUndersized) != 0 && now - pg.full_size_changed > stuck) {
      degraded.add("undersized", fmt::format("pg {} is stuck undersized for {}, current state {}, last {}", id, since_text(now - pg.full_size_changed), name, where));
    }
    if ((state & kPgBackfillToofull) != 0) backfill_full.add("backfill_toofull", fmt::format("pg {} is {}, {}", id, name, where));
    if ((state & kPgRecoveryToofull) != 0) recovery_full.add("recovery_toofull", fmt::format("pg {} is {}, {}", id, name, where));
    if ((state & kPgRecoveryUnfound) != 0) damaged.add("recovery_unfound", fmt::format("pg {} is {}, {}, {:.0f} unfound", id, name, where, pgs.unfound_objects(pg)));
  }
  const auto put = [&](const char* code, HealthSeverity severity, std::string summary, const PgList& list) {
    if (list.total == 0) return;
    HealthCheck check{code, severity, std::move(summary), {}};
    list.put(check.detail);
    checks.push_back(std::move(check));
  };
  put("PG_AVAILABILITY", HealthSeverity::kWarn, "Reduced data availability: " + availability.words(), availability);
  put("PG_BACKFILL_FULL", HealthSeverity::kWarn, "Low space hindering backfill (add storage if this doesn't resolve itself): " + backfill_full.words(), backfill_full);
  put("PG_DAMAGED", HealthSeverity::kErr, "Possible data damage: " + damaged.words(), damaged);
  put("PG_RECOVERY_FULL", HealthSeverity::kErr, "Full OSDs blocking recovery: " + recovery_full.words(), recovery_full);
  const DataTotals totals = data_totals(cluster);
  if (degraded.total > 0) {
    std::string summary = "Degraded data redundancy: ";
    if (totals.degraded > 0.0) {
      summary += fmt::format("{:.0f}/{:.0f} objects degraded ({:.3f}%), ", totals.degraded, totals.copies, 100.0 * totals.degraded / std::max(1.0, totals.copies));
    }
    put("PG_DEGRADED", HealthSeverity::kWarn, summary + degraded.words(), degraded);
  }
  if (totals.unfound > 0.0) {
    checks.push_back({"OBJECT_UNFOUND", HealthSeverity::kWarn, fmt::format("{:.0f}/{:.0f} objects unfound ({:.3f}%)", totals.unfound, totals.objects, 100.0 * totals.unfound / std::max(1.0, totals.objects)), {}});
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
    const SimDuration one = from_seconds(seconds(base) * osd.slow_factor);
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
  osd_checks(cluster, checks);
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

std::string health_json(const CephCluster& cluster, bool detail) {
  const std::vector<HealthCheck> checks = health_checks(cluster);
  JsonWriter json;
  json.open('{').key("status").string(to_string(overall(checks))).key("checks").open('{');
  for (const HealthCheck& check : checks) {
    json.key(check.code).open('{').key("severity").string(to_string(check.severity)).key("summary").open('{');
    json.key("message").string(check.summary).key("count").number(static_cast<std::int64_t>(std::max<std::size_t>(1, check.detail.size()))).close('}');
    if (detail) {
      json.key("detail").open('[');
      for (const std::string& line : check.detail) json.open('{').key("message").string(line).close('}');
      json.close(']');
    }
    json.key("muted").boolean(false).close('}');
  }
  json.close('}').key("mutes").open('[').close(']').close('}');
  return json.text();
}

}  // namespace sim::ceph

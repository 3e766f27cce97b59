#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

std::string quorum_names(const CephCluster& cluster) {
  std::string names;
  for (const std::size_t mon : cluster.monitors().quorum()) names += (names.empty() ? "" : ",") + cluster.monitors().name(mon);
  return names;
}

double object_rate(const CephCluster& cluster) { return cluster.recovery().object_rate(); }

}  // namespace

std::size_t remapped_pgs(const CephCluster& cluster) {
  // Of the map, not of the states that a manager tells: acting is another set than up.
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) count += (cluster.told_state(cluster.pgs().pg(i)) & kPgRemapped) != 0 ? 1u : 0u;
  return count;
}

std::vector<std::string> recovery_lines(const DataTotals& totals) {
  std::vector<std::string> lines;
  const auto share = [&](double of, double all, const char* word) {
    if (of > 0.0 && all > 0.0) lines.push_back(fmt::format("{:.0f}/{:.0f} objects {} ({:.3f}%)", of, all, word, 100.0 * of / all));
  };
  share(totals.degraded, totals.copies, "degraded");
  share(totals.misplaced, totals.copies, "misplaced");
  share(totals.unfound, totals.objects, "unfound");
  return lines;
}

std::string recovery_rate_text(const CephCluster& cluster) {
  const double rate = cluster.recovery().rate();
  return rate > 0.0 ? fmt::format("{}/s, {} objects/s", si_bytes(rate), si_count(object_rate(cluster))) : std::string();
}

void recovery_json(const CephCluster& cluster, const DataTotals& totals, JsonWriter& json) {
  const auto share = [&](double of, double all, const char* word) {
    if (of <= 0.0 || all <= 0.0) return;
    json.key(fmt::format("{}_objects", word)).number(std::llround(of)).key(fmt::format("{}_total", word)).number(std::llround(all));
    json.key(fmt::format("{}_ratio", word)).real(of / all);
  };
  share(totals.degraded, totals.copies, "degraded");
  share(totals.misplaced, totals.copies, "misplaced");
  share(totals.unfound, totals.objects, "unfound");
  const double rate = cluster.recovery().rate();
  if (rate <= 0.0) return;
  json.key("recovering_objects_per_sec").number(std::llround(object_rate(cluster))).key("recovering_bytes_per_sec").number(std::llround(rate));
  json.key("recovering_keys_per_sec").number(0);
}

std::string status_text(const CephCluster& cluster) {
  const std::vector<HealthCheck> checks = health_checks(cluster);
  const Monitors& monitors = cluster.monitors();
  const Managers& managers = cluster.managers();
  const OsdMonitor& osds = cluster.osd_monitor();
  std::string text = fmt::format("  cluster:\n    id:     {}\n    health: {}\n", cluster.config().fsid, to_string(overall(checks)));
  for (const HealthCheck& check : checks) text += fmt::format("            {}\n", check.summary);
  text += " \n  services:\n";
  const std::vector<std::size_t> monmap = monitors.monmap();
  text += fmt::format("    mon: {} daemons, ", monmap.size());
  if (monitors.has_quorum()) {
    text += fmt::format("quorum {} (age {})", quorum_names(cluster), since_text(cluster.now() - monitors.quorum_changed_at()));
    std::string outside;
    const std::vector<std::size_t> quorum = monitors.quorum();
    for (const std::size_t mon : monmap) {
      if (std::find(quorum.begin(), quorum.end(), mon) == quorum.end()) outside += (outside.empty() ? "" : ", ") + monitors.name(mon);
    }
    if (!outside.empty()) text += fmt::format(", out of quorum: {}", outside);
  } else {
    text += "no quorum";
  }
  text += "\n";
  if (managers.size() > 0) {
    if (managers.active()) {
      text += fmt::format("    mgr: {}(active{}, since {})", managers.name(*managers.active()), cluster.now() < managers.available_since() ? ", starting" : "", since_text(cluster.now() - managers.active_since()));
      std::string standbys;
      for (const std::size_t mgr : managers.standbys()) standbys += (standbys.empty() ? "" : ", ") + managers.name(mgr);
      if (!standbys.empty()) text += fmt::format(", standbys: {}", standbys);
    } else {
      text += fmt::format("    mgr: no daemons active (since {})", since_text(cluster.now() - managers.inactive_since()));
    }
    text += "\n";
  }
  const bool has_file_systems = cluster.file_systems().size() > 0;
  if (has_file_systems) text += fmt::format("    mds: {}\n", mds_summary(cluster));
  text += fmt::format("    osd: {} osds: {} up (since {}), {} in (since {})", cluster.osds().size(), osds.up_count(), since_text(cluster.now() - osds.last_up_change()),
                      osds.in_count(), since_text(cluster.now() - osds.last_in_change()));
  if (const std::size_t remapped = remapped_pgs(cluster)) text += fmt::format("; {} remapped pgs", remapped);
  const std::vector<std::string>& flags = cluster.map().flags;
  if (!flags.empty()) text += fmt::format("\n         flags {}", fmt::join(flags, ","));
  if (const GatewayCount& rgw = cluster.gateways(); rgw.daemons > 0) {
    text += fmt::format("\n    rgw: {} daemon{} active ({} hosts, {} zones)", rgw.daemons, rgw.daemons == 1 ? "" : "s", rgw.hosts, rgw.zones);
  }
  const DataTotals totals = data_totals(cluster);
  text += "\n \n  data:\n";
  if (has_file_systems) text += fmt::format("    volumes: {}\n", fs_summary(cluster));
  text += fmt::format("    pools:   {} pools, {} pgs\n", cluster.pgs().pools().size(), totals.pgs);
  text += fmt::format("    objects: {} objects, {}\n", si_count(totals.objects), si_bytes(totals.stored));
  text += fmt::format("    usage:   {} used, {} / {} avail\n", si_bytes(totals.used), si_bytes(std::max(0.0, totals.capacity - totals.used)), si_bytes(totals.capacity));
  std::string indent = "    pgs:     ";
  const auto line = [&](const std::string& what) {
    text += indent + what + "\n";
    indent = "             ";
  };
  const double pgs = std::max(1u, totals.pgs);
  if (totals.unknown > 0) line(fmt::format("{:.3f}% pgs unknown", 100.0 * totals.unknown / pgs));
  if (totals.inactive > 0) line(fmt::format("{:.3f}% pgs not active", 100.0 * totals.inactive / pgs));
  for (const std::string& one : recovery_lines(totals)) line(one);
  const auto states = pgs_by_state(cluster);
  std::size_t width = 0;
  for (const auto& [name, count] : states) width = std::max(width, fmt::format("{}", count).size());
  for (const auto& [name, count] : states) line(fmt::format("{:<{}} {}", count, width, name));
  text += " \n";
  if (const std::string rate = recovery_rate_text(cluster); !rate.empty()) text += fmt::format("  io:\n    recovery: {}\n \n", rate);
  return text;
}

std::string status_json(const CephCluster& cluster) {
  const Monitors& monitors = cluster.monitors();
  const std::vector<std::size_t> monmap = monitors.monmap();
  const std::vector<std::size_t> quorum = monitors.quorum();
  JsonWriter json;
  json.open('{').key("fsid").string(cluster.config().fsid).key("health");
  put_health_json(cluster, false, json);
  json.key("election_epoch").number(monitors.election_epoch()).key("quorum").open('[');
  for (std::size_t rank = 0; rank < monmap.size(); ++rank) {
    if (std::find(quorum.begin(), quorum.end(), monmap[rank]) != quorum.end()) json.number(static_cast<std::int64_t>(rank));
  }
  json.close(']').key("quorum_names").open('[');
  for (const std::size_t mon : quorum) json.string(monitors.name(mon));
  json.close(']').key("quorum_age").number((cluster.now() - monitors.quorum_changed_at()) / std::chrono::seconds(1));
  json.key("monmap").open('{').key("epoch").number(monitors.monmap_epoch()).key("num_mons").number(static_cast<std::int64_t>(monmap.size())).close('}');
  json.key("osdmap").open('{');
  osd_counts_json(cluster, json);
  json.close('}');
  const DataTotals totals = data_totals(cluster);
  json.key("pgmap").open('{').key("pgs_by_state").open('[');
  for (const auto& [name, count] : pgs_by_state(cluster)) json.open('{').key("state_name").string(name).key("count").number(count).close('}');
  json.close(']').key("num_pgs").number(totals.pgs).key("num_pools").number(static_cast<std::int64_t>(cluster.pgs().pools().size()));
  json.key("num_objects").number(std::llround(totals.objects)).key("data_bytes").number(std::llround(totals.stored)).key("bytes_used").number(std::llround(totals.used));
  json.key("bytes_avail").number(std::llround(std::max(0.0, totals.capacity - totals.used))).key("bytes_total").number(std::llround(totals.capacity));
  if (totals.unknown > 0) json.key("unknown_pgs_ratio").real(static_cast<double>(totals.unknown) / totals.pgs);
  if (totals.inactive > 0) json.key("inactive_pgs_ratio").real(static_cast<double>(totals.inactive) / totals.pgs);
  recovery_json(cluster, totals, json);
  json.close('}');
  if (cluster.file_systems().size() > 0) put_fsmap_status(cluster, json);
  const Managers& managers = cluster.managers();
  json.key("mgrmap").open('{').key("available").boolean(managers.is_available()).key("num_standbys").number(static_cast<std::int64_t>(managers.standbys().size())).close('}');
  json.key("progress_events").open('{').close('}').close('}');
  return json.text();
}

}  // namespace sim::ceph

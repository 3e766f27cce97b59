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

std::size_t remapped_pgs(const CephCluster& cluster) {
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) count += (cluster.told_state(cluster.pgs().pg(i)) & kPgRemapped) != 0 ? 1u : 0u;
  return count;
}

}  // namespace

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
      text += fmt::format("    mgr: {}(active{}, since {})", managers.name(*managers.active()), managers.is_available() ? "" : ", starting", since_text(cluster.now() - managers.active_since()));
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
  if (totals.degraded > 0.0) line(fmt::format("{:.0f}/{:.0f} objects degraded ({:.3f}%)", totals.degraded, totals.copies, 100.0 * totals.degraded / totals.copies));
  if (totals.misplaced > 0.0) line(fmt::format("{:.0f}/{:.0f} objects misplaced ({:.3f}%)", totals.misplaced, totals.copies, 100.0 * totals.misplaced / totals.copies));
  if (totals.unfound > 0.0) line(fmt::format("{:.0f}/{:.0f} objects unfound ({:.3f}%)", totals.unfound, totals.objects, 100.0 * totals.unfound / totals.objects));
  const auto states = pgs_by_state(cluster);
  std::size_t width = 0;
  for (const auto& [name, count] : states) width = std::max(width, fmt::format("{}", count).size());
  for (const auto& [name, count] : states) line(fmt::format("{:<{}} {}", count, width, name));
  text += " \n";
  const double rate = cluster.recovery().rate();
  if (rate > 0.0) text += fmt::format("  io:\n    recovery: {}/s\n \n", si_bytes(rate));
  return text;
}

std::string status_json(const CephCluster& cluster) {
  const Monitors& monitors = cluster.monitors();
  const std::vector<std::size_t> monmap = monitors.monmap();
  const std::vector<std::size_t> quorum = monitors.quorum();
  JsonWriter json;
  json.open('{').key("fsid").string(cluster.config().fsid);
  const std::vector<HealthCheck> checks = health_checks(cluster);
  json.key("health").open('{').key("status").string(to_string(overall(checks))).key("checks").open('{');
  for (const HealthCheck& check : checks) {
    json.key(check.code).open('{').key("severity").string(to_string(check.severity)).key("summary").open('{').key("message").string(check.summary);
    json.key("count").number(static_cast<std::int64_t>(std::max<std::size_t>(1, check.detail.size()))).close('}').key("muted").boolean(false).close('}');
  }
  json.close('}').key("mutes").open('[').close(']').close('}');
  json.key("election_epoch").number(monitors.election_epoch()).key("quorum").open('[');
  for (std::size_t rank = 0; rank < monmap.size(); ++rank) {
    if (std::find(quorum.begin(), quorum.end(), monmap[rank]) != quorum.end()) json.number(static_cast<std::int64_t>(rank));
  }
  json.close(']').key("quorum_names").open('[');
  for (const std::size_t mon : quorum) json.string(monitors.name(mon));
  json.close(']').key("quorum_age").number((cluster.now() - monitors.quorum_changed_at()) / std::chrono::seconds(1));
  json.key("monmap").open('{').key("epoch").number(monitors.monmap_epoch()).key("num_mons").number(static_cast<std::int64_t>(monmap.size())).close('}');
  json.key("osdmap").open('{').key("epoch").number(cluster.map().epoch).key("num_osds").number(static_cast<std::int64_t>(cluster.osds().size()));
  json.key("num_up_osds").number(static_cast<std::int64_t>(cluster.osd_monitor().up_count()));
  json.key("num_in_osds").number(static_cast<std::int64_t>(cluster.osd_monitor().in_count()));
  json.key("num_remapped_pgs").number(static_cast<std::int64_t>(remapped_pgs(cluster))).close('}');
  const DataTotals totals = data_totals(cluster);
  json.key("pgmap").open('{').key("pgs_by_state").open('[');
  for (const auto& [name, count] : pgs_by_state(cluster)) json.open('{').key("state_name").string(name).key("count").number(count).close('}');
  json.close(']').key("num_pgs").number(totals.pgs).key("num_pools").number(static_cast<std::int64_t>(cluster.pgs().pools().size()));
  json.key("num_objects").number(std::llround(totals.objects)).key("data_bytes").number(std::llround(totals.stored)).key("bytes_used").number(std::llround(totals.used));
  json.key("bytes_avail").number(std::llround(std::max(0.0, totals.capacity - totals.used))).key("bytes_total").number(std::llround(totals.capacity));
  if (totals.inactive > 0) json.key("inactive_pgs_ratio").real(static_cast<double>(totals.inactive) / totals.pgs);
  if (totals.degraded > 0.0) {
    json.key("degraded_objects").number(std::llround(totals.degraded)).key("degraded_total").number(std::llround(totals.copies)).key("degraded_ratio").real(totals.degraded / totals.copies);
  }
  if (totals.misplaced > 0.0) {
    json.key("misplaced_objects").number(std::llround(totals.misplaced)).key("misplaced_total").number(std::llround(totals.copies)).key("misplaced_ratio").real(totals.misplaced / totals.copies);
  }
  const double rate = cluster.recovery().rate();
  if (rate > 0.0) json.key("recovering_bytes_per_sec").number(std::llround(rate));
  json.close('}');
  if (cluster.file_systems().size() > 0) put_fsmap_status(cluster, json);
  const Managers& managers = cluster.managers();
  json.key("mgrmap").open('{').key("available").boolean(managers.is_available()).key("num_standbys").number(static_cast<std::int64_t>(managers.standbys().size()));
  json.key("active_name").string(managers.active() ? managers.name(*managers.active()) : "").close('}').close('}');
  return json.text();
}

}  // namespace sim::ceph

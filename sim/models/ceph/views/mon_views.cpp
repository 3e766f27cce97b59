#include <algorithm>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

/// Positions of the quorum's members in the monmap, ascending.
std::vector<std::size_t> quorum_ranks(const CephCluster& cluster) {
  const std::vector<std::size_t> monmap = cluster.monitors().monmap();
  const std::vector<std::size_t> quorum = cluster.monitors().quorum();
  std::vector<std::size_t> ranks;
  for (std::size_t rank = 0; rank < monmap.size(); ++rank) {
    if (std::find(quorum.begin(), quorum.end(), monmap[rank]) != quorum.end()) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace

std::string mon_stat_text(const CephCluster& cluster) {
  const Monitors& monitors = cluster.monitors();
  const std::vector<std::size_t> monmap = monitors.monmap();
  std::string names;
  for (const std::size_t mon : monmap) names += fmt::format("{}{}", names.empty() ? "" : ",", monitors.name(mon));
  std::string text = fmt::format("e{}: {} mons at {{{}}}, election epoch {}", monitors.monmap_epoch(), monmap.size(), names, monitors.election_epoch());
  if (!monitors.leader()) return text + ", no quorum\n";
  std::string ranks;
  std::string members;
  std::size_t leader_rank = 0;
  for (std::size_t rank = 0; rank < monmap.size(); ++rank) {
    if (monmap[rank] == *monitors.leader()) leader_rank = rank;
  }
  for (const std::size_t rank : quorum_ranks(cluster)) {
    ranks += fmt::format("{}{}", ranks.empty() ? "" : ",", rank);
    members += fmt::format("{}{}", members.empty() ? "" : ",", monitors.name(monmap[rank]));
  }
  return text + fmt::format(", leader {} {}, quorum {} {}\n", leader_rank, monitors.name(*monitors.leader()), ranks, members);
}

std::string mon_stat_json(const CephCluster& cluster) {
  const Monitors& monitors = cluster.monitors();
  const std::vector<std::size_t> monmap = monitors.monmap();
  JsonWriter json;
  json.open('{').key("epoch").number(monitors.monmap_epoch()).key("num_mons").number(static_cast<std::int64_t>(monmap.size()));
  json.key("leader").string(monitors.leader() ? monitors.name(*monitors.leader()) : "").key("quorum").open('[');
  for (const std::size_t rank : quorum_ranks(cluster)) {
    json.open('{').key("rank").number(static_cast<std::int64_t>(rank)).key("name").string(monitors.name(monmap[rank])).close('}');
  }
  json.close(']').close('}');
  return json.text();
}

std::string quorum_status_json(const CephCluster& cluster) {
  const Monitors& monitors = cluster.monitors();
  const std::vector<std::size_t> monmap = monitors.monmap();
  JsonWriter json;
  json.open('{').key("election_epoch").number(monitors.election_epoch()).key("quorum").open('[');
  for (const std::size_t rank : quorum_ranks(cluster)) json.number(static_cast<std::int64_t>(rank));
  json.close(']').key("quorum_names").open('[');
  for (const std::size_t mon : monitors.quorum()) json.string(monitors.name(mon));
  json.close(']').key("quorum_leader_name").string(monitors.leader() ? monitors.name(*monitors.leader()) : "");
  json.key("quorum_age").number(monitors.leader() ? (cluster.now() - monitors.quorum_changed_at()) / std::chrono::seconds(1) : 0);
  json.key("monmap").open('{').key("epoch").number(monitors.monmap_epoch()).key("fsid").string(cluster.config().fsid).key("mons").open('[');
  for (std::size_t rank = 0; rank < monmap.size(); ++rank) {
    json.open('{').key("rank").number(static_cast<std::int64_t>(rank)).key("name").string(monitors.name(monmap[rank])).close('}');
  }
  json.close(']').close('}').close('}');
  return json.text();
}

std::string mgr_stat_json(const CephCluster& cluster) {
  const Managers& managers = cluster.managers();
  JsonWriter json;
  json.open('{').key("available").boolean(managers.is_available()).key("active_name").string(managers.active() ? managers.name(*managers.active()) : "");
  json.key("num_standby").number(static_cast<std::int64_t>(managers.standbys().size())).close('}');
  return json.text();
}

}  // namespace sim::ceph

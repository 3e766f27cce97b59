// ceph mds stat, ceph fs status, the lines of `ceph -s` about file systems, and their health checks.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

using Mds = FileSystems::Mds;
using FileSystem = FileSystems::FileSystem;

std::size_t up_ranks(const FileSystem& fs) {
  return static_cast<std::size_t>(std::count_if(fs.ranks.begin(), fs.ranks.end(), [](const FileSystems::Rank& rank) { return rank.mds.has_value(); }));
}
std::size_t damaged_ranks(const FileSystem& fs) {
  return static_cast<std::size_t>(std::count_if(fs.ranks.begin(), fs.ranks.end(), [](const FileSystems::Rank& rank) { return rank.is_damaged; }));
}
std::size_t failed_ranks(const FileSystem& fs) { return fs.ranks.size() - up_ranks(fs) - damaged_ranks(fs); }

/// What `ceph mds stat` and FSMap::print_summary call it.
std::string state_text(const Mds& mds) { return std::string(to_string(mds.state)) + (mds.is_laggy ? "(laggy or crashed)" : ""); }

/// A table without borders, every column centred as prettytable does.
class CentredTable {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()), 0);
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::size_t room = widths[i] - row[i].size();
        // Uneven room: a text of odd length leans to the left, one of even length to the right.
        const std::size_t left = room / 2 + (room % 2 == 1 && row[i].size() % 2 == 0 ? 1 : 0);
        text += std::string(left, ' ') + row[i] + std::string(room - left + 2, ' ');
      }
      text += '\n';
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// mgr_util.format_bytes with a width of 5: "96.0k", "  37G", "   0 ".
std::string short_bytes(double bytes) {
  constexpr const char* kUnits[] = {" ", "k", "M", "G", "T", "P", "E"};
  std::size_t unit = 0;
  double value = bytes;
  while (unit + 1 < std::size(kUnits) && value >= 10'000.0) {
    value /= 1024.0;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:4.0f}{}", value, kUnits[unit]);
  std::string number = fmt::format("{:f}", value).substr(0, 4);
  if (number.back() == '.') number = " " + number.substr(0, 3);
  return number + kUnits[unit];
}

double used_of(const PoolState& pool) { return pool.shard_bytes * static_cast<double>(pool.size) * pool.pg_num; }

/// How much more users can store until the first disk is full, if it is spread as the pool's PGs are.
double available_to(const CephCluster& cluster, const PoolState& pool) {
  std::map<int, std::size_t> shards;
  std::size_t all = 0;
  for (std::uint32_t i = 0; i < pool.pg_num; ++i) {
    for (const int osd : cluster.pgs().pg(pool.first_pg + i).up) {
      if (osd == kNoOsd) continue;
      ++shards[osd];
      ++all;
    }
  }
  double raw = -1.0;
  for (const auto& [id, count] : shards) {
    const Osd& osd = cluster.osd(id);
    const double room = std::max(0.0, cluster.config().osd.full_ratio * static_cast<double>(osd.capacity) - static_cast<double>(osd.used()));
    const double reach = room * static_cast<double>(all) / static_cast<double>(count);
    raw = raw < 0.0 ? reach : std::min(raw, reach);
  }
  return std::max(0.0, raw) * static_cast<double>(pool.needed) / static_cast<double>(pool.size);
}

std::vector<std::size_t> pools_of(const FileSystem& fs) {
  std::vector<std::size_t> pools{fs.metadata_pool};
  pools.insert(pools.end(), fs.data_pools.begin(), fs.data_pools.end());
  return pools;
}

struct FsTotals {
  std::size_t up = 0, in = 0, failed = 0, hot = 0;
};
FsTotals totals_of(const FileSystems& all) {
  FsTotals totals;
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    totals.up += up_ranks(all.at(fs));
    totals.in += all.at(fs).ranks.size();
    totals.failed += failed_ranks(all.at(fs));
  }
  totals.hot = static_cast<std::size_t>(std::count_if(all.mdss().begin(), all.mdss().end(), [](const Mds& mds) { return mds.in_map && mds.state == MdsState::kStandbyReplay; }));
  return totals;
}

const char* s_of(std::size_t count) { return count == 1 ? "" : "s"; }
const char* is_or_are(std::size_t count) { return count == 1 ? "is" : "are"; }

}  // namespace

std::string mds_summary(const CephCluster& cluster) {
  const FileSystems& all = cluster.file_systems();
  const FsTotals totals = totals_of(all);
  std::string text = fmt::format("{}/{} daemons up", totals.up, totals.in);
  if (totals.failed > 0) text += fmt::format(" ({} failed)", totals.failed);
  if (all.standbys() > 0) text += fmt::format(", {} standby", all.standbys());
  if (totals.hot > 0) text += fmt::format(", {} hot standby", totals.hot);
  return text;
}

std::string fs_summary(const CephCluster& cluster) {
  const FileSystems& all = cluster.file_systems();
  std::size_t healthy = 0, recovering = 0, failed = 0, damaged = 0;
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    if (damaged_ranks(all.at(fs)) > 0) ++damaged;
    if (failed_ranks(all.at(fs)) > 0) {
      ++failed;
    } else if (all.is_degraded(fs)) {
      ++recovering;
    } else {
      ++healthy;
    }
  }
  std::string text = fmt::format("{}/{} healthy", healthy, all.size());
  if (recovering > 0) text += fmt::format(", {} recovering", recovering);
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (damaged > 0) text += fmt::format("; {} damaged", damaged);
  return text;
}

std::string mds_stat_text(const CephCluster& cluster) {
  const FileSystems& all = cluster.file_systems();
  std::string text;
  std::size_t failed = 0, damaged = 0, degraded = 0;
  std::string degraded_names;
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    const FileSystem& one = all.at(fs);
    failed += failed_ranks(one);
    damaged += damaged_ranks(one);
    const std::string name = all.is_degraded(fs) ? fmt::format("{}:{}/{}", one.config.name, up_ranks(one), one.ranks.size()) : fmt::format("{}:{}", one.config.name, one.ranks.size());
    if (all.size() <= 3) {
      text += (fs == 0 ? "" : " ") + name;
    } else if (all.is_degraded(fs)) {
      ++degraded;
      degraded_names += name;
    }
  }
  if (all.size() > 3) {
    text = fmt::format("{} fs", all.size());
    if (degraded > 3) text += fmt::format(" (degraded: {} fs)", degraded);
    if (degraded > 0 && degraded <= 3) text += fmt::format(" (degraded: {})", degraded_names);
  }
  std::map<MdsState, std::size_t> by_state;
  std::map<std::pair<std::size_t, int>, const Mds*> by_rank;
  for (const Mds& mds : all.mdss()) {
    if (!mds.in_map) continue;
    ++by_state[mds.state];
    if (mds.state != MdsState::kStandby && mds.state != MdsState::kStandbyReplay) by_rank[{mds.fs, mds.rank}] = &mds;
  }
  if (!by_rank.empty() && by_rank.size() < 5) {
    std::string ranks;
    for (const auto& [role, mds] : by_rank) {
      ranks += ranks.empty() ? "" : ",";
      ranks += all.size() > 1 ? fmt::format("{}:{}={}={}", all.at(role.first).config.name, role.second, mds->name, state_text(*mds)) : fmt::format("{}={}={}", role.second, mds->name, state_text(*mds));
      --by_state[mds->state];
    }
    text += fmt::format(" {{{}}}", ranks);
  }
  for (const auto& [state, count] : by_state) {
    if (count > 0) text += fmt::format(" {} {}", count, to_string(state));
  }
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (damaged > 0) text += fmt::format(", {} damaged", damaged);
  return text + "\n";
}

namespace {

/// Ceph numbers every process anew; ours are numbered by daemon and start.
std::int64_t gid_of(const FileSystems& all, const Mds& mds) {
  const auto index = static_cast<std::int64_t>(&mds - all.mdss().data());
  return 4'100 + 1'000 * index + mds.entry;
}

void put_fsmap(const CephCluster& cluster, JsonWriter& json) {
  const FileSystems& all = cluster.file_systems();
  json.key("epoch").number(all.epoch()).key("standbys").open('[');
  const auto info = [&](const Mds& mds) {
    json.key("gid").number(gid_of(all, mds)).key("name").string(mds.name).key("rank").number(mds.rank).key("state").string(to_string(mds.state));
    if (mds.is_laggy) json.key("laggy_since").boolean(true);
  };
  for (const Mds& mds : all.mdss()) {
    if (!mds.in_map || mds.state != MdsState::kStandby) continue;
    json.open('{');
    info(mds);
    json.close('}');
  }
  json.close(']').key("filesystems").open('[');
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    const FileSystem& one = all.at(fs);
    json.open('{').key("mdsmap").open('{').key("session_timeout").number(cluster.config().mds.session_timeout / std::chrono::seconds(1));
    json.key("session_autoclose").number(cluster.config().mds.session_autoclose / std::chrono::seconds(1)).key("max_mds").number(one.config.active_count).key("in").open('[');
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) json.number(static_cast<std::int64_t>(rank));
    json.close(']').key("up").open('{');
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      if (one.ranks[rank].mds) json.key(fmt::format("mds_{}", rank)).number(gid_of(all, all.mdss()[*one.ranks[rank].mds]));
    }
    json.close('}').key("failed").open('[');
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      if (!one.ranks[rank].mds && !one.ranks[rank].is_damaged) json.number(static_cast<std::int64_t>(rank));
    }
    json.close(']').key("damaged").open('[');
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      if (one.ranks[rank].is_damaged) json.number(static_cast<std::int64_t>(rank));
    }
    json.close(']').key("info").open('{');
    for (const Mds& mds : all.mdss()) {
      if (!mds.in_map || mds.fs != fs || mds.state == MdsState::kStandby) continue;
      json.key(fmt::format("gid_{}", gid_of(all, mds))).open('{');
      info(mds);
      json.close('}');
    }
    json.close('}').key("data_pools").open('[');
    for (const std::size_t pool : one.data_pools) json.number(cluster.pgs().pools()[pool].id);
    json.close(']').key("metadata_pool").number(cluster.pgs().pools()[one.metadata_pool].id).key("fs_name").string(one.config.name);
    json.key("standby_count_wanted").number(one.config.standby_count_wanted).close('}').key("id").number(static_cast<std::int64_t>(fs + 1)).close('}');
  }
  json.close(']');
}

}  // namespace

std::string mds_stat_json(const CephCluster& cluster) {
  JsonWriter json;
  json.open('{').key("fsmap").open('{');
  put_fsmap(cluster, json);
  json.close('}').close('}');
  return json.text();
}

void put_fsmap_status(const CephCluster& cluster, JsonWriter& json) {
  const FileSystems& all = cluster.file_systems();
  json.key("fsmap").open('{').key("epoch").number(all.epoch());
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    const FileSystem& one = all.at(fs);
    json.key("id").number(static_cast<std::int64_t>(fs + 1)).key("up").number(static_cast<std::int64_t>(up_ranks(one))).key("in").number(static_cast<std::int64_t>(one.ranks.size()));
    json.key("max").number(one.config.active_count);
    break;  // with several Ceph repeats the keys, which no reader of JSON keeps: the first is told
  }
  json.key("by_rank").open('[');
  for (const Mds& mds : all.mdss()) {
    if (!mds.in_map || mds.state == MdsState::kStandby) continue;
    json.open('{').key("filesystem_id").number(static_cast<std::int64_t>(mds.fs + 1)).key("rank").number(mds.rank).key("name").string(mds.name).key("status").string(state_text(mds)).close('}');
  }
  json.close(']').key("up:standby").number(static_cast<std::int64_t>(all.standbys()));
  std::size_t failed = 0, damaged = 0;
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    failed += failed_ranks(all.at(fs));
    damaged += damaged_ranks(all.at(fs));
  }
  if (failed > 0) json.key("failed").number(static_cast<std::int64_t>(failed));
  if (damaged > 0) json.key("damaged").number(static_cast<std::int64_t>(damaged));
  json.close('}');
}

std::string fs_status_text(const CephCluster& cluster) {
  const FileSystems& all = cluster.file_systems();
  std::string text;
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    const FileSystem& one = all.at(fs);
    text += fmt::format("{} - {} clients\n{}\n", one.config.name, all.sessions(fs), std::string(one.config.name.size(), '='));
    CentredTable ranks;
    ranks.add({"RANK", "STATE", "MDS", "ACTIVITY", "DNS", "INOS", "DIRS", "CAPS"});
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      if (!one.ranks[rank].mds) {
        ranks.add({fmt::format("{}", rank), "failed", "", "", "", "", "", ""});
        continue;
      }
      const Mds& mds = all.mdss()[*one.ranks[rank].mds];
      ranks.add({fmt::format("{}", rank), std::string(to_string(mds.state)).substr(3) + (mds.is_laggy ? "(laggy)" : ""), mds.name, "", "", "", "", ""});
    }
    for (const Mds& mds : all.mdss()) {
      if (mds.in_map && mds.fs == fs && mds.state == MdsState::kStandbyReplay) ranks.add({fmt::format("{}-s", mds.rank), "standby-replay", mds.name, "", "", "", "", ""});
    }
    text += ranks.text();
    CentredTable pools;
    pools.add({"POOL", "TYPE", "USED", "AVAIL"});
    for (const std::size_t pool : pools_of(one)) {
      const PoolState& state = cluster.pgs().pools()[pool];
      pools.add({state.config.name, pool == one.metadata_pool ? "metadata" : "data", short_bytes(used_of(state)), short_bytes(available_to(cluster, state))});
    }
    text += pools.text();
  }
  CentredTable standbys;
  standbys.add({"STANDBY MDS"});
  for (const Mds& mds : all.mdss()) {
    if (mds.in_map && mds.state == MdsState::kStandby) standbys.add({mds.name});
  }
  return text + (all.standbys() > 0 ? standbys.text() : std::string());
}

std::string fs_status_json(const CephCluster& cluster) {
  const FileSystems& all = cluster.file_systems();
  JsonWriter json;
  json.open('{').key("clients").open('[');
  for (std::size_t fs = 0; fs < all.size(); ++fs) json.open('{').key("clients").number(static_cast<std::int64_t>(all.sessions(fs))).key("fs").string(all.at(fs).config.name).close('}');
  json.close(']').key("mdsmap").open('[');
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    const FileSystem& one = all.at(fs);
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      json.open('{');
      if (one.ranks[rank].mds) {
        const Mds& mds = all.mdss()[*one.ranks[rank].mds];
        json.key("name").string(mds.name).key("rank").number(static_cast<std::int64_t>(rank)).key("state").string(std::string(to_string(mds.state)).substr(3) + (mds.is_laggy ? "(laggy)" : ""));
      } else {
        json.key("rank").number(static_cast<std::int64_t>(rank)).key("state").string("failed");
      }
      json.close('}');
    }
    for (const Mds& mds : all.mdss()) {
      if (!mds.in_map || mds.fs != fs || mds.state != MdsState::kStandbyReplay) continue;
      json.open('{').key("name").string(mds.name).key("rank").string(fmt::format("{}-s", mds.rank)).key("state").string("standby-replay").close('}');
    }
  }
  for (const Mds& mds : all.mdss()) {
    if (mds.in_map && mds.state == MdsState::kStandby) json.open('{').key("name").string(mds.name).key("state").string("standby").close('}');
  }
  json.close(']').key("pools").open('[');
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    for (const std::size_t pool : pools_of(all.at(fs))) {
      const PoolState& state = cluster.pgs().pools()[pool];
      json.open('{').key("avail").number(static_cast<std::int64_t>(available_to(cluster, state))).key("id").number(state.id).key("name").string(state.config.name);
      json.key("type").string(pool == all.at(fs).metadata_pool ? "metadata" : "data").key("used").number(static_cast<std::int64_t>(used_of(state))).close('}');
    }
  }
  json.close(']').close('}');
  return json.text();
}

void mds_checks(const CephCluster& cluster, std::vector<HealthCheck>& checks) {
  const FileSystems& all = cluster.file_systems();
  HealthCheck damaged{"MDS_DAMAGE", HealthSeverity::kErr, "", {}};
  HealthCheck degraded{"FS_DEGRADED", HealthSeverity::kWarn, "", {}};
  HealthCheck all_down{"MDS_ALL_DOWN", HealthSeverity::kErr, "", {}};
  HealthCheck failed{"FS_WITH_FAILED_MDS", HealthSeverity::kWarn, "", {}};
  HealthCheck slow_metadata{"MDS_SLOW_METADATA_IO", HealthSeverity::kWarn, "", {}};
  HealthCheck slow_requests{"MDS_SLOW_REQUEST", HealthSeverity::kWarn, "", {}};
  std::size_t degraded_count = 0, damaged_count = 0;
  std::size_t wanted = 0;
  for (std::size_t fs = 0; fs < all.size(); ++fs) {
    const FileSystem& one = all.at(fs);
    const std::string& name = one.config.name;
    std::size_t without_replacement = 0;
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      if (one.ranks[rank].is_damaged) {
        ++damaged_count;
        damaged.detail.push_back(fmt::format("fs {} mds.{} is damaged", name, rank));
      } else if (!one.ranks[rank].mds && !all.has_replacement(fs, static_cast<int>(rank))) {
        ++without_replacement;
      }
    }
    if (all.is_degraded(fs)) {
      ++degraded_count;
      degraded.detail.push_back(fmt::format("fs {} is degraded", name));
      for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
        if (!one.ranks[rank].mds) continue;
        const Mds& mds = all.mdss()[*one.ranks[rank].mds];
        const char* what = mds.state == MdsState::kReplay      ? "is replaying journal"
                           : mds.state == MdsState::kResolve   ? "is resolving"
                           : mds.state == MdsState::kReconnect ? "is reconnecting to clients"
                           : mds.state == MdsState::kRejoin    ? "is rejoining"
                                                               : nullptr;
        if (what != nullptr) degraded.detail.push_back(fmt::format("fs {} mds.{} rank {} {}", name, mds.name, rank, what));
      }
    }
    if (up_ranks(one) == 0) all_down.detail.push_back(fmt::format("fs {} is offline because no MDS is active for it.", name));
    if (without_replacement > 0) failed.detail.push_back(fmt::format("fs {} has {} failed mds{}", name, without_replacement, s_of(without_replacement)));
    // Standbys of any file system count, and those that follow a rank of this one.
    std::size_t there = all.standbys();
    for (const Mds& mds : all.mdss()) there += mds.in_map && mds.fs == fs && mds.state == MdsState::kStandbyReplay ? 1u : 0u;
    const auto want = static_cast<std::size_t>(std::max(0, one.config.standby_count_wanted));
    if (want > there) wanted = std::max(wanted, want - there);
    // Servers that write their journal, or read it, and get no answer: they say so in their beacons.
    const SimDuration age = cluster.now() - one.metadata_blocked_since;
    if (one.metadata_blocked_since == SimTime{} || age <= cluster.config().osd.op_complaint_time) continue;
    for (std::size_t rank = 0; rank < one.ranks.size(); ++rank) {
      if (!one.ranks[rank].mds) continue;
      const Mds& mds = all.mdss()[*one.ranks[rank].mds];
      if (!mds.heard || mds.is_laggy || (mds.state == MdsState::kActive && all.sessions(fs) == 0)) continue;
      slow_metadata.detail.push_back(fmt::format("mds.{}(mds.{}): 1 slow metadata IOs are blocked > {} secs, oldest blocked for {} secs", mds.name, rank,
                                                 cluster.config().osd.op_complaint_time / std::chrono::seconds(1), age / std::chrono::seconds(1)));
      if (mds.state == MdsState::kActive && age > cluster.config().mds.op_complaint_time) {
        slow_requests.detail.push_back(fmt::format("mds.{}(mds.{}): {} slow requests are blocked > {} secs", mds.name, rank, all.sessions(fs), cluster.config().mds.op_complaint_time / std::chrono::seconds(1)));
      }
    }
  }
  const auto put = [&](HealthCheck& check, std::string summary) {
    if (check.detail.empty()) return;
    check.summary = std::move(summary);
    checks.push_back(std::move(check));
  };
  put(damaged, fmt::format("{} mds daemon{} damaged", damaged_count, s_of(damaged_count)));
  put(degraded, fmt::format("{} filesystem{} {} degraded", degraded_count, s_of(degraded_count), is_or_are(degraded_count)));
  put(all_down, fmt::format("{} filesystem{} {} offline", all_down.detail.size(), s_of(all_down.detail.size()), is_or_are(all_down.detail.size())));
  put(failed, fmt::format("{} filesystem{} {} a failed mds daemon", failed.detail.size(), s_of(failed.detail.size()), failed.detail.size() == 1 ? "has" : "have"));
  put(slow_metadata, fmt::format("{} MDSs report slow metadata IOs", slow_metadata.detail.size()));
  put(slow_requests, fmt::format("{} MDSs report slow requests", slow_requests.detail.size()));
  if (wanted > 0) {
    checks.push_back({"MDS_INSUFFICIENT_STANDBY", HealthSeverity::kWarn, "insufficient standby MDS daemons available", {fmt::format("have {}; want {} more", all.standbys(), wanted)}});
  }
}

}  // namespace sim::ceph

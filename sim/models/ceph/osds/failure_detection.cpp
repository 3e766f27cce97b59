#include "sim/models/ceph/osds/failure_detection.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace sim::ceph {

FailureDetection::FailureDetection(const Context& context, Monitors& monitors, OsdMonitor& osd_monitor, OsdDaemons& daemons, std::vector<Osd>& osds)
    : context_(context), monitors_(monitors), osd_monitor_(osd_monitor), daemons_(daemons), osds_(osds), suspects_(osds.size()) {
  for (Suspect& suspect : suspects_) {
    suspect.verdict = Timer(context_.engine);
    suspect.refused = Timer(context_.engine);
    suspect.beacon = Timer(context_.engine);
  }
  hosts_ = context_.config.hosts.size();
  broken_since_.assign(hosts_ * hosts_, kEndOfTime);
  mon_broken_since_.assign(hosts_, kEndOfTime);
}

bool FailureDetection::hears(const Osd& from, const Osd& to) const {
  return daemons_.is_process_alive(to.id) && to.answers_pings && context_.network.hears(from.host, to.host);
}

void FailureDetection::update_links() {
  const SimTime now = context_.engine.now();
  std::vector<host::HostId> ids(hosts_);
  for (const Osd& osd : osds_) ids[osd.location] = osd.host;
  for (std::size_t a = 0; a < hosts_; ++a) {
    if (!ids[a]) continue;
    SimTime& to_mons = mon_broken_since_[a];
    const bool reaches = !monitors_.has_quorum() ? to_mons == kEndOfTime : monitors_.reachable_from(ids[a]);
    to_mons = reaches ? kEndOfTime : std::min(to_mons, now);
    for (std::size_t b = 0; b < hosts_; ++b) {
      if (!ids[b] || a == b) continue;
      SimTime& since = broken_since_[a * hosts_ + b];
      since = context_.network.hears(ids[a], ids[b]) ? kEndOfTime : std::min(since, now);
    }
  }
}

std::vector<int> FailureDetection::heartbeat_peers(int id) const {
  std::set<int> peers;
  if (pg_peers) {
    for (const int other : pg_peers(id)) {
      if (other != id && osd_monitor_.is_up(other)) peers.insert(other);
    }
  }
  const int count = static_cast<int>(osds_.size());
  for (int step = 1; step < count; ++step) {  // the next one that is up, and the one before
    const int next = (id + step) % count;
    if (osd_monitor_.is_up(next)) {
      peers.insert(next);
      break;
    }
  }
  for (int step = 1; step < count; ++step) {
    const int before = (id + count - step) % count;
    if (osd_monitor_.is_up(before)) {
      peers.insert(before);
      break;
    }
  }
  // Fill up with OSDs of other subtrees.
  const auto enough = static_cast<std::size_t>(std::max(options().heartbeat_min_peers, options().min_down_reporters));
  for (int step = 1; step < count && peers.size() < enough; ++step) {
    const int other = (id + step) % count;
    if (osd_monitor_.is_up(other) && osds_[static_cast<std::size_t>(other)].host != osds_[static_cast<std::size_t>(id)].host) peers.insert(other);
  }
  peers.erase(id);
  return {peers.begin(), peers.end()};
}

std::int64_t FailureDetection::subtree_of(const Osd& osd) const {
  const std::string& level = options().reporter_subtree_level;
  if (level == "osd") return osd.id;
  if (level == "rack") {
    const std::string& rack = context_.config.hosts[osd.location].rack;
    if (rack.empty()) return -1'000'000 - osd.id;  // outside of such a bucket it counts as its own
    for (std::size_t i = 0; i < hosts_; ++i) {
      if (context_.config.hosts[i].rack == rack) return static_cast<std::int64_t>(i);
    }
  }
  return static_cast<std::int64_t>(osd.location);
}

SimTime FailureDetection::first_unanswered_ping(const Osd& reporter, SimTime broken) const {
  // An OSD pings all its peers at once, every 0.5 + 0.1 k interval seconds, k from 0 to 9. An instant falls into an interval with a chance
  // that grows with its length, and anywhere in it.
  RandomStream stream = context_.random.stream("ceph/osd-ping", fmt::format("{}@{}", reporter.name, broken.time_since_epoch().count()));
  const double step = seconds(options().heartbeat_interval) / 10.0;
  double pick = stream.uniform() * (10 * 0.5 + 45 * step);
  double length = 0.5;
  for (int k = 0; k < 10; ++k) {
    length = 0.5 + step * k;
    if (pick < length) break;
    pick -= length;
  }
  return broken + from_seconds(stream.uniform() * length);
}

SimTime FailureDetection::report_at(const Osd& reporter, SimTime unhealthy) const {
  const SimDuration phase =
      context_.random.stream("ceph/osd-report", reporter.name).uniform(SimDuration::zero(), options().mon_report_interval);
  const SimTime heard_from = monitors_.has_quorum() ? std::max(unhealthy, monitors_.leader_since()) : kEndOfTime;
  if (heard_from == kEndOfTime) return kEndOfTime;
  return grid_at_or_after(SimTime{} + phase, options().mon_report_interval, heard_from);
}

FailureDetection::Verdict FailureDetection::verdict_on(const Osd& target) const {
  Verdict verdict;
  if (!monitors_.has_quorum()) return verdict;
  struct Report {
    SimTime at;
    SimTime failed_since;
    const Osd* reporter;
  };
  std::vector<Report> reports;
  for (const int peer : heartbeat_peers(target.id)) {
    const Osd& reporter = osds_[static_cast<std::size_t>(peer)];
    if (reporter.process != OsdProcess::kRunning || !reporter.answers_pings || !context_.hosts.is_running(reporter.host)) continue;
    if (hears(reporter, target) || !monitors_.reachable_from(reporter.host)) continue;
    SimTime broken = target.answers_pings ? kEndOfTime : target.silent_since;
    if (reporter.location != target.location) broken = std::min(broken, broken_since_[reporter.location * hosts_ + target.location]);
    if (broken == kEndOfTime) continue;
    // Who came up later pings, and is pinged, from then on.
    broken = std::max({broken, reporter.map_changed, target.map_changed});
    const SimTime unhealthy = first_unanswered_ping(reporter, broken) + options().heartbeat_grace;
    reports.push_back({report_at(reporter, unhealthy), broken, &reporter});
  }
  std::sort(reports.begin(), reports.end(), [](const Report& a, const Report& b) { return a.at != b.at ? a.at < b.at : a.reporter->id < b.reporter->id; });
  std::set<std::int64_t> subtrees;
  SimTime failed_since = SimTime::min();
  double peers_grace = 0.0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    subtrees.insert(subtree_of(*reports[i].reporter));
    failed_since = std::max(failed_since, reports[i].failed_since);
    const Osd& reporter = *reports[i].reporter;
    peers_grace += reporter.laggy.grace_s(options(), reports[i].at - reporter.down_stamp);
    if (subtrees.size() < static_cast<std::size_t>(options().min_down_reporters)) continue;
    double grace = seconds(options().heartbeat_grace);
    if (options().adjust_heartbeat_grace) {
      grace += target.laggy.grace_s(options(), reports[i].at - failed_since) + peers_grace / static_cast<double>(i + 1);
    }
    SimTime at = reports[i].at;
    const SimTime grace_over = failed_since + from_seconds(grace);
    if (grace_over > at) at = monitors_.tick_at_or_after(grace_over);
    verdict = {at, i + 1, subtrees.size()};
    break;
  }
  return verdict;
}

void FailureDetection::update() {
  update_links();
  const SimTime now = context_.engine.now();
  std::vector<bool> host_is_suspect(hosts_, false);
  for (std::size_t a = 0; a < hosts_; ++a) {
    for (std::size_t b = 0; b < hosts_ && !host_is_suspect[a]; ++b) host_is_suspect[a] = broken_since_[a * hosts_ + b] != kEndOfTime;
  }
  const bool nodown = osd_monitor_.has_flag("nodown");
  for (Osd& osd : osds_) {
    Suspect& suspect = suspects_[static_cast<std::size_t>(osd.id)];
    if (!osd_monitor_.is_up(osd.id)) {
      suspect.verdict.cancel();
      suspect.refused.cancel();
      suspect.beacon.cancel();
      // Alive, and it has not heard that it was marked down: now it may.
      if (osd.process == OsdProcess::kRunning && context_.hosts.is_running(osd.host)) daemons_.map_changed({osd.id});
      continue;
    }
    check_refused(osd);
    check_beacon(osd);
    if (nodown || (osd.answers_pings && !host_is_suspect[osd.location])) {
      suspect.verdict.cancel();
      continue;
    }
    const Verdict verdict = verdict_on(osd);
    if (verdict.at == kEndOfTime) {
      suspect.verdict.cancel();
    } else {
      // Its cause is what broke it, not whatever else changed now.
      const CauseId why = !osd.answers_pings && osd.cause ? osd.cause : context_.hosts.last_cause(osd.host);
      const ScopedCause because(context_.engine, why);
      const int id = osd.id;
      suspect.verdict.set_at(std::max(verdict.at, now), [this, id] { judge(id); });
    }
  }
}

void FailureDetection::judge(int id) {
  Osd& osd = osds_[static_cast<std::size_t>(id)];
  if (!osd_monitor_.is_up(id)) return;
  const Verdict verdict = verdict_on(osd);
  if (verdict.at > context_.engine.now()) return;  // an update has set, or will set, the next one
  osd_monitor_.request({.kind = MapRequest::Kind::kDown,
                        .osd = id,
                        .epoch = osd.up_from,
                        .text = fmt::format("no heartbeats, {} reporters from {} different {}", verdict.reporters, verdict.subtrees,
                                            options().reporter_subtree_level)});
}

void FailureDetection::check_refused(Osd& osd) {
  Suspect& suspect = suspects_[static_cast<std::size_t>(osd.id)];
  if (!osd.refused || !options().fast_fail_on_connection_refused || !context_.hosts.is_running(osd.host) || osd_monitor_.has_flag("nodown")) {
    suspect.refused.cancel();
    return;
  }
  if (suspect.refused.is_pending() || suspect.refused_life == osd.up_from + 1 || !monitors_.has_quorum()) return;
  const bool anybody = std::any_of(osds_.begin(), osds_.end(), [&](const Osd& peer) {
    return peer.id != osd.id && osd_monitor_.is_up(peer.id) && daemons_.is_responsive(peer.id) && context_.network.hears(peer.host, osd.host) &&
           monitors_.reachable_from(peer.host);
  });
  if (!anybody) return;
  const SimDuration wait = context_.random.stream("ceph/osd-refused", fmt::format("{}#{}", osd.name, osd.starts))
                               .uniform(options().refused_report_min, options().refused_report_max);
  const int id = osd.id;
  const ScopedCause because(context_.engine, osd.cause);
  suspect.refused.set_after(wait, [this, id] {
    Osd& target = osds_[static_cast<std::size_t>(id)];
    if (!osd_monitor_.is_up(id) || !target.refused) return;
    suspects_[static_cast<std::size_t>(id)].refused_life = target.up_from + 1;
    osd_monitor_.request({.kind = MapRequest::Kind::kDown, .osd = id, .epoch = target.up_from, .on = true, .text = "connection refused"});
  });
}

void FailureDetection::check_beacon(Osd& osd) {
  Suspect& suspect = suspects_[static_cast<std::size_t>(osd.id)];
  const bool silent = !daemons_.is_process_alive(osd.id) || osd.process != OsdProcess::kRunning;
  const SimTime cut = mon_broken_since_[osd.location];
  if ((!silent && cut == kEndOfTime) || !monitors_.has_quorum() || osd_monitor_.has_flag("nodown")) {
    suspect.beacon.cancel();
    return;
  }
  const SimTime since = std::min(cut, silent ? osd.silent_since : kEndOfTime);
  const SimDuration phase =
      context_.random.stream("ceph/osd-beacon", osd.name).uniform(SimDuration::zero(), options().beacon_report_interval);
  const SimTime last = grid_at_or_before(SimTime{} + phase, options().beacon_report_interval, since);
  const SimTime over = std::max(last, monitors_.leader_since()) + options().report_timeout;
  const int id = osd.id;
  const ScopedCause because(context_.engine, osd.cause ? osd.cause : context_.hosts.last_cause(osd.host));
  suspect.beacon.set_at(std::max(monitors_.tick_at_or_after(over), context_.engine.now()), [this, id] {
    const Osd& target = osds_[static_cast<std::size_t>(id)];
    if (!osd_monitor_.is_up(id)) return;
    osd_monitor_.request({.kind = MapRequest::Kind::kDown,
                          .osd = id,
                          .epoch = target.up_from,
                          .text = fmt::format("no beacon for {} seconds", options().report_timeout / std::chrono::seconds(1))});
  });
}

bool FailureDetection::is_healthy(int id) const {
  const Osd& osd = osds_[static_cast<std::size_t>(id)];
  const std::vector<int> peers = heartbeat_peers(id);
  if (peers.empty()) return true;
  const auto heard = std::count_if(peers.begin(), peers.end(), [&](int peer) { return hears(osd, osds_[static_cast<std::size_t>(peer)]); });
  return static_cast<double>(heard) >= static_cast<double>(peers.size()) * options().heartbeat_min_healthy_ratio;
}

}  // namespace sim::ceph

#include "sim/models/ceph/monitors/monitors.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"

namespace sim::ceph {

namespace {

SimDuration scale(SimDuration span, double factor) { return SimDuration(static_cast<std::int64_t>(static_cast<double>(span.count()) * factor)); }

}  // namespace

const char* to_string(MonState state) {
  switch (state) {
    case MonState::kDown: return "down";
    case MonState::kProbing: return "probing";
    case MonState::kSynchronizing: return "synchronizing";
    case MonState::kElecting: return "electing";
    case MonState::kLeader: return "leader";
    case MonState::kPeon: return "peon";
  }
  return "";
}

Monitors::Monitors(const Context& context) : context_(context), proposal_(context.engine), accept_(context.engine) {
  for (const DaemonConfig& mon : context_.config.mons) {
    Mon member;
    member.name = mon.name;
    member.host = context_.hosts.find(mon.host);
    SIM_CHECK(member.host, "a monitor's host exists");
    member.timer = Timer(context_.engine);
    member.lease = Timer(context_.engine);
    ranks_.push_back(mons_.size());
    mons_.push_back(std::move(member));
  }
}

std::optional<std::size_t> Monitors::find(std::string_view name) const {
  for (std::size_t i = 0; i < mons_.size(); ++i) {
    if (mons_[i].name == name && (mons_[i].in_monmap || mons_[i].runs)) return i;
  }
  return std::nullopt;
}

std::vector<std::size_t> Monitors::monmap() const { return ranks_; }

bool Monitors::is_alive(std::size_t mon) const { return mons_[mon].runs && context_.hosts.is_running(mons_[mon].host); }

MonState Monitors::state(std::size_t mon) const { return is_alive(mon) ? mons_[mon].state : MonState::kDown; }

bool Monitors::connected(std::size_t a, std::size_t b) const {
  return is_alive(a) && is_alive(b) && context_.network.reaches(mons_[a].host, mons_[b].host, Plane::kPublic);
}

std::vector<std::size_t> Monitors::group_of(std::size_t mon) const {
  std::vector<std::size_t> group;
  for (const std::size_t other : ranks_) {
    if (connected(mon, other) && mons_[other].state != MonState::kSynchronizing && mons_[other].state != MonState::kDown) group.push_back(other);
  }
  return group;
}

bool Monitors::may_lead(std::size_t mon) const {
  const std::vector<std::string>& disallowed = context_.config.disallowed_leaders;
  return std::find(disallowed.begin(), disallowed.end(), mons_[mon].name) == disallowed.end();
}

SimDuration Monitors::renew_interval() const { return scale(options().lease, options().lease_renew_interval_factor); }

SimTime Monitors::last_renewal(std::size_t leader, SimTime when) const {
  return grid_at_or_before(mons_[leader].lease_anchor, renew_interval(), when);
}

void Monitors::start() {
  const std::vector<std::size_t> all = ranks_;
  for (std::size_t mon = 0; mon < mons_.size(); ++mon) {
    mons_[mon].runs = context_.hosts.is_running(mons_[mon].host);
    mons_[mon].state = mons_[mon].runs ? MonState::kProbing : MonState::kDown;
  }
  for (const std::size_t mon : all) {
    if (!is_alive(mon) || mons_[mon].state != MonState::kProbing) continue;
    const std::vector<std::size_t> group = group_of(mon);
    if (group.size() < majority()) continue;
    const auto first = std::find_if(group.begin(), group.end(), [this](std::size_t m) { return may_lead(m); });
    if (first == group.end()) continue;
    ++epoch_;
    epoch_ += epoch_ % 2;  // even: elected
    for (const std::size_t member : group) {
      mons_[member].epoch = epoch_;
      mons_[member].state = member == *first ? MonState::kLeader : MonState::kPeon;
      mons_[member].leader = *first;
    }
    Mon& leader = mons_[*first];
    leader.quorum = group;
    leader.active = true;
    leader.lease_anchor = context_.engine.now();
    leader_ = *first;
    elected_epoch_ = told_epoch_ = epoch_;
    // It has led for so long that timeouts which count from its election are over.
    leader_since_ = context_.engine.now() - SimDuration(std::chrono::hours(1)) -
                    context_.random.stream("ceph/mon-tick", leader.name).uniform(SimDuration::zero(), options().tick_interval);
    break;
  }
  quorum_changed_ = context_.engine.now();
  if (!leader_) {
    lost_told_ = true;
    cause_ = context_.log.record("MonQuorumLost", "ceph/monitors", fmt::format("no quorum at the start: fewer than {} of {} monitors can run", majority(), ranks_.size()));
    for (const std::size_t mon : all) {
      if (is_alive(mon)) probe_soon(mon);
    }
  }
}

void Monitors::leave_view(std::size_t mon) {
  Mon& member = mons_[mon];
  member.timer.cancel();
  member.lease.cancel();
  member.active = false;
  member.quorum.clear();
  if (leader_ == mon) {
    proposing_ = false;
    proposal_.cancel();
    accept_.cancel();
  }
}

void Monitors::bootstrap(std::size_t mon) {
  leave_view(mon);
  if (!is_alive(mon)) {
    mons_[mon].state = MonState::kDown;
    update_quorum("its leader is down");
    return;
  }
  mons_[mon].state = MonState::kProbing;
  update_quorum(fmt::format("mon.{} left it", mons_[mon].name));
  probe(mon);
}

void Monitors::probe_soon(std::size_t mon) {
  // It asks again every probe_timeout.
  const SimDuration wait =
      context_.random.stream("ceph/mon-probe", fmt::format("{}#{}", mons_[mon].name, ++draws_)).uniform(SimDuration::zero(), options().probe_timeout);
  mons_[mon].timer.set_after(wait, [this, mon] { probe(mon); });
}

void Monitors::probe(std::size_t mon) {
  Mon& self = mons_[mon];
  if (!is_alive(mon) || !self.in_monmap || (self.state != MonState::kProbing && self.state != MonState::kElecting)) return;
  const std::vector<std::size_t> group = group_of(mon);
  std::uint64_t newest = 0;
  bool quorum_here = false;
  for (const std::size_t other : group) {
    newest = std::max(newest, mons_[other].version);
    const MonState state = mons_[other].state;
    if (other != mon && (state == MonState::kLeader || state == MonState::kPeon)) quorum_here = true;
  }
  if (!quorum_here && group.size() < majority()) return;  // woken by the next change
  if (newest > self.version + options().max_join_drift) {
    self.state = MonState::kSynchronizing;
    const SimDuration time = context_.draw(options().sync, "ceph/mon-sync", fmt::format("{}#{}", self.name, ++draws_));
    self.cause = context_.log.record("MonSynchronizing", fmt::format("mon/{}", self.name),
                                     fmt::format("mon.{} is {} commits behind and copies the store first", self.name, newest - self.version));
    const ScopedCause because(context_.engine, self.cause);
    self.timer.set_after(time, [this, mon, newest] {
      mons_[mon].state = MonState::kProbing;
      mons_[mon].version = std::max(mons_[mon].version, newest);
      probe(mon);
    });
    return;
  }
  start_election(mon);
}

void Monitors::start_election(std::size_t mon) {
  const std::vector<std::size_t> members = group_of(mon);
  epoch_ += 1 + epoch_ % 2;  // odd: electing
  const std::uint32_t epoch = epoch_;
  bool dissolves = false;
  for (const std::size_t member : members) {
    dissolves = dissolves || leader_ == member;
    leave_view(member);
    mons_[member].state = MonState::kElecting;
    mons_[member].epoch = epoch;
    mons_[member].leader = mon;  // whom it waits for
  }
  const ScopedCause because(context_.engine, context_.log.record("MonElection", "ceph/monitors",
                                                                  fmt::format("mon.{} calls an election: {} of {} monitors answer", mons_[mon].name,
                                                                              members.size(), ranks_.size())));
  if (dissolves) update_quorum("an election was called");
  const SimDuration wait = members.size() == ranks_.size() ? options().election_round_trip : options().election_timeout;
  mons_[mon].timer.set_after(wait, [this, mon, epoch, members] { finish_election(epoch, members); });
}

void Monitors::finish_election(std::uint32_t epoch, std::vector<std::size_t> members) {
  std::erase_if(members, [&](std::size_t m) { return !is_alive(m) || mons_[m].epoch != epoch || mons_[m].state != MonState::kElecting; });
  const auto first = std::find_if(members.begin(), members.end(), [this](std::size_t m) { return may_lead(m); });
  if (first == members.end()) return;
  const std::size_t leader = *first;
  std::erase_if(members, [&](std::size_t m) { return !connected(leader, m); });
  if (members.size() < majority()) {
    // It goes on for as long as nobody else answers; who comes joins it.
    for (const std::size_t member : members) mons_[member].state = MonState::kProbing;
    update_quorum("too few monitors answered");
    return;
  }
  epoch_ = std::max(epoch_, epoch + 1);
  elected_epoch_ = epoch + 1;
  for (const std::size_t member : members) {
    mons_[member].state = member == leader ? MonState::kLeader : MonState::kPeon;
    mons_[member].leader = leader;
    mons_[member].epoch = epoch + 1;
    mons_[member].timer.cancel();
  }
  mons_[leader].quorum = members;
  mons_[leader].lease_anchor = context_.engine.now();
  const SimDuration time = context_.draw(options().recover, "ceph/mon-collect", fmt::format("{}#{}", mons_[leader].name, epoch));
  mons_[leader].timer.set_after(time, [this, leader, epoch] { collected(leader, epoch + 1); });
  watch_links();
}

void Monitors::collected(std::size_t leader, std::uint32_t epoch) {
  Mon& self = mons_[leader];
  if (!is_alive(leader) || self.state != MonState::kLeader || self.epoch != epoch) return;
  if (!heard_by_all(leader)) {
    const SimDuration left = scale(options().lease, options().accept_timeout_factor);
    self.timer.set_after(left, [this, leader, epoch] {
      if (mons_[leader].state == MonState::kLeader && mons_[leader].epoch == epoch && !mons_[leader].active) bootstrap(leader);
    });
    return;
  }
  self.active = true;
  self.lease_anchor = context_.engine.now();
  for (const std::size_t member : self.quorum) version_ = std::max(version_, mons_[member].version);
  for (const std::size_t member : self.quorum) mons_[member].version = version_;
  update_quorum("");
  watch_links();
}

bool Monitors::heard_by_all(std::size_t leader) const {
  const Mon& self = mons_[leader];
  return std::all_of(self.quorum.begin(), self.quorum.end(), [&](std::size_t m) {
    return connected(leader, m) && mons_[m].epoch == self.epoch && (m == leader || mons_[m].state == MonState::kPeon);
  });
}

/// Sets or takes back the timers of everybody whose link to its leader (or to a member) is broken.
void Monitors::watch_links() {
  const SimDuration timeout = scale(options().lease, options().lease_ack_timeout_factor);
  const SimTime now = context_.engine.now();
  for (const std::size_t mon : ranks_) {
    Mon& self = mons_[mon];
    if (!is_alive(mon)) continue;
    if (self.state == MonState::kLeader && self.active) {
      if (heard_by_all(mon)) {
        self.lease.cancel();
      } else if (!self.lease.is_pending()) {
        const SimTime renewal = grid_at_or_after(self.lease_anchor, renew_interval(), now);
        self.lease.set_at(renewal + timeout, [this, mon] { bootstrap(mon); });
      }
    } else if (self.state == MonState::kPeon) {
      const Mon& leader = mons_[self.leader];
      const bool hears = connected(mon, self.leader) && leader.state == MonState::kLeader && leader.epoch == self.epoch;
      if (hears) {
        self.lease.cancel();
      } else if (!self.lease.is_pending()) {
        const SimTime renewal = last_renewal(self.leader, now);
        self.lease_end = renewal + options().lease;
        self.lease.set_at(renewal + timeout, [this, mon] { bootstrap(mon); });
      }
    }
  }
}

void Monitors::links_changed() {
  watch_links();
  for (const std::size_t mon : ranks_) {
    if (!is_alive(mon)) continue;
    const MonState state = mons_[mon].state;
    if (mons_[mon].timer.is_pending()) continue;
    if (state == MonState::kProbing) probe_soon(mon);
    // It acknowledged somebody and waits for the victory a second longer than an election takes, then begins anew.
    if (state == MonState::kElecting && !connected(mon, mons_[mon].leader)) {
      mons_[mon].timer.set_after(options().election_timeout + std::chrono::seconds(1), [this, mon] { probe(mon); });
    }
  }
  if (proposing_ && can_commit()) try_commit();
}

/// Compares what is with what was told, and tells.
void Monitors::update_quorum(std::string_view why) {
  std::optional<std::size_t> now_leads;
  for (const std::size_t mon : ranks_) {
    // Of two views the younger one is the quorum: the older leader has not noticed yet, and cannot commit.
    if (mons_[mon].state == MonState::kLeader && mons_[mon].active && is_alive(mon) && mons_[mon].epoch == elected_epoch_) now_leads = mon;
  }
  const bool had = leader_.has_value();
  std::size_t answering = 0;
  for (const std::size_t mon : ranks_) answering = std::max(answering, is_alive(mon) ? group_of(mon).size() : 0);
  if (now_leads) {
    if (leader_ == now_leads && told_epoch_ == elected_epoch_) return;
    leader_ = now_leads;
    told_epoch_ = elected_epoch_;
    leader_since_ = context_.engine.now();
    quorum_changed_ = leader_since_;
    lost_told_ = false;
    std::string names;
    for (const std::size_t member : mons_[*leader_].quorum) names += (names.empty() ? "" : ",") + mons_[member].name;
    cause_ = context_.log.record("MonQuorum", "ceph/monitors",
                                 fmt::format("quorum {} of {} monitors, mon.{} leads", names, ranks_.size(), mons_[*leader_].name));
    const ScopedCause because(context_.engine, cause_);
    for (std::size_t i = 0; i < quorum_listeners_.size(); ++i) quorum_listeners_[i](true);
    if (wanted_) schedule_proposal();
    return;
  }
  leader_.reset();
  if (answering < majority() && !lost_told_) {
    lost_told_ = true;
    cause_ = context_.log.record("MonQuorumLost", "ceph/monitors",
                                 fmt::format("mon quorum lost: {} of {} up, {} needed{}{}", answering, ranks_.size(), majority(), why.empty() ? "" : "; ", why));
    for (const std::size_t mon : ranks_) {
      if (!is_alive(mon)) context_.log.also_caused_by(cause_, mons_[mon].cause ? mons_[mon].cause : context_.hosts.last_cause(mons_[mon].host));
    }
  }
  if (!had) return;
  if (answering >= majority()) {
    cause_ = context_.log.record("MonLeaderLost", "ceph/monitors",
                                 fmt::format("no leader until the next election: {} of {} monitors answer{}{}", answering, ranks_.size(), why.empty() ? "" : "; ", why));
  }
  quorum_changed_ = context_.engine.now();
  const ScopedCause because(context_.engine, cause_);
  for (std::size_t i = 0; i < quorum_listeners_.size(); ++i) quorum_listeners_[i](false);
}

std::vector<std::size_t> Monitors::quorum() const { return leader_ ? mons_[*leader_].quorum : std::vector<std::size_t>{}; }

bool Monitors::can_commit() const { return leader_ && is_alive(*leader_) && heard_by_all(*leader_); }

std::size_t Monitors::committing_leaders() const {
  std::size_t count = 0;
  for (std::size_t mon = 0; mon < mons_.size(); ++mon) {
    if (mons_[mon].state == MonState::kLeader && mons_[mon].active && is_alive(mon) && mons_[mon].quorum.size() >= majority() && heard_by_all(mon)) ++count;
  }
  return count;
}

bool Monitors::serves_reads(std::size_t mon) const {
  if (!is_alive(mon)) return false;
  const Mon& self = mons_[mon];
  if (self.state == MonState::kLeader) return self.active;
  if (self.state != MonState::kPeon) return false;
  const Mon& leader = mons_[self.leader];
  const SimTime now = context_.engine.now();
  if (leader.state == MonState::kLeader && leader.epoch == self.epoch && connected(mon, self.leader)) {
    // The lease ends at the leader's clock; one that is ahead sees it end early.
    return leader.active && now + (self.skew - leader.skew) < last_renewal(self.leader, now) + options().lease;
  }
  return self.lease.is_pending() && now + (self.skew - leader.skew) < self.lease_end;
}

bool Monitors::reachable_from(host::HostId from) const {
  if (!leader_) return false;
  for (const std::size_t mon : mons_[*leader_].quorum) {
    if (is_alive(mon) && context_.network.reaches(from, mons_[mon].host, Plane::kPublic) && connected(mon, *leader_)) return true;
  }
  return false;
}

std::vector<std::pair<std::size_t, SimDuration>> Monitors::known_skews() const {
  std::vector<std::pair<std::size_t, SimDuration>> skews;
  if (!leader_) return skews;
  for (const std::size_t mon : mons_[*leader_].quorum) {
    const SimDuration skew = mons_[mon].skew - mons_[*leader_].skew;
    const SimDuration size = skew < SimDuration::zero() ? -skew : skew;
    const SimTime checked = grid_at_or_after(leader_since_, options().timecheck_interval, std::max(mons_[mon].skew_since, mons_[*leader_].skew_since));
    if (size > options().clock_drift_allowed && context_.engine.now() >= checked) skews.emplace_back(mon, skew);
  }
  return skews;
}

void Monitors::kill(std::size_t mon, std::string_view why) {
  Mon& self = mons_[mon];
  if (!self.runs) return;
  self.runs = false;
  self.state = MonState::kDown;
  self.cause = context_.log.record("MonStopped", fmt::format("mon/{}", self.name), fmt::format("mon.{} is down: {}", self.name, why));
  const ScopedCause because(context_.engine, self.cause);
  leave_view(mon);
  if (leader_ == mon) update_quorum(fmt::format("its leader mon.{} is down", self.name));
  links_changed();
}

void Monitors::start_daemon(std::size_t mon) {
  Mon& self = mons_[mon];
  if (self.runs || !self.in_monmap || self.timer.is_pending() || !context_.hosts.is_running(self.host)) return;
  ++self.starts;
  const SimDuration time = context_.draw(options().start, "ceph/mon-start", fmt::format("{}#{}", self.name, self.starts));
  self.timer.set_after(time, [this, mon] {
    Mon& started = mons_[mon];
    if (!context_.hosts.is_running(started.host)) return;
    started.runs = true;
    started.state = MonState::kProbing;
    started.cause = context_.log.record("MonStarted", fmt::format("mon/{}", started.name), fmt::format("mon.{} runs", started.name));
    const ScopedCause because(context_.engine, started.cause);
    probe(mon);
    links_changed();
  });
}

std::optional<std::size_t> Monitors::add(std::string_view name, host::HostId host) {
  if (!can_commit() || find(name)) return std::nullopt;
  const std::size_t mon = mons_.size();
  Mon member;
  member.name = name;
  member.host = host;
  member.runs = false;
  member.state = MonState::kDown;
  member.timer = Timer(context_.engine);
  member.lease = Timer(context_.engine);
  mons_.push_back(std::move(member));
  ranks_.push_back(mon);
  ++monmap_epoch_;
  const ScopedCause because(context_.engine, context_.log.record("MonmapChanged", "ceph/monitors", fmt::format("mon.{} joins the monmap: {} monitors", name, ranks_.size())));
  // Every member restarts its part with the new monmap.
  bootstrap(*leader_);
  start_daemon(mon);
  return mon;
}

bool Monitors::remove(std::size_t mon) {
  if (!can_commit() || !mons_[mon].in_monmap || ranks_.size() == 1) return false;
  const std::size_t led = *leader_;
  mons_[mon].in_monmap = false;
  std::erase(ranks_, mon);
  ++monmap_epoch_;
  const CauseId cause = context_.log.record("MonmapChanged", "ceph/monitors", fmt::format("mon.{} leaves the monmap: {} monitors", mons_[mon].name, ranks_.size()));
  const ScopedCause because(context_.engine, cause);
  leave_view(mon);
  mons_[mon].runs = false;
  mons_[mon].state = MonState::kDown;
  mons_[mon].cause = cause;
  bootstrap(led == mon ? ranks_.front() : led);
  return true;
}

void Monitors::set_clock_skew(std::size_t mon, SimDuration skew) {
  Mon& self = mons_[mon];
  self.skew = skew;
  self.skew_since = context_.engine.now();
  self.cause = context_.log.record("MonClockSkew", fmt::format("mon/{}", self.name), fmt::format("the clock of mon.{} is off by {}", self.name, humanize(skew)));
}

void Monitors::host_down(host::HostId host) {
  for (std::size_t mon = 0; mon < mons_.size(); ++mon) {
    if (mons_[mon].host == host) {
      mons_[mon].timer.cancel();
      kill(mon, fmt::format("its host {} is down", context_.hosts.spec(host).name));
    }
  }
}

void Monitors::host_up(host::HostId host) {
  for (std::size_t mon = 0; mon < mons_.size(); ++mon) {
    if (mons_[mon].host == host) start_daemon(mon);
  }
}

void Monitors::propose() {
  wanted_ = true;
  if (leader_) schedule_proposal();
}

void Monitors::schedule_proposal() {
  if (proposing_ || proposal_.is_pending()) return;
  const SimTime now = context_.engine.now();
  const bool recent = last_commit_ != SimTime::min() && now < last_commit_ + options().propose_interval;
  proposal_.set_at(recent ? last_commit_ + options().propose_interval : now + options().min_wait, [this] {
    proposing_ = true;
    const std::size_t leader = *leader_;
    const std::uint32_t epoch = mons_[leader].epoch;
    accept_.set_after(scale(options().lease, options().accept_timeout_factor), [this, leader, epoch] {
      if (mons_[leader].state == MonState::kLeader && mons_[leader].epoch == epoch) bootstrap(leader);
    });
    if (can_commit()) try_commit();
  });
}

void Monitors::try_commit() {
  proposal_.set_after(options().commit, [this] {
    if (can_commit()) commit();
  });
}

void Monitors::commit() {
  accept_.cancel();
  proposing_ = false;
  wanted_ = false;
  last_commit_ = context_.engine.now();
  ++version_;
  for (const std::size_t member : mons_[*leader_].quorum) mons_[member].version = version_;
  if (on_commit) on_commit();
}

}  // namespace sim::ceph

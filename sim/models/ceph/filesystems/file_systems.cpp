#include "sim/models/ceph/filesystems/file_systems.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"

namespace sim::ceph {

const char* to_string(MdsState state) {
  switch (state) {
    case MdsState::kStandbyReplay: return "up:standby-replay";
    case MdsState::kStandby: return "up:standby";
    case MdsState::kReplay: return "up:replay";
    case MdsState::kResolve: return "up:resolve";
    case MdsState::kReconnect: return "up:reconnect";
    case MdsState::kRejoin: return "up:rejoin";
    case MdsState::kClientReplay: return "up:clientreplay";
    case MdsState::kActive: return "up:active";
  }
  return "";
}

namespace {

bool holds_rank(const FileSystems::Mds& mds) { return mds.in_map && mds.rank >= 0 && mds.state != MdsState::kStandbyReplay; }

}  // namespace

FileSystems::FileSystems(const Context& context, Monitors& monitors, PlacementGroups& pgs)
    : context_(context), monitors_(monitors), pgs_(pgs), commit_(context.engine) {
  for (const FileSystemConfig& config : context_.config.file_systems) {
    FileSystem fs;
    fs.config = config;
    fs.ranks.resize(static_cast<std::size_t>(config.active_count));
    file_systems_.push_back(std::move(fs));
  }
  for (const MdsConfig& config : context_.config.mdss) {
    Mds mds;
    mds.name = config.name;
    const std::optional<std::size_t> fs = find(config.file_system);
    SIM_CHECK(fs, "a metadata server's file system exists");
    mds.fs = *fs;
    if (!config.host.empty()) mds.host = context_.hosts.find(config.host);
    mds.start_timer = Timer(context_.engine);
    mds.work = Timer(context_.engine);
    mds.check = Timer(context_.engine);
    mds.answer = Timer(context_.engine);
    mdss_.push_back(std::move(mds));
  }
}

void FileSystems::start() {
  for (FileSystem& fs : file_systems_) {
    const auto index = [this](const std::string& name) {
      const auto found = std::find_if(pgs_.pools().begin(), pgs_.pools().end(), [&](const PoolState& pool) { return pool.config.name == name; });
      SIM_CHECK(found != pgs_.pools().end(), "a file system's pools exist");
      return static_cast<std::size_t>(found - pgs_.pools().begin());
    };
    fs.metadata_pool = index(fs.config.metadata_pool);
    for (const std::string& pool : fs.config.data_pools) fs.data_pools.push_back(index(pool));
    fs.metadata_answer = pgs_.pools()[fs.metadata_pool].blocked == 0;
  }
  const SimTime now = context_.engine.now();
  for (std::size_t i = 0; i < mdss_.size(); ++i) {
    Mds& mds = mdss_[i];
    mds.runs = !mds.host || context_.hosts.is_running(mds.host);
    mds.heard = is_heard(mds);
    mds.in_map = mds.runs;
    mds.state_since = mds.silent_since = now;
    if (!mds.runs) continue;
    FileSystem& fs = file_systems_[mds.fs];
    const auto free = std::find_if(fs.ranks.begin(), fs.ranks.end(), [](const Rank& rank) { return !rank.mds; });
    if (free != fs.ranks.end()) {
      free->mds = i;
      mds.rank = static_cast<int>(free - fs.ranks.begin());
      mds.state = MdsState::kActive;
    }
  }
  started_ = true;
  if (file_systems_.empty()) return;
  // Those that are left follow, or stand by.
  for (Mds& mds : mdss_) {
    if (!mds.in_map || mds.rank >= 0 || !file_systems_[mds.fs].config.standby_replay || is_degraded(mds.fs)) continue;
    const std::size_t ranks = file_systems_[mds.fs].ranks.size();
    for (std::size_t rank = 0; rank < ranks && mds.rank < 0; ++rank) {
      const bool followed = std::any_of(mdss_.begin(), mdss_.end(), [&](const Mds& other) {
        return other.fs == mds.fs && other.in_map && other.state == MdsState::kStandbyReplay && other.rank == static_cast<int>(rank);
      });
      if (followed) continue;
      mds.state = MdsState::kStandbyReplay;
      mds.rank = static_cast<int>(rank);
    }
  }
  for (std::size_t fs = 0; fs < file_systems_.size(); ++fs) tell(fs);
}

// ---- what is

std::optional<std::size_t> FileSystems::find(std::string_view name) const {
  for (std::size_t i = 0; i < file_systems_.size(); ++i) {
    if (file_systems_[i].config.name == name) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> FileSystems::find_mds(std::string_view name) const {
  for (std::size_t i = 0; i < mdss_.size(); ++i) {
    if (mdss_[i].name == name) return i;
  }
  return std::nullopt;
}

bool FileSystems::is_alive(std::size_t mds) const { return is_running(mdss_[mds]); }

bool FileSystems::is_degraded(std::size_t fs) const {
  return std::any_of(file_systems_[fs].ranks.begin(), file_systems_[fs].ranks.end(), [this](const Rank& rank) {
    return !rank.mds || mdss_[*rank.mds].state != MdsState::kActive;
  });
}

bool FileSystems::metadata_answers(std::size_t fs) const { return file_systems_[fs].metadata_answer; }

bool FileSystems::rank_serves(std::size_t fs, int rank) const {
  const Rank& place = file_systems_[fs].ranks[static_cast<std::size_t>(rank)];
  if (!place.mds || !metadata_answers(fs)) return false;
  const Mds& mds = mdss_[*place.mds];
  return mds.state == MdsState::kActive && entry_lives(mds) && !mds.defers;
}

bool FileSystems::rank_serves(std::size_t fs, int rank, host::HostId client) const {
  if (!rank_serves(fs, rank)) return false;
  const Mds& mds = mdss_[*file_systems_[fs].ranks[static_cast<std::size_t>(rank)].mds];
  return mds.host ? context_.network.reaches(client, mds.host, Plane::kPublic) : context_.hosts.has_network(client);
}

bool FileSystems::serves(std::size_t fs) const {
  for (std::size_t rank = 0; rank < file_systems_[fs].ranks.size(); ++rank) {
    if (!rank_serves(fs, static_cast<int>(rank))) return false;
  }
  return true;
}

std::size_t FileSystems::standbys() const {
  return static_cast<std::size_t>(std::count_if(mdss_.begin(), mdss_.end(), [](const Mds& mds) { return mds.in_map && mds.state == MdsState::kStandby; }));
}

std::size_t FileSystems::sessions(std::size_t fs) const {
  return static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(), [fs](const auto& entry) { return entry.second.fs == fs && !entry.second.is_evicted; }));
}

// ---- processes

CauseId FileSystems::record(Mds& mds, std::string_view kind, std::string_view message) {
  mds.cause = context_.log.record(kind, fmt::format("mds/{}", mds.name), message);
  return mds.cause;
}

bool FileSystems::is_heard(const Mds& mds) const {
  return is_running(mds) && monitors_.has_quorum() && (!mds.host || monitors_.reachable_from(mds.host));
}

void FileSystems::kill(std::size_t index, Kill how, std::string_view why) {
  Mds& mds = mdss_[index];
  mds.start_timer.cancel();
  if (!mds.runs) return;
  const bool said_so = how == Kill::kStop && is_heard(mds);
  mds.runs = false;
  mds.work.cancel();
  mds.answer.cancel();
  mds.defers = false;
  const ScopedCause because(context_.engine, record(mds, "MdsStopped", fmt::format("mds.{} stopped: {}", mds.name, why)));
  if (said_so && mds.in_map && mds.entry == mds.starts) request({.kind = Change::Kind::kFail, .mds = index, .entry = mds.entry});
  update();
  tell(mds.fs);
}

void FileSystems::start_daemon(std::size_t index, host::HostId host) {
  Mds& mds = mdss_[index];
  if (mds.runs || mds.start_timer.is_pending() || (host && !context_.hosts.is_running(host))) return;
  mds.host = host;
  ++mds.starts;
  const SimDuration time = context_.draw(options().start, "ceph/mds-start", fmt::format("{}#{}", mds.name, mds.starts));
  mds.start_timer.set_after(time, [this, index] {
    Mds& started = mdss_[index];
    started.runs = true;
    const ScopedCause because(context_.engine, record(started, "MdsStarted", fmt::format("mds.{} runs and asks for something to do", started.name)));
    request({.kind = Change::Kind::kBoot, .mds = index, .entry = started.starts});
    update();
  });
}

void FileSystems::place(std::size_t index, host::HostId host) {
  mdss_[index].host = host;
  update();
}

/// It learns that the map has it no more: it begins anew.
void FileSystems::respawn(std::size_t index) {
  Mds& mds = mdss_[index];
  mds.runs = false;
  mds.work.cancel();
  mds.answer.cancel();
  mds.defers = false;
  start_daemon(index, mds.host);
}

void FileSystems::host_down(host::HostId host) {
  for (std::size_t i = 0; i < mdss_.size(); ++i) {
    if (mdss_[i].host == host) kill(i, Kill::kSilent, fmt::format("its host {} is down", context_.hosts.spec(host).name));
  }
}

void FileSystems::host_up(host::HostId host) {
  for (std::size_t i = 0; i < mdss_.size(); ++i) {
    if (mdss_[i].host == host) start_daemon(i, host);
  }
}

void FileSystems::links_changed() {
  if (!started_ || file_systems_.empty()) return;
  update();
  for (std::size_t fs = 0; fs < file_systems_.size(); ++fs) tell(fs);
}

void FileSystems::pool_changed(std::size_t pool) {
  if (!started_) return;
  for (std::size_t i = 0; i < file_systems_.size(); ++i) {
    FileSystem& fs = file_systems_[i];
    if (fs.metadata_pool != pool) continue;
    const bool answer = pgs_.pools()[pool].blocked == 0;
    if (fs.metadata_answer == answer) continue;
    fs.metadata_answer = answer;
    fs.metadata_blocked_since = answer ? SimTime{} : context_.engine.now();
    tell(i);
  }
  go_on_all();
  update_sessions();
}

// ---- beacons

SimTime FileSystems::beacon_before(const Mds& mds, SimTime when) const {
  const SimDuration phase = context_.random.stream("ceph/mds-beacon", mds.name).uniform(SimDuration::zero(), options().beacon_interval);
  return grid_at_or_before(SimTime{} + phase, options().beacon_interval, when);
}

SimTime FileSystems::beacon_after(const Mds& mds, SimTime when) const { return beacon_before(mds, when) + options().beacon_interval; }

void FileSystems::update() {
  for (std::size_t i = 0; i < mdss_.size(); ++i) update_beacons(i);
  for (std::size_t i = 0; i < mdss_.size(); ++i) watch_beacons(i);
  update_sessions();
  go_on_all();
  arm_commit();
}

void FileSystems::update_beacons(std::size_t index) {
  Mds& mds = mdss_[index];
  const SimTime now = context_.engine.now();
  const bool heard = is_heard(mds);
  if (heard != mds.heard) {
    mds.heard = heard;
    if (!heard) {
      mds.silent_since = now;
      if (is_running(mds)) {
        // Nothing is acknowledged any more: after the grace it defers what clients ask.
        mds.answer.set_at(std::max(now, beacon_before(mds, now) + options().beacon_grace), [this, index] {
          Mds& self = mdss_[index];
          if (self.heard || !is_running(self) || self.defers) return;
          self.defers = true;
          const ScopedCause of_quorum(context_.engine, monitors_.has_quorum() ? CauseId{} : monitors_.cause());
          const ScopedCause because(context_.engine, record(self, "MdsDeferring", fmt::format("mds.{} hears no monitor: it lets clients wait", self.name)));
          tell(self.fs);
        });
      }
    } else if (mds.defers) {
      mds.answer.set_at(beacon_after(mds, now), [this, index] {
        Mds& self = mdss_[index];
        if (!self.heard || !self.defers) return;
        self.defers = false;
        self.deferred_until = context_.engine.now();
        tell(self.fs);
        update_sessions();
      });
    } else {
      mds.answer.cancel();
    }
  }
  if (heard && (!mds.in_map || mds.entry != mds.starts) && !is_requested(index, Change::Kind::kBoot)) respawn(index);
  if (mds.heard && mds.is_laggy && entry_lives(mds)) mds.is_laggy = false;
}

bool FileSystems::is_overdue(const Mds& mds) const {
  if (!mds.in_map || (entry_lives(mds) && mds.heard) || !monitors_.has_quorum()) return false;
  const SimTime last = std::max(beacon_before(mds, mds.silent_since), monitors_.leader_since());
  return context_.engine.now() - last >= options().beacon_grace;
}

/// The leader's next look at a server that is silent.
void FileSystems::watch_beacons(std::size_t index) {
  Mds& mds = mdss_[index];
  if (!mds.in_map || (entry_lives(mds) && mds.heard) || !monitors_.has_quorum()) {
    mds.check.cancel();
    return;
  }
  if (mds.check.is_pending()) return;
  const SimTime last = std::max(beacon_before(mds, mds.silent_since), monitors_.leader_since());
  const SimTime next = std::max(last + options().beacon_grace, context_.engine.now() + SimDuration(1));
  mds.check.set_at(monitors_.tick_at_or_after(next), [this, index] { check_beacons(index); });
}

void FileSystems::check_beacons(std::size_t index) {
  if (!is_overdue(mdss_[index])) return watch_beacons(index);
  const SimTime now = context_.engine.now();
  const SimTime last = std::max(beacon_before(mdss_[index], mdss_[index].silent_since), monitors_.leader_since());
  const bool mon_down = monitors_.quorum().size() < monitors_.monmap().size();
  // The quorum of the beginning has been there for long.
  const bool new_quorum = monitors_.quorum_changed_at() > SimTime{} && now - monitors_.quorum_changed_at() < options().beacon_mon_down_grace;
  if ((mon_down || new_quorum) && now - last < options().beacon_mon_down_grace) {
    // Its beacons may go to a monitor that is out of quorum.
    mdss_[index].check.set_at(monitors_.tick_at_or_after(now + SimDuration(1)), [this, index] { check_beacons(index); });
    return;
  }
  // All that are late are seen at the same tick, before anybody is chosen to take over.
  for (Mds& mds : mdss_) {
    if (!is_overdue(mds) || mds.is_laggy) continue;
    const ScopedCause because(context_.engine, mds.cause);
    mds.is_laggy = true;
    record(mds, "MdsLaggy", fmt::format("no beacon from mds.{} ({}{}) for {}", mds.name, to_string(mds.state), mds.rank >= 0 ? fmt::format(", rank {}", mds.rank) : "",
                                        format_duration(options().beacon_grace)));
  }
  // Only when some other server is heard is it sure that the silence is the server's own.
  const bool may_replace = std::any_of(mdss_.begin(), mdss_.end(), [this](const Mds& other) { return entry_lives(other) && other.heard; });
  Mds& mds = mdss_[index];
  if (!may_replace || is_requested(index, Change::Kind::kFail)) return;
  const ScopedCause because(context_.engine, mds.cause);
  if (!holds_rank(mds)) {
    request({.kind = Change::Kind::kFail, .mds = index, .entry = mds.entry});
    return;
  }
  const std::optional<std::size_t> other = replacement_for(mds.fs, mds.rank);
  if (!other) return;  // it stays in the map as it was
  request({.kind = Change::Kind::kFail, .mds = index, .entry = mds.entry});
  request({.kind = Change::Kind::kPromote, .mds = *other, .entry = mdss_[*other].entry, .rank = mds.rank});
}

// ---- the map

void FileSystems::request(Change change) {
  change.cause = context_.engine.cause();
  pending_.push_back(change);
  arm_commit();
}

bool FileSystems::is_requested(std::size_t mds, Change::Kind kind) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const Change& change) { return change.mds == mds && change.kind == kind; });
}

/// What a server asks for must reach the monitors.
bool FileSystems::can_apply(const Change& change) const {
  const bool is_asked_for = change.kind == Change::Kind::kBoot || change.kind == Change::Kind::kState || change.kind == Change::Kind::kDamaged;
  const Mds& mds = mdss_[change.mds];
  return !is_asked_for || mds.starts != change.entry || !mds.runs || mds.heard;
}

void FileSystems::arm_commit() {
  if (commit_.is_pending() || !monitors_.has_quorum()) return;
  if (std::none_of(pending_.begin(), pending_.end(), [this](const Change& change) { return can_apply(change); })) return;
  const MonOptions& mon = context_.config.mon;
  const SimTime now = context_.engine.now();
  SimTime at = now + mon.min_wait;
  if (last_commit_ != SimTime::min()) at = std::max(at, last_commit_ + mon.propose_interval);
  commit_.set_at(at + mon.commit, [this] { commit(); });
}

void FileSystems::commit() {
  // A member of the quorum that does not answer holds it up until it is voted out: then the listeners of the quorum come here again.
  if (!monitors_.has_quorum()) return;
  if (!monitors_.can_commit()) {
    commit_.set_after(context_.config.mon.propose_interval, [this] { commit(); });
    return;
  }
  std::vector<Change> changes = std::exchange(pending_, {});
  last_commit_ = context_.engine.now();
  ++epoch_;
  for (const Change& change : changes) {
    if (!can_apply(change)) {
      pending_.push_back(change);
      continue;
    }
    const ScopedCause because(context_.engine, change.cause);
    apply(change);
  }
  maintain();
  update();
  for (std::size_t fs = 0; fs < file_systems_.size(); ++fs) tell(fs);
}

void FileSystems::apply(const Change& change) {
  Mds& mds = mdss_[change.mds];
  switch (change.kind) {
    case Change::Kind::kBoot:
      if (!mds.runs || mds.starts != change.entry) return;
      if (mds.in_map) fail(change.mds);  // its former self
      mds.in_map = true;
      mds.entry = change.entry;
      mds.state = MdsState::kStandby;
      mds.rank = -1;
      mds.is_laggy = false;
      mds.state_since = context_.engine.now();
      return;
    case Change::Kind::kFail:
      if (mds.in_map && mds.entry == change.entry) fail(change.mds);
      return;
    case Change::Kind::kState:
      if (mds.in_map && mds.entry == change.entry && entry_lives(mds) && mds.rank >= 0) enter(change.mds, change.state);
      return;
    case Change::Kind::kFollow:
      if (!mds.in_map || mds.entry != change.entry || mds.state != MdsState::kStandby || is_degraded(mds.fs)) return;
      mds.state = MdsState::kStandbyReplay;
      mds.rank = change.rank;
      mds.state_since = context_.engine.now();
      return;
    case Change::Kind::kPromote: {
      Rank& rank = file_systems_[mds.fs].ranks[static_cast<std::size_t>(change.rank)];
      const bool can = mds.in_map && mds.entry == change.entry && !rank.mds && !rank.is_damaged &&
                       (mds.state == MdsState::kStandby || (mds.state == MdsState::kStandbyReplay && mds.rank == change.rank));
      if (!can) return;
      rank.mds = change.mds;
      mds.followed = mds.state == MdsState::kStandbyReplay;
      mds.rank = change.rank;
      const ScopedCause because(context_.engine, record(mds, "MdsFailover", fmt::format("mds.{} takes over rank {} of {}", mds.name, mds.rank, file_systems_[mds.fs].config.name)));
      enter(change.mds, MdsState::kReplay);
      return;
    }
    case Change::Kind::kDamaged: {
      if (!mds.in_map || mds.entry != change.entry || !holds_rank(mds)) return;
      Rank& rank = file_systems_[mds.fs].ranks[static_cast<std::size_t>(mds.rank)];
      rank.is_damaged = true;
      rank.cause = record(mds, "MdsDamaged", fmt::format("rank {} of {} is damaged: its metadata are not whole; somebody has to repair it", mds.rank, file_systems_[mds.fs].config.name));
      const ScopedCause because(context_.engine, rank.cause);
      fail(change.mds);
      return;
    }
  }
}

/// Its entry goes; a rank that it held has failed.
void FileSystems::fail(std::size_t index) {
  Mds& mds = mdss_[index];
  const bool held = holds_rank(mds);
  const int rank = mds.rank;
  mds.in_map = false;
  mds.is_laggy = false;
  mds.rank = -1;
  mds.state = MdsState::kStandby;
  mds.work.cancel();
  mds.check.cancel();
  const std::string& fs = file_systems_[mds.fs].config.name;
  const CauseId id = record(mds, "MdsRemoved", held ? fmt::format("mds.{} is removed from the map, rank {} of {} has failed", mds.name, rank, fs)
                                                    : fmt::format("mds.{} is removed from the map", mds.name));
  if (!held) return;
  Rank& place = file_systems_[mds.fs].ranks[static_cast<std::size_t>(rank)];
  place.mds.reset();
  if (!place.is_damaged) place.cause = id;
}

std::optional<std::size_t> FileSystems::replacement_for(std::size_t fs, int rank) const {
  for (const MdsState state : {MdsState::kStandbyReplay, MdsState::kStandby}) {
    for (std::size_t i = 0; i < mdss_.size(); ++i) {
      const Mds& mds = mdss_[i];
      if (mds.fs != fs || !mds.in_map || mds.is_laggy || mds.state != state) continue;
      if (state == MdsState::kStandbyReplay && mds.rank != rank) continue;
      if (is_requested(i, Change::Kind::kFail) || is_requested(i, Change::Kind::kPromote)) continue;
      return i;
    }
  }
  return std::nullopt;
}

/// What the monitors do after each change: failed ranks get servers, and those that are left follow.
void FileSystems::maintain() {
  for (std::size_t fs = 0; fs < file_systems_.size(); ++fs) {
    FileSystem& file_system = file_systems_[fs];
    for (std::size_t r = 0; r < file_system.ranks.size(); ++r) {
      const Rank& rank = file_system.ranks[r];
      const int number = static_cast<int>(r);
      if (rank.mds || rank.is_damaged) continue;
      const bool on_its_way = std::any_of(pending_.begin(), pending_.end(), [&](const Change& change) {
        return change.kind == Change::Kind::kPromote && change.rank == number && mdss_[change.mds].fs == fs;
      });
      const std::optional<std::size_t> mds = on_its_way ? std::nullopt : replacement_for(fs, number);
      if (!mds) continue;
      const ScopedCause because(context_.engine, rank.cause);
      request({.kind = Change::Kind::kPromote, .mds = *mds, .entry = mdss_[*mds].entry, .rank = number});
    }
    if (!file_system.config.standby_replay || is_degraded(fs)) continue;
    for (std::size_t r = 0; r < file_system.ranks.size(); ++r) {
      const int number = static_cast<int>(r);
      const bool followed =
          std::any_of(mdss_.begin(), mdss_.end(), [&](const Mds& mds) { return mds.fs == fs && mds.in_map && mds.state == MdsState::kStandbyReplay && mds.rank == number; }) ||
          std::any_of(pending_.begin(), pending_.end(), [&](const Change& change) { return change.kind == Change::Kind::kFollow && change.rank == number && mdss_[change.mds].fs == fs; });
      if (followed) continue;
      for (std::size_t i = 0; i < mdss_.size(); ++i) {
        const Mds& mds = mdss_[i];
        if (mds.fs != fs || !mds.in_map || mds.is_laggy || mds.state != MdsState::kStandby || is_requested(i, Change::Kind::kFollow)) continue;
        request({.kind = Change::Kind::kFollow, .mds = i, .entry = mds.entry, .rank = number});
        break;
      }
    }
  }
}

// ---- taking over a rank

std::uint64_t FileSystems::lost_metadata(std::size_t fs) const {
  const PoolState& pool = pgs_.pools()[file_systems_[fs].metadata_pool];
  std::uint64_t lost = 0;
  for (std::uint32_t i = 0; i < pool.pg_num; ++i) lost += pgs_.pg(pool.first_pg + i).lost_writes;
  return lost;
}

void FileSystems::enter(std::size_t index, MdsState state) {
  Mds& mds = mdss_[index];
  mds.state = state;
  mds.state_since = context_.engine.now();
  mds.work_done = false;
  const auto draw = [&](const Spread& spread, std::string_view purpose) {
    return context_.draw(spread, purpose, fmt::format("{}@{}", mds.name, mds.state_since.time_since_epoch().count()));
  };
  SimDuration time{};
  switch (state) {
    case MdsState::kReplay: time = mds.followed ? draw(options().replay_followed, "ceph/mds-replay") : draw(options().replay, "ceph/mds-replay"); break;
    case MdsState::kResolve: time = options().resolve; break;
    case MdsState::kReconnect: time = options().reconnect; break;
    case MdsState::kRejoin: time = draw(options().rejoin, "ceph/mds-rejoin"); break;
    case MdsState::kClientReplay: time = options().client_replay; break;
    case MdsState::kActive: {
      const Rank& rank = file_systems_[mds.fs].ranks[static_cast<std::size_t>(mds.rank)];
      const ScopedCause because(context_.engine, record(mds, "MdsActive", fmt::format("mds.{} is active for rank {} of {}", mds.name, mds.rank, file_systems_[mds.fs].config.name)));
      file_systems_[mds.fs].ranks[static_cast<std::size_t>(mds.rank)].lost_writes = std::max(rank.lost_writes, lost_metadata(mds.fs));
      tell(mds.fs);
      return;
    }
    case MdsState::kStandby:
    case MdsState::kStandbyReplay: return;
  }
  mds.work.set_after(time, [this, index] { work_done(index); });
}

void FileSystems::work_done(std::size_t index) {
  mdss_[index].work_done = true;
  go_on(index);
}

void FileSystems::go_on_all() {
  for (std::size_t i = 0; i < mdss_.size(); ++i) go_on(i);
}

/// What it waited for may be there: the next state is asked for.
void FileSystems::go_on(std::size_t index) {
  Mds& mds = mdss_[index];
  if (!mds.work_done || !entry_lives(mds) || !holds_rank(mds) || mds.state == MdsState::kActive || is_requested(index, Change::Kind::kState)) return;
  FileSystem& fs = file_systems_[mds.fs];
  const auto all_at_least = [&](MdsState state) {
    return std::all_of(fs.ranks.begin(), fs.ranks.end(), [&](const Rank& rank) { return rank.mds && mdss_[*rank.mds].state >= state; });
  };
  const auto ask_for = [&](MdsState state) {
    mds.work_done = false;
    request({.kind = Change::Kind::kState, .mds = index, .entry = mds.entry, .state = state});
  };
  switch (mds.state) {
    case MdsState::kReplay:
      if (!metadata_answers(mds.fs)) return;
      if (lost_metadata(mds.fs) > fs.ranks[static_cast<std::size_t>(mds.rank)].lost_writes) {
        mds.work_done = false;
        request({.kind = Change::Kind::kDamaged, .mds = index, .entry = mds.entry});
        return;
      }
      return ask_for(fs.ranks.size() > 1 ? MdsState::kResolve : MdsState::kReconnect);
    case MdsState::kResolve:
      if (all_at_least(MdsState::kResolve)) ask_for(MdsState::kReconnect);
      return;
    case MdsState::kReconnect: {
      const SimTime patience = mds.state_since + options().reconnect_timeout;
      if (clients_are_back(index, context_.engine.now() >= patience)) return ask_for(MdsState::kRejoin);
      if (!mds.work.is_pending()) mds.work.set_at(patience, [this, index] { work_done(index); });
      return;
    }
    case MdsState::kRejoin:
      if (all_at_least(MdsState::kRejoin) && metadata_answers(mds.fs)) ask_for(sessions(mds.fs) > 0 ? MdsState::kClientReplay : MdsState::kActive);
      return;
    case MdsState::kClientReplay:
      if (metadata_answers(mds.fs)) ask_for(MdsState::kActive);
      return;
    case MdsState::kActive:
    case MdsState::kStandby:
    case MdsState::kStandbyReplay: return;
  }
}

/// Every client of the rank has told its new server what it has open. `give_up`: those that have not are evicted.
bool FileSystems::clients_are_back(std::size_t index, bool give_up) {
  const Mds& mds = mdss_[index];
  std::vector<SessionId> missing;
  for (const auto& [id, session] : sessions_) {
    if (session.fs != mds.fs || session.is_evicted || (mds.rank != 0 && session.rank != mds.rank)) continue;
    if (session.is_abandoned || !reaches(session, mds)) missing.push_back(id);
  }
  if (missing.empty()) return true;
  if (!give_up) return false;
  for (const SessionId id : missing) evict(id, fmt::format("it did not come back to mds.{} within {}", mds.name, format_duration(options().reconnect_timeout)));
  return true;
}

void FileSystems::tell(std::size_t index) {
  if (!started_) return;
  FileSystem& fs = file_systems_[index];
  bool changed = false;
  std::string without;
  for (std::size_t r = 0; r < fs.ranks.size(); ++r) {
    const bool serves = rank_serves(index, static_cast<int>(r));
    if (!serves) without += fmt::format("{}{}", without.empty() ? "" : ", ", r);
    changed = changed || serves != fs.ranks[r].told_serves;
    fs.ranks[r].told_serves = serves;
  }
  if (!changed) return;
  const bool available = without.empty();
  CauseId id{};
  if (available != fs.available) {
    fs.available = available;
    const std::string subject = fmt::format("cephfs/{}", fs.config.name);
    if (available) {
      id = context_.log.record("FsAvailable", subject, fmt::format("{} answers metadata requests again", fs.config.name));
    } else if (!metadata_answers(index)) {
      id = context_.log.record("FsUnavailable", subject, fmt::format("{} answers no metadata requests: its pool {} does not answer", fs.config.name, fs.config.metadata_pool));
    } else {
      id = context_.log.record("FsUnavailable", subject, fmt::format("{} answers no metadata requests of rank {}", fs.config.name, without));
    }
    fs.cause = id;
  }
  const ScopedCause because(context_.engine, id);
  for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i](index);
}

// ---- clients

FileSystems::SessionId FileSystems::open_session(std::size_t fs, int rank, host::HostId host, std::string name) {
  Session session;
  session.fs = fs;
  session.rank = rank;
  session.host = host;
  session.name = std::move(name);
  session.timer = Timer(context_.engine);
  sessions_.emplace(++last_session_, std::move(session));
  return last_session_;
}

void FileSystems::close_session(SessionId session) { sessions_.erase(session); }

void FileSystems::abandon_session(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  if (found->second.is_evicted) {
    sessions_.erase(found);
    return;
  }
  found->second.is_abandoned = true;
  update_session(id, found->second);
}

bool FileSystems::is_evicted(SessionId session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.is_evicted;
}

CauseId FileSystems::eviction_cause(SessionId session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.is_evicted ? found->second.cause : CauseId{};
}

bool FileSystems::reaches(const Session& session, const Mds& mds) const {
  if (!context_.hosts.is_running(session.host)) return false;
  return mds.host ? context_.network.reaches(session.host, mds.host, Plane::kPublic) : context_.hosts.has_network(session.host);
}

void FileSystems::update_sessions() {
  for (auto& [id, session] : sessions_) update_session(id, session);
}

/// Its server notes when a client falls silent, and evicts it when it has been for too long.
void FileSystems::update_session(SessionId id, Session& session) {
  if (session.is_evicted) return;
  const Rank& rank = file_systems_[session.fs].ranks[static_cast<std::size_t>(session.rank)];
  const Mds* mds = rank.mds ? &mdss_[*rank.mds] : nullptr;
  const SimTime now = context_.engine.now();
  const bool is_silent = session.is_abandoned || (mds != nullptr && !reaches(session, *mds));
  if (is_silent && !session.is_silent) {
    session.silent_since = now;
    session.cause = context_.engine.cause();
  }
  session.is_silent = is_silent;
  const bool counts = is_silent && mds != nullptr && mds->state == MdsState::kActive && entry_lives(*mds) && !mds->defers && monitors_.has_quorum() && metadata_answers(session.fs);
  if (!counts) {
    session.timer.cancel();
    return;
  }
  if (session.timer.is_pending()) return;
  const SimDuration renewal = options().session_timeout / 3;
  const SimDuration phase = context_.random.stream("ceph/mds-session", session.name).uniform(SimDuration::zero(), renewal);
  const SimTime renewed = std::max({grid_at_or_before(SimTime{} + phase, renewal, session.silent_since), mds->state_since, mds->deferred_until});
  const SimTime at = grid_at_or_after(mds->state_since, options().tick_interval, renewed + options().session_autoclose);
  session.timer.set_at(std::max(at, now + SimDuration(1)), [this, id = id] { evict_silent(id); });
}

void FileSystems::evict_silent(SessionId id) { evict(id, fmt::format("it has been silent for {}", format_duration(options().session_autoclose))); }

void FileSystems::evict(SessionId id, std::string_view why) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second.is_evicted) return;
  Session& session = found->second;
  session.is_evicted = true;
  session.timer.cancel();
  const ScopedCause of_silence(context_.engine, session.cause);
  session.cause = context_.log.record("MdsClientEvicted", fmt::format("cephfs/{}", file_systems_[session.fs].config.name),
                                      fmt::format("client {} is evicted and blocklisted: {}", session.name, why));
  const ScopedCause because(context_.engine, session.cause);
  for (std::size_t i = 0; i < eviction_listeners_.size(); ++i) eviction_listeners_[i](id);
  if (session.is_abandoned) sessions_.erase(found);
}

}  // namespace sim::ceph

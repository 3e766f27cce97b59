#include "sim/models/kubernetes/control_plane/control_plane.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/host/cfs.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

// Vote request, answer, and the fsyncs of both: with the timer 1.1 to 1.9 s without a leader (reference platform 6.3).
constexpr SimDuration kVotes = 20ms;
// A leader that stops cleanly names its successor (reference platform 6.3: below 100 ms).
constexpr SimDuration kHandOverMin = 20ms;
constexpr SimDuration kHandOverMax = 100ms;
constexpr SimDuration kCommitWork = 500us;  // CPU time of a commit on one member (assumed)

constexpr Component kLeased[] = {Component::kScheduler, Component::kControllerManager};

}  // namespace

const char* to_string(Component component) {
  switch (component) {
    case Component::kEtcd: return "etcd";
    case Component::kApiServer: return "kube-apiserver";
    case Component::kScheduler: return "kube-scheduler";
    case Component::kControllerManager: return "kube-controller-manager";
  }
  return "";
}

ControlPlane::ControlPlane(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ApiServer& api, ControlPlaneConfig config)
    : engine_(engine), log_(log), random_(random), hosts_(hosts), api_(api), config_(config), silence_(engine), election_(engine) {
  const LeaseTimes times{config_.lease_duration, config_.renew_deadline, config_.retry_period};
  scheduler_lease_ = std::make_unique<LeaseElection>(engine_, random_, to_string(Component::kScheduler), times);
  controller_manager_lease_ = std::make_unique<LeaseElection>(engine_, random_, to_string(Component::kControllerManager), times);
  for (const Component component : kLeased) wire_lease(component);
  hosts_.on_change([this](const host::Hosts::Change& change) { on_host_change(change); });
  hosts_.on_slowdown([this](host::HostId host) {
    if (const std::optional<std::size_t> member = member_of(host)) {
      members_[*member].disk_cause = engine_.cause();
      evaluate();
    }
  });
}

ControlPlane::~ControlPlane() = default;

void ControlPlane::add_member(host::HostId host) {
  SIM_CHECK(!started_, "members are added before start()");
  Member member;
  member.host = host;
  member.boot = Timer(engine_);
  member.report = Timer(engine_);
  for (Process& process : member.processes) {
    process.timer = Timer(engine_);
    process.probe = Timer(engine_);
  }
  members_.push_back(std::move(member));
  for (const Component component : kLeased) lease(component).add_candidate(hosts_.spec(host).name);
}

void ControlPlane::start() {
  SIM_CHECK(!started_, "start() is called once");
  started_ = true;
  if (is_external()) return;
  double lowest = 2.0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!host_works(i)) {
      for (Process& process : members_[i].processes) process.state = ProcessState::kDead;
      members_[i].booted = false;
      continue;
    }
    const double draw = random_.stream("etcd/first-leader", host_name(i)).uniform();
    if (draw >= lowest) continue;
    lowest = draw;
    etcd_leader_ = i;
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    for (std::size_t c = 0; c < kComponentCount; ++c) create_mirror_pod(static_cast<Component>(c), i);
  }
  // The first look sets what follows from the hosts; the leases have their holders from the start, not by a take-over.
  evaluating_ = true;
  evaluate_etcd();
  evaluate_etcd_leader();
  evaluate_api_servers();
  evaluate_availability();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    for (const Component component : kLeased) lease(component).update(i, is_running(component, i), lease_client_writes(i));
  }
  for (const Component component : kLeased) lease(component).start();
  evaluating_ = false;
  tell_reachability();
}

std::optional<std::size_t> ControlPlane::member_of(host::HostId host) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].host == host) return i;
  }
  return std::nullopt;
}

std::string ControlPlane::draw_key(Component component, std::size_t member) const {
  return fmt::format("{}/{}#{}", to_string(component), host_name(member), process(component, member).restarts);
}

CauseId ControlPlane::why_gone(Component component, std::size_t member) const {
  const Member& m = members_[member];
  if (!hosts_.is_running(m.host)) return hosts_.last_cause(m.host);
  if (m.stalled) return m.stall_cause;
  if (process(component, member).state != ProcessState::kRunning || process(component, member).hung) return process(component, member).cause;
  // It runs, so it is cut off, unless the others are.
  return hosts_.has_network(m.host) ? CauseId{} : hosts_.last_cause(m.host);
}

// ---- what others ask ------------------------------------------------------------------------------------------------

bool ControlPlane::is_running(Component component, std::size_t member) const {
  return host_works(member) && process(component, member).state == ProcessState::kRunning && !process(component, member).hung;
}

std::size_t ControlPlane::running_count(Component component) const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) count += is_running(component, i) ? 1 : 0;
  return count;
}

std::optional<std::size_t> ControlPlane::leader(Component component) const {
  if (is_external()) return 0;
  if (component == Component::kEtcd) return etcd_leader_;
  if (component == Component::kApiServer) return std::nullopt;
  return lease(component).leader();
}

std::uint32_t ControlPlane::restarts(Component component, std::size_t member) const { return process(component, member).restarts; }

bool ControlPlane::reachable_from(host::HostId host) const {
  if (is_external()) return hosts_.has_network(host);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    // Behind the load balancer an API server without etcd is taken out as long as there is a better one.
    const bool serves = api_.writable() ? members_[i].can_write : api_server_answers(i);
    if (serves && hosts_.reachable(host, members_[i].host)) return true;
  }
  return false;
}

bool ControlPlane::leads(Component component) const {
  if (is_external()) return true;
  const std::optional<std::size_t> holder = leader(component);
  return holder && can_work(component, *holder);
}

bool ControlPlane::lease_client_writes(std::size_t member) const {
  if (config_.local_endpoints) return members_[member].can_write;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].can_write && hosts_.reachable(members_[member].host, members_[i].host)) return true;
  }
  return false;
}

SimDuration ControlPlane::request_timeout() const { return 5s + 2 * config_.etcd.election_timeout; }

SimDuration ControlPlane::fsync_median(std::size_t member) const {
  const Member& m = members_[member];
  const SimDuration disk = from_seconds(seconds(hosts_.spec(m.host).disk_fsync_median) * m.disk_factor * hosts_.slowdown(m.host) * hosts_.fsync_factor(m.host));
  return m.disk_delay_share >= 0.5 ? disk + m.disk_delay : disk;
}

SimDuration ControlPlane::commit_latency() {
  RandomStream stream = random_.stream("etcd/commit", std::to_string(writes_++));
  if (is_external()) return config_.etcd.round_trip + stream.lognormal(SimDuration(300us), 0.6);
  if (!has_quorum_ || !etcd_leader_) return request_timeout();
  std::vector<SimDuration> persisted;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].in_quorum) continue;
    const double sigma = hosts_.spec(members_[i].host).disk_fsync_sigma;
    const Member& m = members_[i];
    SimDuration fsync = stream.lognormal(m.disk_delay_share >= 0.5 ? fsync_median(i) - m.disk_delay : fsync_median(i), sigma);
    if (m.disk_delay_share > 0.0 && stream.chance(m.disk_delay_share)) fsync += m.disk_delay;
    if (m.cpu_share < 1.0) {
      // Its threads stand still for the rest of each period once the quota is used up; what comes then waits for the next one.
      fsync += from_seconds(seconds(kCommitWork) * (1.0 / m.cpu_share - 1.0));
      const double stands = 1.0 - m.cpu_share;
      if (stream.chance(stands)) fsync += from_seconds(stream.uniform() * stands * seconds(host::kCfsPeriod));
    }
    if (i != *etcd_leader_) fsync += config_.etcd.round_trip;
    if (i != *etcd_leader_ && links_) {
      const network::RoundTrip way = link(*etcd_leader_, i);
      fsync += way.delay;
      if (way.jitter > SimDuration{}) fsync += stream.uniform(-std::min(way.jitter, way.delay), way.jitter);
      const double lost = 1.0 - (1.0 - way.loss_there) * (1.0 - way.loss_back);
      int losses = 0;
      while (lost > 0.0 && network::stall_after(losses) < request_timeout() && stream.chance(lost)) ++losses;
      fsync += network::stall_after(losses);
    }
    persisted.push_back(fsync);
  }
  // Committed when a majority of all members, the leader or not, has it on disk.
  std::sort(persisted.begin(), persisted.end());
  return std::min(persisted[quorum_size() - 1], request_timeout());
}

// ---- faults that are no process's ------------------------------------------------------------------------------------

void ControlPlane::set_disk_slow(std::size_t member, double factor) {
  SIM_CHECK(factor > 0.0, "a disk is slower by a positive factor");
  members_[member].disk_factor = factor;
  members_[member].disk_cause = engine_.cause();
  evaluate();
}

void ControlPlane::set_limited(Ref<Pod> pod, double share) {
  for (Member& member : members_) {
    if (member.processes[static_cast<std::size_t>(Component::kEtcd)].pod == pod) member.cpu_share = share;
  }
}

void ControlPlane::set_disk_delay(std::size_t member, SimDuration delay, double share) {
  members_[member].disk_delay = delay;
  members_[member].disk_delay_share = share;
  members_[member].disk_cause = engine_.cause();
  evaluate();
}

void ControlPlane::set_etcd_size(std::int64_t bytes) {
  if (alarm_ || bytes <= config_.etcd.quota_bytes) return;
  alarm_ = true;
  alarm_cause_ = log_.record("EtcdNoSpace", "etcd",
                             fmt::format("etcd's database has {} of {}: alarm NOSPACE, mvcc: database space exceeded", format_bytes(bytes),
                                         format_bytes(config_.etcd.quota_bytes)));
  const ScopedCause because(engine_, alarm_cause_);
  evaluate();
}

void ControlPlane::clear_alarm() {
  if (!alarm_) return;
  alarm_ = false;
  const ScopedCause because(engine_, log_.record("EtcdAlarmCleared", "etcd", "etcd was compacted and defragmented, alarm NOSPACE disarmed"));
  evaluate();
}

void ControlPlane::set_stalled(host::HostId host, bool stalled) {
  const std::optional<std::size_t> member = member_of(host);
  if (!member || members_[*member].stalled == stalled) return;
  members_[*member].stalled = stalled;
  members_[*member].stall_cause = engine_.cause();
  evaluate();
}

// ---- what follows from a change ----------------------------------------------------------------------------------------

void ControlPlane::evaluate() {
  if (!started_ || is_external()) return;
  if (evaluating_) {
    // A listener changed something: it is looked at when everybody has heard of the first change.
    evaluate_again_ = true;
    again_cause_ = engine_.cause();
    return;
  }
  evaluating_ = true;
  evaluate_once();
  while (std::exchange(evaluate_again_, false)) {
    const ScopedCause because(engine_, again_cause_);
    evaluate_once();
  }
  evaluating_ = false;
}

void ControlPlane::evaluate_once() {
  evaluate_etcd();
  evaluate_etcd_leader();
  evaluate_api_servers();
  evaluate_availability();
  evaluate_leases();
  tell_reachability();
  write_statuses();
}

void ControlPlane::evaluate_etcd() {
  update_connections();
  // Who reaches whom is an equivalence while machines and partitions alone decide it; single links may be cut as well. A leader must be connected to a majority
  // by itself: raft passes nothing on.
  std::size_t largest = 0;
  std::size_t anchor = 0;
  bool is_split = false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i].peers = 0;
    if (!is_running(Component::kEtcd, i)) continue;
    for (std::size_t k = 0; k < members_.size(); ++k) {
      if (!is_running(Component::kEtcd, k)) continue;
      const bool connected = is_connected(i, k);
      members_[i].peers += connected ? 1 : 0;
      is_split = is_split || !connected;
    }
    if (members_[i].peers <= largest) continue;
    largest = members_[i].peers;
    anchor = i;
  }
  // Members that the leader does not reach do not serve, though they might with another one.
  if (etcd_leader_ && members_[*etcd_leader_].peers >= quorum_size()) anchor = *etcd_leader_;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i].in_quorum = largest >= quorum_size() && is_running(Component::kEtcd, i) && is_connected(anchor, i);
  }
  const bool quorum = largest >= quorum_size();
  if (quorum == has_quorum_ && quorum) return;
  if (!quorum) {
    if (has_quorum_) {
      quorum_lost_ = log_.record("EtcdQuorumLost", "etcd",
                                 fmt::format("etcd has {} of {} members{}, quorum is {}", largest, members_.size(),
                                             is_split ? " that reach each other" : "", quorum_size()));
      etcd_cause_ = quorum_lost_;
    }
    // Members that go later keep the quorum away too; each is named once, by what took it.
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (is_running(Component::kEtcd, i) && hosts_.has_network(members_[i].host)) continue;
      if (std::exchange(members_[i].kept_quorum_away, true)) continue;
      log_.also_caused_by(quorum_lost_, why_gone(Component::kEtcd, i));
    }
  } else {
    for (Member& member : members_) member.kept_quorum_away = false;
    etcd_cause_ = log_.record("EtcdQuorumRegained", "etcd",
                              fmt::format("etcd has {} of {} members again, quorum is {}", largest, members_.size(), quorum_size()));
  }
  has_quorum_ = quorum;
}

bool ControlPlane::is_eligible(std::size_t member) const {
  return members_[member].in_quorum && members_[member].peers >= quorum_size() && fsync_median(member) < config_.etcd.election_timeout &&
         majority_round_trip(member) < config_.etcd.election_timeout;
}

void ControlPlane::evaluate_etcd_leader() {
  if (!has_quorum_) {
    etcd_leader_.reset();
    election_.cancel();
  } else if (etcd_leader_ && !is_eligible(*etcd_leader_)) {
    const std::size_t was = *etcd_leader_;
    etcd_leader_.reset();
    const bool stalls = members_[was].in_quorum && members_[was].peers >= quorum_size();
    const bool is_far = stalls && majority_round_trip(was) >= config_.etcd.election_timeout;
    etcd_cause_ = log_.record("EtcdLeaderLost", "etcd",
                              is_far   ? fmt::format("etcd leader {} lost its leadership: the way to a majority and back takes {}", host_name(was), humanize(majority_round_trip(was)))
                              : stalls ? fmt::format("etcd leader {} lost its leadership: its disk needs {} for an fsync", host_name(was), humanize(fsync_median(was)))
                                       : fmt::format("etcd leader {} is gone", host_name(was)));
    if (!stalls) log_.also_caused_by(etcd_cause_, why_gone(Component::kEtcd, was));
  }
  if (has_quorum_ && !etcd_leader_ && !election_.is_pending()) elect();
  update_silence();

  // A majority whose disks stall commits nothing within the time that a request waits.
  std::vector<SimDuration> fsyncs;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].in_quorum) fsyncs.push_back(fsync_median(i));
  }
  std::sort(fsyncs.begin(), fsyncs.end());
  const bool times_out = has_quorum_ && fsyncs[quorum_size() - 1] >= request_timeout();
  if (times_out == writes_time_out_) return;
  writes_time_out_ = times_out;
  if (times_out) {
    etcd_cause_ = log_.record("EtcdWritesTimeOut", "etcd",
                              fmt::format("etcdserver: request timed out: a majority of disks needs {} or more for an fsync", humanize(fsyncs[quorum_size() - 1])));
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (fsync_median(i) >= request_timeout()) log_.also_caused_by(etcd_cause_, members_[i].disk_cause);
    }
  } else if (has_quorum_) {
    etcd_cause_ = log_.record("EtcdWritesCommit", "etcd", "a majority of etcd's disks writes in time again");
  }
}

void ControlPlane::elect() {
  SimDuration earliest = SimDuration::max();
  const std::uint64_t number = elections_++;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!is_eligible(i)) continue;
    RandomStream stream = random_.stream("etcd/election", fmt::format("{}#{}", host_name(i), number));
    SimDuration wait{};
    if (hands_over_) {
      wait = stream.uniform(kHandOverMin, kHandOverMax);
    } else {
      // The timer runs since the last heartbeat, which came up to one interval before the leader went.
      const SimDuration timer = stream.uniform(config_.etcd.election_timeout, 2 * config_.etcd.election_timeout - SimDuration(1));
      wait = timer - stream.uniform(SimDuration{}, config_.etcd.heartbeat_interval) + kVotes;
    }
    if (wait >= earliest) continue;
    earliest = wait;
    election_winner_ = i;
  }
  hands_over_ = false;
  if (earliest == SimDuration::max()) return;  // every disk stalls: nobody stays leader
  const ScopedCause because(engine_, etcd_cause_);
  election_.set_after(earliest, [this] { finish_election(); });
}

void ControlPlane::finish_election() {
  if (!is_eligible(election_winner_)) {
    elect();
    return;
  }
  etcd_leader_ = election_winner_;
  etcd_cause_ = log_.record("EtcdLeaderElected", "etcd", fmt::format("{} leads etcd", host_name(election_winner_)));
  const ScopedCause because(engine_, etcd_cause_);
  evaluate();
}

void ControlPlane::evaluate_api_servers() {
  const bool etcd_serves = has_quorum_ && etcd_leader_.has_value();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    member.etcd_answers = false;
    if (etcd_serves && host_works(i)) {
      if (config_.local_endpoints) {
        member.etcd_answers = member.in_quorum && !member.defragmenting && member.etcd_connected;
      } else {
        for (const Member& other : members_) {
          member.etcd_answers = member.etcd_answers || (other.in_quorum && !other.defragmenting && member.etcd_connected && hosts_.reachable(member.host, other.host));
        }
      }
    }
    check_api_server(i);
    member.can_write = api_server_answers(i) && member.etcd_answers && !alarm_ && !writes_time_out_;
  }
}

void ControlPlane::evaluate_availability() {
  std::size_t running = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) running += api_server_answers(i) ? 1 : 0;
  const bool readable = running > 0;
  bool writable = false;
  for (const Member& member : members_) writable = writable || member.can_write;
  CauseId newest{};
  if (readable != api_.readable()) {
    newest = readable ? log_.record("ApiServerAvailable", "kube-apiserver", fmt::format("{} of {} API servers run", running, members_.size()))
                      : log_.record("ApiServerUnavailable", "kube-apiserver", fmt::format("none of {} API servers runs", members_.size()));
    api_cause_ = newest;
    for (std::size_t i = 0; !readable && i < members_.size(); ++i) log_.also_caused_by(newest, why_gone(Component::kApiServer, i));
  }
  if (writable != api_.writable()) {
    std::string why = "an API server with a working etcd takes writes again";
    CauseId cause = engine_.cause();
    if (!writable) {
      if (!readable) {
        why = "no API server runs";
        cause = api_cause_;
      } else if (!has_quorum_) {
        why = "etcd has no quorum";
        cause = quorum_lost_;
      } else if (alarm_) {
        why = "etcd's database space is exceeded";
        cause = alarm_cause_;
      } else if (!etcd_leader_) {
        why = "etcd has no leader";
        cause = etcd_cause_;
      } else if (writes_time_out_) {
        why = "etcd does not commit in time";
        cause = etcd_cause_;
      } else {
        why = "no API server reaches a working etcd member";
      }
    }
    newest = log_.record(writable ? "ControlPlaneWritable" : "ControlPlaneUnwritable", api_.names().intern("control-plane"),
                         (writable ? "writes go through: " : "no write goes through: ") + why, cause);
  }
  const ScopedCause because(engine_, newest);
  api_.set_availability(readable, writable);
}

// ---- leases ------------------------------------------------------------------------------------------------------------

void ControlPlane::wire_lease(Component component) {
  const std::string subject = fmt::format("Lease/kube-system/{}", to_string(component));
  LeaseElection& election = lease(component);
  const auto tell = [this, component](bool gained) {
    // By index: a listener may register another one.
    for (std::size_t i = 0; i < leadership_listeners_.size(); ++i) leadership_listeners_[i](component, gained);
  };
  election.on_gained = [this, component, subject, tell](std::size_t member) {
    const CauseId id = log_.record("LeaderElection", subject, fmt::format("{} became leader on {}", to_string(component), host_name(member)));
    const ScopedCause because(engine_, id);
    tell(true);
    tell_reachability();
  };
  election.on_lost = [this, component, subject, tell](std::size_t member) {
    const CauseId id = log_.record("LeaderLost", subject, fmt::format("the leading {} on {} is gone", to_string(component), host_name(member)));
    log_.also_caused_by(id, why_gone(component, member));
    const ScopedCause because(engine_, id);
    tell(false);
    return id;
  };
  election.on_deadline = [this, component](std::size_t member) {
    if (process(component, member).hung) {
      // It cannot exit; it will when it runs again. It leads no more, and its lease runs out.
      process(component, member).lost_lease = true;
      evaluate();
      return;
    }
    die(component, member, "LeaderElectionLost",
        fmt::format("{} on {} exits: it could not renew its lease for {}", to_string(component), host_name(member), format_duration(config_.renew_deadline)));
  };
}

void ControlPlane::evaluate_leases() {
  // What a leader cannot do for want of etcd is etcd's doing; otherwise the change at hand explains it.
  const ScopedCause because(engine_, has_quorum_ && etcd_leader_ && !writes_time_out_ ? CauseId{} : etcd_cause_);
  for (const Component component : kLeased) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Process& p = process(component, i);
      const bool runs = host_works(i) && p.state == ProcessState::kRunning && !p.lost_lease;
      lease(component).update(i, runs, can_work(component, i) && !p.lease_refused && !p.lease_throttled);
    }
  }
}

void ControlPlane::tell_reachability() {
  std::vector<std::uint64_t> signature;
  signature.reserve(members_.size() + 1);
  signature.push_back((has_quorum() ? 1u : 0u) | (leads(Component::kScheduler) ? 2u : 0u) | (leads(Component::kControllerManager) ? 4u : 0u));
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    const bool serves = is_running(Component::kApiServer, i);
    // A host that reaches only itself is told apart from one with a link by asking it for a neighbour; its partition says the rest.
    bool linked = false;
    for (const Member& other : members_) linked = linked || (other.host != member.host && hosts_.reachable(member.host, other.host));
    signature.push_back((serves ? 1u : 0u) | (member.can_write ? 2u : 0u) | (linked ? 4u : 0u) | std::uint64_t{hosts_.partition(member.host)} << 3);
  }
  if (signature == signature_) return;
  const bool first = signature_.empty();
  signature_ = std::move(signature);
  if (first) return;
  for (std::size_t i = 0; i < reachability_listeners_.size(); ++i) reachability_listeners_[i]();
}

}  // namespace sim::k8s

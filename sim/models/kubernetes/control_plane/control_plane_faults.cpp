// What breaks a process that runs, a leader, or a member of etcd; and what packets between members meet.
//
// Source: client-go tools/leaderelection (renew, and the exit of the components' OnStoppedLeading); kubeadm app/util/staticpod (probes: 15 s time-out, 10 s apart,
// 8 failures); etcd server/storage/backend (Defrag holds the locks of reads and of apply, raft goes on), server/etcdserver/api/rafthttp, raft (CheckQuorum,
// PreVote); Go crypto/tls and apiserver authentication/request/x509 (a client's certificate is verified with every request). Reference platform 6, kubernetes 4.15.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

// Probes of a process that does not answer wait out their 15 s one after the other, 8 of them, the first up to 10 s later; SIGTERM stays unheard, and SIGKILL
// comes after the grace period of 30 s.
constexpr SimDuration kKilledMin = 150s;
constexpr SimDuration kKilledMax = 160s;
constexpr SimDuration kHandOverMin = 20ms;  // as in control_plane.cpp
constexpr SimDuration kHandOverMax = 100ms;

}  // namespace

const char* to_string(Certificate certificate) {
  switch (certificate) {
    case Certificate::kSchedulerClient: return "kube-scheduler";
    case Certificate::kControllerManagerClient: return "kube-controller-manager";
    case Certificate::kApiServerEtcdClient: return "apiserver-etcd-client";
    case Certificate::kApiServerServing: return "kube-apiserver";
    case Certificate::kEtcdPeer: return "etcd-peer";
  }
  return "";
}

// ---- hung processes --------------------------------------------------------------------------------------------------------

bool ControlPlane::hang(Component component, std::size_t member) {
  if (is_external()) return false;
  Process& p = process(component, member);
  if (p.state != ProcessState::kRunning || p.hung || !host_works(member)) return false;
  p.hung = true;
  p.cause = log_.record("ProcessHangs", pod_subject(component, member), fmt::format("{} on {} hangs: it answers nobody", to_string(component), host_name(member)));
  const ScopedCause because(engine_, p.cause);
  watch_hung(component, member);
  evaluate();
  return true;
}

void ControlPlane::watch_hung(Component component, std::size_t member) {
  Process& p = process(component, member);
  p.probe.cancel();
  if (!members_[member].kubelet_running) return;
  const SimDuration patience = random_.stream("control-plane/hung", draw_key(component, member)).uniform(kKilledMin, kKilledMax);
  p.probe.set_after(patience, [this, component, member] {
    die(component, member, "Killing", fmt::format("{} on {} failed its liveness probe: it does not answer", to_string(component), host_name(member)));
  });
}

void ControlPlane::resume(Component component, std::size_t member) {
  if (is_external()) return;
  Process& p = process(component, member);
  if (!p.hung) return;  // its kubelet has killed it meanwhile
  p.hung = false;
  p.probe.cancel();
  p.cause = log_.record("ProcessResumed", pod_subject(component, member), fmt::format("{} on {} goes on", to_string(component), host_name(member)));
  const ScopedCause because(engine_, p.cause);
  if (p.lost_lease) {
    die(component, member, "LeaderElectionLost",
        fmt::format("{} on {} exits: it could not renew its lease for {}", to_string(component), host_name(member), format_duration(config_.renew_deadline)));
    return;
  }
  evaluate();
}

// ---- leases ------------------------------------------------------------------------------------------------------------------

bool ControlPlane::can_work(Component component, std::size_t member) const {
  const Certificate certificate = component == Component::kScheduler ? Certificate::kSchedulerClient : Certificate::kControllerManagerClient;
  return lease_client_writes(member) && !process(component, member).hung && !is_expired(certificate, member);
}

void ControlPlane::set_lease_refused(Component component, std::size_t member, bool refused) {
  if (is_external() || process(component, member).lease_refused == refused) return;
  process(component, member).lease_refused = refused;
  const std::string subject = fmt::format("Lease/kube-system/{}", to_string(component));
  const ScopedCause because(
      engine_, log_.record(refused ? "LeaseRefused" : "LeaseAccepted", subject,
                           refused ? fmt::format("{} on {} cannot write its lease", to_string(component), host_name(member))
                                   : fmt::format("{} on {} can write its lease again", to_string(component), host_name(member))));
  evaluate();
}

// ---- etcd ----------------------------------------------------------------------------------------------------------------------

bool ControlPlane::move_etcd_leader(std::optional<std::size_t> to) {
  if (is_external() || !etcd_leader_ || to == etcd_leader_) return false;
  const std::size_t was = *etcd_leader_;
  SimDuration earliest = SimDuration::max();
  const std::uint64_t number = elections_++;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i == was || (to && i != *to) || !is_eligible(i)) continue;
    const SimDuration wait = random_.stream("etcd/election", fmt::format("{}#{}", host_name(i), number)).uniform(kHandOverMin, kHandOverMax);
    if (wait >= earliest) continue;
    earliest = wait;
    election_winner_ = i;
  }
  if (earliest == SimDuration::max()) return false;
  etcd_leader_.reset();
  etcd_cause_ = log_.record("EtcdLeaderLost", "etcd", fmt::format("etcd leader {} hands its leadership to {}", host_name(was), host_name(election_winner_)));
  const ScopedCause because(engine_, etcd_cause_);
  election_.set_after(earliest, [this] { finish_election(); });
  evaluate();
  return true;
}

void ControlPlane::set_defragmenting(std::size_t member, bool on) {
  if (is_external() || members_[member].defragmenting == on) return;
  if (on && !is_running(Component::kEtcd, member)) return;
  members_[member].defragmenting = on;
  etcd_cause_ = log_.record(on ? "EtcdDefragmenting" : "EtcdDefragmented", "etcd",
                            on ? fmt::format("etcd on {} defragments its database: it answers no client until that is done", host_name(member))
                               : fmt::format("etcd on {} has defragmented its database", host_name(member)));
  const ScopedCause because(engine_, etcd_cause_);
  Process& etcd = process(Component::kEtcd, member);
  // A serializable read, by which its liveness is probed, waits as well.
  if (on) {
    etcd.cause = etcd_cause_;
    watch_hung(Component::kEtcd, member);
  } else if (!etcd.hung) {
    etcd.probe.cancel();
  }
  evaluate();
}

void ControlPlane::lose_etcd_data(std::size_t member) {
  if (is_external() || members_[member].data_lost) return;
  members_[member].data_lost = true;
  Process& etcd = process(Component::kEtcd, member);
  if (etcd.state == ProcessState::kDead) {
    etcd.timer.cancel();
    return;
  }
  die(Component::kEtcd, member, "ContainerDied",
      fmt::format("etcd on {} exits: its data is lost, tocommit is out of range [lastIndex(0)]. Was the raft log corrupted, truncated, or lost?", host_name(member)));
}

void ControlPlane::rejoin_etcd(std::size_t member) {
  if (is_external() || !members_[member].data_lost) return;
  members_[member].data_lost = false;
  const ScopedCause because(engine_, log_.record("EtcdMemberRejoined", "etcd", fmt::format("etcd's member on {} was removed and added anew, with the leader's data", host_name(member))));
  // A new member with a container of its own: nobody waits for the old one's back-off.
  process(Component::kEtcd, member).backoff = {};
  schedule_restart(Component::kEtcd, member);
}

// ---- certificates ----------------------------------------------------------------------------------------------------------------

void ControlPlane::set_certificate_expired(Certificate certificate, std::size_t member, bool expired) {
  bool& now = members_[member].expired[static_cast<std::size_t>(certificate)];
  if (is_external() || now == expired) return;
  now = expired;
  const std::string_view what = to_string(certificate);
  const bool by_request = certificate == Certificate::kSchedulerClient || certificate == Certificate::kControllerManagerClient;
  members_[member].certificate_cause = log_.record(
      expired ? "CertificateExpired" : "CertificateRenewed", fmt::format("certificate/{}-{}", what, host_name(member)),
      !expired     ? fmt::format("the certificate {} on {} is renewed", what, host_name(member))
      : by_request ? fmt::format("the client certificate of {} on {} has expired: the API server answers 401 Unauthorized", what, host_name(member))
                   : fmt::format("the certificate {} on {} has expired: connections that are open go on, new ones fail", what, host_name(member)));
  const ScopedCause because(engine_, members_[member].certificate_cause);
  evaluate();
}

void ControlPlane::update_connections() {
  const auto process_runs = [this](Component component, std::size_t i) { return process(component, i).state == ProcessState::kRunning; };
  bool any_peer = false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& m = members_[i];
    const bool etcd_there = !config_.local_endpoints || process_runs(Component::kEtcd, i);
    if (!is_expired(Certificate::kApiServerEtcdClient, i)) m.etcd_connected = true;
    else if (!process_runs(Component::kApiServer, i) || !etcd_there) m.etcd_connected = false;
    if (!is_expired(Certificate::kApiServerServing, i)) m.clients_connected = true;
    else if (!process_runs(Component::kApiServer, i)) m.clients_connected = false;
    any_peer = any_peer || is_expired(Certificate::kEtcdPeer, i) || !m.peers_connected.empty();
  }
  if (!any_peer) return;
  for (Member& m : members_) m.peers_connected.resize(members_.size(), true);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    for (std::size_t k = 0; k < members_.size(); ++k) {
      if (i == k) continue;
      if (!is_expired(Certificate::kEtcdPeer, i) && !is_expired(Certificate::kEtcdPeer, k)) {
        members_[i].peers_connected[k] = true;
      } else if (!process_runs(Component::kEtcd, i) || !process_runs(Component::kEtcd, k) || !hosts_.reachable(members_[i].host, members_[k].host)) {
        members_[i].peers_connected[k] = false;
      }
    }
  }
}

bool ControlPlane::is_connected(std::size_t a, std::size_t b) const {
  if (a == b) return true;
  if (!hosts_.reachable(members_[a].host, members_[b].host)) return false;
  return members_[a].peers_connected.empty() || members_[a].peers_connected[b];
}

// ---- packets ---------------------------------------------------------------------------------------------------------------------

network::RoundTrip ControlPlane::link(std::size_t a, std::size_t b) const {
  return links_ && a != b ? links_(members_[a].host, members_[b].host) : network::RoundTrip{};
}

/// Until so many have answered that they are, with itself, a majority.
SimDuration ControlPlane::majority_round_trip(std::size_t member) const {
  if (!links_ || quorum_size() < 2) return config_.etcd.round_trip;
  std::vector<SimDuration> ways;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i != member && is_running(Component::kEtcd, i) && is_connected(member, i)) ways.push_back(link(member, i).delay);
  }
  std::sort(ways.begin(), ways.end());
  return config_.etcd.round_trip + (ways.size() + 1 < quorum_size() ? SimDuration{} : ways[quorum_size() - 2]);
}

/// The chance that in one election timeout no answers of a majority arrive, because lost packets hold the connections up (CheckQuorum). A connection is held up
/// when one of the heartbeats of that time, or its answer, is lost at each sending until the time is over.
double ControlPlane::chance_of_silence(std::size_t leader) const {
  if (!links_) return 0.0;
  const double heartbeats = seconds(config_.etcd.election_timeout) / seconds(config_.etcd.heartbeat_interval);
  std::vector<double> exactly(members_.size() + 1, 0.0);  // so many answer
  exactly[0] = 1.0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i == leader) continue;
    double answers = 0.0;
    if (is_running(Component::kEtcd, i) && is_connected(leader, i)) {
      network::RoundTrip way = link(leader, i);
      way.delay = SimDuration{};  // heartbeats come at their pace, however late
      answers = std::pow(1.0 - network::stalls_longer_than(way, config_.etcd.election_timeout), heartbeats);
    }
    for (std::size_t n = members_.size(); n > 0; --n) exactly[n] = exactly[n] * (1.0 - answers) + exactly[n - 1] * answers;
    exactly[0] *= 1.0 - answers;
  }
  double enough = 0.0;
  for (std::size_t n = quorum_size() - 1; n < exactly.size(); ++n) enough += exactly[n];
  // Sums of numbers that are exact without losses.
  constexpr double kNothing = 1e-12;
  return 1.0 - enough < kNothing ? 0.0 : 1.0 - enough;
}

void ControlPlane::update_silence() {
  const double chance = has_quorum_ && etcd_leader_ ? chance_of_silence(*etcd_leader_) : 0.0;
  if (chance == silence_chance_) return;
  silence_chance_ = chance;
  silence_.cancel();
  if (chance <= 0.0) return;
  const double draw = random_.stream("etcd/silence", std::to_string(silences_++)).uniform();
  constexpr double kFarAhead = 1e7;  // election timeouts: months
  const double windows = chance >= 1.0 ? 1.0 : std::min(1.0 + std::floor(std::log1p(-draw) / std::log1p(-chance)), kFarAhead);
  const ScopedCause because(engine_, links_cause_);
  silence_.set_after(from_seconds(seconds(config_.etcd.election_timeout) * windows), [this] {
    silence_chance_ = 0.0;
    if (!etcd_leader_) return;
    const std::size_t was = *etcd_leader_;
    etcd_leader_.reset();
    etcd_cause_ = log_.record("EtcdLeaderLost", "etcd",
                              fmt::format("etcd leader {} lost its leadership: packets are lost, and no majority answered it for {}", host_name(was), format_duration(config_.etcd.election_timeout)));
    const ScopedCause lost(engine_, etcd_cause_);
    evaluate();
  });
}

}  // namespace sim::k8s

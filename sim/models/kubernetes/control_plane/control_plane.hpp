/// The control plane as processes on nodes: etcd members, API servers, schedulers and controller-managers (static pods of
/// the control-plane nodes), with raft quorum and leader leases. Decides when the API can be read and written and who leads.
///
/// Nothing here ticks: heartbeats and lease renewals are computed when somebody can miss them.
///
/// - etcd: the members that reach each other serve while they are floor(n/2)+1 and have a leader. A leader that dies, hangs, is cut off, or whose disk
///   stalls longer than the election timeout is followed by an election: the earliest of the others' timers, each U[1, 2) of the timeout.
/// - An API server serves while its etcd does (kubeadm's stacked layout: the member on its own host). Without etcd for 72 to 82 s its kubelet restarts it.
/// - Scheduler and controller-manager: one lease each (LeaseElection).
/// - A dead process is restarted by its kubelet with crash-loop back-off; after a reboot everything comes back with the kubelet.
/// - Every process is visible as a mirror pod in kube-system (annotation kubernetes.io/config.mirror), whose status follows while it can be written.
///
/// Records: EtcdQuorumLost, EtcdQuorumRegained, EtcdLeaderLost, EtcdLeaderElected, EtcdWritesTimeOut, EtcdWritesCommit, EtcdNoSpace,
/// EtcdAlarmCleared, EtcdDefragmenting, EtcdDefragmented, EtcdMemberRejoined (subject "etcd"); ProcessHangs, ProcessResumed, CertificateExpired, CertificateRenewed,
/// LeaseRefused, LeaseAccepted; ApiServerUnavailable, ApiServerAvailable ("kube-apiserver"); ControlPlaneUnwritable, ControlPlaneWritable
/// ("control-plane"); LeaderLost, LeaderElection ("Lease/kube-system/..."); ContainerDied, Killing, Started, LeaderElectionLost (the mirror pod).
///
/// Source: reference kubernetes 1.9, 3.7, 3.12, 4.10, 4.15, 4.16, 7.6; platform 6. Leaves out: see docs/models/control_plane.md.
/// Checked by: tests/models/kubernetes/control_plane_*_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/control_plane/lease_election.hpp"
#include "sim/models/kubernetes/kubelet/restart_backoff.hpp"
#include "sim/models/network/tcp.hpp"

namespace sim::k8s {

enum class Component : std::uint8_t { kEtcd, kApiServer, kScheduler, kControllerManager };
inline constexpr std::size_t kComponentCount = 4;
const char* to_string(Component component);  // "etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"

/// A certificate of one member. Client certificates of scheduler and controller-manager are looked at with every request; the others in the handshake
/// only: a connection that was there before goes on.
enum class Certificate : std::uint8_t { kSchedulerClient, kControllerManagerClient, kApiServerEtcdClient, kApiServerServing, kEtcdPeer };
inline constexpr std::size_t kCertificateCount = 5;
const char* to_string(Certificate certificate);  // "kube-scheduler", "kube-controller-manager", "apiserver-etcd-client", "kube-apiserver", "etcd-peer"

struct EtcdConfig {
  std::int64_t quota_bytes = 2ll << 30;
  SimDuration election_timeout{std::chrono::milliseconds(1000)};  // real timer uniform in [1, 2) of it
  SimDuration heartbeat_interval{std::chrono::milliseconds(100)};
  SimDuration round_trip{std::chrono::microseconds(500)};  // between members
};
/// resources.limits.cpu of the static pods' containers, in millicores; 0: none, as kubeadm writes them.
struct ComponentLimits {
  std::int64_t etcd = 0;
  std::int64_t api_server = 0;
  std::int64_t scheduler = 0;
  std::int64_t controller_manager = 0;
  std::int64_t of(Component component) const {
    switch (component) {
      case Component::kEtcd: return etcd;
      case Component::kApiServer: return api_server;
      case Component::kScheduler: return scheduler;
      case Component::kControllerManager: return controller_manager;
    }
    return 0;
  }
};
struct ControlPlaneConfig {
  EtcdConfig etcd;
  /// A managed control plane outside of the simulated nodes: always up, always writable.
  bool external = false;
  /// Whether Squall's own model does the work of the component, or the user's real one does (squall serve, squall loop).
  enum class Worker : std::uint8_t { kModel, kExternal };
  Worker scheduler = Worker::kModel;
  Worker controller_manager = Worker::kModel;
  SimDuration lease_duration{std::chrono::seconds(15)};
  SimDuration renew_deadline{std::chrono::seconds(10)};
  SimDuration retry_period{std::chrono::seconds(2)};
  /// kubeadm's stacked layout: an API server asks the etcd member on its own host only; scheduler and controller-manager ask the API server
  /// on theirs. False: each uses any that it reaches.
  bool local_endpoints = true;
  bool aggregator_routing = false;  // --enable-aggregator-routing: how the API server finds webhooks (models/webhooks)
  /// Container start until the process does its work, lognormal with `start_sigma`.
  SimDuration api_server_start{std::chrono::seconds(5)};
  SimDuration component_start{std::chrono::seconds(2)};
  double start_sigma = 0.3;
  ComponentLimits cpu_limits;
};

class ControlPlane {
 public:
  ControlPlane(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ApiServer& api, ControlPlaneConfig config);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  /// One member of every component on this host. Call for each control-plane host before start(). Without members the control plane is external.
  void add_member(host::HostId host);
  /// Everything on hosts that are up runs, leaders are elected; the mirror pods are there. Listeners are not called.
  void start();
  bool is_external() const { return config_.external || members_.empty(); }
  /// Scheduler and controller-manager: Squall's model of it does its work.
  bool is_modelled(Component component) const {
    const ControlPlaneConfig::Worker worker = component == Component::kScheduler ? config_.scheduler : config_.controller_manager;
    return worker == ControlPlaneConfig::Worker::kModel;
  }

  std::size_t member_count() const { return members_.size(); }
  host::HostId member_host(std::size_t member) const { return members_[member].host; }
  /// The process works and its host does too. A starting process does not count.
  bool is_running(Component component, std::size_t member) const;
  std::size_t running_count(Component component) const;
  std::size_t quorum_size() const { return members_.size() / 2 + 1; }
  bool has_quorum() const { return is_external() || has_quorum_; }
  /// Index of the etcd leader / of the process that holds the component's lease; empty during an election, and for the API servers, which
  /// have none. An external control plane has leader 0 of each.
  std::optional<std::size_t> leader(Component component) const;
  /// How often the kubelet has restarted the container.
  std::uint32_t restarts(Component component, std::size_t member) const;

  /// A client on `host` gets an answer: it reaches a running API server, one that can write if there is any. For an external control
  /// plane: the host has network.
  bool reachable_from(host::HostId host) const;
  /// ... and the write would succeed.
  bool writable_from(host::HostId host) const { return api_.writable() && reachable_from(host); }
  /// The latency of one etcd commit now: majority fsync plus round trip (drawn from the stream of the write's number). Without a quorum
  /// or a leader: the request timeout, 7 s.
  SimDuration commit_latency();

  // Faults
  void kill(Component component, std::size_t member);   ///< process dies (SIGKILL); its kubelet restarts it with crash-loop back-off
  /// Ends cleanly (its manifest is taken away) and stays away until start_component(): etcd hands its leadership over, the scheduler
  /// empties its lease, the controller-manager does not.
  void stop(Component component, std::size_t member);
  void start_component(Component component, std::size_t member);
  void set_disk_slow(std::size_t member, double factor);  ///< multiplies the member's fsync; 1 is healthy. Stalls over the election timeout cost leadership.
  /// Calls to the files of the member's etcd take so much longer, a share of them (0 to 1).
  void set_disk_delay(std::size_t member, SimDuration delay, double share);
  /// The limit of a mirror pod's container leaves it this share of the CPU that it would use (1: all): with less, etcd's commits wait.
  void set_limited(Ref<Pod> pod, double share);
  void set_etcd_size(std::int64_t bytes);               ///< over the quota: alarm NOSPACE, writes refused
  void clear_alarm();                                   ///< compaction, defragmentation, disarm: writes go through again
  /// The kubelet of a member's host came or went: without it a dead component is not restarted.
  /// A reboot brings the kubelet back by itself.
  void set_kubelet_running(host::HostId host, bool running);
  /// Nothing on the host makes progress for a while (memory stalls), although it is up: its members count as gone.
  void set_stalled(host::HostId host, bool stalled);

  /// The file system of a member's host has not a byte left: etcd exits and cannot start, until it has.
  void set_disk_full(host::HostId host, bool full);

  // Faults of processes that run, of leaders and of members (control_plane_faults.cpp)
  /// The process makes no step more (SIGSTOP, a deadlock): its kubelet kills it when its liveness probe has failed for long enough, or resume() lets it go on.
  /// Only of a process that runs; false: it does not.
  bool hang(Component component, std::size_t member);
  void resume(Component component, std::size_t member);
  bool is_hung(Component component, std::size_t member) const { return process(component, member).hung; }
  /// Writes of the component's lease by this member are refused (everything else goes through). Scheduler and controller-manager only.
  void set_lease_refused(Component component, std::size_t member, bool refused);
  /// etcdctl move-leader: to that member, or to any other. False: there is no leader, or none that could follow.
  bool move_etcd_leader(std::optional<std::size_t> to);
  /// etcdctl defrag of one member: its raft goes on, its clients wait.
  void set_defragmenting(std::size_t member, bool on);
  bool is_defragmenting(std::size_t member) const { return members_[member].defragmenting; }
  /// The data directory of the member is gone: its process panics and cannot start, until somebody removes the member and adds it anew (rejoin_etcd).
  void lose_etcd_data(std::size_t member);
  void rejoin_etcd(std::size_t member);
  void set_certificate_expired(Certificate certificate, std::size_t member, bool expired);
  /// What packets between two members meet beyond config().round_trip; told by links_changed() when it may have changed.
  void set_links(std::function<network::RoundTrip(host::HostId, host::HostId)> links) { links_ = std::move(links); }
  void links_changed() {
    links_cause_ = engine_.cause();
    evaluate();
  }
  /// The process ends by something that is no fault of its own kind: its record is `kind`, `message` (an API server that the kernel killed for memory).
  void end_process(Component component, std::size_t member, std::string_view kind, std::string_view message);
  /// The renewals of the component's lease by this member are refused or time out at an overloaded API server, because of the current cause.
  void set_lease_throttled(Component component, std::size_t member, bool throttled);

  /// The scheduler (controller-manager) that Squall models does its work only while this is true: there is a leader and its writes go through.
  /// A leader that is cut off keeps its leadership for up to 10 s more, but leads nothing; on_reachability tells of that.
  bool leads(Component component) const;
  /// Called when a leader of the component is gained (true) or lost (false). Scheduler and controller-manager only.
  void on_leadership(std::function<void(Component, bool gained)> listener) { leadership_listeners_.push_back(std::move(listener)); }
  /// Called when reachable_from(), leads() or has_quorum() may have changed through a change of the control plane or of its hosts. What
  /// happens to the network of other hosts is told by Hosts.
  void on_reachability(std::function<void()> listener) { reachability_listeners_.push_back(std::move(listener)); }

 private:
  enum class ProcessState : std::uint8_t { kDead, kStarting, kRunning };
  struct Process {
    ProcessState state = ProcessState::kRunning;
    bool stopped = false;      // by stop(): not restarted
    bool initialised = false;  // an API server that has only etcd to wait for
    bool reached_etcd = false;
    bool hung = false;
    bool lost_lease = false;     // hung past its renew deadline: exits as soon as it runs again
    bool lease_refused = false;    // by set_lease_refused()
    bool lease_throttled = false;  // by set_lease_throttled()
    kubelet::RestartBackoff backoff;
    std::uint32_t restarts = 0;
    SimTime started{};
    SimTime ended{};
    Timer timer;   // restart, or end of the start-up
    Timer probe;   // an API server's liveness or startup probe fails for good
    CauseId cause{};  // why it is as it is
    Ref<Pod> pod;
    bool status_pending = false;
  };
  struct Member {
    host::HostId host;
    std::array<Process, kComponentCount> processes;
    Timer boot;    // kubelet start after the host is up
    Timer report;  // the kubelet's statuses go through again
    bool kubelet_running = true;
    bool booted = true;
    bool stalled = false;
    bool disk_full = false;
    bool data_lost = false;
    bool defragmenting = false;
    std::array<bool, kCertificateCount> expired{};
    bool etcd_connected = true;  // its API server has a connection to etcd from before the certificate expired
    bool clients_connected = true;  // ... and its clients to it
    std::vector<bool> peers_connected;  // ... and its etcd member to the others; empty: all
    double disk_factor = 1.0;
    SimDuration disk_delay{};
    double disk_delay_share = 0.0;
    double cpu_share = 1.0;  // of etcd
    CauseId disk_cause{};
    CauseId stall_cause{};
    CauseId certificate_cause{};
    // As of the last evaluate():
    bool in_quorum = false;
    std::size_t peers = 0;      // members that it is connected to, itself included
    bool etcd_answers = false;  // to this member's API server
    bool can_write = false;     // its API server takes writes
    bool reports = true;        // its kubelet's writes go through
    bool kept_quorum_away = false;  // named as a reason of the present loss of quorum
    SimTime silent_since{};
  };

  Process& process(Component component, std::size_t member) { return members_[member].processes[static_cast<std::size_t>(component)]; }
  const Process& process(Component component, std::size_t member) const {
    return members_[member].processes[static_cast<std::size_t>(component)];
  }
  bool host_works(std::size_t member) const { return hosts_.is_running(members_[member].host) && !members_[member].stalled; }
  std::optional<std::size_t> member_of(host::HostId host) const;
  std::string_view host_name(std::size_t member) const { return hosts_.spec(members_[member].host).name; }
  std::string pod_name(Component component, std::size_t member) const;
  Symbol pod_subject(Component component, std::size_t member);
  std::string draw_key(Component component, std::size_t member) const;
  CauseId why_gone(Component component, std::size_t member) const;

  // Processes (control_plane_processes.cpp)
  void on_host_change(const host::Hosts::Change& change);
  void kubelet_is_up(std::size_t member);
  void die(Component component, std::size_t member, std::string_view kind, std::string_view message);
  void schedule_restart(Component component, std::size_t member);
  void begin(Component component, std::size_t member);
  void finish_start(Component component, std::size_t member);
  void startup_probe_failed(std::size_t member);
  void check_api_server(std::size_t member);
  SimDuration start_time(Component component, std::size_t member) const;

  // What follows (control_plane.cpp)
  void evaluate();
  void evaluate_once();
  void evaluate_etcd();
  void evaluate_etcd_leader();
  void elect();
  void finish_election();
  void evaluate_api_servers();
  void evaluate_availability();
  void evaluate_leases();
  void tell_reachability();
  SimDuration fsync_median(std::size_t member) const;
  bool is_eligible(std::size_t member) const;
  bool is_expired(Certificate certificate, std::size_t member) const { return members_[member].expired[static_cast<std::size_t>(certificate)]; }
  void update_connections();
  bool is_connected(std::size_t a, std::size_t b) const;
  network::RoundTrip link(std::size_t a, std::size_t b) const;
  SimDuration majority_round_trip(std::size_t member) const;
  double chance_of_silence(std::size_t leader) const;
  void update_silence();
  bool api_server_answers(std::size_t member) const { return is_running(Component::kApiServer, member) && members_[member].clients_connected; }
  bool can_work(Component component, std::size_t member) const;
  void watch_hung(Component component, std::size_t member);
  bool cannot_start(Component component, std::size_t member) const {
    return component == Component::kEtcd && (members_[member].disk_full || members_[member].data_lost);
  }
  void try_again_since(std::size_t member);
  SimDuration request_timeout() const;
  LeaseElection& lease(Component component) { return component == Component::kScheduler ? *scheduler_lease_ : *controller_manager_lease_; }
  const LeaseElection& lease(Component component) const {
    return component == Component::kScheduler ? *scheduler_lease_ : *controller_manager_lease_;
  }
  bool lease_client_writes(std::size_t member) const;
  void wire_lease(Component component);

  // Mirror pods (control_plane_static_pods.cpp)
  void create_mirror_pod(Component component, std::size_t member);
  void mark_status(std::size_t member);
  void write_statuses();
  void write_status(Component component, std::size_t member);

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  ApiServer& api_;
  ControlPlaneConfig config_;
  std::vector<Member> members_;
  std::unique_ptr<LeaseElection> scheduler_lease_;
  std::unique_ptr<LeaseElection> controller_manager_lease_;
  bool started_ = false;

  bool has_quorum_ = true;
  bool writes_time_out_ = false;
  bool alarm_ = false;
  std::optional<std::size_t> etcd_leader_;
  std::function<network::RoundTrip(host::HostId, host::HostId)> links_;
  CauseId links_cause_{};
  double silence_chance_ = 0.0;  // that the leader hears no majority for an election timeout, in one of them
  std::uint32_t silences_ = 0;
  Timer silence_;
  bool hands_over_ = false;  // the leader stops cleanly: the next one needs no timeout
  Timer election_;
  std::size_t election_winner_ = 0;
  std::uint64_t elections_ = 0;
  std::uint64_t writes_ = 0;
  CauseId etcd_cause_{};    // newest record that says why etcd does not serve
  CauseId alarm_cause_{};
  CauseId quorum_lost_{};
  CauseId api_cause_{};

  bool evaluating_ = false;
  bool evaluate_again_ = false;
  CauseId again_cause_{};
  std::vector<std::uint64_t> signature_;  // what reachability depends on
  std::vector<std::function<void(Component, bool)>> leadership_listeners_;
  std::vector<std::function<void()>> reachability_listeners_;
};

}  // namespace sim::k8s

/// The inside of Kubelets: what each node and each of its pods is really doing, and the steps that change it.
///
/// Two truths are kept apart. A ContainerRun is what happens on the machine; it goes on when the kubelet is dead or the API cannot be
/// reached. The Pod object is what the kubelet could report. publish() carries the one over to the other when the API can be written.
///
/// Where to find what: kubelets.cpp (the public calls, watch events, changes of hosts), node_status.cpp (contact, heartbeat, Ready, re-list),
/// pod_lifecycle.cpp (bound to ended, restarts, probes, status), termination.cpp, volumes.cpp (mounts, I/O that hangs), memory.cpp (working sets, eviction, OOM),
/// kernel_memory.cpp (cgroups, page cache and slab that pods leave, stalls in reclaim), contention.cpp (CPU and disk), node_disk.cpp (what is on the disks,
/// DiskPressure and PIDPressure).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/models/host/memory.hpp"
#include "sim/models/host/write_back.hpp"
#include "sim/models/kubernetes/kubelet/admission.hpp"
#include "sim/models/kubernetes/kubelet/image_puller.hpp"
#include "sim/models/kubernetes/kubelet/node_disk.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/kubelet/memory_policy.hpp"
#include "sim/models/kubernetes/kubelet/pod_phase.hpp"
#include "sim/models/kubernetes/kubelet/probes.hpp"
#include "sim/models/kubernetes/kubelet/restart_backoff.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"

namespace sim::k8s::kubelet {

inline constexpr SimDuration kSandboxTime{std::chrono::milliseconds(500)};         // CNI ADD and pause container (assumed)
inline constexpr SimDuration kContainerCreateTime{std::chrono::milliseconds(100)};  // create and start in the runtime (assumed)
inline constexpr SimDuration kInitRunTime{std::chrono::seconds(1)};                // a plain init container (assumed)
inline constexpr SimDuration kCleanUpTime{std::chrono::milliseconds(100)};         // last exit to grace-0 DELETE, no volumes (reference 3.11)
inline constexpr SimDuration kShortestStop{std::chrono::seconds(2)};               // minimumGracePeriodInSeconds
inline constexpr SimDuration kStatusPeriod{std::chrono::seconds(10)};
inline constexpr SimDuration kEvictionPeriod{std::chrono::seconds(10)};
inline constexpr SimDuration kRelistPeriod{std::chrono::seconds(1)};               // PLEG

/// Where one container stands.
enum class Step : std::uint8_t {
  kNew,          // to be created
  kPulling,      // its image comes
  kPullBackOff,  // its image did not come
  kCreating,
  kRunning,
  kExited,  // over; the kubelet has not noticed
  kBackOff,
  kLost,  // ran when the machine died
  kDone,  // will not run again
};

/// What the next probe result will be (see probes.hpp); kUnready by a fault.
enum class Finding : std::uint8_t { kNothing, kStarted, kReady, kUnready, kKill };

struct ContainerRun {
  ContainerStatus status;  // as the kubelet reports it, or would
  Step step = Step::kNew;
  bool has_run = false;
  bool is_healthy = false;  // past its start-up
  bool told_of_pull = false;   // a failed pull was recorded
  std::string pull_error;      // as last recorded
  bool missed_image = false;  // its image was not on the node
  bool is_killed = false;     // exit_at is when it is killed, not when it ends by itself
  bool is_hung = false;       // waits for a volume that does not answer
  bool is_dying = false;      // hung, and SIGKILL was sent
  SimTime hung_since{};
  Finding finding = Finding::kNothing;
  std::uint16_t pull_failures = 0;
  std::int32_t exit_code_next = 0;  // with which it ends at exit_at
  Symbol exit_reason_next;
  CauseId exit_cause{};  // why it ends then
  SimTime healthy_at = kEndOfTime;
  SimTime exit_at = kEndOfTime;
  SimTime probe_at = kEndOfTime;
  SimTime first_tick{};  // of its probes
  RestartBackoff backoff;
  ImageBackoff image_backoff;
  std::int64_t memory = 0;  // charged to the node while it runs
  double wants_cpu = 0.0;   // cores, while it runs
  double wants_disk = 0.0;  // bytes per second; operations count as bytes (host/disk_streams.hpp)
  bool is_demanding = false;  // its pod's behaviour says what it would like
  double speed = 1.0;       // share of that which it gets
  host::CfsCounters throttle;  // of its cgroup
  CauseId throttle_cause{};    // the record that it is throttled
  Kubelets::Stress stress;  // somebody else's processes in it
  TimerId timer{};
};

enum class Stage : std::uint8_t {
  kAdmitted,
  kVolumes,  // waits for its volumes
  kSandbox,
  kInit,
  kMain,
  kTerminating,
  kFinished,  // nothing runs and nothing will; to be reported, then forgotten
};

struct NodeRun;

/// A volume of a pod that some container of it mounts.
struct RunVolume {
  Symbol name;    // in the pod
  Symbol volume;  // the PersistentVolume; empty while the claim is not bound
};

/// A volume on a node.
struct NodeVolume {
  enum class State : std::uint8_t {
    kWaiting,   // to be attached, or for its turn
    kMounting,
    kMounted,
    kUnmounting,
  } state = State::kWaiting;
  Symbol volume;
  std::uint64_t serial = 0;  // to recognise the answers of the storage system
  StorageBackend* backend = nullptr;
  bool is_attachable = false;
  bool reported = false;      // volumesInUse lists it
  bool is_io_possible = true;
  std::vector<Ref<Pod>> users;
  std::vector<Ref<Pod>> leaving;  // ended, and wait for the unmount
  SimTime verify_from{};  // since when volumesAttached is looked at
  SimTime retry_at{};     // no mount before this
  std::uint32_t failures = 0;
  std::string error;      // as last told
  TimerId timer{};
};

struct PodRun {
  Ref<Pod> ref;
  NodeRun* node = nullptr;
  std::shared_ptr<const PodSpec> spec;
  Symbol ns;
  Symbol name;
  std::uint64_t uid = 0;
  ResolvedBehaviour behaviour;
  std::vector<ContainerRun> containers;
  std::vector<ContainerRun> init_containers;
  std::uint32_t ip_serial = 0;
  std::uint64_t written_version = 0;  // resourceVersion of our last write
  Stage stage = Stage::kAdmitted;
  bool is_mirror = false;
  bool is_dirty = false;   // has something to report
  bool is_serving = false;  // as last told to the listeners
  std::uint8_t unready_by = 0;  // a set of Says
  bool is_unready = false;      // by anybody
  std::uint8_t lacking_by = 0;  // a set of Says: something that it needs of others is not there
  bool readiness_fails = false;  // its probes look at something beyond the process, and that is not there
  bool liveness_fails = false;
  bool readiness_needs = false;  // ... as services say; what interferes comes to it
  bool liveness_needs = false;
  Kubelets::Interference slow;   // which probes wait longer for an answer than their time-out
  bool is_paused = false;        // its images are ones that do nothing
  Kubelets::Interference interference;
  SimTime unready_since{};
  SimTime not_live_since{};
  ProcessState process = ProcessState::kGone;  // as last told to the listeners
  bool is_disrupted = false;  // DisruptionTarget
  std::optional<PodPhase> forced_phase;
  Symbol reason;  // status.reason
  SimTime start_time{};
  SimTime killed_at = kEndOfTime;  // when the grace period ends
  double leak_rate = 0.0;  // bytes per second of container 0
  bool is_leaking = false;
  SimTime leak_since{};
  std::int64_t leaked_before = 0;  // at leak_since
  CauseId leak_root{};   // why it leaks at all
  CauseId leak_cause{};  // the record of this leak
  TimerId timer{};  // of the stage
  TimerId deadline{};
  std::vector<RunVolume> volumes;
  bool is_io_blocked = false;
  bool is_unmounting = false;  // ended, but its volumes are not free
  SimTime volumes_since{};
  std::uint32_t mount_tries = 0;
  std::string mount_error;     // of a claim
  std::string told_mount;      // the FailedMount that was recorded last
  std::int64_t cgroups = 0;    // memory cgroups that it has on its machine
  bool has_read_files = false;
  bool told_of_cgroups = false;
  bool waits_for_cgroups = false;
  std::unique_ptr<PodDisk> disk;  // null: it writes nothing, and the number of its processes does not change
  bool waits_for_room = false;    // nothing can be started on a machine without disk or processes left
  std::uint32_t cgroup_failures = 0;
};

struct NodeRun {
  Ref<Node> ref;
  host::HostId host;
  Symbol name;
  Symbol subject;  // "Node/w1"
  std::int64_t memory = 0;  // of the machine
  std::int64_t system_memory = 0;
  std::int64_t pods_limit = 0;  // of the kubepods cgroup: capacity less what is reserved
  bool is_started = false;
  bool kubelet_running = false;
  bool is_fresh = true;    // the kubelet started and has not yet seen the API
  bool has_been_up = false;
  bool was_booted = false;  // ... because the machine booted
  bool is_stalled = false;
  bool reaches = false;   // gets answers from an API server
  bool writes = false;    // ... and can write
  bool is_watching = false;  // its watches are up
  bool is_renewing = false;
  bool images_changed = false;
  bool kubelet_was_killed = false;
  bool certificate_expired = false;
  std::uint8_t no_contact = 0;  // bits of Kubelets::NoContact
  bool is_throttled = false;  // by an overloaded API server
  std::optional<SimTime> certificate_expiry;
  SimTime lost_at{};  // contact with the API
  SimTime died_at{};  // the machine
  SimTime last_renewal{};
  SimTime stalled_since{};
  SimTime stalled_until{};
  std::uint32_t cuts = 0;
  SimDuration lease_phase{};
  SimDuration status_phase{};
  SimDuration monitor_phase{};
  TimerId renewal{};
  TimerId relist{};
  TimerId status{};
  TimerId kubelet_start{};
  TimerId stall{};
  std::vector<std::unique_ptr<PodRun>> pods;  // in the order in which they came
  std::vector<Ref<Pod>> bound;                // what the API binds to this node: an index of ours, not the kubelet's knowledge
  NodeImages::Hooks image_hooks;
  std::unique_ptr<NodeImages> images;
  std::vector<std::unique_ptr<NodeVolume>> volumes;  // in the order in which they came
  // memory
  std::int64_t charged = 0;        // working sets without what leaks
  std::vector<PodRun*> leaking;    // in the order in which they began
  bool pressure = false;           // condition as the eviction manager sees it
  bool below_threshold = false;
  bool hard_met = false;           // the hard threshold, as of the last look
  SimTime soft_since = kEndOfTime; // since when the soft one is met
  bool found_no_victim = false;
  bool pods_have_no_victim = false;
  PodRun* evicting = nullptr;
  SimTime next_pass{};  // no eviction pass before this
  CauseId pressure_cause{};
  CauseId exhaustion_cause{};
  TimerId memory_timer{};
  TimerId pressure_timer{};
  std::unique_ptr<host::HostMemory> kernel;
  host::Psi psi;
  bool stall_kills = false;        // the OOM killer acts at the end of this stall
  bool is_thrashing = false;
  std::uint32_t thrash_serial = 0;
  CauseId thrash_cause{};
  TimerId thrash_timer{};
  CauseId kernel_cause{};          // the record of the kernel's share of memory
  double kernel_told = 0.0;        // ... at which share it was told last
  bool told_of_ids = false;
  CauseId ids_cause{};
  struct Share {
    Symbol ns;
    std::int64_t cgroups = 0;
  };
  std::vector<Share> made_by;      // cgroups since the boot, by namespace
  std::size_t demanding = 0;       // running containers whose pods' behaviour says what they would like to have
  double pull_writes = 0.0;        // bytes a second that image pulls write
  double cpu_slowdown = 1.0;
  double memory_slowdown = 1.0;
  CauseId contention_cause{};
  SimTime contended_told{};
  std::unique_ptr<NodeDisk> disk;  // null: nobody ever wrote anything here
  std::unique_ptr<host::WriteBack> write_back;  // the same
  double writer_speed = 1.0;       // of those who write files
  CauseId writers_cause{};         // the record that they wait
  TimerId write_back_timer{};
};

/// The first instant of the grid phase + n * period that is not before `from`.
SimTime grid_at(SimTime from, SimDuration phase, SimDuration period);
/// The last one that is not after `until`.
SimTime grid_before(SimTime until, SimDuration phase, SimDuration period);
/// "1.5 GiB"
std::string human_bytes(std::int64_t bytes);

}  // namespace sim::k8s::kubelet

namespace sim::k8s {

struct Kubelets::Impl {
  using NodeRun = kubelet::NodeRun;
  using PodRun = kubelet::PodRun;
  using ContainerRun = kubelet::ContainerRun;

  Impl(Engine& engine_in, EventLog& log_in, const Randomness& random_in, host::Hosts& hosts_in, ControlPlane& control_plane_in, ApiServer& api_in,
       KubeletConfig config_in, const std::vector<PodBehaviour>& behaviours_in, const ImageConfig& image_config_in, Storage* storage_in);
  ~Impl();

  Engine& engine;
  EventLog& log;
  const Randomness& random;
  host::Hosts& hosts;
  ControlPlane& control_plane;
  ApiServer& api;
  KubeletConfig config;
  const std::vector<PodBehaviour>& behaviours;
  const ImageConfig& image_config;
  Storage* storage;  // null: no volumes
  kubelet::ImageService* image_service = nullptr;  // null: ImagePuller

  std::deque<NodeRun> nodes;  // a deque: pods point at their node
  std::vector<std::int64_t> node_of_slot;  // by slot of the Node object; -1: none
  std::vector<std::int64_t> node_of_host;  // by host id
  std::vector<std::unique_ptr<PodRun>> dropped;    // until the event that dropped them is over
  std::unordered_map<std::uint64_t, PodRun*> pods;             // look-up only, by handle
  std::unordered_map<std::uint64_t, NodeRun*> node_of_bound;   // look-up only, by handle
  std::vector<std::function<void(Ref<Node>)>> heartbeat_listeners;
  std::vector<std::function<void(Ref<Pod>, bool)>> serving_listeners;
  std::vector<std::function<void(Ref<Pod>)>> process_listeners;
  std::function<bool(Ref<Pod>)> may_start;  // null: every pod may
  std::vector<std::function<void(Ref<Node>)>> memory_listeners;
  struct LeakRule {
    Symbol ns;
    LabelSelector selector;
    double bytes_per_second = 0.0;
    CauseId cause{};
  };
  std::vector<LeakRule> leak_rules;
  struct PendingLeak {  // of a pod that no kubelet has seen yet
    Ref<Pod> pod;
    double bytes_per_second = 0.0;
    CauseId cause{};
  };
  std::vector<PendingLeak> pending_leaks;
  std::unordered_map<Symbol, std::vector<NodeRun*>> nodes_of_volume;  // look-up only
  std::vector<Ref<Pod>> waiting_for_claims;  // pods whose claims were missing or not bound
  std::uint64_t volume_serial = 0;
  std::uint32_t ip_serial = 0;
  bool is_started = false;
  struct Reasons {
    Symbol container_creating, pod_initializing, crash_loop, err_image_pull, image_pull_back_off, err_image_never_pull, completed, error, oom_killed,
        status_unknown, evicted, deadline_exceeded, mirror_annotation;
  } reasons;

  // ---- kubelets.cpp
  static std::uint64_t key(Ref<Pod> ref) { return std::uint64_t{ref.slot} << 32 | ref.generation; }
  NodeRun* find_node(Ref<Node> ref);
  PodRun* find_pod(Ref<Pod> ref);
  const NodeRun* find_node(Ref<Node> ref) const { return const_cast<Impl*>(this)->find_node(ref); }
  const PodRun* find_pod(Ref<Pod> ref) const { return const_cast<Impl*>(this)->find_pod(ref); }
  CauseId record(const PodRun& run, std::string_view kind, std::string_view message);
  std::string pod_name(const PodRun& run) const;
  RandomStream stream(std::string_view purpose, const PodRun& run, std::uint32_t serial) const;
  std::uint32_t draw_serial(const PodRun& run, const ContainerRun& c) const;
  void add_node(Ref<Node> ref, host::HostId host);
  void start();
  void on_pod_event(const WatchEvent& event);
  void on_node_event(const WatchEvent& event);
  void index_binding(Ref<Pod> ref);
  void on_host_change(const host::Hosts::Change& change);
  void on_host_down(NodeRun& node);

  // ---- node_status.cpp
  void start_node(NodeRun& node);
  bool can_act(const NodeRun& node) const { return node.kubelet_running && !node.is_stalled; }
  void start_kubelet(NodeRun& node, bool booted);
  void stop_kubelet(NodeRun& node);
  void update_contact(NodeRun& node);
  void update_contact_of_all();
  void list_again(NodeRun& node);
  void schedule_status(NodeRun& node);
  void reconcile(NodeRun& node);
  void look_at_bound(NodeRun& node);
  void post_status(NodeRun& node);
  void notify_heartbeat(NodeRun& node);
  kubelet::RegistryState registry_state(const NodeRun& node) const;
  CauseId registry_cause(const NodeRun& node) const;

  // ---- pod_lifecycle.cpp
  void see(NodeRun& node, Ref<Pod> ref);
  PodRun& add_pod(NodeRun& node, Ref<Pod> ref, const Pod& pod);
  void adopt(NodeRun& node, Ref<Pod> ref, const Pod& pod);
  bool admit_pod(const NodeRun& node, const PodSpec& spec, const PodRun* self, kubelet::Rejection& rejection) const;
  void resume(PodRun& run, bool booted);
  void pause(PodRun& run);
  void sync(PodRun& run);
  void on_pod_timer(PodRun& run);
  void on_deadline(PodRun& run);
  void on_container_timer(PodRun& run, ContainerRun& c);
  void set_timer(PodRun& run, ContainerRun& c, SimTime when);
  void set_timer(PodRun& run, SimTime when);
  void begin(PodRun& run, ContainerRun& c);
  void create(PodRun& run, ContainerRun& c);
  void started(PodRun& run, ContainerRun& c);
  void on_image_arrived(NodeRun& node, Symbol image);
  void on_pulled(NodeRun& node, PodRun& run, Symbol image, const kubelet::PullResult& result);
  CauseId tell_of_failed_pull(NodeRun& node, PodRun& run, ContainerRun& c, const kubelet::PullResult& result);
  bool uses_image(const NodeRun& node, Symbol image) const;
  void look_ahead(PodRun& run, ContainerRun& c);
  void found(PodRun& run, ContainerRun& c);
  void arm(PodRun& run, ContainerRun& c);
  void kill_later(PodRun& run, ContainerRun& c);
  void die(PodRun& run, ContainerRun& c, std::int32_t exit_code, Symbol reason);
  bool is_old_news(const ContainerRun& c) const;
  void notice_exit(PodRun& run, ContainerRun& c);
  void check_completed(PodRun& run);
  void publish(PodRun& run);
  PodPhase phase_of(const PodRun& run) const;
  bool ready_of(const PodRun& run) const;
  bool serves(const PodRun& run) const;
  void update_serving(PodRun& run);
  const Container& spec_of(const PodRun& run, const ContainerRun& c) const;
  bool is_init(const PodRun& run, const ContainerRun& c) const;
  bool is_regular(const PodRun& run, const ContainerRun& c) const { return !is_init(run, c); }
  void set_unready(PodRun& run, bool unready);
  PodProcess process_of(const PodRun& run) const;
  void update_process(PodRun& run);
  void set_probes_fail(PodRun& run, bool readiness, bool liveness);
  void update_probes(PodRun& run) {
    set_probes_fail(run, run.readiness_needs || run.interference.readiness_fails || run.slow.readiness_fails,
                    run.liveness_needs || run.interference.liveness_fails || run.slow.liveness_fails);
  }
  bool set_image_paused(PodRun& run, bool paused);
  void set_interference(PodRun& run, const Interference& interference);
  bool set_stress(PodRun& run, ContainerRun& c, const Stress& stress);
  void look_ahead_failing(PodRun& run, ContainerRun& c);
  void look_ahead_at_startup(PodRun& run);

  // ---- volumes.cpp
  using NodeVolume = kubelet::NodeVolume;
  bool begin_volumes(PodRun& run);
  NodeVolume* find_volume_on(NodeRun& node, Symbol volume);
  NodeVolume& add_volume(NodeRun& node, Symbol volume);
  void want(NodeRun& node, Symbol volume, Ref<Pod> pod);
  void advance(NodeRun& node, NodeVolume& entry);
  void advance_volumes(NodeRun& node);
  void mount(NodeRun& node, NodeVolume& entry);
  void mounted(NodeRun& node, NodeVolume& entry, const std::string& error);
  void check_volumes(PodRun& run);
  void mount_timed_out(PodRun& run);
  void on_claim_event(const WatchEvent& event);
  void volumes_reported(NodeRun& node);
  std::vector<Symbol> volumes_in_use(const NodeRun& node) const;
  void adopt_volumes(PodRun& run);
  void release_volumes(PodRun& run);
  void unmount(NodeRun& node, NodeVolume& entry);
  void unmounted(NodeRun& node, NodeVolume& entry, const std::string& error);
  void forget_volume(NodeRun& node, NodeVolume& entry);
  void lose_volumes(NodeRun& node);
  void announce_limits(NodeRun& node);
  void on_io(Symbol volume);
  bool is_blocked(const PodRun& run, const Container& spec) const;
  void update_io(PodRun& run);
  void hang(PodRun& run, ContainerRun& c);
  void wake(PodRun& run, ContainerRun& c);
  void look_ahead_hung(PodRun& run, ContainerRun& c);
  void cannot_die(PodRun& run, ContainerRun& c, std::int32_t exit_code, Symbol reason);

  // ---- termination.cpp
  void terminate(PodRun& run, std::int64_t grace_seconds);
  void end_with(PodRun& run, PodPhase phase, Symbol reason, bool disrupted, std::int64_t grace_seconds);
  bool anything_runs(const PodRun& run) const;
  void finish(PodRun& run);
  void after_unmount(PodRun& run);
  void conclude(PodRun& run);
  void remove_unstarted(NodeRun& node, Ref<Pod> ref);
  void drop(PodRun& run);

  // ---- memory.cpp
  void charge(PodRun& run, ContainerRun& c);
  void uncharge(PodRun& run, ContainerRun& c);
  void start_leak(PodRun& run);
  void stop_leak(PodRun& run);
  void add_leak(PodRun& run, double bytes_per_second);
  std::int64_t leaked(const PodRun& run) const;
  std::int64_t usage(const PodRun& run) const;
  std::int64_t used(const NodeRun& node) const;
  double leak_rate(const NodeRun& node) const;
  SimTime reaches_level(const NodeRun& node, std::int64_t level) const;
  SimTime commits(const NodeRun& node, std::int64_t level) const;
  std::int64_t exhausted_at(const NodeRun& node) const;
  std::vector<CauseId> leak_causes(const NodeRun& node) const;
  void memory_changed(NodeRun& node);
  void on_memory_timer(NodeRun& node);
  bool kill_over_limit(NodeRun& node);
  std::int64_t available(const NodeRun& node) const;
  std::int64_t pods_limit(const NodeRun& node) const;
  std::int64_t pods_full_at(const NodeRun& node) const;
  std::int64_t threshold(const NodeRun& node) const;
  std::int64_t hard_threshold(const NodeRun& node) const;
  SimTime eviction_due(const NodeRun& node) const;
  void eviction_pass(NodeRun& node);
  void pod_cleaned_up(NodeRun& node);
  void exhausted(NodeRun& node);
  void begin_stall(NodeRun& node, SimDuration span, bool kills);
  void end_stall(NodeRun& node);
  struct Victim {
    PodRun* pod = nullptr;
    ContainerRun* container = nullptr;
    std::size_t index = 0;
    std::int64_t bytes = 0;
    std::int64_t badness = 0;
  };
  Victim worst_process(NodeRun& node, std::int64_t total);
  void kill_process(const Victim& victim);
  void oom_kill(NodeRun& node);
  void pods_exhausted(NodeRun& node);
  void restart_mirror(PodRun& run, ContainerRun& c);

  // ---- contention.cpp
  void set_wants(PodRun& run, ContainerRun& c);
  void clear_wants(PodRun& run, ContainerRun& c);
  void share_machine(NodeRun& node);
  void set_speed(PodRun& run, ContainerRun& c, double speed);
  void throttle(PodRun& run, ContainerRun& c, double cores);
  void update_slow_probes(PodRun& run);
  void update_slowdown(NodeRun& node);
  double wants_to_write(const NodeRun& node) const;
  void writing_changed(NodeRun& node);
  void write_back(NodeRun& node, double wanted, double disk);

  // ---- node_disk.cpp
  using NodeDisk = kubelet::NodeDisk;
  NodeDisk& disk_of(NodeRun& node);
  bool counts_processes(const PodRun& run) const;
  void files_started(PodRun& run, ContainerRun& c);
  void files_stopped(PodRun& run, ContainerRun& c);
  void files_of_pod_ended(PodRun& run);
  void files_of_pod_dropped(PodRun& run);
  void files_of_pod_deleted(NodeRun& node, Ref<Pod> ref);
  bool has_room_to_start(PodRun& run);
  void disk_changed(NodeRun& node);
  void disk_look(NodeRun& node);
  void disk_kubelet_stopped(NodeRun& node);
  kubelet::DiskStats disk_stats(const NodeRun& node) const;
  kubelet::PodDiskStats disk_stats(const PodRun& run) const;
  std::int64_t beside_images(const NodeRun& node) const;
  struct DiskUser {
    std::string what;
    std::int64_t amount = 0;
    CauseId cause{};
  };
  std::vector<DiskUser> disk_users(const NodeRun& node, kubelet::Signal signal) const;
  kubelet::Observation observe(const NodeRun& node, kubelet::Signal signal) const;
  CauseId record_shortage(NodeRun& node, std::string_view kind, kubelet::Signal signal, std::string message);
  SimTime met_at(const NodeRun& node, kubelet::Signal signal, std::int64_t below) const;
  std::vector<PodRun*> over_local_limits(NodeRun& node, std::vector<std::string>* messages) const;
  SimTime local_limit_due(const PodRun& run) const;
  void update_full(NodeRun& node);
  void arm_disk(NodeRun& node);
  void reclaim_disk(NodeRun& node, std::size_t threshold);
  bool memory_goes_first(const NodeRun& node) const;

  // ---- kernel_memory.cpp
  /// What the runtime does takes longer on a host that is short of memory or CPU.
  SimDuration slowed(const NodeRun& node, SimDuration span) const {
    const double factor = hosts.slowdown(node.host);
    return factor == 1.0 ? span : from_seconds(seconds(span) * factor);
  }
  std::int64_t committed(const NodeRun& node) const;
  std::int64_t working_set(const NodeRun& node) const { return used(node) + node.kernel->active_file(); }
  bool make_cgroups(PodRun& run);
  void cgroups_failed(PodRun& run, std::string_view error, CauseId cause);
  void adopt_cgroups(PodRun& run);
  void remove_cgroups(PodRun& run);
  void restart_cgroup(PodRun& run);
  void wake_for_cgroups(NodeRun& node);
  void read_files(PodRun& run);
  void settle_kernel(NodeRun& node);
  void note_kernel_memory(NodeRun& node);
  void lose_kernel_memory(NodeRun& node);
  void grow_kernel_memory(NodeRun& node, double bytes_per_second);
  void drop_caches(NodeRun& node, host::DropCaches what);
  void update_thrashing(NodeRun& node);
  void thrash(NodeRun& node);
  double thrash_depth(const NodeRun& node) const;
  std::string kernel_story(const NodeRun& node) const;
};

}  // namespace sim::k8s

/// The kubelets of all nodes: registration, status and lease, admission, pods from bound to ended, restarts, termination,
/// memory pressure and eviction, volumes, reboot.
///
/// Source: reference kubernetes chapter 3. Leaves out: see docs/models/kubelet.md.
/// Checked by: tests/models/kubernetes/kubelet_*_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/cfs.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/host/memory.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/kubelet/behaviour.hpp"
#include "sim/models/kubernetes/kubelet/eviction_config.hpp"
#include "sim/models/kubernetes/kubelet/image_policy.hpp"
#include "sim/models/kubernetes/kubelet/process_state.hpp"

namespace sim::k8s {

class Storage;
namespace kubelet {
class ImageService;
class NodeImages;
}  // namespace kubelet

struct KubeletConfig : ImagePolicy {
  std::int64_t hard_eviction_memory = 100ll << 20;  // memory.available
  std::int64_t soft_eviction_memory = 0;            // evictionSoft memory.available; 0: none
  SimDuration soft_eviction_grace{};                // evictionSoftGracePeriod
  std::int64_t eviction_max_pod_grace_seconds = 0;  // evictionMaxPodGracePeriod: of pods that a soft threshold evicts
  std::int64_t minimum_reclaim_memory = 0;          // evictionMinimumReclaim
  SimDuration pressure_transition{std::chrono::minutes(5)};  // evictionPressureTransitionPeriod
  SimDuration lease_renew{std::chrono::seconds(10)};
  kubelet::DiskConfig disk;
  bool limits_all_pods = true;  // enforceNodeAllocatable has "pods": the kubepods cgroup has a limit
};

/// A node's heartbeat as the node lifecycle controller can see it, without one event per renewal.
struct Heartbeat {
  bool renewing = false;   ///< kubelet up and API reachable: the lease is renewed every 10 s
  SimTime last_renewal{};  ///< when not renewing: the last one that went through
};

/// Who says that a pod is not ready, or lacks something. Several may at a time, and each takes back only what it said itself.
enum class Says : std::uint8_t { kFault = 1, kSlowVolumes = 2, kFileSystem = 4, kObjectStore = 8, kServices = 16 };

class Kubelets : public Watcher {
 public:
  Kubelets(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ControlPlane& control_plane, ApiServer& api,
           KubeletConfig config, const std::vector<PodBehaviour>& behaviours, const ImageConfig& images, Storage* storage = nullptr);
  ~Kubelets() override;

  /// Images of nodes that are added from now on are this service's business. It outlives every use.
  void use(kubelet::ImageService& images);
  /// This node's kubelet runs on `host`. The Node object exists already. Call before start().
  void add_node(Ref<Node> node, host::HostId host);
  /// Posts the first status of every node (Ready) and begins to watch pods.
  void start();

  host::HostId host_of(Ref<Node> node) const;
  Ref<Node> node_of(host::HostId host) const;
  Heartbeat heartbeat(Ref<Node> node) const;
  /// Called when a node's heartbeat stops or comes back.
  void on_heartbeat(std::function<void(Ref<Node>)> listener);
  /// Working set of everything on the node, in bytes, now; at most the machine's memory, 0 while it is not running.
  std::int64_t memory_used(Ref<Node> node) const;
  /// What `free` and /proc/meminfo show on the node now: what the kubelet does not see is there too. All zero while it is not running.
  host::Meminfo meminfo(Ref<Node> node) const;
  /// Pressure stall information of the machine's memory (both "some" and "full": a stall stops everybody).
  host::Psi::Averages memory_pressure(Ref<Node> node) const;
  /// Cores that the containers of the node (of the pod) really use, and the working set of the pod: what metrics-server tells `kubectl top`.
  double cpu_used(Ref<Node> node) const;
  double cpu_used(Ref<Pod> pod) const;
  /// cpu.stat of a container of the pod since it started (by its place in the spec); all zero without a limit.
  host::CfsCounters::Counts throttling(Ref<Pod> pod, std::size_t container) const;
  std::int64_t memory_used(Ref<Pod> pod) const;
  /// Whether the pod's containers really run, whatever the API says (a partitioned node's pods run on).
  bool is_really_running(Ref<Pod> pod) const;
  /// ... and are past their start-up, not made unready, on a host that makes progress and has its network (partition 0). A mirror pod serves
  /// while its host does and the API says that it is ready.
  bool is_serving(Ref<Pod> pod) const;
  /// Called when is_serving() of a pod changed (also when its node died or was cut off); the current cause explains it.
  void on_serving(std::function<void(Ref<Pod>, bool serving)> listener);

  /// What is on the node's disks, who put it there, and how many processes run.
  kubelet::DiskStats disk(Ref<Node> node) const;
  /// Of it: the pod's. False: no kubelet runs it.
  bool disk_of(Ref<Pod> pod, kubelet::PodDiskStats& stats) const;

  /// The images of a node; null when no kubelet was added for it.
  kubelet::NodeImages* images_of(Ref<Node> node);

  // Faults
  void kill_kubelet(Ref<Node> node, SimDuration restart_after);  ///< containers run on; zero: stays dead until restart_kubelet
  void restart_kubelet(Ref<Node> node);
  /// The containers of the pod take `bytes_per_second` more from now on, until the pod ends. A restarted container starts small and leaks again.
  /// A negative rate takes a leak back: what has leaked stays until the container restarts.
  void leak_memory(Ref<Pod> pod, double bytes_per_second);
  /// Every pod, now and later, that matches: the leak is in the image, not in one pod.
  void leak_memory(Symbol ns, const LabelSelector& selector, double bytes_per_second);
  /// The kernel of the node takes `bytes_per_second` more for itself from now on, which nothing but a reboot gives back; negative: less.
  void grow_kernel_memory(Ref<Node> node, double bytes_per_second);
  /// echo 1, 2 or 3 > /proc/sys/vm/drop_caches
  void drop_caches(Ref<Node> node, host::DropCaches what);
  /// The eviction signals or free memory of some node changed in a way that a threshold may see: called after everything that happens to its memory.
  void on_memory(std::function<void(Ref<Node>)> listener);
  /// Files that no pod owns (an audit log, core dumps, a forgotten backup) grow on the node's first disk, by `bytes` at once and then by `bytes_per_second`
  /// up to `at_most` (0: until the disk is full); answers a number for clear_disk(), which removes them. Before that they stay, also over a reboot.
  std::uint64_t fill_disk(Ref<Node> node, std::int64_t bytes, double bytes_per_second, std::int64_t at_most);
  void stop_filling_disk(Ref<Node> node, std::uint64_t number);  ///< what is there stays
  void clear_disk(Ref<Node> node, std::uint64_t number);
  /// A machine that was installed anew: its disks are empty.
  void wipe_disk(Ref<Node> node);
  void kill_container(Ref<Pod> pod);  ///< exits 137; restarted by policy with back-off
  /// The one of that name. False: it does not run.
  bool kill_container(Ref<Pod> pod, Symbol container);
  /// The images of the pod's containers are replaced by one that does nothing, or put back: each container that runs is stopped and starts anew, without
  /// back-off, for its definition changed. False: not with this pod (a static one, whose manifest is not the API's; one that is not restarted always).
  bool set_image_paused(Ref<Pod> pod, bool paused);
  /// Others reach the pod's processes no more, or too late, or with errors: beside what services say of it (set_lacking, set_probes_fail).
  struct Interference {
    bool is_unreachable = false;  ///< it answers nobody
    bool startup_fails = false;   ///< its probes of this kind fail, each in its own time
    bool readiness_fails = false;
    bool liveness_fails = false;
    friend bool operator==(const Interference&, const Interference&) = default;
  };
  void set_interference(Ref<Pod> pod, Interference interference);
  /// Processes that somebody started in a container to load it: they end with it, and count against its limits. Zeroes: they are gone.
  struct Stress {
    double cpu_cores = 0.0;
    double cpu_workers = 0.0;  ///< threads that want them
    double disk_bytes_per_second = 0.0;
    std::int64_t memory_bytes = 0;
  };
  /// False: the container does not run.
  bool set_stress(Ref<Pod> pod, Symbol container, const Stress& stress);
  /// Readiness fails (true) or recovers (false) although the containers run: seen by the readiness probe in its own time; a container without
  /// one turns at once.
  void set_unready(Ref<Pod> pod, Says who, bool unready);

  // Client certificates: with one that has expired the API servers answer 401, as if they could not be reached. Its containers run on.
  /// When it runs out, for whoever looks ahead; nothing else comes of it. Empty: it is renewed in time, as kubelets do by default.
  void set_certificate_expiry(Ref<Node> node, std::optional<SimTime> when);
  std::optional<SimTime> certificate_expiry(Ref<Node> node) const;
  void set_certificate_expired(Ref<Node> node, bool expired);
  bool is_certificate_expired(Ref<Node> node) const;
  /// Why its kubelet and the API servers do not talk, although its machine reaches theirs. Several may hold at a time.
  enum class NoContact : std::uint8_t { kClock = 1, kPackets = 2 };
  /// The current cause explains it.
  void set_no_contact(Ref<Node> node, NoContact why, bool holds);
  /// The kubelet's writes are refused or time out, though its watches stream (an overloaded API server); the last one that arrived did so at
  /// `last_renewal`. Without: they go through again, from its next turn on.
  void set_throttled(Ref<Node> node, std::optional<SimTime> last_renewal);
  /// The process runs, whether or not it reaches anybody.
  bool is_kubelet_running(Ref<Node> node) const;

  // What stands behind a pod (models/services)
  PodProcess process_of(Ref<Pod> pod) const;
  /// Called when the state of process_of() changed; the current cause explains it.
  void on_process(std::function<void(Ref<Pod>)> listener);
  /// Something that the pod needs is not there: it answers nobody, and its probes do not notice (but see set_probes_fail).
  void set_lacking(Ref<Pod> pod, Says who, bool lacking);
  /// Asked when a pod's init containers are through and its containers could start; false: not yet (an init container that waits for others).
  void set_start_gate(std::function<bool(Ref<Pod>)> may_start);
  /// Asks the gate again.
  void start_gate_opened(Ref<Pod> pod);
  /// The readiness (liveness) probes of the pod fail from now on, because of what they look at beyond the process; each gives up in its own time.
  void set_probes_fail(Ref<Pod> pod, bool readiness, bool liveness);

  void on_event(const WatchEvent& event) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::k8s

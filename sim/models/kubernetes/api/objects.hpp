/// The objects that Squall simulates, as small typed structs. What a user's manifest says beyond these fields is kept
/// with the object's source document (ObjectMeta::source) and is never lost.
///
/// Field names follow the Kubernetes API (v1.36), in snake_case. Values are after API defaulting.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/labels.hpp"
#include "sim/models/kubernetes/api/resources.hpp"

namespace sim::k8s {

enum class Kind : std::uint8_t {
  kNode, kPod, kDeployment, kReplicaSet, kStatefulSet, kDaemonSet, kJob, kCronJob,
  kService, kEndpoints, kPodDisruptionBudget, kPriorityClass, kNamespace,
  kStorageClass, kPersistentVolume, kPersistentVolumeClaim, kVolumeAttachment,
  kResourceQuota, kLimitRange, kHorizontalPodAutoscaler,
  kOther,  // kept, not simulated
};
inline constexpr std::size_t kKindCount = 21;
const char* to_string(Kind kind);  // "Pod"

/// A handle to an object of one kind: slot in its table and generation of the slot. Ref{} refers to nothing.
/// A handle to a deleted object is stale: Table::find gives nullptr.
template <class T>
struct Ref {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  constexpr explicit operator bool() const { return generation != 0; }
  friend constexpr auto operator<=>(Ref, Ref) = default;
};

/// The same without the type: for owner references, work queues and watch events.
struct ObjectRef {
  Kind kind = Kind::kOther;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  constexpr explicit operator bool() const { return generation != 0; }
  friend constexpr auto operator<=>(ObjectRef, ObjectRef) = default;
};

/// The user's own document of an object (kept whole, shared by what was made from it).
struct SourceDocument;  // sim/scenario defines it

struct OwnerReference {
  ObjectRef owner;
  std::uint64_t uid = 0;
  bool controller = true;
};

struct ObjectMeta {
  Symbol ns;  // empty for cluster-scoped kinds
  Symbol name;
  std::uint64_t uid = 0;  // serial number of creation; shown as a UUID at the edge
  std::uint64_t resource_version = 0;
  std::uint64_t generation = 1;
  SimTime created{};
  std::optional<SimTime> deletion_timestamp;  // lies in the future while a pod's grace period runs
  std::int64_t deletion_grace_seconds = 0;
  Labels labels;
  Labels annotations;
  std::vector<OwnerReference> owners;
  std::vector<Symbol> finalizers;
  /// The log record of the last thing that happened to this object; what follows from it is caused by that.
  CauseId cause{};
  std::shared_ptr<const SourceDocument> source;

  const OwnerReference* controller() const {
    for (const OwnerReference& owner : owners) {
      if (owner.controller) return &owner;
    }
    return nullptr;
  }
  bool is_deleting() const { return deletion_timestamp.has_value(); }
};

/// intstr.IntOrString: an absolute number or a percentage.
struct IntOrPercent {
  std::int64_t value = 0;
  bool percent = false;
  std::int64_t of(std::int64_t total, bool round_up) const {
    if (!percent) return value;
    const std::int64_t scaled = value * total;
    return round_up ? (scaled + 99) / 100 : scaled / 100;
  }
};

// ---- Claims of volumes --------------------------------------------------------------------------------------------

/// accessModes as a bit set.
struct AccessModes {
  static constexpr std::uint8_t kReadWriteOnce = 1;
  static constexpr std::uint8_t kReadOnlyMany = 2;
  static constexpr std::uint8_t kReadWriteMany = 4;
  static constexpr std::uint8_t kReadWriteOncePod = 8;
  std::uint8_t bits = 0;
  constexpr bool has(std::uint8_t mode) const { return (bits & mode) != 0; }
  constexpr bool has_all(AccessModes wanted) const { return (bits & wanted.bits) == wanted.bits; }
  /// Whether two nodes may have the volume attached at a time (IsMultiAttachAllowed: also when no mode is given).
  constexpr bool allows_many_nodes() const { return bits == 0 || has(kReadOnlyMany) || has(kReadWriteMany); }
  friend constexpr bool operator==(AccessModes, AccessModes) = default;
};

/// PersistentVolumeClaimSpec.
struct ClaimSpec {
  AccessModes access_modes;
  std::int64_t bytes = 0;                // resources.requests.storage
  std::optional<Symbol> storage_class;   // absent: the default class; the empty name: none
  Symbol volume_name;                    // the PersistentVolume that it is, or is to be, bound to
  std::optional<LabelSelector> selector;
  bool block = false;                    // volumeMode
};

/// PersistentVolumeClaimTemplate: of a StatefulSet, or of a generic ephemeral volume (then without a name).
struct ClaimTemplate {
  Symbol name;
  Labels labels;
  Labels annotations;
  ClaimSpec spec;
};

/// A volume of a pod that is backed by a claim. Other sources (emptyDir, configMap ...) are no volumes here.
struct PodVolume {
  Symbol name;
  Symbol claim;  // persistentVolumeClaim.claimName; empty for a generic ephemeral volume, whose claim is named "<pod>-<volume>"
  std::shared_ptr<const ClaimTemplate> ephemeral;
};

/// An emptyDir volume of a pod: files on its node's own disk that go with the pod.
struct EmptyDir {
  Symbol name;
  std::int64_t size_limit = 0;  // 0: none
  bool in_memory = false;       // medium: Memory: no files on the disk
};

// ---- Pod ----------------------------------------------------------------------------------------------------------

enum class PullPolicy : std::uint8_t { kIfNotPresent, kAlways, kNever };
enum class RestartPolicy : std::uint8_t { kAlways, kOnFailure, kNever };
enum class Protocol : std::uint8_t { kTcp, kUdp, kSctp };

struct ContainerPort {
  Symbol name;
  std::int32_t container_port = 0;
  std::int32_t host_port = 0;  // 0: none
  Symbol host_ip;              // empty: 0.0.0.0
  Protocol protocol = Protocol::kTcp;
};

/// When and how often a probe runs; what it finds is the simulated container's health.
struct Probe {
  std::int64_t initial_delay_seconds = 0;
  std::int64_t timeout_seconds = 1;
  std::int64_t period_seconds = 10;
  std::int64_t success_threshold = 1;
  std::int64_t failure_threshold = 3;
  bool is_exec = false;   // a command in the container: no network between it and the kubelet
  bool is_http = false;   // httpGet
  Symbol port_name;       // of httpGet, tcpSocket or grpc, when it is not a number
  std::int32_t port = 0;
};

struct Container {
  Symbol name;
  Symbol image;  // normalised: ":latest" added where there is no tag or digest
  PullPolicy pull_policy = PullPolicy::kIfNotPresent;
  Resources requests;
  Resources limits;
  bool has_cpu_request = false;  // explicit (also after requests := limits), even if 0: the scheduler's default requests apply without
  bool has_memory_request = false;
  bool has_cpu_limit = false;
  bool has_memory_limit = false;
  std::vector<ContainerPort> ports;
  std::optional<Probe> readiness_probe;
  std::optional<Probe> liveness_probe;
  std::optional<Probe> startup_probe;
  bool is_sidecar = false;  // an init container with restartPolicy Always
  std::vector<Symbol> volume_mounts;  // names of the pod's volumes that it mounts, or uses as devices
};

/// One nodeSelectorTerm: all expressions (labels) and all fields (metadata.name) must match; with neither, nothing matches.
struct NodeSelectorTerm {
  std::vector<Requirement> match_expressions;
  std::vector<Requirement> match_fields;
};
struct PreferredNodeTerm {
  std::int64_t weight = 1;
  NodeSelectorTerm term;
};
struct PodAffinityTerm {
  std::optional<LabelSelector> selector;  // absent: matches nothing
  Symbol topology_key;
  std::vector<Symbol> namespaces;
  std::optional<LabelSelector> namespace_selector;  // {}: all namespaces
  std::int64_t weight = 0;  // of a preferred term
};
struct Affinity {
  bool has_required_node_affinity = false;
  std::vector<NodeSelectorTerm> required_node_terms;  // OR
  std::vector<PreferredNodeTerm> preferred_node_terms;
  std::vector<PodAffinityTerm> required_pod_affinity;
  std::vector<PodAffinityTerm> preferred_pod_affinity;
  std::vector<PodAffinityTerm> required_pod_anti_affinity;
  std::vector<PodAffinityTerm> preferred_pod_anti_affinity;
};

struct TopologySpreadConstraint {
  std::int64_t max_skew = 1;
  Symbol topology_key;
  bool do_not_schedule = true;  // whenUnsatisfiable
  std::optional<LabelSelector> selector;
  std::int64_t min_domains = 1;
  bool honor_node_affinity = true;  // nodeAffinityPolicy
  bool honor_node_taints = false;   // nodeTaintsPolicy
  std::vector<Symbol> match_label_keys;
};

enum class QosClass : std::uint8_t { kBestEffort, kBurstable, kGuaranteed };
const char* to_string(QosClass qos);

/// What a pod is to be. Immutable once made, shared by every pod of a template.
struct PodSpec {
  std::vector<Container> containers;
  std::vector<Container> init_containers;
  Symbol node_name;  // only when the manifest itself binds the pod
  Labels node_selector;
  std::shared_ptr<const Affinity> affinity;  // null: none
  std::vector<Toleration> tolerations;
  std::vector<TopologySpreadConstraint> topology_spread;
  std::int32_t priority = 0;
  bool has_priority = false;  // spec.priority was given or resolved
  Symbol priority_class_name;
  bool preempts = true;  // preemptionPolicy is not Never
  RestartPolicy restart_policy = RestartPolicy::kAlways;
  std::int64_t termination_grace_seconds = 30;
  std::optional<std::int64_t> active_deadline_seconds;
  bool host_network = false;
  Symbol scheduler_name;
  std::vector<Symbol> scheduling_gates;
  Resources overhead;
  std::optional<Resources> pod_level_requests;  // spec.resources.requests
  std::vector<PodVolume> volumes;               // those that are backed by claims
  bool has_local_storage = false;               // emptyDir volumes: kubectl drain asks for --delete-emptydir-data
  std::vector<EmptyDir> empty_dirs;
  std::shared_ptr<const SourceDocument> source;

  // Computed once by finish_pod_spec() (api/pod_spec.cpp):
  Resources requests;          // PodRequests: what the scheduler counts, init rule and overhead included
  std::int64_t nonzero_cpu_milli = 0;  // with 100m / 200Mi per container that requests none
  std::int64_t nonzero_memory = 0;
  QosClass qos = QosClass::kBestEffort;
};
/// Fills the computed part.
/// Source: component-helpers/resource/helpers.go (PodRequests), pkg/apis/core/v1/helper/qos/qos.go.
void finish_pod_spec(PodSpec& spec);

struct PodTemplate {
  Labels labels;
  Labels annotations;
  std::shared_ptr<const PodSpec> spec;
  std::uint64_t hash = 0;  // of everything above: two templates with equal hash are equal (see template_hash)
};

enum class PodPhase : std::uint8_t { kPending, kRunning, kSucceeded, kFailed };
const char* to_string(PodPhase phase);

enum class ContainerState : std::uint8_t { kWaiting, kRunning, kTerminated };
struct ContainerStatus {
  ContainerState state = ContainerState::kWaiting;
  bool ready = false;
  bool started = false;
  std::uint32_t restart_count = 0;
  std::int32_t exit_code = 0;
  Symbol reason;  // of waiting or terminated: "ContainerCreating", "CrashLoopBackOff", "OOMKilled"
  SimTime started_at{};
  SimTime finished_at{};
};

struct Node;
struct Pod {
  static constexpr Kind kKind = Kind::kPod;
  ObjectMeta meta;
  std::shared_ptr<const PodSpec> spec;
  Ref<Node> node;            // spec.nodeName resolved; Ref{}: not bound
  Symbol node_name;          // stays when the Node object is gone
  Symbol nominated_node;
  PodPhase phase = PodPhase::kPending;
  bool ready = false;              // condition Ready
  bool disruption_target = false;  // condition DisruptionTarget
  Symbol disruption_reason;        // "DeletionByTaintManager", "PreemptionByScheduler", ...
  Symbol reason;                   // status.reason: "Evicted", "OutOfcpu", ...
  SimTime ready_since{};           // Ready.lastTransitionTime
  std::optional<SimTime> start_time;    // kubelet saw it
  std::optional<SimTime> scheduled_at;  // condition PodScheduled True
  bool unschedulable = false;           // condition PodScheduled False, reason Unschedulable
  std::vector<ContainerStatus> containers;
  std::vector<ContainerStatus> init_containers;
  std::uint32_t ip_serial = 0;  // 0: no podIP yet; changes with every new sandbox

  /// Not Succeeded/Failed and not being deleted: what ReplicaSet and Job count as active.
  bool is_active() const { return phase != PodPhase::kSucceeded && phase != PodPhase::kFailed && !meta.is_deleting(); }
  bool is_terminal() const { return phase == PodPhase::kSucceeded || phase == PodPhase::kFailed; }
};

// ---- Node ---------------------------------------------------------------------------------------------------------

enum class ConditionStatus : std::uint8_t { kTrue, kFalse, kUnknown };
const char* to_string(ConditionStatus status);

struct NodeImage {
  Symbol image;
  std::int64_t bytes = 0;
};

struct Node {
  static constexpr Kind kKind = Kind::kNode;
  ObjectMeta meta;
  bool unschedulable = false;
  std::vector<Taint> taints;
  Resources capacity;
  Resources allocatable;
  ConditionStatus ready = ConditionStatus::kUnknown;
  Symbol ready_reason;  // "KubeletReady", "NodeStatusUnknown", ...
  SimTime ready_since{};
  bool memory_pressure = false;
  bool disk_pressure = false;
  bool pid_pressure = false;
  std::vector<NodeImage> images;  // as reported: the 50 largest
  std::vector<Symbol> volumes_in_use;    // status: PersistentVolumes that the kubelet holds, by what it last reported
  std::vector<Symbol> volumes_attached;  // status: written by the attach/detach controller
  struct VolumeLimit {                   // CSINode.spec.drivers[].allocatable.count
    Symbol driver;
    std::int64_t count = 0;
    friend bool operator==(const VolumeLimit&, const VolumeLimit&) = default;
  };
  std::vector<VolumeLimit> volume_limits;  // drivers without a limit are not listed

  bool has_taint(Symbol key, TaintEffect effect) const {
    for (const Taint& taint : taints) {
      if (taint.key == key && taint.effect == effect) return true;
    }
    return false;
  }
};

// ---- Workloads ----------------------------------------------------------------------------------------------------

struct Deployment {
  static constexpr Kind kKind = Kind::kDeployment;
  ObjectMeta meta;
  std::int64_t replicas = 1;
  LabelSelector selector;
  PodTemplate pod_template;
  bool recreate = false;  // strategy.type
  IntOrPercent max_surge{25, true};
  IntOrPercent max_unavailable{25, true};
  std::int64_t min_ready_seconds = 0;
  std::int64_t progress_deadline_seconds = 600;
  std::int64_t revision_history_limit = 10;
  bool paused = false;
  // status
  std::uint64_t observed_generation = 0;
  std::int64_t status_replicas = 0;
  std::int64_t updated_replicas = 0;
  std::int64_t ready_replicas = 0;
  std::int64_t available_replicas = 0;
  bool available = false;           // condition Available
  bool progress_deadline_exceeded = false;
  SimTime last_progress{};
  Symbol progressing_reason;  // of condition Progressing: "NewReplicaSetAvailable", "ReplicaSetUpdated", ...
};

struct ReplicaSet {
  static constexpr Kind kKind = Kind::kReplicaSet;
  ObjectMeta meta;
  std::int64_t replicas = 1;
  LabelSelector selector;
  PodTemplate pod_template;
  std::int64_t min_ready_seconds = 0;
  std::int64_t revision = 0;  // annotation deployment.kubernetes.io/revision
  std::int64_t desired_replicas = -1;  // annotation deployment.kubernetes.io/desired-replicas; -1: absent
  std::int64_t max_replicas = -1;      // annotation deployment.kubernetes.io/max-replicas; -1: absent
  // status
  std::uint64_t observed_generation = 0;
  std::int64_t status_replicas = 0;
  std::int64_t ready_replicas = 0;
  std::int64_t available_replicas = 0;
};

struct StatefulSet {
  static constexpr Kind kKind = Kind::kStatefulSet;
  ObjectMeta meta;
  std::int64_t replicas = 1;
  std::int64_t start_ordinal = 0;
  LabelSelector selector;
  PodTemplate pod_template;
  Symbol service_name;
  bool parallel = false;         // podManagementPolicy
  bool on_delete = false;        // updateStrategy.type
  std::int64_t partition = 0;
  std::int64_t min_ready_seconds = 0;
  std::vector<ClaimTemplate> claim_templates;
  bool deletes_claims_when_deleted = false;  // persistentVolumeClaimRetentionPolicy.whenDeleted: Delete
  bool deletes_claims_when_scaled = false;   // ... whenScaled: Delete
  // status
  std::uint64_t observed_generation = 0;
  std::uint64_t current_revision = 0;  // template hash
  std::uint64_t update_revision = 0;
  std::int64_t status_replicas = 0;
  std::int64_t ready_replicas = 0;
  std::int64_t available_replicas = 0;
  std::int64_t current_replicas = 0;
  std::int64_t updated_replicas = 0;
  std::shared_ptr<const PodTemplate> current_template;  // of current_revision
};

struct DaemonSet {
  static constexpr Kind kKind = Kind::kDaemonSet;
  ObjectMeta meta;
  LabelSelector selector;
  PodTemplate pod_template;
  bool on_delete = false;
  IntOrPercent max_unavailable{1, false};
  IntOrPercent max_surge{0, false};
  std::int64_t min_ready_seconds = 0;
  // status
  std::uint64_t observed_generation = 0;
  std::int64_t desired_scheduled = 0;
  std::int64_t current_scheduled = 0;
  std::int64_t ready_count = 0;
  std::int64_t available_count = 0;
  std::int64_t updated_scheduled = 0;
};

struct JobPolicies;  // api/job_policies.hpp

struct JobSpec {
  std::optional<std::int64_t> parallelism;
  std::optional<std::int64_t> completions;
  std::int64_t backoff_limit = 6;
  std::optional<std::int64_t> active_deadline_seconds;
  std::optional<std::int64_t> ttl_seconds_after_finished;
  bool indexed = false;
  bool suspend = false;
  std::shared_ptr<const JobPolicies> policies;  // null: neither a failure nor a success policy, nor limits per index
  bool replaces_only_failed = false;            // podReplacementPolicy: Failed; also implied by a podFailurePolicy
  Symbol managed_by;                            // empty, or kubernetes.io/job-controller: this controller's
  PodTemplate pod_template;
};

struct Job {
  static constexpr Kind kKind = Kind::kJob;
  ObjectMeta meta;
  JobSpec spec;
  LabelSelector selector;
  // status
  std::optional<SimTime> start_time;
  std::optional<SimTime> completion_time;
  std::int64_t active = 0;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  std::int64_t ready = 0;
  std::int64_t terminating = 0;
  std::vector<std::int64_t> completed_indexes;  // sorted; indexed jobs
  std::vector<std::int64_t> failed_indexes;     // sorted; with backoffLimitPerIndex
  bool complete = false;
  bool failed_condition = false;
  Symbol failed_reason;  // "BackoffLimitExceeded", "DeadlineExceeded" ...; set with failure_target already
  Symbol success_reason;  // "CompletionsReached", "SuccessPolicy"; set with success_criteria_met already
  std::string condition_message;  // of FailureTarget and Failed, or of SuccessCriteriaMet and Complete
  bool success_criteria_met = false;     // condition SuccessCriteriaMet: Complete follows when all pods have ended
  bool failure_target = false;           // condition FailureTarget: Failed follows when all pods have ended
  bool suspended = false;                // condition Suspended
  std::optional<SimTime> finished_at;    // transition time of Complete or Failed
  bool is_finished() const { return complete || failed_condition; }
};

struct CronJob {
  static constexpr Kind kKind = Kind::kCronJob;
  ObjectMeta meta;
  std::string schedule;
  std::string time_zone;
  std::optional<std::int64_t> starting_deadline_seconds;
  enum class Concurrency : std::uint8_t { kAllow, kForbid, kReplace } concurrency = Concurrency::kAllow;
  bool suspend = false;
  std::int64_t successful_history = 3;
  std::int64_t failed_history = 1;
  JobSpec job_template;
  Labels job_labels;
  // status
  std::optional<SimTime> last_schedule_time;
  std::optional<SimTime> last_successful_time;
};

// ---- Services, budgets, others ------------------------------------------------------------------------------------

struct Service {
  static constexpr Kind kKind = Kind::kService;
  ObjectMeta meta;
  LabelSelector selector;     // empty: no endpoints are made
  bool has_selector = false;
  bool publish_not_ready = false;
  bool headless = false;
};

/// The endpoints of one Service (an EndpointSlice without the split into hundreds).
struct Endpoints {
  static constexpr Kind kKind = Kind::kEndpoints;
  ObjectMeta meta;
  struct Address {
    Ref<Pod> pod;
    bool ready = false;
    bool terminating = false;
    friend bool operator==(const Address&, const Address&) = default;
  };
  std::vector<Address> addresses;  // sorted by pod name
  std::int64_t ready_count() const {
    std::int64_t count = 0;
    for (const Address& address : addresses) count += address.ready ? 1 : 0;
    return count;
  }
};

struct PodDisruptionBudget {
  static constexpr Kind kKind = Kind::kPodDisruptionBudget;
  ObjectMeta meta;
  std::optional<LabelSelector> selector;  // absent selects none, {} all of the namespace
  std::optional<IntOrPercent> min_available;
  std::optional<IntOrPercent> max_unavailable;
  bool always_allow_unhealthy = false;  // unhealthyPodEvictionPolicy: AlwaysAllow
  // status
  std::uint64_t observed_generation = 0;
  std::int64_t current_healthy = 0;
  std::int64_t desired_healthy = 0;
  std::int64_t expected_pods = 0;
  std::int64_t disruptions_allowed = 0;
  struct Disrupted {
    std::uint64_t pod_uid = 0;
    SimTime at{};
  };
  std::vector<Disrupted> disrupted_pods;
  std::string sync_failed;  // message of condition DisruptionAllowed while its reason is SyncFailed; otherwise empty
};

struct PriorityClass {
  static constexpr Kind kKind = Kind::kPriorityClass;
  ObjectMeta meta;
  std::int32_t value = 0;
  bool global_default = false;
  bool preempts = true;
};

struct Namespace {
  static constexpr Kind kKind = Kind::kNamespace;
  ObjectMeta meta;
};

struct QuotaSpec;   // api/quota.hpp
struct QuotaUsage;  // api/quota.hpp

struct ResourceQuota {
  static constexpr Kind kKind = Kind::kResourceQuota;
  ObjectMeta meta;
  std::shared_ptr<const QuotaSpec> spec;
  std::shared_ptr<const QuotaUsage> usage;  // status; null: never computed
};

struct LimitRangeSpec;  // api/limit_range.hpp

struct LimitRange {
  static constexpr Kind kKind = Kind::kLimitRange;
  ObjectMeta meta;
  std::shared_ptr<const LimitRangeSpec> spec;
};

struct AutoscalerSpec;    // api/autoscaler.hpp
struct AutoscalerStatus;  // api/autoscaler.hpp

struct HorizontalPodAutoscaler {
  static constexpr Kind kKind = Kind::kHorizontalPodAutoscaler;
  ObjectMeta meta;
  std::shared_ptr<const AutoscalerSpec> spec;
  std::shared_ptr<const AutoscalerStatus> status;  // null: never looked at
};

// ---- Storage ------------------------------------------------------------------------------------------------------

enum class ReclaimPolicy : std::uint8_t { kDelete, kRetain };

/// What a CSIStorageCapacity says: where, and how large a new volume may be.
struct StorageCapacity {
  std::optional<LabelSelector> topology;  // of nodes; none: nowhere
  std::int64_t bytes = -1;                // maximumVolumeSize, else capacity; negative: unknown, so never enough
};

struct StorageClass {
  static constexpr Kind kKind = Kind::kStorageClass;
  ObjectMeta meta;
  Symbol provisioner;
  Labels parameters;
  ReclaimPolicy reclaim_policy = ReclaimPolicy::kDelete;
  bool wait_for_first_consumer = false;
  std::vector<NodeSelectorTerm> allowed_topologies;  // OR; none: everywhere
  bool is_default = false;                           // annotation storageclass.kubernetes.io/is-default-class
  /// Null: its CSIDriver does not ask for storage capacity to be tracked (spec.storageCapacity), so that there is always enough.
  std::shared_ptr<const std::vector<StorageCapacity>> capacities;
};

enum class VolumePhase : std::uint8_t { kPending, kAvailable, kBound, kReleased, kFailed };
const char* to_string(VolumePhase phase);

struct PersistentVolume {
  static constexpr Kind kKind = Kind::kPersistentVolume;
  ObjectMeta meta;
  std::int64_t bytes = 0;
  AccessModes access_modes;
  ReclaimPolicy reclaim_policy = ReclaimPolicy::kRetain;
  Symbol storage_class;
  bool block = false;
  Symbol driver;                    // of csi, or the in-tree plugin: "kubernetes.io/nfs"
  bool has_node_affinity = false;
  std::vector<NodeSelectorTerm> node_affinity;  // OR
  bool is_dynamic = false;          // annotation pv.kubernetes.io/provisioned-by
  // claimRef; uid 0 with a name: reserved for a claim of that name
  Symbol claim_ns;
  Symbol claim_name;
  std::uint64_t claim_uid = 0;
  // status
  VolumePhase phase = VolumePhase::kPending;
};

enum class ClaimPhase : std::uint8_t { kPending, kBound, kLost };
const char* to_string(ClaimPhase phase);

struct PersistentVolumeClaim {
  static constexpr Kind kKind = Kind::kPersistentVolumeClaim;
  ObjectMeta meta;
  ClaimSpec spec;
  bool bind_completed = false;  // annotation pv.kubernetes.io/bind-completed
  Symbol selected_node;         // annotation volume.kubernetes.io/selected-node
  Symbol provisioner;           // annotation volume.kubernetes.io/storage-provisioner
  // status
  ClaimPhase phase = ClaimPhase::kPending;
  bool is_bound() const { return bind_completed && spec.volume_name && phase != ClaimPhase::kLost; }
};

/// The wish that a volume be attached to a node; `attached` is the external attacher's answer.
struct VolumeAttachment {
  static constexpr Kind kKind = Kind::kVolumeAttachment;
  ObjectMeta meta;
  Symbol attacher;
  Symbol volume;  // PersistentVolume
  Symbol node;
  bool attached = false;
  std::string error;  // status.attachError or detachError
};

/// A kind that Squall does not simulate: kept as it came.
struct OtherObject {
  static constexpr Kind kKind = Kind::kOther;
  ObjectMeta meta;
  Symbol api_version;
  Symbol kind_name;
};

}  // namespace sim::k8s

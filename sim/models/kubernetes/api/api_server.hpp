/// The API server's object store as its clients see it: resourceVersion, watches, optimistic concurrency, finalizers,
/// graceful deletion. Where its members run, and whether they can be reached, is the control plane's business (see Availability).
///
/// Source: apiserver pkg/registry/generic/registry/store.go, pkg/registry/rest/{create,delete,update}.go;
///         reference chapters 4.2, 4.4, 4.6.
/// Leaves out: watch history and 410 Gone (clients here never fall behind), field validation (sim/scenario does it on input).
/// Checked by: tests/models/kubernetes/api_server_test.cpp.
///
/// Reading is free and always fresh; writing needs writable(). A client that cannot write retries on availability changes
/// (on_availability) or by its own timers. Watchers hear of a change `watch_latency` later, several changes in one batch, in
/// the order of their resourceVersions.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/symbol.hpp"
#include "sim/models/kubernetes/api/create_review.hpp"
#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/kubernetes/api/table.hpp"
#include "sim/models/kubernetes/api/well_known.hpp"

namespace sim::k8s {

/// What a write changed, so that a watcher can skip what does not concern it. A bit set.
enum class Change : std::uint32_t {
  kNone = 0,
  kSpec = 1u << 0,         // desired state: replicas, template, unschedulable, schedule ...
  kStatus = 1u << 1,       // counters of a controller
  kLabels = 1u << 2,
  kTaints = 1u << 3,       // node: taints or unschedulable
  kConditions = 1u << 4,   // node: Ready and pressure conditions
  kAllocatable = 1u << 5,  // node
  kBinding = 1u << 6,      // pod: node set
  kPhase = 1u << 7,        // pod
  kReady = 1u << 8,        // pod: condition Ready flipped, or podIP changed
  kDeletion = 1u << 9,     // deletionTimestamp set or shortened
  kContainers = 1u << 10,  // pod: container statuses
  kScheduling = 1u << 11,  // pod: PodScheduled condition, nominatedNodeName
  kOwners = 1u << 12,
  kImages = 1u << 13,      // node: image list
  kVolumes = 1u << 14,     // node: volumesInUse, volumesAttached, limits; volume attachment: attached or its error
};
constexpr Change operator|(Change a, Change b) { return static_cast<Change>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b)); }
constexpr bool has(Change set, Change bit) { return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(bit)) != 0; }

struct WatchEvent {
  enum class Type : std::uint8_t { kAdded, kModified, kDeleted } type = Type::kAdded;
  ObjectRef object;
  Change changes = Change::kNone;
  CauseId cause{};  // current while the event is delivered
  /// For kDeleted: the object as it was. Cast with last_state<T>().
  std::shared_ptr<const void> last;

  template <class T>
  bool is() const { return object.kind == T::kKind; }
  template <class T>
  Ref<T> ref() const { return Ref<T>{object.slot, object.generation}; }
  template <class T>
  const T& last_state() const { return *static_cast<const T*>(last.get()); }
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  /// Called once per change, in order; the engine's cause is that of the change.
  virtual void on_event(const WatchEvent& event) = 0;
};

enum class ApiStatus : std::uint8_t {
  kOk,
  kNotFound,
  kConflict,         // resourceVersion or uid precondition failed, or the name exists
  kTooManyRequests,  // eviction refused by a budget
  kServerError,      // more than one PodDisruptionBudget matches
  kUnavailable,      // no member can serve a write
};
const char* to_string(ApiStatus status);

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds;  // absent: the pod's own
  std::optional<std::uint64_t> uid;                  // precondition
  enum class Propagation : std::uint8_t { kBackground, kForeground, kOrphan } propagation = Propagation::kBackground;
};

class ApiServer;
class Admission;  // api/admission_plugins.hpp

/// One client's way to the API servers: the scheduler's, the controller-manager's. A leader that is cut off keeps its lease for a while, but its
/// writes do not arrive although others' do, and it hears of nothing; when it is back it hears of all that it missed.
class ApiClient {
 public:
  explicit ApiClient(ApiServer& api);
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  bool is_connected() const { return connected_; }
  void set_connected(bool connected);
  /// Its requests are refused or time out, although it hears of everything: an overloaded API server.
  void set_throttled(bool throttled);
  bool is_throttled() const { return throttled_; }
  /// Writes of this client go through.
  bool writable() const;
  /// Called after each change of writable(), in the order of registration.
  void on_availability(std::function<void()> listener) { listeners_.push_back(std::move(listener)); }
  /// Hears of every later change of these kinds, while it is connected.
  void watch(std::initializer_list<Kind> kinds, Watcher& watcher);

 private:
  void tell();
  ApiServer& api_;
  bool connected_ = true;
  bool throttled_ = false;
  bool told_writable_ = true;
  std::vector<std::function<void()>> listeners_;
};

class ApiServer {
 public:
  ApiServer(Engine& engine, EventLog& log, Interner& names);
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  template <class T>
  const Table<T>& all() const { return std::get<Table<T>>(tables_); }
  template <class T>
  const T* get(Ref<T> ref) const { return all<T>().find(ref); }
  template <class T>
  Ref<T> find(Symbol ns, Symbol name) const { return all<T>().find(ns, name); }
  template <class T>
  static ObjectRef untyped(Ref<T> ref) { return ObjectRef{T::kKind, ref.slot, ref.generation}; }

  /// Stores a new object: sets uid, resourceVersion, creationTimestamp. The object's cause is the current one.
  /// Ref{} when the name exists (409 AlreadyExists).
  template <class T>
  Ref<T> create(T object);

  /// Changes an object: bumps its resourceVersion (and generation when `changes` has kSpec) and tells the watchers.
  /// With `expected_version`, refuses (kConflict) when somebody else wrote since.
  template <class T, class Mutate>
  ApiStatus update(Ref<T> ref, Change changes, Mutate&& mutate, std::optional<std::uint64_t> expected_version = std::nullopt) {
    T* object = std::get<Table<T>>(tables_).find(ref);
    if (object == nullptr) return ApiStatus::kNotFound;
    if (expected_version && *expected_version != object->meta.resource_version) return ApiStatus::kConflict;
    mutate(*object);
    object->meta.resource_version = ++resource_version_;
    if (has(changes, Change::kSpec)) ++object->meta.generation;
    notify(WatchEvent::Type::kModified, untyped(ref), changes, nullptr);
    return ApiStatus::kOk;
  }

  /// DELETE. Pods are deleted gracefully (deletionTimestamp = now + grace; removed by the kubelet's grace-0 delete), at once when
  /// unbound, terminal or grace 0; anything with finalizers waits for them. Dependents are the garbage collector's business.
  /// Source: store.go Delete, rest/delete.go BeforeDelete, pod strategy CheckGracefulDelete (reference 4.6).
  template <class T>
  ApiStatus remove(Ref<T> ref, const DeleteOptions& options = {});

  /// Takes a finalizer off; the last one of a deleted object removes it.
  template <class T>
  ApiStatus remove_finalizer(Ref<T> ref, Symbol finalizer);

  /// Hears of every later change of these kinds.
  void watch(std::initializer_list<Kind> kinds, Watcher& watcher) { subscribe(kinds, watcher, nullptr); }
  void unwatch(Watcher& watcher);
  /// Hears of every write at once, before any watcher: what keeps documents beside these objects (sim/loop). The last one given is the one.
  void on_write(std::function<void(const WatchEvent&)> listener) { write_listener_ = std::move(listener); }
  /// The next number of the one sequence of writes, for objects that are kept elsewhere.
  std::uint64_t take_resource_version() { return ++resource_version_; }
  std::uint64_t take_uid() { return ++uid_; }
  /// A client that nothing cuts off.
  ApiClient& direct_client() { return direct_client_; }

  /// Whether anything here says where volumes come from: a StorageClass or a PersistentVolume was ever stored. Without, claims are taken as
  /// bound, attached and mounted, as in a set of manifests that leaves the cluster's storage out.
  bool has_storage() const { return has_storage_; }

  // ---- admission by webhooks ----
  /// Asked before an object is made while the simulation runs; it outlives every use. Without one all are let in.
  void set_reviewer(CreateReviewer& reviewer) { reviewer_ = &reviewer; }
  bool has_reviewer() const { return reviewer_ != nullptr; }
  /// Whoever makes an object asks before create(), and waits as long as the answer takes.
  CreateReview review(Kind kind, Symbol ns, const Labels& labels) { return reviewer_ == nullptr ? CreateReview{} : reviewer_->review(kind, ns, labels); }

  // ---- admission by the plugins that are compiled in ----
  /// Asked of an object before it is made while the simulation runs; it outlives every use. Without one all are let in.
  void set_admission(Admission& admission) { admission_ = &admission; }
  Admission* admission() { return admission_; }

  // ---- availability: set by the control plane model ----
  bool writable() const { return writable_; }  // a member is up and etcd has quorum
  bool readable() const { return readable_; }  // a member is up
  void set_availability(bool readable, bool writable);
  /// Called after each change of availability, in the order of registration.
  void on_availability(std::function<void()> listener) { availability_listeners_.push_back(std::move(listener)); }

  /// "Pod/default/web-0": the subject of log records.
  template <class T>
  Symbol subject(const T& object) { return subject(T::kKind, object.meta.ns, object.meta.name); }
  Symbol subject(Kind kind, Symbol ns, Symbol name);
  /// Records what happened to an object, makes it the object's newest cause, and returns it.
  template <class T>
  CauseId record(Ref<T> ref, std::string_view kind, std::string_view message);

  Engine& engine() { return engine_; }
  EventLog& log() { return log_; }
  Interner& names() { return names_; }
  const Interner& names() const { return names_; }
  const WellKnown& well_known() const { return well_known_; }
  std::uint64_t resource_version() const { return resource_version_; }

  /// API and watch latency between a write and its arrival at a watcher. 5 to 10 ms is typical (reference 5.1).
  SimDuration watch_latency{std::chrono::milliseconds(5)};

 private:
  friend class ApiClient;
  struct Subscription {
    Watcher* watcher = nullptr;
    const ApiClient* client = nullptr;  // null: always connected
    std::uint32_t kinds = 0;
    std::vector<WatchEvent> pending;
    bool scheduled = false;
    bool held = false;  // a batch arrived while the client was cut off
  };
  void subscribe(std::initializer_list<Kind> kinds, Watcher& watcher, const ApiClient* client);
  void resume(const ApiClient& client);
  void notify(WatchEvent::Type type, ObjectRef object, Change changes, std::shared_ptr<const void> last);
  void deliver(Subscription& subscription);
  template <class T>
  void erase(Ref<T> ref);

  Engine& engine_;
  EventLog& log_;
  Interner& names_;
  WellKnown well_known_;
  std::tuple<Table<Node>, Table<Pod>, Table<Deployment>, Table<ReplicaSet>, Table<StatefulSet>, Table<DaemonSet>, Table<Job>,
             Table<CronJob>, Table<Service>, Table<Endpoints>, Table<PodDisruptionBudget>, Table<PriorityClass>, Table<Namespace>,
             Table<StorageClass>, Table<PersistentVolume>, Table<PersistentVolumeClaim>, Table<VolumeAttachment>,
             Table<ResourceQuota>, Table<LimitRange>, Table<HorizontalPodAutoscaler>, Table<OtherObject>>
      tables_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::vector<std::function<void()>> availability_listeners_;
  std::function<void(const WatchEvent&)> write_listener_;
  std::uint64_t resource_version_ = 0;
  std::uint64_t uid_ = 0;
  CreateReviewer* reviewer_ = nullptr;
  Admission* admission_ = nullptr;
  bool has_storage_ = false;
  bool writable_ = true;
  bool readable_ = true;
  ApiClient direct_client_{*this};
};

}  // namespace sim::k8s

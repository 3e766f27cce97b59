/// Garbage collector: what has no owner left is deleted; foreground deletion waits for dependents; orphaning lets them go.
///
/// Source: pkg/controller/garbagecollector (reference chapter 2.11); its client has twice the QPS, as each deletion is a GET and a DELETE.
/// Leaves out: blockOwnerDeletion (every dependent blocks, as all that controllers make do); owner references across namespaces; the queue's
///             20 workers (the client's tokens are the limit in practice).
/// Checked by: tests/models/kubernetes/controllers/garbage_collector_test.cpp.

#include <algorithm>
#include <map>
#include <set>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "sim/models/kubernetes/controllers/owned_pods.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

/// Calls visit(std::type_identity<T>{}) with the type of this kind.
template <class Visit>
void with_type_of(Kind kind, Visit&& visit) {
  switch (kind) {
    case Kind::kNode: return visit(std::type_identity<Node>{});
    case Kind::kPod: return visit(std::type_identity<Pod>{});
    case Kind::kDeployment: return visit(std::type_identity<Deployment>{});
    case Kind::kReplicaSet: return visit(std::type_identity<ReplicaSet>{});
    case Kind::kStatefulSet: return visit(std::type_identity<StatefulSet>{});
    case Kind::kDaemonSet: return visit(std::type_identity<DaemonSet>{});
    case Kind::kJob: return visit(std::type_identity<Job>{});
    case Kind::kCronJob: return visit(std::type_identity<CronJob>{});
    case Kind::kService: return visit(std::type_identity<Service>{});
    case Kind::kEndpoints: return visit(std::type_identity<Endpoints>{});
    case Kind::kPodDisruptionBudget: return visit(std::type_identity<PodDisruptionBudget>{});
    case Kind::kPriorityClass: return visit(std::type_identity<PriorityClass>{});
    case Kind::kNamespace: return visit(std::type_identity<Namespace>{});
    case Kind::kStorageClass: return visit(std::type_identity<StorageClass>{});
    case Kind::kPersistentVolume: return visit(std::type_identity<PersistentVolume>{});
    case Kind::kPersistentVolumeClaim: return visit(std::type_identity<PersistentVolumeClaim>{});
    case Kind::kVolumeAttachment: return visit(std::type_identity<VolumeAttachment>{});
    case Kind::kResourceQuota: return visit(std::type_identity<ResourceQuota>{});
    case Kind::kLimitRange: return visit(std::type_identity<LimitRange>{});
    case Kind::kHorizontalPodAutoscaler: return visit(std::type_identity<HorizontalPodAutoscaler>{});
    case Kind::kOther: return visit(std::type_identity<OtherObject>{});
  }
}

bool contains(const std::vector<Symbol>& list, Symbol what) { return std::find(list.begin(), list.end(), what) != list.end(); }

class GarbageCollector final : public Controller, public Watcher {
 public:
  explicit GarbageCollector(const ControllerContext& context)
      : engine_(context.engine),
        api_(context.api),
        client_(context.client()),
        budget_(context, 2),
        queue_(context.engine, budget_, [this](ObjectRef key) { dispatch(key); }) {
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) on_availability();
    });
  }
  ~GarbageCollector() override {
    if (running_) api_.unwatch(*this);
  }

  std::string_view name() const override { return "garbage-collector"; }

  void start() override {
    if (running_) return;
    running_ = true;
    client_.watch({Kind::kNode, Kind::kPod, Kind::kDeployment, Kind::kReplicaSet, Kind::kStatefulSet, Kind::kDaemonSet, Kind::kJob,
                Kind::kCronJob, Kind::kService, Kind::kEndpoints, Kind::kPodDisruptionBudget, Kind::kPriorityClass, Kind::kNamespace,
                Kind::kStorageClass, Kind::kPersistentVolume, Kind::kPersistentVolumeClaim, Kind::kVolumeAttachment,
                Kind::kResourceQuota, Kind::kLimitRange, Kind::kHorizontalPodAutoscaler, Kind::kOther},
               *this);
    for (std::size_t kind = 0; kind < kKindCount; ++kind) {
      with_type_of(static_cast<Kind>(kind), [&]<class T>(std::type_identity<T>) {
        api_.all<T>().for_each([&](Ref<T> ref, const T& object) { note(ApiServer::untyped(ref), object.meta); });
      });
    }
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    blocked_.clear();
    dependents_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (event.type == WatchEvent::Type::kDeleted) {
      with_type_of(event.object.kind,
                   [&]<class T>(std::type_identity<T>) { on_deleted(event.object, event.last_state<T>().meta); });
      return;
    }
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, Change::kOwners | Change::kDeletion)) return;
    with_type_of(event.object.kind, [&]<class T>(std::type_identity<T>) {
      const T* object = api_.get(event.ref<T>());
      if (object != nullptr) note(event.object, object->meta);
    });
  }

 private:
  const ObjectMeta* meta_of(ObjectRef key) const {
    const ObjectMeta* meta = nullptr;
    with_type_of(key.kind, [&]<class T>(std::type_identity<T>) {
      const T* object = api_.get(Ref<T>{key.slot, key.generation});
      if (object != nullptr) meta = &object->meta;
    });
    return meta;
  }

  void note(ObjectRef key, const ObjectMeta& meta) {
    bool owner_gone = false;
    for (const OwnerReference& owner : meta.owners) {
      dependents_[owner.owner].insert(key);
      owner_gone = owner_gone || meta_of(owner.owner) == nullptr;
    }
    const bool waits = meta.is_deleting() &&
                       (contains(meta.finalizers, api_.well_known().foreground_deletion) || contains(meta.finalizers, api_.well_known().orphan));
    if ((owner_gone && !meta.is_deleting()) || waits) queue_.add(key);
  }

  void on_deleted(ObjectRef key, const ObjectMeta& last) {
    for (const OwnerReference& owner : last.owners) {
      const auto found = dependents_.find(owner.owner);
      if (found == dependents_.end()) continue;
      found->second.erase(key);
      if (found->second.empty()) dependents_.erase(found);
      const ObjectMeta* waiting = meta_of(owner.owner);
      if (waiting != nullptr && waiting->is_deleting() && contains(waiting->finalizers, api_.well_known().foreground_deletion)) {
        queue_.add(owner.owner);
      }
    }
    const auto found = dependents_.find(key);
    if (found == dependents_.end()) return;
    const std::set<ObjectRef> orphaned = std::move(found->second);
    dependents_.erase(found);
    for (const ObjectRef& dependent : orphaned) queue_.add(dependent);
  }

  void dispatch(ObjectRef key) {
    if (!client_.writable()) {
      blocked_.try_emplace(key, engine_.cause());
      return;
    }
    with_type_of(key.kind, [&]<class T>(std::type_identity<T>) { process(Ref<T>{key.slot, key.generation}); });
  }

  void on_availability() {
    if (!running_ || !client_.writable()) return;
    const std::map<ObjectRef, CauseId> keys = std::exchange(blocked_, {});
    for (const auto& [key, cause] : keys) {
      const ScopedCause because(engine_, cause);
      queue_.add(key);
    }
  }

  std::set<ObjectRef> live_dependents(ObjectRef key) const {
    const auto found = dependents_.find(key);
    if (found == dependents_.end()) return {};
    std::set<ObjectRef> live = found->second;
    std::erase_if(live, [&](const ObjectRef& dependent) { return meta_of(dependent) == nullptr; });
    return live;
  }

  template <class T>
  void process(Ref<T> ref) {
    const T* object = api_.get(ref);
    if (object == nullptr) return;
    const ObjectRef key = ApiServer::untyped(ref);
    const ObjectMeta& meta = object->meta;
    const WellKnown& wk = api_.well_known();
    if (meta.is_deleting()) {
      if (contains(meta.finalizers, wk.orphan)) {
        for (const ObjectRef& dependent : live_dependents(key)) strip_owner(dependent, key);
        budget_.take();
        api_.remove_finalizer(ref, wk.orphan);
      } else if (contains(meta.finalizers, wk.foreground_deletion)) {
        const std::set<ObjectRef> blocking = live_dependents(key);
        if (blocking.empty()) {
          budget_.take();
          api_.remove_finalizer(ref, wk.foreground_deletion);
        }
        for (const ObjectRef& dependent : blocking) queue_.add(dependent);
      }
      return;
    }

    bool has_solid = false;
    bool has_waiting = false;
    std::vector<ObjectRef> useless;  // owners that are gone, or wait for this object to go
    for (const OwnerReference& owner : meta.owners) {
      const ObjectMeta* owner_meta = meta_of(owner.owner);
      const bool waiting = owner_meta != nullptr && owner_meta->is_deleting() && contains(owner_meta->finalizers, wk.foreground_deletion);
      if (owner_meta != nullptr && !waiting) {
        has_solid = true;
      } else {
        useless.push_back(owner.owner);
        has_waiting = has_waiting || waiting;
      }
    }
    if (useless.empty()) return;
    if (has_solid) {
      for (const ObjectRef& owner : useless) strip_owner(key, owner);
      return;
    }
    budget_.take();  // the live GET of the owner
    budget_.take();
    DeleteOptions options;
    if (contains(meta.finalizers, wk.orphan)) {
      options.propagation = DeleteOptions::Propagation::kOrphan;
    } else if (contains(meta.finalizers, wk.foreground_deletion) || (has_waiting && !live_dependents(key).empty())) {
      options.propagation = DeleteOptions::Propagation::kForeground;
    }
    CauseId because = engine_.cause();
    if constexpr (std::is_same_v<T, Pod>) {
      // A pod that has ended already is not missed: the history limits of CronJobs remove such all the time.
      if (!object->is_terminal()) because = api_.record(ref, "GarbageCollected", has_waiting ? "its owner is being deleted" : "its owner is gone");
    }
    const ScopedCause scope(engine_, because);
    api_.remove(ref, options);
  }

  void strip_owner(ObjectRef dependent, ObjectRef owner) {
    budget_.take();
    with_type_of(dependent.kind, [&]<class T>(std::type_identity<T>) {
      api_.update(Ref<T>{dependent.slot, dependent.generation}, Change::kOwners, [&](T& object) {
        std::erase_if(object.meta.owners, [&](const OwnerReference& reference) { return reference.owner == owner; });
      });
    });
    const auto found = dependents_.find(owner);
    if (found == dependents_.end()) return;
    found->second.erase(dependent);
    if (found->second.empty()) dependents_.erase(found);
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  std::unordered_map<ObjectRef, std::set<ObjectRef>, ObjectRefHash> dependents_;  // look-up only
  std::map<ObjectRef, CauseId> blocked_;
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Controller> make_garbage_collector(const ControllerContext& context) { return std::make_unique<GarbageCollector>(context); }

}  // namespace sim::k8s

/// What the workload controllers have in common: a queue of objects of kind T, an index of their pods, calls that wait for the client's
/// tokens, and keys that wait for the API to be writable again.
///
/// Source: pkg/controller/{replicaset,daemon,job,...}; slowStartBatch and the control ref managers in pkg/controller/controller_{utils,ref_manager}.go.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "sim/models/kubernetes/controllers/controller.hpp"
#include "sim/models/kubernetes/controllers/owned_pods.hpp"

namespace sim::k8s {

inline constexpr std::int64_t kWithoutLimit = 0x7fffffff;  // how Kubernetes writes "no limit" in an int32

template <class T>
class WorkloadController : public Controller, public Watcher {
 public:
  void start() override {
    if (running_) return;
    running_ = true;
    open_watches();
    pods_.rebuild();
    on_start();
    for (const Ref<T> ref : api_.all<T>().refs()) {
      adoption_due_.insert(ApiServer::untyped(ref));
      add_by_its_own_cause(ref);
    }
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    ++epoch_;
    api_.unwatch(*this);
    queue_.clear();
    bursts_.clear();
    blocked_.clear();
    adoption_due_.clear();
    failing_.clear();
    pods_.clear();
    on_stop();
  }

  void on_event(const WatchEvent& event) final {
    if (!running_) return;
    if (event.is<T>()) {
      if (event.type == WatchEvent::Type::kAdded || has(event.changes, Change::kSpec)) adoption_due_.insert(event.object);
      on_own_event(event);
      return;
    }
    if (event.is<Pod>()) {
      const OwnedPods::Concerned concerned = pods_.take(event);
      on_pod_event(event, concerned);
      if (concerned.before) queue_.add(concerned.before);
      if (!concerned.owner && event.type != WatchEvent::Type::kDeleted) note_orphan(event.ref<Pod>(), event);
      return;
    }
    on_other_event(event);
  }

 protected:
  explicit WorkloadController(const ControllerContext& context)
      : engine_(context.engine),
        log_(context.log),
        random_(context.random),
        api_(context.api),
        client_(context.client()),
        budget_(context),
        queue_(context.engine, budget_, [this](ObjectRef key) { dispatch(key); }),
        pods_(context.api, T::kKind) {
    // The API server outlives its controllers but cannot forget a listener: the token tells whether this one is still there.
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) on_availability();
    });
  }
  ~WorkloadController() override {
    if (running_) api_.unwatch(*this);
  }
  WorkloadController(const WorkloadController&) = delete;
  WorkloadController& operator=(const WorkloadController&) = delete;

  /// Subscribes to what the controller looks at.
  virtual void open_watches() = 0;
  /// Brings the object one step nearer to what it is to be. The API can be written. Not called for objects that are gone.
  virtual void sync(Ref<T> ref) = 0;
  virtual void sync_gone(ObjectRef) {}
  virtual void on_start() {}
  virtual void on_stop() {}
  virtual void on_own_event(const WatchEvent& event) { queue_.add(event.object); }
  virtual void on_pod_event(const WatchEvent& event, const OwnedPods::Concerned& concerned) {
    if (!concerned.owner) return;
    if (event.type != WatchEvent::Type::kModified || has(event.changes, pod_changes_)) queue_.add(concerned.owner);
  }
  virtual void on_other_event(const WatchEvent&) {}
  /// Whether this object would adopt such a pod, beyond the match of its selector.
  virtual bool may_adopt(const T&, const Pod&) const { return true; }

  static ObjectRef key_of(Ref<T> ref) { return ApiServer::untyped(ref); }
  static Ref<T> ref_of(ObjectRef key) { return Ref<T>{key.slot, key.generation}; }

  /// Makes `count` pods, `one(i)` each, as the client's tokens allow: 1, 2, 4, 8 ... at a time, each batch after the answers of the one before; after a
  /// batch with a refusal (false) no more, and the key is tried again later. Until the last answer, is_bursting(owner). `one` gets what the webhooks said.
  void create_pods(ObjectRef owner, std::int64_t count, std::function<bool(std::int64_t, const CreateReview&)> one) {
    begin_burst(owner, count, 1, std::move(one), true);
  }
  /// Runs `one(i)` for each i below `count`, all at a time.
  void at_once(ObjectRef owner, std::int64_t count, std::function<bool(std::int64_t)> one) {
    begin_burst(owner, count, count, [one = std::move(one)](std::int64_t i, const CreateReview&) { return one(i); }, false);
  }
  bool is_bursting(ObjectRef owner) const { return bursts_.contains(owner); }

  /// One write of the client.
  template <class Mutate>
  void write(Ref<T> ref, Change changes, Mutate&& mutate) {
    budget_.take();
    api_.update(ref, changes, std::forward<Mutate>(mutate));
  }

  /// True the first time after a success: a failure that repeats is recorded once.
  bool is_first_failure(ObjectRef owner) { return failing_.insert(owner).second; }
  void succeeded(ObjectRef owner) { failing_.erase(owner); }

  /// Records that a webhook refused the creation: because it does not answer, and because of what made the object wanted (the current cause). False.
  bool refuse(Ref<T> ref, const CreateReview& review, std::string_view kind, std::string_view message) {
    if (!is_first_failure(key_of(ref))) return false;
    const CauseId wanted = engine_.cause();
    const ScopedCause because(engine_, review.cause ? review.cause : wanted);
    log_.also_caused_by(api_.record(ref, kind, message), wanted);
    return false;
  }

  /// Makes pods without an owner that match the selector pods of this object, when it is time to look for such.
  void adopt(Ref<T> ref) {
    if (adoption_due_.erase(key_of(ref)) == 0) return;
    const T& object = *api_.get(ref);
    if (object.meta.is_deleting() || object.selector.is_empty()) return;
    const std::set<Ref<Pod>> candidates = pods_.orphans(object.meta.ns);
    for (const Ref<Pod> candidate : candidates) {
      if (!pods_.is_orphan(candidate)) continue;
      const Pod& pod = *api_.get(candidate);
      if (!object.selector.matches(pod.meta.labels, api_.names()) || !may_adopt(object, pod)) continue;
      budget_.take();
      api_.update(candidate, Change::kOwners,
                  [&](Pod& p) { p.meta.owners.push_back(OwnerReference{key_of(ref), object.meta.uid, true}); });
      pods_.refresh(candidate);
    }
  }

  /// Lets a pod go whose labels match no longer.
  void release_if_unmatched(Ref<Pod> ref, ObjectRef owner) {
    const Pod* pod = api_.get(ref);
    const T* object = api_.get(ref_of(owner));
    if (pod == nullptr || object == nullptr || !client_.writable() || object->selector.matches(pod->meta.labels, api_.names())) return;
    budget_.take();
    api_.update(ref, Change::kOwners, [&](Pod& p) { std::erase_if(p.meta.owners, [&](const OwnerReference& o) { return o.owner == owner; }); });
    pods_.refresh(ref);
    queue_.add(owner);
  }

  /// A timer that does nothing once the lease is lost.
  template <class Action>
  TimerId after(SimDuration delay, Action action) {
    return engine_.after(delay, [this, epoch = epoch_, action = std::move(action)]() mutable {
      if (epoch == epoch_) action();
    });
  }

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  OwnedPods pods_;
  /// Changes of a pod that concern its owner.
  Change pod_changes_ = Change::kPhase | Change::kReady | Change::kDeletion | Change::kOwners;
  bool running_ = false;

 private:
  struct Burst {
    ObjectRef owner;
    std::int64_t count = 0;
    std::int64_t next = 0;
    std::int64_t batch = 1;
    std::int64_t in_flight = 0;
    bool failed = false;
    bool creates = false;
    std::function<bool(std::int64_t, const CreateReview&)> one;
  };

  static const Labels& pod_labels(const T& object) {
    if constexpr (requires { object.pod_template; }) {
      return object.pod_template.labels;
    } else {
      return object.spec.pod_template.labels;
    }
  }

  void add_by_its_own_cause(Ref<T> ref) {
    const ScopedCause because(engine_, engine_.cause() ? engine_.cause() : api_.get(ref)->meta.cause);
    queue_.add(key_of(ref));
  }

  void dispatch(ObjectRef key) {
    if (!client_.writable()) {
      block(key);
      return;
    }
    const Ref<T> ref = ref_of(key);
    if (api_.get(ref) != nullptr) {
      sync(ref);
      return;
    }
    queue_.forget(key);
    failing_.erase(key);
    adoption_due_.erase(key);
    sync_gone(key);
    // Its pods outlive it a little; each of their events brings the key back here.
    if (pods_.counts(key).total == 0) pods_.forget(key);
  }

  void block(ObjectRef key) {
    const auto [entry, is_new] = blocked_.try_emplace(key, engine_.cause());
    if (!is_new && engine_.cause()) entry->second = engine_.cause();
  }

  void on_availability() {
    if (!running_ || !client_.writable()) return;
    const std::map<ObjectRef, CauseId> keys = std::exchange(blocked_, {});
    for (const auto& [key, cause] : keys) {
      const ScopedCause because(engine_, cause);
      queue_.add(key);
    }
  }

  void note_orphan(Ref<Pod> ref, const WatchEvent& event) {
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, Change::kOwners | Change::kLabels)) return;
    if (!pods_.is_orphan(ref)) return;
    const Pod& pod = *api_.get(ref);
    api_.all<T>().for_each([&](Ref<T> candidate, const T& object) {
      if (object.meta.ns != pod.meta.ns || object.selector.is_empty()) return;
      if (!object.selector.matches(pod.meta.labels, api_.names()) || !may_adopt(object, pod)) return;
      adoption_due_.insert(key_of(candidate));
      queue_.add(key_of(candidate));
    });
  }

  void begin_burst(ObjectRef owner, std::int64_t count, std::int64_t batch, std::function<bool(std::int64_t, const CreateReview&)> one, bool creates) {
    if (count <= 0) return;
    auto burst = std::make_shared<Burst>();
    burst->owner = owner;
    burst->count = count;
    burst->batch = batch;
    burst->one = std::move(one);
    burst->creates = creates;
    ++bursts_[owner];
    run_batch(burst);
  }

  void run_batch(const std::shared_ptr<Burst>& burst) {
    const std::int64_t begin = burst->next;
    const std::int64_t end = std::min(burst->count, begin + burst->batch);
    burst->next = end;
    burst->batch *= 2;
    burst->in_flight = end - begin;
    for (std::int64_t i = begin; i < end; ++i) {
      const SimDuration waits = budget_.take();
      if (waits > SimDuration{}) {
        after(waits, [this, burst, i] { call(burst, i); });
      } else {
        call(burst, i);
      }
    }
  }

  void call(const std::shared_ptr<Burst>& burst, std::int64_t i) {
    CreateReview review;
    if (burst->creates && api_.has_reviewer() && client_.writable()) {
      const T* owner = api_.get(ref_of(burst->owner));
      if (owner != nullptr) review = api_.review(Kind::kPod, owner->meta.ns, pod_labels(*owner));
      if (review.took > SimDuration{}) {
        const SimDuration takes = review.took;
        after(takes, [this, burst, i, review = std::move(review)] { answered(burst, i, review); });
        return;
      }
    }
    answered(burst, i, review);
  }

  void answered(const std::shared_ptr<Burst>& burst, std::int64_t i, const CreateReview& review) {
    const CauseId cause = engine_.cause();
    if (!client_.writable()) {
      block(burst->owner);
      burst->failed = true;
    } else if (!burst->one(i, review)) {
      burst->failed = true;
    }
    engine_.set_cause(cause);
    if (--burst->in_flight > 0) return;
    if (!burst->failed && burst->next < burst->count) {
      after(api_.watch_latency, [this, burst] { run_batch(burst); });
      return;
    }
    // The answers are there one latency later; only then does the controller look at the object again.
    after(api_.watch_latency, [this, burst] {
      if (--bursts_[burst->owner] == 0) bursts_.erase(burst->owner);
      if (!burst->failed) {
        queue_.forget(burst->owner);
        queue_.add(burst->owner);
      } else if (!blocked_.contains(burst->owner)) {
        queue_.add_rate_limited(burst->owner);
      }
    });
  }

  std::uint64_t epoch_ = 0;
  std::map<ObjectRef, int> bursts_;  // how many of them, per owner
  std::map<ObjectRef, CauseId> blocked_;
  std::set<ObjectRef> adoption_due_;
  std::set<ObjectRef> failing_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace sim::k8s

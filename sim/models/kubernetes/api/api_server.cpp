#include "sim/models/kubernetes/api/api_server.hpp"

#include <algorithm>
#include <utility>

namespace sim::k8s {

const char* to_string(ApiStatus status) {
  switch (status) {
    case ApiStatus::kOk: return "ok";
    case ApiStatus::kNotFound: return "not found";
    case ApiStatus::kConflict: return "conflict";
    case ApiStatus::kTooManyRequests: return "too many requests";
    case ApiStatus::kServerError: return "internal error";
    case ApiStatus::kUnavailable: return "unavailable";
  }
  return "";
}

ApiServer::ApiServer(Engine& engine, EventLog& log, Interner& names)
    : engine_(engine), log_(log), names_(names), well_known_(names) {}

Symbol ApiServer::subject(Kind kind, Symbol ns, Symbol name) {
  std::string text = to_string(kind);
  text += '/';
  if (ns) {
    text += names_.text(ns);
    text += '/';
  }
  text += names_.text(name);
  return names_.intern(text);
}

template <class T>
Ref<T> ApiServer::create(T object) {
  Table<T>& table = std::get<Table<T>>(tables_);
  if (table.find(object.meta.ns, object.meta.name)) return Ref<T>{};
  if constexpr (std::is_same_v<T, StorageClass> || std::is_same_v<T, PersistentVolume>) has_storage_ = true;
  object.meta.uid = ++uid_;
  object.meta.resource_version = ++resource_version_;
  object.meta.created = engine_.now();
  if (!object.meta.cause) object.meta.cause = engine_.cause();
  const Ref<T> ref = table.insert(std::move(object));
  notify(WatchEvent::Type::kAdded, untyped(ref), Change::kNone, nullptr);
  return ref;
}

template <class T>
void ApiServer::erase(Ref<T> ref) {
  ++resource_version_;
  auto last = std::make_shared<T>(std::get<Table<T>>(tables_).take(ref));
  last->meta.resource_version = resource_version_;
  notify(WatchEvent::Type::kDeleted, untyped(ref), Change::kDeletion, std::move(last));
}

template <class T>
ApiStatus ApiServer::remove(Ref<T> ref, const DeleteOptions& options) {
  T* object = std::get<Table<T>>(tables_).find(ref);
  if (object == nullptr) return ApiStatus::kNotFound;
  if (options.uid && *options.uid != object->meta.uid) return ApiStatus::kConflict;

  // Only pods are graceful, and only while a kubelet has something to stop.
  std::int64_t grace = 0;
  if constexpr (std::is_same_v<T, Pod>) {
    grace = options.grace_period_seconds.value_or(object->spec->termination_grace_seconds);
    if (grace < 0) grace = 1;
    if (!object->node_name || object->is_terminal()) grace = 0;
  }
  if (options.propagation == DeleteOptions::Propagation::kForeground || options.propagation == DeleteOptions::Propagation::kOrphan) {
    const Symbol finalizer = options.propagation == DeleteOptions::Propagation::kForeground ? well_known_.foreground_deletion : well_known_.orphan;
    if (std::find(object->meta.finalizers.begin(), object->meta.finalizers.end(), finalizer) == object->meta.finalizers.end()) {
      object->meta.finalizers.push_back(finalizer);
    }
  }

  const SimTime now = engine_.now();
  if (grace > 0) {
    const SimDuration period = std::chrono::seconds(grace);
    if (object->meta.is_deleting()) {
      // A later DELETE can only shorten: from the moment of the first one, and not before now.
      if (grace >= object->meta.deletion_grace_seconds) return ApiStatus::kOk;
      const SimTime began = *object->meta.deletion_timestamp - std::chrono::seconds(object->meta.deletion_grace_seconds);
      return update(ref, Change::kDeletion, [&](T& o) {
        o.meta.deletion_timestamp = std::max(now, began + period);
        o.meta.deletion_grace_seconds = grace;
      });
    }
    return update(ref, Change::kDeletion, [&](T& o) {
      o.meta.deletion_timestamp = now + period;
      o.meta.deletion_grace_seconds = grace;
      ++o.meta.generation;
    });
  }
  if (!object->meta.finalizers.empty()) {
    if (object->meta.is_deleting() && object->meta.deletion_grace_seconds == 0) return ApiStatus::kOk;
    return update(ref, Change::kDeletion, [&](T& o) {
      o.meta.deletion_timestamp = now;
      o.meta.deletion_grace_seconds = 0;
    });
  }
  object->meta.deletion_timestamp = object->meta.deletion_timestamp.value_or(now);
  object->meta.deletion_grace_seconds = 0;
  erase(ref);
  return ApiStatus::kOk;
}

template <class T>
ApiStatus ApiServer::remove_finalizer(Ref<T> ref, Symbol finalizer) {
  T* object = std::get<Table<T>>(tables_).find(ref);
  if (object == nullptr) return ApiStatus::kNotFound;
  auto& finalizers = object->meta.finalizers;
  const auto place = std::find(finalizers.begin(), finalizers.end(), finalizer);
  if (place == finalizers.end()) return ApiStatus::kOk;
  if (finalizers.size() == 1 && object->meta.is_deleting() && object->meta.deletion_grace_seconds == 0) {
    finalizers.clear();
    erase(ref);
    return ApiStatus::kOk;
  }
  return update(ref, Change::kOwners, [&](T& o) { std::erase(o.meta.finalizers, finalizer); });
}

template <class T>
CauseId ApiServer::record(Ref<T> ref, std::string_view kind, std::string_view message) {
  T* object = std::get<Table<T>>(tables_).find(ref);
  if (object == nullptr) return engine_.cause();
  const CauseId id = log_.record(kind, subject(*object), message);
  object->meta.cause = id;
  return id;
}

void ApiServer::subscribe(std::initializer_list<Kind> kinds, Watcher& watcher, const ApiClient* client) {
  auto subscription = std::make_unique<Subscription>();
  subscription->watcher = &watcher;
  subscription->client = client;
  for (const Kind kind : kinds) subscription->kinds |= 1u << static_cast<unsigned>(kind);
  subscriptions_.push_back(std::move(subscription));
}

/// In Subscription::kinds, above those of all kinds: its batch is being handled, so that it must not go.
static constexpr std::uint32_t kDelivering = 1u << 31;
static_assert(kKindCount < 31);

void ApiServer::unwatch(Watcher& watcher) {
  for (const auto& subscription : subscriptions_) {
    if (subscription->watcher == &watcher) {
      subscription->watcher = nullptr;
      subscription->kinds &= kDelivering;
      subscription->pending.clear();
    }
  }
  // One whose event is on its way stays until then: it finds no watcher and does nothing. Controllers come and go with every change of leader, so the others
  // must not stay.
  std::erase_if(subscriptions_, [](const auto& one) { return one->watcher == nullptr && !one->scheduled && one->kinds == 0; });
}

void ApiServer::notify(WatchEvent::Type type, ObjectRef object, Change changes, std::shared_ptr<const void> last) {
  if (write_listener_) write_listener_(WatchEvent{type, object, changes, engine_.cause(), last});
  const std::uint32_t bit = 1u << static_cast<unsigned>(object.kind);
  for (const auto& subscription : subscriptions_) {
    if ((subscription->kinds & bit) == 0) continue;
    subscription->pending.push_back(WatchEvent{type, object, changes, engine_.cause(), last});
    if (!subscription->scheduled) {
      subscription->scheduled = true;
      Subscription* target = subscription.get();
      engine_.after(watch_latency, [this, target] { deliver(*target); });
    }
  }
}

void ApiServer::deliver(Subscription& subscription) {
  if (subscription.client != nullptr && !subscription.client->is_connected()) {
    subscription.held = true;
    return;
  }
  // Only what was there when the batch left: what the handlers write arrives one latency later.
  std::vector<WatchEvent> batch;
  batch.swap(subscription.pending);
  subscription.scheduled = false;
  subscription.kinds |= kDelivering;
  for (const WatchEvent& event : batch) {
    if (subscription.watcher == nullptr) break;
    const ScopedCause because(engine_, event.cause);
    subscription.watcher->on_event(event);
  }
  subscription.kinds &= ~kDelivering;
  if (subscription.watcher == nullptr && !subscription.scheduled) {
    std::erase_if(subscriptions_, [&subscription](const auto& one) { return one.get() == &subscription; });
  }
}

void ApiServer::resume(const ApiClient& client) {
  const CauseId before = engine_.cause();
  engine_.set_cause(CauseId{});  // each event brings its own
  for (const auto& subscription : subscriptions_) {
    if (subscription->client != &client || !std::exchange(subscription->held, false)) continue;
    Subscription* target = subscription.get();
    engine_.after(watch_latency, [this, target] { deliver(*target); });
  }
  engine_.set_cause(before);
}

ApiClient::ApiClient(ApiServer& api) : api_(api) {
  api_.on_availability([this] { tell(); });
}

bool ApiClient::writable() const { return connected_ && !throttled_ && api_.writable(); }

void ApiClient::set_throttled(bool throttled) {
  throttled_ = throttled;
  tell();
}

void ApiClient::set_connected(bool connected) {
  if (connected == connected_) return;
  connected_ = connected;
  if (connected) api_.resume(*this);
  tell();
}

void ApiClient::watch(std::initializer_list<Kind> kinds, Watcher& watcher) { api_.subscribe(kinds, watcher, this); }

void ApiClient::tell() {
  if (writable() == told_writable_) return;
  told_writable_ = writable();
  for (const auto& listener : listeners_) listener();
}

void ApiServer::set_availability(bool readable, bool writable) {
  if (readable == readable_ && writable == writable_) return;
  readable_ = readable;
  writable_ = writable;
  for (const auto& listener : availability_listeners_) listener();
}

#define SQUALL_INSTANTIATE(T)                                             \
  template Ref<T> ApiServer::create<T>(T);                                \
  template ApiStatus ApiServer::remove<T>(Ref<T>, const DeleteOptions&);  \
  template ApiStatus ApiServer::remove_finalizer<T>(Ref<T>, Symbol);      \
  template CauseId ApiServer::record<T>(Ref<T>, std::string_view, std::string_view);
SQUALL_INSTANTIATE(Node)
SQUALL_INSTANTIATE(Pod)
SQUALL_INSTANTIATE(Deployment)
SQUALL_INSTANTIATE(ReplicaSet)
SQUALL_INSTANTIATE(StatefulSet)
SQUALL_INSTANTIATE(DaemonSet)
SQUALL_INSTANTIATE(Job)
SQUALL_INSTANTIATE(CronJob)
SQUALL_INSTANTIATE(Service)
SQUALL_INSTANTIATE(Endpoints)
SQUALL_INSTANTIATE(PodDisruptionBudget)
SQUALL_INSTANTIATE(PriorityClass)
SQUALL_INSTANTIATE(Namespace)
SQUALL_INSTANTIATE(StorageClass)
SQUALL_INSTANTIATE(PersistentVolume)
SQUALL_INSTANTIATE(PersistentVolumeClaim)
SQUALL_INSTANTIATE(VolumeAttachment)
SQUALL_INSTANTIATE(ResourceQuota)
SQUALL_INSTANTIATE(LimitRange)
SQUALL_INSTANTIATE(HorizontalPodAutoscaler)
SQUALL_INSTANTIATE(OtherObject)
#undef SQUALL_INSTANTIATE

}  // namespace sim::k8s

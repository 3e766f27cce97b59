#include "sim/loop/model/bridge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/loop/kinds/rules.hpp"
#include "sim/loop/model/codec.hpp"
#include "sim/loop/model/endpoint_slices.hpp"
#include "sim/models/kubernetes/api/eviction.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/source_document.hpp"

namespace sim::loop {

using namespace sim::k8s;

namespace {

Refusal of_status(ApiStatus what, const Subject& subject) {
  switch (what) {
    case ApiStatus::kNotFound: return not_found(subject);
    case ApiStatus::kConflict: return conflict(subject, "the object has been modified; please apply your changes to the latest version and try again");
    case ApiStatus::kTooManyRequests: return too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0);
    case ApiStatus::kUnavailable: return unavailable("the API servers of this cluster cannot write");
    default: return internal_error(to_string(what));
  }
}

}  // namespace

struct Bridge::Impl {
  Impl(World& w, Store& s, BridgeOptions o) : world(w), store(s), options(o), context{w, s, o.epoch_nanoseconds, o.external_controllers} {}

  World& world;
  Store& store;
  BridgeOptions options;
  RenderContext context;
  std::string client = "a client";
  const Json* pending = nullptr;  // what a client is writing: the base of what is rendered next
  std::vector<std::unique_ptr<Backend>> backends;
  std::unique_ptr<EndpointSlices> slices;  // where a real controller-manager writes them
  Timer lease_timer;

  template <class T>
  const ResourceInfo& resource() const {
    static const ResourceInfo* const found = [] {
      for (const ResourceInfo& r : Schema::kubernetes().resources()) {
        if (r.group == Codec<T>::kGroup && r.plural == Codec<T>::kPlural) return &r;
      }
      return static_cast<const ResourceInfo*>(nullptr);
    }();
    return *found;
  }

  // ---- typed to document ----

  void render_metadata(const ObjectMeta& meta, const ResourceInfo& info, Json& document) {
    const Interner& names = world.names;
    Json& m = document["metadata"];
    if (!m.is_object()) m = Json::object();
    m.set("name", names.text(meta.name));
    if (meta.ns) m.set("namespace", names.text(meta.ns));
    m.set("uid", store.uid_text(meta.uid));
    m.set("creationTimestamp", context.time(meta.created));
    const bool counts = info.kind != "Node" && info.kind != "Namespace" && info.kind != "Service" && info.kind != "StorageClass" && info.kind != "PriorityClass" &&
                        info.kind != "PersistentVolume" && info.kind != "PersistentVolumeClaim" && info.kind != "VolumeAttachment";
    if (counts) m.set("generation", static_cast<std::int64_t>(meta.generation));
    if (meta.is_deleting()) {
      m.set("deletionTimestamp", context.time(*meta.deletion_timestamp));
      m.set("deletionGracePeriodSeconds", meta.deletion_grace_seconds);
    }
    Json labels = labels_json(meta.labels, names);
    if (!(labels == m.at("labels")) && !(labels.is_empty() && m.at("labels").is_null())) m.set("labels", std::move(labels));
    // Long annotations are the document's alone.
    for (const Labels::Pair& pair : meta.annotations) m["annotations"].set(names.text(pair.key), names.text(pair.value));
    Json finalizers = Json::array();
    for (const Symbol finalizer : meta.finalizers) finalizers.push_back(names.text(finalizer));
    if (finalizers.is_empty()) {
      m.erase("finalizers");
    } else {
      m.set("finalizers", std::move(finalizers));
    }
    render_owners(meta, m);
  }

  void render_owners(const ObjectMeta& meta, Json& m) {
    Json owners = Json::array();
    // Owners that are documents alone stay as they are.
    for (const Json& owner : m.at("ownerReferences").items()) {
      if (!is_typed_owner(owner)) owners.push_back(owner);
    }
    for (const OwnerReference& owner : meta.owners) {
      const std::string uid = store.uid_text(owner.uid);
      const Json* known = nullptr;
      for (const Json& old : m.at("ownerReferences").items()) {
        if (old.at("uid").text() == uid) known = &old;
      }
      if (known != nullptr) {
        owners.push_back(*known);
        continue;
      }
      const auto [version, name] = name_of(owner.owner);
      if (name.empty()) continue;
      owners.push_back(Json::object({{"apiVersion", version}, {"kind", to_string(owner.owner.kind)}, {"name", name}, {"uid", uid}, {"controller", owner.controller}, {"blockOwnerDeletion", true}}));
    }
    if (owners.is_empty()) {
      m.erase("ownerReferences");
    } else {
      m.set("ownerReferences", std::move(owners));
    }
  }

  template <class T>
  std::string name_in(ObjectRef ref) const {
    const T* object = world.api.get(Ref<T>{ref.slot, ref.generation});
    return object == nullptr ? std::string() : world.names.text(object->meta.name);
  }
  std::pair<std::string_view, std::string> name_of(ObjectRef ref) const {
    switch (ref.kind) {
      case Kind::kDeployment: return {"apps/v1", name_in<Deployment>(ref)};
      case Kind::kReplicaSet: return {"apps/v1", name_in<ReplicaSet>(ref)};
      case Kind::kStatefulSet: return {"apps/v1", name_in<StatefulSet>(ref)};
      case Kind::kDaemonSet: return {"apps/v1", name_in<DaemonSet>(ref)};
      case Kind::kJob: return {"batch/v1", name_in<Job>(ref)};
      case Kind::kCronJob: return {"batch/v1", name_in<CronJob>(ref)};
      case Kind::kNode: return {"v1", name_in<k8s::Node>(ref)};
      case Kind::kPod: return {"v1", name_in<Pod>(ref)};
      case Kind::kService: return {"v1", name_in<Service>(ref)};
      default: return {};
    }
  }
  static bool is_typed_owner(const Json& owner) {
    static const std::vector<std::string_view> kKinds = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Node", "Pod", "Service"};
    const std::string& version = owner.at("apiVersion").text();
    return (version == "v1" || version == "apps/v1" || version == "batch/v1") && std::find(kKinds.begin(), kKinds.end(), owner.at("kind").text()) != kKinds.end();
  }

  template <class T>
  Json rendered(const T& object) {
    const ResourceInfo& info = resource<T>();
    Json document;
    if (pending != nullptr) {
      document = *pending;
    } else if (const Document known = store.get(info, context.text(object.meta.ns), context.text(object.meta.name));
               known != nullptr && known->at({"metadata", "uid"}).text() == store.uid_text(object.meta.uid)) {
      document = *known;
    } else {
      document = from_source(object);
    }
    render_metadata(object.meta, info, document);
    Codec<T>::render(object, document, context);
    return document;
  }

  /// The first document of an object that the model made, or that a manifest of the scenario describes.
  template <class T>
  Json from_source(const T& object) {
    const ResourceInfo& info = resource<T>();
    Json document = Json::object({{"kind", info.kind}, {"apiVersion", info.api_version()}, {"metadata", Json::object()}});
    const Json source = source_json(object.meta.source);
    if (source.is_object()) {
      for (const Member& member : source.members()) {
        if (member.key != "kind" && member.key != "apiVersion" && member.key != "status") document.set(member.key, member.value);
      }
      for (const std::string_view field : {"managedFields", "resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences"}) document["metadata"].erase(field);
      const KindRules* rules = rules_of(info.group, info.kind);
      if (rules != nullptr && rules->defaults != nullptr) rules->defaults(document);
      // Only the typed objects know what became of what a dump says of running pods.
      if constexpr (std::is_same_v<T, k8s::Node>) {
        if (const Json* info_of_node = source.at("status").find("nodeInfo")) document["status"].set("nodeInfo", *info_of_node);
      }
    }
    return document;
  }

  template <class T>
  void write(const WatchEvent& event) {
    const ResourceInfo& info = resource<T>();
    if (event.type == WatchEvent::Type::kDeleted) {
      const T& last = event.last_state<T>();
      Json document = rendered(last);
      store.publish(info, DocumentChange::Type::kDeleted, std::move(document), last.meta.resource_version);
      return;
    }
    const T* object = world.api.get(event.ref<T>());
    if (object == nullptr) return;
    store.publish(info, event.type == WatchEvent::Type::kAdded ? DocumentChange::Type::kAdded : DocumentChange::Type::kModified, rendered(*object), object->meta.resource_version);
  }

  void write_endpoints(const WatchEvent& event) {
    // With a real controller-manager it is the one that writes Endpoints.
    if (options.external_controllers) return;
    const Endpoints* object = event.type == WatchEvent::Type::kDeleted ? &event.last_state<Endpoints>() : world.api.get(event.ref<Endpoints>());
    if (object == nullptr) return;
    static const ResourceInfo* const info = [] {
      for (const ResourceInfo& r : Schema::kubernetes().resources()) {
        if (r.group.empty() && r.plural == "endpoints") return &r;
      }
      return static_cast<const ResourceInfo*>(nullptr);
    }();
    Json document = Json::object({{"kind", "Endpoints"}, {"apiVersion", "v1"}});
    render_metadata(object->meta, *info, document);
    document["metadata"].erase("generation");
    Json ready = Json::array();
    Json not_ready = Json::array();
    for (const Endpoints::Address& address : object->addresses) {
      const Pod* pod = world.api.get(address.pod);
      if (pod == nullptr || pod->ip_serial == 0) continue;
      Json entry = Json::object({{"ip", pod_address(pod->ip_serial)}, {"nodeName", context.text(pod->node_name)},
                                 {"targetRef", Json::object({{"kind", "Pod"}, {"namespace", context.text(pod->meta.ns)}, {"name", context.text(pod->meta.name)}, {"uid", store.uid_text(pod->meta.uid)}})}});
      (address.ready ? ready : not_ready).push_back(std::move(entry));
    }
    Json ports = Json::array();
    if (const Document service = store.get(resource<Service>(), context.text(object->meta.ns), context.text(object->meta.name))) {
      for (const Json& port : service->at({"spec", "ports"}).items()) {
        Json p = Json::object({{"port", port.at("targetPort").is_integer() ? port.at("targetPort") : port.at("port")}, {"protocol", port.at("protocol").text().empty() ? Json("TCP") : port.at("protocol")}});
        if (!port.at("name").text().empty()) p.set("name", port.at("name"));
        ports.push_back(std::move(p));
      }
    }
    if (!ready.is_empty() || !not_ready.is_empty()) {
      Json subset = Json::object();
      if (!ready.is_empty()) subset.set("addresses", std::move(ready));
      if (!not_ready.is_empty()) subset.set("notReadyAddresses", std::move(not_ready));
      subset.set("ports", std::move(ports));
      document.set("subsets", Json::array({subset}));
    }
    const DocumentChange::Type type = event.type == WatchEvent::Type::kDeleted ? DocumentChange::Type::kDeleted : event.type == WatchEvent::Type::kAdded ? DocumentChange::Type::kAdded : DocumentChange::Type::kModified;
    store.publish(*info, type, std::move(document), object->meta.resource_version);
  }

  void on_write(const WatchEvent& event) {
    switch (event.object.kind) {
      case Kind::kNode: return write<k8s::Node>(event);
      case Kind::kPod: return write<Pod>(event);
      case Kind::kDeployment: return write<Deployment>(event);
      case Kind::kReplicaSet: return write<ReplicaSet>(event);
      case Kind::kStatefulSet: return write<StatefulSet>(event);
      case Kind::kDaemonSet: return write<DaemonSet>(event);
      case Kind::kJob: return write<Job>(event);
      case Kind::kCronJob: return write<CronJob>(event);
      case Kind::kService: return write<Service>(event);
      case Kind::kEndpoints: return write_endpoints(event);
      case Kind::kPodDisruptionBudget: return write<PodDisruptionBudget>(event);
      case Kind::kPriorityClass: return write<PriorityClass>(event);
      case Kind::kNamespace: return write<Namespace>(event);
      case Kind::kStorageClass: return write<StorageClass>(event);
      case Kind::kPersistentVolume: return write<PersistentVolume>(event);
      case Kind::kPersistentVolumeClaim: return write<PersistentVolumeClaim>(event);
      case Kind::kVolumeAttachment: return write<VolumeAttachment>(event);
      case Kind::kResourceQuota:
      case Kind::kLimitRange:
      case Kind::kHorizontalPodAutoscaler:
      case Kind::kOther: return;
    }
  }

  template <class T>
  void import() {
    world.api.all<T>().for_each([&](Ref<T> ref, const T&) { on_write(WatchEvent{WatchEvent::Type::kAdded, ApiServer::untyped(ref), k8s::Change::kNone, {}, nullptr}); });
  }

  /// Kinds that are not simulated stand in the scenario's manifests as they came.
  void import_others() {
    world.api.all<OtherObject>().for_each([&](Ref<OtherObject>, const OtherObject& object) {
      Json document = source_json(object.meta.source);
      if (!document.is_object()) return;
      const std::string& version = context.text(object.api_version);
      const std::size_t slash = version.find('/');
      const std::string group = slash == std::string::npos ? std::string() : version.substr(0, slash);
      for (const ResourceInfo& r : Schema::kubernetes().resources()) {
        if (r.kind != context.text(object.kind_name) || r.group != group || r.api_version() != version || !r.allows("create") || !r.allows("get")) continue;
        if (r.namespaced && document.at({"metadata", "namespace"}).text().empty()) document["metadata"].set("namespace", "default");
        for (const std::string_view field : {"managedFields", "resourceVersion", "uid"}) document["metadata"].erase(field);
        const KindRules* rules = rules_of(r.group, r.kind);
        if (rules != nullptr && rules->defaults != nullptr) rules->defaults(document);
        Document result;
        store.create(r, std::move(document), false, result);
        return;
      }
    });
  }

  // ---- document to typed ----

  template <class T>
  Ref<T> find(const Json& document) const {
    const Symbol name = world.names.find(document.at({"metadata", "name"}).text());
    const Symbol ns = world.names.find(document.at({"metadata", "namespace"}).text());
    return name ? world.api.find<T>(ns, name) : Ref<T>{};
  }

  template <class T>
  std::optional<Refusal> decode(const Json& document, T& object) {
    scenario::Diagnostics diagnostics;
    const std::shared_ptr<const scenario::Document> text = scenario::load_text("request.json", document.dump(), diagnostics);
    scenario::ManifestSet set;
    if (text != nullptr) scenario::decode(text->root(), world.names, diagnostics, set);
    const ResourceInfo& info = resource<T>();
    const Subject subject{info.group, info.kind, document.at({"metadata", "name"}).text()};
    if (diagnostics.has_errors()) {
      FieldErrors errors;
      for (const scenario::Diagnostic& d : diagnostics.sorted()) {
        if (d.severity == scenario::Severity::kError) errors.forbidden("", d.expected.empty() ? d.message : fmt::format("{}: expected {}", d.message, d.expected));
      }
      return invalid(subject, errors);
    }
    auto& list = Codec<T>::list(set);
    if (list.size() != 1) return internal_error("the object cannot be decoded");
    object = std::move(list[0].object);
    object.meta.source = nullptr;
    object.meta.owners = owners(document);
    return std::nullopt;
  }

  template <class T>
  OwnerReference owner_of(const Json& document, const Json& owner, std::uint64_t uid) const {
    constexpr bool kClusterWide = std::is_same_v<T, k8s::Node>;
    const Symbol ns = kClusterWide ? Symbol{} : world.names.find(document.at({"metadata", "namespace"}).text());
    const Symbol name = world.names.find(owner.at("name").text());
    const Ref<T> ref = name ? world.api.find<T>(ns, name) : Ref<T>{};
    const T* object = world.api.get(ref);
    if (object == nullptr || object->meta.uid != uid) return OwnerReference{};
    return OwnerReference{ApiServer::untyped(ref), uid, owner.at("controller").as_bool()};
  }
  std::vector<OwnerReference> owners(const Json& document) const {
    std::vector<OwnerReference> result;
    for (const Json& owner : document.at({"metadata", "ownerReferences"}).items()) {
      const std::optional<std::uint64_t> uid = store.serial_of(owner.at("uid").text());
      if (!uid || !is_typed_owner(owner)) continue;
      const std::string& kind = owner.at("kind").text();
      OwnerReference found;
      if (kind == "Deployment") found = owner_of<Deployment>(document, owner, *uid);
      if (kind == "ReplicaSet") found = owner_of<ReplicaSet>(document, owner, *uid);
      if (kind == "StatefulSet") found = owner_of<StatefulSet>(document, owner, *uid);
      if (kind == "DaemonSet") found = owner_of<DaemonSet>(document, owner, *uid);
      if (kind == "Job") found = owner_of<Job>(document, owner, *uid);
      if (kind == "CronJob") found = owner_of<CronJob>(document, owner, *uid);
      if (kind == "Node") found = owner_of<k8s::Node>(document, owner, *uid);
      if (kind == "Pod") found = owner_of<Pod>(document, owner, *uid);
      if (found.owner) result.push_back(found);
    }
    return result;
  }

  template <class T>
  CauseId told(std::string_view kind, const Json& document) {
    const Symbol subject = world.api.subject(T::kKind, world.names.intern(document.at({"metadata", "namespace"}).text()), world.names.intern(document.at({"metadata", "name"}).text()));
    return world.log.record(kind, subject, fmt::format("{} by {}", kind, client));
  }

  template <class T>
  struct Typed : Backend {
    explicit Typed(Impl& impl) : in(impl) {}
    Impl& in;

    std::optional<Refusal> create(const Json& document, bool dry_run) override {
      T object;
      Json complete = document;
      if (std::optional<Refusal> refusal = in.decode(document, object)) return refusal;
      std::string refused;
      Codec<T>::created(object, complete, in.context, refused);
      if (!refused.empty()) {
        const ResourceInfo& info = in.resource<T>();
        return forbidden({info.group, info.plural, document.at({"metadata", "name"}).text()}, refused);
      }
      if (dry_run) return std::nullopt;
      const CauseId cause = in.told<T>("Created", document);
      const ScopedCause because(in.world.engine, cause);
      object.meta.cause = cause;
      in.pending = &complete;
      const Ref<T> ref = in.world.api.create(std::move(object));
      in.pending = nullptr;
      if (!ref) {
        const ResourceInfo& info = in.resource<T>();
        return already_exists({info.group, info.plural, document.at({"metadata", "name"}).text()});
      }
      return std::nullopt;
    }

    std::optional<Refusal> update(const Json& before, const Json& document, std::string_view subresource, bool dry_run) override {
      T decoded;
      const bool spec_too = subresource != "status";
      if (spec_too) {
        if (std::optional<Refusal> refusal = in.decode(document, decoded)) return refusal;
      }
      if (dry_run) return std::nullopt;
      const Ref<T> ref = in.find<T>(document);
      const T* known = in.world.api.get(ref);
      const ResourceInfo& info = in.resource<T>();
      if (known == nullptr) return not_found({info.group, info.plural, document.at({"metadata", "name"}).text()});
      Json metadata_only = document;
      metadata_only.set("metadata", before.at("metadata"));
      metadata_only.set("status", before.at("status"));
      Json without_status = before;
      without_status.set("status", before.at("status"));
      const bool spec_changed = spec_too && !(metadata_only == without_status);
      CauseId cause = in.world.engine.cause();
      if (spec_changed) cause = in.told<T>("Updated", document);
      const ScopedCause because(in.world.engine, cause);
      T next = *known;
      k8s::Change changes = k8s::Change::kNone;
      if (spec_too) {
        const k8s::Change of_spec = Codec<T>::apply_spec(next, decoded, document, in.context);
        if (spec_changed) changes = changes | of_spec;
      }
      changes = changes | Codec<T>::apply_status(next, before, document, in.context);
      if (spec_too && !spec_changed && !(before.at("status") == document.at("status"))) changes = changes | k8s::Change::kStatus;
      in.apply_metadata(next.meta, document, changes);
      if (spec_changed) next.meta.cause = cause;
      in.pending = &document;
      in.world.api.update(ref, changes, [&](T& object) { object = std::move(next); });
      in.pending = nullptr;
      const T* now = in.world.api.get(ref);
      if (now != nullptr && now->meta.is_deleting() && now->meta.finalizers.empty() && now->meta.deletion_grace_seconds == 0 && !std::is_same_v<T, Namespace>) {
        DeleteOptions last;
        last.grace_period_seconds = 0;
        in.world.api.remove(ref, last);
      }
      return std::nullopt;
    }

    std::optional<Refusal> remove(const Json& document, const Deletion& deletion) override {
      const Ref<T> ref = in.find<T>(document);
      const ResourceInfo& info = in.resource<T>();
      const Subject subject{info.group, info.plural, document.at({"metadata", "name"}).text()};
      const T* object = in.world.api.get(ref);
      if (object == nullptr) return not_found(subject);
      CauseId cause = in.world.engine.cause();
      if (!object->meta.is_deleting()) {
        cause = in.told<T>("Deleted", document);
        in.world.api.update(ref, k8s::Change::kNone, [&](T& o) { o.meta.cause = cause; });
      }
      const ScopedCause because(in.world.engine, cause);
      DeleteOptions options;
      options.grace_period_seconds = deletion.grace_seconds;
      options.propagation = deletion.propagation == Propagation::kForeground ? DeleteOptions::Propagation::kForeground
                            : deletion.propagation == Propagation::kOrphan   ? DeleteOptions::Propagation::kOrphan
                                                                             : DeleteOptions::Propagation::kBackground;
      const ApiStatus status = in.world.api.remove(ref, options);
      return status == ApiStatus::kOk ? std::nullopt : std::optional<Refusal>(of_status(status, subject));
    }
  };

  void apply_metadata(ObjectMeta& meta, const Json& document, k8s::Change& changes) {
    Interner& names = world.names;
    Labels labels;
    for (const Member& member : document.at({"metadata", "labels"}).members()) labels.set(names.intern(member.key), names.intern(member.value.text()));
    if (!(labels == meta.labels)) {
      meta.labels = std::move(labels);
      changes = changes | k8s::Change::kLabels;
    }
    constexpr std::size_t kAnnotationMax = 256;
    Labels annotations;
    for (const Member& member : document.at({"metadata", "annotations"}).members()) {
      if (member.value.text().size() <= kAnnotationMax) annotations.set(names.intern(member.key), names.intern(member.value.text()));
    }
    meta.annotations = std::move(annotations);
    std::vector<Symbol> finalizers;
    for (const Json& finalizer : document.at({"metadata", "finalizers"}).items()) finalizers.push_back(names.intern(finalizer.text()));
    meta.finalizers = std::move(finalizers);
    std::vector<OwnerReference> fresh = owners(document);
    const bool same = std::equal(fresh.begin(), fresh.end(), meta.owners.begin(), meta.owners.end(),
                                 [](const OwnerReference& a, const OwnerReference& b) { return a.uid == b.uid && a.controller == b.controller; });
    if (!same) {
      meta.owners = std::move(fresh);
      changes = changes | k8s::Change::kOwners;
    }
  }

  template <class T>
  void add() {
    backends.push_back(std::make_unique<Typed<T>>(*this));
    store.set_backend(resource<T>(), *backends.back());
    import<T>();
  }
};

Store::Numbers Bridge::numbers(World& world, std::int64_t epoch_nanoseconds) {
  return {[&world] { return world.api.take_resource_version(); }, [&world] { return world.api.resource_version(); }, [&world] { return world.api.take_uid(); },
          [&world, epoch_nanoseconds] { return epoch_nanoseconds + world.engine.now().time_since_epoch().count(); }};
}

Bridge::Bridge(World& world, Store& store, BridgeOptions options) : impl_(new Impl(world, store, options)) {
  Impl& in = *impl_;
  in.add<Namespace>();
  in.add<PriorityClass>();
  in.add<StorageClass>();
  in.add<k8s::Node>();
  in.add<PersistentVolume>();
  in.add<PersistentVolumeClaim>();
  in.add<Service>();
  in.add<PodDisruptionBudget>();
  in.add<Deployment>();
  in.add<ReplicaSet>();
  in.add<StatefulSet>();
  in.add<DaemonSet>();
  in.add<CronJob>();
  in.add<Job>();
  in.add<Pod>();
  in.add<VolumeAttachment>();
  in.import_others();
  if (options.external_controllers) in.slices = std::make_unique<EndpointSlices>(world, store);
  world.api.on_write([this](const WatchEvent& event) { impl_->on_write(event); });
  refresh_leases();
}

Bridge::~Bridge() { impl_->world.api.on_write(nullptr); }

void Bridge::set_client(std::string name) { impl_->client = std::move(name); }

void Bridge::refresh_leases() {
  Impl& in = *impl_;
  static const ResourceInfo* const info = [] {
    for (const ResourceInfo& r : Schema::kubernetes().resources()) {
      if (r.plural == "leases") return &r;
    }
    return static_cast<const ResourceInfo*>(nullptr);
  }();
  constexpr std::int64_t kRenewEvery = 10'000'000'000;
  const std::int64_t now = in.store.now_nanoseconds();
  in.world.api.all<k8s::Node>().for_each([&](Ref<k8s::Node> ref, const k8s::Node& node) {
    if (!in.world.kubelets.host_of(ref)) return;
    const Heartbeat heartbeat = in.world.kubelets.heartbeat(ref);
    const std::string& name = in.context.text(node.meta.name);
    std::int64_t renewed = in.options.epoch_nanoseconds + heartbeat.last_renewal.time_since_epoch().count();
    // A kubelet that renews does so every 10 s since its last time.
    if (heartbeat.renewing) renewed = now - (now - renewed) % kRenewEvery;
    if (!heartbeat.renewing && heartbeat.last_renewal == SimTime{}) return;
    const Document known = in.store.get(*info, "kube-node-lease", name);
    Json document = known == nullptr
                        ? Json::object({{"kind", "Lease"}, {"apiVersion", "coordination.k8s.io/v1"},
                                        {"metadata", Json::object({{"name", name}, {"namespace", "kube-node-lease"},
                                                                   {"ownerReferences", Json::array({Json::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", name}, {"uid", in.store.uid_text(node.meta.uid)}})})}})},
                                        {"spec", Json::object({{"holderIdentity", name}, {"leaseDurationSeconds", 40}})}})
                        : *known;
    document["spec"].set("renewTime", rfc3339_micro(renewed));
    Document result;
    if (known == nullptr) {
      in.store.create(*info, std::move(document), false, result);
    } else {
      in.store.update(*info, known, std::move(document), "", false, result);
    }
  });
}

std::optional<Refusal> Bridge::bind(const Json& pod, const std::string& node) {
  Impl& in = *impl_;
  const Ref<Pod> ref = in.find<Pod>(pod);
  const Pod* object = in.world.api.get(ref);
  const std::string& name = pod.at({"metadata", "name"}).text();
  if (object == nullptr) return not_found({"", "pods", name});
  const Symbol node_name = in.world.names.intern(node);
  const Ref<k8s::Node> target = in.world.api.find<k8s::Node>(Symbol{}, node_name);
  const CauseId before = object->meta.cause;
  const CauseId cause = in.world.api.record(ref, "Scheduled", fmt::format("Successfully assigned {}/{} to {} by {}", pod.at({"metadata", "namespace"}).text(), name, node, in.client));
  in.world.log.also_caused_by(cause, before);
  const ScopedCause because(in.world.engine, cause);
  in.world.api.update(ref, k8s::Change::kBinding | k8s::Change::kScheduling, [&](Pod& p) {
    p.node = target;
    p.node_name = node_name;
    p.nominated_node = Symbol{};
    p.unschedulable = false;
    p.scheduled_at = in.world.engine.now();
  });
  return std::nullopt;
}

std::optional<Refusal> Bridge::evict(const Json& pod, const Deletion& deletion) {
  Impl& in = *impl_;
  DeleteOptions options;
  options.grace_period_seconds = deletion.grace_seconds;
  const EvictionResult result = k8s::evict(in.world.api, in.find<Pod>(pod), options, in.client);
  if (result.status == ApiStatus::kOk) return std::nullopt;
  if (result.status == ApiStatus::kTooManyRequests) {
    Refusal refusal = too_many_requests(result.message, 0);
    if (!result.detail.empty()) {
      refusal.status["details"].set("causes", Json::array({Json::object({{"reason", "DisruptionBudget"}, {"message", result.detail}})}));
    }
    return refusal;
  }
  if (result.status == ApiStatus::kServerError) return internal_error(result.message);
  return of_status(result.status, {"", "pods", pod.at({"metadata", "name"}).text()});
}

std::vector<Platform::LogLine> Bridge::log(const Json& pod, const std::string& container) {
  // What a simulated container prints is its own life.
  std::vector<LogLine> lines;
  for (const std::string_view list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : pod.at({"status", list}).items()) {
      if (status.at("name").text() != container) continue;
      const auto add = [&](const Json& when, std::string text) {
        if (const std::optional<std::int64_t> at = parse_rfc3339(when.text())) lines.push_back({*at, std::move(text)});
      };
      const Json& last = status.at({"lastState", "terminated"});
      if (!last.is_null()) add(last.at("finishedAt"), fmt::format("container {} ended with code {} ({})", container, last.at("exitCode").as_integer(), last.at("reason").text()));
      const Json& running = status.at({"state", "running"});
      if (!running.is_null()) add(running.at("startedAt"), fmt::format("container {} started (image {}, simulated by squall)", container, status.at("image").text()));
      const Json& ended = status.at({"state", "terminated"});
      if (!ended.is_null()) {
        add(ended.at("startedAt"), fmt::format("container {} started (image {}, simulated by squall)", container, status.at("image").text()));
        add(ended.at("finishedAt"), fmt::format("container {} ended with code {}", container, ended.at("exitCode").as_integer()));
      }
    }
  }
  return lines;
}

bool Bridge::is_readable() const { return impl_->world.api.readable(); }
bool Bridge::is_writable() const { return impl_->world.api.writable(); }

}  // namespace sim::loop

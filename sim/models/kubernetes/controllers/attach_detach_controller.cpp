/// Attach/detach controller: wishes volumes onto the nodes whose pods use them (VolumeAttachment objects), and off again.
///
/// The original compares what is with what is to be every 100 ms. Here a volume on a node is compared at the next such instant after something
/// about it changed, and when a wait of its own is over.
///
/// Source:     pkg/controller/volume/attachdetach/{attach_detach_controller,reconciler/reconciler,cache/*,util}.go, pkg/volume/util IsPodTerminated
///             and IsMultiAttachAllowed; reference kubernetes 2.14, 7.4, 7.8 (force detach measured at 360.2 s).
/// Leaves out: --disable-force-detach-on-timeout; the check of attached volumes with the driver every 60 s; the annotation that hands a node's
///             volumes to its kubelet (no kubelet attaches here).
/// Checked by: tests/models/kubernetes/volumes/attach_detach_controller_test.cpp.

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/volume_controllers.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kLoopPeriod = 100ms;           // ReconcilerLoopPeriod
constexpr SimDuration kMaxWaitForUnmount = 6min;     // ReconcilerMaxWaitForUnmountDuration

class AttachDetachController final : public Controller, public Watcher {
 public:
  AttachDetachController(const ControllerContext& context, Storage& storage)
      : engine_(context.engine), log_(context.log), api_(context.api), client_(context.client()), storage_(storage), loop_(context.engine) {
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (alive.expired() || !running_ || !is_open_ || !client_.writable()) return;
      for (const auto& ref : api_.all<VolumeAttachment>().refs()) note_attachment(ref);
      for (const auto& [key, place] : places_) touch(key);
    });
  }
  ~AttachDetachController() override {
    if (running_) api_.unwatch(*this);
  }
  std::string_view name() const override { return "persistentvolume-attach-detach-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    is_open_ = false;
    started_ = engine_.now();
    client_.watch({Kind::kStorageClass, Kind::kPersistentVolume}, *this);
    open();
  }
  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    loop_.cancel();
    for (auto& [key, place] : places_) engine_.cancel(place.timer);
    places_.clear();
    volumes_on_.clear();
    wishes_.clear();
    unresolved_.clear();
    dirty_.clear();
    gone_nodes_.clear();
  }

  void on_event(const WatchEvent& event) override {
    open();
    if (!is_open_) return;
    if (event.is<Pod>()) on_pod(event);
    else if (event.is<Node>()) on_node(event);
    else if (event.is<VolumeAttachment>()) on_attachment(event);
    else if (event.is<PersistentVolumeClaim>()) retry_unresolved();
  }

 private:
  using Key = std::pair<Symbol, Symbol>;  // volume, node
  /// One volume on one node.
  struct Place {
    std::set<Ref<Pod>> pods;        // that want it there
    Ref<VolumeAttachment> attachment;
    bool is_detaching = false;
    bool told_of_conflict = false;  // MultiAttachErrorReported
    std::string told_error;
    std::optional<SimTime> detach_requested;
    CauseId wanted_because{};
    CauseId unwanted_because{};
    TimerId timer{};
  };

  void open() {
    if (is_open_ || !api_.has_storage()) return;
    is_open_ = true;
    client_.watch({Kind::kPod, Kind::kNode, Kind::kVolumeAttachment, Kind::kPersistentVolumeClaim}, *this);
    for (const auto& ref : api_.all<VolumeAttachment>().refs()) note_attachment(ref);
    for (const Ref<Pod> ref : api_.all<Pod>().refs()) note_pod(ref);
  }

  Place& place_of(const Key& key) {
    const auto [entry, is_new] = places_.try_emplace(key);
    if (is_new) volumes_on_[key.second].insert(key.first);
    return entry->second;
  }

  // ---- what is to be

  static bool is_terminated(const Pod& pod) {
    if (pod.is_terminal()) return true;
    return pod.meta.is_deleting() && std::none_of(pod.containers.begin(), pod.containers.end(), [](const ContainerStatus& c) {
             return c.state == ContainerState::kRunning;
           });
  }

  void on_pod(const WatchEvent& event) {
    const Ref<Pod> ref = event.ref<Pod>();
    if (event.type == WatchEvent::Type::kDeleted) {
      drop_wishes(ref);
      return;
    }
    constexpr Change kOfInterest = Change::kBinding | Change::kPhase | Change::kDeletion | Change::kContainers;
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, kOfInterest)) return;
    note_pod(ref);
  }

  void note_pod(Ref<Pod> ref) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || !pod->node_name || pod->spec->volumes.empty()) return;
    if (is_terminated(*pod)) {
      drop_wishes(ref);
      return;
    }
    if (wishes_.contains(ref)) return;
    std::vector<Key> keys;
    for (const PodVolume& volume : pod->spec->volumes) {
      const PersistentVolume* bound = find_bound_volume(api_, pod->meta.ns, pod->meta.name, volume);
      if (bound == nullptr) {
        unresolved_.insert(ref);  // a claim that is not bound yet: tried again when a claim changes
        return;
      }
      if (storage_.backend(bound->driver).needs_attach()) keys.emplace_back(bound->meta.name, pod->node_name);
    }
    unresolved_.erase(ref);
    wishes_[ref] = keys;
    for (const Key& key : keys) {
      Place& place = place_of(key);
      place.pods.insert(ref);
      place.detach_requested.reset();
      place.wanted_because = pod->meta.cause ? pod->meta.cause : engine_.cause();
      touch(key);
    }
  }

  void drop_wishes(Ref<Pod> ref) {
    unresolved_.erase(ref);
    const auto found = wishes_.find(ref);
    if (found == wishes_.end()) return;
    const std::vector<Key> keys = std::move(found->second);
    wishes_.erase(found);
    for (const Key& key : keys) {
      Place& place = place_of(key);
      place.pods.erase(ref);
      place.unwanted_because = engine_.cause();
      touch(key);
    }
  }

  void retry_unresolved() {
    const std::set<Ref<Pod>> pods = unresolved_;
    for (const Ref<Pod> ref : pods) note_pod(ref);
  }

  // ---- what is

  void on_node(const WatchEvent& event) {
    if (event.type == WatchEvent::Type::kDeleted) {
      const Node& last = event.last_state<Node>();
      gone_nodes_[last.meta.name] = last.volumes_in_use;
      touch_node(last.meta.name);
      return;
    }
    const Node* node = api_.get(event.ref<Node>());
    if (node == nullptr) return;
    if (event.type == WatchEvent::Type::kAdded) {
      gone_nodes_.erase(node->meta.name);
      report_attached_on(node->meta.name);
    }
    if (event.type == WatchEvent::Type::kAdded || has(event.changes, Change::kVolumes | Change::kConditions | Change::kTaints)) touch_node(node->meta.name);
  }

  /// A Node object that was made anew knows nothing of what is attached.
  void report_attached_on(Symbol node) {
    const auto found = volumes_on_.find(node);
    if (found == volumes_on_.end()) return;
    for (const Symbol volume : found->second) {
      const Key key{volume, node};
      Place& place = places_.find(key)->second;
      const VolumeAttachment* attachment = api_.get(place.attachment);
      if (attachment != nullptr && attachment->attached && !place.is_detaching) report_attached(key, place);
      if (!place.pods.empty()) touch(key);
    }
  }

  void touch_node(Symbol node) {
    const auto found = volumes_on_.find(node);
    if (found == volumes_on_.end()) return;
    for (const Symbol volume : found->second) {
      const Place& place = places_.find(Key{volume, node})->second;
      if (place.attachment && place.pods.empty()) touch(Key{volume, node});
    }
  }

  void on_attachment(const WatchEvent& event) {
    const Ref<VolumeAttachment> ref = event.ref<VolumeAttachment>();
    if (event.type == WatchEvent::Type::kDeleted) {
      const VolumeAttachment& last = event.last_state<VolumeAttachment>();
      const auto found = places_.find(Key{last.volume, last.node});
      if (found == places_.end() || found->second.attachment != ref) return;
      found->second.attachment = {};
      found->second.is_detaching = false;
      found->second.detach_requested.reset();
      // Whoever waits for this volume elsewhere, or here again, is looked at.
      for (auto place = places_.lower_bound(Key{last.volume, Symbol{}}); place != places_.end() && place->first.first == last.volume; ++place) {
        if (!place->second.pods.empty()) touch(place->first);
      }
      forget_if_idle(Key{last.volume, last.node});
      return;
    }
    note_attachment(ref);
  }

  void note_attachment(Ref<VolumeAttachment> ref) {
    const VolumeAttachment* attachment = api_.get(ref);
    if (attachment == nullptr) return;
    const Key key{attachment->volume, attachment->node};
    Place& place = place_of(key);
    place.attachment = ref;
    place.is_detaching = attachment->meta.is_deleting();
    if (attachment->attached && !place.is_detaching) report_attached(key, place);
    if (!attachment->error.empty() && std::exchange(place.told_error, attachment->error) != attachment->error) {
      for (const Ref<Pod> pod : place.pods) {
        api_.record(pod, place.is_detaching ? "FailedDetachVolume" : "FailedAttachVolume",
                    fmt::format("{} failed for volume \"{}\" : {}", place.is_detaching ? "DetachVolume.Detach" : "AttachVolume.Attach",
                                text(attachment->volume), attachment->error));
      }
    }
    touch(key);
  }

  /// Node.status.volumesAttached, which the kubelet waits for.
  void report_attached(const Key& key, Place& place) {
    const Ref<Node> node_ref = api_.find<Node>(Symbol{}, key.second);
    const Node* node = api_.get(node_ref);
    if (node == nullptr || !client_.writable()) return;
    if (std::find(node->volumes_attached.begin(), node->volumes_attached.end(), key.first) != node->volumes_attached.end()) return;
    CauseId id = engine_.cause();
    for (const Ref<Pod> pod : place.pods) {
      id = api_.record(pod, "SuccessfulAttachVolume", fmt::format("AttachVolume.Attach succeeded for volume \"{}\"", text(key.first)));
    }
    const ScopedCause because(engine_, id);
    api_.update(node_ref, Change::kVolumes, [&](Node& n) { n.volumes_attached.push_back(key.first); });
  }

  // ---- the loop

  void touch(const Key& key) {
    dirty_.insert(key);
    // The wait for an unmount stays its own reason; what made it necessary is kept with the place.
    if (!loop_.is_pending()) {
      const SimDuration since = engine_.now() - started_;
      loop_.set_at(started_ + (since / kLoopPeriod + 1) * kLoopPeriod, [this] { run(); });
    }
  }

  void run() {
    const std::set<Key> keys = std::exchange(dirty_, {});
    // Detach first, so that volumes of pods that moved are free.
    for (const Key& key : keys) consider_detach(key);
    for (const Key& key : keys) consider_attach(key);
  }

  bool is_mounted(const Key& key, const Node* node) const {
    if (node != nullptr) return std::find(node->volumes_in_use.begin(), node->volumes_in_use.end(), key.first) != node->volumes_in_use.end();
    const auto gone = gone_nodes_.find(key.second);
    return gone != gone_nodes_.end() && std::find(gone->second.begin(), gone->second.end(), key.first) != gone->second.end();
  }

  void consider_detach(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    Place& place = found->second;
    if (!place.attachment || place.is_detaching || !place.pods.empty()) {
      if (!place.pods.empty()) engine_.cancel(std::exchange(place.timer, TimerId{}));
      forget_if_idle(key);
      return;
    }
    if (!client_.writable()) return;  // touched again when it is
    if (!place.detach_requested) place.detach_requested = engine_.now();
    const Ref<Node> node_ref = api_.find<Node>(Symbol{}, key.second);
    const Node* node = api_.get(node_ref);
    const bool is_healthy = node != nullptr && node->ready == ConditionStatus::kTrue;
    const bool is_out_of_service = node != nullptr && std::any_of(node->taints.begin(), node->taints.end(), [&](const Taint& t) {
                                     return t.key == api_.well_known().out_of_service;
                                   });
    CauseId id = place.unwanted_because;
    if (is_mounted(key, node)) {
      const SimTime forced_at = *place.detach_requested + kMaxWaitForUnmount;
      if (is_out_of_service) {
        const ScopedCause because(engine_, node->meta.cause);
        id = record(key, "ForceDetach", "the node is tainted as out of service");
        log_.also_caused_by(id, place.unwanted_because);
      } else if (is_healthy || engine_.now() <= forced_at) {
        // A node that is well says itself when the volume is free; one that is not is waited for so long.
        if (!is_healthy && !engine_.is_pending(place.timer)) {
          place.timer = engine_.at(forced_at, [this, key] { touch(key); });
        }
        return;
      } else {
        const ScopedCause because(engine_, node != nullptr && node->meta.cause ? node->meta.cause : place.unwanted_because);
        id = record(key, "ForceDetach", "the node is not healthy, and has not unmounted it for 6 minutes");
        log_.also_caused_by(id, place.unwanted_because);
      }
    }
    engine_.cancel(std::exchange(place.timer, TimerId{}));
    place.is_detaching = true;
    const ScopedCause because(engine_, id);
    if (node != nullptr) {
      api_.update(node_ref, Change::kVolumes, [&](Node& n) { std::erase(n.volumes_attached, key.first); });
    }
    api_.remove(place.attachment);
  }

  CauseId record(const Key& key, std::string_view kind, std::string_view why) {
    return log_.record(kind, api_.subject(Kind::kPersistentVolume, Symbol{}, key.first),
                       fmt::format("volume \"{}\" is detached from node \"{}\" although it may be mounted there: {}", text(key.first), text(key.second), why));
  }

  void consider_attach(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    Place& place = found->second;
    if (place.pods.empty() || place.attachment || !client_.writable()) return;
    const PersistentVolume* volume = api_.get(api_.find<PersistentVolume>(Symbol{}, key.first));
    if (volume == nullptr || !api_.find<Node>(Symbol{}, key.second)) return;
    if (!volume->access_modes.allows_many_nodes() && report_conflict(key, place)) return;
    place.told_of_conflict = false;
    const ScopedCause because(engine_, place.wanted_because);
    VolumeAttachment attachment;
    // csi-<sha256> there.
    attachment.meta.name = api_.names().intern(fmt::format("csi-{}-{}", text(key.first), text(key.second)));
    attachment.meta.finalizers.push_back(api_.names().intern(fmt::format("external-attacher/{}", text(volume->driver))));
    attachment.attacher = volume->driver;
    attachment.volume = key.first;
    attachment.node = key.second;
    place.attachment = api_.create(std::move(attachment));
  }

  /// True when another node has the volume; the pods that wait are told once.
  bool report_conflict(const Key& key, Place& place) {
    bool is_elsewhere = false;
    std::vector<CauseId> causes;
    std::set<Ref<Pod>> others;
    for (auto other = places_.lower_bound(Key{key.first, Symbol{}}); other != places_.end() && other->first.first == key.first; ++other) {
      if (other->first == key || !other->second.attachment) continue;
      is_elsewhere = true;
      others.insert(other->second.pods.begin(), other->second.pods.end());
      if (other->second.pods.empty()) causes.push_back(other->second.unwanted_because);
      const Node* node = api_.get(api_.find<Node>(Symbol{}, other->first.second));
      if (node != nullptr && node->ready != ConditionStatus::kTrue) causes.push_back(node->meta.cause);
    }
    if (!is_elsewhere || std::exchange(place.told_of_conflict, true)) return is_elsewhere;
    for (const Ref<Pod> ref : place.pods) {
      const Pod* pod = api_.get(ref);
      if (pod == nullptr) continue;
      std::vector<std::string> same_namespace;
      std::size_t foreign = 0;
      for (const Ref<Pod> other_ref : others) {
        const Pod* other = api_.get(other_ref);
        if (other == nullptr) continue;
        if (other->meta.ns == pod->meta.ns) same_namespace.push_back(text(other->meta.name));
        else ++foreign;
      }
      std::sort(same_namespace.begin(), same_namespace.end());
      std::string why = "Volume is already exclusively attached to one node and can't be attached to another";
      if (!same_namespace.empty() && foreign > 0) {
        why = fmt::format("Volume is already used by pod(s) {} and {} pod(s) in different namespaces", fmt::join(same_namespace, ", "), foreign);
      } else if (!same_namespace.empty()) {
        why = fmt::format("Volume is already used by pod(s) {}", fmt::join(same_namespace, ", "));
      } else if (foreign > 0) {
        why = fmt::format("Volume is already used by {} pod(s) in different namespaces", foreign);
      }
      const ScopedCause because(engine_, pod->meta.cause ? pod->meta.cause : place.wanted_because);
      const CauseId id = api_.record(ref, "FailedAttachVolume", fmt::format("Multi-Attach error for volume \"{}\" {}", text(key.first), why));
      for (const Ref<Pod> other_ref : others) {
        if (const Pod* other = api_.get(other_ref)) log_.also_caused_by(id, other->meta.cause);
      }
      for (const CauseId cause : causes) log_.also_caused_by(id, cause);
    }
    return true;
  }

  void forget_if_idle(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end() || found->second.attachment || !found->second.pods.empty()) return;
    engine_.cancel(found->second.timer);
    places_.erase(found);
    const auto of_node = volumes_on_.find(key.second);
    of_node->second.erase(key.first);
    if (of_node->second.empty()) volumes_on_.erase(of_node);
  }

  const std::string& text(Symbol symbol) const { return api_.names().text(symbol); }

  Engine& engine_;
  EventLog& log_;
  ApiServer& api_;
  ApiClient& client_;
  Storage& storage_;
  Timer loop_;
  SimTime started_{};
  std::map<Key, Place> places_;
  std::map<Symbol, std::set<Symbol>> volumes_on_;  // the keys of places_ by node
  std::map<Ref<Pod>, std::vector<Key>> wishes_;
  std::set<Ref<Pod>> unresolved_;
  std::set<Key> dirty_;
  std::map<Symbol, std::vector<Symbol>> gone_nodes_;  // the last volumesInUse of nodes whose object is gone
  bool is_open_ = false;
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Controller> make_attach_detach_controller(const ControllerContext& context, Storage& storage) {
  return std::make_unique<AttachDetachController>(context, storage);
}

}  // namespace sim::k8s

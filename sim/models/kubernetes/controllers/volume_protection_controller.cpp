/// Protection of claims and volumes in use: a claim that is deleted stays until no pod that has a node names it, a volume until it is not bound.
///
/// Source:     pkg/controller/volume/{pvcprotection,pvprotection}; reference kubernetes 2.15 (a finished pod still counts until it is deleted).
/// Leaves out: the finalizers of objects that came without them (admission adds them here whenever an object is stored).
/// Checked by: tests/models/kubernetes/volumes/persistent_volume_controller_test.cpp.

#include <algorithm>
#include <set>

#include "sim/models/kubernetes/controllers/volume_controllers.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

namespace {

class VolumeProtectionController final : public Controller, public Watcher {
 public:
  explicit VolumeProtectionController(const ControllerContext& context)
      : api_(context.api), client_(context.client()), budget_(context), queue_(context.engine, budget_, [this](ObjectRef key) { sync(key); }) {
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired() && running_ && client_.writable()) look_at_all();
    });
  }
  ~VolumeProtectionController() override {
    if (running_) api_.unwatch(*this);
  }
  std::string_view name() const override { return "persistentvolumeclaim-protection-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    watches_pods_ = false;
    client_.watch({Kind::kPersistentVolume, Kind::kPersistentVolumeClaim}, *this);
    look_at_all();
  }
  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    waiting_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (event.is<Pod>()) {
      // Only a pod that went can free a claim.
      if (event.type != WatchEvent::Type::kDeleted) return;
      const Pod& pod = event.last_state<Pod>();
      for (const PodVolume& volume : pod.spec->volumes) {
        const Symbol name = claim_name(api_.names(), pod.meta.name, volume);
        if (const auto claim = api_.find<PersistentVolumeClaim>(pod.meta.ns, name); claim && waiting_.contains(ApiServer::untyped(claim))) {
          queue_.add(ApiServer::untyped(claim));
        }
      }
      return;
    }
    if (event.type == WatchEvent::Type::kDeleted) {
      waiting_.erase(event.object);
      return;
    }
    if (event.is<PersistentVolumeClaim>()) note(event.ref<PersistentVolumeClaim>());
    else note(event.ref<PersistentVolume>());
  }

 private:
  void look_at_all() {
    for (const auto& ref : api_.all<PersistentVolumeClaim>().refs()) note(ref);
    for (const auto& ref : api_.all<PersistentVolume>().refs()) note(ref);
  }
  template <class T>
  void note(Ref<T> ref) {
    const T* object = api_.get(ref);
    if (object != nullptr && object->meta.is_deleting()) queue_.add(ApiServer::untyped(ref));
  }

  void sync(ObjectRef key) {
    if (!client_.writable()) return;  // looked at again when it is
    if (key.kind == Kind::kPersistentVolume) {
      const Ref<PersistentVolume> ref{key.slot, key.generation};
      const PersistentVolume* volume = api_.get(ref);
      if (volume == nullptr || !volume->meta.is_deleting() || volume->phase == VolumePhase::kBound) return;
      budget_.take();
      api_.remove_finalizer(ref, api_.well_known().pv_protection);
      return;
    }
    const Ref<PersistentVolumeClaim> ref{key.slot, key.generation};
    const PersistentVolumeClaim* claim = api_.get(ref);
    if (claim == nullptr || !claim->meta.is_deleting()) return;
    if (is_used(*claim)) {
      waiting_.insert(key);
      // Pods are of interest from now on only.
      if (!watches_pods_) client_.watch({Kind::kPod}, *this);
      watches_pods_ = true;
      return;
    }
    waiting_.erase(key);
    budget_.take();
    api_.remove_finalizer(ref, api_.well_known().pvc_protection);
  }

  bool is_used(const PersistentVolumeClaim& claim) const {
    bool used = false;
    api_.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
      if (used || pod.meta.ns != claim.meta.ns || !pod.node_name) return;
      used = std::any_of(pod.spec->volumes.begin(), pod.spec->volumes.end(),
                         [&](const PodVolume& volume) { return find_claim(api_, pod.meta.ns, pod.meta.name, volume) == &claim; });
    });
    return used;
  }

  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  std::set<ObjectRef> waiting_;  // claims that are deleted and still in use
  bool watches_pods_ = false;
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Controller> make_volume_protection_controller(const ControllerContext& context) {
  return std::make_unique<VolumeProtectionController>(context);
}

}  // namespace sim::k8s

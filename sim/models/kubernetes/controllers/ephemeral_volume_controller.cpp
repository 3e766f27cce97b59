/// Ephemeral volume controller: makes the claim of each generic ephemeral volume, owned by its pod, so that it goes with the pod.
///
/// Source:     pkg/controller/volume/ephemeral/controller.go; reference kubernetes 2.17.
/// Leaves out: nothing.
/// Checked by: tests/models/kubernetes/volumes/persistent_volume_controller_test.cpp.

#include <set>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/volume_controllers.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

namespace {

class EphemeralVolumeController final : public Controller, public Watcher {
 public:
  explicit EphemeralVolumeController(const ControllerContext& context)
      : engine_(context.engine), api_(context.api), client_(context.client()), budget_(context), queue_(context.engine, budget_, [this](ObjectRef key) { sync(key); }) {
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired() && running_ && client_.writable() && watches_pods_) look_at_all();
    });
  }
  ~EphemeralVolumeController() override {
    if (running_) api_.unwatch(*this);
  }
  std::string_view name() const override { return "ephemeral-volume-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    watches_pods_ = false;
    client_.watch({Kind::kStorageClass, Kind::kPersistentVolume}, *this);
    open();
  }
  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    told_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (!event.is<Pod>()) {
      open();
      return;
    }
    if (event.type == WatchEvent::Type::kDeleted) {
      told_.erase(event.object);
    } else if (event.type == WatchEvent::Type::kAdded) {
      note(event.ref<Pod>());
    }
  }

 private:
  void open() {
    if (watches_pods_ || !api_.has_storage()) return;
    watches_pods_ = true;
    client_.watch({Kind::kPod}, *this);
    look_at_all();
  }
  void look_at_all() {
    for (const Ref<Pod> ref : api_.all<Pod>().refs()) note(ref);
  }
  void note(Ref<Pod> ref) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || pod->meta.is_deleting()) return;
    for (const PodVolume& volume : pod->spec->volumes) {
      if (volume.ephemeral == nullptr) continue;
      const ScopedCause because(engine_, pod->meta.cause);
      queue_.add(ApiServer::untyped(ref));
      return;
    }
  }

  void sync(ObjectRef key) {
    const Ref<Pod> ref{key.slot, key.generation};
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || pod->meta.is_deleting() || !client_.writable()) return;
    const std::shared_ptr<const PodSpec> spec = pod->spec;
    for (const PodVolume& volume : spec->volumes) {
      if (volume.ephemeral == nullptr) continue;
      const Symbol name = claim_name(api_.names(), pod->meta.name, volume);
      if (const PersistentVolumeClaim* claim = api_.get(api_.find<PersistentVolumeClaim>(pod->meta.ns, name))) {
        const OwnerReference* owner = claim->meta.controller();
        if ((owner == nullptr || owner->owner != key) && told_.insert(key).second) {
          api_.record(ref, "FailedBinding", fmt::format("ephemeral volume {}: PVC {}/{} was not created for pod {}/{} (pod is not owner)",
                                                        api_.names().text(volume.name), api_.names().text(pod->meta.ns), api_.names().text(name),
                                                        api_.names().text(pod->meta.ns), api_.names().text(pod->meta.name)));
        }
        continue;
      }
      budget_.take();
      PersistentVolumeClaim claim = make_claim(api_, pod->meta.ns, name, *volume.ephemeral);
      claim.meta.owners.push_back(OwnerReference{key, pod->meta.uid, true});
      api_.create(std::move(claim));
    }
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  std::set<ObjectRef> told_;
  bool watches_pods_ = false;
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Controller> make_ephemeral_volume_controller(const ControllerContext& context) {
  return std::make_unique<EphemeralVolumeController>(context);
}

}  // namespace sim::k8s

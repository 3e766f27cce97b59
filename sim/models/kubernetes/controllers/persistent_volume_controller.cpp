/// Persistent volume controller: binds claims to volumes, asks for volumes to be made, lets go of volumes whose claim is gone.
///
/// The original also looks at everything every 15 s. Here a claim is looked at again when a volume, a class or the claim itself changes, which
/// is when a pass could find something new.
///
/// Source:     pkg/controller/volume/persistentvolume/pv_controller.go (syncUnboundClaim, syncBoundClaim, syncVolume, bind);
///             reference kubernetes 2.15.
/// Leaves out: in-tree provisioners and recycling; deletion of volumes that no external provisioner made (as with csi, they stay Released).
/// Checked by: tests/models/kubernetes/volumes/persistent_volume_controller_test.cpp.

#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/volume_controllers.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

namespace {

class PersistentVolumeController final : public Controller, public Watcher {
 public:
  explicit PersistentVolumeController(const ControllerContext& context)
      : engine_(context.engine), api_(context.api), client_(context.client()), budget_(context), queue_(context.engine, budget_, [this](ObjectRef key) { sync(key); }) {
    client_.on_availability([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired() && running_ && client_.writable()) look_at_all();
    });
  }
  ~PersistentVolumeController() override {
    if (running_) api_.unwatch(*this);
  }
  std::string_view name() const override { return "persistentvolume-binder-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    client_.watch({Kind::kStorageClass, Kind::kPersistentVolume, Kind::kPersistentVolumeClaim}, *this);
    look_at_all();
  }
  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    told_.clear();
    open_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (!api_.has_storage()) return;
    if (event.is<PersistentVolume>()) note_open(event.ref<PersistentVolume>());
    if (event.type == WatchEvent::Type::kDeleted) {
      told_.erase(event.object);
      if (event.is<PersistentVolumeClaim>()) {
        const PersistentVolumeClaim& claim = event.last_state<PersistentVolumeClaim>();
        if (const Ref<PersistentVolume> volume = api_.find<PersistentVolume>(Symbol{}, claim.spec.volume_name)) queue_.add(ApiServer::untyped(volume));
      } else if (event.is<PersistentVolume>()) {
        const PersistentVolume& volume = event.last_state<PersistentVolume>();
        if (const auto claim = api_.find<PersistentVolumeClaim>(volume.claim_ns, volume.claim_name)) queue_.add(ApiServer::untyped(claim));
      }
      return;
    }
    if (!event.is<StorageClass>()) queue_.add(event.object);
    // A class or a volume that is free may be what a claim waits for.
    if (event.is<PersistentVolumeClaim>()) return;
    if (const PersistentVolume* volume = event.is<PersistentVolume>() ? api_.get(event.ref<PersistentVolume>()) : nullptr) {
      if (volume->claim_name) {
        if (const auto claim = api_.find<PersistentVolumeClaim>(volume->claim_ns, volume->claim_name)) queue_.add(ApiServer::untyped(claim));
        return;
      }
      if (volume->phase != VolumePhase::kAvailable) return;
    }
    add_unbound_claims();
  }

 private:
  void look_at_all() {
    if (!api_.has_storage()) return;
    for (const auto& ref : api_.all<PersistentVolume>().refs()) {
      note_open(ref);
      add_by_its_own_cause(ref);
    }
    for (const auto& ref : api_.all<PersistentVolumeClaim>().refs()) add_by_its_own_cause(ref);
  }
  void note_open(Ref<PersistentVolume> ref) {
    const PersistentVolume* volume = api_.get(ref);
    if (volume != nullptr && is_open(*volume)) open_.insert(ref);
    else open_.erase(ref);
  }
  void add_unbound_claims() {
    api_.all<PersistentVolumeClaim>().for_each([&](Ref<PersistentVolumeClaim> ref, const PersistentVolumeClaim& claim) {
      if (!claim.bind_completed) queue_.add(ApiServer::untyped(ref));
    });
  }
  template <class T>
  void add_by_its_own_cause(Ref<T> ref) {
    const ScopedCause because(engine_, api_.get(ref)->meta.cause);
    queue_.add(ApiServer::untyped(ref));
  }

  void sync(ObjectRef key) {
    if (!client_.writable()) return;  // looked at again when it is
    if (key.kind == Kind::kPersistentVolume) {
      const Ref<PersistentVolume> ref{key.slot, key.generation};
      if (api_.get(ref) != nullptr) sync_volume(ref);
    } else {
      const Ref<PersistentVolumeClaim> ref{key.slot, key.generation};
      const PersistentVolumeClaim* claim = api_.get(ref);
      if (claim == nullptr) return;
      if (claim->bind_completed) sync_bound(ref);
      else sync_unbound(ref);
    }
  }

  /// An event of the claim, once until its words change.
  void tell(Ref<PersistentVolumeClaim> ref, std::string_view kind, const std::string& message) {
    std::string& told = told_[ApiServer::untyped(ref)];
    if (std::exchange(told, message) != message) api_.record(ref, kind, message);
  }

  void sync_unbound(Ref<PersistentVolumeClaim> ref) {
    const PersistentVolumeClaim& claim = *api_.get(ref);
    if (claim.spec.volume_name) {
      const Ref<PersistentVolume> wanted = api_.find<PersistentVolume>(Symbol{}, claim.spec.volume_name);
      const PersistentVolume* volume = api_.get(wanted);
      if (volume == nullptr) return;  // may still come
      if (!volume->claim_name) {
        if (volume->bytes < claim.spec.bytes) {
          tell(ref, "VolumeMismatch", fmt::format("Cannot bind to requested volume \"{}\": requested PV is too small", text(volume->meta.name)));
        } else if (volume->storage_class != claim.spec.storage_class.value_or(Symbol{})) {
          tell(ref, "VolumeMismatch", fmt::format("Cannot bind to requested volume \"{}\": storageClassName does not match", text(volume->meta.name)));
        } else if (!volume->access_modes.has_all(claim.spec.access_modes)) {
          tell(ref, "VolumeMismatch", fmt::format("Cannot bind to requested volume \"{}\": incompatible accessMode", text(volume->meta.name)));
        } else if (volume->block != claim.spec.block) {
          tell(ref, "VolumeMismatch", fmt::format("Cannot bind to requested volume \"{}\": incompatible volumeMode", text(volume->meta.name)));
        } else {
          bind(ref, wanted);
        }
      } else if (is_claimed_by(*volume, claim)) {
        bind(ref, wanted);
      } else {
        tell(ref, "FailedBinding", fmt::format("volume \"{}\" already bound to a different claim.", text(volume->meta.name)));
      }
      return;
    }
    const bool delayed = waits_for_consumer(api_, claim) && !claim.selected_node;
    const std::vector<Ref<PersistentVolume>> candidates(open_.begin(), open_.end());
    VolumeSearch search;
    search.candidates = &candidates;
    search.only_reserved = delayed;
    if (const Ref<PersistentVolume> found = find_volume(api_, claim, search)) {
      bind(ref, found);
      return;
    }
    if (delayed) {
      tell(ref, "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
      return;
    }
    if (!claim.spec.storage_class) {
      // A default class that came later is given to claims that wait without one.
      const StorageClass* standard = default_class(api_);
      if (standard != nullptr) {
        const Symbol given = standard->meta.name;
        budget_.take();
        api_.update(ref, Change::kSpec, [given](PersistentVolumeClaim& c) { c.spec.storage_class = given; });
        return;
      }
    }
    if (!claim.spec.storage_class || !*claim.spec.storage_class) {
      tell(ref, "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
      return;
    }
    const StorageClass* storage_class = class_of(api_, claim);
    if (storage_class == nullptr) {
      tell(ref, "ProvisioningFailed", fmt::format("storageclass.storage.k8s.io \"{}\" not found", text(*claim.spec.storage_class)));
      return;
    }
    const Symbol provisioner = storage_class->provisioner;
    if (provisioner == api_.well_known().no_provisioner) {
      tell(ref, "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
      return;
    }
    if (claim.provisioner == provisioner) return;  // asked already
    tell(ref, "ExternalProvisioning",
         fmt::format("Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. If volume "
                     "creation is delayed, please verify that the provisioner is running and correctly registered.",
                     text(provisioner)));
    budget_.take();
    api_.update(ref, Change::kSpec, [provisioner](PersistentVolumeClaim& c) { c.provisioner = provisioner; });
  }

  void sync_bound(Ref<PersistentVolumeClaim> ref) {
    const PersistentVolumeClaim& claim = *api_.get(ref);
    const Ref<PersistentVolume> bound = api_.find<PersistentVolume>(Symbol{}, claim.spec.volume_name);
    const PersistentVolume* volume = api_.get(bound);
    if (volume == nullptr) {
      lose(ref, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    } else if (!volume->claim_name) {
      bind(ref, bound);
    } else if (volume->claim_ns == claim.meta.ns && volume->claim_name == claim.meta.name && volume->claim_uid == claim.meta.uid) {
      if (claim.phase != ClaimPhase::kBound) bind(ref, bound);
    } else {
      lose(ref, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly");
    }
  }

  void lose(Ref<PersistentVolumeClaim> ref, std::string_view kind, const std::string& message) {
    if (api_.get(ref)->phase == ClaimPhase::kLost) return;
    tell(ref, kind, message);
    budget_.take();
    api_.update(ref, Change::kPhase, [](PersistentVolumeClaim& c) { c.phase = ClaimPhase::kLost; });
  }

  /// Four writes; each is skipped when it changes nothing, so that a pass that was cut short is taken up again.
  void bind(Ref<PersistentVolumeClaim> claim_ref, Ref<PersistentVolume> volume_ref) {
    const ObjectMeta claim = api_.get(claim_ref)->meta;
    const Symbol volume_name = api_.get(volume_ref)->meta.name;
    if (api_.get(volume_ref)->claim_uid != claim.uid) {
      budget_.take();
      api_.update(volume_ref, Change::kBinding, [&](PersistentVolume& v) {
        v.claim_ns = claim.ns;
        v.claim_name = claim.name;
        v.claim_uid = claim.uid;
      });
    }
    set_phase(volume_ref, VolumePhase::kBound);
    if (api_.get(claim_ref)->spec.volume_name != volume_name || !api_.get(claim_ref)->bind_completed) {
      budget_.take();
      api_.update(claim_ref, Change::kBinding, [&](PersistentVolumeClaim& c) {
        c.spec.volume_name = volume_name;
        c.bind_completed = true;
      });
    }
    if (api_.get(claim_ref)->phase != ClaimPhase::kBound) {
      budget_.take();
      api_.update(claim_ref, Change::kPhase, [](PersistentVolumeClaim& c) { c.phase = ClaimPhase::kBound; });
    }
    told_.erase(ApiServer::untyped(claim_ref));
  }

  void set_phase(Ref<PersistentVolume> ref, VolumePhase phase) {
    if (api_.get(ref)->phase == phase) return;
    budget_.take();
    api_.update(ref, Change::kPhase, [phase](PersistentVolume& v) { v.phase = phase; });
  }

  void sync_volume(Ref<PersistentVolume> ref) {
    const PersistentVolume& volume = *api_.get(ref);
    if (volume.meta.is_deleting()) return;
    if (!volume.claim_name || volume.claim_uid == 0) {
      if (volume.phase == VolumePhase::kPending) set_phase(ref, VolumePhase::kAvailable);
      return;
    }
    const PersistentVolumeClaim* claim = api_.get(api_.find<PersistentVolumeClaim>(volume.claim_ns, volume.claim_name));
    if (claim == nullptr || claim->meta.uid != volume.claim_uid) {
      if (volume.phase == VolumePhase::kReleased || volume.phase == VolumePhase::kFailed) return;
      const CauseId id = api_.record(ref, "VolumeReleased",
                                     fmt::format("claim {}/{} is gone; reclaim policy {}", text(volume.claim_ns), text(volume.claim_name),
                                                 volume.reclaim_policy == ReclaimPolicy::kDelete ? "Delete" : "Retain"));
      const ScopedCause because(engine_, id);
      set_phase(ref, VolumePhase::kReleased);
      return;
    }
    if (claim->spec.volume_name == volume.meta.name) {
      if (claim->bind_completed) set_phase(ref, VolumePhase::kBound);
    } else if (claim->spec.volume_name) {
      // The claim took another volume. One that was made for it is thrown away, one that a person made is free again.
      if (volume.is_dynamic && volume.reclaim_policy == ReclaimPolicy::kDelete) {
        set_phase(ref, VolumePhase::kReleased);
        return;
      }
      budget_.take();
      api_.update(ref, Change::kBinding, [](PersistentVolume& v) {
        v.claim_ns = v.claim_name = Symbol{};
        v.claim_uid = 0;
      });
      set_phase(ref, VolumePhase::kAvailable);
    }
  }

  const std::string& text(Symbol symbol) const { return api_.names().text(symbol); }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  std::map<ObjectRef, std::string> told_;
  std::set<Ref<PersistentVolume>> open_;  // not bound: where a search looks
  bool running_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Controller> make_persistent_volume_controller(const ControllerContext& context) {
  return std::make_unique<PersistentVolumeController>(context);
}

}  // namespace sim::k8s

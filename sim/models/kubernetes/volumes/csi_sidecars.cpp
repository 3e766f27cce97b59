#include "sim/models/kubernetes/volumes/csi_sidecars.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

namespace {

constexpr SimDuration kRetryFirst = std::chrono::seconds(1);
constexpr SimDuration kRetryMax = std::chrono::minutes(5);

/// The name of a dynamically made volume: "pvc-" and the claim's uid.
std::string volume_name(const PersistentVolumeClaim& claim) { return fmt::format("pvc-{:08x}", claim.meta.uid); }

}  // namespace

CsiSidecars::CsiSidecars(Engine& engine, ApiServer& api, Storage& storage) : engine_(engine), api_(api), storage_(storage) {}

CsiSidecars::~CsiSidecars() { api_.unwatch(*this); }

void CsiSidecars::start() {
  api_.watch({Kind::kPersistentVolumeClaim, Kind::kPersistentVolume, Kind::kVolumeAttachment}, *this);
  api_.on_availability([this] {
    if (!api_.writable()) return;
    for (const auto& [object, write] : std::exchange(unwritten_, {})) write();
    look_at_all();
  });
  look_at_all();
}

void CsiSidecars::look_at_all() {
  for (const Ref<PersistentVolumeClaim> ref : api_.all<PersistentVolumeClaim>().refs()) look_at_claim(ref);
  for (const Ref<PersistentVolume> ref : api_.all<PersistentVolume>().refs()) look_at_volume(ref);
  for (const Ref<VolumeAttachment> ref : api_.all<VolumeAttachment>().refs()) look_at_attachment(ref);
}

void CsiSidecars::on_event(const WatchEvent& event) {
  if (event.type == WatchEvent::Type::kDeleted) {
    retries_.erase(event.object);
    return;
  }
  if (event.is<PersistentVolumeClaim>()) look_at_claim(event.ref<PersistentVolumeClaim>());
  else if (event.is<PersistentVolume>()) look_at_volume(event.ref<PersistentVolume>());
  else look_at_attachment(event.ref<VolumeAttachment>());
}

SimDuration CsiSidecars::retry_after(ObjectRef object) {
  const std::uint32_t failures = retries_[object].failures++;
  return failures >= 9 ? kRetryMax : std::min<SimDuration>(kRetryFirst * (std::int64_t{1} << failures), kRetryMax);
}

// ---- provisioner

void CsiSidecars::look_at_claim(Ref<PersistentVolumeClaim> ref) {
  const PersistentVolumeClaim* claim = api_.get(ref);
  const ObjectRef key = ApiServer::untyped(ref);
  if (claim == nullptr || !claim->provisioner || claim->spec.volume_name || claim->meta.is_deleting() || busy_.contains(key) || !api_.writable()) return;
  const StorageClass* storage_class = class_of(api_, *claim);
  if (storage_class == nullptr) return;
  if (storage_class->wait_for_first_consumer && !claim->selected_node) return;
  const Symbol name = api_.names().intern(volume_name(*claim));
  if (api_.find<PersistentVolume>(Symbol{}, name)) return;  // made already; the binder is at it
  StorageBackend::ProvisionRequest request;
  request.volume = name;
  request.claim_ns = claim->meta.ns;
  request.claim_name = claim->meta.name;
  request.bytes = claim->spec.bytes;
  request.access_modes = claim->spec.access_modes;
  request.block = claim->spec.block;
  request.parameters = storage_class->parameters;
  request.node = claim->selected_node;
  busy_.insert(key);
  const ScopedCause because(engine_, claim->meta.cause);
  const Symbol provisioner = claim->provisioner;
  storage_.backend(provisioner).provision(request, [this, ref, provisioner, request](const StorageBackend::Provisioned& answer) {
    provisioned(ref, provisioner, request, answer);
  });
}

void CsiSidecars::provisioned(Ref<PersistentVolumeClaim> ref, Symbol provisioner, const StorageBackend::ProvisionRequest& request,
                              const StorageBackend::Provisioned& answer) {
  const ObjectRef key = ApiServer::untyped(ref);
  if (!api_.writable()) {
    unwritten_[key] = [this, ref, provisioner, request, answer] { provisioned(ref, provisioner, request, answer); };
    return;
  }
  busy_.erase(key);
  const PersistentVolumeClaim* claim = api_.get(ref);
  const StorageClass* storage_class = claim == nullptr ? nullptr : class_of(api_, *claim);
  if (claim == nullptr || storage_class == nullptr) {
    // The claim went meanwhile: what was made for it is thrown away.
    if (answer.error.empty()) storage_.backend(provisioner).remove(request.volume, [](const std::string&) {});
    return;
  }
  if (!answer.error.empty()) {
    Retry& retry = retries_[key];
    if (std::exchange(retry.told, answer.error) != answer.error) {
      api_.record(ref, "ProvisioningFailed",
                  fmt::format("failed to provision volume with StorageClass \"{}\": {}", api_.names().text(storage_class->meta.name), answer.error));
    }
    if (answer.reschedule && claim->selected_node) {
      // The scheduler is told to look for another node.
      api_.update(ref, Change::kSpec, [](PersistentVolumeClaim& c) { c.selected_node = Symbol{}; });
      return;
    }
    engine_.after(retry_after(key), [this, ref] { look_at_claim(ref); });
    return;
  }
  retries_.erase(key);
  PersistentVolume made;
  made.meta.name = request.volume;
  made.meta.finalizers.push_back(api_.well_known().pv_protection);
  made.bytes = answer.bytes > 0 ? answer.bytes : request.bytes;
  made.access_modes = request.access_modes;
  made.reclaim_policy = storage_class->reclaim_policy;
  made.storage_class = storage_class->meta.name;
  made.block = request.block;
  made.driver = provisioner;
  made.has_node_affinity = !answer.node_affinity.empty();
  made.node_affinity = answer.node_affinity;
  made.is_dynamic = true;
  made.claim_ns = claim->meta.ns;
  made.claim_name = claim->meta.name;
  made.claim_uid = claim->meta.uid;
  const CauseId id = api_.record(ref, "ProvisioningSucceeded", fmt::format("Successfully provisioned volume {}", api_.names().text(request.volume)));
  const ScopedCause because(engine_, id);
  api_.create(std::move(made));
}

void CsiSidecars::look_at_volume(Ref<PersistentVolume> ref) {
  const PersistentVolume* volume = api_.get(ref);
  const ObjectRef key = ApiServer::untyped(ref);
  if (volume == nullptr || !volume->is_dynamic || volume->phase != VolumePhase::kReleased || volume->reclaim_policy != ReclaimPolicy::kDelete) return;
  if (busy_.contains(key) || !api_.writable()) return;
  busy_.insert(key);
  storage_.backend(volume->driver).remove(volume->meta.name, [this, ref, key](const std::string& error) {
    busy_.erase(key);
    if (!error.empty()) {
      engine_.after(retry_after(key), [this, ref] { look_at_volume(ref); });
      if (std::exchange(retries_[key].told, error) != error) api_.record(ref, "VolumeFailedDelete", error);
      return;
    }
    const auto write = [this, ref] { api_.remove(ref); };
    if (api_.writable()) write();
    else unwritten_[key] = write;
  });
}

// ---- attacher

void CsiSidecars::look_at_attachment(Ref<VolumeAttachment> ref) {
  const VolumeAttachment* attachment = api_.get(ref);
  const ObjectRef key = ApiServer::untyped(ref);
  if (attachment == nullptr || busy_.contains(key) || !api_.writable()) return;
  StorageBackend& backend = storage_.backend(attachment->attacher);
  if (attachment->meta.is_deleting()) {
    busy_.insert(key);
    backend.detach(attachment->volume, attachment->node, [this, ref](const std::string& error) { detached(ref, error); });
  } else if (!attachment->attached) {
    busy_.insert(key);
    backend.attach(attachment->volume, attachment->node, [this, ref](const std::string& error) { attached(ref, error); });
  }
}

void CsiSidecars::attached(Ref<VolumeAttachment> ref, const std::string& error) {
  const ObjectRef key = ApiServer::untyped(ref);
  if (!api_.writable()) {
    unwritten_[key] = [this, ref, error] { attached(ref, error); };
    return;
  }
  busy_.erase(key);
  const VolumeAttachment* attachment = api_.get(ref);
  if (attachment == nullptr) return;
  if (attachment->meta.is_deleting()) {
    look_at_attachment(ref);  // not wanted any more
    return;
  }
  if (!error.empty()) {
    if (attachment->error != error) api_.update(ref, Change::kVolumes, [&error](VolumeAttachment& a) { a.error = error; });
    engine_.after(retry_after(key), [this, ref] { look_at_attachment(ref); });
    return;
  }
  retries_.erase(key);
  api_.update(ref, Change::kVolumes, [](VolumeAttachment& a) {
    a.attached = true;
    a.error.clear();
  });
}

void CsiSidecars::detached(Ref<VolumeAttachment> ref, const std::string& error) {
  const ObjectRef key = ApiServer::untyped(ref);
  if (!api_.writable()) {
    unwritten_[key] = [this, ref, error] { detached(ref, error); };
    return;
  }
  busy_.erase(key);
  const VolumeAttachment* attachment = api_.get(ref);
  if (attachment == nullptr) return;
  if (!error.empty()) {
    if (attachment->error != error) api_.update(ref, Change::kVolumes, [&error](VolumeAttachment& a) { a.error = error; });
    engine_.after(retry_after(key), [this, ref] { look_at_attachment(ref); });
    return;
  }
  retries_.erase(key);
  const std::vector<Symbol> finalizers = attachment->meta.finalizers;
  for (const Symbol finalizer : finalizers) api_.remove_finalizer(ref, finalizer);
}

}  // namespace sim::k8s

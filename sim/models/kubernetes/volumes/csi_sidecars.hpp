/// The external provisioner and the external attacher: they turn claims into volumes and VolumeAttachments into calls of the storage system.
///
/// Source:     kubernetes-csi external-provisioner (pkg/controller, sig-storage-lib-external-provisioner controller.go: retry 1 s doubling to
///             5 min) and external-attacher (pkg/controller/csi_handler.go: retry 1 s doubling to 5 min); reference platform 4.3.
/// Leaves out: their pods, leases and gRPC time-outs (150 s, after which the same call is made again): they are always there while the API is.
/// Checked by: tests/models/kubernetes/volumes/volume_story_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"

namespace sim::k8s {

class CsiSidecars : public Watcher {
 public:
  CsiSidecars(Engine& engine, ApiServer& api, Storage& storage);
  ~CsiSidecars() override;
  CsiSidecars(const CsiSidecars&) = delete;
  CsiSidecars& operator=(const CsiSidecars&) = delete;

  void start();
  void on_event(const WatchEvent& event) override;

 private:
  struct Retry {
    std::uint32_t failures = 0;
    std::string told;
  };
  void look_at_all();
  void look_at_claim(Ref<PersistentVolumeClaim> ref);
  void look_at_volume(Ref<PersistentVolume> ref);
  void look_at_attachment(Ref<VolumeAttachment> ref);
  void provisioned(Ref<PersistentVolumeClaim> ref, Symbol provisioner, const StorageBackend::ProvisionRequest& request,
                   const StorageBackend::Provisioned& answer);
  void attached(Ref<VolumeAttachment> ref, const std::string& error);
  void detached(Ref<VolumeAttachment> ref, const std::string& error);
  SimDuration retry_after(ObjectRef object);

  Engine& engine_;
  ApiServer& api_;
  Storage& storage_;
  std::set<ObjectRef> busy_;         // a call is on its way
  std::map<ObjectRef, Retry> retries_;
  std::map<ObjectRef, std::function<void()>> unwritten_;  // answers that the API could not take yet
};

}  // namespace sim::k8s

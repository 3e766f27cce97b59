#include "sim/models/kubernetes/volumes/storage.hpp"

namespace sim::k8s {

StorageBackend& Storage::backend(Symbol provisioner) {
  const auto found = backends_.find(provisioner);
  if (found != backends_.end()) return *found->second;
  return *simple(provisioner);
}

SimpleBackend* Storage::simple(Symbol provisioner) {
  if (backends_.contains(provisioner)) return nullptr;
  std::unique_ptr<SimpleBackend>& own = simple_[provisioner];
  if (own == nullptr) {
    own = std::make_unique<SimpleBackend>(api_.engine(), simple_backend_params(api_.names().text(provisioner)),
                                          [this](Symbol volume) { io_changed(volume); });
  }
  return own.get();
}

}  // namespace sim::k8s

/// Which storage system serves which provisioner, and who hears when the I/O of a volume stops or goes on.
///
/// A model of a storage system registers itself for its provisioners' names; any other name gets a SimpleBackend of its own.
///
/// Checked by: tests/models/kubernetes/volumes/*_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/volumes/simple_backend.hpp"
#include "sim/models/kubernetes/volumes/storage_backend.hpp"

namespace sim::k8s {

class Storage {
 public:
  explicit Storage(ApiServer& api) : api_(api) {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  /// `backend` serves the provisioner (and CSI driver) of this name. It is not owned, and stays as long as this. Call before time passes.
  void serve(Symbol provisioner, StorageBackend& backend) { backends_[provisioner] = &backend; }
  /// The system of a provisioner or driver.
  StorageBackend& backend(Symbol provisioner);
  /// The built-in one of this name; null when a model serves it.
  SimpleBackend* simple(Symbol provisioner);

  /// Called when the I/O of a volume stopped or goes on, on some node at least: ask the backend on which. The current cause explains it.
  void on_io(std::function<void(Symbol volume)> listener) { listeners_.push_back(std::move(listener)); }
  /// For backends.
  void io_changed(Symbol volume) {
    for (const auto& listener : listeners_) listener(volume);
  }

 private:
  ApiServer& api_;
  std::map<Symbol, StorageBackend*> backends_;
  std::map<Symbol, std::unique_ptr<SimpleBackend>> simple_;
  std::vector<std::function<void(Symbol)>> listeners_;
};

}  // namespace sim::k8s

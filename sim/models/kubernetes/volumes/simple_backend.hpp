/// A storage system of which only the latencies are known: for provisioners that no model claims. Its volumes are always there, until
/// somebody blocks them.
///
/// Source:     reference platform 4.3 (attach and NodeStage of a block volume: median 3 s, provisioning 1 - 3 s more; attachRequired false for
///             shared filesystems); limits of volumes per node as the drivers' documentation gives them for common machines.
/// Leaves out: capacity; zones (volumes are usable from everywhere); the spread of the latencies; failures other than block().
/// Checked by: tests/models/kubernetes/volumes/simple_backend_test.cpp.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/volumes/pending_calls.hpp"
#include "sim/models/kubernetes/volumes/storage_backend.hpp"

namespace sim::k8s {

struct SimpleBackendParams {
  bool attaches = true;
  std::optional<std::int64_t> volumes_per_node;
  SimDuration provision{std::chrono::seconds(2)};
  SimDuration remove{std::chrono::seconds(1)};
  SimDuration attach{std::chrono::seconds(1)};
  SimDuration detach{std::chrono::seconds(1)};
  SimDuration mount{std::chrono::seconds(2)};
  SimDuration unmount{std::chrono::milliseconds(500)};
};

/// What is assumed of a provisioner or driver of this name.
SimpleBackendParams simple_backend_params(std::string_view provisioner);

class SimpleBackend final : public StorageBackend {
 public:
  using IoChanged = std::function<void(Symbol volume)>;
  SimpleBackend(Engine& engine, SimpleBackendParams params, IoChanged io_changed)
      : engine_(engine), params_(params), io_changed_(std::move(io_changed)), calls_(engine, [this](const PendingCalls::Call& call) { return !hangs(call); }) {}

  /// The volume's I/O hangs from now on, and so do mounts and unmounts of it, until unblock(). The current cause explains it.
  void block(Symbol volume);
  void unblock(Symbol volume);
  /// Every volume of this system, also those still to be made. Provisioning, attach and detach hang as well.
  void block_all();
  void unblock_all();

  void provision(const ProvisionRequest& request, std::function<void(const Provisioned&)> done) override;
  void remove(Symbol volume, Done done) override;
  bool needs_attach() const override { return params_.attaches; }
  std::optional<std::int64_t> volumes_per_node() const override { return params_.volumes_per_node; }
  void attach(Symbol volume, Symbol node, Done done) override;
  void detach(Symbol volume, Symbol node, Done done) override;
  void mount(Symbol volume, Symbol node, Done done) override;
  void unmount(Symbol volume, Symbol node, Done done) override;
  void adopt_mount(Symbol volume, Symbol node) override { mounted_.emplace(volume, node); }
  void forget_node(Symbol node) override;
  bool is_io_possible(Symbol volume, Symbol node) const override;
  CauseId io_cause(Symbol volume, Symbol node) const override;

 private:
  bool hangs(const PendingCalls::Call& call) const;
  void tell(const std::set<Symbol>& volumes);

  Engine& engine_;
  SimpleBackendParams params_;
  IoChanged io_changed_;
  PendingCalls calls_;
  std::map<Symbol, CauseId> blocked_;
  bool all_blocked_ = false;
  CauseId all_cause_{};
  std::set<std::pair<Symbol, Symbol>> mounted_;  // volume, node
};

}  // namespace sim::k8s

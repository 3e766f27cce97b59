/// The simulated cluster behind the documents of the API: what the model writes becomes documents at once, what clients write becomes typed objects.
///
/// Every write of the model is rendered over the document of its object and published with its own resourceVersion; one sequence for both. A client's
/// write is decoded by the manifest reader and stored in the model's ApiServer, from where it comes back the same way, so that the document and the
/// typed object never differ. Leases of kubelets are rendered when somebody may look.
///
/// Records: Created, Updated, Deleted (by a client; the subject is the object).
/// Leaves out: managedFields of what the models write; endpoints of the model as EndpointSlices (Endpoints are rendered; a real controller-manager's
/// EndpointSlices are read).
/// Checked by: tests/loop/kubectl.py.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/loop/rest/api.hpp"
#include "sim/loop/store/store.hpp"

namespace sim {
class World;
}

namespace sim::loop {

struct BridgeOptions {
  std::int64_t epoch_nanoseconds = 0;  // since 1970, of virtual time 0
  bool external_controllers = false;
};

class Bridge : public Platform {
 public:
  /// The numbers of a Store of this world.
  static Store::Numbers numbers(World& world, std::int64_t epoch_nanoseconds);
  /// The world is built and not started, or runs already: all that is there becomes documents.
  Bridge(World& world, Store& store, BridgeOptions options);
  ~Bridge() override;

  /// Who writes next, as the log is to name it.
  void set_client(std::string name);
  /// Brings the leases of the kubelets up to now.
  void refresh_leases();

  std::optional<Refusal> bind(const Json& pod, const std::string& node) override;
  std::optional<Refusal> evict(const Json& pod, const Deletion& deletion) override;
  std::vector<LogLine> log(const Json& pod, const std::string& container) override;
  bool is_readable() const override;
  bool is_writable() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::loop

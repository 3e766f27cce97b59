/// EndpointSlices that a real controller-manager writes, as the endpoints that the model's kube-proxies know.
///
/// Source:     pkg/proxy/endpointslicecache.go: all slices with one kubernetes.io/service-name are one Service's; `ready` missing means true.
/// Leaves out: endpoints that are no pods of the cluster, ports, hints.
/// Checked by: tests/loop/virtual_time.py (without them the Service would be down all the time).
#pragma once

#include <string>

#include "sim/loop/store/store.hpp"

namespace sim {
class World;
}

namespace sim::loop {

class EndpointSlices : public Watcher {
 public:
  EndpointSlices(World& world, Store& store);
  ~EndpointSlices() override;
  EndpointSlices(const EndpointSlices&) = delete;
  EndpointSlices& operator=(const EndpointSlices&) = delete;

  void on_change(const DocumentChange& change) override;

 private:
  /// Reads all slices of a Service anew.
  void gather(const std::string& ns, const std::string& service);

  World& world_;
  Collection& slices_;
};

}  // namespace sim::loop

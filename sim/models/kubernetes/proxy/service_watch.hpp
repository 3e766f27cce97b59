/// The endpoints of a few Services as clients meet them: which the API lists as ready, and which of those really serve.
///
/// Source:     reference kubernetes 5.1, 7.1.
/// Leaves out: the delay until each node's kube-proxy knows of a change (up to 1 s).
/// Checked by: tests/models/registry/registries_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"

namespace sim::k8s {

class ServiceWatch final : public Watcher {
 public:
  struct Endpoint {
    Ref<Pod> pod;
    bool serves = false;
  };

  ServiceWatch(Engine& engine, ApiServer& api, Kubelets& kubelets) : engine_(engine), api_(api), kubelets_(kubelets) {}
  ~ServiceWatch() override;
  ServiceWatch(const ServiceWatch&) = delete;
  ServiceWatch& operator=(const ServiceWatch&) = delete;

  /// Before start(). The same Service has the same number.
  std::size_t follow(Symbol ns, Symbol service);
  void start();
  /// Called after each change of a followed Service; the current cause explains it. `pod` is set when it began or ceased to serve.
  void on_change(std::function<void(std::size_t service, Ref<Pod> pod)> listener) { listener_ = std::move(listener); }

  /// Those that the API lists as ready, by name.
  const std::vector<Endpoint>& endpoints(std::size_t service) const { return services_[service].endpoints; }
  bool serves(std::size_t service) const;
  /// Why the last endpoint ceased to serve (or the first one serves again).
  CauseId cause(std::size_t service) const { return services_[service].cause; }

  void on_event(const WatchEvent& event) override;

 private:
  struct Service {
    Symbol ns;
    Symbol name;
    std::vector<Endpoint> endpoints;
    bool served = false;
    CauseId cause{};
  };
  void serving_changed(Ref<Pod> pod, bool serving);
  void note(Service& service);

  Engine& engine_;
  ApiServer& api_;
  Kubelets& kubelets_;
  std::vector<Service> services_;
  std::function<void(std::size_t, Ref<Pod>)> listener_;
  bool watching_ = false;
};

}  // namespace sim::k8s

#include "chaos/outages/control_plane_observer.hpp"

namespace chaos {

using sim::k8s::Component;

const char* to_string(Function function) {
  switch (function) {
    case Function::kRead: return "api-read";
    case Function::kWrite: return "api-write";
    case Function::kQuorum: return "etcd-quorum";
    case Function::kScheduling: return "scheduler";
    case Function::kReconciling: return "controller-manager";
  }
  return "";
}

ControlPlaneObserver::ControlPlaneObserver(sim::Engine& engine, sim::k8s::ApiServer& api, sim::k8s::ControlPlane& control_plane)
    : engine_(engine), api_(api), control_plane_(control_plane) {}

void ControlPlaneObserver::start() {
  look();
  // The leaders that a world begins with are there without anybody being told: looked at again once it has started.
  engine_.after(SimDuration::zero(), [this] { look(); });
  api_.on_availability([this] { look(); });
  control_plane_.on_leadership([this](Component, bool) { look(); });
  control_plane_.on_reachability([this] { look(); });
}

void ControlPlaneObserver::look() {
  const auto set = [this](Function function, bool works) {
    signals_[static_cast<std::size_t>(function)].set(engine_.now(), works ? 1.0 : 0.0, engine_.cause());
  };
  set(Function::kRead, api_.readable());
  set(Function::kWrite, api_.writable());
  set(Function::kQuorum, control_plane_.has_quorum());
  set(Function::kScheduling, control_plane_.leads(Component::kScheduler));
  set(Function::kReconciling, control_plane_.leads(Component::kControllerManager));
}

}  // namespace chaos

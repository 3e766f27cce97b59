/// Whether the control plane can be read, written, has quorum, schedules and reconciles, over time.
///
/// Checked by: tests/chaos/outages_test.cpp.
#pragma once

#include <array>

#include "chaos/outages/signal.hpp"
#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"

namespace chaos {

/// What of the control plane is looked at.
enum class Function : std::uint8_t { kRead, kWrite, kQuorum, kScheduling, kReconciling };
inline constexpr std::size_t kFunctionCount = 5;
/// "api-read", "api-write", "etcd-quorum", "scheduler", "controller-manager"
const char* to_string(Function function);

class ControlPlaneObserver {
 public:
  ControlPlaneObserver(sim::Engine& engine, sim::k8s::ApiServer& api, sim::k8s::ControlPlane& control_plane);
  /// Hears of every change from now on.
  void start();
  /// Takes over the state as it is: once the world has started, which tells nobody of the leaders that it begins with.
  void look();
  const Signal& of(Function function) const { return signals_[static_cast<std::size_t>(function)]; }

 private:
  sim::Engine& engine_;
  sim::k8s::ApiServer& api_;
  sim::k8s::ControlPlane& control_plane_;
  std::array<Signal, kFunctionCount> signals_;
};

}  // namespace chaos

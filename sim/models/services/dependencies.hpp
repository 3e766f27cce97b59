/// What pods need of Services: an API server of OpenStack needs Keystone, Keystone needs its database, the database needs its volume. A pod whose needed
/// Service has no endpoint that serves answers nobody, though it runs and its probes, which look at nothing beyond its port, find it well.
///
/// Records, subject "Service/NAMESPACE/NAME": DependencyDown, DependencyUp; the cause is what took the last endpoint (or brought the first one back).
///
/// Source:     reference platform 7.4 (dependencies of OpenStack's services), 7.5 (what fails when a component is down).
/// Leaves out: partial failures (a request that needs nothing of the missing Service still fails), caches that bridge an outage, the order of start-up
///             (init containers that wait), time-outs and retries of callers.
/// Checked by: tests/chaos/ceph_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/behaviour.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"

namespace sim::services {

class Dependencies final : public k8s::Watcher {
 public:
  Dependencies(Engine& engine, EventLog& log, k8s::ApiServer& api, k8s::Kubelets& kubelets, const std::vector<k8s::PodBehaviour>& behaviours);
  ~Dependencies() override;
  Dependencies(const Dependencies&) = delete;
  Dependencies& operator=(const Dependencies&) = delete;

  /// Hears of every change from now on. Nothing happens in a world in which nobody needs anything.
  void start();
  void on_event(const k8s::WatchEvent& event) override;

 private:
  using Need = k8s::PodBehaviour::Need;
  struct ServiceState {
    bool serves = false;
    CauseId cause{};
    std::set<k8s::Ref<k8s::Pod>> endpoints;  // that the API lists as ready
  };
  void pod_changed(k8s::Ref<k8s::Pod> pod, bool serving);
  void look(const Need& need);
  void tell_dependents(const Need& need);
  std::set<Need> needs_of(const k8s::Pod& pod) const;
  void update(k8s::Ref<k8s::Pod> ref, const k8s::Pod& pod);

  Engine& engine_;
  EventLog& log_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  const std::vector<k8s::PodBehaviour>& behaviours_;
  std::map<Need, ServiceState> services_;
  bool watching_ = false;
};

}  // namespace sim::services

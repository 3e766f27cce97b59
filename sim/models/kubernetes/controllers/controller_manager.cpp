#include "sim/models/kubernetes/controllers/controller_manager.hpp"

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "sim/models/kubernetes/controllers/volume_controllers.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

// THE list of controllers. They start in this order when the lease is gained.
ControllerManager::ControllerManager(const ControllerContext& context, Kubelets& kubelets, Storage& storage, const ControllerManagerConfig& config) {
  controllers_.push_back(make_node_lifecycle_controller(context, kubelets, config));
  controllers_.push_back(make_taint_eviction_controller(context));
  controllers_.push_back(make_pod_gc_controller(context, kubelets, config));
  controllers_.push_back(make_disruption_controller(context));
  controllers_.push_back(make_endpoints_controller(context));
  controllers_.push_back(make_deployment_controller(context));
  controllers_.push_back(make_replica_set_controller(context));
  controllers_.push_back(make_stateful_set_controller(context));
  controllers_.push_back(make_daemon_set_controller(context));
  controllers_.push_back(make_job_controller(context));
  controllers_.push_back(make_cron_job_controller(context, config.start_unix_seconds));
  controllers_.push_back(make_ttl_after_finished_controller(context));
  controllers_.push_back(make_garbage_collector(context));
  controllers_.push_back(make_persistent_volume_controller(context));
  controllers_.push_back(make_volume_protection_controller(context));
  controllers_.push_back(make_ephemeral_volume_controller(context));
  controllers_.push_back(make_attach_detach_controller(context, storage));
}

ControllerManager::~ControllerManager() { stop(); }

void ControllerManager::start() {
  if (running_) return;
  running_ = true;
  for (const auto& controller : controllers_) controller->start();
}

void ControllerManager::stop() {
  if (!running_) return;
  running_ = false;
  for (const auto& controller : controllers_) controller->stop();
}

void ControllerManager::set_clock_skew(SimDuration skew) {
  for (const auto& controller : controllers_) controller->set_clock_skew(skew);
}

}  // namespace sim::k8s

/// kube-controller-manager: the list of control loops, started and stopped together with the leader lease.
#pragma once

#include <memory>
#include <vector>

#include "sim/models/kubernetes/controllers/controller.hpp"
#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"

namespace sim::k8s {

class Storage;

struct ControllerManagerConfig {
  SimDuration node_monitor_period{std::chrono::seconds(5)};
  SimDuration node_monitor_grace_period{std::chrono::seconds(50)};
  double node_eviction_rate = 0.1;             // nodes per second and zone
  double secondary_node_eviction_rate = 0.01;
  std::size_t large_cluster_size_threshold = 50;
  double unhealthy_zone_threshold = 0.55;
  std::int64_t terminated_pod_gc_threshold = 12500;
  double kube_api_qps = 20;  // of each controller's own client
  std::int64_t kube_api_burst = 30;
  /// The wall-clock time (UTC) at which the run begins: what CronJobs compute their schedules from.
  std::int64_t start_unix_seconds = kDefaultStartUnixSeconds;
};

class ControllerManager {
 public:
  ControllerManager(const ControllerContext& context, Kubelets& kubelets, Storage& storage, const ControllerManagerConfig& config);
  ~ControllerManager();
  void start();
  void stop();
  bool is_running() const { return running_; }
  /// The clock of its process is wrong by this much from now on. CronJobs start by it; spans are measured by a clock that is not.
  void set_clock_skew(SimDuration skew);

 private:
  std::vector<std::unique_ptr<Controller>> controllers_;
  bool running_ = false;
};

}  // namespace sim::k8s

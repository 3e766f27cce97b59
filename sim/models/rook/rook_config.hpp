/// How Rook runs a Ceph cluster: the settings of its CephCluster resource, with its names and defaults.
///
/// Source: Rook Documentation/CRDs/Cluster/ceph-cluster-crd.md, pkg/operator/ceph/cluster/mon/health.go; reference platform 5.
#pragma once

#include <chrono>
#include <string>

#include "sim/core/time.hpp"

namespace sim::rook {

struct RookConfig {
  std::string name_space = "rook-ceph";
  SimDuration mon_health_interval{std::chrono::seconds(45)};   // healthCheck.daemonHealth.mon.interval
  SimDuration mon_out_timeout{std::chrono::minutes(10)};       // healthCheck.daemonHealth.mon.timeout; 0: never replaced
  bool manage_pod_budgets = true;                              // disruptionManagement.managePodBudgets
  SimDuration osd_maintenance_timeout{std::chrono::minutes(30)};  // disruptionManagement.osdMaintenanceTimeout
};

}  // namespace sim::rook

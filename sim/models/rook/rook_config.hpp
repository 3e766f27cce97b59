/// How Rook runs a Ceph cluster: the settings of its CephCluster resource, with its names and defaults.
///
/// Source: Rook Documentation/CRDs/Cluster/ceph-cluster-crd.md, pkg/operator/ceph/cluster/mon/health.go; reference platform 5.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"

namespace sim::rook {

/// The metadata servers of a CephFilesystem: spec.metadataServer.
struct FileSystemConfig {
  std::string name;
  int active_count = 1;
  bool active_standby = true;  // as many again, each following a rank
  bool anti_affinity = true;   // no two metadata servers on one node: deploy/examples/filesystem.yaml; the Helm chart has none
  std::vector<std::string> nodes;  // where they may stand; empty: anywhere
};

/// The gateways of a CephObjectStore: spec.gateway.
struct ObjectStoreConfig {
  std::string name;
  std::string metadata_pool;  // bucket index
  std::string data_pool;
  int instances = 1;
  std::vector<std::string> nodes;
  double requests_per_second = 100.0;            // of all clients, over all instances
  std::int64_t max_concurrent_requests = 1024;   // rgw_max_concurrent_requests
};

/// Pods that answer nobody while a write to one of their volumes takes longer.
struct IoTimeout {
  std::string ns;  // empty: any
  std::vector<std::pair<std::string, std::string>> labels;
  SimDuration within{};
};

struct RookConfig {
  std::string name_space = "rook-ceph";
  SimDuration mon_health_interval{std::chrono::seconds(45)};   // healthCheck.daemonHealth.mon.interval
  SimDuration mon_out_timeout{std::chrono::minutes(10)};       // healthCheck.daemonHealth.mon.timeout; 0: never replaced
  bool manage_pod_budgets = true;                              // disruptionManagement.managePodBudgets
  SimDuration osd_maintenance_timeout{std::chrono::minutes(30)};  // disruptionManagement.osdMaintenanceTimeout
  std::vector<FileSystemConfig> file_systems;
  std::vector<ObjectStoreConfig> object_stores;
  std::vector<IoTimeout> io_timeouts;
};

}  // namespace sim::rook

/// The Kubernetes objects that Rook makes of Ceph's daemons: a Deployment each, pinned to its node, and PodDisruptionBudgets.
///
/// Source: Rook pkg/operator/ceph/cluster/{mon,mgr,osd}/spec.go, pkg/operator/ceph/controller/spec.go (labels, probes), mon/drain.go,
///         disruption/clusterdisruption/osd.go; requests of deploy/charts/rook-ceph-cluster/values.yaml; reference platform 5.
/// Leaves out: the init containers (activate, chown), crash collector and exporter pods, CSI driver pods, Services of the monitors.
/// Checked by: tests/chaos/ceph_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/rook/rook_config.hpp"

namespace sim::rook {

enum class DaemonType : std::uint8_t { kMon, kMgr, kOsd, kOperator };

struct DaemonPod {
  DaemonType type = DaemonType::kMon;
  std::string id;       // "a", "0"
  std::string node;     // empty: not pinned
  std::string failure_domain;  // of an OSD: label "failure-domain", what its budget goes by
  std::vector<k8s::Taint> tolerated;
};

/// "rook-ceph-mon-a"
std::string deployment_name(DaemonType type, std::string_view id);
/// Value of the label `app`: "rook-ceph-mon".
std::string_view app_of(DaemonType type);
/// Key of the label that holds the daemon's id: "mon", "mgr", "ceph-osd-id".
std::string_view id_label_of(DaemonType type);

k8s::Deployment daemon_deployment(Interner& names, const RookConfig& config, const DaemonPod& pod);

/// A budget over pods of `app`; `domain`: only those of this failure domain; `except`: those of no such OSD id.
struct BudgetOf {
  std::string name;
  DaemonType type = DaemonType::kOsd;
  std::string domain;
  std::vector<std::string> except_osds;
  std::int64_t max_unavailable = 1;
  friend bool operator==(const BudgetOf&, const BudgetOf&) = default;
};
k8s::PodDisruptionBudget daemon_budget(Interner& names, const RookConfig& config, const BudgetOf& budget);

}  // namespace sim::rook

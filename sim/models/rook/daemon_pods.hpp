/// The Kubernetes objects that Rook makes of Ceph's daemons: a Deployment each, pinned to its node, and PodDisruptionBudgets.
///
/// Source: Rook pkg/operator/ceph/cluster/{mon,mgr,osd}/spec.go, pkg/operator/ceph/controller/spec.go (labels, probes), mon/drain.go,
///         disruption/clusterdisruption/{osd,pools}.go, file/mds/{mds,spec,livenessprobe}.go, object/{spec,rgw}.go; requests of deploy/charts/rook-ceph-cluster/values.yaml; reference platform 5.
/// Leaves out: the init containers (activate, chown), crash collector and exporter pods, CSI driver pods, Services of the monitors; what the probe
///             of a metadata server asks (whether the map has it: one that is not there begins anew by itself here).
/// Checked by: tests/chaos/ceph_test.cpp, cephfs_test.cpp, rgw_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/rook/rook_config.hpp"

namespace sim::rook {

enum class DaemonType : std::uint8_t { kMon, kMgr, kOsd, kMds, kRgw, kOperator };

struct DaemonPod {
  DaemonType type = DaemonType::kMon;
  std::string id;       // "a", "0"
  std::string node;     // empty: not pinned
  std::string failure_domain;  // of an OSD: label "failure-domain", what its budget goes by
  std::vector<k8s::Taint> tolerated;
  std::string owner{};              // of a metadata server: its file system; of gateways: their object store
  std::vector<std::string> places{};  // where one that is not pinned may run; empty: anywhere
  bool anti_affinity = false;       // no two of this kind on one node
  int replicas = 1;
};

/// "a" to "z", then "aa", "ab", ...
std::string letters_of(std::size_t index);
/// "myfs-a"
std::string mds_name(std::string_view file_system, std::size_t index);

/// "rook-ceph-mon-a"
std::string deployment_name(DaemonType type, std::string_view id);
/// Value of the label `app`: "rook-ceph-mon".
std::string_view app_of(DaemonType type);
/// Key of the label that holds the daemon's id: "mon", "mgr", "ceph-osd-id", "mds".
std::string_view id_label_of(DaemonType type);

k8s::Deployment daemon_deployment(Interner& names, const RookConfig& config, const DaemonPod& pod);

/// A budget over pods of `app`; `domain`: only those of this failure domain; `except`: those of no such OSD id.
struct BudgetOf {
  std::string name;
  DaemonType type = DaemonType::kOsd;
  std::string domain;
  std::vector<std::string> except_osds;
  std::int64_t max_unavailable = 1;
  std::string owner{};  // a file system or an object store: all of its pods but one
  std::int64_t min_available = 0;
  friend bool operator==(const BudgetOf&, const BudgetOf&) = default;
};
/// The Service of an object store's gateways.
k8s::Service gateway_service(Interner& names, const RookConfig& config, const std::string& store);
k8s::PodDisruptionBudget daemon_budget(Interner& names, const RookConfig& config, const BudgetOf& budget);

}  // namespace sim::rook

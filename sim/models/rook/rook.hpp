/// Rook: a Ceph cluster whose daemons are pods. It ties each daemon's life to its pod's container, replaces monitors that stay out of quorum, and
/// keeps the PodDisruptionBudgets that let nodes be drained one failure domain at a time.
///
/// The operator is a pod as well: while it does not serve, or the API or the monitors do not answer, nothing is replaced and no budget changes.
///
/// The world begins with a cluster that has been running: daemons live from the first instant, while the scheduler binds their pods. A daemon whose pod
/// has not started two minutes later is stopped.
///
/// Records, subject "Deployment/NAMESPACE/NAME" or "CephCluster/NAMESPACE": DaemonStopped, MonFailover, MonFailoverDone, DrainingFailureDomain,
/// DrainedFailureDomain.
///
/// Source:     Rook pkg/operator/ceph/cluster/mon/{health,drain}.go, disruption/clusterdisruption/osd.go; reference platform 5.
/// Leaves out: docs/models/rook.md.
/// Checked by: tests/chaos/ceph_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/rook/ceph_csi.hpp"
#include "sim/models/rook/ceph_fs_csi.hpp"
#include "sim/models/rook/daemon_pods.hpp"
#include "sim/models/rook/object_stores.hpp"
#include "sim/models/rook/rook_config.hpp"
#include "sim/models/rook/slow_volumes.hpp"

namespace sim::rook {

class Rook {
 public:
  /// `mon_nodes`: where monitors may stand. The nodes exist in the API.
  Rook(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets, k8s::Storage& storage,
       RookConfig config, ceph::ClusterConfig cluster, std::vector<std::string> mon_nodes, bool multiple_mons_per_node);
  Rook(const Rook&) = delete;
  Rook& operator=(const Rook&) = delete;

  /// Writes the Deployments and budgets. Before the world starts.
  void create_objects();
  void start();

  const RookConfig& config() const { return config_; }
  ceph::CephCluster& cluster() { return cluster_; }
  const ceph::CephCluster& cluster() const { return cluster_; }
  ObjectStores& object_stores() { return object_stores_; }
  const ObjectStores& object_stores() const { return object_stores_; }

  /// The OSD's container runs.
  bool runs_osd(int osd) const;

 private:
  /// A daemon and the pod that carries it.
  struct Daemon {
    DaemonType type = DaemonType::kMon;
    std::string id;
    std::string node;
    k8s::Ref<k8s::Pod> pod;  // whose container runs
    bool has_pod = false;
    k8s::Ref<k8s::Pod> process_pod{};  // in which the process runs: an older one, while that terminates
  };

  void create_daemon(DaemonType type, const std::string& id, const std::string& node, const std::string& domain);
  void create_daemon(DaemonPod pod);
  void create_file_system(const FileSystemConfig& fs);
  void create_object_store(const ObjectStoreConfig& store);
  void metadata_server_started(Daemon& daemon, k8s::Ref<k8s::Pod> pod);
  void pod_changed(k8s::Ref<k8s::Pod> pod, bool serving);
  void container_started(Daemon& daemon, k8s::Ref<k8s::Pod> pod);
  void container_stopped(Daemon& daemon, bool by_deletion);
  /// Its process ended by itself, so its container did: the kubelet starts it again, with its back-off.
  void osd_exited(int osd);
  bool is_alive(const Daemon& daemon) const;
  void stop_process(const Daemon& daemon, ceph::Kill how, const std::string& why);
  void stop_daemons_without_pod();

  bool operator_works() const;
  /// Looks again at the next health check, unless nothing is amiss.
  void watch_mons();
  void check_mons();
  void fail_over(std::size_t mon, std::string_view why, CauseId cause);
  /// Its Deployment goes, and its place in the monmap.
  void remove_mon(const std::string& name);
  std::string free_mon_node() const;
  std::string next_mon_name() const;

  void watch_osds();
  void check_osds();
  void set_budget(const BudgetOf& budget);
  void delete_budget(const std::string& name);
  std::string budget_name(const std::string& domain) const;
  std::string domain_of(int osd) const;
  const k8s::Node* node_object(const std::string& node) const;
  bool is_cordoned_or_gone(const std::string& node) const;
  void set_noout(const std::string& domain, bool on);
  std::vector<k8s::Taint> taints_of(const std::string& node) const;

  Engine& engine_;
  EventLog& log_;
  host::Hosts& hosts_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  RookConfig config_;
  std::vector<std::string> mon_nodes_;
  bool multiple_mons_per_node_;
  ceph::CephCluster cluster_;
  CephCsi csi_;
  CephFsCsi fs_csi_;
  ObjectStores object_stores_;
  SlowVolumes slow_volumes_;
  Symbol subject_;
  std::string failure_domain_ = "host";  // the lowest of all pools

  std::map<std::string, Daemon> daemons_;                       // by Deployment
  std::map<k8s::Ref<k8s::Pod>, std::string> daemon_of_pod_;
  struct OutOfQuorum {
    SimTime since{};
    bool was_unscheduled = false;  // a drain: the time runs twice
  };
  std::map<std::string, OutOfQuorum> out_of_quorum_;            // monitors, by name
  struct Replacement {
    std::string old;
    SimTime since{};
  };
  std::map<std::string, Replacement> replaces_;                 // by the new monitor
  std::string draining_domain_;
  SimTime draining_since_{};
  bool noout_set_ = false;
  std::map<std::string, BudgetOf> budgets_;                     // as they were last written, by name
  Timer mon_check_;
  Timer osd_check_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what the listeners ask
};

}  // namespace sim::rook

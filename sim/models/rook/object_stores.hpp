/// RGW: the gateways of object stores, as pods behind a Service.
///
/// A gateway is a client of Ceph without a state of its own. It starts when the monitors have a quorum and every placement group of its pools answers; then
/// it serves as long as it runs. A request touches one placement group of the bucket indexes and one of the objects (proposed): with shares i and d of them
/// not answering, 1 - (1 - i)(1 - d) of the requests hang, each in a place of its own, for clients that give up free none. When all places
/// (rgw_max_concurrent_requests) are taken the gateway refuses every request with 503: it answers nobody. Its readiness probe takes 503 for health, so that it
/// stays an endpoint of its Service. When the placement groups answer again, all places are free at once.
///
/// Records, subject "rgw/POD": GatewayStarted, GatewayFull, GatewayServes.
///
/// Source:     Ceph src/common/options/rgw.yaml.in, src/rgw/rgw_dmclock_async_scheduler (SimpleThrottler: -EAGAIN, 503 Slow Down); Rook
///             pkg/operator/ceph/object/{spec.go,rgw-probe.sh} (503 passes); reference platform 4.5.
/// Leaves out: buckets one by one (index shards), multisite, requests that are slow and not hanging, clients' retries, the restart of a gateway whose startup
///             probe gives up after 340 s (it starts as soon as it can), gateways that are put in front of several stores.
/// Checked by: tests/chaos/rgw_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/rook/rook_config.hpp"

namespace sim::rook {

class ObjectStores {
 public:
  ObjectStores(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets, ceph::CephCluster& cluster,
               const RookConfig& config);
  ObjectStores(const ObjectStores&) = delete;
  ObjectStores& operator=(const ObjectStores&) = delete;
  /// After the cluster has started. Nothing happens when there is no object store.
  void start();

  std::size_t size() const { return stores_.size(); }
  const std::string& name(std::size_t store) const { return stores_[store].config.name; }
  /// Share of the requests to the store that are answered; 0 when no gateway is there.
  double answered(std::size_t store) const;
  /// Gateways that have started.
  std::size_t gateways(std::size_t store) const;
  /// What answered() says may have changed; the current cause explains it.
  void on_change(std::function<void(std::size_t store)> listener) { listeners_.push_back(std::move(listener)); }

 private:
  struct Gateway {
    std::string name;  // of its pod
    host::HostId host;
    bool is_starting = true;  // its process has not come to where it needs Ceph
    bool has_started = false;
    double hangs = 0.0;    // share of its requests
    double waiting = 0.0;  // places taken, at `counted_at`
    double rate = 0.0;     // requests that join them, a second
    SimTime counted_at{};
    CauseId cause{};       // why the first of them hangs
    bool is_full = false;
    Timer start;
    Timer full;
  };
  struct Store {
    ObjectStoreConfig config;
    std::size_t metadata_pool = 0;
    std::size_t data_pool = 0;
    std::map<k8s::Ref<k8s::Pod>, Gateway> gateways;
    double told = -1.0;
  };
  void pod_changed(k8s::Ref<k8s::Pod> ref, bool serving);
  void look_soon();
  void look();
  void look_at(std::size_t store);
  double hanging(const Store& store, const Gateway& gateway) const;
  double hanging(std::size_t pool, host::HostId host) const;
  void fill(std::size_t store, k8s::Ref<k8s::Pod> pod);
  void tell(std::size_t store);
  void count_gateways();

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  ceph::CephCluster& cluster_;
  std::string name_space_;
  std::vector<Store> stores_;
  Timer look_;
  CauseId blocked_cause_{};  // why placement groups ceased to answer since the last look
  std::vector<std::function<void(std::size_t)>> listeners_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::rook

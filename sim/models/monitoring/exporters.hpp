/// What of a world can be scraped, under the names that the real exporters use: kube-state-metrics, kubelets, node-exporter, the control plane, Ceph's
/// manager module, blackbox probes. Kept as steps in a Store while the world changes.
///
/// Source:     kube-state-metrics v2.19 docs/metrics; node_exporter; ceph 18 src/pybind/mgr/prometheus/module.py; kubelet pkg/kubelet/metrics.
/// Leaves out: docs/models/monitoring.md lists what is exported; everything else is not (exported_metrics()).
/// Checked by: tests/models/monitoring/pipeline_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/monitoring/store.hpp"

namespace sim {
class World;
}

namespace sim::monitoring {

struct ExporterConfig {
  std::string ceph_job = "ceph";
  std::string kube_state_metrics;  // "namespace/name" of its Service; empty: it is always there
  /// How often values that run on their own are read (memory), while somebody wants them.
  SimDuration poll{std::chrono::seconds(30)};
  std::vector<std::string> probed;  // Services, "namespace/name": probe_success of the job blackbox
};

class Exporters final : public k8s::Watcher {
 public:
  Exporters(World& world, Store& store, ExporterConfig config);
  ~Exporters() override;
  Exporters(const Exporters&) = delete;
  Exporters& operator=(const Exporters&) = delete;

  /// Exposes everything as it is.
  void expose();
  /// ... and follows every change from now on.
  void follow();

  void on_event(const k8s::WatchEvent& event) override;
  /// The Service answers users outside.
  bool answers(const std::string& service) const;
  /// Called when some Service that is probed may answer, or no longer.
  std::function<void()> on_services;

 private:
  using Owner = std::pair<std::uint32_t, std::uint64_t>;  // what emits: a kind and a number
  struct KeyValue {
    std::string_view name;
    std::string_view value;
  };
  void begin(Owner owner, TargetId target);
  void emit(std::string_view metric, std::initializer_list<KeyValue> labels, double value, double slope = 0.0);
  void finish();
  void forget(Owner owner);
  template <class T>
  static Owner owner_of(k8s::Ref<T> ref) {
    return {static_cast<std::uint32_t>(T::kKind), (std::uint64_t{ref.generation} << 32) | ref.slot};
  }

  void node(k8s::Ref<k8s::Node> ref);
  void pod(k8s::Ref<k8s::Pod> ref);
  template <class T>
  void object(k8s::Ref<T> ref);
  void describe(const k8s::Deployment& o);
  void describe(const k8s::ReplicaSet& o);
  void describe(const k8s::StatefulSet& o);
  void describe(const k8s::DaemonSet& o);
  void describe(const k8s::Job& o);
  void describe(const k8s::CronJob& o);
  void describe(const k8s::PodDisruptionBudget& o);
  void describe(const k8s::PersistentVolumeClaim& o);
  void describe(const k8s::PersistentVolume& o);
  void describe(const k8s::Namespace& o);
  template <class T>
  void all_of();
  template <class T>
  void changed(const k8s::WatchEvent& event);

  TargetId target(const std::string& job, const std::string& instance, std::string_view ns, std::string_view service, host::HostId host, bool works,
                  std::string_view node = {});
  void kubelet(k8s::Ref<k8s::Node> ref);
  void node_gone(const std::string& name);
  void control_plane();
  void memory();
  void ceph();
  void ceph_changed();
  void services();
  void state_metrics_target();
  double unix_seconds(SimTime at) const;
  const std::string& text(Symbol symbol) const;

  World& world_;
  Store& store_;
  ExporterConfig config_;
  std::map<Owner, std::vector<SeriesId>> series_;
  Owner owner_{};
  TargetId target_ = 0;
  std::vector<SeriesId> emitted_;
  std::map<std::pair<std::string, std::string>, TargetId> targets_;  // job, instance
  TargetId state_metrics_ = 0;
  std::set<std::string> health_seen_;
  Timer ceph_soon_;
  std::vector<Timer> ceph_later_;
  Timer poll_;
  bool following_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The exposition format of everything that is exposed at this instant. `start_unix_seconds`: of virtual time 0.
std::string exposition(World& world, std::int64_t start_unix_seconds, ExporterConfig config = {});

}  // namespace sim::monitoring

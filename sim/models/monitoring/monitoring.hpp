/// Monitoring of a world: Prometheus, Alertmanager, who looks from outside; and what whom was told when.
///
/// A Prometheus (an Alertmanager) inside is the pods of a StatefulSet: it works where its pod serves, with the volume that the pod has; one outside is
/// always there, and sees the cluster as the rest of the world does. Nothing here changes anything else in the world.
///
/// Records: PrometheusWorks, PrometheusBlocked, PrometheusGone ("Prometheus/NAME"); AlertmanagerWorks, AlertmanagerGone ("Alertmanager/NAME"); AlertNotified,
/// AlertResolved, AlertUnsent ("Alert/NAME"); DeadMansSwitchPaged, DeadMansSwitchFed; ProbeFailed, ProbeSucceeds.
///
/// Source:     reference platform 10; each part names its own. Leaves out: docs/models/monitoring.md.
/// Checked by: tests/models/monitoring/*.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/monitoring/alertmanager.hpp"
#include "sim/models/monitoring/exporters.hpp"
#include "sim/models/monitoring/outside.hpp"
#include "sim/models/monitoring/prometheus.hpp"

namespace sim::monitoring {

struct PrometheusConfig {
  std::string name;
  std::string stateful_set;  // "namespace/name"; empty: outside
  std::int64_t replicas = 1;
  std::string alertmanager;  // its name
  PrometheusTiming timing;
};
struct AlertmanagerPlace {
  AlertmanagerConfig config;
  std::string stateful_set;  // empty: outside
  std::int64_t replicas = 1;
};
struct DeadMansSwitchPlace {
  DeadMansSwitchConfig config;
  std::string alertmanager;
};
struct MonitoringConfig {
  std::shared_ptr<const RuleSet> rules;
  std::vector<PrometheusConfig> prometheus;
  std::vector<AlertmanagerPlace> alertmanagers;
  std::vector<DeadMansSwitchPlace> dead_mans_switches;
  std::vector<ProbeConfig> probes;
  ExporterConfig exporters;
  std::int64_t start_unix_seconds = 0;
};

class Monitoring {
 public:
  Monitoring(World& world, MonitoringConfig config);
  ~Monitoring();
  Monitoring(const Monitoring&) = delete;
  Monitoring& operator=(const Monitoring&) = delete;
  /// After everything else of the world has started.
  void start();

  const MonitoringConfig& config() const { return config_; }
  /// In the order in which they were decided.
  const std::vector<Notification>& notifications() const { return told_; }
  /// The replicas.
  std::vector<const Prometheus*> prometheis() const;
  std::string text(LabelsId labels) const { return labels_.text(labels); }

 private:
  struct Replica {
    std::unique_ptr<Prometheus> prometheus;
    std::size_t alertmanager = 0;
    Symbol ns;
    Symbol pod_name;  // empty: outside
    k8s::Ref<k8s::Pod> pod;
    std::string says;  // the state as last recorded
  };
  struct Instance {
    Symbol ns;
    Symbol pod_name;
    bool works = false;
    host::HostId host;
  };
  struct Manager {
    std::unique_ptr<Alertmanager> alertmanager;
    bool outside = false;
    std::vector<Instance> instances;
  };

  void look_at_pods();
  void look_at_replica(Replica& replica);
  void look_at_manager(Manager& manager);
  void connect();
  bool volume_blocked(const k8s::Pod& pod, host::HostId host) const;
  void feed();

  World& world_;
  MonitoringConfig config_;
  LabelTable labels_;
  Store store_;
  Exporters exporters_;
  std::vector<Notification> told_;
  std::vector<Manager> managers_;
  std::vector<Replica> replicas_;
  std::vector<std::pair<std::unique_ptr<DeadMansSwitch>, std::size_t>> switches_;
  std::vector<std::unique_ptr<Probe>> probes_;
  bool started_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::monitoring

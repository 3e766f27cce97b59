/// The section `monitoring:` of a scenario: who looks at the cluster, from where, and who is told.
///
/// Leaves out: configuration files of Prometheus and Alertmanager as they are (scrape_configs, routes); the Prometheus and Alertmanager resources of the
/// operator (their StatefulSets are named instead).
/// Checked by: tests/scenario/monitoring_section_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/monitoring/tells.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/reference.hpp"

namespace sim::monitoring {
class RuleSet;
}

namespace sim::scenario {

struct PrometheusSpec {
  std::string name;
  Place where;
  Reference stateful_set;
  bool outside = false;
  Reference alertmanager;
  SimDuration scrape_interval{std::chrono::seconds(30)};
  SimDuration evaluation_interval{std::chrono::seconds(30)};
};
struct ReceiverSpec {
  std::string name;
  Place where;
  std::vector<Reference> matchers;
  monitoring::Tells tells = monitoring::Tells::kNotice;
  SimDuration delivery{std::chrono::seconds(10)};
  Reference via;
};
struct AlertmanagerSpec {
  std::string name;
  Place where;
  Reference stateful_set;
  bool outside = false;
  std::vector<std::string> group_by = {"namespace"};
  SimDuration group_wait{std::chrono::seconds(30)};
  SimDuration group_interval{std::chrono::minutes(5)};
  SimDuration repeat_interval{std::chrono::hours(12)};
  bool inhibit = true;
  std::vector<ReceiverSpec> receivers;
};
struct DeadMansSwitchSpec {
  std::string name;
  Place where;
  std::string alert = "Watchdog";
  Reference alertmanager;
  SimDuration interval{std::chrono::minutes(5)};
  SimDuration window{std::chrono::minutes(15)};
  SimDuration delivery{std::chrono::seconds(10)};
};
struct ProbeSpec {
  std::string name;
  Place where;
  Reference service;
  SimDuration interval{std::chrono::seconds(30)};
  SimDuration timeout{std::chrono::seconds(10)};
  std::int64_t failures = 3;
  monitoring::Tells tells = monitoring::Tells::kAlert;
  SimDuration delivery{std::chrono::seconds(10)};
};
struct MonitoringSpec {
  std::vector<Reference> rules;
  std::vector<PrometheusSpec> prometheus;
  std::vector<AlertmanagerSpec> alertmanagers;
  std::vector<DeadMansSwitchSpec> dead_mans_switches;
  std::vector<ProbeSpec> probes;
  Reference kube_state_metrics;
  std::string ceph_job = "ceph";

  /// Filled by check_monitoring().
  std::shared_ptr<const monitoring::RuleSet> rule_set;
};

}  // namespace sim::scenario

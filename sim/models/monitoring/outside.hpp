/// Who looks from outside: a dead man's switch, which pages when it is no longer fed, and probes, which ask a Service as its users do.
///
/// Source:     reference platform 10.3; prometheus.io docs practices/alerting (metamonitoring); blackbox_exporter README.
/// Leaves out: probes of a part of the endpoints (a Service answers while one of them does), paths through ingress and DNS, outages of what is outside.
/// Checked by: tests/models/monitoring/pipeline_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/monitoring/alertmanager.hpp"

namespace sim::monitoring {

struct DeadMansSwitchConfig {
  std::string name;
  std::string alert = "Watchdog";
  SimDuration interval{std::chrono::minutes(5)};  // between two messages that feed it
  SimDuration window{std::chrono::minutes(15)};   // without one for so long it pages
  SimDuration delivery{std::chrono::seconds(10)};
};

class DeadMansSwitch {
 public:
  DeadMansSwitch(Engine& engine, EventLog& log, DeadMansSwitchConfig config, SimDuration group_wait, std::vector<Notification>& told);
  const DeadMansSwitchConfig& config() const { return config_; }
  /// Messages are sent, from now on or no longer; the current cause says why.
  void set_fed(bool fed);

 private:
  Engine& engine_;
  EventLog& log_;
  DeadMansSwitchConfig config_;
  SimDuration group_wait_;
  std::vector<Notification>& told_;
  bool is_fed_ = false;
  bool was_ever_fed_ = false;
  SimTime first_{};  // of the messages
  SimTime last_{};
  CauseId cause_{};
  std::optional<std::size_t> open_;  // the page that is not over, in told_
  Timer page_;
};

struct ProbeConfig {
  std::string name;
  std::string service;  // "namespace/name"
  SimDuration interval{std::chrono::seconds(30)};
  SimDuration timeout{std::chrono::seconds(10)};
  std::int64_t failures = 3;  // in a row
  Tells tells = Tells::kAlert;
  SimDuration delivery{std::chrono::seconds(10)};
};

class Probe {
 public:
  Probe(Engine& engine, EventLog& log, const Randomness& random, ProbeConfig config, std::vector<Notification>& told);
  const ProbeConfig& config() const { return config_; }
  /// The Service answers, or no longer does; the current cause says why.
  void set_answers(bool answers);

 private:
  SimTime next_probe(SimTime from) const;

  Engine& engine_;
  EventLog& log_;
  ProbeConfig config_;
  std::vector<Notification>& told_;
  SimDuration phase_;
  bool answers_ = true;
  CauseId cause_{};
  std::optional<std::size_t> open_;
  Timer timer_;
};

}  // namespace sim::monitoring

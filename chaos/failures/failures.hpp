/// The section `failures:` in one world: components fail by their laws, and each failure is one of the faults that a person can write, injected and ended.
///
/// Records: FailureProcess (subject Failure/PROCESS, a root) or CommonCause, then FaultInjected about Fault/PROCESS/COMPONENT because of it; RepairWaits when
/// people or parts are missing. MaintenanceWindow and FailureTrace are roots of planned work and of recorded failures.
///
/// Source:     reference platform 11; OpenDC's failure traces (interval, duration, intensity).
/// Leaves out: see docs/models/failures.md.
/// Checked by: tests/chaos/failures_test.cpp; the laws and queues beneath by tests/core/lifetime_test.cpp and tests/analysis/life_cycles_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chaos/failures/life_cycles.hpp"
#include "chaos/fault_schedule.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace sim::scenario {
struct FailuresSpec;
struct ScenarioSpec;
}  // namespace sim::scenario

namespace chaos {

/// What is to be expected of one process, in the long run.
struct FailureForecast {
  std::string process;
  std::string what;
  std::size_t components = 0;
  double per_year = 0.0;       // failures of all its components, those of common causes counted once for each member
  double repair_hours = 0.0;   // mean, without waiting
  std::string law;
};

class Failures : public LifeCycles::Listener {
 public:
  /// `scenario.failures` is there; the scenario, the world and the schedule outlive it.
  Failures(const sim::scenario::ScenarioSpec& scenario, sim::World& world, FaultSchedule& schedule);
  ~Failures() override;
  /// Before the world starts to run; at time 0.
  void start();

  LifeCycles& cycles() { return cycles_; }
  /// Names of the processes, as LifeCycles numbers them.
  const std::vector<std::string>& processes() const { return process_names_; }
  std::vector<FailureForecast> forecast() const;

  void failed(std::size_t component, double age, std::optional<std::size_t> shock) override;
  void waits(std::size_t component, const std::string& for_what) override;
  void repaired(std::size_t component) override;

  /// Says what cannot be right in this world: no such node, OSD, element; a fault that does not fit.
  static void check(const sim::scenario::ScenarioSpec& scenario, sim::World& world, sim::scenario::Diagnostics& diagnostics);

 private:
  struct Part;          // a component: what is done to it
  struct Calendar;      // of one maintenance
  struct Trace;         // of one file

  Failures(const sim::scenario::ScenarioSpec& scenario, sim::World& world, FaultSchedule* schedule, sim::scenario::Diagnostics* diagnostics);
  void build(sim::scenario::Diagnostics* diagnostics);
  CauseId root(std::string_view kind, const std::string& subject, const std::string& message);

  const sim::scenario::ScenarioSpec& scenario_;
  const sim::scenario::FailuresSpec& spec_;
  sim::World& world_;
  FaultSchedule* schedule_;
  LifeCycles cycles_;
  std::vector<Part> parts_;  // by component
  std::vector<std::string> process_names_;
  struct ShockRecord {
    CauseId cause{};
    double until = -1.0;
  };
  std::vector<ShockRecord> shock_records_;
  std::vector<std::unique_ptr<Calendar>> calendars_;
  std::vector<std::unique_ptr<Trace>> traces_;
};

/// How often what is under `failures` is to be expected; empty without that section. The scenario has passed check_scenario().
std::vector<FailureForecast> failure_forecast(const sim::scenario::ScenarioSpec& scenario);

}  // namespace chaos

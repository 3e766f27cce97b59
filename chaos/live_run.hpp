/// One run, in steps: who looks into a world at an instant, goes through it record by record, or forks it, holds one of these. run_scenario() is the
/// whole of it in one call.
///
/// Checked by: tests/chaos/harness_test.cpp, tests/chaos/hunt_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chaos/fault_schedule.hpp"
#include "chaos/harness.hpp"
#include "chaos/plan.hpp"

namespace chaos {

class Failures;

class LiveRun {
 public:
  /// Builds the world and starts it, at time 0; nothing has run yet. The scenario outlives it. `reserved`: places for faults that come later
  /// (FaultSchedule::reserve).
  LiveRun(const sim::scenario::ScenarioSpec& scenario, Plan plan, std::uint64_t seed, RunOptions options = {}, std::size_t reserved = 0);
  ~LiveRun();
  LiveRun(const LiveRun&) = delete;
  LiveRun& operator=(const LiveRun&) = delete;

  /// The world alone, at time 0 and not started: to be looked at.
  static std::unique_ptr<sim::World> build(const sim::scenario::ScenarioSpec& scenario, std::uint64_t seed);

  sim::World& world();
  FaultSchedule& schedule();
  /// Null: the scenario has no section `failures`.
  Failures* failures();
  /// What has an availability: "etcd", "Service/shop/web", "CephPool/rbd" ... Services are among them once they serve.
  std::vector<std::string> subjects();
  /// For how many seconds of [from, to) the subject was not available; a Service's share that failed counts as a fraction. `to` is not after now.
  double lost_seconds(const std::string& subject, SimTime from, SimTime to);
  /// RunOptions::until, or the scenario's.
  SimTime until() const;
  /// Up to and including `instant`.
  sim::RunEnd advance(SimTime instant);
  /// Judges what was simulated. The run is over then.
  RunOutcome finish(sim::RunEnd end);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chaos

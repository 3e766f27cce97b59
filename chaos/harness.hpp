/// Runs a scenario: builds its world, sets its faults going, looks on, and says what it saw.
///
/// A run is a pure function of (scenario, seed): nothing here reads a clock. Many runs may go on at the same time on several
/// threads; they share nothing but the scenario, which none of them changes.
///
/// Checked by: tests/chaos/harness_test.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/verdict.hpp"
#include "sim/core/engine.hpp"
#include "sim/core/time.hpp"

namespace sim {
class World;
}
namespace sim::scenario {
struct ScenarioSpec;
class Diagnostics;
}  // namespace sim::scenario

namespace chaos {

class FaultSchedule;
namespace mesh {
struct ObjectView;
}

struct RunOptions {
  /// Raised to end the run early (Ctrl-C): the verdict then covers what was simulated.
  const std::atomic<bool>* stop = nullptr;
  /// Instead of the scenario's run.until.
  std::optional<SimTime> until;
  /// Called with the virtual time, each time that `progress_every` more of it has passed, and at the end.
  std::function<void(SimTime)> progress;
  SimDuration progress_every{std::chrono::minutes(10)};
  /// Called with the world before it starts: for those who only look on.
  std::function<void(sim::World&)> prepare;
  /// Instead of running the engine straight to `until`: who couples its clock to something else (sim/loop). The world has started.
  std::function<sim::RunEnd(sim::World&, SimTime until)> drive;
  /// Keep the world (and with it the log) in the outcome. Replications by the hundred do without.
  bool keep_world = true;
  /// Bounds of what the verdict holds; what is left out is counted.
  std::size_t outages_max = 2000;
  std::size_t lanes_max = 2000;
  /// A pod that is Pending for longer is an outage of its own.
  SimDuration pending_threshold{std::chrono::seconds(60)};
  /// Steps that a Why keeps at most.
  std::size_t why_steps_max = 40;
};

struct RunOutcome {
  RunOutcome();
  RunOutcome(RunOutcome&&) noexcept;
  RunOutcome& operator=(RunOutcome&&) noexcept;
  ~RunOutcome();

  Verdict verdict;
  std::string event_log_hash;  // 16 hex digits
  sim::EngineStats engine_stats;
  sim::RunEnd end = sim::RunEnd::kTimeLimit;
  std::uint64_t log_records = 0;
  std::unique_ptr<sim::World> world;  // null without RunOptions::keep_world
  std::shared_ptr<void> observers;    // faults and observers that listen to the world; after it, so that they go first
};

/// The resources of Chaos Mesh that are in the outcome's world (RunOptions::keep_world).
std::vector<mesh::ObjectView> chaos_objects(const RunOutcome& outcome);
/// Those of a run that goes on.
std::vector<mesh::ObjectView> chaos_objects(FaultSchedule& schedule);

/// Runs it once. The scenario has passed check_scenario() without errors.
RunOutcome run_scenario(const sim::scenario::ScenarioSpec& scenario, std::uint64_t seed, const RunOptions& options = {});

/// Reads `faults` and `expect`, builds the world once, and says what cannot be right: unknown kinds and keys, targets that match nothing
/// (did you mean ...), windows outside of the run. True when there is no error.
bool check_scenario(const sim::scenario::ScenarioSpec& scenario, sim::scenario::Diagnostics& diagnostics);

}  // namespace chaos

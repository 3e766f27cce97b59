/// Scenario files from the command line: read, checked, every error printed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chaos/harness.hpp"

namespace cli {

struct LoadedScenario {
  std::string file;
  std::string name;
  std::string description;
  std::uint64_t seed = 1;  // run.seed of the file
  sim::SimTime until{};
  std::shared_ptr<const sim::scenario::ScenarioSpec> spec;  // null: wrong input, already told on stderr
  std::string error;       // the first diagnostic, for JUnit
  std::size_t warnings = 0;
  std::uint64_t inputs = 0;  // one number for the texts of all files that were read
};

/// What of the diagnostics is printed to stderr.
enum class Telling : std::uint8_t { kAll, kErrors, kNothing };

/// Whether somebody is there to do what controlPlane.scheduler or controllerManager: external leave to others.
enum class ControlLoops : std::uint8_t { kModelOnly, kModelOrExternal };

/// Reads and checks a scenario with `--set path=value` overrides.
LoadedScenario load_scenario(const std::string& file, const std::vector<std::string>& overrides, Telling telling, ControlLoops loops = ControlLoops::kModelOnly);
/// `quiet`: errors only.
inline LoadedScenario load_scenario(const std::string& file, const std::vector<std::string>& overrides, bool quiet, ControlLoops loops = ControlLoops::kModelOnly) {
  return load_scenario(file, overrides, quiet ? Telling::kErrors : Telling::kAll, loops);
}

/// A YAML file whose first document says `kind: Scenario` (what it says beyond that may be wrong).
bool is_scenario_file(const std::string& file);

}  // namespace cli

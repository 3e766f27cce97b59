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
};

/// Reads and checks a scenario with `--set path=value` overrides; prints its diagnostics to stderr, warnings too unless `quiet`.
LoadedScenario load_scenario(const std::string& file, const std::vector<std::string>& overrides, bool quiet);

/// A YAML file whose first document says `kind: Scenario` (what it says beyond that may be wrong).
bool is_scenario_file(const std::string& file);

}  // namespace cli

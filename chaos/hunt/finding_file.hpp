/// A finding as a scenario file of its own: it extends the scenario that was hunted in, has its faults and the seed, and says in comments what breaks and why.
#pragma once

#include <string>
#include <vector>

#include "chaos/hunt/hunter.hpp"

namespace chaos::hunt {

/// What stands around the faults of a finding.
struct FindingContext {
  std::string extends;     // path of the scenario, as seen from the file that is written
  std::string scenario;    // its metadata.name
  std::string command;     // that found it
  std::uint64_t seed = 1;
  std::size_t number = 1;
  bool without_own_faults = false;            // the scenario's own faults were taken out:
  std::vector<std::string> own_faults;        // their names
  std::vector<std::string> expectations_out;  // left out with them
  std::vector<std::string> overrides;         // --set path=value
};

/// The YAML. `spec`: the scenario as it was hunted in.
std::string finding_yaml(const Finding& finding, const Hunter& hunter, const sim::scenario::ScenarioSpec& spec, const FindingContext& context);

/// Why this override cannot stand in a file that extends the scenario; empty when it can.
std::string override_problem(const std::string& override_text, const sim::scenario::ScenarioSpec& spec);

/// Lines of a chain of causes, the symptom first, one a line.
std::vector<std::string> chain_lines(const Why& why, std::size_t max);

/// Names of the entries of a section, be it a map or a list.
std::vector<std::string> names_of(sim::scenario::Node section);

/// A scenario that extends `file` without its faults and without the expectations that are about one of them, as text (to be read in the file's folder).
/// `expectations_out`: their names.
std::string text_without_faults(const sim::scenario::ScenarioSpec& spec, const std::string& file_name, std::vector<std::string>& expectations_out);

}  // namespace chaos::hunt

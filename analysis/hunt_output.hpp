/// What the hunter searched and found, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "chaos/hunt/hunter.hpp"

namespace analysis {

struct HuntReport {
  std::string scenario;  ///< metadata.name
  std::string file;      ///< as the user named it
  std::uint64_t seed = 1;
  const chaos::hunt::Hunter* hunter = nullptr;
  const chaos::hunt::Survey* survey = nullptr;
  const chaos::hunt::HuntResult* result = nullptr;  ///< null: only the survey was asked for
  std::vector<std::string> files;                   ///< beside result->findings; empty: none was written
  std::vector<std::string> expectations_out;        ///< left out with the scenario's own faults
  bool own_faults_out = false;
  bool time_was_up = false;
};

/// What will be searched: told before it is.
std::string survey_text(const HuntReport& report);
std::string hunt_text(const HuntReport& report, bool colour);
/// Documented in docs/hunt.md. Equal for equal (scenario, seed, tries), byte for byte.
std::string hunt_json(const HuntReport& report);

}  // namespace analysis

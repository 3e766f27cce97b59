/// What `squall survive` prints: a verdict and tables for people, everything for programs (docs/survive.md).
#pragma once

#include <string>
#include <vector>

#include "analysis/survival.hpp"

namespace analysis {

struct SurvivalReport {
  std::string scenario;
  std::string file;
  const Survival* survival = nullptr;
  std::vector<std::string> notes;  // what was left out, and why: one sentence each
};

/// One or two sentences: what it survives, and the first thing that it does not.
std::string survival_verdict(const Survival& survival);
std::string survival_text(const SurvivalReport& report, bool colour, int width);
/// A stable document: see docs/survive.md. At most kSurvivalListed combinations; `combinationsLeftOut` counts the others.
std::string survival_json(const SurvivalReport& report);
inline constexpr std::size_t kSurvivalListed = 5'000;

}  // namespace analysis

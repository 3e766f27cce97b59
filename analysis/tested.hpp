/// What is left of a tested scenario when it has run: small, and a line of text where it crosses to another process.
///
/// Checked by: tests/analysis/tested_test.cpp, tests/cli/many_runs.py, tests/cli/mpi.py.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/verdict.hpp"

namespace analysis {

/// One expectation, over all seeds that were run.
struct TestedExpectation {
  std::string name;
  std::string kind;
  std::uint64_t runs = 0;
  std::uint64_t held = 0;
  std::string violation;           // of the first seed that broke it, see describe_violation()
  std::uint64_t violation_seed = 0;
  bool holds() const { return held == runs; }
  friend bool operator==(const TestedExpectation&, const TestedExpectation&) = default;
};

/// A scenario that was tested, or that could not be. Expectations hold when they do under every seed.
struct TestedScenario {
  std::string name;
  std::string file;
  std::uint64_t seed = 0;          // the first one
  std::uint64_t runs = 0;
  std::uint64_t held = 0;          // runs in which all expectations held
  double wall_seconds = 0.0;
  double confidence = 0.0;         // of the interval of held / runs, where it is not that of the job (it was looked at several times); not in the line
  std::vector<TestedExpectation> expectations;
  std::string error;  ///< wrong input or interrupted: then there is no verdict
  bool has_golden_log = false;     // of the first seed
  std::string golden_accepted;    ///< the file that was written, "golden/small.events (new)"
  std::string golden_difference;  ///< see first_golden_difference(); empty: as accepted, or there is nothing to hold it against
  std::string cannot_write;       ///< the golden log: why not

  bool passed() const { return error.empty() && held == runs && golden_difference.empty(); }
  friend bool operator==(const TestedScenario&, const TestedScenario&) = default;
};

/// Adds what a run under one seed said. Seeds come in their order.
void add_verdict(TestedScenario& tested, const chaos::Verdict& verdict);
/// Adds further seeds of the same scenario, which come after those that are there.
void add_runs(TestedScenario& tested, const TestedScenario& more);

/// One line, without its end.
std::string tested_line(const TestedScenario& tested);
/// False: it is none.
bool read_tested_line(const std::string& line, TestedScenario& tested);

/// "availability >= 99.9 %, measured 83.1 %, first at 1h 32m; why: ... <- ... <- FaultInjected ...": one broken measure in words.
std::string describe_violation(const chaos::ExpectationResult& result);

}  // namespace analysis

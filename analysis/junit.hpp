/// JUnit XML, as CI servers read it: one testsuite a scenario, one testcase an expectation.
#pragma once

#include <string>
#include <vector>

#include "analysis/run_report.hpp"

namespace analysis {

/// A scenario that was tested, or that could not be.
struct TestedScenario {
  std::string name;
  std::string file;
  std::uint64_t seed = 0;
  double wall_seconds = 0.0;
  chaos::Verdict verdict;
  std::string error;  ///< wrong input or interrupted: then there is no verdict
  bool has_golden_log = false;
  std::string golden_accepted;    ///< the file that was written, "golden/small.events (new)"
  std::string golden_difference;  ///< see first_golden_difference(); empty: as accepted, or there is nothing to hold it against

  bool passed() const { return error.empty() && verdict.held && golden_difference.empty(); }
};

/// Source: the schema that Jenkins and GitLab read (testsuites/testsuite/testcase, failure and error elements).
std::string junit_xml(const std::vector<TestedScenario>& scenarios);

/// "availability >= 99.9 %, measured 83.1 %, first at 1h 32m; why: ... <- ... <- FaultInjected ...": one broken measure in words.
std::string describe_violation(const chaos::ExpectationResult& result);

}  // namespace analysis

/// JUnit XML, as CI servers read it: one testsuite a scenario, one testcase an expectation.
#pragma once

#include <string>
#include <vector>

#include "analysis/tested.hpp"

namespace analysis {

/// Source: the schema that Jenkins and GitLab read (testsuites/testsuite/testcase, failure and error elements).
std::string junit_xml(const std::vector<TestedScenario>& scenarios);

/// "in 3 of 30 runs, first with seed 7: availability ...": what broke an expectation, under which seeds if there were several.
std::string violation_text(const TestedExpectation& expectation);

}  // namespace analysis

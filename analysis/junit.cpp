#include "analysis/junit.hpp"

#include <fmt/format.h>

namespace analysis {

namespace {

/// For attributes and text. Characters that XML 1.0 has no way to write become '?'.
std::string escape(std::string_view content) {
  std::string out;
  out.reserve(content.size());
  for (const char c : content) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\n': out += "&#10;"; break;
      case '\t': out += ' '; break;
      default: out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
  }
  return out;
}

}  // namespace

std::string violation_text(const TestedExpectation& expectation) {
  if (expectation.runs <= 1) return expectation.violation;
  return fmt::format("in {} of {} runs, first with seed {}: {}", expectation.runs - expectation.held, expectation.runs, expectation.violation_seed, expectation.violation);
}

std::string junit_xml(const std::vector<TestedScenario>& scenarios) {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  double wall = 0.0;
  std::string suites;
  for (const TestedScenario& scenario : scenarios) {
    std::string cases;
    std::size_t suite_tests = 0;
    std::size_t suite_failures = 0;
    std::size_t suite_errors = 0;
    const auto open_case = [&](std::string_view name, double seconds) {
      ++suite_tests;
      cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{:.3f}\"", escape(scenario.name), escape(name),
                           escape(scenario.file), seconds);
    };
    if (!scenario.error.empty()) {
      open_case("runs", scenario.wall_seconds);
      cases += fmt::format(">\n      <error message=\"{}\"/>\n    </testcase>\n", escape(scenario.error));
      ++suite_errors;
    } else if (scenario.expectations.empty()) {
      open_case("runs", scenario.wall_seconds);
      cases += "/>\n";
    }
    for (const TestedExpectation& result : scenario.expectations) {
      if (!scenario.error.empty()) break;
      // The run is shared: its time is told once, with the suite.
      open_case(result.name, 0.0);
      if (result.holds()) {
        cases += "/>\n";
        continue;
      }
      ++suite_failures;
      const std::string violation = violation_text(result);
      cases += fmt::format(">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n", escape(result.kind),
                           escape(violation.substr(0, violation.find('\n'))), escape(violation));
    }
    if (scenario.has_golden_log && scenario.error.empty()) {
      open_case("event log", 0.0);
      if (scenario.golden_difference.empty()) {
        cases += "/>\n";
      } else {
        ++suite_failures;
        const std::string& text = scenario.golden_difference;
        cases += fmt::format(">\n      <failure type=\"golden-log\" message=\"{}\">{}</failure>\n    </testcase>\n", escape(text.substr(0, text.find('\n'))), escape(text));
      }
    }
    suites += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n    <properties>\n"
        "      <property name=\"seed\" value=\"{}\"/>\n      <property name=\"runs\" value=\"{}\"/>\n    </properties>\n{}  </testsuite>\n",
        escape(scenario.name), suite_tests, suite_failures, suite_errors, scenario.wall_seconds, scenario.seed, scenario.runs, cases);
    tests += suite_tests;
    failures += suite_failures;
    errors += suite_errors;
    wall += scenario.wall_seconds;
  }
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"squall\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n{}</testsuites>\n",
                     tests, failures, errors, wall, suites);
}

}  // namespace analysis

#include "analysis/junit.hpp"

#include <fmt/format.h>

#include "analysis/text_layout.hpp"

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

std::string describe_violation(const chaos::ExpectationResult& result) {
  std::string out;
  if (!result.not_judged.empty()) return "not judged: " + result.not_judged;
  for (const chaos::Measure& measure : result.measures) {
    if (measure.held) continue;
    out += fmt::format("{} {} {}, measured {}", measure.name, chaos::to_string(measure.comparison),
                       chaos::format_figure(measure.unit, measure.bound), chaos::format_figure(measure.unit, measure.measured));
    if (measure.first_violation) out += fmt::format(", first at {}", instant(*measure.first_violation));
    out += '\n';
    bool is_first = true;
    for (const chaos::CauseStep& step : measure.why.steps) {
      out += fmt::format("  {} {}: {} {}: {}\n", is_first ? "why" : " <-", instant(step.time), step.kind, step.subject, step.message);
      is_first = false;
    }
  }
  return out;
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
    } else if (scenario.verdict.expectations.empty()) {
      open_case("runs", scenario.wall_seconds);
      cases += "/>\n";
    }
    for (const chaos::ExpectationResult& result : scenario.verdict.expectations) {
      // The run is shared: its time is told once, with the suite.
      open_case(result.name, 0.0);
      if (result.held) {
        cases += "/>\n";
        continue;
      }
      ++suite_failures;
      const std::string violation = describe_violation(result);
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
        "      <property name=\"seed\" value=\"{}\"/>\n    </properties>\n{}  </testsuite>\n",
        escape(scenario.name), suite_tests, suite_failures, suite_errors, scenario.wall_seconds, scenario.seed, cases);
    tests += suite_tests;
    failures += suite_failures;
    errors += suite_errors;
    wall += scenario.wall_seconds;
  }
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"squall\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n{}</testsuites>\n",
                     tests, failures, errors, wall, suites);
}

}  // namespace analysis

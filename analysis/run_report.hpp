/// One run as the reports see it: what was asked, what came out, what made it.
#pragma once

#include <string>

#include "chaos/harness.hpp"

namespace sim {
class EventLog;
}

namespace analysis {

struct RunReport {
  std::string scenario;       ///< metadata.name
  std::string description;    ///< metadata.description
  std::string scenario_file;  ///< as the user named it
  std::uint64_t seed = 0;
  const chaos::RunOutcome* outcome = nullptr;
  double wall_seconds = 0.0;  ///< for people only: never part of summary.json, which is equal for equal (scenario, seed)
};

/// The version of summary.json's shape. A field is only ever added; what changes its meaning raises the number.
inline constexpr int kSummarySchemaVersion = 1;
/// The program's own version, as `squall --version` prints it.
const char* program_version();

/// summary.json: documented in docs/outputs.md. Equal for equal (scenario, seed), byte for byte.
std::string summary_json(const RunReport& report);
/// events.jsonl: one record of the event log a line.
std::string events_jsonl(const sim::EventLog& log);
/// The terminal summary. `colour`: ANSI colours; `width`: columns of the terminal.
std::string terminal_summary(const RunReport& report, bool colour, int width);
/// report.html: one self-contained page, nothing is loaded from anywhere.
std::string html_report(const RunReport& report);

/// What -o DIR receives for one run: summary.json, events.jsonl, report.html, metrics.h5, trace.perfetto. Empty on success, else why not.
std::string write_run_folder(const RunReport& report, const std::string& folder);
/// The same with a summary.json of more than this run.
std::string write_run_folder(const RunReport& report, const std::string& folder, const std::string& summary);

}  // namespace analysis

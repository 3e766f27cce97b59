#include <filesystem>

#include "analysis/atomic_file.hpp"
#include "analysis/metrics_hdf5.hpp"
#include "analysis/perfetto_trace.hpp"
#include "analysis/run_report.hpp"
#include "sim/models/world.hpp"

namespace analysis {

std::string write_run_folder(const RunReport& report, const std::string& folder) { return write_run_folder(report, folder, summary_json(report)); }

std::string write_run_folder(const RunReport& report, const std::string& folder, const std::string& summary) {
  const std::filesystem::path path(folder);
  if (std::string error = make_folder(path); !error.empty()) return error;
  if (std::string error = remove_file(path / "summary.json"); !error.empty()) return error;
  const chaos::RunOutcome& outcome = *report.outcome;
  if (outcome.world != nullptr) {
    if (std::string error = write_whole_file(path / "events.jsonl", events_jsonl(outcome.world->log)); !error.empty()) return error;
  }
  if (std::string error = write_whole_file(path / "report.html", html_report(report)); !error.empty()) return error;
  if (std::string error = write_metrics_hdf5(outcome.verdict, (path / "metrics.h5").string()); !error.empty()) return error;
  if (std::string error = write_whole_file(path / "trace.perfetto", perfetto_trace(outcome.verdict)); !error.empty()) return error;
  // The summary last, and that of a run before this one gone first: who finds it finds the rest.
  return write_whole_file(path / "summary.json", summary);
}

}  // namespace analysis

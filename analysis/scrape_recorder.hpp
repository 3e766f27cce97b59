/// Takes down what a Prometheus with one scrape_interval would have scraped of a run, for tools that read OpenMetrics.
///
/// All targets are scraped at the same instants, multiples of the interval from the start: a run is looked at between its events, so that it goes
/// the same way, to the last event, whether somebody looks or not.
///
/// Leaves out: the offset of each target within the interval; stale markers (a series that ends has no sample more, and Prometheus looks back for five minutes).
/// Checked by: tests/cli/metrics_files.py (prometheus_client's parsers), tests/models/monitoring/exposition_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"

namespace chaos {
struct RunOptions;
}
namespace sim {
class World;
}

namespace analysis {

class ScrapeRecorder {
 public:
  /// `start_unix_seconds`: wall-clock time of virtual time 0, which timestamps count from.
  ScrapeRecorder(sim::SimDuration interval, std::int64_t start_unix_seconds) : interval_(interval), start_(start_unix_seconds) {}

  /// Sets the run going through this recorder: its own prepare and progress are called as before. The options and this must live as long as the run.
  void attach(chaos::RunOptions& options);
  std::size_t samples() const { return samples_; }

  /// OpenMetrics 1.0, with timestamps: what `promtool tsdb create-blocks-from openmetrics` takes.
  std::string openmetrics() const;
  /// The text format, of the last scrape.
  const std::string& last() const { return last_; }

 private:
  void scrape(sim::SimTime now);

  sim::SimDuration interval_;
  std::int64_t start_;
  sim::World* world_ = nullptr;
  sim::SimTime next_{};
  std::size_t samples_ = 0;
  std::map<std::string, std::map<std::string, std::vector<std::pair<std::int64_t, double>>>> series_;  // metric, labels: milliseconds since 1970, value
  std::string last_;
};

}  // namespace analysis

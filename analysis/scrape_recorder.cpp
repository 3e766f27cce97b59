#include "analysis/scrape_recorder.hpp"

#include <fmt/format.h>

#include "chaos/harness.hpp"
#include "sim/models/monitoring/exposition.hpp"
#include "sim/models/monitoring/monitoring.hpp"
#include "sim/models/world.hpp"

namespace analysis {

void ScrapeRecorder::attach(chaos::RunOptions& options) {
  const auto prepare = options.prepare;
  options.prepare = [this, prepare](sim::World& world) {
    world_ = &world;
    if (prepare) prepare(world);
  };
  const auto progress = options.progress;
  options.progress_every = interval_;
  options.progress = [this, progress](sim::SimTime now) {
    scrape(now);
    if (progress) progress(now);
  };
}

void ScrapeRecorder::scrape(sim::SimTime now) {
  // The end of the run comes as well, wherever it lies: it is no instant of the grid unless it falls on it.
  const bool is_on_grid = now.time_since_epoch() % interval_ == sim::SimDuration::zero();
  if (world_ == nullptr || !is_on_grid || (samples_ > 0 && now < next_)) return;
  next_ = now + interval_;
  ++samples_;
  const std::vector<sim::monitoring::Exposed> all =
      sim::monitoring::exposed(*world_, start_, world_->monitoring ? world_->monitoring->config().exporters : sim::monitoring::ExporterConfig{});
  const std::int64_t at = start_ * 1000 + now.time_since_epoch() / std::chrono::milliseconds(1);
  for (const sim::monitoring::Exposed& one : all) series_[one.metric][one.labels].emplace_back(at, one.value);
  last_ = sim::monitoring::prometheus_text(all);
}

std::string ScrapeRecorder::openmetrics() const {
  std::string text;
  for (const auto& [metric, all] : series_) {
    const std::string_view type = sim::monitoring::metric_type(metric);
    // A counter's family has the name without its suffix.
    const std::string family = type == "counter" ? metric.substr(0, metric.size() - std::string_view("_total").size()) : metric;
    text += fmt::format("# TYPE {} {}\n", family, type);
    for (const auto& [labels, points] : all) {
      for (const auto& [at, value] : points) text += fmt::format("{}{} {} {}.{:03}\n", metric, labels, sim::monitoring::metric_value(value), at / 1000, at % 1000);
    }
  }
  return text + "# EOF\n";
}

}  // namespace analysis

/// Replications until an interval is narrow enough: of which figure, against what its width is held, and what was reached.
///
/// The width of a share of runs ("objectives all held") is counted in points, that of an availability against the unavailability (1 less the
/// mean: "99.9 % to within 5 %" is 99.9 % +- 0.005 points), that of other figures against their mean. Of two or more scenarios it is the paired difference to
/// the first that is to be narrow, against the larger of both sides; several differences share the error.
///
/// Source:     sim::StoppingRule (when it looks, with which confidence).
/// Leaves out: several figures at once; quantiles of differences.
/// Checked by: tests/core/inference_test.cpp (coverage), tests/cli/many_runs.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/record.hpp"
#include "sim/core/inference.hpp"

namespace analysis {

/// A mean (share, quantile) and its two-sided interval over the replications.
struct Estimate {
  double mean = 0.0;
  double low = 0.0;
  double high = 0.0;
  bool has_interval = false;  // needs two replications
};
/// Student t.
Estimate estimate(const std::vector<double>& values, double confidence = 0.95);
/// Of ones and zeros: Wilson's interval, at the ends the exact one.
Estimate estimate_share(const std::vector<double>& values, double confidence = 0.95);

class Precision {
 public:
  enum class Statistic : std::uint8_t { kMean, kShare, kQuantile };
  /// What the estimate of one scenario or difference says.
  struct Side {
    std::size_t scenario = 0;
    Estimate value;
    bool is_constant = false;    // all replications the same: `width` is then the share of others that there may be at most
    double width = 0.0;          // half of the interval, in the figure's own measure (see above)
  };

  /// `metric`: a figure's name or a part that only one has, with "p95:" or "median:" before it for a quantile; empty: the objectives if there are any,
  /// else the outages of services, else the availability of nodes.
  Precision(sim::StoppingRule::Params params, std::string metric) : rule_(params), asked_(std::move(metric)) {}
  /// After the first replication of each scenario. Empty, or what is wrong with the metric.
  std::string choose(const std::vector<ScenarioResults>& results);
  const sim::StoppingRule& rule() const { return rule_; }
  /// Replications at the look to come.
  std::size_t next_look() const { return rule_.next_look(); }
  /// Judges what there is. True: more are needed.
  bool wants_more(const std::vector<ScenarioResults>& results);

  const std::string& metric() const { return name_; }
  Statistic statistic() const { return statistic_; }
  double quantile() const { return quantile_; }
  chaos::Unit unit() const { return unit_; }
  const char* relative_to() const;  // "points", "unavailability", "mean", "quantile"
  const std::vector<Side>& sides() const { return sides_; }
  std::size_t replications() const { return replications_; }
  /// The widest of them.
  double width() const;
  /// "objectives all held: 97.1 % +- 3.9 points in 102 replications ...".
  std::string in_words() const;

 private:
  Side judge(const std::vector<ScenarioResults>& results, std::size_t scenario, double confidence) const;
  std::size_t column_of(const ScenarioResults& results) const;

  sim::StoppingRule rule_;
  std::string asked_;
  std::string name_;
  Statistic statistic_ = Statistic::kMean;
  double quantile_ = 0.0;
  chaos::Unit unit_ = chaos::Unit::kRatio;
  std::vector<Side> sides_;
  std::size_t replications_ = 0;
  std::size_t looks_ = 0;
  double confidence_ = 0.0;
};

/// "99.9123 %", "1h 2m", "3.25".
std::string figure_text(chaos::Unit unit, double value);

}  // namespace analysis

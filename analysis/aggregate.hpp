/// Many replications of one scenario: how often its objectives hold, and means and quantiles with confidence intervals.
#pragma once

#include <string>
#include <vector>

#include "analysis/precision.hpp"
#include "analysis/record.hpp"

namespace analysis {

struct Aggregate {
  std::string scenario;
  std::string description;
  std::string hash;  // combined
  bool complete = true;
  double confidence = 0.95;
  const ScenarioResults* runs = nullptr;
  const Precision* precision = nullptr;  // why there are so many; null: they were asked for
  struct Row {
    std::string name;
    chaos::Unit unit = chaos::Unit::kRatio;
    bool is_constant = false;  // all runs alike: an interval of no width, which does not say that no run can differ
    Estimate value;
    sim::QuantileInterval median;
    double tail = 0.95;        // 0.05 where more is better: one run in twenty is as bad or worse
    sim::QuantileInterval at_tail;
  };
  std::vector<Row> rows;
  struct Objective {
    std::string name;
    std::size_t held = 0;
    double low = 0.0;  // Wilson interval of the share that holds, the exact one at 0 and at all
    double high = 0.0;
  };
  std::vector<Objective> objectives;
  bool held = true;  // every objective in every run
};

/// `confidence`: of the intervals. With `precision` they are as much wider as its looks cost. Both are referred to.
Aggregate aggregate(const std::string& scenario, const std::string& description, const ScenarioResults& runs, bool complete, double confidence = 0.95,
                    const Precision* precision = nullptr);
std::string aggregate_json(const Aggregate& aggregate);
/// `wall_seconds` below 0: not told.
std::string aggregate_text(const Aggregate& aggregate, bool colour, double wall_seconds);

}  // namespace analysis

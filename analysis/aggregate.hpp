/// Many replications of one scenario: how often its objectives hold, and means with confidence intervals.
#pragma once

#include <string>
#include <vector>

#include "analysis/comparison.hpp"
#include "analysis/replications.hpp"

namespace analysis {

struct Aggregate {
  std::string scenario;
  std::string description;
  std::string hash;  // combined
  bool complete = true;
  std::vector<const Replication*> runs;  // the complete ones; valid as long as the list they came from
  struct Row {
    std::string name;
    chaos::Unit unit = chaos::Unit::kRatio;
    Estimate value;
  };
  std::vector<Row> rows;
  struct Objective {
    std::string name;
    std::size_t held = 0;
    double low = 0.0;  // 95 % Wilson interval of the share that holds
    double high = 0.0;
  };
  std::vector<Objective> objectives;
  bool held = true;  // every objective in every run
};

Aggregate aggregate(const std::string& scenario, const std::string& description, const std::vector<Replication>& runs);
std::string aggregate_json(const Aggregate& aggregate);
std::string aggregate_text(const Aggregate& aggregate, bool colour, double wall_seconds);

}  // namespace analysis

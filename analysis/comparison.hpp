/// Two or more scenarios under the same luck: paired differences with confidence intervals, and what caused them.
#pragma once

#include <string>
#include <vector>

#include "analysis/replications.hpp"

namespace analysis {

/// A mean and its two-sided 95 % Student t interval over the replications.
struct Estimate {
  double mean = 0.0;
  double low = 0.0;
  double high = 0.0;
  bool has_interval = false;  // needs two replications
};
Estimate estimate(const std::vector<double>& values);

struct ComparedFigure {
  std::string name;                      // "kube-apiserver (write) availability"
  chaos::Unit unit = chaos::Unit::kRatio;
  bool more_is_better = true;
  std::vector<std::vector<double>> values;  // [scenario][replication], complete pairs only
  std::vector<Estimate> each;            // per scenario
  std::vector<Estimate> difference;      // of scenario i to the first one, paired; [0] is zero
  /// In words, for scenario i against the first: "better", "worse", "no difference shown" (the interval holds 0), "equal".
  std::vector<std::string> verdict;
};

/// The chain of causes of the worst outage that one scenario had and the others had not.
struct Distinction {
  std::size_t scenario = 0;
  std::uint64_t seed = 0;
  chaos::Outage outage;
};

struct Comparison {
  std::vector<std::string> names;
  std::vector<std::string> files;
  std::vector<std::string> hashes;  // combined, per scenario
  std::vector<double> held;         // share of replications in which every expectation held
  std::uint64_t first_seed = 0;
  std::size_t pairs = 0;            // replications that are complete on every side
  bool complete = true;
  std::vector<ComparedFigure> figures;
  std::vector<Distinction> distinctions;
};

Comparison compare(const std::vector<std::string>& names, const std::vector<std::string>& files, const std::vector<std::vector<Replication>>& replications);

std::string comparison_json(const Comparison& comparison);
std::string comparison_text(const Comparison& comparison, bool colour, int width);
std::string comparison_html(const Comparison& comparison);

}  // namespace analysis

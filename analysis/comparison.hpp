/// Two or more scenarios under the same luck: paired differences with confidence intervals, and what caused them.
#pragma once

#include <string>
#include <vector>

#include "analysis/precision.hpp"
#include "analysis/record.hpp"

namespace analysis {

/// What tests and counts say of one difference. P: the chance of as much or more, if there were no difference.
struct DifferenceTests {
  double mean = 1.0;         // paired t; of shares McNemar's exact test
  double adjusted = 1.0;     // Holm, over all scenarios that are held against the first one: what the verdict goes by
  double signed_ranks = 1.0; // Wilcoxon
  double signs = 1.0;
  double standardised = 0.0; // mean / standard deviation of the differences; 0 when they are all the same
  sim::PairedEffect effect;  // better and worse pairs: `more` counts those that are better
};

struct ComparedFigure {
  std::string name;                      // "kube-apiserver (write) availability"
  chaos::Unit unit = chaos::Unit::kRatio;
  bool more_is_better = true;
  std::vector<std::vector<double>> values;  // [scenario][replication], complete pairs only
  std::vector<Estimate> each;            // per scenario
  std::vector<Estimate> difference;      // of scenario i to the first one, paired; [0] is zero
  std::vector<DifferenceTests> tests;    // per scenario; [0] is empty
  /// In words, for scenario i against the first: "better", "worse", "no difference shown", "equal".
  std::vector<std::string> verdict;
  /// What the verdict leaves out, in words: "28 of 30 pairs, large"; empty where there is nothing to add.
  std::vector<std::string> remark;
  bool is_share = false;
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
  double confidence = 0.95;
  const Precision* precision = nullptr;
  std::vector<ComparedFigure> figures;
  std::vector<Distinction> distinctions;
};

/// `pairs`: replications that all scenarios have. With `precision`, which is referred to, the intervals are as much wider as its looks cost.
Comparison compare(const std::vector<std::string>& names, const std::vector<std::string>& files, const std::vector<ScenarioResults>& results, std::size_t pairs,
                   bool complete, double confidence = 0.95, const Precision* precision = nullptr);

std::string comparison_json(const Comparison& comparison);
std::string comparison_text(const Comparison& comparison, bool colour, int width);
std::string comparison_html(const Comparison& comparison);

}  // namespace analysis

/// What replications allow to be said: exact intervals of shares and quantiles, tests of paired differences, and when to stop.
///
/// Source:     Clopper and Pearson 1934 (exact interval of a share); Wilson 1927; David and Nagaraja, Order Statistics (interval of a quantile);
///             Agresti and Min 2005 (difference of two paired shares); Student 1908; Wilcoxon 1945; McNemar 1947; Holm 1979; Vargha and
///             Delaney 2000 and Romano et al. 2006 (words for sizes of effects); Robbins 1970, Jennison and Turnbull 2000 (intervals that hold
///             although one stops when they please: the error is shared out over the looks).
/// Leaves out: tests of more than two sides at once (each is held against the first one), Bayesian intervals, transformations of skewed data.
/// Checked by: tests/core/inference_test.cpp (tables, enumeration, coverage against M/M/1, machine repair and k of n).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/core/statistics.hpp"

namespace sim {

/// For a probability: covers it with at least the confidence, whatever it is. [0, 1] without trials.
ConfidenceInterval exact_share_interval(std::uint64_t hits, std::uint64_t trials, double confidence = 0.95);
/// Wilson's, near the confidence on average; at 0 and at `trials`, where that is too short, the exact one.
ConfidenceInterval share_interval(std::uint64_t hits, std::uint64_t trials, double confidence = 0.95);

/// For a quantile, of any distribution: two of the observations, found with the binomial distribution.
struct QuantileInterval {
  double estimate = 0;
  double low = 0;
  double high = 0;
  bool has_interval = false;  // false: too few observations
  std::uint64_t needs = 0;    // the fewest observations that give an interval
};
/// 0 < q < 1. The estimate is the smallest observation that at least the share q of them does not exceed.
QuantileInterval quantile_interval(std::vector<double> observations, double q, double confidence = 0.95);

/// P of a mean as far from 0, if the true one is 0 (normal differences, or many). 1 for fewer than two; 0 when all are the same and not 0.
double paired_t_test(std::span<const double> differences);
/// P of as uneven a split, if both are equally likely: the exact sign test and, of pairs that differ, McNemar's exact test.
double sign_test(std::uint64_t better, std::uint64_t worse);
/// P of ranks as uneven, if the differences are symmetric around 0. Zeros are left out, ties share ranks; exact up to 200 pairs that
/// differ, then by the normal distribution with continuity correction.
double signed_rank_test(std::span<const double> differences);
/// Holm's adjusted P: reject where it is at most the level, and the chance of any wrong rejection is at most the level.
std::vector<double> holm(const std::vector<double>& p);
/// For the difference of two shares of the same trials: `only_second` trials hit on the second side alone, `only_first` on the first alone.
ConfidenceInterval paired_share_interval(std::uint64_t only_first, std::uint64_t only_second, std::uint64_t trials, double confidence = 0.95);

/// How often the first of a pair beats the second, and the word for it: "none", "small", "medium", "large".
struct PairedEffect {
  std::uint64_t more = 0;   // differences above 0
  std::uint64_t less = 0;
  std::uint64_t equal = 0;
  double superiority = 0;   // (more + equal / 2) / all - 1/2, doubled: -1 to 1
  const char* size = "none";
};
PairedEffect paired_effect(std::span<const double> differences);

/// When to look at an estimate, with which confidence, and whether to go on.
///
/// Looks are at `minimum` replications, then at half as many again each time. Look k uses the confidence 1 - a / (k (k + 1)), where 1 - a is
/// the confidence asked for: the chances to miss add up to at most a over all looks, so the interval at the stop holds with the confidence
/// asked for although it was the data that chose the stop. The schedule does not depend on threads or machines.
class StoppingRule {
 public:
  struct Params {
    double target = 0.05;
    double confidence = 0.95;
    std::uint64_t minimum = 30;
    std::uint64_t maximum = 10'000;
  };
  StoppingRule() : StoppingRule(Params()) {}
  explicit StoppingRule(Params params);
  const Params& params() const { return params_; }
  /// Replications at the look to come.
  std::uint64_t next_look() const { return next_; }
  /// From 1; of the look to come or, once done, of the last one.
  std::uint64_t look() const { return look_; }
  /// The confidence of intervals at this look.
  double look_confidence() const;
  /// The look is over: the interval was narrow enough, or not.
  void looked(bool is_narrow);
  bool done() const { return done_; }
  bool reached() const { return reached_; }
  /// Of `replications` that are all the same: others are at most this share of all, with look_confidence().
  double others_at_most(std::uint64_t replications) const;

 private:
  Params params_;
  std::uint64_t look_ = 1;
  std::uint64_t next_;
  bool done_ = false;
  bool reached_ = false;
};

}  // namespace sim

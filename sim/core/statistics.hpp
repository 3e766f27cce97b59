/// Statistics of what a simulation puts out: averages over time, histograms with quantiles, confidence intervals, when the
/// warm-up is over, how many replications are enough.
///
/// Source:     Welford 1962 (moments); Wichura 1988, AS 241 (normal quantile); Wilson 1927 (proportion); White 1997 and
///             White, Cobb, Spratt 2000 (MSER-5); Law and Kelton (batch means); Hoad, Robinson, Davies 2010 (number of
///             replications, with look-ahead); Tene, HdrHistogram (log-linear buckets).
/// Leaves out: correlated sampling plans, control variates, quantile intervals.
/// Checked by: tests/core/statistics_test.cpp (closed forms, published tables, coverage on M/M/1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/core/time.hpp"

namespace sim {

/// A value that holds between changes: its average weighted with time (queue length, utilisation, replicas available).
class TimeWeighted {
 public:
  explicit TimeWeighted(SimTime start = SimTime{}, double value = 0) : start_(start), changed_(start), value_(value), max_(value), min_(value) {}
  /// The value is `value` from `now` on. `now` is not before the last change.
  void set(SimTime now, double value);
  void add(SimTime now, double change) { set(now, value_ + change); }
  double value() const { return value_; }
  /// From the start (or the last reset) to `now`. The value itself when no time has passed.
  double average(SimTime now) const;
  /// Integral of the value over time, in value x seconds.
  double integral(SimTime now) const { return area_ + value_ * seconds(now - changed_); }
  double max() const { return max_; }
  double min() const { return min_; }
  /// Forgets what was (the warm-up); the value stays.
  void reset(SimTime now);

 private:
  SimTime start_;
  SimTime changed_;
  double value_;
  double area_ = 0;
  double max_;
  double min_;
};

/// Count, mean, variance, minimum and maximum of observations, in constant memory and without cancellation.
class Tally {
 public:
  void add(double value);
  /// As if everything that `other` has seen had been added here.
  void merge(const Tally& other);
  std::uint64_t count() const { return count_; }
  double mean() const { return mean_; }
  /// Of the sample (divided by n - 1); 0 for fewer than two observations.
  double variance() const { return count_ < 2 ? 0 : squares_ / static_cast<double>(count_ - 1); }
  double standard_deviation() const;
  double min() const { return min_; }
  double max() const { return max_; }
  double sum() const { return mean_ * static_cast<double>(count_); }

 private:
  std::uint64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
  double min_ = 0;
  double max_ = 0;
};

/// Counts of non-negative integers (nanoseconds, bytes) in buckets whose width grows with the value: a quantile is off by
/// at most 1/128 of its value. At most 58 kB, whatever is added. Negative values count as 0.
class Histogram {
 public:
  void add(std::int64_t value, std::uint64_t times = 1);
  void add(SimDuration span) { add(span.count()); }
  void merge(const Histogram& other);
  std::uint64_t count() const { return count_; }
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  /// The smallest value that at least the share q of the observations do not exceed (within the bucket's width; 0 and 1
  /// give exactly min() and max()). 0 when empty.
  std::int64_t quantile(double q) const;

 private:
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t top_of(std::size_t bucket);  // the largest value of the bucket
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0;
};

struct ConfidenceInterval {
  double estimate = 0;
  double low = 0;
  double high = 0;
  double half_width() const { return (high - low) / 2; }
  bool contains(double value) const { return low <= value && value <= high; }
};

/// x with P(N(0, 1) <= x) = p, for 0 < p < 1.
double normal_quantile(double p);
/// P(T <= x) for Student's t with `degrees` > 0.
double student_t_probability(double x, double degrees);
/// x with P(T <= x) = p, for 0 < p < 1 and `degrees` > 0.
double student_t_quantile(double p, double degrees);

/// For the mean of independent observations. With fewer than two the interval is infinite.
ConfidenceInterval mean_interval(const Tally& observations, double confidence = 0.95);
/// For the mean of a - b, paired by index (the same replication of two architectures). Sizes must agree.
ConfidenceInterval paired_difference_interval(std::span<const double> a, std::span<const double> b, double confidence = 0.95);
/// For a probability, from `hits` of `trials`; sensible at 0 and at `trials` too. [0, 1] without trials.
ConfidenceInterval proportion_interval(std::uint64_t hits, std::uint64_t trials, double confidence = 0.95);
/// For the mean of one long correlated run: `batches` equal parts, whose means are taken as independent. A rest that
/// fills no batch is left out at the front. Needs 2 <= batches <= size.
ConfidenceInterval batch_means_interval(std::span<const double> series, std::size_t batches = 20, double confidence = 0.95);

/// Where a series is over its warm-up: the first index to keep, a multiple of 5, that minimises the standard error of
/// the mean of what is kept (means of 5). Empty when that lies in the second half: the series is too short to tell.
std::optional<std::size_t> mser5_truncation(std::span<const double> series);

/// Says when enough replications were made: the interval's half width is at most `relative_half_width` of the mean, and
/// stays so for a few more replications (look-ahead), so that luck does not stop it early.
class ReplicationRule {
 public:
  struct Params {
    double relative_half_width = 0.05;
    double confidence = 0.95;
    std::uint64_t minimum = 3;
    std::uint64_t maximum = 1000;
    std::uint64_t look_ahead = 5;  // above 100 replications: that many for each 100
  };
  ReplicationRule() : ReplicationRule(Params()) {}
  explicit ReplicationRule(Params params) : params_(params) {}
  /// The result of one more replication.
  void add(double value);
  bool needs_more() const { return !done_; }
  /// Precise enough (false when the maximum ended it).
  bool reached() const { return recommended_ != 0 && done_; }
  /// The smallest number of replications after which the precision held. 0 when not reached.
  std::uint64_t recommended() const { return reached() ? recommended_ : 0; }
  const Tally& observations() const { return tally_; }
  ConfidenceInterval interval() const { return mean_interval(tally_, params_.confidence); }

 private:
  Params params_;
  Tally tally_;
  std::uint64_t recommended_ = 0;
  bool done_ = false;
};

}  // namespace sim

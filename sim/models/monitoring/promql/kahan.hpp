/// Sums, means and variances as Prometheus computes them: compensated, so that the order of many small values does not show.
///
/// Source: prometheus v3.13 util/kahansum; promql/functions.go (funcAvgOverTime, varianceOverTime).
#pragma once

#include <cmath>
#include <vector>

namespace sim::promql {

class Kahan {
 public:
  void add(double x) {
    const double t = sum_ + x;
    if (std::isinf(t)) {
      c_ = 0.0;
    } else if (std::abs(sum_) >= std::abs(x)) {
      c_ += (sum_ - t) + x;
    } else {
      c_ += (x - t) + sum_;
    }
    sum_ = t;
  }
  double value() const { return sum_ + c_; }
  double sum() const { return sum_; }
  double rest() const { return c_; }

 private:
  double sum_ = 0.0;
  double c_ = 0.0;
};

inline double mean(const std::vector<double>& values) {
  Kahan sum;
  for (double v : values) sum.add(v);
  const auto count = static_cast<double>(values.size());
  if (!std::isinf(sum.sum())) return sum.sum() / count + sum.rest() / count;
  // The sum overflows although the mean need not.
  double mean = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto n = static_cast<double>(i + 1);
    mean = mean * ((n - 1.0) / n) + values[i] / n;
  }
  return mean;
}

inline double variance(const std::vector<double>& values) {
  double count = 0.0;
  double mean = 0.0;
  double sum = 0.0;
  for (double v : values) {
    count += 1.0;
    const double delta = v - mean;
    mean += delta / count;
    sum += delta * (v - mean);
  }
  return sum / count;
}

}  // namespace sim::promql

#include "sim/core/statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "sim/core/special_functions.hpp"

namespace sim {

void TimeWeighted::set(SimTime now, double value) {
  area_ = integral(now);
  changed_ = now;
  value_ = value;
  max_ = std::max(max_, value);
  min_ = std::min(min_, value);
}

double TimeWeighted::average(SimTime now) const { return now > start_ ? integral(now) / seconds(now - start_) : value_; }

void TimeWeighted::reset(SimTime now) { *this = TimeWeighted(now, value_); }

void Tally::add(double value) {
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  const double before = value - mean_;
  mean_ += before / static_cast<double>(count_);
  squares_ += before * (value - mean_);
}

void Tally::merge(const Tally& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    *this = other;
    return;
  }
  const auto mine = static_cast<double>(count_);
  const auto theirs = static_cast<double>(other.count_);
  const double difference = other.mean_ - mean_;
  mean_ += difference * theirs / (mine + theirs);
  squares_ += other.squares_ + difference * difference * mine * theirs / (mine + theirs);
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Tally::standard_deviation() const { return std::sqrt(variance()); }

namespace {
constexpr unsigned kSubBits = 7;  // 128 steps for each power of two
constexpr std::uint64_t kSubCount = std::uint64_t{1} << kSubBits;
}  // namespace

std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < 2 * kSubCount) return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
  return static_cast<std::size_t>(shift * kSubCount + (value >> shift));
}

std::uint64_t Histogram::top_of(std::size_t bucket) {
  if (bucket < 2 * kSubCount) return bucket;
  const std::uint64_t shift = bucket / kSubCount - 1;
  return ((bucket - shift * kSubCount + 1) << shift) - 1;
}

void Histogram::add(std::int64_t value, std::uint64_t times) {
  if (times == 0) return;
  value = std::max<std::int64_t>(value, 0);
  const std::size_t bucket = bucket_of(static_cast<std::uint64_t>(value));
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  counts_[bucket] += times;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
}

std::int64_t Histogram::quantile(double q) const {
  if (count_ == 0) return 0;
  if (!(q > 0)) return min_;
  if (q >= 1) return max_;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below >= rank) return std::clamp(static_cast<std::int64_t>(top_of(i)), min_, max_);
  }
  return max_;
}

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    const double top = ((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r + 45921.953931549871457) * r +
                          13731.693765509461125) * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.387132872796366608;
    const double bottom = ((((((5226.495278852854561 * r + 28729.085735721942674) * r + 39307.89580009271061) * r + 21213.794301586595867) * r +
                             5394.1960214247511077) * r + 687.1870074920579083) * r + 42.313330701600911252) * r + 1.0;
    return q * top / bottom;
  }
  double r = q < 0 ? p : 1.0 - p;
  if (!(r > 0)) return q < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  r = std::sqrt(-math::log(r));
  double value = 0;
  if (r <= 5.0) {
    r -= 1.6;
    const double top = ((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r + 1.27045825245236838258) * r +
                          3.64784832476320460504) * r + 5.7694972214606914055) * r + 4.6303378461565452959) * r + 1.42343711074968357734;
    const double bottom = ((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r + 0.14810397642748007459) * r +
                             0.68976733498510000455) * r + 1.6763848301838038494) * r + 2.05319162663775882187) * r + 1.0;
    value = top / bottom;
  } else {
    r -= 5.0;
    const double top = ((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r + 0.026532189526576123093) * r +
                          0.29656057182850489123) * r + 1.7848265399172913358) * r + 5.4637849111641143699) * r + 6.6579046435011037772;
    const double bottom = ((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4) * r +
                             0.0148753612908506148525) * r + 0.13692988092273580531) * r + 0.59983220655588793769) * r + 1.0;
    value = top / bottom;
  }
  return q < 0 ? -value : value;
}

/// Stirling's series, after shifting x above 12.
double log_gamma(double x) {
  double shift = 0;
  while (x < 12) {
    shift -= math::log(x);
    x += 1;
  }
  const double inverse = 1 / x;
  const double square = inverse * inverse;
  const double series = inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square * (1.0 / 1680 - square * (1.0 / 1188)))));
  constexpr double kHalfLogTwoPi = 0.91893853320467274178;
  return shift + (x - 0.5) * math::log(x) - x + kHalfLogTwoPi + series;
}

/// By its continued fraction (Lentz's method).
double incomplete_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(1 - x, b, a);
  const double front = math::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * math::log(x) + b * math::log(1 - x)) / a;
  constexpr double kTiny = 1e-300;
  double fraction = 1;
  double c = 1;
  double d = 0;
  for (int i = 0; i <= 10'000; ++i) {
    const double m = i / 2;  // 0, 0, 1, 1, 2, 2: the terms come in pairs
    double numerator = 1;
    if (i > 0) {
      numerator = i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    }
    d = 1 + numerator * d;
    if (std::fabs(d) < kTiny) d = kTiny;
    d = 1 / d;
    c = 1 + numerator / c;
    if (std::fabs(c) < kTiny) c = kTiny;
    const double step = c * d;
    fraction *= step;
    if (i > 0 && std::fabs(1 - step) < 1e-15) break;
  }
  // The fraction was evaluated as 1 + 1 / (1 + ...): the leading 1 is not part of it.
  return front * (fraction - 1);
}

double binomial_at_most(std::uint64_t hits, std::uint64_t trials, double p) {
  if (hits >= trials || p <= 0) return 1;
  if (p >= 1) return 0;
  return incomplete_beta(1 - p, static_cast<double>(trials - hits), static_cast<double>(hits) + 1);
}

double student_t_probability(double x, double degrees) {
  const double tail = 0.5 * incomplete_beta(degrees / (degrees + x * x), degrees / 2, 0.5);
  return x > 0 ? 1 - tail : tail;
}

double student_t_quantile(double p, double degrees) {
  if (p == 0.5) return 0;
  if (p < 0.5) return -student_t_quantile(1 - p, degrees);
  double low = 0;
  double high = std::max(2.0, 2 * normal_quantile(p));
  while (student_t_probability(high, degrees) < p && high < 1e300) {
    low = high;
    high *= 2;
  }
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (student_t_probability(middle, degrees) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

ConfidenceInterval mean_interval(const Tally& observations, double confidence) {
  const double mean = observations.mean();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (observations.count() < 2) return {mean, -kInfinity, kInfinity};
  const auto n = static_cast<double>(observations.count());
  const double half = student_t_quantile(0.5 + confidence / 2, n - 1) * std::sqrt(observations.variance() / n);
  return {mean, mean - half, mean + half};
}

ConfidenceInterval paired_difference_interval(std::span<const double> a, std::span<const double> b, double confidence) {
  SIM_CHECK(a.size() == b.size(), "observations are paired by index");
  Tally differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.add(a[i] - b[i]);
  return mean_interval(differences, confidence);
}

ConfidenceInterval proportion_interval(std::uint64_t hits, std::uint64_t trials, double confidence) {
  if (trials == 0) return {0, 0, 1};
  const auto n = static_cast<double>(trials);
  const double share = static_cast<double>(hits) / n;
  const double z = normal_quantile(0.5 + confidence / 2);
  const double square = z * z;
  const double center = (share + square / (2 * n)) / (1 + square / n);
  const double half = z / (1 + square / n) * std::sqrt(share * (1 - share) / n + square / (4 * n * n));
  return {share, hits == 0 ? 0 : std::max(0.0, center - half), hits == trials ? 1 : std::min(1.0, center + half)};
}

ConfidenceInterval batch_means_interval(std::span<const double> series, std::size_t batches, double confidence) {
  SIM_CHECK(batches >= 2 && batches <= series.size(), "a batch has at least one observation, and two batches at least give a variance");
  const std::size_t size = series.size() / batches;
  series = series.last(size * batches);
  Tally means;
  for (std::size_t i = 0; i < batches; ++i) {
    double total = 0;
    for (const double value : series.subspan(i * size, size)) total += value;
    means.add(total / static_cast<double>(size));
  }
  return mean_interval(means, confidence);
}

std::optional<std::size_t> mser5_truncation(std::span<const double> series) {
  constexpr std::size_t kBatch = 5;
  const std::size_t n = series.size() / kBatch;
  if (n < 2) return std::nullopt;
  std::vector<double> means(n);
  for (std::size_t i = 0; i < n; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < kBatch; ++j) total += series[i * kBatch + j];
    means[i] = total / kBatch;
  }
  // From the end to the front, so that each candidate costs one step. The last few are left out: the standard error of
  // two or three values is luck.
  constexpr std::size_t kLeast = 5;
  Tally kept;
  double best = std::numeric_limits<double>::infinity();
  std::size_t best_first = n;
  for (std::size_t first = n; first-- > 0;) {
    kept.add(means[first]);
    const auto count = static_cast<double>(kept.count());
    if (kept.count() < std::min(kLeast, n)) continue;
    const double error = kept.variance() * (count - 1) / (count * count);
    if (error <= best) {  // of equal candidates the one that keeps more
      best = error;
      best_first = first;
    }
  }
  if (best_first > n / 2) return std::nullopt;
  return best_first * kBatch;
}

void ReplicationRule::add(double value) {
  tally_.add(value);
  const std::uint64_t n = tally_.count();
  if (n >= std::max<std::uint64_t>(params_.minimum, 2)) {
    const ConfidenceInterval interval = mean_interval(tally_, params_.confidence);
    if (interval.half_width() <= params_.relative_half_width * std::fabs(interval.estimate)) {
      if (recommended_ == 0) recommended_ = n;
      const std::uint64_t ahead = recommended_ <= 100 ? params_.look_ahead : params_.look_ahead * recommended_ / 100;
      if (n >= recommended_ + ahead) done_ = true;
    } else {
      recommended_ = 0;
    }
  }
  if (n >= params_.maximum) done_ = true;
}

}  // namespace sim

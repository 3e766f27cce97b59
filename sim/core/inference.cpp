#include "sim/core/inference.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "sim/core/special_functions.hpp"

namespace sim {

namespace {

/// The p in [0, 1] where a function that falls from above `value` to below it crosses it.
template <class Falling>
double crossing(Falling&& falling, double value) {
  double low = 0;
  double high = 1;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (falling(middle) > value ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace

ConfidenceInterval exact_share_interval(std::uint64_t hits, std::uint64_t trials, double confidence) {
  if (trials == 0) return {0, 0, 1};
  const double tail = (1 - confidence) / 2;
  const double share = static_cast<double>(hits) / static_cast<double>(trials);
  const double low = hits == 0 ? 0 : crossing([&](double p) { return binomial_at_most(hits - 1, trials, p); }, 1 - tail);
  const double high = hits == trials ? 1 : crossing([&](double p) { return binomial_at_most(hits, trials, p); }, tail);
  return {share, low, high};
}

ConfidenceInterval share_interval(std::uint64_t hits, std::uint64_t trials, double confidence) {
  return hits == 0 || hits == trials ? exact_share_interval(hits, trials, confidence) : proportion_interval(hits, trials, confidence);
}

QuantileInterval quantile_interval(std::vector<double> observations, double q, double confidence) {
  QuantileInterval result;
  const double tail = (1 - confidence) / 2;
  result.needs = static_cast<std::uint64_t>(std::ceil(math::log(tail) / math::log(std::max(q, 1 - q)) - 1e-9));
  if (observations.empty()) return result;
  std::sort(observations.begin(), observations.end());
  const std::uint64_t n = observations.size();
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(n) - 1e-9));
  result.estimate = result.low = result.high = observations[std::clamp<std::uint64_t>(rank, 1, n) - 1];
  if (n < result.needs) return result;
  // low = the r-th smallest, r the largest with P(fewer than r below the quantile) <= tail; high likewise from the other end.
  std::uint64_t begin = 0;
  std::uint64_t end = n;  // P(X <= begin - 1) <= tail < P(X <= end - 1)
  while (end - begin > 1) {
    const std::uint64_t middle = begin + (end - begin) / 2;
    (binomial_at_most(middle - 1, n, q) <= tail ? begin : end) = middle;
  }
  const std::uint64_t lower = begin;
  end = n;
  begin = 0;  // P(X <= begin - 1) < 1 - tail <= P(X <= end - 1)
  while (end - begin > 1) {
    const std::uint64_t middle = begin + (end - begin) / 2;
    (binomial_at_most(middle - 1, n, q) < 1 - tail ? begin : end) = middle;
  }
  if (lower == 0 || binomial_at_most(n - 1, n, q) < 1 - tail) return result;
  result.low = observations[lower - 1];
  result.high = observations[end - 1];
  result.has_interval = true;
  return result;
}

double paired_t_test(std::span<const double> differences) {
  if (differences.size() < 2) return 1;
  Tally tally;
  for (const double difference : differences) tally.add(difference);
  if (tally.variance() == 0) return tally.mean() == 0 ? 1 : 0;
  const auto n = static_cast<double>(tally.count());
  return 2 * student_t_probability(-std::fabs(tally.mean()) / std::sqrt(tally.variance() / n), n - 1);
}

double sign_test(std::uint64_t better, std::uint64_t worse) {
  if (better == worse) return 1;
  return std::min(1.0, 2 * binomial_at_most(std::min(better, worse), better + worse, 0.5));
}

double signed_rank_test(std::span<const double> differences) {
  std::vector<double> nonzero;
  for (const double difference : differences) {
    if (difference != 0) nonzero.push_back(difference);
  }
  const std::size_t n = nonzero.size();
  if (n == 0) return 1;
  std::sort(nonzero.begin(), nonzero.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b) || (std::fabs(a) == std::fabs(b) && a < b); });
  // Twice the ranks, so that those that ties share are whole numbers too.
  std::vector<std::uint64_t> ranks(n);
  double tie_correction = 0;
  for (std::size_t i = 0; i < n;) {
    std::size_t end = i;
    while (end < n && std::fabs(nonzero[end]) == std::fabs(nonzero[i])) ++end;
    for (std::size_t k = i; k < end; ++k) ranks[k] = i + end + 1;
    const auto ties = static_cast<double>(end - i);
    tie_correction += ties * ties * ties - ties;
    i = end;
  }
  std::uint64_t positive = 0;
  for (std::size_t i = 0; i < n; ++i) positive += nonzero[i] > 0 ? ranks[i] : 0;
  const std::uint64_t all = static_cast<std::uint64_t>(n) * (n + 1);
  const std::uint64_t lesser = std::min(positive, all - positive);
  constexpr std::size_t kExact = 200;
  if (n <= kExact) {
    std::vector<double> chance(all / 2 + 1);  // of each doubled sum up to the middle
    chance[0] = 1;
    std::size_t top = 0;
    for (const std::uint64_t rank : ranks) {
      top = std::min<std::size_t>(top + rank, chance.size() - 1);
      for (std::size_t sum = top + 1; sum-- > 0;) chance[sum] = 0.5 * (chance[sum] + (sum >= rank ? chance[sum - rank] : 0));
    }
    double tail = 0;
    for (std::size_t sum = 0; sum <= lesser && sum < chance.size(); ++sum) tail += chance[sum];
    return std::min(1.0, 2 * tail);
  }
  const auto count = static_cast<double>(n);
  const double mean = count * (count + 1) / 4;
  const double deviation = std::sqrt(count * (count + 1) * (2 * count + 1) / 24 - tie_correction / 48);
  const double z = (std::fabs(static_cast<double>(lesser) / 2 - mean) - 0.5) / deviation;
  return z <= 0 ? 1 : 2 * student_t_probability(-z, 1e7);  // normal, but for the seventh digit
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double highest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    highest = std::max(highest, std::min(1.0, p[order[i]] * static_cast<double>(p.size() - i)));
    adjusted[order[i]] = highest;
  }
  return adjusted;
}

ConfidenceInterval paired_share_interval(std::uint64_t only_first, std::uint64_t only_second, std::uint64_t trials, double confidence) {
  if (trials == 0) return {0, -1, 1};
  SIM_CHECK(only_first + only_second <= trials, "a trial that hits on one side only is a trial");
  const double difference = (static_cast<double>(only_second) - static_cast<double>(only_first)) / static_cast<double>(trials);
  // Half a trial more in each of the four cells; at the ends the interval of the sample without that would be a point.
  const double n = static_cast<double>(trials) + 2;
  const double first = (static_cast<double>(only_first) + 0.5) / n;
  const double second = (static_cast<double>(only_second) + 0.5) / n;
  const double half = normal_quantile(0.5 + confidence / 2) * std::sqrt((first + second - (second - first) * (second - first)) / n);
  return {difference, std::max(-1.0, second - first - half), std::min(1.0, second - first + half)};
}

PairedEffect paired_effect(std::span<const double> differences) {
  PairedEffect effect;
  for (const double difference : differences) ++(difference > 0 ? effect.more : difference < 0 ? effect.less : effect.equal);
  if (differences.empty()) return effect;
  effect.superiority = (static_cast<double>(effect.more) - static_cast<double>(effect.less)) / static_cast<double>(differences.size());
  const double size = std::fabs(effect.superiority);
  effect.size = size < 0.147 ? "none" : size < 0.33 ? "small" : size < 0.474 ? "medium" : "large";
  return effect;
}

StoppingRule::StoppingRule(Params params) : params_(params), next_(std::min(std::max<std::uint64_t>(params.minimum, 2), params.maximum)) {}

double StoppingRule::look_confidence() const {
  const auto k = static_cast<double>(look_);
  return 1 - (1 - params_.confidence) / (k * (k + 1));
}

void StoppingRule::looked(bool is_narrow) {
  if (is_narrow || next_ >= params_.maximum) {
    done_ = true;
    reached_ = is_narrow;
    return;
  }
  ++look_;
  next_ = std::min(params_.maximum, next_ + (next_ + 1) / 2);
}

double StoppingRule::others_at_most(std::uint64_t replications) const {
  return replications == 0 ? 1 : 1 - math::exp(math::log(1 - look_confidence()) / static_cast<double>(replications));
}

}  // namespace sim

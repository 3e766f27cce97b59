#include "sim/core/lifetime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "sim/core/statistics.hpp"

namespace sim {

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kDay = 86'400.0;
constexpr double kYear = 365.0 * kDay;

double log1p_small(double x) {
  // math::log loses what is below the last bit of 1 + x; the first terms of the series have it.
  return x > -1e-4 && x < 1e-4 ? x * (1.0 - x * (0.5 - x * (1.0 / 3.0 - x * 0.25))) : math::log(1.0 + x);
}
/// 1 - e^-h.
double one_minus_exp(double h) {
  return h < 1e-4 ? h * (1.0 - h * (0.5 - h * (1.0 / 6.0 - h * (1.0 / 24.0)))) : 1.0 - math::exp(-h);
}
double hazard_of_share_gone(double gone) { return gone >= 1.0 ? kInfinite : -log1p_small(-gone); }

// ---- special functions ----------------------------------------------------------------------------------------------

/// erfc for x >= 0 (Cody 1969).
double erfc_positive(double x) {
  if (x < 0.46875) {
    static constexpr double a[] = {3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02, 3.20937758913846947e03, 1.85777706184603153e-1};
    static constexpr double b[] = {2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03, 2.84423683343917062e03};
    const double y = x * x;
    double top = a[4] * y;
    double bottom = y;
    for (int i = 0; i < 3; ++i) {
      top = (top + a[i]) * y;
      bottom = (bottom + b[i]) * y;
    }
    return 1.0 - x * (top + a[3]) / (bottom + b[3]);
  }
  if (x > 26.5) return 0.0;
  double share = 0.0;
  if (x <= 4.0) {
    static constexpr double c[] = {5.64188496988670089e-1, 8.88314979438837594e0,  6.61191906371416295e01, 2.98635138197400131e02, 8.81952221241769090e02,
                                   1.71204761263407058e03, 2.05107837782607147e03, 1.23033935479799725e03, 2.15311535474403846e-8};
    static constexpr double d[] = {1.57449261107098347e01, 1.17693950891312499e02, 5.37181101862009858e02, 1.62138957456669019e03,
                                   3.29079923573345963e03, 4.36261909014324716e03, 3.43936767414372164e03, 1.23033935480374942e03};
    double top = c[8] * x;
    double bottom = x;
    for (int i = 0; i < 7; ++i) {
      top = (top + c[i]) * x;
      bottom = (bottom + d[i]) * x;
    }
    share = (top + c[7]) / (bottom + d[7]);
  } else {
    static constexpr double p[] = {3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4, 1.63153871373020978e-2};
    static constexpr double q[] = {2.56852019228982242e00, 1.87295284992346725e00, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3};
    const double y = 1.0 / (x * x);
    double top = p[5] * y;
    double bottom = y;
    for (int i = 0; i < 4; ++i) {
      top = (top + p[i]) * y;
      bottom = (bottom + q[i]) * y;
    }
    constexpr double kInverseRootPi = 5.6418958354775628695e-1;
    share = (kInverseRootPi - y * (top + p[4]) / (bottom + q[4])) / x;
  }
  // e^-x^2 in two factors: the square's rounding would cost digits far out.
  const double head = std::floor(x * 16.0) / 16.0;
  return math::exp(-head * head) * math::exp(-(x - head) * (x + head)) * share;
}

double log_gamma(double x) {
  static constexpr double kLanczos[] = {676.5203681218851,     -1259.1392167224028,  771.32342877765313,     -176.61502916214059,
                                        12.507343278686905,    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7};
  // Gamma(x + 1) = x Gamma(x): below a half the sum is used one further up.
  if (x < 0.5) return log_gamma(x + 1.0) - math::log(x);
  const double z = x - 1.0;
  double sum = 0.99999999999980993;
  for (int i = 0; i < 8; ++i) sum += kLanczos[i] / (z + i + 1.0);
  const double t = z + 7.5;
  return 0.91893853320467274178 + (z + 0.5) * math::log(t) - t + math::log(sum);
}

/// -ln of the upper incomplete gamma function's share Q(a, x).
double gamma_hazard(double a, double x) {
  if (x <= 0.0) return 0.0;
  const double front = a * math::log(x) - x - log_gamma(a);
  if (x < a + 1.0) {
    double term = 1.0 / a;
    double sum = term;
    for (double n = a + 1.0; term > sum * 1e-17; n += 1.0) {
      term *= x / n;
      sum += term;
    }
    return hazard_of_share_gone(math::exp(front) * sum);
  }
  // Lentz' continued fraction.
  constexpr double kTiny = 1e-300;
  double b = x + 1.0 - a;
  double c = 1.0 / kTiny;
  double d = 1.0 / b;
  double fraction = d;
  for (int i = 1; i < 10'000; ++i) {
    const double an = -i * (i - a);
    b += 2.0;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1.0 / d;
    const double step = d * c;
    fraction *= step;
    if (std::abs(step - 1.0) < 1e-16) break;
  }
  return -(front + math::log(fraction));
}

}  // namespace

double normal_probability(double x) {
  constexpr double kInverseRootTwo = 0.70710678118654752440;
  return x > 0.0 ? 1.0 - 0.5 * erfc_positive(x * kInverseRootTwo) : 0.5 * erfc_positive(-x * kInverseRootTwo);
}

// ---- laws -----------------------------------------------------------------------------------------------------------

struct LifetimeLaw::Data {
  virtual ~Data() = default;
  virtual double mean() const = 0;
  virtual double hazard(double t) const = 0;  // t >= 0
  virtual double at(double h) const = 0;
  virtual bool continuous() const { return true; }
  virtual bool has_equilibrium() const { return true; }
  /// A lifetime as it is found at a random instant: long ones are found more often.
  virtual double found(RandomStream& random) const = 0;
  virtual double age(RandomStream& random) const {
    const double whole = found(random);
    return whole * random.uniform();
  }
  virtual std::optional<LifetimeLaw> scaled(double) const { return std::nullopt; }
  virtual std::string describe() const = 0;

 protected:
  /// By halving, for laws whose hazard has no inverse in closed form; 1e-13 of the value.
  double search(double h) const {
    if (h <= 0.0) return 0.0;
    double high = std::max(mean(), 1e-9);
    while (hazard(high) < h) {
      high *= 2.0;
      if (high > 1e300) return high;
    }
    double low = 0.0;
    for (int i = 0; i < 200 && high - low > 1e-13 * high; ++i) {
      const double middle = low + (high - low) / 2.0;
      (hazard(middle) < h ? low : high) = middle;
    }
    return high;
  }
  /// Integral of P(T > t) to `end`, by Simpson's rule over pieces that grow geometrically.
  double integral_of_survival(double end) const {
    constexpr int kPieces = 4000;
    constexpr double kSmallest = 1e-9;
    const double growth = -math::log(kSmallest) / kPieces;
    double sum = 0.0;
    double from = 0.0;
    for (int i = 0; i <= kPieces; ++i) {
      const double to = end * kSmallest * math::exp(growth * i);
      const auto survival = [&](double t) { return math::exp(-hazard(t)); };
      sum += (to - from) / 6.0 * (survival(from) + 4.0 * survival((from + to) / 2.0) + survival(to));
      from = to;
    }
    return sum;
  }
};

namespace {

using Data = LifetimeLaw::Data;

struct Exponential final : Data {
  double mean_;
  explicit Exponential(double mean) : mean_(mean) {}
  double mean() const override { return mean_; }
  double hazard(double t) const override { return t / mean_; }
  double at(double h) const override { return h * mean_; }
  double found(RandomStream& random) const override { return random.gamma(2.0, mean_); }
  double age(RandomStream& random) const override { return random.exponential(mean_); }
  std::optional<LifetimeLaw> scaled(double factor) const override { return LifetimeLaw::exponential(mean_ / factor); }
  std::string describe() const override { return fmt::format("exponential, mean {}", describe_lifetime(mean_)); }
};

struct Weibull final : Data {
  double shape_;
  double mean_;
  double scale_;
  Weibull(double shape, double mean) : shape_(shape), mean_(mean), scale_(mean / math::exp(log_gamma(1.0 + 1.0 / shape))) {}
  double mean() const override { return mean_; }
  double hazard(double t) const override { return math::pow(t / scale_, shape_); }
  double at(double h) const override { return scale_ * math::pow(h, 1.0 / shape_); }
  double found(RandomStream& random) const override { return scale_ * math::pow(random.gamma(1.0 + 1.0 / shape_, 1.0), 1.0 / shape_); }
  std::optional<LifetimeLaw> scaled(double factor) const override { return LifetimeLaw::weibull(shape_, mean_ * math::pow(factor, -1.0 / shape_)); }
  std::string describe() const override { return fmt::format("Weibull, shape {}, mean {}", shape_, describe_lifetime(mean_)); }
};

struct Lognormal final : Data {
  double median_;
  double sigma_;
  Lognormal(double median, double sigma) : median_(median), sigma_(sigma) {}
  double mean() const override { return median_ * math::exp(sigma_ * sigma_ / 2.0); }
  double hazard(double t) const override {
    if (t <= 0.0) return 0.0;
    const double z = math::log(t / median_) / sigma_;
    return z < 0.0 ? hazard_of_share_gone(normal_probability(z)) : -math::log(std::max(normal_probability(-z), 1e-300));
  }
  double at(double h) const override {
    if (h <= 0.0) return 0.0;
    constexpr double kHalf = 0.69314718055994531;
    const double z = h < kHalf ? normal_quantile(one_minus_exp(h)) : -normal_quantile(std::max(math::exp(-h), 1e-300));
    return median_ * math::exp(sigma_ * z);
  }
  double found(RandomStream& random) const override { return random.lognormal(median_ * math::exp(sigma_ * sigma_), sigma_); }
  std::string describe() const override { return fmt::format("lognormal, median {}, sigma {}", describe_lifetime(median_), sigma_); }
};

struct Gamma final : Data {
  double shape_;
  double mean_;
  Gamma(double shape, double mean) : shape_(shape), mean_(mean) {}
  double mean() const override { return mean_; }
  double hazard(double t) const override { return gamma_hazard(shape_, t * shape_ / mean_); }
  double at(double h) const override { return search(h); }
  double found(RandomStream& random) const override { return random.gamma(shape_ + 1.0, mean_ / shape_); }
  std::string describe() const override { return fmt::format("gamma, shape {}, mean {}", shape_, describe_lifetime(mean_)); }
};

struct Uniform final : Data {
  double low_;
  double high_;
  Uniform(double low, double high) : low_(low), high_(high) {}
  double mean() const override { return (low_ + high_) / 2.0; }
  double hazard(double t) const override {
    if (t <= low_) return 0.0;
    return t >= high_ ? kInfinite : hazard_of_share_gone((t - low_) / (high_ - low_));
  }
  double at(double h) const override { return low_ + (high_ - low_) * one_minus_exp(h); }
  double found(RandomStream& random) const override { return std::sqrt(low_ * low_ + random.uniform() * (high_ * high_ - low_ * low_)); }
  std::string describe() const override { return fmt::format("uniform, {} to {}", describe_lifetime(low_), describe_lifetime(high_)); }
};

struct Always final : Data {
  double value_;
  explicit Always(double value) : value_(value) {}
  double mean() const override { return value_; }
  double hazard(double t) const override { return t < value_ ? 0.0 : kInfinite; }
  double at(double) const override { return value_; }
  bool continuous() const override { return false; }
  double found(RandomStream&) const override { return value_; }
  std::string describe() const override { return fmt::format("always {}", describe_lifetime(value_)); }
};

struct Empirical final : Data {
  std::vector<double> values_;  // ascending
  double sum_ = 0.0;
  explicit Empirical(std::vector<double> values) : values_(std::move(values)) {
    std::sort(values_.begin(), values_.end());
    for (const double value : values_) sum_ += value;
  }
  double size() const { return static_cast<double>(values_.size()); }
  double mean() const override { return sum_ / size(); }
  double hazard(double t) const override {
    const auto gone = static_cast<double>(std::upper_bound(values_.begin(), values_.end(), t) - values_.begin());
    return hazard_of_share_gone(gone / size());
  }
  double at(double h) const override {
    const double gone = std::ceil(one_minus_exp(h) * size() - 1e-9);
    return values_[static_cast<std::size_t>(std::clamp(gone - 1.0, 0.0, size() - 1.0))];
  }
  bool continuous() const override { return false; }
  double found(RandomStream& random) const override {
    double left = random.uniform() * sum_;
    for (const double value : values_) {
      left -= value;
      if (left <= 0.0) return value;
    }
    return values_.back();
  }
  std::string describe() const override { return fmt::format("one of {} observed values, mean {}", values_.size(), describe_lifetime(mean())); }
};

struct Mixture final : Data {
  std::vector<std::pair<double, LifetimeLaw>> parts_;  // weights sum to 1
  double mean_ = 0.0;
  explicit Mixture(std::vector<std::pair<double, LifetimeLaw>> parts) : parts_(std::move(parts)) {
    double sum = 0.0;
    for (const auto& [weight, law] : parts_) sum += weight;
    for (auto& [weight, law] : parts_) {
      weight /= sum;
      mean_ += weight * law.mean();
    }
  }
  double mean() const override { return mean_; }
  double hazard(double t) const override {
    // Summed as what is gone, which keeps its digits while it is small.
    double gone = 0.0;
    double left = 0.0;
    for (const auto& [weight, law] : parts_) {
      const double h = law.cumulative_hazard(t);
      gone += weight * one_minus_exp(h);
      left += weight * math::exp(-h);
    }
    return gone < 0.5 ? hazard_of_share_gone(gone) : left <= 0.0 ? kInfinite : -math::log(left);
  }
  double at(double h) const override { return search(h); }
  bool continuous() const override {
    return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part.second.is_continuous(); });
  }
  bool has_equilibrium() const override {
    return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part.second.has_equilibrium(); });
  }
  double found(RandomStream&) const override { return 0.0; }
  double age(RandomStream& random) const override {
    double left = random.uniform() * mean_;
    for (const auto& [weight, law] : parts_) {
      left -= weight * law.mean();
      if (left <= 0.0) return law.equilibrium_age(random);
    }
    return parts_.back().second.equilibrium_age(random);
  }
  std::string describe() const override {
    std::string text;
    for (const auto& [weight, law] : parts_) text += fmt::format("{}{:.4g} %: {}", text.empty() ? "" : "; ", weight * 100.0, law.describe());
    return text;
  }
};

struct Capped final : Data {
  LifetimeLaw base_;
  double longest_;
  double mean_;
  Capped(LifetimeLaw base, double longest) : base_(std::move(base)), longest_(longest), mean_(0.0) { mean_ = integral_of_survival(longest); }
  double mean() const override { return mean_; }
  double hazard(double t) const override { return t >= longest_ ? kInfinite : base_.cumulative_hazard(t); }
  double at(double h) const override { return std::min(base_.at_hazard(h), longest_); }
  bool continuous() const override { return false; }
  bool has_equilibrium() const override { return base_.has_equilibrium(); }
  double found(RandomStream&) const override { return 0.0; }
  double age(RandomStream& random) const override {
    // The density of the age is that of the law without the cap, cut off.
    for (;;) {
      const double age = base_.equilibrium_age(random);
      if (age < longest_) return age;
    }
  }
  std::string describe() const override { return fmt::format("{}, at most {}", base_.describe(), describe_lifetime(longest_)); }
};

struct Bathtub final : Data {
  LifetimeLaw base_;
  double early_;
  double early_until_;
  double late_;
  double late_from_;
  double early_hazard_;  // of the base, at those ages
  double late_hazard_;
  double mean_;
  Bathtub(LifetimeLaw base, double early, double early_until, double late, double late_from)
      : base_(std::move(base)), early_(early), early_until_(early_until), late_(late), late_from_(late_from),
        early_hazard_(base_.cumulative_hazard(early_until)), late_hazard_(base_.cumulative_hazard(late_from)), mean_(0.0) {
    constexpr double kEnd = 45.0;  // e^-45 of all last longer
    mean_ = integral_of_survival(at(kEnd));
  }
  double mean() const override { return mean_; }
  double hazard(double t) const override {
    const double base = base_.cumulative_hazard(t);
    return early_ * std::min(base, early_hazard_) + std::clamp(base - early_hazard_, 0.0, late_hazard_ - early_hazard_) + late_ * std::max(0.0, base - late_hazard_);
  }
  double at(double h) const override {
    const double early = early_ * early_hazard_;
    if (h <= early) return base_.at_hazard(h / early_);
    const double middle = early + late_hazard_ - early_hazard_;
    if (h <= middle) return base_.at_hazard(early_hazard_ + h - early);
    return base_.at_hazard(late_hazard_ + (h - middle) / late_);
  }
  bool continuous() const override { return base_.is_continuous(); }
  bool has_equilibrium() const override { return false; }
  double found(RandomStream&) const override { return 0.0; }
  std::string describe() const override {
    return fmt::format("{}; hazard x{} before {}, x{} after {}", base_.describe(), early_, describe_lifetime(early_until_), late_, describe_lifetime(late_from_));
  }
};

}  // namespace

LifetimeLaw LifetimeLaw::exponential(double mean) { return LifetimeLaw(std::make_shared<Exponential>(mean)); }
LifetimeLaw LifetimeLaw::weibull(double shape, double mean) { return LifetimeLaw(std::make_shared<Weibull>(shape, mean)); }
LifetimeLaw LifetimeLaw::weibull_of_scale(double shape, double scale) { return weibull(shape, scale * math::exp(log_gamma(1.0 + 1.0 / shape))); }
LifetimeLaw LifetimeLaw::lognormal(double median, double sigma) { return LifetimeLaw(std::make_shared<Lognormal>(median, sigma)); }
LifetimeLaw LifetimeLaw::gamma(double shape, double mean) { return LifetimeLaw(std::make_shared<Gamma>(shape, mean)); }
LifetimeLaw LifetimeLaw::uniform(double low, double high) { return LifetimeLaw(std::make_shared<Uniform>(low, high)); }
LifetimeLaw LifetimeLaw::always(double value) { return LifetimeLaw(std::make_shared<Always>(value)); }
LifetimeLaw LifetimeLaw::empirical(std::vector<double> values) {
  SIM_CHECK(!values.empty(), "the reader refuses a law without values");
  return LifetimeLaw(std::make_shared<Empirical>(std::move(values)));
}
LifetimeLaw LifetimeLaw::mixture(std::vector<std::pair<double, LifetimeLaw>> parts) {
  SIM_CHECK(!parts.empty(), "the reader refuses a mixture of nothing");
  return LifetimeLaw(std::make_shared<Mixture>(std::move(parts)));
}
LifetimeLaw LifetimeLaw::capped(double longest) const { return LifetimeLaw(std::make_shared<Capped>(*this, longest)); }
LifetimeLaw LifetimeLaw::bathtub(double early, double early_until, double late, double late_from) const {
  return LifetimeLaw(std::make_shared<Bathtub>(*this, early, early_until, late, late_from));
}
std::optional<LifetimeLaw> LifetimeLaw::with_hazard(double factor) const { return data_->scaled(factor); }

double LifetimeLaw::mean() const { return data_->mean(); }
double LifetimeLaw::cumulative_hazard(double t) const { return data_->hazard(std::max(t, 0.0)); }
double LifetimeLaw::at_hazard(double h) const { return data_->at(std::max(h, 0.0)); }
bool LifetimeLaw::is_continuous() const { return data_->continuous(); }
bool LifetimeLaw::has_equilibrium() const { return data_->has_equilibrium(); }
double LifetimeLaw::equilibrium_age(RandomStream& random) const { return data_->age(random); }
double LifetimeLaw::draw_rest(double age, RandomStream& random) const {
  const double left = random.exponential(1.0);
  return std::max(0.0, data_->at(data_->hazard(std::max(age, 0.0)) + left) - age);
}
std::string LifetimeLaw::describe() const { return data_->describe(); }

std::string describe_lifetime(double seconds) {
  if (seconds >= kYear) return fmt::format("{:.3g} years", seconds / kYear);
  if (seconds >= 2.0 * kDay) return fmt::format("{:.3g} days", seconds / kDay);
  if (seconds >= 7200.0) return fmt::format("{:.3g} h", seconds / 3600.0);
  if (seconds >= 120.0) return fmt::format("{:.3g} min", seconds / 60.0);
  return fmt::format("{:.3g} s", seconds);
}

}  // namespace sim

/// Laws of times to failure and to repair.
///
/// All is said in the cumulative hazard H(t) = -ln P(T > t): its inverse at an exponential draw of mean 1 is a draw of the law, and what is left of
/// that draw after a time a is again exponential, whatever the law. So residual lives, ages at the start and changed hazards need no special cases.
/// Times are seconds.
///
/// Source:     Cox, Renewal Theory, 1962 (age in equilibrium; density P(T > a) / mean); Cody 1969 (erfc); Lanczos 1964 (gamma function);
///             Press et al., Numerical Recipes, 6.2 (incomplete gamma function).
/// Leaves out: laws that change with the calendar; hazards that depend on load.
/// Checked by: tests/core/lifetime_test.cpp (moments, Kolmogorov-Smirnov, equilibrium).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/random.hpp"

namespace sim {

/// P(N(0, 1) <= x), to full relative precision in the lower tail too.
double normal_probability(double x);

/// One law. Cheap to copy; never changes.
class LifetimeLaw {
 public:
  static LifetimeLaw exponential(double mean);
  static LifetimeLaw weibull(double shape, double mean);
  /// P(T > t) = exp(-(t / scale)^shape).
  static LifetimeLaw weibull_of_scale(double shape, double scale);
  static LifetimeLaw lognormal(double median, double sigma);
  static LifetimeLaw gamma(double shape, double mean);
  static LifetimeLaw uniform(double low, double high);
  static LifetimeLaw always(double value);
  /// One of these, each with the same probability. Not empty.
  static LifetimeLaw empirical(std::vector<double> values);
  /// One of these laws, with probabilities in proportion to the weights. Not empty; weights above 0.
  static LifetimeLaw mixture(std::vector<std::pair<double, LifetimeLaw>> parts);

  /// What lasts longer than `longest` ends then.
  LifetimeLaw capped(double longest) const;
  /// The hazard times `early` before the age `early_until`, and times `late` from the age `late_from` on (early_until <= late_from).
  LifetimeLaw bathtub(double early, double early_until, double late, double late_from) const;
  /// The hazard times `factor` > 0. Empty for laws whose equilibrium would not be of the same family: only exponential and Weibull have one.
  std::optional<LifetimeLaw> with_hazard(double factor) const;

  double mean() const;
  /// H(t); infinite where nothing lasts longer. H(0) may be above 0 for an empirical law with zeros.
  double cumulative_hazard(double t) const;
  /// The smallest t with H(t) >= h.
  double at_hazard(double h) const;
  /// H has no jumps: only then may draws be biased and weighted.
  bool is_continuous() const;
  /// The age at a random instant in the long run can be drawn (not of a bathtub).
  bool has_equilibrium() const;
  double equilibrium_age(RandomStream& random) const;

  double draw(RandomStream& random) const { return at_hazard(random.exponential(1.0)); }
  /// What is left at the age `age` (of what has lasted so long).
  double draw_rest(double age, RandomStream& random) const;
  /// "Weibull, shape 0.7, mean 2.0 years".
  std::string describe() const;

  struct Data;

 private:
  explicit LifetimeLaw(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// "2.0 years", "3.5 days", "80 min": for people who think in lifetimes.
std::string describe_lifetime(double seconds);

}  // namespace sim

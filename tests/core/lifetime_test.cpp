// Laws of lifetimes: moments and whole distributions against closed forms, ages in equilibrium, hazards that fit their inverses.
#include "sim/core/lifetime.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "sim/core/statistics.hpp"

namespace sim {
namespace {

struct Case {
  std::string name;
  LifetimeLaw law;
  double mean;
  std::function<double(double)> survival;  // by the C library, from the textbook
};

std::vector<Case> cases() {
  const double scale = 100.0 / std::tgamma(1.0 + 1.0 / 0.7);
  const auto lognormal = [](double t) { return 0.5 * std::erfc(std::log(t / 54.0) / 1.94 / std::sqrt(2.0)); };
  return {
      {"exponential", LifetimeLaw::exponential(100.0), 100.0, [](double t) { return std::exp(-t / 100.0); }},
      {"Weibull, decreasing hazard", LifetimeLaw::weibull(0.7, 100.0), 100.0, [scale](double t) { return std::exp(-std::pow(t / scale, 0.7)); }},
      {"Weibull, wear", LifetimeLaw::weibull(3.0, 100.0), 100.0, [](double t) { return std::exp(-std::pow(t / (100.0 / std::tgamma(4.0 / 3.0)), 3.0)); }},
      // LANL's repairs: median 54 min; the mean follows.
      {"lognormal", LifetimeLaw::lognormal(54.0, 1.94), 54.0 * std::exp(1.94 * 1.94 / 2.0), lognormal},
      // Erlang-3: e^-x (1 + x + x^2 / 2).
      {"gamma, shape 3", LifetimeLaw::gamma(3.0, 100.0), 100.0, [](double t) { const double x = t * 0.03; return std::exp(-x) * (1.0 + x + x * x / 2.0); }},
      // Chi-square with one degree of freedom, times 100.
      {"gamma, shape 1/2", LifetimeLaw::gamma(0.5, 100.0), 100.0, [](double t) { return std::erfc(std::sqrt(t / 200.0)); }},
      {"uniform", LifetimeLaw::uniform(50.0, 150.0), 100.0, [](double t) { return t <= 50.0 ? 1.0 : t >= 150.0 ? 0.0 : (150.0 - t) / 100.0; }},
      {"mixture", LifetimeLaw::mixture({{0.7, LifetimeLaw::exponential(10.0)}, {0.3, LifetimeLaw::exponential(240.0)}}), 79.0,
       [](double t) { return 0.7 * std::exp(-t / 10.0) + 0.3 * std::exp(-t / 240.0); }},
      {"bathtub", LifetimeLaw::exponential(100.0).bathtub(1.5, 20.0, 3.0, 80.0), 0.0,
       [](double t) { return std::exp(-(1.5 * std::min(t, 20.0) + std::clamp(t - 20.0, 0.0, 60.0) + 3.0 * std::max(0.0, t - 80.0)) / 100.0); }},
  };
}

TEST(LifetimeLaw, HazardIsThatOfTheTextbook) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    for (const double t : {1e-3, 0.5, 7.0, 20.0, 60.0, 99.0, 140.0, 400.0, 900.0}) {
      const double survival = c.survival(t);
      if (survival <= 0.0) {
        EXPECT_TRUE(std::isinf(c.law.cumulative_hazard(t)));
        continue;
      }
      const double want = -std::log(survival);
      EXPECT_NEAR(c.law.cumulative_hazard(t), want, 1e-11 + 1e-9 * want) << t;
      if (want > 1e-9) { EXPECT_NEAR(c.law.at_hazard(c.law.cumulative_hazard(t)), t, 1e-6 * t) << t; }
    }
    if (c.mean > 0.0) { EXPECT_NEAR(c.law.mean(), c.mean, 1e-9 * c.mean); }
  }
}

/// Kolmogorov-Smirnov distance of `sample` from the law, times the root of its size.
double distance(std::vector<double> sample, const std::function<double(double)>& survival) {
  std::sort(sample.begin(), sample.end());
  const auto size = static_cast<double>(sample.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const double below = 1.0 - survival(sample[i]);
    largest = std::max({largest, below - static_cast<double>(i) / size, static_cast<double>(i + 1) / size - below});
  }
  return largest * std::sqrt(size);
}

// At the level of 5 % a right law is refused in about 5 of 100 seeds; 13 or more have a probability of 0.15 %.
constexpr double kCritical5 = 1.358;
constexpr int kRefusedAtMost = 12;

TEST(LifetimeLaw, DrawsFollowTheLaw) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      RandomStream random(seed, "test/lifetime", c.name);
      std::vector<double> sample(400);
      for (double& value : sample) value = c.law.draw(random);
      refused += distance(std::move(sample), c.survival) > kCritical5 ? 1 : 0;
    }
    EXPECT_LE(refused, kRefusedAtMost);
  }
}

TEST(LifetimeLaw, AWrongLawIsRefused) {
  // The test above can fail: draws of shape 0.8 are told from shape 0.7 in most seeds.
  const double scale = 100.0 / std::tgamma(1.0 + 1.0 / 0.7);
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    RandomStream random(seed, "test/lifetime", "wrong");
    std::vector<double> sample(400);
    for (double& value : sample) value = LifetimeLaw::weibull(0.8, 100.0).draw(random);
    refused += distance(std::move(sample), [scale](double t) { return std::exp(-std::pow(t / scale, 0.7)); }) > kCritical5 ? 1 : 0;
  }
  EXPECT_GT(refused, 50);
}

TEST(LifetimeLaw, WhatIsLeftOfWhatHasLasted) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const double age = 60.0;
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      RandomStream random(seed, "test/rest", c.name);
      std::vector<double> sample(300);
      for (double& value : sample) value = c.law.draw_rest(age, random);
      refused += distance(std::move(sample), [&](double t) { return c.survival(age + t) / c.survival(age); }) > kCritical5 ? 1 : 0;
    }
    EXPECT_LE(refused, kRefusedAtMost);
  }
}

TEST(LifetimeLaw, AgesInEquilibriumAreStationary) {
  // From an age in equilibrium, failures come at the rate 1 / mean from the first instant on: in [0, x) there are x / mean on average, whatever the law.
  for (const Case& c : cases()) {
    if (!c.law.has_equilibrium()) continue;
    SCOPED_TRACE(c.name);
    const double window = 30.0;
    Tally failures;
    RandomStream random(1, "test/stationary", c.name);
    for (int i = 0; i < 100'000; ++i) {
      double t = c.law.draw_rest(c.law.equilibrium_age(random), random);
      double count = 0.0;
      while (t < window) {
        count += 1.0;
        t += c.law.draw(random);
      }
      failures.add(count);
    }
    const ConfidenceInterval interval = mean_interval(failures, 0.999);
    EXPECT_TRUE(interval.contains(window / c.law.mean())) << interval.low << " to " << interval.high << ", not " << window / c.law.mean();
  }
}

TEST(LifetimeLaw, MeansOfWhatHasNoClosedForm) {
  // Exponential cut at its mean: 1 - 1/e of it.
  EXPECT_NEAR(LifetimeLaw::exponential(100.0).capped(100.0).mean(), 100.0 * (1.0 - std::exp(-1.0)), 1e-4);
  // Hazard 1.5/100 to 20, 1/100 to 80, 3/100 after it: three integrals by hand.
  const double first = (1.0 - std::exp(-0.3)) / 0.015;
  const double second = std::exp(-0.3) * (1.0 - std::exp(-0.6)) / 0.01;
  const double third = std::exp(-0.9) / 0.03;
  EXPECT_NEAR(LifetimeLaw::exponential(100.0).bathtub(1.5, 20.0, 3.0, 80.0).mean(), first + second + third, 1e-3);
}

TEST(LifetimeLaw, HazardScaled) {
  // With four times the hazard the exponential's mean is a quarter; Weibull's shape stays, H is four times as large everywhere.
  const LifetimeLaw weibull = LifetimeLaw::weibull(0.7, 100.0);
  const LifetimeLaw scaled = *weibull.with_hazard(4.0);
  for (const double t : {0.1, 10.0, 300.0}) EXPECT_NEAR(scaled.cumulative_hazard(t), 4.0 * weibull.cumulative_hazard(t), 1e-9);
  EXPECT_NEAR(LifetimeLaw::exponential(100.0).with_hazard(4.0)->mean(), 25.0, 1e-12);
  EXPECT_FALSE(LifetimeLaw::lognormal(100.0, 1.0).with_hazard(4.0));
}

TEST(LifetimeLaw, ValuesAndCaps) {
  const LifetimeLaw law = LifetimeLaw::empirical({3.0, 1.0, 2.0, 2.0});
  RandomStream random(1, "test/values", "x");
  int counts[4] = {};
  for (int i = 0; i < 10'000; ++i) ++counts[static_cast<int>(law.draw(random))];
  EXPECT_EQ(counts[0], 0);
  EXPECT_NEAR(counts[1], 2500, 200);
  EXPECT_NEAR(counts[2], 5000, 200);
  EXPECT_NEAR(counts[3], 2500, 200);
  EXPECT_FALSE(law.is_continuous());
  EXPECT_EQ(law.mean(), 2.0);
  const LifetimeLaw capped = LifetimeLaw::lognormal(100.0, 2.0).capped(150.0);
  for (int i = 0; i < 1000; ++i) EXPECT_LE(capped.draw(random), 150.0);
  EXPECT_EQ(LifetimeLaw::always(5.0).draw(random), 5.0);
  EXPECT_EQ(LifetimeLaw::always(0.0).draw(random), 0.0);
}

TEST(LifetimeLaw, NormalTails) {
  EXPECT_NEAR(normal_probability(0.0), 0.5, 1e-16);
  for (const double x : {0.1, 0.6, 1.96, 4.0, 5.9, 8.0, 20.0}) {
    const double lower = 0.5 * std::erfc(x / std::sqrt(2.0));
    EXPECT_NEAR(normal_probability(-x) / lower, 1.0, 1e-13) << x;
    EXPECT_NEAR(normal_probability(x), 1.0 - lower, 1e-15) << x;
  }
}

}  // namespace
}  // namespace sim

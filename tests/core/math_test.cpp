#include "sim/core/math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sim/core/random.hpp"

namespace {

/// How far `got` is from the true value, in units of the last place of a double near it.
double ulps(double got, long double want) {
  if (std::isinf(static_cast<double>(want)) || std::isnan(static_cast<double>(want))) {
    return (std::isnan(got) && std::isnan(static_cast<double>(want))) || got == static_cast<double>(want) ? 0 : 1e9;
  }
  const double near = std::fabs(static_cast<double>(want));
  const double ulp = std::nextafter(near, std::numeric_limits<double>::infinity()) - near;
  return static_cast<double>(std::fabs(static_cast<long double>(got) - want) / static_cast<long double>(ulp));
}

constexpr int kPoints = 200'000;

TEST(Math, LogIsWithinOneUlp) {
  sim::RandomStream random(1, "test/math", "log");
  double worst = 0;
  for (int i = 0; i < kPoints; ++i) {
    const double u = random.uniform();
    for (const double x : {u, 1 + (u - 0.5) * 0.25, 1 + (u - 0.5) * 1e-6, u * 1e300, u * 1e-310, 1 / u}) {
      worst = std::max(worst, ulps(sim::math::log(x), std::log(static_cast<long double>(x))));
    }
  }
  EXPECT_LT(worst, 1.0);
  EXPECT_EQ(sim::math::log(1.0), 0.0);
  EXPECT_EQ(sim::math::log(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(sim::math::log(-1.0)));
}

TEST(Math, ExpIsWithinOneUlp) {
  sim::RandomStream random(1, "test/math", "exp");
  double worst = 0;
  for (int i = 0; i < kPoints; ++i) {
    const double u = random.uniform() - 0.5;
    for (const double x : {u, u * 1e-5, u * 20, u * 1400}) {
      if (x < -708) continue;  // subnormal results
      worst = std::max(worst, ulps(sim::math::exp(x), std::exp(static_cast<long double>(x))));
    }
  }
  EXPECT_LT(worst, 1.0);
  EXPECT_EQ(sim::math::exp(0.0), 1.0);
  EXPECT_EQ(sim::math::exp(1000.0), std::numeric_limits<double>::infinity());
  EXPECT_EQ(sim::math::exp(-1000.0), 0.0);
  EXPECT_GT(sim::math::exp(-744.0), 0.0);
}

TEST(Math, PowIsWithinOneUlp) {
  sim::RandomStream random(1, "test/math", "pow");
  double worst = 0;
  for (int i = 0; i < kPoints; ++i) {
    const double x = random.uniform() * (random.chance(0.5) ? 10 : 1);
    const double near_one = 1 + (random.uniform() - 0.5) * 0.2;
    const double y = (random.uniform() - 0.5) * 20;
    worst = std::max(worst, ulps(sim::math::pow(x, y), std::pow(static_cast<long double>(x), static_cast<long double>(y))));
    worst = std::max(worst, ulps(sim::math::pow(near_one, y * 100),
                                 std::pow(static_cast<long double>(near_one), static_cast<long double>(y * 100))));
  }
  EXPECT_LT(worst, 1.0);
  EXPECT_EQ(sim::math::pow(2.0, 10.0), 1024.0);
  EXPECT_EQ(sim::math::pow(0.0, 2.0), 0.0);
  EXPECT_EQ(sim::math::pow(7.0, 0.0), 1.0);
}

TEST(Math, CosineOfTurns) {
  sim::RandomStream random(1, "test/math", "cos");
  const long double two_pi = 2 * std::acos(-1.0L);
  double worst = 0;
  for (int i = 0; i < kPoints; ++i) {
    const double v = random.uniform() * 2 - 0.5;
    const long double want = std::cos(two_pi * static_cast<long double>(v));
    // Near a zero of the cosine the reference itself has no more digits: there an absolute bound.
    worst = std::max(worst, std::min(ulps(sim::math::cos_turns(v), want),
                                     static_cast<double>(std::fabs(static_cast<long double>(sim::math::cos_turns(v)) - want)) / 1e-18));
  }
  EXPECT_LT(worst, 1.5);
  EXPECT_EQ(sim::math::cos_turns(0.0), 1.0);
  EXPECT_EQ(sim::math::cos_turns(0.25), 0.0);
  EXPECT_EQ(sim::math::cos_turns(0.5), -1.0);
}

TEST(Math, BitsAreTheSameEverywhere) {
  // Taken once from this implementation: a compiler or flag that changes one of them changes every run.
  EXPECT_EQ(sim::math::log(0.3), -0x1.34378fcbda721p+0);
  EXPECT_EQ(sim::math::exp(0.3), 0x1.599058c8c1a96p+0);
  EXPECT_EQ(sim::math::pow(0.3, 1.7), 0x1.08819f76d9f8dp-3);
  EXPECT_EQ(sim::math::cos_turns(0.3), -0x1.3c6ef372fe94fp-2);
}

}  // namespace

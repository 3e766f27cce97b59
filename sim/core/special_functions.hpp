/// Functions that distributions are made of; exact to about 14 digits, the same bits on every machine (sim/core/math.hpp).
///
/// Source:     Abramowitz and Stegun 6.1.41 (Stirling's series), 26.5.8 (continued fraction of the incomplete beta function).
/// Leaves out: arguments that are not positive.
/// Checked by: tests/core/statistics_test.cpp, tests/core/inference_test.cpp.
#pragma once

#include <cstdint>

namespace sim {

/// ln of the gamma function, x > 0.
double log_gamma(double x);
/// The regularised incomplete beta function I_x(a, b), a > 0, b > 0.
double incomplete_beta(double x, double a, double b);
/// P(X <= hits), X binomial of `trials` with probability `p`.
double binomial_at_most(std::uint64_t hits, std::uint64_t trials, double p);

}  // namespace sim

/// log, exp, pow and the cosine of a share of a turn, equal bit for bit on every compiler, library and processor.
///
/// The C library's versions differ in the last bit between libraries and between the processors that one library picks
/// code for; a draw that feeds a delay would then differ too. These use IEEE +, -, *, / only (build with
/// -ffp-contract=off) and tables that are computed at compile time.
///
/// Source:     table-driven reduction after P. T. P. Tang, ACM TOMS 15(2) 1989 and 16(4) 1990; error-free sums and
///             products after Dekker 1971.
/// Leaves out: errno, floating-point exceptions, other rounding modes; subnormal results of exp may be off by an ulp.
/// Checked by: tests/core/math_test.cpp (against the C library in long double, within 1 ulp).
#pragma once

namespace sim::math {

/// Natural logarithm. log(0) = -inf, of a negative number NaN.
double log(double x);
/// e to the x.
double exp(double x);
/// x to the y for x >= 0 (for x < 0: NaN).
double pow(double x, double y);
/// cos(2 pi turns).
double cos_turns(double turns);

}  // namespace sim::math

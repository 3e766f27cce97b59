#include "sim/core/math.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace sim::math {

namespace {

/// hi + lo, |lo| <= ulp(hi) / 2: about 106 bits.
struct Double2 {
  double hi = 0;
  double lo = 0;
};

constexpr Double2 sum(double a, double b) {
  const double s = a + b;
  const double v = s - a;
  return {s, (a - (s - v)) + (b - v)};
}

constexpr Double2 product(double a, double b) {
  constexpr double kSplit = 134217729.0;  // 2^27 + 1
  const double ta = kSplit * a;
  const double ah = ta - (ta - a);
  const double al = a - ah;
  const double tb = kSplit * b;
  const double bh = tb - (tb - b);
  const double bl = b - bh;
  const double p = a * b;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

constexpr Double2 add(Double2 a, Double2 b) {
  const Double2 s = sum(a.hi, b.hi);
  return sum(s.hi, s.lo + a.lo + b.lo);
}

constexpr Double2 multiply(Double2 a, Double2 b) {
  const Double2 p = product(a.hi, b.hi);
  return sum(p.hi, p.lo + a.hi * b.lo + a.lo * b.hi);
}

constexpr Double2 divide(Double2 a, Double2 b) {
  const double q = a.hi / b.hi;
  const Double2 back = multiply({q, 0}, b);
  const Double2 rest = add(a, {-back.hi, -back.lo});
  return sum(q, rest.hi / b.hi);
}

/// ln(c) = 2 atanh((c - 1) / (c + 1)), for c near 1 or anywhere in [1/2, 2].
constexpr Double2 precise_log(double c) {
  const Double2 s = divide(sum(c, -1.0), sum(c, 1.0));
  const Double2 square = multiply(s, s);
  Double2 power = s;
  Double2 total = s;
  for (int i = 3; i < 80; i += 2) {
    power = multiply(power, square);
    total = add(total, divide(power, {static_cast<double>(i), 0}));
  }
  return {2 * total.hi, 2 * total.lo};
}

constexpr Double2 kLn2 = precise_log(2.0);
// ln 2 to 32 bits, so that a product with an exponent or a table step is exact, and the rest.
constexpr double kLn2High = std::bit_cast<double>(std::bit_cast<std::uint64_t>(kLn2.hi) & ~((std::uint64_t{1} << 21) - 1));
constexpr double kLn2Low = (kLn2.hi - kLn2High) + kLn2.lo;

constexpr int kLogSteps = 128;
struct LogEntry {
  double center;   // of one of 128 equal parts of [1, 2)
  double inverse;  // 1 / center, rounded
  double high;     // ln(center) to 32 bits below 1, so that high + k * kLn2High is exact
  double low;      // the rest
};

constexpr std::array<LogEntry, kLogSteps> make_log_table() {
  std::array<LogEntry, kLogSteps> table{};
  for (int i = 0; i < kLogSteps; ++i) {
    const double center = 1.0 + (i + 0.5) / kLogSteps;
    const Double2 value = precise_log(center);
    constexpr double kGrid = 4294967296.0 * 8;
    const double high = static_cast<double>(static_cast<std::int64_t>(value.hi * kGrid)) / kGrid;
    table[static_cast<std::size_t>(i)] = {center, 1.0 / center, high, (value.hi - high) + value.lo};
  }
  return table;
}
constexpr auto kLogTable = make_log_table();

constexpr int kExpSteps = 128;
struct ExpEntry {
  double high;  // 2^(i / 128)
  double low;
};
constexpr std::array<ExpEntry, kExpSteps> make_exp_table() {
  std::array<ExpEntry, kExpSteps> table{};
  for (int i = 0; i < kExpSteps; ++i) {
    const Double2 x = multiply(kLn2, {static_cast<double>(i) / kExpSteps, 0});
    Double2 term{1, 0};
    Double2 total{1, 0};
    for (int n = 1; n < 40; ++n) {
      term = divide(multiply(term, x), {static_cast<double>(n), 0});
      total = add(total, term);
    }
    table[static_cast<std::size_t>(i)] = {total.hi, total.lo};
  }
  return table;
}
constexpr auto kExpTable = make_exp_table();

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// x = 2^k * z with z in [1, 2). Needs x > 0 and finite.
struct Parts {
  double z;
  int k;
};
inline Parts split(double x) {
  std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  int bias = 1023;
  if (bits < (std::uint64_t{1} << 52)) [[unlikely]] {  // subnormal
    bits = std::bit_cast<std::uint64_t>(x * 0x1p54);
    bias += 54;
  }
  const int k = static_cast<int>(bits >> 52) - bias;
  return {std::bit_cast<double>((bits & ((std::uint64_t{1} << 52) - 1)) | 0x3ff0000000000000ull), k};
}

inline const LogEntry& log_entry(double z) {
  return kLogTable[static_cast<std::size_t>((std::bit_cast<std::uint64_t>(z) >> 45) & (kLogSteps - 1))];
}

/// ln(x) to about 68 bits; for pow.
Double2 log_words(double x) {
  const Double2 near = sum(x, -1.0);
  if (near.hi > -0.0625 && near.hi < 0.0625) {
    // f - f^2/2 + f^3/3 in two words, the rest in one: the first term left in one word is below f * 2^-12.
    const double f = near.hi;
    const Double2 square = product(f, f);
    Double2 total = add({f, 0}, {-0.5 * square.hi, -0.5 * square.lo});
    const Double2 cube = multiply(square, {f, 0});
    total = add(total, divide(cube, {3, 0}));
    const Double2 fourth = multiply(square, square);
    total = add(total, {-0.25 * fourth.hi, -0.25 * fourth.lo});
    double rest = 0;
    for (int i = 20; i >= 5; --i) rest = rest * f + ((i & 1) != 0 ? 1.0 : -1.0) / i;
    return add(total, {rest * fourth.hi * f, 0});
  }
  const Parts parts = split(x);
  const LogEntry& entry = log_entry(parts.z);
  const Double2 r = divide({parts.z - entry.center, 0}, {entry.center, 0});
  const Double2 square = multiply(r, r);
  Double2 total = add(r, {-0.5 * square.hi, -0.5 * square.lo});
  const double f = r.hi;
  const double rest = 1.0 / 3 + f * (-1.0 / 4 + f * (1.0 / 5 + f * (-1.0 / 6 + f * (1.0 / 7 - f * (1.0 / 8)))));
  const Double2 cube = multiply(square, r);
  total = add(total, multiply(cube, {rest, 0}));
  total = add(total, {entry.low, 0});
  total = add(total, {parts.k * kLn2Low, 0});
  return add({parts.k * kLn2High + entry.high, 0}, total);
}

/// e^(x + low), |low| much smaller than 1.
inline double exp_words(double x, double low) {
  if (!(x < 709.8)) return x != x ? x : kInfinity * (x > 0 ? 1 : 0);
  if (x < -745.2) return 0.0;
  constexpr double kStepsPerUnit = kExpSteps / (kLn2High + kLn2Low);
  constexpr double kShift = 0x1.8p52;  // adding it rounds to an integer
  const double steps = (x * kStepsPerUnit + kShift) - kShift;
  const auto n = static_cast<std::int64_t>(steps);
  const double r = (x - steps * (kLn2High / kExpSteps)) - steps * (kLn2Low / kExpSteps) + low;
  const ExpEntry& entry = kExpTable[static_cast<std::size_t>(n & (kExpSteps - 1))];
  const double tail = r + r * r * (0.5 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120))));
  const double value = entry.high + (entry.low + entry.high * tail);
  const int k = static_cast<int>(n >> 7);
  if (k >= -1021 && k <= 1022) [[likely]] {
    return value * std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
  }
  // In two steps: one factor would not be a normal number.
  const int half = k / 2;
  return value * std::bit_cast<double>(static_cast<std::uint64_t>(half + 1023) << 52) *
         std::bit_cast<double>(static_cast<std::uint64_t>(k - half + 1023) << 52);
}

}  // namespace

double log(double x) {
  if (!(x > 0) || x == kInfinity) [[unlikely]] {
    if (x == 0) return -kInfinity;
    return x == kInfinity ? x : kNan;
  }
  const double f = x - 1.0;
  if (f > -0.0625 && f < 0.0625) {
    // Here a table entry would cancel against the exponent's share. 16^-14 is below half an ulp of f.
    const double square = f * f;
    const double fourth = square * square;
    const double a = 1.0 / 3 - f * (1.0 / 4) + square * (1.0 / 5 - f * (1.0 / 6));
    const double b = 1.0 / 7 - f * (1.0 / 8) + square * (1.0 / 9 - f * (1.0 / 10));
    const double c = 1.0 / 11 - f * (1.0 / 12) + square * (1.0 / 13 - f * (1.0 / 14));
    const double tail = f * square * (a + fourth * (b + fourth * c));
    // The square's rounding error counts only when f is large; there it is below 2^-5 ulp.
    return f + (tail - 0.5 * square);
  }
  const Parts parts = split(x);
  const LogEntry& entry = log_entry(parts.z);
  const double r = (parts.z - entry.center) * entry.inverse;  // the difference is exact; |r| <= 1/256
  const double square = r * r;
  const double tail = square * (-0.5 + r * (1.0 / 3) + square * (-0.25 + r * 0.2 + square * (-1.0 / 6 + r * (1.0 / 7))));
  const double k = parts.k;
  const double high = k * kLn2High + entry.high;  // exact
  const double first = high + r;
  const double rounding = (high - first) + r;  // |high| > |r| here, so this is exact
  return first + (rounding + (k * kLn2Low + entry.low + tail));
}

double exp(double x) { return exp_words(x, 0); }

double pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y || x < 0) return kNan;
  if (x == 0) return y > 0 ? 0 : kInfinity;
  if (x == kInfinity) return y > 0 ? kInfinity : 0;
  if (y == kInfinity || y == -kInfinity) return (x > 1) == (y > 0) ? kInfinity : 0;
  const Double2 l = log_words(x);
  if (!(y * l.hi < 710)) return kInfinity;
  if (y * l.hi < -746) return 0;
  if (!(y < 1e290 && y > -1e290)) return exp_words(y * l.hi, 0);  // the exact product would overflow on the way
  const Double2 p = product(y, l.hi);
  const Double2 total = sum(p.hi, p.lo + y * l.lo);
  return exp_words(total.hi, total.lo);
}

double cos_turns(double turns) {
  if (!(turns > -0x1p51 && turns < 0x1p51)) return turns - turns == 0 ? 1.0 : kNan;  // whole turns, or not a number
  constexpr double kShift = 0x1.8p52;
  const double quarters = (4 * turns + kShift) - kShift;
  const double f = turns - 0.25 * quarters;  // exact, |f| <= 1/8
  constexpr double kTwoPi = 6.283185307179586476925;
  constexpr double kTwoPiLow = 2.4492935982947064e-16;
  const double x = kTwoPi * f;
  const double x_low = kTwoPiLow * f;
  const double square = x * x;
  const auto quadrant = static_cast<std::int64_t>(quarters) & 3;
  double value = 0;
  if ((quadrant & 1) == 0) {
    const double series = square * square *
                          (1.0 / 24 + square * (-1.0 / 720 + square * (1.0 / 40320 + square * (-1.0 / 3628800 +
                           square * (1.0 / 479001600 + square * (-1.0 / 87178291200.0 + square * (1.0 / 20922789888000.0)))))));
    const double half = 0.5 * square;
    const double rough = 1.0 - half;
    value = rough + (((1.0 - rough) - half) + (series - x * x_low));
  } else {
    const double series = x * square *
                          (-1.0 / 6 + square * (1.0 / 120 + square * (-1.0 / 5040 + square * (1.0 / 362880 + square * (-1.0 / 39916800.0 +
                           square * (1.0 / 6227020800.0 + square * (-1.0 / 1307674368000.0)))))));
    value = x + (series + x_low);
    if (quadrant == 1) value = -value;
    return value;
  }
  return quadrant == 2 ? -value : value;
}

}  // namespace sim::math

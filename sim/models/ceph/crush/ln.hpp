/// The fixed-point logarithm of straw2: crush_ln(u) is about 2^44 log2(u + 1), with the defects of Ceph's tables, which are part of the algorithm.
///
/// Source:     Ceph src/crush/mapper.c (crush_ln), crush_ln_table.h; reference platform 3.2 gives the tables as formulas with their exceptions.
/// Checked by: tests/models/ceph/crush/hash_test.cpp (all 65,536 values by their sums, many one by one).
#pragma once

#include <array>
#include <cstdint>

namespace sim::ceph::crush {

inline constexpr std::uint32_t kLnInputs = 65536;

/// What straw2 divides by an item's weight: 2^48 - crush_ln(u), between 2^28 and 2^48 - 1.
struct LnTables {
  std::array<std::int64_t, kLnInputs> distance;
  /// The same, rounded; for the search that only finds candidates.
  std::array<float, kLnInputs> distance_rounded;
  /// The first input of the run of inputs up to u that have u's distance: above a half, two neighbours often share one.
  std::array<std::int32_t, kLnInputs> run_begin;
  /// How much nearer u is than every input below its run: the smallest distance there, minus its own. Negative where the logarithm is not monotone.
  std::array<std::int64_t, kLnInputs> lead;
};

/// Made when first asked for; ends the program if the tables' check sums do not hold (a C library whose log2l is too inexact).
const LnTables& ln_tables();

/// u in 0..65535.
std::uint64_t crush_ln(std::uint32_t u);

}  // namespace sim::ceph::crush

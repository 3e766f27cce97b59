/// The choice of a straw2 bucket: the item with the greatest (crush_ln(u) - 2^48) / weight, u the low 16 bits of the hash of (x, id, r); the first of equals.
///
/// Three forms of equal results. The wide ones hash 8 or 16 items at once. Where all weights are equal they need no logarithm: the first item wins whose u
/// is in the run of the greatest, unless ln.hpp's `lead` says that a smaller one may tie or win. Elsewhere a product of two floats leaves the few candidates whose exact quotients decide.
///
/// Source:     Ceph v16.2.15 src/crush/mapper.c (bucket_straw2_choose); reference platform 3.3.
/// Checked by: tests/models/ceph/crush/mapper_test.cpp (the forms against each other and against 64-bit division).
#pragma once

#include <cstdint>

#include "sim/models/ceph/crush/mapper.hpp"

namespace sim::ceph::crush {

/// Arrays are readable up to a multiple of kStraw2Lanes entries; `inverse` is infinite there and for items without weight.
inline constexpr std::uint32_t kStraw2Lanes = 16;

struct Straw2View {
  const std::int32_t* ids = nullptr;
  const std::uint32_t* weights = nullptr;
  const float* inverse = nullptr;  // 1 / weight
  std::uint32_t size = 0;          // at least 1
  std::uint32_t equal_weight = 0;  // the weight of every item, if it is the same and not 0
};

/// The index of the chosen item.
using Straw2Choose = std::uint32_t (*)(const Straw2View& bucket, std::uint32_t x, std::uint32_t r);
Straw2Choose straw2_choose(SimdLevel level);

/// 16 buckets, each with an input of its own but one r: the hash of one item of each is computed at once.
struct Straw2Lanes {
  const std::int32_t* ids = nullptr;  // of all buckets, one after the other
  const float* inverse = nullptr;
  alignas(64) std::uint32_t x[kStraw2Lanes];
  alignas(64) std::int32_t begin[kStraw2Lanes];  // of the lane's bucket in `ids`
  alignas(64) std::int32_t size[kStraw2Lanes];   // 0: the lane is idle
  alignas(64) std::uint32_t equal_weight[kStraw2Lanes];
  std::uint32_t r = 0;
};
/// Writes the index of each lane's item; returns which lanes are sure. The others (a draw too close for floats) are to be chosen one by one.
using Straw2ChooseLanes = std::uint32_t (*)(const Straw2Lanes& lanes, std::int32_t* index);
/// Null where the processor has no form of it that is worth its while.
Straw2ChooseLanes straw2_choose_lanes(SimdLevel level);

}  // namespace sim::ceph::crush

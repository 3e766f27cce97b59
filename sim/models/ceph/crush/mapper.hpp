/// Places inputs by the rules of a CRUSH map: the same devices as Ceph, bit for bit.
///
/// A Mapper is made from a map once and then only reads: flat arrays, the constants of every straw2 bucket, its weight sets. It may be used from
/// several threads. straw2 hashes all items of a bucket at once with AVX-512 or AVX2 where the processor has it; the result is that of the scalar form.
///
/// Source:     Ceph v16.2.15 src/crush/mapper.c (crush_do_rule); reference platform 3.3 to 3.6.
/// Leaves out: MSR rules (Ceph 19); the histogram of tries.
/// Checked by: tests/models/ceph/crush/mapper_test.cpp, golden_test.cpp; tests/crush/differential.py against crushtool.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sim/models/ceph/crush/crush_map.hpp"

namespace sim::ceph::crush {

enum class SimdLevel : std::uint8_t { kScalar, kAvx2, kAvx512 };
/// The widest that this processor has.
SimdLevel best_simd_level();

class Mapper {
 public:
  explicit Mapper(const CrushMap& map, SimdLevel simd = best_simd_level());
  ~Mapper();
  Mapper(Mapper&&) noexcept;
  Mapper& operator=(Mapper&&) noexcept;

  /// `out` receives at most `num_rep` devices (or buckets, if the rule ends there); kItemNone where indep found none. Empty when there is no such rule.
  /// `weights`: the reweight (0x10000: in, 0: out) of each device, by id; a device beyond its end is out.
  /// `choose_args`: the pool, or whatever the weight sets are keyed by; falls back to kDefaultChooseArgs.
  void do_rule(int rule, std::uint32_t x, int num_rep, std::span<const std::uint32_t> weights, std::int64_t choose_args,
               std::vector<std::int32_t>& out) const;
  /// The same without a look-up, for loops over many inputs: index from find_choose_args.
  void do_rule_with(int rule, std::uint32_t x, int num_rep, std::span<const std::uint32_t> weights, int choose_args_index,
                    std::vector<std::int32_t>& out) const;
  /// Many inputs of one rule, their results in order of `xs`. Where the processor can, the first tries of 16 inputs are computed side by side.
  void do_rules(int rule, std::span<const std::uint32_t> xs, int num_rep, std::span<const std::uint32_t> weights, int choose_args_index,
                std::vector<std::vector<std::int32_t>>& out) const;
  /// -1: none.
  int find_choose_args(std::int64_t choose_args) const;

 private:
  struct State;
  struct FirstTries;
  void run(int rule, std::uint32_t x, int num_rep, std::span<const std::uint32_t> weights, int choose_args_index, const FirstTries* tries, std::uint32_t lane,
           std::vector<std::int32_t>& out) const;
  bool try_first(int rule, std::span<const std::uint32_t> xs, int num_rep, FirstTries& tries) const;
  std::unique_ptr<State> state_;
};

}  // namespace sim::ceph::crush

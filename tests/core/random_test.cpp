#include "sim/core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace {

using Block = std::array<std::uint32_t, 4>;

TEST(Philox, PublishedVectors) {
  // Random123, tests/kat_vectors, philox4x32 with 10 rounds.
  EXPECT_EQ(sim::philox4x32_10({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(sim::philox4x32_10({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(sim::philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DependsOnSeedPurposeEntityAndCloneOnly) {
  const auto first = [](std::uint64_t seed, std::string_view purpose, std::string_view entity, std::uint32_t clone) {
    return sim::RandomStream(seed, purpose, entity, clone).next();
  };
  const std::uint64_t base = first(1, "pull", "w1", 0);
  EXPECT_EQ(base, first(1, "pull", "w1", 0));
  const std::set<std::uint64_t> all = {base, first(2, "pull", "w1", 0), first(1, "push", "w1", 0), first(1, "pull", "w2", 0),
                                       first(1, "pull", "w1", 1), first(1, "pullw", "1", 0), first(1, "", "pullw1", 0)};
  EXPECT_EQ(all.size(), 7u);
}

TEST(RandomStream, FurtherStreamsAndDrawsMoveNoOtherStream) {
  const auto draws = [](bool disturbed) {
    const sim::Randomness random(42);
    sim::RandomStream mine = random.stream("failure", "node-7");
    sim::RandomStream other = random.stream("failure", "node-8");
    std::vector<std::uint64_t> got;
    for (int i = 0; i < 1000; ++i) {
      if (disturbed) {
        other.normal(0, 1);
        random.stream("new fault", std::to_string(i)).next();
      }
      got.push_back(mine.next());
    }
    return got;
  };
  EXPECT_EQ(draws(false), draws(true));
}

TEST(RandomStream, UniformIntIsFairAndIncludesBothEnds) {
  sim::RandomStream random(3, "test", "uniform");
  std::vector<int> count(7);
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) ++count[static_cast<std::size_t>(random.uniform_int(-3, 3) + 3)];
  double chi_square = 0;
  for (const int c : count) chi_square += (c - kDraws / 7.0) * (c - kDraws / 7.0) / (kDraws / 7.0);
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, p = 0.001
  EXPECT_EQ(random.uniform_int(5, 5), 5);
  random.uniform_int(INT64_MIN, INT64_MAX);
}

TEST(RandomStream, ShuffleIsAPermutation) {
  std::vector<int> values(100);
  for (int i = 0; i < 100; ++i) values[static_cast<std::size_t>(i)] = i;
  std::vector<int> shuffled = values;
  sim::RandomStream random(3, "test", "shuffle");
  random.shuffle(shuffled.size(), [&](std::size_t i, std::size_t j) { std::swap(shuffled[i], shuffled[j]); });
  EXPECT_NE(shuffled, values);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, values);
}

}  // namespace

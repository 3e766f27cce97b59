// Sums that are kept must always agree with counting from scratch, however seldom they are looked at.
#include "sim/models/kubernetes/scheduler/domain_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "sim/core/random.hpp"

namespace sim::k8s::scheduling::test {
namespace {

TEST(DomainSums, AgreeWithCountingFromScratch) {
  constexpr std::int64_t kNodes = 40;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream random(seed, "test", "domain-sums");
    std::array<NodeCounts, 3> counts = {NodeCounts(1), NodeCounts(2), NodeCounts(3)};
    const std::array<std::int64_t, 3> weights = {1, -3, 50};
    std::vector<DomainSums::Source> sources;
    for (std::size_t i = 0; i < counts.size(); ++i) sources.push_back({&counts[i], weights[i]});
    std::vector<std::uint32_t> domain_of(kNodes);
    std::vector<bool> is_counted(kNodes);
    std::uint64_t version = 0;
    const auto new_topology = [&] {
      ++version;
      for (std::size_t node = 0; node < domain_of.size(); ++node) {
        domain_of[node] = random.chance(0.1) ? kNoDomain : static_cast<std::uint32_t>(random.uniform_int(0, 9));
        is_counted[node] = domain_of[node] != kNoDomain && random.chance(0.7);
      }
    };
    new_topology();
    DomainSums sums;
    int rebuilt = 0;
    for (int look = 0; look < 200; ++look) {
      const auto changes = random.chance(0.05) ? random.uniform_int(60, 140) : random.uniform_int(0, 12);  // sometimes more than are remembered
      for (std::int64_t i = 0; i < changes; ++i) {
        NodeCounts& one = counts[static_cast<std::size_t>(random.uniform_int(0, 2))];
        const auto node = static_cast<NodeIndex>(random.uniform_int(0, kNodes - 1));
        one.add(node, one.of(node) != 0 && random.chance(0.5) ? -1 : 1);
      }
      if (random.chance(0.05)) new_topology();
      const auto reset = [&](DomainSums& anew) {
        ++rebuilt;
        anew.begin(10, DomainSums::kAbsent);
        for (NodeIndex node = 0; node < kNodes; ++node) {
          if (is_counted[node]) anew.count(node, domain_of[node]);
        }
      };
      sums.follow(version, sources, reset, [&](NodeIndex node) { return sums.counts(node) ? domain_of[node] : kNoDomain; });

      std::array<std::int64_t, 10> expected{};
      std::array<bool, 10> present{};
      std::int64_t pods = 0;
      for (NodeIndex node = 0; node < kNodes; ++node) {
        ASSERT_EQ(sums.counts(node), is_counted[node]);
        if (!is_counted[node]) continue;
        present[domain_of[node]] = true;
        for (std::size_t i = 0; i < counts.size(); ++i) {
          expected[domain_of[node]] += weights[i] * counts[i].of(node);
          pods += counts[i].of(node);
        }
      }
      std::int64_t least = std::numeric_limits<std::int32_t>::max();
      for (std::uint32_t domain = 0; domain < 10; ++domain) {
        ASSERT_EQ(sums.of(domain), expected[domain]) << "look " << look;
        ASSERT_EQ(sums.at(domain) == DomainSums::kAbsent, !present[domain]);
        if (present[domain]) least = std::min(least, expected[domain]);
      }
      ASSERT_EQ(sums.least(), least) << "look " << look;
      ASSERT_EQ(sums.pods(), pods);
      ASSERT_EQ(sums.domains_present(), static_cast<std::size_t>(std::count(present.begin(), present.end(), true)));
      ASSERT_EQ(sums.all_zero(), std::all_of(expected.begin(), expected.end(), [](std::int64_t sum) { return sum == 0; }));
    }
    EXPECT_LT(rebuilt, 60) << "most of the time they follow";
    EXPECT_GT(rebuilt, 1);
  }
}

TEST(KeptSums, LetGoOfTheOldest) {
  KeptSums kept;
  for (std::uint32_t i = 0; i < 200; ++i) {
    kept.begin_cycle(100);
    kept.find({0, 0}).begin(100, 0);  // in use all the time
    kept.find({1, i}).begin(100, 0);
    EXPECT_LE(kept.size(), 52u) << "40 domains of each node and 1,024";
  }
  kept.find({0, 0}).add(5, 7);
  kept.begin_cycle(100);
  EXPECT_EQ(kept.find({0, 0}).of(5), 7);
  EXPECT_EQ(kept.find({1, 199}).of(5), 0);
  EXPECT_FALSE(kept.find({1, 0}).counts(0)) << "a new one: without domains";
}

}  // namespace
}  // namespace sim::k8s::scheduling::test

#include "sim/core/inference.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>

#include "sim/core/random.hpp"
#include "sim/core/special_functions.hpp"

namespace {

using sim::ConfidenceInterval;
using sim::RandomStream;
using sim::StoppingRule;

TEST(Binomial, SumsOfItsTerms) {
  for (const std::uint64_t n : {1u, 7u, 40u}) {
    for (const double p : {0.01, 0.3, 0.5, 0.97}) {
      double sum = 0;
      for (std::uint64_t k = 0; k <= n; ++k) {
        const auto trials = static_cast<double>(n);
        const auto hits = static_cast<double>(k);
        const double ways = std::lgamma(trials + 1) - std::lgamma(hits + 1) - std::lgamma(trials - hits + 1);
        sum += std::exp(ways) * std::pow(p, hits) * std::pow(1 - p, trials - hits);
        EXPECT_NEAR(sim::binomial_at_most(k, n, p), sum, 1e-11) << n << " " << p << " " << k;
      }
    }
  }
}

TEST(ShareInterval, ExactOnesAreThePrintedOnes) {
  const ConfidenceInterval three = sim::exact_share_interval(3, 10);
  EXPECT_NEAR(three.low, 0.0667395, 1e-6);
  EXPECT_NEAR(three.high, 0.6524529, 1e-6);
  const ConfidenceInterval none = sim::share_interval(0, 10);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - std::pow(0.025, 0.1), 1e-12);
  const ConfidenceInterval all = sim::share_interval(10, 10);
  EXPECT_NEAR(all.low, std::pow(0.025, 0.1), 1e-12);
  EXPECT_EQ(all.high, 1);
  EXPECT_EQ(sim::share_interval(0, 0).high, 1);
  EXPECT_EQ(sim::share_interval(3, 10).low, sim::proportion_interval(3, 10).low);
}

TEST(ShareInterval, ExactOnesCoverEveryProbability) {
  for (double p = 0.005; p < 1; p += 0.03) {
    double covered = 0;
    for (std::uint64_t hits = 0; hits <= 25; ++hits) {
      const double chance = sim::binomial_at_most(hits, 25, p) - (hits == 0 ? 0 : sim::binomial_at_most(hits - 1, 25, p));
      if (sim::exact_share_interval(hits, 25).contains(p)) covered += chance;
    }
    EXPECT_GE(covered, 0.95) << p;
  }
}

TEST(QuantileInterval, RanksOfTheTables) {
  std::vector<double> values;
  for (int i = 1; i <= 10; ++i) values.push_back(11 - i);
  const sim::QuantileInterval median = sim::quantile_interval(values, 0.5);  // ranks 2 and 9 of 10: 97.9 %
  EXPECT_TRUE(median.has_interval);
  EXPECT_EQ(median.estimate, 5);
  EXPECT_EQ(median.low, 2);
  EXPECT_EQ(median.high, 9);
  EXPECT_EQ(median.needs, 6u);
  const sim::QuantileInterval high = sim::quantile_interval(values, 0.95);
  EXPECT_FALSE(high.has_interval);
  EXPECT_EQ(high.estimate, 10);
  EXPECT_EQ(high.needs, 72u);
  EXPECT_EQ(sim::quantile_interval({}, 0.5).needs, 6u);
  for (const std::size_t n : {71u, 72u}) EXPECT_EQ(sim::quantile_interval(std::vector<double>(n, 3.0), 0.95).has_interval, n == 72);
}

TEST(QuantileInterval, CoversAndNoNarrowerPairOfRanksWould) {
  for (const double q : {0.05, 0.5, 0.9}) {
    for (const std::size_t n : {60u, 137u}) {
      std::vector<double> ranks;
      for (std::size_t i = 1; i <= n; ++i) ranks.push_back(static_cast<double>(i));
      const sim::QuantileInterval found = sim::quantile_interval(ranks, q);
      if (!found.has_interval) continue;
      const auto low = static_cast<std::uint64_t>(found.low);
      const auto high = static_cast<std::uint64_t>(found.high);
      EXPECT_LE(sim::binomial_at_most(low - 1, n, q), 0.025);
      EXPECT_GT(sim::binomial_at_most(low, n, q), 0.025);
      EXPECT_GE(sim::binomial_at_most(high - 1, n, q), 0.975);
      EXPECT_LT(sim::binomial_at_most(high - 2, n, q), 0.975);
    }
  }
}

TEST(PairedTests, KnownValues) {
  EXPECT_NEAR(sim::sign_test(1, 8), 0.0390625, 1e-12);
  EXPECT_EQ(sim::sign_test(4, 4), 1);
  EXPECT_EQ(sim::sign_test(0, 0), 1);
  // Student's own ten patients, sleep gained with two drugs: t = 4.0621, P = 0.00283.
  const std::vector<double> student = {1.2, 2.4, 1.3, 1.3, 0, 1.0, 1.8, 0.8, 4.6, 1.4};
  EXPECT_NEAR(sim::paired_t_test(student), 0.002833, 1e-6);
  EXPECT_EQ(sim::paired_t_test(std::vector<double>(5, 2.0)), 0);
  EXPECT_EQ(sim::paired_t_test(std::vector<double>(5, 0.0)), 1);
  EXPECT_EQ(sim::paired_t_test(std::vector<double>{3.0}), 1);
  EXPECT_NEAR(sim::signed_rank_test(std::vector<double>{1, 2, 3, 4, 5, 6}), 2.0 / 64, 1e-15);
  EXPECT_NEAR(sim::signed_rank_test(std::vector<double>{1, 2, 3, 4, 5}), 2.0 / 32, 1e-15);
  EXPECT_EQ(sim::signed_rank_test(std::vector<double>{0, 0}), 1);
}

TEST(PairedTests, SignedRanksByEnumerationWithTies) {
  const std::vector<double> values = {-3, 3, 3, 5, -1, 8, 8, 2, 0, 0};
  std::vector<double> sizes;
  for (const double v : values) {
    if (v != 0) sizes.push_back(std::fabs(v));
  }
  std::vector<double> ranks;
  for (const double size : sizes) {
    double below = 0;
    double same = 0;
    for (const double other : sizes) {
      below += other < size ? 1 : 0;
      same += other == size ? 1 : 0;
    }
    ranks.push_back(below + (same + 1) / 2);
  }
  const std::size_t n = sizes.size();
  double all = 0;
  double positive = 0;
  std::size_t k = 0;
  for (const double v : values) {
    if (v == 0) continue;
    all += ranks[k];
    positive += v > 0 ? ranks[k] : 0;
    ++k;
  }
  int as_uneven = 0;
  for (std::size_t signs = 0; signs < (1u << n); ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += (signs >> i & 1) != 0 ? ranks[i] : 0;
    as_uneven += std::fabs(sum - all / 2) >= std::fabs(positive - all / 2) - 1e-9 ? 1 : 0;
  }
  EXPECT_NEAR(sim::signed_rank_test(values), as_uneven / 256.0, 1e-12);
}

TEST(PairedTests, ManyPairsAgreeWithTheExactOnes) {
  RandomStream random(1, "test", "ranks");
  std::vector<double> values;
  for (int i = 0; i < 200; ++i) values.push_back(random.normal(0.15, 1));
  const double exact = sim::signed_rank_test(values);
  values.push_back(1e-12);  // the least rank: next to nothing changes but the way
  EXPECT_NEAR(sim::signed_rank_test(values), exact, 0.01 * exact + 5e-4);
}

TEST(Holm, TheStepsOfItsPaper) {
  const std::vector<double> adjusted = sim::holm({0.01, 0.04, 0.03, 0.005});
  const double expected[] = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15);
  EXPECT_TRUE(sim::holm({}).empty());
}

TEST(PairedShares, IntervalCoversAndIsNoPointAtTheEnds) {
  EXPECT_GT(sim::paired_share_interval(0, 0, 20).half_width(), 0.05);
  EXPECT_EQ(sim::paired_share_interval(0, 0, 0).low, -1);
  // All 3^n outcomes' counts: P(first alone) = 0.1, P(second alone) = 0.3, n = 30.
  double covered = 0;
  for (std::uint64_t a = 0; a <= 30; ++a) {
    for (std::uint64_t b = 0; a + b <= 30; ++b) {
      const double rest = 30.0 - static_cast<double>(a + b);
      const double ways = std::lgamma(31.0) - std::lgamma(static_cast<double>(a) + 1) - std::lgamma(static_cast<double>(b) + 1) - std::lgamma(rest + 1);
      const double chance = std::exp(ways + static_cast<double>(a) * std::log(0.1) + static_cast<double>(b) * std::log(0.3) + rest * std::log(0.6));
      if (sim::paired_share_interval(a, b, 30).contains(0.2)) covered += chance;
    }
  }
  EXPECT_GT(covered, 0.94);
  EXPECT_LT(covered, 0.98);
}

TEST(PairedEffect, Words) {
  const std::vector<double> mostly = {1, 2, 3, -1, 0, 4, 5, 6, 7, 8};
  const sim::PairedEffect effect = sim::paired_effect(mostly);
  EXPECT_EQ(effect.more, 8u);
  EXPECT_EQ(effect.less, 1u);
  EXPECT_EQ(effect.equal, 1u);
  EXPECT_DOUBLE_EQ(effect.superiority, 0.7);
  EXPECT_STREQ(effect.size, "large");
  EXPECT_STREQ(sim::paired_effect(std::vector<double>{1, -1}).size, "none");
}

// ---- When to stop -------------------------------------------------------------------------------------------------

TEST(StoppingRule, LooksAreFixedBeforehandAndTheirErrorsAddUp) {
  StoppingRule rule({.target = 0.05, .confidence = 0.95, .minimum = 30, .maximum = 200});
  std::vector<std::uint64_t> looks;
  double error = 0;
  while (!rule.done()) {
    looks.push_back(rule.next_look());
    error += 1 - rule.look_confidence();
    rule.looked(false);
  }
  EXPECT_EQ(looks, (std::vector<std::uint64_t>{30, 45, 68, 102, 153, 200}));
  EXPECT_FALSE(rule.reached());
  EXPECT_LT(error, 0.05);
  StoppingRule narrow({.target = 0.05, .confidence = 0.95, .minimum = 30, .maximum = 200});
  narrow.looked(true);
  EXPECT_TRUE(narrow.done() && narrow.reached());
  EXPECT_NEAR(narrow.look_confidence(), 0.975, 1e-15);
  EXPECT_EQ(StoppingRule({.minimum = 50, .maximum = 10}).next_look(), 10u);
  // "The same in all of n": 1 - 0.025^(1/n).
  EXPECT_NEAR(narrow.others_at_most(72), 1 - std::pow(0.025, 1.0 / 72), 1e-12);
}

/// Runs the rule on a source of replications; whether what it says at its stop is true. Of replications that are all the same it says nothing of the
/// mean, but that others are rare: `others` is how rare they are.
bool is_right_at_the_stop(const std::function<double(std::uint64_t)>& replication, double target, double truth, double others, std::uint64_t& runs) {
  StoppingRule rule({.target = target, .confidence = 0.95, .minimum = 30, .maximum = 100'000});
  sim::Tally tally;
  bool right = false;
  while (!rule.done()) {
    while (tally.count() < rule.next_look()) tally.add(replication(tally.count()));
    if (tally.min() == tally.max()) {
      right = others <= rule.others_at_most(tally.count());
      rule.looked(rule.others_at_most(tally.count()) <= target);
    } else {
      const ConfidenceInterval interval = sim::mean_interval(tally, rule.look_confidence());
      right = interval.contains(truth);
      rule.looked(interval.half_width() <= target * std::fabs(interval.estimate));
    }
  }
  EXPECT_TRUE(rule.reached());
  runs += tally.count();
  return right;
}

/// Mean wait of 200 customers of an M/M/1 queue that is in its steady state when the first one comes.
double mm1_wait(RandomStream random, double load) {
  double wait = random.chance(load) ? random.exponential(1 / (1 - load)) : 0;
  double sum = 0;
  for (int i = 0; i < 200; ++i) {
    sum += wait;
    wait = std::max(0.0, wait + random.exponential(1.0) - random.exponential(1 / load));
  }
  return sum / 200;
}

/// Share of `span` in which fewer than `needed` of `machines` run; each fails after a mean of 100 and is repaired in a mean of 10,
/// by at most `crews` at a time. The chain begins in its steady state, given as the chances of 0, 1, ... broken machines.
double machines_down(RandomStream random, const std::vector<double>& steady, std::size_t needed, std::size_t crews, double span) {
  const std::size_t machines = steady.size() - 1;
  std::size_t broken = 0;
  for (double draw = random.uniform() - steady[0]; draw > 0 && broken < machines; draw -= steady[broken]) ++broken;
  double now = 0;
  double down = 0;
  while (now < span) {
    const double failing = static_cast<double>(machines - broken) / 100;
    const double mending = static_cast<double>(std::min(broken, crews)) / 10;
    const double stay = std::min(random.exponential(1 / (failing + mending)), span - now);
    if (machines - broken < needed) down += stay;
    now += stay;
    random.chance(failing / (failing + mending)) ? ++broken : --broken;
  }
  return down / span;
}

std::vector<double> steady_state(std::size_t machines, std::size_t crews) {
  std::vector<double> weight = {1};
  double sum = 1;
  for (std::size_t broken = 0; broken < machines; ++broken) {
    weight.push_back(weight.back() * static_cast<double>(machines - broken) / 100 / (static_cast<double>(std::min(broken + 1, crews)) / 10));
    sum += weight.back();
  }
  for (double& w : weight) w /= sum;
  return weight;
}

struct CoverageCase {
  const char* name;
  double target;
  double truth;
  std::function<double(RandomStream)> replication;
};

TEST(StoppingRule, CoversTheClosedForms) {
  const std::vector<double> one = steady_state(1, 1);
  const std::vector<double> repair = steady_state(5, 1);  // machine repair: five machines, one crew
  const std::vector<double> quorum = steady_state(3, 3);
  double repair_down = 0;
  for (std::size_t broken = 2; broken <= 5; ++broken) repair_down += repair[broken];
  const double down = 10.0 / 110.0;
  const CoverageCase cases[] = {
      {"M/M/1, load 0.5: wait 1", 0.05, 1.0, [](RandomStream random) { return mm1_wait(random, 0.5); }},
      {"M/M/1, load 0.8: wait 4", 0.10, 4.0, [](RandomStream random) { return mm1_wait(random, 0.8); }},
      {"one machine with repair", 0.05, down, [&](RandomStream random) { return machines_down(random, one, 1, 1, 1000); }},
      {"machine repair: 4 of 5 with one crew", 0.05, repair_down, [&](RandomStream random) { return machines_down(random, repair, 4, 1, 1000); }},
      {"2 of 3 with repair", 0.10, 3 * down * down * (1 - down) + down * down * down,
       [&](RandomStream random) { return machines_down(random, quorum, 2, 3, 1000); }},
      {"rare and skewed: one run in twenty is down", 0.10, 0.05, [](RandomStream random) { return random.chance(0.05) ? random.exponential(1.0) : 0.0; }},
  };
  for (const CoverageCase& c : cases) {
    int covered = 0;
    std::uint64_t runs = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      const auto replication = [&](std::uint64_t i) { return c.replication(RandomStream(seed, "coverage", c.name, static_cast<std::uint32_t>(i))); };
      covered += is_right_at_the_stop(replication, c.target, c.truth, c.truth, runs) ? 1 : 0;
    }
    EXPECT_GE(covered, 95) << c.name;
    std::printf("  %s: right in %d of 100, %.0f runs on average\n", c.name, covered, static_cast<double>(runs) / 100);
  }
}

TEST(StoppingRule, QuantilesAndSharesCover) {
  int quantile = 0;
  int share = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    RandomStream random(seed, "coverage", "quantile");
    StoppingRule rule({.target = 0.1, .confidence = 0.95, .minimum = 30, .maximum = 100'000});
    std::vector<double> values;
    sim::QuantileInterval interval;
    while (!rule.done()) {
      while (values.size() < rule.next_look()) values.push_back(random.exponential(1.0));
      interval = sim::quantile_interval(values, 0.95, rule.look_confidence());
      rule.looked(interval.has_interval && (interval.high - interval.low) / 2 <= 0.1 * interval.estimate);
    }
    quantile += interval.low <= std::log(20.0) && std::log(20.0) <= interval.high ? 1 : 0;
    RandomStream coin(seed, "coverage", "share");
    StoppingRule shares({.target = 0.05, .confidence = 0.95, .minimum = 30, .maximum = 100'000});
    std::uint64_t hits = 0;
    std::uint64_t trials = 0;
    ConfidenceInterval found;
    while (!shares.done()) {
      for (; trials < shares.next_look(); ++trials) hits += coin.chance(0.97) ? 1 : 0;
      found = sim::exact_share_interval(hits, trials, shares.look_confidence());
      shares.looked(found.half_width() <= 0.05);
    }
    share += found.contains(0.97) ? 1 : 0;
  }
  EXPECT_GE(quantile, 95);
  EXPECT_GE(share, 95);
}

}  // namespace

#include "analysis/plan_bounds.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "analysis/plan_search.hpp"
#include "sim/core/random.hpp"

namespace analysis {
namespace {

TEST(LinearProgram, SolvesWhatIsWorkedOutByHand) {
  // min 3x + 2y with x + y >= 4 and x + 3y >= 6: the corner (3, 1) costs 11, (0, 4) costs 8, (6, 0) 18.
  const LinearSolution solution = solve({{3, 2}, {{1, 1}, {1, 3}}, {4, 6}});
  ASSERT_TRUE(solution.is_optimal);
  EXPECT_NEAR(solution.value, 8.0, 1e-9);
  EXPECT_NEAR(solution.x[0], 0.0, 1e-9);
  EXPECT_NEAR(solution.x[1], 4.0, 1e-9);
  // Duals: the value again, as bounds x duals.
  EXPECT_NEAR(4 * solution.duals[0] + 6 * solution.duals[1], 8.0, 1e-9);
}

TEST(LinearProgram, SaysThatNothingSatisfiesIt) {
  // x >= 2 and -x >= -1.
  EXPECT_FALSE(solve({{1}, {{1}, {-1}}, {2, -1}}).is_optimal);
}

PlanClass pods(double cpu, double memory, std::int64_t count, std::vector<bool> fits) {
  PlanClass one;
  one.request = {cpu, memory};
  one.count = count;
  one.fits = std::move(fits);
  return one;
}

TEST(PlanBounds, FillsANodeAsAKnapsack) {
  const PlanClass big = pods(6, 1, 5, {true});
  const PlanClass middle = pods(5, 1, 5, {true});
  std::vector<std::int64_t> filling;
  // 10 cores: one of 6 weighs 10, two of 5 weigh 16.
  EXPECT_NEAR(heaviest_filling({10, 100}, {&big, &middle}, {10, 8}, 1000, &filling), 16.0, 1e-9);
  EXPECT_EQ(filling, (std::vector<std::int64_t>{0, 2}));
  // Cut off at once it still is a bound from above.
  EXPECT_GE(heaviest_filling({10, 100}, {&big, &middle}, {10, 8}, 1), 16.0);
}

TEST(PlanBounds, AreThoseOfTheConfigurationsNotOfTheSums) {
  // 7 pods of 6 cores on nodes of 10 cores: by sums 4.2 nodes, by what fits (one a node) 7.
  PlanBounds bounds({{"node", {10, 100}, 1.0, 0, 20}}, {pods(6, 1, 7, {true})});
  EXPECT_NEAR(bounds.lower_bound({0}, {20}), 7.0, 1e-5);
  EXPECT_FALSE(bounds.may_carry({6}));
  EXPECT_TRUE(bounds.may_carry({7}));
}

TEST(PlanBounds, CountWhoFitsNowhere) {
  PlanBounds bounds({{"a", {10, 100}, 1.0, 0, 20}, {"b", {20, 100}, 2.0, 0, 0}}, {pods(6, 1, 1, {true, true}), pods(15, 1, 1, {true, true}), pods(1, 1, 1, {false, false})});
  EXPECT_EQ(bounds.homeless(), (std::vector<std::size_t>{1, 2}));
}

TEST(PlanBounds, OfTheWholeDoNotHoldForTheRest) {
  PlanBounds bounds({{"node", {10, 100}, 1.0, 0, 20}}, {pods(1, 1, 10, {true})});
  bounds.require({1.0}, 5.0);
  EXPECT_FALSE(bounds.may_carry({4}));
  EXPECT_TRUE(bounds.may_carry({4}, PlanBounds::Of::kRest));
  EXPECT_NEAR(bounds.lower_bound({0}, {20}), 5.0, 1e-5);
  EXPECT_NEAR(bounds.lower_bound({0}, {20}, PlanBounds::Of::kRest), 1.0, 1e-5);
}

// ---- random instances against enumeration -----------------------------------------------------------------------------

struct Instance {
  std::vector<PlanShape> shapes;
  std::vector<PlanClass> classes;
};

Instance random_instance(std::uint64_t seed) {
  sim::RandomStream random(seed, "test/plan", "instance");
  Instance instance;
  const auto shapes = static_cast<std::size_t>(random.uniform_int(1, 3));
  for (std::size_t s = 0; s < shapes; ++s) {
    PlanShape shape;
    shape.name = std::string(1, static_cast<char>('a' + s));
    shape.capacity = {static_cast<double>(random.uniform_int(4, 16)), static_cast<double>(random.uniform_int(4, 16))};
    shape.price = static_cast<double>(random.uniform_int(2, 30));
    shape.least = random.chance(0.15) ? 1 : 0;
    shape.most = random.uniform_int(3, 6);
    instance.shapes.push_back(shape);
  }
  if (random.chance(0.3)) instance.shapes.push_back({"there", {static_cast<double>(random.uniform_int(2, 10)), static_cast<double>(random.uniform_int(2, 10))}, 0.0, 1, 1});
  const auto classes = static_cast<std::size_t>(random.uniform_int(1, 3));
  for (std::size_t p = 0; p < classes; ++p) {
    PlanClass one;
    one.request = {static_cast<double>(random.uniform_int(1, 8)), static_cast<double>(random.uniform_int(0, 8))};
    one.count = random.uniform_int(1, 5);
    if (random.chance(0.2)) one.per_node = 1;
    bool any = false;
    for (std::size_t s = 0; s < instance.shapes.size(); ++s) {
      one.fits.push_back(random.chance(0.8));
      any = any || one.fits.back();
    }
    if (!any) one.fits[0] = true;
    instance.classes.push_back(one);
  }
  return instance;
}

/// Whether any packing at all puts all pods on these nodes: pod after pod on every node, alike nodes once.
bool can_carry(const Instance& instance, const Counts& counts) {
  struct Bin {
    std::size_t shape;
    Amounts left;
    std::vector<std::int64_t> of_class;
    bool operator==(const Bin& other) const { return shape == other.shape && left == other.left && of_class == other.of_class; }
  };
  std::vector<Bin> bins;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    for (std::int64_t n = 0; n < counts[s]; ++n) bins.push_back({s, instance.shapes[s].capacity, std::vector<std::int64_t>(instance.classes.size(), 0)});
  }
  std::vector<std::size_t> pods;
  for (std::size_t p = 0; p < instance.classes.size(); ++p) pods.insert(pods.end(), static_cast<std::size_t>(instance.classes[p].count), p);
  std::stable_sort(pods.begin(), pods.end(), [&](std::size_t a, std::size_t b) {
    return instance.classes[a].request[0] + instance.classes[a].request[1] > instance.classes[b].request[0] + instance.classes[b].request[1];
  });
  const std::function<bool(std::size_t)> place = [&](std::size_t i) {
    if (i == pods.size()) return true;
    const PlanClass& one = instance.classes[pods[i]];
    std::vector<Bin> tried;
    for (Bin& bin : bins) {
      if (!one.fits[bin.shape] || bin.left[0] < one.request[0] || bin.left[1] < one.request[1]) continue;
      if (one.per_node > 0 && bin.of_class[pods[i]] >= one.per_node) continue;
      if (std::find(tried.begin(), tried.end(), bin) != tried.end()) continue;
      tried.push_back(bin);
      bin.left[0] -= one.request[0];
      bin.left[1] -= one.request[1];
      ++bin.of_class[pods[i]];
      const bool good = place(i + 1);
      bin.left[0] += one.request[0];
      bin.left[1] += one.request[1];
      --bin.of_class[pods[i]];
      if (good) return true;
    }
    return false;
  };
  return place(0);
}

/// The cheapest counts of all that pass; empty when none does.
std::optional<double> enumerate(const PlanBounds& bounds, std::int64_t mix, const std::function<bool(const Counts&)>& passes, const std::function<void(const Counts&, bool)>& saw = {}) {
  const std::vector<PlanShape>& shapes = bounds.shapes();
  std::optional<double> best;
  Counts counts(shapes.size(), 0);
  const std::function<void(std::size_t)> go = [&](std::size_t s) {
    if (s == shapes.size()) {
      std::int64_t kinds = 0;
      for (std::size_t i = 0; i < shapes.size(); ++i) kinds += shapes[i].price > 0 && counts[i] > 0 ? 1 : 0;
      if (kinds > mix) return;
      const bool good = passes(counts);
      if (saw) saw(counts, good);
      if (good && (!best || cost_of(bounds, counts) < *best)) best = cost_of(bounds, counts);
      return;
    }
    for (counts[s] = shapes[s].price > 0 ? shapes[s].least : shapes[s].most; counts[s] <= shapes[s].most; ++counts[s]) go(s + 1);
  };
  go(0);
  return best;
}

TEST(PlanBounds, AreNeverAboveTheOptimumAndRuleOutNothingThatCanBePacked) {
  int feasible = 0;
  double gap = 0.0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = random_instance(seed);
    PlanBounds bounds(instance.shapes, instance.classes);
    std::vector<std::size_t> all;
    Counts least;
    Counts most;
    for (std::size_t s = 0; s < instance.shapes.size(); ++s) {
      all.push_back(s);
      least.push_back(instance.shapes[s].least);
      most.push_back(instance.shapes[s].most);
    }
    bounds.weigh(all);
    const auto best = enumerate(bounds, 9, [&](const Counts& counts) { return can_carry(instance, counts); },
                                [&](const Counts& counts, bool good) {
                                  EXPECT_TRUE(!good || bounds.may_carry(counts));
                                });
    if (!best) continue;
    ++feasible;
    const double bound = bounds.lower_bound(least, most);
    EXPECT_LE(bound, *best * (1.0 + 1e-9));
    gap += *best > 0.0 ? 1.0 - bound / *best : 0.0;
  }
  EXPECT_GT(feasible, 150);
  // The bounds are of use: on average within a quarter of instances where a single node is a third of everything.
  EXPECT_LT(gap / feasible, 0.25);
}

TEST(PlanSearch, FindsTheOptimumOfEveryInstance) {
  int feasible = 0;
  int infeasible = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = random_instance(seed);
    PlanBounds bounds(instance.shapes, instance.classes);
    const std::int64_t mix = 1 + static_cast<std::int64_t>(seed % 3);
    const auto required = std::count_if(instance.shapes.begin(), instance.shapes.end(), [](const PlanShape& s) { return s.price > 0 && s.least > 0; });
    if (required > mix) continue;
    PlanSearchOptions options;
    options.mix = mix;
    options.tolerance = 0.02;
    options.passes = [&](const Counts& counts) { return can_carry(instance, counts); };
    const auto best = enumerate(bounds, mix, options.passes);
    const PlanSearchResult result = search_plan(bounds, options);
    EXPECT_TRUE(result.is_proven);
    ASSERT_EQ(result.best.has_value(), best.has_value());
    if (!best) {
      ++infeasible;
      continue;
    }
    ++feasible;
    EXPECT_TRUE(can_carry(instance, *result.best));
    EXPECT_NEAR(result.cost, cost_of(bounds, *result.best), 1e-9);
    EXPECT_LE(result.cost, *best * 1.02 + 1e-9);
    EXPECT_LE(result.bound, *best * (1.0 + 1e-9));
    EXPECT_GE(result.bound * 1.02 + 1e-9, result.cost);
  }
  EXPECT_GT(feasible, 150);
  EXPECT_GT(infeasible, 10);
}

TEST(PlanSearch, SkipsNoCountThoughTheTestIsNotMonotone) {
  // 5 pods of one core, nodes of 4; the test refuses 2 and 4 nodes.
  PlanBounds bounds({{"node", {4, 4}, 1.0, 0, 6}}, {pods(1, 1, 5, {true})});
  PlanSearchOptions options;
  options.passes = [](const Counts& counts) { return counts[0] == 3 || counts[0] >= 5; };
  const PlanSearchResult result = search_plan(bounds, options);
  ASSERT_TRUE(result.best);
  EXPECT_EQ(result.best->front(), 3);
}

TEST(PlanSearch, SurvivesLossesWithinItsBounds) {
  // Any node may go: the rest has to carry everything. Bounds with the loss never rule the optimum out.
  int feasible = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = random_instance(seed);
    PlanBounds bounds(instance.shapes, instance.classes);
    const auto passes = [&](const Counts& counts) {
      if (!can_carry(instance, counts)) return false;
      for (std::size_t s = 0; s < counts.size(); ++s) {
        if (counts[s] == 0) continue;
        Counts rest = counts;
        --rest[s];
        if (!can_carry(instance, rest)) return false;
      }
      return true;
    };
    const auto best = enumerate(bounds, 3, passes);
    PlanSearchOptions options;
    options.mix = 3;
    options.tolerance = 0.02;
    options.loss.nodes = 1;
    options.passes = passes;
    const PlanSearchResult result = search_plan(bounds, options);
    ASSERT_EQ(result.best.has_value(), best.has_value());
    if (!best) continue;
    ++feasible;
    EXPECT_LE(result.cost, *best * 1.02 + 1e-9);
    EXPECT_LE(result.bound, *best * (1.0 + 1e-9));
  }
  EXPECT_GT(feasible, 50);
}

TEST(PlanSearch, SaysWhenItWasCutOff) {
  PlanBounds bounds({{"a", {10, 10}, 3.0, 0, 50}, {"b", {7, 9}, 2.0, 0, 50}}, {pods(3, 2, 40, {true, true}), pods(2, 4, 31, {true, true})});
  PlanSearchOptions options;
  options.tests_max = 3;
  options.tolerance = 0.0;
  options.passes = [](const Counts&) { return false; };
  const PlanSearchResult result = search_plan(bounds, options);
  EXPECT_FALSE(result.best);
  EXPECT_FALSE(result.is_proven);
  EXPECT_LE(result.tests, 3u);
  EXPECT_GT(result.bound, 0.0);
}

}  // namespace
}  // namespace analysis

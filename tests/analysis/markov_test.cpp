#include "analysis/markov.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/process.hpp"
#include "sim/core/random.hpp"
#include "sim/core/statistics.hpp"

namespace {

TEST(SteadyState, OneMachineIsUpForItsShareOfTheCycle) {
  const std::vector<double> shares = analysis::steady_state({{0.0, 1.0}, {4.0, 0.0}});
  EXPECT_NEAR(shares[0], 0.8, 1e-12);
  EXPECT_NEAR(shares[1], 0.2, 1e-12);
}

TEST(KOfN, IndependentRepairIsBinomial) {
  // With a repairer for each machine the machines are independent: up with probability a.
  const double a = 9.0 / 10.0;
  const double want = 3 * a * a * (1 - a) + a * a * a;
  EXPECT_NEAR(analysis::k_of_n_availability(2, 3, 1.0, 9.0, 3), want, 1e-12);
}

TEST(KOfN, OneOfTwoWithOneRepairer) {
  // States 0, 1, 2 down with rates 2f, f up and r, r down: pi2 = 2 (f/r)^2 / (1 + 2 f/r + 2 (f/r)^2).
  const double x = 0.05;
  EXPECT_NEAR(analysis::k_of_n_availability(1, 2, x, 1.0, 1), 1.0 - 2 * x * x / (1 + 2 * x + 2 * x * x), 1e-12);
}

/// Three members that fail and are repaired on their own; the time during which at least two are up.
struct Cluster {
  sim::Engine engine;
  int up = 3;
  double quorum_seconds = 0.0;
  sim::SimTime since{};

  void change(int by) {
    if (up >= 2) quorum_seconds += sim::seconds(engine.now() - since);
    since = engine.now();
    up += by;
  }
};

sim::Process member(Cluster& cluster, sim::RandomStream life) {
  for (;;) {
    const sim::SimDuration works = sim::from_seconds(life.exponential(100.0));
    co_await sim::Delay(cluster.engine, works);
    cluster.change(-1);
    const sim::SimDuration broken = sim::from_seconds(life.exponential(10.0));
    co_await sim::Delay(cluster.engine, broken);
    cluster.change(+1);
  }
}

TEST(KOfN, TheSimulatedQuorumAgreesWithTheChain) {
  sim::Tally availability;
  constexpr double kSeconds = 20'000.0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Cluster cluster;
    std::vector<sim::Process> members;
    for (int i = 0; i < 3; ++i) members.push_back(member(cluster, sim::RandomStream(seed, "life", std::to_string(i))));
    cluster.engine.run_until(sim::SimTime(sim::from_seconds(kSeconds)));
    cluster.change(0);
    availability.add(cluster.quorum_seconds / kSeconds);
  }
  const double want = analysis::k_of_n_availability(2, 3, 1.0 / 100.0, 1.0 / 10.0, 3);
  const sim::ConfidenceInterval interval = sim::mean_interval(availability, 0.999);
  EXPECT_TRUE(interval.contains(want)) << interval.low << " to " << interval.high << ", closed form " << want;
}

}  // namespace

// One pod as a queue against the closed forms of M/M/1 and Erlang C, and against a simulation of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/models/traffic/server_queue.hpp"

namespace sim::traffic {
namespace {

TEST(ServerQueue, IsMM1WithoutImpatience) {
  // 80 of 100 requests a second: the response time is exponential with rate 20.
  const ServerQueue queue(80.0, 100.0, 1, 1000.0);
  for (const double t : {0.001, 0.01, 0.05, 0.1, 0.5}) EXPECT_NEAR(queue.answered_within(t), 1.0 - std::exp(-20.0 * t), 1e-12) << t;
  EXPECT_NEAR(queue.utilisation(), 0.8, 1e-12);
  EXPECT_LT(queue.gives_up(), 1e-12);
}

TEST(ServerQueue, IsErlangCWithManyWorkers) {
  // Erlang C of 10 workers and 8 erlangs: 0.409180.
  const double erlang_c = 0.4091801508;
  const ServerQueue queue(80.0, 10.0, 10, 1e5);
  // P(response <= t) of M/M/c: with theta = c mu - lambda = 20 and mu = 10.
  const auto expected = [&](double t) {
    const double waits_on = erlang_c * 20.0 / (20.0 - 10.0) * (std::exp(-10.0 * t) - std::exp(-20.0 * t)) + erlang_c * std::exp(-20.0 * t) + (1.0 - erlang_c) * std::exp(-10.0 * t);
    return 1.0 - waits_on;
  };
  for (const double t : {0.01, 0.05, 0.1, 0.3, 1.0}) EXPECT_NEAR(queue.answered_within(t), expected(t), 1e-8) << t;
}

TEST(ServerQueue, AlmostNoRequestsAndVeryMany) {
  const ServerQueue idle(0.0, 50.0, 4, 1.0);
  EXPECT_NEAR(idle.answered_within(0.02), 1.0 - std::exp(-1.0), 1e-12);
  const ServerQueue sparse(0.001, 50.0, 1000, 1.0);
  EXPECT_NEAR(sparse.answered_within(0.02), 1.0 - std::exp(-1.0), 1e-9);
  // A thousand times more than it can do: it serves what it can, and nearly nobody in time.
  const ServerQueue flooded(1e5, 50.0, 2, 1.0);
  EXPECT_NEAR(1.0 - flooded.gives_up(), 100.0 / 1e5, 1e-6);
  EXPECT_LT(flooded.answered_within(1.0), 100.0 / 1e5);
  EXPECT_NEAR(flooded.utilisation(), 1.0, 1e-6);
}

TEST(ServerQueue, BothSidesOfFullLoadMeet) {
  const ServerQueue below(200.0 - 1e-7, 50.0, 4, 0.5);
  const ServerQueue at(200.0, 50.0, 4, 0.5);
  const ServerQueue above(200.0 + 1e-7, 50.0, 4, 0.5);
  for (const double t : {0.01, 0.1, 0.3, 0.5}) {
    EXPECT_NEAR(below.answered_within(t), at.answered_within(t), 1e-7) << t;
    EXPECT_NEAR(above.answered_within(t), at.answered_within(t), 1e-7) << t;
  }
  EXPECT_NEAR(below.gives_up(), above.gives_up(), 1e-7);
}

struct Seen {
  double gave_up = 0.0;
  std::vector<double> answered;
};

/// The queue event by event: who would wait for longer than the patience leaves at once, as nobody looks at him in the end.
Seen simulate(double arrivals, double service_rate, int workers, double patience, const std::vector<double>& within, std::uint64_t seed, int requests) {
  RandomStream random = Randomness(seed).stream("traffic-test", "queue");
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int i = 0; i < workers; ++i) free_at.push(0.0);
  Seen seen;
  seen.answered.assign(within.size(), 0.0);
  double now = 0.0;
  const int warm_up = requests / 10;
  for (int i = 0; i < requests + warm_up; ++i) {
    now += -std::log(1.0 - random.uniform()) / arrivals;
    const double start = std::max(now, free_at.top());
    if (start - now > patience) {
      if (i >= warm_up) seen.gave_up += 1.0;
      continue;
    }
    free_at.pop();
    const double end = start - std::log(1.0 - random.uniform()) / service_rate;
    free_at.push(end);
    if (i < warm_up) continue;
    for (std::size_t w = 0; w < within.size(); ++w) seen.answered[w] += end - now <= within[w] ? 1.0 : 0.0;
  }
  seen.gave_up /= requests;
  for (double& one : seen.answered) one /= requests;
  return seen;
}

TEST(ServerQueue, AgreesWithASimulationOfIt) {
  struct Case {
    double arrivals, service_rate;
    int workers;
    double patience;
  };
  for (const Case& c : {Case{80, 100, 1, 0.05}, Case{95, 10, 10, 0.5}, Case{150, 10, 10, 0.5}, Case{100, 10, 10, 0.3}, Case{300, 10, 10, 0.3}, Case{30, 10, 4, 1.0}}) {
    const std::vector<double> within = {0.1 * c.patience, 0.4 * c.patience, 0.8 * c.patience, c.patience};
    const Seen seen = simulate(c.arrivals, c.service_rate, c.workers, c.patience, within, 7, 400'000);
    const ServerQueue queue(c.arrivals, c.service_rate, c.workers, c.patience);
    // Waits of neighbours depend on each other: a wide margin of six standard deviations of independent ones, and some more.
    EXPECT_NEAR(queue.gives_up(), seen.gave_up, 0.006) << c.arrivals << " " << c.workers;
    for (std::size_t w = 0; w < within.size(); ++w) EXPECT_NEAR(queue.answered_within(within[w]), seen.answered[w], 0.008) << c.arrivals << " " << c.workers << " within " << within[w];
  }
}

}  // namespace
}  // namespace sim::traffic

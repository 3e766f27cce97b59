// Availabilities of many nines in whole scenarios: against the closed form, the same for any number of processes, and honest about what it cannot say.
#include "analysis/rare_events.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "analysis/markov.hpp"
#include "chaos/harness.hpp"
#include "sim/scenario/scenario.hpp"

namespace analysis {
namespace {

/// Three etcd members, one technician; mean time to failure in hours, repairs of one hour.
std::shared_ptr<const sim::scenario::ScenarioSpec> shop(const std::string& failure, const std::string& until = "90d") {
  const std::string text = "apiVersion: squall.dev/v1alpha1\nkind: Scenario\nrun: {until: " + until + ", warmUp: 1h}\n" + R"(
pools: {cp: {count: 3, controlPlane: true, cpu: 4, memory: 16Gi, boot: {median: 1s, sigma: 0}, kubeletStart: {median: 1s, sigma: 0}}}
failures:
  crews: {technician: {people: 1}}
  processes:
    machines: {class: node-crash, crew: technician, timeToFailure: )" + failure + R"(, repair: {law: exponential, mean: 1h}}
    feed: {class: given, fault: {kind: cordon, target: {pool: cp, count: 1}}, timeToFailure: {law: always, value: 80d}, repair: {law: always, value: 10m}, start: new}
)";
  sim::scenario::Diagnostics diagnostics;
  auto spec = sim::scenario::read_scenario_text("shop.yaml", text, {}, diagnostics);
  if (spec) chaos::check_scenario(*spec, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
  return spec;
}

RareEventOptions options_of(std::uint64_t seed, std::size_t replications) {
  RareEventOptions options;
  options.subject = "etcd";
  options.first_seed = seed;
  options.replications = replications;
  options.jobs = 2;
  return options;
}

TEST(RareEvents, AgreeWithTheMarkovChain) {
  const auto spec = shop("{law: exponential, mean: 500h}");
  ASSERT_NE(spec, nullptr);
  // 2.4e-5, an outage in five years. A run begins with all machines in order and counts from the first hour on: the chain is in equilibrium within a few hours.
  const double truth = 1.0 - k_of_n_availability(2, 3, 1.0 / 500.0, 1.0, 1);
  int covered = 0;
  constexpr int kTrials = 8;
  double half = 0.0;
  for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
    const RareEvents found = estimate_rare_events(*spec, options_of(1 + 1000 * trial, 24));
    ASSERT_EQ(found.error, "");
    EXPECT_TRUE(found.complete);
    EXPECT_EQ(found.unbiased, std::vector<std::string>{"feed"});
    EXPECT_GT(found.hits, 50u);
    EXPECT_GT(found.work_saved, 5.0);
    covered += found.unavailability.contains(truth) ? 1 : 0;
    half += found.unavailability.half_width() / truth / kTrials;
  }
  // Of 8 intervals of 95 % at least 6, but for one in 170; and they are narrow.
  EXPECT_GE(covered, 6);
  EXPECT_LT(half, 0.4);
}

TEST(RareEvents, TheSameForAnyNumberOfProcesses) {
  const auto spec = shop("{law: weibull, shape: 0.7, mean: 500h}", "30d");
  ASSERT_NE(spec, nullptr);
  RareEventOptions options = options_of(5, 5);
  options.jobs = 1;
  const std::string one = rare_events_json(estimate_rare_events(*spec, options), "shop");
  options.jobs = 4;
  EXPECT_EQ(one, rare_events_json(estimate_rare_events(*spec, options), "shop"));
  EXPECT_NE(one.find("\"trusted\": false"), std::string::npos);  // five replications
  EXPECT_NE(one.find("take 10 at least"), std::string::npos);
}

TEST(RareEvents, WhatCannotBeDoneIsSaid) {
  const auto spec = shop("{law: exponential, mean: 500h}");
  ASSERT_NE(spec, nullptr);
  RareEventOptions options = options_of(1, 2);
  options.subject = "etc";
  EXPECT_NE(estimate_rare_events(*spec, options).error.find("there is no 'etc' that has an availability (did you mean 'etcd'?)"), std::string::npos);
  options.subject = "etcd";
  options.processes = {"machine"};
  EXPECT_NE(estimate_rare_events(*spec, options).error.find("there is no failure process 'machine'"), std::string::npos);
  options.processes = {"feed"};
  EXPECT_NE(estimate_rare_events(*spec, options).error.find("no failure process can be biased"), std::string::npos);
  sim::scenario::Diagnostics diagnostics;
  const auto quiet = sim::scenario::read_scenario_text("quiet.yaml", "apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {cp: {count: 1, controlPlane: true}}\n", {}, diagnostics);
  EXPECT_NE(estimate_rare_events(*quiet, options_of(1, 2)).error.find("no section 'failures'"), std::string::npos);
}

TEST(RareEvents, AStopKeepsWhatIsThere) {
  const auto spec = shop("{law: exponential, mean: 500h}");
  ASSERT_NE(spec, nullptr);
  const std::atomic<bool> stop = true;
  RareEventOptions options = options_of(1, 4);
  options.stop = &stop;
  const RareEvents found = estimate_rare_events(*spec, options);
  EXPECT_FALSE(found.complete);
  EXPECT_FALSE(found.is_trusted);
}

}  // namespace
}  // namespace analysis

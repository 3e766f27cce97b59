// What becomes of requests: shares of endpoints, retries and what they do to the load.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/models/traffic/request_mix.hpp"

namespace sim::traffic {
namespace {

ClientGroup group_of(std::size_t serving, std::int64_t refusing = 0, std::int64_t silent = 0) {
  ClientGroup group;
  group.refusing = refusing;
  group.silent = silent;
  for (std::size_t i = 0; i < serving; ++i) group.backends.push_back(i);
  return group;
}
std::vector<double> even(std::size_t count) { return std::vector<double>(count, 1.0); }

TEST(RequestMix, DeadEndpointsTakeTheirShare) {
  // Reference kubernetes 5.2: with k of n endpoints dead k/n of new connections fail.
  const Demand quiet{.rate = 1.0, .service_time = 0.01, .workers = 100, .timeout = 1.0, .retries = 0};
  const RequestMix mix(quiet, {group_of(3, 1, 2)}, even(3), nullptr);
  EXPECT_NEAR(mix.success(), 0.5, 1e-9);
  EXPECT_NEAR(mix.failed(Failure::kRefused), 1.0 / 6.0, 1e-9);
  EXPECT_NEAR(mix.failed(Failure::kSilent), 2.0 / 6.0, 1e-9);
  EXPECT_NEAR(mix.success() + mix.failed(Failure::kRefused) + mix.failed(Failure::kSilent) + mix.failed(Failure::kOverload), 1.0, 1e-12);
}

TEST(RequestMix, RetriesSquareTheFailuresAndTakeTheirTime) {
  const Demand twice{.rate = 1.0, .service_time = 0.01, .workers = 100, .timeout = 1.0, .retries = 1};
  const RequestMix mix(twice, {group_of(3, 0, 1)}, even(3), nullptr);
  EXPECT_NEAR(mix.success(), 1.0 - 1.0 / 16.0, 1e-9);
  EXPECT_NEAR(mix.attempts(), 1.25, 1e-9);
  // Of the answered 12/16 + 3/16, the second group comes after a time-out: beyond 80 % they take more than a second.
  EXPECT_LT(mix.quantile(0.79), 0.1);
  EXPECT_GT(mix.quantile(0.81), 1.0);
  EXPECT_LT(mix.quantile(0.999), 1.2);
}

TEST(RequestMix, NothingThereIsRefusedAtOnceAndAClosedWayIsSilent) {
  const Demand demand{.rate = 10.0, .service_time = 0.01, .workers = 1, .timeout = 1.0, .retries = 2};
  const RequestMix none(demand, {group_of(0)}, {}, nullptr);
  EXPECT_EQ(none.success(), 0.0);
  EXPECT_EQ(none.failed(Failure::kNoEndpoints), 1.0);
  EXPECT_EQ(none.quantile(0.5), 0.0);
  EXPECT_NEAR(none.attempts(), 3.0, 1e-12);
  ClientGroup closed = group_of(2);
  closed.unserved = true;
  closed.share = 0.25;
  ClientGroup open = group_of(2);
  open.share = 0.75;
  const RequestMix part(demand, {open, closed}, even(2), nullptr);
  EXPECT_NEAR(part.failed(Failure::kSilent), 0.25, 1e-12);
  EXPECT_NEAR(part.success(), 0.75, 1e-6);
}

TEST(RequestMix, QuantilesAreThoseOfTheQueue) {
  const Demand demand{.rate = 160.0, .service_time = 0.01, .workers = 1, .timeout = 50.0, .retries = 0};
  const RequestMix mix(demand, {group_of(2)}, even(2), nullptr);  // two pods, each 80 of 100 a second
  EXPECT_NEAR(mix.quantile(0.5), std::log(2.0) / 20.0, 1e-6);
  EXPECT_NEAR(mix.quantile(0.99), std::log(100.0) / 20.0, 1e-6);
  EXPECT_NEAR(mix.utilisation(), 0.8, 1e-9);
}

TEST(RequestMix, ASlowPodIsSlowForItsShareOnly) {
  const Demand demand{.rate = 1.0, .service_time = 0.1, .workers = 10, .timeout = 100.0, .retries = 0};
  const RequestMix mix(demand, {group_of(2)}, {1.0, 10.0}, nullptr);
  EXPECT_NEAR(mix.answered_within(0.1), 0.5 * (1.0 - std::exp(-1.0)) + 0.5 * (1.0 - std::exp(-0.1)), 1e-6);
}

TEST(RequestMix, RetriesKeepAnOverloadUp) {
  // Three pods do 300 requests a second; 240 come. With one pod gone there are 240 for 200, and with four retries the two are flooded.
  Demand demand{.rate = 240.0, .service_time = 0.1, .workers = 10, .timeout = 0.5, .retries = 4};
  const RequestMix before(demand, {group_of(3)}, even(3), nullptr);
  EXPECT_GT(before.success(), 0.999);
  const RequestMix during(demand, {group_of(2)}, even(2), &before);
  EXPECT_LT(during.success(), 0.9);
  EXPECT_GT(during.attempts(), 2.0);
  // The third is back, and it goes on: the attempts alone are more than three can do.
  const RequestMix after(demand, {group_of(3)}, even(3), &during);
  EXPECT_LT(after.success(), 0.95);
  EXPECT_GT(after.failed(Failure::kOverload), 0.05);
  // Until somebody turns the load down for a while.
  Demand less = demand;
  less.rate = 60.0;
  const RequestMix shed(less, {group_of(3)}, even(3), &after);
  EXPECT_GT(shed.success(), 0.999);
  const RequestMix back(demand, {group_of(3)}, even(3), &shed);
  EXPECT_GT(back.success(), 0.999);
  // Without retries the same loss ends with its cause.
  demand.retries = 0;
  const RequestMix once(demand, {group_of(2)}, even(2), nullptr);
  const RequestMix again(demand, {group_of(3)}, even(3), &once);
  EXPECT_GT(again.success(), 0.98);
}

TEST(RequestMix, MoreLoadNeverHelps) {
  double last = 2.0;
  for (double rate = 10.0; rate < 2000.0; rate *= 1.3) {
    const Demand demand{.rate = rate, .service_time = 0.05, .workers = 4, .timeout = 0.4, .retries = 2};
    const RequestMix mix(demand, {group_of(3, 0, 1)}, even(3), nullptr);
    EXPECT_LE(mix.success(), last + 1e-9) << rate;
    EXPECT_NEAR(mix.answered_within(mix.longest()), mix.success(), 1e-7) << rate;
    last = mix.success();
  }
}

}  // namespace
}  // namespace sim::traffic

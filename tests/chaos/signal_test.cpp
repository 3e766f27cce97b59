#include "chaos/outages/signal.hpp"

#include <gtest/gtest.h>

#include "chaos/expectation.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

Signal signal_of(std::initializer_list<Signal::Step> steps) {
  Signal signal;
  for (const Signal::Step& step : steps) signal.set(step.at, step.value, step.cause);
  return signal;
}

const CauseId kA{1};
const CauseId kB{2};
const CauseId kC{3};

TEST(Signal, AnUnchangedValueIsNoStepAndTheLastOfAnInstantCounts) {
  const Signal signal = signal_of({{at(0s), 1, {}}, {at(10s), 1, kA}, {at(20s), 0, kA}, {at(20s), 1, kB}, {at(30s), 0, kC}});
  ASSERT_EQ(signal.steps().size(), 2u);
  EXPECT_EQ(signal.steps()[1].at, at(30s));
  EXPECT_EQ(signal.steps()[1].cause, kC);
}

TEST(Signal, SpansBelowAreMaximalAndClippedToTheWindow) {
  const Signal signal = signal_of({{at(0s), 1, {}}, {at(10s), 0.5, kA}, {at(20s), 0, kB}, {at(30s), 1, {}}, {at(50s), 0.9, kC}});
  std::vector<Span> spans = spans_below(signal, 1.0, at(0s), at(60s));
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].start, at(10s));
  EXPECT_EQ(spans[0].end, at(30s));
  EXPECT_EQ(spans[0].cause, kA);
  EXPECT_EQ(spans[0].lowest_cause, kB);
  EXPECT_DOUBLE_EQ(spans[0].lost, 0.5 * 10 + 1.0 * 10);
  EXPECT_EQ(spans[1].end, at(60s));  // still so at the end
  spans = spans_below(signal, 1.0, at(25s), at(55s));
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].start, at(25s));
  EXPECT_EQ(spans[0].cause, kB);  // the step before the window
  EXPECT_EQ(spans[1].length(), 5s);
}

TEST(Signal, AverageCountsOnlyWhereTheSignalExists) {
  const Signal signal = signal_of({{at(10s), 1, {}}, {at(30s), 0, kA}});
  EXPECT_DOUBLE_EQ(time_average(signal, at(0s), at(40s)).value(), 20.0 / 30.0);
  EXPECT_EQ(existing(signal, at(0s), at(40s)), 30s);
  EXPECT_FALSE(time_average(signal, at(0s), at(10s)).has_value());
  EXPECT_FALSE(time_average(Signal{}, at(0s), at(10s)).has_value());
}

TEST(Signal, ExtremesIgnoreWhatLastedNoTime) {
  Signal signal = signal_of({{at(0s), 3, {}}, {at(10s), 1, kA}});
  signal.set(at(10s), 2, kB);
  EXPECT_DOUBLE_EQ(minimum(signal, at(0s), at(20s))->value, 2.0);
  EXPECT_EQ(minimum(signal, at(0s), at(20s))->cause, kB);
  EXPECT_DOUBLE_EQ(maximum(signal, at(10s), at(20s))->value, 2.0);
  EXPECT_FALSE(minimum(signal, at(20s), at(20s)).has_value());
}

// 100 s at 99 % allow 1 s: of an outage of 2 s from 40 s on, the first second is free.
TEST(Measure, AvailabilityIsBrokenWhenTheAllowedLossIsUsedUp) {
  const Signal signal = signal_of({{at(0s), 1, {}}, {at(40s), 0, kA}, {at(42s), 1, kB}});
  const Measure broken = measure_availability(signal, 0.99, at(0s), at(100s));
  EXPECT_FALSE(broken.held);
  EXPECT_DOUBLE_EQ(broken.measured, 0.98);
  EXPECT_EQ(broken.first_violation, at(41s));
  EXPECT_NEAR(broken.excess, 0.01, 1e-12);
  EXPECT_EQ(broken.cause, kA);
  const Measure held = measure_availability(signal, 0.98, at(0s), at(100s));
  EXPECT_TRUE(held.held);
  EXPECT_FALSE(held.first_violation.has_value());
  EXPECT_FALSE(measure_availability(Signal{}, 0.5, at(0s), at(100s)).held);
}

TEST(Measure, LongestIsBrokenWhenTheBoundHasPassed) {
  const Signal signal = signal_of({{at(0s), 1, {}}, {at(10s), 0, kA}, {at(15s), 1, {}}, {at(20s), 0, kB}, {at(40s), 1, {}}});
  const Measure broken = measure_longest("longestOutage", signal, 1.0, 10s, at(0s), at(100s));
  EXPECT_FALSE(broken.held);
  EXPECT_DOUBLE_EQ(broken.measured, 20.0);
  EXPECT_EQ(broken.first_violation, at(30s));
  EXPECT_EQ(broken.cause, kB);
  EXPECT_TRUE(measure_longest("longestOutage", signal, 1.0, 20s, at(0s), at(100s)).held);
  // Of an outage that goes on, the part in the window counts.
  EXPECT_DOUBLE_EQ(measure_longest("longestOutage", signal, 1.0, 20s, at(0s), at(25s)).measured, 5.0);
}

TEST(Measure, LowestAndHighest) {
  const Signal signal = signal_of({{at(0s), 3, {}}, {at(10s), 1, kA}, {at(20s), 5, kB}});
  const Measure low = measure_lowest("minServing", signal, 2, at(0s), at(30s));
  EXPECT_FALSE(low.held);
  EXPECT_EQ(low.first_violation, at(10s));
  EXPECT_EQ(low.cause, kA);
  EXPECT_DOUBLE_EQ(low.excess, 1.0);
  EXPECT_TRUE(measure_lowest("minServing", signal, 1, at(0s), at(30s)).held);
  const Measure high = measure_highest("atMost", signal, 4, at(0s), at(30s));
  EXPECT_FALSE(high.held);
  EXPECT_EQ(high.first_violation, at(20s));
  EXPECT_TRUE(measure_highest("atMost", signal, 5, at(0s), at(30s)).held);
  EXPECT_FALSE(measure_lowest("minServing", Signal{}, 1, at(0s), at(30s)).held);
}

struct FigureCase {
  Unit unit;
  double value;
  const char* text;
};
TEST(Measure, FiguresForPeople) {
  const FigureCase cases[] = {
      {Unit::kRatio, 1.0, "100.00 %"}, {Unit::kRatio, 0.9995, "99.95 %"},     {Unit::kRatio, 0.99999, "99.999 %"},
      {Unit::kRatio, 0.0, "0.00 %"},   {Unit::kRatio, 0.999999, "99.9999 %"}, {Unit::kCount, 3.0, "3"},
  };
  for (const FigureCase& c : cases) EXPECT_EQ(format_figure(c.unit, c.value), c.text);
}

}  // namespace
}  // namespace chaos

// PromQL by hand-worked examples, in the format of Prometheus' own tests; and what is refused, by name and place.
#include <gtest/gtest.h>

#include "tests/models/monitoring/promql_script.hpp"

namespace {

TEST(PromQL, WorkedExamples) {
  const promql_script::Outcome outcome = promql_script::Runner().run(R"(
load 1m
  up{job="a", instance="1"} 1x10
  up{job="a", instance="2"} 1 1 1 0 0 0 1
  errors_total{job="a", code="500"} 0+6x10
  errors_total{job="a", code="404"} 0+6x4 6+6x4
  level{host="h1"} 3 1 4 1 5 9 2 6 5 3 5

# A sample of exactly five minutes ago is too old; one that is younger is not.
eval instant at 6m up{instance="2"}
  up{job="a", instance="2"} 1

eval instant at 11m up{instance="2"}

# Comparison filters, and keeps the name; with bool it maps.
eval instant at 4m up == 0
  up{job="a", instance="2"} 0

eval instant at 4m up == bool 0
  {job="a", instance="1"} 0
  {job="a", instance="2"} 1

# TargetDown's arithmetic: one of two.
eval instant at 4m 100 * (count(up == 0) BY (job) / count(up) BY (job))
  {job="a"} 50

# 6 a minute is 0.1 a second; a reset in between costs nothing.
eval instant at 10m rate(errors_total{code="500"}[5m])
  {job="a", code="500"} 0.1

eval instant at 9m increase(errors_total{code="404"}[4m])
  {job="a", code="404"} 24

eval instant at 10m max_over_time(level[3m])
  {host="h1"} 5

eval instant at 10m changes(up{instance="2"}[11m])
  {job="a", instance="2"} 2

eval instant at 4m absent(up{job="b", instance=~".+"})
  {job="b"} 1

eval instant at 4m absent(up{job="a"})

eval instant at 4m level * on () group_left () vector(2)
  {host="h1"} 10

eval instant at 4m label_replace(level, "node", "$1-x", "host", "(.*)1")
  level{host="h1", node="h-x"} 5

eval instant at 4m topk(1, up)
  up{job="a", instance="1"} 1

eval instant at 5m max_over_time((up == 0)[3m:1m])
  {job="a", instance="2"} 0

eval instant at 4m 2 ^ 3 ^ 2 + -2 ^ 2
  508

eval instant at 90m time() - 5400
  0

eval instant at 4m up * on (job) level
)");
  EXPECT_TRUE(outcome.failures.empty()) << fmt::format("{}", fmt::join(outcome.failures, "\n"));
  EXPECT_EQ(outcome.unsupported, 0);
  EXPECT_EQ(outcome.held, 18);
}

struct RefusedCase {
  const char* expression;
  std::size_t offset;
  const char* says;
  bool unsupported;
};
const RefusedCase kRefused[] = {
    {"rate(up[5m]", 11, "unexpected end of input in function call", false},
    {"rat(up[5m])", 0, "unknown function with name \"rat\"", false},
    {"rate(up)", 5, "expected type range vector in call to function \"rate\", got instant vector", false},
    {"up{job='a", 7, "unterminated quoted string", false},
    {"1 == 2", 2, "comparisons between scalars must use BOOL modifier", false},
    {"{job=\"\"}", 0, "vector selector must contain at least one non-empty matcher", false},
    {"sum(up) by job", 11, "unexpected \"job\" in grouping opts, expected \"(\"", false},
    {"histogram_avg(x)", 0, "the function histogram_avg is not supported", true},
    {"up and\n limitk(3, up)", 8, "the aggregation limitk is not supported", true},
    {"up[5m] smoothed", 7, "the modifier smoothed is not supported", true},
};
TEST(PromQL, SaysWhereAndWhatIsWrong) {
  for (const RefusedCase& c : kRefused) {
    SCOPED_TRACE(c.expression);
    std::uint32_t ids = 0;
    const sim::promql::Parsed parsed = sim::promql::parse(c.expression, ids);
    ASSERT_FALSE(parsed.expr);
    EXPECT_EQ(parsed.error.offset, c.offset);
    EXPECT_EQ(parsed.error.message.substr(0, std::string_view(c.says).size()), c.says);
    EXPECT_EQ(parsed.error.unsupported, c.unsupported);
  }
  std::uint32_t ids = 0;
  EXPECT_EQ(sim::promql::parse("incraese(up[5m])", ids).error.suggestion, "increase");
}

TEST(PromQL, Durations) {
  EXPECT_EQ(sim::promql::parse_duration("1h30m"), 5'400'000);
  EXPECT_EQ(sim::promql::parse_duration("1d"), 86'400'000);
  EXPECT_EQ(sim::promql::parse_duration("100ms"), 100);
  EXPECT_FALSE(sim::promql::parse_duration("30m1h"));
  EXPECT_FALSE(sim::promql::parse_duration("1.5h"));
  EXPECT_FALSE(sim::promql::parse_duration("5"));
}

TEST(PromQL, KnowsWhenTimeAloneTurnsAComparison) {
  sim::promql::LabelTable labels;
  promql_script::Samples samples(labels);
  samples.series(labels.intern({{"__name__", "started"}})).push_back({1000, 100.0, false});
  std::uint32_t ids = 0;
  sim::promql::Evaluator evaluator(labels, samples, 60'000);
  // 100 s after the epoch it began; at 1 s the difference is -99 s, and it is 43200 s when the clock says 43300 s.
  const auto parsed = sim::promql::parse("time() - started > 43200", ids);
  const sim::promql::Result result = evaluator.evaluate(*parsed.expr, 1000);
  EXPECT_TRUE(result.vector.empty());
  EXPECT_NEAR(static_cast<double>(result.moves_at), 43'300'000.0, 2.0);
  // Nothing moves what time() is compared with nothing.
  EXPECT_EQ(evaluator.evaluate(*sim::promql::parse("time() - nothing > 43200", ids).expr, 1000).moves_at, sim::promql::kNever);
}

}  // namespace

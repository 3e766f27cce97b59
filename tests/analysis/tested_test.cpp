// What is kept of tested scenarios: added over seeds, and through a line of text unchanged.
#include "analysis/tested.hpp"

#include <gtest/gtest.h>

#include <string>

#include "analysis/junit.hpp"
#include "analysis/survival.hpp"

namespace analysis {
namespace {

chaos::Verdict verdict(std::uint64_t seed, bool first, bool second) {
  chaos::Verdict made;
  made.seed = seed;
  for (const bool held : {first, second}) {
    chaos::ExpectationResult one;
    one.name = made.expectations.empty() ? "up" : "fast & \"quick\"";
    one.kind = "service";
    one.held = held;
    if (!held) {
      chaos::Measure measure;
      measure.name = "availability";
      measure.held = false;
      one.measures.push_back(measure);
    }
    made.expectations.push_back(one);
    made.held = made.held && held;
  }
  return made;
}

TEST(Tested, SeedsAddUp) {
  TestedScenario all;
  all.file = "a.yaml";
  for (const auto& [seed, first, second] : {std::tuple{7u, true, true}, std::tuple{8u, true, false}, std::tuple{9u, true, false}}) {
    TestedScenario one;
    one.file = "a.yaml";
    one.seed = seed;
    one.wall_seconds = 0.25;
    add_verdict(one, verdict(seed, first, second));
    add_runs(all, one);
  }
  EXPECT_EQ(all.seed, 7u);
  EXPECT_EQ(all.runs, 3u);
  EXPECT_EQ(all.held, 1u);
  EXPECT_FALSE(all.passed());
  EXPECT_DOUBLE_EQ(all.wall_seconds, 0.75);
  ASSERT_EQ(all.expectations.size(), 2u);
  EXPECT_TRUE(all.expectations[0].holds());
  EXPECT_EQ(all.expectations[1].held, 1u);
  EXPECT_EQ(all.expectations[1].violation_seed, 8u);
  EXPECT_TRUE(violation_text(all.expectations[1]).starts_with("in 2 of 3 runs, first with seed 8: availability"));
  const std::string xml = junit_xml({all});
  EXPECT_NE(xml.find("failures=\"1\""), std::string::npos) << xml;
  EXPECT_NE(xml.find("first with seed 8"), std::string::npos) << xml;

  // Another seed that could not be run makes the whole an error.
  TestedScenario stopped;
  stopped.error = "interrupted";
  add_runs(all, stopped);
  EXPECT_EQ(all.error, "interrupted");
  EXPECT_EQ(all.runs, 3u);
}

TEST(Tested, LinesAreReadAsTheyWere) {
  TestedScenario one;
  one.file = "s/\xc3\xa4.yaml";
  one.name = "a \"b\"\n\tc";
  one.seed = 18'446'744'073'709'551'615u;
  one.wall_seconds = 0.1 + 0.2;
  add_verdict(one, verdict(3, false, true));
  one.has_golden_log = true;
  one.golden_difference = "the runs part\n  here\n";
  one.cannot_write = "no";
  const std::string line = tested_line(one);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  TestedScenario read;
  ASSERT_TRUE(read_tested_line(line, read));
  EXPECT_EQ(read, one);
  for (const std::string& wrong : {std::string(), std::string("[]"), std::string("{}"), line.substr(0, line.size() - 1), std::string("{\"tested\":\"a\"}")}) {
    EXPECT_FALSE(read_tested_line(wrong, read)) << wrong;
  }
}

TEST(Tested, LossesOfSurviveAreReadAsTheyWere) {
  SimulatedLoss loss;
  loss.back = {sim::SimDuration(123), kNeverBack};
  loss.paused = {1, 2};
  loss.stopped = {3, 4};
  loss.lost = {5, 4'294'967'295u};
  loss.quorum = false;
  SimulatedLoss read;
  ASSERT_TRUE(read_loss_line(loss_line(loss), 2, read));
  EXPECT_EQ(read, loss);
  EXPECT_FALSE(read_loss_line(loss_line(loss), 1, read));
  EXPECT_FALSE(read_loss_line(loss_line(loss), 3, read));
  EXPECT_FALSE(read_loss_line("", 0, read));
}

}  // namespace
}  // namespace analysis

// The section `failures:`: what is read, and what is told of wrong input.
#include "sim/scenario/failures.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

std::string with(const std::string& failures) {
  return "apiVersion: squall.dev/v1alpha1\nkind: Scenario\npools: {cp: {count: 1, controlPlane: true}, workers: {count: 3}}\nfailures:\n" + failures;
}
std::string errors_of(const std::string& failures, const std::string& name = "s.yaml") {
  Diagnostics diagnostics;
  read_scenario_text(name, with(failures), {}, diagnostics);
  return diagnostics.format();
}

struct WrongCase {
  std::string name;
  std::string text;
  std::vector<std::string> wants;
};

TEST(FailuresSection, WrongInputIsTold) {
  const WrongCase cases[] = {
      {"no such class", "  processes: {a: {class: node-crsh}}", {"s.yaml:5:26", "did you mean 'node-crash'?"}},
      {"no class", "  processes: {a: {}}", {"class"}},
      {"law lacks a key", "  processes: {a: {class: node-crash, timeToFailure: {law: weibull, mean: 30d}}}", {"the law 'weibull' needs 'shape'"}},
      {"law has a key too many", "  processes: {a: {class: node-crash, timeToFailure: {law: exponential, mean: 30d, sigma: 2}}}", {"the law 'exponential' has no 'sigma'"}},
      {"mean and scale", "  processes: {a: {class: node-crash, timeToFailure: {law: weibull, shape: 0.7, mean: 30d, scale: 20d}}}", {"either 'mean' or 'scale'"}},
      {"mean of nothing", "  processes: {a: {class: node-crash, timeToFailure: {law: exponential, mean: 0s}}}", {"'mean' must be longer than 0s"}},
      {"uniform backwards", "  processes: {a: {class: node-crash, repair: {law: uniform, low: 2h, high: 1h}}}", {"'high' must be above 'low'"}},
      {"mixture of nothing", "  processes: {a: {class: node-crash, repair: {law: mixture, of: []}}}", {"a mixture of nothing"}},
      {"fails all the time", "  processes: {a: {class: node-crash, timeToFailure: {law: always, value: 0s}}}", {"it would fail all the time"}},
      {"no rate of its own", "  processes: {a: {class: pods, selector: {app: web}}}", {"give 'timeToFailure'"}},
      {"selector where none belongs", "  processes: {a: {class: node-crash, selector: {app: web}}}", {"class 'node-crash' has no 'selector'"}},
      {"pods without a selector", "  processes: {a: {class: pods, timeToFailure: {law: exponential, mean: 1d}}}", {"class 'pods' needs 'selector'"}},
      {"given without a fault", "  processes: {a: {class: given, timeToFailure: {law: exponential, mean: 1d}, repair: {law: always, value: 1h}}}", {"class 'given' needs 'fault'"}},
      {"no such crew", "  crews: {techs: {people: 2}}\n  processes: {a: {class: node-crash, crew: tech}}", {"there is no crew 'tech'", "did you mean 'techs'?"}},
      {"no such spare", "  processes: {a: {class: node-crash, spare: boards}}", {"there is no spare 'boards'"}},
      {"common cause of a lognormal life", "  processes: {a: {class: node-crash, commonCause: {}, timeToFailure: {law: lognormal, median: 30d, sigma: 1}}}", {"'exponential' and 'weibull' only"}},
      {"share of all", "  processes: {a: {class: node-crash, commonCause: {share: 100%}}}", {"below 100 %"}},
      {"bathtub without an age", "  processes: {a: {class: node-crash, bathtub: {}}}", {"no stationary age"}},
      {"bathtub backwards", "  processes: {a: {class: node-crash, start: new, bathtub: {earlyUntil: 30d, lateFrom: 20d}}}", {"'lateFrom' must be after 'earlyUntil'"}},
      {"age and new", "  processes: {a: {class: node-crash, start: new, age: 3d}}", {"not both"}},
      {"too old", "  processes: {a: {class: node-crash, age: 3d, timeToFailure: {law: always, value: 2d}}}", {"nothing lasts as long as its age of 3d"}},
      {"no such day", "  crews: {a: {days: [mon, tuesday]}}", {"there is no day 'tuesday'"}},
      {"no such hour", "  crews: {a: {from: \"8:00\", to: \"17:00\"}}", {"'8:00' is no time of day"}},
      {"hours without an end", "  crews: {a: {from: \"08:00\"}}", {"both 'from' and 'to'"}},
      {"night shift", "  crews: {a: {from: \"22:00\", to: \"06:00\"}}", {"a night shift is a second crew"}},
      {"no schedule", "  maintenance: {a: {schedule: \"never\"}}", {"is no schedule"}},
      {"a day that never comes", "  maintenance: {a: {schedule: \"0 0 31 2 *\"}}", {"never comes"}},
      {"no such week", "  maintenance: {a: {schedule: \"0 2 * * 2\", weeks: [6]}}", {"weeks 1 to 5, not 6"}},
      {"no span of days", "  maintenance: {a: {schedule: \"0 2 * * 2\", blackouts: [\"2026-13-01\"]}}", {"is no span of days"}},
      {"work that is not its own", "  maintenance: {a: {schedule: \"0 2 * * 2\", work: {at: 3h}}}", {"'at' does not belong into 'work'"}},
      {"no such file", "  traces: {a: {file: nowhere.csv}}", {"'nowhere.csv' cannot be read"}},
      {"Parquet", "  traces: {a: {file: x.parquet}}", {"Parquet", "CSV"}},
      {"both values and file", "  processes: {a: {class: node-crash, repair: {law: empirical, values: [1h], file: x.csv, column: y}}}", {"either 'values' or 'file'"}},
      {"file without a column", "  processes: {a: {class: node-crash, repair: {law: empirical, file: x.csv}}}", {"'file' needs 'column'"}},
  };
  for (const WrongCase& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string told = errors_of(c.text + "\n");
    for (const std::string& want : c.wants) EXPECT_NE(told.find(want), std::string::npos) << want << "\n" << told;
  }
}

TEST(FailuresSection, TracesAreReadAsTheyAre) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "squall-failures-section";
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(folder / name) << text; };
  write("good.csv", "failure_interval,failure_duration,failure_intensity\r\n17000000,13600000,0.0075\r\n0,1000,1\r\n");
  Diagnostics diagnostics;
  const auto spec = read_scenario_text((folder / "s.yaml").string(), with("  traces: {a: {file: good.csv}}\n  processes: {b: {class: node-crash, repair: {law: empirical, file: good.csv, column: failure_duration, unit: ms}}}\n"), {}, diagnostics);
  ASSERT_NE(spec, nullptr) << diagnostics.format();
  const std::vector<FailureTraceSpec::Row>& rows = spec->failures->traces[0].rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_DOUBLE_EQ(rows[0].interval, 17000.0);
  EXPECT_DOUBLE_EQ(rows[0].duration, 13600.0);
  EXPECT_DOUBLE_EQ(rows[0].intensity, 0.0075);
  EXPECT_DOUBLE_EQ(spec->failures->processes[0].repair_law.mean(), 6800.5);

  const auto told = [&](const std::string& text) {
    write("bad.csv", text);
    return errors_of("  traces: {a: {file: bad.csv}}\n", (folder / "s.yaml").string());
  };
  EXPECT_NE(told("failure_interval,failure_duration\n1,2\n").find("bad.csv:1:1"), std::string::npos);
  EXPECT_NE(told("failure_interval,failure_duration,failure_intensity\n1,2\n").find("2 values, and 3 columns"), std::string::npos);
  EXPECT_NE(told("failure_interval,failure_duration,failure_intensity\n1,x,0.5\n").find("bad.csv:2:3"), std::string::npos);
  EXPECT_NE(told("failure_interval,failure_duration,failure_intensity\n1,-2,0.5\n").find("'-2' is no value"), std::string::npos);
  EXPECT_NE(told("failure_interval,failure_duration,failure_intensity\n1,2,1.5\n").find("is no share"), std::string::npos);
  EXPECT_NE(told("failure_interval,failure_duration,failure_intensity\n").find("has no line of values"), std::string::npos);
  EXPECT_NE(told("").find("there is no column"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(FailuresSection, WorkRestsOutsideOfTheHours) {
  CrewSpec crew;
  crew.days = {"mon", "tue", "wed", "thu", "fri"};
  crew.from = "08:00";
  crew.to = "17:00";
  const WorkingHours hours(crew);
  constexpr double kHour = 3600.0;
  const double thursday = 1'767'225'600.0;  // 2026-01-01
  // Thursday 16:00, three hours of work: one today, two on Friday.
  EXPECT_EQ(hours.done(thursday + 16 * kHour, 3 * kHour), thursday + 34 * kHour);
  // Friday 17:00, no time at all: Monday 08:00.
  EXPECT_EQ(hours.done(thursday + 41 * kHour + 1.0, 0.0), thursday + 104 * kHour);
  // Saturday, ten hours: nine on Monday, one on Tuesday.
  EXPECT_EQ(hours.done(thursday + 50 * kHour, 10 * kHour), thursday + 129 * kHour);
  EXPECT_EQ(WorkingHours(CrewSpec{}).done(5.0, 100.0), 105.0);
}

TEST(FailuresSection, EveryClassHasItsRates) {
  for (const FailureClass& klass : failure_classes()) {
    SCOPED_TRACE(klass.name);
    EXPECT_FALSE(klass.what.empty());
    if (klass.of == FailureClass::Of::kGiven || klass.name == "region" || klass.name == "pods") continue;
    ASSERT_TRUE(klass.time_to_failure && klass.repair);
    EXPECT_GT(klass.time_to_failure->mean(), 180.0 * 86'400.0);
    EXPECT_LT(klass.repair->mean(), 10.0 * 86'400.0);
  }
}

}  // namespace
}  // namespace sim::scenario

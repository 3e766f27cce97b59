#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <chrono>

#include "sim/models/kubernetes/controllers/cron_schedule.hpp"

namespace sim::k8s {
namespace {

std::int64_t at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  const std::chrono::sys_days date{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}};
  return date.time_since_epoch().count() * 86'400ll + hour * 3600 + minute * 60 + second;
}

CronSchedule parsed(std::string_view text) {
  std::string error;
  const std::optional<CronSchedule> schedule = CronSchedule::parse(text, error);
  EXPECT_TRUE(schedule) << text << ": " << error;
  return schedule.value_or(CronSchedule{});
}

TEST(CronSchedule, TheDefaultStartIsTheFirstOf2026) { EXPECT_EQ(kDefaultStartUnixSeconds, at(2026, 1, 1)); }

struct NextCase {
  std::string_view schedule;
  std::int64_t from;
  std::int64_t want;
};

// 2026-01-01 is a Thursday.
TEST(CronSchedule, Next) {
  const std::vector<NextCase> cases = {
      {"* * * * *", at(2026, 1, 1, 12, 0, 0), at(2026, 1, 1, 12, 1)},
      {"* * * * *", at(2026, 1, 1, 12, 0, 59), at(2026, 1, 1, 12, 1)},
      {"*/15 * * * *", at(2026, 1, 1, 12, 46), at(2026, 1, 1, 13, 0)},
      {"5/20 * * * *", at(2026, 1, 1, 12, 26), at(2026, 1, 1, 12, 45)},
      {"10-30/10 * * * *", at(2026, 1, 1, 12, 30), at(2026, 1, 1, 13, 10)},
      {"0 3 * * *", at(2026, 1, 1, 3, 0), at(2026, 1, 2, 3, 0)},
      {"30 2 1,15 * *", at(2026, 1, 1, 2, 30), at(2026, 1, 15, 2, 30)},
      {"0 0 * * MON", at(2026, 1, 1), at(2026, 1, 5)},
      {"0 0 * * mon-fri", at(2026, 1, 2), at(2026, 1, 5)},
      {"0 0 * jun *", at(2026, 1, 2), at(2026, 6, 1)},
      // Both given: either is enough.
      {"0 0 13 * 5", at(2026, 1, 2), at(2026, 1, 9)},
      {"0 0 13 * 5", at(2026, 1, 9), at(2026, 1, 13)},
      // With a star both must match; a stepped star is no star.
      {"0 0 */2 * 5", at(2026, 1, 1), at(2026, 1, 2)},
      {"0 0 ? * 5", at(2026, 1, 1), at(2026, 1, 2)},
      {"0 0 29 2 *", at(2026, 1, 1), at(2028, 2, 29)},
      {"@hourly", at(2026, 1, 1, 5, 59, 59), at(2026, 1, 1, 6)},
      {"@daily", at(2026, 1, 1), at(2026, 1, 2)},
      {"@weekly", at(2026, 1, 1), at(2026, 1, 4)},
      {"@monthly", at(2026, 1, 1), at(2026, 2, 1)},
      {"@yearly", at(2026, 1, 1), at(2027, 1, 1)},
      {"@every 90s", at(2026, 1, 1, 0, 0, 7), at(2026, 1, 1, 0, 1, 37)},
      {"@every 10ms", at(2026, 1, 1), at(2026, 1, 1, 0, 0, 1)},
  };
  for (const NextCase& c : cases) {
    SCOPED_TRACE(c.schedule);
    EXPECT_EQ(parsed(c.schedule).next(c.from), c.want);
  }
  EXPECT_EQ(parsed("0 0 31 2 *").next(at(2026, 1, 1)), std::nullopt);
}

// Property: the next time is the first minute after `from` that the fields allow, found by trying every one.
TEST(CronSchedule, NextIsTheFirstMinuteThatMatches) {
  const CronSchedule schedule = parsed("7,38 1-23/5 * * 1-3");
  std::int64_t from = at(2026, 1, 1);
  for (int i = 0; i < 50; ++i) {
    const std::optional<std::int64_t> next = schedule.next(from);
    ASSERT_TRUE(next);
    std::int64_t tried = from - from % 60 + 60;
    for (;; tried += 60) {
      const std::int64_t minute = tried / 60 % 60;
      const std::int64_t hour = tried / 3600 % 24;
      const std::int64_t weekday = (tried / 86'400 + 4) % 7;  // 1970-01-01 was a Thursday
      if ((minute == 7 || minute == 38) && hour % 5 == 1 && weekday >= 1 && weekday <= 3) break;
    }
    ASSERT_EQ(*next, tried);
    from = *next;
  }
}

TEST(CronSchedule, Refusals) {
  struct Case {
    std::string_view schedule;
    std::string_view error;
  };
  for (const Case& c : std::vector<Case>{{"", "expected exactly 5 fields, found 0"},
                                         {"* * * *", "expected exactly 5 fields, found 4"},
                                         {"* * * * * *", "expected exactly 5 fields, found 6"},
                                         {"60 * * * *", "minute: '60' is above 59"},
                                         {"* 24 * * *", "hour: '24' is above 23"},
                                         {"* * 0 * *", "day of month: '0' is below 1"},
                                         {"* * * 13 *", "month: '13' is above 12"},
                                         {"* * * * 7", "day of week: '7' is above 6"},
                                         {"5-1 * * * *", "minute: '5-1' begins after its end"},
                                         {"*/0 * * * *", "minute: '*/0' has a step of 0"},
                                         {"1,,2 * * * *", "minute: an empty value in '1,,2'"},
                                         {"1/2/3 * * * *", "minute: '1/2/3' has more than one '/'"},
                                         {"1-2-3 * * * *", "minute: '1-2-3' has more than one '-'"},
                                         {"* * * foo *", "month: 'foo' is neither a number nor a name"},
                                         {"@reboot", "unrecognized descriptor: @reboot"},
                                         {"@every soon", "'@every soon' has no duration"},
                                         {"TZ=UTC * * * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"}}) {
    SCOPED_TRACE(c.schedule);
    EXPECT_EQ(check_cron_schedule(c.schedule), std::optional<std::string>(c.error));
  }
  EXPECT_EQ(check_cron_schedule("*/5 * * * *"), std::nullopt);
}

TEST(CronSchedule, TimeZones) {
  EXPECT_EQ(check_cron_time_zone("Etc/UTC"), std::nullopt);
  EXPECT_EQ(check_cron_time_zone("Europe/Berlin"), std::nullopt);
  EXPECT_EQ(check_cron_time_zone(""), "timeZone must be nil or non-empty string");
  EXPECT_EQ(check_cron_time_zone("LOCAL"), "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
  EXPECT_EQ(check_cron_time_zone("Europe/Bonn"), "unknown time zone Europe/Bonn");
}

// tests/data/time_zones/schedules.txt was written by robfig/cron v3.0.1 with Go 1.26 (tools/time_zones/golden): schedules around clock changes.
TEST(CronSchedule, AgreesWithRobfigCronAroundClockChanges) {
  std::ifstream file(SQUALL_SOURCE_DIR "/tests/data/time_zones/schedules.txt");
  const auto instant = [](const std::string& text) {
    int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
    EXPECT_EQ(std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%dZ", &y, &mo, &d, &h, &mi, &s), 6) << text;
    return at(y, mo, d, h, mi, s);
  };
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    SCOPED_TRACE(line);
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find(" | ", begin), line.size());
      parts.push_back(line.substr(begin, end - begin));
      begin = end + 3;
    }
    ASSERT_EQ(parts.size(), 4u);
    CronSchedule schedule = parsed(parts[1]);
    schedule.set_zone(TimeZone::find(parts[0]));
    std::int64_t t = instant(parts[2]);
    std::istringstream wants(parts[3]);
    for (std::string want; wants >> want;) {
      const std::optional<std::int64_t> next = schedule.next(t);
      ASSERT_TRUE(next);
      EXPECT_EQ(*next, instant(want)) << want;
      t = *next;
    }
    ++count;
  }
  EXPECT_EQ(count, 462);
}

TEST(CronSchedule, ADayThatAZoneLeftOutEndsTheSearch) {
  CronSchedule schedule = parsed("0 3 * * 0");
  schedule.set_zone(TimeZone::find("Pacific/Apia"));
  EXPECT_EQ(schedule.next(at(2011, 12, 29, 20)), std::nullopt);
}

// Reference: */5, controller away 12:01 to 12:31: only the 12:30 run; with a deadline of 60 s nothing at 12:31:05.
TEST(CronSchedule, MissedRuns) {
  const CronSchedule schedule = parsed("*/5 * * * *");
  const MissedRuns missed = missed_runs(schedule, at(2026, 1, 1, 12, 0), at(2026, 1, 1, 12, 31));
  EXPECT_EQ(missed.most_recent, at(2026, 1, 1, 12, 30));
  EXPECT_EQ(missed.count, 6);
  EXPECT_EQ(missed_runs(schedule, at(2026, 1, 1, 12, 30, 5), at(2026, 1, 1, 12, 31, 5)).most_recent, std::nullopt);
  EXPECT_EQ(missed_runs(schedule, at(2026, 1, 1, 12, 0), at(2026, 1, 1, 12, 5)).most_recent, at(2026, 1, 1, 12, 5));
}

TEST(CronSchedule, MissedRunsOfAnIrregularSchedule) {
  const CronSchedule schedule = parsed("0,1 0 * * *");
  const MissedRuns missed = missed_runs(schedule, at(2026, 1, 1), at(2026, 1, 3, 12));
  EXPECT_EQ(missed.most_recent, at(2026, 1, 3, 0, 1));
}

}  // namespace
}  // namespace sim::k8s

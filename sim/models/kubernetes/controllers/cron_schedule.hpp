/// Schedules of CronJobs: parsing, the next time, and which run is due.
///
/// Source: github.com/robfig/cron v3 (standard parser: 5 fields, descriptors, @every), pkg/controller/cronjob/utils.go (reference chapter 2.6).
/// A time that a clock change leaves out, or gives twice, is met as robfig/cron meets it with Go's time: see core/time_zone.hpp.
/// Leaves out: TZ= and CRON_TZ= in the schedule (the API refuses them as well).
/// Differs:    where a zone left out a whole day (Pacific/Apia, 2011-12-30) robfig/cron v3 can search for ever; here there is no next time.
/// Checked by: tests/models/kubernetes/controllers/cron_schedule_test.cpp.
///
/// Times are seconds since 1970 UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/core/time_zone.hpp"

namespace sim::k8s {

/// 2026-01-01T00:00:00Z: when a run begins, unless the scenario says otherwise.
inline constexpr std::int64_t kDefaultStartUnixSeconds = 1'767'225'600;

class CronSchedule {
 public:
  /// Empty when the text is no schedule; then `error` says why.
  static std::optional<CronSchedule> parse(std::string_view text, std::string& error);

  /// The zone whose local time the fields are about; UTC when never called. The zone outlives every use.
  void set_zone(const TimeZone* zone) { zone_ = zone; }

  /// The first time after `unix_seconds`; empty when there is none within five years.
  std::optional<std::int64_t> next(std::int64_t unix_seconds) const;

 private:
  std::optional<std::int64_t> next_in_zone(std::int64_t unix_seconds) const;
  bool day_matches(unsigned day, unsigned weekday) const;

  const TimeZone* zone_ = nullptr;
  std::uint64_t minutes_ = 0;  // one bit a value
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0;
  bool any_day_ = false;      // the field says "*" or "?": the other one of day and weekday decides alone
  bool any_weekday_ = false;
  std::int64_t every_ = 0;    // seconds; > 0 for @every
};

struct MissedRuns {
  std::optional<std::int64_t> most_recent;  ///< the latest time after `earliest` and not after `now`
  std::int64_t count = 0;                   ///< how many there were, estimated as Kubernetes does
  bool is_impossible = false;               ///< the schedule has no two times: a day that no month has
};
/// Above 100 missed runs Kubernetes warns (TooManyMissedTimes), and starts the latest all the same.
inline constexpr std::int64_t kTooManyMissedRuns = 100;
MissedRuns missed_runs(const CronSchedule& schedule, std::int64_t earliest, std::int64_t now);

/// What is wrong with a CronJob's spec.schedule or spec.timeZone; empty when nothing is. In the words of the API server.
std::optional<std::string> check_cron_schedule(std::string_view schedule);
std::optional<std::string> check_cron_time_zone(std::string_view zone);

}  // namespace sim::k8s

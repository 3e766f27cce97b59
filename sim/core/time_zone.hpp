/// Time zones of the tz database (IANA), compiled in, so that a run does not depend on what its machine has installed.
///
/// Source: Go's time package (time.Date, Location.lookup, tzset), whose treatment of local times that a clock change leaves out or gives twice is what
///         Kubernetes' schedules follow: a time that is left out is moved by the size of the change, of two equal ones it is one of the two.
/// Leaves out: offsets before 1970; names of zones that are no IANA names (posix/..., right/...).
/// Checked by: tests/core/time_zone_test.cpp (against Go's results for all 598 names).
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/core/time_zone_data.hpp"

namespace sim {

class TimeZone {
 public:
  /// Null when there is no zone of that name. Names are written exactly as in the database: "Europe/Berlin".
  static const TimeZone* find(std::string_view name);
  /// Of the database: "2025b".
  static std::string_view database_version();

  /// Seconds east of UTC at this instant.
  std::int64_t offset_at(std::int64_t unix_seconds) const { return lookup(unix_seconds).offset; }

  /// The instant of a local time, as Go's time.Date has it: fields beyond their range carry over (month 13, day 0, hour 24).
  std::int64_t instant(std::int64_t year, std::int64_t month, std::int64_t day, std::int64_t hour, std::int64_t minute, std::int64_t second) const;

  struct Local {
    std::int64_t year = 0;
    unsigned month = 1;
    unsigned day = 1;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    unsigned weekday = 0;  // 0: Sunday
  };
  Local local(std::int64_t unix_seconds) const;

 private:
  struct Span {
    std::int64_t offset = 0;
    std::int64_t begin = 0;
    std::int64_t end = 0;  // the offset holds up to here, not included
  };
  Span lookup(std::int64_t unix_seconds) const;

  const time_zone_data::Zone* zone_ = nullptr;
};

}  // namespace sim

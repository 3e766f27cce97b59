#include "sim/models/kubernetes/controllers/cron_schedule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/core/time.hpp"

namespace sim::k8s {

namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kDaysSearched = 5 * 366;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct FieldRule {
  std::string_view name;
  int low;
  int high;
  std::span<const std::string_view> names;  // of low, low + 1, ...
};
constexpr FieldRule kMinute{"minute", 0, 59, {}};
constexpr FieldRule kHour{"hour", 0, 23, {}};
constexpr FieldRule kDay{"day of month", 1, 31, {}};
constexpr FieldRule kMonth{"month", 1, 12, kMonths};
constexpr FieldRule kWeekday{"day of week", 0, 6, kWeekdays};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

std::optional<int> parse_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<int> parse_value(std::string_view text, const FieldRule& rule) {
  std::string lower(text);
  for (char& letter : lower) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  for (std::size_t i = 0; i < rule.names.size(); ++i) {
    if (rule.names[i] == lower) return rule.low + static_cast<int>(i);
  }
  return parse_number(text);
}

struct Bits {
  std::uint64_t values = 0;
  bool any = false;
};

/// One of the parts between commas: "*", "7", "1-5", "*/15", "10-30/5", "5/20" (to the end).
bool parse_range(std::string_view text, const FieldRule& rule, Bits& bits, std::string& error) {
  const std::vector<std::string_view> around_slash = split(text, '/');
  const std::vector<std::string_view> ends = split(around_slash[0], '-');
  const auto refuse = [&](std::string_view why) {
    error = fmt::format("{}: '{}' {}", rule.name, text, why);
    return false;
  };
  if (around_slash.size() > 2) return refuse("has more than one '/'");
  if (ends.size() > 2) return refuse("has more than one '-'");

  int low = rule.low;
  int high = rule.high;
  bool any = false;
  if (ends[0] == "*" || ends[0] == "?") {
    if (ends.size() == 2) return refuse("is no range");
    any = true;
  } else {
    const std::optional<int> first = parse_value(ends[0], rule);
    const std::optional<int> last = ends.size() == 2 ? parse_value(ends[1], rule) : first;
    if (!first || !last) return refuse("is neither a number nor a name");
    low = *first;
    high = *last;
  }
  int step = 1;
  if (around_slash.size() == 2) {
    const std::optional<int> given = parse_number(around_slash[1]);
    if (!given) return refuse("has no number after '/'");
    if (*given == 0) return refuse("has a step of 0");
    step = *given;
    if (!any && ends.size() == 1) high = rule.high;
    if (step > 1) any = false;
  }
  if (low < rule.low) return refuse(fmt::format("is below {}", rule.low));
  if (high > rule.high) return refuse(fmt::format("is above {}", rule.high));
  if (low > high) return refuse("begins after its end");
  for (int value = low; value <= high; value += step) bits.values |= std::uint64_t{1} << value;
  bits.any = bits.any || any;
  return true;
}

bool parse_field(std::string_view text, const FieldRule& rule, Bits& bits, std::string& error) {
  for (const std::string_view part : split(text, ',')) {
    if (part.empty()) {
      error = fmt::format("{}: an empty value in '{}'", rule.name, text);
      return false;
    }
    if (!parse_range(part, rule, bits, error)) return false;
  }
  return true;
}

bool has_bit(std::uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

}  // namespace

std::optional<CronSchedule> CronSchedule::parse(std::string_view text, std::string& error) {
  if (text.find("TZ") != std::string_view::npos) {
    error = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
    return std::nullopt;
  }
  if (text.starts_with('@')) {
    constexpr std::string_view kEvery = "@every ";
    if (text.starts_with(kEvery)) {
      const std::optional<SimDuration> span = parse_duration(text.substr(kEvery.size()));
      if (!span || *span < SimDuration{}) {
        error = fmt::format("'{}' has no duration", text);
        return std::nullopt;
      }
      CronSchedule schedule;
      schedule.every_ = std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(*span).count());
      return schedule;
    }
    struct Descriptor {
      std::string_view name;
      std::string_view means;
    };
    constexpr std::array<Descriptor, 7> kDescriptors = {{{"@yearly", "0 0 1 1 *"},
                                                         {"@annually", "0 0 1 1 *"},
                                                         {"@monthly", "0 0 1 * *"},
                                                         {"@weekly", "0 0 * * 0"},
                                                         {"@daily", "0 0 * * *"},
                                                         {"@midnight", "0 0 * * *"},
                                                         {"@hourly", "0 * * * *"}}};
    for (const Descriptor& descriptor : kDescriptors) {
      if (descriptor.name == text) return parse(descriptor.means, error);
    }
    error = fmt::format("unrecognized descriptor: {}", text);
    return std::nullopt;
  }
  const std::vector<std::string_view> fields = words_of(text);
  if (fields.size() != 5) {
    error = fmt::format("expected exactly 5 fields, found {}", fields.size());
    return std::nullopt;
  }
  std::array<Bits, 5> bits;
  const std::array<const FieldRule*, 5> rules = {&kMinute, &kHour, &kDay, &kMonth, &kWeekday};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!parse_field(fields[i], *rules[i], bits[i], error)) return std::nullopt;
  }
  CronSchedule schedule;
  schedule.minutes_ = bits[0].values;
  schedule.hours_ = bits[1].values;
  schedule.days_ = bits[2].values;
  schedule.months_ = bits[3].values;
  schedule.weekdays_ = bits[4].values;
  schedule.any_day_ = bits[2].any;
  schedule.any_weekday_ = bits[4].any;
  return schedule;
}

std::optional<std::int64_t> CronSchedule::next(std::int64_t unix_seconds) const {
  if (every_ > 0) return unix_seconds + every_;
  if (zone_ != nullptr) return next_in_zone(unix_seconds);
  const std::int64_t first = (unix_seconds / 60 + 1) * 60;
  std::int64_t day = first / kSecondsPerDay;
  auto minute_of_day = static_cast<unsigned>(first % kSecondsPerDay / 60);
  for (const std::int64_t last_day = day + kDaysSearched; day <= last_day; ++day, minute_of_day = 0) {
    const std::chrono::sys_days date{std::chrono::days(day)};
    const std::chrono::year_month_day civil(date);
    if (!has_bit(months_, static_cast<unsigned>(civil.month()))) continue;
    if (!day_matches(static_cast<unsigned>(civil.day()), std::chrono::weekday(date).c_encoding())) continue;
    for (unsigned hour = minute_of_day / 60; hour < 24; ++hour) {
      if (!has_bit(hours_, hour)) continue;
      for (unsigned minute = hour == minute_of_day / 60 ? minute_of_day % 60 : 0; minute < 60; ++minute) {
        if (has_bit(minutes_, minute)) return day * kSecondsPerDay + std::int64_t{hour} * 3600 + std::int64_t{minute} * 60;
      }
    }
  }
  return std::nullopt;
}

bool CronSchedule::day_matches(unsigned day, unsigned weekday) const {
  const bool by_day = has_bit(days_, day);
  const bool by_weekday = has_bit(weekdays_, weekday);
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

/// Step by step as robfig/cron's SpecSchedule.Next does it, because what becomes of a local time that is left out, or there twice, follows from its steps:
/// field by field from the month down, days by the calendar, hours and minutes by the clock.
std::optional<std::int64_t> CronSchedule::next_in_zone(std::int64_t unix_seconds) const {
  constexpr std::int64_t kYearsSearched = 5;
  constexpr int kStepsMax = 100'000;  // five years take far fewer
  std::int64_t t = unix_seconds + 1;
  TimeZone::Local at = zone_->local(t);
  const auto go_to = [&](std::int64_t instant) {
    t = instant;
    at = zone_->local(t);
  };
  const auto begin_of = [&](unsigned day, unsigned hour) { return zone_->instant(at.year, at.month, day, hour, 0, 0); };
  const std::int64_t last_year = at.year + kYearsSearched;
  bool is_moved = false;
  int field = 0;  // looked at now: month, day, hour, minute, second
  for (int step = 0; step < kStepsMax; ++step) {
    if (field == 0 && at.year > last_year) return std::nullopt;
    const bool matches[] = {has_bit(months_, at.month), day_matches(at.day, at.weekday), has_bit(hours_, at.hour), has_bit(minutes_, at.minute), at.second == 0};
    if (matches[field]) {
      if (field == 4) return t;
      ++field;
      continue;
    }
    const bool is_first = !std::exchange(is_moved, true);
    bool wraps = false;  // a greater field changed: they are looked at again
    switch (field) {
      case 0:
        if (is_first) go_to(begin_of(1, 0));
        go_to(zone_->instant(at.year, at.month + 1, at.day, at.hour, at.minute, at.second));
        wraps = at.month == 1;
        break;
      case 1:
        if (is_first) go_to(begin_of(at.day, 0));
        go_to(zone_->instant(at.year, at.month, at.day + 1, at.hour, at.minute, at.second));
        // Midnight can be what a clock change leaves out.
        if (at.hour > 12) {
          go_to(t + std::int64_t{24 - at.hour} * 3600);
        } else if (at.hour != 0) {
          go_to(t - std::int64_t{at.hour} * 3600);
        }
        wraps = at.day == 1;
        break;
      case 2:
        if (is_first) go_to(begin_of(at.day, at.hour));
        go_to(t + 3600);
        wraps = at.hour == 0;
        break;
      case 3:
        if (is_first) go_to(t - t % 60);
        go_to(t + 60);
        wraps = at.minute == 0;
        break;
      default:
        go_to(t + 1);
        wraps = at.second == 0;
    }
    if (wraps) field = 0;
  }
  return std::nullopt;
}

MissedRuns missed_runs(const CronSchedule& schedule, std::int64_t earliest, std::int64_t now) {
  const std::optional<std::int64_t> first = schedule.next(earliest);
  if (!first) return MissedRuns{std::nullopt, 0, true};
  if (now < *first) return {};
  const std::optional<std::int64_t> second = schedule.next(*first);
  if (!second) return MissedRuns{std::nullopt, 0, true};
  if (now < *second) return MissedRuns{first, 1, false};
  const std::int64_t gap = *second - *first;
  const std::int64_t count = (now - *first) / gap + 1;
  // One gap before the end that equal gaps would give. An irregular schedule may have nothing from there to now: then, as in Kubernetes, the runs that
  // were missed before are not made up for.
  std::optional<std::int64_t> recent;
  for (std::optional<std::int64_t> t = schedule.next(*first + (count - 2) * gap); t && *t <= now; t = schedule.next(*t)) recent = t;
  return MissedRuns{recent, count, false};
}

std::optional<std::string> check_cron_schedule(std::string_view schedule) {
  std::string error;
  if (CronSchedule::parse(schedule, error)) return std::nullopt;
  return error;
}

std::optional<std::string> check_cron_time_zone(std::string_view zone) {
  constexpr std::string_view kLocal = "local";
  const auto is_letter_of = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b); };
  if (std::equal(zone.begin(), zone.end(), kLocal.begin(), kLocal.end(), is_letter_of)) {
    return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
  }
  if (zone.empty()) return "timeZone must be nil or non-empty string";
  if (TimeZone::find(zone) == nullptr) return fmt::format("unknown time zone {}", zone);
  return std::nullopt;
}

}  // namespace sim::k8s

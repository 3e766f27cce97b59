#include "sim/core/time_zone.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

namespace sim {

namespace {

namespace data = time_zone_data;

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kBeginOfTime = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();

/// When in a year the clocks change: "M3.5.0/3", "J60", "59/2".
struct RuleDay {
  enum class Kind : std::uint8_t { kJulian, kDayOfYear, kMonthWeekDay } kind = Kind::kJulian;
  int month = 0;
  int week = 0;
  int day = 0;
  std::int64_t time = 7200;
};

struct Rule {
  std::int64_t standard = 0;
  std::optional<std::int64_t> summer;
  RuleDay begin;
  RuleDay end;
};

/// Reads a rule of the database, which zic wrote: nothing in it is wrong.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : left_(text) {}

  Rule read() {
    Rule rule;
    skip_name();
    rule.standard = -clock();
    if (left_.empty()) return rule;
    skip_name();
    rule.summer = left_.empty() || left_.front() == ',' ? rule.standard + 3600 : -clock();
    skip(',');
    rule.begin = day();
    skip(',');
    rule.end = day();
    return rule;
  }

 private:
  void skip(char what) {
    if (!left_.empty() && left_.front() == what) left_.remove_prefix(1);
  }
  void skip_name() {
    if (left_.starts_with('<')) {
      left_.remove_prefix(left_.find('>') + 1);
      return;
    }
    left_.remove_prefix(std::min(left_.size(), left_.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")));
  }
  int number() {
    int value = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    return value;
  }
  /// "-5:30" in seconds.
  std::int64_t clock() {
    const bool negative = left_.starts_with('-');
    if (negative || left_.starts_with('+')) left_.remove_prefix(1);
    std::int64_t seconds = std::int64_t{number()} * 3600;
    for (const std::int64_t unit : {60, 1}) {
      if (!left_.starts_with(':')) break;
      left_.remove_prefix(1);
      seconds += number() * unit;
    }
    return negative ? -seconds : seconds;
  }
  RuleDay day() {
    RuleDay result;
    if (left_.starts_with('M')) {
      left_.remove_prefix(1);
      result.kind = RuleDay::Kind::kMonthWeekDay;
      result.month = number();
      skip('.');
      result.week = number();
      skip('.');
      result.day = number();
    } else {
      result.kind = left_.starts_with('J') ? RuleDay::Kind::kJulian : RuleDay::Kind::kDayOfYear;
      skip('J');
      result.day = number();
    }
    if (left_.starts_with('/')) {
      left_.remove_prefix(1);
      result.time = clock();
    }
    return result;
  }

  std::string_view left_;
};

std::int64_t days_of(int year, unsigned month, unsigned day) {
  return std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)).time_since_epoch().count();
}

/// Seconds from the beginning of the year, in UTC, to the change.
std::int64_t seconds_into(int year, const RuleDay& rule, std::int64_t offset_before) {
  const bool leap = std::chrono::year(year).is_leap();
  std::int64_t days = 0;
  switch (rule.kind) {
    case RuleDay::Kind::kJulian: days = rule.day - 1 + (leap && rule.day >= 60 ? 1 : 0); break;
    case RuleDay::Kind::kDayOfYear: days = rule.day; break;
    case RuleDay::Kind::kMonthWeekDay: {
      const std::int64_t first = days_of(year, static_cast<unsigned>(rule.month), 1);
      const auto weekday = static_cast<int>(std::chrono::weekday(std::chrono::sys_days(std::chrono::days(first))).c_encoding());
      const auto length = static_cast<int>(static_cast<unsigned>((std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(rule.month)) / std::chrono::last).day()));
      int day = (rule.day - weekday + 7) % 7;
      for (int week = 1; week < rule.week && day + 7 < length; ++week) day += 7;
      days = first - days_of(year, 1, 1) + day;
      break;
    }
  }
  return days * kDay + rule.time - offset_before;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = [] {
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < data::kNameCount; ++i) count = std::max(count, data::kNames[i].zone + 1);
    std::vector<Rule> read;
    for (std::uint32_t i = 0; i < count; ++i) read.push_back(RuleReader(data::kZones[i].rule).read());
    return read;
  }();
  return all;
}

}  // namespace

std::string_view TimeZone::database_version() { return data::kVersion; }

const TimeZone* TimeZone::find(std::string_view name) {
  static const std::vector<TimeZone> zones = [] {
    std::vector<TimeZone> all(rules().size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i].zone_ = &data::kZones[i];
    return all;
  }();
  const data::Name* const end = data::kNames + data::kNameCount;
  const data::Name* const found = std::lower_bound(data::kNames, end, name, [](const data::Name& a, std::string_view b) { return a.name < b; });
  return found == end || found->name != name ? nullptr : &zones[found->zone];
}

TimeZone::Span TimeZone::lookup(std::int64_t t) const {
  const data::Change* const first = data::kChanges + zone_->first;
  const data::Change* const last = first + zone_->count;
  const data::Change* const after = std::upper_bound(first, last, t, [](std::int64_t time, const data::Change& change) { return time < change.unix_seconds; });
  Span span;
  span.offset = after == first ? zone_->offset : (after - 1)->offset;
  span.begin = after == first ? kBeginOfTime : (after - 1)->unix_seconds;
  span.end = after == last ? kEndOfTime : after->unix_seconds;
  const Rule& rule = rules()[static_cast<std::size_t>(zone_ - data::kZones)];
  if (after != last) return span;
  if (!rule.summer) {
    if (zone_->count > 0) span.offset = rule.standard;
    return span;
  }
  const std::int64_t day = floor_div(t, kDay);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  const int year = static_cast<int>(date.year());
  const std::int64_t year_begin = days_of(year, 1, 1) * kDay;
  std::int64_t begin = seconds_into(year, rule.begin, rule.standard);
  std::int64_t end = seconds_into(year, rule.end, *rule.summer);
  std::int64_t outside = rule.standard;
  std::int64_t inside = *rule.summer;
  if (end < begin) {  // south of the equator
    std::swap(begin, end);
    std::swap(outside, inside);
  }
  // The far ends are those of the year: near enough for instant(), which is the one to ask for them.
  const std::int64_t into = t - year_begin;
  if (into < begin) return {outside, year_begin, year_begin + begin};
  if (into >= end) return {outside, year_begin + end, year_begin + 365 * kDay};
  return {inside, year_begin + begin, year_begin + end};
}

std::int64_t TimeZone::instant(std::int64_t year, std::int64_t month, std::int64_t day, std::int64_t hour, std::int64_t minute, std::int64_t second) const {
  const std::int64_t months = year * 12 + month - 1;
  const std::int64_t days = days_of(static_cast<int>(floor_div(months, 12)), static_cast<unsigned>(months - floor_div(months, 12) * 12) + 1, 1) + day - 1;
  std::int64_t unix_seconds = days * kDay + hour * 3600 + minute * 60 + second;
  // Taken as UTC first, which finds the right offset unless a change is near; then the one that holds at the instant found.
  const Span guess = lookup(unix_seconds);
  if (guess.offset == 0) return unix_seconds;
  const std::int64_t utc = unix_seconds - guess.offset;
  const bool holds = utc >= guess.begin && utc < guess.end;
  return unix_seconds - (holds ? guess.offset : lookup(utc).offset);
}

TimeZone::Local TimeZone::local(std::int64_t unix_seconds) const {
  const std::int64_t shifted = unix_seconds + offset_at(unix_seconds);
  const std::int64_t day = floor_div(shifted, kDay);
  const std::chrono::sys_days days{std::chrono::days(day)};
  const std::chrono::year_month_day date(days);
  const auto rest = static_cast<unsigned>(shifted - day * kDay);
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3600, rest % 3600 / 60, rest % 60,
          std::chrono::weekday(days).c_encoding()};
}

}  // namespace sim

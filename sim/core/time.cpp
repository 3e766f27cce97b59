#include "sim/core/time.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

namespace sim {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::int64_t kSecond = 1'000'000'000;
// Longest names first, so that "ms" is not read as "m".
constexpr std::array<Unit, 10> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"\u00b5s", 1'000},  // micro sign
                                         {"\u03bcs", 1'000},  // Greek letter mu
                                         {"ms", 1'000'000},
                                         {"s", kSecond},
                                         {"m", 60 * kSecond},
                                         {"h", 3'600 * kSecond},
                                         {"d", 86'400 * kSecond},
                                         {"w", 7 * 86'400 * kSecond}}};

}  // namespace

SimDuration from_seconds(double value) {
  constexpr double kLimit = 9.2e9;  // seconds that fit into 63 bits of nanoseconds
  if (!(value > -kLimit)) return SimDuration::min();
  if (value >= kLimit) return SimDuration::max();
  return SimDuration(std::llround(value * 1e9));
}

std::optional<SimDuration> parse_duration(std::string_view text) {
  if (text == "0") return SimDuration::zero();
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  __extension__ using Wide = __int128;
  const Wide limit = Wide(INT64_MAX) + 1;  // that much only below zero
  Wide total = 0;
  while (!text.empty()) {
    Wide whole = 0;
    std::int64_t fraction = 0;
    std::int64_t scale = 1;
    std::size_t digits = 0;
    std::size_t i = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, ++digits) {
      whole = whole * 10 + (text[i] - '0');
      if (whole > limit) return std::nullopt;
    }
    if (i < text.size() && text[i] == '.') {
      for (++i; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, ++digits) {
        if (scale > kSecond * kSecond / 10) continue;  // finer than a nanosecond of a week
        fraction = fraction * 10 + (text[i] - '0');
        scale *= 10;
      }
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(i);
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (!text.starts_with(candidate.name)) continue;
      unit = &candidate;
      break;
    }
    if (unit == nullptr) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += whole * unit->nanoseconds + Wide(fraction) * unit->nanoseconds / scale;
    if (total > limit) return std::nullopt;
  }
  if (total == limit && !negative) return std::nullopt;
  return SimDuration(static_cast<std::int64_t>(negative ? -total : total));
}

std::string format_duration(SimDuration span) {
  std::int64_t rest = span.count();
  if (rest == 0) return "0s";
  std::string text;
  if (rest < 0) {
    if (rest == INT64_MIN) return "-106751d23h47m16s854ms775us808ns";  // its negation does not fit
    text = "-";
    rest = -rest;
  }
  constexpr std::array<Unit, 7> kSteps = {{{"d", 86'400 * kSecond}, {"h", 3'600 * kSecond}, {"m", 60 * kSecond},
                                           {"s", kSecond}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}}};
  for (const Unit& unit : kSteps) {
    if (rest < unit.nanoseconds) continue;
    text += fmt::format("{}{}", rest / unit.nanoseconds, unit.name);
    rest %= unit.nanoseconds;
  }
  return text;
}

std::string humanize(SimDuration span) {
  if (span < SimDuration::zero()) return fmt::format("-{}", humanize(span == SimDuration::min() ? SimDuration::max() : -span));
  const double s = seconds(span);
  if (span.count() == 0) return "0s";
  if (span.count() < 1'000) return fmt::format("{}ns", span.count());
  if (s < 0.9995e-3) return fmt::format("{:.0f}us", s * 1e6);
  if (s < 0.9995) return fmt::format("{:.0f}ms", s * 1e3);
  if (s < 9.995) return fmt::format("{:.2f}s", s);
  const auto whole = static_cast<std::int64_t>(std::llround(s));
  if (whole < 60) return fmt::format("{}s", whole);
  constexpr std::array<std::pair<std::int64_t, char>, 4> kSteps = {{{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}, {1, 's'}}};
  for (std::size_t i = 0; i + 1 < kSteps.size(); ++i) {
    if (whole < kSteps[i].first) continue;
    const std::int64_t next = whole % kSteps[i].first / kSteps[i + 1].first;
    const std::string head = fmt::format("{}{}", whole / kSteps[i].first, kSteps[i].second);
    return next == 0 ? head : fmt::format("{} {}{}", head, next, kSteps[i + 1].second);
  }
  return fmt::format("{}s", whole);
}

}  // namespace sim

#include "sim/scenario/names.hpp"

#include <algorithm>
#include <chrono>

namespace sim::scenario {

namespace {

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

bool is_qualified(std::string_view text) {
  if (text.empty() || text.size() > 63 || !is_alnum(text.front()) || !is_alnum(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

bool is_object_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || !is_lower_alnum(name.front()) || !is_lower_alnum(name.back())) return false;
  char before = 'a';
  for (const char c : name) {
    if (!is_lower_alnum(c) && c != '-' && c != '.') return false;
    if ((c == '.' && !is_lower_alnum(before)) || (before == '.' && !is_lower_alnum(c))) return false;
    before = c;
  }
  return true;
}

bool is_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return is_qualified(key);
  return is_object_name(key.substr(0, slash)) && is_qualified(key.substr(slash + 1));
}

bool is_label_value(std::string_view value) { return value.empty() || is_qualified(value); }

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::optional<TaintText> parse_taint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  TaintText taint;
  const std::string_view effect = text.substr(colon + 1);
  if (effect == "NoSchedule") {
    taint.effect = k8s::TaintEffect::kNoSchedule;
  } else if (effect == "PreferNoSchedule") {
    taint.effect = k8s::TaintEffect::kPreferNoSchedule;
  } else if (effect == "NoExecute") {
    taint.effect = k8s::TaintEffect::kNoExecute;
  } else {
    return std::nullopt;
  }
  const std::string_view pair = text.substr(0, colon);
  const std::size_t equals = pair.find('=');
  taint.key = pair.substr(0, equals);
  if (equals != std::string_view::npos) taint.value = pair.substr(equals + 1);
  if (!is_label_key(taint.key) || !is_label_value(taint.value)) return std::nullopt;
  return taint;
}

std::optional<std::int64_t> parse_instant(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
  if (text.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kShape[i]) return std::nullopt;
  }
  const auto number = [&](std::size_t from, std::size_t size) {
    int value = 0;
    for (const char c : text.substr(from, size)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)), std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  if (!day.ok() || number(0, 4) < 1970 || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return days * 86'400 + hour * 3'600 + minute * 60 + second;
}

}  // namespace sim::scenario

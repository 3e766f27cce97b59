#include "chaos/mesh/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace chaos::mesh {

namespace {

using sim::scenario::Diagnostic;

Diagnostic& wrong(Node node, std::string_view message, std::string_view expected, Reader& reader) {
  Diagnostic& d = reader.diagnostics.error(node, std::string(message));
  d.found = node.describe();
  d.expected = std::string(expected);
  return d;
}

bool read_text(Node node, std::string& to, std::string_view expected, Reader& reader) {
  if (!node.is_string()) {
    Diagnostic& d = wrong(node, "wrong type of value", expected, reader);
    if (node.is_scalar()) d.hint = fmt::format("with quotes: \"{}\"", node.text());
    return false;
  }
  return sim::scenario::detail::read_string(node, to, reader);
}

/// The decimal number at the beginning of `text`, which loses it. Signs are not part of it.
std::optional<double> take_number(std::string_view& text) {
  std::size_t length = 0;
  std::size_t digits = 0;
  bool has_point = false;
  while (length < text.size() && (std::isdigit(static_cast<unsigned char>(text[length])) != 0 || (text[length] == '.' && !has_point))) {
    if (text[length] == '.') has_point = true;
    else ++digits;
    ++length;
  }
  if (digits == 0) return std::nullopt;
  double value = 0.0;
  // from_chars takes "5." and ".5".
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value);
  if (error != std::errc{} || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

constexpr std::string_view kDurations = "a duration as Go writes it, such as \"300ms\", \"1h30m\" or \"45s\"";

}  // namespace

std::optional<SimDuration> parse_go_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {{{"ns", 1e0}, {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  bool is_negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    is_negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return SimDuration{};
  if (text.empty()) return std::nullopt;
  double all = 0.0;
  while (!text.empty()) {
    const std::optional<double> number = take_number(text);
    if (!number) return std::nullopt;
    std::size_t length = 0;
    while (length < text.size() && text[length] != '.' && std::isdigit(static_cast<unsigned char>(text[length])) == 0) ++length;
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& one) { return one.first == text.substr(0, length); });
    if (unit == kUnits.end()) return std::nullopt;
    all += *number * unit->second;
    text.remove_prefix(length);
  }
  if (all > 9.2e18) return std::nullopt;
  const SimDuration value(static_cast<std::int64_t>(all + 0.5));
  return is_negative ? -value : value;
}

bool read_go_duration(Node node, GoDuration& to, Reader& reader) {
  std::string text;
  if (!read_text(node, text, kDurations, reader)) return false;
  const std::optional<SimDuration> value = parse_go_duration(text);
  if (!value) {
    Diagnostic& d = wrong(node, fmt::format("'{}' is no duration", text), kDurations, reader);
    if (text.empty()) d.hint = "leave it out";
    else if (std::isdigit(static_cast<unsigned char>(text.back())) != 0) d.hint = fmt::format("units: ns, us, ms, s, m, h; did you mean \"{}s\"?", text);
    else if (text.ends_with('d')) d.hint = "Go has no days: write hours";
    return false;
  }
  to.value = *value;
  return true;
}

bool read_number_text(Node node, NumberText& to, Reader& reader) {
  constexpr std::string_view kExpected = "a number in quotes, such as \"25\" or \"12.5\"";
  std::string text;
  if (!read_text(node, text, kExpected, reader)) return false;
  if (text.empty()) return true;
  std::string_view rest = text;
  const bool is_negative = rest.front() == '-';
  if (is_negative) rest.remove_prefix(1);
  const std::optional<double> value = take_number(rest);
  if (!value || !rest.empty()) {
    Diagnostic& d = wrong(node, fmt::format("'{}' is no number", text), kExpected, reader);
    if (rest == "%") d.hint = fmt::format("without the sign: \"{}\"", text.substr(0, text.size() - 1));
    return false;
  }
  to.value = is_negative ? -*value : *value;
  return true;
}

bool read_size_text(Node node, SizeText& to, Reader& reader) {
  constexpr std::string_view kExpected = "a size such as \"256MB\", \"1GiB\" or \"50%\"";
  constexpr std::array<std::pair<std::string_view, double>, 17> kUnits = {{{"", 1.0}, {"b", 1.0}, {"k", 1e3}, {"kb", 1e3}, {"m", 1e6}, {"mb", 1e6}, {"g", 1e9}, {"gb", 1e9}, {"t", 1e12}, {"tb", 1e12},
                                                                           {"p", 1e15}, {"pb", 1e15}, {"kib", 1024.0}, {"mib", 1048576.0}, {"gib", 1073741824.0}, {"tib", 1099511627776.0}, {"ki", 1024.0}}};
  std::string text;
  if (!read_text(node, text, kExpected, reader)) return false;
  if (text.empty()) return true;
  std::string_view rest = text;
  const std::optional<double> number = take_number(rest);
  const std::string unit = lower(trimmed(rest));
  if (number && unit == "%") {
    if (*number > 100.0 || *number != static_cast<double>(static_cast<int>(*number))) {
      wrong(node, fmt::format("'{}' is no share of memory", text), "a whole number from 0% to 100%", reader);
      return false;
    }
    to.percent = *number;
    return true;
  }
  const auto found = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& one) { return one.first == unit; });
  if (!number || found == kUnits.end()) {
    wrong(node, fmt::format("'{}' is no size", text), kExpected, reader);
    return false;
  }
  constexpr double kMost = 1e16;
  to.bytes = *number * found->second;
  if (to.bytes <= kMost) return true;
  wrong(node, fmt::format("'{}' is more memory than there is", text), kExpected, reader);
  return false;
}

bool read_rate_text(Node node, RateText& to, Reader& reader) {
  constexpr std::string_view kExpected = "a rate such as \"1mbps\" (bytes a second) or \"10mbit\" (bits), with a whole number";
  // As tc has them: bps are bytes, bit are bits, both by thousands.
  constexpr std::array<std::pair<std::string_view, double>, 10> kUnits = {
      {{"bit", 0.125}, {"kbit", 125.0}, {"mbit", 125e3}, {"gbit", 125e6}, {"tbit", 125e9}, {"bps", 1.0}, {"kbps", 1e3}, {"mbps", 1e6}, {"gbps", 1e9}, {"tbps", 1e12}}};
  std::string text;
  if (!read_text(node, text, kExpected, reader)) return false;
  std::string_view rest = trimmed(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  const std::string unit = error == std::errc{} ? lower(trimmed(rest.substr(static_cast<std::size_t>(end - rest.data())))) : std::string();
  const auto found = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& one) { return one.first == unit; });
  if (error != std::errc{} || found == kUnits.end() || number == 0) {
    wrong(node, fmt::format("'{}' is no rate", text), kExpected, reader);
    return false;
  }
  to.bytes_per_second = static_cast<double>(number) * found->second;
  return true;
}

std::string not_modelled(std::string_view why) { return fmt::format("{}{}", kNotModelled, why); }

bool refuse(Node node, std::string_view name, std::string_view why, Reader& reader) {
  const bool says_nothing = node.is_null() || (node.is_scalar() && node.text().empty()) || ((node.is_map() || node.is_sequence()) && node.size() == 0);
  if (says_nothing) return true;
  reader.diagnostics.error(node, fmt::format("{}'{}': {}", kNotModelled, name, why)).hint = "docs/chaos-mesh.md lists what is modelled, field by field";
  return false;
}

}  // namespace chaos::mesh

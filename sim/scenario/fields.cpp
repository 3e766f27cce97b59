#include "sim/scenario/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "sim/models/kubernetes/api/resources.hpp"
#include "sim/scenario/printable.hpp"

namespace sim::scenario {

std::string TypeInfo::describe() const {
  switch (kind) {
    case Kind::kBool: return "true or false";
    case Kind::kInteger:
      if (minimum && maximum && *maximum < 9e15) return fmt::format("an integer from {:.0f} to {:.0f}", *minimum, *maximum);
      if (minimum) return fmt::format("an integer of at least {:.0f}", *minimum);
      return "an integer";
    case Kind::kNumber:
      if (minimum && maximum && *maximum < 1e300) return fmt::format("a number from {} to {}", *minimum, *maximum);
      if (minimum) return fmt::format("a number of at least {}", *minimum);
      return "a number";
    case Kind::kString: return "a string";
    case Kind::kChoice: return fmt::format("one of: {}", fmt::join(words, ", "));
    case Kind::kDuration: return "a duration such as 30s, 5m, 2h or 7d";
    case Kind::kBytes: return "a size such as 512Mi or 16Gi";
    case Kind::kCpu: return "an amount of CPU such as 500m or 4";
    case Kind::kBitRate: return "a rate such as 10Gbit/s";
    case Kind::kByteRate: return "a rate such as 100MB/s or 50Mi/s";
    case Kind::kFraction: return "a share such as 99.9% or 0.999";
    case Kind::kObject: return "a map";
    case Kind::kList: return "a list";
    case Kind::kStringMap: return "a map of strings";
    case Kind::kNamed: return "a map by name, or a list of maps with 'name'";
    case Kind::kRaw: return "a value";
  }
  return "a value";
}

namespace detail {

namespace {

// Nobody reads the thousandth hint, and finding it costs more than the rest of the diagnostic.
constexpr std::size_t kWithHint = 1000;

Diagnostic& wrong(Node node, std::string expected, Reader& reader) {
  Diagnostic& d = reader.diagnostics.error(node, "wrong type of value");
  d.expected = std::move(expected);
  d.found = node.describe();
  return d;
}

Diagnostic& out_of_range(Node node, std::string expected, Reader& reader) {
  Diagnostic& d = reader.diagnostics.error(node, "value out of range");
  d.expected = std::move(expected);
  d.found = node.describe();
  return d;
}

/// Names and descriptions go to terminals, JSON and XML: what none of them can show is refused here, once.
bool is_printable(Node node, Reader& reader) {
  if (printable(std::string(node.text()), LineBreaks::kKept) == node.text()) return true;
  reader.diagnostics.error(node, "a string must not hold control characters");
  return false;
}

bool has_leading_zero(Node node) {
  std::string_view t = node.text();
  if (!t.empty() && (t.front() == '-' || t.front() == '+')) t.remove_prefix(1);
  return node.is_plain() && t.size() > 1 && t[0] == '0' && t[1] >= '0' && t[1] <= '9' &&
         std::all_of(t.begin(), t.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_decimal(std::string_view t) {
  if (!t.empty() && (t.front() == '-' || t.front() == '+')) t.remove_prefix(1);
  return !t.empty() && std::all_of(t.begin(), t.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string integer_range(std::int64_t low, std::int64_t high) {
  if (high >= std::int64_t{1} << 53) return low == std::numeric_limits<std::int64_t>::min() ? "an integer" : fmt::format("an integer of at least {}", low);
  return fmt::format("an integer from {} to {}", low, high);
}

struct RateUnit {
  std::string_view text;
  double factor;
};

/// "10Gbit/s" with the units of `units`; also a number of more than one part, such as "1.5".
template <std::size_t N>
bool read_rate(Node node, const RateUnit (&units)[N], TypeInfo::Kind kind, double& to, Reader& reader) {
  const TypeInfo type{.kind = kind};
  if (node.is_scalar()) {
    if (node.text() == "0") {
      to = 0;
      return true;
    }
    double number = 0;
    const std::string_view text = node.text();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && std::isfinite(number) && number >= 0) {
      const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
      for (const RateUnit& candidate : units) {
        if (unit != candidate.text) continue;
        to = number * candidate.factor;
        return true;
      }
      if (unit.empty()) {
        Diagnostic& d = wrong(node, type.describe(), reader);
        d.message = "a rate needs a unit";
        return false;
      }
    }
  }
  wrong(node, type.describe(), reader);
  return false;
}

}  // namespace

void wrong_type(Node node, const TypeInfo& type, Reader& reader) { wrong(node, type.describe(), reader); }

bool read_bool(Node node, bool& to, Reader& reader) {
  const std::optional<bool> value = node.as_bool();
  if (!value) {
    Diagnostic& d = wrong(node, "true or false", reader);
    const std::string_view t = node.text();
    if (t == "yes" || t == "on") d.hint = "write true: YAML 1.2 reads this as a string";
    if (t == "no" || t == "off") d.hint = "write false: YAML 1.2 reads this as a string";
    if (!node.is_plain() && (t == "true" || t == "false")) d.hint = "without quotes";
    return false;
  }
  to = *value;
  return true;
}

bool read_integer(Node node, std::int64_t low, std::int64_t high, std::int64_t& to, Reader& reader) {
  const std::optional<std::int64_t> value = node.as_integer();
  if (!value) {
    const bool decimal = node.is_plain() && is_decimal(node.text());
    if (decimal && !has_leading_zero(node)) {
      out_of_range(node, integer_range(low, high), reader);
      return false;
    }
    Diagnostic& d = wrong(node, integer_range(low, high), reader);
    if (has_leading_zero(node)) {
      d.message = "a number with a leading zero is octal to some readers and decimal to others";
      d.hint = "leave the zero out, or write 0o for octal";
    } else if (node.is_scalar() && !node.is_plain() && is_decimal(node.text())) {
      d.hint = "without quotes";
    }
    return false;
  }
  if (*value < low || *value > high) {
    out_of_range(node, integer_range(low, high), reader);
    return false;
  }
  to = *value;
  return true;
}

bool read_unsigned(Node node, std::uint64_t low, std::uint64_t high, std::uint64_t& to, Reader& reader) {
  // Seeds use all 64 bits; everything else fits into a signed integer.
  if (node.is_plain() && is_decimal(node.text()) && !has_leading_zero(node) && node.text().front() != '-') {
    std::string_view t = node.text();
    if (t.front() == '+') t.remove_prefix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
    if (error == std::errc{} && end == t.data() + t.size() && value >= low && value <= high) {
      to = value;
      return true;
    }
  }
  std::int64_t value = 0;
  constexpr std::uint64_t kSigned = std::numeric_limits<std::int64_t>::max();
  if (!read_integer(node, static_cast<std::int64_t>(std::min(low, kSigned)), static_cast<std::int64_t>(std::min(high, kSigned)), value, reader)) {
    return false;
  }
  to = static_cast<std::uint64_t>(value);
  return true;
}

bool read_number(Node node, double low, double high, double& to, Reader& reader) {
  TypeInfo type{.kind = TypeInfo::Kind::kNumber};
  if (low > std::numeric_limits<double>::lowest()) type.minimum = low;
  if (high < std::numeric_limits<double>::max()) type.maximum = high;
  const std::optional<double> value = node.as_number();
  if (!value) {
    Diagnostic& d = wrong(node, type.describe(), reader);
    if (has_leading_zero(node)) {
      d.message = "a number with a leading zero is octal to some readers and decimal to others";
      d.hint = "leave the zero out";
    }
    return false;
  }
  if (*value < low || *value > high) {
    out_of_range(node, type.describe(), reader);
    return false;
  }
  to = *value;
  return true;
}

bool read_string(Node node, std::string& to, Reader& reader) {
  if (!node.is_string()) {
    Diagnostic& d = wrong(node, "a string", reader);
    if (node.is_scalar()) d.hint = fmt::format("with quotes: \"{}\"", node.text());
    return false;
  }
  if (!is_printable(node, reader)) return false;
  to = node.text();
  return true;
}

bool read_duration(Node node, SimDuration& to, Reader& reader) {
  const TypeInfo type{.kind = TypeInfo::Kind::kDuration};
  const std::optional<SimDuration> value = node.is_scalar() ? parse_duration(node.text()) : std::nullopt;
  if (!value) {
    Diagnostic& d = wrong(node, type.describe(), reader);
    if (node.as_number()) {
      d.message = "a duration needs a unit";
      d.hint = fmt::format("did you mean '{}s'?", node.text());
    }
    return false;
  }
  if (*value < SimDuration::zero()) {
    out_of_range(node, "a duration of at least 0s", reader);
    return false;
  }
  to = *value;
  return true;
}

bool read_bytes(Node node, std::int64_t& to, Reader& reader) {
  const TypeInfo type{.kind = TypeInfo::Kind::kBytes};
  const std::string_view text = node.text();
  const std::optional<std::int64_t> value = node.is_scalar() ? k8s::parse_quantity(text) : std::nullopt;
  if (!value || text.ends_with('m') || text.ends_with('u') || text.ends_with('n')) {
    wrong(node, type.describe(), reader);
    return false;
  }
  const char last = text.back();
  if (*value != 0 && ((last >= '0' && last <= '9') || last == '.')) {
    Diagnostic& d = wrong(node, type.describe(), reader);
    d.message = "a size needs a unit";
    return false;
  }
  if (*value < 0) {
    out_of_range(node, "a size of at least 0", reader);
    return false;
  }
  to = *value;
  return true;
}

bool read_cpu(Node node, std::int64_t& milli, Reader& reader) {
  const TypeInfo type{.kind = TypeInfo::Kind::kCpu};
  const std::optional<std::int64_t> value = node.is_scalar() ? k8s::parse_quantity_milli(node.text()) : std::nullopt;
  if (!value) {
    wrong(node, type.describe(), reader);
    return false;
  }
  constexpr std::int64_t kCoresMax = 1'000'000;
  if (*value < 0 || *value > kCoresMax * 1000) {
    out_of_range(node, fmt::format("an amount of CPU from 0 to {} cores", kCoresMax), reader);
    return false;
  }
  milli = *value;
  return true;
}

bool read_bit_rate(Node node, double& to, Reader& reader) {
  static constexpr RateUnit kUnits[] = {{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}, {"Tbit/s", 1e12}};
  return read_rate(node, kUnits, TypeInfo::Kind::kBitRate, to, reader);
}

bool read_byte_rate(Node node, double& to, Reader& reader) {
  static constexpr RateUnit kUnits[] = {{"B/s", 1},       {"kB/s", 1e3},       {"MB/s", 1e6},          {"GB/s", 1e9},
                                        {"KiB/s", 1024.}, {"MiB/s", 1048576.}, {"GiB/s", 1073741824.}, {"Ki/s", 1024.},
                                        {"Mi/s", 1048576.}, {"Gi/s", 1073741824.}};
  return read_rate(node, kUnits, TypeInfo::Kind::kByteRate, to, reader);
}

bool read_fraction(Node node, double& to, Reader& reader) {
  const TypeInfo type{.kind = TypeInfo::Kind::kFraction};
  std::optional<double> value = node.as_number();
  if (!value && node.is_scalar() && node.text().size() > 1 && node.text().back() == '%') {
    const std::string_view digits = node.text().substr(0, node.text().size() - 1);
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc{} && end == digits.data() + digits.size() && std::isfinite(number)) value = number / 100.0;
  }
  if (!value) {
    wrong(node, type.describe(), reader);
    return false;
  }
  if (*value < 0 || *value > 1) {
    out_of_range(node, "a share from 0% to 100%", reader);
    return false;
  }
  to = *value;
  return true;
}

bool read_choice(Node node, const std::vector<std::string>& words, std::size_t& to, Reader& reader) {
  if (node.is_scalar()) {
    const auto found = std::find(words.begin(), words.end(), node.text());
    if (found != words.end()) {
      to = static_cast<std::size_t>(found - words.begin());
      return true;
    }
  }
  Diagnostic& d = reader.diagnostics.error(node, node.is_scalar() ? "unknown word" : "wrong type of value");
  d.expected = fmt::format("one of: {}", fmt::join(words, ", "));
  d.found = node.describe();
  d.hint = did_you_mean(node.text(), words);
  return false;
}

bool read_string_map(Node node, std::map<std::string, std::string>& to, Reader& reader) {
  if (!node.is_map()) {
    wrong(node, "a map of strings", reader);
    return false;
  }
  bool good = true;
  std::map<std::string, std::string> values;
  for (std::size_t i = 0; i < node.size(); ++i) {
    std::string value;
    if (node.value(i).is_null()) {
      values.emplace(node.key(i).text(), "");
    } else if (read_string(node.value(i), value, reader)) {
      values.emplace(node.key(i).text(), std::move(value));
    } else {
      good = false;
    }
  }
  to = std::move(values);
  return good;
}

bool expect_map(Node node, std::string_view what, Reader& reader) {
  if (node.is_map()) return true;
  wrong(node, fmt::format("a map for {}", what), reader);
  return false;
}

bool expect_list(Node node, const TypeInfo& element, Reader& reader) {
  if (node.is_sequence()) return true;
  Diagnostic& d = wrong(node, fmt::format("a list of values, each {}", element.describe()), reader);
  if (node.is_scalar()) d.hint = fmt::format("did you mean '[{}]'?", node.text());
  return false;
}

std::string unknown_key(Node key, std::string_view what, const std::vector<std::string>& known, Reader& reader) {
  Diagnostic& d = reader.diagnostics.error(key, fmt::format("unknown key '{}' in {}", key.text(), what));
  if (reader.diagnostics.error_count() > kWithHint) return {};
  std::vector<std::string> sorted = known;
  std::sort(sorted.begin(), sorted.end());
  d.expected = fmt::format("one of: {}", fmt::join(sorted, ", "));
  d.hint = did_you_mean(key.text(), sorted);
  return nearest(key.text(), sorted);
}

void missing_key(Node map, std::string_view key, std::string_view what, Reader& reader) {
  Diagnostic& d = reader.diagnostics.error(map, fmt::format("{} needs the key '{}'", what, key));
  std::vector<std::string> there;
  constexpr std::size_t kLookedAt = 100;
  for (std::size_t i = 0; map.is_map() && i < std::min(map.size(), kLookedAt); ++i) there.emplace_back(map.key(i).text());
  if (const std::string near = nearest(key, there); !near.empty()) d.hint = fmt::format("did you mean '{}' by '{}'?", key, near);
}

std::string show(bool value) { return value ? "true" : "false"; }
std::string show(std::int64_t value) { return fmt::format("{}", value); }
std::string show(std::uint64_t value) { return fmt::format("{}", value); }
std::string show(double value) { return fmt::format("{}", value); }
std::string show(const std::string& value) { return value; }
std::string show(SimDuration value) { return format_duration(value); }
std::string show_bytes(std::int64_t value) { return k8s::format_bytes(value); }
std::string show_cpu(std::int64_t milli) { return k8s::format_cpu(milli); }
namespace {
std::string show_rate(double value, std::string_view unit) {
  if (value >= 1e9) return fmt::format("{}G{}", value / 1e9, unit);
  if (value >= 1e6) return fmt::format("{}M{}", value / 1e6, unit);
  return fmt::format("{}{}", value, unit);
}
}  // namespace
std::string show_bit_rate(double value) { return show_rate(value, "bit/s"); }
std::string show_byte_rate(double value) { return show_rate(value, "B/s"); }
std::string show_fraction(double value) { return fmt::format("{:.12g}%", value * 100); }

std::vector<NamedEntry> named_entries(Node section, std::string_view noun, Reader& reader) {
  std::vector<NamedEntry> entries;
  if (section.is_map()) {
    for (std::size_t i = 0; i < section.size(); ++i) {
      if (!is_printable(section.key(i), reader)) continue;
      const Node value = section.value(i);
      const Node name = value.find("name");
      if (!name.is_null() && name.text() != section.key(i).text()) {
        Diagnostic& d = reader.diagnostics.error(name, fmt::format("the name of {} '{}' is its key", noun, section.key(i).text()));
        d.found = name.describe();
        d.hint = "leave 'name' out";
      }
      entries.push_back(NamedEntry{std::string(section.key(i).text()), section.key(i), value});
    }
    return entries;
  }
  if (!section.is_sequence()) {
    wrong(section, fmt::format("a map of {}s by name, or a list of maps with 'name'", noun), reader);
    return entries;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < section.size(); ++i) {
    const Node item = section.item(i);
    if (!expect_map(item, noun, reader)) continue;
    const Node name = item.find("name");
    std::string text;
    if (name.is_null()) {
      missing_key(item, "name", noun, reader);
      continue;
    }
    if (!read_string(name, text, reader)) continue;
    if (!names.insert(text).second) {
      reader.diagnostics.error(name, fmt::format("there are two {}s with the name '{}'", noun, text));
      continue;
    }
    entries.push_back(NamedEntry{std::move(text), name, item});
  }
  return entries;
}

}  // namespace detail
}  // namespace sim::scenario

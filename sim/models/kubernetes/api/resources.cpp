#include "sim/models/kubernetes/api/resources.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace sim::k8s {

namespace {

__extension__ using Wide = __int128;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

struct Suffix {
  std::string_view text;
  bool binary;
  int power;  // of 1024 or of 10
};
constexpr std::array<Suffix, 16> kSuffixes = {{{"Ki", true, 1}, {"Mi", true, 2}, {"Gi", true, 3}, {"Ti", true, 4},
                                               {"Pi", true, 5}, {"Ei", true, 6}, {"n", false, -9}, {"u", false, -6},
                                               {"m", false, -3}, {"", false, 0}, {"k", false, 3}, {"M", false, 6},
                                               {"G", false, 9}, {"T", false, 12}, {"P", false, 15}, {"E", false, 18}}};

/// value = digits * 10^exponent * 2^shift, scaled by `units` (1000 for milli) and rounded up in magnitude.
std::optional<std::int64_t> parse(std::string_view text, std::int64_t units) {
  bool negative = false;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  Wide digits = 0;
  int exponent = 0;
  std::size_t count = 0;
  std::size_t i = 0;
  bool saw_point = false;
  bool lost = false;  // non-zero digits below what fits: round up
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !saw_point) {
      saw_point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    ++count;
    if (digits > Wide(kMax)) {  // beyond 19 digits: keep the magnitude, drop the digit
      if (!saw_point) ++exponent;
      lost = lost || c != '0';
    } else {
      digits = digits * 10 + (c - '0');
      if (saw_point) --exponent;
    }
  }
  if (count == 0) return std::nullopt;
  const std::string_view suffix = text.substr(i);
  int shift = 0;
  if (suffix.size() > 1 && (suffix.front() == 'e' || suffix.front() == 'E') && suffix != "Ei") {
    int power = 0;
    std::string_view number = suffix.substr(1);
    bool minus = false;
    if (number.front() == '+' || number.front() == '-') {
      minus = number.front() == '-';
      number.remove_prefix(1);
    }
    if (number.empty() || number.size() > 4) return std::nullopt;
    for (const char c : number) {
      if (c < '0' || c > '9') return std::nullopt;
      power = power * 10 + (c - '0');
    }
    exponent += minus ? -power : power;
  } else {
    const auto* found = std::find_if(kSuffixes.begin(), kSuffixes.end(), [&](const Suffix& s) { return s.text == suffix; });
    if (found == kSuffixes.end()) return std::nullopt;
    if (found->binary) {
      shift = 10 * found->power;
    } else {
      exponent += found->power;
    }
  }
  if (digits == 0) return lost ? std::optional<std::int64_t>(negative ? -1 : 1) : std::optional<std::int64_t>(0);
  Wide value = digits * units;  // < 2^63 * 10 * 1000: fits
  // Powers of two first: they keep fractions such as 0.5Gi exact.
  constexpr Wide kLimit = Wide(1) << 100;
  for (int s = 0; s < shift && value < kLimit; ++s) value *= 2;
  for (; exponent > 0 && value < kLimit; --exponent) value *= 10;
  for (; exponent < 0 && value != 0; ++exponent) {
    lost = lost || value % 10 != 0;
    value /= 10;
  }
  if (lost) ++value;
  if (value > Wide(kMax)) value = kMax;
  return static_cast<std::int64_t>(negative ? -value : value);
}

}  // namespace

std::optional<std::int64_t> parse_quantity_milli(std::string_view text) { return parse(text, 1000); }
std::optional<std::int64_t> parse_quantity(std::string_view text) { return parse(text, 1); }

std::string format_cpu(std::int64_t milli) {
  return milli % 1000 == 0 ? fmt::format("{}", milli / 1000) : fmt::format("{}m", milli);
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array<std::pair<int, std::string_view>, 5> kUnits = {{{50, "Pi"}, {40, "Ti"}, {30, "Gi"}, {20, "Mi"}, {10, "Ki"}}};
  for (const auto& [shift, suffix] : kUnits) {
    const std::int64_t unit = std::int64_t{1} << shift;
    if (bytes != 0 && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, suffix);
  }
  return fmt::format("{}", bytes);
}

std::int64_t Resources::of(Symbol name) const {
  for (const NamedAmount& entry : other) {
    if (entry.name == name) return entry.amount;
  }
  return 0;
}

void Resources::set(Symbol name, std::int64_t amount) {
  const auto place = std::lower_bound(other.begin(), other.end(), name, [](const NamedAmount& a, Symbol n) { return a.name < n; });
  if (place != other.end() && place->name == name) {
    place->amount = amount;
  } else {
    other.insert(place, NamedAmount{name, amount});
  }
}

void Resources::add(const Resources& more) {
  cpu_milli += more.cpu_milli;
  memory += more.memory;
  ephemeral_storage += more.ephemeral_storage;
  pods += more.pods;
  for (const NamedAmount& entry : more.other) set(entry.name, of(entry.name) + entry.amount);
}

void Resources::subtract(const Resources& less) {
  cpu_milli -= less.cpu_milli;
  memory -= less.memory;
  ephemeral_storage -= less.ephemeral_storage;
  pods -= less.pods;
  for (const NamedAmount& entry : less.other) set(entry.name, of(entry.name) - entry.amount);
}

void Resources::max_with(const Resources& more) {
  cpu_milli = std::max(cpu_milli, more.cpu_milli);
  memory = std::max(memory, more.memory);
  ephemeral_storage = std::max(ephemeral_storage, more.ephemeral_storage);
  pods = std::max(pods, more.pods);
  for (const NamedAmount& entry : more.other) set(entry.name, std::max(of(entry.name), entry.amount));
}

bool Resources::is_zero() const {
  return cpu_milli == 0 && memory == 0 && ephemeral_storage == 0 &&
         std::all_of(other.begin(), other.end(), [](const NamedAmount& entry) { return entry.amount == 0; });
}

}  // namespace sim::k8s

/// What the operators Gt and Lt of node affinity take for a number: what strconv.ParseInt does in base 10.
///
/// Source:     apimachinery/pkg/labels/selector.go.
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sim::k8s {

inline std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with('+') && !text.substr(1).starts_with('-')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace sim::k8s

/// Amounts of the resources that Kubernetes schedules: cpu in milli-cores, memory and ephemeral-storage in bytes,
/// everything else (extended resources, hugepages) by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/symbol.hpp"

namespace sim::k8s {

/// A Kubernetes quantity ("250m", "1Gi", "1.5", "2e3") in units of 1/1000, rounded up as apimachinery's MilliValue does.
/// Empty when the text is no quantity. Saturates at the limits of int64.
/// Source: apimachinery pkg/api/resource/quantity.go (ParseQuantity: sign, decimal, suffix; the grammar of its doc comment).
std::optional<std::int64_t> parse_quantity_milli(std::string_view text);
/// The same in whole units, rounded up (Value()).
std::optional<std::int64_t> parse_quantity(std::string_view text);
/// "250m", "2"; binary suffix where exact ("1Gi", "512Mi", else the number).
std::string format_cpu(std::int64_t milli);
std::string format_bytes(std::int64_t bytes);

struct NamedAmount {
  Symbol name;
  std::int64_t amount = 0;  // Value(); whole units
  friend bool operator==(const NamedAmount&, const NamedAmount&) = default;
};

/// An amount of each resource. A resource that is not mentioned is 0.
struct Resources {
  std::int64_t cpu_milli = 0;
  std::int64_t memory = 0;             // bytes
  std::int64_t ephemeral_storage = 0;  // bytes
  std::int64_t pods = 0;               // only in a node's capacity and allocatable
  std::vector<NamedAmount> other;      // sorted by symbol value, no duplicates

  std::int64_t of(Symbol name) const;       // of `other`
  void set(Symbol name, std::int64_t amount);
  void add(const Resources& more);
  void subtract(const Resources& less);
  /// Per resource the larger one.
  void max_with(const Resources& more);
  bool is_zero() const;
  friend bool operator==(const Resources&, const Resources&) = default;
};

}  // namespace sim::k8s

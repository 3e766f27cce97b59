/// What Kubernetes allows as names, and the spellings that manifests, scenarios and kubectl share.
///
/// Source: apimachinery pkg/util/validation (DNS-1123 subdomain, qualified names, label values); kubectl taint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/models/kubernetes/api/labels.hpp"

namespace sim::scenario {

inline constexpr std::string_view kControlPlaneLabel = "node-role.kubernetes.io/control-plane";
inline constexpr std::string_view kRackLabel = "topology.kubernetes.io/rack";
inline constexpr std::string_view kPoolLabel = "squall.dev/pool";

/// DNS-1123 subdomain: "web-0.example".
bool is_object_name(std::string_view name);
bool is_label_key(std::string_view key);
/// May be empty.
bool is_label_value(std::string_view value);
/// Letters, digits, '-', '_' and '.': what Squall's own things are called.
bool is_plain_name(std::string_view name);

struct TaintText {
  std::string key;
  std::string value;
  k8s::TaintEffect effect = k8s::TaintEffect::kNoSchedule;
};
/// "key=value:NoSchedule" or "key:NoExecute"; empty when it is neither.
std::optional<TaintText> parse_taint(std::string_view text);

/// "2026-01-01T00:00:00Z" as seconds since 1970; empty when it is no such time (UTC only, years 1970 to 9999).
std::optional<std::int64_t> parse_instant(std::string_view text);

}  // namespace sim::scenario

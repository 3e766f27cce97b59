#include "sim/models/kubernetes/kubelet/eviction_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "sim/models/kubernetes/api/resources.hpp"

namespace sim::k8s::kubelet {

namespace {

constexpr std::array<const char*, kSignalCount> kSignalNames = {"nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree",
                                                                "pid.available"};

}  // namespace

std::vector<Threshold> default_thresholds() {
  return {{Signal::kNodefsAvailable, {0, 0.10F}, {}, {}},
          {Signal::kNodefsInodesFree, {0, 0.05F}, {}, {}},
          {Signal::kImagefsAvailable, {0, 0.15F}, {}, {}},
          {Signal::kImagefsInodesFree, {0, 0.05F}, {}, {}}};
}

const char* to_string(Signal signal) { return kSignalNames[static_cast<std::size_t>(signal)]; }

std::optional<Signal> find_signal(std::string_view name) {
  for (std::size_t i = 0; i < kSignalCount; ++i) {
    if (name == kSignalNames[i]) return static_cast<Signal>(i);
  }
  return std::nullopt;
}

bool is_pid(Signal signal) { return signal == Signal::kPidAvailable; }
bool is_inodes(Signal signal) { return signal == Signal::kNodefsInodesFree || signal == Signal::kImagefsInodesFree; }
bool is_imagefs(Signal signal) { return signal == Signal::kImagefsAvailable || signal == Signal::kImagefsInodesFree; }

const char* resource_of(Signal signal) {
  if (is_pid(signal)) return "pids";
  return is_inodes(signal) ? "inodes" : "ephemeral-storage";
}

std::optional<ThresholdValue> parse_threshold_value(std::string_view text, std::string& error) {
  error.clear();
  if (!text.empty() && text.back() == '%') {
    if (text == "0%" || text == "100%") return std::nullopt;  // the kubelet ignores them
    const std::string_view number = text.substr(0, text.size() - 1);
    float percent = 0.0F;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), percent);
    if (failed != std::errc{} || end != number.data() + number.size()) {
      error = "is no percentage such as 10%";
    } else if (percent < 0.0F) {
      error = "must be >= 0%";
    } else if (percent > 100.0F) {
      error = "must be <= 100%";
    }
    if (!error.empty()) return std::nullopt;
    return ThresholdValue{0, percent / 100.0F};
  }
  const std::optional<std::int64_t> amount = parse_quantity(text);
  if (!amount) {
    error = "is neither a percentage such as 10% nor a quantity such as 1Gi";
    return std::nullopt;
  }
  if (*amount <= 0) {
    error = "must be positive";
    return std::nullopt;
  }
  return ThresholdValue{*amount, -1.0F};
}

std::int64_t quantity(const ThresholdValue& value, std::int64_t capacity) {
  if (value.percentage < 0.0F) return value.quantity;
  return static_cast<std::int64_t>(static_cast<double>(capacity) * static_cast<double>(value.percentage));
}

std::int64_t level(const Threshold& threshold, std::int64_t capacity, bool enforce_min_reclaim) {
  std::int64_t below = quantity(threshold.value, capacity);
  if (enforce_min_reclaim && threshold.min_reclaim) below += quantity(*threshold.min_reclaim, capacity);
  return below;
}

bool is_met(const Threshold& threshold, const Observation& observed, bool enforce_min_reclaim) {
  return observed.capacity > 0 && observed.available < level(threshold, observed.capacity, enforce_min_reclaim);
}

void rank_for_disk_eviction(std::vector<DiskCandidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const DiskCandidate& a, const DiskCandidate& b) {
    const bool a_over = a.usage > a.request;
    const bool b_over = b.usage > b.request;
    if (a_over != b_over) return a_over;
    if (a.priority != b.priority) return a.priority < b.priority;
    return a.usage - a.storage_request > b.usage - b.storage_request;
  });
}

void rank_for_pid_eviction(std::vector<DiskCandidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const DiskCandidate& a, const DiskCandidate& b) {
    if (a.priority != b.priority) return a.priority < b.priority;
    return a.usage > b.usage;
  });
}

std::string format_count(std::int64_t count) {
  constexpr std::array<std::pair<std::int64_t, char>, 4> kUnits = {
      {{1'000'000'000'000, 'T'}, {1'000'000'000, 'G'}, {1'000'000, 'M'}, {1'000, 'k'}}};
  for (const auto& [unit, suffix] : kUnits) {
    if (count != 0 && count % unit == 0) return fmt::format("{}{}", count / unit, suffix);
  }
  return fmt::format("{}", count);
}

std::string eviction_message(Signal signal, const Threshold& threshold, const Observation& observed, std::span<const ContainerUse> containers) {
  const std::string resource = resource_of(signal);
  const bool is_bytes = !is_pid(signal) && !is_inodes(signal);
  // A percentage is of the binary format whatever it is one of (GetThresholdQuantity).
  const std::int64_t at = quantity(threshold.value, observed.capacity);
  std::string text = fmt::format("The node was low on resource: {}. Threshold quantity: {}, available: {}. ", resource,
                                 is_bytes || threshold.value.percentage >= 0.0F ? format_bytes(at) : format_count(at),
                                 is_bytes ? format_bytes(observed.available) : format_count(observed.available));
  if (!is_bytes) return text;
  for (const ContainerUse& one : containers) {
    if (one.bytes <= one.request) continue;
    text += fmt::format("Container {} was using {}, request is {}, has larger consumption of {}. ", one.name, format_bytes(one.bytes),
                        format_bytes(one.request), resource);
  }
  return text;
}

std::string empty_dir_message(std::string_view volume, std::int64_t limit) {
  return fmt::format("Usage of EmptyDir volume \"{}\" exceeds the limit \"{}\". ", volume, format_bytes(limit));
}

std::string pod_limit_message(std::int64_t limit) {
  return fmt::format("Pod ephemeral local storage usage exceeds the total limit of containers {}. ", format_bytes(limit));
}

std::string container_limit_message(std::string_view container, std::int64_t limit) {
  return fmt::format("Container {} exceeded its local ephemeral storage limit \"{}\". ", container, format_bytes(limit));
}

}  // namespace sim::k8s::kubelet

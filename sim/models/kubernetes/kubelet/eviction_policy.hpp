/// What the eviction manager decides about disks and processes: when a threshold is met, what a shortage means for the node, who goes first, in which words.
///
/// Source:     kubelet v1.36 pkg/kubelet/eviction/helpers.go (thresholdsMet, GetThresholdQuantity, rankDiskPressureFunc, rankPIDPressure, byEvictionPriority,
///             evictionMessage), eviction_manager.go (localStorageEviction); reference kubernetes 3.9.
/// Leaves out: a file system of its own for writable layers (containerfs.*: with two file systems they are on that of the images); staleness of what
///             is measured (cAdvisor measures directories about once a minute).
/// Checked by: tests/models/kubernetes/kubelet_eviction_policy_test.cpp (upstream's tables).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/kubelet/eviction_config.hpp"

namespace sim::k8s::kubelet {

const char* to_string(Signal signal);       // "nodefs.available"
std::optional<Signal> find_signal(std::string_view name);
/// What is short: "ephemeral-storage", "inodes" or "pids".
const char* resource_of(Signal signal);
bool is_pid(Signal signal);
bool is_inodes(Signal signal);
bool is_imagefs(Signal signal);

/// "10%", "1Gi". An error says what is wrong with it; 0% and 100% are no threshold at all (nullopt without an error).
std::optional<ThresholdValue> parse_threshold_value(std::string_view text, std::string& error);
std::int64_t quantity(const ThresholdValue& value, std::int64_t capacity);

struct Observation {
  std::int64_t available = 0;
  std::int64_t capacity = 0;  // 0: not observed
  double used = 0;            // to the fraction
};
/// Less than the threshold is there (and, `enforce_min_reclaim`, than what is to be reclaimed beyond it).
bool is_met(const Threshold& threshold, const Observation& observed, bool enforce_min_reclaim);
/// Below so much it is met.
std::int64_t level(const Threshold& threshold, std::int64_t capacity, bool enforce_min_reclaim);

struct DiskCandidate {
  std::size_t index = 0;  // of the caller's list
  std::int32_t priority = 0;
  std::int64_t usage = 0;           // bytes or inodes
  std::int64_t request = 0;         // to be over of: ephemeral-storage; 0 for inodes
  std::int64_t storage_request = 0;  // ephemeral-storage, subtracted from the usage whatever that is (for inodes too: upstream does)
};
/// Usage over request first; then lower priority; then the larger excess. Equal ones keep their order.
void rank_for_disk_eviction(std::vector<DiskCandidate>& candidates);
/// Lower priority first; then more processes.
void rank_for_pid_eviction(std::vector<DiskCandidate>& candidates);

/// What one container has, for the message.
struct ContainerUse {
  std::string_view name;
  std::int64_t bytes = 0;  // layer and logs
  std::int64_t request = 0;
};
/// "The node was low on resource: ephemeral-storage. Threshold quantity: 12Gi, available: 11Gi. Container main was using 4Gi, request is 0, has larger
/// consumption of ephemeral-storage. "
std::string eviction_message(Signal signal, const Threshold& threshold, const Observation& observed, std::span<const ContainerUse> containers);
std::string empty_dir_message(std::string_view volume, std::int64_t limit);
std::string pod_limit_message(std::int64_t limit);
std::string container_limit_message(std::string_view container, std::int64_t limit);

/// A count as Kubernetes prints one that is no amount of memory: "1500", "2k", "3M".
std::string format_count(std::int64_t count);

}  // namespace sim::k8s::kubelet

// evictionHard, evictionSoft and what belongs to them, in a KubeletConfiguration's own words; rotation of logs, podPidsLimit.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/models/kubernetes/api/resources.hpp"
#include "sim/models/kubernetes/kubelet/eviction_policy.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

namespace {

using k8s::KubeletConfig;
using k8s::kubelet::Signal;
using k8s::kubelet::Threshold;
using k8s::kubelet::ThresholdValue;

constexpr std::string_view kMemory = "memory.available";

std::vector<std::string> signal_names() {
  std::vector<std::string> names = {std::string(kMemory)};
  for (std::size_t i = 0; i < k8s::kubelet::kSignalCount; ++i) names.emplace_back(to_string(static_cast<Signal>(i)));
  return names;
}

/// One entry of such a map: a signal, and the value's node.
struct Entry {
  std::string signal;
  Node key;
  Node value;
};

std::vector<Entry> entries(Node kubelet, std::string_view section, Reader& reader) {
  std::vector<Entry> list;
  const Node node = kubelet.find(section);
  if (!node.is_map()) return list;  // absent, or told already
  for (std::size_t i = 0; i < node.size(); ++i) {
    if (!node.value(i).is_scalar()) continue;  // told already
    const std::string name(node.key(i).text());
    if (name.starts_with("containerfs.")) {
      Diagnostic& d = reader.diagnostics.error(node.key(i), fmt::format("{} is not modelled", name));
      d.hint = "the kubelet takes it from the file system that writable layers are on: nodefs.* without imageDisk, imagefs.* with it";
    } else if (name == "allocatableMemory.available") {
      reader.diagnostics.error(node.key(i), "allocatableMemory.available has the threshold of memory.available").hint = "set memory.available";
    } else if (name != kMemory && !k8s::kubelet::find_signal(name)) {
      detail::unknown_key(node.key(i), std::string(section), signal_names(), reader);
    } else {
      list.push_back({name, node.key(i), node.value(i)});
    }
  }
  return list;
}

std::optional<ThresholdValue> value_of(const Entry& entry, Reader& reader) {
  std::string error;
  const std::optional<ThresholdValue> value = k8s::kubelet::parse_threshold_value(entry.value.text(), error);
  if (!error.empty()) {
    reader.diagnostics.error(entry.value, fmt::format("'{}' {}", entry.value.text(), error)).expected = "a percentage such as 10% or a quantity such as 1Gi";
  }
  return value;
}

/// What is reclaimed beyond a threshold may be nothing: the documentation's own example has memory.available: "0Mi".
bool is_zero(const Entry& entry) { return k8s::parse_quantity(entry.value.text()) == 0; }

/// Memory of every machine is looked at with one figure.
std::optional<std::int64_t> memory_of(const Entry& entry, Reader& reader) {
  const std::optional<ThresholdValue> value = value_of(entry, reader);
  if (!value) return std::nullopt;
  if (value->percentage >= 0.0F) {
    reader.diagnostics.error(entry.value, "memory.available as a percentage is not modelled").expected = "a quantity such as 100Mi";
    return std::nullopt;
  }
  return value->quantity;
}

void refuse_twice(Node kubelet, std::string_view old_key, const Entry& entry, Reader& reader) {
  if (kubelet.find(old_key).is_null()) return;
  reader.diagnostics.error(entry.key, fmt::format("kubelet.{} says the same", old_key)).hint = "keep one of the two";
}

std::optional<SimDuration> grace_of(const std::vector<Entry>& graces, const std::string& signal, Reader& reader) {
  for (const Entry& entry : graces) {
    SimDuration span{};
    if (entry.signal == signal && detail::read_duration(entry.value, span, reader)) return span;
  }
  return std::nullopt;
}

/// pkg/kubelet/apis/config/validation: none stands alone.
bool read_enforced(Node node, KubeletConfig& to, Reader& reader) {
  std::vector<std::string> names;
  if (!Codec<std::vector<std::string>>::read(node, names, reader, "enforceNodeAllocatable")) return false;
  to.limits_all_pods = false;
  for (const std::string& name : names) {
    if (name == "pods") {
      to.limits_all_pods = true;
    } else if (name == "none") {
      if (names.size() > 1) reader.diagnostics.error(node, "none stands alone in enforceNodeAllocatable");
    } else if (name == "system-reserved" || name == "kube-reserved" || name == "system-reserved-compressible" || name == "kube-reserved-compressible") {
      Diagnostic& d = reader.diagnostics.error(node, fmt::format("{} is not modelled: what the system's own daemons use does not grow here, so that a limit would never be met", name));
      d.hint = "leave it out; what is reserved is taken from allocatable all the same";
    } else {
      Diagnostic& d = reader.diagnostics.error(node, fmt::format("'{}' is nothing that a kubelet enforces", name));
      d.expected = "one of: none, pods";
      const std::vector<std::string> known = {"none", "pods"};
      d.hint = did_you_mean(name, known);
    }
  }
  return true;
}

bool read_gates(Node node, Reader& reader) {
  if (!node.is_map()) {
    reader.diagnostics.error(node, "wrong type of value").expected = "a map of feature gates, such as {MemoryQoS: false}";
    return false;
  }
  for (std::size_t i = 0; i < node.size(); ++i) {
    const std::string name(node.key(i).text());
    bool is_on = false;
    if (!detail::read_bool(node.value(i), is_on, reader)) continue;
    if (name != "MemoryQoS") {
      reader.diagnostics.error(node.key(i), fmt::format("the feature gate '{}' changes nothing here", name)).expected = "MemoryQoS: false, or no featureGates";
    } else if (is_on) {
      reader.diagnostics.error(node.key(i), "MemoryQoS is not modelled: memory.min and memory.high of cgroups stay as the kernel has them").hint = "it is alpha and off by default";
    }
  }
  return true;
}

}  // namespace

void describe_eviction(Fields<KubeletConfig>& fields) {
  const auto map_of = [&fields](std::string_view name, std::string_view doc) {
    fields.custom(name, Codec<std::map<std::string, std::string>>::type(), doc, [](Node node, KubeletConfig&, Reader& reader) {
      std::map<std::string, std::string> ignored;  // read by resolve_eviction(), when all of them are there
      return detail::read_string_map(node, ignored, reader);
    });
  };
  map_of("evictionHard",
         "Thresholds as in a KubeletConfiguration, by signal: {nodefs.available: 10%, imagefs.available: 15%}. Signals: memory.available, nodefs.available, "
         "nodefs.inodesFree, imagefs.available, imagefs.inodesFree, pid.available. With it, signals that it does not name have no threshold. "
         "Without it: memory.available 100Mi, nodefs.available 10%, nodefs.inodesFree 5%, imagefs.available 15%, imagefs.inodesFree 5%.");
  fields.custom("mergeDefaultEvictionSettings", Codec<bool>::type(), "Signals that evictionHard does not name keep their default.",
                [](Node node, KubeletConfig&, Reader& reader) {
                  bool ignored = false;
                  return detail::read_bool(node, ignored, reader);
                });
  map_of("evictionSoft", "The same thresholds, met only after their grace period.");
  map_of("evictionSoftGracePeriod", "That period, by signal: {nodefs.available: 2m}.");
  map_of("evictionMinimumReclaim", "How much more than the threshold is reclaimed, by signal: {nodefs.available: 500Mi}.");
  fields
      .custom("containerLogMaxSize", TypeInfo{.kind = TypeInfo::Kind::kBytes}, "A container's log of this size is rotated (looked at every 10s); -1: never.",
              [](Node node, KubeletConfig& to, Reader& reader) {
                if (node.text() == "-1") {
                  to.disk.container_log_max_size = -1;
                  return true;
                }
                return detail::read_bytes(node, to.disk.container_log_max_size, reader);
              })
      .default_text("10Mi")
      .custom("containerLogMaxFiles", Codec<std::int64_t>::type(), "Files of a container's log that are kept; all but the newest two are compressed.",
              [](Node node, KubeletConfig& to, Reader& reader) { return detail::read_integer(node, 2, 1'000'000, to.disk.container_log_max_files, reader); })
      .default_text("5")
      .custom("podPidsLimit", Codec<std::int64_t>::type(), "Processes and threads that one pod may have; -1: no limit.",
              [](Node node, KubeletConfig& to, Reader& reader) { return detail::read_integer(node, -1, 1'000'000'000, to.disk.pod_pids_limit, reader); })
      .default_text("-1")
      .custom("enforceNodeAllocatable", Codec<std::vector<std::string>>::type(),
              "[pods]: the kubepods cgroup may use what is not reserved, and its pods are killed there when they outrun the eviction manager. [none]: no such limit, and they are killed when "
              "the machine has nothing left.",
              [](Node node, KubeletConfig& to, Reader& reader) { return read_enforced(node, to, reader); })
      .default_text("[pods]")
      .custom("featureGates", Codec<std::map<std::string, std::string>>::type(), "Of the kubelet: MemoryQoS alone is known here, and false, its default.",
              [](Node node, KubeletConfig&, Reader& reader) { return read_gates(node, reader); });
}

void resolve_eviction(Node kubelet, KubeletConfig& config, Reader& reader) {
  if (!kubelet.is_map()) return;
  bool merges = false;
  if (const Node node = kubelet.find("mergeDefaultEvictionSettings"); !node.is_null()) {
    detail::read_bool(node, merges, reader);
    if (kubelet.find("evictionHard").is_null()) reader.diagnostics.error(node, "mergeDefaultEvictionSettings says nothing without evictionHard");
  }
  const std::vector<Entry> hard = entries(kubelet, "evictionHard", reader);
  const std::vector<Entry> soft = entries(kubelet, "evictionSoft", reader);
  const std::vector<Entry> graces = entries(kubelet, "evictionSoftGracePeriod", reader);
  const std::vector<Entry> reclaims = entries(kubelet, "evictionMinimumReclaim", reader);
  const auto names = [](const std::vector<Entry>& list, const std::string& signal) {
    return std::any_of(list.begin(), list.end(), [&](const Entry& one) { return one.signal == signal; });
  };

  std::vector<Threshold> thresholds;
  if (kubelet.find("evictionHard").is_null() || merges) {
    for (const Threshold& one : k8s::kubelet::default_thresholds()) {
      if (!names(hard, to_string(one.signal))) thresholds.push_back(one);
    }
  } else if (!names(hard, std::string(kMemory)) && kubelet.find("hardEvictionMemory").is_null()) {
    config.hard_eviction_memory = 0;
  }
  for (const Entry& entry : hard) {
    if (entry.signal == kMemory) {
      refuse_twice(kubelet, "hardEvictionMemory", entry, reader);
      if (const std::optional<std::int64_t> amount = memory_of(entry, reader)) config.hard_eviction_memory = *amount;
      continue;
    }
    if (const std::optional<ThresholdValue> value = value_of(entry, reader)) {
      thresholds.push_back({*k8s::kubelet::find_signal(entry.signal), *value, SimDuration{}, std::nullopt});
    }
  }
  for (const Entry& entry : soft) {
    const std::optional<SimDuration> grace = grace_of(graces, entry.signal, reader);
    if (!grace || *grace <= SimDuration{}) {
      reader.diagnostics.error(entry.key, fmt::format("{} needs its evictionSoftGracePeriod: a kubelet does not start without it", entry.signal));
      continue;
    }
    if (entry.signal == kMemory) {
      refuse_twice(kubelet, "softEvictionMemory", entry, reader);
      if (const std::optional<std::int64_t> amount = memory_of(entry, reader)) {
        config.soft_eviction_memory = *amount;
        config.soft_eviction_grace = *grace;
      }
      continue;
    }
    if (const std::optional<ThresholdValue> value = value_of(entry, reader)) {
      thresholds.push_back({*k8s::kubelet::find_signal(entry.signal), *value, *grace, std::nullopt});
    }
  }
  for (const Entry& entry : graces) {
    if (!names(soft, entry.signal)) reader.diagnostics.error(entry.key, fmt::format("{} has no threshold in evictionSoft", entry.signal));
  }
  for (const Entry& entry : reclaims) {
    if (entry.signal == kMemory) {
      refuse_twice(kubelet, "minimumReclaim", entry, reader);
      if (is_zero(entry)) config.minimum_reclaim_memory = 0;
      else if (const std::optional<std::int64_t> amount = memory_of(entry, reader)) config.minimum_reclaim_memory = *amount;
      continue;
    }
    const std::optional<ThresholdValue> value = is_zero(entry) ? std::nullopt : value_of(entry, reader);
    bool is_used = false;
    for (Threshold& one : thresholds) {
      if (entry.signal != to_string(one.signal)) continue;
      one.min_reclaim = value;
      is_used = true;
    }
    if (!is_used) reader.diagnostics.error(entry.key, fmt::format("{} has no threshold", entry.signal));
  }
  std::stable_sort(thresholds.begin(), thresholds.end(), [](const Threshold& a, const Threshold& b) { return a.signal < b.signal; });
  config.disk.thresholds = std::move(thresholds);
}

}  // namespace sim::scenario

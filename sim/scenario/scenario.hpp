/// The scenario file: what is built, what runs on it, what goes wrong, what is expected.
///
///   apiVersion: squall.dev/v1alpha1
///   kind: Scenario
///
/// Every key is documented in docs/scenario.md, which comes from the same lists of fields as the reader and the JSON Schema.
///
/// Leaves out: reading `faults` and `expect`: they are handed on as they stand (chaos reads them).
/// Checked by: tests/scenario/scenario_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api_load/config.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/controllers/controller_manager.hpp"
#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/models/kubernetes/kubelet/behaviour.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/scheduler/scheduler.hpp"
#include "sim/models/topology/topology.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/ceph_spec.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/monitoring_spec.hpp"
#include "sim/scenario/reference.hpp"
#include "sim/scenario/registry_spec.hpp"
#include "sim/scenario/services_spec.hpp"

namespace sim::scenario {

struct FailuresSpec;
struct TrafficSpec;

struct MetadataSpec {
  std::string name;
  std::string description;
  std::map<std::string, std::string> labels;
};

struct RunSpec {
  SimDuration until{std::chrono::hours(1)};
  std::uint64_t seed = 1;
  SimDuration warm_up{};
  std::int64_t start_unix_seconds = k8s::kDefaultStartUnixSeconds;  // wall-clock time of virtual time 0
};

/// A region, zone, rack, power feed or switch.
struct ElementSpec {
  std::string name;
  Place where;
  topology::ElementKind kind = topology::ElementKind::kRack;
  Reference in;
  std::vector<Reference> power;    // alternatives
  std::vector<Reference> network;  // alternatives
};

/// What a machine is, whether its node comes from a pool or from a manifest.
struct MachineSpec {
  host::Machine machine = host::Machine::kBareMetal;
  double nic_bits_per_second = 10e9;
  host::BootTime boot{};
  host::BootTime kubelet_start{};
  SimDuration fsync{std::chrono::microseconds(300)};
  double disk_bytes_per_second = 500e6;
  double disk_operations_per_second = 0.0;
  host::DiskScheduler disk_scheduler = host::DiskScheduler::kNone;
  std::int64_t image_disk = 0;  // 0: images are on the first disk
  host::MemoryExhaustion memory_exhaustion = host::MemoryExhaustion::kOomKill;
  SimDuration oom_stall{std::chrono::seconds(30)};
  SimDuration hang_reset_after{std::chrono::minutes(10)};
  host::KernelConfig kernel;
};

/// What the kubelet keeps back for the system.
struct ReservedSpec {
  std::int64_t cpu_milli = 0;
  std::int64_t memory = 0;
  std::int64_t ephemeral_storage = 0;
};

/// Machines of one shape.
struct PoolSpec : MachineSpec {
  std::string name;
  Place where;
  std::int64_t count = 1;
  std::string node_name;  // "w{n}"; empty: "<pool>-{n}"
  bool node = true;       // false: machines without a kubelet, which carry the VMs of other pools
  bool control_plane = false;
  Reference hosts;        // pool of the machines that carry these VMs
  std::int64_t cpu_milli = 8000;
  std::int64_t memory = 32ll << 30;
  std::int64_t disk = 200ll << 30;
  std::int64_t pods = 110;
  std::map<std::string, std::string> resources;  // extended resources: "nvidia.com/gpu": "8"
  ReservedSpec reserved;
  std::map<std::string, std::string> labels;
  std::optional<std::vector<Reference>> taints;  // "key=value:Effect"; absent: the control plane's, where it is one
  std::vector<Reference> racks;                  // elements of the topology, taken in turn
  bool unschedulable = false;

  /// The names of its machines, in order (filled by the reader).
  std::vector<std::string> machine_names;
};

struct ImagesSpec {
  std::int64_t default_bytes = 300ll << 20;
  std::map<std::string, std::int64_t> sizes;
  double registry_bytes_per_second = 100e6;
  Reference registry_service;  // "namespace/name" of a Service in the cluster; empty: outside
  bool preloaded = true;
  RegistryImagesSpec with_registries;
};

struct SchedulerSpec : k8s::SchedulerConfig {
  Node config;  // a KubeSchedulerConfiguration, or the path of one
};

/// Everything that a run consists of. Immutable once read: many worlds are built from it, on several threads.
struct ScenarioSpec {
  std::string file;
  MetadataSpec metadata;
  RunSpec run;
  std::vector<ElementSpec> topology;
  std::vector<PoolSpec> pools;
  MachineSpec node_defaults;  // machines of the nodes that come from manifests
  k8s::ControlPlaneConfig control_plane;
  k8s::api_load::Config api_servers;
  SchedulerSpec scheduler;
  k8s::ControllerManagerConfig controllers;
  k8s::KubeletConfig kubelet;
  ImagesSpec images;
  bool has_registries = false;  // the section is there, be it empty
  std::vector<RegistrySpec> registries;
  std::optional<NetworkSpec> network;
  std::optional<CephSpec> ceph;
  ServicesSpec platform;  // `services`, `vms` and behaviours[].needs
  std::optional<MonitoringSpec> monitoring;
  std::vector<k8s::PodBehaviour> behaviours;
  std::vector<Reference> manifests;  // files, folders, globs
  std::shared_ptr<const FailuresSpec> failures;  // null: nothing fails by itself
  std::shared_ptr<const TrafficSpec> traffic;    // null: nobody asks anything of a Service
  /// The sections of other layers, as they stand; absent when the file has none.
  Node faults;
  Node expect;

  /// All objects of `manifests` and `objects`, their symbols of `names`.
  ManifestSet objects;
  std::shared_ptr<const Interner> names;
  /// The file after `extends` and overrides: keeps the nodes above alive.
  std::shared_ptr<const Document> document;
  /// Place of a top-level key, for what is wrong with a whole section; the first line when there is none.
  Place place_of(std::string_view key) const;

  /// Names of the nodes of each pool that has nodes.
  std::map<std::string, std::vector<std::string>> nodes_of_pools() const;
};

struct Override {
  std::string path;   // "pools.workers.count"
  std::string value;  // YAML: "5", "30s", "[a, b]"
};
/// "path=value" as `--set` takes it.
std::optional<Override> parse_override(std::string_view text);

/// Reads a scenario with what it extends and refers to. Null when anything is wrong; all of it is in `diagnostics` then.
std::shared_ptr<const ScenarioSpec> read_scenario(const std::string& path, const std::vector<Override>& overrides, Diagnostics& diagnostics);
/// The same for a text that is already there; relative paths are taken from the folder of `name`.
std::shared_ptr<const ScenarioSpec> read_scenario_text(std::string name, std::string text, const std::vector<Override>& overrides,
                                                       Diagnostics& diagnostics);

/// True for a file whose first document says `kind: Scenario` (what it says beyond that may be wrong).
bool is_scenario(const Document& document);

}  // namespace sim::scenario

/// The fields of a scenario: the one list from which the reader, the JSON Schema and docs/scenario.md come. Internal to sim/scenario.
#pragma once

#include "sim/scenario/fields.hpp"
#include "sim/scenario/memory_spec.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

/// The file as it is read, before what it refers to is looked up.
struct ScenarioFile {
  std::string api_version;
  std::string kind;
  ScenarioSpec spec;
  Reference extends;
  std::vector<Reference> service_files;
  std::vector<struct BehaviourSpec> behaviours;
  Node objects;
};

struct MatchSpec {
  std::string ns;
  std::map<std::string, std::string> labels;
};
struct BehaviourSpec {
  MatchSpec match;
  std::optional<SimDuration> start_up;
  std::optional<double> start_up_sigma;
  std::optional<SimDuration> run_time;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int64_t> memory;
  std::optional<SimDuration> stop_time;
  std::optional<std::int64_t> page_cache;
  std::optional<double> page_cache_active;
  std::optional<std::int64_t> slab;
  std::optional<std::int64_t> cpu_milli;
  std::optional<double> disk_bytes_per_second;
  std::optional<double> disk_operations_per_second;
  std::optional<SimDuration> probe_work;
  std::optional<double> writes;
  std::optional<std::int64_t> writes_up_to;
  std::optional<std::int64_t> written_file_size;
  std::optional<double> logs;
  std::optional<std::int64_t> processes;
  std::optional<double> process_growth;
  std::vector<Reference> needs;
};

template <>
struct Codec<Reference> {
  static TypeInfo type() { return {.kind = TypeInfo::Kind::kString}; }
  static bool read(Node node, Reference& to, Reader& reader, std::string_view) {
    to.where = node.place();
    return detail::read_string(node, to.text, reader);
  }
  static std::string show(const Reference& value) { return value.text; }
};

void describe(Fields<ScenarioFile>& fields);
/// Adds `failures`: its structs are known to failures_fields.cpp alone.
void add_failures(Fields<ScenarioFile>& fields);
/// Adds `traffic` and `kubeProxy`: traffic_fields.cpp.
void add_traffic(Fields<ScenarioFile>& fields);
/// Adds `plan` (capacity_plan_fields.cpp).
void add_capacity_plan(Fields<ScenarioFile>& fields);
void describe(Fields<MetadataSpec>& fields);
void describe(Fields<RunSpec>& fields);
void describe(Fields<ElementSpec>& fields);
void describe(Fields<MachineSpec>& fields);
void describe(Fields<host::BootTime>& fields);
void describe(Fields<ReservedSpec>& fields);
void describe(Fields<KernelSpec>& fields);
void describe(Fields<PoolSpec>& fields);
void describe(Fields<ImagesSpec>& fields);
void describe(Fields<MatchSpec>& fields);
void describe(Fields<BehaviourSpec>& fields);
void describe(Fields<k8s::EtcdConfig>& fields);
void describe(Fields<k8s::ComponentLimits>& fields);
void describe(Fields<k8s::ControlPlaneConfig>& fields);
void describe(Fields<SchedulerSpec>& fields);
void describe(Fields<k8s::ControllerManagerConfig>& fields);
void describe(Fields<k8s::KubeletConfig>& fields);
/// evictionHard and its like, rotation of logs, podPidsLimit (eviction_fields.cpp).
void describe_eviction(Fields<k8s::KubeletConfig>& fields);
/// What they say together; `kubelet` is the section as it stands.
void resolve_eviction(Node kubelet, k8s::KubeletConfig& config, Reader& reader);
void describe(Fields<CephSpec>& fields);
void describe(Fields<CephMonSpec>& fields);
void describe(Fields<CephMgrSpec>& fields);
void describe(Fields<CephOsdSpec>& fields);
void describe(Fields<CephPoolSpec>& fields);
void describe(Fields<ErasureSpec>& fields);
void describe(Fields<CephFilesystemSpec>& fields);
void describe(Fields<CephObjectStoreSpec>& fields);
void describe(Fields<CephIoTimeoutSpec>& fields);
void describe(Fields<CephOptions>& fields);
void describe(Fields<ServiceSpec>& fields);
void describe(Fields<ServiceSpec::Proxy>& fields);
void describe(Fields<ServiceMatchSpec>& fields);
void describe(Fields<CacheSpec>& fields);
void describe(Fields<OperationSpec>& fields);
void describe(Fields<VmPoolSpec>& fields);
void describe(Fields<services::QuorumConfig>& fields);
void describe(Fields<services::BrokerConfig>& fields);
void describe(Fields<services::ElectionConfig>& fields);
void describe(Fields<MonitoringSpec>& fields);
void describe(Fields<PrometheusSpec>& fields);
void describe(Fields<AlertmanagerSpec>& fields);
void describe(Fields<ReceiverSpec>& fields);
void describe(Fields<DeadMansSwitchSpec>& fields);
void describe(Fields<ProbeSpec>& fields);

}  // namespace sim::scenario

/// Kinds that are known and refused whole: their fields are checked, and nothing is simulated that they could act on.
///
/// Source: api/v1alpha1/{blockchaos,kernelchaos,jvmchaos,physical_machine_chaos,physical_machine,remote_cluster}_types.go.
#include <fmt/format.h>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"

namespace chaos::mesh {
namespace {

/// What a refused kind does: nothing, for none gets that far.
struct Refused : ChaosSpec, ContainerSelection {
  std::vector<Target> select(Cluster&, const std::string&, sim::RandomStream&, std::string&) const override { return {}; }
  void check(CheckContext&) const override {}
  std::unique_ptr<Effect> make(Cluster&) const override { return nullptr; }
};
template <class T>
void known(Fields<T>& fields, std::string_view name, TypeInfo::Kind type) {
  fields.custom(name, TypeInfo{.kind = type}, kNotModelled, [](Node, T&, Reader&) { return true; });
}

struct BlockChaos final : Refused {
  std::string action;
};
void describe(Fields<BlockChaos>& fields) {
  fields.choice("action", &BlockChaos::action, std::vector<std::pair<std::string, std::string>>{{"delay", "delay"}}, kNotModelled).required();
  known(fields, "delay", TypeInfo::Kind::kObject);
  known(fields, "volumeName", TypeInfo::Kind::kString);
  fields.required();
  describe_containers(fields);
  describe_common(fields, kNotModelled);
}

struct KernelChaos final : Refused {};
void describe(Fields<KernelChaos>& fields) {
  known(fields, "failKernRequest", TypeInfo::Kind::kObject);
  fields.required();
  describe_containers(fields);
  describe_common(fields, kNotModelled);
}

struct JvmChaos final : Refused {
  std::string action;
};
void describe(Fields<JvmChaos>& fields) {
  fields.choice("action", &JvmChaos::action,
                std::vector<std::pair<std::string, std::string>>{{"latency", "latency"}, {"return", "return"}, {"exception", "exception"}, {"stress", "stress"}, {"gc", "gc"}, {"ruleData", "ruleData"}, {"mysql", "mysql"}},
                kNotModelled)
      .required();
  for (const char* name : {"name", "returnValue", "exception", "ruleData", "class", "method", "memType", "mysqlConnectorVersion", "database", "table", "sqlType"}) known(fields, name, TypeInfo::Kind::kString);
  for (const char* name : {"latency", "port", "pid", "cpuCount"}) known(fields, name, TypeInfo::Kind::kInteger);
  describe_containers(fields);
  describe_common(fields, kNotModelled);
}

struct PhysicalMachineChaos final : Refused {};
void describe(Fields<PhysicalMachineChaos>& fields) {
  known(fields, "action", TypeInfo::Kind::kString);
  fields.required();
  known(fields, "address", TypeInfo::Kind::kList);
  known(fields, "selector", TypeInfo::Kind::kObject);
  known(fields, "mode", TypeInfo::Kind::kString);
  known(fields, "value", TypeInfo::Kind::kString);
  known(fields, "uid", TypeInfo::Kind::kString);
  for (const char* name :
       {"stress-cpu", "stress-mem", "disk-read-payload", "disk-write-payload", "disk-fill", "network-corrupt", "network-duplicate", "network-loss", "network-delay", "network-partition", "network-dns",
        "network-bandwidth", "network-flood", "network-down", "process", "jvm-exception", "jvm-gc", "jvm-latency", "jvm-return", "jvm-stress", "jvm-rule-data", "jvm-mysql", "clock", "redis-expiration",
        "redis-penetration", "redis-cacheLimit", "redis-restart", "redis-stop", "kafka-fill", "kafka-flood", "kafka-io", "http-abort", "http-delay", "http-config", "http-request", "file-create", "file-modify",
        "file-delete", "file-rename", "file-append", "file-replace", "vm", "user_defined"}) {
    known(fields, name, TypeInfo::Kind::kObject);
  }
  describe_common(fields, kNotModelled);
}

struct PhysicalMachine final : Refused {};
void describe(Fields<PhysicalMachine>& fields) {
  known(fields, "address", TypeInfo::Kind::kString);
  fields.required();
}

struct RemoteCluster final : Refused {};
void describe(Fields<RemoteCluster>& fields) {
  known(fields, "namespace", TypeInfo::Kind::kString);
  known(fields, "kubeConfig", TypeInfo::Kind::kObject);
  fields.required();
  known(fields, "version", TypeInfo::Kind::kString);
  known(fields, "configOverride", TypeInfo::Kind::kObject);
}

}  // namespace

Kind block_chaos() { return make_refused_kind<BlockChaos>("BlockChaos", "blockChaos", "block devices of volumes; of slow disks there are ceph-disk and disk-slow"); }
Kind kernel_chaos() { return make_refused_kind<KernelChaos>("KernelChaos", "kernelChaos", "failing calls inside of the kernel"); }
Kind jvm_chaos() { return make_refused_kind<JvmChaos>("JVMChaos", "jvmChaos", "what goes on inside of a process"); }
Kind physical_machine_chaos() { return make_refused_kind<PhysicalMachineChaos>("PhysicalMachineChaos", "physicalmachineChaos", "machines with chaosd; node-crash, node-hang, process-kill, network-partition and their like are faults of their own"); }
Kind physical_machine() { return make_refused_kind<PhysicalMachine>("PhysicalMachine", "", "machines with chaosd"); }
Kind remote_cluster() { return make_refused_kind<RemoteCluster>("RemoteCluster", "", "one cluster is simulated"); }

}  // namespace chaos::mesh

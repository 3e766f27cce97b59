/// StressChaos: processes in a container that use CPU, memory or the disk.
///
/// Source:     api/v1alpha1/stresschaos_types.go (arguments of stress-ng and memStress), stress-ng(1). They run in the container's cgroup: its limits hold for them
///             too, and with memory.oom.group (kubelet from 1.28 on, cgroup v2) the container dies with them. memStress (github.com/chaos-mesh/memStress main.go): its workers
///             take the size together, a share is one of the machine's memory whatever the container's limit is, and without a size (0KB) they take nothing.
/// Leaves out: stress-ng's other stressors; memStress's workers are started one a second, here at once; the shape of the load within a second.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"

namespace chaos::mesh {
namespace {

struct MemoryStressor {
  std::int64_t workers = 1;
  SizeText size;
  std::int64_t oom_score_adj = 0;
};
struct CpuStressor {
  std::int64_t workers = 1;
  std::int64_t load = 100;
  std::optional<SimDuration> timeout;
  std::int64_t disk_workers = 0;
};
struct Stressors {
  std::optional<MemoryStressor> memory;
  std::optional<CpuStressor> cpu;
};

/// One argument, or an option and its value; what stress-ng is told last counts.
bool read_options(Node node, CpuStressor& to, Reader& reader) {
  std::vector<std::string> options;
  if (!sim::scenario::Codec<std::vector<std::string>>::read(node, options, reader, "options")) return false;
  bool good = true;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string& option = options[i];
    const std::size_t end = option.find_first_of(" =");
    const std::string name = option.substr(0, end);
    std::string value = end == std::string::npos ? std::string() : option.substr(end + 1);
    if (value.empty() && i + 1 < options.size() && !options[i + 1].starts_with('-')) value = options[++i];
    const Node where = node.item(i);
    std::int64_t number = 0;
    const bool is_number = !value.empty() && value.size() < 10 && std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (is_number) number = std::stoll(value);
    if ((name == "--cpu" || name == "-c") && is_number) {
      to.workers = number;
    } else if ((name == "--cpu-load" || name == "-l") && is_number && number <= 100) {
      to.load = number;
    } else if ((name == "--hdd" || name == "-d") && is_number) {
      to.disk_workers = number;
    } else if (name == "--timeout" || name == "-t") {
      const std::optional<SimDuration> timeout = is_number ? std::optional<SimDuration>(std::chrono::seconds(number)) : parse_go_duration(value);
      if (timeout) {
        to.timeout = timeout;
      } else {
        reader.diagnostics.error(where, fmt::format("'{}' is no time to stop after", option)).expected = "--timeout 60, --timeout 60s";
        good = false;
      }
    } else {
      reader.diagnostics.error(where, fmt::format("{}stress-ng's option '{}'", kNotModelled, option)).expected = "--cpu N, --cpu-load P, --timeout T, --hdd N";
      good = false;
    }
  }
  return good;
}

template <class T>
void check_workers(const T& spec, Node node, Reader& reader) {
  if (spec.workers <= 0) reader.diagnostics.error(node.find("workers"), "workers should always be positive");
}

void describe(Fields<MemoryStressor>& fields) {
  fields.add("workers", &MemoryStressor::workers, -8192, 8192, "Threads that share the size.").required()
      .add("size", &MemoryStressor::size, "How much all workers take together: 256MB, or a share (50%) of the memory of the machine, not of the limit of the container. Without it, nothing.")
      .add("oomScoreAdj", &MemoryStressor::oom_score_adj, -1000, 1000, "Of the stressing process. The container dies as one (memory.oom.group), whatever it says.");
  refused(fields, "options", TypeInfo::Kind::kList, "options of memStress");
  fields.rule([](const MemoryStressor& spec, Node node, Reader& reader) { check_workers(spec, node, reader); });
}
void describe(Fields<CpuStressor>& fields) {
  fields.add("workers", &CpuStressor::workers, -8192, 8192, "Threads.").required()
      .add("load", &CpuStressor::load, 0, 100, "Percent of a core that each uses.")
      .custom("options", TypeInfo{.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(TypeInfo{.kind = TypeInfo::Kind::kString})},
              "Of stress-ng: --cpu N, --cpu-load P, --timeout T, --hdd N (writers that take what the node's disk gives). Others are refused.", read_options);
  fields.rule([](const CpuStressor& spec, Node node, Reader& reader) { check_workers(spec, node, reader); });
}
void describe(Fields<Stressors>& fields) {
  fields.add("memory", &Stressors::memory, "Memory.").add("cpu", &Stressors::cpu, "CPU.");
  fields.rule([](const Stressors& spec, Node node, Reader& reader) {
    if (!spec.memory && !spec.cpu) reader.diagnostics.error(node, "missing stressors").expected = "cpu, memory or both";
  });
}

struct StressChaos final : ChaosSpec, ContainerSelection {
  std::optional<Stressors> stressors;

  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override { return container_targets(*this, cluster, ns, random, why); }
  void check(CheckContext& context) const override { check_selection(*this, context); }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

void describe(Fields<StressChaos>& fields) {
  fields.title("Containers are stressed.").add("stressors", &StressChaos::stressors, "What they are stressed with.");
  refused(fields, "stressngStressors", TypeInfo::Kind::kString, "stress-ng's own language; use 'stressors'");
  describe_containers(fields);
  describe_common(fields);
  fields.rule([](const StressChaos& spec, Node node, Reader& reader) {
    if (!spec.stressors) reader.diagnostics.error(node, "missing stressors").expected = "stressors: {cpu: ..., memory: ...}";
  });
}

class StressEffect final : public Effect {
 public:
  StressEffect(Cluster& cluster, const StressChaos& spec) : Effect(cluster), spec_(spec) {}

  std::string apply(const Target& target, const std::vector<Target>&) override {
    sim::World& w = world();
    if (std::string why = not_running(w, target); !why.empty()) return why;
    const sim::host::HostSpec& host = w.hosts.spec(w.kubelets.host_of(w.api.get(target.pod)->node));
    sim::k8s::Kubelets::Stress stress;
    std::optional<SimDuration> timeout;
    if (const std::optional<CpuStressor>& cpu = spec_.stressors->cpu) {
      stress.cpu_workers = static_cast<double>(cpu->workers);
      stress.cpu_cores = stress.cpu_workers * static_cast<double>(cpu->load) / 100.0;
      if (cpu->disk_workers > 0) stress.disk_bytes_per_second = host.disk_bytes_per_second;
      timeout = cpu->timeout;
    }
    if (const std::optional<MemoryStressor>& memory = spec_.stressors->memory) {
      // A share of what /proc/meminfo says, which knows nothing of the cgroup. Without a size: 0KB.
      const double share = memory->size.percent ? *memory->size.percent / 100.0 : 0.0;
      stress.memory_bytes = static_cast<std::int64_t>(memory->size.bytes + share * static_cast<double>(host.memory_bytes));
    }
    std::string what;
    if (stress.cpu_cores > 0.0) what += fmt::format("{:.3g} cores", stress.cpu_cores);
    if (stress.memory_bytes > 0) what += fmt::format("{}{:.4g} GB of memory", what.empty() ? "" : ", ", static_cast<double>(stress.memory_bytes) / 1e9);
    if (stress.disk_bytes_per_second > 0.0) what += ", the disk";
    const sim::ScopedCause because(w.engine, w.api.record(target.pod, "Stressed", fmt::format("stress in container {}: {}", w.names.text(target.container), what)));
    const std::uint64_t number = cluster_.stress(target, stress);
    if (number == 0) return fmt::format("container {} is not running", target.id);
    numbers_[target.id] = number;
    if (timeout) w.engine.after(*timeout, [&cluster = cluster_, alive = std::weak_ptr<const void>(cluster_.alive()), number] {
      if (!alive.expired()) cluster.relieve(number);
    });
    return {};
  }
  void recover(const Target& target) override { cluster_.relieve(numbers_[target.id]); }

 private:
  const StressChaos& spec_;
  std::map<std::string, std::uint64_t> numbers_;
};

std::unique_ptr<Effect> StressChaos::make(Cluster& cluster) const { return std::make_unique<StressEffect>(cluster, *this); }

}  // namespace

Kind stress_chaos() { return make_kind<StressChaos>("StressChaos", "stressChaos", "Processes in containers use CPU, memory or the disk."); }

}  // namespace chaos::mesh

#include "sim/scenario/scenario_fields.hpp"

#include <fmt/format.h>

#include "sim/scenario/names.hpp"
#include "sim/scenario/api_load_fields.hpp"
#include "sim/scenario/registry_fields.hpp"

namespace sim::scenario {

namespace {

template <class T>
void describe_machine(Fields<T>& fields) {
  fields
      .choice("machine", &T::machine, {{"bare-metal", host::Machine::kBareMetal}, {"vm", host::Machine::kVm}},
              "What the machine is: decides how long it boots.")
      .bits_per_second("nic", &T::nic_bits_per_second, "Speed of its network card.")
      .add("boot", &T::boot, "Firmware and operating system, from power on. Without it: 8m (sigma 0.35) for bare metal, 40s (sigma 0.4) for a VM.")
      .add("kubeletStart", &T::kubelet_start, "From the operating system up to kubelet and container runtime ready. Without it: 45s (sigma 0.5).")
      .add("fsync", &T::fsync, "Median time of one fsync of its disk (300us: SSD with power-loss protection).")
      .bytes_per_second("diskBandwidth", &T::disk_bytes_per_second, "What the disk of the system, etcd and the pods' own files reads or writes in all.")
      .add("diskIops", &T::disk_operations_per_second, 0.0, 1e8, "Operations a second of the same disk (100: one that turns; 20000: an SSD). 0: its bandwidth alone bounds it.")
      .choice("diskScheduler", &T::disk_scheduler,
              {{"none", host::DiskScheduler::kNone}, {"mq-deadline", host::DiskScheduler::kMqDeadline}, {"bfq", host::DiskScheduler::kBfq}},
              "Who gets that disk when more is wanted (/sys/block/*/queue/scheduler): none (NVMe) and mq-deadline serve requests as they come, bfq divides by weight.")
      .bytes("imageDisk", &T::image_disk, "A second disk for images and containers' writable layers (imagefs). Without it they are on the first one, with everything else.")
      .choice("memoryExhaustion", &T::memory_exhaustion,
              {{"oom-kill", host::MemoryExhaustion::kOomKill}, {"hang", host::MemoryExhaustion::kHang}},
              "What happens when memory is exhausted: the kernel kills a process after a stall, or the host hangs until it is reset.")
      .add("oomStall", &T::oom_stall, "With oom-kill: how long reclaim stalls everything on the host before the kill.")
      .add("hangResetAfter", &T::hang_reset_after, "With hang: when a watchdog or a person resets it; 0s: never.")
      .custom("kernel", Codec<KernelSpec>::type(), "Its kernel: what becomes of the memory of containers that are gone.",
              [](Node node, T& to, Reader& reader) {
                KernelSpec kernel;
                if (!Codec<KernelSpec>::read(node, kernel, reader, "kernel")) return false;
                to.kernel = kernel.resolve();
                return true;
              })
      .custom("swap", Codec<std::string>::type(), "Refused: swap is not modelled, and a kubelet does not start on a machine that has it (failSwapOn).",
              [](Node node, T&, Reader& reader) {
                Diagnostic& d = reader.diagnostics.error(node, "swap is not modelled");
                d.hint = "a kubelet does not start on a machine with swap (failSwapOn), so take it away";
                return false;
              });
}

}  // namespace

void describe(Fields<ScenarioFile>& fields) {
  fields.title("A scenario: what is built, what runs on it, what goes wrong, what is expected.");
  const auto sub = [&fields](std::string_view name, auto ScenarioSpec::*member, std::string_view doc) {
    using M = std::remove_cvref_t<decltype(std::declval<ScenarioSpec&>().*member)>;
    fields.custom(name, Codec<M>::type(), doc, [member, what = std::string(name)](Node node, ScenarioFile& to, Reader& reader) {
      return Codec<M>::read(node, to.spec.*member, reader, what);
    });
  };
  const auto sub_named = [&fields](std::string_view name, auto ScenarioSpec::*member, std::string_view noun, std::string_view doc) {
    using M = std::remove_cvref_t<decltype(std::declval<ScenarioSpec&>().*member)>;
    using E = typename M::value_type;
    TypeInfo type = Codec<E>::type();
    type.kind = TypeInfo::Kind::kNamed;
    fields.custom(name, std::move(type), doc, [member, noun = std::string(noun)](Node node, ScenarioFile& to, Reader& reader) {
      return read_named(node, to.spec.*member, noun, reader);
    });
  };
  fields.add("apiVersion", &ScenarioFile::api_version, "Always squall.dev/v1alpha1.").required();
  fields.add("kind", &ScenarioFile::kind, "Always Scenario.").required();
  sub("metadata", &ScenarioSpec::metadata, "Name and description.");
  fields.add("extends", &ScenarioFile::extends,
             "A scenario file, relative to this one, that this one changes: maps are merged key by key, null removes a key, everything else replaces (RFC 7386).");
  sub("run", &ScenarioSpec::run, "How long, and with which luck.");
  sub_named("topology", &ScenarioSpec::topology, "element", "Regions, zones, racks, power feeds and switches, by name.");
  sub_named("pools", &ScenarioSpec::pools, "pool", "Machines, by the name of their pool.");
  sub("nodeDefaults", &ScenarioSpec::node_defaults, "The machines of nodes that come from v1 Node manifests.");
  sub("controlPlane", &ScenarioSpec::control_plane, "etcd, API servers and leader election. Its members run on the nodes of pools with controlPlane: true.");
  sub("apiServers", &ScenarioSpec::api_servers, "What requests cost the API servers, and who asks them.");
  sub("scheduler", &ScenarioSpec::scheduler, "kube-scheduler.");
  sub("controllers", &ScenarioSpec::controllers, "kube-controller-manager.");
  sub("kubelet", &ScenarioSpec::kubelet, "All kubelets.");
  sub("images", &ScenarioSpec::images, "Container images and the registry.");
  sub_named("registries", &ScenarioSpec::registries, "registry", "Image registries, by host: where nodes pull images from. With this section images have layers, nodes' disks fill, and what a registry needs decides whether it serves.");
  sub("network", &ScenarioSpec::network, "Bandwidth that machines share.");
  sub("ceph", &ScenarioSpec::ceph, "A Ceph cluster that Rook runs on the nodes.");
  const auto platform_part = [&fields](std::string_view name, auto ServicesSpec::*member, std::string_view noun, std::string_view doc) {
    using E = typename std::remove_cvref_t<decltype(std::declval<ServicesSpec&>().*member)>::value_type;
    TypeInfo type = Codec<E>::type();
    type.kind = TypeInfo::Kind::kNamed;
    fields.custom(name, std::move(type), doc, [member, noun = std::string(noun)](Node node, ScenarioFile& to, Reader& reader) {
      return read_named(node, to.spec.platform.*member, noun, reader);
    });
  };
  platform_part("services", &ServicesSpec::services, "service", "The services of the platform, by name: which pods they are, how these work together, what they need of each other.");
  platform_part("vms", &ServicesSpec::vms, "VMs", "Virtual machines of tenants on the nodes of pools, by a name of yours.");
  fields.add("serviceFiles", &ScenarioFile::service_files,
             "Files with sections `services` and `vms` of their own (kind: Services), relative to the file in which this stands; what the scenario says itself goes before them.");
  sub("monitoring", &ScenarioSpec::monitoring, "Prometheus, Alertmanager, probes and dead man's switches: who notices what.");
  fields.add("behaviours", &ScenarioFile::behaviours,
             "What the containers of pods do, which no manifest says. Of several entries that match a pod, the last one wins, field by field.");
  sub("manifests", &ScenarioSpec::manifests, "Kubernetes manifests or dumps: files, folders, or patterns with * and ?, relative to the file in which they stand.");
  fields.add("objects", &ScenarioFile::objects, "Kubernetes manifests in place: a list of objects, or a block string of YAML documents.");
  add_traffic(fields);
  add_failures(fields);
  sub("faults", &ScenarioSpec::faults, "What goes wrong, by name; `kind` says what it is (see docs/faults.md).");
  sub("expect", &ScenarioSpec::expect, "What must hold, by name; `kind` says how it is judged (see docs/expectations.md).");
  add_capacity_plan(fields);
}

void describe(Fields<MetadataSpec>& fields) {
  fields.title("Who the scenario is.")
      .add("name", &MetadataSpec::name, "Short name; without it, the name of the file.")
      .add("description", &MetadataSpec::description, "What it is about, for people.")
      .add("labels", &MetadataSpec::labels, "For selecting scenarios.");
}

void describe(Fields<RunSpec>& fields) {
  fields.title("The run.")
      .add("until", &RunSpec::until, "Virtual time at which it ends.")
      .add("seed", &RunSpec::seed, "Seed of all random streams.")
      .add("warmUp", &RunSpec::warm_up, "Time at the start that counts in no figure.")
      .custom("start", Codec<std::string>::type(), "Wall-clock time (UTC) at which the run begins: what CronJobs go by.",
              [](Node node, RunSpec& to, Reader& reader) {
                std::string text;
                if (!detail::read_string(node, text, reader)) return false;
                const std::optional<std::int64_t> instant = parse_instant(text);
                if (!instant) {
                  Diagnostic& d = reader.diagnostics.error(node, fmt::format("'{}' is no time", text));
                  d.expected = "a time such as 2026-01-01T00:00:00Z";
                  return false;
                }
                to.start_unix_seconds = *instant;
                return true;
              })
      .default_text("2026-01-01T00:00:00Z")
      .rule([](const RunSpec& run, Node node, Reader& reader) {
        if (run.until <= SimDuration::zero()) reader.diagnostics.error(node.find("until"), "a run must be longer than 0s");
        else if (run.warm_up >= run.until) reader.diagnostics.error(node.find("warmUp"), "warmUp is not shorter than the run");
      });
}

void describe(Fields<ElementSpec>& fields) {
  using K = topology::ElementKind;
  fields.title("A part of the building or of the network. What stands in it, or needs it, goes down with it.")
      .choice("kind", &ElementSpec::kind,
              {{"region", K::kRegion}, {"zone", K::kZone}, {"rack", K::kRack}, {"power-feed", K::kPowerFeed}, {"switch", K::kSwitch}}, "What it is.")
      .required()
      .default_text("")
      .add("in", &ElementSpec::in, "The element that it stands in.")
      .add("power", &ElementSpec::power, "Elements that give it power: it has power while one of them has.")
      .add("network", &ElementSpec::network, "Elements that connect it: it is connected while one of them is.");
}

void describe(Fields<host::BootTime>& fields) {
  fields.title("A lognormal time.")
      .add("median", &host::BootTime::median, "Half of all starts take no longer.")
      .required()
      .default_text("")
      .add("sigma", &host::BootTime::sigma, 0.0, 5.0, "Spread of the logarithm; 0: always the median.");
}

void describe(Fields<MachineSpec>& fields) {
  fields.title("A machine.");
  describe_machine(fields);
}

void describe(Fields<ReservedSpec>& fields) {
  fields.title("What the kubelet keeps back: allocatable = capacity - reserved - hard eviction threshold.")
      .cpu("cpu", &ReservedSpec::cpu_milli, "CPU for the system.")
      .bytes("memory", &ReservedSpec::memory, "Memory for the system.")
      .bytes("ephemeralStorage", &ReservedSpec::ephemeral_storage, "Disk for the system.");
}

void describe(Fields<PoolSpec>& fields) {
  fields.title("Machines of one shape. Each is a node of the cluster, unless `node` is false.")
      .add("count", &PoolSpec::count, 0, 1'000'000, "How many.")
      .add("nodeName", &PoolSpec::node_name, "Pattern of their names; {n} counts from 1, {n:3} with leading zeros (001).")
      .default_text("<pool>-{n}")
      .add("node", &PoolSpec::node, "false: machines without kubelet, which carry the VMs of other pools.")
      .add("controlPlane", &PoolSpec::control_plane,
           "Each node runs a member of etcd, kube-apiserver, kube-scheduler and kube-controller-manager, and has the taint node-role.kubernetes.io/control-plane:NoSchedule unless `taints` is given.")
      .add("hosts", &PoolSpec::hosts, "The pool whose machines carry these VMs, taken in turn.")
      .cpu("cpu", &PoolSpec::cpu_milli, "Cores of each machine.")
      .bytes("memory", &PoolSpec::memory, "Memory of each machine.")
      .bytes("disk", &PoolSpec::disk, "Disk for images and ephemeral storage.")
      .add("pods", &PoolSpec::pods, 0, 100'000, "Pods that a node takes.")
      .add("resources", &PoolSpec::resources, "Extended resources, such as nvidia.com/gpu: \"8\".")
      .add("reserved", &PoolSpec::reserved, "What the kubelet keeps back for the system.")
      .add("labels", &PoolSpec::labels,
           "Labels of the nodes, beside kubernetes.io/hostname, topology.kubernetes.io/{region,zone,rack} and squall.dev/pool, which come by themselves.")
      .add("taints", &PoolSpec::taints, "Taints of the nodes, as kubectl writes them: key=value:NoSchedule.")
      .add("racks", &PoolSpec::racks, "Elements of the topology (racks, zones) in which the machines stand, taken in turn.")
      .add("unschedulable", &PoolSpec::unschedulable, "The nodes start cordoned.");
  describe_machine(fields);
}

void describe(Fields<ImagesSpec>& fields) {
  fields.title("Images, and how long a pull takes.")
      .bytes("default", &ImagesSpec::default_bytes, "Size of an image that is not in `sizes`.")
      .custom("sizes", Codec<std::map<std::string, std::string>>::type(), "Sizes of images by name: nginx:1.27: 70Mi.",
              [](Node node, ImagesSpec& to, Reader& reader) {
                if (!detail::expect_map(node, "sizes", reader)) return false;
                bool good = true;
                for (std::size_t i = 0; i < node.size(); ++i) {
                  std::int64_t bytes = 0;
                  if (detail::read_bytes(node.value(i), bytes, reader)) to.sizes[std::string(node.key(i).text())] = bytes;
                  else good = false;
                }
                return good;
              })
      .bytes_per_second("registryBandwidth", &ImagesSpec::registry_bytes_per_second, "Without `registries`: what one node gets from the registry, unpacking included.")
      .add("registryService", &ImagesSpec::registry_service,
           "Without `registries`: the registry runs in this cluster, behind this Service (namespace/name), and nothing can be pulled while no endpoint serves. Without it the registry is outside and always up.")
      .add("preloaded", &ImagesSpec::preloaded, "Nodes start with the images of the pods that run on them at the start. With `registries` also of those that start within the warm-up (without one: within 2m): the cluster has been running.");
  // What says something with `registries` only: see registry_builder.cpp.
  const auto with_registries = [&fields](std::string_view name, TypeInfo type, std::string_view doc, auto read) {
    fields.custom(name, std::move(type), doc, [read](Node node, ImagesSpec& to, Reader& reader) { return read(node, to.with_registries, reader); });
  };
  with_registries("layers", TypeInfo{.kind = TypeInfo::Kind::kRaw},
                  "With `registries`: layers of images by name, base first: nginx:1.27: [{digest: debian-12, size: 29Mi}, {size: 41Mi}]. Layers of one digest are pulled and kept once. "
                  "Without it an image of a known size has 8 layers of its own.",
                  [](Node node, RegistryImagesSpec& to, Reader& reader) {
                    if (!detail::expect_map(node, "layers", reader)) return false;
                    bool good = true;
                    for (std::size_t i = 0; i < node.size(); ++i) {
                      std::vector<LayerSpec> layers;
                      const std::string what = fmt::format("a layer of '{}'", node.key(i).text());
                      if (Codec<std::vector<LayerSpec>>::read(node.value(i), layers, reader, what)) to.layers[std::string(node.key(i).text())] = std::move(layers);
                      else good = false;
                    }
                    return good;
                  });
  TypeInfo peers{.kind = TypeInfo::Kind::kChoice};
  peers.words = {"none", "images", "pieces"};
  with_registries("peerToPeer", peers,
                  "With `registries`: nodes ask each other first. images: a node serves images that it has whole (Spegel); pieces: also those that it still pulls (Dragonfly).",
                  [words = peers.words](Node node, RegistryImagesSpec& to, Reader& reader) {
                    std::size_t index = 0;
                    if (!detail::read_choice(node, words, index, reader)) return false;
                    to.peers = static_cast<registry::PeerMode>(index);
                    return true;
                  });
  with_registries("unpackRate", TypeInfo{.kind = TypeInfo::Kind::kByteRate}, "With `registries`: unpacked bytes a second of one image (150MB/s: one core on an SSD; 30 to 60MB/s on a disk that turns).",
                  [](Node node, RegistryImagesSpec& to, Reader& reader) { return detail::read_byte_rate(node, to.unpack_bytes_per_second, reader); });
  with_registries("diskUsed", TypeInfo{.kind = TypeInfo::Kind::kBytes}, "What is on every node's first disk beside images and what pods write: the system's own files.",
                  [](Node node, RegistryImagesSpec& to, Reader& reader) { return detail::read_bytes(node, to.disk_used, reader); });
  with_registries("pinned", Codec<std::vector<std::string>>::type(), "With `registries`: images that garbage collection leaves alone.",
                  [](Node node, RegistryImagesSpec& to, Reader& reader) { return Codec<std::vector<std::string>>::read(node, to.pinned, reader, "pinned"); });
  fields.rule([](const ImagesSpec& to, Node node, Reader& reader) {
    if (to.with_registries.unpack_bytes_per_second <= 0.0) reader.diagnostics.error(node.find("unpackRate"), "must be more than 0");
  });
}

void describe(Fields<MatchSpec>& fields) {
  fields.title("Which pods. Without any key: all.")
      .add("namespace", &MatchSpec::ns, "Only this namespace.")
      .add("labels", &MatchSpec::labels, "Only pods with all of these labels.");
}

void describe(Fields<BehaviourSpec>& fields) {
  fields.title("What the containers of some pods do.")
      .add("match", &BehaviourSpec::match, "Which pods.")
      .add("startUp", &BehaviourSpec::start_up, "From the start of the container until its readiness probe can succeed.")
      .default_text("2s")
      .add("startUpSigma", &BehaviourSpec::start_up_sigma, 0.0, 5.0, "Lognormal spread of startUp; 0: exact.")
      .default_text("0.3")
      .add("runTime", &BehaviourSpec::run_time, "Containers that end by themselves (Jobs): how long they run.")
      .default_text("30s")
      .add("exitCode", &BehaviourSpec::exit_code, 0, 255, "With which they end.")
      .default_text("0")
      .bytes("memory", &BehaviourSpec::memory, "Working set of the pod once started.")
      .default_text("its memory request, or 64Mi")
      .add("stopTime", &BehaviourSpec::stop_time, "From SIGTERM until the containers end.")
      .default_text("1s")
      .bytes("pageCache", &BehaviourSpec::page_cache, "Files that the pod reads and writes: they stay in the page cache of its node, and keep its memory cgroups when it is gone.")
      .default_text("10MB")
      .fraction("pageCacheActive", &BehaviourSpec::page_cache_active, "Share of them that is used more than once: the kubelet counts it as used, and reclaim takes it last.")
      .default_text("0%")
      .bytes("slab", &BehaviourSpec::slab, "Dentries and inodes of the paths that it looks up: reclaimable, but slowly.")
      .default_text("512Ki")
      .cpu("cpu", &BehaviourSpec::cpu_milli, "Cores that the pod would like to use while it runs: it gets less on a node that has too few, or when its limits say so, and takes longer.")
      .default_text("what it requests")
      .bytes_per_second("disk", &BehaviourSpec::disk_bytes_per_second, "What the pod reads and writes on its node's own disk while it runs.")
      .default_text("0")
      .add("diskOperations", &BehaviourSpec::disk_operations_per_second, 0.0, 1e7, "Requests a second for that: with `diskIops` of its node each takes its part of the disk.")
      .default_text("0")
      .add("probeWork", &BehaviourSpec::probe_work, "CPU time that one answer to a probe takes: a container that gets a hundredth of the CPU that it would like answers a hundred times later, and too late for timeoutSeconds.")
      .default_text("5ms")
      .bytes_per_second("writes", &BehaviourSpec::writes, "By how much the files of the pod grow: in its first emptyDir that is not in memory, or in its writable layer when it has none.")
      .default_text("0")
      .bytes("writesUpTo", &BehaviourSpec::writes_up_to, "... until there are so many.")
      .default_text("no end")
      .bytes("writtenFileSize", &BehaviourSpec::written_file_size, "Size of one of these files on average: small files use up inodes before bytes (one inode for 16Ki of disk).")
      .default_text("1Mi")
      .bytes_per_second("logs", &BehaviourSpec::logs, "What it writes to its log; the kubelet rotates that (kubelet.containerLogMaxSize, containerLogMaxFiles).")
      .default_text("0")
      .add("processes", &BehaviourSpec::processes, 1, 100'000'000, "Its processes and threads.")
      .default_text("10")
      .add("processGrowth", &BehaviourSpec::process_growth, 0.0, 1e6, "How many more there are each second.")
      .default_text("0")
      .add("needs", &BehaviourSpec::needs,
           "Services (namespace/name) without which the pods answer nobody: they run on, their probes notice nothing, and who calls them gets no answer.");
}

void describe(Fields<k8s::EtcdConfig>& fields) {
  fields.title("etcd.")
      .bytes("quota", &k8s::EtcdConfig::quota_bytes, "Size of the database at which writes are refused (--quota-backend-bytes).")
      .add("electionTimeout", &k8s::EtcdConfig::election_timeout, "--election-timeout; the real timer is uniform in one to two of it.")
      .add("heartbeatInterval", &k8s::EtcdConfig::heartbeat_interval, "--heartbeat-interval.")
      .add("roundTrip", &k8s::EtcdConfig::round_trip, "Between two members.")
      .rule([](const k8s::EtcdConfig& etcd, Node node, Reader& reader) {
        if (etcd.election_timeout < 5 * etcd.heartbeat_interval) {
          reader.diagnostics.error(node, "electionTimeout must be at least five times heartbeatInterval: etcd does not start otherwise");
        }
      });
}

void describe(Fields<k8s::ComponentLimits>& fields) {
  // Requests of kubeadm's manifests: the API refuses a pod that may use less than it requests.
  fields.title("CPU limits of the control plane's own containers. What they would like to use is told by `behaviours`, as that of any pod (labels component: etcd, ...).")
      .cpu("etcd", &k8s::ComponentLimits::etcd, "Of etcd, at least 100m: a member that is throttled answers commits late.")
      .cpu("kubeApiserver", &k8s::ComponentLimits::api_server, "Of kube-apiserver, at least 250m.")
      .cpu("kubeScheduler", &k8s::ComponentLimits::scheduler, "Of kube-scheduler, at least 100m.")
      .cpu("kubeControllerManager", &k8s::ComponentLimits::controller_manager, "Of kube-controller-manager, at least 200m.")
      .rule([](const k8s::ComponentLimits& limits, Node node, Reader& reader) {
        for (const auto& [key, limit, request] : {std::tuple{"etcd", limits.etcd, 100}, std::tuple{"kubeApiserver", limits.api_server, 250},
                                                  std::tuple{"kubeScheduler", limits.scheduler, 100}, std::tuple{"kubeControllerManager", limits.controller_manager, 200}}) {
          if (limit == 0 || limit >= request) continue;
          reader.diagnostics.error(node.find(key), fmt::format("a limit of {}m is less than the container requests ({}m)", limit, request));
        }
      });
}

void describe(Fields<k8s::ControlPlaneConfig>& fields) {
  using Worker = k8s::ControlPlaneConfig::Worker;
  const std::vector<std::pair<std::string, Worker>> workers = {{"model", Worker::kModel}, {"external", Worker::kExternal}};
  fields.title("The control plane.")
      .add("external", &k8s::ControlPlaneConfig::external, "A managed control plane outside of the simulated nodes: always up.")
      .choice("scheduler", &k8s::ControlPlaneConfig::scheduler, workers, "Who schedules: Squall's model, or a real kube-scheduler that is connected to squall serve or squall loop.")
      .choice("controllerManager", &k8s::ControlPlaneConfig::controller_manager, workers, "Whose control loops run: Squall's, or those of a real kube-controller-manager.")
      .add("etcd", &k8s::ControlPlaneConfig::etcd, "etcd.")
      .add("cpuLimits", &k8s::ControlPlaneConfig::cpu_limits, "CPU limits of the static pods. Without them none, as kubeadm sets none.")
      .add("leaseDuration", &k8s::ControlPlaneConfig::lease_duration, "--leader-elect-lease-duration.")
      .add("renewDeadline", &k8s::ControlPlaneConfig::renew_deadline, "--leader-elect-renew-deadline.")
      .add("retryPeriod", &k8s::ControlPlaneConfig::retry_period, "--leader-elect-retry-period.")
      .add("localEndpoints", &k8s::ControlPlaneConfig::local_endpoints,
           "An API server asks only the etcd member on its own host, and scheduler and controller-manager only the API server on theirs (kubeadm). false: any that they reach.")
      .add("aggregatorRouting", &k8s::ControlPlaneConfig::aggregator_routing,
           "--enable-aggregator-routing: the API server asks the endpoints of webhooks itself. false: the Service's address, whose rules are kube-proxy's.")
      .add("apiServerStart", &k8s::ControlPlaneConfig::api_server_start, "Median time from the start of an API server's container until it serves.")
      .add("componentStart", &k8s::ControlPlaneConfig::component_start, "The same of etcd, scheduler and controller-manager.")
      .add("startSigma", &k8s::ControlPlaneConfig::start_sigma, 0.0, 5.0, "Lognormal spread of both.")
      .rule([](const k8s::ControlPlaneConfig& c, Node node, Reader& reader) {
        // client-go tools/leaderelection: NewLeaderElector refuses these.
        if (c.lease_duration <= c.renew_deadline) reader.diagnostics.error(node, "leaseDuration must be longer than renewDeadline");
        if (10 * c.renew_deadline <= 12 * c.retry_period) reader.diagnostics.error(node, "renewDeadline must be longer than 1.2 times retryPeriod");
      });
}

void describe(Fields<SchedulerSpec>& fields) {
  fields.title("kube-scheduler.")
      .add("config", &SchedulerSpec::config, "A KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): the path of a file, relative to this one, or the configuration in place. Pods choose a profile by schedulerName.")
      .add("percentageOfNodesToScore", &k8s::SchedulerConfig::percentage_of_nodes_to_score, 0, 100, "How many feasible nodes are enough; 0: by the size of the cluster.")
      .add("podInitialBackoff", &k8s::SchedulerConfig::pod_initial_backoff, "First wait of a pod that could not be scheduled.")
      .add("podMaxBackoff", &k8s::SchedulerConfig::pod_max_backoff, "Longest wait.")
      .add("schedulingLatency", &k8s::SchedulerConfig::scheduling_latency, "Time of one scheduling cycle.")
      .add("bindingLatency", &k8s::SchedulerConfig::binding_latency, "From the decision until the binding is stored.")
      .add("clientQps", &k8s::SchedulerConfig::client_qps, 0, 1'000'000, "Its requests to the API server per second (clientConnection.qps; kube-scheduler's default, and that of a `config`, is 50): each binding is one; 0: no limit.")
      .add("clientBurst", &k8s::SchedulerConfig::client_burst, 1, 1'000'000, "Requests that it may send at once after a pause (clientConnection.burst).")
      .rule([](const SchedulerSpec& c, Node node, Reader& reader) {
        if (c.pod_max_backoff < c.pod_initial_backoff) reader.diagnostics.error(node, "podMaxBackoff must not be shorter than podInitialBackoff");
      });
}

void describe(Fields<k8s::ControllerManagerConfig>& fields) {
  using C = k8s::ControllerManagerConfig;
  fields.title("kube-controller-manager; the defaults are its flags'.")
      .add("nodeMonitorPeriod", &C::node_monitor_period, "How often nodes are looked at.")
      .add("nodeMonitorGracePeriod", &C::node_monitor_grace_period, "How long a node may stay silent before it is not ready.")
      .add("nodeEvictionRate", &C::node_eviction_rate, 0.0, 1000.0, "Nodes per second and zone whose pods are evicted.")
      .add("secondaryNodeEvictionRate", &C::secondary_node_eviction_rate, 0.0, 1000.0, "The same in an unhealthy zone of a large cluster.")
      .add("largeClusterSizeThreshold", &C::large_cluster_size_threshold, 0, 1'000'000, "Nodes of a zone above which it is large.")
      .fraction("unhealthyZoneThreshold", &C::unhealthy_zone_threshold, "Share of not ready nodes from which a zone is unhealthy.")
      .add("terminatedPodGCThreshold", &C::terminated_pod_gc_threshold, -1, 1'000'000'000, "Ended pods that are kept; 0 or less: all.")
      .add("kubeAPIQPS", &C::kube_api_qps, 0.1, 1'000'000.0, "Requests a second that each controller's own client sends to the API server (--kube-api-qps); the garbage collector's twice as many.")
      .add("kubeAPIBurst", &C::kube_api_burst, 1, 1'000'000, "Requests that it may send at once after a pause (--kube-api-burst).")
      .rule([](const C& c, Node node, Reader& reader) {
        if (c.node_monitor_period <= SimDuration::zero()) reader.diagnostics.error(node.find("nodeMonitorPeriod"), "must be longer than 0s");
        if (c.node_monitor_grace_period < c.node_monitor_period) {
          reader.diagnostics.error(node, "nodeMonitorGracePeriod must not be shorter than nodeMonitorPeriod");
        }
      });
}

void describe(Fields<k8s::KubeletConfig>& fields) {
  fields.title("All kubelets.");
  describe_eviction(fields);
  fields
      .bytes("hardEvictionMemory", &k8s::KubeletConfig::hard_eviction_memory, "Available memory below which pods are evicted (evictionHard memory.available).")
      .bytes("softEvictionMemory", &k8s::KubeletConfig::soft_eviction_memory, "Available memory below which pods are evicted after a while (evictionSoft memory.available); 0: none.")
      .add("softEvictionGrace", &k8s::KubeletConfig::soft_eviction_grace, "... after this (evictionSoftGracePeriod).")
      .add("evictionMaxPodGrace", &k8s::KubeletConfig::eviction_max_pod_grace_seconds, 0, 1'000'000,
           "Seconds that a pod gets at most when a soft threshold evicts it (evictionMaxPodGracePeriod).")
      .bytes("minimumReclaim", &k8s::KubeletConfig::minimum_reclaim_memory, "Evictions go on until so much more than the threshold is available (evictionMinimumReclaim).")
      .add("pressureTransition", &k8s::KubeletConfig::pressure_transition, "How long MemoryPressure outlives the shortage (evictionPressureTransitionPeriod).")
      .add("leaseRenew", &k8s::KubeletConfig::lease_renew, "How often the node's lease is renewed.")
      .add("serializeImagePulls", &k8s::KubeletConfig::serialize_image_pulls, "One image at a time per node.")
      .add("maxParallelImagePulls", &k8s::KubeletConfig::max_parallel_image_pulls, 0, 1000, "With `registries` and serializeImagePulls false: so many at a time; 0: no limit.")
      .add("registryPullQPS", &k8s::KubeletConfig::registry_pull_qps, 0.0, 1e6, "With `registries`: pulls a second that a kubelet begins; 0: no limit.")
      .add("registryBurst", &k8s::KubeletConfig::registry_burst, 1, 1'000'000, "With `registries`: pulls that it begins at once.")
      .add("imageGCHighThresholdPercent", &k8s::KubeletConfig::image_gc_high_percent, 0, 100, "With `registries`: from so much use of the disk on, images are removed.")
      .add("imageGCLowThresholdPercent", &k8s::KubeletConfig::image_gc_low_percent, 0, 100, "With `registries`: until so much is used.")
      .add("imageMinimumGCAge", &k8s::KubeletConfig::image_minimum_gc_age, "With `registries`: images that are younger stay.")
      .add("maxConcurrentDownloads", &k8s::KubeletConfig::max_concurrent_downloads, 1, 1000, "With `registries`: layers of one image that containerd fetches at once.")
      .add("imagePullProgressTimeout", &k8s::KubeletConfig::image_pull_progress_timeout, "With `registries`: containerd gives a pull up that gets no byte for so long.")
      .add("imageMaximumGCAge", &k8s::KubeletConfig::image_maximum_gc_age, "With `registries`: images that nobody has used for so long go, however much room there is; 0s: they stay.")
      .add("discardUnpackedLayers", &k8s::KubeletConfig::discard_unpacked_layers, "With `registries`: containerd keeps no layer beside what it unpacked.")
      .rule([](const k8s::KubeletConfig& c, Node node, Reader& reader) {
        if (c.lease_renew <= SimDuration::zero()) reader.diagnostics.error(node.find("leaseRenew"), "must be longer than 0s");
        if (c.image_gc_low_percent >= c.image_gc_high_percent) {
          reader.diagnostics.error(node, "imageGCLowThresholdPercent must be lower than imageGCHighThresholdPercent: the kubelet does not start otherwise");
        }
        if (c.max_parallel_image_pulls > 0 && c.serialize_image_pulls) {
          reader.diagnostics.error(node.find("maxParallelImagePulls"), "needs serializeImagePulls: false: the kubelet does not start otherwise");
        }
        // The kubelet refuses a soft threshold without its grace period, and means it to be met before the hard one.
        if (c.soft_eviction_memory > 0 && c.soft_eviction_grace <= SimDuration::zero()) {
          reader.diagnostics.error(node.find("softEvictionMemory"), "needs softEvictionGrace: a kubelet does not start without it");
        }
        if (c.soft_eviction_memory > 0 && c.soft_eviction_memory <= c.hard_eviction_memory) {
          reader.diagnostics.error(node.find("softEvictionMemory"), "is not above hardEvictionMemory: it would never be met first");
        }
      });
}

}  // namespace sim::scenario

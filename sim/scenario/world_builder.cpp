#include "sim/scenario/world_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/kubernetes/kubelet/eviction_policy.hpp"
#include "sim/models/ceph/client_traffic.hpp"
#include "sim/models/network/network.hpp"
#include "sim/models/monitoring/monitoring.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/scenario/ceph_builder.hpp"
#include "sim/scenario/monitoring_builder.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/registry_builder.hpp"
#include "sim/scenario/services_builder.hpp"
#include "sim/scenario/traffic.hpp"
#include "sim/scenario/webhooks_builder.hpp"

namespace sim::scenario {

namespace {

/// Up to Kubernetes 1.23 kubeadm's nodes had this one beside the newer one, up to 1.19 alone.
constexpr std::string_view kOldControlPlaneLabel = "node-role.kubernetes.io/master";

/// Of a Node manifest: its machine is off when the run begins, and the object stays as it is written.
constexpr std::string_view kStartsDown = "squall.dev/starts-down";

/// The hard eviction threshold of nodefs.available: so much of a disk is not allocatable.
std::int64_t disk_threshold(const k8s::KubeletConfig& kubelet, std::int64_t disk) {
  for (const k8s::kubelet::Threshold& one : kubelet.disk.thresholds) {
    if (one.signal == k8s::kubelet::Signal::kNodefsAvailable && one.is_hard()) return k8s::kubelet::quantity(one.value, disk);
  }
  return 0;
}

class Builder {
 public:
  Builder(const ScenarioSpec& spec, World& world) : spec_(spec), world_(world), names_(world.names), well_known_(world.api.well_known()) {}

  void build() {
    SIM_CHECK(names_.size() >= spec_.names->size(), "a world's names begin with its scenario's");
    elements();
    // Machines that carry others first.
    for (const PoolSpec& pool : spec_.pools) {
      if (pool.hosts.text.empty()) machines(pool);
    }
    for (const PoolSpec& pool : spec_.pools) {
      if (!pool.hosts.text.empty()) machines(pool);
    }
    make_registries(spec_, world_);  // nodes get their images from them
    for (const PoolSpec& pool : spec_.pools) {
      if (pool.node) nodes(pool);
    }
    for (const Manifest<k8s::Node>& manifest : spec_.objects.nodes) node(manifest);
    namespaces();
    built_in_classes();
    StoreOptions options;
    options.nodes = false;
    options.without_mirror_pods_of = control_plane_nodes_;
    store(spec_.objects, world_.api, options);
    world_.behaviours = spec_.behaviours;
    if (spec_.ceph) {
      world_.rook = make_rook(spec_, world_);
      if (world_.network && world_.network->config().carries_ceph) {
        world_.rook->cluster().recovery().share(*world_.network);
        ceph::carry_clients(world_.rook->cluster(), *world_.network, world_.engine);
      }
      world_.rook->create_objects();
    }
    make_webhooks(spec_, world_);
    build_services(spec_, world_);
    build_traffic(spec_, world_);
    if (spec_.monitoring) world_.monitoring = make_monitoring(spec_, world_);
  }

 private:
  topology::ElementId element(std::string_view name) const {
    const topology::ElementId id = world_.topology.find(name);
    SIM_CHECK(id, "the reader has looked up every element");
    return id;
  }

  void elements() {
    for (const ElementSpec& e : spec_.topology) world_.topology.add(e.kind, e.name);
    for (const ElementSpec& e : spec_.topology) {
      const topology::ElementId id = element(e.name);
      if (!e.in.text.empty()) world_.topology.place(id, element(e.in.text));
      for (const Reference& feed : e.power) world_.topology.depend(id, element(feed.text), topology::Aspect::kPower, 1);
      for (const Reference& link : e.network) world_.topology.depend(id, element(link.text), topology::Aspect::kNetwork, 2);
    }
  }

  static host::HostSpec host_spec(const MachineSpec& machine, std::string name) {
    host::HostSpec spec;
    spec.name = std::move(name);
    spec.machine = machine.machine;
    spec.nic_bits_per_second = machine.nic_bits_per_second;
    spec.boot = machine.boot;
    spec.kubelet_start = machine.kubelet_start;
    spec.disk_fsync_median = machine.fsync;
    spec.disk_bytes_per_second = machine.disk_bytes_per_second;
    spec.disk_operations_per_second = machine.disk_operations_per_second;
    spec.disk_scheduler = machine.disk_scheduler;
    spec.image_disk_bytes = machine.image_disk;
    spec.memory_exhaustion = machine.memory_exhaustion;
    spec.oom_stall = machine.oom_stall;
    spec.hang_reset_after = machine.hang_reset_after;
    spec.kernel = machine.kernel;
    return spec;
  }
  topology::ElementId add_machine_element(const MachineSpec& machine, const std::string& name) {
    return world_.topology.add(machine.machine == host::Machine::kVm ? topology::ElementKind::kVm : topology::ElementKind::kHost, name);
  }

  void machines(const PoolSpec& pool) {
    const PoolSpec* below = nullptr;
    for (const PoolSpec& other : spec_.pools) {
      if (!pool.hosts.text.empty() && other.name == pool.hosts.text) below = &other;
    }
    for (std::size_t i = 0; i < pool.machine_names.size(); ++i) {
      const std::string& name = pool.machine_names[i];
      const topology::ElementId id = add_machine_element(pool, name);
      if (below != nullptr) world_.topology.place(id, element(below->machine_names[i % below->machine_names.size()]));
      if (!pool.racks.empty()) world_.topology.place(id, element(pool.racks[i % pool.racks.size()].text));
      host::HostSpec host = host_spec(pool, name);
      host.cpu_cores = static_cast<double>(pool.cpu_milli) / 1000.0;
      host.memory_bytes = pool.memory;
      host.disk_bytes = pool.disk;
      world_.hosts.add(std::move(host));
    }
  }

  /// Labels that kubelet and cloud provider set from where the machine stands.
  void place_labels(k8s::Node& node, const std::string& machine) {
    const topology::ElementId id = element(machine);
    const auto add = [&](Symbol label, topology::ElementKind kind) {
      const topology::ElementId where = world_.topology.enclosing(id, kind);
      if (where && !node.meta.labels.has(label)) node.meta.labels.set(label, names_.intern(world_.topology.name(where)));
    };
    add(well_known_.region, topology::ElementKind::kRegion);
    add(well_known_.zone, topology::ElementKind::kZone);
    add(names_.intern(kRackLabel), topology::ElementKind::kRack);
  }

  void nodes(const PoolSpec& pool) {
    k8s::Node shape;
    shape.unschedulable = pool.unschedulable;
    for (const auto& [key, value] : pool.labels) shape.meta.labels.set(names_.intern(key), names_.intern(value));
    const auto add_label = [&](std::string_view key, std::string_view value) {
      const Symbol symbol = names_.intern(key);
      if (!shape.meta.labels.has(symbol)) shape.meta.labels.set(symbol, names_.intern(value));
    };
    add_label(kPoolLabel, is_label_value(pool.name) ? pool.name : std::string());
    add_label("kubernetes.io/os", "linux");
    add_label("kubernetes.io/arch", "amd64");
    if (pool.control_plane) add_label(kControlPlaneLabel, "");
    if (pool.taints) {
      for (const Reference& text : *pool.taints) {
        const std::optional<TaintText> taint = parse_taint(text.text);
        SIM_CHECK(taint, "the reader has parsed every taint");
        shape.taints.push_back(k8s::Taint{names_.intern(taint->key), names_.intern(taint->value), taint->effect});
      }
    } else if (pool.control_plane) {
      shape.taints.push_back(k8s::Taint{well_known_.control_plane_taint, Symbol{}, k8s::TaintEffect::kNoSchedule});
    }
    shape.capacity.cpu_milli = pool.cpu_milli;
    shape.capacity.memory = pool.memory;
    shape.capacity.ephemeral_storage = pool.disk;
    shape.capacity.pods = pool.pods;
    for (const auto& [name, amount] : pool.resources) shape.capacity.set(names_.intern(name), k8s::parse_quantity(amount).value_or(0));
    // allocatable = capacity - reserved - hard eviction thresholds, never below 0 (reference 3.3).
    shape.allocatable = shape.capacity;
    shape.allocatable.cpu_milli = std::max<std::int64_t>(0, pool.cpu_milli - pool.reserved.cpu_milli);
    shape.allocatable.memory = std::max<std::int64_t>(0, pool.memory - pool.reserved.memory - spec_.kubelet.hard_eviction_memory);
    shape.allocatable.ephemeral_storage =
        std::max<std::int64_t>(0, pool.disk - pool.reserved.ephemeral_storage - disk_threshold(spec_.kubelet, pool.disk));

    for (const std::string& name : pool.machine_names) {
      k8s::Node node = shape;
      node.meta.name = names_.intern(name);
      if (!node.meta.labels.has(well_known_.hostname)) node.meta.labels.set(well_known_.hostname, node.meta.name);
      place_labels(node, name);
      register_node(std::move(node), pool.control_plane);
    }
  }

  void register_node(k8s::Node node, bool is_control_plane) {
    const Symbol name = node.meta.name;
    const host::HostId host = world_.hosts.find(names_.text(name));
    SIM_CHECK(host, "every node has its machine");
    const k8s::Ref<k8s::Node> ref = world_.api.create(std::move(node));
    SIM_CHECK(ref, "the reader has refused names that are taken twice");
    world_.kubelets.add_node(ref, host);
    if (!is_control_plane || spec_.control_plane.external) return;
    world_.control_plane.add_member(host);
    control_plane_nodes_.push_back(name);
  }

  /// The element that a node's label names, made when the scenario has none of that name.
  topology::ElementId place_of_label(const k8s::Node& node, Symbol label, topology::ElementKind kind, topology::ElementId parent) {
    const std::optional<Symbol> value = node.meta.labels.find(label);
    if (!value || !*value) return topology::ElementId{};
    const std::string& name = names_.text(*value);
    topology::ElementId id = world_.topology.find(name);
    if (id) return world_.topology.kind(id) == kind ? id : topology::ElementId{};
    id = world_.topology.add(kind, name);
    if (parent) world_.topology.place(id, parent);
    return id;
  }

  void node(const Manifest<k8s::Node>& manifest) {
    k8s::Node node = manifest.object;
    const std::string& name = names_.text(node.meta.name);
    const topology::ElementId region = place_of_label(node, well_known_.region, topology::ElementKind::kRegion, topology::ElementId{});
    const topology::ElementId zone = place_of_label(node, well_known_.zone, topology::ElementKind::kZone, region);
    const topology::ElementId rack = place_of_label(node, names_.intern(kRackLabel), topology::ElementKind::kRack, zone ? zone : region);
    const topology::ElementId id = add_machine_element(spec_.node_defaults, name);
    const topology::ElementId nearest = rack ? rack : zone ? zone : region;
    if (nearest) world_.topology.place(id, nearest);
    host::HostSpec host = host_spec(spec_.node_defaults, name);
    host.cpu_cores = static_cast<double>(node.capacity.cpu_milli) / 1000.0;
    host.memory_bytes = node.capacity.memory;
    if (node.capacity.ephemeral_storage > 0) host.disk_bytes = node.capacity.ephemeral_storage;
    world_.hosts.add(std::move(host));
    if (node.capacity.pods == 0) node.capacity.pods = node.allocatable.pods = 110;  // the kubelet's default
    if (!node.meta.labels.has(well_known_.hostname)) node.meta.labels.set(well_known_.hostname, node.meta.name);
    const bool starts_down = is_annotated(node, kStartsDown);
    // It starts healthy: what the dump's own controllers found wrong is theirs to find again.
    if (!starts_down) {
      node.ready = k8s::ConditionStatus::kUnknown;
      node.ready_reason = Symbol{};
      node.memory_pressure = node.disk_pressure = node.pid_pressure = false;
      std::erase_if(node.taints, [&](const k8s::Taint& t) {
        return t.key == well_known_.not_ready || t.key == well_known_.unreachable || t.key == well_known_.memory_pressure ||
               t.key == well_known_.disk_pressure || t.key == well_known_.pid_pressure || t.key == well_known_.network_unavailable;
      });
    }
    const bool is_control_plane = node.meta.labels.has(names_.intern(kControlPlaneLabel)) || node.meta.labels.has(names_.intern(kOldControlPlaneLabel));
    register_node(std::move(node), is_control_plane);
    if (!starts_down) return;
    const CauseId down = world_.log.record("DownAtStart", fmt::format("host/{}", name), fmt::format("{} was down when the cluster was recorded", name));
    const ScopedCause because(world_.engine, down);
    world_.hosts.crash(world_.hosts.find(name));
  }
  bool is_annotated(const k8s::Node& node, std::string_view annotation) const {
    const std::optional<Symbol> value = node.meta.annotations.find(names_.find(annotation));
    return value && names_.text(*value) == "true";
  }

  /// What the API server makes by itself, and every namespace that an object stands in: manifests of one team seldom bring it along.
  void namespaces() {
    std::set<std::string> wanted = {"default", "kube-node-lease", "kube-public", "kube-system"};
    const auto look = [&](const auto& list) {
      for (const auto& m : list) {
        if (m.object.meta.ns) wanted.insert(names_.text(m.object.meta.ns));
      }
    };
    const ManifestSet& set = spec_.objects;
    look(set.pods);
    look(set.deployments);
    look(set.replica_sets);
    look(set.stateful_sets);
    look(set.daemon_sets);
    look(set.jobs);
    look(set.cron_jobs);
    look(set.services);
    look(set.budgets);
    look(set.claims);
    if (spec_.ceph) wanted.insert(spec_.ceph->rook.name_space);
    for (const Manifest<k8s::Namespace>& m : set.namespaces) wanted.erase(names_.text(m.object.meta.name));
    const Symbol label = names_.intern("kubernetes.io/metadata.name");
    for (const std::string& name : wanted) {
      k8s::Namespace object;
      object.meta.name = names_.intern(name);
      object.meta.labels.set(label, object.meta.name);
      world_.api.create(std::move(object));
    }
  }

  void built_in_classes() {
    for (const auto& [name, value] : {std::pair{"system-cluster-critical", k8s::kSystemClusterCritical},
                                      std::pair{"system-node-critical", k8s::kSystemNodeCritical}}) {
      const Symbol symbol = names_.intern(name);
      const auto& given = spec_.objects.priority_classes;
      if (std::any_of(given.begin(), given.end(), [&](const auto& m) { return m.object.meta.name == symbol; })) continue;
      k8s::PriorityClass object;
      object.meta.name = symbol;
      object.value = value;
      world_.api.create(std::move(object));
    }
  }

  const ScenarioSpec& spec_;
  World& world_;
  Interner& names_;
  const k8s::WellKnown& well_known_;
  std::vector<Symbol> control_plane_nodes_;
};

}  // namespace

WorldConfig world_config(const ScenarioSpec& spec, std::uint64_t seed) {
  WorldConfig config;
  config.seed = seed;
  config.names = spec.names;
  config.control_plane = spec.control_plane;
  k8s::api_load::Config api_servers = spec.api_servers;
  api_servers.flow_control = flow_control_of(spec.objects);
  config.api_load = std::make_shared<const k8s::api_load::Config>(std::move(api_servers));
  config.scheduler = spec.scheduler;
  config.controllers = spec.controllers;
  config.controllers.start_unix_seconds = spec.run.start_unix_seconds;
  config.kubelet = spec.kubelet;
  config.kubelet.disk.used = spec.images.with_registries.disk_used;
  config.images.default_bytes = spec.images.default_bytes;
  config.images.registry_bytes_per_second = spec.images.registry_bytes_per_second;
  config.images.preloaded = spec.images.preloaded;
  config.images.registry_service = spec.names->find(spec.images.registry_service.text);
  for (const auto& [image, bytes] : spec.images.sizes) {
    // An image that no manifest names is pulled by nobody.
    if (const Symbol name = spec.names->find(k8s::normalised_image(image))) config.images.images.push_back(k8s::ImageInfo{name, bytes});
  }
  return config;
}

std::unique_ptr<World> build_world(const ScenarioSpec& spec, std::uint64_t seed) {
  auto world = std::make_unique<World>(world_config(spec, seed));
  Builder(spec, *world).build();
  return world;
}

}  // namespace sim::scenario

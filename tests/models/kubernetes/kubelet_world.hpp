/// A few nodes with their kubelets, for the kubelet's tests: no scheduler and no controllers, the tests bind and delete themselves.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"

namespace sim::k8s::test {

inline constexpr std::int64_t kMiB = 1ll << 20;
inline constexpr std::int64_t kGiB = 1ll << 30;

struct KubeletWorld {
  explicit KubeletWorld(std::uint64_t seed = 1) : random(seed) {
    // Outside of the nodes unless a test adds a member.
    control_plane = std::make_unique<ControlPlane>(engine, log, random, hosts, api, ControlPlaneConfig{});
    // Exact times, so that tests can say when something happens.
    PodBehaviour exact;
    exact.start_up_sigma = 0.0;
    behaviours.push_back(exact);
  }

  /// Call after the nodes and before time passes.
  void start() {
    control_plane->start();
    kubelets = std::make_unique<Kubelets>(engine, log, random, hosts, *control_plane, api, config, behaviours, images, &storage);
    if (before_nodes) before_nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) kubelets->add_node(nodes[i], host_ids[i]);
    kubelets->start();
  }

  host::HostSpec host_spec(std::string_view name) const {
    host::HostSpec spec;
    spec.name = std::string(name);
    spec.memory_bytes = 8 * kGiB;
    spec.boot = {std::chrono::seconds(60), 0.0};
    spec.kubelet_start = {std::chrono::seconds(20), 0.0};
    return spec;
  }

  Ref<Node> add_node(std::string_view name) { return add_node(host_spec(name)); }
  Ref<Node> add_node(const host::HostSpec& spec) {
    topology.add(topology::ElementKind::kHost, spec.name);
    host_ids.push_back(hosts.add(spec));
    Node node;
    node.meta.name = names.intern(spec.name);
    node.capacity.cpu_milli = node.allocatable.cpu_milli = 4000;
    node.capacity.memory = spec.memory_bytes;
    node.allocatable.memory = spec.memory_bytes - 100 * kMiB;
    node.capacity.pods = node.allocatable.pods = 110;
    nodes.push_back(api.create(std::move(node)));
    return nodes.back();
  }

  /// A pod of one container that asks for nothing, bound to nobody.
  Pod pod(std::string_view name) {
    auto spec = std::make_shared<PodSpec>();
    Container container;
    container.name = names.intern("main");
    container.image = names.intern("app:1");
    spec->containers.push_back(container);
    finish_pod_spec(*spec);
    Pod made;
    made.meta.ns = names.intern("default");
    made.meta.name = names.intern(name);
    made.spec = std::move(spec);
    return made;
  }
  /// The same with `change` applied to its spec.
  template <class Change>
  Pod pod(std::string_view name, Change&& change) {
    Pod made = pod(name);
    auto spec = std::make_shared<PodSpec>(*made.spec);
    change(*spec);
    finish_pod_spec(*spec);
    made.spec = std::move(spec);
    return made;
  }
  Ref<Pod> create_on(Ref<Node> node, Pod pod) {
    pod.node = node;
    pod.node_name = api.all<Node>().at(node).meta.name;
    return api.create(std::move(pod));
  }

  void run_for(SimDuration span) { engine.run_until(engine.now() + span); }
  void run_to(SimDuration since_start) { engine.run_until(SimTime(since_start)); }
  const Pod& at(Ref<Pod> ref) const { return api.all<Pod>().at(ref); }
  const Node& at(Ref<Node> ref) const { return api.all<Node>().at(ref); }
  bool gone(Ref<Pod> ref) const { return api.get(ref) == nullptr; }
  const std::string& text(Symbol symbol) const { return names.text(symbol); }
  const std::string& waiting_reason(Ref<Pod> ref) const { return text(at(ref).containers.at(0).reason); }

  /// The newest record of this kind (of this subject); CauseId{} when there is none.
  CauseId last_record(std::string_view kind, std::string_view subject = {}) const {
    for (std::size_t i = log.size(); i > 0; --i) {
      const EventLog::Record& record = log.records()[i - 1];
      if (log.kind(record) == kind && (subject.empty() || log.subject(record) == subject)) return CauseId{static_cast<std::uint32_t>(i)};
    }
    return {};
  }
  std::size_t count_records(std::string_view kind) const {
    std::size_t count = 0;
    for (const EventLog::Record& record : log.records()) count += log.kind(record) == kind ? 1 : 0;
    return count;
  }
  /// Whether the chain from `from` back to its root has a record of this kind.
  bool chain_has(CauseId from, std::string_view kind) const {
    if (!from) return false;
    for (const CauseId id : log.chain(from)) {
      if (log.kind(log.at(id)) == kind) return true;
    }
    return false;
  }
  /// A record that stands for a fault, to be made current while it is injected.
  CauseId fault(std::string_view what) { return log.record("FaultInjected", "fault/test", what); }

  Engine engine;
  Interner names;
  EventLog log{engine, names};
  Randomness random;
  topology::Topology topology{engine, log};
  host::Hosts hosts{engine, log, random, topology};
  ApiServer api{engine, log, names};
  Storage storage{api};
  std::unique_ptr<ControlPlane> control_plane;
  std::vector<PodBehaviour> behaviours;
  ImageConfig images;
  KubeletConfig config;
  std::vector<Ref<Node>> nodes;
  std::vector<host::HostId> host_ids;
  std::unique_ptr<Kubelets> kubelets;
  std::function<void()> before_nodes;  // called by start() once the kubelets are there
};

}  // namespace sim::k8s::test

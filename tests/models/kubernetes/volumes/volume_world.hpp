/// A whole world with storage, for the stories of volumes: nodes, control plane, scheduler, controllers, kubelets.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/volumes/claims.hpp"
#include "sim/models/world.hpp"

namespace sim::k8s::test {

inline constexpr std::int64_t kGi = 1ll << 30;

struct VolumeWorld {
  explicit VolumeWorld(int workers = 2, std::uint64_t seed = 1) : world(config(seed)) {
    PodBehaviour exact;
    exact.start_up_sigma = 0.0;
    world.behaviours.push_back(exact);
    add_node("cp-1", true);
    for (int i = 1; i <= workers; ++i) add_node("w" + std::to_string(i), false);
    Namespace ns;
    ns.meta.name = sym("default");
    world.api.create(std::move(ns));
  }
  static WorldConfig config(std::uint64_t seed) {
    WorldConfig c;
    c.seed = seed;
    c.images.preloaded = true;
    c.images.default_bytes = 0;
    return c;
  }

  Symbol sym(std::string_view text) { return world.names.intern(text); }
  const std::string& text(Symbol symbol) const { return world.names.text(symbol); }

  void add_node(const std::string& name, bool is_control_plane) {
    world.topology.add(topology::ElementKind::kHost, name);
    host::HostSpec spec;
    spec.name = name;
    spec.memory_bytes = 16 * kGi;
    spec.boot = {std::chrono::seconds(60), 0.0};
    spec.kubelet_start = {std::chrono::seconds(20), 0.0};
    const host::HostId host = world.hosts.add(spec);
    hosts.push_back(host);
    Node node;
    node.meta.name = sym(name);
    node.meta.labels.set(world.api.well_known().hostname, node.meta.name);
    node.capacity.cpu_milli = node.allocatable.cpu_milli = 8000;
    node.capacity.memory = 16 * kGi;
    node.allocatable.memory = 15 * kGi;
    node.capacity.pods = node.allocatable.pods = 110;
    if (is_control_plane) node.taints.push_back(Taint{world.api.well_known().control_plane_taint, Symbol{}, TaintEffect::kNoSchedule});
    const Ref<Node> ref = world.api.create(std::move(node));
    world.kubelets.add_node(ref, host);
    if (is_control_plane) world.control_plane.add_member(host);
    nodes.push_back(ref);
  }

  StorageClass storage_class(std::string_view name, std::string_view provisioner, bool waits = false) {
    StorageClass made;
    made.meta.name = sym(name);
    made.provisioner = sym(provisioner);
    made.wait_for_first_consumer = waits;
    return made;
  }
  ClaimTemplate claim(std::string_view name, std::string_view storage_class, std::uint8_t modes = AccessModes::kReadWriteOnce) {
    ClaimTemplate made;
    made.name = sym(name);
    made.spec.access_modes.bits = modes;
    made.spec.bytes = 10 * kGi;
    made.spec.storage_class = sym(storage_class);
    return made;
  }
  Ref<PersistentVolumeClaim> create_claim(const ClaimTemplate& from) {
    return world.api.create(make_claim(world.api, sym("default"), from.name, from));
  }
  PersistentVolume volume(std::string_view name, std::string_view storage_class, std::int64_t gigabytes) {
    PersistentVolume made;
    made.meta.name = sym(name);
    made.meta.finalizers.push_back(world.api.well_known().pv_protection);
    made.bytes = gigabytes * kGi;
    made.access_modes.bits = AccessModes::kReadWriteOnce;
    made.storage_class = sym(storage_class);
    made.driver = sym("rbd.csi.ceph.com");
    return made;
  }

  std::shared_ptr<PodSpec> spec(std::string_view claim_name) {
    auto made = std::make_shared<PodSpec>();
    Container container;
    container.name = sym("main");
    container.image = sym("app:1");
    container.volume_mounts.push_back(sym("data"));
    made->containers.push_back(container);
    if (!claim_name.empty()) made->volumes.push_back(PodVolume{sym("data"), sym(claim_name), nullptr});
    finish_pod_spec(*made);
    return made;
  }
  Pod pod(std::string_view name, std::string_view claim_name) {
    Pod made;
    made.meta.ns = sym("default");
    made.meta.name = sym(name);
    made.spec = spec(claim_name);
    return made;
  }
  template <class Mutate>
  Pod pod(std::string_view name, std::string_view claim_name, Mutate&& mutate) {
    Pod made = pod(name, claim_name);
    auto changed = std::make_shared<PodSpec>(*made.spec);
    mutate(*changed);
    finish_pod_spec(*changed);
    made.spec = std::move(changed);
    return made;
  }
  StatefulSet stateful_set(std::string_view name, std::int64_t replicas, const ClaimTemplate& from) {
    StatefulSet set;
    set.meta.ns = sym("default");
    set.meta.name = sym(name);
    set.replicas = replicas;
    set.pod_template.labels.set(sym("app"), sym(name));
    set.pod_template.spec = spec("");
    set.pod_template.hash = 7;
    set.selector.requirements.push_back(Requirement{sym("app"), SelectorOperator::kIn, {sym(name)}});
    set.claim_templates.push_back(from);
    return set;
  }

  void run_to(SimDuration since_start) { world.engine.run_until(SimTime(since_start)); }
  const Pod* find_pod(std::string_view name) { return world.api.get(pod_ref(name)); }
  Ref<Pod> pod_ref(std::string_view name) { return world.api.find<Pod>(sym("default"), sym(name)); }
  const PersistentVolumeClaim* find_claim(std::string_view name) {
    return world.api.get(world.api.find<PersistentVolumeClaim>(sym("default"), sym(name)));
  }
  const PersistentVolume* find_volume(std::string_view name) { return world.api.get(world.api.find<PersistentVolume>(Symbol{}, sym(name))); }
  std::vector<std::string> attachments() const {
    std::vector<std::string> all;
    world.api.all<VolumeAttachment>().for_each([&](Ref<VolumeAttachment>, const VolumeAttachment& a) {
      all.push_back(text(a.volume) + " " + text(a.node) + (a.attached ? " attached" : " waits"));
    });
    return all;
  }

  /// The first record of this kind about this subject (or any); CauseId{} when there is none.
  CauseId first_record(std::string_view kind, std::string_view subject = {}) const {
    for (std::size_t i = 0; i < world.log.size(); ++i) {
      const EventLog::Record& record = world.log.records()[i];
      if (world.log.kind(record) == kind && (subject.empty() || world.log.subject(record) == subject)) return CauseId{static_cast<std::uint32_t>(i + 1)};
    }
    return {};
  }
  std::size_t count(std::string_view kind) const {
    std::size_t n = 0;
    for (const EventLog::Record& record : world.log.records()) n += world.log.kind(record) == kind ? 1 : 0;
    return n;
  }
  SimDuration when(CauseId id) const { return world.log.at(id).time.time_since_epoch(); }
  std::string message(CauseId id) const { return id ? std::string(world.log.message(world.log.at(id))) : std::string("no such record"); }
  /// Whether something of this kind is among the reasons of a record, however far back, contributing ones included.
  bool leads_back_to(CauseId id, std::string_view kind) const {
    if (!id) return false;
    if (world.log.kind(world.log.at(id)) == kind) return true;
    if (leads_back_to(world.log.at(id).cause, kind)) return true;
    for (const CauseId other : world.log.contributing(id)) {
      if (leads_back_to(other, kind)) return true;
    }
    return false;
  }
  CauseId fault(std::string_view what) { return world.log.record("FaultInjected", "fault/test", what); }
  std::string dump() const {
    std::string out;
    for (const EventLog::Record& record : world.log.records()) {
      out += std::to_string(record.time.time_since_epoch() / std::chrono::milliseconds(1)) + " " + world.log.subject(record) + " " + world.log.kind(record) +
             ": " + std::string(world.log.message(record)) + "\n";
    }
    return out;
  }

  World world;
  std::vector<Ref<Node>> nodes;  // the first is the control plane's
  std::vector<host::HostId> hosts;
};

}  // namespace sim::k8s::test

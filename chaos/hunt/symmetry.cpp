#include "chaos/hunt/symmetry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "chaos/target.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace chaos::hunt {

using sim::k8s::Kind;
using sim::k8s::Node;
using sim::k8s::Pod;
using sim::k8s::Ref;

std::vector<NodeSignature> node_signatures(sim::World& world, const sim::scenario::ScenarioSpec& scenario) {
  std::map<std::string, std::string> pool_of;
  for (const auto& [pool, nodes] : scenario.nodes_of_pools()) {
    for (const std::string& node : nodes) pool_of[node] = pool;
  }
  std::set<std::string> unique;  // hosts that are like no other
  if (world.rook != nullptr) {
    const sim::ceph::CephCluster& cluster = world.rook->cluster();
    for (const sim::ceph::Osd& osd : cluster.osds()) unique.insert(world.hosts.spec(osd.host).name);
    for (std::size_t i = 0; i < cluster.monitors().size(); ++i) unique.insert(world.hosts.spec(cluster.monitors().host(i)).name);
    for (std::size_t i = 0; i < cluster.managers().size(); ++i) unique.insert(world.hosts.spec(cluster.managers().host(i)).name);
    for (const auto& mds : cluster.file_systems().mdss()) {
      if (mds.host) unique.insert(world.hosts.spec(mds.host).name);
    }
  }
  std::map<std::string, std::vector<std::string>> pods_of;
  world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
    if (!pod.node_name) return;
    const sim::k8s::OwnerReference* owner = pod.meta.controller();
    std::string text = world.names.text(pod.meta.ns) + "/";
    if (owner == nullptr || owner->owner.kind == Kind::kStatefulSet || owner->owner.kind == Kind::kJob) {
      text += "pod " + world.names.text(pod.meta.name);
    } else {
      text += fmt::format("{}:{}", static_cast<int>(owner->owner.kind), owner->uid);
    }
    text += fmt::format(" {} {} {}", static_cast<int>(pod.phase), pod.ready, pod.meta.is_deleting());
    pods_of[world.names.text(pod.node_name)].push_back(std::move(text));
  });

  std::map<std::string, std::string> places_of;  // what each host stands in, or needs
  for (const sim::topology::ElementId element : world.topology.all()) {
    for (const sim::topology::ElementId below : world.topology.dependents(element)) {
      if (world.topology.kind(below) == sim::topology::ElementKind::kHost) places_of[world.topology.name(below)] += " " + world.topology.name(element);
    }
  }

  std::vector<NodeSignature> result;
  world.api.all<Node>().for_each([&](Ref<Node> ref, const Node& node) {
    const std::string& name = world.names.text(node.meta.name);
    const sim::host::HostId host = world.kubelets.host_of(ref);
    if (unique.contains(name) || !host || member_on(world.control_plane, host) || !pool_of.contains(name)) {
      result.push_back({name, "only " + name});
      return;
    }
    std::string text = fmt::format("pool {}; in{}", pool_of[name], places_of[name]);
    text += "; labels";
    std::vector<std::string> labels;
    for (const auto& label : node.meta.labels) {
      if (world.names.text(label.value) != name) labels.push_back(fmt::format(" {}={}", world.names.text(label.key), world.names.text(label.value)));
    }
    std::sort(labels.begin(), labels.end());
    for (const std::string& label : labels) text += label;
    text += fmt::format("; {} {} {}{}{}; taints", node.unschedulable, static_cast<int>(node.ready), node.memory_pressure, node.disk_pressure, node.pid_pressure);
    for (const sim::k8s::Taint& taint : node.taints) text += fmt::format(" {}={}:{}", world.names.text(taint.key), world.names.text(taint.value), static_cast<int>(taint.effect));
    text += "; pods";
    std::vector<std::string>& pods = pods_of[name];
    std::sort(pods.begin(), pods.end());
    for (const std::string& pod : pods) text += " " + pod;
    result.push_back({name, std::move(text)});
  });
  return result;
}

}  // namespace chaos::hunt

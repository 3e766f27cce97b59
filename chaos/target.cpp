#include "chaos/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/models/rook/rook.hpp"

namespace chaos {

using sim::Symbol;
using sim::k8s::Component;
using sim::k8s::Kind;
using sim::k8s::LabelSelector;
using sim::k8s::Node;
using sim::k8s::Pod;
using sim::k8s::Ref;

LabelSelector to_selector(const std::map<std::string, std::string>& labels, sim::Interner& names) {
  LabelSelector selector;
  for (const auto& [key, value] : labels) {
    sim::k8s::Requirement requirement;
    requirement.key = names.intern(key);
    requirement.op = sim::k8s::SelectorOperator::kIn;
    requirement.values.push_back(names.intern(value));
    selector.requirements.push_back(std::move(requirement));
  }
  return selector;
}

std::string describe_selector(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  return text;
}

std::vector<std::string> node_names(sim::World& world) {
  std::vector<std::string> all;
  world.api.all<Node>().for_each([&](Ref<Node>, const Node& node) { all.push_back(world.names.text(node.meta.name)); });
  return all;
}

std::optional<std::size_t> member_on(sim::k8s::ControlPlane& control_plane, sim::host::HostId host) {
  for (std::size_t member = 0; host && member < control_plane.member_count(); ++member) {
    if (control_plane.member_host(member) == host) return member;
  }
  return std::nullopt;
}

std::optional<Component> parse_component(const std::string& text) {
  for (Component component : {Component::kEtcd, Component::kApiServer, Component::kScheduler, Component::kControllerManager}) {
    if (text == sim::k8s::to_string(component)) return component;
  }
  return std::nullopt;
}

// ---- NodeTarget ---------------------------------------------------------------------------------------------------

namespace {

/// Where the leading monitor, the active manager, or the metadata server of rank 0 of the first file system is.
sim::host::HostId leader_of_ceph(const sim::World& world, const std::string& daemon) {
  if (world.rook == nullptr) return {};
  const sim::ceph::CephCluster& cluster = world.rook->cluster();
  if (daemon == "ceph-mon") return cluster.monitors().leader() ? cluster.monitors().host(*cluster.monitors().leader()) : sim::host::HostId{};
  if (daemon == "ceph-mgr") return cluster.managers().active() ? cluster.managers().host(*cluster.managers().active()) : sim::host::HostId{};
  const sim::ceph::FileSystems& all = cluster.file_systems();
  if (daemon != "ceph-mds" || all.size() == 0 || !all.at(0).ranks.front().mds) return {};
  return all.mdss()[*all.at(0).ranks.front().mds].host;
}

}  // namespace

bool NodeTarget::is_given() const {
  return !nodes.empty() || !pool.empty() || !selector.empty() || !in.empty() || !leader_of.empty();
}

std::vector<Ref<Node>> NodeTarget::resolve(FaultEnvironment& environment, sim::RandomStream& random) const {
  sim::World& world = environment.world();
  if (!is_given()) return {};
  std::vector<Ref<Node>> candidates;
  if (!nodes.empty()) {
    for (const std::string& name : nodes) {
      const Ref<Node> ref = world.api.find<Node>(Symbol{}, world.names.find(name));
      if (ref && std::find(candidates.begin(), candidates.end(), ref) == candidates.end()) candidates.push_back(ref);
    }
  } else {
    candidates = world.api.all<Node>().refs();
  }
  std::set<std::string> in_pool;
  if (!pool.empty()) {
    const auto found = environment.pools().find(pool);
    if (found != environment.pools().end()) in_pool.insert(found->second.begin(), found->second.end());
  }
  std::set<std::string> in_element;
  if (!in.empty()) {
    if (const sim::topology::ElementId element = world.topology.find(in)) {
      in_element.insert(in);
      for (sim::topology::ElementId id : world.topology.dependents(element)) in_element.insert(world.topology.name(id));
    }
  }
  const LabelSelector labels = to_selector(selector, world.names);
  std::optional<std::size_t> leader;
  if (const std::optional<Component> component = parse_component(leader_of)) leader = world.control_plane.leader(*component);
  const sim::host::HostId leading_host = leader ? world.control_plane.member_host(*leader) : leader_of_ceph(world, leader_of);

  std::erase_if(candidates, [&](Ref<Node> ref) {
    const Node& node = world.api.all<Node>().at(ref);
    const std::string& name = world.names.text(node.meta.name);
    if (!pool.empty() && !in_pool.contains(name)) return true;
    if (!in.empty() && !in_element.contains(name)) return true;
    if (!selector.empty() && !labels.matches(node.meta.labels, world.names)) return true;
    if (!leader_of.empty()) {
      const sim::host::HostId host = world.kubelets.host_of(ref);
      if (!host || leading_host != host) return true;
    }
    return false;
  });
  choose(candidates, count, pick, random);
  return candidates;
}

void NodeTarget::check(FaultEnvironment& environment, Problems& problems) const {
  sim::World& world = environment.world();
  if (!is_given()) {
    problems.error("no target: give target.nodes, target.pool, target.selector, target.in or target.leaderOf");
    return;
  }
  bool known = true;
  for (const std::string& name : nodes) {
    if (!world.api.find<Node>(Symbol{}, world.names.find(name))) {
      problems.unknown("node", name, node_names(world));
      known = false;
    }
  }
  if (!pool.empty() && !environment.pools().contains(pool)) {
    std::vector<std::string> names;
    for (const auto& [name, members] : environment.pools()) names.push_back(name);
    problems.unknown("pool", pool, names);
    known = false;
  }
  if (!in.empty() && !world.topology.find(in)) {
    std::vector<std::string> names;
    for (sim::topology::ElementId id : world.topology.all()) names.push_back(world.topology.name(id));
    problems.unknown("topology element", in, names);
    known = false;
  }
  if (!leader_of.empty()) {
    if (leader_of.starts_with("ceph-")) {
      if (world.rook == nullptr || (leader_of == "ceph-mds" && world.rook->cluster().file_systems().size() == 0)) {
        problems.error(fmt::format("target.leaderOf: this scenario has no {}", leader_of == "ceph-mds" ? "file system of Ceph" : "Ceph"));
        known = false;
      }
    } else if (leader_of == "kube-apiserver" || !parse_component(leader_of)) {
      const std::vector<std::string> leading = {"etcd", "kube-scheduler", "kube-controller-manager"};
      problems.unknown("component with a leader", leader_of, leading);
      known = false;
    } else if (world.control_plane.member_count() == 0) {
      problems.error("target.leaderOf: this scenario has no control-plane nodes");
      known = false;
    }
  }
  if (!known) return;
  // Who leads is known only when the world runs.
  NodeTarget rest = *this;
  rest.leader_of.clear();
  rest.count.reset();
  if (!rest.is_given()) return;
  sim::RandomStream unused;
  if (rest.resolve(environment, unused).empty()) problems.error("the target matches no node");
}

// ---- PodTarget ----------------------------------------------------------------------------------------------------

bool PodTarget::is_given() const { return !pods.empty() || !selector.empty() || !node.empty(); }

std::vector<Ref<Pod>> PodTarget::resolve(FaultEnvironment& environment, sim::RandomStream& random) const {
  sim::World& world = environment.world();
  if (!is_given()) return {};
  const Symbol space = world.names.intern(ns);
  const LabelSelector labels = to_selector(selector, world.names);
  const Symbol bound = node.empty() ? Symbol{} : world.names.intern(node);
  std::vector<Ref<Pod>> matching;
  const auto matches = [&](const Pod& pod) {
    return pod.is_active() && pod.meta.ns == space && (selector.empty() || labels.matches(pod.meta.labels, world.names)) &&
           (!bound || pod.node_name == bound);
  };
  if (!pods.empty()) {
    for (const std::string& name : pods) {
      const Ref<Pod> ref = world.api.find<Pod>(space, world.names.find(name));
      const Pod* pod = world.api.get(ref);
      if (pod != nullptr && matches(*pod) && std::find(matching.begin(), matching.end(), ref) == matching.end()) matching.push_back(ref);
    }
  } else {
    world.api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (matches(pod)) matching.push_back(ref);
    });
    std::sort(matching.begin(), matching.end(), [&](Ref<Pod> a, Ref<Pod> b) {
      return world.names.text(world.api.all<Pod>().at(a).meta.name) < world.names.text(world.api.all<Pod>().at(b).meta.name);
    });
  }
  choose(matching, count, pick, random);
  return matching;
}

namespace {

/// Calls visit(kind, meta, template labels) for every workload that makes pods.
template <class Visit>
void for_each_template(sim::World& world, Visit&& visit) {
  using namespace sim::k8s;
  world.api.all<Deployment>().for_each([&](Ref<Deployment>, const Deployment& o) { visit(o.meta, o.pod_template.labels); });
  world.api.all<ReplicaSet>().for_each([&](Ref<ReplicaSet>, const ReplicaSet& o) { visit(o.meta, o.pod_template.labels); });
  world.api.all<StatefulSet>().for_each([&](Ref<StatefulSet>, const StatefulSet& o) { visit(o.meta, o.pod_template.labels); });
  world.api.all<DaemonSet>().for_each([&](Ref<DaemonSet>, const DaemonSet& o) { visit(o.meta, o.pod_template.labels); });
  world.api.all<Job>().for_each([&](Ref<Job>, const Job& o) { visit(o.meta, o.spec.pod_template.labels); });
  world.api.all<CronJob>().for_each([&](Ref<CronJob>, const CronJob& o) { visit(o.meta, o.job_template.pod_template.labels); });
}

}  // namespace

bool any_pod_can_match(sim::World& world, Symbol ns, const LabelSelector& selector) {
  bool found = false;
  world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
    found = found || ((!ns || pod.meta.ns == ns) && selector.matches(pod.meta.labels, world.names));
  });
  for_each_template(world, [&](const sim::k8s::ObjectMeta& meta, const sim::k8s::Labels& labels) {
    found = found || ((!ns || meta.ns == ns) && selector.matches(labels, world.names));
  });
  return found;
}

void PodTarget::check(FaultEnvironment& environment, Problems& problems) const {
  sim::World& world = environment.world();
  if (!is_given()) {
    problems.error("no target: give target.pods, target.selector or target.node");
    return;
  }
  const Symbol space = world.names.intern(ns);
  for (const std::string& name : pods) {
    if (world.api.find<Pod>(space, world.names.find(name))) continue;
    // A controller names its pods "<its name>-<something>"; the control plane's pods appear with the start.
    bool may_come = ns == "kube-system" && world.control_plane.member_count() > 0;
    std::vector<std::string> candidates;
    for_each_template(world, [&](const sim::k8s::ObjectMeta& meta, const sim::k8s::Labels&) {
      if (meta.ns != space) return;
      const std::string& owner = world.names.text(meta.name);
      may_come = may_come || name.starts_with(owner + "-");
      candidates.push_back(owner + "-0");
    });
    if (!may_come) {
      world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
        if (pod.meta.ns == space) candidates.push_back(world.names.text(pod.meta.name));
      });
      problems.unknown(fmt::format("pod (in namespace '{}')", ns), name, candidates);
    }
  }
  if (!selector.empty() && !any_pod_can_match(world, space, to_selector(selector, world.names))) {
    problems.error(fmt::format("no pod or pod template in namespace '{}' has the labels {}", ns, describe_selector(selector)));
  }
  if (!node.empty() && !world.api.find<Node>(Symbol{}, world.names.find(node))) problems.unknown("node", node, node_names(world));
}

// ---- Fields -------------------------------------------------------------------------------------------------------

namespace {
const std::vector<std::pair<std::string, Pick>> kPickWords = {{"first", Pick::kFirst}, {"random", Pick::kRandom}};
}

void describe(sim::scenario::Fields<NodeTarget>& fields) {
  fields.title("Which nodes. They satisfy everything that is given; at least one of nodes, pool, selector, in and leaderOf is.")
      .add("nodes", &NodeTarget::nodes, "Nodes by name.")
      .add("pool", &NodeTarget::pool, "The nodes of this pool of the scenario.")
      .add("selector", &NodeTarget::selector, "Nodes with these labels.")
      .add("in", &NodeTarget::in, "Nodes that stand in, or need, this element of the topology: a zone, rack, power feed, switch or host.")
      .choice("leaderOf", &NodeTarget::leader_of,
              std::vector<std::pair<std::string, std::string>>{
                  {"etcd", "etcd"}, {"kube-scheduler", "kube-scheduler"}, {"kube-controller-manager", "kube-controller-manager"}, {"ceph-mon", "ceph-mon"}, {"ceph-mgr", "ceph-mgr"}, {"ceph-mds", "ceph-mds"}},
              "The node whose member leads this component when the fault is injected; of Ceph the leading monitor, the active manager, the metadata server of rank 0.")
      .add("count", &NodeTarget::count, 1, 1'000'000, "Only so many of them.")
      .choice("pick", &NodeTarget::pick, kPickWords, "Which ones, with `count`: the first, or at random (the same ones for the same seed).");
}

void describe(sim::scenario::Fields<PodTarget>& fields) {
  fields.title("Which pods. They satisfy everything that is given; at least one of pods, selector and node is.")
      .add("namespace", &PodTarget::ns, "Their namespace.")
      .add("pods", &PodTarget::pods, "Pods by name.")
      .add("selector", &PodTarget::selector, "Pods with these labels.")
      .add("node", &PodTarget::node, "Pods that are bound to this node.")
      .add("count", &PodTarget::count, 1, 1'000'000, "Only so many of them.")
      .choice("pick", &PodTarget::pick, kPickWords, "Which ones, with `count`: the first by name, or at random (the same ones for the same seed).");
}

// ---- Injections ---------------------------------------------------------------------------------------------------

NodeInjection::NodeInjection(InjectionContext context, const NodeTarget& target) : context_(std::move(context)) {
  nodes_ = target.resolve(context_.environment, context_.random);
  for (Ref<Node> node : nodes_) {
    if (const sim::host::HostId host = world().kubelets.host_of(node)) hosts_.push_back(host);
  }
}

std::vector<std::string> NodeInjection::targets() const {
  std::vector<std::string> subjects;
  for (Ref<Node> ref : nodes_) {
    if (const Node* node = world().api.get(ref)) subjects.push_back("Node/" + world().names.text(node->meta.name));
  }
  return subjects;
}

PodInjection::PodInjection(InjectionContext context, const PodTarget& target) : context_(std::move(context)) {
  pods_ = target.resolve(context_.environment, context_.random);
}

std::vector<std::string> PodInjection::targets() const {
  std::vector<std::string> subjects;
  for (Ref<Pod> ref : pods_) {
    if (const Pod* pod = world().api.get(ref)) {
      subjects.push_back(fmt::format("Pod/{}/{}", world().names.text(pod->meta.ns), world().names.text(pod->meta.name)));
    }
  }
  return subjects;
}

}  // namespace chaos

#include "chaos/hunt/action.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "chaos/target.hpp"
#include "sim/models/registry/registries.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/yaml_text.hpp"

namespace chaos::hunt {

namespace {

using sim::scenario::yaml_quoted;
using std::chrono::hours;
using std::chrono::minutes;

/// What the rules look at.
struct Scene {
  sim::World& world;
  const sim::scenario::ScenarioSpec& scenario;
  struct Workload {
    std::string kind;  // "Deployment"
    std::string ns;
    std::string name;
    std::string selector;  // YAML
    std::optional<std::int64_t> replicas;  // absent: of a DaemonSet
    std::shared_ptr<const sim::k8s::PodSpec> spec;
  };
  std::vector<std::string> nodes;
  std::vector<std::string> machines;  // nodes that have one
  std::vector<std::string> members;   // nodes of the control plane
  std::vector<std::string> storage;   // hosts of OSDs
  std::vector<Workload> workloads;
  std::set<std::string> chosen_by;  // keys of node labels that pods of some workload need, or spread over
};

/// Labels of nodes without which a pod of this template has no place.
void add_needed_labels(Scene& scene, const sim::k8s::PodTemplate& pod_template) {
  if (pod_template.spec == nullptr) return;
  const sim::k8s::PodSpec& spec = *pod_template.spec;
  const auto add = [&](sim::Symbol key) { scene.chosen_by.insert(scene.world.names.text(key)); };
  for (const auto& label : spec.node_selector) add(label.key);
  for (const sim::k8s::TopologySpreadConstraint& spread : spec.topology_spread) {
    if (spread.do_not_schedule) add(spread.topology_key);
  }
  if (spec.affinity == nullptr) return;
  for (const sim::k8s::NodeSelectorTerm& term : spec.affinity->required_node_terms) {
    for (const sim::k8s::Requirement& requirement : term.match_expressions) add(requirement.key);
  }
}

template <class Object>
void add_workloads(Scene& scene) {
  sim::World& world = scene.world;
  world.api.all<Object>().for_each([&](sim::k8s::Ref<Object>, const Object& object) {
    Scene::Workload workload{sim::k8s::to_string(Object::kKind), world.names.text(object.meta.ns), world.names.text(object.meta.name), {}, {}, object.pod_template.spec};
    if constexpr (requires { object.replicas; }) workload.replicas = object.replicas;
    add_needed_labels(scene, object.pod_template);
    for (const auto& label : object.pod_template.labels) {
      workload.selector += fmt::format("{}{}: {}", workload.selector.empty() ? "" : ", ", yaml_quoted(world.names.text(label.key)), yaml_quoted(world.names.text(label.value)));
    }
    if (!workload.selector.empty()) scene.workloads.push_back(std::move(workload));
  });
}

Scene look(sim::World& world, const sim::scenario::ScenarioSpec& scenario) {
  Scene scene{world, scenario, {}, {}, {}, {}, {}, {}};
  world.api.all<sim::k8s::Node>().for_each([&](sim::k8s::Ref<sim::k8s::Node> ref, const sim::k8s::Node& node) {
    const std::string& name = world.names.text(node.meta.name);
    scene.nodes.push_back(name);
    const sim::host::HostId host = world.kubelets.host_of(ref);
    if (host) scene.machines.push_back(name);
    if (member_on(world.control_plane, host)) scene.members.push_back(name);
  });
  if (world.rook != nullptr) {
    for (const sim::ceph::Osd& osd : world.rook->cluster().osds()) {
      const std::string& host = world.hosts.spec(osd.host).name;
      if (std::find(scene.storage.begin(), scene.storage.end(), host) == scene.storage.end()) scene.storage.push_back(host);
    }
  }
  add_workloads<sim::k8s::Deployment>(scene);
  add_workloads<sim::k8s::StatefulSet>(scene);
  add_workloads<sim::k8s::DaemonSet>(scene);
  world.api.all<sim::k8s::CronJob>().for_each([&](sim::k8s::Ref<sim::k8s::CronJob>, const sim::k8s::CronJob& job) { add_needed_labels(scene, job.job_template.pod_template); });
  // Which node has which name is the API server's business: the kubelet writes it back.
  scene.chosen_by.erase("kubernetes.io/hostname");
  return scene;
}

using Actions = std::vector<Action>;

Action on_node(const std::string& kind, const std::string& node, std::optional<SimDuration> length, const std::string& more = {}) {
  return {kind, node, fmt::format("target: {{nodes: [{}]}}{}{}", yaml_quoted(node), more.empty() ? "" : ", ", more), length, "duration", node, false};
}

void each_machine(const Scene& scene, const std::string& kind, std::optional<SimDuration> length, Actions& to, const std::string& more = {}) {
  for (const std::string& node : scene.machines) to.push_back(on_node(kind, node, length, more));
}

void each_workload(const Scene& scene, const std::string& kind, std::optional<SimDuration> length, Actions& to, const std::string& target_more = {},
                   const std::string& more = {}) {
  for (const Scene::Workload& workload : scene.workloads) {
    to.push_back({kind, workload.ns + "/" + workload.name,
                  fmt::format("target: {{namespace: {}, selector: {{{}}}{}{}}}{}{}", yaml_quoted(workload.ns), workload.selector, target_more.empty() ? "" : ", ",
                              target_more, more.empty() ? "" : ", ", more),
                  length, "duration", {}, false});
  }
}

/// The workload itself, as the faults name it that change objects.
std::string object_fields(const Scene::Workload& workload) {
  return fmt::format("workload: {}, namespace: {}, object: {}", workload.kind, yaml_quoted(workload.ns), yaml_quoted(workload.name));
}

/// The image of the first container with a tag that nobody pushed; empty: it has none.
std::string mistyped_image(const Scene& scene, const Scene::Workload& workload) {
  if (workload.spec == nullptr || workload.spec->containers.empty()) return {};
  std::string image = scene.world.names.text(workload.spec->containers.front().image);
  image = image.substr(0, image.find('@'));
  const std::size_t name = image.rfind('/');
  const std::size_t tag = image.find(':', name == std::string::npos ? 0 : name);
  image = image.substr(0, tag);
  return image.empty() ? image : image + ":no-such-tag";
}

struct Rule {
  const char* kind;
  void (*list)(const Scene& scene, Actions& to);
};

// Lengths are what it takes to repair such a thing by hand or by itself: a crashed machine boots after a quarter of an hour, a maintenance takes two.
// The smallest that does the harm is found afterwards, by shrinking.
const Rule kRules[] = {
    {"node-crash", [](const Scene& s, Actions& to) { each_machine(s, "node-crash", minutes(30), to); }},
    {"planned-maintenance",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.machines) {
         Action action = on_node("planned-maintenance", node, hours(2), "action: power-off");
         action.length_key = "offFor";
         to.push_back(std::move(action));
       }
       for (const auto& [pool, nodes] : s.scenario.nodes_of_pools()) {
         if (nodes.size() > 1) to.push_back({"planned-maintenance", "pool " + pool, fmt::format("target: {{pool: {}}}, action: reboot", yaml_quoted(pool)), std::nullopt, "duration", {}, false});
       }
     }},
    {"element-down",
     [](const Scene& s, Actions& to) {
       const sim::topology::Topology& topology = s.world.topology;
       for (const sim::topology::ElementId id : topology.all()) {
         if (topology.kind(id) == sim::topology::ElementKind::kHost || topology.dependents(id).empty()) continue;
         to.push_back({"element-down", topology.name(id), fmt::format("elements: [{}]", yaml_quoted(topology.name(id))), minutes(30), "duration", {}, false});
       }
     }},
    {"network-partition", [](const Scene& s, Actions& to) { each_machine(s, "network-partition", minutes(15), to); }},
    {"drain", [](const Scene& s, Actions& to) {
       for (const std::string& node : s.nodes) to.push_back(on_node("drain", node, hours(1), "drain: {timeout: 30m}"));
     }},
    {"node-reboot", [](const Scene& s, Actions& to) { each_machine(s, "node-reboot", std::nullopt, to); }},
    {"node-hang", [](const Scene& s, Actions& to) { each_machine(s, "node-hang", minutes(15), to); }},
    {"process-kill",
     [](const Scene& s, Actions& to) {
       for (const char* component : {"etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"}) {
         for (const std::string& node : s.members) {
           Action action = on_node("process-kill", node, minutes(15), fmt::format("component: {}", component));
           action.element = fmt::format("{}/{}", component, node);
           to.push_back(std::move(action));
         }
       }
       for (const std::string& node : s.machines) {
         Action action = on_node("process-kill", node, minutes(15), "component: kubelet");
         action.element = "kubelet/" + node;
         to.push_back(std::move(action));
       }
     }},
    {"process-hang",
     [](const Scene& s, Actions& to) {
       for (const char* component : {"etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"}) {
         for (const std::string& node : s.members) {
           Action action = on_node("process-hang", node, minutes(15), fmt::format("component: {}", component));
           action.element = fmt::format("{}/{}", component, node);
           to.push_back(std::move(action));
         }
       }
     }},
    {"leader-loss",
     [](const Scene& s, Actions& to) {
       if (s.members.empty()) return;
       for (const char* component : {"kube-scheduler", "kube-controller-manager"}) {
         to.push_back({"leader-loss", component, fmt::format("component: {}, of: all", component), minutes(15), "duration", {}, false});
       }
     }},
    {"etcd-member",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.members) {
         for (const char* action : {"defragment", "data-loss"}) {
           if (s.members.size() < 3 && std::string_view(action) == "data-loss") continue;  // of a majority: not modelled
           Action one = on_node("etcd-member", node, minutes(std::string_view(action) == "defragment" ? 2 : 60), fmt::format("action: {}", action));
           one.element = fmt::format("{}/{}", action, node);
           to.push_back(std::move(one));
         }
       }
     }},
    {"network-impair",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.machines) {
         Action lossy = on_node("network-impair", node, minutes(30), "loss: 50");
         lossy.element = "lossy/" + node;
         to.push_back(std::move(lossy));
       }
     }},
    {"clock-skew",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.machines) to.push_back(on_node("clock-skew", node, hours(1), "ahead: 1h"));
     }},
    {"memory-leak", [](const Scene& s, Actions& to) { each_workload(s, "memory-leak", std::nullopt, to, "", "rate: 50Mi/s"); }},
    {"pod-unready", [](const Scene& s, Actions& to) { each_workload(s, "pod-unready", minutes(15), to); }},
    {"pod-delete", [](const Scene& s, Actions& to) { each_workload(s, "pod-delete", std::nullopt, to); }},
    {"pod-kill", [](const Scene& s, Actions& to) { each_workload(s, "pod-kill", std::nullopt, to, "count: 1"); }},
    {"container-kill", [](const Scene& s, Actions& to) { each_workload(s, "container-kill", std::nullopt, to); }},
    {"ceph-disk",
     [](const Scene& s, Actions& to) {
       if (s.world.rook == nullptr) return;
       for (std::size_t osd = 0; osd < s.world.rook->cluster().osds().size(); ++osd) {
         to.push_back({"ceph-disk", fmt::format("osd.{}", osd), fmt::format("osds: [{}]", osd), std::nullopt, "duration", {}, false});
       }
       for (std::size_t osd = 0; osd < s.world.rook->cluster().osds().size(); ++osd) {
         to.push_back({"ceph-disk", fmt::format("fill osd.{}", osd), fmt::format("osds: [{}], action: fill", osd), std::nullopt, "duration", {}, false});
       }
     }},
    {"ceph-network",
     [](const Scene& s, Actions& to) {
       for (const char* network : {"public", "cluster"}) {
         for (const std::string& node : s.storage) {
           Action action = on_node("ceph-network", node, minutes(15), fmt::format("network: {}", network));
           action.element = fmt::format("{}/{}", network, node);
           to.push_back(std::move(action));
         }
       }
     }},
    {"registry",
     [](const Scene& s, Actions& to) {
       if (s.world.registries == nullptr) return;
       for (std::size_t i = 0; i < s.world.registries->size(); ++i) {
         const std::string& host = s.world.registries->host(i);
         to.push_back({"registry", host, fmt::format("registry: {}", yaml_quoted(host)), hours(1), "duration", {}, false});
       }
     }},
    {"disk-slow",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.members) to.push_back(on_node("disk-slow", node, minutes(15), "factor: 1000"));
     }},
    {"etcd-quota",
     [](const Scene& s, Actions& to) {
       if (!s.members.empty()) to.push_back({"etcd-quota", "etcd", "size: 16Gi", minutes(15), "duration", {}, false});
     }},
    {"certificate-expiry",
     [](const Scene& s, Actions& to) {
       // Nodes that were installed on one day have certificates that end on one day.
       if (!s.nodes.empty()) {
         std::string all;
         for (const std::string& node : s.nodes) all += (all.empty() ? "" : ", ") + yaml_quoted(node);
         to.push_back({"certificate-expiry", "all nodes", fmt::format("target: {{nodes: [{}]}}", all), hours(1), "duration", {}, true});
       }
       for (const auto& [pool, nodes] : s.scenario.nodes_of_pools()) {
         if (!nodes.empty()) to.push_back({"certificate-expiry", "pool " + pool, fmt::format("target: {{pool: {}}}", yaml_quoted(pool)), hours(1), "duration", {}, true});
       }
       if (s.members.empty()) return;
       std::string members;
       for (const std::string& node : s.members) members += (members.empty() ? "" : ", ") + yaml_quoted(node);
       for (const char* certificate : {"kube-scheduler", "kube-controller-manager", "kube-apiserver", "apiserver-etcd-client", "etcd-peer"}) {
         to.push_back({"certificate-expiry", certificate, fmt::format("target: {{nodes: [{}]}}, certificate: {}", members, certificate), hours(1), "duration", {}, false});
       }
     }},
    {"kernel-memory", [](const Scene& s, Actions& to) { each_machine(s, "kernel-memory", hours(1), to, "rate: 50Mi/s"); }},
    {"node-delete", [](const Scene& s, Actions& to) {
       for (const std::string& node : s.nodes) to.push_back(on_node("node-delete", node, std::nullopt));
     }},
    {"node-reinstall", [](const Scene& s, Actions& to) { each_machine(s, "node-reinstall", std::nullopt, to); }},
    {"scale",
     [](const Scene& s, Actions& to) {
       constexpr std::int64_t kTooMany = 10;  // one digit more than was meant
       for (const Scene::Workload& workload : s.workloads) {
         if (!workload.replicas || *workload.replicas == 0) continue;
         for (const std::int64_t replicas : {std::int64_t{0}, *workload.replicas * kTooMany}) {
           to.push_back({"scale", fmt::format("{}/{} to {}", workload.ns, workload.name, replicas), fmt::format("{}, replicas: {}", object_fields(workload), replicas), minutes(30), "duration", {}, false});
         }
       }
     }},
    {"workload-edit",
     [](const Scene& s, Actions& to) {
       for (const Scene::Workload& workload : s.workloads) {
         for (const char* rule : {"anti-affinity", "topology-spread", "node-selector", "tolerations", "readiness-probe"}) {
           to.push_back({"workload-edit", fmt::format("{}/{} without {}", workload.ns, workload.name, rule), fmt::format("{}, drop: {}", object_fields(workload), rule), hours(1), "duration", {}, false});
         }
         const std::string image = mistyped_image(s, workload);
         if (!image.empty()) to.push_back({"workload-edit", fmt::format("{}/{} image", workload.ns, workload.name), fmt::format("{}, image: {}", object_fields(workload), yaml_quoted(image)), hours(1), "duration", {}, false});
       }
     }},
    {"node-label",
     [](const Scene& s, Actions& to) {
       for (const std::string& label : s.chosen_by) {
         std::string all;
         std::size_t count = 0;
         for (const std::string& node : s.nodes) {
           const sim::k8s::Ref<sim::k8s::Node> ref = s.world.api.find<sim::k8s::Node>(sim::Symbol{}, s.world.names.find(node));
           if (!ref || !s.world.api.all<sim::k8s::Node>().at(ref).meta.labels.find(s.world.names.find(label))) continue;
           Action action = on_node("node-label", node, hours(1), fmt::format("label: {}", yaml_quoted(label)));
           action.element = fmt::format("{} off {}", label, node);
           to.push_back(std::move(action));
           all += (all.empty() ? "" : ", ") + yaml_quoted(node);
           ++count;
         }
         // kubectl label nodes --all KEY-
         if (count > 1) to.push_back({"node-label", label + " off all nodes", fmt::format("target: {{nodes: [{}]}}, label: {}", all, yaml_quoted(label)), hours(1), "duration", {}, false});
       }
     }},
    {"api-overload",
     [](const Scene& s, Actions& to) {
       if (s.members.empty()) return;
       to.push_back({"api-overload", "agents", fmt::format("clients: {}, user: \"system:serviceaccount:default:agent\", verb: list, resource: pods, interval: 10s", std::min<std::size_t>(s.nodes.size(), 1000)),
                     minutes(10), "duration", {}, false});
       // Dashboards and exporters that somebody has rolled out everywhere, and the events of a busy cluster.
       to.push_back({"api-overload", "events", "clients: 300, user: \"system:serviceaccount:default:exporter\", verb: list, resource: events, objects: 100000, interval: 30s", minutes(10),
                     "duration", {}, false});
     }},
    {"cordon",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.nodes) to.push_back(on_node("cordon", node, hours(2)));
       for (const auto& [pool, nodes] : s.scenario.nodes_of_pools()) {
         if (nodes.size() > 1) to.push_back({"cordon", "pool " + pool, fmt::format("target: {{pool: {}}}", yaml_quoted(pool)), hours(2), "duration", {}, false});
       }
     }},
    {"node-taint",
     [](const Scene& s, Actions& to) {
       for (const std::string& node : s.nodes) to.push_back(on_node("node-taint", node, minutes(30), "taint: \"maintenance=true:NoExecute\""));
     }},
    {"disk-fill", [](const Scene& s, Actions& to) { each_machine(s, "disk-fill", hours(1), to, "rate: 100Mi/s"); }},
};

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (matches(pattern.substr(1), text.substr(skip))) return true;
    }
    return false;
  }
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && matches(pattern.substr(1), text.substr(1));
}

std::vector<std::string> known_kinds() {
  std::vector<std::string> kinds;
  for (const Rule& rule : kRules) kinds.emplace_back(rule.kind);
  return kinds;
}

std::vector<std::string> kinds_left_out() {
  const std::vector<std::string> known = known_kinds();
  std::vector<std::string> rest;
  for (std::string& kind : all_faults().kinds()) {
    if (std::find(known.begin(), known.end(), kind) == known.end()) rest.push_back(std::move(kind));
  }
  return rest;
}

std::vector<Action> list_actions(sim::World& world, const sim::scenario::ScenarioSpec& scenario, const ActionChoice& choice) {
  const Scene scene = look(world, scenario);
  Actions all;
  for (const Rule& rule : kRules) {
    if (!choice.kinds.empty() && std::find(choice.kinds.begin(), choice.kinds.end(), rule.kind) == choice.kinds.end()) continue;
    rule.list(scene, all);
  }
  if (!choice.elements.empty()) {
    std::erase_if(all, [&](const Action& action) {
      return std::none_of(choice.elements.begin(), choice.elements.end(),
                          [&](const std::string& pattern) { return matches(pattern, action.element) || (!action.node.empty() && matches(pattern, action.node)); });
    });
  }
  return all;
}

void sort(Trial& trial) {
  std::sort(trial.begin(), trial.end(), [](const PlannedFault& a, const PlannedFault& b) { return std::tie(a.at, a.action) < std::tie(b.at, b.action); });
}

std::vector<std::string> fault_names(const std::vector<Action>& actions, const Trial& trial, const std::vector<std::string>& taken) {
  std::set<std::string> used(taken.begin(), taken.end());
  std::vector<std::string> names;
  for (const PlannedFault& fault : trial) {
    const Action& action = actions[fault.action];
    std::string name = action.kind + "-" + action.element;
    for (char& c : name) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
      if (!plain) c = '-';
    }
    const std::string base = name;
    for (int number = 2; !used.insert(name).second; ++number) name = fmt::format("{}-{}", base, number);
    names.push_back(std::move(name));
  }
  return names;
}

std::string fault_text(const Action& action, const PlannedFault& fault) {
  std::string text = fmt::format("kind: {}, at: {}", action.kind, sim::format_duration(fault.at));
  if (fault.length) text += fmt::format(", {}: {}", action.length_key, sim::format_duration(*fault.length));
  return text + ", " + action.fields;
}

std::vector<std::shared_ptr<const FaultSpec>> read_trial(const std::vector<Action>& actions, const Trial& trial, const std::vector<std::string>& taken, std::string& error) {
  std::vector<std::shared_ptr<const FaultSpec>> specs;
  if (trial.empty()) return specs;
  const std::vector<std::string> names = fault_names(actions, trial, taken);
  std::string text;
  for (std::size_t i = 0; i < trial.size(); ++i) text += fmt::format("{}: {{{}}}\n", names[i], fault_text(actions[trial[i].action], trial[i]));
  sim::scenario::Diagnostics diagnostics;
  sim::scenario::Reader reader{diagnostics};
  const auto document = sim::scenario::load_text("a trial of the hunter", text, diagnostics);
  if (document != nullptr) {
    for (auto& spec : all_faults().read_section(document->root(), reader)) specs.push_back(std::move(spec));
  }
  if (diagnostics.has_errors()) error = diagnostics.format();
  return specs;
}

std::string in_words(const Action& action, const PlannedFault& fault) {
  std::string text = fmt::format("{} {} at {}", action.kind, action.element, sim::format_duration(fault.at));
  if (fault.length) text += fmt::format(" for {}", sim::format_duration(*fault.length));
  return text;
}

}  // namespace chaos::hunt

#include "sim/scenario/cycles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/models/kubernetes/api/labels.hpp"
#include "sim/models/registry/image_catalogue.hpp"
#include "sim/models/registry/registry_config.hpp"
#include "sim/models/rook/daemon_pods.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/shortest_circle.hpp"

namespace sim::scenario {

namespace {

using registry::RegistryKind;

constexpr std::size_t kCirclesMax = 20;
/// DaemonSets that carry the pod network, by the names that their projects give them.
constexpr std::string_view kPodNetworks[] = {"calico-node", "cilium", "kube-flannel-ds", "kube-flannel", "canal", "weave-net", "antrea-agent", "kube-router", "kube-ovn-cni", "ovnkube-node"};

class Graph {
 public:
  explicit Graph(const ScenarioSpec& spec) : spec_(spec), names_(*spec.names) {
    for_each_workload(spec.objects, [this](const Workload& workload) {
      if (workload.kind != "DaemonSet") return;
      const std::string& name = names_.text(workload.name);
      if (std::find(std::begin(kPodNetworks), std::end(kPodNetworks), name) != std::end(kPodNetworks)) pod_networks_.push_back(workload);
    });
  }

  struct Thing {
    std::string name;   // "Service harbor/harbor-core"
    Place where;
    std::vector<std::vector<std::size_t>> needs;  // one of each group
    bool is_image = false;
    bool is_registry = false;
    bool always = false;  // a container of it pulls at every start
    bool starts = false;  // from nothing
  };

  void build() {
    if (spec_.has_registries) {
      for (const RegistrySpec& registry : spec_.registries) {
        if (is_inside(registry)) registry_thing(registry);
      }
    } else if (!spec_.images.registry_service.text.empty()) {
      only_registry();
    }
    settle();
  }

  /// The circles, each as the things on its way; the first is a registry, and not repeated at the end.
  std::vector<std::vector<std::size_t>> circles() const {
    std::vector<std::vector<std::size_t>> found;
    std::set<std::vector<std::size_t>> known;
    for (std::size_t i = 0; i < things_.size(); ++i) {
      if (!things_[i].is_image || things_[i].starts) continue;
      std::vector<std::size_t> circle = shortest_through(i);
      if (circle.empty()) continue;
      const auto first = std::find_if(circle.begin(), circle.end(), [this](std::size_t one) { return things_[one].is_registry; });
      if (first != circle.end()) std::rotate(circle.begin(), first, circle.end());
      std::vector<std::size_t> key = circle;
      std::sort(key.begin(), key.end());
      if (known.insert(std::move(key)).second) found.push_back(std::move(circle));
    }
    return found;
  }
  const Thing& thing(std::size_t index) const { return things_[index]; }

 private:
  static bool is_inside(const RegistrySpec& registry) { return registry.kind == RegistryKind::kHarbor || registry.kind == RegistryKind::kDistribution; }

  std::size_t make(std::string name, const Place& where) {
    by_name_.emplace(name, things_.size());
    things_.push_back(Thing{std::move(name), where, {}});
    return things_.size() - 1;
  }
  /// Known already? Otherwise a new one, to be filled.
  bool known(const std::string& name, const Place& where, std::size_t& index) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) {
      index = found->second;
      return true;
    }
    index = make(name, where);
    return false;
  }
  void need(std::size_t who, std::size_t what) { things_[who].needs.push_back({what}); }

  const RegistrySpec* entry(std::string_view host) const {
    for (const RegistrySpec& registry : spec_.registries) {
      if (registry.name == host) return &registry;
    }
    return nullptr;
  }

  std::size_t registry_thing(const RegistrySpec& registry) {
    std::size_t index = 0;
    if (known(fmt::format("registry {}", registry.name), registry.where, index)) return index;
    things_[index].is_registry = true;
    for (const Reference* service : {&registry.ingress, &registry.core, &registry.postgresql, &registry.redis, &registry.registry, &registry.service}) {
      if (!service->text.empty()) need(index, service_thing(split_service(service->text)));
    }
    if (registry.storage && !registry.storage->service.text.empty()) need(index, service_thing(split_service(registry.storage->service.text)));
    // Its parts find each other by name.
    if (is_inside(registry) && find_service(spec_.objects, names_, {"kube-system", "kube-dns"}) != nullptr) need(index, service_thing({"kube-system", "kube-dns"}));
    return index;
  }

  std::size_t only_registry() {
    std::size_t index = 0;
    const Reference& service = spec_.images.registry_service;
    if (known("the registry", service.where, index)) return index;
    things_[index].is_registry = true;
    need(index, service_thing(split_service(service.text)));
    return index;
  }

  std::size_t service_thing(const ServiceName& name) {
    const Manifest<k8s::Service>* service = find_service(spec_.objects, names_, name);
    std::size_t index = 0;
    if (known("Service " + name.full(), service == nullptr ? Place{} : service->where, index)) return index;
    if (service == nullptr || !service->object.has_selector) return index;  // something outside
    std::vector<Workload> behind;
    for_each_workload_of(spec_.objects, names_, service->object, [&](const Workload& workload) { behind.push_back(workload); });
    std::vector<std::size_t> any;
    for (const Workload& workload : behind) any.push_back(workload_thing(workload));
    if (!any.empty()) things_[index].needs.push_back(std::move(any));
    return index;
  }

  std::size_t workload_thing(const Workload& workload) {
    std::size_t index = 0;
    if (known(fmt::format("{} {}/{}", workload.kind, names_.text(workload.ns), names_.text(workload.name)), workload.where, index)) return index;
    for (const auto* containers : {&workload.pod->init_containers, &workload.pod->containers}) {
      for (const k8s::Container& container : *containers) {
        need(index, image_thing(names_.text(container.image)));
        things_[index].always = things_[index].always || container.pull_policy == k8s::PullPolicy::kAlways;
      }
    }
    for (const k8s::PodVolume& volume : workload.pod->volumes) {
      if (volume.ephemeral) {
        storage(index, volume.ephemeral->spec);
        continue;
      }
      for (const auto& claim : spec_.objects.claims) {
        if (claim.object.meta.ns == workload.ns && claim.object.meta.name == volume.claim) storage(index, claim.object.spec);
      }
    }
    if (workload.claim_templates != nullptr) {
      for (const k8s::ClaimTemplate& claim : *workload.claim_templates) storage(index, claim.spec);
    }
    for (const NeedySpec& needy : spec_.platform.needy) {
      if (needy.ns && needy.ns != workload.ns) continue;
      if (needy.has_selector && !needy.selector.matches(*workload.labels, names_)) continue;
      for (const std::string& service : needy.needs) need(index, service_thing(split_service(service)));
    }
    if (!workload.pod->host_network) {
      for (const Workload& network : pod_networks_) {
        if (network.pod != workload.pod) need(index, workload_thing(network));
      }
    }
    return index;
  }

  void storage(std::size_t who, const k8s::ClaimSpec& claim) {
    if (!spec_.ceph) return;
    for (const auto& c : spec_.objects.storage_classes) {
      const bool is_it = claim.storage_class ? c.object.meta.name == *claim.storage_class : c.object.is_default;
      const std::string& provisioner = names_.text(c.object.provisioner);
      const bool is_ceph = provisioner.ends_with("rbd.csi.ceph.com") || provisioner.ends_with("cephfs.csi.ceph.com");
      if (is_it && is_ceph) need(who, ceph_thing());
    }
  }

  std::size_t ceph_thing() {
    std::size_t index = 0;
    if (known(fmt::format("Ceph of {}", spec_.ceph->rook.name_space), spec_.place_of("ceph"), index)) return index;
    Interner names(spec_.names.get());
    for (const rook::DaemonType type : {rook::DaemonType::kMon, rook::DaemonType::kOsd}) {
      const k8s::Deployment daemon = rook::daemon_deployment(names, spec_.ceph->rook, {type, "a", "", "", {}});
      const std::size_t image = image_thing(names.text(daemon.pod_template.spec->containers[0].image));
      std::vector<std::vector<std::size_t>>& needs = things_[index].needs;
      if (std::find(needs.begin(), needs.end(), std::vector<std::size_t>{image}) == needs.end()) needs.push_back({image});
    }
    return index;
  }

  /// Whether a registry gives the image out on its own account, or through its upstream; what it needs goes into `any`. True: from outside.
  bool source(const RegistrySpec* registry, const std::string& image, std::vector<std::size_t>& any, std::size_t depth) {
    if (registry == nullptr) return true;
    if (registry->kind == RegistryKind::kUnreachable) return false;
    const auto matches = [&](const std::vector<std::string>& patterns) {
      return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return registry::matches_pattern(pattern, image); });
    };
    if (registry->images && !matches(*registry->images)) return false;
    if (!registry->upstream.text.empty() && !matches(registry->cached)) {
      std::vector<std::size_t> beyond;
      const bool outside = depth <= spec_.registries.size() && source(entry(registry->upstream.text), image, beyond, depth + 1);
      if (!is_inside(*registry)) {
        any.insert(any.end(), beyond.begin(), beyond.end());
        return outside;
      }
      if (!outside && beyond.empty()) return false;
      std::size_t index = 0;
      if (!known(fmt::format("image {} in the cache {}", image, registry->name), registry->where, index)) {
        need(index, registry_thing(*registry));
        if (!outside) things_[index].needs.push_back(beyond);
      }
      any.push_back(index);
      return false;
    }
    if (!is_inside(*registry)) return true;
    any.push_back(registry_thing(*registry));
    return false;
  }

  std::size_t image_thing(const std::string& image) {
    std::size_t index = 0;
    if (known("image " + image, Place{}, index)) return index;
    things_[index].is_image = true;
    std::vector<std::size_t> any;
    bool outside = false;
    if (!spec_.has_registries) {
      any.push_back(only_registry());
    } else {
      const std::string host = registry::parse_image(image).host;
      const RegistrySpec* own = entry(host);
      const RegistrySpec* listed = own != nullptr ? own : entry("_default");
      if (listed != nullptr) {
        for (const Reference& mirror : listed->mirrors) outside = source(entry(mirror.text), image, any, 0) || outside;
      }
      outside = source(listed, image, any, 0) || outside;
    }
    if (!outside) things_[index].needs.push_back(std::move(any));  // none at all: it can be had from nowhere
    return index;
  }

  /// What can start from nothing.
  void settle() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (Thing& thing : things_) {
        if (thing.starts) continue;
        thing.starts = std::all_of(thing.needs.begin(), thing.needs.end(), [this](const std::vector<std::size_t>& group) {
          return std::any_of(group.begin(), group.end(), [this](std::size_t one) { return things_[one].starts; });
        });
        changed = changed || thing.starts;
      }
    }
  }

  std::vector<std::size_t> shortest_through(std::size_t start) const {
    return shortest_circle(start, [this](std::size_t at) {
      std::vector<std::size_t> open;
      for (const std::vector<std::size_t>& group : things_[at].needs) {
        std::copy_if(group.begin(), group.end(), std::back_inserter(open), [this](std::size_t one) { return !things_[one].starts; });
      }
      return open;
    });
  }

  const ScenarioSpec& spec_;
  const Interner& names_;
  std::vector<Workload> pod_networks_;
  std::vector<Thing> things_;
  std::map<std::string, std::size_t> by_name_;
};

}  // namespace

void warn_of_cycles(const ScenarioSpec& spec, Diagnostics& diagnostics) {
  Graph graph(spec);
  graph.build();
  const std::vector<std::vector<std::size_t>> circles = graph.circles();
  for (std::size_t i = 0; i < circles.size(); ++i) {
    const Graph::Thing& registry = graph.thing(circles[i].front());
    if (i == kCirclesMax) {
      diagnostics.warning(registry.where, fmt::format("{} more circular dependencies", circles.size() - kCirclesMax));
      return;
    }
    std::string way;
    std::string image;
    std::string always;
    for (std::size_t step = 0; step < circles[i].size(); ++step) {
      const Graph::Thing& thing = graph.thing(circles[i][step]);
      way += thing.name;
      if (step > 0 && thing.where.file) way += fmt::format(" ({})", thing.where.to_string());
      way += " -> ";
      if (thing.is_image) image = thing.name.substr(thing.name.find(' ') + 1);
      if (thing.always) always = thing.name;
    }
    Diagnostic& d = diagnostics.warning(registry.where, fmt::format("circular dependency: {}{}", way, registry.name));
    d.hint = always.empty() ? fmt::format("a node that does not have {} (new, installed anew, or after image garbage collection) can get it from nowhere else while {} is down", image, registry.name)
                            : fmt::format("not even a node that has {} breaks it: {} has imagePullPolicy Always and asks {} at every start", image, always, registry.name);
  }
}

}  // namespace sim::scenario

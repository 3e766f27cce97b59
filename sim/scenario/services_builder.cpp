#include "sim/scenario/services_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "sim/models/rook/rook.hpp"
#include "sim/models/services/services.hpp"
#include "sim/models/services/templates.hpp"
#include "sim/models/services/virtual_machines.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

namespace {

constexpr std::string_view kCephQuorum = "ceph-quorum";
constexpr std::string_view kCephPool = "ceph-pool:";
/// A stall of this length is a hang: shorter ones are latency (peering, an election).
constexpr SimDuration kHang{std::chrono::seconds(5)};

std::string escaped(std::string_view key) {
  std::string text;
  for (const char c : key) text += c == '.' || c == '\\' || c == '[' ? std::string("\\") + c : std::string(1, c);
  return text;
}

}  // namespace

// ---- before the fields are read -----------------------------------------------------------------------------------------

Node with_service_files(Node root, const std::function<std::string(const Reference&)>& path_of, TreeEditor& editor, Diagnostics& diagnostics) {
  const Node files = root.find("serviceFiles");
  if (!files.is_sequence()) return root;  // the reader of fields tells what is wrong
  Node result = root;
  for (const std::string_view section : {"services", "vms"}) {
    Node merged;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (!files.item(i).is_string()) continue;
      const Reference reference{std::string(files.item(i).text()), files.item(i).place()};
      const std::shared_ptr<const Document> document = load_file(path_of(reference), diagnostics);
      if (!document || document->roots().empty()) continue;
      editor.keep(document);
      const Node content = document->root();
      if (section == "services") {
        if (content.find("kind").text() != "Services") {
          Diagnostic& d = diagnostics.error(content, "no file of services");
          d.expected = "kind: Services, with sections 'services' and 'vms'";
        }
        for (std::size_t k = 0; content.is_map() && k < content.size(); ++k) {
          const std::string_view key = content.key(k).text();
          if (key == "apiVersion" || key == "kind" || key == "services" || key == "vms") continue;
          diagnostics.error(content.key(k), fmt::format("unknown key '{}' in a file of services", key)).expected = "one of: apiVersion, kind, services, vms";
        }
      }
      const Node part = content.find(section);
      if (part.is_map()) merged = merged ? editor.merge_patch(merged, part) : part;
    }
    if (!merged) continue;
    const Node own = root.find(section);
    if (!own.is_null() && !own.is_map()) {
      diagnostics.error(own, fmt::format("with serviceFiles, '{}' is a map by name", section));
      continue;
    }
    std::string error;
    const Node changed = editor.set_path(result, section, own.is_null() ? merged : editor.merge_patch(merged, own), error);
    if (changed) result = changed;
  }
  return result;
}

Node with_service_templates(Node root, TreeEditor& editor, Diagnostics& diagnostics) {
  const Node services = root.find("services");
  Node result = root;
  const auto merge = [&](const std::string& path, Node entry) {
    const Node like = entry.find("like");
    if (!like.is_string()) return;
    const std::vector<services::Template>& all = services::templates();
    const auto found = std::find_if(all.begin(), all.end(), [&](const services::Template& one) { return one.name == like.text(); });
    if (found == all.end()) {
      std::vector<std::string> names;
      for (const services::Template& one : all) names.emplace_back(one.name);
      Diagnostic& d = diagnostics.error(like, fmt::format("there is no template '{}'", like.text()));
      d.expected = fmt::format("one of: {}", fmt::join(names, ", "));
      d.hint = did_you_mean(std::string(like.text()), names);
      return;
    }
    const std::shared_ptr<const Document> base = load_text(fmt::format("template {}", found->name), std::string(found->fields), diagnostics);
    editor.keep(base);
    std::string error;
    const Node changed = editor.set_path(result, path, editor.merge_patch(base->root(), entry), error);
    if (changed) result = changed;
  };
  for (std::size_t i = 0; services.is_map() && i < services.size(); ++i) {
    if (services.value(i).is_map()) merge("services." + escaped(services.key(i).text()), services.value(i));
  }
  for (std::size_t i = 0; services.is_sequence() && i < services.size(); ++i) {
    if (services.item(i).is_map()) merge(fmt::format("services[{}]", i), services.item(i));
  }
  return result;
}

// ---- what the sections say ----------------------------------------------------------------------------------------------

namespace {

/// "namespace/name" in two.
std::pair<std::string, std::string> split_name(const std::string& text) {
  const std::size_t slash = text.find('/');
  return slash == std::string::npos ? std::pair(std::string("default"), text) : std::pair(text.substr(0, slash), text.substr(slash + 1));
}

k8s::LabelSelector selector_of(const std::map<std::string, std::string>& labels, Interner& names) {
  k8s::LabelSelector selector;
  for (const auto& [key, value] : labels) selector.requirements.push_back(k8s::Requirement{names.intern(key), k8s::SelectorOperator::kIn, {names.intern(value)}});
  return selector;
}

const k8s::Service* find_service(const ScenarioSpec& spec, const Interner& names, const std::string& full) {
  const auto [ns, name] = split_name(full);
  for (const Manifest<k8s::Service>& m : spec.objects.services) {
    if (names.text(m.object.meta.ns) == ns && names.text(m.object.meta.name) == name) return &m.object;
  }
  return nullptr;
}

class ServicesChecker {
 public:
  ServicesChecker(const ScenarioSpec& spec, Diagnostics& diagnostics) : spec_(spec), names_(*spec.names), diagnostics_(diagnostics) {
    for (const ServiceSpec& service : spec_.platform.services) {
      if (!by_name_.emplace(service.name, &service).second) continue;
      known_.push_back(service.name);
      for (const OperationSpec& operation : service.operations) {
        if (!operations_.emplace(operation.name, &service).second) {
          diagnostics_.error(operation.where, fmt::format("operation '{}' is offered by '{}' already: the names of operations are told apart over all services", operation.name,
                                                          operations_.at(operation.name)->name));
        }
      }
    }
  }

  void run() {
    for (const ServiceSpec& service : spec_.platform.services) check(service);
    for (const VmPoolSpec& vms : spec_.platform.vms) check(vms);
    for (const ServiceSpec& service : spec_.platform.services) {
      if (!service.service.text.empty()) behind_[full_name(service.service.text)].push_back(&service);
    }
    circle(&ServiceSpec::needs, "need", "neither would ever answer");
    circle(&ServiceSpec::waits_for, "wait at their start for", "neither would ever start");
  }

 private:
  void provider(const Reference& name, std::string_view whose) {
    if (by_name_.contains(name.text) || name.text == services::kKubernetesApi) return;
    std::vector<std::string> known = known_;
    known.emplace_back(services::kKubernetesApi);
    if (spec_.ceph) {
      known.emplace_back(kCephQuorum);
      for (const CephPoolSpec& pool : spec_.ceph->pools) known.push_back(std::string(kCephPool) + pool.name);
      if (std::find(known.begin(), known.end(), name.text) != known.end()) return;
    } else if (name.text == kCephQuorum || name.text.starts_with(kCephPool)) {
      diagnostics_.error(name.where, fmt::format("{} names '{}', and there is no Ceph in this scenario", whose, name.text));
      return;
    }
    if (name.text.find('/') != std::string::npos) {
      if (find_service(spec_, names_, name.text) != nullptr) return;
      known.clear();
      for (const Manifest<k8s::Service>& m : spec_.objects.services) known.push_back(names_.text(m.object.meta.ns) + "/" + names_.text(m.object.meta.name));
    }
    Diagnostic& d = diagnostics_.error(name.where, fmt::format("{} names '{}', and there is nothing of that name", whose, name.text));
    d.expected = "a service of 'services', a Service as namespace/name, ceph-quorum, ceph-pool:NAME or kubernetes-api";
    d.hint = did_you_mean(name.text, known);
  }
  void providers(const std::vector<Reference>& list, std::string_view whose) {
    for (const Reference& name : list) provider(name, whose);
  }

  /// Which workloads make its pods: "Deployment/ns/name" ...
  template <class T>
  void made_by(const std::vector<Manifest<T>>& list, std::string_view kind, const ServiceSpec& service, std::vector<std::string>& to) const {
    for (const Manifest<T>& m : list) {
      const k8s::Labels* labels = nullptr;
      if constexpr (std::is_same_v<T, k8s::Pod>) labels = &m.object.meta.labels;
      else labels = &m.object.pod_template.labels;
      if (selects(service, m.object.meta.ns, *labels)) to.push_back(fmt::format("{}/{}/{}", kind, names_.text(m.object.meta.ns), names_.text(m.object.meta.name)));
    }
  }
  bool selects(const ServiceSpec& service, Symbol ns, const k8s::Labels& labels) const {
    if (!service.service.text.empty()) {
      const k8s::Service* object = find_service(spec_, names_, service.service.text);
      return object != nullptr && object->has_selector && object->meta.ns == ns && object->selector.matches(labels, names_);
    }
    if (!service.match) return false;
    if (!service.match->ns.empty() && names_.text(ns) != service.match->ns) return false;
    return std::all_of(service.match->labels.begin(), service.match->labels.end(), [&](const auto& pair) {
      const Symbol key = names_.find(pair.first);
      const std::optional<Symbol> value = key ? labels.find(key) : std::nullopt;
      return value && names_.text(*value) == pair.second;
    });
  }

  void check(const ServiceSpec& service) {
    const std::string what = fmt::format("service '{}'", service.name);
    if (!is_plain_name(service.name)) diagnostics_.error(service.where, fmt::format("'{}' is no name for a service", service.name)).expected = "letters, digits, '-', '_' and '.'";
    if (service.name == services::kKubernetesApi || service.name == kCephQuorum) {
      diagnostics_.error(service.where, fmt::format("the name '{}' stands for something else", service.name));
    }
    members(service, what);
    providers(service.needs, what);
    providers(service.uses, what);
    providers(service.waits_for, what);
    providers(service.probes_need, what);
    for (const CacheSpec& cache : service.caches) {
      provider(cache.in, what);
      if (cache.in.text == service.name || cache.in.text == cache.name) {
        Diagnostic& d = diagnostics_.error(cache.in.where, fmt::format("{} keeps answers of '{}' in '{}' {}", what, cache.name, cache.in.text,
                                                                       cache.in.text == service.name ? "itself" : "itself, which is away when they are wanted"));
        d.expected = "another service that keeps them, such as memcached";
      }
      if (std::any_of(service.needs.begin(), service.needs.end(), [&](const Reference& need) { return need.text == cache.name; })) continue;
      std::vector<std::string> needs;
      for (const Reference& need : service.needs) needs.push_back(need.text);
      diagnostics_.error(cache.where, fmt::format("{} keeps answers of '{}', which it does not need", what, cache.name)).hint = did_you_mean(cache.name, needs);
    }
    for (const OperationSpec& operation : service.operations) {
      providers(operation.needs, fmt::format("operation '{}'", operation.name));
      providers(operation.uses, fmt::format("operation '{}'", operation.name));
    }
    of_mode(service, what);
  }

  void members(const ServiceSpec& service, const std::string& what) {
    if (service.service.text.empty() == !service.match) {
      Diagnostic& d = diagnostics_.error(service.where, service.match ? fmt::format("{} has both 'service' and 'match'", what) : fmt::format("nobody says which pods {} is", what));
      d.expected = "service: namespace/name of a Service, or match: {namespace, labels}";
      return;
    }
    if (!service.service.text.empty() && find_service(spec_, names_, service.service.text) == nullptr) {
      std::vector<std::string> known;
      for (const Manifest<k8s::Service>& m : spec_.objects.services) known.push_back(names_.text(m.object.meta.ns) + "/" + names_.text(m.object.meta.name));
      diagnostics_.error(service.service.where, fmt::format("there is no Service '{}'", service.service.text)).hint = did_you_mean(service.service.text, known);
      return;
    }
    enough_members(service, what);
    std::vector<std::string> makers;
    const ManifestSet& set = spec_.objects;
    made_by(set.stateful_sets, "StatefulSet", service, makers);
    made_by(set.pods, "Pod", service, makers);
    made_by(set.daemon_sets, "DaemonSet", service, makers);
    const std::size_t lasting = makers.size();
    made_by(set.deployments, "Deployment", service, makers);
    made_by(set.replica_sets, "ReplicaSet", service, makers);
    if (makers.empty()) {
      diagnostics_.error(service.service.text.empty() ? service.where : service.service.where, fmt::format("{}: no pod and no pod template matches", what));
      return;
    }
    probes(service, what);
    const bool remembers = service.mode == services::Mode::kQuorum || service.mode == services::Mode::kRaft || service.mode == services::Mode::kBroker;
    if (remembers && makers.size() > lasting) {
      diagnostics_.error(service.where, fmt::format("{}: members of mode {} keep their names, and the pods of {} do not", what, services::to_string(service.mode), makers[lasting])).expected =
          "pods of a StatefulSet";
    }
  }

  /// What a probe looks at changes nothing where nobody probes.
  void probes(const ServiceSpec& service, const std::string& what) {
    bool readiness = false;
    bool liveness = false;
    const auto look = [&](Symbol ns, const k8s::Labels& labels, const k8s::PodSpec* spec) {
      if (spec == nullptr || !selects(service, ns, labels)) return;
      for (const k8s::Container& container : spec->containers) {
        readiness = readiness || container.readiness_probe.has_value();
        liveness = liveness || container.liveness_probe.has_value();
      }
    };
    const ManifestSet& set = spec_.objects;
    const auto templates = [&](const auto& list) {
      for (const auto& m : list) look(m.object.meta.ns, m.object.pod_template.labels, m.object.pod_template.spec.get());
    };
    templates(set.stateful_sets);
    templates(set.deployments);
    templates(set.daemon_sets);
    templates(set.replica_sets);
    for (const Manifest<k8s::Pod>& m : set.pods) look(m.object.meta.ns, m.object.meta.labels, m.object.spec.get());
    const auto tell = [&](std::string_view key, bool wanted, bool there) {
      if (wanted && !there) diagnostics_.warning(service.where, fmt::format("{}: '{}' has no effect, none of its pods has a {}Probe", what, key, key == "liveness" ? "liveness" : "readiness"));
    };
    // A template says `state` of software that has such probes; `needs` somebody has written here.
    tell("readiness", service.readiness == services::ProbeDepth::kNeeds, readiness);
    tell("liveness", service.liveness == services::ProbeDepth::kNeeds, liveness);
    tell("probesNeed", !service.probes_need.empty(), readiness || liveness);
  }

  /// A count of members that its workloads do not have is one that it never reaches, unless somebody scales them.
  void enough_members(const ServiceSpec& service, const std::string& what) {
    const ManifestSet& set = spec_.objects;
    std::vector<std::string> many;
    made_by(set.daemon_sets, "DaemonSet", service, many);
    if (!many.empty()) return;
    std::int64_t count = 0;
    const auto add = [&](const auto& list) {
      for (const auto& m : list) {
        if (selects(service, m.object.meta.ns, m.object.pod_template.labels)) count += m.object.replicas;
      }
    };
    add(set.stateful_sets);
    add(set.deployments);
    add(set.replica_sets);
    for (const Manifest<k8s::Pod>& m : set.pods) count += selects(service, m.object.meta.ns, m.object.meta.labels) ? 1 : 0;
    if (count == 0 || count >= service.members_min) return;
    diagnostics_.warning(service.where, fmt::format("{} answers with {} members, and its workloads have {}: it never answers until somebody scales them", what, service.members_min, count));
  }

  void of_mode(const ServiceSpec& service, const std::string& what) {
    using services::Mode;
    const auto only = [&](bool given, std::string_view section, bool fits, std::string_view modes) {
      if (given && !fits) diagnostics_.error(service.where, fmt::format("{} is of mode {}, and '{}' is of mode {}", what, services::to_string(service.mode), section, modes));
    };
    only(service.quorum.has_value(), "quorum", service.mode == Mode::kQuorum, "quorum");
    only(service.broker.has_value(), "broker", service.mode == Mode::kBroker, "broker");
    only(service.election.has_value(), "election", service.mode == Mode::kRaft || service.mode == Mode::kLeader, "raft or leader");
    only(service.proxy.has_value(), "proxy", service.mode == Mode::kProxy, "proxy");
    if (service.host_datapath && service.mode != Mode::kStateless && service.mode != Mode::kLeader) {
      diagnostics_.error(service.where, fmt::format("{}: hostDatapath is for modes stateless and leader", what));
    }
    if (service.host_datapath && !service.service.text.empty()) diagnostics_.error(service.service.where, fmt::format("{}: hostDatapath goes with 'match': no Service leads to a host", what));
    if (service.quorum) {
      for (const auto& [pod, weight] : service.quorum->weights) {
        int value = -1;
        std::from_chars(weight.data(), weight.data() + weight.size(), value);
        if (value < 0 || value > 255) diagnostics_.error(service.where, fmt::format("{}: '{}' is no weight of {}", what, weight, pod)).expected = "0 to 255";
      }
    }
    if (service.mode != Mode::kProxy) return;
    if (!service.proxy) {
      diagnostics_.error(service.where, fmt::format("{} is a proxy of nothing", what)).expected = "proxy: {backend: NAME}";
      return;
    }
    const Reference& backend = service.proxy->backend;
    const auto found = by_name_.find(backend.text);
    if (found == by_name_.end()) {
      diagnostics_.error(backend.where, fmt::format("{}: there is no service '{}'", what, backend.text)).hint = did_you_mean(backend.text, known_);
    } else if (found->second->mode != Mode::kQuorum) {
      diagnostics_.error(backend.where, fmt::format("{}: a proxy hands on to members of a service of mode quorum, and '{}' is of mode {}", what, backend.text, services::to_string(found->second->mode)));
    }
  }

  void check(const VmPoolSpec& vms) {
    const std::string what = fmt::format("VMs '{}'", vms.name);
    for (const Reference& pool : vms.pools) {
      const auto found = std::find_if(spec_.pools.begin(), spec_.pools.end(), [&](const PoolSpec& one) { return one.name == pool.text; });
      if (found != spec_.pools.end() && found->node) continue;
      std::vector<std::string> known;
      for (const PoolSpec& one : spec_.pools) {
        if (one.node) known.push_back(one.name);
      }
      diagnostics_.error(pool.where, fmt::format("{}: there is no pool of nodes '{}'", what, pool.text)).hint = did_you_mean(pool.text, known);
    }
    for (const Reference* name : {&vms.volumes, &vms.gateway, &vms.dhcp}) {
      if (!name->text.empty()) provider(*name, what);
    }
    if (!vms.operation.text.empty() && !operations_.contains(vms.operation.text)) {
      std::vector<std::string> known;
      for (const auto& [name, owner] : operations_) known.push_back(name);
      diagnostics_.error(vms.operation.where, fmt::format("{}: no service offers the operation '{}'", what, vms.operation.text)).hint = did_you_mean(vms.operation.text, known);
    }
  }

  static std::string full_name(const std::string& service) { return service.find('/') == std::string::npos ? "default/" + service : service; }

  /// The services that it names: also by the Service (namespace/name) that their pods stand behind, and what it hands on to.
  std::vector<const ServiceSpec*> named_by(const ServiceSpec& service, std::vector<Reference> ServiceSpec::*list) const {
    std::vector<const ServiceSpec*> result;
    for (const Reference& need : service.*list) {
      if (const auto found = by_name_.find(need.text); found != by_name_.end()) result.push_back(found->second);
      else if (const auto behind = behind_.find(need.text); behind != behind_.end()) result.insert(result.end(), behind->second.begin(), behind->second.end());
    }
    if (list == &ServiceSpec::needs && service.proxy) {
      if (const auto found = by_name_.find(service.proxy->backend.text); found != by_name_.end()) result.push_back(found->second);
    }
    return result;
  }

  void circle(std::vector<Reference> ServiceSpec::*needs, std::string_view verb, std::string_view outcome) {
    std::set<std::string> done;
    for (const ServiceSpec& start : spec_.platform.services) {
      std::vector<std::string> path;
      if (const ServiceSpec* found = walk(start, needs, done, path)) {
        path.erase(path.begin(), std::find(path.begin(), path.end(), found->name));
        path.push_back(found->name);
        diagnostics_.error(found->where, fmt::format("services {} each other: {}: {}", verb, fmt::join(path, " -> "), outcome));
        return;
      }
    }
  }
  const ServiceSpec* walk(const ServiceSpec& service, std::vector<Reference> ServiceSpec::*needs, std::set<std::string>& done, std::vector<std::string>& path) const {
    if (std::find(path.begin(), path.end(), service.name) != path.end()) return &service;
    if (!done.insert(service.name).second) return nullptr;
    path.push_back(service.name);
    for (const ServiceSpec* next : named_by(service, needs)) {
      if (const ServiceSpec* circle = walk(*next, needs, done, path)) return circle;
    }
    path.pop_back();
    return nullptr;
  }

  const ScenarioSpec& spec_;
  const Interner& names_;
  Diagnostics& diagnostics_;
  std::map<std::string, const ServiceSpec*> by_name_;
  std::map<std::string, std::vector<const ServiceSpec*>> behind_;  // by namespace/name of their Service
  std::vector<std::string> known_;
  std::map<std::string, const ServiceSpec*> operations_;
};

std::vector<std::string> texts(const std::vector<Reference>& list) {
  std::vector<std::string> result;
  for (const Reference& one : list) result.push_back(one.text);
  return result;
}

services::ServiceConfig config_of(const ServiceSpec& spec, Interner& names) {
  services::ServiceConfig config;
  config.name = spec.name;
  config.mode = spec.mode;
  if (!spec.service.text.empty()) {
    const auto [ns, name] = split_name(spec.service.text);
    config.service_ns = names.intern(ns);
    config.service = names.intern(name);
  }
  if (spec.match) {
    config.ns = names.intern(spec.match->ns);
    config.selector = selector_of(spec.match->labels, names);
  }
  config.members_min = spec.members_min;
  config.needs = texts(spec.needs);
  config.uses = texts(spec.uses);
  for (const CacheSpec& cache : spec.caches) config.caches.push_back({cache.name, cache.in.text, cache.lasts});
  config.reconnect = spec.reconnect;
  config.waits_for = texts(spec.waits_for);
  config.wait_poll = spec.wait_poll;
  config.readiness = spec.readiness;
  config.liveness = spec.liveness;
  config.probes_need = texts(spec.probes_need);
  config.host_datapath = spec.host_datapath;
  config.quorum = spec.quorum.value_or(services::QuorumConfig{});
  config.broker = spec.broker.value_or(services::BrokerConfig{});
  config.election = spec.election.value_or(services::ElectionConfig{});
  if (spec.proxy) config.proxy = services::ProxyConfig{spec.proxy->backend.text, spec.proxy->monitor_interval, spec.proxy->connect_timeout};
  for (const OperationSpec& operation : spec.operations) config.operations.push_back({operation.name, texts(operation.needs), texts(operation.uses)});
  return config;
}

/// Tells the services what Ceph does. A pool answers while all of its placement groups do: any volume of some size has objects in each.
class CephSource {
 public:
  static void connect(World& world) {
    auto source = std::make_shared<CephSource>(world);
    ceph::CephCluster& cluster = world.rook->cluster();
    cluster.on_quorum([source](bool has) { source->set(kCephQuorum, source->quorum_, !has); });
    cluster.on_io([source](const ceph::Pg& pg, bool serves) { source->io(pg, serves); });
  }
  explicit CephSource(World& world) : world_(world), blocked_(world.rook->cluster().config().pools.size()), pools_(blocked_.size()) {}

 private:
  struct Stall {
    bool is_down = false;
    TimerId timer{};
  };
  void io(const ceph::Pg& pg, bool serves) {
    blocked_[pg.pool] += serves ? -1 : 1;
    set(std::string(kCephPool) + world_.rook->cluster().config().pools[pg.pool].name, pools_[pg.pool], blocked_[pg.pool] > 0);
  }
  void set(std::string_view name, Stall& stall, bool stuck) {
    if (!stuck) {
      world_.engine.cancel(std::exchange(stall.timer, TimerId{}));
      if (std::exchange(stall.is_down, false)) world_.services->set_external(std::string(name), true);
      return;
    }
    if (stall.is_down || world_.engine.is_pending(stall.timer)) return;
    stall.timer = world_.engine.after(kHang, [this, text = std::string(name), place = &stall] {
      place->timer = TimerId{};
      place->is_down = true;
      world_.services->set_external(text, false);
    });
  }

  World& world_;
  std::vector<std::int64_t> blocked_;
  Stall quorum_;
  std::vector<Stall> pools_;
};

/// Somebody asks how Ceph is.
bool names_ceph(const ScenarioSpec& spec) {
  const auto is_ceph = [](const Reference& name) { return name.text.starts_with("ceph-"); };
  const auto any = [&](const std::vector<Reference>& list) { return std::any_of(list.begin(), list.end(), is_ceph); };
  const auto in_operation = [&](const OperationSpec& one) { return any(one.needs) || any(one.uses); };
  const bool in_services = std::any_of(spec.platform.services.begin(), spec.platform.services.end(), [&](const ServiceSpec& one) {
    return any(one.needs) || any(one.uses) || any(one.waits_for) || any(one.probes_need) || std::any_of(one.operations.begin(), one.operations.end(), in_operation);
  });
  return in_services || std::any_of(spec.platform.vms.begin(), spec.platform.vms.end(), [&](const VmPoolSpec& one) { return is_ceph(one.volumes) || is_ceph(one.gateway) || is_ceph(one.dhcp); });
}

}  // namespace

void check_services(const ScenarioSpec& spec, Diagnostics& diagnostics) { ServicesChecker(spec, diagnostics).run(); }

std::vector<k8s::PodBehaviour> service_behaviours(const ScenarioSpec& spec, Interner& names) {
  std::vector<k8s::PodBehaviour> result;
  for (const ServiceSpec& service : spec.platform.services) {
    if (!service.start_up && !service.start_up_sigma && !service.stop_time) continue;
    k8s::PodBehaviour behaviour;
    if (service.match) {
      behaviour.ns = names.intern(service.match->ns);
      behaviour.selector = selector_of(service.match->labels, names);
    } else if (const k8s::Service* object = find_service(spec, names, service.service.text); object != nullptr && object->has_selector) {
      behaviour.ns = object->meta.ns;
      behaviour.selector = object->selector;
    } else {
      continue;
    }
    behaviour.start_up = service.start_up;
    behaviour.start_up_sigma = service.start_up_sigma;
    behaviour.stop_time = service.stop_time;
    result.push_back(std::move(behaviour));
  }
  return result;
}

void build_services(const ScenarioSpec& spec, World& world) {
  services::ServicesConfig config;
  for (const ServiceSpec& service : spec.platform.services) config.services.push_back(config_of(service, world.names));
  for (const NeedySpec& needy : spec.platform.needy) {
    services::ServiceConfig one;
    one.ns = needy.ns;
    if (needy.has_selector) one.selector = needy.selector;
    one.needs = needy.needs;
    config.services.push_back(std::move(one));
  }
  if (config.services.empty() && spec.platform.vms.empty()) return;
  world.services = std::make_unique<services::Services>(world.engine, world.log, world.random, world.hosts, world.api, world.kubelets, std::move(config));
  if (world.rook && names_ceph(spec)) CephSource::connect(world);
  std::vector<services::VmPoolConfig> pools;
  for (const VmPoolSpec& vms : spec.platform.vms) {
    services::VmPoolConfig pool;
    pool.name = vms.name;
    for (const Reference& reference : vms.pools) {
      for (const PoolSpec& machines : spec.pools) {
        if (machines.name != reference.text) continue;
        for (const std::string& name : machines.machine_names) pool.hosts.push_back(world.hosts.find(name));
      }
    }
    pool.per_host = vms.per_node;
    pool.volumes = vms.volumes.text;
    pool.gateway = vms.gateway.text;
    pool.dhcp = vms.dhcp.text;
    pool.lease = vms.lease;
    pool.operation = vms.operation.text;
    pool.start_on_boot = vms.start_on_boot;
    pool.start_after = vms.start_after;
    pool.evacuate_after = vms.evacuate_after;
    pools.push_back(std::move(pool));
  }
  if (pools.empty()) return;
  world.machines = std::make_unique<services::VirtualMachines>(world.engine, world.log, world.hosts, world.services.get(), std::move(pools));
}

}  // namespace sim::scenario

#include "sim/scenario/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/scenario/capacity_plan.hpp"
#include "sim/scenario/ceph_builder.hpp"
#include "sim/scenario/cycles.hpp"
#include "sim/scenario/failures.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/monitoring_builder.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/path.hpp"
#include "sim/scenario/printable.hpp"
#include "sim/scenario/registry_builder.hpp"
#include "sim/scenario/scenario_fields.hpp"
#include "sim/scenario/scheduler_configuration.hpp"
#include "sim/scenario/services_builder.hpp"
#include "sim/scenario/traffic.hpp"
#include "sim/scenario/webhooks_builder.hpp"

namespace sim::scenario {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kApiVersion = "squall.dev/v1alpha1";
constexpr std::string_view kOverrideFile = "--set ";
constexpr std::int64_t kMachineLimit = 1'000'000;

}  // namespace

std::string beside(const Reference& reference, const std::string& scenario_file) {
  if (fs::path(reference.text).is_absolute()) return reference.text;
  std::string file = reference.where.file ? reference.where.file->name() : scenario_file;
  if (file.starts_with(kOverrideFile)) file = scenario_file;
  return (fs::path(file).parent_path() / reference.text).lexically_normal().string();
}

namespace {

// ---- extends and overrides ------------------------------------------------------------------------------------------

class TreeReader {
 public:
  TreeReader(TreeEditor& editor, Diagnostics& diagnostics) : editor_(editor), diagnostics_(diagnostics) {}

  /// The tree of a file, after what it extends. Absent when it cannot be had; the reason has been told.
  Node read(const std::string& path, const Place& from) {
    std::error_code ignored;
    const std::string canonical = fs::weakly_canonical(path, ignored).string();
    if (std::find(open_.begin(), open_.end(), canonical) != open_.end()) {
      diagnostics_.error(from, open_.size() == 1 ? fmt::format("'{}' extends itself", path) : fmt::format("'{}' extends itself, by way of {} files", path, open_.size()));
      return Node{};
    }
    std::shared_ptr<const Document> document;
    if (from.file) {
      Diagnostics tried;
      document = load_file(path, tried);
      if (!document) {
        const std::string why = tried.sorted().empty() ? std::string() : tried.sorted().front().message;
        diagnostics_.error(from, fmt::format("the file '{}' {}", path, why)).hint = "the path is taken from the folder of this file";
        return Node{};
      }
      diagnostics_.append(std::move(tried));
    } else {
      document = load_file(path, diagnostics_);
      if (!document) return Node{};
    }
    open_.push_back(canonical);
    const Node result = from_document(document);
    open_.pop_back();
    return result;
  }

  Node from_document(const std::shared_ptr<const Document>& document) {
    editor_.keep(document);
    const std::string& name = document->file()->name();
    if (document->roots().empty()) {
      if (!diagnostics_.has_errors()) diagnostics_.error_in(name, "the file is empty").expected = "a scenario";
      return Node{};
    }
    const Node root = document->root();
    if (!root.is_map()) {
      Diagnostic& d = diagnostics_.error(root, "not a scenario");
      d.expected = "a map with apiVersion and kind";
      d.found = root.describe();
      return Node{};
    }
    if (document->roots().size() > 1) {
      diagnostics_.error(document->roots()[1], "a scenario file holds one document").hint = "put Kubernetes objects into 'objects', or into files of their own";
      return Node{};
    }
    const Node extends = root.find("extends");
    if (extends.is_null()) return root;
    if (!extends.is_string()) return root;  // the reader of fields tells it
    const Node base = read(beside(Reference{std::string(extends.text()), extends.place()}, name), extends.place());
    return base ? editor_.merge_patch(base, root) : Node{};
  }

 private:
  TreeEditor& editor_;
  Diagnostics& diagnostics_;
  std::vector<std::string> open_;
};

// ---- looking up what the fields refer to ----------------------------------------------------------------------------

class Checker {
 public:
  Checker(ScenarioSpec& spec, Diagnostics& diagnostics) : spec_(spec), diagnostics_(diagnostics) {
    for (const ElementSpec& e : spec.topology) by_name_.emplace(e.name, &e);
  }

  void run() {
    elements();
    pools();
    nodes();
    control_plane();
    registry();
    ceph();
    check_monitoring(spec_, diagnostics_);
    check_failures(spec_, diagnostics_);
    check_traffic(spec_, diagnostics_);
    check_capacity_plan(spec_, diagnostics_);
  }

 private:
  template <class T>
  std::vector<std::string> names_of(const std::vector<T>& list) const {
    std::vector<std::string> names;
    for (const T& entry : list) names.push_back(entry.name);
    return names;
  }
  const ElementSpec* element(const Reference& reference, std::string_view whose) {
    if (const auto found = by_name_.find(reference.text); found != by_name_.end()) return found->second;
    Diagnostic& d = diagnostics_.error(reference.where, fmt::format("{} refers to the element '{}', which is not in 'topology'", whose, reference.text));
    d.hint = did_you_mean(reference.text, names_of(spec_.topology));
    return nullptr;
  }
  void take_name(const std::string& name, const Place& where, const std::string& what) {
    const auto [at, fresh] = taken_.emplace(name, what);
    if (!fresh) diagnostics_.error(where, fmt::format("the name '{}' of {} is taken by {}", name, what, at->second));
  }

  void elements() {
    std::map<std::string, std::vector<std::string>> needs;
    for (const ElementSpec& e : spec_.topology) {
      const std::string what = fmt::format("element '{}'", e.name);
      take_name(e.name, e.where, what);
      if (!is_plain_name(e.name)) diagnostics_.error(e.where, fmt::format("'{}' is no name for an element", e.name)).expected = "letters, digits, '-', '_' and '.'";
      std::vector<Reference> all = e.power;
      all.insert(all.end(), e.network.begin(), e.network.end());
      if (!e.in.text.empty()) all.push_back(e.in);
      for (const Reference& reference : all) {
        if (element(reference, what) != nullptr) needs[e.name].push_back(reference.text);
      }
      for (const Reference& reference : e.power) expect_kind(reference, topology::ElementKind::kSwitch, "a switch gives no power");
      for (const Reference& reference : e.network) expect_kind(reference, topology::ElementKind::kPowerFeed, "a power feed connects nothing");
    }
    // Take away, again and again, what needs nothing that is left: a circle stays. A chain of thousands must not eat the stack.
    std::map<std::string, std::size_t> open;
    std::map<std::string, std::vector<std::string>> needed_by;
    std::vector<std::string> ready;
    for (const ElementSpec& e : spec_.topology) {
      open[e.name] = needs[e.name].size();
      for (const std::string& parent : needs[e.name]) needed_by[parent].push_back(e.name);
      if (needs[e.name].empty()) ready.push_back(e.name);
    }
    while (!ready.empty()) {
      const std::string name = std::move(ready.back());
      ready.pop_back();
      for (const std::string& child : needed_by[name]) {
        if (--open[child] == 0) ready.push_back(child);
      }
    }
    for (const ElementSpec& e : spec_.topology) {
      if (open[e.name] == 0) continue;
      // It needs a circle, or is in one: follow the needs that are left until one comes again.
      std::set<std::string> seen;
      std::string name = e.name;
      while (seen.insert(name).second) {
        const std::vector<std::string>& all = needs[name];
        name = *std::find_if(all.begin(), all.end(), [&](const std::string& parent) { return open[parent] != 0; });
      }
      diagnostics_.error(by_name_.at(name)->where, fmt::format("element '{}' needs itself, by way of others", name));
      return;
    }
  }
  void expect_kind(const Reference& reference, topology::ElementKind wrong, std::string_view why) {
    const auto found = by_name_.find(reference.text);
    if (found != by_name_.end() && found->second->kind == wrong) diagnostics_.error(reference.where, std::string(why));
  }

  void pools() {
    std::int64_t machines = 0;
    for (const PoolSpec& pool : spec_.pools) {
      machines += pool.count;
      if (machines <= kMachineLimit) continue;
      diagnostics_.error(pool.where, fmt::format("more than {} machines in all", kMachineLimit));
      return;
    }
    for (PoolSpec& pool : spec_.pools) {
      const std::string what = fmt::format("pool '{}'", pool.name);
      pool.machine_names = machine_names(pool, what);
      for (const std::string& name : pool.machine_names) take_name(name, pool.where, fmt::format("a machine of {}", what));
      for (const Reference& rack : pool.racks) element(rack, what);
      if (!pool.hosts.text.empty()) hosts_of(pool, what);
      if (pool.control_plane && !pool.node) diagnostics_.error(pool.where, fmt::format("{}: controlPlane needs nodes, but node is false", what));
      if (pool.cpu_milli <= 0) diagnostics_.error(pool.where, fmt::format("{} has no cpu", what));
      if (pool.memory <= 0) diagnostics_.error(pool.where, fmt::format("{} has no memory", what));
      if (pool.reserved.cpu_milli >= pool.cpu_milli) diagnostics_.error(pool.where, fmt::format("{} reserves all of its cpu", what));
      // kubeadm's manifests ask for 250m (kube-apiserver), 200m (kube-controller-manager), 100m (kube-scheduler) and 100m (etcd).
      constexpr std::int64_t kStaticPodsCpuMilli = 650;
      if (pool.control_plane && pool.cpu_milli > 0 && pool.cpu_milli - pool.reserved.cpu_milli < kStaticPodsCpuMilli) {
        diagnostics_.warning(pool.where, fmt::format("{} has {}m of CPU for pods, and the control plane's own ask for {}m: a kubelet would refuse some of them (OutOfcpu); here they run at full speed", what,
                                                     pool.cpu_milli - pool.reserved.cpu_milli, kStaticPodsCpuMilli));
      }
      if (pool.reserved.memory + spec_.kubelet.hard_eviction_memory >= pool.memory) {
        diagnostics_.error(pool.where, fmt::format("{} has no allocatable memory: reserved memory and the eviction threshold take all of it", what));
      }
      for (const auto& [key, value] : pool.labels) {
        if (!is_label_key(key)) diagnostics_.error(pool.where, fmt::format("{}: '{}' is no valid label key", what, key));
        if (!is_label_value(value)) diagnostics_.error(pool.where, fmt::format("{}: '{}' is no valid label value", what, value));
      }
      for (const auto& [key, value] : pool.resources) {
        const std::optional<std::int64_t> amount = k8s::parse_quantity(value);
        if (!is_label_key(key) || key.find('/') == std::string::npos) {
          if (!key.starts_with("hugepages-")) {
            diagnostics_.error(pool.where, fmt::format("{}: '{}' is no name of an extended resource", what, key)).expected = "a name such as nvidia.com/gpu";
          }
        }
        if (!amount || *amount < 0) diagnostics_.error(pool.where, fmt::format("{}: '{}' is no amount of {}", what, value, key));
      }
      if (pool.taints) {
        for (const Reference& taint : *pool.taints) {
          if (!parse_taint(taint.text)) {
            Diagnostic& d = diagnostics_.error(taint.where, fmt::format("'{}' is no taint", taint.text));
            d.expected = "key=value:NoSchedule or key:NoExecute";
          }
        }
      }
    }
  }

  std::vector<std::string> machine_names(const PoolSpec& pool, const std::string& what) {
    const std::string pattern = pool.node_name.empty() ? pool.name + "-{n}" : pool.node_name;
    std::vector<std::string> names;
    const std::size_t open = pattern.find('{');
    const std::size_t close = pattern.find('}', open == std::string::npos ? 0 : open);
    int width = 0;
    if (open == std::string::npos || close == std::string::npos) {
      if (pool.count > 1) {
        diagnostics_.error(pool.where, fmt::format("nodeName of {} gives all {} machines the same name", what, pool.count)).hint = "put {n} where the number goes";
        return names;
      }
    } else {
      const std::string_view inside = std::string_view(pattern).substr(open + 1, close - open - 1);
      const std::string_view digits = inside.size() > 2 ? inside.substr(2) : std::string_view("1");
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
      if (!inside.starts_with('n') || (inside.size() > 1 && inside[1] != ':') || error != std::errc{} || end != digits.data() + digits.size() || width < 1 ||
          width > 9) {
        diagnostics_.error(pool.where, fmt::format("'{}' in nodeName of {} is no pattern", pattern, what)).expected = "{n} or {n:3}";
        return names;
      }
    }
    for (std::int64_t i = 1; i <= pool.count; ++i) {
      names.push_back(width == 0 ? pattern : pattern.substr(0, open) + fmt::format("{:0{}}", i, width) + pattern.substr(close + 1));
      if (i == 1 && !is_object_name(names.back())) {
        diagnostics_.error(pool.where, fmt::format("'{}' is no valid name of a node ({})", names.back(), what)).expected =
            "lower case letters, digits, '-' and '.', with a letter or digit at both ends";
        return {};
      }
    }
    return names;
  }

  void hosts_of(const PoolSpec& pool, const std::string& what) {
    if (pool.machine != host::Machine::kVm) diagnostics_.error(pool.hosts.where, fmt::format("{}: 'hosts' is for machine: vm", what));
    for (const PoolSpec& other : spec_.pools) {
      if (other.name != pool.hosts.text) continue;
      if (&other == &pool || !other.hosts.text.empty()) {
        diagnostics_.error(pool.hosts.where, fmt::format("{}: machines that carry VMs stand on no other machines", what));
      } else if (other.count == 0) {
        diagnostics_.error(pool.hosts.where, fmt::format("{}: pool '{}' has no machines", what, other.name));
      }
      return;
    }
    diagnostics_.error(pool.hosts.where, fmt::format("{}: there is no pool '{}'", what, pool.hosts.text)).hint =
        did_you_mean(pool.hosts.text, names_of(spec_.pools));
  }

  void nodes() {
    const Interner& names = *spec_.names;
    std::set<std::uint32_t> known;
    for (const Manifest<k8s::Node>& m : spec_.objects.nodes) {
      const std::string& name = names.text(m.object.meta.name);
      take_name(name, m.where, "a v1 Node");
      known.insert(m.object.meta.name.value);
      const Symbol down = names.find("squall.dev/starts-down");
      if (m.object.ready != k8s::ConditionStatus::kTrue && m.object.ready_reason && !(down && m.object.meta.annotations.has(down))) {
        diagnostics_.warning(m.where, fmt::format("Node '{}' was not ready; it starts healthy", name));
      }
      if (m.object.capacity.memory <= 0 || m.object.capacity.cpu_milli <= 0) {
        diagnostics_.error(m.where, fmt::format("Node '{}' needs cpu and memory in status.capacity or status.allocatable", name));
      }
    }
    for (const PoolSpec& pool : spec_.pools) {
      for (const std::string& name : pool.machine_names) {
        if (pool.node) known.insert(names.find(name).value);
      }
    }
    for (const Manifest<k8s::Pod>& m : spec_.objects.pods) {
      if (!m.object.node_name || known.contains(m.object.node_name.value)) continue;
      diagnostics_.warning(m.where, fmt::format("Pod '{}' is bound to the node '{}', which does not exist", names.text(m.object.meta.name),
                                                names.text(m.object.node_name)));
    }
  }

  void control_plane() {
    const Symbol role = spec_.names->find(kControlPlaneLabel);
    bool any_pool = false;
    for (const PoolSpec& pool : spec_.pools) any_pool = any_pool || (pool.control_plane && pool.count > 0);
    const bool any_manifest = std::any_of(spec_.objects.nodes.begin(), spec_.objects.nodes.end(), [&](const Manifest<k8s::Node>& m) {
      const Symbol old_role = spec_.names->find("node-role.kubernetes.io/master");
      return (role && m.object.meta.labels.has(role)) || (old_role && m.object.meta.labels.has(old_role));
    });
    if (spec_.control_plane.external) {
      if (any_pool) diagnostics_.error(spec_.place_of("controlPlane"), "controlPlane.external excludes pools with controlPlane: true");
      return;
    }
    if (any_pool || any_manifest) return;
    Diagnostic& d = diagnostics_.error(spec_.place_of("controlPlane"), "there is no control plane");
    d.expected = "a pool with controlPlane: true, a v1 Node with the label node-role.kubernetes.io/control-plane, or controlPlane.external: true";
  }

  void registry() {
    check_registries(spec_, diagnostics_);
    const Reference& service = spec_.images.registry_service;
    if (!service.text.empty()) expect_service(spec_.objects, spec_.ceph, *spec_.names, split_service(service.text).full(), service.where, diagnostics_);
    if (!diagnostics_.has_errors()) warn_of_cycles(spec_, diagnostics_);
    if (!diagnostics_.has_errors()) warn_of_webhooks(spec_, diagnostics_);
  }

  void ceph() {
    if (spec_.ceph) check_ceph(spec_, diagnostics_);
    check_services(spec_, diagnostics_);
  }

  ScenarioSpec& spec_;
  Diagnostics& diagnostics_;
  std::map<std::string, const ElementSpec*> by_name_;
  std::map<std::string, std::string> taken_;
};

/// `objects` as a block string: its documents, at the lines and columns of the scenario file.
std::shared_ptr<const Document> block_of_documents(Node node, Diagnostics& diagnostics) {
  const SourceFile& file = *node.file();
  const std::string_view text = file.text();
  const std::size_t begin = node.data()->begin;
  if (begin < text.size() && text[begin] == '|') {
    // The block's own lines after as many empty ones as stand before it. Indented documents are good YAML; only their separators must not be.
    std::string lines(node.line(), '\n');
    std::size_t left = static_cast<std::size_t>(std::count(node.text().begin(), node.text().end(), '\n')) + (node.text().ends_with('\n') ? 0 : 1);
    for (std::uint32_t number = node.line() + 1; number <= file.line_count() && left > 0; ++number, --left) {
      const std::string_view line = file.line(number);
      const std::size_t content = line.find_first_not_of(' ');
      const std::string_view trimmed = content == std::string_view::npos ? std::string_view{} : line.substr(content);
      const bool separator = trimmed == "---" || trimmed.starts_with("--- ");
      lines += separator ? trimmed : line;
      lines += '\n';
    }
    return load_text(file.name(), std::move(lines), diagnostics);
  }
  return load_text(file.name() + " (objects)", std::string(node.text()), diagnostics);
}

void read_objects(Node node, ManifestReader& manifests, std::vector<std::shared_ptr<const Document>>& kept, Diagnostics& diagnostics) {
  if (node.is_null()) return;
  if (node.is_sequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) manifests.decode(node.item(i));
  } else if (node.is_map()) {
    manifests.decode(node);
  } else if (node.is_string()) {
    const std::shared_ptr<const Document> document = block_of_documents(node, diagnostics);
    kept.push_back(document);
    manifests.decode(*document);
  } else {
    Diagnostic& d = diagnostics.error(node, "wrong type of value");
    d.expected = "a list of Kubernetes objects, or a block string of YAML documents";
    d.found = node.describe();
  }
}

std::vector<k8s::PodBehaviour> behaviours_of(const std::vector<BehaviourSpec>& specs, const ManifestSet& objects, const std::optional<CephSpec>& ceph, std::vector<NeedySpec>& needy, Interner& names,
                                             Diagnostics& diagnostics) {
  std::vector<k8s::PodBehaviour> result;
  for (const BehaviourSpec& spec : specs) {
    k8s::PodBehaviour behaviour;
    behaviour.ns = names.intern(spec.match.ns);
    if (!spec.match.labels.empty()) {
      behaviour.selector.emplace();
      for (const auto& [key, value] : spec.match.labels) {
        behaviour.selector->requirements.push_back(k8s::Requirement{names.intern(key), k8s::SelectorOperator::kIn, {names.intern(value)}});
      }
    }
    behaviour.start_up = spec.start_up;
    behaviour.start_up_sigma = spec.start_up_sigma;
    behaviour.run_time = spec.run_time;
    behaviour.exit_code = spec.exit_code;
    behaviour.memory_bytes = spec.memory;
    behaviour.stop_time = spec.stop_time;
    behaviour.page_cache_bytes = spec.page_cache;
    behaviour.page_cache_active = spec.page_cache_active;
    behaviour.slab_bytes = spec.slab;
    if (spec.cpu_milli) behaviour.cpu = static_cast<double>(*spec.cpu_milli) / 1000.0;
    behaviour.disk_bytes_per_second = spec.disk_bytes_per_second;
    behaviour.disk_operations_per_second = spec.disk_operations_per_second;
    behaviour.probe_work = spec.probe_work;
    behaviour.writes_bytes_per_second = spec.writes;
    behaviour.writes_at_most = spec.writes_up_to;
    behaviour.written_file_bytes = spec.written_file_size;
    behaviour.logs_bytes_per_second = spec.logs;
    behaviour.processes = spec.processes;
    behaviour.processes_per_second = spec.process_growth;
    NeedySpec needs;
    needs.ns = behaviour.ns;
    needs.has_selector = behaviour.selector.has_value();
    if (behaviour.selector) needs.selector = *behaviour.selector;
    for (const Reference& need : spec.needs) {
      const std::size_t slash = need.text.find('/');
      const std::string ns = slash == std::string::npos ? spec.match.ns.empty() ? "default" : spec.match.ns : need.text.substr(0, slash);
      const std::string name = slash == std::string::npos ? need.text : need.text.substr(slash + 1);
      if (expect_service(objects, ceph, names, ns + "/" + name, need.where, diagnostics)) needs.needs.push_back(ns + "/" + name);
    }
    if (!needs.needs.empty()) needy.push_back(std::move(needs));
    result.push_back(std::move(behaviour));
  }
  return result;
}

/// Warns of behaviours that concern nobody: mostly a label or a namespace is misspelt.
void warn_of_idle_behaviours(const ScenarioSpec& spec, Node entries, const std::vector<BehaviourSpec>& given, Diagnostics& diagnostics) {
  const Interner& names = *spec.names;
  const Symbol system = names.find("kube-system");
  const Symbol ceph = spec.ceph ? names.find(spec.ceph->rook.name_space) : Symbol{};
  for (std::size_t i = 0; i < given.size() && entries.is_sequence() && i < entries.size(); ++i) {
    const MatchSpec& match = given[i].match;
    const Symbol ns = names.find(match.ns);
    // The control plane's pods and Rook's are in no manifest; some labels come with the pods.
    if ((ns && (ns == system || ns == ceph)) || (match.ns.empty() && spec.ceph)) continue;
    if (std::any_of(match.labels.begin(), match.labels.end(), [](const auto& label) {
          return label.first == "component" || label.first == "tier" || label.first == "job-name" || label.first == "pod-template-hash" ||
                 label.first == "controller-revision-hash" || label.first.find("kubernetes.io/") != std::string::npos;
        })) {
      continue;
    }
    bool any = false;
    std::vector<std::string> spaces;
    for_each_workload(spec.objects, [&](const Workload& workload) {
      if (workload.ns) spaces.push_back(names.text(workload.ns));
      any = any || ((match.ns.empty() || workload.ns == ns) && std::all_of(match.labels.begin(), match.labels.end(), [&](const auto& label) {
                      const std::optional<Symbol> value = workload.labels->find(names.find(label.first));
                      return value && names.text(*value) == label.second;
                    }));
    });
    if (any) continue;
    Diagnostic& d = diagnostics.warning(entries.item(i), "this behaviour concerns nobody: no pod and no pod template matches");
    if (!match.ns.empty() && std::find(spaces.begin(), spaces.end(), match.ns) == spaces.end()) d.hint = did_you_mean(match.ns, spaces);
  }
}

void expect_word(Node root, std::string_view key, std::string_view word, Diagnostics& diagnostics) {
  const Node node = root.find(key);
  if (node.is_null() || node.text() == word) return;
  Diagnostic& d = diagnostics.error(node, fmt::format("unknown {}", key));
  d.expected = word;
  d.found = node.describe();
}

/// `--set pools.wrker.count=5` would make a pool of that name, with the defaults of everything else, and the run would look as if nothing had been asked.
/// So what goes by name is made by one value that is whole, and its parts are set only where it stands already.
bool is_no_misspelt_name(Node root, const Override& change, const std::string& where, Diagnostics& diagnostics) {
  std::vector<std::string> steps;
  if (!split_path(change.path, steps) || steps.size() < 3) return true;
  static constexpr std::pair<std::string_view, std::string_view> kByName[] = {{"topology", "element"}, {"pools", "pool"}, {"services", "service"}, {"vms", "VMs"}, {"traffic", "flow"}, {"faults", "fault"}, {"expect", "expectation"}};
  for (const auto& [section, noun] : kByName) {
    const Node entries = root.find(section);
    if (steps[0] != section || entries.is_sequence() || !entries.find(steps[1]).is_null()) continue;
    std::vector<std::string> names;
    for (std::size_t i = 0; entries.is_map() && i < entries.size(); ++i) names.emplace_back(entries.key(i).text());
    Diagnostic& d = diagnostics.error_in(where, fmt::format("there is no {} '{}'", noun, steps[1]));
    if (!names.empty()) d.expected = fmt::format("one of: {}", fmt::join(names, ", "));
    d.hint = did_you_mean(steps[1], names);
    if (d.hint.empty()) d.hint = fmt::format("to add it, set it as a whole: --set '{}.{}={{...}}'", section, steps[1]);
    return false;
  }
  return true;
}

std::shared_ptr<const ScenarioSpec> read_tree(Node root, const std::string& path, TreeEditor& editor, const std::vector<Override>& overrides,
                                              Diagnostics& diagnostics) {
  root = with_service_files(root, [&](const Reference& reference) { return beside(reference, path); }, editor, diagnostics);
  for (const Override& change : overrides) {
    const std::string name = fmt::format("{}{}", kOverrideFile, change.path);
    Diagnostics found;
    const std::shared_ptr<const Document> value = load_text(name, change.value, found);
    if (found.has_errors() || value->roots().size() > 1) {
      diagnostics.error_in(name, fmt::format("'{}' is no YAML value", change.value));
      continue;
    }
    editor.keep(value);
    if (!is_no_misspelt_name(root, change, name, diagnostics)) continue;
    std::string error;
    static const detail::NodeData kNull{};
    // "path=" and "path=null" take it away.
    const Node changed = editor.set_path(root, change.path, value->roots().empty() ? Node(&kNull) : value->root(), error);
    if (!changed) {
      diagnostics.error_in(name, error);
    } else {
      root = changed;
    }
  }

  root = with_service_templates(root, editor, diagnostics);
  const std::size_t errors_before = diagnostics.error_count();
  ScenarioFile file;
  Reader reader{diagnostics};
  read_struct(root, file, "scenario", reader);
  resolve_eviction(root.find("kubelet"), file.spec.kubelet, reader);
  expect_word(root, "apiVersion", kApiVersion, diagnostics);
  expect_word(root, "kind", "Scenario", diagnostics);
  const bool fields_good = diagnostics.error_count() == errors_before;

  auto spec = std::make_shared<ScenarioSpec>(std::move(file.spec));
  spec->file = path;
  spec->has_registries = !root.find("registries").is_null();
  if (spec->metadata.name.empty()) spec->metadata.name = printable(fs::path(path).stem().string());
  spec->document = editor.finish(root);

  auto names = std::make_shared<Interner>();
  ManifestReader manifests(*names, diagnostics);
  std::vector<std::shared_ptr<const Document>> kept;
  for (const Reference& reference : spec->manifests) {
    for (const std::string& found : expand_path(beside(reference, path), reference.where, diagnostics)) {
      if (const std::shared_ptr<const Document> document = load_file(found, diagnostics)) manifests.decode(*document);
    }
  }
  read_objects(file.objects, manifests, kept, diagnostics);
  apply_scheduler_section(spec->scheduler, root.find("scheduler"), path, *names, diagnostics);
  spec->objects = manifests.finish();
  spec->behaviours = service_behaviours(*spec, *names);
  for (k8s::PodBehaviour& behaviour : behaviours_of(file.behaviours, spec->objects, spec->ceph, spec->platform.needy, *names, diagnostics)) {
    spec->behaviours.push_back(std::move(behaviour));
  }
  spec->names = names;
  if (fields_good && spec->document) warn_of_idle_behaviours(*spec, spec->document->root().find("behaviours"), file.behaviours, diagnostics);
  if (fields_good) {
    // The machines' names are interned in the order of the pools, before any world makes names of its own.
    Checker(*spec, diagnostics).run();
    for (const PoolSpec& pool : spec->pools) {
      for (const std::string& name : pool.machine_names) names->intern(name);
    }
    names->intern(spec->images.registry_service.text);
  }
  return diagnostics.has_errors() ? nullptr : spec;
}

}  // namespace

Place ScenarioSpec::place_of(std::string_view key) const {
  const Node root = document ? document->root() : Node{};
  const Node at = root.find_key(key);
  return (at ? at : root).place();
}

std::map<std::string, std::vector<std::string>> ScenarioSpec::nodes_of_pools() const {
  std::map<std::string, std::vector<std::string>> result;
  for (const PoolSpec& pool : pools) {
    if (pool.node) result[pool.name] = pool.machine_names;
  }
  return result;
}

std::optional<Override> parse_override(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  return Override{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

std::shared_ptr<const ScenarioSpec> read_scenario(const std::string& path, const std::vector<Override>& overrides, Diagnostics& diagnostics) {
  TreeEditor editor;
  const Node root = TreeReader(editor, diagnostics).read(path, Place{});
  return root ? read_tree(root, path, editor, overrides, diagnostics) : nullptr;
}

std::shared_ptr<const ScenarioSpec> read_scenario_text(std::string name, std::string text, const std::vector<Override>& overrides,
                                                       Diagnostics& diagnostics) {
  TreeEditor editor;
  const std::shared_ptr<const Document> document = load_text(name, std::move(text), diagnostics);
  const Node root = TreeReader(editor, diagnostics).from_document(document);
  return root ? read_tree(root, name, editor, overrides, diagnostics) : nullptr;
}

bool is_scenario(const Document& document) {
  const Node root = document.root();
  return root.find("kind").text() == "Scenario" && (root.find("apiVersion").is_null() || root.find("apiVersion").text().starts_with("squall.dev/"));
}

}  // namespace sim::scenario
